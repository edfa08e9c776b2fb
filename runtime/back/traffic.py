"""Traffic: what one turn of a task has taken from its lanes and put into others, and its way back. Knows no payload.

A turn takes from the fronts of the lanes of its task, and puts at the ends of those that it fills, which nobody else
does. So each lane is put right by what this turn has done with it, whatever others have done there at the other end.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from runtime.communication.lane import Lane
from runtime.communication.packet import HAND_LANE, Packet, Place
from runtime.communication.signals import Signal

if TYPE_CHECKING:
    from runtime.task.base_task import BaseTask


class Traffic:
    """That of one turn. Made and closed by the task's thread, put back while all who share its lanes stand still."""

    def __init__(self, task: BaseTask, lanes_in: Sequence[Lane], lanes_out: Sequence[Lane], *, may_end: bool) -> None:
        self._task, self._in, self._out = task, lanes_in, lanes_out
        self.raw: Sequence[tuple[Lane, Sequence[Any]]] = ()  # what was taken, as it lay in its lanes
        self._places: Sequence[Place | None] = ()
        # Of each lane, before: how many packets and signals had left, which signals were there; or how many were put.
        self._before_in = [(lane.taken, lane.heard, [*lane.signals] if lane.signals else ()) for lane in lanes_in]
        self._before_out = [(lane.taken + len(lane.items), lane.heard + len(lane.signals)) for lane in lanes_out]
        self._taken: list[tuple[Lane, Sequence[Any], Sequence[tuple[int, Signal]]]] = []
        self._sent: list[tuple[Lane, int, int]] = []
        self._order: Sequence[Lane] = task.inbox.order if lanes_in else ()
        # How many places the hand had, if it could put something in; and how many signals it has put since.
        self._hand: tuple[int, int] | None = None
        if may_end and lanes_in and not lanes_in[HAND_LANE].closed:
            self._hand = task.inbox.hand.free_places, 0

    def take(self, packets: Sequence[Packet]) -> None:
        """These have been taken."""
        self.raw = self._task.taken()
        self._places = [packet.place for packet in packets]

    def has_question(self) -> bool:
        """Whether any of it belongs to a question."""
        task = self._task
        return any(task.format(lane).question_of(item) is not None for lane, items in self.raw for item in items)

    def close(self) -> bool:
        """It is over. False: only a part has been taken of what it had in work."""
        raw, is_whole = {id(lane): items for lane, items in self.raw}, True
        if self._hand is not None:
            hand, (_, heard, signals) = self._in[HAND_LANE], self._before_in[HAND_LANE]
            self._hand = self._hand[0], hand.heard + len(hand.signals) - heard - len(signals)
        for lane, (taken, heard, signals) in zip(self._in, self._before_in, strict=True):
            if lane.taken != taken or lane.heard != heard:
                items = raw.get(id(lane), ()) if lane.taken != taken else ()
                is_whole = is_whole and lane.taken - taken == len(items)
                self._taken.append((lane, items, signals[: lane.heard - heard]))
        for lane, (arrived, signalled) in zip(self._out, self._before_out, strict=True):
            packets, put = lane.taken + len(lane.items) - arrived, lane.heard + len(lane.signals) - signalled
            if packets or put:
                self._sent.append((lane, packets, put))
        self._before_in, self._before_out = [], []
        return is_whole

    def lengths(self) -> Iterator[tuple[Lane, int]]:
        """By how much lanes become longer, if it is put back."""
        yield from ((lane, len(items)) for lane, items, _ in self._taken)
        yield from ((lane, -packets) for lane, packets, _ in self._sent)

    def put_back(self) -> None:
        """Let it never have been, where there is room for what was taken."""
        task = self._task
        for lane, items, signals in self._taken:
            at = self._in.index(lane)
            numbers = [place.number for place in self._places if place is not None and place.lane == at]
            task.inbox.hand.give_back(lane, items, numbers, signals)
        if self._hand is not None and task.hand_closed:
            task.inbox.hand.reopen(*self._hand)
        if self._in:
            task.inbox.look_again(self._order)
        task.withdraw(self._sent)
