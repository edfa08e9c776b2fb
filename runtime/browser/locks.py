"""Lock: as `_thread.lock`, for stacks that wait by a promise each.

*It is handed over, first in, first out.* Whoever releases it while others wait gives it to the one who came first, who
holds it from that moment on, before it runs. Were it set free instead, the one who runs would take it again before any
other has run at all, as nobody is preempted: a loop of `with lock:` would keep all others out for ever.

*A `with lock:` gives way* if its stack has run for 20 ms and holds no other lock. A loop that only looks whether
something has come, under a lock, would else never see it come.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import Any, Final

from runtime.browser.stacks import RUNNING, new_wait, park, ring

ROUNDS: Final = 8  # of so many `with lock:` one looks at the clock

_enter, _leave = RUNNING.enter, RUNNING.leave


class Lock:
    """A lock, which one stack holds. It is written by the one that runs, which nobody interrupts."""

    __slots__ = ("__weakref__", "_is_taken", "_rounds", "_waiting")

    def __init__(self) -> None:
        self._is_taken = False
        self._rounds = 0
        self._waiting: deque[int] | None = None  # who was here first is first

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """Take it; wait for it, for `timeout` seconds at most, unless `blocking` is False. False: it was not to be had.

        Raises NotInBrowser where it would have to wait, and its stack cannot be put away.
        """
        if not blocking and timeout != -1:
            raise ValueError("can't specify a timeout for a non-blocking call")
        if timeout < 0 and timeout != -1:
            raise ValueError("timeout value must be a non-negative number")
        if timeout > threading.TIMEOUT_MAX:
            raise OverflowError("timeout value is too large")
        if not self._is_taken:
            self._is_taken = True
            return True
        if not blocking:
            return False
        if timeout == 0:
            RUNNING.give_way()
            return False
        return self._wait(timeout)

    def _wait(self, timeout_s: float) -> bool:
        me = new_wait()  # whoever runs by that may set it free, and rings nobody who has not said yet that he waits
        if not self._is_taken:
            self._is_taken = True
            return True
        if self._waiting is None:
            self._waiting = deque()
        self._waiting.append(me)
        try:
            if park(me, timeout_s):
                return True
        except BaseException:
            if not self._withdraw(me):
                self.release()
            raise
        self._withdraw(me)  # or who released it came across this one when its time was over
        return False

    def _withdraw(self, me: int) -> bool:
        """Wait no more. False: it was handed over meanwhile."""
        assert self._waiting is not None, "somebody waits"
        if me not in self._waiting:
            return False
        self._waiting.remove(me)
        return True

    def release(self) -> None:
        """Hand it over to who has waited longest; set it free if nobody waits. Raises RuntimeError if it is free."""
        if not self._is_taken:
            raise RuntimeError("release unlocked lock")
        waiting = self._waiting
        while waiting:
            if ring(waiting.popleft()):
                return
        self._is_taken = False

    def locked(self) -> bool:
        """Whether somebody holds it."""
        return self._is_taken

    def __enter__(self) -> bool:
        self._rounds += 1
        if not self._rounds % ROUNDS:
            RUNNING.give_way()
        taken = self.acquire()
        _enter()
        return taken

    def __exit__(self, *_: object) -> None:
        _leave()
        self.release()

    def __reduce__(self) -> Any:
        raise TypeError("cannot pickle '_thread.lock' object")

    def __repr__(self) -> str:
        return f"<{'locked' if self._is_taken else 'unlocked'} {type(self).__qualname__} object at {id(self):#x}>"

    def _at_fork_reinit(self) -> None:
        self._is_taken, self._waiting = False, None

    acquire_lock, release_lock, locked_lock = acquire, release, locked


class RLock(threading._PyRLock):  # type: ignore[name-defined, misc]
    """As Python's own one written in Python, which waits by a lock of `threading`'s, and gives way as that does."""

    def __enter__(self) -> bool:
        RUNNING.give_way()
        taken: bool = self.acquire()
        _enter()
        return taken

    def __exit__(self, *_: object) -> None:
        _leave()
        self.release()
