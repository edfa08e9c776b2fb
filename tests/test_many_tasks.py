"""Jobs of 2,000 tasks on threads: whoever looks at one, or ends it, does not wait for the GIL behind all of them.

The figures are measured here, and shown. They want the machine for themselves.
"""

from __future__ import annotations

import itertools
import os
import sys
import threading
from collections.abc import Callable
from time import perf_counter
from typing import Any, Final

import pytest

from runtime import Session
from runtime.facts import Outcome
from runtime.task.admission import FEW, Limit

TASKS: Final = 2_000
PACKET_S: Final = 50e-6
SOON_S: Final = 1.0
PATIENCE_S: Final = 30.0


class Busy:
    """A function that computes for 50 µs, and a moment: when it has been called so many times."""

    def __init__(self, calls: int) -> None:
        self.reached = threading.Event()
        self._count = itertools.count(1).__next__
        self._calls = calls
        self._steps = range(max(1, int(10_000 * PACKET_S / min(self._ten_thousand_steps() for _ in range(20)))))

    def __call__(self, value: Any) -> Any:
        for _ in self._steps:
            pass
        if self._count() == self._calls:
            self.reached.set()
        return value

    @staticmethod
    def _ten_thousand_steps() -> float:
        began_s = perf_counter()
        for _ in range(10_000):
            pass
        return perf_counter() - began_s


def line(session: Session, busy: Busy) -> None:
    """One long line."""
    stream = session.source(itertools.count)
    for _ in range(TASKS - 2):
        stream = stream.map(busy)
    stream.sink(busy)


def wide(session: Session, busy: Busy) -> None:
    """One wide operator."""
    session.source(itertools.count).map(busy, parallelism=TASKS - 3).map(busy).sink(busy)


def lines(session: Session, busy: Busy) -> None:
    """500 lines of four, which have always something to do."""
    for _ in range(TASKS // 4):
        session.source(itertools.count).map(busy).map(busy).sink(busy)


@pytest.mark.timeout(90)
@pytest.mark.parametrize("shape", [line, wide, lines], ids=lambda shape: str(shape.__name__))
def test_2000_busy_tasks_can_be_looked_at_and_cancelled_within_a_second(
    shape: Callable[[Session, Busy], None], capsys: pytest.CaptureFixture[str]
) -> None:
    busy = Busy(20_000)
    took: dict[str, float] = {}

    def timed(name: str, command: Callable[[], object]) -> object:
        began_s = perf_counter()
        result = command()
        took[name] = perf_counter() - began_s
        return result

    with Session(capacity=64) as session:
        shape(session, busy)
        timed("start", session.start)
        timed("first snapshot", session.snapshot)
        assert busy.reached.wait(PATIENCE_S), session
        timed("snapshot", session.snapshot)
        timed("peek", lambda: session.peek(session.graph.operators[-1].name))
        for number in range(20):  # as a notebook's kernel does, and whoever else waits for something
            timed(f"late {number}", lambda: threading.Event().wait(0.01))
        timed("cancel", session.cancel)
        outcome = timed("end", session.wait)
        timed("close", session.close)
        assert isinstance(outcome, Outcome)
        assert outcome.state == "cancelled"
    took["late"] = max(took.pop(f"late {number}") for number in range(20)) - 0.01
    shown = ", ".join(f"{name} {seconds:.3f} s" for name, seconds in took.items())
    shown = f"{shape.__name__}: {shown}; load {os.getloadavg()[0]:.1f}"
    with capsys.disabled():
        sys.stdout.write(f"\n{shown}\n")
    assert all(seconds < SOON_S for name, seconds in took.items() if name != "start"), shown


def test_100_tasks_may_all_be_in_user_code_at_once() -> None:
    together = threading.Barrier(100)
    with Session() as session:
        session.source(range(100)).map(lambda _: together.wait(PATIENCE_S), parallelism=100).sink(bool)
        assert session.run(PATIENCE_S).packets_in == 100


def test_more_may_run_while_the_gil_is_free_and_fewer_when_whoever_wants_it_waits() -> None:
    def look(limit: Limit, late_s: float, used_s: float = 0.0, running: int | None = None, came: int = 1) -> int:
        running = limit.places if running is None else running
        limit.look(late_s=late_s, slept_s=0.005 + late_s, used_s=used_s, running=running, waiting=9, came=came)
        return limit.places

    limit = Limit()
    assert [look(limit, 0.0) for _ in range(6)] == [FEW, FEW, 2 * FEW, 2 * FEW, 2 * FEW, 4 * FEW], "nobody computes"
    assert [look(limit, 0.0, 0.004) for _ in range(3)] == [4 * FEW, 4 * FEW, 5 * FEW], "somebody computes"
    assert [look(limit, 0.02) for _ in range(9)] == [5 * FEW] * 9, "late, but not too late"
    assert look(limit, 0.0501, running=5 * FEW) == 5 * FEW - 3, "late by some threads"
    assert look(limit, 9.0) == FEW, "never fewer"
    assert look(limit, 0.3, came=0) == 2 * FEW, "nobody has come to his gate, however late it is"
    limit.look(late_s=0.0, slept_s=0.05, used_s=0.0, running=3, waiting=0, came=0)
    assert limit.places == FEW, "nobody waits"
    limit.add_to(100)
    assert look(limit, 9.0) == 100 + FEW, "of a cancelled job"
