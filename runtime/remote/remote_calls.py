"""Calls of services in other processes: both ends of a request queue. Knows the ledger's calls, not what carries mail.

The service's end is authoritative: an ordinary request queue, ledger and watch over deadlines, in the service's
process. The caller's end has the same kind of calls, each open until a reply comes, or until its caller gives up. At
most `capacity` of one caller's requests are under way; who makes more is held back.
"""

from __future__ import annotations

import itertools
import threading
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from functools import partial
from queue import SimpleQueue
from typing import Any

from runtime.communication.calls import Call, Ledger, Request, set_up_circle, stopped
from runtime.communication.request_queue import RequestQueue
from runtime.errors import CommandRefused, ServiceFailed, ServiceStopped, error_text
from runtime.remote.by_value import decode, encode
from runtime.remote.channel import Peers, Question
from runtime.remote.codec import Serialized, is_plain, not_sendable
from runtime.remote.set_ups import SetUps


class RemoteRequestQueue(RequestQueue):
    """The caller's end of a service's request queue; to callers it is a request queue like any other.

    A caller that waits, and has nothing else under way, asks by a call of its own, whose result is the reply: that is
    the quickest for one. Of several, requests and replies go by mail, which takes many at once.
    """

    def __init__(self, service: str, capacity: int, ledger: Ledger, peers: Peers, set_ups: SetUps) -> None:
        super().__init__(service, capacity, ledger)
        self.is_set_up = True
        self._held_since_s = None
        self._peers, self._set_ups = peers, set_ups
        self._asked: int | None = None  # the number of the request that is asked by a call, and may not be there yet
        self.asked_s: float | None = None  # since when; or since when mail was sent after it, which has to arrive
        self._numbers = itertools.count(1)
        self._sent: dict[int, Call] = {}  # under way, by number; guarded by the ledger's lock, as the next
        self._number_of: dict[Call, int] = {}
        self._to_ask: deque[Question] = deque()  # by a call each, as soon as the ledger's lock is free

    @property
    def busy(self) -> bool:
        """What is done there is no work of this process."""
        return False

    def prepare(self, call: Call) -> None:
        """Pack its request. Raises `NotSendable`."""
        try:
            call.pack((self._peers.codec.encode(tuple(call.request)), call.deadline_s))
        except Exception as error:  # the border to user code
            raise not_sendable((*call.request.args, *call.request.kwargs.values()), error) from error

    def put(self, call: Call) -> None:
        """Send a call, or hold it back while too many are under way. Raises `ServiceStopped`."""
        if self.refusing:
            raise stopped(self)
        call.set_no_deadline()  # the service watches over it
        self.ledger.enter(call)
        if self._held_back or len(self._sent) >= self.capacity:
            self._held_back.append(call)
            call.hold_back()
        else:
            self._send(call, alone=call.future is None and not self._sent and not self.gate.closed)

    def ship(self) -> None:
        """Ask by a call of its own what is to be asked so."""
        while True:
            try:
                question = self._to_ask.popleft()
            except IndexError:  # another thread was quicker, or there was none
                return
            asked = self._peers.codec.pack((self._peers.name, question))
            answer = self._peers.channel_to(self.service).call("ask", asked)
            answer.add_done_callback(partial(self._answered, question[0]))

    def _send(self, call: Call, *, alone: bool = False) -> None:
        serialized, timeout_s = call.take_packed()
        number = next(self._numbers)
        call.accept()
        self._sent[number], self._number_of[call] = call, number
        timeout_s -= self.ledger.clock() - call.made_s
        question = number, serialized, timeout_s, self._set_ups.is_for_one(call.request.callers[0])
        if alone:
            self._asked, self.asked_s = number, self.ledger.clock()
            self._to_ask.append(question)
        else:
            self._peers.post(self.service, ("request", question))

    def _answered(self, number: int, reply: Future[Any]) -> None:
        """On the channel's own thread. If there is no reply, the job fails, and wakes whoever waits for it.

        What waits there for something that the channel brings, waits for ever: user code may, which unpickles the
        reply, or pickles another request under the ledger's lock.
        """
        try:
            serialized = self._peers.codec.unpack(reply.result())
            if is_plain(serialized) and self.ledger.lock.acquire(blocking=False):
                try:
                    call = self._end(number, *self._ending(serialized))
                finally:
                    self.ledger.lock.release()
                self._tell(call)
                self.has_arrived(number)
            else:
                name = f"reply of {self.service}"
                threading.Thread(target=self._take_reply, args=(number, serialized), name=name, daemon=True).start()
        except BaseException as error:  # noqa: BLE001  whatever it is: it must not vanish in the channel's thread
            self._peers.note_undelivered(self.service, error)
            self.has_arrived(number)

    def _take_reply(self, number: int, serialized: Serialized) -> None:
        self.receive(number, serialized)
        self.has_arrived(number)

    def has_arrived(self, number: int) -> None:
        """A request that was asked by a call is at its service, or over."""
        if self._asked == number:
            self._asked = self.asked_s = None

    def is_overdue(self, now_s: float, after_s: float) -> bool:
        """Whether the service is being asked, and nobody has seen for so long to it that mail gets there; now it is."""
        if self.asked_s is None or now_s - self.asked_s <= after_s:
            return False
        self.asked_s = now_s
        return True

    def is_quiet(self) -> bool:
        """Whether nothing is under way of which the service does not know; while it serves, somebody moves anyway."""
        return self._asked is None or not self.gate.closed

    def stands_still(self, call: Call) -> bool:
        """Whether it is there: its service's process says whether time alone will end it."""
        return self._asked is None or self.gate.closed

    def _let_in(self) -> None:
        while self._held_back and len(self._sent) < self.capacity:
            call = self._held_back.popleft()
            self._send(call)
            if call.future is not None:
                call.wake()

    def withdraw(self, call: Call) -> None:
        """Its caller waits no more: a request that has not begun will not begin."""
        number = self._number_of.pop(call, None)
        if number is not None:
            del self._sent[number]
            self._peers.post(self.service, ("withdraw", number))
        elif call in self._held_back:
            self._held_back.remove(call)
        self._let_in()

    def receive(self, number: int, serialized: Serialized) -> None:
        """A reply has come."""
        ending = self._ending(serialized)
        with self.ledger.lock:
            call = self._end(number, *ending)
        self._tell(call)

    def _ending(self, serialized: Serialized) -> tuple[Any, BaseException | None]:
        """What a reply says: a value, or an error."""
        try:
            value, sent = self._peers.codec.decode(serialized)
        except BaseException as failure:  # noqa: BLE001  the border to user code, which says how replies are unpickled
            return None, _of_a_call(failure, f"the reply of service {self.service!r} cannot be unpickled here")
        return value, None if sent is None else decode(sent)

    def _end(self, number: int, value: Any, error: BaseException | None) -> Call | None:
        call = self._sent.pop(number, None)
        if call is not None:  # else it was withdrawn
            del self._number_of[call]
            self.ledger.close(call, value, error)
            self._let_in()
        return call

    def _tell(self, call: Call | None) -> None:
        if call is None:
            return
        if call.future is not None and call.future.has_callbacks:
            # User code: it may wait, for another reply perhaps, which comes on this very thread.
            threading.Thread(target=call.tell, name=f"callbacks of a call to {self.service}", daemon=True).start()
        else:
            call.tell()

    def began(self, number: int) -> None:
        """A request has begun though its service is paused: the pause does not hold it."""
        with self.ledger.lock:
            if (call := self._sent.get(number)) is not None:
                call.begin()

    def is_held_there(self, held: bool) -> None:
        """The service was paused by hand, or resumed."""
        with self.ledger.lock:
            if held:
                self.pause()
            else:
                self.resume()

    def _not_begun(self) -> Sequence[Call]:
        """Of those under way, which the service has not begun."""
        return [call for call in self._sent.values() if call.stage == "waiting"]


def _of_a_call(failure: BaseException, what: str) -> BaseException:
    """An error that ends a call, and nothing else: what is no `Exception` must not end its caller."""
    if isinstance(failure, Exception):
        failure.add_note(what)
        return failure
    failed = ServiceFailed(f"{what}: {error_text(failure)}")
    failed.__cause__ = failure
    return failed


class UnaskedQueue(RequestQueue):
    """At an input, which functions and services of the job cannot ask from other processes: refuses each call."""

    @property
    def busy(self) -> bool:
        """Never."""
        return False

    def prepare(self, call: Call) -> None:
        """Raise `CommandRefused`."""
        raise CommandRefused(
            f"{self.service!r} is an input, and functions and services cannot ask one where they are processes of "
            'their own: ask from outside, by session.ask(), call a service, or run on platform="local"'
        )


class ServedQueue(RequestQueue):
    """The service's end: its own request queue, which callers elsewhere reach by mail."""

    def __init__(self, service: str, capacity: int, ledger: Ledger, peers: Peers, set_ups: SetUps) -> None:
        super().__init__(service, capacity, ledger)
        self.peers, self._set_ups = peers, set_ups
        self.served: dict[tuple[str, int], Call] = {}  # by caller's process and number; until their replies leave
        self._withdrawn: set[tuple[str, int]] = set()  # that were not here then; guarded by the ledger's lock
        self._unheard: set[tuple[str, int]] = set()  # asked by a call, of which nobody has told the caller: it is here

    def receive(self, peer: str, question: Question) -> None:
        """A request has come by mail; so goes its reply."""
        number = question[0]
        self._take_in(peer, question, _Reply(self, peer, number))

    def answer(self, peer: str, question: Question) -> Serialized:
        """A request has come by a call: wait for its ending, and return the reply."""
        number, replies = question[0], SimpleQueue[Serialized]()
        self._unheard.add((peer, number))
        self._take_in(peer, question, _Reply(self, peer, number, replies))
        if self.gate.closed:
            self.peers.post(peer, ("arrived", number))
        reply = replies.get()
        self._unheard.discard((peer, number))
        return reply

    def _take_in(self, peer: str, question: Question, reply: _Reply) -> None:
        number, serialized, timeout_s, in_set_up = question
        try:
            request = Request(*self.peers.codec.decode(serialized))
        except BaseException as error:  # noqa: BLE001  the border to user code, which says how arguments are unpickled
            reply.close(None, _of_a_call(error, f"a request to service {self.service!r} cannot be unpickled there"))
            reply.tell()
            return
        call = Call(request, self, max(0.0, timeout_s), waits=False)
        call.answer_to(reply)
        with self.ledger.lock:
            if (peer, number) in self._withdrawn:
                self._withdrawn.discard((peer, number))
                reply.close(None, stopped(self))
            else:
                self.served[peer, number] = call
                if in_set_up:
                    self._set_ups.note(request.callers[0])
                try:
                    self.put(call)
                except ServiceStopped as refusal:
                    reply.close(None, refusal)
                else:
                    if in_set_up and not self.is_set_up:
                        self._set_ups.begin((peer, number), request.callers[0])
                    return
        call.tell()

    def are_still(self) -> bool:
        """Whether time alone will end no request here. Whoever asked by a call hears that it is here. Any thread."""
        served = dict(self.served)
        for peer, number in self._unheard & served.keys():
            self._unheard.discard((peer, number))
            self.peers.post(peer, ("arrived", number))
        return all(self.stands_still(call) for call in served.values())

    def refuse_circle(self, peer: str, number: int) -> None:
        """A request that is here waits, in a circle, for itself."""
        with self.ledger.lock:
            call = self.served.get((peer, number))
        if call is not None:
            self.ledger.refuse_one(call, set_up_circle(call.request))

    def withdraw_from(self, peer: str, number: int) -> None:
        """Its caller waits no more."""
        with self.ledger.lock:
            call = self.served.pop((peer, number), None)
            if call is None:  # not here yet: a call may be overtaken by mail; or its reply is on its way
                self._withdrawn.add((peer, number))
                return
        self.ledger.abandon(call)
        call.tell()

    def pause(self) -> None:
        """By hand: let nothing begin, and let callers know that time stands still for them."""
        super().pause()
        for (peer, number), call in list(self.served.items()):
            self.peers.post(peer, ("began" if call.stage == "running" else "arrived", number))
        for peer in self.peers.names():
            self.peers.post(peer, ("held", True))

    def resume(self) -> None:
        """By hand: serve again."""
        super().resume()
        for peer in self.peers.names():
            self.peers.post(peer, ("held", False))


class _Reply:
    """What a call has in place of a future: its ending goes back to where it came from."""

    has_callbacks = False

    def __init__(
        self, queue: ServedQueue, peer: str, number: int, asker: SimpleQueue[Serialized] | None = None
    ) -> None:
        self._queue, self._peer, self._number = queue, peer, number
        self._asker = asker  # the call that waits here for the reply; None: it goes by mail
        self._ending: tuple[Any, BaseException | None] = (None, None)

    def begin(self) -> None:
        """The call is about to be executed."""
        if self._queue.gate.closed:
            self._queue.peers.post(self._peer, ("began", self._number))

    def close(self, value: Any, error: BaseException | None) -> None:
        """The call has its ending."""
        self._ending = (value, error)

    def tell(self) -> None:
        """Send it."""
        self._queue.served.pop((self._peer, self._number), None)
        value, error = self._ending
        codec = self._queue.peers.codec
        try:
            reply = codec.encode((value, None if error is None else encode(error, codec)))
        except BaseException as failure:  # noqa: BLE001  the border to user code, which says how replies are pickled
            what = f"the reply of service {self._queue.service!r} cannot be sent to another process"
            reply = codec.encode((None, encode(_of_a_call(failure, what), codec)))
        if self._asker is not None:
            self._asker.put(reply)
        else:
            self._queue.peers.post(self._peer, ("reply", self._number, reply))
