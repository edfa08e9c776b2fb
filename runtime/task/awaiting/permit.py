"""LoopPermit: what the parker of a task sleeps on whose calls go on meanwhile. Knows an event loop, no task.

To who parks and who unparks it is a lock, as every other permit. To sleep on it is to run the loop. An unpark is said
first, and the sleeper says that he is about to sleep before he looks whether it was: whichever is second in the one
order of writes sees the other, and the loop's selector is woken.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

from runtime.scheduling.stopwatch import Stopwatch, Wait

T = TypeVar("T")


class RunsMeanwhile(Protocol):
    """What runs while somebody sleeps."""

    def run(self, permit: LoopPermit, timeout_s: float) -> None:
        """Run until the permit is given, something is new, or `timeout_s` (below zero: ever) have passed."""

    def wake(self) -> None:
        """Any thread: end the sleep of its selector."""


class LoopPermit:
    """One permit, taken until somebody unparks; one unpark is remembered, as is one that comes before the loop is."""

    __slots__ = ("_asleep", "_is_open", "_loop", "_stopwatch", "_why", "given")

    def __init__(self, loop: RunsMeanwhile | None = None) -> None:
        self.given = False
        self._stopwatch: Stopwatch | None = None  # of who parks on it
        self._is_open: Callable[[], bool] = bool  # whether he waits for calls of his, too
        self._why: Wait | None = None  # what else he waits for
        self._asleep = False  # whether the selector waits, or is about to; by the sleeper, or who wakes it
        self._loop = loop

    def run_by(self, loop: RunsMeanwhile | None) -> None:
        """To sleep is to run this loop, from now on."""
        self._loop = loop

    def time_by(self, stopwatch: Stopwatch, is_open: Callable[[], bool]) -> None:
        """Only the sleep of its selector is a wait; while something `is_open`, for that."""
        self._stopwatch, self._is_open = stopwatch, is_open

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """Run the loop until somebody unparks, or it is time to look again. Who is back looks, whatever has come."""
        if blocking and not self.given:
            assert self._loop is not None, "nothing is waited for before it is open"
            self._why = None if self._stopwatch is None else self._stopwatch.work()
            self._loop.run(self, timeout)
            if self._stopwatch is not None and self._why is not None:
                self._stopwatch.wait(self._why)
        given, self.given = self.given, False
        return given

    def sleep(self, select: Callable[[float], T], timeout_s: float) -> T:
        """The sleeper: what is selected within `timeout_s`, or until somebody unparks."""
        why: Wait = "waiting" if self._is_open() else self._why or "running"
        if self._stopwatch is not None:
            self._stopwatch.wait(why)
        self._asleep = True
        try:
            return select(0 if self.given else timeout_s)
        finally:
            self._asleep = False
            if self._stopwatch is not None:
                self._stopwatch.go_on(why)

    def release(self) -> None:
        """Any thread: unpark."""
        self.given = True
        if self._asleep:
            self._asleep = False
            if self._loop is not None:
                self._loop.wake()
