"""What is hardly meant is said: refused where it cannot work, a warning where it can."""

from __future__ import annotations

import asyncio
import functools
import re
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any
from unittest.mock import AsyncMock, MagicMock, Mock, create_autospec

import pytest

import runtime
from runtime.testing import PATIENCE_S
from tests.platforms import MakeSession

Build = Callable[[runtime.Session], Any]


async def later(value: Any) -> Any:
    return value


def behind_a_decorator(function: Any) -> Any:
    @functools.wraps(function)
    def call(*values: Any) -> Any:
        return function(*values)

    return call


def that_runs_it(function: Any) -> Any:
    @functools.wraps(function)
    def call(*values: Any) -> Any:
        return asyncio.run(function(*values))

    return call


async def generate(value: Any) -> AsyncIterator[Any]:
    yield value


# ── async ──


def two(session: runtime.Session) -> runtime.ConnectedStreams[int, int]:
    return session.source([1]).connect(session.source([2]))


class AsyncOpen(runtime.Function[int, int]):
    async def open(self, ctx: Any) -> None:
        """Would prepare."""

    def process(self, value: int, /) -> int:
        return value


class AsyncFinish(runtime.Function[int, int]):
    def process(self, value: int, /) -> int:
        return value

    async def finish(self) -> Any:
        return [1]


class AsyncFinishes(runtime.Function[int, int]):
    def process(self, value: int, /) -> int:
        return value

    async def finish(self) -> Any:
        yield 1


class AsyncClose(runtime.Function[int, int]):
    def process(self, value: int, /) -> int:
        return value

    async def close(self) -> None:
        """Would release."""


class StaticCall:
    @staticmethod
    async def __call__(value: int) -> int:
        return value


@pytest.mark.parametrize(
    ("build", "names"),
    [
        (lambda s: two(s).map(AsyncOpen(), abs, name="m"), r"open\(\) of 'm'"),
        (lambda s: two(s).map(AsyncFinish(), abs, name="m"), r"finish\(\) of 'm'"),
        (lambda s: two(s).map(AsyncFinishes(), abs, name="m"), r"finish\(\) of 'm'"),
        (lambda s: two(s).map(AsyncClose(), abs, name="m"), r"close\(\) of 'm'"),
        (lambda s: s.source([1]).reduce(StaticCall(), name="m"), "the function of 'm'"),
        (lambda s: s.source([1]).reduce(functools.partial(functools.partial(later)), name="m"), "the function of 'm'"),
    ],
    ids=["open", "finish", "finish that yields", "close", "static call", "partial of a partial"],
)
def test_an_async_method_that_would_never_run_is_refused_by_name(
    session: runtime.Session, build: Build, names: str
) -> None:
    with pytest.raises(runtime.AsyncRefused, match=rf"{names} is an `async def`; .* make it a plain `def`"):
        build(session)


HIDDEN: dict[str, Build] = {
    "map": lambda s: s.source([1, 2]).map(behind_a_decorator(later), name="it").collect(),
    "filter": lambda s: s.source([1, 2]).filter(behind_a_decorator(later), name="it").collect(),
    "flat_map": lambda s: s.source([1, 2]).flat_map(behind_a_decorator(generate), name="it").collect(),
    "sink": lambda s: s.source([1, 2]).sink(AsyncMock(), name="it"),
    "reduce": lambda s: s.source([1, 2]).reduce(behind_a_decorator(lambda a, b: later(a)), name="it").collect(),
    "connect": lambda s: s.source([1]).connect(s.source([1])).map(abs, behind_a_decorator(later), name="it").collect(),
    "source": lambda s: s.source(functools.partial(behind_a_decorator(later), 1), name="it").collect(),
}


@pytest.mark.parametrize("build", HIDDEN.values(), ids=HIDDEN)
def test_a_coroutine_is_never_taken_for_a_result(make_session: MakeSession, build: Build) -> None:
    session = make_session()
    build(session)
    with pytest.raises(runtime.TaskFailed, match="'it' failed") as caught:
        session.run(PATIENCE_S)
    assert isinstance(caught.value.__cause__, runtime.AsyncRefused)


def test_each_coroutine_is_refused_where_packets_are_skipped(make_session: MakeSession) -> None:
    session = make_session(on_error="skip")
    result = session.source([1, 2, 3]).filter(behind_a_decorator(later)).collect()
    session.run(PATIENCE_S)
    assert list(result) == []
    assert [type(letter.error) for letter in session.dead_letters] == [runtime.AsyncRefused] * 3


def test_a_decorator_that_runs_the_coroutine_is_as_good_as_any(make_session: MakeSession) -> None:
    session = make_session()
    result = session.source([1, 2]).map(that_runs_it(later)).collect()
    session.run(PATIENCE_S)
    assert list(result) == [1, 2]


def test_async_conditions_and_taps_are_refused(session: runtime.Session) -> None:
    session.input("in").map(abs, name="it").collect()
    session.start()
    with pytest.raises(runtime.AsyncRefused, match="when of breakpoint"):
        session.breakpoint("it", later)
    with pytest.raises(runtime.AsyncRefused, match="see of tap"):
        session.tap("it", later)  # type: ignore[arg-type]
    with pytest.raises(runtime.AsyncRefused, match="interceptor"):
        session.intercept(functools.partial(later))
    hidden = session.breakpoint("it", behind_a_decorator(later))
    session.send("in", 1)
    hidden.wait(PATIENCE_S)
    assert isinstance(hidden.error, runtime.AsyncRefused)
    session.cancel()


# ── test doubles ──


class Clock:
    def process(self, value: int) -> int:
        return value

    def now(self) -> int:
        return 1


def test_doubles_of_services_and_functions_are_what_they_stand_for(make_session: MakeSession) -> None:
    clock = create_autospec(Clock, instance=True)
    clock.process.return_value = 5
    seen, source, interceptor = Mock(), MagicMock(spec=abs, return_value=[1, 2]), Mock(spec=abs)
    interceptor.side_effect = lambda invocation: invocation.proceed()
    session = make_session()
    session.service("clock", lambda: clock)
    session.intercept(interceptor)
    doubled: runtime.Stream[Any] = session.source(source).map(MagicMock(spec=abs, side_effect=lambda n: 2 * n))
    doubled.filter(Mock(return_value=True)).map(create_autospec(abs, side_effect=lambda n: n + 1)).sink(seen)
    session.input("open").sink(abs)
    session.start()
    assert session.call("clock", 3) == 5
    session.end("open")
    session.wait(PATIENCE_S)
    assert [call.args for call in seen.call_args_list] == [(3,), (5,)]


# ── objects that can be called ──


class Static:
    @staticmethod
    def __call__(value: int) -> int:
        return value + 1


class OfClass:
    step = 1

    @classmethod
    def __call__(cls, value: int) -> int:
        return value + cls.step


class Inherits(OfClass):
    step = 10


@pytest.mark.parametrize(("function", "made"), [(Static(), 2), (OfClass(), 2), (Inherits(), 11)], ids=["1", "2", "3"])
def test_objects_whose_call_is_static_or_of_the_class_are_functions(
    make_session: MakeSession, function: Any, made: int
) -> None:
    session = make_session()
    result = session.source([1, 1]).map(function).flat_map(lambda n: [n]).filter(function).collect()
    session.run(PATIENCE_S)
    assert list(result) == [made, made]


# ── what is possible, but hardly meant ──


def yields(value: Any) -> Iterator[Any]:
    yield value


DOUBTS: dict[str, tuple[Build, str]] = {
    "source of a text": (lambda s: s.source("data.csv", name="it").collect(), "text 'data.csv'.* each character"),
    "map of a generator": (lambda s: s.source([1, 2]).map(yields, name="it").collect(), "flat_map sends what they"),
    "filter by a generator": (lambda s: s.source([1, 2]).filter(yields, name="it").collect(), "always true"),
    "sink that yields": (lambda s: s.source([1, 2]).sink(yields, name="it"), "nobody runs those"),
    "reduce that yields": (
        lambda s: s.source([1, 2, 3]).reduce(lambda a, b: yields(b), name="it").collect(),
        "return the folded value",
    ),
    "flat_map of a text": (lambda s: s.source(["ab"]).flat_map(str.upper, name="it").collect(), r"return \[text\]"),
    "map of one of two": (
        lambda s: s.source([1]).connect(s.source([])).map(yields, abs, name="it").collect(),
        "flat_map sends what they",
    ),
}


@pytest.mark.parametrize("on_error", ["fail", "skip"])
@pytest.mark.parametrize("doubt", DOUBTS.values(), ids=DOUBTS)
def test_what_is_hardly_meant_is_a_warning_once(
    make_session: MakeSession, doubt: tuple[Build, str], on_error: runtime.OnError
) -> None:
    build, says = doubt
    session = make_session(on_error=on_error)
    build(session)
    assert session.run(PATIENCE_S).state == "completed"
    (warning,) = [event for event in session.events if event.kind == "warning"]
    assert warning.task == "it"
    assert re.search(says, warning.text)


@pytest.mark.parametrize("packet", [1, 5], ids=["first", "later"])
@pytest.mark.parametrize("both", [False, True])
def test_flat_map_says_what_to_return_in_place_of_none(make_session: MakeSession, packet: int, both: bool) -> None:
    def forgets(value: int) -> Any:
        return None if value == packet else [value]

    session = make_session()
    numbers: Any = session.source(range(10))
    (numbers.connect(session.source([])) if both else numbers).flat_map(
        *[forgets, abs][: 1 + both], name="it"
    ).collect()
    with pytest.raises(
        runtime.TaskFailed, match=f"'it' failed on packet {packet}: TypeError: .* returned None; it has to"
    ):
        session.run(PATIENCE_S)


def test_a_type_error_in_a_flat_map_is_the_users_own(make_session: MakeSession) -> None:
    session = make_session()
    session.source([1]).flat_map(len, name="it").collect()  # type: ignore[arg-type]
    with pytest.raises(runtime.TaskFailed, match="object of type 'int' has no len"):
        session.run(PATIENCE_S)


def test_a_source_says_what_to_return_in_place_of_none(make_session: MakeSession) -> None:
    session = make_session()
    session.source(lambda: None, name="it").collect()  # type: ignore[arg-type]
    with pytest.raises(runtime.TaskFailed, match="'it' failed: TypeError: the function of a source returned None"):
        session.run(PATIENCE_S)
