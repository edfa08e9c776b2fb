"""The still picture: out of sight behind a view that is alive, wherever that is; there where none is; not squeezed."""

from __future__ import annotations

from typing import Final

import pytest
from playwright.sync_api import Browser, Page

import runtime
from sage_nb.display import mimebundle
from sage_nb.module import css
from sage_nb.picture import picture_of
from sage_nb.stills import bundle_of, still_of

# How each application puts the outputs of two cells into its page; `%s` is an output.
CELLS: Final = {
    "JupyterLab and Notebook 7": (
        '<div class="jp-Cell"><div class="jp-OutputArea">{outputs}</div></div>',
        '<div class="jp-OutputArea-child"><div></div><div class="jp-OutputArea-output">%s</div></div>',
    ),
    "classic Notebook and nbclassic": (
        '<div class="cell code_cell"><div class="output_wrapper"><div class="output">{outputs}</div></div></div>',
        '<div class="output_area"><div class="prompt"></div><div class="output_subarea">%s</div></div>',
    ),
    "VS Code": (
        '<div class="cell_container">{outputs}</div>',
        '<div class="output_container"><div class="output"><div>%s</div></div></div>',
    ),
    "Colab": (
        '<div id="output-body">{outputs}</div>',
        '<div class="display_data"><div class="output_subarea">%s</div></div>',
    ),
}  # fmt: skip
# Where in each a widget is gone.
PLACES: Final = {
    "JupyterLab and Notebook 7": (
        '<div class="jp-OutputArea-child"><div></div>'
        '<div class="lm-Widget lm-Panel jp-OutputArea-output">Error displaying widget: model not found</div></div>'
    ),
    "classic Notebook and nbclassic": (
        '<div class="output_area"><div class="prompt"></div>'
        '<div class="output_subarea jupyter-widgets-view">Error displaying widget</div></div>'
    ),
    "VS Code": (
        '<div class="output_container"><div class="output">'
        '<div class="cell-output-ipywidget-background">Error displaying widget</div></div></div>'
    ),
}  # fmt: skip
SESSION: Final = "still"
GONE: Final = "the place of a widget that is gone"


def still(name: str = SESSION) -> str:
    session = runtime.Session(name)
    session.source([1], name="numbers").collect(name="result")
    return str(bundle_of([still_of(picture_of(session))], name)["text/html"])


def view(name: str = SESSION) -> str:
    """A live view, as its widget stands in the page."""
    return f'<div class="sage-nb-of-{name}"><div class="sage-nb-view">alive</div></div>'


def document(page: Page, application: str, *cells: list[str]) -> None:
    cell, output = CELLS[application]
    shown = [[PLACES[application] if each == GONE else output % each for each in outputs] for outputs in cells]
    body = "".join(cell.format(outputs="".join(outputs)) for outputs in shown)
    page.set_content(f"<!doctype html><style>{css()}</style>{body}")


@pytest.mark.parametrize("application", CELLS)
def test_the_picture_is_hidden_behind_its_own_view_and_nowhere_else(chromium: Browser, application: str) -> None:
    page = chromium.new_page()
    try:
        document(
            page,
            application,
            ["text", view(), still()],
            [still()],
            ["text", "gone", still()],
            [view(), "print", still()],
            [view("other"), still("other"), "its view is closed", still()],
        )
        shown = [each.is_visible() for each in page.locator(".sage-nb-still").all()]
        assert shown == [False, True, True, False, False, True]
        # The view goes, as with its kernel.
        page.evaluate("() => document.querySelector('.sage-nb-view').remove()")
        assert page.locator(".sage-nb-still").first.is_visible()
    finally:
        page.close()


@pytest.mark.parametrize("application", PLACES)
def test_the_place_of_a_view_that_is_gone_is_hidden_and_no_print_nor_the_place_of_anything_else(
    chromium: Browser, application: str
) -> None:
    page = chromium.new_page()
    try:
        document(
            page,
            application,
            ["print 1", GONE, still(), "print 2", GONE, still("other"), "print 3"],
            [GONE, "print 4", "print 5", still()],
            ["print 6", still()],
            [GONE, "print 7"],
            [GONE, "print 8", GONE, still()],
        )
        gone = page.get_by_text("Error displaying widget")
        assert [each.is_visible() for each in gone.all()] == [False, False, False, True, True, False]
        for number in range(1, 9):
            assert page.get_by_text(f"print {number}").is_visible(), number
        assert all(each.is_visible() for each in page.locator(".sage-nb-still").all())
    finally:
        page.close()


@pytest.mark.parametrize("width", [1150, 700])
def test_a_long_pipeline_is_scrolled_not_squeezed(chromium: Browser, width: int) -> None:
    session = runtime.Session("long")
    stream = session.source([1], name="numbers")
    for number in range(13):
        stream = stream.map(abs, name=f"operator {number}")
    stream.collect(name="result")
    page = chromium.new_page(viewport={"width": width, "height": 500})
    try:
        # JupyterLab's own rule for pictures.
        page.set_content("<!doctype html><style>img { max-width: 100%; height: auto; }</style><main></main>")
        html = mimebundle(session)["text/html"]
        page.evaluate("(html) => { document.querySelector('main').innerHTML = html; }", html)
        image = page.locator("img")
        page.wait_for_function("document.querySelector('img').naturalWidth > 0")
        scale = image.evaluate("(each) => each.getBoundingClientRect().width / each.naturalWidth")
        assert scale >= 0.74
        area = page.locator(".sage-nb-still")
        assert area.evaluate("(each) => [each.clientWidth < each.scrollWidth, each.scrollHeight]")[0]
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "the page itself does not scroll"
    finally:
        page.close()


def test_a_picture_that_nearly_fits_is_made_to_fit(chromium: Browser) -> None:
    page = chromium.new_page(viewport={"width": 300, "height": 500})
    try:
        page.set_content(f"<!doctype html><style>body {{ margin: 0 }}</style>{still()}")
        page.wait_for_function("document.querySelector('img').naturalWidth > 300")
        assert page.locator("img").evaluate("(each) => each.getBoundingClientRect().width") <= 300
    finally:
        page.close()
