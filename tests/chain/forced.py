"""Lets chains be closed as soon as they can be, and opened at random points. Knows the runtime's own parts.

As a pytest plugin (`-p tests.chain.forced`) for a whole run, or for one test by `forced()`. `CHAIN_SEED` is the dice's.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import Any

import pytest

from runtime.chain import watch
from runtime.task import chain

LATER_S = 0.01  # a chain with one that keeps its thread: it has to be seen to be quick first


@contextmanager
def forced(seed: int) -> Iterator[Counter[str]]:
    """While this lasts. How often chains were closed again, opened, given away and diverted."""
    rng, counts = random.Random(seed), Counter[str]()
    kind = chain.Chain
    init, work_slice, close_in = kind.__init__, kind._work_slice, kind._close_in

    def begins(self: Any, *args: Any) -> None:
        init(self, *args)
        self._due_s = 0.0 if self._keeper is None else perf_counter() + LATER_S

    def works(self: Any, head: Any) -> Any:
        self._size = rng.choice((1, 2, 3, 5, 8))
        if rng.random() < 0.15:
            counts["opened"] += 1
            self.open()
        parted = work_slice(self, head)
        counts["left"] += parted is not None
        return parted

    def closes(self: Any, worker: Any) -> None:
        counts["closed again"] += 1
        close_in(self, worker)

    def looks(self: Any) -> bool:
        if not self._is_at_work or self._loop is None or self._owner is not None:
            return bool(self._closed)
        dice = rng.random()
        if dice < 0.3:
            self.give_away()
            counts["given away"] += self._owner is not None
        elif dice < 0.6:
            counts["opened"] += 1
            self.open()
        return True

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chain, "SOON_S", 0.0)
        patch.setattr(chain, "LATEST_S", 0.0005)
        patch.setattr(watch, "LOOK_S", 0.0002)
        for name, by in (("__init__", begins), ("_work_slice", works), ("_close_in", closes), ("look", looks)):
            patch.setattr(kind, name, by)
        yield counts


@pytest.hookimpl(wrapper=True)
def pytest_runtestloop() -> Iterator[None]:
    """As a plugin: for the whole run."""
    with forced(int(os.environ.get("CHAIN_SEED", "1"))):
        return (yield)
