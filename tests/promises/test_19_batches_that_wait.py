"""Promises 18 and 19 together: `map_batches` with a function that waits, of which many batches are under way at once.

What holds of plain functions holds here: the functions are those of `test_19_batches`, awaited. On free threads calls
sleep for milliseconds, under a seed in virtual time.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import runtime
from runtime import AsyncRefused, GraphInvalid, Retry
from runtime.testing import PATIENCE_S, explore
from tests.pairs import every_pair_of
from tests.platforms import MakeSession
from tests.promises.test_19_batches import (
    HOLDS,
    LATE_S,
    NUMBERS,
    POLICIES,
    WRONG,
    AsksFor,
    CountsKeys,
    batches_of,
    doubled,
    inverse,
    same,
    until,
)

SHORT_S = 0.001

Waits = Callable[[list[Any]], Coroutine[Any, Any, Any]]


def waiting(function: Callable[[list[Any]], Any], seconds: Callable[[Any], float] = lambda value: SHORT_S) -> Waits:
    """The same as an `async def`, which sleeps first, as long as the first value says."""

    async def waits(batch: list[Any]) -> Any:
        await asyncio.sleep(seconds(batch[0]))
        return function(batch)

    return waits


class Gauge:
    """An `async def` that notes which batches are under way."""

    def __init__(self, seconds: Callable[[Any], float] = lambda value: SHORT_S) -> None:
        self.seconds = seconds
        self.now: list[list[Any]] = []
        self.most = 0
        self.begun: list[list[Any]] = []

    async def __call__(self, batch: list[Any]) -> list[Any]:
        self.begun.append(list(batch))
        self.now.append(batch)
        self.most = max(self.most, len(self.now))
        try:
            await asyncio.sleep(self.seconds(batch[0]))
        finally:
            self.now = [each for each in self.now if each is not batch]
        return batch


# ── one result for each packet ──


@every_pair_of(
    size=(1, 3, 64),
    capacity=(1, 2, 1024),
    policy={"fail": "fail", "skip": "skip", "retry": Retry(1), "hold": "hold"},
    parallelism=(1, 3),
    ordered=(True, False),
    remote={"size": 3, "capacity": 2, "policy": "skip", "parallelism": 1, "ordered": True},
)
def test_it_makes_what_map_makes_of_each_packet_in_order(
    make_session: MakeSession, size: int, capacity: int, policy: Any, parallelism: int, ordered: bool
) -> None:
    session = make_session(capacity=capacity, on_error=policy)
    work = waiting(doubled, lambda value: SHORT_S * (value % 3))
    stream = session.source(range(200)).map_batches(
        work, size=size, parallelism=parallelism, concurrency=4, ordered=ordered
    )
    result = stream.collect()
    outcome = session.run(PATIENCE_S)
    assert (outcome.packets_in, outcome.packets_out, outcome.dropped) == (200, 200, 0)
    assert sorted(result) == [number * 2 for number in range(200)]
    if parallelism == 1 and ordered:
        assert list(result) == sorted(result)


@pytest.mark.parametrize("ordered", [True, False])
def test_concurrency_bounds_the_batches_that_are_open(session: runtime.Session, ordered: bool) -> None:
    gauge = Gauge(lambda value: SHORT_S * 50 if value == 0 else SHORT_S)
    session.source(range(100)).map_batches(gauge, size=5, concurrency=3, ordered=ordered).collect()
    session.run(PATIENCE_S)
    assert gauge.most == 3
    assert sum(map(len, gauge.begun)) == 100


def test_results_of_a_batch_that_wait_for_their_turn_count_as_open() -> None:
    gauge = Gauge(lambda value: 100 if value == 0 else 1)
    times: list[float] = []

    with runtime.Session(seed=3) as session:

        async def work(batch: list[int]) -> list[int]:
            times.append(session.snapshot().at_s)
            return await gauge(batch)

        session.source(range(16)).map_batches(work, size=4, within=0, concurrency=2, capacity=4).collect()
        session.run(PATIENCE_S)
    assert gauge.most == 2
    assert sum(1 for at_s in times if at_s < 100) == 2, "the third waits for the first, which was the first to begin"


@pytest.mark.parametrize("ordered", [True, False])
def test_an_older_batch_is_waited_for_where_results_are_ordered(ordered: bool) -> None:
    with runtime.Session(seed=7) as session:
        work = waiting(doubled, lambda value: 10 - value)
        result = session.source(range(9)).map_batches(work, size=3, within=LATE_S, ordered=ordered).collect()
        session.run(PATIENCE_S)
    expected = [number * 2 for number in range(9)]
    assert list(result) == (expected if ordered else expected[6:] + expected[3:6] + expected[:3])


@pytest.mark.parametrize("wrong", [each for each in WRONG if each != "generator"])
def test_another_number_of_results_is_an_error_by_name(session: runtime.Session, wrong: str) -> None:
    function, text = WRONG[wrong]
    session.source("abcd").map_batches(waiting(function), size=4, within=LATE_S, name="work").collect()
    with pytest.raises(runtime.TaskFailed, match=text) as failed:
        session.run(PATIENCE_S)
    assert isinstance(failed.value.__cause__, runtime.WrongBatch)
    assert (failed.value.task, failed.value.packet) == ("work", [*"abcd"])


def test_what_is_for_functions_that_wait_is_refused_of_others(unstarted: runtime.Session) -> None:
    numbers = unstarted.source([1])
    for option in ({"concurrency": 4}, {"ordered": False}, {"timeout": 1}):
        with pytest.raises(GraphInvalid, match="of map_batches is for an `async def`"):
            numbers.map_batches(doubled, **option)
    with pytest.raises(GraphInvalid, match="concurrency of map_batches is 0"):
        numbers.map_batches(waiting(doubled), concurrency=0)
    with pytest.raises(GraphInvalid, match="size of map_batches is 0"):
        numbers.map_batches(waiting(doubled), size=0)

    async def yields(batch: list[int]) -> AsyncIterator[int]:
        for each in batch:
            yield each

    refused: Any = yields
    with pytest.raises(AsyncRefused, match="the function of map_batches is an asynchronous generator"):
        numbers.map_batches(refused)


# ── when a batch goes ──


@pytest.mark.concurrent
def test_a_batch_that_is_full_goes_at_once_beside_one_that_is_under_way(make_session: MakeSession) -> None:
    session = make_session()
    gauge = Gauge(lambda value: 0 if value else LATE_S)
    session.input("in").map_batches(gauge, size=2, within=LATE_S, name="work").collect()
    session.start()
    for number in (0, 0, 1, 1, 2):
        session.send("in", number)
    until(lambda: session.snapshot()["work"].depth == 1 and gauge.begun == [[0, 0], [1, 1]])
    assert session.snapshot()["work"].open == 2
    assert [packet.payload for packet in session.peek("work").open] == [0, 0, 1, 1]
    session.cancel()
    assert session.wait(PATIENCE_S).dropped == 5


def test_what_gathers_goes_within_its_time_though_calls_are_under_way() -> None:
    with runtime.Session(seed=1) as session:
        times: list[tuple[float, int]] = []

        async def work(batch: list[int]) -> list[int]:
            times.append((session.snapshot().at_s, len(batch)))
            await asyncio.sleep(1_000)
            return batch

        async def slowly() -> AsyncIterator[int]:
            for number in range(6):
                await asyncio.sleep(3)
                yield number

        result = session.source(slowly).map_batches(work, size=100, within=5).collect()
        session.run(PATIENCE_S)
    assert times == [(8.0, 2), (14.0, 2), (18.0, 2)], "5 s after its first packet, and at the end"
    assert list(result) == list(range(6))


def test_the_end_of_the_input_lets_the_last_batch_go_and_comes_after_all_results(session: runtime.Session) -> None:
    result = session.source(range(10)).map_batches(waiting(same), size=4, within=LATE_S, name="work").collect()
    assert session.run(PATIENCE_S).state == "completed"
    assert batches_of(result) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]


def test_a_step_is_one_batch_of_what_waits(session: runtime.Session) -> None:
    numbers = session.source(range(5), name="numbers")
    numbers.map_batches(waiting(doubled), size=3, within=LATE_S, name="work").collect()
    session.start(paused=True)
    while session.step("numbers").result == "done":
        pass
    told = [str(session.step("work")) for _ in range(4)]
    assert told == [
        "work: 0, 1, 2 -> 0, 2, 4 to collect",
        "work: 3, 4 -> 6, 8 to collect",
        "work: stop from numbers (completed), ended (completed)",
        "work: idle, nothing to take",
    ]
    session.resume()
    session.wait(PATIENCE_S)


def test_the_time_of_a_batch_stands_still_while_its_task_is_paused() -> None:
    with runtime.Session(seed=1) as session:
        result = session.input("in").map_batches(waiting(same, lambda value: 0), size=9, within=10, name="work")
        rows = result.collect(name="out")

        async def acts(batch: list[int]) -> list[int]:
            await asyncio.sleep(4)
            session.pause("work")
            await asyncio.sleep(50)
            session.resume("work")
            return batch

        session.input("acts").map_batches(acts, size=1).sink(abs)
        session.start(paused=True)
        session.send("in", 1)
        session.send("acts", 1)
        session.resume()
        while not rows:
            session.settle(PATIENCE_S)
        assert session.snapshot().at_s == 60
        session.cancel()


def test_a_pause_waits_for_batches_under_way_and_begins_none(session: runtime.Session) -> None:
    gauge = Gauge()
    result = session.input("in").map_batches(gauge, size=2, within=0, name="work").collect(name="out")
    session.start(paused=True)
    for number in range(6):
        session.send("in", number)
        session.step("in")
    session.step("work")
    assert gauge.begun == [[0, 1]]
    assert (session.snapshot()["work"].depth, session.snapshot()["work"].open) == (4, 0)
    session.resume()
    session.end("in")
    session.wait(PATIENCE_S)
    assert list(result) == list(range(6))


def test_a_breakpoint_stops_before_the_batch_that_has_its_packet_once(session: runtime.Session) -> None:
    work = session.source(range(10)).map_batches(waiting(same), size=4, within=LATE_S, name="work")
    result = work.collect()
    stops = session.breakpoint("work", lambda number: number in (5, 6))
    session.start()
    assert stops.wait(PATIENCE_S).payload == 5
    assert [packet.payload for packet in session.peek("work")][:2] == [4, 5]
    session.resume()
    assert stops.wait(PATIENCE_S).payload == 6
    session.resume()
    session.wait(PATIENCE_S)
    assert (stops.hits, batches_of(result)) == (2, [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]])


# ── keys ──


class CountsLater(CountsKeys):
    """Waits between what it reads and what it writes."""

    under_way: list[str]

    def open(self, ctx: Any) -> None:
        self.under_way = []

    async def process(self, batch: list[str]) -> list[Any]:  # type: ignore[override]
        keys = self.ctx.keys
        assert [*keys] == batch
        assert not set(keys) & set(self.under_way), "two batches with one key"
        self.under_way += keys
        before = {key: self.ctx.states[key].get("count", 0) for key in keys}
        await asyncio.sleep(SHORT_S)
        assert self.ctx.keys == keys
        for key, count in before.items():
            self.ctx.states[key]["count"] = count
        made = super().process(batch)
        for key in keys:
            self.under_way.remove(key)
        return made


@every_pair_of(
    size=(1, 3, 64),
    parallelism=(1, 3),
    policy={"fail": "fail", "skip": "skip", "hold": "hold"},
    trace={"plain": False, "traced": True},
    ordered=(True, False),
    remote={"size": 3, "parallelism": 1, "policy": "fail", "trace": "plain", "ordered": True},
)
@pytest.mark.long_on_ray
def test_batches_that_share_a_key_run_one_after_the_other(
    make_session: MakeSession, size: int, parallelism: int, policy: Any, trace: bool, ordered: bool
) -> None:
    session = make_session(on_error=policy, trace=trace)
    words = session.source([*"abracadabra" * 5]).key_by(str)
    work = words.map_batches(CountsLater(), size=size, parallelism=parallelism, ordered=ordered, name="count")
    result = work.collect()
    session.run(PATIENCE_S)
    for key in "abrcd":
        counts = [count for found, count in result if found == key]
        assert counts == list(range(1, "abracadabra".count(key) * 5 + 1))


def test_a_batch_waits_for_its_keys_as_a_whole(session: runtime.Session) -> None:
    gauge = Gauge(lambda value: SHORT_S * 20)
    result = session.source([*"abcade"]).key_by(str).map_batches(gauge, size=2, within=LATE_S).collect()
    session.run(PATIENCE_S)
    assert gauge.begun == [[*"ab"], [*"ca"], [*"de"]]
    assert list(result) == [*"abcade"]


def test_batches_of_other_keys_go_on_side_by_side(session: runtime.Session) -> None:
    gauge = Gauge(lambda value: SHORT_S * 20)
    session.source(range(40)).key_by(abs).map_batches(gauge, size=5, within=LATE_S, concurrency=4).collect()
    session.run(PATIENCE_S)
    assert gauge.most == 4


class AsksLater(AsksFor):
    """The same, awaited."""

    async def process(self, batch: list[str]) -> list[Any]:  # type: ignore[override]
        await asyncio.sleep(0)
        return super().process(batch)


@pytest.mark.parametrize("what", ["key", "state"])
def test_a_batch_has_no_key_of_its_own(session: runtime.Session, what: str) -> None:
    session.source(["a"]).key_by(str).map_batches(AsksLater(what), name="work").collect()
    with pytest.raises(runtime.TaskFailed, match=rf"ctx\.{what} of 'work', which works batches: .* ctx\.keys"):
        session.run(PATIENCE_S)


class Sends(runtime.Function[list[int], Any]):
    """Sends a number by itself before what it returns."""

    async def process(self, batch: list[int]) -> list[int]:
        await asyncio.sleep(SHORT_S * (batch[0] % 3))
        self.ctx.send_packet(-sum(batch))
        self.ctx.state["calls"] = self.ctx.state.get("calls", 0) + 1
        return batch


@pytest.mark.parametrize("policy", ["fail", "skip"])
def test_what_a_call_sends_by_itself_goes_out_before_its_results_in_its_turn(
    session: runtime.Session, policy: Any
) -> None:
    stream = session.source(range(6)).map_batches(Sends(), size=2, within=LATE_S, on_error=policy)
    result = stream.collect()
    session.run(PATIENCE_S)
    assert list(result) == [-1, 0, 1, -5, 2, 3, -9, 4, 5]


# ── policies ──


@every_pair_of(
    size=(1, 3, 64),
    policy=POLICIES,
    keyed={"plain": False, "by key": True},
    trace={"plain": False, "traced": True},
    remote={"size": 3, "policy": "skip", "keyed": "plain", "trace": "plain"},
)
def test_of_a_batch_that_fails_the_good_packets_come_through_and_the_bad_ones_are_kept(
    make_session: MakeSession, size: int, policy: Any, keyed: bool, trace: bool
) -> None:
    session = make_session(trace=trace)
    numbers: Any = session.source(NUMBERS, name="numbers")
    stream = (numbers.key_by(abs) if keyed else numbers).map_batches(
        waiting(inverse), size=size, on_error=policy, name="work"
    )
    result = stream.collect()
    outcome = session.run(PATIENCE_S)
    assert list(result) == [12 / number for number in NUMBERS if number]
    assert (outcome.skipped, outcome.packets_out) == (2, 5)
    assert [(letter.packet, letter.key) for letter in session.dead_letters] == [(0, 0 if keyed else None)] * 2


def test_retry_repeats_the_batch_and_then_goes_packet_by_packet_once_each(session: runtime.Session) -> None:
    given: list[list[int]] = []

    def fails(batch: list[int]) -> list[float]:
        given.append(list(batch))
        return inverse(batch)

    policy = Retry(2, then="skip")
    stream = session.source((1, 0, 2)).map_batches(waiting(fails), size=3, within=LATE_S, on_error=policy, name="work")
    result = stream.collect()
    session.run(PATIENCE_S)
    assert given == [[1, 0, 2]] * 3 + [[1], [0], [2]]
    assert list(result) == [12.0, 6.0]
    assert session.snapshot()["work"].retries == 2


def test_retry_that_fails_names_the_one_packet_and_asks_for_no_other(session: runtime.Session) -> None:
    given: list[list[int]] = []

    def fails(batch: list[int]) -> list[float]:
        given.append(list(batch))
        return inverse(batch)

    stream = session.source(NUMBERS).map_batches(waiting(fails), size=64, within=LATE_S, on_error=Retry(1), name="work")
    stream.collect()
    with pytest.raises(runtime.TaskFailed, match="'work' failed on packet 0: ZeroDivisionError") as failed:
        session.run(PATIENCE_S)
    assert failed.value.packet == 0
    outcome = failed.value.outcome
    assert outcome is not None
    assert outcome.packets_in == outcome.packets_out + outcome.dropped + 1
    assert given == [list(NUMBERS)] * 2 + [[1], [2], [0]]


def test_a_batch_that_is_repeated_holds_up_nobody_else_where_order_allows() -> None:
    with runtime.Session(seed=5) as session:
        begun: list[int] = []

        async def work(batch: list[int]) -> list[int]:
            begun.append(batch[0])
            if batch[0] == 0 and begun.count(0) == 1:
                raise ValueError(batch)
            return batch

        stream = session.source(range(6))
        work_of = stream.map_batches(work, size=2, within=LATE_S, ordered=False, on_error=Retry(1, backoff=60))
        result = work_of.collect()
        session.run(PATIENCE_S)
        assert session.snapshot().at_s == 60
    assert list(result) == [2, 3, 4, 5, 0, 1]


def test_a_key_function_that_fails_is_judged_for_its_packet_alone(session: runtime.Session) -> None:
    given: list[list[int]] = []

    async def notes(batch: list[int]) -> list[int]:
        given.append(list(batch))
        return batch

    stream = session.source(NUMBERS).map_batches(notes, size=64, within=LATE_S, on_error="skip", name="work")
    result = stream.key_by(lambda number: 12 / number).map(abs).collect()
    outcome = session.run(PATIENCE_S)
    assert (given, list(result)) == ([list(NUMBERS)], [number for number in NUMBERS if number])
    assert (outcome.skipped, [letter.packet for letter in session.dead_letters]) == (2, [0, 0])


def test_under_fail_a_key_function_is_blamed_for_the_packet_of_its_result(session: runtime.Session) -> None:
    stream = session.source(NUMBERS).map_batches(waiting(doubled), size=64, within=LATE_S, name="work")
    stream.key_by(lambda number: 12 / (number - 6)).map(abs).collect()
    with pytest.raises(runtime.TaskFailed) as failed:
        session.run(PATIENCE_S)
    assert failed.value.packet == 3


@pytest.mark.parametrize("policy", ["fail", "skip"])
def test_a_batch_that_takes_too_long_raises_after_its_finally(policy: Any) -> None:
    ended: list[int] = []

    async def work(batch: list[int]) -> list[int]:
        try:
            await asyncio.sleep(5 if 3 in batch else 1)
        finally:
            await asyncio.sleep(1)
            ended.append(len(batch))
        return batch

    with runtime.Session(seed=2, on_error=policy) as session:
        stream = session.source(range(4)).map_batches(work, size=2, within=LATE_S, timeout=3, name="work")
        result = stream.collect()
        if policy == "fail":
            with pytest.raises(runtime.TaskFailed, match="TimeoutError") as failed:
                session.run(PATIENCE_S)
            assert failed.value.packet == [2, 3]
            assert ended == [2, 2]
        else:
            session.run(PATIENCE_S)
            assert list(result) == [0, 1, 2]
            assert ended == [2, 2, 1, 1]
            assert isinstance(session.dead_letters[0].error, TimeoutError)


# ── held ──


@pytest.mark.also_remote
@pytest.mark.parametrize("policy", HOLDS)
@pytest.mark.long_on_ray
def test_of_a_batch_that_is_held_the_good_packets_are_worked_and_the_bad_ones_stay_open(
    make_session: MakeSession, policy: str
) -> None:
    session = make_session()
    stream = session.source(NUMBERS).map_batches(
        waiting(inverse), size=64, within=LATE_S, on_error=HOLDS[policy], ordered=False, name="work"
    )
    result = stream.collect()
    session.start()
    with pytest.raises(runtime.JobHeld, match="'work'"):
        session.wait(PATIENCE_S)
    assert [(held.task, held.packet, type(held.error)) for held in session.held] == [("work", 0, ZeroDivisionError)] * 2
    session.resume("collect")
    until(lambda: len(result) == 5)
    assert list(result) == [12 / number for number in NUMBERS if number]
    assert session.snapshot()["work"].open == 1, "what is left of one batch"
    assert [packet.payload for packet in session.peek("work").open] == [0, 0]
    session.held[0].edit(8)
    session.resume()
    with pytest.raises(runtime.JobHeld):
        session.wait(PATIENCE_S)
    (other,) = session.held
    other.skip()
    session.resume()
    outcome = session.wait(PATIENCE_S)
    assert list(result)[5:] == [12 / 8]
    assert (outcome.packets_in, outcome.packets_out, outcome.skipped, outcome.dropped) == (7, 6, 1, 0)


def test_ordered_results_wait_behind_the_packet_that_is_held(session: runtime.Session) -> None:
    stream = session.source(NUMBERS).map_batches(waiting(inverse), size=4, within=LATE_S, on_error="hold", name="work")
    result = stream.collect()
    session.start()
    with pytest.raises(runtime.JobHeld):
        session.wait(PATIENCE_S)
    assert [held.packet for held in session.held] == [0, 0], "of both batches, at once"
    session.resume("collect")
    session.settle(PATIENCE_S)
    assert list(result) == [12.0, 6.0]
    for held in session.held:
        held.skip()
    session.resume()
    session.wait(PATIENCE_S)
    assert list(result) == [12 / number for number in NUMBERS if number]


@pytest.mark.parametrize("keyed", [False, True])
@pytest.mark.parametrize("policy", HOLDS)
@pytest.mark.parametrize("ordered", [True, False])
def test_fail_replace_resume_gives_what_the_good_function_would_have_given(
    policy: str, keyed: bool, ordered: bool
) -> None:
    def mended(batch: list[int]) -> list[float]:
        return [12 / number if number else 0.0 for number in batch]

    def build(session: runtime.Session) -> Any:
        both: Any = session.source(NUMBERS, name="a").union(session.source((0, 7, 0), name="b"))
        stream = both.key_by(abs) if keyed else both
        given: Any = {"on_error": HOLDS[policy], "parallelism": 2, "ordered": ordered, "name": "work"}
        return stream.map_batches(waiting(inverse), size=4, capacity=4, **given).collect()

    def run(session: runtime.Session) -> None:
        session.start()
        for _ in range(20):
            try:
                session.wait(PATIENCE_S)
            except runtime.JobHeld:
                session.replace("work", waiting(mended))
                session.resume()
            else:
                return
        raise AssertionError("held again and again")

    def check(session: runtime.Session, result: Any) -> None:
        assert sorted(result) == sorted(mended([*NUMBERS, 0, 7, 0]))
        assert session.outcome is not None
        assert session.outcome.dropped == session.outcome.skipped == 0

    assert explore(build, check, seeds=20, run=run) is None


def test_a_plain_function_cannot_take_the_place_of_one_that_waits(session: runtime.Session) -> None:
    session.source([0, 1]).map_batches(waiting(inverse), on_error="hold", name="work").collect()
    session.start()
    with pytest.raises(runtime.JobHeld):
        session.wait(PATIENCE_S)
    with pytest.raises(AsyncRefused, match="give an `async def`"):
        session.replace("work", doubled)
    session.cancel()


def test_a_packet_whose_key_cannot_be_told_is_held_with_what_was_made_of_it(session: runtime.Session) -> None:
    given: list[list[int]] = []

    async def notes(batch: list[int]) -> list[int]:
        given.append(list(batch))
        return batch

    broken = [True]

    def key_of(number: int) -> float:
        return 12 / number if broken else 1.0

    stream = session.source((1, 0, 2)).map_batches(notes, size=64, within=LATE_S, on_error="hold", name="work")
    result = stream.key_by(key_of).map(abs, name="after").collect(name="out")
    session.start()
    with pytest.raises(runtime.JobHeld):
        session.wait(PATIENCE_S)
    broken.clear()
    session.resume()
    session.wait(PATIENCE_S)
    assert (given, list(result)) == ([[1, 0, 2]], [1, 0, 2])


@pytest.mark.parametrize("how", ["cancel", "close"])
def test_a_held_batch_that_is_cancelled_counts_what_stays_as_dropped(session: runtime.Session, how: str) -> None:
    given: Any = {"size": 64, "within": LATE_S, "on_error": "hold", "ordered": False, "name": "work"}
    session.source(NUMBERS).map_batches(waiting(inverse), **given).sink(float)
    session.start()
    with pytest.raises(runtime.JobHeld):
        session.wait(PATIENCE_S)
    session.resume("sink")
    session.settle(PATIENCE_S)
    getattr(session, how)()
    outcome = session.outcome if how == "close" else session.wait(PATIENCE_S)
    assert outcome is not None
    assert (outcome.packets_in, outcome.packets_out, outcome.dropped) == (7, 5, 2)


@pytest.mark.parametrize("ordered", [True, False])
def test_a_step_by_hand_that_holds_says_so(session: runtime.Session, ordered: bool) -> None:
    given: Any = {"size": 64, "within": LATE_S, "on_error": "hold", "ordered": ordered, "name": "work"}
    session.source(NUMBERS).map_batches(waiting(inverse), **given).collect()
    session.start(paused=True)
    while session.step("source").result == "done":
        pass
    step = session.step("work")
    assert step.result == "held"
    assert [packet.payload for packet in step.packets] == list(NUMBERS)
    assert [held.packet for held in session.held] == [0, 0]
    session.cancel()


# ── ends ──


def test_cancel_awaits_every_finally_and_counts_what_it_drops(session: runtime.Session) -> None:
    begun: list[int] = []
    ended: list[int] = []

    async def work(batch: list[int]) -> list[int]:
        begun.append(len(batch))
        try:
            if len(begun) == 3:
                session.cancel()
            await asyncio.sleep(LATE_S)
        finally:
            await asyncio.sleep(0)
            ended.append(len(batch))
        return batch

    session.source(range(100)).map_batches(work, size=7, within=0, concurrency=3).collect()
    outcome = session.run(PATIENCE_S)
    assert sorted(ended) == sorted(begun)
    assert outcome.packets_in == outcome.packets_out + outcome.dropped
    assert outcome.packets_out == 0


def test_enough_of_its_results_ends_it(session: runtime.Session) -> None:
    result = session.source(range(1000)).map_batches(waiting(doubled), size=8, concurrency=4).take(10).collect()
    session.run(PATIENCE_S)
    assert list(result) == [number * 2 for number in range(10)]


@pytest.mark.parametrize("policy", ["fail", "skip"])
def test_batches_under_way_of_which_nobody_needs_anything_any_more_are_ended(policy: Any) -> None:
    ended: list[int] = []

    async def work(batch: list[int]) -> list[int]:
        try:
            if len(batch) > 1 and 0 not in batch and policy == "skip":
                raise ValueError(batch)
            await asyncio.sleep(LATE_S if 0 not in batch else 0)
        finally:
            ended.append(len(batch))
        return batch

    with runtime.Session(on_error=policy) as session:
        stream = session.source(range(6)).map_batches(work, size=2, within=LATE_S, name="work")
        result = stream.take(1).collect()
        assert session.run(PATIENCE_S).state == "completed"
        assert list(result) == [0]
        assert session.snapshot()["work"].open == 0


# ── traces ──


@pytest.mark.parametrize("policy", ["fail", "skip"])
def test_in_a_trace_each_result_belongs_to_its_packet(make_session: MakeSession, policy: Any) -> None:
    session = make_session(trace=True, on_error=policy)
    result = session.source(range(9), name="numbers").map_batches(waiting(doubled), size=4, name="work").collect()
    session.run(PATIENCE_S)
    for index, value in enumerate(result):
        chain = [(origin.task, origin.value) for origin in session.why(result, index).walk()]
        assert chain == [("work", value), ("numbers", value // 2)]


# ── any order ──


@pytest.mark.parametrize("keyed", [False, True])
@pytest.mark.parametrize("policy", ["fail", "skip"])
def test_under_every_seed_it_equals_map(keyed: bool, policy: Any) -> None:
    def build(session: runtime.Session) -> Any:
        first = session.source(range(12), name="a").union(session.source(range(12, 20), name="b"))
        stream: Any = first.key_by(lambda number: number % 3) if keyed else first
        given: Any = {"size": 4, "parallelism": 2, "capacity": 3, "concurrency": 2, "on_error": policy}
        one = stream.map_batches(waiting(doubled), name="many", **given).collect()
        other = stream.map(lambda number: number * 2, on_error=policy, name="single").collect()
        return one, other

    def check(session: runtime.Session, built: Any) -> None:
        assert sorted(built[0]) == sorted(built[1]) == [number * 2 for number in range(20)]
        assert session.outcome is not None
        assert session.outcome.dropped == 0

    assert explore(build, check, seeds=40) is None


PLANS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 4), st.booleans()), max_size=30)


@settings(max_examples=60)
@given(
    plan=PLANS,
    size=st.integers(1, 6),
    concurrency=st.integers(1, 4),
    capacity=st.integers(1, 8),
    within=st.sampled_from([0.0, 1.0]),
    ordered=st.booleans(),
    keyed=st.booleans(),
    policy=st.sampled_from(["skip", Retry(1, then="skip"), Retry(2, backoff=0.5, then="skip")]),
    at=st.none() | st.integers(1, 40),
    seed=st.none() | st.integers(0, 1000),
)
def test_with_any_latencies_failures_and_cancels_nothing_is_lost(
    plan: list[tuple[int, int, bool]],
    size: int,
    concurrency: int,
    capacity: int,
    within: float,
    ordered: bool,
    keyed: bool,
    policy: Any,
    at: int | None,
    seed: int | None,
) -> None:
    """Order, the bound, equal keys apart, every `finally` run; keys are the call's own at each await."""
    open_now: list[tuple[int, ...]] = []
    most = awaits = 0
    shortest_s = 0.0005 if seed is None else 1.0

    class Works(runtime.Function[list[int], Any]):
        async def process(self, batch: list[int]) -> list[int]:
            nonlocal most, awaits
            keys = tuple(plan[value][1] if keyed else None for value in batch)
            if keyed:
                assert not {plan[each][1] for others in open_now for each in others} & set(keys)
            mine = tuple(batch)
            open_now.append(mine)
            most = max(most, len(open_now))
            try:
                for _ in range(max(plan[value][0] for value in batch)):
                    awaits += 1
                    if awaits == at:
                        session.cancel()
                    await asyncio.sleep(shortest_s)
                    assert self.ctx.keys == keys
                if any(plan[value][2] for value in batch):
                    raise ValueError(batch)
            finally:
                await asyncio.sleep(0)
                assert self.ctx.keys == keys
                open_now.remove(mine)
            return batch

    with runtime.Session(seed=seed, capacity=capacity, on_error=policy) as session:
        stream: Any = session.source(range(len(plan)))
        if keyed:
            stream = stream.key_by(lambda value: plan[value][1])
        given: Any = {"size": size, "within": within, "concurrency": concurrency, "ordered": ordered}
        result = stream.map_batches(Works(), name="work", **given).collect()
        outcome = session.run(PATIENCE_S)
        assert not open_now
        assert most <= concurrency
        good = [value for value, (_, _, fails) in enumerate(plan) if not fails]
        assert outcome.packets_in == outcome.packets_out + outcome.skipped + outcome.dropped
        if ordered:
            assert list(result) == good[: len(result)]
        else:
            assert len(set(result)) == len(result)
            assert set(result) <= set(good)
        if at is None or awaits < at:
            assert (outcome.state, sorted(result)) == ("completed", good)
            assert sorted(letter.packet for letter in session.dead_letters) == sorted(set(range(len(plan))) - set(good))
