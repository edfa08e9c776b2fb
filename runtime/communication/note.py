"""Notes: what is recorded in the same atomic step in which a packet of the hand comes in. Knows no queue.

A step is one call into C, which neither another thread nor an interrupt cuts in two. It is made of iterators that are
there before it begins: it makes no object that a collector looks after, whose finalizers could run in the middle.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Any, NamedTuple

Act = Callable[[], object]
"""A part of a step: it has to be C, and to return None."""


class Note(NamedTuple):
    """What is recorded of a packet if, and only if, it comes in."""

    numbers: list[int]
    """Filled with its arrival number in the hand's lane, of each queue that it comes into, in order."""
    acts: tuple[Act, ...]
    """Called then, once, in the same step."""


def no_note() -> Note:
    """There is nothing to record."""
    return Note([], ())


def silent(acts: Iterable[Act]) -> list[Iterator[Any]]:
    """For each of `acts` an empty iterator that calls it once, when it is advanced."""
    return [iter(act, None) for act in acts]


def in_one_step(acts: Iterable[Act]) -> None:
    """Call all of `acts`, one after the other."""
    next(chain.from_iterable(silent(acts)), None)
