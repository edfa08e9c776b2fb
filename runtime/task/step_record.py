"""One packet, or one signal, seen on its way through a task: what was taken, what was sent where, what was raised.

Made only while somebody looks: a step, a tap. Used by the task's thread until it is over, and never changed afterwards.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from runtime.communication.lane import Lane
from runtime.communication.packet import Packet, Place
from runtime.communication.router import Router
from runtime.communication.send_plan import SendPlan
from runtime.facts import Ending
from runtime.task.alignment import Arrival


class StepRecord:
    """What happened while one packet was worked, or one signal taken. `sent` is `(target task, packet)` in order."""

    __slots__ = ("arrival", "ending", "error", "packet", "sent")

    def __init__(self) -> None:
        self.packet: Packet | None = None
        self.arrival: Arrival | None = None
        self.ending: Ending | None = None  # of the task, if this was its last turn
        self.sent: list[tuple[str, Packet]] = []
        self.error: BaseException | None = None

    def has_something(self) -> bool:
        """Whether anything was taken, made or raised; the packet that let the task in may have been dropped by hand."""
        return any(each is not None for each in (self.packet, self.arrival, self.ending, self.error)) or bool(self.sent)


Tap = Callable[[StepRecord], None]


class Redirected(Protocol):
    """What a function sends by itself goes through: a task's context."""

    def redirect(self, send: Callable[[Any], object]) -> Callable[[Any], object]:
        """Send through `send` from now on; returns what it was before."""


class SendRecorder:
    """Lets what one task sends be seen. Of a guarded task `plan` is the guard's, and its context is left alone."""

    def __init__(self, router: Router, plan: SendPlan | None, ctx: Redirected) -> None:
        self._plan = SendPlan(router) if plan is None else plan
        self._ctx = None if plan is not None else ctx
        self._before: Callable[[Any], object] | None = None

    def begin(self, record: StepRecord) -> Callable[[Any], object]:
        """See all that is sent from now on, until `end`. Returns what to send with."""
        sent, targets = record.sent, self._plan.targets

        def see(lane: Lane, item: Any) -> None:
            format, task, number = targets[id(lane)]
            sent.append((task, format.packet(item, task, lane, Place(number, lane.arrived()))))

        plan = self._plan
        plan.watcher = see
        if self._ctx is not None:
            self._before = self._ctx.redirect(plan.send_one)
        return plan.send_one

    def end(self) -> None:
        """See nothing any more."""
        self._plan.watcher = None
        if self._ctx is not None and self._before is not None:
            self._ctx.redirect(self._before)
            self._before = None
