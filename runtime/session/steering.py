"""The commands by which a running job is steered: feed it, call its services, pause, step, look, edit, watch.

What they do is in `control` and `proxy`. Here they have their names, check their arguments, and raise `NotStarted`
without a run.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast, overload

from runtime.builder.collected import Collected
from runtime.communication.calls import DEFAULT_METHOD
from runtime.communication.packet import Packet
from runtime.control.breakpoints import Breakpoint, Tap
from runtime.control.calling import Services
from runtime.control.holding import Held
from runtime.control.pausing import REACH_S
from runtime.control.profiling import profile
from runtime.errors import GraphInvalid, TaskFailed, UnknownName
from runtime.history.dead_letters import DeadLetter
from runtime.origins.origin import Origin
from runtime.python.asynchronous import refuse_async
from runtime.python.interactive import is_by_person
from runtime.questions.asking import Asking
from runtime.reporting.profile import Profile
from runtime.scheduling.command import Command
from runtime.scheduling.waiting import deadline_of
from runtime.session.again import again_of
from runtime.session.observed import Observed
from runtime.step import Path, QueueView, Step
from runtime.texts.preview import preview

if TYPE_CHECKING:
    from runtime.session.session import Session

SEND_S: Final = 5.0
"""How long `send` waits for room."""

ASK_S: Final = 10.0
"""How long `ask` waits for an answer."""

F = TypeVar("F", bound=Callable[..., Any])


class Steering(Observed):
    """The part of a session that works on the run there is."""

    # ── the hand ──

    def send(self, name: str, value: Any, *, timeout: float | None = SEND_S) -> None:
        """Put `value` into the input `name`, waiting at most `timeout` seconds (None: without limit) while it is full.

        Raises `UnknownName`, `QueueFull`, `TaskEnded`, `NotStarted`.
        """
        self._runs.started().send(name, value, timeout)

    def inject(self, target: str, value: Any, *, input: int | None = None, timeout: float | None = 0) -> None:
        """Put `value` into the queue of an operator or task, as if it had arrived on its input.

        `input` says on which, where two streams are connected or joined: 0 or 1. It is accepted before the task begins
        to end and before that input has ended, or refused. It is a change by hand, as an edit is: `events` tell of it,
        and `undo` takes it back while the packet waits. `send`, which feeds a job, is none. Raises `UnknownName`,
        `QueueFull` if there is no room within `timeout` seconds, `TaskEnded`, `NotStarted`, `GraphInvalid`, and what a
        key function raises; then nothing has happened, and no event tells of it.
        """
        self._runs.started().inject(target, value, input, timeout)

    def ask(self, input: str, value: Any, *, timeout: float | None = ASK_S, many: bool = False) -> Any:
        """Put `value` into an input, and return the first of what comes to a `reply()` of it.

        What a function sends belongs to the question of the packet in work; a batch's result to its packet, a join's to
        the row that came last. What is kept (rows, folded values, and what is sent at the end of the input) belongs to
        nobody, and keeps no question open. A question is over when no packet of it is left anywhere: `NoReply` is
        raised at that moment, or the error of the first packet of it that was skipped.

        With `many`, all replies, once it is over: a list with `errors`, of what was skipped.

        Waits at most `timeout` seconds (None: without limit), for room in the input as well. Replies that come later
        than the answer are counted. Raises `TimeoutError`; `JobPaused` as soon as a task on the way is paused by hand
        (`JobHeld` if that is because a packet is held); `TaskFailed`, or `TaskEnded` when the job is cancelled, closed
        or over, or the input has ended; `UnknownName`, `GraphInvalid` if no way leads to a reply, `NotStarted`; and
        `CommandRefused` on a thread of the job, where `ctx.call_service(input, value)` asks. An interrupt gives up the
        question, not the job.

        >>> import runtime
        >>> session = runtime.Session()
        >>> session.input("number").map(lambda n: n * n).reply()
        >>> session.start()
        >>> session.ask("number", 7)
        49
        >>> session.close()
        """
        asking = self._asking("ask()")
        return asking.ask(input, value, timeout, many=many)

    async def ask_async(self, input: str, value: Any, *, timeout: float | None = ASK_S, many: bool = False) -> Any:
        """`ask()` for a coroutine: the event loop stays free, so thousands may be asked at once.

        It waits while a task on the way is paused, and its time stands still meanwhile.
        """
        asking = self._asking("ask_async()")
        return await asking.ask_async(input, value, timeout, many=many)

    def _asking(self, command: str) -> Asking:
        run = self._runs.started()
        self._runs.refuse_own_tasks(command, "ctx.call_service(input, value) asks from there")
        return run.asking

    def end(self, name: str) -> None:
        """End the input `name`: what it holds is still processed. Raises `UnknownName`, `NotStarted`."""
        run = self._runs.started()
        self._runs.at_once(lambda: run.end(name))

    def call(
        self, service: str, /, *args: Any, method: str = DEFAULT_METHOD, timeout: float | None = None, **kwargs: Any
    ) -> Any:
        """Call a method of a service from outside, and wait for what it returns, at most `timeout` seconds (None: 10).

        Raises what the method raises (`ServiceFailed` in place of SystemExit and the like), `ServiceTimeout`,
        `ServiceStopped`, `UnknownName`, `WrongArguments`, `NotStarted`, and `GraphInvalid` for a timeout that is no
        number of seconds. An interrupt gives up the call, not the job.
        """
        return self._runs.call(service, (method, args, kwargs), timeout)

    @property
    def services(self) -> Services:
        """The services by name. `session.services["clock"].now()` is a `call`, of 10 seconds at most."""
        return Services((node.name for node in self.graph.service_nodes), self._runs)

    # ── control ──

    def pause(self, *names: str, timeout: float | None = REACH_S) -> tuple[str, ...]:
        """Hold tasks, services or whole operators after the packet in work; all of them, if none is named.

        Returns when every gate is reached, or after `timeout` seconds the names of those still in user code (they stop
        after their packet all the same). Nothing is lost, doubled or reordered. Idempotent. Raises `UnknownName`,
        `NotStarted`, and `CommandRefused` for `timeout=None` in a function of the job, which would wait for itself; as
        do `step`, `step_through` and `follow`.
        """
        pausing = self._runs.started().pausing
        if self._runs.is_own_thread():
            if timeout is None:
                self._runs.refuse_own_tasks("pause(timeout=None)", "give it a timeout, or call it outside")
            return pausing.pause_here(names)
        person = is_by_person()
        return self._runs.do("pause", lambda: pausing.pause(names, timeout, by_person=person))

    def resume(self, *names: str) -> None:
        """Let tasks, services or operators run again; all of them, if none is named. Idempotent."""
        pausing = self._runs.started().pausing
        self._runs.at_once(lambda: pausing.resume(names))

    @overload
    def step(self, task: str | None = None, *, timeout: float | None = REACH_S) -> Step: ...

    @overload
    def step(self, task: str | None = None, *, n: int, timeout: float | None = REACH_S) -> list[Step]: ...

    @overload
    def step(self, task: str | None, n: int, *, timeout: float | None = REACH_S) -> list[Step]: ...

    def step(
        self, task: str | None = None, n: int | None = None, *, timeout: float | None = REACH_S
    ) -> Step | list[Step]:
        """One turn of a paused task or service: one packet, request, or stop signal. With `n`, as many, as a list.

        Without a name, a service that somebody waits for has the turn, else the task deepest in the graph that has
        something to do, and a source only if nothing is queued. Waits at most `timeout` seconds for user code, and for
        any paused task that the step has set going again. A packet that is held back or waits keeps its turn until it
        is done; the next step without a name returns its result. So, while all are paused, the steps are the same in
        every run. An interrupt gives up the wait, not the turn. Raises `NotPaused`, `UnknownName`, `NotStarted`.

        >>> import runtime
        >>> session = runtime.Session()
        >>> roots = session.source([-9, 4], name="numbers").map(abs, name="absolute").collect(name="result")
        >>> session.start(paused=True)
        >>> session.step()
        Step(numbers: -> -9 to absolute)
        >>> session.step(None, 2)
        [Step(absolute: -9 -> 9 to result), Step(result: 9)]
        >>> session.resume(); session.wait(); session.close()
        Outcome(completed: 2 in, 2 out)
        """
        stepping = self._runs.started().stepping
        if n is not None and (type(n) is not int or n < 1):
            raise GraphInvalid(f"n of step is {preview(n)}; it must be a whole number of at least 1")
        self._runs.refuse_own_tasks("step()", "call it outside")
        commands = self._runs.commands
        if n is None:
            return commands.do(lambda: stepping.step(task, deadline_of(timeout)), at=stepping.helper(task))
        return [
            commands.do(lambda: stepping.step(task, deadline_of(timeout)), at=stepping.helper(task)) for _ in range(n)
        ]

    def step_through(self, until: Callable[[Step], object], *, timeout: float | None = REACH_S) -> list[Step]:
        """Step, without a name, until `until(step)` is true or nothing is left to do. Returns the steps, in order."""
        stepping, deadline = self._runs.started().stepping, deadline_of(timeout)
        steps: list[Step] = []
        while monotonic() < deadline:
            step = self._runs.do("step_through", lambda: stepping.step(None, deadline))
            if step.result == "idle":
                break
            steps.append(step)
            if until(step):
                break
        return steps

    def follow(self, packet: Packet, *, timeout: float | None = REACH_S) -> Path:
        """Step one packet that `peek` has shown, and all that is made of it, to the end. Returns its path as a tree.

        Raises `NotPaused`, `PacketGone`, `TimeoutError`, and `GraphInvalid` for what is no packet.
        """
        stepping = self._runs.started().stepping
        _require_packet("follow", packet)
        return self._runs.do("follow", lambda: stepping.follow(packet, deadline_of(timeout)))

    def peek(self, task: str, first: int = 100, last: int = 0) -> QueueView:
        """The `first` and the `last` packets that wait for a task, service or operator. Consumes nothing.

        Exact of a paused task; of a running one, what was there at some moment. Raises `UnknownName`, and
        `GraphInvalid` for a number that is none.

        >>> import runtime
        >>> session = runtime.Session()
        >>> session.source(range(8), name="numbers").sink(abs, name="end")
        >>> session.start(paused=True)
        >>> steps = session.step("numbers", 8)
        >>> session.peek("end", 2, last=1)
        QueueView(end, 8 of 1,024: 0, 1, … 5 more, 7)
        >>> session.peek("end")[3].payload
        3
        >>> session.close()
        """
        for number in (first, last):
            if type(number) is not int or number < 0:
                raise GraphInvalid(f"peek was asked for {preview(number)} packets; it must be a whole number from 0 on")
        if (run := self._runs.run) is None:
            if task not in (capacities := self.graph.capacities()):
                raise UnknownName("task, operator or service", task, capacities)
            return QueueView(task, (), 0, capacities[task])
        return run.inspection.peek(task, first, last)

    def profile(self, name: str, seconds: float = 5.0) -> Profile:
        """Look for so many seconds, some two hundred times in each, where the code of a task stands, and return that.

        Of a service or an operator: of all its threads. What is paused, or waits, is idle. Looking holds nobody up, but
        for the moment that it takes; of a task in another process each look is a question to it, so there are fewer.
        Who works for less than Python's switch interval (5 ms) between two waits is seldom caught at work: how busy it
        is, `snapshot().times` says. Ends early with the job. An interrupt ends it, and nothing else. Raises
        `UnknownName`, `NotStarted`, `GraphInvalid` for a time that is none, and `CommandRefused` on a thread of the
        job, under a seed and in a browser.
        """
        run = self._runs.started()
        self._runs.refuse_own_tasks("profile()", "call it outside")
        return profile(run.workers, name, seconds)

    def edit(self, packet: Packet, value: Any) -> None:
        """Let a packet that waits for a paused task have another payload, and so another key.

        Raises `NotPaused`, `PacketGone` if it has been worked or dropped, `CommandRefused` if by its key it would
        belong to another task, what the key function raises, and `GraphInvalid` for what is no packet.
        """
        editing = self._runs.started().editing
        done, item = editing.new_item(_require_packet("edit", packet), value)
        self._runs.change(partial(editing.edit, packet, done, item, by_person=is_by_person()))

    def drop(self, packet: Packet) -> None:
        """Take a packet that waits for a paused task out of its queue; it counts as dropped. Raises as `edit`."""
        editing = self._runs.started().editing
        _require_packet("drop", packet)
        self._runs.change(partial(editing.drop, packet, by_person=is_by_person()))

    def move(self, packet: Packet, to: int) -> None:
        """Move a packet that waits for a paused task in its lane, to index `to` from the front. Raises as `edit`."""
        editing = self._runs.started().editing
        _require_packet("move", packet)
        _require_index(to)
        self._runs.change(partial(editing.move, packet, to, by_person=is_by_person()))

    def undo(self) -> None:
        """Take back the last change by hand that has not been taken back, of the last 1,000.

        That is an `inject`, `edit`, `drop` or `move`, and, but on Ray, a `set_state`.

        After the undo of an inject all is as if nothing had been put in; one that went to several tasks is taken back
        from all of them or from none. Its tasks have to be paused. Raises `CommandRefused` if there is nothing to undo,
        if they have been stepped since (`back` takes back both), and on Ray for an inject that went to several
        processes; `NotPaused`; `PacketGone` if the packet has been taken since; `QueueFull` if the place of a dropped
        one is occupied. What can never be undone any more is forgotten: the next `undo` is of the change before it.

        >>> import runtime
        >>> session = runtime.Session()
        >>> result = session.input("numbers").collect(name="result")
        >>> session.start(paused=True)
        >>> session.inject("result", 3); session.inject("result", 4)
        >>> session.undo()
        >>> session.peek("result")
        QueueView(result, 1 of 1,024: 3)
        >>> session.events[-1]
        result: undo of inject: 4
        >>> session.close()
        """
        self._runs.do("undo", self._runs.started().editing.undo)

    def back(self, n: int = 1, *, force: bool = False, timeout: float | None = REACH_S) -> tuple[str, ...]:
        """Take back the last `n` steps and changes made by hand since the last `resume()`. Their texts, newest first.

        Packets, queues, state, results and signals are as they were before, and going on from there gives the same
        again: an item that a source has drawn is kept, and sent again. What steps have begun together, as one that was
        held back while others were made, is taken back together, and may be more than `n`. Every task has to be paused.

        What cannot be taken back is named: a sink that ran, what a service was asked, attributes of a `Function` above
        64 kB. `force=True` goes past it, and leaves that as it is. Remembered are 1,000 steps and 64 MB; what a plain
        function changes outside, in a global or on a disk, is not. Raises `CommandRefused` if there is nothing to go
        back to, or a packet is half sent, and on Ray; `NotPaused`; `TaskEnded` after the job; `QueueFull` if the place
        of a packet has been taken since; `GraphInvalid` for an `n` that is none; `NotStarted`.

        >>> import runtime
        >>> session = runtime.Session()
        >>> result = session.source([3, 4], name="numbers").map(abs, name="absolute").collect(name="result")
        >>> session.start(paused=True)
        >>> session.step(None, 2)
        [Step(numbers: -> 3 to absolute), Step(absolute: 3 -> 3 to result)]
        >>> session.back()
        ('absolute: 3 -> 3 to result',)
        >>> session.peek("absolute")
        QueueView(absolute, 1 of 1,024: 3)
        >>> session.close()
        """
        going_back = self._runs.started().going_back
        if type(n) is not int or n < 1:
            raise GraphInvalid(f"n of back is {preview(n)}; it must be a whole number of at least 1")
        return self._runs.do("back", lambda: going_back.back(n, deadline_of(timeout), force=force))

    def replace(self, name: str, *functions: Any) -> None:
        """Let another function take the place of an operator's, in all its tasks, while they are held or paused.

        Of a service, give what makes its object. It need not be paused: requests wait meanwhile, and their time stands
        still. What is in work comes to its end by the old object; then, on the service's thread, the new one is made
        and set up, and the old one closed. Each request is answered by one of the two. Interceptors stay.

        An operator on two connected streams is given two. What the operator remembers, `ctx.state` and what waits stays
        as it is; so does the graph, of which the next run is made. A `Function` is opened first, on the thread of each
        task; if that raises, the old one stays, everywhere. Then the old one is closed. Of its attributes nothing is
        kept, and a warning says so, unless the new one has `take_over(self, old)`. An event has the version: 2 is the
        first that was replaced.

        Nothing has changed if it raises: `UnknownName`; `CommandRefused` for what calls no function per packet, and for
        a service with a request in work that waits for what stands still, or takes another 5 s; `GraphInvalid` for what
        cannot be called as the operator does, `AsyncRefused` for an `async def` in place of one that is none, and the
        other way round; `NotCopyable`; on Ray `NotSendable`;
        `NotPaused`, `TaskEnded`, `NotStarted`, and what `open`, `take_over` and a service's `setup` raise.
        """
        replacing = self._runs.started().replacing
        new = replacing.new(name, functions)
        self._runs.do("replace", lambda: replacing.replace(new), lasting=True)

    def breakpoint(self, task: str, when: Callable[[Any], object] | None = None) -> Breakpoint:
        """Pause the job before the next packet of a task for which `when(payload)` is true; each, without `when`.

        It is the session's: it may be set before the first start and holds in all runs, until it is removed or the
        session is closed; at an operator, of all the tasks that it has. `when` runs on the task's thread; if it raises,
        the job is paused, too. Raises `UnknownName`, `CommandRefused` for sources and services, `GraphInvalid` for a
        `when` that cannot be called.
        """
        _require_callable("when of breakpoint", when)
        runs = self._runs
        found = Breakpoint(task, when, runs, is_of_person=is_by_person())
        try:
            runs.set_breakpoint(found)
        except BaseException:  # an interrupt, perhaps, after it was set: nobody could remove it
            runs.commands.give(Command(lambda: runs.remove_breakpoint(found)))
            raise
        return found

    def tap(self, task: str, see: Callable[[Step], None] | None = None) -> Tap:
        """A context manager that collects what passes a task or service: `with session.tap("count") as seen:`.

        With `see`, nothing is collected, but `see(step)` called, on the task's thread. If it raises, a warning event
        says so, and it is called no more. Raises `UnknownName`, and `GraphInvalid` for what cannot be called.
        """
        return self._runs.started().inspection.tap(task, _require_callable("see of tap", see))

    def why(self, what: Packet | DeadLetter | Held | TaskFailed | Collected[Any], index: int | None = None) -> Origin:
        """Where something comes from, down to the items of sources, with what each operator made of it on the way.

        Of a packet that `peek`, a step or a tap has shown, of a dead letter, of what is held, of the packet that a
        `TaskFailed` is about; and of a value that `collect()` has gathered, by its index. In a session with
        `trace=True`, at any time while and after it runs, also when it is closed (on Ray, before). A job remembers 64
        MB of this, of each of its tasks the newest packets; of what is older, it is said that it is forgotten. A packet
        of a reduce names the last ten that were folded, and how many there were before these. See `Origin`.

        Of a run with a seed that was not traced, once it has ended, it is run again, traced, the first time that
        something is asked: the functions run once more from the start. Of results, letters and failures then.

        Raises `CommandRefused` where nothing is traced and there is no seed, or something was done by hand; if a run
        does not repeat; of what is of another run, and of a result of which it is forgotten which packet it was;
        `IndexError`, `GraphInvalid` for anything else, `NotStarted`.

        >>> import runtime
        >>> with runtime.Session(trace=True) as session:
        ...     rows = session.source(["3", "4"], name="texts").map(int, name="parsed").map(abs, name="size").collect()
        ...     session.run()
        Outcome(completed: 2 in, 2 out)
        >>> session.why(rows, 1)
        4: made by size
        └─ 4: made by parsed
           └─ '4': an item of texts
        """
        run = self._runs.started()
        if not run.dispatcher.graph.traced:
            self._runs.refuse_own_tasks("why()", "call it outside")
            return again_of(cast("Session", self), run).why(what, index)
        return run.explaining.why(what, index)

    def state(self, task: str) -> Any:
        """What a task remembers: its reduced values or `ctx.state`, by key where its input is keyed."""
        return self._runs.started().inspection.state(task)

    def set_state(self, task: str, key: Any, value: Any) -> None:
        """Let a paused task remember `value` for `key`.

        Raises `NotPaused`, `TaskEnded`, `CommandRefused`, `UnknownName`.
        """
        editing = self._runs.started().editing
        done, given = editing.new_state(task, key, value)
        self._runs.change(partial(editing.set_state, done, given))


def _require_packet(command: str, packet: object) -> Packet:
    """What a command is given must be a packet, as `peek` shows it. Raises `GraphInvalid`."""
    if not isinstance(packet, Packet):
        raise GraphInvalid(f"{command} was given {preview(packet)}; give it a packet that peek(task) has shown")
    return packet


def _require_index(to: object) -> int:
    if type(to) is not int:
        raise GraphInvalid(f"move was given {preview(to)} as the new place; it must be a whole number")
    return to


def _require_callable(what: str, function: F | None) -> F | None:
    """An optional function must be one, and no `async def`. Raises `GraphInvalid`, `AsyncRefused`."""
    if function is not None and not callable(function):
        raise GraphInvalid(f"{what} is {preview(function)}; give it a function, or leave it out")
    refuse_async(function, what)
    return function
