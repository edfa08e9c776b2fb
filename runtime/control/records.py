"""Records: what a person has done to a run, in order, each with the way back that it has. Knows no task."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import count, islice
from typing import Final

from runtime.communication.note import Act
from runtime.scheduling.waiting import Waiting

MAX_RECORDS: Final = 1_000
"""How many changes that can be taken back are kept, and how many other records."""

_TEXTS: Final = {
    ("edit", 2): "edit: {} becomes {}",
    ("move", 2): "move: {} to {}",
    ("inject", 2): "inject: {} on input {}",
    ("set_state", 2): "state of {} becomes {}",
}


@dataclass(slots=True, eq=False)
class Record:
    """A command that has changed the run: its name, at which task or operator, its arguments, payloads as previews.

    `result` is what a step came to, `turn` how many turns had been handed out under a seed. `back` takes it back.
    """

    name: str
    where: str
    args: tuple[str | int | None, ...]
    turn: int | None
    back: Callable[[], Waiting[None]] | None = None
    result: str = "done"
    number: list[int] = field(default_factory=list)
    """Its own among all of the run, from the moment that it stands there."""

    @property
    def text(self) -> str:
        """What it has changed, as it is told."""
        words = _TEXTS.get((self.name, len(self.args)))
        return f"{self.name}: {', '.join(map(str, self.args))}" if words is None else words.format(*self.args)


class Records:
    """What was done to one run. Any thread may add; only the thread of commands takes out.

    Steps, however many, push out no change that can be taken back.
    """

    def __init__(self) -> None:
        self._numbers = count()
        self._changes: deque[Record] = deque(maxlen=MAX_RECORDS)  # that have a way back
        self._others: deque[Record] = deque(maxlen=MAX_RECORDS)

    def adding(self, record: Record) -> tuple[Act, ...]:
        """What adds one, as parts of the step in which it happens."""
        records = self._others if record.back is None else self._changes
        return partial(record.number.extend, islice(self._numbers, 1)), partial(records.append, record)

    def add(self, record: Record) -> None:
        """Add one that has just been carried out."""
        for act in self.adding(record):
            act()

    def last_change(self) -> Record | None:
        """The last that can be taken back."""
        return self._changes[-1] if self._changes else None

    def forget(self, record: Record) -> None:
        """It has been taken back, or never can be."""
        with suppress(ValueError):  # so many have come since that it was pushed out
            self._changes.remove(record)

    def in_order(self) -> list[Record]:
        """All of them."""
        return sorted([*self._changes.copy(), *self._others.copy()], key=lambda record: record.number)
