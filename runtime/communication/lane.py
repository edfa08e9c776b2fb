"""A lane: the part of a task's input queue that one producer fills. Knows nothing of operators, tasks or routing.

One thread writes a lane and one reads it. CPython with the GIL makes append, len, a slice and `del` of a slice each one
step that no other thread can cut in two, and all threads see all writes in one order. Hence, without any lock:

* *The bound is exact.* Only the writer makes a lane longer: the room it saw can only have grown when it appends. The
  hand may borrow room (inbox.py); it leaves the writer what it has claimed, and one place for a `put` under way.
* *The end comes last.* `signal` is set after the last append and never unset: a reader that sees it before it looks at
  `items` knows that nothing will follow. It needs no room, so ending never waits, and is in nobody's count.
* *What is not worked has not left.* A batch is a copy of the front, deleted when worked, so an error, a pause or a
  cancel leaves the rest in front, in order, in depth and in sight.
* *The reader is woken by the append.* The reader sets `inbox.asleep` and every writer's `look_up`, looks at all lanes
  and parks. A writer appends, then reads either of the two and rings. Whichever is second in the one order of writes
  sees the other. `wake` clears `asleep` before it rings; whoever clears the flag rings afterwards, always.
* *The writer is woken by the delete.* The mirror: `held_back = True`, look for room, park; delete, read `held_back`,
  ring. A ring too many finds the lock open: the next park returns at once and looks again.
"""

from __future__ import annotations

from _thread import LockType, allocate_lock
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol

from runtime.communication.order import Order
from runtime.errors import Cancelled, Unneeded
from runtime.facts import Ending, TaskState


@dataclass(frozen=True, slots=True)
class StopSignal:
    """What a producer says once, behind its last packet: that it has ended, and how."""

    producer: str
    how: Ending


class Waiter(Protocol):
    """How a task waits, and how others ask for its attention. A task's gate is one."""

    cancelled: bool
    unneeded: bool
    """Whether nobody needs what it writes any more; its lanes are shut then."""
    look_up: bool
    patience_s: float
    """How long it waits for a quick reader; -1 where nobody is quick or slow."""

    def park(self, lock: LockType, ready: Callable[[], bool], why: TaskState, timeout_s: float = -1) -> None:
        """Wait until somebody rings `lock`, or for `timeout_s` (-1: without limit). Raises Cancelled.

        `ready` says whether there is a reason to go on.
        """

    def is_at_work(self) -> bool:
        """Whether it does not wait, or is about to go on: it may have seen room, and append any moment."""


class Reader(Protocol):
    """All that a writer sees of the other end of its lane: an inbox, or what carries packets to one elsewhere."""

    @property
    def gate(self) -> Waiter:
        """Where a writer who is held back asks for attention, by `look_up`."""

    @property
    def asleep(self) -> bool:
        """Whether `wake` has to be called behind the next append."""

    @property
    def hand_waits(self) -> int:
        """How many threads wait for room for the hand."""

    def wake(self) -> None:
        """Hear that something has been appended, or the signal set. Called by the writer."""

    def notify_hand(self) -> None:
        """Hear that a claim has been given back. Called by the writer."""


class NoWaiter:
    """Stands for a writer who has not come yet, or who only ever uses `put`. Never waits."""

    cancelled = False
    unneeded = False
    look_up = False
    patience_s = -1.0

    def park(self, lock: LockType, ready: Callable[[], bool], why: TaskState, timeout_s: float = -1) -> None:
        """Nobody is there to wait: a lane without a writer is never put to."""
        raise AssertionError("a lane was filled before its writer had opened it")

    def is_at_work(self) -> bool:
        """Nobody is there."""
        return False


def parked_lock() -> LockType:
    """A lock to wait on: taken, until somebody rings."""
    lock = allocate_lock()
    lock.acquire()
    return lock


def ring(lock: LockType) -> None:
    """Wake the one who waits on `lock`, now or when it comes to wait."""
    try:  # noqa: SIM105  suppress() takes three times as long
        lock.release()
    except RuntimeError:  # open already: somebody was quicker, and the sleeper has not parked since
        pass


_SHUT: Final = -(2**62)  # a capacity that no borrowed place brings back


class Lane:
    """At most `capacity` packets of one producer, in order, then its stop signal."""

    __slots__ = (
        "_room",
        "capacity",
        "claim",
        "held_back",
        "inbox",
        "input",
        "items",
        "low",
        "order",
        "producer",
        "refused",
        "signal",
        "taken",
        "widest",
        "writer",
    )

    def __init__(self, inbox: Reader, producer: str, capacity: int, input_index: int = 0) -> None:
        self.inbox, self.producer, self.capacity, self.input = inbox, producer, capacity, input_index
        self.items: list[Any] = []
        self.order: Order | None = None  # of the packets that waited when the hand last changed it
        self.signal: StopSignal | None = None
        self.writer: Waiter = NoWaiter()
        self.held_back = False
        self.low = capacity // 4  # how short the lane must be before a reader at work lets its writer in
        # The most that a writer claims at once: the hand must find some room, too.
        self.widest = max(1, capacity - max(1, capacity // 8))
        self.claim = 0  # how many packets the writer may yet append without looking at the room again
        self.taken = 0  # packets that have left, by the reader
        self.refused = 0  # packets made but not accepted because of a cancel, by the writer
        self._room = parked_lock()

    check: Callable[[Any], object] | None = None
    """Raises if a payload could not get to the reader; None where any can."""

    def put(self, item: Any) -> None:
        """Append `item`, waiting while the lane is full, and wake the reader. Raises Cancelled."""
        if len(self.items) >= self.capacity:
            self.wait_room()
        self.items.append(item)
        if self.inbox.asleep:
            self.inbox.wake()

    def end(self, signal: StopSignal) -> None:
        """Say that nothing follows. Called once, by the writer."""
        self.signal = signal
        if self.inbox.asleep:
            self.inbox.wake()

    def claim_room(self, count: int) -> int:
        """Writer: claim room for up to `count` packets, which may be appended without another look. 0: there is none.

        The claim is said before the capacity is trusted, and the hand lowers the capacity before it reads the claim.
        """
        while True:
            capacity = self.capacity
            room = capacity - len(self.items)
            if room <= 0:
                return 0
            self.claim = claim = min(count, room, self.widest)
            if capacity == self.capacity:
                return claim

    def has_room(self) -> bool:
        """Whether one more packet would be accepted."""
        return len(self.items) < self.capacity

    def may_go_on(self) -> bool:
        """Whether a writer that is held back has a reason to go on."""
        return self.has_room() or self.writer.unneeded

    def resize(self, places: int) -> None:
        """Lend places of the lane to the hand, below zero, or take them back. One thread at a time."""
        self.capacity += places
        if self.writer.unneeded:  # which is said before the lane is shut: whoever comes second sees the other
            self.capacity = _SHUT

    def shut(self) -> None:
        """Accept nothing more, ever: its writer is `unneeded`. Any thread.

        A lane without room is the one thing that a writer looks at, packet by packet, so this costs it nothing.
        """
        self.capacity = _SHUT
        ring(self._room)

    def wait_room(self) -> None:
        """Wait until a packet would be accepted. Raises Cancelled; the packet in hand then counts as refused.

        Raises Unneeded if it never will be, because nobody needs it: that counts nowhere.

        A quick reader lets the writer in at low water. One that has not within `patience_s` is slow: any room will do
        then, or a place would stay free for as long as the reader is at its packet.
        """
        low, wait_s = self.low, self.writer.patience_s
        try:
            while not self.has_room():
                if self.writer.unneeded:
                    raise Unneeded
                self.held_back = True
                self.inbox.gate.look_up = True  # a reader in a slow batch deletes what it has worked, and sees us
                if not self.has_room():
                    self.writer.park(self._room, self.may_go_on, "held back", wait_s)
                    # Before the next look at the room; the reader reads `low` behind its drop. One sees the other.
                    self.low, wait_s = self.capacity, -1.0
        except Unneeded:
            raise
        except Cancelled:
            self.refused += 1
            raise
        finally:
            self.held_back, self.low = False, low

    def drop(self, count: int) -> None:
        """Reader: delete `count` packets from the front, and let the writer in once the lane is short enough."""
        del self.items[:count]
        self.taken += count
        if self.held_back and len(self.items) <= self.low:
            self.give_room()

    def give_room(self) -> None:
        """Wake the writer that is held back."""
        self.held_back = False
        ring(self._room)
