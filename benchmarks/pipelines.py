"""The figure of six small programs: beside the loop that one would have written, and beside threads with a queue."""

from __future__ import annotations

from collections import deque
from functools import partial
from time import perf_counter
from typing import Any, Final

import runtime
from benchmarks.flow import BOUNDED, CAPACITY, NS, PLAIN, RUNTIME
from benchmarks.harness import Case, Figure, Row, Sample, Samples, Scale, Target, by_round, check, ratio
from benchmarks.programs import PROGRAMS, Program

FUNCTIONS: Final = "its functions alone"
HOPS: Final = "hops per packet"
AT_MOST: Final = 1.25  # times the loop's time
FUNCTIONS_NS: Final = 1_500  # what all functions of a program may take for a packet of the source


def session(program: Program, expected: Any) -> Sample:
    """As a session; and how often a packet of the source, with all that becomes of it, comes to a task."""
    began = perf_counter()
    with runtime.Session(capacity=CAPACITY) as running:
        result = program.add_to(running)
        running.run()
        ended = perf_counter()
        found, tasks = result(), running.snapshot().tasks.values()
    check(RUNTIME, found, expected)
    hops = sum(task.processed for task in tasks if task.producers)
    return {NS: 1e9 * (ended - began) / program.packets, HOPS: hops / program.packets}


def loop(program: Program, expected: Any) -> Sample:
    """As a loop."""
    began = perf_counter()
    found = program.loop()
    took_s = perf_counter() - began
    check(PLAIN, found, expected)
    return {NS: 1e9 * took_s / program.packets}


def threads(program: Program, expected: Any) -> Sample:
    """As threads."""
    began = perf_counter()
    found = program.threads()
    took_s = perf_counter() - began
    check(BOUNDED, found, expected)
    return {NS: 1e9 * took_s / program.packets}


def functions(program: Program) -> Sample:
    """Its functions, each called for all that it is given, by a loop in C."""
    took_s = 0.0
    for calls in program.alone():
        began = perf_counter()
        deque(calls(), maxlen=0)
        took_s += perf_counter() - began
    return {NS: 1e9 * took_s / program.packets}


def pipelines(scale: Scale) -> Figure:
    """What a session takes more than a loop, of programs that do something."""
    cases = []
    for name, program_of in PROGRAMS.items():
        many, few = program_of(scale.packets), program_of(scale.fewer_packets)
        expected = many.loop()
        cases += [
            Case(f"{name}: {PLAIN}", partial(loop, many, expected)),
            Case(f"{name}: {RUNTIME}", partial(session, many, expected)),
            Case(f"{name}: {BOUNDED}", partial(threads, few, few.loop())),
            Case(f"{name}: {FUNCTIONS}", partial(functions, many)),
        ]
    return Figure(
        "pipelines",
        "six programs, time per packet of their sources; the same functions in a session, a loop and threads",
        tuple(cases),
        lambda samples: [row for name in PROGRAMS for row in _rows(samples, name)],
    )


def _rows(samples: Samples, name: str) -> list[Row]:
    by_session, by_loop, by_threads, alone = (
        samples.of(f"{name}: {who}", NS) for who in (RUNTIME, PLAIN, BOUNDED, FUNCTIONS)
    )
    hops = samples.of(f"{name}: {RUNTIME}", HOPS)
    per_hop = by_round(lambda this, loop, count: (this - loop) / count, by_session, by_loop, hops)
    return [
        Row(f"{name}: times the {PLAIN}'s time", "×", ratio(by_session, by_loop), Target("at most", AT_MOST)),
        Row(f"{name}: times as fast as threads", "×", ratio(by_threads, by_session)),
        Row(f"{name}: more than the {PLAIN}, for each hop", "ns", per_hop),
        Row(f"{name}: the functions", NS, alone, Target("below", FUNCTIONS_NS)),
        Row(
            f"{name}: share of the functions in the session's time", "%", ratio([100 * ns for ns in alone], by_session)
        ),
    ]
