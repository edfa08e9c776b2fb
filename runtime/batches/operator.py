"""MapBatches: one result for each packet, made for many of them at once by a function that is given a list.

When a batch goes is its feed's business (`batches/feed.py`), what an error does its guard's (`batches/guard.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from math import inf
from typing import Any

from runtime.batches.context import BatchContext
from runtime.batches.gathered import Gathered
from runtime.batches.guard import BatchGuard, BatchHoldGuard
from runtime.batches.rated import batch_feed
from runtime.batches.results import one_for_each
from runtime.context import TaskContext
from runtime.errors import GraphInvalid
from runtime.operators import Operator, register_operator
from runtime.operators.function import Context
from runtime.operators.operator import Attention, Emit
from runtime.texts.preview import preview


class MapBatches(Operator):
    """Sends the results that its function returns for a whole batch, each as that of its packet."""

    fed_by = staticmethod(batch_feed)
    guarded_by = (BatchGuard, BatchHoldGuard)

    def __init__(self, function: Any, *, size: int, within: float) -> None:
        super().__init__(function)
        self.size, self.within_s = size, within
        self._in_work: Gathered | None = None  # the batch that the function has

    def context_of(self, ctx: Context) -> Context:
        """One in which there is no single packet in work."""
        assert isinstance(ctx, TaskContext), "tasks have no other"
        return BatchContext(ctx, self)

    def receive_packets(self, values: Iterator[Any], emit: Emit, attention: Attention) -> None:
        """Work what the feed has gathered."""
        for gathered in values:
            gathered.send(self.results_of(gathered), emit)

    def results_of(self, gathered: Gathered) -> list[Any]:
        """As many results as there are packets, in their order. Raises what the function raises, and `WrongBatch`."""
        self._in_work = gathered
        try:
            made = self.call(gathered.values.copy())  # which it may change: an error names what it was given
        finally:
            self._in_work = None
        return one_for_each(made, len(gathered))

    def keys(self) -> tuple[Any, ...]:
        """Those of the batch that the function has."""
        return () if self._in_work is None else self._in_work.keys


def batch_options(size: Any, within: Any) -> dict[str, Any]:
    """The options of map_batches. Raises `GraphInvalid`."""
    if type(size) is not int or size < 1:
        raise GraphInvalid(f"size of map_batches is {preview(size)}; it must be a whole number of at least 1")
    if type(within) not in (int, float) or not 0 <= within < inf:
        raise GraphInvalid(f"within of map_batches is {preview(within)}; it must be a number of seconds, 0 or more")
    return {"size": size, "within": float(within)}


register_operator("map_batches", MapBatches)
