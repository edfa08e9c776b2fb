"""An interrupt before a chosen bytecode of what this thread runs, as Ctrl-C would come there. Knows no session.

CPython hears a signal between two bytecodes of the main thread, at some of them only; these come at any. One C call is
never cut in two, here as there.
"""

from __future__ import annotations

import gc
import random
import sys
from collections.abc import Iterator
from types import FrameType, TracebackType
from typing import Any, Final, Self

_CALLED_BACK: Final = ("_weakrefset", "weakref")
"""Python's own, which run when something is let go of: an interrupt there is told of and raised nowhere."""

FEW: Final = 150
"""Up to so many bytecodes of a command are each tried; of more, so many of them."""


class Interrupt:
    """Raises KeyboardInterrupt in the `with` block before the bytecode with this number, counted from 0.

    `count` is how many bytecodes the block came to. Frames that were there before the block are not looked at, nor
    those that Python calls back itself where something is let go of. No garbage is collected meanwhile: what that runs
    on this thread would be counted, and interrupted, as well.
    """

    def __init__(self, number: float) -> None:
        self._number = number
        self.count = 0

    def __enter__(self) -> Self:
        self._before, self._collects = sys.gettrace(), gc.isenabled()
        gc.disable()
        sys.settrace(self._see)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        sys.settrace(self._before)
        if self._collects:
            gc.enable()

    def _see(self, frame: FrameType, event: str, _: object) -> Any:
        if frame.f_globals.get("__name__") in _CALLED_BACK:
            return None
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        if event == "opcode":
            if self.count == self._number:
                raise KeyboardInterrupt
            self.count += 1
        return self._see

    @property
    def has_come(self) -> bool:
        """Whether the block came to that bytecode."""
        return self.count == self._number


def places(count: int) -> Iterator[int]:
    """Which of `count` bytecodes to try: all, or some of each part, the same in every run."""
    if count <= FEW:
        yield from range(count)
        return
    dice = random.Random(count)
    part = count / FEW
    for number in range(FEW):
        yield min(count - 1, int(number * part + dice.random() * part))
