"""Promise 2: order per producer and consumer, and so per key; equal keys meet, everywhere and always."""

from __future__ import annotations

import datetime
import os
import subprocess
import sys
import weakref
import zoneinfo
from collections import defaultdict
from collections.abc import Callable, Iterator
from itertools import chain, pairwise
from typing import Any

import pytest

import runtime
from runtime.communication import partition
from runtime.testing import PATIENCE_S
from tests.pairs import every_pair_of
from tests.platforms import MakeSession
from tests.promises.test_01_exact import SIZES, TWO_BY_TWO

PACKETS = 60
FALSY: tuple[Any, ...] = (0, "", False, None, (), b"", 0.0, -0.0, frozenset())

Packet = tuple[int, int]  # producer, number


class Numbered(runtime.SourceFunction[Packet]):
    def run(self) -> Iterator[Packet]:
        for number in range(PACKETS):
            yield self.ctx.index, number


class WithInstance(runtime.Function[Any, tuple[int, Any]]):
    def process(self, value: Any, /) -> tuple[int, Any]:
        return self.ctx.index, value


class WithKey(runtime.Function[Any, tuple[int, Any, Any]]):
    def process(self, value: Any, /) -> tuple[int, Any, Any]:
        return self.ctx.index, self.ctx.key, value


def rising(numbers: list[int]) -> bool:
    return all(before < after for before, after in pairwise(numbers))


@every_pair_of(**SIZES, remote=TWO_BY_TWO)
def test_order_holds_per_producer_and_consumer(
    make_session: MakeSession, producers: int, consumers: int, capacity: int
) -> None:
    session = make_session(capacity=capacity)
    source = session.source(Numbered(), parallelism=producers)
    result = source.map(WithInstance(), parallelism=consumers).collect()
    session.run(PATIENCE_S)
    seen: dict[tuple[int, int], list[int]] = defaultdict(list)
    for consumer, (producer, number) in result:
        seen[producer, consumer].append(number)
    assert len(result) == producers * PACKETS
    assert all(rising(numbers) for numbers in seen.values())


@every_pair_of(**SIZES)
def test_order_holds_per_key_of_one_producer_and_each_key_has_one_instance(
    make_session: MakeSession, producers: int, consumers: int, capacity: int
) -> None:
    session = make_session(capacity=capacity)
    source = session.source(Numbered(), parallelism=producers)
    result = source.key_by(lambda packet: packet[1] % 5).map(WithKey(), parallelism=consumers).collect()
    session.run(PATIENCE_S)
    seen: dict[tuple[int, int], list[int]] = defaultdict(list)
    instances: dict[int, set[int]] = defaultdict(set)
    for consumer, key, (producer, number) in result:
        assert key == number % 5
        seen[producer, key].append(number)
        instances[key].add(consumer)
    assert seen == {(p, k): list(range(k, PACKETS, 5)) for p in range(producers) for k in range(5)}
    assert all(len(consumers_of_key) == 1 for consumers_of_key in instances.values())


def test_order_holds_through_every_kind_of_operator(make_session: MakeSession) -> None:
    session = make_session(capacity=3)
    stream = session.source(range(200)).map(lambda value: value).filter(lambda value: value % 3)
    many = stream.flat_map(lambda value: (value * 2, value * 2 + 1))
    result = many.reduce(lambda _, value: value, initial=None).take(200).collect()
    session.run(PATIENCE_S)
    assert list(result) == [value * 2 + more for value in range(200) if value % 3 for more in (0, 1)][:200]


@every_pair_of(key={repr(key): key for key in FALSY}, instances=(1, 2, 3))
def test_a_falsy_key_is_a_key(make_session: MakeSession, key: Any, instances: int) -> None:
    session = make_session()
    source = session.source(range(30), parallelism=3)
    keyed = source.key_by(lambda _: key)
    result = keyed.map(WithKey(), parallelism=instances).collect()
    counts = keyed.reduce(lambda count, _: count + 1, initial=0, emit="end", parallelism=instances).collect()
    session.run(PATIENCE_S)
    assert len({instance for instance, _, _ in result}) == 1
    assert all(seen == key and type(seen) is type(key) for _, seen, _ in result)
    assert list(counts) == [(key, 30)]


def test_different_falsy_keys_have_states_of_their_own(make_session: MakeSession) -> None:
    class Count(runtime.Function[Any, tuple[Any, int]]):
        def process(self, value: Any, /) -> tuple[Any, int]:
            self.ctx.state["seen"] = self.ctx.state.get("seen", 0) + 1
            return value, self.ctx.state["seen"]

    session = make_session()
    keys = ["", None, (), b"", 0, "", None, (), b"", False]
    result = session.source(keys).key_by(lambda value: value).map(Count()).collect()
    session.run(PATIENCE_S)
    assert list(result) == [(key, 1 + (place >= 5)) for place, key in enumerate(keys)]


@pytest.mark.parametrize("equal", [(1, 1.0, True), (0, -0.0, False), ((1, 0.0), (True, 0))], ids=repr)
def test_equal_keys_of_different_types_meet(make_session: MakeSession, equal: tuple[Any, ...]) -> None:
    session = make_session()
    result = session.source(equal * 4).key_by(lambda value: value).map(WithKey(), parallelism=3).collect()
    session.run(PATIENCE_S)
    assert len(result) == 4 * len(equal)
    assert len({instance for instance, _, _ in result}) == 1


BERLIN = zoneinfo.ZoneInfo("Europe/Berlin")
HOURS = [datetime.datetime(2023, 10, 29, 2, 30, tzinfo=BERLIN), datetime.datetime(2023, 3, 26, 2, 30, tzinfo=BERLIN)]


@pytest.mark.parametrize("hour", HOURS, ids=["that comes twice", "that never comes"])
@pytest.mark.parametrize(
    "wrap",
    [lambda key: key, lambda key: (1, key), lambda key: frozenset([key])],
    ids=["bare", "in a tuple", "in a set"],
)
def test_equal_moments_meet_whatever_their_fold(
    make_session: MakeSession, hour: datetime.datetime, wrap: Callable[[Any], Any]
) -> None:
    session = make_session()
    left = session.source([hour]).key_by(wrap)
    right = session.source([hour.replace(fold=1)]).key_by(wrap)
    pairs = left.join(right, lambda one, other: (one.fold, other.fold), parallelism=4).collect()
    session.run(PATIENCE_S)
    assert list(pairs) == [(0, 1)]


class Folded(str):
    """A text that equals itself in any case."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, str) and self.casefold() == other.casefold()

    def __hash__(self) -> int:
        return hash(self.casefold())


@pytest.mark.parametrize("others", [0, 6_000], ids=["at once", "after more than are remembered"])
@pytest.mark.parametrize("instances", [1, 4])
def test_a_key_that_says_itself_what_it_equals_is_refused_with_the_fix(
    make_session: MakeSession, monkeypatch: pytest.MonkeyPatch, instances: int, others: int
) -> None:
    monkeypatch.setattr(partition, "MOST_KEYS", 1_000)
    session = make_session()
    words = chain(("ada", "bo"), map(str, range(others)), [Folded("Ada")])
    session.source(words, name="words").key_by(lambda word: word).map(len, parallelism=instances).collect()
    with pytest.raises(runtime.TaskFailed, match="'words' failed on packet") as caught:
        session.run(PATIENCE_S)
    assert isinstance(caught.value.__cause__, runtime.UnstableKey)
    caught.value.__cause__.args[0].index("str.casefold")


class Page(str):
    """A text that can be referred to weakly."""


@pytest.mark.parametrize("on_error", ["fail", "skip"])
@pytest.mark.parametrize("instances", [1, 3])
def test_nothing_remembers_a_key_once_its_session_is_closed(
    make_session: MakeSession, instances: int, on_error: runtime.OnError
) -> None:
    made: list[weakref.ref[Page]] = []

    def page(number: int) -> Page:
        key = Page(number)
        made.append(weakref.ref(key))
        return key

    session = make_session(on_error=on_error)
    session.source(range(20)).key_by(page).map(abs, parallelism=instances).sink(abs)
    session.run(PATIENCE_S)
    session.close()
    assert len(made) == 20
    assert not [key for ref in made if (key := ref()) is not None]


def test_many_keys_are_spread_over_all_instances(make_session: MakeSession) -> None:
    session = make_session()
    source = session.source([f"key {number}" for number in range(300)])
    result = source.key_by(lambda value: value).map(WithKey(), parallelism=3).collect()
    session.run(PATIENCE_S)
    counts = [sum(instance == wanted for instance, _, _ in result) for wanted in range(3)]
    assert min(counts) > 300 / 3 / 2


DIGESTS = """
import datetime, decimal, enum, fractions, uuid
from runtime.communication.digest import stable_digest

class Color(enum.Enum):
    RED = "red"

keys = [
    0, 1, -1, 2**80, 1.5, "", "be", "ü", "\\ud800", b"", b"be", None, (), (1, ("a", None)), Color.RED, 1 + 2j,
    decimal.Decimal("1.5"), fractions.Fraction(1, 3), uuid.UUID(int=5), frozenset(["a", "b", "c", 1]),
    datetime.date(2024, 2, 29), datetime.datetime(2024, 2, 29, 1), datetime.time(1, 2), datetime.timedelta(1),
]
print([stable_digest(key) for key in keys])
"""


def test_equal_keys_have_equal_digests_in_every_process() -> None:
    printed = set()
    for seed in ("0", "1", "4242"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        run = subprocess.run(
            [sys.executable, "-c", DIGESTS], env=environment, capture_output=True, text=True, check=True, timeout=60
        )
        printed.add(run.stdout)
    assert len(printed) == 1


RUN = """
import runtime

class WithInstance(runtime.Function):
    def process(self, value):
        return value, self.ctx.index

with runtime.Session() as session:
    words = session.source("to be or not to be that is the question".split())
    result = words.key_by(str.upper).map(WithInstance(), parallelism=3).collect()
    session.run(20)
print(sorted(result))
"""


def test_a_key_meets_the_same_instance_in_every_run_of_every_process() -> None:
    printed = set()
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        run = subprocess.run(
            [sys.executable, "-c", RUN], env=environment, capture_output=True, text=True, check=True, timeout=60
        )
        printed.add(run.stdout)
    assert len(printed) == 1


class Own:
    pass


NAN = float("nan")


@pytest.mark.parametrize(
    ("key", "fix"),
    [
        (NAN, "map it to None or to a text"),
        ((1, NAN), "map it to None or to a text"),
        (complex(NAN, 0), "map it to None or to a text"),
        ([1, 2], "let the key function return"),
        ({"a": 1}, "let the key function return"),
        ({1}, "let the key function return"),
        (object(), "let the key function return"),
        (Own(), "let the key function return"),
        (("a", [1]), "let the key function return"),
        (len, "let the key function return"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
@pytest.mark.parametrize("instances", [1, 3])
def test_a_key_without_a_stable_digest_is_refused_with_the_fix(
    make_session: MakeSession, key: Any, fix: str, instances: int
) -> None:
    session = make_session()
    session.source([7], name="numbers").key_by(lambda _: key).map(str, parallelism=instances).collect()
    with pytest.raises(runtime.TaskFailed, match="'numbers' failed on packet 7") as caught:
        session.run(PATIENCE_S)
    cause = caught.value.__cause__
    assert isinstance(cause, runtime.UnstableKey)
    assert fix in str(cause)
