"""Both ends of what is between two processes, in one: endpoints, ways, lanes, and what carries them, by hand."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Final

from examples.pickle_codec import CODEC
from runtime.communication.lane import LaneSpec
from runtime.remote.arrivals import Arrivals
from runtime.remote.channel import Message, Question
from runtime.remote.endpoint import Endpoint, Owner
from runtime.remote.link import CallLink
from runtime.remote.remote_lane import Address, Outbox
from runtime.scheduling.parker import Parker, Waiter
from runtime.scheduling.quiescence import QuiescenceMonitor

PATIENCE_S: Final = float(os.environ.get("STRESS_PATIENCE_S", "20"))
"""How long what happens at once is waited for. tests/mutants.py, where hangs are the rule, makes it shorter."""

LANE = ("work", 0)
LANES = (LaneSpec("numbers"),)


def in_thread(ask: Callable[[], Any]) -> tuple[threading.Thread, list[Any]]:
    """A thread that asks, and what it has found, or what was raised there."""
    found: list[Any] = []

    def run() -> None:
        try:
            found.append(ask())
        except Exception as error:  # noqa: BLE001  what is raised is what is looked at
            found.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread, found


class Writer(Parker):
    """How a task waits that never looks by itself whether a reader was slow: only who unparks it lets it go on."""

    __slots__ = ()
    patience_s = -1.0

    def __init__(self) -> None:
        super().__init__(QuiescenceMonitor())

    def wait_until(self, doing: str) -> None:
        """Return when the task says that it is doing this."""
        done = threading.Event()
        while self.doing != doing:
            done.wait(0.001)


class ByHand:
    """A channel: what is given for it delivers, and asks."""

    def __init__(
        self,
        deliver: Callable[[int, list[Message]], Future[Any]],
        ask: Callable[[Question], Future[Any]] = lambda _: Future(),
    ) -> None:
        self._deliver, self._ask = deliver, ask

    def call(self, method: str, *arguments: Any) -> Future[Any]:
        """Let it be delivered, or asked."""
        (packed,) = arguments
        _, *said = CODEC.unpack(packed)
        return self._deliver(*said) if method == "deliver" else self._ask(*said)

    def is_gone(self, error: BaseException) -> bool:
        """Never."""
        return False


class Link:
    """A lane between two processes. `carry` takes what waits there to the reader; what it says comes back at once."""

    def __init__(self, capacity: int, writer: Waiter | None = None) -> None:
        self.told: list[int] = []  # how many packets had left, at each acknowledgement
        self.returned: list[int] = []  # lanes of which a lent place was given back
        self.errors: list[BaseException] = []
        writer = Waiter() if writer is None else writer
        self.outbox = Outbox(LANE, LANES[0], capacity, writer, CODEC)
        self.inbox = Arrivals("work", capacity, LANES, self)
        self.lane = self.inbox.lanes[1]

    def acknowledge_to(self, producer: str, lane: Address, taken: int, much: bool) -> None:
        """At once."""
        self.told.append(taken)
        self.outbox.acknowledge(taken)

    def give_back_to(self, producer: str, lane: Address) -> None:
        """At once."""
        self.returned.append(lane[1])
        self.outbox.return_credit()

    def note_full(self) -> None:
        """Nobody waits for what is slow here."""

    def send(self, *items: Any) -> None:
        """Put items into the lane and carry them."""
        for item in items:
            self.outbox.lane.put(item)
        self.carry()

    def carry(self) -> None:
        """Take what waits to the reader, each signal in its place."""
        if (error := self.outbox.pack()) is not None:
            self.errors.append(error)
        for each in self.outbox.take(may_end=True):
            self.inbox.take_in(each, CODEC)

    def room(self) -> int:
        """How many packets the writer could put in now."""
        return self.outbox.lane.capacity - len(self.outbox.lane.items)


class Nobody:
    """Whoever has an endpoint, and does not care what happens there."""

    def failed(self, task: str, error: BaseException) -> None:
        """Nothing."""

    def undelivered(self, peer: str, error: BaseException) -> None:
        """Nothing."""

    def news(self) -> None:
        """Nothing."""

    def heard(self, verb: str, *said: Any) -> None:
        """Nothing is expected."""
        raise LookupError(verb)

    def ask_after(self, peer: str, number: int) -> None:
        """Nothing."""


def endpoint_of(name: str = "work", owner: Owner | None = None) -> Endpoint:
    return Endpoint(f"job of {name}", name, CODEC, Nobody() if owner is None else owner)


class Told:
    """What a link tells whose it is: by peer, what was lost and what is asked after; how often it calls its carrier."""

    name = "numbers"
    codec = CODEC

    def __init__(
        self,
        *,
        may_end: Callable[[], bool] = lambda: True,
        acknowledge: Callable[[Address, int], object] = lambda *_: None,
    ) -> None:
        self._may_end, self._acknowledge = may_end, acknowledge
        self.errors: list[BaseException] = []
        self.lost: list[tuple[str, BaseException]] = []
        self.asked: list[tuple[str, int]] = []
        self.calls = 0

    @property
    def may_end(self) -> bool:
        """Whether stop signals may be sent."""
        return self._may_end()

    def failed(self, task: str, error: BaseException) -> None:
        """Note it."""
        self.errors.append(error)

    def call_carrier(self) -> None:
        """Count it."""
        self.calls += 1

    def note_undelivered(self, peer: str, error: BaseException) -> None:
        """Note it."""
        self.lost.append((peer, error))

    def acknowledge(self, lane: Address, taken: int) -> None:
        """Let it be known."""
        self._acknowledge(lane, taken)

    def ask_after(self, peer: str, number: int) -> None:
        """Note it."""
        self.asked.append((peer, number))


def way_of(outbox: Outbox) -> tuple[CallLink, list[list[Message]], list[Future[Any]]]:
    """A way with one outbox, whose parcels are kept here, and received when their futures are done."""
    parcels: list[list[Message]] = []
    futures: list[Future[Any]] = []

    def deliver(_: int, messages: list[Message]) -> Future[Any]:
        parcels.append(messages)
        futures.append(Future())
        return futures[-1]

    way = CallLink("work", ByHand(deliver), Told(acknowledge=lambda _, taken: outbox.acknowledge(taken)))
    way.add(outbox)
    return way, parcels, futures


def packets_in(parcels: list[list[Message]]) -> list[list[Any]]:
    return [
        [item for message in parcel if message[0] == "packets" for item in CODEC.decode(message[1].serialized)]
        for parcel in parcels
    ]
