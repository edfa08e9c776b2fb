"""What has happened in a run, in order: the last events of each kind, and how many there were. Knows events alone.

Neither adding nor reading takes a lock, so a signal handler or a `__del__` never waits for the thread that it has
interrupted. This rests on two things. Adding is *one* call into C, `deque.extend` of an iterator that numbers the
event: no bytecode lies between the number and its place, so the order of the numbers is the order of arrival, and
whoever sees a number knows that all lesser ones are there. And `list` copies a deque in one call into C.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from itertools import count, takewhile
from typing import Final, get_args

from runtime.facts import Event, EventKind

MAX_EVENTS: Final = 10_000
"""How many events of each kind are kept."""

_Entry = tuple[Event, int, int]  # an event, its number in the run, and its number among those of its kind


class EventLog:
    """The last 10,000 events of each kind of one run, so that a flood of one kind pushes out none of another.

    Any thread may add and read, also within a signal handler, at any moment.
    """

    def __init__(self) -> None:
        self._numbers = count()
        self._kinds: dict[EventKind, tuple[deque[_Entry], count[int]]] = {
            kind: (deque(maxlen=MAX_EVENTS), count(1)) for kind in get_args(EventKind)
        }

    def add(self, event: Event) -> None:
        """Append one; the oldest of its kind gives way."""
        self.adding(event)()

    def adding(self, event: Event) -> Callable[[], None]:
        """What appends one, and is C: it may be a part of a larger step."""
        kept, among_its_kind = self._kinds[event.kind]
        numbered = zip((event,), self._numbers, among_its_kind, strict=False)  # the event comes first: it runs out
        return partial(kept.extend, numbered)

    def since(self, number: int) -> tuple[int, tuple[Event, ...]]:
        """The events from this number on, counted from 0, that are kept; and the number from which to ask on.

        Who asks on from there gets each event once.
        """
        kinds = [kept for kept, _ in self._kinds.values()]
        following = max((kept[-1][1] for kept in kinds if kept), default=-1) + 1  # what comes from now on is left out
        found: list[_Entry] = []
        for kept in kinds:
            latest = takewhile(lambda entry: entry[1] >= number, reversed(list(kept)))
            found += [entry for entry in latest if entry[1] < following]
        found.sort(key=_number)
        return max(number, following), tuple(
            [replace(event, number=its, arrived=tuple(event.arrived)) for event, its, _ in found]
        )

    @property
    def counts(self) -> dict[EventKind, int]:
        """How many events there have been of each kind that occurred, with those that are not kept any more."""
        return {kind: kept[-1][2] for kind, (kept, _) in self._kinds.items() if kept}

    def __iter__(self) -> Iterator[Event]:
        return iter(self.since(0)[1])

    def __len__(self) -> int:
        return sum([len(kept) for kept, _ in self._kinds.values()])


def _number(entry: _Entry) -> int:
    return entry[1]
