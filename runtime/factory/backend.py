"""What a platform has to offer to run a job, and the registry that finds it by name. Knows no platform itself.

A backend is one object per job, made when the graph is compiled. Everything that differs between threads and another
platform is in it, and in the descriptors, connections and handles that it makes; there is no `if remote`.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar, Protocol

from runtime.communication.lane import LaneSpec
from runtime.communication.note import Note, no_note
from runtime.communication.queue_descriptor import QueueDescriptor
from runtime.communication.request_queue import RequestQueue, RequestQueueDescriptor
from runtime.context import ServiceContext, TaskContext
from runtime.context.worker_control import WorkerControl
from runtime.errors import GraphInvalid, UnknownName
from runtime.facts import Ending, Past, ServiceFacts, Spent, TaskFacts, TaskTable
from runtime.graph import ServiceNode
from runtime.operators import Operator
from runtime.scheduling.quiescence import QuiescenceMonitor
from runtime.scheduling.waiting import Waiting
from runtime.scheduling.worker_state import WorkerState
from runtime.service.base_service_task import ServiceReporter
from runtime.service.invocation import Interceptor
from runtime.task.base_task import TaskReporter
from runtime.texts.preview import Told


class TaskHandle(Protocol):
    """A task from the outside, wherever it runs. Everything goes by value.

    All calls but `left_over` return at once. None raises because the task has died: facts are then
    those that were known last.
    """

    @property
    def name(self) -> str:
        """The task's name."""

    @property
    def injected(self) -> int:
        """How many packets the hand has put in, without those that it has taken back."""

    @property
    def control(self) -> WorkerControl:
        """What controls it."""

    @property
    def hand_closed(self) -> bool:
        """Whether the hand can put in nothing more."""

    def start(self) -> None:
        """Let it run."""

    def cancel(self) -> None:
        """End it after the packet in work, wherever it waits."""

    def end_input(self, how: Ending) -> None:
        """Ask a source or an input to end."""

    def stop_sending(self) -> None:
        """Nobody needs what it makes any more: end what it is making, and drop what comes, until its producers end."""

    def release(self, tell: Callable[[Any], Told]) -> None:
        """After the close of its session: let go of payloads; of those that wait, `tell` makes previews."""

    def facts(self) -> TaskFacts:
        """Where it stands now."""

    def times(self) -> Spent:
        """Where its time has gone."""

    def past(self) -> Past:
        """How it stood with that when. Of one whose process has died nothing is known."""

    def worked(self) -> tuple[int, int, int]:
        """How many packets it has worked; of these skipped, and broken off by a cancel, which are in `left_over`."""

    def left_over(self) -> int:
        """After the end of all tasks: how many packets of its queue, or made by it, were never worked.

        Asked in graph order, producers first: what they had under way has arrived when it is their consumers' turn.
        """

    def is_current(self) -> bool:
        """Whether the caller is this very task, or delivers its reports: it cannot wait for it."""

    def is_gone(self) -> bool:
        """Whether nothing of it runs any more and its report has been delivered; so it is before the start."""

    def join(self) -> None:
        """Of one that is gone: let the thread end that it ran on. Takes no time."""


class ServiceHandle(Protocol):
    """A service from the outside, wherever it runs. Everything goes by value; all calls return at once."""

    @property
    def name(self) -> str:
        """The service's name."""

    @property
    def control(self) -> WorkerControl:
        """What controls it."""

    def start(self) -> None:
        """Let it run."""

    def cancel(self) -> None:
        """End it after the requests in work."""

    def intercept(self, interceptors: tuple[Interceptor, ...]) -> None:
        """From the next request on, go through these."""

    def facts(self) -> ServiceFacts:
        """Where it stands now."""

    def times(self) -> Spent:
        """Where the time of its threads has gone."""

    def past(self) -> Past:
        """How it stood with that when. Of one whose process has died nothing is known."""

    def is_current(self) -> bool:
        """Whether the caller is this very service: it cannot wait for it."""

    def is_gone(self) -> bool:
        """Whether nothing of it runs any more and its report has been delivered; so it is before the start."""

    def join(self) -> None:
        """Of one that is gone: let the thread end that it ran on. Takes no time."""


Handle = TaskHandle | ServiceHandle


class Backend(Protocol):
    """What runs one job on a platform."""

    travels: ClassVar[bool]
    """Whether an operator is sent by value to where its task runs, so that its functions are copied on the way."""

    def use_seed(self, seed: int) -> None:
        """Hand out turns one at a time in an order that `seed` decides; before anything is made.

        Raises `GraphInvalid` if the platform cannot.
        """

    def use_cluster(self, address: str | None, resources: Mapping[str, Mapping[str, Any]]) -> None:
        """Run on the cluster at `address`, with these resources for the tasks of each operator, and each service.

        Before anything is made, and only if there is either. Raises `GraphInvalid` if the platform has no clusters.
        """

    @property
    def turns(self) -> list[str]:
        """Under a seed, who had the turns so far and what for; else empty."""

    def queue(self, task: str, capacity: int, lanes: tuple[LaneSpec, ...]) -> QueueDescriptor:
        """Describe the input queue of a task to be; called while the graph is compiled."""

    def request_queue(
        self, service: str, capacity: int, kind: type[RequestQueue] = RequestQueue
    ) -> RequestQueueDescriptor:
        """Describe the request queue of a service to be; called while the graph is compiled."""

    def task(self, ctx: TaskContext, operator: Operator, reporter: TaskReporter) -> TaskHandle:
        """Make a task, not started yet."""

    def service(self, ctx: ServiceContext, node: ServiceNode, reporter: ServiceReporter) -> ServiceHandle:
        """Make a service from its record, not started yet."""

    def ready(self, say: Callable[[str], None]) -> None:
        """All services and tasks have been made: wait until they can be started, and `say` what takes long of it.

        Raises `GraphInvalid`.
        """

    def begin(self) -> None:
        """All services and tasks have been started."""

    def drain_services(self, how: Ending) -> None:
        """All tasks have ended: send every service its stop signal, after the last request that can come."""

    def refuse_calls(self) -> None:
        """Accept no call to any service any more; those that are open end with `ServiceStopped`."""

    def sendable(self, handles: Sequence[Handle], value: Any, *, stays: bool = False) -> Any:
        """What commands are to be given for a value of the user's that gets to these tasks or services by hand.

        Whoever gives the command asks for it: it may run code of the value's class. `stays`: they do not send it on.
        Raises `NotSendable`.
        """

    def offer(self, handle: TaskHandle, item: Any, note: Note | None = None) -> bool:
        """Put an item into the hand's lane of a task, without a lock, if there is room. False: nothing has happened.

        So it is where that cannot be said, or not be done in one step: `inject` it then. In that step `note`, if there
        is one, is put down as well.
        """

    def inject(
        self, handles: Sequence[TaskHandle], item: Any, deadline: float, noted: Callable[[], Note] = no_note
    ) -> Waiting[None]:
        """Put an item, as `sendable` has made it, into the hand's lanes of all these tasks, or of none.

        What `noted` makes is put down when it is in, or not at all. Raises `TaskEnded`, `QueueFull`.
        """

    def retract(self, handles: Sequence[TaskHandle], numbers: Sequence[int]) -> None:
        """Take an item that was put in by hand out of all these queues, or of none; in each it has one of `numbers`.

        Raises `NotPaused`, `PacketGone` if a task has taken it, `TaskEnded`, and `CommandRefused` if it cannot be done
        in one step.
        """

    def pause(self, handles: Iterable[Handle]) -> None:
        """Close the gates of all these, by hand."""

    def resume(self, handles: Iterable[Handle]) -> None:
        """Open them."""

    def workers(self, handles: Iterable[Handle]) -> Iterable[WorkerState]:
        """Where each of them stands now; where that takes a while, all looked at together."""

    def observe(self, handles: Sequence[TaskHandle]) -> TaskTable:
        """The facts of all these tasks by name, read at once. Cheap enough for thirty times a second."""

    def clock(self) -> float:
        """Seconds since some moment, never going back."""

    @property
    def changes(self) -> QuiescenceMonitor:
        """What tells of all that tasks and services do, while somebody waits for it."""

    def is_own_thread(self) -> bool:
        """Whether the caller is a thread of the job: of a task or service, or one that delivers what they say."""

    def is_still(self, handles: Iterable[Handle]) -> bool:
        """Whether all tasks and services stand still, at one moment."""

    def at_one_moment(self, ready: Callable[[], bool]) -> Callable[[], bool]:
        """What says whether `ready()`, which asks handles and their controls, is true of one moment."""

    def wait(self, handles: Iterable[Handle], deadline: float) -> Waiting[tuple[str, ...]]:
        """Wait until nothing of them runs any more; the names of those of which something still does."""

    def close(self) -> None:
        """Release the queues and whatever else the job has taken."""


_backends: dict[str, Callable[[], Backend] | str] = {
    "local": "runtime.factory.local_backend:LocalBackend",
    "remote": "runtime.ray.platform:remote_backend",
}


_travelling = {"remote"}  # those whose tasks are processes, as far as that is known before one is made


def register_backend(platform: str, backend: Callable[[], Backend] | str) -> None:
    """Offer `backend` as `platform`: what makes one, or where it is, as `"package.module:Name"`, imported at first use.

    Raises `GraphInvalid` if the name is taken by another backend.
    """
    if _backends.setdefault(platform, backend) != backend:
        raise GraphInvalid(f"platform {platform!r} is registered already; give yours another name")
    if getattr(backend, "travels", False):
        _travelling.add(platform)


def require_platform(platform: str) -> None:
    """Raise `UnknownName` if no backend has this name."""
    if platform not in _backends:
        raise UnknownName("platform", platform, _backends)


def is_of_processes(platform: str) -> bool:
    """Whether tasks are processes there: known without a backend, and what that would import.

    Of a platform that was registered by where its backend is, False.
    """
    return platform in _travelling


def seed_refused(seed: int) -> GraphInvalid:
    """What to say of a seed where tasks are processes."""
    return GraphInvalid(f"seed {seed!r} cannot order what other processes do; use platform='local' for seeded runs")


def create_backend(platform: str) -> Backend:
    """A new backend of this name. Raises `UnknownName`."""
    require_platform(platform)
    backend = _backends[platform]
    if isinstance(backend, str):
        module, _, name = backend.partition(":")
        backend = _backends[platform] = getattr(importlib.import_module(module), name)
    made: Backend = backend()
    return made
