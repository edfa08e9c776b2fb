"""Waiting without a thread: what has to wait is a generator that says for what, and whoever drives it comes back.

A command of a person is carried out by one thread that must never sit out a wait (`commands.py`). So whatever waits on
its way yields an `Until`, and is gone on with when that has come, or its time is over.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from time import monotonic
from typing import TypeVar

T = TypeVar("T")

NEVER: float = math.inf
"""The deadline of a wait without end."""


class Until:
    """A wait: until `ready()` is true, or the clock has come to `deadline`. What is sent back is whether it is ready.

    `watched`: what is waited for may come by anything that a task does, so that tasks have to tell of it; else
    whoever brings it tells of it by himself. `by_tasks`: what follows may be done on the thread of the task that
    brings it, as well as by the thread of commands. `at_rest`: it is asked whether nothing moves, so that all other
    commands that can go on do so first.
    """

    __slots__ = ("at_rest", "by_tasks", "deadline", "ready", "watched")

    def __init__(
        self,
        ready: Callable[[], bool],
        deadline: float = NEVER,
        *,
        watched: bool = True,
        by_tasks: bool = False,
        at_rest: bool = False,
    ) -> None:
        self.ready, self.deadline, self.watched, self.by_tasks = ready, deadline, watched, by_tasks
        self.at_rest = at_rest


Waiting = Generator[Until, bool, T]
"""Something that waits on its way, and what it comes to."""


def deadline_of(timeout_s: float | None) -> float:
    """When a wait of so many seconds from now is over; None: never."""
    return NEVER if timeout_s is None else monotonic() + timeout_s


def drive(waiting: Waiting[T], wait_for: Callable[[Callable[[], bool], float | None], bool]) -> T:
    """Run `waiting` to its end on this thread, which waits by `wait_for(ready, timeout_s)`."""
    try:
        until = next(waiting)
        while True:
            left_s = None if until.deadline == NEVER else max(0.0, until.deadline - monotonic())
            until = waiting.send(wait_for(until.ready, left_s))
    except StopIteration as end:
        value: T = end.value
        return value
