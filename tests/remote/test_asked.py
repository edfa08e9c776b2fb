"""A graph on Ray is asked: what comes to a reply, what is left of a question, and what else it comes to."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import runtime
from runtime.testing import PATIENCE_S
from tests.remote.shared import SharedHold

pytestmark = pytest.mark.on_ray


def picky(value: int) -> int:
    """Fails for 3, 13 …"""
    if value % 10 == 3:
        raise ValueError(value)
    return value


def up_to(value: int) -> Iterable[int]:
    """Several results, or none."""
    return range(value)


def same(value: int) -> int:
    """The same."""
    return value


def plus(value: int) -> int:
    """One more."""
    return value + 1


def test_each_question_has_its_own_answers_errors_and_end() -> None:
    with runtime.Session(platform="remote") as session:
        stream = session.input("in")
        few = stream.flat_map(up_to, name="up-to").map(picky, on_error="skip", name="picky")
        few.union(stream.filter(bool, name="some")).reply("out")
        session.start()

        async def all_at_once() -> list[Any]:
            asks = [session.ask_async("in", value, timeout=PATIENCE_S, many=True) for value in range(40)]
            return await asyncio.gather(*asks)

        for value, replies in enumerate(asyncio.run(all_at_once())):
            made = [each for each in range(value) if each % 10 != 3] + [value] * bool(value)
            assert (sorted(replies), len(replies.errors)) == (sorted(made), len(range(3, value, 10)))
        with pytest.raises(runtime.NoReply):
            session.ask("in", 0, timeout=None)  # so no time can end it
        assert session.ask("in", 12, timeout=PATIENCE_S) in (0, 12)
        session.send("in", 1)
        session.settle()
        facts = session.snapshot().questions
        assert facts is not None
        assert facts[:7] == (
            42,
            0,
            40,
            2,
            0,
            11,
            2,
        )  # late: of the 12 and 0 to 11, but 3, all but one; unasked: 1 and 0
        session.stop()
        session.wait(PATIENCE_S)


def test_gates_holds_and_mended_functions_are_as_on_threads() -> None:
    with runtime.Session(platform="remote") as session:
        session.input("in").map(picky, on_error="hold", name="picky").map(plus, name="plus").reply("out")
        session.start()
        assert session.ask("in", 1, timeout=PATIENCE_S) == 2
        session.pause("plus")
        with pytest.raises(runtime.JobPaused, match="'plus' is paused on the way"):
            session.ask("in", 1, timeout=None)

        async def waits_at_the_gate() -> Any:
            waiting = asyncio.ensure_future(session.ask_async("in", 4, timeout=PATIENCE_S))
            await asyncio.sleep(0)
            session.settle()
            session.edit(session.peek("plus")[0], 40)
            session.resume()
            return await waiting

        assert asyncio.run(waits_at_the_gate()) == 41
        with pytest.raises(runtime.JobHeld, match="'picky' failed on packet 13: ValueError: 13"):
            session.ask("in", 13, timeout=None)
        session.replace("picky", same)
        session.resume()
        session.settle()
        assert session.ask("in", 23, timeout=PATIENCE_S) == 24
        facts = session.snapshot().questions
        assert facts is not None
        assert (facts.failed, facts.late) == (2, 1)
        session.stop()
        session.wait(PATIENCE_S)


def test_a_process_that_dies_ends_every_question_by_its_name() -> None:
    with runtime.Session(platform="remote") as session, SharedHold() as hold, ThreadPoolExecutor(5) as threads:
        session.input("in").map(hold, name="hold").map(plus, name="plus").reply("out")
        session.start()
        waiting = [threads.submit(session.ask, "in", value, timeout=None) for value in range(5)]
        hold.reached.wait()
        dispatcher = session._runs.started().dispatcher
        assert dispatcher is not None
        victim: Any = dispatcher.tasks["plus"]
        victim.kill()
        for each in waiting:
            with pytest.raises(runtime.TaskFailed, match="'plus' failed: TaskLost") as failed:
                each.result(PATIENCE_S)
            assert isinstance(failed.value.__cause__, runtime.TaskLost)
        hold.release()
        with pytest.raises(runtime.TaskFailed):
            session.wait(PATIENCE_S)
