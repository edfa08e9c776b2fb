"""The watch over the deadlines of a job's calls: one thread, that sleeps until the earliest. Most never come."""

from __future__ import annotations

import threading
from typing import Final, Protocol

from runtime.communication.calls import CallWaiter, Ledger
from runtime.communication.lane import parked_lock, ring
from runtime.errors import Cancelled
from runtime.facts import TaskState

_NEVER: Final = float("inf")


class Sleeper(CallWaiter, Protocol):
    """How the watch sleeps. A gate is one; under a seed it sleeps in virtual time."""

    def begin(self) -> None:
        """Wait for the first turn."""

    def say(self, doing: TaskState) -> None:
        """Tell what it is doing now."""

    def cancel(self) -> None:
        """Wake it for good."""


class DeadlineWatch:
    """Ends calls whose time is over, from `start` to `close`."""

    def __init__(self, ledger: Ledger, sleeper: Sleeper, name: str) -> None:
        self._ledger, self._sleeper = ledger, sleeper
        self._bell = parked_lock()
        self._asked = False  # written under the ledger's lock, and cleared by the watch before it looks
        self._thread = threading.Thread(target=self._watch, name=name, daemon=True)

    def start(self) -> None:
        """Watch from now on."""
        self._ledger.look_sooner = self._look_sooner
        self._thread.start()

    def close(self, timeout_s: float | None = None) -> bool:
        """End the watch. Idempotent. False: it still runs after `timeout_s`."""
        self._sleeper.cancel()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _look_sooner(self) -> None:
        self._asked = True
        ring(self._bell)

    def _is_asked(self) -> bool:
        return self._asked

    def _watch(self) -> None:
        try:
            self._sleeper.begin()
            while True:
                self._asked = False
                for call in self._ledger.expire():
                    call.tell()
                left_s = self._ledger.next_look_s - self._ledger.clock()
                if left_s > 0:
                    timeout_s = -1 if left_s == _NEVER else min(left_s, threading.TIMEOUT_MAX)
                    self._sleeper.park(self._bell, self._is_asked, "idle", timeout_s)
        except Cancelled:
            pass
        finally:
            self._sleeper.say("ended")
