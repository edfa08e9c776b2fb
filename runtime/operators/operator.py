"""What every operator is: a loop over packets. Knows neither queues nor threads nor where its results go.

`receive_packets` takes packets from an iterator, works them one by one and hands each result to `emit` as soon as it is
made. After every packet it reads `attention.yield_requested` and returns if somebody wants the task to look up; the
task calls it again with the same iterator to go on. That one read is all that control, wake-up and cancel cost per
packet.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, ClassVar, Final, NamedTuple, Protocol, Self

from runtime.errors import NO_PACKET
from runtime.operators.first_look import first_look
from runtime.operators.function import Context, Function, SourceFunction, callable_of
from runtime.operators.memory import Keeping
from runtime.python.asynchronous import refuse_coroutine

if TYPE_CHECKING:
    from runtime.communication.signals import Signal
    from runtime.origins.made import Made
    from runtime.scheduling.parker import Waiter
    from runtime.scheduling.wake_source import WakeSource

Emit = Callable[[Any], object]


class Part(NamedTuple):
    """Something to be sent at the end of the input: of which packet, as it came (`value`) and bare; what sends it."""

    value: Any
    packet: Any
    send: Callable[[Emit], object]


class Attention(Protocol):
    """Tells a loop that somebody waits for it to return."""

    yield_requested: bool


_UNDISTURBED: Final[Any] = SimpleNamespace(yield_requested=False)


def _released(*_: Any) -> Any:
    raise AssertionError("called after its release")


class Operator(ABC):
    """One instance of an operator. Its methods are called by one thread: `open`, packets, `finish`, `close`.

    What is to be known of a kind of operator stands here, on its class, and is asked for by `OperatorNode.traits`.
    """

    is_start: ClassVar[bool] = False
    """Whether nothing feeds it, and a stop ends it."""
    is_end: ClassVar[bool] = False
    """Whether nothing consumes it: what it has worked has come through the graph."""
    is_input: ClassVar[bool] = False
    """Whether the hand is what feeds it."""
    has_queue: ClassVar[bool] = True
    """Whether packets come to it; else it draws them itself."""
    needs_function: ClassVar[bool] = True
    single: ClassVar[str] = ""
    """Why it cannot be parallel; empty: it can."""
    at_most_one: ClassVar[bool] = False
    """Whether a packet makes one result at the most."""
    emits_last: ClassVar[bool] = False
    """Whether a packet makes one result at most, and nothing that the operator does after `emit` can fail."""
    wants_keys: ClassVar[bool] = False
    """Whether `receive_packets` takes `(key, value)` pairs if the input is keyed."""
    remembers: ClassVar[bool] = False
    """Whether it keeps something itself, besides what a function keeps in the context's state."""
    inline: tuple[str, ...] = ()
    """How a packet is worked in a loop that is made for a chain: what `receive_packets` does with one of them, in
    lines that read `value` and `key`, call `call` or `start`, use `folds`, and set `made`, or let `value` go on. A last
    line with a colon stands for any number of results. Empty: it always has a thread of its own."""
    sends_at_end = False
    """Whether it makes no results before the end of the input."""
    is_awaited: ClassVar[bool] = False
    """Whether its function waits, so that many calls of it are under way at once (`operators/awaited.py`)."""
    answers: ClassVar[bool] = False
    """Whether what comes to it answers whom it belongs to: then all packets of the graph say to which question."""
    wants_question: ClassVar[bool] = False
    """Whether `receive_packets` takes pairs of a question, or None, and what came of it."""
    may_await: ClassVar[bool] = False
    """Whether its function may be an `async def`."""
    arguments: ClassVar[int] = 1
    """With how many arguments the user's function is called."""
    replaceable: ClassVar[bool] = True
    """Whether another function can take the place of the user's between two packets."""
    wants_input: ClassVar[bool] = False
    """Whether there are several inputs, and `receive_packets` takes pairs of an input's number and what came there."""
    fed_by: ClassVar[Any] = None
    """What makes the feed of its task, in place of the one that takes packets one by one; it gets counts and router,
    too. And what makes the guard of its policy, in place of the one that works packets one by one: one that holds no
    packet, and one that may."""
    guarded_by: ClassVar[tuple[Any, Any] | None] = None

    turn_changes: ClassVar[tuple[str, ...]] = ()
    """Attributes that one packet may change, whatever its key."""

    version = 1
    """Of the user's function: the first one, or how many have taken its place and that of others since."""

    def __init__(self, function: Any = None) -> None:
        self.function = function
        self.call = callable_of(function)

    @classmethod
    def create(cls, function: Any, options: Mapping[str, Any], index: int, parallelism: int) -> Self:
        """Instance `index` of so many, with the copy of the user's function that is its own."""
        return cls(function, **options)

    @property
    def in_driver(self) -> bool:
        """Whether it has to run in the process where the session lives, wherever the others do."""
        return False

    @property
    def has_context(self) -> bool:
        """Whether the user's function can reach the task's context, and so send packets by itself."""
        return isinstance(self.function, Function | SourceFunction)

    def context_of(self, ctx: Context) -> Context:
        """What the user's function sees as the context of its task."""
        return ctx

    def open(self, ctx: Context) -> None:
        """Give the user's function its context, and let it prepare."""
        ctx = self.context_of(ctx)
        if isinstance(self.function, Function | SourceFunction):
            self.function._open_in(ctx)
        if self.function is not None:
            self.call = first_look(callable_of(self.function), ctx, self.doubt, self._looked)

    @property
    def functions(self) -> tuple[Any, ...]:
        """What it calls: one thing, or one for each of two inputs."""
        return (self.function,)

    def replace(self, functions: Sequence[Any], ctx: Context) -> None:
        """Call these from now on, which have been opened. Between two packets."""
        (self.function,) = functions
        self.call = first_look(callable_of(self.function), ctx, self.doubt, self._looked)
        self.version += 1

    def come_to(self, made: Any, what: str) -> Any:
        """What a method of the user's, `what`, has returned. Raises `AsyncRefused` if that had to be awaited."""
        return refuse_coroutine(made, what)

    def close_function(self, function: Any) -> None:
        """Let a function of the user's release what it has taken."""
        refuse_coroutine(function.close(), "close()")

    def doubt(self, made: Any) -> str | None:
        """What to warn of, if the function returns this for its first packet."""
        return None

    def _looked(self) -> None:
        self.call = callable_of(self.function)

    @abstractmethod
    def receive_packets(self, values: Iterator[Any], emit: Emit, attention: Attention) -> None:
        """Work packets until there are no more, or `attention.yield_requested` is set; always after a whole packet."""

    def loop_paused(self) -> None:  # noqa: B027  most need not know
        """Hear that the loop of a chain has worked some packets as `inline` says. Not always on the task's thread."""

    @classmethod
    def is_inlined(cls) -> bool:
        """Whether `inline` says what `receive_packets` does: whoever overrides that alone has no `inline`."""
        of = next((each for each in cls.__mro__ if {"inline", "receive_packets"} & vars(each).keys()), Operator)
        return bool(cls.inline) and "inline" in vars(of) and "signalled" not in vars(cls)

    def start(self, value: Any) -> Any:
        """In such a loop: begin a fold, of which this is the first packet."""
        raise NotImplementedError(f"{type(self).__name__} folds nothing")

    @property
    def folds(self) -> dict[Any, Any]:
        """In such a loop: what has been folded so far, by key."""
        raise NotImplementedError(f"{type(self).__name__} folds nothing")

    def explain(self, error: BaseException, made: Any) -> BaseException:
        """What to raise for an error of a packet that was worked by `inline`; `made` is what the function returned."""
        return error

    def receive_packet(self, value: Any, emit: Emit) -> None:
        """Work one packet."""
        self.receive_packets(iter((value,)), emit, _UNDISTURBED)

    def signalled(self, signal: Signal, number: int | None) -> Iterable[Any] | None:
        """Hear a signal that counts by now, between two packets; what is returned is sent, and the signal after it.

        The stop signal comes for each of several inputs, with its `number`: nothing more comes from there. An operator
        with one input hears of its end by `finish`.
        """
        return None

    def trace(self, made: Made) -> None:  # noqa: B027  most make results of the packet in work
        """In a traced job, before anything comes: say there of which packets results are made, if it keeps some."""

    def wake_sources(self, waiter: Waiter) -> Sequence[WakeSource]:
        """What it waits for besides packets and signals, as timers; asked for once, before `open`."""
        return ()

    def woken(self, source: WakeSource) -> Iterable[Any] | None:
        """Take what has come, between two packets; what is returned is sent."""
        return source.take()

    def remembered(self) -> Any:
        """What it keeps from packet to packet, if it `remembers`, for people to look at. Any thread."""
        return None

    def remember(self, key: Any, value: Any) -> None:  # noqa: B027  most keep nothing
        """Let it keep something else for a key. Called between two packets. Raises `CommandRefused`."""

    def copy(self, key: Any) -> Any:
        """What it keeps from packet to packet for this key, or for `ALL`, by value. Between two packets."""
        return None

    def restore(self, copied: Any) -> None:  # noqa: B027  most keep nothing
        """Keep what it kept when this was copied. Between two packets. Raises `CommandRefused` if it cannot."""

    def keep(self, keeping: Keeping, key: Any) -> None:
        """Let all be kept that a packet of this key, or a signal (`ALL`), may change of it. Between two packets."""
        keeping.attributes(self, self.turn_changes)

    def release(self) -> None:
        """After its end, and the close of its session: let go of the user's function, and of what is remembered."""
        self.function = None
        self.call = _released

    def finish(self) -> Iterable[Any]:
        """What is still to be sent when all inputs have ended well."""
        function = self.function
        return refuse_coroutine(function.finish(), "finish()") or () if isinstance(function, Function) else ()

    def parts_of_finish(self) -> Iterable[Part]:
        """What is sent at the end of the input, in parts that may fail each by itself: all of `finish` is one."""
        yield Part(NO_PACKET, NO_PACKET, self._send_finish)

    def _send_finish(self, emit: Emit) -> None:
        for result in self.finish():
            emit(result)

    def close(self) -> None:
        """Let the user's function release what it has taken."""
        self._looked()
        if isinstance(self.function, Function | SourceFunction):
            self.close_function(self.function)
