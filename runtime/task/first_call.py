"""The first packet of a task in a chain: what its function does to the thread's context decides how it goes on."""

from __future__ import annotations

import contextvars
import decimal
from collections.abc import Callable
from typing import Any


class FirstCall:
    """Works one packet in a context of its own. A function that sets context variables can share a thread with nobody.

    Used by the one thread that works the task.
    """

    def __init__(self, context: contextvars.Context) -> None:
        self._context = context
        self._before: dict[contextvars.ContextVar[Any], Any] = {}
        self.is_over = False
        self.has_set_context = False

    def work(self, call: Callable[..., Any], *values: Any) -> Any:
        """`call(*values)`."""
        try:
            return self._context.run(self._work, call, *values)
        finally:
            self.is_over = True
            self.has_set_context |= any(
                self._before.get(variable, self) is not now for variable, now in self._context.items()
            )
            self._before = {}

    def _work(self, call: Callable[..., Any], *values: Any) -> Any:
        decimals = decimal.getcontext().copy()
        decimal.setcontext(decimals)
        self._before = dict(contextvars.copy_context().items())
        before = _settings(decimals)
        try:
            return call(*values)
        finally:
            self.has_set_context |= _settings(decimals) != before


def _settings(decimals: decimal.Context) -> tuple[object, ...]:
    """What a decimal context says of how to compute; its flags say what has been computed."""
    of = decimals
    return (of.prec, of.rounding, of.Emin, of.Emax, of.capitals, of.clamp, tuple(of.traps.items()))
