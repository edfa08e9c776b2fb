"""The two ends of a lane between two processes: what its writer, its reader and the hand may count on."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from random import Random
from typing import Any

import pytest

from examples.pickle_codec import CODEC
from runtime.communication.signals import Signal, StopSignal
from runtime.errors import NotSendable, QueueFull, TaskEnded
from runtime.remote.channel import Message
from runtime.remote.remote_lane import Mark, Packets
from tests.remote_rig import LANE, LANES, PATIENCE_S, Link, Writer, endpoint_of, in_thread

ENDED = StopSignal("numbers", "completed")

# ── the writer ──


def test_a_writer_that_is_held_back_goes_on_as_soon_as_a_packet_is_acknowledged() -> None:
    writer = Writer()
    link = Link(8, writer)
    link.send(*range(8))
    thread, found = in_thread(lambda: link.outbox.lane.put(8))
    writer.wait_until("held back")
    link.outbox.acknowledge(1)
    thread.join(PATIENCE_S)
    assert found == [None]
    assert link.room() == 0


def test_a_writer_that_is_held_back_goes_on_as_soon_as_a_lent_place_is_given_back() -> None:
    writer = Writer()
    link = Link(4, writer)
    link.send(0, 1)
    assert link.outbox.grant_credit()
    link.send(2)
    thread, found = in_thread(lambda: link.outbox.lane.put(3))
    writer.wait_until("held back")
    link.outbox.return_credit()
    thread.join(PATIENCE_S)
    assert found == [None]
    assert link.room() == 0


def test_a_place_that_could_not_be_lent_stays_with_its_writer() -> None:
    link = Link(4)
    link.send(*range(4))
    assert not link.outbox.grant_credit()
    link.outbox.acknowledge(4)
    assert link.room() == 4


def test_a_packet_that_is_taken_back_takes_the_place_that_it_had() -> None:
    link = Link(4)
    link.send(*range(4))
    link.outbox.acknowledge(2)
    assert link.outbox.take_back()
    assert link.room() == 1
    assert not link.outbox.take_back()  # that one is for whatever its writer may be putting in
    link.outbox.acknowledge(4)
    assert link.room() == 4


def test_an_acknowledgement_that_was_overtaken_by_a_later_one_changes_nothing() -> None:
    link = Link(4)
    link.send(0, 1, 2)
    link.outbox.acknowledge(3)
    link.outbox.acknowledge(2)
    assert (link.outbox.lane.taken, link.room(), link.outbox.has_mail()) == (3, 4, False)


def test_the_end_leaves_after_the_last_packet_and_once() -> None:
    link = Link(4)
    link.outbox.lane.put("the last")
    link.outbox.lane.put_signal(ENDED)
    assert link.outbox.take(may_end=True) == []
    link.outbox.pack()
    taken = [link.outbox.take(may_end) for may_end in (False, True, True)]
    assert [[type(each) for each in parcel] for parcel in taken] == [[Packets], [Mark], []]
    assert taken[1] == [Mark(link.outbox.address, ENDED)]


def test_a_writer_that_is_held_back_hears_that_what_it_sent_before_cannot_travel() -> None:
    writer = Writer()
    link = Link(4, writer)
    link.send(0, 1)
    assert link.outbox.grant_credit()
    link.outbox.lane.put(threading.Lock())
    thread, found = in_thread(lambda: link.outbox.lane.put("held back"))
    writer.wait_until("held back")
    link.carry()
    thread.join(PATIENCE_S)
    assert [type(error) for error in (*found, *link.errors)] == [NotSendable, NotSendable]
    link.outbox.acknowledge(2)
    link.outbox.return_credit()  # which does not open it again
    with pytest.raises(NotSendable):
        link.outbox.lane.put("later")
    assert (link.outbox.lane.refused, link.lane.items) == (3, [0, 1])


# ── the reader ──


def reading(link: Link) -> tuple[Writer, threading.Thread, list[object]]:
    """The reader of a link's lane, asleep."""
    reader = Writer()
    link.inbox.read_by(reader)
    thread, found = in_thread(link.inbox.wait)
    reader.wait_until("idle")
    return reader, thread, found


def test_a_reader_that_sleeps_is_woken_by_what_arrives() -> None:
    link = Link(8)
    _, thread, found = reading(link)
    link.send("a packet")
    thread.join(PATIENCE_S)
    assert found == [None]


def test_a_reader_that_sleeps_hears_that_nothing_more_can_arrive() -> None:
    link = Link(8)
    _, thread, found = reading(link)
    error = LookupError("its class is not here")
    link.inbox.fail(error)
    thread.join(PATIENCE_S)
    assert found == [error]


def test_before_a_reader_sleeps_its_writers_know_all_that_has_left() -> None:
    link = Link(8)
    link.send("a packet")
    link.inbox.drop(link.lane, 1)
    assert link.told == []  # much less than half
    _, thread, _ = reading(link)
    assert (link.told, link.room()) == ([1], 8)
    link.send("another")
    thread.join(PATIENCE_S)


def test_what_has_left_is_told_once() -> None:
    link = Link(8)
    link.send("a packet", "another")
    link.inbox.drop(link.lane, 1)
    link.inbox.let_in()
    link.inbox.let_in()
    assert link.told == [1]


def test_a_half_of_the_lane_is_told_as_soon_as_it_has_been_worked() -> None:
    link = Link(4)
    link.send(0, 1, 2, 3)
    assert link.told == []
    link.inbox.drop(link.lane, 2)
    assert (link.told, link.room()) == ([2], 2)


# ── the hand ──


def test_a_place_that_is_lent_to_the_hand_is_given_back_when_its_packet_is_taken() -> None:
    link = Link(4)
    assert link.outbox.grant_credit()
    link.inbox.hand.put_into(0, "by hand")
    assert (link.inbox.hand.lane.items, link.room(), link.returned) == (["by hand"], 3, [])
    link.inbox.drop(link.inbox.hand.lane, 1)
    assert (link.room(), link.returned) == (4, [0])


def test_nothing_is_put_in_by_hand_once_the_task_has_begun_to_end() -> None:
    """Neither where a place was found before that, nor where one is looked for after it."""
    link = Link(4)
    assert link.outbox.grant_credit()
    link.inbox.hand.end("completed")
    with pytest.raises(TaskEnded):
        link.inbox.hand.put_into(0, "by hand")
    with pytest.raises(TaskEnded):
        link.inbox.hand.reserve("by hand")
    assert link.inbox.hand.lane.items == []


def test_the_writer_of_a_packet_that_the_hand_takes_out_knows_that_its_place_is_free() -> None:
    link = Link(8)
    link.send("a packet", "another")
    assert link.inbox.hand.remove(link.lane, 0) == "a packet"
    assert (link.told, link.room()) == ([1], 7)


def test_a_packet_that_was_put_back_is_acknowledged_again_when_it_is_worked() -> None:
    link = Link(4)
    link.send("a packet", "another")
    dropped = link.inbox.hand.remove(link.lane, 0)
    with pytest.raises(QueueFull):
        link.inbox.hand.put_back(link.lane, 0, 0, dropped, 0)
    assert link.outbox.take_back()
    with link.inbox.hand.place_from(0):
        link.inbox.hand.put_back(link.lane, 0, 0, dropped, 0)
    assert (link.lane.items, link.room()) == (["a packet", "another"], 2)
    link.inbox.drop(link.lane, 1)
    link.inbox.let_in()
    assert (link.outbox.lane.taken, link.room()) == (1, 3)


# ── signals ──


@dataclass(frozen=True)
class Number(Signal):
    """A signal of the tests' own."""

    number: int


@pytest.mark.parametrize("seed", range(20))
def test_signals_arrive_in_their_places_whenever_packets_are_packed_and_worked(seed: int) -> None:
    rng = Random(seed)
    link = Link(rng.choice((1, 3, 8)))
    sent: list[Any] = []
    arrived: list[Any] = []

    def read() -> None:
        while link.lane.items or link.lane.signals:
            if link.inbox.signalled_lane() is not None:
                arrived.append(link.lane.take_signal())
                continue
            batch, parts = link.inbox.gather(rng.randint(1, 4))
            arrived.extend(batch)
            for lane, count in parts:
                link.inbox.drop(lane, count)

    for number in range(200):
        what = rng.choice(["packet", "packet", "signal", "pack", "carry", "read"])
        if what == "packet" and link.outbox.lane.has_room():
            sent.append(number)
            link.outbox.lane.put(number)
        elif what == "signal":
            sent.append(Number(number))
            link.outbox.lane.put_signal(sent[-1])
        elif what == "pack":
            link.outbox.pack()
        elif what == "carry":
            link.carry()
        elif what == "read":
            read()
            link.inbox.let_in()
    link.outbox.lane.put_signal(ENDED)
    link.carry()
    link.carry()
    read()
    assert arrived == [*sent, ENDED]
    assert not link.outbox.has_mail()


def test_a_signal_between_packets_parts_what_is_packed() -> None:
    link = Link(8)
    lane = link.outbox.lane
    for each in (0, 1, Number(2), Number(3), 4, 5):
        lane.put_signal(each) if isinstance(each, Number) else lane.put(each)
    link.outbox.pack()
    taken = link.outbox.take(may_end=True)
    assert [CODEC.decode(each.serialized) if isinstance(each, Packets) else each.signal for each in taken] == [
        [0, 1],
        Number(2),
        Number(3),
        [4, 5],
    ]
    assert not link.outbox.has_mail()


def test_a_signal_does_not_wait_with_a_few_packets_for_the_many_under_way() -> None:
    link = Link(8)
    link.outbox.under_way = 8
    link.outbox.lane.put(0)
    assert link.outbox.may_wait()
    link.outbox.lane.put_signal(Number(1))
    assert not link.outbox.may_wait()


def test_the_end_leaves_after_a_lane_has_broken_before_a_signal() -> None:
    link = Link(8)
    lane = link.outbox.lane
    lane.put(threading.Lock())
    lane.put("refused")
    lane.put_signal(Number(1))
    assert isinstance(link.outbox.pack(), NotSendable)
    lane.put_signal(ENDED)
    link.carry()
    link.carry()
    assert (lane.closed, link.outbox.has_mail(), link.outbox.has_end()) == (True, False, False)


def test_a_signal_that_a_process_is_sent_stands_behind_the_packets_that_came_before_it() -> None:
    endpoint = endpoint_of()
    inbox = endpoint.lanes.inbox("work", 8, LANES)
    parcel: list[Message] = [
        ("packets", Packets(LANE, 2, CODEC.encode([0, 1]))),
        ("signal", Mark(LANE, Number(2))),
        ("packets", Packets(LANE, 1, CODEC.encode([3]))),
        ("signal", Mark(LANE, ENDED)),
    ]
    endpoint.receive("numbers", 1, parcel)
    batch, parts = inbox.gather(8)
    assert batch == [0, 1]
    inbox.drop(*parts[0])
    lane = inbox.signalled_lane()
    assert lane is not None
    assert lane.take_signal() == Number(2)
    assert inbox.gather(8)[0] == [3]
    assert lane.closed
    endpoint.close()


def test_the_end_waits_for_a_signal_that_was_put_after_the_last_look() -> None:
    link = Link(8)
    link.outbox.pack()
    for signal in (Number(1), ENDED):
        link.outbox.lane.put_signal(signal)
    assert link.outbox.take(may_end=True) == []
    link.outbox.pack()
    assert [each.signal for each in link.outbox.take(may_end=True) if isinstance(each, Mark)] == [Number(1), ENDED]
