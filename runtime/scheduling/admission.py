"""Admission: of many threads only so many run at once as leave the GIL free for others.

Each thread that wants to run has to wait for the GIL, and every one before it may keep it for a switch interval (5 ms).
After 2,000 that are busy, whoever looks at the job, or cancels it, waits for ten seconds. So a thread needs a *place*
to run: it gives the place up where it parks, takes one when it is unparked, and passes it on when others are due.

How many places there are follows what is measured, since nobody can know whether a thread computes or, in user code,
waits for something else, which should keep nobody from running. A thread that sleeps, and is late when it comes back,
has waited for the GIL: each 5 ms are one thread that computes. Late, there become fewer places; never late, while some
wait for a place, there become more. As with congestion in networks, there are few to begin with.

The hand does not see who waits for a place: to it, such a one is about to run, as one is that waits for the GIL.
"""

from __future__ import annotations

import sys
import threading
from _thread import allocate_lock
from collections import OrderedDict, deque
from collections.abc import Callable
from math import ceil
from time import monotonic, process_time
from typing import Any, Final, Literal

from runtime.facts import TaskState
from runtime.scheduling.gate import Gate
from runtime.scheduling.parker import Parker, Permit, new_permit, unpark
from runtime.scheduling.quiescence import QuiescenceMonitor
from runtime.scheduling.scheduler import Scheduler

FEW: Final = 8
"""How many may run at once, at least."""

LATE_S: Final = 0.04  # later than that, too many compute
FREE_S: Final = 0.004  # sooner than that, nobody has: one who computes keeps the GIL for 5 ms from whoever wants it
STILL_LOOKS: Final = 3  # so many times in a row, while none of those who run has moved: they wait in user code
FREE_LOOKS: Final = 8  # on an average of so many, while some have moved
IDLE_SHARE: Final = 0.5  # of a core; a process that uses less waits most of the time
STUCK_S: Final = 0.1  # how long nobody may move before others get a place, however late
LOOK_S: Final = 0.002  # how long to sleep while somebody waits for a place
SELDOM_S: Final = 0.05  # and while nobody does, but many run
QUIET_S: Final = 1.0  # after so long without anybody who waits for a place, it begins anew
ROUND_S: Final = 0.04  # how long one may keep his place while others wait for one: 5 ms of the GIL for each of a few


Standing = Literal["gone", "away", "waiting", "running", "sharing"]
"""Of a thread: has not begun or has ended, parks, wants a place, has one; or shares the place of a chain's holder."""

Order = tuple[Callable[..., None], tuple[Any, ...]]
"""Something to be done, and with what."""


class Limit:
    """How many places there are, from what was seen each time. Used by whoever has the claim of its `Admission`."""

    def __init__(self) -> None:
        self.places = self._least = FEW
        # Of the looks since something followed from one: how many, and of all together how late, how long, the
        # processor time of the process, and how many have moved.
        self._looks = self._moved = 0
        self._late_s = self._slept_s = self._used_s = 0.0
        self._stuck_s = 0.0

    def look(self, *, late_s: float, slept_s: float, used_s: float, running: int, waiting: int, moved: int) -> None:
        """One sleep of `slept_s` in all is over, `late_s` after its time; the process has used `used_s` meanwhile.

        `running` threads have a place, `waiting` want one; so many have `moved`: come to their gates, or gone to wait.
        """
        if late_s > LATE_S:
            computing_too_much = ceil((late_s - LATE_S) / max(sys.getswitchinterval(), 0.001))
            self.places = max(self._least, min(self.places, running - computing_too_much))
            self._begin()
        elif not waiting:
            self.places = max(self._least, 2 * running, self.places - self.places // 8)
            self._begin()
        else:
            self._looks += 1
            self._moved += moved
            self._late_s += late_s
            self._slept_s += slept_s
            self._used_s += used_s
            if self._looks == FREE_LOOKS or (self._looks == STILL_LOOKS and not self._moved):
                if self._late_s < FREE_S * self._looks:
                    is_idle = not self._moved or self._used_s < IDLE_SHARE * self._slept_s
                    self.places = max(self.places, 2 * running if is_idle else running + FEW)
                self._begin()
        self._stuck_s = self._stuck_s + slept_s if waiting and not moved else 0.0
        if self._stuck_s > STUCK_S:
            self.places = max(self.places, running + FEW)
            self._stuck_s = 0.0

    def forget(self) -> None:
        """It has been quiet for long: what was seen before says nothing any more."""
        self.places = self._least
        self._begin()

    def keep(self, running: int) -> None:
        """Let a few run beside those who run now, and no more; never less from now on."""
        self.places = self._least = running + FEW
        self._begin()

    def _begin(self) -> None:
        self._looks = self._moved = 0
        self._late_s = self._slept_s = self._used_s = 0.0


class Admission(Scheduler):
    """The places of one job, from `open` until its last thread has ended, or `close`."""

    admits_all = False

    def __init__(self, name: str, monitor: QuiescenceMonitor | None = None) -> None:
        super().__init__(monitor)
        self._limit = Limit()
        # What has been asked for, in order: what to do, and for whom. Whoever has the claim does all of it, and nobody
        # waits for the claim: so all below, and of each parker where it stands and what wakes it, has one writer.
        self._orders: deque[Order] = deque()
        self._claim = allocate_lock()
        self._permits: list[Permit] = []  # to be given once the claim is given back
        self._is_open = self._is_released = self._is_closed = False
        self._running = 0
        self._queue: OrderedDict[AdmissionParker, None] = OrderedDict()
        self._left = 0  # threads that have not ended
        self._moved = 0  # how often one has left, or passed its place on
        self.round = 0  # who has his place since an earlier one passes it on; read by threads
        self._round_s = 0.0  # how long this one has lasted
        self._permit = new_permit()  # of the thread that measures
        self._is_asleep = False  # until one waits for a place; said before it looks whether one does
        self._thread = threading.Thread(target=self._control, name=name, daemon=True)

    def parker(self, name: str, *, serves: bool = False) -> Parker:
        """For another thread; one that only `serves` the others needs no place."""
        if serves:
            return super().parker(name)
        self._left += 1
        return AdmissionParker(self)

    # ── the threads themselves ──

    def enter(self, parker: AdmissionParker) -> None:
        """Return when it has a place."""
        self._have(self._want, parker)
        parker.place.acquire()

    def leave(self, parker: AdmissionParker, *, for_good: bool = False) -> None:
        """Give its place to the next one."""
        self._have(self._end if for_good else self._free, parker)

    def pass_on(self, parker: AdmissionParker) -> None:
        """Give its place to the next one who waits, if any, and wait for one again."""
        self._have(self._pass_on, parker)
        parker.place.acquire()

    # ── any thread ──

    def begin(self) -> None:
        """Begin to measure, and let them run. Raises `RuntimeError` if no more threads can be had."""
        self._thread.start()
        self.open()

    def open(self) -> None:
        """All threads have been started: let them run."""
        self._have(self._open)

    def release(self) -> None:
        """The job is cancelled: who is stuck in user code shall keep nobody from his end. Idempotent."""
        if not self._is_released:
            self._have(self._release)

    def hold(self, parker: AdmissionParker, before: AdmissionParker) -> None:
        """Give `parker` the place of `before`, which shares that from now on."""
        self._have(self._hand_over, parker, before)

    def share(self, parker: AdmissionParker) -> None:
        """Let another one have a place for it; its own is free."""
        self._have(self._share, parker)

    def part(self, parker: AdmissionParker) -> None:
        """It shares nothing any more: a new thread is to begin."""
        self._have(self._part, parker)

    def hurry(self, parker: AdmissionParker) -> None:
        """If it waits for a place, let it have the next one: the hand wants to see it at its gate."""
        self._have(self._prefer, parker)

    def wake(self, parker: AdmissionParker) -> None:
        """Unpark it; one that sleeps, or is about to, when there is a place for it. So 2,000 do not wake at once."""
        self._have(self._wake, parker)

    def close(self, timeout_s: float) -> None:
        """Let everybody run who is left, stuck in user code until now. Idempotent."""
        self._have(self._close)
        if self._thread.ident is not None:
            self._thread.join(timeout_s)

    # ── one thread at a time, which has the claim ──

    def _have(self, act: Callable[..., None], *what: Any) -> None:
        """Any thread: have it done, by whoever has the claim; behind all that was asked for before."""
        orders, claim = self._orders, self._claim
        orders.append((act, what))
        while orders and claim.acquire(False):  # whoever has it looks again once he has given it back
            while orders:
                act, what = orders.popleft()
                act(*what)
            self._admit()
            permits, self._permits = self._permits, []
            claim.release()
            for permit in permits:
                unpark(permit)

    def _want(self, parker: AdmissionParker) -> None:
        if parker.standing in ("running", "sharing"):  # it was woken with a place (see `_wake`), or another has it
            self._permits.append(parker.place)
        else:
            self._let_wait(parker, parker.place)

    def _let_wait(self, parker: AdmissionParker, by: Permit) -> None:
        """Let it wait for a place, of which it hears `by` that; if it waits already, it keeps its rank."""
        parker.wait_for_place(by)
        self._queue[parker] = None

    def _free(self, parker: AdmissionParker) -> None:
        parker.give_place()
        self._running -= 1
        self._moved += 1

    def _end(self, parker: AdmissionParker) -> None:
        if parker.standing == "running":
            self._free(parker)
        parker.end()
        self._left -= 1
        if not self._left:
            self._permits.append(self._permit)

    def _pass_on(self, parker: AdmissionParker) -> None:
        if self._queue or self._running > self._limit.places:
            self._free(parker)
            self._let_wait(parker, parker.place)
        else:
            self._moved += 1
            self._permits.append(parker.place)

    def _hand_over(self, parker: AdmissionParker, before: AdmissionParker) -> None:
        if parker is not before:
            parker.take_place_of(before)

    def _share(self, parker: AdmissionParker) -> None:
        if parker.standing == "running":
            self._free(parker)
        parker.share()

    def _part(self, parker: AdmissionParker) -> None:
        if parker.standing == "sharing":
            parker.end()

    def _prefer(self, parker: AdmissionParker) -> None:
        if parker.standing == "waiting":
            self._queue.move_to_end(parker, last=False)

    def _wake(self, parker: AdmissionParker) -> None:
        if parker.standing == "away":
            self._let_wait(parker, parker.permit)
        elif parker.standing != "waiting":  # else it looks when it has its place
            self._permits.append(parker.permit)

    def _open(self) -> None:
        self._is_open = True
        self._permits.append(self._permit)

    def _release(self) -> None:
        if not self._is_released:
            self._is_released = True
            self._limit.keep(self._running)
            self._open()

    def _close(self) -> None:
        self._is_closed = True
        self._permits.append(self._permit)

    def _admit(self) -> None:
        """Give places to those who wait."""
        queue = self._queue
        while queue and (self._is_closed or (self._is_open and self._running < self._limit.places)):
            parker, _ = queue.popitem(last=False)
            self._running += 1
            self._permits.append(parker.take_place())
        if queue and self._is_asleep and self._is_open:
            self._is_asleep = False
            self._permits.append(self._permit)

    def _measure(self, late_s: float, slept_s: float, used_s: float, moved: int) -> None:
        self._limit.look(
            late_s=late_s,
            slept_s=slept_s,
            used_s=used_s,
            running=self._running,
            waiting=len(self._queue),
            moved=moved,
        )
        self._round_s += slept_s
        if self._round_s >= ROUND_S:
            self._round_s = 0.0
            self.round += 1

    # ── its own thread ──

    def _control(self) -> None:
        """Look again and again while somebody waits for a place, or more run than are always allowed to."""
        while True:
            self._permit.acquire(False)  # a ring from before; what it told of is looked at now
            if self._is_closed or not self._left:
                return
            moved = self._moved
            self._is_asleep = True  # before it looks whether somebody waits; whoever begins to does both the other way
            if is_busy := self._is_open and bool(self._queue):
                self._is_asleep = False
            is_quiet = not self._is_open or (not is_busy and self._running <= FEW)
            sleep_s = -1 if is_quiet else LOOK_S if is_busy else SELDOM_S
            began_s, used_s = monotonic(), process_time()
            was_rung = self._permit.acquire(True, sleep_s)
            slept_s, used_s = monotonic() - began_s, process_time() - used_s
            if not was_rung:
                self._have(self._measure, slept_s - sleep_s, slept_s, used_s, self._moved - moved)
            elif slept_s > QUIET_S:
                self._have(self._limit.forget)


class AdmissionParker(Parker):
    """Parks without a place to run, and needs one to go on."""

    __slots__ = ("_admission", "_wakes_by", "place", "round", "standing")

    def __init__(self, admission: Admission) -> None:
        super().__init__(admission.monitor)
        self._admission = admission
        self.place = new_permit()
        self._wakes_by: Permit = self.place  # or its permit, of one who sleeps and has not been woken yet
        self.standing: Standing = "gone"  # until it begins, and when it has ended
        self.round = 0  # when it got its place, or was seen to be the only one

    # ── its own thread ──

    def begin(self) -> None:
        """Wait for a place."""
        self._enter(self)

    def _enter(self, holder: AdmissionParker) -> None:
        outer = self.stopwatch.work()
        self.stopwatch.wait("turn")
        self._admission.enter(holder)
        self.stopwatch.go_on("turn")
        if outer is not None:
            self.stopwatch.wait(outer)
        holder.round = self._admission.round

    def make_room(self) -> None:
        """Of a chain's holder: pass its place on to those who wait for one."""
        if self.round != self._admission.round and not self.cancelled:
            self._admission.pass_on(self)
            self.round = self._admission.round

    def enter(self, gate: Gate, want: int) -> int:
        """How many packets may be worked now, once those have had their turn who are due."""
        if self.round != self._admission.round and not gate.attentive and not self.cancelled:
            self.stopwatch.wait("turn")
            self._admission.pass_on(self)
            self.stopwatch.go_on("turn")
            self.round = self._admission.round
        return super().enter(gate, want)

    def say(self, doing: TaskState) -> None:
        """Tell what it is doing now; with its end its place is free."""
        super().say(doing)
        if doing == "ended":
            self._admission.leave(self, for_good=True)

    def _sleep(self, timeout_s: float) -> None:
        holder = self._holder
        self._admission.leave(holder)
        self.permit.acquire(True, timeout_s)
        self._enter(holder)

    @property
    def _holder(self) -> AdmissionParker:
        """The one that has the place of the thread that works it."""
        if (chain := self.chain) is None:
            return self
        assert isinstance(chain.holder, AdmissionParker), "they are of one job"
        return chain.holder

    # ── the thread of a chain ──

    def part(self, permit: Permit | None = None) -> None:
        """From now on a thread of its own works it: a new one, which has no place yet, or the one that has its."""
        super().part(permit)
        self._admission.part(self)

    def hold(self, before: Parker) -> None:
        """Have the place of `before`, which shares it from now on."""
        assert isinstance(before, AdmissionParker), "they are of one job"
        self._admission.hold(self, before)

    def let_go(self) -> None:
        """Share the place of another one."""
        self._admission.share(self)

    # ── whoever has the claim ──

    def wait_for_place(self, by: Permit) -> None:
        """It wants a place, and hears of it `by` that."""
        self.standing, self._wakes_by = "waiting", by

    def take_place(self) -> Permit:
        """It has one; returns what wakes it, to be given once the claim is given back."""
        self.standing = "running"
        return self._wakes_by

    def give_place(self) -> None:
        """It parks."""
        self.standing = "away"

    def take_place_of(self, before: AdmissionParker) -> None:
        """It has that; `before` shares it."""
        self.standing, before.standing = before.standing, "sharing"

    def share(self) -> None:
        """Another one has a place for it."""
        self.standing = "sharing"

    def end(self) -> None:
        """It wants no place any more, or has no thread yet that could."""
        self.standing = "gone"

    # ── any thread ──

    def unpark(self) -> None:
        """Let it look whether it is ready, as soon as it can run."""
        self._admission.wake(self)

    def hurry(self) -> None:
        """Let the thread that works it have the next place."""
        self._admission.hurry(self._holder)

    def cancel(self) -> None:
        """Wake it, as soon as it can run."""
        self.cancelled = True
        self._admission.release()
        super().cancel()

    def gate_closes(self) -> None:
        """Somebody wants to see it stand still."""
        super().gate_closes()
        self.hurry()
