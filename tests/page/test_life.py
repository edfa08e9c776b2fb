"""How a view comes and goes: what it tells the kernel, what it leaves behind, and several of one model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import pytest
from playwright.sync_api import expect

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


def controls(shown: Shown) -> list[tuple[str, str | None]]:
    buttons = shown.root.locator(".sn-toolbar .sn-buttons button").all()
    return [(button.get_attribute("aria-disabled"), button.get_attribute("title")) for button in buttons]


def test_a_kernel_that_is_not_heard_of_any_more_is_missed_within_two_seconds(load: Load) -> None:
    shown = load(PLAN, plans.running(PLAN, 7), answers={"stop": None})
    shown.root.get_by_role("button", name="Stop", exact=True).click()  # it will not be answered
    before = shown.root.locator(".sn-status-text").text_content()
    shown.page.evaluate("beating = false")
    lost = shown.root.locator(".sn-lost")
    expect(lost).to_have_text(
        "This is how it was last seen: no word from its kernel: it has gone, or is too busy to answer.", timeout=2_000
    )
    expect(shown.root.locator(".sn-status-text")).to_have_text(f"last seen: {before}")
    expect(shown.root.locator(".sn-note")).to_have_text(
        "no word from its kernel: it has gone, or is too busy to answer"
    )
    assert {(disabled, "no word from its kernel" in (title or "")) for disabled, title in controls(shown)} == {
        ("true", True)
    }
    sent = len(shown.sent())
    shown.root.get_by_role("button", name="Cancel", exact=True).click(force=True)
    assert len(shown.sent()) == sent
    shown.page.evaluate("beating = true")
    expect(lost).to_be_hidden()
    expect(shown.root.locator(".sn-status-text")).to_have_text(str(before))
    assert shown.sent("mount") == 2 * shown.sent("mount")[:1], "it may have missed that this page looks"
    shown.root.get_by_role("button", name="Cancel", exact=True).click()
    assert shown.sent("cancel")


@pytest.mark.parametrize("status", ["restarting", "autorestarting", "dead"])
def test_when_the_application_says_that_the_kernel_has_gone_it_has(load: Load, status: str) -> None:
    shown = load(PLAN, plans.running(PLAN, 7), application=True)
    shown.page.evaluate("status => kernel.statusChanged.emit(status)", status)
    shown.settle()
    assert shown.root.locator(".sn-lost").is_visible()
    for word in ("starting", "idle", "busy"):  # another one, which knows nothing of this view
        shown.page.evaluate("status => kernel.statusChanged.emit(status)", word)
    for word in ("connecting", "connected"):
        shown.page.evaluate("status => kernel.connectionStatusChanged.emit(status)", word)
    shown.settle()
    assert "run the cell again" in (shown.root.locator(".sn-lost").text_content() or "")
    assert {disabled for disabled, _ in controls(shown)} == {"true"}
    shown.page.evaluate("unmount()")
    assert shown.page.evaluate("kernel.statusChanged.slots.size + kernel.disposed.slots.size") == 0


def test_a_connection_that_was_lost_and_is_there_again_brings_the_view_back(load: Load) -> None:
    shown = load(PLAN, plans.running(PLAN, 7), application=True)
    shown.page.evaluate("beating = false; kernel.connectionStatusChanged.emit('connecting')")
    shown.settle()
    assert "the connection to its kernel is lost" in (shown.root.locator(".sn-lost").text_content() or "")
    shown.page.evaluate("kernel.connectionStatusChanged.emit('connected')")
    shown.settle()
    assert shown.root.locator(".sn-lost").is_hidden()
    assert shown.root.get_by_role("button", name="Pause", exact=True).get_attribute("aria-disabled") is None


def test_the_clock_of_a_job_does_not_go_on_without_its_kernel(load: Load) -> None:
    shown = load(PLAN, plans.running(PLAN, 1), application=True)
    shown.page.wait_for_function("Number(document.querySelector('.sn-slider').max) > 1.2")  # no news, and time goes on
    shown.page.evaluate("kernel.statusChanged.emit('restarting')")
    shown.page.wait_for_function("Number(document.querySelector('.sn-slider').max) < 1")  # as it was last seen


def test_a_closed_session_is_not_missed(load: Load) -> None:
    shown = load(PLAN, plans.ended(PLAN, 7, closed=True), clock=True)
    shown.page.evaluate("beating = false")
    shown.page.clock.run_for(10_000)
    assert shown.root.locator(".sn-lost").is_hidden()


@pytest.mark.parametrize("event", ["kernel_restarting", "kernel_autorestarting", "kernel_dead", "kernel_killed"])
def test_when_the_classic_notebook_says_that_the_kernel_has_gone_it_has(load: Load, event: str) -> None:
    shown = load(PLAN, plans.running(PLAN, 7), classic=True)
    shown.page.evaluate("event => classic.tell(event + '.Kernel')", event)
    shown.settle()
    assert "run the cell again" in (shown.root.locator(".sn-lost").text_content() or "")
    shown.page.evaluate("classic.tell('kernel_connected.Kernel')")
    shown.settle()
    assert shown.root.locator(".sn-lost").is_visible()
    shown.page.evaluate("unmount()")
    assert shown.page.evaluate("classic.listening()") == 0


# For how many ms the kernel had been silent when the view said so, by a timer of the page: a busy machine delays both.
_SILENCE: Final = """() => new Promise((done) => {
  const lost = document.querySelector('.sn-lost');
  window.beating = false;
  kernelSends({beat: 2, busy: false});
  let silent = 0;
  setInterval(() => { silent += 250; }, 250);
  new MutationObserver(() => lost.hidden || done(silent)).observe(lost, {attributes: true});
})"""


def test_silence_is_noticed_well_within_two_seconds_whatever_the_application_tells(load: Load) -> None:
    for told in ({}, {"application": True}, {"classic": True}):
        shown = load(PLAN, plans.running(PLAN, 7), **told)
        assert 750 <= shown.page.evaluate(_SILENCE) <= 1_750, told
