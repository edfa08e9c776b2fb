"""Workers: those of one run, tasks and services, as commands find them by name and wait for them.

It knows the graph and what each handle offers, not where anything runs. Names may be those of operators (all their
tasks), tasks or services.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from time import monotonic
from typing import Any, Final, TypeVar

from runtime.communication.element import format_of
from runtime.communication.packet import Packet, Place
from runtime.context.worker_control import WorkerControl
from runtime.dispatcher import Dispatcher
from runtime.errors import NotPaused, PacketGone, UnknownName, error_text
from runtime.factory import Handle
from runtime.scheduling.commands import Commands
from runtime.scheduling.waiting import NEVER, Until, Waiting
from runtime.scheduling.worker_state import WorkerState

_ON_ITS_WAY_S: Final = 5.0  # how long a task that is to be changed is waited for, should it be in user code
T = TypeVar("T")


class Workers:
    """The tasks and services of one run. What has to wait is a generator, see `waiting.py`."""

    def __init__(self, dispatcher: Dispatcher, commands: Commands) -> None:
        self.graph, self.backend = dispatcher.graph, dispatcher.backend
        self.handles = dispatcher.handles
        self.operator_of = {node.name: node.operator for node in self.graph.nodes}
        self._dispatcher, self._commands = dispatcher, commands

    def find_all(self, names: Iterable[str]) -> list[Handle]:
        """Those of all `names`, or all there are if none is named. Raises `UnknownName`."""
        found = [handle for name in names for handle in self.find(name)]
        return found or list(self.handles.values())

    def find(self, name: str) -> list[Handle]:
        """The one of this name, or all tasks of the operator. Raises `UnknownName`."""
        if name in self.handles:
            return [self.handles[name]]
        if name in self.graph.by_name:
            return [self.handles[task] for task in self.graph.tasks(name)]
        raise UnknownName("task, operator or service", name, {**self.graph.by_name, **self.handles})

    def find_packet(self, packet: Packet) -> tuple[WorkerControl, Place]:
        """Whose queue it waits in, and where. Raises `PacketGone` if it was not looked at in a queue of this run."""
        handle = self.handles.get(packet.task)
        if handle is None or packet.place is None:
            raise PacketGone(f"{packet!r} is in no queue of this run; take one from peek()")
        return handle.control, packet.place

    def is_keyed(self, name: str) -> bool:
        """Whether the input of a task or operator has keys."""
        return format_of(self.graph, self.operator_of.get(name, name)).keyed

    def now(self, handles: Sequence[Handle]) -> Iterable[WorkerState]:
        """How all of them stand, looked at together."""
        return self.backend.workers(handles)

    def turns(self) -> int | None:
        """How many turns have been handed out so far; None: they are not, without a seed."""
        seeded = self.backend.changes.seeded
        return None if seeded is None else seeded.turns

    def post(self, work: Callable[[], object]) -> None:
        """Thread of the job: have something done. What it raises becomes a warning of the job."""
        self._commands.post(work, lambda error: self._dispatcher.warned(None, error_text(error)))

    def do(self, work: Callable[[], Any]) -> Any:
        """Whoever holds a tap or breakpoint: have something done; wait for it, if this is no thread of the job."""
        if self.backend.is_own_thread():
            self.post(work)
            return None
        return self._commands.do(work)

    def until(self, ready: Callable[[], bool], deadline: float = NEVER, *, by_tasks: bool = False) -> Until:
        """A wait for what handles and their controls say."""
        return Until(self.backend.at_one_moment(ready), deadline, by_tasks=by_tasks)

    def at_its_gate(self, controls: Sequence[WorkerControl], act: Callable[[], T]) -> Waiting[T]:
        """Do what only tasks at their closed gates can bear. Who is on its way there is waited for, for a while."""
        deadline = monotonic() + _ON_ITS_WAY_S
        while True:
            try:
                return act()
            except NotPaused as refusal:
                if not refusal.on_its_way or monotonic() >= deadline:
                    raise
            yield self.until(lambda: all(map(_is_there, controls)), deadline)


def _is_there(control: WorkerControl) -> bool:
    worker = control.now()
    return worker.is_in_place or not worker.is_paused
