"""The timeline: what it keeps, how one looks back in it, what it asks for; and the log."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sage_nb.wire import EventCard, Frame
from tests.page import plans
from tests.page.harness import Shown

Load = Callable[..., Shown]
PLAN = plans.small()
PARTS = ["graph", "timeline", "log", "toolbar"]


def run(first: int, last: int) -> list[Frame]:
    return [plans.running(PLAN, number) for number in range(first, last)]


def events(first: int, last: int) -> list[EventCard]:
    return [plans.event(number, "turn", 1, f"turn {number}", number / 10) for number in range(first, last)]


def queue_of(shown: Shown, name: str) -> str:
    return str(shown.row(name).locator(".sn-depth").text_content())


def said(frame: Frame, row: int) -> str:
    return f"{frame['depths'][row]}/{PLAN['rows'][row]['capacity']}"


def note(shown: Shown) -> str:
    return str(shown.root.locator(".sn-looking").text_content())


def test_looking_back_shows_the_graph_as_it_was_and_says_so(load: Load) -> None:
    frames = run(1, 20)
    shown = load(PLAN, frames[0], parts=PARTS)
    shown.push(*frames[1:])
    back = shown.root.get_by_role("button", name="One look back")
    for _ in range(3):
        back.click()
    shown.settle()
    assert queue_of(shown, "split") == said(frames[-4], 1)
    assert note(shown).startswith("looking back at 1.60 s")
    shown.root.get_by_role("button", name="One look on").click()
    shown.settle()
    assert queue_of(shown, "split") == said(frames[-3], 1)


def test_what_goes_on_meanwhile_waits_until_one_comes_back(load: Load) -> None:
    frames = run(1, 20)
    shown = load(PLAN, frames[0], parts=PARTS)
    shown.push(*frames[1:10])
    shown.root.get_by_role("button", name="One look back").click()
    shown.push(*frames[10:])
    assert queue_of(shown, "split") == said(frames[8], 1)
    assert str(shown.root.locator(".sn-status-text").text_content()).startswith("running · 16,606 in")
    shown.root.get_by_role("button", name="Live").last.click()
    shown.settle()
    assert queue_of(shown, "split") == said(frames[-1], 1)
    assert note(shown) == ""


def test_the_slider_and_a_click_go_to_a_time(load: Load) -> None:
    frames = [*run(0, 40), plans.running(PLAN, 40, state="completed")]
    shown = load(PLAN, frames[0], parts=PARTS)
    shown.push(*frames[1:])
    shown.page.wait_for_function("document.querySelector('.sn-slider').max === '4'")
    slider = shown.root.get_by_label("Look back in time")
    shown.page.evaluate(
        "slider => { slider.value = '2.0'; slider.dispatchEvent(new Event('input', {bubbles: true})); }",
        slider.element_handle(),
    )
    shown.settle()
    assert queue_of(shown, "split") == said(frames[20], 1)
    assert slider.get_attribute("aria-valuetext") == "2.00 s"
    box = shown.root.locator(".sn-canvas").bounding_box()
    assert box is not None
    shown.page.mouse.click(box["x"] + 132 + (box["width"] - 144) * 0.25 + 1, box["y"] + 30)
    shown.settle()
    assert note(shown).startswith("looking back at 1.00 s")
    slider.press("ArrowRight")
    shown.settle()
    assert note(shown).startswith("looking back at 1.10 s")


def test_of_a_long_run_a_bounded_number_of_frames_is_kept_from_its_first_to_its_last(load: Load) -> None:
    shown = load(PLAN, plans.running(PLAN, 1), parts=["timeline"])
    kept = shown.page.evaluate(
        """async frame => {
             for (let number = 2; number <= 3000; number++)
               kernelSets('frame', JSON.stringify({...frame, number, at_s: number / 10, events: []}));
             await painted();
             const slider = document.querySelector('.sn-slider'), times = new Set();
             const back = document.querySelector('.sn-scrub button');
             for (let count = 0; count < 700; count++) { back.click(); times.add(slider.getAttribute('aria-valuetext'));
               if (count % 50 == 0) await painted(); }
             await painted();
             return [times.size, slider.getAttribute('aria-valuetext')];
           }""",
        plans.running(PLAN, 1),
    )
    assert kept[1] == "0.100 s"


def test_a_gap_in_the_events_is_asked_for_once_and_filled(load: Load) -> None:
    earlier = {"events": {"result": {"first": 0, "events": events(0, 3)}}}
    shown = load(PLAN, plans.running(PLAN, 1, events=events(3, 4)), parts=PARTS, answers=earlier)
    assert [each["args"] for each in shown.sent("events")] == [{"first": 0}]
    shown.answer(events={"result": {"first": 4, "events": events(4, 9)}})
    shown.push(plans.running(PLAN, 2, events=events(8, 9)))
    shown.push(plans.running(PLAN, 3, events=events(9, 10)))
    assert [each["args"] for each in shown.sent("events")] == [{"first": 0}, {"first": 4}]
    shown.root.locator(".sn-log-all summary").click()
    shown.settle()
    lines = shown.root.locator(".sn-log-list li").all_text_contents()
    assert [line.rpartition(" ")[2] for line in lines] == [str(number) for number in range(9, -1, -1)]


def test_events_that_the_kernel_has_forgotten_are_not_asked_for_again(load: Load) -> None:
    forgotten = {"events": {"result": {"first": 5, "events": events(5, 7)}}}
    shown = load(PLAN, plans.running(PLAN, 1, events=events(6, 7)), parts=PARTS, answers=forgotten)
    shown.push(*(plans.running(PLAN, number, events=events(number + 5, number + 6)) for number in range(2, 6)))
    assert len(shown.sent("events")) == 1


def test_the_log_says_the_newest_not_more_than_once_a_second(load: Load) -> None:
    shown = load(PLAN, plans.running(PLAN, 1, events=events(0, 1)), parts=PARTS, clock=True)
    line = shown.root.locator(".sn-log-line")
    assert line.get_attribute("aria-live") == "polite"
    shown.page.evaluate(
        """window.said = 0;
           new MutationObserver(() => said++).observe(document.querySelector('.sn-log-line .sn-quoted'),
             {characterData: true, subtree: true, childList: true})"""
    )
    for number in range(2, 32):
        frame = plans.running(PLAN, number, events=events(number - 1, number))
        shown.page.evaluate("frame => kernelSets('frame', JSON.stringify(frame))", frame)
        shown.page.clock.run_for(100)
    shown.page.clock.run_for(1_100)
    assert 3 <= shown.page.evaluate("said") <= 5
    assert "turn 30" in str(line.text_content())


def test_the_log_names_whose_a_happening_is_and_when(load: Load) -> None:
    happened = [plans.event(0, "stop signal", 2, "received stop from split: 1 of 1, ending", 3.21)]
    shown = load(PLAN, plans.running(PLAN, 40, events=happened), parts=["log"])
    line = shown.root.locator(".sn-log-line")
    assert line.text_content() == "3.21 scount#1: received stop from split: 1 of 1, ending"
    job = [plans.event(1, "command", -1, "stop()", 3.3)]
    shown = load(PLAN, plans.running(PLAN, 40, events=job), parts=["log"])
    assert shown.root.locator(".sn-log-line").text_content() == "3.30 sstop()"


def pixels(shown: Shown, lane: int) -> list[str]:
    """The colours in the middle of a lane, from left to right, without those that are next to the same."""
    found: list[str] = shown.page.evaluate(
        """lane => { const canvas = document.querySelector('.sn-canvas'), y = 20 + 16 * lane + 8 - 3;
             const row = canvas.getContext('2d').getImageData(140, y, canvas.width - 160, 1).data, seen = [];
             for (let x = 0; x < row.length; x += 4) {
               const colour = row[x + 3] === 0 ? '' : [row[x], row[x + 1], row[x + 2]].join();
               if (colour !== seen.at(-1)) seen.push(colour); }
             return seen; }""",
        lane,
    )
    return found


def test_a_lane_shows_each_state_and_two_hundred_lanes_scroll(load: Load) -> None:
    plan = plans.large()
    frames = [
        plans.running(plan, number, states=("r" if number < 20 else "i") * 200, events=[]) for number in range(41)
    ]
    shown = load(plan, frames[0], parts=["timeline"])
    shown.push(*frames[1:])
    shown.paint_timeline()
    assert "0,114,178" in pixels(shown, 1)
    height = shown.root.locator(".sn-lane-area").evaluate("each => [each.clientHeight, each.scrollHeight]")
    assert height[0] < 200 < 200 * 16 < height[1]


@pytest.mark.parametrize("kind", ["stop signal", "error", "skip", "end", "command"])
def test_a_happening_is_marked_in_its_lane(load: Load, kind: str) -> None:
    blank: Any = plans.running(PLAN, 40, states="iiiiii", events=[])
    shown = load(PLAN, blank, parts=["timeline"])
    shown.paint_timeline()
    empty = pixels(shown, 2)
    shown = load(PLAN, {**blank, "events": [plans.event(0, kind, 2, kind, 2.1)]}, parts=["timeline"])
    shown.paint_timeline()
    assert pixels(shown, 2) != empty


def test_while_the_job_runs_a_lane_goes_on_to_the_end_of_the_axis(load: Load) -> None:
    still: Any = plans.running(PLAN, 1, states="rrrrrr", events=[])  # of 0.1 s; the axis is of 0.5 s
    shown = load(PLAN, still, parts=["timeline"])
    shown.paint_timeline()
    assert pixels(shown, 1)[-1] == "0,114,178"
    shown = load(PLAN, {**still, "state": "stopped"}, parts=["timeline"])
    shown.paint_timeline()
    assert pixels(shown, 1)[-1] != "0,114,178"


def test_of_more_lanes_than_fit_it_says_which_are_in_sight(load: Load) -> None:
    plan = plans.large()
    shown = load(plan, plans.running(plan, 9), parts=["timeline"])
    which = shown.root.locator(".sn-which-lanes")
    shown.paint_timeline()
    assert which.text_content() == "lanes 1–9 of 200: scroll for the others"
    assert shown.root.locator(".sn-canvas[data-below]").count() == 1
    shown.page.evaluate("document.querySelector('.sn-lane-area').scrollTop = 1e6")
    shown.paint_timeline()
    assert which.text_content().endswith("–200 of 200: scroll for the others")
    assert shown.root.locator(".sn-canvas[data-below]").count() == 0
    shown = load(PLAN, plans.running(PLAN, 9), parts=["timeline"])
    shown.paint_timeline()
    assert which.text_content() == ""


def test_the_axis_of_a_job_that_has_ended_ends_with_what_came_last(load: Load) -> None:
    ends = [plans.event(number, "end", number, "completed", 1.0 + number / 10) for number in range(6)]
    frames = [plans.running(PLAN, 1, events=[]), plans.ended(PLAN, 90, events=ends)]
    shown = load(PLAN, frames[0], parts=["timeline"])
    shown.push(*frames[1:])
    shown.paint_timeline()
    assert float(shown.root.get_by_label("Look back in time").get_attribute("max")) == 1.5


def test_time_goes_on_for_a_job_that_stands_still_until_it_has_ended(load: Load) -> None:
    shown = load(PLAN, plans.paused(PLAN, 1, states="pppppp"), parts=["timeline"])
    shown.push(plans.paused(PLAN, 20, states="pppppp", events=[]))
    shown.page.evaluate(
        "() => { const now = performance.now.bind(performance); performance.now = () => now() + 5_000; }"
    )
    shown.page.wait_for_function("Number(document.querySelector('.sn-slider').max) > 6.9")
    shown.push(plans.ended(PLAN, 90, events=[]))
    shown.page.wait_for_function("document.querySelector('.sn-slider').max === '9'")
    shown.page.evaluate("performance.now = () => 1e9")
    shown.paint_timeline()
    assert shown.root.get_by_label("Look back in time").get_attribute("max") == "9"


def test_a_time_that_cannot_be_does_not_keep_the_page_busy(load: Load) -> None:
    shown = load(PLAN, plans.running(PLAN, 1, at_s=1e13), parts=["timeline"])
    shown.paint_timeline()
    assert shown.root.get_by_label("Look back in time").get_attribute("max") == "10000000000000"


def test_a_page_that_comes_late_can_look_back_at_all_that_others_have_seen(load: Load) -> None:
    frames = run(1, 20)
    shown = load(PLAN, frames[14], parts=PARTS, answers={"frames": {"result": {"frames": frames[:16]}}})
    shown.push(*frames[15:])
    assert shown.sent("frames") == [{"cmd": "frames", "args": {}}]
    back = shown.root.get_by_role("button", name="One look back")
    for _ in range(18):
        back.click()
    shown.settle()
    assert queue_of(shown, "split") == said(frames[0], 1)


def test_a_flood_of_skips_does_not_push_out_the_start_of_the_run(load: Load) -> None:
    start = plans.event(0, "start", 0, "the job has started", 0.0)
    skips = [plans.event(number, "skip", 1, f"skip {number}", number / 1_000) for number in range(1, 6_001)]
    shown = load(PLAN, plans.running(PLAN, 1, events=[start]), parts=PARTS)
    end = plans.event(6_001, "end", 0, "the job has ended", 8.0)  # with it the time axis stands still
    shown.push(plans.ended(PLAN, 80, events=[*skips, end]))
    box = shown.root.locator(".sn-timeline canvas").bounding_box()
    assert box is not None

    def told(share: float, lane: int) -> str:
        shown.page.mouse.move(box["x"] + 132 + (box["width"] - 144) * share, box["y"] + 28 + 16 * lane)
        return str(shown.root.locator(".sn-timeline-foot .sn-hint").first.text_content())

    assert "the job has started" in told(0.001, 0)
    assert "skip" not in told(0.02, 1), "of the flood, the first have gone"
    assert "skip" in told(0.7, 1)


def test_what_was_printed_in_a_run_started_here_stands_below_the_log(load: Load) -> None:
    first = {"result": {"first": 0, "lines": ["seen <b>1</b>", "seen 2"]}}
    shown = load(PLAN, plans.running(PLAN, 1), parts=PARTS, answers={"printed": first})
    prints = shown.root.locator(".sn-printed")
    assert prints.is_hidden()
    shown.push(plans.running(PLAN, 2, printed=2))
    prints.locator("pre").get_by_text("seen <b>1</b>").wait_for()
    assert "printed: 2 lines" in (prints.text_content() or "")
    shown.answer(printed={"result": {"first": 2, "lines": ["seen 3"]}})
    shown.push(plans.running(PLAN, 3, printed=3))
    prints.locator("pre").get_by_text("seen 3").wait_for()
    assert [each["args"] for each in shown.sent("printed")] == [{"first": 0}, {"first": 2}]


# ── what nobody looked at ──

# split: held back, then both kinds of work; count#1: worked and waited, with nothing known of processors
PAST = [
    "0.000|2.000,30,62,38|5.000,0,0,0,0,0,100",
    "0.100|3.000,10,10,0,90|5.000,20,60,40",
    "0.500|5.000,,50,0,0,0,50",
    "",
    "",
    "",
]


def height(shown: Shown, row: int, share: float) -> int:
    """How many pixels of a lane are painted, up and down, at a part of the axis. The line and the tint are below it."""
    return int(
        shown.page.evaluate(
            """([row, share]) => { const canvas = document.querySelector('.sn-canvas');
                 const ratio = window.devicePixelRatio || 1, gutter = 132, end = 12;
                 const x = Math.round((gutter + (canvas.width / ratio - gutter - end) * share) * ratio);
                 const top = Math.round((20 + 16 * row) * ratio);
                 const { data } = canvas.getContext('2d').getImageData(x, top, 3, Math.round(16 * ratio));
                 let rows = 0;
                 for (let y = 0; y < data.length / 12; y++) {
                   const strong = [0, 1, 2].some((each) => { const at = (y * 3 + each) * 4;
                     return data[at + 3] > 45 && Math.max(data[at], data[at + 1], data[at + 2]) -
                       Math.min(data[at], data[at + 1], data[at + 2]) > 60; });
                   rows += strong; }
                 return rows; }""",
            [row, share],
        )
    )


def hover(shown: Shown, row: int, share: float) -> str:
    box = shown.root.locator(".sn-canvas").bounding_box()
    assert box is not None
    shown.page.mouse.move(box["x"] + 132 + (box["width"] - 144) * share, box["y"] + 28 + 16 * row)
    return str(shown.root.locator(".sn-timeline .sn-hint").first.text_content())


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_what_was_before_the_first_look_is_there_as_the_engine_measured_it(load: Load, theme: str) -> None:
    told = {"past": {"result": {"rows": PAST, "until_s": 5.0, "note": ""}}}
    first = plans.running(PLAN, 50, since_s=5.0)
    shown = load(PLAN, first, parts=PARTS, answers=told, theme=theme)
    shown.push(*(plans.running(PLAN, number, since_s=5.0) for number in range(51, 101)))
    shown.paint_timeline()
    assert [each["args"] for each in shown.sent("past")] == [{}]  # once
    assert hover(shown, 1, 0.1).endswith(" s · nobody looked · split: on the processor 10 %, held back 90 %")
    assert "split: on the processor 20 %, busy, off the processor 40 %, idle 40 %" in hover(shown, 1, 0.4)
    assert "count#1: busy 50 %, waiting 50 %" in hover(shown, 2, 0.3)
    assert "nothing is known" in hover(shown, 3, 0.3)
    assert "nobody looked" not in hover(shown, 1, 0.7)
    busy = [height(shown, 1, share) for share in (0.1, 0.4)]
    assert busy[0] > busy[1] > 3, busy  # all of its time, then six tenths
    assert height(shown, 3, 0.3) == 0


def test_a_time_between_two_looks_is_asked_for_once_it_is_over(load: Load) -> None:
    told = {"past": {"result": {"rows": PAST, "until_s": 3.0, "note": ""}}}
    shown = load(PLAN, plans.running(PLAN, 1), parts=PARTS, answers=told)
    shown.push(*run(2, 11))
    assert shown.sent("past") == []
    shown.push(*(plans.running(PLAN, number, since_s=3.0) for number in range(30, 41)))
    shown.paint_timeline()
    assert len(shown.sent("past")) == 1
    assert "nobody looked · split: on the processor 10 %" in hover(shown, 1, 0.5)
    assert "nobody looked" not in hover(shown, 1, 0.1)
    assert "nobody looked" not in hover(shown, 1, 0.9)


def test_where_time_is_virtual_the_lanes_say_why_nothing_is_known(load: Load) -> None:
    told = {"past": {"result": {"rows": [""] * 6, "until_s": 0.0, "note": "it runs under a seed"}}}
    shown = load(PLAN, plans.running(PLAN, 50, since_s=5.0), parts=PARTS, answers=told)
    shown.push(plans.running(PLAN, 60, since_s=5.0))
    shown.paint_timeline()
    assert "nobody looked · split: it runs under a seed" in hover(shown, 1, 0.3)
    assert len(shown.sent("past")) == 1
