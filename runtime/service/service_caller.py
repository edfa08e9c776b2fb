"""ServiceManager: one caller's requests, and how it waits for the replies. Knows request queues, not who serves them.

In one process a reply needs no queue of its own: the service's thread writes it into the call and rings.
"""

from __future__ import annotations

import itertools
import logging
from _thread import TIMEOUT_MAX
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from typing import Any, Final

from runtime.communication.calls import Ask, Call, Request, here
from runtime.communication.lane import parked_lock, ring
from runtime.communication.request_queue import RequestQueue
from runtime.errors import Cancelled, ServiceLoop, ServicePaused, ServiceStopped


class CallFuture(Future[Any]):
    """The `concurrent.futures.Future` of a call. Waiting for its result gives way to a cancel, and to other turns.

    All futures of a job share one condition, over the lock of its calls: making one for each would cost more than the
    rest of a call, and so a call and its future have the same ending at the same moment. Nobody waits on it; who waits
    for a result has a bell of his own.
    """

    def __init__(self, call: Call) -> None:
        # Instead of Future's own, which does the same but for the condition.
        self._condition = call.queue.ledger.futures
        self._call = call
        self._state = _PENDING
        self._result = self._exception = None
        self._waiters: list[Any] = []
        self._done_callbacks: list[Any] = []

    # ── what happens to the call ──

    def begin(self) -> None:
        """Under the lock: the call is about to be executed. Who cancels takes it back first."""
        self._state = _RUNNING

    def close(self, value: Any, error: BaseException | None) -> None:
        """Under the lock: the call has its ending."""
        self._result, self._exception = value, error
        self._state = _FINISHED  # behind the result: `result` reads the two without the lock
        for waiter in self._waiters:
            waiter.add_result(self) if error is None else waiter.add_exception(self)

    def tell(self) -> None:
        """Behind `close`, outside the lock: run the callbacks."""
        self._invoke_callbacks()

    @property
    def has_callbacks(self) -> bool:
        """Whether somebody is to be called when it is done."""
        return bool(self._done_callbacks)

    # ── what its holder does ──

    def result(self, timeout: float | None = None) -> Any:
        """What the service has returned. Raises what it has raised, `ServiceTimeout`, `ServiceStopped`.

        `TimeoutError` after `timeout` seconds: the call goes on, until its own time is over.
        """
        if self._state != _FINISHED:
            self._wait(timeout)
        if self._state == _FINISHED and self._exception is None:
            return self._result
        _give_way(self._exception)
        try:
            return self._raise()
        finally:
            del self  # else the error's traceback would hold the future that holds the error

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """What the service has raised, or None."""
        self._wait(timeout)
        _give_way(self._exception)
        if self._state == _FINISHED:
            return self._exception
        self._raise()
        return None

    def _raise(self) -> None:
        """Raise what it has come to, and `TimeoutError` if it has not. Takes no lock: an interrupt may come."""
        if self._state == _FINISHED:
            assert self._exception is not None, "its value was returned"
            try:
                raise self._exception
            finally:
                del self  # as above
        raise CancelledError if self._state in _CANCELLED else TimeoutError

    def done(self) -> bool:
        """Whether it has an ending."""
        return self._is_over()

    def running(self) -> bool:
        """Whether it is being executed."""
        return self._state == _RUNNING

    def cancelled(self) -> bool:
        """Whether it was taken back."""
        return self._state in _CANCELLED

    def cancel(self) -> bool:
        """Take the request back, at once. False: it has begun, or has ended; then nothing changes."""
        ledger = self._call.queue.ledger
        with ledger.lock:  # so that nobody sees the call ended and its future not
            if not ledger.take_back(self._call):
                return self._state in _CANCELLED
            self._state = _CANCELLED[0]
            self.set_running_or_notify_cancel()  # for `concurrent.futures.wait`
        self._invoke_callbacks()
        return True

    def _invoke_callbacks(self) -> None:
        """As Future does, but nothing that a callback raises gets out: it runs on the thread of somebody else.

        Each is taken out in one step, so that it is called once, whoever comes first: this, or who has just added it.
        """
        while self._done_callbacks:
            try:
                callback = self._done_callbacks.pop(0)
            except IndexError:
                return
            self._call_back(callback)

    def add_done_callback(self, fn: Callable[[Future[Any]], object]) -> None:
        """Call `fn` with this future when it is done, at once if it is; nothing that `fn` raises gets out."""
        self._done_callbacks.append(fn)
        if self._is_over():  # read behind that: else whoever ends it finds it there
            self._invoke_callbacks()

    def _call_back(self, callback: Callable[[Future[Any]], object]) -> None:
        try:
            callback(self)
        except Cancelled:  # a callback has called a service, and the job is cancelled
            pass
        except BaseException:  # the border to user code: others still wait to be told
            _LOGGER.exception("exception calling callback for %r", self)

    def _is_over(self) -> bool:
        return self._state in _DONE  # `done()` without its lock, for whoever holds another

    def _wait(self, timeout: float | None) -> None:
        """Wait until it is done, on a task's thread through its gate."""
        if self._is_over():
            return
        waiter, bell = here.waiter, parked_lock()

        def wake(_: Future[Any]) -> None:
            ring(bell)
            if waiter is not None:
                waiter.nudge()

        self.add_done_callback(wake)
        timeout_s = -1 if timeout is None or timeout > TIMEOUT_MAX else max(0.0, timeout)
        if waiter is not None:
            wait = _Wait(self._call, self._is_over)
            waiter.held = wait.is_held
            try:
                waiter.park(bell, wait.is_over, "waiting", timeout_s)
            finally:
                wait.forget()
        else:
            bell.acquire(True, timeout_s)


class Answer:
    """What a call by hand comes to. Rings its bell when that is there; nothing that the caller touches has a lock."""

    __slots__ = ("bell", "error", "value")

    def __init__(self) -> None:
        self.bell = parked_lock()
        self.value: Any = None
        self.error: BaseException | None = None

    def begin(self) -> None:
        """It makes no difference."""

    def close(self, value: Any, error: BaseException | None) -> None:
        """Under the lock: the call has its ending."""
        self.value, self.error = value, error

    def tell(self) -> None:
        """Behind `close`: wake who waits."""
        ring(self.bell)


# The states of a Future, by the names that it gives them.
_PENDING: Final = "PENDING"
_RUNNING: Final = "RUNNING"
_FINISHED: Final = "FINISHED"
_INTERRUPTIBLE_S: Final = 0.5  # an interrupt that comes just before a wait ends the next one; on Windows, any does
_LOGGER: Final = logging.getLogger("concurrent.futures")  # where every Future tells it
_CANCELLED: Final = ("CANCELLED", "CANCELLED_AND_NOTIFIED")
_DONE: Final = (_FINISHED, *_CANCELLED)


class ServiceManager:
    """The calls of one caller: makes the requests, and waits for their replies. Any thread may use it."""

    def __init__(self, caller: str) -> None:
        self._caller = caller
        self._numbers: dict[tuple[str, ...], itertools.count[int]] = {}  # by chain of callers

    def call(self, queue: RequestQueue, ask: Ask, timeout_s: float) -> Any:
        """Call and wait for the answer. Raises what the service raises, `ServiceTimeout`, `ServiceStopped`."""
        call = self._make(queue, ask, timeout_s)
        try:
            _enter(call)
            _wait(call, call.is_done)
        except BaseException:  # an interrupt gives the call up
            queue.ledger.abandon(call)
            raise
        if call.error is not None:
            _give_way(call.error)
            try:
                raise call.error
            finally:
                call.error = None  # else the error's traceback would hold the frame that holds the error
        return call.value

    def call_async(self, queue: RequestQueue, ask: Ask, timeout_s: float) -> Future[Any]:
        """Call, and return at once the future of the answer; wait only while the request queue is full."""
        call = self._make(queue, ask, timeout_s, waits=False)
        future = call.future = CallFuture(call)
        try:
            _enter(call)
            if call.stage == "held back":
                _wait(call, call.is_accepted)
        except BaseException:
            queue.ledger.abandon(call)
            raise
        return future

    def prepare_by_hand(self, queue: RequestQueue, ask: Ask, timeout_s: float) -> tuple[Call, Answer]:
        """The caller's part of a call by hand, with user code: a call to be entered, and what it will come to."""
        call, answer = self._make(queue, ask, timeout_s, waits=False), Answer()
        call.future = answer
        queue.prepare(call)
        return call, answer

    def _make(self, queue: RequestQueue, ask: Ask, timeout_s: float, *, waits: bool = True) -> Call:
        service, ledger = queue.service, queue.ledger
        callers = here.callers if here.job is ledger else (self._caller,)
        if service in callers:
            circle = " → ".join((*callers[callers.index(service) :], service))
            raise ServiceLoop(f"{circle}: service {service!r} would wait for itself; answer without this call")
        method, args, kwargs = ask
        numbers = self._numbers.get(callers) or self._numbers.setdefault(callers, itertools.count())
        # A NamedTuple's own constructor takes twice as long, for each call.
        request = tuple.__new__(Request, (service, method, args, kwargs, callers, next(numbers)))
        return Call(request, queue, timeout_s, waits=waits)


def enter_by_hand(call: Call) -> None:
    """The thread of commands: let a call begin that was prepared. Raises `ServiceStopped`.

    Also `ServicePaused`: who waits outside of the job could be the one to resume it.
    """
    queue = call.queue
    if queue.paused and not queue.refusing:
        raise ServicePaused(f"service {queue.service!r} is paused; resume({queue.service!r}) it first, or step it")
    _put(call)


def _enter(call: Call) -> None:
    """Put a call into its queue. Raises `ServiceStopped`, `Cancelled`, and `NotSendable` if it cannot get there."""
    call.queue.prepare(call)
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
        _give_way(refusal)
        raise
    queue.ship()
    ledger.nudge()  # also from a thread that takes turns: they may be those of another job


def _give_way(error: BaseException | None) -> None:
    """Raise `Cancelled` instead of what a cancelled task's calls end with: it is no error of its function."""
    waiter = here.waiter
    if waiter is not None and waiter.cancelled and isinstance(error, ServiceStopped):
        raise Cancelled from None


def _wait(call: Call, ready: Callable[[], bool]) -> None:
    """Wait for the bell of a call, on a task's thread through its gate."""
    waiter, bell = call.waiter, call.bell
    assert bell is not None, "only a call that is held back is waited for beside its future"
    if waiter is None:
        while not ready():
            bell.acquire(True, _INTERRUPTIBLE_S)
        return
    wait = _Wait(call, ready)
    try:
        while not ready():
            waiter.held = wait.is_held
            waiter.park(bell, wait.is_over, "waiting")
    finally:
        wait.forget()


class _Wait:
    """What a waiter knows of the call that it waits for, and, when that is over, no more than that.

    It may be asked until it waits for something else, and must not keep the request and the reply till then.
    """

    def __init__(self, call: Call, ready: Callable[[], bool]) -> None:
        self._call: Call | None = call
        self._ready: Callable[[], bool] = ready

    def is_over(self) -> bool:
        """Whether there is a reason to go on."""
        return self._ready()

    def is_held(self) -> bool:
        """Whether what is waited for stands still itself."""
        call = self._call
        return call is not None and call.is_held()

    def forget(self) -> None:
        """The wait is over."""
        self._ready, self._call = _yes, None


def _yes() -> bool:
    return True
