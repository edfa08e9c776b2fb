"""A lane: the part of a task's input queue that one producer fills. Knows nothing of operators, tasks or routing.

One thread writes a lane and one reads it. CPython with the GIL makes append, len, a slice and `del` of a slice each one
step that no other thread can cut in two, and all threads see all writes in one order. Hence, without any lock:

* *The bound is exact.* Only the writer makes a lane longer: the room it saw can only have grown when it appends. The
  hand may borrow room (inbox.py); it leaves the writer what it has claimed, and one place for a `put` under way.
* *A signal keeps its place.* It has the number of the packet that it stands in front of, counted as `taken` is: as many
  have arrived before. The writer counts them by `taken` and the length, between which the reader must not drop. So the
  reader says in `leaving` what it is about to take, drops, and says it in `taken`: while the two are equal, before
  the length is read and after it, nobody was at it. The hand, which changes both, holds `_marking`, as who signals.
* *No batch reaches over a signal.* The reader copies first and looks at `signals` then: a packet that it has copied was
  appended behind each signal that it has to wait for. It takes a signal when `taken` has come to its number. That
  there is one to look for, the writer says after it has put it; the reader forgets that before it looks.
* *The end comes last.* The stop signal is the last one: nobody appends behind it. A signal needs no room, so neither it
  nor ending ever waits, and is in nobody's count.
* *What is not worked has not left.* A batch is a copy of the front, deleted when worked, so an error, a pause or a
  cancel leaves the rest in front, in order, in depth and in sight.
* *The reader is woken by the append.* The reader sets `inbox.asleep` and every writer's `yield_requested`, looks at all
  lanes and sleeps. A writer appends (a signal, too), then reads either of the two and unparks. Whichever is second in
  the one order of writes sees the other. `wake` clears `asleep` before it unparks; who clears the flag unparks
  afterwards, always, and who was woken sets it again before he looks again.
* *The writer is woken by the delete.* The mirror: `held_back = True`, look for room, sleep; delete, read `held_back`,
  unpark. One unpark too many is remembered, and costs a look.
"""

from __future__ import annotations

from _thread import allocate_lock
from collections import deque
from collections.abc import Callable
from time import sleep
from typing import Any, Final, Protocol

from runtime.communication.order import Order
from runtime.communication.signals import Signal
from runtime.errors import Cancelled, Unneeded
from runtime.scheduling.parker import Waiter


class Reader(Protocol):
    """All that a writer sees of the other end of its lane: an inbox, or what carries packets to one elsewhere."""

    @property
    def reader(self) -> Waiter:
        """Where a writer who is held back asks for attention, by `request_yield`."""

    @property
    def asleep(self) -> bool:
        """Whether `wake` has to be called behind the next append."""

    @property
    def hand_waits(self) -> int:
        """How many threads wait for room for the hand."""

    def wake(self) -> None:
        """Hear that something has been appended, a packet or a signal. Called by the writer."""

    def hear_signal(self) -> None:
        """Hear that a signal has been put. Called by the writer."""

    def notify_hand(self) -> None:
        """Hear that a claim has been given back. Called by the writer."""


_SHUT: Final = -(2**62)  # a capacity that no borrowed place brings back


class Lane:
    """At most `capacity` packets of one producer, in order, and signals between them; its stop signal is the last."""

    __slots__ = (
        "_marking",
        "capacity",
        "claim",
        "closed",
        "heard",
        "held_back",
        "inbox",
        "input",
        "items",
        "leaving",
        "low",
        "order",
        "producer",
        "refused",
        "signals",
        "taken",
        "widest",
        "writer",
    )

    def __init__(self, inbox: Reader, producer: str, capacity: int, input_index: int = 0) -> None:
        self.inbox, self.producer, self.capacity, self.input = inbox, producer, capacity, input_index
        self.items: list[Any] = []
        self.order: Order | None = None  # of the packets that waited when the hand last changed it
        self.signals: deque[tuple[int, Signal]] = deque()  # each with the number of the packet that it stands before
        self.closed = False  # the stop signal has been put: nothing follows
        self.heard = 0  # signals that have been taken, by the reader
        self._marking = allocate_lock()  # guards the numbers of signals; held by who signals, and by the hand
        self.writer: Waiter = Waiter()
        self.held_back = False
        self.low = capacity // 4  # how short the lane must be before a reader at work lets its writer in
        # The most that a writer claims at once: the hand must find some room, too.
        self.widest = max(1, capacity - max(1, capacity // 8))
        self.claim = 0  # how many packets the writer may yet append without looking at the room again
        self.taken = self.leaving = 0  # packets that have left, and those that are about to, by the reader
        self.refused = 0  # packets made but not accepted because of a cancel, by the writer

    check: Callable[[Any], object] | None = None
    """Raises if a payload could not get to the reader; None where any can."""

    def put(self, item: Any) -> None:
        """Append `item`, waiting while the lane is full, and wake the reader. Raises Cancelled."""
        if len(self.items) >= self.capacity:
            self.wait_room()
        self.items.append(item)
        if self.inbox.asleep:
            self.inbox.wake()

    def put_signal(self, signal: Signal) -> None:
        """Let `signal` stand behind all that has been put. Never waits. By the writer."""
        with self._marking:
            self.signals.append((self.arrived(), signal))
            self.closed = signal.is_last
        self.inbox.hear_signal()

    def arrived(self) -> int:
        """How many packets have been put so far. Exact for the writer; for others while it puts nothing."""
        while True:
            taken, length = self.taken, len(self.items)
            if taken == self.leaving:
                return taken + length
            sleep(0)  # let go of the GIL: who drops is done in a moment

    def look(self) -> tuple[int, list[Any], list[tuple[int, Signal]]]:
        """How many packets have left, those that wait, and the signals between them, also while the reader takes some.

        Any thread, while the hand changes nothing.
        """
        while True:
            taken, items = self.taken, self.items[:]
            if taken == self.leaving:
                return taken, items, list(self.signals)
            sleep(0)

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
                self.writer.park(self.may_go_on, "held back", wait_s, ask=self._ask)
                # Before the next look at the room; the reader reads `low` behind its drop. One sees the other.
                self.low, wait_s = self.capacity, -1.0
        except Unneeded:
            raise
        except Cancelled:
            self.refused += 1
            raise
        finally:
            self.held_back, self.low = False, low

    def _ask(self) -> None:
        """Let the reader wake the writer; in a slow batch it looks up, and deletes what it has worked."""
        self.held_back = True
        self.inbox.reader.request_yield()

    def drop(self, count: int) -> None:
        """Reader: delete `count` packets from the front, and let the writer in once the lane is short enough."""
        self.leaving = leaving = self.taken + count
        del self.items[:count]
        self.taken = leaving
        if self.held_back and len(self.items) <= self.low:
            self.give_room()

    def before_signal(self, items: list[Any]) -> list[Any]:
        """Reader: what of `items`, a copy of the front, stands before the next signal. Asked after the copy."""
        return items[: self.signals[0][0] - self.taken] if self.signals else items

    def has_signal_next(self) -> bool:
        """Reader: whether all that stands before the next signal has been taken."""
        return bool(self.signals) and self.signals[0][0] <= self.taken

    def take_signal(self) -> Signal:
        """Reader: take the signal that is next."""
        self.heard += 1
        return self.signals.popleft()[1]

    # ── the hand, while the reader stands at its closed gate ──

    def signals_before(self, index: int) -> int:
        """How many signals have stood before the packet at `index`, those that were taken counted as well."""
        return self.heard + sum([number - self.taken <= index for number, _ in self.signals])

    def remove(self, index: int) -> Any:
        """Take a packet out from between the others; each signal stays where it is."""
        with self._marking:
            self._renumber(self.signals_before(index), 1)
            self.leaving += 1
            item = self.items.pop(index)
            self.taken += 1
        return item

    def insert(self, index: int, item: Any, signals: int) -> None:
        """Undo `remove`: put a packet in at `index`, behind as many signals as `signals_before` said."""
        with self._marking:
            self.leaving -= 1
            self.items.insert(index, item)
            self.taken -= 1
            self._renumber(signals, -1)

    def _renumber(self, before: int, by: int) -> None:
        """Let the signals before a packet still stand where they do, though one more counts as taken, or one less."""
        for place in range(before - self.heard):
            number, signal = self.signals[place]
            self.signals[place] = (number + by, signal)

    def give_room(self) -> None:
        """Wake the writer that is held back."""
        self.held_back = False
        self.writer.unpark()
