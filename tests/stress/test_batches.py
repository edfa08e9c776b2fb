"""Batches under stress: whatever happens while they are gathered, each packet is in one of them, in order.

Times are short or long at random, so that each reason for which a batch goes is sometimes the one that is needed: where
the time is long, a wake-up that was lost is a hang.
"""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from random import Random
from typing import Any

from runtime import Retry, Session
from tests.stress.rounds import PATIENCE_S, Helper, Packet, give_way, in_order, numbers, one_round, repeat, spin
from tests.stress.test_hand import hand

WITHIN_S = (0.0, 1e-5, 1e-3, 3600.0)


def gather_against_everything(rng: Random) -> None:
    counts = [rng.randrange(40) for _ in range(rng.randint(1, 3))]
    size, capacity = rng.choice((1, 2, 5, 64)), rng.choice((1, 2, 3, 8, 64))
    longest = min(size, max(capacity, len(counts) + 1))
    hands: list[list[Packet]] = [[] for _ in range(rng.randint(0, 2))]
    got, lengths = list[Packet](), list[int]()
    slow = rng.random() < 0.3

    def work(batch: list[Packet]) -> list[Packet]:
        lengths.append(len(batch))
        if slow:
            give_way()
        return batch

    session = Session(capacity=rng.choice((1, 4, 64)), on_error=rng.choice(("fail", "skip", Retry(1))))
    pause = rng.choice((0, 1, 3))
    streams: list[Any] = [session.source(partial(numbers, i + 1, n, pause)) for i, n in enumerate(counts)]
    together = streams[0].union(*streams[1:])
    batches = together.map_batches(work, size=size, within=rng.choice(WITHIN_S), capacity=capacity, name="work")
    batches.sink(got.append)

    def pauses() -> None:
        for _ in range(rng.randrange(4)):
            session.pause("work")
            spin(rng)
            if rng.random() < 0.5:
                session.step("work")
            session.resume("work")

    with one_round(session), ExitStack() as helpers:
        session.start(paused=rng.random() < 0.2)
        session.resume()
        for number, accepted in enumerate(hands, 1):
            inject = partial(session.inject, "work", timeout=rng.choice((0, PATIENCE_S)))
            helpers.enter_context(Helper(partial(hand, inject, number, accepted, 10)))
        pauses()
        session.wait(PATIENCE_S)
        helpers.close()
        assert not lengths or max(lengths) <= longest
        for number, accepted in enumerate(hands, 1):
            assert in_order(got, -number) == list(range(len(accepted))), "lost, doubled or out of order"
        for producer, count in enumerate(counts, 1):
            assert in_order(got, producer) == list(range(count)), "lost, doubled or out of order"


def test_each_packet_is_in_one_batch_whatever_happens_while_it_is_gathered() -> None:
    repeat(gather_against_everything)


def cancel_against_batch(rng: Random) -> None:
    got: list[Packet] = []
    session = Session(capacity=rng.choice((1, 4, 64)), on_error=rng.choice(("fail", "skip")))
    stream: Any = session.source(partial(numbers, 1, None, 3))
    batches = stream.map_batches(list, size=rng.choice((1, 5, 64)), within=rng.choice(WITHIN_S), name="work")
    (batches.key_by(lambda packet: packet[1] % 3) if rng.random() < 0.3 else batches).sink(got.append)
    with one_round(session):
        session.start()
        spin(rng, 20_000)
        session.cancel()
        outcome = session.wait(PATIENCE_S)
        assert outcome.packets_in == outcome.packets_out + outcome.dropped
        assert in_order(got, 1) == list(range(len(got)))


def test_cancel_against_a_batch_loses_count_of_nothing() -> None:
    repeat(cancel_against_batch)
