"""Dead letters: one for each packet that was skipped, to be retried or discarded. Knows no tasks."""

from __future__ import annotations

import inspect
import itertools
import os
import weakref
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from operator import itemgetter
from os import PathLike
from typing import Any, Final, Protocol, overload

from runtime.errors import NO_PACKET, CommandRefused, GraphInvalid, TaskEnded, failure_text
from runtime.origins.made import Edited, Named
from runtime.texts.error_traceback import traceback_text
from runtime.texts.preview import preview
from runtime.texts.sentinel import Sentinel

MAX_LETTERS: Final = 1_000
_FIRST: Final = itemgetter(0)


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
    _stamp: list[int] = field(default_factory=list)  # its number, once it has been kept
    _of: Named = None  # in a traced job, which packet it is of

    @property
    def id(self) -> str | None:
        """In a traced job, the id of its packet."""
        return self._of.id if isinstance(self._of, Edited) else self._of

    @property
    def number(self) -> int:
        """Which letter of its run this is, counted from 1; 0 as long as it is in no run."""
        return self._stamp[0] if self._stamp else 0

    @property
    def item(self) -> Any:
        """What lay in the task's queue: the payload, `(key, payload)` where the input is keyed."""
        return (self.key, self.packet) if self.keyed else self.packet

    @property
    def traceback(self) -> str:
        """Where the error was raised and what it came from, as Python prints it, with notes and members; bounded."""
        return traceback_text(self.error)

    @property
    def text(self) -> str:
        """What failed, on what, and why, in one line."""
        return " ".join(f"{self.task} {failure_text(self.packet, self.error)}".splitlines())

    def __repr__(self) -> str:
        return f"DeadLetter({self.text})"


SAME: Final = Sentinel("SAME", __name__)
"""That the packet is retried as it is. None would be a value."""


class Home(Protocol):
    """The run whose letters they are, as `DeadLetters` sees it."""

    def retry(self, letter: DeadLetter, value: Any, timeout_s: float | None, accepting: Accepting) -> None:
        """Put a letter's packet, or `value` in its place, into its task's queue by hand, as a part of `accepting`.

        Runs key functions. Raises `CommandRefused`, `TaskEnded`, `QueueFull`.
        """

    def act(self, work: Callable[[], None]) -> None:
        """Have something done that never waits, on a thread that no interrupt reaches."""


Outlet = Callable[[DeadLetter], object]
"""What is given each letter as well."""

Putting = Generator[Any, Any, None]
"""The putting of a packet into a queue, which may have to wait for room."""

Accepting = Callable[[Putting], Putting]
"""Extends the putting of a packet by something that is done with it, or not at all."""

Outlets = dict[object, Outlet]
"""What is given each letter of a session, by what stands for one call of `to`."""


class DeadLetters(Sequence[DeadLetter]):
    """What one run has skipped, oldest first: the last 1,000, while `total` counts all.

    A letter can be retried (its packet goes to the tail of its task's queue, once) or discarded; then it is removed. An
    interrupted retry or discard has been done completely or not at all. Any thread may call, also a signal handler or a
    payload's `__del__`: nobody takes a lock. Letters keep their packets and tracebacks alive.
    """

    def __init__(self, outlets: Outlets | None = None) -> None:
        self._home: weakref.ref[Home] | None = None
        self._outlets = {} if outlets is None else outlets
        self._letters: deque[DeadLetter] = deque(maxlen=MAX_LETTERS)
        # By number: those being retried or discarded, and for whom. Changed only where no interrupt comes.
        self._claims: dict[int, object] = {}
        # Both are drawn in the same step, and so are always equal.
        self._numbers, self._totals = itertools.count(1), itertools.count(1)
        self._total: deque[int] = deque((0,), maxlen=1)

    @property
    def total(self) -> int:
        """How many there have been, with those that were retried, discarded, or pushed out by later ones."""
        return self._total[0]

    def _belong_to(self, home: Home) -> None:
        """That is their run. It is held weakly: letters outlive it, and what it holds goes at once."""
        self._home = weakref.ref(home)

    def add(self, letter: DeadLetter) -> None:
        """Runtime: number and keep a letter; the oldest gives way.

        One call into C, as in the event log: no bytecode lies between a letter's number, its place, and the total.
        """
        number, count = map(letter._stamp.append, self._numbers), map(self._total.append, self._totals)
        stamped = zip((letter,), number, count, strict=False)  # the letter comes first: it runs out
        self._letters.extend(map(_FIRST, stamped))

    def has_last(self, count: int) -> bool:
        """Runtime: whether the last so many are all here."""
        numbers = {letter.number for letter in list(self._letters)}
        return numbers.issuperset(range(self.total - count + 1, self.total + 1))

    def take_back(self, count: int) -> None:
        """Runtime, while nobody adds any: the last so many never were."""
        for _ in range(count):
            self._letters.pop()
        total = self.total - count
        self._numbers, self._totals = itertools.count(total + 1), itertools.count(total + 1)
        self._total.append(total)

    def give(self, letter: DeadLetter) -> list[BaseException]:
        """Runtime: give a letter that was added to all that want it as well; what they raised."""
        raised: list[BaseException] = []
        for outlet in list(self._outlets.values()):
            try:
                outlet(letter)
            except BaseException as error:  # noqa: BLE001  the border to user code
                raised.append(error)
        return raised

    def to(self, where: Outlet | str | PathLike[str]) -> Callable[[], None]:
        """Give every letter from now on to a function or a file as well, so that none is lost. Returns what ends it.

        Holds for all runs of the session, and may be said before the first. The function is called with each letter, on
        the thread of the task that has skipped (on Ray on that which brings it to the driver), of several at once; what
        it raises becomes a warning. To the file, a line is appended for each: JSON with `number`, `task`, `input`,
        `key`, `packet` (None for what JSON has no form for), `text`, `at_s` and `traceback`.

        Raises `GraphInvalid`, and `OSError` if nothing can be appended to the file.
        """
        outlet = where if callable(where) else _file_of(where)
        if inspect.iscoroutinefunction(outlet):
            raise GraphInvalid(
                f"{preview(where)} is an `async def`, and letters are given without waiting; use a `def`"
            )
        this = object()
        self._outlets[this] = outlet

        def remove() -> None:
            self._outlets.pop(this, None)

        return remove

    def retry(self, letter: DeadLetter | int, *, value: Any = SAME, timeout: float | None = 0) -> None:
        """Put the packet of a letter (or of the letter at an index) at the tail of its task's queue, by hand.

        With `value`, another payload in place of it, with the key that belongs to that. Once it is accepted the letter
        is gone; whoever comes second is refused. Raises `QueueFull` if there is no room within `timeout` seconds (None:
        without limit) and `TaskEnded` if the task takes nothing any more, and the letter stays; `CommandRefused` if it
        is not here, has no packet, is of a source, or if `value` belongs to another task by its key; `IndexError`; and
        what the key function raises.
        """
        found = self._find(letter)
        self._require_here(found)
        if found.packet is NO_PACKET:
            raise CommandRefused(f"{found!r} has no packet that could be retried; discard it")
        if (home := self._alive_home()) is None:
            raise TaskEnded(f"{found.task!r} is gone, and its session is, too")
        home.retry(found, value, timeout, partial(self._retry, found))

    def _retry(self, letter: DeadLetter, putting: Putting) -> Putting:
        """Where no interrupt comes: once the packet is accepted, the letter is gone."""
        with self._claimed(letter):
            yield from putting
            with suppress(ValueError):  # later letters have pushed it out meanwhile
                self._letters.remove(letter)

    def discard(self, letter: DeadLetter | int) -> None:
        """Forget a letter, or the letter at an index. Raises `CommandRefused` if it is not here, `IndexError`."""
        self._act(partial(self._discard, self._find(letter)))

    def _discard(self, letter: DeadLetter) -> None:
        with self._claimed(letter), suppress(ValueError):
            self._letters.remove(letter)

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
        discarded: list[DeadLetter] = []

        def discard_each() -> None:
            for letter in self:
                with suppress(CommandRefused):  # it is being retried, or somebody else was quicker
                    self._discard(letter)
                    discarded.append(letter)

        self._act(discard_each)
        return len(discarded)

    def _alive_home(self) -> Home | None:
        return None if self._home is None else self._home()

    def _act(self, work: Callable[[], None]) -> None:
        """Have something done where no interrupt comes, as long as there is such a thread."""
        home = self._alive_home()
        work() if home is None else home.act(work)

    def _find(self, letter: DeadLetter | int) -> DeadLetter:
        """The letter that is meant. Raises `IndexError`."""
        if type(letter) is int:
            letters = list(self._letters)
            if not -len(letters) <= letter < len(letters):
                raise IndexError(f"there is no letter {letter}: {len(letters)} are here")
            return letters[letter]
        if not isinstance(letter, DeadLetter):
            raise TypeError(f"{preview(letter)} is neither a letter nor the index of one")
        return letter

    def _require_here(self, letter: DeadLetter) -> None:
        if letter not in list(self._letters):
            raise CommandRefused(f"{letter!r} is not here: it was retried or discarded already, or is of another run")

    @contextmanager
    def _claimed(self, letter: DeadLetter) -> Iterator[DeadLetter]:
        """Keep everybody else from the letter while the block runs. Raises `CommandRefused` if it is not here."""
        number, claim = letter.number, object()
        try:
            if self._claims.setdefault(number, claim) is not claim:
                raise CommandRefused(f"{letter!r} is just being retried")
            self._require_here(letter)  # after the claim: whoever had it before may have removed it
            yield letter
        finally:
            if self._claims.get(number) is claim:
                del self._claims[number]

    @overload
    def __getitem__(self, index: int) -> DeadLetter: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[DeadLetter, ...]: ...

    def __getitem__(self, index: int | slice) -> DeadLetter | tuple[DeadLetter, ...]:
        letters = list(self._letters)
        return tuple(letters[index]) if isinstance(index, slice) else letters[index]

    def __iter__(self) -> Iterator[DeadLetter]:
        return iter(list(self._letters))  # in one step: a deque is not to be gone through while it changes

    def __len__(self) -> int:
        return len(self._letters)

    def __repr__(self) -> str:
        letters = list(self._letters)
        last = f"; the last: {letters[-1].text}" if letters else ""
        return f"DeadLetters({len(letters):,} of {self.total:,}{last})"


def _file_of(path: object) -> Outlet:
    """What appends letters to a file. Raises `GraphInvalid`, `OSError`."""
    if not isinstance(path, str | PathLike):
        raise GraphInvalid(f"letters go to a function or to the path of a file, not to {preview(path)}")
    name = os.fspath(path)
    _append(name, b"")  # raises at once what would be raised for each letter

    def write(letter: DeadLetter) -> None:
        _append(name, f"{_dumped(_record(letter))}\n".encode())

    return write


def _append(name: str, line: bytes) -> None:
    """In one step for the system, so that lines of several threads and processes do not mix."""
    file = os.open(name, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    try:
        while line:
            line = line[os.write(file, line) :]
    finally:
        os.close(file)


def _record(letter: DeadLetter) -> dict[str, Any]:
    return {
        "number": letter.number,
        "task": letter.task,
        "input": letter.input,
        "key": _as_json(letter.key),
        "packet": None if letter.packet is NO_PACKET else _as_json(letter.packet),
        "text": letter.text,
        "at_s": letter.at_s,
        "traceback": letter.traceback,
    }


def _dumped(value: Any) -> str:
    from json import dumps  # noqa: PLC0415  only for those who keep letters in a file

    return dumps(value)


def _as_json(value: Any) -> Any:
    try:
        _dumped(value)
    except Exception:  # noqa: BLE001  the border to user code: no form in JSON, or its own code has raised
        return None
    return value
