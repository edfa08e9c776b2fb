"""The hand's part in a task's inbox: what is put in from outside, and what is changed there while the task is paused.

The hand is whoever puts packets in from outside, from any thread: it is one more producer, and it never waits inside
the lane protocol. It has no room of its own but what the producers' shares leave over; it *borrows* a free place from a
producer's lane, and the reader gives it back when the hand's packet is taken. So the sum of all lanes' capacities never
changes, and a queue never holds more than its capacity (or one per lane, where that is more).

A free place of the hand's lane is a token. `offer` takes one, appends and unparks in one call into C, that neither
another thread nor an interrupt of the main thread can cut: so anybody may call it, and it needs no lock. All else that
the hand does is done, under a lock, by threads that no interrupt reaches. Whoever closes the lane takes all tokens away
first.

The same call draws the packet's arrival number in the hand's lane, by which it is found again, and puts down whatever
is to be known of it (`Note`). So a number is never another packet's, and nobody sees a packet of which it is not noted
yet. That call makes no object that a collector looks after: a finalizer could run then, in the middle.

Borrowing is exact without stopping the writer: the hand lowers the lane's capacity first and looks at its length and at
the writer's claim then. A writer that had looked at the room before may still append that many, and one `put` besides.
"""

from __future__ import annotations

import threading
from _thread import LockType
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from itertools import chain, compress, count, islice, repeat
from typing import TYPE_CHECKING, Any, Final

from runtime.communication.element import number_of
from runtime.communication.lane import Lane, LaneSpec
from runtime.communication.note import Act, Note, in_one_step, no_note, silent
from runtime.communication.signals import Signal, StopSignal
from runtime.errors import PacketGone, QueueFull, TaskEnded
from runtime.facts import Ending

if TYPE_CHECKING:
    from runtime.communication.inbox import Inbox

HAND = "hand"
"""The producer name of what is put in from outside."""

_MOST_TOKENS: Final = 1024  # at once, where a queue is to hold more
_READER, _PERMIT = repeat("reader"), repeat("permit")


class Places:
    """The free places of the hand's lane, and the arrival numbers of what comes into it; both are drawn in C.

    `wake` unparks the reader, in C as well: by the permit that it has then, which is another one once another thread
    works it.
    """

    __slots__ = ("_kept", "numbers", "tokens", "wake", "with_numbers")

    def __init__(self, inbox: Inbox) -> None:
        self.tokens: deque[int] = deque()  # one, which is true, for each free place
        self._kept = 0  # free places that are no tokens yet
        self.numbers = count()
        # Both in one step; `pop` raises if there is no place, and then no number is drawn.
        self.with_numbers = zip(iter(self.tokens.pop, None), self.numbers, strict=False)
        self.wake = partial(next, map(LockType.release, map(getattr, map(getattr, repeat(inbox), _READER), _PERMIT)))

    def give(self, places: int) -> None:
        """So many are free."""
        self.tokens.clear()
        self.tokens.extend([1] * min(places, _MOST_TOKENS))
        self._kept = places - len(self.tokens)

    @property
    def left(self) -> int:
        """How many are free."""
        return len(self.tokens) + self._kept

    def take(self) -> bool:
        """Take a free one. False: there is none."""
        if self._kept and not self.tokens:
            tokens = min(self._kept, _MOST_TOKENS)
            self._kept -= tokens
            self.tokens.extend([1] * tokens)
        try:
            self.tokens.pop()
        except IndexError:
            return False
        return True

    def free(self) -> None:
        """One more is free."""
        self.tokens.append(1)

    def close(self) -> None:
        """None is free, ever."""
        self.give(0)


class Hand:
    """Fills one lane of an inbox, from any thread: `offer` from all, the rest from those that no interrupt reaches."""

    turn_changes: Final = ("_closed_inputs",)

    def __init__(self, inbox: Inbox, room: int, *, several_inputs: bool) -> None:
        self._inbox = inbox
        self.lane = Lane(inbox, LaneSpec(HAND), 0)
        # Guards the lane (its items and end as seen by writers), all that is borrowed, and the closed inputs.
        self._lock = threading.Lock()
        self._places = Places(inbox)
        self._borrowed: list[Lane] = []
        self._closed_inputs: set[int] | None = set() if several_inputs else None  # None: there is one, and it is open
        self._stamped: Callable[[Any], Any] | None = None  # of a traced job: what an item becomes
        self.removed = 0  # packets that it has taken out, and that count as dropped
        self.retracted = 0  # packets that it had put in and has taken back; they count as `taken`, and nowhere else
        self.give_room(room)

    # ── putting in ──

    def give_room(self, places: int) -> None:
        """Before anything is put in: have so many places of its own."""
        self.lane.resize(places - self.lane.capacity)
        self._places.give(places)

    def stamp(self, stamped: Callable[[Any], Any] | None) -> None:
        """Before anything is put in: let `stamped` make of an item what is to lie in the lane."""
        self._stamped = stamped

    def refuse_offers(self) -> None:
        """Before anything is put in: `offer` is to do nothing, since an unpark of this reader is no one step of C."""
        if self._stamped is None:
            self._stamped = _as_it_is

    def offer(self, item: Any, note: Note | None = None) -> bool:
        """Put `item` in if there is a free place. False: nothing has happened; there is none, or it is not said here.

        The lane is extended by an item of which the place is drawn before it comes, then by what the acts of `note`
        give, and by what an unpark gives, which is nothing: `pop` raises if there is no place, `release` if the reader
        is awake already.
        """
        if self._closed_inputs is not None or self._stamped is not None:  # some may be closed; an id has to be drawn
            return False
        places, wake = self._places, self._places.wake
        if note is None:
            in_order = chain(compress((item,), places.with_numbers), iter(wake, None))
        else:
            coming = compress((item,), iter(places.tokens.pop, None))
            noting = silent((self._numbering(note), *note.acts))
            in_order = chain(coming, *noting, iter(wake, None))
        try:
            self.lane.items.extend(in_order)
        except IndexError:
            return False
        except RuntimeError:  # the reader was awake; the item is in
            pass
        return True

    def inject(self, item: Any) -> None:
        """Put `item` in. Raises `TaskEnded`, `QueueFull`."""
        if (full := inject_everywhere([self], item)) is not None:
            raise full.refusal()

    def refusal(self) -> QueueFull:
        """Why it finds no room."""
        return QueueFull(
            f"{len(self._inbox)} of {self._inbox.capacity} places are taken, and the rest is promised to producers at "
            "work; wait for room with timeout=, or raise the capacity"
        )

    def accepting(self, item: Any, note: Note) -> list[Act]:
        """What takes an item for which there is room, and its number. `wake` follows. Under the lock."""
        marked = item if self._stamped is None else self._stamped(item)
        return [partial(self.lane.items.append, marked), self._numbering(note)]

    def _numbering(self, note: Note) -> Act:
        """What lets `note` know the number of the packet that has just come in."""
        return partial(note.numbers.extend, islice(self._places.numbers, 1))

    def require_open(self, item: Any) -> None:
        """Raise `TaskEnded` if `item` comes too late. Under the lock."""
        if self.lane.closed or self._inbox.reader.cancelled:
            raise TaskEnded("the task has ended or is ending; nothing can be put in any more")
        if self._closed_inputs and (number := number_of(item)) in self._closed_inputs:
            raise TaskEnded(f"all producers of input {number} have ended; nothing can be put in there any more")

    # ── its end ──

    def close_input(self, number: int) -> int:
        """Of several inputs, one that its producers have ended: from now on the hand is refused there, too.

        Returns how many packets of the hand have been accepted before, for any input.
        """
        assert self._closed_inputs is not None, "an only input ends with the hand"
        with self._lock:
            self._closed_inputs.add(number)
            accepted = self.lane.taken + len(self.lane.items)
        self._inbox.notify_hand()
        return accepted

    def end(self, how: Ending) -> bool:
        """Close the lane; what it holds is still worked. False if it was closed already."""
        with self._lock:
            if self.lane.closed:
                return False
            self._places.close()
            self.lane.put_signal(StopSignal(HAND, how))
        self._inbox.notify_hand()
        return True

    def cancel(self) -> None:
        """The task was cancelled: nothing can be put in any more."""
        with self._lock:
            self._places.close()
        self._inbox.notify_hand()

    # ── changing what waits, while the reader stands at its closed gate ──

    def remove(self, lane: Lane, index: int) -> Any:
        """Take an item out of any lane; it counts as taken, and as `removed`. Its place is free for the next."""
        with self._lock:
            item = lane.remove(index)
            self.removed += 1
            if lane is self.lane:
                self.free_place()
            else:
                lane.let_in()
        self._inbox.notify_hand()
        return item

    def retract(self, index: int) -> None:
        """Take an item of its own out as if it had never been put in. Its place is free for the next."""
        with self._lock:
            self.lane.remove(index)
            self.retracted += 1
            self.free_place()
        self._inbox.notify_hand()

    def put_back(self, lane: Lane, index: int, number: int, item: Any, signals: int) -> None:
        """Undo `remove` of packet `number`, behind that many signals (`Lane.signals_before`).

        Raises `QueueFull` if its place has been taken, `PacketGone` if its producer has ended since.
        """
        with self._lock:
            is_ended = lane is self.lane and self._closed_inputs and number_of(item) in self._closed_inputs
            if is_ended or not self._inbox.is_open(lane):
                raise PacketGone("the packet's producer has ended, and what follows from that has begun")
            if lane is self.lane:
                fits = self.take_place()
            else:
                lane.resize(-1)  # until it is in; and said before the claim is read, as in `_borrow_place`
                promised = 0 if lane.closed else lane.claim + lane.writer.is_at_work()
                fits = len(lane.items) + promised <= lane.capacity
            if fits:
                lane.insert(index, number, item, signals)
                self.removed -= 1
            if lane is not self.lane:
                lane.resize(1)
                lane.let_in()
            self._inbox.wake()  # it may have been the only one
        if not fits:
            raise QueueFull("the place of the dropped packet has been taken, or is promised to its producer")

    def reserve(self, places: int) -> None:
        """Take so many free places, before `give_back`. Raises `QueueFull` if others have taken them since."""
        with self._lock:
            for taken in range(0 if self.lane.closed else places):
                if not self.take_place():
                    for _ in range(taken):
                        self.free_place()
                    raise self.refusal()

    def give_back(
        self, lane: Lane, items: Sequence[Any], numbers: Sequence[int], signals: Sequence[tuple[int, Signal]]
    ) -> None:
        """Undo what the reader has taken, of any lane, where there is room for it."""
        with self._lock:
            lane.give_back(items, numbers, signals)
        if signals:
            self._inbox.hear_signal()
        self._inbox.wake_if_asleep()

    @property
    def free_places(self) -> int:
        """How many places of its own are free."""
        return self._places.left

    def reopen(self, places: int, signals: int) -> None:
        """Undo `end`: so many places are free again, and so many of its signals were never put."""
        with self._lock:
            self.lane.withdraw(0, signals)
            self._places.give(places)

    # ── room ──

    def left(self, count: int) -> None:
        """Reader: so many of its packets have been taken, and their places are free."""
        with self._lock:
            for _ in range(count):
                self.free_place()

    def take_place(self) -> bool:
        """Take a free place, borrowed if need be. False: there is none. Under the lock."""
        return self._places.take() or self._borrow_place()

    def _borrow_place(self) -> bool:
        for lane in sorted(self._inbox.lanes[1:], key=lambda lane: len(lane.items) - lane.capacity):
            lane.resize(-1)
            promised = 0 if lane.closed else lane.claim + 1
            if len(lane.items) + promised <= lane.capacity:
                self._borrowed.append(lane)
                self.lane.resize(1)
                return True
            lane.resize(1)
            lane.let_in()
        return False

    def free_place(self) -> None:
        """A place is free: it is given back if it was borrowed. Under the lock."""
        if self._borrowed:
            self.lane.resize(-1)
            lane = self._borrowed.pop()
            lane.resize(1)
            lane.let_in()
        elif not self.lane.closed and not self._inbox.reader.cancelled:
            self._places.free()


def inject_everywhere(hands: Sequence[Hand], item: Any, noted: Callable[[], Note] = no_note) -> Hand | None:
    """Put `item` by all of `hands` into their lanes, or into none. Accepted before their ends, or refused.

    It comes into all of them in one step, in which what `noted` makes is put down as well. Returns one that has no
    room, if there is one. Raises `TaskEnded` once one of the lanes is closed or its task cancelled. Locks are taken in
    the given order, which has to be the same for all who call.
    """
    with ExitStack() as locks:
        for hand in hands:
            locks.enter_context(hand._lock)
        for hand in hands:
            hand.require_open(item)  # all of them, before room is borrowed in any
        for number, hand in enumerate(hands):
            if not hand.take_place():
                for before in hands[:number]:
                    before.free_place()
                return hand
        note = noted()
        in_one_step([act for hand in hands for act in hand.accepting(item, note)] + [*note.acts])
        for hand in hands:
            hand._inbox.wake_if_asleep()
    return None


def _as_it_is(item: Any) -> Any:
    return item
