"""The hand under stress: what it puts in is accepted and worked, or refused, and in order.

It races with the end of the task without anything falling in between. What it borrows is in test_room.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import ExitStack
from functools import partial
from random import Random
from typing import Any

from runtime import Function, QueueFull, Session, TaskEnded
from tests.stress.rounds import (
    PATIENCE_S,
    Helper,
    Packet,
    give_way,
    in_order,
    numbers,
    one_round,
    repeat,
    spin,
)

LAST: Packet = (0, -1)
"""What the middle sends when its input is over."""


class Middle(Function[Packet, Packet]):
    """Sends on what comes, and `LAST` behind it."""

    def process(self, value: Packet, /) -> Packet:
        return value

    def finish(self) -> Iterable[Packet]:
        yield LAST


def hand(inject: Callable[[Any], None], number: int, accepted: list[Packet], most: int | None = None) -> None:
    """Put in packets as producer `-number` until the task has ended, or `most` have been accepted."""
    try:
        while most is None or len(accepted) < most:
            packet = (-number, len(accepted))
            try:
                inject(packet)
            except QueueFull:
                give_way()
            else:
                accepted.append(packet)
    except TaskEnded:
        pass


def inject_against_end(rng: Random) -> None:
    counts = [rng.randrange(25) for _ in range(rng.randint(1, 4))]
    hands: list[list[Packet]] = [[] for _ in range(rng.randint(1, 2))]
    got: list[Packet] = []
    session = Session(capacity=rng.randint(1, 8))
    streams = [session.source(partial(numbers, i + 1, n, rng.choice((0, 1, 3)))) for i, n in enumerate(counts)]
    middle: Any = Middle() if rng.random() < 0.5 else lambda packet: packet
    streams[0].union(*streams[1:]).map(middle, name="middle").sink(got.append)
    inject = partial(session.inject, "middle", timeout=rng.choice((0, 0, PATIENCE_S)))
    with one_round(session), ExitStack() as helpers:
        session.start()
        for number, accepted in enumerate(hands, 1):
            helpers.enter_context(Helper(partial(hand, inject, number, accepted)))
        outcome = session.wait(PATIENCE_S)
        helpers.close()
        for number, accepted in enumerate(hands, 1):
            assert [packet for packet in got if packet[0] == -number] == accepted, "lost, doubled or out of order"
        for producer, count in enumerate(counts, 1):
            assert in_order(got, producer) == list(range(count)), "lost, doubled or out of order"
        assert got.count(LAST) == isinstance(middle, Middle)
        assert LAST not in got[:-1], "the middle finished before all had come"
        assert outcome.packets_in == sum(counts) + sum(map(len, hands))
        facts = session.snapshot()["middle"]
        assert sorted(producer for producer, _ in facts.ended_producers) == sorted(facts.producers[1:])


def test_what_the_hand_puts_in_against_the_end_is_worked_or_refused_and_the_barrier_waits_for_all() -> None:
    repeat(inject_against_end)


def send_against_end(rng: Random) -> None:
    accepted: list[list[Packet]] = [[], []]
    got: list[Packet] = []
    session = Session(capacity=rng.randint(1, 6))
    session.input("in").sink(got.append)
    with one_round(session), ExitStack() as helpers:
        session.start()
        for number, mine in enumerate(accepted, 1):
            helpers.enter_context(Helper(partial(hand, partial(session.send, "in", timeout=PATIENCE_S), number, mine)))
        spin(rng, 20_000)
        (session.stop if rng.random() < 0.5 else partial(session.end, "in"))()
        outcome = session.wait(PATIENCE_S)
        helpers.close()
        for number, mine in enumerate(accepted, 1):
            assert [packet for packet in got if packet[0] == -number] == mine, "lost, doubled or out of order"
        assert outcome.packets_in == outcome.packets_out == len(got)


def test_an_input_works_all_that_was_accepted_before_its_end() -> None:
    repeat(send_against_end)
