"""Made: what one producer of a traced job has made, the newest of it. Knows neither queues nor tasks.

Of each packet it keeps the value as it was then, and which packets it was made of. What is made at the moment is said
by whoever draws packets (`draw`), and by operators that keep some (`runtime/origins/memory.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from sys import getsizeof
from typing import Any, Final, NamedTuple, Protocol

from runtime.origins.kept import LARGEST, PLAIN, as_it_was, kept

KEPT_BYTES: Final = 64 * 1024 * 1024
"""How much a job remembers of where its packets come from; its tasks share it evenly."""

MOST_NAMED: Final = 10
"""Of a packet that was made of more, that many of these are named, the last ones."""

_ENTRY_BYTES: Final = 320  # of one entry without its value


class Edited(NamedTuple):
    """A packet that was edited by hand: the one of this id came with this value."""

    id: str
    value: Any


Named = str | Edited | None
"""A packet of which another was made, by its id; None: something that was put there by hand."""

Of = tuple[tuple[Named, ...], int]
"""Of which packets one is made: the last of them, and how many there were before these."""

OF_NONE: Final[Of] = ((), 0)


class Entry(NamedTuple):
    """One packet: its value, its key in a tuple if it has one, what it was made of, and by which version. By value."""

    value: Any
    key: tuple[()] | tuple[Any]
    of: Of
    version: int


_Kept = tuple[Any, tuple[()] | tuple[Any], Of, int, int]
"""The same, and how many bytes it takes: a bare tuple is made in a tenth of the time."""


class Maker(Protocol):
    """Who makes results: an operator."""

    version: int


class _Hand:
    version = 1


class Made:
    """The newest packets of one producer, by number. One thread adds at a time; any may read."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes, self._bytes = most_bytes, 0
        self._entries: dict[int, _Kept] = {}
        self._oldest = 1
        self._maker: Maker = _Hand()
        self._counts_arrivals = False
        self.in_work: Named = None  # the packet, where it is one
        self.of: Of = OF_NONE  # what the next result is made of
        self._by_hand: Made | None = None
        self._partners: Iterator[Of] = iter(())

    # ── who makes ──

    def work_for(self, maker: Maker, *, is_end: bool) -> None:
        """Before anything is made: that makes it. Of an end, what comes there is noted in place of what it makes."""
        self._maker, self._counts_arrivals = maker, is_end

    def of_hand(self) -> Made:
        """Before anything is made: what the hand puts into the same queue."""
        self._by_hand = Made(self._most_bytes)
        return self._by_hand

    # ── what is in work ──

    def draw(self, packet: Named) -> None:
        """This packet is in work from now on; None: none is."""
        self.in_work = packet
        self.of = OF_NONE if packet is None else ((packet,), 0)
        if self._counts_arrivals and packet is not None:
            self.add(self._oldest + len(self._entries), None, ())

    def draw_all(self, packets: Sequence[Named]) -> None:
        """All these are in work at once."""
        self.in_work = packets[0] if len(packets) == 1 else None
        self.of = last_of(packets)

    def made_of(self, of: Of) -> None:
        """What the next result is made of, where that is not the packet in work."""
        self.of = of

    def blamed(self) -> Named:
        """Which packet an error is of: that in work, or at the end of the input the one of which something is sent."""
        return self.in_work if self.in_work is not None or len(self.of[0]) != 1 else self.of[0][0]

    def meet(self, partners: Sequence[Named], number: int) -> None:
        """What is made next is made of the packet in work and the first of `partners`, of input `number`; and so on."""
        own = self.in_work
        self._partners = (((each, own) if number == 0 else (own, each), 0) for each in partners)

    def merging(self, merge: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
        """The same function, at each call of which the next of those partners is met."""

        def merge_next(left: Any, right: Any) -> Any:
            self.of = next(self._partners, self.of)
            return merge(left, right)

        return merge_next

    # ── what was made ──

    def add(self, number: int, value: Any, key: tuple[()] | tuple[Any]) -> None:
        """A packet was made, the producer's one of this number: they come in order, from 1."""
        if id(type(value)) not in PLAIN or (size := getsizeof(value)) > LARGEST:
            value, size = kept(value)
        if key and id(type(key[0])) not in PLAIN:
            key = (kept(key[0])[0],)
        self._entries[number] = value, key, self.of, self._maker.version, size
        self._bytes += size + _ENTRY_BYTES
        if self._bytes > self._most_bytes:
            self._forget()

    def _forget(self) -> None:
        """Let go of the oldest, but for one."""
        entries = self._entries
        while self._bytes > self._most_bytes and len(entries) > 1:
            self._let_go_of(self._oldest)
            self._oldest += 1

    def _let_go_of(self, number: int) -> None:
        *_, size = self._entries.pop(number)
        self._bytes -= size + _ENTRY_BYTES

    def newest(self) -> int:
        """The number of the packet that was made last; of an end, of the one that came last."""
        return self._oldest + len(self._entries) - 1

    def forget_after(self, number: int) -> None:
        """What was made after the packet of this number has never been made."""
        while self.newest() > number and self._entries:
            self._let_go_of(self.newest())

    def find(self, numbers: Iterable[tuple[bool, int]]) -> list[Entry | None]:
        """Any thread: the packets of these numbers, of the hand's if it says so; None: forgotten."""
        by_hand = {} if self._by_hand is None else self._by_hand._entries
        found = [(by_hand if of_hand else self._entries).get(number) for of_hand, number in numbers]
        return [None if each is None else _entry(each) for each in found]


def _entry(packet: _Kept) -> Entry:
    value, key, of, version, _ = packet
    return Entry(as_it_was(value), (as_it_was(key[0]),) if key else (), of, version)


def last_of(packets: Sequence[Named]) -> Of:
    """Made of all these."""
    return tuple(packets[-MOST_NAMED:]), max(0, len(packets) - MOST_NAMED)
