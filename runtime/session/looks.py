"""What a person looks at, in a tab of a browser: whoever looks lets all others go on first. It is imported there alone.

A cell that looks again and again until something has come waits nowhere, so there nothing would ever come. Each fact of
a session is read by way of one attribute of a few classes; those are replaced by ones that give way when they are read.
It is the same moment, for those who work, as that at which a thread is preempted elsewhere.
"""

from __future__ import annotations

import threading
from typing import Any, Final

from runtime.browser.stacks import RUNNING, SLICE_S
from runtime.builder.collected import Collected
from runtime.control.breakpoints import Breakpoint, Tap
from runtime.history.dead_letters import DeadLetters
from runtime.session.runs import Runs

LOOKED_AT: Final[tuple[tuple[type, tuple[str, ...]], ...]] = (
    (Runs, ("run",)),  # all properties and methods of a session
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


def let_others_go_on() -> None:
    """From now on whoever looks does."""
    for kind, names in LOOKED_AT:
        for name in names:
            setattr(kind, name, Look(name))
