"""Whether a person uses this process, at a kernel or a terminal, and may interrupt it. Knows nothing of the runtime."""

from __future__ import annotations

import _thread
import sys
import threading
from _thread import LockType
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from contextvars import ContextVar
from time import monotonic
from typing import Final, Protocol, TypeVar

T = TypeVar("T")
_INTERRUPTIBLE_S: Final = 0.5  # an interrupt that comes just before a wait ends the next one; on Windows, any does


class Waiter(Protocol):
    """A wait that keeps a kernel busy, and hears meanwhile what a person does in a view."""

    def acquire(self, bell: LockType) -> None:
        """Acquire it. An interrupt ends that."""

    def listen(self) -> AbstractContextManager[object]:
        """Listen as well while a coroutine waits."""


_waiters: list[Waiter] = []
_by_person: ContextVar[bool] = ContextVar("_by_person", default=False)


@contextmanager
def by_person() -> Iterator[None]:
    """What is done here is done for a person in front of a view, who sees what comes of it and can go on there."""
    token = _by_person.set(True)
    try:
        yield
    finally:
        _by_person.reset(token)


def is_by_person() -> bool:
    """Whether the caller acts for a person in front of a view."""
    return _by_person.get()


def wait_by(waiter: Waiter) -> None:
    """From now on, wait so."""
    _waiters[:] = [waiter]


def acquire(bell: LockType) -> None:
    """Acquire a lock that another thread releases. An interrupt ends that."""
    if _waiters:
        _waiters[0].acquire(bell)
    else:
        acquire_interruptibly(bell)


def acquire_interruptibly(bell: LockType) -> None:
    """The same, hearing interrupts alone."""
    while not bell.acquire(True, _INTERRUPTIBLE_S):
        pass


def acquire_within(bell: LockType, timeout_s: float | None) -> None:
    """Acquire a lock that another thread releases, or wait so many seconds for it. An interrupt ends that."""
    if timeout_s is None:
        acquire(bell)
    elif _waiters:
        timer = threading.Timer(timeout_s, _release, [bell])
        timer.start()
        try:
            _waiters[0].acquire(bell)
        finally:
            timer.cancel()
    else:
        over_s = monotonic() + timeout_s
        while (left_s := over_s - monotonic()) > 0 and not bell.acquire(True, min(left_s, _INTERRUPTIBLE_S)):
            pass


def _release(bell: LockType) -> None:
    with suppress(RuntimeError):  # it is released already
        bell.release()


def uninterrupted(work: Callable[[], T]) -> T:
    """Do something in which no interrupt may come, as it takes a lock; it must be quick. Raises what it raises.

    Python interrupts its main thread alone: there, another one does it, also if the wait for that is interrupted.
    """
    if _thread.get_ident() != threading.main_thread().ident:
        return work()
    bell = _thread.allocate_lock()
    bell.acquire()
    came_to: list[T] = []
    raised: list[BaseException] = []

    def do() -> None:
        try:
            came_to.append(work())
        except BaseException as error:  # noqa: BLE001  it is raised where it was asked for
            raised.append(error)
        bell.release()

    _thread.start_new_thread(do, ())
    acquire_interruptibly(bell)
    if raised:
        raise raised.pop()
    return came_to[0]


def listening() -> AbstractContextManager[object]:
    """For a coroutine that waits."""
    return _waiters[0].listen() if _waiters else nullcontext()


def in_kernel() -> bool:
    """Whether this is an interactive kernel, where a cell is run again and again."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return getattr(shell, "kernel", None) is not None


def tell_who_waits(text: str) -> None:
    """Write a line to whoever waits: into the cell that runs, or to a terminal. Where nobody waits, nothing."""
    stream = sys.stdout if in_kernel() else sys.stderr  # a cell shows what comes by stderr as something wrong
    if stream is not None and (in_kernel() or stream.isatty()):
        stream.write(f"{text}\n")
        stream.flush()
