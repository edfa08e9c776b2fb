"""What each command does in each state: the table of the design, as a table.

A cell is what the command does: a type of error, or a function that checks what it returned and what became of the
session. Rows that the design does not have are commands of the same kind as one that it has.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

import runtime
from runtime import (
    AlreadyStarted,
    CommandRefused,
    GraphFrozen,
    JobPaused,
    NotPaused,
    NotStarted,
    PacketGone,
    ServicePaused,
    ServiceStopped,
    TaskEnded,
)
from runtime.communication.packet import Place
from runtime.testing import PATIENCE_S, Hold
from tests.platforms import MakeSession, Platform
from tests.services import Echo

STATES = ("new", "running", "paused", "draining", "ended")


@dataclass
class Scene:
    """`in → work → out` and a service. What there is in each state:

    * running: `work` holds the packet 0 in user code;
    * paused: everything is, and 0 waits for `work`;
    * draining: as running, and `out`, for which 8 waits, is paused; then `stop()`.
    """

    session: runtime.Session
    hold: Hold[int]
    result: runtime.Collected[int]
    packet: runtime.Packet  # has waited for `work`; the last one, once the job has ended

    def finish(self) -> runtime.Outcome:
        self.hold.release()
        self.session.stop()
        self.session.resume()
        return self.session.wait(PATIENCE_S)

    def queued(self, task: str) -> runtime.Packet:
        """A packet 7 that waits for `task`, or has been worked by now; where none can be put there, one from before."""
        try:
            self.session.inject(task, 7)
        except (NotStarted, TaskEnded):
            return self.packet
        waiting = [packet for packet in self.session.peek(task) if packet.payload == 7]
        return waiting[0] if waiting else runtime.Packet(7, task=task, place=Place(0, 1))


def scene(session: runtime.Session, state: str) -> Scene:
    hold = Hold[int](lambda value: value == 0)
    result = session.input("in").map(hold, name="work").collect(name="out")
    session.service("echo", Echo)
    made = Scene(session, hold, result, runtime.Packet(0))
    if state == "new":
        return made
    session.start(paused=state in ("paused", "ended"))
    session.send("in", 0)
    if state in ("running", "draining"):
        hold.reached.wait()
    if state == "draining":
        session.pause("out")
        session.inject("out", 8)
        session.stop()
    if state in ("paused", "ended"):
        hold.release()
        session.step("in")
        made.packet = session.peek("work")[0]
    if state == "ended":
        made.finish()
    return made


Check = Callable[[Scene, Any], None]
Cell = type[BaseException] | Check

# ── what a cell can say ──


def returns(value: Any) -> Check:
    def check(_: Scene, returned: Any) -> None:
        assert returned == value

    return check


def reads(text: str) -> Check:
    def check(_: Scene, returned: Any) -> None:
        assert str(returned) == text

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


def makes(*results: int) -> Check:
    """What comes out in the end, in whichever order the lanes are taken."""

    def check(made: Scene, _: Any) -> None:
        outcome = made.finish()
        assert sorted(made.result) == sorted(results)
        assert outcome.packets_in == outcome.packets_out + outcome.dropped

    return check


def ends_empty(state: str) -> Check:
    def check(made: Scene, _: Any) -> None:
        assert made.session.outcome == made.session.wait(0) == runtime.Outcome(state, 0, 0)  # type: ignore[arg-type]

    return check


def drains(*results: int) -> Check:
    def check(made: Scene, _: Any) -> None:
        assert made.session.status == "draining"
        assert made.finish().state == "stopped"
        assert list(made.result) == list(results)

    return check


def is_remembered(made: Scene, _: Any) -> None:
    """It stops when gates open, and nothing happens before."""
    made.session.settle(PATIENCE_S)
    assert (made.session.status, made.session.peek("work").depth) == ("draining", 1)
    made.session.resume()
    assert made.session.wait(PATIENCE_S).state == "stopped"
    assert list(made.result) == [0]


def ends_the_input(made: Scene, _: Any) -> None:
    made.hold.release()
    made.session.resume()
    assert made.session.wait(PATIENCE_S).state == "completed"
    assert list(made.result) == [0]


def cancels(made: Scene, _: Any) -> None:
    """It ends at once, behind the packet in work; what is queued is dropped and counted."""
    made.hold.release()
    outcome = made.session.wait(PATIENCE_S)
    assert outcome.state == "cancelled"
    assert outcome.packets_in == outcome.packets_out + outcome.dropped > 0


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
    assert [operator.name for operator in returned.operators] == ["in", "work", "out"]


def nothing(_: Scene, returned: Any) -> None:
    assert returned is None


def stands_still(*busy: str) -> Check:
    """Nothing is worked behind the packet in work, until it is resumed."""

    def check(made: Scene, returned: Any) -> None:
        assert returned == busy
        made.session.inject("work", 7)
        made.hold.release()
        made.session.settle(PATIENCE_S)
        assert 7 in [packet.payload for packet in made.session.peek("work")]
        with pytest.raises(JobPaused, match="'work'"):
            made.session.wait(PATIENCE_S)
        made.finish()
        assert {0, 7} <= set(made.result)

    return check


def stops_before_the_next(made: Scene, returned: Any) -> None:
    made.session.inject("work", 7)
    made.hold.release()
    made.session.resume()
    assert returned.wait(PATIENCE_S).payload in (0, 7)
    returned.remove()
    made.finish()
    assert {0, 7} <= set(made.result)


def stops_the_next_run(made: Scene, returned: Any) -> None:
    with pytest.raises(CommandRefused, match="makes it live again"):
        returned.wait(PATIENCE_S)
    made.session.start()
    made.session.send("in", 5)
    assert returned.wait(PATIENCE_S).payload == 5
    returned.remove()
    made.finish()


# ── the commands ──


def edit(task: str) -> Callable[[Scene], Any]:
    return lambda made: made.session.edit(made.queued(task), 9)


def drop(task: str) -> Callable[[Scene], Any]:
    return lambda made: made.session.drop(made.queued(task))


def undo_a_drop(task: str) -> Callable[[Scene], Any]:
    def command(made: Scene) -> None:
        made.session.drop(made.queued(task))
        made.session.undo()

    return command


COMMANDS: dict[str, Callable[[Scene], Any]] = {
    "build source": lambda made: made.session.source([1]).collect(),
    "build input": lambda made: made.session.input("more").collect(),
    "build map": lambda made: runtime.Stream.map(made.session.input("more"), abs).collect(),
    "build service": lambda made: made.session.service("other", Echo),
    "start": lambda made: made.session.start(),
    "start paused": lambda made: made.session.start(paused=True),
    "wait": lambda made: made.session.wait(0.02),
    "wait_async": lambda made: asyncio.run(made.session.wait_async(0.02)),
    "settle": lambda made: made.session.settle(0.02),
    "pause": lambda made: made.session.pause("in", "work", timeout=0.02),
    "resume": lambda made: made.session.resume(),
    "step": lambda made: made.session.step(),
    "step by name": lambda made: made.session.step("work"),
    "step_through": lambda made: list(map(str, made.session.step_through(lambda step: step.task == "out"))),
    "follow": lambda made: made.session.follow(made.queued("out")),
    "send": lambda made: made.session.send("in", 7),
    "inject": lambda made: made.session.inject("work", 7),
    "end": lambda made: made.session.end("in"),
    "peek": lambda made: made.session.peek("work"),
    "peek behind": lambda made: made.session.peek("out"),
    "snapshot": lambda made: made.session.snapshot(),
    "events": lambda made: made.session.events,
    "edit": edit("work"),
    "edit behind": edit("out"),
    "drop": drop("work"),
    "drop behind": drop("out"),
    "undo": undo_a_drop("work"),
    "undo behind": undo_a_drop("out"),
    "move": lambda made: made.session.move(made.queued("work"), 0),
    "move behind": lambda made: made.session.move(made.queued("out"), 0),
    "breakpoint": lambda made: made.session.breakpoint("work"),
    "tap": lambda made: made.session.tap("work").packets,
    "state": lambda made: made.session.state("work"),
    "set_state": lambda made: made.session.set_state("work", "k", 1),
    "call": lambda made: made.session.call("echo", 5, timeout=PATIENCE_S),
    "stop": lambda made: made.session.stop(),
    "cancel": lambda made: made.session.cancel(),
    "close": lambda made: made.session.close(),
    "reset": lambda made: made.session.reset(),
    "graph": lambda made: made.session.graph,
    "outcome": lambda made: made.session.outcome,
}

F = GraphFrozen
TABLE: dict[str, tuple[Cell, Cell, Cell, Cell, Cell]] = {  # new, running, paused, draining, ended
    "build source": (leaves("new"), F, F, F, F),
    "build input": (leaves("new"), F, F, F, F),
    "build map": (leaves("new"), F, F, F, F),
    "build service": (leaves("new"), F, F, F, F),
    "start": (starts_and_works, AlreadyStarted, AlreadyStarted, AlreadyStarted, starts_and_works),
    "start paused": (starts_and_works, AlreadyStarted, AlreadyStarted, AlreadyStarted, starts_and_works),
    "wait": (NotStarted, TimeoutError, JobPaused, TimeoutError, says_ended),
    "wait_async": (NotStarted, TimeoutError, JobPaused, TimeoutError, says_ended),
    "settle": (NotStarted, TimeoutError, nothing, TimeoutError, nothing),
    "pause": (NotStarted, stands_still("work"), stands_still(), stands_still("work"), returns(())),
    "resume": (NotStarted, makes(0), makes(0), makes(0, 8), leaves("stopped")),
    "step": (
        NotStarted,
        NotPaused,
        reads("work: 0 -> 0 to out"),
        reads("out: 8"),
        reads("idle: nobody can take a turn"),
    ),
    "step by name": (
        NotStarted,
        NotPaused,
        reads("work: 0 -> 0 to out"),
        NotPaused,
        reads("work: idle, nothing to take"),
    ),
    "step_through": (
        NotStarted,
        NotPaused,
        returns(["work: 0 -> 0 to out", "out: 0"]),
        returns(["out: 8"]),
        returns([]),
    ),
    "follow": (NotStarted, NotPaused, reads("out: 7"), reads("out: 7"), PacketGone),
    "send": (NotStarted, makes(0, 7), makes(0, 7), TaskEnded, TaskEnded),
    "inject": (NotStarted, makes(0, 7), makes(0, 7), makes(0, 7, 8), TaskEnded),
    "end": (NotStarted, ends_the_input, ends_the_input, drains(8, 0), leaves("stopped")),
    "peek": (
        reads("QueueView(work, 0 of 1,024: empty)"),
        reads("QueueView(work, 0 of 1,024: empty)"),
        reads("QueueView(work, 1 of 1,024: 0)"),
        reads("QueueView(work, 0 of 1,024: empty)"),
        reads("QueueView(work, 0 of 1,024: empty)"),
    ),
    "peek behind": (
        reads("QueueView(out, 0 of 1,024: empty)"),
        reads("QueueView(out, 0 of 1,024: empty)"),
        reads("QueueView(out, 0 of 1,024: empty)"),
        reads("QueueView(out, 1 of 1,024: 8)"),
        reads("QueueView(out, 0 of 1,024: empty)"),
    ),
    "snapshot": (
        shows("new", 0, tasks=0),
        shows("running", 1),
        shows("running", 1),
        shows("draining", 1),
        shows("stopped", 1),
    ),
    "events": (
        tells(),
        tells("started"),
        tells("started", "pause: all"),
        tells("started", "pause: out", "stop: "),
        tells("started", "stop: ", "resume: all", "stopped"),
    ),
    "edit": (NotStarted, NotPaused, makes(0, 9), NotPaused, TaskEnded),
    "edit behind": (NotStarted, NotPaused, makes(0, 9), makes(0, 8, 9), TaskEnded),
    "drop": (NotStarted, NotPaused, makes(0), NotPaused, TaskEnded),
    "drop behind": (NotStarted, NotPaused, makes(0), makes(0, 8), TaskEnded),
    "undo": (NotStarted, NotPaused, makes(0, 7), NotPaused, TaskEnded),
    "undo behind": (NotStarted, NotPaused, makes(0, 7), makes(0, 7, 8), TaskEnded),
    "move": (NotStarted, NotPaused, makes(0, 7), NotPaused, TaskEnded),
    "move behind": (NotStarted, NotPaused, makes(0, 7), makes(0, 7, 8), TaskEnded),
    "breakpoint": (
        stops_the_next_run,
        stops_before_the_next,
        stops_before_the_next,
        stops_before_the_next,
        stops_the_next_run,
    ),
    "tap": (NotStarted, returns([]), returns([]), returns([]), returns([])),
    "state": (NotStarted, returns({}), returns({}), returns({}), returns({})),
    "set_state": (NotStarted, NotPaused, nothing, NotPaused, TaskEnded),
    "call": (NotStarted, returns(5), ServicePaused, returns(5), ServiceStopped),
    "stop": (ends_empty("stopped"), drains(0), is_remembered, drains(8, 0), leaves("stopped")),
    "cancel": (ends_empty("cancelled"), cancels, cancels, cancels, leaves("stopped")),
    "close": (ends_empty("cancelled"), cancels, cancels, cancels, leaves("stopped")),
    "reset": (leaves("new"), AlreadyStarted, AlreadyStarted, AlreadyStarted, leaves("new")),
    "graph": (is_the_graph, is_the_graph, is_the_graph, is_the_graph, is_the_graph),
    "outcome": (nothing, nothing, nothing, nothing, says_ended),
}
CELLS = [(command, state, cell) for command, cells in TABLE.items() for state, cell in zip(STATES, cells, strict=True)]
NEED_A_TURN = ("call", "step", "step_through", "follow")
STATUS = {"paused": "running", "ended": "stopped"}


@pytest.mark.parametrize(("command", "state", "cell"), CELLS, ids=lambda value: value if isinstance(value, str) else "")
def test_every_command_does_in_every_state_what_the_table_says(
    make_session: MakeSession, platform: Platform, command: str, state: str, cell: Cell
) -> None:
    made = scene(make_session(), state)
    if command == "close" and state in ("running", "draining"):
        made.hold.release()  # else it would wait for `work` and abandon it; that is a test of its own
    if command in NEED_A_TURN and not platform.concurrent:
        made.hold.release()  # else `work` keeps the only turn there is
    if isinstance(cell, type):
        with pytest.raises(cell) as refused:
            COMMANDS[command](made)
        assert refused.type is cell
        assert made.session.status == STATUS.get(state, state)
    else:
        cell(made, COMMANDS[command](made))
    made.hold.release()


def test_every_command_has_a_row_and_every_row_a_command() -> None:
    assert list(COMMANDS) == list(TABLE)


@pytest.mark.parametrize("command", ["send", "inject", "end", "pause", "step", "edit", "call"])
def test_a_session_that_was_stopped_before_its_start_has_ended(make_session: MakeSession, command: str) -> None:
    made = scene(make_session(), "new")
    made.session.stop()
    with contextlib.suppress(NotStarted, TaskEnded):
        COMMANDS[command](made)
    assert made.session.status == "stopped"
