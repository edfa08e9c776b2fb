"""Promise 14: breakpoints stop the job before a packet, taps show what passes, and both lose nothing."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import count
from typing import Any

import pytest

import runtime
from runtime import CommandRefused, JobPaused
from runtime.testing import PATIENCE_S, Hold, Moment
from tests.error_texts import DIVIDED_BY_ZERO
from tests.platforms import MakeSession, Platform
from tests.services import Calling, Echo


def numbered(session: runtime.Session, **settings: Any) -> runtime.Collected[int]:
    """`numbers → work → out`, 50 of them."""
    return (
        session.source(lambda: iter(range(50)), name="numbers")
        .map(lambda value: value, name="work", **settings)
        .collect(name="out")
    )


def test_a_breakpoint_stops_the_job_before_the_packet_that_it_matches(session: runtime.Session) -> None:
    result = numbered(session)
    session.start(paused=True)
    found = session.breakpoint("work", lambda value: value == 20)
    session.resume()
    packet = found.wait(PATIENCE_S)
    session.settle(PATIENCE_S)
    assert (packet.payload, found.hits, found.packet) == (20, 1, packet)
    assert session.snapshot()["work"].processed == 20
    assert session.peek("work", 1)[0] == packet
    assert {task.state for task in session.snapshot()} <= {"paused", "held back", "ended"}
    with pytest.raises(JobPaused):
        session.wait(PATIENCE_S)
    assert repr(found) == "Breakpoint(work: 1 hit, the last before 20)"
    assert any(event.text == "breakpoint at work before 20" for event in session.events)
    session.resume()
    assert session.wait(PATIENCE_S).state == "completed"
    assert list(result) == list(range(50))
    assert found.hits == 1


@pytest.mark.concurrent
def test_a_breakpoint_that_is_set_in_the_middle_of_a_batch_holds_for_the_rest_of_it(make_session: MakeSession) -> None:
    session = make_session()
    hold = Hold[int](lambda value: value == 500)
    result = session.source(range(1000), name="numbers").map(hold, name="work").collect()
    session.start()
    hold.reached.wait()
    found = session.breakpoint("work", lambda value: value == 502)
    hold.release()
    assert found.wait(PATIENCE_S).payload == 502
    session.resume()
    session.wait(PATIENCE_S)
    assert list(result) == list(range(1000))


@pytest.mark.concurrent
def test_a_tap_that_is_set_in_the_middle_of_a_batch_sees_the_rest_of_it(make_session: MakeSession) -> None:
    session = make_session()
    hold = Hold[int](lambda value: value == 500)
    session.source(range(1000), name="numbers").map(hold, name="work").collect()
    session.start()
    hold.reached.wait()
    with session.tap("work") as seen:
        hold.release()
        session.wait(PATIENCE_S)
    assert seen.packets == list(range(501, 1000))


def test_every_packet_meets_a_breakpoint_without_a_condition_once(session: runtime.Session) -> None:
    result = numbered(session)
    session.start(paused=True)
    found = session.breakpoint("work")
    met = []
    for _ in range(50):
        session.resume()
        met.append(found.wait(PATIENCE_S).payload)
    assert met == list(range(50))
    session.resume()
    session.wait(PATIENCE_S)
    assert list(result) == list(range(50))


@pytest.mark.also_remote
def test_of_several_breakpoints_each_that_matches_is_hit_and_the_job_stops_once(session: runtime.Session) -> None:
    numbered(session)
    session.start(paused=True)
    by_four = session.breakpoint("work", lambda value: value % 4 == 3)
    by_six = session.breakpoint("work", lambda value: value % 6 == 5)
    stops = []
    for _ in range(5):
        session.resume()
        with pytest.raises(JobPaused):
            session.wait(PATIENCE_S)
        stops.append(session.peek("work", 1)[0].payload)
    assert stops == [3, 5, 7, 11, 15]
    assert (by_four.hits, by_six.hits) == (4, 2)
    by_four.remove()
    assert by_six.wait(PATIENCE_S).payload == 11  # the hit that no wait has returned yet
    session.resume()
    assert by_six.wait(PATIENCE_S).payload == 17
    session.cancel()


def test_a_condition_that_raises_stops_the_job_and_says_so(session: runtime.Session) -> None:
    result = numbered(session)
    session.start(paused=True)
    found = session.breakpoint("work", lambda value: 1 // (value - 7) and False)
    session.resume()
    assert found.wait(PATIENCE_S).payload == 7
    assert isinstance(found.error, ZeroDivisionError)
    text = next(event.text for event in session.events if event.text.startswith("breakpoint"))
    assert text == f"breakpoint at work before 7: the condition raised {DIVIDED_BY_ZERO}"
    found.remove()
    session.resume()
    session.wait(PATIENCE_S)
    assert list(result) == list(range(50))


def test_a_step_passes_a_breakpoint_and_a_resume_behind_it_does_not(session: runtime.Session) -> None:
    numbered(session)
    session.start(paused=True)
    found = session.breakpoint("work", lambda value: value in (0, 2))
    for _ in range(2):
        session.step("numbers")
        session.step("work")
    assert found.hits == 0
    session.resume()
    assert found.wait(PATIENCE_S).payload == 2
    session.step("work")
    found.remove()
    session.resume()
    assert session.wait(PATIENCE_S).packets_out == 50


def test_a_packet_is_stopped_at_once_even_if_others_of_its_lane_are_changed_meanwhile(session: runtime.Session) -> None:
    session.input("in").map(abs, name="work").collect()
    session.start(paused=True)
    found = session.breakpoint("work", lambda value: value == 1)
    for number in (1, 2, 3):
        session.inject("work", number)
    session.resume()
    found.wait(PATIENCE_S)
    session.drop(session.peek("work")[1])
    session.resume()
    session.settle(PATIENCE_S)
    assert (found.hits, session.peek("work").depth) == (1, 0)
    session.cancel()


def test_a_breakpoint_that_was_removed_while_the_job_is_paused_stops_nothing_more(session: runtime.Session) -> None:
    result = numbered(session)
    session.start(paused=True)
    found = session.breakpoint("work")
    session.resume()
    found.wait(PATIENCE_S)
    found.remove()
    found.remove()
    session.resume()
    session.wait(PATIENCE_S)
    assert (list(result), found.hits) == (list(range(50)), 1)


def test_a_breakpoint_of_an_operator_is_one_for_all_its_tasks(session: runtime.Session) -> None:
    session.input("in").map(abs, name="work", parallelism=3).collect()
    session.start(paused=True)
    found = session.breakpoint("work")
    session.inject("work#1", 1)
    session.resume()
    assert found.wait(PATIENCE_S).task == "work#1"
    session.cancel()


@pytest.mark.parametrize("end", ["remove", "cancel"])
def test_nobody_waits_for_a_hit_that_cannot_come(session: runtime.Session, end: str) -> None:
    session.input("in").map(abs, name="work").collect()
    session.start()
    found = session.breakpoint("work")
    waits, heard = Moment("the wait"), []

    def wait() -> None:
        waits.set()
        try:
            found.wait()
        except CommandRefused as error:
            heard.append(str(error))

    helper = threading.Thread(target=wait)
    helper.start()
    waits.wait()
    with pytest.raises(TimeoutError, match=r"no packet of 'work' has met the breakpoint within 0\.01 s"):
        found.wait(0.01)
    (found.remove if end == "remove" else session.cancel)()
    helper.join(PATIENCE_S)
    why = "it was removed" if end == "remove" else "the job has ended; start() makes it live again"
    assert heard == [f"no further packet of 'work' will meet this breakpoint: {why}"]
    session.cancel()


def test_sources_and_services_have_no_breakpoints(session: runtime.Session) -> None:
    session.service("echo", Echo)
    numbered(session)
    session.start(paused=True)
    with pytest.raises(CommandRefused, match="'numbers' is a source"):
        session.breakpoint("numbers")
    with pytest.raises(CommandRefused, match="'echo' is a service"):
        session.breakpoint("echo")
    with pytest.raises(runtime.UnknownName, match="did you mean 'work'"):
        session.breakpoint("wrok")
    session.cancel()


# ── through all runs of the session ──


def stop_at_each_hit(session: runtime.Session, found: runtime.Breakpoint, hits: int) -> list[Any]:
    """Run the session, and let it go on after each of so many hits; the packets it has stopped before."""
    session.start()
    met = []
    for _ in range(hits):
        met.append(found.wait(PATIENCE_S).payload)
        session.resume()
    assert session.wait(PATIENCE_S).state == "completed"
    return met


def test_a_breakpoint_that_is_set_before_the_start_stops_the_first_packet_and_each_run(
    session: runtime.Session,
) -> None:
    result = numbered(session)
    found = session.breakpoint("work", lambda value: value in (0, 20))
    assert stop_at_each_hit(session, found, 2) == [0, 20]
    assert stop_at_each_hit(session, found, 2) == [0, 20]
    session.reset()
    session.source([20], name="more").map(abs, name="later").collect()
    assert stop_at_each_hit(session, found, 2) == [0, 20]
    assert (found.hits, list(result)) == (6, list(range(50)))
    found.remove()
    assert found.is_removed
    session.run(PATIENCE_S)
    assert found.hits == 6


def test_a_breakpoint_that_is_removed_or_set_between_two_runs_is_so_in_the_next(session: runtime.Session) -> None:
    numbered(session)
    before = session.breakpoint("work", lambda value: value == 3)
    assert stop_at_each_hit(session, before, 1) == [3]
    before.remove()
    after = session.breakpoint("out", lambda value: value == 4)
    assert stop_at_each_hit(session, after, 1) == [4]
    assert (before.hits, after.hits) == (1, 1)


@pytest.mark.also_remote
@pytest.mark.long_on_ray
def test_a_breakpoint_of_an_operator_before_the_start_is_of_all_its_tasks_and_of_a_task_of_that_one(
    session: runtime.Session,
) -> None:
    session.input("in").map(abs, name="work", parallelism=3).collect()
    all_of_them, one = session.breakpoint("work"), session.breakpoint("work#2")
    for _ in range(2):
        session.start()
        for task in ("work#0", "work#2"):
            session.inject(task, 1)
            assert all_of_them.wait(PATIENCE_S).task == task
            session.resume()
            session.settle(PATIENCE_S)
        session.stop()
        session.wait(PATIENCE_S)
    assert (all_of_them.hits, one.hits) == (4, 2)


def test_a_breakpoint_before_the_start_is_refused_as_after_it(session: runtime.Session) -> None:
    session.service("echo", Echo)
    numbered(session)
    with pytest.raises(CommandRefused, match="'numbers' is a source"):
        session.breakpoint("numbers")
    with pytest.raises(CommandRefused, match="'echo' is a service"):
        session.breakpoint("echo")
    with pytest.raises(runtime.UnknownName, match="did you mean 'work'"):
        session.breakpoint("wrok")
    assert session.run(PATIENCE_S).state == "completed"


def test_who_waits_for_a_hit_is_refused_while_no_job_runs_and_waits_again_in_the_next_run(
    session: runtime.Session,
) -> None:
    session.input("in").map(abs, name="work").collect()
    found = session.breakpoint("work")
    with pytest.raises(CommandRefused, match=r"there is no job; start\(\) makes it live again"):
        found.wait(PATIENCE_S)
    for number in range(2):
        session.start()
        session.inject("work", number)
        assert found.wait(PATIENCE_S).payload == number
        session.cancel()
        session.wait(PATIENCE_S)
        with pytest.raises(CommandRefused, match=r"the job has ended; start\(\) makes it live again"):
            found.wait(PATIENCE_S)


def test_a_close_removes_all_breakpoints(session: runtime.Session) -> None:
    result = numbered(session)
    found = session.breakpoint("work")
    session.close()
    assert found.is_removed
    with pytest.raises(CommandRefused, match="its session was closed"):
        found.wait(PATIENCE_S)
    found.remove()
    session.run(PATIENCE_S)
    assert (list(result), found.hits) == (list(range(50)), 0)


def test_a_breakpoint_of_which_nothing_is_left_in_the_graph_is_removed_with_a_warning(session: runtime.Session) -> None:
    numbered(session)
    session.input("in").map(abs, name="gone").collect(name="last")
    found = session.breakpoint("gone")
    environment = session._environment
    for name in ("in", "gone", "last"):
        del environment._operators[name]
    environment._edges = [edge for edge in environment._edges if edge.target not in ("gone", "last")]
    assert session.run(PATIENCE_S).state == "completed"
    warnings = [event.text for event in session.events if event.kind == "warning"]
    assert [text.startswith("the breakpoint at 'gone' was removed: ") for text in warnings] == [True]
    with pytest.raises(CommandRefused, match="'gone'"):
        found.wait(PATIENCE_S)


@pytest.mark.parametrize("change", ["set", "remove"])
def test_what_is_set_or_removed_while_a_start_is_under_way_is_so_in_that_run(
    make_session: MakeSession, change: str
) -> None:
    copying, go_on = Moment("the copy"), Moment("the end of the copy")

    class Slow(runtime.Function[int, int]):
        def __deepcopy__(self, memo: object) -> Slow:
            copying.set()
            go_on.wait()
            return self

        def process(self, value: int, /) -> int:
            return value

    session = make_session()
    session.source(range(3), name="numbers").map(Slow(), name="work").collect(name="out")
    before = session.breakpoint("out", lambda value: value == 1)
    with ThreadPoolExecutor(2) as pool:
        started = pool.submit(session.start)
        copying.wait()
        changed = pool.submit(before.remove if change == "remove" else lambda: session.breakpoint("work"))
        with pytest.raises(TimeoutError):
            changed.result(0.05)
        go_on.set()
        started.result(PATIENCE_S)
        found = changed.result(PATIENCE_S)
    if found is None:
        assert before.is_removed
    else:
        session.pause()
        found.remove()
        session.resume()
        before.wait(PATIENCE_S)
        session.resume()
    while session.outcome is None:  # it may have stopped before the change, which came as soon as it could
        session.resume()
        with suppress(JobPaused, TimeoutError):
            session.wait(0.05)
    assert session.outcome.state == "completed"


def test_a_function_of_the_job_removes_a_breakpoint_and_does_not_wait_for_one(make_session: MakeSession) -> None:
    session = make_session()
    points: list[runtime.Breakpoint] = []
    refused: list[CommandRefused] = []

    def first(value: int) -> int:
        with pytest.raises(CommandRefused) as error:
            points[0].wait(PATIENCE_S)
        refused.append(error.value)
        points[0].remove()
        return value

    session.input("in").map(first, name="first").map(abs, name="work").collect()
    points.append(session.breakpoint("work"))
    session.start()
    session.pause("work")
    session.inject("first", 1)
    session.settle(PATIENCE_S)
    session.resume()
    session.settle(PATIENCE_S)
    assert (points[0].is_removed, points[0].hits, len(refused)) == (True, 0, 1)
    session.cancel()


# ── taps ──


def test_a_tap_collects_what_passes_with_what_became_of_it(session: runtime.Session) -> None:
    session.source([1, 2, 3], name="numbers").filter(lambda value: value != 2, name="work").collect(name="out")
    session.start(paused=True)
    with session.tap("work") as seen:
        session.resume()
        session.wait(PATIENCE_S)
    assert list(map(str, seen.steps)) == [
        "work: 1 -> 1 to out",
        "work: 2 -> nothing",
        "work: 3 -> 3 to out",
        "work: stop from numbers (completed), ended (completed)",
    ]
    assert (seen.packets, repr(seen)) == ([1, 2, 3], "Tap(work: 3 packets)")


def test_taps_of_one_task_do_not_disturb_each_other(session: runtime.Session) -> None:
    session.input("in").map(abs, name="work").collect()
    session.start()

    def put_in(value: int) -> None:
        session.inject("work", value)
        session.settle(PATIENCE_S)

    with session.tap("work") as outer:
        put_in(1)
        with session.tap("work") as inner:
            put_in(2)
        put_in(3)
    put_in(4)
    assert (outer.packets, inner.packets) == ([1, 2, 3], [2])
    session.cancel()


def test_a_tap_of_a_service_sees_requests_with_their_replies_also_under_step(session: runtime.Session) -> None:
    session.service("echo", Echo)
    session.input("in").map(Calling("echo"), name="ask").collect(name="out")
    session.start(paused=True)
    with session.tap("echo") as seen:
        session.inject("ask", 1)
        session.step("ask")
        session.step("echo")
        session.resume()
        session.call("echo", 2, method="double")
    assert list(map(str, seen.steps)) == ["echo: process(1) -> 1 to ask", "echo: double(2) -> 4 to hand"]
    session.cancel()


def test_a_tap_costs_no_packet_whenever_it_is_put_on_and_taken_off(
    session: runtime.Session, platform: Platform
) -> None:
    packets = 3_000 if platform.concurrent else 300  # each turn waits 5 ms for the GIL, which this thread always wants
    result = session.source(lambda: iter(range(packets)), name="numbers").map(abs, name="work").collect()
    session.start()
    seen: list[int] = []
    for _ in count():
        with session.tap("work") as tap:
            session.snapshot()
        seen += tap.packets
        if session.outcome is not None:
            break
    session.wait(PATIENCE_S)
    assert list(result) == list(range(packets))
    assert seen == sorted(set(seen))


def test_a_tap_with_a_function_calls_it_and_keeps_nothing(session: runtime.Session) -> None:
    result = numbered(session)
    seen: list[Any] = []
    session.start(paused=True)
    with session.tap("work", lambda step: seen.append(step.packet and step.packet.payload)) as tap:
        session.resume()
        session.wait(PATIENCE_S)
    assert (seen, tap.steps, list(result)) == ([*range(50), None], [], list(range(50)))


def test_a_tap_that_raises_is_told_once_and_costs_the_job_nothing(session: runtime.Session) -> None:
    result = numbered(session)
    session.start(paused=True)
    calls: list[Any] = []

    def see(step: runtime.Step) -> None:
        calls.append(step)
        raise SystemExit(3)

    with session.tap("work", see):
        session.resume()
        assert session.wait(PATIENCE_S).state == "completed"
    assert (len(calls), list(result)) == (1, list(range(50)))
    warnings = [repr(event) for event in session.events if event.kind == "warning"]
    assert warnings == ["work: a tap raised SystemExit: 3, and sees nothing any more"]
