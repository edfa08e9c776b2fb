"""The ways that the packets of a question go through a graph. Knows no run."""

from __future__ import annotations

from runtime import ExecutionGraph


def why_not(graph: ExecutionGraph, input_: str) -> str:
    """Why an input cannot be asked; empty if it can."""
    if any(graph.by_name[name].traits.answers for name in _reached(graph, input_)):
        return ""
    return f"no way leads from {input_!r} to a reply(): end a stream of it with .reply()"


def way_of(graph: ExecutionGraph, input_: str, *, many: bool) -> tuple[str, ...]:
    """The tasks on the ways from an input to replies; with `many`, all to which packets of it can come."""
    names = _reached(graph, input_)
    if not many:
        names = [name for name in names if any(graph.by_name[each].traits.answers for each in _reached(graph, name))]
    return tuple(task for name in names for task in graph.tasks(name))


def _reached(graph: ExecutionGraph, name: str) -> list[str]:
    """An operator, and all to which packets can come from it."""
    found = [name]
    for each in found:  # grows while it is read
        found += {edge.target: None for edge in graph.outputs(each) if edge.target not in found}
    return found
