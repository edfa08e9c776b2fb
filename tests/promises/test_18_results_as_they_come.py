"""Promise 18, `async for value in result`: from the first value, without consuming, to the end of the job."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterator
from itertools import count
from time import monotonic, sleep
from typing import Any

import pytest

import runtime
from runtime.session.reading import Reader
from runtime.testing import PATIENCE_S, Moment, explore
from tests.platforms import MakeSession, Platform


def run(make: Awaitable[Any]) -> Any:
    """In an event loop of its own, with a limit."""

    async def limited() -> Any:
        return await asyncio.wait_for(make, PATIENCE_S)

    return asyncio.run(limited())


async def read(result: runtime.Collected[Any], most: int | None = None) -> list[Any]:
    """What `async for` gives, or the first so many of it."""
    found: list[Any] = []
    if most == 0:
        return found
    async for value in result:
        found.append(value)
        if len(found) == most:
            break
    return found


def until(ready: Callable[[], Any]) -> None:
    """Wait for what nobody tells."""
    deadline_s = monotonic() + PATIENCE_S
    while not ready():
        assert monotonic() < deadline_s, "it has not come"
        sleep(0.001)


class Steps:
    """A source that waits before each of its items until it is told. One for all its copies."""

    def __init__(self, platform: Platform, items: int) -> None:
        self.moments = [platform.moment() for _ in range(items)]

    def __call__(self) -> Iterator[int]:
        for number, moment in enumerate(self.moments):
            moment.wait()
            yield number


@pytest.mark.also_remote
@pytest.mark.concurrent  # the source waits for the reader
def test_a_value_is_there_as_soon_as_it_has_come(make_session: MakeSession, platform: Platform) -> None:
    steps = Steps(platform, 4)
    session = make_session()
    result = session.source(steps).map(abs).collect()

    async def reads() -> list[int]:
        found = []
        steps.moments[0].set()
        async for value in result:
            found.append(value)
            if value < 3:
                steps.moments[value + 1].set()
        return found

    session.start()
    assert run(reads()) == [0, 1, 2, 3]
    assert session.wait(PATIENCE_S).packets_out == 4


@pytest.mark.parametrize("chaining", [False, True], ids=["apart", "chained"])
def test_in_a_chain_too_values_are_there_while_the_job_runs(chaining: bool) -> None:
    gate, last = Moment(), Moment()

    def items() -> Iterator[int]:
        yield from range(1000)
        gate.wait()
        yield -1
        last.wait()

    async def reads() -> tuple[list[int], list[int]]:
        before = await read(result, 1000)
        gate.set()
        after = await read(result, 1001)
        last.set()
        return before, after

    with runtime.Session(chaining=chaining) as session:
        result = session.source(items).map(lambda n: n).collect()
        session.start()
        before, after = run(reads())
        session.wait(PATIENCE_S)
    assert before == list(range(1000))
    assert after == [*before, -1]


def test_any_number_of_readers_get_all_values_in_order_and_take_none_away(make_session: MakeSession) -> None:
    session = make_session()
    result = session.source(range(2000)).map(abs, parallelism=2).collect()

    async def reads() -> list[list[int]]:
        return list(await asyncio.gather(*(read(result) for _ in range(5)), read(result, 7), read(result, 0)))

    session.start()
    *whole, some, none = run(reads())
    session.wait(PATIENCE_S)
    assert sorted(result) == list(range(2000))
    assert all(each == list(result) for each in whole)
    assert (some, none) == (result[:7], [])
    assert run(read(result)) == list(result), "after the end as well"


def test_with_a_limit_it_ends_with_the_job_all_the_same(make_session: MakeSession) -> None:
    session = make_session()
    result = session.source(range(100)).collect(limit=3)
    session.start()
    assert run(read(result)) == [0, 1, 2]
    assert session.wait(PATIENCE_S).packets_out == 100


@pytest.mark.parametrize("end", ["stop", "cancel", "close"])
def test_whatever_ends_the_job_ends_it(make_session: MakeSession, end: str) -> None:
    session = make_session()
    result = session.input("in").collect()

    async def reads() -> list[int]:
        reading = asyncio.ensure_future(read(result))
        await read(result, 1)
        getattr(session, end)()
        return await reading

    session.start()
    session.send("in", 7)
    assert run(reads()) == [7]


def test_a_failed_job_gives_what_there_is_and_raises(make_session: MakeSession) -> None:
    session = make_session()
    result = session.input("in").map(lambda n: 1 // n).collect()
    found: list[int] = []

    async def reads() -> None:
        async for value in result:
            found.append(value)
            session.send("in", 0)

    session.start()
    session.send("in", 1)
    for _ in range(2):
        with pytest.raises(runtime.TaskFailed, match="on packet 0: ZeroDivisionError"):
            run(reads() if not found else read(result))
    assert found == [1]


def test_a_pause_that_keeps_the_job_from_its_end_is_told_after_what_there_is(make_session: MakeSession) -> None:
    session = make_session()
    result = session.input("in").map(abs, name="it").collect()
    session.start()
    session.send("in", 1)
    session.settle(PATIENCE_S)
    session.pause("it")
    session.send("in", 2)
    found: list[int] = []

    async def reads() -> None:
        async for value in result:
            found.append(value)

    with pytest.raises(runtime.JobPaused, match="'it' is paused"):
        run(reads())
    assert found == [1]
    session.resume()
    assert run(read(result, 2)) == [1, 2]
    session.end("in")


def test_the_event_loop_stays_free(make_session: MakeSession) -> None:
    session = make_session()
    result = session.source(range(3000)).collect()
    session.run(PATIENCE_S)

    async def reads() -> int:
        ticks = 0
        reading = asyncio.ensure_future(read(result))
        while not reading.done():
            await asyncio.sleep(0)
            ticks += 1
        assert len(await reading) == 3000
        return ticks

    assert run(reads()) > 10


def test_a_reader_that_is_cancelled_leaves_nothing_behind(make_session: MakeSession) -> None:
    session = make_session()
    result = session.input("in").collect()

    async def reads() -> None:
        for wait_s in (0, 0.001, 0.1):
            reading = asyncio.ensure_future(read(result))
            await asyncio.sleep(wait_s)
            reading.cancel()
            with pytest.raises(asyncio.CancelledError):
                await reading

    session.start()
    run(reads())
    assert not result._wakes
    until(lambda: not session.is_waited_for)
    session.end("in")
    session.wait(PATIENCE_S)


def test_values_that_come_after_the_readers_loop_was_closed_hurt_nobody(make_session: MakeSession) -> None:
    session = make_session()
    result = session.input("in").collect()
    session.start()
    loop = asyncio.new_event_loop()
    reading = loop.create_task(read(result))
    loop.run_until_complete(asyncio.sleep(0.01))
    loop.close()
    session.send("in", 1)
    session.end("in")
    assert session.wait(PATIENCE_S).packets_out == 1
    reading.get_coro().close()
    reading._log_destroy_pending = False  # type: ignore[attr-defined]


def test_every_schedule_gives_a_reader_what_the_list_has() -> None:
    def build(session: runtime.Session) -> Any:
        return session.source(range(20)).map(abs, parallelism=3).collect()

    def check(session: runtime.Session, result: Any) -> None:
        assert found == list(result)

    def read_all(session: runtime.Session) -> None:
        (result,) = session._environment.collected
        session.start()
        found[:] = run(read(result))
        session.wait(PATIENCE_S)

    found: list[int] = []
    assert explore(build, check, 40, run=read_all) is None


@pytest.mark.parametrize("chaining", [False, True], ids=["apart", "chained"])
def test_no_wake_up_is_lost(chaining: bool) -> None:
    """One value at a time, which is asked for when the last one was read."""
    interval_s = sys.getswitchinterval()

    async def reads() -> int:
        expected = 0
        async for value in result:
            assert value == expected
            expected += 1
            if expected == 1500:
                session.end("in")
            else:
                session.send("in", expected)
        return expected

    with runtime.Session(chaining=chaining) as session:
        result = session.input("in").map(abs).collect()
        session.start()
        session.send("in", 0)
        sys.setswitchinterval(1e-6)
        try:
            assert run(reads()) == 1500
        finally:
            sys.setswitchinterval(interval_s)


def test_the_end_is_looked_at_before_the_last_results() -> None:
    """Should the last value and the end come between two looks, that value is read all the same."""
    collected: runtime.Collected[int] = runtime.Collected(None)

    class Ends:
        """A run of which the last value, and then the end, come when somebody looks for the end."""

        looks = 0

        def has_come(self) -> bool:
            self.looks += 1
            if self.looks == 1:
                collected.gather(7)
            return True

        def end(self) -> None:
            """It has not failed."""

    assert run(read_by(Reader(collected, Ends()))) == [7]  # type: ignore[arg-type]


async def read_by(reader: Reader[int]) -> list[int]:
    return [value async for value in reader]


# ── refused ──


def test_before_the_start_it_is_refused(make_session: MakeSession) -> None:
    result = make_session().source([1]).collect()
    with pytest.raises(runtime.NotStarted, match=r"start\(\) first"):
        run(read(result))


def test_what_the_next_run_has_taken_away_is_told(make_session: MakeSession) -> None:
    session = make_session()
    result = session.source(range(5)).collect()

    async def reads() -> None:
        async for _ in result:
            session.run(PATIENCE_S)

    session.run(PATIENCE_S)
    with pytest.raises(runtime.CommandRefused, match="1 results of the run before had been read; the others are gone"):
        run(reads())
    assert run(read(result)) == [0, 1, 2, 3, 4]


def test_a_thread_of_the_job_would_wait_for_itself(make_session: MakeSession) -> None:
    refused: list[BaseException] = []

    def reads(number: int) -> int:
        try:
            asyncio.run(read(result))
        except runtime.CommandRefused as error:
            refused.append(error)
        return number

    session = make_session()
    result: Any = session.source([1]).map(reads).collect()
    session.run(PATIENCE_S)
    assert "let a sink have them" in str(refused[0])


def test_a_job_that_never_ends_can_be_left(make_session: MakeSession) -> None:
    session = make_session()
    result = session.source(count).collect(limit=1000)
    session.start()
    find: Callable[[], Any] = lambda: run(read(result, 10))  # noqa: E731
    assert find() == list(range(10))
    session.stop()
