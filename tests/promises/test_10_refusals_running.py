"""Promise 10 once a session runs: a command that cannot be done is refused by name, and the job goes on."""

from __future__ import annotations

import pytest

import runtime
from runtime.communication.packet import Packet
from runtime.testing import PATIENCE_S
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
