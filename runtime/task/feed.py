"""What a task works from: the lanes of its inbox, or a source's iterator. Knows how to take a batch, not to work it.

It also says what the task waits for: packets, signals, and whatever else its operator has to hear of (`WakeSource`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from itertools import islice, repeat
from typing import Any, ClassVar

from runtime.communication.element import Format, Given
from runtime.communication.hand import HAND
from runtime.communication.inbox import Inbox
from runtime.communication.lane import Lane
from runtime.communication.order import number_at
from runtime.communication.packet import Bearer, Packet, Place, Tracer
from runtime.communication.signals import Signal, StopSignal
from runtime.context import TaskContext
from runtime.errors import NO_PACKET
from runtime.facts import Ending
from runtime.operators import Operator, Source
from runtime.operators.memory import Keeping
from runtime.operators.operator import Attention, Emit
from runtime.scheduling.parker import Parker
from runtime.scheduling.wake_source import WakeSource
from runtime.task.alignment import Alignment, Arrival
from runtime.task.batch import Batch, KeptBatch


class Feed(ABC):
    """Where a task's packets come from. Used by the task's thread alone, but for `end` and `ready`.

    Here it is one that always has something, of which nobody sees anything before it is taken.
    """

    inbox: Inbox | None = None
    """The queue of the task; None for a source."""
    ending: Ending | None = None
    """How the input ended; None while there may be more."""
    wants_out = False
    """Whether the batch is to be left after the packet in work."""
    goes_back = False
    """Whether one turn of it can be taken back."""
    turn_changes: ClassVar[tuple[str, ...]] = ()
    """What one turn may change of it, but for its batch and its end."""

    def ready(self) -> bool:
        """Whether there is something to take. Any thread."""
        return True

    def wait(self) -> None:  # noqa: B027
        """Return when there is something to take. Raises Cancelled."""

    def is_dry(self) -> bool:
        """Whether there is nothing to take, and only writers can bring something."""
        return False

    def take_event(self) -> Arrival | WakeSource | None:
        """Take what comes between two packets, if something is next: a signal, or a wake source of the operator's."""
        return None

    @abstractmethod
    def take(self, count: int) -> Iterator[Any] | None:
        """Up to `count` packets, or None: there is an event to be taken first, or the end."""

    def ran_out(self) -> None:  # noqa: B027
        """Hear that the operator has come to the end of what `take` returned."""

    def discard(self, values: Iterator[Any], emit: Emit, attention: Attention) -> None:
        """Take packets, and make nothing of them: in place of an operator of which nobody needs anything."""
        for _ in values:
            if attention.yield_requested:
                return

    def give_to(self, operator: Operator) -> None:  # noqa: B027
        """Between two packets: the operator has another function, which can ask the context for the key."""

    def settle(self) -> None:  # noqa: B027
        """Make depths exact: delete what has been worked, let in who has room."""

    def begin_again_s(self) -> float:
        """How long the packet in work has to wait for its next attempt, after its back-off; 0: not at all."""
        return 0.0

    @abstractmethod
    def close_batch(self) -> int:
        """Forget the batch, and say how many of its packets have been worked or begun."""

    def failed_on(self) -> Any:
        """The packet in work, for an error; NO_PACKET where there is none."""
        return NO_PACKET

    @abstractmethod
    def end(self, how: Ending) -> None:
        """Ask the input to end from outside; any thread."""

    def coming(self) -> Sequence[Packet]:
        """What would be taken next; nothing for a signal, and for a source, which has none yet."""
        return ()

    def open_packets(self) -> list[Packet]:
        """Any thread: those that have been taken and go on beside the next ones."""
        return []

    def seen(self) -> Sequence[Packet]:
        """What has been taken; of a source, nothing is."""
        return ()

    def taken(self) -> Sequence[tuple[Lane, Sequence[Any]]]:
        """The same as it lay in its lanes, lane by lane."""
        return ()

    def may_end(self) -> bool:
        """Whether the next turn may hear of an end, or be the last."""
        return True

    def keep_end(self, keeping: Keeping) -> None:
        """Let be kept what of it changes with an end of its input, or of a part of that."""
        keeping.attributes(self, ("ending",))


class LaneFeed(Feed):
    """Packets from an inbox, its lanes in turn, until every producer's stop signal has arrived."""

    inbox: Inbox
    goes_back = True

    def __init__(
        self, inbox: Inbox, ctx: TaskContext, operator: Operator, parker: Parker, tracer: Tracer | None = None
    ) -> None:
        self.inbox = inbox
        self._alignment = Alignment(inbox.lanes[1:])
        self._sources = operator.wake_sources(parker)
        self._also: tuple[WakeSource, ...] = ()
        self._ctx = ctx
        self._batch = Batch(inbox)
        self._given = Given(ctx.wiring.format, operator, ctx, tracer)
        self._bearer = tracer if isinstance(tracer, Bearer) else None
        self._unpack = self._given.values

    def ready(self) -> bool:
        """Whether there is a packet, a signal, or what a wake source waits for."""
        return self.inbox.ready() or (bool(self._sources) and any(source.ready() for source in self._sources))

    def wait(self) -> None:
        """Return when there is a packet, a signal, or what a wake source waits for."""
        self.inbox.wait((*self._sources, *self._also))

    def is_dry(self) -> bool:
        """Whether the queue is empty; a wake source comes by itself, and is waited for."""
        return not self._sources and not self.inbox.ready()

    def take_event(self) -> Arrival | WakeSource | None:
        """Take a signal that is next in any lane: one that never runs dry must not hide the end of another."""
        lane = self.inbox.signalled_lane()
        if lane is None:
            return next((source for source in self._sources if source.ready()), None) if self._sources else None
        signal = lane.take_signal()
        if isinstance(signal, StopSignal):
            return self._end_lane(lane, signal)
        alignment, heard = self._alignment, None
        counted = alignment.arrive(lane, signal)
        if signal.counts == "aligned":
            heard = (alignment.producers,) * 2 if counted else alignment.heard()
            self.inbox.hold(lane)
        self._let_go(counted)
        return Arrival(signal, lane.producer, heard, counted)

    def take(self, count: int) -> Iterator[Any] | None:
        """Copy the fronts of lanes."""
        batch = self._batch
        if not batch.take(count):
            return None
        values = batch.rest if self._unpack is None else self._unpack(batch.rest)
        batch.leave_if_single()
        return values

    def give_to(self, operator: Operator) -> None:
        """Set the key of each packet, if it has one."""
        self._given.give_to(operator)
        self._unpack = self._given.values

    def settle(self) -> None:
        """Delete what has been worked, and what is in work, and wake every writer that has room."""
        self._batch.settle()
        self.inbox.let_in()

    def close_batch(self) -> int:
        """Delete what has been worked; the rest stays in its lanes."""
        done = self._batch.close()
        if self._bearer is not None:
            self._bearer.leave()
        return done

    def begun(self) -> int:
        """How many of the batch have been taken. Any thread."""
        return self._batch.begun()

    def wait_also_for(self, source: WakeSource) -> None:
        """Let `wait` return for that as well, of which nothing is taken."""
        self._also = (source,)

    def keep_in_work(self) -> KeptBatch:
        """Before anything is taken: let a packet stay in its lane until it is done, or longer. Returns what says so."""
        self._batch = batch = KeptBatch(self.inbox)
        return batch

    def failed_on(self) -> Any:
        """The payload that was taken last."""
        return next(map(self._given.payload, self._batch.in_work()), NO_PACKET)

    def coming(self) -> Sequence[Packet]:
        """The packet that would be taken next; none for a signal."""
        found = None if self.inbox.signalled_lane() is not None else self.inbox.front()
        if found is None:
            return ()
        number, item = found
        lane = self.inbox.lanes[number]
        place = Place(number, number_at(lane, lane.taken))
        return (self.format(lane).packet(item, self._ctx.name, lane, place),)

    def seen(self) -> Sequence[Packet]:
        """The packet that has been taken, of a batch of one."""
        lane = self._batch.first
        place = Place(self.inbox.lanes.index(lane), number_at(lane, self._batch.position()))
        return (self._ctx.wiring.format.packet(self._batch.items[0], self._ctx.name, lane, place),)

    def taken(self) -> Sequence[tuple[Lane, Sequence[Any]]]:
        """The packet that has been taken, of a batch of one, as it lay in its lane."""
        return ((self._batch.first, self._batch.items[:]),)

    def may_end(self) -> bool:
        """Whether a signal is in a lane."""
        return any(lane.signals for lane in self.inbox.lanes)

    def keep_end(self, keeping: Keeping) -> None:
        """The same, with who has ended."""
        super().keep_end(keeping)
        for part in (self._alignment, self.inbox, self.inbox.hand):
            keeping.attributes(part, part.turn_changes)

    def format(self, lane: Lane) -> Format:
        """What lies in a lane of its queue."""
        return self._ctx.wiring.format

    def in_work(self) -> Any:
        """What was taken last, as the operator was given it, but for the number of its input."""
        return self._given.value(self._batch.in_work()[0])

    def end(self, how: Ending) -> None:
        """Close the hand's lane; of an input, that is the end."""
        self.inbox.hand.end(how)

    def _end_lane(self, lane: Lane, stop: StopSignal) -> Arrival:
        self.inbox.retire(lane)
        hand = self.inbox.hand
        if lane is hand.lane:  # it closes last: after all producers, or as an input's only one
            self.ending = self._alignment.ending() if self._alignment.producers else stop.how
            return Arrival(stop, HAND, None)
        counted = self._alignment.end(lane, stop)
        self._let_go(counted)
        heard = ended, producers = len(self._alignment.ended), self._alignment.producers
        if ended == producers and hand.end("completed") and not hand.lane.items:
            self.inbox.retire(hand.lane)
            self.ending = self._alignment.ending()
        return Arrival(stop, lane.producer, heard, counted)

    def _let_go(self, counted: Sequence[Signal]) -> None:
        """Take what stands behind those that were waited for."""
        if any(signal.counts == "aligned" for signal in counted):
            self.inbox.let_go()


class SourceFeed(Feed):
    """Items from a source's iterator, until it is spent or somebody asks it to end.

    Of a guarded source it says how many items may be drawn, and the guard draws them (`draw`): an iterator that raises
    may still have a next item, and none of Python's own loops over it would go on.
    """

    goes_back = True
    turn_changes = ("is_spent", "_unsent")

    def __init__(self, source: Source, ctx: TaskContext, parker: Parker, *, is_guarded: bool) -> None:
        self._source, self._ctx, self._parker, self._is_guarded = source, ctx, parker, is_guarded
        self._end_as: Ending = "completed"
        # How many items will have been drawn when the batch is over; and were before it, without what was idle.
        self._until = self._before = 0
        self.is_spent = False
        self._unsent: Any = NO_PACKET  # what the guard has drawn, and has to send
        source.wait_by(self)

    def take(self, count: int) -> Iterator[Any] | None:
        """The next items, drawn one by one as they are sent; guarded, as many tokens."""
        if self.wants_out:
            self.ending = self._end_as
            return None
        source = self._source
        self._until, self._before = source.drawn + count, source.drawn - source.idled
        return repeat(None, count) if self._is_guarded else islice(source.iterator, count)

    def ran_out(self) -> None:
        """Fewer items than wanted: the iterator is spent, unless the source was asked to end."""
        if not self._is_guarded:
            self.is_spent = self._source.drawn < self._until
        if self.is_spent and not self.wants_out:
            self.ending = "completed"

    def draw(self) -> Any:
        """Guard: the next item. Raises StopIteration, and what the iterator raises."""
        try:
            return self._source.draw()
        except StopIteration:
            self.is_spent = True
            raise

    def ends_by_error(self) -> bool:
        """Guard: whether an error of the iterator has finished it."""
        return self._source.is_generator

    def hold(self, item: Any) -> None:
        """Guard: this item is to be sent; `NO_PACKET`: it is sent, or skipped."""
        self._unsent = item

    def failed_on(self) -> Any:
        """The item that was drawn, if it is that which cannot be sent."""
        return self._unsent

    def close_batch(self) -> int:
        """Say how many items were drawn."""
        before, self._before = self._before, self._source.drawn - self._source.idled
        return self._before - before

    def end(self, how: Ending) -> None:
        """End after the item that is being made; a source that waits by itself is told by `ctx.stopping`."""
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
