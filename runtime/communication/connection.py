"""From a task to one lane of another task's queue, as a value; and the bundle of them that one edge of the graph is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from runtime.communication.element import Format
from runtime.communication.free_instances import FreeInstances
from runtime.communication.lane import Lane
from runtime.communication.queue_descriptor import QueueDescriptor
from runtime.graph.execution_graph import Strategy
from runtime.scheduling.parker import Waiter


@dataclass(frozen=True, slots=True)
class Connection:
    """One producer's way into one queue: lane `lane` (counted without the hand's) of the queue described."""

    queue: QueueDescriptor
    lane: int

    def open(self, writer: Waiter) -> Lane:
        """The lane, to be filled by `writer` alone from now on. Raises `QueueUnreachable`."""
        return self.queue.open_lane(self.lane, writer)


@dataclass(frozen=True, slots=True)
class Output:
    """What one task sends along one edge: connections to all instances of a target; who gets which packet, as what.

    `free` says who is, where each packet goes to the first free instance.
    """

    target: str
    strategy: Strategy
    connections: tuple[Connection, ...]
    format: Format
    key: Callable[[Any], Any] | None = None
    free: FreeInstances | None = None
