"""Figures of what a person can set in a job: breakpoints, taps and traces, and that they cost nothing once removed."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from functools import partial
from time import perf_counter
from typing import Any, Final

import runtime
from benchmarks.flow import NS
from benchmarks.harness import Case, Figure, Row, Sample, Samples, Scale, Target, by_round, check
from benchmarks.steps import Count, add_one, double, is_even

TASKS: Final = ("map", "filter", "map-2", "sink")
NEVER: Final = "never looked at"
REMOVED: Final = "breakpoints and taps at every task, removed again"
BREAKS: Final = "a breakpoint at every task that never matches"
TAPS: Final = "a tap at every task"
TRACED: Final = "trace=True"
KINDS: Final = (NEVER, REMOVED, BREAKS, TAPS, TRACED)
SLOW: Final = 10  # how many times fewer packets where each of them is looked at


def never(_packet: Any) -> bool:
    """The condition of a breakpoint that does not matter."""
    return False


def set_breaks(session: runtime.Session) -> None:
    """A breakpoint at every task."""
    for task in TASKS:
        session.breakpoint(task, when=never)


def set_taps(session: runtime.Session) -> None:
    """A tap at every task, until the end."""
    for task in TASKS:
        session.tap(task).__enter__()


def set_and_remove(session: runtime.Session) -> None:
    """Both, and none of them any more."""
    for task in TASKS:
        found = session.breakpoint(task, when=never)
        with session.tap(task):
            found.remove()


def nothing(_session: runtime.Session) -> None:
    """Leave it alone."""


TOUCH: Final[dict[str, Callable[[runtime.Session], object]]] = {
    NEVER: nothing,
    REMOVED: set_and_remove,
    BREAKS: set_breaks,
    TAPS: set_taps,
    TRACED: nothing,
}


def line_ns(kind: str, packets: int) -> float:
    """Time per packet of the line, from the moment that its gates are opened."""
    count = Count()
    with runtime.Session(trace=kind == TRACED) as session:
        session.source(range(packets)).map(add_one).filter(is_even).map(double).sink(count.count)
        session.start(paused=True)
        TOUCH[kind](session)
        began = perf_counter()
        session.resume()
        session.wait()
        took_s = perf_counter() - began
    check("packets that came out", count.value, packets // 2)
    return 1e9 * took_s / packets


def in_turn(packets: int) -> Sample:
    """The kinds there and back, so that what drifts, drifts for all; the middle of what each has given."""
    found: dict[str, list[float]] = {kind: [] for kind in KINDS}
    quick = (NEVER, REMOVED)
    for kind in (*quick, *reversed(quick)) * 2 + KINDS[2:]:
        found[kind].append(line_ns(kind, packets if kind in quick else packets // SLOW))
    return {f"{NS}, {kind}": statistics.median(each) for kind, each in found.items()}


def hand(scale: Scale) -> Figure:
    """What looking costs while it lasts, and that nothing of it stays.

    Of n independent rounds, the median of the difference lies between the least and the most with a probability of
    1 - 2 ** (1 - n) (98 % of seven), whatever is the distribution. So a cost is measurable if the least is above zero.
    """

    def cost(samples: Samples, kind: str) -> list[float]:
        columns = [samples.of("line", f"{NS}, {each}") for each in (kind, NEVER)]
        return by_round(lambda this, none: this - none, *columns)

    return Figure(
        "hand",
        "the line of `throughput`, from opening its gates; sessions that differ in what was set by hand, in turn",
        (Case("line", partial(in_turn, scale.packets)),),
        lambda samples: [
            Row(NEVER, NS, samples.of("line", f"{NS}, {NEVER}")),
            Row(f"{REMOVED}: more than {NEVER}", NS, cost(samples, REMOVED)),
            Row(f"{REMOVED}: least more than {NEVER}", NS, [min(cost(samples, REMOVED))], Target("at most", 0)),
            *(Row(f"{kind}: more than {NEVER}", NS, cost(samples, kind)) for kind in (BREAKS, TAPS, TRACED)),
        ],
    )
