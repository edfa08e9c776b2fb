"""The breakpoints that pages have set in one session: they stay through its runs. Knows no page."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from runtime import Breakpoint, CommandRefused, Session
from runtime.texts.preview import preview
from sage_nb.python import names_of_notebook
from sage_nb.texts import shown
from sage_nb.wire import BreakpointCard


class PageBreakpoints:
    """Each by its number, with the text of its condition. Any thread may call."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # guards both below
        self._set: dict[int, tuple[Breakpoint, str]] = {}
        self._last = 0  # the number given last

    def add(self, session: Session, task: str, when: str) -> None:
        """Set one before each packet of a task, or before those for which the expression `when` is true."""
        found = session.breakpoint(task, condition_of(when) if when else None)
        with self._lock:
            self._last += 1
            self._set[self._last] = found, when

    def remove(self, number: int) -> None:
        """Remove one. Raises `CommandRefused` if it is gone."""
        with self._lock:
            found, _when = self._set.pop(number, (None, ""))
        if found is None:
            raise CommandRefused("this breakpoint has been removed already")
        found.remove()

    def all(self) -> list[tuple[int, Breakpoint, str]]:
        """Number, breakpoint and condition of each. Those that the session has removed are forgotten."""
        with self._lock:
            self._set = {number: it for number, it in self._set.items() if not it[0].is_removed}
            return [(number, found, when) for number, (found, when) in self._set.items()]

    def cards(self) -> list[BreakpointCard]:
        """All of them, for a page."""
        return [
            BreakpointCard(id=number, task=each.task, when=when, hits=each.hits, text=shown(repr(each)))
            for number, each, when in self.all()
        ]


def condition_of(when: str) -> Callable[[Any], object]:
    """`lambda value: when`, with the names of the notebook. Raises `CommandRefused` for what is no expression."""
    try:
        compile(when, "<condition>", "eval")
    except (SyntaxError, ValueError) as error:
        raise CommandRefused(f"{preview(when)} is no expression of Python: {error}") from None
    condition: Callable[[Any], object] = eval(f"lambda value: ({when}\n)", names_of_notebook())
    return condition
