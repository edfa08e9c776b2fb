"""What went wrong in the runtime that this one replaces (peers.md), each as a test that ours does not."""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest

import runtime
from runtime.testing import PATIENCE_S, Hold, Moment, leak_guard
from tests.platforms import MakeSession, Platform


def test_producers_that_end_a_second_apart_lose_nothing(make_session: MakeSession) -> None:
    """The one test that spends real time: a quiet period of any usual length would end the consumer too early."""
    session = make_session()

    class Late(runtime.SourceFunction[int]):
        def run(self) -> Iterator[int]:
            yield self.ctx.index
            self.ctx.stopping.wait(0.5 * self.ctx.index)
            yield from range(10 * self.ctx.index, 10 * self.ctx.index + 10)

    result = session.source(Late(), parallelism=3).map(lambda value: value, parallelism=2).collect()
    session.run(PATIENCE_S)
    assert sorted(result) == sorted([0, 1, 2, *range(30)])


@pytest.mark.concurrent
@pytest.mark.parametrize("consumers", [1, 2, 3])
def test_a_producer_may_end_long_after_all_others(
    make_session: MakeSession, platform: Platform, consumers: int
) -> None:
    session = make_session(capacity=2)
    others_done, got = platform.moment(), platform.log()

    class Late(runtime.SourceFunction[int]):
        def run(self) -> Iterator[int]:
            if self.ctx.index == 0:
                others_done.wait()
            yield from range(20)

        def __deepcopy__(self, memo: object) -> Late:
            return Late()

    def note(value: int) -> None:
        got.append(value)
        if len(got) == 4 * 20:
            others_done.set()

    session.source(Late(), parallelism=5).sink(note, parallelism=consumers)
    session.run(PATIENCE_S)
    assert Counter(got) == dict.fromkeys(range(20), 5)


def test_key_zero_is_not_spread_over_all_instances(make_session: MakeSession) -> None:
    session = make_session()
    result = session.source([0] * 100, parallelism=3).key_by(lambda value: value)
    counts = result.reduce(lambda number, _: number + 1, initial=0, emit="end", parallelism=3).collect()
    session.run(PATIENCE_S)
    assert list(counts) == [(0, 100)]


def test_none_does_not_end_a_stream(make_session: MakeSession) -> None:
    session = make_session()
    source = session.source([1, None, 2, None, None], parallelism=2)
    result = source.map(lambda value: None if value is None else value, parallelism=2).flat_map(lambda v: [v]).collect()
    session.run(PATIENCE_S)
    assert Counter(result) == {None: 3, 1: 1, 2: 1}


@pytest.mark.parametrize("where", ["in its callable", "before the first item", "in the middle"])
def test_an_error_in_a_source_does_not_hang_the_job(make_session: MakeSession, where: str) -> None:
    def numbers() -> Any:
        if where == "in its callable":
            raise OSError("no such file")
        return inner()

    def inner() -> Iterator[int]:
        if where == "before the first item":
            raise OSError("no such file")
        yield 1
        yield 2
        raise OSError("no such file")

    session = make_session()
    other = session.source(count())
    session.source(numbers, name="lines").union(other).map(lambda value: value).collect(limit=10)
    with pytest.raises(runtime.TaskFailed, match="task 'lines' failed: OSError: no such file"):
        session.run(PATIENCE_S)


@pytest.mark.parametrize("error", [SystemExit(1), KeyboardInterrupt(), StopIteration(), GeneratorExit()], ids=repr)
@pytest.mark.parametrize("kind", ["map", "filter", "flat_map", "reduce", "keyed reduce", "key function"])
def test_what_ends_threads_and_loops_elsewhere_is_an_error_like_any_other(
    make_session: MakeSession, error: BaseException, kind: str
) -> None:
    def fail(*_: Any) -> Any:
        raise error

    session = make_session(capacity=1)
    source = session.source(count(), name="numbers")
    if kind == "key function":
        source.key_by(fail).map(abs, parallelism=2).collect()
    elif kind == "keyed reduce":
        source.key_by(abs).reduce(fail, initial=0, parallelism=2, name="it").collect()
    else:
        call = {"map": source.map, "filter": source.filter, "flat_map": source.flat_map, "reduce": source.reduce}[kind]
        # a reduce without initial calls nothing for its first packet
        call(fail, name="it").collect()  # type: ignore[operator]
    with pytest.raises(runtime.TaskFailed) as caught:
        session.run(PATIENCE_S)
    assert caught.value.__cause__ is error


@pytest.mark.concurrent
@pytest.mark.parametrize("capacity", [1, 2, 1024])
def test_a_full_queue_at_stop_drops_nothing(make_session: MakeSession, platform: Platform, capacity: int) -> None:
    session = make_session(capacity=capacity)
    hold, full = Hold[int](), platform.moment()

    def numbers() -> Iterator[int]:
        yield 0
        hold.reached.wait()
        for number in count(1):
            if number == capacity + 1:
                full.set()
            yield number

    result = session.source(numbers).map(hold).collect()
    session.start()
    full.wait()
    session.stop()
    hold.release()
    outcome = session.wait(PATIENCE_S)
    assert outcome.dropped == 0
    assert list(result) == list(range(outcome.packets_in))
    assert outcome.packets_in >= capacity + 1


@pytest.mark.concurrent
@pytest.mark.parametrize("capacity", [1, 2, 1024])
def test_a_full_queue_at_cancel_is_dropped_and_counted(
    make_session: MakeSession, platform: Platform, capacity: int
) -> None:
    session = make_session(capacity=capacity)
    hold, full = Hold[int](), platform.moment()

    def numbers() -> Iterator[int]:
        yield 0
        hold.reached.wait()
        for number in count(1):
            if number == capacity + 1:
                full.set()
            yield number

    session.source(numbers).map(hold).sink(lambda _: None)
    session.start()
    full.wait()
    session.cancel()
    hold.release()
    outcome = session.wait(PATIENCE_S)
    assert outcome.packets_in == outcome.packets_out + outcome.dropped
    assert outcome.dropped >= capacity


@pytest.mark.concurrent
@pytest.mark.parametrize("kind", ["source", "map"])
def test_others_flow_while_one_producer_is_stuck_in_user_code(
    make_session: MakeSession, platform: Platform, kind: str
) -> None:
    session = make_session(capacity=2)
    hold, others_done, got = Hold[int](lambda value: value == -1), platform.moment(), platform.log()

    def note(value: int) -> None:
        got.append(value)
        if len([each for each in got if each >= 0]) == 200:
            others_done.set()

    if kind == "source":
        stuck = session.source(hold(number) for number in [-2, -1, -3])
    else:
        stuck = session.source([-2, -1, -3]).map(hold)
    stuck.union(session.source(range(200), parallelism=3).map(lambda value: value)).sink(note, parallelism=2)
    session.start()
    others_done.wait()
    hold.release()
    session.wait(PATIENCE_S)
    assert sorted(got) == [-3, -2, -1, *range(200)]


def test_twenty_jobs_leave_no_descriptor_and_no_thread(make_session: MakeSession) -> None:
    def job() -> None:
        session = make_session(capacity=3)
        source = session.source(range(50), parallelism=2)
        result = (
            source.map(lambda value: value, parallelism=3).key_by(lambda value: value).map(abs, parallelism=2).collect()
        )
        session.run(PATIENCE_S)
        assert len(result) == 50
        session.close()

    job()
    descriptors = descriptors_now()
    with leak_guard(grace_s=0):  # `close` has joined what it started; there is nothing to wait for
        for _ in range(20):
            job()
            assert descriptors_now() == descriptors


def descriptors_now() -> list[str]:
    return sorted(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else []


def test_a_job_ends_without_a_pause(make_session: MakeSession) -> None:
    """The former runtime took two to three seconds for each."""
    session = make_session()
    session.source(range(10)).map(abs, parallelism=3).collect()
    took = []
    for _ in range(20):
        began = time.perf_counter()
        session.run(PATIENCE_S)
        took.append(time.perf_counter() - began)
    assert min(took) < 0.1


def test_a_stop_signal_is_never_handed_to_a_user_function(make_session: MakeSession, platform: Platform) -> None:
    session = make_session()
    seen = platform.log()

    class Keep(runtime.Function[Any, Any]):
        def process(self, value: Any, /) -> Any:
            seen.append(type(value))
            return value

        def __deepcopy__(self, memo: object) -> Keep:
            return Keep()

    source = session.source(range(30), parallelism=3)
    source.map(Keep(), parallelism=2).filter(Keep()).key_by(lambda value: seen.append(type(value))).sink(Keep())
    session.run(PATIENCE_S)
    assert set(seen) == {int}


def test_stop_returns_at_once_and_wait_means_that_no_thread_is_left(make_session: MakeSession) -> None:
    session = make_session("gone", capacity=2)
    going = Moment()

    def numbers() -> Iterator[int]:
        for number in count():
            if number == 100:
                going.set()
            yield number

    session.source(numbers, parallelism=2).map(lambda value: value, parallelism=3).sink(lambda _: None)
    session.start()
    going.wait()
    session.stop()
    session.wait(PATIENCE_S)
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith("gone/")] == []
