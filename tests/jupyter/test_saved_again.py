"""A notebook that was saved and is opened without its kernel: each view left its still, and nothing else is hidden.

In JupyterLab, Notebook 7 and nbclassic; with prints, other people's widgets, boxes of parts, and shown before the run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.jupyter.notebooks import PATIENCE_MS, Applications, nbformat
from tests.jupyter.server import Server
from tests.jupyter.test_nbclassic import READY, SETTLED, end_kernels

CELLS: Final = [
    """
import runtime, sage_nb, sys
import ipywidgets as w
def make(name):
    session = runtime.Session(name)
    words = session.source(["to be", "or not"], name="lines").flat_map(str.split, name="split", parallelism=2)
    words.collect(name="result")
    return session
one, other = make("one"), make("other")
print("before")
display(one)
print("between")
print("and warned", file=sys.stderr)
display(other)
print("after")
display(sage_nb.stop_progress(one))
""",
    """
display(w.IntSlider())
print("beside a slider")
display(one)
""",
    """
def tear_apart(message):
    print("torn apart", flush=True)
    return message
get_ipython().display_pub.register_hook(tear_apart)
display(other)
get_ipython().display_pub.unregister_hook(tear_apart)
""",
    "w.HBox([sage_nb.graph(one), w.VBox([sage_nb.queue_depths(one)])])",
    "w.Tab([sage_nb.errors(one), sage_nb.injector(one)])",
    "w.HBox([w.Label('nobody')])",
    "one.run(); other.run(); print('has run')",
]
PRINTED: Final = ["before", "between", "and warned", "after", "beside a slider", "torn apart", "has run"]
STILLS: Final = 7
VIEWS: Final = 8  # two in the first box; of a Tab, the first page is seen
GONE: Final = "text=/widget state could not be found|model not found|Loading widget/"
"""What applications say in the place of a widget that is gone."""


class Opened:
    """A notebook in some application: its page, and what is done there."""

    def __init__(self, page: Page, run: Callable[[int], object], save: Callable[[], object]) -> None:
        self.page, self.run, self.save = page, run, save


@pytest.fixture(params=["lab", "notebook", "nbclassic"])
def opened(
    request: pytest.FixtureRequest, applications: Applications, jupyter: Server, context: BrowserContext
) -> Iterator[Callable[[str], Opened]]:
    """Opens a notebook's file, in each application in turn."""
    pages: list[Page] = []

    def in_nbclassic(name: str) -> Opened:
        page = context.new_page()
        pages.append(page)
        page.goto(f"{jupyter.address}/nbclassic/notebooks/{name}?token={jupyter.token}")
        page.wait_for_function(READY, timeout=PATIENCE_MS)
        page.evaluate(SETTLED)

        def run(index: int) -> None:
            page.evaluate("(index) => Jupyter.notebook.execute_cells([index])", index)
            page.wait_for_function("(index) => Jupyter.notebook.get_cell(index).input_prompt_number > 0", arg=index)

        return Opened(page, run, lambda: page.evaluate("async () => { await Jupyter.notebook.save_notebook(); }"))

    def in_lab(name: str) -> Opened:
        notebook = applications.open(request.param, name)
        pages.append(notebook.page)
        return Opened(notebook.page, notebook.run, notebook.save)

    yield in_nbclassic if request.param == "nbclassic" else in_lab
    for page in pages:
        page.close()
    end_kernels(context, jupyter)


def html_of(jupyter: Server, name: str) -> list[str]:
    """The stills in a notebook's file."""
    cells = nbformat.read(jupyter.folder / name, as_version=4).cells
    found = [output.get("data", {}).get("text/html", "") for cell in cells for output in cell.outputs]
    return [html for html in found if "sage-nb-still" in html]


def test_a_notebook_saved_after_the_run_keeps_how_it_ended_and_hides_nothing_but_the_places_of_its_views(
    opened: Any, applications: Applications, jupyter: Server, context: BrowserContext
) -> None:
    name = applications.write(CELLS)
    first = opened(name)
    first.page.set_viewport_size({"width": 1280, "height": 4000})  # so that all of it is painted
    for index in range(len(CELLS)):
        first.run(index)
    stills = first.page.locator(".sage-nb-still")
    expect(stills).to_have_count(STILLS)
    expect(first.page.locator(".sage-nb-view:visible")).to_have_count(VIEWS)
    assert [each.is_visible() for each in stills.all()] == [False] * STILLS, "their views are alive"
    told = "[...document.querySelectorAll('.sage-nb-still')].filter(each => each.innerHTML.includes('completed'))"
    first.page.wait_for_function(f"{told}.length === {STILLS - 1}")  # the last is of errors, of which there are none
    first.save()
    for place, html in enumerate(html_of(jupyter, name)):
        assert place == STILLS - 1 or "completed" in html, "it was shown before the run"
    first.page.close()
    end_kernels(context, jupyter)

    again = opened(name)
    again.page.set_viewport_size({"width": 1280, "height": 4000})
    stills = again.page.locator(".sage-nb-still")
    expect(stills).to_have_count(STILLS)
    for still in stills.all():
        expect(still).to_be_visible()
    for text in PRINTED:
        expect(again.page.locator("pre").filter(has_text=text).last).to_be_visible()
    gone = again.page.locator(GONE)
    expect(gone).to_have_count(STILLS + 2)
    places = [place for place, each in enumerate(gone.all()) if each.is_visible()]
    assert places == [3, 8], "of other people's widgets the application may say what it likes"
    expect(stills.nth(2)).to_contain_text("2nd–3rd")
    expect(stills.nth(5).locator("img")).to_be_visible()
    expect(stills.nth(5)).to_contain_text("Queues of one")
    expect(stills.nth(6)).to_contain_text("Injector of one")
