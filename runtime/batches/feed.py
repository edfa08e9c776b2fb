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

from collections.abc import Collection, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from runtime.batches.batch_time import BatchTime
from runtime.batches.gathered import Gathered, Part
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
from runtime.task.batch import KeptBatch
from runtime.task.counts import TaskCounts
from runtime.task.feed import LaneFeed

if TYPE_CHECKING:
    from runtime.batches.operator import MapBatches

Parts = list[tuple[Lane, int]]
"""How many packets of which lane, in order."""


class BatchFeed(LaneFeed):
    """Packets from an inbox, many at a time, each time as one `Gathered`. All times are of the task's clock."""

    turn_changes = ("_is_called", "_holds")

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
        self._size, self._within_s, self._parker, self._tracer = operator.size, operator.within_s, parker, tracer
        self._counts, self._router = counts, router
        self._time = BatchTime(parker, operator.within_s)
        self._is_called = False  # a signal was taken: what came before it in other lanes goes
        self._asked: Parts | None = None  # what a breakpoint has let pass, and nothing else
        self._gathered: Gathered | None = None  # the batch in work
        self._keeps = False  # until it is done, it stays in its lanes
        self._holds = False  # one packet of the last batch has stayed, and is to be worked alone

    def keep_in_work(self) -> KeptBatch:
        """Before anything is taken: let the packets of a batch stay in their lanes until it is done, or longer."""
        self._keeps = True
        return super().keep_in_work()

    # ── when a batch goes ──

    def ready(self) -> bool:
        """Whether there is something to take; behind a closed gate any packet is, as one step takes what waits."""
        return super().ready() and (self._parker.is_gated or self._goes())

    def _goes(self) -> bool:
        """Whether what waits is to be worked now."""
        return self._is_called or self._holds or self.inbox.presses(self._size) or self._time.is_over()

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
        if self._parker.turn is None and not self._goes():
            self._asked = None
            return None
        return self._take(self._most())

    def _take(self, most: int) -> Iterator[Any] | None:
        """One batch of at most so many packets."""
        asked, self._asked = self._asked, None
        is_new = asked is None or self._parker.turn is not None
        items, parts = self.inbox.gather(most) if is_new else fronts(asked or [], most)
        if not items:
            return None
        self._is_called = self._holds = False
        if len(items) == len(self.inbox):
            self._time.begin()
        values = list(items if (bare := self._given.bare) is None else bare(iter(items)))
        if self._tracer is not None:
            self._tracer.draw_all(items)
        self._gathered = Gathered(items, values, placed(parts), self._given, self._router)
        if not self._keeps:
            for lane, length in parts:
                self.inbox.drop(lane, length)
        return iter((self._gathered,))

    def _most(self) -> int:
        return 1 if self._holds else self._size

    def close_batch(self) -> int:
        """Forget the batch. What it has made, and was not accepted, counts as dropped, if it has left its lanes."""
        gathered, self._gathered = self._gathered, None
        if gathered is None:
            return 0
        if self._keeps:
            return self._let_leave(gathered)
        self._leave(gathered, ())
        if not self._parker.unneeded:
            self._counts.break_off(gathered.unsent())
        return len(gathered)

    def hold(self) -> tuple[Lane, int, Any]:
        """Of the batch in work, let the packet stay that is worked now: its lane, its position there, the item."""
        gathered = self._gathered
        assert gathered is not None, "it is of that"
        index = gathered.keep()
        (lane, position, _), first = next(each for each in gathered.ranges() if index < each[1] + each[0][2])
        return lane, position + index - first, gathered.items[index]

    def first_lane(self) -> Lane:
        """That of the first packet of the batch in work."""
        assert self._gathered is not None, "it is of that"
        return self._gathered.parts[0][0]

    def _let_leave(self, gathered: Gathered) -> int:
        """Delete what has been worked of a batch that has stayed; what is held, or was not reached, stays."""
        staying = gathered.staying(0 if self._parker.unneeded else gathered.unsent())
        left = 0
        for (lane, _, length), first in reversed(list(gathered.ranges())):
            leaving = [index for index in range(length) if first + index not in staying]
            if len(leaving) == length:
                self.inbox.drop(lane, length)
            else:
                for index in reversed(leaving):
                    self.inbox.take_out(lane, index)
            left += len(leaving)
        if gathered.kept:
            self._holds = True
        self._leave(gathered, staying)
        return left

    def _leave(self, gathered: Gathered, staying: Collection[int]) -> None:
        """Where packets are counted: those of a batch have been worked, but for the ones that stay."""
        if self._bearer is None:
            return
        self._bearer.leave()
        drawn = gathered.drawn()  # which have left as they were sent, but for the last
        rest = [index for index in range(drawn, len(gathered)) if index not in staying]
        self._bearer.left([gathered.items[index] for index in rest])

    def failed_on(self) -> Any:
        """The payload whose result was sent last; before that, the list of all."""
        return NO_PACKET if self._gathered is None else self._gathered.in_work()

    # ── looking ──

    def coming(self) -> Sequence[Packet]:
        """The packets that will be taken next, and no others, unless the gate is closed first; none, if a signal is."""
        if self.inbox.signalled_lane() is not None:
            return ()
        items, self._asked = self.inbox.gather(self._most())
        return packets_of(self, items, placed(self._asked), self._ctx.name)

    def seen(self) -> Sequence[Packet]:
        """The packets that have been taken."""
        assert self._gathered is not None, "some have"
        return packets_of(self, self._gathered.items, self._gathered.parts, self._ctx.name)

    def taken(self) -> Sequence[tuple[Lane, Sequence[Any]]]:
        """The packets that have been taken, lane by lane."""
        assert self._gathered is not None, "some have"
        rest = iter(self._gathered.items)
        return [(lane, list(islice(rest, length))) for lane, _, length in self._gathered.parts]


def packets_of(feed: LaneFeed, items: Sequence[Any], parts: Sequence[Part], task: str) -> list[Packet]:
    """Items from the lanes of a feed as a person sees them."""
    found, rest = [], iter(items)
    for lane, first, length in parts:
        at = feed.inbox.lanes.index(lane)
        for position, item in zip(range(first, first + length), rest, strict=False):
            place = Place(at, number_at(lane, position))
            found.append(feed.format(lane).packet(item, task, lane, place))
    return found


def placed(parts: Parts) -> list[Part]:
    """With how many packets of each lane have left before these. Asked before they leave."""
    return [(lane, lane.taken, length) for lane, length in parts]


def fronts(parts: Parts, most: int) -> tuple[list[Any], Parts]:
    """So many packets from the front of each of these lanes, and `most` in all, as `Inbox.gather`."""
    fronts: list[tuple[Lane, list[Any]]] = []
    for lane, length in parts:
        front = lane.before_signal(lane.items[: min(length, most)])
        most -= len(front)
        fronts.append((lane, front))
    return [item for _, front in fronts for item in front], [(lane, len(front)) for lane, front in fronts if front]
