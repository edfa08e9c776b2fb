"""Blocking: finds out that a call holds up its loop, and which one. Knows contexts and times, no packet.

To time each step of each call would cost as much as the step. So what is timed is a turn of the loop, with all the
steps in it. After one that took too long, steps are run and timed one by one for a while, so that the next one that
blocks is named.
"""

from __future__ import annotations

from contextvars import Context
from typing import Final, Protocol

from runtime.task.awaiting.call import CURRENT, Call

BLOCKED_S: Final = 0.1
"""A call that keeps the others from going on for longer is told of."""

_TURNS: Final = 1_000  # of the loop, in which steps are timed one by one


class Listener(Protocol):
    """Who hears what is to be told of a loop. Any number of times."""

    def tell_of_outside(self) -> None:
        """Under a seed, a call waits for something outside of the session."""

    def tell_of_rest(self) -> None:
        """The loop is about to sleep while a call waits for an answer, which may be one that stands still."""

    def tell_of_block(self, seconds: float, call: Call | None) -> None:
        """A call, or some of several, has kept the loop from going on for so long."""


class Blocking:
    """Hears how long turns of a loop took, and steps of single calls. By the thread of the loop."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._left = 0  # turns in which steps are timed one by one
        self._has_told_of: set[bool] = set()  # of some call; of one that it could name

    def looks_closely(self) -> bool:
        """Whether the steps of the next turn are to be timed one by one."""
        if self._left:
            self._left -= 1
        return self._left > 0

    def turn_took(self, seconds: float) -> None:
        """A turn of the loop, or the beginning of some calls, took so long."""
        if seconds > BLOCKED_S:
            self._left = _TURNS
            self._tell_once(seconds, None)

    def step_took(self, seconds: float, context: Context | None) -> None:
        """One step, in this context, took so long."""
        if seconds > BLOCKED_S:
            self._left = _TURNS
            self._tell_once(seconds, None if context is None else context.get(CURRENT))

    def _tell_once(self, seconds: float, call: Call | None) -> None:
        if (call is not None) not in self._has_told_of:
            self._has_told_of.add(call is not None)
            self._listener.tell_of_block(seconds, call)
