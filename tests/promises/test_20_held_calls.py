"""Promise 20, of functions that wait: a call that failed stays open, what comes after it waits, and it is mended."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

import runtime
from runtime import AsyncRefused, CommandRefused, JobHeld, JobPaused, PacketGone, Retry
from runtime.testing import PATIENCE_S, explore
from tests.holds import EIGHT, finish, hold, work
from tests.platforms import MakeSession

SHORT_S = 0.001


class Faulty:
    """An `async def` that raises for what is in `bad`, as long as it is there, once so many calls have begun."""

    def __init__(self, *bad: Any, together: int = 0) -> None:
        self.bad, self.together = set(bad), together
        self.calls: list[Any] = []

    async def __call__(self, value: Any) -> Any:
        self.calls.append(value)
        await asyncio.sleep(0)
        while len(self.calls) < self.together:
            await asyncio.sleep(SHORT_S)
        if value in self.bad:
            raise ValueError(f"no {value}")
        return value


async def raises_at_three(value: int) -> int:
    await asyncio.sleep(0)
    if value == 3:
        raise ValueError("no 3")
    return value


async def good(value: int) -> int:
    await asyncio.sleep(0)
    return value


def held(session: runtime.Session) -> list[Any]:
    return [each.packet for each in session.held]


# ── held ──


@pytest.mark.also_remote
@pytest.mark.long_on_ray
def test_a_call_that_fails_stays_open_and_ordered_results_wait_after_it(session: runtime.Session) -> None:
    result = work(session, raises_at_three)
    with pytest.raises(JobHeld, match="'work' failed on packet 3: ValueError: no 3; it holds the packet") as caught:
        session.run(PATIENCE_S)
    assert isinstance(caught.value.__cause__, ValueError)
    (fault,) = session.held
    assert (fault.task, fault.packet, str(fault.error), fault.version) == ("work", 3, "no 3", 1)
    assert "raise ValueError" in fault.traceback
    is_open = [packet.payload for packet in session.peek("work").open]
    assert is_open == EIGHT[3 : 3 + len(is_open)]
    facts = session.snapshot()["work"]
    assert (facts.open, facts.emitted, facts.errors, facts.state) == (len(is_open), 3, 0, "paused")
    fault.edit(30)
    assert not session.held
    assert finish(session).state == "completed"
    assert list(result) == [0, 1, 2, 30, 4, 5, 6, 7]


def test_all_that_have_failed_are_held_at_once_and_tried_again(session: runtime.Session) -> None:
    faulty = Faulty(3, 5, 6, together=8)
    result = work(session, faulty)
    assert [each.packet for each in hold(session)] == [3, 5, 6]
    faulty.together += 3  # else the first that fails again may keep the others from being tried
    session.resume()
    assert [each.packet for each in hold(session)] == [3, 5, 6]
    faulty.bad = {5}
    faulty.together += 3
    session.resume()
    assert [each.packet for each in hold(session)] == [5]
    assert session.snapshot()["work"].emitted == 5
    faulty.bad.clear()
    outcome = finish(session)
    assert (outcome.state, outcome.packets_in, outcome.packets_out, outcome.errors) == ("completed", 8, 8, 0)
    assert list(result) == EIGHT
    assert sorted(faulty.calls) == sorted([*EIGHT, 3, 5, 6, 3, 5, 6, 5])
    assert session.snapshot()["work"].retries == 7


def test_unordered_only_those_that_failed_stay(session: runtime.Session) -> None:
    faulty = Faulty(0, 2, 4, 6, together=8)
    result = work(session, faulty, ordered=False, concurrency=8)
    assert [each.packet for each in hold(session)] == [0, 2, 4, 6]
    assert [packet.payload for packet in session.peek("work").open] == [0, 2, 4, 6]
    assert session.snapshot()["work"].emitted == 4
    faulty.bad.clear()
    assert finish(session).state == "completed"
    assert sorted(result) == EIGHT


@pytest.mark.also_remote
@pytest.mark.long_on_ray
def test_a_held_call_can_be_skipped_and_is_a_dead_letter(session: runtime.Session) -> None:
    result = work(session, raises_at_three)
    (fault,) = hold(session)
    fault.skip()
    assert not session.held
    with pytest.raises(PacketGone):
        fault.skip()
    (letter,) = session.dead_letters
    assert (letter.task, letter.packet, str(letter.error)) == ("work", 3, "no 3")
    outcome = finish(session)
    assert (outcome.state, outcome.packets_out, outcome.skipped, outcome.errors) == ("completed", 7, 1, 1)
    assert list(result) == [0, 1, 2, 4, 5, 6, 7]


def test_an_edit_and_a_drop_of_a_held_call_can_be_undone(session: runtime.Session) -> None:
    faulty = Faulty(3, 5, together=8)
    result = work(session, faulty)
    first, second = hold(session)
    first.edit(30)
    assert held(session) == [5]
    session.undo()
    assert held(session) == [3, 5]
    session.drop(first.waiting)
    assert held(session) == [5]
    with pytest.raises(PacketGone):
        first.edit(31)
    session.undo()
    assert held(session) == [3, 5]
    with pytest.raises(CommandRefused, match="held as a call"):
        session.move(first.waiting, 2)
    session.drop(second.waiting)
    faulty.bad.clear()
    outcome = finish(session)
    assert (outcome.state, outcome.dropped, outcome.skipped, outcome.errors) == ("completed", 1, 0, 0)
    assert list(result) == [0, 1, 2, 3, 4, 6, 7]


def test_calls_are_held_in_several_tasks_and_of_different_operators(session: runtime.Session) -> None:
    first, second = Faulty(1, 2), Faulty(5, 6)
    numbers = session.source(EIGHT, name="numbers").map(first, name="first", on_error="hold", parallelism=2)
    result = numbers.map(second, name="second", on_error="hold").collect()
    hold(session)
    for faulty in (first, second):
        faulty.bad.clear()
    while session.held:
        session.resume()
        session.settle(PATIENCE_S)
    session.wait(PATIENCE_S)
    assert sorted(result) == EIGHT


def test_a_step_tries_the_oldest_held_call_once(session: runtime.Session) -> None:
    faulty = Faulty(3, 5, together=8)
    result = work(session, faulty)
    hold(session)
    step = session.step("work")
    assert (step.result, step.sent, str(step)) == ("held", (), "work: 3 held: ValueError: no 3")
    assert step.packet is not None
    assert step.packet.place == session.held[0].waiting.place
    assert str(session.follow(session.held[0].waiting)) == "work: 3 held: ValueError: no 3"
    assert held(session) == [3, 5]
    faulty.bad.clear()
    assert str(session.step("work")) == "work: 3 -> 3 to out"
    assert held(session) == [5]
    finish(session)
    assert list(result) == EIGHT


def test_a_breakpoint_and_a_tap_see_a_held_call_as_any_other(session: runtime.Session) -> None:
    faulty = Faulty(3)
    result = work(session, faulty, concurrency=1)
    session.start(paused=True)
    found = session.breakpoint("work", lambda value: value == 3)
    with session.tap("work") as tap:
        session.resume()
        assert found.wait(PATIENCE_S).payload == 3
        session.resume()
        hold(session)
        faulty.bad.clear()
        finish(session)
    assert found.hits == 1
    assert [(step.result, step.packet.payload) for step in tap.steps if step.packet is not None] == [
        *[("done", value) for value in (0, 1, 2)],
        ("held", 3),
        *[("done", value) for value in EIGHT[3:]],
    ]
    assert list(result) == EIGHT


def test_what_a_call_has_made_before_it_fails_is_not_sent(session: runtime.Session) -> None:
    bad = [3]

    async def thrice(value: int) -> AsyncIterator[int]:
        yield value
        yield value
        await asyncio.sleep(0)
        if value in bad:
            raise ValueError("at the third")
        yield value

    result = session.source(EIGHT).flat_map(thrice, name="thrice", on_error="hold").collect(name="out")
    hold(session)
    assert session.snapshot()["thrice"].emitted == 9
    bad.clear()
    assert finish(session).state == "completed"
    assert list(result) == [value for value in EIGHT for _ in range(3)]


def test_retry_holds_a_call_when_all_its_attempts_have_failed(session: runtime.Session) -> None:
    faulty = Faulty(3)
    result = work(session, faulty, on_error=Retry(2, then="hold"), timeout=10)
    hold(session)
    assert faulty.calls.count(3) == 3
    session.resume()
    hold(session)
    assert faulty.calls.count(3) == 6
    faulty.bad.clear()
    assert finish(session).state == "completed"
    assert list(result) == EIGHT


def test_if_a_key_function_raises_only_that_is_tried_again_of_a_call(session: runtime.Session) -> None:
    bad = [3]

    def key_of(value: int) -> int:
        if value in bad:
            raise ValueError("no key")
        return value

    faulty = Faulty()
    result = work_keyed_after(session, faulty, key_of)
    hold(session)
    session.resume()
    hold(session)
    bad.clear()
    finish(session)
    assert list(result) == EIGHT
    assert sorted(faulty.calls) == EIGHT


def work_keyed_after(session: runtime.Session, function: Any, key: Any) -> runtime.Collected[Any]:
    made = session.source(EIGHT).map(function, name="work", on_error="hold")
    return made.key_by(key).map(lambda value: value).collect()


def test_no_call_of_the_same_key_begins_before_the_one_that_failed_is_mended(session: runtime.Session) -> None:
    class Sums(runtime.Function[int, Any]):
        bad = 4

        def __deepcopy__(self, memo: object) -> Any:
            return self

        async def process(self, value: int) -> int:
            await asyncio.sleep(SHORT_S * 20 if value == 0 else 0)
            if value == self.bad:
                raise ValueError(value)
            total: int = self.ctx.state.get("total", 0) + value
            self.ctx.state["total"] = total
            return total

    sums = Sums()
    keyed = session.source(range(12)).key_by(lambda value: min(value, 1))  # the first one holds nobody's key
    result = keyed.map(sums, name="work", on_error="hold").collect()
    hold(session)
    assert (session.held[0].packet, session.held[0].waiting.key) == (4, 1)
    sums.bad = -1
    finish(session)
    assert list(result) == [0, *[sum(range(1, value + 1)) for value in range(1, 12)]]


def test_calls_of_one_key_begin_again_one_after_the_other_also_after_an_edit(session: runtime.Session) -> None:
    under_way: list[int] = []
    began: list[int] = []
    bad = [True]

    async def alone(value: int) -> int:
        began.append(value)
        while len(began) < 2:
            await asyncio.sleep(SHORT_S)
        assert value not in under_way
        under_way.append(value)
        await asyncio.sleep(SHORT_S)
        under_way.remove(value)
        if bad:
            raise ValueError(value)
        return value

    result = session.source([1, 2, 1]).key_by(lambda value: value).map(alone, name="work", on_error="hold").collect()
    assert [each.packet for each in hold(session)] == [1, 2]
    session.held[1].edit(1)
    bad.clear()
    finish(session)
    assert list(result) == [1, 1, 1]


def test_a_held_call_that_is_ended_counts_as_dropped(session: runtime.Session) -> None:
    work(session, Faulty(3), capacity=2)
    hold(session)
    session.cancel()
    outcome = session.wait(PATIENCE_S)
    assert outcome.state == "cancelled"
    assert outcome.packets_in == outcome.packets_out + outcome.dropped
    assert not session.held


def test_a_stop_signal_waits_for_a_call_that_is_held(session: runtime.Session) -> None:
    faulty = Faulty(7)
    result = work(session, faulty)
    hold(session)
    session.stop()
    assert session.snapshot()["work"].ending is None
    faulty.bad.clear()
    assert finish(session).state in ("completed", "stopped")
    assert list(result) == EIGHT


def test_what_nobody_needs_any_more_is_not_tried_again(session: runtime.Session) -> None:
    faulty = Faulty(1, 2, together=8)
    result = session.source(range(8)).map(faulty, name="work", on_error="hold", ordered=False).take(5).collect()
    hold(session)
    session.resume("take")
    session.settle(PATIENCE_S)
    began = len(faulty.calls)
    assert finish(session).state == "completed"
    assert len(result) == 5
    assert len(faulty.calls) == began


def test_a_repeat_after_a_hold_counts_for_the_rate() -> None:
    began: list[float] = []

    async def fails_twice(value: int) -> int:
        began.append(asyncio.get_running_loop().time())
        while len(began) < 2:
            await asyncio.sleep(SHORT_S)
        if len(began) == 2:
            raise ValueError(value)
        return value

    with runtime.Session(seed=1) as session:
        result = session.source(range(4)).map(fails_twice, rate=runtime.Rate(2, per=1), on_error="hold").collect()
        session.start()
        with pytest.raises(JobHeld):
            session.wait(PATIENCE_S)
        session.resume()
        session.wait(PATIENCE_S)
        assert list(result) == [0, 1, 2, 3]
        assert began == [0, 0, 1, 1, 2, 2]


# ── mended ──


@pytest.mark.also_remote
def test_another_async_def_takes_the_place_of_one_and_works_what_is_held(session: runtime.Session) -> None:
    result = work(session, raises_at_three)
    hold(session)
    session.replace("work", good)
    assert [(each.packet, each.version) for each in session.held] == [(3, 1)]
    assert repr(session.events[-1]) == "work: replace: good is version 2 of its function"
    outcome = finish(session)
    assert (outcome.state, outcome.packets_in, outcome.packets_out, outcome.errors) == ("completed", 8, 8, 0)
    assert list(result) == EIGHT


def test_a_call_of_a_replacement_that_raises_as_well_is_held_with_its_version(session: runtime.Session) -> None:
    async def worse(value: int) -> int:
        raise KeyError(value)

    result = work(session, raises_at_three)
    hold(session)
    session.replace("work", worse)
    session.resume()
    hold(session)
    fault = session.held[0]
    assert (fault.packet, fault.version, type(fault.error)) == (3, 2, KeyError)
    session.replace("work", good)
    finish(session)
    assert list(result) == EIGHT


class Lives(runtime.Function[int, Any]):
    """Waits in all its methods, and writes down what is called of it."""

    def __init__(self, name: str, log: list[tuple[str, str]], fails: str = "") -> None:
        self.name, self.log, self.fails = name, log, fails

    def __deepcopy__(self, memo: object) -> Any:
        return type(self)(self.name, self.log, self.fails)

    async def _note(self, what: str) -> None:
        await asyncio.sleep(SHORT_S)
        self.log.append((self.name, what))
        if self.fails == f"{what} {self.ctx.index}":
            raise ValueError(self.fails)

    async def open(self, ctx: Any) -> None:
        await self._note("open")

    async def process(self, value: int, /) -> int:
        await asyncio.sleep(0)
        self.ctx.state["seen"] = seen = self.ctx.state.get("seen", 0) + 1
        return int(seen)

    async def close(self) -> None:
        await self._note("close")


class TakesOver(Lives):
    async def take_over(self, old: Any) -> None:
        await asyncio.sleep(0)
        self.log.append((self.name, f"after {old.name}"))


def test_the_new_function_is_awaited_open_before_the_old_one_is_closed_and_state_stays(
    session: runtime.Session,
) -> None:
    log: list[tuple[str, str]] = []
    result = work(session, Lives("old", log))
    session.start(paused=True)
    session.step("numbers", 2)
    session.step("work")
    session.replace("work", TakesOver("new", log))
    assert log == [("old", "open"), ("new", "open"), ("new", "after old"), ("old", "close")]
    finish(session)
    assert log[4:] == [("new", "close")]
    assert list(result) == [1, 2, 3, 4, 5, 6, 7, 8]


@pytest.mark.parametrize("fails", ["open 0", "open 1"])
def test_if_one_cannot_be_opened_the_old_ones_go_on(session: runtime.Session, fails: str) -> None:
    log: list[tuple[str, str]] = []
    result = work(session, Lives("old", log), parallelism=2)
    session.start(paused=True)
    with pytest.raises(ValueError, match=fails):
        session.replace("work", Lives("new", log, fails))
    assert log.count(("new", "open")) == log.count(("new", "close")) == int(fails[-1]) + 1
    assert ("old", "close") not in log
    assert finish(session).state == "completed"
    assert log.count(("old", "close")) == 2
    assert len(result) == 8


async def yields(value: int) -> AsyncIterator[int]:
    yield value


def test_how_its_calls_are_made_stays_as_it_was(session: runtime.Session) -> None:
    plain = work(session, lambda value: value, name="plain", on_error="fail")
    waits = session.source(EIGHT).map(good, name="waits").collect()
    session.start(paused=True)
    with pytest.raises(AsyncRefused, match=r"is an `async def`, and the function of 'plain' is a plain function"):
        session.replace("plain", good)
    with pytest.raises(AsyncRefused, match=r"is a plain function, and the function of 'waits' is an `async def`"):
        session.replace("waits", lambda value: value)
    with pytest.raises(AsyncRefused, match="asynchronous generator"):
        session.replace("waits", yields)
    finish(session)
    assert list(plain) == list(waits) == EIGHT


# ── the law ──


def run_and_mend(session: runtime.Session, mend: Any) -> None:
    session.start()
    while session.outcome is None:
        try:
            session.wait(PATIENCE_S)
        except JobHeld:
            mend(session)
            session.resume()


def test_under_every_seed_what_failed_and_was_replaced_is_what_a_good_function_would_have_given() -> None:
    class Bad(runtime.Function[int, Any]):
        async def process(self, value: int) -> int:
            await asyncio.sleep(value % 3)
            if value % 4 == 1:
                raise ValueError(value)
            return await self.good(value)

        async def good(self, value: int) -> int:
            await asyncio.sleep(value % 2)
            self.ctx.state["sum"] = total = self.ctx.state.get("sum", 0) + value
            return int(total)

    class Good(Bad):
        async def process(self, value: int) -> int:
            return await self.good(value)

    async def thrice(value: int) -> AsyncIterator[int]:
        for _ in range(3):
            yield value
            await asyncio.sleep(0)

    async def thrice_or_not(value: int) -> AsyncIterator[int]:
        yield value
        yield value
        if value % 5 == 0:
            raise ValueError(value)
        yield value

    most = [0]

    def build(session: runtime.Session) -> Any:
        keyed = session.source(range(20), name="numbers").key_by(lambda value: value % 3)
        sums = keyed.map(Bad(), name="sums", on_error="hold", concurrency=4, capacity=6)
        return sums.flat_map(thrice_or_not, name="thrice", on_error="hold", concurrency=3, capacity=3).collect()

    def mend(session: runtime.Session) -> None:
        most[0] = max(most[0], len(session.held))
        for name in {each.task for each in session.held if each.version == 1}:
            session.replace(name, Good() if name == "sums" else thrice)

    expected = [sum(range(value % 3, value + 1, 3)) for value in range(20) for _ in range(3)]

    def check(session: runtime.Session, result: Any) -> None:
        assert list(result) == expected
        assert session.outcome is not None
        assert session.outcome.state == "completed"
        assert session.outcome.errors == 0

    assert explore(build, check, 40, run=lambda session: run_and_mend(session, mend)) is None
    assert most[0] > 1, "several calls were held at once"


@settings(max_examples=30)
@given(
    plan=some.lists(some.tuples(some.integers(0, 2), some.integers(0, 2), some.integers(0, 2)), max_size=25),
    concurrency=some.integers(1, 5),
    ordered=some.booleans(),
    keyed=some.booleans(),
    seed=some.integers(),
)
def test_calls_that_are_held_and_tried_again_lose_double_and_reorder_nothing(
    plan: list[tuple[int, int, int]], concurrency: int, ordered: bool, keyed: bool, seed: int
) -> None:
    """Each packet fails so often before it succeeds; never more calls than may be open, of a key one at a time."""
    failures = [fails for _, _, fails in plan]
    open_now: list[int] = []
    done: list[int] = []

    async def step(value: int) -> int:
        waits, key, _ = plan[value]
        open_now.append(value)
        assert len(open_now) <= concurrency
        assert not keyed or [plan[each][1] for each in open_now].count(key) == 1
        try:
            await asyncio.sleep(waits)
            if failures[value]:
                failures[value] -= 1
                raise ValueError(value)
        finally:
            open_now.remove(value)
        done.append(value)
        return value

    with runtime.Session(seed=seed) as session:
        stream: Any = session.source(range(len(plan)))
        if keyed:
            stream = stream.key_by(lambda value: plan[value][1])
        result = stream.map(step, name="work", concurrency=concurrency, ordered=ordered, on_error="hold").collect()
        run_and_mend(session, lambda session: None)
        assert (list(result) if ordered else sorted(result)) == list(range(len(plan)))
        for key in range(3) if keyed else ():
            of_key = [value for value in done if plan[value][1] == key]
            assert of_key == sorted(of_key)
        assert session.snapshot()["work"].retries == sum(fails for _, _, fails in plan)


@pytest.mark.concurrent
def test_a_resume_at_the_moment_of_a_hold_leaves_no_call_behind(make_session: MakeSession) -> None:
    """Somebody resumes all the time: each call that is held is tried until it succeeds, once."""
    session = make_session()
    seen: dict[int, int] = {}

    async def at_the_third(value: int) -> int:
        seen[value] = seen.get(value, 0) + 1
        await asyncio.sleep(0)
        if value % 5 == 0 and seen[value] < 3:
            raise ValueError("not yet")
        return value

    result = session.source(range(150)).map(at_the_third, on_error="hold", name="work").collect()
    session.start()
    is_over = threading.Event()

    def resume() -> None:
        while not is_over.is_set():
            session.resume()

    thread = threading.Thread(target=resume)
    thread.start()
    try:
        while session.outcome is None:
            try:
                session.wait(PATIENCE_S)
            except JobPaused:
                continue
    finally:
        is_over.set()
        thread.join()
    assert list(result) == list(range(150))
    assert all(seen[value] == (3 if value % 5 == 0 else 1) for value in range(150))
