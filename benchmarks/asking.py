"""Figures of a graph that answers, beside hand-written threads and queues with a future for each question."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from queue import Queue
from threading import Thread
from typing import Any, Final

import runtime
from benchmarks.flow import RUNTIME, case
from benchmarks.harness import Figure, Row, Samples, Scale, Target, ratio

ASKERS: Final = 64
STAGES: Final = 5
TIMEOUT_S: Final = 10.0
NS: Final = "ns per packet"
PEER: Final = f"{STAGES} threads with queue.Queue(1024), a Future for each question"
ONE, MANY, LOOP = "one asker", f"{ASKERS} threads that ask", f"{ASKERS} ask_async in one loop"

Ask = Callable[[int], int]


def as_it_is(value: int) -> int:
    """A function that does nothing."""
    return value


class Peer:
    """The same by hand."""

    def __init__(self) -> None:
        self._queues: list[Queue[tuple[Future[int], int] | None]] = [Queue(1024) for _ in range(STAGES)]
        self._threads = [Thread(target=self._work, args=(stage,)) for stage in range(STAGES)]
        for thread in self._threads:
            thread.start()

    def _work(self, stage: int) -> None:
        while (item := self._queues[stage].get()) is not None:
            future, value = item[0], as_it_is(item[1])
            if stage + 1 < STAGES:
                self._queues[stage + 1].put((future, value))
            else:
                future.set_result(value)
        if stage + 1 < STAGES:
            self._queues[stage + 1].put(None)

    def ask(self, value: int) -> int:
        """Ask, and wait for the answer."""
        future: Future[int] = Future()
        self._queues[0].put((future, value))
        return future.result(TIMEOUT_S)

    def close(self) -> None:
        """End its threads."""
        self._queues[0].put(None)
        for thread in self._threads:
            thread.join()


def answering() -> runtime.Session:
    """A session with as many tasks as the peer has threads."""
    session = runtime.Session()
    stream = session.input("in")
    for _ in range(STAGES - 2):
        stream = stream.map(as_it_is)
    stream.reply()
    session.start()
    return session


def asked(ask: Ask, askers: int, count: int) -> int:
    """So many questions by so many threads: the sum of the answers."""

    def some(first: int) -> int:
        return sum([ask(value) for value in range(first, count, askers)])

    if askers == 1:
        return some(0)
    with ThreadPoolExecutor(askers) as threads:
        return sum(threads.map(some, range(askers)))


def by_hand(askers: int, count: int) -> int:
    """The peer."""
    peer = Peer()
    try:
        return asked(peer.ask, askers, count)
    finally:
        peer.close()


def in_session(askers: int, count: int) -> int:
    """Threads that ask a session."""
    with answering() as session:
        total = asked(partial(session.ask, "in"), askers, count)
        session.stop()
    return total


def in_loop(count: int) -> int:
    """Coroutines that ask a session."""

    async def some(session: runtime.Session, first: int) -> int:
        return sum([await session.ask_async("in", value) for value in range(first, count, ASKERS)])

    async def all_of_them(session: runtime.Session) -> int:
        return sum(await asyncio.gather(*(some(session, first) for first in range(ASKERS))))

    with answering() as session:
        total = asyncio.run(all_of_them(session))
        session.stop()
    return total


def asks(scale: Scale) -> Figure:
    """Questions per second of a graph, one after the other and many at once."""
    count = scale.questions

    def rows(samples: Samples) -> list[Row]:
        def beside(ours: str, askers: str, limit: float) -> Row:
            times = ratio(samples.of(f"{PEER}, {askers}", NS), samples.of(f"{RUNTIME}, {ours}", NS))
            what = f"{ours}: questions in a second beside the peer with {askers}"
            return Row(what, "×", times, Target("at least", limit))

        return [beside(ONE, ONE, 1.0), beside(MANY, MANY, 1.1), beside(LOOP, MANY, 3.0)]

    expected = sum(range(count))
    works: list[tuple[str, Callable[[], Any]]] = [
        (f"{PEER}, {ONE}", partial(by_hand, 1, count)),
        (f"{RUNTIME}, {ONE}", partial(in_session, 1, count)),
        (f"{PEER}, {MANY}", partial(by_hand, ASKERS, count)),
        (f"{RUNTIME}, {MANY}", partial(in_session, ASKERS, count)),
        (f"{RUNTIME}, {LOOP}", partial(in_loop, count)),
    ]
    return Figure(
        "asks",
        f"{count:,} questions to a graph of {STAGES} tasks that do nothing (load {os.getloadavg()[0]:.1f})",
        tuple(case(name, count, work, expected) for name, work in works),
        rows,
    )
