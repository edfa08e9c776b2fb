"""A graph as lines of text, for a terminal: operators in graph order with their edges, and where their tasks stand."""

from __future__ import annotations

from runtime.facts import Snapshot
from runtime.graph import ExecutionGraph


def as_text(graph: ExecutionGraph, snapshot: Snapshot) -> str:
    """One line per operator: name, kind, parallelism, where its packets go; of a run, where its tasks stand."""
    width = max((len(operator.name) for operator in graph.operators), default=0)
    lines = [f"{graph.name}: {snapshot.state}"]
    for operator in graph.operators:
        parallel = f" × {operator.parallelism}" if operator.parallelism > 1 else ""
        targets = ", ".join(f"{edge.target} ({graph.label(edge)})" for edge in graph.outputs(operator.name))
        lines.append(f"  {operator.name:{width}}  {operator.kind}{parallel}{' → ' if targets else ''}{targets}")
        lines += [f"    {snapshot.tasks[task]!r}" for task in graph.tasks(operator.name) if task in snapshot.tasks]
    return "\n".join(lines)
