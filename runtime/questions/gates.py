"""Closed gates on the way of a question: who asks from outside may be the one to open them. Knows no session."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from runtime.errors import GraphInvalid, JobPaused
from runtime.graph import ExecutionGraph

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from runtime.factory import Backend, TaskHandle


class Gates:
    """The gates on the ways that the questions of one run go."""

    def __init__(self, graph: ExecutionGraph, backend: Backend, tasks: Mapping[str, TaskHandle]) -> None:
        self._graph, self._backend, self._tasks = graph, backend, tasks
        self._ways: dict[tuple[str, bool], tuple[str, ...]] = {}  # from an input: to a reply, or everywhere

    @cached_property
    def _answering(self) -> set[str]:
        """The operators from which a packet can come to a reply."""
        graph = self._graph
        found: set[str] = set()
        for operator in sorted(graph.operators, key=lambda operator: -graph.layers[operator.name]):
            if operator.traits.answers or any(edge.target in found for edge in graph.outputs(operator.name)):
                found.add(operator.name)
        return found

    @property
    def inputs(self) -> list[str]:
        """The inputs that can be asked."""
        return [each.name for each in self._graph.operators if each.traits.is_input and each.name in self._answering]

    def way(self, input_: str, *, everywhere: bool) -> tuple[str, ...]:
        """The tasks to which packets of an input can come on the way to a reply, or `everywhere`.

        Raises `GraphInvalid` if none can come to a reply.
        """
        if (tasks := self._ways.get((input_, everywhere))) is None:
            if input_ not in self._answering:
                raise GraphInvalid(f"no way leads from input {input_!r} to a reply(); end a stream of it with .reply()")
            found = {input_: None}
            for name in found.copy():
                self._follow(name, found)
            names = [name for name in found if everywhere or name in self._answering]
            tasks = self._ways[input_, everywhere] = tuple(task for name in names for task in self._graph.tasks(name))
        return tasks

    def _follow(self, name: str, found: dict[str, None]) -> None:
        waiting = [name]
        for each in waiting:  # grows while it is read
            for edge in self._graph.outputs(each):
                if edge.target not in found:
                    found[edge.target] = None
                    waiting.append(edge.target)

    def closed(self, input_: str, *, everywhere: bool) -> list[str]:
        """The tasks on the way of a question that are paused by hand. Raises as `way`."""
        names = self.way(input_, everywhere=everywhere)
        workers = self._backend.workers([self._tasks[name] for name in names])
        return [name for name, worker in zip(names, workers, strict=True) if worker.is_paused]


def refusal(text: str, closed: Collection[str], held: JobPaused | None) -> JobPaused:
    """Why somebody who asks by `ask` is not kept waiting."""
    if held is not None:
        error = type(held)(*held.args)
        vars(error).update(vars(held))
        error.__cause__ = held.__cause__
        return error
    names = f"{', '.join(map(repr, closed))} {'is' if len(closed) == 1 else 'are'}"
    return JobPaused(f"{text}, and {names} paused on the way; resume() first, or ask_async(), which waits")
