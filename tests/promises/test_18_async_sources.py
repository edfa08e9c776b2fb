"""Promise 18: a source may be an asynchronous generator, which is drawn from item by item and ended where it awaits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

import runtime
from runtime import Retry, TaskFailed
from runtime.testing import PATIENCE_S, Moment, explore
from tests.platforms import MakeSession

SHORT_S = 0.001
EIGHT = list(range(8))


async def eight() -> AsyncIterator[int]:
    for value in EIGHT:
        await asyncio.sleep(SHORT_S * (value % 2))
        yield value


@pytest.mark.also_remote
@pytest.mark.long_on_ray
def test_an_asynchronous_generator_is_a_source(session: runtime.Session) -> None:
    result = session.source(eight, name="numbers").map(lambda value: value * 2).collect()
    outcome = session.run(PATIENCE_S)
    assert (outcome.state, outcome.packets_in, outcome.packets_out) == ("completed", 8, 8)
    assert list(result) == [value * 2 for value in EIGHT]
    session.run(PATIENCE_S)
    assert list(result) == [value * 2 for value in EIGHT], "it is called again in each run"


def test_an_async_def_may_return_what_is_to_be_drawn_from(session: runtime.Session) -> None:
    async def listed() -> Iterable[int]:
        await asyncio.sleep(SHORT_S)
        return EIGHT

    async def made() -> AsyncIterator[int]:
        return eight()

    async def nothing() -> None:
        await asyncio.sleep(0)

    first = session.source(listed).collect()
    second = session.source(made).collect()
    session.run(PATIENCE_S)
    assert list(first) == list(second) == EIGHT
    with runtime.Session("none") as other:
        other.source(nothing, name="nothing").collect()  # type: ignore[arg-type]
        with pytest.raises(TaskFailed, match="it has to return an iterable, or to yield the packets"):
            other.run(PATIENCE_S)


class Rows(runtime.SourceFunction[int]):
    """All its methods wait."""

    def __init__(self, told: list[str]) -> None:
        self.told = told

    def __deepcopy__(self, memo: object) -> Any:
        return self

    async def open(self, ctx: Any) -> None:
        await asyncio.sleep(SHORT_S)
        self.told.append("open")

    async def run(self) -> AsyncIterator[int]:
        try:
            for value in EIGHT:
                yield value
                await asyncio.sleep(0)
        finally:
            await asyncio.sleep(SHORT_S)
            self.told.append("end")

    async def close(self) -> None:
        await asyncio.sleep(SHORT_S)
        self.told.append("close")


def test_all_methods_of_a_source_function_may_wait(session: runtime.Session) -> None:
    told: list[str] = []
    result = session.source(Rows(told)).collect()
    session.run(PATIENCE_S)
    assert list(result) == EIGHT
    assert told == ["open", "end", "close"]


def test_a_generator_lives_in_one_task_of_its_loop(session: runtime.Session) -> None:
    """So what it enters before a packet, as a timeout or a group of tasks, it may leave after it."""

    async def grouped() -> AsyncIterator[int]:
        async with asyncio.timeout(60), asyncio.TaskGroup() as group:
            for value in EIGHT:
                made = group.create_task(asyncio.sleep(0, value))
                yield await made

    result = session.source(grouped).collect()
    session.run(PATIENCE_S)
    assert list(result) == EIGHT


@pytest.mark.parametrize("how", ["stop", "cancel"])
@pytest.mark.concurrent
def test_a_source_that_awaits_is_ended_there_and_its_finally_is_awaited(session: runtime.Session, how: str) -> None:
    told: list[str] = []
    waits = Moment()

    async def endless() -> AsyncIterator[int]:
        try:
            yield 1
            waits.set()
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(SHORT_S)
            told.append("finally")

    result = session.source(endless, name="numbers").collect()
    session.start()
    waits.wait()
    getattr(session, how)()
    outcome = session.wait(PATIENCE_S)
    assert outcome.state == ("stopped" if how == "stop" else "cancelled")
    assert told == ["finally"]
    assert list(result) == [1][: len(result)]
    assert not session.snapshot()["numbers"].errors


def test_a_generator_that_waits_for_its_next_turn_is_closed_there(session: runtime.Session) -> None:
    told: list[int] = []

    async def counts() -> AsyncIterator[int]:
        value = 0
        try:
            while True:
                yield value
                value += 1
        finally:
            await asyncio.sleep(SHORT_S)
            told.append(value)

    result = session.source(counts, name="numbers").take(3).collect()
    session.run(PATIENCE_S)
    assert list(result) == [0, 1, 2]
    assert len(told) == 1


@pytest.mark.also_remote
@pytest.mark.long_on_ray
def test_a_step_draws_one_item(session: runtime.Session) -> None:
    result = session.source(eight, name="numbers").collect(name="out")
    session.start(paused=True)
    steps = [session.step("numbers") for _ in range(3)]
    assert [[packet.payload for _, packet in step.sent] for step in steps] == [[0], [1], [2]]
    assert session.snapshot()["out"].depth == 3
    session.resume()
    session.wait(PATIENCE_S)
    assert list(result) == EIGHT


def test_it_is_drawn_from_when_the_next_item_is_asked_for(session: runtime.Session) -> None:
    drawn: list[int] = []

    async def counted() -> AsyncIterator[int]:
        for value in EIGHT:
            drawn.append(value)
            yield value

    result = session.source(counted, name="numbers").collect()
    session.start(paused=True)
    for number in range(4):
        assert drawn == EIGHT[:number]
        session.step("numbers")
    session.resume()
    session.wait(PATIENCE_S)
    assert list(result) == EIGHT


def test_idle_says_that_there_is_nothing_at_the_moment(session: runtime.Session) -> None:
    async def sometimes() -> AsyncIterator[Any]:
        for value in EIGHT:
            yield runtime.IDLE
            yield value

    result = session.source(sometimes, name="numbers").collect()
    assert session.run(PATIENCE_S).packets_in == 8
    assert list(result) == EIGHT


async def fails_at_three() -> AsyncIterator[int]:
    for value in EIGHT:
        await asyncio.sleep(0)
        if value == 3:
            raise ValueError("no 3")
        yield value


@pytest.mark.also_remote
def test_what_a_generator_raises_fails_the_job_and_is_the_end_of_it_where_it_is_skipped(
    make_session: MakeSession,
) -> None:
    session = make_session()
    session.source(fails_at_three, name="numbers").collect()
    with pytest.raises(TaskFailed, match="'numbers' failed: ValueError: no 3"):
        session.run(PATIENCE_S)
    session = make_session()
    result = session.source(fails_at_three, on_error=Retry(3, then="skip")).collect()
    outcome = session.run(PATIENCE_S)
    assert (outcome.state, outcome.skipped, list(result)) == ("completed", 0, [0, 1, 2])
    assert len(session.dead_letters) == 1


@pytest.mark.parametrize("error", [SystemExit(3), asyncio.CancelledError(), KeyboardInterrupt()])
def test_what_no_policy_is_for_fails_the_job(session: runtime.Session, error: BaseException) -> None:
    async def leaves() -> AsyncIterator[int]:
        yield 1
        raise error

    session.source(leaves, name="numbers", on_error="skip").collect()
    with pytest.raises(TaskFailed) as failure:
        session.run(PATIENCE_S)
    assert type(failure.value.__cause__) is type(error)


class Asks(runtime.SourceFunction[int]):
    def __init__(self, how: str) -> None:
        self.how = how

    async def run(self) -> AsyncIterator[int]:
        for value in EIGHT:
            if self.how == "send":
                self.ctx.send_packet(value)
            yield (await self.ctx.call_service_async("double", value) if self.how == "await" else value)


class Doubles:
    def process(self, value: int) -> int:
        return value * 2


def test_a_source_may_await_a_service_and_sends_by_yielding(make_session: MakeSession) -> None:
    session = make_session()
    session.service("double", Doubles)
    result = session.source(Asks("await")).collect()
    session.run(PATIENCE_S)
    assert list(result) == [value * 2 for value in EIGHT]
    session = make_session()
    session.source(Asks("send")).collect()
    with pytest.raises(TaskFailed, match="cannot wait; yield the packet"):
        session.run(PATIENCE_S)


def test_a_rate_holds_an_asynchronous_source() -> None:
    drawn: list[float] = []

    async def timed() -> AsyncIterator[int]:
        for value in range(6):
            drawn.append(asyncio.get_running_loop().time())
            yield value

    with runtime.Session(seed=1) as session:
        result = session.source(timed, rate=runtime.Rate(2, per=1)).collect()
        session.run(PATIENCE_S)
        assert list(result) == list(range(6))
        assert drawn == [0, 0, 1, 1, 2, 2]


def test_under_a_seed_its_waits_are_virtual_and_a_run_repeats() -> None:
    async def slow() -> AsyncIterator[int]:
        for value in range(100):
            await asyncio.sleep(10)
            yield value

    def run(seed: int) -> tuple[list[int], list[str]]:
        with runtime.Session(seed=seed) as session:
            result = session.source(slow, parallelism=2).map(lambda value: value, parallelism=2).collect()
            session.run(PATIENCE_S)
            return list(result), session.turns

    assert run(5) == run(5)
    assert [line for line in run(5)[1] if line.startswith("time: ")][-1] == "time: 1000 s"


@settings(max_examples=30)
@given(
    waits=some.lists(some.integers(0, 2), max_size=15),
    capacity=some.integers(1, 4),
    seed=some.integers(),
    stop_at=some.integers(0, 20),
)
def test_it_sends_what_a_plain_generator_sends(waits: list[int], capacity: int, seed: int, stop_at: int) -> None:
    """Also when one of its packets stops the job: what has been drawn is sent, in order, and it is ended."""
    ended: list[int] = []

    async def drawn() -> AsyncIterator[int]:
        try:
            for value, wait in enumerate(waits):
                for _ in range(wait):
                    await asyncio.sleep(1)
                yield value
        finally:
            ended.append(1)
            await asyncio.sleep(1)

    class Stops(runtime.Function[int, int]):
        def process(self, value: int, /) -> int:
            if value == stop_at:
                self.ctx.request_stop()
            return value

    with runtime.Session(seed=seed) as session:
        result = session.source(drawn).map(Stops(), capacity=capacity).collect(capacity=capacity)
        outcome = session.run(PATIENCE_S)
        assert list(result) == list(range(len(result)))
        assert len(result) == len(waits) or (outcome.state == "stopped" and len(result) > stop_at)
        assert outcome.packets_in == outcome.packets_out
        assert ended in ([1], [])
        assert ended or not result


def test_explore_finds_nothing_in_an_asynchronous_source_that_is_paused_and_stopped() -> None:
    def build(session: runtime.Session) -> Any:
        numbers = session.source(eight, name="numbers", parallelism=2)
        return numbers.key_by(lambda value: value % 3).map(lambda value: value, parallelism=2).collect()

    def check(session: runtime.Session, result: Any) -> None:
        assert sorted(result) == sorted(EIGHT * 2)

    assert explore(build, check, seeds=20) is None
