"""What the signals of a task's lanes come to together. Pure counting, no threads; a lane is only told from others."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Any, Final, NamedTuple

from runtime.communication.signals import Signal, StopSignal
from runtime.facts import Ending

_SEVERITY: Final[dict[Ending, int]] = {"completed": 0, "stopped": 1, "cancelled": 2, "failed": 3}


class Arrival(NamedTuple):
    """A signal that a task has taken from a lane. Of one from the hand, which is no producer, nobody is told."""

    signal: Signal
    producer: str
    heard: tuple[int, int] | None
    """How many of how many producers have been heard with it, where they count together."""
    counted: tuple[Signal, ...] = ()
    """What counts by it: the operator has to hear of these, and the task has to hand them on."""
    ended_inputs: tuple[tuple[Signal, int], ...] = ()
    """Of several inputs, which have ended by it, and the last stop signal of each: the operator has to hear of them."""


class Alignment:
    """Used by the task's thread alone. A lane that has ended holds up the others no more."""

    turn_changes: Final = ("_open", "ended", "_held", "_last", "_counted")

    def __init__(self, lanes: Iterable[Hashable]) -> None:
        self._open = set(lanes)
        self.producers = len(self._open)
        self.ended: list[StopSignal] = []  # in the order in which they arrived
        self._held: dict[Hashable, Signal] = {}  # lanes that have brought what others have not
        self._last: dict[type[Signal], dict[Hashable, Any]] = {}  # of each open lane, where the least counts
        self._counted: dict[type[Signal], Any] = {}  # the least so far

    def arrive(self, lane: Hashable, signal: Signal) -> tuple[Signal, ...]:
        """A lane has brought a signal. What counts by now."""
        if signal.counts == "least":
            self._last.setdefault(type(signal), {})[lane] = signal
            return self._risen(type(signal))
        if signal.counts == "aligned":
            self._held[lane] = signal
            return self._aligned()
        return (signal,)

    def end(self, lane: Hashable, stop: StopSignal) -> tuple[Signal, ...]:
        """A lane has ended. What counts by now, since it holds up nobody any more."""
        self.ended.append(stop)
        self._open.discard(lane)
        for last in self._last.values():
            last.pop(lane, None)
        risen = [signal for kind in self._last for signal in self._risen(kind)]
        return (*risen, *self._aligned())

    def heard(self) -> tuple[int, int]:
        """How many of how many lanes have brought what is waited for, or have ended."""
        return len(self.ended) + len(self._held), self.producers

    def ending(self) -> Ending:
        """How the producers ended, taken together: the worst of them counts."""
        return max((stop.how for stop in self.ended), key=_SEVERITY.__getitem__, default="completed")

    def _risen(self, kind: type[Signal]) -> tuple[Signal, ...]:
        last, before = self._last[kind], self._counted.get(kind)
        if not last or len(last) < len(self._open):
            return ()
        least = min(last.values())
        if before is not None and not before < least:
            return ()
        self._counted[kind] = least
        return (least,)

    def _aligned(self) -> tuple[Signal, ...]:
        if not self._held or len(self._held) < len(self._open):
            return ()
        first, *others = self._held.values()
        if any(other != first for other in others):
            raise AssertionError(f"the lanes of one task wait for different signals: {list(self._held.values())}")
        self._held.clear()
        return (first,)
