"""A run that dead letters are of, and that takes whatever is retried."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from runtime.history.dead_letters import Accepting, DeadLetter, Putting


class Taker:
    """Has `take` called with the packet of each letter that is retried, on the thread of whoever retries it."""

    def __init__(self, take: Callable[[Any], object]) -> None:
        self._take = take

    def retry(self, letter: DeadLetter, value: Any, timeout_s: float | None, accepting: Accepting) -> None:
        for _ in accepting(self._putting(letter.packet)):
            """It never waits for room."""

    def _putting(self, item: Any) -> Putting:
        self._take(item)
        yield from ()

    def act(self, work: Callable[[], None]) -> None:
        work()
