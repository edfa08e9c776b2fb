"""`display(…, display_id=True)` gives a handle; what is updated by it stays in its place."""

from __future__ import annotations

from typing import Any, Final

import pytest
from playwright.sync_api import expect

from tests.jupyter.conftest import Open
from tests.jupyter.kernel import Kernel

GRAPH: Final = """
import runtime, sage_nb
session = runtime.Session("words")
result = session.source(["to be"]).flat_map(str.split, name="split").collect(name="result")
form = sage_nb.injector(session)
"""


def shown(kernel: Kernel, cell: str) -> list[tuple[str, str | None, bool]]:
    """Of each output that a cell has sent: its kind of message, the id of its place, whether it is alive."""

    def told(message: Any) -> tuple[str, str | None, bool]:
        alive = "application/vnd.jupyter.widget-view+json" in message["content"]["data"]
        return message["msg_type"], message["content"]["transient"].get("display_id"), alive

    of_cell = [each for each in kernel.published if each["parent_header"].get("msg_id") == cell]
    return [told(each) for each in of_cell if each["msg_type"].endswith("display_data")]


@pytest.mark.parametrize("what", ["session", "sage_nb.graph(session)", "form"])
def test_a_handle_updates_view_and_still_in_their_places(notebook: Kernel, what: str) -> None:
    notebook.run(GRAPH)
    first = shown(notebook, notebook.run(f"handle = display({what}, display_id='here')"))
    assert [(kind, alive) for kind, _, alive in first] == [("display_data", True), ("display_data", False)]
    places = [place for _, place, _ in first]
    assert places[0] == "here"
    assert len({*places, None}) == 3, "each has its own"
    again = shown(notebook, notebook.run(f"handle.update({what})"))
    assert again == [("update_display_data", place, alive) for _, place, alive in first]


def test_without_a_handle_only_the_still_has_a_place_in_which_it_is_renewed(notebook: Kernel) -> None:
    notebook.run(GRAPH)
    [live, still] = shown(notebook, notebook.run("display(session)"))
    assert live == ("display_data", None, True)
    assert (still[0], still[2]) == ("display_data", False)
    assert still[1] is not None
    cell = notebook.run("display('other', display_id=True)\nsession._ipython_display_()")
    assert [place for _, place, _ in shown(notebook, cell)[1:2]] == [None]


def test_a_still_is_renewed_when_its_run_has_ended_once_a_page_has_shown_it(notebook: Kernel) -> None:
    notebook.run(GRAPH)
    cell = notebook.run("display(session)\nview = session.dashboard()")
    [_, (_, place, _)] = shown(notebook, cell)
    notebook.run("_ = session.run()")
    notebook.run("import threading\n_ = [t.join() for t in threading.enumerate() if t.name == 'sage-nb stills']")
    assert not [each for each in notebook.published if each["msg_type"] == "update_display_data"], "nobody has seen it"
    notebook.tell(notebook.ask("view.comm.comm_id"), "mount", view="page")

    def renewed(message: Any) -> bool:
        if message["msg_type"] != "update_display_data":
            return False
        content = message["content"]
        return content["transient"]["display_id"] == place and "completed" in content["data"]["text/html"]

    notebook.wait_for(renewed)
    notebook.tell(notebook.ask("view.comm.comm_id"), "unmount", view="page")
    before = len(notebook.published)
    notebook.run("session.reset()\nsession.run()")  # out of sight
    notebook.wait_for(lambda each: renewed(each) and each in notebook.published[before:])
    notebook.run("session.close()")
    notebook.run("del view, session, result, form\nimport gc; _ = gc.collect()")
    assert notebook.ask("[t.name for t in __import__('threading').enumerate() if 'sage-nb' in t.name]") == []


def test_in_a_page_the_view_stays_one_and_its_picture_hidden(open_notebook: Open) -> None:
    notebook = open_notebook([f"{GRAPH}handle = display(session, display_id=True)", "handle.update(session)"])
    notebook.run(1)
    notebook.sees("new")
    expect(notebook.page.locator(".sage-nb-view")).to_have_count(1)
    expect(notebook.page.locator(".sage-nb-still")).to_have_count(1)
    expect(notebook.page.locator(".sage-nb-still")).to_be_hidden()
    assert [len(cell["outputs"]) for cell in notebook.cells()] == [2, 0]
