"""The way of a step by hand: the task that has its turn ends the wait itself, and others who wait are looked at too."""

from __future__ import annotations

import _thread
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import count

import pytest

import runtime
from runtime.python.interactive import by_person
from runtime.scheduling.command import Command
from runtime.scheduling.commands import Commands
from runtime.scheduling.helm import Helm
from runtime.scheduling.quiescence import QuiescenceMonitor
from runtime.scheduling.waiting import Until, Waiting
from runtime.task.local_task import LocalTask
from runtime.testing import PATIENCE_S

STEPS = 60


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the threads that have looked at what is put aside."""
    names: list[str] = []
    look = Helm._look

    def noted(self: Helm, seen: Callable[[], None]) -> None:
        names.append(threading.current_thread().name)
        look(self, seen)

    monkeypatch.setattr(Helm, "_look", noted)
    return names


@pytest.mark.parametrize("name", ["numbers", None])
def test_a_step_ends_on_the_thread_of_its_task(looks: list[str], name: str | None) -> None:
    with runtime.Session() as session:
        session.source(count(), name="numbers").map(abs, name="absolute").sink(abs, name="end")
        session.start(paused=True)
        session.step()
        looks.clear()
        steps = session.step(name, STEPS)
        assert [step.result for step in steps] == ["done"] * STEPS
        # Two or three for each step, if the thread of commands had to end it. Where the system lets a thread sleep in
        # the middle of a command, that thread looks after all.
        assert len(looks) < STEPS / 2
        session.cancel()


def test_who_asks_whether_all_rests_is_looked_at_after_who_can_go_on() -> None:
    commands, changes = Commands("test"), QuiescenceMonitor()
    commands.serve(changes, lambda: True, None)
    room: list[bool] = []
    done: list[str] = []

    def waits(name: str, *, at_rest: bool) -> Waiting[None]:
        yield Until(lambda: bool(room), at_rest=at_rest)
        done.append(name)

    settles, puts = (Command(partial(waits, name, at_rest=name == "settles")) for name in ("settles", "puts"))
    commands.give(settles)
    commands.give(puts)
    commands.do(bool)
    room.append(True)
    commands.tell()
    assert settles.bell.acquire(timeout=PATIENCE_S)
    assert done == ["puts", "settles"]
    commands.serve(changes, bool, None)
    commands.tell()


def test_who_waits_is_looked_at_though_one_who_waits_for_longer_cannot_go_on() -> None:
    with runtime.Session(capacity=1) as session, ThreadPoolExecutor(2) as pool:
        for name in ("one", "other"):
            session.input(name).sink(abs)
        session.start(paused=True)
        helm = session._runs.commands._helm
        sent = []
        for number, name in enumerate(("one", "other"), 1):
            session.send(name, 1)
            sent.append(pool.submit(session.send, name, 2, timeout=PATIENCE_S))
            while len(helm._aside) < number:
                time.sleep(0.001)
        session.step("other")
        sent[1].result(PATIENCE_S)
        assert not sent[0].done()
        session.resume()
        sent[0].result(PATIENCE_S)
        session.cancel()


def test_a_step_wakes_nobody_whose_closed_gate_keeps_him_from_what_it_sends() -> None:
    with runtime.Session() as session:
        result = session.source(range(STEPS + 1), name="numbers").map(abs, name="absolute").collect(name="end")
        session.start(paused=True)
        session.step("numbers")
        session.step("absolute")
        parker = task_of(session, "absolute").parker
        passes = parker.passes
        assert [step.result for step in session.step("numbers", STEPS)] == ["done"] * STEPS
        assert parker.passes == passes
        assert session.snapshot().tasks["absolute"].depth == STEPS
        assert [step.result for step in session.step("absolute", STEPS)] == ["done"] * STEPS
        session.resume()
        session.wait(PATIENCE_S)
        assert list(result) == list(range(STEPS + 1))


def test_others_who_wait_are_looked_at_while_steps_end_on_the_threads_of_tasks() -> None:
    results: list[str] = []
    with runtime.Session() as session:
        session.source(range(3), name="numbers").sink(abs, name="end")
        with by_person():  # who may go on, so that the wait goes on as well
            session.start(paused=True)

        def steps() -> None:
            dispatcher = session._runs.started().dispatcher
            assert dispatcher is not None
            while not dispatcher.completion.waiters:
                session.snapshot()
            while (step := session.step(timeout=None)).result != "idle":  # not saved by its time
                results.append(step.result)

        steps_by_hand = threading.Thread(target=steps, daemon=True)
        steps_by_hand.start()
        outcome = session.wait(PATIENCE_S)
        assert outcome is not None, f"a step has not ended behind {results}"
        assert outcome.state == "completed"
        steps_by_hand.join()
    assert results.count("done") == 6


def test_a_step_that_its_own_task_carries_out_is_told_of_in_time() -> None:
    release = threading.Event()

    def slow_from_one_on(value: int) -> int:
        assert value == 0 or release.wait(PATIENCE_S)
        return value

    with runtime.Session() as session:
        session.source(count(), name="numbers").sink(slow_from_one_on, name="slow")
        session.start(paused=True)
        session.step("numbers", 2, timeout=None)
        assert session.step("slow", timeout=None).result == "done"  # from here on, the thread of commands is asleep
        assert session.step("slow", timeout=0.05).result == "running"
        release.set()
        assert session.step("slow").result == "done"
        session.cancel()


def task_of(session: runtime.Session, name: str) -> LocalTask:
    task = session._runs.started().workers.handles[name]
    assert isinstance(task, LocalTask)
    return task


def test_a_step_that_is_put_down_for_a_task_that_leaves_its_gate_is_carried_out_by_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    refused = threading.Event()
    helpers: list[threading.Thread] = []

    def step() -> None:
        with pytest.raises(runtime.NotPaused):
            session.step("numbers", timeout=None)
        refused.set()

    def tell_of_rest_and_leave(monitor: QuiescenceMonitor) -> None:
        tell_of_rest(monitor)
        if not helpers and threading.current_thread().name.endswith("numbers"):
            task_of(session, "numbers").gate.open()
            helpers.append(threading.Thread(target=step, daemon=True))
            helpers[0].start()
            while not session._runs.commands._helm.posted:
                threading.Event().wait(0.001)

    with runtime.Session(capacity=4) as session:
        session.source(count(), name="numbers").sink(abs, name="end")
        session.start(paused=True)
        session.step("numbers", timeout=None)
        tell_of_rest = QuiescenceMonitor.tell_of_rest
        monkeypatch.setattr(QuiescenceMonitor, "tell_of_rest", tell_of_rest_and_leave)
        task_of(session, "numbers").parker.unpark()  # it looks, and leaves before it is called
        assert refused.wait(PATIENCE_S)
        session.cancel()


def test_a_step_that_was_given_up_is_told_by_the_next_one() -> None:
    reached, release = threading.Event(), threading.Event()

    def slow(value: int) -> int:
        reached.set()
        assert release.wait(PATIENCE_S)
        return value

    def interrupt() -> None:
        assert reached.wait(PATIENCE_S)
        _thread.interrupt_main()

    with runtime.Session() as session:
        result = session.source(range(3), name="numbers").map(slow, name="slow").collect()
        session.start(paused=True)
        session.step("numbers", 3)
        helper = threading.Thread(target=interrupt)
        helper.start()
        with pytest.raises(KeyboardInterrupt):
            session.step("slow", timeout=None)
        helper.join()
        release.set()
        session.settle(PATIENCE_S)
        steps = session.step("slow", 3)
        assert [step.packet.payload for step in steps if step.packet is not None] == [0, 1, 2]
        session.resume()
        session.wait(PATIENCE_S)
        assert list(result) == [0, 1, 2]


def test_a_step_waits_for_the_user_code_of_whoever_it_has_set_going_again() -> None:
    is_over, was_over = threading.Event(), list[bool]()

    def two(value: int) -> Iterator[int]:
        yield value
        yield value  # held back, until a step makes room
        was_over.append(is_over.wait(0.2))

    with runtime.Session() as session:
        session.source([1], name="numbers").flat_map(two, name="two").sink(abs, capacity=1, name="end")
        session.start(paused=True)
        session.step("numbers")
        assert session.step("two").result == "held_back"
        assert session.step("end").result == "done"
        is_over.set()
        session.resume()
        session.wait(PATIENCE_S)
    assert was_over == [False]
