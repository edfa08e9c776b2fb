"""Promise 20, of services: another object takes the place of a service's own, and requests wait meanwhile."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from time import sleep
from typing import Any

import pytest

import runtime
from runtime import AsyncRefused, CommandRefused, GraphInvalid, Invocation, ServiceLoop, TaskEnded
from runtime.service import renewal
from runtime.testing import PATIENCE_S, Moment
from tests.platforms import MakeSession, Platform
from tests.services import Calling, Echo, relay


class Version:
    """Says which one it is; writes down what is called of it, and on which thread."""

    def __init__(self, name: str, log: list[Any], fails: str = "") -> None:
        self.name, self.log, self.fails = name, log, fails
        self.ctx: Any = None
        self._note("made")

    def _note(self, what: str) -> None:
        self.log.append((self.name, what, threading.current_thread().name))
        if self.fails == what:
            raise ValueError(f"{self.name} {what}")

    def setup(self) -> Any:
        self._note("setup")

    def process(self, value: Any = None) -> Any:
        return self.name, value

    def close(self) -> None:
        self._note("close")


class Waits(Version):
    """The same, by methods that wait; it leaves something running."""

    async def setup(self) -> None:
        self._note("setup")
        self.beside = asyncio.get_running_loop().create_task(self._beside())

    async def _beside(self) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            self._note("beside is over")

    async def process(self, value: Any = None) -> tuple[str, Any]:
        await asyncio.sleep(0)
        return self.name, value


def version(name: str, log: list[Any], fails: str = "", kind: type[Version] = Version) -> Callable[[], Version]:
    """What makes one."""
    return lambda: kind(name, log, fails)


def told(log: list[Any]) -> list[tuple[str, str]]:
    return [(name, what) for name, what, _ in log]


def asking(session: runtime.Session, **of_service: Any) -> Any:
    """A task that asks the service `it` for each packet that is sent to `numbers`."""
    log: list[Any] = of_service.pop("log", [])
    session.service("it", version("old", log), **of_service)
    return session.input("numbers").map(Calling("it"), name="asks").collect(name="out")


def send(session: runtime.Session, *values: int) -> None:
    for value in values:
        session.send("numbers", value)
    session.settle(PATIENCE_S)


def end(session: runtime.Session) -> None:
    session.end("numbers")
    assert session.wait(PATIENCE_S).state == "completed"


@pytest.mark.also_remote
@pytest.mark.parametrize("concurrency", [1, 2])
def test_requests_are_answered_by_the_old_object_and_from_the_replacement_on_by_the_new_one(
    session: runtime.Session, platform: Platform, concurrency: int
) -> None:
    log = platform.log()
    result = asking(session, log=log, concurrency=concurrency)
    seen = platform.log()

    def intercepts(invocation: Invocation) -> Any:
        seen.append(invocation.args)
        return invocation.proceed()

    session.intercept(intercepts)
    session.start()
    send(session, 1)
    session.replace("it", version("new", log))
    assert repr(session.events[-1]) == "it: replace: what <lambda> makes is version 2 of its object"
    send(session, 2)
    end(session)
    assert list(result) == [("old", 1), ("new", 2)]
    assert told(log) == [
        *[("old", "made"), ("old", "setup"), ("new", "made"), ("new", "setup"), ("old", "close"), ("new", "close")]
    ]
    assert list(seen) == [(1,), (2,)]
    facts = session.snapshot().services["it"]
    assert (facts.received, facts.results, facts.errors, facts.timeouts) == (2, 2, 0, 0)


def test_all_of_it_is_done_on_the_thread_of_the_service(session: runtime.Session) -> None:
    log: list[Any] = []
    asking(session, log=log)
    session.start()
    session.replace("it", version("new", log))
    end(session)
    assert {thread for _, _, thread in log} == {"test/it"}


@pytest.mark.also_remote
def test_a_paused_service_stays_paused_and_what_waits_is_answered_by_the_new_object(session: runtime.Session) -> None:
    result = asking(session, log=[])
    session.start()
    session.pause("it")
    send(session, 1, 2)
    session.replace("it", version("new", []))
    session.settle(PATIENCE_S)
    facts = session.snapshot().services["it"]
    assert (facts.state, facts.depth, facts.results) == ("paused", 1, 0)
    assert session.step("it").result == "done"
    session.resume()
    end(session)
    assert list(result) == [("new", 1), ("new", 2)]


@pytest.mark.parametrize("fails", ["made", "setup"])
def test_if_the_new_object_cannot_be_made_or_set_up_the_old_one_answers_on(
    session: runtime.Session, fails: str
) -> None:
    log: list[Any] = []
    result = asking(session, log=log)
    session.start()
    with pytest.raises(ValueError, match=f"new {fails}"):
        session.replace("it", version("new", log, fails))
    send(session, 1)
    closed = [] if fails == "made" else [("new", "close")]
    assert told(log)[2:] == [("new", "made"), ("new", "setup"), *closed][: 1 + 2 * len(closed)]
    assert not any("version" in event.text for event in session.events)
    end(session)
    assert list(result) == [("old", 1)]
    assert told(log)[-1] == ("old", "close")


def test_what_a_close_raises_is_a_warning(session: runtime.Session) -> None:
    log: list[Any] = []
    session.service("it", version("old", log, "close"))
    session.input("numbers").map(Calling("it")).collect()
    session.start()

    class FailsTwice(Version):
        def setup(self) -> None:
            raise KeyError("setup")

    with pytest.raises(KeyError):
        session.replace("it", version("new", log, "close", FailsTwice))
    session.replace("it", version("good", log))
    assert [event.text for event in session.events if event.kind == "warning"] == [
        "close() of the object that was not wanted raised ValueError: new close",
        "close() of the object that was replaced raised ValueError: old close",
    ]
    end(session)


@pytest.mark.parametrize("kinds", [(Version, Waits), (Waits, Version), (Waits, Waits)])
def test_methods_that_wait_take_the_place_of_plain_ones_and_the_other_way(
    session: runtime.Session, kinds: tuple[type[Version], type[Version]]
) -> None:
    log: list[Any] = []
    session.service("it", version("old", log, kind=kinds[0]))
    result = session.input("numbers").map(Calling("it")).collect(name="out")
    session.start()
    send(session, 1)
    with pytest.raises(ValueError, match="new setup"):
        session.replace("it", version("new", log, "setup", Waits))
    send(session, 2)
    session.replace("it", version("new", log, kind=kinds[1]))
    send(session, 3)
    assert told(log).count(("old", "beside is over")) == (kinds[0] is Waits)
    end(session)
    assert list(result) == [("old", 1), ("old", 2), ("new", 3)]
    assert told(log).count(("new", "beside is over")) == (kinds[1] is Waits)


@pytest.mark.concurrent
def test_what_is_in_work_ends_by_the_old_object_and_what_is_asked_meanwhile_waits(make_session: MakeSession) -> None:
    session, entered, release, is_set_up = make_session(), Moment(), Moment(), Moment()
    log: list[Any] = []

    class Slow(Version):
        def process(self, value: Any = None) -> Any:
            entered.set()
            release.wait()
            return super().process(value)

    class Good(Version):
        def setup(self) -> None:
            super().setup()
            is_set_up.wait()

    session.service("it", version("old", log, kind=Slow), concurrency=2)
    result = session.input("numbers").map(Calling("it"), parallelism=2, name="asks").collect(name="out")
    session.start()
    session.send("numbers", 1)
    entered.wait()
    replacing = threading.Thread(target=lambda: session.replace("it", version("new", log, kind=Good)))
    replacing.start()
    while session.snapshot().services["it"].received < 2:
        session.send("numbers", 2)
    assert told(log) == [("old", "made"), ("old", "setup")]
    release.set()
    is_set_up.set()
    replacing.join(PATIENCE_S)
    end(session)
    assert ("old", 1) in result
    facts = session.snapshot().services["it"]
    assert facts.received == facts.results == len(result)
    assert told(log).index(("old", "close")) == told(log).index(("new", "setup")) + 1


@pytest.mark.parametrize("seed", range(3))
def test_the_time_of_requests_stands_still_while_an_object_is_set_up(seed: int) -> None:
    session = runtime.Session("test", seed=seed)
    is_there = threading.Event()

    class LongSetUp(Version):
        def setup(self) -> None:
            self.ctx.call_service("slow", timeout=100)
            is_there.set()

    def until_it_is_there() -> Iterator[int]:
        while not is_there.is_set():
            yield 0
        yield 1

    def takes_a_minute(invocation: Invocation) -> Any:
        if invocation.service == "slow":
            invocation.sleep(60)
        return invocation.proceed()

    with session:
        session.service("it", version("old", []))
        session.service("slow", Echo)
        session.intercept(takes_a_minute)
        result = session.source(until_it_is_there).map(Calling("it", timeout=1)).collect()
        session.start()
        session.replace("it", version("new", [], kind=LongSetUp))
        assert session.wait(PATIENCE_S).state == "completed"
        assert result[-1] == ("new", 1)
        assert session.snapshot().services["it"].timeouts == 0


class AlwaysWaits:
    async def process(self, value: Any = None) -> Any:
        return value


REFUSED: dict[str, tuple[tuple[Any, ...], type[Exception], str]] = {
    "none": ((), GraphInvalid, "service 'it' has one object, and 0 to make one were given"),
    "two": ((Echo, Echo), GraphInvalid, "service 'it' has one object, and 2 to make one were given"),
    "an object": ((Echo(),), GraphInvalid, "needs a class, or a function without arguments"),
    "with arguments": ((lambda size: Echo(),), GraphInvalid, "what makes service 'it' needs arguments"),
    "that waits, on two threads": ((AlwaysWaits,), AsyncRefused, "has `async def` methods, and that has none"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_make_an_object_is_refused_before_anything_changes(make_session: MakeSession, name: str) -> None:
    makes, kind, text = REFUSED[name]
    session = make_session()
    session.service("it", Echo, concurrency=2)
    session.input("numbers").map(Calling("it")).collect()
    with pytest.raises(runtime.NotStarted):
        session.replace("it", *makes)
    session.start()
    before = session.events
    with pytest.raises(kind, match=text):
        session.replace("it", *makes)
    assert session.events == before
    end(session)
    with pytest.raises(TaskEnded, match="'it' has ended"):
        session.replace("it", Echo)


def test_the_object_that_is_there_cannot_take_its_own_place(session: runtime.Session) -> None:
    log: list[Any] = []
    it = Version("it", log)
    session.service("it", lambda: it)
    session.input("numbers").map(Calling("it")).collect()
    session.start()
    with pytest.raises(GraphInvalid, match="has returned that object itself"):
        session.replace("it", lambda: it)
    assert ("it", "close") not in told(log)
    end(session)


def test_while_a_request_waits_for_what_stands_still_nothing_is_replaced(session: runtime.Session) -> None:
    session.service("it", relay("other"))
    session.service("other", Echo)
    result = session.input("numbers").map(Calling("it"), name="asks").collect(name="out")
    session.start()
    session.pause("other")
    send(session, 1)
    with pytest.raises(CommandRefused, match="'it' is still at work on a request"):
        session.replace("it", version("new", []))
    session.resume()
    send(session, 2)
    session.replace("it", version("new", []))
    send(session, 3)
    end(session)
    assert list(result) == [1, 2, ("new", 3)]


@pytest.mark.concurrent
def test_a_request_or_a_set_up_that_takes_too_long_is_not_waited_for(
    make_session: MakeSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(renewal, "IN_WORK_S", 0.0)
    session, entered, is_set_up, is_done = make_session(), Moment(), Moment(), Moment()

    class Slow(Version):
        def setup(self) -> None:
            is_set_up.wait()

        def process(self, value: Any = None) -> Any:
            entered.set()
            is_done.wait()
            return super().process(value)

    session.service("it", version("old", [], kind=Slow))
    result = session.input("numbers").map(Calling("it")).collect(name="out")
    session.start()
    with pytest.raises(CommandRefused, match="'it' is still being set up"):
        session.replace("it", version("new", []))
    is_set_up.set()
    session.send("numbers", 1)
    entered.wait()
    with pytest.raises(CommandRefused, match="'it' is still at work on a request"):
        session.replace("it", version("new", []))
    is_done.set()
    end(session)
    assert list(result) == [("old", 1)]


def test_a_set_up_that_would_wait_for_its_own_service_is_refused_and_the_old_object_answers_on(
    session: runtime.Session,
) -> None:
    class Circles(Version):
        def setup(self) -> None:
            self.ctx.call_service("other", 1)

    result = asking(session)
    session.service("other", relay("it"))
    session.start()
    with pytest.raises(ServiceLoop):
        session.replace("it", version("new", [], kind=Circles))
    send(session, 1)
    end(session)
    assert list(result) == [("old", 1)]


@pytest.mark.concurrent
def test_a_cancel_while_an_object_is_set_up_closes_both(make_session: MakeSession) -> None:
    session, entered, release = make_session(), Moment(), Moment()
    log: list[Any] = []

    class Sticks(Version):
        def setup(self) -> None:
            super().setup()
            entered.set()
            release.wait()

    asking(session, log=log)
    session.start()

    def replace() -> None:
        with suppress(CommandRefused):
            session.replace("it", version("new", log, kind=Sticks))

    replacing = threading.Thread(target=replace)
    replacing.start()
    entered.wait()
    session.cancel()
    release.set()
    replacing.join(PATIENCE_S)
    assert session.wait(PATIENCE_S).state == "cancelled"
    assert sorted(told(log)) == sorted((name, what) for name in ("old", "new") for what in ("made", "setup", "close"))


def test_the_next_run_begins_with_what_the_graph_was_written_with(session: runtime.Session) -> None:
    session.service("it", version("old", []))
    result = session.source([1], name="numbers").map(Calling("it")).collect(name="out")
    session.start(paused=True)
    session.replace("it", version("new", []))
    session.resume()
    session.wait(PATIENCE_S)
    assert list(result) == [("new", 1)]
    session.run(PATIENCE_S)
    assert list(result) == [("old", 1)]


@pytest.mark.concurrent
@pytest.mark.parametrize("concurrency", [1, 3])
def test_replacements_at_any_moment_lose_and_double_nothing_and_no_object_answers_after_its_close(
    make_session: MakeSession, concurrency: int
) -> None:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        _replace_all_the_time(make_session(), concurrency)
    finally:
        sys.setswitchinterval(before)


def _replace_all_the_time(session: runtime.Session, concurrency: int) -> None:
    replacements, wrong, is_enough = 40, list[str](), threading.Event()

    class Numbered:
        def __init__(self, number: int) -> None:
            self.number, self.life = number, "made"

        def setup(self) -> None:
            self.life = "open"

        def process(self, value: int) -> tuple[int, int]:
            sleep(0)  # let others go on
            if self.life != "open":
                wrong.append(self.life)
            return value, self.number

        def close(self) -> None:
            self.life = "closed"
            sleep(0)

    def numbers() -> Iterator[int]:
        value = 0
        while not is_enough.is_set():
            yield value
            value += 1

    def numbered(number: int) -> Callable[[], Numbered]:
        return lambda: Numbered(number)

    session.service("it", numbered(1), concurrency=concurrency, capacity=2)
    asks = session.source(numbers, name="numbers").map(Calling("it"), parallelism=3, capacity=4, name="asks")
    result = asks.collect(name="out")
    session.start()
    for number in range(2, replacements + 2):
        if number % 3 == 0:
            session.pause("it")
        session.replace("it", numbered(number))
        session.resume("it")
    is_enough.set()
    session.wait(PATIENCE_S)
    assert not wrong
    assert sorted(value for value, _ in result) == list(range(len(result)))
    for instance in range(3):  # each asks for one packet after the other
        versions = [number for value, number in sorted(result) if value % 3 == instance]
        assert versions == sorted(versions)
    facts = session.snapshot().services["it"]
    assert facts.received == facts.results == len(result)
