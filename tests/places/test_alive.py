"""In Voilà and in marimo a session at the end of a cell is alive, and a click is answered by its kernel."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import nbformat as _nbformat
from playwright.sync_api import Locator, Page, expect

from tests.jupyter.notebooks import PATIENCE_MS
from tests.places.conftest import Serve

nbformat: Any = _nbformat  # it has no types

SESSION: Final = """
import runtime, sage_nb
session = runtime.Session("words")
result = session.input("lines").flat_map(str.split, name="split").collect(name="result")
class Prices:
    def process(self, item: str) -> str:
        return item.upper()
session.service("prices", Prices)
"""

MARIMO: Final = """
import marimo

app = marimo.App()

@app.cell
def _():
{session}
    session
    return session, sage_nb

@app.cell
def _(session, sage_nb):
    sage_nb.stepper(session)
    return

@app.cell
def _(session, sage_nb):
    sage_nb.service_form(session, "prices")
    return
"""


def click(view: Locator, name: str) -> None:
    view.get_by_role("button", name=name, exact=True).click()


def sees(view: Locator, text: str) -> None:
    expect(view.locator(".sn-status")).to_contain_text(text, timeout=PATIENCE_MS)


def test_in_voila_a_view_is_alive_and_answers_a_click(serve: Serve, port: int, tmp_path: Path) -> None:
    cell = nbformat.v4.new_code_cell(f"{SESSION}session")
    notebook = nbformat.v4.new_notebook(cells=[cell])
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, tmp_path / "words.ipynb")
    page = serve("voila", "words.ipynb", "--no-browser", f"--port={port}", "--Voila.ip=127.0.0.1", port=port)
    view = page.locator(".sage-nb-view")
    click(view, "Run")
    sees(view, "running")
    expect(page.locator(".sage-nb-still")).to_be_hidden()


def marimo(serve: Serve, port: int, tmp_path: Path) -> Page:
    """The notebook above, as an application."""
    indented = "".join(f"    {line}\n" for line in SESSION.strip().splitlines())
    (tmp_path / "words.py").write_text(MARIMO.format(session=indented))
    words = ("marimo", "run", "words.py", "--headless", "--no-token", "--host=127.0.0.1", f"--port={port}")
    return serve(*words, port=port)


def test_in_marimo_a_view_and_the_forms_are_alive_and_answer_a_click(serve: Serve, port: int, tmp_path: Path) -> None:
    page = marimo(serve, port, tmp_path)
    views = page.locator(".sage-nb-view")
    expect(views).to_have_count(3, timeout=PATIENCE_MS)
    whole, stepper, form = map(views.nth, range(3))
    click(stepper, "Start paused")
    sees(whole, "paused")
    click(stepper, "Resume")
    sees(whole, "running")
    form.get_by_label("Task or service").select_option(label="prices")
    form.get_by_label("item", exact=True).fill("tea")
    click(form, "Call")
    expect(form.locator(".sn-result")).to_contain_text("'TEA'", timeout=PATIENCE_MS)
