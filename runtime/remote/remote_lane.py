"""Both ends of a lane whose writer and reader share no memory. Knows lanes and packing, not what carries mail.

A writer fills an ordinary lane, that of its `Outbox`. What is shipped leaves a placeholder there, until the reader has
worked it and acknowledged that: so the one bound that `Lane` keeps covers what waits at the writer, on the way and at
the reader, each payload is kept once, and what arrives finds room: whoever carries it never waits, and cannot deadlock.
A parcel never reaches over a signal: that is shipped by itself, in its place, and the stop signal behind all else.

An acknowledgement says how many packets of the lane have left in all. It is sent for each half of the lane, before the
reader waits, and when the lane is full for longer than a quick batch takes: its writer may be held back then.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, Final, NamedTuple, Protocol

from runtime.communication.hand import Hand
from runtime.communication.inbox import Inbox
from runtime.communication.lane import Lane, LaneSpec
from runtime.communication.note import in_one_step, no_note
from runtime.communication.signals import Signal
from runtime.remote.codec import Codec, Serialized, not_sendable, require_sendable
from runtime.scheduling.parker import Waiter

Address = tuple[str, int]
"""A lane: the task that reads it, and its number there, without the hand's."""


class Packets(NamedTuple):
    """Some packets on their way down a lane."""

    lane: Address
    number: int
    freight: Serialized


class Mark(NamedTuple):
    """A signal on its way down a lane."""

    lane: Address
    signal: Signal


class Shipper(Protocol):
    """What carries the packets of an outbox."""

    def ship(self) -> None:
        """Something waits to be carried. Any thread; returns at once."""


class RemoteLane(Lane):
    """The writer's end: a lane that can break, if something in it cannot be packed."""

    __slots__ = ("broken", "check")

    def __init__(self, inbox: Outbox, spec: LaneSpec, capacity: int, codec: Codec) -> None:
        super().__init__(inbox, spec, capacity)
        self.broken: BaseException | None = None
        self.check = partial(require_sendable, codec=codec)

    def has_room(self) -> bool:
        """Whether one more packet would be accepted, or refused by what has broken the lane."""
        return self.broken is not None or super().has_room()

    def wait_room(self) -> None:
        """Wait until a packet would be accepted. Raises `Cancelled`, and what has broken the lane."""
        super().wait_room()
        if self.broken is not None:
            self.refuse()
            raise self.broken

    def break_off(self, error: BaseException, packed: int) -> list[Any]:
        """Accept nothing more, because of `error`: what is not among the first `packed` is refused, and returned."""
        self.broken = error
        self.resize(-self.capacity)
        refused = self.items[packed:]
        self.refuse(len(refused))
        del self.items[packed:]
        return refused


class Outbox:
    """The writer's end of one lane, and what of it is packed. One thread fills it; any may pack and acknowledge.

    `asleep`: nobody will come by itself to look for what has been appended.
    """

    hand_waits = 0

    def __init__(self, address: Address, spec: LaneSpec, capacity: int, writer: Waiter, codec: Codec) -> None:
        self.lane = RemoteLane(self, spec, capacity, codec)
        self.lane.filled_by(writer)
        self.address = address
        self.asleep = False
        self.reader: Waiter = Waiter()  # which sees by itself that the lane is full
        self.shipper: Shipper | None = None
        self.ended = False  # the stop signal has been taken for carrying
        self.under_way = 0  # how many packets have been taken, and not been received yet
        self._codec = codec
        self._packing = threading.Lock()  # guards that packets are packed one behind the other; user code runs under it
        # Guards which packets of the lane are packed, and those, and its capacity. Taken within the other, never for
        # long: Ray's own thread acknowledges, and what is pickled may wait for something that comes on that thread.
        self._lock = threading.Lock()
        self._packed = 0  # how many at the front of the lane are placeholders
        self._parcels: list[Packets | Mark] = []

    def carry_by(self, shipper: Shipper) -> None:
        """From now on, let that one know of all that is put in."""
        self.shipper = shipper
        self.sleep()
        shipper.ship()

    def sleep(self) -> bool:
        """Let writers ship by themselves from now on. False: they do already."""
        before, self.asleep = self.asleep, True
        return not before

    def be_awake(self) -> None:
        """Somebody looks for what is put in."""
        self.asleep = False

    def count_under_way(self, more: int) -> None:
        """So many packets are about to be carried, or, below zero, were received. Under the lock of who carries."""
        self.under_way += more

    def wake(self) -> None:
        """Writer: a packet or a signal has been appended. Once is enough until the carrier has come."""
        self.asleep = False
        if self.shipper is not None:
            self.shipper.ship()

    def hear_signal(self) -> None:
        """Writer: a signal has been put."""
        if self.asleep:
            self.wake()

    def notify_hand(self) -> None:
        """No hand waits here: it is at the reader's end."""

    def has_mail(self) -> bool:
        """Whether something has not been taken for carrying, but for the stop signal."""
        lane = self.lane
        return bool(self._parcels) or len(lane.items) > self._packed or len(lane.signals) > self.has_end()

    def has_end(self) -> bool:
        """Whether the stop signal waits to be taken."""
        return self.lane.closed and not self.ended

    def may_wait(self) -> bool:
        """Whether the few that wait may do so until the many that are under way were received: those come first."""
        lane, few = self.lane, len(self.lane.items) - self._packed
        return 0 < few * 4 <= lane.capacity <= self.under_way * _PARTS and not lane.signals and not self._parcels

    def pack(self) -> BaseException | None:
        """Pack all that has been appended. What cannot be packed breaks the lane, and what comes after it is refused.

        Returns why, once; its writer is to end by it.
        """
        with self._packing:
            error = None
            for _ in range(len(self.lane.signals) + 1):  # what comes meanwhile is for the next parcel
                if error is None and (items := self._unpacked()):
                    error = self._add_all(items)
            if error is None:
                return None
            self._break(error)
        self.lane.give_room()
        return error

    def _unpacked(self) -> list[Any]:
        """What is to be packed next, up to a signal; those that come first are put between what is packed."""
        lane = self.lane
        with self._lock:
            items = lane.items[self._packed :]  # before `signals` is looked at, as in `Lane.before_signal`
            packed = lane.taken + self._packed
            while lane.signals and not (signal := lane.signals[0][1]).is_last:
                if lane.broken is None and (before := lane.signals[0][0] - packed) > 0:
                    return items[:before]
                self._parcels.append(Mark(self.address, signal))  # first: as in `acknowledge`
                lane.take_signal()
            return items

    def _break(self, error: BaseException) -> None:
        with self._lock:
            refused = self.lane.break_off(error, self._packed)
        del refused  # not under the lock: that is user code, too

    def take(self, may_end: bool) -> list[Packets | Mark]:
        """What is packed, to be carried now; once all has been taken and it `may_end`, the stop signal."""
        with self._lock:
            parcels, self._parcels = self._parcels, []
        if may_end and self.has_end() and not self.has_mail():
            self.ended = True
            parcels.append(Mark(self.address, self.lane.take_signal()))
        return parcels

    def acknowledge(self, taken: int) -> None:
        """So many packets have left at the reader, in all. A writer who is held back may go on."""
        lane = self.lane
        with self._lock:
            count = taken - lane.taken
            if count > 0:
                self._packed -= count  # first: at no moment may it seem that nothing waits to be packed
                lane.drop(count)
        lane.let_in()

    def take_back(self) -> bool:
        """A packet that had left the reader's lane is put back there: let it count again. False: there is no room."""
        if not self.lend():
            return False
        with self._lock:
            self.lane.insert(0, self.lane.taken - 1, None, 0)
            self._packed += 1
        self.return_place()  # it is the placeholder that takes it now
        return True

    def lend(self) -> bool:
        """Lend a place of the lane to the reader's hand. False: there is none."""
        lane = self.lane
        with self._lock:
            lane.resize(-1)  # before the claim is read, as in `Hand._borrow_place`
        if len(lane.items) + lane.claim + (not lane.closed) <= lane.capacity:
            return True
        self.return_place()
        return False

    def return_place(self) -> None:
        """The reader's hand needs a lent place no longer."""
        lane = self.lane
        with self._lock:
            if lane.broken is None:
                lane.resize(1)
        lane.let_in()

    def _add(self, items: list[Any]) -> None:
        freight = self._codec.encode(items)
        with self._lock:
            self._parcels.append(Packets(self.address, len(items), freight))
            self.lane.items[self._packed : self._packed + len(items)] = [None] * len(items)
            self._packed += len(items)

    def _add_all(self, items: list[Any]) -> BaseException | None:
        try:
            self._add(items)
        except BaseException:  # noqa: BLE001  the border to user code
            return self._add_singly(items)
        return None

    def _add_singly(self, items: list[Any]) -> BaseException | None:
        """Pack one after the other, up to the one that cannot be; why it cannot."""
        for item in items:
            try:
                self._add([item])
            except BaseException as error:  # noqa: BLE001  the border to user code
                failure = not_sendable(item, error)
                failure.__cause__ = error
                return failure
        return None


class Writers(Protocol):
    """The way to those who fill the lanes of an inbox."""

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

    def take_in(self, parcel: Packets | Mark, codec: Codec) -> None:
        """Take what an outbox has packed. What cannot be unpacked ends the task."""
        number = parcel.lane[1]
        if isinstance(parcel, Mark):
            self.lanes[number + 1].put_signal(parcel.signal)
            return
        try:
            items = codec.decode(parcel.freight)
        except BaseException as error:  # noqa: BLE001  the border to user code, which says how its packets are unpickled
            self.fail(error)
        else:
            self.receive(number, items)

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
        return (lane.taken + len(lane.items) - self._acknowledged[number + 1]) * _PARTS >= lane.capacity

    def look_up(self) -> None:
        """Writers may be held back: let them know what has left, and the reader look up from its batch. Any thread."""
        self._tell_all()
        self.reader.request_yield()

    def fail(self, error: BaseException) -> None:
        """Nothing more can arrive, or be sent: the task ends with `error`, behind the batch in work. Any thread."""
        self._broken = error
        self.wake()

    # ── the reader ──

    def drop(self, lane: Lane, count: int) -> None:
        """Delete packets from the front of `lane`; its writer hears of each half."""
        super().drop(lane, count)
        if lane is not self.hand.lane:
            number = self.lanes.index(lane)
            if (lane.taken - self._acknowledged[number]) * _PARTS >= lane.capacity:
                self._tell(number)

    def let_in(self) -> None:
        """Let writers know all that has left."""
        super().let_in()
        self._tell_all()

    def ready(self) -> bool:
        """Whether there is anything to take, or to raise."""
        return self._broken is not None or super().ready()

    def wait(self) -> None:
        """Return when there is something to take. Raises `Cancelled`, and what `fail` was given."""
        if not self.ready():
            self._tell_all()
        super().wait()
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
            self._acknowledge(number - 1, taken, (taken - before) * _PARTS >= lane.capacity or not lane.items)


_PARTS: Final = 2

OWN_PLACE: Final = -1
"""Stands for a place of the hand's own where others are named by the lane that lends them."""

HAND_LANE: Final = -1
"""The number of the hand's lane, where the others are counted without it."""
