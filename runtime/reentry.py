"""Reentry: how packets of dead letters go back by hand into the queues of the run that they are of. Knows no task."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

from runtime.communication.element import format_of, item_by_hand, rekeyed
from runtime.communication.inbox import HAND
from runtime.errors import CommandRefused, TaskEnded
from runtime.graph import ExecutionGraph
from runtime.history.dead_letters import SAME, Accepting, DeadLetter

Put = Callable[[str, Any, float | None, Accepting], None]
Act = Callable[[Callable[[], None]], None]


class Reentry:
    """The way back into one run. Whoever owns the run says by `go_by` how items are put in; nobody does at first."""

    def __init__(self, graph: ExecutionGraph) -> None:
        self._graph = graph
        self._operator_of = {node.name: graph.by_name[node.operator] for node in graph.nodes}
        self.put: Put = _put_nowhere
        self.act: Act = _act_here

    def go_by(self, put: Put, act: Act) -> None:
        """From now on, `put` puts items into queues, from any thread, and `act` does what never waits, uncut."""
        self.put, self.act = put, act

    def item(self, letter: DeadLetter, value: Any) -> Any:
        """What lies in the queue for a letter's packet, or for `value` in its place. Raises `CommandRefused`."""
        operator = self._operator_of[letter.task]
        if not operator.traits.has_queue:
            raise CommandRefused(
                f"{letter!r} is of a source, which has no queue; inject its packet into a consumer, and discard it"
            )
        if value is SAME:
            element = format_of(self._graph, operator.name).element(letter.key, letter.packet)
        else:
            element = rekeyed(self._graph, letter.task, letter.input, HAND, value)
        return item_by_hand(self._graph, operator.name, letter.input, element)


class LettersHome:
    """The run that dead letters are of, held weakly: they outlive it."""

    def __init__(self, way_back: Reentry) -> None:
        self._way_back = weakref.ref(way_back)

    def reentry(self, letter: DeadLetter, value: Any) -> tuple[str, Any]:
        """Whose queue a letter's packet goes back to, and as which item. Raises `TaskEnded` if there is none."""
        return letter.task, self._alive(letter.task).item(letter, value)

    def put(self, task: str, item: Any, timeout_s: float | None, accepting: Accepting) -> None:
        """Put an item into a task's queue by hand."""
        self._alive(task).put(task, item, timeout_s, accepting)

    def act(self, work: Callable[[], None]) -> None:
        """Have something done where no interrupt comes, as long as there is such a thread."""
        alive = self._way_back()
        (_act_here if alive is None else alive.act)(work)

    def _alive(self, task: str) -> Reentry:
        if (alive := self._way_back()) is None:
            raise TaskEnded(f"{task!r} is gone, and its session is, too")
        return alive


def _put_nowhere(task: str, item: Any, timeout_s: float | None, accepting: Accepting) -> None:
    """A run that nobody owns has no hand."""
    raise TaskEnded(f"{task!r}: the run was never taken into hand")


def _act_here(work: Callable[[], None]) -> None:
    """A run that nobody owns, or that is gone, has no thread of commands."""
    work()
