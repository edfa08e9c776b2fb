"""Ends under stress: cancel, close and stop at random moments, against everything that a task can be in the middle of.

Each packet that was made has been worked or is counted as dropped, nothing hangs, no thread is left.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from random import Random
from typing import Any

import pytest

from runtime import Function, Session
from tests.stress.rounds import (
    PATIENCE_S,
    Helper,
    Moment,
    Packet,
    give_way,
    numbers,
    one_round,
    repeat,
    spin,
    threads_of,
)
from tests.stress.test_hand import hand


class Made:
    """Counts what a producer has made, on its own thread."""

    def __init__(self) -> None:
        self.count = 0

    def __deepcopy__(self, memo: object) -> Made:
        return self  # the test's, whatever is copied

    def endless(self, producer: int, pause_every: int = 0) -> Iterator[Packet]:
        """As many packets as are wanted."""
        for packet in numbers(producer, None, pause_every):
            self.count += 1
            yield packet


class Endless(Function[Packet, Packet]):
    """Has more to send at the end of its input than anybody will take."""

    def __init__(self, made: Made) -> None:
        self.made = made

    def process(self, value: Packet, /) -> Packet:
        return value

    def finish(self) -> Iterator[Packet]:
        return self.made.endless(1)


def commanded(rng: Random, command: Callable[[], None], number: int) -> tuple[Moment, Callable[[], None]]:
    """A moment at which `command` is given: by the task itself that passes by, or by the test that waits for it."""
    if rng.random() < 0.5:
        moment = Moment(number, command)
        return moment, moment.wait
    moment = Moment(number)

    def follow() -> None:
        moment.wait()
        spin(rng)
        command()

    return moment, follow


def cancel_against_put(rng: Random) -> None:
    made, got = [Made() for _ in range(rng.randint(1, 3))], list[Packet]()
    session = Session(capacity=rng.randint(1, 8))
    moment, follow = commanded(rng, session.cancel, rng.randint(1, 60))

    def take(packet: Packet) -> None:
        got.append(packet)
        moment.pass_by()

    streams = [session.source(partial(each.endless, i, rng.choice((0, 3)))) for i, each in enumerate(made)]
    stream: Any = streams[0].union(*streams[1:])
    shape = rng.randrange(4)
    if shape:
        stream = stream.map(lambda packet: packet, parallelism=shape)
    (stream.key_by(lambda packet: packet[1]) if rng.random() < 0.3 else stream).sink(
        take, parallelism=rng.choice((1, 2))
    )
    with one_round(session):
        session.start()
        follow()
        outcome = session.wait(PATIENCE_S)
        assert outcome.state == "cancelled"
        assert sum(each.count for each in made) == len(got) + outcome.dropped, repr(outcome)
        assert (outcome.packets_in, outcome.packets_out) == (sum(each.count for each in made), len(got))


def test_cancel_against_put_loses_count_of_nothing() -> None:
    repeat(cancel_against_put)


def cancel_against_idle(rng: Random) -> None:
    got: list[Packet] = []
    session = Session(capacity=rng.randint(1, 4))
    stream: Any = session.input("in")
    for _ in range(rng.randrange(3)):
        stream = stream.map(lambda packet: packet, parallelism=rng.randint(1, 2))
    stream.sink(got.append)
    with one_round(session):
        session.start()
        sent = rng.randrange(4)
        for number in range(sent):
            session.send("in", (0, number), timeout=PATIENCE_S)
        spin(rng, 4000)
        session.cancel()
        outcome = session.wait(PATIENCE_S)
        assert sent == outcome.packets_in == len(got) + outcome.dropped, repr(outcome)


def test_cancel_against_idle_tasks_wakes_them_all() -> None:
    repeat(cancel_against_idle)


def cancel_against_waiting_hand(rng: Random) -> None:
    accepted: list[list[Packet]] = [[], []]
    got: list[Packet] = []
    free = threading.Event()
    if is_stuck := rng.random() < 0.5:  # then no task comes to its end, and the hand is refused all the same
        targets = ["sink", "sink"]
    else:
        targets = rng.choices(("in", "map", "sink"), k=2)
        free.set()
    session = Session(capacity=rng.randint(1, 3))
    moment, follow = commanded(rng, session.cancel, 1 if is_stuck else rng.randint(1, 40))

    def take(packet: Packet) -> None:
        got.append(packet)
        moment.pass_by()
        free.wait(PATIENCE_S)

    session.input("in").map(lambda packet: packet, name="map").sink(take, name="sink")
    with one_round(session):
        session.start()
        with ExitStack() as helpers:
            for number, (target, mine) in enumerate(zip(targets, accepted, strict=True), 1):
                inject = partial(session.inject, target, timeout=None)
                helpers.enter_context(Helper(partial(hand, inject, number, mine)))
            follow()
        free.set()
        outcome = session.wait(PATIENCE_S)
        assert sum(map(len, accepted)) == outcome.packets_in == len(got) + outcome.dropped, repr(outcome)


def test_cancel_against_a_waiting_hand_refuses_it() -> None:
    repeat(cancel_against_waiting_hand)


def cancel_against_finish(rng: Random) -> None:
    made, got = Made(), list[Packet]()
    session = Session(capacity=rng.randint(1, 8))
    before = rng.randrange(6)
    moment, follow = commanded(rng, session.cancel, before + rng.randint(1, 30))

    def take(packet: Packet) -> None:
        got.append(packet)
        moment.pass_by()

    stream: Any = session.source(partial(numbers, 0, before)).map(Endless(made))
    (stream.map(lambda packet: packet) if rng.random() < 0.5 else stream).sink(take)
    with one_round(session):
        session.start()
        follow()
        outcome = session.wait(PATIENCE_S)
        assert (outcome.state, outcome.packets_in) == ("cancelled", before)
        assert before + made.count == len(got) + outcome.dropped, repr(outcome)


def test_cancel_against_finish_counts_what_finish_still_made() -> None:
    repeat(cancel_against_finish)


def close_at_any_moment(rng: Random) -> None:
    made = Made()
    session = Session(capacity=rng.randint(1, 8))
    session.input("in").sink(lambda packet: None)
    stream: Any = session.source(partial(made.endless, 0))
    stream.map(lambda packet: packet, parallelism=rng.randint(1, 3)).sink(lambda packet: None)
    with one_round(session), ExitStack() as helpers:
        session.start()
        if rng.random() < 0.5:
            helpers.enter_context(Helper(partial(session.settle, PATIENCE_S)))
        if rng.random() < 0.5:
            helpers.enter_context(Helper(partial(hand, partial(session.send, "in", timeout=None), 1, [])))
        spin(rng, 20_000)
        session.close(PATIENCE_S)
        assert not (left := threads_of(session)), f"threads left behind: {left}"
        outcome = session.outcome
        assert outcome is not None
        assert (outcome.state, outcome.abandoned) == ("cancelled", ())
        assert set(outcome.order) == set(session.snapshot().tasks)
        assert outcome.packets_in == outcome.packets_out + outcome.dropped, repr(outcome)


def test_close_at_any_moment_leaves_no_thread() -> None:
    repeat(close_at_any_moment)


def command_against_start(name: str, rng: Random) -> None:
    made = Made()
    session = Session(capacity=rng.randint(1, 8))
    stream: Any = session.source(partial(made.endless, 0))
    stream.map(lambda packet: packet, parallelism=rng.randint(1, 4)).sink(lambda packet: None)
    with one_round(session), Helper(session.start) as starter:
        while session.status == "new":
            give_way()
        spin(rng, 2000)
        if name == "close":
            session.close(PATIENCE_S)
            assert not (left := threads_of(session)), f"threads left behind: {left}"
        else:
            (session.cancel if name == "cancel" else session.stop)()
        outcome = session.wait(PATIENCE_S)
        starter.join()
        assert not outcome.abandoned
        assert set(outcome.order) == set(session.snapshot().tasks)
        assert made.count == outcome.packets_in == outcome.packets_out + outcome.dropped, repr(outcome)


@pytest.mark.parametrize("name", ["close", "cancel", "stop"])
def test_a_command_that_comes_while_the_job_starts_ends_it_whole(name: str) -> None:
    repeat(partial(command_against_start, name), 170)


def commands_at_once(rng: Random) -> None:
    made = Made()
    session = Session(capacity=rng.randint(1, 8))
    session.source(partial(made.endless, 0)).map(lambda packet: packet).sink(lambda packet: None)
    session.input("in").sink(lambda packet: None)
    commands = rng.choices((partial(session.close, PATIENCE_S), session.cancel, session.stop), k=3)
    begin = threading.Barrier(len(commands))

    def give(command: Callable[[], None]) -> None:
        begin.wait(PATIENCE_S)
        command()

    with one_round(session), ExitStack() as helpers:
        session.start()
        for command in commands:
            helpers.enter_context(Helper(partial(give, command)))
        outcome = session.wait(PATIENCE_S)
        helpers.close()
        assert made.count == outcome.packets_in == outcome.packets_out + outcome.dropped, repr(outcome)
        assert len(outcome.order) == len(set(outcome.order)) == len(session.snapshot())


def test_close_cancel_and_stop_from_several_threads_agree_on_one_end() -> None:
    repeat(commands_at_once)


def stop_at_any_moment(rng: Random) -> None:
    made, got = [Made() for _ in range(rng.randint(1, 3))], list[Packet]()
    accepted: list[Packet] = []
    session = Session(capacity=rng.choice((1, 2, 5, 64)))
    moment, follow = commanded(rng, session.stop, rng.randint(1, 80))

    def pass_on(packet: Packet) -> Packet:
        moment.pass_by()
        return packet

    streams = [session.source(partial(each.endless, i, rng.choice((0, 3)))) for i, each in enumerate(made)]
    stream: Any = streams[0].union(*streams[1:], session.input("in"))
    stream.map(pass_on, parallelism=rng.choice((1, 1, 2))).sink(got.append)
    with one_round(session), ExitStack() as helpers:
        session.start()
        helpers.enter_context(Helper(partial(hand, partial(session.send, "in", timeout=PATIENCE_S), 1, accepted)))
        follow()
        outcome = session.wait(PATIENCE_S)
        helpers.close()
        assert (outcome.state, outcome.dropped) == ("stopped", 0)
        made_in_all = {(i, number) for i, each in enumerate(made) for number in range(each.count)} | {*accepted}
        assert len(got) == len(made_in_all), "lost or doubled"
        assert set(got) == made_in_all


def test_stop_at_any_moment_drains_exactly() -> None:
    repeat(stop_at_any_moment)


def enough_against_everything(rng: Random) -> None:
    """A take has enough while what feeds it is anywhere: in mid-packet, held back, between two packets, at its end."""
    session = Session(capacity=rng.choice((1, 2, 5, 64)))
    made = Made()
    closed: list[int] = []

    def results(packet: Packet) -> Iterator[Packet]:
        try:
            yield from numbers(packet[1], None if rng.random() < 0.5 else rng.randint(0, 30), rng.randint(0, 3))
        finally:
            closed.append(packet[1])

    stream: Any = session.source(partial(made.endless, 0)).flat_map(
        results, parallelism=rng.randint(1, 2), name="endless"
    )
    stream = stream.key_by(lambda packet: packet[1]) if rng.random() < 0.3 else stream
    stream = stream.map(lambda packet: packet, parallelism=rng.randint(1, 3), name="between")
    needed = session.source(partial(numbers, 7, 60, 5)).map(lambda packet: packet, name="needed")
    everything = needed.collect()
    taken = stream.union(needed, session.input("in")).take(rng.randint(1, 40)).collect()
    with one_round(session), ExitStack() as helpers:
        session.start()
        accepted: list[Packet] = []
        helpers.enter_context(Helper(partial(hand, partial(session.inject, "between"), 2, accepted)))
        outcome = session.wait(PATIENCE_S)
        helpers.close()
        assert (outcome.state, outcome.errors, outcome.dropped) == ("completed", 0, 0), repr(outcome)
        assert list(everything) == list(numbers(7, 60)), "what somebody needs loses nothing"
        assert len(taken) >= 1
        facts = session.snapshot()
        assert len(closed) <= sum(facts[task].processed for task in session.graph.tasks("endless"))
        assert all(task.ending == "completed" for task in facts)


def test_enough_against_everything_ends_what_nobody_needs() -> None:
    repeat(enough_against_everything, 300)
