"""ActorPoller: polls all actors of a job at once, and waits until a condition holds. Knows wrappers, no tasks.

One look costs as long as one actor takes to answer. What is between two processes at one look is there at the next, so
what is waited for is to be seen twice.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from math import inf
from time import monotonic
from typing import Final

from runtime.driver.actor_wrapper import ActorWrapper
from runtime.scheduling.quiescence import Listener, QuiescenceMonitor, WaitableMonitor

INTERRUPTIBLE_S: Final = 0.5
"""How long one waits at most before an interrupt is heard."""


class JobMonitor(WaitableMonitor):
    """One that counts what it is told, so that what is looked at need not be looked at under its lock."""

    def __init__(self) -> None:
        super().__init__()
        self.changes = 0

    def tell(self) -> None:
        """Something has changed, whether somebody watches or not."""
        with self._changed:
            self.changes += 1
            self._changed.notify_all()
        if self.watched:
            QuiescenceMonitor.tell(self)

    def tell_of_rest(self) -> None:
        """Tasks do not help: to look at other processes takes longer than one may be kept."""
        self.tell()

    def wake(self) -> None:
        """Let the thread of commands look, whether it watches or not."""
        if self._listener is not None:
            self._listener.changed()

    def wait_for_change(self, since: int, timeout_s: float | None) -> None:
        """Wait until something has changed since there were `since` changes, or for `timeout_s`."""
        with self._changed:
            self._changed.wait_for(lambda: self.changes != since, timeout_s)


def _nothing() -> None:
    """Whatever else there is, it is the same."""


class ActorPoller:
    """Looks at the actors of one job. Any thread may use it.

    It is also what tells the thread of commands of changes: all processes have to tell, not only tasks of the driver.
    """

    def __init__(self, monitor: JobMonitor, wrappers: Mapping[str, ActorWrapper]) -> None:
        self._monitor, self._wrappers = monitor, wrappers
        self._round = threading.local()  # whether this thread is looking at all of them at once
        self._watchers = threading.Lock()  # guards both below
        self._watching = 0  # how many watch
        self._wishes = 0  # of actors to say when something changes, or no more: the one with the highest number counts

    def is_looking(self) -> bool:
        """Whether the caller is within a look."""
        return getattr(self._round, "now", False)

    @contextmanager
    def look_at(self, wrappers: Iterable[ActorWrapper]) -> Iterator[None]:
        """Look at all of them at once; within the block what they say is what was seen then."""
        asked = [(far, far.begin_look()) for far in wrappers]
        for far, look in asked:
            far.end_look(look)
        before, self._round.now = self.is_looking(), True
        try:
            yield
        finally:
            self._round.now = before

    def wait(
        self,
        ready: Callable[[], bool],
        timeout_s: float | None,
        same: Callable[[], object] = _nothing,
    ) -> bool:
        """Wait until `ready`, asked with a look at all actors whenever one says that something has changed.

        It has to be so at two looks, one after the other, with the same value of `same` at both.
        """
        deadline = inf if timeout_s is None else monotonic() + timeout_s
        if self.sees(ready, same):
            return True
        with self.watched():
            while True:
                changes = self._monitor.changes
                if self.sees(ready, same):
                    return True
                if (left_s := deadline - monotonic()) <= 0:
                    return False
                self._monitor.wait_for_change(changes, left_s if left_s < inf else None)

    def sees(self, ready: Callable[[], bool], same: Callable[[], object] = _nothing) -> bool:
        """Whether `ready`, at two looks at all actors, one after the other, with the same value of `same` at both."""
        with self.look_at(self._wrappers.values()):
            if not ready():
                return False
            value = same()
        with self.look_at(self._wrappers.values()):
            return ready() and same() == value

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Let actors, and tasks of the driver, say when something changes."""
        self.begin()
        try:
            yield
        finally:
            self.end()

    # ── telling the thread of commands ──

    def tell_to(self, listener: Listener) -> None:
        """Let that one hear of changes."""
        self._monitor.tell_to(listener)

    def heard(self) -> None:
        """What has changed so far is about to be looked at."""
        self._monitor.heard()

    hands_out_turns = False
    turns = None

    def hold(self) -> None:
        """No turns are handed out here."""

    def release(self) -> None:
        """Nor held."""

    def begin(self) -> None:
        """Let actors, and tasks of the driver, say when something changes."""
        self._let_watch(+1)
        self._monitor.begin()

    def end(self) -> None:
        """Let them be silent, if nobody else watches."""
        self._monitor.end()
        self._let_watch(-1)

    def _let_watch(self, more: int) -> None:
        """One more watches, or one less: ask actors for what is wanted now, and wait until they do it.

        Also if others watch already: they may not have been answered yet.
        """
        with self._watchers:
            self._watching += more
            self._wishes += 1
            wanted, wish = self._watching > 0, self._wishes
        asked = [(far, far.begin_watch(wanted, wish)) for far in self._wrappers.values()]
        for far, each in asked:
            far.end_watch(each)
