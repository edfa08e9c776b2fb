"""What backends do alike with the threads of a job in this process: their gates, their ends. Knows no platform."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack

from runtime.factory.backend import Handle
from runtime.task.local_task import LocalTask


def warn_without_gil() -> None:
    """Let it be known that queues in memory rely on the GIL, if this Python runs without one."""
    if not getattr(sys, "_is_gil_enabled", lambda: True)():
        warnings.warn(
            "this Python runs without the GIL, on which the queues of the local platform rely and where alone they "
            "have been tested; start it with PYTHON_GIL=1",
            RuntimeWarning,
            stacklevel=3,
        )


def retract_from(tasks: Iterable[LocalTask], numbers: Sequence[int]) -> None:
    """Take an item that was put in by hand out of all these queues, or of none: all gates are held meanwhile."""
    with ExitStack() as gates:
        waiting = zip(tasks, numbers, strict=True)
        for retract in [gates.enter_context(task.control.retracting(number)) for task, number in waiting]:
            retract()


def all_gone(handles: Iterable[Handle]) -> Callable[[], bool]:
    """What says whether they are all gone; each is asked no more once it is."""
    left = list(handles)

    def are_gone() -> bool:
        while left and left[-1].is_gone():
            left.pop()
        return not left

    return are_gone


def join_gone(handles: Iterable[Handle]) -> tuple[str, ...]:
    """Let the threads end of those that are gone; the names of the others."""
    stuck = []
    for handle in handles:
        if handle.is_gone():
            handle.join()
        else:
            stuck.append(handle.name)
    return tuple(stuck)
