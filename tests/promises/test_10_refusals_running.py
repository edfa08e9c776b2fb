"""Promise 10 once a session runs: a command that cannot be done is refused by name, and the job goes on."""

from __future__ import annotations

import threading
from typing import Any

import pytest

import runtime
from runtime.communication.packet import Packet
from runtime.testing import PATIENCE_S
from tests.platforms import MakeSession
from tests.promises.test_10_refusals import Misuse, Refused


def inject_into_both(session: runtime.Session, value: int) -> None:
    session.inject("work#0", value)
    session.inject("work#1", value)


RUNNING: dict[str, tuple[Misuse, Refused, tuple[str, ...]]] = {
    "inject into an unknown operator": (
        lambda s: s.inject("wrok", 1),
        runtime.UnknownName,
        ("no operator or task 'wrok'", r"did you mean 'work"),
    ),
    "inject into an unknown task": (lambda s: s.inject("work#2", 1), runtime.UnknownName, ("'work#2'", "'work#1'")),
    "inject into a source": (
        lambda s: s.inject("numbers", 1),
        runtime.GraphInvalid,
        ("'numbers' is a source and has no queue", "inject into 'end'", r"session\.input\(\)"),
    ),
    "send to an unknown input": (lambda s: s.send("inn", 1), runtime.UnknownName, ("'inn'", r"did you mean 'in'\?")),
    "end of an unknown input": (
        lambda s: s.end("inn"),
        runtime.UnknownName,
        ("no input 'inn'", r"did you mean 'in'\?"),
    ),
    "end of what is no input": (lambda s: s.end("work"), runtime.UnknownName, ("no input 'work'", "there is 'in'")),
    "send to what is no input": (
        lambda s: s.send("work", 1),
        runtime.UnknownName,
        ("no input 'work'", "there is 'in'"),
    ),
    "a key that belongs elsewhere": (
        lambda s: inject_into_both(s, 1),
        runtime.CommandRefused,
        ("the key of this packet belongs to 'work#",),
    ),
    "a key without a digest": (
        lambda s: s.inject("work", [1]),
        runtime.UnstableKey,
        (r"key \[1\] of type list", "let the key function return"),
    ),
    "follow what is no packet": (
        lambda s: s.follow(3),  # type: ignore[arg-type]
        runtime.GraphInvalid,
        ("follow was given 3", r"peek\(task\)"),
    ),
    "edit what is no packet": (
        lambda s: s.edit(3, 4),  # type: ignore[arg-type]
        runtime.GraphInvalid,
        ("edit was given 3", r"peek\(task\)"),
    ),
    "drop what is no packet": (
        lambda s: s.drop("x"),  # type: ignore[arg-type]
        runtime.GraphInvalid,
        ("drop was given 'x'", r"peek\(task\)"),
    ),
    "move what is no packet": (
        lambda s: s.move(None, 0),  # type: ignore[arg-type]
        runtime.GraphInvalid,
        ("move was given None", r"peek\(task\)"),
    ),
    "move to what is no place": (
        lambda s: s.move(Packet(1), "front"),  # type: ignore[arg-type]
        runtime.GraphInvalid,
        ("'front'", "whole number"),
    ),
    "a condition that cannot be called": (
        lambda s: s.breakpoint("work", 3),  # type: ignore[arg-type]
        runtime.GraphInvalid,
        ("when of breakpoint is 3", "give it a function"),
    ),
    "a tap that cannot be called": (
        lambda s: s.tap("work", 3),  # type: ignore[arg-type]
        runtime.GraphInvalid,
        ("see of tap is 3", "give it a function"),
    ),
    "a change of the graph": (
        lambda s: s.source([1]),
        runtime.GraphFrozen,
        ("'test' has been started", r"call reset\(\) first"),
    ),
    "a second start": (
        lambda s: s.start(),
        runtime.AlreadyStarted,
        ("'test' is running", r"stop\(\), cancel\(\) or wait\(\) first"),
    ),
    "a reset": (lambda s: s.reset(), runtime.AlreadyStarted, ("'test' is running", r"before reset\(\)")),
}


@pytest.mark.parametrize(("misuse", "error", "says"), RUNNING.values(), ids=RUNNING)
def test_misuse_of_a_running_session_is_refused_and_leaves_it_running(
    session: runtime.Session, misuse: Misuse, error: Refused, says: tuple[str, ...]
) -> None:
    session.input("in").key_by(lambda value: value).map(lambda value: value, name="work", parallelism=2).collect()
    session.source([5], name="numbers").collect(name="end")
    session.start()
    with pytest.raises(error) as caught:
        misuse(session)
    for words in says:
        caught.match(words)
    session.end("in")
    assert session.wait(PATIENCE_S).state == "completed"


@pytest.mark.concurrent
@pytest.mark.parametrize("policy", ["fail", "skip", runtime.Retry(1)], ids=["fail", "skip", "retry"])
@pytest.mark.parametrize("place", ["in a packet", "in finish", "behind the end", "by the one who made the graph"])
def test_packets_from_threads_that_are_not_the_tasks_own_are_refused_by_name_and_told_of(
    make_session: MakeSession, policy: Any, place: str
) -> None:
    """Else they would go with, and be skipped with, whatever packet is in work, or break a lane made for one writer."""
    refused: list[str] = []
    contexts: list[runtime.TaskContext] = []

    class Asks(runtime.Function[int, list[int]]):
        def __deepcopy__(self, memo: object) -> Asks:
            return self

        def open(self, ctx: Any) -> None:
            contexts.append(ctx)

        def answer(self) -> None:
            try:
                self.ctx.send_packet(-1)
            except runtime.WrongThread as error:
                refused.append(str(error))

        def elsewhere(self) -> None:
            thread = threading.Thread(target=self.answer, name="timer")
            thread.start()
            thread.join(PATIENCE_S)

        def process(self, value: int, /) -> list[int]:
            if place == "in a packet":
                self.elsewhere()
            self.ctx.send_packet(value)
            if value % 2 and policy != "fail":
                raise ValueError("odd")
            return []

        def finish(self) -> None:
            if place == "in finish":
                self.elsewhere()

    session = make_session(capacity=2)
    asks = Asks()
    result = session.source(range(0, 6, 2)).flat_map(asks, name="asks", on_error=policy).collect()
    outcome = session.run(PATIENCE_S)
    if place == "behind the end":
        asks.elsewhere()
    elif place.startswith("by"):
        asks.answer()
    where = "MainThread" if place.startswith("by") else "timer"
    assert (outcome.state, list(result)) == ("completed", [0, 2, 4])
    assert len(refused) == (3 if place == "in a packet" else 1)
    assert all(f"send_packet of 'asks' was called on thread '{where}'" in text for text in refused)
    assert all("queue.SimpleQueue" in text for text in refused)
    warnings = [event.text for event in session.events if event.kind == "warning"]
    assert warnings == refused
