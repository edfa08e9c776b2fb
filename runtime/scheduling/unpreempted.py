"""Where nobody is preempted, as in a tab of a browser: who works for long lets the others go on by himself.

Between two batches and two attempts, by `GivingParker`, and in the loop of a chain, by `new_look`. It is imported there
alone.
"""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING, Final

from runtime.browser.stacks import RUNNING, SLICE_S, breathe
from runtime.scheduling.parker import Parker, Ready

if TYPE_CHECKING:
    from runtime.facts import TaskState
    from runtime.scheduling.gate import Gate

MOST: Final = 64  # packets, after which the loop of a chain looks at the clock


class GivingParker(Parker):
    """Lets others go on before it passes its gate, if its thread has run for long; behind it, if it has stood there."""

    __slots__ = ()

    def enter(self, gate: Gate, want: int) -> int:
        """How many packets may be worked now; waits while `gate` is closed. Raises Cancelled."""
        RUNNING.give_way(SLICE_S)
        passes = self.passes
        admitted = super().enter(gate, want)
        if passes != self.passes:  # whoever was called with it comes through, too, before its packet closes their gates
            breathe()
        return admitted

    def sleep(self, seconds: float, ends: Ready | None = None, why: TaskState = "backing off") -> None:
        """Wait for `seconds`, which may be none: who tries again and again without a back-off waits nowhere else."""
        RUNNING.give_way(SLICE_S)
        super().sleep(seconds, ends, why)


def new_look() -> Callable[[], int]:
    """What a loop calls again and again, each time after as many packets as it says, to let others go on."""
    most, looked_s = 1, monotonic()

    def look() -> int:
        nonlocal most, looked_s
        now_s = monotonic()
        most = min(MOST, most * 2) if now_s - looked_s < SLICE_S / 4 else 1
        RUNNING.give_way(SLICE_S)
        looked_s = monotonic()
        return most

    return look
