"""How many packets the next batch may have."""

from __future__ import annotations

from runtime.task.batch import BatchSize


def test_a_batch_that_grows_never_exceeds_the_largest() -> None:
    size = BatchSize()
    size.packets = 600  # as after a slow batch: no power of two
    size.begin()
    size.end(600, has_waited=False)
    assert size.packets == BatchSize.LARGEST
