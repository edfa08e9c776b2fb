"""Session: the graph, its runs and the user's hand on them, as one object. It asks; what happens is elsewhere."""

from __future__ import annotations

import asyncio
import itertools
import sys
import threading
import warnings
from collections.abc import Callable, Iterable, Mapping
from importlib import metadata
from types import TracebackType
from typing import Any, Final, Self, TypeVar, overload

from runtime.breakpoints import Breakpoint, Tap
from runtime.calling import Service, Services
from runtime.communication.calls import HAND_CALLER
from runtime.communication.packet import Packet
from runtime.control import REACH_S, Control
from runtime.dead_letters import DeadLetters
from runtime.dispatcher import Dispatcher
from runtime.environment import Environment, Stream
from runtime.errors import (
    AlreadyStarted,
    GraphInvalid,
    InputOpen,
    NotStarted,
    QueueUnreachable,
    ServiceStopped,
    UnknownName,
)
from runtime.factory import service_queues
from runtime.facts import Event, JobState, NoTasks, Outcome, Snapshot
from runtime.graph import ExecutionGraph, validate
from runtime.graph.validation import refuse_interceptor
from runtime.hand import Hand
from runtime.job_manager import JobManager
from runtime.metrics import Metrics, metrics_of
from runtime.operators import SourceFunction
from runtime.policy import OnError
from runtime.preview import preview
from runtime.proxy import DEFAULT_METHOD, ProxyManager
from runtime.service.invocation import Interceptor
from runtime.step import Path, QueueView, Step
from runtime.text import as_text

T = TypeVar("T")

CLOSE_S: Final = 5.0
"""How long `close()` and leaving a `with` block wait for user code before a task is abandoned."""

_numbers = itertools.count(1)
_named: dict[str, Session] = {}  # in an interactive kernel, until they are closed
_named_lock = threading.Lock()  # guards _named


class Session:
    """A dataflow graph that a person can write, run, look into and stop.

    Build with `source`, `input` and the methods of `Stream`; then `run()`, or `start()` and `wait()`. Every command may
    be given from any thread. Use it as a context manager, or `close()` it: afterwards nothing of it runs any more.

    * `name`: in an interactive kernel, a new session closes the older one of the same name. Without a name it is alone.
    * `platform`: where tasks run; `"local"` is threads of this process.
    * `capacity`: how many packets may wait in front of each task; an operator may have its own.
    * `on_error`: what an exception in user code does; `"fail"` cancels the job, `"skip"` keeps the packet in
      `dead_letters` and goes on, a `Retry` tries again first. An operator may have its own.
    * `seed`: one thread runs at a time, for one packet, in an order that the seed decides, and time is virtual: the
      same seed, the same run, as far as user code itself is the same each time. `turns` is what happened. A function
      that waits for another one by means of its own, not through `ctx`, keeps the turn and waits for ever.

    Raises `GraphInvalid`.
    """

    def __init__(
        self,
        name: str | None = None,
        *,
        platform: str = "local",
        capacity: int = 1024,
        on_error: OnError = "fail",
        seed: int | None = None,
    ) -> None:
        self.name = f"session-{next(_numbers)}" if name is None else name
        self._environment = Environment(self.name, platform=platform, capacity=capacity, on_error=on_error, seed=seed)
        self._manager = JobManager(self._environment)
        self._lock = threading.Lock()  # guards which run there is, and that commands which change it come one by one
        self._dispatcher: Dispatcher | None = None
        self._hand: Hand | None = None
        self._proxies: ProxyManager | None = None
        self._control: Control | None = None
        self._interceptors: dict[object, Interceptor] = {}  # by what stands for one call of `intercept`
        self._ended_new: Outcome | None = None  # the outcome of a session that ended before it was started
        if name is not None and _in_kernel():
            with _named_lock:
                older, _named[name] = _named.get(name), self
            if older is not None:
                older.close()

    # ── the graph ──

    def source(
        self,
        items: Iterable[T] | Callable[[], Iterable[T]] | SourceFunction[T],
        *,
        name: str | None = None,
        parallelism: int = 1,
        on_error: OnError | None = None,
    ) -> Stream[T]:
        """A stream of what `items` yields: an iterable, a callable that returns one, or a SourceFunction.

        A bare iterator can be run once and by one instance. With parallelism n, the instances share an iterable among
        them, and each calls the callable for itself. Raises `GraphInvalid`, `GraphFrozen`.
        """
        return self._environment.source(items, name=name, parallelism=parallelism, on_error=on_error)

    def input(self, name: str, *, capacity: int | None = None) -> Stream[Any]:
        """A stream of what `send` puts in, until `end(name)` or `stop()`. Raises `GraphInvalid`, `GraphFrozen`."""
        return self._environment.input(name, capacity=capacity)

    def service(
        self, name: str, make: Callable[[], Any], *, concurrency: int = 1, capacity: int | None = None
    ) -> Service:
        """A service `name`: the object that `make` (a class, or any function without arguments) returns in each run.

        Its public methods are called by `ctx.call_service(name, …)` from functions and other services and by
        `session.call(name, …)` from outside, `process` if nothing else is said. They run on `concurrency` threads of
        its own, so with more than one it must be thread-safe. At most `capacity` requests wait (without it, as many as
        the session's); who calls then is held back. If the object has `setup()` and `close()`, they are called before
        the first request and behind the last; if it has no `ctx` it gets one, to call other services. What a method
        raises is raised in its caller; what `make`, `setup` and `close` raise fails the job. Returns what calls the
        service by hand, as `services` does. Raises `GraphInvalid`, `GraphFrozen`.
        """
        self._environment.service(name, make, concurrency=concurrency, capacity=capacity)
        return self.services[name]

    @property
    def graph(self) -> ExecutionGraph:
        """The graph as it is written so far; of a run, the one that runs."""
        dispatcher = self._dispatcher
        return self._environment.graph() if dispatcher is None else dispatcher.graph

    # ── life ──

    def start(self, *, paused: bool = False) -> None:
        """Run the graph, without waiting.

        `paused`: with every gate closed, and all tasks in front of theirs when it returns (those that are not open
        within 5 seconds come there later). After an end it runs again: callables and iterables anew, with empty state.

        Raises `AlreadyStarted`, and `GraphInvalid` before anything runs.
        """
        with self._lock:
            if self._dispatcher is not None:
                if self._dispatcher.outcome is None:
                    raise AlreadyStarted(f"session {self.name!r} is running; stop(), cancel() or wait() first")
                self._dispatcher.cleanup(CLOSE_S)
            graph, backend = self._manager.submit()
            dispatcher = Dispatcher(graph, backend, self._manager)
            try:
                dispatcher.submit()
            except BaseException:
                backend.close()
                raise
            self._manager.job_starts()
            self._hand = Hand(graph, backend, dispatcher.tasks)
            self._proxies = ProxyManager(HAND_CALLER, service_queues(graph))
            dispatcher.intercept(tuple(self._interceptors.values()))
            control = self._control = Control(dispatcher)
            self._dispatcher, self._ended_new = dispatcher, None
            if paused:
                control.pause(timeout_s=0)
            dispatcher.start()
        if paused:
            control.wait_for_gates()

    def run(self, timeout: float | None = None) -> Outcome:
        """`start()` and `wait()`."""
        self.start()
        return self.wait(timeout)

    def wait(self, timeout: float | None = None) -> Outcome:
        """Wait for the end, at most `timeout` seconds, and say how it ended.

        Raises `TaskFailed` from the user's exception if the job failed, `TimeoutError` if it still runs (it goes on),
        `JobPaused`, naming who, as soon as it stands still because of a pause, `NotStarted`. An interrupt ends the
        wait, not the job.
        """
        if self._ended_new is not None:
            return self._ended_new
        return self._run().wait(timeout)

    async def wait_async(self, timeout: float | None = None) -> Outcome:
        """`wait()` for a coroutine: the event loop, and with it the notebook's kernel, stays free.

        Raises `JobPaused` if the job stands still when this is called; what is paused later, it does not see.
        """
        if self._ended_new is not None:
            return self._ended_new
        dispatcher = self._run()
        loop = asyncio.get_running_loop()
        ended = asyncio.Event()

        def tell() -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(ended.set)

        dispatcher.on_end(tell)
        dispatcher.wait_done(0)  # raises `JobPaused` where it stands still already
        async with asyncio.timeout(timeout):
            await ended.wait()
        return dispatcher.wait(timeout)

    def stop(self) -> None:
        """Stop with drain: sources and inputs end, what is under way is still processed. Returns at once."""
        if (dispatcher := self._dispatcher) is not None:
            dispatcher.stop()
        elif self._ended_new is None:
            self._ended_new = Outcome("stopped", 0, 0)

    def cancel(self) -> None:
        """End now, behind the packet in work of each task; what is queued is dropped and counted. Returns at once."""
        if (dispatcher := self._dispatcher) is not None:
            dispatcher.cancel()
        elif self._ended_new is None:
            self._ended_new = Outcome("cancelled", 0, 0)

    def close(self, timeout: float = CLOSE_S) -> None:
        """Cancel what runs, wait at most `timeout` seconds, release everything. Idempotent.

        A task that is stuck in user code for longer is abandoned: its thread is a daemon, what it still makes is
        discarded, and a `RuntimeWarning` and the outcome name it.
        """
        with _named_lock:
            if _named.get(self.name) is self:
                del _named[self.name]
        with self._lock:  # a start that is under way comes to its end first
            dispatcher = self._dispatcher
        if dispatcher is None:
            self.cancel()
            return
        already = dispatcher.outcome is not None
        abandoned = dispatcher.cleanup(timeout)
        if abandoned and not already:
            names = ", ".join(map(repr, abandoned))
            warnings.warn(
                f"session {self.name!r} was closed while {names} was still in user code after {timeout} s; it is "
                "abandoned and what it still makes is discarded",
                RuntimeWarning,
                stacklevel=2,
            )

    def reset(self) -> None:
        """Make the graph changeable again after an end. Raises `AlreadyStarted` while it runs."""
        with self._lock:
            if self._dispatcher is not None:
                if self._dispatcher.outcome is None:
                    raise AlreadyStarted(f"session {self.name!r} is running; stop(), cancel() or wait() before reset()")
                self._dispatcher.cleanup(CLOSE_S)
            self._dispatcher = self._hand = self._proxies = self._control = self._ended_new = None
            self._environment.frozen = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Wait for the end and close; with an exception, or an open input that nobody could end, cancel and close.

        Raises `TaskFailed` if the job failed and no `wait()` has told so, however early that was.
        """
        try:
            dispatcher = self._dispatcher
            if kind is None and dispatcher is not None and not dispatcher.is_failure_told:
                if not dispatcher.is_cancelled and self._hand is not None and (open_ := self._hand.open_inputs()):
                    names = ", ".join(f"end({name!r})" for name in open_)
                    raise InputOpen(
                        f"the block ended while an input was open, and nobody could end it; call {names} first"
                    )
                if not dispatcher.tasks:  # services alone serve until they are stopped
                    dispatcher.stop()
                dispatcher.wait()
        finally:
            self.close()

    # ── the hand ──

    def send(self, name: str, value: Any, *, timeout: float | None = CLOSE_S) -> None:
        """Put `value` into the input `name`, waiting at most `timeout` seconds (None: without limit) while it is full.

        Raises `UnknownName`, `QueueFull`, `TaskEnded`, `NotStarted`.
        """
        self._running_hand().send(name, value, timeout)

    def inject(self, target: str, value: Any, *, input: int | None = None, timeout: float | None = 0) -> None:
        """Put `value` into the queue of an operator or task, as if it had arrived on its input.

        `input` says on which, where two streams are connected or joined: 0 or 1. It is accepted before the task begins
        to end and before that input has ended, or refused. Raises `UnknownName`, `QueueFull` if there is no room within
        `timeout` seconds, `TaskEnded`, `NotStarted`, `GraphInvalid`, and what a key function raises.
        """
        self._running_hand().inject(target, value, timeout, input)

    def end(self, name: str) -> None:
        """End the input `name`: what it holds is still processed. Raises `UnknownName`, `NotStarted`."""
        self._running_hand().end(name)

    def call(
        self, service: str, /, *args: Any, method: str = DEFAULT_METHOD, timeout: float | None = None, **kwargs: Any
    ) -> Any:
        """Call a method of a service from outside, and wait for what it returns, at most `timeout` seconds (None: 10).

        Raises what the method raises (`ServiceFailed` in place of SystemExit and the like), `ServiceTimeout`,
        `ServiceStopped`, `UnknownName`, `WrongArguments`, `NotStarted`, and `GraphInvalid` for a timeout that is no
        number of seconds. An interrupt gives up the call, not the job.
        """
        return self._call(service, method, args, kwargs, timeout)

    @property
    def services(self) -> Services:
        """The services by name. `session.services["clock"].now()` is a `call`, of 10 seconds at most."""
        return Services(tuple(node.name for node in self.graph.service_nodes), self._call)

    def intercept(self, interceptor: Interceptor) -> Callable[[], None]:
        """Let every request of every service go through `interceptor`, on the service's thread. Returns what ends it.

        `interceptor(invocation)` returns the reply, mostly that of `invocation.proceed()`; it may look, measure, change
        arguments and reply, raise, or wait. The first one is the outermost. May be called at any time. Raises
        `GraphInvalid` for what cannot be called so.
        """
        refuse_interceptor(interceptor)
        this = object()
        with self._lock:
            self._interceptors[this] = interceptor
            self._intercept()

        def remove() -> None:
            with self._lock:
                self._interceptors.pop(this, None)
                self._intercept()

        return remove

    def _intercept(self) -> None:
        if self._dispatcher is not None:
            self._dispatcher.intercept(tuple(self._interceptors.values()))

    def _call(
        self, service: str, method: str, args: tuple[Any, ...], kwargs: Mapping[str, Any], timeout: float | None = None
    ) -> Any:
        if self._proxies is None:
            raise self._not_started()
        try:
            return self._proxies.call_sync(service, (method, args, kwargs), timeout)
        except QueueUnreachable:
            raise ServiceStopped(f"service {service!r} has stopped with its job; start the session again") from None

    def _running_hand(self) -> Hand:
        hand = self._hand
        if hand is None:
            raise self._not_started()
        return hand

    # ── control ──

    def pause(self, *names: str, timeout: float | None = REACH_S) -> tuple[str, ...]:
        """Hold tasks, services or whole operators behind the packet in work; all of them, if none is named.

        Returns when every gate is reached; after `timeout` seconds, whoever is still in user code then (they stop
        behind their packet all the same). Nothing is lost, doubled or reordered. Idempotent. Raises `UnknownName`,
        `NotStarted`.
        """
        return self._in_control().pause(names, timeout)

    def resume(self, *names: str) -> None:
        """Let tasks, services or operators run again; all of them, if none is named. Idempotent."""
        self._in_control().resume(names)

    @overload
    def step(self, task: str | None = None, *, timeout: float | None = REACH_S) -> Step: ...

    @overload
    def step(self, task: str | None, n: int, *, timeout: float | None = REACH_S) -> list[Step]: ...

    def step(self, task: str | None = None, n: int = 1, *, timeout: float | None = REACH_S) -> Step | list[Step]:
        """One turn of a paused task or service: one packet, request, or stop signal. With `n`, as many, as a list.

        Without a name it is the turn of a service that somebody waits for, else of the task deepest in the graph that
        has something to do, a source only if nothing is queued. Waits at most `timeout` seconds for user code, and for
        whatever paused task the step has set going again. A packet that is held back or waits keeps its turn until it
        is done; the next step without a name tells what it came to. So, while all are paused, the steps are the same
        in every run. An interrupt gives up the waiting, not the turn. Raises `NotPaused`, `UnknownName`, `NotStarted`.
        """
        control = self._in_control()
        if type(n) is not int or n < 1:
            raise GraphInvalid(f"n of step is {preview(n)}; it must be a whole number of at least 1")
        if n == 1:
            return control.step(task, timeout)
        return [control.step(task, timeout) for _ in range(n)]

    def step_through(self, until: Callable[[Step], object], *, timeout: float | None = REACH_S) -> list[Step]:
        """Step, whoever's turn it is, until `until(step)` is true or nothing is left to do. The steps, in order."""
        return self._in_control().step_through(until, timeout)

    def follow(self, packet: Packet, *, timeout: float | None = REACH_S) -> Path:
        """Step one packet that `peek` has shown, and all that is made of it, to the end; its way as a small tree.

        Raises `NotPaused`, `PacketGone`, `TimeoutError`.
        """
        return self._in_control().follow(packet, timeout)

    def peek(self, task: str, first: int = 100, last: int = 0) -> QueueView:
        """The `first` and the `last` packets that wait for a task, service or operator. Consumes nothing.

        Exact of a paused task; of a running one, what was there at some moment. Raises `UnknownName`.
        """
        if self._control is None:
            if task not in (capacities := self.graph.capacities()):
                raise UnknownName("task, operator or service", task, capacities)
            return QueueView(task, (), 0, capacities[task])
        return self._control.peek(task, first, last)

    def edit(self, packet: Packet, value: Any) -> None:
        """Let a packet that waits for a paused task have another payload, and so another key.

        Raises `NotPaused`, `PacketGone` if it has been worked or dropped, `CommandRefused` if by its key it would
        belong to another task, and what the key function raises.
        """
        self._in_control().edit(packet, value)

    def drop(self, packet: Packet) -> None:
        """Take a packet that waits for a paused task out of its queue; it counts as dropped. Raises as `edit`."""
        self._in_control().drop(packet)

    def move(self, packet: Packet, to: int) -> None:
        """Move a packet that waits for a paused task in its lane, to index `to` from the front. Raises as `edit`."""
        self._in_control().move(packet, to)

    def undo(self) -> None:
        """Take back the last `edit`, `drop` or `move` that has not been taken back.

        Raises `CommandRefused` if there is none, `NotPaused`, `PacketGone` if the packet has been worked since, and
        `QueueFull` if the place of a dropped one has been taken.
        """
        self._in_control().undo()

    def breakpoint(self, task: str, when: Callable[[Any], object] | None = None) -> Breakpoint:
        """Pause the job before the next packet of a task for which `when(payload)` is true; each, without `when`.

        `when` runs on the task's thread; if it raises, the job is paused, too. Raises `UnknownName`, `CommandRefused`
        for sources and services.
        """
        return self._in_control().breakpoint(task, when)

    def tap(self, task: str) -> Tap:
        """A context manager that collects what passes a task or service: `with session.tap("count") as seen:`."""
        return self._in_control().tap(task)

    def state(self, task: str) -> Any:
        """What a task remembers: its reduced values or `ctx.state`, by key where its input is keyed."""
        return self._in_control().state(task)

    def set_state(self, task: str, key: Any, value: Any) -> None:
        """Let a paused task remember `value` for `key`. Raises `NotPaused`, `CommandRefused`, `UnknownName`."""
        self._in_control().set_state(task, key, value)

    def _in_control(self) -> Control:
        if self._control is None:
            raise self._not_started()
        return self._control

    # ── facts ──

    @property
    def status(self) -> JobState:
        """`new`, `running`, `draining` after `stop()`, then how it ended."""
        if self._dispatcher is not None:
            return self._dispatcher.state
        return "new" if self._ended_new is None else self._ended_new.state

    @property
    def outcome(self) -> Outcome | None:
        """How the last run ended; None while there is none."""
        return self._ended_new if self._dispatcher is None else self._dispatcher.outcome

    @property
    def events(self) -> tuple[Event, ...]:
        """What happened in this run: starts, commands, stop signals, ends, errors, skips, warnings. The last 10,000."""
        return () if self._dispatcher is None else tuple(self._dispatcher.events)

    @property
    def turns(self) -> list[str]:
        """With a seed: who had which turn and what for, in order, a line each; else empty. The last million.

        `count#0: work` took a packet, `count#0: reply` had its answer, `time: 0.5 s` is a step of the virtual time.
        """
        return [] if self._dispatcher is None else self._dispatcher.backend.turns

    @property
    def dead_letters(self) -> DeadLetters:
        """What this run has skipped, to be retried or discarded: the last 1,000, all counted. Empty before a start."""
        return DeadLetters() if self._dispatcher is None else self._dispatcher.dead_letters

    def snapshot(self) -> Snapshot:
        """Every task and service as it stands now: depth, state, counts, stop progress. Costs them nothing."""
        return Snapshot(self.status, NoTasks()) if self._dispatcher is None else self._dispatcher.snapshot()

    def metrics(self) -> Metrics:
        """All counters and depths now, as plain dicts: `session.metrics()["task_processed"]["count#2"]`.

        Of each task `task_` `processed`, `emitted`, `errors`, `skipped`, `retries`, `queue_depth`, `queue_capacity`; of
        each service `service_` `calls`, `results`, `errors`, `timeouts`, `stopped`, `late_replies`, `lost_replies`,
        `queue_depth`, `queue_capacity`. What they count is said in `TaskFacts` and `ServiceFacts`.
        """
        return metrics_of(self.snapshot())

    def settle(self, timeout: float | None = None) -> None:
        """Wait until nothing will change until something from outside does: all are idle, held back, paused or ended.

        Services are waited for as well. Raises `TimeoutError`, `NotStarted`.
        """
        if self._ended_new is None and not self._run().settle(timeout):
            raise TimeoutError(f"the job has not settled within {timeout} s")

    def validate(self) -> None:
        """Raise the `GraphInvalid` that `start()` would raise for the graph as it is now."""
        validate(self._environment.graph())

    def _run(self) -> Dispatcher:
        dispatcher = self._dispatcher
        if dispatcher is None:
            raise self._not_started()
        return dispatcher

    def _not_started(self) -> NotStarted:
        return NotStarted(f"session {self.name!r} has not been started; call start() or run() first")

    # ── looks ──

    def __repr__(self) -> str:
        graph = self.graph
        tasks = sum(operator.parallelism for operator in graph.operators)
        return f"Session({self.name!r}, {self.status}: {len(graph.operators)} operators, {tasks} tasks)"

    def __str__(self) -> str:
        return as_text(self.graph, self.snapshot())

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        bundle: dict[str, Any] = {"text/plain": repr(self)}
        for entry in metadata.entry_points(group=DISPLAY_HOOK):
            try:
                bundle |= entry.load()(self)
            except Exception as error:  # noqa: BLE001  the border to whoever draws: the text is there in any case
                warnings.warn(f"{entry.value} could not draw {self.name!r}: {error!r}", RuntimeWarning, stacklevel=2)
        return bundle


DISPLAY_HOOK: Final = "runtime.display"
"""The entry point group in which another package offers a picture: a function from a session to a mime bundle."""


def _in_kernel() -> bool:
    """Whether this is an interactive kernel, where a cell is run again and again."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return getattr(shell, "kernel", None) is not None
