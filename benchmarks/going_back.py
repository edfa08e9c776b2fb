"""Figures of back: steps taken back in a graph of many operators that remembers much, the collector on and off."""

from __future__ import annotations

import contextlib
import gc
import os
import statistics
from functools import partial
from time import perf_counter
from typing import Any, Final

import runtime
from benchmarks.harness import Case, Figure, Row, Sample, Samples, Scale, Target, check
from benchmarks.steps import add_one, count_one

OPERATORS: Final = 20  # with the one that collects
MS: Final = "ms"
MS_OF_STEPS: Final = "ms, a step"
LONGEST: Final = "ms, the longest"
PATIENCE_S: Final = 120.0


class Remember(runtime.Function[int, int]):
    """Keeps the newest value of each key."""

    def process(self, value: int) -> int:
        """The value again."""
        self.ctx.state["newest"] = value
        return value


def taken_back(keys: int, steps: int, *, collects: bool) -> Sample:
    """Let a line remember `keys` keys twice, in state and in a fold, step it, and take back each step by itself."""
    with runtime.Session(trace=False) as session:
        numbers = session.source(range(keys + steps), name="numbers")
        kept = numbers.key_by(lambda value: value % keys).map(Remember(), name="kept")
        folded: Any = kept.key_by(lambda value: value % keys).reduce(count_one, initial=0, name="folded")
        stream = folded.filter(lambda pair: pair[1] > 1, name="again").map(lambda pair: pair[0], name="key")
        for number in range(OPERATORS - 5):
            stream = stream.map(add_one, name=f"more-{number}")
        stream.collect(name="rows")
        session.breakpoint("key")  # the first packet whose key was there before
        with contextlib.suppress(runtime.JobPaused):
            session.run(timeout=PATIENCE_S)
        session.pause()
        check("keys remembered", len(session.state("kept")), keys)
        check("operators", len(session.snapshot().tasks), OPERATORS + 1)
        if not collects:
            gc.collect()
            gc.disable()
        try:
            stepped = _times(session.step, steps)
            backs = _times(session.back, steps)
        finally:
            gc.enable()
        session.cancel()
    return {MS: statistics.median(backs), LONGEST: max(backs), MS_OF_STEPS: statistics.median(stepped)}


def _times(act: Any, count: int) -> list[float]:
    """How many milliseconds each of `count` calls takes."""
    times = []
    for _ in range(count):
        began = perf_counter()
        act()
        times.append(1e3 * (perf_counter() - began))
    return times


def going_back(scale: Scale) -> Figure:
    """What taking a step back costs, by where the collector of garbage stands."""
    keys, steps = scale.packets // 2, scale.steps_back

    def rows(samples: Samples) -> list[Row]:
        return [
            Row("a step back", MS, samples.of("usual", MS), Target("at most", 5.0)),
            Row("the longest of all", MS, samples.of("usual", LONGEST)),
            Row("the longest of all, without the collector", MS, samples.of("uncollected", LONGEST)),
            Row("a step forward", MS, samples.of("usual", MS_OF_STEPS)),
        ]

    return Figure(
        "back",
        f"{steps} steps of {OPERATORS} operators that remember {keys:,} keys twice (load {os.getloadavg()[0]:.1f})",
        (
            Case("usual", partial(taken_back, keys, steps, collects=True)),
            Case("uncollected", partial(taken_back, keys, steps, collects=False)),
        ),
        rows,
    )
