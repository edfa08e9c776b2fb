"""HoldGuard: works packets under a policy that may hold one: it stays first in its lane, and its task stands still.

A packet that is not done has not left its lane (`KeptBatch`). So holding one changes nothing there: the batch ends with
it, the gate closes, and to all who look, edit, step or cancel it is a packet that waits. The next one that passes the
gate is this one again, as it is by then. All that is kept beside it is why it is held.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from runtime.communication.lane import Lane
from runtime.communication.order import index_of, number_at
from runtime.communication.packet import Packet, Place
from runtime.communication.router import Router
from runtime.communication.send_plan import Puts
from runtime.errors import failure_text
from runtime.operators import Operator
from runtime.origins.made import Of
from runtime.task.feed import LaneFeed
from runtime.task.policy_operator import LaneGuard

if TYPE_CHECKING:
    from runtime.task.base_task import BaseTask


Fault = tuple[Packet, BaseException, int]
"""What is held, as it waits; what was raised for it; the version of the function that did. By value."""


class HoldGuard(LaneGuard):
    """Works packets one by one; of those that fail for good it holds the first."""

    turn_changes = ("_fault", "_item", "_made")

    def __init__(self, operator: Operator, feed: LaneFeed, task: BaseTask, router: Router) -> None:
        super().__init__(operator, feed, task, router)
        self._sends_directly = False  # that a packet has succeeded is said before its results are sent
        self._batch = feed.keep_in_work()
        self._inbox = feed.inbox
        # Written by the task's thread, from the hold to the next packet: the fault; then the item in its lane, and what
        # its last attempt has made, if that is all there and only where it goes could not be said.
        self._fault: Fault | None = None
        self._item: Any = None
        self._made: tuple[tuple[Any, ...], tuple[Of, ...]] | None = None

    def fault(self) -> Fault | None:
        """What is held; None: nothing, or it was edited or taken out meanwhile. Any thread, while nobody edits."""
        if (fault := self._fault) is None:
            return None
        place = fault[0].place
        assert place is not None, "it was in a lane"
        lane = self._inbox.lanes[place.lane]
        index = index_of(lane, place.number)
        return None if index is None or lane.items[index] is not self._item else fault

    def release(self) -> None:
        """Let go of what is held as well."""
        super().release()
        self._fault = self._item = self._made = None

    def _puts(self, make: Callable[[], object], value: Any, repeats: bool, attempt: int) -> Puts:
        if not repeats:
            return super()._puts(make, value, repeats, attempt)
        self._batch.keep(True)
        if self._fault is not None:
            make = self._again(make, self._fault)
        try:
            return super()._puts(make, value, repeats, attempt)
        finally:
            self._batch.keep(self._fault is not None)

    def _again(self, make: Callable[[], object], fault: Fault) -> Callable[[], object]:
        """How to work the packet that comes after a hold, which is the same unless somebody has changed that."""
        packet, _, version = fault
        lane, item, made = self._lane_in_work(), self._item, self._made
        self._fault = self._item = self._made = None
        if self._place(lane) != packet.place or lane.items[0] is not item:
            return make
        self._task.counts.retry()
        if made is None or version != self.inner.version:
            return make
        return partial(self._held.add_again, *made)

    def _place(self, lane: Lane) -> Place:
        """That of the first packet of a lane."""
        return Place(self._inbox.lanes.index(lane), number_at(lane, lane.taken))

    def _lane_in_work(self) -> Lane:
        """In which lane the packet in work is; it is the first one there."""
        return self._batch.lane_in_work()

    def _hold(self, error: Exception, *, is_made: bool) -> None:
        lane = self._batch.end_in_work()
        self._hold_at(lane, self._place(lane), lane.items[0], error, is_made=is_made)

    def _hold_at(self, lane: Lane, place: Place, item: Any, error: Exception, *, is_made: bool) -> None:
        task = self._task
        if self._router.tracer is not None:
            self._router.tracer.stay()
        self._item = item
        self._made = (tuple(self._held.all()), tuple(self._held.made_of)) if is_made else None
        packet = task.packet(lane, item, place)
        self._fault = packet, error, self.inner.version
        self._inbox.look_first_at(lane)
        if task.gate.record is not None:
            task.gate.record.hold(error)
        task.gate.close()
        task.reporter.held(task.name, failure_text(packet.payload, error))
