"""Lets chains be closed as soon as they can be, and opened at random points. Knows the runtime's own parts.

As a pytest plugin (`-p tests.chain.forced`) for a whole run, or for one test by `forced()`. `CHAIN_SEED` is the dice's.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from runtime.chain import chain, pace, watch

LATER_S = 0.01  # a chain with one that keeps its thread: it has to be seen to be quick first


@contextmanager
def forced(seed: int) -> Iterator[Counter[str]]:
    """While this lasts. How often chains were closed again, opened, given away and diverted."""
    rng, counts = random.Random(seed), Counter[str]()
    kind = chain.Chain
    work_slice, close_again = kind._work_slice, kind._close_again

    def works(self: Any, head: Any) -> Any:
        self._pace.size = rng.choice((1, 2, 3, 5, 8))
        if rng.random() < 0.15:
            counts["opened"] += 1
            self.open()
        parted = work_slice(self, head)
        counts["left"] += parted is not None
        return parted

    def closes(self: Any, head: Any) -> Any:
        is_closed = close_again(self, head)
        counts["closed again"] += is_closed
        return is_closed

    def looks(self: Any) -> bool:
        line = self._line
        if line is None or not line.is_at_work():
            return bool(self._closed)
        dice = rng.random()
        if dice < 0.3:
            self.give_away()
            counts["given away"] += line.is_left
        elif dice < 0.6:
            counts["opened"] += 1
            self.open()
        return True

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pace, "SOON_S", 0.0)
        patch.setattr(pace, "STARTS_OPEN_S", LATER_S)
        patch.setattr(pace, "LATEST_S", 0.0005)
        patch.setattr(watch, "LOOK_S", 0.0002)
        for name, by in (("_work_slice", works), ("_close_again", closes), ("look", looks)):
            patch.setattr(kind, name, by)
        yield counts


@contextmanager
def undisturbed() -> Iterator[None]:
    """While this lasts, slowness opens no chain: on a busy machine every function is slow at times."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chain.Chain, "look", lambda self: bool(self._closed))
        patch.setattr(pace, "SLOW_PACKET_S", 1e9)
        yield


@pytest.hookimpl(wrapper=True)
def pytest_runtestloop() -> Iterator[None]:
    """As a plugin: for the whole run."""
    with forced(int(os.environ.get("CHAIN_SEED", "1"))):
        return (yield)
