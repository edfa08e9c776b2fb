"""What was done by hand becomes a test: it passes as it stands, in a child process, and fails if a function breaks."""

from __future__ import annotations

import operator
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import runtime
from runtime import CommandRefused, Session
from runtime.testing import PATIENCE_S, as_test

FACTOR = 3
LIMITS = {"low": 2}


def scaled(number: int) -> int:
    """Uses a name of its module, and another function."""
    return helped(number) * FACTOR


def helped(number: int) -> int:
    return number + LIMITS["low"]


def in_a_notebook(function: Callable[..., Any]) -> Any:
    """The same as if it had been written in a cell, whose module is none that could be imported."""
    function.__module__ = "__main__"
    return function


def step_all(session: Session) -> None:
    while session.step().result != "idle":
        pass


def stepped(session: Session) -> None:
    """A packet that is edited, one that is dropped, one that is put in; and all the way."""
    found = session.source([1, 2, 3], name="numbers").map(in_a_notebook(scaled), name="scaled").collect(name="found")
    session.start(paused=True)
    session.step("numbers", 3)
    session.edit(session.peek("scaled")[0], 10)
    session.drop(session.peek("scaled")[1])
    session.inject("scaled", 7)
    session.move(session.peek("scaled")[-1], 0)
    session.step("scaled")
    session.inject("scaled", 8)
    session.undo()
    session.resume()
    session.wait(PATIENCE_S)
    assert len(found) == 3


def of_many_kinds(session: Session) -> None:
    factor = 2
    left = session.source(range(6), name="left").map(lambda n: n * factor, name="double it", parallelism=2)
    right = session.source(lambda: iter([(0, "even"), (1, "odd")]), name="right")
    keyed = left.key_by(lambda n: n // 2 % 2)
    joined = keyed.join(right.key_by(operator.itemgetter(0)), lambda n, word: (n, word), how="left", name="join")
    texts = joined.round_robin().map_batches(lambda batch: [str(each) for each in batch], size=2, name="batches")
    texts.flat_map(lambda text: [text, text.upper()], name="class").take(100).collect(name="texts")
    keyed.reduce(lambda a, b: a + b, name="sums", emit="end").collect()
    left.union(left).count(emit="end").collect(limit=3)
    left.scan(lambda a, b: (a + b, a), initial=0, name="scan").sink(in_a_notebook(quiet))
    session.run(PATIENCE_S)


def quiet(_: Any) -> None:
    pass


def skips(session: Session) -> None:
    def divide(number: int) -> float:
        return 1 / number

    session.source([0, 1, 2], name="numbers").map(divide, name="divide", on_error="skip").collect(name="found")
    session.run(PATIENCE_S)


def fails(session: Session) -> None:
    session.source([2, 0], name="numbers").map(lambda n: 1 // n, name="divide").collect(name="found")
    with pytest.raises(runtime.TaskFailed):
        session.run(PATIENCE_S)


def still_held(session: Session) -> None:
    folded = session.source("aab", name="letters").key_by(str).reduce(lambda n, _: n + 1, initial=0, name="fold")
    folded.collect(name="found")
    session.start(paused=True)
    session.step("letters", 3)
    session.step("fold")
    session.set_state("fold", "a", 40)
    step_all(session)


def fed(session: Session) -> None:
    """What is sent while all stands still, the end of the input as well, and a function that is replaced at a step."""

    def rated(number: int) -> int:
        return number * 2

    found = session.input("in").map(in_a_notebook(rated), name="rated").collect(name="found")
    session.start(paused=True)
    session.send("in", 1)
    session.send("in", 2)
    session.step("in", 2)
    session.step("rated")
    session.replace("rated", rated_again())
    session.send("in", 3)
    session.end("in")
    session.step("in")
    session.step("in")  # its end
    session.step("rated")
    session.replace("rated", lambda n: n + FACTOR)
    session.resume()
    session.wait(PATIENCE_S)
    assert found == [2, 102, 6]


def rated_again() -> Callable[[int], int]:
    def rated(number: int) -> int:
        return number + 100

    return in_a_notebook(rated)  # type: ignore[no-any-return]


def fed_while_it_runs(session: Session) -> None:
    """Two inputs, into one: in which order that comes no seed says."""
    left, right = session.input("left"), session.input("right")
    left.union(right).map(lambda n: n + 1, name="more").collect(name="found")
    session.start(paused=True)
    session.send("left", 1)
    session.resume()
    for value in (2, 3):
        session.send("left", value)
        session.send("right", -value)
    session.end("left")
    session.end("right")
    session.wait(PATIENCE_S)


def mended(session: Session) -> None:
    """Held twice, and mended while it is."""
    texts = session.source(["3", "4,50", "7 F"], name="texts")
    texts.map(lambda text: float(text.strip()), name="parse", on_error="hold").collect(name="found")
    with pytest.raises(runtime.JobHeld):
        session.run(PATIENCE_S)
    session.replace("parse", lambda text: float(text.replace(",", ".")))
    session.resume()
    with pytest.raises(runtime.JobHeld):
        session.wait(PATIENCE_S)
    session.replace("parse", lambda text: float(text.replace(",", ".").removesuffix("F")))
    session.resume()
    session.wait(PATIENCE_S)


STORIES: dict[str, tuple[Callable[[Session], None], str, str]] = {
    "stepped": (stepped, "* FACTOR", "- FACTOR"),
    "of_many_kinds": (of_many_kinds, "n * factor", "n * factor * 2"),
    "skips": (skips, "1 / number", "number"),
    "fails": (fails, "1 // n", "n"),
    "still_held": (still_held, "n + 1", "n + 2"),
    "fed": (fed, "number + 100", "number + 101"),
    "fed_while_it_runs": (fed_while_it_runs, "n + 1", "n + 2"),
    "mended": (mended, "removesuffix", "removeprefix"),
}


@pytest.mark.parametrize("options", [{}, {"seed": 5}], ids=["threads", "seeded"])
def test_it_passes_as_it_stands_and_fails_when_a_function_is_broken(tmp_path: Path, options: dict[str, Any]) -> None:
    for name, (story, good, broken) in STORIES.items():
        with Session(**options) as session:
            story(session)
            text = as_test(session, f"test_{name}")
            session.cancel()
        assert good in text
        (tmp_path / f"test_{name}.py").write_text(text, encoding="utf-8")
        changed = text.replace(good, broken).replace(f"test_{name}", f"test_{name}_broken")
        (tmp_path / f"test_{name}_broken.py").write_text(changed, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--tb=line", "-rA", str(tmp_path)]
    ran = subprocess.run(command, cwd=Path(__file__).parents[1], capture_output=True, text=True, check=False)
    ended = {
        line.partition("::")[2].split(" ")[0]: line.split(" ")[0] for line in ran.stdout.splitlines() if "::" in line
    }
    expected = {f"test_{name}": "PASSED" for name in STORIES} | {f"test_{name}_broken": "FAILED" for name in STORIES}
    assert ended == expected, ran.stdout


def test_what_is_not_recorded_is_refused() -> None:
    def refused(build: Callable[[Session], None], match: str) -> None:
        with Session() as session:
            build(session)
            with pytest.raises(CommandRefused, match=match):
                as_test(session)
            session.cancel()

    def runs(session: Session) -> None:
        session.input("in").sink(quiet)
        session.start()
        session.send("in", 1)

    def retries(session: Session) -> None:
        session.source([0], name="numbers").map(lambda n: 1 // n, name="divide", on_error="skip").sink(quiet)
        session.start(paused=True)
        session.step("numbers")
        session.step("divide")
        session.dead_letters.retry(0, value=1)
        session.resume()
        session.wait(PATIENCE_S)

    def sends_many(session: Session) -> None:
        session.input("in").sink(quiet)
        session.start()
        for value in range(1001):
            session.send("in", value)
        session.end("in")
        session.wait(PATIENCE_S)

    def sends_late(session: Session) -> None:
        session.input("in").take(1).sink(quiet)
        session.start()
        session.send("in", 1)
        session.wait(PATIENCE_S)

    def sends_strange(session: Session) -> None:
        session.input("in").sink(quiet)
        session.start(paused=True)
        session.send("in", object())

    def steps_late(session: Session) -> None:
        session.input("in").map(abs, name="work").sink(quiet)
        session.start()
        session.pause()
        session.send("in", 1)
        session.step("in")

    def skips_held(session: Session) -> None:
        session.source([0], name="numbers").map(lambda n: 1 // n, name="divide", on_error="hold").sink(quiet)
        with pytest.raises(runtime.JobHeld):
            session.run(PATIENCE_S)
        session.held[0].skip()
        session.resume()
        session.wait(PATIENCE_S)

    def resumes(session: Session) -> None:
        session.input("in").map(abs, name="work").sink(quiet)
        session.start(paused=True)
        session.inject("work", 1)
        session.resume()
        session.inject("work", 2)

    def strange(session: Session) -> None:
        session.source([object()]).sink(quiet)
        session.run(PATIENCE_S)

    def serves(session: Session) -> None:
        session.service("clock", dict)
        session.source([1]).sink(quiet)
        session.run(PATIENCE_S)

    refused(runs, "the job runs")
    refused(retries, "what retries put in is not recorded")
    refused(sends_many, "more than 1,000 values")
    refused(sends_late, "sent while the job ran")
    refused(sends_strange, "no literal")
    refused(steps_late, "start it paused")
    refused(skips_held, "was skipped by hand")
    refused(resumes, "after a resume")
    refused(strange, "has no source")
    refused(serves, "services")
    with pytest.raises(runtime.NotStarted):
        as_test(Session())
