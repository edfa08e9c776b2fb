"""RemoteBackend: a platform of processes: every task and every service in one of its own. Knows not which processes.

Inputs, `collect`, bare iterators and shared iterables live in the driver, on threads of it. What a platform has to add:
how values travel (`codec`), how a process is launched, and what to say where none can be.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import wait
from contextlib import suppress
from functools import partial
from time import monotonic, perf_counter
from typing import Any, ClassVar, Final, NoReturn, cast

from runtime.communication.calls import here
from runtime.communication.lane import LaneSpec
from runtime.communication.note import Note, no_note
from runtime.communication.request_queue import RequestQueue
from runtime.communication.signals import StopSignal
from runtime.context import ServiceContext, TaskContext
from runtime.driver import injecting
from runtime.driver.actor_wrapper import ActorWrapper, Process, ServiceWrapper, TaskWrapper
from runtime.driver.driver_task import DriverTask
from runtime.driver.job import Job
from runtime.errors import CommandRefused, GraphInvalid, NotCopyable, TaskEnded
from runtime.factory.backend import Handle, ServiceHandle, TaskHandle, seed_refused
from runtime.factory.threads import all_gone, join_gone, retract_from, warn_without_gil
from runtime.facts import Ending, Spent, TaskFacts, TaskTable
from runtime.graph import ServiceNode
from runtime.operators import Operator
from runtime.remote.codec import Codec, Serialized
from runtime.remote.descriptors import RemoteQueueDescriptor, RemoteRequestQueueDescriptor
from runtime.remote.host import Host
from runtime.scheduling.quiescence import QuiescenceMonitor
from runtime.scheduling.waiting import Until, Waiting
from runtime.scheduling.worker_state import WorkerState
from runtime.service.base_service_task import ServiceReporter
from runtime.task.base_task import TaskReporter

START_S: Final = 120.0
"""How long the processes of a job may take to be there."""

_STARTS_S: Final = 20.0  # without another one of them having come, before it is asked what they lack


class RemoteBackend(ABC):
    """One job in other processes; what has to live in the driver runs on threads of it."""

    travels: ClassVar[bool] = True
    codec: ClassVar[Codec]

    def __init__(self) -> None:
        warn_without_gil()
        self._job = Job(self.codec)
        self._operators: dict[str, str] = {}  # or services, which the tasks and services of the job are of
        self._to_make: dict[str, Serialized] = {}
        self._drainer: threading.Thread | None = None

    # ── what a platform adds ──

    @abstractmethod
    def _prepare(self, operators: Mapping[str, str], say: Callable[[str], None]) -> None:
        """Get ready to launch processes for these tasks and services, each with the operator that it is of.

        Raises `GraphInvalid` if they can never all be there.
        """

    @abstractmethod
    def _launch(self, kind: type[Host], name: str, callers: int) -> Process:
        """A process with such a host, by the job's name, `name` and the codec; so many may `ask` it at once.

        Returns at once.
        """

    def _cannot_be_made(self, error: BaseException) -> bool:
        """Whether a process that did not come up, with this error, never will."""
        return False

    def _lack(self, names: Sequence[str]) -> str:
        """What keeps processes from being started, as a sentence; empty if nothing does, so that they are just slow."""
        return ""

    # ── what is asked for before anything is made ──

    def use_seed(self, seed: int) -> NoReturn:
        """Refuse turns: raises `GraphInvalid`."""
        raise seed_refused(seed)

    @abstractmethod
    def use_cluster(self, address: str | None, resources: Mapping[str, Mapping[str, float]]) -> None:
        """Run on the cluster at `address`, with these resources for the tasks of operators, and services."""

    @property
    def turns(self) -> list[str]:
        """None: nobody hands any out."""
        return []

    def queue(self, task: str, capacity: int, lanes: tuple[LaneSpec, ...]) -> RemoteQueueDescriptor:
        """Describe a queue; it is made where its task is."""
        self._job.lanes[task] = lanes
        return RemoteQueueDescriptor(task, capacity, lanes, self._job.name)

    def request_queue(
        self, service: str, capacity: int, kind: type[RequestQueue] = RequestQueue
    ) -> RemoteRequestQueueDescriptor:
        """Describe a request queue; it is made where its service is. Of another `kind` it is an input's: it refuses."""
        return RemoteRequestQueueDescriptor(service, capacity, self._job.name, kind is not RequestQueue)

    # ── making ──

    def task(self, ctx: TaskContext, operator: Operator, reporter: TaskReporter) -> TaskHandle:
        """Make a task in a process. Raises `NotCopyable` if it cannot be pickled."""
        job = self._job
        if operator.in_driver:
            local = job.local[ctx.name] = DriverTask(ctx, operator, reporter, job)
            return local
        self._operators[ctx.name] = ctx.wiring.node.name
        self._to_make[ctx.name] = self._encoded(ctx.name, (ctx, operator))
        wrapper = job.wrappers[ctx.name] = TaskWrapper(ctx.name, reporter, job)
        return wrapper

    def service(self, ctx: ServiceContext, node: ServiceNode, reporter: ServiceReporter) -> ServiceHandle:
        """Make a service in a process. Raises `NotCopyable` if it cannot be pickled."""
        self._operators[ctx.name] = ctx.name
        self._to_make[ctx.name] = self._encoded(ctx.name, (ctx, node))
        wrapper = self._job.wrappers[ctx.name] = ServiceWrapper(ctx.name, reporter, self._job)
        return wrapper

    def _encoded(self, name: str, value: Any) -> Serialized:
        try:
            return self.codec.encode(value)
        except Exception as error:  # the border to user code
            raise NotCopyable(
                f"{name!r} runs in a process of its own, and its function, or the key function behind it, cannot be "
                f"pickled ({error}); open files, locks and connections in open(), and do not refer to the session in it"
            ) from error

    def ready(self, say: Callable[[str], None]) -> None:
        """Start all processes, and join them. Raises `GraphInvalid`, naming what there is too little of, or is wrong.

        Raises `TaskLost` if a process dies meanwhile. Nothing is started if they could never all be there.
        """
        wrappers = self._job.wrappers
        if wrappers:
            self._prepare(self._operators, say)
        say(f"{len(wrappers)} processes are being made, one for each task and service that does not stay here")
        self._wait_until_made(self._begin_all())
        self._job.join()
        nodes = len({wrapper.node for wrapper in wrappers.values()})
        say(f"{len(wrappers)} processes are there, on {nodes} node{'' if nodes == 1 else 's'}")

    def _begin_all(self) -> dict[Any, ActorWrapper]:
        """Launch all processes; what each of them is made by, and will answer."""
        wrappers, making = self._job.wrappers, {}
        for name, made in self._to_make.items():
            wrapper = wrappers[name]
            callers = len(wrappers) if isinstance(wrapper, ServiceWrapper) else 0
            making[wrapper.begin(self._launch(wrapper.hosts, name, callers), made)] = wrapper
        self._to_make.clear()
        return making

    def _wait_until_made(self, making: dict[Any, ActorWrapper]) -> None:
        began_s = monotonic()
        while making:
            come, _ = wait(making, _STARTS_S)
            for each in come:
                wrapper = making.pop(each)
                if (error := each.exception()) is not None:
                    if self._cannot_be_made(error):
                        raise GraphInvalid(f"the process of {wrapper.name!r} could not be made: {error}") from error
                    raise wrapper.lost(error) from error
                if (refusal := wrapper.end_begin(*each.result())) is not None:
                    raise _refusal(wrapper.name, refusal) from refusal
            names = sorted(wrapper.name for wrapper in making.values())
            if names and not come and (lack := self._lack(names)):
                raise GraphInvalid(lack)
            if names and monotonic() - began_s > START_S:
                raise GraphInvalid(f"not started within {START_S:g} s: the processes of {', '.join(map(repr, names))}")

    # ── life ──

    def begin(self) -> None:  # noqa: B027  nothing is to be added
        """All of them run from their starts on."""

    def wait(self, handles: Iterable[Handle], deadline: float) -> Waiting[tuple[str, ...]]:
        """Wait until all have ended and have been heard; the names of those that have not then."""
        handles = list(handles)
        yield Until(all_gone(handles), deadline)
        return join_gone(handles)

    def clock(self) -> float:
        """Seconds of the driver's steady clock."""
        return perf_counter()

    def is_own_thread(self) -> bool:
        """Whether the caller is a thread of a task of the driver, or the one that takes what processes say."""
        return here.changes is self._job.poller

    def drain_services(self, how: Ending) -> None:
        """End all services as soon as none is at work and no request can follow."""
        self._drainer = threading.Thread(target=self._drain, args=(how,), name=f"{self._job.name} drain", daemon=True)
        self._drainer.start()

    def _drain(self, how: Ending) -> None:
        job, ledger = self._job, self._job.endpoint.calls.ledger
        services = [wrapper for wrapper in job.wrappers.values() if isinstance(wrapper, ServiceWrapper)]

        def is_idle() -> bool:
            return job.closed or (not ledger.open and not any(each.look().busy for each in services))

        job.poller.wait(is_idle, None, same=job.moved)
        with ledger.lock:
            for queue in ledger.queues:
                queue.refuse()
        for service in services:
            job.post(service.name, "end service", StopSignal("job", how))

    def refuse_calls(self) -> None:
        """End all open calls of the driver; those of tasks end with their tasks."""
        ledger = self._job.endpoint.calls.ledger
        ledger.refuse(ledger.queues)

    def close(self) -> None:
        """End every process, and all that the driver has of them.

        Each part may be done again, so one that was interrupted can be repeated, and two at once do no harm.
        """
        self._job.close()
        if self._drainer is not None:
            self._drainer.join()

    # ── looking ──

    def observe(self, handles: Sequence[TaskHandle]) -> TaskTable:
        """What all tasks say of themselves, asked at once."""
        with self._job.poller.look_at(self._job.wrappers.values()):
            facts = {handle.name: handle.facts() for handle in handles}
            return _Table(facts, {handle.name: handle.times() for handle in handles})

    def pause(self, handles: Iterable[Handle]) -> None:
        """Close the gates of all these, by hand: all are asked before any answer is waited for."""
        self._ask_all(handles, "pause")

    def resume(self, handles: Iterable[Handle]) -> None:
        """Open them."""
        self._ask_all(handles, "resume")

    def _ask_all(self, handles: Iterable[Handle], command: str) -> None:
        asked: list[tuple[ActorWrapper, Any]] = []
        for handle in handles:
            if not isinstance(handle, ActorWrapper):
                getattr(handle.control, command)()
            elif not handle.is_lost:
                asked.append((handle, handle.begin_ask("control", command)))
        for wrapper, each in asked:
            with suppress(TaskEnded):  # it has died meanwhile: the listener hears of it
                wrapper.end_ask(each)

    def workers(self, handles: Iterable[Handle]) -> list[WorkerState]:
        """Where each of them stands now, by one look at all of them."""
        handles, poller = list(handles), self._job.poller
        if poller.is_looking():
            return [handle.control.now() for handle in handles]
        with poller.look_at([handle for handle in handles if isinstance(handle, ActorWrapper)]):
            return [handle.control.now() for handle in handles]

    @property
    def changes(self) -> QuiescenceMonitor:
        """What tells of all that is done in any process."""
        return self._job.poller

    def is_still(self, handles: Iterable[Handle]) -> bool:
        """Whether nothing moves in any process, nor between them."""
        handles = list(handles)

        def are_all_still() -> bool:
            remote = all(handle.look().still for handle in handles if isinstance(handle, ActorWrapper))
            return remote and self._job.is_still_here(each for each in handles if isinstance(each, DriverTask))

        return self._job.poller.sees(are_all_still, self._job.moved)

    def at_one_moment(self, ready: Callable[[], bool]) -> Callable[[], bool]:
        """`ready()`, seen so twice: what is between two processes at one look is there at the next."""
        return partial(self._job.poller.sees, ready)

    # ── packets by hand ──

    def sendable(self, handles: Sequence[Handle], value: Any, *, stays: bool = False) -> Any:
        """The value pickled, if it travels to these; for tasks that are here itself. Raises `NotSendable`."""
        return injecting.sendable(self._job, handles, value, stays=stays)

    def offer(self, handle: TaskHandle, item: Any, note: Note | None = None) -> bool:
        """Put an item into the queue of a task that is here. Raises `NotSendable` if it would have to travel on."""
        return isinstance(handle, DriverTask) and injecting.offer(self._job, handle, item, note)

    def inject(
        self, handles: Sequence[TaskHandle], item: Any, deadline: float, noted: Callable[[], Note] = no_note
    ) -> Waiting[None]:
        """Put an item into all these queues by hand, or into none. Raises `QueueFull`, `TaskEnded`."""
        return injecting.inject(self._job, handles, item, deadline, noted)

    def retract(self, handles: Sequence[TaskHandle], numbers: Sequence[int]) -> None:
        """Take an item that was put in by hand out of its queue. Raises `CommandRefused` for several processes."""
        remote = [handle for handle in handles if isinstance(handle, TaskWrapper)]
        if not remote:
            retract_from([cast(DriverTask, handle) for handle in handles], numbers)
        elif len(handles) == 1:
            remote[0].ask("hand", "retract", numbers[0])
        else:
            names = ", ".join(repr(handle.name) for handle in handles)
            raise CommandRefused(
                f"the packet was put into the queues of {names}, which are in different processes and cannot give it "
                "back in one step; drop() it from each of them"
            )


class _Table(TaskTable):
    def __init__(self, facts: dict[str, TaskFacts], spent: dict[str, Spent]) -> None:
        self._facts, self._spent = facts, spent

    def spent(self) -> dict[str, Spent]:
        """Where the time of each had gone when all were looked at."""
        return self._spent

    def __getitem__(self, name: str) -> TaskFacts:
        return self._facts[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._facts)

    def __len__(self) -> int:
        return len(self._facts)


def _refusal(name: str, error: BaseException) -> GraphInvalid:
    if isinstance(error, ModuleNotFoundError):
        return GraphInvalid(
            f"{name!r} needs module {error.name!r}, which the workers of the Ray cluster do not have; install it "
            "there, put it beside the main program, or define the function in the notebook"
        )
    return NotCopyable(f"{name!r} cannot be made in a process of its own ({type(error).__name__}: {error})")
