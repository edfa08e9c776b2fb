"""The writer's end of a lane to another process, and what travels down it. Knows lanes and packing, not what carries.

A writer fills an ordinary lane, that of its `Outbox`. What is shipped leaves a placeholder there, until the reader has
worked it and acknowledged that: so the one bound that `Lane` keeps covers what waits at the writer, on the way and at
the reader, each payload is kept once, and what arrives finds room: whoever carries it never waits, and cannot deadlock.
A parcel never reaches over a signal: that is shipped by itself, in its place, and the stop signal after all else.
"""

from __future__ import annotations

import threading
from functools import partial
from typing import Any, Final, NamedTuple, Protocol

from runtime.communication.lane import Lane, LaneSpec
from runtime.communication.signals import Signal
from runtime.remote.codec import Codec, Serialized, not_sendable, require_sendable
from runtime.remote.weights import Parts, Weights
from runtime.scheduling.parker import Waiter

Address = tuple[str, int]
"""A lane: the task that reads it, and its number there, without the hand's."""

PARTS: Final = 2
"""A lane is acknowledged in so many parts."""


class Packets(NamedTuple):
    """Some packets that travel down a lane."""

    lane: Address
    number: int
    serialized: Serialized
    parts: Parts = ()


class Mark(NamedTuple):
    """A signal that travels down a lane."""

    lane: Address
    signal: Signal


class Shipper(Protocol):
    """What carries the packets of an outbox."""

    def ship(self) -> None:
        """Something waits to be carried. Any thread; returns at once."""


class RemoteLane(Lane):
    """The writer's end: a lane that can break, if something in it cannot be packed."""

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

    def __init__(
        self,
        address: Address,
        spec: LaneSpec,
        capacity: int,
        writer: Waiter,
        codec: Codec,
        weights: Weights | None = None,
    ) -> None:
        self.lane = RemoteLane(self, spec, capacity, codec)
        self.lane.filled_by(writer)
        self.address = address
        self.asleep = False
        self.reader: Waiter = Waiter()  # which sees by itself that the lane is full
        self.shipper: Shipper | None = None
        self.ended = False  # the stop signal has been taken for carrying
        self.under_way = 0  # how many packets have been taken, and not been received yet
        self._codec = codec
        self._weights = weights  # of a job whose packets say to which question they belong
        self._packing = threading.Lock()  # guards that packets are packed one after the other; user code runs under it
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

    def has_mail(self) -> bool:
        """Whether something has not been taken for carrying, but for the stop signal."""
        lane = self.lane
        return bool(self._parcels) or len(lane.items) > self._packed or len(lane.signals) > self.has_end()

    def has_end(self) -> bool:
        """Whether the stop signal waits to be taken."""
        return self.lane.closed and not self.ended

    def may_wait(self) -> bool:
        """Whether to hold back a small remainder while many packets are in flight (as Nagle does)."""
        lane, few = self.lane, len(self.lane.items) - self._packed
        return 0 < few * 4 <= lane.capacity <= self.under_way * PARTS and not lane.signals and not self._parcels

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
        if not self.grant_credit():
            return False
        with self._lock:
            self.lane.insert(0, self.lane.taken - 1, None, 0)
            self._packed += 1
        self.return_credit()  # it is the placeholder that takes it now
        return True

    def grant_credit(self) -> bool:
        """Give the reader's hand credit for one packet: a place of this lane. False: there is none."""
        lane = self.lane
        with self._lock:
            lane.resize(-1)  # before the claim is read, as in `Hand._borrow_place`
        if len(lane.items) + lane.claim + (not lane.closed) <= lane.capacity:
            return True
        self.return_credit()
        return False

    def return_credit(self) -> None:
        """The reader's hand needs its credit no longer."""
        lane = self.lane
        with self._lock:
            if lane.broken is None:
                lane.resize(1)
        lane.let_in()

    def _add(self, items: list[Any]) -> None:
        weights = self._weights
        serialized = self._codec.encode(items if weights is None else weights.numbered(items))
        parts = () if weights is None else weights.leave(items)
        with self._lock:
            self._parcels.append(Packets(self.address, len(items), serialized, parts))
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
                failure = not_sendable(item if self._weights is None else item[1], error)
                failure.__cause__ = error
                return failure
        return None
