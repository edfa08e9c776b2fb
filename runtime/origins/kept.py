"""Values as they were when a packet was made: a copy of what is small and plain, of all else a preview.

A payload may be changed in place later, and must not be kept alive by who only remembers it. So numbers and texts are
kept, containers of these are copied, and everything else is told. No code of a value's class is run.
"""

from __future__ import annotations

from collections.abc import Callable
from sys import getsizeof
from typing import Any, Final

from runtime.texts.preview import Told, preview

LARGEST: Final = 4096
"""The most bytes of a value that is kept; of larger ones the preview is."""

PLAIN: Final = frozenset(map(id, (int, float, bool, str, bytes, complex, type(None))))
"""The types of which a value is kept as it is, by identity: a metaclass may have a hash of its own."""

_COPIED: Final[dict[int, Callable[[Any], Any]]] = {id(kind): kind for kind in (list, tuple, set, frozenset)}
_DICT: Final = id(dict)
_DEEPEST: Final = 8


class _NotKept(Exception):
    """It is too large, or of a type that is told."""


def kept(value: Any) -> tuple[Any, int]:
    """What is kept of a value, and how many bytes that takes, about."""
    room = [LARGEST]
    try:
        return _copied(value, room, _DEEPEST), LARGEST - room[0]
    except (_NotKept, RuntimeError):  # another thread changes it just now
        text = preview(value)
        return Told(text), getsizeof(text)


def _copied(value: Any, room: list[int], depth: int) -> Any:
    kind = id(type(value))
    room[0] -= getsizeof(value) if kind in PLAIN or kind in _COPIED or kind == _DICT else LARGEST + 1
    if room[0] < 0 or not depth:
        raise _NotKept
    if kind in PLAIN:
        return value
    if kind == _DICT:
        return {_copied(key, room, depth - 1): _copied(each, room, depth - 1) for key, each in value.items()}
    return _COPIED[kind]([_copied(each, room, depth - 1) for each in value])
