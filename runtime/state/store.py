"""All that one task remembers from packet to packet. Knows what to ask for it, not what it is.

That is what functions keep in `ctx.state`, what the operator keeps itself (folded values, rows of a join, the count of
a take, the position of a source), and whose turn it is on each edge that goes in turn: each of them is a part, and what
else is to be remembered is one more part.
"""

from __future__ import annotations

from typing import Any, Protocol

from runtime.communication.router import Router
from runtime.context import TaskContext
from runtime.errors import CommandRefused
from runtime.operators import Operator
from runtime.operators.memory import ALL, Keeping, copy_of, put_back

Copied = tuple[Any, ...]
"""What a task remembered at one moment, by value, part by part: for one key, or all of it."""


class Memory(Protocol):
    """One thing that is remembered. Both are called while the task stands between two packets."""

    def copy(self, key: Any) -> Any:
        """What it is now for this key of the input, or for `ALL`, by value."""

    def restore(self, copied: Any) -> None:
        """Let it be again what it was when this was copied; that may be restored again."""


class Store:
    """The memory of one task. `get` is for any thread; all else while the task stands between two packets."""

    def __init__(self, ctx: TaskContext, operator: Operator, router: Router) -> None:
        self._ctx, self._operator = ctx, operator
        # The operator is first: it alone may refuse to be restored, and then nothing has changed.
        self._parts: tuple[Memory, ...] = (operator, _States(ctx), router)

    def get(self) -> Any:
        """What it remembers, for people to look at: per key on a keyed input, else of the instance."""
        if self._operator.remembers:
            return self._operator.remembered()
        ctx = self._ctx
        states = list(ctx.states.items())  # in one step: the task may be at work
        return {key: dict(state) for key, state in states} if ctx.wiring.format.keyed else dict(ctx.states[None])

    def set(self, key: Any, value: Any) -> None:
        """Let it remember something else for a key. Raises `CommandRefused`."""
        ctx = self._ctx
        if self._operator.remembers:
            self._operator.remember(key, value)
        elif not ctx.wiring.format.keyed:
            ctx.states[None][key] = value
        elif not isinstance(value, dict):
            raise CommandRefused(f"the state of a key is a mapping; give a dict for key {key!r} of {ctx.name!r}")
        else:
            ctx.states[key] = dict(value)

    def copy(self, key: Any = ALL) -> Copied:
        """What it remembers now for this key of its input, or for all, which nothing that happens later changes.

        Raises what user code raises that is copied.
        """
        return tuple(part.copy(key) for part in self._parts)

    def keep(self, keeping: Keeping, key: Any) -> None:
        """Let all be kept that a packet of this key, or a signal (`ALL`), may change of it."""
        self._operator.keep(keeping, key)
        if key is not ALL and self._operator.has_context:
            keeping.slot(self._ctx.states, key if self._ctx.wiring.format.keyed else None)

    def restore(self, copied: Copied) -> None:
        """Remember what was remembered when this was copied; it may be restored again.

        Raises `CommandRefused`, before anything has changed, where a source cannot be drawn from again.
        """
        for part, before in zip(self._parts, copied, strict=True):
            part.restore(before)


class _States:
    """What functions keep in `ctx.state`."""

    def __init__(self, ctx: TaskContext) -> None:
        self._ctx = ctx

    def copy(self, key: Any) -> Any:
        return copy_of(self._ctx.states, key)

    def restore(self, copied: Any) -> None:
        put_back(self._ctx.states, copied, into=_same_mapping)


def _same_mapping(own: dict[Any, Any], values: dict[Any, Any]) -> dict[Any, Any]:
    """A function may hold on to its `ctx.state`, so what is restored goes into that."""
    own.clear()
    own.update(values)
    return own
