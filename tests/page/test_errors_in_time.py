"""Errors and skips in the timeline: a click leads to packet and traceback, and many marks are one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sage_nb.wire import EventCard
from tests.page import answers, plans
from tests.page.harness import Shown

Load = Callable[..., Shown]
PLAN = plans.small()
END = plans.event(10_000, "end", 0, "completed", 8.0)  # with it the axis stands still
GUTTER, RIGHT = 132, 12
LETTERS: Any = {"result": answers.letters(4, 2, 1) | {"found": 2}}


def skip(number: int, at_s: float, kind: str = "skip", row: int = 2) -> EventCard:
    return plans.event(number, kind, row, f"'question': ValueError: number {number}: skipped", at_s)


def opened(load: Load, events: list[EventCard], **more: Any) -> Shown:
    shown = load(PLAN, plans.running(PLAN, 1, events=[]), answers=answers.ALL | {"letters": LETTERS}, **more)
    shown.push(plans.ended(PLAN, 80, events=[*events, END]))
    shown.paint_timeline()
    return shown


def place(shown: Shown, at_s: float, lane: int = 2) -> tuple[float, float]:
    """Where on the screen a time of a lane is."""
    box = shown.root.locator(".sn-canvas").bounding_box()
    return box["x"] + GUTTER + (box["width"] - GUTTER - RIGHT) * at_s / 8, box["y"] + 28 + 16 * lane


def hint(shown: Shown) -> str:
    return str(shown.root.locator(".sn-timeline-foot .sn-hint").first.text_content())


def about(shown: Shown) -> list[Any]:
    """What was asked about, one after the other; the same may be asked again."""
    asked = [each["args"]["about"] for each in shown.sent("letters") if "about" in each["args"]]
    return [each for place, each in enumerate(asked) if place == 0 or each != asked[place - 1]]


def test_a_click_on_a_mark_shows_the_packet_and_opens_its_traceback(load: Load) -> None:
    shown = opened(load, [skip(1, 2.0)])
    shown.page.mouse.move(*place(shown, 2.0))
    assert hint(shown).endswith("click to see its packet and traceback")
    shown.page.mouse.click(*place(shown, 2.0))
    found = shown.root.locator(".sn-letter[data-found]")
    found.wait_for()
    assert about(shown) == [{"task": "count#1", "at_s": 2.0, "text": "'question': ValueError: number 1: skipped"}]
    assert shown.root.locator("[data-tab=errors]").get_attribute("aria-selected") == "true"
    assert found.locator("details").get_attribute("open") is not None
    assert "int(value)" in (found.locator("pre").text_content() or "")
    assert found.get_attribute("data-letter") == "2"
    assert shown.row("count#1").get_attribute("aria-pressed") == "true"
    assert shown.page.evaluate("document.activeElement.closest('[data-found]') !== null")
    assert shown.root.locator(".sn-looking").text_content() == "", "it is not looked back"


def test_any_other_place_of_a_lane_looks_back(load: Load) -> None:
    shown = opened(load, [skip(1, 2.0)])
    shown.page.mouse.click(*place(shown, 5.0))
    shown.settle()
    assert str(shown.root.locator(".sn-looking").text_content()).startswith("looking back at")
    assert about(shown) == []


def test_the_error_that_failed_the_job_is_shown_with_its_traceback(load: Load) -> None:
    failed = {"result": answers.letters(failure="count#1 failed on 'question'")}
    shown = opened(load, [skip(1, 2.0, "error")])
    shown.answer(letters=failed)
    shown.page.mouse.click(*place(shown, 2.0))
    shown.root.get_by_text("The job has failed").wait_for()
    assert shown.page.evaluate("document.activeElement.localName") == "summary"


def test_a_packet_that_is_not_kept_any_more_is_said_to_be_gone(load: Load) -> None:
    shown = opened(load, [skip(1, 2.0)])
    shown.answer(letters={"result": answers.letters(9)})
    shown.page.mouse.click(*place(shown, 2.0))
    pointed = shown.root.locator(".sn-pointed")
    pointed.get_by_text("not kept any more").wait_for()
    assert "number 1: skipped" in (pointed.text_content() or "")


def test_one_comes_back_to_the_newest(load: Load) -> None:
    shown = opened(load, [skip(1, 2.0)])
    shown.page.mouse.click(*place(shown, 2.0))
    shown.root.get_by_role("button", name="Show the newest").click()
    shown.settle()
    assert shown.sent("letters")[-1]["args"] == {}
    assert shown.root.locator(".sn-pointed").text_content() == ""


def test_it_can_be_done_by_keyboard_from_error_to_error(load: Load) -> None:
    shown = opened(load, [skip(number, number) for number in (1, 2, 3)])
    following = shown.root.get_by_role("button", name="Next error")
    for _ in range(4):
        following.focus()
        shown.page.keyboard.press("Enter")
        shown.settle()
        shown.settle()
    assert [each["at_s"] for each in about(shown)] == [1, 2, 3, 1]
    before = shown.root.get_by_role("button", name="Error before")
    before.focus()
    shown.page.keyboard.press("Enter")
    shown.settle()
    assert about(shown)[-1]["at_s"] == 3


def test_where_nothing_has_gone_wrong_the_buttons_say_so(load: Load) -> None:
    shown = opened(load, [])
    button = shown.root.get_by_role("button", name="Next error")
    assert button.get_attribute("aria-disabled") == "true"
    assert "nothing has gone wrong" in (button.get_attribute("title") or "")


MARKS = """async () => {
  const drawn = [], numbers = [];
  const {prototype} = CanvasRenderingContext2D, {fill, fillText} = prototype;
  prototype.fill = function (...args) { drawn.push(1); return fill.apply(this, args); };
  prototype.fillText = function (text, ...args) { numbers.push(text); return fillText.call(this, text, ...args); };
  document.querySelector('.sn-slider').removeAttribute('max');
  document.querySelector('.sn-lane-area').dispatchEvent(new Event('scroll'));
  await new Promise(done => setTimeout(done, 400));
  Object.assign(prototype, {fill, fillText});
  return [drawn.length, numbers.filter(text => /^[0-9,]+$/.test(text))];
}"""


def test_many_marks_that_lie_on_each_other_are_one_with_their_number(load: Load) -> None:
    shown = opened(load, [skip(number, 1 + number / 2_000) for number in range(4_000)] + [skip(4_000, 5.0)])
    drawn, numbers = shown.page.evaluate(MARKS)
    assert numbers == ["4,000"]
    assert drawn < 20


def test_in_one_that_stands_for_many_the_nearest_is_meant(load: Load) -> None:
    shown = opened(load, [skip(number, 1 + number / 2_000) for number in range(4_000)])
    shown.page.mouse.move(*place(shown, 2.5))
    assert "more" in hint(shown)
    shown.page.mouse.click(*place(shown, 2.5))
    shown.settle()
    assert about(shown)[0]["at_s"] == pytest.approx(2.5, abs=0.01)


def test_fifty_thousand_skips_are_one_mark_that_says_how_many_of_them_are_kept(load: Load) -> None:
    shown = opened(load, [])
    shown.page.evaluate(
        """([frame, event]) => {
          for (let part = 0; part < 50; part++) {
            const events = Array.from({length: 1000}, (_, at) => {
              const number = 20_000 + part * 1000 + at;
              return {...event, number, at_s: number / 10_000};
            });
            kernelSets('frame', JSON.stringify({...frame, number: 100 + part, events}));
          }
        }""",
        [plans.running(PLAN, 81, at_s=9.0, state="running"), skip(0, 0.0)],
    )
    shown.settle()
    drawn, numbers = shown.page.evaluate(MARKS)
    assert numbers == ["5,000"]
    assert drawn < 20
