"""Promise 11: every call ends, once: result, error, timeout or stopped. What is no call is refused by name."""

from __future__ import annotations

import asyncio
import concurrent.futures
import copy
import gc
import logging
import signal
import threading
import traceback
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import runtime
from runtime.communication.calls import Call, Ledger, Request
from runtime.communication.request_queue import RequestQueue
from runtime.proxy import DEFAULT_TIMEOUT_S
from runtime.testing import PATIENCE_S, Hold, Moment
from tests.pairs import every_pair_of
from tests.platforms import MakeSession, Platform
from tests.services import Calling, Echo, HeldClock, in_task, relay

VALUES: tuple[Any, ...] = (None, 0, "", False, (), [], {"a": 1}, "text", 3.5, ...)


def slow(seconds: float) -> Callable[[runtime.Invocation], Any]:
    """An interceptor that makes every request take so long, in the job's time."""

    def wait(invocation: runtime.Invocation) -> Any:
        invocation.sleep(seconds)
        return invocation.proceed()

    return wait


def facts(session: runtime.Session, service: str) -> runtime.ServiceFacts:
    return session.snapshot().services[service]


# ── results ──


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_a_call_returns_what_the_method_returns_of_what_it_was_given(session: runtime.Session, value: Any) -> None:
    session.service("echo", Echo)
    assert in_task(session, lambda ctx, _: ctx.call_service("echo", value)) == [value]


def test_arguments_arrive_as_they_were_given(session: runtime.Session) -> None:
    session.service("echo", Echo)
    asked = in_task(session, lambda ctx, _: ctx.call_service("echo", None, 2, service=None, self_=4))
    assert asked == [(None, 2, {"service": None, "self_": 4})]


class Many:
    def process(self) -> str:
        return "process"

    @staticmethod
    def static() -> str:
        return "static"

    @classmethod
    def of_class(cls) -> str:
        return cls.__name__

    attribute = staticmethod(lambda: "attribute")


def test_process_is_called_if_nothing_is_said_and_any_public_method_by_its_name(session: runtime.Session) -> None:
    session.service("it", Many)
    names = ("process", "static", "of_class", "attribute")
    assert in_task(session, lambda ctx, name: ctx.call_service("it", method=name), names) == [
        "process",
        "static",
        "Many",
        "attribute",
    ]


def test_the_hand_calls_by_name_or_through_what_stands_for_the_service(session: runtime.Session) -> None:
    it = session.service("it", Many)
    session.start()
    assert [session.call("it"), session.call("it", method="static"), it(), it.static()] == ["process", "static"] * 2
    assert copy.copy(session.services["it"]).of_class() == "Many"
    assert repr(session.services) == "Services(it)"


def test_each_result_belongs_to_its_request(make_session: MakeSession) -> None:
    session = make_session(capacity=4)
    session.service("echo", Echo, concurrency=3, capacity=1)
    numbers = session.source(range(300), name="numbers")
    doubled = numbers.map(Calling("echo", method="double"), name="caller", parallelism=4)
    result = doubled.key_by(lambda value: value % 7).map(lambda value: value).collect()
    session.run(PATIENCE_S)
    assert sorted(result) == [2 * number for number in range(300)]
    assert facts(session, "echo")[6:14] == (300, 300, 0, 0, 0, 0, 0, "completed")


def test_a_future_is_the_stdlib_s_and_ends_as_the_call_does(session: runtime.Session) -> None:
    session.service("echo", Echo)
    told: list[Any] = []

    def work(ctx: Any, _: int) -> Any:
        future = ctx.call_service_async("echo", 5, method="double")
        assert isinstance(future, concurrent.futures.Future)
        future.add_done_callback(lambda done: told.append(done.result()))
        failed = ctx.call_service_async("echo", ValueError("no"), method="fail")
        assert isinstance(failed.exception(), ValueError)
        assert future.exception() is None
        assert failed.done()
        assert not future.cancelled()
        return future.result(), future.result()

    assert in_task(session, work) == [(10, 10)]
    assert told == [10]


def test_many_requests_can_be_under_way_at_once(session: runtime.Session) -> None:
    session.service("echo", Echo)

    def work(ctx: Any, _: int) -> list[Any]:
        futures = [ctx.call_service_async("echo", number) for number in range(50)]
        return [future.result() for future in reversed(futures)]

    assert in_task(session, work) == [list(reversed(range(50)))]


@pytest.mark.concurrent
def test_a_wait_for_a_future_that_is_too_short_leaves_the_call_alone(session: runtime.Session) -> None:
    release = Moment()

    class Waits:
        def process(self, value: Any) -> Any:
            release.wait()
            return value

    session.service("waits", Waits)

    def work(ctx: Any, _: int) -> Any:
        future = ctx.call_service_async("waits", "late")
        with pytest.raises(TimeoutError):
            future.result(timeout=0.001)
        release.set()
        return future.result(PATIENCE_S)

    assert in_task(session, work) == ["late"]


# ── threads ──


@pytest.mark.parametrize("concurrency", [1, 3])
def test_methods_run_on_threads_of_the_service_s_own(session: runtime.Session, concurrency: int) -> None:
    class Where:
        def process(self, _: int) -> str:
            return threading.current_thread().name

    session.service("where", Where, concurrency=concurrency)
    names = set(in_task(session, lambda ctx, value: ctx.call_service("where", value), range(20)))
    expected = {"test/where"} if concurrency == 1 else {f"test/where@{number}" for number in range(concurrency)}
    assert names <= expected


@pytest.mark.concurrent
@pytest.mark.parametrize("concurrency", [1, 3])
def test_as_many_requests_are_worked_side_by_side_as_were_asked_for(session: runtime.Session, concurrency: int) -> None:
    together = threading.Barrier(concurrency)
    most, now, lock = 0, 0, threading.Lock()

    class Meets:
        def process(self, _: int) -> None:
            nonlocal most, now
            with lock:
                now += 1
                most = max(most, now)
            together.wait(PATIENCE_S)
            with lock:
                now -= 1

    session.service("meets", Meets, concurrency=concurrency)

    def work(ctx: Any, _: int) -> None:
        futures = [ctx.call_service_async("meets", number) for number in range(4 * concurrency)]
        for future in futures:
            future.result()

    in_task(session, work)
    assert most == concurrency


@pytest.mark.concurrent
def test_any_thread_of_the_user_s_may_call(session: runtime.Session) -> None:
    session.service("echo", Echo)

    def work(ctx: Any, _: int) -> list[Any]:
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            return list(pool.map(lambda value: ctx.call_service("echo", value), range(100)))

    assert in_task(session, work) == [list(range(100))]


class Everywhere(runtime.Function[int, int]):
    """Calls wherever a function is called."""

    def __init__(self, log: list[str]) -> None:
        self.log = log

    def __deepcopy__(self, _: Any) -> Everywhere:
        return Everywhere(self.log)

    def ask(self, what: str) -> str:
        self.log.append(answer := self.ctx.call_service("echo", what))
        return str(answer)

    def open(self, ctx: Any) -> None:
        self.ctx = ctx
        self.ask("open")

    def process(self, value: int, /) -> int:
        self.ask("process")
        return value

    def finish(self) -> Iterator[str]:
        yield self.ask("finish")

    def close(self) -> None:
        self.ask("close")


class AskingSource(runtime.SourceFunction[int]):
    def open(self, ctx: Any) -> None:
        self.opened = ctx.call_service("echo", 1)

    def run(self) -> Iterator[int]:
        yield self.opened
        yield self.ctx.call_service("echo", 2)

    def close(self) -> None:
        self.ctx.call_service("echo", 3)


def test_services_can_be_called_wherever_a_function_is_called(session: runtime.Session) -> None:
    session.service("echo", Echo)
    log: list[str] = []
    middle = session.source(AskingSource(), name="asks").map(Everywhere(log), name="middle")
    middle.key_by(lambda value: session.call("echo", value)).sink(Calling("echo"), name="end")
    outcome = session.run(PATIENCE_S)
    assert outcome.state == "completed"
    assert log == ["open", "process", "process", "finish", "close"]
    assert facts(session, "echo").results == 3 + 5 + 3 + 3  # of the source, the middle, the keys, the end


# ── errors ──


class Own(Exception):
    """No type that the runtime knows."""


@pytest.mark.parametrize("error", [ValueError("no"), Own(1, 2), KeyError("k"), StopIteration(3), TimeoutError("own")])
def test_an_error_arrives_as_its_own_type_with_the_service_s_frames(session: runtime.Session, error: Exception) -> None:
    session.service("echo", Echo)
    session.start()
    with pytest.raises(type(error)) as raised:
        session.call("echo", error, method="fail")
    assert raised.value is error
    names = [frame.name for frame in traceback.extract_tb(raised.value.__traceback__)]
    assert names[-1] == "fail"
    assert facts(session, "echo").errors == 1


def test_an_error_that_a_function_lets_pass_fails_its_task_from_the_original(session: runtime.Session) -> None:
    session.service("echo", Echo)
    session.source([ValueError("no")]).map(Calling("echo", method="fail"), name="caller").collect()
    with pytest.raises(runtime.TaskFailed, match=r"task 'caller' failed on packet .*ValueError: no") as raised:
        session.run(PATIENCE_S)
    assert isinstance(raised.value.__cause__, ValueError)
    assert session.outcome is not None
    assert session.outcome.order[-1] == "echo"


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), GeneratorExit(), runtime.Cancelled()])
def test_what_is_no_exception_arrives_as_a_failed_service_and_ends_nobody(
    session: runtime.Session, error: BaseException
) -> None:
    session.service("echo", Echo)

    def work(ctx: Any, _: int) -> Any:
        with pytest.raises(
            runtime.ServiceFailed, match=f"service 'echo' failed at fail.*{type(error).__name__}"
        ) as raised:
            ctx.call_service("echo", error, method="fail")
        assert raised.value.__cause__ is error
        return ctx.call_service("echo", "served")

    assert in_task(session, work) == ["served"]


@pytest.mark.parametrize("by", ["call", "future"])
def test_an_error_leaves_no_cycle_of_garbage(session: runtime.Session, by: str) -> None:
    class Fails:
        def process(self) -> None:
            raise Own

        def over(self) -> None:
            """What follows on the same thread: it has let go of the first request."""

    session.service("fails", Fails)
    gone: list[weakref.ref[Own]] = []

    def work(ctx: Any, _: int) -> None:
        try:
            if by == "call":
                ctx.call_service("fails")
            else:
                ctx.call_service_async("fails").result()
        except Own as error:
            gone.append(weakref.ref(error))
        ctx.call_service("fails", method="over")

    gc.collect()
    gc.disable()
    try:
        in_task(session, work)
        assert gone[0]() is None
    finally:
        gc.enable()


# ── time ──


def test_a_call_has_ten_seconds_if_nothing_is_said() -> None:
    assert DEFAULT_TIMEOUT_S == 10.0


def test_a_call_that_takes_too_long_ends_and_its_reply_is_counted_not_delivered(session: runtime.Session) -> None:
    session.service("echo", Echo)
    remove = session.intercept(slow(0.6))

    def work(ctx: Any, _: int) -> Any:
        with pytest.raises(
            runtime.ServiceTimeout, match=r"echo\.process has not answered 'caller' within 0\.2 s; it had begun"
        ):
            ctx.call_service("echo", "late", timeout=0.2)
        remove()
        return ctx.call_service("echo", "in time")

    assert in_task(session, work) == ["in time"]
    assert facts(session, "echo")[6:14] == (2, 1, 0, 1, 0, 1, 0, "completed")
    late = [event for event in session.events if event.kind == "late reply"]
    assert [repr(event) for event in late] == ["echo: process answered caller too late"]


def test_a_request_that_timed_out_before_it_began_is_never_executed(
    session: runtime.Session, platform: Platform
) -> None:
    log = platform.log()

    class Logs:
        def process(self, value: Any) -> None:
            log.append(value)

    session.service("logs", Logs)
    session.intercept(slow(0.6))

    def work(ctx: Any, _: int) -> None:
        first = ctx.call_service_async("logs", 1)
        with pytest.raises(runtime.ServiceTimeout, match="it had not begun, and will not be executed"):
            ctx.call_service("logs", 2, timeout=0.2)
        first.result()

    in_task(session, work)
    assert log == [1]
    assert facts(session, "logs")[6:14] == (2, 1, 0, 1, 0, 0, 0, "completed")


def test_a_future_is_told_of_its_timeout(session: runtime.Session) -> None:
    session.service("echo", Echo)
    session.intercept(slow(0.1))

    def work(ctx: Any, _: int) -> Any:
        futures = [ctx.call_service_async("echo", timeout=0.01) for _ in range(3)]
        return [type(future.exception()) for future in futures]

    assert in_task(session, work) == [[runtime.ServiceTimeout] * 3]


@pytest.mark.parametrize("timeout", [-1, -0.001, float("nan"), "1", True])
def test_a_timeout_that_is_none_is_refused(session: runtime.Session, timeout: Any) -> None:
    session.service("echo", Echo)
    session.start()
    with pytest.raises(runtime.GraphInvalid, match=r"timeout of a call is .*it must be a number of seconds"):
        session.call("echo", timeout=timeout)
    assert session.call("echo", 1, timeout=float("inf")) == 1


def test_a_callback_may_wait_for_another_call_though_the_watch_over_deadlines_runs_it(
    session: runtime.Session,
) -> None:
    endings: list[Any] = []
    over = Moment("the end of the callback")

    class Asks:
        ctx: Any = None

        def process(self) -> None:
            self.ctx.call_service_async("slow", timeout=0.01).add_done_callback(self.again)

        def again(self, first: Any) -> None:
            endings.append(type(first.exception()))
            try:
                self.ctx.call_service("slow", timeout=0.01)
            except runtime.ServiceTimeout as error:
                endings.append(type(error))
            endings.append(self.ctx.call_service_async("slow", "answered").result())
            over.set()

    session.service("asks", Asks)
    session.service("slow", Echo)
    session.intercept(lambda it: slow(0.05)(it) if it.service == "slow" else it.proceed())
    session.start()
    session.call("asks")
    over.wait()
    assert endings == [runtime.ServiceTimeout, runtime.ServiceTimeout, "answered"]


# ── stopped ──


def test_a_call_before_the_start_and_after_the_end_is_refused(session: runtime.Session) -> None:
    echo = session.service("echo", Echo)
    with pytest.raises(runtime.NotStarted, match=r"has not been started; call start\(\)"):
        session.call("echo", 1)
    session.source([1]).collect()
    session.run(PATIENCE_S)
    with pytest.raises(runtime.ServiceStopped, match="service 'echo' has stopped with its job"):
        session.call("echo", 1)
    session.close()
    with pytest.raises(runtime.ServiceStopped, match="start the session again"):
        echo(1)
    session.reset()
    with pytest.raises(runtime.NotStarted):
        session.services["echo"].double(1)


@pytest.mark.concurrent
def test_a_cancel_ends_the_calls_that_wait(session: runtime.Session) -> None:
    hold: Hold[int] = Hold()

    class Holds:
        def process(self, value: int) -> int:
            return hold(value)

    session.service("holds", Holds)
    session.start()
    endings: list[Any] = []

    def call() -> None:
        try:
            endings.append(session.call("holds", 1))
        except runtime.ServiceStopped as error:
            endings.append(type(error))

    helpers = [threading.Thread(target=call) for _ in range(3)]
    for helper in helpers:
        helper.start()
    hold.reached.wait()
    session.cancel()
    for helper in helpers:
        helper.join(PATIENCE_S)
    hold.release()
    session.close()
    assert endings == [runtime.ServiceStopped] * 3
    assert facts(session, "holds").open == 0


@pytest.mark.parametrize("by", ["call", "future", "close"])
def test_a_cancelled_task_ends_as_cancelled_though_its_calls_are_refused(
    session: runtime.Session, platform: Platform, by: str
) -> None:
    session.service("echo", Echo)
    endings = platform.log()

    class Asks(runtime.Function[int, int]):
        def process(self, value: int, /) -> int:
            future = self.ctx.call_service_async("echo", value)
            session.cancel()
            if by == "call":
                self.ctx.call_service("echo", value)
            elif by == "future":
                future.result()
            return value

        def close(self) -> None:
            if by == "close":
                try:
                    self.ctx.call_service("echo")
                except BaseException as error:
                    endings.append(type(error))
                    raise

    session.source(range(3), name="numbers").map(Asks(), name="asks").collect(name="result")
    session.start()
    assert session.wait(PATIENCE_S).state == "cancelled"
    assert session.outcome is not None
    assert session.outcome.errors == 0
    assert endings == ([runtime.Cancelled] if by == "close" else [])


def test_an_interrupt_gives_up_the_call_and_nothing_else(session: runtime.Session) -> None:
    given_up = Moment()

    class Interrupts:
        def process(self) -> None:
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
            given_up.wait()

        def echo(self, value: int) -> int:
            return value

    session.service("it", Interrupts)
    session.start()
    with pytest.raises(KeyboardInterrupt):
        session.call("it")
    assert facts(session, "it").stopped == 1
    given_up.set()
    assert session.call("it", 5, method="echo") == 5
    assert facts(session, "it").late == 1
    assert session.status == "running"


# ── loops ──


def test_a_call_that_would_wait_for_itself_is_refused_by_its_callers(session: runtime.Session) -> None:
    session.service("first", relay("second"))
    session.service("second", relay("third"))
    session.service("third", relay("first"))
    session.start()
    with pytest.raises(runtime.ServiceLoop, match=r"^first → second → third → first: service 'first' would wait for"):
        session.call("first")
    assert facts(session, "first").received == 1


def test_a_service_that_calls_itself_is_refused_also_without_waiting(session: runtime.Session) -> None:
    class Itself:
        ctx: Any = None

        def process(self) -> Any:
            return self.ctx.call_service_async("itself")

    session.service("itself", Itself, concurrency=2)
    session.start()
    with pytest.raises(runtime.ServiceLoop, match=r"^itself → itself: "):
        session.call("itself")
    assert facts(session, "itself").received == 1


def test_services_may_call_services_and_two_ways_to_one_are_no_loop(session: runtime.Session) -> None:
    class Both:
        ctx: Any = None

        def process(self, value: int) -> list[Any]:
            futures = [self.ctx.call_service_async(name, value) for name in ("left", "right")]
            return [*(future.result() for future in futures), self.ctx.call_service("echo", value)]

    session.service("both", Both)
    session.service("left", relay("echo", "double"))
    session.service("right", relay("echo"))
    session.service("echo", Echo)
    assert in_task(session, lambda ctx, value: ctx.call_service("both", value), (1, 2)) == [[2, 1, 1], [4, 2, 2]]


def test_a_task_may_call_services_of_another_session_that_nobody_moves(make_session: MakeSession) -> None:
    other = make_session("other")
    other.service("echo", Echo)
    other.start()
    other.settle(PATIENCE_S)
    assert in_task(make_session(), lambda ctx, value: other.call("echo", value), (1, 2)) == [1, 2]


# ── room ──


def test_callers_who_find_the_queue_full_are_let_in_in_order(session: runtime.Session, platform: Platform) -> None:
    log = platform.log()

    class Logs:
        def process(self, value: int) -> None:
            log.append(value)

    session.service("logs", Logs, capacity=1)

    def work(ctx: Any, value: int) -> int:
        for number in range(20):
            ctx.call_service_async("logs", number)
        return value

    in_task(session, work)
    assert log == list(range(20))


@pytest.mark.parametrize("by", ["caller", "timeout", "future"])
def test_room_that_a_call_gives_up_goes_to_the_next_who_waits_for_it(by: str) -> None:
    clock = HeldClock()
    ledger = Ledger(clock)
    queue = RequestQueue("it", 1, ledger)
    with ledger.lock:
        queue.begin()
        calls = [Call(Request("it", "process", (), {}, ("caller",), n), queue, 1.0 + n) for n in range(3)]
        for call in calls:
            queue.put(call)
    assert [call.stage for call in calls] == ["waiting", "held back", "held back"]
    if by == "caller":
        ledger.abandon(calls[0])
    elif by == "future":
        assert ledger.take_back(calls[0])
    else:
        clock.now_s = 1.5
        assert ledger.expire() == [calls[0]]
    assert [call.stage for call in calls] == ["done", "waiting", "held back"]
    assert queue.take() is calls[1]
    assert [call.stage for call in calls] == ["done", "running", "waiting"]
    assert not ledger.take_back(calls[1])


@pytest.mark.concurrent
def test_a_request_that_is_taken_back_is_gone_at_once(session: runtime.Session) -> None:
    hold: Hold[int] = Hold()
    log: list[int] = []

    class Holds:
        def process(self, value: int) -> int:
            log.append(hold(value))
            return value

    session.service("holds", Holds, capacity=1)

    def work(ctx: Any, _: int) -> None:
        first = ctx.call_service_async("holds", 1)
        hold.reached.wait()
        second = ctx.call_service_async("holds", 2)
        told: list[bool] = []
        second.add_done_callback(lambda future: told.append(future.cancelled()))
        assert second.cancel()
        assert second.cancel()
        assert told == [True]
        assert second in concurrent.futures.wait([second], PATIENCE_S).done
        third = ctx.call_service_async("holds", 3)  # there is room
        assert not first.cancel()
        hold.release()
        assert (first.result(), third.result()) == (1, 3)
        assert not third.cancel()
        with pytest.raises(concurrent.futures.CancelledError):
            second.result()

    in_task(session, work)
    assert log == [1, 3]
    assert facts(session, "holds")[6:14] == (3, 2, 0, 0, 1, 0, 0, "completed")


@pytest.mark.parametrize("error", [ValueError("mine"), SystemExit(1), runtime.Cancelled()])
def test_what_a_callback_raises_stops_nobody_from_being_told(
    session: runtime.Session, error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    session.service("echo", Echo)
    session.intercept(slow(0.02))

    def work(ctx: Any, _: int) -> Any:
        def fail(_: Any) -> None:
            raise error

        futures = [ctx.call_service_async("echo", 1, timeout=timeout) for timeout in (None, 0.01)]
        for future in futures:
            future.add_done_callback(fail)
        told = futures[0].result(), type(futures[1].exception()), ctx.call_service("echo", 2)
        futures[0].add_done_callback(fail)  # it is done: called at once
        return told

    with caplog.at_level(logging.CRITICAL, "concurrent.futures"):
        assert in_task(session, work) == [(1, runtime.ServiceTimeout, 2)]


# ── refusals ──

Misuse = Callable[[Any], Any]
REFUSED: dict[str, tuple[Misuse, type[BaseException], str]] = {
    "unknown service": (
        lambda call: call("ehco", 1),
        runtime.UnknownName,
        r"no service 'ehco'; there is 'echo', 'odd' \(did you mean 'echo'\?\)",
    ),
    "unknown method": (
        lambda call: call("odd", method="hlep"),
        runtime.UnknownName,
        r"no public method of service 'odd' called 'hlep'; there is 'help', 'raises' \(did you mean 'help'\?\)",
    ),
    "private method": (
        lambda call: call("odd", method="_help"),
        runtime.UnknownName,
        r"called '_help'; .*did you mean 'help'",
    ),
    "special method": (lambda call: call("odd", method="__init__"), runtime.UnknownName, "called '__init__'"),
    "setup": (lambda call: call("odd", method="setup"), runtime.UnknownName, "called 'setup'; there is 'help'"),
    "close": (lambda call: call("odd", method="close"), runtime.UnknownName, "called 'close'; there is 'help'"),
    "an attribute": (lambda call: call("odd", method="number"), runtime.UnknownName, "called 'number'"),
    "the context": (lambda call: call("odd", method="ctx"), runtime.UnknownName, "called 'ctx'"),
    "no default method": (lambda call: call("odd"), runtime.UnknownName, "called 'process'"),
    "too few arguments": (
        lambda call: call("odd", method="help"),
        runtime.WrongArguments,
        r"odd\.help\(topic: .*depth: .* = 0\).* cannot be called so: missing a required argument: 'topic'",
    ),
    "too many arguments": (
        lambda call: call("odd", 1, 2, method="help"),
        runtime.WrongArguments,
        "too many positional arguments",
    ),
    "unknown parameter": (
        lambda call: call("odd", 1, detph=1, method="help"),
        runtime.WrongArguments,
        r"unexpected keyword argument 'detph' \(did you mean 'depth'\?\)",
    ),
}


class Odd:
    number = 5

    def setup(self) -> None: ...

    def close(self) -> None: ...

    def _help(self) -> None: ...

    def help(self, topic: str, *, depth: int = 0) -> str:
        return topic * depth

    def raises(self) -> None:
        raise TypeError("of my own")


@every_pair_of(misuse=list(REFUSED), by=("task", "future", "hand"))
def test_a_call_that_cannot_be_is_refused_by_name(session: runtime.Session, misuse: str, by: str) -> None:
    call, refusal, text = REFUSED[misuse]
    session.service("odd", Odd)
    session.service("echo", Echo)

    def work(ctx: Any, _: int) -> None:
        ask = ctx.call_service
        if by == "future":
            ask = lambda *args, **named: ctx.call_service_async(*args, **named).result()  # noqa: E731
        with pytest.raises(refusal, match=text):
            call(ask)

    if by == "hand":
        session.start()
        with pytest.raises(refusal, match=text):
            call(session.call)
    else:
        in_task(session, work)


def test_a_type_error_of_the_method_itself_stays_what_it_is(session: runtime.Session) -> None:
    session.service("odd", Odd)
    session.start()
    with pytest.raises(TypeError, match=r"^of my own$") as raised:
        session.call("odd", method="raises")
    assert type(raised.value) is TypeError


def test_the_refusals_are_what_the_words_say(session: runtime.Session) -> None:
    session.service("odd", Odd)
    with pytest.raises(LookupError):
        session.services["od"]
    session.start()
    with pytest.raises(LookupError):
        session.call("od")
    with pytest.raises(TypeError):
        session.call("odd", method="help")
    assert issubclass(runtime.ServiceTimeout, TimeoutError)
    with pytest.raises(AttributeError, match="'_help' is private"):
        session.services["odd"]._help()


class HasHelpers:
    """Awaits by itself what others may call as well."""

    async def fetch(self, number: int) -> int:
        return number

    async def each(self) -> Any:
        yield 1

    def process(self, number: int) -> int:
        return asyncio.run(self.fetch(number))


@pytest.mark.also_remote
def test_async_helpers_of_a_service_are_its_own_and_can_be_called_too(session: runtime.Session) -> None:
    session.service("it", HasHelpers, concurrency=2)
    session.start()
    assert session.call("it", 3) == 3
    assert session.call("it", 3, method="fetch") == 3
    with pytest.raises(runtime.AsyncRefused, match="method 'each' of service 'it' is an asynchronous generator"):
        session.call("it", 3, method="each")
    assert session.call("it", 4) == 4
    with pytest.raises(LookupError, match="did you mean 'fetch'"):
        session.call("it", method="fetsch")


BAD: dict[str, tuple[Callable[[runtime.Session], Any], str]] = {
    "no threads": (lambda s: s.service("it", Echo, concurrency=0), "concurrency of 'it' is 0; it must be a whole"),
    "half a thread": (lambda s: s.service("it", Echo, concurrency=0.5), r"concurrency of 'it' is 0\.5"),  # type: ignore[arg-type]
    "True threads": (lambda s: s.service("it", Echo, concurrency=True), "concurrency of 'it' is True"),
    "the hand's name": (lambda s: s.service("hand", Echo), "a service cannot be called 'hand': that is who calls"),
    "no room": (lambda s: s.service("it", Echo, capacity=0), "capacity of 'it' is 0; it must be a whole"),
    "an object": (lambda s: s.service("it", Echo()), "service 'it' needs a class, .* lambda: it"),  # type: ignore[arg-type]
    "no name": (lambda s: s.service("", Echo), "cannot be the name of a service"),
    "a task's name": (lambda s: s.service("it#1", Echo), "'it#1' cannot be the name of a service"),
    "no text": (lambda s: s.service(3, Echo), "3 cannot be the name of a service"),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("bad", BAD)
def test_a_service_that_cannot_be_is_refused(session: runtime.Session, bad: str) -> None:
    build, text = BAD[bad]
    with pytest.raises(runtime.GraphInvalid, match=text):
        build(session)


def test_names_are_taken_once_by_services_and_operators_alike(session: runtime.Session) -> None:
    session.service("it", Echo)
    with pytest.raises(runtime.DuplicateName):
        session.service("it", Echo)
    with pytest.raises(runtime.DuplicateName):
        session.source([1], name="it")
    session.source([1], name="numbers").collect()
    with pytest.raises(runtime.DuplicateName):
        session.service("numbers", Echo)
    session.start()
    with pytest.raises(runtime.GraphFrozen):
        session.service("other", Echo)


def test_what_is_set_on_the_caller_of_a_service_is_refused_by_name(session: runtime.Session) -> None:
    session.service("it", Many)
    service = session.services["it"]
    with pytest.raises(runtime.CommandRefused, match=r"level = 5 would be set on what calls service 'it', not on"):
        service.level = 5
    with pytest.raises(runtime.CommandRefused, match="'level' cannot be deleted"):
        del service.level
    assert copy.copy(service)._name == "it"
