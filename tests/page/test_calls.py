"""A function that waits: the calls that are open stand beside its queue, and the longest is named."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sage_nb.wire import Plan
from tests.page import answers, plans
from tests.page.harness import Shown
from tests.page.plans import Op
from tests.page.test_graph import OUTSIDE, OVERLAPPING

Load = Callable[..., Shown]


def asking(parallelism: int = 1, calls: int = 32) -> Plan:
    return plans.plan_of(
        [
            Op("prompts", "source", 0),
            Op("ask", "async_map", 1, [("prompts", "round_robin")], parallelism, 64, calls),
            Op("result", "collect", 2, [("ask", "round_robin")], capacity=64),
        ]
    )


def test_open_calls_stand_below_the_queue_a_cell_for_each(load: Load) -> None:
    plan = asking()
    shown = load(plan, plans.running(plan, open={"1": 18}), parts=["graph"])
    row = shown.row("ask")
    assert row.locator(".sn-calls .sn-full").get_attribute("d").count("M") == 18
    assert "18 of 32" in row.text_content()
    assert "18 of 32 calls open" in row.get_attribute("aria-label")
    assert shown.page.evaluate(OUTSIDE) == []
    assert shown.page.evaluate(OVERLAPPING) == []
    shown.push(plans.running(plan, 2))
    assert "0 of 32" in row.text_content()


def test_that_all_calls_are_open_is_no_alarm(load: Load) -> None:
    plan = asking(calls=4)
    shown = load(plan, plans.running(plan, open={"1": 4}), parts=["graph"])
    assert shown.row("ask").locator(".sn-calls .sn-gauge").get_attribute("data-level") is None


def test_parallel_tasks_tell_of_theirs_and_one_row_of_all(load: Load) -> None:
    plan = asking(3, 8)
    shown = load(plan, plans.running(plan, open={"1": 5, "3": 8}, errors=[0] * 5), parts=["graph"])
    texts = [shown.row(f"ask#{number}").locator(".sn-counts").text_content() for number in (1, 2, 3)]
    assert [text.split(" ")[0] for text in texts] == ["5/8", "0/8", "8/8"]
    assert shown.page.evaluate(OUTSIDE) == []
    assert shown.page.evaluate(OVERLAPPING) == []
    shown.root.locator(".sn-box-head").click()
    shown.settle()
    assert shown.root.locator(".sn-group-row .sn-counts").text_content() == "13 of 24 calls"


def test_the_queue_tab_names_the_longest_and_the_table_counts(load: Load) -> None:
    plan = asking()
    queue: Any = {"result": answers.queue(3) | {"task": "ask", "open": ["'first'", "'second'"]}}
    frame = plans.running(plan, open={"1": 2}, depths=[0, 3, 0])
    shown = load(plan, frame, answers=answers.ALL | {"peek": queue})
    shown.row("ask").click()
    shown.root.locator("[data-tab=queue]").click()
    calls = shown.root.get_by_label("Open calls, oldest first")
    calls.wait_for()
    assert calls.locator("li").all_text_contents() == ["'first'longest", "'second'"]
    assert shown.root.get_by_text("2 of 32, oldest first").is_visible()
    shown.root.get_by_role("button", name="Table").click()
    shown.settle()
    assert "3/64 · 2/32 calls" in shown.root.locator("tbody tr").nth(1).text_content()
