"""Promise 12: services start before tasks and stop after them, and their request queues can be seen.

Time stands still for whoever waits for a set-up.
"""

from __future__ import annotations

import contextlib
import threading
import warnings
from collections.abc import Callable
from typing import Any

import pytest

import runtime
from runtime.communication.calls import Call, Ledger, Request
from runtime.communication.request_queue import RequestQueue
from runtime.testing import PATIENCE_S, Hold, Moment
from tests.platforms import MakeSession, Platform
from tests.services import Calling, Echo, HeldClock, in_task, relay


class Life:
    """Writes down what is done with it, and on which thread."""

    def __init__(self, log: list[Any]) -> None:
        self.log = log
        self.note("made")

    def note(self, what: str) -> None:
        self.log.append((what, threading.current_thread().name))

    def setup(self) -> None:
        self.note("setup")

    def process(self, value: Any) -> Any:
        self.note("process")
        return value

    def close(self) -> None:
        self.note("close")


def life(log: list[Any]) -> Callable[[], Life]:
    return lambda: Life(log)


def facts(session: runtime.Session, service: str) -> runtime.ServiceFacts:
    return session.snapshot().services[service]


# ── the life of a service ──


def test_a_service_is_made_and_set_up_before_its_first_request_and_closed_behind_its_last(
    session: runtime.Session, platform: Platform
) -> None:
    log = platform.log()
    session.service("it", life(log))
    in_task(session, lambda ctx, value: ctx.call_service("it", value), range(3))
    assert log == [(what, "test/it") for what in ("made", "setup", "process", "process", "process", "close")]


@pytest.mark.parametrize("ending", ["completed", "stopped", "cancelled", "failed"])
def test_services_end_behind_the_tasks_however_the_job_ends(
    session: runtime.Session, platform: Platform, ending: str
) -> None:
    log = platform.log()
    session.service("it", life(log), concurrency=2)
    session.service("other", life(log))

    def work(value: int) -> int:
        if ending == "stopped":
            session.stop()
        elif ending == "cancelled":
            session.cancel()
        elif ending == "failed":
            raise ValueError
        return value

    session.source(range(5), name="numbers").map(work, name="work").map(Calling("it")).collect(name="result")
    session.start()
    with contextlib.suppress(runtime.TaskFailed):
        session.wait(PATIENCE_S)
    outcome = session.outcome
    assert outcome is not None
    assert outcome.state == ending
    assert set(outcome.order[-2:]) == {"it", "other"}
    assert [what for what, _ in log].count("close") == 2
    expected = "completed" if ending == "completed" else "stopped" if ending == "stopped" else "cancelled"
    assert facts(session, "it").ending == expected
    assert facts(session, "it").state == "ended"


def test_each_run_makes_new_objects_and_numbers_begin_again(session: runtime.Session, platform: Platform) -> None:
    made = platform.log()

    class Counts:
        def __init__(self) -> None:
            made.append(self)
            self.count = 0

        def process(self, _: int) -> int:
            self.count += 1
            return self.count

    session.service("counts", Counts)
    result = session.source(range(3)).map(Calling("counts")).collect()
    for run in (1, 2, 3):
        session.run(PATIENCE_S)
        assert list(result) == [1, 2, 3]
        assert facts(session, "counts").received == 3
        assert len(made) == run


def test_an_object_that_is_there_already_serves_every_run_and_calls_in_that_run(session: runtime.Session) -> None:
    it = relay("echo")()
    session.service("it", lambda: it)
    session.service("echo", Echo)
    result = session.source(range(3)).map(Calling("it")).collect()
    for _ in range(3):
        session.run(PATIENCE_S)
        assert list(result) == [0, 1, 2]


def test_a_context_of_its_own_is_left_alone(session: runtime.Session) -> None:
    class Slots:
        __slots__ = ()

        def process(self) -> str:
            return "served"

    class Own:
        ctx = "own"

        def process(self) -> str:
            return self.ctx

    session.service("slots", Slots)
    session.service("own", Own)
    session.start()
    assert (session.call("slots"), session.call("own")) == ("served", "own")


def test_a_warning_of_a_service_becomes_an_event(session: runtime.Session) -> None:
    class Warns:
        ctx: Any = None

        def process(self, _: int) -> str:
            self.ctx.logger.warning("%d left", 3)
            return str(self.ctx.name)

    session.service("warns", Warns)
    assert in_task(session, lambda ctx, value: ctx.call_service("warns", value)) == ["warns"]
    assert "warns: 3 left" in [repr(event) for event in session.events if event.kind == "warning"]


# ── set-up ──


def test_a_request_waits_for_the_set_up_and_its_time_stands_still() -> None:
    clock = HeldClock()
    ledger = Ledger(clock)
    queue = RequestQueue("it", 1, ledger)

    def put(timeout_s: float) -> Call:
        call = Call(Request("it", "process", (), {}, ("caller",), 0), queue, timeout_s)
        with ledger.lock:
            queue.put(call)
        return call

    waits, held_back = put(1.0), put(2.0)
    clock.now_s = 100.0
    assert ledger.expire() == []
    assert not queue.ready()
    late = put(0.5)
    clock.now_s = 200.0
    with ledger.lock:
        queue.begin()
    assert ledger.next_look_s <= 200.5, "the watch would sleep too long"
    clock.now_s = 200.4
    assert ledger.expire() == []
    assert (waits.deadline_s, held_back.deadline_s, late.deadline_s) == (201.0, 202.0, 200.5)
    clock.now_s = 200.5
    assert ledger.expire() == [late]
    assert queue.take() is waits
    with ledger.lock:
        queue.hold()  # what is being executed goes on, and so does its time
    clock.now_s = 300.0
    assert ledger.expire() == [waits]
    with ledger.lock:
        queue.release()
    assert held_back.deadline_s == 202.0 + 99.5
    clock.now_s = held_back.deadline_s
    assert ledger.expire() == [held_back]
    assert queue.counts["timeouts"] == queue.counts["received"] == 3
    assert not ledger.open


@pytest.mark.concurrent
def test_a_call_does_not_time_out_while_its_service_is_being_set_up(session: runtime.Session) -> None:
    passed = threading.Event()

    class Slow:
        def setup(self) -> None:
            passed.wait(0.6)

        def process(self, value: int) -> int:
            return value

    session.service("slow", Slow)
    assert in_task(session, lambda ctx, value: ctx.call_service("slow", value, timeout=0.5)) == [1]


def test_a_set_up_may_call_other_services_though_all_tasks_have_ended(
    session: runtime.Session, platform: Platform
) -> None:
    ended = Moment("the end of all tasks")

    class Asks:
        ctx: Any = None

        def setup(self) -> None:
            if platform.concurrent:
                ended.wait()
            self.answers = [self.ctx.call_service("echo", number) for number in range(20)]

    session.service("asks", Asks)
    session.service("echo", Echo)
    session.source([1]).sink(lambda _: None, name="sink")
    session.start()
    if platform.concurrent:
        for thread in threading.enumerate():
            if thread.name == "test/sink":
                thread.join(PATIENCE_S)
        ended.set()
    assert session.wait(PATIENCE_S).state == "completed"
    assert facts(session, "echo").results == 20


def test_set_ups_that_wait_for_each_other_are_refused(session: runtime.Session) -> None:
    class Asks:
        ctx: Any = None

        def __init__(self, whom: str) -> None:
            self.whom = whom

        def setup(self) -> None:
            self.ctx.call_service(self.whom, timeout=float("inf"))

        def process(self) -> None: ...

    session.service("first", lambda: Asks("between"))
    session.service("between", relay("second"))
    session.service("second", lambda: Asks("third"))
    session.service("third", lambda: Asks("first"))
    session.start()
    with pytest.raises(runtime.TaskFailed, match=r"ServiceLoop: .* calls .* for the set-up of .*call it later"):
        session.wait(PATIENCE_S)


def test_set_ups_may_wait_in_a_row(session: runtime.Session) -> None:
    class Asks:
        ctx: Any = None

        def __init__(self, whom: str) -> None:
            self.whom = whom

        def setup(self) -> None:
            self.answer = self.ctx.call_service(self.whom)

        def process(self) -> str:
            return f"{self.whom} {self.answer}"

    session.service("first", lambda: Asks("second"))
    session.service("second", lambda: Asks("third"))
    session.service("third", lambda: Asks("echo"))
    session.service("echo", Echo)
    session.start()
    assert session.call("first") == "second third echo None"


def test_a_cancel_during_set_up_is_no_failure(session: runtime.Session) -> None:
    class Cancels:
        ctx: Any = None

        def setup(self) -> None:
            session.cancel()
            self.ctx.call_service("echo")

    session.service("cancels", Cancels)
    session.service("echo", Echo)
    session.source(range(3)).map(Calling("cancels")).collect()
    session.start()
    assert session.wait(PATIENCE_S).state == "cancelled"


# ── failure ──


class BadSetUp(Echo):
    def setup(self) -> None:
        raise ValueError("no good")


class BadClose(Echo):
    def close(self) -> None:
        raise ValueError("no good")


def bad_make() -> Any:
    raise ValueError("no good")


def exits() -> Any:
    raise SystemExit("no good")


@pytest.mark.parametrize("make", [bad_make, BadSetUp, BadClose, exits])
@pytest.mark.parametrize("concurrency", [1, 3])
def test_a_service_that_fails_fails_the_job_and_is_named_not_its_callers(
    session: runtime.Session, make: Callable[[], Any], concurrency: int
) -> None:
    session.service("bad", make, concurrency=concurrency)
    session.service("echo", relay("bad"))
    numbers = session.source(range(3), name="numbers")
    numbers.map(Calling("bad"), name="caller", parallelism=2).sink(Calling("echo"), name="sink")
    session.start()
    with pytest.raises(runtime.TaskFailed, match=r"'bad' failed: (ValueError|SystemExit): no good"):
        session.wait(PATIENCE_S)
    assert session.outcome is not None
    assert session.outcome.errors == 1
    assert sorted(session.outcome.order) == ["bad", "caller#0", "caller#1", "echo", "numbers", "sink"]
    assert facts(session, "bad").ending == "failed"
    assert facts(session, "bad").open == 0


@pytest.mark.parametrize("by", ["wait", "close", "settle"])
def test_a_service_that_would_wait_for_itself_is_refused(session: runtime.Session, by: str) -> None:
    class Waits:
        def process(self) -> None:
            getattr(session, by)()

    session.service("waits", Waits)
    session.start()
    with pytest.raises(runtime.CommandRefused, match=rf"{by}\(\) was called by service 'waits' of this job"):
        session.call("waits")
    assert session.status == "running"


@pytest.mark.parametrize("concurrency", [1, 2])
def test_a_service_stuck_at_close_is_abandoned_and_named(session: runtime.Session, concurrency: int) -> None:
    hold: Hold[int] = Hold()

    class Holds:
        def process(self, value: int) -> int:
            return hold(value)

    session.service("holds", Holds, concurrency=concurrency)
    session.service("echo", Echo)
    endings: list[Any] = []

    def call() -> None:
        try:
            session.call("holds", 1, timeout=float("inf"))
        except runtime.ServiceStopped as error:
            endings.append(type(error))

    caller = threading.Thread(target=call)
    session.start()
    caller.start()
    hold.reached.wait()
    with pytest.warns(RuntimeWarning, match="'holds' was still in user code after 0.5 s"):
        session.close(0.5)  # in which the others end
    caller.join(PATIENCE_S)
    assert endings == [runtime.ServiceStopped]
    assert session.outcome is not None
    assert session.outcome.abandoned == ("holds",)
    assert session.outcome.order == ("echo",)
    hold.release()


# ── services alone ──


def test_services_alone_serve_until_they_are_stopped(session: runtime.Session) -> None:
    session.service("it", relay("echo"))
    session.service("echo", Echo)
    session.start()
    session.settle(PATIENCE_S)
    assert session.status == "running"
    assert session.call("it", 1) == 1
    session.stop()
    session.stop()
    assert session.wait(PATIENCE_S).state == "stopped"
    assert sorted(session.snapshot().order) == ["echo", "it"]


def test_the_end_of_a_with_block_stops_services_alone(make_session: MakeSession, platform: Platform) -> None:
    log = platform.log()
    with make_session() as session:
        session.service("it", life(log))
        session.start()
        assert session.call("it", 1) == 1
    assert session.status == "stopped"
    assert [what for what, _ in log] == ["made", "setup", "process", "close"]


def test_services_alone_can_be_cancelled(session: runtime.Session) -> None:
    session.service("it", Echo, concurrency=3)
    session.start()
    session.cancel()
    assert session.wait(PATIENCE_S).state == "cancelled"


# ── draining ──


def test_requests_that_nobody_waits_for_are_executed_before_the_end(
    session: runtime.Session, platform: Platform
) -> None:
    log = platform.log()

    class Logs:
        def process(self, value: int) -> None:
            log.append(value)

    class Passes:
        """Passes on without waiting: while it drains, a service still calls services."""

        ctx: Any = None

        def process(self, value: int) -> None:
            self.ctx.call_service_async("logs", value)

    session.service("logs", Logs)
    session.service("passes", Passes)
    in_task(session, lambda ctx, value: [ctx.call_service_async("passes", value), None][1], range(50))
    assert log == list(range(50))
    assert session.outcome is not None
    assert session.outcome.state == "completed"


def test_a_request_whose_caller_has_gone_keeps_no_service_from_ending(session: runtime.Session) -> None:
    session.service("echo", Echo)

    def lose(invocation: runtime.Invocation) -> Any:
        raise runtime.LostReply

    session.intercept(lose)
    in_task(session, lambda ctx, _: [ctx.call_service_async("echo", timeout=float("inf")), None][1])
    assert facts(session, "echo")[6:14] == (1, 0, 0, 0, 1, 0, 1, "completed")


def test_a_lost_reply_keeps_no_caller_waiting_behind_the_end(session: runtime.Session) -> None:
    lost = Moment()

    def lose(invocation: runtime.Invocation) -> Any:
        lost.set()
        raise runtime.LostReply

    session.service("echo", Echo)
    session.intercept(lose)
    session.start()
    endings: list[Any] = []

    def call() -> None:
        try:
            session.call("echo", timeout=float("inf"))
        except runtime.ServiceStopped as error:
            endings.append(type(error))

    caller = threading.Thread(target=call)
    caller.start()
    lost.wait()
    session.stop()
    session.wait(PATIENCE_S)
    session.close()
    caller.join(PATIENCE_S)
    assert endings == [runtime.ServiceStopped]


# ── looking ──


@pytest.mark.concurrent
def test_a_request_queue_can_be_seen(session: runtime.Session) -> None:
    hold: Hold[int] = Hold()

    class Holds:
        def process(self, value: int) -> int:
            return hold(value)

    session.service("holds", Holds, capacity=7)

    def work(ctx: Any, _: int) -> None:
        futures = [ctx.call_service_async("holds", number) for number in range(4)]
        hold.reached.wait()
        seen.append(facts(session, "holds"))
        hold.release()
        for future in futures:
            future.result()

    seen: list[runtime.ServiceFacts] = []
    in_task(session, work)
    it = seen[0]
    assert (it.state, it.depth, it.capacity, it.working, it.received, it.open) == ("running", 3, 7, 1, 4, 4)
    assert repr(it) == "holds: running, queue 3 of 7, 4 calls"
    assert facts(session, "holds").open == 0


def test_a_service_that_has_nothing_to_do_is_idle_and_settled(session: runtime.Session) -> None:
    session.service("echo", Echo, concurrency=2, capacity=9)
    session.start()
    session.settle(PATIENCE_S)
    it = facts(session, "echo")
    assert (it.state, it.depth, it.capacity, it.concurrency, it.working) == ("idle", 0, 9, 2, 0)
    assert repr(it) == "echo: idle, queue 0 of 9, 0 calls"
    assert "echo" in str(session)


def test_a_service_can_be_cancelled_wherever_it_waits(session: runtime.Session) -> None:
    asleep = Moment()

    def sleep(invocation: runtime.Invocation) -> Any:
        asleep.set()
        invocation.sleep(1e6)

    session.service("echo", Echo)
    session.service("it", relay("echo", timeout=1e7))  # under a seed, time goes on at once
    session.intercept(lambda it: sleep(it) if it.service == "echo" else it.proceed())
    session.source([1]).map(Calling("it", timeout=1e7)).collect()
    session.input("open").collect(name="end")
    session.start()
    asleep.wait()
    session.cancel()
    assert session.wait(PATIENCE_S).state == "cancelled"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        session.close()


@pytest.mark.parametrize("make", [lambda needed: needed, type("Needs", (), {"__init__": lambda self, needed: None})])
def test_what_makes_a_service_must_need_no_arguments(session: runtime.Session, make: Any) -> None:
    with pytest.raises(runtime.GraphInvalid, match="what makes service 'it' needs arguments"):
        session.service("it", make)


def test_a_call_to_a_service_that_has_failed_says_why(session: runtime.Session) -> None:
    class Broken:
        def setup(self) -> None:
            raise RuntimeError("no model")

    session.service("it", Broken)
    session.input("in").collect()
    session.start()
    with pytest.raises(runtime.TaskFailed, match="service 'it' failed: RuntimeError: no model"):
        session.wait(PATIENCE_S)
    with pytest.raises(runtime.ServiceStopped, match="service 'it' has failed: RuntimeError: no model") as refused:
        session.call("it")
    assert isinstance(refused.value.__cause__, RuntimeError)


@pytest.mark.parametrize("concurrency", [1, 3])
def test_a_paused_service_ends_by_one_step_however_many_threads_it_has(
    session: runtime.Session, concurrency: int
) -> None:
    session.service("echo", Echo, concurrency=concurrency)
    session.start()
    assert session.call("echo", 1) == 1
    session.pause("echo")
    session.stop()
    session.settle(PATIENCE_S)
    step = session.step("echo")
    assert (step.result, step.ending) == ("stop", "stopped")
    assert session.wait(PATIENCE_S).state == "stopped"
    assert session.step("echo").result == "idle"


def test_a_step_of_a_service_of_several_threads_is_one_request(session: runtime.Session) -> None:
    session.service("echo", Echo, concurrency=3)
    session.source(range(6)).map(Calling("echo"), parallelism=3, name="asks").sink(lambda _: None)
    session.start(paused=True)
    session.resume("asks", "source")
    session.settle(PATIENCE_S)
    for number in range(1, 4):
        assert session.step("echo").result == "done"
        session.settle(PATIENCE_S)
        assert facts(session, "echo").results == number
    session.resume()
    session.wait(PATIENCE_S)
