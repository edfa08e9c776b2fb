"""Skip and Retry under stress: packets fail here and there while others put, wait, retry letters or are given commands.

Every packet comes out once, or is skipped, or is counted as dropped; whatever moment a cancel or a stop has chosen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from random import Random
from typing import Any

import pytest

from runtime import CommandRefused, QueueFull, Retry, Session
from tests.stress.rounds import PATIENCE_S, Helper, Moment, Packet, give_way, numbers, one_round, repeat, spin
from tests.stress.test_hand import hand

FOR_EVER_S = 3600.0


def fragile(rng: Random, policy: object) -> Callable[[Packet], Packet]:
    """Raises for some packets: for ever under skip; under Retry a few times, of which the last may be one too many."""
    chosen, times = rng.randint(2, 9), rng.randint(1, 3)
    seen: dict[Packet, int] = {}

    def function(packet: Packet) -> Packet:
        if sum(packet) % chosen == 0:
            seen[packet] = seen.get(packet, 0) + 1
            if policy == "skip" or seen[packet] <= times:
                raise ValueError("planted")
        return packet

    return function


def policy_for(rng: Random) -> Any:
    return rng.choice(("skip", Retry(rng.randint(1, 3), rng.choice((0, 0.000_05)), then="skip")))


def retry_letters(session: Session, over: Callable[[], bool]) -> None:
    """Retry and discard letters while the job runs."""
    while not over():
        letters = session.dead_letters
        try:
            if len(letters):
                letters.discard(0) if letters.total % 3 == 0 else letters.retry(0)
        except (CommandRefused, QueueFull, IndexError):  # ended, full, or gone meanwhile
            pass
        give_way()


def skips_against_everything(command: str, rng: Random) -> None:
    session = Session(capacity=rng.choice((1, 2, 5, 64)))
    moment = Moment(rng.randint(1, 60))
    count = rng.randint(40, 120)

    def counted(producer: int) -> Iterator[Packet]:
        for packet in numbers(producer, count if not command else None, 5):
            moment.pass_by()
            yield packet

    policies = [policy_for(rng) for _ in range(4)]
    functions = [fragile(rng, policy) for policy in policies]
    stream: Any = session.source(partial(counted, 0), on_error=policies[0], name="made").key_by(functions[0])
    stream = stream.map(functions[1], on_error=policies[1], parallelism=rng.randint(1, 3), name="keyed")
    stream = stream.union(session.source(partial(counted, 1)), session.input("in"))
    stream = stream.map(functions[2], on_error=policies[2], parallelism=rng.randint(1, 3), name="middle")
    worked: list[Packet] = []

    def work(packet: Packet) -> None:
        functions[3](packet)
        worked.append(packet)

    stream.sink(work, on_error=policies[3], parallelism=rng.randint(1, 2), name="end")
    accepted: list[Packet] = []
    with one_round(session), ExitStack() as helpers:
        session.start()
        helpers.enter_context(Helper(partial(hand, partial(session.send, "in", timeout=PATIENCE_S), 2, accepted)))
        helpers.enter_context(Helper(partial(retry_letters, session, lambda: session.outcome is not None)))
        moment.wait()
        spin(rng)
        if command:
            getattr(session, command)()
        else:
            session.end("in")
        outcome = session.wait(PATIENCE_S)
        helpers.close()
        assert outcome.state == {"": "completed", "stop": "stopped", "cancel": "cancelled"}[command]
        assert outcome.packets_out == len(worked)
        assert outcome.packets_in == outcome.packets_out + outcome.skipped + outcome.dropped, repr(outcome)
        assert outcome.errors == outcome.skipped == session.dead_letters.total
        if command != "cancel":
            assert outcome.dropped == 0
        assert len(set(worked)) == len(worked), "nothing was doubled"


@pytest.mark.parametrize("command", ["", "stop", "cancel"])
def test_skips_and_retries_against_everything_lose_and_double_nothing(command: str) -> None:
    repeat(partial(skips_against_everything, command), 100)


def cancel_against_back_off(rng: Random) -> None:
    session = Session(capacity=rng.choice((1, 4)))
    moment = Moment(1)

    def function(packet: Packet) -> Packet:
        if packet[1] == 3:
            moment.pass_by()
            raise ValueError("planted")
        return packet

    session.source(partial(numbers, 0)).map(function, on_error=Retry(1, FOR_EVER_S)).sink(lambda _: None)
    with one_round(session):
        session.start()
        moment.wait()
        spin(rng)
        session.cancel()
        outcome = session.wait(PATIENCE_S)
        assert outcome.packets_in == outcome.packets_out + outcome.dropped, repr(outcome)


def test_cancel_against_back_off_wakes_it_at_every_moment() -> None:
    repeat(cancel_against_back_off, 300)
