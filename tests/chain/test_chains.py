"""Chains: what comes out of one is what comes out of tasks by themselves, however often it is opened, by whatever."""

from __future__ import annotations

import sqlite3
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import count, pairwise
from random import Random
from time import perf_counter, sleep
from typing import Any

import pytest

import runtime
from runtime import Session
from runtime.builder.environment import JobSettings
from runtime.chain import watch
from runtime.chain.chain import Chain
from runtime.testing import Hold
from tests.chain.forced import forced, undisturbed
from tests.effort import in_turn, seeds

PATIENCE_S = 20.0


@pytest.fixture
def eager() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


def work(number: int) -> list[int]:
    """What the line below makes of a number."""
    return [each * 2 for each in [number + 1] * ((number + 1) % 3) if each % 2 == 0 or each % 5]


def line(session: Session, numbers: int) -> Any:
    return (
        session.source(range(numbers), name="numbers")
        .map(lambda number: number + 1, name="more")
        .flat_map(lambda number: [number] * (number % 3), name="several")
        .filter(lambda number: number % 2 == 0 or number % 5, name="some")
        .map(lambda number: number * 2, name="double")
        .collect(name="got")
    )


def expected(numbers: int) -> list[int]:
    return [each for number in range(numbers) for each in work(number)]


def pauses(session: Session, rng: Random, task: str) -> None:
    session.pause(task)
    session.resume(task)


def steps(session: Session, rng: Random, task: str) -> None:
    session.pause(task)
    for _ in range(rng.randint(1, 3)):
        session.step(task, timeout=0.01)
    session.resume(task)


def taps(session: Session, rng: Random, task: str) -> None:
    with session.tap(task):
        session.snapshot()


def stops_before(session: Session, rng: Random, task: str) -> None:
    if task != "numbers":
        found = session.breakpoint(task, lambda _: rng.random() < 0.01)
        with suppress(TimeoutError, runtime.CommandRefused):
            found.wait(0.002)
        found.remove()
        session.resume()


def looks(session: Session, rng: Random, task: str) -> None:
    session.snapshot()
    if task != "numbers":
        session.peek(task)


HANDS: tuple[Callable[[Session, Random, str], None], ...] = (pauses, steps, taps, stops_before, looks)
TASKS = ("numbers", "more", "several", "some", "double", "got")


@pytest.mark.parametrize("seed", seeds(3, of=10))
def test_a_line_under_all_hands_loses_doubles_and_reorders_nothing(eager: None, seed: int) -> None:
    rng, numbers = Random(seed), 6_000
    with forced(seed) as counts, Session(capacity=rng.choice((1, 4, 64))) as session:
        got = line(session, numbers)
        session.start()
        while session.status == "running":
            rng.choice(HANDS)(session, rng, rng.choice(TASKS))
        outcome = session.wait(PATIENCE_S)
        assert list(got) == expected(numbers)
        facts = session.snapshot()
        for before, after in pairwise(TASKS):
            assert facts[before].emitted == facts[after].processed
        assert (outcome.packets_in, outcome.packets_out, outcome.dropped) == (numbers, len(got), 0)
    assert counts["left"]


@pytest.mark.parametrize("seed", seeds(3, of=10))
def test_a_cancel_at_any_point_counts_every_packet(eager: None, seed: int) -> None:
    rng, numbers = Random(seed), 6_000
    with forced(seed), Session(capacity=rng.choice((1, 4, 64))) as session:
        got: list[int] = []
        reached = threading.Event()
        stop_at = rng.randrange(1, 3000)

        def see(number: int) -> None:
            got.append(number)
            if len(got) == stop_at:
                reached.set()

        (
            session.source(range(numbers))
            .map(lambda number: number)
            .map(lambda number: number)
            .sink(see)
        )  # fmt: skip
        session.start()
        reached.wait(PATIENCE_S)
        session.cancel()
        outcome = session.wait(PATIENCE_S)
        assert outcome.packets_in == outcome.packets_out + outcome.dropped
        assert got == list(range(len(got)))


@pytest.mark.parametrize(("step", "seed"), in_turn(TASKS[1:], range(10), 2))
def test_an_error_names_its_task_and_its_packet(eager: None, step: str, seed: int) -> None:
    rng = Random(seed)
    bad = rng.randrange(0, 900) * 6 + 3

    def at(name: str, function: Callable[[int], Any]) -> Callable[[int], Any]:
        def tried(number: int) -> Any:
            if name == step and number == bad:
                raise ValueError(name)
            return function(number)

        return tried

    with forced(seed), Session(capacity=rng.choice((1, 4, 64))) as session:
        (
            session.source(range(6_000))
            .map(at("more", lambda number: number), name="more")
            .flat_map(at("several", lambda number: [number]), name="several")
            .filter(at("some", lambda number: True), name="some")
            .map(at("double", lambda number: number), name="double")
            .sink(at("got", lambda number: None), name="got")
        )
        with pytest.raises(runtime.TaskFailed) as failed:
            session.run(PATIENCE_S)
        assert (failed.value.task, failed.value.packet) == (step, bad)
        facts = session.snapshot()
        assert facts[step].processed == bad + 1


def test_a_function_that_is_stuck_holds_up_nobody_else() -> None:
    """Opened by the watch: the queues in front of it fill to the brim, and it alone is named as abandoned."""
    hold = Hold[int]()
    with Session(capacity=4) as session:
        (
            session.source(range(10**9), name="numbers")
            .map(lambda number: number, name="before")
            .map(hold, name="held")
            .sink(lambda _: None, name="after")
        )  # fmt: skip
        session.start()
        hold.reached.wait()
        full = {"numbers": 0, "before": 4, "held": 4, "after": 0}
        waits = {"numbers": "held back", "before": "held back", "held": "running", "after": "idle"}
        while (facts := session.snapshot()).depths != full or facts.states != waits:
            pass
        hold.release()
        session.cancel()


def test_a_watch_that_falls_asleep_as_a_chain_begins_to_work_sees_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "LINGERS", 1)
    wake = watch.Watch.wake

    def wakes(self: Any) -> None:
        wake(self)
        sleep(0.02)  # by then it sleeps, if nothing is at work

    monkeypatch.setattr(watch.Watch, "wake", wakes)
    hold = Hold[int]()
    with Session() as session:
        session.input("in").map(hold, name="held").sink(lambda _: None)
        session.start()
        session.send("in", 1)
        hold.reached.wait()
        assert session.pause("in", timeout=PATIENCE_S) == ()
        hold.release()
        session.resume()
        session.stop()


def test_a_connection_that_a_generator_has_opened_stays_on_its_thread(eager: None) -> None:
    def rows() -> Iterator[int]:
        connection = sqlite3.connect(":memory:")
        for number in range(20_000):
            yield from (found for (found,) in connection.execute("select ?", (number,)))
        connection.close()

    with forced(3) as counts, Session() as session:
        got = session.source(rows).map(lambda number: number + 1).map(lambda number: number).collect()
        session.run(PATIENCE_S)
        assert list(got) == list(range(1, 20_001))
    assert counts["closed again"]


def test_a_chain_needs_one_thread_until_it_is_opened() -> None:
    names: set[str] = set()
    with undisturbed(), Session("one") as session:
        stream = session.source(range(100), name="source")
        for _ in range(5):
            stream = stream.map(lambda number: number)
        stream.sink(lambda _: names.add(threading.current_thread().name))
        session.run(PATIENCE_S)
    assert names == {"one/source"}


@pytest.mark.parametrize("ends", [Session.stop, Session.cancel])
@pytest.mark.parametrize("lingers", [1, 10**9], ids=["asleep", "looking"])
def test_the_watch_over_chains_ends_with_its_job(
    monkeypatch: pytest.MonkeyPatch, ends: Callable[[Session], None], lingers: int
) -> None:
    monkeypatch.setattr(watch, "LINGERS", lingers)
    with Session("watched") as session:
        session.input("in").map(lambda number: number).sink(lambda number: None)
        session.start()
        session.send("in", 1)
        session.settle(PATIENCE_S)
        looks = next(thread for thread in threading.enumerate() if thread.name == "watched/watch")
        sleep(0.02)  # by then it sleeps, if it may
        ends(session)
        session.wait(PATIENCE_S)
        looks.join(PATIENCE_S)  # it was not closed yet
        assert not looks.is_alive()


def test_what_runs_in_another_order_or_time_is_not_chained() -> None:
    with Session(seed=1) as session:
        session.source(range(3)).map(lambda number: number).sink(lambda _: None)
        session.run(PATIENCE_S)
        assert all(task.chain is None for task in session._runs.run.dispatcher.tasks.values())  # type: ignore[union-attr]
    assert Chain.__doc__


def test_without_chaining_every_task_has_its_thread() -> None:
    names: set[str] = set()
    with Session("each", chaining=False) as session:
        stream = session.source(range(100), name="source").map(
            lambda number: names.add(threading.current_thread().name), name="map"
        )
        stream.sink(lambda _: names.add(threading.current_thread().name), name="sink")
        session.run(PATIENCE_S)
    assert names == {"each/map", "each/sink"}
    assert JobSettings().chaining is True, "nobody has to ask for it"
    with pytest.raises(runtime.GraphInvalid, match="chaining is 1; it must be True or False"):
        Session(chaining=1)  # type: ignore[arg-type]


def test_thousands_of_openings_change_nothing_of_what_comes_out(eager: None) -> None:
    left = 0
    for seed in range(30):
        with forced(seed) as counts, Session(capacity=(1, 4, 64)[seed % 3]) as session:
            got = line(session, 3_000)
            session.run(PATIENCE_S)
            assert list(got) == expected(3_000), f"seed {seed}"
        left += counts["left"]
    assert left > 1_000


def test_a_connection_made_in_open_survives_every_opening(eager: None) -> None:
    class Rows(runtime.SourceFunction[int]):
        def open(self, ctx: Any) -> None:
            self.connection = sqlite3.connect(":memory:")

        def run(self) -> Iterator[int]:
            for number in range(20_000):
                yield from (found for (found,) in self.connection.execute("select ?", (number,)))

        def close(self) -> None:
            self.connection.close()

    with forced(4) as counts, Session() as session:
        got = session.source(Rows()).map(lambda number: number + 1).map(lambda number: number).collect()
        session.run(PATIENCE_S)
        assert list(got) == list(range(1, 20_001))
    assert counts["closed again"]


def test_a_function_that_opens_something_keeps_its_thread_and_is_in_no_chain() -> None:
    class Opens(runtime.Function[int, bool]):
        def open(self, ctx: Any) -> None:
            self.thread = threading.get_ident()

        def process(self, value: int) -> bool:
            return threading.get_ident() == self.thread

    with forced(1), Session() as session:
        got = session.source(range(2_000)).map(Opens()).map(lambda same: same).collect()
        session.run(PATIENCE_S)
        assert list(got) == [True] * 2_000


@pytest.mark.parametrize("kind", ["map", "filter", "flat_map", "sink"])
def test_a_stop_iteration_of_a_function_is_an_error_and_no_end(kind: str) -> None:
    def stops(number: int) -> Any:
        if number == 700:
            raise StopIteration
        return [number]

    with forced(1), Session() as session:
        stream = getattr(session.source(range(2_000)).map(lambda number: number), kind)(stops, name="stops")
        if kind != "sink":
            stream.sink(lambda _: None)
        with pytest.raises(runtime.TaskFailed) as failed:
            session.run(PATIENCE_S)
        assert (failed.value.task, failed.value.packet) == ("stops", 700)


def test_nothing_is_settled_while_a_chain_has_its_packet(eager: None) -> None:
    for seed in range(5):
        got: list[int] = []
        with forced(seed), Session() as session:
            numbers = session.input("numbers")
            (
                numbers.map(lambda number: sum(range(300)) * 0 + number)
                .map(lambda number: sum(range(300)) * 0 + number)
                .sink(got.append)
            )  # fmt: skip
            session.start()
            for number in range(1, 100):
                session.send("numbers", number)
                session.settle(PATIENCE_S)
                assert len(got) == number
            session.end("numbers")
            session.wait(PATIENCE_S)


def test_what_the_hand_puts_into_a_member_comes_out_in_its_place(eager: None) -> None:
    for seed in range(5):
        got: list[int] = []
        with forced(seed), Session(capacity=4) as session:
            (
                session.source(count(), name="numbers")
                .map(lambda number: number, name="first")
                .map(lambda number: number, name="second")
                .map(lambda number: number, name="third")
                .sink(got.append, name="got")
            )  # fmt: skip
            session.start()
            for mark in range(-20, 0):
                before = session.snapshot()["second"].processed
                session.inject("second", mark, timeout=PATIENCE_S)
                deadline_s = perf_counter() + PATIENCE_S
                while mark not in got[max(0, before - 20) :]:
                    assert perf_counter() < deadline_s
                while session.snapshot()["third"].processed <= before:  # its result is out before it is counted itself
                    assert perf_counter() < deadline_s
            session.cancel()
        assert [number for number in got if number < 0] == list(range(-20, 0))
        assert [number for number in got if number >= 0] == list(range(len(got) - 20))


def test_functions_that_wait_for_each_packet_are_worked_at_the_same_time() -> None:
    threads: list[str] = []

    def waits(number: int) -> int:
        sleep(0.001)
        return number

    def ends(number: int) -> None:
        waits(number)
        threads.append(threading.current_thread().name)

    with Session("waits", capacity=16) as session:
        session.source(range(200), name="source").map(waits).sink(ends, name="sink")
        session.run(PATIENCE_S)
    assert threads.count("waits/sink") > 100


def test_an_operator_that_says_so_has_a_thread_of_its_own() -> None:
    names: dict[str, set[str]] = {"first": set(), "second": set(), "third": set()}

    def see(task: str) -> Callable[[int], int]:
        def seen(number: int) -> int:
            names[task].add(threading.current_thread().name)
            return number

        return seen

    with undisturbed(), Session("apart") as session:
        (
            session.source(range(100), name="source")
            .map(see("first"), name="first")
            .map(see("second"), name="second", chain=False)
            .map(see("third"), name="third")
            .sink(lambda _: None)
        )  # fmt: skip
        session.run(PATIENCE_S)
    assert names == {"first": {"apart/source"}, "second": {"apart/second"}, "third": {"apart/third"}}
    with (
        Session() as session,
        pytest.raises(runtime.GraphInvalid, match="chain of 'map' is 0; it must be True, False or None"),
    ):
        session.source(range(3)).map(str, chain=0)  # type: ignore[call-overload]


@pytest.fixture
def endless() -> Iterator[Session]:
    """A chain at full speed that nothing but a hand opens."""
    with undisturbed(), Session() as session:
        (
            session.source(range(10**9), name="numbers")
            .map(lambda number: number, name="first")
            .map(lambda number: number, name="second")
            .sink(lambda _: None, name="got")
        )  # fmt: skip
        session.start()
        while session.snapshot()["got"].processed < 1_000:
            pass
        yield session
        session.cancel()


@pytest.mark.parametrize("task", ["numbers", "first", "second", "got"])
def test_a_hand_opens_a_chain_at_full_speed(endless: Session, task: str) -> None:
    assert endless.pause(task, timeout=PATIENCE_S) == (), "all have come to their gates"
    endless.step(task, timeout=PATIENCE_S)
    endless.resume(task)


def test_what_is_put_into_a_member_at_full_speed_is_worked(endless: Session) -> None:
    endless.inject("second", -1, timeout=PATIENCE_S)
    deadline_s = perf_counter() + PATIENCE_S
    while endless.snapshot()["second"].depth:
        assert perf_counter() < deadline_s


def test_a_generator_is_closed_when_its_packet_is_over_however_its_chain_was_left() -> None:
    closed: list[int] = []

    def endless(number: int) -> Iterator[int]:
        try:
            yield from count(number)
        finally:
            closed.append(number)

    for seed in range(5):
        closed.clear()
        with forced(seed), Session(capacity=3) as session:
            got = session.source([1, 2], name="numbers").flat_map(endless, name="endless").take(5).collect()
            session.run(PATIENCE_S)
            assert (list(got), closed) == ([1, 2, 3, 4, 5], [1])
