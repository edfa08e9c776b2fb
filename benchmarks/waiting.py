"""Figures of tasks that wait: how soon a result is seen, how well sleeps overlap, how soon the end is known."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from time import perf_counter
from typing import Final

import runtime
from benchmarks import peers
from benchmarks.flow import BOUNDED, CAPACITY, NS, bounded, case
from benchmarks.harness import Case, Figure, Row, Sample, Samples, Scale, Target, by_round, check, ratio
from benchmarks.steps import NAP_S, Count, add_one, nap

MS: Final = "ms"

# ── prompt ──

WARM_UP: Final = 300  # packets, so that batches have grown; with all the others still fewer than CAPACITY
GATHER, RESULT, BLOCKS, LAST = range(2 * WARM_UP, 2 * WARM_UP + 4)


class Prompt:
    """One try. `made_s` and `seen_s`: when the result was made, and when its consumer had it."""

    def __init__(self, blocked_s: float) -> None:
        self.made_s = self.seen_s = 0.0
        self.blocked_s = blocked_s
        self.all_sent, self.at_result, self.go_on = threading.Event(), threading.Event(), threading.Event()
        self.came = 0

    def block(self, value: int) -> int:
        """The map: hold the result back until its consumer sleeps, then make it, then block on the next packet."""
        if value == GATHER:
            self.all_sent.wait()
        elif value == RESULT:
            self._make()
        elif value == BLOCKS:
            time.sleep(self.blocked_s)
        return value

    def packets(self) -> Iterator[int]:
        """For the map: everything behind GATHER is queued before GATHER lets go, to get into one batch."""
        yield from range(WARM_UP)
        yield GATHER
        yield from range(WARM_UP)
        yield from (RESULT, BLOCKS, LAST)
        self.all_sent.set()

    def blocking_packets(self) -> Iterator[int]:
        """The source that does all of that by itself."""
        yield from range(2 * WARM_UP + 1)
        self._make()
        yield RESULT
        time.sleep(self.blocked_s)
        yield from (BLOCKS, LAST)

    def see(self, value: int) -> None:
        """The sink."""
        self.came += 1
        if value == RESULT:
            self.seen_s = perf_counter()

    def _make(self) -> None:
        self.at_result.set()
        self.go_on.wait()
        self.made_s = perf_counter()


def prompt_once(blocked_s: float, write: Callable[[runtime.Session, Prompt], None]) -> Sample:
    """Let the consumer fall asleep, then make one result in front of a packet that blocks."""
    prompt = Prompt(blocked_s)
    with runtime.Session(capacity=CAPACITY) as session:
        write(session, prompt)
        session.start()
        prompt.at_result.wait()
        while session.snapshot()["sink"].state != "idle":
            time.sleep(0.001)
        prompt.go_on.set()
        session.wait()
    check("packets seen", prompt.came, 2 * WARM_UP + 4)
    return {MS: 1e3 * (prompt.seen_s - prompt.made_s)}


def by_map(session: runtime.Session, prompt: Prompt) -> None:
    """A map makes the result; the next packet waits in its queue already."""
    session.source(prompt.packets).map(prompt.block).sink(prompt.see, name="sink")


def by_source(session: runtime.Session, prompt: Prompt) -> None:
    """A source makes the result; the next one takes long to come."""
    session.source(prompt.blocking_packets).sink(prompt.see, name="sink")


def prompt(scale: Scale) -> Figure:
    """No result waits behind a slow packet: neither for its batch to fill nor for its consumer to look."""
    ways = {"made by a map, behind others of its batch": by_map, "made by a source": by_source}
    return Figure(
        "prompt",
        f"from a result to its consumer, asleep before, although the next packet blocks for {scale.blocked_s:g} s",
        tuple(Case(name, partial(prompt_once, scale.blocked_s, write)) for name, write in ways.items()),
        lambda samples: [
            *(Row(f"{name}: median", MS, samples.of(name, MS), Target("at most", 10)) for name in ways),
            *(Row(f"{name}: worst", MS, [max(samples.of(name, MS))]) for name in ways),
        ],
    )


# ── sleeps ──

FEW_INSTANCES: Final = 8
ONE_NAP: Final = "one thread, one sleep"


def naps_session(packets: int, instances: int) -> int:
    """Sleep for each packet, in so many instances."""
    count = Count()
    with runtime.Session(capacity=CAPACITY) as session:
        session.source(range(packets)).map(nap, parallelism=instances).sink(count.count)
        session.run()
    return count.value


def one_nap(naps: int) -> Sample:
    """What a sleep of 1 ms takes here and now, with nobody else at work in the process."""
    began = perf_counter()
    for value in range(naps):
        nap(value)
    return {NS: 1e9 * (perf_counter() - began) / naps}


def sleep(scale: Scale) -> Figure:
    """Packets that wait for something outside: so many instances should be so many times as fast as one."""
    rounds = 5
    cases = [Case(ONE_NAP, partial(one_nap, min(scale.naps, 300)), rounds)]
    for instances in (FEW_INSTANCES, scale.many_instances):
        packets = scale.naps * instances
        # queue.Queue peers work as many packets here: the time is in the sleeps, not in the queues.
        cases += [
            case(_with("runtime", instances), packets, partial(naps_session, packets, instances), packets, rounds),
            case(
                _with(BOUNDED, instances),
                packets,
                partial(peers.naps_threads, bounded, packets, instances),
                packets,
                rounds,
            ),
        ]

    def of_ideal(samples: Samples, who: str, instances: int) -> list[float]:
        return by_round(
            lambda one, took: one / instances / took, samples.of(ONE_NAP, NS), samples.of(_with(who, instances), NS)
        )

    def conclude(samples: Samples) -> list[Row]:
        rows = []
        for instances in (FEW_INSTANCES, scale.many_instances):
            few = instances == FEW_INSTANCES
            ours, theirs = _with("runtime", instances), _with(BOUNDED, instances)
            faster = ratio(samples.of(theirs, NS), samples.of(ours, NS))
            rows += [
                Row(
                    f"{ours}: of the ideal",
                    "×",
                    of_ideal(samples, "runtime", instances),
                    Target("at least", 0.93) if few else None,
                ),
                Row(f"{theirs}: of the ideal", "×", of_ideal(samples, BOUNDED, instances)),
                Row(f"{ours}: times as fast as {BOUNDED}", "×", faster, None if few else Target("at least", 1.1)),
            ]
        return rows

    return Figure(
        "sleep",
        f"time.sleep({NAP_S}) for each packet; the ideal is what one such sleep takes, divided by the instances",
        tuple(cases),
        conclude,
    )


def _with(who: str, instances: int) -> str:
    return f"{who}, {instances} instances"


# ── the end ──

TASKS: Final = 10
RUNTIME_END: Final = f"runtime, a line of {TASKS} tasks"
THREADS_END: Final = f"{BOUNDED}, a line of {TASKS}"


class LastSeen(Count):
    """A sink that remembers when the last packet came."""

    def __init__(self) -> None:
        super().__init__()
        self.at_s = 0.0

    def count(self, _value: object) -> None:
        """Count, and look at the clock."""
        self.value += 1
        self.at_s = perf_counter()


def end_session(packets: int) -> Sample:
    """From the last packet in the sink to `wait()` back in the caller."""
    last = LastSeen()
    with runtime.Session(capacity=CAPACITY) as session:
        stream = session.source(range(packets))
        for _ in range(TASKS - 2):
            stream = stream.map(add_one)
        stream.sink(last.count)
        session.start()
        session.wait()
        ended_s = perf_counter()
    check("packets", last.value, packets)
    return {MS: 1e3 * (ended_s - last.at_s)}


def end_threads(packets: int) -> Sample:
    """From the last packet to all threads joined."""
    last = LastSeen()
    peers.run(*peers.maps_steps(bounded, packets, TASKS - 2, last.count))
    ended_s = perf_counter()
    check("packets", last.value, packets)
    return {MS: 1e3 * (ended_s - last.at_s)}


def end(scale: Scale) -> Figure:
    """A job ends when its last packet is worked, not when a timer says so."""
    packets = scale.ending_packets
    return Figure(
        "end",
        f"from the last packet worked to wait() returning, {TASKS} tasks",
        (Case(RUNTIME_END, partial(end_session, packets)), Case(THREADS_END, partial(end_threads, packets // 4))),
        lambda samples: [
            Row(f"{RUNTIME_END}: median", MS, samples.of(RUNTIME_END, MS), Target("at most", 20)),
            Row(f"{RUNTIME_END}: worst", MS, [max(samples.of(RUNTIME_END, MS))]),
            Row(f"{THREADS_END}: median", MS, samples.of(THREADS_END, MS)),
        ],
    )
