"""The figure of a keyed join, beside two dicts behind a queue."""

from __future__ import annotations

import random
from functools import partial
from typing import Any, Final

import runtime
from benchmarks import peers
from benchmarks.flow import BOUNDED, CAPACITY, RUNTIME, case, times_as_fast
from benchmarks.harness import Figure, Row, Scale, Target
from benchmarks.steps import Count, key_of, merge
from benchmarks.steps import Row as Pair

SEED: Final = 1
SORTED: Final = "rows in the order of their keys"
SHUFFLED: Final = "rows in random order"


def sides(rows: int, *, shuffled: bool) -> tuple[list[Pair], list[Pair]]:
    """Each of `rows` keys once on either side; shuffled, in an order of its own."""
    left = [(key, key) for key in range(rows)]
    right = [(key, -key) for key in range(rows)]
    if shuffled:
        shuffle = random.Random(SEED).shuffle
        shuffle(left)
        shuffle(right)
    return left, right


def join_session(left: list[Pair], right: list[Pair]) -> int:
    """The join as a session."""
    count = Count()
    with runtime.Session(capacity=CAPACITY) as session:
        rows: Any = session.source(left).key_by(key_of)
        rows.join(session.source(right).key_by(key_of), merge).sink(count.count)
        session.run()
    return count.value


def join(scale: Scale) -> Figure:
    """Two streams that meet where their keys are equal; time per row of either side.

    In random order every step of everybody waits for memory, the plain dicts of the peer too: that is printed beside.
    """
    rows = scale.joined_rows
    cases = []
    for order, shuffled in ((SORTED, False), (SHUFFLED, True)):
        left, right = sides(rows, shuffled=shuffled)
        cases.append(case(f"{RUNTIME}, {order}", 2 * rows, partial(join_session, left, right), rows))
        cases.append(case(f"{BOUNDED}, {order}", 2 * rows, partial(peers.join_threads, left, right), rows))
    return Figure(
        "join",
        f"two sources of {rows:,} rows, every key once on each side → keyed join → count: time per row that goes in",
        tuple(cases),
        lambda samples: [
            Row(
                f"{RUNTIME}, {order}: times as fast as {BOUNDED}",
                "×",
                times_as_fast(samples, f"{RUNTIME}, {order}", f"{BOUNDED}, {order}"),
                target,
            )
            for order, target in ((SORTED, Target("at least", 4)), (SHUFFLED, None))
        ],
    )
