"""Promise 10 where two streams meet: what cannot work is refused by name, of either stream and either function."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from typing import Any

import pytest

import runtime
from runtime.graph import CoFunctions, Edge, OperatorNode, validate
from runtime.operators import Map, register_operator
from tests.promises.test_10_refusals import (
    AWAITS_NOTHING,
    AsyncProcess,
    Good,
    Misuse,
    Refused,
    Uncopyable,
    coroutine,
    coroutines,
    numbers,
    other_session,
)


def connected(session: runtime.Session) -> runtime.ConnectedStreams[int, int]:
    return numbers(session).connect(session.source([3], name="others"))


def keyed(session: runtime.Session, name: str = "numbers") -> runtime.KeyedStream[int, int]:
    return session.source([1, 2], name=name).key_by(abs)


def either(first_or_second: Any, **settings: Any) -> tuple[Misuse, Misuse]:
    """A map with a wrong function for the one input, and for the other."""
    return (
        lambda s: connected(s).map(first_or_second, abs, name="m", **settings).collect(),
        lambda s: connected(s).map(abs, first_or_second, name="m", **settings).collect(),
    )


BUILDING: dict[str, tuple[tuple[Misuse, ...], Refused, tuple[str, ...]]] = {
    "connect with no stream": (
        (lambda s: numbers(s).connect([1]),),  # type: ignore[arg-type]
        runtime.GraphInvalid,
        (r"connect takes streams, not \[1\]",),
    ),
    "connect with another session": (
        (lambda s: numbers(s).connect(other_session()),),
        runtime.GraphInvalid,
        ("connect of streams of 'test' and of 'other'",),
    ),
    "connect of keyed and not": (
        (
            lambda s: keyed(s).connect(s.source([1], name="plain")),
            lambda s: s.source([1], name="plain").connect(keyed(s)),
        ),
        runtime.GraphInvalid,
        ("'numbers', which is keyed, and 'plain', which is not", "call key_by on both, or on neither"),
    ),
    "join with no stream": (
        (lambda s: keyed(s).join([1], max),),  # type: ignore[call-overload]
        runtime.GraphInvalid,
        (r"join takes streams, not \[1\]",),
    ),
    "join with another session": (
        (lambda s: keyed(s).join(other_session().key_by(abs), max),),
        runtime.GraphInvalid,
        ("join of streams of 'test' and of 'other'",),
    ),
    "join without keys": (
        (
            lambda s: keyed(s).join(s.source([1], name="plain"), max),  # type: ignore[call-overload]
            lambda s: s.source([1], name="plain").join(keyed(s), max),
        ),
        runtime.GraphInvalid,
        ("join needs keys on both sides, and 'plain' has none", "call key_by on it"),
    ),
    "join to the right": (
        (lambda s: keyed(s).join(keyed(s, "others"), max, "right"),),  # type: ignore[call-overload]
        runtime.GraphInvalid,
        ("how of join is 'right'", "'inner', 'left' or 'outer'", "exchange the two streams"),
    ),
    "join with no function": (
        (lambda s: keyed(s).join(keyed(s, "others"), None),),  # type: ignore[call-overload]
        runtime.GraphInvalid,
        ("join needs a function, not None",),
    ),
    "no function": (either(3), runtime.GraphInvalid, ("co_map needs a function, not 3",)),
    "class for an object": (either(Good), runtime.GraphInvalid, ("Good is a class", r"an object of it: Good\(")),
    "async": (either(coroutine), runtime.AsyncRefused, ("'m'", *AWAITS_NOTHING)),
    "async generator": (either(coroutines), runtime.AsyncRefused, ("'m'", *AWAITS_NOTHING)),
    "async partial": (either(functools.partial(coroutine, 1)), runtime.AsyncRefused, ("'m'", *AWAITS_NOTHING)),
    "async Function": (either(AsyncProcess()), runtime.AsyncRefused, ("'m'", *AWAITS_NOTHING)),
}


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize(("misuses", "error", "says"), BUILDING.values(), ids=BUILDING)
def test_misuse_of_two_streams_is_refused_while_the_graph_is_built(
    unstarted: runtime.Session, which: int, misuses: tuple[Misuse, ...], error: Refused, says: tuple[str, ...]
) -> None:
    with pytest.raises(error) as caught:
        misuses[which % len(misuses)](unstarted)
    for words in says:
        caught.match(words)


@pytest.mark.parametrize("misuse", either(Uncopyable(), parallelism=2), ids=["first", "second"])
def test_either_function_that_cannot_be_copied_is_refused_at_the_start(
    session: runtime.Session, misuse: Misuse
) -> None:
    misuse(session)
    before = threading.active_count()
    with pytest.raises(runtime.NotCopyable, match=r"'m' has parallelism 2.* a copy of its Uncopyable.* in open\(\)"):
        session.start()
    assert (session.status, threading.active_count()) == ("new", before)


def test_streams_of_which_some_are_keyed_are_refused_on_either_side(session: runtime.Session) -> None:
    half = runtime.Stream.union(keyed(session), session.source([3], name="plain"))
    half.connect(session.source([4])).map(abs, abs, name="m").collect()
    with pytest.raises(runtime.GraphInvalid, match="inputs of 'm' are keyed"):
        session.start()


HAND_WRITTEN: dict[str, tuple[Callable[[runtime.Environment], object], str]] = {
    "two functions, one input": (
        lambda e: e.add("co_map", CoFunctions(abs, abs), e.source([1])._ends, name="m"),
        "co_map 'm' has several inputs, and edges lead to input 0 of it",
    ),
    "a join of one input": (
        lambda e: e.add("join", max, e.source([1]).key_by(abs)._ends, name="m"),
        "join 'm' has several inputs, and edges lead to input 0 of it",
    ),
    "a kind with one input, connected": (
        lambda e: e.source([1]).connect(e.source([2]))._both._then("one-input", abs, name="m"),
        "one-input 'm' has one input, and edges lead to input 0, input 1 of it",
    ),
}

register_operator("one-input", Map)


@pytest.mark.parametrize(("write", "says"), HAND_WRITTEN.values(), ids=HAND_WRITTEN)
def test_an_operator_with_more_or_fewer_inputs_than_it_works_is_refused(
    session: runtime.Session, write: Callable[[runtime.Environment], object], says: str
) -> None:
    environment = session._environment
    write(environment)
    runtime.Stream(environment, (runtime.builder.stream.OutputRef("m"),)).collect()
    with pytest.raises(runtime.GraphInvalid, match=says):
        session.start()


def test_inputs_are_numbered_from_zero() -> None:
    operators = (OperatorNode("s", "source"), OperatorNode("c", "collect"))
    with pytest.raises(runtime.GraphInvalid, match="nothing feeds input 0 of 'c'"):
        validate(runtime.ExecutionGraph("wrong", operators, (Edge("s", "c", input=1),)))
