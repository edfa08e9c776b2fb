"""The injector: one more producer, that puts packets into a running graph through a lane at each task, the hand's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import cycle
from typing import Any

from runtime.communication.element import format_of, item_by_hand
from runtime.communication.note import Note, no_note
from runtime.communication.packet import Borne
from runtime.communication.partition import Partition
from runtime.errors import CommandRefused, GraphInvalid, TaskEnded, UnknownName
from runtime.factory import Backend, TaskHandle
from runtime.facts import Ending
from runtime.graph import Edge, ExecutionGraph
from runtime.scheduling.waiting import Waiting, deadline_of
from runtime.texts.preview import preview


@dataclass(frozen=True, slots=True)
class Given:
    """What is to be put in, into the queues of which tasks, and how that is put down where it is a change by hand."""

    item: Any
    tasks: tuple[str, ...]
    text: str = ""


class Injector:
    """Puts packets into one run. Any thread may ask where something goes, and offer it; commands `put` and `end`."""

    def __init__(self, graph: ExecutionGraph, backend: Backend, tasks: Mapping[str, TaskHandle]) -> None:
        self._graph, self._backend, self._tasks = graph, backend, tasks
        self._operator_of = {node.name: node.operator for node in graph.nodes}
        self._names = {operator.name: graph.tasks(operator.name) for operator in graph.operators}
        self._cursors = {
            (name, number): cycle(names) for name, names in self._names.items() for number in graph.input_numbers(name)
        }
        self._inputs = [operator.name for operator in graph.operators if operator.traits.is_input]

    def address(self, target: str, value: Any, number: int | None = None) -> Given:
        """Where `value` goes as if it had arrived on the input of an operator or task, the one with `number`.

        Of an operator, the task is chosen as the first edge of that input would. Raises `UnknownName`, what the key
        function raises, `CommandRefused` if a key belongs to another task than the one named, and `GraphInvalid` for a
        source, an input that is not there, and none where there are several.
        """
        operator = target if target in self._names else self._operator_of.get(target)
        if operator is None:
            raise UnknownName("operator or task", target, {**self._names, **self._operator_of})
        if not self._graph.by_name[operator].traits.has_queue:
            consumers = ", ".join(repr(edge.target) for edge in self._graph.outputs(operator))
            raise GraphInvalid(
                f"{target!r} is a source and has no queue; inject into {consumers}, or use session.input()"
            )
        numbers = self._graph.input_numbers(operator)
        if type(number) is not int or number not in numbers:
            number = self._only_input(operator, number)
        edge = next((edge for edge in self._graph.inputs(operator) if edge.input == number), None)
        element, names = self._route(operator, number, edge, value)
        if target not in self._names:
            if edge is not None and edge.key is not None and names != (target,):
                raise CommandRefused(f"the key of this packet belongs to {names[0]!r}, not to {target!r}")
            names = (target,)
        text = f"{preview(value)} on input {number}" if len(numbers) > 1 else preview(value)
        return Given(item_by_hand(self._graph, operator, number, element), names, text)

    def address_input(self, name: str, value: Any, question: Borne | None = None) -> Given:
        """Where `value` goes that is sent to an input, or asked there. Raises `UnknownName`."""
        self.require_input(name)
        return Given(item_by_hand(self._graph, name, 0, value, question), (name,))

    def end(self, name: str, how: Ending = "completed") -> None:
        """End an input: what it holds is still sent, then its stop signal. Raises `UnknownName`."""
        self.require_input(name)
        self._tasks[name].end_input(how)

    def open_inputs(self) -> list[str]:
        """The inputs that have not been ended."""
        return [name for name in self._inputs if not self._tasks[name].hand_closed]

    def require_input(self, name: str) -> None:
        """Raise `UnknownName` for what is no input."""
        if name not in self._inputs:
            raise UnknownName("input", name, self._inputs)

    def offer(self, given: Given, noted: Callable[[], Note] | None = None) -> bool:
        """Put it in, if there is room, in one step that no interrupt can cut. Any thread. False: it is not in.

        With it, what `noted` makes is put down.
        """
        if len(given.tasks) != 1:
            return False
        return self._backend.offer(self._tasks[given.tasks[0]], given.item, None if noted is None else noted())

    def sendable(self, given: Given) -> Given:
        """The caller's part of `put`, with code of the value's class: what it is to be given. Raises `NotSendable`."""
        item = self._backend.sendable([self._tasks[task] for task in given.tasks], given.item)
        return replace(given, item=item)

    def put(self, given: Given, timeout_s: float | None, noted: Callable[[], Note] | None = None) -> Waiting[None]:
        """Put it in, as `sendable` has made it, waiting for room. Raises `TaskEnded`, `QueueFull`."""
        try:
            yield from self._backend.inject(
                [self._tasks[task] for task in given.tasks], given.item, deadline_of(timeout_s), noted or no_note
            )
        except TaskEnded as error:
            raise TaskEnded(f"{', '.join(map(repr, given.tasks))}: {error}") from None

    def _only_input(self, operator: str, number: int | None) -> int:
        """The input that is meant where none was named. Raises `GraphInvalid` if one was, or there are several."""
        numbers = self._graph.input_numbers(operator)
        if number is None and len(numbers) == 1:
            return numbers[0]
        sources = [
            " + ".join(repr(edge.source) for edge in self._graph.inputs(operator) if edge.input == each)
            for each in numbers
        ]
        choices = ", ".join(
            f"input={each} (from {source or 'the hand'})" for each, source in zip(numbers, sources, strict=True)
        )
        asked = "no input was named" if number is None else f"input={number!r} is none of them"
        raise GraphInvalid(f"{operator!r} has {choices}, and {asked}; choose one")

    def _route(self, operator: str, number: int, edge: Edge | None, value: Any) -> tuple[Any, tuple[str, ...]]:
        names = self._names[operator]
        if edge is not None and edge.key is not None:
            key = edge.key(value)
            return format_of(self._graph, operator).element(key, value), (Partition(names).find(key),)
        if edge is not None and edge.strategy == "broadcast":
            return value, names
        return value, (next(self._cursors[operator, number]),)  # in one step: no lock is needed
