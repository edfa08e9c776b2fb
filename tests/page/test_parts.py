"""The table, and the parts that a teacher lays out alone."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.page import answers, plans
from tests.page.harness import Shown

Load = Callable[..., Shown]
PLAN = plans.small()


def test_the_table_says_the_same_as_the_graph_in_graph_order(load: Load) -> None:
    frame = plans.running(
        PLAN,
        states="ccrhpi",
        depths=[0, 0, 3, 12, 700, 0],
        processed=[9, 9, 1_204, 5, 4, 3],
        emitted=[9, 9, 7, 6, 5, 4],
        errors=[0, 0, 2, 0, 0, 0],
        ended=[0, 1, 1, 1, 0, 0],
        order=[1, 0],
    )
    shown = load(PLAN, frame, parts=["table"])
    lines = shown.root.locator("tbody tr").evaluate_all(
        "lines => lines.map(line => [...line.children].map(each => each.textContent))"
    )
    assert lines[0] == ["lines", "source", "completed", "", "9", "9", "131/s", "27 %", "", "", "2nd"]
    assert lines[2] == ["count#1", "reduce", "running", "3/12", "1,204", "7", "393/s", "41 %", "2", "1/1", ""]
    assert [line[0] for line in lines] == [row["name"] for row in PLAN["rows"]]
    assert shown.root.locator("th[scope=col]").count() == len(lines[0])
    assert shown.root.locator("th[scope=row]").count() == len(lines)


def test_a_line_of_the_table_can_be_selected(load: Load) -> None:
    shown = load(PLAN, plans.running(PLAN), shown="table")
    shown.root.locator("tbody tr").nth(1).locator("td").nth(3).click()
    shown.settle()
    assert shown.root.get_by_label("Task or service").input_value() == "1"
    assert shown.root.locator("tr[data-selected]").count() == 1


def test_two_hundred_lines_are_all_painted_and_scrolling_finds_them_up_to_date(load: Load) -> None:
    plan = plans.large()
    shown = load(plan, plans.running(plan, 1), shown="table")
    shown.push(plans.paused(plan, 2, states="p" * 200))
    shown.page.wait_for_function("document.querySelectorAll('[data-look=paused]').length === 200")
    last = shown.page.evaluate(
        """async text => {
             kernelSets('frame', text);
             const area = document.querySelector('.sn-table-area');
             area.scrollTop = area.scrollHeight;
             await painted();  // at once: long before all that is out of sight is painted again
             return [...document.querySelectorAll('.sn-state')].at(-1).textContent;
           }""",
        json.dumps(plans.running(plan, 3, states="w" * 200)),
    )
    assert last == "waiting"


def test_depths_are_a_bar_and_a_number_for_each_queue(load: Load) -> None:
    shown = load(PLAN, plans.running(PLAN, depths=[0, 3, 6, 0, 1024, 0]), parts=["depths"])
    lines = shown.root.locator(".sn-depths li")
    assert lines.all_text_contents() == ["split3/4", "count#16/12", "count#20/12", "result1,024/1,024", "clock0/64"]
    assert lines.nth(1).locator(".sn-meter-full").evaluate("each => each.style.width") == "50%"
    assert lines.nth(3).locator(".sn-meter").get_attribute("data-level") == "full"
    shown.push(plans.running(PLAN, 2, depths=[0, 0, 0, 0, 0, 0]))
    assert lines.nth(0).text_content() == "split0/4"


def test_stops_name_the_producers_that_have_ended_and_as_what_each_task_has(load: Load) -> None:
    frame = plans.running(PLAN, states="ccccri", ended=[0, 1, 1, 1, 1, 0], heard={"4": [1]}, order=[0, 1, 3, 2])
    shown = load(PLAN, frame, parts=["stops"])
    lines = shown.root.locator(".sn-stops-list li")
    assert lines.all_text_contents()[2] == "count#11/1splitcompletedended 4th"
    signs = lines.nth(4).locator(".sn-producer")
    assert signs.evaluate_all("each => each.map(one => [one.textContent, one.dataset.ended ?? ''])") == [
        ["count#1", ""],  # it has ended first or not: its signal has not been taken
        ["count#2", "yes"],
    ]
    assert signs.evaluate_all("each => each.map(one => one.title)") == [
        "no signal of count#1 so far",
        "the signal of count#2 was taken, as the 1st",
    ]


def test_a_producers_end_is_shown_only_once_its_signal_has_arrived(load: Load) -> None:
    frame = plans.running(PLAN, states="ccrrri", ended=[0, 0, 0, 0, 0, 0], order=[0])
    shown = load(PLAN, frame, parts=["stops"])
    assert shown.root.locator(".sn-producer[data-ended]").count() == 0


def test_errors_alone_are_the_same_as_in_the_inspector(load: Load) -> None:
    shown = load(PLAN, plans.running(PLAN, letters=3), parts=["errors"], answers=answers.ALL)
    shown.root.locator(".sn-letter").first.wait_for()
    assert shown.root.locator(".sn-letter").count() == 3
    shown.root.get_by_role("button", name="Discard all").click()
    assert shown.sent("discard_all") == [{"cmd": "discard_all", "args": {}}]


@pytest.mark.parametrize("width", [760, 1000])
def test_no_head_and_no_cell_of_the_table_is_cut_off(load: Load, width: int) -> None:
    plan = plans.small()
    frame = plans.running(plan, 123_456, states="hcwbph", depths=[0, 3, 7, 9, 1006, 8])
    shown = load(plan, frame, parts=["table"], width=width)
    cut = shown.page.evaluate(
        "() => [...document.querySelectorAll('.sn-table :is(th, td)')]"
        ".filter(each => each.scrollWidth > each.clientWidth + 1).map(each => each.textContent)"
    )
    assert cut == []
