"""Two streams for one operator: `ConnectedStreams`, and what is asked of a join. Builds records; runs nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Generic, TypedDict, TypeVar

from runtime.errors import GraphInvalid
from runtime.graph import CoFunctions
from runtime.graph.policy import OnError
from runtime.graph.rate import Rate
from runtime.operators import Function

if TYPE_CHECKING:
    from runtime.builder.stream import Stream

T = TypeVar("T")
U = TypeVar("U")
V = TypeVar("V")
W = TypeVar("W")


class Settings(TypedDict, total=False):
    """What every operator may be given besides its function."""

    name: str | None
    parallelism: int
    capacity: int | None
    on_error: OnError | None
    rate: Rate | None


class CallSettings(Settings, total=False):
    """What one may be given, besides its function, that may be an `async def`."""

    chain: bool | None
    concurrency: int | None
    ordered: bool
    timeout: float | None


class SourceSettings(TypedDict, total=False):
    """What a source may be given besides its items."""

    name: str | None
    parallelism: int
    on_error: OnError | None
    rate: Rate | None
    chain: bool | None


class ConnectedStreams(Generic[T, U]):
    """Two streams for one operator, which has a function for each; `Stream.connect` makes it.

    The two functions of an instance run on one thread, so they may share what they like. A `Function` is copied for
    each instance, both of them together; `ctx.state` is common to both, per key if the streams are keyed. Methods raise
    `GraphInvalid` and `GraphFrozen`.
    """

    def __init__(self, both: Stream[Any]) -> None:
        self._both = both

    def map(
        self,
        first: Callable[[T], V] | Function[T, V],
        second: Callable[[U], W] | Function[U, W],
        *,
        name: str | None = None,
        parallelism: int = 1,
        capacity: int | None = None,
        on_error: OnError | None = None,
        rate: Rate | None = None,
    ) -> Stream[V | W]:
        """One packet for each: what `first` returns for those of the first stream, `second` for those of the other."""
        functions = CoFunctions(first, second)
        settings: Any = {
            "name": name,
            "parallelism": parallelism,
            "capacity": capacity,
            "on_error": on_error,
            "rate": rate,
        }
        return self._both._then("co_map", functions, **settings)

    def flat_map(
        self,
        first: Callable[[T], Iterable[V]] | Function[T, Iterable[V]],
        second: Callable[[U], Iterable[W]] | Function[U, Iterable[W]],
        *,
        name: str | None = None,
        parallelism: int = 1,
        capacity: int | None = None,
        on_error: OnError | None = None,
        rate: Rate | None = None,
    ) -> Stream[V | W]:
        """All that the function of its stream returns or yields for each packet, each result sent as soon as made."""
        functions = CoFunctions(first, second)
        settings: Any = {
            "name": name,
            "parallelism": parallelism,
            "capacity": capacity,
            "on_error": on_error,
            "rate": rate,
        }
        return self._both._then("co_flat_map", functions, **settings)


def join_options(how: str) -> dict[str, Any]:
    """The options of a join. Raises `GraphInvalid`."""
    if how not in ("inner", "left", "outer"):
        raise GraphInvalid(
            f"how of join is {how!r}; it can be 'inner', 'left' or 'outer' (for a right join exchange the two streams)"
        )
    return {"how": how}


def not_keyed(stream: str, why: str | None) -> GraphInvalid:
    """The refusal of a join with a stream that has no keys."""
    return GraphInvalid(f"join needs keys on both sides, and {stream!r} has none; {why or 'call key_by on it first'}")
