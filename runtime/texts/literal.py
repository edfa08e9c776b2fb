"""A value as a Python literal that makes an equal one: short, exact, made without running code of the value's class."""

from __future__ import annotations

import math
from typing import Any, Final

MAX_LITERAL: Final = 1_000
"""How long a literal may be, and of how many values it may be made."""

_MAX_DEPTH: Final = 20
_MAX_INT_BITS: Final = 4_096
# By identity: looking a type up among others would ask its metaclass whether they are equal.
_PLAIN: Final = frozenset(map(id, (bool, type(None), str, bytes)))
_SEQUENCES: Final = frozenset(map(id, (list, tuple, set)))


def literal_of(value: object) -> str | None:
    """`value` as a literal that `ast.literal_eval` reads; None if it is none, or is too long for that."""
    try:
        if not _is_literal(value, [MAX_LITERAL], _MAX_DEPTH):
            return None
        text = repr(value)
    except RuntimeError:  # another thread changes a container just now
        return None
    return text if len(text) <= MAX_LITERAL else None


def literals_of(*values: object) -> tuple[str | None, ...]:
    """Each of `values` as a literal."""
    return tuple(map(literal_of, values))


def _is_literal(value: Any, room: list[int], depth: int) -> bool:
    """Whether it is made of literals only, and of few enough of them."""
    room[0] -= 1
    kind = type(value)
    if room[0] < 0 or depth < 0:
        return False
    if id(kind) in _PLAIN:
        return kind not in (str, bytes) or bool(len(value) <= MAX_LITERAL)
    if kind is int:
        return bool(value.bit_length() <= _MAX_INT_BITS)
    if kind is float:
        return math.isfinite(value)
    if id(kind) in _SEQUENCES:
        return (kind is not set or len(value) > 0) and all(_is_literal(each, room, depth - 1) for each in tuple(value))
    if kind is dict:
        return all(_is_literal(each, room, depth - 1) for pair in tuple(value.items()) for each in pair)
    return False
