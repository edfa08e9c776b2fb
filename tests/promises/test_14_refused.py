"""Promise 14, where a command cannot be carried out: it is refused, and leaves no mark."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

import runtime
from runtime import CommandRefused, NotPaused, UnknownName
from runtime.testing import Hold, Moment
from tests.platforms import MakeSession
from tests.remote_rig import PATIENCE_S, in_thread
from tests.services import Calling, Echo


def commands(session: runtime.Session) -> list[str]:
    """What was done by hand, as the events tell it."""
    return [event.text for event in session.events if event.kind == "command"]


def paused(session: runtime.Session) -> list[str]:
    return [task.name for task in session.snapshot().tasks.values() if task.state == "paused"]


def line(make_session: MakeSession) -> runtime.Session:
    """in → work#0, work#1 (keyed) → result"""
    session = make_session("refused")
    work = session.input("in").key_by(abs).reduce(lambda n, _: n + 1, initial=0, name="work", parallelism=2)
    work.collect(name="result")
    return session


@pytest.mark.parametrize("command", ["pause", "resume"])
def test_a_pause_or_resume_of_an_unknown_name_touches_none_of_the_others(
    make_session: MakeSession, command: str
) -> None:
    session = line(make_session)
    session.start(paused=command == "resume")
    before, told = paused(session), commands(session)
    with pytest.raises(UnknownName, match="wrok"):
        getattr(session, command)("result", "wrok")
    assert (paused(session), commands(session)) == (before, told)


def test_after_the_end_a_pause_and_a_resume_change_and_tell_nothing(make_session: MakeSession) -> None:
    session = line(make_session)
    session.start()
    session.stop()
    session.wait()
    told = commands(session)
    session.pause()
    session.resume()
    assert (paused(session), commands(session)) == ([], told)


CHANGES: dict[str, Callable[[runtime.Session, runtime.Packet], object]] = {
    "edit": lambda session, packet: session.edit(packet, packet.payload),
    "drop": lambda session, packet: session.drop(packet),
    "move": lambda session, packet: session.move(packet, 0),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_change_that_was_refused_is_not_told_and_cannot_be_undone(
    make_session: MakeSession, change: Callable[[runtime.Session, runtime.Packet], object]
) -> None:
    session = make_session("refused")
    session.input("in").map(abs, name="work").collect(name="result")
    session.start(paused=True)
    session.send("in", 1)
    session.step("in")
    (packet,) = session.peek("work")
    session.resume("work")
    session.settle()
    told = commands(session)
    with pytest.raises((NotPaused, runtime.PacketGone)):
        change(session, packet)
    assert commands(session) == told
    with pytest.raises(CommandRefused, match="nothing was changed by hand"):
        session.undo()


def test_a_state_is_set_in_the_task_that_its_key_belongs_to_and_in_no_other(make_session: MakeSession) -> None:
    session = line(make_session)
    session.start(paused=True)
    for key in range(4):
        session.set_state("work", key, 10 * key)
    states = [session.state(f"work#{index}") for index in (0, 1)]
    assert {**states[0], **states[1]} == {0: 0, 1: 10, 2: 20, 3: 30}
    assert all(states), "each task has keys of its own"
    (foreign,) = list(states[1])[:1]
    with pytest.raises(CommandRefused, match="belongs to 'work#1'"):
        session.set_state("work#0", foreign, 7)
    assert [session.state(f"work#{index}") for index in (0, 1)] == states


def test_a_breakpoint_that_was_refused_stops_no_later_run(make_session: MakeSession) -> None:
    session = line(make_session)
    session.service("echo", Echo)
    for name in ("echo", "wrok"):
        with pytest.raises((CommandRefused, UnknownName)):
            session.breakpoint(name)
    session.start()
    session.send("in", 1)
    session.stop()
    assert session.wait().state == "stopped"
    assert not [event for event in session.events if event.kind == "warning"]


def test_who_gave_up_waiting_is_counted_as_waiting_no_more(make_session: MakeSession) -> None:
    session = line(make_session)
    session.start()
    with pytest.raises(TimeoutError):
        session.wait(0)
    assert not session.is_waited_for

    async def give_up() -> None:
        waiting = asyncio.ensure_future(session.wait_async())
        while not session.is_waited_for:
            await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    asyncio.run(give_up())
    session.settle()  # what was withdrawn before it is over by then
    assert not session.is_waited_for


def test_an_outcome_is_told_once_somebody_has_waited_for_it(make_session: MakeSession) -> None:
    session = line(make_session)
    session.start()
    session.stop()
    session.wait()
    assert session.told_outcome == session.outcome
    session.start()
    assert session.told_outcome is None


def test_an_outcome_that_nobody_has_waited_for_is_there_and_is_shown_by_no_picture(make_session: MakeSession) -> None:
    session, ended = line(make_session), Moment("the end")
    session.start()
    completion = session._runs.started().dispatcher.completion
    completion.on_end(ended.set)
    session.stop()
    ended.wait()
    assert session.outcome is not None
    assert session.told_outcome is None
    late: list[str] = []
    completion.on_end(lambda: late.append("told"))
    assert late == ["told"]
    session.settle()
    assert session.told_outcome == session.outcome


def test_a_job_that_failed_while_it_was_stopped_has_failed_and_counts_the_error_once(
    make_session: MakeSession,
) -> None:
    session = make_session("refused")

    def fail(value: int) -> int:
        raise ValueError(value)

    session.input("in").map(fail, name="work").collect(name="result")
    session.start(paused=True)
    session.send("in", 1)
    session.stop()
    session.resume()
    with pytest.raises(runtime.TaskFailed, match="work"):
        session.wait()
    outcome = session.outcome
    assert outcome is not None
    assert (outcome.state, outcome.errors, session.snapshot()["work"].errors) == ("failed", 1, 1)


def test_lanes_of_a_queue_have_their_turns(make_session: MakeSession) -> None:
    session = make_session("refused")
    first, second = session.input("first"), session.input("second")
    result = first.union(second).map(abs, name="work").collect(name="result")
    session.start(paused=True)
    for value in range(3):
        session.send("first", value)
        session.send("second", 10 + value)
    session.step("first", 3)
    session.step("second", 3)
    session.step("work", 6)
    session.resume()
    session.stop()
    session.wait()
    assert [value // 10 for value in result] == [0, 1, 0, 1, 0, 1]
    assert sorted(result) == [0, 1, 2, 10, 11, 12]


@pytest.mark.concurrent
def test_a_pause_of_a_service_outlasts_its_set_up(make_session: MakeSession) -> None:
    session = make_session("refused")
    hold = Hold[Any]()

    class Slow:
        def setup(self) -> None:
            hold(1)

        def process(self, value: int) -> int:
            return value

    session.service("slow", Slow)
    session.input("in").map(Calling("slow"), name="work").collect(name="result")
    session.start()
    hold.reached.wait()
    session.send("in", 1)
    session.pause("slow", timeout=0)
    hold.release()
    session.settle()
    facts = session.snapshot().services["slow"]
    assert (facts.depth, facts.results) == (1, 0)
    session.resume("slow")
    session.stop()
    assert session.wait().packets_out == 1


@pytest.mark.concurrent
def test_commands_are_carried_out_while_others_wait(make_session: MakeSession) -> None:
    """However many wait, in whatever order, and for however long: each is over when what it waits for is there."""
    session = make_session("refused")
    hold = Hold[int]()
    session.input("in").map(hold, name="work").collect(name="result")
    session.start()
    session.send("in", 1)
    hold.reached.wait()
    waiting = [in_thread(session.wait) for _ in range(2)]
    settling = [in_thread(session.settle) for _ in range(2)]
    while not session.is_waited_for:
        waiting[0][0].join(0.001)
    hold.release()
    for thread, found in settling:
        thread.join(PATIENCE_S)
        assert found == [None]
    assert [found for _, found in waiting] == [[], []]
    session.stop()
    for thread, found in waiting:
        thread.join(PATIENCE_S)
        assert [outcome.state for outcome in found] == ["stopped"]


@pytest.mark.concurrent
def test_nothing_is_put_in_by_hand_once_its_task_was_cancelled(make_session: MakeSession) -> None:
    """Not even where it is still in user code, and has room."""
    session = make_session("refused")
    hold = Hold[int]()
    session.input("in").map(hold, name="work").collect(name="result")
    session.start()
    session.send("in", 1)
    hold.reached.wait()
    session.cancel()
    for timeout in (0, 0.01):
        with pytest.raises(runtime.TaskEnded):
            session.inject("work", 2, timeout=timeout)
    assert len(session.peek("work")) == 0
    hold.release()
    assert session.wait().packets_in == 1


def test_a_task_that_has_gone_to_sleep_works_what_is_put_back_into_its_queue(make_session: MakeSession) -> None:
    session = make_session("refused")
    result = session.input("in").map(abs, name="work").collect(name="result")
    session.start(paused=True)
    session.send("in", 1)
    session.step("in")
    session.drop(session.peek("work")[0])
    session.resume("work")
    session.settle()
    session.pause("work")
    session.undo()
    session.resume()
    session.settle()
    assert list(result) == [1]


@pytest.mark.parametrize("parallelism", [1, 2])
def test_an_item_of_a_source_whose_key_cannot_be_told_is_named(make_session: MakeSession, parallelism: int) -> None:
    session = make_session("refused")

    def key(value: int) -> int:
        if value == 2:
            raise ValueError("no key")
        return value

    counts = session.source([1, 2, 3], name="numbers").key_by(key)
    counts.reduce(lambda n, _: n + 1, initial=0, name="count", parallelism=parallelism).collect(name="result")
    with pytest.raises(runtime.TaskFailed) as failed:
        session.run()
    assert (failed.value.task, failed.value.packet) == ("numbers", 2)


def test_a_task_ends_as_its_producers_did_also_if_the_hand_was_last(make_session: MakeSession) -> None:
    session = make_session("refused")
    session.input("in").map(abs, name="work").collect(name="result")
    session.start(paused=True)
    session.inject("work", 1)
    session.stop()
    session.step("in")
    session.step("work")  # the signal comes first: the end of one lane is not hidden by what another holds
    assert len(session.peek("work")) == 1
    session.resume()
    assert session.wait().packets_out == 1
    assert {name: task.ending for name, task in session.snapshot().tasks.items()} == {
        "in": "stopped",
        "work": "stopped",
        "result": "stopped",
    }


@pytest.mark.concurrent
def test_a_change_waits_for_the_packet_in_work(make_session: MakeSession) -> None:
    session = make_session("refused")
    hold = Hold[int]()
    result = session.input("in").map(hold, name="work").collect(name="result")
    session.start()
    session.send("in", 1)
    hold.reached.wait()
    session.send("in", 2)
    while not (waiting := session.peek("work")):
        pass
    session.pause("work", timeout=0)
    (packet,) = waiting
    dropping, found = in_thread(lambda: session.drop(packet))
    dropping.join(0.05)
    assert dropping.is_alive()
    hold.release()
    dropping.join(PATIENCE_S)
    assert found == [None]
    session.resume()
    session.stop()
    session.wait()
    assert list(result) == [1]


def test_a_packet_goes_to_every_task_that_it_is_for_and_to_no_other(make_session: MakeSession) -> None:
    session = make_session("refused")
    numbers = session.input("in")
    numbers.broadcast().map(abs, name="all", parallelism=2).collect(name="copies")
    numbers.key_by(abs).reduce(lambda n, _: n + 1, initial=0, name="keyed", parallelism=2).collect(name="counts")
    session.start(paused=True)
    session.inject("all", 1)
    assert [len(session.peek(f"all#{index}")) for index in (0, 1)] == [1, 1]
    session.inject("keyed", 1)
    (owner,) = [index for index in (0, 1) if len(session.peek(f"keyed#{index}"))]
    with pytest.raises(CommandRefused, match=f"belongs to 'keyed#{owner}'"):
        session.inject(f"keyed#{1 - owner}", 1)
    assert len(session.peek(f"keyed#{1 - owner}")) == 0
    session.cancel()


def test_a_resume_is_told_and_ends_what_kept_the_job_from_its_end(make_session: MakeSession) -> None:
    session = line(make_session)
    session.start(paused=True)
    session.send("in", 1)
    session.stop()
    with pytest.raises(runtime.JobPaused):
        session.wait()
    session.resume()
    assert session.wait().state == "stopped"
    assert commands(session)[-1] == "resume: all"
