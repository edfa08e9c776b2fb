"""The compiled graph: frozen records of operators, tasks and edges. Knows nothing of how they will be run.

An operator is a step that the user named; its tasks are the instances that run. Edges are between operators; which task
fills which lane of which queue follows from them and is written into each task's queue descriptor.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from runtime.graph.policy import MAX_RESULTS_BYTES, OnError, Policy
from runtime.graph.rate import Rate
from runtime.operators import Operator, class_of

if TYPE_CHECKING:
    import networkx

    from runtime.communication.queue_descriptor import QueueDescriptor
    from runtime.communication.request_queue import RequestQueueDescriptor

Strategy = Literal["round_robin", "hash", "broadcast", "first_free"]


class CoFunctions(NamedTuple):
    """The functions of an operator that has one for each of two inputs."""

    first: Any
    second: Any


@dataclass(frozen=True, slots=True)
class OperatorNode:
    """One step of the user's graph. `kind` chooses the operator's class, `options` are what that class asks for.

    `max_results_bytes` is how much of one packet's results may be held back where `on_error` is not "fail".
    """

    name: str
    kind: str
    parallelism: int = 1
    capacity: int = 1024
    on_error: OnError | Policy = "fail"
    function: Any = None
    options: Mapping[str, Any] = field(default_factory=dict)
    max_results_bytes: int = MAX_RESULTS_BYTES
    chained: bool | None = None
    """Whether one thread may work it together with its neighbours; True: though its function keeps its thread."""
    rate: Rate | None = None
    """How many packets may begin in a time."""

    @property
    def traits(self) -> type[Operator]:
        """The class that its kind is, which says what there is to know of the kind. Raises `UnknownName`."""
        return class_of(self.kind)

    @property
    def functions(self) -> tuple[Any, ...]:
        """What is in `function`: one thing, or two."""
        return self.function if isinstance(self.function, CoFunctions) else (self.function,)


@dataclass(frozen=True, slots=True)
class Edge:
    """From every task of `source` to every task of `target`. `key` is set when the strategy is `hash`."""

    source: str
    target: str
    strategy: Strategy = "round_robin"
    key: Callable[[Any], Any] | None = None
    input: int = 0


@dataclass(frozen=True, slots=True)
class TaskNode:
    """One instance of an operator, and the descriptor of its queue. `name` is `count#2`, plain `count` if single."""

    name: str
    operator: str
    index: int
    queue: QueueDescriptor


@dataclass(frozen=True, slots=True)
class ServiceNode:
    """A service: what makes its object, how many requests are worked side by side, how many may wait, and where."""

    name: str
    make: Callable[[], Any]
    concurrency: int = 1
    capacity: int = 1024
    queue: RequestQueueDescriptor | None = None


@dataclass(frozen=True)
class ExecutionGraph:
    """What a job consists of: operators and edges in the order in which they were made, tasks in graph order.

    Where it is `traced`, edges carry packets with ids, parents and timestamps.
    """

    name: str
    operators: tuple[OperatorNode, ...]
    edges: tuple[Edge, ...]
    nodes: tuple[TaskNode, ...] = ()
    service_nodes: tuple[ServiceNode, ...] = ()
    traced: bool = False
    question_queues: Mapping[str, RequestQueueDescriptor] = field(default_factory=dict)
    """Of each input that can be asked: where its functions and services ask it."""

    @cached_property
    def by_name(self) -> Mapping[str, OperatorNode]:
        """The operators by name."""
        return {operator.name: operator for operator in self.operators}

    @cached_property
    def asked(self) -> bool:
        """Whether it can be asked: then each packet says to which question it belongs."""
        return any(operator.traits.answers for operator in self.operators)

    def compiled(
        self,
        nodes: tuple[TaskNode, ...],
        services: tuple[ServiceNode, ...],
        questions: Mapping[str, RequestQueueDescriptor],
    ) -> ExecutionGraph:
        """The same with its tasks and services; what follows from operators and edges is not found out again."""
        compiled = replace(self, nodes=nodes, service_nodes=services, question_queues=questions)
        vars(compiled).update(by_name=self.by_name, layers=self.layers, _ends=self._ends)
        return compiled

    def inputs(self, operator: str) -> tuple[Edge, ...]:
        """The edges that lead to `operator`, in graph order."""
        return self._ends[0].get(operator, ())

    def input_numbers(self, operator: str) -> tuple[int, ...]:
        """The operator's inputs: `(0, 1)` of two connected streams, otherwise `(0,)`. Several edges may share one."""
        return tuple(sorted({0, *(edge.input for edge in self.inputs(operator))}))

    def label(self, edge: Edge) -> str:
        """What is written on `edge`: how it divides packets, and on which input they arrive where there are several."""
        strategy = edge.strategy.replace("_", " ")
        return f"{strategy}, input {edge.input}" if len(self.input_numbers(edge.target)) > 1 else strategy

    def outputs(self, operator: str) -> tuple[Edge, ...]:
        """The edges that start at `operator`, in graph order."""
        return self._ends[1].get(operator, ())

    @cached_property
    def _ends(self) -> tuple[dict[str, tuple[Edge, ...]], dict[str, tuple[Edge, ...]]]:
        inputs: dict[str, list[Edge]] = {}
        outputs: dict[str, list[Edge]] = {}
        for edge in self.edges:
            inputs.setdefault(edge.target, []).append(edge)
            outputs.setdefault(edge.source, []).append(edge)
        return {name: tuple(edges) for name, edges in inputs.items()}, {n: tuple(e) for n, e in outputs.items()}

    def capacities(self) -> dict[str, int]:
        """How much may wait for each operator, task and service, by name."""
        of_operators = {each.name: each.capacity * each.parallelism for each in self.operators}
        of_tasks = {task: each.capacity for each in self.operators for task in self.tasks(each.name)}
        return of_operators | of_tasks | {each.name: each.capacity for each in self.service_nodes}

    def tasks(self, operator: str) -> tuple[str, ...]:
        """The names of the operator's tasks: `count#0`, `count#1` …, or plain `count` if there is one."""
        parallelism = self.by_name[operator].parallelism
        return (operator,) if parallelism == 1 else tuple(f"{operator}#{index}" for index in range(parallelism))

    @cached_property
    def layers(self) -> Mapping[str, int]:
        """How many edges the longest way from a source to each operator has. The graph must have no cycle."""
        layers: dict[str, int] = {}
        waiting = {operator.name: len(self.inputs(operator.name)) for operator in self.operators}
        ready = [name for name, missing in waiting.items() if not missing]
        for name in ready:  # grows while it is read
            layers[name] = max((layers[edge.source] + 1 for edge in self.inputs(name)), default=0)
            for edge in self.outputs(name):
                waiting[edge.target] -= 1
                if not waiting[edge.target]:
                    ready.append(edge.target)
        return layers

    def needed_without(self, satisfied: Collection[str]) -> set[str]:
        """The operators of which some way leads to an end without passing one of those that are `satisfied`."""
        needed: set[str] = set()
        for operator in sorted(self.operators, key=lambda operator: -self.layers[operator.name]):
            if operator.name in satisfied:
                continue
            if operator.traits.is_end or any(edge.target in needed for edge in self.outputs(operator.name)):
                needed.add(operator.name)
        return needed

    def to_networkx(self) -> networkx.MultiDiGraph[str]:
        """As networkx: operators with kind, parallelism, capacity, tasks, layer; edges with strategy, input, label."""
        import networkx as nx  # noqa: PLC0415  only for those who ask for it

        graph: networkx.MultiDiGraph[str] = nx.MultiDiGraph(name=self.name)
        for operator in self.operators:
            graph.add_node(
                operator.name,
                kind=operator.kind,
                parallelism=operator.parallelism,
                capacity=operator.capacity,
                tasks=self.tasks(operator.name),
                layer=self.layers.get(operator.name, 0),
            )
        for edge in self.edges:
            graph.add_edge(edge.source, edge.target, strategy=edge.strategy, input=edge.input, label=self.label(edge))
        return graph

    def __repr__(self) -> str:
        tasks = sum(operator.parallelism for operator in self.operators)
        return f"ExecutionGraph({self.name!r}: {len(self.operators)} operators, {len(self.edges)} edges, {tasks} tasks)"
