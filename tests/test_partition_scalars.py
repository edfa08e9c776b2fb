"""Keys that are scalars of numpy and pandas: each meets what it equals, of Python as well, or is refused."""

from __future__ import annotations

import datetime
import itertools
import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import runtime
from runtime.communication.digest import stable_digest

MomentOf: Any = np.datetime64  # typed for literal units only
SpanOf: Any = np.timedelta64
UNITS = ("W", "D", "h", "m", "s", "ms", "us", "ns")


def check_equal_ones_meet(keys: list[Any]) -> None:
    """Whatever is one key to a dict has one digest."""
    for one, other in itertools.combinations(keys, 2):
        if hash(one) == hash(other) and one == other:
            assert stable_digest(one) == stable_digest(other), (one, other)


@given(st.text(), st.text())
def test_texts_and_bytes_of_numpy_meet_those_they_equal(one: str, other: str) -> None:
    check_equal_ones_meet([one, other, np.str_(one), np.str_(other), (one,), (np.str_(one),)])
    check_equal_ones_meet([one.encode(), np.bytes_(one.encode()), np.bytes_(other.encode())])


@given(st.integers(-(2**31), 2**31 - 1))
def test_numbers_of_numpy_meet_those_they_equal(number: int) -> None:
    scalars = [kind(number) for kind in (np.int32, np.int64, np.float64, np.complex128, np.longdouble)]
    check_equal_ones_meet([number, float(number), *scalars, *(np.float32(number), np.float16(number % 1000))])
    check_equal_ones_meet([True, np.True_, 1, np.int8(1), False, np.False_, 0.0, np.float32(-0.0)])


@given(st.datetimes(datetime.datetime(1700, 1, 1), datetime.datetime(2200, 1, 1)))
def test_moments_of_numpy_meet_those_they_equal(moment: datetime.datetime) -> None:
    days = [MomentOf(moment.date(), unit) for unit in ("Y", "M", *UNITS)]
    moments = [MomentOf(moment, unit) for unit in ("s", "ms", "us", "ns")]
    check_equal_ones_meet([moment, moment.date(), *days, *moments, moment.replace(hour=0), MomentOf(moment, "25s")])


@given(st.timedeltas(datetime.timedelta(-1000), datetime.timedelta(1000)))
def test_spans_of_numpy_meet_those_they_equal(span: datetime.timedelta) -> None:
    check_equal_ones_meet([span, *(SpanOf(span, unit) for unit in UNITS)])


@pytest.mark.parametrize("key", [np.datetime64("NaT", "s"), np.timedelta64("NaT", "s"), np.float32("nan")], ids=repr)
def test_what_is_not_equal_to_itself_is_refused(key: Any) -> None:
    with pytest.raises(runtime.UnstableKey, match="NaN equals nothing"):
        stable_digest(key)


class OwnText(np.str_):  # type: ignore[misc]
    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return 1


def without_unit() -> Any:
    """A span that says no unit, for as long as numpy makes one."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return SpanOf(1)


@pytest.mark.parametrize(
    "key",
    [np.timedelta64(1, "Y"), without_unit(), np.void(b"a"), OwnText("a"), np.zeros(2)],
    ids=["years", "no unit", "void", "own text", "array"],
)
def test_what_has_no_digest_is_refused_with_the_fix(key: Any) -> None:
    with pytest.raises(runtime.UnstableKey, match="let the key function return"):
        stable_digest(key)


def test_moments_of_pandas_meet_those_they_equal() -> None:
    pandas = pytest.importorskip("pandas")
    utc = datetime.UTC
    plain = datetime.datetime(2024, 1, 1, 1, 2, 3, 4)
    stamp = pandas.Timestamp(plain)
    aware = [plain.replace(tzinfo=utc), stamp.tz_localize("UTC"), stamp.tz_localize("UTC").tz_convert("Asia/Tokyo")]
    check_equal_ones_meet([plain, stamp, np.datetime64(plain), pandas.Timestamp("2024-01-01 01:02:03.000004001")])
    check_equal_ones_meet([*aware, aware[0].astimezone(datetime.timezone(datetime.timedelta(hours=2)))])
    check_equal_ones_meet([datetime.timedelta(1), pandas.Timedelta("1D"), np.timedelta64(24, "h")])
    with pytest.raises(runtime.UnstableKey, match="NaN equals nothing"):
        stable_digest(pandas.NaT)
    with pytest.raises(runtime.UnstableKey, match="let the key function return"):
        stable_digest(pandas.Period("2024-01"))
