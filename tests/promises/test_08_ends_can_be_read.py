"""Promise 8: the order in which tasks ended, and which of a task's producers have, can be read while it happens."""

from __future__ import annotations

import pytest

import runtime
from runtime.testing import PATIENCE_S
from tests.platforms import MakeSession


def test_which_producers_have_ended_so_far_can_be_read_while_it_happens(make_session: MakeSession) -> None:
    session = make_session()
    names = ("a", "b", "c")
    streams = [session.input(name) for name in names]
    streams[0].union(*streams[1:]).map(lambda value: value, name="work").collect(name="end")
    session.start()
    ended: list[str] = []
    for name in ("b", "c"):
        session.end(name)
        session.settle(PATIENCE_S)
        ended.append(name)
        snapshot = session.snapshot()
        assert [producer for producer, _ in snapshot["work"].ended_producers] == ended
        assert {lane.producer: lane.ended for lane in snapshot["work"].lanes} == {
            "hand": None,
            **{each: "completed" if each in ended else None for each in names},
        }
        assert snapshot.order == tuple(ended)
        assert [task.state for task in snapshot] == ["ended" if each in ended else "idle" for each in names] + [
            "idle"
        ] * 2
        assert session.status == "running"
        assert session.events[-1].text in ("completed", f"received completed from {name}: {len(ended)} of 3")
    session.stop()
    outcome = session.wait(PATIENCE_S)
    assert outcome.order == ("b", "c", "a", "work", "end")
    assert session.snapshot()["work"].ended_producers == (("b", "completed"), ("c", "completed"), ("a", "stopped"))
    assert (outcome.state, session.snapshot()["end"].ending) == ("stopped", "stopped")


def test_tasks_end_behind_their_producers(make_session: MakeSession) -> None:
    session = make_session()
    source = session.source(range(100), name="numbers", parallelism=3)
    left, right = source.map(lambda value: value, parallelism=2, name="left"), source.filter(bool, name="right")
    left.union(right).map(lambda value: value, parallelism=2, name="joined").collect(name="end")
    outcome = session.run(PATIENCE_S)
    place = {task: number for number, task in enumerate(outcome.order)}
    graph = session.graph
    for edge in graph.edges:
        for producer in graph.tasks(edge.source):
            assert all(place[producer] < place[consumer] for consumer in graph.tasks(edge.target))


def test_the_events_tell_the_life_of_a_job_in_order(make_session: MakeSession) -> None:
    session = make_session()
    session.source([1], name="numbers").collect(name="end")
    session.run(PATIENCE_S)
    assert [repr(event) for event in session.events] == [
        "job: started, 2 tasks",
        "numbers: completed",
        "end: received completed from numbers: 1 of 1",
        "end: completed",
        "job: completed",
    ] or [repr(event) for event in session.events] == [
        "job: started, 2 tasks",
        "end: received completed from numbers: 1 of 1",
        "numbers: completed",
        "end: completed",
        "job: completed",
    ]
    times = [event.at_s for event in session.events]
    assert all(at_s >= 0 for at_s in times)


@pytest.mark.also_remote
def test_a_warning_that_a_task_logs_becomes_an_event(make_session: MakeSession) -> None:
    class Warns(runtime.Function[int, int]):
        def process(self, value: int, /) -> int:
            self.ctx.logger.warning("%d is odd", value)
            self.ctx.logger.info("nobody hears this")
            return value

    session = make_session()
    session.source([1], name="numbers").map(Warns(), name="work").collect()
    session.run(PATIENCE_S)
    assert [repr(event) for event in session.events if event.kind == "warning"] == ["work: 1 is odd"]


def test_facts_have_stable_texts(make_session: MakeSession) -> None:
    session = make_session("facts", capacity=5)
    session.source(range(1200), name="numbers").map(lambda value: value, name="work").collect(name="end")
    assert repr(session.snapshot()) == "Snapshot(new: 0 tasks, 0 ended, 0 packets queued)"
    outcome = session.run(PATIENCE_S)
    snapshot = session.snapshot()
    assert repr(outcome) == "Outcome(completed: 1,200 in, 1,200 out)"
    assert repr(snapshot) == "Snapshot(completed: 3 tasks, 3 ended, 0 packets queued)"
    assert repr(snapshot["work"]) == "work: completed, queue 0 of 5, 1,200 in, 1,200 out"
    assert repr(snapshot["numbers"]) == "numbers: completed, 1,200 in, 1,200 out"
    assert repr(session) == "Session('facts', completed: 3 operators, 3 tasks)"
    assert str(session).splitlines()[:2] == ["facts: completed", "  numbers  source → work (round robin)"]
