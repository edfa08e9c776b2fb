"""The still picture: out of sight behind a view that is alive, wherever that is; there where none is; not squeezed."""

from __future__ import annotations

import re
from typing import Final

import pytest
from playwright.sync_api import Browser, Page

import runtime
from sage_nb.display import mimebundle
from sage_nb.module import css

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
VIEW: Final = '<div class="host"><div class="sage-nb-view">alive</div></div>'


def still() -> str:
    session = runtime.Session("still")
    session.source([1], name="numbers").collect(name="result")
    html: str = mimebundle(session)["text/html"]
    return re.sub("<style>.*?</style>", "", html)  # as where nothing is trusted


def document(page: Page, application: str, *cells: list[str]) -> None:
    cell, output = CELLS[application]
    body = "".join(cell.format(outputs="".join(output % each for each in outputs)) for outputs in cells)
    page.set_content(f"<!doctype html><style>{css()}</style>{body}")


@pytest.mark.parametrize("application", CELLS)
def test_the_picture_is_hidden_behind_its_own_view_and_nowhere_else(chromium: Browser, application: str) -> None:
    page = chromium.new_page()
    try:
        document(
            page, application, ["text", VIEW, still()], [still()], ["text", "gone", still()], [VIEW, "print", still()]
        )
        shown = [each.is_visible() for each in page.locator(".sage-nb-still").all()]
        assert shown == [False, True, True, False]
        # The view goes, as with its kernel.
        page.evaluate("() => document.querySelector('.sage-nb-view').remove()")
        assert page.locator(".sage-nb-still").first.is_visible()
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
