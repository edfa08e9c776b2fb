"""ServiceManager: makes the requests of one caller, and waits for the replies. Knows request queues, no services.

Within one process a reply needs no queue: the service's thread writes it into the call and unparks the caller.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import Any

from runtime.communication.calls import AnswerFuture, Ask, Call, Request, here
from runtime.communication.request_queue import RequestQueue
from runtime.errors import ServiceLoop, ServicePaused, ServiceStopped
from runtime.python.interactive import uninterrupted
from runtime.scheduling.command import Answer
from runtime.service.call_future import CallFuture, give_way


class ServiceManager:
    """The calls of one caller: makes the requests, and waits for their replies. Any thread may use it."""

    def __init__(self, caller: str) -> None:
        self._alone = (caller,)  # the callers of what is called for nobody else
        self._numbers: dict[tuple[str, ...], itertools.count[int]] = {}  # by chain of callers

    def call(self, queue: RequestQueue, ask: Ask, timeout_s: float) -> Any:
        """Call and wait for the answer. Raises what the service raises, `ServiceTimeout`, `ServiceStopped`."""
        call = self._make(queue, ask, timeout_s)
        try:
            _enter(call)
            _wait(call, call.is_done)
        except BaseException:  # an interrupt gives the call up
            uninterrupted(partial(queue.ledger.abandon, call))
            raise
        if (error := call.take_error()) is not None:
            give_way(error)
            try:
                raise error
            finally:
                del error  # else its traceback would hold the frame that holds it
        return call.value

    def call_async(self, queue: RequestQueue, ask: Ask, timeout_s: float) -> Future[Any]:
        """Call, and return at once the future of the answer; wait only while the request queue is full."""
        call, future = self._begin(queue, ask, timeout_s)
        if call.stage == "held back":
            try:
                _wait(call, call.is_accepted)
            except BaseException:
                uninterrupted(partial(queue.ledger.abandon, call))
                raise
        return future

    def begin(self, queue: RequestQueue, ask: Ask, timeout_s: float) -> AnswerFuture:
        """Call, and return at once the future of the answer, though the request queue be full."""
        return self._begin(queue, ask, timeout_s)[1]

    def _begin(self, queue: RequestQueue, ask: Ask, timeout_s: float) -> tuple[Call, CallFuture]:
        call = self._make(queue, ask, timeout_s, waits=False)
        future = CallFuture(call)
        call.answer_to(future)
        try:
            _enter(call)
        except BaseException:
            uninterrupted(partial(queue.ledger.abandon, call))
            raise
        return call, future

    def prepare_by_hand(self, queue: RequestQueue, ask: Ask, timeout_s: float) -> tuple[Call, Answer]:
        """The caller's part of a call by hand, which runs user code: a call to be entered, and its answer."""
        call, answer = self._make(queue, ask, timeout_s, waits=False), Answer()
        call.answer_to(answer)
        queue.prepare(call)
        return call, answer

    def _make(self, queue: RequestQueue, ask: Ask, timeout_s: float, *, waits: bool = True) -> Call:
        service, ledger = queue.service, queue.ledger
        if here.job is ledger:
            callers = here.callers
        else:
            callers = self._alone if (bearer := here.bearer) is None else (*bearer.callers, *self._alone)
        if service in callers:
            circle = " → ".join((*callers[callers.index(service) :], service))
            raise ServiceLoop(f"{circle}: service {service!r} would wait for itself; answer without this call")
        method, args, kwargs = ask
        numbers = self._numbers.get(callers) or self._numbers.setdefault(callers, itertools.count())
        # A NamedTuple's own constructor takes twice as long, for each call.
        request = tuple.__new__(Request, (service, method, args, kwargs, callers, next(numbers)))
        return Call(request, queue, timeout_s, waits=waits)


def enter_by_hand(call: Call) -> None:
    """The thread of commands: put a prepared call into its queue. Raises `ServiceStopped`.

    Raises `ServicePaused` if the service is paused: the caller, outside of the job, may be the one to resume it.
    """
    queue = call.queue
    if queue.gate.closed and not queue.refusing:
        raise ServicePaused(f"service {queue.service!r} is paused; resume({queue.service!r}) it first, or step it")
    _put(call)


def _enter(call: Call) -> None:
    """Put a call into its queue. Raises `ServiceStopped`, `Cancelled`, and `NotSendable` if it cannot get there."""
    call.queue.prepare(call)
    if here.waiter is None:  # on no thread of a job
        uninterrupted(partial(_put, call))
    else:
        _put(call)


def _put(call: Call) -> None:
    queue, ledger = call.queue, call.queue.ledger
    try:
        ledger.lock.acquire()  # not `with`, which takes as long as the rest of this
        try:
            queue.put(call)
        finally:
            ledger.lock.release()
    except ServiceStopped as refusal:
        give_way(refusal)
        raise
    queue.ship()
    ledger.nudge()  # also from a thread that takes turns: they may be those of another job


def _wait(call: Call, ready: Callable[[], bool]) -> None:
    """Wait for what becomes of a call, unless it has become of it already."""
    waiter = call.waiter
    assert waiter is not None, "only a call that is held back is waited for beside its future"
    if not ready():
        waiter.park(ready, "waiting", held=call.is_held)
