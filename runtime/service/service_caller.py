"""ServiceManager: one caller's requests, and how it waits for the replies. Knows request queues, not who serves them.

In one process a reply needs no queue of its own: the service's thread writes it into the call and rings.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Any, Final

from runtime.communication.calls import Call, Request, here
from runtime.communication.lane import parked_lock, ring
from runtime.communication.request_queue import RequestQueue
from runtime.errors import ServiceLoop

Ask = tuple[str, tuple[Any, ...], Mapping[str, Any]]
"""What is asked: method, arguments, named arguments."""


class CallFuture(Future[Any]):
    """The `concurrent.futures.Future` of a call. Waiting for its result gives way to a cancel, and to other turns.

    All futures of a job share one condition: making one for each would cost more than the rest of a call. Nobody waits
    on it; who waits for a result has a bell of his own.
    """

    def __init__(self, shared: threading.Condition) -> None:
        # Instead of Future's own, which does the same but for the condition.
        self._condition = shared
        self._state = "PENDING"
        self._result = self._exception = None
        self._waiters: list[Any] = []
        self._done_callbacks: list[Any] = []

    def result(self, timeout: float | None = None) -> Any:
        """What the service has returned. Raises what it has raised, `ServiceTimeout`, `ServiceStopped`.

        `TimeoutError` after `timeout` seconds: the call goes on, until its own time is over.
        """
        self._wait(timeout)
        return super().result(0)

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """What the service has raised, or None."""
        self._wait(timeout)
        return super().exception(0)

    def _is_over(self) -> bool:
        return self._state in _DONE  # `done()` without its lock, for whoever holds another

    def _wait(self, timeout: float | None) -> None:
        """Wait until it is done, on a task's thread through its gate."""
        if self._is_over():
            return
        bell, waiter = parked_lock(), here.waiter

        def wake(_: Future[Any]) -> None:
            ring(bell)
            if waiter is not None:
                waiter.nudge()

        self.add_done_callback(wake)
        timeout_s = -1 if timeout is None else max(0.0, timeout)
        if waiter is not None:
            waiter.park(bell, self._is_over, "waiting", timeout_s)
        else:
            bell.acquire(True, timeout_s)


_DONE: Final = ("FINISHED", "CANCELLED", "CANCELLED_AND_NOTIFIED")


class ServiceManager:
    """The calls of one caller: makes the requests, and waits for their replies. Any thread may use it."""

    def __init__(self, caller: str) -> None:
        self._caller = caller
        self._numbers = itertools.count()

    def call(self, queue: RequestQueue, ask: Ask, timeout_s: float) -> Any:
        """Call and wait for the answer. Raises what the service raises, `ServiceTimeout`, `ServiceStopped`."""
        call = self._make(queue, ask, timeout_s)
        with queue.ledger.lock:
            queue.put(call)
        if call.waiter is None:
            queue.ledger.nudge()
        _wait(call, call.is_done)
        if call.error is not None:
            try:
                raise call.error
            finally:
                call.error = None  # else the error's traceback would hold the frame that holds the error
        return call.value

    def call_async(self, queue: RequestQueue, ask: Ask, timeout_s: float) -> Future[Any]:
        """Call, and return at once the future of the answer; wait only while the request queue is full."""
        call = self._make(queue, ask, timeout_s)
        future = call.future = CallFuture(queue.ledger.futures)
        with queue.ledger.lock:
            queue.put(call)
        if call.waiter is None:
            queue.ledger.nudge()
        if not call.is_accepted():
            _wait(call, call.is_accepted)
        return future

    def _make(self, queue: RequestQueue, ask: Ask, timeout_s: float) -> Call:
        service, ledger = queue.service, queue.ledger
        callers = here.callers if here.job is ledger else (self._caller,)
        if service in callers:
            circle = " → ".join((*callers[callers.index(service) :], service))
            raise ServiceLoop(f"{circle}: service {service!r} would wait for itself; answer without this call")
        method, args, kwargs = ask
        request = Request(service, method, args, kwargs, callers, next(self._numbers))
        return Call(request, queue, ledger.clock(), timeout_s)


def _wait(call: Call, ready: Callable[[], bool]) -> None:
    """Wait for the bell of a call, on a task's thread through its gate. An interrupt gives the call up."""
    waiter = call.waiter
    try:
        while not ready():
            if waiter is None:
                call.bell.acquire()
            else:
                waiter.park(call.bell, ready, "waiting")
    except BaseException:
        call.queue.ledger.abandon(call)
        raise
