"""The watch over the chains of a job: one thread that looks who is stuck. It sleeps while nothing is closed.

It ends when the last task of a chain has ended, and with the last chain of a job that nobody has closed.
"""

from __future__ import annotations

import threading
import weakref
from typing import Final, Protocol

from runtime.scheduling.parker import new_permit, unpark

LOOK_S: Final = 0.002
LINGERS: Final = 100  # how many looks it goes on looking when nothing works any more


class Watched(Protocol):
    """A chain."""

    def look(self) -> bool:
        """See to it that it is opened if it is stuck. Whether it works."""

    def is_over(self) -> bool:
        """Whether it will never work again. `Watch.wake` is called after it is."""


class Watch:
    """Looks at chains again and again."""

    def __init__(self, name: str) -> None:
        self._chains: list[weakref.ref[Watched]] = []  # it keeps nobody's job
        self._permit = new_permit()
        self._is_asleep = False
        self._is_closed = False
        self._thread = threading.Thread(target=self._look, name=name, daemon=True)

    def add(self, chain: Watched) -> None:
        """Before its start: look at that one, too."""
        self._chains.append(weakref.ref(chain, self._forget))

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def _forget(self, gone: weakref.ref[Watched]) -> None:
        """A chain is no more."""
        unpark(self._permit)

    def wake(self) -> None:
        """A chain has begun to work, or is over: whoever says so has made it true before."""
        if self._is_asleep:
            self._is_asleep = False
            unpark(self._permit)

    def cancel(self) -> None:
        """Look no more. Returns at once."""
        self._is_closed = True
        unpark(self._permit)

    def close(self, timeout_s: float) -> None:
        """Look no more, and end. Idempotent."""
        self.cancel()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)

    def _look(self) -> None:
        idle = 0
        while not self._is_over():
            idle = 0 if self._is_one_at_work() else idle + 1
            if idle < LINGERS:
                self._permit.acquire(True, LOOK_S)
                continue
            self._is_asleep = True
            if not self._is_one_at_work() and not self._is_over():
                self._permit.acquire()
            self._is_asleep = False
            idle = 0

    def _is_over(self) -> bool:
        return self._is_closed or all((chain := each()) is None or chain.is_over() for each in self._chains)

    def _is_one_at_work(self) -> bool:
        return any(chain.look() for each in tuple(self._chains) if (chain := each()) is not None)
