"""Promise 18: of an asynchronous generator in `flat_map` the oldest call streams; the others buffer, bounded."""

from __future__ import annotations

import asyncio
import random
import sys
from collections.abc import AsyncIterator, Callable
from time import sleep
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

import runtime
from runtime import CommandRefused, Retry, TaskFailed
from runtime.task.awaiting.calls import BUFFERED
from runtime.testing import PATIENCE_S, Moment, explore
from tests.platforms import MakeSession, Platform

SHORT_S = 0.001


class Goes(runtime.Function[tuple[int, int], Any]):
    """Of `(number, count)` so many results; before each the call waits until it is let go on."""

    def __init__(self, moment: Callable[[], Moment]) -> None:
        self.may_go_on = {(number, at): moment() for number in range(2) for at in range(4)}

    async def process(self, value: tuple[int, int]) -> AsyncIterator[tuple[int, int]]:
        number, count = value
        for at in range(count):
            await asyncio.to_thread(self.may_go_on[number, at].wait)
            yield number, at


def until_there(session: runtime.Session, result: Any, wanted: list[Any]) -> None:
    """Wait until so much has come."""
    for _ in range(int(PATIENCE_S * 1000)):
        if len(result) >= len(wanted):
            break
        sleep(SHORT_S)
    assert list(result) == wanted


# ── who streams ──


@pytest.mark.also_remote
@pytest.mark.concurrent
def test_results_of_the_oldest_call_go_on_while_it_is_under_way(session: runtime.Session, platform: Platform) -> None:
    work = Goes(platform.moment)
    result = session.source([(0, 3), (1, 2)]).flat_map(work, name="work").collect()
    session.start()
    work.may_go_on[1, 0].set()
    work.may_go_on[0, 0].set()
    until_there(session, result, [(0, 0)])
    work.may_go_on[0, 1].set()
    until_there(session, result, [(0, 0), (0, 1)])
    work.may_go_on[0, 2].set()
    until_there(session, result, [(0, 0), (0, 1), (0, 2), (1, 0)])
    assert session.snapshot()["work"].open == 1
    work.may_go_on[1, 1].set()
    session.wait(PATIENCE_S)
    assert list(result) == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1)]


@pytest.mark.also_remote
@pytest.mark.concurrent
def test_unordered_each_call_streams(session: runtime.Session, platform: Platform) -> None:
    work = Goes(platform.moment)
    result = session.source([(0, 2), (1, 2)]).flat_map(work, ordered=False).collect()
    session.start()
    wanted = [(1, 0), (0, 0), (1, 1), (0, 1)]
    for count, each in enumerate(wanted, 1):
        work.may_go_on[each].set()
        until_there(session, result, wanted[:count])
    session.wait(PATIENCE_S)


class Counts(runtime.Function[int, Any]):
    """Makes results without end, or so many, and counts how far each call has come."""

    def __init__(self, count: int = 10_000, *, waits: bool = False) -> None:
        self.count, self.waits = count, waits
        self.made: dict[int, int] = {}
        self.closed: list[int] = []

    def __deepcopy__(self, memo: object) -> Counts:
        return self

    async def process(self, value: int) -> AsyncIterator[Any]:
        self.made[value] = 0
        try:
            if self.waits and value == 0:
                await asyncio.sleep(1)
            for at in range(self.count):
                self.made[value] += 1
                yield value, at
        finally:
            try:
                await asyncio.sleep(0)
            finally:
                self.closed.append(value)


def test_a_younger_call_makes_as_many_results_as_may_wait_and_is_suspended_at_its_yield() -> None:
    work = Counts(50, waits=True)
    seen: list[dict[int, int]] = []

    def look(value: Any) -> Any:
        if not seen:
            seen.append(dict(work.made))
        return value

    with runtime.Session(seed=1) as session:
        result = session.source(range(3)).flat_map(work, concurrency=3).map(look, capacity=1).collect()
        session.run(PATIENCE_S)
        assert seen[0][1] == seen[0][2] == BUFFERED
        assert list(result) == [(value, at) for value in range(3) for at in range(50)]


@pytest.mark.parametrize("ordered", [True, False])
def test_no_call_runs_ahead_of_a_consumer_that_takes_nothing(make_session: MakeSession, ordered: bool) -> None:
    work = Counts()
    session = make_session()
    work_of = session.source(range(3)).flat_map(work, name="work", concurrency=3, ordered=ordered)
    work_of.map(lambda value: value, name="slow", capacity=5).collect()
    session.start(paused=True)
    session.resume("source")
    session.resume("work")
    session.settle(PATIENCE_S)
    sent = session.snapshot()["work"].emitted
    assert sent == session.snapshot()["slow"].depth
    for value, made in work.made.items():
        mine = sum(packet.payload[0] == value for packet in session.peek("slow"))
        assert made - mine <= BUFFERED
    assert session.snapshot()["work"].state == "held back"
    session.cancel()
    session.wait(PATIENCE_S)
    assert sorted(work.closed) == sorted(work.made)


def test_one_that_always_has_something_keeps_no_other_from_beginning(session: runtime.Session) -> None:
    began: list[int] = []

    async def work(value: int) -> AsyncIterator[int]:
        began.append(value)
        while len(began) < 8:
            yield value
            await asyncio.sleep(0)

    session.source(range(8)).flat_map(work, concurrency=8).map(abs, capacity=1).collect()
    session.run(PATIENCE_S)
    assert began == list(range(8))


@pytest.mark.parametrize("keyed", [False, True])
@pytest.mark.parametrize("ordered", [True, False])
def test_what_a_call_sends_by_itself_is_between_its_results_and_belongs_to_it(
    session: runtime.Session, keyed: bool, ordered: bool
) -> None:
    class Sends(runtime.Function[int, Any]):
        async def process(self, value: int) -> AsyncIterator[Any]:
            for at in range(3):
                self.ctx.send_packet((value, at, "sent"))
                await asyncio.sleep(SHORT_S * (value % 3))
                assert self.ctx.key == (value % 4 if keyed else None)
                yield value, at, "yielded"

    stream: Any = session.source(range(20))
    stream = stream.key_by(lambda value: value % 4) if keyed else stream
    result = stream.flat_map(Sends(), ordered=ordered).collect()
    session.run(PATIENCE_S)
    wanted = [(value, at, how) for value in range(20) for at in range(3) for how in ("sent", "yielded")]
    for value in range(20):
        assert [each for each in result if each[0] == value] == wanted[value * 6 : value * 6 + 6]
    assert sorted(result) == sorted(wanted)
    assert not ordered or list(result) == wanted


# ── failure ──


async def breaks(value: int) -> AsyncIterator[int]:
    yield value
    await asyncio.sleep(SHORT_S)
    if value == 2:
        raise ValueError(value)
    yield -value


@pytest.mark.also_remote
def test_what_a_call_has_made_before_it_fails_is_sent_where_the_job_fails(make_session: MakeSession) -> None:
    session = make_session()
    result = session.source([1, 2, 3]).flat_map(breaks, name="work").collect()
    with pytest.raises(TaskFailed, match="'work' failed on packet 2: ValueError: 2"):
        session.run(PATIENCE_S)
    assert list(result) == [1, -1, 2][: len(result)]
    assert session.snapshot()["work"].emitted == 3


@pytest.mark.parametrize("policy", ["skip", Retry(1, then="skip"), "hold"])
def test_under_a_policy_all_of_a_packet_is_sent_or_nothing(session: runtime.Session, policy: Any) -> None:
    result = session.source([1, 2, 3]).flat_map(breaks, name="work", on_error=policy).collect()
    session.start()
    if policy == "hold":
        with pytest.raises(runtime.JobHeld):
            session.wait(PATIENCE_S)
        session.held[0].skip()
        session.resume()
    session.wait(PATIENCE_S)
    assert list(result) == [1, -1, 3, -3]


def test_what_a_call_waits_at_its_yield_does_not_count_for_its_timeout() -> None:
    async def work(value: int) -> AsyncIterator[int]:
        for _ in range(40):
            yield value
        await asyncio.sleep(0.9)
        yield -value

    with runtime.Session(seed=1) as session:
        slow = session.source([1]).flat_map(work, timeout=1.0).map(a_second, concurrency=1, capacity=1)
        result = slow.collect()
        session.run(PATIENCE_S)
        assert list(result) == [1] * 40 + [-1]


async def a_second(value: int) -> int:
    await asyncio.sleep(1)
    return value


def test_a_call_that_takes_too_long_between_its_results_fails_after_its_finally(session: runtime.Session) -> None:
    told: list[str] = []

    async def work(value: int) -> AsyncIterator[int]:
        try:
            yield value
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0)
            told.append("finally")

    result = session.source([1]).flat_map(work, name="work", timeout=0.3).collect()
    with pytest.raises(TaskFailed, match="'work' failed on packet 1: TimeoutError"):
        session.run(PATIENCE_S)
    assert (list(result) in ([], [1]), told) == (True, ["finally"])
    assert session.snapshot()["work"].emitted == 1


# ── ends ──


@pytest.mark.parametrize("ordered", [True, False])
def test_cancel_closes_every_generator_those_at_their_yield_too(session: runtime.Session, ordered: bool) -> None:
    work = Counts()
    session.source(range(3)).flat_map(work, name="work", concurrency=3, ordered=ordered).map(abs, name="end").sink(abs)
    session.start(paused=True)
    session.resume("source")
    session.resume("work")
    session.settle(PATIENCE_S)
    session.cancel()
    assert session.wait(PATIENCE_S).state == "cancelled"
    assert sorted(work.closed) == [0, 1, 2]
    assert session.snapshot()["work"].open == 0


@pytest.mark.parametrize("awaits", [False, True])
@pytest.mark.parametrize("ordered", [True, False])
def test_a_full_take_ends_calls_that_would_stream_for_ever(
    session: runtime.Session, ordered: bool, awaits: bool
) -> None:
    began: list[int] = []
    closed: list[int] = []

    async def endless(value: int) -> AsyncIterator[int]:
        began.append(value)
        try:
            for _ in range(10) if awaits else iter(int, 1):
                yield value
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            closed.append(value)

    stream = session.source(range(4)).flat_map(endless, name="work", concurrency=3, ordered=ordered)
    result = stream.take(10).collect()
    session.run(PATIENCE_S)
    assert len(result) == 10
    assert sorted(closed) == sorted(began)


@pytest.mark.also_remote
def test_the_stop_signal_comes_after_the_last_result_of_a_stream(make_session: MakeSession) -> None:
    async def counts(value: int) -> AsyncIterator[int]:
        for at in range(30):
            yield value * 30 + at
            await asyncio.sleep(0)

    session = make_session()
    result = session.source(range(20)).flat_map(counts, name="work").collect()
    session.run(PATIENCE_S)
    assert list(result) == list(range(600))
    facts = session.snapshot()["work"]
    assert (facts.open, facts.processed, facts.emitted) == (0, 20, 600)


# ── by hand ──


@pytest.mark.parametrize("ordered", [True, False])
def test_a_pause_holds_at_the_next_result_and_resume_goes_on(session: runtime.Session, ordered: bool) -> None:
    async def counts(value: int) -> AsyncIterator[tuple[int, int]]:
        for at in range(200):
            yield value, at
            await asyncio.sleep(SHORT_S / 10)

    result = (
        session.source(range(4), name="numbers")
        .flat_map(counts, name="work", concurrency=2, ordered=ordered)
        .collect(name="end")
    )
    session.start()
    seen = 0
    for _ in range(6):
        assert session.pause("work", timeout=PATIENCE_S) == ()
        session.settle(PATIENCE_S)
        facts = session.snapshot()["work"]
        assert facts.state in ("paused", "idle", "completed", "ended")
        assert facts.emitted >= seen
        seen = facts.emitted
        assert session.snapshot()["work"].emitted == seen
        session.resume("work")
    session.wait(PATIENCE_S)
    assert sorted(result) == [(value, at) for value in range(4) for at in range(200)]
    assert not ordered or list(result) == sorted(result)


@pytest.mark.concurrent
def test_a_pause_does_not_wait_for_a_stream_without_end(session: runtime.Session) -> None:
    streams, ends = Moment(), Moment()

    async def endless(value: int) -> AsyncIterator[int]:
        while not ends.has_come:
            yield value
            streams.set()
            await asyncio.sleep(0)

    result = session.input("numbers").flat_map(endless, name="work", concurrency=1).collect()
    session.start()
    session.send("numbers", 1)
    session.send("numbers", 2)
    streams.wait()
    assert session.pause("work", timeout=PATIENCE_S) == ()
    assert (session.snapshot()["work"].state, session.snapshot()["work"].open) == ("paused", 1)
    assert [packet.payload for packet in session.peek("work").open] == [1]
    before = session.snapshot()["work"].emitted
    session.edit(session.peek("work")[0], 3)
    assert session.snapshot()["work"].emitted == before
    ends.set()
    session.resume()
    session.end("numbers")
    session.wait(PATIENCE_S)
    assert list(result) == [1] * before


@pytest.mark.also_remote
def test_a_step_starts_one_call_and_is_over_with_its_last_result(session: runtime.Session) -> None:
    async def three(value: int) -> AsyncIterator[int]:
        for at in range(3):
            yield value * 10 + at
            await asyncio.sleep(SHORT_S)

    result = session.source(range(3), name="numbers").flat_map(three, name="work").collect(name="end")
    session.start(paused=True)
    session.step("numbers", 3)
    assert str(session.step("work", timeout=PATIENCE_S)) == "work: 0 -> 0, 1, 2 to end"
    assert str(session.step("work", timeout=PATIENCE_S)) == "work: 1 -> 10, 11, 12 to end"
    assert session.snapshot()["work"].open == 0
    session.resume()
    session.wait(PATIENCE_S)
    assert list(result) == [value * 10 + at for value in range(3) for at in range(3)]


@pytest.mark.concurrent
@pytest.mark.parametrize("concurrency", [1, 4])
def test_a_step_beside_a_stream_that_stays_at_a_result_lets_that_go_on(
    session: runtime.Session, concurrency: int
) -> None:
    streams, ends = Moment(), Moment()

    async def work(value: int) -> AsyncIterator[int]:
        while value == 0 and not ends.has_come:
            yield value
            streams.set()
            await asyncio.sleep(0)
        yield value + 100

    result = session.input("numbers").flat_map(work, name="work", concurrency=concurrency).collect(name="end")
    session.start()
    session.send("numbers", 0)
    streams.wait()
    assert session.pause("work", timeout=PATIENCE_S) == ()
    for value in (1, 2):
        session.inject("work", value)
    step = session.step("work", timeout=0.05)
    assert step.result in ("running", "waiting")
    assert step.packet is None or step.packet.payload == 1
    ends.set()
    while (step := session.step("work", timeout=PATIENCE_S)).result != "done":
        assert step.result in ("running", "waiting")
    assert str(step) == "work: 1 -> 101 to end"
    session.resume()
    session.end("numbers")
    session.wait(PATIENCE_S)
    assert [value for value in result if value] == [100, 101, 102]


@pytest.mark.concurrent
def test_a_function_is_not_replaced_while_a_stream_of_it_stays_at_a_result(session: runtime.Session) -> None:
    streams, ends = Moment(), Moment()

    async def endless(value: int) -> AsyncIterator[int]:
        while not ends.has_come:
            yield value
            streams.set()
            await asyncio.sleep(0)

    session.source([1]).flat_map(endless, name="work").collect()
    session.start()
    streams.wait()
    session.pause("work", timeout=PATIENCE_S)
    with pytest.raises(CommandRefused, match="a call of 'work' stays at a result"):
        session.replace("work", breaks)
    ends.set()
    session.resume()
    session.wait(PATIENCE_S)


def test_parents_of_streamed_results_are_the_packets_of_their_calls(make_session: MakeSession) -> None:
    session = make_session(trace=True)
    session.source(range(1, 5), name="numbers").flat_map(breaks_not, name="work", ordered=False).map(
        abs, name="last"
    ).collect()
    session.start(paused=True)
    while session.step("numbers").result != "stop":
        pass
    ids = {packet.payload: packet.id for packet in session.peek("work")}
    session.resume("work")
    session.settle(PATIENCE_S)
    found = [(packet.payload, packet.parents) for packet in session.peek("last")]
    assert sorted(found) == sorted((sign * value, (ids[value],)) for value in range(1, 5) for sign in (1, -1))
    session.cancel()


async def breaks_not(value: int) -> AsyncIterator[int]:
    yield value
    await asyncio.sleep(SHORT_S)
    yield -value


@pytest.mark.also_remote
def test_replies_stream_to_who_has_asked_and_the_question_is_over_with_the_last(make_session: MakeSession) -> None:
    session = make_session()
    session.input("ask").flat_map(breaks_not, name="work").reply()
    session.start()
    for value in range(1, 4):
        assert list(session.ask("ask", value, many=True, timeout=PATIENCE_S)) == [value, -value]
    session.end("ask")
    session.wait(PATIENCE_S)


# ── schedules ──


plans = some.lists(some.tuples(some.lists(some.integers(0, 3), max_size=25), some.integers(0, 3)), max_size=12)


@settings(max_examples=40)
@given(
    plan=plans,
    concurrency=some.integers(1, 5),
    ordered=some.booleans(),
    keyed=some.booleans(),
    capacity=some.sampled_from([1, 3, 1024]),
    seed=some.none() | some.integers(),
)
def test_streams_make_what_plain_generators_make(
    plan: list[tuple[list[int], int]], concurrency: int, ordered: bool, keyed: bool, capacity: int, seed: int | None
) -> None:
    ahead: dict[int, int] = {}

    async def work(value: int) -> AsyncIterator[tuple[int, int]]:
        for at, waits in enumerate(plan[value][0]):
            for _ in range(waits):
                await asyncio.sleep(0 if seed is None else waits)
            ahead[value] = ahead.get(value, 0) + 1
            yield value, at

    def came(value: tuple[int, int]) -> tuple[int, int]:
        ahead[value[0]] -= 1
        assert all(each <= BUFFERED + capacity + 2 for each in ahead.values())  # and what is in work, on both sides
        return value

    with runtime.Session(seed=seed) as session:
        stream: Any = session.source(range(len(plan)))
        stream = stream.key_by(lambda value: plan[value][1]) if keyed else stream
        made = stream.flat_map(work, concurrency=concurrency, ordered=ordered)
        result = made.map(came, capacity=capacity, chain=False).collect()
        session.run(PATIENCE_S)
    wanted = [(value, at) for value, (waits, _) in enumerate(plan) for at in range(len(waits))]
    assert sorted(result) == wanted
    for value in range(len(plan)):
        mine = [each for each in result if each[0] == value]
        assert mine == sorted(mine)
    assert not ordered or list(result) == wanted


def test_under_every_seed_it_is_what_a_plain_flat_map_makes() -> None:
    async def work(value: int) -> AsyncIterator[tuple[int, int]]:
        for at in range(value * 6):
            if at % 3 == value % 3:
                await asyncio.sleep(0.1)
            yield value, at

    def build(session: runtime.Session) -> Any:
        return session.source(range(5)).flat_map(work, concurrency=3).map(lambda each: each, capacity=2).collect()

    def check(session: runtime.Session, result: Any) -> None:
        assert list(result) == [(value, at) for value in range(5) for at in range(value * 6)]

    assert explore(build, check, seeds=40) is None


def test_a_turn_sends_one_result() -> None:
    async def at_once(value: int) -> AsyncIterator[int]:
        for at in range(10):
            yield at

    with runtime.Session(seed=1) as session:
        session.source([0]).flat_map(at_once, name="work").collect()
        session.run(PATIENCE_S)
        assert sum(line.startswith("work: ") for line in session.turns) >= 10


@pytest.mark.parametrize("cut", [False, True], ids=["to its end", "cancelled"])
def test_with_threads_that_are_changed_all_the_time_nothing_is_lost_and_no_generator_left(cut: bool) -> None:
    rng = random.Random(18)
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for _ in range(8):
            work = Counts(rng.randint(1, 60))
            packets, ordered = rng.randint(5, 40), rng.random() < 0.5
            with runtime.Session(capacity=rng.choice((1, 2, 1024))) as session:
                stream = session.source(range(packets)).flat_map(work, ordered=ordered, concurrency=rng.randint(1, 6))
                result = stream.map(lambda value: value).collect()
                session.start()
                if cut:
                    for _ in range(int(PATIENCE_S * 1000)):
                        if len(result) > 15:
                            break
                        sleep(SHORT_S)
                    session.cancel()
                else:
                    for _ in range(3):
                        session.pause()
                        session.resume()
                outcome = session.wait(PATIENCE_S)
            assert sorted(work.closed) == sorted(work.made)
            assert len(set(result)) == len(result)
            if ordered:
                assert list(result) == sorted(result)
            if not cut:
                assert (outcome.dropped, len(result)) == (0, packets * work.count)
    finally:
        sys.setswitchinterval(before)
