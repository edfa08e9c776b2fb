"""What a user writes: plain callables, or objects of `Function` with a life of their own. Knows nothing of tasks."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Iterator
from types import FunctionType, MethodType
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from runtime.python.asynchronous import refuse_coroutine

In_contra = TypeVar("In_contra", contravariant=True)
Out_co = TypeVar("Out_co", covariant=True)
T_co = TypeVar("T_co", covariant=True)

MayWait = Coroutine[Any, Any, None] | None
"""What a method returns of which the result is ignored: nothing, or, if it is an `async def`, what is awaited."""


AwaitedItems = AsyncIterable[T_co] | Awaitable[Iterable[T_co] | AsyncIterable[T_co]]
"""What a source is awaited for: items as they come, or whatever gives them, in its time."""


class Context(Protocol):
    """The part of a `TaskContext` that every function may rely on."""

    name: str
    key: Any

    @property
    def index(self) -> int:
        """Which of the operator's tasks it is, counted from 0."""

    @property
    def parallelism(self) -> int:
        """How many tasks the operator has."""

    def set_key(self, key: Any) -> None:
        """This is the key of what is in work from now on."""

    def send_packet(self, value: Any) -> None:
        """Send `value` to the task's consumers at once, before what the running call will return."""

    def enough(self) -> None:
        """Say that this task needs no more packets."""

    def warn(self, message: str) -> None:
        """Tell those who look at the job that something is probably not what was meant."""


class _WithContext(ABC):
    """What functions and sources have in common: a life, and the context of their task in it."""

    ctx: Any  # a TaskContext; typed loosely, so that a test may give another

    def open(self, ctx: Any) -> MayWait:  # noqa: B027  most need none
        """Prepare for what is to come."""

    def close(self) -> MayWait:  # noqa: B027  most need none
        """Release what `open` has taken. Called once, after success, failure and cancel alike."""

    def _opened_in(self, ctx: Context) -> Any:
        """The runtime: begin in this context. What `open` returns, which may be a coroutine, whatever is declared."""
        self.ctx = ctx
        opened: Any = self.open
        return opened(ctx)

    def _open_in(self, ctx: Context) -> None:
        """The same where nobody awaits it."""
        refuse_coroutine(self._opened_in(ctx), f"open() of {ctx.name!r}")


class Function(_WithContext, Generic[In_contra, Out_co]):
    """A function with set-up, tear-down and state. Each instance of each run works with a deep copy of its own.

    The runtime calls, always on the task's own thread: `open` once, before the first packet; `process` for each packet;
    `finish` once, when all producers have ended well (if nobody needs what it sends any more, sending ends it); `close`
    once at the end, whatever happened. `self.ctx` is there from `open` on. Open files, connections and locks in `open`:
    what is made in `__init__` has to be copyable. (An object that is not is used itself by a single instance on a
    thread, for one run of one operator.)
    """

    called_by_the_runtime: ClassVar[tuple[str, ...]] = (
        *("open", "process", "input_ended", "finish", "close", "take_over"),
    )

    @abstractmethod
    def process(self, value: In_contra, /) -> Out_co:
        """Work on one packet; the operator decides what the returned value means."""

    def finish(self) -> Iterable[Any] | AsyncIterable[Any] | Coroutine[Any, Any, Iterable[Any] | None] | None:
        """Return or yield what is still to be sent at the end of the input."""
        return None

    def input_ended(self, number: int) -> Iterable[Any] | None:
        """Hear that nothing more comes from input `number` of two connected streams: 0 is the first, 1 the other.

        Called once for each input, on both functions, after the last packet from there, if its producers have ended
        well; before `finish`. Return or yield what is to be sent now. What it raises fails the job, as of `finish`.
        """
        return None

    def take_over(self, old: Any) -> MayWait:
        """Keep what `old`, another `Function`, has kept, whose place this one takes (`Session.replace`).

        Called after `open`, on the task's thread. Change nothing of `old`: should the replacement come to nothing, it
        works on.
        """


class SourceFunction(_WithContext, Generic[T_co]):
    """A source with set-up and tear-down: `run` yields the packets. It is copied as a `Function` is.

    Each of its methods may be an `async def`: what it awaits, a stop or a cancel ends at once, and its `finally` runs.
    `open` and `close` are as in `Function`. `run` is asked for the next packet only when the one before has found room;
    a source that waits for something itself should also watch `self.ctx.stopping`.
    """

    called_by_the_runtime: ClassVar[tuple[str, ...]] = ("open", "run", "close")

    @abstractmethod
    def run(self) -> Iterator[T_co] | AsyncIterator[T_co]:
        """Yield the packets, in order."""


def callable_of(function: Any) -> Callable[..., Any]:
    """What to call for each packet: the method `process` of a Function, else the function itself.

    Of an object that is callable by a plain method of its class, the bound method: CPython calls that twice as fast.
    """
    if isinstance(function, Function):
        return function.process
    call = inspect.getattr_static(type(function), "__call__", None)
    return MethodType(call, function) if type(call) is FunctionType else function
