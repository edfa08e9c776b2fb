"""Promise 17 in a real page: hostile texts in every place that a view has, and a canary that must stay alive."""

from __future__ import annotations

from typing import Final

from playwright.sync_api import expect

from tests.jupyter.conftest import Open
from tests.jupyter.notebooks import PATIENCE_MS
from tests.jupyter.test_stories import pick

CELL: Final = r"""
import runtime, threading
evil = "<img src=x onerror='window.canary=1'><script>window.canary=1</script>"
class Evil:
    def _repr_html_(self): return evil
    def _repr_mimebundle_(self, **_): return {"text/html": evil}
    def __repr__(self): return evil * 3
class Hangs:
    def __repr__(self): threading.Event().wait()
class Leaves:
    def __repr__(self): raise SystemExit(3)
class Answer:
    def process(self, what: str = evil): return evil
    def fail(self): raise ValueError(evil)
cyclic = []; cyclic.append(cyclic)
deep = []
for _ in range(100_000): deep = [deep]
PAYLOADS = [evil, {evil: evil}, Evil(), Hangs(), Leaves(), cyclic, deep, "x" * 50_000_000, "\ud800\u202e", b"\x00" * 99]
def work(value):
    raise ValueError(evil)
session = runtime.Session("<b>evil</b> ${1} `", on_error="skip", capacity=64)
session.service("answer", Answer)
name = "<img src=x onerror=window.canary=1>"
keyed = session.source(PAYLOADS, name=name).key_by(lambda _: evil)
result = keyed.map(work, name="work</script>").collect(name="result")
session
"""


def test_no_text_of_a_payload_runs_or_freezes_anything(open_notebook: Open) -> None:
    notebook = open_notebook([CELL])
    page, view = notebook.page, notebook.view
    page.evaluate("() => { window.canary = 0; }")
    notebook.click("Start paused")
    notebook.sees("paused")
    notebook.ask("session.step(name, 10)[-1].result")
    panel = pick(notebook, "work</script>", "Queue")
    expect(panel.get_by_role("option")).to_have_count(10, timeout=PATIENCE_MS)
    expect(panel.get_by_role("option").first).to_contain_text("<img src=x onerror=")
    panel.get_by_role("option").nth(3).click()
    panel.get_by_role("button", name="Inspect", exact=True).click()
    packet = view.get_by_role("tabpanel")
    packet.get_by_role("button", name="Show full repr").click()
    expect(view.get_by_text("has not come back within").first).to_be_visible()
    notebook.click("Resume")
    notebook.sees("completed")
    panel = pick(notebook, "work</script>", "Errors")
    expect(panel.locator(".sn-letter")).to_have_count(10, timeout=PATIENCE_MS)
    for summary in panel.get_by_text("Traceback").all()[:3]:
        summary.click()
    view.get_by_role("button", name="Table", exact=True).click()
    expect(view.get_by_role("row", name="work</script>")).to_be_visible()
    assert page.evaluate("window.canary") == 0
    assert view.locator("img, script, b").count() == 0
    began = page.evaluate("performance.now()")
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    assert page.evaluate("performance.now()") - began < 1_000


def test_a_service_that_answers_with_a_script_is_shown_as_text(open_notebook: Open) -> None:
    notebook = open_notebook([CELL])
    notebook.page.evaluate("() => { window.canary = 0; }")
    notebook.click("Start paused")
    notebook.sees("paused")
    notebook.ask("session.resume('answer')")
    panel = pick(notebook, "answer", "Service")
    panel.get_by_role("button", name="Call", exact=True).click()
    expect(panel.locator(".sn-result")).to_contain_text("<img src=x", timeout=PATIENCE_MS)
    panel.get_by_label("Method").select_option(label="fail")
    panel.get_by_role("button", name="Call", exact=True).click()
    expect(panel.locator(".sn-result")).to_contain_text("ValueError: <img src=x", timeout=PATIENCE_MS)
    assert notebook.page.evaluate("window.canary") == 0
    assert notebook.view.locator("img, script").count() == 0
