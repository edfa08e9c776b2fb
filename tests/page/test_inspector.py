"""The inspector: what each tab asks for, shows, sends, and refuses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Locator

from tests.page import answers, plans
from tests.page.harness import Shown

Load = Callable[..., Shown]
PLAN = plans.small()


def opened(load: Load, tab: str, *, row: str = "count#1", frame: Any = None, **more: Any) -> Shown:
    """A view with `row` selected and `tab` open, answered."""
    known = answers.ALL | more.pop("answers", {})
    shown = load(PLAN, frame or plans.paused(PLAN), answers=known, **more)
    shown.row(row).click()
    shown.settle()
    shown.root.locator(f"[data-tab={tab}]").click()
    shown.settle()
    return shown


def panel(shown: Shown) -> Locator:
    found: Locator = shown.root.locator("[role=tabpanel]:visible")
    return found


def press(shown: Shown, word: str, exact: bool = True) -> None:
    panel(shown).get_by_role("button", name=word, exact=exact).first.click()
    shown.settle()


def reason(shown: Shown, word: str) -> str:
    """Why a button of the open tab cannot work now; empty if it can."""
    button = panel(shown).get_by_role("button", name=word, exact=True).first
    return shown.page.locator(f"#{button.get_attribute('aria-describedby')}").text_content() or ""


def test_the_tabs_are_one_stop_and_arrows_change_them(load: Load) -> None:
    shown = opened(load, "queue")
    shown.root.locator("[data-tab=queue]").focus()
    shown.page.keyboard.press("ArrowRight")
    assert shown.page.evaluate("document.activeElement.dataset.tab") == "task"
    assert shown.root.locator("[role=tab][aria-selected=true]").text_content() == "Task"
    labelled = panel(shown).get_attribute("aria-labelledby")
    assert shown.page.locator(f"#{labelled}").text_content() == "Task"


def test_with_nothing_selected_the_inspector_is_one_line_until_a_tab_is_asked_for(load: Load) -> None:
    shown = load(PLAN, plans.paused(PLAN), answers=answers.ALL, width=1000)
    inspector = shown.root.locator(".sn-inspector")
    assert inspector.bounding_box()["height"] < 45
    shown.root.locator("[data-tab=errors]").click()
    shown.settle()
    assert panel(shown).locator(".sn-letter").count() == 3
    shown.row("split").click()
    shown.settle()
    assert panel(shown).is_visible()
    shown.root.get_by_label("Task or service").select_option("Select a task …")
    shown.settle()
    assert inspector.bounding_box()["height"] < 45


@pytest.mark.parametrize("width", [1400, 1000])
def test_selecting_another_task_or_tab_moves_nothing(load: Load, width: int) -> None:
    shown = load(PLAN, plans.paused(PLAN), answers=answers.ALL, width=width)
    timeline = shown.root.locator(".sn-timeline")
    places = set()
    for row in ("lines", "count#1", "result"):
        shown.row(row).click()
        for tab in ("task", "queue", "errors"):
            shown.root.locator(f"[data-tab={tab}]").click()
            shown.settle()
            places.add(timeline.bounding_box()["y"])
    assert len(places) == 1


def test_beside_the_graph_the_first_task_that_is_selected_moves_nothing_either(load: Load) -> None:
    shown = load(PLAN, plans.paused(PLAN), answers=answers.ALL, width=1400)
    before = shown.root.bounding_box()["height"]
    shown.row("count#1").click()
    shown.settle()
    assert shown.root.bounding_box()["height"] == before


def test_in_a_narrow_view_no_tab_is_cut_off(load: Load) -> None:
    shown = load(PLAN, plans.paused(PLAN), answers=answers.ALL, width=250)
    right = shown.root.bounding_box()["x"] + 250
    for tab in shown.root.locator("[role=tab]:visible").all():
        box = tab.bounding_box()
        assert box is not None
        assert box["x"] + box["width"] <= right


def test_selecting_a_service_opens_its_form_and_a_task_comes_back(load: Load) -> None:
    shown = opened(load, "queue")
    shown.row("clock").click()
    shown.settle()
    assert panel(shown).get_by_role("button", name="Call").is_visible()
    shown.root.get_by_label("Task or service").select_option("split")
    shown.settle()
    assert shown.root.locator("[role=tab][aria-selected=true]").text_content() == "Task"
    assert shown.row("split").get_attribute("aria-pressed") == "true"


def test_the_kernel_is_told_whose_lanes_are_looked_at(load: Load) -> None:
    shown = opened(load, "queue")
    view = shown.sent("mount")[0]["args"]["view"]
    assert shown.sent("watch")[-1]["args"] == {"view": view, "row": shown.index("count#1")}


# ── queue ──


def test_the_queue_shows_its_packets_and_lanes(load: Load) -> None:
    shown = opened(load, "queue", frame=plans.paused(PLAN, lanes={"2": [2, 5]}, depths=[0, 0, 7, 0, 0, 0]))
    assert shown.sent("peek")[0]["args"] == {"task": "count#1", "first": 100, "last": 0}
    assert panel(shown).locator(".sn-packet").count() == 7
    assert panel(shown).get_by_text("7 of 12 places taken").is_visible()
    assert panel(shown).locator(".sn-lanes li").all_text_contents() == ["your hand2", "split5"]


def test_signals_stand_between_the_packets_that_wait_and_are_not_chosen(load: Load) -> None:
    signals = [
        {"index": 2, "producer": "split", "text": "Each(number=3, source='lines')"},
        {"index": 3, "producer": "split", "text": "completed"},
    ]
    queue = {"peek": {"result": {**answers.queue(3), "signals": signals}}}
    shown = opened(load, "queue", answers=queue)
    lines = panel(shown).locator("[role=option]")
    assert [(line.get_attribute("aria-label") or "").partition(":")[0] for line in lines.all()] == [
        "1",
        "2",
        "signal",
        "3",
        "signal",
    ]
    assert lines.nth(2).text_content() == "Each(number=3, source='lines') from split"
    assert lines.nth(4).text_content() == "stop from split (completed)"
    panel(shown).locator("[role=listbox]").focus()
    for _ in range(3):
        shown.page.keyboard.press("ArrowDown")
    assert [line.get_attribute("aria-selected") for line in lines.all()] == ["false", "false", "false", "true", "false"]
    # Where only the first packets are shown, signals further back are not.
    shown.answer(peek={"result": {**answers.queue(3, depth=9), "signals": signals}})
    press(shown, "Refresh")
    assert lines.count() == 4


def test_of_a_long_queue_a_hundred_are_shown_and_more_on_demand(load: Load) -> None:
    long = {"peek": {"result": answers.queue(100, depth=1_204)}}
    shown = opened(load, "queue", answers=long)
    assert panel(shown).get_by_text("showing 100 of 1,204").is_visible()
    press(shown, "Show 100 more")
    assert shown.sent("peek")[-1]["args"]["first"] == 200


def test_the_queue_is_looked_at_again_when_it_changes_at_most_twice_a_second(load: Load) -> None:
    shown = load(PLAN, plans.running(PLAN, 1), answers=answers.ALL, clock=True)
    shown.row("count#1").click()
    shown.page.clock.run_for(50)
    shown.root.locator("[data-tab=queue]").click()
    shown.page.clock.run_for(1_000)
    before = len(shown.sent("peek"))
    for number in range(2, 22):
        shown.page.evaluate("frame => kernelSets('frame', JSON.stringify(frame))", plans.running(PLAN, number))
        shown.page.clock.run_for(100)
    assert 3 <= len(shown.sent("peek")) - before <= 5
    shown.root.locator("[data-tab=service]").click()
    shown.page.clock.run_for(1_000)
    before = len(shown.sent("peek"))
    for number in range(30, 40):
        shown.page.evaluate("frame => kernelSets('frame', JSON.stringify(frame))", plans.running(PLAN, number))
        shown.page.clock.run_for(100)
    assert len(shown.sent("peek")) == before


CHANGES = [
    ("Drop", {"cmd": "drop", "args": {"token": "t2"}}),
    ("Earlier", {"cmd": "move", "args": {"token": "t2", "to": 1}}),
    ("Later", {"cmd": "move", "args": {"token": "t2", "to": 3}}),
    ("Undo", {"cmd": "undo", "args": {}}),
]


@pytest.mark.parametrize(("word", "message"), CHANGES)
def test_a_packet_can_be_changed_while_its_task_is_paused(load: Load, word: str, message: Any) -> None:
    shown = opened(load, "queue")
    panel(shown).locator(".sn-packet").nth(2).click()
    shown.settle()
    looked = len(shown.sent("peek"))
    press(shown, word)
    assert shown.sent(message["cmd"]) == [message]
    shown.page.wait_for_function(f"sent.filter(each => each.cmd === 'peek').length > {looked}")


@pytest.mark.parametrize("word", ["Edit", "Drop", "Earlier", "Later", "Undo"])
def test_a_packet_of_a_task_that_runs_cannot_be_changed(load: Load, word: str) -> None:
    shown = opened(load, "queue", frame=plans.running(PLAN, states="rrrrri"))
    panel(shown).locator(".sn-packet").nth(2).click()
    shown.settle()
    assert reason(shown, word) == "count#1 is not paused: pause it first"
    panel(shown).get_by_role("button", name=word, exact=True).first.press("Enter")
    shown.settle()
    assert shown.sent("edit", "drop", "move", "undo") == []


def test_the_ends_of_a_lane_and_no_packet_are_reasons_too(load: Load) -> None:
    shown = opened(load, "queue", answers={"peek": {"result": answers.queue(1)}})
    assert reason(shown, "Drop") == "select a packet first"
    panel(shown).locator(".sn-packet").click()
    shown.settle()
    assert reason(shown, "Drop") == ""
    assert reason(shown, "Earlier") == "it is the first of its lane already"
    assert reason(shown, "Later") == "it is the last of its lane already"


def test_a_packet_is_edited_as_a_python_literal(load: Load) -> None:
    shown = opened(load, "queue")
    panel(shown).locator(".sn-packet").nth(3).click()
    shown.settle()
    press(shown, "Edit")
    field = panel(shown).get_by_label("New value, a Python literal")
    assert field.input_value() == "'not'"
    field.fill("'never'")
    press(shown, "Apply")
    assert shown.sent("edit") == [{"cmd": "edit", "args": {"token": "t3", "value": "'never'"}}]
    assert not field.is_visible()


def test_escape_leaves_the_edit_field_and_nothing_else(load: Load) -> None:
    shown = opened(load, "queue")
    panel(shown).locator(".sn-packet").nth(3).click()
    shown.settle()
    press(shown, "Edit")
    field = panel(shown).get_by_label("New value, a Python literal")
    field.fill("'never'")
    shown.page.keyboard.press("Escape")
    assert not field.is_visible()
    assert shown.sent("edit") == []
    assert panel(shown).locator(".sn-packets").evaluate("each => each === document.activeElement")


def test_a_refused_edit_keeps_what_was_typed(load: Load) -> None:
    shown = opened(load, "queue", answers={"edit": {"ok": False, "reason": "it belongs to count#2"}})
    panel(shown).locator(".sn-packet").nth(3).click()
    shown.settle()
    press(shown, "Edit")
    panel(shown).get_by_label("New value").fill("'x'")
    press(shown, "Apply")
    assert panel(shown).get_by_label("New value").input_value() == "'x'"
    assert shown.root.locator(".sn-note").text_content() == "it belongs to count#2"


def test_arrows_go_through_the_packets_and_enter_looks_at_one(load: Load) -> None:
    shown = opened(load, "queue")
    shown.root.locator(".sn-packets").focus()
    for key in ("ArrowDown", "ArrowDown", "ArrowDown", "ArrowUp", "Enter"):
        shown.page.keyboard.press(key)
    shown.settle()
    assert shown.root.locator("[role=tab][aria-selected=true]").text_content() == "Packet"
    assert panel(shown).locator("pre").first.text_content() == "'be'"


def test_an_operator_with_two_inputs_asks_for_which(load: Load) -> None:
    plan = plans.small()
    plan["rows"][2]["inputs"] = 2
    shown = load(plan, plans.paused(plan), answers=answers.ALL)
    shown.row("count#1").click()
    shown.settle()
    shown.root.locator("[data-tab=queue]").click()
    panel(shown).get_by_label("Input").select_option("1")
    panel(shown).get_by_label("Inject a value").fill("3")
    press(shown, "Inject")
    assert shown.sent("inject")[0]["args"] == {"task": "count#1", "value": "3", "input": 1}


# ── packet ──


def test_a_step_shows_the_packet_it_took(load: Load) -> None:
    shown = opened(load, "task")
    press(shown, "Step")
    assert shown.sent("step") == [{"cmd": "step", "args": {"name": "count#1"}}]
    facts = panel(shown).locator("dl").text_content() or ""
    assert "Typestr, 3 characters" in facts
    assert "Keynot" in facts
    assert shown.root.locator(".sn-note").text_content() == "count#1: 'be' -> ('be', 2) to result"


def test_a_step_shows_what_it_sent_and_to_whom(load: Load) -> None:
    shown = opened(load, "task")
    press(shown, "Step")
    sent = panel(shown).locator(".sn-sent li")
    assert sent.all_text_contents() == ["('be', 2)toresult", "('be', 3)toresult"]
    assert panel(shown).get_by_text("3 more").is_visible()
    sent.nth(1).get_by_role("button").first.click()
    shown.settle()
    assert panel(shown).locator(".sn-reading").first.text_content() == "('be', 3)"
    assert panel(shown).locator(".sn-sent li").count() == 0, "that is of the step, not of this packet"


def test_a_step_of_a_source_shows_what_it_made(load: Load) -> None:
    step = answers.stepped(task="lines", packet=None, sent=[answers.packet(1)])
    shown = opened(load, "task", row="lines", answers={"step": {"result": step}})
    press(shown, "Step")
    assert panel(shown).locator(".sn-sent li").count() == 1
    assert panel(shown).get_by_text("It took nothing from a queue.").is_visible()


def test_the_whole_repr_is_asked_for_only_on_demand(load: Load) -> None:
    shown = opened(load, "task", answers={"full": {"result": {"text": "x" * 50, "kind": "str", "cut": 1_204}}})
    press(shown, "Step")
    assert shown.sent("full") == []
    press(shown, "Show full repr")
    assert shown.sent("full") == [{"cmd": "full", "args": {"token": "t3"}}]
    assert panel(shown).get_by_text("1,204 characters left out").is_visible()


def test_the_whole_repr_is_that_of_the_packet_beside_it(load: Load) -> None:
    shown = opened(load, "task")
    press(shown, "Step")
    press(shown, "Show full repr")
    assert panel(shown).get_by_text("Full repr · str").is_visible()
    shown.answer(step={"result": answers.stepped(packet=answers.packet(5))})
    shown.root.get_by_role("toolbar").get_by_role("button", name="Step task").click()
    shown.settle()
    assert not panel(shown).get_by_text("Full repr · str").is_visible()


def traced(number: int) -> Any:
    return {"result": answers.stepped(packet=answers.packet(number, id=f"split:{number}", parents=["lines:1"]))}


def test_the_way_of_a_packet_is_lit_with_the_values_at_the_boxes(load: Load) -> None:
    shown = opened(load, "task", answers={"step": traced(3)})
    labels = shown.root.locator(".sn-origin-label text")
    press(shown, "Step")
    assert labels.count() == 0
    press(shown, "Where from")
    assert shown.sent("why") == [{"cmd": "why", "args": {"token": "t3"}}]
    assert labels.all_text_contents() == ["'be'", "'to be or not' and 2 more"]
    assert shown.root.locator(".sn-origin-ring").count() == 2
    text = panel(shown).get_by_label("Where it comes from").text_content()
    assert text == "'be': made by split\n└─ 'to be or not': an item of lines"
    panel(shown).get_by_role("button", name="Where from").press("Enter")
    shown.settle()
    assert labels.count() == 0, "pressed again, it is put out"
    press(shown, "Where from")
    shown.answer(step=traced(5))
    shown.root.get_by_role("toolbar").get_by_role("button", name="Step task").click()
    shown.settle()
    assert labels.count() == 0, "that was the way of another packet"


def test_a_packet_without_traces_says_why_it_cannot_tell_where_it_comes_from(load: Load) -> None:
    shown = opened(load, "task")
    press(shown, "Step")
    assert reason(shown, "Where from") == "only a session with trace=True remembers where packets come from"


def test_the_way_of_a_letter_and_of_a_failure_is_lit(load: Load) -> None:
    failed = {"letters": {"result": answers.letters(4, 3, failure="count#1 failed on 'question'")}}
    shown = opened(load, "errors", answers=failed)
    labels = shown.root.locator(".sn-origin-label text")
    buttons = panel(shown).get_by_role("button", name="Where from")
    buttons.nth(1).press("Enter")
    shown.settle()
    assert labels.all_text_contents() == ["'be'", "'to be or not' and 2 more"]
    assert panel(shown).locator("[data-letter='4']").get_by_label("Where it comes from").is_visible()
    assert buttons.nth(1).get_attribute("aria-pressed") == "true"
    focused = shown.page.evaluate("document.activeElement.dataset.from")
    assert focused == "letter 4", "the keyboard stays where it was"
    buttons.nth(0).click()
    shown.settle()
    assert shown.sent("why") == [{"cmd": "why", "args": each} for each in ({"number": 4}, {"failure": True})]
    assert panel(shown).get_by_label("Where it comes from").count() == 1
    shown.root.get_by_role("tab", name="Packet").click()
    shown.settle()
    assert labels.count() == 2, "another tab puts out nothing"
    shown.root.get_by_role("tab", name="Errors").click()
    buttons.nth(0).click()
    shown.settle()
    assert labels.count() == 0


def test_what_another_view_has_asked_about_is_lit_and_put_out(load: Load) -> None:
    shown = opened(load, "task")
    places = answers.ALL["why"]["result"]["places"]
    shown.page.evaluate("places => kernelSends({ lit: { text: '', places } })", places)
    shown.settle()
    assert shown.root.locator(".sn-origin-ring").count() == 2
    shown.page.evaluate("kernelSends({ lit: null })")
    shown.settle()
    assert shown.root.locator(".sn-origin-ring").count() == 0


def test_errors_say_why_nobody_knows_where_they_come_from(load: Load) -> None:
    untraced = {**answers.letters(4), "untraced": "only a session with trace=True remembers"}
    shown = opened(load, "errors", answers={"letters": {"result": untraced}})
    assert reason(shown, "Where from") == "only a session with trace=True remembers"


def test_a_packet_leads_to_its_task_and_its_producer(load: Load) -> None:
    shown = opened(load, "task")
    press(shown, "Step")
    press(shown, "split")
    assert shown.row("split").get_attribute("aria-pressed") == "true"
    assert shown.root.locator("[role=tab][aria-selected=true]").text_content() == "Task"


def test_what_a_trace_knows_is_shown_and_nothing_of_it_else(load: Load) -> None:
    traced = answers.packet(3, id="p7", parents=["p1", "p2"], timestamp=1.5)
    shown = opened(load, "task", answers={"step": {"result": answers.stepped(packet=traced)}})
    press(shown, "Step")
    assert "Idp7Parentsp1, p2Made at1.500 s" in (panel(shown).locator("dl").text_content() or "")
    assert "Parents" not in (panel(opened(load, "packet")).text_content() or "")


# ── task ──


def test_a_task_shows_facts_time_latency_breakpoints_and_state(load: Load) -> None:
    shown = opened(load, "task")
    press(shown, "Show state")
    text = panel(shown).inner_text()
    for word in ("2, both skipped", "busy 42 %", "held back 15 %", "0.21 ms", "len(value) > 3", "2 hits", "'to'"):
        assert word in text, word
    assert panel(shown).locator(".sn-split-piece").count() == 4
    label = panel(shown).locator(".sn-histogram").get_attribute("aria-label") or ""
    assert "up to 0.3 ms: 610" in label


def test_a_task_that_has_not_begun_has_no_times(load: Load) -> None:
    card = {**answers.CARD, "split": [], "lasted_s": 0.0, "on_processor": None, "per_s": 0.0}
    shown = opened(load, "task", answers={"task": {"result": card}})
    assert "It has not begun." in panel(shown).inner_text()


@pytest.mark.parametrize(
    ("word", "frame", "message"),
    [
        ("Pause", plans.running(PLAN, states="rrrrri"), {"cmd": "pause", "args": {"name": "count#1"}}),
        ("Resume", plans.paused(PLAN), {"cmd": "resume", "args": {"name": "count#1"}}),
        ("Stop measuring", plans.paused(PLAN), {"cmd": "measure", "args": {"task": "count#1", "on": False}}),
        ("Show state", plans.paused(PLAN), {"cmd": "state", "args": {"task": "count#1"}}),
    ],
)
def test_a_task_is_steered_alone(load: Load, word: str, frame: Any, message: Any) -> None:
    shown = opened(load, "task", frame=frame)
    press(shown, word)
    assert shown.sent(message["cmd"]) == [message]


def test_a_breakpoint_is_set_with_its_condition_and_removed(load: Load) -> None:
    shown = opened(load, "task")
    panel(shown).get_by_label("Pause the job before a packet with").fill("value > 3")
    press(shown, "Add")
    assert shown.sent("breakpoint") == [{"cmd": "breakpoint", "args": {"task": "count#1", "when": "value > 3"}}]
    press(shown, "Remove")
    assert shown.sent("remove_breakpoint") == [{"cmd": "remove_breakpoint", "args": {"id": 1}}]
    assert panel(shown).locator(".sn-points li").count() == 1


def test_what_is_typed_stays_while_frames_come(load: Load) -> None:
    shown = opened(load, "task")
    field = panel(shown).get_by_label("Pause the job before a packet with")
    field.fill("value")
    shown.push(*(plans.paused(PLAN, number) for number in range(2, 8)))
    shown.page.keyboard.type(" > 3")
    assert field.input_value() == "value > 3"


# ── errors ──


def test_the_frames_of_the_runtime_are_folded_until_the_whole_traceback_is_asked_for(load: Load) -> None:
    shown = opened(load, "errors")
    panel(shown).locator("summary").first.click()
    text = panel(shown).locator("details[open] pre")
    assert text.text_content() == answers.FOLDED
    assert text.locator(".sn-faint-text").text_content() == "  … 2 frames of the runtime"
    press(shown, "Whole traceback")
    assert text.text_content() == answers.TRACEBACK
    press(shown, "Whole traceback")
    assert text.text_content() == answers.FOLDED


def test_dead_letters_are_shown_newest_first_with_their_tracebacks_closed(load: Load) -> None:
    shown = opened(load, "errors")
    assert panel(shown).locator(".sn-letter").count() == 3
    assert panel(shown).locator("details[open]").count() == 0
    panel(shown).locator("summary").first.click()
    assert "line 12, in process" in panel(shown).locator("details[open]").inner_text()


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("Retry", {"cmd": "retry", "args": {"number": 4}}),
        ("Discard", {"cmd": "discard", "args": {"number": 4}}),
        ("Retry all", {"cmd": "retry_all", "args": {}}),
        ("Discard all", {"cmd": "discard_all", "args": {}}),
    ],
)
def test_a_letter_is_retried_or_discarded_and_the_list_is_what_the_kernel_says_then(
    load: Load, word: str, message: Any
) -> None:
    shown = opened(load, "errors", answers={message["cmd"]: {"result": answers.letters(2)}})
    press(shown, word)
    assert shown.sent(message["cmd"]) == [message]
    assert panel(shown).locator(".sn-letter").count() == 1


def test_what_is_open_stays_open_when_the_same_is_looked_at_again(load: Load) -> None:
    shown = opened(load, "errors", frame=plans.paused(PLAN, 1, letters=3))
    panel(shown).locator("summary").nth(1).click()
    before = len(shown.sent("letters"))
    shown.push(plans.paused(PLAN, 2, letters=3, counts={"made": 1, "done": 1, "errors": 9, "skipped": 3}))
    shown.page.wait_for_function(f"sent.filter(each => each.cmd === 'letters').length > {before}")
    shown.settle()
    assert panel(shown).locator("details[open]").count() == 1


def test_a_letter_is_edited_and_retried(load: Load) -> None:
    shown = opened(load, "errors")
    press(shown, "Edit and retry")
    panel(shown).get_by_label("New value").fill("'answer'")
    shown.push(plans.paused(PLAN, 3))
    press(shown, "Retry with this")
    assert shown.sent("edit_retry") == [{"cmd": "edit_retry", "args": {"number": 4, "value": "'answer'"}}]


def test_escape_leaves_the_editor_of_a_letter(load: Load) -> None:
    shown = opened(load, "errors")
    press(shown, "Edit and retry")
    panel(shown).get_by_label("New value").press("Escape")
    assert panel(shown).get_by_label("New value").count() == 0
    assert shown.sent("edit_retry") == []


def test_a_letter_that_cannot_be_retried_says_why(load: Load) -> None:
    letters = answers.letters(4)
    letters["letters"][0]["retriable"] = "it happened outside of packets"
    shown = opened(load, "errors", answers={"letters": {"result": letters}})
    assert reason(shown, "Retry") == "it happened outside of packets"
    assert reason(shown, "Discard") == ""


def test_the_error_that_failed_the_job_comes_first(load: Load) -> None:
    failed = {"letters": {"result": answers.letters(failure="count#1 failed on 'question'")}}
    shown = opened(load, "errors", frame=plans.ended(PLAN, how="failed"), answers=failed)
    assert (panel(shown).inner_text()).startswith("The job has failed")
    assert panel(shown).get_by_text("count#1 failed on 'question'").is_visible()
    assert panel(shown).get_by_text("return int(value)").first.is_visible()


def test_the_tab_counts_the_letters_and_they_are_looked_at_again_when_there_are_more(load: Load) -> None:
    shown = opened(load, "errors", frame=plans.paused(PLAN, 1, letters=3))
    assert shown.root.locator("[data-tab=errors]").text_content() == "Errors 3"
    before = len(shown.sent("letters"))
    shown.push(plans.paused(PLAN, 2, letters=4))
    shown.page.wait_for_function(f"sent.filter(each => each.cmd === 'letters').length > {before}")


def test_the_tab_says_of_how_many_letters_the_kept_ones_are(load: Load) -> None:
    shown = opened(load, "errors", frame=plans.paused(PLAN, 1, letters=1_000, letters_total=1_011))
    assert shown.root.locator("[data-tab=errors]").text_content() == "Errors 1,000 of 1,011"


def test_a_closed_session_can_still_be_looked_into(load: Load) -> None:
    shown = load(
        PLAN, plans.ended(PLAN, 9, "failed", closed=True), answers=answers.ALL | {"peek": {"result": answers.queue(10)}}
    )
    shown.row("count#1").click()
    for tab, text in (("queue", "question"), ("task", "ValueError"), ("errors", "Traceback")):
        shown.root.locator(f"[data-tab={tab}]").click()
        shown.root.get_by_role("tabpanel").get_by_text(text).first.wait_for()
    shown.root.locator("[data-tab=queue]").click()
    inject = shown.root.get_by_role("button", name="Inject", exact=True)
    assert inject.get_attribute("title") == "Inject: the session was closed"


def test_what_is_typed_is_evaluated_only_where_its_reader_allows_it(load: Load) -> None:
    shown = load(PLAN, plans.paused(PLAN), answers=answers.ALL)
    shown.row("count#1").focus()
    shown.page.keyboard.press("i")
    box = panel(shown).get_by_label("evaluate as Python, with the names of this notebook")
    assert not box.is_checked()
    shown.page.keyboard.type("Order('a', 2)")
    shown.page.keyboard.press("Enter")
    shown.page.keyboard.press("Tab")
    shown.page.keyboard.press("Space")
    assert box.is_checked()
    shown.page.keyboard.press("Shift+Tab")
    shown.page.keyboard.press("Enter")
    shown.settle()
    given = {"task": "count#1", "value": "Order('a', 2)", "input": 0}
    assert [each["args"] for each in shown.sent("inject")] == [given, {**given, "as_python": True}]
    shown.root.locator(".sn-packet").nth(1).click()
    panel(shown).get_by_role("button", name="Edit", exact=True).click()
    assert panel(shown).get_by_label("evaluate as Python").last.is_checked(), "it is said once"
