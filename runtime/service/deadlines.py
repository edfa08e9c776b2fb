"""The watch over the deadlines of a job's calls: one thread, that sleeps until the earliest. Most never come.

If a future's time is over, its callbacks run on this thread. A callback that waits, perhaps for another call, waits by
`park`, and the watch goes on meanwhile, so that the other call ends in time as well.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

from runtime.communication.calls import Ledger, here
from runtime.errors import Cancelled
from runtime.facts import TaskState
from runtime.scheduling.parker import Ask, Parker, Ready, Waiter

_NEVER: Final = float("inf")


class DeadlineWatch(Waiter):
    """Ends calls whose time is over, from `start` to `close`. What user code on its thread waits by."""

    def __init__(self, ledger: Ledger, parker: Parker, name: str) -> None:
        super().__init__()
        self._ledger, self._parker = ledger, parker
        self._until_s = _NEVER  # what user code on its thread waits for at most
        self._asked = False  # written under the ledger's lock, and cleared by the watch before it looks
        self._thread = threading.Thread(target=self._watch, name=name, daemon=True)

    def start(self) -> None:
        """Watch from now on."""
        self._ledger.watched_by(self)
        self._parker.wake_by(lambda: min(self._ledger.earliest(), self._until_s))
        self._thread.start()

    def cancel(self) -> None:
        """Let the watch end. Idempotent; takes no lock, so it may be called by a finalizer."""
        self.cancelled = True
        self._parker.cancel()

    def close(self, timeout_s: float | None = None) -> bool:
        """End the watch. Idempotent. False: it still runs after `timeout_s`."""
        self.cancel()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def park(
        self, ready: Ready, why: TaskState, timeout_s: float = -1, held: Ready | None = None, ask: Ask | None = None
    ) -> None:
        """Watch on until `ready`. Raises Cancelled."""
        before, self._until_s = self._until_s, _NEVER if timeout_s < 0 else self._ledger.clock() + timeout_s
        try:
            self._watch_until(ready, self._until_s)
        finally:
            self._until_s = before

    def unpark(self) -> None:
        """What user code on this thread waits for may have come, or a deadline is sooner. Any thread."""
        self._asked = True
        self._parker.unpark()

    def _watch(self) -> None:
        here.begin(self, self._parker.monitor)
        try:
            self._parker.begin()
            self._watch_until(bool)
        except Cancelled:
            pass
        finally:
            self._parker.say("ended")

    def _watch_until(self, ready: Callable[[], bool], until_s: float = _NEVER) -> None:
        ledger = self._ledger
        while not ready() and ledger.clock() < until_s:
            self._asked = False
            for call in ledger.expire():
                call.tell()
            left_s = min(ledger.next_look_s, until_s) - ledger.clock()
            if left_s > 0 and not ready():
                self._parker.park(lambda: self._asked or ready(), "idle", -1 if left_s == _NEVER else left_s)
