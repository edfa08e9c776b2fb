"""Runs: the runs of one session, one at a time: begun, ended and thrown away by its thread of commands.

What a session shares with that thread is here. So the thread holds the run and never the session, and the job of a
session that nobody holds any more can be cancelled.
"""

from __future__ import annotations

from _thread import get_ident
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import Context
from functools import partial
from typing import Any, Final, Literal, TypeVar, overload

from runtime.builder.environment import Environment
from runtime.communication.calls import Ask
from runtime.control.breakpoints import Breakpoint
from runtime.control.hits import Hits
from runtime.control.stops import Stops
from runtime.dispatcher import Dispatcher
from runtime.errors import AlreadyStarted, CommandRefused, NotStarted, QueueUnreachable, ServiceStopped
from runtime.facts import Outcome
from runtime.graph import ExecutionGraph
from runtime.history.dead_letters import Outlets
from runtime.history.event_log import EventLog
from runtime.job_manager import JobManager
from runtime.python.interactive import is_by_person
from runtime.scheduling.command import Command
from runtime.scheduling.commands import Commands
from runtime.scheduling.waiting import Until, Waiting
from runtime.service.invocation import Interceptor
from runtime.service.service_caller import enter_by_hand
from runtime.session.reading import Reading
from runtime.session.run import Run

T = TypeVar("T")
Tell = Callable[[Literal["starting", "ended"]], None]

CLOSE_S: Final = 5.0
"""How long `close()` and leaving a `with` block wait for user code before a task is abandoned."""

_GIVE_UP_S: Final = 5.0  # how long a start that failed waits for what it had started


class Start:
    """A start or reset while it is under way, for which others wait. `events` are those of a run that is being made."""

    def __init__(self) -> None:
        self.events: EventLog | None = None
        self._thread = 0  # that carries out a start, while it does
        self._end: Callable[[Dispatcher], None] | None = None  # what was asked for meanwhile

    def is_here(self) -> bool:
        """Whether the caller is code that a start runs, and waits for: a function's `__deepcopy__`, a finalizer."""
        return get_ident() == self._thread

    def end_by(self, end: Callable[[Dispatcher], None]) -> None:
        """As soon as there is a run, end it by this; of several, the last one counts."""
        self._end = end

    @contextmanager
    def carried_out_here(self) -> Iterator[None]:
        """This thread carries out a start while the block runs."""
        self._thread = get_ident()
        try:
            yield
        finally:
            self._thread = 0

    @contextmanager
    def making(self, dispatcher: Dispatcher) -> Iterator[None]:
        """Tasks are made while the block runs. If it raises, nothing has been taken."""
        self.events = dispatcher.events
        try:
            yield
        except BaseException:
            dispatcher.backend.close()
            raise
        finally:
            self.events = None

    def over(self, dispatcher: Dispatcher) -> None:
        """There is a run: end it, if that was asked for meanwhile."""
        if self._end is not None:
            self._end(dispatcher)


class Runs:
    """The run of a session, if there is one. Any thread may read; only the thread of commands changes it."""

    def __init__(self, environment: Environment) -> None:
        self.environment = environment
        self.commands = Commands(environment.name)
        self.run: Run | None = None
        self.ended_new: Outcome | None = None  # the outcome of a session that ended before it was started
        self.stops = Stops()
        self.outlets: Outlets = {}  # what is given the dead letters of all runs
        self._manager = JobManager(environment)
        self._interceptors: dict[object, Interceptor] = {}  # by what stands for one call of `intercept`
        self._under_way: Start | None = None

    def validate(self) -> None:
        """Raise the `GraphInvalid` that a start would raise, as far as that is known before one."""
        self._manager.validate()

    # ── whoever gives a command ──

    @property
    def name(self) -> str:
        """The session's name."""
        return self.environment.name

    @property
    def starting(self) -> EventLog | None:
        """The events of a run that is being made, while that lasts."""
        return None if (start := self._under_way) is None else start.events

    @property
    def graph(self) -> ExecutionGraph:
        """The graph as it is written so far; of a run, the one that runs."""
        return self.environment.graph() if self.run is None else self.run.dispatcher.graph

    def is_own_thread(self) -> bool:
        """Whether the caller is a thread of the job, which must not wait for what is done to the job.

        While one carries out a command it does not count: a finalizer that runs there must change nothing itself.
        """
        run = self.run
        return run is not None and not self.commands.is_here() and run.dispatcher.backend.is_own_thread()

    def _is_starting_here(self) -> bool:
        return (start := self._under_way) is not None and start.is_here()

    def refuse_own_tasks(self, command: str, *instead: str) -> None:
        """Raise `CommandRefused` on a thread of the job, of a start that is under way, and of commands."""
        if self._is_starting_here():
            raise CommandRefused(
                f"{command} was called by code that the start of session {self.name!r} runs, a `__deepcopy__` or a "
                "finalizer, and would wait for that start; call it when start() has returned"
            )
        self.commands.refuse_here()
        if self.run is not None:
            self.run.dispatcher.refuse_own_tasks(command, *instead)

    @overload
    def do(self, command: str, work: Callable[[], Waiting[T]], *, lasting: bool = False) -> T: ...

    @overload
    def do(self, command: str, work: Callable[[], T], *, lasting: bool = False) -> T: ...

    def do(self, command: str, work: Callable[[], Any], *, lasting: bool = False) -> Any:
        """Have something done that has a result. Raises `CommandRefused` on a thread of the job."""
        self.refuse_own_tasks(f"{command}()", "call it outside")
        return self.commands.do(work, lasting=lasting)

    def change(self, work: Callable[[], Waiting[None] | None]) -> None:
        """Have something done that has no result; on a thread of the job, or of a start, without waiting for it."""
        if self.run is not None and self.is_own_thread():
            self.run.workers.post(work)
        elif self._is_starting_here() or self.commands.is_here():
            self.commands.give(Command(work))
        else:
            self.commands.do(work)

    def at_once(self, work: Callable[[], None]) -> None:
        """Have something done that never waits, on a thread of the job by itself: no interrupt comes there."""
        if self.is_own_thread():
            work()
        elif self.commands.is_here():  # in a finalizer
            self.commands.give(Command(work))
        else:
            self.commands.do(work)

    def call(self, service: str, ask: Ask, timeout_s: float | None = None) -> Any:
        """Call a service by hand, and wait for the answer. A thread of the job waits as it does for its own calls."""
        proxies = self.started().proxies
        try:
            if self.is_own_thread():
                return proxies.call_sync(service, ask, timeout_s)
            call, answer = proxies.prepare_by_hand(service, ask, timeout_s)
            return self.commands.ask(lambda: enter_by_hand(call), answer, lambda: call.queue.ledger.abandon(call))
        except QueueUnreachable:
            raise ServiceStopped(f"service {service!r} has stopped with its job; start the session again") from None

    def set_breakpoint(self, found: Breakpoint) -> None:
        """Stop each run before packets of a task. Raises `UnknownName`, `CommandRefused`, `NotSendable`."""
        is_set = False
        while not is_set:
            hits = self._live_hits()
            condition = found.when if hits is None else self.stops.condition_of(found, self.graph, hits)
            is_set = self.do("breakpoint", partial(self._set_breakpoint, found, condition, hits))

    # ── the thread of commands ──

    def start(self, context: Context, tell: Tell, *, paused: bool, until: int | None = None) -> Waiting[None]:
        """Run the graph, in a copy of the caller's context. Raises `AlreadyStarted`, `GraphInvalid`.

        If it takes long, `tell` hears "starting" after each event that says what is being done; and "ended" at the end.
        """
        yield from self._alone()
        before = self.run
        if before is not None and before.is_live:
            raise AlreadyStarted(f"session {self.name!r} is running; stop(), cancel() or wait() first")
        start = self._under_way = Start()
        try:
            if before is not None:
                yield from before.dispatcher.until_clean(CLOSE_S)
            intercepted = tuple(self._interceptors.values())
            try:
                work = partial(context.run, self._start, start, intercepted, tell, paused, until)
                yield from self.commands.elsewhere(work, "start")
            except BaseException:  # no more threads, say: half a graph would wait for the other half for ever
                if self.run is not None and self.run is not before:
                    yield from self.run.dispatcher.until_clean(_GIVE_UP_S)
                raise
            dispatcher = self.started().dispatcher
            if before is not None:
                before.release()
            if (interceptors := tuple(self._interceptors.values())) != intercepted:
                dispatcher.intercept(interceptors)
            start.over(dispatcher)
        finally:
            self._under_way = None

    def _start(
        self, start: Start, interceptors: tuple[Interceptor, ...], tell: Tell, paused: bool, until: int | None
    ) -> None:
        """On a thread of its own: make tasks, which may take long and runs user code, and start them."""
        with start.carried_out_here():
            dispatcher = Dispatcher(*self._manager.submit(), self._manager, self.outlets)
            with start.making(dispatcher):
                dispatcher.submit(lambda: tell("starting"))
                run = Run.of(dispatcher, self.commands)
                for warning in self.stops.begin(dispatcher.graph, run.hits):
                    dispatcher.warned(None, warning)
                if until is not None and (seeded := dispatcher.backend.changes.seeded) is not None:
                    seeded.stop_after(until)
                if paused:
                    run.pausing.close_gates(by_person=is_by_person())
            dispatcher.completion.on_end(lambda: tell("ended"))
            self._begin(run, interceptors)

    def _begin(self, run: Run, interceptors: tuple[Interceptor, ...]) -> None:
        """Let the tasks of a run begin. If that raises, they have to be ended."""
        dispatcher = run.dispatcher
        self._manager.job_starts()
        dispatcher.completion.tell(self.commands.tell)
        dispatcher.dead_letters._belong_to(run)
        for collected in self.environment.collected:
            collected.bind(Reading(run))
        dispatcher.intercept(interceptors)
        run.proxies.find_all()
        self.run, self.ended_new = run, None
        self.commands.do(partial(self._serve, dispatcher))  # what its tasks put down is carried out from the first on
        dispatcher.start()

    def _serve(self, dispatcher: Dispatcher) -> None:
        """Let commands hear what the run changes."""
        self.commands.serve(
            dispatcher.backend.changes, lambda: not dispatcher.completion.has_come, lambda: self.close(CLOSE_S)
        )

    def stop(self) -> None:
        """Stop with drain."""
        self._end(Dispatcher.stop, Outcome("stopped", 0, 0))

    def cancel(self) -> None:
        """End now."""
        self._end(Dispatcher.cancel, Outcome("cancelled", 0, 0))

    def _end(self, end: Callable[[Dispatcher], None], ended_new: Outcome) -> None:
        run = self.run
        if (start := self._under_way) is not None and not self._is_live():
            start.end_by(end)
        elif run is not None:
            end(run.dispatcher)
        elif self.ended_new is None:
            self.ended_new = ended_new

    def close(self, timeout_s: float) -> Waiting[tuple[str, ...]]:
        """Cancel what runs, wait, release everything. Comes to the tasks that were abandoned by that."""
        yield from self._alone()
        if self.run is None:
            self.cancel()
            return ()
        was_live = self.run.is_live
        abandoned = yield from self.run.dispatcher.until_clean(timeout_s)
        return abandoned if was_live else ()

    def release(self) -> None:
        """After a close: let go of what the run, and what was set for runs to come, holds of the user's."""
        if self._under_way is not None or self._is_live():
            return  # somebody has started it again meanwhile
        self.stops.close()
        if self.run is not None:
            self.run.release()

    def reset(self) -> Waiting[None]:
        """Throw an ended run away. Raises `AlreadyStarted` while it runs."""
        yield from self._alone()
        if self.run is not None:
            if self.run.is_live:
                raise AlreadyStarted(f"session {self.name!r} is running; stop(), cancel() or wait() before reset()")
            self._under_way = Start()
            try:
                yield from self.run.dispatcher.until_clean(CLOSE_S)
            finally:
                self._under_way = None
        self.run = self.ended_new = None
        self.environment.unfreeze()

    def _is_live(self) -> bool:
        return self.run is not None and self.run.is_live

    def _live_hits(self) -> Hits | None:
        return self.run.hits if self.run is not None and self.run.is_live else None

    def _alone(self) -> Waiting[bool]:
        """Wait for a start or reset that is under way."""
        return (yield Until(lambda: self._under_way is None, watched=False))

    def _set_breakpoint(self, found: Breakpoint, condition: Any, hits: Hits | None) -> Waiting[bool]:
        """Set a breakpoint, with what was made of its condition for the tasks of `hits`.

        False: there is another run by now, for which that is to be made anew.
        """
        yield from self._alone()
        if hits is not self._live_hits():
            return False
        self.stops.add(found, condition, self.graph, hits)
        return True

    def remove_breakpoint(self, found: Breakpoint) -> Waiting[None]:
        """Let no task ask it any more."""
        yield from self._alone()
        self.stops.remove(found, self.graph, self._live_hits())

    def why_no_packets(self) -> str:
        """Why no packet can come at present; empty while a run is there, or begins."""
        if self._under_way is not None or self._is_live():
            return ""
        return f"{'there is no job' if self.run is None else 'the job has ended'}; start() makes it live again"

    def intercept(self, this: object, interceptor: Interceptor | None) -> None:
        """Let requests go through another interceptor, known as `this`; None: through that one no more."""
        before = dict(self._interceptors)
        self._interceptors.pop(this, None)
        if interceptor is not None:
            self._interceptors[this] = interceptor
        try:
            if self.run is not None:
                self.run.dispatcher.intercept(tuple(self._interceptors.values()))
        except BaseException:
            self._interceptors = before
            raise

    def started(self) -> Run:
        """The run there is. Raises `NotStarted`."""
        if (run := self.run) is None:
            raise NotStarted(f"session {self.name!r} has not been started; call start() or run() first")
        return run
