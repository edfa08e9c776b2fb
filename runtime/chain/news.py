"""News: what ends the wait of a task though nothing has come for it. Knows no chain."""

from __future__ import annotations

from collections.abc import Iterable
from math import inf
from typing import Any

from runtime.scheduling.parker import Ready


class News:
    """A wake source of which nothing is taken: whoever brings it unparks the thread by itself."""

    def __init__(self, ready: Ready) -> None:
        self.ready = ready

    def ask(self) -> None:
        """Nobody has to be asked."""

    def due_s(self) -> float:
        """Time alone does not bring it."""
        return inf

    def take(self) -> Iterable[Any] | None:
        """Nothing is to be sent for it."""
        return None
