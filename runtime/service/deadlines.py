"""The watch over the deadlines of a job's calls: one thread, that sleeps until the earliest. Most never come.

The callbacks of a future whose time is over run on it. One that waits, for another call perhaps, does so by `park`, and
the watch goes on meanwhile: that call, too, must have an ending.
"""

from __future__ import annotations

import threading
from _thread import LockType
from collections.abc import Callable
from typing import Final, Protocol

from runtime.communication.calls import CallWaiter, Ledger, here
from runtime.communication.lane import parked_lock, ring
from runtime.errors import Cancelled
from runtime.facts import TaskState

_NEVER: Final = float("inf")


class Sleeper(CallWaiter, Protocol):
    """How the watch sleeps. A gate is one; under a seed it sleeps in virtual time."""

    @property
    def changes(self) -> object:
        """What tells of changes in its job."""

    def begin(self) -> None:
        """Wait for the first turn."""

    def say(self, doing: TaskState) -> None:
        """Tell what it is doing now."""

    def cancel(self) -> None:
        """Wake it for good."""

    def wake_by(self, earliest: Callable[[], float]) -> None:
        """Where time is virtual, ask `earliest`, under the ledger's lock, before any passes for this sleeper."""


class DeadlineWatch:
    """Ends calls whose time is over, from `start` to `close`. What user code on its thread waits through."""

    cancelled = unneeded = look_up = False
    patience_s = -1.0

    def __init__(self, ledger: Ledger, sleeper: Sleeper, name: str) -> None:
        self.held: Callable[[], bool] = bool
        self._ledger, self._sleeper = ledger, sleeper
        self._bell = parked_lock()
        self._until_s = _NEVER  # what user code on its thread waits for at most
        self._asked = False  # written under the ledger's lock, and cleared by the watch before it looks
        self._thread = threading.Thread(target=self._watch, name=name, daemon=True)

    def start(self) -> None:
        """Watch from now on."""
        self._ledger.look_sooner = self._look_sooner
        self._sleeper.wake_by(lambda: min(self._ledger.earliest(), self._until_s))
        self._thread.start()

    def cancel(self) -> None:
        """Let the watch end. Idempotent; takes no lock, so it may be called by a finalizer."""
        self.cancelled = True
        self._sleeper.cancel()

    def close(self, timeout_s: float | None = None) -> bool:
        """End the watch. Idempotent. False: it still runs after `timeout_s`."""
        self.cancel()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def park(self, lock: LockType, ready: Callable[[], bool], why: TaskState, timeout_s: float = -1) -> None:
        """Watch on until `ready`: whoever rings `lock` nudges as well. Raises Cancelled."""
        before, self._until_s = self._until_s, _NEVER if timeout_s < 0 else self._ledger.clock() + timeout_s
        try:
            self._watch_until(ready, self._until_s)
        finally:
            self._until_s = before

    def is_at_work(self) -> bool:
        """It fills no lane."""
        return False

    def nudge(self) -> None:
        """What user code on this thread waits for may have come. Any thread."""
        self._look_sooner()
        self._sleeper.nudge()

    def _look_sooner(self) -> None:
        self._asked = True
        ring(self._bell)

    def _watch(self) -> None:
        here.waiter, here.changes = self, self._sleeper.changes
        try:
            self._sleeper.begin()
            self._watch_until(_never)
        except Cancelled:
            pass
        finally:
            self._sleeper.say("ended")

    def _watch_until(self, ready: Callable[[], bool], until_s: float = _NEVER) -> None:
        def is_asked() -> bool:
            return self._asked or ready()

        ledger = self._ledger
        while not ready() and ledger.clock() < until_s:
            self._asked = False
            for call in ledger.expire():
                call.tell()
            left_s = min(ledger.next_look_s, until_s) - ledger.clock()
            if left_s > 0 and not ready():
                timeout_s = -1 if left_s == _NEVER else min(left_s, threading.TIMEOUT_MAX)
                self._sleeper.park(self._bell, is_asked, "idle", timeout_s)


def _never() -> bool:
    return False
