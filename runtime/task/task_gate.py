"""TaskGate: the gate of one task, and what is to be seen of the packets that pass it. Knows no operator."""

from __future__ import annotations

from collections.abc import Callable

from runtime.scheduling.gate import Gate, Turn
from runtime.scheduling.parker import Parker
from runtime.task.step_record import StepRecord, Tap, TurnMemory


class TaskGate(Gate):
    """A gate at which packets can be seen one by one, and stopped at.

    `record` is what is to be seen of the packet in work: while somebody steps or taps, and never at full speed.
    """

    __slots__ = ("_breaks", "_parker", "_remembers", "_taps", "record")

    def __init__(self, parker: Parker) -> None:
        super().__init__()
        self.hold((parker,))
        self._parker = parker
        self._taps: tuple[Tap, ...] = ()
        self._breaks: Callable[[], bool] | None = None  # whether the task is to stand still before its next packet
        self._remembers: Callable[[], TurnMemory | None] = _nobody
        self.record: StepRecord | None = None

    def _stops(self) -> bool:
        breaks = self._breaks
        return breaks is not None and breaks()

    def _let_in(self, turn: Turn | None) -> None:
        if turn is not None or self._taps:
            self.record = StepRecord(None if turn is None else self._remembers())

    def remember_by(self, remembers: Callable[[], TurnMemory | None]) -> None:
        """Let `remembers` make what remembers each turn of the hand from now on, before it begins."""
        self._remembers = remembers

    def hand_over(self) -> tuple[StepRecord | None, Turn | None]:
        """Task: what is to be seen of a packet that stays in work while others begin, and its turn. See `take_over`."""
        record, self.record = self.record, None
        return record, self._parker.hand_over()

    def take_over(self, record: StepRecord, turn: Turn | None) -> None:
        """Task: this is the packet that is in work now; `show` is for that."""
        self.record = record
        self._parker.take_over(turn)

    def show(self) -> None:
        """Task: what `record` saw is over, or the task itself."""
        record, self.record = self.record, None
        if record is not None:
            if record.memory is not None:
                record.memory.close(record)
            if record.has_something():
                for tap in self._taps:
                    tap(record)
            self.passed(self._parker, record)

    def set_taps(self, taps: tuple[Tap, ...]) -> None:
        """Show every packet from the next on to these."""
        with self._lock:
            self._taps = taps
            self._attend()
            self._parker.interrupt()

    def set_breaks(self, breaks: Callable[[], bool] | None) -> None:
        """Before each packet from the next on, ask whether to stand still."""
        with self._lock:
            self._breaks = breaks
            self._attend()
            self._parker.interrupt()

    def _attend(self) -> None:
        self.attentive = self.closed or bool(self._taps) or self._breaks is not None or bool(self._errands)


def _nobody() -> None:
    """Nobody remembers."""
