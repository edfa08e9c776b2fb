"""A walk through a notebook in JupyterLite by mouse: all that a person does to a run, in each browser."""

from __future__ import annotations

import re
from typing import Final

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.jupyter.notebooks import Notebook
from tests.site.conftest import BOTH, PATIENCE_MS, Site
from tests.site.test_notebooks import open_notebook

pytestmark = pytest.mark.timeout(900)
expect.set_options(timeout=PATIENCE_MS)

PROGRAM: Final = """
import runtime
session = runtime.Session("walk", capacity=8)
result = session.input("numbers").map(lambda n: 10 * n, name="tenfold").collect(name="result")
class Prices:
    def process(self, item: str, loud: bool = False) -> str:
        return item.upper() if loud else item
session.service("prices", Prices)
session
"""
WRITE: Final = """(source) => {
  const panel = window.jupyterapp.shell.currentWidget;
  const {metadata, nbformat, nbformat_minor} = panel.content.model.toJSON();
  const cell = {cell_type: 'code', id: 'walk', metadata: {}, source, outputs: [], execution_count: null};
  panel.content.model.fromJSON({metadata, nbformat, nbformat_minor, cells: [cell]});
  window.notebookPanel = panel;
}"""


def open_program(page: Page, site: Site) -> Notebook:
    """A notebook of this one cell, which is run as a person runs it."""
    open_notebook(page, site, "01-first-dataflow.ipynb")
    page.evaluate(WRITE, PROGRAM)
    page.locator(".jp-CodeCell .cm-content").first.click()
    page.get_by_role("button", name=re.compile("^Run this cell")).click()
    return Notebook(page, PATIENCE_MS)


def panel_of(notebook: Notebook, row: str, tab: str) -> Locator:
    notebook.row(row).click()
    notebook.view.get_by_role("tab", name=re.compile(f"^{tab}")).click()
    return notebook.view.get_by_role("tabpanel")


def said(notebook: Notebook, line: str) -> None:
    expect(notebook.view.locator(".sn-python-line")).to_contain_text(line)


@BOTH
def test_a_run_is_started_held_fed_stepped_called_and_stopped_by_mouse(page: Page, site: Site) -> None:
    notebook = open_program(page, site)
    notebook.sees("new")
    notebook.click("Run")
    notebook.sees("running")
    notebook.click("Pause")
    notebook.sees("paused")
    panel = panel_of(notebook, "tenfold", "Queue")
    for value in ("4", "5"):
        panel.get_by_label("Inject a value").fill(value)
        panel.get_by_role("button", name="Inject", exact=True).click()
        said(notebook, f"session.inject('tenfold', {value})")
    assert notebook.ask("[packet.payload for packet in session.peek('tenfold')]") == [4, 5]
    notebook.click("Step task")
    said(notebook, "session.step('tenfold')")
    assert notebook.ask("[packet.payload for packet in session.peek('tenfold')]") == [5]
    assert notebook.ask("[packet.payload for packet in session.peek('result')]") == [40]
    notebook.click("Resume")
    notebook.sees("running")
    expect(notebook.row("result")).to_contain_text("2 in")
    panel = panel_of(notebook, "prices", "Service")
    panel.get_by_label("item", exact=True).fill("tea")
    panel.get_by_label(re.compile("^loud")).check()
    panel.get_by_role("button", name="Call", exact=True).click()
    expect(panel.locator(".sn-result")).to_contain_text("'TEA'")
    said(notebook, "session.call('prices', 'tea', True)")
    notebook.click("Stop")
    notebook.sees("stopped")
    assert notebook.ask("[session.outcome.state, list(result)]") == ["stopped", [40, 50]]
