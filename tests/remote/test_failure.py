"""What goes wrong on Ray is named, ends the job, and leaves nothing."""

from __future__ import annotations

import sys
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from random import Random
from time import monotonic, sleep
from types import ModuleType
from typing import Any

import pytest

import runtime
from runtime.driver.actor_wrapper import ActorWrapper
from runtime.remote.link import AGAIN_S, MOST_MISSES, OVERDUE_S
from runtime.testing import PATIENCE_S
from tests.effort import in_turn
from tests.remote import functions as far
from tests.remote.shared import SharedHold, SharedMoment

pytestmark = pytest.mark.on_ray

NOTICED_S = 1.0
CUT_OFF_S = 10.0


def kill(session: runtime.Session, task: str) -> None:
    """Let Ray end the process of a task, as a fault would."""
    dispatcher = session._runs.started().dispatcher
    assert dispatcher is not None
    handle: Any = {**dispatcher.tasks, **dispatcher.services}[task]
    handle.kill()


@pytest.mark.parametrize("seeds", [range(3), pytest.param(range(3, 10), marks=pytest.mark.long)], ids=["0-2", "3-9"])
def test_an_actor_that_is_killed_at_any_moment_ends_the_job_by_name_and_at_once(seeds: Iterable[int]) -> None:
    assert min(map(noticed_s, seeds)) < NOTICED_S


def noticed_s(seed: int) -> float:
    """Kill one at some moment, and check what is told of it. How long that took, in seconds."""
    fate = Random(seed)
    victim, delay_s = fate.choice(["numbers", "work", "end"]), fate.random() * 0.5
    under_way = SharedMoment()
    with runtime.Session(platform="remote", capacity=fate.choice([1, 64, 1024])) as session:
        work = session.source(far.Endless(5, under_way), name="numbers").map(far.same, name="work")
        work.sink(far.same, name="end")
        session.start()
        if fate.random() < 0.7:
            under_way.wait()
        threading.Event().wait(delay_s)  # the moment is what is random here; nothing is waited for
        began = monotonic()
        kill(session, victim)
        with pytest.raises(
            runtime.TaskFailed, match=rf"'{victim}' failed: TaskLost: the process of '{victim}'"
        ) as failure:
            session.wait(PATIENCE_S)
        took_s = monotonic() - began
    assert isinstance(failure.value.__cause__, runtime.TaskLost)
    assert failure.value.outcome is not None
    assert failure.value.outcome.state == "failed"
    assert sorted(failure.value.outcome.order) == ["end", "numbers", "work"]
    assert failure.value.outcome.dropped >= 0
    return took_s


def test_an_actor_that_is_killed_with_32_calls_open_ends_the_job_at_once() -> None:
    assert min(noticed_with_calls_s() for _ in range(2)) < NOTICED_S


def noticed_with_calls_s() -> float:
    """Kill one that waits for 32 calls. How long it took to hear of that, in seconds."""
    are_open = SharedMoment()
    with runtime.Session(platform="remote") as session:
        session.source(range(100)).map(far.NeverAnswered(are_open, 32), name="ask", concurrency=32).collect()
        session.start()
        are_open.wait()
        deadline = monotonic() + PATIENCE_S
        while session.snapshot()["ask"].open != 32:  # the last one may say so in its first step, before it is counted
            assert monotonic() < deadline
            sleep(0.001)
        began = monotonic()
        kill(session, "ask")
        with pytest.raises(runtime.TaskFailed, match=r"'ask' failed: TaskLost: the process of 'ask'"):
            session.wait(PATIENCE_S)
        took_s = monotonic() - began
        assert session.outcome is not None
        assert session.outcome.packets_out == 0
    return took_s


@pytest.mark.parametrize(("delay_s", "paused"), in_turn([0.0, 0.002, 0.02, 0.1], {"running": False, "paused": True}))
def test_one_that_dies_during_the_start_ends_it_by_name(delay_s: float, paused: bool) -> None:
    session = runtime.Session(platform="remote")
    session.service("doubles", far.Doubles)
    session.source(range(1_000), name="numbers").map(far.DiesWhenMade(delay_s), name="mortal").collect()
    try:
        session.start(paused=paused)
        session.resume()
        with pytest.raises(runtime.TaskFailed, match="'mortal' failed: TaskLost"):
            session.wait(PATIENCE_S)
    except runtime.TaskLost as death:
        assert "'mortal'" in str(death)  # noqa: PT017  it may come before or after the start has returned
        assert session.status == "new"
    else:
        assert delay_s > 0
    session.close()


@pytest.mark.parametrize(("peer", "notices"), in_turn(["end", "doubles"], {"in silence": False, "as Ray says": True}))
def test_two_that_do_not_reach_each_other_end_the_job_by_name(peer: str, notices: bool) -> None:
    with runtime.Session(platform="remote", capacity=16) as session:
        session.service("doubles", far.Doubles)
        numbers = session.input("in").map(far.CutOff(peer, at=3, asks=peer == "doubles", notices=notices), name="work")
        numbers.sink(far.same, name="end")
        session.start()
        for number in range(4):
            session.send("in", number, timeout=PATIENCE_S)
        began = monotonic()
        with pytest.raises(runtime.TaskFailed, match=f"'work' failed: TaskLost: 'work' .* '{peer}', and the driver"):
            session.wait(PATIENCE_S)
        assert monotonic() - began < CUT_OFF_S


def test_one_who_takes_long_to_unpickle_is_not_taken_for_lost() -> None:
    with runtime.Session(platform="remote") as session:
        slow = session.source([1.0], name="numbers").map(_slow_to_unpickle, name="work")
        result = slow.map(far.same, name="end").collect()
        session.run(PATIENCE_S)
        assert list(result) == ["there"]


def _slow_to_unpickle(_: float) -> Any:
    return far.SlowToUnpickle(OVERDUE_S + (MOST_MISSES + 1) * AGAIN_S)


def test_the_outcome_says_whose_counts_were_lost() -> None:
    under_way = SharedMoment()
    with runtime.Session(platform="remote") as session:
        session.source(far.Endless(5, under_way), name="numbers").sink(far.same, name="end")
        session.start()
        under_way.wait()
        kill(session, "numbers")
        with pytest.raises(runtime.TaskFailed) as failure:
            session.wait(PATIENCE_S)
    outcome = failure.value.outcome
    assert outcome is not None
    assert outcome.lost == ("numbers",)
    assert repr(outcome).startswith("Outcome(failed: ")
    assert repr(outcome).endswith("counts lost with the process of numbers)")


def test_a_process_that_dies_by_itself_in_user_code_is_named() -> None:
    with runtime.Session(platform="remote") as session:
        session.source(range(100), name="numbers").map(far.die_at_5, name="mortal").collect()
        with pytest.raises(runtime.TaskFailed, match="'mortal' failed: TaskLost"):
            session.run(PATIENCE_S)
        assert session.snapshot()["mortal"].ending == "failed"
        assert any(event.kind == "error" and event.task == "mortal" for event in session.events)


def test_calls_that_wait_for_a_service_that_dies_fail_with_the_job() -> None:
    with runtime.Session(platform="remote") as session:
        session.service("doubles", far.Doubles, concurrency=2)
        session.input("numbers").map(far.Ask("doubles", "sleep", 60.0), name="ask").collect()
        session.start()
        assert session.call("doubles", 2) == 4
        session.send("numbers", 30.0)
        while session.snapshot()["ask"].state != "waiting":
            pass
        with pytest.raises(runtime.ServiceStopped):
            session.call("doubles", 0, method="die", timeout=PATIENCE_S)
        with pytest.raises(runtime.TaskFailed, match="service 'doubles' failed: TaskLost"):
            session.wait(PATIENCE_S)


def test_mail_that_is_not_taken_in_fails_the_job_though_its_sender_is_held_back() -> None:
    with runtime.Session(platform="remote", capacity=4) as session:
        session.source(far.Endless(), name="numbers").map(far.SendNonsense("end"), name="work").sink(
            far.same, name="end"
        )
        with pytest.raises(runtime.TaskFailed, match="'work' failed") as failure:
            session.run(PATIENCE_S)
    causes = list(_causes(failure.value))
    assert any("mail from 'work' to 'end' was not taken in" in str(cause) for cause in causes)
    assert isinstance(causes[-1], KeyError)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def test_one_that_does_not_take_in_mail_of_the_driver_ends_once() -> None:
    with runtime.Session(platform="remote") as session, SharedHold() as hold:
        first = session.input("numbers").map(far.same, name="first")
        first.map(far.same, name="work").sink(hold, name="end")
        session.start()
        session.send("numbers", 0)
        hold.reached.wait()
        dispatcher = session._runs.started().dispatcher
        assert dispatcher is not None
        work = dispatcher.tasks["work"]
        assert isinstance(work, ActorWrapper)
        work._job.post("work", "no such verb")
        while session.snapshot()["first"].ending is None:
            pass
        threading.Event().wait(0.2)  # for another report of `work`, if there is one
        hold.release()
        with pytest.raises(runtime.TaskFailed, match="'work' failed: TaskLost") as failure:
            session.wait(PATIENCE_S)
    assert failure.value.outcome is not None
    assert sorted(failure.value.outcome.order) == ["end", "first", "numbers", "work"]


def test_an_error_arrives_with_its_type_its_cause_and_its_traceback() -> None:
    with runtime.Session(platform="remote") as session:
        session.source(range(100)).map(far.raise_from, name="check").collect()
        with pytest.raises(runtime.TaskFailed, match="'check' failed on packet 0: LookupError: no 0") as failure:
            session.run(PATIENCE_S)
    cause = failure.value.__cause__
    assert type(cause) is LookupError
    assert isinstance(cause.__cause__, far.TooBig)
    assert (cause.__cause__.value, cause.__cause__.limit) == (11, 10)
    text = "".join(traceback.format_exception(cause))
    assert "in raise_from" in text
    assert "raise TooBig(value, 10)" in text


def test_a_class_of_the_notebook_comes_back_as_the_class_that_it_is() -> None:
    class Odd(Exception):
        pass

    def check(value: int) -> int:
        if value % 2:
            raise Odd(value)
        return value

    with runtime.Session(platform="remote", on_error="skip") as session:
        result = session.source(range(4)).map(check, name="check").collect()
        session.run(PATIENCE_S)
        assert list(result) == [0, 2]
        assert [letter.packet for letter in session.dead_letters] == [1, 3]
        assert all(type(letter.error) is Odd for letter in session.dead_letters)
        assert "raise Odd(value)" in session.dead_letters[0].traceback


@pytest.mark.parametrize(
    ("function", "kind", "text"),
    [
        (far.fail_here_only, far.LocalOnly, r"LocalOnly: \('at 0', '<lock>'\)"),
        (far.leave, SystemExit, "SystemExit"),
        (far.make_lock, TypeError, "cannot pickle '_thread.lock' object"),
    ],
    ids=["an error that cannot be pickled", "SystemExit", "a packet that cannot be pickled"],
)
def test_whatever_user_code_does_fails_its_task_by_name(function: Any, kind: type[BaseException], text: str) -> None:
    with runtime.Session(platform="remote") as session:
        session.source(range(10)).map(function, name="culprit").collect()
        with pytest.raises(runtime.TaskFailed, match=f"'culprit' failed.*{text}") as failure:
            session.run(PATIENCE_S)
        assert isinstance(failure.value.__cause__, kind)


def test_a_packet_that_cannot_be_unpickled_fails_the_task_that_gets_it() -> None:
    with runtime.Session(platform="remote") as session:
        session.source(range(10)).map(far.make_broken).sink(far.same, name="reader")
        with pytest.raises(runtime.TaskFailed, match="'reader' failed: LookupError: not in this process"):
            session.run(PATIENCE_S)


def test_a_packet_of_the_driver_that_cannot_be_pickled_fails_the_task_that_sends_it() -> None:
    packets = [1, threading.Lock()]
    with runtime.Session(platform="remote") as session:
        session.source(iter(packets), name="made").map(far.same).collect()
        session.start()
        with pytest.raises(
            runtime.TaskFailed, match=r"'made' failed: NotSendable: <lock>.*cannot pickle '_thread.lock"
        ):
            session.wait(PATIENCE_S)


@pytest.mark.parametrize(
    "circle",
    [
        {"a": partial(far.SetUpWith, "b"), "b": partial(far.SetUpWith, "a")},
        {"a": partial(far.SetUpWith, "b"), "b": partial(far.SetUpWith, "c"), "c": partial(far.SetUpWith, "a")},
        {
            "a": partial(far.SetUpWith, "ready"),
            "ready": partial(far.SetUpWith, serves_by="b"),
            "b": partial(far.SetUpWith, "a"),
        },
    ],
    ids=["two", "three", "through one that is set up"],
)
def test_services_that_call_each_other_in_a_circle_while_they_are_set_up_are_refused(
    circle: dict[str, Callable[[], Any]],
) -> None:
    with runtime.Session(platform="remote") as session:
        for name, service in circle.items():
            session.service(name, service)
        session.input("in").collect()
        session.start()
        with pytest.raises(runtime.TaskFailed, match=r"ServiceLoop: .* for the set-up of"):
            session.wait(PATIENCE_S)


def test_set_ups_that_wait_for_each_other_and_in_no_circle_are_done() -> None:
    with runtime.Session(platform="remote") as session:
        services: dict[str, Callable[[], Any]] = {
            "a": partial(far.SetUpWith, "b"),
            "b": partial(far.SetUpWith, "c", "c"),
            "c": far.SetUpWith,
        }
        for name, service in services.items():
            session.service(name, service)
        session.input("in").collect()
        session.start()
        assert session.call("a", timeout=PATIENCE_S) == "served"
        assert session.call("b", timeout=PATIENCE_S) == "served"
        session.end("in")
        assert session.wait(PATIENCE_S).state == "completed"


# ── refused before anything runs ──


def test_what_cannot_be_pickled_is_refused_by_name() -> None:
    lock = threading.Lock()
    with runtime.Session(platform="remote") as session:
        session.source(range(3)).map(lambda value: (value, lock), name="locked").collect()
        with pytest.raises(runtime.NotCopyable, match=r"'locked' runs in a process of its own.*lock.*open\(\)"):
            session.start()
        assert session.status == "new"


def test_a_module_that_the_workers_lack_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    here_only = ModuleType("here_only")
    exec("def treat(value):\n    return value\n", here_only.__dict__)
    monkeypatch.setitem(sys.modules, "here_only", here_only)
    with runtime.Session(platform="remote") as session:
        session.source(range(3)).map(here_only.treat, name="treat").collect()
        with pytest.raises(
            runtime.GraphInvalid,
            match=r"'treat' needs module 'here_only', which the workers of the.*do not have",
        ):
            session.start()
        assert session.status == "new"


def test_too_few_cpus_are_refused_with_what_is_needed_and_what_is_there() -> None:
    with runtime.Session(platform="remote", resources={"work": {"num_cpus": 10}}) as session:
        session.source(range(3)).map(far.same, name="work", parallelism=2).collect()
        with pytest.raises(runtime.GraphInvalid, match=r"needs 20 CPU \(work#0 10, work#1 10\).*cluster has 12"):
            session.start()
        assert session.status == "new"


def test_resources_are_for_operators_that_are_there_and_for_platforms_with_clusters() -> None:
    with runtime.Session(platform="remote", resources={"wrok": {"num_cpus": 1}}) as session:
        session.source(range(3)).map(far.same, name="work").collect()
        with pytest.raises(runtime.UnknownName, match=r"'wrok'.*did you mean 'work'"):
            session.start()
    with runtime.Session(resources={"work": {"num_cpus": 1}}) as session:
        session.source(range(3)).map(far.same, name="work").collect()
        with pytest.raises(runtime.GraphInvalid, match="platform='remote'"):
            session.start()


def test_a_seed_is_refused() -> None:
    with runtime.Session(platform="remote", seed=7) as session:
        session.source(range(3)).collect()
        with pytest.raises(runtime.GraphInvalid, match="seed 7 cannot order what other processes do"):
            session.start()


def test_another_clusters_address_is_refused_while_ray_is_joined_to_one() -> None:
    with runtime.Session(platform="remote", ray_address="127.0.0.1:1") as session:
        session.source(range(3)).map(far.same).collect()
        with pytest.raises(runtime.GraphInvalid, match=r"ray_address is '127.0.0.1:1', and Ray is joined to"):
            session.start()
