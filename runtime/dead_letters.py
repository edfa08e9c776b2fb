"""What was skipped: a letter for each, and the box of them that a person can retry from or empty. Knows no tasks."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from traceback import format_tb
from typing import Any, Final, overload

from runtime.errors import NO_PACKET, CommandRefused, TaskEnded, error_text, failure_text
from runtime.preview import preview

MAX_LETTERS: Final = 1_000
_MAX_FRAMES: Final = 20  # of a traceback's text, the innermost


@dataclass(frozen=True, slots=True, eq=False)
class DeadLetter:
    """A packet that was skipped, and why.

    `packet` is the payload (`NO_PACKET` if it happened outside of packets), of a source the item that it had drawn;
    `key` and `input` are what it arrived with, `error` is the original with its traceback, `at_s` is seconds since the
    job was started, `number` counts the letters of a run from 1.
    """

    task: str
    packet: Any
    error: BaseException
    key: Any = None
    keyed: bool = False
    input: int = 0
    at_s: float = 0.0
    number: int = 0

    @property
    def item(self) -> Any:
        """What lay in the task's queue: the payload, `(key, payload)` where the input is keyed."""
        return (self.key, self.packet) if self.keyed else self.packet

    @property
    def traceback(self) -> str:
        """Where the error was raised, as Python prints it, without running code of the error; the innermost frames."""
        frames = format_tb(self.error.__traceback__, limit=-_MAX_FRAMES)
        return f"Traceback (most recent call last):\n{''.join(frames)}{error_text(self.error)}\n"

    @property
    def text(self) -> str:
        """What failed, on what, and why, in one line."""
        return " ".join(f"{self.task} {failure_text(self.packet, self.error)}".splitlines())

    def __repr__(self) -> str:
        return f"DeadLetter({self.text})"


class _Same(Enum):
    """That the packet is retried as it is. None would be a value."""

    SAME = "as it is"


SAME: Final = _Same.SAME


def _nowhere(letter: DeadLetter, value: Any, timeout_s: float | None) -> None:
    """Where the letters of a session that has not started would go; it has none."""
    raise CommandRefused(f"{letter!r} has no queue to go back to: nothing runs")


class DeadLetters(Sequence[DeadLetter]):
    """What one run has skipped, oldest first: the last 1,000, while `total` counts all.

    A letter can be retried (its packet goes to the tail of its task's queue, once) or discarded; then it is here no
    longer. Any thread may call. What is kept keeps packets and tracebacks alive.
    """

    def __init__(self, reenter: Callable[[DeadLetter, Any, float | None], None] = _nowhere) -> None:
        self._reenter = reenter  # puts the packet of a letter back into its task's queue, or raises
        self._lock = threading.Lock()  # guards all below
        self._letters: dict[int, DeadLetter] = {}  # by number
        self._leaving: set[int] = set()  # those being retried; they stay until they have been accepted
        self._total = 0

    @property
    def total(self) -> int:
        """How many there have been, with those that were retried, discarded, or pushed out by later ones."""
        return self._total

    def add(self, letter: DeadLetter) -> None:
        """Runtime: number and keep a letter; the oldest gives way."""
        with self._lock:
            self._total += 1
            self._letters[self._total] = replace(letter, number=self._total)
            if len(self._letters) > MAX_LETTERS:
                del self._letters[next(iter(self._letters))]

    def retry(self, letter: DeadLetter | int, *, value: Any = SAME, timeout: float | None = 0) -> None:
        """Put the packet of a letter (or of the letter at an index) at the tail of its task's queue, by hand.

        With `value`, another payload in place of it, with the key that belongs to that. Once it is accepted the letter
        is gone; whoever comes second is refused. Raises `QueueFull` if there is no room within `timeout` seconds (None:
        without limit) and `TaskEnded` if the task takes nothing any more, and the letter stays; `CommandRefused` if it
        is not here, has no packet, is of a source, or if `value` belongs to another task by its key; `IndexError`; and
        what the key function raises.
        """
        with self._lock:
            found = self._find(letter)
            if found.packet is NO_PACKET:
                raise CommandRefused(f"{found!r} has no packet that could be retried; discard it")
            self._leaving.add(found.number)
        accepted = False
        try:
            self._reenter(found, value, timeout)
            accepted = True
        finally:
            with self._lock:
                self._leaving.discard(found.number)
                if accepted:
                    self._letters.pop(found.number, None)

    def discard(self, letter: DeadLetter | int) -> None:
        """Forget a letter, or the letter at an index. Raises `CommandRefused` if it is not here, `IndexError`."""
        with self._lock:
            del self._letters[self._find(letter).number]

    def retry_all(self, *, timeout: float | None = 0) -> int:
        """Retry every letter that is here now and can be, oldest first; how many there were.

        Raises `QueueFull` and `TaskEnded` as `retry` does; those before are gone then, the others stay.
        """
        retried = 0
        for letter in self:
            try:
                self.retry(letter, timeout=timeout)
            except TaskEnded:
                raise
            except CommandRefused:  # it never can be, or somebody else was quicker
                continue
            retried += 1
        return retried

    def discard_all(self) -> int:
        """Forget every letter but those that are just being retried; how many there were."""
        with self._lock:
            before = len(self._letters)
            self._letters = {number: self._letters[number] for number in self._letters if number in self._leaving}
            return before - len(self._letters)

    def _find(self, letter: DeadLetter | int) -> DeadLetter:
        """The letter that is meant. Under the lock. Raises `CommandRefused`, `IndexError`."""
        if type(letter) is int:
            if not -len(self._letters) <= letter < len(self._letters):
                raise IndexError(f"there is no letter {letter}: {len(self._letters)} are here")
            letter = tuple(self._letters.values())[letter]
        elif not isinstance(letter, DeadLetter):
            raise TypeError(f"{preview(letter)} is neither a letter nor the index of one")
        elif self._letters.get(letter.number) is not letter:
            raise CommandRefused(f"{letter!r} is not here: it was retried or discarded already, or is of another run")
        if letter.number in self._leaving:
            raise CommandRefused(f"{letter!r} is just being retried")
        return letter

    @overload
    def __getitem__(self, index: int) -> DeadLetter: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[DeadLetter, ...]: ...

    def __getitem__(self, index: int | slice) -> DeadLetter | tuple[DeadLetter, ...]:
        return self._now()[index]

    def __iter__(self) -> Iterator[DeadLetter]:
        return iter(self._now())

    def __len__(self) -> int:
        return len(self._letters)

    def __repr__(self) -> str:
        letters = self._now()
        last = f"; the last: {letters[-1].text}" if letters else ""
        return f"DeadLetters({len(letters):,} of {self._total:,}{last})"

    def _now(self) -> tuple[DeadLetter, ...]:
        with self._lock:
            return tuple(self._letters.values())
