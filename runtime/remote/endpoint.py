"""Endpoint: what one process has of a job: links to others, the ends of its lanes, its calls, and what ships mail.

Knows neither tasks nor a platform: channels are given to it. Whatever comes from others comes to `receive`, which never
waits.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from functools import partial
from time import monotonic
from typing import Any, Final, Protocol

from runtime.remote.channel import Channel, Message
from runtime.remote.codec import Codec
from runtime.remote.endpoint_calls import CALL_HANDLERS, EndpointCalls
from runtime.remote.endpoint_lanes import LANE_HANDLERS, SLOW_S, EndpointLanes
from runtime.remote.link import CallLink, Link, Where
from runtime.remote.parcel_order import ParcelOrder
from runtime.remote.remote_lane import Address, Outbox
from runtime.remote.weights import SharedWeights, WholeWeights
from runtime.scheduling.parker import new_permit, unpark

LOOK_S: Final = 0.5
"""How often one looks whether something is under way for too long."""

DRIVER: Final = ""
"""The name of the process that the session is in."""


class Owner(Protocol):
    """Whoever has an endpoint. What it hears comes on the endpoint's carrier, but for `failed` and `heard`."""

    def failed(self, task: str, error: BaseException) -> None:
        """Something that this task has made cannot be packed."""

    def undelivered(self, peer: str, error: BaseException) -> None:
        """A parcel, or a question, could not be received there."""

    def news(self) -> None:
        """Something has been received, perhaps."""

    def heard(self, verb: str, *said: Any) -> None:
        """A message has come that is for the owner. On a thread of the channel's; must not wait."""

    def ask_after(self, peer: str, number: int) -> None:
        """Ask what `peer` knows of parcel `number` from here; `hear_of` brings the answer."""


class Endpoint:
    """What one process has of a job. `name` is of the task or service whose process it is, or `DRIVER`."""

    def __init__(self, job: str, name: str, codec: Codec, owner: Owner) -> None:
        self.job, self.name, self.codec = job, name, codec
        self.lanes = EndpointLanes(self)
        self.calls = EndpointCalls(self)
        self.order = ParcelOrder()
        self.may_end = name == DRIVER  # whether stop signals may leave: not before the driver has heard the report
        self._owner = owner
        self._links: dict[str, Link] = {}
        self._reads: Mapping[str, str] = {}  # tasks that run in another process than that of their own name
        self._closed = False
        self._permit = new_permit()  # calls the carrier
        self._undeliverable: list[tuple[str, BaseException]] = []
        self._carrier = threading.Thread(target=self._carry, name=f"{job}/{name or 'driver'} carrier", daemon=True)
        ENDPOINTS[job, name] = self

    def join(self, links: Iterable[Link], elsewhere: Mapping[str, str]) -> None:
        """Begin to send: by these links, to each task in the process of its own name, or in that of `elsewhere`."""
        self._reads = elsewhere
        self._links = {link.peer: link for link in links}
        for outbox in self.lanes.outboxes():
            self._link_of(outbox.address[0]).add(outbox)
        self._carrier.start()

    def close(self) -> None:
        """Send nothing any more."""
        self._closed = True
        ENDPOINTS.pop((self.job, self.name), None)
        if self._carrier.ident is not None:
            unpark(self._permit)
            self._carrier.join()

    # ── sending ──

    def post(self, peer: str, message: Message) -> None:
        """Send a message to a process of the job. Any thread; returns at once."""
        self._links[peer].post(message)

    def names(self) -> Iterable[str]:
        """The processes that mail gets to from here."""
        return list(self._links)

    def link_to(self, peer: str, channel: Channel) -> CallLink:
        """A link to another process of the job, by calls."""
        return CallLink(peer, channel, self)

    def channel_to(self, peer: str) -> Channel:
        """What carries calls to a process of the job."""
        link = self._links[peer]
        assert isinstance(link, CallLink), "a call to the driver, which no process can call"
        return link.channel

    def process_of(self, task: str) -> str:
        """The process that a task runs in."""
        return self._reads.get(task, task)

    def _link_of(self, task: str) -> Link:
        return self._links[self.process_of(task)]

    def weigh(self) -> None:
        """Packets of the job say to which question they belong. Before any lane is made here."""
        is_driver = self.name == DRIVER
        self.lanes.weigh_by(WholeWeights() if is_driver else SharedWeights(partial(self.post, DRIVER), self.codec))

    def carry(self, outbox: Outbox) -> None:
        """Carry the packets of a lane that is filled here, as soon as there is a link."""
        if self._links:
            self._link_of(outbox.address[0]).add(outbox)

    def failed(self, task: str, error: BaseException) -> None:
        """Something that this task has made cannot be packed."""
        self._owner.failed(task, error)

    def pack_all(self) -> None:
        """Pack what has been sent and not packed yet, so that what cannot be is known."""
        for outbox in self.lanes.outboxes():
            if (error := outbox.pack()) is not None:
                self.failed(outbox.lane.producer, error)

    def end_lanes(self) -> None:
        """Let stop signals leave."""
        self.may_end = True
        for link in self._links.values():
            link.ship()

    def let_land(self, task: str, timeout_s: float) -> None:
        """Wait until all that has been shipped to the process of a task was received, and what that acknowledged."""
        if isinstance(link := self._link_of(task), CallLink):
            link.let_land(timeout_s)

    def acknowledge(self, lane: Address, taken: int) -> None:
        """So many packets of a lane that is filled here have left at its reader, in all."""
        self.lanes.acknowledge(lane, taken)

    def is_quiet(self) -> bool:
        """Whether all that was sent from here has been received."""
        return all(link.is_quiet() for link in list(self._links.values())) and self.calls.is_quiet()

    @property
    def sent(self) -> int:
        """How much has been sent so far."""
        return sum(link.sent for link in self._links.values()) + self.lanes.acknowledged

    # ── the carrier ──

    def call_carrier(self) -> None:
        """Let the carrier come. Any thread; returns at once."""
        unpark(self._permit)

    def note_undelivered(self, peer: str, error: BaseException) -> None:
        """Have the carrier tell that mail does not get to `peer`. Any thread, also a channel's own; returns at once."""
        self._undeliverable.append((peer, error))
        unpark(self._permit)

    def _carry(self) -> None:
        looked_s = monotonic()
        while not self._closed:
            for link in self._call_links():
                link.carry()
            while self._undeliverable:
                self._owner.undelivered(*self._undeliverable.pop(0))
            self._owner.news()
            if not self._permit.acquire(True, self._patience_s()) and self.lanes.has_full:
                self.lanes.look_up()
            if (now_s := monotonic()) - looked_s >= LOOK_S:
                looked_s = now_s
                self.calls.ask_after_overdue(now_s)
                for link in self._call_links():
                    link.ask_after_overdue(now_s)

    def _call_links(self) -> list[CallLink]:
        return [link for link in self._links.values() if isinstance(link, CallLink)]

    def _patience_s(self) -> float:
        """How long the carrier sleeps at most (-1: without limit)."""
        if self.lanes.has_full:
            return SLOW_S
        return LOOK_S if self.calls.are_asked() or any(link.has_under_way for link in self._call_links()) else -1

    # ── those who do not answer ──

    def ask_after(self, peer: str, number: int) -> None:
        """Nothing was heard of a parcel for too long: have its receiver asked."""
        self._owner.ask_after(peer, number)

    def hear_of(self, peer: str, number: int, where: Where) -> None:
        """What a process says of a parcel from here that has been asked after."""
        if isinstance(link := self._links[peer], CallLink):
            link.hear_of(number, where)

    def lose(self, peer: str) -> None:
        """A process of the job has died."""
        if isinstance(link := self._links.get(peer), CallLink):
            link.lose()

    # ── receiving ──

    def receive(self, sender: str, number: int, messages: list[Message]) -> None:
        """Take in a parcel, after all of its sender with a smaller number. Any thread.

        Waits for nothing, but for what user code waits for that unpickles packets; other senders do not wait for that.
        """
        self.order.receive(sender, number, messages, self._take_in)

    def call(self, method: str, packed: Any) -> Future[Any]:
        """As the channel from a task of this process to another one of it: deliver a parcel."""
        assert method == "deliver", method
        self.receive(*self.codec.unpack(packed))
        done: Future[Any] = Future()
        done.set_result(self.codec.pack([]))
        return done

    def is_gone(self, error: BaseException) -> bool:
        """As such a channel: never."""
        return False

    def _take_in(self, sender: str, messages: list[Message]) -> None:
        for verb, *said in messages:
            if verb in LANE_HANDLERS:
                LANE_HANDLERS[verb](self.lanes, *said)
            elif verb in CALL_HANDLERS:
                CALL_HANDLERS[verb](self.calls, sender, *said)
            elif verb == "asked after":
                self.hear_of(*said)
            else:
                self._owner.heard(verb, *said)


ENDPOINTS: Final[dict[tuple[str, str], Endpoint]] = {}
"""Of the jobs that this process has a part in, until they are closed. Each change is one step under the GIL."""
