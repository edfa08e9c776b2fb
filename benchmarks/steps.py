"""What is done with packets: the same functions for the runtime, for threads and for a plain loop."""

from __future__ import annotations

import time
from typing import Final

NAP_S: Final = 0.001


def add_one(value: int) -> int:
    """A map."""
    return value + 1


def is_even(value: int) -> bool:
    """A filter."""
    return value % 2 == 0


def double(value: int) -> int:
    """Another map."""
    return value * 2


def same(value: str) -> str:
    """A key function: the packet is its own key."""
    return value


def lower(value: str) -> str:
    """A map of text."""
    return value.lower()


def nap(value: int) -> int:
    """A map that waits for something outside, as input and output do, and lets go of the GIL."""
    time.sleep(NAP_S)
    return value


Row = tuple[int, int]
"""A key and what belongs to it."""


def key_of(row: Row) -> int:
    """A key function."""
    return row[0]


def merge(left: Row, right: Row) -> Row:
    """One row of two."""
    return (left[0], left[1] + right[1])


Sale = tuple[str, int]
"""A shop and an amount."""


def shop_of(sale: Sale) -> str:
    """A key function."""
    return sale[0]


def add_up(total: int, amount: int) -> int:
    """A fold."""
    return total + amount


def count_one(total: int, _value: object) -> int:
    """A fold that counts."""
    return total + 1


def add_sale(total: int, sale: Sale) -> int:
    """A fold of rows."""
    return total + sale[1]


class Count:
    """Counts packets; used by one thread."""

    def __init__(self) -> None:
        self.value = 0

    def count(self, _value: object) -> None:
        """A sink."""
        self.value += 1


def words(packets: int, different: int) -> list[str]:
    """`packets` words, each of `different` ones equally often."""
    names = [f"word-{number}" for number in range(different)]
    return [names[number % different] for number in range(packets)]


class Adder:
    """A service whose method does next to nothing."""

    def process(self, value: int) -> int:
        """One more."""
        return value + 1
