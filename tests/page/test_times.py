"""Where the last second went: a bar in each box, a rate and a bar in the table, and words for who does not see them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.page import answers, plans
from tests.page.harness import Shown
from tests.page.test_graph import OUTSIDE, OVERLAPPING
from tests.page.test_large import group, wide

Load = Callable[..., Shown]

# lines: busy, half of that on a processor; split: held back; count: nothing told of one, rate; service: unknown clock
TIMES = "12345,30,62,38;0.5,1,1,0,99;;7,0,0,0,0,100;3,,40,60"


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_each_row_has_a_bar_that_adds_up_and_says_it_in_words(load: Load, theme: str) -> None:
    plan = plans.small()
    shown = load(plan, plans.running(plan, times=TIMES), parts=["graph"], theme=theme)
    row = shown.row("lines")
    widths = [float(each.get_attribute("width")) for each in row.locator(".sn-time-bar rect").all()]
    assert [round(100 * width / sum(widths)) for width in widths] == [30, 32, 38]
    label = row.get_attribute("aria-label")
    assert "in the last second on the processor 30 %, busy, off the processor 32 %, idle 38 %" in label
    assert "held back 99 %" in shown.row("split").get_attribute("aria-label")
    assert shown.row("count#1").locator(".sn-time-bar rect").count() == 0
    assert shown.page.evaluate(OUTSIDE) == []
    assert shown.page.evaluate(OVERLAPPING) == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_one_row_of_parallel_tasks_has_the_mean_of_their_bars_which_adds_up_too(load: Load, theme: str) -> None:
    plan = wide(9)
    each = ["10,20,60,40", "30,,50,0,50", *["0,0,0,100"] * 6, ""]  # the last one has spent none
    shown = load(plan, plans.running(plan, times=";".join(["", *each, ""])), parts=["graph"], theme=theme)
    row = group(shown)
    widths = [float(piece.get_attribute("width")) for piece in row.locator(".sn-time-bar rect").all()]
    shares = [round(100 * width / sum(widths)) for width in widths]
    label = row.get_attribute("aria-label")
    assert sum(shares) == 100
    for words in ("on the processor 3 %", "busy 6 %", "idle 80 %", "held back 6 %"):
        assert words in label
    assert shown.page.evaluate(OUTSIDE) == []
    shown.push(plans.running(plan, 2, times=""))
    assert row.locator(".sn-time-bar rect").count() == 0


def test_the_bars_are_switched_off_and_on_by_mouse_and_by_key(load: Load) -> None:
    plan = plans.small()
    shown = load(plan, plans.running(plan, times=TIMES), parts=["graph"])
    bar = shown.row("lines").locator(".sn-time-bar")
    switch = shown.root.get_by_role("button", name="Show where time goes")
    assert bar.is_visible()
    assert switch.get_attribute("aria-pressed") == "true"
    switch.click()
    assert not bar.is_visible()
    assert switch.get_attribute("aria-pressed") == "false"
    switch.focus()
    shown.page.keyboard.press("Enter")
    assert bar.is_visible()


def test_the_table_has_a_rate_and_how_busy_each_was(load: Load) -> None:
    plan = plans.small()
    shown = load(plan, plans.running(plan, times=TIMES), parts=["table"])
    lines = shown.root.locator("tbody tr")
    assert lines.nth(0).locator("td").nth(5).text_content() == "12.3k/s"
    assert lines.nth(0).locator("td").nth(6).text_content() == "62 %"
    assert "on the processor 30 %" in lines.nth(0).locator("td").nth(6).get_attribute("title")
    assert lines.nth(1).locator("td").nth(5).text_content() == "0.5/s"
    assert lines.nth(2).locator("td").nth(6).text_content() == ""
    shown.push(plans.running(plan, 2, times=""))
    shown.settle()
    assert lines.nth(0).locator("td").nth(6).text_content() == ""


def test_a_button_looks_into_a_task_and_shows_the_hottest_lines(load: Load) -> None:
    plan = plans.small()
    lines = [[0.61, "parse", "words.py:12", "return <b>json</b>"], [0.2, "f" * 90, "x.py:1", ""]]
    card = {"result": {"task": "count#1", "looks": 400, "idle": 0.19, "lines": lines}}
    shown = load(plan, plans.running(plan, states="rrrrrr"), answers=answers.ALL | {"profile": card})
    shown.row("count#1").click()
    shown.root.locator("[data-tab=task]").click()
    shown.root.get_by_role("button", name="Profile").focus()
    shown.page.keyboard.press("Enter")
    table = shown.root.get_by_label("Hottest lines")
    table.wait_for()
    assert table.locator("tr").nth(0).text_content() == "61 %parsewords.py:12"
    assert table.locator("tr").nth(0).get_attribute("title") == "return <b>json</b>"
    assert shown.root.get_by_text("400 looks, idle in 19 % of them").is_visible()
    shown.row("split").click()
    shown.settle()
    assert table.count() == 0


def test_the_task_tab_says_where_all_its_time_went_and_with_whom_it_shares_a_thread(load: Load) -> None:
    plan = plans.small()
    card = {"result": answers.CARD | {"together": ["lines", "split", "a", "b"]}}
    shown = load(plan, plans.running(plan), answers=answers.ALL | {"task": card})
    shown.row("count#1").click()
    shown.root.locator("[data-tab=task]").click()
    words = shown.root.locator(".sn-split-words")
    words.wait_for()
    assert words.locator("li").all_text_contents()[0] == "busy 42 %"
    assert shown.root.get_by_text(
        "of 41.2 s since it began · 1,184 packets/s · 24 % of its work on the processor"
    ).is_visible()
    assert shown.root.get_by_text("One thread works it and lines, split, a and 1 more").is_visible()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_row_that_waits_for_somebody_says_for_whom_in_its_box_and_in_the_table(load: Load, theme: str) -> None:
    plan = plans.small()
    frame = plans.running(plan, states="rhwiui", waits={"1": "count#1", "2": "clock", "4": "a, b and 7 more"})
    shown = load(plan, frame, parts=["graph", "table"], theme=theme)
    assert "held back by count#1" in shown.row("split").text_content()
    assert "held back by count#1" in shown.row("split").get_attribute("aria-label")
    assert "waiting for clock" in shown.row("count#1").get_attribute("aria-label")
    assert "held back: all busy: a, b and 7 more" in shown.row("result").get_attribute("aria-label")
    assert shown.page.evaluate(OUTSIDE) == []
    shown.push(plans.running(plan, 2, states="rhriri", waits={"1": "count#2"}))
    assert "held back by count#2" in shown.row("split").text_content()
    assert "running" in shown.row("result").get_attribute("aria-label")
    table = load(plan, frame, parts=["table"], theme=theme)
    states = [line.locator("td").nth(1).text_content() for line in table.root.locator("tbody tr").all()]
    assert states[1:5] == ["held back by count#1", "waiting for clock", "idle", "held back: all busy: a, b and 7 more"]
