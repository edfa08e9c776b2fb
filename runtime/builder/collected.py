"""Collected: the results of a `collect()`, as a list to read. Knows no graph."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any, Protocol, TypeVar, overload

from runtime.errors import CommandRefused, NotOne, NotStarted
from runtime.operators.memory import Keeping
from runtime.texts.preview import preview

T = TypeVar("T")


class Reading(Protocol):
    """How the results of a run are read as they come."""

    def has_come(self) -> bool:
        """Whether the job has ended."""

    def end(self) -> None:
        """Of a job that has ended: raise `TaskFailed` if it has failed."""

    def tell(self, collected: Collected[Any]) -> None:
        """Before the start: let who reads `collected` hear of the end."""

    def read(self, collected: Collected[T]) -> AsyncIterator[T]:
        """All results from the first on."""


class Collected(Sequence[T]):
    """What a `collect()` has gathered so far: a list to read, which grows while the job runs.

    `total` counts all packets, also those beyond the limit, which are not kept.

    `async for value in result` gives each value as soon as it is there, from the first one on, and ends with the job.
    It takes nothing away, so any number may read so, at any time, while and after the job runs; the event loop stays
    free. Raises `NotStarted`; after the last value `TaskFailed`, if the job has failed, or `JobPaused`, if it stands
    still because of a pause, as `wait` does; `CommandRefused`, if the next run has taken away what was not read.
    """

    def __init__(self, limit: int | None) -> None:
        self._values: list[T] = []
        self._limit = limit
        self._beyond = 0
        self._reading: Reading | None = None
        self._round = 0  # how often it was cleared
        self._wakes: deque[Callable[[], object]] = deque()  # of those who wait for more

    @property
    def gather(self) -> Callable[[T], object]:
        """What the sink calls with each packet."""
        return self._values.append if self._limit is None else self._gather_up_to_limit

    @property
    def limit(self) -> int | None:
        """How many are kept; None: all."""
        return self._limit

    def another(self) -> Collected[T]:
        """One that gathers as many, for another run."""
        return Collected(self._limit)

    @property
    def total(self) -> int:
        """How many packets have come."""
        return len(self._values) + self._beyond

    def one(self) -> T:
        """The only result, of a job that has ended.

        Raises `NotOne` if there is none, or more than one; `TaskFailed` if the job has failed; `NotStarted`, and
        `CommandRefused` while it runs, and more may come.
        """
        reading = self._reading
        if reading is None:
            raise NotStarted("there is no result before the session has been started; run() it first")
        if not reading.has_come():
            if self.total <= 1:
                raise CommandRefused("the job still runs, so more results may come; wait() for its end, then ask")
        else:
            reading.end()
        if self.total != 1 or not self._values:
            kept = "" if len(self._values) == self.total else f", of which {len(self._values):,} are kept"
            raise NotOne(f"one() is for exactly one result, and there are {self.total or 'none'}{kept}: {self!r}")
        return self._values[0]

    def clear(self) -> None:
        """Forget what has come. Each run begins with this by itself."""
        self._round += 1  # first: who reads looks at this last
        self._values.clear()
        self._beyond = 0

    def _keep(self, keeping: Keeping) -> None:
        """Let be kept how many there are, before a step that may be taken back."""
        keeping.grows(self._values)
        keeping.attributes(self, ("_beyond",))

    # ── read while it grows ──

    def bind(self, reading: Reading) -> None:
        """A run begins: so its results are read."""
        self._reading = reading
        reading.tell(self)

    def __aiter__(self) -> AsyncIterator[T]:
        if self._reading is None:
            raise NotStarted("there is nothing to wait for before the session has been started; start() first")
        return self._reading.read(self)

    @property
    def round(self) -> int:
        """The run of which these are the results."""
        return self._round

    def part(self, index: int, round_: int) -> tuple[()] | tuple[T] | None:
        """The value of that index, if it has come; None: what was there in that round is gone."""
        try:
            found: tuple[()] | tuple[T] = (self._values[index],)
        except IndexError:
            found = ()
        return found if self._round == round_ else None

    def arrived(self) -> None:
        """Any thread: values have come, or the end has. Wake those who wait."""
        while self._wakes:
            try:
                wake = self._wakes.popleft()
            except IndexError:  # another thread was quicker
                return
            with suppress(RuntimeError):  # the event loop of whoever waited is closed
                wake()

    def wake_by(self, wake: Callable[[], object]) -> None:
        """Call that once when values come. Whoever has said so looks again before he waits."""
        self._wakes.append(wake)

    def forget(self, wake: Callable[[], object]) -> None:
        """He waits no more."""
        with suppress(ValueError):
            self._wakes.remove(wake)

    def _gather_up_to_limit(self, value: T) -> None:
        if len(self._values) < (self._limit or 0):
            self._values.append(value)
        else:
            self._beyond += 1

    @overload
    def __getitem__(self, index: int) -> T: ...

    @overload
    def __getitem__(self, index: slice) -> list[T]: ...

    def __getitem__(self, index: int | slice) -> T | list[T]:
        return self._values[index]

    def __len__(self) -> int:
        return len(self._values)

    def __iter__(self) -> Iterator[T]:
        return iter(self._values)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Collected):
            return self._values == other._values
        return self._values == other if isinstance(other, list) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return preview(self._values)
