"""Live values: read from a result or tapped while a page looks, bounded, safe, and a picture of them for exports."""

from __future__ import annotations

import base64
import json
import sys
import threading
from collections import namedtuple
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from time import monotonic, sleep
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as some

import runtime
import sage_nb
from runtime.testing import PATIENCE_S
from sage_nb import chart_stills
from sage_nb.value_columns import MAX_SERIES, Seen, chart_of, number_of, table_of
from tests.hostile import PAYLOADS

Order = namedtuple("Order", "item cents")


@dataclass
class Price:
    item: str
    cents: Any


def seen(*found: Any) -> list[Seen]:
    return [Seen(value) for value in found]


# ── columns ──


@pytest.mark.parametrize(
    "make", [lambda i, c: {"item": i, "cents": c}, Order, Price], ids=["dictionary", "named tuple", "dataclass"]
)
def test_a_value_has_a_column_for_each_of_its_parts(make: Any) -> None:
    columns, rows = table_of(seen(make("tea", 300), make("milk", 120)))
    assert [(column.name, column.numbers) for column in columns] == [("item", None), ("cents", [300.0, 120.0])]
    assert rows == [["tea", "300"], ["milk", "120"]]


def test_a_number_is_a_value_and_a_tuple_has_places_and_a_key_a_column() -> None:
    assert table_of(seen(1, 2.5)).columns[0] == ("value", [1.0, 2.5])
    assert [column.name for column in table_of(seen((1, "a"))).columns] == ["0", "1"]
    columns, rows = table_of([Seen(5, "tea", True)])
    assert ([column.name for column in columns], rows) == (["key", "value"], [["tea", "5"]])
    assert table_of([]) == ([], [])


def test_a_part_that_some_values_lack_is_a_gap_and_a_text_among_numbers_makes_no_line() -> None:
    columns, rows = table_of(seen({"a": 1}, {"b": 2}, {"a": "x", "b": 3}))
    assert [column.numbers for column in columns] == [None, [None, 2.0, 3.0]]
    assert rows == [["1", ""], ["", "2"], ["x", "3"]]


def test_lines_are_divided_and_what_has_no_number_is_counted() -> None:
    found = chart_of(
        seen(*[{"item": "tea", "cents": n} for n in range(3)], {"item": "milk", "cents": None}, 7), 10, None, "item"
    )
    assert found.y == "cents"
    assert [tuple(each) for each in found.series] == [("tea", [10.0, 11.0, 12.0], [0.0, 1.0, 2.0])]
    assert found.left_out == 2
    many = chart_of(seen(*[{"n": n, "y": n} for n in range(MAX_SERIES + 3)]), 1, "y", "n", "n")
    assert (len(many.series), many.more, many.x) == (MAX_SERIES, 3, "n")
    assert chart_of(seen(2, 3), 1, lambda value: value * 10, None).series[0].y == [20.0, 30.0]
    assert chart_of(seen(0, 4), 1, lambda value: 1 / value, None).left_out == 1


def test_a_number_is_a_finite_one_of_a_known_type() -> None:
    assert [number_of(each) for each in (1, 2.5, Decimal("0.5"), True, "3", None, float("nan"), 10**400)] == [
        1.0, 2.5, 0.5, None, None, None, None, None,
    ]  # fmt: skip


@pytest.mark.parametrize("name", PAYLOADS)
def test_hostile_values_are_bounded_text_and_run_no_code(name: str) -> None:
    value = PAYLOADS[name]
    columns, rows = table_of(seen(value, {"part": value}))
    assert all(len(cell) < 120 for row in rows for cell in row)
    json.dumps([columns, rows])
    json.dumps(chart_of(seen(value), 1, None, None))


@given(
    some.lists(some.one_of(some.floats(), some.integers(), some.text(), some.dictionaries(some.text(), some.floats())))
)
def test_whatever_comes_a_page_can_be_told(found: list[Any]) -> None:
    table = table_of(seen(*found))
    assert len(table.rows) == len(found)
    assert all(len(row) == len(table.columns) for row in table.rows)
    json.dumps(table, allow_nan=False)
    lines = chart_of(seen(*found), 1, None, None)
    assert sum(len(each.y) for each in lines.series) + lines.left_out == len(found)
    json.dumps(lines, allow_nan=False)
    for kind in ("lines", "bars"):
        assert chart_stills.svg_of("drawn", kind, lines).startswith("<svg")


# ── where they come from ──


def shop(session: runtime.Session, packets: Any = 10) -> Any:
    orders = session.source(range(packets), name="numbers").map(lambda n: {"n": n, "half": n / 2}, name="halve")
    return orders.collect(name="result")


def told(view: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(view.values)
    return found


def test_a_result_is_read_from_its_beginning_without_a_tap() -> None:
    with runtime.Session("read") as session:
        result = shop(session)
        views = [sage_nb.table(session, "result", last=4), sage_nb.table(session, result, last=4)]
        session.run(PATIENCE_S)
        for view in views:
            view.renew()
            assert told(view)["total"] == 10
            assert [row[0] for row in told(view)["rows"]] == ["6", "7", "8", "9"]
        assert taps(session, "result") == []


def test_an_operator_is_tapped_only_while_a_page_looks() -> None:
    with runtime.Session("tapped") as session:
        words = session.input("words")
        words.map(lambda n: n * 10, name="ten").sink(lambda n: None, name="end")
        view = sage_nb.chart(session, "ten")
        session.start()

        def send(number: int) -> None:
            session.send("words", number)
            session.settle(PATIENCE_S)

        send(1)
        assert taps(session, "ten") == []
        assert threads() == 0
        view._receive(view, {"cmd": "mount", "args": {"view": "a"}}, [])
        wait_for(lambda: taps(session, "ten"))
        for number in (2, 3):
            send(number)
        wait_for(lambda: told(view)["total"] == 2)
        assert told(view)["series"] == [{"name": "", "x": [1.0, 2.0], "y": [20.0, 30.0]}]
        view._receive(view, {"cmd": "unmount", "args": {"view": "a"}}, [])
        wait_for(lambda: threads() == 0)
        assert taps(session, "ten") == []
        send(4)
        assert told(view)["total"] == 2
        session.end("words")


def test_of_what_goes_to_several_one_copy_is_shown_and_of_an_end_what_it_takes() -> None:
    with runtime.Session("copies") as session:
        words = session.input("words")
        numbers = words.map(abs, name="one").broadcast()
        numbers.map(abs, name="two", parallelism=3).key_by(abs).sink(lambda n: None, name="end")
        numbers.sink(lambda n: None, name="other")
        views = [sage_nb.table(session, name) for name in ("one", "two", "end")]
        session.start()
        for view in views:
            view._feed.look()
        for number in (1, 2):
            session.send("words", number)
        session.settle(PATIENCE_S)
        for view in views:
            view.renew()
            view._feed.rest()
        assert [told(view)["total"] for view in views] == [2, 6, 6]
        assert told(views[0])["rows"] == [["1"], ["2"]]
        assert told(views[2])["columns"][0]["name"] == "key"
        session.end("words")


def test_a_new_run_begins_anew_and_a_closed_session_leaves_what_was_seen() -> None:
    session = runtime.Session("runs")
    result = shop(session, 3)
    view = sage_nb.table(session, result)
    for _ in range(2):
        session.run(PATIENCE_S)
        view.renew()
        assert told(view)["total"] == 3
    session.close()
    view._feed.look()
    view._feed.rest()
    view.renew()
    assert told(view)["total"] == 3


def test_the_same_values_are_one_view_and_a_new_session_of_the_name_gets_its_own() -> None:
    with runtime.Session("same") as session, runtime.Session("same") as other:
        shop(session)
        shop(other)
        first = sage_nb.table(session, "result")
        assert sage_nb.table(session, "result") is first
        assert sage_nb.table(session, "halve") is not first
        second = sage_nb.table(other, "result")
        assert second is not first
        assert first.comm is None, "it is closed"


def test_what_cannot_be_shown_is_refused_by_name() -> None:
    with runtime.Session("refused") as session:
        shop(session)
        with pytest.raises(runtime.UnknownName, match="did you mean 'result'"):
            sage_nb.table(session, "result1")
        with pytest.raises(runtime.GraphInvalid, match="last is 0"):
            sage_nb.table(session, "result", last=0)
        with pytest.raises(runtime.GraphInvalid, match="bars needs by"):
            sage_nb.chart(session, "result", kind="bars")
        with pytest.raises(runtime.GraphInvalid, match="'lines' or 'bars'"):
            sage_nb.chart(session, "result", kind="pie")  # type: ignore[arg-type]
        with pytest.raises(runtime.GraphInvalid, match="y of chart"):
            sage_nb.chart(session, "result", y=[1])  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="not of list"):
            sage_nb.table([], "result")  # type: ignore[arg-type]


# ── what a notebook keeps ──


def test_a_still_says_nothing_until_the_end_was_waited_for_and_then_the_values() -> None:
    with runtime.Session("kept") as session:
        result = shop(session)
        table, chart = sage_nb.table(session, result), sage_nb.chart(session, result, y="half", by="n")
        tapped = sage_nb.table(session, "halve")
        assert "values are shown while it runs" in table.still().html
        assert "values are shown while it runs" in chart.still().html
        session.run(PATIENCE_S)
        assert "<td>4.5</td>" in table.still().html
        assert chart.still().png
        assert "half over number" in chart.still().html
        assert "values are shown while it runs" in tapped.still().html, "what was seen depends on who has looked"


@pytest.mark.parametrize("kind", ["lines", "bars"])
def test_a_chart_is_painted_without_matplotlib_too(monkeypatch: pytest.MonkeyPatch, kind: Any) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    lines = chart_of(seen(*[{"item": f"<b>{n % 2}$", "cents": n} for n in range(9)]), 1, "cents", "item")
    still = chart_stills.still_of_chart("a <title>", kind, lines)
    assert not still.png
    svg = base64.b64decode(still.html.partition("base64,")[2].partition('"')[0]).decode()
    texts = [each.text for each in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]
    assert {"a <title>", "<b>0$", "<b>1$"} <= set(texts)


def taps(session: runtime.Session, task: str) -> list[Any]:
    return list(session._runs.started().inspection._taps.get(task, ()))


def threads() -> int:
    return sum(thread.name == "sage-nb values" for thread in threading.enumerate())


def wait_for(ready: Callable[[], object]) -> None:
    """Until it is so; nobody is told of what changes it."""
    ended = monotonic() + PATIENCE_S
    while not ready():
        assert monotonic() < ended
        sleep(0.001)
