"""What operators keep in a traced job, with the packets that it came from: folded values, and the rows of a join.

They stand in the place of the dicts of `Reduce` and `Join`, so which packets a result is made of is noted in the very
step in which its value is kept: whatever fails, is tried again or is left out is so here as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from runtime.origins.made import MOST_NAMED, OF_NONE, Made, Named, Of


class Folds(dict[Any, Any]):
    """Folded values, by key; and of each, which packets were folded last, and how many there were."""

    def __init__(self, made: Made) -> None:
        super().__init__()
        self._made = made
        self._last: dict[Any, tuple[int, tuple[Named, ...]]] = {}

    def __setitem__(self, key: Any, value: Any) -> None:
        """The packet in work was folded."""
        super().__setitem__(key, value)
        count, last = self._last.get(key, (0, ()))
        self._last[key] = count + 1, (*last[1 - MOST_NAMED :], self._made.in_work)
        self._made.made_of(self._of(key))

    def set_by_hand(self, key: Any, value: Any) -> None:
        """Nobody knows of which packets that is."""
        super().__setitem__(key, value)
        self._last[key] = 1, (None,)

    def _of(self, key: Any) -> Of:
        count, last = self._last.get(key, (0, ()))
        return last, count - len(last)

    def each(self, made: Iterable[Any]) -> Iterator[Any]:
        """What is made of the folded values, one for each key; what comes after is made of none."""
        for key, result in zip(list(self), made, strict=True):
            self._made.made_of(self._of(key))
            yield result
        self._made.made_of(OF_NONE)

    @property
    def history(self) -> dict[Any, Any]:
        """Which packets they are of: a copy of what is in it is a copy of that."""
        return self._last


class Side(dict[Any, Any]):
    """The rows of one input of a join, by key; and which packets they were, in the same order."""

    def __init__(self, made: Made, number: int) -> None:
        super().__init__()
        self._made, self._number = made, number
        self._packets: dict[Any, list[Named]] = {}

    def get(self, key: Any, default: Any = None) -> Any:
        """The rows that the one in work is merged with."""
        self._made.meet(self._packets.get(key, ()), self._number)
        return super().get(key, default)

    def setdefault(self, key: Any, default: Any = None) -> Any:
        """The row in work is kept."""
        self._packets.setdefault(key, []).append(self._made.in_work)
        return super().setdefault(key, default)

    def set_by_hand(self, key: Any, count: int) -> None:
        """So many rows were put there for a key: nobody knows which packets they are."""
        self._packets[key] = [None] * count

    def only(self, rows: Mapping[Any, Any]) -> Side:
        """The same with these of its rows."""
        side = Side(self._made, self._number)
        side.update(rows)
        side._packets = {key: self._packets[key] for key in rows}
        return side

    def send_alone(self, key: Any) -> Iterator[None]:
        """Let what is sent next be made of the first row of a key, then of the second one."""
        for packet in self._packets.get(key, ()):
            self._made.made_of(((packet,), 0))
            yield
        self._made.made_of(OF_NONE)

    @property
    def history(self) -> dict[Any, Any]:
        """Which packets they are: a copy of what is in it is a copy of that."""
        return self._packets
