"""The hand's grip on one service: pause, step, look. Every call goes by value, so it may come from anywhere."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, NoReturn

from runtime.communication.packet import Asked, Packet, Place
from runtime.errors import CommandRefused, NotPaused
from runtime.scheduling.waiting import Until, Waiting
from runtime.step import QueueView, Step
from runtime.task.passing import MID_PACKET

if TYPE_CHECKING:
    from runtime.service.base_service_task import BaseServiceTask


class ServiceControl:
    """The hand's grip on one service. One thread changes things by it, under the ledger's lock."""

    def __init__(self, service: BaseServiceTask) -> None:
        self._service = service
        self._is_stepping = False  # steps come one by one
        self._seen: list[Step] | None = None  # what the turn that was given last has come to, until it has been told
        self._waited = 0  # threads that waited in the middle of a request when it was given

    def pause(self) -> None:
        """Let no request begin. Returns at once; `reached` says when none is in work."""
        self._do(self._service.queue.pause)

    def resume(self) -> None:
        """Serve again."""
        self._forget()  # what a turn under way comes to, nobody asks any more
        self._do(self._service.queue.resume)

    def reached(self) -> bool:
        """Whether no user code is at work, nor about to be."""
        service = self._service
        return all(gate.reached() for gate in service.gates) and not (service.queue.granted and service.ending is None)

    def is_paused(self) -> bool:
        """Whether it is held by hand."""
        return self._service.queue.paused

    def is_held(self) -> bool:
        """Whether it has something to do, and its pause is all that it waits for."""
        return self.is_paused() and self.has_work() and not self._service.queue.granted and self.reached()

    def has_work(self) -> bool:
        """Whether there is something that a turn could be used for."""
        queue = self._service.queue
        return self._service.ending is None and queue.is_set_up and (bool(queue.waiting) or queue.signal is not None)

    def can_step(self) -> bool:
        """Whether a turn would do something: there is a request, somebody to take it, and no turn to be told first."""
        return self._seen is None and self.has_work() and self.reached() and self._has_idle_thread()

    def is_under_way(self) -> bool:
        """Whether a turn was given of which nobody has been told yet how it ended."""
        return self._seen is not None

    def has_news(self) -> bool:
        """Whether such a turn is over by now."""
        return self._seen is not None and (bool(self._seen) or self._service.ending is not None)

    def is_at_rest(self) -> bool:
        """Whether nothing of it moves."""
        return self.reached() and all(gate.at_its_place() for gate in self._service.gates)

    def is_in_place(self) -> bool:
        """Whether nothing of it is on its way to anywhere."""
        return self.is_at_rest()

    def number_of(self, place: Place) -> NoReturn:
        """Refused: requests have callers, not places."""
        self.edit(place, None)

    def step(self, deadline: float) -> Waiting[Step]:
        """One request, waited for. Raises `NotPaused`.

        One that waits for another service keeps its turn: further steps say so until it has been answered.
        """
        if self._is_stepping and not (yield Until(lambda: not self._is_stepping, deadline)):
            return Step("running", self._service.name)  # somebody else's step
        self._is_stepping = True
        try:
            return (yield from self._step(deadline))
        finally:
            self._is_stepping = False

    def _step(self, deadline: float) -> Waiting[Step]:
        service, seen = self._service, self._seen
        name = service.name
        if seen is None:
            if service.ending is not None:
                return Step("idle", name)
            if not service.queue.paused:
                raise NotPaused(f"{name!r} is not paused, so it serves by itself; pause({name!r}) first")
            if not (yield Until(self.reached, deadline)):
                return Step("running", name)
            if self.has_work() and not self._has_idle_thread():  # whoever used the turn later, nobody would have asked
                return Step("waiting", name, doing="waiting")
            if (seen := (yield from self._give_turn())) is None:
                return Step("idle", name)
        given = seen
        yield Until(lambda: self._is_over(given), deadline)
        if seen or service.ending is not None:
            self._forget()
            return seen[0] if seen else Step("stop", name, ending=service.ending)
        if not service.queue.running and not service.queue.granted:  # it was resumed meanwhile
            self._forget()
            return Step("idle", name)
        waits = [each.doing for each in service.gates if each.doing in MID_PACKET]
        return Step("waiting", name, doing=waits[0]) if waits else Step("running", name)

    def _give_turn(self) -> Waiting[list[Step] | None]:
        """Let one request begin, as an idle thread does at once, or the end. What it comes to; None: there is none."""
        service, queue = self._service, self._service.queue
        seen = self._seen = []
        service.stepped = seen.append
        self._waited = self._waiting_threads()
        ends = queue.signal is not None and not queue.waiting
        self._do(lambda: queue.grant() if queue.paused and self.has_work() else None)
        if ends:
            return seen
        try:
            yield Until(lambda: not queue.granted or not self.has_work(), monotonic() + _SOON_S)
        finally:  # also if nobody waits any more
            with queue.ledger.lock:
                begun, queue.granted = not queue.granted, 0  # else somebody would find it later
            if not begun:
                self._forget()
        return seen if begun else None

    def _forget(self) -> None:
        self._seen = self._service.stepped = None

    def _is_over(self, seen: list[Step]) -> bool:
        if seen:  # the reply is out, and its thread sleeps again
            return self.reached()
        service = self._service
        if service.ending is not None or not service.queue.paused:
            return True
        return (not service.queue.running and not service.queue.granted) or self._waiting_threads() > self._waited

    def _waiting_threads(self) -> int:
        return sum(gate.doing in MID_PACKET for gate in self._service.gates)

    def _has_idle_thread(self) -> bool:
        return any(gate.doing in ("idle", "paused") for gate in self._service.gates)

    def peek(self, first: int, last: int) -> QueueView:
        """The first and the last requests that wait."""
        service = self._service
        requests = [call.request for call in tuple(service.queue.waiting)]  # in one step
        packets = [
            Packet(Asked(r.method, r.args, dict(r.kwargs)), task=service.name, producer=r.callers[-1]) for r in requests
        ]
        left_out = None
        if len(packets) > first + last:
            packets, left_out = packets[:first] + packets[len(packets) - last :], first
        return QueueView(service.name, packets, len(requests), service.queue.capacity, left_out=left_out)

    def set_tap(self, tap: Callable[[Step], None] | None) -> None:
        """Show every request from the next on; None: no more."""
        self._service.tap = tap

    def set_breaks(self, breaks: object, broke: object) -> NoReturn:
        """Refused: a service is paused, or a task that calls it is stopped before its packet."""
        raise CommandRefused(f"{self._service.name!r} is a service; set the breakpoint at a task that calls it")

    def edit(self, place: Place, item: Any) -> NoReturn:
        """Refused, as `drop` and `move`: somebody waits for the answer to what he has asked."""
        raise CommandRefused(
            f"requests to {self._service.name!r} are awaited as they were made; intercept() can change them"
        )

    def drop(self, place: Place) -> NoReturn:
        """Refused."""
        self.edit(place, None)

    def move(self, place: Place, to: int) -> NoReturn:
        """Refused."""
        self.edit(place, None)

    def undo(self) -> NoReturn:
        """Refused."""
        raise CommandRefused(f"nothing was changed in the queue of {self._service.name!r}")

    def state(self) -> NoReturn:
        """Refused: a service keeps what it wants in its own object."""
        raise CommandRefused(f"{self._service.name!r} is a service; ask one of its own methods for its state")

    def set_state(self, key: Any, value: Any) -> NoReturn:
        """Refused."""
        self.state()

    def _do(self, change: Callable[[], None]) -> None:
        queue = self._service.queue
        with queue.ledger.lock:
            change()
        queue.ledger.nudge()
        self._service.gates[0].tell()


_SOON_S: Final = 1.0  # of a thread that runs no user code
