"""Texts on their way to a page, and values on their way from it. Runs no code of a payload, and trusts no text."""

from __future__ import annotations

import ast
import sys
from typing import Any, Final

MAX_CHARACTERS: Final = 2_000

# By identity: looking a type up among others would ask its metaclass whether they are equal.
_SIZED: Final = frozenset(map(id, (list, tuple, dict, set, frozenset)))


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


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
