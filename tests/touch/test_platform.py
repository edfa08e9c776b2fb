"""Another platform, made from outside (coded_threads.py): promises on it, and that what goes between tasks is bytes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

import runtime
from runtime.driver import backend as driver
from runtime.testing import PATIENCE_S
from tests.signals import Aligned, Marked, check, lanes
from tests.touch import coded_threads

coded_threads.register()


@pytest.fixture
def session() -> Iterator[runtime.Session]:
    with runtime.Session("coded", platform="coded", capacity=8) as session:
        yield session


def double(number: int) -> int:
    return 2 * number


def parity(number: int) -> int:
    return number % 2


def add(one: int, other: int) -> int:
    return one + other


def halve(number: int) -> int:
    if number % 2:
        raise ValueError(number)
    return number // 2


class Counter:
    """A service that counts its calls."""

    def __init__(self) -> None:
        self.calls = 0

    def process(self, number: int) -> int:
        self.calls += 1
        return number + 100


class Asks(runtime.Function[int, int]):
    def process(self, number: int, /) -> int:
        answer: int = self.ctx.call_service("counter", number)
        return answer


def test_every_packet_arrives_once_and_in_order(session: runtime.Session) -> None:
    result = session.source(range(500)).map(double).collect()
    outcome = session.run()
    assert list(result) == [2 * number for number in range(500)]
    assert (outcome.packets_in, outcome.packets_out, outcome.dropped) == (500, 500, 0)


def test_keys_meet_in_one_instance(session: runtime.Session) -> None:
    numbers = session.source(range(100)).map(double, parallelism=2)
    result = numbers.key_by(parity).reduce(add, initial=0, emit="end", parallelism=2).collect()
    session.run()
    assert list(result) == [(0, sum(2 * number for number in range(100)))]


def test_packets_are_copies(session: runtime.Session) -> None:
    kept = [[1], [2]]
    result = session.source(kept).map(list).collect()
    session.run()
    assert list(result) == kept
    assert all(one is not other for one, other in zip(result, kept, strict=True))


def test_a_signal_keeps_its_place(session: runtime.Session) -> None:
    session.source(Marked("a", "aligned"), name="a").map(tuple).sink(tuple, name="end", capacity=1000)
    session.start(paused=True)
    session.resume("a", "map")
    session.settle(PATIENCE_S)
    for lane in lanes(session.peek("end", 1000)).values():
        check("aligned", ("a",), lane)
        assert sum(isinstance(each, Aligned) for each in lane) == 5
    session.resume()
    assert session.wait(PATIENCE_S).state == "completed"


def test_a_service_is_called_by_mail(session: runtime.Session) -> None:
    session.service("counter", Counter)
    result = session.source(range(20)).map(Asks(), parallelism=2).collect()
    session.run()
    assert sorted(result) == list(range(100, 120))


def test_a_person_steps_looks_edits_and_takes_back(session: runtime.Session) -> None:
    session.input("numbers").map(double, name="work").collect(name="result")
    session.start(paused=True)
    for number in range(3):
        session.inject("work", number)
    session.edit(session.peek("work")[0], 10)
    session.drop(session.peek("work")[1])
    session.undo()
    assert [packet.payload for packet in session.peek("work")] == [10, 1, 2]
    step = session.step("work")
    assert [packet.payload for _, packet in step.sent] == [20]
    session.end("numbers")
    session.resume()
    assert session.wait(PATIENCE_S).state == "completed"


@pytest.mark.parametrize("on_error", ["fail", "skip"])
def test_an_error_is_judged_by_its_policy(session: runtime.Session, on_error: Any) -> None:
    result = session.source([2, 3, 4]).map(halve, name="halve", on_error=on_error).collect()
    if on_error == "skip":
        assert session.run().skipped == 1
        assert list(result) == [1, 2]
    else:
        with pytest.raises(runtime.TaskFailed) as failed:
            session.run()
        assert isinstance(failed.value.__cause__, ValueError)


@pytest.mark.parametrize("end", ["stop", "cancel"])
def test_it_ends_when_it_is_told_to(session: runtime.Session, end: str) -> None:
    session.source(_endless).map(double).sink(double)
    session.start()
    getattr(session, end)()
    assert session.wait(PATIENCE_S).state == {"stop": "stopped", "cancel": "cancelled"}[end]


def _endless() -> Iterator[int]:
    number = 0
    while True:
        yield (number := number + 1)


def test_a_seed_is_refused() -> None:
    session = runtime.Session(platform="coded", seed=1)
    session.source([1]).collect()
    with pytest.raises(runtime.GraphInvalid, match="seed"):
        session.start()


def _answer_after(seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the processes of the platform be slow to come."""
    answer = coded_threads.Threads._answer

    def slow(threads: coded_threads.Threads, method: str, arguments: tuple[Any, ...]) -> Any:
        if method == "make":
            time.sleep(seconds)
        return answer(threads, method, arguments)

    monkeypatch.setattr(coded_threads.Threads, "_answer", slow)
    monkeypatch.setattr(driver, "_STARTS_S", seconds / 10)


def test_processes_that_lack_nothing_may_be_slow_to_start(
    session: runtime.Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    _answer_after(0.5, monkeypatch)
    result = session.source([1, 2]).map(double).collect()
    session.run()
    assert list(result) == [2, 4]


def test_what_keeps_processes_from_starting_is_said_soon(
    session: runtime.Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    _answer_after(0.5, monkeypatch)
    monkeypatch.setattr(coded_threads.CodedBackend, "_lack", lambda _, names: f"no place for {' and '.join(names)}")
    session.source([1, 2]).map(double, name="double").collect()
    with pytest.raises(runtime.GraphInvalid, match="no place for double"):
        session.start()


def test_processes_that_do_not_start_at_all_are_named(
    session: runtime.Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    _answer_after(0.5, monkeypatch)
    monkeypatch.setattr(driver, "START_S", 0.1)
    session.source([1, 2]).map(double, name="double").collect()
    with pytest.raises(runtime.GraphInvalid, match=r"not started within 0\.1 s: the processes of 'double'"):
        session.start()


def test_each_task_has_its_share_of_a_rate_and_keeps_it(session: runtime.Session) -> None:
    result = session.source(range(12)).map(double, parallelism=2, rate=runtime.Rate(5, per=0.2)).collect()
    session.run(PATIENCE_S)
    assert sorted(result) == list(range(0, 24, 2))
    assert session.snapshot().at_s >= 0.4  # one has begun two of six at a time, the other three


def test_a_rate_that_leaves_a_task_nothing_is_refused(session: runtime.Session) -> None:
    session.source(range(8)).map(double, parallelism=2, rate=runtime.Rate(1, per=0.5)).collect()
    with pytest.raises(runtime.GraphInvalid, match=r"leaves none for task 1; use parallelism=1, or Rate\(2, per=1\)"):
        session.start()
