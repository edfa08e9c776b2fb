"""What a task remembers is in one store: it can be copied between two packets, and restored, and goes on as it did."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from copy import deepcopy
from typing import Any

import pytest

import runtime
from runtime import CommandRefused
from runtime.operators import Reduce
from runtime.operators.memory import ALL
from runtime.state import Store
from runtime.task.base_task import BaseTask
from runtime.testing import PATIENCE_S

Pair = tuple[str, int]
Write = Callable[[runtime.Session], "runtime.Stream[Any]"]


def store_of(session: runtime.Session, task: str) -> Store:
    handle = session._runs.started().dispatcher.tasks[task]
    assert isinstance(handle, BaseTask)
    return handle.store


class Notes(runtime.Function[Any, Any]):
    """Sends how often it has seen a key, and keeps all that it has seen in a list."""

    def process(self, value: Any) -> Any:
        state = self.ctx.state
        state.setdefault("seen", []).append(value)
        return len(state["seen"])


class HoldsOn(runtime.Function[Any, Any]):
    """Keeps its `ctx.state` in an attribute of its own."""

    def open(self, ctx: runtime.TaskContext) -> None:
        self.mine = ctx.state

    def process(self, value: Any) -> Any:
        self.mine["sum"] = self.mine.get("sum", 0) + value
        return self.mine["sum"]


class Nobody:
    yield_requested = False


def key(pair: Pair) -> str:
    return pair[0]


def add(total: Any, pair: Pair) -> Any:
    return [*total, pair[1]]


MEMORIES: dict[str, Write] = {
    "a function's state, by key": lambda s: s.input("in").key_by(key).map(Notes(), name="it"),
    "a function's state": lambda s: s.input("in").map(Notes(), name="it"),
    "a state that a function holds on to": lambda s: s.input("in").map(lambda p: p[1]).map(HoldsOn(), name="it"),
    "a reduce": lambda s: s.input("in").key_by(key).reduce(add, initial=[], name="it"),
    "a reduce of all": lambda s: s.input("in").reduce(add, initial=[], name="it"),
    "a take": lambda s: s.input("in").take(10, name="it"),
}


def given(session: runtime.Session, values: Iterable[Any], result: runtime.Collected[Any]) -> list[Any]:
    """What comes out of it for these, stepped all the way."""
    before = len(result)
    for value in values:
        session.send("in", value)
        session.step_through(lambda _: False)
    return list(result)[before:]


FIRST = [("a", 1), ("b", 2), ("a", 3)]
NEXT = [("b", 4), ("c", 5), ("a", 6)]


@pytest.mark.parametrize("write", MEMORIES.values(), ids=MEMORIES)
def test_what_is_restored_goes_on_as_it_did_and_as_often_as_one_likes(session: runtime.Session, write: Write) -> None:
    result = write(session).collect()
    session.start(paused=True)
    given(session, FIRST, result)
    copied, seen = store_of(session, "it").copy(), deepcopy(session.state("it"))
    first = given(session, NEXT, result)
    for _ in range(2):
        store_of(session, "it").restore(copied)
        assert session.state("it") == seen
        assert given(session, NEXT, result) == first


@pytest.mark.parametrize(
    "write", [MEMORIES["a function's state, by key"], MEMORIES["a reduce"]], ids=["state", "reduce"]
)
def test_of_one_key_only_that_is_copied_and_restored(session: runtime.Session, write: Write) -> None:
    result = write(session).collect()
    session.start(paused=True)
    given(session, FIRST, result)
    store, before = store_of(session, "it"), deepcopy(session.state("it"))
    of_a, of_c = store.copy("a"), store.copy("c")
    given(session, NEXT, result)
    after = session.state("it")
    store.restore(of_a)
    store.restore(of_c)
    assert session.state("it") == {"a": before["a"], "b": after["b"]}, "c was not there yet"


def test_a_key_that_comes_again_after_its_restore_has_the_place_of_a_new_one() -> None:
    fold = Reduce(lambda total, value: total + value, initial=0, emit="end", keyed=True)
    fold.receive_packets(iter([("a", 1), ("b", 2)]), print, Nobody())
    without_c = fold.copy("c")
    fold.remember("c", 3)
    fold.restore(without_c)
    fold.remember("d", 4)
    fold.remember("c", 5)
    assert list(fold.finish()) == [("a", 1), ("b", 2), ("d", 4), ("c", 5)]


def test_rows_of_a_join_are_restored_unless_an_input_has_ended_since(session: runtime.Session) -> None:
    left, right = session.input("in").key_by(key), session.input("right").key_by(key)
    result = left.join(right, lambda one, other: (one, other), name="it").collect()
    session.start(paused=True)
    session.send("right", ("a", "r1"))
    given(session, [("a", 1)], result)
    store = store_of(session, "it")
    copied = store.copy()
    first = given(session, [("a", 2), ("b", 3)], result)
    store.restore(copied)
    assert session.state("it") == {"a": ([("a", 1)], [("a", "r1")])}
    assert given(session, [("a", 2), ("b", 3)], result) == first
    session.end("right")
    session.step_through(lambda _: False)
    with pytest.raises(CommandRefused, match="an input of the join has ended since"):
        store.restore(copied)


@pytest.mark.parametrize("items", [[1, 2, 3, 4], range(1, 5), (1, 2, 3, 4)], ids=["list", "range", "tuple"])
def test_a_source_goes_back_to_its_position(session: runtime.Session, items: Iterable[int]) -> None:
    result = session.source(items, name="numbers").collect()
    session.start(paused=True)
    session.step("numbers")
    copied = store_of(session, "numbers").copy()
    session.step("numbers", 2)
    store_of(session, "numbers").restore(copied)
    session.resume()
    session.wait(PATIENCE_S)
    assert list(result) == [1, 2, 3, 2, 3, 4]


def test_a_source_that_gives_each_item_once_is_refused_before_anything_changes(session: runtime.Session) -> None:
    result = session.source(lambda: iter("abc"), name="letters").collect()
    session.start(paused=True)
    copied = store_of(session, "letters").copy()
    store_of(session, "letters").restore(copied)  # it is there already
    session.step("letters")
    with pytest.raises(CommandRefused, match=r"has drawn 1 items and cannot go to item 0: .* gives each item once"):
        store_of(session, "letters").restore(copied)
    session.resume()
    session.wait(PATIENCE_S)
    assert list(result) == ["a", "b", "c"]


@pytest.mark.parametrize("on_error", ["fail", "skip"])
def test_whose_turn_it_is_on_an_edge_is_restored(session: runtime.Session, on_error: Any) -> None:
    session.source(range(20), name="numbers", on_error=on_error).map(
        lambda n: n, name="it", parallelism=3, capacity=60
    ).sink(print)
    session.start(paused=True)

    def to_whom(steps: int) -> list[str]:
        return [to for step in session.step("numbers", steps) for to, _ in step.sent]

    assert to_whom(2) == ["it#0", "it#1"]
    store = store_of(session, "numbers")
    copied = store.copy()
    assert to_whom(3) == ["it#2", "it#0", "it#1"]
    to_whom(1)
    store.restore(copied)
    assert to_whom(4) == ["it#2", "it#0", "it#1", "it#2"]
    store.restore(copied)
    assert to_whom(1) == ["it#2"]
    session.drop(session.peek("it#1")[0])
    assert to_whom(2) == ["it#0", "it#1"], "a drop changes no turn"
    session.cancel()


def test_what_is_copied_is_not_what_is_remembered(session: runtime.Session) -> None:
    result = MEMORIES["a function's state, by key"](session).collect()
    session.start(paused=True)
    given(session, FIRST, result)
    copied = store_of(session, "it").copy(ALL)
    store_of(session, "it").restore(copied)
    given(session, NEXT, result)
    assert copied[1][1] == {"a": {"seen": [("a", 1), ("a", 3)]}, "b": {"seen": [("b", 2)]}}
