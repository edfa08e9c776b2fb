"""Links from one process of a job to another: mail in order, several messages in a parcel. A channel carries it.

A carrier, a thread of the process, ships what waits as soon as it has the GIL: at once after a lone packet, in a stream
when the writer lets go of it, or its parcels have been received. So a lone packet leaves at once, and a stream
fills its parcels by itself. A parcel has been received when the receiver has taken in all of it, which never waits for
anything.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from time import monotonic
from typing import Any, Final, Literal, Protocol

from runtime.remote.channel import Channel, Message
from runtime.remote.codec import Codec, Serialized
from runtime.remote.remote_lane import Address, Outbox, Packets
from runtime.scheduling.parker import new_permit, unpark

OVERDUE_S: Final = 2.0
"""After how long one asks after a parcel that has not been received, and a second for each so many bytes of it: """

BYTES_A_S: Final = 10_000_000

AGAIN_S: Final = 1.0
"""How long after that one asks again, and again."""

MOST_MISSES: Final = 3
"""So many times nothing is known of a parcel at its receiver: then the two have lost each other."""

Where = Literal["missing", "at work", "taken in"]
"""What a receiver says of a parcel: it is not there; it may be, or is just being taken in; it was taken in."""

WINDOW: Final = 2
"""How many parcels may be under way to one process."""

CHANGED: Final = "changed"
"""The verb of what is told to who watches; it is nobody's business otherwise."""


class Sender(Protocol):
    """Whose links they are. All return at once, on any thread, also a channel's own."""

    @property
    def may_end(self) -> bool:
        """Whether stop signals may be sent."""

    def failed(self, task: str, error: BaseException) -> None:
        """Something that this task has made cannot be packed."""

    @property
    def name(self) -> str:
        """The process that mail comes from."""

    @property
    def codec(self) -> Codec:
        """How it is packed."""

    def call_carrier(self) -> None:
        """Let the carrier come."""

    def note_undelivered(self, peer: str, error: BaseException) -> None:
        """A parcel was not received, for this reason."""

    def acknowledge(self, lane: Address, taken: int) -> None:
        """So many packets of a lane have left at its reader, in all."""

    def ask_after(self, peer: str, number: int) -> None:
        """Nothing was heard of a parcel for too long: find out; `hear_of` brings the answer."""


class Link(ABC):
    """What leads to one other process: messages, and the packets of some outboxes. Any thread may post."""

    def __init__(self, peer: str, sender: Sender) -> None:
        self.peer = peer
        self.posted: deque[Message] = deque()
        self.sent = 0  # messages and packets' parcels, to see whether anything was sent
        self._outboxes: list[Outbox] = []
        self._sender = sender

    def add(self, outbox: Outbox) -> None:
        """Carry the packets of `outbox`."""
        self._outboxes = [*self._outboxes, outbox]
        outbox.carry_by(self)

    def post(self, message: Message) -> None:
        """Send a message, after all that were posted before."""
        self.posted.append(message)
        self.ship()

    @abstractmethod
    def ship(self) -> None:
        """Something may wait to be carried. Any thread; returns at once."""

    @abstractmethod
    def is_quiet(self) -> bool:
        """Whether all that was posted has been received."""

    def has_mail(self) -> bool:
        """Whether something waits here."""
        return bool(self.posted) or any(outbox.has_mail() for outbox in self._outboxes) or self._has_end()

    def _has_due(self) -> bool:
        """Whether something waits here that may not wait."""
        due = any(outbox.has_mail() and not outbox.may_wait() for outbox in self._outboxes)
        return bool(self.posted) or due or self._has_end()

    def _has_end(self) -> bool:
        return any(outbox.has_end() for outbox in self._outboxes) and self._sender.may_end

    def _gather(self) -> list[Message]:
        """All that waits, in order. One thread at a time."""
        messages: list[Message] = []
        with suppress(IndexError):  # all have been taken; looking first would not do: `lose` takes them, too
            while True:
                messages.append(self.posted.popleft())
        may_end = self._sender.may_end
        for outbox in self._outboxes:
            if outbox.may_wait():
                continue
            if (error := outbox.pack()) is not None:
                self._sender.failed(outbox.lane.producer, error)
            messages += [("packets" if isinstance(each, Packets) else "signal", each) for each in outbox.take(may_end)]
        self.sent += len(messages)
        return messages

    def _sleep(self) -> bool:
        """Let writers ship by themselves from now on. False: something waits already."""
        for outbox in self._outboxes:
            if outbox.sleep():
                outbox.lane.writer.request_yield()
        return not self._has_due()

    def _awake(self) -> None:
        for outbox in self._outboxes:
            outbox.be_awake()


class NotReached(Exception):
    """Somebody is there, as the driver says, and mail does not get there."""


class CallLink(Link):
    """The link to another process, by calls. A carrier ships."""

    def __init__(self, peer: str, channel: Channel, sender: Sender) -> None:
        super().__init__(peer, sender)
        self.channel = channel
        self.is_lost = False
        self._counting = threading.Condition(threading.Lock())  # guards the next two, and `under_way` of outboxes
        self._shipped = 0
        # Parcels by number, and when to ask after them: a later one may be received before an earlier one.
        self._under_way: dict[int, float] = {}
        self._misses: dict[int, int] = {}  # of parcels under way: how many times nothing was known of them
        self._gathering = False

    def ship(self) -> None:
        """Let the carrier come."""
        self._sender.call_carrier()

    def carry(self) -> None:
        """The carrier: ship what waits, while there is room on the way; then sleep until the next packet is put."""
        self._awake()
        while not self.is_lost and len(self._under_way) < WINDOW:
            self._gathering = True
            messages = self._gather()
            if messages:
                self._shipped += 1
                number, loads = self._shipped, self._load(messages)
                future = self._delivered(number, messages)
                self._gathering = False
                future.add_done_callback(partial(self._has_landed, number, loads))
            else:
                self._gathering = False
                if self._sleep():
                    return
                self._awake()

    def _delivered(self, number: int, messages: list[Message]) -> Future[Any]:
        """The future of a parcel: what refuses to carry it at once has not delivered it either."""
        try:
            parcel = self._sender.codec.pack((self._sender.name, number, messages))
            return self.channel.call("deliver", parcel)
        except BaseException as error:  # noqa: BLE001  whatever it is: the carrier of all other ways must go on
            future: Future[Any] = Future()
            future.set_exception(error)
            return future

    def _load(self, messages: list[Message]) -> list[tuple[Outbox, int]]:
        """Count the last parcel, and its packets, as under way."""
        boxes = {outbox.address: outbox for outbox in self._outboxes}
        packets = [message[1] for message in messages if message[0] == "packets"]
        loads = [(boxes[each.lane], each.number) for each in packets]
        due_s = monotonic() + OVERDUE_S + _weight(messages) / BYTES_A_S
        with self._counting:
            self._under_way[self._shipped] = due_s
            for outbox, number in loads:
                outbox.count_under_way(number)
        return loads

    def is_quiet(self) -> bool:
        """Whether all that was posted has been received; nothing ever is by one that is lost."""
        shipped = self._shipped
        quiet = not self.has_mail() and not self._gathering and not self._under_way
        return self.is_lost or (quiet and shipped == self._shipped)  # else something may have been taken meanwhile

    def lose(self) -> None:
        """There is nobody at the other end any more."""
        with self._counting:
            self.is_lost = True
            self._counting.notify_all()
        self.posted.clear()

    def let_land(self, timeout_s: float) -> None:
        """Wait until all that has been shipped was received, and what was acknowledged by that is known here."""
        with self._counting:
            shipped = set(self._under_way)
            self._counting.wait_for(lambda: self.is_lost or not shipped & self._under_way.keys(), timeout_s)

    @property
    def has_under_way(self) -> bool:
        """Whether something has been shipped and not been received."""
        return bool(self._under_way)

    def ask_after_overdue(self, now_s: float) -> None:
        """The carrier: ask after the oldest parcel, if it should have been received by now."""
        with self._counting:
            oldest = min(self._under_way, default=0)
            if self.is_lost or not oldest or now_s < self._under_way[oldest]:
                return
            self._under_way[oldest] = now_s + AGAIN_S
        self._sender.ask_after(self.peer, oldest)

    def hear_of(self, number: int, where: Where) -> None:
        """What its receiver, whom the driver reaches, says of a parcel that has been asked after. Any thread."""
        with self._counting:
            if number not in self._under_way or self.is_lost:
                return
            misses = self._misses[number] = 0 if where == "at work" else self._misses.get(number, 0) + 1
        if misses == MOST_MISSES:
            what = "it has not arrived" if where == "missing" else "its acknowledgement has not"
            self._sender.note_undelivered(
                self.peer, NotReached(f"parcel {number} of mail is under way for too long: {what}")
            )

    def _has_landed(self, parcel: int, loads: list[tuple[Outbox, int]], future: Future[Any]) -> None:
        """On whatever thread the channel uses, which must not wait."""
        try:
            for lane, taken in self._sender.codec.unpack(future.result()):
                self._sender.acknowledge(lane, taken)
        except BaseException as error:  # noqa: BLE001  whatever it is: it must not vanish in a thread of the channel's
            self._sender.note_undelivered(self.peer, error)
        with self._counting:
            for outbox, number in loads:
                outbox.count_under_way(-number)
            self._under_way.pop(parcel, None)
            self._misses.pop(parcel, None)
            self._counting.notify_all()
        self._sender.call_carrier()


def _weight(messages: list[Message]) -> int:
    """About how many bytes there are in a parcel: those of values in it."""
    parts = [part for _, *rest in messages for part in rest]
    parts += [each for part in parts if type(part) is tuple for each in part]  # a question
    values = (part.serialized if isinstance(part, Packets) else part for part in parts)
    return sum(len(value.blob) for value in values if isinstance(value, Serialized))


class Mailbox(Link):
    """The link to the driver, which no process can call: it fetches what waits, by a call that stays open here."""

    def __init__(self, peer: str, sender: Sender) -> None:
        super().__init__(peer, sender)
        self.has_changed = False  # something that the driver watches
        self._permit = new_permit()
        self._closed = False
        self._number = self._heard = 0  # of parcels
        self._weighty = 0  # the last one with more in it than that something has changed
        self._gathering = False
        self._listening = threading.Lock()  # guards the two below
        self._awaited: list[tuple[Message, Callable[[], None]]] = []  # posted, and who wants to know of its arrival
        self._hearing: list[tuple[int, Callable[[], None]]] = []  # likewise, in which parcel it went

    def post_awaited(self, message: Message, heard: Callable[[], None]) -> None:
        """Post a message, and call `heard`, on any thread, when the driver has taken it in."""
        with self._listening:
            self._awaited.append((message, heard))
        self.post(message)

    def fetch(self, heard: int) -> tuple[int, list[Message]]:
        """Driver: wait for the next parcel, having taken in all up to number `heard`. One thread at a time."""
        self.hear(heard)
        while True:
            self._awake()
            messages = self._parcel()
            if messages or self._closed:
                self._number += 1
                self._gathering = False
                return self._number, messages
            if self._sleep() and not self.has_changed and not self._closed:
                self._permit.acquire()

    def hear(self, heard: int) -> None:
        """The driver has taken in all up to parcel number `heard`."""
        self._heard = max(self._heard, heard)
        with self._listening:
            over = [tell for number, tell in self._hearing if number <= heard]
            self._hearing = [each for each in self._hearing if each[0] > heard]
        for tell in over:
            tell()

    def close(self) -> None:
        """Let the driver's call return."""
        self._closed = True
        unpark(self._permit)

    def _parcel(self) -> list[Message]:
        self._gathering = True
        number = self._number + 1
        messages = self._gather()
        if messages:
            self._weighty = number
            with self._listening:
                gone = [each for each in self._awaited if any(message is each[0] for message in messages)]
                self._awaited = [each for each in self._awaited if all(each is not other for other in gone)]
                self._hearing += [(number, heard) for _, heard in gone]
        else:
            self._gathering = False
        if self.has_changed:
            self.has_changed = False
            messages.append((CHANGED,))
        return messages

    def tell(self) -> None:
        """Let the driver know that something has changed which it watches."""
        self.has_changed = True
        unpark(self._permit)

    def ship(self) -> None:
        """Let the driver's call return."""
        unpark(self._permit)

    def is_quiet(self) -> bool:
        """Whether the driver has taken in all that was posted."""
        number = self._number
        quiet = not self.has_mail() and not self._gathering and self._heard >= self._weighty
        return quiet and number == self._number  # else something may have been taken and not been counted yet
