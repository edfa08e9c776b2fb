"""Live values in a page: a table that follows, a chart read by mouse and keyboard, and no look while unseen."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]

from sage_nb.value_columns import Seen, chart_of, table_of
from tests.hostile import PAYLOADS
from tests.page import plans
from tests.page.harness import Shown

Load = Callable[..., Shown]
Show = Callable[..., Shown]


def as_table(seen: list[Seen], total: int | None = None) -> str:
    columns, rows = table_of(seen)
    told = {"total": total or len(seen), "columns": [each._asdict() for each in columns], "rows": rows}
    return json.dumps(told)


def as_chart(seen: list[Seen], **how: Any) -> str:
    found = chart_of(seen, 1, how.get("y"), how.get("by"), how.get("x"))
    series = [each._asdict() for each in found.series]
    return json.dumps({"total": len(seen), **found._asdict(), "series": series})


def orders(number: int, first: int = 0) -> list[Seen]:
    items = ("tea", "milk", "bread")
    return [
        Seen({"item": items[n % 3], "cents": 300 + 40 * (n % 3) + (n * 7) % 50}) for n in range(first, first + number)
    ]


@pytest.fixture
def show(load: Load) -> Show:
    def show(shape: str, values: str, **how: Any) -> Shown:
        more = {"title": "price of shop", "shape": shape, "values": values}
        return load(plans.small(), parts=["values"], more=more, **how)

    return show


def push(shown: Shown, values: str) -> None:
    shown.page.evaluate("text => kernelSets('values', text)", values)
    shown.settle()


def cells(shown: Shown) -> list[list[str]]:
    rows = shown.root.locator("tbody tr:not([aria-hidden])")
    return [[str(cell) for cell in row.locator("td").all_text_contents()] for row in rows.all()]


def test_a_table_shows_the_last_values_with_a_line_for_each_column_of_numbers(show: Show) -> None:
    shown = show("table", as_table(orders(3)))
    assert shown.root.locator("th").all_text_contents() == ["#", "item", "cents"]
    assert shown.root.locator("th canvas").count() == 1
    assert cells(shown)[0] == ["1", "tea", "300"]
    shown.root.get_by_text("3 values").wait_for()
    push(shown, as_table(orders(500, 500), 1_000))
    assert cells(shown)[-1][:2] == ["1,000", "tea"]
    shown.root.get_by_text("1,000 values · the last 500").wait_for()
    assert shown.root.locator("tbody tr").count() < 30, "only what is in sight is in the page"


def test_a_table_follows_what_comes_unless_its_reader_has_scrolled_away(show: Show) -> None:
    shown = show("table", as_table(orders(100)))
    area = shown.root.get_by_role("region", name="Values: price of shop")
    area.focus()
    shown.page.keyboard.press("Home")
    shown.page.wait_for_function("document.querySelector('.sn-value-area').scrollTop === 0")
    shown.settle()
    assert cells(shown)[0][0] == "1"
    push(shown, as_table(orders(110)))
    assert cells(shown)[0][0] == "1"
    shown.page.keyboard.press("End")
    shown.page.wait_for_function(
        "(({ scrollTop, clientHeight, scrollHeight }) => scrollTop + clientHeight > scrollHeight - 2)"
        "(document.querySelector('.sn-value-area'))"
    )
    shown.settle()
    push(shown, as_table(orders(120)))
    assert cells(shown)[-1][0] == "120"


def test_a_chart_is_read_by_keyboard_and_mouse(show: Show) -> None:
    shown = show("lines", as_chart(orders(9), by="item"))
    chart = shown.root.get_by_role("img")
    assert chart.get_attribute("aria-label") == ("price of shop, cents over number; tea: 342; milk: 389; bread: 386")
    readout = shown.root.locator(".sn-readout")
    chart.focus()
    shown.page.keyboard.press("ArrowLeft")
    assert readout.text_content() == "number 9 · tea 342 · milk 389 · bread 386"
    for _ in range(2):
        shown.page.keyboard.press("ArrowLeft")
    assert str(readout.text_content()).startswith("number 7 · tea 342")
    shown.page.keyboard.press("Escape")
    assert readout.text_content() == ""
    box = chart.bounding_box()
    assert box is not None
    shown.page.mouse.move(box["x"] + 60, box["y"] + 60)
    assert str(readout.text_content()).startswith("number 1 · tea 300")


def test_bars_show_the_last_number_of_each(show: Show) -> None:
    shown = show("bars", as_chart(orders(9), by="item"))
    chart = shown.root.get_by_role("img", name="price of shop, the last cents of each; tea: 342; milk: 389; bread: 386")
    chart.focus()
    shown.page.keyboard.press("ArrowRight")
    assert shown.root.locator(".sn-readout").text_content() == "tea: 342"
    shown.page.keyboard.press("ArrowRight")
    assert shown.root.locator(".sn-readout").text_content() == "milk: 389"


def test_without_values_a_view_says_so(show: Show) -> None:
    for shape, values in (("table", as_table([])), ("lines", as_chart([])), ("bars", as_chart([], by="item"))):
        shown = show(shape, values)
        shown.root.get_by_text("no value yet").wait_for()


def test_what_is_not_seen_is_not_looked_at(show: Show) -> None:
    shown = show("table", as_table(orders(3)))
    assert [each["cmd"] for each in shown.sent()] == ["mount"]
    shown.page.evaluate("document.getElementById('root').style.marginTop = '5000px'")
    shown.page.wait_for_function("sent.length === 2")
    assert [each["cmd"] for each in shown.sent()] == ["mount", "unmount"]
    shown.page.evaluate("document.getElementById('root').style.marginTop = '0'")
    shown.page.wait_for_function("sent.length === 3")
    shown.page.evaluate("unmount()")
    assert [each["cmd"] for each in shown.sent()] == ["mount", "unmount", "mount", "unmount"]
    assert shown.page.evaluate("listening()") == 0


def test_hostile_values_stay_text(show: Show) -> None:
    seen = [Seen(value) for value in PAYLOADS.values()] + [Seen({"<img src=x onerror=failures.push(1)>": "<script>"})]
    shown = show("table", as_table(seen))
    assert shown.root.locator("img, script").count() == 0
    for numbers in ([1e149, -1e149], [5e-324, 0.0], [1e15, 1e15 + 0.25], [7.0, 7.0]):
        shown = show("lines", as_chart([Seen(number) for number in numbers]))
        shown.root.get_by_role("img").focus()
        shown.page.keyboard.press("ArrowLeft")


ORIGIN = {
    "text": "{'item': 'bread'}: made by orders",
    "places": [{"task": "orders", "text": "{'item': 'bread'}", "more": 0}],
}


def asking(show: Show, number: int = 40) -> Shown:
    """A table whose rows can be asked about."""
    told = json.dumps({**json.loads(as_table(orders(number))), "explained": True})
    return show("table", told, answers={"light": {"result": ORIGIN}})


def asked(shown: Shown) -> list[Any]:
    return [each["args"] for each in shown.sent("light")]


def test_a_row_says_where_its_value_comes_from_by_mouse(show: Show) -> None:
    shown = asking(show, 3)
    shown.root.get_by_text("bread", exact=True).click()
    shown.settle()
    assert asked(shown) == [{"index": 2}]
    assert shown.root.get_by_role("heading").all_text_contents() == ["Where value 3 comes from"]
    assert shown.root.get_by_label("Where it comes from").text_content() == ORIGIN["text"]
    assert shown.root.locator("tr[data-chosen]").count() == 1
    shown.root.get_by_text("bread", exact=True).click()
    shown.settle()
    assert asked(shown) == [{"index": 2}, {}], "pressed again, it is put out"
    assert shown.root.get_by_role("heading").count() == 0


def test_a_row_says_where_its_value_comes_from_by_keyboard(show: Show) -> None:
    shown = asking(show)
    shown.root.locator(".sn-value-area").focus()
    shown.page.keyboard.press("Tab")
    shown.page.keyboard.press("ArrowUp")
    for _ in range(20):
        shown.page.keyboard.press("ArrowUp")
    shown.page.keyboard.press("Enter")
    shown.settle()
    number = asked(shown)[0]["index"] + 1
    assert 10 < number < 20, "it went up row by row, and the table with it"
    button = shown.root.get_by_role("button", name=f"Where value {number} comes from", exact=True)
    assert button.get_attribute("aria-pressed") == "true"
    push(shown, json.dumps({**json.loads(as_table(orders(41))), "explained": True}))
    focused = shown.page.evaluate("document.activeElement.dataset.number")
    assert focused == str(number), "what comes leaves the keyboard where it is"


def test_a_row_that_cannot_be_explained_is_none_to_press_and_a_refusal_is_said(show: Show) -> None:
    shown = show("table", as_table(orders(3)))
    assert shown.root.get_by_role("button").count() == 0
    shown = asking(show, 3)
    shown.answer(light={"ok": False, "reason": "which packet value 0 was is forgotten"})
    shown.root.get_by_text("tea", exact=True).click()
    shown.root.get_by_text("which packet value 0 was is forgotten").wait_for()


@pytest.mark.parametrize("look", [{"theme": "light"}, {"theme": "dark", "system": "dark"}], ids=str)
def test_axe_finds_nothing_serious_in_a_row_that_is_explained(show: Show, look: Any) -> None:
    told = json.dumps({**json.loads(as_table(orders(40))), "explained": True})
    shown = show("table", told, answers={"light": {"result": ORIGIN}}, **look)
    shown.root.get_by_role("button").last.press("Enter")
    shown.root.get_by_role("heading").wait_for()
    found = Axe().run(shown.page, options={"resultTypes": ["violations"]}).response["violations"]
    assert [each["id"] for each in found if each["impact"] in ("serious", "critical")] == []


@pytest.mark.parametrize("look", [{"theme": "light"}, {"theme": "dark", "system": "dark"}], ids=str)
@pytest.mark.parametrize("shape", ["table", "lines"])
def test_axe_finds_nothing_serious(show: Show, shape: str, look: Any) -> None:
    shown = show(shape, as_table(orders(40)) if shape == "table" else as_chart(orders(40), by="item"), **look)
    found = Axe().run(shown.page, options={"resultTypes": ["violations"]}).response["violations"]
    assert [each["id"] for each in found if each["impact"] in ("serious", "critical")] == []
