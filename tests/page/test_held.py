"""The errors tab of a held job: packet, traceback and source of each that is held, and what mends it, by mouse."""

from __future__ import annotations

from typing import Any

import pytest

from tests.page import answers, plans
from tests.page.harness import Shown
from tests.page.test_inspector import PLAN, Load, opened, panel, press, reason


def of(*held: Any) -> dict[str, Any]:
    """The answer with these."""
    return {**answers.letters(), "held": list(held)}


def shown_with(load: Load, *held: Any, **more: Any) -> Shown:
    known = {"letters": {"result": of(*held)}, **more.pop("answers", {})}
    return opened(load, "errors", answers=known, **more)


def test_a_held_packet_is_shown_with_its_traceback_and_the_source_of_its_function(load: Load) -> None:
    shown = shown_with(load, answers.held())
    card = panel(shown).locator("[data-held='count#1']")
    assert card.get_by_text("'question'", exact=True).is_visible()
    assert card.get_by_text("return int(value)").first.is_visible()
    assert card.get_by_text("Source, version 1").is_visible()
    assert "def count(value):" in card.inner_text()
    assert panel(shown).inner_text().startswith("Held packets")


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("Replace by count from cell", {"cmd": "replace", "args": {"operator": "count"}}),
        ("Skip", {"cmd": "skip_held", "args": {"task": "count#1", "place": [1, 7]}}),
    ],
)
def test_a_held_packet_is_mended_and_the_list_is_what_the_kernel_says_then(load: Load, word: str, message: Any) -> None:
    after = {message["cmd"]: {"result": of(answers.held("count#0"))}}
    shown = shown_with(load, answers.held("count#1"), answers.held("count#0"), answers=after)
    assert panel(shown).locator("[data-held]").count() == 2
    press(shown, word)
    assert shown.sent(message["cmd"]) == [message]
    assert panel(shown).locator("[data-held]").count() == 1


def test_the_way_of_a_held_packet_is_lit(load: Load) -> None:
    shown = shown_with(load, answers.held())
    press(shown, "Where from")
    assert shown.sent("why") == [{"cmd": "why", "args": {"task": "count#1", "place": [1, 7]}}]
    assert shown.root.locator(".sn-origin-ring").count() == 2


def test_a_held_packet_is_edited(load: Load) -> None:
    shown = shown_with(load, answers.held(), answers={"edit_held": {"result": of()}})
    press(shown, "Edit")
    panel(shown).get_by_label("New value").fill("'answer'")
    shown.push(plans.paused(PLAN, 3))
    press(shown, "Put this in its place")
    args = {"task": "count#1", "place": [1, 7], "value": "'answer'"}
    assert shown.sent("edit_held") == [{"cmd": "edit_held", "args": args}]
    assert panel(shown).locator("[data-held]").count() == 0


def test_of_several_packets_that_a_task_holds_one_is_edited(load: Load) -> None:
    shown = shown_with(load, answers.held(), answers.held(place=[1, 8]))
    panel(shown).locator("[data-held]").nth(1).get_by_role("button", name="Edit").click()
    assert panel(shown).get_by_label("New value").count() == 1
    assert panel(shown).locator("[data-held]").nth(1).get_by_label("New value").is_visible()


def test_escape_leaves_the_editor_of_a_held_packet(load: Load) -> None:
    shown = shown_with(load, answers.held())
    press(shown, "Edit")
    panel(shown).get_by_label("New value").press("Escape")
    assert panel(shown).get_by_label("New value").count() == 0


def test_the_job_is_resumed_from_there(load: Load) -> None:
    shown = shown_with(load, answers.held())
    press(shown, "Resume")
    assert shown.sent("resume") == [{"cmd": "resume", "args": {}}]


def test_a_function_without_a_name_says_why_no_cell_can_replace_it(load: Load) -> None:
    shown = shown_with(load, answers.held(function=""))
    assert reason(shown, "Replace from cell") == "its function has no name by which a cell could have made another"
    assert reason(shown, "Skip") == ""


def test_where_nothing_is_held_nothing_of_it_is_there(load: Load) -> None:
    shown = shown_with(load)
    assert not panel(shown).get_by_text("Held packets").is_visible()
