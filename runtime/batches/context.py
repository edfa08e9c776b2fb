"""BatchContext: a task's context as a function that works batches sees it: packets have keys, the batch has none."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import TYPE_CHECKING, Any

from runtime.context import TaskContext
from runtime.errors import WrongBatch

if TYPE_CHECKING:
    from runtime.batches.operator import MapBatches


class BatchContext(TaskContext):
    """The same context, in which there is no single packet in work.

    * `keys`: that of each packet of the batch in work, in their order; None where the input is not keyed.
    * `states`: what is remembered for each key, `states[key]`, made when it is asked for.

    On a keyed input `key` and `state` raise `WrongBatch`, as a batch may hold packets of several keys.
    """

    __slots__ = ("_operator",)

    def __init__(self, ctx: TaskContext, operator: MapBatches) -> None:
        self.__dict__ = ctx.__dict__  # it is that context, with all that changes in it; only the class differs
        self._operator = operator

    @property
    def keys(self) -> tuple[Any, ...]:
        """The keys of the packets that the function was given, one for each; outside of a batch, none."""
        return self._operator.keys()

    @property
    def key(self) -> Any:
        """Of an input without keys, None. Raises `WrongBatch`."""
        self._refuse_single("key", "keys: ctx.keys has one for each packet")

    @key.setter
    def key(self, key: Any) -> None:
        """It belongs to the packets."""

    @property
    def state(self) -> MutableMapping[Any, Any]:
        """Of an input without keys, what the task remembers. Raises `WrongBatch`."""
        self._refuse_single("state", "states: ctx.states[key] is that of a key, and ctx.keys are those of the packets")
        return self.states[None]

    def _refuse_single(self, what: str, instead: str) -> None:
        if self.wiring.format.keyed:
            raise WrongBatch(
                f"ctx.{what} of {self.name!r}, which works batches: one may hold packets of several keys, each with "
                f"{instead}"
            )
