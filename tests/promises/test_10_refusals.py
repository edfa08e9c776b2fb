"""Promise 10: misuse is refused before anything runs, by name and with the likely fix."""

from __future__ import annotations

import functools
import threading
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

import runtime
from runtime.builder.not_yet import NOT_YET
from runtime.factory import register_backend
from runtime.graph import Edge, OperatorNode, validate
from runtime.operators import Filter, register_operator
from runtime.testing import PATIENCE_S
from sage_nb.plan import plan_of
from tests.platforms import MakeSession, Platform

Refused = type[runtime.DataflowError]


async def coroutine(value: int) -> int:
    return value


async def coroutines(value: int) -> AsyncIterator[int]:
    yield value


class AsyncCall:
    async def __call__(self, value: int) -> int:
        return value


class AsyncProcess(runtime.Function[int, Any]):
    async def process(self, value: int, /) -> int:
        return value


class Good(runtime.Function[int, int]):
    def process(self, value: int, /) -> int:
        return value


class GoodSource(runtime.SourceFunction[int]):
    def run(self) -> Any:
        return iter(())


class Uncopyable(Good):
    def __init__(self) -> None:
        self.lock = threading.Lock()


class UncopyableSource(GoodSource):
    def __init__(self) -> None:
        self.lock = threading.Lock()


def numbers(session: runtime.Session) -> runtime.Stream[int]:
    return session.source([1, 2], name="numbers")


def other_session() -> runtime.Stream[int]:
    return runtime.Environment("other").source([1])


def stop_short(session: runtime.Session) -> None:
    numbers(session).map(abs, name="absolute")


def half_keyed(session: runtime.Session) -> None:
    keyed = numbers(session).key_by(abs)
    runtime.Stream.union(keyed, session.source([3], name="plain")).map(abs, name="m").collect()


Misuse = Callable[[runtime.Session], object]

AWAITS_NOTHING = (r"is an `async def`", r"make it a plain `def`")

# What is done, the error's class, and what its message says: the name and the fix.
BUILDING: dict[str, tuple[Misuse, Refused, tuple[str, ...]]] = {
    "name taken": (
        lambda s: numbers(s).map(abs, name="numbers"),
        runtime.DuplicateName,
        ("operator 'numbers' already", "another name="),
    ),
    "name empty": (
        lambda s: numbers(s).map(abs, name=""),
        runtime.GraphInvalid,
        ("''", "use printable text without '#'"),
    ),
    "name blank": (
        lambda s: numbers(s).map(abs, name=" "),
        runtime.GraphInvalid,
        ("' '", "use printable text without '#'"),
    ),
    "name with a joiner that joins nothing to be seen": (
        lambda s: numbers(s).map(abs, name="a\u200db"),
        runtime.GraphInvalid,
        (r"'a\\u200db'", "use printable text"),
    ),
    "name like a task's": (
        lambda s: numbers(s).map(abs, name="m#1"),
        runtime.GraphInvalid,
        ("'m#1'", "use printable text without '#'"),
    ),
    "name unprintable": (
        lambda s: numbers(s).map(abs, name="a\nb"),
        runtime.GraphInvalid,
        (r"'a\\nb'", "use printable text"),
    ),
    "name no text": (lambda s: numbers(s).map(abs, name=3), runtime.GraphInvalid, ("3", "use printable text")),  # type: ignore[call-overload]
    "capacity 0": (
        lambda s: numbers(s).map(abs, name="m", capacity=0),
        runtime.GraphInvalid,
        ("capacity of 'm' is 0", "at least 1"),
    ),
    "capacity negative": (
        lambda s: s.input("in", capacity=-1),
        runtime.GraphInvalid,
        ("capacity of 'in' is -1", "at least 1"),
    ),
    "capacity fraction": (
        lambda s: numbers(s).map(abs, name="m", capacity=1.5),  # type: ignore[call-overload]
        runtime.GraphInvalid,
        ("capacity of 'm' is 1.5", "whole number"),
    ),
    "capacity True": (
        lambda s: numbers(s).map(abs, name="m", capacity=True),
        runtime.GraphInvalid,
        ("capacity of 'm' is True", "whole number"),
    ),
    "parallelism 0": (
        lambda s: numbers(s).map(abs, name="m", parallelism=0),
        runtime.GraphInvalid,
        ("parallelism of 'm' is 0", "at least 1"),
    ),
    "policy unknown": (
        lambda s: numbers(s).map(abs, name="m", on_error="ignore"),  # type: ignore[call-overload]
        runtime.GraphInvalid,
        ("on_error of 'm' is 'ignore'", "can be 'fail'"),
    ),
    "async reduce": (
        lambda s: numbers(s).reduce(AsyncCall(), name="m"),  # type: ignore[arg-type,misc]
        runtime.AsyncRefused,
        ("'m'", *AWAITS_NOTHING),
    ),
    "async function of two streams": (
        lambda s: numbers(s).connect(s.source([3])).map(abs, coroutine, name="m"),
        runtime.AsyncRefused,
        ("'m'", *AWAITS_NOTHING),
    ),
    "async partial of two streams": (
        lambda s: numbers(s).connect(s.source([3])).map(functools.partial(coroutine, 1), abs, name="m"),
        runtime.AsyncRefused,
        ("'m'", *AWAITS_NOTHING),
    ),
    "async object of two streams": (
        lambda s: numbers(s).connect(s.source([3])).map(AsyncCall(), abs, name="m"),
        runtime.AsyncRefused,
        ("'m'", *AWAITS_NOTHING),
    ),
    "async Function of two streams": (
        lambda s: numbers(s).connect(s.source([3])).map(AsyncProcess(), abs, name="m"),
        runtime.AsyncRefused,
        ("'m'", *AWAITS_NOTHING),
    ),
    "async key function": (lambda s: numbers(s).key_by(coroutine), runtime.AsyncRefused, AWAITS_NOTHING),
    "class for an object": (
        lambda s: numbers(s).map(Good),  # type: ignore[call-overload,arg-type,unused-ignore]
        runtime.GraphInvalid,
        ("Good is a class", r"an object of it: Good\("),
    ),
    "class for a source": (
        lambda s: s.source(GoodSource),  # type: ignore[arg-type]
        runtime.GraphInvalid,
        ("GoodSource is a class", r"an object of it: GoodSource\("),
    ),
    "no function": (
        lambda s: numbers(s).map(3),  # type: ignore[call-overload]
        runtime.GraphInvalid,
        ("map needs a function, not 3",),
    ),
    "no key function": (
        lambda s: numbers(s).key_by("name"),  # type: ignore[arg-type]
        runtime.GraphInvalid,
        ("key_by needs a function, not 'name'",),
    ),
    "no source": (
        lambda s: s.source(3),  # type: ignore[call-overload]
        runtime.GraphInvalid,
        ("3 is no source", "give an iterable, a callable that returns one, or a SourceFunction"),
    ),
    "iterator for many": (
        lambda s: s.source(iter([1]), parallelism=2),
        runtime.GraphInvalid,
        ("by one instance only, not 2", "give a callable"),
    ),
    "take of less than nothing": (lambda s: numbers(s).take(-1), runtime.GraphInvalid, ("at least 0, not -1",)),
    "take of a fraction": (lambda s: numbers(s).take(1.5), runtime.GraphInvalid, ("whole number", "not 1.5")),  # type: ignore[arg-type]
    "collect less than nothing": (
        lambda s: numbers(s).collect(-1),
        runtime.GraphInvalid,
        ("limit of collect", "not -1"),
    ),
    "reduce that emits never": (
        lambda s: numbers(s).reduce(max, emit="never"),  # type: ignore[arg-type]
        runtime.GraphInvalid,
        ("emit of reduce is 'never'", "'each' or 'end'"),
    ),
    "initial that cannot be copied": (
        lambda s: numbers(s).reduce(lambda state, _: state, initial=threading.Lock()),
        runtime.GraphInvalid,
        ("initial of reduce cannot be copied", "each key needs its own"),
    ),
    "union with no stream": (
        lambda s: numbers(s).union([1, 2]),  # type: ignore[arg-type]
        runtime.GraphInvalid,
        (r"union takes streams, not \[1, 2\]",),
    ),
    "union with another session": (
        lambda s: numbers(s).union(other_session()),
        runtime.GraphInvalid,
        ("of 'test' and of 'other'",),
    ),
}


@pytest.mark.parametrize(("misuse", "error", "says"), BUILDING.values(), ids=BUILDING)
def test_misuse_is_refused_while_the_graph_is_built(
    unstarted: runtime.Session, misuse: Misuse, error: Refused, says: tuple[str, ...]
) -> None:
    with pytest.raises(error) as caught:
        misuse(unstarted)
    for words in says:
        caught.match(words)


STARTING: dict[str, tuple[Misuse, Refused, tuple[str, ...]]] = {
    "a stream that nobody consumes": (
        stop_short,
        runtime.UnconsumedStream,
        ("nobody consumes the stream of 'absolute'", r"\.collect\(\) or \.sink\(function\)"),
    ),
    "one input keyed and one not": (
        half_keyed,
        runtime.GraphInvalid,
        ("inputs of 'm' are keyed", "'plain' is not", "key_by after union"),
    ),
    "a Function that cannot be copied": (
        lambda s: numbers(s).map(Uncopyable(), name="m", parallelism=2).collect(),
        runtime.NotCopyable,
        ("'m' has parallelism 2", "Uncopyable", r"open files, locks and connections in open\(\)"),
    ),
    "a SourceFunction that cannot be copied": (
        lambda s: s.source(UncopyableSource(), name="m", parallelism=2).collect(),
        runtime.NotCopyable,
        ("'m' has parallelism 2", r"in open\(\)"),
    ),
}


@pytest.mark.parametrize(("misuse", "error", "says"), STARTING.values(), ids=STARTING)
def test_misuse_is_refused_at_the_start_and_the_graph_can_then_be_mended(
    session: runtime.Session, platform: Platform, misuse: Misuse, error: Refused, says: tuple[str, ...]
) -> None:
    ran = platform.log()
    session.source([1], name="first").sink(ran.append)
    misuse(session)
    before = threading.active_count()
    with pytest.raises(error) as caught:
        session.start()
    for words in says:
        caught.match(words)
    assert (ran, session.status, threading.active_count()) == ([], "new", before)
    session.source([2], name="more").sink(ran.append)  # nothing is frozen


def test_an_unconsumed_stream_can_be_consumed_after_the_refusal(session: runtime.Session) -> None:
    stream = session.source([1, 2])
    with pytest.raises(runtime.UnconsumedStream, match="'source'"):
        session.validate()
    result = stream.collect()
    session.validate()
    session.run(PATIENCE_S)
    assert list(result) == [1, 2]


def chained(stream: runtime.Stream[int]) -> runtime.Stream[int]:
    return stream.map(abs, name="work", chain=True)


def first_free(stream: runtime.Stream[int]) -> runtime.Stream[int]:
    return stream.first_free().map(abs, name="work", parallelism=2)


def as_it_is(stream: runtime.Stream[int]) -> runtime.Stream[int]:
    return stream


@pytest.mark.parametrize("elsewhere", ["remote", "between"])
@pytest.mark.parametrize(
    ("build", "settings", "says"),
    [
        (chained, {}, "'work' has chain=True on platform"),
        (first_free, {}, "first free instance of 'work', and its instances are processes"),
        (as_it_is, {"seed": 7}, "seed 7 cannot order what other processes do"),
    ],
    ids=["chain", "first free", "seed"],
)
def test_what_a_platform_of_processes_refuses_is_known_before_the_start_and_said_beside_run(
    elsewhere: str, build: Callable[[Any], Any], settings: dict[str, Any], says: str
) -> None:
    def written(**settings: Any) -> runtime.Session:
        session = runtime.Session(**settings)
        build(session.input("in")).reply("out")
        return session

    session = written(platform=elsewhere, **settings)
    with pytest.raises(runtime.GraphInvalid, match=says):
        session.validate()
    assert says in plan_of(session, 1)["runnable"]
    if elsewhere == "between":
        with pytest.raises(runtime.GraphInvalid, match=says):
            session.start()
    written(**settings).validate()


SHAPES: dict[str, tuple[tuple[OperatorNode, ...], tuple[Edge, ...], Refused, tuple[str, ...]]] = {
    "a cycle": (
        (OperatorNode("s", "source"), OperatorNode("a", "map"), OperatorNode("b", "map"), OperatorNode("c", "collect")),
        (Edge("s", "a"), Edge("a", "b"), Edge("b", "a"), Edge("b", "c")),
        runtime.CyclicGraph,
        ("'a', 'b'", "feed each other", "session of its own"),
    ),
    "nothing feeds it": ((OperatorNode("a", "sink"),), (), runtime.GraphInvalid, ("nothing feeds 'a'", "a source")),
    "a source that is fed": (
        (OperatorNode("s", "source"), OperatorNode("t", "source"), OperatorNode("c", "collect")),
        (Edge("s", "t"), Edge("t", "c")),
        runtime.GraphInvalid,
        ("'t' is a source and cannot be fed by 's'",),
    ),
    "a sink that feeds": (
        (OperatorNode("s", "source"), OperatorNode("t", "sink"), OperatorNode("c", "collect")),
        (Edge("s", "t"), Edge("t", "c")),
        runtime.GraphInvalid,
        ("'t' is a sink and cannot feed 'c'",),
    ),
    "an edge to nowhere": (
        (OperatorNode("source", "source"),),
        (Edge("source", "sourec"),),
        runtime.UnknownName,
        ("no operator 'sourec'", r"did you mean 'source'\?"),
    ),
    "two of one name": (
        (OperatorNode("s", "source"), OperatorNode("s", "collect")),
        (Edge("s", "s"),),
        runtime.DuplicateName,
        ("2 operators are called 's'", "another name="),
    ),
    "two takes at once": (
        (OperatorNode("t", "take", parallelism=2),),
        (),
        runtime.GraphInvalid,
        ("take 't' cannot have parallelism 2", "use 1"),
    ),
}


@pytest.mark.parametrize(("operators", "edges", "error", "says"), SHAPES.values(), ids=SHAPES)
def test_a_graph_of_a_wrong_shape_is_refused(
    operators: tuple[OperatorNode, ...], edges: tuple[Edge, ...], error: Refused, says: tuple[str, ...]
) -> None:
    with pytest.raises(error) as caught:
        validate(runtime.ExecutionGraph("wrong", operators, edges))
    for words in says:
        caught.match(words)


def test_an_unknown_platform_is_refused_with_the_nearest() -> None:
    with pytest.raises(runtime.UnknownName, match=r"no platform 'locale'; .* \(did you mean 'local'\?\)"):
        runtime.Session(platform="locale")


@pytest.mark.parametrize("capacity", [0, -1, 1.5, "many", None])
def test_a_capacity_that_cannot_be_is_refused_for_the_whole_session(make_session: MakeSession, capacity: Any) -> None:
    with pytest.raises(runtime.GraphInvalid, match="it must be a whole number of at least 1"):
        make_session(capacity=capacity)


def test_an_unknown_policy_is_refused_for_the_whole_session(make_session: MakeSession) -> None:
    with pytest.raises(runtime.GraphInvalid, match="'ignore'; it can be 'fail'"):
        make_session(on_error="ignore")


def test_an_iterator_that_has_been_run_is_refused_by_name(session: runtime.Session) -> None:
    session.source(iter([1, 2]), name="numbers").collect()
    session.run(PATIENCE_S)
    with pytest.raises(runtime.SourceSpent, match=r"the iterator of 'numbers' has been run already .* a callable"):
        session.start()


def test_names_of_backends_and_operator_kinds_are_given_once() -> None:
    with pytest.raises(runtime.GraphInvalid, match="platform 'local' is registered already"):
        register_backend("local", "elsewhere:Backend")
    with pytest.raises(runtime.GraphInvalid, match="operator kind 'map' is registered already"):
        register_operator("map", Filter)


@pytest.mark.parametrize("name", sorted(NOT_YET))
def test_what_other_systems_have_is_refused_by_name_and_with_a_way_round(name: str) -> None:
    with runtime.Session() as session:
        plain = numbers(session)
        for stream in (plain, plain.key_by(abs)):
            with pytest.raises(AttributeError, match=f"'{type(stream).__name__}' .* '{name}': (there|no)"):
                getattr(stream, name)
            assert not hasattr(stream, name)


def test_any_other_slip_in_a_method_is_what_it_is_everywhere() -> None:
    with runtime.Session() as session:
        stream = numbers(session)
        with pytest.raises(AttributeError) as raised:
            stream.mpa(abs)  # type: ignore[attr-defined]
    assert str(raised.value) == "'Stream' object has no attribute 'mpa'"
    assert (raised.value.name, raised.value.obj) == ("mpa", stream), "by which Python finds what may have been meant"


def test_the_old_name_of_an_error_still_catches_it_and_says_the_new_one() -> None:
    for module in (runtime, runtime.errors):
        with pytest.warns(DeprecationWarning, match="AsyncFunction is now .*AsyncRefused") as warned:
            old = module.AsyncFunction
        assert old is runtime.AsyncRefused
        assert warned[0].filename == __file__
        with pytest.raises(AttributeError, match=f"module '{module.__name__}' has no attribute 'AsyncFunktion'"):
            module.AsyncFunktion  # noqa: B018
    assert "AsyncFunction" not in runtime.__all__


def test_every_refusal_is_one_family() -> None:
    assert issubclass(runtime.GraphInvalid, runtime.DataflowError)
    assert issubclass(runtime.GraphInvalid, ValueError)
    assert issubclass(runtime.UnknownName, LookupError)
    assert issubclass(runtime.CommandRefused, RuntimeError)
    assert not issubclass(runtime.Cancelled, Exception)
