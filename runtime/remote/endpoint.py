"""Endpoint: what one process has of a job: its ways to others, the queues read here, the lanes filled here, the calls.

Knows neither tasks nor Ray: ways are given to it. Whatever comes from others comes to `receive`, which never waits.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from time import monotonic
from typing import Final, Protocol

from runtime.communication.calls import Ledger
from runtime.communication.inbox import shares
from runtime.communication.lane import Lane, LaneSpec
from runtime.communication.request_queue import RequestQueue
from runtime.remote.acknowledgements import MOST_OPEN, Acknowledgement, Acknowledgements
from runtime.remote.channel import Channel, Message, Question
from runtime.remote.codec import Codec, Serialized
from runtime.remote.link import OVERDUE_S, ActorLink, Link, Where
from runtime.remote.remote_calls import RemoteRequestQueue, ServedQueue
from runtime.remote.remote_lane import Address, Arrivals, Mark, Outbox, Packets
from runtime.remote.set_ups import Probe, SetUps
from runtime.scheduling.parker import Waiter, new_permit, unpark
from runtime.scheduling.scheduler import Scheduler

SLOW_S: Final = 0.005
"""How long a lane may be full before its writer hears what has left of it, though that is less than half."""

LOOK_S: Final = 0.5
"""How often one looks whether something is under way for too long."""

SOON_S: Final = 5.0
"""How long what happens at once may take, unless somebody has died."""

DRIVER: Final = ""
"""The name of the process that the session is in."""


class Owner(Protocol):
    """Whoever has an endpoint. What it hears comes on threads of the endpoint; all but `failed` on its carrier."""

    def failed(self, task: str, error: BaseException) -> None:
        """Something that this task has made cannot be packed."""

    def undelivered(self, peer: str, error: BaseException) -> None:
        """A parcel, or a question, could not be received there."""

    def news(self) -> None:
        """Something has been received, perhaps."""

    def ask_after(self, peer: str, number: int) -> None:
        """Ask what `peer` knows of parcel `number` from here; `hear_of` brings the answer."""


class Endpoint:
    """What one process has of a job. `name` is of the task or service whose process it is, or `DRIVER`."""

    def __init__(self, job: str, name: str, codec: Codec, owner: Owner) -> None:
        self.job, self.name, self.codec = job, name, codec
        self.ledger = Ledger(Scheduler())
        self.may_end = name == DRIVER  # whether stop signals may leave: not before the driver has heard the report
        self.other_mail: dict[str, Callable[..., None]] = {}  # verbs of whoever has the endpoint
        self._owner = owner
        self._inboxes: dict[str, Arrivals] = {}
        self._outboxes: dict[Address, Outbox] = {}
        self._set_ups = SetUps(name, self.ledger, lambda peer, verb, probe: self.post(peer, (verb, probe)))
        self._remote_queues: dict[str, RemoteRequestQueue] = {}
        self._paused: set[str] = set()  # services that are held by hand
        self.served: ServedQueue | None = None
        self._links: dict[str, Link] = {}
        self._reads: Mapping[str, str] = {}  # tasks that run in another process than that of their own name
        self._receiving = threading.Lock()  # guards the three below; nothing is taken in under it
        self._taking: set[str] = set()  # senders of whom a thread takes in parcels: one by one, in order
        self._numbers: dict[str, int] = {}  # of the last parcel from each sender that was begun to be taken in
        self._early: dict[str, dict[int, list[Message]]] = {}  # parcels that have overtaken another one, by sender
        self._acknowledgements = Acknowledgements(
            lambda writer, acknowledgement: self.post(writer, ("ack", *acknowledgement))
        )
        self._closed = False
        self._full = False  # some lane that is read here
        self._bell = new_permit()
        self._undeliverable: list[tuple[str, BaseException]] = []
        self._carrier = threading.Thread(target=self._carry, name=f"{job}/{name or 'driver'} carrier", daemon=True)
        ENDPOINTS[job, name] = self

    def join(self, ways: Iterable[Link], elsewhere: Mapping[str, str]) -> None:
        """Begin to send: by these ways, to each task in the process of its own name, or in that of `elsewhere`."""
        self._reads = elsewhere
        self._links = {way.peer: way for way in ways}
        for outbox in self._outboxes.values():
            self._link_to(outbox.address[0]).add(outbox)
        self._carrier.start()

    def close(self) -> None:
        """Send nothing any more."""
        self._closed = True
        ENDPOINTS.pop((self.job, self.name), None)
        if self._carrier.ident is not None:
            unpark(self._bell)
            self._carrier.join()

    # ── what descriptors ask for ──

    def inbox(self, task: str, capacity: int, lanes: tuple[LaneSpec, ...]) -> Arrivals:
        """The queue of a task that runs here, the same at every call."""
        inbox = self._inboxes.get(task)
        if inbox is None:
            inbox = self._inboxes[task] = Arrivals(task, capacity, lanes, self)
        return inbox

    def outbox(self, address: Address, spec: LaneSpec, capacity: int, producers: int, writer: Waiter) -> Lane:
        """The writer's end of a lane, for a task that runs here."""
        share, _ = shares(capacity, producers)
        outbox = self._outboxes[address] = Outbox(
            address, spec, share, writer, lambda error: self._owner.failed(spec.producer, error), self.codec
        )
        if self._links:
            self._link_to(address[0]).add(outbox)
        return outbox.lane

    def request_queue(self, service: str, capacity: int) -> RequestQueue:
        """The queue of the service that runs here, or what calls get to another one by."""
        if service == self.name:
            if self.served is None:
                self.served = ServedQueue(service, capacity, self.ledger, self, self._set_ups)
            return self.served
        queue = self._remote_queues.get(service)
        if queue is None:
            queue = self._remote_queues[service] = RemoteRequestQueue(
                service, capacity, self.ledger, self, self._set_ups
            )
            if service in self._paused:
                queue.is_held_there(True)
        return queue

    # ── sending ──

    def post(self, peer: str, message: Message) -> None:
        """Send a message to a process of the job. Any thread; returns at once."""
        self._links[peer].post(message)

    def names(self) -> Iterable[str]:
        """The processes that mail gets to from here."""
        return list(self._links)

    def channel_to(self, peer: str) -> Channel:
        """What carries calls to a process of the job."""
        way = self._links[peer]
        assert isinstance(way, ActorLink), "a call to the driver, which no process can call"
        return way.channel

    def _process_of(self, task: str) -> str:
        return self._reads.get(task, task)

    def _link_to(self, task: str) -> Link:
        return self._links[self._process_of(task)]

    def pack_all(self) -> None:
        """Pack what has been sent and not packed yet, so that what cannot be is known."""
        for outbox in self._outboxes.values():
            outbox.pack()

    def end_lanes(self) -> None:
        """Let stop signals leave."""
        self.may_end = True
        for way in self._links.values():
            way.ship()

    def way_to(self, peer: str, channel: Channel) -> ActorLink:
        """A way to another process of the job, by calls."""
        return ActorLink(peer, channel, self)

    def call_carrier(self) -> None:
        """Let the carrier come. Any thread; returns at once."""
        unpark(self._bell)

    def ask_after(self, peer: str, number: int) -> None:
        """Nothing was heard of a parcel for too long: have its receiver asked."""
        self._owner.ask_after(peer, number)

    def note_undelivered(self, peer: str, error: BaseException) -> None:
        """Have the carrier tell that mail does not get to `peer`. Any thread, also a channel's own; returns at once."""
        self._undeliverable.append((peer, error))
        unpark(self._bell)

    def _carry(self) -> None:
        looked_s = monotonic()
        while not self._closed:
            for way in self._actor_ways():
                way.carry()
            while self._undeliverable:
                self._owner.undelivered(*self._undeliverable.pop(0))
            self._owner.news()
            if not self._bell.acquire(True, self._patience_s()) and self._full:
                self._full = False
                for inbox in self._inboxes.values():
                    inbox.look_up()
            if (now_s := monotonic()) - looked_s >= LOOK_S:
                looked_s = now_s
                self._ask_after_overdue(now_s)

    def _actor_ways(self) -> list[ActorLink]:
        return [way for way in self._links.values() if isinstance(way, ActorLink)]

    def _patience_s(self) -> float:
        """How long the carrier sleeps at most (-1: without limit)."""
        if self._full:
            return SLOW_S
        is_asking = any(queue.asked_s is not None for queue in list(self._remote_queues.values()))
        return LOOK_S if is_asking or any(way.has_under_way for way in self._actor_ways()) else -1

    def _ask_after_overdue(self, now_s: float) -> None:
        """Nobody may wait for what will not come: ask after what is under way for too long.

        A service that was asked by a call may take its time; so mail is sent there, which would have to arrive.
        """
        for service, queue in list(self._remote_queues.items()):
            if queue.asked_s is not None and now_s - queue.asked_s > OVERDUE_S:
                queue.asked_s = now_s
                self.post(service, ("still there",))
        for way in self._actor_ways():
            way.ask_after_overdue(now_s)

    def hear_of(self, peer: str, number: int, where: Where) -> None:
        """What a process says of a parcel from here that has been asked after."""
        way = self._links[peer]
        if isinstance(way, ActorLink):
            way.hear_of(number, where)

    def lose(self, peer: str) -> None:
        """A process of the job has died."""
        way = self._links.get(peer)
        if isinstance(way, ActorLink):
            way.lose()

    def is_quiet(self) -> bool:
        """Whether all that was sent from here has been received."""
        ways, queues = list(self._links.values()), list(self._remote_queues.values())
        return all(way.is_quiet() for way in ways) and all(queue.is_quiet() for queue in queues)

    @property
    def sent(self) -> int:
        """How much has been sent so far."""
        return sum(way.sent for way in self._links.values()) + self._acknowledgements.sent

    def put_counts(self) -> dict[Address, int]:
        """How many packets were put into each lane that is filled here."""
        return {address: box.lane.taken + len(box.lane.items) for address, box in self._outboxes.items()}

    # ── receiving ──

    def acknowledge_to(self, producer: str, lane: Address, taken: int, much: bool) -> None:
        """Let whoever fills a lane that is read here know how many packets of it have left in all."""
        self._acknowledgements.acknowledge(self._process_of(producer), (lane, taken), much)

    def give_back_to(self, producer: str, lane: Address) -> None:
        """Give a place back that the writer of a lane has lent."""
        self._link_to(producer).post(("return place", lane))

    def note_full(self) -> None:
        """A lane read here is full: if it stays so, let its writer know what has left all the same."""
        if not self._full:
            self._full = True
            unpark(self._bell)

    def receive(self, sender: str, number: int, messages: list[Message]) -> None:
        """Take in a parcel, after all with a smaller number. Any thread.

        Waits for nothing, but for what user code waits for that unpickles packets; other senders do not wait for that.
        A parcel that comes too early, or while another one of its sender is being taken in, is left to the thread that
        does, or will: it does not return before that.
        """
        with self._receiving:
            self._early.setdefault(sender, {})[number] = messages
            if sender in self._taking:
                return
            self._taking.add(sender)
        while (due := self._next_parcel(sender)) is not None:
            try:
                self._take_in(sender, due)
            except BaseException:
                with self._receiving:
                    self._taking.discard(sender)
                raise

    def where_is(self, sender: str, number: int) -> Where:
        """What is known here of a parcel. While all threads take in parcels, one more may be there and not be known."""
        with self._receiving:
            if sender in self._taking or len(self._taking) > MOST_OPEN:
                return "at work"
            return "taken in" if number <= self._numbers.get(sender, 0) else "missing"

    def _next_parcel(self, sender: str) -> list[Message] | None:
        """The next parcel to be taken in, by the one thread that takes in those of its sender; None: it is free."""
        with self._receiving:
            number = self._numbers.get(sender, 0) + 1
            due = self._early[sender].pop(number, None)
            if due is None:
                self._taking.discard(sender)
            else:
                self._numbers[sender] = number
            return due

    def answer(self, sender: str, messages: list[Message]) -> list[Acknowledgement]:
        """What is acknowledged by the answer to a parcel: if it has filled a lane, this waits a moment for that."""
        filled = (rest[0].lane for verb, *rest in messages if verb == "packets")
        if any(self._inboxes[task].is_filled(number) for task, number in filled):
            return self._acknowledgements.wait(sender, SLOW_S)
        return []

    def _take_in(self, sender: str, messages: list[Message]) -> None:
        for verb, *rest in messages:
            handle = getattr(self, _HANDLERS[verb]) if verb in _HANDLERS else self.other_mail[verb]
            handle(sender, *rest) if verb in _BY_SENDER else handle(*rest)

    def _packets(self, packets: Packets) -> None:
        task, number = packets.lane
        inbox = self._inboxes[task]
        try:
            items = self.codec.decode(packets.freight)
        except BaseException as error:  # noqa: BLE001  the border to user code, which says how its packets are unpickled
            inbox.fail(error)
        else:
            inbox.receive(number, items)

    def _signal(self, mark: Mark) -> None:
        task, number = mark.lane
        self._inboxes[task].lanes[number + 1].put_signal(mark.signal)

    def acknowledge(self, lane: Address, taken: int) -> None:
        """So many packets of a lane that is filled here have left at its reader, in all."""
        self._outboxes[lane].acknowledge(taken)

    def _return_place(self, lane: Address) -> None:
        self._outboxes[lane].return_place()

    def take_back(self, lane: Address) -> bool:
        """A packet is put back at the reader of a lane that is filled here: count it again, if there is room."""
        way = self._link_to(lane[0])
        if isinstance(way, ActorLink):
            way.let_land(SOON_S)  # what was acknowledged before it was put back
        return self._outboxes[lane].take_back()

    def lend(self, lane: Address) -> bool:
        """Lend a place of a lane that is filled here to the hand of its reader."""
        return self._outboxes[lane].lend()

    def _request(self, sender: str, question: Question) -> None:
        assert self.served is not None, "a request has come to a process without a service"
        self.served.receive(sender, question)

    def _withdraw(self, sender: str, number: int) -> None:
        assert self.served is not None, "a request has come to a process without a service"
        self.served.withdraw_from(sender, number)

    def _reply(self, sender: str, number: int, freight: Serialized) -> None:
        self._remote_queues[sender].receive(number, freight)

    def _waits(self, probe: Probe) -> None:
        with self.ledger.lock:
            self._set_ups.follow(probe)

    def _leads_back(self, probe: Probe) -> None:
        with self.ledger.lock:
            self._set_ups.confirm(probe)

    def _circle(self, probe: Probe) -> None:
        assert self.served is not None, "a process without a service has asked for a set-up"
        self.served.refuse_circle(*probe.request)

    def _still_there(self) -> None:
        """Nothing is to be done: that it was received is the answer."""

    def _arrived(self, sender: str, number: int) -> None:
        self._remote_queues[sender].has_arrived(number)

    def _began(self, sender: str, number: int) -> None:
        self._remote_queues[sender].began(number)

    def _held(self, sender: str, held: bool) -> None:
        (self._paused.add if held else self._paused.discard)(sender)
        if (queue := self._remote_queues.get(sender)) is not None:
            queue.is_held_there(held)


_HANDLERS: Final = {
    "packets": "_packets",
    "signal": "_signal",
    "ack": "acknowledge",
    "return place": "_return_place",
    "request": "_request",
    "withdraw": "_withdraw",
    "reply": "_reply",
    "arrived": "_arrived",
    "began": "_began",
    "held": "_held",
    "waits": "_waits",
    "leads back": "_leads_back",
    "circle": "_circle",
    "still there": "_still_there",
    "asked after": "hear_of",
}
_BY_SENDER: Final = {"request", "withdraw", "reply", "arrived", "began", "held"}

ENDPOINTS: Final[dict[tuple[str, str], Endpoint]] = {}
"""Of the jobs that this process has a part in, until they are closed. Each change is one step under the GIL."""
