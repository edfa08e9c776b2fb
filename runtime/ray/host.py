"""Host: what every actor of a job is, whatever it hosts: mail, calls of the driver, and a watch that it may set.

Calls come in groups, each with threads of its own. "data" takes in parcels, and has one thread more than there may be
answers that wait; "control" answers while user code runs; "hand" may wait; "mail" holds the one call that stays open;
"ask" has a thread for each process that may wait for an answer.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any, Final

import ray
from ray.actor import ActorHandle

from runtime.errors import DataflowError, TaskLost, error_text
from runtime.history.dead_letters import DeadLetter
from runtime.ray.cluster import is_gone
from runtime.ray.codec import CODEC, envelope, opened
from runtime.remote.acknowledgements import MOST_OPEN
from runtime.remote.by_value import Encoded, encode, encode_letter
from runtime.remote.channel import Message, Question
from runtime.remote.codec import Serialized
from runtime.remote.endpoint import DRIVER, Endpoint
from runtime.remote.link import Mailbox, NotReached, Where
from runtime.remote.look import Look
from runtime.scheduling.quiescence import WaitableMonitor
from runtime.scheduling.waiting import deadline_of, drive
from runtime.step import Step

_GROUPS: Final = {"data": MOST_OPEN + 1, "control": 2, "hand": 8, "mail": 1}


_ACTOR: Final = {"num_cpus": 0, "max_restarts": 0, "enable_task_events": False}
"""What actors of a job have in common. Ray keeps no record of their calls: it takes time, and says nothing of a job."""


def make_actor(kind: type[Host], options: dict[str, Any], job: str, name: str, callers: int = 0) -> Any:
    """Ask Ray for an actor of this kind, which so many may ask at once. Returns its handle at once."""
    remote: Any = ray.remote  # typed without concurrency groups
    actor = remote(**_ACTOR, concurrency_groups={**_GROUPS, "ask": max(1, callers)})(kind)
    return actor.options(**options).remote(job, name)


class ActorChannel:
    """Calls of `sender` to an actor. Futures are done on Ray's own thread."""

    opened = staticmethod(opened)

    def __init__(self, handle: ActorHandle[Any], sender: str) -> None:
        self._deliver: Any = handle.deliver.remote
        self._ask: Any = handle.ask.remote
        self._sender = sender

    def deliver(self, number: int, messages: list[Message]) -> Future[Any]:
        """Carry a parcel there."""
        landed: Future[Any] = self._deliver(envelope((self._sender, number, messages))).future()
        return landed

    def ask(self, question: Question) -> Future[Any]:
        """Ask the service there."""
        answered: Future[Any] = self._ask(envelope((self._sender, question))).future()
        return answered


class TellingMonitor(WaitableMonitor):
    """One that lets the driver know, while the driver watches."""

    def __init__(self, mailbox: Mailbox) -> None:
        super().__init__()
        self._mailbox = mailbox
        self._driver_watches = False
        self._wish = 0  # of the driver's that was heard; one with a smaller number was overtaken

    def let_driver_watch(self, wanted: bool, wish: int) -> None:
        """Tell the driver of every change from now on, or no more: by its wish with this number."""
        with self._changed:
            if wish < self._wish:
                return
            self._wish = wish
            self.watched += wanted - self._driver_watches
            self._driver_watches = wanted

    def tell(self) -> None:
        """Something has changed."""
        super().tell()
        if self._driver_watches:
            self._mailbox.tell()


class Host(ABC):
    """One process of a job. The driver makes it, then gives it something to host, then the ways to its neighbours."""

    def __init__(self, job: str, name: str) -> None:
        self.name = name
        self.endpoint = Endpoint(job, name, CODEC, self)
        self.mailbox = Mailbox(DRIVER, self.endpoint)
        self.monitor = TellingMonitor(self.mailbox)
        self._made = threading.Event()

    @abstractmethod
    def _make(self, made: Any) -> None:
        """Make what is hosted."""

    @abstractmethod
    def look(self) -> Look:
        """Where it stands now."""

    @abstractmethod
    def _control(self) -> Any:
        """The hand's grip on it."""

    @abstractmethod
    def failed(self, task: str, error: BaseException) -> None:
        """Something that was made here cannot be sent."""

    # ── calls of the driver ──

    def make(self, freight: Serialized) -> tuple[str, Encoded | None]:
        """Make what is to run here. Returns the node, and what was wrong."""
        node = ray.get_runtime_context().get_node_id()
        try:
            self._make(CODEC.decode(freight))
        except BaseException as error:  # noqa: BLE001  the border to user code; the driver refuses to start
            return node, encode(error, CODEC)
        return node, None

    def join(self, neighbours: Mapping[str, ActorHandle[Any]], in_driver: tuple[str, ...]) -> None:
        """Begin to send."""
        ways = [self.endpoint.way_to(peer, ActorChannel(handle, self.name)) for peer, handle in neighbours.items()]
        self.endpoint.join([self.mailbox, *ways], dict.fromkeys(in_driver, DRIVER))

    @ray.method(concurrency_group="data")
    def deliver(self, parcel: Any) -> Any:
        """Take in a parcel: its sender, its number, its messages. Returns what is acknowledged at once."""
        sender, number, messages = opened(parcel)
        self.endpoint.receive(sender, number, messages)
        return envelope(self.endpoint.answer(sender, messages))

    @ray.method(concurrency_group="ask")
    def ask(self, asked: Any) -> Any:
        """Ask the service here, a sender's question, and wait for the reply."""
        queue = self.endpoint.served
        assert queue is not None, "a request has come to a process without a service"
        return envelope(queue.answer(*opened(asked)))

    @ray.method(concurrency_group="mail")
    def fetch(self, heard: int) -> Any:
        """The next parcel for the driver, waited for: its number, and its messages."""
        return envelope(self.mailbox.fetch(heard))

    @ray.method(concurrency_group="control")
    def seen(self, heard: int) -> Serialized:
        """Where it stands now; the driver has taken in all up to parcel `heard`."""
        self.mailbox.hear(heard)
        return CODEC.encode(self.look())

    @ray.method(concurrency_group="control")
    def let_driver_watch(self, wanted: bool, wish: int) -> None:
        """Tell the driver of every change from now on, or no more: by its wish with this number."""
        self.monitor.let_driver_watch(wanted, wish)

    @ray.method(concurrency_group="control")
    def where_is(self, sender: str, number: int) -> Where:
        """What is known here of a sender's parcel."""
        return self.endpoint.where_is(sender, number)

    @ray.method(concurrency_group="control")
    def lend(self, lane: tuple[str, int]) -> bool:
        """Lend a place of a lane that is filled here to the hand of its reader."""
        return self.endpoint.lend(lane)

    @ray.method(concurrency_group="control")
    def take_back(self, lane: tuple[str, int]) -> bool:
        """Count a packet of a lane that is filled here again, since its reader puts it back."""
        return self.endpoint.take_back(lane)

    @ray.method(concurrency_group="control")
    def control(self, method: str, arguments: Serialized) -> Encoded:
        """A call of the hand that returns at once."""
        return self._call(method, arguments)

    @ray.method(concurrency_group="hand")
    def hand(self, method: str, arguments: Serialized) -> Encoded:
        """A call of the hand that may wait."""
        return self._call(method, arguments)

    def _call(self, method: str, arguments: Serialized) -> Encoded:
        """Returns what the call returns, and what it raises, as it is."""
        try:
            on = getattr(self, f"hand_{method}", None) or getattr(self._control(), method)
            return encode((on(*CODEC.decode(arguments)), None), CODEC)
        except BaseException as error:  # noqa: BLE001  the border to the driver, where it is raised
            return encode((None, error), CODEC)

    def hand_step(self, timeout_s: float) -> Step:
        """One turn, waited for on this thread."""
        step: Step = drive(self._control().step(deadline_of(timeout_s)), self.monitor.wait_for)
        return step

    # ── what is reported by whatever runs here ──

    def request_stop(self, task: str) -> None:
        """It asks for a stop with drain."""
        self.post("report", "request_stop", task)

    def enough(self, task: str) -> None:
        """It needs no more packets."""
        self.post("report", "enough", task)

    def warned(self, task: str, message: str) -> None:
        """It has logged a warning."""
        self.post("report", "warned", task, message)

    def skipped(self, letter: DeadLetter) -> None:
        """It has skipped something."""
        self.post("skipped", encode_letter(letter, CODEC))

    def _show(self, step: Step) -> None:
        """It has worked a packet, or a request, that somebody wants to see."""
        self.post("tap", encode(step, CODEC))

    # ── inside ──

    def undelivered(self, peer: str, error: BaseException) -> None:
        """A parcel was not received: by one that has died, or that cannot be reached from here, or by a mistake.

        Of a death the driver hears as well, and by asking there it finds out whether it is one.
        """
        self.endpoint.lose(peer)
        if is_gone(error):
            self.post("not reached", self.name, peer, error_text(error))
            return
        fault: DataflowError
        if isinstance(error, NotReached):
            fault = TaskLost(f"{self.name!r} does not reach {peer!r}, and the driver reaches both: {error}")
        else:
            fault = DataflowError(f"mail from {self.name!r} to {peer!r} was not taken in")
            fault.__cause__ = error
        self._post_fault(fault)

    @contextmanager
    def faults_told(self) -> Iterator[None]:
        """Around the life of what runs here: whatever would end it without a report is one."""
        try:
            yield
        except BaseException as error:  # noqa: BLE001  a mistake of ours; without this the job would wait for ever
            self._post_fault(error)

    def _post_fault(self, error: BaseException) -> None:
        """Let the driver end this process, and the job, wherever what runs here may wait."""
        self.post("fault", encode(error, CODEC))

    def ask_after(self, peer: str, number: int) -> None:
        """A parcel from here has not been heard of: have the driver ask."""
        self.post("overdue", self.name, peer, number)

    def news(self) -> None:
        """Something has been received, perhaps: let whoever watches look."""
        if self.monitor.watched:
            self.monitor.tell()

    def post(self, *message: Any) -> None:
        """Send something to the driver."""
        self.mailbox.post(message)
