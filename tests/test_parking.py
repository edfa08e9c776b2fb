"""Parkers, gates and workers by themselves: how threads wait, and how many a gate lets through."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from operator import attrgetter
from time import monotonic
from typing import Any, cast

import pytest

from runtime.communication.inbox import Inbox
from runtime.errors import Cancelled
from runtime.facts import TaskState
from runtime.scheduling.gate import Gate
from runtime.scheduling.parker import Outsider, Parker, Waiter
from runtime.scheduling.quiescence import QuiescenceMonitor, are_still
from runtime.scheduling.worker import Worker
from runtime.testing import PATIENCE_S


def until(ready: Callable[[], bool]) -> None:
    """Return when something is so that other threads bring about, and tell nobody of."""
    late_s, pause = monotonic() + PATIENCE_S, threading.Event()
    while not ready():
        assert monotonic() < late_s, "it does not come"
        pause.wait(0.001)


class Waits(threading.Thread):
    """A thread that waits by a parker, and what has become of that."""

    def __init__(self, parker: Parker) -> None:
        super().__init__(daemon=True)
        self.parker, self.is_there = parker, False
        self.asked = 0
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            self.parker.park(lambda: self.is_there, "idle", ask=self.ask)
        except Cancelled as error:
            self.error = error

    def ask(self) -> None:
        self.asked += 1

    def has_asked(self, times: int) -> bool:
        return self.asked >= times


@contextmanager
def waiting() -> Iterator[Waits]:
    waits = Waits(Parker(QuiescenceMonitor()))
    waits.start()
    until(lambda: are_still([waits.parker]))
    yield waits
    waits.parker.cancel()
    waits.join(PATIENCE_S)
    assert not waits.is_alive()


def test_an_unpark_for_nothing_ends_no_wait_and_is_not_seen() -> None:
    with waiting() as waits:
        for times in range(2, 10):
            waits.parker.unpark()
            until(partial(waits.has_asked, times))  # it has said again that it waits
            assert (waits.parker.doing, waits.parker.passes, are_still([waits.parker])) == ("idle", 0, True)
        waits.is_there = True
        waits.parker.unpark()
        waits.join(PATIENCE_S)
        assert (waits.parker.doing, waits.parker.passes, waits.error) == ("new", 1, None)


@pytest.mark.parametrize("parker", [Parker(QuiescenceMonitor()), Outsider()], ids=["of a job", "outside"])
def test_an_unpark_before_the_wait_is_remembered_and_time_ends_one_that_nothing_else_does(parker: Waiter) -> None:
    parker.unpark()
    looks = iter((False, True))
    parker.park(lambda: next(looks), "idle")
    parker.unpark()
    parker.park(lambda: False, "idle", 0.01)


def test_a_cancel_ends_a_wait_and_each_that_follows() -> None:
    with waiting() as waits:
        waits.parker.cancel()
        waits.join(PATIENCE_S)
        assert isinstance(waits.error, Cancelled)
    for _ in range(2):
        with pytest.raises(Cancelled):
            waits.parker.park(lambda: False, "waiting")


def test_after_a_wait_nothing_is_kept_of_what_was_waited_for() -> None:
    parker = Parker(QuiescenceMonitor())

    class Awaited:
        def is_there(self) -> bool:
            return True

        def is_held(self) -> bool:
            return False

    awaited = Awaited()
    gone = weakref.ref(awaited)
    parker.park(awaited.is_there, "waiting", held=awaited.is_held)
    del awaited
    assert gone() is None


class Enters:
    """Passes a gate again and again until it is cancelled."""

    def __init__(self, gate: Gate) -> None:
        self.gate = gate
        self.passed = 0

    def live(self, parker: Parker) -> None:
        parker.begin()
        parker.say("running")
        try:
            while True:
                parker.enter(self.gate, 1)
                self.passed += 1
                if (turn := parker.turn) is not None:
                    parker.turn = None
                    turn.end(parker)
        except Cancelled:
            pass
        parker.say("ended")
        self.gate.ended(parker)


def test_a_closed_gate_of_several_workers_lets_one_through_for_each_turn() -> None:
    monitor, gate = QuiescenceMonitor(), Gate()
    parkers = [Parker(monitor) for _ in range(4)]
    gate.hold(parkers)
    gate.close()
    served = [Enters(gate) for _ in parkers]
    workers = [Worker(f"worker {number}", served[number], parker) for number, parker in enumerate(parkers)]
    for worker in workers:
        worker.start()
    for times in range(1, 20):
        until(gate.at_its_place)
        turn = gate.grant(lambda: True)
        assert turn is not None
        until(partial(attrgetter("over"), turn))
        assert turn.taker is turn.record
        assert sum(each.passed for each in served) == times
    assert gate.grant(lambda: False) is None
    for parker in parkers:
        parker.cancel()
    for worker in workers:
        worker.join()
        assert worker.is_gone()
    assert gate.grant(lambda: True) is None, "nobody is left to take it"


def test_a_turn_that_nobody_takes_is_over_when_the_gate_opens_and_when_the_last_worker_ends() -> None:
    gate, parker = Gate(), Parker(QuiescenceMonitor())
    gate.hold([parker])
    gate.close()
    granted = [gate.grant(lambda: True)]
    assert [turn and turn.over for turn in granted] == [False]
    gate.open()
    gate.close()
    granted.append(gate.grant(lambda: True))
    assert [turn and turn.over for turn in granted] == [True, False]
    parker.say("ended")
    gate.ended(parker)
    assert [turn and turn.over for turn in granted] == [True, True]


def test_a_gate_is_not_reached_while_its_worker_is_in_user_code_or_about_to_go_on_with_a_packet() -> None:
    gate, parker = Gate(), Parker(QuiescenceMonitor())
    gate.hold([parker])
    gate.close()
    reached: dict[str, bool] = {}
    doing: TaskState
    for doing in ("running", "idle", "paused", "held back", "ended"):
        parker.say(doing)
        reached[doing] = gate.reached()
    assert reached == {"running": False, "idle": True, "paused": True, "held back": True, "ended": True}
    parker.say("idle")
    parker.cancel()
    assert not gate.reached(), "it is about to end"


def test_whoever_is_woken_by_one_that_is_looked_at_after_it_does_not_stand_still() -> None:
    class WakesTheFirst(Parker):
        """It goes to wait itself once it has woken the first one."""

        def stands_still(self) -> bool:
            first.doing = "running"
            return True

    monitor = QuiescenceMonitor()
    first = Parker(monitor)
    first.say("idle")
    assert are_still([first])
    assert not are_still([first, WakesTheFirst(monitor)])


def test_who_edits_behind_a_closed_gate_has_its_lock_so_that_nobody_opens_it_meanwhile() -> None:
    lock = threading.RLock()
    gate, was_free = Gate(lock), list[bool]()
    gate.close()
    other = threading.Thread(target=lambda: was_free.append(lock.acquire(False)), daemon=True)
    with gate.at_rest("task"):
        other.start()
        other.join()
    assert was_free == [False]


def test_what_is_put_in_by_hand_wakes_the_thread_that_reads_by_then() -> None:
    """A reader has another permit once another thread works it, which may be so before the packet is in."""
    inbox, parker = Inbox(1, []), Parker(QuiescenceMonitor())
    inbox.read_by(parker)

    def draw_a_place() -> Iterator[int]:
        parker.part()
        yield 1

    inbox.hand._places.with_numbers = cast("Any", draw_a_place())
    assert inbox.hand.offer("packet")
    assert parker.permit.acquire(False), "nobody wakes it"
