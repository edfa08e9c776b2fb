"""The classic notebook, as nbclassic keeps it: the view is alive there, and its picture is there where it is not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import pytest
from nbclassic import nbclassic_path  # "" beside Notebook 6, which it stands in for there
from playwright.sync_api import BrowserContext, Page, expect

from tests.jupyter.notebooks import PATIENCE_MS, Applications
from tests.jupyter.server import Server
from tests.jupyter.test_fallbacks import CELL

# Its kernel is there, and so is what shows widgets: an output that comes earlier would be shown without its widget.
READY: Final = """() => window.Jupyter?.notebook?._fully_loaded && Jupyter.notebook.kernel?.is_connected()
  && 'jupyter.widget' in Jupyter.notebook.kernel.comm_manager.targets"""
# What shows widgets asks a new kernel for those that there are, and then shows all outputs anew. Answers come in order.
SETTLED: Final = "() => new Promise((done) => Jupyter.notebook.kernel.comm_info('jupyter.widget', done))"


@pytest.fixture
def opened(jupyter: Server, context: BrowserContext) -> Iterator[Any]:
    """Opens a notebook's file, and waits for its kernel."""
    pages: list[Page] = []

    def opened(name: str) -> Page:
        page = context.new_page()
        pages.append(page)
        page.goto(f"{jupyter.address}{nbclassic_path()}/notebooks/{name}?token={jupyter.token}")
        page.wait_for_function(READY, timeout=PATIENCE_MS)
        page.evaluate(SETTLED)
        return page

    yield opened
    for page in pages:
        page.close()
    end_kernels(context, jupyter)


def end_kernels(context: BrowserContext, jupyter: Server) -> None:
    """End the kernels of all notebooks, and wait until the server has."""
    headers = {"Authorization": f"token {jupyter.token}"}
    sessions = f"{jupyter.address}/api/sessions"
    for each in context.request.get(sessions, headers=headers).json():
        assert context.request.delete(f"{sessions}/{each['id']}", headers=headers).ok


def run_first(page: Page) -> None:
    page.evaluate("() => Jupyter.notebook.execute_cells([0])")


def test_in_nbclassic_a_live_view_hides_its_picture_and_works(applications: Applications, opened: Any) -> None:
    page = opened(applications.write([CELL.replace("session.run()\n", "")]))
    run_first(page)
    view = page.locator(".sage-nb-view")
    expect(view).to_be_visible(timeout=PATIENCE_MS)
    expect(page.locator(".sage-nb-still")).to_have_count(1)
    expect(page.locator(".sage-nb-still")).to_be_hidden()
    view.get_by_role("button", name="Run", exact=True).click()
    expect(view.locator(".sn-status")).to_contain_text("completed", timeout=PATIENCE_MS)


def test_in_nbclassic_a_notebook_opened_again_shows_the_picture(
    applications: Applications, opened: Any, context: BrowserContext, jupyter: Server
) -> None:
    name = applications.write([CELL])
    page = opened(name)
    run_first(page)
    expect(page.locator(".sage-nb-view")).to_be_visible(timeout=PATIENCE_MS)
    expect(page.locator(".sage-nb-still")).to_have_count(1, timeout=PATIENCE_MS)
    page.evaluate("async () => { await Jupyter.notebook.save_notebook(); }")
    page.close()
    end_kernels(context, jupyter)
    again = opened(name)
    expect(again.locator(".sage-nb-still img")).to_be_visible(timeout=PATIENCE_MS)
    expect(again.locator(".sage-nb-view")).to_have_count(0)
