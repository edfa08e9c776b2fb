"""Collected: the results of a `collect()`, as a list to read. Knows no graph."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar, overload

from runtime.texts.preview import preview

T = TypeVar("T")


class Collected(Sequence[T]):
    """What a `collect()` has gathered so far: a list to read, which grows while the job runs.

    `total` counts all packets, also those beyond the limit, which are not kept.
    """

    def __init__(self, limit: int | None) -> None:
        self._values: list[T] = []
        self._limit = limit
        self._beyond = 0

    @property
    def gather(self) -> Callable[[T], object]:
        """What the sink calls with each packet."""
        return self._values.append if self._limit is None else self._gather_up_to_limit

    @property
    def total(self) -> int:
        """How many packets have come."""
        return len(self._values) + self._beyond

    def clear(self) -> None:
        """Forget what has come. Each run begins with this by itself."""
        self._values.clear()
        self._beyond = 0

    def _gather_up_to_limit(self, value: T) -> None:
        if len(self._values) < (self._limit or 0):
            self._values.append(value)
        else:
            self._beyond += 1

    @overload
    def __getitem__(self, index: int) -> T: ...

    @overload
    def __getitem__(self, index: slice) -> list[T]: ...

    def __getitem__(self, index: int | slice) -> T | list[T]:
        return self._values[index]

    def __len__(self) -> int:
        return len(self._values)

    def __iter__(self) -> Iterator[T]:
        return iter(self._values)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Collected):
            return self._values == other._values
        return self._values == other if isinstance(other, list) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return preview(self._values)
