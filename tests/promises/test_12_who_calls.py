"""Promise 12: who calls a service can be seen, and how often."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from typing import Any

import pytest

import runtime
from runtime.testing import PATIENCE_S, explore
from tests.platforms import MakeSession
from tests.services import Calling, Echo, relay


def callers(session: runtime.Session, service: str) -> dict[str, int]:
    return dict(session.snapshot().services[service].callers)


class CallingAsync(runtime.Function[Any, Any]):
    async def process(self, value: int) -> Any:
        await asyncio.sleep(0)
        return await self.ctx.call_service_async("echo", value)


def build(session: runtime.Session) -> None:
    """Tasks that call, one that does not, and a service that calls in the name of whoever called it."""
    session.service("echo", Echo)
    session.service("relay", relay("echo"))
    numbers = session.source(range(6), name="numbers")
    both = numbers.map(Calling("echo"), name="both", parallelism=2).map(abs, name="none")
    both.map(Calling("relay"), name="around").collect(name="result")


WHO = {"echo": {"both#0": 3, "both#1": 3, "relay": 6}, "relay": {"around": 6}}


def names(session: runtime.Session) -> dict[str, dict[str, int]]:
    return {service: dict(sorted(callers(session, service).items())) for service in ("echo", "relay")}


@pytest.mark.also_remote
def test_a_service_says_how_often_each_task_and_each_service_has_called_it(session: runtime.Session) -> None:
    build(session)
    session.run(PATIENCE_S)
    assert names(session) == WHO
    echo = session.snapshot().services["echo"]
    assert sum(number for _, number in echo.callers) == echo.received == 12


def test_callers_are_counted_the_same_under_every_seed() -> None:
    assert explore(build, lambda session, _: names(session) == WHO, seeds=50) is None


@pytest.mark.also_remote
@pytest.mark.long_on_ray
def test_calls_by_hand_are_counted_apart_and_those_of_functions_that_wait_as_others_are(
    session: runtime.Session,
) -> None:
    session.service("echo", Echo)
    session.input("words").map(CallingAsync(), name="asking", concurrency=4).collect(name="result")
    session.start()
    assert session.call("echo", 1) == 1
    for word in range(3):
        session.send("words", word)
    session.end("words")
    session.wait(PATIENCE_S)
    assert dict(sorted(callers(session, "echo").items())) == {"asking": 3, "hand": 1}


def test_a_call_that_is_refused_has_not_come_and_one_that_fails_has(session: runtime.Session) -> None:
    session.service("echo", Echo)
    session.input("words").collect(name="result")
    session.start()
    with pytest.raises(ZeroDivisionError):
        session.call("echo", ZeroDivisionError(), method="fail")
    session.stop()
    session.wait(PATIENCE_S)
    with pytest.raises(runtime.CommandRefused):
        session.call("echo", 1)
    assert callers(session, "echo") == {"hand": 1}


def test_each_run_counts_anew_and_before_the_first_call_there_is_nobody(make_session: MakeSession) -> None:
    session = make_session("again")
    session.service("echo", Echo)
    session.source(range(3)).map(Calling("echo"), name="calling").collect()
    for _ in range(2):
        session.run(PATIENCE_S)
        assert callers(session, "echo") == {"calling": 3}
    silent = make_session("silent")
    silent.service("echo", Echo)
    silent.source(range(3)).collect()
    silent.run(PATIENCE_S)
    assert callers(silent, "echo") == {}


@pytest.mark.parametrize("chaining", [True, False])
def test_who_is_chained_is_counted_by_its_own_name(chaining: bool) -> None:
    with runtime.Session("chained", chaining=chaining) as session:
        session.service("echo", Echo)
        first = session.source(range(5)).map(abs, name="first").map(Calling("echo"), name="second")
        first.map(Calling("echo"), name="third").collect()
        session.run(PATIENCE_S)
        assert callers(session, "echo") == {"second": 5, "third": 5}


@pytest.fixture
def switching() -> Iterator[None]:
    """Threads take turns all the time."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("switching")
def test_callers_can_be_read_while_new_ones_come() -> None:
    """One after the other: each look is a whole one, and none shows less than the one before."""
    with runtime.Session("busy", chaining=False) as session:
        session.service("echo", Echo)
        numbers = session.source(range(4_000)).key_by(lambda number: number // 20)
        numbers.map(Calling("echo"), name="calling", parallelism=32).collect()
        session.start()
        seen: dict[str, int] = {}
        while session.status in ("running", "draining"):
            facts = session.snapshot().services["echo"]
            now = dict(facts.callers)
            assert all(now[name] >= number for name, number in seen.items())
            assert sum(now.values()) >= facts.received
            seen = now
        session.wait(PATIENCE_S)
        assert sum(callers(session, "echo").values()) == 4_000
        assert len(callers(session, "echo")) == 32
