"""ActorPoller: polls all processes of a job at once, and waits until a condition holds. Knows wrappers, no tasks.

One look costs as long as one process takes to answer. What is between two processes at one look is there at the next,
so what is waited for is to be seen twice.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import wait
from contextlib import contextmanager
from contextvars import ContextVar
from math import inf
from time import monotonic
from typing import TYPE_CHECKING, Final

from runtime.scheduling.quiescence import QuiescenceMonitor, WaitableMonitor

if TYPE_CHECKING:
    from runtime.driver.actor_wrapper import ActorWrapper

INTERRUPTIBLE_S: Final = 0.5
"""How long one waits at most before an interrupt is heard."""


def _nothing() -> None:
    """Whatever else there is, it is the same."""


class ActorPoller(WaitableMonitor):
    """Looks at the processes of one job. Any thread may use it.

    It is also the monitor of the driver's own tasks, and of the thread of commands: while somebody watches, all
    processes tell of changes. It counts what it is told, so that nobody has to look under its lock.
    """

    tasks_help = False  # to look at other processes takes longer than one may be kept

    def __init__(self, wrappers: Mapping[str, ActorWrapper]) -> None:
        super().__init__()
        self.changes = 0  # guarded by `_changed`
        self._wrappers = wrappers
        self._watchers = threading.Lock()  # guards both below
        self._watching = 0  # how many watch
        self._wishes = 0  # how often processes were asked to tell of changes, or not to: the last time counts

    # ── as a monitor ──

    def tell(self) -> None:
        """Something has changed, whether somebody watches or not."""
        with self._changed:
            self.changes += 1
            self._changed.notify_all()
        if self.watched:
            QuiescenceMonitor.tell(self)

    def wake(self) -> None:
        """Let the thread of commands look, whether it watches or not."""
        if self._helm is not None:
            self._helm.tell()

    def begin(self) -> None:
        """Let processes, and tasks of the driver, say when something changes."""
        self._let_watch(+1)
        super().begin()

    def end(self) -> None:
        """Let them be silent, if nobody else watches."""
        super().end()
        self._let_watch(-1)

    def _let_watch(self, more: int) -> None:
        """One more watches, or one less: ask processes for what is wanted now, and wait until they do it.

        Also if others watch already: they may not have been answered yet.
        """
        with self._watchers:
            self._watching += more
            self._wishes += 1
            wanted, wish = self._watching > 0, self._wishes
        asked = [wrapper.begin_watch(wanted, wish) for wrapper in self._wrappers.values()]
        wait([each for each in asked if each is not None])  # of one that fails, the listener hears

    # ── looking ──

    def is_looking(self) -> bool:
        """Whether the caller is within a look."""
        return _looking.get() is self

    @contextmanager
    def look_at(self, wrappers: Iterable[ActorWrapper]) -> Iterator[None]:
        """Look at all of them at once; within the block what they say is what was seen then."""
        asked = [(wrapper, wrapper.begin_look()) for wrapper in wrappers]
        for wrapper, look in asked:
            wrapper.end_look(look)
        before = _looking.set(self)
        try:
            yield
        finally:
            _looking.reset(before)

    def wait(self, ready: Callable[[], bool], timeout_s: float | None, same: Callable[[], object] = _nothing) -> bool:
        """Wait until `ready`, asked with a look at all processes whenever one says that something has changed.

        It has to be so at two looks, one after the other, with the same value of `same` at both.
        """
        deadline = inf if timeout_s is None else monotonic() + timeout_s
        if self.sees(ready, same):
            return True
        self.begin()
        try:
            while True:
                changes = self.changes
                if self.sees(ready, same):
                    return True
                if (left_s := deadline - monotonic()) <= 0:
                    return False
                with self._changed:
                    self._changed.wait_for(lambda: self.changes != changes, left_s if left_s < inf else None)  # noqa: B023
        finally:
            self.end()

    def sees(self, ready: Callable[[], bool], same: Callable[[], object] = _nothing) -> bool:
        """Whether `ready`, at two looks at all processes, one after the other, with the same value of `same`."""
        with self.look_at(self._wrappers.values()):
            if not ready():
                return False
            value = same()
        with self.look_at(self._wrappers.values()):
            return ready() and same() == value


_looking: ContextVar[ActorPoller | None] = ContextVar("_looking", default=None)
"""Whose look at all processes the caller is within."""
