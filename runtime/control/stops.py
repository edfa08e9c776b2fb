"""Stops: the breakpoints of one session, through all its runs. Knows of a run only how tasks are told what to ask."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from runtime.control.breakpoints import Breakpoint
from runtime.control.hits import Hits
from runtime.errors import CommandRefused, UnknownName
from runtime.graph import ExecutionGraph


class Stops:
    """The breakpoints that are set. Changed by the thread of commands, and during a start by the thread that starts."""

    def __init__(self) -> None:
        # With what the tasks of the run there is are given for the condition of each.
        self._set: Mapping[Breakpoint, Any] = {}

    @staticmethod
    def condition_of(found: Breakpoint, graph: ExecutionGraph, hits: Hits) -> Any:
        """The part of whoever sets one while a run is there, with user code: what its tasks are to be given for `when`.

        Raises as `add`, and `NotSendable`.
        """
        tasks_of(graph, found.task)
        return hits.condition_of(found)

    def add(self, found: Breakpoint, condition: Any, graph: ExecutionGraph, hits: Hits | None) -> None:
        """Set one more; its tasks ask it from the next packet on, in the run there is and in all that follow.

        Raises `UnknownName`, and `CommandRefused` for sources and services.
        """
        breakpoints = {**self._set, found: condition}
        self._tell(tasks_of(graph, found.task), breakpoints, graph, hits)
        self._set = breakpoints

    def remove(self, found: Breakpoint, graph: ExecutionGraph, hits: Hits | None) -> None:
        """Let no task ask it any more."""
        if found not in self._set:
            return
        self._set = {each: condition for each, condition in self._set.items() if each is not found}
        found.removed("it was removed")
        self._tell(tasks_of(graph, found.task), self._set, graph, hits)

    def begin(self, graph: ExecutionGraph, hits: Hits) -> list[str]:
        """Before a run: let its tasks ask all of them. Those of which nothing is left in the graph are removed.

        Returns what to warn of. Raises `CommandRefused`, `NotSendable`.
        """
        warnings: list[str] = []
        kept: dict[Breakpoint, Any] = {}
        tasks: dict[str, None] = {}
        for each in self._set:
            try:
                tasks |= dict.fromkeys(tasks_of(graph, each.task))
                kept[each] = hits.condition_of(each)
            except (UnknownName, CommandRefused) as error:
                each.removed(str(error))
                warnings.append(f"the breakpoint at {each.task!r} was removed: {error}")
        self._set = kept
        self._tell(tasks, self._set, graph, hits)
        return warnings

    def close(self) -> None:
        """The session is closed: let go of them and their conditions."""
        for each in self._set:
            each.removed("its session was closed")
        self._set = {}

    @staticmethod
    def _tell(
        tasks: Iterable[str], breakpoints: Mapping[Breakpoint, Any], graph: ExecutionGraph, hits: Hits | None
    ) -> None:
        """Let these tasks ask what there is for them of `breakpoints`."""
        if hits is None:
            return
        of_task: dict[str, dict[Breakpoint, Any]] = defaultdict(dict)
        for each, condition in breakpoints.items():
            for task in tasks_of(graph, each.task):
                of_task[task][each] = condition
        for task in tasks:
            hits.set_breaks(task, of_task[task])


def tasks_of(graph: ExecutionGraph, name: str) -> tuple[str, ...]:
    """The tasks of which packets can be stopped at `name`: a task, or all of an operator.

    Raises `UnknownName`, and `CommandRefused` for a source, which has no packets in front of it, and for a service.
    """
    operator_of = {task: each.name for each in graph.operators for task in graph.tasks(each.name)}
    services = [node.name for node in graph.service_nodes]
    operator = name if name in graph.by_name else operator_of.get(name)
    if name in services:
        raise CommandRefused(f"{name!r} is a service; set the breakpoint at a task that calls it")
    if operator is None:
        raise UnknownName(
            "task, operator or service", name, {**graph.by_name, **operator_of, **dict.fromkeys(services)}
        )
    if not graph.by_name[operator].traits.has_queue:
        raise CommandRefused(f"{name!r} is a source and has no packets to stop before; stop its consumer")
    return graph.tasks(operator) if name == operator else (name,)
