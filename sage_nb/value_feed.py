"""Where live values come from: a result, which is read, or a tap, which is there only while somebody looks. Bounded."""

from __future__ import annotations

import threading
import weakref
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Protocol

from runtime import Collected, DataflowError, Session, Step
from runtime.graph import ExecutionGraph
from sage_nb.origins import why_not
from sage_nb.value_columns import Seen


class Feed(Protocol):
    """The last values of something. One thread at a time calls `look` and `rest`; `seen` any."""

    @property
    def is_final(self) -> bool:
        """Whether the values are there whoever has looked, so that they may stand in a notebook."""

    @property
    def operator(self) -> str:
        """Of which operator's results `why` can be asked; empty: of none."""

    def look(self) -> None:
        """Somebody looks: make sure that values come."""

    def rest(self) -> None:
        """Nobody looks any more."""

    def mark(self) -> object:
        """What is equal as long as there are no other values."""

    def seen(self) -> tuple[int, Sequence[Seen]]:
        """How many values there have been, and the last of them."""


class ResultFeed:
    """The values of a `collect()`: all that have come since the start of the run, whoever looks."""

    is_final = True

    def __init__(self, session: Session, result: Collected[Any], last: int) -> None:
        self._session, self._result, self._last = weakref.ref(session), result, last

    @property
    def operator(self) -> str:
        """Who gathers them, in a session that can say where each comes from; empty in another."""
        if (session := self._session()) is None or why_not(session):
            return ""
        operators = session.graph.operators
        return next((each.name for each in operators if each.options.get("into") is self._result), "")

    def look(self) -> None:
        """It is there anyway."""

    def rest(self) -> None:
        """It stays."""

    def mark(self) -> object:
        """The run and the number of its values."""
        session = self._session()
        return session.run_number if session is not None else -1, len(self._result)

    def seen(self) -> tuple[int, Sequence[Seen]]:
        """The number of values that are kept, and the last of them."""
        values = self._result[-self._last :]
        return len(self._result), [Seen(value) for value in values]


class TapFeed:
    """What an operator or task sends, or takes if it is an end, from when somebody looks: by a tap of each run."""

    is_final = False

    operator = ""  # what is tapped is not kept

    def __init__(self, session: Session, name: str, last: int) -> None:
        self._session, self._name, self._last = weakref.ref(session), name, last
        self._lock = threading.Lock()  # guards both below: tasks in parallel add values
        self._total = 0
        self._values: deque[Seen] = deque(maxlen=last)
        self._run = 0  # the run that is tapped, or was last
        self._open: Any = None  # its tap

    def look(self) -> None:
        """Tap the run that there is, if it is not tapped yet."""
        session = self._session()
        if session is None or session.status not in ("running", "draining"):
            return
        run = session.run_number
        if self._open is not None and run == self._run:
            return
        if run != self._run:
            with self._lock:
                self._total = 0
                self._values.clear()
        self._run = run
        copies = _one_of_copies(session.graph, self._name)
        with suppress(DataflowError):  # it has just ended, or been closed
            tap = session.tap(self._name, lambda step: self._see(step, copies))
            tap.__enter__()
            self._open = tap

    def rest(self) -> None:
        """Take the tap away; the values stay."""
        tap, self._open = self._open, None
        if tap is not None:
            with suppress(DataflowError):  # the run has ended
                tap.__exit__(None, None, None)

    def mark(self) -> object:
        """The run and the number of its values."""
        return self._run, self._total

    def seen(self) -> tuple[int, Sequence[Seen]]:
        """The number of values that have been seen, and the last of them."""
        with self._lock:
            return self._total, list(self._values)

    def _see(self, step: Step, copies: frozenset[str] | None) -> None:
        """On the task's own thread."""
        packets = [packet for target, packet in step.sent if copies is None or target in copies]
        if not step.sends:
            packets = list(step.packets)
        with self._lock:
            self._total += len(packets)
            self._values.extend(Seen(packet.payload, packet.key, packet.keyed) for packet in packets)


def _one_of_copies(graph: ExecutionGraph, name: str) -> frozenset[str] | None:
    """Of an operator that sends each result to several, the tasks that get one copy of each; None: there are none."""
    operator = name if name in graph.by_name else name.rpartition("#")[0]
    edges = graph.outputs(operator)
    if not edges:
        return None
    first = min(edges, key=lambda edge: edge.strategy == "broadcast")
    tasks = graph.tasks(first.target)
    return frozenset(tasks[:1] if first.strategy == "broadcast" else tasks)
