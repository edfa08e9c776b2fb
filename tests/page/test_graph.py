"""The graph: what its rows and edges say, how a stop signal travels, and where it is looked at."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

import runtime
from sage_nb.plan import plan_of
from sage_nb.wire import STATES, Frame, Plan
from tests.page import plans
from tests.page.harness import Shown
from tests.page.plans import Op

Load = Callable[..., Shown]


def edges(shown: Shown, fact: str) -> list[tuple[int, int]]:
    """From which box to which lead the edges that are marked with `fact`."""
    marks: list[bool] = shown.page.evaluate(
        "fact => [...document.querySelectorAll('.sn-edge')].map(edge => edge.hasAttribute(`data-${fact}`))", fact
    )
    return [(edge["source"], edge["target"]) for edge, on in zip(shown.plan["edges"], marks, strict=True) if on]


def label(shown: Shown, name: str) -> str:
    said = shown.row(name).get_attribute("aria-label")
    assert said is not None
    return str(said)


def test_every_state_is_said_in_words_and_has_a_glyph(load: Load) -> None:
    plan = plans.small()
    shown = load(plan, plans.running(plan), parts=["graph"])
    for number, (word, letter) in enumerate(STATES.items(), 2):
        shown.push(plans.running(plan, number, states=letter * 6))
        assert f"split, {word}, queue" in label(shown, "split")
        text = shown.root.locator("[data-row='1'] .sn-faint").text_content()
        assert text == (word if "held back: " in word else f"flat_map · {word}"), "the longest have the line alone"


def test_states_that_matter_differ_in_shape_not_only_in_colour(load: Load) -> None:
    plan = plans.small()
    shown = load(plan, plans.running(plan), parts=["graph"])
    glyphs, borders = {}, {}
    for number, letter in enumerate(STATES.values(), 2):
        shown.push(plans.running(plan, number, states=letter * 6))
        glyphs[letter] = shown.row("split").locator(".sn-glyph").get_attribute("d")
        borders[letter] = shown.page.evaluate(
            "() => { const {strokeDasharray, strokeWidth} = getComputedStyle(document.querySelector('.sn-box-shape'));"
            " return strokeDasharray + strokeWidth }"
        )
    assert len(set(glyphs.values())) == len(glyphs) - 1  # completed and stopped share their check
    assert len({borders[letter] for letter in "frcx"}) == 4


@pytest.mark.parametrize(
    ("depth", "level", "cells"), [(0, None, 0), (7, None, 7), (8, "filling", 8), (11, "high", 11), (12, "full", 12)]
)
def test_a_queue_shows_its_cells_its_number_and_how_full_it_is(
    load: Load, depth: int, level: str | None, cells: int
) -> None:
    plan = plans.plan_of([Op("numbers", "source", 0), Op("add", "map", 1, [("numbers", "round_robin")], capacity=12)])
    shown = load(plan, plans.running(plan, depths=[0, depth]), parts=["graph"])
    row = shown.row("add")
    assert row.locator(".sn-depth").text_content() == f"{depth}/12"
    assert row.locator(".sn-gauge").get_attribute("data-level") == level
    assert (row.locator(".sn-full").get_attribute("d") or "").count("M") == cells


def test_where_there_is_no_room_for_cells_a_short_queue_is_a_bar_with_its_whole_number(load: Load) -> None:
    plan = plans.small()
    shown = load(plan, plans.running(plan, depths=[0, 0, 7, 0, 0, 0]), parts=["graph"])
    assert shown.row("count#1").locator(".sn-full").get_attribute("d").count("M") == 1
    assert shown.row("count#1").locator(".sn-depth").text_content() == "7/12"


def test_a_large_queue_is_a_bar(load: Load) -> None:
    plan = plans.small()
    shown = load(plan, plans.running(plan, depths=[0, 0, 0, 0, 512, 0]), parts=["graph"])
    full, whole = (shown.row("result").locator(each).bounding_box() for each in (".sn-full", ".sn-cells"))
    assert full["width"] / whole["width"] == pytest.approx(0.5, abs=0.05)
    assert shown.row("result").locator(".sn-depth").text_content() == "512/1,024"


def test_a_row_counts_the_producers_that_have_ended_and_says_as_what_it_has(load: Load) -> None:
    plan = plans.small()
    shown = load(plan, plans.running(plan, states="ccrrri", ended=[0, 1, 1, 1, 1, 0], order=[0, 1]), parts=["graph"])
    assert shown.row("result").locator(".sn-stop-count").text_content() == "1/2"
    assert shown.row("split").locator(".sn-order").text_content() == "2"
    assert "1 of 2 producers ended" in label(shown, "result")
    assert label(shown, "split").endswith("ended as number 2")


def test_one_line_goes_around_boxes_that_one_thread_works_and_stays_as_it_is_while_nothing_changes(load: Load) -> None:
    plan = plans.small()
    together = [{"rows": [0, 1], "opened_by": ""}]
    shown = load(plan, plans.running(plan, 1, chains=together), parts=["graph"])
    chain = shown.root.locator(".sn-chain")
    assert chain.locator("title").text_content() == "One thread works these, packet by packet: lines, split"
    assert chain.locator(".sn-chain-line rect").count() == 2
    shown.page.evaluate("document.querySelector('.sn-chain').marked = true")
    shown.push(*(plans.running(plan, number, chains=together) for number in range(2, 12)))
    assert shown.page.evaluate("document.querySelector('.sn-chain').marked") is True, "it was drawn again"
    shown.push(plans.running(plan, 12, chains=[{"rows": [0, 1], "opened_by": "'split' is paused"}]))
    assert chain.count() == 0


def test_a_stop_signal_travels_along_each_way_from_who_has_ended(load: Load) -> None:
    plan = plans.small()
    shown = load(plan, plans.running(plan, 1), parts=["graph"], motion="no-preference")
    shown.push(plans.running(plan, 2, states="crrrri", order=[0]))
    marker = shown.root.locator(".sn-marker")
    assert marker.count() == 1
    path = shown.page.evaluate("document.querySelector('.sn-marker').style.offsetPath")
    assert path.startswith('path("M')
    duration = shown.page.evaluate(
        "document.querySelector('.sn-marker').getAnimations()[0].effect.getTiming().duration"
    )
    assert 0 < duration <= 700
    marker.wait_for(state="detached")
    assert edges(shown, "ended") == [(0, 1)]
    shown.push(plans.running(plan, 3, states="crccri", order=[0, 2, 3]))
    assert marker.count() == 1  # two tasks of one operator, one way
    assert edges(shown, "ended") == [(0, 1), (2, 3)]


def test_a_stop_signal_is_seen_without_movement(load: Load) -> None:
    plan = plans.small()
    shown = load(plan, plans.running(plan, 1), parts=["graph"], motion="reduce")
    shown.push(plans.running(plan, 2, states="crrrri", order=[0]))
    assert shown.root.locator(".sn-marker").count() == 0
    assert edges(shown, "signalled") == [(0, 1)]
    assert edges(shown, "ended") == [(0, 1)]


def test_what_had_ended_before_the_view_was_opened_sends_no_signal(load: Load) -> None:
    plan = plans.small()
    shown = load(plan, plans.ended(plan), parts=["graph"], motion="no-preference")
    assert shown.root.locator(".sn-marker").count() == 0
    assert len(edges(shown, "ended")) == 3


SIGNALS: Any = {
    "4": [
        {"index": 0, "producer": "count#1", "text": "Each(number=3, source='lines')"},
        {"index": 512, "producer": "count#2", "text": "Each(number=3, source='lines')"},
        {"index": 512, "producer": "count#2", "text": "completed"},
    ],
    "2": [{"index": 3, "producer": "split", "text": "Aligned(number=<b>4</b>)"}],
}
"""Signals in a queue that is drawn as a bar, and in one of cells."""


def test_a_signal_that_waits_stands_in_its_place_in_the_queue_and_says_its_name(load: Load) -> None:
    plan = plans.small()
    frame = plans.paused(plan, depths=[0, 0, 4, 0, 512, 0], signals=SIGNALS)
    shown = load(plan, frame, parts=["graph"])
    markers = shown.row("result").locator(".sn-waiting-signal")
    assert [marker.locator("title").text_content() for marker in markers.all()] == [
        "Each(number=3, source='lines') from count#1",
        "Each(number=3, source='lines') from count#2\nstop from count#2 (completed)",
    ]
    full = shown.row("result").locator(".sn-full").bounding_box()
    for marker, edge in zip(markers.all(), (full["x"], full["x"] + full["width"]), strict=True):
        box = marker.bounding_box()
        assert box["x"] + box["width"] / 2 == pytest.approx(edge, abs=1)
    assert "queue 512 of 1,024, 3 signals" in label(shown, "result")

    celled = shown.row("count#1").locator(".sn-waiting-signal")
    assert celled.locator("title").text_content() == "Aligned(number=<b>4</b>) from split"
    cells = shown.row("count#1").locator(".sn-cells").bounding_box()
    box = celled.bounding_box()
    assert box["x"] + box["width"] / 2 == pytest.approx(cells["x"] + cells["width"] * 3 / 12, abs=1)
    celled.hover()
    shapes = shown.page.evaluate("[...document.querySelectorAll('.sn-signal')].map((sign) => sign.getAttribute('d'))")
    assert set(shapes) == {shown.root.locator(".sn-stops .sn-sign").first.get_attribute("d")}  # as the stop signal

    shown.push(plans.paused(plan, 2, depths=[0, 0, 4, 0, 512, 0]))
    assert shown.root.locator(".sn-waiting-signal").count() == 0


def test_a_signal_that_comes_into_a_queue_travels_along_its_edge(load: Load) -> None:
    plan = plans.small()
    shown = load(plan, plans.running(plan, 1), parts=["graph"], motion="no-preference")
    waiting = {"2": [{"index": 1, "producer": "split", "text": "Least(number=4)"}]}
    shown.push(plans.running(plan, 2, signals=waiting))
    marker = shown.root.locator(".sn-marker")
    assert marker.count() == 1
    assert edges(shown, "signalled") == []  # no producer has ended
    marker.wait_for(state="detached")
    moved = {"2": [{**waiting["2"][0], "index": 0}]}
    shown.push(plans.running(plan, 3, signals=moved))
    assert marker.count() == 0  # it is the same one, and has come nearer


FORK = [
    Op("numbers", "source", 0),
    Op("quick", "map", 1, [("numbers", "round_robin")], capacity=4),
    Op("slow", "map", 1, [("numbers", "round_robin")], capacity=4),
]


def test_only_the_way_to_the_full_queue_is_marked_as_blocked(load: Load) -> None:
    plan = plans.plan_of(FORK)
    shown = load(plan, plans.running(plan, states="hrr", depths=[0, 1, 4]), parts=["graph"])
    assert edges(shown, "blocked") == [(0, 2)]
    shown.push(plans.running(plan, 2, states="rrr", depths=[0, 1, 4]))
    assert edges(shown, "blocked") == []


def test_lanes_tell_whose_way_is_blocked(load: Load) -> None:
    plan = plans.plan_of(
        [
            Op("one", "source", 0),
            Op("two", "source", 0),
            Op("both", "map", 1, [("one", "round_robin"), ("two", "round_robin")], capacity=4),
            Op("other", "map", 1, [("one", "round_robin")], capacity=4),
        ]
    )
    frame = plans.running(plan, states="hrrr", depths=[0, 0, 2, 3], lanes={"2": [0, 2, 0]})
    assert edges(load(plan, frame, parts=["graph"]), "blocked") == [(0, 2)]


def test_a_new_plan_is_drawn_and_a_frame_of_another_one_is_not(load: Load) -> None:
    plan = plans.small()
    shown = load(plan, plans.running(plan), parts=["graph"])
    fork = plans.plan_of(FORK, revision=2)
    shown.push(plans.running(fork, 3, states="ppp"))  # it has overtaken its plan
    assert shown.root.locator("[data-row]").count() == 6
    shown.page.evaluate("plan => kernelSets('plan', plan)", fork)
    shown.settle()
    shown.plan = fork
    assert label(shown, "quick").startswith("quick, paused")


def test_a_new_plan_is_painted_even_if_the_last_frame_of_the_old_one_came_just_before(load: Load) -> None:
    plan, again = plans.small(), plans.small(revision=2)
    shown = load(plan, plans.running(plan, 1))
    news = [json.dumps(plans.ended(plan, 2)), again, json.dumps(plans.running(again, 1, depths=[0, 3, 0, 0, 0, 0]))]
    shown.page.evaluate(  # in one animation frame; behind it, nothing changes any more
        "([last, plan, first]) => { kernelSets('frame', last); kernelSets('plan', plan); kernelSets('frame', first); }",
        news,
    )
    shown.settle()
    assert "queue 3 of 4" in label(shown, "split")


def test_two_hundred_rows_are_all_painted_those_out_of_sight_a_little_later(load: Load) -> None:
    plan = plans.large()
    shown = load(plan, plans.running(plan, 1), parts=["graph"], collapse=20)
    shown.push(plans.paused(plan, 2, states="p" * 200))
    assert "paused" in label(shown, "source#1")
    shown.page.wait_for_function("document.querySelectorAll('[data-row][data-state=paused]').length === 200")


def test_a_grouped_plan_says_so(load: Load) -> None:
    plan = plans.small(grouped=True, note="1,204 tasks, shown by operator")
    assert load(plan, parts=["graph"]).root.get_by_text("1,204 tasks, shown by operator").is_visible()


@pytest.mark.parametrize("width", [420, 700, 1200])
@pytest.mark.parametrize("make", [plans.small, plans.middle, plans.large])
def test_the_graph_scrolls_in_its_own_area_and_is_readable(load: Load, width: int, make: Any) -> None:
    plan = make()
    shown = load(plan, plans.running(plan), width=width)
    assert shown.page.evaluate("document.documentElement.scrollWidth") <= width
    assert shown.page.evaluate("document.querySelector('.sn-drawing').getScreenCTM().a") >= 0.745
    shown.root.get_by_role("button", name="Fit all of the graph").click()
    inside = shown.page.evaluate(
        "(({scrollWidth, clientWidth}) => scrollWidth <= clientWidth)(document.querySelector('.sn-area'))"
    )
    assert inside


def test_larger_and_smaller_keep_what_is_in_the_middle(load: Load) -> None:
    plan = plans.large()
    shown = load(plan, plans.running(plan), parts=["graph"])
    middle = "(area => (area.scrollLeft + area.clientWidth / 2) / area.scrollWidth)(document.querySelector('.sn-area'))"
    shown.page.evaluate("document.querySelector('.sn-area').scrollLeft = 800")
    before = shown.page.evaluate(middle)
    shown.root.get_by_role("button", name="Larger").click()
    assert shown.page.evaluate(middle) == pytest.approx(before, abs=0.02)


BEYOND = "() => [...document.querySelectorAll('.sn-beyond:not([hidden])')].map(each => each.dataset.side).sort()"


def test_where_the_graph_is_cut_off_an_arrow_says_so_and_leads_there(load: Load) -> None:
    plan = plans.large()
    shown = load(plan, plans.running(plan), parts=["graph"])
    assert shown.page.evaluate(BEYOND) == ["right"]
    shown.root.locator(".sn-beyond[data-side=right] span").click()
    shown.page.wait_for_function(f"({BEYOND})().join() === 'left,right'")
    shown.page.evaluate("document.querySelector('.sn-area').scrollLeft = 1e6")
    shown.page.wait_for_function(f"({BEYOND})().join() === 'left'")
    shown.root.get_by_role("button", name="Fit all of the graph").click()
    assert shown.page.evaluate(BEYOND) == []


def test_a_graph_that_is_a_little_too_wide_is_made_to_fit(load: Load) -> None:
    plan = plans.small()
    shown = load(plan, plans.running(plan), parts=["graph"], width=800)
    assert shown.page.evaluate("(area => area.scrollWidth - area.clientWidth)(document.querySelector('.sn-area'))") <= 0


def held_back() -> tuple[Plan, Frame]:
    """The plan of a real graph with a short edge, and a frame in which it is held back."""
    with runtime.Session("short") as session:
        session.source([1], name="numbers").map(str, name="text", parallelism=2).collect(name="result")
        plan = plan_of(session, 1)
    return plan, plans.running(plan, states="hhhr", depths=[0, 9999, 9999, 9999])


def test_the_sign_of_a_barrier_stands_free_of_label_and_box(load: Load) -> None:
    plan, frame = held_back()
    shown = load(plan, frame, parts=["graph"])
    assert edges(shown, "blocked") == [(0, 1), (1, 2)]
    gaps = shown.page.evaluate(
        """() => [...document.querySelectorAll('.sn-edge-label')].map((label, at) => {
             const text = label.querySelector('rect').getBBox(), sign = document.querySelectorAll('.sn-barrier')[at];
             return sign.getBBox().x - (text.x + text.width); })"""
    )
    assert gaps
    assert min(gaps) >= 3


@pytest.mark.parametrize(("producers", "rows"), [(2, 3), (9, 9), (16, 12), (3, 100)])
def test_a_queue_of_four_figures_has_room_in_each_line(load: Load, producers: int, rows: int) -> None:
    with runtime.Session("wide", capacity=1024) as session:
        numbers = session.source([1], name="numbers").map(str, name="text", parallelism=producers)
        numbers.map(str, name="wide", parallelism=rows).collect(name="result")
        plan = plan_of(session, 1)
    count = len(plan["rows"])
    shown = load(plan, plans.running(plan, depths=[1006] * count), parts=["graph"], collapse=100)
    assert shown.row("wide#1").locator(".sn-depth").text_content() == "1,006/1,024"
    assert shown.page.evaluate(OUTSIDE) == []
    assert shown.page.evaluate(OVERLAPPING) == []


OUTSIDE = """() => [...document.querySelectorAll('.sn-box')].flatMap(box => {
  const edge = box.querySelector('.sn-box-shape').getBBox();
  return [...box.querySelectorAll('text')].filter(text => {
    const {x, width} = text.getBBox();
    return width > 0 && (x < edge.x + 2 || x + width > edge.x + edge.width - 2);
  }).map(text => text.textContent);
})"""

OVERLAPPING = """() => [...document.querySelectorAll('[data-row]')].flatMap(row => {
  const texts = [...row.querySelectorAll('text, .sn-gauge')].filter(each => each.getBBox().width > 0);
  const boxes = texts.map(each => each.getBBox());
  const over = (one, other) => one.x < other.x + other.width - 1 && other.x < one.x + one.width - 1
    && one.y + 3 < other.y + other.height - 3 && other.y + 3 < one.y + one.height - 3;
  return texts.flatMap((text, at) => texts.slice(at + 1).filter((_, next) => over(boxes[at], boxes[at + 1 + next]))
    .map(other => `${text.textContent} | ${other.textContent}`));
})"""


@pytest.mark.parametrize("collapse", [1, 8, 100])
@pytest.mark.parametrize("make", [plans.small, plans.middle, plans.large])
def test_no_text_leaves_its_box_or_lies_on_another(load: Load, make: Any, collapse: int) -> None:
    plan = make()
    errors = [12] * len(plan["rows"])
    shown = load(plan, plans.running(plan, 123_456, errors=errors), parts=["graph"], collapse=collapse)
    for frame in (None, plans.ended(plan, 123_457, errors=errors)):
        if frame is not None:
            shown.push(frame)
            shown.page.wait_for_function("document.querySelectorAll('[data-row][data-state=ended]').length > 4")
        assert shown.page.evaluate(OUTSIDE) == []
        assert shown.page.evaluate(OVERLAPPING) == []


def test_what_is_selected_is_marked_in_the_shape_of_its_box(load: Load) -> None:
    shown = load(plans.small(), plans.running(plans.small()), parts=["graph"])
    marked = float(shown.row("lines").locator(".sn-row-frame").get_attribute("rx"))
    shape = shown.root.locator(".sn-box", has=shown.page.locator("[data-row='0']")).locator(".sn-box-shape")
    assert 0 < float(shape.get_attribute("rx")) - marked <= 4
    service = shown.row("clock").locator(".sn-row-frame")
    assert service.evaluate("each => each.localName") == "path", "a hexagon, as its box"


def test_the_legend_knows_every_way_to_end(load: Load) -> None:
    shown = load(plans.small(), plans.running(plans.small()), parts=["graph"])
    legend = shown.root.locator(".sn-legend").text_content()
    assert all(word in legend for word in ("completed", "failed", "cancelled"))


def test_numbers_are_written_in_one_way(load: Load) -> None:
    plan = plans.small()
    shown = load(plan, plans.running(plan, depths=[0, 3, 6, 0, 1011, 0]), parts=["graph"])
    assert "queue 1,011 of 1,024" in label(shown, "result")
    assert "1,011/1,024" in (shown.row("result").text_content() or "")


def test_a_source_counts_what_it_made_once_to_however_many_it_was_sent(load: Load) -> None:
    plan = plans.small()
    shown = load(plan, plans.running(plan, processed=[9] * 6, emitted=[18] * 6), parts=["graph"])
    assert "9 out" in (shown.row("lines").text_content() or "")
