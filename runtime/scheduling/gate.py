"""The gate: what holds a task between two packets. All that a task waits for goes through it.

So it is the one place that cancel has to wake, and the one that a scheduler of turns has to replace. The protocol of
*cancel*: the task says on which lock it parks, then reads `cancelled`; `cancel` sets `cancelled`, then reads the lock
and rings it. Whichever is second sees the other.

*Pause* is a flag that is read between two batches; a batch is cut short by `look_up`. A closed gate lets one packet
through for each turn that the hand grants.

`look_up` asks the task to look up from its batch. Whoever sets it has made what he wants to be seen visible before; the
task clears it before it looks. Nothing is lost, and between two packets a task reads one flag only.
"""

from __future__ import annotations

import threading
from _thread import LockType
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from time import monotonic, sleep, time
from typing import Final, TypeVar

from runtime.communication.lane import parked_lock, ring
from runtime.errors import Cancelled, NotPaused
from runtime.facts import TaskState
from runtime.task.passing import MID_PACKET, Passing, Tap, Turn

T = TypeVar("T")


class Watch:
    """Tells somebody of all that tasks do while he waits for it. Costs a task one read per wait, nothing per packet."""

    def __init__(self) -> None:
        self.watched = 0  # how many look; read by tasks after they have said what they are doing
        self.news: Callable[[], None] = _nothing
        self.hands_out_turns = False
        self.hold: Callable[[], None] = _nothing  # lets nobody have a turn until `release`, where turns are handed out
        self.release: Callable[[], None] = _nothing
        self._is_told = False  # of the news, which have not been heard yet
        self._help: Callable[[], bool] = _never

    def begin(self) -> None:
        """Tell of all changes from now on. By one thread, as `end`."""
        self.watched += 1

    def end(self) -> None:
        """Tell no more."""
        self.watched -= 1

    def heard(self) -> None:
        """What has changed so far is about to be looked at: what changes from now on is to be told again."""
        self._is_told = False

    def tell(self) -> None:
        """Task: something has changed, and somebody is watching."""
        if not self._is_told:
            self._is_told = True
            self.news()

    def lend(self, help: Callable[[], bool]) -> None:
        """Let each task that has come to its closed gate do `help` on its own thread; if that is false, it tells."""
        if not self.hands_out_turns:  # whoever has the turn is in the middle of it
            self._help = help

    def tell_of_rest(self) -> None:
        """Task: it has come to its closed gate, and holds no lock."""
        if not self._help():
            self.tell()


class WaitingWatch(Watch):
    """A watch for threads that wait by themselves, where no interrupt comes: in an actor, beside a job on Ray."""

    def __init__(self) -> None:
        super().__init__()
        self._changed = threading.Condition(threading.Lock())  # guards watched and the wake-up of those who look

    def tell(self) -> None:
        """Something has changed."""
        super().tell()
        with self._changed:
            self._changed.notify_all()

    def begin(self) -> None:
        """Tell of all changes from now on."""
        with self._changed:
            self.watched += 1

    def end(self) -> None:
        """Tell no more."""
        with self._changed:
            self.watched -= 1

    def wait_for(self, ready: Callable[[], bool], timeout_s: float | None) -> bool:
        """Wait until `ready`, which is asked whenever a task does something else. False: not within `timeout_s`."""
        with self._changed:
            self.watched += 1
            try:
                return self._changed.wait_for(ready, timeout_s)
            finally:
                self.watched -= 1


def still(gates: Sequence[Gate]) -> bool:
    """Whether all stood still at one moment: seen so twice, and no wait was over in between.

    Once would not do: the last one looked at may have woken the first before it went to wait itself.
    """
    before = [gate.passes for gate in gates]
    return (
        all(gate.stands_still() for gate in gates)
        and all(gate.stands_still() for gate in gates)
        and before == [gate.passes for gate in gates]
    )


class Gate:
    """One task's gate. `doing` is written by the task; `cancelled` is set once and never cleared.

    Closed by hand, it lets a packet through for each turn that is granted. `passing` is what is to be seen of the
    packet in work: while somebody steps or taps, and never at full speed.
    """

    patience_s = 0.02  # many changes of threads, and nothing to a person who looks
    __slots__ = (
        "_bell",
        "_hand",
        "_parked_on",
        "_ready",
        "_rung",
        "_snooze",
        "_watch",
        "attentive",
        "before_wait",
        "breaks",
        "cancelled",
        "closed",
        "doing",
        "edits",
        "held",
        "look_up",
        "passes",
        "passing",
        "taps",
        "turn",
        "unneeded",
    )

    def __init__(self, watch: Watch) -> None:
        self.cancelled = self.unneeded = self.look_up = False
        # _hand guards what the hand wants: closed, turn, taps, breaks, and `attentive`, which says whether there is any
        # of them. The task reads that between two batches, without the lock.
        self._hand = threading.Lock()
        self.attentive = self.closed = False
        self.turn: Turn | None = None
        self.taps: tuple[Tap, ...] = ()
        self.breaks: Callable[[], bool] | None = None  # whether the task is to stand still before its next packet
        self.passing: Passing | None = None
        self.held: Callable[[], bool] = _never  # whether what it waits for stands still itself
        self._bell, self._snooze = parked_lock(), parked_lock()
        self._rung = False  # the bell, since the task has come to its closed gate; guarded by _hand
        self.doing: TaskState = "new"
        self.edits = 0  # how often an edit by hand has begun or ended: an odd number, while one is made
        self.passes = 0  # how many waits are over; tells two waits with the same name apart
        self.before_wait: Callable[[], None] = _nothing  # the task's: makes its depths exact before it waits
        self._watch = watch
        self._parked_on: LockType | None = None
        self._ready: Callable[[], bool] = _never

    def enter(self, want: int) -> int:
        """Task: how many packets may be worked now; waits while the gate is closed. Raises Cancelled."""
        if self.cancelled:
            raise Cancelled
        return want if not self.attentive else self._enter_seen()

    def _enter_seen(self) -> int:
        """Through a closed gate by a turn, past breakpoints, and seen if somebody looks: one packet."""
        while True:
            self._wait_until_open()
            breaks = self.breaks
            if self.turn is None and breaks is not None and breaks():
                continue
            with self._hand:
                if self.closed and self.turn is None:  # closed again since it was looked at
                    continue
                if self.turn is not None:
                    self.turn.began = True
                if self.turn is not None or self.taps:
                    self.passing = Passing()
                return 1

    def _wait_until_open(self) -> None:
        while not self.may_enter():
            with self._hand:
                self._bell.acquire(False)  # a ring from before
                self._rung = False
            if not self.may_enter():
                self.park(self._bell, self.may_enter, "paused")

    def may_enter(self) -> bool:
        """Whether it is open, or there is a turn to be used."""
        return not self.closed or self.turn is not None

    def passed(self) -> None:
        """Task: what `passing` saw is over, or the task itself; tell whoever waits for it."""
        passing, self.passing = self.passing, None
        if passing is not None:
            if passing.has_something():
                for tap in self.taps:
                    tap(passing)
        elif self.turn is None:
            return
        with self._hand:
            turn = self.turn
            if turn is not None:
                turn.passing, turn.over = passing, True
                self.turn = None
            self._attend()
        if self._watch.watched and (not self.closed or self.doing == "ended"):  # else it tells when it has come there
            self._watch.tell()

    def park(self, lock: LockType, ready: Callable[[], bool], why: TaskState, timeout_s: float = -1) -> None:
        """Task: wait until somebody rings `lock`, or for `timeout_s` (-1: without limit). Raises Cancelled."""
        before = self.doing
        self.before_wait()
        self._ready = ready
        self._parked_on = lock  # said before `cancelled` is read; cancel() does the two the other way round
        self.say(why)
        if not self.cancelled:
            self._sleep_on(lock, timeout_s)
        self._parked_on = None
        self.doing = before
        self.passes += 1  # behind `doing`: who reads it first, and then that the task waits, sees each wait that ends
        if self.cancelled:
            raise Cancelled

    def _sleep_on(self, lock: LockType, timeout_s: float) -> None:
        lock.acquire(True, timeout_s)

    def begin(self) -> None:
        """Task: on its thread, before anything else."""

    def nudge(self) -> None:
        """Any thread: something has changed that this task may wait for, and no lane or bell of its job told."""

    def wake_by(self, earliest: Callable[[], float]) -> None:
        """Where time is virtual: what this one waits for may have become later than it knows. Real time just passes."""

    def sleep(self, seconds: float, bell: LockType | None = None) -> None:
        """Task: wait for `seconds`; time alone ends it, or cancel, `dismiss`, or who rings `bell`. Raises Cancelled."""
        bell = self._snooze if bell is None else bell
        self.park(bell, self._is_unneeded, "backing off", max(0.0, seconds))  # below zero would be: without limit

    def _is_unneeded(self) -> bool:
        return self.unneeded

    def clock(self) -> float:
        """Seconds since some moment, of the time that `sleep` counts in."""
        return monotonic()

    def timestamp(self) -> float:
        """Seconds since the epoch."""
        return time()

    def say(self, doing: TaskState) -> None:
        """Task: tell what it is doing now."""
        self.doing = doing
        if self._watch.watched:
            if self.closed and doing in _BETWEEN:
                self._watch.tell_of_rest()
            else:
                self._watch.tell()

    def stands_still(self) -> bool:
        """Whether the task has ended, or waits for something that has not come yet and that time cannot bring."""
        if self.doing == "ended":
            return True
        waits = self.doing in _WAITING or (self.doing == "waiting" and self.held())
        return waits and not self.cancelled and not self._ready()

    # ── the hand, on any thread ──

    def close(self) -> None:
        """Pause: closed behind the packet in work. `reached` says when. Idempotent."""
        with self._hand:
            self.closed = True
            self._attend()
            self.look_up = True

    def open(self) -> None:
        """Resume. Idempotent."""
        with self._hand:
            self.closed = False
            self._attend()
            self._ring()

    def _ring(self) -> None:
        """Under `_hand`: let the task look at its gate again."""
        self._rung = True
        ring(self._bell)

    def reached(self) -> bool:
        """Whether no user code is at work, nor will be: what the task does next, its closed gate holds up."""
        doing = self.doing
        if doing not in _AT_REST or self.cancelled:
            return doing == "ended"
        return self.turn is None if doing in _BETWEEN else doing == "ended" or not self._ready()

    def at_its_place(self) -> bool:
        """Whether, besides, it waits for what has not come yet: it will not move before something else does."""
        if (doing := self.doing) in _BETWEEN:
            is_still = self.turn is None and not self.cancelled and not self._ready()
            return is_still and not (doing == "paused" and self._rung)
        return doing == "ended" or (self.reached() and not self._ready())

    def is_at_work(self) -> bool:
        """Whether it does not wait, or is about to go on."""
        return not self.at_its_place()

    def lacks_turn(self) -> bool:
        """Whether it can do nothing, not even come to its gate, before it is given a turn. Never on free threads."""
        return False

    def has_come(self) -> bool:
        """Whether what the task waits for is there, so that it is about to go on."""
        return self._ready()

    @property
    def changes(self) -> Watch:
        """What tells of changes in its job; it is the same for all gates of one."""
        return self._watch

    def tell(self) -> None:
        """Any thread: something that may be watched has changed."""
        if self._watch.watched:
            self._watch.tell()

    def look(self, read: Callable[[], T]) -> T:
        """What `read` returns while the hand changes nothing; takes no lock, so that an interrupt may come."""
        while True:
            before = self.edits
            found = read()
            if before == self.edits and not before % 2:
                return found
            sleep(0)  # let go of the GIL: who edits has it as soon as he may

    @contextmanager
    def at_rest(self, name: str) -> Iterator[None]:
        """Keep the task at its closed gate, with nothing in work, while the block runs. Raises `NotPaused`.

        That error is `on_its_way` if a packet has just come, or is in user code: it may be otherwise in a moment.
        """
        with self._hand:
            if not self.closed:
                raise NotPaused(f"{name!r} is not paused; pause({name!r}) first")
            between = self.doing in _BETWEEN or (self.doing == "running" and self.lacks_turn())
            if self.turn is None and (between or self.doing == "ended"):
                self.edits += 1
                try:
                    yield
                finally:
                    self.edits += 1
                return
            refusal = NotPaused(
                f"{name!r} is paused, but still at work on a packet ({self.doing}); let it finish first"
            )
            refusal.on_its_way = self.doing not in MID_PACKET
            raise refusal

    def grant(self, is_of_use: Callable[[], bool]) -> Turn | None:
        """Give a turn to the task at its closed gate; it is used by its next packet or stop signal.

        None: the gate is open, or the turn would be of no use. Whoever takes packets out of the queue of a closed gate
        does it under the same lock, so that no turn is left for a packet that nobody has stepped.
        """
        with self._hand:
            if not self.closed or not is_of_use():
                return None
            if self.turn is None:
                self.turn = Turn()
                self._attend()
                if self.doing == "ended":  # read behind the turn; the task says it, and looks for a turn then
                    self.turn = None
                    self._attend()
                    return None
            self._ring()
            return self.turn

    def set_taps(self, taps: tuple[Tap, ...]) -> None:
        """Show every packet from the next on to these."""
        with self._hand:
            self.taps = taps
            self._attend()
            self.look_up = True

    def set_breaks(self, breaks: Callable[[], bool] | None) -> None:
        """Before each packet from the next on, ask whether to stand still."""
        with self._hand:
            self.breaks = breaks
            self._attend()
            self.look_up = True

    def _attend(self) -> None:
        self.attentive = self.closed or self.turn is not None or bool(self.taps) or self.breaks is not None

    def dismiss(self) -> None:
        """Say that nobody needs what the task makes any more. Any thread, any number of times."""
        self.unneeded = True
        self.look_up = True
        ring(self._snooze)

    def cancel(self) -> None:
        """Wake the task wherever it waits; it ends behind the packet in work at the latest.

        Any thread, any number of times.
        """
        self.cancelled = True
        self.look_up = True
        lock = self._parked_on
        if lock is not None:
            ring(lock)


_WAITING: Final = ("idle", "paused", "held back")
_BETWEEN: Final = ("idle", "paused")  # with no packet in work
_AT_REST: Final = (*_BETWEEN, *MID_PACKET, "ended")


def _nothing() -> None:
    """A task without lanes has nothing to make exact."""


def _never() -> bool:
    return False
