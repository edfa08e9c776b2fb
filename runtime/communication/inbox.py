"""A task's input queue: one lane per producer, and one for the hand. Knows lanes and who waits; nothing of tasks.

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
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from itertools import chain, compress, count, islice
from typing import Any, Final

from runtime.communication.element import number_of
from runtime.communication.lane import Lane
from runtime.communication.note import Act, Note, in_one_step, no_note, silent
from runtime.communication.signals import StopSignal
from runtime.errors import PacketGone, QueueFull, TaskEnded
from runtime.facts import Ending
from runtime.scheduling.parker import Waiter

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

    One thread reads: `wait`, `gather`, `drop`, `hold`, `retire`. Any thread may call `offer` and `len`; `inject` and
    `end_hand` any that no interrupt reaches.
    """

    __slots__ = (
        "__weakref__",
        "_arrivals",
        "_borrowed",
        "_closed_inputs",
        "_hand_room",
        "_has_several_inputs",
        "_held",
        "_open",
        "_places",
        "_places_and_arrivals",
        "_places_kept",
        "_signalled",
        "asleep",
        "capacity",
        "hand",
        "hand_waits",
        "lanes",
        "reader",
        "removed",
        "retracted",
        "stamped",
    )

    def __init__(self, capacity: int, lanes: Sequence[LaneSpec]) -> None:
        self.reader: Waiter = Waiter()  # until there is one
        self.capacity = capacity
        self.asleep = False
        share, left_over = shares(capacity, len(lanes))
        self.hand = Lane(self, HAND, left_over)
        self.lanes = [self.hand, *(Lane(self, spec.producer, share, spec.input) for spec in lanes)]
        self._open = list(self.lanes)  # in the order in which they are looked at; without the held and the retired
        self._signalled = (
            False  # whether a lane may have a signal: said after it was put, cleared before it is looked for
        )
        self._held: list[Lane] = []  # have brought a signal that waits for the same of the others
        # Guards the hand's lane (its items and end as seen by writers), all that is borrowed, and the closed inputs.
        self._hand_room = threading.Lock()
        self._places: deque[int] = deque()  # a token, which is true, for each place of the hand's that is free
        self._places_kept = 0  # free ones that are no tokens yet
        self._arrivals = count()  # the numbers of what comes into the hand's lane
        # Both in one step; `pop` raises if there is no place, and then no number is drawn.
        self._places_and_arrivals = zip(iter(self._places.pop, None), self._arrivals, strict=False)
        self.give_hand_room(left_over)
        self._borrowed: list[Lane] = []
        self._closed_inputs: set[int] = set()
        self._has_several_inputs = len({spec.input for spec in lanes}) > 1
        self.removed = 0  # packets that the hand has taken out, and that count as dropped
        self.retracted = 0  # packets that it had put in and has taken back; they count as `taken`, and nowhere else
        self.stamped: Callable[[Any], Any] | None = None  # of a traced job: what an item of the hand becomes
        self.hand_waits = 0  # how many packets of the hand wait for room

    def __len__(self) -> int:
        return sum([len(lane.items) for lane in self.lanes])

    def unworked(self) -> int:
        """After the end of all who use it: how many packets that were sent here are left; some may be on their way."""
        return len(self)

    # ── the reader ──

    def read_by(self, reader: Waiter, stamped: Callable[[Any], Any] | None = None) -> None:
        """From now on that one reads. `stamped` makes of an item of the hand what is to lie in its lane."""
        self.reader, self.stamped = reader, stamped

    def gather(self, count: int) -> tuple[list[Any], list[tuple[Lane, int]]]:
        """Copy up to `count` packets from the fronts of the lanes, and say how many of each, in the order of the copy.

        None of them stands behind a signal that has not been taken.
        Lanes have their turn: the next call begins behind the last lane that this one came to.
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
        for lane in self._open:  # noqa: SIM110  any() over a generator takes three times as long
            if lane.items or (signalled and lane.signals):
                return True
        return False

    def wait(self) -> None:
        """Return when there is something to take. Raises Cancelled."""
        if not self.ready():
            self.reader.park(self.ready, "idle", ask=self._ask)
            self.asleep = False

    def _ask(self) -> None:
        """Let writers wake the reader; one in the middle of a batch does after its next packet."""
        self.asleep = True
        for lane in self._open:
            lane.writer.request_yield()

    def wake(self) -> None:
        """Writer: wake the reader, who was asleep."""
        self.asleep = False
        self.reader.unpark()

    def hear_signal(self) -> None:
        """Writer: a signal was put into a lane."""
        self._signalled = True
        if self.asleep:
            self.wake()

    def drop(self, lane: Lane, count: int) -> None:
        """Delete packets from the front of `lane`; of the hand's lane, give back the room."""
        lane.drop(count)
        if lane is self.hand:
            with self._hand_room:
                for _ in range(count):
                    self._free_place()
        if self.hand_waits:
            self.notify_hand()

    def let_in(self) -> None:
        """Wake every writer that is held back and has room. (Low water is for a reader at work.)"""
        for lane in self.lanes:
            if lane.held_back and lane.has_room():
                lane.give_room()

    def hold(self, lane: Lane) -> None:
        """Take nothing of `lane` until `let_go`: it has brought a signal that the others have not."""
        self._open = [each for each in self._open if each is not lane]
        self._held.append(lane)

    def let_go(self) -> None:
        """Look at all lanes again."""
        self._signalled = True
        self._open += self._held
        self._held = []

    def retire(self, lane: Lane) -> None:
        """Look at `lane` no more: its stop signal has been taken."""
        self._open = [each for each in self._open if each is not lane]
        if self.hand_waits:
            self.notify_hand()

    def open_inputs(self) -> set[int]:
        """The inputs of which some producer's stop signal has not been taken."""
        return {lane.input for lane in (*self._open, *self._held) if lane is not self.hand}

    def close_input(self, number: int) -> int:
        """Of several inputs, one that its producers have ended: from now on the hand is refused there, too.

        Returns how many packets of the hand have been accepted before, for any input.
        """
        with self._hand_room:
            self._closed_inputs.add(number)
            accepted = self.hand.taken + len(self.hand.items)
        self.reader.tell()
        return accepted

    # ── the hand, while the reader stands at its closed gate ──

    def exchange(self, lane: Lane, index: int, item: Any) -> Any:
        """Put `item` in the place of another, which is returned."""
        before, lane.items[index] = lane.items[index], item
        return before

    def remove(self, lane: Lane, index: int) -> Any:
        """Take an item out; it counts as taken, and as `removed`. Its place is free for the next."""
        item = lane.items[index]
        with self._hand_room:
            lane.remove(index)
            self.removed += 1
            if lane is self.hand:
                self._free_place()
            elif lane.held_back and lane.has_room():
                lane.give_room()
        self.reader.tell()
        return item

    def retract(self, index: int) -> None:
        """Take an item of the hand's out as if it had never been put in. Its place is free for the next."""
        with self._hand_room:
            self.hand.remove(index)
            self.retracted += 1
            self._free_place()
        self.reader.tell()

    def put_back(self, lane: Lane, index: int, item: Any, signals: int) -> None:
        """Undo `remove`, behind that many signals (`Lane.signals_before`).

        Raises `QueueFull` if its place has been taken, `PacketGone` if the end has come behind it.
        """
        with self._hand_room:
            is_ended = lane is self.hand and self._closed_inputs and number_of(item) in self._closed_inputs
            if is_ended or (lane not in self._open and lane not in self._held):
                raise PacketGone("the packet's producer has ended, and what follows from that has begun")
            if lane is self.hand:
                fits = self._take_place()
            else:
                lane.resize(-1)  # until it is in; and said before the claim is read, as in `_find_room`
                promised = 0 if lane.closed else lane.claim + lane.writer.is_at_work()
                fits = len(lane.items) + promised <= lane.capacity
            if fits:
                lane.insert(index, item, signals)
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

    def give_hand_room(self, capacity: int) -> None:
        """Before anything is put in: let the hand have so many places of its own."""
        self.hand.capacity = capacity
        self._places.clear()
        self._places.extend([1] * min(capacity, _MOST_PLACES))
        self._places_kept = capacity - len(self._places)

    def offer(self, item: Any, note: Note | None = None) -> bool:
        """Put `item` in if there is a free place. False: nothing has happened; there is none, or it is not said here.

        The hand's lane is extended by an item of which the place is drawn before it comes, then by what the acts of
        `note` give, and by what an unpark gives, which is nothing: `pop` raises if there is no place, `release` if the
        reader is awake already.
        """
        if self._has_several_inputs or self.stamped is not None:  # some may be closed; an id has to be drawn
            return False
        if note is None:
            coming = compress((item,), self._places_and_arrivals)
            in_order = chain(coming, iter(self.reader.permit.release, None))
        else:
            coming = compress((item,), iter(self._places.pop, None))
            noting = silent((self._numbering(note), *note.acts))
            in_order = chain(coming, *noting, iter(self.reader.permit.release, None))
        try:
            self.hand.items.extend(in_order)
        except IndexError:
            return False
        except RuntimeError:  # the reader was awake; the item is in
            pass
        return True

    def inject(self, item: Any) -> None:
        """Put `item` in by hand. Raises `TaskEnded`, `QueueFull`."""
        if (full := inject_everywhere([self], item)) is not None:
            raise full.refusal()

    def refusal(self) -> QueueFull:
        """Why the hand finds no room."""
        return QueueFull(
            f"{len(self)} of {self.capacity} places are taken, and the rest is promised to producers at work; "
            "wait for room with timeout=, or raise the capacity"
        )

    def _accepting(self, item: Any, note: Note) -> list[Act]:
        """What takes an item of the hand for which there is room, and its number. `wake` follows. Under the lock."""
        marked = item if self.stamped is None else self.stamped(item)
        return [partial(self.hand.items.append, marked), self._numbering(note)]

    def _numbering(self, note: Note) -> Act:
        """What lets `note` know the number of the packet that has just come in."""
        return partial(note.numbers.extend, islice(self._arrivals, 1))

    def _require_open(self, item: Any) -> None:
        """Raise `TaskEnded` if `item` of the hand comes too late. Under the lock."""
        if self.hand.closed or self.reader.cancelled:
            raise TaskEnded("the task has ended or is ending; nothing can be put in any more")
        if self._closed_inputs and (number := number_of(item)) in self._closed_inputs:
            raise TaskEnded(f"all producers of input {number} have ended; nothing can be put in there any more")

    def end_hand(self, how: Ending) -> bool:
        """Close the hand's lane; what it holds is still worked. False if it was closed already."""
        with self._hand_room:
            if self.hand.closed:
                return False
            self._close_places()
            self.hand.put_signal(StopSignal(HAND, how))
        self.reader.tell()
        return True

    def cancel_hand(self) -> None:
        """The task was cancelled: nothing can be put in any more."""
        with self._hand_room:
            self._close_places()
        self.reader.tell()

    def notify_hand(self) -> None:
        """Let whoever waits to put something in look again: there may be room."""
        self.reader.tell()

    def _take_place(self) -> bool:
        """Take a free place of the hand's lane, borrowed if need be. False: there is none. Under the lock."""
        if self._places_kept and not self._places:
            tokens = min(self._places_kept, _MOST_PLACES)
            self._places_kept -= tokens
            self._places.extend([1] * tokens)
        try:
            self._places.pop()
            return True
        except IndexError:
            return self._borrow_place()

    def _borrow_place(self) -> bool:
        for lane in sorted(self.lanes[1:], key=lambda lane: len(lane.items) - lane.capacity):
            lane.resize(-1)
            promised = 0 if lane.closed else lane.claim + 1
            if len(lane.items) + promised <= lane.capacity:
                self._borrowed.append(lane)
                self.hand.capacity += 1
                return True
            self._return_to(lane)
        return False

    def _free_place(self) -> None:
        """A place of the hand's lane is free: it is given back if it was borrowed. Under the lock."""
        if self._borrowed:
            self.hand.capacity -= 1
            self._return_to(self._borrowed.pop())
        elif not self.hand.closed and not self.reader.cancelled:
            self._places.append(1)

    def _close_places(self) -> None:
        self._places.clear()
        self._places_kept = 0

    @staticmethod
    def _return_to(lane: Lane) -> None:
        lane.resize(1)
        if lane.held_back and lane.has_room():
            lane.give_room()


def inject_everywhere(inboxes: Sequence[Inbox], item: Any, noted: Callable[[], Note] = no_note) -> Inbox | None:
    """Put `item` by hand into all of `inboxes`, or into none. Accepted before their ends, or refused.

    It comes into all of them in one step, in which what `noted` makes is put down as well. Returns one that has no
    room, if there is one. Raises `TaskEnded` once one of the hand's lanes is closed or its task cancelled. Locks are
    taken in the given order, which has to be the same for all who call.
    """
    with ExitStack() as locks:
        for inbox in inboxes:
            locks.enter_context(inbox._hand_room)
        for inbox in inboxes:
            inbox._require_open(item)  # all of them, before room is borrowed in any
        for number, inbox in enumerate(inboxes):
            if not inbox._take_place():
                for before in inboxes[:number]:
                    before._free_place()
                return inbox
        note = noted()
        in_one_step([act for inbox in inboxes for act in inbox._accepting(item, note)] + [*note.acts])
        for inbox in inboxes:
            if inbox.asleep:
                inbox.wake()
    return None


_MOST_PLACES: Final = 1024  # tokens at once, where a queue is to hold more
