"""Where a task's input queue is, as a value that can be pickled. Knows how to find a queue, not who uses it.

A descriptor is made when the graph is compiled, travels to whoever produces or consumes, and becomes the queue itself
only there, by `get_queue()`. Another kind of queue is another class with the same three members.
"""

from __future__ import annotations

import itertools
import os
import threading
from dataclasses import dataclass
from typing import Any, Protocol
from weakref import WeakValueDictionary

from runtime.communication.inbox import Inbox
from runtime.communication.lane import Lane, LaneSpec
from runtime.errors import QueueUnreachable
from runtime.scheduling.parker import Waiter


class QueueDescriptor(Protocol):
    """A picklable reference to the input queue of one task."""

    @property
    def task(self) -> str:
        """The name of the task that reads the queue."""

    @property
    def capacity(self) -> int:
        """How many packets may wait."""

    @property
    def lanes(self) -> tuple[LaneSpec, ...]:
        """Who fills the queue, in the order of the lanes; the hand's comes before them and is not named here."""

    def get_queue(self) -> Inbox:
        """Reader: the queue itself, the same one at every call. Raises `QueueUnreachable` where it does not exist."""

    def open_lane(self, number: int, writer: Waiter) -> Lane:
        """Writer: lane `number`, counted without the hand's, or here a lane whose packets get there.

        From now on it is filled by `writer` alone. Raises `QueueUnreachable`.
        """


# What the local descriptors of this process stand for, as long as its job holds it, or until it is released.
_queues: WeakValueDictionary[int, Any] = WeakValueDictionary()
_queues_lock = threading.Lock()  # guards _queues
_numbers = itertools.count(1)


def keep_queue(queue: Any) -> int:
    """Let a queue of this process be found again by a number, until `release_queue`, while somebody else holds it."""
    with _queues_lock:
        number = next(_numbers)
        _queues[number] = queue
        return number


def kept_queue(number: int, process: int, owner: str) -> Any:
    """The queue of this number. Raises `QueueUnreachable` in another process and when it has been released."""
    with _queues_lock:
        queue = _queues.get(number) if process == os.getpid() else None
    if queue is None:
        raise QueueUnreachable(
            f"the queue of {owner!r} was made in process {process} and is not in this one, {os.getpid()}: "
            "its job is over, or the task runs elsewhere and needs a backend whose queues reach it"
        )
    return queue


def release_queue(number: int) -> None:
    """Forget a queue; those who hold it may still use it."""
    with _queues_lock:
        _queues.pop(number, None)


@dataclass(frozen=True, slots=True)
class LocalQueueDescriptor:
    """A queue in the memory of the process that made it, by `LocalQueueDescriptor.make`."""

    task: str
    capacity: int
    lanes: tuple[LaneSpec, ...]
    process: int
    number: int

    @classmethod
    def make(cls, task: str, capacity: int, lanes: tuple[LaneSpec, ...]) -> tuple[LocalQueueDescriptor, Inbox]:
        """Make a queue here, and what refers to it, which finds it while somebody holds it, or until `release`."""
        inbox = Inbox(capacity, lanes)
        return cls(task, capacity, lanes, os.getpid(), keep_queue(inbox)), inbox

    def get_queue(self) -> Inbox:
        """The queue itself, the same one at every call. Raises `QueueUnreachable` elsewhere and when released."""
        queue: Inbox = kept_queue(self.number, self.process, self.task)
        return queue

    def open_lane(self, number: int, writer: Waiter) -> Lane:
        """Lane `number` of the queue, to be filled by `writer` alone from now on. Raises `QueueUnreachable`."""
        lane = self.get_queue().lanes[number + 1]
        lane.filled_by(writer)
        return lane

    def release(self) -> None:
        """Forget the queue; those who hold it may still use it."""
        release_queue(self.number)
