"""A service's request queue: bounded, in order, filled by any thread and read by the service's own. Passive.

Callers who find it full are held back, first come first served; whoever takes a request lets the next one in. The
ledger's lock guards the gate, too; all methods but `prepare`, `ship`, `ready` and `is_called` are called under it.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, Protocol, get_args

from runtime.communication.calls import Call, Ledger, stopped
from runtime.communication.queue_descriptor import keep_queue, kept_queue, release_queue
from runtime.communication.signals import StopSignal
from runtime.scheduling.gate import Gate
from runtime.scheduling.parker import Parker, Waiter

End = Literal["results", "errors", "timeouts", "stopped", "late", "lost"]
"""How a call ended. Each is in exactly one of the first four, or still open.

`late`: replies to calls that had ended before. `lost`: replies that an interceptor made vanish.
"""

_ENDS: Final[tuple[End, ...]] = get_args(End)


class RequestQueue:
    """The requests that wait for one service. `len` is their number."""

    def __init__(self, service: str, capacity: int, ledger: Ledger) -> None:
        self.service, self.capacity, self.ledger = service, capacity, ledger
        self.counts = dict.fromkeys(("received", *_ENDS), 0)  # how many calls have come, and have ended how
        self.shown: tuple[int, int, int, tuple[int, ...]] = (0, 0, 0, (0,) * len(_ENDS))  # by `publish`
        self.callers: dict[str, int] = {}  # how many of them each task or service has made
        self.running = 0  # requests being executed, also those whose caller has gone
        self.refusing = False
        self.failure: BaseException | None = None  # what has ended the service
        self.is_set_up = False  # also while another object takes the place of the one that answers
        self.signal: StopSignal | None = None
        self.waiting: deque[Call] = deque()
        self._held_back: deque[Call] = deque()
        self._idle: list[Parker] = []  # the service's threads that sleep, and have not been called
        self._held_since_s: float | None = ledger.clock()  # a service that is not set up yet is held
        self.gate = Gate(ledger.lock)  # which holds the service by hand
        ledger.queues.append(self)

    def __len__(self) -> int:
        return len(self.waiting)

    @property
    def busy(self) -> bool:
        """Whether anything is to be done here, or being done; a set-up may call other services, too."""
        return bool(not self.is_set_up or self.running or self.waiting or self._held_back)

    @property
    def processed(self) -> int:
        """How many requests the service has answered."""
        _, _, _, (results, errors, *_) = self.shown
        return results + errors

    def publish(self) -> None:
        """Publish in one step how many calls wait, run and have come, and how they ended: readers take no lock."""
        self.shown = (len(self.waiting), self.running, self.counts["received"], self.shown[3])

    def count(self, end: End) -> None:
        """A call has ended so."""
        self.counts[end] += 1
        received, *ends = self.counts.values()
        self.shown = (len(self.waiting), self.running, received, tuple(ends))

    def refuse(self) -> None:
        """Accept no call any more."""
        self.refusing = True

    def fail(self, error: BaseException) -> None:
        """Before its calls are refused: what has ended the service, which they are told."""
        self.failure = error

    # ── callers ──

    def prepare(self, call: Call) -> None:
        """Before `put`, outside the lock: do what may run user code."""

    def ship(self) -> None:
        """After `put`, outside the lock: let what was accepted leave."""

    def put(self, call: Call) -> None:
        """Accept a call, or hold it back until there is room. Raises `ServiceStopped`, `ServiceLoop`."""
        if self.refusing:
            raise stopped(self)
        if not self.is_set_up:
            self.ledger.refuse_circle(call.request)
        self.counts["received"] += 1
        caller = call.request.callers[-1]
        try:
            self.callers[caller] += 1
        except KeyError:
            self.callers[caller] = 1
        self.ledger.enter(call)
        if self._held_back or len(self.waiting) >= self.capacity:
            self._held_back.append(call)
            call.hold_back()
        else:
            self._accept(call)
        self.publish()

    def withdraw(self, call: Call) -> None:
        """Take back a call that has not begun."""
        if call.stage == "waiting":
            self.waiting.remove(call)
            self._let_in()
        elif call.stage == "held back":
            self._held_back.remove(call)
        self.ledger.end_if_idle()

    def _accept(self, call: Call) -> None:
        call.accept()
        self.waiting.append(call)
        if self._idle and self.is_set_up:
            self._idle.pop().unpark()

    def _let_in(self) -> None:
        if self._held_back and len(self.waiting) < self.capacity:
            call = self._held_back.popleft()
            self._accept(call)
            if call.future is not None:
                call.wake()

    # ── the service's threads ──

    def ready(self) -> bool:
        """Whether there is something to do for a thread of the service."""
        return (self.is_set_up and (self.signal is not None or bool(self.waiting))) or self.gate.has_errand()

    def sleep(self, parker: Parker) -> bool:
        """Register a thread that is about to sleep until it `is_called`. False: there is work, so it should not."""
        if self.ready():
            return False
        self._idle.append(parker)
        return True

    def is_called(self, parker: Parker) -> bool:
        """Whether a thread that sleeps has been given work: one is called for each request."""
        return parker not in self._idle

    def take(self, server: Waiter | None = None) -> Call | None:
        """Begin the first request, or say that there is none. The gate has been passed."""
        if not self.waiting or not self.is_set_up:
            return None
        call = self.waiting.popleft()
        if self._held_since_s is not None:
            self._give_time_back([call])
        if self._held_back:
            self._let_in()
        if call.future is not None:
            call.future.begin()
        call.begin(server)
        self.running += 1
        self.publish()
        return call

    def finish(self, call: Call, value: object, error: BaseException | None) -> bool:
        """A request has been executed. False: its call had ended before."""
        self.running -= 1
        in_time = call.stage != "done"
        if not in_time:
            self.count("late")
        else:
            self.ledger.close(call, value, error)
            self.count("results" if error is None else "errors")
        self.ledger.end_if_idle()
        return in_time

    def lose(self) -> None:
        """A request has been executed and its reply lost: the call stays open until its time is over."""
        self.running -= 1
        self.count("lost")
        self.ledger.end_if_idle()

    # ── held: not set up yet, or paused by hand ──

    def begin(self) -> None:
        """The service has been set up: serve."""
        self.is_set_up = True
        if not self.gate.closed:
            self.release()
        self.call_all()
        self.ledger.end_if_idle()

    def suspend(self) -> None:
        """Another object is to take the place of the one that answers: let nothing begin until `begin`."""
        self.is_set_up = False
        self.hold()

    def hold(self) -> None:
        """Let nothing begin; the time of calls that have not begun stands still."""
        if self._held_since_s is None:
            self._held_since_s = self.ledger.clock()

    def release(self) -> None:
        """Serve again."""
        self._give_time_back(self._not_begun())
        self._held_since_s = None

    def _not_begun(self) -> Sequence[Call]:
        """The calls whose time stands still while they are held here."""
        return [*self.waiting, *self._held_back]

    def _give_time_back(self, calls: Sequence[Call]) -> None:
        """Let the time of calls go on that stood still while they were held here."""
        if (since_s := self._held_since_s) is not None:
            now_s = self.ledger.clock()
            self.ledger.give_time({call: now_s - max(since_s, call.made_s) for call in calls})

    def pause(self) -> None:
        """By hand: let nothing begin but what turns are granted for."""
        self.gate.close()
        self.hold()

    def resume(self) -> None:
        """By hand: serve again."""
        self.gate.open()
        if self.is_set_up:
            self.release()

    def stands_still(self, call: Call) -> bool:
        """Whether time alone will not end it: its service is paused and has not begun it, or waits for one that is."""
        if call.stage == "running":
            return call.server is not None and call.server.stands_still()
        return self.gate.closed

    def is_held(self, call: Call) -> bool:
        """Whether the time of `call` stands still."""
        return self._held_since_s is not None and call.stage != "running"

    def end(self, signal: StopSignal) -> None:
        """Say that nothing follows, and let the service's threads end."""
        if self.signal is None:
            self.refuse()
            self.signal = signal
            self.call_all()

    def call_all(self) -> None:
        """Let the threads that sleep look: at what is to be done here, or at an errand at the gate."""
        called, self._idle = self._idle, []
        for parker in called:
            parker.unpark()


class RequestQueueDescriptor(Protocol):
    """A picklable reference to the request queue of one service."""

    @property
    def service(self) -> str:
        """The name of the service that reads the queue."""

    @property
    def capacity(self) -> int:
        """How many requests may wait."""

    def get_queue(self) -> RequestQueue:
        """The queue itself, or here what calls get there by. Raises `QueueUnreachable` where there is no way."""


@dataclass(frozen=True, slots=True)
class LocalRequestQueueDescriptor:
    """A request queue in the memory of the process that made it, by `LocalRequestQueueDescriptor.make`."""

    service: str
    capacity: int
    process: int
    number: int

    @classmethod
    def make(
        cls, service: str, capacity: int, ledger: Ledger, kind: type[RequestQueue]
    ) -> tuple[LocalRequestQueueDescriptor, RequestQueue]:
        """Make a queue of this kind here, and what refers to it.

        That finds it while somebody holds it, or until `release`.
        """
        queue = kind(service, capacity, ledger)
        return cls(service, capacity, os.getpid(), keep_queue(queue)), queue

    def get_queue(self) -> RequestQueue:
        """The queue itself, the same one at every call. Raises `QueueUnreachable` elsewhere and when released."""
        queue: RequestQueue = kept_queue(self.number, self.process, self.service)
        return queue

    def release(self) -> None:
        """Forget the queue; those who hold it may still use it."""
        release_queue(self.number)
