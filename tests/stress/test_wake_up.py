"""Wake-up under stress: a result is downstream although its producer makes nothing more.

However often the consumer has fallen asleep. The end of a job would heal a wake-up that was lost, so the source here
waits for each burst to arrive before it goes on.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from functools import partial
from random import Random
from typing import Any

import pytest

from runtime import Session
from tests.stress.rounds import PATIENCE_S, Moment, give_way, one_round, repeat


class Bursts:
    """Numbers in bursts, a filter that drops most of them, and a source that goes on only when the rest has arrived."""

    def __init__(self, rng: Random, copies: int) -> None:
        self.sizes = [rng.randint(1, 60) for _ in range(rng.randint(1, 4))]
        self.keeps = rng.choice((1, 3, 10, 30))
        self.pauses = rng.choice((0, 1, 4, 11))
        self.got: list[int] = []
        self.ends = list(itertools.accumulate(self.sizes))
        self.marks: dict[int, Moment] = {}  # by the last number of each burst that the filter keeps
        for end in self.ends:
            self.marks[(end - 1) // self.keeps * self.keeps] = Moment(copies)

    def make(self) -> Iterator[int]:
        """The source."""
        number = 0
        for end in self.ends:
            yield from range(number, end)
            self.marks[(end - 1) // self.keeps * self.keeps].wait()
            number = end

    def make_one(self, burst: int) -> Iterator[int]:
        """A flat_map that makes a whole burst of one packet, and ends it only when all has arrived."""
        for number in range(self.ends[burst] - self.sizes[burst], self.ends[burst]):
            if self.keep(number):
                yield number
        self.marks[(self.ends[burst] - 1) // self.keeps * self.keeps].wait()

    def keep(self, number: int) -> bool:
        """The filter."""
        if self.pauses and number % self.pauses == 0:
            give_way()
        return number % self.keeps == 0

    def take(self, number: int) -> None:
        """The sink."""
        self.got.append(number)
        if (mark := self.marks.get(number)) is not None:
            mark.pass_by()

    def expected(self) -> list[int]:
        """What the sink gets of each copy."""
        return list(range(0, self.ends[-1], self.keeps))


def sleepy_consumer(rng: Random) -> None:
    bursts = Bursts(rng, 1)
    session = Session(capacity=rng.choice((1, 4, 8, 16, 64, 1024)))
    stream = session.source(bursts.make)
    if rng.random() < 0.3:
        stream = stream.map(lambda number: number)
    stream.filter(bursts.keep).sink(bursts.take)
    with one_round(session):
        session.run(PATIENCE_S)
        assert bursts.got == bursts.expected()


def test_a_consumer_that_keeps_falling_asleep_is_woken_by_a_filter_that_drops_most() -> None:
    repeat(sleepy_consumer)


def sleepy_consumers(edge: str, rng: Random) -> None:
    bursts = Bursts(rng, 2 if edge == "broadcast" else 1)
    session = Session(capacity=rng.choice((1, 4, 16, 1024)))
    stream: Any
    if edge == "flat_map":
        stream = session.source(range(len(bursts.sizes))).flat_map(bursts.make_one)
    else:
        stream = session.source(bursts.make).filter(bursts.keep)
    if edge.startswith("hash"):
        stream = stream.key_by(str)
    elif edge == "broadcast":
        stream = stream.broadcast()
    stream.sink(bursts.take, parallelism=1 if edge in ("flat_map", "hash to one") else 2)
    with one_round(session):
        session.run(PATIENCE_S)
        copies = 2 if edge == "broadcast" else 1
        assert sorted(bursts.got) == sorted(bursts.expected() * copies)


@pytest.mark.parametrize("edge", ["round_robin", "hash", "hash to one", "broadcast", "flat_map"])
def test_a_consumer_that_keeps_falling_asleep_is_woken_by_every_kind_of_edge(edge: str) -> None:
    repeat(partial(sleepy_consumers, edge), 125)
