"""Which set-ups wait for each other, without processes: each circle is found, however mail travels, and no other."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from functools import partial
from random import Random
from typing import Any

from runtime.communication.calls import Call, Request
from runtime.errors import ServiceLoop
from runtime.remote.channel import Message
from runtime.remote.link import CallLink
from runtime.remote.remote_calls import RemoteRequestQueue
from tests.pairs import of_every_seed
from tests.remote_rig import ByHand, Told, endpoint_of


class Ending:
    """What a caller has in place of a future."""

    has_callbacks = False

    def __init__(self) -> None:
        self.error: BaseException | None = None

    def begin(self) -> None:
        """It is served."""

    def close(self, value: Any, error: BaseException | None) -> None:
        """It has ended."""
        self.error = error

    def tell(self) -> None:
        """Behind that."""


class CarriesAtOnce(Told):
    """Carries on the thread that posts: no thread decides the order here."""

    def __init__(self, deliver: Callable[[int, list[Message]], Future[Any]]) -> None:
        super().__init__()
        self._deliver = deliver

    def link_to(self, peer: str) -> CallLink:
        """The link on which this carries."""
        self._link = CallLink(peer, ByHand(self._deliver), self)
        return self._link

    def call_carrier(self) -> None:
        """Carry."""
        self._link.carry()


class Mail:
    """Services in a process each, and what is on its way between them, delivered in an order that the seed decides."""

    def __init__(self, services: list[str], seed: int) -> None:
        self.chance = Random(seed)
        self.endpoints = {name: endpoint_of(name) for name in services}
        self.under_way: dict[tuple[str, str], deque[tuple[int, list[Message], Future[Any]]]] = {}
        self.endings: dict[str, Ending] = {}
        for name, endpoint in self.endpoints.items():
            endpoint.calls.queue(name, 8)
            others = [other for other in services if other != name]
            endpoint._links = {
                other: CarriesAtOnce(partial(self._ship, name, other)).link_to(other) for other in others
            }

    def _ship(self, sender: str, peer: str, number: int, messages: list[Message]) -> Future[Any]:
        landing: Future[Any] = Future()
        self.under_way.setdefault((sender, peer), deque()).append((number, messages, landing))
        return landing

    def call(self, caller: str, service: str, root: str) -> None:
        """Call a service by mail, in the name of root."""
        endpoint = self.endpoints[caller]
        queue = endpoint.calls.queue(service, 8)
        assert isinstance(queue, RemoteRequestQueue)
        chain = (root,) if caller == root else (root, caller)
        call = Call(Request(service, "process", (), {}, chain, 0), queue, 10.0, waits=False)
        ending = self.endings[caller] = Ending()
        call.future = ending
        queue.prepare(call)
        with endpoint.calls.ledger.lock:
            queue.put(call)

    def deliver(self) -> bool:
        """Deliver one parcel of those that are next. False: there is none."""
        waiting = sorted(way for way, parcels in self.under_way.items() if parcels)
        if not waiting:
            return False
        sender, peer = self.chance.choice(waiting)
        number, messages, landing = self.under_way[sender, peer].popleft()
        self.endpoints[peer].receive(sender, number, messages)
        landing.set_result([])
        return True

    def set_up(self, service: str) -> None:
        """The set-up of a service is done."""
        calls = self.endpoints[service].calls
        with calls.ledger.lock:
            calls.served.begin()

    def refused(self) -> set[str]:
        """Whose calls were refused."""
        found = {name: ending.error for name, ending in self.endings.items() if ending.error is not None}
        assert all(isinstance(error, ServiceLoop) for error in found.values()), found
        return set(found)


@contextmanager
def mail_between(services: list[str], seed: int) -> Iterator[Mail]:
    mail = Mail(services, seed)
    yield mail
    for endpoint in mail.endpoints.values():
        endpoint.close()


def on_a_circle(calls: dict[str, str]) -> set[str]:
    """The services from which calls lead back."""
    found = set()
    for start, called in calls.items():
        place: str | None = called
        for _ in calls:
            if place is not None and place != start:
                place = calls.get(place)
        if place == start:
            found.add(start)
    return found


@of_every_seed(150)
def test_of_every_circle_of_set_ups_a_call_is_refused_and_no_other(seed: int) -> None:
    chance = Random(seed)
    services = [f"s{number}" for number in range(chance.randint(2, 6))]
    calls = {
        name: chance.choice([other for other in services if other != name])
        for name in services
        if chance.random() < 0.85
    }
    with mail_between(services, seed) as mail:
        to_do = list(services)
        chance.shuffle(to_do)
        while to_do or mail.deliver():
            if to_do and chance.random() < 0.4:
                name = to_do.pop()
                if name in calls:
                    mail.call(name, calls[name], root=name)
                else:
                    mail.set_up(name)
            else:
                mail.deliver()
        circles = on_a_circle(calls)
        assert mail.refused() <= circles
        for name in circles:  # of each circle at least one
            round_trip, place = {name}, calls[name]
            while place != name:
                round_trip.add(place)
                place = calls[place]
            assert mail.refused() & round_trip, (calls, round_trip)


@of_every_seed(20)
def test_a_circle_is_found_through_a_service_that_is_set_up(seed: int) -> None:
    """`a` asks `ready` for its set-up, which asks `b` in its name, which asks `a` for its own."""
    with mail_between(["a", "ready", "b"], seed) as mail:
        mail.set_up("ready")
        steps = [partial(mail.call, "a", "ready", root="a"), partial(mail.call, "b", "a", root="b")]
        mail.chance.shuffle(steps)
        for step in steps:
            step()
            while mail.chance.random() < 0.7 and mail.deliver():
                pass
        while mail.deliver():
            pass
        mail.call("ready", "b", root="a")
        while mail.deliver():
            pass
        assert mail.refused() & {"ready", "b"}


def test_a_call_in_the_name_of_a_service_that_is_set_up_by_now_is_for_no_set_up() -> None:
    with mail_between(["a", "b"], 1) as mail:
        mail.call("b", "a", root="b")
        mail.call("a", "b", root="a")
        mail.set_up("a")  # it does not wait for what it has asked
        while mail.deliver():
            pass
        assert mail.refused() == set()
