"""Packets that are changed in place: found wherever they are, told by name, and nothing else is taken for it."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import runtime
from runtime.testing import PATIENCE_S, ChangedInPlace, check_unchanged

NONE: list[int] = []


@dataclasses.dataclass
class Point:
    x: int


def move(point: Point) -> Point:
    point.x += 1
    return point


def append(numbers: list[int], number: int) -> list[int]:
    numbers.append(number)
    return numbers


def halve(array: Any) -> Any:
    array /= 2
    return array


def two_consumers(session: runtime.Session) -> Any:
    points = session.source([Point(1)], name="points")
    points.map(move, name="moves").sink(repr)
    return points.collect()


Build = Callable[[runtime.Session], Any]

CHANGES: dict[str, tuple[Build, str]] = {
    "two consumers": (two_consumers, r"'moves' has changed its packet, now Point\(x=2\), in place"),
    "a filter": (lambda s: s.source([[1]]).filter(list.pop, name="it").collect(), "'it' has changed its packet"),
    "a sink": (lambda s: s.source([{1: 2}]).sink(dict.clear, name="it"), "'it' has changed its packet"),
    "an array": (lambda s: s.source([np.ones(3)]).map(halve, name="it").collect(), "'it' has changed its packet"),
    "one behind a broadcast": (
        lambda s: s.source([[3, 1]]).broadcast().map(list.sort, name="it", parallelism=2).collect(),
        r"'it#\d' has changed its packet",
    ),
    "a reduced value": (
        lambda s: s.source([1, 2]).reduce(append, initial=NONE, name="it").collect(),
        r"'it' has sent again an object that it has changed since, now \[1, 2\]",
    ),
    "a first packet that is folded into": (
        lambda s: s.source([[1], [2]]).reduce(lambda a, b: append(a, b[0]), name="it").collect(),
        "'it' has sent again an object",
    ),
}


@pytest.mark.parametrize("seed", [0, 7])
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_changes_a_packet_in_place_is_found_and_named(change: tuple[Build, str], seed: int) -> None:
    build, says = change
    with pytest.raises(ChangedInPlace, match=says):
        check_unchanged(build, seed=seed)


UNCHANGED: dict[str, Build] = {
    "new objects": lambda s: s.source([[2, 1]]).map(sorted).reduce(lambda a, b: a + b, initial=NONE).collect(),
    "folded in place, sent once": lambda s: s.source([1, 2]).reduce(append, initial=NONE, emit="end").collect(),
    "the same object, as it was": lambda s: s.source([[1], [2]]).map(lambda packet: packet).flat_map(list).collect(),
    "what cannot be pickled": lambda s: s.source([threading.Lock()]).map(lambda lock: lock).collect(),
    "keyed": lambda s: s.source(["a", "b"]).key_by(str).reduce(lambda n, _: n + 1, initial=0).collect(),
}


@pytest.mark.parametrize("build", UNCHANGED.values(), ids=UNCHANGED)
def test_what_changes_nothing_is_not_accused_and_its_result_comes_back(build: Build) -> None:
    assert len(check_unchanged(build)) > 0


def test_a_graph_with_an_input_is_fed_by_the_test() -> None:
    def use(session: runtime.Session) -> None:
        session.send("in", [1])
        session.end("in")
        session.wait(PATIENCE_S)

    with pytest.raises(ChangedInPlace, match=r"'pops' has changed its packet, now \[\]"):
        check_unchanged(lambda s: s.input("in").map(list.pop, name="pops").sink(abs), use=use, trace=True)


def test_an_error_of_the_job_is_told_as_it_is() -> None:
    with pytest.raises(runtime.TaskFailed):
        check_unchanged(lambda s: s.source([0]).map(lambda n: 1 / n).collect())
