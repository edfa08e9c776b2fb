"""CallFeed: what a task works from whose calls go on while it waits. Knows when one may begin, not how.

`wait` is where such a task spends its time: it sends what is over, and returns when a packet may be taken, or a signal,
which comes after all results of what came before it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from runtime.communication.inbox import Inbox
from runtime.communication.order import number_at
from runtime.communication.packet import Packet, Place, Tracer
from runtime.context import TaskContext
from runtime.errors import NO_PACKET
from runtime.graph.policy import policy_of
from runtime.operators.awaited import Awaited
from runtime.operators.operator import Attention, Emit
from runtime.scheduling.parker import Parker, Ready
from runtime.scheduling.wake_source import WakeSource
from runtime.task.alignment import Arrival
from runtime.task.awaiting.call import Call
from runtime.task.awaiting.calls import Calls
from runtime.task.awaiting.host import LoopHost
from runtime.task.counts import TaskCounts
from runtime.task.feed import LaneFeed
from runtime.task.rated_feed import LEAST_S

if TYPE_CHECKING:
    from runtime.task.awaiting.sending import Sending


class CallFeed(LaneFeed):
    """Packets from an inbox, as calls of them may begin; a signal when no call is open any more."""

    goes_back = False

    def __init__(
        self,
        inbox: Inbox,
        ctx: TaskContext,
        operator: Awaited,
        parker: Parker,
        tracer: Tracer | None,
        counts: TaskCounts,
    ) -> None:
        super().__init__(inbox, ctx, operator, parker, tracer)
        self._unpack = None  # a call keeps the item as it lay in its lane
        self._parker, self.is_keyed = parker, ctx.wiring.format.keyed
        may_hold = policy_of(ctx.wiring.node.on_error).may_hold
        self.calls = Calls(operator.concurrency, counts, is_ordered=operator.ordered, may_hold=may_hold)
        self.takes_again = False  # the batch: calls that were held
        self._operator, self._counts = operator, counts
        self._sends: Sending | None = None
        self._host: LoopHost | None = None

    def send_by(self, sends: Sending, host: LoopHost) -> None:
        """From now on, what is over is sent by that, and calls go on by `host`."""
        self._sends, self._host = sends, host

    # ── when something may begin ──

    def ready(self) -> bool:
        """Whether there is a packet, a signal, or a call that is held."""
        return self.calls.held > 0 or super().ready()

    def is_dry(self) -> bool:
        """Whether nothing is to be taken, or waited for, but what writers bring."""
        return not self.calls and super().is_dry()

    def wait(self) -> None:
        """Send what is over, until a packet or a signal may be taken. Raises Cancelled, and what a call has raised."""
        assert self._sends is not None, "waited for before it was made"
        assert self._host is not None, "as well"
        self._host.look_in()
        while True:
            if self._may_give_up():
                self._give_up(self._host)
            self._send_due()
            may_take = self._may_take()
            if self._rests():
                self._sends.stand()
            elif may_take and (held_s := self._held_s()) > 0:
                self._wait_for_rate(held_s)
            elif may_take:
                return
            elif self.calls:
                self.wait_for_calls(self._may_take_or_send)
            else:
                super().wait()

    def _may_give_up(self) -> bool:
        """Whether nobody needs what calls that are under way would make."""
        return self._parker.unneeded and self.calls.under_way > 0

    def _give_up(self, host: LoopHost) -> None:
        """End all that is under way; that takes as long as each `finally` does."""
        under_way = {call: call.task for call in self.calls.all() if call.task is not None}
        host.cancel(list(under_way.values()))
        for call in under_way:
            if not call.is_over:  # its first step was never taken
                self.calls.end(call)
            call.come_to_nothing()

    def _send_due(self) -> None:
        """Send what is due, and let those go on that stream and have room."""
        assert self._sends is not None, "waited for before it was made"
        self._sends.send_due()
        if self.calls.streaming and not self.stands():
            self.calls.let_go_on()

    def stands(self) -> bool:
        """Whether a call that streams stays at its next result: the gate is closed, and nobody steps. Any thread."""
        if not self._parker.is_gated or self._sends is None or self._sends.has_turn():
            return False
        return all(call.turn is None for call in self.calls.all())

    def _rests(self) -> bool:
        """Whether calls stay at a result, so that the task is to stand at its gate. Any thread."""
        return bool(self.calls.streaming) and self.stands() and self.calls.suspended() > 0 and not self.calls.is_due()

    def _held_s(self) -> float:
        """For how long the rate keeps the next packet from its beginning."""
        allowance, parker = self._ctx.wiring.allowance, self._parker
        if allowance is None or parker.unneeded or self.inbox.signalled_lane() is not None:
            return 0.0
        return allowance.due_s() - parker.clock()

    def _wait_for_rate(self, held_s: float) -> None:
        ready = self._is_let_or_sends
        if self.calls.moves():
            self.inbox.wait_for(ready, "running", held_s)
        else:
            self.inbox.wait_for(ready, "held back: rate", held_s, held=_never)

    def _is_let_or_sends(self) -> bool:
        return self.calls.is_due() or self._held_s() <= 0 or self._rests() or self._may_give_up()

    def finish_calls(self, is_called: Ready, has_turn: Ready) -> bool:
        """Send what is over, until all that is open is held or stays at a result, or it is called away. False: it was.

        A turn that is given meanwhile is taken as soon as a call may begin by it. Raises as `wait`.
        """
        calls = self.calls
        if calls.streaming and has_turn():
            self._send_due()
        if not calls.moves():
            return False

        def is_over() -> bool:
            return is_called() and (not has_turn() or self._may_take())

        while calls.moves() and not is_over():
            self._send_due()
            if calls.moves() and not is_over():
                self.wait_for_calls(lambda: calls.is_due() or not calls.moves() or is_over())
        if calls.held:  # what has failed since, and waits for its turn
            self._send_due()
        return True

    def wait_for_calls(self, ready: Ready) -> None:
        """Let calls go on until `ready`: to who looks, the task is at work. Raises Cancelled."""
        self.inbox.wait_for(ready, "running")

    def may_begin(self) -> bool:
        """Whether the next packet or signal need not wait for a call that is under way. Any thread."""
        return self._may_take()

    def _may_take(self) -> bool:
        inbox, calls = self.inbox, self.calls
        if calls.held:
            return calls.next_held() is not None
        if inbox.signalled_lane() is not None:
            return not calls
        if not inbox.ready() or calls.room() <= 0:
            return False
        return not calls or self._is_free(inbox)

    def _may_take_or_send(self) -> bool:
        return self.calls.is_due() or self._may_give_up() or self._may_take() or self._rests()

    def _is_free(self, inbox: Inbox) -> bool:
        """Whether no call of the same key as the next packet is under way."""
        if not self.is_keyed:
            return True
        found = inbox.front()
        return found is not None and not self.calls.has_key(self.parts(found[1])[0])

    # ── taking ──

    def take_event(self) -> Arrival | WakeSource | None:
        """Take a signal that is next, once no call is open."""
        return None if self.calls else super().take_event()

    def take(self, count: int) -> Iterator[Any] | None:
        """Items of lanes, as many as may begin; before these, calls that were held."""
        self.takes_again = self.calls.held > 0
        if not self._may_take() or (not self.takes_again and self.inbox.signalled_lane() is not None):
            return None
        if (allowance := self._ctx.wiring.allowance) is None or self._parker.unneeded:
            return self._take(count if self.takes_again else min(count, self.calls.room()))
        # What may be taken is there: who counts takes it.
        return None if allowance.begin(self._parker.clock) is None else self._take(1)

    def _take(self, count: int) -> Iterator[Any] | None:
        if self.takes_again:
            return self._again(count)
        # One that may be held has to know its place.
        return super().take(1 if self.calls.may_hold else count)

    def _again(self, count: int) -> Iterator[Call]:
        """Calls that were held, each under way as it is taken."""
        for _ in range(count):
            if (call := self.calls.next_held()) is None:
                return
            if self.calls.begin_again(call, self._operator.version):
                self._counts.retry()
            try:
                yield call
            finally:
                if not call.has_begun():  # it was discarded: nobody needs what it would make
                    self.calls.discard(call)
                    if self._bearer is not None:
                        self._bearer.left((call.item,))

    def begin_again_s(self) -> float:
        """How long a call has to wait for its next attempt; 0: not at all, and that is counted."""
        allowance, parker = self._ctx.wiring.allowance, self._parker
        if allowance is None or parker.unneeded or allowance.begin(parker.clock) is not None:
            return 0.0
        return max(allowance.due_s() - parker.clock(), LEAST_S)

    def discard(self, values: Iterator[Any], emit: Emit, attention: Attention) -> None:
        """Take packets of which no call begins."""
        bearer = None if self.takes_again else self._bearer  # those that were held leave by themselves
        super().discard(values if bearer is None else bearer.leaving(values), emit, attention)

    def may_go_on(self) -> bool:
        """Whether a call of the next packet of the batch may begin."""
        if not self.is_keyed or (begun := self.begun()) == len(self._batch.items):
            return True
        return not self.calls.has_key(self.parts(self._batch.items[begun])[0])

    def settle(self) -> None:
        """Before the task waits: make exact what others see."""
        super().settle()
        self.calls.count()

    def call_of(self, item: Any) -> Call:
        """The call of what was taken last, which has not begun."""
        return Call(item, *self.parts(item), self.place() if self.calls.may_hold else None)

    def parts(self, item: Any) -> tuple[Any, Any]:
        """The key, `NO_PACKET` where there is none, and the payload of an item."""
        format = self._ctx.wiring.format
        element = format.element_of(item)
        return element if format.keyed else (NO_PACKET, element)

    def place(self) -> Place:
        """Where the packet lay that was taken, of a batch of one."""
        lane = self._batch.first
        return Place(self.inbox.lanes.index(lane), number_at(lane, self._batch.position()))

    def open_packets(self) -> list[Packet]:
        """Any thread: those of open calls, the oldest first."""
        return list(map(self.packet_of, self.calls.all()))

    def packet_of(self, call: Call) -> Packet:
        """The packet of an open call, as a person sees it. Any thread."""
        format, task = self._ctx.wiring.format, self._ctx.name
        if call.place is not None:
            return format.packet(call.item, task, self.inbox.lanes[call.place.lane], call.place)
        if format.traced:
            packet: Packet = call.item[1] if format.asked else call.item
            return packet
        return Packet(*format.parts(format.element_of(call.item))[::-1], 0, format.keyed, task)

    def coming(self) -> Sequence[Packet]:
        """The packet that would be taken next; none for a signal."""
        call = self.calls.next_held()
        return super().coming() if call is None else (self.packet_of(call),)

    def seen(self) -> Sequence[Packet]:
        """The packet that has been taken, of a batch of one."""
        return self.coming() if self.takes_again else super().seen()

    def failed_on(self) -> Any:
        """What has failed is a call, which says so itself."""
        return NO_PACKET


def _never() -> bool:
    """Time brings it, so it does not stand still."""
    return False
