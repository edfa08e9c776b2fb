"""Calls: a request on its way to a service, who waits for it, and how it ends. Knows queues and parkers only.

One lock per job, in its `Ledger`, guards every call and every request queue. So a call has exactly one ending whoever
comes first (reply, timeout, caller gone, service stopped), a request that timed out before it began is never begun,
and that nobody has anything left to do is seen in one look. A call costs two changes of threads; a lock costs nothing
beside them.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from math import inf
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, Protocol

from runtime.communication.signals import StopSignal
from runtime.errors import ServiceLoop, ServiceStopped, ServiceTimeout, error_text
from runtime.graph.validation import OUTSIDE
from runtime.scheduling.parker import Outsider, Waiter
from runtime.scheduling.scheduler import Scheduler
from runtime.texts.preview import preview

if TYPE_CHECKING:
    from runtime.communication.packet import Bearer
    from runtime.communication.request_queue import RequestQueue

HAND_CALLER = OUTSIDE
"""The caller name of what is called from outside the job. No service may have it."""

DEFAULT_METHOD: Final = "process"
"""The method that is called, if a call does not say."""

Ask = tuple[str, tuple[Any, ...], Mapping[str, Any]]
"""What is asked: method, arguments, named arguments."""


class Request(NamedTuple):
    """What a service is asked, by value. `callers` are those who wait for the answer, the first one outermost.

    `number` counts the calls that this chain of callers has made, so the same call has the same number in every run,
    even of a service that calls in the name of several tasks.
    """

    service: str
    method: str
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    callers: tuple[str, ...]
    number: int

    @property
    def text(self) -> str:
        """As a call, bounded, without running code of the arguments."""
        named = [f"{name}={preview(value)}" for name, value in self.kwargs.items()]
        return f"{self.method}({', '.join([*map(preview, self.args), *named])})"


class Here(threading.local):
    """What the current thread is: how it waits, and for whom it works. Set by tasks and services on their threads."""

    waiter: Waiter | None = None
    callers: tuple[str, ...] = ()
    job: Ledger | None = None  # whose services `callers` are
    bearer: Bearer | None = None  # says for whom the packet in work was put in, where packets do
    changes: object = None  # what tells of changes in the job that this thread belongs to

    def begin(self, waiter: Waiter | None, changes: object, job: Ledger | None = None, service: str = "") -> None:
        """This thread belongs to a job from now on; it may be one of a `service` of it."""
        self.waiter, self.changes, self.job, self.bearer = waiter, changes, job, None
        self.callers = (service,) if service else ()

    def work_by(self, bearer: Bearer) -> None:
        """Of this thread's packets, that one says to which question they belong."""
        self.bearer = bearer

    def wait_by(self, waiter: Waiter | None) -> None:
        """What this thread calls is waited for by that one from now on."""
        self.waiter = waiter

    def work_for(self, *callers: str) -> None:
        """This thread's calls are made for these from now on, the outermost first."""
        self.callers = callers


here = Here()


class AnswerFuture(Future[Any]):
    """The future of a call, for who awaits it."""

    def is_held(self) -> bool:
        """Whether time alone will not bring its result. Any thread."""
        raise NotImplementedError


class Reply(Protocol):
    """The future of an asynchronous call, or what stands for one: it has the ending when the call has it."""

    @property
    def has_callbacks(self) -> bool:
        """Whether `tell` runs user code, which may wait for another reply."""

    def begin(self) -> None:
        """Under the lock: the call is about to be executed."""

    def close(self, value: Any, error: BaseException | None) -> None:
        """Under the lock: the call has its ending."""

    def tell(self) -> None:
        """After `close`, outside the lock: run what waits for it, user code."""


Stage = Literal["held back", "waiting", "running", "done"]


class Call:
    """One request and its ending. All but `request` is guarded by the ledger's lock until `stage` is `done`."""

    def __init__(self, request: Request, queue: RequestQueue, timeout_s: float, *, waits: bool = True) -> None:
        self.request, self.queue = request, queue
        self.made_s, self.deadline_s = 0.0, timeout_s  # counted from when the ledger knows of it
        self.stage: Stage = "held back"
        self.packed: Any = None  # the request as it travels, if it has to
        self.value: Any = None
        self.error: BaseException | None = None
        self.future: Reply | None = None
        self.server: Waiter | None = None  # who executes it, from the moment it runs
        # Unparked when it is done, and when it has found room; whoever has a future waits only while it is held back.
        self.waiter = here.waiter
        if waits and self.waiter is None:
            self.waiter = Outsider()

    def answer_to(self, reply: Reply | None) -> None:
        """Before anybody else knows of it, or under the lock: who hears its ending, beside the one who waits."""
        self.future = reply

    def take_error(self) -> BaseException | None:
        """After its ending: its error, to be raised. It is held no longer: its traceback holds who raises it."""
        error, self.error = self.error, None
        return error

    # ── under the lock ──

    def pack(self, packed: Any) -> None:
        """Before it is put: the request as it travels."""
        self.packed = packed

    def take_packed(self) -> Any:
        """The request as it travels, which leaves now."""
        packed, self.packed = self.packed, None
        return packed

    def open(self, now_s: float) -> None:
        """Its time counts from now on."""
        self.made_s = now_s
        self.deadline_s += now_s

    def set_no_deadline(self) -> None:
        """Its time is watched over elsewhere."""
        self.deadline_s = inf

    def put_off(self, seconds: float) -> None:
        """Its time has stood still for so long."""
        self.made_s += seconds
        self.deadline_s += seconds

    def accept(self) -> None:
        """It has found room."""
        self.stage = "waiting"

    def begin(self, server: Waiter | None = None) -> None:
        """It is being executed, by `server` if that is here."""
        self.stage, self.server = "running", server

    def end(self, value: Any, error: BaseException | None) -> None:
        """It has its ending; whoever has its future, too."""
        self.value, self.error, self.stage = value, error, "done"
        if self.future is not None:
            self.future.close(value, error)

    # ── any thread ──

    def is_done(self) -> bool:
        """Whether it has its ending."""
        return self.stage == "done"

    def is_held(self) -> bool:
        """Whether time alone will not end it: its service is paused and has not begun it, or waits for one that is."""
        return self.queue.stands_still(self)

    def hold_back(self) -> None:
        """Under the lock: there is no room for it, so that somebody has to wait."""
        if self.waiter is None:
            self.waiter = Outsider()

    def is_accepted(self) -> bool:
        """Whether it has found room in the queue, or has its ending."""
        return self.stage != "held back"

    def wake(self) -> None:
        """Let the one who waits look."""
        if self.waiter is not None:
            self.waiter.unpark()

    def tell(self) -> None:
        """After its ending, outside the lock: tell whoever waits. A future's callbacks are user code."""
        if (future := self.future) is not None:
            self.future = None  # it refers to the call, and would be a cycle
            future.tell()
        if self.waiter is not None:
            self.waiter.unpark()


def _nothing() -> None:
    """Nobody has to say so."""


class Ledger:
    """All open calls of one job. `lock` guards them, the job's request queues, and everything in here."""

    def __init__(self, scheduler: Scheduler) -> None:
        # Of the kind that its holder may take again, as a finalizer may that gives up a call.
        self.lock = scheduler.lock
        self.clock = scheduler.clock
        self.nudge = scheduler.nudge  # called, outside the lock, when somebody who takes no turns has changed something
        self.open: dict[Call, None] = {}  # in the order of their requests
        self.queues: list[RequestQueue] = []
        self.next_look_s = inf  # when the deadlines are looked at next
        self._watch: Waiter = Waiter()
        self.signal: StopSignal | None = None  # set: end the queues as soon as nothing is left to do

    def awaited_by(self, caller: str) -> tuple[str, ...]:
        """Any thread, without the lock: the services that have a call of this caller open, in that order."""
        calls = list(self.open)  # one step
        found = (call.request.service for call in calls if call.request.callers[-1] == caller)
        return tuple(dict.fromkeys(found))

    def watched_by(self, watch: Waiter) -> None:
        """Unpark that one when a deadline is sooner than it knows."""
        self._watch = watch

    def enter(self, call: Call) -> None:
        """Under the lock: an open call, whose time counts, and is watched, from now on."""
        self.open[call] = None
        call.open(self.clock())
        if call.deadline_s < self.next_look_s:
            self.next_look_s = call.deadline_s
            self._watch.unpark()

    def refuse_circle(self, request: Request) -> None:
        """Under the lock: raise `ServiceLoop` if its service cannot be set up before `request` is answered.

        Time stands still for calls to a service that is not set up, so set-ups that wait for each other would do so for
        ever. What a set-up calls, or what is called for it, has the service as its outermost caller.
        """
        root = request.callers[0]
        queues = {queue.service: queue for queue in self.queues}
        if root not in queues or queues[root].is_set_up:
            return
        awaited = [request.service]
        for service in awaited:  # grows while it is read
            if not queues[service].is_set_up:
                made = [call.request for call in self.open if call.request.callers[0] == service]
                awaited += {each.service: None for each in made if each.service not in awaited}
        if root in awaited:
            raise set_up_circle(request)

    def close(self, call: Call, value: Any, error: BaseException | None) -> None:
        """Under the lock: give an open call its ending. `tell` follows outside the lock."""
        del self.open[call]
        call.end(value, error)

    def abandon(self, call: Call) -> None:
        """Its caller waits no more: a request that has not begun will not begin."""
        with self.lock:
            if call in self.open:
                self._stop(call)

    def take_back(self, call: Call, taken: Callable[[], None] = _nothing) -> bool:
        """End a call that has not begun, as `abandon` does. False: it has, or has ended.

        `taken` says so where it has to be seen at the same moment as the ending; its future hears of no other.
        """
        with self.lock:
            if call.stage not in ("held back", "waiting"):
                return False
            call.answer_to(None)
            taken()
            self._stop(call)
        self.nudge()
        return True

    def refuse_one(self, call: Call, error: BaseException) -> None:
        """End a call that waits for the set-up of its service, which will not come. Nothing if it has ended."""
        with self.lock:
            if call not in self.open:
                return
            self._stop(call, error)
        call.tell()

    def _stop(self, call: Call, error: BaseException | None = None) -> None:
        call.queue.withdraw(call)
        self.close(call, None, stopped(call.queue) if error is None else error)
        call.queue.count("stopped")

    def expire(self) -> list[Call]:
        """End every call whose time is over, and say which; sets `next_look_s`."""
        with self.lock:
            now_s = self.clock()
            over = [call for call in self.open if call.deadline_s <= now_s and not self._is_held(call)]
            for call in over:
                began = call.stage == "running"
                call.queue.withdraw(call)
                self.close(call, None, _timed_out(call, began=began))
                call.queue.count("timeouts")
            self.next_look_s = self.earliest()
        return over

    def earliest(self) -> float:
        """Under the lock: the next deadline of an open call whose time does not stand still; or infinity."""
        return min((call.deadline_s for call in self.open if not self._is_held(call)), default=inf)

    def _is_held(self, call: Call) -> bool:
        """Whether the time of `call` stands still: it is held itself, or a call that its service makes for it is."""
        return call.queue.is_held(call) or any(self._is_held(inner) for inner in self._made_for(call))

    def _made_for(self, call: Call) -> list[Call]:
        if call.server is None or call.stage != "running":
            return []
        return [inner for inner in self.open if inner.waiter is call.server]

    def give_time(self, lost_s: Mapping[Call, float]) -> None:
        """Under the lock: let time go on for held calls that have lost so much; and for those that wait for them."""
        gained = dict(lost_s)
        held = list(lost_s)
        while held:
            inner = held.pop()
            for outer in self.open:
                if inner in self._made_for(outer) and gained.get(outer, 0.0) < gained[inner]:
                    gained[outer] = gained[inner]
                    held.append(outer)
        for call, seconds in gained.items():
            call.put_off(seconds)
        self.next_look_s = 0.0
        self._watch.unpark()

    def drain(self, signal: StopSignal) -> None:
        """Send `signal` down every request queue, after the last request: as soon as no request can follow."""
        with self.lock:
            self.signal = signal
            self.end_if_idle()
        self.nudge()

    def end_if_idle(self) -> None:
        """Under the lock: end all queues if that is wanted and nobody who could call again is at work."""
        if self.signal is not None and not any(queue.busy for queue in self.queues):
            for queue in self.queues:
                queue.end(self.signal)

    def refuse(self, queues: Sequence[RequestQueue]) -> None:
        """Accept no call for `queues` any more, and end those that are open: their callers hear `ServiceStopped`.

        What is being executed comes to its end, and its reply is dropped.
        """
        with self.lock:
            calls = [call for call in self.open if call.queue in queues]
            for queue in queues:
                queue.refuse()
            for call in calls:
                self._stop(call)
        for call in calls:
            call.tell()
        self.nudge()


def set_up_circle(request: Request) -> ServiceLoop:
    """What a request is refused with whose service waits, for its own set-up, for that which the request is for."""
    caller, service, root = request.callers[-1], request.service, request.callers[0]
    return ServiceLoop(
        f"{caller!r} calls {service!r} for the set-up of {root!r}, for which that of {service!r} waits; "
        "call it later, from a method"
    )


def stopped(queue: RequestQueue) -> ServiceStopped:
    """The ending of a call whose service does not serve any more."""
    if queue.failure is None:
        return ServiceStopped(
            f"service {queue.service!r} has stopped with its job, or is stopping; start the session again"
        )
    refusal = ServiceStopped(f"service {queue.service!r} has failed: {error_text(queue.failure)}")
    refusal.__cause__ = queue.failure
    return refusal


def _timed_out(call: Call, *, began: bool) -> ServiceTimeout:
    request = call.request
    if began:
        place = "it had begun; a reply that comes later will be dropped"
    else:
        place = "it had not begun, and will not be executed"
    return ServiceTimeout(
        f"{request.service}.{request.method} has not answered {request.callers[-1]!r} within "
        f"{call.deadline_s - call.made_s:g} s; {place}"
    )
