"""Every click of every page is heard, whichever pages, and subshells of theirs, have come and gone meanwhile."""

from __future__ import annotations

from typing import Final

from tests.jupyter.kernel import Kernel

SESSION: Final = """
import runtime, sage_nb
session = runtime.Session("subshells")
session.input("numbers").map(abs, name="absolute").collect(name="result")
view, form = session.dashboard(), sage_nb.injector(session)
view
"""


def comm_of(notebook: Kernel) -> str:
    notebook.run(SESSION)
    comm: str = notebook.ask("view.comm.comm_id")
    return comm


def test_a_click_is_heard_when_the_subshell_of_another_page_has_gone(notebook: Kernel) -> None:
    comm = comm_of(notebook)
    notebook.tell(comm, "mount", view="first")
    gone = notebook.subshell()
    notebook.tell(comm, "mount", view="second", subshell=gone)
    notebook.order(comm, "start_paused")
    notebook.answer(notebook.tell(comm, "inject", subshell=gone, task="absolute", value="1"))
    notebook.set_trait(comm, "shown", "table", subshell=gone)
    notebook.wait_for(lambda each: '"depths":[0,1,0]' in str(each["content"]))
    notebook.delete_subshell(gone)
    notebook.order(comm, "resume")
    here = notebook.subshell()
    notebook.answer(notebook.tell(comm, "cancel", subshell=here))


def test_no_frame_is_sent_in_the_name_of_a_page(notebook: Kernel) -> None:
    comm = comm_of(notebook)
    subshell = notebook.subshell()
    notebook.tell(comm, "mount", view="page", subshell=subshell)
    notebook.answer(notebook.tell(comm, "run", subshell=subshell))
    frame = notebook.wait_for(lambda each: '"state":"running"' in str(each["content"].get("data", {}).get("state")))
    assert frame["parent_header"] == {}


def test_a_click_is_heard_while_a_cell_keeps_the_kernel_busy(notebook: Kernel) -> None:
    comm = comm_of(notebook)
    subshell = notebook.subshell()
    notebook.tell(comm, "mount", view="page", subshell=subshell)
    notebook.answer(notebook.tell(comm, "run", subshell=subshell))
    cell = notebook.begin("import time\nwhile session.outcome is None: time.sleep(0.01)")
    notebook.wait_for(lambda each: each["msg_type"] == "execute_input" and "outcome is None" in each["content"]["code"])
    assert notebook.answer(notebook.tell(comm, "stop", subshell=subshell))["ok"]
    notebook.end(cell)


def test_a_form_is_heard_when_the_subshell_of_another_page_has_gone(notebook: Kernel) -> None:
    comm = comm_of(notebook)
    notebook.order(comm, "run")
    text, button = notebook.ask("[form.children[1].comm.comm_id, form.children[-2].comm.comm_id]")
    gone = notebook.subshell()
    notebook.set_trait(text, "value", "1", subshell=gone)
    notebook.click(button, subshell=gone)
    said = notebook.ask("form.children[-1].comm.comm_id")
    notebook.wait_for(lambda each: each["content"].get("comm_id") == said and "1 is in" in str(each["content"]))
    notebook.delete_subshell(gone)
    notebook.set_trait(text, "value", "'two'")
    notebook.click(button)
    notebook.wait_for(lambda each: each["content"].get("comm_id") == said and "two" in str(each["content"]))
