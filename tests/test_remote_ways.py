"""Ways between two processes, and the endpoints at their ends: when mail leaves, has been received, who is told."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import pytest

from examples.pickle_codec import CODEC
from runtime.communication.signals import StopSignal
from runtime.errors import QueueUnreachable
from runtime.remote.channel import Message
from runtime.remote.codec import Serialized
from runtime.remote.descriptors import RemoteQueueDescriptor
from runtime.remote.link import CallLink, Mailbox
from runtime.remote.remote_lane import Mark, Outbox, Packets
from runtime.scheduling.parker import Waiter
from tests.remote_rig import (
    LANE,
    LANES,
    PATIENCE_S,
    ByHand,
    Told,
    Writer,
    endpoint_of,
    in_thread,
    packets_in,
    way_of,
)

ENDED = StopSignal("numbers", "completed")


class Sent:
    """A way to an actor, what it carries, and what it tells."""

    def __init__(self, *, may_end: Callable[[], bool] = lambda: True) -> None:
        self.parcels: list[list[Message]] = []
        self.futures: list[Future[Any]] = []
        self.told = Told(may_end=may_end)
        self.way = CallLink("work", ByHand(self._deliver), self.told)

    def _deliver(self, _: int, messages: list[Message]) -> Future[Any]:
        self.parcels.append(messages)
        self.futures.append(Future())
        return self.futures[-1]


def outbox(writer: Any = None, capacity: int = 16) -> Outbox:
    return Outbox(LANE, LANES[0], capacity, Waiter() if writer is None else writer, CODEC)


# ── parcels ──


def test_two_parcels_are_under_way_at_most_and_the_carrier_is_called_when_one_was_received() -> None:
    sent = Sent()
    for number in range(3):
        sent.way.post(("began", number))
        sent.way.carry()
    assert sent.parcels == [[("began", 0)], [("began", 1)]]
    calls = sent.told.calls
    sent.futures[0].set_result([])
    assert sent.told.calls == calls + 1
    sent.way.carry()
    assert sent.parcels[2:] == [[("began", 2)]]


def test_a_way_is_not_quiet_before_all_that_was_shipped_was_received() -> None:
    sent = Sent()
    sent.way.post(("began", 1))
    sent.way.carry()
    assert not sent.way.is_quiet()
    sent.futures[0].set_result([])
    assert sent.way.is_quiet()


def test_a_way_is_not_quiet_while_what_is_to_be_shipped_is_in_nobodys_count_yet() -> None:
    quiet: list[bool] = []

    def may_end() -> bool:  # asked between the messages that are taken and the parcel that is counted
        quiet.append(sent.way.is_quiet())
        return True

    sent = Sent(may_end=may_end)
    sent.way.post(("began", 1))
    sent.way.carry()
    assert sent.parcels == [[("began", 1)]]
    assert not any(quiet[:1])


def test_mail_for_one_who_has_died_is_let_go_of() -> None:
    sent = Sent()
    sent.way.post(("began", 1))
    sent.way.lose()
    assert not sent.way.has_mail()
    assert sent.way.is_quiet()


def test_what_refuses_to_carry_a_parcel_is_told_and_does_not_end_the_carrier() -> None:
    error = LookupError("no such actor")

    def refuse(*_: Any) -> Future[Any]:
        raise error

    told = Told()
    way = CallLink("work", ByHand(refuse), told)
    way.post(("began", 1))
    way.carry()
    assert told.lost == [("work", error)]
    assert way.is_quiet()


def test_a_parcel_counts_as_received_only_when_what_it_acknowledges_is_known() -> None:
    seen: list[bool] = []
    parcel: Future[Any] = Future()
    way = CallLink("work", ByHand(lambda *_: parcel), Told(acknowledge=lambda *_: seen.append(way.is_quiet())))
    way.post(("began", 1))
    way.carry()
    parcel.set_result([(LANE, 1)])
    assert (seen, way.is_quiet()) == ([False], True)


def test_no_stop_signal_leaves_before_it_may() -> None:
    """A task's report comes before its stop signal: else its consumer could be reported to have ended first."""
    may: list[bool] = []
    sent = Sent(may_end=lambda: bool(may))
    box = outbox()
    sent.way.add(box)
    box.lane.put("the last")
    box.lane.put_signal(ENDED)
    sent.way.carry()
    assert [[verb for verb, *_ in parcel] for parcel in sent.parcels] == [["packets"]]
    may.append(True)
    sent.way.carry()
    assert sent.parcels[1:] == [[("signal", Mark(LANE, ENDED))]]


def test_messages_arrive_in_the_order_in_which_they_were_posted() -> None:
    sent = Sent()
    for number in range(3):
        sent.way.post(("began", number))
    sent.way.carry()
    assert sent.parcels == [[("began", 0), ("began", 1), ("began", 2)]]


def test_an_outbox_that_comes_late_is_looked_at() -> None:
    sent = Sent()
    box = outbox()
    box.lane.items.append("put in before there was a way")
    calls = sent.told.calls
    sent.way.add(box)
    assert sent.told.calls > calls
    sent.way.carry()
    assert packets_in(sent.parcels) == [["put in before there was a way"]]


def test_a_carrier_that_goes_to_sleep_asks_writers_to_ring() -> None:
    """One in the middle of a batch does not look at what sleeps, packet by packet: it has to be asked to."""
    writer = Writer()
    box = outbox(writer)
    way, _, _ = way_of(box)
    box.lane.put("a packet")
    way.carry()
    assert box.asleep
    assert writer.yield_requested


class AppendsLate(Waiter):
    """A writer that has looked whether the carrier sleeps just before it fell asleep, and appends just after."""

    def __init__(self) -> None:
        super().__init__()
        self.late: list[Any] = ["late"]
        self.box: Outbox | None = None

    def request_yield(self) -> None:
        if self.box is not None and self.late:
            self.box.lane.items.append(self.late.pop())


def test_a_carrier_looks_again_before_it_sleeps() -> None:
    writer = AppendsLate()
    box = outbox(writer)
    way, parcels, _ = way_of(box)
    writer.box = box
    way.post(("began", 1))
    way.carry()
    assert packets_in(parcels) == [[], ["late"]]


# ── the mailbox of the driver ──


def test_the_driver_has_taken_in_what_it_says_it_has() -> None:
    mailbox = Mailbox("", Told())
    mailbox.post(("report", "warned"))
    assert not mailbox.is_quiet()
    assert mailbox.fetch(0) == (1, [("report", "warned")])
    assert not mailbox.is_quiet()
    mailbox.hear(1)
    assert mailbox.is_quiet()
    mailbox.hear(0)  # said earlier, and overtaken
    assert mailbox.is_quiet()


def test_who_waits_for_the_driver_hears_once_when_its_own_parcel_was_taken_in() -> None:
    heard: list[str] = []
    mailbox = Mailbox("", Told())
    mailbox.post_awaited(("ended", 1), lambda: heard.append("the end"))
    number, _ = mailbox.fetch(0)
    mailbox.hear(number - 1)
    assert heard == []
    mailbox.hear(number)
    mailbox.hear(number)
    mailbox.hear(number + 1)
    assert heard == ["the end"]


@pytest.mark.parametrize("by", ["post", "change", "close"])
def test_a_driver_that_waits_for_mail_is_woken_by_whatever_may_come(by: str) -> None:
    mailbox = Mailbox("", Told())
    thread, found = in_thread(lambda: mailbox.fetch(0))
    thread.join(0.05)
    assert thread.is_alive()
    {"post": lambda: mailbox.post(("gone",)), "change": mailbox.tell, "close": mailbox.close}[by]()
    thread.join(PATIENCE_S)
    assert found == [(1, {"post": [("gone",)], "change": [("changed",)], "close": []}[by])]


def test_a_change_is_told_once() -> None:
    mailbox = Mailbox("", Told())
    mailbox.tell()
    mailbox.post(("gone",))
    assert mailbox.fetch(0) == (1, [("gone",), ("changed",)])
    mailbox.post(("gone",))
    assert mailbox.fetch(1) == (2, [("gone",)])


# ── endpoints ──


class Received:
    """Whoever receives what an endpoint sends, by messages; each parcel is received at once."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self._news = threading.Condition()

    def __call__(self, _: int, messages: list[Message]) -> Future[Any]:
        with self._news:
            self.messages += messages
            self._news.notify_all()
        done: Future[Any] = Future()
        done.set_result([])
        return done

    def wait_for(self, verb: str) -> Message:
        """The first message with this verb."""
        with self._news:
            found = self._news.wait_for(lambda: [each for each in self.messages if each[0] == verb], PATIENCE_S)
        assert found, f"no {verb!r} in {self.messages!r}"
        return found[0]


def test_a_lane_that_is_opened_when_the_ways_are_there_is_carried() -> None:
    endpoint = endpoint_of("numbers")
    received = Received()
    endpoint.join([endpoint.link_to("work", ByHand(received))], {})
    endpoint.lanes.open_lane(LANE, LANES[0], 4, 1, Waiter()).put("a packet")
    assert received.wait_for("packets")[1].number == 1
    endpoint.close()


def test_a_lane_that_was_opened_before_there_are_ways_is_carried() -> None:
    endpoint = endpoint_of("numbers")
    received = Received()
    endpoint.lanes.open_lane(LANE, LANES[0], 4, 1, Waiter()).put("a packet")
    endpoint.join([endpoint.link_to("work", ByHand(received))], {})
    assert received.wait_for("packets")[1].number == 1
    endpoint.close()


def test_stop_signals_leave_as_soon_as_they_may() -> None:
    endpoint = endpoint_of("numbers")
    received = Received()
    endpoint.join([endpoint.link_to("work", ByHand(received))], {})
    lane = endpoint.lanes.open_lane(LANE, LANES[0], 4, 1, Waiter())
    lane.put("the last")
    lane.put_signal(ENDED)
    received.wait_for("packets")
    assert [verb for verb, *_ in received.messages] == ["packets"]
    endpoint.end_lanes()
    assert received.wait_for("signal") == ("signal", Mark(LANE, ENDED))
    endpoint.close()


def test_a_site_that_is_closed_is_found_no_more() -> None:
    endpoint = endpoint_of()
    descriptor = RemoteQueueDescriptor("work", 8, LANES, endpoint.job)
    inbox = descriptor.get_queue()
    assert descriptor.get_queue() is inbox
    endpoint.close()
    with pytest.raises(QueueUnreachable, match="no part in the job"):
        descriptor.get_queue()


def test_a_site_that_is_closed_has_no_thread() -> None:
    endpoint = endpoint_of()
    endpoint.join([], {})
    endpoint.close()
    assert not [thread for thread in threading.enumerate() if thread.name == f"{endpoint.job}/work carrier"]


def test_packets_that_cannot_be_unpickled_end_their_reader() -> None:
    endpoint = endpoint_of()
    inbox = endpoint.lanes.inbox("work", 8, LANES)
    endpoint.receive("numbers", 1, [("packets", Packets(LANE, 1, Serialized(b"no pickle")))])
    with pytest.raises(Exception, match=r"pickle|unpickling|invalid load key"):
        inbox.wait()
    endpoint.close()


def test_the_writer_of_a_lane_that_stays_full_hears_what_has_left_though_it_is_little() -> None:
    endpoint = endpoint_of()
    received = Received()
    inbox = endpoint.lanes.inbox("work", 8, LANES)
    endpoint.join([endpoint.link_to("numbers", ByHand(received))], {})
    endpoint.receive("numbers", 1, [("packets", Packets(LANE, 1, CODEC.encode([0])))])
    inbox.drop(inbox.lanes[1], 1)
    assert received.messages == []
    endpoint.receive("numbers", 2, [("packets", Packets(LANE, 7, CODEC.encode([*range(1, 8)])))])
    assert received.wait_for("ack") == ("ack", LANE, 1)
    endpoint.close()


def test_a_place_that_was_lent_goes_back_to_whoever_has_lent_it() -> None:
    endpoint = endpoint_of()
    received = Received()
    inbox = endpoint.lanes.inbox("work", 4, LANES)
    endpoint.join([endpoint.link_to("numbers", ByHand(received))], {})
    inbox.hand.put_into(0, "by hand")
    inbox.drop(inbox.hand.lane, 1)
    assert received.wait_for("return credit") == ("return credit", LANE)
    endpoint.close()


def test_each_parcel_is_taken_in_once() -> None:
    endpoint = endpoint_of()
    inbox = endpoint.lanes.inbox("work", 8, LANES)
    parcels: list[list[Message]] = [[("packets", Packets(LANE, 1, CODEC.encode([number])))] for number in range(3)]
    for number, parcel in enumerate(parcels, 1):
        endpoint.receive("numbers", number, parcel)
    assert inbox.lanes[1].items == [0, 1, 2]
    assert [endpoint.order.where_is("numbers", number) for number in (1, 3, 4)] == ["taken in", "taken in", "missing"]
    endpoint.close()
