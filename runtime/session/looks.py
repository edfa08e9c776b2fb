"""What a person looks at, in a tab of a browser: whoever looks lets all others go on first. It is imported there alone.

A cell that looks again and again until something has come waits nowhere, so there nothing would ever come. So all that
can be asked of a session gives way first, and of what it has handed out the attributes that grow. It is the same
moment, for those who work, as that at which a thread is preempted elsewhere. Coroutines do not: between two awaits
nobody else of their event loop may run.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import wraps
from inspect import iscoroutinefunction
from types import FunctionType
from typing import Any, Final

from runtime.browser.stacks import RUNNING, SLICE_S
from runtime.builder.collected import Collected
from runtime.control.breakpoints import Breakpoint, Tap
from runtime.history.dead_letters import DeadLetters
from runtime.session.observed import Observed
from runtime.session.steering import Steering

LOOKED_AT: Final[tuple[tuple[type, tuple[str, ...]], ...]] = (
    (Collected, ("_values",)),
    (DeadLetters, ("_letters", "_total")),
    (Breakpoint, ("hits", "packet")),
    (Tap, ("steps",)),
    (threading.Event, ("_flag",)),  # `ctx.stopping`, too
)


class Look:
    """An attribute of objects, whose reader lets others go on if he has run for 8 ms."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, looked_at: Any, kind: type) -> Any:
        if looked_at is None:
            return self
        RUNNING.give_way(SLICE_S)
        return looked_at.__dict__[self._name]

    def __set__(self, looked_at: Any, value: object) -> None:
        looked_at.__dict__[self._name] = value


def _giving(asked: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(asked)
    def ask(*given: Any, **named: Any) -> Any:
        RUNNING.give_way(SLICE_S)
        return asked(*given, **named)

    return ask


def let_others_go_on() -> None:
    """From now on whoever looks does."""
    for kind, names in LOOKED_AT:
        for name in names:
            setattr(kind, name, Look(name))
    for kind in (Observed, Steering):
        for name, asked in list(vars(kind).items()):
            if name.startswith("_") or iscoroutinefunction(asked):
                continue
            if isinstance(asked, property) and asked.fget is not None:
                setattr(kind, name, property(_giving(asked.fget)))
            elif isinstance(asked, FunctionType):
                setattr(kind, name, _giving(asked))
