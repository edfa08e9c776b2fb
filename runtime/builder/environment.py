"""Environment: where a user's graph is written down. Builds records; runs nothing, knows no platform's parts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar, Unpack, overload

from runtime.builder.collected import Collected
from runtime.builder.connected import SourceSettings
from runtime.builder.stream import OutputRef, Stream
from runtime.errors import DuplicateName, GraphFrozen, GraphInvalid
from runtime.factory import require_platform
from runtime.graph.execution_graph import CoFunctions, Edge, ExecutionGraph, OperatorNode, ServiceNode
from runtime.graph.policy import MAX_RESULTS_BYTES, OnError
from runtime.graph.rate import Rate
from runtime.graph.validation import validate_operator, validate_service
from runtime.operators import Function, Indexed, OneRun, SourceFunction, class_of, is_indexed
from runtime.operators.awaited import awaited_kind
from runtime.operators.function import AwaitedItems
from runtime.texts.preview import is_blank, is_printable, preview

T = TypeVar("T")
U = TypeVar("U")
V = TypeVar("V")
K = TypeVar("K")
A = TypeVar("A")


@dataclass(frozen=True, slots=True)
class JobSettings:
    """How a graph is to be run, and what its operators have that say nothing else: see `Session`.

    Raises `GraphInvalid`.
    """

    platform: str = "local"
    capacity: int = 1024
    on_error: OnError = "fail"
    max_results_bytes: int = MAX_RESULTS_BYTES
    seed: int | None = None
    trace: bool = False
    chaining: bool = True
    ray_address: str | None = None
    resources: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        require_platform(self.platform)
        validate_operator(
            OperatorNode(
                "every operator", "map", 1, self.capacity, self.on_error, max_results_bytes=self.max_results_bytes
            )
        )
        if self.seed is not None and type(self.seed) is not int:
            raise GraphInvalid(
                f"seed is {preview(self.seed)}; it must be a whole number, or None for threads that run free"
            )
        if type(self.trace) is not bool:
            raise GraphInvalid(f"trace is {preview(self.trace)}; it must be True or False")
        if type(self.chaining) is not bool:
            raise GraphInvalid(f"chaining is {preview(self.chaining)}; it must be True or False")


class Environment:
    """Holds a graph while it is being written. `Session` has one; on its own it serves programs without a notebook.

    All but its name are `JobSettings`, by name; what they mean is said of `Session`. Raises `GraphInvalid`.
    """

    def __init__(self, name: str = "job", **settings: Any) -> None:
        self.settings = JobSettings(**settings)
        if type(name) is not str or is_blank(name) or not is_printable(name):
            raise GraphInvalid(f"{preview(name)} cannot be the name of a session; use printable text")
        self.name = name
        self.collected: list[Collected[Any]] = []
        self._is_frozen = False
        self._operators: dict[str, OperatorNode] = {}
        self._numbers: dict[str, int] = {}  # by kind, of the last operator that was given no name
        self._edges: list[Edge] = []
        self._services: dict[str, ServiceNode] = {}
        self._changed: Callable[[], object] = bool  # called after each addition

    @overload
    def source(
        self,
        items: Iterable[T] | Callable[[], Iterable[T]] | Callable[[], AwaitedItems[T]] | SourceFunction[T],
        **settings: Unpack[SourceSettings],
    ) -> Stream[T]: ...

    @overload
    def source(self, items: Indexed[T], **settings: Unpack[SourceSettings]) -> Stream[T]: ...

    def source(
        self,
        items: Any,
        *,
        name: str | None = None,
        parallelism: int = 1,
        on_error: OnError | None = None,
        rate: Rate | None = None,
        chain: bool | None = None,
    ) -> Stream[Any]:
        """A stream of what `items` yields: see `Session.source`. Raises `GraphInvalid`, `GraphFrozen`."""
        if isinstance(items, type) and issubclass(items, SourceFunction):
            raise GraphInvalid(f"{items.__name__} is a class; give the source an object of it: {items.__name__}(…)")
        if not (isinstance(items, SourceFunction | Iterable) or callable(items) or is_indexed(items)):
            raise GraphInvalid(
                f"{preview(items)} is no source; give an iterable, a callable that returns one, or a SourceFunction"
            )
        if isinstance(items, Iterator):
            self._refuse_shared(items, parallelism)
            items = OneRun(items)
        node = self.add(
            "source", items, [], name=name, parallelism=parallelism, on_error=on_error, rate=rate, chain=chain
        )
        return Stream(self, (OutputRef(node.name),))

    def input(self, name: str, *, capacity: int | None = None, rate: Rate | None = None) -> Stream[Any]:
        """A stream of what is put in by hand, until it is ended or the job is stopped."""
        return Stream(self, (OutputRef(self.add("input", None, [], name=name, capacity=capacity, rate=rate).name),))

    def service(self, name: str, make: Callable[[], Any], *, concurrency: int = 1, capacity: int | None = None) -> None:
        """A service `name`: the object that `make` (a class, or any function without arguments) returns in each run.

        Its public methods can be called from functions, other services and outside; they run on `concurrency` threads
        of its own, so with more than one it must be thread-safe. If it has `setup()` and `close()`, they are called
        before the first request and after the last. Raises `GraphInvalid`, `GraphFrozen`.
        """
        self._refuse_frozen()
        node = ServiceNode(name, make, concurrency, self.settings.capacity if capacity is None else capacity)
        validate_service(node)
        self._refuse_taken(name)
        self._services[name] = node
        self._changed()

    def add(
        self,
        kind: str,
        function: Any,
        ends: Sequence[OutputRef],
        *,
        name: str | None = None,
        parallelism: int = 1,
        capacity: int | None = None,
        on_error: OnError | None = None,
        rate: Rate | None = None,
        options: Mapping[str, Any] | None = None,
        chain: bool | None = None,
        calls: tuple[int | None, bool, float | None] | None = None,
    ) -> OperatorNode:
        """Add an operator of any registered kind, fed by `ends`. Raises `GraphFrozen`, `GraphInvalid`.

        `calls` is what was said of its concurrency, order and timeout, where its function may be one that waits.
        """
        self._refuse_frozen()
        if name is not None:
            self._refuse_taken(name)
        for each in function if isinstance(function, CoFunctions) else (function,):
            if isinstance(each, type) and issubclass(each, Function):
                raise GraphInvalid(f"{each.__name__} is a class; give {kind} an object of it: {each.__name__}(…)")
            if class_of(kind).needs_function and not isinstance(each, Function) and not callable(each):
                raise GraphInvalid(f"{kind} needs a function, not {preview(each)}")
        name = self._free_name(kind) if name is None else name
        self._require_chains(chain, name)
        if calls is not None:
            kind, of_calls = awaited_kind(kind, function, calls)
            options = {**(options or {}), **of_calls}
        node = OperatorNode(
            name=name,
            kind=kind,
            parallelism=parallelism,
            capacity=self.settings.capacity if capacity is None else capacity,
            on_error=self.settings.on_error if on_error is None else on_error,
            function=function,
            options=dict(options or {}),
            max_results_bytes=self.settings.max_results_bytes,
            rate=rate,
            chained=chain if self.settings.chaining else False,
        )
        validate_operator(node)
        self._operators[node.name] = node
        self._edges += [Edge(end.operator, node.name, end.strategy, end.key, end.input) for end in ends]
        self._changed()
        return node

    def _require_chains(self, chain: object, name: str) -> None:
        """Raise `GraphInvalid` if an operator asks for a chain where there is none."""
        if chain is not None and type(chain) is not bool:
            raise GraphInvalid(f"chain of {name!r} is {preview(chain)}; it must be True, False or None")
        if not chain:
            return
        if not self.settings.chaining:
            raise GraphInvalid(f"{name!r} has chain=True in a session with chaining=False; leave one of them out")
        if self.settings.seed is not None:
            raise GraphInvalid(
                f"{name!r} has chain=True in a session with a seed, where one thread runs at a time in an order that "
                "the seed decides, and nothing is chained; leave one of them out"
            )

    def graph(self) -> ExecutionGraph:
        """What has been written so far, neither validated nor compiled."""
        services = tuple(self._services.values())
        operators, edges = tuple(self._operators.values()), tuple(self._edges)
        return ExecutionGraph(self.name, operators, edges, service_nodes=services, traced=self.settings.trace)

    def hand_over(self, to: Environment) -> dict[str, Collected[Any]]:
        """Write the same graph into one that is empty, with results of its own: these, by the names of who gathers."""
        results: dict[str, Collected[Any]] = {}
        for node in self._operators.values():
            own = node
            if isinstance(into := node.options.get("into"), Collected):
                results[node.name] = result = into.another()
                own = replace(node, function=result.gather, options={"into": result})
            to._operators[node.name] = own
        to._edges.extend(self._edges)
        to._services.update(self._services)
        to.collected.extend(results.values())
        return results

    def freeze(self) -> None:
        """A run of it begins: nothing can be added until it is thrown away."""
        self._is_frozen = True

    def unfreeze(self) -> None:
        """It can be written further."""
        self._is_frozen = False

    def on_change(self, callback: Callable[[], object]) -> None:
        """Call `callback`, and no other, after each addition."""
        self._changed = callback

    def _refuse_shared(self, iterator: Iterator[Any], parallelism: int) -> None:
        """Refuse an iterator that more than one task would draw from. Raises `GraphInvalid`."""
        if parallelism != 1:
            raise GraphInvalid(
                f"an iterator can be run by one instance only, not {parallelism}; give a callable that returns one"
            )
        for node in self._operators.values():
            if isinstance(node.function, OneRun) and node.function.is_of(iterator):
                raise GraphInvalid(
                    f"source {node.name!r} draws from {preview(iterator)} already, and each of two would get a "
                    f"part of it only; let the stream of {node.name!r} have two consumers, or give each source a "
                    "callable that makes an iterator of its own"
                )

    def _refuse_frozen(self) -> None:
        if self._is_frozen:
            raise GraphFrozen(f"{self.name!r} has been started, so its graph cannot change; call reset() first")

    def _refuse_taken(self, name: str) -> None:
        if name in self._services:
            raise DuplicateName(f"there is a service {name!r} already; choose another name")
        if name in self._operators:
            raise DuplicateName(
                f"there is an operator {name!r} already ({self._operators[name].kind}); choose another name="
            )

    def _free_name(self, kind: str) -> str:
        number, name = self._numbers.get(kind, 1), kind
        while name in self._operators or name in self._services:
            number += 1
            name = f"{kind}-{number}"
        self._numbers[kind] = number  # no name becomes free again
        return name
