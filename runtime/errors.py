"""Every error that the runtime raises, in one place. It knows nothing of the parts that raise them.

    DataflowError
    ├── GraphInvalid               refused before anything runs (also a ValueError)
    │   ├── UnknownName            no such task, operator, input, service, method or platform (also a LookupError)
    │   ├── DuplicateName          a name is taken
    │   ├── UnconsumedStream       a stream that nobody consumes
    │   ├── CyclicGraph            the graph feeds itself
    │   ├── AsyncRefused           an `async def` where a plain function is needed
    │   ├── NotCopyable            a Function that parallel instances cannot each have a copy of
    │   └── SourceSpent            an iterator that has been run already
    ├── CommandRefused             the session's state does not allow this command (also a RuntimeError)
    │   ├── GraphFrozen            the graph cannot change any more
    │   ├── NotStarted
    │   ├── AlreadyStarted
    │   ├── TaskEnded              nothing can be given to this task any more
    │   ├── InputOpen              a `with` block ended while an input was still open
    │   ├── NotPaused              this can be done to a paused task only
    │   ├── JobPaused              nothing happens until somebody resumes the job
    │   │   └── JobHeld            user code raised, and its packet is held; the original is the `__cause__`
    │   ├── WrongThread            packets are sent by the task's own thread alone
    │   ├── PacketGone             the packet is not in its queue any more
    │   ├── ServicePaused          the service is paused by hand, and the caller could be the one to resume it
    │   └── ServiceStopped         the service has stopped, or stopped while the call waited
    ├── NoReply                    a question is over, and nothing of it has come to a reply (also a LookupError)
    ├── NotOne                     of what is to be one result there is none, or there are several (also a ValueError)
    ├── ServiceTimeout             a call has not been answered in time (also a TimeoutError)
    ├── ServiceLoop                a call would wait for itself
    ├── WrongArguments             a service's method does not take these arguments (also a TypeError)
    ├── WrongBatch                 a function of map_batches has not treated its batch as one (also a ValueError)
    ├── ServiceFailed              a service raised something that is no `Exception`; it is the `__cause__`
    ├── QueueFull                  the lane of the hand has no room
    ├── QueueUnreachable           the queue lives in another process, or has been released
    ├── NotSendable                a value that would have to travel to another process, and cannot (also a TypeError)
    ├── ResultsTooLarge            one packet has made more results than may be held back
    ├── UnstableKey                a key without a digest that is the same in every process (also a TypeError)
    ├── NotInBrowser               a tab of a browser has not what this needs (also a RuntimeError)
    ├── TaskLost                   the process of a task has died, on platforms that have them
    └── TaskFailed                 user code raised; the original is the `__cause__`

Each of them can be pickled, with all that it says, and is the same in another process.

`Cancelled` stands apart: it is a BaseException, so that user code does not swallow it by accident. So does `LostReply`,
which interceptors raise and nobody hears.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

from runtime.facts import Outcome
from runtime.renamed import old_names
from runtime.texts.error_message import message_of
from runtime.texts.near import did_you_mean
from runtime.texts.notebook_traceback import rendered
from runtime.texts.preview import preview, type_name
from runtime.texts.sentinel import Sentinel


class DataflowError(Exception):
    """The root of what the runtime raises on purpose."""

    def __reduce__(self) -> tuple[Any, ...]:
        """By what it says and from what it was raised, whatever its class is made from."""
        return _raised_elsewhere, (type(self), self.args, self.__dict__, self.__cause__)

    def _render_traceback_(self) -> list[str]:
        """What IPython shows of it."""
        return rendered(self)


def _raised_elsewhere(
    kind: type[DataflowError], arguments: tuple[Any, ...], attributes: dict[str, Any], cause: BaseException | None
) -> DataflowError:
    """An error as it was in another process, without its traceback."""
    error = kind.__new__(kind, *arguments)
    error.__dict__.update(attributes)
    error.__cause__ = cause
    return error


class GraphInvalid(DataflowError, ValueError):
    """The graph, or an argument that describes it, was refused before anything ran."""


class UnknownName(GraphInvalid, LookupError):
    """A name that nothing in this graph has."""

    def __init__(self, what: str, name: object, known: Iterable[str]) -> None:
        names = sorted(known)
        listed = ", ".join(map(repr, names)) or "none"
        super().__init__(f"no {what} {name!r}; there is {listed}{did_you_mean(str(name), names)}")


class DuplicateName(GraphInvalid):
    """Two operators or services of one graph have the same name."""


class UnconsumedStream(GraphInvalid):
    """A stream has no consumer, so its packets would have nowhere to go."""


class CyclicGraph(GraphInvalid):
    """Operators feed each other in a circle; feedback loops are not supported."""


class AsyncRefused(GraphInvalid):
    """An `async def` was given, or called; tasks and services call functions on threads and would never await it."""


class NotCopyable(GraphInvalid):
    """A Function cannot be copied for each instance and run, or pickled to go where its task runs."""


class SourceSpent(GraphInvalid):
    """An iterator was given as a source and has been run already."""


class CommandRefused(DataflowError, RuntimeError):
    """The command does not fit the state that the session is in."""


class GraphFrozen(CommandRefused):
    """The graph was changed after start; `session.reset()` makes it changeable again."""


class NotStarted(CommandRefused):
    """The session has not been started."""


class AlreadyStarted(CommandRefused):
    """The session is running; it starts again only after it has ended."""


class TaskEnded(CommandRefused):
    """The task has ended, or has begun to end: it takes nothing from the hand any more."""


class InputOpen(CommandRefused):
    """A `with` block was left while an input was open: nobody could have fed it any more."""


class NotPaused(CommandRefused):
    """The task runs freely; only a paused one can be stepped or have its queue edited.

    `on_its_way`: it is paused, and not at its gate yet, but will be in a moment.
    """

    def __init__(self, text: str = "", *, on_its_way: bool = False) -> None:
        super().__init__(text)
        self.on_its_way = on_its_way


class JobPaused(CommandRefused):
    """The job stands still because of a pause; waiting longer cannot help."""


class JobHeld(JobPaused):
    """User code raised under `on_error="hold"`, and its packet is held until somebody resumes. See `session.held`.

    The original is the `__cause__`. `task` is the name of the first of the tasks that hold one, `packet` its payload.
    """

    def __init__(self, text: str = "", *, task: str = "", packet: Any = None) -> None:
        super().__init__(text)
        self.task, self.packet = task, packet


class WrongThread(CommandRefused):
    """`ctx.send_packet` was called on a thread that is not the task's own, and so belongs to no packet."""


class PacketGone(CommandRefused):
    """The packet is not in its queue any more: it was worked, or dropped by hand."""


class ServicePaused(CommandRefused):
    """The service is paused by hand; a call from outside would wait for the one who makes it."""


class ServiceStopped(CommandRefused):
    """The service has stopped with its job, before the call or while it waited. The call was not answered."""


class NoReply(DataflowError, LookupError):
    """What was asked is over: no packet of it is left anywhere, and none has come to a `reply()`."""


class NotOne(DataflowError, ValueError):
    """`one()` is for exactly one result, and there is none, or there are several."""


class ServiceTimeout(DataflowError, TimeoutError):
    """A call was not answered in time. A request that had not begun will not be executed."""


class ServiceLoop(DataflowError):
    """A service was called by a caller for whom that service waits itself."""


class WrongArguments(DataflowError, TypeError):
    """A service's method cannot be called with these arguments; it has not been called."""


class WrongBatch(DataflowError, ValueError):
    """A function of `map_batches` has not returned one result for each packet, or asked for the only key of many."""


class ServiceFailed(DataflowError):
    """A service raised SystemExit or the like, which must not end its caller. The original is the `__cause__`."""


class LostReply(Exception):
    """Raised by an interceptor to let a reply vanish: the call then ends by its timeout. See `runtime.testing`."""


class QueueFull(DataflowError):
    """The queue has no room for a packet from the hand."""


class QueueUnreachable(DataflowError):
    """A queue descriptor was used where its queue does not exist."""


class NotSendable(DataflowError, TypeError):
    """A value would have to travel to another process, and cannot be pickled, or not be unpickled; see `__cause__`."""


class ResultsTooLarge(DataflowError):
    """One packet has made more results than may be held in memory until all of them are made."""


class UnstableKey(DataflowError, TypeError):
    """A key has no digest that is the same in every process and every run."""


class NotInBrowser(DataflowError, RuntimeError):
    """Raised where Python runs in a tab of a browser, which has not what this would need: processes, or a thread."""


class TaskLost(DataflowError):
    """The process of a task has died before the task ended; what it held is lost, and the job cannot go on."""


class TaskFailed(DataflowError):
    """User code raised, and the policy of its operator is to fail the job. The original is the `__cause__`.

    `task` is the name of the task or service, `packet` what it was working on (`NO_PACKET` outside of packets: in
    `open`, `finish`, sources and services), `outcome` how the whole job ended.
    """

    def __init__(
        self, task: str, packet: Any, error: BaseException, outcome: Outcome | None = None, kind: str = "task"
    ) -> None:
        self.task, self.packet, self.outcome = task, packet, outcome
        super().__init__(f"{kind} {task!r} {failure_text(packet, error)}")


class Cancelled(BaseException):
    """Ends a task's thread wherever it waits, after `cancel()` or `close()`. Let it pass."""


class Unneeded(Cancelled):
    """Ends the packet in work of a task of which nobody needs any results any more. The task goes on, and drops."""


NO_PACKET: Final[Any] = Sentinel("NO_PACKET", __name__)
"""What a failure outside of any packet names as its packet."""


def failure_text(packet: Any, error: BaseException) -> str:
    """That something failed, on what, and why; bounded, and made without running code of the packet."""
    place = "" if packet is NO_PACKET else f" on packet {preview(packet)}"
    return f"failed{place}: {error_text(error)}"


def error_text(error: BaseException) -> str:
    """Type and message of an error, bounded; never raises, never hangs."""
    name, message = type_name(type(error)), message_of(error)
    return f"{name}: {message}" if message else name


if not TYPE_CHECKING:  # to mypy a module that answers for any name has no slips
    __getattr__ = old_names(__name__, {"AsyncFunction": "AsyncRefused"})
