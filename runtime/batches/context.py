"""A task's context as a function that works batches sees it: packets have keys, the batch has none."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import TYPE_CHECKING, Any, Final

from runtime.batches.calls import BatchCall
from runtime.context import TaskContext
from runtime.errors import WrongBatch
from runtime.task.awaiting.call import CURRENT
from runtime.task.awaiting.context import CallContext

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
        _refuse_single(self, "key")

    @key.setter
    def key(self, key: Any) -> None:
        """It belongs to the packets."""

    @property
    def state(self) -> MutableMapping[Any, Any]:
        """Of an input without keys, what the task remembers. Raises `WrongBatch`."""
        _refuse_single(self, "state")
        return self.states[None]


class BatchCallContext(CallContext):
    """The same where the function waits: `keys` are those of the call that runs this code."""

    @property
    def keys(self) -> tuple[Any, ...]:
        """As in `BatchContext`."""
        call = CURRENT.get()
        if call is None:
            return ()
        if isinstance(call, BatchCall):
            return call.gathered.keys
        return (call.key if self.wiring.format.keyed else None,)

    @property
    def key(self) -> Any:
        """As in `BatchContext`."""
        _refuse_single(self, "key")

    @key.setter
    def key(self, key: Any) -> None:
        """It belongs to the packets."""

    @property
    def state(self) -> MutableMapping[Any, Any]:
        """As in `BatchContext`."""
        _refuse_single(self, "state")
        return self.states[None]


_INSTEAD: Final = {
    "key": "keys: ctx.keys has one for each packet",
    "state": "states: ctx.states[key] is that of a key, and ctx.keys are those of the packets",
}


def _refuse_single(ctx: TaskContext, what: str) -> None:
    if ctx.wiring.format.keyed:
        raise WrongBatch(
            f"ctx.{what} of {ctx.name!r}, which works batches: one may hold packets of several keys, each with "
            f"{_INSTEAD[what]}"
        )
