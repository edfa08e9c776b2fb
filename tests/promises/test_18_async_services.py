"""Promise 18: methods of a service may be `async def`s: awaited one after the other, by a loop that lives as long."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

import runtime
from runtime import AsyncRefused, JobPaused, ServiceFailed, ServicePaused, ServiceTimeout, TaskFailed
from runtime.testing import PATIENCE_S, Moment, explore

SHORT_S = 0.001
EIGHT = list(range(8))


class Answers:
    """Some methods wait, some do not."""

    def __init__(self) -> None:
        self.seen: list[int] = []

    async def process(self, value: int) -> int:
        await asyncio.sleep(SHORT_S)
        self.seen.append(value)
        return value * 10

    def plain(self) -> list[int]:
        return self.seen

    async def fails(self, error: BaseException) -> None:
        await asyncio.sleep(0)
        raise error


class AsksBlocking(runtime.Function[int, int]):
    def process(self, value: int, /) -> int:
        answer: int = self.ctx.call_service("it", value)
        return answer


class AsksAsync(runtime.Function[int, Any]):
    async def process(self, value: int) -> int:
        return int(await self.ctx.call_service_async("it", value))


@pytest.mark.also_remote
@pytest.mark.long_on_ray
def test_async_and_plain_methods_answer_async_and_plain_functions_and_the_hand(session: runtime.Session) -> None:
    session.service("it", Answers)
    plain = session.source(EIGHT).map(AsksBlocking(), name="plain").collect()
    waits = session.source(EIGHT).map(AsksAsync(), name="waits").collect()
    session.start(paused=True)
    session.resume("it")
    assert session.call("it", 100) == 1000
    assert session.call("it", method="plain") == [100]
    session.resume()
    session.wait(PATIENCE_S)
    assert list(plain) == list(waits) == [value * 10 for value in EIGHT]
    facts = session.snapshot().services["it"]
    assert (facts.received, facts.results, facts.errors) == (18, 18, 0)


def test_requests_are_answered_one_after_the_other(session: runtime.Session) -> None:
    class Alone:
        under_way = 0

        async def process(self, value: int) -> int:
            assert self.under_way == 0
            self.under_way += 1
            await asyncio.sleep(SHORT_S)
            self.under_way -= 1
            return value

    session.service("it", Alone)
    result = session.source(range(20)).map(AsksAsync(), ordered=False).collect()
    session.run(PATIENCE_S)
    assert sorted(result) == list(range(20))


def test_its_loop_lives_from_setup_to_close_and_goes_on_between_requests(session: runtime.Session) -> None:
    told: list[str] = []
    ticked = Moment()

    class Lives:
        async def setup(self) -> None:
            self.loop = asyncio.get_running_loop()
            self.ticking = asyncio.create_task(self.tick())
            told.append("setup")

        async def tick(self) -> None:
            try:
                await asyncio.sleep(SHORT_S)
                ticked.set()
                await asyncio.Event().wait()
            finally:
                told.append("tick ended")

        async def process(self) -> bool:
            return asyncio.get_running_loop() is self.loop

        async def close(self) -> None:
            await asyncio.sleep(SHORT_S)
            told.append("close")

    session.service("it", Lives)
    session.input("numbers").collect()
    session.start()
    ticked.wait()
    assert session.call("it")
    assert session.call("it")
    session.stop()
    session.wait(PATIENCE_S)
    assert told == ["setup", "close", "tick ended"]


@pytest.mark.also_remote
@pytest.mark.long_on_ray
def test_what_a_method_raises_is_raised_for_its_caller(session: runtime.Session) -> None:
    session.service("it", Answers)
    session.input("numbers").collect()
    session.start()
    with pytest.raises(KeyError, match="no"):
        session.call("it", KeyError("no"), method="fails")
    with pytest.raises(ServiceFailed, match="SystemExit"):
        session.call("it", SystemExit(3), method="fails")
    with pytest.raises(ServiceFailed, match="CancelledError"):
        session.call("it", asyncio.CancelledError(), method="fails")
    with pytest.raises(runtime.WrongArguments):
        session.call("it", 1, 2, 3)
    assert session.call("it", 4) == 40


def test_a_call_that_takes_too_long_ends_and_its_reply_is_late() -> None:
    class Slow:
        async def process(self, seconds: float) -> float:
            await asyncio.sleep(seconds)
            return seconds

    class Asks(runtime.Function[int, int]):
        def process(self, value: int, /) -> int:
            try:
                self.ctx.call_service("it", 5, timeout=1)
            except ServiceTimeout:
                return -value
            return value

    with runtime.Session(seed=1) as session:
        session.service("it", Slow)
        result = session.source([1, 2]).map(Asks()).collect()
        session.run(PATIENCE_S)
        facts = session.snapshot().services["it"]
        assert list(result) == [-1, -2]
        assert (facts.timeouts, facts.late) == (2, 1), "the other one had not begun"


@pytest.mark.concurrent
def test_cancel_awaits_the_finally_of_what_is_under_way(session: runtime.Session) -> None:
    told: list[str] = []
    under_way = Moment()

    class Endless:
        async def process(self, value: int) -> None:
            try:
                under_way.set()
                await asyncio.Event().wait()
            finally:
                await asyncio.sleep(SHORT_S)
                told.append("finally")

        async def close(self) -> None:
            await asyncio.sleep(SHORT_S)
            told.append("close")

    session.service("it", Endless)
    session.source([1]).map(AsksBlocking()).collect()
    session.start()
    under_way.wait()
    session.cancel()
    assert session.wait(PATIENCE_S).state == "cancelled"
    session.close()
    assert told == ["finally", "close"]


class Doubles:
    async def process(self, value: int) -> int:
        await asyncio.sleep(0)
        return value * 2


class Passes:
    ctx: Any = None

    async def process(self, value: int) -> int:
        return int(await self.ctx.call_service_async("doubles", value)) + 1

    def plainly(self, value: int) -> int:
        return int(self.ctx.call_service("doubles", value)) + 1

    async def blocking(self, value: int) -> Any:
        return self.ctx.call_service("doubles", value)

    async def itself(self) -> Any:
        return await self.ctx.call_service_async("it")


@pytest.mark.also_remote
def test_a_method_awaits_other_services_and_does_not_wait_for_itself(session: runtime.Session) -> None:
    session.service("doubles", Doubles)
    session.service("it", Passes)
    result = session.source(EIGHT).map(AsksAsync()).collect()
    session.start(paused=True)
    session.resume("it", "doubles")
    assert session.call("it", 4, method="plainly") == 9
    with pytest.raises(AsyncRefused, match=r"await ctx\.call_service_async\('doubles', …\)"):
        session.call("it", 4, method="blocking")
    with pytest.raises(runtime.ServiceLoop, match="it → it"):
        session.call("it", method="itself")
    session.resume()
    session.wait(PATIENCE_S)
    assert list(result) == [value * 2 + 1 for value in EIGHT]


def test_it_is_paused_and_stepped_as_any_service(session: runtime.Session) -> None:
    session.service("it", Answers)
    result = session.source(EIGHT, name="numbers").map(AsksBlocking(), name="asks").collect()
    session.start(paused=True)
    with pytest.raises(ServicePaused):
        session.call("it", 1)
    session.resume("numbers")
    session.resume("asks")
    session.settle(PATIENCE_S)
    with pytest.raises(JobPaused):
        session.wait(PATIENCE_S)
    step = session.step("it")
    assert (step.result, step.error) == ("done", None)
    assert str(step).startswith("it: process(")
    session.resume()
    session.wait(PATIENCE_S)
    assert list(result) == [value * 10 for value in EIGHT]


def test_interceptors_see_the_reply_that_has_come(session: runtime.Session) -> None:
    seen: list[Any] = []

    def watch(invocation: runtime.Invocation) -> Any:
        seen.append(invocation.proceed())
        return seen[-1]

    session.service("it", Answers)
    session.intercept(watch)
    session.source([1, 2]).map(AsksBlocking()).collect()
    session.run(PATIENCE_S)
    assert seen == [10, 20]


class Yields:
    async def process(self, value: int) -> int:
        return value

    async def many(self) -> AsyncIterator[int]:
        yield 1


def test_a_reply_is_one_value(session: runtime.Session) -> None:
    session.service("it", Yields)
    session.input("numbers").collect()
    session.start()
    with pytest.raises(AsyncRefused, match="asynchronous generator, and a reply is one value"):
        session.call("it", method="many")
    assert session.call("it", 3) == 3


def test_a_setup_that_fails_fails_the_job_and_its_loop_ends(session: runtime.Session) -> None:
    class Bad(Answers):
        async def setup(self) -> None:
            await asyncio.sleep(0)
            raise ValueError("no")

    session.service("it", Bad)
    session.source(EIGHT).map(AsksBlocking()).collect()
    with pytest.raises(TaskFailed, match="'it' failed: ValueError: no"):
        session.run(PATIENCE_S)


# ── under a seed ──


@settings(max_examples=25)
@given(waits=some.lists(some.integers(0, 3), max_size=12), seed=some.integers(), concurrency=some.integers(1, 4))
def test_each_request_is_answered_once_with_its_own_reply(waits: list[int], seed: int, concurrency: int) -> None:
    class Waits:
        async def process(self, value: int) -> int:
            for _ in range(waits[value]):
                await asyncio.sleep(1)
            return value * 10

    def run() -> tuple[list[int], list[str]]:
        with runtime.Session(seed=seed) as session:
            session.service("it", Waits)
            numbers = session.source(range(len(waits)))
            result = numbers.map(AsksAsync(), concurrency=concurrency, on_error="fail").collect()
            session.run(PATIENCE_S)
            return list(result), session.turns

    answered, turns = run()
    assert answered == [value * 10 for value in range(len(waits))]
    assert run() == (answered, turns)


def test_under_every_seed_what_a_method_has_left_running_goes_on_beside_the_next_request() -> None:
    class Leaves:
        def __init__(self) -> None:
            self.under_way: list[asyncio.Task[None]] = []

        async def process(self, value: int) -> int:
            self.under_way.append(asyncio.create_task(asyncio.sleep(2)))
            await asyncio.sleep(1)
            return sum(task.done() for task in self.under_way[:-2])

    def build(session: runtime.Session) -> Any:
        session.service("it", Leaves)
        return session.source(range(6)).map(AsksAsync()).collect()

    def check(session: runtime.Session, result: Any) -> None:
        assert list(result) == [max(0, value - 1) for value in range(6)]

    assert explore(build, check, seeds=15) is None
