"""What is put in, changed or set by hand travels: who gives it pickles it, and a command that waits holds up nobody."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

import runtime
from runtime.communication.packet import Packet
from runtime.testing import PATIENCE_S, Moment
from tests.remote import functions as far

pytestmark = pytest.mark.on_ray


def _held(session: runtime.Session) -> Packet:
    """A job that is paused with a packet in front of `work`, and that packet."""
    session.input("in").map(far.same, name="work").collect(name="result")
    session.start()
    session.pause()
    session.inject("work", 1)
    return session.peek("work")[0]


class _Slow:
    """A value, and a condition that is never met, that is pickled only when it `goes_on`."""

    def __init__(self) -> None:
        self.began, self.goes_on = Moment("pickling"), Moment("it may go on")

    def __reduce__(self) -> tuple[Any, ...]:
        self.began.set()
        self.goes_on.wait()
        return far.KnowsWhoPickles, ()

    def __call__(self, _: object) -> bool:
        return False


def test_what_is_given_by_hand_is_pickled_by_the_thread_that_gives_it_alone() -> None:
    value = far.KnowsWhoPickles()
    with runtime.Session(platform="remote") as session:
        packet = _held(session)
        early = session.breakpoint("work", value)
        session.inject("work", value)
        session.send("in", value)
        session.edit(packet, value)
        session.set_state("work", "key", value)
        session.breakpoint("work", value)
        early.remove()  # the other one is set anew
        assert value.by == {threading.current_thread().name}
        assert [type(each.payload) for each in session.peek("work")] == 2 * [far.KnowsWhoPickles]
        session.cancel()


def test_a_condition_is_pickled_for_each_run_by_its_start_and_by_who_sets_it_and_never_by_commands() -> None:
    value = far.KnowsWhoPickles()
    session = runtime.Session("given", platform="remote")
    with session:
        session.input("in").map(far.same, name="work").collect(name="result")
        session.breakpoint("work", value)
        session.start()
        session.breakpoint("work")  # the first one is set anew
        assert value.by == {"given start"}
        session.cancel()


def test_a_value_that_takes_long_to_pickle_holds_up_nobody_but_who_gives_it() -> None:
    with runtime.Session(platform="remote") as session, ThreadPoolExecutor(1) as others:
        packet = _held(session)
        gives: list[Callable[[Any], object]] = [
            lambda value: session.edit(packet, value),
            lambda value: session.inject("work", value),
            lambda value: session.breakpoint("work", value),
        ]
        for give in gives:
            slow = _Slow()
            given = others.submit(give, slow)
            slow.began.wait()
            session.resume("in")
            assert session.pause("in") == ()
            slow.goes_on.set()
            given.result(PATIENCE_S)
        assert [type(each.payload) for each in session.peek("work")] == 2 * [far.KnowsWhoPickles]
        session.cancel()


def test_what_cannot_be_pickled_is_refused_before_anything_is_done() -> None:
    lock = threading.Lock()
    with runtime.Session(platform="remote") as session:
        packet = _held(session)
        gives: list[Callable[[], object]] = [
            lambda: session.edit(packet, lock),
            lambda: session.inject("work", lock),
            lambda: session.set_state("work", "key", lock),
            lambda: session.breakpoint("work", lambda _: lock.locked()),
        ]
        events = session.events
        for give in gives:
            with pytest.raises(runtime.NotSendable, match="cannot pickle"):
                give()
        assert session.events == events
        assert [each.payload for each in session.peek("work")] == [1]
        session.cancel()


def test_arrays_that_are_given_by_hand_arrive_as_they_are_however_large() -> None:
    small, large = np.arange(10), np.arange(100_000)
    with runtime.Session(platform="remote") as session:
        result = session.input("in").map(far.same, name="work").collect()
        session.start()
        session.pause()
        session.inject("work", 1)
        session.edit(session.peek("work")[0], large)
        session.inject("work", small)
        session.resume()
        session.end("in")
        session.wait(PATIENCE_S)
        assert [each.tolist() for each in result] == [large.tolist(), small.tolist()]


def test_a_condition_in_the_driver_need_not_be_pickled() -> None:
    lock = threading.Lock()
    with runtime.Session(platform="remote") as session:
        session.input("in").map(far.same, name="work").collect(name="result")
        session.start()
        stop = session.breakpoint("result", lambda value: value == 2 and not lock.locked())
        for value in (1, 2):
            session.send("in", value)
        assert stop.wait(PATIENCE_S).payload == 2
        session.cancel()
