"""Figures of functions that wait: many calls in flight in one task, beside the same in plain asyncio."""

from __future__ import annotations

import asyncio
import atexit
import os
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Coroutine
from functools import cache, partial
from importlib import import_module
from typing import Any, Final

import runtime
from benchmarks.flow import CAPACITY, RUNTIME, case
from benchmarks.harness import Figure, Row, Samples, Scale, Target, ratio

NAP_S: Final = 0.01
NAPPING: Final = 32  # calls in flight
AT_ONCE: Final = 64
SEMAPHORE: Final = f"asyncio with a semaphore of {NAPPING}"
BY_SEMAPHORE: Final = f"a semaphore of {NAPPING}"
BY_WINDOW: Final = f"a window of {NAPPING} tasks awaited in order"
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


class Ask(runtime.Function[str, str]):
    """Asks the server, in a session of aiohttp for all calls."""

    async def open(self, ctx: runtime.TaskContext) -> None:
        self.http = import_module("aiohttp").ClientSession(server())

    async def process(self, path: str) -> str:  # type: ignore[override]
        async with self.http.get(path) as reply:
            text: str = await reply.text()
            return text

    async def close(self) -> None:
        await self.http.close()


@cache
def server() -> str:
    """The address of a server in a process of its own, which ends with this one."""
    command = [sys.executable, "-m", "benchmarks.latent_server"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def end() -> None:
        process.communicate()

    atexit.register(end)
    assert process.stdout is not None, "it is a pipe"
    return f"http://127.0.0.1:{int(process.stdout.readline())}"


def asked_in_session(count: int, *, ordered: bool) -> list[int]:
    """The answers to so many questions, by a graph of five operators."""
    with runtime.Session(capacity=CAPACITY) as session:
        paths = session.source(range(count)).map("/{}".format)
        answers = paths.map(Ask(), concurrency=NAPPING, ordered=ordered)
        found = answers.map(int).collect()
        session.run()
    return list(found) if ordered else sorted(found)


def asked_by(gather: Callable[[int, Callable[[str], Coroutine[Any, Any, str]]], Any], count: int) -> list[int]:
    """The same by plain asyncio, which `gather` lets open 32 calls at a time."""

    async def run() -> list[int]:
        async with import_module("aiohttp").ClientSession(server()) as http:

            async def ask(path: str) -> str:
                async with http.get(path) as reply:
                    text: str = await reply.text()
                    return text

            answers: list[str] = await gather(count, ask)
            return list(map(int, answers))

    return asyncio.run(run())


async def behind_semaphore(count: int, ask: Callable[[str], Coroutine[Any, Any, str]]) -> list[str]:
    """A task for each call, and as many at a time as the semaphore lets in."""
    free = asyncio.Semaphore(NAPPING)

    async def one(number: int) -> str:
        async with free:
            return await ask(f"/{number}")

    return await asyncio.gather(*map(one, range(count)))


async def in_window(count: int, ask: Callable[[str], Coroutine[Any, Any, str]]) -> list[str]:
    """32 tasks at a time, which are awaited in order: the next begins when the oldest is over."""
    window: deque[asyncio.Task[str]] = deque()
    answers = []
    for number in range(count):
        if len(window) == NAPPING:
            answers.append(await window.popleft())
        window.append(asyncio.create_task(ask(f"/{number}")))
    return answers + [await task for task in window]


def served(scale: Scale) -> Figure:
    """Calls to a server: how many in a second, of those that plain asyncio has, in any order and in that of packets."""
    count = scale.served_calls
    wanted = list(range(count))
    unordered, ordered = f"{RUNTIME}, unordered", f"{RUNTIME}, ordered"

    def rows(samples: Samples) -> list[Row]:
        return [
            Row(
                f"{mine}: calls in a second beside asyncio with {peer}",
                "×",
                ratio(samples.of(peer, NS), samples.of(mine, NS)),
                Target("at least", 0.9),
            )
            for mine, peer in ((unordered, BY_SEMAPHORE), (ordered, BY_WINDOW))
        ]

    return Figure(
        "served",
        f"{count:,} calls to an aiohttp server in a process of its own, {NAPPING} in flight (load {_load()})",
        (
            case(unordered, count, partial(asked_in_session, count, ordered=False), wanted),
            case(BY_SEMAPHORE, count, partial(asked_by, behind_semaphore, count), wanted),
            case(ordered, count, partial(asked_in_session, count, ordered=True), wanted),
            case(BY_WINDOW, count, partial(asked_by, in_window, count), wanted),
        ),
        rows,
    )


def _load() -> str:
    return f"{os.getloadavg()[0]:.1f}"
