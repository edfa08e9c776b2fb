"""Figures of packets that flow: how long each takes, beside what a user would have written."""

from __future__ import annotations

import queue
from collections.abc import Callable
from functools import partial
from time import perf_counter
from typing import Final

import runtime
from benchmarks import peers
from benchmarks.harness import Case, Figure, Row, Sample, Samples, Scale, Target, by_round, check, ratio
from benchmarks.steps import Count, add_one, double, is_even, lower, same, words

NS: Final = "ns per packet"
CAPACITY: Final = 1024  # of every queue, where nothing else is said
LARGER: Final = 4096
INSTANCES: Final = 4
MAPS: Final = 3  # in front of what is keyed
WORDS: Final = 500  # different ones
BRANCHES: Final = 3
SHORT, LONG = 2, 10  # lines whose difference is the price of a hop

PLAIN: Final = "plain loop"
SIMPLE: Final = "threads, SimpleQueue"
BOUNDED: Final = f"threads, queue.Queue({CAPACITY})"
BOUNDED_LARGER: Final = f"threads, queue.Queue({LARGER})"
RUNTIME: Final = f"runtime, capacity {CAPACITY}"
RUNTIME_LARGER: Final = f"runtime, capacity {LARGER}"

bounded = partial(queue.Queue, CAPACITY)


def case(name: str, packets: int, work: Callable[[], object], expected: object, rounds: int | None = None) -> Case:
    """Time all of `work`, threads and queues and sessions made and ended in it, per packet of the source."""

    def measure() -> Sample:
        began = perf_counter()
        result = work()
        took_s = perf_counter() - began
        check(name, result, expected)
        return {NS: 1e9 * took_s / packets}

    return Case(name, measure, rounds)


def times_as_fast(samples: Samples, what: str, than: str) -> list[float]:
    """How many times as fast as `than` `what` is, by round."""
    return ratio(samples.of(than, NS), samples.of(what, NS))


# ── throughput ──


def line(capacity: int, packets: int) -> int:
    """The line as a session."""
    count = Count()
    with runtime.Session(capacity=capacity) as session:
        session.source(range(packets)).map(add_one).filter(is_even).map(double).sink(count.count)
        outcome = session.run()
    check("packets in and out", (outcome.packets_in, outcome.packets_out), (packets, count.value))
    return count.value


def throughput(scale: Scale) -> Figure:
    """A line of five tasks: the price of moving packets, since the functions do next to nothing."""
    many, few = scale.packets, scale.fewer_packets
    half = many // 2
    return Figure(
        "throughput",
        "source → +1 → keep even → ×2 → count: time per packet of the source, from making the tasks to joining them",
        (
            case(PLAIN, many, partial(peers.line_loop, many), half),
            case(RUNTIME, many, partial(line, CAPACITY, many), half),
            case(BOUNDED, few, partial(peers.line_threads, bounded, few), few // 2),
            case(RUNTIME_LARGER, many, partial(line, LARGER, many), half),
            case(BOUNDED_LARGER, few, partial(peers.line_threads, partial(queue.Queue, LARGER), few), few // 2),
            case(SIMPLE, many, partial(peers.line_threads, queue.SimpleQueue, many), half),
        ),
        lambda samples: [
            _faster(samples, RUNTIME, BOUNDED, 9),
            _faster(samples, RUNTIME_LARGER, BOUNDED, 11),
            _faster(samples, RUNTIME_LARGER, BOUNDED_LARGER),
            _faster(samples, RUNTIME, SIMPLE),
            _loops(samples, RUNTIME, 4),
            _loops(samples, RUNTIME_LARGER, 4),
        ],
    )


# ── keyed ──


class CountWord(runtime.Function[str, bool]):
    """Counts in the state of the word; true for the packet that makes it complete."""

    def __init__(self, each: int) -> None:
        self.each = each

    def process(self, value: str, /) -> bool:
        """Count one."""
        state = self.ctx.state
        seen = state["seen"] = state.get("seen", 0) + 1
        return bool(seen == self.each)


def keyed_session(packets: list[str], each: int, maps: int = 0) -> list[str]:
    """Count words per key; what comes out is each word once, when it is complete."""
    with runtime.Session(capacity=CAPACITY) as session:
        stream = session.source(packets)
        for _ in range(maps):
            stream = stream.map(lower)
        counted = stream.key_by(same).filter(CountWord(each), parallelism=INSTANCES)
        complete = counted.collect()
        outcome = session.run()
    check("packets in", outcome.packets_in, len(packets))
    return sorted(complete)


RUNTIME_BEHIND: Final = f"{RUNTIME}, behind {MAPS} maps"
BOUNDED_BEHIND: Final = f"{BOUNDED}, behind {MAPS} maps"


def keyed(scale: Scale) -> Figure:
    """Words to the instance that has their key. The peers keep one dict per thread, less than a state per key.

    What is judged is the keyed edge alone, right behind the source. With some maps in front, as in a job of a usual
    length, it is one hop of several.
    """
    each, few_each = scale.packets // WORDS, scale.fewer_packets // WORDS
    many, few = words(each * WORDS, WORDS), words(few_each * WORDS, WORDS)
    expected = sorted(set(many))

    def threads(new_queue: peers.NewQueue, packets: list[str], each: int, maps: int = 0) -> list[str]:
        return sorted(peers.keyed_threads(new_queue, packets, each, INSTANCES, maps))

    return Figure(
        "keyed",
        f"{WORDS} different words, keyed to {INSTANCES} instances that count each in ctx.state",
        (
            case(PLAIN, len(many), lambda: sorted(peers.keyed_loop(many, each)), expected),
            case(RUNTIME, len(many), partial(keyed_session, many, each), expected),
            case(BOUNDED, len(few), partial(threads, bounded, few, few_each), expected),
            case(SIMPLE, len(many), partial(threads, queue.SimpleQueue, many, each), expected),
            case(RUNTIME_BEHIND, len(many), partial(keyed_session, many, each, MAPS), expected),
            case(BOUNDED_BEHIND, len(few), partial(threads, bounded, few, few_each, MAPS), expected),
        ),
        lambda samples: [
            _faster(samples, RUNTIME, BOUNDED, 4),
            _faster(samples, RUNTIME, SIMPLE),
            Row(
                f"{RUNTIME_BEHIND}: times as fast as threads",
                "×",
                times_as_fast(samples, RUNTIME_BEHIND, BOUNDED_BEHIND),
            ),
        ],
    )


# ── broadcast ──

TO_INSTANCES: Final = f"runtime, one map of {BRANCHES} instances"
TO_OPERATORS: Final = f"runtime, {BRANCHES} maps and a union"


def to_instances(packets: int) -> int:
    """Broadcast to the instances of one operator; their results meet in the sink."""
    count = Count()
    with runtime.Session(capacity=CAPACITY) as session:
        session.source(range(packets)).broadcast().map(add_one, parallelism=BRANCHES).sink(count.count)
        session.run()
    return count.value


def to_operators(packets: int) -> int:
    """The same stream into several operators, united."""
    count = Count()
    with runtime.Session(capacity=CAPACITY) as session:
        numbers = session.source(range(packets))
        first, *others = [numbers.map(add_one) for _ in range(BRANCHES)]
        first.union(*others).sink(count.count)
        session.run()
    return count.value


def broadcast(scale: Scale) -> Figure:
    """One packet to everybody, and all results together again: two ways of writing it, one target."""
    many, few = scale.packets, scale.fewer_packets
    return Figure(
        "broadcast",
        f"source → {BRANCHES} × (+1) → united → count: time per packet of the source, of which each becomes {BRANCHES}",
        (
            case(PLAIN, many, partial(peers.broadcast_loop, many, BRANCHES), many * BRANCHES),
            case(TO_INSTANCES, many, partial(to_instances, many), many * BRANCHES),
            case(TO_OPERATORS, many, partial(to_operators, many), many * BRANCHES),
            case(BOUNDED, few, partial(peers.broadcast_threads, bounded, few, BRANCHES), few * BRANCHES),
            case(SIMPLE, many, partial(peers.broadcast_threads, queue.SimpleQueue, many, BRANCHES), many * BRANCHES),
        ),
        lambda samples: [
            _faster(samples, TO_INSTANCES, BOUNDED, 6),
            _faster(samples, TO_OPERATORS, BOUNDED, 6),
            _faster(samples, TO_INSTANCES, SIMPLE),
        ],
    )


# ── one hop more ──

CALL: Final = "one call of the function, in a loop"


def maps(count_of_maps: int, packets: int) -> int:
    """A line of equal maps as a session."""
    count = Count()
    with runtime.Session(capacity=CAPACITY) as session:
        stream = session.source(range(packets))
        for _ in range(count_of_maps):
            stream = stream.map(add_one)
        stream.sink(count.count)
        session.run()
    return count.value


def one_call(packets: int) -> Sample:
    """What calling the function costs in a loop, beyond the loop itself."""
    result = 0
    began = perf_counter()
    for _ in range(packets):
        pass
    empty_s = perf_counter() - began
    began = perf_counter()
    for value in range(packets):
        result = add_one(value)
    took_s = perf_counter() - began
    check(CALL, result, packets)
    return {NS: 1e9 * (took_s - empty_s) / packets}


def hop(scale: Scale) -> Figure:
    """What each further task costs a packet, apart from the user's function: fixed costs cancel out in the slope."""
    many, few = scale.packets, scale.fewer_packets
    cases = [Case(CALL, partial(one_call, many))]
    for length in (SHORT, LONG):
        cases += [
            case(f"{RUNTIME}, {length} maps", many, partial(maps, length, many), many),
            case(f"{BOUNDED}, {length} maps", few, partial(peers.maps_threads, bounded, few, length), few),
            case(f"{SIMPLE}, {length} maps", many, partial(peers.maps_threads, queue.SimpleQueue, many, length), many),
        ]

    def per_hop(samples: Samples, who: str) -> list[float]:
        """The slope from the short to the long line, less the call."""
        return by_round(
            lambda long, short, call: (long - short) / (LONG - SHORT) - call,
            samples.of(f"{who}, {LONG} maps", NS),
            samples.of(f"{who}, {SHORT} maps", NS),
            samples.of(CALL, NS),
        )

    return Figure(
        "hop",
        f"one map more, beyond its function: slope from {SHORT} to {LONG} maps, less a call of the function",
        tuple(cases),
        lambda samples: [
            Row(f"one hop more: {RUNTIME}", NS, per_hop(samples, RUNTIME), Target("at most", 250)),
            Row(f"one hop more: {BOUNDED}", NS, per_hop(samples, BOUNDED)),
            Row(f"one hop more: {SIMPLE}", NS, per_hop(samples, SIMPLE)),
        ],
    )


def _faster(samples: Samples, what: str, than: str, at_least: float | None = None) -> Row:
    target = None if at_least is None else Target("at least", at_least)
    return Row(f"{what}: times as fast as {than}", "×", times_as_fast(samples, what, than), target)


def _loops(samples: Samples, what: str, at_most: float) -> Row:
    times = ratio(samples.of(what, NS), samples.of(PLAIN, NS))
    return Row(f"{what}: times the {PLAIN}'s time", "×", times, Target("at most", at_most))
