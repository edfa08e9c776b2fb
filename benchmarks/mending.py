"""Figures of a job that is mended while it runs: how soon a failure is held, and how soon there are results again."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from time import perf_counter
from typing import Final

import runtime
from benchmarks.harness import Case, Figure, Row, Sample, Samples, Scale, Target, check
from benchmarks.size import MS
from benchmarks.steps import add_one

PACKETS: Final = 1_000
BAD: Final = 500
HELD, AGAIN = "from the failure until wait() has raised JobHeld", "replace and resume, until the next result"


def mended(parallelism: int) -> Sample:
    """A packet fails in the middle; the function is replaced, and the job goes on to its end."""
    failed_s: list[float] = []
    came_s: list[float] = []

    def bad(value: int) -> int:
        if value == BAD:
            failed_s.append(perf_counter())
            raise ValueError(value)
        return value

    with runtime.Session() as session:
        numbers = session.source(range(PACKETS)).map(add_one)
        numbers = numbers.map(bad, name="bad", on_error="hold", parallelism=parallelism)
        numbers.map(add_one).sink(lambda _: came_s.append(perf_counter()))
        with suppress(runtime.JobHeld):
            session.run()
        held_s, before = perf_counter(), len(came_s)
        began_s = perf_counter()
        session.replace("bad", add_one)
        session.resume()
        outcome = session.wait()
    check("packets that came out", outcome.packets_out, PACKETS)
    return {HELD: 1e3 * (held_s - failed_s[0]), AGAIN: 1e3 * (came_s[before] - began_s)}


def mending(_: Scale) -> Figure:
    """A failure is held at once, and a replaced function works at once."""
    names = {"one task": 1, "four tasks": 4}

    def conclude(samples: Samples) -> list[Row]:
        return [
            Row(f"{name}: {what}", MS, samples.of(name, what), Target("at most", 50.0))
            for name in names
            for what in (HELD, AGAIN)
        ]

    cases = tuple(Case(name, partial(mended, parallelism)) for name, parallelism in names.items())
    return Figure(
        "mending", "a job of five operators, of which one fails in the middle and is replaced", cases, conclude
    )
