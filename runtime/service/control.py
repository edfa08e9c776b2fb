"""Control of one service by a person: pause, step, look. Everything is passed by value, from whichever process."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, NoReturn, cast

from runtime.communication.packet import Asked, Packet
from runtime.context.worker_control import Errand, TaskCommand, WorkerControl
from runtime.errors import CommandRefused, NotPaused
from runtime.python.stacks import Stack
from runtime.scheduling.gate import Turn
from runtime.scheduling.parker import BETWEEN, MID_PACKET
from runtime.scheduling.waiting import Until, Waiting
from runtime.scheduling.worker_state import WorkerState
from runtime.service.renewal import Renewal
from runtime.step import QueueView, Step

if TYPE_CHECKING:
    from runtime.service.base_service_task import BaseServiceTask


_STATE: Final = "{!r} is a service; ask one of its own methods for its state"
_REFUSED: Final = {"undo": "nothing was changed in the queue of {!r}", "state": _STATE, "set_state": _STATE}


class ServiceControl(WorkerControl):
    """Controls one service. One thread changes things by it, under the ledger's lock."""

    def __init__(self, service: BaseServiceTask) -> None:
        self._service = service
        self._turn: Turn | None = None  # the one that was given last, until it has been told what it came to

    def remember_by(self, memory_of: Callable[[Any], Callable[[], Any]]) -> bool:
        """Nothing of a service is remembered, and nothing need be."""
        return True

    def pause(self) -> None:
        """Let no request begin. Returns at once; `now` says when none is in work."""
        self._do(self._service.queue.pause)

    def resume(self) -> None:
        """Serve again."""
        self._turn = None  # nobody asks any more what a turn under way has come to
        self._do(self._service.queue.resume)

    def now(self) -> WorkerState:
        """Where it stands at this moment."""
        gate, turn, has_work = self._service.gate, self._turn, self._has_work()
        reached = gate.reached()
        return WorkerState(
            is_paused=gate.closed,
            reached=reached,
            is_in_place=gate.at_its_place(),
            has_work=has_work,
            waits_at_gate=reached,
            takes_turns=has_work and self._is_at_gate() and self._has_idle_thread(),
            turn="none" if turn is None else "over" if turn.over else "given",
            rests=self.rests(),
        )

    def rests(self) -> bool:
        """What `WorkerState.rests` says, by itself: it is asked of all at each step."""
        gate = self._service.gate
        return gate.at_its_place() or not gate.closed or self._lets_go_on()

    def _lets_go_on(self) -> bool:
        """Whether all that it does is to wait for requests that go on side by side."""
        beside = self._service.beside
        return beside is not None and beside.lets_go_on()

    def _is_at_gate(self) -> bool:
        return self._service.gate.reached() or self._lets_go_on()

    def _has_work(self) -> bool:
        """Whether a turn would find a request, or the stop signal."""
        return self._service.ending is None and self._service.queue.ready()

    def step(self, deadline: float) -> Waiting[Step]:
        """One request, waited for. Raises `NotPaused`.

        One that waits for another service keeps its turn: further steps say so until it has been answered.
        """
        service, gate, name = self._service, self._service.gate, self._service.name
        turn = self._turn
        if turn is None:
            if service.ending is not None:
                return Step("idle", name)
            if not gate.closed:
                raise NotPaused(f"{name!r} is not paused, so it serves by itself; pause({name!r}) first")
            if not (yield Until(self._is_at_gate, deadline)):
                return Step("running", name)
            if self._has_work() and not self._has_idle_thread():  # whoever used the turn later, nobody would have asked
                return Step("waiting", name, doing="waiting")
            turn = self._turn = gate.grant(self._has_work)
            if turn is None:
                return Step("idle", name)
        given = turn
        yield Until(lambda: self._is_over(given), deadline)
        if given.over:
            self._turn = None
            if given.record is not None:
                return cast(Step, given.record)
            return Step("idle", name) if service.ending is None else Step("stop", name, ending=service.ending)
        doing = None if given.taker is None else given.taker.doing
        return Step("waiting", name, doing=doing) if doing in MID_PACKET else Step("running", name)

    def _is_over(self, turn: Turn) -> bool:
        if turn.over:  # the reply is out; until its thread is at the gate again
            gate = self._service.gate
            return self._is_at_gate() or not gate.closed
        taker = turn.taker
        return taker is not None and taker.doing in MID_PACKET and taker.is_waiting()

    def _has_idle_thread(self) -> bool:
        if (beside := self._service.beside) is not None and self._lets_go_on():
            return beside.has_room()
        return any(parker.doing in BETWEEN for parker in self._service.parkers)

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
        self._service.show_to(tap)

    def set_breaks(self, breaks: object, broke: object) -> NoReturn:
        """Refused: a service is paused, or a task that calls it is stopped before its packet."""
        raise CommandRefused(f"{self._service.name!r} is a service; set the breakpoint at a task that calls it")

    def have_done(self, what: Errand, *arguments: Any) -> Waiting[Any]:
        """Let it renew its object. Raises `CommandRefused`, `TaskEnded`, and what user code raises."""
        assert what == "renew", "the others are for functions"
        return Renewal(self._service).renew(*arguments)

    def stacks(self) -> list[Stack | None]:
        """Where each of its threads is at work now."""
        return self._service.stacks()

    def ask(self, what: TaskCommand, *arguments: Any) -> NoReturn:
        """Refused: somebody waits for the answer to what he has asked."""
        why = _REFUSED.get(what, "requests to {!r} are awaited as they were made; intercept() can change them")
        raise CommandRefused(why.format(self._service.name))

    def _do(self, change: Callable[[], None]) -> None:
        queue = self._service.queue
        with queue.ledger.lock:
            change()
        queue.ledger.nudge()
        self._service.parkers[0].tell()
