"""Traffic: what one turn of a task has taken from its lanes and put into others, and its way back. Knows no payload.

A turn takes from the fronts of the lanes of its task, and puts at the ends of those that it fills, which nobody else
does. So each lane is put right by what this turn has done with it, whatever others have done there at the other end.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from runtime.communication.lane import Lane
from runtime.communication.packet import HAND_LANE, Packet, Place
from runtime.communication.signals import Signal

if TYPE_CHECKING:
    from runtime.task.base_task import BaseTask


class Lanes(NamedTuple):
    """A task, the lanes of its queue, and those that it fills."""

    task: BaseTask
    ins: Sequence[Lane]
    outs: Sequence[Lane]


class Traffic:
    """That of one turn. Made and closed by the task's thread, put back while all who share its lanes stand still."""

    def __init__(self, lanes: Lanes, *, may_end: bool) -> None:
        self._lanes = lanes
        self.raw: Sequence[tuple[Lane, Sequence[Any]]] = ()  # what was taken, as it lay in its lanes
        self._places: Sequence[Place | None] = ()
        # Of each lane, before: how many packets and signals had left, which signals were there; or how many were put.
        self._before = (
            [(lane.taken, lane.heard, [*lane.signals] if lane.signals else ()) for lane in lanes.ins],
            [(lane.taken + len(lane.items), lane.heard + len(lane.signals)) for lane in lanes.outs],
        )
        self._taken: list[tuple[Lane, Sequence[Any], Sequence[tuple[int, Signal]]]] = []
        self._sent: list[tuple[Lane, int, int]] = []
        self._order: Sequence[Lane] = lanes.task.inbox.order if lanes.ins else ()
        # How many places the hand had, if it could put something in; and how many signals it has put since.
        self._hand: tuple[int, int] | None = None
        if may_end and lanes.ins and not lanes.ins[HAND_LANE].closed:
            self._hand = lanes.task.inbox.hand.free_places, 0

    def take(self, packets: Sequence[Packet]) -> None:
        """These have been taken."""
        self.raw = self._lanes.task.taken()
        self._places = [packet.place for packet in packets]

    def has_question(self) -> bool:
        """Whether any of it belongs to a question."""
        task = self._lanes.task
        return any(task.format(lane).question_of(item) is not None for lane, items in self.raw for item in items)

    def close(self) -> bool:
        """It is over. False: only a part has been taken of what it had in work."""
        raw, is_whole = {id(lane): items for lane, items in self.raw}, True
        before_in, before_out = self._before
        if self._hand is not None:
            hand, (_, heard, signals) = self._lanes.ins[HAND_LANE], before_in[HAND_LANE]
            self._hand = self._hand[0], hand.heard + len(hand.signals) - heard - len(signals)
        for lane, (taken, heard, signals) in zip(self._lanes.ins, before_in, strict=True):
            if lane.taken != taken or lane.heard != heard:
                items = raw.get(id(lane), ()) if lane.taken != taken else ()
                is_whole = is_whole and lane.taken - taken == len(items)
                self._taken.append((lane, items, signals[: lane.heard - heard]))
        for lane, (arrived, signalled) in zip(self._lanes.outs, before_out, strict=True):
            packets, put = lane.taken + len(lane.items) - arrived, lane.heard + len(lane.signals) - signalled
            if packets or put:
                self._sent.append((lane, packets, put))
        self._before = ([], [])
        return is_whole

    def lengths(self) -> Iterator[tuple[Lane, int]]:
        """By how much lanes become longer, if it is put back."""
        yield from ((lane, len(items)) for lane, items, _ in self._taken)
        yield from ((lane, -packets) for lane, packets, _ in self._sent)

    def put_back(self) -> None:
        """Let it never have been, where there is room for what was taken."""
        task = self._lanes.task
        for lane, items, signals in self._taken:
            at = self._lanes.ins.index(lane)
            numbers = [place.number for place in self._places if place is not None and place.lane == at]
            task.inbox.hand.give_back(lane, items, numbers, signals)
        if self._hand is not None and task.hand_closed:
            task.inbox.hand.reopen(*self._hand)
        if self._lanes.ins:
            task.inbox.look_again(self._order)
        task.withdraw(self._sent)
