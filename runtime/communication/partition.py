"""Which instance a key belongs to, by its digest, and what is remembered of that. Knows only keys."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Generic, TypeVar

from runtime.communication.digest import stable_digest, unstable_key
from runtime.python.size import estimated_size

T = TypeVar("T")

MOST_KEYS: Final = 65_536
"""How many keys one edge of a producer remembers the instance of."""

MOST_BYTES: Final = 8_000_000
"""How much memory they may take, as `estimated_size` has it."""


class Partition(Generic[T]):
    """Which of `targets` a key belongs to.

    What was found is remembered in `known`, by the key's type and then by the key, where a caller in a hurry may look
    first. A dict compares keys as Python does, and equal keys have equal digests, so remembering changes nothing. By
    type, because a key whose class is refused may equal one that is not. It is bounded, in number and in bytes.
    """

    def __init__(self, targets: Sequence[T]) -> None:
        self.known: dict[type, dict[Any, T]] = {}
        self._targets = targets
        self._count = self._bytes = 0

    def find(self, key: Any) -> T:
        """The target of `key`. Raises `UnstableKey`."""
        kind = type(key)
        try:
            target = self.known[kind].get(key) if kind in self.known else None
        except Exception as error:  # the border to user code; mostly it cannot be hashed
            raise unstable_key(key) from error
        if target is None:
            target = self._targets[stable_digest(key) % len(self._targets)]
            self._remember(kind, key, target)
        return target

    def forget(self) -> None:
        """Let go of every key."""
        self.known.clear()
        self._count = self._bytes = 0

    def _remember(self, kind: type, key: Any, target: T) -> None:
        size = estimated_size(key)
        if size > MOST_BYTES:
            return
        if self._count >= MOST_KEYS or self._bytes + size > MOST_BYTES:
            self.forget()
        try:
            self.known.setdefault(kind, {})[key] = target
        except Exception as error:  # the border to user code
            raise unstable_key(key) from error
        self._count += 1
        self._bytes += size
