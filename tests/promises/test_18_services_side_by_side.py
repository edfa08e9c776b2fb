"""Promise 18: a service with `async def` methods answers up to `concurrency` requests at once, each with one ending."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from time import monotonic, sleep
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

import runtime
from runtime import AsyncRefused, JobPaused, ServiceFailed, ServicePaused, ServiceTimeout
from runtime.testing import PATIENCE_S, Moment, explore
from tests.platforms import Platform

SHORT_S = 0.001


class Gauge:
    """Counts how many of its requests are under way."""

    def __init__(self) -> None:
        self.now = self.most = 0

    async def process(self, value: int) -> int:
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            await asyncio.sleep(SHORT_S * (value % 3))
        finally:
            self.now -= 1
        return value * 10

    def the_most(self) -> int:
        return self.most

    async def fails(self, error: BaseException) -> None:
        await asyncio.sleep(0)
        raise error


class Asks(runtime.Function[int, Any]):
    async def process(self, value: int) -> int:
        return int(await self.ctx.call_service_async("it", value))


@pytest.mark.also_remote
@pytest.mark.parametrize("make", [Gauge, partial(Gauge)], ids=["class", "function"])
def test_requests_are_answered_at_once_up_to_the_bound_and_each_has_its_reply(
    session: runtime.Session, make: Any
) -> None:
    it = session.service("it", make, concurrency=3)
    result = session.source(range(30)).map(Asks(), name="asks").collect()
    session.start(paused=True)
    session.resume("it")
    with pytest.raises(KeyError, match="no"):
        it.fails(KeyError("no"))
    with pytest.raises(ServiceFailed, match="SystemExit"):
        it.fails(SystemExit(3))
    with pytest.raises(ServiceFailed, match="CancelledError"):
        it.fails(asyncio.CancelledError())
    with pytest.raises(runtime.WrongArguments):
        session.call("it", 1, 2, 3)
    session.resume()
    session.settle(PATIENCE_S)
    session.wait(PATIENCE_S)
    assert list(result) == [value * 10 for value in range(30)]
    facts = session.snapshot().services["it"]
    assert (facts.concurrency, facts.received, facts.results, facts.errors, facts.working) == (3, 34, 30, 4, 0)


class Waits:
    """Its requests wait until somebody lets them go on, each by itself."""

    def __init__(self, began: list[Moment], opened: list[Moment], ended: Any) -> None:
        self.began, self.opened, self.ended = began, opened, ended

    async def process(self, value: int) -> int:
        try:
            self.began[value].set()
            await asyncio.to_thread(self.opened[value].wait)
            return value * 10
        finally:
            await asyncio.sleep(0)
            self.ended.append(value)

    async def close(self) -> None:
        self.ended.append("close")


class Rig:
    """A service of which three requests may be under way, and four are made; the source and who asks are open."""

    def __init__(self, session: runtime.Session, platform: Platform) -> None:
        self.session = session
        began, opened = [platform.moment() for _ in range(5)], [platform.moment() for _ in range(5)]
        self.began, self.opened, self.ended = began, opened, platform.log()
        ended = self.ended
        session.service("it", lambda: Waits(began, opened, ended), concurrency=3)
        self.result = session.source(range(5)).map(Asks(), name="asks", ordered=False).collect()
        session.start()
        for moment in began[:3]:
            moment.wait()

    def end(self) -> None:
        for moment in self.opened:
            moment.set()
        self.session.resume()
        self.session.wait(PATIENCE_S)
        assert sorted(self.result) == [0, 10, 20, 30, 40]


def until(ready: Callable[[], bool]) -> None:
    deadline_s = monotonic() + PATIENCE_S
    while not ready():
        assert monotonic() < deadline_s, "it has not come"
        sleep(SHORT_S)


@pytest.mark.also_remote
@pytest.mark.concurrent
def test_a_snapshot_says_how_many_are_under_way_and_a_pause_waits_for_them(
    session: runtime.Session, platform: Platform
) -> None:
    rig = Rig(session, platform)
    assert session.snapshot().services["it"].working == 3
    assert not rig.began[3].has_come
    rig.opened[1].set()
    rig.began[3].wait()
    assert session.pause("it", timeout=0) == ("it",)
    with pytest.raises(ServicePaused):
        session.call("it", 4)
    for value in (0, 2, 3):
        rig.opened[value].set()
    assert session.pause("it", timeout=PATIENCE_S) == ()
    facts = session.snapshot().services["it"]
    assert (facts.working, facts.state, facts.results) == (0, "paused", 4)
    assert not rig.began[4].has_come
    with pytest.raises(JobPaused):
        session.wait(PATIENCE_S)
    rig.end()


@pytest.mark.also_remote
@pytest.mark.concurrent
def test_a_step_answers_one_request_beside_those_under_way(session: runtime.Session, platform: Platform) -> None:
    rig = Rig(session, platform)
    assert session.pause("it", timeout=0) == ("it",)
    until(lambda: session.snapshot().services["it"].depth == 2)
    assert session.step("it", timeout=PATIENCE_S).result == "waiting", "as many as may are under way"
    rig.opened[1].set()
    until(lambda: session.snapshot().services["it"].working == 2)
    rig.opened[3].set()
    step = session.step("it", timeout=PATIENCE_S)
    assert (step.result, str(step).split(" ->")[0]) == ("done", "it: process(3)")
    assert session.snapshot().services["it"].working == 2
    assert session.step("it", timeout=0).result == "running"
    rig.began[4].wait()
    rig.opened[4].set()
    assert str(session.step("it", timeout=PATIENCE_S)).startswith("it: process(4) -> 40")
    assert session.step("it", timeout=PATIENCE_S).result == "idle"
    rig.end()


@pytest.mark.also_remote
@pytest.mark.concurrent
def test_cancel_awaits_every_finally_before_the_close(session: runtime.Session, platform: Platform) -> None:
    rig = Rig(session, platform)
    session.cancel()
    until(lambda: len(rig.ended) >= 3)
    for moment in rig.opened:  # threads cannot be cancelled
        moment.set()
    assert session.wait(PATIENCE_S).state == "cancelled"
    session.close()
    *ended, last = rig.ended
    assert (sorted(ended), last) == ([0, 1, 2], "close")


def test_a_request_that_takes_too_long_ends_alone_and_its_reply_is_late() -> None:
    class Slow:
        async def process(self, seconds: float) -> float:
            await asyncio.sleep(seconds)
            return seconds

    class Calls(runtime.Function[float, Any]):
        async def process(self, seconds: float) -> float:
            try:
                return float(await self.ctx.call_service_async("it", seconds, timeout=3))
            except ServiceTimeout:
                return -seconds

    with runtime.Session(seed=1) as session:
        session.service("it", Slow, concurrency=2)
        result = session.source([5, 1, 1]).map(Calls()).collect()
        session.run(PATIENCE_S)
        facts = session.snapshot().services["it"]
        assert list(result) == [-5, 1, 1]
        assert (facts.timeouts, facts.late, facts.results) == (1, 1, 2)


class Doubles:
    async def process(self, value: int) -> int:
        await asyncio.sleep(SHORT_S * (value % 2))
        return value * 2


class Passes:
    ctx: Any = None

    async def process(self, value: int) -> int:
        await asyncio.sleep(SHORT_S * (value % 3))
        return int(await self.ctx.call_service_async("doubles", value)) + 1

    def plainly(self, value: int) -> int:
        return int(self.ctx.call_service("doubles", value)) + 1

    async def itself(self) -> Any:
        await asyncio.sleep(0)
        return await self.ctx.call_service_async("it")


@pytest.mark.also_remote
def test_the_chain_of_callers_is_that_of_the_request(session: runtime.Session) -> None:
    session.service("doubles", Doubles, concurrency=2)
    it = session.service("it", Passes, concurrency=4)
    result = session.source(range(12)).map(Asks(), name="asks").collect()
    session.start(paused=True)
    session.resume("it", "doubles")
    assert it.plainly(4) == 9
    with pytest.raises(runtime.ServiceLoop, match="it → it"):
        it.itself()
    session.resume()
    session.wait(PATIENCE_S)
    assert list(result) == [value * 2 + 1 for value in range(12)]
    assert dict(session.snapshot().services["doubles"].callers) == {"it": 13}


def test_only_the_time_of_who_waits_for_a_paused_service_stands_still() -> None:
    class Mixed:
        ctx: Any = None

        async def process(self, value: int) -> int:
            if value:
                await asyncio.sleep(100)
                return value
            return int(await self.ctx.call_service_async("doubles", value, timeout=5))

    class Calls(runtime.Function[int, Any]):
        async def process(self, value: int) -> Any:
            try:
                return await self.ctx.call_service_async("it", value, timeout=10)
            except ServiceTimeout:
                return "timeout"

    with runtime.Session(seed=3) as session:
        session.service("doubles", Doubles)
        session.service("it", Mixed, concurrency=2)
        result = session.source([0, 1]).map(Calls(), ordered=False).collect()
        session.start(paused=True)
        session.resume("it")
        session.resume(*[name for name in session.snapshot().tasks if name != "doubles"])
        session.settle(PATIENCE_S)
        assert list(result) == ["timeout"]
        with pytest.raises(JobPaused):
            session.wait(PATIENCE_S)
        session.resume()
        session.wait(PATIENCE_S)
        assert list(result) == ["timeout", 0]


def test_interceptors_see_one_request_after_the_other_and_a_warning_says_so(session: runtime.Session) -> None:
    seen: list[Any] = []

    def watch(invocation: runtime.Invocation) -> Any:
        seen.append(invocation.proceed())
        return seen[-1]

    it = session.service("it", Gauge, concurrency=3)
    session.intercept(watch)
    result = session.source(range(6)).map(Asks()).collect()
    session.input("open").collect()
    session.start()
    session.settle(PATIENCE_S)
    assert sorted(seen) == [value * 10 for value in range(6)]
    assert it.the_most() == 1
    session.stop()
    session.wait(PATIENCE_S)
    assert len(result) == 6
    assert sum("one after the other while there are interceptors" in str(event) for event in session.events) == 1


def test_another_object_of_the_same_kind_may_take_its_place(session: runtime.Session) -> None:
    it = session.service("it", Gauge, concurrency=3)
    session.input("open").collect()
    session.start()
    assert session.call("it", 4) == 40

    class More(Gauge):
        async def process(self, value: int) -> int:
            return await super().process(value) + 1

    class Plain:
        def process(self, value: int) -> int:
            return value

    session.pause("it")
    session.replace("it", More)
    with pytest.raises(AsyncRefused, match="has none, and that has `async def` methods"):
        session.replace("it", Plain)
    session.resume()
    assert session.call("it", 4) == 41
    assert it.the_most() == 1


@settings(max_examples=25)
@given(
    waits=some.lists(some.integers(0, 3), max_size=12),
    seed=some.integers(),
    calls=some.integers(1, 6),
    concurrency=some.integers(2, 4),
)
def test_each_request_has_its_own_reply_and_a_seed_repeats_the_run(
    waits: list[int], seed: int, calls: int, concurrency: int
) -> None:
    most: list[int] = []

    class Service(Gauge):
        async def process(self, value: int) -> int:
            self.now += 1
            most.append(self.now)
            for _ in range(waits[value]):
                await asyncio.sleep(1)
            self.now -= 1
            return value * 10

    def run() -> tuple[list[int], list[str]]:
        with runtime.Session(seed=seed) as session:
            session.service("it", Service, concurrency=concurrency)
            result = session.source(range(len(waits))).map(Asks(), concurrency=calls).collect()
            session.run(PATIENCE_S)
            return list(result), session.turns

    answered, turns = run()
    assert answered == [value * 10 for value in range(len(waits))]
    assert max(most, default=0) <= concurrency
    assert run() == (answered, turns)


def test_320_requests_of_a_second_take_10_virtual_seconds_at_32() -> None:
    class Second:
        async def process(self, value: int) -> int:
            await asyncio.sleep(1)
            return value

    with runtime.Session(seed=5) as session:
        session.service("it", Second, concurrency=32)
        result = session.source(range(320)).map(Asks(), concurrency=64).collect()
        session.run(PATIENCE_S)
        assert list(result) == list(range(320))
        assert max(float(turn[6:-2]) for turn in session.turns if turn.startswith("time:")) == 10


def test_under_every_seed_no_request_is_lost() -> None:
    def build(session: runtime.Session) -> Any:
        session.service("it", Gauge, concurrency=2)
        return session.source(range(6)).map(Asks(), concurrency=3).collect()

    def check(session: runtime.Session, result: Any) -> None:
        facts = session.snapshot().services["it"]
        assert (list(result), facts.results, facts.working) == ([value * 10 for value in range(6)], 6, 0)

    assert explore(build, check, seeds=15) is None
