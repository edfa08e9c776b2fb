"""Finds packets of a lane by their arrival numbers, also after the hand has reordered them. Knows lanes only.

Packets are numbered as they arrive. As long as nobody has changed a lane, the packet at `index` is number
`taken + index`. What the hand takes out counts as taken, so that is true again of all that arrive later: only those
that waited when the hand came need a list.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from runtime.communication.lane import Lane


class Order(NamedTuple):
    """The numbers of packets that waited at some time, in order; the first of them waited behind `taken` others."""

    numbers: list[int]
    taken: int


def number_at(lane: Lane, position: int) -> int:
    """The number of the packet behind `position` others, those that have left counted as well."""
    if (order := lane.order) is not None and 0 <= position - order.taken < len(order.numbers):
        return order.numbers[position - order.taken]
    return position


def index_of(lane: Lane, number: int) -> int | None:
    """Where a packet waits now, from the front; None if it does not. Of a lane whose reader stands still."""
    index = number - lane.taken
    if (order := lane.order) is not None and number < order.taken + len(order.numbers):
        left = lane.taken - order.taken
        index = order.numbers.index(number) - left if number in order.numbers else -1
    return index if 0 <= index < len(lane.items) else None


def has_left(lane: Lane, number: int) -> bool:
    """Whether a packet has left its lane for good. Also while its reader takes some: what is in a batch has not yet."""
    position = number
    if (order := lane.order) is not None and number < order.taken + len(order.numbers):
        if number not in order.numbers:
            return True
        position = order.taken + order.numbers.index(number)
    return position < lane.taken


def waiting(lane: Lane) -> list[int]:
    """The numbers of all packets that wait now, in order; a list of the caller's own."""
    return [number_at(lane, lane.taken + index) for index in range(len(lane.items))]
