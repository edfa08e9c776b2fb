"""Figures of how a job is written, started and ended, of few tasks and of very many."""

from __future__ import annotations

from functools import partial
from time import perf_counter, process_time
from typing import Final

import runtime
from benchmarks import peers
from benchmarks.harness import Case, Figure, Row, Sample, Samples, Scale, Target, check
from benchmarks.size import MS, START_STOP, Write, line, start_and_join, start_and_stop, wide
from benchmarks.steps import add_one, double, is_even

FEW: Final = 5
CPU_MS: Final = "ms of CPU"
TIMES: Final = 20  # what takes about a millisecond is measured so often in a round, and the best is taken
WRITTEN: Final = "a line without names"


def with_cpu(began_s: float, began_cpu_s: float) -> Sample:
    """What has passed since then, on the clock and of the processors, which others who are busy do not change."""
    return {MS: 1e3 * (perf_counter() - began_s), CPU_MS: 1e3 * (process_time() - began_cpu_s)}


def ignore(_value: object) -> None:
    """A sink."""


def five() -> Sample:
    """An input, three steps and a sink, from `start` until all have ended."""
    with runtime.Session() as session:
        session.input("in").map(add_one).filter(is_even).map(double).sink(ignore)
        began_s, began_cpu_s = perf_counter(), process_time()
        session.start()
        session.stop()
        outcome = session.wait()
        sample = with_cpu(began_s, began_cpu_s)
    check("how it ended, how many tasks", (outcome.state, len(outcome.order)), ("stopped", FEW))
    return sample


def five_threads() -> Sample:
    """The same number of bare threads."""
    began_s, began_cpu_s = perf_counter(), process_time()
    peers.bare_threads(FEW)
    return with_cpu(began_s, began_cpu_s)


def written(operators: int) -> Sample:
    """Write a graph down, with names that are found for it."""
    session = runtime.Session()
    began_s, began_cpu_s = perf_counter(), process_time()
    line(session.input("in"), operators, ignore)
    session.validate()
    sample = with_cpu(began_s, began_cpu_s)
    check("operators", len(session.graph.operators), operators)
    session.close()
    return sample


def best(once: partial[Sample]) -> Sample:
    """The least of each quantity of some tries."""
    samples = [once() for _ in range(TIMES)]
    return {quantity: min(sample[quantity] for sample in samples) for quantity in samples[0]}


def large(tasks: int, write: Write) -> Sample:
    """Very many tasks, from `start` until all have ended."""
    began_cpu_s = process_time()
    sample = start_and_stop(tasks, write)
    return {MS: sample[START_STOP], CPU_MS: 1e3 * (process_time() - began_cpu_s)}


def large_threads(tasks: int) -> Sample:
    """As many bare threads."""
    began_cpu_s = process_time()
    return {MS: start_and_join(tasks)[START_STOP], CPU_MS: 1e3 * (process_time() - began_cpu_s)}


def start(scale: Scale) -> Figure:
    """Small jobs start as if they were nothing, and large ones start."""
    rounds = 3
    few, bare = f"runtime, {FEW} tasks", f"{FEW} bare threads"
    names = {f"runtime, {scale.large_tasks} tasks, {shape}": each for shape, each in (("line", line), ("wide", wide))}
    many_bare = f"{scale.large_tasks} bare threads"
    limits = {few: 1.0, f"{WRITTEN}, {scale.written} operators": 60.0} | dict.fromkeys(names, 1_000.0)

    def conclude(samples: Samples) -> list[Row]:
        rows = []
        for name in (few, bare, *list(limits)[1:], many_bare):
            limit = limits.get(name)
            rows += [
                Row(name, MS, samples.of(name, MS), None if limit is None else Target("at most", limit)),
                Row(f"{name}: on the processors", CPU_MS, samples.of(name, CPU_MS)),
            ]
        return rows

    return Figure(
        "start",
        "from start() until all tasks have ended, idle ones; and how long it takes to write a graph of many operators",
        (
            Case(few, partial(best, partial(five))),
            Case(bare, partial(best, partial(five_threads))),
            Case(f"{WRITTEN}, {scale.written} operators", partial(written, scale.written)),
            *(Case(name, partial(large, scale.large_tasks, each), rounds) for name, each in names.items()),
            Case(many_bare, partial(large_threads, scale.large_tasks), rounds),
        ),
        conclude,
    )
