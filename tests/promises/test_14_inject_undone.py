"""Promise 14: what was put in by hand is a change by hand: an event, and taken back as long as nobody has taken it."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

import runtime
from runtime import CommandRefused, NotPaused, PacketGone, QueueFull, TaskEnded
from runtime.control.records import MAX_RECORDS
from runtime.testing import PATIENCE_S, Hold
from tests.platforms import MakeSession
from tests.promises.test_14_edit import finish, go_on, queued, with_packets
from tests.promises.test_14_hand import fill, join_all, start_all

NOTHING = "nothing was changed by hand that could be undone"


def told(session: runtime.Session) -> list[tuple[str | None, str, tuple[int, ...]]]:
    """What was done by hand, but for gates: where, what, and which packets it was to arrive."""
    events = [event for event in session.events if event.kind == "command"]
    return [
        (event.task, event.text, tuple(event.arrived))
        for event in events
        if not event.text.startswith(("pause", "resume", "stop"))
    ]


def nothing_is_left_to_be_undone(session: runtime.Session) -> None:
    with pytest.raises(CommandRefused, match=NOTHING):
        session.undo()


@pytest.mark.also_remote
@pytest.mark.long_on_ray
def test_an_inject_is_an_event_with_what_where_and_which_it_was_to_arrive(session: runtime.Session) -> None:
    with_packets(session, [1])
    session.inject("work", "a")
    session.inject("in", "b")
    session.inject("work", "x" * 500)
    session.undo()
    cut = session.events[-1].text.removeprefix("undo of ")
    assert told(session) == [
        ("work", "inject: 'a'", (0,)),
        ("in", "inject: 'b'", (1,)),  # behind the one that was sent
        ("work", cut, (1,)),
        ("work", f"undo of {cut}", ()),
    ]
    assert cut.startswith("inject: 'xxx")
    assert len(cut) < 200
    place = session.peek("work")[0].place
    assert place is not None
    assert place.number == session.events[-4].arrived[0]
    session.cancel()


@pytest.mark.also_remote
@pytest.mark.long_on_ray
def test_an_undone_inject_is_as_if_nothing_had_been_put_in(session: runtime.Session) -> None:
    result = with_packets(session, [1, 2])
    session.inject("work", 3)
    session.inject("in", 4)
    session.inject("out", 5)
    for _ in range(3):
        session.undo()
    nothing_is_left_to_be_undone(session)
    assert [queued(session, task) for task in ("in", "work", "out")] == [[], [1, 2], []]
    outcome = finish(session)
    assert list(result) == [1, 2]
    assert (outcome.packets_in, outcome.packets_out, outcome.dropped) == (2, 2, 0)


def test_what_has_been_taken_stays_and_the_error_says_by_whom_and_frees_the_change_before(
    session: runtime.Session,
) -> None:
    result = with_packets(session, [1])
    session.edit(session.peek("work")[0], "one")
    session.inject("out", 2)
    session.step("out")
    go_on(session)
    with pytest.raises(PacketGone, match="it has been taken by 'out' already"):
        session.undo()
    session.undo()
    assert queued(session) == [1]
    nothing_is_left_to_be_undone(session)
    finish(session)
    assert list(result) == [2, 1]


def test_a_running_task_that_has_taken_it_is_named_and_one_that_may_take_it_is_to_be_paused(
    session: runtime.Session,
) -> None:
    result = with_packets(session, [])
    session.inject("in", 1)
    session.inject("work", 2)
    session.pause("in")
    session.resume("work", "out")
    session.settle(PATIENCE_S)
    with pytest.raises(PacketGone, match="it has been taken by 'work' already"):
        session.undo()
    session.undo()
    finish(session)
    with pytest.raises(CommandRefused, match=NOTHING):
        session.undo()
    assert list(result) == [2]


@pytest.mark.concurrent
def test_behind_a_packet_in_user_code_an_inject_is_taken_back_once_its_task_is_paused(
    make_session: MakeSession,
) -> None:
    session, hold = make_session(), Hold[int](lambda value: value == 0)
    result = session.input("in").map(hold, name="work").collect(name="out")
    session.start()
    session.inject("work", 0)
    hold.reached.wait()
    session.inject("work", 1)
    with pytest.raises(NotPaused, match=r"'work' is not paused; pause\('work'\) first"):
        session.undo()
    session.pause("work", timeout=0)
    threading.Timer(0.02, hold.release).start()
    session.undo()
    with pytest.raises(PacketGone, match="it has been taken by 'work' already"):
        session.undo()
    assert finish(session).packets_in == 1
    assert list(result) == [0]


def test_a_task_that_has_ended_has_taken_it_or_keeps_it(make_session: MakeSession) -> None:
    session = make_session()
    session.input("in").map(abs, name="work").collect()
    session.start(paused=True)
    session.inject("work", 1)
    session.inject("work", 2)
    session.step("work")
    session.cancel()
    assert session.wait(PATIENCE_S).dropped == 2
    with pytest.raises(TaskEnded, match="'work' has ended"):
        session.undo()
    with pytest.raises(PacketGone, match="it has been taken by 'work' already"):
        session.undo()
    nothing_is_left_to_be_undone(session)


@pytest.mark.also_remote
def test_a_packet_that_was_injected_edited_moved_and_dropped_is_undone_newest_first(session: runtime.Session) -> None:
    result = with_packets(session, [])
    for value in (1, 2, 3):
        session.inject("work", value)
    third = session.peek("work")[2]
    session.edit(third, "three")
    session.move(third, 0)
    session.drop(session.peek("work")[0])
    seen = [queued(session)]
    for _ in range(5):
        session.undo()
        seen.append(queued(session))
    assert seen == [[1, 2], ["three", 1, 2], [1, 2, "three"], [1, 2, 3], [1, 2], [1]]
    finish(session)
    assert list(result) == [1]


def test_a_packet_is_taken_back_wherever_it_was_moved_and_never_another_that_is_equal(session: runtime.Session) -> None:
    result = with_packets(session, [])
    session.inject("work", 7)
    session.inject("work", "between")
    session.inject("work", 7)
    first, _, last = session.peek("work")
    session.move(last, 0)
    session.drop(first)
    session.undo()
    session.undo()
    session.undo()
    assert queued(session) == [7, "between"]
    session.edit(first, "seven")  # which is still the one that came first
    finish(session)
    assert list(result) == ["seven", "between"]


def test_what_came_behind_an_inject_is_found_by_its_number_once_that_is_taken_back(session: runtime.Session) -> None:
    result = with_packets(session, [])
    for value in (1, 3):
        session.inject("in", value)
        session.send("in", value + 1)
    _, two, _, four = session.peek("in")
    session.undo()
    session.undo()
    assert [packet.place for packet in session.peek("in")] == [two.place, four.place]
    session.edit(four, "four")
    session.edit(two, "two")
    session.inject("in", 5)
    assert session.events[-1].arrived == (4,)
    session.undo()
    finish(session)
    assert list(result) == ["two", "four"]


def test_an_inject_whose_packet_was_dropped_for_good_cannot_be_undone(make_session: MakeSession) -> None:
    """Of two inputs one has ended: what was dropped from it cannot come back, and so not be taken back."""
    session = make_session()
    left, right = session.input("left"), session.input("right")
    left.key_by(abs).join(right.key_by(abs), lambda a, b: (a, b), name="join").collect()
    session.start(paused=True)
    session.inject("join", 1, input=0)
    session.drop(session.peek("join")[0])
    session.end("left")
    session.step("left")
    session.step("join")
    go_on(session, "right")
    with pytest.raises(PacketGone, match="the packet's producer has ended"):
        session.undo()
    with pytest.raises(PacketGone, match="was dropped by hand"):
        session.undo()
    nothing_is_left_to_be_undone(session)
    session.cancel()


def test_what_is_sent_is_no_change_by_hand(session: runtime.Session) -> None:
    result = with_packets(session, [])
    session.send("in", 1)
    session.inject("in", 2)
    session.send("in", 3)
    session.undo()
    nothing_is_left_to_be_undone(session)
    assert queued(session, "in") == [1, 3]
    assert [text for _, text, _ in told(session)] == ["inject: 2", "undo of inject: 2"]
    finish(session)
    assert list(result) == [1, 3]


def test_an_inject_that_its_key_function_refuses_leaves_no_event_and_nothing_to_undo(make_session: MakeSession) -> None:
    session = make_session()
    session.input("in").key_by(lambda value: 1 // value).map(abs, name="work", parallelism=2).collect()
    session.start(paused=True)
    before = session.events
    with pytest.raises(ZeroDivisionError):
        session.inject("work", 0)
    assert session.events == before
    nothing_is_left_to_be_undone(session)
    session.cancel()


def test_a_full_lane_and_an_ended_task_leave_no_event(make_session: MakeSession) -> None:
    session = make_session(capacity=2)
    with_packets(session, [])
    accepted = fill(session, "work")
    before = told(session)
    assert len(before) == len(accepted)
    for timeout in (0, 0.01):
        with pytest.raises(QueueFull):
            session.inject("work", "too many", timeout=timeout)
    assert told(session) == before
    for _ in accepted:
        session.undo()
    nothing_is_left_to_be_undone(session)
    finish(session)
    before = told(session)
    with pytest.raises(TaskEnded):
        session.inject("work", "too late")
    assert told(session) == before
    nothing_is_left_to_be_undone(session)


def test_what_is_taken_back_leaves_its_place_also_to_a_producer_who_was_held_back(make_session: MakeSession) -> None:
    session = make_session(capacity=4)
    result = session.input("in").flat_map(range, name="many").collect(name="out")
    session.start(paused=True)
    accepted = fill(session, "out")  # in places that were borrowed
    session.inject("many", 9)
    assert session.step("many").result == "held_back"
    before = session.peek("out").depth
    go_on(session)
    with pytest.raises(PacketGone, match="taken by 'many'"):
        session.undo()
    for _ in accepted:
        session.undo()
    session.settle(PATIENCE_S)
    assert before >= 4
    assert queued(session, "out") == [0, 1, 2, 3]
    finish(session)
    assert list(result) == list(range(9))


def test_a_broadcast_by_hand_is_taken_back_from_all_its_tasks_or_from_none(make_session: MakeSession) -> None:
    session = make_session()
    result = session.input("in").broadcast().map(lambda value: value, name="work", parallelism=3).collect()
    session.start(paused=True)
    session.inject("work#1", 0)
    session.inject("work", 1)
    session.inject("work", 2)
    assert told(session) == [
        ("work#1", "inject: 0", (0,)),
        ("work", "inject: 1", (0, 1, 0)),
        ("work", "inject: 2", (1, 2, 1)),
    ]
    session.resume("work#2")
    session.settle(PATIENCE_S)
    with pytest.raises(PacketGone, match="it has been taken by 'work#2' already"):
        session.undo()
    assert [queued(session, f"work#{index}") for index in range(3)] == [[1, 2], [0, 1, 2], []]
    session.pause("work#2")
    session.inject("work", 3)
    session.undo()
    assert [queued(session, f"work#{index}") for index in range(3)] == [[1, 2], [0, 1, 2], []]
    outcome = finish(session)
    assert Counter(result) == {0: 1, 1: 3, 2: 3}
    assert (outcome.packets_in, outcome.packets_out, outcome.dropped) == (7, 7, 0)


def test_a_broadcast_of_which_one_task_still_runs_is_left_in_all(make_session: MakeSession) -> None:
    session = make_session()
    result = session.input("in").broadcast().map(lambda value: value, name="work", parallelism=2).collect()
    session.start(paused=True)
    session.inject("work", 1)
    session.step("work#0")
    session.pause()
    session.resume("work#0")
    with pytest.raises(PacketGone, match="taken by 'work#0'"):
        session.undo()
    assert queued(session, "work#1") == [1]
    finish(session)
    assert list(result) == [1, 1]


def test_what_was_injected_into_an_input_of_a_join_is_told_with_it_and_taken_back(session: runtime.Session) -> None:
    left, right = session.input("left"), session.input("right")
    result = left.key_by(abs).join(right.key_by(abs), lambda a, b: (a, b), name="join").collect()
    session.start(paused=True)
    for value, number in ((1, 0), (-1, 1), (2, 1)):
        session.inject("join", value, input=number)
    session.undo()
    assert told(session) == [
        ("join", "inject: 1 on input 0", (0,)),
        ("join", "inject: -1 on input 1", (1,)),
        ("join", "inject: 2 on input 1", (2,)),
        ("join", "undo of inject: 2 on input 1", ()),
    ]
    outcome = finish(session)
    assert (list(result), outcome.packets_in, outcome.dropped) == ([(1, -1)], 2, 0)


def test_an_input_of_a_join_ends_though_the_last_that_was_injected_there_is_taken_back(
    session: runtime.Session,
) -> None:
    left, right = session.input("left"), session.input("right")
    joined = left.key_by(abs).join(right.key_by(abs), lambda a, b: (a, b), how="outer", name="join")
    result = joined.collect()
    session.start(paused=True)
    session.inject("join", 1, input=0)
    session.inject("join", 2, input=0)
    session.end("left")
    session.step("left")
    assert session.step("join").result == "stop"
    go_on(session, "right")
    session.undo()
    session.inject("join", -1, input=1)
    outcome = finish(session)
    assert (list(result), outcome.packets_in, outcome.dropped) == ([(1, -1)], 2, 0)


def test_in_a_traced_job_what_is_taken_back_leaves_others_their_ids(make_session: MakeSession) -> None:
    session = make_session(trace=True)
    with_packets(session, [])
    for value in (1, 2):
        session.inject("work", value)
    session.undo()
    session.inject("work", 3)
    assert [(packet.payload, packet.id) for packet in session.peek("work")] == [(1, "hand/work:1"), (3, "hand/work:3")]
    assert [arrived for _, _, arrived in told(session)] == [(0,), (1,), (), (2,)]
    session.cancel()


def test_before_a_breakpoint_that_holds_the_job_an_inject_is_taken_back(make_session: MakeSession) -> None:
    session = make_session()
    result = session.input("in").map(lambda value: value, name="work").collect()
    session.start()
    stop = session.breakpoint("work", lambda value: value == 1)
    session.inject("work", 1)
    assert stop.wait(PATIENCE_S).payload == 1
    session.inject("work", 2)
    session.undo()
    session.undo()  # of the very packet that was stopped before
    nothing_is_left_to_be_undone(session)
    stop.remove()
    outcome = finish(session)
    assert (list(result), outcome.packets_in) == ([], 0)


def test_as_many_changes_can_be_undone_as_are_kept_and_no_more(make_session: MakeSession) -> None:
    session = make_session(capacity=MAX_RECORDS + 10)
    with_packets(session, [])
    for number in range(MAX_RECORDS + 5):
        session.inject("work", number)
    for _ in range(MAX_RECORDS):
        session.undo()
    nothing_is_left_to_be_undone(session)
    assert queued(session) == [0, 1, 2, 3, 4]
    session.cancel()


@pytest.mark.parametrize("target", ["in", "work"])
def test_injects_of_many_threads_each_have_a_number_of_their_own_that_finds_their_packet(
    make_session: MakeSession, target: str
) -> None:
    session = make_session()
    with_packets(session, [])

    def put_in(hand: int) -> None:
        for number in range(100):
            session.inject(target, (hand, number))

    threads = [threading.Thread(target=put_in, args=(hand,)) for hand in range(3)]
    start_all(threads)
    join_all(threads)
    packets = session.peek(target, 1_000)
    found = {packet.place.number: f"inject: {packet.payload!r}" for packet in packets if packet.place is not None}
    assert {arrived[0]: text for _, text, arrived in told(session)} == found
    assert len(found) == 300
    for left in (299, 298):
        newest = told(session)[-1][1] if left == 299 else None
        session.undo()
        assert len(queued(session, target)) == left
        assert newest is None or newest not in {f"inject: {value!r}" for value in queued(session, target)}
    session.cancel()


def test_what_a_function_of_the_job_injects_is_a_change_as_well(make_session: MakeSession) -> None:
    session = make_session()

    def pass_by(value: int) -> int:
        session.inject("out", 10 * value)
        return value

    result = session.input("in").map(pass_by, name="work").collect(name="out")
    session.start()
    session.pause("out")
    session.inject("work", 4)
    session.settle(PATIENCE_S)
    assert sorted(queued(session, "out")) == [4, 40]
    assert ("out", "inject: 40", (0,)) in told(session)
    session.undo()
    outcome = finish(session)
    assert (list(result), outcome.packets_in) == ([4], 1)


def test_under_a_seed_injects_and_their_undo_repeat_with_turns_and_events() -> None:
    def run() -> tuple[list[str], list[str], list[Any]]:
        with runtime.Session("repeats", seed=7) as session:
            result = session.input("in").map(lambda value: value, name="work", parallelism=2).collect(name="out")
            session.start()
            session.settle(PATIENCE_S)

            def act(*commands: Callable[[], object]) -> None:
                for command in commands:
                    command()
                    session.settle(PATIENCE_S)

            act(*[partial(session.inject, "work", value) for value in range(4)], session.pause)
            act(partial(session.inject, "work", 4), partial(session.inject, "work", 5), session.undo, session.resume)
            session.end("in")
            session.wait(PATIENCE_S)
            return session.turns, [f"{event!r} {event.at_s} {event.arrived}" for event in session.events], list(result)

    assert run() == run()
    assert sorted(run()[2]) == [0, 1, 2, 3, 4]


def test_a_dead_letter_that_is_retried_is_no_inject(make_session: MakeSession) -> None:
    session = make_session(on_error="skip")
    session.input("in").map(lambda value: 1 // value, name="work").collect()
    session.start()
    session.send("in", 0)
    session.settle(PATIENCE_S)
    session.pause("work")
    session.dead_letters.retry(0)
    nothing_is_left_to_be_undone(session)
    session.cancel()
