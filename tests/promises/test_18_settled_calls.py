"""Promise 18: a job stands still when its calls wait for a service that is paused, as with plain functions."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

import runtime
from runtime import JobPaused
from runtime.testing import PATIENCE_S, Moment
from tests.platforms import MakeSession

SHORT_S = 0.001
EIGHT = list(range(8))


class Plain:
    def process(self, value: int) -> int:
        return value * 10


class Passes:
    ctx: Any = None

    async def process(self, value: int) -> int:
        return int(await self.ctx.call_service_async("it", value))


class Asks(runtime.Function[int, Any]):
    def __init__(self, service: str = "it") -> None:
        self.service = service

    async def process(self, value: int) -> int:
        await asyncio.sleep(SHORT_S)
        return int(await self.ctx.call_service_async(self.service, value))


@pytest.mark.also_remote
def test_a_job_whose_calls_wait_for_a_paused_service_is_settled_and_says_so(session: runtime.Session) -> None:
    session.service("it", Plain)
    result = session.source(EIGHT).map(Asks(), name="asks", concurrency=4).collect()
    session.start(paused=True)
    session.resume()
    session.pause("it")
    with pytest.raises(JobPaused, match="'it' is paused"):
        session.wait(PATIENCE_S)
    session.settle(PATIENCE_S)
    assert session.snapshot()["asks"].open == 4 or result
    session.resume()
    session.wait(PATIENCE_S)
    assert list(result) == [value * 10 for value in EIGHT]


def test_so_is_one_whose_service_awaits_another_that_is_paused(session: runtime.Session) -> None:
    session.service("it", Plain)
    session.service("passes", Passes)
    result = session.source(EIGHT).map(Asks("passes"), concurrency=1).collect()
    session.start(paused=True)
    session.pause("it")
    session.resume("passes")
    for name in session.graph.by_name:
        session.resume(name)
    with pytest.raises(JobPaused, match="'it' is paused"):
        session.wait(PATIENCE_S)
    session.resume()
    session.wait(PATIENCE_S)
    assert list(result) == [value * 10 for value in EIGHT]


def test_so_is_a_source_that_awaits_one(session: runtime.Session) -> None:
    class Draws(runtime.SourceFunction[int]):
        async def run(self) -> AsyncIterator[int]:
            for value in EIGHT:
                yield int(await self.ctx.call_service_async("it", value))

    session.service("it", Plain)
    result = session.source(Draws(), name="numbers").collect(name="out")
    session.start(paused=True)
    session.resume("numbers")
    session.resume("out")
    with pytest.raises(JobPaused, match="'it' is paused"):
        session.wait(PATIENCE_S)
    session.resume()
    session.wait(PATIENCE_S)
    assert list(result) == [value * 10 for value in EIGHT]


@pytest.mark.concurrent
@pytest.mark.parametrize("how", ["sleeps", "computes", "computes and is looked at", "is on another thread"])
def test_a_call_that_goes_on_beside_them_is_waited_for(make_session: MakeSession, how: str) -> None:
    class Mixed(runtime.Function[int, Any]):
        async def process(self, value: int) -> int:
            answer = self.ctx.call_service_async("it", value)
            if value == 0 and how == "sleeps":
                await asyncio.sleep(0.05)
            elif value == 0 and how.startswith("computes"):
                await asyncio.sleep(SHORT_S * 20)  # the others have asked by then
                computes.set()
                time.sleep(0.05)
            elif value == 0:
                await asyncio.to_thread(time.sleep, 0.05)
            went_on.append(value)
            return int(await answer)

    went_on: list[int] = []
    computes = Moment()
    session = make_session()
    session.service("it", Plain)
    session.source(range(3), name="numbers").map(Mixed(), name="asks").collect(name="out")
    session.start(paused=True)
    for name in ("numbers", "asks", "out"):
        session.resume(name)
    if how == "computes and is looked at":
        computes.wait()
        session.settle(PATIENCE_S)
    else:
        with pytest.raises(JobPaused):
            session.wait(PATIENCE_S)
    assert sorted(went_on) == [0, 1, 2]
    session.resume()
    session.wait(PATIENCE_S)


class AsksForAll(runtime.Function[list[int], Any]):
    async def process(self, batch: list[int]) -> list[int]:
        return [int(await self.ctx.call_service_async("it", value)) for value in batch]


def test_a_batch_that_gathers_beside_calls_that_stand_still_goes_when_its_time_has_come() -> None:
    with runtime.Session() as session:
        session.service("it", Plain)
        result = session.input("in").map_batches(AsksForAll(), size=2, within=0.5, name="asks").collect()
        session.start(paused=True)
        session.resume()
        session.pause("it")
        for value in range(3):
            session.send("in", value)
        session.settle(PATIENCE_S)
        facts = session.snapshot()["asks"]
        assert (facts.open, facts.depth) == (2, 0)
        session.resume()
        session.end("in")
        session.wait(PATIENCE_S)
        assert list(result) == [0, 10, 20]
