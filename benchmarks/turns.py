"""The figure of turns: how many a session with a seed hands out, one thread at a time."""

from __future__ import annotations

from functools import partial
from time import perf_counter
from typing import Final

import runtime
from benchmarks.harness import Case, Figure, Row, Sample, Scale, Target, check
from benchmarks.steps import add_one, is_even

SEEDED: Final = "source → +1 → keep even → collect, with a seed"
PER_S: Final = "turns/s"


def seeded(packets: int) -> Sample:
    """Run to the end; what is timed is the run, from making the tasks to joining them."""
    with runtime.Session(seed=7) as session:
        kept = session.source(range(packets)).map(add_one).filter(is_even).collect()
        began_s = perf_counter()
        session.run()
        took_s = perf_counter() - began_s
        turns = len(session.turns)
    check("packets kept", list(kept), list(range(2, packets + 1, 2)))
    return {PER_S: turns / took_s}


def turns(scale: Scale) -> Figure:
    """Runs that repeat are for tests, which make many of them; they need not be fast, but must not be slow."""
    return Figure(
        "turns",
        "how many turns a second a session with a seed hands out",
        (Case(SEEDED, partial(seeded, scale.seeded_packets)),),
        lambda samples: [Row(SEEDED, PER_S, samples.of(SEEDED, PER_S), Target("at least", 20_000))],
    )
