"""The platform `remote`: every task and every service in a Ray actor of its own, on a cluster of one machine or many.

Inputs, `collect`, bare iterators and shared iterables live in the driver, on threads of it. No actor can call it; so it
keeps a call open at each of them, which returns when there is something to say, and which fails when the actor dies.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from time import monotonic, perf_counter
from typing import Any, ClassVar, Final, NoReturn, cast

from runtime.communication.calls import here
from runtime.communication.lane import LaneSpec
from runtime.communication.note import Note, no_note
from runtime.communication.signals import StopSignal
from runtime.context import ServiceContext, TaskContext
from runtime.driver.actor_wrapper import ActorWrapper, ServiceWrapper, TaskWrapper
from runtime.driver.driver_task import DriverTask
from runtime.driver.inquiries import Inquiries
from runtime.driver.poller import ActorPoller, JobMonitor
from runtime.driver.remote_injector import RemoteHand
from runtime.errors import CommandRefused, GraphInvalid, NotCopyable, TaskEnded
from runtime.factory.backend import Handle, ServiceHandle, TaskHandle
from runtime.factory.threads import all_gone, join_gone, retract_from, warn_without_gil
from runtime.facts import Ending, TaskFacts, TaskTable
from runtime.graph import ServiceNode
from runtime.operators import Operator
from runtime.ray.actors import NoAnswer, answer_of, answered
from runtime.ray.cluster import cannot_be_made, is_gone, lack, refuse_excess, require_cluster, spread
from runtime.ray.codec import CODEC, opened
from runtime.ray.host import ActorChannel
from runtime.remote.by_value import decode
from runtime.remote.channel import Message, Question
from runtime.remote.codec import Serialized
from runtime.remote.descriptors import RayQueueDescriptor, RayRequestQueueDescriptor
from runtime.remote.endpoint import DRIVER, Endpoint
from runtime.remote.link import CHANGED, Where
from runtime.scheduling.parker import Parker
from runtime.scheduling.quiescence import Changes, are_still
from runtime.scheduling.waiting import Until, Waiting
from runtime.scheduling.worker_state import WorkerState
from runtime.service.base_service_task import ServiceReporter
from runtime.service.ray_service_task import make_service_actor
from runtime.task.base_task import TaskReporter
from runtime.task.ray_task import make_task_actor

START_S: Final = 120.0
"""How long the actors of a job may take to be there, as long as they come one by one."""

_STARTS_S: Final = 20.0  # without another one of them having come


class RayBackend:
    """One job on Ray; what has to live in the driver runs on threads of it."""

    travels: ClassVar[bool] = True

    def __init__(self) -> None:
        warn_without_gil()
        self._monitor = JobMonitor()
        self._job = uuid.uuid4().hex
        self._endpoint = Endpoint(self._job, DRIVER, CODEC, self)
        self._lanes: dict[str, tuple[LaneSpec, ...]] = {}
        self._local: dict[str, DriverTask] = {}
        self._far: dict[str, ActorWrapper] = {}
        self._to_make: dict[str, tuple[partial[Any], Serialized]] = {}
        self._making: dict[Any, ActorWrapper] = {}
        self._address: str | None = None
        self._resources: Mapping[str, Mapping[str, float]] = {}
        self._poller = ActorPoller(self._monitor, self._far)
        self._hand = RemoteHand(self._endpoint, self._far, self._lanes)
        self._inquiries = inquiries = Inquiries(self._far, self._tell_of_mail, self._endpoint.note_undelivered)
        self._endpoint.other_mail |= {"overdue": inquiries.overdue, "not reached": inquiries.not_reached}
        self._faults: dict[str, BaseException] = {}  # why actors were ended; the listener says it when they are gone
        self._listener: threading.Thread | None = None
        self._drainer: threading.Thread | None = None
        self._closed = False

    # ── what is asked for before anything is made ──

    def use_seed(self, seed: int) -> NoReturn:
        """Refuse turns: raises `GraphInvalid`."""
        raise GraphInvalid(f"seed {seed!r} cannot order what other processes do; use platform='local' for seeded runs")

    def use_cluster(self, address: str | None, resources: Mapping[str, Mapping[str, float]]) -> None:
        """Run on the cluster at `address`, with these resources for the tasks of operators, and services."""
        self._address, self._resources = address, resources

    @property
    def turns(self) -> list[str]:
        """None: nobody hands any out."""
        return []

    def queue(self, task: str, capacity: int, lanes: tuple[LaneSpec, ...]) -> RayQueueDescriptor:
        """Describe a queue; it is made where its task is."""
        self._lanes[task] = lanes
        return RayQueueDescriptor(task, capacity, lanes, self._job)

    def request_queue(self, service: str, capacity: int) -> RayRequestQueueDescriptor:
        """Describe a request queue; it is made where its service is."""
        return RayRequestQueueDescriptor(service, capacity, self._job)

    # ── making ──

    def task(self, ctx: TaskContext, operator: Operator, reporter: TaskReporter) -> TaskHandle:
        """Make a task in an actor. Raises `NotCopyable` if it cannot be pickled."""
        if operator.in_driver:
            local = self._local[ctx.name] = DriverTask(ctx, operator, reporter, Parker(self._monitor), self)
            return local
        made = _packed(ctx.name, (ctx, operator))
        far = TaskWrapper(ctx, reporter, self._endpoint.post, self.puts)
        self._add(far, partial(make_task_actor, self._options(ctx.wiring.node.name), self._job, ctx.name), made)
        return far

    def service(self, ctx: ServiceContext, node: ServiceNode, reporter: ServiceReporter) -> ServiceHandle:
        """Make a service in an actor. Raises `NotCopyable` if it cannot be pickled."""
        made = _packed(ctx.name, (ctx, node))
        far = ServiceWrapper(ctx, reporter, self._endpoint.post)
        self._add(far, partial(make_service_actor, self._options(ctx.name), self._job, ctx.name), made)
        return far

    def _options(self, of: str) -> dict[str, Any]:
        return dict(self._resources.get(of, {}))

    def _add(self, far: ActorWrapper, make: partial[Any], made: Serialized) -> None:
        far.round, far.news = self._poller.is_looking, self._tell_commands
        far.find_place = partial(self.find_place, far.name)
        far.is_listener = lambda: threading.current_thread() is self._listener
        self._far[far.name] = far
        self._to_make[far.name] = make, made

    def ready(self, say: Callable[[str], None]) -> None:
        """Start all actors, and join them. Raises `GraphInvalid`, naming what there is too little of, or what is wrong.

        Raises `TaskLost` if an actor dies meanwhile. Nothing is started if the cluster could never have it.
        """
        if self._far:
            require_cluster(self._address, say)
            options = {name: make.args[0] for name, (make, _) in self._to_make.items()}
            refuse_excess(options)
            spread(options)
        for name, (make, made) in self._to_make.items():
            far = self._far[name]
            actor = far.actor = make(len(self._far)) if isinstance(far, ServiceWrapper) else make()
            self._making[actor.make.remote(made)] = far
        self._to_make.clear()
        say(f"{len(self._far)} processes are being made, one for each task and service that does not stay here")
        self._wait_until_made()
        self._join()
        with self._poller.look_at(self._far.values()):
            for far in self._far.values():
                far.look()
        nodes = len({far.node for far in self._far.values()})
        say(f"{len(self._far)} processes are there, on {nodes} node{'' if nodes == 1 else 's'}")
        self._listener = threading.Thread(target=self._listen, name=f"{self._job} listener", daemon=True)
        self._listener.start()

    def _wait_until_made(self) -> None:
        waiting, began_s = list(self._making), monotonic()
        while waiting:
            come, waiting = answered(waiting, len(waiting), _STARTS_S)
            for each in come:
                far = self._making.pop(each)
                try:
                    far.node, sent = answer_of(each)
                except NoAnswer as error:
                    if cannot_be_made(error):
                        raise GraphInvalid(f"the actor of {far.name!r} could not be made: {error}") from error
                    raise far.lost(error) from error
                if sent is not None:
                    refusal = decode(sent)
                    raise _refusal(far.name, refusal) from refusal
            if waiting and (not come or monotonic() - began_s > START_S):
                raise GraphInvalid(lack(sorted(self._making[each].name for each in waiting)))

    def _join(self) -> None:
        """Let everybody know the way to everybody else."""
        actors = {name: far.actor for name, far in self._far.items()}
        in_driver = tuple(self._local)
        joining = [(far, far.actor.join.remote({n: a for n, a in actors.items() if n != name}, in_driver))
                   for name, far in self._far.items()]  # fmt: skip
        for far, joined in joining:
            try:
                answer_of(joined)
            except NoAnswer as error:
                raise far.lost(error) from error
        ways = [self._endpoint.way_to(name, ActorChannel(actor, DRIVER)) for name, actor in actors.items()]
        ways.append(self._endpoint.way_to(DRIVER, _Here(self._endpoint)))
        self._endpoint.join(ways, dict.fromkeys(in_driver, DRIVER))

    # ── life ──

    def begin(self) -> None:
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
        """Whether the caller is a thread of a task of the driver, or the one that takes what actors say."""
        return here.changes is self._monitor

    def drain_services(self, how: Ending) -> None:
        """End all services as soon as none is at work and no request can follow."""
        self._drainer = threading.Thread(target=self._drain, args=(how,), name=f"{self._job} drain", daemon=True)
        self._drainer.start()

    def _drain(self, how: Ending) -> None:
        services = [far for far in self._far.values() if isinstance(far, ServiceWrapper)]
        ledger = self._endpoint.ledger

        def is_idle() -> bool:
            return self._closed or (not ledger.open and not any(each.look().busy for each in services))

        self._poller.wait(is_idle, None, same=self._moved)
        with ledger.lock:
            for queue in ledger.queues:
                queue.refuse()
        for service in services:
            self._endpoint.post(service.name, ("end service", StopSignal("job", how)))

    def refuse_calls(self) -> None:
        """End all open calls of the driver; those of tasks end with their tasks."""
        self._endpoint.ledger.refuse(self._endpoint.ledger.queues)

    def close(self) -> None:
        """End every actor, and all that the driver has of them.

        Each part may be done again, so one that was interrupted can be repeated, and two at once do no harm.
        """
        self._closed = True
        for far in self._far.values():
            if far.actor is not None:
                far.kill()
        self._monitor.tell()
        for thread in (self._listener, self._drainer):
            if thread is not None and thread is not threading.current_thread():
                thread.join()
        self._endpoint.close()

    # ── what the endpoint says ──

    def failed(self, task: str, error: BaseException) -> None:
        """Something that a task of the driver has made cannot be sent."""
        self._local[task].fail(error)

    def pack_all(self) -> None:
        """Pack what tasks of the driver have sent, so that what cannot be packed is known."""
        self._endpoint.pack_all()

    def news(self) -> None:
        """Something has been received, perhaps."""
        self._monitor.tell()

    def ask_after(self, peer: str, number: int) -> None:
        """A parcel from the driver has not been heard of."""
        self._inquiries.overdue(DRIVER, peer, number)

    def undelivered(self, peer: str, error: BaseException) -> None:
        """A parcel has not got there: if its actor is alive, end it, and the job."""
        self._endpoint.lose(peer)
        if not is_gone(error) and not self._closed:
            self._cut_off(peer, error)

    def _tell_of_mail(self, sender: str, peer: str, number: int, where: Where) -> None:
        """Let whoever has sent a parcel know what `peer` says of it."""
        if sender == DRIVER:
            self._endpoint.hear_of(peer, number, where)
        else:
            self._endpoint.post(sender, ("asked after", peer, number, where))

    def _cut_off(self, task: str, why: BaseException) -> None:
        """An actor cannot do its part, though it is alive: end it, and the job.

        On a thread of its own: this may be Ray's, which must not wait for Ray.
        """
        self._faults.setdefault(task, why)
        threading.Thread(target=self._far[task].kill, name=f"{self._job} end of {task}", daemon=True).start()

    # ── the listener ──

    def _listen(self) -> None:
        here.changes = self._monitor
        fetches = {far.actor.fetch.remote(far.heard): far for far in self._far.values()}
        while fetches:
            come, _ = answered(list(fetches), 1)
            far = fetches.pop(come[0])
            try:
                number, messages = opened(answer_of(come[0]))
            except NoAnswer as error:
                self._lose(far, error)
                continue
            if messages and messages[-1] == (CHANGED,):
                messages = messages[:-1]
            try:
                self._endpoint.receive(far.name, number, far.receive(messages))
            except BaseException as error:  # noqa: BLE001  the border to user code, which says how values are unpickled
                self._lose(far, error)
                far.kill()
                continue
            far.heard = number
            fetches[far.actor.fetch.remote(number)] = far
            self._monitor.tell()

    def _lose(self, far: ActorWrapper, error: BaseException) -> None:
        self._endpoint.lose(far.name)
        if not self._closed:
            far.lose(self._faults.get(far.name, error))
        self._monitor.tell()

    # ── looking ──

    def is_quiet(self) -> bool:
        """Whether all that was sent from the driver has been received."""
        return self._endpoint.is_quiet()

    def puts(self, task: str) -> list[int]:
        """How many packets were put into each lane of a task's queue, by those who fill them."""
        here = self._endpoint.put_counts()
        counts = []
        for number, spec in enumerate(self._lanes[task]):
            far = self._far.get(spec.producer)
            counts.append((here if far is None else far.last.puts).get((task, number), 0))
        return counts

    def observe(self, handles: Sequence[TaskHandle]) -> TaskTable:
        """What all tasks say of themselves, asked at once."""
        with self._poller.look_at(self._far.values()):
            return _Table({handle.name: handle.facts() for handle in handles})

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
        for far, each in asked:
            with suppress(TaskEnded):  # it has died meanwhile: the listener hears of it
                far.end_ask(each)

    def workers(self, handles: Iterable[Handle]) -> list[WorkerState]:
        """Where each of them stands now, by one look at all of them."""
        handles = list(handles)
        if self._poller.is_looking():
            return [handle.control.now() for handle in handles]
        with self._poller.look_at([handle for handle in handles if isinstance(handle, ActorWrapper)]):
            return [handle.control.now() for handle in handles]

    @property
    def changes(self) -> Changes:
        """What tells of all that is done in any process."""
        return self._poller

    def _tell_commands(self) -> None:
        self._monitor.wake()

    def is_still(self, handles: Iterable[Handle]) -> bool:
        """Whether nothing moves in any process, nor between them."""
        handles = list(handles)
        return self._poller.sees(lambda: self._is_still(handles), self._moved)

    def holds(self, ready: Callable[[], bool]) -> bool:
        """Whether `ready()`, seen so twice: what is between two processes at one look is there at the next."""
        return self._poller.sees(ready)

    def _is_still(self, handles: Iterable[Handle]) -> bool:
        """Within a look: whether nothing moves."""
        parkers = [handle.parker for handle in handles if isinstance(handle, DriverTask)]
        far = all(handle.look().still for handle in handles if isinstance(handle, ActorWrapper))
        return far and are_still(parkers) and self._endpoint.is_quiet()

    def _moved(self) -> tuple[Any, ...]:
        here = (self._endpoint.sent, *(task.parker.passes for task in self._local.values()))
        return here, *(far.last.moved for far in self._far.values())

    def wait_until(self, ready: Callable[[], bool], timeout_s: float | None) -> bool:
        """Wait until `ready`, on this thread."""
        return self._poller.wait(ready, timeout_s)

    # ── the hand ──

    def sendable(self, handles: Sequence[Handle], value: Any, *, stays: bool = False) -> Any:
        """The value pickled, if it travels to these; for tasks that are here itself. Raises `NotSendable`."""
        return self._hand.sendable(handles, value, stays=stays)

    def offer(self, handle: TaskHandle, item: Any, note: Note | None = None) -> bool:
        """Put an item into the queue of a task that is here. Raises `NotSendable` if it would have to travel on."""
        return isinstance(handle, DriverTask) and self._hand.offer(handle, item, note)

    def inject(
        self, handles: Sequence[TaskHandle], item: Any, deadline: float, noted: Callable[[], Note] = no_note
    ) -> Waiting[None]:
        """Put an item into all these queues by hand, or into none. Raises `QueueFull`, `TaskEnded`."""
        return self._hand.inject(handles, item, deadline, noted)

    def retract(self, handles: Sequence[TaskHandle], numbers: Sequence[int]) -> None:
        """Take an item that was put in by hand out of its queue. Raises `CommandRefused` for several processes."""
        far = [handle for handle in handles if isinstance(handle, TaskWrapper)]
        if not far:
            retract_from([cast(DriverTask, handle) for handle in handles], numbers)
        elif len(handles) == 1:
            far[0].ask("hand", "retract", numbers[0])
        else:
            names = ", ".join(repr(handle.name) for handle in handles)
            raise CommandRefused(
                f"the packet was put into the queues of {names}, which are in different processes and cannot give it "
                "back in one step; drop() it from each of them"
            )

    def find_place(self, task: str, wanted: int) -> int | None:
        """For what is put back into lane `wanted` of a task's queue: whose writer has a place for it; None: nobody."""
        return self._hand.find_place(task, wanted)


class _Here:
    """From one task of the driver to another."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint

    def deliver(self, number: int, messages: list[Message]) -> Future[Any]:
        self._endpoint.receive(DRIVER, number, messages)
        done: Future[Any] = Future()
        done.set_result([])
        return done

    def ask(self, question: Question) -> NoReturn:
        raise AssertionError("no service runs in the driver")

    def opened(self, answer: Any) -> Any:
        return answer


class _Table(TaskTable):
    def __init__(self, facts: dict[str, TaskFacts]) -> None:
        self._facts = facts

    def __getitem__(self, name: str) -> TaskFacts:
        return self._facts[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._facts)

    def __len__(self) -> int:
        return len(self._facts)


def _packed(name: str, value: Any) -> Serialized:
    try:
        return CODEC.encode(value)
    except Exception as error:  # the border to user code
        raise NotCopyable(
            f"{name!r} runs in a process of its own, and its function, or the key function behind it, cannot be "
            f"pickled ({error}); open files, locks and connections in open(), and do not refer to the session in it"
        ) from error


def _refusal(name: str, error: BaseException) -> GraphInvalid:
    if isinstance(error, ModuleNotFoundError):
        return GraphInvalid(
            f"{name!r} needs module {error.name!r}, which the workers of the Ray cluster do not have; install it "
            "there, put it beside the main program, or define the function in the notebook"
        )
    return NotCopyable(f"{name!r} cannot be made in a process of its own ({type(error).__name__}: {error})")
