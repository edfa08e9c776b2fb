"""Quiescence: hearing of all that the threads of a job do, and finding out that nothing moves. Knows parkers alone."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Protocol

from runtime.scheduling.parker import Parker


class Listener(Protocol):
    """Who hears of changes."""

    def changed(self) -> None:
        """Something has changed since what was told was heard; called by whoever has changed it."""

    def help(self) -> bool:
        """Thread of the job that has come to its closed gate: go on with what waits for that. False: tell as usual."""


class Changes(Protocol):
    """What tells of changes in a run: a `QuiescenceMonitor`."""

    def tell_to(self, listener: Listener) -> None:
        """Let that one hear when something has changed since `heard`, while it is watched."""

    def begin(self) -> None:
        """Tell of all that tasks do."""

    def end(self) -> None:
        """Tell no more."""

    @property
    def hands_out_turns(self) -> bool:
        """Whether there is something to hold."""

    @property
    def turns(self) -> int | None:
        """How many turns have been handed out, where they are."""

    def heard(self) -> None:
        """What has changed so far is about to be looked at."""

    def hold(self) -> None:
        """Where turns are handed out: hand out none, so that what is done until `release` is one act."""

    def release(self) -> None:
        """Hand out turns again."""


class QuiescenceMonitor:
    """Tells somebody of all that threads do while he waits for it. Costs one read per wait, nothing per packet."""

    hands_out_turns = False
    """Whether there is something to `hold`."""
    turns: int | None = None
    """How many turns have been handed out, where they are."""

    def __init__(self) -> None:
        self.watched = 0  # how many look; read by threads after they have said what they are doing
        self._listener: Listener | None = None
        self._is_told = False  # of what has not been heard yet

    def tell_to(self, listener: Listener) -> None:
        """Let that one hear of changes."""
        self._listener = listener

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
        if self._listener is not None and not self._is_told:
            self._is_told = True
            self._listener.changed()

    def tell_of_rest(self) -> None:
        """Thread of the job: it has come to its closed gate, and holds no lock."""
        if self._listener is None or not self._listener.help():
            self.tell()

    def hold(self) -> None:
        """Hand out no turn until `release`, so that what is done meanwhile is one act. Free threads have none."""

    def release(self) -> None:
        """Hand out turns again."""


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
