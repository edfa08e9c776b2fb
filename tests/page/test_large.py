"""Large graphs: parallel tasks in one row, an overview of many operators, and no text that could not be read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import runtime
from sage_nb.plan import COLLAPSE_BEYOND, plan_of
from sage_nb.wire import Plan
from tests.page import plans
from tests.page.harness import Shown
from tests.page.plans import Op

Load = Callable[..., Shown]

STATES = "r" * 12 + "h" * 3 + "w" * 17
"""Of 32 tasks."""


def wide(parallelism: int = 32) -> Plan:
    """A source, an operator of so many tasks, a sink."""
    return plans.plan_of(
        [
            Op("lines", "source", 0),
            Op("count", "map", 1, [("lines", "hash")], parallelism=parallelism, capacity=4),
            Op("result", "collect", 2, [("count", "round_robin")], capacity=64),
        ]
    )


def chain(operators: int) -> Plan:
    """So many operators, one after the other."""
    ops = [Op("lines", "source", 0)]
    for column in range(1, operators):
        ops.append(Op(f"stage {column}", "map", column, [(ops[-1].name, "round_robin")]))
    return plans.plan_of(ops)


def group(shown: Shown) -> Any:
    return shown.root.locator(".sn-group-row")


def heights(shown: Shown) -> list[float]:
    found: list[float] = shown.page.evaluate(
        "[...document.querySelectorAll('.sn-box-shape')].map(each => each.getBBox().height)"
    )
    return found


def focused(shown: Shown) -> str:
    return str(shown.page.evaluate("document.activeElement.getAttribute('aria-label').split(',')[0]"))


# ── parallel tasks ──


def test_more_than_eight_parallel_tasks_are_one_row_that_counts_them_by_state(load: Load) -> None:
    plan = wide()
    frame = plans.running(plan, states="r" + STATES + "i", depths=[0, *[4] * 3, *[2] * 29, 9])
    shown = load(plan, frame, parts=["graph"])
    assert group(shown).count() == 1
    assert (
        group(shown)
        .get_attribute("aria-label")
        .startswith("count, 32 tasks, 17 waiting, 12 running, 3 held back, queues 70 of 128")
    )
    assert group(shown).locator(".sn-states").text_content() == "17 waiting · 12 running · 3 held back"
    assert "map × 32" in (shown.root.locator(".sn-box-head").text_content() or "")
    assert shown.root.locator(".sn-graph [data-row]").count() == 3


def test_eight_parallel_tasks_have_a_row_each(load: Load) -> None:
    plan = wide(COLLAPSE_BEYOND)
    shown = load(plan, plans.running(plan), parts=["graph"])
    assert group(shown).count() == 0
    assert shown.root.locator(".sn-graph [data-row]").count() == COLLAPSE_BEYOND + 2


def test_one_task_that_has_failed_is_said_first(load: Load) -> None:
    plan = wide()
    shown = load(plan, plans.running(plan, states="r" + "r" * 31 + "f" + "i"), parts=["graph"])
    assert (group(shown).locator(".sn-states").text_content() or "").startswith("1 failed · 31 running")
    assert group(shown).get_attribute("data-state") == "failed"


def test_the_row_follows_its_tasks(load: Load) -> None:
    plan = wide()
    shown = load(plan, plans.running(plan), parts=["graph"])
    shown.push(plans.ended(plan, 2))
    assert "32 completed" in group(shown).get_attribute("aria-label")
    assert group(shown).locator(".sn-stop-count").text_content() == "1/1"


def test_a_queue_that_is_fuller_than_its_sisters_is_seen(load: Load) -> None:
    plan = wide()
    depths = [0, *[1] * 31, 4, 0]
    shown = load(plan, plans.running(plan, depths=depths), parts=["graph"])
    path = shown.root.locator(".sn-bars [data-level=full]").get_attribute("d")
    assert path.count("M") == 1
    assert shown.root.locator(".sn-bars .sn-full").first.get_attribute("d").count("M") == 31


@pytest.mark.parametrize("what", [".sn-group-row", ".sn-box-head"])
def test_a_click_opens_the_row_and_one_on_the_head_collapses_it_again(load: Load, what: str) -> None:
    plan = wide()
    shown = load(plan, plans.running(plan), parts=["graph"])
    low = heights(shown)[1]
    shown.root.locator(what).click()
    shown.settle()
    assert shown.root.locator(".sn-graph [data-row]").count() == 34
    assert heights(shown)[1] == plan["head_px"] + 32 * plan["row_px"] + plan["foot_px"]
    shown.root.locator(".sn-box-head").click()
    shown.settle()
    assert heights(shown)[1] == low
    assert group(shown).count() == 1


def test_what_is_opened_or_collapsed_stays_where_it_is(load: Load) -> None:
    plan = plans.plan_of([Op(f"s{number}", "source", number % 4, parallelism=12) for number in range(40)])
    shown = load(plan, plans.running(plan))
    shown.page.evaluate("document.querySelector('.sn-area').scrollTop = 300")
    head = shown.root.locator(".sn-box-head", has_text="s20")
    before = head.bounding_box()["y"]
    for _ in range(2):
        head.click()
        shown.settle()
        assert head.bounding_box()["y"] == pytest.approx(before, abs=1.5)


def test_edges_end_at_their_boxes_whichever_are_open(load: Load) -> None:
    plan = plans.middle()
    shown = load(plan, plans.running(plan))
    shown.root.locator(".sn-box-head", has_text="merge").click()
    shown.root.locator(".sn-box-head", has_text="total").click()
    shown.settle()
    gaps = shown.page.evaluate(
        """() => {
          const boxes = [...document.querySelectorAll('.sn-box-shape')].map(each => each.getBBox());
          const on = (x, y) => boxes.some(box => (Math.abs(x - box.x) < 2 || Math.abs(x - box.x - box.width) < 2)
            && y >= box.y && y <= box.y + box.height);
          return [...document.querySelectorAll('.sn-edge .sn-head')].map(head => head.getBBox())
            .filter(({x, y, width, height}) => !on(x + width, y + height / 2));
        }"""
    )
    assert gaps == []
    over = shown.page.evaluate(
        """() => {
          const boxes = [...document.querySelectorAll('.sn-box-shape')].map(each => each.getBBox());
          return boxes.flatMap((one, at) => boxes.slice(at + 1).filter(other =>
            one.x < other.x + other.width && other.x < one.x + one.width
            && one.y < other.y + other.height && other.y < one.y + one.height)).length;
        }"""
    )
    assert over == 0


def test_opened_by_hand_it_stays_open_in_the_next_run(load: Load) -> None:
    plan = wide()
    shown = load(plan, plans.running(plan), parts=["graph"])
    group(shown).click()
    shown.page.evaluate("plan => kernelSets('plan', plan)", plan | {"revision": 2})
    shown.settle()
    assert shown.root.locator(".sn-graph [data-row]").count() == 34


def test_one_button_opens_and_collapses_all(load: Load) -> None:
    plan = plans.middle()
    shown = load(plan, plans.running(plan), parts=["graph"])
    shown.root.get_by_role("button", name="Open parallel tasks").click()
    shown.settle()
    assert group(shown).count() == 0
    shown.root.get_by_role("button", name="Collapse parallel tasks").click()
    shown.settle()
    assert group(shown).count() == 6


def test_a_setting_says_from_how_many_tasks_on(load: Load) -> None:
    plan = wide()
    shown = load(plan, plans.running(plan), parts=["graph"], collapse=32)
    assert group(shown).count() == 0
    shown.page.evaluate("kernelSets('collapse_beyond', 31)")
    shown.settle()
    assert group(shown).count() == 1


def test_the_setting_belongs_to_the_widget() -> None:
    pytest.importorskip("anywidget")
    with runtime.Session("set") as session:
        session.source([1], name="numbers").map(str, name="text", parallelism=32).collect(name="result")
        assert plan_of(session, 1)["boxes"][1]["height"] == plan_of(session, 1)["folded_px"]
        view: Any = session.dashboard()
        assert view.collapse_beyond == COLLAPSE_BEYOND
        view.collapse_beyond = 40
        assert session.dashboard().collapse_beyond == 40  # type: ignore[attr-defined]


def test_a_task_that_is_chosen_elsewhere_marks_its_row(load: Load) -> None:
    plan = wide()
    shown = load(plan, plans.running(plan))
    shown.root.get_by_label("Task or service").select_option(str(shown.index("count#7")))
    shown.settle()
    assert group(shown).get_attribute("data-chosen") == "yes"


# ── by keyboard ──


def test_arrows_go_over_the_row_and_enter_opens_it(load: Load) -> None:
    plan = wide()
    shown = load(plan, plans.running(plan))
    shown.row("lines").focus()
    shown.page.keyboard.press("ArrowRight")
    assert focused(shown) == "count"
    shown.page.keyboard.press("ArrowRight")
    assert focused(shown) == "result"
    shown.page.keyboard.press("ArrowLeft")
    shown.page.keyboard.press("Enter")
    shown.settle()
    assert focused(shown) == "count#1"
    shown.page.keyboard.press("ArrowDown")
    assert focused(shown) == "count#2"
    shown.page.keyboard.press("c")
    shown.settle()
    assert focused(shown) == "count"
    assert group(shown).count() == 1


def test_space_pauses_or_resumes_all_its_tasks(load: Load) -> None:
    plan = wide()
    shown = load(plan, plans.running(plan), parts=["toolbar", "graph"])
    shown.row("count#1").focus()
    shown.page.keyboard.press("Space")
    shown.push(plans.paused(plan, 2))
    shown.page.keyboard.press("Space")
    shown.settle()
    assert shown.sent("pause", "resume") == [
        {"cmd": "pause", "args": {"name": "count"}},
        {"cmd": "resume", "args": {"name": "count"}},
    ]
    shown.push(plans.ended(plan, 3, state="running"))
    shown.page.keyboard.press("Space")
    shown.settle()
    assert shown.root.locator(".sn-note").text_content() == "count has ended"


@pytest.mark.parametrize("key", [".", "i"])
def test_what_only_one_task_can_do_says_so(load: Load, key: str) -> None:
    plan = wide()
    shown = load(plan, plans.paused(plan))
    shown.row("count#1").focus()
    shown.page.keyboard.press(key)
    shown.settle()
    assert shown.root.locator(".sn-note").text_content() == "count is 32 tasks: open it (Enter) and choose one"
    assert shown.sent("step", "inject") == []


# ── many operators ──


def test_an_overview_is_there_above_thirty_operators_where_not_all_are_in_sight(load: Load) -> None:
    for operators, there in ((12, False), (30, False), (31, True), (200, True)):
        plan = chain(operators)
        shown = load(plan, plans.running(plan), parts=["graph"])
        assert shown.root.locator(".sn-overview").is_visible() is there
    tall = plans.plan_of([Op(f"s{number}", "source", number % 8) for number in range(40)])
    shown = load(tall, plans.running(tall), parts=["graph"])
    shown.root.get_by_role("button", name="Fit all of the graph").click()
    shown.settle()
    assert not shown.root.locator(".sn-overview").is_visible(), "all of it is in sight"


def test_a_click_on_the_overview_goes_there_and_it_says_where_one_is(load: Load) -> None:
    plan = chain(40)
    shown = load(plan, plans.running(plan), parts=["graph"])
    left = "document.querySelector('.sn-area').scrollLeft"
    box = shown.root.locator(".sn-overview-drawing").bounding_box()
    shown.page.mouse.click(box["x"] + box["width"] * 0.75, box["y"] + box["height"] / 2)
    shown.settle()
    share = shown.page.evaluate(
        "(area => (area.scrollLeft + area.clientWidth / 2) / area.scrollWidth)(document.querySelector('.sn-area'))"
    )
    assert share == pytest.approx(0.75, abs=0.02)
    sight = shown.root.locator(".sn-overview-sight").bounding_box()
    assert sight["x"] + sight["width"] / 2 == pytest.approx(box["x"] + box["width"] * 0.75, abs=4)
    shown.root.locator(".sn-overview-drawing").focus()
    shown.page.keyboard.press("Home")
    assert shown.page.evaluate(left) == 0
    shown.page.keyboard.press("ArrowRight")
    assert shown.page.evaluate(left) > 400


def test_the_overview_is_dragged(load: Load) -> None:
    plan = chain(40)
    shown = load(plan, plans.running(plan), parts=["graph"])
    box = shown.root.locator(".sn-overview-drawing").bounding_box()
    middle = box["y"] + box["height"] / 2
    shown.page.mouse.move(box["x"] + 20, middle)
    shown.page.mouse.down()
    shown.page.mouse.move(box["x"] + box["width"] - 5, middle, steps=4)
    shown.page.mouse.up()
    shown.page.mouse.move(box["x"] + 20, middle)
    assert shown.page.evaluate(
        "(area => area.scrollLeft + area.clientWidth >= area.scrollWidth - 2)(document.querySelector('.sn-area'))"
    )


def test_the_overview_tells_states_and_names_them(load: Load) -> None:
    plan = chain(40)
    states = "r" * 20 + "f" + "i" * 19
    shown = load(plan, plans.running(plan, states=states), parts=["graph"])
    failed = shown.root.locator(".sn-overview-box[data-state=failed]")
    assert failed.locator("title").text_content() == "stage 20, failed"


# ── no text that cannot be read ──

SMALLEST_TEXT = """() => Math.min(99, ...[...document.querySelectorAll('.sn-drawing text')]
  .filter(each => each.checkVisibility() && each.textContent !== '')
  .map(each => parseFloat(getComputedStyle(each).fontSize) * each.getScreenCTM().a))"""


@pytest.mark.parametrize("operators", [4, 12, 40, 200])
def test_no_text_of_a_graph_is_too_small_to_be_read(load: Load, operators: int) -> None:
    plan = chain(operators)
    shown = load(plan, plans.running(plan), parts=["graph"])
    assert shown.page.evaluate(SMALLEST_TEXT) >= 7.5
    shown.root.get_by_role("button", name="Fit all of the graph").click()
    shown.settle()
    assert shown.page.evaluate(SMALLEST_TEXT) >= 7.5
    for _ in range(8):
        shown.root.get_by_role("button", name="Smaller").click()
        assert shown.page.evaluate(SMALLEST_TEXT) >= 7


def test_without_words_a_box_has_a_glyph_and_says_the_words_when_pointed_at_or_focused(load: Load) -> None:
    plan = chain(40)
    shown = load(plan, plans.running(plan, states="r" * 20 + "h" + "i" * 19), parts=["graph"])
    words = shown.root.locator(".sn-words")
    shown.row("stage 3").hover()
    assert not words.is_visible(), "as long as there are words in the boxes"
    shown.root.get_by_role("button", name="Fit all of the graph").click()
    shown.settle()
    assert shown.row("stage 3").locator(".sn-large").is_visible()
    shown.row("stage 3").hover()
    assert (words.text_content() or "").startswith("stage 3, running, queue ")
    shown.page.mouse.move(5, 5)
    shown.row("stage 3").focus()
    shown.page.keyboard.press("ArrowRight")
    assert (words.text_content() or "").startswith("stage 4, running")
    assert words.is_visible()


def test_a_large_glyph_is_another_one_in_each_state_that_matters(load: Load) -> None:
    plan = chain(40)
    shown = load(plan, plans.running(plan, states="rhpwcfx" + "i" * 33), parts=["graph"])
    shown.root.get_by_role("button", name="Fit all of the graph").click()
    shown.settle()
    glyphs = shown.page.evaluate(
        "[...document.querySelectorAll('.sn-large')].slice(0, 8).map(each => each.getAttribute('d'))"
    )
    assert len(set(glyphs)) == 8
