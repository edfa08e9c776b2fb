"""Jobs of 2,000 tasks on threads: whoever looks at one, or ends it, does not wait for the GIL behind all of them.

The figures are measured here, and shown. They are of a machine that does nothing else, with cores of 2 GHz: the share
of a core that the busy job got is counted in, and how slow the core is.
"""

from __future__ import annotations

import itertools
import os
import sys
import threading
from collections.abc import Callable, Container
from statistics import median
from time import perf_counter, process_time, thread_time
from typing import Any, Final, TypeVar

import pytest

from runtime import Session
from runtime.facts import Outcome, Snapshot
from runtime.scheduling.admission import FEW, Limit

TASKS: Final = 2_000
PACKET_S: Final = 50e-6
SOON_S: Final = 1.0
STEPS_S: Final = 0.25e-3  # in which a core of 2 GHz does 10,000 steps of an empty loop, by CPython 3.11
PATIENCE_S: Final = 30.0
T = TypeVar("T")


class Busy:
    """A function that computes for 50 µs, and a moment: when it has been called so many times since `await_calls`."""

    def __init__(self) -> None:
        self._reached, self._calls = threading.Event(), 0
        self._count = itertools.count(1).__next__
        self._steps = range(max(1, int(10_000 * PACKET_S / min(_ten_thousand_steps() for _ in range(20)))))

    def __call__(self, value: Any) -> Any:
        for _ in self._steps:
            pass
        if self._count() == self._calls:
            self._reached.set()
        return value

    def await_calls(self, calls: int) -> None:
        """Wait until it has been called so many times more."""
        self._reached.clear()
        self._calls, self._count = calls, itertools.count(1).__next__
        assert self._reached.wait(PATIENCE_S)


def _ten_thousand_steps(clock: Callable[[], float] = perf_counter) -> float:
    began_s = clock()
    for _ in range(10_000):
        pass
    return clock() - began_s


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


class Stopwatch:
    """How long commands have taken, by name; of one that is given several times, the longest.

    Other processes make all of this one slower by a factor, which is seen while the job wants a core all the time. So
    does a core that is shared with others unseen, or just slow.
    """

    def __init__(self) -> None:
        self.took: dict[str, float] = {}
        self.share = 1.0  # of a core, that the job got when it last wanted a whole one
        self.slowness = max(1.0, median(_ten_thousand_steps(thread_time) for _ in range(50)) / STEPS_S)

    def __call__(self, name: str, command: Callable[[], T]) -> T:
        began_s = perf_counter()
        result = command()
        took_s = (perf_counter() - began_s) * self.share / self.slowness
        self.took[name] = max(self.took.get(name, 0.0), took_s)
        return result

    def await_calls(self, busy: Busy, calls: int) -> None:
        """Let the tasks be busy for so many calls, and see what share of a core they get."""
        began_s, used_s = perf_counter(), process_time()
        busy.await_calls(calls)
        self.share = min(1.0, (process_time() - used_s) / (perf_counter() - began_s))

    def hold_to(self, limit_s: float, title: str, capsys: pytest.CaptureFixture[str], *, but: Container[str]) -> None:
        """Show them; raise `AssertionError` if one took longer, `but` for those."""
        shown = ", ".join(f"{name} {seconds:.3f} s" for name, seconds in self.took.items())
        machine = f"share {self.share:.2f} of a core, {self.slowness:.1f} x as slow, load {os.getloadavg()[0]:.1f}"
        shown = f"{title}: {shown}; {machine}"
        with capsys.disabled():
            sys.stdout.write(f"\n{shown}\n")
        assert all(seconds < limit_s for name, seconds in self.took.items() if name not in but), shown


def made(snapshot: Snapshot) -> int:
    """How many packets have been worked, of sources: made."""
    return sum(task.processed for task in snapshot)


SHAPES: Final = pytest.mark.parametrize("shape", [line, wide, lines], ids=lambda shape: str(shape.__name__))


@pytest.mark.timeout(90)
@SHAPES
def test_2000_busy_tasks_can_be_looked_at_and_cancelled_within_a_second(
    shape: Callable[[Session, Busy], None], capsys: pytest.CaptureFixture[str]
) -> None:
    busy, timed = Busy(), Stopwatch()
    late: list[float] = []
    with Session(capacity=64) as session:
        shape(session, busy)
        timed("start", session.start)
        timed("first snapshot", session.snapshot)
        timed.await_calls(busy, 20_000)
        timed("snapshot", session.snapshot)
        last = session.graph.operators[-1].name
        timed("peek", lambda: session.peek(last))
        timed("pause of one", lambda: session.pause(last))
        timed("its step", lambda: session.step(last))
        timed("its resume", lambda: session.resume(last))
        for _ in range(20):  # as a notebook's kernel does, and whoever else waits for something
            began_s = perf_counter()
            threading.Event().wait(0.01)
            late.append(perf_counter() - began_s - 0.01)
        timed("cancel", session.cancel)
        outcome = timed("end", session.wait)
        timed("close", session.close)
        assert isinstance(outcome, Outcome)
        assert outcome.state == "cancelled"
    timed.took["late"] = median(late)
    timed.hold_to(SOON_S, shape.__name__, capsys, but=("start", "close"))


@pytest.mark.timeout(90)
@SHAPES
def test_2000_busy_tasks_can_be_paused_stepped_and_let_go_all_at_once_within_a_second(
    shape: Callable[[Session, Busy], None], capsys: pytest.CaptureFixture[str]
) -> None:
    busy, timed = Busy(), Stopwatch()
    with Session(capacity=64) as session:
        shape(session, busy)
        session.start()
        for calls in (20_000, 5_000, 5_000, 5_000):  # the first pause takes them while places are still being found
            timed.await_calls(busy, calls)
            assert timed("pause", session.pause) == ()
            before, after = timed("snapshot of a paused job", session.snapshot), session.snapshot()
            assert all(task.held for task in before)
            assert made(before) == made(after), "a pause is a pause"
            assert all(step.result == "done" for step in timed("ten steps", lambda: session.step(None, 10)))
            timed("resume", session.resume)
        timed.await_calls(busy, 5_000)
        session.pause()
        timed("close while paused", session.close)
    timed.hold_to(SOON_S, shape.__name__, capsys, but=("close while paused",))


def test_100_tasks_may_all_be_in_user_code_at_once() -> None:
    together = threading.Barrier(100)
    with Session() as session:
        session.source(range(100)).map(lambda _: together.wait(PATIENCE_S), parallelism=100).sink(bool)
        assert session.run(PATIENCE_S).packets_in == 100


def test_more_may_run_while_the_gil_is_free_and_fewer_when_whoever_wants_it_waits() -> None:
    limit = Limit()

    def look(late_s: float, *, used: float = 0.0, running: int = 0, waiting: int = 9, moved: int = 1) -> int:
        slept_s = 0.002 + late_s
        limit.look(
            late_s=late_s,
            slept_s=slept_s,
            used_s=used * slept_s,
            running=running or limit.places,
            waiting=waiting,
            moved=moved,
        )
        return limit.places

    assert [look(0.0, moved=0) for _ in range(6)] == [FEW, FEW, 2 * FEW, 2 * FEW, 2 * FEW, 4 * FEW], "all wait"
    assert [look(0.003) for _ in range(8)] == [*[4 * FEW] * 7, 8 * FEW], "most wait, for a short time each"
    assert [look(0.003, used=0.9) for _ in range(8)] == [*[8 * FEW] * 7, 9 * FEW], "many run, for a short time each"
    assert [look(0.005) for _ in range(80)] == [9 * FEW] * 80, "one computes"
    assert look(0.0501, running=9 * FEW) == 9 * FEW - 3, "three compute too many"
    assert look(9.0) == FEW, "never fewer"
    assert look(0.3, moved=0) == 2 * FEW, "nobody has moved for long, however late it is"
    assert look(0.0, running=FEW, waiting=0) == 2 * FEW, "twice as many as run are no harm"
    assert [look(0.0, running=1, waiting=0) for _ in range(9)][-1] == FEW, "nobody waits, again and again"
    limit.keep(100)
    assert look(9.0) == 100 + FEW, "of a cancelled job"
