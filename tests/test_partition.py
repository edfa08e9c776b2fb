"""Which instance a key belongs to: equal keys have equal digests, whatever their types; the memory of it is bounded."""

from __future__ import annotations

import dataclasses
import datetime
import enum
import uuid
import zoneinfo
from decimal import Decimal
from fractions import Fraction
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

import runtime
from runtime.communication.digest import stable_digest
from runtime.communication.partition import MOST_BYTES, MOST_KEYS, Partition
from runtime.texts.preview import preview

numbers = (
    st.integers()
    | st.floats(allow_nan=False)
    | st.booleans()
    | st.decimals(allow_nan=False)
    | st.fractions()
    | st.complex_numbers(allow_nan=False)
)
simple = numbers | st.text() | st.binary() | st.none() | st.uuids() | st.dates() | st.times() | st.timedeltas()
# Few leaves: deeply nested sets are mostly equal members, and Hypothesis would write them all out for each it drops.
keys = st.recursive(
    simple, lambda inner: st.tuples(inner) | st.tuples(inner, inner) | st.frozensets(inner, max_size=3), max_leaves=6
)


class Text(enum.StrEnum):
    A = "a"


class Number(enum.IntEnum):
    ONE = 1


class Color(enum.Enum):
    RED = 1


class Tint(enum.Enum):
    RED = 1


class Pair(NamedTuple):
    number: int
    text: str


class Flags(frozenset[int], enum.Enum):
    ONE = frozenset([1])


class Day(datetime.date):
    """As those of other libraries: says more, and is equal to the same."""


class PosixLike(PurePosixPath):
    """As above."""


@given(keys)
def test_every_digest_is_a_number_of_32_bits_and_the_same_again(key: Any) -> None:
    assert stable_digest(key) == stable_digest(key)
    assert 0 <= stable_digest(key) < 2**32


@given(st.integers(-(2**60), 2**60))
def test_equal_numbers_of_every_type_have_equal_digests(number: int) -> None:
    for other in (Decimal(number), Fraction(number), complex(number), float(number)):
        if other == number:
            assert stable_digest(other) == stable_digest(number)


@given(st.fractions())
def test_a_fraction_meets_the_float_it_equals(fraction: Fraction) -> None:
    try:
        number = float(fraction)
    except OverflowError:
        return
    if number == fraction:
        assert stable_digest(number) == stable_digest(fraction)


NOON = datetime.datetime(2024, 7, 1, 12, tzinfo=datetime.UTC)
BERLIN = zoneinfo.ZoneInfo("Europe/Berlin")
TWICE = datetime.datetime(2023, 10, 29, 2, 30, tzinfo=BERLIN)  # the clock was put back that night
NEVER = datetime.datetime(2023, 3, 26, 2, 30, tzinfo=BERLIN)  # the clock was put forward
EAST = datetime.timezone(datetime.timedelta(hours=2))


@pytest.mark.parametrize(
    "equal",
    [
        (0, 0.0, -0.0, False, Decimal(0), Fraction(0), 0j, Decimal("-0.00")),
        (1, 1.0, True, Decimal("1.00"), Number.ONE),
        ("a", Text.A),
        (float("inf"), Decimal("Infinity")),
        ((1, "a"), (True, Text.A), (1.0, "a")),
        (frozenset([1, "a"]), frozenset(["a", 1.0])),
        (NOON, NOON.astimezone(EAST)),
        (datetime.time(12, tzinfo=datetime.UTC), datetime.time(14, tzinfo=EAST)),
        (datetime.timedelta(days=1), datetime.timedelta(hours=24)),
        (datetime.datetime(2024, 1, 1, 2), datetime.datetime(2024, 1, 1, 2, fold=1)),
        (Color.RED, Color["RED"]),
        (TWICE, TWICE.replace(fold=1)),
        (NEVER, NEVER.replace(fold=1)),
        ((TWICE, 1), (TWICE.replace(fold=1), True)),
        (frozenset([TWICE]), frozenset([TWICE.replace(fold=1)])),
        (datetime.datetime.min.replace(tzinfo=EAST), datetime.datetime.min.replace(tzinfo=EAST, fold=1)),
        (Pair(1, "a"), (1.0, "a")),
        (frozenset([1]), Flags.ONE),
        (datetime.date(2024, 1, 1), Day(2024, 1, 1)),
        (PurePosixPath("a/b"), PurePosixPath("a//b"), PosixLike("a/./b")),
        (PureWindowsPath("C:/A"), PureWindowsPath("c:\\a")),
        (Decimal("1.50"), Fraction(3, 2), 1.5),
    ],
    # A set's repr is in another order in another process, and all processes of a test run must name a test the same.
    ids=lambda keys: (
        f"a frozenset of {', '.join(sorted(type(key).__name__ for key in keys[0]))}"
        if isinstance(keys[0], frozenset)
        else repr(keys[0])
    ),
)
def test_equal_keys_have_equal_digests(equal: tuple[Any, ...]) -> None:
    assert all(key == equal[0] for key in equal)
    assert len({stable_digest(key) for key in equal}) == 1


def test_different_keys_that_look_alike_have_different_digests() -> None:
    alike = [
        0,
        "",
        b"",
        (),
        frozenset(),
        None,
        "0",
        b"0",
        "None",
        (0,),
        ((),),
        ("",),
        (b"",),
        ("a", "b"),
        ("ab",),
        ("a,b",),
    ]
    alike += [Color.RED, Tint.RED, uuid.UUID(int=0), datetime.date(2024, 1, 1), datetime.datetime(2024, 1, 1, 1)]
    alike += [datetime.datetime(2024, 1, 1, 1, tzinfo=datetime.UTC), datetime.time(1), datetime.timedelta(hours=1)]
    assert len({stable_digest(key) for key in alike}) == len(alike)


@pytest.mark.parametrize("instances", [2, 3, 4, 7, 16])
@pytest.mark.parametrize(
    "make",
    [lambda n: n, lambda n: f"user-{n}", lambda n: n * 1024, lambda n: (n, "a")],
    ids=["numbers", "texts", "multiples", "tuples"],
)
def test_similar_keys_are_spread_evenly(instances: int, make: Any) -> None:
    total = 4000
    counts = [0] * instances
    for number in range(total):
        counts[stable_digest(make(number)) % instances] += 1
    assert min(counts) > 0.75 * total / instances
    assert max(counts) < 1.25 * total / instances


def test_a_partition_remembers_and_forgets_without_a_change() -> None:
    partition = Partition(["a", "b", "c"])
    before = [partition.find(number) for number in range(1000)]
    for number in range(200_000):
        partition.find(f"key {number}")
        assert len(partition.known[str]) <= MOST_KEYS
    assert [partition.find(number) for number in range(1000)] == before


def test_what_a_partition_remembers_is_bounded_in_bytes_however_large_keys_are() -> None:
    partition = Partition(["a", "b"])
    pages = [number.to_bytes(2, "big") + bytes(MOST_BYTES // 10) for number in range(40)]
    before = [partition.find(page) for page in pages]
    assert 1 <= len(partition.known[bytes]) < 10
    assert [partition.find(page) for page in pages] == before
    partition.find(bytes(MOST_BYTES))
    assert all(len(page) < MOST_BYTES for page in partition.known[bytes])
    partition.forget()
    assert not partition.known


@pytest.mark.parametrize("key", [float("nan"), Decimal("NaN"), complex(0, float("nan")), (float("nan"),)], ids=repr)
def test_nan_is_refused_with_the_fix(key: Any) -> None:
    with pytest.raises(runtime.UnstableKey, match="map it to None or to a text"):
        stable_digest(key)


def test_a_signaling_nan_is_refused_too() -> None:
    with pytest.raises(runtime.UnstableKey):
        stable_digest(Decimal("sNaN"))


class Own:
    """Has the identity hash that every object has, which differs between processes."""


def folded(kind: type) -> Any:
    """A value of a subclass of `kind` that decides for itself what equals what."""

    def equal(self: Any, other: object) -> bool:
        return type(other) is type(self)

    return type(f"Own{kind.__name__}", (kind,), {"__eq__": equal, "__hash__": lambda self: 1})


@dataclasses.dataclass(frozen=True)
class Point(tuple[int, ...]):
    """A tuple with a field, compared by that alone."""

    x: int = 1


OWN_EQUALITY = [
    folded(str)("a"),
    folded(int)(1),
    folded(float)(1.5),
    folded(tuple)((1, 2)),
    folded(bytes)(b"a"),
    folded(frozenset)([1]),
    folded(Decimal)(1),
    folded(Fraction)(1),
    folded(datetime.date)(2024, 1, 1),
    folded(datetime.datetime)(2024, 1, 1),
    folded(PurePosixPath)("a"),
    folded(Pair)(1, "a"),
    Point(),
]


@pytest.mark.parametrize("key", OWN_EQUALITY, ids=lambda key: type(key).__name__)
def test_a_class_that_says_itself_what_it_equals_is_refused_with_the_fix(key: Any) -> None:
    for held in (key, (1, key), frozenset([key])):
        with pytest.raises(runtime.UnstableKey, match="let the key function return a plain"):
            stable_digest(held)


def test_a_partition_refuses_a_key_that_equals_one_which_it_remembers() -> None:
    class Folded(str):
        def __eq__(self, other: object) -> bool:
            return isinstance(other, str) and self.casefold() == other.casefold()

        def __hash__(self) -> int:
            return hash(self.casefold())

    partition = Partition(["a", "b"])
    partition.find("ada")
    assert Folded("ada") in partition.known[str]
    with pytest.raises(runtime.UnstableKey, match=r"str\.casefold"):
        partition.find(Folded("Ada"))


class Tagged(str):
    """A text with a history; it equals its text."""

    __slots__ = ()


@pytest.mark.parametrize("key", [Own(), object(), [1], {1: 2}, {1}, bytearray(b"a"), len, Own, range(3)], ids=preview)
def test_what_has_no_stable_digest_is_refused_with_the_fix(key: Any) -> None:
    with pytest.raises(runtime.UnstableKey, match="let the key function return a number, str, bytes"):
        stable_digest(key)


def test_a_subclass_of_text_meets_its_text() -> None:
    assert stable_digest(Tagged("a")) == stable_digest("a")
