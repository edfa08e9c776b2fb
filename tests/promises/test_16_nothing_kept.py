"""Promise 16, of memory: after a close nothing of the user's is kept but what can be read, and no cycle keeps it."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, ClassVar

import pytest

import runtime
from runtime.task.batch import BatchSize
from runtime.testing import PATIENCE_S
from tests.platforms import MakeSession


class Payload:
    """A value that can be counted as long as anybody holds it."""

    living: ClassVar[weakref.WeakSet[Payload]] = weakref.WeakSet()

    def __init__(self, number: int) -> None:
        self.number = number
        Payload.living.add(self)


def made(count: int = 200) -> Iterator[Payload]:
    return (Payload(number) for number in range(count))


def same(payload: Any) -> Any:
    return payload


def key(payload: Payload) -> int:
    return payload.number % 7


def third(payload: Payload) -> Payload:
    if payload.number % 3 == 0:
        raise ValueError("no good", payload)
    return payload


async def awaited(payload: Payload) -> Payload:
    await asyncio.sleep(0)
    return third(payload)


class Remembers(runtime.Function[Payload, Payload]):
    def process(self, value: Payload, /) -> Payload:
        self.ctx.state["last"] = self.last = value
        self.ctx.send_packet(Payload(value.number))
        return value


class Service:
    def process(self, payload: Payload) -> Payload:
        return Payload(payload.number)


class Calls(runtime.Function[Payload, Payload]):
    def __init__(self, waits: bool) -> None:
        self.waits = waits

    def process(self, value: Payload, /) -> Any:
        if self.waits:
            return self.ctx.call_service("service", value)
        return self.ctx.call_service_async("service", value).result(PATIENCE_S)


def calling(session: runtime.Session, *, waits: bool) -> None:
    session.service("service", Service)
    session.source(made).map(Calls(waits)).sink(same)


def joining(session: runtime.Session) -> None:
    right = session.source(made).key_by(key)
    session.source(made).key_by(key).join(right, lambda row, _: row, how="outer").sink(same)


PIPELINES: dict[str, Callable[[runtime.Session], object]] = {
    "plain": lambda s: s.source(made).map(same).filter(key).flat_map(lambda value: [value, value]).sink(same),
    "keyed": lambda s: s.source(made).key_by(key).reduce(lambda _, value: value, emit="end").sink(same),
    "keys": lambda s: s.source(made).key_by(same).map(same, parallelism=2).sink(same),
    "function": lambda s: s.source(made).map(Remembers()).sink(same),
    "call": lambda s: calling(s, waits=True),
    "future": lambda s: calling(s, waits=False),
    "skip": lambda s: s.source(made).map(third, on_error="skip").sink(same),
    "retry": lambda s: s.source(made).flat_map(lambda v: [third(v)], on_error=runtime.Retry(1, then="skip")).sink(same),
    "fail": lambda s: s.source(made).map(same).map(third).sink(same),
    "fail what waits": lambda s: s.source(made).map(awaited).sink(same),
    "failing key": lambda s: s.source(made).key_by(third).sink(same),
    "take": lambda s: s.source(map(same, made())).map(same).take(5).sink(same),
    "skip what waits": lambda s: s.source(made).map(awaited, on_error="skip").sink(same),
    "retry what waits": lambda s: s.source(made).map(awaited, on_error=runtime.Retry(1, then="skip")).sink(same),
    "join": joining,
}


@pytest.fixture
def no_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    Payload.living.clear()
    yield
    gc.enable()


@pytest.mark.usefixtures("no_collector")
@pytest.mark.parametrize("trace", [False, True], ids=["", "traced"])
@pytest.mark.parametrize("name", PIPELINES)
def test_after_a_close_nothing_keeps_a_payload_but_letters_and_the_failure(
    make_session: MakeSession, name: str, trace: bool
) -> None:
    session = make_session(trace=trace)
    PIPELINES[name](session)
    with suppress(runtime.TaskFailed):
        session.run(PATIENCE_S)
    session.close()
    failed = session.outcome is not None and session.outcome.state == "failed"
    assert len(Payload.living) <= len(session.dead_letters) + failed
    session.dead_letters.discard_all()
    assert len(Payload.living) <= failed
    assert (session.failure is not None) is failed, "it can be read as before"


@pytest.mark.usefixtures("no_collector")
def test_the_failure_keeps_nothing_of_the_batch_but_its_packet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BatchSize, "QUICK_S", PATIENCE_S)  # each batch is twice as long as the one before
    monkeypatch.setattr(BatchSize, "SLOW_S", PATIENCE_S)
    failing = 100

    def fail(payload: Payload) -> None:
        if payload.number == failing:
            raise ValueError("no good", payload)

    with runtime.Session() as session:
        session.source(made, name="made").sink(fail)
        session.start(paused=True)
        session.resume("made")
        session.settle(PATIENCE_S)
        session.resume()
        with pytest.raises(runtime.TaskFailed):
            session.wait(PATIENCE_S)
    assert [payload.number for payload in Payload.living] == [failing]


@pytest.mark.usefixtures("no_collector")
def test_with_the_session_goes_all_that_it_kept_also_without_a_collector() -> None:
    for name in ("skip", "fail", "fail what waits"):
        session = runtime.Session()
        PIPELINES[name](session)
        with suppress(runtime.TaskFailed):
            session.run(PATIENCE_S)
        session.close()
        assert len(Payload.living) > 0
        del session
        assert len(Payload.living) == 0, name


@pytest.mark.usefixtures("no_collector")
def test_a_service_and_its_caller_keep_nothing_of_the_last_request(make_session: MakeSession) -> None:
    session = make_session()
    session.service("service", Service)
    session.input("in").map(Calls(True)).sink(lambda payload: None)
    session.start()
    session.send("in", Payload(1))
    session.settle(PATIENCE_S)
    assert len(Payload.living) == 0
    session.call("service", Payload(2))
    session.settle(PATIENCE_S)
    assert len(Payload.living) == 0
    session.end("in")
    session.wait(PATIENCE_S)


@pytest.mark.usefixtures("no_collector")
@pytest.mark.parametrize("target", ["in", "work"])
def test_what_was_injected_is_kept_by_nobody_once_it_was_worked_or_taken_back(
    make_session: MakeSession, target: str
) -> None:
    session = make_session()
    session.input("in").map(lambda payload: None, name="work").sink(lambda _: None)
    session.start()
    session.inject(target, Payload(1))
    session.settle(PATIENCE_S)
    assert len(Payload.living) == 0
    session.pause(target)
    session.inject(target, Payload(2))
    assert len(Payload.living) == 1
    session.undo()
    assert len(Payload.living) == 0
    session.cancel()


def test_what_was_left_in_queues_can_be_seen_after_a_close_and_holds_nothing(make_session: MakeSession) -> None:
    for trace in (False, True):
        session = make_session(trace=trace)
        session.input("in").key_by(lambda values: values[0]).map(lambda values: values, name="work").sink(abs)
        session.start(paused=True)
        session.resume("in")
        for number in range(3):
            session.send("in", [number, "x"])
        session.settle(PATIENCE_S)
        before, depths = [packet.text for packet in session.peek("work")], session.snapshot().depths
        session.cancel()
        session.wait(PATIENCE_S)
        session.close()
        session.close()
        assert [packet.text for packet in session.peek("work")] == before == [f"[{n}, 'x'] [key {n}]" for n in range(3)]
        assert session.snapshot().depths == depths
        assert session.peek("work")[0].payload != [0, "x"]
