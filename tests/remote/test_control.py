"""The hand reaches into actors: it answers while user code is busy, and nothing is lost by it."""

from __future__ import annotations

from time import perf_counter
from typing import Any

import pytest

import runtime
from runtime.testing import PATIENCE_S, FaultInjector, as_test
from tests.remote import functions as far
from tests.remote.shared import SharedHold

pytestmark = pytest.mark.on_ray

ANSWERS_S = 0.1


def test_pause_and_peek_answer_while_user_code_is_busy_within_100_ms_where_nothing_else_holds_them_up() -> None:
    with runtime.Session(platform="remote", capacity=64) as session, SharedHold(lambda value: value == 1) as hold:
        session.source(far.Endless(), name="numbers").map(hold, name="busy").sink(far.same)
        session.start()
        hold.reached.wait()
        while session.snapshot()["numbers"].state != "held back":
            pass
        paused, peeked, queues = [], [], []
        for _ in range(20):  # other processes take both cores for longer than that, but not each time
            began = perf_counter()
            assert session.pause("busy", timeout=0) == ("busy",)
            paused.append(perf_counter() - began)
            began = perf_counter()
            queues.append(session.peek("busy"))
            peeked.append(perf_counter() - began)
            session.resume("busy")
        assert min(paused) < ANSWERS_S
        assert min(peeked) < ANSWERS_S
        payloads = [packet.payload for packet in queues[-1]]
        # The one in work is shown if others were taken with it, and the last one may still be on its way.
        assert payloads[:2] in ([1, 2], [2, 3])
        assert payloads == list(range(payloads[0], payloads[0] + len(payloads)))
        assert len(payloads) in (63, 64)
        session.pause("busy", timeout=0)
        hold.release()
        session.settle(PATIENCE_S)
        assert session.snapshot()["busy"].state == "paused"
        assert session.peek("busy")[0].payload == 2
        session.cancel()


def test_a_snapshot_shows_true_depths_per_lane_and_the_node_of_each_task() -> None:
    with runtime.Session(platform="remote", capacity=8) as session:
        one, other = session.source(range(3), name="one"), session.source(range(20), name="other")
        one.union(other).map(far.same, name="work").collect()
        session.start(paused=True)
        session.resume("one")
        session.resume("other")
        session.settle(PATIENCE_S)
        snapshot = session.snapshot()
        assert snapshot["work"].lane_depths == (0, 3, 4)
        assert snapshot["work"].producers == ("hand", "one", "other")
        assert (snapshot["one"].state, snapshot["other"].state) == ("ended", "held back")
        assert snapshot["work"].node is not None
        assert snapshot["collect"].node is None
        session.resume()
        assert session.wait(PATIENCE_S).packets_out == 23


def test_steps_are_those_of_the_local_platform() -> None:
    def steps(platform: str) -> list[str]:
        with runtime.Session(platform=platform) as session:
            numbers = session.source(range(3), name="numbers").map(far.double, name="double")
            numbers.filter(bool, name="some").collect(name="end")
            session.start(paused=True)
            taken = [str(step) for step in session.step_through(lambda step: False, timeout=PATIENCE_S)]
            session.resume()
            session.wait(PATIENCE_S)
            return taken

    assert steps("remote") == steps("local")


def test_a_breakpoint_stops_the_job_before_its_packet_and_a_tap_shows_what_passes() -> None:
    with runtime.Session(platform="remote") as session:
        result = session.source(range(50), name="numbers").map(far.double, name="double").collect()
        session.start(paused=True)
        stop = session.breakpoint("double", lambda value: value == 7)
        with session.tap("double") as seen:
            session.resume()
            assert stop.wait(PATIENCE_S).payload == 7
            session.settle(PATIENCE_S)
            assert list(result)[:7] == [0, 2, 4, 6, 8, 10, 12][: len(result)]
            assert seen.packets == list(range(7))
            assert session.peek("double")[0].payload == 7
            stop.remove()
            session.resume()
            session.wait(PATIENCE_S)
        assert list(result) == list(range(0, 100, 2))


def test_packets_are_put_in_changed_and_remembered_by_hand() -> None:
    with runtime.Session(platform="remote", capacity=4) as session:
        counts = session.input("words").key_by(str.lower).reduce(_count, initial=0, name="count", parallelism=2)
        result = counts.collect()
        session.start()
        session.inject("count", "be")
        session.settle(PATIENCE_S)
        session.pause("count")
        assert session.state("count") == {"be": 1}
        session.set_state("count", "be", 5)
        session.inject("count", "Be")
        task = next(f"count#{index}" for index in range(2) if session.peek(f"count#{index}"))
        (packet,) = session.peek(task)
        session.edit(packet, "BE")
        session.drop(packet)
        session.undo()
        session.resume()
        session.end("words")
        session.wait(PATIENCE_S)
        assert list(result) == [("be", 1), ("be", 6)]


def test_a_queue_is_filled_by_hand_up_to_its_capacity_and_no_further() -> None:
    with runtime.Session(platform="remote", capacity=4) as session:
        result = session.input("in").map(far.double, name="double").collect()
        session.start()
        session.pause("double")
        for number in range(3):  # one place stays the producer's
            session.inject("double", number)
        with pytest.raises(runtime.QueueFull):
            session.inject("double", 3)
        session.send("in", 3)
        session.settle(PATIENCE_S)
        assert session.snapshot()["double"].lane_depths == (3, 1)
        session.resume()
        session.inject("double", 4, timeout=PATIENCE_S)
        session.end("in")
        session.wait(PATIENCE_S)
        assert sorted(result) == [0, 2, 4, 6, 8]


def test_a_broadcast_by_hand_reaches_every_instance_or_none() -> None:
    with runtime.Session(platform="remote", capacity=2) as session:
        result = session.input("in").broadcast().map(far.same, name="each", parallelism=2).collect()
        session.start()
        session.pause("each")
        session.inject("each#0", 1)
        with pytest.raises(runtime.QueueFull):
            session.inject("each", 2)
        assert [session.snapshot()[task].depth for task in ("each#0", "each#1")] == [1, 0]
        session.resume("each#0")
        session.settle(PATIENCE_S)
        session.inject("each", 3)
        session.resume()
        session.end("in")
        session.wait(PATIENCE_S)
        assert sorted(result) == [1, 3, 3]


def test_what_was_injected_is_taken_back_from_an_actor_while_it_waits_or_the_actor_is_named() -> None:
    with runtime.Session(platform="remote", capacity=4) as session:
        result = session.input("in").map(far.double, name="double").collect()
        session.start()
        session.inject("double", 1)
        session.settle(PATIENCE_S)
        with pytest.raises(runtime.PacketGone, match="it has been taken by 'double' already"):
            session.undo()
        session.pause()
        for number in (2, 3, 4):
            session.inject("double", number)
        with pytest.raises(runtime.QueueFull):
            session.inject("double", 5)
        session.inject("in", 6)
        session.undo()
        session.undo()
        session.inject("double", 7)  # in the place that is free again
        told = [(event.task, event.text, event.arrived) for event in session.events if "inject" in event.text]
        assert told == [
            *(("double", f"inject: {number}", (number - 1,)) for number in (1, 2, 3, 4)),
            ("in", "inject: 6", (0,)),
            ("in", "undo of inject: 6", ()),
            ("double", "undo of inject: 4", ()),
            ("double", "inject: 7", (4,)),
        ]
        session.resume()
        session.end("in")
        outcome = session.wait(PATIENCE_S)
        assert list(result) == [2, 4, 6, 14]
        assert (outcome.packets_in, outcome.packets_out, outcome.dropped) == (4, 4, 0)


def test_what_was_injected_into_several_processes_is_not_taken_back_which_is_said_and_how_it_is_done() -> None:
    with runtime.Session(platform="remote", capacity=4) as session:
        result = session.input("in").broadcast().map(far.same, name="each", parallelism=2).collect()
        session.start(paused=True)
        session.inject("each#1", 1)
        session.inject("each", 2)
        assert (session.events[-1].task, session.events[-1].arrived) == ("each", (0, 1))
        with pytest.raises(
            runtime.CommandRefused, match=r"'each#0', 'each#1'.*in one step; drop\(\) it from each of them"
        ):
            session.undo()
        session.undo()  # of the change before
        assert [len(session.peek(task)) for task in ("each#0", "each#1")] == [1, 1]
        session.resume()
        session.end("in")
        outcome = session.wait(PATIENCE_S)
        assert (sorted(result), outcome.packets_in) == ([2, 2], 2)


def test_what_was_done_by_hand_becomes_a_test_of_the_same_platform_and_cannot_go_back() -> None:
    with runtime.Session("by hand", platform="remote") as session:
        session.source(range(4), name="numbers").map(far.double, name="double").collect(name="result")
        session.start(paused=True)
        session.step("numbers")
        session.edit(session.peek("double")[0], 50)
        with pytest.raises(runtime.CommandRefused, match=r'on Ray run again, with platform="local"'):
            session.back()
        with pytest.raises(runtime.CommandRefused, match=r"under a seed alone"):
            session.goto(1)
        session.resume()
        session.wait(PATIENCE_S)
        written = as_test(session)
    assert "runtime.Session(platform='remote')" in written
    assert "[100, 2, 4, 6]" in written
    names: dict[str, Any] = {}
    exec(compile(written, "<written>", "exec"), names)
    names["test_what_was_seen"]()


def test_dead_letters_come_with_the_error_as_it_was_and_are_retried() -> None:
    with runtime.Session(platform="remote", on_error="skip") as session:
        result = session.input("numbers").map(far.at_most_10, name="check").collect()
        session.start()
        session.send("numbers", 11)
        session.settle(PATIENCE_S)
        (letter,) = session.dead_letters
        assert isinstance(letter.error, far.TooBig)
        assert (letter.packet, letter.error.value, letter.error.limit) == (11, 11, 10)
        assert "in at_most_10" in letter.traceback
        session.dead_letters.retry(letter)
        session.settle(PATIENCE_S)
        assert (len(session.dead_letters), session.dead_letters.total) == (1, 2)
        session.end("numbers")
        assert session.wait(PATIENCE_S).skipped == 2
        assert list(result) == []


# ── services ──


def test_a_service_is_called_by_the_notebook_by_tasks_and_by_services() -> None:
    with runtime.Session(platform="remote") as session:
        session.service("doubles", far.Doubles)
        session.service("asks", far.AsksDoubles)
        result = session.input("numbers").map(far.Ask("asks"), name="ask").collect()
        session.start()
        assert session.call("doubles", 4) == 8
        assert session.services["asks"](5) == 11
        session.send("numbers", 6)
        session.end("numbers")
        assert session.wait(PATIENCE_S).state == "completed"
        assert list(result) == [13]
        facts = session.snapshot().services["doubles"]
        assert (facts.received, facts.results, facts.ending) == (3, 3, "completed")


def test_every_call_ends_with_an_answer_an_error_or_a_timeout() -> None:
    with runtime.Session(platform="remote") as session:
        session.service("doubles", far.Doubles)
        session.input("numbers").map(far.AskMany(), name="many").collect(name="answers")
        session.start()
        with pytest.raises(far.TooBig) as failure:
            session.call("doubles", 3, method="fail")
        assert (failure.value.value, failure.value.limit) == (3, 10)
        with pytest.raises(runtime.ServiceTimeout, match=r"has not answered 'hand' within 0\.0\d* s"):
            session.call("doubles", 0.3, method="sleep", timeout=0.05)
        with pytest.raises(runtime.WrongArguments):
            session.call("doubles", 1, 2, 3)
        with pytest.raises(runtime.UnknownName, match="'cuont'"):
            session.call("doubles", method="cuont")
        session.send("numbers", 100)
        session.end("numbers")
        session.wait(PATIENCE_S)
        assert session.call is not None
        with pytest.raises(runtime.ServiceStopped):
            session.call("doubles", 1)


def test_a_paused_service_refuses_the_notebook_and_holds_a_task_whose_time_stands_still() -> None:
    with runtime.Session(platform="remote") as session:
        session.service("doubles", far.Doubles)
        result = session.input("numbers").map(far.Ask("doubles", timeout=1), name="ask").collect()
        session.start()
        assert session.call("doubles", 1) == 2
        session.pause("doubles")
        with pytest.raises(runtime.ServicePaused):
            session.call("doubles", 1)
        session.send("numbers", 7)
        session.settle(PATIENCE_S)
        began = perf_counter()
        while perf_counter() - began < 1.1:  # longer than the call may take
            assert session.snapshot()["ask"].state == "waiting"
        assert str(session.peek("doubles")[0]) is not None
        step = session.step("doubles", timeout=PATIENCE_S)
        assert step.packet is not None
        assert step.packet.text == "process(7)"
        session.resume()
        session.end("numbers")
        session.wait(PATIENCE_S)
        assert list(result) == [14]


class _AddOne:
    """An interceptor: adds one to every answer."""

    def __call__(self, invocation: Any) -> Any:
        return invocation.proceed() + 1


def test_interceptors_see_every_request_where_the_service_runs() -> None:
    with runtime.Session(platform="remote") as session:
        session.service("doubles", far.Doubles)
        session.intercept(_AddOne())
        remove = session.intercept(FaultInjector(errors=1.0))
        session.start()
        with pytest.raises(runtime.testing.InjectedFault):
            session.call("doubles", 1)
        remove()
        assert session.call("doubles", 1) == 3
        session.stop()
        session.wait(PATIENCE_S)


def _count(number: int, _: str) -> int:
    return number + 1
