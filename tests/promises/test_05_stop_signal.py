"""Promises 5 and 6: the stop signal travels behind the last packet; a task ends once, when all its producers have."""

from __future__ import annotations

from collections.abc import Iterator
from time import perf_counter
from typing import Any

import pytest

import runtime
from runtime.testing import PATIENCE_S, Hold
from tests.pairs import every_pair_of
from tests.platforms import MakeSession, Platform
from tests.promises.test_01_exact import CAPACITIES, SIZES, every_capacity


class Diary(runtime.Function[Any, Any]):
    """Writes down its life as `(task, what)`; passes packets on."""

    def __init__(self, log: list[Any], last: int = 0) -> None:
        self.log, self.last = log, last

    def open(self, ctx: Any) -> None:
        self.log.append((ctx.name, "open"))

    def process(self, value: Any, /) -> Any:
        self.log.append((self.ctx.name, value))
        return value

    def finish(self) -> Iterator[Any]:
        self.log.append((self.ctx.name, "finish"))
        for number in range(self.last):
            yield f"last {number} of {self.ctx.name}"

    def close(self) -> None:
        self.log.append((self.ctx.name, "close"))


def life(log: list[Any], task: str) -> list[Any]:
    return [what for name, what in log if name == task]


@every_pair_of(**SIZES)
def test_every_task_ends_once_behind_the_last_packet_of_all_its_producers(
    make_session: MakeSession, platform: Platform, producers: int, consumers: int, capacity: int
) -> None:
    log = platform.log()
    session = make_session(capacity=capacity)
    source = session.source(range(40), parallelism=producers)
    source.map(Diary(log), name="m", parallelism=consumers).sink(Diary(log), name="end", parallelism=producers)
    session.run(PATIENCE_S)
    snapshot = session.snapshot()
    assert sorted(snapshot.order) == sorted(snapshot.tasks)
    for task in snapshot:
        assert task.ending == "completed"
        if task.kind != "source":
            whole = life(log, task.name)
            assert (whole[0], whole[-2:]) == ("open", ["finish", "close"])
            assert [whole.count(mark) for mark in ("open", "finish", "close")] == [1, 1, 1]
    ends = [event.task for event in session.events if event.kind == "end" and event.task is not None]
    assert sorted(ends) == sorted(snapshot.tasks)


@every_pair_of(capacity=CAPACITIES, remote={"capacity": 1})
def test_what_finish_emits_arrives_before_the_stop_signal(
    make_session: MakeSession, platform: Platform, capacity: int
) -> None:
    log = platform.log()
    session = make_session(capacity=capacity)
    first = session.source(range(10), parallelism=2).map(Diary(log, last=20), name="first", parallelism=2)
    first.map(Diary(log, last=5), name="second").sink(Diary(log), name="end")
    session.run(PATIENCE_S)
    end = life(log, "end")
    assert end[-2:] == ["finish", "close"]
    assert len(end) == 10 + 2 * 20 + 5 + 3
    assert end[-7:-2] == [f"last {number} of second" for number in range(5)]
    for producer in ("first#0", "first#1"):
        of_producer = [f"last {number} of {producer}" for number in range(20)]
        assert [what for what in end if what in of_producer] == of_producer


@pytest.mark.parametrize("kind", ["filter", "flat_map", "reduce", "keyed reduce", "sink"])
def test_finish_and_close_run_for_every_kind_of_operator(
    make_session: MakeSession, platform: Platform, kind: str
) -> None:
    log = platform.log()

    class Binary(Diary):
        def process(self, *values: Any) -> Any:
            return [values[-1]] if kind == "flat_map" else values[-1]

    session = make_session()
    source = session.source([1, 2, 3])
    diary = Binary(log, last=1)
    keyed: Any = source.key_by(lambda _: 0)
    by_kind: dict[str, Any] = {
        "filter": source.filter,
        "flat_map": source.flat_map,
        "reduce": source.reduce,
        "keyed reduce": keyed.reduce,
        "sink": source.sink,
    }
    made = by_kind[kind](diary, name="it")
    result = [] if kind == "sink" else made.collect()
    session.run(PATIENCE_S)
    assert life(log, "it") == ["open", "finish", "close"]
    assert list(result[-1:]) == ([] if kind == "sink" else ["last 0 of it"])


def test_a_task_goes_on_while_one_of_its_producers_does(make_session: MakeSession, platform: Platform) -> None:
    log = platform.log()
    session = make_session()
    inputs = [session.input(name) for name in ("a", "b", "c")]
    inputs[0].union(*inputs[1:]).sink(Diary(log), name="end")
    session.start()
    for number, name in enumerate(("b", "a")):
        session.send("c", number)
        session.end(name)
        session.settle(PATIENCE_S)
        assert life(log, "end") == ["open", *range(number + 1)]
    session.send("c", 2)
    session.end("c")
    session.wait(PATIENCE_S)
    assert life(log, "end") == ["open", 0, 1, 2, "finish", "close"]


@every_capacity
def test_a_diamond_ends_once_both_ways_have_ended(make_session: MakeSession, platform: Platform, capacity: int) -> None:
    log = platform.log()
    session = make_session(capacity=capacity)
    source = session.source(range(30))
    left = source.map(Diary(log, last=3), name="left", parallelism=3)
    right = source.filter(lambda _: False, name="right").map(Diary(log, last=4), name="late")
    left.union(right).sink(Diary(log), name="end")
    session.run(PATIENCE_S)
    end = life(log, "end")
    assert len(end) == 1 + 30 + 3 * 3 + 4 + 2
    assert end[-2:] == ["finish", "close"]
    assert session.snapshot().order[-1] == "end"


@every_capacity
@pytest.mark.concurrent
def test_a_stop_signal_needs_no_room_in_a_full_queue(
    make_session: MakeSession, platform: Platform, capacity: int
) -> None:
    session = make_session(capacity=capacity)
    hold, other_ended = Hold[int](), platform.moment()

    class Other(runtime.Function[int, None]):
        def process(self, value: int, /) -> None: ...

        def close(self) -> None:
            other_ended.set()

    def numbers() -> Iterator[int]:
        yield 0
        hold.reached.wait()
        yield from range(capacity)

    source = session.source(numbers)
    source.sink(hold, name="held")  # its lane is the first to which the signal goes
    source.sink(Other(), name="other")
    session.start()
    other_ended.wait()
    assert session.snapshot()["held"].depth == capacity
    hold.release()
    session.wait(PATIENCE_S)
    assert session.snapshot()["held"].processed == capacity + 1


@pytest.mark.also_remote
def test_finish_does_not_run_after_a_cancel_but_close_does(make_session: MakeSession, platform: Platform) -> None:
    log = platform.log()
    session = make_session()
    session.input("in").map(Diary(log, last=1), name="m").sink(Diary(log), name="end")
    session.start()
    session.send("in", 1)
    session.settle(PATIENCE_S)
    session.cancel()
    assert session.wait(PATIENCE_S).state == "cancelled"
    assert life(log, "m") == life(log, "end") == ["open", 1, "close"]


def test_finish_runs_after_a_stop(make_session: MakeSession, platform: Platform) -> None:
    log = platform.log()
    session = make_session()
    session.input("in").map(Diary(log, last=1), name="m").sink(Diary(log), name="end")
    session.start()
    session.send("in", 1)
    session.stop()
    assert session.wait(PATIENCE_S).state == "stopped"
    assert life(log, "m") == ["open", 1, "finish", "close"]
    assert life(log, "end") == ["open", 1, "last 0 of m", "finish", "close"]


@pytest.mark.also_remote
@pytest.mark.long_on_ray
def test_finish_does_not_run_where_a_producer_failed(make_session: MakeSession, platform: Platform) -> None:
    log = platform.log()
    session = make_session()
    good = session.source(range(3), name="good")
    bad = session.source([0], name="bad").map(lambda value: 1 // value)
    good.union(bad).map(Diary(log, last=1), name="m").sink(Diary(log), name="end")
    with pytest.raises(runtime.TaskFailed):
        session.run(PATIENCE_S)
    for task in ("m", "end"):
        assert "finish" not in life(log, task)
        assert life(log, task)[-1] == "close"


@pytest.mark.also_remote
@pytest.mark.long_on_ray
def test_close_runs_once_where_open_failed(make_session: MakeSession, platform: Platform) -> None:
    log = platform.log()

    class Closed(Diary):
        def open(self, ctx: Any) -> None:
            super().open(ctx)
            raise OSError("no such device")

    session = make_session()
    session.source(range(3)).map(Closed(log), name="m").collect()
    with pytest.raises(runtime.TaskFailed, match="'m' failed: OSError: no such device"):
        session.run(PATIENCE_S)
    assert life(log, "m") == ["open", "close"]


def test_the_signals_of_all_producers_are_told_in_the_order_in_which_they_came(
    make_session: MakeSession, platform: Platform
) -> None:
    session = make_session()
    session.source(range(10), name="numbers", parallelism=3).collect(name="end")
    session.run(PATIENCE_S)
    told = [event.text for event in session.events if event.kind == "stop signal"]
    producers = [producer for producer, _ in session.snapshot()["end"].ended_producers]
    assert told == [f"received completed from {name}: {n} of 3" for n, name in enumerate(producers, 1)]
    assert sorted(producers) == ["numbers#0", "numbers#1", "numbers#2"]


def test_ending_takes_no_timer_however_many_hops(make_session: MakeSession) -> None:
    """A quiet period of 20 ms at each of these hops would take 2 s, each time."""
    session = make_session()
    stream = session.input("in")
    for _ in range(100):
        stream = stream.map(lambda value: value)
    stream.collect()
    took = []
    for _ in range(5):
        session.start()
        session.settle(PATIENCE_S)
        began = perf_counter()
        session.end("in")
        session.wait(PATIENCE_S)
        took.append(perf_counter() - began)
    assert min(took) < 1
