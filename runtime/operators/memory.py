"""Copies of what is remembered by key: of one key or of all, to be put back."""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from copy import deepcopy
from typing import Any, Final, NamedTuple

from runtime.texts.sentinel import Sentinel

ALL: Final[Any] = Sentinel("ALL", __name__)
"""Stands for every key."""


class Part(NamedTuple):
    """Of a mapping, what it had for `key`, or for all; `values` is without a key that was not there."""

    key: Any
    values: dict[Any, Any]


def copy_of(mapping: MutableMapping[Any, Any], key: Any) -> Part:
    """What it has for this key, or for `ALL`, by value."""
    if key is ALL:
        return Part(key, deepcopy(dict(mapping)))
    return Part(key, {key: deepcopy(mapping[key])} if key in mapping else {})


def put_back(
    mapping: MutableMapping[Any, Any], part: Part, into: Callable[[Any, Any], Any] = lambda own, value: value
) -> None:
    """Let it have again what it had then; of the part, nothing changes. The order of keys is what it was.

    `into(own, value)` is what a key gets that has something of its own.
    """
    values = {
        key: into(mapping[key], value) if key in mapping else value for key, value in deepcopy(part.values).items()
    }
    if part.key is ALL:
        mapping.clear()
    elif part.key not in values:
        mapping.pop(part.key, None)
    mapping.update(values)
