"""Promise 9, as far as policy `fail` goes: an error in user code fails the job and is named; nothing hangs."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import pytest

import runtime
from runtime.testing import PATIENCE_S, Hold
from tests.pairs import every_pair_of
from tests.platforms import MakeSession, Platform


class Custom(BaseException):
    """Neither an Exception nor anything that Python knows."""


ERRORS: dict[str, BaseException] = {
    type(error).__name__: error
    for error in (
        ValueError("no good"),
        SystemExit(3),
        KeyboardInterrupt("from user code"),
        StopIteration("from user code"),
        GeneratorExit("from user code"),
        StopAsyncIteration(),
        RecursionError("too deep"),
        MemoryError(),
        Custom("own"),
        runtime.UnknownName("word", "x", ["y"]),
        runtime.QueueFull("from user code"),
    )
}
every_error = pytest.mark.parametrize("error", ERRORS.values(), ids=ERRORS)


def raise_at(
    value: Any, error: BaseException, result: Callable[[Any], Any] = lambda value: value
) -> Callable[[Any], Any]:
    def function(seen: Any) -> Any:
        if seen == value:
            raise error
        return result(seen)

    return function


Build = Callable[[runtime.Stream[int], BaseException], object]


def reduced(stream: runtime.Stream[int], error: BaseException) -> None:
    fails = raise_at(5, error)
    stream.reduce(lambda _, value: fails(value), initial=0, name="it").collect()


def reduced_by_key(stream: runtime.Stream[int], error: BaseException) -> None:
    fails = raise_at(5, error)
    keyed = stream.key_by(lambda value: value % 2)
    keyed.reduce(lambda _, value: fails(value), initial=0, name="it").collect()


class Fails(runtime.Function[int, int]):
    def __init__(self, error: BaseException) -> None:
        self.fails = raise_at(5, error)

    def process(self, value: int, /) -> int:
        result: int = self.fails(value)
        return result


PLACES: dict[str, Build] = {
    "map": lambda stream, error: stream.map(raise_at(5, error), name="it").collect(),
    "filter": lambda stream, error: stream.filter(raise_at(5, error), name="it").collect(),
    "flat_map": lambda stream, error: stream.flat_map(raise_at(5, error, lambda v: [v]), name="it").collect(),
    "sink": lambda stream, error: stream.sink(raise_at(5, error), name="it"),
    "reduce": reduced,
    "keyed reduce": reduced_by_key,
    "function": lambda stream, error: stream.map(Fails(error), name="it").collect(),
    "keyed function": lambda stream, error: stream.key_by(bool).map(Fails(error), name="it").collect(),
    "key function": lambda stream, error: stream.map(abs, name="it").key_by(raise_at(5, error)).map(abs).collect(),
}


@every_pair_of(place=PLACES, error=ERRORS, capacity=(1, 1024))
def test_an_error_of_any_kind_fails_the_job_and_names_task_and_packet(
    make_session: MakeSession, error: BaseException, place: Build, capacity: int
) -> None:
    session = make_session(capacity=capacity)
    place(session.source(range(1000)), error)
    with pytest.raises(runtime.TaskFailed, match=r"task 'it' failed on packet 5: ") as caught:
        session.run(PATIENCE_S)
    assert caught.value.__cause__ is error
    assert (caught.value.task, caught.value.packet) == ("it", 5)
    assert type(error).__name__ in str(caught.value)
    outcome = session.outcome
    assert outcome is not None
    assert caught.value.outcome is outcome
    assert (outcome.state, session.status, outcome.errors) == ("failed", "failed", 1)
    assert session.snapshot()["it"].ending == "failed"
    assert sorted(outcome.order) == sorted(session.snapshot().tasks)
    with pytest.raises(runtime.TaskFailed):
        session.wait()


class FailsAt(runtime.Function[int, int]):
    def __init__(self, where: str, error: BaseException) -> None:
        self.where = where
        self.error: Callable[[], BaseException] = lambda: error  # the very one, whatever is copied

    def at(self, where: str) -> None:
        if where == self.where:
            raise self.error()

    def open(self, ctx: Any) -> None:
        self.at("open")

    def process(self, value: int, /) -> int:
        return value

    def finish(self) -> list[int]:
        self.at("finish")
        return []

    def close(self) -> None:
        self.at("close")


@every_pair_of(error=ERRORS, where=("open", "finish", "close"))
def test_an_error_outside_of_packets_fails_the_job_and_names_no_packet(
    make_session: MakeSession, error: BaseException, where: str
) -> None:
    session = make_session(capacity=2)
    session.source(range(100)).map(FailsAt(where, error), name="it").collect()
    with pytest.raises(runtime.TaskFailed, match=r"^task 'it' failed: ") as caught:
        session.run(PATIENCE_S)
    assert caught.value.__cause__ is error
    assert caught.value.packet is runtime.NO_PACKET


@every_pair_of(
    # A StopIteration says that an iterator has ended.
    error={name: error for name, error in ERRORS.items() if name != "StopIteration"},
    after=(0, 1, 50),
    form=("callable", "iterator", "function"),
)
def test_an_error_of_a_source_fails_the_job(
    make_session: MakeSession, error: BaseException, after: int, form: str
) -> None:
    class Numbers:
        def __init__(self) -> None:
            self.left = after

        def __iter__(self) -> Numbers:
            return self

        def __next__(self) -> int:
            self.left -= 1
            if self.left < 0:
                raise error
            return self.left

    class Source(runtime.SourceFunction[int]):
        def run(self) -> Iterator[int]:
            return Numbers()

    sources: dict[str, Any] = {"callable": Numbers, "iterator": Numbers(), "function": Source()}
    session = make_session(capacity=2)
    result = session.source(sources[form], name="numbers").map(abs).collect()
    with pytest.raises(runtime.TaskFailed, match=r"^task 'numbers' failed: ") as caught:
        session.run(PATIENCE_S)
    assert caught.value.__cause__ is error
    assert list(result) == list(range(after))[::-1][: len(result)]


@every_error
def test_an_error_of_a_sources_callable_fails_the_job(make_session: MakeSession, error: BaseException) -> None:
    def numbers() -> list[int]:
        raise error

    session = make_session()
    session.source(numbers, name="numbers").collect()
    with pytest.raises(runtime.TaskFailed, match=r"^task 'numbers' failed: ") as caught:
        session.run(PATIENCE_S)
    assert caught.value.__cause__ is error


def test_a_stop_iteration_in_a_generator_source_is_an_error(make_session: MakeSession) -> None:
    def numbers() -> Iterator[int]:
        yield 1
        raise StopIteration  # noqa: PLR1708  the mistake that is tested

    session = make_session()
    session.source(numbers, name="numbers").collect()
    with pytest.raises(runtime.TaskFailed, match="'numbers' failed: RuntimeError: generator raised StopIteration"):
        session.run(PATIENCE_S)


@pytest.mark.parametrize("place", ["source", "map", "sink"])
@pytest.mark.parametrize("capacity", [1, 3])
def test_user_code_that_raises_what_ends_a_task_does_not_hang_the_job(
    make_session: MakeSession, place: str, capacity: int
) -> None:
    """`Cancelled` is for the runtime to raise; from user code it must still not leave anybody waiting for ever."""

    def at(where: str) -> Callable[[int], int]:
        return raise_at(5, runtime.Cancelled("from user code")) if where == place else lambda value: value

    source, function, sink = at("source"), at("map"), at("sink")
    session = make_session(capacity=capacity)
    session.source(source(number) for number in range(1000)).map(function).sink(sink)
    session.start()
    with contextlib.suppress(runtime.TaskFailed):
        session.wait(PATIENCE_S)
    assert session.status in ("cancelled", "failed")


@pytest.mark.parametrize("bad", [3, None, object()], ids=["3", "None", "object"])
def test_a_callable_source_that_returns_no_iterable_fails_the_job(make_session: MakeSession, bad: Any) -> None:
    session = make_session()
    session.source(lambda: bad, name="numbers").collect()
    with pytest.raises(runtime.TaskFailed, match=r"'numbers' failed: TypeError: .*(not iterable|returned None)"):
        session.run(PATIENCE_S)


def test_a_flat_map_that_returns_no_iterable_fails_the_job(make_session: MakeSession) -> None:
    session = make_session()
    wrong: Any = lambda value: value  # noqa: E731
    session.source([7]).flat_map(wrong, name="it").collect()
    with pytest.raises(runtime.TaskFailed, match="'it' failed on packet 7: TypeError"):
        session.run(PATIENCE_S)


@pytest.mark.parametrize("position", [0, 1, 57, 998])
def test_the_packet_that_failed_is_named_in_the_middle_of_a_batch(make_session: MakeSession, position: int) -> None:
    session = make_session()
    result = session.source(range(1000)).map(raise_at(position, ValueError("no good")), name="it").collect()
    with pytest.raises(runtime.TaskFailed, match=f"'it' failed on packet {position}: ValueError: no good"):
        session.run(PATIENCE_S)
    assert list(result) == list(range(position))[: len(result)]


def test_what_a_failure_leaves_unprocessed_is_counted(make_session: MakeSession) -> None:
    session = make_session(capacity=3)
    session.source(count()).map(raise_at(50, ValueError("no good"))).sink(lambda _: None)
    with pytest.raises(runtime.TaskFailed) as caught:
        session.run(PATIENCE_S)
    outcome = caught.value.outcome
    assert outcome is not None
    assert outcome.packets_in == outcome.packets_out + outcome.dropped + 1  # and the packet at fault


@pytest.mark.concurrent
def test_the_first_of_several_failures_is_the_one_that_is_told(make_session: MakeSession) -> None:
    session = make_session()
    hold = Hold[int]()

    def fail_late(value: int) -> int:
        hold(value)
        raise ValueError("second")

    session.source([1]).map(fail_late, name="late").collect()
    failing = session.source([1])

    def fail_first(value: int) -> int:
        hold.reached.wait()
        raise ValueError("first")

    failing.map(fail_first, name="first").collect()
    session.start()
    hold.reached.wait()
    with pytest.raises(TimeoutError, match=r"still runs after 0\.2 s \(late\)"):
        session.wait(0.2)
    hold.release()
    with pytest.raises(runtime.TaskFailed, match="'first' failed on packet 1: ValueError: first"):
        session.wait(PATIENCE_S)
    assert session.outcome is not None
    assert session.outcome.errors == 2


class Unshowable(Exception):
    """An error that breaks whoever wants to show it."""

    def __str__(self) -> str:
        raise SystemExit("str")

    def __repr__(self) -> str:
        raise SystemExit("repr")


class Argumentless(Exception):
    @property
    def args(self) -> Any:  # type: ignore[override]
        raise ZeroDivisionError("args")


@pytest.mark.parametrize("error", [Unshowable("x"), Argumentless()], ids=lambda error: type(error).__name__)
def test_an_error_that_cannot_be_shown_still_fails_the_job(make_session: MakeSession, error: Exception) -> None:
    session = make_session()
    session.source([7]).map(raise_at(7, error), name="it").collect()
    session.start()
    with pytest.raises(runtime.TaskFailed, match=f"task 'it' failed on packet 7: {type(error).__name__}") as caught:
        session.wait(PATIENCE_S)
    assert caught.value.__cause__ is error


def test_the_job_runs_again_after_a_failure(make_session: MakeSession, platform: Platform) -> None:
    failed = platform.log()

    def fail_once(value: int) -> int:
        if not failed:
            failed.append(value)
            raise OSError("first time")
        return value

    session = make_session()
    result = session.source([1, 2, 3]).map(fail_once).collect()
    with pytest.raises(runtime.TaskFailed):
        session.run(PATIENCE_S)
    assert session.run(PATIENCE_S).state == "completed"
    assert list(result) == [1, 2, 3]


def test_an_error_in_close_is_told_beside_the_one_before_it(make_session: MakeSession) -> None:
    class Both(runtime.Function[int, int]):
        def process(self, value: int, /) -> int:
            raise ValueError("in process")

        def close(self) -> None:
            raise OSError("in close")

    session = make_session()
    session.source([7]).map(Both(), name="it").collect()
    with pytest.raises(runtime.TaskFailed, match="ValueError: in process"):
        session.run(PATIENCE_S)
    assert [event.text for event in session.events if event.kind == "warning"] == ["close() raised OSError as well"]
