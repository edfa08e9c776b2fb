"""The hand under stress: what it puts in is accepted and worked, or refused, and in order.

It races with the end of the task without anything falling in between, and is taken back or worked, never both and never
neither. What it borrows is in test_room.py.
"""

from __future__ import annotations

import threading
from ast import literal_eval
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import ExitStack, suppress
from functools import partial
from random import Random
from typing import Any

from runtime import CommandRefused, Function, QueueFull, Session, TaskEnded
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


def put_in_and_take_back(session: Session, target: str, rng: Random, number: int, injected: list[Packet]) -> None:
    """Inject as producer `-number`, and take back the newest of what anybody has injected, now and then."""
    for index in range(20):
        with suppress(QueueFull):
            session.inject(target, (-number, index), timeout=PATIENCE_S)
            injected.append((-number, index))
        if rng.random() < 0.6:
            with suppress(CommandRefused, QueueFull):  # none, or taken, or not paused
                session.undo()


def undo_against_worker(rng: Random) -> None:
    """Tasks run, and are paused for moments: each packet is worked once, by all who got it, or taken back."""
    got: list[Packet] = []
    injected: list[list[Packet]] = [[], []]
    copies = rng.randint(1, 3)
    session = Session(capacity=rng.randint(4, 12), seed=rng.choice((None, None, rng.randrange(99))))
    entrance = session.input("in")
    spread = entrance.broadcast() if copies > 1 else entrance
    spread.map(lambda packet: packet, name="work", parallelism=copies).sink(got.append)
    over = threading.Event()

    def pause_for_moments() -> None:
        while not over.is_set():
            session.pause("in", "work", timeout=PATIENCE_S)
            spin(rng, 2_000)
            session.resume()
            give_way()

    def send() -> None:
        for index in range(30):
            session.send("in", (1, index), timeout=PATIENCE_S)

    with one_round(session), ExitStack() as helpers:
        session.start()
        pauser = helpers.enter_context(Helper(pause_for_moments))
        hands = [
            helpers.enter_context(Helper(partial(put_in_and_take_back, session, target, rng, number, mine)))
            for number, (target, mine) in enumerate(zip(("in", "work"), injected, strict=True), 1)
        ]
        hands.append(helpers.enter_context(Helper(send)))
        for each in hands:
            each.join()
        over.set()
        pauser.join()
        session.end("in")
        outcome = session.wait(PATIENCE_S)
        undone = [event.text for event in session.events if event.text.startswith("undo of inject: ")]
        taken_back = [literal_eval(text.removeprefix("undo of inject: ")) for text in undone]
        worked = Counter(got)
        kept = Counter(injected[0] + injected[1])
        kept.subtract(taken_back)
        assert set(kept.values()) <= {0, 1}, "something was taken back twice"
        kept += Counter((1, index) for index in range(30))
        assert worked == Counter(dict.fromkeys(kept, copies)), "worked and taken back, or neither"
        at_work = sum(1 for producer, _ in kept if producer == -2)  # which comes in once for each task
        assert (outcome.packets_in, outcome.dropped) == (len(kept) + (copies - 1) * at_work, 0)


def test_what_was_injected_is_worked_by_all_who_got_it_or_taken_back_from_all() -> None:
    repeat(undo_against_worker, 100)
