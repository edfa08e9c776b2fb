"""BeforeImage: what objects were before user code had them, kept by what that has changed alone. Knows no task.

From each root it visits all that can change, once, and keeps one shallow copy of each (`kinds.py`). When the user's
code is over, what is as it was is forgotten. So what is kept is what was changed, however large the rest is, and it is
put back into the very objects.
"""

from __future__ import annotations

import pickle
import sys
from collections.abc import Iterable, MutableMapping, MutableSet
from typing import Any, Final

from runtime.back.kinds import PLAIN_CONTAINERS, UNKNOWN, Kind, Kinds, kinds_of
from runtime.operators.memory import Kept

MOST_BYTES: Final = 64 * 2**20
"""How much is kept of one step."""

_ABSENT: Final = object()
_Layer = tuple[Any, Kind, Any]
"""An object, one of its layers, and what that was."""


class TooLarge(Exception):
    """There is more than may be kept."""


class BeforeImage:
    """What one turn may change. `lost` says what of it has changed and cannot be put back, as text."""

    def __init__(self, known: dict[type, Kinds]) -> None:
        self._known = known  # the layers of classes that were met before
        self._layers: list[_Layer] = []
        self._slots: list[tuple[MutableMapping[Any, Any], Any, Any]] = []
        self._sets: list[tuple[MutableSet[Any], Any, bool]] = []
        self._grown: list[tuple[list[Any], int]] = []
        self._attributes: list[tuple[object, str, Any]] = []
        self._parts: list[Kept] = []
        self._unknown: list[tuple[Any, bytes | None]] = []
        self._seen: dict[int, Any] = {}  # by id; holds them, or another object would have that id
        self._left = 0
        self.lost: list[str] = []

    # ── before ──

    def slot(self, mapping: MutableMapping[Any, Any], key: Any) -> None:
        """Keep what a mapping has for a key, and what that is; or that there is nothing."""
        value = mapping.get(key, _ABSENT)
        self._slots.append((mapping, key, value))
        self.values((value,))

    def member(self, members: MutableSet[Any], key: Any) -> None:
        """Keep whether a key is in a set."""
        self._sets.append((members, key, key in members))

    def values(self, roots: Iterable[Any], most_bytes: int = MOST_BYTES) -> None:
        """Keep what these are, and all that is in them. Raises `TooLarge`."""
        self._left = most_bytes
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
                self._layers.append((value, layer, kept))
                self._left -= sys.getsizeof(kept)
                if self._left < 0:
                    raise TooLarge
                todo += layer.parts(kept)

    def grows(self, items: list[Any]) -> None:
        """Keep how long a list is, which only grows."""
        self._grown.append((items, len(items)))

    def attributes(self, owner: object, names: Iterable[str]) -> None:
        """Keep what attributes of an object are, and what is in them if they are lists, sets or dicts."""
        for name in names:
            value = getattr(owner, name)
            self._attributes.append((owner, name, value))
            if (kind := PLAIN_CONTAINERS.get(type(value))) is not None:
                self._layers.append((value, kind, kind.keep(value)))

    def part(self, kept: Kept) -> None:
        """Keep something that says itself whether it has changed."""
        self._parts.append(kept)

    # ── after ──

    def close(self) -> int:
        """The turn is over: forget what is as it was. About how many bytes are left."""
        self._layers = [each for each in self._layers if not each[1].same(each[0], each[2])]
        self._slots = [each for each in self._slots if each[0].get(each[1], _ABSENT) is not each[2]]
        self._sets = [each for each in self._sets if (each[1] in each[0]) is not each[2]]
        self._grown = [each for each in self._grown if len(each[0]) > each[1]]
        self._attributes = [each for each in self._attributes if getattr(each[0], each[1]) is not each[2]]
        self._parts = [each for each in self._parts if each.close()]
        for value, before in self._unknown:
            if before is None or _pickled(value) != before:
                self.lost.append(f"a {type(value).__name__}, of which nobody can say what it was")
        self._unknown = []
        self._seen = {}
        return sum(sys.getsizeof(kept) for _, _, kept in self._layers) + 100 * len(self._slots)

    def put_back(self) -> None:
        """Let all be again what it was."""
        for value, layer, kept in reversed(self._layers):
            layer.put(value, kept)
        for mapping, key, value in reversed(self._slots):
            if value is _ABSENT:
                mapping.pop(key, None)
            else:
                mapping[key] = value
        for part in self._parts:
            part.put_back()
        for items, length in self._grown:
            del items[length:]
        for owner, name, value in self._attributes:
            setattr(owner, name, value)
        for members, key, was_in in self._sets:
            if was_in:
                members.add(key)
            else:
                members.discard(key)


def _pickled(value: Any) -> bytes | None:
    try:
        return pickle.dumps(value)
    except Exception:  # noqa: BLE001  the border to user code
        return None
