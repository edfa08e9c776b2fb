"""What a task works from: the lanes of its inbox, or a source's iterator. Knows how to take a batch, not to work it.

A batch is a copy of the fronts of lanes. What has been worked is deleted behind the batch, or before the task waits in
the middle of it; the rest has never left. How far a batch has come is read from its iterator (`length_hint` of a
list's iterator is exact), so nothing is counted per packet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from operator import length_hint
from typing import Any, Protocol

from runtime.communication.element import Format, Given
from runtime.communication.hand import HAND
from runtime.communication.inbox import Inbox
from runtime.communication.lane import Lane
from runtime.communication.order import number_at
from runtime.communication.packet import Packet, Place, Tracer
from runtime.communication.signals import Signal, StopSignal
from runtime.context import TaskContext
from runtime.errors import NO_PACKET
from runtime.facts import Ending
from runtime.operators import Operator, Source
from runtime.scheduling.parker import Parker
from runtime.task.alignment import Alignment, Arrival


class Feed(Protocol):
    """Where a task's packets come from. Used by the task's thread alone, but for `end`."""

    ending: Ending | None
    """How the input ended; None while there may be more."""
    wants_out: bool
    """Whether the batch is to be left behind the packet in work."""

    def wait(self) -> None:
        """Return when there is something to take. Raises Cancelled."""

    def take_signal(self) -> Arrival | None:
        """Take a signal, if one is next; the operator has heard what counts by it."""

    def take(self, count: int) -> Iterator[Any] | None:
        """Up to `count` packets, or None: there is a signal to be taken first, or the end."""

    def ran_out(self) -> None:
        """Hear that the operator has come to the end of what `take` returned."""

    def settle(self) -> None:
        """Make depths exact: delete what has been worked, let in who has room."""

    def close_batch(self) -> int:
        """Forget the batch, and say how many of its packets have been worked or begun."""

    def failed_on(self) -> Any:
        """The packet in work, for an error; NO_PACKET where there is none."""

    def end(self, how: Ending) -> None:
        """Ask the input to end from outside; any thread."""

    def front(self) -> Packet | None:
        """The packet that would be taken next; None for a signal, and for a source, which has none yet."""

    def seen(self) -> Packet | None:
        """The packet that has been taken, of a batch of one."""


class LaneFeed:
    """Packets from an inbox, its lanes in turn, until every producer's stop signal has arrived."""

    def __init__(
        self,
        inbox: Inbox,
        ctx: TaskContext,
        operator: Operator,
        tracer: Tracer | None = None,
    ) -> None:
        self.inbox = inbox
        self._alignment = Alignment(inbox.lanes[1:])
        self.ending: Ending | None = None
        self.wants_out = False
        self._ctx, self._operator = ctx, operator
        self._batch: list[Any] = []
        self._parts: list[tuple[Lane, int]] = []  # how many of the batch are still in which lane, in order
        self._rest: Iterator[Any] = iter(())
        self._here = 0  # the sum of these
        self._lane: Lane = inbox.hand.lane  # of a batch of one
        self._format = ctx.wiring.format
        self._given = Given(self._format, operator, ctx, tracer)
        self._unpack = self._given.values

    def wait(self) -> None:
        """Return when there is a packet or a signal."""
        self.inbox.wait()

    def take_signal(self) -> Arrival | None:
        """Take a signal that is next in any lane: one that never runs dry must not hide the end of another."""
        lane = self.inbox.signalled_lane()
        if lane is None:
            return None
        signal = lane.take_signal()
        if isinstance(signal, StopSignal):
            return self._end_lane(lane, signal)
        alignment, heard = self._alignment, None
        counted = alignment.arrive(lane, signal)
        if signal.counts == "aligned":
            heard = (alignment.producers,) * 2 if counted else alignment.heard()
            self.inbox.hold(lane)
        self._count(counted)
        return Arrival(signal, lane.producer, heard, counted)

    def take(self, count: int) -> Iterator[Any] | None:
        """Copy the fronts of lanes; a single packet leaves at once: what is in work does not wait."""
        batch, self._parts = self.inbox.gather(count)
        if not batch:
            return None
        self._batch, self._here = batch, len(batch)
        self._rest = iter(batch)
        values = self._rest if self._unpack is None else self._unpack(self._rest)
        if len(batch) == 1:
            self._lane = self._parts[0][0]
            self._drop(1)
        return values

    def ran_out(self) -> None:
        """The batch has been worked; nothing follows from that."""

    def settle(self) -> None:
        """Delete what has been worked, and what is in work, and wake every writer that has room."""
        worked = self._here - length_hint(self._rest)
        if worked > 0:
            self._drop(worked)
        self.inbox.let_in()

    def close_batch(self) -> int:
        """Delete what has been worked; the rest stays in its lanes."""
        left = length_hint(self._rest)
        if left < self._here:
            self._drop(self._here - left)
        done = len(self._batch) - left
        self._batch.clear()  # the traceback of an error holds frames that hold its iterator
        self._batch, self._rest, self._here = [], iter(()), 0
        return done

    def _drop(self, count: int) -> None:
        """Delete the first `count` packets of the batch that are still in their lanes."""
        self._here -= count
        parts = self._parts
        while count:
            lane, length = parts[0]
            if length > count:
                parts[0] = (lane, length - count)
                self.inbox.drop(lane, count)
                return
            del parts[0]
            self.inbox.drop(lane, length)
            count -= length

    def failed_on(self) -> Any:
        """The payload that was taken last."""
        worked = len(self._batch) - length_hint(self._rest)
        if not worked:
            return NO_PACKET
        return self._given.payload(self._batch[worked - 1])

    def front(self) -> Packet | None:
        """The packet that would be taken next; None for a signal."""
        found = None if self.inbox.signalled_lane() is not None else self.inbox.front()
        if found is None:
            return None
        number, item = found
        lane = self.inbox.lanes[number]
        place = Place(number, number_at(lane, lane.taken))
        return self.format(lane).packet(item, self._ctx.name, lane, place)

    def seen(self) -> Packet | None:
        """The packet that has been taken, of a batch of one."""
        lane = self._lane
        place = Place(self.inbox.lanes.index(lane), number_at(lane, lane.taken - 1))
        return self._format.packet(self._batch[0], self._ctx.name, lane, place)

    def format(self, lane: Lane) -> Format:
        """What lies in a lane of its queue."""
        return self._format

    def in_work(self) -> Any:
        """What was taken last, as the operator was given it, but for the number of its input."""
        return self._given.value(self._batch[len(self._batch) - length_hint(self._rest) - 1])

    def end(self, how: Ending) -> None:
        """Close the hand's lane; of an input, that is the end."""
        self.inbox.hand.end(how)

    def _end_lane(self, lane: Lane, stop: StopSignal) -> Arrival:
        self.inbox.retire(lane)
        if lane is self.inbox.hand.lane:  # it closes last: behind all producers, or as an input's only one
            self.ending = self._alignment.ending() if self._alignment.producers else stop.how
            return Arrival(stop, HAND, None)
        counted = self._alignment.end(lane, stop)
        self._count(counted)
        heard = ended, producers = len(self._alignment.ended), self._alignment.producers
        hand = self.inbox.hand
        if ended == producers and hand.end("completed") and not hand.lane.items:
            self.inbox.retire(hand.lane)
            self.ending = self._alignment.ending()
        return Arrival(stop, lane.producer, heard, counted)

    def _count(self, counted: Sequence[Signal]) -> None:
        """Let the operator hear these, and take what stands behind those that were waited for."""
        for signal in counted:
            if signal.counts == "aligned":
                self.inbox.let_go()
            self._operator.signalled(signal, None)


class SourceFeed:
    """Items from a source's iterator, until it is spent or somebody asks it to end."""

    def __init__(self, source: Source, ctx: TaskContext, parker: Parker) -> None:
        self.ending: Ending | None = None
        self.wants_out = False
        self._source, self._ctx, self._parker = source, ctx, parker
        self._end_as: Ending = "completed"
        self._began = self._wanted = self._idled = 0
        source.waits = self

    def wait(self) -> None:
        """There is always a next item, or the end."""

    def take_signal(self) -> Arrival | None:
        """Nobody signals to a source."""
        return None

    def take(self, count: int) -> Iterator[Any] | None:
        """The next items, drawn one by one as they are sent."""
        if self.wants_out:
            self.ending = self._end_as
            return None
        self._began, self._idled, self._wanted = self._source.drawn, self._source.idled, count
        return islice(self._source.iterator, count)

    def ran_out(self) -> None:
        """Fewer items than wanted: the iterator is spent, unless the source was asked to end."""
        if self._source.drawn - self._began < self._wanted and not self.wants_out:
            self.ending = "completed"

    def settle(self) -> None:
        """A source has no queue."""

    def front(self) -> Packet | None:
        """A source's next item is not there before it is drawn."""
        return None

    def seen(self) -> Packet | None:
        """A source takes nothing."""
        return None

    def close_batch(self) -> int:
        """Say how many items were drawn."""
        source = self._source
        drawn, idled = source.drawn - self._began, source.idled - self._idled
        self._began, self._idled = source.drawn, source.idled
        return drawn - idled

    def failed_on(self) -> Any:
        """A source fails between packets."""
        return NO_PACKET

    def end(self, how: Ending) -> None:
        """End behind the item that is being made; a source that waits by itself is told by `ctx.stopping`."""
        self._end_as = how
        self.wants_out = True
        self._ctx.stopping.set()
        self._parker.unpark()

    # ── while another instance draws from what they share ──

    def wait_for(self, ready: Callable[[], bool], held: Callable[[], bool]) -> None:
        """Wait until `ready`. Raises Cancelled."""
        self._parker.park(ready, "waiting", held=held)

    def unpark(self) -> None:
        """Any thread: what it waits for may be there."""
        self._parker.unpark()

    def stands_still(self) -> bool:
        """Whether the task waits for something that time alone will not bring."""
        return self._parker.stands_still()
