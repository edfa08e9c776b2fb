"""Feeds of which a packet is taken only when the rate of its operator lets it begin. Knows nothing of other feeds.

The task waits before its gate, with nothing in work, so packets stay in their lanes, and a pause, an edit or a cancel
finds it as any other that waits. Where several tasks share an allowance, whoever comes first has it: a packet counts at
the moment it is taken, and who comes too late waits again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, Self

from runtime.graph.rate import Allowance
from runtime.scheduling.parker import Parker
from runtime.scheduling.wake_source import WakeSource
from runtime.task.feed import Feed, LaneFeed, SourceFeed
from runtime.task.joined_feed import JoinedFeed


class RatedFeed(Feed):
    """A feed by an allowance: one packet at a time."""

    goes_back = False

    _allowance: Allowance
    _waiter: Parker

    def by(self, allowance: Allowance, waiter: Parker) -> Self:
        """Begin packets by that; `waiter` is how the task waits."""
        self._allowance, self._waiter = allowance, waiter
        return self

    def wait(self) -> None:
        """Return when there is something to take that may begin, or needs no leave. Raises Cancelled."""
        while True:
            super().wait()
            if self._due_s() <= self._waiter.clock() or self._ends_wait() or not self._has_packet():
                return
            self._wait_for_leave()

    def _wait_for_leave(self) -> None:
        """Wait until the next packet may begin, or there is a reason to look again. Raises Cancelled."""
        waiter, due_s = self._waiter, self._due_s()
        due_s = min([due_s, *(source.due_s() for source in self._sources_of_it())])
        waiter.park(self._may_go_on, "held back: rate", max(0.0, due_s - waiter.clock()), held=_never, ask=self._ask)

    def take(self, count: int) -> Iterator[Any] | None:
        """One packet, or None: it may not begin after all, there is an event to be taken first, or the end.

        If it may not, but was given a turn at its closed gate, it waits here: that turn is for this packet.
        """
        waiter = self._waiter
        while True:
            if waiter.unneeded or not self._has_packet():
                # Of what stands behind a signal that has come since it was looked for, nothing.
                return super().take(count if waiter.unneeded else 0)  # type: ignore[safe-super]  # of what it is mixed into
            if (began_s := self._allowance.begin(waiter.clock)) is not None:
                break
            if waiter.turn is None or self._ends_wait():
                return None
            self._wait_for_leave()
        values = super().take(1)  # type: ignore[safe-super]
        if values is None:
            self._allowance.take_back(began_s)
        return values

    def begin_again_s(self) -> float:
        """How long the packets in work have to wait for their next attempt; 0: not at all, and that is counted."""
        waiter, count = self._waiter, self._in_work()
        if self.wants_out or waiter.unneeded or self._allowance.begin_some(waiter.clock, count, count)[1]:
            return 0.0
        return max(self._allowance.due_s(count) - waiter.clock(), LEAST_S)

    def _in_work(self) -> int:
        """How many packets are worked together."""
        return 1

    def _due_s(self) -> float:
        """From when on what is next may begin. Any thread."""
        return self._allowance.due_s()

    def _has_packet(self) -> bool:
        """Its own thread: whether what is next is a packet."""
        return not self.wants_out

    def _sources_of_it(self) -> Sequence[WakeSource]:
        """What its operator waits for besides."""
        return ()

    def _ask(self) -> None:
        for source in self._sources_of_it():
            source.ask()

    def _may_go_on(self) -> bool:
        """Whether there is a reason not to wait any more. Any thread."""
        return self._ends_wait() or self._due_s() <= self._waiter.clock()

    def _ends_wait(self) -> bool:
        return self.wants_out or self._waiter.unneeded or any(source.ready() for source in self._sources_of_it())


LEAST_S: Final = 1e-6  # of a wait: another task has begun between two looks


def _never() -> bool:
    """Time brings it, so it does not stand still."""
    return False


class RatedLaneFeed(RatedFeed, LaneFeed):
    """Packets of an inbox, as they may begin."""

    def _has_packet(self) -> bool:
        return self.inbox.signalled_lane() is None and self.inbox.front() is not None

    def _sources_of_it(self) -> Sequence[WakeSource]:
        return self._sources


class RatedJoinedFeed(RatedLaneFeed, JoinedFeed):
    """Packets of several inputs, as they may begin."""

    def _has_packet(self) -> bool:
        return not self._ended() and super()._has_packet()


class RatedSourceFeed(RatedFeed, SourceFeed):
    """Items of a source, as they may be drawn."""
