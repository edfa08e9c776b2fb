"""Who calls which service, in the graph and in the inspector: by mouse, by keyboard, and while a box is collapsed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sage_nb.wire import CallCard, Frame, Plan
from tests.page import answers, plans
from tests.page.harness import Shown
from tests.page.plans import Op

Load = Callable[..., Shown]


def plan() -> Plan:
    ops = [
        Op("words", "source", 0),
        Op("count", "map", 1, [("words", "hash")], parallelism=3),
        Op("price", "map", 2, [("count", "round_robin")]),
        Op("result", "collect", 3, [("price", "round_robin")]),
    ]
    return plans.plan_of(ops, ["clock", "rates"])


def calls(plan: Plan, *cards: tuple[str, str, int, float]) -> list[CallCard]:
    rows = {row["name"]: number for number, row in enumerate(plan["rows"])} | {"hand": -1}
    return [
        CallCard(service=rows[service], caller=rows[caller], calls=number, per_s=per_s)
        for service, caller, number, per_s in cards
    ]


def frame(plan: Plan, number: int, *cards: tuple[str, str, int, float], **more: Any) -> Frame:
    return plans.running(plan, number, calls=calls(plan, *cards), **more)


BUSY = (
    ("clock", "count#1", 10, 2.5),
    ("clock", "count#2", 20, 10.0),
    ("clock", "price", 1_234, 3_400.0),
    ("clock", "hand", 1, 0.0),
    ("rates", "price", 2, 0.0),
    ("rates", "clock", 7, 1.0),
)


def titles(shown: Shown) -> list[str]:
    return [str(each) for each in shown.root.locator(".sn-call-line > title").all_text_contents()]


def test_a_line_leads_from_each_box_that_has_called_to_the_service_with_its_rate(load: Load) -> None:
    it = plan()
    shown = load(it, frame(it, 1))
    assert titles(shown) == []
    shown.push(frame(it, 2, *BUSY))
    assert sorted(titles(shown)) == [
        "clock calls rates: 7 calls, 1/s",
        "count calls clock: 30 calls, 13/s",
        "price calls clock: 1,234 calls, 3,400/s",
        "price calls rates: 2 calls",
    ]
    rates = shown.root.locator(".sn-call-rate:not([display=none]) text").all_text_contents()
    assert sorted(rates) == ["13/s", "3,400/s"]
    shown.push(frame(it, 3, ("clock", "price", 1_300, 0.0)))
    assert titles(shown) == ["price calls clock: 1,300 calls"]
    assert shown.root.locator(".sn-call-line[data-busy]").count() == 0


def test_lines_end_at_the_boxes_also_when_one_is_collapsed(load: Load) -> None:
    it = plan()
    shown = load(it, frame(it, 1, *BUSY))
    for _ in range(2):
        for caller, service in (("count", "clock"), ("price", "clock"), ("price", "rates")):
            found = shown.page.evaluate(
                """([caller, service]) => {
                  const line = [...document.querySelectorAll('.sn-call-line')].find((each) =>
                    each.textContent.startsWith(`${caller} calls ${service}`));
                  const path = line.querySelector('path:nth-of-type(2)');
                  const box = (name) => [...document.querySelectorAll('.sn-box')].find((each) =>
                    each.textContent.includes(name)).querySelector('.sn-box-shape').getBBox();
                  const [from, to] = [box(caller), box(service)];
                  const [a, b] = [path.getPointAtLength(0), path.getPointAtLength(path.getTotalLength())];
                  return [a.x - from.x - from.width / 2, a.y - from.y - from.height, b.x > to.x,
                          b.x < to.x + to.width, Math.abs(b.y - to.y) < 9];
                }""",
                [caller, service],
            )
            assert found[:2] == pytest.approx([0, 0], abs=1)
            assert found[2:] == [True, True, True]
        shown.row("count#1").focus()
        shown.page.keyboard.press("c")
        shown.settle()


def test_the_inspector_lists_the_callers_of_a_service(load: Load) -> None:
    it = plan()
    shown = load(it, frame(it, 1, *BUSY), answers=answers.ALL)
    shown.row("price").focus()
    shown.row("clock").click()
    listed = shown.root.locator(".sn-callers")
    listed.get_by_text("Callers").wait_for()
    assert listed.locator("dt").all_text_contents() == ["price", "count#2", "count#1", "the hand, from outside"]
    assert listed.locator("dd").all_text_contents() == [
        "1,234 calls, 3,400/s",
        "20 calls, 10/s",
        "10 calls, 2.5/s",
        "1 call",
    ]
    assert shown.root.locator(".sn-call-line[data-chosen]").count() == 3
    shown.row("rates").focus()
    shown.page.keyboard.press("Enter")
    shown.push(frame(it, 2, *BUSY))
    listed.get_by_text("7 calls, 1/s").wait_for()
    assert listed.locator("dt").all_text_contents() == ["clock", "price"]


def test_a_service_that_nobody_has_called_says_so_and_one_with_many_callers_names_the_first(load: Load) -> None:
    ops = [Op("words", "source", 0), Op("count", "map", 1, [("words", "hash")], parallelism=30)]
    it = plans.plan_of(ops, ["clock"])
    shown = load(it, frame(it, 1), answers=answers.ALL)
    shown.row("clock").click()
    shown.root.get_by_text("nobody has called it yet").wait_for()
    cards = tuple(("clock", f"count#{number + 1}", 100 - number, 1.0) for number in range(30))
    shown.push(frame(it, 2, *cards))
    shown.root.get_by_text("and 10 others").wait_for()
    assert shown.root.locator(".sn-callers dt").count() == 20
    assert titles(shown) == [f"count calls clock: {sum(range(71, 101)):,} calls, 30/s"]
