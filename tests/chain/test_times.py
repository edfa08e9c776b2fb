"""Where the time of a chain's thread goes."""

from __future__ import annotations

from time import perf_counter

from runtime import Session
from runtime.testing import PATIENCE_S
from tests.promises.test_15_times import adds_up, double, only, until


def test_tasks_of_a_chain_share_the_time_of_its_thread_and_say_so() -> None:
    with Session("it") as session:
        session.source(range(10**9), name="numbers").map(double, name="m").sink(double, name="end")
        session.start()
        until(lambda: bool(session.snapshot().times["m"].together))
        look = session.snapshot()
        while not all(times.together for times in look.times.values()):  # it was opened between two looks
            look = session.snapshot()
        assert look.times["m"].together == ("numbers", "end")
        for times in look.times.values():
            adds_up(times)
        session.cancel()


def test_a_chain_that_waits_is_idle_and_no_time_passes_twice() -> None:
    with Session("it") as session:
        result = session.input("numbers").map(double, name="m").map(double, name="n").collect(name="end")
        session.start()
        session.send("numbers", 1)
        until(lambda: len(result) == 1)
        until(lambda: not any(chain.opened_by for chain in session.snapshot().chains))
        session.settle(PATIENCE_S)
        for task in ("m", "n", "end"):
            began_s = perf_counter()
            first = session.snapshot().times[task]
            until(lambda task=task, first=first: only(session, task, "idle").idle_s > first.idle_s + 0.1)  # type: ignore[misc]
            assert session.snapshot().times[task].lasted_s - first.lasted_s <= perf_counter() - began_s
        session.cancel()
