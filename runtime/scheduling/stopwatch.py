"""Stopwatch: where the time of one worker goes. What it waits for is timed, the rest is work. Knows no tasks.

A wait reads the clock twice, a packet never. What is no wait is work, by subtraction: so the parts always add up to
the time that has passed. From its sum, a wait takes the time at which it begins, and adds that at which it ends. So
each sum is one number all the time: below zero while such a wait lasts (all waits together are shorter than the clock
has counted), to which the present is to be added. Whoever copies the sums, which is one step, sees each wait once.
One wait lasts at a time: whoever waits within a wait ends that before, and begins it again after that.

*On the processor* is what the thread's own clock says, which anybody may read at any time, as long as the thread lives;
its last reading is kept by the thread itself, before it goes. Time at work that is not on the processor went by in the
kernel, in another library without the GIL, or in a wait for the GIL.

*The last second* needs to know how everything stood a second ago. So between two batches, and after a wait, a *mark* is
set, if the last one is a tenth of a second old; between two marks, time is divided as on the whole between them.

*The past* is some of the marks, from the beginning on: every one, until there are too many; then every other one is let
go, and from there on half as many are kept. So whoever looks late sees all of it, and it costs what the marks cost.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from threading import get_ident
from time import perf_counter
from typing import Final, Literal, Protocol, cast

from runtime.facts import Past, Spent, TaskState, Times

Wait = TaskState | Literal["turn"]
"""What a worker waits for; "turn": to run at all."""

RATED_REPEAT: Final = cast(TaskState, "held back: rate, amid a packet")
"""What is shown as "held back: rate", with a packet in work, which waits for its next attempt."""

MARK_S: Final = 0.1
LATELY_S: Final = 1.0
TRIES: Final = 4
"""To read what somebody else goes on to write: of one moment, or of several that are close together."""

_KEPT: Final = 32  # marks: more than there can be in the last second
MOST_PAST: Final = 64
"""Marks of the past that are kept: between half as many and so many of a long run. Even."""
_FIELDS: Final[dict[Wait, str]] = {
    "idle": "idle_s",
    "held back": "held_back_s",
    "held back: rate": "rate_s",
    "waiting": "waiting_s",
    "backing off": "backing_off_s",
    "paused": "paused_s",
    "turn": "turn_s",
    # Kinds of others: see `read`.
    "held back: all busy": "held_back_s",
    RATED_REPEAT: "rate_s",
}
"""Each wait, and as what it counts."""

_NO_WAITS: Final[tuple[Wait, ...]] = ("new", "running", "ended")
"""What else may be said to be waited for, which is work: nobody reads how long that was."""

_Sums = dict[Wait | None, float]
Mark = tuple[float, Times]
"""A moment, and the times from the beginning until then."""

SINCE: Final = None
"""Among the sums: when the last wait has begun."""

Clock = int
"""What tells how long a thread has been on a processor."""

# In a tab of a browser there is the function, which raises: the threads there are not the system's.
_clock_of: Callable[[int], Clock] | None = (
    getattr(time, "pthread_getcpuclockid", None) if sys.platform != "emscripten" else None
)
_read: Callable[[Clock], float] | None = getattr(time, "clock_gettime", None)

HAS_CLOCK: Final = _clock_of is not None and _read is not None
"""Whether the platform tells how long a thread has been on a processor."""


class Counts(Protocol):
    """What tells how many packets were worked."""

    @property
    def processed(self) -> int:
        """So many, so far."""


class ThreadClock:
    """How long one thread has been on a processor. Made on that thread; any may read, until it `ends`."""

    __slots__ = ("_clock", "ident")

    def __init__(self) -> None:
        self.ident = get_ident()
        self._clock = None if _clock_of is None else _clock_of(self.ident)

    def read_s(self, otherwise_s: float = 0.0) -> float:
        """Seconds; `otherwise_s` if the thread has ended, or the platform has no such clock."""
        if _read is None or self._clock is None:
            return otherwise_s
        try:
            return _read(self._clock)
        except OSError:
            return otherwise_s


class Stopwatch:
    """The times of one worker, from `begin` to `end`. Written by the thread that works for it; any may read.

    `lose` alone is for whoever divides the time of a thread that works for several: under a lock of his own.
    """

    __slots__ = (
        "_apart_s",
        "_began_s",
        "_counts",
        "_ended_s",
        "_gained_s",
        "_marks",
        "_others_s",
        "_past",
        "_past_due_s",
        "_thread",
        "due_s",
        "sums",
    )

    def __init__(self) -> None:
        self._counts: Counts | None = None
        self._began_s = self._ended_s = 0.0
        # Of each wait how long it was, from `begin`; below zero while it lasts: without the present.
        self.sums: _Sums = dict.fromkeys((*_FIELDS, *_NO_WAITS, SINCE), 0.0)
        self._others_s = 0.0  # that a thread of several has worked for others
        self._gained_s = 0.0  # that such a thread has been on a processor for it
        # Seconds on a processor so far, of which thread more is to be added, and what its clock said in the beginning.
        self._thread: tuple[float, ThreadClock | None, float] = (0.0, None, 0.0)
        self._marks: tuple[Mark, ...] = ()
        self.due_s = 0.0  # when the next mark is to be set
        self._past: tuple[Mark, ...] = ()
        self._apart_s = MARK_S  # how far they are from each other, at least
        self._past_due_s = 0.0  # which mark is the next of them

    # ── the thread that works for it ──

    def begin(self, counts: Counts | None = None) -> None:
        """It begins: from now on time passes for it."""
        self._counts = counts
        self._began_s = now_s = perf_counter()
        self.due_s = self._past_due_s = now_s + MARK_S

    def work_by(self, clock: ThreadClock | None) -> None:
        """From now on the thread of this clock works for it alone; None: no thread does."""
        on_s = self._alone_s()
        self._thread = (on_s, clock, 0.0 if clock is None else clock.read_s())

    def wait(self, why: Wait) -> None:
        """It waits from now on. What is no wait, as to go on, is work. `Parker.park` has this written out."""
        self.sums[SINCE] = since_s = perf_counter()
        self.sums[why] -= since_s

    def go_on(self, why: Wait) -> None:
        """That wait is over. Nothing if it does not last. `Parker.park` has this written out, but for marks."""
        if self.sums[why] >= 0:
            return
        now_s = perf_counter()
        if now_s < self.due_s:
            self.sums[why] += now_s
            return
        if why in _FIELDS:
            self.mark(self.sums[SINCE])  # what lasted so long was a wait, and nothing else
        self.sums[why] += now_s
        self.mark(now_s)

    def lasts(self, why: Wait) -> bool:
        """Whether that wait lasts."""
        return self.sums[why] < 0

    def work(self) -> Wait | None:
        """In the middle of a wait there is work. Returns what is waited for, to be waited for again after that."""
        why = _wait_in(self.sums)
        if why is not None:
            self.go_on(why)
        return why

    def mark(self, now_s: float) -> None:
        """Remember how everything stands. Its thread, or whoever divides the time of that."""
        if self._marks and self._marks[-1][0] >= now_s:
            return
        mark = (now_s, self.read(now_s))
        self._marks = (*self._marks[1 - _KEPT :], mark)
        self.due_s = now_s + MARK_S
        if now_s >= self._past_due_s:
            past = (*self._past, mark)
            if len(past) >= MOST_PAST:
                past, self._apart_s = past[1::2], 2 * self._apart_s
            self._past, self._past_due_s = past, now_s + self._apart_s

    def end(self) -> None:
        """It has ended: for it, no more time passes."""
        self.work()
        self.work_by(None)
        self._ended_s = perf_counter()

    def resume(self) -> None:
        """It has not ended; the time since then was idle."""
        self.sums["idle"] += perf_counter() - self._ended_s
        self._ended_s = 0.0

    # ── whoever divides the time of a thread that works for several ──

    def lose(self, seconds: float) -> None:
        """So long its thread has worked for others."""
        self._others_s += seconds

    def gain(self, seconds: float) -> None:
        """So long that thread has been on a processor for it."""
        self._gained_s += seconds

    # ── any thread ──

    def spent(self, tries: int = TRIES) -> Spent:
        """Its times until now, and in the last second: of one moment, within a wait or between two."""
        stood = self.stood()
        spent = self.spent_until(perf_counter())
        is_of_one_moment = self.stood() == stood  # else it began to wait, or ended a wait, meanwhile
        return spent if is_of_one_moment or tries == 1 else self.spent(tries - 1)

    def past(self, tries: int = TRIES) -> Past:
        """How it stood when: some moments from its beginning until now, or its end, each as how long ago it was."""
        stood, points = self.stood(), self._past
        now_s = perf_counter()
        until_s = self._ended_s or now_s
        last = (until_s, self.read(now_s))
        if tries > 1 and self.stood() != stood:
            return self.past(tries - 1)
        if not self._began_s:
            return ()
        points = (self._began(last[1]), *(point for point in points if point[0] < until_s), last)
        why = _wait_in(stood)
        if why is not None and points[-2][0] < stood[SINCE] < until_s:  # it does nothing else since then
            points = (*points[:-1], (stood[SINCE], _without(last[1], why, until_s - stood[SINCE])), last)
        return tuple([(now_s - at_s, times) for at_s, times in points])

    def _began(self, now: Times) -> Mark:
        return self._began_s, Times(on_processor_s=now.on_processor_s and 0.0)

    def stood(self) -> _Sums:
        """Equal as long as it neither begins to wait nor ends a wait."""
        return self.sums.copy()

    def spent_until(self, now_s: float) -> Spent:
        """The same until a moment since which it has not begun to wait, nor ended a wait."""
        whole = self.read(now_s)
        return Spent(whole, self._lately(now_s, whole))

    @property
    def waits(self) -> bool:
        """Whether it waits now, or has not begun, or has ended."""
        return not self._began_s or bool(self._ended_s) or _wait_in(self.sums.copy()) is not None

    @property
    def ident(self) -> int | None:
        """The identity of the thread that works for it alone, if one does."""
        clock = self._thread[1]
        return None if clock is None else clock.ident

    def read(self, now_s: float) -> Times:
        """Its times from the beginning until then."""
        if not self._began_s:
            return Times(on_processor_s=0.0 if HAS_CLOCK else None)
        packets = 0 if self._counts is None else self._counts.processed
        others_s, on_s = self._others_s, self._alone_s() + self._gained_s
        until_s = self._ended_s or now_s
        sums = self.sums.copy()
        present_s = max(until_s, sums[SINCE])  # a wait may have begun after that
        waited = [sum_s if sum_s >= 0 else sum_s + present_s for sum_s in sums.values()]
        idle_s, held_back_s, rate_s, *rest, all_busy_s, repeat_s = waited[: len(_FIELDS)]
        waits_s = (idle_s + others_s, held_back_s + all_busy_s, rate_s + repeat_s, *rest)
        busy_s = max(0.0, until_s - self._began_s - sum(waits_s))
        return Times.of((busy_s, *waits_s), min(on_s, busy_s) if HAS_CLOCK else None, packets)

    def _lately(self, now_s: float, now: Times) -> Times:
        """Of the last second; of no time if it has ended before."""
        then_s, until_s = now_s - LATELY_S, self._ended_s or now_s
        if not self._began_s or self._began_s >= then_s:
            return now
        sums = self.sums.copy()
        if then_s >= until_s:
            stood = now
        elif (why := _wait_in(sums)) is not None and sums[SINCE] <= then_s:
            stood = _without(now, why, until_s - then_s)
        else:
            stood = self._stood(then_s, until_s, now)
        return less(now, stood)

    def _stood(self, then_s: float, now_s: float, now: Times) -> Times:
        """How everything stood at `then_s`, by what is known of moments before and after."""
        points = [self._began(now), *self._marks, (now_s, now)]
        after = next(number for number, (at_s, _) in enumerate(points) if at_s > then_s)
        (from_s, first), (until_s, last) = points[after - 1 : after + 1]
        return between(first, last, (then_s - from_s) / (until_s - from_s))

    def _alone_s(self) -> float:
        """How long threads that worked for it alone have been on a processor."""
        sum_s, clock, began_s = self._thread
        return sum_s if clock is None else sum_s + clock.read_s(began_s) - began_s


def _wait_in(sums: _Sums) -> Wait | None:
    """Which wait lasts, if one does."""
    return next((why for why in _FIELDS if sums[why] < 0), None)


def _without(times: Times, why: Wait, seconds: float) -> Times:
    name = _FIELDS[why]
    return times._replace(**{name: getattr(times, name) - seconds})


def less(whole: Times, part: Times) -> Times:
    """What is left of the one without the other, in which no time may be below zero."""
    seconds = (max(0.0, all_s - part_s) for all_s, part_s in zip(whole.seconds, part.seconds, strict=True))
    on_s = None
    if whole.on_processor_s is not None and part.on_processor_s is not None:
        on_s = min(max(0.0, whole.on_processor_s - part.on_processor_s), whole.busy_s - part.busy_s)
    return Times.of(seconds, on_s, max(0, whole.packets - part.packets), whole.threads)


def between(first: Times, last: Times, share: float) -> Times:
    """How everything stood after such a share of the time between these two, if nothing has changed its pace."""
    pairs = zip(first.seconds, last.seconds, strict=True)
    seconds = (from_s + (until_s - from_s) * share for from_s, until_s in pairs)
    on_s = None
    if first.on_processor_s is not None and last.on_processor_s is not None:
        on_s = first.on_processor_s + (last.on_processor_s - first.on_processor_s) * share
    return Times.of(seconds, on_s, round(first.packets + (last.packets - first.packets) * share))


def total(spent: Sequence[Spent]) -> Spent:
    """All of that, of several threads, together."""
    return Spent(summed([each.whole for each in spent]), summed([each.lately for each in spent]))


def summed(times: Sequence[Times]) -> Times:
    """All of that, of several threads, together."""
    seconds = map(sum, zip(*(each.seconds for each in times), strict=True))
    on_s = [each.on_processor_s for each in times if each.on_processor_s is not None]
    packets = sum(each.packets for each in times)
    return Times.of(seconds, sum(on_s) if len(on_s) == len(times) else None, packets, len(times))
