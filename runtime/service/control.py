"""The hand's grip on one service: pause, step, look. Every call goes by value, so it may come from anywhere."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn

from runtime.communication.packet import Asked, Packet, Place
from runtime.errors import CommandRefused, NotPaused
from runtime.step import QueueView, Step
from runtime.task.passing import MID_PACKET

if TYPE_CHECKING:
    from runtime.service.base_service_task import BaseServiceTask


class ServiceControl:
    """The hand's grip on one service. Any thread may use it; what it changes is guarded by the ledger's lock."""

    def __init__(self, service: BaseServiceTask) -> None:
        self._service = service
        self._stepping = threading.Lock()  # guards that steps come one by one
        self._seen: list[Step] | None = None  # what the turn that was given last has come to, until it has been told

    def pause(self) -> None:
        """Let no request begin. Returns at once; `reached` says when none is in work."""
        self._do(self._service.queue.pause)

    def resume(self) -> None:
        """Serve again."""
        self._forget()  # what a turn under way comes to, nobody asks any more
        self._do(self._service.queue.resume)

    def reached(self) -> bool:
        """Whether no user code is at work."""
        return all(gate.reached() for gate in self._service.gates)

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
        return self._seen is None and self.has_work() and self.reached() and self._has_a_free_thread()

    def is_under_way(self) -> bool:
        """Whether a turn was given of which nobody has been told yet how it ended."""
        return self._seen is not None

    def has_news(self) -> bool:
        """Whether such a turn is over by now."""
        return bool(self._seen) or (self._seen is not None and self._has_ended())

    def is_at_rest(self) -> bool:
        """Whether nothing of it moves."""
        return all(gate.at_its_place() for gate in self._service.gates)

    def _has_ended(self) -> bool:
        return self._service.ending is not None

    def _has_a_free_thread(self) -> bool:
        return any(gate.doing in ("idle", "paused") for gate in self._service.gates)

    def number_of(self, place: Place) -> NoReturn:
        """Refused: requests have callers, not places."""
        self.edit(place, None)

    def step(self, timeout_s: float | None) -> Step:
        """One request, waited for. Raises `NotPaused`.

        One that waits for another service keeps its turn: further steps say so until it has been answered.
        """
        with self._stepping:
            return self._step(timeout_s)

    def _step(self, timeout_s: float | None) -> Step:
        service, queue, gate = self._service, self._service.queue, self._service.gates[0]
        if self._has_ended() and self._seen is None:
            return Step("idle", service.name)
        if not queue.paused and not self._has_ended():
            raise NotPaused(f"{service.name!r} is not paused, so it serves by itself; pause({service.name!r}) first")
        seen = self._seen
        if seen is None:
            if not gate.wait_for(self.reached, timeout_s):
                return Step("running", service.name)
            if not self.has_work():
                return Step("idle", service.name)
            if not self._has_a_free_thread():  # a turn given now would be used by whom nobody has asked, later
                return Step("waiting", service.name, doing="waiting")
            seen = self._seen = []
            service.stepped = seen.append
            self._do(queue.grant)
        gate.wait_for(lambda: self._is_over(seen), timeout_s)
        if seen or service.ending is not None:
            self._forget()
            return seen[0] if seen else Step("stop", service.name, ending=service.ending)
        waits = [each.doing for each in service.gates if each.doing in MID_PACKET]
        return Step("waiting", service.name, doing=waits[0]) if waits else Step("running", service.name)

    def _forget(self) -> None:
        self._seen = self._service.stepped = None

    def _is_over(self, seen: list[Step]) -> bool:
        service = self._service
        if seen:  # the reply is out, and its thread sleeps again
            return self.reached()
        return service.ending is not None or (
            service.queue.running > 0 and any(gate.doing in ("waiting", "backing off") for gate in service.gates)
        )

    def peek(self, first: int, last: int) -> QueueView:
        """The first and the last requests that wait."""
        service = self._service
        with service.queue.ledger.lock:
            requests = [call.request for call in service.queue.waiting]
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
        for gate in self._service.gates:
            gate.stir()
