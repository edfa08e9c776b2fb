"""BatchGuard: what a policy other than `fail` does with batches. A batch that fails is worked again, packet by packet.

So one bad packet costs no other its result, and is the one that is skipped, or named. The function is first asked again
for the whole batch, as often as the policy says, then once for each packet alone. Results that the function has made
are sent packet by packet; where a key function raises for one of them, only that is for the policy.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any

from runtime.batches.gathered import Gathered
from runtime.communication.router import Router
from runtime.errors import NO_PACKET
from runtime.operators.operator import Attention, Emit
from runtime.task.feed import LaneFeed
from runtime.task.policy_operator import LaneGuard

if TYPE_CHECKING:
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
            results = self._results_of(gathered) if len(gathered) > 1 else None
            if len(gathered) == 1:
                self._carry_out(partial(self._work, gathered), gathered, repeats=True)
            elif results is None:
                for single in gathered.singles():
                    self._carry_out(partial(self._work, single), single)
            elif self._can_send_fail:
                for single, result in zip(gathered.singles(), results, strict=True):
                    self._carry_out(partial(self.hold_back, result), single, repeats=True)
            else:
                gathered.send(results, emit)

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
