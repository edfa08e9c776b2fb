"""What `runtime.testing` offers to a user's own tests does what it says, above all: it notices."""

from __future__ import annotations

import os
import tempfile
import threading

import pytest

import runtime
from runtime.testing import PATIENCE_S, Hold, LeakFound, Moment, QueueWatch, check_bounded, leak_guard
from tests.platforms import MakeSession


def test_the_guard_is_content_with_nothing_and_with_what_is_cleaned_up() -> None:
    with leak_guard():
        pass
    with leak_guard():
        thread = threading.Thread(target=lambda: None)
        thread.start()
        with tempfile.TemporaryFile():
            pass
        with runtime.Session() as session:
            session.source(range(10)).map(abs, parallelism=3).collect()
            session.run(PATIENCE_S)


def test_the_guard_waits_for_a_thread_that_is_about_to_end() -> None:
    release = threading.Event()
    with leak_guard():
        thread = threading.Thread(target=lambda: release.wait(PATIENCE_S))
        thread.start()
        threading.Timer(0.05, release.set).start()
    assert not thread.is_alive()


def test_the_guard_finds_a_thread() -> None:
    release = threading.Event()
    thread = threading.Thread(target=release.wait, name="the one that stays")
    with pytest.raises(LeakFound, match="left behind: thread 'the one that stays'"), leak_guard(grace_s=0.01):
        thread.start()
    release.set()
    thread.join()


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="descriptors can be listed on Linux only")
def test_the_guard_finds_a_descriptor() -> None:
    opened: list[int] = []
    with pytest.raises(LeakFound, match=r"left behind: descriptor \d+ \(.*pipe"), leak_guard():
        opened += os.pipe()
    for descriptor in opened:
        os.close(descriptor)


def test_the_guard_finds_a_job_that_was_not_closed() -> None:
    session = runtime.Session("open")
    session.source([1]).collect(name="end")
    with pytest.raises(LeakFound, match=r"left behind: queue \d+ \(fed by hand"), leak_guard():
        session.run(PATIENCE_S)
    session.close()


def test_the_guard_finds_a_service_that_was_not_closed() -> None:
    session = runtime.Session("open")
    session.service("clock", Moment)
    session.source([1]).collect(name="end")
    with pytest.raises(LeakFound, match=r"queue \d+ \(requests to clock\)"), leak_guard(grace_s=0.01):
        session.run(PATIENCE_S)
    session.close()


def test_the_guard_lets_an_error_of_the_block_pass() -> None:
    with pytest.raises(ZeroDivisionError), leak_guard():
        raise ZeroDivisionError


def test_a_moment_that_does_not_come_is_an_error_and_no_hang() -> None:
    moment = Moment("the answer")
    assert not moment.has_come
    with pytest.raises(AssertionError, match=r"the answer has not come within 0\.01 s"):
        moment.wait(0.01)
    moment.set()
    moment.wait(0)


def test_a_hold_holds_one_packet_until_it_is_released(make_session: MakeSession) -> None:
    session = make_session()
    hold = Hold[int](lambda value: value == 3)
    result = session.source(range(10)).map(hold).collect()
    session.start()
    hold.reached.wait()
    session.stop()
    assert session.status == "draining"
    hold.release()
    session.wait(PATIENCE_S)
    assert list(result) == list(range(len(result)))


@pytest.mark.parametrize(
    ("capacity", "depths", "bounded"),
    [
        (3, (0, 3), True),
        (3, (1, 2), True),
        (3, (1, 3), False),
        (1, (0, 1, 1), True),
        (1, (0, 2, 1), False),
        (1, (1, 1), True),
    ],
)
def test_bounded_is_capacity_or_one_packet_per_lane(capacity: int, depths: tuple[int, ...], bounded: bool) -> None:
    producers = ("hand", "a", "b")[: len(depths)]
    facts = runtime.TaskFacts("t", "t", "map", "idle", sum(depths), capacity, 0, 0, 0, producers, depths, (), None)
    if bounded:
        check_bounded([facts])
    else:
        with pytest.raises(AssertionError, match=f"t holds {sum(depths)} packets"):
            check_bounded([facts])


def test_a_watch_sees_how_deep_queues_have_been(make_session: MakeSession) -> None:
    session = make_session(capacity=4)
    hold = Hold[int]()
    session.input("in").sink(hold, name="end")
    session.start()
    with QueueWatch(session) as watch:
        for number in range(5):
            session.send("in", number)
        hold.reached.wait()
        hold.release()
        session.stop()
        session.wait(PATIENCE_S)
    assert set(watch.deepest) <= {"in", "end"}
    assert all(depth <= 4 for depth in watch.deepest.values())
