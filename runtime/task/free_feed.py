"""A feed of a task that is sent a packet only when it is free. Knows when it is; nothing of who sends.

Whether the task has used what it was given is read from its lanes: as many packets have been sent as it has given
tokens, and all of them have left. So a packet that the hand drops gives its token back, and one that is put back after
that is just one more.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Self

from runtime.communication.free_instances import FreeInstances
from runtime.scheduling.wake_source import News
from runtime.task.feed import LaneFeed
from runtime.task.rated_feed import RatedLaneFeed


class FreeFeed(LaneFeed):
    """Packets of an inbox into which one is put each time that this has said that the task is free.

    It says so between two packets: after a batch, of none as well, and before it stands at a closed gate.
    """

    goes_back = False

    _instances: FreeInstances
    _index: int
    _told = 0  # how often it has said so, without what it has taken back

    def among(self, instances: FreeInstances, index: int) -> Self:
        """Be the one of this index among them, free from its first wait on, when the operator is open."""
        self._instances, self._index = instances, index
        self.wait_also_for(News(self._is_free))  # at first, and when the hand has dropped what the task was woken for
        return self

    def is_dry(self) -> bool:
        """Whether the queue is empty; asked before the task stands at its closed gate, where it is free as well."""
        self._give()
        return super().is_dry()

    def take(self, count: int) -> Iterator[Any] | None:
        """Copy the fronts of lanes. With a packet of the hand, of which no producer knows, it is not free."""
        values = super().take(count)
        if values is not None and self._batch.first is self.inbox.hand.lane:
            self._told -= self._instances.withdraw(self._index)
        return values

    def close_batch(self) -> int:
        """Delete what has been worked, and say that it is free, if nothing is left."""
        done = super().close_batch()
        self._give()
        return done

    def _give(self) -> None:
        if self._is_free():
            self._told += 1
            self._instances.give(self._index)

    def _is_free(self) -> bool:
        """Whether nothing waits, and producers have used all that they were given. Between two packets; any thread.

        What leaves is counted before it is deleted, so whoever finds a lane empty finds it counted.
        """
        lanes = self.inbox.lanes
        return not any(lane.items for lane in lanes) and sum(lane.leaving for lane in lanes[1:]) >= self._told


class RatedFreeFeed(RatedLaneFeed, FreeFeed):
    """The same, as packets may begin."""
