"""How packets travel: bounded, in order, at once, in large parcels, and large arrays by reference."""

from __future__ import annotations

from collections import defaultdict
from functools import partial
from typing import Any

import numpy as np
import pytest

import runtime
from runtime.ray.codec import CODEC, LARGE
from runtime.testing import PATIENCE_S, check_bounded
from tests.remote import functions as far
from tests.remote.shared import SharedHold, SharedMoment

pytestmark = pytest.mark.on_ray


@pytest.mark.parametrize("capacity", [1, 50])
def test_before_a_slow_sink_there_is_never_more_than_the_queues_hold(capacity: int) -> None:
    with runtime.Session(platform="remote", capacity=capacity) as session, SharedHold() as hold:
        session.source(far.Endless(), name="numbers").map(far.same, name="work").sink(hold, name="slow")
        session.start()
        hold.reached.wait()
        # The bound: in each queue its capacity, whether at the writer, on the way or at the reader; one in each task.
        bound = 2 * capacity + 2
        for _ in range(100):  # looks, of some milliseconds each
            check_bounded(session.snapshot())
            assert session.snapshot()["numbers"].emitted <= bound
        snapshot = session.snapshot()
        assert snapshot["numbers"].emitted == bound
        assert [snapshot[task].depth for task in ("work", "slow")] == [capacity, capacity]
        assert [snapshot[task].state for task in ("numbers", "work", "slow")] == ["held back", "held back", "running"]
        hold.release()
        session.cancel()
        outcome = session.wait(PATIENCE_S)
        assert outcome.packets_in == outcome.packets_out + outcome.dropped


def test_order_holds_per_producer_and_equal_keys_meet_where_they_do_on_threads() -> None:
    def owners(platform: str) -> dict[tuple[str, int], set[int]]:
        with runtime.Session(platform=platform, capacity=16) as session:
            numbers = session.source(range(2_000), name="numbers").key_by(_key)
            result = numbers.map(_WithInstance(), name="work", parallelism=2).collect()
            session.run(PATIENCE_S)
        found: dict[tuple[str, int], set[int]] = defaultdict(set)
        seen: dict[tuple[str, int], list[int]] = defaultdict(list)
        for value, index in result:
            found[_key(value)].add(index)
            seen[_key(value)].append(value)
        assert all(values == sorted(values) for values in seen.values())
        return dict(found)

    remote = owners("remote")
    assert all(len(instances) == 1 for instances in remote.values())
    assert remote == owners("local")


def test_a_lone_packet_leaves_at_once_and_waits_for_no_other() -> None:
    with runtime.Session(platform="remote") as session:
        moments, arrived = [SharedMoment() for _ in range(3)], [SharedMoment() for _ in range(3)]
        session.source(far.ToldWhen(moments), name="told").map(far.same).sink(_SetNext(arrived), name="end")
        session.start()
        for moment, there in zip(moments, arrived, strict=True):
            assert not there.has_come
            moment.set()
            there.wait()
        session.wait(PATIENCE_S)


def test_a_stream_fills_its_parcels() -> None:
    packets = 50_000
    with runtime.Session(platform="remote") as session:
        session.source(range(packets), name="numbers").map(far.double, name="double").sink(far.same, name="end")
        session.run(PATIENCE_S)
        dispatcher = session._runs.started().dispatcher
        assert dispatcher is not None
        handle: Any = dispatcher.tasks["numbers"]
        parcels = handle.look().moved[-1]
        assert packets / parcels > 50


@pytest.mark.parametrize("when", ["pickled", "unpickled"])
def test_a_packet_and_a_reply_may_ask_ray_for_something_while_they_travel(when: str) -> None:
    with runtime.Session(platform="remote", capacity=4) as session:
        session.service("service", partial(far.AsksRayIn, when))
        made = session.source(range(20), name="numbers").map(far.AsksRayIn(when), name="made")
        result: Any = made.map(far.Slow(0.004), name="slow").collect()
        session.start()
        assert session.call("service", 0, timeout=PATIENCE_S) == "answered"
        session.wait(PATIENCE_S)
        assert list(result) == ["answered"] * 20


def test_a_large_array_goes_by_reference_and_is_read_where_it_lies() -> None:
    array = np.arange(1_000_000)
    freight = CODEC.encode([array, "beside it", array[:10]])
    assert len(freight.blob) < 10_000
    assert len(freight.refs) == 1
    arrived, text, few = CODEC.decode(freight)
    assert (arrived == array).all()
    assert (text, list(few)) == ("beside it", list(range(10)))
    assert not arrived.flags.writeable
    assert array.nbytes > LARGE
    assert CODEC.encode([arrived]).refs == freight.refs  # passed on, it is not copied


def test_arrays_pass_through_tasks() -> None:
    with runtime.Session(platform="remote", capacity=4) as session:
        result = session.source(_arrays, name="arrays").map(_first_and_sum, name="sum").collect()
        session.run(PATIENCE_S)
    assert list(result) == [(number, number * 200_000) for number in range(10)]


def _arrays() -> Any:
    return (np.full(200_000, number) for number in range(10))


def _first_and_sum(array: Any) -> tuple[int, int]:
    return int(array[0]), int(array.sum())


def _key(value: int) -> tuple[str, int]:
    return "key", value % 17


class _WithInstance(runtime.Function[int, tuple[int, int]]):
    def process(self, value: int, /) -> tuple[int, int]:
        return value, self.ctx.index


class _SetNext(runtime.Function[Any, None]):
    """Lets one moment come for each packet."""

    def __init__(self, moments: list[SharedMoment]) -> None:
        self.moments = moments

    def process(self, value: Any, /) -> None:
        self.moments.pop(0).set()
