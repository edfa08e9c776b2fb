"""About how much memory a value takes, in bytes: for bounds on what is kept. Knows nothing of the runtime.

An estimate, made in bounded time: what a value itself takes, the buffer that it holds, and one level of what is in it.
What lies deeper is not seen, and what two values share is counted for both.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterable
from itertools import islice
from typing import Any, Final

_ASKED: Final = 64
"""How many members of a container are asked; the others are taken to be as large on average."""

_UNKNOWN: Final = 64  # of an object that does not tell
# What most results are, estimated in a tenth of the time. By identity: a metaclass may have a hash of its own.
_PLAIN: Final = frozenset(map(id, (int, float, bool, str, bytes, type(None))))
_SEQUENCES: Final = (list, tuple, set, frozenset)


def estimated_size(value: Any) -> int:
    """About how many bytes `value` takes, with the members of a container and the attributes of an object.

    Takes some microseconds at most, whatever the value. Never raises, but may run code of its class (`__sizeof__`,
    `nbytes`).
    """
    if id(kind := type(value)) in _PLAIN:
        return sys.getsizeof(value)
    if kind is tuple and len(value) <= _ASKED and _PLAIN.issuperset(map(id, map(type, value))):
        return sys.getsizeof(value) + sum(map(sys.getsizeof, value))
    size = _own_size(value)
    try:
        return size + sum(_members_size(members) for members in _containers(value))
    except Exception:  # noqa: BLE001  the border to user code; or another thread has changed it meanwhile
        return size


def _containers(value: Any) -> Iterable[Collection[Any]]:
    """What has to be looked into, of the value itself and of its attributes."""
    if isinstance(value, _SEQUENCES):
        yield value
    elif isinstance(value, dict):
        yield value
        yield value.values()
    elif type(attributes := _asked(value, "__dict__")) is dict:
        yield (attributes,)
        yield attributes.values()


def _members_size(members: Collection[Any]) -> int:
    sizes = [_own_size(member) for member in islice(members, _ASKED)]
    return sum(sizes) * len(members) // len(sizes) if sizes else 0


def _own_size(value: Any) -> int:
    try:
        size = sys.getsizeof(value, _UNKNOWN)
    except Exception:  # noqa: BLE001  the border to user code
        size = _UNKNOWN
    held = _asked(value, "nbytes")
    # An array that owns its buffer has counted it, a view of one has not.
    return max(size, held) if type(held) is int else size


def _asked(value: Any, name: str) -> Any:
    try:
        return getattr(value, name, None)
    except Exception:  # noqa: BLE001  the border to user code
        return None
