"""Job: what the driver has of one job in other processes: its endpoint, its processes, and what it hears of them.

No process can call the driver. So it keeps a call, `fetch`, open at each of them, which returns when there is something
to say, and which fails when the process dies. Two processes may lose each other though both are alive, and nobody
says so then: who waits too long for an acknowledgement has the driver ask at the other end, and so it is known that
the link between them is all that is missing.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Final

from runtime.communication.calls import here
from runtime.communication.lane import LaneSpec
from runtime.driver.poller import ActorPoller
from runtime.errors import TaskLost
from runtime.remote.arrivals import HAND_LANE
from runtime.remote.codec import Codec
from runtime.remote.endpoint import DRIVER, Endpoint
from runtime.remote.link import CHANGED, Where
from runtime.scheduling.quiescence import are_still

if TYPE_CHECKING:
    from runtime.driver.actor_wrapper import ActorWrapper
    from runtime.driver.driver_task import DriverTask


class Job:
    """One job. Any thread may use it once it was joined."""

    closed = False
    _listener: threading.Thread | None = None  # from `join` on

    def __init__(self, codec: Codec) -> None:
        self.name = uuid.uuid4().hex
        self.endpoint = Endpoint(self.name, DRIVER, codec, self)
        self.lanes: dict[str, tuple[LaneSpec, ...]] = {}  # of each task's queue
        self.local: dict[str, DriverTask] = {}
        self.wrappers: dict[str, ActorWrapper] = {}
        self.poller = ActorPoller(self.wrappers)
        self._faults: dict[str, BaseException] = {}  # why processes were ended; said when they are gone
        self._fetched: SimpleQueue[tuple[ActorWrapper, Future[Any]]] = SimpleQueue()

    def join(self) -> None:
        """Give each process a channel to each other one, and listen. Raises `TaskLost` if one of them has died."""
        in_driver = tuple(self.local)
        channels = {name: wrapper.process for name, wrapper in self.wrappers.items() if wrapper.process is not None}
        joining = {
            name: channel.call("join", {peer: each for peer, each in channels.items() if peer != name}, in_driver)
            for name, channel in channels.items()
        }
        for name, joined in joining.items():
            if (error := joined.exception()) is not None:
                raise self.wrappers[name].lost(error) from error
        links = [self.endpoint.link_to(name, channel) for name, channel in channels.items()]
        links.append(self.endpoint.link_to(DRIVER, self.endpoint))
        self.endpoint.join(links, dict.fromkeys(in_driver, DRIVER))
        with self.poller.look_at(self.wrappers.values()):
            for wrapper in self.wrappers.values():
                wrapper.look()
        self._listener = threading.Thread(target=self._listen, name=f"{self.name} listener", daemon=True)
        self._listener.start()

    def close(self) -> None:
        """End every process, and all that the driver has of them. May be done again, and by two at once."""
        self.closed = True
        for wrapper in self.wrappers.values():
            wrapper.kill()
        self.poller.tell()
        if self._listener is not None and not self.is_listener():
            self._listener.join()
        self.endpoint.close()

    def post(self, name: str, *message: Any) -> None:
        """Send a message to a process."""
        self.endpoint.post(name, message)

    # ── what can be seen ──

    def is_quiet(self) -> bool:
        """Whether all that was sent from the driver has been received."""
        return self.endpoint.is_quiet()

    def is_still_here(self, tasks: Iterable[DriverTask]) -> bool:
        """Whether none of these tasks of the driver moves, nor anything that was sent from here."""
        return are_still([task.parker for task in tasks]) and self.is_quiet()

    def moved(self) -> tuple[Any, ...]:
        """What changes with all that is done anywhere."""
        here = (self.endpoint.sent, *(task.parker.passes for task in self.local.values()))
        return here, *(wrapper.last.moved for wrapper in self.wrappers.values())

    def puts(self, task: str) -> list[int]:
        """How many packets were put into each lane of a task's queue, by those who fill them."""
        here = self.endpoint.lanes.put_counts()
        counts = []
        for number, spec in enumerate(self.lanes[task]):
            wrapper = self.wrappers.get(spec.producer)
            counts.append((here if wrapper is None else wrapper.last.puts).get((task, number), 0))
        return counts

    # ── credit, which the writers of a queue grant ──

    def find_place(self, task: str, wanted: int) -> int | None:
        """For what is put back into lane `wanted` of a task's queue: whose writer has a place for it; None: nobody."""
        if wanted == HAND_LANE:
            return self.borrow_credit(task)
        return wanted if self._ask_writer("take_back", task, wanted) else None

    def borrow_credit(self, task: str) -> int | None:
        """A lane of a task's queue whose writer gives credit for one packet; None: none does."""
        lanes = range(len(self.lanes[task]))
        return next((number for number in lanes if self._ask_writer("grant_credit", task, number)), None)

    def return_credit(self, task: str, lane: int) -> None:
        """The credit that the writer of a lane gave is not needed."""
        producer = self.lanes[task][lane].producer
        self.post(producer if producer in self.wrappers else DRIVER, "return credit", (task, lane))

    def _ask_writer(self, what: str, task: str, number: int) -> bool:
        """Ask the writer of a lane for credit, or to count a packet again that is put back. False: it cannot."""
        wrapper, lane = self.wrappers.get(self.lanes[task][number].producer), (task, number)
        granted: bool = getattr(self.endpoint.lanes, what)(lane) if wrapper is None else wrapper.grants(what, lane)
        return granted

    # ── what the endpoint says ──

    def failed(self, task: str, error: BaseException) -> None:
        """Something that a task of the driver has made cannot be sent."""
        self.local[task].fail(error)

    def news(self) -> None:
        """Something has been received, perhaps."""
        self.poller.tell()

    def heard(self, verb: str, *said: Any) -> None:
        """A process does not get through to another one."""
        _MAIL[verb](self, *said)

    def ask_after(self, peer: str, number: int) -> None:
        """A parcel from the driver has not been heard of."""
        self.overdue(DRIVER, peer, number)

    def undelivered(self, peer: str, error: BaseException) -> None:
        """A parcel has not got there: if its process is alive, end it, and the job."""
        self.endpoint.lose(peer)
        if not self.closed and not self.endpoint.channel_to(peer).is_gone(error):
            self._cut_off(peer, error)

    # ── what has not arrived. Answers come on a thread of the channel's, where nothing may be waited for ──

    def overdue(self, sender: str, peer: str, number: int) -> None:
        """Parcel `number` from `sender` to `peer` is under way for too long: let the sender know what `peer` says."""

        def hear(where: Where) -> None:
            if sender == DRIVER:
                self.endpoint.hear_of(peer, number, where)
            else:
                self.post(sender, "asked after", peer, number, where)

        self._ask_after(peer, sender, number, hear)

    def not_reached(self, sender: str, peer: str, why: str) -> None:
        """`sender` was told that `peer` does not answer: it has died, or only the link between them has."""

        def is_alive(_: Where) -> None:
            fault = TaskLost(f"{sender!r} does not reach {peer!r}, and the driver reaches both: {why}")
            self.endpoint.note_undelivered(sender, fault)

        self._ask_after(peer, sender, 0, is_alive)

    def _ask_after(self, peer: str, sender: str, number: int, hear: Callable[[Where], None]) -> None:
        def answered(future: Future[Any]) -> None:
            if future.exception() is None:  # else it has died, and its open `fetch` says so
                hear(future.result())

        self.wrappers[peer].call("where_is", sender, number).add_done_callback(answered)

    def _cut_off(self, task: str, why: BaseException) -> None:
        """A process cannot do its part, though it is alive: end it, and the job. Not here: to end it may take long."""
        self._faults.setdefault(task, why)
        threading.Thread(target=self.wrappers[task].kill, name=f"{self.name} end of {task}", daemon=True).start()

    # ── the listener ──

    def is_listener(self) -> bool:
        """Whether the caller takes what processes say."""
        return threading.current_thread() is self._listener

    def _listen(self) -> None:
        here.begin(None, self.poller)
        for wrapper in self.wrappers.values():
            self._fetch(wrapper)
        left = len(self.wrappers)
        while left:
            wrapper, fetched = self._fetched.get()
            error = fetched.exception() or self._take(wrapper, *self.endpoint.codec.unpack(fetched.result()))
            if error is None:
                self._fetch(wrapper)
            else:
                self._lose(wrapper, error)
                left -= 1
            self.poller.tell()

    def _fetch(self, wrapper: ActorWrapper) -> None:
        wrapper.fetch().add_done_callback(lambda fetched: self._fetched.put((wrapper, fetched)))

    def _take(self, wrapper: ActorWrapper, number: int, messages: list[Any]) -> BaseException | None:
        """Take in a parcel; what was wrong with it, which ends its process."""
        if messages and messages[-1] == (CHANGED,):
            messages = messages[:-1]
        try:
            self.endpoint.receive(wrapper.name, number, wrapper.take(messages))
        except BaseException as error:  # noqa: BLE001  the border to user code, which says how values are unpickled
            wrapper.kill()
            return error
        wrapper.has_taken(number)
        return None

    def _lose(self, wrapper: ActorWrapper, error: BaseException) -> None:
        self.endpoint.lose(wrapper.name)
        if not self.closed:
            wrapper.lose(self._faults.get(wrapper.name, error))


_MAIL: Final[dict[str, Callable[..., None]]] = {"overdue": Job.overdue, "not reached": Job.not_reached}
