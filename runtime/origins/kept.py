"""Values as they were when a packet was made: what is small and plain as bytes, of all else a preview.

A payload may be changed in place later, and must not be kept alive by who only remembers it. So numbers and texts are
kept as they are, containers of these are pickled, which takes less time and room than a copy, and everything else is
told. No code of a value's class is run: before something is pickled, it is looked through.
"""

from __future__ import annotations

from pickle import dumps, loads
from sys import getsizeof
from typing import Any, Final

from runtime.texts.preview import Told, preview

LARGEST: Final = 4096
"""The most bytes of a value that is kept; of larger ones the preview is."""

PLAIN: Final = frozenset(map(id, (int, float, bool, str, bytes, complex, type(None))))
"""The types of which a value is kept as it is, by identity: a metaclass may have a hash of its own."""

_CONTAINERS: Final = frozenset(map(id, (dict, list, tuple, set, frozenset)))
_TEXTS: Final = (str, bytes)
_DEEPEST: Final = 8
_MOST_MEMBERS: Final = 256


class Pickled:
    """A container of plain values, in bytes."""

    __slots__ = ("data",)

    def __init__(self, data: bytes) -> None:
        self.data = data


def kept(value: Any) -> tuple[Any, int]:
    """What is kept of a value that is not plain and small, and how many bytes that takes, about."""
    try:
        if _is_plain(value, _DEEPEST) and len(data := dumps(value, 5)) <= LARGEST:
            return Pickled(data), getsizeof(data)
    except RuntimeError:  # another thread changes it just now
        pass
    text = preview(value)
    return Told(text), getsizeof(text)


def as_it_was(value: Any) -> Any:
    """What is to be shown of what was kept."""
    return loads(value.data) if type(value) is Pickled else value


def _is_plain(value: Any, depth: int) -> bool:
    """Whether it is a container of plain values, and of such containers."""
    kind: Any = type(value)
    if id(kind) not in _CONTAINERS or len(value) > _MOST_MEMBERS or not depth:
        return False
    members = value
    if kind is dict:
        for key in value:
            if type(key) is not str and id(type(key)) not in PLAIN:
                return False
        members = value.values()
    for member in members:
        if id(kind := type(member)) in PLAIN:
            if kind in _TEXTS and len(member) > LARGEST:
                return False
        elif not _is_plain(member, depth - 1):
            return False
    return True
