"""Gathered: a batch in work. What its function is given, and each of its packets once more while its result is sent.

So what is sent belongs to the packet that it was made of: a trace says so, and an error blames that one. Knows elements
of lanes; neither lanes nor functions.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from operator import length_hint
from typing import Any

from runtime.communication.element import Given
from runtime.communication.lane import Lane
from runtime.communication.router import Router
from runtime.operators.operator import Emit

Part = tuple[Lane, int, int]
"""Of a lane: how many packets had left when these came, and how many these are."""


class Gathered:
    """Packets that are worked together, in order. Used by the task's thread alone."""

    __slots__ = ("_given", "_rest", "_router", "items", "kept", "parts", "values")

    def __init__(
        self, items: list[Any], values: list[Any], parts: Sequence[Part], given: Given, router: Router
    ) -> None:
        self.items, self.values, self.parts, self._given, self._router = items, values, parts, given, router
        self._rest: Iterator[Any] | None = None  # as many as have results that are still to be sent
        self.kept: list[int] = []  # which are to stay in their lanes

    def __len__(self) -> int:
        return len(self.items)

    @property
    def keys(self) -> tuple[Any, ...]:
        """The key of each packet; None where there are no keys."""
        return tuple([self._given.key(item) for item in self.items])

    def send(self, results: list[Any], emit: Emit) -> None:
        """Send each result as that of its packet; where nobody could tell whose it is, as many at once as have room."""
        router = self._router
        lane = router.plain_lane if emit is router.send else None
        if lane is None:
            for _, result in zip(self.again(), results, strict=True):
                emit(result)
            return
        rest = self._rest = iter(results)
        while left := length_hint(rest):
            if room := lane.claim_room(left):
                lane.fill(list(islice(rest, room)))
            else:
                lane.put(next(rest))

    def again(self) -> Iterator[Any]:
        """The values once more; each is the one in work until the next is drawn, which is when it is over."""
        self._rest = iter(self.items)
        return self._rest if self._given.values is None else self._given.values(self._rest)

    def singles(self) -> Iterator[Gathered]:
        """Each of its packets as a batch of its own, drawn as by `again`."""
        items = iter(self.items)
        for value in self.again():
            yield Gathered([next(items)], [value], [], self._given, self._router)

    def at_work(self) -> int:
        """How many are worked together: all, until the first of them is drawn once more."""
        return len(self.items) if self._rest is None else 1

    def unsent(self) -> int:
        """How many results have not been sent, nor are being, since the first was."""
        return 0 if self._rest is None else length_hint(self._rest)

    def drawn(self) -> int:
        """How many have been drawn once more."""
        return 0 if self._rest is None else len(self.items) - length_hint(self._rest)

    def ranges(self) -> Iterator[tuple[Part, int]]:
        """Each part, and the index of its first packet in the batch."""
        first = 0
        for part in self.parts:
            yield part, first
            first += part[2]

    def keep(self) -> int:
        """Let that one stay in its lane of which the result is to be sent now. Its index."""
        self.kept.append(len(self.items) - self.unsent() - 1)
        return self.kept[-1]

    def staying(self, unsent: int) -> set[int]:
        """Which stay: those, and so many at the end."""
        return {*self.kept, *range(len(self.items) - unsent, len(self.items))}

    def in_work(self) -> Any:
        """What is to be blamed for an error: the value whose result is sent, or all that the function was given."""
        drawn = self.drawn()
        return self.values[drawn - 1] if drawn else self.values
