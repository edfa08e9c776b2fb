"""All that one task remembers from packet to packet. Knows what to ask for it, not what it is.

That is what functions keep in `ctx.state`, what the operator keeps itself (folded values, rows of a join, the count of
a take, the position of a source), and whose turn it is on each edge that goes in turn.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from runtime.communication.router import Router
from runtime.context import TaskContext
from runtime.errors import CommandRefused
from runtime.operators import Operator
from runtime.operators.memory import ALL, Part, copy_of, put_back


class Copied(NamedTuple):
    """What a task remembered at one moment, by value: for one key, or all of it."""

    functions: Part
    operator: Any
    cursors: tuple[int, ...]


class Store:
    """The memory of one task. `get` is for any thread; all else while the task stands between two packets."""

    def __init__(self, ctx: TaskContext, operator: Operator, router: Router) -> None:
        self._ctx, self._operator, self._router = ctx, operator, router

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
        return Copied(copy_of(self._ctx.states, key), self._operator.copy(key), self._router.cursors())

    def restore(self, copied: Copied) -> None:
        """Remember what was remembered when this was copied; it may be restored again.

        Raises `CommandRefused`, before anything has changed, where a source cannot be drawn from again.
        """
        self._operator.restore(copied.operator)
        put_back(self._ctx.states, copied.functions, into=_same_mapping)
        self._router.turn_to(copied.cursors)


def _same_mapping(own: dict[Any, Any], values: dict[Any, Any]) -> dict[Any, Any]:
    """A function may hold on to its `ctx.state`, so what is restored goes into that."""
    own.clear()
    own.update(values)
    return own
