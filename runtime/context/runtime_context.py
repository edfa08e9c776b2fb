"""What the runtime tells user code about where it runs. Knows facts and callbacks, not the parts behind them."""

from __future__ import annotations

import logging
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, MutableMapping
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from typing import Any, NoReturn, Protocol

from runtime.communication.calls import DEFAULT_METHOD, AnswerFuture, Ask
from runtime.communication.connection import Output
from runtime.communication.element import Format
from runtime.communication.free_instances import FreeInstances
from runtime.communication.queue_descriptor import QueueDescriptor
from runtime.communication.signals import Signal
from runtime.errors import WrongThread
from runtime.graph.execution_graph import OperatorNode
from runtime.graph.rate import Allowance
from runtime.history.dead_letters import DeadLetter


class Reporter(Protocol):
    """To whom a task reports: the dispatcher, or what carries its reports there. Any thread may call."""

    def request_stop(self, task: str) -> None:
        """`task` asks for the job to be stopped with drain."""

    def enough(self, task: str) -> None:
        """`task` needs no more packets."""

    def warned(self, task: str, message: str) -> None:
        """`task` has logged a warning."""

    def skipped(self, letter: DeadLetter) -> None:
        """A task has skipped what its user code raised for."""

    def held(self, task: str, text: str) -> None:
        """`task` holds the packet that its user code raised for, and stands still; `text` says what and why."""


class Proxies(Protocol):
    """How services are called in the name of one task or service: a `ProxyManager`, which travels by value."""

    @property
    def calls(self) -> int:
        """How many calls were begun."""

    def call_sync(self, service: str, ask: Ask, timeout_s: float | None) -> Any:
        """Call and wait for the answer."""

    def call_async(self, service: str, ask: Ask, timeout_s: float | None) -> Future[Any]:
        """Call, and return the future of the answer."""

    def begin(self, service: str, ask: Ask, timeout_s: float | None) -> AnswerFuture:
        """The same, and wait for nothing."""

    def awaited(self) -> tuple[str, ...]:
        """The services that have a call open. Any thread."""


class BaseRuntimeContext:
    """What tasks and services have in common: a name, a logger, and a way to call services."""

    def __init__(self, name: str, job: str, proxies: Proxies) -> None:
        self.name = name
        self.job = job
        self._proxies = proxies
        self._logger: logging.Logger | None = None
        self._warned: Callable[[str, str], None] | None = None

    @property
    def calls(self) -> int:
        """How many calls of services it has begun."""
        return self._proxies.calls

    def awaited(self) -> tuple[str, ...]:
        """The services that have a call of it open, in the order of these calls. Any thread."""
        return self._proxies.awaited()

    def call_service(
        self, service: str, /, *args: Any, method: str = DEFAULT_METHOD, timeout: float | None = None, **kwargs: Any
    ) -> Any:
        """Call a method of a service and wait for what it returns, at most `timeout` seconds (None: 10).

        An input of a graph with a `reply()` is asked in the same way, by its name, with one value: what comes to a
        reply first is returned. Raises `NoReply` if nothing does, and `ServiceLoop` if its packets would come to who
        asks.

        Raises what the method raises (`ServiceFailed` in place of SystemExit and the like); `ServiceTimeout` (a request
        that has not begun is then never executed), `ServiceStopped`, `ServiceLoop` if the service waits for this very
        call, `UnknownName`, `WrongArguments`, `GraphInvalid` for a timeout that is no number of seconds, and
        `Cancelled` when the job is cancelled; let that one pass.
        """
        return self._proxies.call_sync(service, (method, args, kwargs), timeout)

    def call_service_async(
        self, service: str, /, *args: Any, method: str = DEFAULT_METHOD, timeout: float | None = None, **kwargs: Any
    ) -> Future[Any]:
        """Call a method of a service without waiting; the future's `result()` ends as `call_service` does.

        Waits only while the service's request queue is full. `timeout` is that of the call, in seconds (None: 10), and
        runs whether anybody waits for the result or not. Cancelling the future before the request has begun takes it
        back. Raises at once `UnknownName`, `ServiceLoop`, `ServiceStopped`, `GraphInvalid`.
        """
        return self._proxies.call_async(service, (method, args, kwargs), timeout)

    def warn(self, message: str) -> None:
        """Make an event of kind `warning`, without a log record."""
        if self._warned is not None:
            self._warned(self.name, message)

    @property
    def logger(self) -> logging.Logger:
        """The stdlib logger of this task, below `runtime`. No handler is installed; warnings also become events."""
        if self._logger is None:
            # Not from getLogger: that would keep one logger for every task of every job for ever.
            logger = logging.Logger(f"runtime.{self.job}.{self.name}")
            logger.parent = logging.getLogger("runtime")
            logger.addFilter(self._watch)
            self._logger = logger
        return self._logger

    def _watch(self, record: logging.LogRecord) -> bool:
        if record.levelno >= logging.WARNING and self._warned is not None:
            self._warned(self.name, record.getMessage())
        return True


@dataclass(frozen=True, slots=True)
class TaskWiring:
    """How a task is joined to the others: by value, so that it can travel to another process.

    `node` is without its function: the operator has one of its own. `allowance` is when its packets may begin, if it
    has a rate: one for all tasks of the operator, as far as they are in one process. `free` is where the task says that
    it is, if it is sent packets only then: one for all tasks of the operator.
    """

    node: OperatorNode
    index: int
    queue: QueueDescriptor
    outputs: tuple[Output, ...]
    format: Format
    allowance: Allowance | None = None
    free: FreeInstances | None = None


class ServiceContext(BaseRuntimeContext):
    """What a service's object sees as `self.ctx`, unless it has one of its own: its name, a logger, other services."""

    def __reduce__(self) -> tuple[type[ServiceContext], tuple[str, str, Proxies]]:
        """By value: what a service is made from, without what lives where it runs."""
        return ServiceContext, (self.name, self.job, self._proxies)

    def bind(self, reporter: Reporter) -> None:
        """Service: give the context its living part, where the service runs."""
        self._warned = reporter.warned


class _Sender(threading.local):
    """What `send_packet` sends with: on the task's own thread what it is given there, on all others the refusal."""

    send: Callable[[Any], object]

    def __init__(self, task: str, warned: Callable[[str, str], None] | None) -> None:
        self.go_by(partial(_refuse_thread, task, warned))  # Python calls this in each thread anew

    def go_by(self, send: Callable[[Any], object]) -> None:
        """On this thread, send with this."""
        self.send = send


def _refuse_thread(task: str, warned: Callable[[str, str], None] | None, value: Any) -> NoReturn:
    """Refuse the thread by name, and tell the run of it: whoever has called may hear it, or nobody does."""
    where = threading.current_thread().name
    refusal = (
        f"send_packet of {task!r} was called on thread {where!r}; packets are sent by the task's own thread alone, "
        "since they belong to the packet in work. Put what other threads bring into a queue.SimpleQueue that process() "
        "or finish() reads, or send() it into an input of the session"
    )
    if warned is not None:
        warned(task, refusal)
    raise WrongThread(refusal)


class TaskContext(BaseRuntimeContext):
    """What a function sees of its task as `self.ctx`, and what the task itself is made from (`wiring`).

    * `name`, `index`, `parallelism`: `count#2`, 2, 4.
    * `key`: of the packet in work on a keyed input, else None.
    * `stopping`: an event that is set when the source should end; for sources that wait for something themselves.
    """

    def __init__(self, name: str, job: str, wiring: TaskWiring, proxies: Proxies) -> None:
        super().__init__(name, job, proxies)
        self.wiring = wiring
        self.key: Any = None
        self.states: defaultdict[Any, dict[Any, Any]] = defaultdict(dict)
        self._sender = _Sender(name, None)
        self._send: Callable[[Any], object] | None = None
        self._send_signal: Callable[[Signal], None] | None = None
        self._reporter: Reporter | None = None

    def __reduce__(self) -> tuple[type[TaskContext], tuple[str, str, TaskWiring, Proxies]]:
        """By value: what a task is made from, without what lives where it runs."""
        return TaskContext, (self.name, self.job, self.wiring, self._proxies)

    def bind(self, send: Callable[[Any], object], send_signal: Callable[[Signal], None], reporter: Reporter) -> None:
        """Task: give the context its living parts, where the task runs."""
        self._send, self._send_signal = send, send_signal
        self._reporter, self._warned = reporter, reporter.warned

    def begin(self) -> None:
        """Task, on the thread that works it: from now on packets are sent by this thread alone."""
        assert self._send is not None, "begun before it was bound"
        self._sender = _Sender(self.name, self._warned)
        self._sender.go_by(self._send)

    def set_key(self, key: Any) -> None:
        """Task: this is the key of what is in work from now on."""
        self.key = key

    def with_keys(self, pairs: Iterator[Any], *, bare: bool) -> Iterator[Any]:
        """Task: each of `pairs`, with its key in `key` while it is in work; `bare`: the value alone."""
        if bare:
            for self.key, value in pairs:
                yield value
        else:
            for pair in pairs:
                self.key = pair[0]
                yield pair

    def redirect(self, send: Callable[[Any], object] | None) -> None:
        """Task: let `send_packet` go through `send` from now on; None: through what it was bound to."""
        if (send := send or self._send) is not None:  # else it has been released
            self._sender.go_by(send)

    def redirect_signals(self, send_signal: Callable[[Signal], None]) -> None:
        """Task: let signals of the function's own go through `send_signal`, until it is bound again."""
        self._send_signal = send_signal

    def release(self) -> None:
        """Task, after its end and the close of its session: let go of all that is the user's, and of who was told."""
        self.states.clear()
        self.key = self._send = self._send_signal = self._reporter = self._warned = None
        self._sender = _Sender(self.name, None)

    @property
    def stopping(self) -> threading.Event:
        """Set when the source should end. Made when it is asked for, once: few ask, and an event is many objects."""
        event: threading.Event = vars(self).setdefault("_stopping", threading.Event())
        return event

    @property
    def index(self) -> int:
        """Which of the operator's tasks it is, counted from 0."""
        return self.wiring.index

    @property
    def parallelism(self) -> int:
        """How many tasks the operator has."""
        return self.wiring.node.parallelism

    @property
    def state(self) -> MutableMapping[Any, Any]:
        """A mapping to remember things in: one per key on a keyed input, else one per task. Empty when a run starts."""
        return self.states[self.key]

    def send_packet(self, value: Any) -> None:
        """Send `value` to the task's consumers at once, before what the running call will return.

        Waits while a queue is full. Raises `Cancelled` when the job is cancelled, or nobody needs what this task makes
        any more; let it pass.

        Raises `WrongThread` on any thread but the task's own (a timer's, a client's, that of a future's callback): what
        is sent belongs to the packet in work, with its key, its policy and its place in the order, and a lane has one
        writer. Hand such answers to the task, by a queue that `process` or `finish` reads, or `send` them into an
        input of the session.
        """
        self._sender.send(value)

    def request_stop(self) -> None:
        """Ask the job to stop with drain: sources end, what is under way is still processed. Returns at once."""
        assert self._reporter is not None, "request_stop before open()"
        self._reporter.request_stop(self.name)

    def enough(self) -> None:
        """Say that this task needs no more packets; what is still queued for it comes.

        What only tasks consume that have said so, of an operator all of them, comes to its end: sources and inputs end,
        and what is between ends the packet in work when it sends, by a `Cancelled` that should pass, drops what comes,
        and ends when its producers have. Its `finish` is called, and ends when it sends; `close` is called as always.
        """
        assert self._reporter is not None, "enough before open()"
        self._reporter.enough(self.name)
