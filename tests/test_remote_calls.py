"""Both ends of the way to a service in another process, by hand: what is sent when, and that each call ends once."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, NoReturn

import pytest

from examples.pickle_codec import CODEC
from runtime.communication.calls import Call, Ledger, Request
from runtime.communication.signals import StopSignal
from runtime.errors import ServiceStopped
from runtime.remote.by_value import decode
from runtime.remote.channel import Message, Question
from runtime.remote.codec import Serialized
from runtime.remote.remote_calls import RemoteRequestQueue, ServedQueue
from runtime.remote.set_ups import SetUps
from runtime.scheduling.scheduler import Scheduler
from runtime.service.call_future import CallFuture
from tests.remote_rig import PATIENCE_S, ByHand, in_thread


def request(*args: Any) -> Request:
    return Request("cache", "process", args, {}, ("work",), 0)


def reply(value: Any) -> Serialized:
    return CODEC.encode((value, None))


class Caller:
    """The caller's end: what it sends by mail, and what it asks by a call of its own."""

    def __init__(self, capacity: int) -> None:
        self.mail: list[Message] = []
        self.asked: list[tuple[Question, Future[Any]]] = []
        self.ledger = Ledger(Scheduler())
        self.channel = ByHand(lambda *_: pytest.fail("no mail goes this way"), self._ask)
        self.queue = RemoteRequestQueue("cache", capacity, self.ledger, self, SetUps("work", self.ledger, self))

    name = "work"
    codec = CODEC

    def post(self, _: str, message: Message) -> None:
        """Note it."""
        self.mail.append(message)

    def channel_to(self, _: str) -> ByHand:
        """The one there is."""
        return self.channel

    def note_undelivered(self, peer: str, error: BaseException) -> None:
        """Nothing is expected to be lost."""
        pytest.fail(f"{peer}: {error}")

    def names(self) -> tuple[str, ...]:
        """The service."""
        return ("cache",)

    def _ask(self, question: Question) -> Future[Any]:
        self.asked.append((question, Future()))
        return self.asked[-1][1]

    def call(self, *args: Any, waits: bool = False) -> Call:
        """Make a call; its caller waits for it, or has a future."""
        call = Call(request(*args), self.queue, PATIENCE_S)
        if not waits:
            call.future = CallFuture(call)
        self.queue.prepare(call)
        with self.ledger.lock:
            self.queue.put(call)
        self.queue.ship()
        return call

    def sent(self) -> list[tuple[str, Any]]:
        """What has gone by mail: of requests, their first argument, else the number."""
        said = [(verb, rest[0]) for verb, *rest in self.mail]
        return [(verb, Request(*CODEC.decode(it[1])).args[0] if verb == "request" else it) for verb, it in said]


# ── the caller's end ──


def test_who_asks_for_more_than_fits_is_held_back_until_a_reply_comes() -> None:
    caller = Caller(1)
    first, second, third = [caller.call(name) for name in ("first", "second", "third")]
    assert caller.sent() == [("request", "first")]
    assert [call.stage for call in (first, second, third)] == ["waiting", "held back", "held back"]
    caller.queue.receive(1, reply("done"))
    assert (first.stage, first.value) == ("done", "done")
    assert caller.sent()[1:] == [("request", "second")]
    caller.queue.receive(2, reply("done"))
    assert caller.sent()[2:] == [("request", "third")]


def test_a_request_that_is_taken_back_lets_the_next_one_in() -> None:
    caller = Caller(1)
    first, second = caller.call("first"), caller.call("second")
    caller.ledger.abandon(first)
    assert caller.sent() == [("request", "first"), ("withdraw", 1), ("request", "second")]
    assert second.stage == "waiting"


def test_a_request_that_is_taken_back_before_there_was_room_is_never_sent() -> None:
    caller = Caller(1)
    caller.call("first")
    second = caller.call("second")
    caller.ledger.abandon(second)
    caller.queue.receive(1, reply("done"))
    assert caller.sent() == [("request", "first")]


def test_a_reply_that_comes_after_its_caller_has_gone_changes_nothing() -> None:
    caller = Caller(4)
    call = caller.call("first")
    caller.ledger.abandon(call)
    caller.queue.receive(1, reply("too late"))
    assert (call.stage, call.value, type(call.error)) == ("done", None, ServiceStopped)


def test_a_call_ends_by_its_own_reply_and_once() -> None:
    caller = Caller(4)
    first, second = caller.call("first"), caller.call("second")
    caller.queue.receive(2, reply("of the second"))
    caller.queue.receive(2, reply("once more"))
    assert (first.stage, second.value) == ("waiting", "of the second")
    assert list(caller.ledger.open) == [first]


def test_a_callback_of_a_call_may_wait_for_another_reply_which_comes_on_the_same_thread() -> None:
    caller = Caller(4)
    first, second = (caller.call(name).future for name in ("first", "second"))
    assert isinstance(first, CallFuture)
    assert isinstance(second, CallFuture)
    heard: SimpleQueue[str] = SimpleQueue()
    first.add_done_callback(lambda _: heard.put(second.result(PATIENCE_S)))

    def take_in_both() -> None:
        for number in (1, 2):
            caller.queue.receive(number, reply("done"))

    in_thread(take_in_both)
    assert heard.get(timeout=PATIENCE_S) == "done"


def test_a_service_that_serves_no_more_is_sent_nothing() -> None:
    caller = Caller(4)
    caller.ledger.refuse([caller.queue])
    with pytest.raises(ServiceStopped):
        caller.call("first")
    assert (caller.mail, caller.asked, list(caller.ledger.open)) == ([], [], [])


def test_a_lone_caller_that_waits_asks_by_a_call_and_others_meanwhile_by_mail() -> None:
    caller = Caller(4)
    first = caller.call("first", waits=True)
    second = caller.call("second", waits=True)
    ((question, answer),) = caller.asked
    assert Request(*CODEC.decode(question[1])).args == ("first",)
    assert caller.sent() == [("request", "second")]
    answer.set_result(reply("done"))
    assert (first.value, first.stage, second.stage) == ("done", "done", "waiting")
    caller.queue.receive(2, reply("done"))
    caller.call("third", waits=True)
    assert len(caller.asked) == 2


def test_a_request_on_its_way_to_a_service_that_is_paused_moves_until_it_has_arrived() -> None:
    caller = Caller(4)
    caller.call("first", waits=True)
    assert caller.queue.is_quiet()  # while the service serves, it is what moves
    caller.queue.is_held_there(True)
    assert not caller.queue.is_quiet()
    caller.queue.has_arrived(7)
    assert not caller.queue.is_quiet()
    caller.queue.has_arrived(1)
    assert caller.queue.is_quiet()


# ── the service's end ──


class Service:
    """The service's end, with nobody who serves: `serve` does it, one request at a time. What it sends, by peer."""

    def __init__(self, capacity: int = 4, *, peers: tuple[str, ...] = ("work", "other")) -> None:
        self.mail: list[tuple[str, Message]] = []
        self.ledger = Ledger(Scheduler())
        self.peers = peers
        self.queue = ServedQueue("cache", capacity, self.ledger, self, SetUps("cache", self.ledger, self))
        with self.ledger.lock:
            self.queue.begin()

    name = "cache"
    codec = CODEC

    def post(self, peer: str, message: Message) -> None:
        """Note it."""
        self.mail.append((peer, message))

    def channel_to(self, peer: str) -> NoReturn:
        """A service calls nobody here."""
        pytest.fail(peer)

    def note_undelivered(self, peer: str, error: BaseException) -> None:
        """Nothing is expected to be lost."""
        pytest.fail(f"{peer}: {error}")

    def names(self) -> tuple[str, ...]:
        """Who may call."""
        return self.peers

    def receive(self, peer: str, number: int, *args: Any) -> None:
        """A request comes by mail."""
        self.queue.receive(peer, (number, CODEC.encode(tuple(request(*args))), PATIENCE_S, False))

    def serve(self, value: Any) -> bool:
        """Execute the next request, whose result is `value`. False: there is none."""
        with self.ledger.lock:
            call = self.queue.take()
            if call is None:
                return False
            self.queue.finish(call, value, None)
        call.tell()
        return True

    def replies(self) -> list[tuple[str, int, Any]]:
        """To whom replies went, to which number, and what they say."""
        said = []
        for peer, (verb, *rest) in self.mail:
            if verb == "reply":
                value, error = CODEC.decode(rest[1])
                said.append((peer, rest[0], value if error is None else type(decode(error))))
        return said


def test_each_reply_goes_to_whoever_has_asked_under_the_number_of_the_request() -> None:
    service = Service()
    service.receive("work", 1, "first")
    service.receive("other", 1, "of another")
    service.serve("done")
    assert service.replies() == [("work", 1, "done")]
    service.serve("done as well")
    assert service.replies()[1:] == [("other", 1, "done as well")]


def test_a_request_that_was_taken_back_before_it_came_is_never_executed() -> None:
    service = Service()
    service.queue.withdraw_from("work", 1)
    service.receive("work", 1, "first")
    assert not service.serve("never")
    assert service.replies() == [("work", 1, ServiceStopped)]
    service.receive("other", 1, "of another")  # under the same number
    assert service.serve("done")


def test_a_request_that_is_taken_back_while_it_waits_is_never_executed() -> None:
    service = Service()
    service.receive("work", 1, "first")
    service.receive("other", 1, "of another")
    service.queue.withdraw_from("work", 1)
    assert service.serve("done")
    assert not service.serve("never")
    assert service.replies() == [("work", 1, ServiceStopped), ("other", 1, "done")]


def test_a_request_that_comes_after_the_end_of_a_service_is_answered() -> None:
    service = Service()
    with service.ledger.lock:
        service.queue.end(StopSignal("job", "completed"))
    service.receive("work", 1, "first")
    assert service.replies() == [("work", 1, ServiceStopped)]


def test_a_request_that_cannot_be_unpickled_is_answered() -> None:
    service = Service()
    service.queue.receive("work", (1, Serialized(b"no pickle"), PATIENCE_S, False))
    ((peer, number, error),) = service.replies()
    assert (peer, number) == ("work", 1)
    assert issubclass(error, Exception)
    assert not service.serve("never")


def test_a_reply_that_cannot_be_pickled_is_an_error_to_its_caller() -> None:
    service = Service()
    service.receive("work", 1, "first")
    service.serve(threading.Lock())
    ((peer, number, error),) = service.replies()
    assert (peer, number) == ("work", 1)
    assert issubclass(error, Exception)


def test_who_asks_by_a_call_has_the_reply_of_that() -> None:
    service = Service()
    thread, found = in_thread(
        lambda: service.queue.answer("work", (1, CODEC.encode(tuple(request(1))), PATIENCE_S, False))
    )
    while not service.serve("done"):
        thread.join(0.001)
    thread.join(PATIENCE_S)
    assert [CODEC.decode(freight) for freight in found] == [("done", None)]
    assert service.replies() == []


def test_callers_hear_that_a_service_is_paused_and_where_their_requests_are() -> None:
    service = Service()
    service.receive("work", 1, "begun")
    with service.ledger.lock:
        assert service.queue.take() is not None
    service.receive("other", 1, "not begun")
    with service.ledger.lock:
        service.queue.pause()
    assert service.mail == [
        ("work", ("began", 1)),
        ("other", ("arrived", 1)),
        ("work", ("held", True)),
        ("other", ("held", True)),
    ]
    service.mail.clear()
    with service.ledger.lock:
        service.queue.resume()
    assert service.mail == [("work", ("held", False)), ("other", ("held", False))]
