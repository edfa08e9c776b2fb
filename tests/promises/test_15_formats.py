"""Promise 15, however a packet lies in its lane: bare, with its key, traced, beside the number of its input.

What is shown, edited, skipped, retried and failed on is always its payload, with its key and its input.
"""

from __future__ import annotations

from typing import Any

import pytest

import runtime
from runtime.testing import PATIENCE_S
from tests.pairs import every_pair_of
from tests.platforms import MakeSession


def tens(value: int) -> int:
    return value // 10


def work(value: int) -> int:
    if value % 10 == 5:
        raise ValueError(value)
    return value


def merge(left: int | None, right: int | None) -> int:
    return work(left if right is None else right)  # type: ignore[arg-type]


def bare(a: Any, b: Any, policy: Any) -> Any:
    return a.union(b).map(work, name="work", on_error=policy)


def keyed(a: Any, b: Any, policy: Any) -> Any:
    return a.key_by(tens).union(b.key_by(tens)).map(work, name="work", on_error=policy)


def two(a: Any, b: Any, policy: Any) -> Any:
    return a.connect(b).map(work, work, name="work", on_error=policy)


def two_keyed(a: Any, b: Any, policy: Any) -> Any:
    return a.key_by(tens).connect(b.key_by(tens)).map(work, work, name="work", on_error=policy)


def joined(a: Any, b: Any, policy: Any) -> Any:
    return a.key_by(tens).join(b.key_by(tens), merge, how="outer", name="work", on_error=policy)


SHAPES = {"bare": bare, "keyed": keyed, "two inputs": two, "two keyed inputs": two_keyed, "join": joined}
every_shape = every_pair_of(shape=list(SHAPES), trace=(False, True))


def started(session: runtime.Session, shape: str, policy: Any = "fail") -> tuple[Any, bool, bool]:
    """A paused job in whose task 11 waits from `a`, 12 from `b`, and 13 from the hand, on the last input."""
    a, b = session.source([11], name="a"), session.source([12], name="b")
    result = SHAPES[shape](a, b, policy).collect()
    session.start(paused=True)
    session.step("a")
    session.step("b")
    has_two = shape not in ("bare", "keyed")
    session.inject("work", 13, input=1 if has_two else None)
    return result, shape not in ("bare", "two inputs"), has_two


def shown(session: runtime.Session) -> list[tuple[Any, ...]]:
    return sorted((each.payload, each.key, each.keyed, each.input, each.producer) for each in session.peek("work"))


@every_shape
def test_what_waits_is_shown_and_edited_in_the_same_way_however_it_lies_there(
    make_session: MakeSession, shape: str, trace: bool
) -> None:
    session = make_session(trace=trace)
    result, has_keys, has_two = started(session, shape)
    key, last = (1 if has_keys else None), int(has_two)
    places = ((11, 0, "a"), (12, last, "b"), (13, last, "hand"))
    assert shown(session) == [(value, key, has_keys, number, who) for value, number, who in places]
    before = {packet.payload: packet for packet in session.peek("work")}
    for packet in before.values():
        session.edit(packet, packet.payload + 5)
    assert shown(session) == [(value + 5, key, has_keys, number, who) for value, number, who in places]
    for packet in session.peek("work"):
        old = before[packet.payload - 5]
        assert (packet.id, packet.parents, packet.timestamp) == (old.id, old.parents, old.timestamp)
        assert (packet.id is not None) is trace
    for _ in before:
        session.undo()
    assert list(session.peek("work")) == list(before.values())
    session.resume()
    session.wait(PATIENCE_S)
    if shape != "join":
        assert sorted(result) == [11, 12, 13]


@every_shape
def test_what_is_skipped_is_the_payload_with_its_key_and_input_and_goes_back_as_it_came(
    make_session: MakeSession, shape: str, trace: bool
) -> None:
    session = make_session(trace=trace)
    _, has_keys, has_two = started(session, shape, "skip")
    for packet in session.peek("work"):
        session.edit(packet, 15)
    session.step("work", 3)
    key, last = (1 if has_keys else None), int(has_two)
    letters = list(session.dead_letters)
    if shape == "join":  # only the row from `a` has met another
        assert [(each.packet, each.key, each.keyed, each.input) for each in letters] == [(15, 1, True, 0)]
    else:
        assert sorted((each.packet, each.key, each.keyed, each.input) for each in letters) == sorted(
            (15, key, has_keys, number) for number in (0, last, last)
        )
    for _ in letters:
        session.dead_letters.retry(0)
    assert shown(session) == sorted((15, key, has_keys, each.input, "hand") for each in letters)
    session.cancel()


@every_shape
def test_what_a_task_fails_on_is_the_payload(make_session: MakeSession, shape: str, trace: bool) -> None:
    session = make_session(trace=trace)
    started(session, shape)
    for packet in session.peek("work"):
        session.edit(packet, 15)
    session.resume()
    with pytest.raises(runtime.TaskFailed) as failed:
        session.wait(PATIENCE_S)
    assert failed.value.packet == 15
    session.close()
    assert all(packet.text in ("15", "15 [key 1]") for packet in session.peek("work"))


@every_shape
def test_what_waited_at_a_close_is_still_shown_with_its_key_and_input(
    make_session: MakeSession, shape: str, trace: bool
) -> None:
    session = make_session(trace=trace)
    _, has_keys, has_two = started(session, shape)
    before = sorted((each.text, each.input, each.keyed, each.producer, each.id) for each in session.peek("work"))
    session.close()
    assert (
        sorted((each.text, each.input, each.keyed, each.producer, each.id) for each in session.peek("work")) == before
    )
    assert [text for text, *_ in before] == ([f"{n} [key 1]" for n in (11, 12, 13)] if has_keys else ["11", "12", "13"])
    assert [number for _, number, *_ in before] == [0, int(has_two), int(has_two)]
