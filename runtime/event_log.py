"""What has happened in a run, in order: the last events, and how many there were. Knows events, and who wants news."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from itertools import islice
from typing import Final

from runtime.facts import Event

MAX_EVENTS: Final = 10_000


class EventLog:
    """The last 10,000 events of one run. Any thread may add and read."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # guards both below
        self._events: deque[Event] = deque(maxlen=MAX_EVENTS)
        self._total = 0

    def add(self, event: Event) -> None:
        """Append one; the oldest gives way."""
        with self._lock:
            self._events.append(event)
            self._total += 1

    def since(self, number: int) -> tuple[int, tuple[Event, ...]]:
        """The events from this number on, counted from 0, or from the oldest that is kept; and that one's number."""
        with self._lock:
            first = max(number, self._total - len(self._events), 0)
            latest = list(islice(reversed(self._events), max(self._total - first, 0)))
        return first, tuple(reversed(latest))

    def __iter__(self) -> Iterator[Event]:
        return iter(self.since(0)[1])

    def __len__(self) -> int:
        return len(self._events)
