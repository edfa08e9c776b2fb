"""Pausing: the gates of a run, closed and opened by hand."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from runtime.back.journal import Journal
from runtime.control.workers import Workers
from runtime.dispatcher import Dispatcher
from runtime.errors import CommandRefused
from runtime.factory import Handle
from runtime.scheduling.waiting import Waiting, deadline_of

REACH_S: Final = 5.0
"""How long `pause` waits for user code to come to its end."""


class Pausing:
    """Pauses one run, and lets it run again."""

    def __init__(self, dispatcher: Dispatcher, workers: Workers, journal: Journal) -> None:
        self._dispatcher, self._workers, self._journal = dispatcher, workers, journal
        self.first_resumed = -1
        """When gates were opened by hand for the first time, by the numbers of records; -1: not yet."""

    def pause(
        self, names: Iterable[str], timeout_s: float | None = REACH_S, *, by_person: bool = False
    ) -> Waiting[tuple[str, ...]]:
        """Close gates, all if none is named; wait until they are reached. Who is still in user code after that."""
        handles = self._workers.find_all(names)
        if self._dispatcher.outcome is not None:
            return ()
        self.close_gates(names, by_person=by_person)
        return (yield from self._reach(handles, deadline_of(timeout_s)))

    def pause_after(self, turn: int) -> Waiting[None]:
        """Of a run that stops after a turn: wait for that, and close all gates.

        Raises `CommandRefused` if it has ended before, or stands at a breakpoint.
        """
        seeded, handles = self._workers.backend.changes.seeded, list(self._workers.handles.values())
        assert seeded is not None, "it goes by turns"
        self._dispatcher.gates_changed(f"goto: run again from the start, to turn {turn:,}")

        def is_held() -> bool:
            return any(worker.is_paused for worker in self._workers.now(handles))

        yield self._workers.until(lambda: seeded.has_stopped() or self._dispatcher.outcome is not None or is_held())
        has_come = seeded.turns >= turn
        if self._dispatcher.outcome is None and not is_held():
            self.close_gates()
        seeded.stop_after(None)
        if not has_come:
            why = "it stands at a breakpoint" if self._dispatcher.outcome is None else "it has ended"
            raise CommandRefused(f"the run does not come to turn {turn:,}: {why} after turn {seeded.turns:,}")
        yield from self.wait_for_gates()

    def close_gates(self, names: Iterable[str] = (), *, by_person: bool = False) -> None:
        """Close gates, without waiting until they are reached."""
        self._dispatcher.closes_gates(by_person)
        self._workers.backend.pause(self._workers.find_all(names))
        self._dispatcher.gates_changed(f"pause: {', '.join(names) or 'all'}")

    def pause_here(self, names: Iterable[str]) -> tuple[str, ...]:
        """On a thread of the job, which must not wait: close gates at once. Who is in user code now."""
        handles = self._workers.find_all(names)
        if self._dispatcher.outcome is not None:
            return ()
        self._dispatcher.closes_gates(by_person=False)
        self._workers.backend.pause(handles)
        self._workers.post(lambda: self._dispatcher.gates_changed(f"pause: {', '.join(names) or 'all'}"))
        return self._unreached(handles)

    def wait_for_gates(self) -> Waiting[tuple[str, ...]]:
        """Wait until every closed gate is reached, for a while."""
        return self._reach(list(self._workers.handles.values()), deadline_of(REACH_S))

    def _reach(self, handles: list[Handle], deadline: float) -> Waiting[tuple[str, ...]]:
        """Wait until their gates are reached, or opened again by somebody else. Who is still in user code."""
        if (yield self._workers.until(lambda: all(each.is_settled for each in self._workers.now(handles)), deadline)):
            return ()
        return self._unreached(handles)

    def _unreached(self, handles: list[Handle]) -> tuple[str, ...]:
        workers = zip(handles, self._workers.now(handles), strict=True)
        return tuple(handle.name for handle, worker in workers if worker.is_paused and not worker.reached)

    def resume(self, names: Iterable[str]) -> None:
        """Open gates, all if none is named."""
        handles = self._workers.find_all(names)
        if self._dispatcher.outcome is not None:
            return
        self._journal.forget("nothing was stepped or changed by hand since the last resume()")
        if self.first_resumed < 0:
            self.first_resumed = self._journal.since
        self._workers.backend.resume(handles)
        self._dispatcher.gates_changed(f"resume: {', '.join(names) or 'all'}")
