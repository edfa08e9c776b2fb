"""Six small programs: as a session, as the loop that one would have written, and as threads with a queue between.

All three call the same functions, which are cheap, as what is to be measured is everything else.
"""

from __future__ import annotations

import atexit
import tempfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from queue import Queue
from typing import Any, Final

import runtime
from benchmarks import peers
from benchmarks.flow import bounded
from benchmarks.steps import Count, add_one, count_one, double, is_even, key_of, merge, same

Alone = Sequence[Callable[[], Iterable[Any]]]
"""Each calls one function with all that it is given in the program, while somebody draws."""


@dataclass(frozen=True, slots=True)
class Program:
    """A program of `packets` packets, and what comes out of it, however it is run."""

    packets: int
    loop: Callable[[], Any]
    threads: Callable[[], Any]
    add_to: Callable[[runtime.Session], Callable[[], Any]]
    """Writes the graph; what it returns gives the result when the session has ended."""
    alone: Callable[[], Alone]


class Sum:
    """A sink that counts and adds up; used by one thread."""

    def __init__(self) -> None:
        self.found = (0, 0.0)

    def add(self, value: float) -> None:
        """One more."""
        count, total = self.found
        self.found = (count + 1, total + value)


# ── log analysis ──

Hit = tuple[str, int, int]
"""A page, a status and a size."""


def log_lines(count: int) -> list[str]:
    """A log of 50 pages; every eighth line is a comment, every tenth hit has failed."""
    return [
        "# rotated"
        if number % 8 == 7
        else f"10.0.0.{number % 256} /page-{number % 50} {200 if number % 10 else 404} {number % 999}"
        for number in range(count)
    ]


def hits(line: str) -> Sequence[Hit]:
    """The hit that a line tells of, if it does."""
    if line.startswith("#"):
        return ()
    _, page, status, size = line.split()
    return ((page, int(status), int(size)),)


def was_found(hit: Hit) -> bool:
    """Whether the page was there."""
    return hit[1] < 400


def page_of(hit: Hit) -> str:
    """The key."""
    return hit[0]


def add_size(total: int, hit: Hit) -> int:
    """The fold of a page."""
    return total + hit[2]


def log_analysis(packets: int) -> Program:
    """Lines → hits → found → by page → bytes so far → a sink, for each hit."""
    lines = log_lines(packets)

    def loop() -> Any:
        totals: dict[str, int] = {}
        sink = Count()
        for line in lines:
            for hit in hits(line):
                if was_found(hit):
                    page = page_of(hit)
                    total = totals[page] = add_size(totals.get(page, 0), hit)
                    sink.count((page, total))
        return sink.value

    def threads() -> Any:
        totals: dict[str, int] = {}
        sink = Count()

        def fold(hit: Hit) -> tuple[str, int]:
            page = page_of(hit)
            total = totals[page] = add_size(totals.get(page, 0), hit)
            return page, total

        peers.line(
            bounded,
            lines,
            [(peers.flat_mapping, hits), (peers.filtering, was_found), (peers.mapping, fold)],
            sink.count,
        )
        return sink.value

    def add_to(session: runtime.Session) -> Callable[[], Any]:
        sink = Count()
        found = session.source(lines).flat_map(hits).filter(was_found)
        found.key_by(page_of).reduce(add_size, initial=0).sink(sink.count)
        return lambda: sink.value

    def alone() -> Alone:
        told = [hit for line in lines for hit in hits(line)]
        kept = [hit for hit in told if was_found(hit)]
        zeros = [0] * len(kept)
        return [
            partial(map, hits, lines),
            partial(map, was_found, told),
            partial(map, page_of, kept),
            partial(map, add_size, zeros, kept),
            partial(map, Count().count, kept),
        ]

    return Program(packets, loop, threads, add_to, alone)


# ── word count ──

TEXT: Final = tuple(" ".join(f"word{(7 * line + 3 * place) % 500}" for place in range(3)) + " a" for line in range(500))


def text(lines: int) -> Iterator[str]:
    """Lines of four words each, of 500 and a short one."""
    for number in range(lines):
        yield TEXT[number % 500]


def is_long(word: str) -> bool:
    """Whether it counts."""
    return len(word) > 1


def word_count(packets: int) -> Program:
    """A generator of lines → words → upper case → long ones → by word → how many, at the end."""

    def loop() -> Any:
        counts: dict[str, int] = {}
        for line in text(packets):
            for part in str.split(line):
                word = str.upper(part)
                if is_long(word):
                    key = same(word)
                    counts[key] = count_one(counts.get(key, 0), word)
        return counts

    def threads() -> Any:
        counts: dict[str, int] = {}

        def fold(word: str) -> None:
            key = same(word)
            counts[key] = count_one(counts.get(key, 0), word)

        peers.line(
            bounded,
            text(packets),
            [(peers.flat_mapping, str.split), (peers.mapping, str.upper), (peers.filtering, is_long)],
            fold,
        )
        return counts

    def add_to(session: runtime.Session) -> Callable[[], Any]:
        words = session.source(partial(text, packets)).flat_map(str.split).map(str.upper).filter(is_long)
        counts = words.key_by(same).reduce(count_one, initial=0, emit="end").collect()
        return lambda: dict(counts)

    def alone() -> Alone:
        lines = list(text(packets))
        words = [word for line in lines for word in line.split()]
        kept = [word for word in map(str.upper, words) if is_long(word)]
        return [
            partial(text, packets),
            partial(map, str.split, lines),
            partial(map, str.upper, words),
            partial(map, is_long, words),
            partial(map, same, kept),
            partial(map, count_one, [0] * len(kept), kept),
        ]

    return Program(packets, loop, threads, add_to, alone)


# ── a join ──


def join(packets: int) -> Program:
    """Two streams of rows that meet where their keys are equal → count; half of the packets come from either side."""
    rows = packets // 2
    left = [(key, key) for key in range(rows)]
    right = [(key, -key) for key in range(rows)]

    def loop() -> Any:
        sink = Count()
        seen: tuple[dict[int, list[Any]], dict[int, list[Any]]] = ({}, {})
        for pair in zip(left, right, strict=True):
            for side, row in enumerate(pair):
                key = key_of(row)
                seen[side].setdefault(key, []).append(row)
                for other in seen[1 - side].get(key, ()):
                    sink.count(merge(other, row) if side else merge(row, other))
        return sink.value

    def add_to(session: runtime.Session) -> Callable[[], Any]:
        sink = Count()
        stream: Any = session.source(left).key_by(key_of)
        stream.join(session.source(right).key_by(key_of), merge).sink(sink.count)
        return lambda: sink.value

    def alone() -> Alone:
        calls = [partial(map, key_of, left), partial(map, key_of, right), partial(map, merge, left, right)]
        return [*calls, partial(map, Count().count, left)]

    return Program(2 * rows, loop, partial(peers.join_threads, left, right), add_to, alone)


# ── sensor cleaning ──

Reading = tuple[str, float]
"""A sensor and its temperature."""

LETTERS: Final = 1_000  # that are kept


def sensor_lines(count: int) -> list[str]:
    """Readings of 20 sensors, 1 % of which cannot be read, and 10 % of which are impossible."""
    return [
        f"s{number % 20};{'n/a' if number % 100 == 57 else 999 if number % 10 == 3 else number % 60}"
        for number in range(count)
    ]


def read(line: str) -> Reading:
    """What a line says. Raises ValueError."""
    sensor, _, degrees = line.partition(";")
    return sensor, float(degrees)


def is_possible(reading: Reading) -> bool:
    """Whether a sensor can measure that."""
    return reading[1] < 100


def kelvin(reading: Reading) -> float:
    """In other units."""
    return reading[1] + 273.15


def sensors(packets: int) -> Program:
    """Lines → readings, of which the bad ones become dead letters → possible ones → in kelvin → their sum."""
    lines = sensor_lines(packets)

    def loop() -> Any:
        sink, letters, bad = Sum(), deque[tuple[str, Exception]](maxlen=LETTERS), 0
        for line in lines:
            try:
                reading = read(line)
            except ValueError as error:
                bad += 1
                letters.append((line, error))
                continue
            if is_possible(reading):
                sink.add(kelvin(reading))
        return bad, len(letters), sink.found

    def threads() -> Any:
        sink, letters = Sum(), deque[tuple[str, Exception]](maxlen=LETTERS)
        bad = Count()

        def readings(line: str) -> Sequence[Reading]:
            try:
                return (read(line),)
            except ValueError as error:
                bad.count(line)
                letters.append((line, error))
                return ()

        peers.line(
            bounded,
            lines,
            [
                (peers.flat_mapping, readings),
                (peers.filtering, is_possible),
                (peers.mapping, kelvin),
            ],
            sink.add,
        )
        return bad.value, len(letters), sink.found

    def add_to(session: runtime.Session) -> Callable[[], Any]:
        sink = Sum()
        readings = session.source(lines).map(read, name="read", on_error="skip")
        readings.filter(is_possible).map(kelvin).sink(sink.add)
        return lambda: (session.snapshot()["read"].skipped, len(session.dead_letters), sink.found)

    def alone() -> Alone:
        good = [line for line in lines if "n/a" not in line]
        readings = list(map(read, good))
        kept = list(filter(is_possible, readings))
        return [
            partial(map, read, good),
            partial(map, is_possible, readings),
            partial(map, kelvin, kept),
            partial(map, Sum().add, list(map(kelvin, kept))),
        ]

    return Program(packets, loop, threads, add_to, alone)


# ── a file ──


@lru_cache
def file_of(lines: int) -> Path:
    """A file of numbers, until the process ends."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt", delete=False) as file:
        file.writelines(f"{number}\n" for number in range(lines))
    path = Path(file.name)
    atexit.register(path.unlink)
    return path


def lines_of(path: Path) -> Iterator[str]:
    """The lines of a file."""
    with path.open() as file:
        yield from file


def file(packets: int) -> Program:
    """A generator over a file → numbers → even ones → their sum."""
    path = file_of(packets)

    def loop() -> Any:
        sink = Sum()
        for line in lines_of(path):
            number = int(line)
            if is_even(number):
                sink.add(number)
        return sink.found

    def threads() -> Any:
        sink = Sum()
        peers.line(bounded, lines_of(path), [(peers.mapping, int), (peers.filtering, is_even)], sink.add)
        return sink.found

    def add_to(session: runtime.Session) -> Callable[[], Any]:
        sink = Sum()
        session.source(partial(lines_of, path)).map(int).filter(is_even).sink(sink.add)
        return lambda: sink.found

    def alone() -> Alone:
        lines = list(lines_of(path))
        numbers = list(map(int, lines))
        kept = list(filter(is_even, numbers))
        calls = [partial(map, int, lines), partial(map, is_even, numbers), partial(map, Sum().add, kept)]
        return [partial(lines_of, path), *calls]

    return Program(packets, loop, threads, add_to, alone)


# ── three consumers ──


def fan_out(packets: int) -> Program:
    """Numbers to three consumers: one more → a sum; even ones → how many; doubled → a sum."""

    def loop() -> Any:
        more, even, doubled = Sum(), Count(), Sum()
        for number in range(packets):
            more.add(add_one(number))
            if is_even(number):
                even.count(number)
            doubled.add(double(number))
        return more.found, even.value, doubled.found

    def threads() -> Any:
        more, even, doubled = Sum(), Count(), Sum()
        firsts: list[Queue[Any]] = [bounded() for _ in range(3)]
        seconds: list[Queue[Any]] = [bounded() for _ in range(3)]
        peers.run(
            peers.step(peers.feed_all, range(packets), firsts),
            peers.step(peers.mapping, add_one, firsts[0], seconds[0]),
            peers.step(peers.filtering, is_even, firsts[1], seconds[1]),
            peers.step(peers.mapping, double, firsts[2], seconds[2]),
            peers.step(peers.consuming, more.add, seconds[0]),
            peers.step(peers.consuming, even.count, seconds[1]),
            peers.step(peers.consuming, doubled.add, seconds[2]),
        )
        return more.found, even.value, doubled.found

    def add_to(session: runtime.Session) -> Callable[[], Any]:
        more, even, doubled = Sum(), Count(), Sum()
        numbers = session.source(range(packets))
        numbers.map(add_one).sink(more.add)
        numbers.filter(is_even).sink(even.count)
        numbers.map(double).sink(doubled.add)
        return lambda: (more.found, even.value, doubled.found)

    def alone() -> Alone:
        numbers = list(range(packets))
        kept = list(filter(is_even, numbers))
        return [
            partial(map, add_one, numbers),
            partial(map, is_even, numbers),
            partial(map, double, numbers),
            partial(map, Sum().add, numbers),
            partial(map, Count().count, kept),
            partial(map, Sum().add, numbers),
        ]

    return Program(packets, loop, threads, add_to, alone)


PROGRAMS: Final[dict[str, Callable[[int], Program]]] = {
    "log analysis": log_analysis,
    "word count": word_count,
    "join": join,
    "sensors": sensors,
    "file": file,
    "fan-out": fan_out,
}
