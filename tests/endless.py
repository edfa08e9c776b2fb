"""What could be sent for ever, and pipelines between that and a `take`; each of them module-level, to be pickled."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from typing import Any, Final

import runtime

Build = Callable[["runtime.Stream[int]"], "runtime.Stream[Any]"]


class Endless(runtime.Function[int, Iterator[int]]):
    """Makes numbers without end of each packet, and notes when a generator is closed."""

    def __init__(self, closed: Any) -> None:
        self.closed = closed

    def __deepcopy__(self, memo: object) -> Endless:
        return self

    def process(self, value: int, /) -> Iterator[int]:
        try:
            yield from count()
        finally:
            self.closed.append(value)


def _third(value: int) -> int:
    return value % 3


ENDLESS: Final[dict[str, Build]] = {
    "flat_map": lambda stream: stream,
    "map": lambda stream: stream.map(abs),
    "filter": lambda stream: stream.filter(lambda value: value % 2 == 0),
    "key_by": lambda stream: stream.key_by(_third).map(abs, parallelism=2),
    "broadcast": lambda stream: stream.broadcast().map(abs, parallelism=2),
    "many": lambda stream: stream.map(abs, parallelism=3).filter(lambda value: True, parallelism=2),
    "flat_map again": lambda stream: stream.flat_map(count),
    "reduce": lambda stream: stream.reduce(lambda total, value: total + value),
    "union": lambda stream: stream.union(stream.map(abs)),
}
"""By name, what makes the stream that is taken from."""
