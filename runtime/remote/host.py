"""Host: what every process of a job is, whatever it hosts: mail, calls of the driver, and a watch that it may set.

Calls come in groups, each with threads of its own. "data" takes in parcels, and has one thread more than there may be
answers that wait; "control" answers while user code runs; "hand" may wait; "mail" holds the one call that stays open;
"ask" has a thread for each process that may wait for an answer.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from runtime.context.worker_control import Errand
from runtime.errors import DataflowError, TaskLost, error_text
from runtime.facts import NO_TIME, Past, ServiceFacts, Spent, TaskFacts
from runtime.history.dead_letters import DeadLetter
from runtime.remote.acknowledgements import MOST_OPEN
from runtime.remote.by_value import Encoded, encode, encode_letter
from runtime.remote.channel import Channel
from runtime.remote.codec import Codec, Serialized
from runtime.remote.endpoint import DRIVER, Endpoint
from runtime.remote.link import Mailbox, NotReached, Where
from runtime.remote.remote_lane import Address
from runtime.scheduling.quiescence import WaitableMonitor
from runtime.scheduling.waiting import deadline_of, drive
from runtime.scheduling.worker_state import GONE, WorkerState
from runtime.step import Step

THREADS: Final = {"data": MOST_OPEN + 1, "control": 2, "hand": 8, "mail": 1}
"""How many threads each group of calls has; "ask" has as many as the platform is told."""

GROUP_OF: Final = {
    "deliver": "data",
    "ask": "ask",
    "fetch": "mail",
    "seen": "control",
    "let_driver_watch": "control",
    "where_is": "control",
    "grant_credit": "control",
    "take_back": "control",
    "control": "control",
    "hand": "hand",
}
"""The group of each method of a `Host` that is called from elsewhere; the others are called before anything runs."""


@dataclass(frozen=True, slots=True)
class HostState:
    """What is seen of a process and what it hosts, at one moment. `worker` is what its `WorkerControl` says of it.

    `still`: nothing of it moves, and all that it sent has been received; `moved` is a number that changes with all that
    it does. `puts` is how many packets it has put into which lane in all, `taken` how many have left each lane of its
    queue, the hand's first, `removed` how many of these by hand. `busy`: of a service, it may call others yet. `spent`
    is where its time has gone, `past` how it stood with that when: told at the end, when nobody can ask any more.
    """

    facts: TaskFacts | ServiceFacts
    worker: WorkerState = GONE
    still: bool = True
    moved: tuple[int, ...] = ()
    injected: int = 0
    hand_closed: bool = True
    broken_off: int = 0
    refused: int = 0
    removed: int = 0
    puts: Mapping[Address, int] = field(default_factory=dict)
    taken: tuple[int, ...] = ()
    busy: bool = False
    spent: Spent = NO_TIME
    past: Past = ()


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
    """One process of a job. The driver makes it, then gives it something to host, then channels to its neighbours."""

    def __init__(self, job: str, name: str, codec: Codec) -> None:
        self.name = name
        self.codec = codec
        self.endpoint = Endpoint(job, name, codec, self)
        self.mailbox = Mailbox(DRIVER, self.endpoint)
        self.monitor = TellingMonitor(self.mailbox)
        self._made = threading.Event()

    @abstractmethod
    def _make(self, made: Any) -> None:
        """Make what is hosted."""

    @abstractmethod
    def look(self) -> HostState:
        """Where it stands now."""

    @abstractmethod
    def _control(self) -> Any:
        """What controls it."""

    @abstractmethod
    def heard(self, verb: str, *said: Any) -> None:
        """The driver has something to say to it."""

    @abstractmethod
    def failed(self, task: str, error: BaseException) -> None:
        """Something that was made here cannot be sent."""

    # ── calls of the driver ──

    def make(self, made: Serialized) -> tuple[str | None, Encoded | None]:
        """Make what is to run here. Returns the node, and what was wrong."""
        try:
            self._make(self.codec.decode(made))
        except BaseException as error:  # noqa: BLE001  the border to user code; the driver refuses to start
            return self.codec.node, encode(error, self.codec)
        return self.codec.node, None

    def join(self, neighbours: Mapping[str, Channel], in_driver: tuple[str, ...]) -> None:
        """Begin to send."""
        links = [self.endpoint.link_to(peer, channel) for peer, channel in neighbours.items()]
        self.endpoint.join([self.mailbox, *links], dict.fromkeys(in_driver, DRIVER))

    def deliver(self, parcel: Any) -> Any:
        """Take in a parcel: its sender, its number, its messages. Returns what is acknowledged at once."""
        sender, number, messages = self.codec.unpack(parcel)
        self.endpoint.receive(sender, number, messages)
        return self.codec.pack(self.endpoint.lanes.answer(sender, messages))

    def ask(self, asked: Any) -> Any:
        """Ask the service here, a sender's question, and wait for the reply."""
        return self.codec.pack(self.endpoint.calls.served.answer(*self.codec.unpack(asked)))

    def fetch(self, heard: int) -> Any:
        """The next parcel for the driver, waited for: its number, and its messages."""
        return self.codec.pack(self.mailbox.fetch(heard))

    def seen(self, heard: int) -> Serialized:
        """Where it stands now; the driver has taken in all up to parcel `heard`."""
        self.mailbox.hear(heard)
        return self.codec.encode(self.look())

    def let_driver_watch(self, wanted: bool, wish: int) -> None:
        """Tell the driver of every change from now on, or no more: by its wish with this number."""
        self.monitor.let_driver_watch(wanted, wish)

    def where_is(self, sender: str, number: int) -> Where:
        """What is known here of a sender's parcel."""
        return self.endpoint.order.where_is(sender, number)

    def grant_credit(self, lane: tuple[str, int]) -> bool:
        """Give the hand of the reader of a lane that is filled here credit for one packet."""
        return self.endpoint.lanes.grant_credit(lane)

    def take_back(self, lane: tuple[str, int]) -> bool:
        """Count a packet of a lane that is filled here again, since its reader puts it back."""
        return self.endpoint.lanes.take_back(lane)

    def control(self, method: str, arguments: Serialized) -> Encoded:
        """A call of the hand that returns at once."""
        return self._call(method, arguments)

    def hand(self, method: str, arguments: Serialized) -> Encoded:
        """A call of the hand that may wait."""
        return self._call(method, arguments)

    def _call(self, method: str, arguments: Serialized) -> Encoded:
        """Returns what the call returns, and what it raises, as it is."""
        try:
            on = getattr(self, f"hand_{method}", None) or getattr(self._control(), method)
            return encode((on(*self.codec.decode(arguments)), None), self.codec)
        except BaseException as error:  # noqa: BLE001  the border to the driver, where it is raised
            return encode((None, error), self.codec)

    def hand_step(self, timeout_s: float) -> Step:
        """One turn, waited for on this thread. The driver asks for one at a time."""
        step: Step = drive(self._control().step(deadline_of(timeout_s)), self.monitor.wait_for)
        return step

    def hand_have_done(self, what: Errand, *arguments: Any) -> Any:
        """Something that it does itself between two packets, waited for on this thread."""
        return drive(self._control().have_done(what, *arguments), self.monitor.wait_for)

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
        self.post("skipped", encode_letter(letter, self.codec))

    def held(self, task: str, text: str) -> None:
        """It holds a packet."""
        self.post("report", "held", task, text)

    def _show(self, step: Step) -> None:
        """It has worked a packet, or a request, that somebody wants to see."""
        self.post("tap", encode(step, self.codec))

    # ── inside ──

    def undelivered(self, peer: str, error: BaseException) -> None:
        """A parcel was not received: by one that has died, or that cannot be reached from here, or by a mistake.

        Of a death the driver hears as well, and by asking there it finds out whether it is one.
        """
        self.endpoint.lose(peer)
        if self.endpoint.channel_to(peer).is_gone(error):
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
        self.post("fault", encode(error, self.codec))

    def ask_after(self, peer: str, number: int) -> None:
        """A parcel from here has not been heard of: have the driver ask."""
        self.post("overdue", self.name, peer, number)

    def news(self) -> None:
        """Something has been received, perhaps: whoever watches has to look again."""
        if self.monitor.watched:
            self.monitor.tell()

    def post(self, *message: Any) -> None:
        """Send something to the driver."""
        self.mailbox.post(message)
