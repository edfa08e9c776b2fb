"""A bounded text for any value, made without running a line of the value's own code. Knows nothing of the runtime.

Payloads belong to the user: a `__repr__` may raise, hang or return 50 MB. So only values of exactly the built-in types
are shown by content; of dataclasses and named tuples the fields are, read where they are stored; anything else is shown
by its type's name. Types are asked through `type`'s own descriptors, since a metaclass may answer for itself.
"""

from __future__ import annotations

import datetime
import re
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import islice
from types import GetSetDescriptorType, MemberDescriptorType, ModuleType
from typing import Any, Final

MAX_TEXT, MAX_ITEMS, MAX_DEPTH = 60, 6, 3
_MAX_INT_BITS: Final = 256

# By identity: looking a type up in a set would ask its metaclass for a hash.
_PLAIN: Final = frozenset(map(id, (bool, float, complex, type(None), type(...), datetime.date, datetime.timedelta)))
_TIMES: Final = frozenset(map(id, (datetime.datetime, datetime.time)))
_ZONES: Final = frozenset(map(id, (type(None), datetime.timezone)))
_TEXTS: Final = frozenset(map(id, (str, bytes, bytearray)))
_NUMBERS: Final = (
    *("bool_", "float16", "float32", "float64"),
    *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)),
)
_BRACKETS: Final = {id(list): "[]", id(tuple): "()", id(set): "{}", id(frozenset): "{}", id(deque): "[]"}

# A joiner between two pictures, which may have a colour of their own.
_PICTURES: Final = "\u2600-\u27bf\U0001f000-\U0001faff"
_JOINED: Final = re.compile(f"(?<=[{_PICTURES}\ufe0f])\u200d(?=[{_PICTURES}])")

_NAME: Any = type.__dict__["__name__"]
_MRO: Any = type.__dict__["__mro__"]
_DICT: Any = type.__dict__["__dict__"]


class Told:
    """Stands for a value that was let go of: all that is left of it is its preview."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text


def preview(value: Any, depth: int = MAX_DEPTH) -> str:
    """A text of bounded length that tells what `value` is. Never raises, never calls code of `value`'s class."""
    kind = type(value)
    if id(kind) in _PLAIN:
        return repr(value)
    if id(kind) in _TIMES:
        return _time(value)
    if kind is int:
        return repr(value) if value.bit_length() <= _MAX_INT_BITS else f"<int of {value.bit_length()} bits>"
    if id(kind) in _TEXTS:
        return _cut(value)
    if kind is Told:
        return str(value.text)
    if depth == 0:
        return f"<{type_name(kind)}>"
    if id(kind) in _BRACKETS:
        return _sequence(value, _BRACKETS[id(kind)], depth)
    if kind is dict:
        return _mapping(value, depth)
    return _of_numpy(value, kind) or _fields(value, kind, depth)


def _of_numpy(value: Any, kind: type) -> str:
    """An array by its shape and what is in it, a number as it is; empty for all else. Both run numpy's code alone."""
    numpy = sys.modules.get("numpy")
    if numpy is None:
        return ""
    if kind is numpy.ndarray:
        shape = " × ".join(f"{length:,}" for length in value.shape) or "no dimensions"
        return f"<ndarray of {value.dtype.name}, {shape}>"
    if id(kind) in _numbers_of(numpy):
        return f"{type_name(kind)}({value.item()!r})"
    return ""


@cache
def _numbers_of(numpy: ModuleType) -> frozenset[int]:
    """The types of numpy's own numbers, by identity."""
    kinds = (getattr(numpy, name, None) for name in _NUMBERS)
    return frozenset(id(kind) for kind in kinds if isinstance(kind, type))


def printable(text: str) -> str:
    """`text` as any stream can print it: a lone surrogate, which none can, as its escape."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "backslashreplace").decode()
    return text


def type_name(kind: type) -> str:
    """The name that a class was defined with, bounded."""
    name: str = _NAME.__get__(kind)
    return name if len(name) <= MAX_TEXT else f"{name[:MAX_TEXT]}…"


def is_printable(text: str) -> bool:
    """Whether all of `text` is shown as it is; of what is not shown, only what joins emoji to one (a family) is."""
    return text.isprintable() or _JOINED.sub("", text).isprintable()


def is_blank(text: str) -> bool:
    """Whether nothing of `text` is to be seen."""
    return not text or text.isspace()


def _time(value: Any) -> str:
    zone = type(value.tzinfo)
    if id(zone) in _ZONES or zone is getattr(sys.modules.get("zoneinfo"), "ZoneInfo", None):
        return repr(value)
    return f"{value.replace(tzinfo=None)!r} in <{type_name(zone)}>"


def _cut(text: str | bytes | bytearray) -> str:
    if len(text) <= MAX_TEXT:
        return repr(text)
    return f"{text[:MAX_TEXT]!r}… ({len(text):,} long)"


def _sequence(values: Any, brackets: str, depth: int) -> str:
    shown = _joined((preview(value, depth - 1) for value in values), len(values))
    comma = "," if brackets == "()" and len(values) == 1 else ""
    return f"{brackets[0]}{shown}{comma}{brackets[1]}"


def _mapping(values: dict[Any, Any], depth: int) -> str:
    items = (f"{preview(key, depth - 1)}: {preview(value, depth - 1)}" for key, value in values.items())
    return "{" + _joined(items, len(values)) + "}"


def parts_of(value: Any) -> list[tuple[str, Any]] | None:
    """What a named tuple or a dataclass is made of, by name; None of all else. Never calls code of `value`'s class."""
    kind = type(value)
    own = _DICT.__get__(kind)
    names = own.get("_fields") if any(each is tuple for each in _MRO.__get__(kind)) else None
    if type(names) is tuple and all(type(name) is str for name in names):
        return list(zip(names, tuple.__iter__(value), strict=False))
    if type(fields := own.get("__dataclass_fields__")) is dict and all(type(name) is str for name in fields):
        return list(_stored(value, kind, fields))
    return None


def _fields(value: Any, kind: type, depth: int) -> str:
    pairs = parts_of(value)
    if pairs is None:
        return f"<{type_name(kind)}>"
    shown = _joined((f"{_cut_name(name)}={preview(each, depth - 1)}" for name, each in pairs), len(pairs))
    return f"{type_name(kind)}({shown})"


def _stored(value: Any, kind: type, names: Iterable[str]) -> Iterator[tuple[str, Any]]:
    """Those of `names` that the object itself holds, in its dict or in a slot."""
    classes = [_DICT.__get__(each) for each in _MRO.__get__(kind)]
    holder = next((own["__dict__"] for own in classes if "__dict__" in own), None)
    stored = holder.__get__(value) if type(holder) is GetSetDescriptorType else {}
    for name in names:
        slot = next((own[name] for own in classes if name in own), None)
        if name in stored:
            yield name, stored[name]
        elif type(slot) is MemberDescriptorType:
            try:
                yield name, slot.__get__(value)
            except AttributeError:  # never set
                continue


def _cut_name(name: str) -> str:
    return name if len(name) <= MAX_TEXT else f"{name[:MAX_TEXT]}…"


def _joined(texts: Iterable[str], total: int) -> str:
    try:
        shown = list(islice(texts, MAX_ITEMS))
    except RuntimeError:  # another thread changes the container just now
        shown = []
    more = total - len(shown)
    return ", ".join(shown) + (f"{', ' if shown else ''}… {more:,} more" if more > 0 else "")


def number_of(count: int, noun: str) -> str:
    """A count and what is counted: `1 task`, `2,000 tasks`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
