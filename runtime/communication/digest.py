"""A digest of a key that is the same in every process and every run, and equal where `==` says equal. Knows only keys.

Never `hash()` of text: Python salts it per process. Numbers are the exception that is needed: Python promises that
equal numbers of any type (`1`, `1.0`, `True`, `Decimal(1)`) have one hash, and does not salt it. Everything else is
written out as bytes, equal values to equal bytes, and those are digested (CRC-32, then mixed by Fibonacci hashing,
Knuth, TAOCP vol. 3, 6.4, because the low bits of a CRC of similar keys are similar). Values that are not equal may be
written alike: a moment that can be equal to several others (a date in numpy, one within a fold) meets all of them.

What is equal is said by a class's `__eq__`. Each writer below knows that of one class and of the subclasses that keep
it; a subclass with an `__eq__` of its own is refused, since nobody but itself knows what it equals.
"""

from __future__ import annotations

import datetime
import sys
from collections.abc import Callable
from decimal import Decimal
from enum import Enum
from functools import cache, partial
from pathlib import PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING, Any, Final
from zlib import crc32

from runtime.errors import UnstableKey
from runtime.texts.preview import preview, type_name

if TYPE_CHECKING:
    from uuid import UUID

_FIBONACCI: Final = 0x9E3779B97F4A7C15  # 2**64 divided by the golden ratio


def stable_digest(key: Any) -> int:
    """A 32-bit number that is equal for equal keys, in every process and every run.

    Takes None, numbers, str, bytes, enum members, dates and times, UUIDs, paths, tuples and frozensets of these, and
    the scalars of numpy and pandas that equal such values. Raises `UnstableKey` for NaN and NaT, which equal nothing,
    for classes that define an equality of their own, and for types that have no digest.
    """
    return (crc32(_as_bytes(key)) * _FIBONACCI & 0xFFFF_FFFF_FFFF_FFFF) >> 32


def _as_bytes(key: Any) -> bytes:
    """Equal keys as equal bytes."""
    kind: Any = type(key)
    write = _EXACT.get(kind)
    if write is not None:
        return write(key)
    refused = None
    for base, write_base in _all_writers():
        if issubclass(kind, base):
            if kind.__eq__ is base.__eq__:
                return write_base(key)
            refused = refused or base
    write = _foreign(kind)
    if write is not None:
        return write(key)
    raise unstable_key(key) if refused is None else _own_equality(key, refused)


def unstable_key(key: Any) -> UnstableKey:
    """The refusal of a key, with the fix."""
    return UnstableKey(
        f"key {preview(key)} of type {type_name(type(key))} has no digest that is the same in every process; let the "
        "key function return a number, str, bytes, date, UUID, path, enum member, or a tuple of these"
    )


def _own_equality(key: Any, base: type) -> UnstableKey:
    name = type_name(type(key))
    return UnstableKey(
        f"key {preview(key)} of type {name} has no stable digest: {name} says itself what its values equal; let "
        f"the key function return a plain {base.__name__} that is the same for keys that are to meet (of texts in any "
        "case: str.casefold)"
    )


def _not_equal_to_itself() -> UnstableKey:
    return UnstableKey("NaN equals nothing, not even itself, so it cannot be a key; map it to None or to a text")


def _number(kind: Any, key: Any) -> bytes:
    """Of a number, by the equality and hash of `kind`."""
    try:
        is_nan = not kind.__eq__(key, key)
    except ArithmeticError:  # a signalling one
        is_nan = True
    if is_nan:
        raise _not_equal_to_itself()
    return b"n%d" % kind.__hash__(key)


def _whole(key: int) -> bytes:
    return b"n%d" % int.__hash__(key)


def _text(key: str) -> bytes:
    return b"s" + str.encode(key, "utf-8", "surrogatepass")


def _raw(key: bytes) -> bytes:
    return b"".join((b"b", key))


def _parts(parts: list[bytes]) -> bytes:
    return b"".join(b"%d:%b" % (len(part), part) for part in parts)


def _tuple(key: tuple[Any, ...]) -> bytes:
    return b"(" + _parts([_as_bytes(part) for part in tuple.__iter__(key)])


def _set(key: frozenset[Any]) -> bytes:
    return b"{" + _parts(sorted(_as_bytes(part) for part in frozenset.__iter__(key)))


_MICROSECOND: Final = datetime.timedelta.resolution
_EPOCH: Final = datetime.datetime(1970, 1, 1)


def _datetime(key: datetime.datetime) -> bytes:
    """By the instant of its first fold: within one zone, `==` and `hash()` look at neither the fold nor the offset."""
    parts = (key.year, key.month, key.day, key.hour, key.minute, key.second, key.microsecond)
    offset = datetime.datetime(*parts, key.tzinfo).utcoffset()
    since_epoch = datetime.datetime(*parts) - _EPOCH
    if offset is None:
        return b"d%d" % (since_epoch // _MICROSECOND)
    return b"z%d" % ((since_epoch - offset) // _MICROSECOND)


def _date(key: datetime.date) -> bytes:
    """As that of its midnight: numpy has days that equal either."""
    return _datetime(datetime.datetime(key.year, key.month, key.day))


def _time(key: datetime.time) -> bytes:
    offset = key.utcoffset()
    seconds = key.hour * 3600 + key.minute * 60 + key.second
    if offset is None:
        return b"t%d.%d" % (seconds, key.microsecond)
    return b"u%d.%d" % (seconds - offset.days * 86400 - offset.seconds, key.microsecond)


def _timedelta(key: datetime.timedelta) -> bytes:
    return b"i%d" % ((key.days * 86400 + key.seconds) * 1_000_000 + key.microseconds)


def _uuid(key: UUID) -> bytes:
    return b"U%d" % key.int


def _path(key: PurePosixPath) -> bytes:
    return b"P" + _parts([_text(part) for part in key.parts])


def _windows_path(key: PureWindowsPath) -> bytes:
    return b"W" + _parts([_text(part.lower()) for part in key.parts])


def _enum(key: Enum) -> bytes:
    kind = type(key)
    return b"e" + f"{kind.__module__}.{kind.__qualname__}.{key.name}".encode()


def _none(key: None) -> bytes:
    return b"0"


_Write = Callable[[Any], bytes]

_NUMBERS: Final = (float, complex, Decimal)

# By whose `__eq__` a class has: a StrEnum has that of str, a frozenset that is an enum member that of frozenset.
_WRITERS: Final[tuple[tuple[Any, _Write], ...]] = (
    (str, _text),
    (int, _whole),
    (tuple, _tuple),
    (bytes, _raw),
    (datetime.datetime, _datetime),
    (datetime.date, _date),
    (datetime.time, _time),
    (datetime.timedelta, _timedelta),
    (frozenset, _set),
    (PurePosixPath, _path),
    (PureWindowsPath, _windows_path),
    *((kind, partial(_number, kind)) for kind in _NUMBERS),
    (Enum, _enum),
)

# What most keys are, found at once.
_EXACT: Final[dict[type, _Write]] = {**dict(_WRITERS), bool: _whole, type(None): _none}


@cache
def _all_writers() -> tuple[tuple[Any, _Write], ...]:
    """With those of classes that few keys have and that take long to import."""
    from fractions import Fraction  # noqa: PLC0415
    from uuid import UUID  # noqa: PLC0415

    late: tuple[tuple[Any, _Write], ...] = ((UUID, _uuid), (Fraction, partial(_number, Fraction)))
    _EXACT.update(late)
    return *_WRITERS, *late


PLAIN_KEYS: Final = frozenset({str, int, bool, bytes, type(None)})
"""Types of which every value is a key: with a single target, nothing has to be found out about these."""


# ── scalars of libraries that are asked for only if they are there: their values are, so they have been imported ──


def _foreign(kind: type) -> _Write | None:
    """How to write a scalar of numpy or pandas, whose equality is its own, and known; None for anything else."""
    numpy = sys.modules.get("numpy")
    if numpy is not None and issubclass(kind, numpy.generic) and kind.__module__ == "numpy":
        return _numpy_scalar(numpy, kind)
    pandas = sys.modules.get("pandas")
    if pandas is not None and kind in (pandas.Timestamp, pandas.Timedelta):
        return _pandas_moment
    return _refuse_nan if pandas is not None and kind is type(pandas.NaT) else None


def _numpy_scalar(numpy: Any, kind: type) -> _Write | None:
    if issubclass(kind, numpy.str_):
        return _text
    if issubclass(kind, numpy.bytes_):
        return _raw
    if issubclass(kind, numpy.datetime64 | numpy.timedelta64):
        return partial(_numpy_moment, numpy)
    return partial(_number, kind) if issubclass(kind, numpy.number | numpy.bool_) else None


_UNITS: Final = dict(zip(("W", "D", "h", "m", "s"), (604_800, 86_400, 3_600, 60, 1), strict=True))
_FRACTIONS: Final = ("s", "ms", "us", "ns", "ps", "fs", "as")


def _numpy_moment(numpy: Any, key: Any) -> bytes:
    """In whole microseconds, as the standard library's that it may equal; what is finer is cut off."""
    if numpy.isnat(key):
        raise _not_equal_to_itself()
    letter = b"i" if isinstance(key, numpy.timedelta64) else b"d"
    unit, step = numpy.datetime_data(key.dtype)
    if unit in ("Y", "M") and letter == b"d":
        key, unit, step = key.astype("M8[D]"), "D", 1
    count = int(key.astype("i8")) * step
    if unit in _UNITS:
        return b"%b%d" % (letter, count * _UNITS[unit] * 1_000_000)
    if unit in _FRACTIONS:
        return b"%b%d" % (letter, count * 1_000_000 // 1_000 ** _FRACTIONS.index(unit))
    raise unstable_key(key)  # years, months and numbers without a unit, which equal seconds as well as hours


def _pandas_moment(key: Any) -> bytes:
    """As the standard library's that it may equal; nanoseconds are cut off."""
    return _datetime(key) if isinstance(key, datetime.datetime) else _timedelta(key)


def _refuse_nan(key: Any) -> bytes:
    raise _not_equal_to_itself()
