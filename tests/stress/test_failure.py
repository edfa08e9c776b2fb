"""Failure under stress: one task raises at a random packet while others put, wait, finish or are given commands.

The job ends, the failure is named and counted, and every other packet has been worked or is counted as dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from random import Random
from typing import Any

import pytest

from runtime import Function, Session, TaskFailed
from tests.stress.rounds import PATIENCE_S, Helper, Moment, Packet, numbers, one_round, repeat, spin
from tests.stress.test_hand import hand


class Planted(Exception):
    """The error that user code raises here."""


class Exploding(Function[Any, Any]):
    """Raises where it is told to: in `open`, in `process`, in `finish` or in `close`."""

    def __init__(self, place: str, explode: Callable[[], None]) -> None:
        self.place, self.explode = place, explode

    def __deepcopy__(self, memo: object) -> Exploding:
        return self  # the count is shared, so that one instance raises, once

    def open(self, ctx: Any) -> None:
        self._maybe("open")

    def process(self, value: Any, /) -> Any:
        self._maybe("process")
        return value

    def finish(self) -> None:
        self._maybe("finish")

    def close(self) -> None:
        self._maybe("close")

    def _maybe(self, place: str) -> None:
        if place == self.place:
            self.explode()


def exploding_source(count: int, explode: Callable[[], None]) -> Iterator[Packet]:
    """Packets, and at a moment an error instead of the next one."""
    for packet in numbers(0, count):
        explode()
        yield packet


PLACES = ("source", "key", "map", "sink", "open", "finish", "close")
WORKED_BUT_NOT_SENT = ("key", "map")
"""Where the packet at fault counts as worked by its task, but comes neither out nor is it dropped."""


def failure_against_everything(place: str, rng: Random) -> None:
    count = rng.randint(40, 120)
    kinds = [Planted, SystemExit, KeyboardInterrupt, StopIteration]
    # A generator turns StopIteration into another error by itself.
    error = rng.choice(kinds[:3] if place == "source" else kinds)("planted")
    session = Session(capacity=rng.choice((1, 2, 5, 64)))

    def explode() -> None:
        raise error

    # Of a life's places the first call explodes, of packets a random one.
    moment = Moment(1 if place in ("open", "finish", "close") else rng.randint(1, 40), explode)
    function: Any = moment.pass_by

    def work(packet: Packet) -> Packet:
        function()
        return packet

    def key(packet: Packet) -> int:
        function()
        return packet[1]

    source = partial(exploding_source, count, function) if place == "source" else partial(numbers, 0, count)
    stream: Any = session.source(source).union(session.source(partial(numbers, 1, count, 3)), session.input("in"))
    middle: Any = {
        "map": work if rng.random() < 0.5 else Exploding("process", function),
        "open": Exploding("open", function),
        "finish": Exploding("finish", function),
        "close": Exploding("close", function),
    }.get(place, lambda packet: packet)
    stream = stream.map(middle, parallelism=rng.randint(1, 3), name="middle")
    stream = stream.key_by(key) if place == "key" else stream
    stream.sink(work if place == "sink" else lambda packet: None, parallelism=rng.randint(1, 2))
    accepted: list[Packet] = []
    with one_round(session), ExitStack() as helpers:
        session.start()
        helpers.enter_context(Helper(partial(hand, partial(session.send, "in", timeout=PATIENCE_S), 1, accepted)))
        if place in ("finish", "close"):  # only reached when the input is over
            spin(rng)
            session.stop()
        elif rng.random() < 0.3:
            helpers.enter_context(Helper(partial(session.settle, PATIENCE_S)))
        with pytest.raises(TaskFailed) as failed:
            session.wait(PATIENCE_S)
        helpers.close()
        assert failed.value.__cause__ is error
        outcome = session.outcome
        assert outcome is not None
        assert (outcome.state, outcome.errors) == ("failed", 1), repr(outcome)
        assert set(outcome.order) == set(session.snapshot().tasks)
        assert len(outcome.order) == len(session.snapshot())
        gone = place in WORKED_BUT_NOT_SENT
        assert outcome.packets_in == outcome.packets_out + outcome.dropped + gone, repr(outcome)


@pytest.mark.parametrize("place", PLACES)
def test_a_failure_against_everything_ends_the_job_once_and_is_counted(place: str) -> None:
    repeat(partial(failure_against_everything, place), 100)
