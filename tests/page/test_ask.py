"""A graph is asked: by mouse and by keyboard, the answer in words, and a question that is watched from box to box."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import pytest

from sage_nb.wire import Answer, AskCard, Frame, Plan, Watched
from tests.page import answers, plans
from tests.page.harness import Shown
from tests.page.plans import Op
from tests.page.test_axe import LOOKS, faults
from tests.page.test_inspector import panel, press, reason

Load = Callable[..., Shown]
WAY: Final = ["order", "split", "price", "reply"]


def plan(**more: Any) -> Plan:
    """An input that can be asked, and one that cannot."""
    ops = [
        Op("order", "input", 0, capacity=1024),
        Op("split", "flat_map", 1, [("order", "round_robin")]),
        Op("price", "map", 2, [("split", "hash")]),
        Op("reply", "reply", 3, [("price", "round_robin")]),
        Op("other", "input", 0, capacity=1024),
        Op("others", "sink", 1, [("other", "round_robin")]),
    ]
    made = plans.plan_of(ops, name="shop", **more)
    made["rows"][0]["asks"] = ""
    made["rows"][4]["asks"] = "no way leads from 'other' to a reply(): end a stream of it with .reply()"
    return made


ASKS: Final = AskCard(
    asked=1_004,
    open=2,
    answered=1_000,
    unanswered=1,
    failed=1,
    late=3,
    per_s=12.5,
    slowest_s=0.8,
    slowest="'order' asked 'fig'",
)


def frame(plan: Plan, number: int = 10, **more: Any) -> Frame:
    given: dict[str, Any] = {"asks": ASKS, "states": "iiiiii"}
    return plans.running(plan, number, **(given | more))


def answer(outcome: Any = "reply", text: str = "3", kind: str = "int", **more: Any) -> Answer:
    made = Answer(outcome=outcome, text=text, kind=kind, took_ms=None, errors=[])
    made.update(more)  # type: ignore[typeddict-item]
    return made


WATCHED: Final = Watched(
    watch=7, input="order", way=WAY, at=["order"], step=None, is_of_it=False, took_ms=0.0, answer=None
)
STEPS: Final = (
    ("order", "'pear plum'", [("'pear plum'", "split")], ["split"]),
    ("split", "'pear plum'", [("'pear'", "price"), ("'plum'", "price")], ["price"]),
    ("price", "'pear'", [("3", "reply")], ["price", "reply"]),
)


def step_of(number: int, **more: Any) -> Watched:
    """What the kernel says after a step."""
    task, taken, sent, at = STEPS[number]
    step = answers.stepped(
        text=f"{task}: {taken} -> {', '.join(text for text, _ in sent)} to {sent[0][1]}",
        task=task,
        packet={**answers.packet(number), "text": taken, "task": task},
        sent=[{**answers.packet(10 + number), "text": text, "task": target} for text, target in sent],
    )
    return {**WATCHED, "step": step, "at": at, "is_of_it": True, "took_ms": 0.25 * (number + 1), **more}  # type: ignore[typeddict-item]


LAST: Final = answers.stepped(text="reply: 3", task="reply", packet={**answers.packet(3), "text": "3", "task": "reply"})
OVER: Final = {**WATCHED, "step": LAST, "at": [], "is_of_it": True, "took_ms": 0.01, "answer": answer()}
ASKED: Final[dict[str, Any]] = {
    "ask": {"result": answer(took_ms=0.42), "python": "session.ask('order', 'pear')", "text": "3"},
    "watch_ask": {"result": WATCHED, "text": "asked"},
    "watch_step": {"result": step_of(0)},
    "watch_end": {"result": WATCHED, "text": "the gates are as they were before"},
}


def opened(load: Load, *, row: str = "order", **more: Any) -> Shown:
    """The tab that asks, of an input."""
    made = more.pop("plan", None) or plan()
    known = answers.ALL | ASKED | more.pop("answers", {})
    shown = load(made, more.pop("frame", None) or frame(made), answers=known, **more)
    shown.row(row).click()
    shown.root.locator("[data-tab=ask]").click()
    shown.settle()
    return shown


def watched(load: Load, steps: int = 0, **more: Any) -> Shown:
    """A question that is watched, after so many steps."""
    shown = opened(load, **more)
    panel(shown).get_by_label("Ask with").fill("pear plum")
    press(shown, "Watch it")
    for number in range(steps):
        shown.answer(watch_step={"result": step_of(number)})
        press(shown, "Next step")
    return shown


def click(shown: Shown, word: str) -> None:
    """Press a button where the page's time stands still."""
    panel(shown).get_by_role("button", name=word, exact=True).click()
    shown.page.clock.run_for(50)


def watched_alone(load: Load) -> Shown:
    """A question that is watched by who does not mind movement; the page's time stands still."""
    made = plan()
    shown = load(made, frame(made), answers=answers.ALL | ASKED, motion="no-preference", clock=True)
    shown.row("order").click()
    shown.root.locator("[data-tab=ask]").click()
    shown.page.clock.run_for(50)
    click(shown, "Watch it")
    return shown


def words(locator: Any) -> str:
    return locator.text_content() or ""


def labels(shown: Shown) -> list[str]:
    """What the graph says at the boxes on the way, without the titles."""
    texts = shown.root.locator(".sn-asked-label").all()
    return [" ".join(each.locator("text").all_text_contents()) for each in texts]


def test_an_input_is_asked_by_mouse_and_its_answer_stands_below_with_its_time(load: Load) -> None:
    shown = opened(load)
    panel(shown).get_by_label("Ask with").fill("pear")
    press(shown, "Ask")
    assert shown.sent("ask") == [{"cmd": "ask", "args": {"input": "order", "value": "pear"}}]
    result = panel(shown).locator(".sn-result")
    assert result.locator("h4").text_content() == "Answer · int · 0.42 ms"
    assert result.locator("pre").text_content() == "3"
    assert shown.root.locator(".sn-python").text_content() == "session.ask('order', 'pear')"


def test_an_input_is_asked_by_keyboard_alone(load: Load) -> None:
    shown = opened(load)
    shown.root.locator("[data-tab=ask]").focus()
    for key in ("Tab", "Tab"):  # the panel, the field
        shown.page.keyboard.press(key)
    shown.page.keyboard.type("pear")
    shown.page.keyboard.press("Tab")
    shown.page.keyboard.press("Tab")
    shown.page.keyboard.press("Space")  # all replies
    shown.page.keyboard.press("Tab")
    shown.page.keyboard.press("Enter")
    shown.settle()
    assert shown.sent("ask")[-1]["args"] == {"input": "order", "value": "pear", "many": True}
    shown.page.keyboard.press("Tab")
    shown.page.keyboard.press("Enter")
    shown.settle()
    assert shown.sent("watch_ask")[-1]["args"] == {"input": "order", "value": "pear", "many": True}


@pytest.mark.parametrize(
    ("told", "head", "text"),
    [
        ({"result": answer("no reply", "no packet of it is left", "")}, "No reply", "no packet of it is left"),
        ({"ok": False, "reason": "KeyError: 'kiwi'"}, "Error", "KeyError: 'kiwi'"),
        ({"result": answer("replies", "[3]", "1", errors=["KeyError: 'kiwi'"])}, "Replies · 1", "[3]"),
    ],
)
def test_no_reply_an_error_and_what_was_skipped_are_said_in_words(
    load: Load, told: dict[str, Any], head: str, text: str
) -> None:
    shown = opened(load, answers={"ask": told})
    press(shown, "Ask")
    result = panel(shown).locator(".sn-result")
    assert result.locator("h4").text_content() == head
    assert result.locator("pre").text_content() == text
    assert result.locator("li").all_text_contents() == (["KeyError: 'kiwi'"] if head.startswith("Replies") else [])


def test_why_an_input_cannot_be_asked_is_said_at_the_form_and_the_button(load: Load) -> None:
    shown = opened(load, row="other")
    why = "no way leads from 'other' to a reply(): end a stream of it with .reply()"
    assert reason(shown, "Ask") == reason(shown, "Watch it") == why
    assert panel(shown).get_by_text(why).last.is_visible()
    made = plan(runnable="questions do not travel between processes yet")
    shown = opened(load, plan=made, frame=plans.frame_of(made))
    assert reason(shown, "Ask") == "questions do not travel between processes yet"
    made = plan()
    shown = opened(load, plan=made, frame=plans.ended(made))
    assert reason(shown, "Ask") == "the job has ended"
    panel(shown).get_by_label("Ask with").press("Enter")
    assert shown.sent("ask") == []


def test_a_graph_without_an_input_has_no_tab_that_asks(load: Load) -> None:
    shown = load(plans.small(), plans.running(plans.small()), answers=answers.ALL)
    shown.row("count#1").click()
    assert not shown.root.locator("[data-tab=ask]").is_visible()
    shown.root.locator("[data-tab=task]").focus()
    shown.page.keyboard.press("ArrowRight")
    assert shown.page.evaluate("document.activeElement.dataset.tab") == "service"


def test_what_was_asked_how_often_and_the_slowest_under_way_are_shown(load: Load) -> None:
    shown = opened(load)
    assert "1,004 asked, 13/s · 2 open, 0.800 s" in words(shown.root.locator(".sn-status-text"))
    facts = words(panel(shown).locator(".sn-facts"))
    for each in ("Asked1,004", "Answered1,000", "No reply1", "Failed1", "Late replies3", "Ended per second13"):
        assert each in facts
    assert "The slowest'order' asked 'fig': 0.800 s" in facts
    shown.push(frame(shown.plan, 11, asks=None))
    assert "asked" not in words(shown.root.locator(".sn-status-text"))


def test_what_is_watched_is_seen_to_go_from_box_to_box_with_value_and_time_at_each(load: Load) -> None:
    shown = watched(load)
    assert shown.sent("watch_ask") == [{"cmd": "watch_ask", "args": {"input": "order", "value": "pear plum"}}]
    assert shown.root.locator(".sn-asked-ring").count() == 1
    for number in range(3):
        shown.answer(watch_step={"result": step_of(number)})
        press(shown, "Next step")
    assert shown.sent("watch_step") == [{"cmd": "watch_step", "args": {"watch": 7}}] * 3
    assert labels(shown) == [
        "'pear plum' 0.25 ms",
        "'pear plum' → 'pear', '… 0.5 ms",
        "'pear' → 3 0.75 ms",
    ]
    assert shown.root.locator(".sn-asked-ring").count() == 2
    steps = panel(shown).locator(".sn-asked-steps li").all_text_contents()
    assert steps[1] == "split0.5 ms'pear plum' → 'pear', 'plum'"
    assert "It lies before price, reply." in words(panel(shown))
    shown.answer(watch_step={"result": OVER})
    press(shown, "Next step")
    assert panel(shown).locator(".sn-result h4").text_content() == "Answer · int"
    assert "4 steps; the gates are as they were before." in words(panel(shown))
    assert not panel(shown).get_by_role("button", name="Next step").is_visible()
    assert shown.root.locator(".sn-asked-ring").count() == 0


def test_steps_come_by_themselves_until_they_are_held_or_there_is_an_answer(load: Load) -> None:
    shown = watched_alone(load)
    for number in range(2):
        shown.answer(watch_step={"result": step_of(number)})
        shown.page.clock.run_for(1_000)
        assert len(shown.sent("watch_step")) == number + 1
    click(shown, "Hold")
    shown.page.clock.run_for(5_000)
    assert len(shown.sent("watch_step")) == 2
    shown.answer(watch_step={"result": OVER})
    click(shown, "By itself")
    shown.page.clock.run_for(5_000)
    assert len(shown.sent("watch_step")) == 3
    assert panel(shown).locator(".sn-result h4").text_content() == "Answer · int"


def test_a_packet_that_lay_before_it_is_said_to_be_another_and_is_not_drawn_on_its_way(load: Load) -> None:
    shown = watched(load)
    shown.answer(watch_step={"result": step_of(1, is_of_it=False, at=["order"])})
    press(shown, "Next step")
    assert "another packet, which lay before it" in words(panel(shown).locator(".sn-asked-steps"))
    assert labels(shown) == []


def test_a_question_can_be_left_and_its_way_is_drawn_no_more(load: Load) -> None:
    shown = watched(load, 2)
    press(shown, "Leave it")
    assert shown.sent("watch_end") == [{"cmd": "watch_end", "args": {"watch": 7}}]
    assert labels(shown) == []
    assert not panel(shown).get_by_role("button", name="Next step").is_visible()


def test_who_opens_the_gates_by_hand_is_shown_what_came_of_it(load: Load) -> None:
    shown = watched(load)
    shown.push(frame(shown.plan, 11, held=[0, 1, 2, 3]))
    shown.answer(watch_step={"result": {**OVER, "step": None}})
    assert shown.sent("watch_step") == []
    shown.push(frame(shown.plan, 12, held=[]))
    shown.settle()
    assert panel(shown).locator(".sn-result h4").text_content() == "Answer · int"
    assert len(shown.sent("watch_step")) == 1


def test_a_refused_step_says_so_and_no_other_comes_by_itself(load: Load) -> None:
    shown = watched_alone(load)
    shown.answer(watch_step={"ok": False, "reason": "CommandRefused: this question is watched no more"})
    shown.page.clock.run_for(10_000)
    assert len(shown.sent("watch_step")) == 1
    assert "watched no more" in words(shown.root.locator(".sn-note"))


@pytest.mark.parametrize("look", LOOKS[:2], ids=str)
@pytest.mark.parametrize("width", [700, 1400])
def test_axe_finds_nothing_serious_while_a_question_is_watched_and_nothing_is_cut_off(
    load: Load, look: Any, width: int
) -> None:
    shown = watched(load, 3, width=width, **look)
    assert faults(shown) == []
    for each in panel(shown).locator("button:visible, input:visible, pre:visible").all():
        box = each.bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
