"""The turns of a run with a seed in the page: two buttons and a field, by mouse and by keyboard."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.page import plans
from tests.page.harness import Shown
from tests.page.test_axe import LOOKS, faults

Load = Callable[..., Shown]
PLAN = plans.small()
PARTS = ["toolbar", "graph"]


def turns(shown: Shown) -> Any:
    return shown.root.get_by_role("group", name="Turns")


def field(shown: Shown) -> Any:
    return turns(shown).get_by_label("Turn", exact=True)


def way(shown: Shown, word: str) -> Any:
    return turns(shown).get_by_role("button", name=word)


def went(shown: Shown) -> list[Any]:
    return [each["args"] for each in shown.sent("goto")]


def test_without_a_seed_there_are_no_turns(load: Load) -> None:
    shown = load(PLAN, plans.paused(PLAN, 2), parts=PARTS)
    assert turns(shown).count() == 0
    shown.push(plans.paused(PLAN, 3, turn=0))
    assert field(shown).input_value() == "0"


def test_two_buttons_go_a_turn_back_and_a_turn_on(load: Load) -> None:
    shown = load(PLAN, plans.paused(PLAN, 2, turn=42), parts=PARTS)
    assert field(shown).input_value() == "42"
    way(shown, "Turn before").click()
    shown.push(plans.paused(PLAN, 3, turn=41))
    assert field(shown).input_value() == "41"
    way(shown, "Next turn").click()
    shown.settle()
    assert went(shown) == [{"turn": 41}, {"turn": 42}]
    assert "the job runs again from its start" in way(shown, "Next turn").get_attribute("title")


def test_enter_in_the_field_goes_to_its_turn(load: Load) -> None:
    shown = load(PLAN, plans.ended(PLAN, turn=1_234), parts=PARTS)
    field(shown).focus()
    shown.page.keyboard.press("Control+A")
    shown.page.keyboard.type("1,000")
    shown.push(plans.ended(PLAN, number=900, turn=1_234))  # what is typed stays
    assert field(shown).input_value() == "1,000"
    shown.page.keyboard.press("Enter")
    shown.push(plans.paused(PLAN, 901, turn=1_000))
    assert (went(shown), field(shown).input_value()) == ([{"turn": 1_000}], "1000")


def test_what_is_typed_and_left_is_as_it_was(load: Load) -> None:
    shown = load(PLAN, plans.paused(PLAN, 2, turn=42), parts=PARTS)
    for key in ("Escape", "Tab"):
        field(shown).fill("7")
        field(shown).press(key)
        assert field(shown).input_value() == "42"
    assert went(shown) == []


@pytest.mark.parametrize("text", ["-1", "1.5", "soon", "", "12345678901"])
def test_what_is_no_turn_is_refused_in_words(load: Load, text: str) -> None:
    shown = load(PLAN, plans.paused(PLAN, 2, turn=42), parts=PARTS)
    field(shown).fill(text)
    field(shown).press("Enter")
    shown.settle()
    assert went(shown) == []
    assert shown.root.get_by_role("status").get_by_text("a turn is a whole number from 0 on").count() == 1


@pytest.mark.parametrize(
    ("frame", "before", "after"),
    [
        (plans.frame_of(PLAN, turn=0), "this is before the first turn", ""),
        (plans.running(PLAN, 2, turn=7), *("not everything is paused: pause first",) * 2),
        (plans.ended(PLAN, turn=7), "", ""),
        (plans.ended(PLAN, turn=7, closed=True), *("the session was closed",) * 2),
    ],
    ids=["new", "running", "ended", "closed"],
)
def test_what_cannot_be_gone_to_says_why(load: Load, frame: Any, before: str, after: str) -> None:
    shown = load(PLAN, frame, parts=PARTS)
    for word, reason in (("Turn before", before), ("Next turn", after)):
        described = way(shown, word).get_attribute("aria-describedby")
        assert shown.page.locator(f"#{described}").text_content() == reason
        way(shown, word).press("Enter")
    shown.settle()
    assert len(went(shown)) == [before, after].count("")


@pytest.mark.parametrize("look", LOOKS[:2], ids=str)
def test_axe_finds_nothing_serious_at_the_turns(load: Load, look: Any) -> None:
    shown = load(PLAN, plans.paused(PLAN, 2, turn=42), **look)
    assert faults(shown) == []
