"""Which instance a key belongs to: a digest that is the same in every process and every run. Knows only keys.

Never `hash()` of text: Python salts it per process. Numbers are the exception that is needed: Python promises that
equal numbers of any type (`1`, `1.0`, `True`, `Decimal(1)`) have one hash, and does not salt it. Everything else is
written out as bytes, equal values to equal bytes, and those are digested (CRC-32, then mixed by Fibonacci hashing,
Knuth, TAOCP vol. 3, 6.4, because the low bits of a CRC of similar keys are similar).
"""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Callable, Sequence
from enum import Enum
from numbers import Number
from typing import Any, Final, Generic, TypeVar
from zlib import crc32

from runtime.errors import UnstableKey
from runtime.preview import preview, type_name

T = TypeVar("T")

_FIBONACCI: Final = 0x9E3779B97F4A7C15  # 2**64 divided by the golden ratio
_MAX_REMEMBERED: Final = 65_536  # keys of one edge whose instance is remembered


def stable_digest(key: Any) -> int:
    """A 32-bit number that is equal for equal keys, in every process and every run.

    Takes None, numbers, str, bytes, enum members, dates and times, UUIDs, and tuples and frozensets of these. Raises
    `UnstableKey` for NaN, which equals nothing, and for types that have no digest of their own.
    """
    return (crc32(_as_bytes(key)) * _FIBONACCI & 0xFFFF_FFFF_FFFF_FFFF) >> 32


class Partition(Generic[T]):
    """Which of `targets` a key belongs to.

    What was found is remembered in `known`, where a caller in a hurry may look first. A dict compares keys as Python
    does, and equal keys have equal digests, so remembering changes nothing. It is bounded, however many keys there are.
    """

    def __init__(self, targets: Sequence[T], known: dict[Any, T] | None = None) -> None:
        self._targets = targets
        self._known = {} if known is None else known

    def find(self, key: Any) -> T:
        """The target of `key`. Raises `UnstableKey`."""
        try:
            target = self._known.get(key)
        except TypeError as error:
            raise unstable_key(key) from error
        if target is None:
            target = self._targets[stable_digest(key) % len(self._targets)]
            if len(self._known) >= _MAX_REMEMBERED:
                self._known.clear()
            self._known[key] = target
        return target


def _as_bytes(key: Any) -> bytes:
    """Equal keys as equal bytes, different kinds of keys never as the same."""
    if (write_plain := _PLAIN_WRITERS.get(type(key))) is not None:
        return write_plain(key)
    for kind, write in _WRITERS:
        if isinstance(key, kind):
            return write(key)
    raise unstable_key(key)


def unstable_key(key: Any) -> UnstableKey:
    """The refusal of a key, with the fix."""
    return UnstableKey(
        f"key {preview(key)} of type {type_name(type(key))} has no digest that is the same in every process; let the "
        "key function return a number, str, bytes, date, UUID, enum member, or a tuple of these"
    )


def _number(key: Any) -> bytes:
    try:
        is_nan = bool(key != key)  # noqa: PLR0124  that is what NaN is
    except ArithmeticError:  # a signalling one
        is_nan = True
    if is_nan:
        raise UnstableKey("NaN equals nothing, not even itself, so it cannot be a key; map it to None or to a text")
    return b"n%d" % hash(key)


def _datetime(key: datetime.datetime) -> bytes:
    if key.tzinfo is not None and key.utcoffset() is not None:  # aware ones are equal at the same instant
        return b"z" + key.astimezone(datetime.UTC).replace(tzinfo=None).isoformat().encode()
    return b"d" + key.replace(tzinfo=None, fold=0).isoformat().encode()


def _time(key: datetime.time) -> bytes:
    offset = key.utcoffset()
    if offset is None:
        return b"t" + key.replace(tzinfo=None, fold=0).isoformat().encode()
    seconds = datetime.timedelta(hours=key.hour, minutes=key.minute, seconds=key.second) - offset
    return b"u%d.%d" % (seconds // datetime.timedelta(seconds=1), key.microsecond)


def _parts(parts: list[bytes]) -> bytes:
    return b"".join(b"%d:%b" % (len(part), part) for part in parts)


def _text(key: str) -> bytes:
    return b"s" + str.encode(key, "utf-8", "surrogatepass")


def _enum(key: Enum) -> bytes:
    kind = type(key)
    return b"e" + f"{kind.__module__}.{kind.__qualname__}.{key.name}".encode()


# The first that fits. Text before enum and numbers before it: a StrEnum member equals its text, an IntEnum its number.
_WRITERS: Final[tuple[tuple[type, Callable[[Any], bytes]], ...]] = (
    (str, _text),
    (Number, _number),
    (type(None), lambda key: b"0"),
    (tuple, lambda key: b"(" + _parts([_as_bytes(part) for part in key])),
    (bytes, lambda key: b"b" + key),
    (datetime.datetime, _datetime),
    (datetime.date, lambda key: b"D" + key.isoformat().encode()),
    (datetime.time, _time),
    (datetime.timedelta, lambda key: b"i%d" % (key // datetime.timedelta.resolution)),
    (uuid.UUID, lambda key: b"U" + key.bytes),
    (Enum, _enum),
    (frozenset, lambda key: b"{" + _parts(sorted(_as_bytes(part) for part in key))),
)

# What most keys are, found at once: what `_WRITERS` would write for them.
_PLAIN_WRITERS: Final[dict[type, Callable[[Any], bytes]]] = {
    str: _text,
    int: lambda key: b"n%d" % hash(key),
    bool: lambda key: b"n%d" % hash(key),
    type(None): lambda key: b"0",
    bytes: lambda key: b"b" + key,
}

PLAIN_KEYS: Final = frozenset(_PLAIN_WRITERS)
"""Types of which every value is a key: with a single target, nothing has to be found out about these."""
