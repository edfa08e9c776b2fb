"""Futures of calls in the hands of other threads: cancelled and waited for, against replies and interrupts.

An operator makes them, and the test holds them; so may any program.
"""

from __future__ import annotations

import concurrent.futures
import queue
import threading
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from concurrent.futures._base import _Waiter
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from math import inf
from random import Random
from typing import Any, Final

import pytest

from runtime import Function, Session
from tests.interrupts import Interrupt, interrupts, places
from tests.services import Echo
from tests.stress.rounds import PATIENCE_S, Helper, one_round, repeat, spin

PAIR: Final = 2
Use = Callable[[list[Future[Any]]], None]


class Job:
    """`ask` has a call made, of a service that can be paused, and returns its future."""

    def __init__(self) -> None:
        self.session = Session("job")
        self.futures: queue.SimpleQueue[Future[Any]] = queue.SimpleQueue()
        futures = self.futures

        class Asks(Function[int, None]):
            def process(self, value: int, /) -> None:
                futures.put(self.ctx.call_service_async("echo", value, timeout=PATIENCE_S))

        self.session.service("echo", Echo)
        self.session.input("values").sink(Asks())
        self.session.start()
        self.session.settle(PATIENCE_S)

    def ask(self, value: int) -> Future[Any]:
        self.session.send("values", value)
        return self.futures.get(timeout=PATIENCE_S)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Let no call begin meanwhile."""
        self.session.pause("echo")
        try:
            yield
        finally:
            self.session.resume("echo")


def await_all(futures: list[Future[Any]]) -> None:
    concurrent.futures.wait(futures, 0.0)


def await_first(futures: list[Future[Any]]) -> None:
    concurrent.futures.wait(futures, 0.0, return_when=concurrent.futures.FIRST_COMPLETED)


def take_as_completed(futures: list[Future[Any]]) -> None:
    with suppress(TimeoutError):
        list(concurrent.futures.as_completed(futures, 0.0))


def let_go(error: BaseException) -> None:
    """Give back what an interrupted wait has left: the lock of its own, which those who tell it wait for."""
    for frame, _ in traceback.walk_tb(error.__traceback__):
        waiter: Any = frame.f_locals.get("waiter")
        if isinstance(waiter, _Waiter):
            for lock in (waiter.event._cond._lock, getattr(waiter, "lock", None)):  # type: ignore[attr-defined]
                if lock is not None and lock.locked():
                    lock.release()


def cancel(futures: list[Future[Any]]) -> None:
    for future in futures:
        future.cancel()


def look(futures: list[Future[Any]]) -> None:
    for future in futures:
        repr(future)
        future.add_done_callback(bool)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("use", [await_all, await_first, take_as_completed, cancel, look])
def test_whatever_is_interrupted_with_a_future_hurts_neither_the_job_nor_the_future(
    use: Use,
) -> None:
    """At each bytecode, those of `concurrent.futures` as well."""
    job = Job()
    with one_round(job.session):

        def interrupted(interrupt: Interrupt) -> None:
            with job.held():
                futures = [job.ask(each) for each in range(PAIR)]
                told = threading.Semaphore(0)
                for future in futures:
                    future.add_done_callback(lambda _: told.release())
                try:
                    with interrupt:
                        use(futures)
                except (KeyboardInterrupt, RuntimeError) as error:  # Condition releases what it does not hold
                    let_go(error)
            done, not_done = concurrent.futures.wait(futures, PATIENCE_S)
            assert not not_done, f"hung after an interrupt at bytecode {interrupt.number}"
            assert len(list(concurrent.futures.as_completed(futures, PATIENCE_S))) == PAIR
            for each, future in enumerate(futures):
                assert future in done
                assert future.cancelled() or future.result() == each
                assert told.acquire(timeout=PATIENCE_S), f"a callback was not called: bytecode {interrupt.number}"
            assert not told.acquire(blocking=False), "one was called twice"
            assert job.session.call("echo", 7, timeout=PATIENCE_S) == 7

        interrupted(all_of_it := Interrupt(inf))
        for interrupt in interrupts(places(all_of_it.count)):
            interrupted(interrupt)
        job.session.cancel()


def one_outcome(rng: Random) -> None:
    """Cancelled by two at once, against its beginning, while others wait for it in every way."""
    executed = 0
    job = Job()

    def take_all(futures: list[Future[Any]]) -> None:
        assert len(list(concurrent.futures.as_completed(futures, PATIENCE_S))) == len(futures)

    def wait_for_all(futures: list[Future[Any]]) -> None:
        assert not concurrent.futures.wait(futures, PATIENCE_S).not_done

    def wait_for_one(futures: list[Future[Any]]) -> None:
        when = concurrent.futures.FIRST_COMPLETED
        assert concurrent.futures.wait(futures, PATIENCE_S, return_when=when).done

    with one_round(job.session):
        for _ in range(5):
            told: list[Future[Any]] = []
            with job.held():
                futures = [job.ask(each) for each in range(8)]
                for future in futures:
                    future.add_done_callback(told.append)

            def cancel_some(futures: list[Future[Any]] = futures) -> None:
                for future in futures[::3]:
                    spin(rng)
                    if future.cancel():
                        assert future.cancelled()

            waits: list[Use] = [take_all, wait_for_all, wait_for_one]
            with ExitStack() as helpers:
                for wait in waits:
                    helpers.enter_context(Helper(partial(wait, futures)))
                helpers.enter_context(Helper(cancel_some))
                cancel_some()
            for each, future in enumerate(futures):
                assert future.done()
                if not future.cancelled():
                    assert future.result() == each
                    executed += 1
            job.session.settle(PATIENCE_S)
            assert sorted(map(id, told)) == sorted(map(id, futures)), "each is told of once"
        facts = job.session.snapshot().services["echo"]
        assert facts.results == executed, "what was taken back was not executed, and all else was"
        assert facts.received == facts.results + facts.stopped
        job.session.cancel()


def test_a_future_has_one_outcome_whoever_cancels_it_and_all_who_wait_hear_of_it_once() -> None:
    repeat(one_outcome, 60, share=1)
