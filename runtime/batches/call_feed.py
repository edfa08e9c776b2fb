"""BatchCallFeed: gathers packets until a batch of them goes, and lets a call of it begin beside those that are open.

A batch goes as in `BatchFeed`, and when a call may begin: there is room for one more, and none of its keys is under
way. Until then its packets wait in their lanes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from runtime.batches.batch_time import BatchTime
from runtime.batches.calls import BatchCall
from runtime.batches.feed import Parts, fronts, packets_of, placed
from runtime.batches.gathered import Gathered, Part
from runtime.communication.inbox import Inbox
from runtime.communication.lane import Lane
from runtime.communication.packet import Packet, Tracer
from runtime.communication.router import Router
from runtime.context import TaskContext
from runtime.operators.operator import Attention, Emit
from runtime.scheduling.parker import Parker
from runtime.scheduling.wake_source import WakeSource, never
from runtime.task.alignment import Arrival
from runtime.task.awaiting.call import CURRENT, Call
from runtime.task.awaiting.feed import CallFeed
from runtime.task.counts import TaskCounts
from runtime.task.feed import LaneFeed
from runtime.task.rated_feed import LEAST_S

if TYPE_CHECKING:
    from runtime.batches.awaited import AsyncMapBatches


class BatchCallFeed(CallFeed):
    """Packets from an inbox, many at a time, each time as one call that has not begun."""

    def __init__(
        self,
        inbox: Inbox,
        ctx: TaskContext,
        operator: AsyncMapBatches,
        parker: Parker,
        tracer: Tracer | None,
        counts: TaskCounts,
        router: Router,
    ) -> None:
        super().__init__(inbox, ctx, operator, parker, tracer, counts)
        self._size, self._within_s, self._router = operator.size, operator.within_s, router
        self._allowance = ctx.wiring.allowance
        self._time = BatchTime(parker, operator.within_s)
        self._is_called = False  # a signal was taken: what came before it in other lanes goes
        self._asked: Parts | None = None  # what a breakpoint has let pass, and nothing else
        # What was taken last: the items, and where they lay.
        self._taken: tuple[list[Any], list[Part]] = ([], [])

    # ── when a batch goes ──

    def _goes(self) -> bool:
        """Whether what waits is to be worked as soon as a call may begin."""
        return self._is_called or self.inbox.presses(self._size) or self._time.is_over()

    def _may_take(self) -> bool:
        """Behind a closed gate a turn by hand takes what waits."""
        if not super()._may_take():
            return False
        parker = self._parker
        return self.calls.held > 0 or parker.is_gated or parker.turn is not None or self._goes()

    def _is_free(self, inbox: Inbox) -> bool:
        """Whether no key of the next batch is under way."""
        if not self.is_keyed:
            return True
        if not super()._is_free(inbox):
            return False
        items, _ = fronts([(lane, self._size) for lane in inbox.order], self._most())
        return self._free(items) == len(items)

    def _free(self, items: Sequence[Any]) -> int:
        """How many of them stand before the first of which the key is under way."""
        if not self.is_keyed or not self.calls:
            return len(items)
        has_key, parts = self.calls.has_key, self.parts
        return next((index for index, item in enumerate(items) if has_key(parts(item)[0])), len(items))

    def wait(self) -> None:
        """Send what is over, until a batch is to go, or a signal is next; or something waits, and the gate is closed.

        Raises Cancelled, and what a call has raised.
        """
        assert self._sends is not None, "waited for before it was made"
        assert self._host is not None, "as well"
        self._host.look_in()
        while True:
            if self._may_give_up():
                self._give_up(self._host)
            self._sends.send_due()
            gathers, left_s = self._gather()
            if self._may_take():
                if (held_s := self._held_s()) <= 0:
                    self._time.stop()
                    return
                self._wait_for_rate(held_s)
            elif self.calls:
                ready = self._may_take_or_send if gathers else self._has_news
                self.inbox.wait_for(ready, "running", left_s, held=never if left_s >= 0 else None)
            elif gathers:
                self.inbox.wait_for(self._may_take, "idle", left_s, held=never)
            else:
                LaneFeed.wait(self)

    def _gather(self) -> tuple[bool, float]:
        """Whether something waits, and for how long that may become more; below 0: until something else comes."""
        if not self.inbox.ready():
            self._time.forget()
            self._is_called = False
            return False, -1
        left_s = self._time.left_s()
        return True, left_s if left_s > 0 else -1

    def _has_news(self) -> bool:
        return self.calls.is_due() or self._may_give_up() or self.inbox.ready()

    def take_event(self) -> Arrival | WakeSource | None:
        """Take a signal that is next in any lane, once no call is open; what waits in the others goes then."""
        self._time.go_on()
        event = super().take_event()
        if isinstance(event, Arrival):
            self._is_called = True
        return event

    # ── by a rate ──

    def _held_s(self) -> float:
        """For how long the rate keeps the next batch from its beginning: it waits for the leave of all its packets."""
        allowance, parker = self._allowance, self._parker
        if allowance is None or parker.unneeded or self.calls.held or self.inbox.signalled_lane() is not None:
            return super()._held_s()
        return min(allowance.due_s(self._wanted()), allowance.due_s() + self._within_s) - parker.clock()

    def _most(self) -> int:
        return self._size if self._allowance is None else self._allowance.at_once(self._size)

    def _wanted(self) -> int:
        return max(1, min(self._most(), len(self.inbox)))

    def begin_again_s(self) -> float:
        """How long a call has to wait for its next attempt, of which each packet counts; 0: not at all."""
        allowance, parker, call = self._allowance, self._parker, CURRENT.get()
        size = 1 if call is None else call.size
        if allowance is None or parker.unneeded or allowance.begin_some(parker.clock, size, size)[1]:
            return 0.0
        return max(allowance.due_s(size) - parker.clock(), LEAST_S)

    # ── the batch ──

    def take(self, count: int) -> Iterator[Any] | None:
        """One batch, however many packets are wanted, if it is to go; before it, calls that were held."""
        if self.calls.held:
            return super().take(count)
        self.takes_again = False
        asked, self._asked = self._asked, None
        parker = self._parker
        if self.calls.room() <= 0 or self.inbox.signalled_lane() is not None:
            return None
        if parker.turn is None and not self._goes():
            return None
        if self._allowance is None or parker.unneeded:
            return self._take_call(asked, self._most())
        began_s, most = self._allowance.begin_some(parker.clock, self._wanted())
        call = self._take_call(asked, most) if most else None
        self._allowance.take_back(began_s, most - len(self._taken[0]))
        return call

    def _take_call(self, asked: Parts | None, most: int) -> Iterator[Call] | None:
        is_new = asked is None or self._parker.turn is not None
        items, parts = self.inbox.gather(most) if is_new else fronts(asked or [], most)
        if (free := self._free(items)) < len(items):  # one has come since it was seen that it may begin
            items, parts = fronts(parts, free)
        if not items:
            return None
        self._is_called = False
        if len(items) == len(self.inbox):
            self._time.begin()
        self._taken = items, placed(parts)
        places = [packet.place for packet in self._packets() if packet.place] if self.calls.may_hold else ()
        for lane, length in parts:
            self.inbox.drop(lane, length)
        if len(items) == 1:
            return iter((Call(items[0], *self.parts(items[0]), places[0] if places else None),))
        values = list(items if (bare := self._given.bare) is None else bare(iter(items)))
        gathered = Gathered(items, values, (), self._given, self._router)
        return iter((BatchCall(gathered, gathered.keys if self.is_keyed else (), places),))

    def call_of(self, item: Any) -> Call:
        """What was taken is one."""
        call: Call = item
        return call

    def may_go_on(self) -> bool:
        """What was taken may begin."""
        return True

    def discard(self, values: Iterator[Any], emit: Emit, attention: Attention) -> None:
        """Take packets of which no call begins."""
        if self.takes_again:
            super().discard(values, emit, attention)
            return
        for _ in values:
            if self._bearer is not None:
                self._bearer.left(self._taken[0])

    def close_batch(self) -> int:
        """Forget what was taken, which has left its lanes. How many packets that were."""
        count = len(self._taken[0])
        self._taken = ([], [])
        return count + super().close_batch()

    # ── looking ──

    def open_packets(self) -> list[Packet]:
        """Any thread: those of open calls, the oldest first."""
        singles = [call.singles() if isinstance(call, BatchCall) else (call,) for call in self.calls.all()]
        return [self.packet_of(single) for each in singles for single in each]

    def coming(self) -> Sequence[Packet]:
        """The packets that will be taken next, and no others, unless the gate is closed first; none, if a signal is."""
        if self.calls.held:
            return super().coming()
        if self.inbox.signalled_lane() is not None:
            return ()
        items, self._asked = self.inbox.gather(self._most())
        return packets_of(self, items, placed(self._asked), self._ctx.name)

    def seen(self) -> Sequence[Packet]:
        """The packets that have been taken."""
        return super().seen() if self.takes_again else self._packets()

    def taken(self) -> Sequence[tuple[Lane, Sequence[Any]]]:
        """The packets that have been taken, lane by lane."""
        if self.takes_again:
            return super().taken()
        items, parts = self._taken
        rest = iter(items)
        return [(lane, list(islice(rest, length))) for lane, _, length in parts]

    def _packets(self) -> list[Packet]:
        return packets_of(self, *self._taken, self._ctx.name)
