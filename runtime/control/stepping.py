"""Stepping: turns of paused tasks and services, one by one: whose it is, and the way of one packet."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from time import monotonic

from runtime.back.journal import Journal
from runtime.communication.packet import Packet
from runtime.control.records import Record, Records
from runtime.control.workers import Workers
from runtime.dispatcher import Dispatcher
from runtime.errors import NotPaused, PacketGone
from runtime.factory import Handle
from runtime.scheduling.parker import Parker
from runtime.scheduling.waiting import Until, Waiting
from runtime.scheduling.worker_state import WorkerState
from runtime.step import Path, Step
from runtime.texts.literal import literals_of


class Stepping:
    """Steps one run. Only the thread of commands does."""

    def __init__(self, dispatcher: Dispatcher, workers: Workers, records: Records, journal: Journal) -> None:
        self._dispatcher, self._workers, self._records = dispatcher, workers, records
        self._journal = journal
        graph = workers.graph
        # Services first, since somebody waits for them; then the deepest, graph order, index; sources last.
        layers, by_name = graph.layers, graph.by_name
        by_depth = [node.name for node in sorted(graph.nodes, key=lambda node: -layers[node.operator])]
        sources = {node.name for node in graph.nodes if not by_name[node.operator].traits.has_queue}
        self._order = [node.name for node in graph.service_nodes]
        self._order += [name for name in by_depth if name not in sources]
        self._sources = [node.name for node in graph.nodes if node.name in sources]
        self._controls = [handle.control for handle in workers.handles.values()]
        self._helpers = {name: handle.control.helper for name, handle in workers.handles.items()}
        self._busy: set[Handle] = set()  # steps of one task come one by one, each with a turn of its own
        self._followed: dict[str, str] = {}  # by each task, who had the step after it, the last time
        self._last = ""  # who had the last step

    def step(self, name: str | None, deadline: float) -> Waiting[Step]:
        """One turn of one task: the one named, or the one whose turn it is. Raises `NotPaused`, `UnknownName`.

        It is over when all who are paused have come to rest again: with room or a reply, others may have gone on.
        """
        handle = (yield from self._whose_turn(deadline)) if name is None else self._next_of(self._workers.find(name))
        if handle is None:
            return Step("idle", name)
        if handle in self._busy and not (yield Until(lambda: handle not in self._busy, deadline)):
            return Step("running", handle.name)  # somebody else's step
        self._busy.add(handle)
        self._journal.is_on(self._are_tasks_paused)
        try:
            step = yield from handle.control.step(deadline)
        finally:
            self._busy.discard(handle)
        yield from self._come_to_rest(deadline)
        if step.task is not None and step.result != "idle":
            self._followed[self._last] = self._last = step.task
            turns = self._workers.turns()
            record = Record("step", step.task, str(step), literals_of(name), turns, result=step.result)
            self._records.add(record)
            self._journal.told(step.task, record)
            self._dispatcher.log_step(step.task, record.text)
        return step

    def helper(self, name: str | None) -> Parker | None:
        """Who may carry a step out, if he stands at his gate: best who is stepped. Without a name that is a guess."""
        return self._helpers.get(self._followed.get(self._last, "") if name is None else name)

    def _next_of(self, handles: list[Handle]) -> Handle | None:
        """Of the tasks of an operator, the one that can be stepped; else one that is at it. None: none of several."""
        if len(handles) == 1:
            return handles[0]
        seen = self._seen(handles)
        busy = [handle for handle, worker in seen if worker.is_under_way]
        busy += [handle for handle, worker in seen if not worker.is_paused]
        return _next((handle, worker) for handle, worker in seen if worker.is_paused) or next(iter(busy), None)

    def _whose_turn(self, deadline: float) -> Waiting[Handle | None]:
        """Who is to be stepped if nobody is named; waits while all that could be told is under way."""
        handles = [self._workers.handles[name] for name in (*self._order, *self._sources)]
        if self._dispatcher.outcome is not None:  # but something may not have been told yet
            return next((handle for handle, worker in self._seen(handles) if worker.has_news), None)
        paused: list[tuple[Handle, WorkerState]] = []
        found: Handle | None = None

        def is_told() -> bool:
            nonlocal found
            paused[:] = [each for each in self._seen(handles) if each[1].is_paused]
            found = _next(paused)
            return all(worker.rests and (found is not None or not worker.is_under_way) for _, worker in paused)

        yield self._workers.until(is_told, deadline, by_tasks=True)
        if not paused:
            raise NotPaused("nothing is paused, so everybody takes their turns themselves; pause() first")
        return found or next((handle for handle, worker in paused if worker.is_under_way), None)

    def _are_tasks_paused(self) -> bool:
        running = self._dispatcher.tally.running
        seen = self._seen([handle for name, handle in self._dispatcher.tasks.items() if name in running])
        return all(worker.is_paused for _, worker in seen)

    def _seen(self, handles: Sequence[Handle]) -> list[tuple[Handle, WorkerState]]:
        """How all of them stand, looked at together."""
        return list(zip(handles, self._workers.now(handles), strict=True))

    def _come_to_rest(self, deadline: float) -> Waiting[bool]:
        """Wait until nothing moves of those who are paused."""

        def are_at_rest() -> bool:
            for control in self._controls:  # noqa: SIM110  asked after each step: a generator takes twice as long
                if not control.rests():
                    return False
            return True

        return (yield self._workers.until(are_at_rest, deadline, by_tasks=True))

    def follow(self, packet: Packet, deadline: float) -> Waiting[Path]:
        """Step one packet, and all that is made of it, to the end.

        Raises `NotPaused`, `PacketGone`, `TimeoutError`.
        """
        path = yield from self._follow(packet, deadline, {})
        if path is None:
            raise PacketGone(f"{packet!r} was dropped with its job")
        return path

    def _follow(self, packet: Packet, deadline: float, done: dict[_Spot, Step]) -> Waiting[Path | None]:
        """The way of one packet; None if it is not worked, since the job has failed.

        Whoever has to go on first has his turn in between; what that did to packets of the way is found in `done`.
        """
        control, place = self._workers.find_packet(packet)
        spot = (packet.task, place.lane, place.number)
        if spot not in done:
            if not control.now().is_paused and self._dispatcher.outcome is None:
                raise NotPaused(f"{packet.task!r} is not paused; pause({packet.task!r}) to follow a packet through it")
            spot = (packet.task, place.lane, control.ask("number_of", place))
        while spot not in done:
            if monotonic() >= deadline:
                raise TimeoutError(f"{packet!r} has not come through {packet.task!r} in time")
            worker = control.now()
            name = packet.task if worker.can_step or worker.has_news else None
            step = yield from self.step(name, deadline)
            if step.result == "idle":
                if self._dispatcher.outcome is not None:
                    return None
                raise PacketGone(f"{packet!r} is not in the queue of {packet.task!r} any more")
            if step.result in ("done", "held"):
                done |= {(taken.task, *taken.place): step for taken in step.packets if taken.place is not None}
        step = done[spot]
        paths = []
        for _, sent in step.sent:
            if sent.place is not None and (path := (yield from self._follow(sent, deadline, done))) is not None:
                paths.append(path)
        return Path(step, tuple(paths))


_Spot = tuple[str, int, int]
"""Task, lane and number of a packet that was worked."""


def _next(seen: Iterable[tuple[Handle, WorkerState]]) -> Handle | None:
    """Whose turn it is: first of all, whoever can tell how a turn has ended."""
    seen = list(seen)
    told = next((handle for handle, worker in seen if worker.has_news), None)
    return told or next((handle for handle, worker in seen if worker.can_step), None)
