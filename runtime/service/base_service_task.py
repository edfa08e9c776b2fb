"""BaseServiceTask: the life of a service. Knows request queues and parkers, no threads.

`concurrency` loops run side by side. The first makes the object and sets it up before anything is served; calls made
meanwhile wait, and their time stands still. The last loop to leave closes the object. If that has `async def` methods,
one loop answers as many requests at once, and the others leave (`side_by_side.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Protocol, cast

from runtime.communication.calls import Call, Request, here
from runtime.communication.packet import Asked, Packet
from runtime.communication.request_queue import RequestQueue, RequestQueueDescriptor
from runtime.context import Reporter, ServiceContext
from runtime.context.report import TaskReport
from runtime.errors import Cancelled, LostReply, ServiceFailed, ServiceStopped, error_text
from runtime.facts import Ending, Past, ServiceFacts, Spent, TaskState
from runtime.graph import ServiceNode
from runtime.python.stacks import Stack, stack_of
from runtime.scheduling.gate import Gate
from runtime.scheduling.parker import Parker
from runtime.scheduling.past import together
from runtime.scheduling.stopwatch import ThreadClock, total
from runtime.service.awaiting import ServiceLoop
from runtime.service.control import ServiceControl
from runtime.service.invocation import Interceptor, ServiceObject
from runtime.service.side_by_side import SideBySide
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
    """One service: the user's object, its request queue, and a loop for each of its parkers."""

    def __init__(self, ctx: ServiceContext, node: ServiceNode, reporter: ServiceReporter, parkers: Sequence[Parker]):
        self.ctx, self.reporter, self.parkers = ctx, reporter, parkers
        self.queue: RequestQueue = cast(RequestQueueDescriptor, node.queue).get_queue()
        self.gate.hold(parkers)
        self.ending: Ending | None = None
        self.control = ServiceControl(self)
        self.concurrency = node.concurrency
        self.beside: SideBySide | None = None  # answers, if several requests are awaited at once; from the set-up on
        self._was_set_up = False  # guarded by the ledger's lock
        self._tap: Callable[[Step], None] | None = None  # sees each request that has been worked
        self._object = ServiceObject(node)
        self._serving = len(parkers)  # loops that have not left yet; with the next, under the ledger's lock
        ctx.bind(reporter)

    @property
    def name(self) -> str:
        """The service's name."""
        return self.ctx.name

    @property
    def gate(self) -> Gate:
        """What holds it by hand."""
        return self.queue.gate

    @property
    def loop(self) -> ServiceLoop | None:
        """What awaits its methods, once it is set up; None: none of them waits."""
        return self._object.loop

    def is_intercepted(self) -> bool:
        """Whether requests go through interceptors."""
        return bool(self._object.interceptors)

    # ── the service's own threads ──

    def live(self, parker: Parker) -> None:
        """One of the loops, from beginning to end. The last to leave ends the service."""
        here.begin(parker, parker.monitor, self.queue.ledger, self.name)
        ending: Ending = "cancelled"
        error: BaseException | None = None
        try:
            parker.stopwatch.begin(self.queue if parker is self.parkers[0] else None)
            parker.stopwatch.work_by(ThreadClock())
            parker.begin()
            if parker is self.parkers[0]:
                self._set_up()
            else:
                self._wait_for_set_up(parker)
            if self.beside is None:
                self._loop(parker)
            elif parker is self.parkers[0]:
                self.beside.run()
            if self.queue.signal is not None:
                ending = self.queue.signal.how
        except BaseException as failure:  # noqa: BLE001  the border to user code: SystemExit too must be heard
            if not self._let_go(failure, parker):
                ending, error = "failed", failure
            self.cancel()
        with self.queue.ledger.lock:
            self._serving -= 1
            last = not self._serving
            if error is not None:
                self.queue.fail(error)
        if last:
            self._end(ending)
        parker.stopwatch.end()
        parker.say("ended")
        self.gate.ended(parker)

    def _let_go(self, failure: BaseException, parker: Parker) -> bool:
        """Whether it was raised because of a cancel: `Cancelled`, or in `setup` a call that the cancel has refused."""
        if isinstance(failure, ServiceStopped):
            return self.queue.refusing and not self.queue.is_set_up
        return isinstance(failure, Cancelled) and parker.cancelled

    def _end(self, ending: Ending) -> None:
        """The last phase: close the object, and report, once.

        Calls that are left, and those whose reply was lost, are refused after the report: else a caller that fails
        because of it could report before it.
        """
        error = self.queue.failure
        try:
            self._object.close()
        except BaseException as failure:  # noqa: BLE001  the border to user code
            if error is None and not self._let_go(failure, self.parkers[0]):
                error = failure
                self.queue.fail(error)
        self.ending = ending if error is None else "failed"
        self.reporter.task_ended(TaskReport(self.name, self.ending, error))
        self.queue.ledger.refuse([self.queue])

    def _set_up(self) -> None:
        self._object.set_up(self.ctx, self.parkers)
        if self.loop is not None and self.concurrency > 1:
            self.beside = SideBySide(self, self.parkers[0], self.concurrency)
        with self.queue.ledger.lock:
            self._was_set_up = True
            self.queue.begin()

    def _wait_for_set_up(self, parker: Parker) -> None:
        """Whether this thread is wanted, the object says."""
        queue = self.queue
        while True:
            with queue.ledger.lock:
                if self._was_set_up:
                    return
                queue.sleep(parker)
            parker.park(partial(queue.is_called, parker), "idle")

    def renew(self, make: Callable[[], Any]) -> str:
        """One of its threads, with no request in work: close its object, whose place that takes which `make` makes.

        Raises what making and setting up raise: then the old one stays. What its close has raised, as a text.
        """
        old, new, failed = self._object, self._object.another(make), ""
        try:
            new.set_up(self.ctx, self.parkers)
        except BaseException:
            try:
                new.close()
            except BaseException as error:  # noqa: BLE001  the border to user code; another error is on its way
                text = f"close() of the object that was not wanted raised {error_text(error)}"
                self.reporter.warned(self.name, text)
            old.go_on()
            raise
        old.go_on()
        try:
            old.close()
        except BaseException as error:  # noqa: BLE001  the border to user code; nobody waits for it any more
            failed = error_text(error)
        new.go_on()
        with self.queue.ledger.lock:
            new.intercept(self._object.interceptors)
            self._object = new
        return failed

    def _loop(self, parker: Parker) -> None:
        gate, queue, lock = self.gate, self.queue, self.queue.ledger.lock
        is_called = partial(queue.is_called, parker)
        parker.say("running")
        while True:
            if not queue.ready():
                lock.acquire()  # not `with`, which takes twice as long; so below
                try:
                    asleep = queue.sleep(parker)
                finally:
                    lock.release()
                if asleep:
                    parker.park(is_called, "idle")
                    continue
            parker.enter(gate, 1)
            lock.acquire()
            try:
                call = queue.take(parker)
            finally:
                lock.release()
            step: Step | None = None
            if call is not None:
                step = self.work(call, parker)
                call = None  # else it would be kept while nothing comes
            elif queue.signal is not None:
                return
            if parker.turn is not None:
                gate.passed(parker, step)
                step = None

    def work(self, call: Call, parker: Parker) -> Step | None:
        """Execute one request and end its call. Returns the step, if a tap or a step by hand wants to see it."""
        request, name = call.request, self.ctx.name
        here.work_for(*request.callers, name)
        came = self._answer(request, parker)
        here.work_for(name)
        step = self.end_call(call, *came, is_stepped=parker.turn is not None)
        del call, came  # the traceback's frames lead back to this one, and with the error it would be a cycle
        return step

    def invoke(self, request: Request) -> Any:
        """What the method returns that is asked for; of an `async def`, what is to be awaited. Raises as that does."""
        here.work_for(*request.callers, self.ctx.name)
        return self._object.invoke(request, request.args, request.kwargs)

    def end_call(self, call: Call, value: Any, error: BaseException | None, *, is_stepped: bool) -> Step | None:
        """A request has been executed: end its call. Returns the step, if somebody wants to see it."""
        request, queue = call.request, self.queue
        lost = isinstance(error, LostReply)
        tap, step = self._tap, None
        if tap is not None or is_stepped:
            step = self._as_step(request, value, error)
        if tap is not None and step is not None:
            tap(step)
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
        return step

    def _answer(self, request: Request, parker: Parker) -> tuple[Any, BaseException | None]:
        """The value, or the error as the caller hears it."""
        try:
            return self._object.answer(request, parker), None
        except BaseException as failure:  # noqa: BLE001  the border to user code: the caller hears it
            return None, self._as_heard(request, failure)

    def heard(self, request: Request, answer: Callable[[], Any]) -> tuple[Any, BaseException | None]:
        """The value that `answer` returns, or the error as the caller hears it."""
        try:
            return answer(), None
        except BaseException as failure:  # noqa: BLE001  as above
            return None, self._as_heard(request, failure)
        finally:
            here.work_for(self.ctx.name)

    def _as_heard(self, request: Request, failure: BaseException) -> BaseException:
        if isinstance(failure, Exception):
            return failure
        failed = ServiceFailed(f"service {self.name!r} failed at {request.text}: {error_text(failure)}")
        failed.__cause__ = failure  # it must not end its caller
        return failed

    def _as_step(self, request: Request, value: Any, error: BaseException | None) -> Step:
        """A request and its reply as a person sees them."""
        asked = Packet(Asked(request.method, request.args, dict(request.kwargs)), task=self.name)
        replied = () if error is not None else ((request.callers[-1], Packet(value, producer=self.name)),)
        return Step("done", self.name, asked, replied, error)

    # ── any thread ──

    def intercept(self, interceptors: tuple[Interceptor, ...]) -> None:
        """From the next request on, go through these."""
        with self.queue.ledger.lock:
            self._object.intercept(interceptors)

    def show_to(self, tap: Callable[[Step], None] | None) -> None:
        """Show every request from the next on to this one; None: to nobody."""
        self._tap = tap

    def cancel(self) -> None:
        """End after the requests in work. Returns at once."""
        for parker in self.parkers:
            parker.cancel()

    def facts(self) -> ServiceFacts:
        """Where the service stands now: its numbers fit together, whenever they are read."""
        queue = self.queue
        waiting, running, received, (results, errors, timeouts, stopped, late, lost) = queue.shown
        return ServiceFacts(
            self.name, self._state(), waiting, queue.capacity, self.concurrency, running, received, results, errors,
            timeouts, stopped, late, lost, self.ending, tuple(queue.callers.copy().items()), self._waits_for(),
        )  # fmt: skip

    def stacks(self) -> list[Stack | None]:
        """Where each of its threads is at work now; None: nowhere."""
        watches = [parker.stopwatch for parker in self.parkers]
        return [None if watch.waits else stack_of(watch.ident) for watch in watches]

    def times(self) -> Spent:
        """Where the time of its threads has gone."""
        return total([parker.stopwatch.spent() for parker in self.parkers])

    def past(self) -> Past:
        """How it stood with the times of its threads when."""
        return together([parker.stopwatch.past() for parker in self.parkers])

    def _waits_for(self) -> tuple[str, ...]:
        """The services that have a call of it open, while a thread of it waits for one."""
        waits = any(parker.doing == "waiting" for parker in self.parkers)
        return self.queue.ledger.awaited_by(self.name) if waits else ()

    def _state(self) -> TaskState:
        doing = {parker.doing for parker in self.parkers}
        if self.gate.closed and doing <= {"idle", "paused", "ended"} and self.ending is None:
            return "paused"
        for state in _STATES:
            if state in doing:
                return state
        return "ended"


_STATES: tuple[TaskState, ...] = ("running", "held back", "waiting", "backing off", "idle", "paused", "new", "ended")
