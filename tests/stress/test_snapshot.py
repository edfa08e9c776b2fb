"""A snapshot under stress: it is of one moment, so no packet is seen in two places, however fast it moves."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from random import Random

import pytest

from runtime import Session
from tests.stress.rounds import PATIENCE_S, one_round, repeat


@pytest.fixture(autouse=True)
def _collections_run_python_code_all_the_time() -> Iterator[None]:
    """As they do where somebody measures them; then the GIL may change hands in each."""

    def measure(phase: str, info: dict[str, int]) -> None:
        sum(range(3))

    before = gc.get_threshold()
    gc.callbacks.append(measure)
    gc.set_threshold(5)
    yield
    gc.set_threshold(*before)
    gc.callbacks.remove(measure)


def look_against_moves(rng: Random) -> None:
    count = rng.randint(200, 2000)
    session = Session(capacity=rng.choice((1, 2, 7, 64, 1024)))
    stream = session.source(range(count), name="source").map(lambda value: value, name="middle")
    stream.sink(lambda _: None, name="sink")
    with one_round(session):
        session.start()
        before = {"source": 0, "middle": 0}
        while session.status == "running":
            facts = session.snapshot()
            emitted = {name: facts[name].emitted for name in before}
            assert all(before[name] <= emitted[name] <= count for name in before), (before, emitted)
            assert emitted["middle"] <= emitted["source"], emitted
            before = emitted
        assert session.wait(PATIENCE_S).packets_out == count


def test_what_was_sent_never_becomes_less() -> None:
    repeat(look_against_moves, 40)
