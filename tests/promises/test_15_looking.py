"""What applies of promise 15: looking disturbs nothing, and once the job stands still every number is exact."""

from __future__ import annotations

import threading
from dataclasses import FrozenInstanceError
from typing import Any

import pytest

import runtime
from runtime.facts import Event, TaskTable
from runtime.history.event_log import MAX_EVENTS, EventLog
from runtime.testing import PATIENCE_S, Hold, check_bounded
from tests.platforms import MakeSession
from tests.promises.test_01_exact import every_capacity


@every_capacity
def test_looking_from_many_threads_changes_nothing(make_session: MakeSession, capacity: int) -> None:
    session = make_session(capacity=capacity)
    source = session.source(range(600), parallelism=2)
    worked = source.map(lambda value: value, parallelism=3).filter(lambda value: value % 2)
    result = worked.key_by(lambda value: value).map(lambda value: value, parallelism=2).collect()
    over = threading.Event()
    looks: list[int] = []
    broken: list[BaseException] = []

    def look() -> None:
        try:
            while not over.wait(0.0002):
                check_bounded(session.snapshot())
                looks.append(len(session.events) + len(repr(session)) + len(str(session)) + len(result))
        except BaseException as error:  # noqa: BLE001  told to the test below
            broken.append(error)

    threads = [threading.Thread(target=look) for _ in range(3)]
    session.start()
    for thread in threads:
        thread.start()
    try:
        session.wait(PATIENCE_S)
    finally:
        over.set()
        for thread in threads:
            thread.join()
    assert not broken
    assert sorted(result) == list(range(1, 600, 2))


@every_capacity
@pytest.mark.parametrize("instances", [1, 3])
def test_every_count_is_exact_once_the_job_stands_still(
    make_session: MakeSession, capacity: int, instances: int
) -> None:
    session = make_session(capacity=capacity)
    stream = session.input("in").map(lambda value: value, name="m", parallelism=instances)
    stream.filter(lambda value: value % 3 == 0, name="f").flat_map(lambda value: [value] * 4, name="x").collect(
        name="c"
    )
    session.start()
    for number in range(30):
        session.send("in", number)
    session.settle(PATIENCE_S)
    snapshot = session.snapshot()
    m = [snapshot[name] for name in session.graph.tasks("m")]
    assert (snapshot["in"].processed, snapshot["in"].emitted) == (30, 30)
    assert (sum(task.processed for task in m), sum(task.emitted for task in m)) == (30, 30)
    assert (snapshot["f"].processed, snapshot["f"].emitted) == (30, 10)
    assert (snapshot["x"].processed, snapshot["x"].emitted) == (10, 40)
    assert (snapshot["c"].processed, snapshot["c"].emitted) == (40, 0)
    assert snapshot.queued == 0
    assert {task.state for task in snapshot} == {"idle"}
    assert session.snapshot() == snapshot
    session.end("in")
    session.wait(PATIENCE_S)
    assert [task.processed for task in session.snapshot()] == [task.processed for task in snapshot]


def test_a_broadcast_packet_counts_once_for_each_that_gets_it(make_session: MakeSession) -> None:
    session = make_session()
    source = session.source(range(10), name="s")
    source.broadcast().map(abs, name="m", parallelism=3).collect()
    source.collect()
    session.run(PATIENCE_S)
    assert session.snapshot()["s"].emitted == 10 * 3 + 10


@pytest.mark.concurrent
def test_depth_is_the_queues_own_length_by_producer(make_session: MakeSession) -> None:
    session = make_session(capacity=10)
    hold = Hold[int]()
    left, right = session.input("left"), session.input("right")
    left.union(right).map(hold, name="work").collect()
    session.start()
    session.inject("work", 0)
    hold.reached.wait()
    for number in range(3):
        session.send("left", number)
    session.send("right", 1)
    session.inject("work", 2)
    with pytest.raises(TimeoutError, match="has not settled within 0"):
        session.settle(0.05)  # `work` is in user code, so this lasts
    while any(session.snapshot()[name].depth for name in ("left", "right")):
        pass
    facts = session.snapshot()["work"]
    assert facts.state == "running"
    assert {lane.producer: lane.depth for lane in facts.lanes} == {"hand": 1, "left": 3, "right": 1}
    assert facts.depth == 5
    hold.release()
    session.stop()
    assert session.wait(PATIENCE_S).packets_out == 6


def test_facts_cannot_be_changed_and_do_not_change(make_session: MakeSession) -> None:
    session = make_session()
    session.input("in").collect()
    session.start()
    session.settle(PATIENCE_S)
    before = session.snapshot()
    session.send("in", 1)
    session.settle(PATIENCE_S)
    assert before["in"].processed == 0
    assert session.snapshot()["in"].processed == 1
    tasks: Any = before.tasks
    with pytest.raises(TypeError):
        tasks["in"] = None
    facts: Any = before["in"]
    with pytest.raises(AttributeError):
        facts.depth = 3
    changing: Any = before
    with pytest.raises(FrozenInstanceError):
        changing.state = "new"
    session.stop()
    session.wait(PATIENCE_S)


def test_settle_waits_until_all_that_is_under_way_has_arrived(make_session: MakeSession) -> None:
    session = make_session(capacity=2)
    stream = session.input("in")
    for _ in range(6):
        stream = stream.map(lambda value: value, parallelism=2)
    result = stream.collect()
    session.start()
    for number in range(50):
        session.send("in", number)
        session.settle(PATIENCE_S)
        assert len(result) == number + 1
    session.stop()
    session.wait(PATIENCE_S)


def test_settle_may_be_called_by_many_at_once(make_session: MakeSession) -> None:
    session = make_session()
    result = session.input("in").map(abs).collect()
    session.start()
    for number in range(20):
        session.send("in", number)
    threads = [threading.Thread(target=session.settle, args=(PATIENCE_S,)) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
        assert not thread.is_alive()
    assert len(result) == 20
    session.stop()
    assert session.wait(PATIENCE_S) == session.outcome
    session.settle(PATIENCE_S)


def test_a_settle_is_over_when_the_job_ends(make_session: MakeSession) -> None:
    session = make_session()
    hold = Hold[int]()
    session.source([1]).map(hold).collect()
    session.start()
    hold.reached.wait()
    waiting = threading.Thread(target=session.settle, args=(PATIENCE_S,))
    waiting.start()
    hold.release()
    waiting.join(PATIENCE_S)
    assert not waiting.is_alive()
    assert isinstance(session.wait(PATIENCE_S), runtime.Outcome)


def test_columns_say_what_the_facts_of_each_task_say(make_session: MakeSession) -> None:
    session = make_session(capacity=4)
    numbers = session.source(range(20), name="numbers").map(abs, name="spread", parallelism=2)
    numbers.key_by(lambda n: n % 3).reduce(max, name="largest", parallelism=2).collect()
    session.start(paused=True)
    for _ in range(60):
        tasks = session.snapshot().tasks
        assert tasks.columns() == TaskTable.columns(tasks)
        assert [tasks.lane_depths(name) for name in tasks] == [facts.lane_depths for facts in tasks.values()]
        if session.step().result == "idle":
            break
    session.resume()
    session.wait()
    assert session.snapshot().tasks.columns() == TaskTable.columns(session.snapshot().tasks)


def test_events_are_read_from_any_number_on(make_session: MakeSession) -> None:
    session = make_session()
    assert session.events_since(3) == (3, ())
    session.source([1, 2]).collect()
    session.run()
    everything = session.events
    assert session.events_since(0) == (len(everything), everything)
    assert session.events_since(3) == (len(everything), everything[3:])
    assert [event.number for event in everything] == list(range(len(everything)))
    assert session.events_since(len(everything) + 5) == (len(everything) + 5, ())


def test_of_very_many_events_the_last_are_kept_with_their_numbers() -> None:
    log = EventLog()
    for number in range(MAX_EVENTS + 7):
        log.add(Event("warning", "it", str(number)))
    assert len(log) == MAX_EVENTS
    behind, events = log.since(0)
    assert (behind, events[0].text, events[0].number, len(events)) == (MAX_EVENTS + 7, "7", 7, MAX_EVENTS)
    assert [event.text for event in log.since(MAX_EVENTS + 5)[1]] == [str(MAX_EVENTS + 5), str(MAX_EVENTS + 6)]


def test_a_flood_of_skips_pushes_no_other_event_out(make_session: MakeSession) -> None:
    session = make_session(on_error="skip")
    session.source(range(MAX_EVENTS + 700), name="numbers").map(lambda n: n // 0, name="divide").collect(name="end")
    session.run(PATIENCE_S)
    kinds = [event.kind for event in session.events]
    assert (kinds[0], kinds[-1], kinds.count("skip")) == ("start", "end", MAX_EVENTS)
    assert dict(session.event_counts) == {"start": 1, "skip": MAX_EVENTS + 700, "stop signal": 2, "end": 4}
    numbers = [event.number for event in session.events]
    assert numbers == sorted(numbers)
    assert len(set(numbers)) == len(numbers)


def test_a_turn_by_hand_is_an_event(session: runtime.Session) -> None:
    session.source([3], name="numbers").map(lambda n: n + n, name="double").collect(name="result")
    session.start(paused=True)
    session.step()
    session.step()
    turns = [repr(event) for event in session.events if event.kind == "turn"]
    assert turns == ["numbers: -> 3 to double", "double: 3 -> 6 to result"]
    session.resume()
