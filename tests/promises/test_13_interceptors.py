"""Promise 13: interceptors see each request and reply, and may change them; without one, nothing stands in the way."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable
from typing import Any

import pytest

import runtime
from runtime.testing import PATIENCE_S, FaultInjector, InjectedFault
from tests.platforms import MakeSession, Platform
from tests.services import Calling, Echo, in_task, relay


def facts(session: runtime.Session, service: str) -> runtime.ServiceFacts:
    return session.snapshot().services[service]


def test_an_interceptor_sees_every_request_and_every_reply_on_the_service_s_thread(
    session: runtime.Session, platform: Platform
) -> None:
    log = platform.log()

    def look(it: runtime.Invocation) -> Any:
        reply = it.proceed()
        where = threading.current_thread().name
        log.append((it.service, it.method, it.args, it.kwargs, it.callers, it.number, reply, where))
        return reply

    session.service("relay", relay("echo", "double"))
    session.service("echo", Echo)
    session.intercept(look)

    def work(ctx: Any, value: int) -> Any:
        return ctx.call_service("relay", value), ctx.call_service("echo", value, key=None)

    assert in_task(session, work, (1, 2)) == [(2, (1, {"key": None})), (4, (2, {"key": None}))]
    expected: list[Any] = []
    for value in (1, 2):
        named, number = {"key": None}, 2 * value - 2
        expected += [
            ("echo", "double", (value,), {}, ("caller", "relay"), value - 1, 2 * value, "test/echo"),
            ("relay", "process", (value,), {}, ("caller",), number, 2 * value, "test/relay"),
            ("echo", "process", (value,), named, ("caller",), number + 1, (value, named), "test/echo"),
        ]
    assert log == expected


def test_arguments_and_replies_may_be_changed(session: runtime.Session) -> None:
    session.service("echo", Echo)

    def change(it: runtime.Invocation) -> Any:
        it.args = (*it.args, "more")
        it.kwargs = {"key": 1}
        return [it.proceed()]

    session.intercept(change)
    session.start()
    assert session.call("echo", 5) == [(5, "more", {"key": 1})]


def test_the_first_interceptor_is_the_outermost(session: runtime.Session) -> None:
    session.service("echo", Echo)

    def wrap(name: str) -> Callable[[runtime.Invocation], Any]:
        return lambda it: f"{name}({it.proceed()})"

    session.intercept(wrap("first"))
    remove = session.intercept(wrap("second"))
    session.start()
    session.intercept(wrap("third"))
    assert session.call("echo", 1) == "first(second(third(1)))"
    remove()
    assert session.call("echo", 1) == "first(third(1))"


def test_an_interceptor_goes_once_for_each_time_it_came(session: runtime.Session) -> None:
    session.service("echo", Echo)

    def more(it: runtime.Invocation) -> Any:
        return it.proceed() + 1

    removes = [session.intercept(more) for _ in range(3)]
    session.start()
    for left in (2, 1, 0):
        remove = removes.pop()
        for _ in range(2):
            remove()
        assert session.call("echo", 0) == left


def test_interceptors_stay_for_the_next_run(session: runtime.Session) -> None:
    session.service("echo", Echo)
    session.intercept(lambda it: it.proceed() + 1)
    result = session.source(range(3)).map(Calling("echo")).collect()
    for _ in range(2):
        session.run(PATIENCE_S)
        assert list(result) == [1, 2, 3]


def test_a_request_may_be_executed_again_or_not_at_all(session: runtime.Session) -> None:
    class Second:
        calls = 0

        def process(self, value: int) -> int:
            self.calls += 1
            if self.calls == 1:
                raise ValueError("not yet")
            return value

    def again(it: runtime.Invocation) -> Any:
        try:
            return it.proceed()
        except ValueError:
            return it.proceed()

    outside = [0]

    def count(it: runtime.Invocation) -> Any:
        outside[0] += 1
        return it.proceed() if it.args != (0,) else "cached"

    session.service("second", Second)
    session.intercept(again)
    session.intercept(count)
    session.start()
    assert session.call("second", 5) == 5
    assert outside == [2]
    assert session.call("second", 0) == "cached"
    assert facts(session, "second").errors == 0


@pytest.mark.parametrize("error", [ValueError("no"), SystemExit(2)])
def test_what_an_interceptor_raises_is_the_reply(session: runtime.Session, error: BaseException) -> None:
    session.service("echo", Echo)

    def fail(it: runtime.Invocation) -> Any:
        raise error

    remove = session.intercept(fail)
    session.start()
    with pytest.raises(runtime.ServiceFailed if isinstance(error, SystemExit) else ValueError):
        session.call("echo", 1)
    remove()
    assert session.call("echo", 1) == 1
    assert facts(session, "echo").errors == 1


def test_an_interceptor_sees_errors_and_refusals(session: runtime.Session, platform: Platform) -> None:
    seen = platform.log()

    def look(it: runtime.Invocation) -> Any:
        try:
            return it.proceed()
        except Exception as error:
            seen.append(type(error))
            raise

    session.service("echo", Echo)
    session.intercept(look)
    session.start()
    for method in ("fail", "double", "nothing"):
        with pytest.raises((KeyError, runtime.WrongArguments, runtime.UnknownName)):
            session.call("echo", *((KeyError(),) if method == "fail" else ()), method=method)
    assert seen == [KeyError, runtime.WrongArguments, runtime.UnknownName]


def test_a_lost_reply_ends_by_its_timeout_and_is_counted(session: runtime.Session) -> None:
    session.service("echo", Echo)

    def lose(it: runtime.Invocation) -> Any:
        reply = it.proceed()
        if reply == 1:
            raise runtime.LostReply
        return reply

    session.intercept(lose)

    def work(ctx: Any, value: int) -> Any:
        try:
            return ctx.call_service("echo", value, timeout=0.3 if value == 1 else None)
        except runtime.ServiceTimeout:
            return "lost"

    assert in_task(session, work, range(3)) == [0, "lost", 2]
    assert facts(session, "echo")[6:14] == (3, 2, 0, 1, 0, 0, 1, "completed")


def test_without_an_interceptor_nothing_stands_between_the_service_and_its_method(session: runtime.Session) -> None:
    class Looks:
        def process(self) -> list[str]:
            return [frame.function for frame in inspect.stack()]

    session.service("looks", Looks)
    session.start()
    plain = session.call("looks")
    assert "proceed" not in plain
    remove = session.intercept(lambda it: it.proceed())
    assert session.call("looks").count("proceed") == 2
    remove()
    assert session.call("looks") == plain


@pytest.mark.parametrize("seconds", [0, -1, -0.5])
def test_a_sleep_that_is_none_ends_at_once(session: runtime.Session, seconds: float) -> None:
    session.service("echo", Echo)
    session.intercept(lambda it: (it.sleep(seconds), it.proceed())[1])
    session.start()
    assert session.call("echo", 1) == 1


async def coroutine(it: runtime.Invocation) -> None: ...


@pytest.mark.parametrize(
    ("bad", "refusal", "text"),
    [
        (5, runtime.GraphInvalid, "5 is no interceptor; give a function"),
        (coroutine, runtime.AsyncRefused, "an interceptor is an `async def`"),
    ],
)
def test_what_cannot_intercept_is_refused(
    session: runtime.Session, bad: Any, refusal: type[Exception], text: str
) -> None:
    with pytest.raises(refusal, match=text):
        session.intercept(bad)


# ── the interceptor that ships ──


def fates(make_session: MakeSession, faults_seed: int, **settings: Any) -> dict[Any, str]:
    """What happens to each call of a few callers, directly and through a service that calls in the name of all."""
    session = make_session(**settings)
    session.service("direct", Echo, concurrency=2)
    session.service("relay", relay("behind"))
    session.service("behind", Echo)
    faults = FaultInjector(faults_seed, delays=0.2, delay_s=0.001, errors=0.3)
    session.intercept(faults)
    seen: dict[Any, str] = {}

    class Asks(runtime.Function[int, None]):
        def process(self, value: int, /) -> None:
            for service in ("direct", "relay"):
                try:
                    fate = self.ctx.call_service(service, "well")
                except InjectedFault as fault:
                    fate = str(fault)
                seen[self.ctx.name, value, service] = fate

    session.source(range(60), name="numbers").sink(Asks(), name="asks", parallelism=3)
    session.run(PATIENCE_S)
    assert sum(fate != "well" for fate in seen.values()) == faults.counts["errors"] > 0
    return seen


def test_the_same_calls_meet_the_same_fate_on_every_platform(make_session: MakeSession) -> None:
    first = fates(make_session, 7)
    assert first == fates(make_session, 7)
    assert first == fates(make_session, 7, seed=None)
    assert first == fates(make_session, 7, seed=5)
    assert first != fates(make_session, 8)


@pytest.mark.parametrize("what", ["delays", "errors", "lost"])
@pytest.mark.parametrize("value", [-0.1, 1.1])
def test_a_fault_that_is_no_probability_is_refused(what: str, value: float) -> None:
    with pytest.raises(runtime.GraphInvalid, match=f"{what} is {value}; it is a probability"):
        FaultInjector(**{what: value})  # type: ignore[arg-type]


def test_faults_are_counted_as_they_happen(session: runtime.Session) -> None:
    session.service("echo", Echo)
    faults = FaultInjector(3, delays=0.5, delay_s=0.001, errors=0.2, lost=0.05)
    session.intercept(faults)
    session.start()
    endings = {"result": 0, "errors": 0, "lost": 0, "late": 0}
    for number in range(40):
        lost = faults.counts["lost"]
        try:
            assert session.call("echo", number, timeout=0.5) == number
            endings["result"] += 1
        except InjectedFault:
            endings["errors"] += 1
        except runtime.ServiceTimeout:  # on a busy machine, perhaps by nobody's fault
            endings["late" if faults.counts["lost"] == lost else "lost"] += 1
    assert faults.counts["delays"] > 10
    assert (endings["errors"], endings["lost"]) == (faults.counts["errors"], faults.counts["lost"])
    it = facts(session, "echo")
    assert (it.results, it.errors, it.timeouts, it.lost) == (
        endings["result"],
        endings["errors"],
        endings["lost"] + endings["late"],
        endings["lost"],
    )


@pytest.mark.parametrize("wrong", [FaultInjector, lambda: 1, lambda one, two: 1], ids=["class", "none", "two"])
def test_what_cannot_take_an_invocation_is_refused(session: runtime.Session, wrong: Any) -> None:
    with pytest.raises(runtime.GraphInvalid, match="is no interceptor"):
        session.intercept(wrong)
