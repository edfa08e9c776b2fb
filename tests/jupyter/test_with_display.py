"""A view in a `with` block is shown, and its session closed, within one cell, which may be run again and again."""

from __future__ import annotations

from typing import Final

from playwright.sync_api import expect

from tests.jupyter.notebooks import PATIENCE_MS, Applications

CELL: Final = """
import runtime
with runtime.Session("brief") as session:
    result = session.source(range(20)).map(abs, name="absolute").collect(name="result")
    display(session)
    session.run()
"""
RUNS: Final = 20
SILENCE_MS: Final = 2_500  # a widget that was closed while the page loads it is told of as an error after two seconds


def test_a_view_whose_session_ends_with_its_cell_is_never_an_error(applications: Applications) -> None:
    notebook = applications.open("lab", applications.write([CELL]))
    errors: list[str] = []
    notebook.page.on("pageerror", lambda error: errors.append(str(error)))
    for _ in range(RUNS):
        notebook.run(0)
    expect(notebook.view.locator(".sn-status")).to_contain_text("closed", timeout=PATIENCE_MS)
    notebook.page.wait_for_timeout(SILENCE_MS)
    assert errors == []
    expect(notebook.page.get_by_text("model not found")).to_have_count(0)
