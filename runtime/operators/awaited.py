"""Operators whose function waits: what each makes of what a call has returned. How calls go on is the task's part."""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Final

from runtime.errors import AsyncRefused, GraphInvalid
from runtime.operators.first_look import no_results
from runtime.operators.operator import Attention, Emit, Operator
from runtime.python.asynchronous import async_method, refuse_async
from runtime.texts.preview import preview

CONCURRENCY: Final = 16
"""How many calls of one task are open at a time, if nothing else is said."""


class Awaited(Operator):
    """An operator with at most `concurrency` open calls, each for `timeout` seconds at most.

    Open is a call that is under way, and one whose results wait for their turn: in the order of the packets, if
    `ordered`.
    """

    is_awaited = may_await = True
    wants_keys = True
    streams: ClassVar[bool] = False
    """Whether its function may be an asynchronous generator."""
    called_by: ClassVar[Any] = None
    """What begins its calls, in place of what begins one for each packet."""

    def __init__(
        self, function: Any, *, concurrency: int = CONCURRENCY, ordered: bool = True, timeout: float | None = None
    ) -> None:
        super().__init__(function)
        self.concurrency, self.ordered, self.timeout = concurrency, ordered, timeout

    def receive_packets(self, values: Iterator[Any], emit: Emit, attention: Attention) -> None:
        """Its packets are calls, which go on side by side."""
        raise AssertionError("a task of an operator whose function waits begins calls")

    def exchange(self, functions: Sequence[Any]) -> None:
        """Call another function from now on."""
        (self.function,) = functions
        self._looked()
        self.version += 1

    def results(self, value: Any, made: Any) -> Sequence[Any]:
        """What is sent of a packet for which the call has returned `made`."""
        raise NotImplementedError


class AsyncMap(Awaited):
    """One result for each packet: what the call returns, None included."""

    def results(self, value: Any, made: Any) -> Sequence[Any]:
        """That."""
        return (made,)


class AsyncFilter(Awaited):
    """The packets for which the call returns something true, unchanged."""

    def results(self, value: Any, made: Any) -> Sequence[Any]:
        """The packet, or nothing."""
        return (value,) if made else ()


class AsyncFlatMap(Awaited):
    """Any number of results for each packet: what the call returns or yields, where it yields as it is made."""

    streams = True

    def results(self, value: Any, made: Any) -> Sequence[Any]:
        """All of them. Raises what the iterable raises."""
        if made is None:
            raise no_results("flat_map")
        return list(made)


class AsyncSink(Awaited):
    """The end of a stream: what the call returns is ignored."""

    is_end = True

    def results(self, value: Any, made: Any) -> Sequence[Any]:
        """None."""
        return ()


_KINDS: Final[Mapping[str, type[Awaited]]] = {
    "map": AsyncMap,
    "filter": AsyncFilter,
    "flat_map": AsyncFlatMap,
    "sink": AsyncSink,
}
_AWAITING: Final = frozenset({*_KINDS, "map_batches"})
AWAITED: Final = {f"async_{kind}": operator for kind, operator in _KINDS.items()}
"""By the names of their kinds."""


def awaited_kind(kind: str, function: Any, given: tuple[int | None, bool, float | None]) -> tuple[str, dict[str, Any]]:
    """The kind of operator that `function` makes of `kind`, and its options of the concurrency, order and timeout.

    Raises `GraphInvalid` for what only a function that waits can be given, and `AsyncRefused` for one that yields where
    it has to return.
    """
    both = zip(("concurrency", "ordered", "timeout"), given, strict=True)
    options = {name: value for name, value in both if value is not None}
    method = async_method(function)
    if method is None:
        _refuse(kind, options)
        return kind, {}
    _refuse_generator(kind, function, method)
    _check(kind, **options)
    return f"async_{kind}", options


def _refuse_generator(kind: str, function: Any, method: str) -> None:
    called = getattr(function, method) if method and method != "process" else getattr(function, "process", function)
    streams = kind in _KINDS and _KINDS[kind].streams
    if inspect.isasyncgenfunction(called) and not streams and method in ("", "process"):
        raise AsyncRefused(
            f"the function of {kind} is an asynchronous generator, which makes many results: flat_map sends them; "
            f"for {kind}, return one"
        )


def refuse_other_kind(kind: str, operator: str, function: Any, *, is_awaited: bool) -> None:
    """Raise `AsyncRefused` if `function` cannot take the place of another one in an operator of this kind."""
    kind, method = kind.removeprefix("async_"), async_method(function)
    if kind not in _AWAITING:
        refuse_async(function, operator)
    elif is_awaited and method is not None:
        _refuse_generator(kind, function, method)
    elif is_awaited or method is not None:
        given, other = ("a plain function", "an `async def`")[:: 1 if is_awaited else -1]
        raise AsyncRefused(
            f"{preview(function)} is {given}, and the function of {operator!r} is {other}: how its tasks call it was "
            f"settled when they were made; give {other}, or run the job again with {given}"
        )


def _refuse(kind: str, options: Mapping[str, Any]) -> None:
    for name, value in options.items():
        if name == "ordered" and value is True:
            continue
        raise GraphInvalid(
            f"{name}={preview(value)} of {kind} is for an `async def`, of which many calls are under way at once; a "
            f"plain function works one packet after the other: use parallelism= for several side by side"
        )


def _check(kind: str, concurrency: Any = CONCURRENCY, ordered: Any = True, timeout: Any = None) -> None:
    if type(concurrency) is not int or concurrency < 1:
        raise GraphInvalid(
            f"concurrency of {kind} is {preview(concurrency)}; it must be a whole number of at least 1, or None for "
            f"{CONCURRENCY}"
        )
    if type(ordered) is not bool:
        raise GraphInvalid(f"ordered of {kind} is {preview(ordered)}; it must be True or False")
    if timeout is not None and (type(timeout) not in (int, float) or not 0 < timeout < math.inf):
        raise GraphInvalid(f"timeout of {kind} is {preview(timeout)}; it must be a number of seconds, more than 0")
