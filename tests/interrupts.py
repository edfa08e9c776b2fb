"""An interrupt before a chosen bytecode of what this thread runs, as Ctrl-C would come there. Knows no session.

CPython hears a signal between two bytecodes of the main thread, at some of them only; these come at any. One C call is
never cut in two, here as there.
"""

from __future__ import annotations

import gc
import random
import sys
from collections.abc import Iterable, Iterator
from threading import get_ident
from types import CodeType, FrameType, TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

from tests.effort import some

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

_CALLED_BACK: Final = ("_weakrefset", "weakref")
"""Python's own, which run when something is let go of, and would leave a reference to nothing behind."""

_TOOL: Final = 3  # one of the numbers of sys.monitoring that nobody has reserved

FEW: Final = some(50, of=150)
"""Up to so many bytecodes of a command are each tried; of more, so many of them."""

MOST: Final = 0.9
"""The part of the interrupts of a command that come. A command that waits for a thread is not always as long."""


class Interrupt:
    """Raises KeyboardInterrupt in the `with` block before the bytecode with this number, counted from 0.

    `count` is how many bytecodes the block came to before. Frames that were there before the block are not looked at,
    nor what Python runs for its own weak references. No garbage is collected meanwhile: what that runs on this thread
    would be counted, and interrupted, as well. What ends a generator, or another object, that is let go of can raise
    nothing: an interrupt there has come, and is lost without a word, where Python itself would print it.
    """

    def __init__(self, number: float) -> None:
        self.number = number
        self.count = 0
        self.has_come = False

    def __enter__(self) -> Self:
        self._collects, self._tracing, self._unraisable = gc.isenabled(), sys.gettrace(), sys.unraisablehook
        self._thread, self._block = get_ident(), sys._getframe(1)
        gc.disable()
        sys.unraisablehook = self._lose
        if sys.version_info >= (3, 12):  # where tracing tells of some bytecodes twice and of others never
            sys.monitoring.use_tool_id(_TOOL, "interrupt")
            sys.monitoring.register_callback(_TOOL, sys.monitoring.events.INSTRUCTION, self._monitor)
            sys.monitoring.set_events(_TOOL, sys.monitoring.events.INSTRUCTION)
        else:
            sys.settrace(self._trace)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if sys.version_info >= (3, 12):
            sys.monitoring.set_events(_TOOL, 0)
            sys.monitoring.free_tool_id(_TOOL)
        else:
            sys.settrace(self._tracing)
        sys.unraisablehook = self._unraisable
        if self._collects:
            gc.enable()

    def _monitor(self, _: CodeType, offset: int) -> None:
        """Before each bytecode, of any thread."""
        if get_ident() == self._thread:
            frame = sys._getframe(1)
            if frame is not self._block and _is_looked_at(frame):
                self._meet()

    def _trace(self, frame: FrameType, event: str, _: object) -> Any:
        if not _is_looked_at(frame):
            return None
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        if event == "opcode":
            self._meet()
        return self._trace

    def _lose(self, what: UnraisableHookArgs, /) -> None:
        if what.exc_type is not KeyboardInterrupt:
            self._unraisable(what)

    def _meet(self) -> None:
        if self.has_come:
            return
        if self.count == self.number:
            self.has_come = True
            raise KeyboardInterrupt
        self.count += 1


def _is_looked_at(frame: FrameType) -> bool:
    return frame.f_globals.get("__name__") not in (*_CALLED_BACK, __name__)


def places(count: int) -> Iterator[int]:
    """Which of `count` bytecodes to try: all, or some of each part, the same in every run."""
    if count <= FEW:
        yield from range(count)
        return
    dice = random.Random(count)
    part = count / FEW
    for number in range(FEW):
        yield min(count - 1, int(number * part + dice.random() * part))


def interrupts(numbers: Iterable[int]) -> Iterator[Interrupt]:
    """An interrupt before each of these bytecodes, to be had one by one. Fails if not most of them have come."""
    tried = [Interrupt(number) for number in numbers]
    yield from tried
    come = sum(interrupt.has_come for interrupt in tried)
    said = f"{come} of {len(tried)} interrupts have come"
    assert come >= MOST * len(tried), said
    sys.stdout.write(f"{said}\n")  # `pytest -rP` shows it
