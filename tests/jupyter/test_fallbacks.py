"""Promise 17 and ui.md's fallbacks: where there is no kernel any more, no trust, or no page, the picture is there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from time import monotonic
from typing import Any, Final

import pytest
from nbconvert import HTMLExporter as _HTMLExporter
from nbconvert import LatexExporter as _LatexExporter
from playwright.sync_api import Browser, Locator, expect

from tests.jupyter.conftest import Open
from tests.jupyter.notebooks import PATIENCE_MS, Applications, Notebook, nbformat
from tests.jupyter.server import Server

HTMLExporter: Any = _HTMLExporter  # they have no types
LatexExporter: Any = _LatexExporter

CELL: Final = """
import runtime
session = runtime.Session("words")
result = session.source(["to be", "or not"]).flat_map(str.split, name="split").collect(name="result")
session.run()
session
"""
SVG: Final = "data:image/svg+xml;base64"


def executed(cells: list[str], folder: Path, *, with_state: bool = False) -> Any:
    """A notebook of these cells, run without a page."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in cells])
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, folder / "to-run.ipynb")
    command = [sys.executable, "-m", "nbconvert", "--to", "notebook", "--execute", "--output", "run.ipynb"]
    command += [f"--ExecutePreprocessor.store_widget_state={with_state}", str(folder / "to-run.ipynb")]
    subprocess.run(command, check=True, capture_output=True, timeout=100)
    return nbformat.read(folder / "run.ipynb", as_version=4)


def picture(notebook: Notebook) -> Locator:
    return notebook.page.locator(f'.jp-OutputArea img[src^="{SVG}"]')


@pytest.mark.parametrize("application", ["lab", "notebook"])
def test_a_live_view_hides_the_picture_behind_it(open_notebook: Open) -> None:
    notebook = open_notebook([CELL])
    notebook.sees("completed")
    expect(picture(notebook)).to_be_hidden()
    outputs = notebook.cells()[0]["outputs"]
    assert [sorted(output["data"]) for output in outputs] == [
        ["application/vnd.jupyter.widget-view+json", "text/plain"],
        ["image/png", "text/html", "text/plain"],
    ]


@pytest.mark.parametrize("application", ["lab", "notebook"])
def test_opened_again_without_its_kernel_a_notebook_shows_the_picture_and_no_error(
    open_notebook: Open, applications: Applications, application: str, jupyter: Server
) -> None:
    notebook = open_notebook([CELL])
    notebook.sees("completed")
    notebook.save()
    name = re.search(r"[0-9a-f]{8}\.ipynb", notebook.page.url)
    assert name is not None
    notebook.shut_down()
    again = applications.open(application, name[0])
    expect(picture(again)).to_be_visible()
    expect(again.page.get_by_text("model not found")).to_be_hidden()
    expect(again.page.locator(".sage-nb-view")).to_have_count(0)


def test_a_notebook_that_is_not_trusted_shows_the_picture(
    applications: Applications, application: str, jupyter: Server, tmp_path: Path
) -> None:
    name = applications.write(["pass"])
    nbformat.write(executed([CELL], tmp_path), jupyter.folder / name)
    notebook = applications.open(application, name)
    expect(picture(notebook)).to_be_visible()
    assert (picture(notebook).get_attribute("alt") or "").startswith("Dataflow graph words: ✓ completed")
    expect(notebook.page.get_by_text("model not found")).to_be_hidden()


@pytest.mark.parametrize("with_state", [False, True], ids=["without widget state", "with widget state"])
def test_exported_to_html_and_offline_the_picture_is_there(chromium: Browser, tmp_path: Path, with_state: bool) -> None:
    html, _ = HTMLExporter().from_notebook_node(executed([CELL], tmp_path, with_state=with_state))
    file = tmp_path / "exported.html"
    file.write_text(html)
    context = chromium.new_context(offline=True)
    try:
        page = context.new_page()
        page.route("http*://**", lambda route: route.abort())
        page.goto(file.as_uri())
        expect(page.locator(f'img[src^="{SVG}"]')).to_be_visible()
        width = page.locator(f'img[src^="{SVG}"]').evaluate("(image) => image.naturalWidth")
        assert width > 100
    finally:
        context.close()


def test_exported_to_latex_the_picture_needs_no_inkscape(tmp_path: Path) -> None:
    latex, resources = LatexExporter().from_notebook_node(executed([CELL], tmp_path))
    [(name, picture)] = resources["outputs"].items()
    assert name.endswith(".png")
    assert picture.startswith(b"\x89PNG")
    assert name in latex


def test_in_a_plain_terminal_a_session_is_text() -> None:
    code = CELL.replace("session.run()\n", "_ = session.run();\n")
    run = subprocess.run(
        [sys.executable, "-m", "IPython", "--no-banner", "--colors=nocolor", "--no-confirm-exit", "--simple-prompt"],
        input=code.replace("\n", "\n\n"),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert "Session('words': 3 operators, 3 tasks)" in run.stdout, run.stdout + run.stderr


def test_strict_nbval_passes_on_a_notebook_that_displays_sessions(tmp_path: Path) -> None:
    """In every state that it can be in when it is shown, and with every part."""
    running = "session.reset()\nsession.start()\nsession"
    parts = (
        "import sage_nb\nfor part in (sage_nb.graph, sage_nb.queue_depths, sage_nb.stop_progress, sage_nb.errors):\n"
    )
    parts += "    display(part(session))\nfor part in (sage_nb.injector, sage_nb.stepper):\n    display(part(session))"
    new = CELL.replace("session.run()\n", "")
    cells = [
        new,
        f"{new.replace('words', 'other')}session.dashboard('table')",
        running,
        "session.wait()\nsession",
        parts,
    ]
    notebook = executed([*cells, "session.close()\nsession"], tmp_path)
    nbformat.write(notebook, tmp_path / "shown.ipynb")
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "--nbval", "--nbval-current-env", "-p", "no:cacheprovider", "shown.ipynb"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert "6 passed" in run.stdout, run.stdout + run.stderr


RERUN: Final = """
import runtime, sage_nb, threading
from ipywidgets.widgets.widget import _instances
session = runtime.Session("again")
result = session.input("numbers").map(abs, name="absolute").collect(name="result")
session.start()
form = sage_nb.injector(session)
session
"""


COUNTS: Final = (
    "[len(_instances), len(get_ipython().kernel.comm_manager.comms), "
    "sorted(thread.name for thread in threading.enumerate() if thread.name.startswith(('sage-nb', 'again')))]"
)
RUNS: Final = 8


def at_rest(notebook: Notebook) -> Any:
    """What there is in the kernel when the page looks on, and has no command of its own under way."""
    deadline_s = monotonic() + PATIENCE_MS / 1_000
    while True:
        found = notebook.ask(COUNTS)
        if "sage-nb sampler" in found[2] and "sage-nb commands" not in found[2]:
            return found
        assert monotonic() < deadline_s, found


def test_after_eight_runs_of_a_cell_nothing_has_stayed(open_notebook: Open) -> None:
    notebook = open_notebook([RERUN])
    notebook.sees("running")
    before = at_rest(notebook)
    for _ in range(RUNS):
        notebook.run(0)
    notebook.view.wait_for()
    notebook.sees("running")
    assert at_rest(notebook) == before
    notebook.ask("session.close()")
    left = "[len(_instances), [t.name for t in threading.enumerate() if 'sage-nb' in t.name]]"
    assert notebook.ask(left) == [3, []], "the view, its layout, and what all views share"
    notebook.sees("closed")
