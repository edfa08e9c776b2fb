"""The compiled graph and what is refused of it."""

from runtime.graph.execution_graph import CoFunctions, Edge, ExecutionGraph, OperatorNode, ServiceNode, TaskNode
from runtime.graph.validation import validate

__all__ = ["CoFunctions", "Edge", "ExecutionGraph", "OperatorNode", "ServiceNode", "TaskNode", "validate"]
