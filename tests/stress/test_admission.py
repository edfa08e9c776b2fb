"""Places under stress: with fewer places than tasks that could run, nothing that was promised is lost.

The races of the other stress tests again, where each job has one place, or two, and tasks pass them on. Where nobody
measures, a place that is not passed on is gone for good.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from queue import SimpleQueue
from random import Random

import pytest

from runtime import Function, Session
from runtime.factory import local_backend
from runtime.scheduling import admission
from runtime.scheduling.admission import Admission, AdmissionParker, Standing
from runtime.scheduling.gate import Gate
from runtime.scheduling.helm import Helm
from tests.stress import test_ending, test_hand_control, test_services, test_settle, test_wake_up
from tests.stress.rounds import PATIENCE_S, Helper, Packet, give_way, numbers, one_round, repeat, spin

RACES: tuple[Callable[[Random], None], ...] = (
    test_ending.cancel_against_put,
    test_ending.cancel_against_idle,
    test_ending.cancel_against_waiting_hand,
    test_ending.cancel_against_finish,
    test_ending.close_at_any_moment,
    test_ending.commands_at_once,
    test_ending.stop_at_any_moment,
    test_hand_control.pause_against_resume,
    test_hand_control.a_pause_is_a_pause,
    test_hand_control.step_from_two_threads,
    test_hand_control.step_against_resume,
    test_hand_control.cancel_against_steps,
    test_settle.settle_against_running,
    test_services.cancel_against_calls,
    test_services.drain_against_calls,
)

WAITING: tuple[Callable[[Random], None], ...] = (  # user code that waits for other user code
    test_wake_up.sleepy_consumer,
    partial(test_wake_up.sleepy_consumers, "hash"),
)


@pytest.fixture(autouse=True)
def _every_job_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_backend, "MANY", 0)


@pytest.fixture
def nobody_measures(monkeypatch: pytest.MonkeyPatch) -> None:
    """There are never more places than at first."""
    monkeypatch.setattr(admission, "LOOK_S", 10 * PATIENCE_S)
    monkeypatch.setattr(admission, "SELDOM_S", 10 * PATIENCE_S)


def name_of(race: Callable[[Random], None]) -> str:
    return getattr(race, "__name__", "") or race.func.__name__  # type: ignore[attr-defined]


@pytest.mark.usefixtures("nobody_measures")
@pytest.mark.parametrize("race", RACES, ids=name_of)
def test_with_one_place_or_two_every_race_ends_as_with_many(
    race: Callable[[Random], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def play(rng: Random) -> None:
        monkeypatch.setattr(admission, "FEW", rng.choice((1, 2)))
        race(rng)

    repeat(play, 100, share=1)  # one bug of its own needs most of them


@pytest.mark.parametrize("race", [*RACES, *WAITING], ids=name_of)
def test_while_places_come_and_go_every_race_ends_as_with_many(
    race: Callable[[Random], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admission, "FEW", 1)
    monkeypatch.setattr(admission, "LOOK_S", 1e-4)
    monkeypatch.setattr(admission, "SELDOM_S", 1e-4)
    repeat(race, 40)


@pytest.mark.usefixtures("nobody_measures")
def test_cancel_ends_all_but_those_who_keep_the_places_in_user_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admission, "FEW", 2)

    def stuck_in_two(rng: Random) -> None:
        at_work, release, others_end = threading.Semaphore(0), threading.Event(), threading.Event()

        class Other(Function[Packet, None]):
            def process(self, value: Packet, /) -> None:
                spin(rng)

            def close(self) -> None:
                others_end.set()

        def keep(value: int) -> None:
            at_work.release()
            assert release.wait(PATIENCE_S)

        session = Session(capacity=2)
        session.input("in").sink(keep, parallelism=2)
        session.source(partial(numbers, 0)).sink(Other())
        with one_round(session):
            session.start()
            for each in range(2):
                session.send("in", each)
            for _ in range(2):
                assert at_work.acquire(timeout=PATIENCE_S)
            session.cancel()
            try:
                assert others_end.wait(PATIENCE_S), "hung: there was no place to end in"
            finally:
                release.set()
            session.wait(PATIENCE_S)

    repeat(stuck_in_two, 20)


@pytest.mark.usefixtures("nobody_measures")
def test_whom_the_hand_wants_to_see_at_its_gate_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admission, "FEW", 1)

    def one_of_five(rng: Random) -> None:
        places, ran = Admission("places"), list[int]()
        parkers = [AdmissionParker(places) for _ in range(5)]

        def run(number: int) -> None:
            parkers[number].begin()
            ran.append(number)
            parkers[number].say("ended")

        with ExitStack() as helpers:
            for number, parker in enumerate(parkers):
                helpers.enter_context(Helper(partial(run, number)))
                while parker.standing != "waiting":
                    give_way()
            wanted = rng.randrange(5)
            gate = Gate()
            gate.hold([parkers[wanted]])
            gate.close()
            places.open()
        places.close(PATIENCE_S)
        assert ran == [wanted, *(number for number in range(5) if number != wanted)]

    repeat(one_of_five, 20)


def test_who_asks_for_something_waits_for_nobody_who_gives_places_away() -> None:
    """The hand closes gate after gate: if it waited each time, and then for the GIL, a pause would take a minute."""
    begun, go_on = threading.Event(), threading.Event()

    class Slow(AdmissionParker):
        """At this one whoever gives places away stops for long, as one does who has lost the GIL there."""

        __slots__ = ()

        @property
        def standing(self) -> Standing:
            begun.set()
            assert go_on.wait(2 * PATIENCE_S)
            return "gone"

        @standing.setter
        def standing(self, standing: Standing) -> None:
            """It has not begun."""

    places, gate = Admission("places"), Gate()
    slow, parkers = Slow(places), [AdmissionParker(places) for _ in range(5)]
    gate.hold(parkers)
    with Helper(lambda: places.wake(slow)):
        assert begun.wait(PATIENCE_S)
        try:
            with Helper(gate.close):
                pass
            with ExitStack() as tasks:
                for parker in parkers:
                    tasks.enter_context(Helper(parker.begin))
                places.open()
                go_on.set()
        finally:
            go_on.set()
    assert slow.permit.acquire(False), "it was unparked"
    assert all(each.standing == "running" for each in parkers), "whoever had the claim has done what others asked for"
    places.close(PATIENCE_S)


def test_whoever_is_unparked_before_he_sleeps_does_not_sleep() -> None:
    places = Admission("places")
    parker = AdmissionParker(places)

    class Wakes(Helm):
        """Once he has said that he is about to sleep, and has his place yet."""

        def tell(self) -> None:
            places.wake(parker)

        def help(self) -> bool:
            return False

    places.open()
    places.monitor.begin()
    places.monitor.tell_to(Wakes(SimpleQueue()))
    looks: list[None] = []

    def is_there() -> bool:
        looks.append(None)
        return len(looks) > 1

    def work() -> None:
        parker.begin()
        parker.park(is_there, "waiting")
        parker.say("ended")

    with Helper(work):
        pass
    places.close(PATIENCE_S)
