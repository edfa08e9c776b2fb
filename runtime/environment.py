"""Environment and Stream: how a user writes a graph down. Builds records; runs nothing, knows no platform's parts."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, Literal, NoReturn, Self, TypeVar, Unpack, overload

from runtime.collected import Collected
from runtime.connected import ConnectedStreams, Settings, join_options, not_keyed
from runtime.errors import DuplicateName, GraphFrozen, GraphInvalid
from runtime.factory import require_platform
from runtime.graph.execution_graph import CoFunctions, Edge, ExecutionGraph, OperatorNode, ServiceNode, Strategy
from runtime.graph.validation import refuse_async, validate_operator, validate_service
from runtime.operators import NO_INITIAL, Function, SourceFunction
from runtime.operators.joined import How
from runtime.policy import OnError
from runtime.preview import preview

T = TypeVar("T")
U = TypeVar("U")
V = TypeVar("V")
K = TypeVar("K")
A = TypeVar("A")


class Environment:
    """Holds a graph while it is being written. `Session` has one; on its own it serves programs without a notebook.

    `capacity` and `on_error` are what operators have that say nothing else. With a `seed`, runs repeat: see `Session`.
    """

    def __init__(
        self,
        name: str = "job",
        *,
        platform: str = "local",
        capacity: int = 1024,
        on_error: OnError = "fail",
        seed: int | None = None,
    ) -> None:
        require_platform(platform)
        if type(name) is not str or not name.isprintable():
            raise GraphInvalid(f"{preview(name)} cannot be the name of a session; use printable text")
        validate_operator(OperatorNode("default", "map", capacity=capacity, on_error=on_error))
        if seed is not None and type(seed) is not int:
            raise GraphInvalid(f"seed is {preview(seed)}; it must be a whole number, or None for threads that run free")
        self.name, self.platform, self.capacity, self.on_error, self.seed = name, platform, capacity, on_error, seed
        self.frozen = False
        self.collected: list[Collected[Any]] = []
        self._operators: dict[str, OperatorNode] = {}
        self._edges: list[Edge] = []
        self._services: dict[str, ServiceNode] = {}

    def source(
        self,
        items: Iterable[T] | Callable[[], Iterable[T]] | SourceFunction[T],
        *,
        name: str | None = None,
        parallelism: int = 1,
        on_error: OnError | None = None,
    ) -> Stream[T]:
        """A stream of what `items` yields: an iterable, a callable that returns one, or a SourceFunction.

        A bare iterator can be run once and by one instance. With parallelism n, the instances share an iterable among
        them, and each calls the callable for itself. Raises `GraphInvalid`.
        """
        if isinstance(items, type) and issubclass(items, SourceFunction):
            raise GraphInvalid(f"{items.__name__} is a class; give the source an object of it: {items.__name__}(…)")
        if not isinstance(items, SourceFunction | Iterable) and not callable(items):
            raise GraphInvalid(
                f"{preview(items)} is no source; give an iterable, a callable that returns one, or a SourceFunction"
            )
        if isinstance(items, Iterator) and parallelism != 1:
            raise GraphInvalid(
                f"an iterator can be run by one instance only, not {parallelism}; give a callable that returns one"
            )
        node = self.add("source", items, [], name=name, parallelism=parallelism, on_error=on_error)
        return Stream(self, (_End(node.name),))

    def input(self, name: str, *, capacity: int | None = None) -> Stream[Any]:
        """A stream of what is put in by hand, until it is ended or the job is stopped."""
        return Stream(self, (_End(self.add("input", None, [], name=name, capacity=capacity).name),))

    def service(self, name: str, make: Callable[[], Any], *, concurrency: int = 1, capacity: int | None = None) -> None:
        """A service `name`: the object that `make` (a class, or any function without arguments) returns in each run.

        Its public methods can be called from functions, other services and outside; they run on `concurrency` threads
        of its own, so with more than one it must be thread-safe. If it has `setup()` and `close()`, they are called
        before the first request and behind the last. Raises `GraphInvalid`, `GraphFrozen`.
        """
        self._refuse_frozen()
        node = ServiceNode(name, make, concurrency, self.capacity if capacity is None else capacity)
        validate_service(node)
        self._refuse_taken(name)
        self._services[name] = node

    def add(
        self,
        kind: str,
        function: Any,
        ends: Sequence[_End],
        *,
        name: str | None = None,
        parallelism: int = 1,
        capacity: int | None = None,
        on_error: OnError | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> OperatorNode:
        """Add an operator of any registered kind, fed by `ends`. Raises `GraphFrozen`, `GraphInvalid`."""
        self._refuse_frozen()
        if name is not None:
            self._refuse_taken(name)
        for each in function if isinstance(function, CoFunctions) else (function,):
            if isinstance(each, type) and issubclass(each, Function):
                raise GraphInvalid(f"{each.__name__} is a class; give {kind} an object of it: {each.__name__}(…)")
            if kind not in ("source", "input", "take") and not isinstance(each, Function) and not callable(each):
                raise GraphInvalid(f"{kind} needs a function, not {preview(each)}")
        node = OperatorNode(
            name=self._free_name(kind) if name is None else name,
            kind=kind,
            parallelism=parallelism,
            capacity=self.capacity if capacity is None else capacity,
            on_error=self.on_error if on_error is None else on_error,
            function=function,
            options=dict(options or {}),
        )
        validate_operator(node)
        self._operators[node.name] = node
        self._edges += [Edge(end.operator, node.name, end.strategy, end.key, end.input) for end in ends]
        return node

    def graph(self) -> ExecutionGraph:
        """What has been written so far, neither validated nor compiled."""
        services = tuple(self._services.values())
        return ExecutionGraph(self.name, tuple(self._operators.values()), tuple(self._edges), service_nodes=services)

    def _refuse_frozen(self) -> None:
        if self.frozen:
            raise GraphFrozen(f"{self.name!r} has been started, so its graph cannot change; call reset() first")

    def _refuse_taken(self, name: str) -> None:
        if name in self._services:
            raise DuplicateName(f"there is a service {name!r} already; choose another name")
        if name in self._operators:
            raise DuplicateName(
                f"there is an operator {name!r} already ({self._operators[name].kind}); choose another name="
            )

    def _free_name(self, kind: str) -> str:
        number, name = 1, kind
        while name in self._operators or name in self._services:
            number += 1
            name = f"{kind}-{number}"
        return name


@dataclass(frozen=True, slots=True)
class _End:
    """An operator's output, how it is to be divided among the next one's instances, and on which input of theirs."""

    operator: str
    strategy: Strategy = "round_robin"
    key: Callable[[Any], Any] | None = None
    input: int = 0


class Stream(Generic[T]):
    """What an operator sends, not yet consumed. Each method adds one operator or sets how packets are divided.

    A function is a plain callable, shared by parallel instances, or an object of `Function`, copied for each.
    `capacity` limits the queue of each instance of the new operator; `on_error` says what an exception in it does, as
    for a session. Without them it has the session's. Methods raise `GraphInvalid` and `GraphFrozen`.
    """

    def __init__(self, environment: Environment, ends: tuple[_End, ...]) -> None:
        self._environment, self._ends = environment, ends

    def map(
        self,
        function: Callable[[T], U] | Function[T, U],
        *,
        name: str | None = None,
        parallelism: int = 1,
        capacity: int | None = None,
        on_error: OnError | None = None,
    ) -> Stream[U]:
        """One packet for each: what `function` returns."""
        return self._then("map", function, name=name, parallelism=parallelism, capacity=capacity, on_error=on_error)

    def filter(
        self,
        function: Callable[[T], object] | Function[T, object],
        *,
        name: str | None = None,
        parallelism: int = 1,
        capacity: int | None = None,
        on_error: OnError | None = None,
    ) -> Stream[T]:
        """The packets for which `function` returns something true."""
        return self._then("filter", function, name=name, parallelism=parallelism, capacity=capacity, on_error=on_error)

    def flat_map(
        self,
        function: Callable[[T], Iterable[U]] | Function[T, Iterable[U]],
        *,
        name: str | None = None,
        parallelism: int = 1,
        capacity: int | None = None,
        on_error: OnError | None = None,
    ) -> Stream[U]:
        """All that `function` returns or yields for each packet, each result sent as soon as it is made."""
        return self._then(
            "flat_map", function, name=name, parallelism=parallelism, capacity=capacity, on_error=on_error
        )

    def reduce(
        self,
        function: Callable[[A, T], A],
        *,
        initial: A = NO_INITIAL,  # type: ignore[assignment]
        emit: Literal["each", "end"] = "each",
        name: str | None = None,
        capacity: int | None = None,
        on_error: OnError | None = None,
    ) -> Stream[A]:
        """Fold all packets, one instance; send the folded value behind each packet, or once at the end of the input.

        Without `initial` the first packet is the first value. `initial` is copied. After `key_by`: see `KeyedStream`.
        """
        options = _reduce_options(initial, emit, keyed=False)
        return self._then("reduce", function, name=name, capacity=capacity, on_error=on_error, options=options)

    def take(self, count: int, *, name: str | None = None, capacity: int | None = None) -> Stream[T]:
        """The first `count` packets. A source whose packets nobody else needs then ends by itself."""
        if type(count) is not int or count < 0:
            raise GraphInvalid(f"take needs a whole number of at least 0, not {preview(count)}")
        return self._then("take", None, name=name, capacity=capacity, options={"count": count})

    def sink(
        self,
        function: Callable[[T], object] | Function[T, object],
        *,
        name: str | None = None,
        parallelism: int = 1,
        capacity: int | None = None,
        on_error: OnError | None = None,
    ) -> None:
        """Call `function` for each packet; the stream ends here."""
        self._add("sink", function, name=name, parallelism=parallelism, capacity=capacity, on_error=on_error)

    def collect(
        self, limit: int | None = None, *, name: str | None = None, capacity: int | None = None
    ) -> Collected[T]:
        """Gather the packets where the session lives, in order per producer; with `limit`, keep the first so many."""
        if limit is not None and (type(limit) is not int or limit < 0):
            raise GraphInvalid(f"limit of collect must be None or a whole number of at least 0, not {preview(limit)}")
        collected: Collected[T] = Collected(limit)
        self._add("collect", collected.gather, name=name, capacity=capacity)
        self._environment.collected.append(collected)
        return collected

    def key_by(self, function: Callable[[T], K]) -> KeyedStream[K, T]:
        """Equal keys go to the same instance of whoever consumes this; the key is there as `ctx.key`.

        `function` runs in the producer. Its keys need a stable digest: numbers, text, bytes, None, dates, UUIDs, enum
        members, tuples of these.
        """
        if not callable(function):
            raise GraphInvalid(f"key_by needs a function, not {preview(function)}")
        refuse_async(function, f"{self.name}.key_by")
        return KeyedStream(self._environment, tuple(_End(end.operator, "hash", function) for end in self._ends))

    def round_robin(self) -> Stream[T]:
        """Each instance of whoever consumes this gets a packet in turn (what happens if nothing else is said)."""
        return Stream(self._environment, tuple(_End(end.operator, "round_robin") for end in self._ends))

    def broadcast(self) -> Stream[T]:
        """Each instance of whoever consumes this gets every packet: the same object, so do not change it."""
        return Stream(self._environment, tuple(_End(end.operator, "broadcast") for end in self._ends))

    def union(self, *others: Stream[T]) -> Self:
        """The packets of all these streams, as they come; order is kept per producer."""
        for other in others:
            self._require_neighbour(other, "union")
        ends = self._ends + tuple(end for other in others for end in other._ends)
        return type(self)(self._environment, ends)

    def connect(self, other: Stream[U]) -> ConnectedStreams[T, U]:
        """Both streams for one operator that has a function for each. Both are keyed, or neither is.

        Keyed streams share `ctx.state` key by key, whichever of them a packet comes from.
        """
        self._require_neighbour(other, "connect")
        if self._keyed != other._keyed:
            keyed, plain = (self, other) if self._keyed else (other, self)
            raise GraphInvalid(
                f"connect of {keyed.name!r}, which is keyed, and {plain.name!r}, which is not; call key_by on both, or "
                "on neither"
            )
        return ConnectedStreams(functools.partial(self._then_both, other))

    def join(self, *_: object, **__: object) -> NoReturn:
        """Refused: rows meet where their keys are equal, so a stream needs `key_by` before `join`."""
        raise not_keyed(self.name)

    @property
    def name(self) -> str:
        """The name of the operator whose stream this is; several of them joined by `+` after union."""
        return "+".join(end.operator for end in self._ends)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"

    def _then(self, kind: str, function: Any, **settings: Any) -> Stream[Any]:
        return Stream(self._environment, (_End(self._add(kind, function, **settings).name),))

    def _then_both(self, other: Stream[Any], kind: str, function: Any, **settings: Any) -> Stream[Any]:
        ends = self._ends + tuple(replace(end, input=1) for end in other._ends)
        return Stream(self._environment, (_End(self._environment.add(kind, function, ends, **settings).name),))

    def _add(self, kind: str, function: Any, **settings: Any) -> OperatorNode:
        return self._environment.add(kind, function, self._ends, **settings)

    @property
    def _keyed(self) -> bool:
        return all(end.strategy == "hash" for end in self._ends)

    def _require_neighbour(self, other: object, method: str) -> None:
        if not isinstance(other, Stream):
            raise GraphInvalid(f"{method} takes streams, not {preview(other)}")
        if other._environment is not self._environment:
            raise GraphInvalid(f"{method} of streams of {self._environment.name!r} and of {other._environment.name!r}")


class KeyedStream(Stream[T], Generic[K, T]):
    """A stream whose packets have keys: state is per key, and equal keys meet in one instance."""

    @overload  # type: ignore[override]
    def reduce(
        self,
        function: Callable[[A, T], A],
        *,
        initial: A,
        emit: Literal["each", "end"] = ...,
        name: str | None = ...,
        parallelism: int = ...,
        capacity: int | None = ...,
        on_error: OnError | None = ...,
    ) -> Stream[tuple[K, A]]: ...

    @overload
    def reduce(
        self,
        function: Callable[[T, T], T],
        *,
        emit: Literal["each", "end"] = ...,
        name: str | None = ...,
        parallelism: int = ...,
        capacity: int | None = ...,
        on_error: OnError | None = ...,
    ) -> Stream[tuple[K, T]]: ...

    def reduce(
        self,
        function: Callable[[Any, T], Any],
        *,
        initial: Any = NO_INITIAL,
        emit: Literal["each", "end"] = "each",
        name: str | None = None,
        parallelism: int = 1,
        capacity: int | None = None,
        on_error: OnError | None = None,
    ) -> Stream[Any]:
        """Fold the packets of each key; send `(key, value)` behind each packet, or once per key at the end of input.

        Without `initial` a key starts with its first packet. `initial` is copied per key.
        """
        options = _reduce_options(initial, emit, keyed=True)
        settings = {"name": name, "parallelism": parallelism, "capacity": capacity, "on_error": on_error}
        return self._then("reduce", function, **settings, options=options)

    @overload  # type: ignore[override]
    def join(
        self, other: KeyedStream[K, U], merge: Callable[[T, U], V], how: Literal["inner"] = ..., **s: Unpack[Settings]
    ) -> Stream[V]: ...

    @overload
    def join(
        self, other: KeyedStream[K, U], merge: Callable[[T, U | None], V], how: Literal["left"], **s: Unpack[Settings]
    ) -> Stream[V]: ...

    @overload
    def join(
        self, other: KeyedStream[K, U], merge: Callable[[T | None, U | None], V], how: How, **s: Unpack[Settings]
    ) -> Stream[V]: ...

    def join(
        self,
        other: Stream[Any],
        merge: Callable[[Any, Any], V],
        how: How = "inner",
        *,
        name: str | None = None,
        parallelism: int = 1,
        capacity: int | None = None,
        on_error: OnError | None = None,
    ) -> Stream[V]:
        """`merge(row, other_row)` for each two packets of equal keys, as soon as the later one is there.

        At the end of the input a `left` join also sends `merge(row, None)` for the rows that met no other, an `outer`
        join `merge(None, other_row)` as well, unless a producer has failed or was cancelled. All rows are kept in
        memory; once one stream has ended, those of the other are no longer added.
        """
        self._require_neighbour(other, "join")
        for side in (self, other):
            if not side._keyed:
                raise not_keyed(side.name)
        settings = {"name": name, "parallelism": parallelism, "capacity": capacity, "on_error": on_error}
        return self._then_both(other, "join", merge, **settings, options=join_options(how))


def _reduce_options(initial: Any, emit: str, *, keyed: bool) -> dict[str, Any]:
    if emit not in ("each", "end"):
        raise GraphInvalid(f"emit of reduce is {emit!r}; it can be 'each' or 'end'")
    try:
        copy.deepcopy(initial)
    except Exception as error:  # the border to user code
        raise GraphInvalid(f"initial of reduce cannot be copied ({error}), and each key needs its own") from error
    return {"initial": initial, "emit": emit, "keyed": keyed}
