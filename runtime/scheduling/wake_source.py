"""Wake sources: what may come next for a task, besides packets and signals: a timer, a call that has finished.

A task waits for its inbox and all of its sources at once, with nothing in work. So it is paused, cancelled and seen
standing still in one way, whatever it waits for. A source that time brings says when; while one does, the task does not
stand still: time alone moves it. Knows parkers; nothing of packets, timers and calls.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import inf
from typing import Any, Protocol

from runtime.scheduling.parker import Ask, Ready, Waiter


class WakeSource(Protocol):
    """Something that may come next. The task takes it between two packets, once it is ready."""

    def ready(self) -> bool:
        """Whether it has come. Any thread may ask, at any time."""

    def ask(self) -> None:
        """Before each look: the task waits. Whoever brings it about unparks it (`Waiter.unpark`), once `ready`."""

    def due_s(self) -> float:
        """When time alone brings it, by `Waiter.clock` of the task, under a seed virtual; infinity: time does not."""

    def take(self) -> Iterable[Any] | None:
        """What is to be sent for it. From now on it is not ready, until it comes again."""


class News:
    """What ends the wait of a task though nothing has come for it. Whoever brings it unparks the thread by itself."""

    def __init__(self, ready: Ready) -> None:
        self.ready = ready

    def ask(self) -> None:
        """Nobody has to be asked."""

    def due_s(self) -> float:
        """Time alone does not bring it."""
        return inf

    def take(self) -> Iterable[Any] | None:
        """Nothing is to be sent for it."""
        return None


def wait_for_any(waiter: Waiter, ready: Ready, ask: Ask, sources: Sequence[WakeSource]) -> None:
    """Return when what is `ready` has come, or something of `sources`, or may have. Raises Cancelled."""

    def any_ready() -> bool:
        if ready():
            return True
        for source in sources:  # noqa: SIM110  a generator for each look takes twice as long
            if source.ready():
                return True
        return False

    if any_ready():
        return

    def ask_all() -> None:
        ask()
        for source in sources:
            source.ask()

    due_s = inf
    for source in sources:
        due_s = min(due_s, source.due_s())
    if due_s == inf:
        waiter.park(any_ready, "idle", ask=ask_all)
    else:
        waiter.park(any_ready, "idle", max(0.0, due_s - waiter.clock()), held=never, ask=ask_all)


def never() -> bool:
    """Whether one that waits for what time brings stands still."""
    return False
