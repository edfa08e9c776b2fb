"""What user code prints: it is shown in the cell that started the job, or in the log of the view that started it.

ipykernel shows the prints of a thread in the cell whose context the thread runs in, and tasks run in the context of
the cell that started their job. For a job that a page started there is no such cell: its lines are kept here.
"""

from __future__ import annotations

import sys
import threading
from collections import deque
from collections.abc import Callable
from contextvars import ContextVar, copy_context
from functools import partial
from typing import Any, Final, TypeVar

from sage_nb.texts import shown
from sage_nb.wire import PrintedLines

T = TypeVar("T")

MAX_LINES: Final = 1_000

_into: ContextVar[PrintCapture | None] = ContextVar("_into", default=None)
_lock = threading.Lock()  # guards both below, and that streams are diverted while somebody wants it
_wanted: set[PrintCapture] = set()
_diverted: list[tuple[Any, Callable[[str], int]]] = []  # streams, and what stands for their `write`


class PrintCapture:
    """The prints of those jobs of a session that a page has started: the last 1,000 lines are kept, all are counted."""

    def __init__(self) -> None:
        self._keeping = threading.Lock()  # guards all below
        self._lines: deque[str] = deque(maxlen=MAX_LINES)
        self._begun: dict[str, str] = {}  # by stream, the line that has not ended yet
        self.total = 0

    def run(self, start: Callable[[], T]) -> T:
        """Call `start`, which starts a job: what that prints is kept here."""
        self.clear()
        with _lock:
            _wanted.add(self)
            _divert()
        context = copy_context()
        context.run(_into.set, self)
        return context.run(start)

    def is_printing_here(self) -> bool:
        """Whether what the caller prints is kept here."""
        return _into.get() is self

    def clear(self) -> None:
        """Forget all lines: another run begins."""
        with self._keeping:
            self._lines.clear()
            self._begun.clear()
            self.total = 0

    def close(self) -> None:
        """Capture nothing any more."""
        with _lock:
            _wanted.discard(self)
            if not _wanted:
                _divert_no_more()

    def write(self, stream: str, text: str) -> None:
        """Keep what is printed, line by line; a line counts once it has ended."""
        with self._keeping:
            *lines, rest = (self._begun.get(stream, "") + text).split("\n")
            self._begun[stream] = rest[-10 * MAX_LINES :]
            self._lines.extend(shown(line) for line in lines)
            self.total += len(lines)

    def since(self, first: int) -> PrintedLines:
        """The lines from this number on, counted from 0, as far as they are kept."""
        with self._keeping:
            oldest = self.total - len(self._lines)
            first = min(max(first, oldest), self.total)
            return PrintedLines(first=first, lines=list(self._lines)[first - oldest :])


def _divert() -> None:
    """Under the lock: from now on, whoever prints in the context of a `PrintCapture` prints there."""
    for name in ("stdout", "stderr"):
        stream: Any = getattr(sys, name)
        if stream is None or any(each is stream for each, _ in _diverted):
            continue
        write = partial(_write, name, stream.write)
        stream.write = write
        _diverted.append((stream, write))


def _divert_no_more() -> None:
    """Under the lock. What somebody else has put in our place since then stays, and still leads to the stream."""
    for stream, write in _diverted:
        if vars(stream).get("write") is write:
            del stream.write
    _diverted.clear()


def _write(name: str, write: Callable[[str], int], text: str) -> int:
    printed = _into.get()
    if printed is None:
        return write(text)
    printed.write(name, text)
    return len(text)
