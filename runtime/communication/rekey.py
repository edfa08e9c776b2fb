"""What has to lie in a task's queue for a value that takes another packet's place: with the key that it has itself."""

from __future__ import annotations

from typing import Any

from runtime.communication.partition import Partition
from runtime.errors import CommandRefused
from runtime.graph import ExecutionGraph
from runtime.texts.preview import preview


def rekeyed(graph: ExecutionGraph, task: str, input: int, producer: str, value: Any) -> tuple[Any, Any]:
    """`(key, value)` for a packet of a keyed `input` of `task` that `producer` (a task, or `hand`) has put there.

    Raises `CommandRefused` if the key belongs to another task, and what the key function raises.
    """
    operator_of = {node.name: node.operator for node in graph.nodes}
    operator = operator_of[task]
    edges = [edge for edge in graph.inputs(operator) if edge.input == input and edge.key is not None]
    # Where streams are united, each comes with a key of its own.
    edge = next((edge for edge in edges if edge.source == operator_of.get(producer)), edges[0] if edges else None)
    if edge is None or edge.key is None:
        raise CommandRefused(f"input {input} of {operator!r} is not keyed")
    key = edge.key(value)
    owner = Partition(graph.tasks(operator)).find(key)
    if owner != task:
        raise CommandRefused(
            f"with key {preview(key)} the packet would belong to {owner!r}, not to {task!r}; drop it and "
            f"inject({operator!r}, …)"
        )
    return key, value
