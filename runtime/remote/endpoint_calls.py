"""EndpointCalls: the calls of one process: those that it makes to services elsewhere, and those of its own service."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from runtime.communication.calls import Ledger
from runtime.communication.request_queue import RequestQueue
from runtime.remote.channel import Peers, Question
from runtime.remote.codec import Serialized
from runtime.remote.link import OVERDUE_S
from runtime.remote.remote_calls import RemoteRequestQueue, ServedQueue, UnaskedQueue
from runtime.remote.set_ups import Probe, SetUps
from runtime.scheduling.scheduler import Scheduler


class EndpointCalls:
    """Calls that come from elsewhere, or go there, for the task or service of one process, or for the driver."""

    def __init__(self, peers: Peers) -> None:
        self.ledger = Ledger(Scheduler())
        self._peers = peers
        self._set_ups = SetUps(peers.name, self.ledger, peers)
        self._served: ServedQueue | None = None
        self._remote: dict[str, RemoteRequestQueue] = {}
        self._paused: set[str] = set()  # services that are held by hand

    def queue(self, service: str, capacity: int) -> RequestQueue:
        """The queue of the service that runs here, or what calls get to another one by."""
        if service == self._peers.name:
            if self._served is None:
                self._served = ServedQueue(service, capacity, self.ledger, self._peers, self._set_ups)
            return self._served
        queue = self._remote.get(service)
        if queue is None:
            queue = self._remote[service] = RemoteRequestQueue(
                service, capacity, self.ledger, self._peers, self._set_ups
            )
            if service in self._paused:
                queue.is_held_there(True)
        return queue

    def input(self, name: str, capacity: int) -> RequestQueue:
        """What stands for the queue of an input that can be asked: it says that functions and services cannot."""
        return UnaskedQueue(name, capacity, self.ledger)

    @property
    def served(self) -> ServedQueue:
        """The queue of the service that runs here."""
        assert self._served is not None, "this process has no service"
        return self._served

    def is_quiet(self) -> bool:
        """Whether all that was sent from here has been received."""
        return all(queue.is_quiet() for queue in list(self._remote.values()))

    def are_asked(self) -> bool:
        """Whether some service is being asked by a call, which may take its time."""
        return any(queue.asked_s is not None for queue in list(self._remote.values()))

    def ask_after_overdue(self, now_s: float) -> None:
        """Nobody may wait for what will not come. A service that is asked by a call may take its time; so mail is sent
        there now and then, which would have to arrive.
        """
        for service, queue in list(self._remote.items()):
            if queue.is_overdue(now_s, OVERDUE_S):
                self._peers.post(service, ("still there",))

    # ── mail, by verb: its sender, and what it says ──

    def _request(self, sender: str, question: Question) -> None:
        self.served.receive(sender, question)

    def _withdraw(self, sender: str, number: int) -> None:
        self.served.withdraw_from(sender, number)

    def _reply(self, sender: str, number: int, reply: Serialized) -> None:
        self._remote[sender].receive(number, reply)

    def _arrived(self, sender: str, number: int) -> None:
        self._remote[sender].has_arrived(number)

    def _began(self, sender: str, number: int) -> None:
        self._remote[sender].began(number)

    def _held(self, sender: str, held: bool) -> None:
        (self._paused.add if held else self._paused.discard)(sender)
        if (queue := self._remote.get(sender)) is not None:
            queue.is_held_there(held)

    def _waits(self, _: str, probe: Probe) -> None:
        with self.ledger.lock:
            self._set_ups.follow(probe)

    def _leads_back(self, _: str, probe: Probe) -> None:
        with self.ledger.lock:
            self._set_ups.confirm(probe)

    def _circle(self, _: str, probe: Probe) -> None:
        self.served.refuse_circle(*probe.request)

    def _still_there(self, _: str) -> None:
        """Nothing is to be done: that it was received is the answer."""


CALL_HANDLERS: Final[dict[str, Callable[..., None]]] = {
    "request": EndpointCalls._request,
    "withdraw": EndpointCalls._withdraw,
    "reply": EndpointCalls._reply,
    "arrived": EndpointCalls._arrived,
    "began": EndpointCalls._began,
    "held": EndpointCalls._held,
    "waits": EndpointCalls._waits,
    "leads back": EndpointCalls._leads_back,
    "circle": EndpointCalls._circle,
    "still there": EndpointCalls._still_there,
}
"""What takes in a message that is about calls, by its verb: of the calls, its sender and what it says."""
