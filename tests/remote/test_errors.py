"""Whatever user code raises on Ray, wherever, its job ends as on threads: by name, at once, with the same type."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, NoReturn

import pytest

import runtime
from runtime.testing import PATIENCE_S
from tests.pairs import every_pair_of
from tests.remote import functions as far

pytestmark = pytest.mark.on_ray


def deep(value: int) -> NoReturn:
    deep(value + 1)


def deep_enough(_: Any) -> NoReturn:
    """Raises in 600 frames."""

    def dig(depth: int) -> None:
        if depth == 600:
            raise ValueError("here")
        dig(depth + 1)

    dig(0)
    raise AssertionError


def in_a_chain(_: Any) -> NoReturn:
    """Raises the last of 600 errors, each from the one before."""
    error: Exception | None = None
    for number in range(600):
        try:
            raise ValueError(number) from error
        except ValueError as latest:
            error = latest
    assert error is not None
    raise error


def in_a_circle(_: Any) -> NoReturn:
    first, second = ValueError("first"), KeyError("second")
    second.__cause__ = first
    raise first from second


def local_only(_: Any) -> NoReturn:
    raise far.LocalOnly("it")


def two_arguments(_: Any) -> NoReturn:
    raise far.NeedsTwo("it", 3)


def exit_when_pickled(_: Any) -> NoReturn:
    raise far.ExitsWhenPickled


ERRORS: dict[str, tuple[Callable[[Any], Any], type[BaseException]]] = {
    "without end": (deep, RecursionError),
    "600 frames": (deep_enough, ValueError),
    "600 causes": (in_a_chain, ValueError),
    "a circle of causes": (in_a_circle, ValueError),
    "not pickled": (local_only, far.LocalOnly),
    "not unpickled": (two_arguments, far.NeedsTwo),
    "exits when pickled": (exit_when_pickled, far.ExitsWhenPickled),
}


@pytest.mark.parametrize("what", ERRORS)
def test_a_job_fails_as_on_threads_whatever_the_error_is(what: str) -> None:
    function, kind = ERRORS[what]
    with runtime.Session(platform="remote") as session:
        session.source([0]).map(function, name="culprit").collect()
        with pytest.raises(runtime.TaskFailed, match="'culprit' failed on packet 0") as failure:
            session.run(PATIENCE_S)
    assert type(failure.value.__cause__) is kind


class Fails(runtime.Function[int, int]):
    """Raises in one place of its life, or at each packet."""

    def __init__(self, place: str, error: Callable[[Any], Any]) -> None:
        self.place, self.error = place, error

    def open(self, ctx: Any) -> None:
        self._at("open")

    def process(self, value: int, /) -> int:
        self._at("process")
        return value

    def finish(self) -> list[int]:
        self._at("finish")
        return []

    def close(self) -> None:
        self._at("close")

    def _at(self, place: str) -> None:
        if place == self.place:
            self.error(place)


@every_pair_of(
    place=("process", "finish", "close", "open"), what=("600 causes", "exits when pickled"), policy=("fail", "skip")
)
def test_an_error_gets_through_from_everywhere_whatever_it_is(place: str, what: str, policy: Any) -> None:
    function, kind = ERRORS[what]
    with runtime.Session(platform="remote", on_error=policy) as session:
        session.source(range(3)).map(Fails(place, function), name="work").collect()
        try:
            session.run(PATIENCE_S)
            told = [letter.error for letter in session.dead_letters]
        except runtime.TaskFailed as failure:
            told = [failure.__cause__] if failure.__cause__ is not None else []
    assert {type(error) for error in told} == {kind}
    assert len(told) == (3 if policy == "skip" and place == "process" else 1)


@pytest.mark.parametrize(
    "what",
    [
        "600 causes",
        "without end",
        pytest.param("a circle of causes", marks=pytest.mark.long),
        pytest.param("not pickled", marks=pytest.mark.long),
    ],
)
def test_a_key_function_and_a_condition_may_raise_anything(what: str) -> None:
    function, kind = ERRORS[what]
    with runtime.Session(platform="remote") as session:
        session.source([0, 1], name="numbers").key_by(function).map(far.same, name="work").collect()
        with pytest.raises(runtime.TaskFailed, match="'numbers' failed on packet 0") as failure:
            session.run(PATIENCE_S)
        assert type(failure.value.__cause__) is kind
    with runtime.Session(platform="remote") as session:
        session.source([0, 1], name="numbers").map(far.same, name="work").collect()
        session.start(paused=True)
        breakpoint_ = session.breakpoint("work", when=function)
        session.resume()
        hit = breakpoint_.wait(PATIENCE_S)
        assert hit is not None
        assert type(breakpoint_.error) is kind
        breakpoint_.remove()
        session.resume()
        assert session.wait(PATIENCE_S).state == "completed"


class Service:
    """Fails each call in its own way."""

    def fail(self, what: str) -> NoReturn:
        ERRORS[what][0](0)
        raise AssertionError

    def return_lock(self) -> Any:
        return threading.Lock()

    def return_exit(self) -> Any:
        return far.ExitsWhenPickled()

    def process(self, value: int) -> int:
        return 2 * value


def test_a_service_s_error_fails_its_call_only_whatever_it_is() -> None:
    with runtime.Session(platform="remote") as session:
        session.service("service", Service)
        session.input("in").collect()
        session.start()
        for what, (_, kind) in ERRORS.items():
            with pytest.raises(kind):
                session.call("service", what, method="fail", timeout=PATIENCE_S)
        with pytest.raises(TypeError, match="cannot pickle"):
            session.call("service", method="return_lock", timeout=PATIENCE_S)
        with pytest.raises(runtime.ServiceFailed, match="SystemExit"):
            session.call("service", method="return_exit", timeout=PATIENCE_S)
        with pytest.raises(runtime.NotSendable, match=r"<lock>.*cannot pickle"):
            session.call("service", threading.Lock(), timeout=PATIENCE_S)
        assert session.call("service", 2, timeout=PATIENCE_S) == 4
        session.end("in")


@pytest.mark.parametrize(
    ("make", "policy"),
    [(far.make_lock, "skip"), (far.make_broken, runtime.Retry(1, 0.0, then="skip"))],
    ids=["not pickled", "not unpickled, retried"],
)
def test_a_result_that_cannot_travel_is_skipped_and_its_packet_named(make: Any, policy: Any) -> None:
    with runtime.Session(platform="remote", on_error=policy) as session:
        result = session.source(range(6)).map(make, name="make").map(far.same, name="next").collect()
        assert session.run(PATIENCE_S).state == "completed"
        assert list(result) == [0, 1, 2, 4, 5]
        (letter,) = session.dead_letters
        assert (letter.task, letter.packet) == ("make", 3)
        assert type(letter.error) is runtime.NotSendable


def test_an_item_that_cannot_travel_is_skipped_by_its_source() -> None:
    with runtime.Session(platform="remote", on_error="skip") as session:
        made = session.source(iter([1, threading.Lock(), 3]), name="made")
        result = made.map(far.same).collect()
        assert session.run(PATIENCE_S).state == "completed"
        assert list(result) == [1, 3]
        (letter,) = session.dead_letters
        assert letter.task == "made"


def test_what_cannot_be_pickled_is_refused_in_the_hand_at_once() -> None:
    lock = threading.Lock()
    with runtime.Session(platform="remote") as session:
        result = session.input("in").map(far.same, name="work").collect(name="result")
        session.start()
        for target, value in (("in", lock), ("work", lock), ("in", far.ArrivesBroken())):
            with pytest.raises(runtime.NotSendable):
                session.inject(target, value)
        with pytest.raises(runtime.NotSendable, match="<lock>"):
            session.send("in", lock)
        session.inject("result", lock)  # which does not travel
        session.send("in", 3)
        session.settle(PATIENCE_S)
        session.pause()
        session.inject("work", 4)
        with pytest.raises(runtime.NotSendable, match="<lock>"):
            session.edit(session.peek("work")[0], lock)
        session.resume()
        session.end("in")
        assert session.wait(PATIENCE_S).state == "completed"
        assert list(result) == [lock, 3, 4]


def test_a_step_and_a_tap_show_what_cannot_travel_as_a_text() -> None:
    with runtime.Session(platform="remote", on_error="skip") as session:
        session.source(range(5), name="numbers").map(far.make_lock, name="make").sink(far.same, name="end")
        session.start(paused=True)
        with session.tap("make") as tap:
            for _ in range(4):
                session.step("numbers", timeout=PATIENCE_S)
            steps = [session.step("make", timeout=PATIENCE_S) for _ in range(4)]
        assert type(steps[3].error) is runtime.NotSendable
        assert "skipped" in str(steps[3])
        session.resume()
        session.wait(PATIENCE_S)
        assert len(tap.steps) == 4
