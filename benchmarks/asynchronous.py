"""Figures of functions that wait: many calls in flight in one task, beside the same in plain asyncio."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, Final

import runtime
from benchmarks.flow import CAPACITY, RUNTIME, case
from benchmarks.harness import Figure, Row, Samples, Scale, Target, ratio

NAP_S: Final = 0.01
NAPPING: Final = 32  # calls in flight
AT_ONCE: Final = 64
SEMAPHORE: Final = f"asyncio with a semaphore of {NAPPING}"
QUEUES: Final = f"{AT_ONCE} coroutines between two asyncio.Queue(1024)"
NS: Final = "ns per packet"

Call = Callable[[int], Coroutine[Any, Any, int]]


async def nap(value: int) -> int:
    """A call that waits."""
    await asyncio.sleep(NAP_S)
    return value


async def return_at_once(value: int) -> int:
    """A call that has nothing to wait for."""
    return value


def in_session(call: Call, concurrency: int, count: int) -> int:
    """So many calls, in a task of a session."""
    with runtime.Session(capacity=CAPACITY) as session:
        found = session.source(range(count)).map(call, concurrency=concurrency).collect()
        session.run()
    return sum(found)


def by_semaphore(count: int) -> int:
    """A task for each call, and as many at a time as the semaphore lets in; results in order."""

    async def run() -> int:
        free = asyncio.Semaphore(NAPPING)

        async def one(value: int) -> int:
            async with free:
                return await nap(value)

        return sum(await asyncio.gather(*map(one, range(count))))

    return asyncio.run(run())


def between_queues(count: int) -> int:
    """Workers that take from one bounded queue, and put what comes into another."""

    async def run() -> int:
        given: asyncio.Queue[int] = asyncio.Queue(1024)
        made: asyncio.Queue[int] = asyncio.Queue(1024)

        async def give() -> None:
            for value in range(count):
                await given.put(value)

        async def work() -> None:
            while True:
                await made.put(await return_at_once(await given.get()))

        async def gather() -> int:
            return sum([await made.get() for _ in range(count)])

        async with asyncio.TaskGroup() as group:
            workers = [group.create_task(work()) for _ in range(AT_ONCE)]
            group.create_task(give())
            total = await group.create_task(gather())
            for worker in workers:
                worker.cancel()
        return total

    return asyncio.run(run())


def awaits(scale: Scale) -> Figure:
    """Calls that sleep: how many in a second, of those that plain asyncio has."""
    count = scale.awaited_naps

    def rows(samples: Samples) -> list[Row]:
        throughput = ratio(samples.of(SEMAPHORE, NS), samples.of(RUNTIME, NS))
        return [Row(f"{RUNTIME}: calls in a second beside {SEMAPHORE}", "×", throughput, Target("at least", 0.95))]

    return Figure(
        "awaits",
        f"{count:,} calls of asyncio.sleep({NAP_S}), {NAPPING} in flight (load {_load()})",
        (
            case(RUNTIME, count, partial(in_session, nap, NAPPING, count), sum(range(count))),
            case(SEMAPHORE, count, partial(by_semaphore, count), sum(range(count))),
        ),
        rows,
    )


def at_once(scale: Scale) -> Figure:
    """Calls that return at once: what one costs."""
    count = scale.calls_at_once

    def rows(samples: Samples) -> list[Row]:
        cost = ratio(samples.of(RUNTIME, NS), samples.of(QUEUES, NS))
        return [Row(f"{RUNTIME}: time beside {QUEUES}", "×", cost, Target("at most", 2.5))]

    return Figure(
        "at once",
        f"{count:,} calls that return at once, {AT_ONCE} in flight: time per call (load {_load()})",
        (
            case(RUNTIME, count, partial(in_session, return_at_once, AT_ONCE, count), sum(range(count))),
            case(QUEUES, count, partial(between_queues, count), sum(range(count))),
        ),
        rows,
    )


def _load() -> str:
    return f"{os.getloadavg()[0]:.1f}"
