"""A task's input queue: one lane per producer, and one for the hand. Knows lanes and who waits; nothing of tasks.

One thread reads: it takes from the lanes in turn, and sleeps while all are empty. What is put in and changed by hand is
the `Hand`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from runtime.communication.hand import Hand
from runtime.communication.lane import Lane, LaneSpec
from runtime.facts import TaskState
from runtime.scheduling.parker import ABSENT, Ready, Waiter
from runtime.scheduling.wake_source import WakeSource, wait_for_any


def shares(capacity: int, producers: int) -> tuple[int, int]:
    """Divide a queue's capacity: what each producer's lane may hold, and what is left over for the hand."""
    if producers == 0:
        return 0, capacity
    share = max(1, capacity // producers)
    left_over = max(0, capacity - producers * share)
    return share, 1 if share == 1 and left_over == 0 else left_over


class Inbox:
    """All that waits for one task. `len` is the number of packets; an empty inbox is false, so compare with None.

    One thread reads; any may ask for the length.
    """

    turn_changes: Final = ("_held",)

    def __init__(self, capacity: int, lanes: Sequence[LaneSpec]) -> None:
        self.reader: Waiter = ABSENT
        self.capacity = capacity
        self.asleep = False
        self.hand_waits = 0  # how many packets of the hand wait for room
        self._is_called = False  # the reader is wanted elsewhere
        share, left_over = shares(capacity, len(lanes))
        self.hand = self._make_hand(left_over, several_inputs=len({spec.input for spec in lanes}) > 1)
        self.lanes = [self.hand.lane, *(Lane(self, spec, share) for spec in lanes)]
        self._open = list(self.lanes)  # in the order in which they are looked at; without the held and the retired
        self._signalled = False  # a lane may have a signal: said after it was put, cleared before it is looked for
        self._held: list[Lane] = []  # have brought a signal that waits for the same of the others

    def _make_hand(self, room: int, *, several_inputs: bool) -> Hand:
        return Hand(self, room, several_inputs=several_inputs)

    def __len__(self) -> int:
        return sum([len(lane.items) for lane in self.lanes])

    def unworked(self) -> int:
        """After the end of all who use it: how many packets that were sent here are left; some may be on their way."""
        return len(self)

    # ── the reader ──

    def read_by(self, reader: Waiter, stamped: Callable[[Any], Any] | None = None) -> None:
        """From now on that one reads. `stamped` makes of an item of the hand what is to lie in its lane."""
        self.reader = reader
        self.hand.stamp(stamped)

    def gather(self, count: int) -> tuple[list[Any], list[tuple[Lane, int]]]:
        """Copy up to `count` packets from the fronts of the lanes, and say how many of each, in the order of the copy.

        None of them stands behind a signal that has not been taken. Lanes have their turn: the next call begins with
        the lane after the last one that this one came to.
        """
        lanes = self._open
        batch: list[Any] = []
        parts: list[tuple[Lane, int]] = []
        for position, lane in enumerate(lanes, 1):
            if lane.items:
                part = lane.items[: count - len(batch)]
                if lane.signals and not (part := lane.before_signal(part)):
                    continue
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
            if lane.items and not lane.has_signal_next():
                self._open = lanes[position:] + lanes[:position]  # else one before it may have filled by then
                return self.lanes.index(lane), lane.items[0]
        return None

    def signalled_lane(self) -> Lane | None:
        """A lane of which a signal is next."""
        if not self._signalled:
            return None
        self._signalled = False
        for lane in self._open:
            if lane.signals:
                self._signalled = True
                if lane.has_signal_next():
                    return lane
        return None

    def ready(self) -> bool:
        """Whether there is anything to take."""
        signalled = self._signalled
        for lane in self._open:
            if lane.items or (signalled and lane.signals):
                return True
        return self._is_called

    def presses(self, count: int) -> bool:
        """Whether a reader that waits for `count` packets should take what there is: so many, or no more can come.

        None can where a lane is full, or a signal stands in one; and the hand may want room.
        """
        waiting = 0
        for lane in self._open:
            if lane.signals or lane.held_back or (lane is not self.hand.lane and not lane.has_room()):
                return True
            waiting += len(lane.items)
        return waiting >= count or self.hand_waits > 0

    def wait(self, sources: Sequence[WakeSource] = ()) -> None:
        """Return when there is something to take here, or something has come of `sources`. Raises Cancelled."""
        if sources:
            wait_for_any(self.reader, self.ready, self.ask, sources)
        elif self.ready():
            return
        else:
            self.reader.park(self.ready, "idle", ask=self.ask)
        self.asleep = False

    def wait_for(self, ready: Ready, why: TaskState, timeout_s: float = -1, held: Ready | None = None) -> None:
        """Return when `ready`, which what comes in here may bring about, or after `timeout_s`. Raises Cancelled."""
        self.reader.park(ready, why, timeout_s, held=held, ask=self.ask)
        self.asleep = False

    def ask(self) -> None:
        """Let writers wake the reader; one in the middle of a batch does after its next packet."""
        self.asleep = True
        for lane in self._open:
            lane.writer.request_yield()

    def call(self, is_called: bool) -> None:
        """Any thread: let the reader wait no more, though nothing may be there; or wait again, as ever."""
        self._is_called = is_called
        if is_called:
            self.reader.unpark()

    def seem_asleep(self, is_asleep: bool) -> None:
        """Let whoever puts something in wake the reader, though that waits elsewhere; or no more."""
        self.asleep = is_asleep

    def wake(self) -> None:
        """Writer: wake the reader, who was asleep."""
        self.asleep = False
        self.reader.unpark()

    def wake_if_asleep(self) -> None:
        """Somebody else than a writer has put something in."""
        if self.asleep:
            self.wake()

    def hear_signal(self) -> None:
        """Writer: a signal was put into a lane."""
        self._signalled = True
        if self.asleep:
            self.wake()

    def drop(self, lane: Lane, count: int) -> None:
        """Delete packets from the front of `lane`; of the hand's lane, give back the room."""
        lane.drop(count)
        if lane is self.hand.lane:
            self.hand.left(count)
        if self.hand_waits:
            self.notify_hand()

    def take_out(self, lane: Lane, index: int) -> None:
        """Reader: delete one packet from between others, which stay."""
        lane.remove(index)
        if lane is self.hand.lane:
            self.hand.left(1)
        if self.hand_waits:
            self.notify_hand()

    def let_in(self) -> None:
        """Wake every writer that is held back and has room. (Low water is for a reader at work.)"""
        for lane in self.lanes:
            if lane.lets_in_at >= 0:  # most are not: that is seen without a call
                lane.let_in()

    def hold(self, lane: Lane) -> None:
        """Take nothing of `lane` until `let_go`: it has brought a signal that the others have not."""
        self._open = [each for each in self._open if each is not lane]
        self._held.append(lane)

    def let_go(self) -> None:
        """Look at all lanes again."""
        self._signalled = True
        self._open = [*self._open, *self._held]
        self._held = []

    @property
    def order(self) -> Sequence[Lane]:
        """The open lanes, in the order in which they are looked at next."""
        return self._open

    def look_again(self, order: Sequence[Lane]) -> None:
        """Look at these, in an order that was the next one before; `order` is left as it is."""
        self._open = list(order)

    def look_first_at(self, lane: Lane) -> None:
        """Let the next batch begin with `lane`, which has not been retired."""
        position = self._open.index(lane)
        self._open = self._open[position:] + self._open[:position]

    def retire(self, lane: Lane) -> None:
        """Look at `lane` no more: its stop signal has been taken."""
        self._open = [each for each in self._open if each is not lane]
        if self.hand_waits:
            self.notify_hand()

    def open_inputs(self) -> set[int]:
        """The inputs of which some producer's stop signal has not been taken."""
        return {lane.input for lane in (*self._open, *self._held) if lane is not self.hand.lane}

    def is_open(self, lane: Lane) -> bool:
        """Whether the stop signal of `lane` has not been taken."""
        return lane in self._open or lane in self._held

    # ── the hand ──

    @contextmanager
    def hand_waiting(self) -> Iterator[None]:
        """Tell whoever waits for room of all that becomes free while the block runs. By the thread of commands.

        Said before room is looked for: the reader deletes first, and reads this then.
        """
        self.hand_waits += 1
        self.wake_if_asleep()  # it may be gathering, and leave room for the asking
        try:
            yield
        finally:
            self.hand_waits -= 1

    def notify_hand(self) -> None:
        """Let whoever waits to put something in look again: there may be room, or nothing to wait for any more."""
        self.reader.tell()
