"""The future of a call: a `concurrent.futures.Future` that takes no lock of the job where an interrupt may come.

A call and its future end at the same moment, under the lock of the job's calls. The main thread may hold the future,
and an interrupt may come there at any bytecode: so what the holder does is a call or two into C, or is done by another
thread (`cancel`). `concurrent.futures.wait` and `as_completed` want a condition of each future, and a
list of waiters: see `Door`.
"""

from __future__ import annotations

import logging
from _thread import TIMEOUT_MAX, get_ident, start_new_thread
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from functools import partial
from typing import Any, Final

from runtime.communication.calls import AnswerFuture, Call, here
from runtime.errors import Cancelled, ServiceStopped
from runtime.python.interactive import uninterrupted
from runtime.scheduling.parker import Outsider

# The states of a Future, by the names that it gives them.
_PENDING: Final = "PENDING"
_RUNNING: Final = "RUNNING"
_FINISHED: Final = "FINISHED"
_LOGGER: Final = logging.getLogger("concurrent.futures")  # where every Future tells it
_CANCELLED: Final = ("CANCELLED", "CANCELLED_AND_NOTIFIED")
_DONE: Final = (_FINISHED, *_CANCELLED)


class CallFuture(AnswerFuture):
    """The `concurrent.futures.Future` of a call. Waiting for its result gives way to a cancel, and to other turns.

    Nobody waits on a condition for it; who waits for a result parks.
    """

    _door: Door | None = None

    def __init__(self, call: Call) -> None:
        # Instead of Future's own, which makes a condition: that would take longer than the rest of a call.
        self._call = call
        self._stage = _PENDING
        self._result = self._exception = None
        self._done_callbacks: list[Any] = []

    def is_held(self) -> bool:
        """Whether time alone will not bring its result. Any thread."""
        return self._stage != _FINISHED and self._call.is_held()

    # ── what happens to the call ──

    def begin(self) -> None:
        """Under the lock: the call is about to be executed. Who cancels takes it back first."""
        self._stage = _RUNNING

    def close(self, value: Any, error: BaseException | None) -> None:
        """Under the lock: the call has its ending."""
        self._result, self._exception = value, error
        self._stage = _FINISHED  # after the result: `result` reads the two without the lock

    def tell(self) -> None:
        """After `close`, outside the lock: tell whoever waits, and run the callbacks."""
        if self._door is not None:
            self._door.tell()
        while self._done_callbacks:
            try:
                callback = self._done_callbacks.pop(0)
            except IndexError:
                return
            self._call_back(callback)

    @property
    def has_callbacks(self) -> bool:
        """Whether somebody is to be called when it is done."""
        return bool(self._done_callbacks)

    # ── what `concurrent.futures` does ──

    @property
    def _state(self) -> str:  # type: ignore[override]  # nobody sets it
        """What it has come to; inside its condition, what it had come to then."""
        return self._stage if self._door is None else self._door.stage(self._stage)

    @property
    def _condition(self) -> Door:  # type: ignore[override]
        door: Door = self.__dict__.setdefault("_door", Door(self))  # one, whoever comes first
        return door

    @property
    def _waiters(self) -> Door:  # type: ignore[override]
        return self._condition

    # ── what its holder does ──

    def result(self, timeout: float | None = None) -> Any:
        """What the service has returned. Raises what it has raised, `ServiceTimeout`, `ServiceStopped`.

        `TimeoutError` after `timeout` seconds: the call goes on, until its own time is over.
        """
        if self._stage != _FINISHED:
            self._wait(timeout)
        if self._stage == _FINISHED and self._exception is None:
            return self._result
        give_way(self._exception)
        try:
            return self._raise()
        finally:
            del self  # else the error's traceback would hold the future that holds the error

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """What the service has raised, or None."""
        self._wait(timeout)
        give_way(self._exception)
        if self._stage == _FINISHED:
            return self._exception
        self._raise()
        return None

    def _raise(self) -> None:
        """Raise what it has come to, and `TimeoutError` if it has not. Takes no lock: an interrupt may come."""
        if self._stage == _FINISHED:
            assert self._exception is not None, "its value was returned"
            try:
                raise self._exception
            finally:
                del self  # as above
        raise CancelledError if self._stage in _CANCELLED else TimeoutError

    def done(self) -> bool:
        """Whether it has an ending."""
        return self._is_over()

    def running(self) -> bool:
        """Whether it is being executed."""
        return self._stage == _RUNNING

    def cancelled(self) -> bool:
        """Whether it was taken back."""
        return self._stage in _CANCELLED

    def cancel(self) -> bool:
        """Take the request back, at once. False: it has begun, or has ended; then nothing changes.

        Callbacks have been called when this returns; where the main thread cancels, on another one.
        """
        return uninterrupted(self._take_back) or self._stage in _CANCELLED

    def _take_back(self) -> bool:
        """On a thread that nothing interrupts: else a callback might be lost, for which somebody waits."""
        if not self._call.queue.ledger.take_back(self._call, self._say_cancelled):
            return False
        self.tell()
        return True

    def _say_cancelled(self) -> None:
        """Under the lock, with the ending of the call."""
        self._stage = _CANCELLED[1]

    def add_done_callback(self, fn: Callable[[Future[Any]], object]) -> None:
        """Call `fn` with this future when it is done, at once if it is; nothing that `fn` raises gets out.

        It is taken out in one step, so that it is called once, whoever comes first: this, or whoever has ended it.
        """
        callback = partial(fn)  # equal to itself alone
        self._done_callbacks.append(callback)
        if self._is_over():  # read after that: else whoever ends it finds it there
            try:
                self._done_callbacks.remove(callback)
            except ValueError:  # it was found
                return
            self._call_back(callback)

    def _call_back(self, callback: Callable[[Future[Any]], object]) -> None:
        try:
            callback(self)
        except Cancelled:  # a callback has called a service, and the job is cancelled
            pass
        except BaseException:  # the border to user code: others still wait to be told
            _LOGGER.exception("exception calling callback for %r", self)

    def _is_over(self) -> bool:
        return self._stage in _DONE

    def _wait(self, timeout: float | None) -> None:
        """Wait until it is done, on a task's thread through its gate."""
        if self._is_over():
            return
        waiter = here.waiter or Outsider()
        self.add_done_callback(lambda _: waiter.unpark())
        timeout_s = -1 if timeout is None or timeout > TIMEOUT_MAX else max(0.0, timeout)
        waiter.park(self._is_over, "waiting", timeout_s, held=self._call.is_held)


class Door:
    """The condition of a future, and the list of its waiters, as `concurrent.futures` uses them; with no lock.

    `wait` acquires the conditions of all its futures, looks at their states, counts, puts down a waiter at each, and
    releases them. So that none ends between the look and the waiter, a thread sees of a future, from `acquire` to
    `release`, the state that it was in then. With `release` the waiter is there, and the state is looked at again.
    Whatever an interrupt leaves behind concerns that thread alone, which looks anew when it next comes.
    """

    __slots__ = ("_future", "_inside", "_waiters")

    def __init__(self, future: CallFuture) -> None:
        self._future = future
        self._inside: dict[int, tuple[str, list[Any]]] = {}  # by thread: the state that it sees, its waiters
        self._waiters: list[Any] = []  # each is taken out in one step, so that it is told once

    # ── a condition ──

    def acquire(self) -> None:
        """Let the thread see one state."""
        self._inside[get_ident()] = self._future._stage, []

    def release(self) -> None:
        """Let it see what there is; its waiters are told of what has come since."""
        stage, waiters = self._inside.pop(get_ident(), (_FINISHED, []))
        if waiters and stage not in _DONE:
            self._waiters.extend(waiters)
            if self._future.done():
                self.tell()

    def __enter__(self) -> None:
        self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()

    # ── a list of waiters ──

    def append(self, waiter: Any) -> None:
        """Put down a waiter, inside the condition."""
        self._inside[get_ident()][1].append(waiter)

    def remove(self, waiter: Any) -> None:
        """Forget a waiter, if it has not been told."""
        with suppress(ValueError):
            self._waiters.remove(waiter)

    # ── the future ──

    def stage(self, now: str) -> str:
        """The state that the thread sees."""
        inside = self._inside.get(get_ident())
        return now if inside is None else inside[0]

    def tell(self) -> None:
        """It has ended: tell the waiters, on a thread of its own, for a waiter has locks that an interrupt may hold."""
        if self._waiters:
            start_new_thread(self._tell, ())

    def _tell(self) -> None:
        future = self._future
        while self._waiters:
            try:
                waiter = self._waiters.pop(0)
            except IndexError:
                return
            if future.cancelled():
                waiter.add_cancelled(future)
            elif future._exception is not None:
                waiter.add_exception(future)
            else:
                waiter.add_result(future)


def give_way(error: BaseException | None) -> None:
    """Raise `Cancelled` instead of what a cancelled task's calls end with: it is no error of its function."""
    waiter = here.waiter
    if waiter is not None and waiter.cancelled and isinstance(error, ServiceStopped):
        raise Cancelled from None
