"""Figures of origins: how long it takes to say where a result comes from, and what it costs to be able to."""

from __future__ import annotations

import os
import statistics
from functools import partial
from time import perf_counter
from typing import Any, Final

import runtime
from benchmarks.flow import NS
from benchmarks.harness import Case, Figure, Row, Sample, Samples, Scale, Target, check
from benchmarks.steps import add_one

DEEP: Final = 12  # operators
ASKED: Final = 5_000  # of the newest results
MS: Final = "ms"
NINETY_FIVE: Final = "why of the newest results, 95 %"
MEDIAN: Final = "why of the newest results, half of them"
MADE: Final = "a packet, traced, at each operator"


def explained(packets: int) -> Sample:
    """Run a line, and ask of each of its newest results where it comes from."""
    with runtime.Session(trace=True) as session:
        stream: Any = session.source(range(packets), name="numbers")
        for _ in range(DEEP):
            stream = stream.map(add_one)
        rows = stream.collect(name="rows")
        began = perf_counter()
        session.run()
        took_s = perf_counter() - began
        times: list[float] = []
        newest = range(max(0, packets - ASKED), packets)
        for index in newest[:: max(1, len(newest) // 500)]:
            began = perf_counter()
            why = session.why(rows, index)
            times.append(perf_counter() - began)
            (item,) = why.items
            check("the item that a result comes from", item.value, index)
    return {
        MS: 1e3 * statistics.quantiles(times, n=20)[-1],
        f"{MS}, half": 1e3 * statistics.median(times),
        NS: 1e9 * took_s / packets / (DEEP + 1),
    }


def origins(scale: Scale) -> Figure:
    """Where results come from, of a line of operators that is traced."""
    packets = scale.packets // 10

    def rows(samples: Samples) -> list[Row]:
        return [
            Row(NINETY_FIVE, MS, samples.of("line", MS), Target("at most", 10.0)),
            Row(MEDIAN, MS, samples.of("line", f"{MS}, half")),
            Row(MADE, NS, samples.of("line", NS)),
        ]

    return Figure(
        "origins",
        f"{packets:,} packets through {DEEP} operators (load {os.getloadavg()[0]:.1f})",
        (Case("line", partial(explained, packets)),),
        rows,
    )
