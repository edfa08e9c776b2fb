"""When a task has heard the last of its producers, and how they ended. Pure counting, no threads."""

from __future__ import annotations

from typing import Final

from runtime.communication.signals import StopSignal
from runtime.facts import Ending

_SEVERITY: Final[dict[Ending, int]] = {"completed": 0, "stopped": 1, "cancelled": 2, "failed": 3}


class StopBarrier:
    """Complete when as many stop signals have arrived as there are producers."""

    def __init__(self, producers: int) -> None:
        self.producers = producers
        self.ended: list[StopSignal] = []  # in the order in which they arrived

    def arrive(self, signal: StopSignal) -> bool:
        """Count one producer's signal. True: it was the last."""
        self.ended.append(signal)
        return len(self.ended) == self.producers

    @property
    def complete(self) -> bool:
        """Whether all producers have ended."""
        return len(self.ended) == self.producers

    @property
    def ending(self) -> Ending:
        """How the producers ended, taken together: the worst of them counts."""
        return max((signal.how for signal in self.ended), key=_SEVERITY.__getitem__, default="completed")
