"""A task's input queue: one lane per producer, and one for the hand. Knows lanes and who waits; nothing of tasks.

The hand is whoever puts packets in from outside, from any thread: it is one more producer, and it never waits inside
the lane protocol. It has no room of its own but what the producers' shares leave over; it *borrows* a free place from a
producer's lane, and the reader gives it back when the hand's packet is taken. So the sum of all lanes' capacities never
changes, and a queue never holds more than its capacity (or one per lane, where that is more).

Borrowing is exact without stopping the writer: the hand lowers the lane's capacity first and looks at its length and at
the writer's claim then. A writer that had looked at the room before may still append that many, and one `put` besides.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from time import monotonic
from typing import Any

from runtime.communication.lane import Lane, NoWaiter, StopSignal, Waiter, parked_lock, ring
from runtime.errors import PacketGone, QueueFull, TaskEnded
from runtime.facts import Ending

HAND = "hand"
"""The producer name of what is put in from outside."""


@dataclass(frozen=True, slots=True)
class LaneSpec:
    """Who fills a lane, and which input of the operator it belongs to."""

    producer: str
    input: int = 0


def shares(capacity: int, producers: int) -> tuple[int, int]:
    """Divide a queue's capacity: what each producer's lane may hold, and what is left over for the hand."""
    if producers == 0:
        return 0, capacity
    share = max(1, capacity // producers)
    left_over = max(0, capacity - producers * share)
    return share, 1 if share == 1 and left_over == 0 else left_over


class Inbox:
    """All that waits for one task. `len` is the number of packets; an empty inbox is false, so compare with None.

    One thread reads: `wait`, `gather`, `drop`, `retire`. Any thread may call `inject`, `end_hand`, `len`.
    """

    __slots__ = (
        "__weakref__",
        "_alarm",
        "_borrowed",
        "_closed_inputs",
        "_hand_room",
        "_open",
        "asleep",
        "capacity",
        "gate",
        "hand",
        "hand_waits",
        "lanes",
        "marked",
        "removed",
    )

    def __init__(self, capacity: int, lanes: Sequence[LaneSpec]) -> None:
        self.gate: Waiter = NoWaiter()  # the reader's, from the moment it is there
        self.capacity = capacity
        self.asleep = False
        self._alarm = parked_lock()
        share, left_over = shares(capacity, len(lanes))
        self.hand = Lane(self, HAND, left_over)
        self.lanes = [self.hand, *(Lane(self, spec.producer, share, spec.input) for spec in lanes)]
        self._open = list(self.lanes)  # in the order in which they are looked at; without the retired ones
        # Guards the hand's lane (its items and signal as seen by writers), all that is borrowed, and the closed inputs.
        self._hand_room = threading.Condition(threading.Lock())
        self._borrowed: list[Lane] = []
        self._closed_inputs: set[int] = set()
        self.removed = 0  # packets that the hand has taken out
        self.marked: Callable[[Any], Any] | None = None  # of a traced job: what an item of the hand becomes
        self.hand_waits = 0  # how many threads wait for room for the hand

    def __len__(self) -> int:
        return sum([len(lane.items) for lane in self.lanes])

    def unworked(self) -> int:
        """After the end of all who use it: how many packets that were sent here are left; some may be on their way."""
        return len(self)

    # ── the reader ──

    def gather(self, count: int) -> tuple[list[Any], list[tuple[Lane, int]]]:
        """Copy up to `count` packets from the fronts of the lanes, and say how many of each, in the order of the copy.

        Lanes have their turn: the next call begins behind the last lane that this one came to.
        """
        lanes = self._open
        batch: list[Any] = []
        parts: list[tuple[Lane, int]] = []
        for position, lane in enumerate(lanes, 1):
            if lane.items:
                part = lane.items[: count - len(batch)]
                parts.append((lane, len(part)))
                batch = batch + part if batch else part
                if len(batch) == count:
                    if position < len(lanes):
                        self._open = lanes[position:] + lanes[:position]
                    break
        return batch, parts

    def front(self) -> tuple[int, Any] | None:
        """What `gather(1)` will return: the number of its lane, and the item; whatever comes meanwhile."""
        lanes = self._open
        for position, lane in enumerate(lanes):
            if lane.items:
                self._open = lanes[position:] + lanes[:position]  # else one before it may have filled by then
                return self.lanes.index(lane), lane.items[0]
        return None

    def ended_lane(self) -> Lane | None:
        """A lane of which nothing is left but its stop signal."""
        for lane in self._open:
            if lane.signal is not None and not lane.items:
                return lane
        return None

    def ready(self) -> bool:
        """Whether there is anything to take."""
        for lane in self._open:  # noqa: SIM110  any() over a generator takes three times as long
            if lane.items or lane.signal is not None:
                return True
        return False

    def wait(self) -> None:
        """Return when there is something to take. Raises Cancelled."""
        while not self.ready():
            self._alarm.acquire(False)  # a ring from before, that would let the task seem to run for a moment
            self.asleep = True
            for lane in self._open:
                lane.writer.look_up = True  # a writer in the middle of a batch rings after its next packet
            if not self.ready():
                self.gate.park(self._alarm, self.ready, "idle")
            self.asleep = False

    def wake(self) -> None:
        """Writer: wake the reader, who was asleep."""
        self.asleep = False
        ring(self._alarm)

    def drop(self, lane: Lane, count: int) -> None:
        """Delete packets from the front of `lane`; of the hand's lane, give back the room."""
        lane.drop(count)
        if lane is self.hand:
            with self._hand_room:
                self._give_back()
        if self.hand_waits:
            self.notify_hand()

    def let_in(self) -> None:
        """Wake every writer that is held back and has room. (Low water is for a reader at work.)"""
        for lane in self._open:
            if lane.held_back and lane.has_room():
                lane.give_room()

    def retire(self, lane: Lane) -> None:
        """Look at `lane` no more: its stop signal has been taken."""
        self._open = [each for each in self._open if each is not lane]
        if self.hand_waits:
            self.notify_hand()

    def open_inputs(self) -> set[int]:
        """The inputs of which some producer's stop signal has not been taken."""
        return {lane.input for lane in self._open if lane is not self.hand}

    def close_input(self, number: int) -> int:
        """Of several inputs, one that its producers have ended: from now on the hand is refused there, too.

        Returns how many packets of the hand have been accepted before, for any input.
        """
        with self._hand_room:
            self._closed_inputs.add(number)
            self._hand_room.notify_all()
            return self.hand.taken + len(self.hand.items)

    # ── the hand, while the reader stands at its closed gate ──

    def exchange(self, lane: Lane, index: int, item: Any) -> Any:
        """Put `item` in the place of another, which is returned."""
        before, lane.items[index] = lane.items[index], item
        return before

    def remove(self, lane: Lane, index: int) -> Any:
        """Take an item out; it counts as taken, and as `removed`. Its place is free for the next."""
        item = lane.items[index]
        with self._hand_room:
            del lane.items[index]
            lane.taken += 1
            self.removed += 1
            if lane is self.hand:
                self._give_back()
            elif lane.held_back and lane.has_room():
                lane.give_room()
            self._hand_room.notify_all()
        return item

    def put_back(self, lane: Lane, index: int, item: Any) -> None:
        """Undo `remove`. Raises `QueueFull` if its place has been taken, `PacketGone` if the end has come behind it."""
        with self._hand_room:
            is_ended = lane is self.hand and self._closed_inputs and item[0] in self._closed_inputs
            if is_ended or lane not in self._open:
                raise PacketGone("the packet's producer has ended, and what follows from that has begun")
            if lane is self.hand:
                fits = self._find_room()
            else:
                lane.resize(-1)  # until it is in; and said before the claim is read, as in `_find_room`
                promised = 0 if lane.signal is not None else lane.claim + lane.writer.is_at_work()
                fits = len(lane.items) + promised <= lane.capacity
            if fits:
                lane.items.insert(index, item)
                lane.taken -= 1
                self.removed -= 1
            if lane is not self.hand:
                self._return_to(lane)
            self.wake()  # it may have been the only one
        if not fits:
            raise QueueFull("the place of the dropped packet has been taken, or is promised to its producer")

    def shift(self, lane: Lane, index: int, to: int) -> None:
        """Move an item within its lane: one step, in which the lane is never shorter."""
        low, high = min(index, to), max(index, to) + 1
        part = lane.items[low:high]
        part.insert(to - low, part.pop(index - low))
        lane.items[low:high] = part

    # ── the hand ──

    def inject(self, item: Any, timeout_s: float | None = 0) -> None:
        """Put `item` in by hand: `inject_everywhere` with one inbox."""
        inject_everywhere([self], item, timeout_s)

    def _wait_for_room(self, item: Any, timeout_s: float | None) -> None:
        """Hand: wait until there seems to be room for `item`. Raises `TaskEnded`, `QueueFull`."""
        with self._hand_room:
            self.hand_waits += 1  # before room is looked for: the reader deletes first and reads this then
            try:
                if not self._hand_room.wait_for(lambda: self._admits(item), timeout_s):
                    raise QueueFull(
                        f"{len(self)} of {self.capacity} places are taken, and the rest is promised to producers at "
                        "work; wait for room with timeout=, or raise the capacity"
                    )
                self._give_back()
            finally:
                self.hand_waits -= 1

    def _accept(self, item: Any) -> None:
        """Take an item of the hand for which there is room. Under the lock."""
        try:
            self.hand.items.append(item if self.marked is None else self.marked(item))
            if self.asleep:
                self.wake()
        except BaseException:  # an interrupt of the main thread may fall between any two of these steps
            self.wake()
            raise

    def _admits(self, item: Any) -> bool:
        """Whether `item` of the hand can be put in now. Under the lock. Raises TaskEnded."""
        self._require_open(item)
        return self._find_room()

    def _require_open(self, item: Any) -> None:
        """Raise `TaskEnded` if `item` of the hand comes too late. Under the lock."""
        if self.hand.signal is not None or self.gate.cancelled:
            raise TaskEnded("the task has ended or is ending; nothing can be put in any more")
        if self._closed_inputs and item[0] in self._closed_inputs:  # of several inputs it names one, see joined_feed.py
            raise TaskEnded(f"all producers of input {item[0]} have ended; nothing can be put in there any more")

    def end_hand(self, how: Ending) -> bool:
        """Close the hand's lane; what it holds is still worked. False if it was closed already."""
        with self._hand_room:
            if self.hand.signal is not None:
                return False
            try:
                self.hand.signal = StopSignal(HAND, how)
                self._hand_room.notify_all()
            finally:
                self.wake()
        return True

    def notify_hand(self) -> None:
        """Wake whoever waits to put something in: there may be room, or the task is cancelled."""
        with self._hand_room:
            self._hand_room.notify_all()

    def _find_room(self) -> bool:
        """Whether the hand's lane has a place, borrowed if need be. Under the lock."""
        if self.hand.has_room():
            return True
        for lane in sorted(self.lanes[1:], key=lambda lane: len(lane.items) - lane.capacity):
            lane.resize(-1)
            promised = 0 if lane.signal is not None else lane.claim + 1
            if len(lane.items) + promised <= lane.capacity:
                self._borrowed.append(lane)
                self.hand.capacity += 1
                return True
            self._return_to(lane)
        return False

    def _give_back(self) -> None:
        """Return the places that the hand's packets no longer need. Under the lock."""
        while self._borrowed and self.hand.has_room():
            self.hand.capacity -= 1
            self._return_to(self._borrowed.pop())

    @staticmethod
    def _return_to(lane: Lane) -> None:
        lane.resize(1)
        if lane.held_back and lane.has_room():
            lane.give_room()


def inject_everywhere(inboxes: Sequence[Inbox], item: Any, timeout_s: float | None) -> None:
    """Put `item` by hand into all of `inboxes`, or into none. Accepted before their ends, or refused.

    Waits at most `timeout_s` for room (None: without limit). Raises `TaskEnded` once one of the hand's lanes is closed
    or its task cancelled, `QueueFull` if one has no room. Locks are taken in the given order, which has to be the same
    for all who call.
    """
    deadline = None if timeout_s is None else monotonic() + timeout_s
    while True:
        with ExitStack() as locks:
            for inbox in inboxes:
                locks.enter_context(inbox._hand_room)
            for inbox in inboxes:
                inbox._require_open(item)  # all of them, before room is borrowed in any
            full = next((inbox for inbox in inboxes if not inbox._find_room()), None)
            for inbox in inboxes:
                if full is None:
                    inbox._accept(item)
                else:
                    inbox._give_back()
        if full is None:
            return
        full._wait_for_room(item, None if deadline is None else max(0.0, deadline - monotonic()))
