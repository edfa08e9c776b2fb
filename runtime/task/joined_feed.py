"""The feed of an operator with several inputs: each packet with the number of its input. Does not know what it is for.

A lane belongs to one input, so the numbers of a batch are known from how many packets of it each lane gave, and are put
beside them in C. The hand's lane belongs to none: what lies in it is `(number, item)`, and is taken apart here.

An input has ended when all its producers have. The operator hears of it when it has worked the last packet of that
input, the hand's too: from the moment the input is closed, the hand is refused there, and what it had put in before is
worked first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain, repeat
from typing import Any

from runtime.communication.element import Format, without_numbers
from runtime.communication.hand import HAND
from runtime.communication.inbox import Inbox
from runtime.communication.lane import Lane
from runtime.communication.packet import Packet, Tracer
from runtime.communication.signals import StopSignal
from runtime.context import TaskContext
from runtime.operators import Operator
from runtime.operators.memory import Keeping
from runtime.scheduling.parker import Parker
from runtime.scheduling.wake_source import WakeSource
from runtime.task.alignment import Arrival
from runtime.task.feed import LaneFeed


class JoinedFeed(LaneFeed):
    """Packets as `(number of the input, item)`."""

    def __init__(
        self, inbox: Inbox, ctx: TaskContext, operator: Operator, parker: Parker, tracer: Tracer | None = None
    ) -> None:
        super().__init__(inbox, ctx, operator, parker, tracer)
        self._hand_format = replace(ctx.wiring.format, numbered=True)
        self._item = self._given.values
        self._unpack = self._with_inputs
        self._open_inputs = inbox.open_inputs()
        # Inputs that are closed, of which the operator has not heard yet: up to which packet of the hand it waits, and
        # the last stop signal.
        self._closed: dict[int, tuple[int, StopSignal]] = {}
        self._by_hand: list[int] = []  # the inputs of the hand's packets in the last batch that had any

    def _with_inputs(self, rest: Iterator[Any]) -> Iterator[Any]:
        """Put its input's number beside each packet of the batch."""
        numbers: list[Iterable[int]] = []
        begin, items = 0, self._batch.items
        for lane, count in self._batch.parts:
            end = begin + count
            if lane is self.inbox.hand.lane:
                self._by_hand, items[begin:end] = without_numbers(items[begin:end])
                numbers.append(self._by_hand)
            else:
                numbers.append(repeat(lane.input, count))
            begin = end
        # The numbers first: zip then ends before it asks for a packet, and `rest` says exactly how far the batch is.
        return zip(chain.from_iterable(numbers), rest if self._item is None else self._item(rest), strict=False)

    def give_to(self, operator: Operator) -> None:
        """Set the key of each packet, if it has one."""
        self._given.give_to(operator)
        self._item = self._given.values

    def seen(self) -> Sequence[Packet]:
        """The packet that has been taken, of a batch of one."""
        seen = super().seen()
        if self._batch.first is self.inbox.hand.lane:
            return [replace(packet, input=self._by_hand[0]) for packet in seen]
        return seen

    def may_end(self) -> bool:
        """Whether a signal is in a lane, or an end is to be heard."""
        return bool(self._closed) or super().may_end()

    def keep_end(self, keeping: Keeping) -> None:
        """The same, with which inputs have."""
        super().keep_end(keeping)
        keeping.attributes(self, ("_open_inputs", "_closed"))

    def taken(self) -> Sequence[tuple[Lane, Sequence[Any]]]:
        """The packet that has been taken, as it lay in its lane: in the hand's with its number."""
        ((lane, items),) = super().taken()
        return ((lane, list(zip(self._by_hand, items, strict=True)) if lane is self.inbox.hand.lane else items),)

    def format(self, lane: Lane) -> Format:
        """What lies in a lane of its queue; in the hand's it names its input."""
        return self._hand_format if lane is self.inbox.hand.lane else super().format(lane)

    def ready(self) -> bool:
        """Whether there is something to take, or an end to be heard."""
        return bool(self._ended()) or super().ready()

    def wait(self) -> None:
        """Return when there is something to take, or an end to be heard: the hand's last packet brings no signal."""
        if not self._ended():
            super().wait()

    def is_dry(self) -> bool:
        """Whether there is neither."""
        return not self._ended() and super().is_dry()

    def _ended(self) -> list[int]:
        """Which inputs have ended, hand and all, of which the operator has not heard. Any thread."""
        if not self._closed:
            return []
        worked_by_hand = self.inbox.hand.lane.taken
        return [number for number, (before, _) in tuple(self._closed.items()) if worked_by_hand >= before]

    def take_event(self) -> Arrival | WakeSource | None:
        """Take what is next; the operator has to hear which input has ended as well, hand and all."""
        event = super().take_event()
        if not (event is None or isinstance(event, Arrival)) or not (ended := self._ended()):
            return event
        inputs = tuple((self._closed.pop(number)[1], number) for number in ended)
        if event is None:  # by the hand's packets that were worked since
            return Arrival(inputs[0][0], HAND, None, ended_inputs=inputs)
        return event._replace(ended_inputs=inputs)

    def _end_lane(self, lane: Lane, stop: StopSignal) -> Arrival:
        arrival = super()._end_lane(lane, stop)
        ended = self._open_inputs - self.inbox.open_inputs()
        self._open_inputs -= ended
        self._closed |= {number: (self.inbox.hand.close_input(number), stop) for number in ended}
        return arrival
