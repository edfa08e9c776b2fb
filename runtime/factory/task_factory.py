"""From a compiled graph to tasks: the wiring of each, and the task that a backend makes of it."""

from __future__ import annotations

from dataclasses import replace
from itertools import takewhile

from runtime.communication.connection import Connection, Output
from runtime.communication.element import format_of
from runtime.communication.free_instances import FreeInstances
from runtime.communication.lane import LaneSpec
from runtime.communication.queue_descriptor import QueueDescriptor
from runtime.context import TaskContext, TaskWiring
from runtime.errors import GraphInvalid
from runtime.factory.backend import Backend, TaskHandle
from runtime.factory.own_functions import OwnFunctions
from runtime.factory.service_task_factory import service_queues
from runtime.graph import Edge, ExecutionGraph, OperatorNode, TaskNode
from runtime.graph.rate import Allowance
from runtime.operators import Operator
from runtime.proxy import ProxyManager
from runtime.task.base_task import TaskReporter


def lanes_of(graph: ExecutionGraph, operator: str) -> tuple[LaneSpec, ...]:
    """Who fills the queue of each of the operator's tasks: edge by edge, and of each edge producer by producer."""
    edges = graph.inputs(operator)
    return tuple(LaneSpec(producer, edge.input) for edge in edges for producer in graph.tasks(edge.source))


class TaskFactory:
    """Makes the tasks of one job."""

    def __init__(self, graph: ExecutionGraph, backend: Backend, reporter: TaskReporter) -> None:
        self._graph, self._backend, self._reporter = graph, backend, reporter
        self._queues: dict[str, list[QueueDescriptor]] = {}
        self._services = service_queues(graph)
        # Of each operator what all its tasks have: its record without the function, and what lies in their lanes.
        self._nodes = {operator.name: replace(operator, function=None) for operator in graph.operators}
        self._free = self._instances()
        self._formats = {name: format_of(graph, name) for name in self._nodes}
        self._allowances: dict[str, Allowance] = {}
        self.functions = OwnFunctions(travels=backend.travels)
        for node in graph.nodes:
            self._queues.setdefault(node.operator, []).append(node.queue)

    def create_task(self, node: TaskNode) -> TaskHandle:
        """The task of `node`, joined to its consumers, not started. Raises `NotCopyable`, `GraphInvalid`."""
        operator = self._graph.by_name[node.operator]
        wiring = TaskWiring(
            node=self._nodes[node.operator],
            index=node.index,
            queue=node.queue,
            outputs=tuple(self._output(edge, node.index) for edge in self._graph.outputs(node.operator)),
            format=self._formats[node.operator],
            allowance=self._allowance(operator, node.index),
            free=self._free.get(node.operator),
        )
        ctx = TaskContext(node.name, self._graph.name, wiring, ProxyManager(node.name, self._services))
        function = self.functions.of(operator, node.index)
        made = operator.traits.create(function, operator.options, node.index, operator.parallelism)
        self._refuse_inputs(node.operator, made)
        return self._backend.task(ctx, made, self._reporter)

    def _instances(self) -> dict[str, FreeInstances]:
        """Of the operators whose instances get packets when they are free: which are."""
        edges = [edge for edge in self._graph.edges if edge.strategy == "first_free"]
        return {edge.target: FreeInstances() for edge in edges if self._nodes[edge.target].parallelism > 1}

    def _allowance(self, operator: OperatorNode, index: int) -> Allowance | None:
        """When packets may begin: one for all tasks, or in other processes one for each, of its share."""
        if (rate := operator.rate) is None:
            return None
        if self._backend.travels:
            return Allowance(rate.share(index, operator.parallelism))
        return self._allowances.setdefault(operator.name, Allowance(rate))

    def _refuse_inputs(self, name: str, made: Operator) -> None:
        numbers = self._graph.input_numbers(name)
        if made.wants_input != (len(numbers) > 1):
            kind = self._graph.by_name[name].kind
            raise GraphInvalid(
                f"{kind} {name!r} has {'several inputs' if made.wants_input else 'one input'}, and edges lead to "
                f"{', '.join(f'input {number}' for number in numbers)} of it; connect() two streams for two inputs"
            )

    def _output(self, edge: Edge, producer: int) -> Output:
        earlier = takewhile(lambda other: other is not edge, self._graph.inputs(edge.target))
        before = sum(self._nodes[other.source].parallelism for other in earlier)  # lanes in the target's queues
        connections = tuple(Connection(queue, before + producer) for queue in self._queues[edge.target])
        return Output(
            edge.target, edge.strategy, connections, self._formats[edge.target], edge.key, self._free.get(edge.target)
        )
