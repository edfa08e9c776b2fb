"""What promise 15 says of time: the engine measures where it goes from the beginning, and its parts add up."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from time import monotonic, perf_counter
from typing import Any

import pytest

import runtime
from runtime import Session, Times
from runtime.facts import SHARES
from runtime.testing import PATIENCE_S, Moment
from tests.platforms import MakeSession, Platform

MANY = 7_000


def until(ready: Callable[[], bool]) -> None:
    """Return when something is so that other threads bring about, and tell nobody of."""
    late_s, pause = monotonic() + PATIENCE_S, threading.Event()
    while not ready():
        assert monotonic() < late_s, "it does not come"
        pause.wait(0.001)


def adds_up(times: Times) -> None:
    """Check one record by itself."""
    assert sum(times.shares.values()) == pytest.approx(1.0 if times.lasted_s else 0.0)
    assert sum(times.seconds) == pytest.approx(times.lasted_s)
    assert min(times.seconds) >= 0
    assert times.on_processor_s is None or 0 <= times.on_processor_s <= times.busy_s + 1e-9


def double(value: int) -> int:
    return value * 2


def only(session: Session, task: str, share: str) -> Times:
    """From one look to the next, a task has done nothing but that. Returns what it has spent since."""
    first = session.snapshot().times[task]
    until(lambda: session.snapshot().times[task].lasted_s > first.lasted_s)
    now = session.snapshot().times[task]
    passed = dict(zip(SHARES, (b - a for a, b in zip(first.seconds, now.seconds, strict=True)), strict=True))
    assert passed.pop(share) == pytest.approx(now.lasted_s - first.lasted_s, abs=1e-9)
    assert max(map(abs, passed.values())) < 1e-9, passed
    return now


def reaches(session: Session, task: str, state: str) -> None:
    until(lambda: session.snapshot()[task].state == state)


@contextmanager
def stuck(**settings: Any) -> Iterator[Session]:
    """`numbers → stands → end`, of which the second waits for ever in user code, and then is let go."""
    reached, go_on = Moment("the packet"), threading.Event()

    def stand(value: int) -> int:
        reached.set()
        go_on.wait(PATIENCE_S)
        return value

    with Session("it", capacity=2, **settings) as session:
        session.source(range(100), name="numbers").map(stand, name="stands").sink(double, name="end")
        session.start()
        reached.wait()
        try:
            yield session
        finally:
            go_on.set()
            session.cancel()


# ── everywhere ──


@pytest.mark.also_remote
def test_the_times_of_every_task_add_up_and_are_within_those_of_who_looks(make_session: MakeSession) -> None:
    session = make_session()
    session.source(range(600), name="numbers").map(double, name="m").sink(double, name="end")
    began_s = perf_counter()
    session.start()
    looks = [session.snapshot() for _ in range(5)]
    session.wait(PATIENCE_S)
    looks.append(session.snapshot())
    until_s = perf_counter() - began_s
    for look in looks:
        assert list(look.times) == list(look.lately) == ["numbers", "m", "end"]
        for times in (*look.times.values(), *look.lately.values()):
            adds_up(times)
            assert times.lasted_s <= until_s + 1e-6
    assert [times.packets for times in looks[-1].times.values()] == [600, 600, 600]


@pytest.mark.parametrize("settings", [{}, {"chaining": False}, {"seed": 3}], ids=str)
def test_a_task_that_has_worked_thousands_of_packets_was_not_idle_all_the_time(settings: dict[str, Any]) -> None:
    with Session("it", **settings) as session:
        session.source(range(MANY), name="numbers").map(double, name="m").sink(double, name="end")
        session.run(PATIENCE_S)
        for name, times in session.snapshot().times.items():
            assert times.packets == MANY, name
            assert times.busy_s > 0, name
            assert times.per_s > 0


def test_times_stand_still_after_the_end() -> None:
    with Session("it") as session:
        session.source(range(10), name="numbers").sink(double, name="end")
        session.run(PATIENCE_S)
        first = session.snapshot().times
        pause = threading.Event()
        pause.wait(0.01)
        assert session.snapshot().times == first
    assert session.snapshot().times == first


def test_before_the_start_there_are_none() -> None:
    with Session("it") as session:
        session.source(range(10), name="numbers").sink(double, name="end")
        assert session.snapshot().times == session.snapshot().lately == {}


def test_looking_again_and_again_takes_nothing_back() -> None:
    with Session("it") as session:
        session.source(range(10**9), name="numbers").map(double, name="m").sink(double, name="end")
        session.start()
        before = session.snapshot().times
        for _ in range(300):
            now = session.snapshot().times
            for name, times in now.items():
                for was_s, is_s in zip(before[name].seconds, times.seconds, strict=True):
                    assert is_s >= was_s - 1e-6, (name, before[name], times)
                assert times.packets >= before[name].packets
            before = now
        session.cancel()


@pytest.mark.also_remote
def test_where_all_its_time_went_is_known_of_each_stretch_though_nobody_has_looked(
    make_session: MakeSession, platform: Platform
) -> None:
    session = make_session()
    session.source(range(600), name="numbers").map(double, name="m").sink(double, name="end")
    began_s = perf_counter()
    assert session.stretches() == {}
    session.start()
    if "seed" in platform.options:
        with pytest.raises(runtime.CommandRefused, match="virtual time"):
            session.stretches()
        return
    early = session.stretches()
    session.wait(PATIENCE_S)
    until_s = perf_counter() - began_s
    times, late = session.snapshot().times, session.stretches()
    assert list(late) == ["numbers", "m", "end"]
    for name, stretches in late.items():
        assert stretches[0].from_s >= 0
        for before, after in pairwise(stretches):
            assert before.until_s == pytest.approx(after.from_s)
        assert stretches[-1].until_s <= until_s + 1e-3
        sums = [sum(each) for each in zip(*(each.times.seconds for each in stretches), strict=True)]
        assert sums == pytest.approx(times[name].seconds, abs=1e-6)
        assert sum(each.times.packets for each in stretches) == times[name].packets == 600
        for each in stretches:
            adds_up(each.times)
            assert each.until_s - each.from_s == pytest.approx(each.times.lasted_s, abs=1e-6)
    for name, stretches in early.items():
        assert len(stretches) <= len(late[name]) + 1


@pytest.mark.parametrize("chaining", [True, False])
def test_who_stood_still_is_known_to_the_end_of_its_last_stretch(chaining: bool) -> None:
    with stuck(chaining=chaining) as session:
        reaches(session, "numbers", "held back")
        reaches(session, "end", "idle")
        until(lambda: session.snapshot().at_s > 0.05)
        for name, share in (("numbers", "held back"), ("stands", "busy"), ("end", "idle")):
            last = session.stretches()[name][-1]
            assert last.times.shares[share] == pytest.approx(1, abs=0.35 if share == "busy" else 1e-6), name


# ── what it waits for ──


@pytest.mark.parametrize("chaining", [True, False])
def test_the_time_of_a_task_is_that_of_what_it_waits_for(chaining: bool) -> None:
    with stuck(chaining=chaining) as session:
        reaches(session, "numbers", "held back")
        reaches(session, "end", "idle")
        only(session, "numbers", "held back")
        only(session, "end", "idle")
        only(session, "stands", "busy")


def test_user_code_that_waits_by_itself_is_busy_and_not_on_the_processor() -> None:
    with stuck() as session:
        reaches(session, "numbers", "held back")

        def stands_still() -> bool:
            first = session.snapshot().times["stands"].on_processor_s
            return only(session, "stands", "busy").on_processor_s == first

        until(stands_still)


def test_user_code_that_computes_is_on_the_processor() -> None:
    over = threading.Event()

    def compute(value: int) -> int:
        while not over.is_set():
            value += 1
        return value

    with Session("it") as session:
        session.source([1], name="numbers").map(compute, name="computes").sink(double, name="end")
        session.start()
        first = session.snapshot().times["computes"].on_processor_s
        if first is not None:
            until(lambda: (session.snapshot().times["computes"].on_processor_s or 0.0) > first + 0.005)
        adds_up(only(session, "computes", "busy"))
        over.set()
        session.wait(PATIENCE_S)


def test_a_task_at_its_closed_gate_is_paused_and_one_with_nothing_to_take_is_idle() -> None:
    with Session("it") as session:
        session.input("numbers").map(double, name="m").sink(double, name="end")
        session.start()
        session.pause()
        only(session, "end", "idle")
        session.inject("m", 1)
        reaches(session, "m", "paused")
        until(lambda: session.snapshot().times["m"].paused_s > 0)
        only(session, "m", "paused")
        session.cancel()


def test_waiting_for_a_reply_for_the_next_attempt_and_for_a_rate_are_told_apart() -> None:
    class Slow:
        def process(self, value: int) -> int:
            asked.set()
            answers.wait(PATIENCE_S)
            return value

    class Asks(runtime.Function[int, int]):
        def process(self, value: int, /) -> int:
            answer: int = self.ctx.call_service("slow", value, timeout=PATIENCE_S)
            return answer

    def fails(value: int) -> int:
        raise ValueError(value)

    asked, answers = Moment("the call"), threading.Event()
    with Session("it") as session:
        session.service("slow", Slow)
        numbers = session.source([1, 2, 3], name="numbers")
        numbers.map(Asks(), name="asks").sink(double, name="one")
        numbers.map(fails, name="again", on_error=runtime.Retry(3, backoff=3_600, most=3_600)).sink(double, name="two")
        numbers.map(double, name="slowly", rate=runtime.Rate(1, per=3_600)).sink(double, name="three")
        session.start()
        asked.wait()
        for task, state in (("asks", "waiting"), ("again", "backing off"), ("slowly", "held back: rate")):
            reaches(session, task, state)
            only(session, task, state)
        only(session, "slow", "busy")
        answers.set()
        session.cancel()


def test_open_calls_are_waited_for_and_what_they_compute_is_work() -> None:
    computes, waits, go_on = Moment("work"), Moment("a wait"), threading.Event()

    async def call(value: int) -> int:
        await asyncio.sleep(0.001)
        computes.set()
        go_on.wait(PATIENCE_S)
        asyncio.get_running_loop().call_later(0.001, waits.set)
        await asyncio.Event().wait()
        return value

    with Session("it") as session:
        session.source([1], name="numbers").map(call, name="calls").sink(double, name="end")
        session.start()
        computes.wait()
        only(session, "calls", "busy")
        go_on.set()
        waits.wait()
        until(lambda: session.snapshot().lately["calls"].waiting_s > 0)
        only(session, "calls", "waiting")
        session.cancel()


def test_the_time_of_a_service_is_that_of_all_its_threads() -> None:
    class Echo:
        def process(self, value: int) -> int:
            return value

    class Asks(runtime.Function[int, int]):
        def process(self, value: int, /) -> int:
            answer: int = self.ctx.call_service("echo", value)
            return answer

    with Session("it") as session:
        session.service("echo", Echo, concurrency=3)
        session.source(range(20), name="numbers").map(Asks(), name="asks").sink(double, name="end")
        session.run(PATIENCE_S)
        times = session.snapshot().times["echo"]
        adds_up(times)
        assert (times.threads, times.packets) == (3, 20)
        assert times.busy_s > 0
        assert times.per_s == pytest.approx(60 / times.lasted_s)


def test_under_a_seed_a_task_that_may_not_run_waits_for_its_turn() -> None:
    go_on = threading.Event()
    reached = Moment("the packet")

    def stand(value: int) -> int:
        reached.set()
        go_on.wait(PATIENCE_S)
        return value

    with Session("it", seed=1) as session:
        session.source(range(100), name="numbers").map(stand, name="stands").sink(double, name="end")
        session.start()
        reached.wait()
        only(session, "stands", "busy")
        only(session, "numbers", "turn")
        go_on.set()
        session.cancel()


# ── as numbers ──


def test_what_was_measured_can_be_scraped() -> None:
    with Session("it") as session:
        session.source(range(10), name="numbers").sink(double, name="end")
        session.run(PATIENCE_S)
        times, metrics = session.snapshot().times, session.metrics()
        assert metrics["task_busy_seconds"] == {name: each.busy_s for name, each in times.items()}
        assert metrics["task_idle_seconds"]["end"] == times["end"].idle_s
        assert metrics["service_busy_seconds"] == {}
