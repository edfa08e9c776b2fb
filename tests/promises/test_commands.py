"""What each command does in each state: the table of design.md, as far as its commands exist, as a table.

A cell is what the command does: a type of error, or a function that checks what it returned and what became of the
session. `paused` is missing because nothing can be paused yet.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

import runtime
from runtime import AlreadyStarted, GraphFrozen, NotStarted, TaskEnded
from runtime.testing import PATIENCE_S, Hold
from tests.platforms import MakeSession

pytestmark = pytest.mark.concurrent


@dataclass
class Scene:
    """`in → work → collect`, of which `work` holds the packet 0."""

    session: runtime.Session
    hold: Hold[int]
    result: runtime.Collected[int]

    def finish(self) -> runtime.Outcome:
        self.hold.release()
        self.session.stop()
        return self.session.wait(PATIENCE_S)


def scene(session: runtime.Session, state: str) -> Scene:
    hold = Hold[int](lambda value: value == 0)
    result = session.input("in").map(hold, name="work").collect()
    made = Scene(session, hold, result)
    if state == "new":
        return made
    session.start()
    if state in ("running", "draining"):
        session.send("in", 0)
        hold.reached.wait()
    if state == "draining":
        session.stop()
    if state == "ended":
        session.send("in", 0)
        hold.reached.wait()
        made.finish()
    return made


Check = Callable[[Scene, Any], None]
Command = Callable[[runtime.Session], Any]

COMMANDS: dict[str, Command] = {
    "build source": lambda s: s.source([1]).collect(),
    "build input": lambda s: s.input("more").collect(),
    "build map": lambda s: runtime.Stream.map(s.input("more"), abs).collect(),
    "start": lambda s: s.start(),
    "wait": lambda s: s.wait(0.02),
    "wait_async": lambda s: asyncio.run(s.wait_async(0.02)),
    "settle": lambda s: s.settle(0.02),
    "send": lambda s: s.send("in", 7),
    "inject": lambda s: s.inject("work", 7),
    "end": lambda s: s.end("in"),
    "snapshot": lambda s: s.snapshot(),
    "events": lambda s: s.events,
    "stop": lambda s: s.stop(),
    "cancel": lambda s: s.cancel(),
    "close": lambda s: s.close(),
    "reset": lambda s: s.reset(),
    "graph": lambda s: s.graph,
    "outcome": lambda s: s.outcome,
}


def returns(value: Any) -> Check:
    def check(_: Scene, returned: Any) -> None:
        assert returned == value

    return check


def leaves(state: str) -> Check:
    def check(made: Scene, _: Any) -> None:
        assert made.session.status == state

    return check


def starts_and_works(made: Scene, _: Any) -> None:
    """It runs, from the beginning: nothing has been worked yet."""
    assert made.session.status == "running"
    assert len(made.result) == 0
    made.session.send("in", 5)
    assert made.finish().packets_out == 1


def accepted(made: Scene, _: Any) -> None:
    made.finish()
    assert list(made.result) == [0, 7]


def ends_empty(state: str) -> Check:
    def check(made: Scene, _: Any) -> None:
        assert made.session.outcome == made.session.wait(0) == runtime.Outcome(state, 0, 0)  # type: ignore[arg-type]

    return check


def drains(made: Scene, _: Any) -> None:
    assert made.session.status == "draining"
    assert made.finish().state == "stopped"
    assert list(made.result) == [0]


def ends_the_input(made: Scene, _: Any) -> None:
    made.hold.release()
    assert made.session.wait(PATIENCE_S).state == "completed"
    assert list(made.result) == [0]


def cancels(made: Scene, _: Any) -> None:
    made.hold.release()
    outcome = made.session.wait(PATIENCE_S)
    assert (outcome.state, outcome.packets_in) == ("cancelled", 1)
    assert outcome.packets_in == outcome.packets_out + outcome.dropped


def says_ended(made: Scene, returned: Any) -> None:
    assert isinstance(returned, runtime.Outcome)
    assert (returned.state, returned.packets_out) == ("stopped", 1)


def shows(state: str, processed: int, tasks: int = 3) -> Check:
    def check(_: Scene, returned: Any) -> None:
        assert (returned.state, len(returned)) == (state, tasks)
        if tasks:
            assert returned["in"].processed == processed

    return check


def tells(*texts: str) -> Check:
    def check(_: Scene, returned: Any) -> None:
        told = [event.text for event in returned]
        assert all(any(text in each for each in told) for text in texts)
        assert bool(told) == bool(texts)

    return check


def is_the_graph(_: Scene, returned: Any) -> None:
    assert [operator.name for operator in returned.operators] == ["in", "work", "collect"]


def nothing(_: Scene, returned: Any) -> None:
    assert returned is None


Cell = type[BaseException] | Check
TABLE: dict[str, tuple[Cell, Cell, Cell, Cell]] = {  # new, running, draining, ended
    "build source": (leaves("new"), GraphFrozen, GraphFrozen, GraphFrozen),
    "build input": (leaves("new"), GraphFrozen, GraphFrozen, GraphFrozen),
    "build map": (leaves("new"), GraphFrozen, GraphFrozen, GraphFrozen),
    "start": (starts_and_works, AlreadyStarted, AlreadyStarted, starts_and_works),
    "wait": (NotStarted, TimeoutError, TimeoutError, says_ended),
    "wait_async": (NotStarted, TimeoutError, TimeoutError, says_ended),
    "settle": (NotStarted, TimeoutError, TimeoutError, nothing),
    "send": (NotStarted, accepted, TaskEnded, TaskEnded),
    "inject": (NotStarted, accepted, accepted, TaskEnded),
    "end": (NotStarted, ends_the_input, drains, leaves("stopped")),
    "snapshot": (shows("new", 0, tasks=0), shows("running", 1), shows("draining", 1), shows("stopped", 1)),
    "events": (tells(), tells("started"), tells("started", "stop: "), tells("started", "stop: ", "stopped")),
    "stop": (ends_empty("stopped"), drains, drains, leaves("stopped")),
    "cancel": (ends_empty("cancelled"), cancels, cancels, leaves("stopped")),
    "close": (ends_empty("cancelled"), cancels, cancels, leaves("stopped")),
    "reset": (leaves("new"), AlreadyStarted, AlreadyStarted, leaves("new")),
    "graph": (is_the_graph, is_the_graph, is_the_graph, is_the_graph),
    "outcome": (nothing, nothing, nothing, says_ended),
}
STATES = ("new", "running", "draining", "ended")
CELLS = [(command, state, cell) for command, cells in TABLE.items() for state, cell in zip(STATES, cells, strict=True)]


@pytest.mark.parametrize(("command", "state", "cell"), CELLS, ids=lambda value: value if isinstance(value, str) else "")
def test_every_command_does_in_every_state_what_the_table_says(
    make_session: MakeSession, command: str, state: str, cell: Cell
) -> None:
    made = scene(make_session(), state)
    if command == "close" and state in ("running", "draining"):
        made.hold.release()  # else it would wait for `work` and abandon it; that is a test of its own
    if isinstance(cell, type):
        with pytest.raises(cell):
            COMMANDS[command](made.session)
        assert made.session.status == (state if state != "ended" else "stopped")
    else:
        cell(made, COMMANDS[command](made.session))
    made.hold.release()


def test_every_command_has_a_row_and_every_row_a_command() -> None:
    assert set(COMMANDS) == set(TABLE)


@pytest.mark.parametrize("command", ["send", "inject", "end"])
def test_a_session_that_was_stopped_before_its_start_has_ended(make_session: MakeSession, command: str) -> None:
    made = scene(make_session(), "new")
    made.session.stop()
    with contextlib.suppress(NotStarted, TaskEnded):
        COMMANDS[command](made.session)
    assert made.session.status == "stopped"
