"""A graph as lines of text, for a terminal: operators in graph order with their edges, and where their tasks stand."""

from __future__ import annotations

from typing import Final

from runtime.facts import Snapshot
from runtime.graph import ExecutionGraph

_MAX_WIDTH: Final = 32
"""A longer name stands out by itself: the others are not moved away from what is said of them."""


def as_text(graph: ExecutionGraph, snapshot: Snapshot) -> str:
    """One line per operator: name, kind, parallelism, where its packets go; of a run, where its tasks stand."""
    names = (*graph.by_name, *(service.name for service in graph.service_nodes))
    width = max((len(name) for name in names if len(name) <= _MAX_WIDTH), default=0)
    lines = [f"{graph.name}: {snapshot.state}"]
    for operator in graph.operators:
        kind = f"{operator.kind}{_times(operator.parallelism)}"
        targets = ", ".join(f"{edge.target} ({graph.label(edge)})" for edge in graph.outputs(operator.name))
        lines.append(f"  {operator.name:{width}}  {kind}{' → ' if targets else ''}{targets}")
        lines += [f"    {snapshot.tasks[task]!r}" for task in graph.tasks(operator.name) if task in snapshot.tasks]
    for service in graph.service_nodes:
        lines.append(f"  {service.name:{width}}  service{_times(service.concurrency)}")
        lines += [f"    {snapshot.services[service.name]!r}"] if service.name in snapshot.services else []
    return "\n".join(lines)


def _times(number: int) -> str:
    return f" × {number}" if number > 1 else ""
