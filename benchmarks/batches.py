"""The figure of batches: an array function that gets lists of vectors, beside a loop that cuts lists by hand."""

from __future__ import annotations

import os
from functools import partial
from itertools import islice
from typing import Any, Final

import runtime
from benchmarks.flow import CAPACITY, RUNTIME, case
from benchmarks.harness import Figure, Row, Scale, Target, ratio

SIZE: Final = 256
LENGTH: Final = 64  # numbers in a vector
BY_HAND: Final = "a loop that cuts lists by hand"


def vectors_of(count: int) -> list[Any]:
    """So many small vectors, each an array of its own."""
    import numpy as np  # noqa: PLC0415  only for those who measure this

    return list(np.random.default_rng(1).random((count, LENGTH)))


def layer() -> Any:
    """A function of a batch of vectors: what one layer of a network does."""
    import numpy as np  # noqa: PLC0415  as above

    weights = np.random.default_rng(2).random((LENGTH, LENGTH))

    def work(batch: list[Any]) -> Any:
        return np.tanh(np.stack(batch) @ weights)

    return work


def batches_by_hand(vectors: list[Any]) -> int:
    """One loop, in one thread."""
    work, found = layer(), list[Any]()
    rest = iter(vectors)
    while batch := list(islice(rest, SIZE)):
        found.extend(work(batch))
    return len(found)


def batches_session(vectors: list[Any]) -> int:
    """The same as a session."""
    with runtime.Session(capacity=CAPACITY) as session:
        found = session.source(vectors).map_batches(layer(), size=SIZE).collect()
        session.run()
    return len(found)


def batches(scale: Scale) -> Figure:
    """Vectors, one by one, through a function of many of them: time per vector."""
    vectors = vectors_of(scale.batched_vectors)
    load = f"{os.getloadavg()[0]:.1f}"
    return Figure(
        "batches",
        f"{len(vectors):,} vectors of {LENGTH} numbers → numpy, {SIZE} at a time → list: time per vector (load {load})",
        (
            case(RUNTIME, len(vectors), partial(batches_session, vectors), len(vectors)),
            case(BY_HAND, len(vectors), partial(batches_by_hand, vectors), len(vectors)),
        ),
        lambda samples: [
            Row(
                f"{RUNTIME}: time beside {BY_HAND}",
                "×",
                ratio(samples.of(RUNTIME, "ns per packet"), samples.of(BY_HAND, "ns per packet")),
                Target("at most", 1.3),
            )
        ],
    )
