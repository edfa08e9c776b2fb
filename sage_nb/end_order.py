"""In which order the tasks of a run have ended, as far as the graph itself decides it: the same in every run.

No task ends well before its producers have: it comes after all tasks that lead to it, and before all to which it leads.
Tasks on different branches may end in any order, so their places are given as a range.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from runtime import ExecutionGraph, Outcome, Session


@dataclass(frozen=True, slots=True)
class Place:
    """A place in the order of ends: from `first` to `last`, which differ where the graph does not decide."""

    first: int
    last: int

    def __str__(self) -> str:
        return _ordinal(self.first) if self.first == self.last else f"{_ordinal(self.first)}–{_ordinal(self.last)}"


def end_places(session: Session, outcome: Outcome | None) -> Mapping[str, Place]:
    """The place of each operator, and of each of its tasks; none of a run that has not ended well."""
    if outcome is None or outcome.state not in ("completed", "stopped") or outcome.abandoned:
        return {}
    graph = session.graph
    sizes = {operator.name: operator.parallelism for operator in graph.operators}
    before, after = _reached(graph), _reached(graph, backwards=True)
    tasks = sum(sizes.values())
    places: dict[str, Place] = {}
    for name in sizes:
        first = sum(sizes[each] for each in before[name]) + 1
        last = tasks - sum(sizes[each] for each in after[name])
        places |= dict.fromkeys((name, *graph.tasks(name)), Place(first, last))
    return places


def _reached(graph: ExecutionGraph, *, backwards: bool = False) -> Mapping[str, set[str]]:
    """Of each operator all that lead to it; `backwards`, all to which it leads."""
    found: dict[str, set[str]] = {}
    for name in sorted(graph.layers, key=lambda each: graph.layers[each], reverse=backwards):
        edges = graph.outputs(name) if backwards else graph.inputs(name)
        near = {edge.target if backwards else edge.source for edge in edges}
        found[name] = near.union(*(found[each] for each in near))
    return found


def _ordinal(number: int) -> str:
    ending = "th" if number % 100 in range(11, 14) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number:,}{ending}"
