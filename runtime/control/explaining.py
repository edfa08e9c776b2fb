"""Explaining: where packets, results and letters of one run come from. Any thread may ask."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from runtime.builder.collected import Collected
from runtime.communication.packet import Packet
from runtime.control.holding import Held
from runtime.control.workers import Workers
from runtime.dispatcher import Dispatcher
from runtime.errors import CommandRefused, GraphInvalid, TaskEnded, TaskFailed
from runtime.history.dead_letters import DeadLetter
from runtime.origins.made import Edited, Entry, Named
from runtime.origins.origin import Origin, Search
from runtime.texts.preview import preview


class Explains(Protocol):
    """What says where something comes from."""

    def why(self, what: Any, index: int | None) -> Origin:
        """The origin of something, as `Explaining.why`."""


class Explaining:
    """Says where something of one run comes from."""

    def __init__(self, dispatcher: Dispatcher, workers: Workers) -> None:
        self._dispatcher, self._workers = dispatcher, workers
        self._again: Explains | None = None

    def again(self, run_again: Callable[[], Explains]) -> Explains:
        """The same run, traced: as it was run again, once."""
        if self._again is None:
            self._again = run_again()
        return self._again

    def why(self, what: object, index: int | None) -> Origin:
        """The origin of a packet, a letter, what is held, the packet of a failure, or a result of this index.

        Raises `GraphInvalid` for anything else, `IndexError`, `CommandRefused` of what is not of this run, and where
        nothing is traced.
        """
        graph = self._workers.graph
        operators = {node.name: graph.by_name[node.operator] for node in graph.nodes}
        sources = [task for task, operator in operators.items() if not operator.traits.has_queue]
        search = Search(self._ask, operators, sources)
        if isinstance(what, Collected):
            named, at = self._result(search, what, index)
        elif index is not None:
            raise GraphInvalid(f"why was given an index, {index!r}, which is for a result; {preview(what)} is none")
        else:
            named, at = self._named(what)
        return search.origin(named, at)

    def _ask(self, task: str, numbers: Sequence[tuple[bool, int]]) -> Sequence[Entry | None]:
        handle = self._workers.handles.get(task)
        if handle is None:
            raise CommandRefused(f"that is a packet of {task!r}, and there is no such task in this run")
        try:
            found: Sequence[Entry | None] = handle.control.ask("origins", numbers)
        except TaskEnded as error:
            raise CommandRefused(
                f"what {task!r} remembered of its packets is gone with its process; ask before close()"
            ) from error
        return found

    def _result(self, search: Search, result: Collected[Any], index: int | None) -> tuple[Named, str]:
        graph = self._workers.graph
        name = next((node.name for node in graph.operators if node.options.get("into") is result), None)
        if name is None:
            raise CommandRefused("that is no result of this session; give it what collect() has returned")
        if type(index) is not int:
            raise GraphInvalid(f"say which value of {name!r} is meant, as in why(result, 0), not {preview(index)}")
        if not -len(result) <= index < len(result):
            raise IndexError(f"there is no value {index} of {name!r}: it has {len(result):,}")
        named = search.arrived(name, index % len(result) + 1)
        if named is None:
            raise CommandRefused(f"which packet value {index} of {name!r} was is forgotten: so many have come since")
        return named, name

    def _named(self, what: object) -> tuple[Named, str]:
        if isinstance(what, Held):
            what = what.waiting
        if isinstance(what, Packet):
            named: Named = what.id
            if what.edited and what.id is not None:
                named = Edited(what.id, what.payload)
            at = what.task
        elif isinstance(what, DeadLetter):
            named, at = what._of, what.task
        elif isinstance(what, TaskFailed):
            report = self._dispatcher.tally.failure
            named, at = None if report is None or report.task != what.task else report.of, what.task
        else:
            raise GraphInvalid(
                f"why was given {preview(what)}; give it a packet, a dead letter, what is held, a TaskFailed, or a "
                "result and an index"
            )
        if named is None:
            raise CommandRefused(f"{preview(what)} is of no packet that was traced in this run")
        return named, at
