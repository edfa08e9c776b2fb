"""LoopTime: whose time it was that the thread of a chain has worked: that of whoever was at work whenever it was seen.

The thread says when it begins to work, and when it waits: two readings of the clock for each wait, none for a slice.
Who looks at it gives what has passed since the last look to the task at work then, as work, and to the others as idle.
If nobody's code is at work then, it is everybody's, in equal parts. All who read times look first.
"""

from __future__ import annotations

from collections.abc import Sequence
from time import perf_counter
from typing import Final

from runtime.facts import Spent
from runtime.scheduling.stopwatch import MARK_S, TRIES, Stopwatch, ThreadClock

LOOK_S: Final = 0.01


class LoopTime:
    """The time of one chain's thread. That thread begins and stops it; the chain's lock guards all else here."""

    def __init__(self) -> None:
        self._spent: tuple[float, float] = (0.0, 0.0)  # in all; since when it works, if it does
        self._given_s = self._given_on_s = 0.0  # of that, and of its time on a processor
        self._clock: ThreadClock | None = None
        self._members: Sequence[Stopwatch] = ()
        self._due_s = self._mark_due_s = 0.0

    # ── the chain's thread ──

    def begin(self) -> None:
        """This thread works for those that `add` names."""
        self._clock = ThreadClock()
        self._given_on_s = self._clock.read_s()
        self.start()

    def start(self) -> None:
        """It works from now on."""
        self._spent = (self._spent[0], perf_counter())

    def stop(self) -> None:
        """It waits from now on, or does what is one member's alone; or the chain is open. Any number of times."""
        sum_s, since_s = self._spent
        if since_s:
            self._spent = (sum_s + perf_counter() - since_s, 0.0)

    # ── any thread ──

    def is_due(self) -> bool:
        """Whether nobody has looked for a while."""
        return perf_counter() >= self._due_s

    # ── under the lock ──

    def add(self, member: Stopwatch) -> None:
        """It works for that one, too."""
        self.serve([*self._members, member])

    def serve(self, members: Sequence[Stopwatch]) -> None:
        """From now on it works for these."""
        self.settle(None)
        self._members = members

    def close(self, at: Stopwatch | None = None) -> None:
        """The chain was opened while that one was at work, whose the thread is from now on, if it is known."""
        self.stop()
        self.settle(at)
        if at is not None and self._clock is not None:
            at.work_by(self._clock)
        self._clock, self._members = None, ()

    def spent(self, at: Stopwatch | None) -> dict[Stopwatch, Spent]:
        """The times of those for which the thread works, of one moment; that one is at work now."""
        found: dict[Stopwatch, Spent] = {}
        for _ in range(TRIES):
            before = self._stood()
            now_s = self.settle(at)
            found = {member: member.spent_until(now_s) for member in self._members}
            if self._stood() == before:  # else the thread has begun to wait, or ended a wait, meanwhile
                break
        return found

    def _stood(self) -> tuple[object, object]:
        return self._spent, [member.stood() for member in self._members]

    def settle(self, at: Stopwatch | None) -> float:
        """Give what has passed since the last look to the one at work now; None: to all. Returns until when that is."""
        now_s, members = perf_counter(), self._members
        sum_s, since_s = self._spent
        spent_s = sum_s + (max(0.0, now_s - since_s) if since_s else 0.0)
        passed_s, self._given_s = spent_s - self._given_s, spent_s
        on_s = 0.0
        if self._clock is not None:
            read_s = self._clock.read_s(self._given_on_s)
            on_s, self._given_on_s = read_s - self._given_on_s, read_s
        self._due_s = now_s + LOOK_S
        if not members or passed_s <= 0:
            return now_s
        owners = (at,) if at in members else members
        each = passed_s / len(owners)
        for member in members:
            is_owner = member in owners
            member.lose(passed_s - each if is_owner else passed_s)
            if is_owner:
                member.gain(on_s / len(owners))
        if now_s >= self._mark_due_s:
            self._mark_due_s = now_s + MARK_S
            for member in members:
                member.mark(now_s)
        return now_s
