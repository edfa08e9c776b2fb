"""Promise 18: of a function that waits many calls are open at once, on the task's own thread, and nothing else changes.

On free threads the calls sleep for milliseconds, under a seed in virtual time.
"""

from __future__ import annotations

import asyncio
import itertools
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from itertools import pairwise
from time import sleep
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

import runtime
from runtime import AsyncRefused, GraphInvalid, Retry, TaskFailed
from runtime.graph.policy import OnError
from runtime.operators.awaited import CONCURRENCY
from runtime.testing import PATIENCE_S, Moment, explore
from tests.platforms import MakeSession, Platform

SHORT_S = 0.001


async def doubled(value: int) -> int:
    await asyncio.sleep(SHORT_S * (value % 3))
    return value * 2


class Gauge:
    """An `async def` that counts how many calls of it are under way."""

    def __init__(self, pause_s: Callable[[int], float] = lambda value: SHORT_S) -> None:
        self.pause_s = pause_s
        self.now = self.most = 0
        self.began: list[int] = []
        self.ended: list[int] = []

    async def __call__(self, value: int) -> int:
        self.began.append(value)
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            await asyncio.sleep(self.pause_s(value))
        finally:
            self.now -= 1
            self.ended.append(value)
        return value


# ── many at once ──


@pytest.mark.also_remote
@pytest.mark.long_on_ray
def test_results_of_calls_come_in_the_order_of_their_packets(session: runtime.Session) -> None:
    result = session.source(range(100)).map(doubled).collect()
    session.run(PATIENCE_S)
    assert list(result) == [value * 2 for value in range(100)]


def test_unordered_results_come_as_calls_come_to_their_end(session: runtime.Session) -> None:
    first_is_last = Gauge(lambda value: 0.2 if value == 0 else SHORT_S)
    result = session.source(range(30)).map(first_is_last, ordered=False).collect()
    session.run(PATIENCE_S)
    assert sorted(result) == list(range(30))
    assert result[-1] == 0


@pytest.mark.parametrize("ordered", [True, False])
def test_no_more_calls_are_open_than_concurrency_says(session: runtime.Session, ordered: bool) -> None:
    work = Gauge(lambda value: SHORT_S * (value % 5))
    session.source(range(100)).map(work, concurrency=7, ordered=ordered).collect()
    session.run(PATIENCE_S)
    assert 2 <= work.most <= 7


def test_without_a_word_sixteen_calls_are_open(session: runtime.Session) -> None:
    work = Gauge()
    session.source(range(100)).map(work).collect()
    session.run(PATIENCE_S)
    assert work.most == CONCURRENCY == 16


def test_results_that_wait_for_their_turn_count_as_open(session: runtime.Session) -> None:
    first_is_slow = Gauge(lambda value: 0.1 if value == 0 else 0)
    session.source(range(50)).map(first_is_slow, concurrency=4).collect()
    session.run(PATIENCE_S)
    assert set(first_is_slow.began[:4]) == {0, 1, 2, 3}
    assert first_is_slow.ended.index(0) == 3, "nobody else began before the first was sent"


def test_each_operator_makes_of_its_call_what_it_makes_of_a_plain_one(session: runtime.Session) -> None:
    async def is_even(value: int) -> bool:
        return value % 2 == 0

    async def twice(value: int) -> list[int]:
        return [value, value]

    async def yielded(value: int) -> AsyncIterator[int]:
        yield value
        await asyncio.sleep(SHORT_S)
        yield -value

    async def seen(value: int) -> None:
        await asyncio.sleep(0)
        taken.append(value)

    taken: list[int] = []
    session.source(range(5)).filter(is_even).flat_map(twice).flat_map(yielded).sink(seen, concurrency=1)
    session.run(PATIENCE_S)
    assert taken == [0, 0, 0, 0, 2, -2, 2, -2, 4, -4, 4, -4]


def test_a_full_consumer_holds_results_back_and_calls_go_on(session: runtime.Session) -> None:
    work = Gauge()
    result = session.source(range(60)).map(work, concurrency=8).map(lambda value: value, capacity=1).collect()
    session.run(PATIENCE_S)
    assert list(result) == list(range(60))


@pytest.mark.concurrent
def test_a_call_that_returns_at_once_does_not_hold_up_those_that_wait(session: runtime.Session) -> None:
    async def mostly_at_once(value: int) -> int:
        if value == 0:
            await asyncio.sleep(SHORT_S)
        return value

    numbers = session.source(range(3_000), name="numbers")
    result = numbers.map(mostly_at_once, ordered=False, capacity=3_000).collect(capacity=3_000)
    session.start(paused=True)
    session.resume("numbers")
    session.settle(PATIENCE_S)
    session.resume()
    session.wait(PATIENCE_S)
    assert sorted(result) == list(range(3_000))
    assert result.index(0) < 2_900


# ── keys, and what belongs to a call ──


def test_calls_of_equal_keys_run_one_after_the_other(session: runtime.Session) -> None:
    under_way: set[int] = set()

    async def alone(value: int) -> int:
        assert value % 3 not in under_way
        under_way.add(value % 3)
        await asyncio.sleep(SHORT_S * (value % 2))
        under_way.remove(value % 3)
        return value

    result = session.source(range(60)).key_by(lambda value: value % 3).map(alone).collect()
    session.run(PATIENCE_S)
    assert list(result) == list(range(60))


class Remembers(runtime.Function[int, Any]):
    """Asks its context before and after each wait."""

    async def process(self, value: int) -> Any:
        ctx = self.ctx
        seen = ctx.state.setdefault("seen", [])
        await asyncio.sleep(SHORT_S * (value % 4))
        assert ctx.key == value % 5
        seen.append(value)
        ctx.send_packet(("before", value))
        await asyncio.sleep(0)
        assert ctx.state["seen"] is seen
        return ("last", value)


@pytest.mark.also_remote
@pytest.mark.parametrize("ordered", [True, False])
def test_key_state_and_packets_sent_belong_to_the_call(session: runtime.Session, ordered: bool) -> None:
    keyed = session.source(range(40)).key_by(lambda value: value % 5)
    result = keyed.map(Remembers(), name="remembers", ordered=ordered).collect()
    session.run(PATIENCE_S)
    pairs = [(a, b) for a, b in zip(result[::2], result[1::2], strict=True)]
    assert all(a[0] == "before" and b == ("last", a[1]) for a, b in pairs)
    by_key = session.state("remembers")
    assert {key: state["seen"] for key, state in by_key.items()} == {k: list(range(k, 40, 5)) for k in range(5)}


class Lives(runtime.Function[int, Any]):
    """Async and plain methods side by side."""

    def __init__(self, told: list[str]) -> None:
        self.told = told

    def __deepcopy__(self, memo: object) -> Lives:
        return self

    async def open(self, ctx: Any) -> None:
        await asyncio.sleep(SHORT_S)
        self.told.append("open")

    def process(self, value: int) -> int:
        return value

    async def finish(self) -> AsyncIterator[int]:
        yield -1
        await asyncio.sleep(SHORT_S)
        yield -2

    async def close(self) -> None:
        await asyncio.sleep(SHORT_S)
        self.told.append("closed")


def test_the_methods_of_a_function_may_wait_or_not(session: runtime.Session) -> None:
    told: list[str] = []
    result = session.source(range(3)).map(Lives(told)).collect()
    session.run(PATIENCE_S)
    assert list(result) == [0, 1, 2, -1, -2]
    assert told == ["open", "closed"]


# ── failure ──


async def fails_on_three(value: int) -> int:
    await asyncio.sleep(SHORT_S * (10 - value))
    if value == 3:
        raise ValueError(value)
    return value


@pytest.mark.also_remote
def test_a_call_that_fails_does_so_in_its_turn(session: runtime.Session) -> None:
    result = session.source(range(10)).map(fails_on_three, name="work").collect()
    with pytest.raises(TaskFailed, match=r"'work' failed on packet 3: ValueError: 3"):
        session.run(PATIENCE_S)
    assert list(result) == [0, 1, 2][: len(result)]
    outcome = session.outcome
    assert outcome is not None
    facts = session.snapshot()["work"]
    assert (facts.open, facts.errors, facts.emitted) == (0, 1, 3)


@pytest.mark.parametrize("policy", ["skip", Retry(2, then="skip")])
def test_a_call_that_is_skipped_leaves_the_others_as_they_are(session: runtime.Session, policy: OnError) -> None:
    result = session.source(range(10)).map(fails_on_three, name="work", on_error=policy).collect()
    outcome = session.run(PATIENCE_S)
    assert list(result) == [0, 1, 2, 4, 5, 6, 7, 8, 9]
    assert [(letter.task, letter.packet) for letter in session.dead_letters] == [("work", 3)]
    assert (outcome.skipped, outcome.errors) == (1, 1)
    assert session.snapshot()["work"].retries == (0 if policy == "skip" else 2)


def test_a_repeat_holds_up_nobody_else_where_order_allows(session: runtime.Session) -> None:
    attempts: list[int] = []

    async def works_at_last(value: int) -> int:
        if value == 0:
            attempts.append(value)
            if len(attempts) < 3:
                raise ValueError(value)
        return value

    policy = Retry(5, backoff=0.05)
    result = session.source(range(40)).map(works_at_last, on_error=policy, ordered=False).collect()
    session.run(PATIENCE_S)
    assert sorted(result) == list(range(40))
    assert result[-1] == 0


def test_what_an_attempt_has_made_is_sent_only_if_it_succeeds(session: runtime.Session) -> None:
    class Half(runtime.Function[int, Any]):
        attempts = 0

        async def process(self, value: int) -> int:
            self.ctx.send_packet(-value)
            await asyncio.sleep(0)
            self.attempts += 1
            if self.attempts % 2:
                raise ValueError(value)
            return value

    result = session.source([1, 2]).map(Half(), on_error=Retry(3), concurrency=1).collect()
    session.run(PATIENCE_S)
    assert list(result) == [-1, 1, -2, 2]


def test_results_of_one_call_are_held_up_to_a_bound(make_session: MakeSession) -> None:
    async def endless(value: int) -> AsyncIterator[str]:
        while True:
            yield "x" * 1000
            await asyncio.sleep(0)

    session = make_session(max_results_bytes=50_000)
    session.source([1]).flat_map(endless, name="work", on_error=Retry(1)).collect()
    with pytest.raises(TaskFailed, match="a call of 'work' has made results of more than 50,000 bytes"):
        session.run(PATIENCE_S)


def test_a_call_that_takes_too_long_raises_after_its_finally(session: runtime.Session) -> None:
    told: list[str] = []

    async def slow(value: int) -> int:
        try:
            await asyncio.sleep(60 if value == 1 else 0)
        finally:
            await asyncio.sleep(SHORT_S)
            told.append(f"end of {value}")
        return value

    result = session.source(range(3)).map(slow, timeout=0.5, on_error="skip", concurrency=1).collect()
    session.run(PATIENCE_S)
    assert list(result) == [0, 2]
    assert told == ["end of 0", "end of 1", "end of 2"]
    assert type(session.dead_letters[0].error) is TimeoutError


@pytest.mark.parametrize("error", [SystemExit(3), asyncio.CancelledError(), KeyboardInterrupt()])
def test_what_no_policy_is_for_fails_the_job(session: runtime.Session, error: BaseException) -> None:
    async def leaves(value: int) -> int:
        await asyncio.sleep(0)
        raise error

    session.source(range(3)).map(leaves, name="work", on_error="skip").collect()
    with pytest.raises(TaskFailed, match="'work' failed on packet 0") as failure:
        session.run(PATIENCE_S)
    assert type(failure.value.__cause__) is type(error)


# ── ends ──


def test_cancel_awaits_every_finally_and_counts_what_it_drops(session: runtime.Session) -> None:
    told: list[int] = []
    under_way = Moment()

    async def endless(value: int) -> int:
        try:
            if value == 3:
                under_way.set()
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(SHORT_S)
            told.append(value)
        return value

    numbers = session.input("numbers")
    numbers.map(endless, name="work", concurrency=4).collect()
    session.start()
    for value in range(10):
        session.send("numbers", value)
    under_way.wait()
    session.cancel()
    outcome = session.wait(PATIENCE_S)
    assert sorted(told) == [0, 1, 2, 3]
    assert (outcome.state, outcome.dropped) == ("cancelled", 10)
    assert session.snapshot()["work"].open == 0


def test_a_function_is_closed_after_its_calls_have_ended(session: runtime.Session) -> None:
    told: list[str] = []
    under_way = Moment()

    class Endless(runtime.Function[int, Any]):
        def __deepcopy__(self, memo: object) -> Endless:
            return self

        async def process(self, value: int) -> int:
            try:
                under_way.set()
                await asyncio.Event().wait()
            finally:
                told.append("call")
            return value

        async def close(self) -> None:
            await asyncio.sleep(0)
            told.append("close")

    session.source([1]).map(Endless()).collect()
    session.start()
    under_way.wait()
    session.cancel()
    session.wait(PATIENCE_S)
    assert told == ["call", "close"]


def test_the_stop_signal_comes_after_the_last_result(session: runtime.Session) -> None:
    work = Gauge(lambda value: SHORT_S * 20)
    result = session.source(range(16), name="numbers").map(work, name="work").collect(name="end")
    session.start()
    session.stop()
    outcome = session.wait(PATIENCE_S)
    assert list(result) == work.began
    assert outcome.state in ("stopped", "completed")
    assert session.snapshot()["end"].ended_producers[0][0] == "work"


def test_what_nobody_needs_any_more_ends(session: runtime.Session) -> None:
    result = session.source(iter(int, 1)).map(Gauge()).take(5).collect()
    session.run(PATIENCE_S)
    assert list(result) == [0] * 5


@pytest.mark.parametrize("streams", [False, True])
def test_a_key_function_that_fails_is_to_blame_for_the_packet_of_the_result(
    session: runtime.Session, streams: bool
) -> None:
    async def hundred(value: int) -> int:
        await asyncio.sleep(SHORT_S)
        return value * 100

    async def hundreds(value: int) -> AsyncIterator[int]:
        yield value * 100

    def key(value: int) -> int:
        return 1 // (500 - value)

    numbers = session.source(range(1, 10))
    made: Any = numbers.flat_map(hundreds, name="it") if streams else numbers.map(hundred, name="it")
    made.key_by(key).map(abs).collect()
    with pytest.raises(TaskFailed, match=r"^task 'it' failed on packet 5: ZeroDivisionError"):
        session.run(PATIENCE_S)


def test_calls_under_way_end_when_nobody_needs_what_they_make(make_session: MakeSession, platform: Platform) -> None:
    sleeping, ended = platform.moment(), platform.log()

    async def sleeps(value: int) -> int:
        sleeping.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(SHORT_S)
            ended.append(value)
        return value

    session = make_session(capacity=4)
    slow = session.source(itertools.count, name="numbers").map(sleeps, name="slow", concurrency=3)
    result = slow.union(session.input("in")).take(2).collect()
    session.start()
    sleeping.wait()
    session.send("in", 1)
    session.send("in", 2)
    outcome = session.wait(PATIENCE_S)
    assert (outcome.state, outcome.errors, list(result)) == ("completed", 0, [1, 2])
    assert 1 <= len(ended) <= 3, "each that was begun has run its finally"
    assert session.snapshot()["slow"].ending == "completed"
    assert session.peek("slow").open == ()


def test_an_error_in_the_finally_of_a_call_that_nobody_needs_is_heard(
    make_session: MakeSession, platform: Platform
) -> None:
    sleeping = platform.moment()

    async def sleeps(value: int) -> int:
        sleeping.set()
        try:
            await asyncio.Event().wait()
        finally:
            raise ValueError("on the way out")

    session = make_session()
    session.source([7]).map(sleeps, name="slow").union(session.input("in")).take(1).collect()
    session.start()
    sleeping.wait()
    session.send("in", 1)
    with pytest.raises(TaskFailed, match="'slow' failed on packet 7: ValueError: on the way out"):
        session.wait(PATIENCE_S)


def test_what_the_hand_puts_in_is_called_for_at_once(session: runtime.Session) -> None:
    numbers = session.input("numbers").union(session.input("others"))
    result = numbers.map(doubled, name="work", capacity=5).collect()  # one place is the hand's own
    session.start()
    session.settle(PATIENCE_S)
    for value in range(5):
        session.inject("work", value)
        session.settle(PATIENCE_S)
        assert result[-1] == value * 2
    session.stop()
    session.wait(PATIENCE_S)


# ── pause, step, look ──


@pytest.mark.concurrent
def test_a_pause_waits_for_open_calls_and_starts_none(make_session: MakeSession) -> None:
    session = make_session()
    opened = asyncio.Event()
    loops: list[asyncio.AbstractEventLoop] = []
    began: list[int] = []
    four = Moment()

    async def waits(value: int) -> int:
        began.append(value)
        if len(began) == 4:
            loops.append(asyncio.get_running_loop())
            four.set()
        await opened.wait()
        return value

    result = session.source(range(10)).map(waits, name="work", concurrency=4).collect(name="end")
    session.start()
    four.wait()
    assert session.pause("work", timeout=0) == ("work",)
    view = session.peek("work")
    assert [packet.payload for packet in view.open] == [0, 1, 2, 3]
    assert session.snapshot()["work"].open == 4
    loops[0].call_soon_threadsafe(opened.set)
    assert session.pause("work") == ()
    assert began == [0, 1, 2, 3]
    facts = session.snapshot()["work"]
    assert (facts.open, facts.depth, facts.emitted, facts.state) == (0, 6, 4, "paused")
    assert [packet.payload for packet in session.peek("work")] == [4, 5, 6, 7, 8, 9]
    session.resume()
    session.wait(PATIENCE_S)
    assert list(result) == list(range(10))


def test_a_step_starts_one_call_and_waits_for_its_end(session: runtime.Session) -> None:
    work = Gauge(lambda value: SHORT_S * 5)
    result = session.source(range(3), name="numbers").map(work, name="work").collect(name="end")
    session.start(paused=True)
    session.step("numbers", 3)
    for value in range(3):
        assert str(session.step("work")) == f"work: {value} -> {value} to end"
        assert work.ended == list(range(value + 1))
    session.resume()
    session.wait(PATIENCE_S)
    assert list(result) == [0, 1, 2]


def test_a_tap_sees_each_call_with_what_it_has_made(session: runtime.Session) -> None:
    session.source(range(4)).map(doubled, name="work").collect(name="end")
    session.start(paused=True)
    with session.tap("work") as tap:
        session.resume()
        session.wait(PATIENCE_S)
    assert [str(step) for step in tap.steps][:4] == [f"work: {value} -> {value * 2} to end" for value in range(4)]


def test_an_edit_is_seen_by_the_call_that_comes(session: runtime.Session) -> None:
    result = session.source(range(3), name="numbers").map(doubled, name="work").collect()
    session.start(paused=True)
    session.step("numbers", 3)
    session.edit(session.peek("work")[1], 10)
    session.resume()
    session.wait(PATIENCE_S)
    assert list(result) == [0, 20, 4]


def test_parents_of_results_are_the_packets_of_their_calls(make_session: MakeSession) -> None:
    session = make_session(trace=True)
    session.source(range(6), name="numbers").map(doubled, name="work").map(abs, name="last").collect()
    session.start(paused=True)
    while session.step("numbers").result != "stop":
        pass
    ids = {packet.payload: packet.id for packet in session.peek("work")}
    session.resume("work")
    session.settle(PATIENCE_S)
    assert {packet.payload: packet.parents for packet in session.peek("last")} == {
        value * 2: (ids[value],) for value in range(6)
    }
    session.cancel()


@pytest.mark.concurrent
def test_a_call_that_blocks_its_loop_is_a_warning_that_names_it(make_session: MakeSession) -> None:
    async def blocks(value: int) -> int:
        await asyncio.sleep(0)
        if value in (1, 6):
            sleep(0.15)
        return value

    session = make_session()
    session.source(range(10)).map(blocks, name="work", concurrency=2).collect()
    session.run(PATIENCE_S)
    told = [event.text for event in session.events if event.kind == "warning"]
    assert len(told) == 2
    assert told[0].startswith("a call has held up all others for ")
    assert told[1].startswith(("the call with packet 6 has held up", "the call with packet 1 has held up"))


# ── refused ──


class Clock:
    def process(self, value: int) -> int:
        return value


@pytest.mark.parametrize(
    ("write", "says"),
    [
        (lambda stream: stream.map(abs, concurrency=4), r"concurrency=4 of map .* use parallelism="),
        (lambda stream: stream.filter(abs, ordered=False), r"ordered=False of filter"),
        (lambda stream: stream.sink(print, timeout=1), r"timeout=1 of sink"),
        (lambda stream: stream.map(doubled, concurrency=0), r"concurrency of map is 0"),
        (lambda stream: stream.map(doubled, timeout=-1), r"timeout of map is -1"),
        (lambda stream: stream.map(doubled, ordered=1), r"ordered of map is 1"),
        (lambda stream: stream.reduce(doubled), r"'reduce' is an `async def`"),
        (lambda stream: stream.key_by(doubled), r"key_by' is an `async def`"),
    ],
)
def test_what_cannot_be_is_refused_by_name(
    unstarted: runtime.Session, write: Callable[[Any], object], says: str
) -> None:
    with pytest.raises(GraphInvalid, match=says):
        write(unstarted.source([1]))


def test_a_generator_is_refused_where_one_result_is_sent(unstarted: runtime.Session) -> None:
    async def yields(value: int) -> AsyncIterator[int]:
        yield value

    for method in ("map", "filter", "sink"):
        with pytest.raises(AsyncRefused, match=r"flat_map"):
            getattr(unstarted.source([1]), method)(yields)


def test_a_service_is_not_waited_for_in_the_loop(session: runtime.Session) -> None:
    class Asks(runtime.Function[int, Any]):
        async def process(self, value: int) -> int:
            return int(self.ctx.call_service("clock", value))

    session.service("clock", Clock)
    session.source([1]).map(Asks(), name="asks").collect()
    with pytest.raises(TaskFailed, match=r"await ctx\.call_service_async\('clock', …\)"):
        session.run(PATIENCE_S)


class Slow:
    """A service that takes its time."""

    def process(self, value: int) -> int:
        if value == 7:
            raise ValueError(value)
        return value * 10


class AsksAsync(runtime.Function[int, Any]):
    async def process(self, value: int) -> int:
        return int(await self.ctx.call_service_async("slow", value))


def test_a_service_is_awaited_without_holding_up_other_calls(make_session: MakeSession) -> None:
    session = make_session(on_error="skip")
    session.service("slow", Slow, capacity=2)
    result = session.source(range(20)).map(AsksAsync(), name="asks").collect()
    outcome = session.run(PATIENCE_S)
    assert list(result) == [value * 10 for value in range(20) if value != 7]
    assert outcome.skipped == 1
    assert type(session.dead_letters[0].error) is ValueError


def test_a_cancel_takes_back_what_a_service_was_asked(session: runtime.Session) -> None:
    all_ask = Moment()

    class Asks(AsksAsync):
        async def process(self, value: int) -> int:
            if value == 4:
                all_ask.set()
            return await super().process(value)

    session.service("slow", Slow)
    session.source(range(5), name="numbers").map(Asks(), name="asks").collect()
    session.start(paused=True)
    session.resume("numbers")
    session.resume("asks")
    all_ask.wait()
    session.cancel()
    outcome = session.wait(PATIENCE_S)
    assert (outcome.state, outcome.dropped) == ("cancelled", 5)


def test_no_loop_is_imported_before_something_waits() -> None:
    code = "import sys, runtime; sys.exit('runtime.task.awaiting.loop' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# ── under a seed ──


def seconds_of(session: runtime.Session) -> float:
    """The virtual time at which it has ended."""
    times = [line for line in session.turns if line.startswith("time: ")]
    return float(times[-1].removeprefix("time: ").removesuffix(" s"))


async def a_second(value: int) -> int:
    await asyncio.sleep(1)
    return value


def test_a_thousand_calls_of_a_second_take_32_virtual_seconds_at_32() -> None:
    with runtime.Session(seed=1) as session:
        result = session.source(range(1_000)).map(a_second, concurrency=32).collect()
        session.run(PATIENCE_S)
        assert list(result) == list(range(1_000))
        assert seconds_of(session) == 32


def test_a_run_with_calls_repeats() -> None:
    def run(seed: int) -> tuple[list[int], list[str]]:
        with runtime.Session(seed=seed) as session:
            result = session.source(range(30)).map(Gauge(), ordered=False, concurrency=4, parallelism=2).collect()
            session.run(PATIENCE_S)
            return list(result), session.turns

    assert run(5) == run(5)
    assert len({tuple(run(seed)[0]) for seed in range(8)}) > 1, "the order is the seed's to decide"


def test_what_is_outside_is_waited_for_with_the_clock_at_rest() -> None:
    async def outside(value: int) -> int:
        await asyncio.to_thread(int)
        return value

    with runtime.Session(seed=1) as session:
        session.source(range(4)).map(outside).collect()
        session.run(PATIENCE_S)
        assert not any(line.startswith("time") for line in session.turns)
        told = [event for event in session.events if "outside of the session" in str(event)]
        assert len(told) == 1


def test_calls_begin_by_the_rate_and_go_on_meanwhile() -> None:
    began: list[float] = []

    async def slow(value: int) -> int:
        began.append(asyncio.get_running_loop().time())
        await asyncio.sleep(5)
        return value

    with runtime.Session(seed=1) as session:
        result = session.source(range(12)).map(slow, rate=runtime.Rate(3, per=2)).collect()
        session.run(PATIENCE_S)
        assert list(result) == list(range(12))
        assert began == [0, 0, 0, 2, 2, 2, 4, 4, 4, 6, 6, 6]
        assert seconds_of(session) == 11


def test_a_repeat_of_a_call_counts_for_the_rate() -> None:
    began: list[float] = []

    async def fails_once(value: int) -> int:
        began.append(asyncio.get_running_loop().time())
        if len(began) <= 2:
            raise ValueError(value)
        return value

    with runtime.Session(seed=1) as session:
        stream = session.source(range(4))
        result = stream.map(fails_once, rate=runtime.Rate(2, per=1), on_error=Retry(2, 0.1)).collect()
        session.run(PATIENCE_S)
        assert sorted(result) == list(range(4))
        assert began == [0, 0, 1, 1, 2, 2]


@pytest.mark.parametrize("concurrency", [1, 8])
def test_a_rate_holds_calls_back_in_real_time(make_session: MakeSession, concurrency: int) -> None:
    session = make_session()
    result = session.source(range(9)).map(Gauge(), rate=runtime.Rate(3, per=0.05), concurrency=concurrency).collect()
    session.run(PATIENCE_S)
    assert list(result) == list(range(9))


def test_time_does_not_pass_while_something_outside_is_waited_for() -> None:
    async def waits(value: int) -> int:
        await (asyncio.sleep(1) if value else asyncio.to_thread(sleep, 0.05))
        return value

    with runtime.Session(seed=1) as session:
        result = session.source(range(3)).map(waits, ordered=False).collect()
        session.run(PATIENCE_S)
        assert result[0] == 0


def test_a_turn_goes_on_with_one_call_to_its_next_await() -> None:
    async def awaits(value: int) -> int:
        for _ in range(5):
            await asyncio.sleep(0)
        return value

    with runtime.Session(seed=1) as session:
        session.source(range(10)).map(awaits, name="work").collect()
        session.run(PATIENCE_S)
        assert sum(line.startswith("work: ") for line in session.turns) > 10 * 5


def test_explore_refuses_what_waits_outside_of_the_session() -> None:
    async def outside(value: int) -> int:
        return await asyncio.to_thread(int, value)

    def build(session: runtime.Session) -> Any:
        return session.source(range(4)).map(outside, name="asks").collect()

    with pytest.raises(GraphInvalid, match="a call of 'asks' waits for something outside of the session"):
        explore(build, lambda session, result: True, seeds=3)


def test_explore_finds_an_order_of_calls() -> None:
    shared: list[int] = []

    async def counts(value: int) -> int:
        before = len(shared)
        await asyncio.sleep(0)
        shared[before:] = [value]  # takes back what came meanwhile
        return value

    def build(session: runtime.Session) -> Any:
        shared.clear()
        return session.source(range(3)).map(counts).collect()

    def check(session: runtime.Session, result: Any) -> None:
        assert len(shared) == 3

    finding = explore(build, check, seeds=30)
    assert finding is not None
    assert explore(build, check, seeds=[finding.seed]) is not None


# ── the same as of plain functions ──


plans = some.lists(some.tuples(some.integers(0, 3), some.integers(0, 4), some.booleans()), max_size=40)


@settings(max_examples=40)
@given(
    plan=plans, concurrency=some.integers(1, 6), ordered=some.booleans(), keyed=some.booleans(), seed=some.integers()
)
def test_calls_make_what_plain_functions_make(
    plan: list[tuple[int, int, bool]], concurrency: int, ordered: bool, keyed: bool, seed: int
) -> None:
    """Random waits, keys and failures: nothing lost, nothing doubled, all in order, never more than may be open."""
    open_now: list[int] = []
    most = 0

    async def work(value: int) -> int:
        nonlocal most
        waits, key, fails = plan[value]
        open_now.append(value)
        most = max(most, len(open_now))
        if keyed:
            assert [plan[each][1] for each in open_now].count(key) == 1
        try:
            await asyncio.sleep(waits)
            if fails:
                raise ValueError(value)
        finally:
            await asyncio.sleep(0)
            open_now.remove(value)
        return value

    with runtime.Session(seed=seed) as session:
        stream: Any = session.source(range(len(plan)))
        if keyed:
            stream = stream.key_by(lambda value: plan[value][1])
        result = stream.map(work, name="work", concurrency=concurrency, ordered=ordered, on_error="skip").collect()
        outcome = session.run(PATIENCE_S)
        good = [value for value, (_, _, fails) in enumerate(plan) if not fails]
        assert (list(result) if ordered else sorted(result)) == good
        assert outcome.skipped == len(plan) - len(good)
        assert most <= concurrency
        assert not open_now
        if keyed:
            for key in range(5):
                of_key = [value for value in result if plan[value][1] == key]
                assert all(a < b for a, b in pairwise(of_key))


@settings(max_examples=40)
@given(
    plan=plans,
    concurrency=some.integers(1, 6),
    ordered=some.booleans(),
    seed=some.none() | some.integers(),
    at=some.integers(1, 60),
)
def test_a_cancel_at_any_await_runs_every_finally_and_loses_nothing(
    plan: list[tuple[int, int, bool]], concurrency: int, ordered: bool, seed: int | None, at: int
) -> None:
    """On threads and under seeds: key and state are the call's own at each await, whatever goes on beside it."""
    open_now: list[int] = []
    awaits = itertools.count(1)

    class Works(runtime.Function[int, int]):
        async def process(self, value: int) -> int:  # type: ignore[override]
            waits, key, fails = plan[value]
            open_now.append(value)
            self.ctx.state["calls"] = calls = self.ctx.state.get("calls", 0) + 1
            try:
                for _ in range(waits):
                    if next(awaits) == at:
                        session.cancel()
                    await asyncio.sleep(0.001)
                    assert (self.ctx.key, self.ctx.state["calls"]) == (key, calls)
                if fails:
                    raise ValueError(value)
            finally:
                open_now.remove(value)
                await asyncio.sleep(0)
                assert (self.ctx.key, self.ctx.state["calls"]) == (key, calls)
            return value

    with runtime.Session(seed=seed) as session:
        stream = session.source(range(len(plan)), name="numbers").key_by(lambda value: plan[value][1])
        work = stream.map(Works(), name="work", concurrency=concurrency, ordered=ordered, on_error="skip")
        result = work.collect(name="out")
        outcome = session.run(PATIENCE_S)
        assert not open_now
        good = [value for value, (_, _, fails) in enumerate(plan) if not fails]
        assert outcome.packets_in == outcome.packets_out + outcome.skipped + outcome.dropped
        if ordered:
            assert list(result) == good[: len(result)]
        else:
            assert len(set(result)) == len(result)
            assert set(result) <= set(good)
        if next(awaits) <= at:
            assert (outcome.state, sorted(result)) == ("completed", good)


def test_what_comes_by_a_descriptor_comes_to_a_loop_that_always_has_something_else_to_do() -> None:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    come: list[bytes] = []

    async def work(value: int) -> int:
        if value:
            theirs.send(b"x")
            for _ in range(10_000):
                if come:
                    return value
                await asyncio.sleep(0)
            raise AssertionError("nothing has come")
        come.append(await asyncio.get_running_loop().sock_recv(ours, 1))
        return value

    with ours, theirs, runtime.Session("test") as session:
        result = session.source([0, 1]).map(work, concurrency=2).collect()
        session.run(PATIENCE_S)
        assert list(result) == [0, 1]
