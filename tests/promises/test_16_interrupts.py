"""Promise 16, of interrupts: commands in signal handlers, a close that was cut short, a session that nobody holds."""

from __future__ import annotations

import gc
import signal
import threading
import warnings
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

import pytest

import runtime
from runtime.testing import PATIENCE_S, Hold, Moment
from tests.platforms import MakeSession, Platform

ROUNDS: Final = 15


def pause_and_resume(session: runtime.Session) -> None:
    session.pause()
    session.resume()


HANDLED: dict[str, Callable[[runtime.Session], object]] = {
    "stop": lambda session: session.stop(),
    "cancel": lambda session: session.cancel(),
    "close": lambda session: session.close(PATIENCE_S),
    "end": lambda session: session.end("jobs"),
    "send": lambda session: session.send("jobs", 1, timeout=PATIENCE_S),
    "pause and resume": pause_and_resume,
}
BELOW: dict[str, Callable[[runtime.Session], object]] = {
    "send": lambda session: session.send("jobs", 1, timeout=PATIENCE_S),
    "pause and resume": pause_and_resume,
    "looks": lambda session: (session.snapshot(), session.events, session.peek("work")),
    "settle": lambda session: session.settle(PATIENCE_S),
}


@contextmanager
def alarm(handle: Callable[[], object]) -> Iterator[None]:
    """Have a signal handler do something, in the midst of what the main thread does."""
    before = signal.signal(signal.SIGALRM, lambda *_: handle())
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("handled", HANDLED)
@pytest.mark.parametrize("below", BELOW)
def test_a_signal_handler_gives_a_command_while_another_is_given(
    make_session: MakeSession, handled: str, below: str
) -> None:
    for number in range(ROUNDS):
        session = make_session()
        session.input("jobs").map(abs, name="work").collect()
        session.start()
        heard = Moment("the signal")

        def handle(session: runtime.Session = session, heard: Moment = heard) -> None:
            with suppress(runtime.TaskEnded):
                HANDLED[handled](session)
            heard.set()

        with alarm(handle):
            signal.setitimer(signal.ITIMER_REAL, 0.0002 + number % 5 * 0.0003)
            while not heard.has_come:
                with suppress(runtime.TaskEnded):
                    BELOW[below](session)
        session.resume()
        if session.outcome is None:
            session.end("jobs")
        outcome = session.wait(PATIENCE_S)
        assert outcome.packets_in == outcome.packets_out + outcome.dropped
        session.close(PATIENCE_S)


@pytest.mark.concurrent
def test_a_close_that_was_interrupted_is_carried_out_and_the_next_one_waits_for_it(make_session: MakeSession) -> None:
    session, hold = make_session(), Hold[int]()
    session.source([1]).map(hold, name="work").collect()
    session.start()
    hold.reached.wait()
    with alarm(_interrupt):
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        with pytest.raises(KeyboardInterrupt):
            session.close(PATIENCE_S)
    assert session.status == "running", "the close goes on, and waits for user code"
    threading.Timer(0.05, hold.release).start()
    session.close(PATIENCE_S)
    outcome = session.wait(PATIENCE_S)
    assert (outcome.state, outcome.abandoned) == ("cancelled", ())
    assert not [thread for thread in threading.enumerate() if thread.name.startswith(f"{session.name}/")]


def _interrupt() -> None:
    raise KeyboardInterrupt


def test_a_running_session_that_nobody_holds_is_cancelled_with_a_warning() -> None:
    def let_go() -> list[threading.Thread]:
        session = runtime.Session("forgotten")
        session.input("never ended").collect()
        session.start()
        return [thread for thread in threading.enumerate() if thread.name.startswith("forgotten")]

    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        threads = let_go()
        gc.collect()
        for thread in threads:
            thread.join(PATIENCE_S)
        assert not any(thread.is_alive() for thread in threads)
    assert [str(each.message) for each in told if each.category is ResourceWarning] == [
        "session 'forgotten' was let go of while its job was running, which is cancelled; close() it first"
    ]


def test_a_session_that_was_ended_is_let_go_of_in_silence(platform: Platform) -> None:
    session = runtime.Session(**platform.options)
    session.source([1]).collect()
    session.run(PATIENCE_S)
    gone = weakref.ref(session)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        del session
        gc.collect()
    assert gone() is None
    assert [str(each.message) for each in told] == []


@pytest.mark.parametrize("given", ["send", "inject"])
def test_a_function_of_the_job_that_would_wait_for_room_without_limit_is_refused(
    make_session: MakeSession, given: str
) -> None:
    session = make_session(capacity=2)

    def feed_itself(value: int) -> int:
        for _ in range(4):
            getattr(session, given)("again", value, timeout=None)
        return value

    session.input("again").map(feed_itself, name="work").collect()
    session.start()
    session.send("again", 1, timeout=PATIENCE_S)
    with pytest.raises(runtime.TaskFailed, match="CommandRefused: 'again' has no room, and a function of this job"):
        session.wait(PATIENCE_S)


def test_in_a_task_that_is_being_cancelled_a_send_raises_cancelled(make_session: MakeSession) -> None:
    session = make_session()
    raised: list[Any] = []

    def send_after_the_end(value: int) -> int:
        session.cancel()
        try:
            session.send("numbers", value)
        except BaseException as error:
            raised.append(type(error).__name__)
            raise
        return value

    session.input("numbers").map(send_after_the_end, name="work").collect()
    session.start()
    session.send("numbers", 1)
    assert session.wait(PATIENCE_S).state == "cancelled"
    assert raised == ["Cancelled"]
    with pytest.raises(runtime.TaskEnded):
        session.send("numbers", 2)
