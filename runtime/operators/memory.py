"""Copies of what is remembered by key: of one key or of all, to be put back."""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from copy import deepcopy
from typing import Any, Final

from runtime.texts.sentinel import Sentinel

ALL: Final[Any] = Sentinel("ALL", __name__)
"""Stands for every key."""


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
