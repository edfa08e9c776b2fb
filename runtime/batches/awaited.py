"""AsyncMapBatches: `map_batches` with a function that waits: many batches under way at once, each as one call.

When a batch begins is its feed's business (`batches/call_feed.py`), what a call does `batches/calls.py`, how it is sent
`batches/sending.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from runtime.batches.call_feed import BatchCallFeed
from runtime.batches.calls import BatchWork, Guarded
from runtime.batches.context import BatchCallContext
from runtime.batches.sending import BatchSending
from runtime.operators import register_operator
from runtime.operators.awaited import CONCURRENCY, Awaited
from runtime.operators.function import Context
from runtime.task.awaiting.operator import AwaitingOperator


class AwaitingBatches(AwaitingOperator):
    """Begins a call for each batch."""

    sent_by = BatchSending

    def context_of(self, ctx: Context) -> Context:
        """One in which a call may be for several packets."""
        return BatchCallContext(self._task.ctx, self._host.loop)

    def _make_work(self) -> None:
        feed, tries = self._feed, self._tries
        guarded = None if tries is None else Guarded(tries, tries.policy, self._can_send_fail(), feed.begin_again_s)
        self._work = BatchWork(self.inner, feed.calls, self._host.loop, guarded)

    def _can_send_fail(self) -> bool:
        router = self._router
        return router.plan.check is not None or any(output.key is not None for output, _, _ in router.ways)


class AsyncMapBatches(Awaited):
    """Sends the results that its function is awaited for, for a whole batch, each as that of its packet.

    At most `concurrency` batches are open, and a batch begins only if none of its keys is under way.
    """

    wants_keys = False
    fed_by = BatchCallFeed
    called_by = AwaitingBatches

    def __init__(
        self,
        function: Any,
        *,
        size: int,
        within: float,
        concurrency: int = CONCURRENCY,
        ordered: bool = True,
        timeout: float | None = None,
    ) -> None:
        super().__init__(function, concurrency=concurrency, ordered=ordered, timeout=timeout)
        self.size, self.within_s = size, within

    def results(self, value: Any, made: Any) -> Sequence[Any]:
        """Those of a batch are told apart by its call."""
        raise AssertionError("its calls are for many packets")


register_operator("async_map_batches", AsyncMapBatches)
