"""Promise 4, of what a task waits for besides packets: it is taken once it has come, and waited for as they are.

The wake sources are the tests' own, as are the operators: a timer, and an answer that another thread brings.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from math import inf
from time import monotonic, sleep
from typing import Any

import pytest

import runtime
from runtime.builder.stream import OutputRef, Stream
from runtime.operators import Map, register_operator
from runtime.scheduling.parker import Waiter
from runtime.scheduling.wake_source import WakeSource
from runtime.testing import PATIENCE_S
from tests.platforms import MakeSession

SOON_S, LATE_S = 0.01, 3600.0


class Timer:
    """Comes `times` times, each `after_s` after it was taken last."""

    def __init__(self, waiter: Waiter, after_s: float, times: int) -> None:
        self._waiter, self._after_s, self._times = waiter, after_s, times
        self._at_s = waiter.clock() + after_s

    def ready(self) -> bool:
        return self._times > 0 and self._waiter.clock() >= self._at_s

    def ask(self) -> None:
        pass

    def due_s(self) -> float:
        return self._at_s if self._times > 0 else inf

    def take(self) -> Iterable[Any]:
        self._times -= 1
        self._at_s += self._after_s
        return ["tick"]


class Answer:
    """Comes when another thread brings it."""

    def __init__(self, waiter: Waiter) -> None:
        self._waiter = waiter
        self._answer: list[Any] = []
        self.is_waited_for = threading.Event()

    def bring(self, answer: Any) -> None:
        self._answer.append(answer)
        self._waiter.unpark()

    def ready(self) -> bool:
        return bool(self._answer)

    def ask(self) -> None:
        self.is_waited_for.set()

    def due_s(self) -> float:
        return inf

    def take(self) -> Iterable[Any]:
        yield self._answer.pop()


class Ticks(Map):
    """Sends packets on, and a tick for each time that its timer comes."""

    after_s, times = SOON_S, 3

    def wake_sources(self, waiter: Waiter) -> Sequence[WakeSource]:
        return (Timer(waiter, self.after_s, self.times),)


class TicksSoon(Ticks):
    """Of which the timer comes while somebody waits for the job."""

    after_s = 0.3


class TicksLate(Ticks):
    """Of which nobody lives to see the timer, where time is real."""

    after_s = LATE_S


answers: list[Answer] = []


class Asks(Map):
    """Sends packets on, and an answer that comes from elsewhere."""

    def wake_sources(self, waiter: Waiter) -> Sequence[WakeSource]:
        answers.append(Answer(waiter))
        return (answers[-1],)


register_operator("ticks", Ticks)
register_operator("ticks_soon", TicksSoon)
register_operator("ticks_late", TicksLate)
register_operator("asks", Asks)


def same(value: Any) -> Any:
    return value


def until(ready: Callable[[], bool]) -> None:
    """Wait until `ready`, which comes by time."""
    began_s = monotonic()
    while not ready():
        assert monotonic() - began_s < PATIENCE_S
        sleep(0)


def holds(got: runtime.Collected[Any], count: int) -> bool:
    return len(got) == count


def build(session: runtime.Session, kind: str, **options: Any) -> runtime.Collected[Any]:
    """An input, an operator of this kind, and all that it sends."""
    source: Any = session.input("in")
    node = source._add(kind, same, name="work", parallelism=1, capacity=4, **options)
    return Stream[Any](source._environment, (OutputRef(node.name),)).collect()


@pytest.mark.parametrize("policy", ["fail", "skip"])
def test_a_timer_is_taken_while_nothing_else_comes(make_session: MakeSession, policy: str) -> None:
    session = make_session()
    got = build(session, "ticks", on_error=policy)
    session.start()
    until(lambda: len(got) == 3)
    session.send("in", 1)
    session.stop()
    session.wait(PATIENCE_S)
    assert list(got) == ["tick", "tick", "tick", 1]


def test_under_a_seed_a_timer_comes_in_virtual_time(make_session: MakeSession) -> None:
    runs = []
    for _ in range(2):
        session = make_session(seed=7)
        got = build(session, "ticks_late")
        session.start()
        session.settle(PATIENCE_S)
        assert list(got) == ["tick"] * 3
        session.stop()
        session.wait(PATIENCE_S)
        runs.append(session.turns)
    assert runs[0] == runs[1]
    assert any("10800" in turn for turn in runs[0]), "the time of the last one"


def test_who_waits_for_a_timer_does_not_stand_still_until_it_has_come(make_session: MakeSession) -> None:
    session = make_session()
    got = build(session, "ticks")
    session.start()
    session.settle(PATIENCE_S)
    assert list(got) == ["tick"] * 3
    session.cancel()


def test_a_cancel_ends_who_waits_for_a_timer_that_settle_does_not_take_for_standing_still() -> None:
    with runtime.Session() as session:
        build(session, "ticks_late")
        session.start()
        with pytest.raises(TimeoutError):
            session.settle(0.05)
        assert session.snapshot().tasks["work"].state == "idle"
        session.cancel()
        session.wait(PATIENCE_S)
        assert session.snapshot().state == "cancelled"


def test_a_paused_task_takes_a_timer_by_a_step_alone(make_session: MakeSession) -> None:
    session = make_session()
    got = build(session, "ticks")
    session.start(paused=True)
    until(lambda: session.step("work").result == "done")
    assert len(got) == 0
    session.step("collect")
    assert list(got) == ["tick"]
    session.resume()
    until(lambda: len(got) == 3)
    session.cancel()


def test_a_timer_of_a_paused_task_ends_a_wait_for_the_job_when_it_has_come(make_session: MakeSession) -> None:
    session = make_session()
    build(session, "ticks_soon")
    session.start(paused=True)
    began_s = monotonic()
    with pytest.raises(runtime.JobPaused, match="'work' is paused"):
        session.wait(PATIENCE_S)
    assert monotonic() - began_s < PATIENCE_S, "else it is seen at the end of that time alone"
    session.cancel()


def test_what_another_thread_brings_wakes_who_sleeps(make_session: MakeSession) -> None:
    session = make_session()
    got = build(session, "asks")
    session.start()
    assert answers[-1].is_waited_for.wait(PATIENCE_S)
    session.settle(PATIENCE_S)  # time does not bring it
    for answer in range(100):
        answers[-1].bring(answer)
        until(partial(holds, got, answer + 1))
    session.stop()
    session.wait(PATIENCE_S)
    assert list(got) == [*range(100)]


def test_what_a_wake_source_raises_fails_its_task(make_session: MakeSession, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(self: Timer) -> Iterable[Any]:
        raise ValueError("a tick too many")

    monkeypatch.setattr(Timer, "take", fails)
    session = make_session()
    build(session, "ticks", on_error="skip")  # policies are for packets
    session.start()
    with pytest.raises(runtime.TaskFailed, match="work"):
        session.wait(PATIENCE_S)
