"""The platform `processes` inside one process: its ends of the job's lanes, and how a child runs its task.

A child has three threads: the task's own, one that takes what comes from the driver and never waits for anything else,
and the main thread, which sends. Whatever the first two have to say goes into one unbounded queue in front of the main
thread; lanes and acknowledgements bound what can be in it.
"""

from __future__ import annotations

import os
import pickle
import signal
import threading
import traceback
from contextlib import suppress
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from queue import SimpleQueue
from typing import Any, Final, Literal, NamedTuple, Protocol

from examples.remote_queue import Arrivals, Outbox, Verb, places
from runtime.communication.inbox import Inbox
from runtime.communication.lane import Lane, LaneSpec
from runtime.communication.signals import StopSignal
from runtime.context.report import TaskReport
from runtime.errors import DataflowError, QueueUnreachable, failure_text
from runtime.facts import Ending, TaskState
from runtime.history.dead_letters import DeadLetter
from runtime.scheduling.parker import Parker, Waiter
from runtime.scheduling.quiescence import QuiescenceMonitor
from runtime.task.local_task import LocalTask
from runtime.texts.preview import preview

Address = tuple[str, int]
"""A lane: whose queue it is part of, and its number there without the hand's."""

PostVerb = Verb | Literal["ack"]


class Post(Protocol):
    """The way to both ends of every lane of a job. Never waits for a reader."""

    def __call__(self, verb: PostVerb, lane: Address, value: Any) -> None:
        """Bring `value` to the lane's reader; an "ack", which counts packets, to its writer."""


class Endpoint:
    """What one process has of a job: the queues that are read here and the lanes that are filled here."""

    def __init__(self, post: Post) -> None:
        self._post = post
        self._inboxes: dict[str, Arrivals] = {}
        self._outboxes: dict[Address, Outbox] = {}

    def inbox(self, queue: ProcessQueue) -> Arrivals:
        """The queue of a task that runs here, the same at every call."""
        inbox = self._inboxes.get(queue.task)
        if inbox is None:

            def acknowledge(number: int, count: int) -> None:
                self._post("ack", (queue.task, number), count)

            inbox = self._inboxes[queue.task] = Arrivals(queue.capacity, queue.lanes, acknowledge)
        return inbox

    def outbox(self, queue: ProcessQueue, number: int, writer: Waiter) -> Outbox:
        """The writer's end of lane `number`, for a task that runs here."""
        address = queue.task, number

        def send(verb: Verb, value: Any) -> None:
            self._post(verb, address, pickle.dumps(value))  # here: what cannot be pickled is its maker's error

        share, _ = places(queue.capacity, len(queue.lanes))
        outbox = self._outboxes[address] = Outbox(queue.lanes[number].producer, share, writer, send)
        return outbox

    def receive(self, verb: PostVerb, lane: Address, value: Any) -> None:
        """Take what has come for an end of `lane` that is here. Never waits."""
        if verb == "ack":
            self._outboxes[lane].acknowledge(value)
            return
        task, number = lane
        inbox = self._inboxes[task]
        try:
            inbox.receive(number, verb, pickle.loads(value))
        except Exception as error:  # noqa: BLE001  the border to user code, which says how its packets are unpickled
            inbox.fail(error)


ENDPOINTS: Final[dict[str, Endpoint]] = {}
"""Of the jobs that this process has a part in, until they are closed. Each change is one step under the GIL."""


@dataclass(frozen=True, slots=True)
class ProcessQueue:
    """The input queue of a task of `job`, wherever that runs."""

    task: str
    capacity: int
    lanes: tuple[LaneSpec, ...]
    job: str

    def get_queue(self) -> Inbox:
        """Reader: the queue itself. Raises `QueueUnreachable` where nothing of the job runs."""
        return self._endpoint().inbox(self)

    def open_lane(self, number: int, writer: Waiter) -> Lane:
        """Writer: a lane here, whose packets get to lane `number` there. Raises `QueueUnreachable`."""
        return self._endpoint().outbox(self, number, writer).lane

    def _endpoint(self) -> Endpoint:
        endpoint = ENDPOINTS.get(self.job)
        if endpoint is None:
            raise QueueUnreachable(f"process {os.getpid()} has no part in the job of {self.task!r}, or it is over")
        return endpoint


class Progress(NamedTuple):
    """Where a child's task stands, by its own word. `received` is how many messages the child had taken by then."""

    doing: TaskState = "new"
    still: bool = False
    received: int = 0
    processed: int = 0
    errors: int = 0
    refused: int = 0
    ended_producers: tuple[tuple[str, Ending], ...] = ()
    ending: Ending | None = None
    skipped: int = 0
    retries: int = 0
    broken_off: int = 0


def run_task(pipe: Connection, job: str, name: str, made: bytes) -> None:
    """The whole life of a child: run one task, and tell the driver until it has ended."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # an interrupt in the terminal is for the driver to hear
    child = _Child()
    ENDPOINTS[job] = Endpoint(child.tell)
    try:
        ctx, operator = pickle.loads(made)
        parker = _TellingParker(child)
        task = child.task = LocalTask(ctx, operator, child, parker)
    except Exception as error:  # noqa: BLE001  a module that cannot be imported here: the driver hears it, as an end
        child.task_ended(TaskReport(name, "failed", error))
        child.outgoing.put(None)
    else:
        threading.Thread(target=_receive, args=(pipe, ENDPOINTS[job], task, parker), daemon=True).start()
        task.start()
    with suppress(OSError):  # the driver is gone; then so is this process
        for message in iter(child.outgoing.get, None):
            pipe.send(message)


def _receive(pipe: Connection, endpoint: Endpoint, task: LocalTask, parker: _TellingParker) -> None:
    with suppress(EOFError, OSError):
        while True:
            verb, lane, value = pipe.recv()
            if verb == "cancel":
                task.cancel()
            elif verb == "end input":
                task.end_input(value)
            elif verb == "unneeded":
                task.stop_sending()
            else:
                endpoint.receive(verb, lane, value)
            parker.tell(received=1)
    os._exit(1)  # the driver is gone: nobody can be told


class _Child:
    """What a child says. Any thread may; the main thread sends it, in this order. It is the task's reporter."""

    def __init__(self) -> None:
        self.outgoing: SimpleQueue[tuple[str, Any, Any] | None] = SimpleQueue()
        self.task: LocalTask | None = None

    def tell(self, verb: str, lane: Address | None, value: Any) -> None:
        self.outgoing.put((verb, lane, value))

    def request_stop(self, task: str) -> None:
        self.tell("report", None, ("request_stop", task))

    def enough(self, task: str) -> None:
        self.tell("report", None, ("enough", task))

    def warned(self, task: str, message: str) -> None:
        self.tell("report", None, ("warned", task, message))

    def skipped(self, letter: DeadLetter) -> None:
        error, packet = _sent_by_value(letter.error, letter.packet, letter.task)
        key = letter.key if _arrives(letter.key) else preview(letter.key)
        self.tell("report", None, ("skipped", replace(letter, error=error, packet=packet, key=key)))

    def signal_arrived(self, task: str, count: str, signal: StopSignal) -> None:
        self.tell("report", None, ("signal_arrived", task, count, signal))

    def task_ended(self, report: TaskReport) -> None:
        if self.task is not None:
            self.tell("progress", None, _progress_of(self.task))  # the outcome is made from it
        self.tell("report", None, ("task_ended", _by_value(report)))


class _TellingParker(Parker):
    """One that tells the driver what its task is doing, and whether it stands still with all that has been sent."""

    __slots__ = ("_child", "_received", "_said", "_telling")

    def __init__(self, child: _Child) -> None:
        super().__init__(QuiescenceMonitor())
        self._child = child
        # Guards the two below, and that what is looked at first is also told first.
        self._telling = threading.Lock()
        self._received = 0
        self._said: Progress | None = None

    def say(self, doing: TaskState) -> None:
        """Task: tell what it is doing now."""
        super().say(doing)
        self.tell()
        if doing == "ended":
            self._child.outgoing.put(None)

    def tell(self, received: int = 0) -> None:
        """Tell where the task stands, if it stands still or has changed. Any thread."""
        task = self._child.task
        if task is None:
            return
        with self._telling:
            self._received += received  # counted before the look: a message that comes behind it will be looked at
            progress = _progress_of(task, self._received, self.stands_still())
            if progress.still or self._said is None or progress.doing != self._said.doing or self._said.still:
                self._said = progress
                self._child.tell("progress", None, progress)


def _progress_of(task: LocalTask, received: int = 0, still: bool = False) -> Progress:
    doing = task.parker.doing
    if doing in ("idle", "held back") and not still:
        doing = "running"  # rung, and about to go on
    refused = sum(lane.refused for lane in task.lanes_out)
    progress = Progress(doing, still, received, task.processed, task.errors, refused, task.ended_producers, task.ending)
    return progress._replace(skipped=task.skipped, retries=task.retries, broken_off=task.broken_off)


def _by_value(report: TaskReport) -> TaskReport:
    """A report that arrives."""
    if report.error is None:
        return report
    error, packet = _sent_by_value(report.error, report.packet, report.task)
    return replace(report, error=error, packet=packet)


def _sent_by_value(error: BaseException, packet: Any, task: str) -> tuple[BaseException, Any]:
    """What arrives of an error: it says where it was raised in a note, and what cannot be pickled as a text."""
    error.add_note(f"in the process of {task!r}:\n{''.join(traceback.format_exception(error))}")
    if not _arrives(error):
        error = DataflowError(f"{failure_text(packet, error)} (an error that cannot be pickled)")
    return error, packet if _arrives(packet) else preview(packet)


def _arrives(value: Any) -> bool:
    try:
        pickle.loads(pickle.dumps(value))
    except BaseException:  # noqa: BLE001  the border to user code
        return False
    return True
