"""Who calls which service in a still picture: a line where there has been a call, its number, and the same in words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import runtime
from sage_nb import painter, svg_painter
from sage_nb.picture import Picture, picture_of
from tests.test_own_picture import assert_same
from tests.test_sage_nb import texts


class Rates:
    def process(self, item: int) -> int:
        return item


class Prices:
    """Asks another service."""

    ctx: Any

    def process(self, item: int) -> int:
        rate: int = self.ctx.call_service("rates", item)
        return rate


class Asks(runtime.Function[int, int]):
    """Asks a service for each packet, or for some."""

    def __init__(self, service: str, every: int = 1) -> None:
        self.service, self.every = service, every

    def process(self, value: int) -> int:
        found: int = self.ctx.call_service(self.service, value) if value % self.every == 0 else value
        return found


def build(session: runtime.Session) -> None:
    """Two operators call prices, which call rates; one calls rates itself; nobody calls the clock."""
    session.service("clock", object)
    session.service("prices", Prices)
    session.service("rates", Rates)
    numbers = session.source(range(12), name="numbers").map(Asks("prices"), name="price", parallelism=3)
    numbers.map(Asks("prices", 4), name="again").map(Asks("rates"), name="rate").collect(name="result")


@pytest.fixture
def ended() -> Iterator[runtime.Session]:
    with runtime.Session("shop") as session:
        build(session)
        session.run(30)
        yield session


def ends(picture: Picture) -> list[tuple[str, str]]:
    """Between which boxes each line goes."""
    found = []
    for call in picture.calls:
        [start] = [
            each for each in picture.operators if (each.box.x, each.box.y + each.box.height / 2) == call.curve[0]
        ]
        [end] = [each for each in picture.operators if _touches(each.box, call.end)]
        found.append((start.name, end.name))
    return found


def _touches(box: Any, point: tuple[float, float]) -> bool:
    on_edge = abs(abs(point[1] - box.y) - box.height / 2) < 0.1
    return bool(on_edge and abs(point[0] - box.x) < box.width / 2)


def test_a_line_leads_from_each_caller_to_each_service_that_it_has_called(ended: runtime.Session) -> None:
    picture = picture_of(ended)
    pairs = {("price", "prices"), ("again", "prices"), ("rate", "rates"), ("prices", "rates")}
    assert set(ends(picture)) == pairs
    assert len(picture.calls) == len(pairs)
    assert [call.label for call in picture.calls[:2]] == ["12", "3"]
    assert "price (map × 3, completed" in picture.alt
    for words in ("calls prices 12 times", "calls prices 3 times", "calls rates 12 times", "calls rates 15 times"):
        assert words in picture.alt


def test_both_painters_draw_the_same_lines_with_the_same_words_in_the_same_places(ended: runtime.Session) -> None:
    assert_same(ended)
    own = svg_painter.svg_of(picture_of(ended))
    other = painter.svg_of(picture_of(ended))
    assert own.count("stroke-dasharray") == other.count("stroke-dasharray") == 4
    assert {"12", "3"} <= set(texts(own))


def test_all_lines_lie_within_the_picture_and_end_at_boxes(ended: runtime.Session) -> None:
    picture = picture_of(ended)
    for call in picture.calls:
        for x, y in (*call.curve, call.tip, *call.head):
            assert 0 <= x <= picture.width
            assert 0 <= y <= picture.height


def test_before_a_run_and_without_a_call_there_is_no_line_and_the_services_lie_where_they_did() -> None:
    with runtime.Session("quiet") as session:
        session.service("clock", object)
        session.source([1], name="numbers").collect(name="result")
        before = picture_of(session)
        assert before.calls == ()
        session.run(10)
        assert picture_of(session).calls == ()


def test_what_is_called_from_outside_has_no_line_and_a_single_caller_no_number() -> None:
    with runtime.Session("one") as session:
        session.service("rates", Rates)
        session.source([1], name="numbers").map(Asks("rates"), name="rate").collect(name="result")
        session.start(paused=True)
        session.resume("rates")
        session.call("rates", 1)
        session.resume()
        session.wait(10)
        picture = picture_of(session)
        assert ends(picture) == [("rate", "rates")]
        assert picture.calls[0].label == ""
        assert "2 calls" in texts(svg_painter.svg_of(picture))


def test_of_more_callers_than_there_is_room_for_none_has_a_number() -> None:
    with runtime.Session("many") as session:
        session.service("rates", Rates)
        stream = session.source([1], name="numbers")
        for number in range(5):
            stream = stream.map(Asks("rates"), name=f"rate {number}")
        stream.collect(name="result")
        session.run(10)
        picture = picture_of(session)
        assert len(picture.calls) == 5
        assert {call.label for call in picture.calls} == {""}
        places = [call.end[0] for call in picture.calls]
        assert places == sorted(places)
