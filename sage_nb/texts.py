"""Texts on their way to a page, and values on their way from it. Runs no code of a payload, and trusts no text."""

from __future__ import annotations

import ast
import math
import sys
from typing import Any, Final

MAX_CHARACTERS: Final = 2_000
MAX_LITERAL: Final = 1_000
_MAX_DEPTH: Final = 20
_MAX_INT_BITS: Final = 4_096

_PLAIN: Final = frozenset(map(id, (bool, type(None), str, bytes)))
# By identity: looking a type up among others would ask its metaclass whether they are equal.
_SIZED: Final = frozenset(map(id, (list, tuple, dict, set, frozenset)))
_SEQUENCES: Final = frozenset(map(id, (list, tuple, set)))


def shown(text: str, limit: int = MAX_CHARACTERS) -> str:
    """`text` of at most `limit` characters, and without lone surrogates, which no message can carry."""
    cut = text if len(text) <= limit else f"{text[:limit]}… ({len(text):,} characters)"
    return cut.encode("utf-8", "replace").decode("utf-8")


def value_of(text: str) -> Any:
    """What somebody means who types `text`: a Python literal, or else the text itself."""
    try:
        return ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return text


def literal_of(value: object) -> str | None:
    """`value` as a Python literal that somebody can edit; None if it is none, or is too long for that."""
    try:
        if not _is_literal(value, [MAX_LITERAL], _MAX_DEPTH):
            return None
        text = repr(value)
    except RuntimeError:  # another thread changes a container just now
        return None
    return text if len(text) <= MAX_LITERAL else None


def size_of(value: object) -> str:
    """What is known of a value's size without asking its own code."""
    kind = type(value)
    if kind is str or kind is bytes:
        return _counted(len(value), "character" if kind is str else "byte")  # type: ignore[arg-type]
    if id(kind) in _SIZED:
        return _counted(len(value), "item")  # type: ignore[arg-type]
    numpy = sys.modules.get("numpy")
    if numpy is not None and kind is numpy.ndarray:
        return f"shape {value.shape}, {value.dtype}"  # type: ignore[attr-defined]
    return ""


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


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
