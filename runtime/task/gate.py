"""The gate: what holds a task between two packets. All that a task waits for goes through it.

So it is the one place that cancel has to wake, and the one that a scheduler of turns has to replace. The protocol of
*cancel*: the task says on which lock it parks, then reads `cancelled`; `cancel` sets `cancelled`, then reads the lock
and rings it. Whichever is second sees the other.

`look_up` asks the task to look up from its batch. Whoever sets it has made what he wants to be seen visible before; the
task clears it before it looks. Nothing is lost, and between two packets a task reads one flag only.
"""

from __future__ import annotations

import threading
from _thread import LockType
from collections.abc import Callable, Iterable
from time import monotonic
from typing import Final

from runtime.communication.lane import parked_lock, ring
from runtime.errors import Cancelled
from runtime.facts import TaskState


class Watch:
    """Lets somebody wait until every task of a job stands still. Costs a task one read per wait, nothing per packet."""

    def __init__(self) -> None:
        self.watched = 0  # how many look; read by tasks after they have said what they are doing
        self._changed = threading.Condition(threading.Lock())  # guards watched and the wake-up of those who look

    def tell(self) -> None:
        """Task: something has changed, and somebody is watching."""
        with self._changed:
            self._changed.notify_all()

    def wait_still(self, gates: Iterable[Gate], timeout_s: float | None) -> bool:
        """Wait until all `gates` stand still at one moment. False: not within `timeout_s`."""
        gates = list(gates)
        with self._changed:
            self.watched += 1
            try:
                return self._changed.wait_for(lambda: _still(gates), timeout_s)
            finally:
                self.watched -= 1


def _still(gates: list[Gate]) -> bool:
    """Whether all stood still at one moment: seen so twice, and no wait was over in between.

    Once would not do: the last one looked at may have woken the first before it went to wait itself.
    """
    before = [gate.passes for gate in gates]
    return (
        all(gate.stands_still() for gate in gates)
        and all(gate.stands_still() for gate in gates)
        and before == [gate.passes for gate in gates]
    )


class Gate:
    """One task's gate. `doing` is written by the task; `cancelled` is set once and never cleared."""

    __slots__ = ("_parked_on", "_ready", "_watch", "before_wait", "cancelled", "doing", "look_up", "passes")

    def __init__(self, watch: Watch) -> None:
        self.cancelled = self.look_up = False
        self.doing: TaskState = "new"
        self.passes = 0  # how many waits are over; tells two waits with the same name apart
        self.before_wait: Callable[[], None] = _nothing  # the task's: makes its depths exact before it waits
        self._watch = watch
        self._parked_on: LockType | None = None
        self._ready: Callable[[], bool] = _never

    def enter(self, want: int) -> int:
        """Task: how many packets may be worked now. Raises Cancelled."""
        if self.cancelled:
            raise Cancelled
        return want

    def park(self, lock: LockType, ready: Callable[[], bool], why: TaskState, timeout_s: float = -1) -> None:
        """Task: wait until somebody rings `lock`, or for `timeout_s` (-1: without limit). Raises Cancelled."""
        before = self.doing
        self.before_wait()
        self._ready = ready
        self._parked_on = lock  # said before `cancelled` is read; cancel() does the two the other way round
        self.say(why)
        if not self.cancelled:
            lock.acquire(True, timeout_s)
        self.passes += 1
        self._parked_on = None
        self.doing = before
        if self.cancelled:
            raise Cancelled

    def begin(self) -> None:
        """Task: on its thread, before anything else."""

    def nudge(self) -> None:
        """Any thread: something has changed that this task may wait for, and no lane or bell of its job told."""

    def wake_by(self, earliest: Callable[[], float]) -> None:
        """Where time is virtual: what this one waits for may have become later than it knows. Real time just passes."""

    def sleep(self, seconds: float, bell: LockType | None = None) -> None:
        """Task: wait for `seconds`; time alone ends it, or cancel, or who rings `bell`. Raises Cancelled."""
        self.park(
            parked_lock() if bell is None else bell, _never, "backing off", max(0.0, seconds)
        )  # below zero would be: without limit

    def clock(self) -> float:
        """Seconds since some moment, of the time that `sleep` counts in."""
        return monotonic()

    def say(self, doing: TaskState) -> None:
        """Task: tell what it is doing now."""
        self.doing = doing
        if self._watch.watched:
            self._watch.tell()

    def stands_still(self) -> bool:
        """Whether the task has ended, or waits for something that has not come yet."""
        return self.doing == "ended" or (self.doing in _WAITING and not self.cancelled and not self._ready())

    def cancel(self) -> None:
        """Wake the task wherever it waits; it ends behind the packet in work at the latest.

        Any thread, any number of times.
        """
        self.cancelled = True
        self.look_up = True
        lock = self._parked_on
        if lock is not None:
            ring(lock)


_WAITING: Final = ("idle", "held back")


def _nothing() -> None:
    """A task without lanes has nothing to make exact."""


def _never() -> bool:
    return False
