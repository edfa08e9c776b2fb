"""Records: what was done to a run by hand, in order, each with what undoes it and what says it again. Knows no task."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import count, islice, takewhile
from typing import Any, Final

from runtime.communication.note import Act, Note, in_one_step
from runtime.communication.packet import Place
from runtime.scheduling.waiting import Waiting
from runtime.texts.literal import literals_of

MAX_RECORDS: Final = 1_000
"""How many changes that can be taken back are kept, and how many other records."""

MAX_FED: Final = 1_000
"""Of how many values that were sent to inputs it is known which they were: the first ones."""


@dataclass(slots=True, eq=False)
class Record:
    """A command that has changed the run: its name, at which task or operator, and a text of what it has changed.

    `result` is what a step came to, `turn` how many turns had been handed out under a seed. `back` takes it back. From
    `given` it can be said again: its arguments without packets, as Python literals, None for those that are none. So a
    record holds no object of the user's but the `functions` of a replace, as the graph does. `place` is where the
    packet lay that it is about, and `index`, of what a person in a view has done, which one that was of all waiting.
    """

    name: str
    where: str
    text: str
    given: tuple[str | None, ...] = ()
    turn: int | None = None
    back: Callable[[], Waiting[None]] | None = None
    result: str = "done"
    place: Place | None = None
    index: int | None = None
    functions: tuple[Any, ...] = ()
    number: list[int] = field(default_factory=list)
    """Its own among all of the run, from the moment that it stands there."""


class Records:
    """What was done to one run. Any thread may add; only the thread of commands takes out.

    Steps, however many, push out no change that can be taken back.
    """

    def __init__(self) -> None:
        self.numbers = count()
        """Of all that is done to the run by hand, in order."""
        self._changes: deque[Record] = deque(maxlen=MAX_RECORDS)  # that have a way back
        self._others: deque[Record] = deque(maxlen=MAX_RECORDS)
        self._fed: list[Record] = []  # what has come to inputs from outside: no change by hand

    def adding(self, record: Record) -> tuple[Act, ...]:
        """What adds one, as parts of the step in which it happens."""
        return self._adding_to(self._others if record.back is None else self._changes, record)

    def _adding_to(self, records: deque[Record] | list[Record], record: Record) -> tuple[Act, ...]:
        return partial(record.number.extend, islice(self.numbers, 1)), partial(records.append, record)

    def add(self, record: Record) -> None:
        """Add one that has just been carried out."""
        record.number.append(next(self.numbers))
        (self._others if record.back is None else self._changes).append(record)

    def sending(self, where: str, value: Any) -> Callable[[], Note] | None:
        """What notes that `value` was sent to an input. None: it is not noted, as so many were before it."""
        if len(self._fed) >= MAX_FED:
            return None
        record = Record("send", where, f"send to {where}", literals_of(where, value))
        return lambda: Note([], self._adding_to(self._fed, record))

    def ended(self, where: str) -> None:
        """An input was ended."""
        record = Record("end", where, f"end of {where}", literals_of(where))
        in_one_step(self._adding_to(self._fed, record))

    def changes_since(self, number: int) -> list[Record]:
        """Those after this number that can be taken back, the newest first."""
        return list(takewhile(lambda record: record.number[0] > number, reversed(self._changes.copy())))

    def others_since(self, number: int) -> list[Record]:
        """Those after this number that have no way back of their own, the newest first."""
        return list(takewhile(lambda record: record.number[0] > number, reversed(self._others.copy())))

    def last_change(self) -> Record | None:
        """The last that can be taken back."""
        return self._changes[-1] if self._changes else None

    def forget(self, record: Record) -> None:
        """It has been taken back, or never can be."""
        with suppress(ValueError):  # so many have come since that it was pushed out
            (self._changes if record.back is not None else self._others).remove(record)

    def in_order(self) -> list[Record]:
        """All that was done by hand."""
        return sorted([*self._changes.copy(), *self._others.copy()], key=lambda record: record.number)

    @property
    def fed(self) -> list[Record]:
        """The first that was sent to inputs, in order, and which of them were ended."""
        return self._fed.copy()

    @property
    def are_all_kept(self) -> bool:
        """Whether no record has been pushed out by newer ones."""
        return max(len(self._changes), len(self._others)) < MAX_RECORDS
