"""BatchFeed: gathers packets in their lanes until a batch of them goes. Knows when, not what is done with them.

What is gathered has not left: depth, `peek` and edits are as anywhere else, and so is the bound, which may hold a
producer back. So a batch goes not only when it is full or its time has come, but also when waiting could not make it
longer (a lane is full), and when a signal is in a lane, which would have to wait as well. It leaves as a whole, when it
is worked.

The time of a batch begins with its first packet. What came while the one before was worked has waited since then, so
its time began at the latest when that was taken; no packet is ever gathered for longer than it should. At a closed gate
time stands still.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from runtime.batches.batch_time import BatchTime
from runtime.batches.gathered import Gathered, Parts
from runtime.communication.inbox import Inbox
from runtime.communication.lane import Lane
from runtime.communication.order import number_at
from runtime.communication.packet import Packet, Place, Tracer
from runtime.communication.router import Router
from runtime.context import TaskContext
from runtime.errors import NO_PACKET
from runtime.scheduling.parker import Parker
from runtime.scheduling.wake_source import WakeSource, never
from runtime.task.alignment import Arrival
from runtime.task.counts import TaskCounts
from runtime.task.feed import LaneFeed

if TYPE_CHECKING:
    from runtime.batches.operator import MapBatches


class BatchFeed(LaneFeed):
    """Packets from an inbox, many at a time, each time as one `Gathered`. All times are of the task's clock."""

    def __init__(
        self,
        inbox: Inbox,
        ctx: TaskContext,
        operator: MapBatches,
        parker: Parker,
        tracer: Tracer | None,
        counts: TaskCounts,
        router: Router,
    ) -> None:
        super().__init__(inbox, ctx, operator, parker, tracer)
        self._size, self._parker, self._tracer = operator.size, parker, tracer
        self._counts, self._router = counts, router
        self._time = BatchTime(parker, operator.within_s)
        self._is_called = False  # a signal was taken: what came before it in other lanes goes
        self._asked: Parts | None = None  # what a breakpoint has let pass, and nothing else
        self._gathered: Gathered | None = None  # the batch in work

    # ── when a batch goes ──

    def ready(self) -> bool:
        """Whether there is something to take; behind a closed gate any packet is, as one step takes what waits."""
        return super().ready() and (self._parker.is_gated or self._goes())

    def _goes(self) -> bool:
        """Whether what waits is to be worked now."""
        return self._is_called or self.inbox.presses(self._size) or self._time.is_over()

    def wait(self) -> None:
        """Return when a batch is to go, or a signal is next; or something waits, and the gate is closed."""
        while True:
            if not self.inbox.ready():
                self._time.forget()
                self._is_called = False
            super().wait()
            left_s = self._time.left_s()
            if self.ready():
                self._time.stop()
                return
            self._parker.park(self.ready, "idle", left_s, held=never, ask=self.inbox.ask)

    def take_event(self) -> Arrival | WakeSource | None:
        """Take a signal that is next in any lane; what waits in the others goes then."""
        self._time.go_on()
        event = super().take_event()
        if isinstance(event, Arrival):
            self._is_called = True
        return event

    # ── the batch ──

    def take(self, count: int) -> Iterator[Any] | None:
        """One batch, however many packets are wanted, if it is to go; by a turn of the hand, whatever waits."""
        asked, self._asked = self._asked, None
        turn = self._parker.turn
        if turn is None and not self._goes():
            return None
        items, parts = self.inbox.gather(self._size) if asked is None or turn is not None else _fronts(asked)
        if not items:
            return None
        self._is_called = False
        values = list(items if self._unpack is None else self._unpack(iter(items)))
        if self._tracer is not None:
            self._tracer.draw_all(items)
        for lane, length in parts:
            self.inbox.drop(lane, length)
        if not self.inbox.ready():
            self._time.begin()
        self._gathered = Gathered(items, values, parts, self._given, self._router)
        return iter((self._gathered,))

    def close_batch(self) -> int:
        """Forget the batch. Of what it has made, all that was not accepted counts as dropped."""
        gathered, self._gathered = self._gathered, None
        if gathered is None:
            return 0
        if not self._parker.unneeded:
            self._counts.break_off(gathered.unsent())
        return len(gathered)

    def failed_on(self) -> Any:
        """The payload whose result was sent last; before that, the list of all."""
        return NO_PACKET if self._gathered is None else self._gathered.in_work()

    # ── looking ──

    def coming(self) -> Sequence[Packet]:
        """The packets that will be taken next, and no others, unless the gate is closed first; none, if a signal is."""
        if self.inbox.signalled_lane() is not None:
            return ()
        items, self._asked = self.inbox.gather(self._size)
        return self._packets(items, [(lane, lane.taken, length) for lane, length in self._asked])

    def seen(self) -> Sequence[Packet]:
        """The packets that have been taken."""
        gathered = self._gathered
        assert gathered is not None, "some have"
        return self._packets(gathered.items, [(lane, lane.taken - length, length) for lane, length in gathered.parts])

    def _packets(self, items: Sequence[Any], parts: Sequence[tuple[Lane, int, int]]) -> list[Packet]:
        """Items as a person sees them; of each lane so many, from a position on."""
        found, rest = [], iter(items)
        for lane, first, length in parts:
            at = self.inbox.lanes.index(lane)
            for position, item in zip(range(first, first + length), rest, strict=False):
                place = Place(at, number_at(lane, position))
                found.append(self.format(lane).packet(item, self._ctx.name, lane, place))
        return found


def _fronts(parts: Parts) -> tuple[list[Any], Parts]:
    """So many packets from the front of each of these lanes, as `Inbox.gather`."""
    fronts = [(lane, lane.before_signal(lane.items[:length])) for lane, length in parts]
    return [item for _, front in fronts for item in front], [(lane, len(front)) for lane, front in fronts]
