"""The reader's end of a lane from another process: a queue that tells its writers how much has left.

An acknowledgement says how many packets of the lane have left in all. It is sent for each half of the lane, before the
reader waits, and when the lane is full for longer than a quick batch takes: its writer may be held back then.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, Protocol

from runtime.communication.hand import Hand
from runtime.communication.inbox import Inbox
from runtime.communication.lane import Lane, LaneSpec
from runtime.communication.note import in_one_step, no_note
from runtime.remote.codec import Codec
from runtime.remote.remote_lane import PARTS, Address, Mark, Packets
from runtime.remote.weights import Weights
from runtime.scheduling.wake_source import WakeSource

OWN_PLACE: Final = -1
"""Stands for a place of the hand's own where others are named by the lane that lends them."""

HAND_LANE: Final = -1
"""The number of the hand's lane, where the others are counted without it."""


class Writers(Protocol):
    """What tells those who fill the lanes of an inbox."""

    def acknowledge_to(self, producer: str, lane: Address, taken: int, much: bool) -> None:
        """So many packets have left the lane in all, and that is `much`: half of it, or all that was there."""

    def give_back_to(self, producer: str, lane: Address) -> None:
        """The hand needs no longer a place of the lane that was lent."""

    def note_full(self) -> None:
        """Some lane is full: if it stays so, its writer has to hear what has left all the same."""


class ArrivalsHand(Hand):
    """The hand of an inbox whose writers are elsewhere: the driver asks them to lend a place, and says where it is."""

    def __init__(self, arrivals: Arrivals, room: int, *, several_inputs: bool) -> None:
        super().__init__(arrivals, room, several_inputs=several_inputs)
        self._arrivals = arrivals
        # Guarded by the lock, all but `wanted`.
        self._lent: list[int] = []  # lanes whose writers have lent a place
        self.wanted: int | None = None  # the lane in which a place is wanted, to put back what was taken out
        self._is_place_kept = False  # for what is put back into the hand's lane
        self._promised: int | None = None  # and is there, by the word of its writer

    def reserve(self, item: Any) -> None:
        """Keep a place of its own free for `item`. Raises `QueueFull`, `TaskEnded`."""
        with self._lock:
            self.require_open(item)
            if not self.take_place():
                raise self.refusal()

    def release(self) -> None:
        """The place that was kept free is not needed."""
        with self._lock:
            self.free_place()

    def put_into(self, place: int, item: Any) -> int:
        """Put an item into a place that was kept free, or that a lane's writer lends. Raises `TaskEnded`.

        Returns its arrival number in the hand's lane.
        """
        note = no_note()
        with self._lock:
            self.require_open(item)
            if place != OWN_PLACE:
                self._take_lent(place)
            in_one_step(self.accepting(item, note))
            self._arrivals.wake_if_asleep()
        return note.numbers[0]

    def remove(self, lane: Lane, index: int) -> Any:
        """Take an item out, and let its writer know that there is a place."""
        item = super().remove(lane, index)
        if lane is not self.lane:
            self._arrivals.tell_of(lane)
        return item

    @contextmanager
    def place_from(self, number: int) -> Iterator[None]:
        """For what the block puts back, the writer of lane `number` has a place: in that lane, or in the hand's.

        It is given back if the block does not use it.
        """
        with self._lock:
            if self.wanted == HAND_LANE:
                self._take_lent(number)
                self._is_place_kept = True
            else:
                self._promised = number
        try:
            yield
        finally:
            with self._lock:
                unused, self._promised = self._promised, None
                if self._is_place_kept:
                    self._is_place_kept = False
                    self.free_place()
            if unused is not None:
                self._arrivals.tell_again(unused)

    def put_back(self, lane: Lane, index: int, number: int, item: Any, signals: int) -> None:
        """Undo `remove`. Raises `QueueFull` unless there is a place, `PacketGone`; then `wanted` is the lane."""
        self.wanted = self._arrivals.lanes.index(lane) - 1
        with self._lock:
            if self._promised == self.wanted and self._arrivals.is_open(lane):
                self._promised = None
                lane.insert(index, number, item, signals)
                self.removed -= 1
                self._arrivals.count_again(lane)
                return
        super().put_back(lane, index, number, item, signals)

    def take_place(self) -> bool:
        """Take a free place, the one that is kept for it if there is one. False: there is none. Under the lock."""
        if self._is_place_kept:
            self._is_place_kept = False
            return True
        return super().take_place()

    def free_place(self) -> None:
        """A place is free: it is given back to the writer who has lent one. Under the lock."""
        if self._lent:
            self.lane.resize(-1)
            self._arrivals.give_back(self._lent.pop())
        else:
            super().free_place()

    def _take_lent(self, place: int) -> None:
        self._lent.append(place)
        self.lane.resize(1)


class Arrivals(Inbox):
    """The reader's end: an inbox that tells writers how much has left."""

    hand: ArrivalsHand

    def __init__(self, task: str, capacity: int, lanes: Sequence[LaneSpec], writers: Writers) -> None:
        super().__init__(capacity, lanes)
        self._task, self._writers = task, writers
        self._acknowledged = [0] * len(self.lanes)  # by lane, the hand's not used
        self._broken: BaseException | None = None
        for lane in self.lanes[1:]:
            lane.claim_all()

    def _make_hand(self, room: int, *, several_inputs: bool) -> ArrivalsHand:
        return ArrivalsHand(self, room, several_inputs=several_inputs)

    # ── what arrives. One thread at a time ──

    def take_in(self, parcel: Packets | Mark, codec: Codec, weights: Weights | None = None) -> None:
        """Take what an outbox has packed. What cannot be unpacked ends the task."""
        number = parcel.lane[1]
        if isinstance(parcel, Mark):
            self.lanes[number + 1].put_signal(parcel.signal)
            return
        try:
            items = codec.decode(parcel.serialized)
        except BaseException as error:  # noqa: BLE001  the border to user code, which says how its packets are unpickled
            self.fail(error)
        else:
            self.receive(number, items if weights is None else weights.arrive(items, parcel.parts))

    def receive(self, number: int, items: list[Any]) -> None:
        """Take what a writer has sent down lane `number`, counted without the hand's."""
        lane = self.lanes[number + 1]
        lane.items.extend(items)  # not `put`: its room was found in the writer's lane
        self.wake_if_asleep()
        if lane.taken + len(lane.items) - self._acknowledged[number + 1] >= lane.capacity:
            self._writers.note_full()

    def is_filled(self, number: int) -> bool:
        """Whether so much of lane `number`, counted without the hand's, is not acknowledged that it will be soon."""
        lane = self.lanes[number + 1]
        return (lane.taken + len(lane.items) - self._acknowledged[number + 1]) * PARTS >= lane.capacity

    def look_up(self) -> None:
        """Writers may be held back: let them know what has left, and the reader look up from its batch. Any thread."""
        self._tell_all()
        self.reader.request_yield()

    def fail(self, error: BaseException) -> None:
        """Nothing more can arrive, or be sent: the task ends with `error`, after the batch in work. Any thread."""
        self._broken = error
        self.wake()

    # ── the reader ──

    def drop(self, lane: Lane, count: int) -> None:
        """Delete packets from the front of `lane`; its writer hears of each half."""
        super().drop(lane, count)
        if lane is not self.hand.lane:
            number = self.lanes.index(lane)
            if (lane.taken - self._acknowledged[number]) * PARTS >= lane.capacity:
                self._tell(number)

    def let_in(self) -> None:
        """Let writers know all that has left."""
        super().let_in()
        self._tell_all()

    def ready(self) -> bool:
        """Whether there is anything to take, or to raise."""
        return self._broken is not None or super().ready()

    def presses(self, count: int) -> bool:
        """Whether a reader that waits for `count` packets should take what there is, or hear what there is to raise."""
        return self._broken is not None or super().presses(count)

    def wait(self, sources: Sequence[WakeSource] = ()) -> None:
        """Return when there is something to take. Raises `Cancelled`, and what `fail` was given."""
        if not self.ready():
            self._tell_all()
        super().wait(sources)
        if self._broken is not None:
            raise self._broken

    # ── for the hand ──

    def tell_of(self, lane: Lane) -> None:
        """Let the writer of `lane` know all that has left."""
        self._tell(self.lanes.index(lane))

    def tell_again(self, number: int) -> None:
        """What the writer of lane `number`, counted without the hand's, counts again has left all the same."""
        self._acknowledge(number, self._acknowledged[number + 1], True)

    def count_again(self, lane: Lane) -> None:
        """A packet that has left `lane` was put back: its writer counts it again already."""
        self._acknowledged[self.lanes.index(lane)] -= 1
        self.wake()

    def give_back(self, number: int) -> None:
        """The hand needs no longer the place that the writer of lane `number`, counted without the hand's, has lent."""
        self._writers.give_back_to(self.lanes[number + 1].producer, (self._task, number))

    def _acknowledge(self, number: int, taken: int, much: bool) -> None:
        self._writers.acknowledge_to(self.lanes[number + 1].producer, (self._task, number), taken, much)

    def _tell_all(self) -> None:
        for number in range(1, len(self.lanes)):
            self._tell(number)

    def _tell(self, number: int) -> None:
        lane = self.lanes[number]
        taken, before = lane.taken, self._acknowledged[number]
        if taken > before:
            self._acknowledged[number] = taken
            self._acknowledge(number - 1, taken, (taken - before) * PARTS >= lane.capacity or not lane.items)
