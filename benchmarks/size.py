"""Figures of large jobs: starting and ending many tasks, looking at all of them, and looking again and again."""

from __future__ import annotations

import itertools
import statistics
import threading
import time
from collections.abc import Callable
from functools import partial
from time import perf_counter, thread_time
from typing import Any, Final

import runtime
from benchmarks import peers
from benchmarks.flow import CAPACITY
from benchmarks.harness import Case, Figure, Row, Sample, Samples, Scale, Target, check, ratio
from benchmarks.steps import Count, add_one

MS: Final = "ms"

Write = Callable[[runtime.Stream[Any], int, Callable[[Any], object]], None]


def wide(stream: runtime.Stream[Any], tasks: int, sink: Callable[[Any], object]) -> None:
    """One map with as many instances as it takes; its sink has a lane from each."""
    stream.map(add_one, parallelism=tasks - 2).sink(sink)


def line(stream: runtime.Stream[Any], tasks: int, sink: Callable[[Any], object]) -> None:
    """One operator behind the other."""
    for _ in range(tasks - 2):
        stream = stream.map(add_one)
    stream.sink(sink)


LAYERS: Final = 4


def mesh(stream: runtime.Stream[Any], tasks: int, sink: Callable[[Any], object]) -> None:
    """Four maps of equal parallelism, each instance joined to all of the next: as many lanes as there can be."""
    for _ in range(LAYERS):
        stream = stream.map(add_one, parallelism=(tasks - 2) // LAYERS)
    stream.sink(sink)


SHAPES: Final[dict[str, Write]] = {"wide": wide, "line": line}

# ── start and stop ──

BARE: Final = "bare threads"
START_STOP: Final = "ms, start to wait"
ALL: Final = "ms, with writing the graph and close"
ONE_LOOK: Final = "ms per snapshot"


def start_and_stop(tasks: int, write: Write) -> Sample:
    """Start idle tasks, stop, wait. Writing the graph and close() are timed apart: they are no threads' business."""
    count = Count()
    began_s = perf_counter()
    with runtime.Session(capacity=CAPACITY) as session:
        write(session.input("in"), tasks, count.count)
        written_s = perf_counter()
        session.start()
        started_s = perf_counter()
        session.stop()
        outcome = session.wait()
        ended_s = perf_counter()
    closed_s = perf_counter()
    check("how it ended, how many tasks", (outcome.state, len(outcome.order)), ("stopped", tasks))
    return {
        START_STOP: 1e3 * (ended_s - written_s),
        "ms, start alone": 1e3 * (started_s - written_s),
        ALL: 1e3 * (closed_s - began_s),
    }


def start_and_join(tasks: int) -> Sample:
    """The same number of bare threads."""
    began_s = perf_counter()
    peers.bare_threads(tasks)
    return {START_STOP: 1e3 * (perf_counter() - began_s)}


def tries(once: Callable[[], Sample]) -> Sample:
    """The medians of three tries: how long threads take to start varies more than anything else here."""
    samples = [once() for _ in range(3)]
    return {quantity: statistics.median(sample[quantity] for sample in samples) for quantity in samples[0]}


def many(scale: Scale) -> Figure:
    """What a job costs beyond the threads that it needs anyway."""
    tasks = scale.tasks
    names = {f"runtime, {shape}": write for shape, write in SHAPES.items()}

    def conclude(samples: Samples) -> list[Row]:
        bare = samples.of(BARE, START_STOP)
        rows = []
        for name in names:
            times = ratio(samples.of(name, START_STOP), bare)
            rows += [
                Row(f"{name}: times the time of {BARE}", "×", times, Target("at most", 2)),
                Row(f"{name}: the same, with writing the graph and close", "×", ratio(samples.of(name, ALL), bare)),
            ]
        return rows

    return Figure(
        "many",
        f"{tasks} tasks started, stopped and ended, beside threads that wait on an Event until all are started; "
        "wide: input → one map → sink, line: maps in a row",
        (
            Case(BARE, partial(tries, partial(start_and_join, tasks))),
            *(Case(name, partial(tries, partial(start_and_stop, tasks, write))) for name, write in names.items()),
        ),
        conclude,
    )


# ── looking ──


def look(session: runtime.Session) -> int:
    """What a sampler does: take a snapshot and read depth and state of every task."""
    snapshot = session.snapshot()
    return sum(snapshot.depths.values()) + len(snapshot.states)


def look_often(tasks: int, write: Write, looks: int) -> Sample:
    """The median of many snapshots of one idle job."""
    took_s = []
    with runtime.Session(capacity=CAPACITY) as session:
        write(session.input("in"), tasks, Count().count)
        session.start()
        session.settle()
        check("tasks", len(session.snapshot()), tasks)
        for _ in range(looks):
            began_s = perf_counter()
            look(session)
            took_s.append(perf_counter() - began_s)
        session.stop()
    return {ONE_LOOK: 1e3 * statistics.median(took_s)}


def snapshot(scale: Scale) -> Figure:
    """Looking at everything at once is cheap enough to do it between two frames of a picture."""
    tasks = scale.tasks
    names = {f"runtime, {shape}": write for shape, write in SHAPES.items()}
    return Figure(
        "snapshot",
        f"session.snapshot() of {tasks} idle tasks, the depth of each read",
        tuple(Case(name, partial(look_often, tasks, write, scale.snapshots)) for name, write in names.items()),
        lambda samples: [
            Row(f"{name}: one snapshot", MS, samples.of(name, ONE_LOOK), Target("at most", 1)) for name in names
        ],
    )


# ── the sampler ──

RATE_HZ: Final = 30
OF_A_CORE: Final = "% of a core"


def sample_for(session: runtime.Session, seconds: float) -> Sample:
    """Look 30 times a second on a thread of its own, and ask that thread for the CPU time it took.

    Looks that come late because the others hold the GIL are still paid for in full: it is CPU time per look, times 30.
    """
    looks = max(1, round(seconds * RATE_HZ))
    cpu_s: list[float] = []
    took_s: list[float] = []

    def sample() -> None:
        began_s, began_cpu_s = perf_counter(), thread_time()
        for number in range(1, looks + 1):
            look(session)
            time.sleep(max(0.0, began_s + number / RATE_HZ - perf_counter()))
        cpu_s.append(thread_time() - began_cpu_s)
        took_s.append(perf_counter() - began_s)

    sampler = threading.Thread(target=sample)
    sampler.start()
    sampler.join()
    return {OF_A_CORE: 100 * cpu_s[0] / looks * RATE_HZ, "looks per second": looks / took_s[0]}


def sampled(tasks: int, write: Write, seconds: float, *, busy: bool) -> Sample:
    """Sample a job that is idle, or at full speed."""
    count = Count()
    with runtime.Session(capacity=CAPACITY) as session:
        write(session.source(itertools.count) if busy else session.input("in"), tasks, count.count)
        session.start()
        while busy and not count.value:  # until packets come out at the far end
            time.sleep(0.001)
        found = sample_for(session, seconds)
        session.cancel()
        session.wait()
    check("packets moved while sampled", count.value > 0, busy)
    return found


def sampler(scale: Scale) -> Figure:
    """A picture that is drawn 30 times a second may stay open beside a job at full speed."""
    tasks, rounds = scale.tasks, 3
    fewer = tasks * 2 // 5
    jobs: dict[str, tuple[int, Write, bool]] = {
        "20 tasks, line, at full speed": (20, line, True),
        f"{fewer} tasks, wide, at full speed": (fewer, wide, True),
        f"{tasks} tasks, wide, idle": (tasks, wide, False),
        f"{tasks} tasks, wide, at full speed": (tasks, wide, True),
        f"{tasks} tasks, line, at full speed": (tasks, line, True),
        f"about {fewer} tasks, mesh, at full speed": (fewer, mesh, True),
    }
    return Figure(
        "sampler",
        f"own CPU time of a thread that takes {RATE_HZ} snapshots a second; "
        f"mesh: {LAYERS} maps, each instance joined to all of the next",
        tuple(
            Case(name, partial(sampled, count, write, scale.sampled_s, busy=busy), rounds)
            for name, (count, write, busy) in jobs.items()
        ),
        lambda samples: [
            Row(name, OF_A_CORE, samples.of(name, OF_A_CORE), None if "mesh" in name else Target("at most", 1))
            for name in jobs
        ],
    )
