"""What is between two processes of a job, without processes: parcels, their answers, and what may wait."""

from __future__ import annotations

import pickle
import sys
import threading
from collections import deque
from concurrent.futures import Future
from time import monotonic
from typing import Any, ClassVar, cast

import pytest
import ray
from ray.exceptions import (
    ActorDiedError,
    ActorUnavailableError,
    RayError,
    RuntimeEnvSetupError,
)

from examples.pickle_codec import CODEC
from runtime.communication.calls import Call, Request
from runtime.communication.connection import Connection, Output
from runtime.communication.element import Format
from runtime.communication.lane import LaneSpec
from runtime.communication.router import Router
from runtime.communication.send_plan import SendPlan
from runtime.communication.signals import StopSignal
from runtime.errors import NotPaused, NotSendable, QueueFull
from runtime.ray.actors import ActorProcess
from runtime.ray.cluster import cannot_be_made
from runtime.ray.codec import CODEC as RAY
from runtime.remote.acknowledgements import MOST_OPEN, Acknowledgements
from runtime.remote.arrivals import HAND_LANE
from runtime.remote.channel import Message
from runtime.remote.descriptors import RemoteQueueDescriptor
from runtime.remote.link import AGAIN_S, BYTES_A_S, MOST_MISSES, OVERDUE_S, CallLink, NotReached
from runtime.remote.remote_lane import Outbox, Packets
from runtime.scheduling.parker import Waiter
from runtime.testing import PATIENCE_S, Moment
from tests.remote_rig import LANE, LANES, ByHand, Link, Nobody, Told, endpoint_of, in_thread, packets_in, way_of

untyped: Any = ray.exceptions


class Posted:
    """Mail that goes nowhere, by peer."""

    def __init__(self) -> None:
        self.posted: list[tuple[str, Message]] = []

    def post(self, peer: str, message: Message) -> None:
        self.posted.append((peer, message))


def wait_until_open(acknowledgements: Acknowledgements, number: int = 1) -> None:
    done = threading.Event()
    while sum(map(len, acknowledgements._open.values())) != number:
        done.wait(0.001)


# ── acknowledgements ──


def test_what_is_acknowledged_while_no_answer_is_open_goes_by_mail() -> None:
    mail = Posted()
    acknowledgements = Acknowledgements(cast(Any, mail))
    acknowledgements.acknowledge("numbers", (LANE, 5), much=True)
    assert mail.posted == [("numbers", ("ack", LANE, 5))]
    assert acknowledgements.wait("numbers", 0) == []


def test_an_open_answer_takes_what_is_acknowledged_and_waits_no_longer_if_it_is_much() -> None:
    mail = Posted()
    acknowledgements = Acknowledgements(cast(Any, mail))
    thread, found = in_thread(lambda: acknowledgements.wait("numbers", PATIENCE_S))
    wait_until_open(acknowledgements)
    acknowledgements.acknowledge("numbers", (LANE, 1), much=False)
    acknowledgements.acknowledge("others", (("work", 1), 7), much=True)  # another process: not by this answer
    thread.join(0.05)
    assert thread.is_alive()
    acknowledgements.acknowledge("numbers", (LANE, 512), much=True)
    thread.join(PATIENCE_S)
    assert found == [[(LANE, 1), (LANE, 512)]]
    assert mail.posted == [("others", ("ack", ("work", 1), 7))]
    assert acknowledgements.sent == 2


def test_a_little_is_in_the_answer_when_its_time_is_over() -> None:
    mail = Posted()
    acknowledgements = Acknowledgements(cast(Any, mail))
    thread, found = in_thread(lambda: acknowledgements.wait("numbers", 0.2))
    wait_until_open(acknowledgements)
    acknowledgements.acknowledge("numbers", (LANE, 1), much=False)
    thread.join(PATIENCE_S)
    assert (found, mail.posted) == ([[(LANE, 1)]], [])


def test_answers_leave_a_thread_for_what_comes_in() -> None:
    acknowledgements = Acknowledgements(cast(Any, Posted()))
    threads = [in_thread(lambda: acknowledgements.wait("numbers", PATIENCE_S))[0] for _ in range(MOST_OPEN)]
    wait_until_open(acknowledgements, MOST_OPEN)
    assert acknowledgements.wait("others", PATIENCE_S) == []  # at once
    for left in range(MOST_OPEN - 1, -1, -1):
        acknowledgements.acknowledge("numbers", (LANE, 1), much=True)
        wait_until_open(acknowledgements, left)
    for thread in threads:
        thread.join(PATIENCE_S)


def test_no_receipt_is_lost_whoever_is_quicker() -> None:
    """Answers whose time is over while something is acknowledged: each acknowledgement arrives, once."""
    mail = Posted()
    acknowledgements = Acknowledgements(cast(Any, mail))
    over = threading.Event()

    def answer() -> list[Any]:
        found = []
        while not over.is_set():
            found += acknowledgements.wait("numbers", 0.0002)
        return found

    answers = [in_thread(answer) for _ in range(2)]
    for number in range(20_000):
        acknowledgements.acknowledge("numbers", (LANE, number), much=number % 3 == 0)
    over.set()
    for thread, _ in answers:
        thread.join(PATIENCE_S)
    by_mail = [message[2] for _, message in mail.posted]
    told = by_mail + [number for _, found in answers for _, number in found[0]]
    assert sorted(told) == list(range(20_000))


# ── parcels ──


def test_parcels_that_overtake_each_other_are_taken_in_in_order() -> None:
    endpoint = endpoint_of()
    inbox = endpoint.lanes.inbox("work", 8, LANES)
    outbox = Outbox(LANE, LANES[0], 8, Waiter(), CODEC)
    parcels: list[list[Message]] = []
    for number in range(4):
        outbox.lane.items.append(number)
        outbox.pack()
        parcels.append([("packets", packets) for packets in outbox.take(False)])
    for number in (3, 1, 4, 2):
        endpoint.receive("numbers", number, parcels[number - 1])
        assert [*inbox.lanes[1].items] == list(range({3: 0, 1: 1, 4: 1, 2: 4}[number]))
    endpoint.close()


def test_a_few_wait_while_many_are_under_way_and_leave_with_what_comes_meanwhile() -> None:
    outbox = Outbox(LANE, LANES[0], 16, Waiter(), CODEC)
    way, parcels, futures = way_of(outbox)
    outbox.lane.items += range(8)
    way.carry()
    outbox.lane.items += [8, 9]
    way.carry()
    assert packets_in(parcels) == [list(range(8))]
    assert not way.is_quiet()
    assert outbox.asleep  # but the next one rings: it may be enough
    outbox.lane.items += [10, 11, 12]
    way.carry()
    assert packets_in(parcels) == [list(range(8)), list(range(8, 13))]
    outbox.lane.items.append(13)
    futures[0].set_result([(LANE, 8)])
    assert (outbox.lane.taken, len(outbox.lane.items)) == (8, 6)  # acknowledged, and so there is room
    way.carry()
    assert packets_in(parcels)[2:] == [[13]]  # many are under way no more
    for future in futures[1:]:
        future.set_result([])
    assert way.is_quiet()


class Acknowledges:
    """A packet that cannot be pickled before an acknowledgement has been heard."""

    def __init__(self, outbox: Outbox, taken: int) -> None:
        self.outbox, self.taken = outbox, taken

    def __reduce__(self) -> tuple[Any, ...]:
        thread, _ = in_thread(lambda: self.outbox.acknowledge(self.taken))
        thread.join(PATIENCE_S)
        assert self.outbox.lane.taken == self.taken, "it has not been heard"
        return int, (self.taken,)


def test_acknowledgements_are_heard_while_packets_are_pickled() -> None:
    """They come on Ray's own thread; pickling may ask Ray for something, which would come on that thread, too."""
    outbox = Outbox(LANE, LANES[0], 8, Waiter(), CODEC)
    way, parcels, _ = way_of(outbox)
    errors = cast(Told, way._sender).errors
    outbox.lane.items += [0, 1]
    way.carry()
    outbox.lane.items += [Acknowledges(outbox, 1), 2, Acknowledges(outbox, 2), 3]
    way.carry()
    assert packets_in(parcels) == [[0, 1], [1, 2, 2, 3]]
    assert (outbox.lane.taken, outbox.lane.items) == (2, [None] * 4)
    outbox.acknowledge(6)
    assert (outbox.lane.items, outbox.has_mail(), errors) == ([], False, [])


def test_acknowledgements_are_heard_while_it_is_found_out_which_packet_cannot_be_pickled() -> None:
    outbox = Outbox(LANE, LANES[0], 8, Waiter(), CODEC)
    way, parcels, _ = way_of(outbox)
    errors = cast(Told, way._sender).errors
    outbox.lane.items += [0, 1]
    way.carry()
    outbox.lane.items += [2, Acknowledges(outbox, 1), threading.Lock(), 3]
    way.carry()
    assert packets_in(parcels) == [[0, 1], [2, 1]]
    assert (outbox.lane.taken, outbox.lane.items, outbox.lane.refused) == (1, [None] * 3, 2)
    assert [type(error) for error in errors] == [NotSendable]


class WaitsFor:
    """A packet that cannot be unpickled before a moment has come."""

    moments: ClassVar[dict[str, Moment]] = {}

    def __init__(self, moment: Moment) -> None:
        self.name = moment.name
        self.moments[moment.name] = moment

    def __reduce__(self) -> tuple[Any, ...]:
        return wait_for, (self.name,)


def wait_for(name: str) -> str:
    WaitsFor.moments[name].wait()
    return name


def test_a_packet_that_is_slow_to_unpickle_holds_up_nobody_but_its_own_sender() -> None:
    endpoint = endpoint_of()
    lanes = (LaneSpec("numbers"), LaneSpec("others"))
    inbox = endpoint.lanes.inbox("work", 16, lanes)
    moment = Moment("what is waited for")

    def parcel(number: int, *items: Any) -> list[Message]:
        return [("packets", Packets(("work", number), len(items), CODEC.encode(list(items))))]

    thread, _ = in_thread(lambda: endpoint.receive("numbers", 1, parcel(0, WaitsFor(moment))))
    while not endpoint.order._taking:
        thread.join(0.001)
    endpoint.receive("numbers", 2, parcel(0, "behind it"))  # is left to the thread that waits
    endpoint.receive("others", 1, parcel(1, "of another"))
    assert [list(lane.items) for lane in inbox.lanes[1:]] == [[], ["of another"]]
    moment.set()
    thread.join(PATIENCE_S)
    assert list(inbox.lanes[1].items) == ["what is waited for", "behind it"]
    endpoint.receive("numbers", 3, parcel(0, "the next"))
    assert list(inbox.lanes[1].items)[2:] == ["the next"]
    endpoint.close()


def test_after_a_parcel_that_makes_no_sense_its_sender_is_heard_again() -> None:
    heard: list[str] = []

    class Hears(Nobody):
        def heard(self, verb: str, *said: Any) -> None:
            if verb != "said":
                raise LookupError(verb)
            heard.extend(said)

    endpoint = endpoint_of("work", Hears())
    with pytest.raises(LookupError, match="no such verb"):
        endpoint.receive("numbers", 1, [("no such verb",)])
    endpoint.receive("numbers", 2, [("said", "something")])
    assert heard == ["something"]
    endpoint.close()


def test_places_are_lent_and_given_back_by_any_thread_and_none_is_lost() -> None:
    outbox = Outbox(LANE, LANES[0], 64, Waiter(), CODEC)
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:

        def lend_and_return() -> None:
            for _ in range(3_000):
                if outbox.grant_credit():
                    outbox.return_credit()

        threads = [in_thread(lend_and_return)[0] for _ in range(4)]
        for thread in threads:
            thread.join(PATIENCE_S)
    finally:
        sys.setswitchinterval(before)
    assert outbox.lane.capacity == 64


@pytest.mark.parametrize("what", ["few", "signal", "message"])
def test_what_may_not_wait_leaves_at_once(what: str) -> None:
    outbox = Outbox(LANE, LANES[0], 16, Waiter(), CODEC)
    way, parcels, _ = way_of(outbox)
    outbox.lane.items += range(3 if what == "few" else 8)
    way.carry()
    outbox.lane.items.append(99)
    if what == "signal":
        outbox.lane.put_signal(StopSignal("numbers", "completed"))
    if what == "message":
        way.post(("began", 1))
    way.carry()
    sent = [message for parcel in parcels[1:] for message in parcel]
    assert (packets_in(parcels)[1:] == [[99]]) is (what != "message")
    assert [message[0] for message in sent if message[0] != "packets"] == {"few": [], "signal": ["signal"]}.get(
        what, ["began"]
    )


def test_what_is_acknowledged_is_known_before_a_parcel_counts_as_received() -> None:
    outbox = Outbox(LANE, LANES[0], 4, Waiter(), CODEC)
    way, _, futures = way_of(outbox)
    outbox.lane.items += range(4)
    way.carry()
    seen: list[int] = []

    def look() -> None:
        way.let_land(PATIENCE_S)
        seen.append(outbox.lane.taken)

    thread, _ = in_thread(look)
    thread.join(0.05)
    assert thread.is_alive()
    futures[0].set_result([(LANE, 3)])
    thread.join(PATIENCE_S)
    assert seen == [3]


def test_an_answer_is_waited_for_though_a_later_one_has_come_already() -> None:
    outbox = Outbox(LANE, LANES[0], 4, Waiter(), CODEC)
    way, _, futures = way_of(outbox)
    outbox.lane.items += range(4)
    way.carry()
    thread, _ = in_thread(lambda: way.let_land(PATIENCE_S))
    thread.join(0.05)
    way.post(("began", 1))
    way.carry()
    futures[1].set_result([])  # it acknowledges nothing, so it was not held
    thread.join(0.05)
    assert thread.is_alive()
    futures[0].set_result([(LANE, 3)])
    thread.join(PATIENCE_S)
    assert not thread.is_alive()


def test_a_packet_is_put_back_behind_what_was_acknowledged_before() -> None:
    """Else the acknowledgement, which counts it, would come behind it, and a packet too many would be let in."""
    endpoint = endpoint_of("numbers")
    futures: list[Future[Any]] = []

    def deliver(_: int, messages: list[Message]) -> Future[Any]:
        futures.append(Future())
        return futures[-1]

    lane = endpoint.lanes.open_lane(LANE, LANES[0], 4, 1, Waiter())
    for number in range(3):
        lane.put(number)
    way = endpoint.link_to("work", ByHand(deliver))
    endpoint.join([way], {})
    while not futures:  # one parcel
        endpoint.is_quiet()
    thread, found = in_thread(lambda: endpoint.lanes.take_back(LANE))
    thread.join(0.05)
    assert thread.is_alive()
    futures[0].set_result([(LANE, 2)])
    thread.join(PATIENCE_S)
    assert found == [True]
    assert (lane.taken, len(lane.items)) == (1, 2)
    endpoint.close()


def test_a_place_that_an_undo_was_given_and_has_not_used_is_given_back() -> None:
    """Else the next one would find it promised, though its writer has filled it since."""
    link = Link(4)
    outbox, inbox = link.outbox, link.inbox
    lane = inbox.lanes[1]

    def send(*items: int) -> None:
        outbox.lane.items += items
        outbox.pack()
        outbox.take(False)
        inbox.receive(0, list(items))

    send(0, 1)
    dropped = inbox.hand.remove(lane, 0)
    with pytest.raises(QueueFull):
        inbox.hand.put_back(lane, 0, 0, dropped, 0)
    assert outbox.take_back()
    with pytest.raises(NotPaused), inbox.hand.place_from(0):
        raise NotPaused("resumed meanwhile")
    send(2, 3, 4)
    assert not outbox.lane.has_room()
    with pytest.raises(QueueFull):
        inbox.hand.put_back(lane, 0, 0, dropped, 0)
    assert lane.items == [1, 2, 3, 4]


def test_a_place_lent_to_the_hand_that_an_undo_has_not_used_is_given_back() -> None:
    link = Link(4)
    inbox = link.inbox
    inbox.hand.wanted = HAND_LANE
    before = inbox.hand.lane.capacity
    with pytest.raises(NotPaused), inbox.hand.place_from(0):
        raise NotPaused("resumed meanwhile")
    assert (link.returned, inbox.hand.lane.capacity) == ([0], before)


def test_a_parcel_that_was_not_taken_in_is_told_and_keeps_nobody_waiting() -> None:
    failed: Future[Any] = Future()
    told = Told()
    way = CallLink("work", ByHand(lambda *_: failed), told)
    way.post(("began", 1))
    way.carry()
    error = LookupError("no such verb")
    failed.set_exception(error)
    way.let_land(PATIENCE_S)
    assert told.lost == [("work", error)]
    assert way.is_quiet()


def test_a_call_that_comes_back_with_an_error_of_its_way_is_told() -> None:
    told: list[tuple[str, BaseException]] = []
    heard = threading.Event()

    class Hears(Nobody):
        def undelivered(self, peer: str, error: BaseException) -> None:
            told.append((peer, error))
            heard.set()

    endpoint = endpoint_of("work", Hears())
    failed: Future[Any] = Future()
    endpoint.join([endpoint.link_to("cache", ByHand(lambda *_: Future(), lambda _: failed))], {})
    queue = endpoint.calls.queue("cache", 4)
    call = Call(Request("cache", "process", (), {}, ("work",), 0), queue, PATIENCE_S)
    queue.prepare(call)
    with endpoint.calls.ledger.lock:
        queue.put(call)
    queue.ship()
    error = LookupError("no such verb")
    failed.set_exception(error)
    heard.wait(PATIENCE_S)
    assert told == [("cache", error)]
    endpoint.close()


def test_results_that_cannot_travel_are_refused_before_any_of_their_packet_is_dealt_out() -> None:
    endpoint = endpoint_of("make")
    first, second = (RemoteQueueDescriptor(task, 8, (LaneSpec("make"),), endpoint.job) for task in ("work#0", "work#1"))
    router = Router((Output("work", "round_robin", (Connection(first, 0), Connection(second, 0)), Format()),), Waiter())
    plan = SendPlan(router)
    with pytest.raises(NotSendable, match="<lock>"):
        plan.puts(["sent", threading.Lock()])
    plan.send_one("sent")
    assert [list(lane.items) for lane in router.lanes] == [["sent"], []]
    endpoint.close()


# ── what does not arrive ──


@pytest.mark.parametrize(
    ("error", "gone", "hopeless"),
    [
        (ActorDiedError(), True, False),
        (ActorUnavailableError("it does not answer", None), True, False),
        (untyped.OutOfMemoryError("killed, for want of memory"), True, False),
        (untyped.NodeDiedError("its node"), True, False),
        (untyped.RayTaskError("deliver", "a traceback", KeyError("no such verb")).as_instanceof_cause(), False, True),
        (RuntimeEnvSetupError("no such package"), True, True),
        (LookupError("of our own"), False, None),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_process_that_is_gone_is_told_from_one_that_raised_and_one_that_can_never_be(
    error: Exception, gone: bool, hopeless: bool | None
) -> None:
    nobody: Any = None
    assert ActorProcess(nobody).is_gone(error) is gone
    if isinstance(error, RayError):
        assert cannot_be_made(error) is hopeless


def test_a_parcel_is_asked_after_when_it_is_overdue_and_given_up_when_nothing_is_known_of_it() -> None:
    lost: Future[Any] = Future()
    told = Told()
    way = CallLink("work", ByHand(lambda *_: lost), told)
    began_s = monotonic()
    way.post(("began", 1))
    way.carry()
    way.ask_after_overdue(began_s)
    assert told.asked == []
    now_s = monotonic() + OVERDUE_S
    for misses in range(1, MOST_MISSES + 1):
        assert told.lost == []
        way.ask_after_overdue(now_s)
        way.ask_after_overdue(now_s)  # once is enough, until it may be asked again
        assert told.asked == [("work", 1)] * misses
        now_s += AGAIN_S
        way.hear_of(1, "missing" if misses % 2 else "taken in")
    ((peer, error),) = told.lost
    assert (peer, type(error)) == ("work", NotReached)


def test_a_parcel_that_is_just_being_taken_in_is_waited_for() -> None:
    parcel: Future[Any] = Future()
    told = Told()
    way = CallLink("work", ByHand(lambda *_: parcel), told)
    way.post(("began", 1))
    way.carry()
    for _ in range(MOST_MISSES):
        way.hear_of(1, "missing")
        way.hear_of(1, "at work")
        way.hear_of(1, "missing")
    parcel.set_result([])
    for _ in range(MOST_MISSES):
        way.hear_of(1, "missing")  # an answer that comes late
    assert told.lost == []


def test_a_large_parcel_may_take_longer() -> None:
    outbox = Outbox(LANE, LANES[0], 16, Waiter(), CODEC)
    told = Told()
    way = CallLink("work", ByHand(lambda *_: Future()), told)
    way.add(outbox)
    outbox.lane.items.append(bytes(3 * BYTES_A_S))
    way.carry()
    way.ask_after_overdue(monotonic() + OVERDUE_S)
    assert told.asked == []
    way.ask_after_overdue(monotonic() + OVERDUE_S + 4)
    assert told.asked == [("work", 1)]


def test_a_receiver_says_what_it_knows_of_a_parcel() -> None:
    endpoint = endpoint_of()
    endpoint.lanes.inbox("work", 16, LANES)
    assert endpoint.order.where_is("numbers", 1) == "missing"
    moment = Moment("what is waited for")
    parcel: list[Message] = [("packets", Packets(LANE, 1, CODEC.encode([WaitsFor(moment)])))]
    thread, _ = in_thread(lambda: endpoint.receive("numbers", 1, parcel))
    while endpoint.order.where_is("numbers", 1) == "missing":
        thread.join(0.001)
    assert endpoint.order.where_is("numbers", 1) == "at work"
    assert endpoint.order.where_is("others", 1) == "missing"
    moment.set()
    thread.join(PATIENCE_S)
    assert [endpoint.order.where_is("numbers", number) for number in (1, 2)] == ["taken in", "missing"]
    endpoint.close()


def test_a_service_that_is_asked_for_long_has_to_take_in_mail_meanwhile() -> None:
    """Its work may take long; that its way is gone must not."""
    shipped = threading.Event()

    def deliver(_: int, messages: list[Message]) -> Future[Any]:
        if ("still there",) in messages:
            shipped.set()
        return Future()

    endpoint = endpoint_of("work")
    endpoint.join([endpoint.link_to("cache", ByHand(deliver))], {})
    queue = endpoint.calls.queue("cache", 4)
    call = Call(Request("cache", "process", (), {}, ("work",), 0), queue, PATIENCE_S)
    queue.prepare(call)
    with endpoint.calls.ledger.lock:
        queue.put(call)
    queue.ship()
    endpoint.call_carrier()
    assert shipped.wait(PATIENCE_S)
    endpoint.close()


def test_nobody_waits_for_what_was_shipped_to_one_who_has_died() -> None:
    outbox = Outbox(LANE, LANES[0], 4, Waiter(), CODEC)
    way, _, _ = way_of(outbox)
    outbox.lane.items += range(4)
    way.carry()
    thread, _ = in_thread(lambda: way.let_land(PATIENCE_S))
    way.lose()
    thread.join(PATIENCE_S)
    assert not thread.is_alive()


def test_one_who_is_lost_while_mail_to_it_is_gathered_does_not_end_the_carrier() -> None:
    outbox = Outbox(LANE, LANES[0], 4, Waiter(), CODEC)
    way, _, _ = way_of(outbox)

    class Posted(deque[Message]):
        def __len__(self) -> int:
            number = super().__len__()
            way.lose()  # behind each look at it, as by another thread, which hears of the death
            return number

    way.posted = Posted([("began", 1), ("began", 2)])
    way.carry()
    assert way.is_quiet()


def test_an_answer_waits_only_for_a_lane_that_is_filled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runtime.remote.endpoint_lanes.SLOW_S", PATIENCE_S)
    endpoint = endpoint_of()
    endpoint.lanes.inbox("work", 8, LANES)
    descriptor = RemoteQueueDescriptor("work", 8, LANES, endpoint.job)
    inbox = descriptor.get_queue()
    outbox = Outbox(LANE, LANES[0], 8, Waiter(), CODEC)

    def parcel(items: list[int]) -> list[Message]:
        outbox.lane.items += items
        outbox.pack()
        return [("packets", packets) for packets in outbox.take(False)]

    few = parcel([1, 2, 3])
    endpoint.receive("numbers", 1, few)
    thread, found = in_thread(lambda: endpoint.lanes.answer("numbers", few))
    thread.join(PATIENCE_S / 2)
    assert found == [[]]  # though nobody has dropped anything
    many = parcel([4])
    endpoint.receive("numbers", 2, many)
    thread, found = in_thread(lambda: endpoint.lanes.answer("numbers", many))
    wait_until_open(endpoint.lanes._acknowledgements)
    inbox.drop(inbox.lanes[1], 4)
    thread.join(PATIENCE_S)
    assert found == [[(LANE, 4)]]
    endpoint.close()


# ── messages of Ray's ──


def test_a_message_travels_as_bytes_unless_something_in_it_refers_to_the_object_store() -> None:
    message = ("request", (1, RAY.pack("x"), 2.5, False), StopSignal("numbers", "stopped"))
    sealed = RAY.pack(message)
    assert type(sealed) is bytes
    assert pickle.loads(sealed) == RAY.unpack(sealed) == message
    ref: ray.ObjectRef[Any] = ray.ObjectRef.from_random()
    with_ref = ("packets", ((("freight", (ref,)),),))
    assert RAY.pack(with_ref) is with_ref
    assert RAY.unpack(with_ref) is with_ref
