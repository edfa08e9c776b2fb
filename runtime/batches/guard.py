"""BatchGuard: what a policy other than `fail` does with batches. A batch that fails is worked again, packet by packet.

So one bad packet costs no other its result, and is the one that is skipped, or named. The function is first asked again
for the whole batch, as often as the policy says, then once for each packet alone. Results that the function has made
are sent packet by packet; where a key function raises for one of them, only that is for the policy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any

from runtime.batches.gathered import Gathered
from runtime.communication.lane import Lane
from runtime.communication.order import number_at
from runtime.communication.packet import Place
from runtime.communication.router import Router
from runtime.communication.send_plan import Puts
from runtime.errors import NO_PACKET
from runtime.operators.operator import Attention, Emit
from runtime.task.feed import LaneFeed
from runtime.task.hold_guard import HoldGuard
from runtime.task.policy_operator import LaneGuard, PolicyOperator

if TYPE_CHECKING:
    from runtime.batches.feed import BatchFeed
    from runtime.batches.operator import MapBatches
    from runtime.task.base_task import BaseTask


class BatchGuard(LaneGuard):
    """Works batches by the operator's policy."""

    inner: MapBatches

    def __init__(self, operator: MapBatches, feed: LaneFeed, task: BaseTask, router: Router) -> None:
        super().__init__(operator, feed, task, router)
        self._can_send_fail = self._plan.check is not None or any(
            output.key is not None for output, _, _ in router.ways
        )

    def receive_packets(self, values: Iterator[Any], emit: Emit, attention: Attention) -> None:
        """Work what the feed has gathered."""
        for gathered in values:
            if len(gathered) == 1:
                self._carry_out(self._way_of(gathered), gathered, repeats=True)
            else:
                self._work_all(gathered, emit)

    def _work_all(self, gathered: Gathered, emit: Emit) -> None:
        results = self._results_of(gathered)
        if results is None:
            for single in gathered.singles():
                self._wait_for_repeat(None, single)
                self._carry_out(partial(self._work, single), single)
        elif self._can_send_fail:
            for single, result in zip(gathered.singles(), results, strict=True):
                self._carry_out(partial(self.hold_back, result), single, repeats=True)
        else:
            gathered.send(results, emit)

    def _way_of(self, single: Gathered) -> Callable[[], object]:
        """How to work a batch of one packet."""
        return partial(self._work, single)

    def _may_come_again(self, repeats: bool) -> bool:
        return True

    def _packets_in(self, value: Any) -> int:
        return 0 if value is NO_PACKET else len(value)

    def _parts(self, value: Gathered) -> tuple[Any, Any, int]:
        return value.values[0], value.keys[0], 0

    def _work(self, single: Gathered) -> None:
        for result in self.inner.results_of(single):
            self.hold_back(result)

    def _results_of(self, gathered: Gathered) -> list[Any] | None:
        """What the function makes of a batch, when what it has sent by itself is sent. None: it raises every time.

        Raises what is not for the policy; and Cancelled.
        """
        for attempt in count():
            try:
                results = self.inner.results_of(gathered)
                puts = self._plan.puts(self._held.all())
            except BaseException as error:  # the border to user code
                if not self._is_for_policy(error, gathered):
                    raise
                wait_s = self._repeat_after_s(attempt, error)
            else:
                self._plan.send(puts)
                return results
            finally:
                self._held.clear()
            if wait_s is None:
                break
            self._wait_for_repeat(wait_s, gathered)
        return None


class BatchHoldGuard(BatchGuard, HoldGuard):
    """Works batches under a policy that may hold packets: the good ones of a batch are done, the others stay.

    Of those, the first is what is held; it is worked alone when the gate opens again. The others are tried again then,
    in the batches that come after.
    """

    _feed: BatchFeed

    def _way_of(self, single: Gathered) -> Callable[[], object]:
        way = super()._way_of(single)
        return way if self._fault is None else self._again(way, self._fault)

    def _lane_in_work(self) -> Lane:
        return self._feed.first_lane()

    def _puts(self, make: Callable[[], object], value: Any, repeats: bool, attempt: int) -> Puts:
        return PolicyOperator._puts(self, make, value, repeats, attempt)  # what stays, the feed is told

    def _hold(self, error: Exception, *, is_made: bool) -> None:
        lane, position, item = self._feed.hold()
        if self._fault is None:
            place = Place(self._inbox.lanes.index(lane), number_at(lane, position))
            self._hold_at(lane, place, item, error, is_made=is_made)
