"""Whole stories in JupyterLab and Notebook 7, with a real kernel: what a person does by hand, and what comes of it."""

from __future__ import annotations

import re
import secrets
from typing import Final

import pytest
from playwright.sync_api import Locator, expect

from tests.jupyter.conftest import Open
from tests.jupyter.notebooks import PATIENCE_MS, Notebook

WORDS: Final = """
import runtime
session = runtime.Session("words", capacity=8)
words = session.source(["to be or not to be"] * 3, name="lines").flat_map(str.split, name="split", parallelism=2)
counts = words.key_by(len).reduce(lambda n, _: n + 1, initial=0, emit="end", name="count")
result = counts.collect(name="result")
session
"""

INPUT: Final = """
import runtime
session = runtime.Session("input", on_error="skip")
result = session.input("numbers").map(lambda n: 10 // n, name="divide").collect(name="result")
class Prices:
    def process(self, item: str, loud: bool = False) -> str:
        return item.upper() if loud else item
session.service("prices", Prices)
session
"""


def pick(notebook: Notebook, row: str, tab: str) -> Locator:
    """Select a row in the graph and a tab of the inspector."""
    notebook.row(row).click()
    notebook.view.get_by_role("tab", name=re.compile(f"^{tab}")).click()
    return notebook.view.get_by_role("tabpanel")


def said(notebook: Notebook, text: str) -> None:
    """Wait until the view shows this line of Python."""
    expect(notebook.view.locator(".sn-python-line")).to_contain_text(text, timeout=PATIENCE_MS)


@pytest.mark.parametrize("application", ["lab", "notebook"])
def test_a_run_drains_and_stops_before_your_eyes(open_notebook: Open) -> None:
    notebook = open_notebook([WORDS])
    notebook.sees("new")
    notebook.click("Run")
    notebook.sees("completed · 3 in · 2 out")
    said(notebook, "session.start()")
    expect(notebook.row("count")).to_have_attribute("aria-label", re.compile("completed.*2 of 2 producers"))
    assert notebook.ask("sorted(result)") == [[2, 15], [3, 3]]
    assert notebook.ask("session.outcome.state") == "completed"


def test_pause_step_and_resume(open_notebook: Open) -> None:
    notebook = open_notebook([WORDS])
    notebook.click("Start paused")
    notebook.sees("paused")
    notebook.click("Step")
    expect(notebook.row("split#0")).to_have_attribute("aria-label", re.compile("paused, queue 1 of 8"))
    said(notebook, "session.step()")
    assert notebook.ask("[session.snapshot()['split#0'].depth, len(result)]") == [1, 0]
    notebook.row("lines").click()
    notebook.click("Step task")
    said(notebook, "session.step('lines')")
    expect(notebook.row("split#1")).to_have_attribute("aria-label", re.compile("queue 1 of 8"))
    notebook.click("Resume")
    notebook.sees("completed")
    assert notebook.ask("sorted(result)") == [[2, 15], [3, 3]]


def test_a_packet_that_is_injected_arrives(open_notebook: Open) -> None:
    notebook = open_notebook([INPUT])
    notebook.click("Run")
    notebook.sees("running")
    panel = pick(notebook, "divide", "Queue")
    panel.get_by_label("Inject a value").fill("5")
    panel.get_by_role("button", name="Inject", exact=True).click()
    said(notebook, "session.inject('divide', 5)")
    expect(notebook.row("result")).to_contain_text("1 in", timeout=PATIENCE_MS)
    assert notebook.ask("list(result)") == [2]


def test_typing_is_undone_in_the_field_where_it_was_typed(open_notebook: Open) -> None:
    notebook = open_notebook([INPUT])
    notebook.click("Run")
    notebook.sees("running")
    before = notebook.cells()
    field = pick(notebook, "divide", "Queue").get_by_label("Inject a value")
    field.click()
    for word in ("one", " two"):
        notebook.page.keyboard.type(word)
    notebook.page.keyboard.press("ControlOrMeta+z")
    expect(field).not_to_have_value("one two")
    notebook.page.keyboard.press("ControlOrMeta+Shift+z")
    expect(field).to_have_value("one two")
    assert [cell["source"] for cell in notebook.cells()] == [cell["source"] for cell in before]


def test_a_service_is_called_from_its_form(open_notebook: Open) -> None:
    notebook = open_notebook([INPUT])
    notebook.click("Run")
    notebook.sees("running")
    panel = pick(notebook, "prices", "Service")
    panel.get_by_label("item", exact=True).fill("tea")
    panel.get_by_label(re.compile("^loud")).check()
    panel.get_by_role("button", name="Call", exact=True).click()
    expect(panel.locator(".sn-result")).to_contain_text("'TEA'", timeout=PATIENCE_MS)
    said(notebook, "session.call('prices', 'tea', True)")
    assert notebook.ask("session.snapshot().services['prices'].results") == 1


def test_a_queued_packet_is_edited_and_the_edit_undone(open_notebook: Open) -> None:
    notebook = open_notebook([INPUT, "session.start(paused=True)\nfor n in (1, 2): session.inject('divide', n)"])
    notebook.run(1)
    panel = pick(notebook, "divide", "Queue")
    panel.get_by_role("option").nth(1).click()
    panel.get_by_role("button", name="Edit", exact=True).click()
    panel.locator("textarea").fill("5")
    panel.get_by_role("button", name="Apply", exact=True).click()
    said(notebook, "session.edit(session.peek('divide')[1], 5)")
    expect(panel.get_by_role("option").nth(1)).to_contain_text("5")
    assert notebook.ask("[packet.payload for packet in session.peek('divide')]") == [1, 5]
    panel.get_by_role("button", name="Undo", exact=True).click()
    expect(panel.get_by_role("option").nth(1)).not_to_contain_text("5")  # its place says 2, whatever it is
    assert notebook.ask("[packet.payload for packet in session.peek('divide')]") == [1, 2]


def test_a_breakpoint_holds_the_job(open_notebook: Open) -> None:
    notebook = open_notebook([f"limit = 2\n{WORDS}"])
    notebook.click("Start paused")
    panel = pick(notebook, "count", "Task")
    panel.get_by_label("Pause the job before a packet with").fill("len(value) > limit")
    panel.get_by_role("button", name="Add", exact=True).click()
    said(notebook, "session.breakpoint('count', when=lambda value: len(value) > limit)")
    notebook.click("Resume")
    notebook.sees("paused")
    expect(panel).to_contain_text("1 hit", timeout=PATIENCE_MS)
    notebook.ask("session.settle(60)")
    assert notebook.ask("'not' in [packet.payload for packet in session.peek('count')]")
    panel.get_by_role("button", name="Remove").click()
    expect(panel).not_to_contain_text("1 hit")
    notebook.click("Resume")
    notebook.sees("completed")
    assert notebook.ask("sorted(result)") == [[2, 15], [3, 3]]


def test_a_packet_that_failed_is_edited_and_retried(open_notebook: Open) -> None:
    notebook = open_notebook([INPUT, "session.start()\nfor n in (1, 0): session.send('numbers', n)"])
    notebook.run(1)
    notebook.sees("1 error")
    panel = pick(notebook, "divide", "Errors")
    expect(panel).to_contain_text("ZeroDivisionError", timeout=PATIENCE_MS)
    panel.get_by_text("Traceback").first.click()
    expect(panel.locator("details").first).to_contain_text("10 // n")
    panel.get_by_role("button", name="Edit and retry", exact=True).click()
    panel.locator("textarea").fill("2")
    panel.get_by_role("button", name="Retry with this", exact=True).click()
    said(notebook, "session.dead_letters.retry(0, value=2)")
    expect(notebook.row("result")).to_contain_text("2 in", timeout=PATIENCE_MS)
    assert notebook.ask("[list(result), len(session.dead_letters)]") == [[10, 5], 0]


def test_a_blocked_kernel_says_so_and_then_acts(open_notebook: Open) -> None:
    go = f"go-{secrets.token_hex(4)}"
    release = f"import pathlib, time\nwhile not pathlib.Path({go!r}).exists(): time.sleep(0.02)"
    notebook = open_notebook([INPUT, "session.start()", release])
    notebook.run(1)
    notebook.sees("running")
    notebook.begin(2)
    expect(notebook.page.locator(".jp-Notebook")).to_contain_text("[*]")
    notebook.click("Stop")
    # A newer kernel handles the click behind the cell, an older one during it: it acts in both.
    waits = notebook.view.get_by_text("kernel busy: will apply after the cell")
    expect(waits.or_(notebook.view.locator(".sn-python-line", has_text="session.stop()")).first).to_be_visible()
    notebook.page.evaluate(
        "async (name) => { await window.jupyterapp.serviceManager.contents.save(name, "
        "{type: 'file', format: 'text', content: ''}); }",
        go,
    )
    notebook.sees("stopped")
    said(notebook, "session.stop()")
    expect(waits).to_have_count(0)


def test_by_keyboard_only_and_no_cell_is_inserted(open_notebook: Open) -> None:
    notebook = open_notebook([WORDS])
    keys = notebook.page.keyboard
    cells = len(notebook.cells())
    notebook.view.get_by_role("button", name="Start paused", exact=True).focus()
    keys.press("Enter")
    notebook.sees("paused")
    notebook.row("lines").focus()
    for key in ("a", "b", "x", "d", "d", "."):  # shortcuts of the notebook, all but the last
        keys.press(key)
    expect(notebook.row("split#0")).to_have_attribute("aria-label", re.compile("queue 1 of 8"))
    said(notebook, "session.step('lines')")  # the page sends no step again before it has the answer to the first
    keys.press(".")
    expect(notebook.row("split#1")).to_have_attribute("aria-label", re.compile("queue 1 of 8"))
    keys.press("ArrowRight")
    expect(notebook.row("split#0")).to_be_focused()
    keys.press("Enter")
    keys.press("Escape")
    expect(notebook.row("split#0")).to_be_focused()
    keys.press("i")
    expect(notebook.view.get_by_label("Inject a value")).to_be_focused()
    keys.type("'a b c'")
    keys.press("Enter")
    expect(notebook.row("split#0")).to_have_attribute("aria-label", re.compile("queue 2 of 8"))
    keys.press("Escape")
    expect(notebook.row("split#0")).to_be_focused()
    keys.press(" ")
    expect(notebook.row("split#0")).not_to_have_attribute("aria-label", re.compile("paused"))
    assert len(notebook.cells()) == cells
    assert notebook.ask("[session.snapshot()[task].held for task in ('split#0', 'split#1')]") == [False, True]


PRINTING: Final = """
import runtime
def tell(n):
    print("seen", n)
    return n
session = runtime.Session("printing", on_error="skip")
result = session.input("numbers").map(tell, name="tell").map(lambda n: 6 // n, name="divide").collect(name="result")
session
"""


def test_operators_print_into_the_cell_that_has_started_the_job(open_notebook: Open) -> None:
    notebook = open_notebook([PRINTING, "session.start()", "for n in (1, 2): session.send('numbers', n)"])
    notebook.run(1)
    notebook.sees("running")
    notebook.run(2)
    cells = notebook.page.locator(".jp-CodeCell")
    expect(cells.nth(1).locator(".jp-OutputArea-output")).to_contain_text("seen 1\nseen 2")
    expect(cells.nth(2).locator(".jp-OutputArea-output")).to_have_count(0)


def test_what_a_job_prints_that_was_started_by_a_click_is_in_the_view(open_notebook: Open) -> None:
    notebook = open_notebook([PRINTING, "for n in (1, 2): session.send('numbers', n)"])
    notebook.click("Run")
    notebook.sees("running")
    notebook.run(1)
    expect(notebook.view.locator(".sn-printed pre")).to_contain_text("seen 1\nseen 2", timeout=PATIENCE_MS)


def test_when_its_kernel_is_restarted_a_view_says_so_within_two_seconds_and_stands_still(open_notebook: Open) -> None:
    notebook = open_notebook([PRINTING])
    notebook.click("Run")
    notebook.sees("running")
    notebook.page.evaluate("async () => { await window.notebookPanel.sessionContext.session.kernel.restart(); }")
    expect(notebook.view.locator(".sn-lost")).to_contain_text("its kernel was restarted", timeout=2_000)
    notebook.sees("last seen: running")
    for button in notebook.view.locator(".sn-toolbar .sn-buttons button").all():
        expect(button).to_have_attribute("aria-disabled", "true")


@pytest.mark.parametrize("application", ["lab", "notebook"])
def test_a_closed_session_stays_to_be_looked_into_and_is_shown_the_same_again(open_notebook: Open) -> None:
    notebook = open_notebook([PRINTING, "session.start()\nfor n in (1, 0): session.send('numbers', n)", "session"])
    notebook.run(1)
    notebook.sees("1 error")
    notebook.ask("session.close()")
    notebook.sees("cancelled")
    notebook.run(2)
    for view in (notebook.view, notebook.page.locator(".sage-nb-view").nth(1)):
        expect(view.locator(".sn-status")).to_contain_text("closed", timeout=PATIENCE_MS)
        view.locator('.sn-graph [data-row][aria-label^="divide,"]').click()
        view.get_by_role("tab", name=re.compile("^Errors")).click()
        expect(view.get_by_role("tabpanel")).to_contain_text("ZeroDivisionError", timeout=PATIENCE_MS)
        expect(view.locator(".sn-log-line")).to_contain_text("cancelled", timeout=PATIENCE_MS)
