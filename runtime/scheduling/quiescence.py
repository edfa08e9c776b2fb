"""Quiescence: hearing of all that the threads of a job do, and finding out that nothing moves. Knows parkers alone."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from runtime.scheduling.parker import Parker

if TYPE_CHECKING:
    from runtime.scheduling.helm import Helm
    from runtime.scheduling.seeded import SeededScheduler


class QuiescenceMonitor:
    """Tells somebody of all that threads do while he waits for it. Costs one read per wait, nothing per packet."""

    tasks_help = True
    """Whether a thread at its closed gate may carry out commands; under a seed, it is amid a turn."""

    def __init__(self, seeded: SeededScheduler | None = None) -> None:
        self.seeded = seeded
        self.watched = 0  # how many look; read by threads after they have said what they are doing
        self._helm: Helm | None = None
        self.lets_help = False  # whether threads at their closed gates carry out commands, now that somebody listens
        self._is_told = False  # of what has not been heard yet

    def tell_to(self, helm: Helm) -> None:
        """Let it hear of changes."""
        self._helm = helm
        self.lets_help = self.tasks_help and self.seeded is None

    @property
    def has_posted(self) -> bool:
        """Whether something was put down by a thread of the job that has not been carried out."""
        return self._helm is not None and bool(self._helm.posted)

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
        """Thread of the job: something has changed, and somebody is watching."""
        if self._helm is not None and not self._is_told:
            self._is_told = True
            self._helm.tell()

    def tell_of_rest(self) -> None:
        """Thread of the job: it stands at its closed gate, and holds no lock."""
        helm = self._helm
        if helm is None or not self.lets_help:
            if self.watched:
                self.tell()
        elif (self.watched or helm.posted) and not helm.help():
            self.tell()

    def tell_of_leaving(self) -> None:
        """Thread of the job: it leaves its closed gate; what was put down for it, somebody else has to carry out."""
        if self._helm is not None and self._helm.posted:
            self.tell()


class WaitableMonitor(QuiescenceMonitor):
    """One for threads that wait by themselves, where no interrupt comes: in an actor, beside a job on Ray."""

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
        """Wait until `ready`, which is asked whenever a thread does something else. False: not within `timeout_s`."""
        with self._changed:
            self.watched += 1
            try:
                return self._changed.wait_for(ready, timeout_s)
            finally:
                self.watched -= 1


def are_still(parkers: Sequence[Parker]) -> bool:
    """Whether all stood still at one moment: seen so twice, and no wait was over in between.

    Once would not do: the last one looked at may have woken the first before it went to wait itself.
    """
    before = [parker.passes for parker in parkers]
    return (
        all(parker.stands_still() for parker in parkers)
        and all(parker.stands_still() for parker in parkers)
        and before == [parker.passes for parker in parkers]
    )
