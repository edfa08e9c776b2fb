"""Promise 14: pause and step never lose, double or reorder a packet, and say exactly what they did."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from itertools import count, pairwise
from random import Random
from typing import Any

import pytest

import runtime
from runtime import JobPaused, NotPaused, ServicePaused
from runtime.python.interactive import by_person
from runtime.testing import PATIENCE_S, Hold, Moment
from tests.error_texts import DIVIDED_BY_ZERO
from tests.pairs import of_every_seed
from tests.platforms import MakeSession
from tests.services import Calling, Echo, InTask

JOB_S = 1.0
"""As long as a call may take where its time stands still: far longer than one takes on a busy machine."""


def texts(session: runtime.Session, task: str | None = None) -> list[str]:
    """Step until there is nothing to do; what the steps say."""
    told = []
    while (step := session.step(task)).result != "idle":
        told.append(str(step))
    return told


# ── pause ──


@pytest.mark.concurrent
@pytest.mark.parametrize("policy", ["fail", "skip"])
def test_a_pause_within_a_batch_takes_effect_behind_the_packet_in_user_code(
    make_session: MakeSession, policy: runtime.graph.policy.OnError
) -> None:
    session = make_session(on_error=policy)
    hold = Hold[int](lambda value: value == 500)
    result = session.source(range(1000), name="numbers").map(hold, name="work").collect()
    session.start()
    hold.reached.wait()  # batches have grown by now
    assert session.pause("work", timeout=0) == ("work",)
    hold.release()
    assert session.pause("work") == ()
    assert session.snapshot()["work"].processed == 501
    waiting = session.peek("work", 1)
    assert waiting[0].payload == 501
    session.resume()
    session.wait(PATIENCE_S)
    assert list(result) == list(range(1000))


@pytest.mark.concurrent
def test_a_pause_returns_when_user_code_does(make_session: MakeSession) -> None:
    session = make_session()
    hold = Hold[int]()
    session.input("in").map(hold, name="work").collect(name="out")
    session.start()
    session.send("in", 1)
    hold.reached.wait()
    found: list[tuple[str, ...]] = []
    helper = threading.Thread(target=lambda: found.append(session.pause(timeout=PATIENCE_S)))
    helper.start()
    assert session.pause(timeout=0.01) == ("work",)
    hold.release()
    helper.join(PATIENCE_S)
    assert found == [()]
    assert session.peek("out").depth in (0, 1)
    session.cancel()


def test_on_a_paused_task_depth_and_peek_are_exact_from_both_ends(session: runtime.Session) -> None:
    session.input("in").map(abs, name="work").collect()
    session.start(paused=True)
    for number in range(250):
        session.inject("work", number)
    assert [packet.payload for packet in session.peek("work")] == list(range(100))
    assert [packet.payload for packet in session.peek("work", 2, 3)] == [0, 1, 247, 248, 249]
    assert [packet.payload for packet in session.peek("work", 0, 1)] == [249]
    assert [packet.payload for packet in session.peek("work", 1000, 1000)] == list(range(250))
    assert repr(session.peek("work", 2, 1)) == "QueueView(work, 250 of 1,024: 0, 1, … 247 more, 249)"
    assert session.peek("work").depth == session.snapshot()["work"].depth == 250
    session.cancel()


def test_a_paused_task_reads_paused_whether_something_waits_for_it_or_not(session: runtime.Session) -> None:
    session.service("echo", Echo)
    session.input("in").map(abs, name="work").collect(name="out")
    session.start()
    session.settle(PATIENCE_S)
    session.pause()
    session.inject("work", 1)
    snapshot = session.snapshot()
    assert {task.state for task in snapshot} == {"paused"}
    assert snapshot.services["echo"].state == "paused"
    session.resume()
    session.settle(PATIENCE_S)
    assert {task.state for task in session.snapshot()} == {"idle"}
    session.cancel()


def test_one_paused_operator_holds_nobody_else(session: runtime.Session) -> None:
    numbers = session.input("in")
    left = numbers.map(abs, name="left").collect(name="left_out")
    right = numbers.map(abs, name="right", parallelism=2).collect(name="right_out")
    session.start()
    assert session.pause("right") == ()
    for number in range(6):
        session.send("in", number)
    session.settle(PATIENCE_S)
    assert list(left) == list(range(6))
    assert list(right) == []
    assert repr(session.peek("right")) == "QueueView(right, 6 of 2,048: 0, 2, 4, 1, 3, 5)"
    session.resume("right#0")
    session.settle(PATIENCE_S)
    assert list(right) == [0, 2, 4]
    session.resume("right")
    session.end("in")
    session.wait(PATIENCE_S)
    assert sorted(right) == list(range(6))


@pytest.mark.parametrize("capacity", [1, 3, 64])
@of_every_seed(4)
def test_any_pauses_steps_and_edits_lose_double_and_reorder_nothing(
    make_session: MakeSession, capacity: int, seed: int
) -> None:
    rng = Random(f"{capacity}/{seed}")
    session = make_session(capacity=capacity)
    result = (
        session.source(lambda: iter(range(200)), name="numbers")
        .flat_map(lambda value: (value, value + 0.5), name="twice")
        .map(lambda value: value, name="work")
        .collect(name="out")
    )
    names = ("numbers", "twice", "work", "out")
    session.start(paused=rng.random() < 0.5)
    for _ in range(60):
        match rng.randrange(6):
            case 0:
                session.pause(*rng.sample(names, rng.randrange(4)))
            case 1:
                session.resume(*rng.sample(names, rng.randrange(4)))
            case 2:
                _try(session.step)
            case 3:
                _try(session.step, rng.choice(names))
            case 4:
                name = rng.choice(names[1:])
                for packet in session.peek(name, 1):
                    _try(session.edit, packet, packet.payload)
            case _:
                for packet in session.peek(rng.choice(names[1:]), 1):
                    if _try(session.drop, packet):
                        _try(session.undo)
    session.pause()
    session.resume()
    outcome = session.wait(PATIENCE_S)
    # What was dropped, and could not be put back since its producer had filled its place, is missing and counted.
    assert outcome.packets_in == 200
    assert 400 - 2 * outcome.dropped <= len(result) <= 400 - outcome.dropped
    assert all(before < after for before, after in pairwise(result))
    assert set(result) <= {number / 2 for number in range(400)}


def _try(command: Any, *arguments: Any) -> bool:
    try:
        command(*arguments)
    except (runtime.CommandRefused, runtime.QueueFull):
        return False
    return True


# ── who has the turn ──


def test_without_a_name_the_deepest_has_the_turn_then_graph_order_then_index_and_sources_last(
    session: runtime.Session,
) -> None:
    numbers = session.source([1], name="numbers")
    typed = session.input("typed")
    numbers.union(typed).map(abs, name="work", parallelism=2).collect(name="out")
    typed.map(abs, name="other").collect(name="other_out")
    session.start(paused=True)
    for target in ("typed", "work#1", "work#0", "other", "other_out", "out"):
        session.inject(target, 7)
    told = [session.step().task for _ in range(9)]
    assert told == ["out", "other_out", "work#0", "out", "work#1", "out", "other", "other_out", "typed"]
    session.cancel()


def test_a_source_has_the_turn_only_if_nothing_is_queued(session: runtime.Session) -> None:
    session.source([1, 2], name="numbers").map(abs, name="work").collect(name="out")
    session.start(paused=True)
    assert texts(session) == [
        "numbers: -> 1 to work",
        "work: 1 -> 1 to out",
        "out: 1",
        "numbers: -> 2 to work",
        "work: 2 -> 2 to out",
        "out: 2",
        "numbers: ended (completed)",
        "work: stop from numbers (completed), ended (completed)",
        "out: stop from work (completed), ended (completed)",
    ]
    assert session.wait(PATIENCE_S).state == "completed"


def test_a_running_task_cannot_be_stepped_and_an_idle_one_has_nothing_to_take(session: runtime.Session) -> None:
    session.input("in").map(abs, name="work").collect(name="out")
    session.start()
    for task in (None, "work"):
        with pytest.raises(NotPaused, match=r"pause\("):
            session.step(task)
    session.pause("out")
    with pytest.raises(NotPaused, match=r"'work' is not paused.*pause\('work'\) first"):
        session.step("work")
    step = session.step("out")
    assert (step.result, str(step), repr(step)) == (
        "idle",
        "out: idle, nothing to take",
        "Step(out: idle, nothing to take)",
    )
    assert repr(session.step()) == "Step(idle: nobody can take a turn)"
    session.cancel()


def test_n_steps_are_a_list_and_step_through_ends_where_it_is_asked_to(session: runtime.Session) -> None:
    session.source(range(5), name="numbers").map(lambda value: value * 2, name="double").collect(name="out")
    session.start(paused=True)
    assert [str(step) for step in session.step("numbers", 2)] == ["numbers: -> 0 to double", "numbers: -> 1 to double"]
    one: list[runtime.Step] = session.step("double", n=1)  # one, too, once a number is given
    assert list(map(str, one)) == ["double: 0 -> 0 to out"]
    steps = session.step_through(lambda step: step.packet is not None and step.packet.payload == 4)
    assert str(steps[-1]) == "out: 4"
    with pytest.raises(runtime.GraphInvalid, match="n of step is 0"):
        session.step(None, 0)
    session.cancel()


# ── what a step says ──


def test_steps_of_filter_flat_map_and_keyed_reduce(session: runtime.Session) -> None:
    (
        session.source(["to be", ""], name="lines")
        .filter(bool, name="full")
        .flat_map(str.split, name="split")
        .key_by(len)
        .reduce(lambda n, _: n + 1, initial=0, name="count", emit="end")
        .collect(name="result")
    )
    session.start(paused=True)
    assert texts(session) == [
        "lines: -> 'to be' to full",
        "full: 'to be' -> 'to be' to split",
        "split: 'to be' -> 'to' [key 2], 'be' [key 2] to count",
        "count: 'to' [key 2] -> nothing",
        "count: 'be' [key 2] -> nothing",
        "lines: -> '' to full",
        "full: '' -> nothing",
        "lines: ended (completed)",
        "full: stop from lines (completed), ended (completed)",
        "split: stop from full (completed), ended (completed)",
        "count: stop from split (completed) -> (2, 2) to result; ended (completed)",
        "result: (2, 2)",
        "result: stop from count (completed), ended (completed)",
    ]


def test_steps_of_a_join_and_of_co_map(session: runtime.Session) -> None:
    left, right = session.input("left"), session.input("right")
    left.key_by(len).join(right.key_by(abs), lambda a, b: (a, b), name="join").collect(name="pairs")
    left.connect(right).map(str.upper, abs, name="both").collect(name="either")
    session.start(paused=True)
    session.inject("join", "to", input=0)
    session.inject("join", 2, input=1)
    session.inject("both", "x", input=0)
    session.inject("both", -1, input=1)
    assert texts(session) == [
        "join: 'to' [key 2] on input 0 -> nothing",
        "join: 2 [key 2] on input 1 -> ('to', 2) to pairs",
        "pairs: ('to', 2)",
        "both: 'x' on input 0 -> 'X' to either",
        "either: 'X'",
        "both: -1 on input 1 -> 1 to either",
        "either: 1",
    ]
    session.cancel()


@pytest.mark.also_remote
def test_steps_of_a_service_request_with_an_answer_and_with_an_error(session: runtime.Session) -> None:
    session.service("echo", Echo)
    session.input("in").map(Calling("echo"), name="ask").collect(name="out")
    session.input("bad").map(Calling("echo", method="fail"), name="fail", on_error="skip").collect(name="none")
    session.start(paused=True)
    session.inject("ask", 5)
    session.inject("fail", "not an error")
    assert session.step("ask").result == "waiting"
    assert str(session.step("ask")) == "ask: 5 waiting for a reply"
    assert repr(session.peek("echo")) == "QueueView(echo, 1 of 1,024: process(5))"
    assert texts(session) == [
        "echo: process(5) -> 5 to ask",
        "ask: 5 -> 5 to out",
        "out: 5",
        "fail: 'not an error' waiting for a reply",
        "echo: fail('not an error') raised: TypeError: exceptions must derive from BaseException",
        "fail: 'not an error' skipped: TypeError: exceptions must derive from BaseException",
    ]
    session.cancel()


@pytest.mark.parametrize("policy", ["fail", "skip", runtime.Retry(2, 0.001, then="skip")], ids=repr)
def test_a_failing_packet_is_told_with_its_error_and_the_job_goes_on_as_its_policy_says(
    make_session: MakeSession, policy: runtime.graph.policy.OnError
) -> None:
    session = make_session()
    session.input("in").map(lambda value: 1 // value, name="work", on_error=policy).collect(name="out")
    session.start(paused=True)
    session.inject("work", 0)
    step = session.step()
    while step.result == "waiting":
        step = session.step()
    what = "failed" if policy == "fail" else "skipped"
    assert str(step) == f"work: 0 {what}: {DIVIDED_BY_ZERO}"
    assert isinstance(step.error, ZeroDivisionError)
    if policy == "fail":
        assert (step.ending, session.step().result, session.status) == ("failed", "idle", "failed")
        with pytest.raises(runtime.TaskFailed):
            session.wait(PATIENCE_S)
    else:
        assert (step.ending, len(session.dead_letters), session.status) == (None, 1, "running")
        session.cancel()


def test_a_packet_that_is_held_back_keeps_its_turn_until_it_is_done(make_session: MakeSession) -> None:
    session = make_session(capacity=1)
    session.input("in").flat_map(range, name="many").collect(name="out")
    session.start(paused=True)
    session.inject("many", 3)
    for _ in range(2):
        step = session.step("many")
        assert (step.result, str(step)) == ("held_back", "many: 3 -> 0 to out; held back: 1 to out")
    assert session.peek("out").depth == 1
    assert texts(session) == [
        "out: 0",
        "out: 1",
        "many: 3 -> 0, 1, 2 to out",
        "out: 2",
    ]
    session.cancel()


@pytest.mark.concurrent
def test_a_step_that_lasts_is_told_as_running_and_once_more_when_it_is_done(make_session: MakeSession) -> None:
    session = make_session()
    hold = Hold[int]()
    session.input("in").map(hold, name="work").collect(name="out")
    session.start(paused=True)
    for number in (1, 2):
        session.inject("work", number)
    step = session.step("work", timeout=0.3)  # in which it begins
    assert (step.result, str(step)) == ("running", "work: 1 still in user code")
    session.inject("out", 0)
    assert str(session.step()) == "out: 0", "another has the turn meanwhile"
    hold.release()
    assert str(session.step("work")) == "work: 1 -> 1 to out"
    assert str(session.step("work")) == "work: 2 -> 2 to out"
    session.cancel()


def test_a_step_shows_at_most_a_few_outputs_and_has_all_of_them(session: runtime.Session) -> None:
    session.input("in").flat_map(range, name="many").collect(name="out")
    session.start(paused=True)
    session.inject("many", 9)
    step = session.step()
    assert str(step) == "many: 9 -> 0, 1, 2, 3, 4, 5 to out, … 3 more"
    assert [packet.payload for _, packet in step.sent] == list(range(9))
    session.cancel()


def test_what_a_function_sends_by_itself_is_in_its_step(session: runtime.Session) -> None:
    class Loud(runtime.Function[int, int]):
        def process(self, value: int, /) -> int:
            self.ctx.send_packet(-value)
            return value

    result = session.input("in").map(Loud(), name="loud").collect(name="out")
    session.start(paused=True)
    session.inject("loud", 1)
    assert str(session.step()) == "loud: 1 -> -1, 1 to out"
    session.inject("loud", 2)
    session.resume()
    session.stop()
    session.wait(PATIENCE_S)
    assert list(result) == [-1, 1, -2, 2]


@pytest.mark.parametrize("parallelism", [1, 2])
def test_a_packet_is_followed_to_the_end_also_through_a_queue_of_one(
    make_session: MakeSession, parallelism: int
) -> None:
    session = make_session(capacity=1)
    words = session.input("in").flat_map(str.split, name="split")
    words.map(str.upper, name="loud", parallelism=parallelism).collect(name="out")
    session.start(paused=True)
    session.inject("split", "to be or")
    path = session.follow(session.peek("split")[0])
    assert [packet.payload for packet in path.packets] == ["to be or", "to", "TO", "be", "BE", "or", "OR"]
    assert len(repr(path).splitlines()) == 7
    session.cancel()


# ── wait, settle, close ──


def test_wait_says_who_is_paused_and_goes_on_when_they_are_resumed(session: runtime.Session) -> None:
    result = session.source(range(3), name="numbers").map(abs, name="work").collect(name="out")
    session.start(paused=True)
    session.resume("numbers", "out")
    with pytest.raises(JobPaused, match=r"since 'work' is paused; resume\(\) or step\(\)"):
        session.wait(PATIENCE_S)
    session.settle(PATIENCE_S)
    session.resume()
    assert session.wait(PATIENCE_S).state == "completed"
    assert list(result) == [0, 1, 2]


@pytest.mark.concurrent
def test_another_threads_wait_hears_of_a_pause_and_not_before_all_stand_still(make_session: MakeSession) -> None:
    session = make_session()
    hold = Hold[int](lambda value: value == 3)
    session.source(count(), name="numbers").map(hold, name="work").collect(limit=10)
    session.start()
    hold.reached.wait()
    heard: list[BaseException] = []
    told = Moment("the end of the wait")

    def wait() -> None:
        try:
            session.wait(PATIENCE_S)
        except JobPaused as error:
            heard.append(error)
        told.set()

    helper = threading.Thread(target=wait)
    helper.start()
    session.pause(timeout=0)
    session.resume()
    session.pause(timeout=0)
    assert not told.has_come, "work is still in user code"
    hold.release()
    told.wait()
    helper.join()
    assert [type(error) for error in heard] == [JobPaused]
    session.cancel()


def test_leaving_a_with_block_while_paused_cancels_and_names_the_remedy(make_session: MakeSession) -> None:
    session = make_session()
    session.source([1], name="numbers").collect()
    session.start(paused=True)
    with pytest.raises(JobPaused, match=r"'numbers', 'collect' are paused; resume\(\) or step\(\)"), session:
        session.step()
    assert session.status == "cancelled"


def test_what_is_paused_has_settled_and_stays_so(session: runtime.Session) -> None:
    session.source(count(), name="numbers").map(abs, name="work").collect(limit=5)
    session.start(paused=True)
    session.settle(PATIENCE_S)
    before = [(task.name, task.depth, task.processed) for task in session.snapshot()]
    session.step()
    session.settle(PATIENCE_S)
    after = [(task.name, task.depth, task.processed) for task in session.snapshot()]
    assert before[0] == ("numbers", 0, 0)
    assert after[0] == ("numbers", 0, 1)
    session.cancel()


@pytest.mark.parametrize("end", ["cancel", "close"])
def test_cancel_and_close_open_every_gate_at_once(make_session: MakeSession, end: str) -> None:
    session = make_session(capacity=1)
    session.service("echo", Echo)
    session.source([9], name="numbers").flat_map(range, name="many").map(Calling("echo"), name="ask").collect()
    session.start(paused=True)
    session.step("numbers")
    session.step("many")  # held back
    session.step("ask")  # waits for the paused service
    getattr(session, end)()
    outcome = session.wait(PATIENCE_S)
    assert outcome.state == "cancelled"
    assert not outcome.abandoned
    assert session.step().result in ("idle", "done")


def test_a_stop_while_paused_is_remembered(session: runtime.Session) -> None:
    def numbers() -> Iterator[int]:
        yield from count()

    result = session.source(numbers, name="numbers").map(abs, name="work").collect(name="out")
    session.start(paused=True)
    session.step("numbers", 2)
    session.stop()
    session.settle(PATIENCE_S)
    assert (session.status, session.peek("work").depth) == ("draining", 2)
    assert str(session.step("numbers")) == "numbers: ended (stopped)"
    session.resume()
    assert session.wait(PATIENCE_S).state == "stopped"
    assert list(result) == [0, 1]


# ── services ──


def clock(session: runtime.Session) -> Callable[[], object]:
    """What lets more than a second of the job's time pass, and more than a short call may take: `JOB_S`."""

    def delay(invocation: runtime.Invocation) -> Any:
        if invocation.service == "slow":
            invocation.sleep(1.2 * JOB_S)
        return invocation.proceed()

    session.service("slow", Echo)
    session.intercept(delay)
    return lambda: session.call("slow", timeout=PATIENCE_S)


def test_a_call_by_hand_to_a_paused_service_is_refused_at_once(session: runtime.Session) -> None:
    session.service("echo", Echo)
    session.start()
    session.pause("echo")
    with pytest.raises(ServicePaused, match=r"service 'echo' is paused; resume\('echo'\)"):
        session.call("echo", 1)
    with pytest.raises(ServicePaused):
        session.services["echo"](1)
    session.resume("echo")
    assert session.call("echo", 1) == 1
    session.pause("echo")
    session.close()
    with pytest.raises(runtime.ServiceStopped):
        session.call("echo", 1)


@pytest.mark.also_remote
def test_a_tasks_call_to_a_paused_service_waits_and_its_time_stands_still(session: runtime.Session) -> None:
    session.service("echo", Echo)
    let_time_pass = clock(session)
    result = session.input("in").map(Calling("echo", timeout=JOB_S), name="ask").collect()
    session.start()
    session.pause("echo")
    session.send("in", 5)
    session.settle(PATIENCE_S)
    let_time_pass()
    session.resume()
    session.end("in")
    session.wait(PATIENCE_S)
    assert list(result) == [5]


def test_a_request_that_begins_by_a_step_has_all_the_time_that_it_had(session: runtime.Session) -> None:
    class Busy:
        ctx: Any = None

        def process(self, value: int) -> int:
            self.ctx.call_service("slow")
            return value

    session.service("busy", Busy)
    let_time_pass = clock(session)
    result = session.input("in").map(Calling("busy", timeout=2 * JOB_S), name="ask").collect()
    session.start()
    session.pause("busy")
    session.send("in", 5)
    session.settle(PATIENCE_S)
    for _ in range(2):
        let_time_pass()
    step = session.step("busy")
    while step.result == "waiting":
        session.settle(PATIENCE_S)
        step = session.step("busy")
    session.resume()
    session.end("in")
    session.wait(PATIENCE_S)
    assert list(result) == [5]


def test_a_service_in_mid_request_keeps_no_turn_for_later(session: runtime.Session) -> None:
    class Relay:
        ctx: Any = None

        def process(self, value: int) -> Any:
            return self.ctx.call_service("echo", value)

    session.service("relay", Relay)
    session.service("echo", Echo)
    result = session.input("in").map(Calling("relay"), name="ask", parallelism=2).collect(name="out")
    session.start(paused=True)
    for number in (1, 2):
        session.inject(f"ask#{number - 1}", number)
        session.step(f"ask#{number - 1}")
    for _ in range(3):
        assert session.step("relay").result == "waiting"
    assert str(session.step("echo")) == "echo: process(1) -> 1 to relay"
    assert session.peek("relay").depth == 1, "the second request waits for a step of its own"
    session.resume()
    session.stop()
    session.wait(PATIENCE_S)
    assert sorted(result) == [1, 2]


def test_a_call_that_leads_to_a_paused_service_stands_still_as_well(session: runtime.Session) -> None:
    """Neither its own time runs nor that of the job, and the one who waits for the end hears why."""

    class Relay:
        ctx: Any = None

        def process(self, value: int) -> Any:
            return self.ctx.call_service("echo", value, timeout=JOB_S)

    session.service("relay", Relay)
    session.service("echo", Echo)
    let_time_pass = clock(session)
    ask = InTask(lambda ctx, value: ctx.call_service("relay", value, timeout=JOB_S))
    result = session.input("in").map(ask, name="ask").collect()
    session.start()
    session.pause("echo")
    session.send("in", 5)
    session.settle(PATIENCE_S)
    with pytest.raises(JobPaused, match="since 'echo' is paused"):
        session.wait(PATIENCE_S)
    let_time_pass()
    session.resume()
    session.end("in")
    session.wait(PATIENCE_S)
    assert list(result) == [5]


def test_who_waits_goes_on_waiting_while_a_person_holds_the_job_in_a_view(make_session: MakeSession) -> None:
    session = make_session()
    result = session.input("numbers").map(abs, name="absolute").collect(name="result")
    session.start()
    with by_person():
        session.pause()
    session.inject("absolute", -1)
    with pytest.raises(TimeoutError):
        session.wait(0.2)
    session.pause()  # by code, from now on
    with pytest.raises(runtime.JobPaused, match="'absolute' is paused"):
        session.wait(PATIENCE_S)
    session.resume()
    session.settle(PATIENCE_S)
    with by_person():
        point = session.breakpoint("absolute")
    session.inject("absolute", -2)
    point.wait(PATIENCE_S)
    with pytest.raises(TimeoutError):
        session.wait(0.2)
    point.remove()
    session.resume()
    session.stop()
    assert session.wait(PATIENCE_S).state == "stopped"
    assert list(result) == [1, 2]
