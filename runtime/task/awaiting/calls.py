"""Calls: those of one task that are open, and whose turn it is to be sent. Knows no loop, no lane and no policy.

Open is what is under way, and what is over and waits for its turn; `most` bounds both together. In order, the oldest is
sent first; else, whichever is over first. Of equal keys one is under way at a time.
"""

from __future__ import annotations

from collections import deque

from runtime.errors import NO_PACKET
from runtime.task.awaiting.call import Call
from runtime.task.counts import TaskCounts


class Calls:
    """The open calls, in the order in which they began. By the task's thread; any may ask for the length."""

    __slots__ = ("_counts", "_keys", "_open", "_over", "is_ordered", "most", "under_way")

    def __init__(self, most: int, counts: TaskCounts, *, is_ordered: bool) -> None:
        self.most, self.is_ordered = most, is_ordered
        self._counts = counts  # which are told how many are open
        self._open: deque[Call] = deque()
        self._over: deque[Call] = deque()  # that wait for nobody, in the order in which they came to their end
        self._keys: set[object] = set()  # of those under way
        self.under_way = 0

    def __len__(self) -> int:
        return len(self._open)

    def how_many_under_way(self) -> int:
        """How many are under way. Any thread."""
        return self.under_way

    def all(self) -> tuple[Call, ...]:
        """All that are open. Any thread."""
        return tuple(self._open)

    def room(self) -> int:
        """How many more may begin."""
        return self.most - len(self._open)

    def count(self) -> None:
        """Let those who look know how many are open."""
        self._counts.have_open(len(self._open))

    def has_key(self, key: object) -> bool:
        """Whether a call of this key is under way."""
        return key in self._keys

    def begin(self, call: Call) -> None:
        """One more is under way."""
        self._open.append(call)
        self.under_way += 1
        if call.key is not NO_PACKET:
            self._keys.add(call.key)

    def end(self, call: Call) -> None:
        """It is over."""
        call.end()
        self.under_way -= 1
        if call.key is not NO_PACKET:
            self._keys.discard(call.key)
        if not self.is_ordered:
            self._over.append(call)

    def is_due(self) -> bool:
        """Whether some call is to be sent next. Any thread."""
        return bool(self._open and self._open[0].is_over) if self.is_ordered else bool(self._over)

    def take(self) -> Call:
        """The call that is to be sent next: it is not open any more."""
        if self.is_ordered:
            return self._open.popleft()
        call = self._over.popleft()
        self._open.remove(call)
        return call

    def clear(self) -> int:
        """Forget all, which are over. How many they were."""
        count = len(self._open)
        self._open.clear()
        self._over.clear()
        self.count()
        return count
