"""Parking: how a thread waits, and how others wake it. Knows no tasks, no queues, and nothing of what is waited for.

All that a thread of a job waits for goes through its parker. So that is the one thing that a cancel has to wake, and
the one that a scheduler of turns, or of places to run, has to replace.

A parker has one *permit*, a lock that is taken until somebody unparks the thread; one unpark is remembered. Whoever
waits says so where the others look (`ask`), then looks whether it is there (`ready`), then sleeps; the others bring it
about, then look whether anybody waits, take back that he does, and unpark him. Whichever is second in the one order of
writes sees the other: no wake-up is lost. One too many costs a look, before which it is said again.

*Cancel* goes the same way: `cancelled` is set, then the thread is unparked; `park` reads it before each sleep.
"""

from __future__ import annotations

from _thread import LockType, allocate_lock
from collections.abc import Callable
from math import inf
from random import random
from threading import TIMEOUT_MAX
from time import monotonic, perf_counter, time
from typing import TYPE_CHECKING, ClassVar, Final, Protocol

from runtime.errors import Cancelled
from runtime.facts import TaskState
from runtime.scheduling.stopwatch import RATED_REPEAT, SINCE, Stopwatch

if TYPE_CHECKING:
    from runtime.scheduling.gate import Gate, Turn
    from runtime.scheduling.quiescence import QuiescenceMonitor

BETWEEN: Final = ("idle", "paused", "held back: rate")
"""What a worker waits for with nothing in work."""

MID_PACKET: Final = ("held back", "held back: all busy", "waiting", "backing off", RATED_REPEAT)
"""What it waits for in the middle of a packet or a request."""

Ready = Callable[[], bool]
"""Whether what is waited for is there. Any thread may ask, at any time."""

Ask = Callable[[], None]
"""Says that somebody waits, where those see it who bring what is waited for."""

_INTERRUPTIBLE_S: Final = 0.5  # an interrupt that comes just before a wait ends the next one; on Windows, any does


class Permit(Protocol):
    """What one thread parks on: taken, until somebody unparks. A lock, unless something goes on while it sleeps."""

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """Its thread: sleep until it is given, for `timeout` seconds at most; below zero, for ever."""

    def release(self) -> None:
        """Any thread: give it. Raises RuntimeError if it is given already, or returns."""


def new_permit() -> LockType:
    """A lock on which one thread parks: taken, until somebody unparks."""
    permit = allocate_lock()
    permit.acquire()
    return permit


def unpark(permit: Permit) -> None:
    """Wake the one who parks on `permit`, now or when it comes to park."""
    try:  # noqa: SIM105  suppress() takes three times as long
        permit.release()
    except RuntimeError:  # given already: somebody was quicker, and the sleeper has not parked since
        pass


class Waiter:
    """How a thread waits, and how others ask for its attention. This one has not come yet, or never waits."""

    __slots__ = ("permit",)
    cancelled: bool = False
    unneeded: bool = False
    """Whether nobody needs what it makes any more."""
    yield_requested: bool = False
    """Whether it is to look up from its batch, after the packet in work."""
    patience_s: float = -1
    """How long it waits for a quick reader; -1 where nobody is quick or slow."""

    def __init__(self) -> None:
        self.permit: Permit = new_permit()  # what `unpark` gives, for who can do no more than release a lock

    def park(
        self, ready: Ready, why: TaskState, timeout_s: float = -1, held: Ready | None = None, ask: Ask | None = None
    ) -> None:
        """Wait until `ready`, for `timeout_s` at most. Raises Cancelled.

        `ask` says, before each look, that somebody waits, where those see it who bring what is waited for. `held` is
        whether that stands still itself, so that time alone will not bring it.
        """
        raise AssertionError("a lane was filled before its writer had opened it")

    def unpark(self) -> None:
        """Any thread: let it look whether it is ready."""

    def clock(self) -> float:
        """Seconds since some moment, of the time in which it waits."""
        return monotonic()

    def chance(self) -> float:
        """A number of at least 0 and below 1, by chance; under a seed the same ones in each run."""
        return random()

    def request_yield(self) -> None:
        """Any thread: let it look up from its batch. What it is to see has been made visible before."""

    def interrupt(self) -> None:
        """Any thread: the same for a hand that wants to see this one work by itself, or end."""

    def is_at_work(self) -> bool:
        """Whether it does not wait, or is about to go on: it may have seen room, and append any moment."""
        return False

    def stands_still(self) -> bool:
        """Whether it waits for something that time alone will not bring."""
        return True

    def tell(self) -> None:
        """Any thread: something that somebody may be watching has changed."""


ABSENT: Final = Waiter()
"""Who is to read or to fill a queue, before it has come: one for all, which knows nothing."""


class Outsider(Waiter):
    """How a thread waits that is none of a job's: a person's, or one that user code has started."""

    def park(
        self, ready: Ready, why: TaskState, timeout_s: float = -1, held: Ready | None = None, ask: Ask | None = None
    ) -> None:
        """Wait until `ready`, for `timeout_s` at most. An interrupt ends it."""
        deadline_s = inf if timeout_s < 0 else monotonic() + timeout_s
        while not ready() and (left_s := deadline_s - monotonic()) > 0:
            self.permit.acquire(True, min(left_s, _INTERRUPTIBLE_S))

    def unpark(self) -> None:
        """Let it look whether it is ready."""
        unpark(self.permit)


class Meanwhile(Protocol):
    """User code that goes on while its thread waits, whatever for: calls that wait themselves."""

    def is_open(self) -> bool:
        """Whether there is some. Any thread."""

    def stands_still(self) -> bool:
        """Whether all of it waits for what time alone will not bring. Any thread."""

    def can_go_on(self) -> bool:
        """Whether some can go on now. Any thread."""

    def due_s(self) -> float | None:
        """When time brings some, by the waiter's clock; None: time alone does not."""

    def go_on(self) -> None:
        """Let one of it go on, to where it waits again. Its thread; only where turns are handed out."""

    def wake(self) -> None:
        """Any thread: its thread is to look up, if it waits for some of it."""


class Together(Protocol):
    """A thread that works for several parkers at once."""

    def open(self) -> None:
        """Let each of them have a thread of its own again. Any thread, any number of times; returns at once."""

    @property
    def holder(self) -> Parker:
        """The one of them that has the thread's place to run, where such places are given. Any thread."""


class Settling(Protocol):
    """What a thread works from."""

    def settle(self) -> None:
        """Before the thread waits: make exact what others may look at meanwhile."""


class Parker(Waiter):
    """How one thread of a job waits. `doing` is written by that thread; `cancelled` is set once and never cleared."""

    takes_turns: ClassVar[bool] = False
    """Whether it goes on by turns alone, one packet at a time."""
    patience_s = 0.02  # many changes of threads, and nothing to a person who looks
    __slots__ = (
        "_held",
        "_ready",
        "_settling",
        "cancelled",
        "chain",
        "doing",
        "helps",
        "is_gated",
        "meanwhile",
        "monitor",
        "passes",
        "stopwatch",
        "turn",
        "unneeded",
        "yield_requested",
    )

    def __init__(self, monitor: QuiescenceMonitor) -> None:
        super().__init__()
        self.monitor = monitor
        # Asks the thread to look up from its batch, which clears it before it looks: so nothing is lost, and between
        # two packets one flag only is read.
        self.yield_requested = False
        self.cancelled = self.unneeded = False
        self.chain: Together | None = None  # that works in its name; read after a flag was set
        self.meanwhile: Meanwhile | None = None  # what goes on while it waits
        self.is_gated = False  # its gate is closed; written by that, under its lock
        self.helps = False  # it stands at its closed gate, and looks at what is to be carried out when it is unparked
        self.turn: Turn | None = None  # by which it has passed a closed gate, until that is over
        self.doing: TaskState = "new"
        self.stopwatch = Stopwatch()
        self.passes = 0  # how many waits are over; tells two waits with the same name apart
        self._settling: Settling | None = None
        self._ready: Ready = bool  # it has not come
        self._held: Ready | None = None

    # ── its own thread ──

    def begin(self) -> None:
        """On a new thread, before anything else: return when it may run. Any number of times."""

    def settle_first(self, what: Settling) -> None:
        """Before each wait from now on, let that settle what is to be seen of it."""
        self._settling = what

    def enter(self, gate: Gate, want: int) -> int:
        """How many packets may be worked now; waits while `gate` is closed. Raises Cancelled."""
        if self.cancelled:
            raise Cancelled
        return want if not gate.attentive else gate.admit(self)

    def look_up(self) -> None:
        """Hear whoever has requested that. Raises Cancelled."""
        self.yield_requested = False
        if self.cancelled:
            raise Cancelled

    def park(
        self, ready: Ready, why: TaskState, timeout_s: float = -1, held: Ready | None = None, ask: Ask | None = None
    ) -> None:
        """Wait until `ready`, for `timeout_s` at most. Raises Cancelled."""
        before = self.doing
        if self._settling is not None:
            self._settling.settle()
        self._ready, self._held = ready, held
        stopwatch = self.stopwatch
        sums = stopwatch.sums
        if is_within := sums[before] < 0:
            stopwatch.go_on(before)
        sums[SINCE] = since_s = perf_counter()
        sums[why] -= since_s
        self.doing = why
        if self.monitor.watched:
            self._tell_of(why)
        deadline_s = None if timeout_s < 0 else monotonic() + timeout_s
        while True:
            if ask is not None:
                ask()
            if self.cancelled or ready():
                break
            if deadline_s is None:
                self._sleep(-1)
            elif (left_s := deadline_s - monotonic()) > 0:
                self._sleep(min(left_s, TIMEOUT_MAX))
            else:
                break
        # Whoever reads `doing` first, and then that it waits, sees each wait that ends; and nothing is kept of it.
        self._ready, self._held = always, None
        self.doing = before
        self.passes += 1
        if (now_s := perf_counter()) < stopwatch.due_s:
            sums[why] += now_s
        else:
            stopwatch.go_on(why)
        if is_within:
            stopwatch.wait(before)
        if self.cancelled:
            raise Cancelled

    def park_at_gate(self, is_open: Ready) -> None:
        """Wait at a closed gate, and carry out commands meanwhile, where tasks do that. Raises Cancelled."""
        self.helps = self.monitor.lets_help
        try:
            self.park(is_open, "paused", ask=self._stand_at_gate)
        finally:
            self.helps = False
            self.monitor.tell_of_leaving()

    def _stand_at_gate(self) -> None:
        if self.helps:
            self.permit.acquire(False)  # from before; what it told of is looked at now
        self.monitor.tell_of_rest()

    def _sleep(self, timeout_s: float) -> None:
        """Until somebody unparks the thread, or for `timeout_s`."""
        self.permit.acquire(True, timeout_s)

    def sleep(self, seconds: float, ends: Ready | None = None, why: TaskState = "backing off") -> None:
        """Wait for `seconds`; time alone ends it, or cancel, `dismiss`, or that it `ends`. Raises Cancelled."""
        is_over = self._is_unneeded if ends is None else lambda: self.unneeded or ends()
        self.park(is_over, why, max(0.0, seconds))  # below zero would be: without limit

    def _is_unneeded(self) -> bool:
        return self.unneeded

    def timestamp(self) -> float:
        """Seconds since the epoch."""
        return time()

    def tell_of_outside(self) -> None:
        """Where time is virtual: what it waits for now comes from outside of the session, in real time."""

    def wake_by(self, earliest: Callable[[], float]) -> None:
        """Where time is virtual: what this one waits for may have become later than it knows. Real time just passes."""

    def say(self, doing: TaskState) -> None:
        """Tell what it is doing now."""
        self.doing = doing
        if self.monitor.watched:
            self._tell_of(doing)

    def _tell_of(self, doing: TaskState) -> None:
        if doing == "idle" and self.is_gated:
            self.monitor.tell_of_rest()
        elif doing != "paused":  # that, its wait at the gate tells
            self.monitor.tell()

    def go_on_with(self, meanwhile: Meanwhile | None, permit: Permit) -> None:
        """From now on `meanwhile` goes on while it waits: to sleep on `permit` is to let it."""
        self.meanwhile, self.permit = meanwhile, permit

    def hand_over(self) -> Turn | None:
        """The turn by which it has passed its gate, which is that of something else from now on."""
        turn, self.turn = self.turn, None
        return turn

    def take_over(self, turn: Turn | None) -> None:
        """By this turn it has passed its gate."""
        self.turn = turn

    def revive(self) -> None:
        """It has not ended: another thread goes on in its place."""
        self.go_on()

    # ── the thread of a chain ──

    def join(self, chain: Together, permit: Permit) -> None:
        """From now on a thread that parks on `permit` works in its name."""
        self.permit, self.chain = permit, chain

    def part(self, permit: Permit | None = None) -> None:
        """From now on a thread of its own does, that parks on `permit`: a new one, unless that is given."""
        self.permit, self.chain = new_permit() if permit is None else permit, None

    def hold(self, before: Parker) -> None:
        """Have the place to run that `before` has had, where such places are given."""

    def let_go(self) -> None:
        """Have no place to run, where such places are given: another one has that for the thread it shares."""

    def make_room(self) -> None:
        """Between two slices of work: let those run first whose turn it is, where only so many run at once."""

    def rest(self, ready: Ready) -> None:
        """It has nothing in work: to all who look it waits, until `ready`."""
        self._ready, self._held = ready, None
        self.stopwatch.wait("idle")
        self.say("idle")

    def go_on(self) -> None:
        """That wait is over."""
        self._ready, self.doing = always, "running"
        self.passes += 1
        self.stopwatch.go_on("idle")

    # ── any thread ──

    def unpark(self) -> None:
        """Let it look whether it is ready."""
        unpark(self.permit)

    def request_yield(self) -> None:
        """Let it look up from its batch. What it is to see has been made visible before."""
        self.yield_requested = True

    def hurry(self) -> None:
        """Somebody waits for it: where only so many run at once, let it be the next."""

    def interrupt(self) -> None:
        """Let it look up from its batch, and work by itself: what it is to see has been made visible before."""
        self.yield_requested = True
        if (chain := self.chain) is not None:
            chain.open()

    def cancel(self) -> None:
        """Wake it wherever it waits; it ends after the packet in work at the latest. Any number of times."""
        self.cancelled = True
        self.interrupt()
        self.unpark()

    def dismiss(self) -> None:
        """Say that nobody needs what it makes any more. Any number of times."""
        self.unneeded = True
        self.interrupt()
        self.unpark()

    def gate_closes(self) -> None:
        """Under the lock of its gate: stand still there, after the packet in work."""
        self.is_gated = True
        self.interrupt()
        if self._held is not None and self.doing == "idle":  # else it would go on to wait for what time brings
            self.unpark()

    def gate_opens(self) -> None:
        """Under the lock of its gate: it may go on."""
        self.is_gated = False

    def tell(self) -> None:
        """Something that may be watched has changed."""
        if self.monitor.watched:
            self.monitor.tell()

    def has_come(self) -> bool:
        """Whether what it waits for is there, so that it is about to go on; or whether it goes on as it is."""
        return self._ready() or self._is_open()

    def _is_open(self) -> bool:
        return self.meanwhile is not None and self.meanwhile.is_open()

    def is_waiting(self) -> bool:
        """Whether it waits for what has not come yet, whatever goes on meanwhile."""
        return not self._ready()

    def stands_still(self) -> bool:
        """Whether it has ended, or waits for something that has not come yet and that time cannot bring."""
        if self.doing == "ended":
            return True
        held = self._held
        if self.doing == "running":
            goes_on = self.meanwhile is None or self.cancelled or self._ready() or not self.meanwhile.stands_still()
            return not goes_on and (held is None or held())
        waits = self.doing in _WAITING if held is None else held() and self.doing in (*_WAITING, "waiting")
        return waits and not self.cancelled and not self.has_come()

    def is_at_work(self) -> bool:
        """Whether it does not wait, or is about to go on."""
        doing = self.doing
        return doing != "ended" and (doing not in _AT_REST or self.cancelled or self.has_come())

    def lacks_turn(self) -> bool:
        """Whether it can do nothing, not even come to its gate, before it is given a turn. Never on free threads."""
        return False


def always() -> bool:
    """What is there."""
    return True


_WAITING: Final = (*BETWEEN, "held back", "held back: all busy")  # for what time cannot bring
_AT_REST: Final = (*BETWEEN, *MID_PACKET)
