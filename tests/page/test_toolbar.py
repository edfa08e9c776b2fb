"""The job's controls: what can be done when, what is sent, what is said meanwhile and afterwards."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sage_nb.wire import Frame
from tests.page import plans
from tests.page.harness import Shown

Load = Callable[..., Shown]
PLAN = plans.small()
WORDS = ["Run", "Start paused", "Pause", "Resume", "Back", "Step", "Step task", "Stop", "Cancel"]


def control(shown: Shown, word: str) -> Any:
    return shown.root.get_by_role("toolbar").get_by_role("button", name=word, exact=True)


def reason(shown: Shown, word: str) -> str:
    """Why it cannot work now, as it is read aloud; empty if it can."""
    described = control(shown, word).get_attribute("aria-describedby")
    text = shown.page.locator(f"#{described}").text_content() or ""
    assert (control(shown, word).get_attribute("aria-disabled") == "true") == (text != "")
    assert text in (control(shown, word).get_attribute("title") or "")
    return text


MOMENTS: dict[str, tuple[Frame, set[str]]] = {
    "new": (plans.frame_of(PLAN), {"Run", "Start paused"}),
    "running": (plans.running(PLAN, 2), {"Pause", "Stop", "Cancel"}),
    "paused": (plans.paused(PLAN, 2), {"Resume", "Back", "Step", "Step task", "Stop", "Cancel"}),
    "some paused": (
        plans.running(PLAN, 2, holding="some", held=[3]),
        {"Pause", "Resume", "Step", "Stop", "Cancel"},
    ),
    "draining": (plans.running(PLAN, 2, state="draining"), {"Pause", "Cancel"}),
    "completed": (plans.ended(PLAN), {"Run", "Start paused"}),
    "failed": (plans.ended(PLAN, how="failed"), {"Run", "Start paused"}),
    "closed": (plans.ended(PLAN, closed=True), set()),
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_what_cannot_work_now_says_why_and_can_be_reached(load: Load, moment: str) -> None:
    frame, working = MOMENTS[moment]
    shown = load(PLAN, frame, parts=["toolbar", "graph"])
    shown.row("count#1").click()
    shown.settle()
    assert {word for word in WORDS if not reason(shown, word)} == working
    for word in WORDS:
        control(shown, word).focus()
        assert control(shown, word).evaluate("each => each === document.activeElement")
        if word not in working:
            control(shown, word).press("Enter")
    assert shown.sent("run", "start_paused", "pause", "resume", "back", "step", "stop", "cancel") == []


def test_a_graph_that_cannot_run_says_why(load: Load) -> None:
    shown = load(plans.small(runnable="nobody consumes 'lines'"), plans.frame_of(PLAN))
    assert reason(shown, "Run") == "nobody consumes 'lines'"


@pytest.mark.parametrize(
    ("word", "frame", "message"),
    [
        ("Run", plans.frame_of(PLAN), {"cmd": "run", "args": {}}),
        ("Start paused", plans.frame_of(PLAN), {"cmd": "start_paused", "args": {}}),
        ("Pause", plans.running(PLAN), {"cmd": "pause", "args": {"name": ""}}),
        ("Resume", plans.paused(PLAN), {"cmd": "resume", "args": {"name": ""}}),
        ("Stop", plans.running(PLAN), {"cmd": "stop", "args": {}}),
        ("Cancel", plans.running(PLAN), {"cmd": "cancel", "args": {}}),
    ],
)
def test_a_control_sends_its_command_once_however_often_it_is_pressed(
    load: Load, word: str, frame: Frame, message: Any
) -> None:
    shown = load(PLAN, frame, parts=["toolbar", "graph"], answers={message["cmd"]: None})
    shown.row("count#1").click()
    shown.settle()
    control(shown, word).dblclick()
    shown.settle()
    assert shown.sent(message["cmd"]) == [message]
    assert reason(shown, word) == "waiting for the kernel"


@pytest.mark.parametrize(("word", "name"), [("Step", ""), ("Step task", "count#1")])
def test_a_step_is_sent_as_often_as_it_is_pressed(load: Load, word: str, name: str) -> None:
    shown = load(PLAN, plans.paused(PLAN), parts=["toolbar", "graph"], answers={"step": None})
    shown.row("count#1").click()
    shown.settle()
    control(shown, word).dblclick()
    shown.settle()
    assert shown.sent("step") == [{"cmd": "step", "args": {"name": name}}] * 2
    control(shown, "Back").dblclick()
    shown.settle()
    assert shown.sent("back") == [{"cmd": "back", "args": {}}] * 2


def test_a_control_works_again_once_the_kernel_has_answered(load: Load) -> None:
    shown = load(PLAN, plans.paused(PLAN), answers={"step": {"text": "idle"}})
    for _ in range(2):
        control(shown, "Step").click()
        shown.settle()
    assert len(shown.sent("step")) == 2
    assert len({each["id"] for each in shown.page.evaluate("sent")}) == len(shown.sent())


def test_after_a_second_without_an_answer_the_kernel_is_said_to_be_busy(load: Load) -> None:
    shown = load(PLAN, plans.running(PLAN), answers={"pause": None}, clock=True)
    shown.page.evaluate("busy = true; kernelSends({beat: 1, busy: true})")
    control(shown, "Pause").click()
    note = shown.root.locator(".sn-note")
    shown.page.clock.run_for(900)
    assert note.text_content() == ""
    shown.page.clock.run_for(300)
    assert note.text_content() == "kernel busy: will apply after the cell"
    [message] = [each for each in shown.page.evaluate("sent") if each["cmd"] == "pause"]
    shown.page.evaluate("ack => kernelSends({ack, ok: true, reason: '', python: '', text: 'paused'})", message["id"])
    shown.page.clock.run_for(100)
    assert note.text_content() == "paused"


def test_a_kernel_that_runs_no_cell_is_not_said_to_be_busy(load: Load) -> None:
    shown = load(PLAN, plans.running(PLAN), answers={"pause": None}, clock=True)
    control(shown, "Pause").click()
    note = shown.root.locator(".sn-note")
    shown.page.clock.run_for(1_200)
    assert note.text_content() == "no answer yet: it is still being carried out"
    shown.page.evaluate("busy = true; kernelSends({beat: 1, busy: true})")
    shown.page.clock.run_for(1_200)
    assert note.text_content() == "kernel busy: will apply after the cell"


def test_a_command_is_not_late_because_one_before_it_took_its_time(load: Load) -> None:
    shown = load(PLAN, plans.paused(PLAN), answers={"step": None, "stop": None}, clock=True)
    control(shown, "Step").click()
    shown.page.clock.run_for(900)
    [message] = [each for each in shown.page.evaluate("sent") if each["cmd"] == "step"]
    shown.page.evaluate("ack => kernelSends({ack, ok: true, reason: '', python: '', text: 'idle'})", message["id"])
    control(shown, "Stop").click()
    shown.page.clock.run_for(300)
    assert shown.root.locator(".sn-note").text_content() == "idle"
    shown.page.clock.run_for(800)
    assert shown.root.locator(".sn-note").text_content() == "no answer yet: it is still being carried out"


def test_a_refusal_is_shown_with_its_reason_and_no_line_of_python(load: Load) -> None:
    refusal = {"ok": False, "reason": "count#1 is in user code", "python": "session.pause()"}
    shown = load(PLAN, plans.running(PLAN), answers={"pause": refusal})
    control(shown, "Pause").click()
    shown.settle()
    assert shown.root.locator(".sn-note").text_content() == "count#1 is in user code"
    assert not shown.root.locator(".sn-python").is_visible()


def test_an_answer_to_another_page_changes_nothing(load: Load) -> None:
    shown = load(PLAN, plans.running(PLAN))
    shown.page.evaluate("kernelSends({ack: 'view-9-other-1', ok: false, reason: 'not ours', python: 'x', text: 'x'})")
    shown.page.evaluate("kernelSends(null); kernelSends('text'); kernelSends({})")
    shown.settle()
    assert not shown.root.locator(".sn-feedback").is_visible()


def test_the_python_of_each_command_can_be_copied_alone_or_with_all_before(load: Load) -> None:
    lines = {"pause": {"python": "session.pause()"}, "resume": {"python": "session.resume()"}}
    test: dict[str, Any] = {"as_test": {"result": {"text": "def test_seen(): ...", "kind": "test", "cut": 0}}}
    shown = load(PLAN, plans.running(PLAN), answers=lines | test)
    shown.page.evaluate(
        "Object.defineProperty(navigator, 'clipboard', {value: {writeText: async text => { window.copied = text }}})"
    )
    control(shown, "Pause").click()
    shown.push(plans.paused(PLAN, 2))
    control(shown, "Resume").click()
    shown.settle()
    assert shown.root.locator(".sn-python").text_content() == "session.resume()"
    shown.root.get_by_role("button", name="Copy as cell").click()
    assert shown.page.evaluate("copied") == "session.resume()"
    shown.root.get_by_role("button", name="Copy all 2").click()
    assert shown.page.evaluate("copied") == "session.pause()\nsession.resume()"
    shown.root.get_by_role("button", name="Copy as test").click()
    shown.settle()
    assert shown.page.evaluate("copied") == "def test_seen(): ..."
    shown.answer(as_test={"ok": False, "reason": "what `send` has put in is not recorded"})
    shown.root.get_by_role("button", name="Copy as test").press("Enter")
    shown.settle()
    assert shown.root.locator(".sn-note").text_content() == "what `send` has put in is not recorded"


def test_without_a_clipboard_the_text_is_copied_from_a_selection(load: Load) -> None:
    shown = load(PLAN, plans.running(PLAN), answers={"pause": {"python": "session.pause()"}})
    shown.page.evaluate(
        """Object.defineProperty(navigator, 'clipboard', {value: undefined});
           document.execCommand = what => { window.copied = what + getSelection(); return true; }"""
    )
    control(shown, "Pause").click()
    shown.root.get_by_role("button", name="Copy as cell").click()
    shown.settle()
    assert shown.page.evaluate("copied") == "copysession.pause()"
    assert shown.page.evaluate("document.querySelectorAll('body > textarea').length") == 0


def test_the_status_counts_and_says_only_what_there_is(load: Load) -> None:
    counts = {"made": 8_759, "done": 365, "errors": 1, "skipped": 0}
    shown = load(PLAN, plans.running(PLAN, counts=counts))
    status = shown.root.locator(".sn-status-text")
    assert status.text_content() == "running · 8,759 in · 365 out · 1 error"
    shown.push(plans.paused(PLAN, 2, counts=counts | {"errors": 0, "skipped": 3}))
    assert status.text_content() == "paused · 8,759 in · 365 out · 3 skipped"


def test_graph_and_table_are_chosen_for_all_pages(load: Load) -> None:
    shown = load(PLAN, plans.running(PLAN))
    shown.root.get_by_role("button", name="Table", exact=True).click()
    assert shown.page.evaluate("traits") == [["shown", "table"]]
    assert shown.root.locator(".sn-table").is_visible()
    assert not shown.root.locator(".sn-graph").is_visible()
    shown.page.evaluate("kernelSets('shown', 'graph')")
    assert shown.root.locator(".sn-graph").is_visible()
    assert shown.root.get_by_role("button", name="Graph", exact=True).get_attribute("aria-pressed") == "true"


def test_the_toolbar_is_one_stop_of_the_tab_key_and_arrows_go_through_it(load: Load) -> None:
    shown = load(PLAN, plans.running(PLAN))
    focused = "document.activeElement.textContent"
    shown.page.keyboard.press("Tab")
    assert shown.page.evaluate(focused) == "Run"
    shown.page.keyboard.press("ArrowLeft")
    assert shown.page.evaluate(focused) == "Cancel"
    shown.page.keyboard.press("Tab")
    assert shown.page.evaluate(focused) == "Graph"


@pytest.mark.parametrize("width", [560, 700, 850, 1001, 1100, 1250])
def test_graph_and_table_stand_beside_the_controls_at_any_width_and_the_state_never_lies_on_them(
    load: Load, width: int
) -> None:
    counts = {"made": 1_234_567, "done": 1_204_444, "errors": 12, "skipped": 3}
    shown = load(PLAN, plans.running(PLAN, counts=counts), width=width)
    bar, state, choice = (
        shown.root.locator(each).bounding_box() for each in (".sn-buttons", ".sn-status", ".sn-choice")
    )
    assert choice["y"] == pytest.approx(bar["y"], abs=2)
    assert bar["x"] + bar["width"] <= choice["x"]
    below = state["y"] >= bar["y"] + bar["height"]
    assert below or (bar["x"] + bar["width"] < state["x"] and state["x"] + state["width"] < choice["x"])
    assert "1,234,567 in" in shown.root.locator(".sn-status-text").get_attribute("title")


def test_the_view_says_whose_it_is(load: Load) -> None:
    shown = load(PLAN, plans.running(PLAN))
    assert shown.root.locator(".sn-job-name").text_content() == "words"
    shown.page.evaluate("plan => kernelSets('plan', plan)", {**PLAN, "revision": 7, "name": "<b>other</b>"})
    shown.settle()
    assert shown.root.locator(".sn-job-name").text_content() == "<b>other</b>"


@pytest.mark.parametrize("width", [250, 400, 700])
def test_what_can_be_copied_is_never_cut_off(load: Load, width: int) -> None:
    answers = {"pause": {"text": "paused", "python": "session.pause()"}}
    shown = load(PLAN, plans.running(PLAN), width=width, answers=answers)
    for _ in range(2):
        control(shown, "Pause").click()
        shown.settle()
    view = shown.root.bounding_box()
    for name in ("Copy as cell", "Copy all 2", "Copy as test"):
        button = shown.root.get_by_role("button", name=name).bounding_box()
        assert button["x"] >= view["x"], name
        assert button["x"] + button["width"] <= view["x"] + view["width"], name


def test_where_a_page_takes_the_triangles_away_they_stay(load: Load) -> None:
    shown = load(PLAN, plans.running(PLAN))
    shown.page.add_style_tag(content="summary { display: block; }")  # the classic Notebook's
    summaries = shown.root.locator("summary")
    assert summaries.count() > 1
    assert set(summaries.evaluate_all("each => each.map(one => getComputedStyle(one).display)")) == {"list-item"}
