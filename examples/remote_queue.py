"""Both ends of a queue whose writers and reader share no memory. Knows lanes, not what carries packets between them.

A writer fills an ordinary lane, that of its `Outbox`. A packet is shipped when it is appended and *stays in that lane*
until the reader has worked it and acknowledged that. So one bound, which `Lane` keeps already, covers what waits at the
writer, on the way and at the reader; and what arrives finds room: whoever carries it never waits, and cannot deadlock.
A signal is shipped in its place, the stop signal behind the last packet. Two copies of each packet are the price.

The hand belongs to the reader's end. It can borrow no room from writers who do not see it, so one place of a queue is
kept for it (where there is more than one for each writer).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Literal

from runtime.communication.inbox import Inbox
from runtime.communication.lane import Lane, LaneSpec
from runtime.errors import QueueUnreachable
from runtime.scheduling.parker import Waiter

Verb = Literal["packet", "signal", "look up"]
Send = Callable[[Verb, Any], None]
"""Carries something to `Arrivals.receive`, in order, without waiting for the reader.

Raises what pickling raises, and `QueueUnreachable` when nothing can get there any more: the reader hears that, too."""


def places(capacity: int, producers: int) -> tuple[int, int]:
    """Divide a queue's capacity: what each producer's lane may hold, and what is kept for the hand."""
    if producers == 0:
        return 0, capacity
    share = max(1, (capacity - 1) // producers)
    return share, max(1, capacity - producers * share)


class Outbox:
    """The writer's end of one lane: `lane` is what it fills. One thread fills; any one thread acknowledges."""

    asleep = True  # always, so that every append is followed by `wake`, which ships
    hand_waits = 0

    def __init__(self, producer: str, capacity: int, writer: Waiter, send: Send) -> None:
        self.lane = Lane(self, LaneSpec(producer), capacity)
        self.lane.filled_by(writer)
        self.reader = _FarReader(send)
        self._send = send
        # Guards which packets of the lane have been shipped: the writer ships, an acknowledgement deletes.
        self._lock = threading.Lock()
        self._shipped = 0

    def wake(self) -> None:
        """Ship what has been appended. A packet that cannot be is taken back, and counts as refused."""
        lane, items = self.lane, self.lane.items
        with self._lock:
            while lane.signals or self._shipped < len(items):
                if lane.signals and lane.signals[0][0] <= lane.taken + self._shipped:
                    signal = lane.take_signal()
                    with suppress(*[QueueUnreachable] if signal.is_last else ()):
                        self._send("signal", signal)
                    continue
                try:
                    self._send("packet", items[self._shipped])
                    self._shipped += 1
                except BaseException:
                    del items[self._shipped :]
                    lane.refused += 1
                    raise

    @property
    def sent(self) -> int:
        """How many packets have been appended so far."""
        with self._lock:
            return self.lane.taken + len(self.lane.items)

    def acknowledge(self, count: int) -> None:
        """The reader has worked `count` more packets: they leave, and a writer who is held back may go on."""
        with self._lock:
            self.lane.drop(count)
            self._shipped -= count
        if self.lane.held_back and self.lane.has_room():
            self.lane.give_room()

    def hear_signal(self) -> None:
        """Writer: a signal has been put."""
        if self.asleep:
            self.wake()

    def notify_hand(self) -> None:
        """No hand waits here: it is at the reader's end."""


class _FarReader(Waiter):
    """The reader, as far as a writer who is held back needs it."""

    def __init__(self, send: Send) -> None:
        self._send = send

    def request_yield(self) -> None:
        """Let it look up, wherever it is."""
        self._send("look up", None)


class Arrivals(Inbox):
    """The reader's end: an inbox that tells writers what has been worked, by `acknowledge(number of lane, count)`."""

    __slots__ = ("_acknowledge", "_broken")

    def __init__(self, capacity: int, lanes: Sequence[LaneSpec], acknowledge: Callable[[int, int], None]) -> None:
        super().__init__(capacity, lanes)
        self._acknowledge = acknowledge
        self._broken: BaseException | None = None
        share, of_hand = places(capacity, len(lanes))
        self.hand.give_room(of_hand)
        for lane in self.lanes[1:]:
            lane.resize(share - lane.capacity)
            lane.claim_all()  # so the hand borrows nothing of it

    def receive(self, number: int, verb: Verb, value: Any) -> None:
        """Take what a writer has sent down lane `number`, counted without the hand's. One thread at a time per lane."""
        if verb == "packet":
            self.lanes[number + 1].items.append(value)  # not `put`: its room was found in the writer's lane
            if self.asleep:
                self.wake()
        elif verb == "signal":
            self.lanes[number + 1].put_signal(value)
        else:
            self.reader.request_yield()

    def fail(self, error: BaseException) -> None:
        """Nothing more can arrive: the task ends with `error`, behind the batch in work. Any thread."""
        self._broken = error
        self.wake()

    def drop(self, lane: Lane, count: int) -> None:
        """Delete packets from the front of `lane`, and let its writer do so, too."""
        super().drop(lane, count)
        if lane is not self.hand.lane:
            self._acknowledge(self.lanes.index(lane) - 1, count)

    def ready(self) -> bool:
        """Whether there is anything to take, or to raise."""
        return self._broken is not None or super().ready()

    def wait(self) -> None:
        """Return when there is something to take. Raises `Cancelled`, and what `fail` was given."""
        super().wait()
        if self._broken is not None:
            raise self._broken
