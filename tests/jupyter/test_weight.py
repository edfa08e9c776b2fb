"""What views weigh: in a notebook that was run, and in a browser after many runs of a cell."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from playwright.sync_api import CDPSession, expect

from tests.jupyter.notebooks import Applications, nbformat
from tests.jupyter.test_fallbacks import CELL, executed

MOST_KB: Final = 300
MOST_LEFT_MB: Final = 0.1
WARM_UP, RUNS = 15, 20  # what the browser compiles and learns of a page, it does in the first


def test_an_executed_notebook_with_four_views_is_small(tmp_path: Path) -> None:
    """With the state of its widgets, as JupyterLab and nbconvert save it."""
    cells = [CELL.replace('"words"', f'"words {number}"') for number in range(4)]
    notebook: Any = executed(cells, tmp_path, with_state=True)
    models = notebook.metadata.widgets["application/vnd.jupyter.widget-state+json"]["state"].values()
    assert sum(model["model_name"] == "AnyModel" for model in models) == 4
    size_kb = len(nbformat.writes(notebook).encode()) / 1_000
    print(f"\nexecuted notebook with four views: {size_kb:.0f} kB")  # noqa: T201  a figure
    assert size_kb <= MOST_KB


def heap_mb(cdp: CDPSession) -> float:
    """What is alive in the page: the garbage is collected first, twice, as finalizers free more."""
    for _ in range(2):
        cdp.send("HeapProfiler.collectGarbage")
    return float(cdp.send("Runtime.getHeapUsage")["usedSize"]) / 1e6


def test_running_a_cell_again_leaves_nothing_in_the_browser(applications: Applications) -> None:
    """Of the view; what JupyterLab itself keeps of a run of any cell is taken off."""
    name = applications.write([CELL.replace("session.run()\n", "session.start()\n"), "41 + 1"])
    notebook = applications.open("lab", name)
    cdp = notebook.page.context.new_cdp_session(notebook.page)

    def left_mb(cell: int) -> float:
        before = 0.0
        for number in range(WARM_UP + RUNS):
            if number == WARM_UP:
                before = heap_mb(cdp)
            notebook.run(cell)
            if cell == 0:
                expect(notebook.view.locator(".sn-graph [data-row]")).to_have_count(3)
        return (heap_mb(cdp) - before) / RUNS

    plain_mb = left_mb(1)
    view_mb = left_mb(0)
    print(f"\nleft by a run: {view_mb:.3f} MB with a view, {plain_mb:.3f} MB without")  # noqa: T201  likewise
    assert view_mb - max(plain_mb, 0) <= MOST_LEFT_MB
