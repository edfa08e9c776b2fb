"""A bounded text for any value, made without running a line of the value's own code. Knows nothing of the runtime.

Payloads belong to the user: a `__repr__` may raise, hang or return 50 MB. So only values of exactly the built-in types
are shown by content; of dataclasses and named tuples the fields are; anything else is shown by its type's name.
"""

from __future__ import annotations

import dataclasses
import datetime
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from itertools import islice
from typing import Any, Final

MAX_TEXT, MAX_ITEMS, MAX_DEPTH = 60, 6, 3
_MAX_INT_BITS = 256

_PLAIN = {
    bool,
    float,
    complex,
    type(None),
    type(...),
    datetime.date,
    datetime.time,
    datetime.datetime,
    datetime.timedelta,
}
_BRACKETS: Final[dict[type, str]] = {list: "[]", tuple: "()", set: "{}", frozenset: "{}", deque: "[]"}


def preview(value: Any, depth: int = MAX_DEPTH) -> str:
    """A text of bounded length that tells what `value` is. Never raises, never calls code of `value`'s class."""
    kind = type(value)
    if kind in _PLAIN:
        return repr(value)
    if kind is int:
        return repr(value) if value.bit_length() <= _MAX_INT_BITS else f"<int of {value.bit_length()} bits>"
    if kind is str or kind is bytes or kind is bytearray:
        return _cut(value)
    if depth == 0:
        return f"<{kind.__name__}>"
    if kind in _BRACKETS:
        return _sequence(value, _BRACKETS[kind], depth)
    if kind is dict:
        return _mapping(value, depth)
    return _fields(value, kind, depth)


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


def _fields(value: Any, kind: type, depth: int) -> str:
    name = kind.__name__
    pairs: list[tuple[str, Any]] = []
    if issubclass(kind, tuple) and isinstance(names := kind.__dict__.get("_fields"), tuple):
        pairs = list(zip(names, tuple.__iter__(value), strict=False))
    elif "__dataclass_fields__" in kind.__dict__:
        for field in dataclasses.fields(kind):
            with suppress(AttributeError):  # never set
                pairs.append((field.name, object.__getattribute__(value, field.name)))
    else:
        return f"<{name}>"
    shown = _joined((f"{field}={preview(each, depth - 1)}" for field, each in pairs), len(pairs))
    return f"{name}({shown})"


def _joined(texts: Iterable[str], total: int) -> str:
    try:
        shown = list(islice(texts, MAX_ITEMS))
    except RuntimeError:  # another thread changes the container just now
        shown = []
    more = total - len(shown)
    return ", ".join(shown) + (f"{', ' if shown else ''}… {more:,} more" if more > 0 else "")
