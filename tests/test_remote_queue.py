"""The two ends of a queue without common memory, joined here by nothing but a list of what is on its way."""

from __future__ import annotations

import pickle
from itertools import product
from typing import Any

import pytest

import runtime
from examples.remote_queue import Arrivals, Outbox, places
from runtime.communication.lane import LaneSpec
from runtime.communication.signals import StopSignal
from runtime.scheduling.parker import Parker
from runtime.scheduling.quiescence import QuiescenceMonitor
from tests.error_texts import worded
from tests.signals import Aligned

DONE = StopSignal("writer", "completed")


class Wire:
    """One lane of capacity `share`, and what is on its way to the reader: nothing arrives until `carry`."""

    def __init__(self, capacity: int) -> None:
        self.share, _ = places(capacity, 1)
        self.under_way: list[tuple[Any, Any]] = []
        self.writer, self.reader = Parker(QuiescenceMonitor()), Parker(QuiescenceMonitor())
        self.outbox = Outbox("writer", self.share, self.writer, self._send)
        self.inbox = Arrivals(capacity, (LaneSpec("writer"),), self._acknowledge)
        self.inbox.read_by(self.reader)

    def _send(self, verb: Any, value: Any) -> None:
        self.under_way.append((verb, pickle.dumps(value)))

    def _acknowledge(self, number: int, count: int) -> None:
        self.outbox.acknowledge(count)

    def carry(self) -> None:
        for verb, value in self.under_way:
            self.inbox.receive(0, verb, pickle.loads(value))
        self.under_way.clear()


def test_places_fill_the_capacity_with_one_for_the_hand_and_one_for_each_producer() -> None:
    for capacity, producers in product(range(1, 12), range(6)):
        share, hand = places(capacity, producers)
        assert hand >= 1, (capacity, producers)
        assert producers == 0 or share >= 1, (capacity, producers)
        assert producers * share + hand == max(capacity, producers + 1), (capacity, producers)


def test_a_packet_stays_with_its_writer_until_the_reader_has_worked_it() -> None:
    wire = Wire(capacity=5)
    lane = wire.outbox.lane
    for number in range(wire.share):
        lane.put(number)
    assert not lane.has_room()
    wire.carry()
    assert (len(wire.inbox), lane.has_room()) == (wire.share, False)
    batch, parts = wire.inbox.gather(2)
    assert not lane.has_room()
    for each, count in parts:
        wire.inbox.drop(each, count)
    assert batch == [0, 1]
    assert lane.items == [2, 3]


def test_the_signal_is_shipped_once_behind_all_packets() -> None:
    wire = Wire(capacity=5)
    lane = wire.outbox.lane
    lane.put("last")
    lane.put_signal(DONE)
    wire.outbox.wake()
    assert [verb for verb, _ in wire.under_way] == ["packet", "signal"]
    wire.carry()
    assert wire.inbox.signalled_lane() is None
    wire.inbox.drop(wire.inbox.lanes[1], 1)
    ended = wire.inbox.signalled_lane()
    assert ended is not None
    assert ended.take_signal() == DONE


def test_the_hand_has_its_place_and_borrows_none_that_a_packet_under_way_may_need() -> None:
    wire = Wire(capacity=3)
    wire.inbox.hand.inject("by hand")
    with pytest.raises(runtime.QueueFull):
        wire.inbox.hand.inject("one more")
    for number in range(wire.share):
        wire.outbox.lane.put(number)
    wire.carry()
    assert len(wire.inbox) == 3


def test_a_packet_that_cannot_be_shipped_has_not_been_sent() -> None:
    wire = Wire(capacity=3)
    wire.outbox.lane.put("before")

    def local() -> None: ...

    with pytest.raises(Exception, match="local object") as raised:
        wire.outbox.lane.put(local)
    assert f"{type(raised.value).__name__}: {raised.value}" == worded(lambda: pickle.dumps(local))
    assert wire.outbox.lane.items == ["before"]
    assert wire.outbox.lane.refused == 1
    assert len(wire.under_way) == 1


def test_a_writer_that_is_held_back_asks_the_reader_to_look_up() -> None:
    wire = Wire(capacity=2)
    wire.outbox.lane.put(0)
    wire.writer.cancel()  # so that it does not wait
    with pytest.raises(runtime.Cancelled):
        wire.outbox.lane.put(1)
    wire.carry()
    assert wire.reader.yield_requested


def test_a_reader_that_nothing_can_reach_any_more_hears_why() -> None:
    wire = Wire(capacity=2)
    wire.inbox.fail(LookupError("gone"))
    with pytest.raises(LookupError, match="gone"):
        wire.inbox.wait()


def test_a_signal_between_packets_arrives_between_them() -> None:
    wire = Wire(capacity=9)
    lane = wire.outbox.lane
    for each in (0, 1, Aligned(2), Aligned(3), 4):
        lane.put_signal(each) if isinstance(each, Aligned) else lane.put(each)
    wire.carry()
    got: list[object] = []
    while len(got) < 5:
        if (signalled := wire.inbox.signalled_lane()) is not None:
            got.append(signalled.take_signal())
        batch, parts = wire.inbox.gather(9)
        got += batch
        for each_lane, count in parts:
            wire.inbox.drop(each_lane, count)
    assert got == [0, 1, Aligned(2), Aligned(3), 4]
