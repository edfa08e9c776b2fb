"""Seeded turns: one thread runs at a time, the one that has the turn, in an order that the seed decides.

A thread gives the turn back when its packet is worked and whenever it must wait (empty queue, full lane, service reply,
back-off): it chooses the next one itself and unparks that one. So a turn costs one change of threads, or none if the
same one is chosen, and nothing polls. Who may be chosen is read from the state (lanes, replies, virtual time), never
from which thread happens to be awake: that makes a run repeat. Time is virtual, and passes only when everybody waits
for it.

When nobody can take a turn the scheduler is dormant, until something from outside nudges it.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from typing import Final

from runtime.errors import Cancelled
from runtime.facts import TaskState
from runtime.scheduling.gate import Gate
from runtime.scheduling.parker import Ask, Meanwhile, Parker, Permit, Ready, always, unpark
from runtime.scheduling.quiescence import QuiescenceMonitor
from runtime.scheduling.scheduler import Scheduler
from runtime.scheduling.stopwatch import RATED_REPEAT
from runtime.scheduling.waiting import NEVER

MAX_TURNS: Final = 1_000_000
"""How many turns are remembered."""

OUTSIDE: Final = "something outside of the session"
"""What ends the line of the trace of one who waits for that: from then on a run does not repeat."""

# What a thread has been given its turn for, by what it waited for.
_FOR: Final = {
    "new": "start",
    "running": "go on",
    "idle": "work",
    "paused": "step",
    "held back": "room",
    "waiting": "reply",
    "backing off": "next attempt",
    "held back: rate": "rate",
    RATED_REPEAT: "rate",
    "held back: all busy": "free instance",
}

_FRESH: Final = ("idle", "held back: rate")  # after these waits it takes a packet


class Looks:
    """The looks of commands at what turns have brought, where some wait for that. Under the lock of the scheduler."""

    def __init__(self) -> None:
        self.is_due = False  # before the next turn is handed out
        self._handed_back = 0  # turns, so far
        self._has_lookers = False  # commands wait that any turn may let go on

    def turn_ends(self, has_posted: bool) -> None:
        """A turn is handed back; something was put down in it, or not."""
        self._handed_back += 1
        self.is_due = self._has_lookers or has_posted

    def begin(self) -> int:
        """A look begins: a turn that is handed back before it ends is for the next one. How many were so far."""
        self._has_lookers = True
        return self._handed_back

    def end(self, handed_back: int, has_lookers: bool) -> None:
        """A look has ended that began after so many turns."""
        self._has_lookers = has_lookers
        if handed_back == self._handed_back:
            self.is_due = False


class SeededScheduler(Scheduler):
    """Hands out the turns of one job. `trace` is who had them, and what for, in order."""

    admits_all = False
    hands_out_turns = True

    def __init__(self, seed: int) -> None:
        # Its lock guards all below, the trace, the time, and which parkers wait for what. Calls of services are made
        # and ended under it as well: nobody can call between the look at who is able to move and the decision that
        # nobody is.
        super().__init__(QuiescenceMonitor(self))
        self.trace: deque[str] = deque(maxlen=MAX_TURNS)
        self.turns = 0  # handed out so far
        self._untouched: int | None = None  # that many of them before anything was done by hand
        self.now_s = 0.0
        self._random = random.Random(seed).random
        self._parkers: list[SeededParker] = []
        self._order: list[SeededParker] = []  # all, also those that have ended
        self._holder: SeededParker | None = None
        self._begun = False
        self._players = 0  # threads that have not ended, without those that only serve the others
        self.freed = False  # set once, by `free`
        self._is_held = False  # the hand changes something, and nobody shall see half of it
        self._looks = Looks()
        self._last: int | None = None  # the turn after which none is handed out

    def parker(self, name: str, *, serves: bool = False) -> SeededParker:
        """For another thread, which waits for its first turn. One that only `serves` the others may outlive the job."""
        parker = SeededParker(self.monitor, self, name, serves=serves)
        self._parkers.append(parker)
        self._order.append(parker)
        self._players += not serves
        return parker

    def clock(self) -> float:
        """Virtual seconds since the job began."""
        return self.now_s

    def chance(self) -> float:
        """By the seed."""
        with self.lock:
            return self._random()

    def begin(self) -> None:
        """All threads have been started: hand out the first turn."""
        with self.lock:
            self._begun = True
        self.nudge()

    def nudge(self) -> None:
        """Any thread: something has changed; if nobody has the turn, somebody may be able to take it now."""
        with self.lock:
            chosen = None
            if self._holder is None and self._begun and not self._is_held and not self._looks.is_due:
                chosen = self._holder = self._choose()
        if chosen is not None:
            unpark(chosen.permit)

    def pass_on(self, giver: SeededParker) -> bool:
        """The holder: let somebody else have the turn. True: it is the giver himself again."""
        with self.lock:
            if self.freed:
                return True
            if not giver.wait_for_turn():
                self._parkers.remove(giver)
                self._players -= not giver.serves
            self._looks.turn_ends(self.monitor.has_posted)
            is_due = self._looks.is_due
            chosen = self._holder = None if self._is_held or is_due else self._choose()
        if is_due:
            self.monitor.tell()  # whether or not anything is watched: the next turn waits for that look
        elif chosen is None:
            giver.tell()  # all has settled, which nobody says who only says what he does himself
        elif chosen is not giver:
            unpark(chosen.permit)
        return chosen is giver

    def touched(self) -> None:
        """Something is done by hand: the turns to come are not those of every run with this seed."""
        if self._untouched is None:  # without the lock, which an interrupt of who puts something in would keep
            self._untouched = self.turns

    @property
    def untouched(self) -> int:
        """How many turns have been handed out, before anything was done by hand if it was."""
        return self.turns if (turns := self._untouched) is None else turns

    def stop_after(self, turn: int | None) -> None:
        """Hand out no turn after the one of this number; None: all of them."""
        with self.lock:
            self._last = turn
        self.nudge()

    def has_stopped(self) -> bool:
        """Whether that turn is over."""
        return self._last is not None and self.turns >= self._last and self._holder is None

    def take_in(self, parker: SeededParker) -> None:
        """One that has ended takes turns again, in its old place among the others."""
        with self.lock:
            at = sum(self._order.index(other) < self._order.index(parker) for other in self._parkers)
            self._parkers.insert(at, parker)
            self._players += not parker.serves
            parker.wait_for_turn()
        self.nudge()

    def hold(self) -> None:
        """Hand out no turn until `release`: what the hand does meanwhile is one act. Whoever has one may end it."""
        with self.lock:
            self._is_held = True

    def release(self) -> None:
        """Hand out turns again."""
        with self.lock:
            self._is_held = False
        self.nudge()

    def attend(self) -> int:
        """Commands are about to be looked at: a turn handed back meanwhile is for the next look. Their number."""
        with self.lock:
            return self._looks.begin()

    def seen(self, handed_back: int, *, looks: bool) -> None:
        """Commands have been looked at after so many turns. `looks`: some wait for what the next ones may bring.

        So what is put down in a turn, or waits for what a turn brings, is done before the next one, and time does not
        pass meanwhile: a run repeats with what its own functions have to wait for there.
        """
        with self.lock:
            self._looks.end(handed_back, looks)
        self.nudge()

    def is_between_turns(self) -> bool:
        """Whether nobody has the turn: what is changed now is seen by all turns to come."""
        return self.freed or self._holder is None

    def are_dormant(self) -> bool:
        """Whether nobody has the turn, and nobody could take one when they were last handed out."""
        return self._holder is None or self.freed

    def free(self) -> SeededParker | None:
        """Whoever has the turn, and is returned, keeps it: let all others run to their end, as without turns."""
        with self.lock:
            self.freed = True
            holder = self._holder
            waiting = [parker for parker in self._parkers if parker.waits]
            for parker in waiting:
                parker.take_turn()
        for parker in waiting:
            unpark(parker.permit)
        return holder

    def _choose(self) -> SeededParker | None:
        """Whose turn it is; None: nobody's, until something from outside changes. Under the lock."""
        if self.freed or (self._last is not None and self.turns >= self._last):
            return None
        waiting = [parker for parker in self._parkers if parker.waits]
        while True:
            able = [parker for parker in waiting if parker.is_able(self.now_s)]
            if able:
                chosen = able[int(self._random() * len(able))]
                chosen.take_turn()
                self._note(chosen.label())
                self.turns += 1
                return chosen
            times = [due_s for parker in waiting if (due_s := parker.due()) is not None]
            if not times or not self._players:  # behind the end, nobody is left for whom time could pass
                return None
            self.now_s = min(times)
            self._note(f"time: {self.now_s:.6g} s")

    def note_outside(self, name: str) -> None:
        """Whoever has the turn waits with it, in real time, for something that no turn brings."""
        with self.lock:
            self._note(f"{name}: {OUTSIDE}")

    def _note(self, line: str) -> None:
        """Behind the end of the job nothing: what happens then depends on when somebody closes it."""
        if self._players:
            self.trace.append(line)


class SeededParker(Parker):
    """Parks until it has a turn, which lasts until its next wait or its next packet.

    The permit is the turn: nobody gives it but the scheduler, until that is freed.
    """

    takes_turns = True
    patience_s = -1.0  # turns go by what is there, not by who was woken
    __slots__ = ("_earliest", "_fresh", "_labels", "_name", "_scheduler", "due_s", "serves", "waits")

    def __init__(self, monitor: QuiescenceMonitor, scheduler: SeededScheduler, name: str, *, serves: bool) -> None:
        super().__init__(monitor)
        self.serves = serves
        self._scheduler, self._name = scheduler, name
        self._ready = always
        self._fresh = False  # the turn was given for a packet that has not been taken yet
        self._labels: dict[TaskState, str] = {}
        self.waits = True  # for a turn; guarded by the lock of the scheduler, as `due_s`
        self.due_s: float | None = None
        self._earliest: Callable[[], float] | None = None

    # ── its own thread ──

    def begin(self) -> None:
        """Wait for the first turn."""
        self.stopwatch.wait("turn")
        self.permit.acquire()
        self.stopwatch.go_on("turn")

    def enter(self, gate: Gate, want: int) -> int:
        """Wait for a turn: one packet, whatever is wanted; where the hand has closed it, for one of the hand's, too."""
        if not self._fresh:
            self._ready = always
            self.stopwatch.wait("turn")
            self._give_back(None)
            self.stopwatch.go_on("turn")
        if self.cancelled:
            raise Cancelled
        self._fresh = False
        return 1 if not gate.attentive else gate.admit(self)

    def park(
        self, ready: Ready, why: TaskState, timeout_s: float = -1, held: Ready | None = None, ask: Ask | None = None
    ) -> None:
        """Wait for a turn that is given once `ready`, or once `timeout_s` have passed. Nobody needs to unpark it."""
        if self._scheduler.freed:
            super().park(ready, why, timeout_s, held=held, ask=ask)
            return
        before = self.doing
        if self._settling is not None:
            self._settling.settle()
        self._ready, self._held = ready, held
        stopwatch = self.stopwatch
        if is_within := stopwatch.lasts(before):
            stopwatch.go_on(before)
        stopwatch.wait(why)
        self.say(why)
        due_s = None if timeout_s < 0 else self._scheduler.now_s + timeout_s
        while True:
            if ask is not None:
                ask()
            self._give_back(due_s)
            if self.meanwhile is None or self._is_over(ready, due_s):
                break
            stopwatch.go_on(why)
            self.meanwhile.go_on()
            stopwatch.wait(why)
        self._ready, self._held = always, None
        self.doing = before
        self.passes += 1
        stopwatch.go_on(why)
        if is_within:
            stopwatch.wait(before)
        self._fresh = why in _FRESH
        if self.cancelled:
            raise Cancelled

    def _is_over(self, ready: Ready, due_s: float | None) -> bool:
        return self.cancelled or ready() or (due_s is not None and due_s <= self._scheduler.now_s)

    def go_on_with(self, meanwhile: Meanwhile | None, permit: Permit) -> None:
        """Its permit stays what it is, the turn, of which each part of `meanwhile` needs one."""
        self.meanwhile = meanwhile

    def clock(self) -> float:
        """Virtual seconds."""
        return self._scheduler.now_s

    def chance(self) -> float:
        """By the seed."""
        return self._scheduler.chance()

    def tell_of_outside(self) -> None:
        """Let the trace say that it waits for something outside of the session."""
        self._scheduler.note_outside(self._name)

    def timestamp(self) -> float:
        """Virtual seconds."""
        return self._scheduler.now_s

    def wake_by(self, earliest: Callable[[], float]) -> None:
        """Ask `earliest` before time passes for this one: what it waits for may have become later since it began."""
        self._earliest = earliest

    def say(self, doing: TaskState) -> None:
        """Tell what it is doing now; with its end the turn goes to somebody else."""
        super().say(doing)
        if doing == "ended":
            self._scheduler.pass_on(self)

    def _give_back(self, due_s: float | None) -> None:
        if self.meanwhile is not None and (also_s := self.meanwhile.due_s()) is not None:
            due_s = also_s if due_s is None else min(also_s, due_s)
        self.due_s = due_s
        if not self._scheduler.pass_on(self):
            self.permit.acquire()

    def revive(self) -> None:
        """It has not ended, and waits for a turn."""
        super().revive()
        self._scheduler.take_in(self)

    # ── whoever has the lock of the scheduler ──

    def wait_for_turn(self) -> bool:
        """It wants a turn again, unless it has ended."""
        self.waits = self.doing != "ended"
        return self.waits

    def take_turn(self) -> None:
        """It has one, or needs none any more."""
        self.waits = False

    # ── any thread ──

    def unpark(self) -> None:
        """Something has changed that it may wait for: it wakes by its turn alone, for which it is asked again."""
        if self._scheduler.freed:
            unpark(self.permit)
        else:
            self._scheduler.nudge()
        if self.meanwhile is not None:
            self.meanwhile.wake()

    def gate_closes(self) -> None:
        """No more turns but the hand's."""
        super().gate_closes()
        self._scheduler.nudge()

    def gate_opens(self) -> None:
        """It may have a turn."""
        super().gate_opens()
        self._scheduler.nudge()

    def lacks_turn(self) -> bool:
        """Whether others run, and it does not: all it does with its next turn is to come to its closed gate."""
        return self.waits

    def is_able(self, now_s: float) -> bool:
        """Whether it could use a turn now."""
        if self.meanwhile is not None and self.meanwhile.can_go_on():
            return True
        return self.cancelled or self._ready() or (self.due_s is not None and self.due_s <= now_s)

    def due(self) -> float | None:
        """Until when time may pass for it; None: for ever."""
        if self.due_s is None or self._earliest is None:
            return self.due_s
        due_s = max(self.due_s, self._earliest())
        return due_s if due_s < NEVER else None

    def label(self) -> str:
        """Its line in the trace, with what it has waited for."""
        label = self._labels.get(self.doing)
        if label is None:
            label = self._labels[self.doing] = f"{self._name}: {_FOR[self.doing]}"
        return label
