"""BaseServiceTask: a service's life around the user's object. Knows request queues and gates, no threads.

`concurrency` loops run side by side. The first makes the object and sets it up before anything is served; calls made
meanwhile wait, and their time stands still. The last loop to leave closes the object.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Protocol

from runtime.communication.calls import Call, Request, here
from runtime.communication.lane import parked_lock
from runtime.communication.packet import Asked, Packet
from runtime.communication.request_queue import RequestQueue
from runtime.context import Reporter, ServiceContext
from runtime.context.report import TaskReport
from runtime.errors import Cancelled, LostReply, ServiceFailed, ServiceStopped, error_text
from runtime.facts import Ending, ServiceFacts, TaskState
from runtime.graph.validation import refuse_async_methods
from runtime.scheduling.gate import Gate
from runtime.service.control import ServiceControl
from runtime.service.invocation import Interceptor, Invocation, Methods
from runtime.step import Step


class ServiceReporter(Reporter, Protocol):
    """To whom a service reports its life. Any thread may call."""

    def call_failed(self, service: str, text: str) -> None:
        """A call has ended with an error; its caller hears the error itself."""

    def late_reply(self, service: str, text: str) -> None:
        """A reply came after its call had ended, and was dropped."""

    def task_ended(self, report: TaskReport) -> None:
        """The service has ended. Called once."""


class BaseServiceTask:
    """One service: the user's object, its request queue, and a gate for each of its loops."""

    def __init__(self, ctx: ServiceContext, make: Callable[[], Any], reporter: ServiceReporter, gates: Sequence[Gate]):
        self.name = ctx.name
        self.ctx, self.reporter, self.gates = ctx, reporter, gates
        self.queue: RequestQueue = ctx.wiring.queue.get_queue()
        self.ending: Ending | None = None
        self.interceptors: tuple[Interceptor, ...] = ()
        # See each request that has been worked: who looks on, and who has given a turn for it.
        self.tap: Callable[[Step], None] | None = None
        self.stepped: Callable[[Step], None] | None = None
        self._make = make
        self._methods: Methods | None = None
        self._instance: Any = None
        self._serving = len(gates)  # loops that have not left yet; with the next, under the ledger's lock
        self._failure: BaseException | None = None
        self._control: ServiceControl | None = None
        ctx.bind(reporter)

    # ── the service's own threads ──

    def _serve(self, number: int) -> None:
        """One of the loops, from beginning to end. The last to leave ends the service."""
        gate = self.gates[number]
        here.waiter, here.changes = gate, gate.changes
        here.job, here.callers = self.queue.ledger, (self.name,)
        ending: Ending = "cancelled"
        error: BaseException | None = None
        try:
            gate.begin()
            if number == 0:
                self._set_up()
            self._loop(gate)
            if self.queue.signal is not None:
                ending = self.queue.signal.how
        except BaseException as failure:  # noqa: BLE001  the border to user code: SystemExit too must be heard
            if not self._let_go(failure, gate):
                ending, error = "failed", failure
            self.cancel()
        with self.queue.ledger.lock:
            self._serving -= 1
            last = not self._serving
            if error is not None:
                self._failure = error
        if last:
            self._end(ending)
        gate.say("ended")

    def _let_go(self, failure: BaseException, gate: Gate) -> bool:
        """Whether this is the end that a cancel asked for; in `setup`, also of a call that the cancel refused."""
        if isinstance(failure, ServiceStopped):
            return self.queue.refusing and not self.queue.is_set_up
        return isinstance(failure, Cancelled) and gate.cancelled

    def _end(self, ending: Ending) -> None:
        """The last phase: close the object, and report, once.

        Calls that are left, also those whose reply was lost, are refused behind the report: else a caller could report
        before it what is its consequence.
        """
        error = self._failure
        try:
            close = getattr(self._instance, "close", None)
            if callable(close):
                close()
        except BaseException as failure:  # noqa: BLE001  the border to user code
            if error is None and not self._let_go(failure, self.gates[0]):
                error = failure
        self.ending = ending if error is None else "failed"
        self.queue.failure = error
        self.reporter.task_ended(TaskReport(self.name, self.ending, error))
        self.queue.ledger.refuse([self.queue])

    def _set_up(self) -> None:
        instance = self._instance = self._make()
        refuse_async_methods(instance, self.name)
        before = getattr(instance, "ctx", None)
        if before is None or isinstance(
            before, ServiceContext
        ):  # of an earlier run, if `make` returns one object again
            with suppress(AttributeError):  # slots, or a property: it does without
                instance.ctx = self.ctx
        set_up = getattr(instance, "setup", None)
        if callable(set_up):
            set_up()
        self._methods = Methods(self.name, instance)
        with self.queue.ledger.lock:
            self.queue.begin()

    def _loop(self, gate: Gate) -> None:
        queue, lock, bell = self.queue, self.queue.ledger.lock, parked_lock()
        gate.say("running")
        while True:
            if not queue.ready():
                with lock:
                    asleep = queue.sleep(bell)
                if asleep:
                    gate.park(bell, queue.ready, "idle")
                    continue
            gate.enter(1)
            lock.acquire()  # not `with`, which takes twice as long; so below
            try:
                call = queue.take(gate)
            finally:
                lock.release()
            if call is not None:
                if self.stepped is not None:
                    gate.say("running")
                self._work(call, gate)
                call = None  # else it would be kept while nothing comes
            elif queue.signal is not None and queue.ready():
                return

    def _work(self, call: Call, gate: Gate) -> None:
        """Execute one request, and give its call the ending."""
        request, queue = call.request, self.queue
        here.callers = (*request.callers, self.name)
        value, error = self._answer(request, gate)
        here.callers = (self.name,)
        lost = isinstance(error, LostReply)
        if self.tap is not None or self.stepped is not None:
            self._show(self._as_step(request, value, error))
        lock = queue.ledger.lock
        lock.acquire()
        try:
            if lost:
                queue.lose()
                in_time = False
            else:
                in_time = queue.finish(call, value, error)
        finally:
            lock.release()
        if in_time:
            call.tell()
            if error is not None:
                self.reporter.call_failed(self.name, f"{request.text} failed: {error_text(error)}")
        elif not lost:
            self.reporter.late_reply(self.name, f"{request.method} answered {request.callers[-1]} too late")
        del call, error  # the traceback's frames lead back to this one, and with the error it would be a cycle

    def _answer(self, request: Request, gate: Gate) -> tuple[Any, BaseException | None]:
        """The value, or the error as the caller hears it."""
        try:
            return self._execute(request, gate), None
        except Exception as failure:  # noqa: BLE001  the border to user code: the caller hears it
            return None, failure
        except BaseException as failure:  # noqa: BLE001  likewise; but it must not end its caller
            failed = ServiceFailed(f"service {self.name!r} failed at {request.text}: {error_text(failure)}")
            failed.__cause__ = failure
            return None, failed

    def _execute(self, request: Request, gate: Gate) -> Any:
        methods = self._methods
        assert methods is not None, "a request was taken before the service was set up"
        interceptors = self.interceptors
        if not interceptors:
            return methods.call(request, request.args, request.kwargs)
        return Invocation(request, interceptors, methods.call, gate.sleep).proceed()

    def _show(self, step: Step) -> None:
        for look in (self.tap, self.stepped):
            if look is not None:
                look(step)

    def _as_step(self, request: Request, value: Any, error: BaseException | None) -> Step:
        """A request and its reply as a person sees them."""
        asked = Packet(Asked(request.method, request.args, dict(request.kwargs)), task=self.name)
        replied = () if error is not None else ((request.callers[-1], Packet(value, producer=self.name)),)
        return Step("done", self.name, asked, replied, error)

    # ── any thread ──

    @property
    def control(self) -> ServiceControl:
        """The hand's grip on it."""
        if self._control is None:
            self._control = ServiceControl(self)
        return self._control

    def cancel(self) -> None:
        """End behind the requests in work. Returns at once."""
        for gate in self.gates:
            gate.cancel()

    def facts(self) -> ServiceFacts:
        """Where the service stands now: its numbers fit together, whenever they are read."""
        queue = self.queue
        waiting, running, received, results, errors, timeouts, stopped, late, lost = queue.shown
        return ServiceFacts(
            self.name, self._state(), waiting, queue.capacity, len(self.gates), running, received, results, errors,
            timeouts, stopped, late, lost, self.ending,
        )  # fmt: skip

    def _state(self) -> TaskState:
        doing = {gate.doing for gate in self.gates}
        if self.queue.paused and doing <= {"idle", "ended"} and self.ending is None:
            return "paused"
        for state in _STATES:
            if state in doing:
                return state
        return "ended"


_STATES: tuple[TaskState, ...] = ("running", "held back", "waiting", "backing off", "idle", "new", "ended")
