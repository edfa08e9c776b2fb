"""Stream: what an operator sends, and what may come next. Writes records into an environment; runs nothing."""

from __future__ import annotations

import copy
from collections.abc import AsyncIterable, Callable, Collection, Coroutine, Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Generic, Literal, NoReturn, Self, TypeVar, Unpack, cast, overload

from runtime.batches.awaited import AsyncMapBatches  # noqa: F401  it registers its kind
from runtime.batches.operator import batch_options
from runtime.builder.collected import Collected
from runtime.builder.connected import CallSettings, ConnectedStreams, Settings, join_options, not_keyed
from runtime.builder.not_yet import missing
from runtime.errors import GraphInvalid
from runtime.graph.execution_graph import OperatorNode, Strategy
from runtime.graph.policy import OnError
from runtime.graph.rate import Rate
from runtime.operators import NO_INITIAL, Function
from runtime.operators.joined import How
from runtime.operators.stateful import one_more
from runtime.python.asynchronous import refuse_async
from runtime.questions.reply import Reply  # noqa: F401  it registers its kind
from runtime.texts.preview import preview

if TYPE_CHECKING:
    from runtime.builder.environment import Environment

T = TypeVar("T")
U = TypeVar("U")
V = TypeVar("V")
K = TypeVar("K")
A = TypeVar("A")


@dataclass(frozen=True, slots=True)
class OutputRef:
    """An operator's output, how it is to be divided among the next one's instances, and on which input of theirs."""

    operator: str
    strategy: Strategy = "round_robin"
    key: Callable[[Any], Any] | None = None
    input: int = 0


class Stream(Generic[T]):
    """What an operator sends, not yet consumed. Each method adds one operator or sets how packets are divided.

    A function is a plain callable, shared by parallel instances, or an object of `Function`, copied for each and run.
    On threads packets are passed on, not copied: all consumers of a stream get the same object, and so does whoever
    kept it before. So a function makes new objects and leaves its packet as it is (`testing.check_unchanged` looks).
    `capacity` limits the queue of each instance of the new operator; `on_error` says what an exception in it does, as
    for a session. Without them it has the session's. `rate` says how many packets may begin in a time, of all instances
    together. Methods raise `GraphInvalid` and `GraphFrozen`.

    Of an `async def` (or a `Function` with `async` methods) in map, filter, flat_map and sink, each instance has up to
    `concurrency` (None: 16) calls open at once, in an event loop of its own: those under way, and those that are over
    and wait for their turn. Results come in the order of the packets, or, unless `ordered`, as calls come to their end.
    After `key_by`, calls of equal keys run one after the other. A call that takes more than `timeout` seconds is
    cancelled, and raises `TimeoutError` once its `finally` has run.
    """

    def __init__(self, environment: Environment, ends: tuple[OutputRef, ...], keys_end_at: str | None = None) -> None:
        self._environment, self._ends = environment, ends
        self._keys_end_at = keys_end_at  # the operator, if it has keys and its packets have none

    @overload
    def map(
        self,
        function: Callable[[T], Coroutine[Any, Any, U]] | Function[T, Coroutine[Any, Any, U]],
        **settings: Unpack[CallSettings],
    ) -> Stream[U]: ...

    @overload
    def map(self, function: Callable[[T], U] | Function[T, U], **settings: Unpack[CallSettings]) -> Stream[U]: ...

    def map(
        self,
        function: Any,
        *,
        name: str | None = None,
        parallelism: int = 1,
        capacity: int | None = None,
        on_error: OnError | None = None,
        rate: Rate | None = None,
        chain: bool | None = None,
        concurrency: int | None = None,
        ordered: bool = True,
        timeout: float | None = None,
    ) -> Stream[Any]:
        """One packet for each: what `function` returns. It must not change its packet, which others may have too.

        With `chain=False` no thread ever works it together with its neighbours, here as in the other methods; with
        `chain=True` also a function that overrides `open` may be called by one thread now and by another one later.

        >>> import runtime
        >>> with runtime.Session() as session:
        ...     numbers = session.source([1, 2, 3]).map(lambda n: n * n).collect()
        ...     outcome = session.run()
        >>> numbers
        [1, 4, 9]
        """
        return self._then(
            "map",
            function,
            name=name,
            parallelism=parallelism,
            capacity=capacity,
            on_error=on_error,
            rate=rate,
            chain=chain,
            calls=(concurrency, ordered, timeout),
        )

    def filter(
        self,
        function: Callable[[T], object] | Function[T, object],
        *,
        name: str | None = None,
        parallelism: int = 1,
        capacity: int | None = None,
        on_error: OnError | None = None,
        rate: Rate | None = None,
        chain: bool | None = None,
        concurrency: int | None = None,
        ordered: bool = True,
        timeout: float | None = None,
    ) -> Stream[T]:
        """The packets for which `function` returns something true."""
        return self._then(
            "filter",
            function,
            name=name,
            parallelism=parallelism,
            capacity=capacity,
            on_error=on_error,
            rate=rate,
            chain=chain,
            calls=(concurrency, ordered, timeout),
        )

    @overload
    def flat_map(
        self,
        function: Callable[[T], AsyncIterable[U]] | Function[T, AsyncIterable[U]],
        **settings: Unpack[CallSettings],
    ) -> Stream[U]: ...

    @overload
    def flat_map(
        self,
        function: Callable[[T], Coroutine[Any, Any, Iterable[U]]] | Function[T, Coroutine[Any, Any, Iterable[U]]],
        **settings: Unpack[CallSettings],
    ) -> Stream[U]: ...

    @overload
    def flat_map(
        self, function: Callable[[T], Iterable[U]] | Function[T, Iterable[U]], **settings: Unpack[CallSettings]
    ) -> Stream[U]: ...

    def flat_map(
        self,
        function: Any,
        *,
        name: str | None = None,
        parallelism: int = 1,
        capacity: int | None = None,
        on_error: OnError | None = None,
        rate: Rate | None = None,
        chain: bool | None = None,
        concurrency: int | None = None,
        ordered: bool = True,
        timeout: float | None = None,
    ) -> Stream[Any]:
        """All that `function` returns or yields for each packet, each result sent as soon as it is made.

        Of an `async def` that yields, the results of the oldest call, or of each with `ordered=False`; the other calls
        are ahead by 16 results each, at most. Under a policy other than `fail` all of a packet is sent, or nothing, so
        what it makes is held until it is over; of an `async def` that returns, always.

        >>> import runtime
        >>> with runtime.Session() as session:
        ...     words = session.source(["to be", "or not"]).flat_map(str.split).collect()
        ...     outcome = session.run()
        >>> words
        ['to', 'be', 'or', 'not']
        """
        return self._then(
            "flat_map",
            function,
            name=name,
            parallelism=parallelism,
            capacity=capacity,
            on_error=on_error,
            rate=rate,
            chain=chain,
            calls=(concurrency, ordered, timeout),
        )

    def map_batches(
        self,
        function: Callable[[list[T]], Collection[U] | Coroutine[Any, Any, Collection[U]]]
        | Function[list[T], Collection[U] | Coroutine[Any, Any, Collection[U]]],
        *,
        size: int = 64,
        within: float = 0.05,
        name: str | None = None,
        parallelism: int = 1,
        capacity: int | None = None,
        on_error: OnError | None = None,
        rate: Rate | None = None,
        concurrency: int | None = None,
        ordered: bool = True,
        timeout: float | None = None,
    ) -> Stream[U]:
        """One packet for each, made for up to `size` of them at once: `function` gets a list, and returns as many.

        A list, an array, a column: whatever has a length and can be gone through. Each result is its packet's, in the
        same order; another number of results is an error, `WrongBatch`, of the batch.

        A batch goes when it is full, `within` seconds after its first packet came, and earlier where waiting could not
        make it longer: one of the lanes of its queue is full, or a signal is next in one (the end of a producer). It
        waits in the queue, so with a `capacity` below `size` batches are shorter. At a pause its time stands still; a
        step works what waits as one batch.

        Under `"skip"` a batch that fails is worked again packet by packet, so that one bad packet costs no other its
        result; `Retry` first tries the batch again. Under `"hold"` the good ones come through as well, and the others
        stay. Under `"fail"` nothing is tried again, and `TaskFailed.packet` is the list.

        With `rate=` each packet counts, so a batch has no more than may begin at once; once its first may, it waits for
        the others as well, `within` seconds at most.

        On a keyed input a batch may hold several keys: `ctx.keys` has that of each packet, `ctx.states[key]` what is
        remembered of it; `ctx.key` and `ctx.state` raise.

        An `async def` is awaited: up to `concurrency` batches (16) are under way, or wait for their turn, in each
        instance; with `ordered=False` results are sent as batches come to their end. `timeout` is in seconds, for each
        call. A batch begins only when none of its keys is in one that is under way.

        >>> import runtime
        >>> with runtime.Session() as session:
        ...     sums = session.source(range(5)).map_batches(lambda batch: [sum(batch)] * len(batch), size=2).collect()
        ...     outcome = session.run()
        >>> sums
        [1, 1, 5, 5, 4]
        """
        options = batch_options(size, within)
        settings: Any = {"name": name, "parallelism": parallelism, "capacity": capacity, "on_error": on_error}
        calls = (concurrency, ordered, timeout)
        return self._then("map_batches", function, **settings, rate=rate, options=options, calls=calls)

    def reduce(
        self,
        function: Callable[[A, T], A],
        *,
        initial: A = NO_INITIAL,  # type: ignore[assignment]
        emit: Literal["each", "end"] = "each",
        name: str | None = None,
        capacity: int | None = None,
        on_error: OnError | None = None,
        rate: Rate | None = None,
        chain: bool | None = None,
    ) -> Stream[A]:
        """Fold all packets, one instance; send the folded value after each packet, or once at the end of the input.

        Without `initial` the first packet is the first value. `initial` is copied. After `key_by`: see `KeyedStream`.
        A value that is changed in place is sent again and again as the same object: return a new one, or `emit="end"`.
        Where an operator before it has keys, which do not reach it, `round_robin()` says that one fold of all is meant.
        """
        self._refuse_ended_keys("reduce", "fold")
        options = _fold_options("reduce", initial, emit, keyed=False)
        return self._then(
            "reduce", function, name=name, capacity=capacity, on_error=on_error, rate=rate, chain=chain, options=options
        )

    def count(
        self,
        *,
        emit: Literal["each", "end"] = "each",
        name: str | None = None,
        capacity: int | None = None,
        rate: Rate | None = None,
    ) -> Stream[int]:
        """How many packets there have been: after each, or once, at the end of the input, where it may be 0.

        After `key_by`: see `KeyedStream`.

        >>> import runtime
        >>> with runtime.Session() as session:
        ...     lines = session.source(["one", "two", "three"]).count(emit="end").collect()
        ...     outcome = session.run()
        >>> lines.one()
        3
        """
        self._refuse_ended_keys("count", "count")
        options = _fold_options("count", 0, emit, keyed=False)
        return self._then("count", one_more, name=name, capacity=capacity, rate=rate, options=options)

    def scan(
        self,
        function: Callable[[A, T], tuple[A, U]],
        *,
        initial: A,
        name: str | None = None,
        capacity: int | None = None,
        on_error: OnError | None = None,
        rate: Rate | None = None,
        chain: bool | None = None,
    ) -> Stream[U]:
        """For each packet a result that `function` makes of it and of a state: it returns `(state, result)`.

        One instance. `initial` is copied. After `key_by`, with a state per key: see `KeyedStream`.

        >>> import runtime
        >>> def gap(last, now):
        ...     return now, now - last
        >>> with runtime.Session() as session:
        ...     gaps = session.source([3, 5, 10]).scan(gap, initial=0).collect()
        ...     outcome = session.run()
        >>> gaps
        [3, 2, 5]
        """
        self._refuse_ended_keys("scan", "scan")
        options = _fold_options("scan", initial, "each", keyed=False)
        return self._then(
            "scan", function, name=name, capacity=capacity, on_error=on_error, rate=rate, chain=chain, options=options
        )

    def _refuse_ended_keys(self, method: str, verb: str) -> None:
        if self._keys_end_at is not None:
            raise GraphInvalid(
                f"{method} would {verb} all packets of {self.name!r} together, as keys {_end_at(self._keys_end_at)}, "
                f"or round_robin() if one {method} of all is meant"
            )

    def take(
        self, count: int, *, name: str | None = None, capacity: int | None = None, rate: Rate | None = None
    ) -> Stream[T]:
        """The first `count` packets. A source whose packets nobody else needs then ends by itself."""
        if type(count) is not int or count < 0:
            raise GraphInvalid(f"take needs a whole number of at least 0, not {preview(count)}")
        return self._then("take", None, name=name, capacity=capacity, rate=rate, options={"count": count})

    def sink(
        self,
        function: Callable[[T], object] | Function[T, object],
        *,
        name: str | None = None,
        parallelism: int = 1,
        capacity: int | None = None,
        on_error: OnError | None = None,
        rate: Rate | None = None,
        chain: bool | None = None,
        concurrency: int | None = None,
        ordered: bool = True,
        timeout: float | None = None,
    ) -> None:
        """Call `function` for each packet; the stream ends here."""
        self._add(
            "sink",
            function,
            name=name,
            parallelism=parallelism,
            capacity=capacity,
            on_error=on_error,
            rate=rate,
            chain=chain,
            calls=(concurrency, ordered, timeout),
        )

    def collect(
        self,
        limit: int | None = None,
        *,
        name: str | None = None,
        capacity: int | None = None,
        rate: Rate | None = None,
    ) -> Collected[T]:
        """Gather the packets where the session lives, in order per producer; with `limit`, keep the first so many."""
        if limit is not None and (type(limit) is not int or limit < 0):
            raise GraphInvalid(f"limit of collect must be None or a whole number of at least 0, not {preview(limit)}")
        collected: Collected[T] = Collected(limit)
        self._add("collect", collected.gather, name=name, capacity=capacity, rate=rate, options={"into": collected})
        self._environment.collected.append(collected)
        return collected

    def reply(self, name: str | None = None) -> None:
        """The stream ends here, in answers: what comes here goes to whoever has asked for it (`Session.ask`).

        A packet that belongs to no question is dropped, and counted (`snapshot().questions`). There may be several
        replies in a graph. Tasks of a graph that has one are not chained.

        >>> import runtime
        >>> with runtime.Session() as session:
        ...     text = session.input("text").flat_map(str.split)
        ...     text.map(len).reply()
        ...     session.start()
        ...     replies = session.ask("text", "to be or", many=True)
        ...     session.stop()
        >>> replies
        [2, 2, 2]
        """
        self._add("reply", None, name=name)

    def key_by(self, function: Callable[[T], K]) -> KeyedStream[K, T]:
        """Equal keys go to the same instance of whoever consumes this; the key is there as `ctx.key`.

        `function` runs in the producer. Its keys need a stable digest: numbers, text, bytes, None, dates, UUIDs,
        paths, enum members, scalars of numpy and pandas, tuples of these. A class that defines an equality of its own
        is refused (`UnstableKey`), since nobody but itself could say which of its keys are to meet.

        >>> import runtime
        >>> with runtime.Session() as session:
        ...     words = session.source("to be or not to be".split(), name="words")
        ...     words.key_by(str).map(str.upper, name="shout", parallelism=2).sink(len)
        ...     session.start(paused=True)
        ...     steps = session.step("words", 6)
        ...     session.resume()
        >>> {step.sent[0][0] for step in steps if step.sent[0][1].key == "be"}
        {'shout#1'}
        """
        if not callable(function):
            raise GraphInvalid(f"key_by needs a function, not {preview(function)}")
        refuse_async(function, f"{self.name}.key_by")
        return KeyedStream(self._environment, tuple(OutputRef(end.operator, "hash", function) for end in self._ends))

    def round_robin(self) -> Stream[T]:
        """Each instance of whoever consumes this gets a packet in turn (what happens if nothing else is said)."""
        return Stream(self._environment, tuple(OutputRef(end.operator, "round_robin") for end in self._ends))

    def broadcast(self) -> Stream[T]:
        """Each instance of whoever consumes this gets every packet: the same object, so do not change it."""
        return Stream(self._environment, tuple(OutputRef(end.operator, "broadcast") for end in self._ends))

    def first_free(self) -> Stream[T]:
        """Each packet goes to the first instance of whoever consumes this that is free, and waits until one is.

        An instance is free when its `open` has returned, no packet waits for it and none is in work, so a slow packet
        keeps none waiting while another instance could take it. Then no instance has more than one packet waiting,
        whatever its `capacity`: the others wait where they are, in the queue before, or in a source that is not asked
        for them. Order is kept per producer and instance, as ever: so *not* from this stream to what all instances
        send. Equal packets may meet any instance. While all are busy, a producer is `held back: all busy`.

        For operators whose instances work one packet at a time, and on threads: refused by name (`GraphInvalid`) of an
        `async def`, which has many calls open, `map_batches`, an operator with two inputs, one that other streams feed
        in another way (call this after `union`), and where tasks are processes of their own. Nothing is chained there.

        >>> import runtime
        >>> with runtime.Session() as session:
        ...     sizes = session.source(["a", "bb", "ccc"]).first_free().map(len, parallelism=2).collect()
        ...     outcome = session.run()
        >>> sorted(sizes)
        [1, 2, 3]
        """
        return Stream(self._environment, tuple(OutputRef(end.operator, "first_free") for end in self._ends))

    def union(self, *others: Stream[T]) -> Self:
        """The packets of all these streams, as they come; order is kept per producer.

        Where one stream comes in by two ways, each packet does, as the same object: change none in place.
        """
        for other in others:
            self._require_neighbour(other, "union")
        ends = self._ends + tuple(end for other in others for end in other._ends)
        ended = [stream._keys_end_at for stream in others if stream._keys_end_at is not None]
        return type(self)(self._environment, ends, ended[0] if ended else self._keys_end_at)

    def connect(self, other: Stream[U]) -> ConnectedStreams[T, U]:
        """Both streams for one operator that has a function for each. Both are keyed, or neither is.

        Keyed streams share `ctx.state` key by key, whichever of them a packet comes from.
        """
        self._require_neighbour(other, "connect")
        if self._keyed != other._keyed:
            keyed, plain = (self, other) if self._keyed else (other, self)
            ended = plain._keys_end_at
            raise GraphInvalid(
                f"connect of {keyed.name!r}, which is keyed, and {plain.name!r}, which is not; "
                + ("call key_by on both, or on neither" if ended is None else f"keys {_end_at(ended)}")
            )
        for stream in (self, other):
            if stream._keys_end_at is not None:
                raise GraphInvalid(
                    f"connect of {self.name!r} and {other.name!r} would be without keys, as those of {stream.name!r} "
                    f"{_end_at(stream._keys_end_at)}, or round_robin() if packets are to meet in turn"
                )
        return ConnectedStreams(self._with(other))

    def join(self, *_: object, **__: object) -> NoReturn:
        """Refused: rows meet where their keys are equal, so a stream needs `key_by` before `join`."""
        raise self._not_keyed()

    @property
    def name(self) -> str:
        """The name of the operator whose stream this is; several of them joined by `+` after union."""
        return "+".join(end.operator for end in self._ends)

    if not TYPE_CHECKING:  # to mypy a class that answers for any name has no slips

        def __getattr__(self, name: str) -> Any:
            raise missing(self, name)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"

    def _not_keyed(self) -> GraphInvalid:
        return not_keyed(self.name, None if self._keys_end_at is None else f"keys {_end_at(self._keys_end_at)}")

    def _then(self, kind: str, function: Any, **settings: Any) -> Stream[Any]:
        return self._behind(self._add(kind, function, **settings).name)

    def _with(self, other: Stream[Any]) -> Stream[Any]:
        """Both, for one operator, which hears the other one on its second input."""
        return Stream(self._environment, self._ends + tuple(replace(end, input=1) for end in other._ends))

    def _behind(self, operator: str) -> Stream[Any]:
        """The stream of an operator that consumes this one and sends packets of its own: those have no keys."""
        return Stream(self._environment, (OutputRef(operator),), operator if self._keyed else None)

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

    def filter(
        self,
        function: Callable[[T], object] | Function[T, object],
        *,
        name: str | None = None,
        parallelism: int = 1,
        capacity: int | None = None,
        on_error: OnError | None = None,
        rate: Rate | None = None,
        chain: bool | None = None,
        concurrency: int | None = None,
        ordered: bool = True,
        timeout: float | None = None,
    ) -> KeyedStream[K, T]:
        """The packets for which `function` returns something true, with their keys: the key function is asked again.

        Of united streams with different key functions the keys end here.
        """
        made = self._add(
            "filter",
            function,
            name=name,
            parallelism=parallelism,
            capacity=capacity,
            on_error=on_error,
            rate=rate,
            chain=chain,
            calls=(concurrency, ordered, timeout),
        ).name
        if len({id(end.key) for end in self._ends}) > 1:
            return cast(KeyedStream[K, T], self._behind(made))
        return KeyedStream(self._environment, (OutputRef(made, "hash", self._ends[0].key),))

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
        rate: Rate | None = ...,
        chain: bool | None = ...,
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
        rate: Rate | None = ...,
        chain: bool | None = ...,
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
        rate: Rate | None = None,
        chain: bool | None = None,
    ) -> Stream[Any]:
        """Fold the packets of each key; send `(key, value)` after each packet, or once per key at the end of input.

        Without `initial` a key starts with its first packet. `initial` is copied per key.

        >>> import runtime
        >>> with runtime.Session() as session:
        ...     words = session.source("to be or not to be".split()).key_by(str)
        ...     counts = words.reduce(lambda n, _: n + 1, initial=0, emit="end", parallelism=2).collect()
        ...     outcome = session.run()
        >>> sorted(counts)
        [('be', 2), ('not', 1), ('or', 1), ('to', 2)]
        """
        settings: Any = {"name": name, "parallelism": parallelism, "capacity": capacity, "on_error": on_error}
        return self._fold("reduce", function, {**settings, "rate": rate, "chain": chain}, initial, emit)

    def count(  # type: ignore[override]
        self,
        *,
        emit: Literal["each", "end"] = "each",
        name: str | None = None,
        parallelism: int = 1,
        capacity: int | None = None,
        rate: Rate | None = None,
    ) -> Stream[tuple[K, int]]:
        """How many packets of each key: `(key, count)` after each packet, or once per key at the end of the input.

        >>> import runtime
        >>> with runtime.Session() as session:
        ...     words = session.source("to be or not to be".split()).key_by(str)
        ...     counts = words.count(emit="end", parallelism=2).collect()
        ...     outcome = session.run()
        >>> sorted(counts)
        [('be', 2), ('not', 1), ('or', 1), ('to', 2)]
        """
        settings: Any = {"name": name, "parallelism": parallelism, "capacity": capacity, "rate": rate}
        return self._fold("count", one_more, settings, 0, emit)

    def scan(  # type: ignore[override]
        self,
        function: Callable[[A, T], tuple[A, U]],
        *,
        initial: A,
        name: str | None = None,
        parallelism: int = 1,
        capacity: int | None = None,
        on_error: OnError | None = None,
        rate: Rate | None = None,
        chain: bool | None = None,
    ) -> Stream[tuple[K, U]]:
        """For each packet `(key, result)`: `function` makes of a key's state and a packet `(state, result)`.

        `initial` is copied per key.

        >>> import runtime
        >>> def change(last, each):
        ...     return each[1], each[1] - last
        >>> with runtime.Session() as session:
        ...     prices = session.source([("tea", 310), ("milk", 120), ("tea", 300)]).key_by(lambda each: each[0])
        ...     found = prices.scan(change, initial=0).collect()
        ...     outcome = session.run()
        >>> found
        [('tea', 310), ('milk', 120), ('tea', -10)]
        """
        settings: Any = {"name": name, "parallelism": parallelism, "capacity": capacity, "on_error": on_error}
        return self._fold("scan", function, {**settings, "rate": rate, "chain": chain}, initial, "each")

    def _fold(self, kind: str, function: Any, settings: dict[str, Any], initial: Any, emit: str) -> Stream[Any]:
        made = self._add(kind, function, **settings, options=_fold_options(kind, initial, emit, keyed=True)).name
        return Stream(self._environment, (OutputRef(made),))  # whose packets have their keys in them

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
        rate: Rate | None = None,
    ) -> Stream[V]:
        """`merge(row, other_row)` for each two packets of equal keys, as soon as the later one is there.

        At the end of the input a `left` join also sends `merge(row, None)` for the rows that met no other, an `outer`
        join `merge(None, other_row)` as well, unless a producer has failed or was cancelled. All rows are kept in
        memory; once one stream has ended, those of the other are no longer added.

        >>> import runtime
        >>> with runtime.Session() as session:
        ...     orders = session.source(["tea", "juice"]).key_by(str)
        ...     prices = session.source([("tea", 310), ("milk", 120)]).key_by(lambda price: price[0])
        ...     bills = orders.join(prices, lambda order, price: (order, price and price[1]), how="left").collect()
        ...     outcome = session.run()
        >>> sorted(bills)
        [('juice', None), ('tea', 310)]
        """
        self._require_neighbour(other, "join")
        for side in (self, other):
            if not side._keyed:
                raise side._not_keyed()
        settings = {"name": name, "parallelism": parallelism, "capacity": capacity, "on_error": on_error, "rate": rate}
        return self._with(other)._then("join", merge, **settings, options=join_options(how))


def _end_at(operator: str) -> str:
    return f"end at {operator!r}, which sends packets of its own; call key_by after it"


def _fold_options(method: str, initial: Any, emit: str, *, keyed: bool) -> dict[str, Any]:
    if emit not in ("each", "end"):
        raise GraphInvalid(f"emit of {method} is {emit!r}; it can be 'each' or 'end'")
    try:
        copy.deepcopy(initial)
    except Exception as error:  # the border to user code
        raise GraphInvalid(f"initial of {method} cannot be copied ({error}), and each key needs its own") from error
    return {"initial": initial, "emit": emit, "keyed": keyed}
