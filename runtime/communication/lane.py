"""A lane: the part of a task's input queue that one producer fills. Knows nothing of operators, tasks or routing.

One thread writes a lane and one reads it. CPython with the GIL makes append, len, a slice and `del` of a slice each one
step that no other thread can cut in two, and all threads see all writes in one order. Hence, without any lock:

* *The bound is exact.* Only the writer makes a lane longer: the room it saw can only have grown when it appends. The
  hand may borrow room (hand.py); it leaves the writer what it has claimed, and one place for a `put` under way.
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
* *The writer is woken by the delete.* The mirror: set `lets_in_at`, look for room, sleep; delete, read `lets_in_at`,
  unpark. One unpark too many is remembered, and costs a look.
"""

from __future__ import annotations

from _thread import allocate_lock
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import sleep
from typing import Any, Final, Protocol

from runtime.communication.order import Order, waiting
from runtime.communication.signals import Signal
from runtime.errors import Cancelled, Unneeded
from runtime.scheduling.parker import ABSENT, Waiter


@dataclass(frozen=True, slots=True)
class LaneSpec:
    """Who fills a lane, and which input of the operator it belongs to."""

    producer: str
    input: int = 0


class Reader(Protocol):
    """All that a writer sees of the other end of its lane: an inbox, or what carries packets to one elsewhere."""

    @property
    def reader(self) -> Waiter:
        """Where a writer who is held back asks for attention, by `request_yield`."""

    @property
    def asleep(self) -> bool:
        """Whether `wake` has to be called after the next append."""

    def wake(self) -> None:
        """Hear that something has been appended, a packet or a signal. Called by the writer."""

    def hear_signal(self) -> None:
        """Hear that a signal has been put. Called by the writer."""


_SHUT: Final = -(2**62)  # a capacity that no borrowed place brings back
_NOBODY: Final = -1  # no length that a lane has: its writer is not held back


class Lane:
    """At most `capacity` packets of one producer, in order, and signals between them; its stop signal is the last."""

    def __init__(self, inbox: Reader, spec: LaneSpec, capacity: int) -> None:
        self.inbox, self.spec = inbox, spec
        self.share = self.capacity = capacity  # as it was made; as it is while places are lent
        self.items: list[Any] = []
        self.order: Order | None = None  # of the packets that waited when the hand last changed it
        self.signals: deque[tuple[int, Signal]] = deque()  # each with the number of the packet that it stands before
        self.closed = False  # the stop signal has been put: nothing follows
        self.heard = 0  # signals that have been taken, by the reader
        self._marking = allocate_lock()  # guards the numbers of signals; held by who signals, and by the hand
        self.writer: Waiter = ABSENT
        self.lets_in_at = _NOBODY  # how short the reader has to make it to let in the writer who is held back
        self.claim = 0  # how many packets the writer may yet append without looking at the room again
        self.taken = self.leaving = 0  # packets that have left, and those that are about to, by the reader
        self.refused = 0  # packets made but not accepted because of a cancel, by the writer

    check: Callable[[Any], object] | None = None
    """Raises if a payload could not get to the reader; None where any can."""

    @property
    def producer(self) -> str:
        """Who fills it."""
        return self.spec.producer

    @property
    def input(self) -> int:
        """Which input of the operator it belongs to."""
        return self.spec.input

    @property
    def held_back(self) -> bool:
        """Whether its writer waits for room."""
        return self.lets_in_at != _NOBODY

    def filled_by(self, writer: Waiter) -> None:
        """From now on that one fills it, alone."""
        self.writer = writer

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
            # Not all of it at once: the hand must find some room, too.
            self.claim = claim = min(count, room, max(1, self.share - max(1, self.share // 8)))
            if capacity == self.capacity:
                return claim

    def fill(self, items: list[Any]) -> None:
        """Writer: append all these, for which it has claimed room, in one step, and wake the reader."""
        self.items.extend(items)
        self.return_claim()
        if self.inbox.asleep:
            self.inbox.wake()

    def return_claim(self) -> None:
        """Writer: what was claimed and not used is free again.

        A hand that waits for it hears of that when the writer says what it does next: it waits, or claims again.
        """
        self.claim = 0

    def claim_all(self) -> None:
        """For ever: what a writer elsewhere appends is not seen here in time."""
        self.claim = self.capacity

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
        writer = self.writer
        ask, wait_s = self._ask, writer.patience_s
        try:
            while not self.has_room():
                if writer.unneeded:
                    raise Unneeded
                writer.park(self.may_go_on, "held back", wait_s, ask=ask)
                ask, wait_s = self._insist, -1.0
        except Unneeded:
            raise
        except Cancelled:
            self.refuse()
            raise
        finally:
            self.lets_in_at = _NOBODY

    def refuse(self, count: int = 1) -> None:
        """Writer: so many packets were made and are not accepted."""
        self.refused += count

    def _ask(self) -> None:
        """Let the reader wake the writer; in a slow batch it looks up, and deletes what it has worked."""
        self.lets_in_at = self.share // 4
        self.inbox.reader.request_yield()

    def _insist(self) -> None:
        """Let the reader wake the writer as soon as there is any room."""
        self.lets_in_at = max(0, self.capacity)
        self.inbox.reader.request_yield()

    def drop(self, count: int) -> None:
        """Reader: delete `count` packets from the front, and let the writer in once the lane is short enough."""
        self.leaving = leaving = self.taken + count
        del self.items[:count]
        self.taken = leaving
        if self.lets_in_at >= 0 and len(self.items) <= self.lets_in_at:
            self.give_room()

    def pass_by(self, count: int) -> None:
        """Reader: so many packets have gone from the writer to it, and never lain here."""
        self.leaving += count
        self.taken += count

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
        numbers = waiting(self)
        del numbers[index]
        with self._marking:
            self._renumber(self.signals_before(index), 1)
            self.leaving += 1
            item = self.items.pop(index)
            self.taken += 1
        self.order = Order(numbers, self.taken)
        return item

    def insert(self, index: int, number: int, item: Any, signals: int) -> None:
        """Undo `remove`: put packet `number` in at `index`, behind as many signals as `signals_before` said."""
        numbers = waiting(self)
        with self._marking:
            self.leaving -= 1
            self.items.insert(index, item)
            self.taken -= 1
            self._renumber(signals, -1)
        numbers.insert(index, number)
        self.order = Order(numbers, self.taken)

    def exchange(self, index: int, item: Any) -> Any:
        """Put `item` in the place of another, which is returned."""
        before, self.items[index] = self.items[index], item
        return before

    def move(self, index: int, to: int) -> None:
        """Move a packet within the lane: one step, in which the lane is never shorter."""
        numbers = waiting(self)
        low, high = min(index, to), max(index, to) + 1
        part = self.items[low:high]
        part.insert(to - low, part.pop(index - low))
        self.items[low:high] = part
        numbers.insert(to, numbers.pop(index))
        self.order = Order(numbers, self.taken)

    def give_back(self, items: Sequence[Any], numbers: Sequence[int], signals: Sequence[tuple[int, Signal]]) -> None:
        """Undo `drop` and `take_signal`: put packets of these numbers, and signals, in front of all others."""
        others = None if self.order is None else waiting(self)
        with self._marking:
            self.leaving -= len(items)
            self.items[:0] = items
            self.taken -= len(items)
            self.signals.extendleft(reversed(signals))
            self.heard -= len(signals)
        if others is not None:
            self.order = Order([*numbers, *others], self.taken)

    def withdraw(self, packets: int, signals: int) -> None:
        """Undo `put` and `put_signal`: so many, the last ones, have never been put."""
        with self._marking:
            for _ in range(signals):
                self.closed = self.closed and not self.signals.pop()[1].is_last
            if packets:
                del self.items[-packets:]

    def _renumber(self, before: int, by: int) -> None:
        """Let the signals before a packet still stand where they do, though one more counts as taken, or one less."""
        for place in range(before - self.heard):
            number, signal = self.signals[place]
            self.signals[place] = (number + by, signal)

    def let_in(self) -> None:
        """Wake the writer if it is held back and there is room."""
        if self.lets_in_at >= 0 and self.has_room():
            self.give_room()

    def give_room(self) -> None:
        """Wake the writer that is held back."""
        self.lets_in_at = _NOBODY
        self.writer.unpark()
