"""Gathered: a batch in work. What its function is given, and each of its packets once more while its result is sent.

So what is sent belongs to the packet that it was made of: a trace says so, and an error blames that one. Knows elements
of lanes; neither lanes nor functions.
"""

from __future__ import annotations

from collections.abc import Iterator
from operator import length_hint
from typing import Any

from runtime.communication.element import Given
from runtime.communication.lane import Lane

Parts = list[tuple[Lane, int]]
"""How many packets of which lane, in order."""


class Gathered:
    """Packets that are worked together, in order. Used by the task's thread alone."""

    __slots__ = ("_given", "_rest", "items", "parts", "values")

    def __init__(self, items: list[Any], values: list[Any], parts: Parts, given: Given) -> None:
        self.items, self.values, self.parts, self._given = items, values, parts, given
        self._rest: Iterator[Any] | None = None  # those that `again` has still to draw

    def __len__(self) -> int:
        return len(self.items)

    @property
    def keys(self) -> tuple[Any, ...]:
        """The key of each packet; None where there are no keys."""
        return tuple([self._given.key(item) for item in self.items])

    def again(self) -> Iterator[Any]:
        """The values once more; each is the one in work until the next is drawn, which is when it is over."""
        self._rest = iter(self.items)
        return self._rest if self._given.values is None else self._given.values(self._rest)

    def singles(self) -> Iterator[Gathered]:
        """Each of its packets as a batch of its own, drawn as by `again`."""
        items = iter(self.items)
        for value in self.again():
            yield Gathered([next(items)], [value], [], self._given)

    def unsent(self) -> int:
        """How many `again` has not drawn, once it has begun."""
        return 0 if self._rest is None else length_hint(self._rest)

    def in_work(self) -> Any:
        """What is to be blamed for an error: the value that `again` drew last, or all that the function was given."""
        drawn = 0 if self._rest is None else len(self.items) - length_hint(self._rest)
        return self.values[drawn - 1] if drawn else self.values
