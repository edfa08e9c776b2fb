"""Session: the graph, its runs and the user's hand on them, as one object. It asks; what happens is elsewhere."""

from __future__ import annotations

import itertools
import warnings
import weakref
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from contextvars import copy_context
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, TypeVar, Unpack, overload

from runtime.builder.connected import SourceSettings
from runtime.builder.environment import Environment
from runtime.builder.stream import Stream
from runtime.control.calling import Service
from runtime.control.records import Record
from runtime.errors import CommandRefused, GraphInvalid, InputOpen
from runtime.facts import Outcome
from runtime.graph.policy import MAX_RESULTS_BYTES, OnError
from runtime.graph.rate import Rate
from runtime.graph.validation import refuse_interceptor
from runtime.operators import Indexed, SourceFunction
from runtime.operators.function import AwaitedItems
from runtime.python.interactive import in_kernel, listening
from runtime.reporting.face import View, dashboard, display, displayed, mimebundle, one_line, write_svg
from runtime.reporting.progress import wait_with_progress
from runtime.reporting.text import as_text
from runtime.scheduling.command import Command
from runtime.service.invocation import Interceptor
from runtime.session.runs import CLOSE_S, Runs
from runtime.session.steering import Steering
from runtime.texts.preview import preview

T = TypeVar("T")
Change = Literal["built", "starting", "started", "ended", "reset", "closed"]
"""What has happened to a session as a whole: operators were added, and so on."""

_numbers = itertools.count(1)
_named: dict[str, list[Session]] = {}  # in an interactive kernel, until they are closed; the newest last


class Session(Steering):
    """A dataflow graph that a person can write, run, look into and stop.

    Build with `source`, `input` and the methods of `Stream`; then `run()`, or `start()` and `wait()`. Every command may
    be given from any thread. Use it as a context manager, or `close()` it: afterwards nothing of it runs any more.

    * `name`: in an interactive kernel, a new session closes the older one of the same name. Without a name it is alone.
    * `platform`: where tasks run; `"local"` is threads of this process, `"remote"` an actor for each on Ray.
    * `capacity`: how many packets may wait in front of each task; an operator may have its own.
    * `on_error`: what an exception in user code does; `"fail"` cancels the job, `"skip"` keeps the packet in
      `dead_letters` and goes on, a `Retry` tries again first. An operator may have its own.
    * `max_results_bytes`: how much of the results of one packet may be held in memory where a packet may be skipped or
      tried again, estimated (256 MiB).
    * `seed`: one thread runs at a time, for one packet, in an order that the seed decides, and time is virtual: the
      same seed, the same run, as far as user code itself is the same each time. `turns` is what happened. A function
      that waits for another one by means of its own, not through `ctx`, keeps the turn and waits for ever.
    * `trace`: every packet has an id, the ids of its parents and a timestamp, in `peek`, `step`, `tap` and `follow`.
      That costs some microseconds for each packet; without it none of the three exists.
    * `chaining`: consecutive quick tasks are worked by one thread, packet by packet, while nobody holds them, and by
      a thread each as soon as somebody does, or one of them takes long; so the thread that calls a function may be
      another one later. `chaining=False`: always by a thread each. Nothing is chained under a seed and on Ray.
    * `ray_address`: of a cluster for `"remote"`. Without it, that of your own `ray.init`, or a local one.
    * `resources`: for `"remote"`, what Ray is to give each task of an operator, or a service:
      `{"count": {"num_cpus": 0.5}}`. Without it they need no CPU of Ray's, and are spread over its machines.

    Raises `GraphInvalid`.

    >>> with Session("sizes") as session:
    ...     words = session.source("to be or not to be".split(), name="words")
    ...     sizes = words.key_by(len).reduce(lambda n, _: n + 1, initial=0, emit="end", name="count").collect()
    ...     session.run()
    Outcome(completed: 6 in, 2 out)
    >>> sorted(sizes)
    [(2, 5), (3, 1)]
    """

    def __init__(
        self,
        name: str | None = None,
        *,
        platform: str = "local",
        capacity: int = 1024,
        on_error: OnError = "fail",
        max_results_bytes: int = MAX_RESULTS_BYTES,
        seed: int | None = None,
        trace: bool = False,
        chaining: bool = True,
        ray_address: str | None = None,
        resources: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        given, name = name, f"session-{next(_numbers)}" if name is None else name
        self._environment = Environment(
            name,
            platform=platform,
            capacity=capacity,
            on_error=on_error,
            max_results_bytes=max_results_bytes,
            seed=seed,
            trace=trace,
            chaining=chaining,
            ray_address=ray_address,
            resources=dict(resources or {}),
        )
        super().__init__(Runs(self._environment))
        self._last_change: Change | None = None
        self._listeners: dict[object, Callable[[Change], None]] = {}  # by what stands for one call of `on_change`
        self._environment.on_change(partial(_tell_change, weakref.ref(self), "built"))
        self._runs.commands.end_without(self)
        if given is not None and in_kernel():
            of_this_name = _named.setdefault(name, [])
            of_this_name.append(self)  # in one step: of two that come at once, the later one closes the other
            for older in of_this_name[: of_this_name.index(self)]:
                older.close()

    # ── the graph ──

    @overload
    def source(
        self,
        items: Iterable[T] | Callable[[], Iterable[T]] | Callable[[], AwaitedItems[T]] | SourceFunction[T],
        **settings: Unpack[SourceSettings],
    ) -> Stream[T]: ...

    @overload
    def source(self, items: Indexed[T], **settings: Unpack[SourceSettings]) -> Stream[T]: ...

    def source(
        self,
        items: Any,
        *,
        name: str | None = None,
        parallelism: int = 1,
        on_error: OnError | None = None,
        rate: Rate | None = None,
        chain: bool | None = None,
    ) -> Stream[Any]:
        """A stream of what `items` yields: an iterable, a callable that returns one, or a SourceFunction.

        With parallelism n each item of an iterable is sent once: of a list, a range and whatever is read by index,
        instance i sends items i, i + n …; of any other, which goes through one iterator, each item goes to the instance
        that asks first (on Ray it is drawn from in the driver). A callable is called, and a SourceFunction copied, per
        instance. A bare iterator can be run once, by one instance of one source. An `async def` that yields, or returns
        an iterable, is awaited item by item; a stop ends it where it awaits, and its `finally` runs. What yields
        `runtime.IDLE` has nothing to send at the moment: no packet, but the task can be stopped, paused and stepped
        there. With `chain=True` also a generator and a SourceFunction may be drawn from by one thread now and by
        another one later.

        Raises `GraphInvalid`, `GraphFrozen`.
        """
        return self._environment.source(
            items, name=name, parallelism=parallelism, on_error=on_error, rate=rate, chain=chain
        )

    def input(self, name: str, *, capacity: int | None = None, rate: Rate | None = None) -> Stream[Any]:
        """A stream of what `send` puts in, until `end(name)` or `stop()`. Raises `GraphInvalid`, `GraphFrozen`."""
        return self._environment.input(name, capacity=capacity, rate=rate)

    def service(
        self, name: str, make: Callable[[], Any], *, concurrency: int = 1, capacity: int | None = None
    ) -> Service:
        """A service `name`: the object that `make` (a class, or any function without arguments) returns in each run.

        Its public methods are called by `ctx.call_service(name, …)` from functions and other services and by
        `session.call(name, …)` from outside, `process` if nothing else is said. They run on `concurrency` threads of
        its own, so with more than one it must be thread-safe. At most `capacity` requests wait (without it, as many as
        the session's); who calls then is held back. If the object has `setup()` and `close()`, they are called before
        the first request and after the last; if it has no `ctx` it gets one, to call other services. If some methods
        are `async def`s, one thread answers up to `concurrency` requests at once, in one event loop. What a method
        raises is raised in its caller; what `make`, `setup` and `close` raise fails the job. Returns what calls the
        service by hand, as `services` does. Raises `GraphInvalid`, `GraphFrozen`.
        """
        self._environment.service(name, make, concurrency=concurrency, capacity=capacity)
        return self.services[name]

    # ── life ──

    def start(self, *, paused: bool = False) -> None:
        """Run the graph, without waiting.

        `paused`: with every gate closed, and all tasks in front of theirs when it returns (those that are not open
        within 5 seconds come there later). After an end it runs again: callables and iterables anew, with empty state.

        Raises `AlreadyStarted`, and `GraphInvalid` before anything runs.
        """
        context = copy_context()
        runs = self._runs  # what is done holds the run, not the session
        tell = partial(_tell_change, weakref.ref(self))
        runs.do("start", lambda: runs.start(context, tell, paused=paused), lasting=True)
        self._tell("started")
        if paused and (run := runs.run) is not None:
            runs.do("start", run.pausing.wait_for_gates)

    def goto(self, turn: int) -> None:
        """With a seed: run again from the start, and stand still after turn number `turn` of `turns`, all paused.

        The turns up to there are those of every run with this seed that nobody touches by hand. Functions are called
        again, from the start; a run that is there is cancelled. A packet that is half sent then comes to its end first.
        Raises `CommandRefused` without a seed, in a graph with an input (what was sent there is not sent again), if the
        run ends or stops at a breakpoint before that turn; `GraphInvalid` for a number that is none; as `start`.

        >>> import runtime
        >>> session = runtime.Session(seed=7)
        >>> result = session.source([3, 4], name="numbers").map(abs, name="absolute").collect(name="result")
        >>> outcome = session.run()
        >>> session.goto(len(session.turns) // 2)
        >>> session.snapshot().state
        'running'
        >>> session.close()
        """
        runs = self._runs
        runs.refuse_own_tasks("goto()", "call it outside")
        _refuse_turn(turn, runs)
        if (run := runs.run) is not None and run.is_live:
            runs.do("goto", lambda: runs.close(CLOSE_S))
        context, tell = copy_context(), partial(_tell_change, weakref.ref(self))
        runs.do("goto", lambda: runs.start(context, tell, paused=False, until=turn), lasting=True)
        self._tell("started")
        pausing = runs.started().pausing
        runs.do("goto", lambda: pausing.pause_after(turn))

    def run(self, timeout: float | None = None) -> Outcome:
        """`start()` and `wait()`."""
        self.start()
        return self.wait(timeout)

    def wait(self, timeout: float | None = None, *, progress: bool = False) -> Outcome:
        """Wait for the end, at most `timeout` seconds, and say how it ended.

        `progress`: with a bar for each source and each end of the graph, by tqdm.

        Raises `TaskFailed` from the user's exception if the job failed, `TimeoutError` if it still runs (it goes on),
        `JobPaused`, naming who, as soon as it stands still because of a pause, `NotStarted`. While a person holds the
        job in a view, who can let it go on there, it waits. An interrupt ends the wait, not the job.
        """
        if (ended := self._runs.ended_new) is not None:
            return ended
        if progress:
            return wait_with_progress(self, timeout)
        dispatcher = self._runs.started().dispatcher
        return self._runs.do("wait", lambda: dispatcher.until_ended(timeout))

    async def wait_async(self, timeout: float | None = None) -> Outcome:
        """`wait()` for a coroutine: the event loop, and with it the notebook's kernel, stays free."""
        import asyncio  # noqa: PLC0415  where something awaits, it is there

        if (ended := self._runs.ended_new) is not None:
            return ended
        dispatcher, commands = self._runs.started().dispatcher, self._runs.commands
        self._runs.refuse_own_tasks("wait_async()")
        loop = asyncio.get_running_loop()
        news = asyncio.Event()
        command = Command(lambda: dispatcher.until_ended(timeout), lambda _: loop.call_soon_threadsafe(news.set))
        try:
            commands.give(command)
            with listening():
                await news.wait()
        except BaseException:
            commands.withdraw(command)
            raise
        outcome: Outcome = command.result()
        return outcome

    def stop(self) -> None:
        """Stop with drain: sources and inputs end, what is under way is still processed. Returns at once."""
        self._runs.at_once(self._runs.stop)

    def cancel(self) -> None:
        """End now, after the packet in work of each task; what is queued is dropped and counted. Returns at once."""
        self._runs.at_once(self._runs.cancel)

    def close(self, timeout: float = CLOSE_S) -> None:
        """Cancel what runs, wait at most `timeout` seconds, release everything. Idempotent.

        Counts, events, dead letters, the failure and results can be read as before, and previews of what was left in
        queues; functions, and what tasks have remembered, are gone.

        A task that is stuck in user code for longer is abandoned: its thread is a daemon, what it still makes is
        discarded, and a `RuntimeWarning` and the outcome name it. Raises `CommandRefused` in a task or service of its
        own, and does nothing then.
        """
        runs = self._runs
        runs.refuse_own_tasks("close()")  # before anything is undone: what is refused has no effect
        of_this_name = _named.get(self.name, [])
        with suppress(ValueError):
            of_this_name.remove(self)
        try:
            abandoned = runs.do("close", lambda: runs.close(timeout), lasting=True)
        finally:
            self._tell("closed")
        runs.do("close", runs.release)  # after all that show it have seen how it was left
        if abandoned:
            names = ", ".join(map(repr, abandoned))
            warnings.warn(
                f"session {self.name!r} was closed while {names} was still in user code after {timeout} s; it is "
                "abandoned and what it still makes is discarded",
                RuntimeWarning,
                stacklevel=2,
            )

    def reset(self) -> None:
        """Make the graph changeable again after an end. Raises `AlreadyStarted` while it runs."""
        runs = self._runs
        runs.do("reset", runs.reset, lasting=True)
        self._tell("reset")

    def on_change(self, callback: Callable[[Change], None]) -> Callable[[], None]:
        """Call `callback` when the graph is written further, at a start, an end, a reset, a close, on whichever thread.

        Of a start that takes long, also for each event that says what it is doing. A run may end before its start is
        told.

        For whoever shows the session. It must return at once and raise nothing. Returns what ends that.
        """
        this = object()
        self._listeners[this] = callback

        def remove() -> None:
            self._listeners.pop(this, None)

        return remove

    @property
    def is_closed(self) -> bool:
        """Whether it was closed, and neither started nor changed since."""
        return self._last_change == "closed"

    def _tell(self, change: Change) -> None:
        if change != "ended":  # which comes on another thread, maybe after a close
            self._last_change = change
        for listener in tuple(self._listeners.values()):
            listener(change)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Wait for the end and close; with an exception, or an open input that nobody could end, cancel and close.

        Raises `TaskFailed` if the job failed and no `wait()` has told so, however early that was.
        """
        try:
            run = self._runs.run
            if kind is None and run is not None and not (dispatcher := run.dispatcher).completion.is_failure_told:
                if not dispatcher.tally.is_cancelled and (open_ := run.injector.open_inputs()):
                    names = ", ".join(f"end({name!r})" for name in open_)
                    raise InputOpen(
                        f"the block ended while an input was open, and nobody could end it; call {names} first"
                    )
                if not dispatcher.tasks:  # services alone serve until they are stopped
                    self.stop()
                self._runs.do("leaving the block", lambda: dispatcher.until_ended(None))
        finally:
            self.close()

    def intercept(self, interceptor: Interceptor) -> Callable[[], None]:
        """Let every request of every service go through `interceptor`, on the service's thread. Returns what ends it.

        `interceptor(invocation)` returns the reply, mostly that of `invocation.proceed()`; it may look, measure, change
        arguments and reply, raise, or wait. The first one is the outermost. May be called at any time. Raises
        `GraphInvalid` for what cannot be called so.
        """
        refuse_interceptor(interceptor)
        this, runs = object(), self._runs
        runs.at_once(lambda: runs.intercept(this, interceptor))
        return lambda: runs.at_once(lambda: runs.intercept(this, None))

    def validate(self) -> None:
        """Raise the `GraphInvalid` that `start()` would raise for the graph as it is now, on the session's platform.

        What only the platform itself can tell is left to the start: that Ray is not installed, or has no room.
        """
        self._runs.validate()

    # ── looks ──

    def dashboard(self, view: View = "graph") -> object:
        """The session as a live view, steerable by mouse and keyboard: as graph or as table first.

        A widget, for a notebook; a cell that ends in the session itself shows the same. Raises `ImportError` where
        nothing that draws is installed, `ValueError` for another view.
        """
        return dashboard(self, view)

    def to_svg(self, path: str | Path) -> None:
        """Write the picture of the graph, and of its run once that has been waited for, as SVG into a file.

        Raises `ImportError` where nothing that draws is installed, and what writing raises.
        """
        write_svg(self, path)

    def one_line(self) -> str:
        """The same before, during and after a run, so that a notebook can keep it."""
        return one_line(self.name, self.graph)

    def __repr__(self) -> str:
        graph = self.graph
        tasks = sum(operator.parallelism for operator in graph.operators)
        return f"Session({self.name!r}, {self.status}: {len(graph.operators)} operators, {tasks} tasks)"

    def __str__(self) -> str:
        return as_text(self.graph, self.snapshot())

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        return mimebundle(self)

    def _ipython_display_(self) -> None:
        display(self)

    def _display_(self) -> object:
        return displayed(self)


def _refuse_turn(turn: object, runs: Runs) -> None:
    """Raise `GraphInvalid`, `CommandRefused` if no run can be brought to this turn."""
    if type(turn) is not int or turn < 0:
        raise GraphInvalid(f"turn of goto is {preview(turn)}; it must be a whole number from 0 on, as of session.turns")
    if runs.environment.settings.seed is None:
        raise CommandRefused("goto() needs turns, which are handed out under a seed alone: Session(seed=7)")
    if inputs := [repr(each.name) for each in runs.graph.operators if each.traits.is_input]:
        raise CommandRefused(
            f"goto() runs again from the start, and what was sent into {', '.join(inputs)} is not sent again; "
            "give the graph a source in place of it"
        )


def records_of(session: Session) -> list[Record]:
    """For whoever shows a session: what was done to its run by hand, in order, as it can be said again."""
    run = session._runs.run
    return [] if run is None else run.records.in_order()


def _tell_change(session: weakref.ref[Session], change: Change) -> None:
    """Weakly: a run holds the environment, and must not keep a session and its widgets that nobody else holds."""
    if (alive := session()) is not None:
        alive._tell(change)
