"""The platform `processes`: every task in a process of its own, registered from outside. Knows nothing of operators.

    from examples import process_backend

    process_backend.register()
    session = runtime.Session(platform="processes")

A child runs the ordinary `LocalTask` (process_child.py), on lanes as remote_queue.py has them. All that goes from one
process to another passes through the driver, in one pipe to each child, so order is that of the pipes: a producer's
packets come before its report, and that before its stop signal. The driver sees every packet pass, and knows depths
without asking. A child's receiver waits for nothing; so the driver never waits for long; so no pipe stays full.

Inputs, `collect` and bare iterators live in the driver. Not there: services, speed, and the hand in queues of other
processes (an `input` takes packets). As with `multiprocessing` itself, a script starts its sessions below
`if __name__ == "__main__":`, and its functions are those of a module.
"""

from __future__ import annotations

import multiprocessing
import pickle
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any, Final, NoReturn

from examples.process_child import ENDPOINTS, Address, Endpoint, Post, PostVerb, ProcessQueue, Progress, run_task
from runtime.communication.hand import HAND
from runtime.communication.lane import LaneSpec
from runtime.communication.note import Note, no_note
from runtime.communication.signals import StopSignal
from runtime.context import TaskContext
from runtime.context.report import TaskReport
from runtime.errors import CommandRefused, GraphInvalid, NotCopyable, TaskLost
from runtime.factory import TaskHandle, register_backend
from runtime.factory.local_backend import LocalBackend
from runtime.facts import Ending, TaskFacts, TaskTable
from runtime.operators import Operator
from runtime.scheduling.parker import Parker
from runtime.scheduling.quiescence import QuiescenceMonitor
from runtime.scheduling.waiting import Waiting
from runtime.task.base_task import TaskReporter
from runtime.texts.preview import Told

_CONTEXT: Final = multiprocessing.get_context("spawn")  # a fork of a process with threads can hang in any lock


def register() -> None:
    """Offer the platform `processes`. May be called again."""
    register_backend("processes", ProcessBackend)


class ProcessBackend(LocalBackend):
    """One job on processes; what has to live in the driver runs on threads of it."""

    travels = True

    def __init__(self) -> None:
        super().__init__()
        self._job = uuid.uuid4().hex
        self._endpoint = ENDPOINTS[self._job] = Endpoint(self.post)
        self._lanes: dict[str, tuple[LaneSpec, ...]] = {}
        self._far: dict[str, ProcessTask] = {}
        self._closing = threading.Lock()  # guards that each child is closed once

    def queue(self, task: str, capacity: int, lanes: tuple[LaneSpec, ...]) -> ProcessQueue:
        """Describe a queue; it is made where its task is."""
        self._lanes[task] = lanes
        return ProcessQueue(task, capacity, lanes, self._job)

    def request_queue(self, service: str, capacity: int) -> NoReturn:
        """Refuse services: raises `GraphInvalid`."""
        raise GraphInvalid(f"service {service!r} could not be called from other processes; use platform='local'")

    def use_seed(self, seed: int) -> NoReturn:
        """Refuse turns: raises `GraphInvalid`."""
        raise GraphInvalid(f"seed {seed!r} cannot order what other processes do; use platform='local' for seeded runs")

    def task(self, ctx: TaskContext, operator: Operator, reporter: TaskReporter) -> TaskHandle:
        """Make a task in a process of its own. Raises `NotCopyable` if it cannot be pickled."""
        if operator.in_driver:
            return super().task(ctx, operator, reporter)
        try:
            made = pickle.dumps((ctx, operator))
            pickle.loads(made)
        except Exception as error:  # the border to user code
            raise NotCopyable(
                f"{ctx.name!r} runs in a process of its own, and its function, or the key function behind it, cannot "
                f"be pickled ({error}); use functions of a module, and open files, locks and connections in open()"
            ) from error
        far = self._far[ctx.name] = ProcessTask(
            ctx, self._job, made, reporter, RemoteParker(self._scheduler.monitor), self.post
        )
        return far

    def post(self, verb: PostVerb, lane: Address, value: Any) -> None:
        """Bring something to an end of a lane, in a child or here. What passes is counted on the way."""
        task, number = lane
        reader = self._far.get(task)
        if reader is not None:
            reader.count(verb, number, value)
        to = self._far.get(self._lanes[task][number].producer) if verb == "ack" else reader
        if to is not None:
            to.send(verb, lane, value)
        else:
            self._endpoint.receive(verb, lane, value)

    def offer(self, handle: TaskHandle, item: Any, note: Note | None = None) -> bool:
        """Put an item into a queue of the driver by hand."""
        return not isinstance(handle, ProcessTask) and super().offer(handle, item, note)

    def inject(
        self, handles: Sequence[TaskHandle], item: Any, deadline: float, noted: Callable[[], Note] = no_note
    ) -> Waiting[None]:
        """Put an item into queues of the driver by hand. Raises `CommandRefused` for those of other processes."""
        for handle in handles:
            if isinstance(handle, ProcessTask):
                raise CommandRefused(
                    f"the queue of {handle.name!r} is in another process, where the hand does not reach; use "
                    "session.input()"
                )
        return super().inject(handles, item, deadline, noted)

    def observe(self, handles: Sequence[TaskHandle]) -> TaskTable:
        """What the driver knows of all tasks."""
        return _Table({handle.name: handle.facts() for handle in handles})

    def close(self) -> None:
        """End what still runs, the hard way."""
        with self._closing:
            for far in self._far.values():
                far.close()
            self._far.clear()  # the last one has nothing more to send to others
        ENDPOINTS.pop(self._job, None)
        super().close()


class _Table(TaskTable):
    def __init__(self, facts: dict[str, TaskFacts]) -> None:
        self._facts = facts

    def __getitem__(self, name: str) -> TaskFacts:
        return self._facts[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._facts)

    def __len__(self) -> int:
        return len(self._facts)


class RemoteParker(Parker):
    """What the driver knows of how a child waits: enough to say whether the child stands still.

    It does if it said so when it had taken all that was ever sent to it: only a message can then make it move, and
    whatever it had sent itself came before what it said.
    """

    __slots__ = ("progress", "sent")

    def __init__(self, monitor: QuiescenceMonitor) -> None:
        super().__init__(monitor)
        self.progress = Progress()
        self.sent = 0  # messages; counted under the lock of the pipe, before they go

    def told(self, progress: Progress) -> None:
        """Take the child's word for where it stands."""
        self.progress = progress
        self.passes += 1
        self.say(progress.doing)

    def stands_still(self) -> bool:
        """Whether the task has ended, or waits and nothing is on its way to it."""
        progress = self.progress
        return self.doing == "ended" or (progress.still and progress.received == self.sent)


class ProcessTask:
    """The handle of a task in a child. A thread of the driver, its listener, takes what the child says."""

    def __init__(
        self, ctx: TaskContext, job: str, made: bytes, reporter: TaskReporter, parker: RemoteParker, post: Post
    ) -> None:
        self.name, self.parker = ctx.name, parker
        self.injected = 0
        self.hand_closed = True
        self._wiring, self._reporter, self._post = ctx.wiring, reporter, post
        lanes = self._wiring.queue.lanes
        self._arrived = [0] * len(lanes)  # packets that were sent here; each by its producer's listener
        self._taken = [0] * len(lanes)  # and worked here; by the own listener, as the next
        self._emitted = 0
        self._reported = self._is_gone = False
        self._pipe, self._there = _CONTEXT.Pipe()
        # Guards writing into the pipe, which any thread may, its end, and the count of what was written.
        self._writing = threading.Lock()
        self._process = _CONTEXT.Process(
            target=run_task, args=(self._there, job, self.name, made), name=f"{ctx.job}/{self.name}", daemon=True
        )
        self._listener = threading.Thread(target=self._listen, name=f"{ctx.job}/{self.name} listener", daemon=True)

    # ── any thread ──

    def start(self) -> None:
        """Start the process. What was sent before is waiting for it in the pipe."""
        self._process.start()
        self._there.close()  # so that the child's death ends the pipe
        self._listener.start()

    def cancel(self) -> None:
        """End the task behind the packet in work, wherever it waits."""
        self.send("cancel")

    def end_input(self, how: Ending) -> None:
        """Ask a source to end."""
        self.send("end input", value=how)

    def release(self, tell: Callable[[Any], Told]) -> None:
        """What it held is gone with its process."""

    def stop_sending(self) -> None:
        """Nobody needs what it makes any more."""
        self.send("unneeded")

    def send(self, verb: str, lane: Address | None = None, value: Any = None) -> None:
        """Send something to the child. One that has ended takes nothing more."""
        with self._writing, suppress(OSError):
            self.parker.sent += 1
            self.parker.passes += 1
            self._pipe.send((verb, lane, value))

    def count(self, verb: PostVerb, number: int, value: Any) -> None:
        """Note what passes on the way to or from the queue of this task."""
        if verb == "packet":
            self._arrived[number] += 1
        elif verb == "ack":
            self._taken[number] += value

    def facts(self) -> TaskFacts:
        """Where it stands, by what has passed through the driver and what it said last."""
        node, lanes, said = self._wiring.node, self._wiring.queue.lanes, self.parker.progress
        is_source = node.kind == "source"
        depths = () if is_source else (0, *map(int.__sub__, self._arrived, self._taken))
        return TaskFacts(
            self.name,
            node.name,
            node.kind,
            self.parker.doing,
            sum(depths),
            node.capacity,
            said.processed if is_source else sum(self._taken),
            self._emitted,
            said.errors,
            () if is_source else (HAND, *(lane.producer for lane in lanes)),
            depths,
            said.ended_producers,
            said.ending,
            said.skipped,
            said.retries,
        )

    @property
    def control(self) -> NoReturn:
        """Refused: the hand does not reach into other processes. Raises `CommandRefused`."""
        raise CommandRefused(f"{self.name!r} runs in another process, where it cannot be paused or stepped")

    @property
    def broken_off(self) -> int:
        """How many packets a cancel found between two attempts."""
        return self.parker.progress.broken_off

    def left_over(self) -> int:
        """After the end of all tasks: what was sent here or made here, and never worked."""
        return sum(self._arrived) - sum(self._taken) + self.parker.progress.refused + self.broken_off

    def is_current(self) -> bool:
        """Whether the caller delivers the task's reports."""
        return threading.current_thread() is self._listener

    def is_gone(self) -> bool:
        """Whether the process is gone and all it said has been heard."""
        return self._is_gone or self._listener.ident is None

    def join(self) -> None:
        """Let the listener end as well."""
        if self._listener.ident is not None and not self.is_current():
            self._listener.join()

    def close(self) -> None:
        """Kill the process if it still runs, and release what it took."""
        if self._process.pid is not None:
            self._process.kill()
            self.join()  # before the next: of two threads that wait for a process, one does not learn its exit code
            self._process.join()
        with self._writing:
            self._pipe.close()
        self._there.close()
        self._process.close()

    # ── the listener ──

    def _listen(self) -> None:
        while (message := self._hear()) is not None:
            verb, lane, value = message
            if verb == "progress":
                self.parker.told(value)
            elif verb == "report":
                method, *arguments = value
                self._reported |= method == "task_ended"
                getattr(self._reporter, method)(*arguments)
            else:
                self._emitted += verb == "packet"
                self._post(verb, lane, value)
        self._process.join()
        if self.parker.doing != "ended":
            self._lost()
        self._is_gone = True
        self.parker.tell()

    def _hear(self) -> Any:
        try:
            return self._pipe.recv()
        except (EOFError, OSError):  # the second if it died in the middle of a message
            return None

    def _lost(self) -> None:
        """The child has died: say so to everybody who waits for it."""
        if not self._reported:
            error = TaskLost(
                f"the process of {self.name!r} died with exit code {self._process.exitcode}, and what it held is lost; "
                "what it wrote to stderr may say why"
            )
            self._reporter.task_ended(TaskReport(self.name, "failed", error))
        signal = pickle.dumps(StopSignal(self.name, "failed"))
        for output in self._wiring.outputs:
            for connection in output.connections:
                self._post("signal", (connection.queue.task, connection.lane), signal)
        self.parker.told(self.parker.progress._replace(doing="ended"))
