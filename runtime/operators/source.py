"""Where packets come from: an iterable, a callable that returns one, or a SourceFunction. Knows nothing of tasks."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from itertools import islice
from typing import Any

from runtime.operators.function import Context, SourceFunction
from runtime.operators.operator import Attention, Emit, Operator


class Source(Operator):
    """Sends what its iterator yields. `drawn` counts the items that have been taken from it.

    Of an iterable with parallelism n, instance i takes items i, i + n, i + 2n …; callables and SourceFunctions are
    called once per instance and decide themselves what each yields.
    """

    at_most_one = True

    def __init__(self, function: Any, *, index: int = 0, parallelism: int = 1) -> None:
        super().__init__(function)
        self._index, self._parallelism = index, parallelism
        self.iterator: Iterator[Any] = iter(())
        self.drawn = 0

    def open(self, ctx: Context) -> None:
        """Open the SourceFunction, or call the callable, and ask for the iterator."""
        super().open(ctx)
        function = self.function
        if isinstance(function, SourceFunction):
            self.iterator = iter(function.run())
        elif isinstance(function, Iterable):
            self.iterator = (
                islice(function, self._index, None, self._parallelism) if self._parallelism > 1 else iter(function)
            )
        else:
            self.iterator = iter(function())

    def receive_packets(self, values: Iterator[Any], emit: Emit, attention: Attention) -> None:
        """Send items as they come; `values` is a part of `self.iterator`."""
        drawn = self.drawn
        try:
            for value in values:
                drawn += 1
                emit(value)
                if attention.look_up:
                    return
        finally:
            self.drawn = drawn

    def close(self) -> None:
        """Close a generator, on the thread that ran it, then the SourceFunction."""
        try:
            if isinstance(self.iterator, Generator):
                self.iterator.close()
        finally:
            super().close()
