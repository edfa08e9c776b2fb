"""Three jobs in other libraries and by hand, beside ours: `python -m benchmarks.others`.

The libraries are not among what the tests install (`pip install bytewax reactivex streamz ray`), so what is missing is
left out. Each runs within one process, Ray with an actor for each step and a call for each packet, none of which is
waited for before the last. Wall time says how long a user waits; on a busy machine it favours whoever has more threads,
so CPU time stands beside it.
"""

from __future__ import annotations

import argparse
import os
import queue
import statistics
import sys
from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module, metadata
from importlib.util import find_spec
from time import perf_counter, process_time
from typing import Any, Final

import runtime
from benchmarks import lists, other_libraries, peers
from benchmarks.flow import (
    BOUNDED,
    CAPACITY,
    INSTANCES,
    LARGER,
    NS,
    PLAIN,
    RUNTIME,
    RUNTIME_LARGER,
    SIMPLE,
    bounded,
    line,
)
from benchmarks.harness import Case, Figure, Sample, Samples, check, measure
from benchmarks.other_libraries import OWN_BATCH, own_source, testing_source
from benchmarks.steps import Sale, add_sale, count_one, shop_of, words

PACKETS: Final = 200_000
FEWER: Final = 40_000  # for what takes ten times as long
FEW: Final = 2_000  # for what takes a thousand times as long
WORDS_IN_A_LINE: Final = 8
DIFFERENT: Final = 500  # words, shops
BATCH: Final = 256
ROUNDS: Final = 7
CPU: Final = "ns of CPU"
BY_LISTS: Final = f"threads, lists of {lists.LENGTH} in queue.Queue({lists.DEPTH})"


def case(name: str, packets: int, work: Callable[[], object], expected: object) -> Case:
    """Time all of `work`, per packet."""

    def measured() -> Sample:
        began_s, cpu_s = perf_counter(), process_time()
        result = work()
        took_s, used_s = perf_counter() - began_s, process_time() - cpu_s
        check(name, result, expected)
        return {NS: 1e9 * took_s / packets, CPU: 1e9 * used_s / packets}

    return Case(name, measured)


LIBRARIES: Final = ("bytewax", "reactivex", "streamz", "ray")
unwanted: Final[set[str]] = set()


def has(package: str) -> bool:
    """Whether it is installed, and wanted."""
    return package not in unwanted and find_spec(package) is not None


def named(package: str, how: str) -> str:
    """A case, with the version."""
    return f"{package} {metadata.version(package)}, {how}"


# ── source → +1 → keep even → ×2 → count ──


def lines() -> Figure:
    """The line of five steps, everywhere."""

    def of(name: str, packets: int, work: Callable[[int], object]) -> Case:
        return case(name, packets, partial(work, packets), packets // 2)

    cases = [
        of(PLAIN, PACKETS, peers.line_loop),
        of(BY_LISTS, PACKETS, lists.line),
        of(RUNTIME_LARGER, PACKETS, partial(line, LARGER)),
        of(RUNTIME, PACKETS, partial(line, CAPACITY)),
        of(SIMPLE, PACKETS, partial(peers.line_threads, queue.SimpleQueue)),
        of(BOUNDED, FEWER, partial(peers.line_threads, bounded)),
    ]
    if has("bytewax"):
        job = other_libraries.bytewax_line
        own = named("bytewax", f"own source, batches of {OWN_BATCH}")
        cases += [
            of(own, PACKETS, lambda packets: job(own_source(range(packets)))),
            of(named("bytewax", f"TestingSource({BATCH})"), PACKETS, lambda n: job(testing_source(range(n), BATCH))),
            of(named("bytewax", "TestingSource(1)"), FEWER, lambda n: job(testing_source(range(n), 1))),
        ]
    if has("reactivex"):
        cases.append(of(named("reactivex", "one thread"), PACKETS, other_libraries.reactivex_line))
    if has("streamz"):
        cases.append(of(named("streamz", "emit, one thread"), FEWER, other_libraries.streamz_line))
    if has("ray"):
        import_module("ray").init("local", num_cpus=2, include_dashboard=False, logging_level="ERROR")
        cases.append(of(named("ray", "a call per packet (CPU of the driver)"), FEW, other_libraries.ray_line))
    return Figure("line", "source → +1 → keep even → ×2 → count, per packet of the source", tuple(cases), lambda _: [])


# ── lines → words → how often each comes ──


def word_count(capacity: int, given: Sequence[str]) -> dict[str, int]:
    """The words as a session."""
    with runtime.Session(capacity=capacity) as session:
        split = session.source(given).flat_map(str.split)
        counts = split.key_by(str).reduce(count_one, initial=0, emit="end").collect()
        session.run()
    return dict(counts)


def word_counts() -> Figure:
    """Counting words: each line becomes many packets, and one instance has all keys."""

    def of(name: str, work: Callable[[Sequence[str]], object], packets: int = PACKETS) -> Case:
        some = words(packets, DIFFERENT)
        given = [" ".join(some[at : at + WORDS_IN_A_LINE]) for at in range(0, packets, WORDS_IN_A_LINE)]
        return case(name, packets, partial(work, given), peers.word_count_loop(given))

    cases = [
        of(PLAIN, peers.word_count_loop),
        of(BY_LISTS, lists.word_count),
        of(RUNTIME_LARGER, partial(word_count, LARGER)),
        of(RUNTIME, partial(word_count, CAPACITY)),
        of(SIMPLE, partial(peers.word_count_threads, queue.SimpleQueue)),
        of(BOUNDED, partial(peers.word_count_threads, bounded), FEWER),
    ]
    if has("bytewax"):
        job = other_libraries.bytewax_word_count
        cases.append(of(named("bytewax", f"own source, batches of {OWN_BATCH}"), lambda given: job(own_source(given))))
    return Figure("words", f"lines of {WORDS_IN_A_LINE} words → words → counts, per word", tuple(cases), lambda _: [])


# ── sales → the sum of each shop ──


def sums(capacity: int, given: Sequence[Sale]) -> dict[str, int]:
    """The sums as a session."""
    with runtime.Session(capacity=capacity) as session:
        sales = session.source(given).key_by(shop_of)
        found = sales.reduce(add_sale, initial=0, emit="end", parallelism=INSTANCES).collect()
        session.run()
    return dict(found)


def keyed_sums() -> Figure:
    """Sums, divided by key among instances; bytewax has one worker."""

    def of(name: str, work: Callable[[Sequence[Sale]], object], packets: int = PACKETS) -> Case:
        given = [(shop, number) for number, shop in enumerate(words(packets, DIFFERENT))]
        return case(name, packets, partial(work, given), peers.sums_loop(given))

    def in_threads(new_queue: peers.NewQueue) -> Callable[[Sequence[Sale]], object]:
        return lambda given: peers.sums_threads(new_queue, given, INSTANCES)

    cases = [
        of(PLAIN, peers.sums_loop),
        of(BY_LISTS, lambda given: lists.sums(given, INSTANCES)),
        of(RUNTIME_LARGER, partial(sums, LARGER)),
        of(RUNTIME, partial(sums, CAPACITY)),
        of(SIMPLE, in_threads(queue.SimpleQueue)),
        of(BOUNDED, in_threads(bounded), FEWER),
    ]
    if has("bytewax"):
        job = other_libraries.bytewax_sums
        cases.append(of(named("bytewax", f"own source, batches of {OWN_BATCH}"), lambda given: job(own_source(given))))
    what = f"sales → the sum of each of {DIFFERENT} shops, in {INSTANCES} instances, per sale"
    return Figure("sums", what, tuple(cases), lambda _: [])


FIGURES: Final = {"line": lines, "words": word_counts, "sums": keyed_sums}


def shown(figure: Figure, samples: Samples) -> str:
    """The medians of a figure, the quickest first, with their range."""
    rows: list[tuple[float, str]] = []
    for each in figure.cases:
        wall, cpu = samples.of(each.name, NS), samples.of(each.name, CPU)
        middle = statistics.median(wall)
        spread = f"({min(wall):,.0f} to {max(wall):,.0f})"
        rows.append((middle, f"{middle:12,.0f}  {spread:24}{statistics.median(cpu):12,.0f}  {each.name}"))
    head = f"{'ns':>12}  {'(lowest to highest)':24}{CPU:>12}"
    return "\n".join([figure.meaning, head, *(row for _, row in sorted(rows))])


def main(given: Sequence[str] | None = None) -> None:
    """Measure in turn, and print medians with their range."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.others", description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"default {ROUNDS}")
    parser.add_argument("--only", nargs="+", choices=[*FIGURES], default=[*FIGURES], help="default: all")
    parser.add_argument("--without", nargs="+", choices=LIBRARIES, default=[], help="leave these out")
    options: Any = parser.parse_args(given)
    if missing := [package for package in LIBRARIES if not has(package)]:
        print(f"without {', '.join(missing)}: pip install {' '.join(missing)}", file=sys.stderr)
    unwanted.update(options.without)
    figures = [FIGURES[name]() for name in options.only]
    before = os.getloadavg()[0]
    samples = measure(figures, options.rounds)
    for figure in figures:
        print(shown(figure, samples[figure.name]), end="\n\n")
    print(f"{options.rounds} rounds in turn; load {before:.1f} before, {os.getloadavg()[0]:.1f} after")


if __name__ == "__main__":
    main()
