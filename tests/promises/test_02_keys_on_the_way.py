"""Keys on their way: filter passes them on; where they end and would be missed, that is said by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import runtime
from runtime.testing import PATIENCE_S
from tests.platforms import MakeSession

WORDS = ["to", "be", "or", "not", "to", "be", "that", "is"]


class WithKey(runtime.Function[str, tuple[int, str]]):
    def process(self, value: str, /) -> tuple[int, str]:
        return self.ctx.index, self.ctx.key


@pytest.mark.parametrize("on_error", ["fail", "skip"])
@pytest.mark.parametrize("instances", [1, 3])
def test_filter_passes_keys_on(make_session: MakeSession, instances: int, on_error: runtime.OnError) -> None:
    session = make_session(on_error=on_error)
    words = session.source(WORDS).key_by(str.upper).filter(lambda word: word != "or", parallelism=instances)
    counts = words.filter(str.isalpha).reduce(lambda count, _: count + 1, initial=0, emit="end", parallelism=instances)
    result, seen = counts.collect(), words.map(WithKey(), parallelism=instances).collect()
    session.run(PATIENCE_S)
    assert sorted(result) == [("BE", 2), ("IS", 1), ("NOT", 1), ("THAT", 1), ("TO", 2)]
    assert sorted(key for _, key in seen) == sorted(word.upper() for word in WORDS if word != "or")
    assert len(set(seen)) == 5  # equal keys in one instance


def test_filtered_streams_can_be_joined_and_united(make_session: MakeSession) -> None:
    session = make_session()
    left, right = (session.source(WORDS).key_by(str.upper).filter(lambda word: word in "to be") for _ in range(2))
    pairs = left.join(right, lambda one, other: one + other, parallelism=2).collect()
    states = left.union(right).map(WithKey(), parallelism=2).collect()
    session.run(PATIENCE_S)
    assert sorted(pairs) == ["bebe"] * 4 + ["toto"] * 4
    assert len(set(states)) == 2


def test_what_the_hand_puts_behind_a_filter_gets_its_key(make_session: MakeSession) -> None:
    session = make_session()
    kept = session.input("in").key_by(str.upper).filter(bool, name="kept")
    result = kept.map(WithKey(), name="seen", parallelism=2).collect()
    session.start()
    session.inject("seen", "be")
    session.send("in", "be")
    session.end("in")
    session.wait(PATIENCE_S)
    assert len(set(result)) == 1


Build = Callable[[runtime.Stream[Any], runtime.Stream[Any]], Any]


def keyed(stream: runtime.Stream[Any]) -> runtime.KeyedStream[Any, Any]:
    return stream.key_by(str.upper)


LOST: dict[str, Build] = {
    "reduce behind map": lambda a, b: keyed(a).map(str.lower, name="it").reduce(max),
    "reduce behind flat_map": lambda a, b: keyed(a).flat_map(list, name="it").reduce(max),
    "reduce behind take": lambda a, b: keyed(a).take(5, name="it").reduce(max),
    "reduce behind a join": lambda a, b: keyed(a).join(keyed(b), max, name="it").reduce(max),
    "reduce behind both": lambda a, b: keyed(a).connect(keyed(b)).map(str.lower, str.lower, name="it").reduce(max),
    "reduce behind a union": lambda a, b: b.union(keyed(a).map(str.lower, name="it")).reduce(max),
    "join behind map": lambda a, b: keyed(a).map(str.lower, name="it").join(keyed(b), max),
    "join with map": lambda a, b: keyed(b).join(keyed(a).map(str.lower, name="it"), max),  # type: ignore[call-overload]
    "connect behind map": lambda a, b: keyed(a).map(str.lower, name="it").connect(b),
    "connect with map": lambda a, b: b.connect(keyed(a).map(str.lower, name="it")),
    "connect of a keyed one with map": lambda a, b: keyed(b).connect(keyed(a).map(str.lower, name="it")),
    "filter of two key functions": lambda a, b: (
        keyed(a).union(b.key_by(str.lower)).filter(bool, name="it").reduce(max, initial="")
    ),
}


@pytest.mark.parametrize("build", LOST.values(), ids=LOST)
def test_where_keys_have_ended_and_would_be_missed_it_is_said_by_name(unstarted: runtime.Session, build: Build) -> None:
    with pytest.raises(runtime.GraphInvalid, match=r"keys|those of 'it'") as caught:
        build(unstarted.source(WORDS), unstarted.source(WORDS))
    caught.match("end at 'it', which sends packets of its own; call key_by after it")


def test_one_fold_of_all_can_be_meant_and_a_new_key_too(make_session: MakeSession) -> None:
    session = make_session()
    lengths = session.source(WORDS).key_by(str.upper).map(len, parallelism=2)
    total = lengths.round_robin().reduce(lambda a, b: a + b, emit="end").collect()
    counts = lengths.key_by(int).reduce(lambda n, _: n + 1, initial=0, emit="end")
    most, each = counts.reduce(max, emit="end").collect(), counts.collect()
    session.run(PATIENCE_S)
    assert list(total) == [sum(map(len, WORDS))]
    assert list(most) == [max(each)]
