"""BeforeImage: what objects were before user code had them, kept by what that has changed alone. Knows no task.

From each root it visits all that can change, once, and keeps one shallow copy of each (`kinds.py`). When the user's
code is over, what is as it was is forgotten. So what is kept is what was changed, however large the rest is, and it is
put back into the very objects.
"""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable, Iterable
from typing import Any, Final

from runtime.back.kinds import PLAIN_CONTAINERS, UNKNOWN, Kind, Kinds, kinds_of
from runtime.operators.memory import Kept

MOST_BYTES: Final = 64 * 2**20
"""How much is kept of one step."""

_ABSENT: Final = object()
_ENTRY_BYTES: Final = 100  # about what the list of them takes for each
_Entry = tuple[Callable[[Any, Any], bool], Callable[[Any, Any], object], Any, Any]
"""What compares and what puts back, of what, and what that was."""


class TooLarge(Exception):
    """There is more than may be kept."""


class BeforeImage:
    """What one turn may change. `lost` says what of it has changed and cannot be put back, as text."""

    def __init__(self, known: dict[type, Kinds]) -> None:
        self._known = known  # the layers of classes that were met before
        self._entries: list[_Entry] = []
        self._unknown: list[tuple[Any, bytes | None]] = []
        self._seen: dict[int, Any] = {}  # by id; holds them, or another object would have that id
        self.lost: list[str] = []

    # ── before ──

    def slot(self, mapping: dict[Any, Any], key: Any) -> None:
        """Keep what a mapping has for a key, and what that is; or that there is nothing."""
        value = dict.get(mapping, key, _ABSENT)  # of its own class, it might note that it was asked
        self._entries.append((_same_slot, _put_slot, (mapping, key), value))
        self.values((value,))

    def member(self, members: Any, key: Any) -> None:
        """Keep whether a key is in a set."""
        self._entries.append((_same_member, _put_member, (members, key), key in members))

    def grows(self, items: list[Any]) -> None:
        """Keep how long a list is, which only grows."""
        self._entries.append((_is_as_long, _cut, items, len(items)))

    def attributes(self, owner: object, names: Iterable[str]) -> None:
        """Keep what attributes of an object are, and what is in them if they are lists, sets or dicts."""
        for name in names:
            value = getattr(owner, name)
            self._entries.append((_same_attribute, _put_attribute, (owner, name), value))
            if (kind := PLAIN_CONTAINERS.get(type(value))) is not None:
                self._entries.append((kind.same, kind.put, value, kind.keep(value)))

    def part(self, kept: Kept) -> None:
        """Keep something that says itself whether it has changed."""
        self._entries.append((_same_part, _put_part, kept, None))

    def values(self, roots: Iterable[Any], most_bytes: int = MOST_BYTES) -> None:
        """Keep what these are, and all that is in them. Raises `TooLarge`."""
        left = most_bytes
        todo, known, seen = list(roots), self._known, self._seen
        while todo:
            value = todo.pop()
            cls = type(value)
            layers = known.get(cls)
            if layers is None:
                layers = known[cls] = kinds_of(cls)
            if not layers or id(value) in seen:
                continue
            seen[id(value)] = value
            if layers == UNKNOWN:
                self._unknown.append((value, _pickled(value)))
                continue
            for layer in layers:
                assert isinstance(layer, Kind), "one that is known"
                kept = layer.keep(value)
                self._entries.append((layer.same, layer.put, value, kept))
                left -= sys.getsizeof(kept)
                if left < 0:
                    raise TooLarge
                todo += layer.parts(kept)

    # ── after ──

    def close(self) -> int:
        """The turn is over: forget what is as it was. About how many bytes are left."""
        self._entries = [each for each in self._entries if not each[0](each[2], each[3])]
        for value, before in self._unknown:
            if before is None or _pickled(value) != before:
                self.lost.append(f"a {type(value).__name__}, of which nobody can say what it was")
        self._unknown = []
        self._seen = {}
        return sum(_ENTRY_BYTES + sys.getsizeof(each[3]) for each in self._entries)

    def put_back(self) -> None:
        """Let all be again what it was."""
        for _, put, target, kept in reversed(self._entries):
            put(target, kept)


def _same_slot(slot: tuple[dict[Any, Any], Any], value: Any) -> bool:
    return dict.get(*slot, _ABSENT) is value


def _put_slot(slot: tuple[dict[Any, Any], Any], value: Any) -> None:
    mapping, key = slot
    if value is _ABSENT:
        dict.pop(mapping, key, None)
    else:
        dict.__setitem__(mapping, key, value)


def _same_member(member: tuple[Any, Any], was_in: bool) -> bool:
    return (member[1] in member[0]) is was_in


def _put_member(member: tuple[Any, Any], was_in: bool) -> None:
    (member[0].add if was_in else member[0].discard)(member[1])


def _is_as_long(items: list[Any], length: int) -> bool:
    return len(items) <= length


def _cut(items: list[Any], length: int) -> None:
    del items[length:]


def _same_attribute(attribute: tuple[object, str], value: Any) -> bool:
    return getattr(*attribute) is value


def _put_attribute(attribute: tuple[object, str], value: Any) -> None:
    setattr(*attribute, value)


def _same_part(kept: Kept, _: None) -> bool:
    return not kept.close()


def _put_part(kept: Kept, _: None) -> None:
    kept.put_back()


def _pickled(value: Any) -> bytes | None:
    try:
        return pickle.dumps(value)
    except Exception:  # noqa: BLE001  the border to user code
        return None
