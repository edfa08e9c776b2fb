"""What a figure is and how it is measured: all cases in turn, round by round. Knows nothing of what is measured.

The machine is shared and its speed changes from minute to minute. Cases that are to be compared are therefore measured
one right after the other, many times, and compared within a round: whatever else happened then, happened to both.
"""

from __future__ import annotations

import faulthandler
import gc
import statistics
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, Protocol

Sample = Mapping[str, float]
"""What one measurement found, by quantity; the name of a quantity is its unit and what it counts: `ns per packet`."""

HANG_S: Final = 120.0
"""A case that takes longer hangs: all stacks are printed and the process ends."""


class WrongResult(Exception):
    """A case was quick, or not, but what came out is wrong; so there is no figure."""


def check(what: str, found: object, expected: object) -> None:
    """Raise `WrongResult` unless `found` is `expected`."""
    if found != expected:
        raise WrongResult(f"{what}: expected {expected!r:.200}, found {found!r:.200}")


@dataclass(frozen=True, slots=True)
class Scale:
    """How much is measured. All the numbers that `--quick` makes smaller."""

    packets: int = 200_000
    fewer_packets: int = 50_000  # for queue.Queue, which takes ten times as long
    blocked_s: float = 1.0  # how long the packet behind the result blocks
    naps: int = 1_200  # sleeps of 1 ms per instance
    many_instances: int = 64
    ending_packets: int = 20_000
    slow_packets: int = 1_000_000
    tasks: int = 500
    large_tasks: int = 2_000
    written: int = 500  # operators
    sampled_s: float = 2.0
    snapshots: int = 100
    sends: int = 300  # into a job that sleeps
    commands: int = 50
    calls: int = 5_000
    calls_beside_computing: int = 500
    calls_per_session: int = 1_000
    seeded_packets: int = 10_000
    joined_rows: int = 100_000  # on each side
    batched_vectors: int = 100_000
    awaited_naps: int = 2_000
    served_calls: int = 2_000
    calls_at_once: int = 50_000
    questions: int = 5_000
    steps_back: int = 400
    frames: int = 400
    watched_s: float = 10.0
    painted: int = 150  # frames, ten in a second
    clicks: int = 30
    applications: int = 2  # that notebooks are opened in


FULL: Final = Scale()
QUICK: Final = Scale(
    packets=4_000,
    fewer_packets=2_000,
    blocked_s=0.1,
    naps=20,
    many_instances=16,
    ending_packets=1_000,
    slow_packets=20_000,
    tasks=40,
    large_tasks=60,
    written=20,
    sampled_s=0.2,
    snapshots=10,
    sends=10,
    commands=3,
    calls=500,
    calls_beside_computing=10,
    calls_per_session=100,
    seeded_packets=200,
    joined_rows=2_000,
    batched_vectors=2_000,
    awaited_naps=100,
    served_calls=100,
    calls_at_once=2_000,
    questions=200,
    steps_back=20,
    frames=20,
    watched_s=0.5,
    painted=5,
    clicks=2,
    applications=1,
)


@dataclass(frozen=True, slots=True)
class Case:
    """One thing to measure. `measure` does it once and checks the result; `rounds` limits how often, for slow ones."""

    name: str
    measure: Callable[[], Sample]
    rounds: int | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """What a figure should reach."""

    how: Literal["at least", "at most", "below"]
    limit: float

    def met(self, value: float) -> bool:
        """Whether `value` reaches the target."""
        if self.how == "at least":
            return value >= self.limit
        return value <= self.limit if self.how == "at most" else value < self.limit


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the result: a value per round, of which the median counts. Without a target it is there to compare."""

    what: str
    unit: str
    values: Sequence[float]
    target: Target | None = None

    @property
    def median(self) -> float:
        """The figure."""
        return statistics.median(self.values)

    @property
    def met(self) -> bool | None:
        """Whether the median reaches the target; None if there is none."""
        return None if self.target is None else self.target.met(self.median)


class Samples:
    """What has been measured so far: for each case a sample per round."""

    def __init__(self) -> None:
        self.by_case: dict[str, list[Sample]] = {}

    def add(self, case: str, sample: Sample) -> None:
        """Append what `case` gave in this round."""
        self.by_case.setdefault(case, []).append(sample)

    def of(self, case: str, quantity: str) -> list[float]:
        """One value per round."""
        return [sample[quantity] for sample in self.by_case[case]]

    def columns(self) -> dict[str, dict[str, list[float]]]:
        """All values, by case and quantity."""
        found: dict[str, dict[str, list[float]]] = {}
        for case, samples in self.by_case.items():
            columns = found.setdefault(case, defaultdict(list))
            for sample in samples:
                for quantity, value in sample.items():
                    columns[quantity].append(value)
        return found


@dataclass(frozen=True, slots=True)
class Figure:
    """Some cases and what is concluded from them. `meaning` says what a reader may take the rows for."""

    name: str
    meaning: str
    cases: tuple[Case, ...]
    conclude: Callable[[Samples], list[Row]]


class FigureOf(Protocol):
    """Makes a figure of the given scale."""

    def __call__(self, scale: Scale, /) -> Figure:
        """The figure."""


def by_round(combine: Callable[..., float], *columns: Iterable[float]) -> list[float]:
    """`combine` the values of the same round; rounds that one of them did not take part in are left out."""
    return [combine(*values) for values in zip(*columns, strict=False)]


def ratio(of: Sequence[float], to: Sequence[float]) -> list[float]:
    """How many times `to` goes into `of`, by round."""
    return by_round(lambda above, below: above / below, of, to)


def measure(figures: Sequence[Figure], rounds: int) -> dict[str, Samples]:
    """Measure every case of every figure once, then all of them again, `rounds` times in all."""
    found = {figure.name: Samples() for figure in figures}
    for round_ in range(rounds):
        for figure in figures:
            for case in figure.cases:
                if case.rounds is None or round_ < case.rounds:
                    _say(f"round {round_ + 1} of {rounds}  {figure.name}: {case.name}")
                    gc.collect()
                    faulthandler.dump_traceback_later(HANG_S, exit=True, file=_STDERR)
                    try:
                        found[figure.name].add(case.name, case.measure())
                    finally:
                        faulthandler.cancel_dump_traceback_later()
    _say("")
    return found


_STDERR: Final = 2  # by its number: what `sys.stderr` stands for need not be a file


def _say(progress: str) -> None:
    """Show how far it is, on one line that is written over; only to a person."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\033[K{progress}")
        sys.stderr.flush()
