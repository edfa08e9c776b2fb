"""How a view comes and goes: what it tells the kernel, what it leaves behind, and several of one model."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.page import answers, plans
from tests.page.harness import DASHBOARD, Shown

Load = Callable[..., Shown]
PLAN = plans.small()


def test_a_view_mounts_and_unmounts_under_a_name_of_its_own(load: Load) -> None:
    shown = load(PLAN, plans.running(PLAN))
    shown.page.evaluate("another()")
    shown.page.evaluate("unmount()")
    mounted = [each["args"]["view"] for each in shown.sent("mount")]
    assert len(set(mounted)) == 2
    assert [each["args"]["view"] for each in shown.sent("unmount")] == mounted


def test_nothing_stays_behind_when_a_view_has_gone(load: Load) -> None:
    shown = load(PLAN, plans.running(PLAN), answers=answers.ALL, clock=True)
    shown.row("count#1").click()
    for tab in ("queue", "task", "errors"):
        shown.root.locator(f"[data-tab={tab}]").click()
        shown.page.clock.run_for(50)
    assert shown.page.evaluate("listening()") > 0
    shown.page.evaluate("unmount()")
    assert shown.page.evaluate("listening()") == 0
    assert shown.page.evaluate("document.getElementById('root').childElementCount") == 0
    sent = len(shown.sent())
    shown.page.evaluate("text => kernelSets('frame', text)", "null")
    shown.page.evaluate("dispatchEvent(new Event('pagehide')); dispatchEvent(new Event('pageshow'))")
    shown.page.clock.run_for(10_000)
    assert len(shown.sent()) == sent


def test_a_view_that_nobody_can_see_is_not_painted_and_says_so(load: Load) -> None:
    shown = load(PLAN, plans.running(PLAN, 1))
    shown.page.evaluate(
        """() => { const space = document.createElement('div'); space.style.height = '5000px';
                   document.getElementById('root').prepend(space); }"""
    )
    shown.page.wait_for_function("sent.some(each => each.cmd === 'unmount')")
    before = shown.root.locator(".sn-status-text").text_content()
    shown.push(plans.running(PLAN, 500))
    assert shown.root.locator(".sn-status-text").text_content() == before
    shown.page.evaluate("scrollTo(0, 5000)")
    shown.page.wait_for_function("sent.filter(each => each.cmd === 'mount').length === 2")
    shown.settle()
    assert "437,000 in" in (shown.root.locator(".sn-status-text").text_content() or "")


def test_the_page_says_so_when_it_is_left(load: Load) -> None:
    shown = load(PLAN, plans.running(PLAN))
    shown.page.evaluate("dispatchEvent(new Event('pagehide'))")
    assert len(shown.sent("unmount")) == 1
    shown.page.evaluate("dispatchEvent(new Event('pageshow'))")
    assert len(shown.sent("mount")) == 2


def test_two_pages_of_one_model_never_take_each_others_answers(load: Load) -> None:
    shown = load(PLAN, plans.running(PLAN), answers={"pause": {"text": "paused", "python": "session.pause()"}})
    shown.page.evaluate("another()")
    shown.root.nth(1).get_by_role("button", name="Pause", exact=True).first.click()
    shown.settle()
    notes = shown.page.locator(".sn-note")
    assert [notes.nth(place).text_content() for place in range(2)] == ["", "paused"]


def test_a_view_without_a_plan_or_a_frame_is_there_and_waits(load: Load) -> None:
    shown = load({}, None, parts=DASHBOARD)
    assert shown.root.is_visible()
    shown.page.evaluate("plan => kernelSets('plan', plan)", PLAN)
    shown.push(plans.running(PLAN, 3))
    assert shown.root.locator(".sn-graph [data-row]").count() == 6


@pytest.mark.parametrize("part", [*DASHBOARD, "depths", "stops", "errors"])
def test_each_part_can_stand_alone(load: Load, part: str) -> None:
    shown = load(PLAN, plans.running(PLAN), parts=[part], answers=answers.ALL)
    shown.push(plans.ended(PLAN, 5))
    assert (shown.root.text_content() or "").strip()
