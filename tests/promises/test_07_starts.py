"""Promise 7, around a start: what is asked for while one is under way, before the first, and behind the last."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Any, Literal

import pytest

import runtime
from runtime import AlreadyStarted
from runtime.testing import PATIENCE_S, Moment
from tests.remote_rig import in_thread
from tests.services import Echo

End = Literal["stop", "cancel"]
ENDED = {"stop": "stopped", "cancel": "cancelled"}
every_end = pytest.mark.parametrize("end", ENDED)


class SlowToCopy(runtime.Function[int, int]):
    """A function of which copies are made when somebody lets them: so long, a start is under way."""

    def __init__(self, copying: Moment, go_on: Moment) -> None:
        self.copying, self.go_on = copying, go_on

    def __deepcopy__(self, memo: object) -> SlowToCopy:
        self.copying.set()
        self.go_on.wait()
        return SlowToCopy(self.copying, self.go_on)

    def process(self, value: int) -> int:
        return value


class Starting:
    """An endless job whose first start is under way, on a thread of its own, until `go_on`."""

    def __init__(self, session: runtime.Session) -> None:
        copying, go_on = Moment("a function is copied"), Moment("it may be")
        session.source(count, name="numbers").map(SlowToCopy(copying, go_on), name="work").sink(abs, name="out")
        self.session, self._go_on = session, go_on
        self._thread, self.raised = in_thread(session.start)
        copying.wait()

    def go_on(self) -> None:
        """Let the start come to its end."""
        self._go_on.set()
        self._thread.join(PATIENCE_S)


@pytest.fixture
def session() -> Iterator[runtime.Session]:
    with runtime.Session("starts") as session:
        yield session
        session.cancel()


@every_end
def test_an_end_that_is_asked_for_while_a_start_is_under_way_ends_that_run(session: runtime.Session, end: End) -> None:
    starting = Starting(session)
    getattr(session, end)()
    starting.go_on()
    assert session.wait(PATIENCE_S).state == ENDED[end]


def test_an_interceptor_that_comes_while_a_start_is_under_way_is_there_when_it_is_over(
    session: runtime.Session,
) -> None:
    session.service("echo", Echo)
    starting = Starting(session)
    remove = session.intercept(lambda invocation: ("seen", invocation.proceed()))
    starting.go_on()
    assert session.call("echo", 1) == ("seen", 1)
    remove()
    assert session.call("echo", 1) == 1


@every_end
def test_an_end_that_was_asked_for_during_one_start_is_not_for_the_next(session: runtime.Session, end: End) -> None:
    starting = Starting(session)
    getattr(session, end)()
    starting.go_on()
    session.wait(PATIENCE_S)
    session.start()
    assert session.status == "running"


def test_a_close_waits_for_the_start_that_is_under_way_and_ends_what_it_has_started(session: runtime.Session) -> None:
    starting = Starting(session)
    closing, _ = in_thread(session.close)
    closing.join(0.05)
    assert closing.is_alive()
    starting.go_on()
    closing.join(PATIENCE_S)
    assert (session.status, session.is_closed) == ("cancelled", True)


def test_a_reset_waits_for_the_start_that_is_under_way_and_is_refused_then(session: runtime.Session) -> None:
    starting = Starting(session)
    resetting, found = in_thread(session.reset)
    resetting.join(0.05)
    assert resetting.is_alive()
    starting.go_on()
    resetting.join(PATIENCE_S)
    assert [type(each) for each in found] == [AlreadyStarted]
    assert session.status == "running"


def test_of_the_ends_that_are_asked_for_before_a_start_the_first_counts(session: runtime.Session) -> None:
    session.source([1], name="numbers").sink(abs, name="out")
    session.stop()
    session.cancel()
    assert (session.status, session.wait().state) == ("stopped", "stopped")
    assert session.run(PATIENCE_S).state == "completed"


def test_after_a_reset_nothing_is_known_of_an_end_before_the_start(session: runtime.Session) -> None:
    session.stop()
    session.reset()
    assert (session.status, session.outcome) == ("new", None)


def test_a_session_that_is_started_again_while_it_is_told_to_be_closed_keeps_its_new_run(
    session: runtime.Session,
) -> None:
    result = session.source([1, 2], name="numbers").map(abs, name="work").collect(name="result")
    found = session.breakpoint("work", lambda value: value == 2)

    def again(change: Any) -> None:
        if change == "closed":
            end()
            session.start(paused=True)

    session.start(paused=True)
    end = session.on_change(again)
    session.close()
    assert session.status == "running"
    session.resume()
    assert found.wait(PATIENCE_S).payload == 2
    session.resume()
    session.wait(PATIENCE_S)
    assert list(result) == [1, 2]


def test_each_end_is_told_once_and_none_after_the_end(session: runtime.Session) -> None:
    session.source(count, name="numbers").sink(abs, name="out")
    session.start()
    session.stop()
    session.stop()
    session.wait(PATIENCE_S)
    session.stop()
    session.cancel()
    session.close()
    told = [event.text.partition(":")[0] for event in session.events if event.kind == "command"]
    assert told == ["stop"]


def test_a_job_that_a_close_has_cancelled_ends_once(session: runtime.Session) -> None:
    session.source(count, name="numbers").sink(abs, name="out")
    session.start()
    session.close()
    assert [event.text for event in session.events if event.kind == "end" and event.task is None] == ["cancelled"]
