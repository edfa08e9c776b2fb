"""Promise 18: a step starts one call and waits for its end; those that are under way go on, and are no part of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import monotonic, sleep
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

import runtime
from runtime.testing import PATIENCE_S, Moment
from tests.platforms import Platform


class Waits(runtime.Function[int, Any]):
    """Its calls wait until somebody lets them go on, each by itself."""

    def __init__(self, count: int, moment: Callable[[], Moment]) -> None:
        self.began = [moment() for _ in range(count)]
        self.opened = [moment() for _ in range(count)]

    async def process(self, value: int) -> int:
        self.began[value].set()
        await asyncio.to_thread(self.opened[value].wait)
        return value * 10


def with_two_under_way(session: runtime.Session, work: Waits, **options: Any) -> Any:
    """A job whose calls of 0 and 1 are under way, in a paused task."""
    result = session.input("numbers").map(work, name="work", **options).collect(name="end")
    session.start()
    for value in range(2):
        session.send("numbers", value)
        work.began[value].wait()
    assert session.pause("work", timeout=0) == ("work",)
    return result


def end(session: runtime.Session, work: Waits) -> None:
    for opened in work.opened:
        opened.set()
    session.resume()
    session.stop()
    session.wait(PATIENCE_S)


@pytest.mark.also_remote
@pytest.mark.concurrent
def test_a_step_starts_one_call_beside_those_under_way_and_waits_for_its_end(
    session: runtime.Session, platform: Platform
) -> None:
    work = Waits(4, platform.moment)
    result = with_two_under_way(session, work, ordered=False)
    session.inject("work", 2)
    session.inject("work", 3)
    work.opened[2].set()
    assert str(session.step("work", timeout=PATIENCE_S)) == "work: 2 -> 20 to end"
    assert [packet.payload for packet in session.peek("work").open] == [0, 1]
    assert not work.began[3].has_come
    step = session.step("work", timeout=0)  # whenever it begins, it is told of until it is over
    assert step.result == "running"
    work.began[3].wait()
    assert str(session.step("work", timeout=0)) == "work: 3 still in user code"
    work.opened[3].set()
    assert str(session.step("work", timeout=PATIENCE_S)) == "work: 3 -> 30 to end"
    assert [packet.payload for packet in session.peek("work").open] == [0, 1]
    end(session, work)
    assert sorted(result) == [0, 10, 20, 30]


@pytest.mark.also_remote
@pytest.mark.concurrent
def test_a_step_says_that_an_ordered_result_waits_for_an_older_one(
    session: runtime.Session, platform: Platform
) -> None:
    work = Waits(3, platform.moment)
    result = with_two_under_way(session, work)
    session.inject("work", 2)
    work.opened[2].set()
    step = session.step("work", timeout=PATIENCE_S)
    assert (step.result, str(step)) == ("waiting", "work: 2 waiting for an older call")
    assert session.step("work", timeout=PATIENCE_S) == step
    assert [packet.payload for packet in session.peek("work").open] == [0, 1, 2]
    work.opened[0].set()
    work.opened[1].set()
    while (step := session.step("work", timeout=PATIENCE_S)).result == "waiting":
        pass
    assert str(step) == "work: 2 -> 20 to end"
    end(session, work)
    assert list(result) == [0, 10, 20]


@pytest.mark.concurrent
@pytest.mark.parametrize("keyed", [False, True])
def test_a_step_begins_no_call_too_many_and_none_of_a_key_under_way(session: runtime.Session, keyed: bool) -> None:
    work = Waits(4, Moment)
    numbers = session.input("numbers")
    numbers = numbers.key_by(lambda value: value % 2) if keyed else numbers
    result = numbers.map(work, name="work", ordered=False, concurrency=16 if keyed else 2).collect(name="end")
    session.start()
    for value in range(2):
        session.send("numbers", value)
        work.began[value].wait()
    assert session.pause("work", timeout=0) == ("work",)
    for value in range(2, 4):
        session.inject("work", value)
    assert session.step(timeout=PATIENCE_S).result == "idle", "no turn would be of use"
    assert session.step("work", timeout=0).result == "running"
    work.opened[0].set()
    work.opened[2].set()
    step = session.step("work", timeout=PATIENCE_S)
    assert (step.result, [packet.payload for packet in step.packets]) == ("done", [2])
    assert not work.began[3].has_come
    end(session, work)
    assert sorted(result) == [0, 10, 20, 30]


@pytest.mark.concurrent
def test_a_turn_is_kept_for_a_signal_that_comes_while_calls_are_open(session: runtime.Session) -> None:
    work = Waits(3, Moment)
    result = session.input("numbers").union(session.input("others")).map(work, name="work").collect(name="end")
    session.start()
    for value in range(2):
        session.send("numbers", value)
        work.began[value].wait()
    assert session.pause("work", timeout=0) == ("work",)
    session.inject("work", 2)
    session.end("others")
    deadline = monotonic() + PATIENCE_S
    while not session.peek("work").signals:
        assert monotonic() < deadline
        sleep(0.001)
    assert session.step("work", timeout=0).result == "running"
    for opened in work.opened:
        opened.set()
    assert str(session.step("work", timeout=PATIENCE_S)) == "work: stop from others (completed), 1 of 2"
    end(session, work)
    assert list(result) == [0, 10, 20]


@pytest.mark.concurrent
def test_a_step_of_an_empty_queue_waits_for_no_call(session: runtime.Session) -> None:
    work = Waits(2, Moment)
    result = with_two_under_way(session, work)
    assert session.step("work", timeout=PATIENCE_S).result == "idle"
    end(session, work)
    assert list(result) == [0, 10]


@settings(max_examples=25)
@given(
    waits=some.lists(some.integers(0, 3), max_size=8),
    patience=some.lists(some.booleans(), min_size=16, max_size=16),
    ordered=some.booleans(),
    seed=some.none() | some.integers(),
)
def test_steps_lose_double_and_reorder_nothing(
    waits: list[int], patience: list[bool], ordered: bool, seed: int | None
) -> None:
    async def work(value: int) -> int:
        for _ in range(waits[value]):
            await asyncio.sleep(0.001)
        return value

    with runtime.Session(seed=seed) as session:
        numbers = session.source(range(len(waits)), name="numbers")
        result = numbers.map(work, name="work", ordered=ordered).collect(name="end")
        session.start(paused=True)
        session.step("numbers", len(waits) + 1)
        done: list[int] = []
        for patient in patience:
            step = session.step("work", timeout=PATIENCE_S if patient else 0)
            if step.result == "done" and step.packet is not None:
                done.append(step.packet.payload)
        session.resume()
        session.wait(PATIENCE_S)
        assert sorted(result) == list(range(len(waits)))
        assert done == sorted(set(done)), "each turn was told of once, in order"
        if ordered:
            assert list(result) == sorted(result)
