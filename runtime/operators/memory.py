"""Copies of what is remembered by key: of one key or of all, to be put back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, MutableMapping, MutableSet
from copy import deepcopy
from typing import Any, Final, Protocol

from runtime.texts.sentinel import Sentinel

ALL: Final[Any] = Sentinel("ALL", __name__)
"""Stands for every key."""


class Kept(Protocol):
    """Something that one turn may change, as it was before that."""

    def close(self) -> bool:
        """The turn is over: whether it has been changed."""

    def put_back(self) -> None:
        """Let it be as it was."""


class Keeping(Protocol):
    """What keeps, before a turn of a task, all that this may change, to put it back."""

    def slot(self, mapping: dict[Any, Any], key: Any) -> None:
        """Keep what a mapping has for a key, and what is in that; or that there is nothing."""

    def member(self, members: MutableSet[Any], key: Any) -> None:
        """Keep whether a key is in a set."""

    def grows(self, items: list[Any]) -> None:
        """Keep how long a list is, which only grows."""

    def values(self, roots: Iterable[Any]) -> None:
        """Keep what is in all these."""

    def attributes(self, owner: object, names: Iterable[str]) -> None:
        """Keep what attributes of an object are, and what is in them if they are lists, sets or dicts."""

    def part(self, kept: Kept) -> None:
        """Keep something that says itself whether it has changed."""


Mapped = tuple[Any, dict[Any, Any]]
"""Of a mapping: a key, or `ALL`, and what it had for that; nothing for a key that was not there."""


def copy_of(mapping: MutableMapping[Any, Any], key: Any) -> Mapped:
    """What it has for this key, or for `ALL`, by value."""
    if key is ALL:
        return key, deepcopy(dict(mapping))
    return key, {key: deepcopy(mapping[key])} if key in mapping else {}


def put_back(
    mapping: MutableMapping[Any, Any], copied: Mapped, into: Callable[[Any, Any], Any] = lambda own, value: value
) -> None:
    """Let it have again what it had then; of what was copied, nothing changes. The order of keys is what it was.

    `into(own, value)` is what a key gets that has something of its own.
    """
    copied_key, before = copied
    values = {key: into(mapping[key], value) if key in mapping else value for key, value in deepcopy(before).items()}
    if copied_key is ALL:
        mapping.clear()
    elif copied_key not in values:
        mapping.pop(copied_key, None)
    mapping.update(values)
