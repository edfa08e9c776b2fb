"""Promise 17, as far as texts go: nothing in a packet can break a message, run code of its own or make it long."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

import runtime
from runtime.communication.packet import Packet
from runtime.testing import PATIENCE_S
from runtime.texts.preview import preview
from tests.hostile import PAYLOADS, Point
from tests.platforms import MakeSession

LONGEST = 20_000

numpy = pytest.importorskip("numpy")


every_payload = pytest.mark.parametrize("name", PAYLOADS)  # by name: pytest itself does not stand the values


@every_payload
def test_a_preview_is_short_and_runs_no_code_of_the_payload(name: str) -> None:
    payload = PAYLOADS[name]
    text = preview(payload)
    assert type(text) is str
    assert 0 < len(text) <= LONGEST
    assert len(repr(Packet(payload, key=payload, keyed=True))) <= 2 * LONGEST + 100


@every_payload
def test_a_failure_on_any_packet_can_be_told(make_session: MakeSession, name: str) -> None:
    payload = PAYLOADS[name]

    def fail(value: Any) -> Any:
        raise ValueError("no good")

    session = make_session()
    session.source([payload], name="s").map(fail, name="it").collect()
    session.start()
    with pytest.raises(
        runtime.TaskFailed, match=r"^task 'it' failed on packet (.|\n)*: ValueError: no good$"
    ) as caught:
        session.wait(PATIENCE_S)
    assert len(str(caught.value)) <= LONGEST
    assert sum(len(repr(event)) for event in session.events) <= 2 * LONGEST


@every_payload
def test_any_packet_passes_and_can_be_looked_at(make_session: MakeSession, name: str) -> None:
    payload = PAYLOADS[name]

    session = make_session()
    result = session.source([payload, payload]).map(lambda value: value).collect()
    session.run(PATIENCE_S)
    assert len(result) == 2
    assert result[0] is payload
    assert len(repr(result)) <= 2 * LONGEST
    assert str(session)
    assert repr(session.snapshot())


@every_payload
def test_any_value_may_be_the_argument_of_an_error(make_session: MakeSession, name: str) -> None:
    payload = PAYLOADS[name]

    def fail(value: Any) -> Any:
        raise ValueError(payload)

    session = make_session()
    session.source([1]).map(fail, name="it").collect()
    session.start()
    with pytest.raises(runtime.TaskFailed, match="task 'it' failed on packet 1: ValueError") as caught:
        session.wait(PATIENCE_S)
    assert len(str(caught.value)) <= LONGEST


@dataclass(frozen=True)
class Reading:
    city: str
    degrees: float
    tags: tuple[str, ...] = ()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (numpy.zeros((3, 4)), "<ndarray of float64, 3 × 4>"),
        ([numpy.arange(1_200), numpy.array(1)], "[<ndarray of int64, 1,200>, <ndarray of int64, no dimensions>]"),
        (numpy.int64(7), "int64(7)"),
        ({"a": numpy.float32(0.5), "b": numpy.bool_(True)}, "{'a': float32(0.5), 'b': bool(True)}"),
        (numpy.array([object()], dtype=object), "<ndarray of object, 1>"),
        (None, "None"),
        (True, "True"),
        (-3, "-3"),
        (1.5, "1.5"),
        ("be", "'be'"),
        (b"be", "b'be'"),
        ([], "[]"),
        ((1,), "(1,)"),
        ((), "()"),
        ([1, "a", None], "[1, 'a', None]"),
        (list(range(10)), "[0, 1, 2, 3, 4, 5, … 4 more]"),
        ({"a": 1, 2: [3]}, "{'a': 1, 2: [3]}"),
        (dict.fromkeys(range(1500), 0), "{0: 0, 1: 0, 2: 0, 3: 0, 4: 0, 5: 0, … 1,494 more}"),
        ([[[[1]]]], "[[[<list>]]]"),
        ("x" * 61, "'" + "x" * 60 + "'… (61 long)"),
        (1 << 300, "<int of 301 bits>"),
        (Point(1, "b"), "Point(x=1, y='b')"),
        (Reading("Oslo", 3.5, ("cold",)), "Reading(city='Oslo', degrees=3.5, tags=('cold',))"),
        (datetime.date(2024, 2, 29), "datetime.date(2024, 2, 29)"),
        (datetime.time(1, tzinfo=ZoneInfo("UTC")), "datetime.time(1, 0, tzinfo=zoneinfo.ZoneInfo(key='UTC'))"),
        (object(), "<object>"),
        (Decimal("1.5"), "<Decimal>"),
    ],
    ids=lambda value: value[:20] if isinstance(value, str) else "",
)
def test_a_preview_shows_plain_values_as_they_are(value: Any, text: str) -> None:
    assert preview(value) == text


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.dates() | st.datetimes(),
    lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.text(), inner),
)


@given(plain)
def test_a_preview_of_any_plain_value_is_short(value: Any) -> None:
    assert 0 < len(preview(value)) <= LONGEST
