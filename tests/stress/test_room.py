"""Room under stress: no queue ever holds more than it may, and whoever may put finds the room that there is.

The hand has no room of its own but borrows it: while producers run, what it borrows is nobody else's, and afterwards
everything is as before.
"""

from __future__ import annotations

import threading
from contextlib import ExitStack
from functools import partial
from random import Random
from typing import Any

from runtime import QueueFull, Session
from tests.stress.rounds import PATIENCE_S, Helper, Moment, Packet, give_way, in_order, numbers, one_round, repeat, spin
from tests.stress.test_hand import hand


def borrow_against_put(rng: Random) -> None:
    counts = [rng.randrange(5, 40) for _ in range(rng.randint(1, 3))]
    capacity = rng.choice((1, 2, 3, 5, 8, 12, 16, 24, 40))
    bound = max(capacity, len(counts) + 1)
    hands: list[list[Packet]] = [[] for _ in range(rng.randint(1, 2))]
    most, got = [0], list[Packet]()
    full = threading.Event()

    slow = rng.choice((1, 2, 6, 30))

    def look(packet: Packet) -> Packet:
        full.wait(PATIENCE_S)  # the first packet stays in work until the queue behind it is full
        if packet[1] % slow == 0:
            give_way()
        # On the reader's own thread: lanes only grow while it looks, so the sum is not more than there was at its end.
        most[0] = max(most[0], session.snapshot()["look"].depth)
        return packet

    session = Session(capacity=capacity)
    pause = rng.choice((0, 2))  # in the middle of a window
    streams: list[Any] = [session.source(partial(numbers, i + 1, n, pause)) for i, n in enumerate(counts)]
    if rng.random() < 0.3:  # not in windows, but one by one
        streams = [stream.flat_map(lambda packet: (packet,)) for stream in streams]
    streams[0].union(*streams[1:]).map(look, name="look").sink(got.append)
    first: list[Packet] = []
    with one_round(session), ExitStack() as helpers:
        session.start()
        try:
            while True:
                session.inject("look", (-9, len(first)))
                first.append((-9, len(first)))
        except QueueFull:
            assert len(first) <= bound + 1  # and one in work
        for number, accepted in enumerate(hands, 1):
            inject = partial(session.inject, "look", timeout=rng.choice((0, PATIENCE_S)))
            helpers.enter_context(Helper(partial(hand, inject, number, accepted, 15)))
        spin(rng)
        full.set()
        session.wait(PATIENCE_S)
        helpers.close()
        assert most[0] <= bound, f"{most[0]} in a queue of {bound}"
        assert [packet for packet in got if packet[0] == -9] == first
        for number, accepted in enumerate(hands, 1):
            assert [packet for packet in got if packet[0] == -number] == accepted, "lost, doubled or out of order"
        for producer, count in enumerate(counts, 1):
            assert in_order(got, producer) == list(range(count)), "lost, doubled or out of order"


def test_borrowed_room_never_makes_a_queue_longer_while_producers_run() -> None:
    repeat(borrow_against_put)


def claim_and_not_use(session: Session, rng: Random, got: list[Packet]) -> None:
    """Source → filter → sink, where the filter claims room for results that it then does not make, and then waits."""
    total, keeps, slow = rng.randint(1, 40), rng.choice((1, 5, 10**9)), rng.choice((1, 1, 4))

    def keep(packet: Packet) -> bool:
        if packet[1] % slow == 0:
            give_way()
        return packet[1] % keeps == keeps - 1

    session.source(partial(numbers, 1, total)).union(session.input("in")).filter(keep).sink(got.append, name="sink")


def unused_room(rng: Random) -> None:
    got: list[Packet] = []
    session = Session(capacity=rng.choice((1, 2, 3, 4, 8, 64)))
    claim_and_not_use(session, rng, got)
    with one_round(session):
        session.start()
        session.settle(PATIENCE_S)
        session.inject("sink", (-1, 0))  # an empty queue has room, at once
        session.stop()
        session.wait(PATIENCE_S)
        assert got[-1] == (-1, 0)


def test_an_empty_queue_has_room_for_the_hand_when_nobody_moves() -> None:
    repeat(unused_room)


def wait_for_unused_room(rng: Random) -> None:
    got: list[Packet] = []
    accepted: list[Packet] = []
    session = Session(capacity=rng.choice((1, 2, 2, 3, 4, 8)))
    claim_and_not_use(session, rng, got)
    with one_round(session):
        session.start()
        with Helper(partial(hand, partial(session.inject, "sink", timeout=None), 1, accepted, rng.randint(1, 10))):
            pass  # it comes to its end while nothing else comes
        session.stop()
        session.wait(PATIENCE_S)
        assert [packet for packet in got if packet[0] < 0] == accepted


def test_a_waiting_hand_gets_the_room_that_a_producer_claimed_and_did_not_use() -> None:
    repeat(wait_for_unused_room)


def fill_behind_stuck(rng: Random) -> None:
    capacity = rng.randint(1, 20)
    # A full queue at the sink, one in hand and a full queue at the map, one in hand at the source.
    filled, stuck = Moment(2 * capacity + 2), threading.Event()
    got: list[Packet] = []

    def make() -> Any:
        for packet in numbers(0, 3 * capacity + 3, pauses):
            filled.pass_by()
            yield packet

    def take(packet: Packet) -> None:
        stuck.wait(PATIENCE_S)
        got.append(packet)

    pauses = rng.choice((0, 1, 3))
    session = Session(capacity=capacity)
    session.source(make).map(lambda packet: packet).sink(take)
    with one_round(session):
        session.start()
        filled.wait()
        stuck.set()
        session.wait(PATIENCE_S)
        assert got == [(0, number) for number in range(3 * capacity + 3)]


def test_queues_fill_to_the_brim_behind_a_consumer_that_is_stuck() -> None:
    repeat(fill_behind_stuck)


def borrow_and_return(rng: Random) -> None:
    capacity = rng.randint(2, 16)
    got: list[int] = []
    stuck = threading.Event()

    def take(number: int) -> None:
        stuck.wait(PATIENCE_S)
        got.append(number)

    session = Session(capacity=capacity)
    session.input("in").sink(take, name="sink")
    with one_round(session):
        session.start()
        borrowed = 0
        try:
            while True:
                session.inject("sink", borrowed)
                borrowed += 1
        except QueueFull:
            stuck.set()
        session.settle(PATIENCE_S)
        stuck.clear()
        # Now the producer has all the room again: one in work and a full queue at the sink, the rest at the input.
        for number in range(2 * capacity + 1):
            session.send("in", borrowed + number, timeout=PATIENCE_S)
        stuck.set()
        session.stop()
        session.wait(PATIENCE_S)
        assert got == list(range(borrowed + 2 * capacity + 1))


def test_what_the_hand_has_borrowed_comes_back() -> None:
    repeat(borrow_and_return)
