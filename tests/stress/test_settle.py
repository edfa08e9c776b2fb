"""settle() under stress: when it returns, nothing moves and nobody who could go on is waiting."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from random import Random
from typing import Any

from runtime import Session
from tests.stress.rounds import PATIENCE_S, Helper, Packet, give_way, numbers, one_round, repeat, spin


def assert_settled(session: Session) -> None:
    """Two looks with time between them see the same, and in what they see there is nothing to be done."""
    first = list(session.snapshot())
    for facts in first:
        assert facts.state in ("idle", "ended"), f"not settled: {facts!r}"
        assert facts.depth == 0, f"{facts!r} has packets to work"
    assert list(session.snapshot()) == first, "something moved"


def settle(session: Session, rng: Random) -> None:
    """Wait until told that all stands still, or ask again and again, each time at another moment."""
    if rng.random() < 0.5:
        session.settle(PATIENCE_S)
        return
    for _ in range(100_000):
        try:
            session.settle(0)
        except TimeoutError:
            give_way()
        else:
            return
    session.settle(0)


def settle_against_running(rng: Random) -> None:
    counts = [rng.randrange(30) for _ in range(rng.randint(1, 3))]
    got: list[Packet] = []
    busy = rng.choice((1, 1, 1, 20_000))
    session = Session(capacity=rng.choice((1, 1, 2, 4, 32)))
    streams = [session.source(partial(numbers, i, n, rng.choice((0, 1, 4)))) for i, n in enumerate(counts)]
    stream: Any = streams[0].union(*streams[1:], session.input("in"))  # the input keeps the job alive
    for _ in range(rng.choice((0, 0, 1, 2, 3))):
        stream = stream.map(lambda packet: packet, parallelism=rng.choice((1, 1, 2)))

    def take(packet: Packet) -> None:
        got.append(packet)
        spin(rng, busy)  # so that somebody looks while the last packet is in work, and a producer is held back

    stream.sink(take)
    with one_round(session):
        session.start()
        settle(session, rng)
        assert_settled(session)
        assert len(got) == sum(counts)
        for sent in range(1, rng.randint(1, 3)):
            spin(rng)
            session.send("in", (-1, sent), timeout=PATIENCE_S)
            settle(session, rng)
            assert_settled(session)
            assert len(got) == sum(counts) + sent
        session.stop()
        session.settle(PATIENCE_S)
        session.wait(PATIENCE_S)


def test_settle_returns_when_all_that_runs_has_come_to_rest() -> None:
    repeat(settle_against_running)


def several_settle(rng: Random) -> None:
    count = rng.randrange(rng.choice((4, 4, 40)))
    session = Session(capacity=rng.randint(1, 4))
    stream: Any = session.source(partial(numbers, 0, count, rng.choice((0, 3))))
    stream.map(lambda packet: packet).sink(lambda packet: None)
    with one_round(session), ExitStack() as helpers:
        session.start()
        for _ in range(2):
            helpers.enter_context(Helper(partial(session.settle, PATIENCE_S)))
        spin(rng)
        if rng.random() < 0.5:
            session.cancel()
        helpers.close()
        assert all(facts.state == "ended" for facts in session.snapshot())
        session.wait(PATIENCE_S)


def test_several_may_wait_for_it_at_once_and_the_end_wakes_them() -> None:
    repeat(several_settle)
