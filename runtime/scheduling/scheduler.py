"""A scheduler: when the threads of one job may run, and in which time. This one lets them, in real time."""

from __future__ import annotations

import sys
import threading
from collections.abc import Sequence
from time import perf_counter

from runtime.scheduling.parker import Parker
from runtime.scheduling.quiescence import QuiescenceMonitor


class Scheduler:
    """Lets all threads run as the system does. Others hand out turns, or so many places to run.

    `lock` guards the open calls of the job: whoever hands out turns has it while he looks who is able to move.
    """

    admits_all = True
    """Whether all may run at once."""
    hands_out_turns = False
    trace: Sequence[str] = ()
    """Who has had the turns, and what for."""

    def __init__(self, monitor: QuiescenceMonitor | None = None) -> None:
        self.monitor = QuiescenceMonitor() if monitor is None else monitor
        self.lock = threading.RLock()

    def parker(self, name: str, *, serves: bool = False) -> Parker:
        """For another thread; one that only `serves` the others may outlive the job."""
        if sys.platform == "emscripten":
            from runtime.scheduling.unpreempted import GivingParker  # noqa: PLC0415

            return GivingParker(self.monitor)
        return Parker(self.monitor)

    def clock(self) -> float:
        """Seconds since some moment, of the time that the job counts in."""
        return perf_counter()

    def begin(self) -> None:
        """All threads have been started: let them run."""

    def nudge(self) -> None:
        """Any thread: something has changed that some thread may wait for, and nobody unparked it."""

    def are_dormant(self) -> bool:
        """Whether nobody runs because of a turn, beside those whose parkers stand still."""
        return True

    def free(self) -> Parker | None:
        """Let all run to their end, whoever keeps them from it; whose turn it was, who may be stuck in user code."""
        return None

    def close(self, timeout_s: float) -> None:
        """End what it has begun itself. Idempotent."""
