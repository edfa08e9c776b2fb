"""Run: one run of a session, from its start until the next one or a reset. What works on a run works on this."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any

from runtime.communication.calls import HAND_CALLER, here
from runtime.communication.note import Note
from runtime.control.editing import Editing
from runtime.control.hits import Hits
from runtime.control.injector import Given, Injector
from runtime.control.inspection import Inspection
from runtime.control.pausing import Pausing
from runtime.control.records import Records
from runtime.control.stepping import Stepping
from runtime.control.workers import Workers
from runtime.dispatcher import Dispatcher
from runtime.errors import Cancelled, CommandRefused, QueueFull, TaskEnded
from runtime.factory import Backend, service_queues
from runtime.proxy import ProxyManager
from runtime.scheduling.commands import Commands
from runtime.scheduling.waiting import drive


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """What runs (`dispatcher`), what a person does to it, and the ways in for packets (`injector`) and calls."""

    dispatcher: Dispatcher
    workers: Workers
    pausing: Pausing
    stepping: Stepping
    inspection: Inspection
    editing: Editing
    hits: Hits
    records: Records
    injector: Injector
    proxies: ProxyManager
    commands: Commands

    @classmethod
    def of(cls, dispatcher: Dispatcher, commands: Commands) -> Run:
        """The run whose tasks and services a dispatcher has made."""
        graph, workers, records = dispatcher.graph, Workers(dispatcher, commands), Records()
        return cls(
            dispatcher,
            workers,
            Pausing(dispatcher, workers),
            Stepping(dispatcher, workers, records),
            Inspection(dispatcher, workers),
            Editing(dispatcher, workers, records),
            Hits(dispatcher, workers),
            records,
            Injector(graph, dispatcher.backend, dispatcher.tasks),
            ProxyManager(HAND_CALLER, service_queues(graph)),
            commands,
        )

    @property
    def is_live(self) -> bool:
        """Whether it has not ended."""
        return self.dispatcher.outcome is None

    def send(self, name: str, value: Any, timeout_s: float | None) -> None:
        """Put `value` into an input, from any thread. Raises `UnknownName`, and as `put_by_hand`."""
        given = self.injector.address_input(name, value)
        put_by_hand(self.commands, self.dispatcher.backend, self.injector, given, timeout_s)

    def inject(self, target: str, value: Any, number: int | None, timeout_s: float | None) -> None:
        """Put `value` into any queue, from any thread, by hand. Raises as `Injector.address`, `put_by_hand`."""
        given = self.injector.address(target, value, number)
        noted = self.editing.noting(target, given)
        put_by_hand(self.commands, self.dispatcher.backend, self.injector, given, timeout_s, noted)


Put = Callable[[float | None], Generator[Any, Any, None]]
"""Puts something in, waiting at most so many seconds for room."""


def put_by_hand(
    commands: Commands,
    backend: Backend,
    injector: Injector,
    given: Given,
    timeout_s: float | None,
    noted: Callable[[], Note] | None = None,
) -> None:
    """Put something in by hand, from any thread, and in the same step what `noted` makes.

    Raises as `put_in`, and `NotSendable`.
    """
    if not injector.offer(given, noted):
        sent = injector.sendable(given)
        put_in(commands, backend, given.tasks, lambda timeout_s: injector.put(sent, timeout_s, noted), timeout_s)


def put_in(commands: Commands, backend: Backend, tasks: Sequence[str], put: Put, timeout_s: float | None) -> None:
    """Have something `put` into the queues of `tasks` on a thread that no interrupt reaches. Raises what that raises.

    A thread of the job does it itself: no interrupt comes there. It may wait for a while, though it may be what would
    make room; without a limit that is refused: raises `CommandRefused`. One that is cancelled hears `Cancelled`.
    """
    if not backend.is_own_thread() and not commands.is_here():
        commands.do(lambda: put(timeout_s))
        return
    try:
        try:
            drive(put(0), lambda ready, _: ready())
        except QueueFull:
            if timeout_s is None:
                names = ", ".join(map(repr, tasks))
                raise CommandRefused(
                    f"{names} has no room, and a function of this job would wait for it without limit, perhaps for "
                    "itself; give it a timeout, or raise the capacity"
                ) from None
            if timeout_s <= 0:
                raise
            commands.do(lambda: put(timeout_s))
    except TaskEnded:
        if here.waiter is not None and here.waiter.cancelled:
            raise Cancelled from None
        raise
