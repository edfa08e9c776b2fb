"""A batch: packets from the fronts of lanes, that are worked one after the other. Knows how far it has come.

It is a copy of the fronts. What has been worked is deleted after the batch, or before the task waits in the middle of
it; the rest has never left its lanes. How far it has come is read from its iterator (`length_hint` of a list's iterator
is exact), so nothing is counted per packet.
"""

from __future__ import annotations

from collections.abc import Iterator
from operator import length_hint
from time import perf_counter
from typing import Any

from runtime.communication.inbox import Inbox
from runtime.communication.lane import Lane


class Batch:
    """The batch in work, or none. Used by the task's thread alone."""

    __slots__ = ("_here", "_inbox", "first", "items", "parts", "rest")

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox
        self.items: list[Any] = []
        self.parts: list[tuple[Lane, int]] = []  # how many of it are still in which lane, in order
        self._here = 0  # the sum of these
        self.rest: Iterator[Any] = iter(())
        self.first: Lane = inbox.hand.lane  # the lane of its first packet

    def take(self, count: int) -> bool:
        """Copy up to `count` packets. False: there are none to be taken."""
        items, self.parts = self._inbox.gather(count)
        if not items:
            return False
        self.items, self._here = items, len(items)
        self.rest = iter(items)
        self.first = self.parts[0][0]
        return True

    def leave_if_single(self) -> None:
        """A single packet leaves at once: what is in work does not wait."""
        if self._here == 1:
            self._drop(1)

    def settle(self) -> None:
        """Delete what has been worked, and what is in work."""
        worked = self._here - length_hint(self.rest)
        if worked > 0:
            self._drop(worked)

    def close(self) -> int:
        """Delete what has been worked; the rest stays in its lanes. How many have been worked or begun."""
        left = length_hint(self.rest)
        if left < self._here:
            self._drop(self._here - left)
        done = len(self.items) - left
        self.items.clear()  # the traceback of an error holds frames that hold its iterator
        self.items, self.rest, self._here = [], iter(()), 0
        return done

    def begun(self) -> int:
        """How many have been taken. Any thread."""
        return len(self.items) - length_hint(self.rest)

    def position(self) -> int:
        """How many packets of its lane were before the only one of this batch, which has left."""
        return self.first.taken - 1

    def in_work(self) -> tuple[Any, ...]:
        """The item that was taken last; empty if none was."""
        begun = len(self.items) - length_hint(self.rest)
        return (self.items[begun - 1],) if begun else ()

    def _drop(self, count: int) -> None:
        """Delete the first `count` packets of the batch that are still in their lanes."""
        self._here -= count
        parts = self.parts
        while count:
            lane, length = parts[0]
            if length > count:
                parts[0] = (lane, length - count)
                self._inbox.drop(lane, count)
                return
            del parts[0]
            self._inbox.drop(lane, length)
            count -= length


class KeptBatch(Batch):
    """One whose packet in work stays in its lane until it is done: it may have to be worked again."""

    __slots__ = ("_keeps",)

    def __init__(self, inbox: Inbox) -> None:
        super().__init__(inbox)
        self._keeps = False  # the packet that was taken last: it is in work, or held

    def take(self, count: int) -> bool:
        """Copy up to `count` packets. False: there are none to be taken."""
        self._keeps = False
        return super().take(count)

    def keep(self, is_kept: bool) -> None:
        """Whether the packet that was taken last stays: it is in work, or held."""
        self._keeps = is_kept

    def leave_if_single(self) -> None:
        """It stays."""

    def position(self) -> int:
        """How many packets of its lane were before the only one of this batch, which is still there."""
        return self.first.taken

    def settle(self) -> None:
        """Delete what has been worked."""
        leave = self._here - length_hint(self.rest) - self._keeps
        if leave > 0:
            self._drop(leave)

    def lane_in_work(self) -> Lane:
        """In which lane the packet in work is; it is the first one there."""
        self.settle()
        return self.parts[0][0]

    def end_in_work(self) -> Lane:
        """End the batch with the packet in work, which is to stay where it is. Returns its lane."""
        lane = self.lane_in_work()
        del self.items[self.begun() :]  # the iterator ends here as well, whoever draws from it
        self.parts, self._here = [(lane, 1)], 1
        return lane

    def close(self) -> int:
        """Delete what has been worked; what is held, and the rest, stays. How many have been worked or begun."""
        self.settle()
        done = self.begun() - self._keeps
        self._here = length_hint(self.rest)  # nothing is left to be deleted
        super().close()
        return done


class BatchSize:
    """How many packets a batch may have: many where user code is quick, a single one where it is slow."""

    LARGEST = 1024
    QUICK_S = 0.001  # a batch that took less lets the next one grow
    SLOW_S = 0.004  # one that took more makes it shrink, down to single packets

    def __init__(self) -> None:
        self.packets = 1  # of the next batch
        self._began_s = 0.0  # the last one, or the wait for it

    def begin(self) -> None:
        """The first wait for a batch begins."""
        self._began_s = perf_counter()

    @property
    def began_s(self) -> float:
        """When the last one was over."""
        return self._began_s

    def end(self, done: int, *, has_waited: bool) -> float:
        """A batch of `done` packets is over. One that has waited says nothing about user code. Returns when it was."""
        now_s = perf_counter()
        took_s, self._began_s = now_s - self._began_s, now_s
        if has_waited:
            return now_s
        if took_s > self.SLOW_S:
            self.packets = max(1, int(done * self.QUICK_S / took_s))
        elif took_s < self.QUICK_S and done == self.packets < self.LARGEST:
            self.packets = min(self.packets * 2, self.LARGEST)
        return now_s
