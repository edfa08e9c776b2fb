"""A platform that was registered from outside keeps the promises: every task in a process of its own."""

from __future__ import annotations

import multiprocessing
import os
import signal
import traceback
from collections import Counter, defaultdict
from collections.abc import Iterator
from multiprocessing import resource_tracker
from pathlib import Path
from typing import Any, Final

import pytest

import runtime
from examples import process_backend
from runtime.scheduling.waiting import Until, Waiting, deadline_of
from runtime.testing import PATIENCE_S
from tests import remote_functions as far
from tests.remote_functions import RemoteMoment


def come_to_rest(session: runtime.Session, *tasks: str) -> None:
    """Wait until some tasks of a session stand still, while others may be in user code."""
    dispatcher = session._runs.started().dispatcher
    assert dispatcher is not None
    backend, handles = dispatcher.backend, [dispatcher.tasks[task] for task in tasks]

    def stand_still() -> Waiting[bool]:
        return (yield Until(lambda: backend.is_still(handles), deadline_of(PATIENCE_S)))

    assert session._runs.commands.do(stand_still)


NOBODY: Final[frozenset[int]] = frozenset()
PARALLELISMS: Final = [(1, 1), (3, 2)]


@pytest.fixture(scope="module", autouse=True)
def platform_of_processes() -> None:
    process_backend.register()
    resource_tracker.ensure_running()  # one for each Python that starts others, and it stays


@pytest.fixture
def session() -> Iterator[runtime.Session]:
    session = runtime.Session("far", platform="processes", capacity=16)
    yield session
    session.close()
    assert multiprocessing.active_children() == []


@pytest.fixture
def moments(tmp_path: Path) -> Iterator[tuple[RemoteMoment, RemoteMoment]]:
    pair = RemoteMoment(tmp_path / "reached"), RemoteMoment(tmp_path / "released")
    yield pair
    for moment in pair:
        moment.close()


@pytest.mark.parametrize(("producers", "consumers"), PARALLELISMS)
def test_every_packet_is_processed_once_in_a_process_of_its_own(
    session: runtime.Session, producers: int, consumers: int
) -> None:
    made = session.source(range(300), parallelism=producers)
    result = made.map(far.double, parallelism=producers).map(far.with_process, parallelism=consumers).collect()
    outcome = session.run(PATIENCE_S)
    assert (outcome.state, outcome.packets_in, outcome.packets_out, outcome.dropped) == ("completed", 300, 300, 0)
    assert Counter(value for value, _ in result) == Counter(range(0, 600, 2))
    processes = {process for _, process in result}
    assert len(processes) == consumers
    assert os.getpid() not in processes


@pytest.mark.parametrize(("producers", "consumers"), PARALLELISMS)
def test_order_holds_per_producer_and_consumer(session: runtime.Session, producers: int, consumers: int) -> None:
    numbers = session.source(far.NumberedSource(100), parallelism=producers)
    result = numbers.key_by(far.instance).map(far.same, parallelism=consumers).collect()
    session.run(PATIENCE_S)
    by_producer = defaultdict(list)
    for producer, number in result:
        by_producer[producer].append(number)
    assert by_producer == {producer: list(range(100)) for producer in range(producers)}


def test_equal_keys_meet_in_one_process(session: runtime.Session) -> None:
    keyed = session.source(range(210), parallelism=2).key_by(far.mod_7)
    result = keyed.reduce(far.key_and_process, initial=NOBODY, emit="end", parallelism=3).collect()
    session.run(PATIENCE_S)
    assert sorted(key for key, _ in result) == list(range(7))
    assert all(len(processes) == 1 for _, processes in result)
    assert len({process for _, processes in result for process in processes}) > 1


def test_broadcast_and_union_reach_everybody(session: runtime.Session) -> None:
    one, other = session.source(range(50)), session.source(iter(range(50, 100)))
    result = one.union(other).broadcast().map(far.double, parallelism=2).collect()
    session.run(PATIENCE_S)
    assert Counter(result) == dict.fromkeys(range(0, 200, 2), 2)


@pytest.mark.parametrize("capacity", [1, 2, 5])
def test_a_queue_never_holds_more_than_its_capacity_and_holds_its_producer_back(
    session: runtime.Session, moments: tuple[RemoteMoment, RemoteMoment], capacity: int
) -> None:
    one_too_many, released = moments
    waiting = capacity  # and there is the packet in work
    numbers = session.source(far.TellingSource(waiting + 1, one_too_many), name="numbers")
    hold = far.RemoteHold(0, released)
    result = numbers.map(hold, name="hold", capacity=capacity).take(100).collect()
    session.start()
    one_too_many.wait()
    come_to_rest(session, "numbers")
    snapshot = session.snapshot()
    assert (snapshot["numbers"].state, snapshot["numbers"].emitted) == ("held back", waiting + 1)
    assert (snapshot["hold"].state, snapshot["hold"].depth) == ("running", waiting)
    released.set()
    session.wait(PATIENCE_S)
    assert list(result) == list(range(100))


def test_settled_means_that_nothing_is_on_its_way(session: runtime.Session) -> None:
    result = session.input("numbers").map(far.double).map(far.same, parallelism=2).collect()
    session.start()
    for number in range(100):
        session.send("numbers", number)
        session.settle(PATIENCE_S)
        assert result[-1] == 2 * number
        assert session.snapshot().queued == 0
    session.end("numbers")
    assert session.wait(PATIENCE_S).packets_in == 100


def test_the_stop_signal_comes_behind_the_last_packet_and_finish_may_still_send(session: runtime.Session) -> None:
    sums = session.source(range(100), name="numbers", parallelism=2).flat_map(far.SumAtEnd(), name="sum")
    result = sums.collect(name="result")
    outcome = session.run(PATIENCE_S)
    assert list(result) == [sum(range(100))]
    assert outcome.order[2:] == ("sum", "result")
    assert sorted(outcome.order) == ["numbers#0", "numbers#1", "result", "sum"]
    assert dict(session.snapshot()["sum"].ended_producers) == {"numbers#0": "completed", "numbers#1": "completed"}


def test_stop_drains_across_processes(session: runtime.Session, moments: tuple[RemoteMoment, RemoteMoment]) -> None:
    under_way, _ = moments
    result = session.source(far.TellingSource(50, under_way)).map(far.same, parallelism=2).collect()
    session.start()
    under_way.wait()
    session.stop()
    outcome = session.wait(PATIENCE_S)
    assert outcome.state == "stopped"
    assert outcome.packets_in == outcome.packets_out == len(result) > 50
    assert sorted(result) == list(range(len(result)))


def test_a_take_that_has_enough_ends_a_source_in_another_process(session: runtime.Session) -> None:
    result = session.source(far.NumberedSource()).take(5).collect()
    assert session.run(PATIENCE_S).state == "completed"
    assert [number for _, number in result] == list(range(5))


def test_cancel_wakes_a_put_that_is_held_back_and_counts_what_it_drops(
    session: runtime.Session, moments: tuple[RemoteMoment, RemoteMoment]
) -> None:
    one_too_many, _ = moments
    numbers = session.source(far.TellingSource(4, one_too_many), name="numbers")
    numbers.sink(far.WaitForCancel(), name="slow", capacity=3)
    session.start()
    one_too_many.wait()
    come_to_rest(session, "numbers")
    session.cancel()
    outcome = session.wait(PATIENCE_S)
    assert outcome.state == "cancelled"
    assert (outcome.packets_in, outcome.packets_out, outcome.dropped) == (5, 1, 4)


def test_an_interrupt_in_the_terminal_is_for_the_driver_alone(session: runtime.Session) -> None:
    result = session.input("numbers").map(far.with_process).collect()
    session.start()
    session.send("numbers", 1)
    session.settle(PATIENCE_S)
    for process in multiprocessing.active_children():
        assert process.pid is not None
        os.kill(process.pid, signal.SIGINT)
    session.send("numbers", 2)
    session.end("numbers")
    session.wait(PATIENCE_S)
    assert [number for number, _ in result] == [1, 2]


def test_a_run_can_be_repeated(session: runtime.Session) -> None:
    result = session.source(range(20)).map(far.double).collect()
    for _ in range(2):
        session.run(PATIENCE_S)
        assert list(result) == list(range(0, 40, 2))


# ── failure ──


def test_an_error_arrives_with_its_type_its_packet_and_where_it_was_raised(session: runtime.Session) -> None:
    session.source(range(100)).map(far.at_most_10, name="check").sink(far.same)
    with pytest.raises(runtime.TaskFailed, match=r"'check' failed on packet 11: TooBig") as failure:
        session.run(PATIENCE_S)
    cause = failure.value.__cause__
    assert isinstance(cause, far.TooBig)
    assert (cause.value, cause.limit, failure.value.packet) == (11, 10, 11)
    assert traceback.extract_tb(cause.__traceback__)[-1].name == "at_most_10"
    assert failure.value.outcome is not None
    assert failure.value.outcome.state == "failed"


def test_a_failure_counts_what_it_leaves_behind(session: runtime.Session) -> None:
    session.source(range(1000)).sink(far.at_most_10)
    with pytest.raises(runtime.TaskFailed) as failure:
        session.run(PATIENCE_S)
    outcome = failure.value.outcome
    assert outcome is not None
    assert (outcome.packets_out, outcome.errors) == (12, 1)
    assert outcome.packets_in == outcome.packets_out + outcome.dropped


@pytest.mark.parametrize(
    ("function", "kind", "text"),
    [
        (far.fail_here_only, Exception, "LocalOnly: .*'at 0'"),
        (far.leave, SystemExit, "SystemExit"),
        (far.make_lock, runtime.NotSendable, "<lock> cannot travel to another process"),
    ],
    ids=["an error that cannot be pickled", "SystemExit", "a packet that cannot be pickled"],
)
def test_whatever_user_code_does_fails_its_task_by_name(
    session: runtime.Session, function: Any, kind: type[BaseException], text: str
) -> None:
    session.source(range(10)).map(function, name="culprit").sink(far.same)
    with pytest.raises(runtime.TaskFailed, match=f"'culprit' failed.*{text}") as failure:
        session.run(PATIENCE_S)
    assert isinstance(failure.value.__cause__, kind)


@pytest.mark.parametrize("consumer_is_far", [True, False])
def test_a_packet_that_cannot_be_unpickled_fails_the_task_that_gets_it(
    session: runtime.Session, consumer_is_far: bool
) -> None:
    broken = session.source(range(10)).map(far.make_broken)
    if consumer_is_far:
        broken.sink(far.same, name="reader")
    else:
        broken.collect(name="reader")
    with pytest.raises(runtime.TaskFailed, match="'reader' failed: LookupError: not in this process"):
        session.run(PATIENCE_S)


def test_the_death_of_a_process_fails_the_job_and_names_the_task(session: runtime.Session) -> None:
    numbers = session.source(far.NumberedSource(), name="numbers")
    numbers.map(far.instance_number).map(far.die, name="mortal").sink(far.same)
    with pytest.raises(runtime.TaskFailed, match=r"'mortal'.*has died, and what it held is lost") as failure:
        session.run(PATIENCE_S)
    lost = failure.value.__cause__
    assert isinstance(lost, runtime.TaskLost)
    assert str(lost.__cause__) == "the process of 'mortal' died with exit code -9"
    outcome = failure.value.outcome
    assert outcome is not None
    assert (outcome.state, len(outcome.order)) == ("failed", 4)


def test_what_cannot_be_pickled_is_refused_by_name_before_anything_runs(session: runtime.Session) -> None:
    session.source(range(3)).map(lambda value: value, name="anonymous").sink(far.same)
    with pytest.raises(runtime.NotCopyable, match=r"'anonymous' runs in a process of its own.*lambda"):
        session.start()
    assert session.status == "new"
    assert multiprocessing.active_children() == []


def test_a_task_that_is_stuck_is_killed_by_close(
    session: runtime.Session, moments: tuple[RemoteMoment, RemoteMoment]
) -> None:
    reached, _ = moments
    session.source(range(3)).sink(far.Stuck(reached), name="stuck")
    session.start()
    reached.wait()
    with pytest.warns(RuntimeWarning, match="'stuck'"):
        session.close(timeout=0.5)  # in which the others end
    assert session.outcome is not None
    assert session.outcome.abandoned == ("stuck",)
    assert multiprocessing.active_children() == []


# ── what a person does to it ──


def test_packets_are_put_in_seen_changed_and_stepped_by_hand(session: runtime.Session) -> None:
    result = session.input("numbers").map(far.double, name="double").collect(name="result")
    session.start()
    session.pause("double")
    session.inject("double", 1)
    session.send("numbers", 2)
    session.send("numbers", 3)
    session.settle(PATIENCE_S)
    assert [packet.payload for packet in session.peek("double")] == [1, 2, 3]
    session.edit(session.peek("double")[1], 20)
    session.drop(session.peek("double")[2])
    assert [packet.payload for _, packet in session.step("double").sent] == [2]
    session.undo()
    assert [packet.payload for packet in session.peek("double")] == [20, 3]
    session.resume("double")
    session.end("numbers")
    outcome = session.wait(PATIENCE_S)
    assert list(result) == [2, 40, 6]
    assert outcome.packets_in == outcome.packets_out


def test_a_service_in_a_process_of_its_own_answers_all_others(session: runtime.Session) -> None:
    session.service("where", far.Where)
    result = session.source(range(20)).map(far.AsksWhere(), parallelism=2).collect()
    session.run(PATIENCE_S)
    assert sorted(number for number, _, _ in result) == list(range(20))
    assert len({service for _, _, service in result}) == 1
    assert len({caller for _, caller, _ in result} | {service for _, _, service in result} | {os.getpid()}) == 4
