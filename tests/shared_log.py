"""A list that a test and the functions it has given to a session have in common."""

from __future__ import annotations

from typing import Any, Self, TypeVar

T = TypeVar("T")


class Log(list[T]):
    """A list that stays the same one where a Function that refers to it is copied, as each is for each run."""

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self
