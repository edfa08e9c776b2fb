"""Promise 16: closing leaves nothing behind; leaving a `with` block and an interrupt do what they should."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any, Self

import pytest

import runtime
from runtime.testing import PATIENCE_S, Hold, leak_guard
from tests.platforms import MakeSession, Platform


def threads_of(session: runtime.Session) -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith(f"{session.name}/")]


@pytest.mark.parametrize("state", ["new", "running", "held back", "ended", "failed", "reset"])
def test_close_leaves_nothing_whatever_the_state(make_session: MakeSession, state: str) -> None:
    with leak_guard():
        session = make_session(capacity=1)
        if state == "running":
            session.input("in").map(lambda value: value, parallelism=3).collect()
        else:
            source = count() if state == "held back" else range(10)
            session.source(source).map(lambda value: 1 // (value - 5) if state == "failed" else value).collect()
        if state in ("running", "held back"):
            session.start()
        elif state != "new":
            try:
                session.run(PATIENCE_S)
            except runtime.TaskFailed:
                assert state == "failed"
        if state == "reset":
            session.reset()
        for _ in range(3):
            session.close()
        assert threads_of(session) == []


def test_a_with_block_waits_for_the_end_and_closes(make_session: MakeSession) -> None:
    with leak_guard():
        with make_session() as session:
            result = session.source(range(2000)).map(lambda value: value + 1).collect()
            session.start()
        assert session.status == "completed"
        assert list(result) == list(range(1, 2001))


def test_a_with_block_that_never_started_ends_nothing(make_session: MakeSession) -> None:
    with make_session() as session:
        session.source([1]).collect()
    assert session.outcome == runtime.Outcome("cancelled", 0, 0)


def test_an_exception_that_leaves_the_with_block_cancels(make_session: MakeSession) -> None:
    session = make_session(capacity=2)
    with leak_guard():
        with pytest.raises(LookupError, match="mine"), session:  # noqa: PT012  it is leaving the block that is tested
            session.source(count()).map(lambda value: value).sink(lambda _: None)
            session.start()
            raise LookupError("mine")
        assert session.status == "cancelled"


def test_a_with_block_whose_job_failed_raises_that(make_session: MakeSession) -> None:
    session = make_session()
    with leak_guard(), pytest.raises(runtime.TaskFailed, match="'map' failed on packet 0"), session:  # noqa: PT012
        session.source([0]).map(lambda value: 1 // value).collect()
        session.start()


def test_a_with_block_raises_a_failure_that_was_there_before_its_end(make_session: MakeSession) -> None:
    session = make_session()
    with leak_guard(), pytest.raises(runtime.TaskFailed, match="'map' failed on packet 0"), session:  # noqa: PT012
        session.input("open").union(session.source([0]).map(lambda value: 1 // value)).collect()
        session.start()
        while session.status == "running":
            time.sleep(0.001)


def test_a_with_block_says_a_failure_once(make_session: MakeSession) -> None:
    with leak_guard(), make_session() as session:
        session.source([0]).map(lambda value: 1 // value).collect()
        with pytest.raises(runtime.TaskFailed):
            session.run(PATIENCE_S)


def test_a_with_block_that_was_cancelled_does_not_mind_an_open_input(make_session: MakeSession) -> None:
    with leak_guard():
        with make_session() as session:
            session.input("open").collect()
            session.start()
            session.cancel()
        assert session.status == "cancelled"


@pytest.mark.also_remote
def test_a_with_block_with_an_open_input_cancels_and_names_the_remedy(make_session: MakeSession) -> None:
    session = make_session()
    with leak_guard():
        says = r"an input was open.*call end\('questions'\) first"
        with pytest.raises(runtime.InputOpen, match=says), session:  # noqa: PT012
            session.input("questions").union(session.input("closed")).collect()
            session.start()
            session.end("closed")
        assert session.status == "cancelled"


@pytest.mark.concurrent
def test_a_task_stuck_in_user_code_is_abandoned_and_named(make_session: MakeSession, platform: Platform) -> None:
    session = make_session("stuck")
    hold, got = Hold[int](), platform.log()
    session.source([1, 2, 3], name="numbers").map(hold, name="held").sink(got.append, name="end")
    session.start()
    hold.reached.wait()
    said = r"session 'stuck' was closed while 'held' was still in user code after 0\.5 s"
    with pytest.warns(RuntimeWarning, match=said):
        session.close(timeout=0.5)  # in which the others end
    outcome = session.outcome
    assert outcome is not None
    assert (outcome.state, outcome.abandoned) == ("cancelled", ("held",))
    assert threads_of(session) == ["stuck/held"]
    assert "abandoned held" in repr(outcome)
    with leak_guard():
        session.close()  # once is enough; nobody waits for it again
    assert session.wait() is outcome
    hold.release()
    for thread in threading.enumerate():
        if thread.name == "stuck/held":
            thread.join(PATIENCE_S)
    assert got == []
    assert session.outcome is outcome


@pytest.mark.concurrent
def test_an_abandoned_task_does_not_disturb_the_next_run(make_session: MakeSession) -> None:
    session = make_session("again")
    hold = Hold[int]()
    result = session.source([1, 2, 3]).map(hold).collect()
    session.start()
    hold.reached.wait()
    with pytest.warns(RuntimeWarning, match="abandoned"):
        session.close(timeout=0.05)
    old = [thread for thread in threading.enumerate() if thread.name == "again/map"]
    session.start()  # the hold lets everything pass but the packet it has
    assert session.wait(PATIENCE_S).packets_out == 3
    hold.release()
    for thread in old:
        thread.join(PATIENCE_S)
    assert list(result) == [1, 2, 3]


def test_an_interrupt_of_wait_leaves_the_session_running(make_session: MakeSession) -> None:
    session = make_session()
    interrupted = threading.Event()

    def interrupt(value: int) -> int:
        if value == 1:
            interrupted.set()
            os.kill(os.getpid(), signal.SIGINT)
        return value

    result = session.input("in").map(interrupt).collect()
    session.start()
    with pytest.raises(KeyboardInterrupt):  # noqa: PT012  it may come before wait has begun
        session.send("in", 1)
        session.wait(PATIENCE_S)
    interrupted.wait(PATIENCE_S)
    assert session.status == "running"
    session.send("in", 2)
    session.settle(PATIENCE_S)
    assert list(result) == [1, 2]
    session.stop()
    assert session.wait(PATIENCE_S).packets_out == 2


def test_a_wait_that_is_too_short_leaves_the_session_running(make_session: MakeSession) -> None:
    session = make_session()
    session.input("in").collect(name="end")
    session.start()
    with pytest.raises(TimeoutError, match=r"the job still runs after 0\.01 s \(end, in\); it goes on"):
        session.wait(0.01)
    session.send("in", 1)
    session.stop()
    assert session.wait(PATIENCE_S).packets_out == 1


def test_wait_async_leaves_the_loop_free(make_session: MakeSession) -> None:
    session = make_session()
    result = session.input("in").map(lambda value: value + 1).collect()

    async def run() -> runtime.Outcome:
        session.start()
        waiting = asyncio.ensure_future(session.wait_async(PATIENCE_S))
        await asyncio.sleep(0)
        session.send("in", 1)
        session.end("in")
        return await waiting

    assert asyncio.run(run()).packets_out == 1
    assert list(result) == [2]


@pytest.mark.parametrize("pause", [("work",), ()])
def test_wait_async_says_that_the_job_was_paused_meanwhile(make_session: MakeSession, pause: tuple[str, ...]) -> None:
    session = make_session()
    session.input("in").map(lambda value: value, name="work").collect()

    async def run() -> runtime.Outcome:
        session.start()
        waiting = asyncio.ensure_future(session.wait_async(PATIENCE_S))
        await asyncio.sleep(0)
        session.pause(*pause)
        session.send("in", 1, timeout=PATIENCE_S)
        session.step("in") if not pause else None
        with pytest.raises(runtime.JobPaused, match=r"'(work|in)' is paused"):  # whoever it was that stood still first
            await waiting
        session.resume()
        session.end("in")
        return await session.wait_async(PATIENCE_S)

    assert asyncio.run(run()).packets_out == 1


def test_wait_async_of_a_failed_job_raises_and_one_that_is_too_short_goes_on(make_session: MakeSession) -> None:
    session = make_session()
    session.input("in").map(lambda value: 1 // value).collect()

    async def run() -> None:
        session.start()
        with pytest.raises(TimeoutError):
            await session.wait_async(0.01)
        session.send("in", 0)
        with pytest.raises(runtime.TaskFailed):
            await session.wait_async(PATIENCE_S)

    asyncio.run(run())


def test_sessions_of_one_name_are_independent_outside_of_a_kernel(make_session: MakeSession) -> None:
    first, second = make_session("twin"), make_session("twin")
    for session in (first, second):
        session.input("in").collect()
        session.start()
    second.close()
    assert (first.status, second.status) == ("running", "cancelled")
    first.send("in", 1)
    first.stop()
    assert first.wait(PATIENCE_S).packets_out == 1


def test_the_process_is_left_as_it_was(make_session: MakeSession) -> None:
    def settings() -> list[Any]:
        handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
        logs = [logging.getLogger().handlers[:], logging.getLogger("runtime").handlers[:], sys.excepthook]
        return [*handlers, *logs, threading.excepthook, sys.getswitchinterval(), gc.isenabled(), gc.get_threshold()]

    before, loggers = settings(), set(logging.root.manager.loggerDict)
    descriptors = sorted(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else []

    class Logs(runtime.Function[int, int]):
        def process(self, value: int, /) -> int:
            self.ctx.logger.warning("%d", value)
            return value

    session = make_session()
    session.input("in").map(Logs(), parallelism=3).collect()
    session.start()
    session.send("in", 1)
    session.settle(PATIENCE_S)
    assert settings() == before
    if descriptors:
        assert sorted(os.listdir("/proc/self/fd")) == descriptors  # no port, no pipe, no file, also while it runs
    session.close()
    assert settings() == before
    assert set(logging.root.manager.loggerDict) - loggers <= {"runtime"}


SCRIPT = """
import itertools, runtime
session = runtime.Session("left open", capacity=3)
session.source(itertools.count()).map(lambda value: value, parallelism=3).sink(lambda _: None)
session.start()
print("started")
"""


def test_a_program_that_forgets_to_close_ends_and_leaves_no_file(tmp_path: Path) -> None:
    environment = {**os.environ, "HOME": str(tmp_path), "PYTHONPATH": os.getcwd()}
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (run.returncode, run.stdout, run.stderr) == (0, "started\n", "")
    assert list(tmp_path.iterdir()) == []


class TestRunningAgain:
    def test_a_callable_is_called_anew_and_state_is_empty(self, make_session: MakeSession) -> None:
        class Count(runtime.Function[int, int]):
            def process(self, value: int, /) -> int:
                self.ctx.state["seen"] = self.ctx.state.get("seen", 0) + 1
                seen: int = self.ctx.state["seen"]
                return seen

        def numbers() -> Iterator[int]:
            yield from range(5)

        session = make_session()
        source = session.source(numbers)
        counted = source.map(Count()).collect()
        total = source.reduce(lambda total, value: total + value, initial=0, emit="end").collect()
        lists = source.key_by(bool).reduce(lambda all_, v: [*all_, v], initial=list[int](), emit="end").collect()
        first_two = source.take(2).collect()
        for _ in range(3):
            outcome = session.run(PATIENCE_S)
            assert (outcome.packets_in, outcome.packets_out) == (5, 10)
            assert list(counted) == [1, 2, 3, 4, 5]
            assert list(total) == [10]
            assert sorted(lists) == [(False, [0]), (True, [1, 2, 3, 4])]
            assert list(first_two) == [0, 1]
            assert session.snapshot()["source"].processed == 5

    def test_an_input_is_open_again(self, make_session: MakeSession) -> None:
        session = make_session()
        result = session.input("in").collect()
        for number in range(3):
            session.start()
            session.send("in", number)
            session.end("in")
            session.wait(PATIENCE_S)
            assert list(result) == [number]

    def test_a_session_runs_again_after_cancel_stop_and_close(self, make_session: MakeSession) -> None:
        session = make_session(capacity=2)
        session.source(count).map(lambda value: value, parallelism=2).sink(lambda _: None)
        states = []
        for end in (session.cancel, session.stop, session.close, session.cancel):
            session.start()
            end()
            states.append(session.wait(PATIENCE_S).state)
        assert states == ["cancelled", "stopped", "cancelled", "cancelled"]

    def test_reset_makes_the_graph_changeable(self, make_session: MakeSession) -> None:
        session = make_session()
        source = session.source(range(5))
        first = source.collect()
        session.run(PATIENCE_S)
        with pytest.raises(runtime.GraphFrozen):
            source.map(abs)
        session.reset()
        assert (session.status, session.outcome, session.events, len(session.snapshot())) == ("new", None, (), 0)
        second = source.map(lambda value: -value).collect()
        session.run(PATIENCE_S)
        assert (list(first), list(second)) == ([0, 1, 2, 3, 4], [0, -1, -2, -3, -4])

    def test_one_session_hundred_runs(self, make_session: MakeSession) -> None:
        session = make_session()
        result = session.source(range(10), parallelism=2).map(lambda value: value, parallelism=2).collect()
        session.run(PATIENCE_S)
        with leak_guard():
            for _ in range(100):
                session.run(PATIENCE_S)
                assert sorted(result) == list(range(10))
            session.close()


MORE_THAN_THERE_IS = 1 << 45


def test_a_start_that_finds_no_thread_leaves_nothing_and_can_be_repeated(make_session: MakeSession) -> None:
    session = make_session()
    result = session.source(range(10)).map(abs, parallelism=3).collect()
    before = threading.stack_size(MORE_THAN_THERE_IS)
    try:
        with leak_guard(), pytest.raises(RuntimeError, match="can't start new thread"):
            session.start()
    finally:
        threading.stack_size(before)
    assert session.outcome is None, "nothing has begun"
    assert session.run(PATIENCE_S).packets_out == 10
    assert sorted(result) == list(range(10))


def test_a_start_that_finds_no_thread_for_a_task_ends_what_had_begun(make_session: MakeSession) -> None:
    hoarded: list[int] = []

    class Hoard(runtime.Function[int, int]):
        """While it is copied, it takes all the memory there is for the stacks of threads; once."""

        def __deepcopy__(self, _: object) -> Self:
            if not hoarded:
                hoarded.append(threading.stack_size(MORE_THAN_THERE_IS))
            return self

        def process(self, value: int, /) -> int:
            return abs(value)

    session = make_session()
    before = threading.stack_size()
    result = session.source(range(10)).map(Hoard(), parallelism=3).collect()
    try:
        with leak_guard(), pytest.raises(RuntimeError, match="can't start new thread"):
            session.start()
    finally:
        threading.stack_size(before)
    assert session.outcome == runtime.Outcome("cancelled", 0, 0)  # none was abandoned: none has been in user code
    assert session.run(PATIENCE_S).packets_out == 10
    assert sorted(result) == list(range(10))


class ActsWhenCopied(runtime.Function[int, int]):
    """A function of which every copy, and so every start, does something first, and notes what it raises."""

    def __init__(self, act: Callable[[], object], raised: list[BaseException]) -> None:
        self.act, self.raised = act, raised

    def __deepcopy__(self, _: object) -> ActsWhenCopied:
        try:
            self.act()
        except runtime.CommandRefused as error:
            self.raised.append(error)
        return ActsWhenCopied(self.act, self.raised)

    def process(self, value: int, /) -> int:
        return value


WAIT_FOR_A_START: dict[str, Callable[[runtime.Session], object]] = {
    "close": lambda session: session.close(),
    "start": lambda session: session.start(),
    "run": lambda session: session.run(),
    "reset": lambda session: session.reset(),
    "breakpoint": lambda session: session.breakpoint("work"),
}


@pytest.mark.parametrize("command", WAIT_FOR_A_START)
def test_a_command_that_would_wait_for_the_start_that_runs_it_is_refused_by_name(
    make_session: MakeSession, command: str
) -> None:
    session = make_session()
    raised: list[BaseException] = []
    work = ActsWhenCopied(lambda: WAIT_FOR_A_START[command](session), raised)
    result = session.source([1, 2]).map(work, name="work").collect()
    for _ in range(2):  # there is an older run the second time
        assert session.run(PATIENCE_S).state == "completed"
        assert list(result) == [1, 2]
        assert not session.is_closed
        for error in raised:
            assert f"{'start' if command == 'run' else command}() was called by code that the start of" in str(error)
        assert len(raised) == 1
        raised.clear()


def test_code_of_a_start_may_remove_breakpoints_and_say_how_the_run_is_to_end(make_session: MakeSession) -> None:
    session = make_session()
    stops: list[runtime.Breakpoint] = []

    def act() -> None:
        stops[0].remove()
        session.stop()

    session.source(count()).map(ActsWhenCopied(act, []), name="work").collect()
    stops.append(session.breakpoint("work"))
    session.start()
    session.settle(PATIENCE_S)
    assert stops[0].is_removed
    session.resume()  # a packet may have come to it before it was removed, behind the start
    assert session.wait(PATIENCE_S).state == "stopped"


class ActsWhenLetGoOf:
    """An object that does something when nobody holds it any more, and notes what it raises."""

    def __init__(self, act: Callable[[], object], raised: list[BaseException]) -> None:
        self.act, self.raised = act, raised

    def __del__(self) -> None:
        try:
            self.act()
        except runtime.CommandRefused as error:
            self.raised.append(error)


def test_a_finalizer_on_the_thread_of_commands_that_closes_its_session_is_refused_and_nothing_is_said_to_be_closed(
    make_session: MakeSession,
) -> None:
    session = make_session()
    raised: list[BaseException] = []
    changes: list[str] = []
    result = session.input("in").map(abs, name="work").collect()
    session.start()
    session.pause()
    session.set_state("work", "key", ActsWhenLetGoOf(session.close, raised))
    session.set_state("work", "key", None)
    session.on_change(changes.append)
    session.resume()  # until then it could be put back
    assert [str(error).split(" on ")[0] for error in raised] == ["a finalizer gave a command"]
    assert (changes, session.is_closed) == ([], False)
    session.send("in", -1)
    session.end("in")
    session.wait(PATIENCE_S)
    assert list(result) == [1]
