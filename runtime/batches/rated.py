"""RatedBatchFeed: batches of as many packets as the rate of their operator lets begin together.

What waits may become free one by one, which would cut it up into batches of one packet. So once the first may begin, a
batch waits for the leave of the others, as it has waited for them to come: for `within` seconds at most.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from runtime.batches.feed import BatchFeed
from runtime.context import TaskContext
from runtime.task.rated_feed import RatedLaneFeed


class RatedBatchFeed(RatedLaneFeed, BatchFeed):
    """Packets from an inbox, many at a time, as they may begin. Each counts by itself."""

    def take(self, count: int) -> Iterator[Any] | None:
        """One batch, if it is to go, of as many packets as may begin."""
        waiter, allowance = self._waiter, self._allowance
        while True:
            if waiter.turn is None and not self._goes():
                return None
            if waiter.unneeded:
                return self._take(self._most())
            if not self._has_packet():
                return None
            began_s, most = allowance.begin_some(waiter.clock, self._wanted())
            if most:
                break
            if waiter.turn is None or self._ends_wait():
                return None
            self._wait_for_leave()
        values = self._take(most)
        allowance.take_back(began_s, most - (0 if self._gathered is None else len(self._gathered)))
        return values

    def _most(self) -> int:
        return self._allowance.at_once(super()._most())

    def _wanted(self) -> int:
        return max(1, min(self._most(), len(self.inbox)))

    def _due_s(self) -> float:
        allowance = self._allowance
        return min(allowance.due_s(self._wanted()), allowance.due_s() + self._within_s)

    def _in_work(self) -> int:
        return 1 if self._gathered is None else self._gathered.at_work()


def batch_feed(*wiring: Any) -> BatchFeed:
    """What a `map_batches` works from: by a rate, if its operator has one."""
    ctx, parker = wiring[1], wiring[3]
    assert isinstance(ctx, TaskContext), "all feeds are made of the same"
    if (allowance := ctx.wiring.allowance) is None:
        return BatchFeed(*wiring)
    return RatedBatchFeed(*wiring).by(allowance, parker)
