"""What promise 15 says of waits: whom a task or a service waits for can be seen, wherever it runs."""

from __future__ import annotations

from typing import Any

import pytest

import runtime
from runtime.testing import PATIENCE_S
from tests.platforms import MakeSession


def double(value: int) -> int:
    return value * 2


class Echo:
    def process(self, value: int) -> int:
        return value


class Outer(runtime.Function[int, int]):
    def process(self, value: int, /) -> int:
        answer: int = self.ctx.call_service("inner", value, timeout=PATIENCE_S)
        return answer


class Asks(runtime.Function[int, int]):
    def process(self, value: int, /) -> int:
        answer: int = self.ctx.call_service("inner", value, timeout=PATIENCE_S)
        return answer


class AsksOuter(runtime.Function[int, int]):
    def process(self, value: int, /) -> int:
        answer: int = self.ctx.call_service("outer", value, timeout=PATIENCE_S)
        return answer


class Waits(runtime.Function[int, int]):
    async def process(self, value: int, /) -> int:  # type: ignore[override]
        answer: int = await self.ctx.call_service_async("inner", value, timeout=PATIENCE_S)
        return answer


def whom(session: runtime.Session) -> dict[str, tuple[str, ...]]:
    return {task.name: task.waits_for for task in session.snapshot()}


@pytest.mark.also_remote
def test_who_is_held_back_names_the_task_whose_queue_is_full(make_session: MakeSession) -> None:
    session = make_session("it", capacity=2)
    session.source(range(100), name="numbers").map(double, name="m").sink(double, name="end")
    session.start(paused=True)
    session.resume("numbers")
    session.resume("m")
    session.settle(PATIENCE_S)
    assert whom(session) == {"numbers": ("m",), "m": ("end",), "end": ()}
    assert repr(session.snapshot()["m"]).startswith("m: held back by end, queue 2 of 2, ")
    assert session.metrics()["task_waited_for"] == {"numbers": 0, "m": 1, "end": 1}
    session.cancel()


def test_of_several_consumers_those_are_named_that_have_no_room(make_session: MakeSession) -> None:
    session = make_session("it", capacity=2)
    numbers = session.source(range(100), name="numbers")
    numbers.sink(double, name="quick")
    numbers.sink(double, name="slow", parallelism=2)
    session.start(paused=True)
    session.resume("numbers")
    session.resume("quick")
    session.settle(PATIENCE_S)
    (full,) = whom(session)["numbers"]
    assert full in ("slow#0", "slow#1")
    assert session.snapshot()[full].depth >= 1
    session.cancel()


@pytest.mark.also_remote
def test_who_waits_for_a_reply_names_the_service_and_that_the_one_it_waits_for(make_session: MakeSession) -> None:
    session = make_session("it")
    session.service("inner", Echo)
    session.service("outer", Outer)
    session.source([1], name="numbers").map(AsksOuter(), name="asks").collect(name="result")
    session.start(paused=True)
    for name in ("outer", "numbers", "asks", "result"):
        session.resume(name)
    session.settle(PATIENCE_S)
    now = session.snapshot()
    assert (now["asks"].state, now["asks"].waits_for) == ("waiting", ("outer",))
    assert now.services["outer"].waits_for == ("inner",)
    assert now.services["inner"].waits_for == ()
    assert repr(now["asks"]).startswith("asks: waiting for outer, ")
    assert repr(now.services["outer"]).startswith("outer: waiting for inner, ")
    assert session.metrics()["service_waited_for"] == {"inner": 1, "outer": 1}
    session.resume()
    session.wait(PATIENCE_S)
    assert not any(whom(session).values())


@pytest.mark.parametrize("function", [Asks, Waits])
def test_a_function_that_awaits_a_reply_names_the_service_too(make_session: MakeSession, function: Any) -> None:
    session = make_session("it")
    session.service("inner", Echo)
    session.source([1, 2], name="numbers").map(function(), name="asks").collect(name="result")
    session.start(paused=True)
    session.resume("numbers", "asks", "result")
    session.settle(PATIENCE_S)
    assert session.snapshot()["asks"].waits_for == ("inner",)
    session.resume("inner")
    session.wait(PATIENCE_S)


@pytest.mark.also_remote
def test_who_is_idle_names_the_producers_that_may_yet_send(make_session: MakeSession) -> None:
    session = make_session("it")
    one, other = session.input("one"), session.input("other")
    one.union(other).sink(double, name="end")
    session.start()
    session.settle(PATIENCE_S)
    assert whom(session) == {"one": ("hand",), "other": ("hand",), "end": ("one", "other")}
    assert repr(session.snapshot()["end"]).startswith("end: idle, ")
    session.end("one")
    session.settle(PATIENCE_S)
    assert whom(session) == {"one": (), "other": ("hand",), "end": ("other",)}
    assert session.metrics()["task_waited_for"] == {"one": 0, "other": 0, "end": 0}
    session.end("other")
    session.wait(PATIENCE_S)


def test_where_all_instances_are_busy_all_of_them_are_named(make_session: MakeSession) -> None:
    session = make_session("it", capacity=2)
    numbers = session.source(range(10), name="numbers")
    numbers.first_free().map(double, name="m", parallelism=2).collect(name="result")
    session.start(paused=True)
    session.resume("numbers")
    session.settle(PATIENCE_S)
    now = session.snapshot()["numbers"]
    assert (now.state, now.waits_for) == ("held back: all busy", ("m#0", "m#1"))
    assert repr(now).startswith("numbers: held back: all busy: m#0, m#1, ")
    session.resume()
    session.wait(PATIENCE_S)
