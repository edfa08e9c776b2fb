"""VirtualLoop: the event loop of a task under a seed, in virtual time, one callback for each turn.

What waits for something outside of the session, a descriptor or a job of an executor, is waited for with the turn in
hand, in real time: virtual time stands still meanwhile, and the run will not repeat, which is told once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from heapq import heappop
from math import inf
from typing import TYPE_CHECKING, TypeVar, TypeVarTuple, Unpack

from runtime.scheduling.parker import Waiter
from runtime.task.awaiting.blocking import Listener
from runtime.task.awaiting.loop import TaskLoop
from runtime.task.awaiting.permit import LoopPermit

if TYPE_CHECKING:
    from concurrent.futures import Executor
    from contextvars import Context

Args = TypeVarTuple("Args")
T = TypeVar("T")


class VirtualLoop(TaskLoop):
    """A loop of which one callback is run at a time, and whose time is the session's."""

    def __init__(self, waiter: Waiter, listener: Listener) -> None:
        self._waiter = waiter
        self._ahead_s = 0.0  # of the session, at the end, which gives its time to nobody
        super().__init__(listener)

    def time(self) -> float:
        """Virtual seconds."""
        return self._waiter.clock() + self._ahead_s

    def call_soon_threadsafe(
        self, callback: Callable[[Unpack[Args]], object], *args: *Args, context: Context | None = None
    ) -> asyncio.Handle:
        """Another thread has brought something."""
        handle = super().call_soon_threadsafe(callback, *args, context=context)
        self._waiter.unpark()
        return handle

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[Unpack[Args]], T], *args: *Args
    ) -> asyncio.Future[T]:
        """Something outside."""
        self._listener.tell_of_outside()
        return super().run_in_executor(executor, func, *args)

    def _turn(self) -> None:
        """What takes real time is not looked at: it would not be the same in each run."""
        self._run_once()

    def begun_since(self, began_s: float) -> None:
        """As well."""

    def _is_asleep(self) -> bool:
        """Whoever has a turn is not; that nobody has one is looked at as well."""
        return True

    # ── for who hands out turns ──

    def can_go_on(self) -> bool:
        """Whether a callback can be run, or something outside has to be waited for. Any thread."""
        return bool(self._ready) or self._waits_outside()

    def due_s(self) -> float | None:
        """When the next timer is due."""
        return min((handle.when() for handle in self._scheduled if not handle.cancelled()), default=None)

    def _waits_outside(self) -> bool:
        return self._jobs > 0 or self._sleeper.has_any()

    def go_on(self) -> None:
        """Run one callback, or wait for what is outside, if there is nothing else."""
        self._take_due()
        ready = self._ready
        if not ready and self._waits_outside():
            self._listener.tell_of_outside()
            self._look_outside()
        if not ready:
            return
        later = [ready.pop() for _ in range(len(ready) - 1)]
        self.poll()
        ready.extendleft(later)

    def _take_due(self) -> None:
        scheduled, now_s = self._scheduled, self.time()
        while scheduled and (scheduled[0].cancelled() or scheduled[0].when() <= now_s):
            handle = heappop(scheduled)
            if not handle.cancelled():
                self._ready.append(handle)

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """It is passed over when its time has come, which is soon."""

    def _look_outside(self) -> None:
        """Sleep until a descriptor has something, or somebody wakes the selector. What has come, is ready then."""
        self._sleeper.sleep_by(LoopPermit(self), inf)
        try:
            self._process_events(self._sleeper.select(None))
        finally:
            self._sleeper.sleep_by(None)

    def run_until(self, is_over: Callable[[], bool]) -> None:
        """Run until it is over, in one turn, whatever anybody wants of this thread; its time runs ahead."""
        while not is_over():
            self._take_due()
            if self._ready:
                self.poll()
            elif (due_s := self.due_s()) is not None:
                self._ahead_s += max(0.0, due_s - self.time())
            else:
                self._look_outside()
