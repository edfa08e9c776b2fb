"""Which instance a key belongs to: equal keys have equal digests, whatever their types; the memory of it is bounded."""

from __future__ import annotations

import datetime
import enum
import uuid
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import runtime
from runtime.communication.partition import Partition, stable_digest
from runtime.preview import preview

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
    ],
    # A set's repr is in another order in another process, and all processes of a test run must name a test the same.
    ids=lambda keys: "a frozenset" if isinstance(keys[0], frozenset) else repr(keys[0]),
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
    alike += [Color.RED, Tint.RED, uuid.UUID(int=0), datetime.date(2024, 1, 1), datetime.datetime(2024, 1, 1)]
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
    known: dict[Any, str] = {}
    partition = Partition(["a", "b", "c"], known)
    before = [partition.find(number) for number in range(1000)]
    for number in range(200_000):
        partition.find(f"key {number}")
        assert len(known) <= 65_536
    assert [partition.find(number) for number in range(1000)] == before


@pytest.mark.parametrize("key", [float("nan"), Decimal("NaN"), complex(0, float("nan")), (float("nan"),)], ids=repr)
def test_nan_is_refused_with_the_fix(key: Any) -> None:
    with pytest.raises(runtime.UnstableKey, match="map it to None or to a text"):
        stable_digest(key)


def test_a_signaling_nan_is_refused_too() -> None:
    with pytest.raises(runtime.UnstableKey):
        stable_digest(Decimal("sNaN"))


class Own:
    """Has the identity hash that every object has, which differs between processes."""


class Tagged(str):
    """A text with a history; it equals its text."""

    __slots__ = ()


@pytest.mark.parametrize("key", [Own(), object(), [1], {1: 2}, {1}, bytearray(b"a"), len, Own, range(3)], ids=preview)
def test_what_has_no_stable_digest_is_refused_with_the_fix(key: Any) -> None:
    with pytest.raises(runtime.UnstableKey, match="let the key function return a number, str, bytes"):
        stable_digest(key)


def test_a_subclass_of_text_meets_its_text() -> None:
    assert stable_digest(Tagged("a")) == stable_digest("a")
