"""The platform `local`: every task on a thread of this process, every service on as many as it wants."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from time import monotonic, sleep
from typing import Any, ClassVar, Final, cast
from weakref import finalize

from runtime.chain.chain import Chain
from runtime.chain.chains import chains_of
from runtime.chain.watch import Watch
from runtime.communication.calls import Ledger, here
from runtime.communication.hand import Hand, inject_everywhere
from runtime.communication.inbox import Inbox
from runtime.communication.lane import LaneSpec
from runtime.communication.note import Note, no_note
from runtime.communication.queue_descriptor import LocalQueueDescriptor, QueueDescriptor
from runtime.communication.request_queue import LocalRequestQueueDescriptor, RequestQueue, RequestQueueDescriptor
from runtime.communication.signals import StopSignal
from runtime.context import ServiceContext, TaskContext
from runtime.errors import GraphInvalid
from runtime.factory.backend import Handle, ServiceHandle, TaskHandle
from runtime.factory.threads import all_gone, join_gone, retract_from, warn_without_gil
from runtime.facts import Ending, TaskTable
from runtime.graph import ServiceNode
from runtime.operators import Operator
from runtime.scheduling.admission import Admission
from runtime.scheduling.parker import Parker
from runtime.scheduling.quiescence import QuiescenceMonitor, are_still
from runtime.scheduling.scheduler import Scheduler
from runtime.scheduling.seeded import SeededScheduler
from runtime.scheduling.waiting import Until, Waiting
from runtime.scheduling.worker_state import WorkerState
from runtime.service.base_service_task import ServiceReporter
from runtime.service.deadlines import DeadlineWatch
from runtime.service.local_service_task import LocalServiceTask, thread_names
from runtime.task.base_task import TaskReporter
from runtime.task.local_task import LocalTask
from runtime.task.observer import Observer

MANY: Final = 16
"""A job with more tasks and services than this lets only so many of them run at once as leave the GIL free."""

MOST_CHAINED: Final = 256
"""A job with more tasks has no chains: whoever pauses them all would wait until each has a thread again."""

_SOON_S: Final = 5.0  # a thread that runs no user code ends at once


class LocalBackend:
    """One job on threads."""

    travels: ClassVar[bool] = False

    def __init__(self) -> None:
        warn_without_gil()
        # What refers to the queues, and these: nobody else holds them until their tasks are there.
        self._queues: list[tuple[LocalQueueDescriptor | LocalRequestQueueDescriptor, object]] = []
        self._scheduler = Scheduler()
        self._ledger = Ledger(self._scheduler)
        self._deadlines: DeadlineWatch | None = None
        self._observer: Observer | None = None
        self._tasks: list[LocalTask] = []
        self._watch: Watch | None = None
        self._chains: list[Chain] = []

    def use_seed(self, seed: int) -> None:
        """Let one thread run at a time, in an order that the seed decides, in virtual time."""
        self._scheduler = SeededScheduler(seed)
        self._ledger = Ledger(self._scheduler)

    def use_cluster(self, address: str | None, resources: Mapping[str, Mapping[str, Any]]) -> None:
        """Refuse a cluster: raises `GraphInvalid`."""
        asked = "resources=" if address is None else f"ray_address={address!r}"
        raise GraphInvalid(f"{asked} was given, and this platform runs in this process alone; use platform='remote'")

    @property
    def turns(self) -> list[str]:
        """Who had the turns so far."""
        return list(self._scheduler.trace)

    def queue(self, task: str, capacity: int, lanes: tuple[LaneSpec, ...]) -> QueueDescriptor:
        """Make a queue in memory; another platform of threads may have others."""
        descriptor, queue = LocalQueueDescriptor.make(task, capacity, lanes)
        self._queues.append((descriptor, queue))
        return descriptor

    def request_queue(
        self, service: str, capacity: int, kind: type[RequestQueue] = RequestQueue
    ) -> RequestQueueDescriptor:
        """Make a request queue in memory."""
        descriptor, queue = LocalRequestQueueDescriptor.make(service, capacity, self._ledger, kind)
        self._queues.append((descriptor, queue))
        return descriptor

    def task(self, ctx: TaskContext, operator: Operator, reporter: TaskReporter) -> TaskHandle:
        """Make a task with a thread of its own."""
        task = LocalTask(ctx, operator, reporter, self._parker(ctx.name, ctx.job))
        self._tasks.append(task)
        return task

    def service(self, ctx: ServiceContext, node: ServiceNode, reporter: ServiceReporter) -> ServiceHandle:
        """Make a service with threads of its own; with the first of a job, the watch over its deadlines."""
        self._watch_deadlines(ctx.job)
        parkers = [self._parker(name, ctx.job) for name in thread_names(node)]
        return LocalServiceTask(ctx, node, reporter, parkers)

    def _watch_deadlines(self, job: str) -> None:
        """Of what can be called, those of calls: before the start."""
        if self._deadlines is None:
            self._deadlines = DeadlineWatch(
                self._ledger, self._scheduler.parker("deadlines", serves=True), f"{job}/deadlines"
            )
            finalize(self, self._deadlines.cancel).atexit = False  # of a job that nobody closes

    def ready(self, say: Callable[[str], None]) -> None:
        """They can be started; those that can work together will."""
        if self._ledger.queues and self._tasks:
            self._watch_deadlines(self._tasks[0].ctx.job)
        if 0 < len(self._tasks) <= MOST_CHAINED and not self._scheduler.hands_out_turns:
            self._watch = Watch(f"{self._tasks[0].ctx.job}/watch")
            self._chains = chains_of(self._tasks, self._watch)
            if self._chains:
                self._watch.start()

    def begin(self) -> None:
        """Watch deadlines from now on; under a seed, hand out the first turn."""
        if self._deadlines is not None:
            self._deadlines.start()
        self._scheduler.begin()

    def drain_services(self, how: Ending) -> None:
        """End all request queues as soon as no request is left and none can follow."""
        self._ledger.drain(StopSignal("job", how))

    def refuse_calls(self) -> None:
        """End all open calls."""
        self._ledger.refuse(self._ledger.queues)

    def sendable(self, handles: Sequence[Handle], value: Any, *, stays: bool = False) -> Any:
        """The value itself: it does not travel."""
        return value

    def offer(self, handle: TaskHandle, item: Any, note: Note | None = None) -> bool:
        """Put an item into a queue by hand. Not under a seed, whose turns have to hear of it in the same step."""
        return not self._scheduler.hands_out_turns and cast(LocalTask, handle).inbox.hand.offer(item, note)

    def inject(
        self, handles: Sequence[TaskHandle], item: Any, deadline: float, noted: Callable[[], Note] = no_note
    ) -> Waiting[None]:
        """Put an item into all these queues by hand, or into none."""
        inboxes = [cast(LocalTask, handle).inbox for handle in handles]
        inject = partial(inject_everywhere, [inbox.hand for inbox in inboxes], item, noted)
        full = inject()
        if full is not None and (deadline <= monotonic() or not (yield from _when_admitted(inboxes, inject, deadline))):
            raise full.refusal()
        self._scheduler.nudge()

    def retract(self, handles: Sequence[TaskHandle], numbers: Sequence[int]) -> None:
        """Take an item that was put in by hand out of all these queues, or of none."""
        retract_from([cast(LocalTask, handle) for handle in handles], numbers)

    def pause(self, handles: Iterable[Handle]) -> None:
        """Close the gates of all these, by hand."""
        for handle in handles:
            cast(LocalTask | LocalServiceTask, handle).control.pause()

    def resume(self, handles: Iterable[Handle]) -> None:
        """Open them."""
        for handle in handles:
            cast(LocalTask | LocalServiceTask, handle).control.resume()

    def workers(self, handles: Iterable[Handle]) -> Iterable[WorkerState]:
        """Where each of them stands when it is asked for: whoever has seen enough asks no more."""
        return (handle.control.now() for handle in handles)

    def observe(self, handles: Sequence[TaskHandle]) -> TaskTable:
        """Read the numbers where the tasks keep them."""
        if self._observer is None or len(self._observer.tasks) != len(handles):
            self._observer = Observer([cast(LocalTask, handle) for handle in handles])
        while True:
            versions = [chain.version for chain in self._chains]
            sample = self._observer.observe()
            beyond = [each for chain in self._chains for each in chain.beyond()]
            if versions == [chain.version for chain in self._chains] and not any(each % 2 for each in versions):
                living = [chain for chain in self._chains if not chain.is_over()]
                return sample.counting(beyond, [chain.facts() for chain in living], living)
            sleep(0)  # let go of the GIL: who counts is done in a moment

    def clock(self) -> float:
        """Seconds of the process's steady clock; under a seed, virtual ones."""
        return self._scheduler.clock()

    @property
    def changes(self) -> QuiescenceMonitor:
        """What tells of all that threads do."""
        return self._scheduler.monitor

    def is_own_thread(self) -> bool:
        """Whether the caller is a thread of the job."""
        return here.changes is self._scheduler.monitor

    def is_still(self, handles: Iterable[Handle]) -> bool:
        """Whether all threads wait, at one moment; under a seed, those that only serve the others as well."""
        return are_still(_parkers(*handles)) and self._scheduler.are_dormant()

    def at_one_moment(self, ready: Callable[[], bool]) -> Callable[[], bool]:
        """`ready` itself: threads are looked at where they are."""
        return ready

    def wait(self, handles: Iterable[Handle], deadline: float) -> Waiting[tuple[str, ...]]:
        """Wait for the ends of the threads; the names of those that still run then."""
        handles = list(handles)
        if not (yield Until(all_gone(handles), deadline)) and self._scheduler.hands_out_turns:
            # One is stuck in user code with the turn, and the others wait for it.
            holder = self._scheduler.free()
            others = [handle for handle in handles if holder not in _parkers(handle)]
            yield Until(all_gone(others), monotonic() + _SOON_S)
        return join_gone(handles)

    def close(self) -> None:
        """Release the queues, end the watch."""
        self._scheduler.free()  # the watch needs no turn to end
        if self._deadlines is not None:
            self._deadlines.close(_SOON_S)
        self._scheduler.close(_SOON_S)
        if self._watch is not None:
            self._watch.close(_SOON_S)
        for descriptor, _ in self._queues:
            descriptor.release()
        self._queues.clear()

    def _parker(self, name: str, job: str) -> Parker:
        """For another thread; of a job with many tasks and services one that needs a place to run."""
        if self._scheduler.admits_all and len(self._queues) > MANY and sys.platform != "emscripten":
            self._scheduler = Admission(f"{job}/admission", self._scheduler.monitor)
        return self._scheduler.parker(name)


def _parkers(*handles: Handle) -> list[Parker]:
    parkers: list[Parker] = []
    for handle in handles:
        parkers += handle.parkers if isinstance(handle, LocalServiceTask) else [cast(LocalTask, handle).parker]
    return parkers


def _when_admitted(inboxes: Sequence[Inbox], inject: Callable[[], Hand | None], deadline: float) -> Waiting[bool]:
    """`inject` into all these queues as soon as there is room. False: there was none in time."""
    admitted: list[bool] = []

    def is_admitted() -> bool:
        if not admitted and inject() is None:
            admitted.append(True)
        return bool(admitted)

    with ExitStack() as waiting:
        for inbox in inboxes:
            waiting.enter_context(inbox.hand_waiting())
        return (yield Until(is_admitted, deadline))
