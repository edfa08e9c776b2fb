"""What the signals of a task's lanes come to together. Pure counting, no threads; knows of a lane only which one it is.

The stop signal is counted by `StopBarrier`; here an ended lane just holds up the others no more.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Any, NamedTuple

from runtime.communication.signals import Signal


class Arrival(NamedTuple):
    """A signal that a task has taken from a lane."""

    signal: Signal
    producer: str
    heard: tuple[int, int] | None
    """How many of how many producers have been heard with it, where they count together."""
    counted: tuple[Signal, ...] = ()
    """What counts by it: the operator has heard of these, and the task has to hand them on."""


class Alignment:
    """Used by the task's thread alone. `held` are the lanes of which nothing may be taken meanwhile."""

    def __init__(self, lanes: Iterable[Hashable]) -> None:
        self._open = set(lanes)
        self._lanes = len(self._open)
        self.held: dict[Hashable, Signal] = {}
        self._last: dict[type[Signal], dict[Hashable, Any]] = {}  # of each open lane, where the least counts
        self._counted: dict[type[Signal], Any] = {}  # the least so far

    def arrive(self, lane: Hashable, signal: Signal) -> tuple[Signal, ...]:
        """A lane has brought a signal. What counts by now."""
        if signal.counts == "least":
            self._last.setdefault(type(signal), {})[lane] = signal
            return self._risen(type(signal))
        if signal.counts == "aligned":
            self.held[lane] = signal
            return self._complete()
        return (signal,)

    def end(self, lane: Hashable) -> tuple[Signal, ...]:
        """A lane has ended. What counts by now, since it holds up nobody any more."""
        self._open.discard(lane)
        for last in self._last.values():
            last.pop(lane, None)
        risen = [signal for kind in self._last for signal in self._risen(kind)]
        return (*risen, *self._complete())

    @property
    def heard(self) -> tuple[int, int]:
        """How many of how many lanes have brought what is waited for, or have ended."""
        return self._lanes - len(self._open) + len(self.held), self._lanes

    def _risen(self, kind: type[Signal]) -> tuple[Signal, ...]:
        last, before = self._last[kind], self._counted.get(kind)
        if not last or len(last) < len(self._open):
            return ()
        least = min(last.values())
        if before is not None and not before < least:
            return ()
        self._counted[kind] = least
        return (least,)

    def _complete(self) -> tuple[Signal, ...]:
        if not self.held or len(self.held) < len(self._open):
            return ()
        first, *others = self.held.values()
        if any(other != first for other in others):
            raise AssertionError(f"the lanes of one task wait for different signals: {list(self.held.values())}")
        self.held.clear()
        return (first,)
