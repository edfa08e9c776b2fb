"""Origin: where one packet comes from, as a tree; and how that is found, task by task. Knows no session."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from runtime.origins.kept import as_it_was
from runtime.origins.made import Edited, Entry, Named
from runtime.texts.preview import preview
from runtime.texts.sentinel import Sentinel

How = Literal["item", "made", "by hand", "retried", "set by hand", "forgotten", "left out"]
"""How a packet came about."""

FORGOTTEN: Final[Any] = Sentinel("FORGOTTEN", __name__)
"""The value of what nobody remembers any more, or never knew."""

MOST_PACKETS: Final = 10_000
"""So many packets are looked for; those behind them are left out, which is said."""

_MOST_LINES: Final = 200  # of the text
_OF_HAND: Final = "hand/"

Ask = Callable[[str, Sequence[tuple[bool, int]]], Sequence[Entry | None]]
"""What a task remembers of its packets, or of those that the hand has put into its queue, by number."""


@dataclass(frozen=True, slots=True, eq=False)
class Origin:
    """Where a packet comes from: who made it, and of which packets, down to the items of sources. Printed, a tree.

    `value` and `key` are what it was made with: numbers, texts, and lists, tuples, sets and dicts of these, as they
    were then; of what is larger than 4 kB, or anything else, the preview. `task` has made it, with the function of this
    `version`: 1, or more where `replace` has given it another one.

    `how` it came about: it is an `item` of a source, or was `made` by an operator of its `parents`: of the packet in
    work; at a join of the two rows; at a reduce of the last ten packets that were folded, and `before` says how many
    there were before these; of none, if an operator sent it by itself. It was put in `by hand`, `retried` by hand (its
    parent is the one that was skipped), or `set by hand` as what a task remembers. It is `forgotten`, as newer ones
    have taken its place, or `left out`, as there are more than 10,000.

    `edited` has the payload that it was given by hand before it was taken, if it was.
    """

    how: How
    task: str
    id: str | None = None
    value: Any = FORGOTTEN
    key: Any = None
    keyed: bool = False
    version: int = 1
    parents: tuple[Origin, ...] = ()
    before: int = 0
    edited: tuple[()] | tuple[Any] = ()

    def walk(self) -> Iterator[Origin]:
        """This one and all that it comes from, each once: it first, then its parents in order, with all of theirs."""
        seen: set[int] = set()
        ahead = [self]
        while ahead:
            origin = ahead.pop()
            if id(origin) not in seen:
                seen.add(id(origin))
                yield origin
                ahead += reversed(origin.parents)

    @property
    def items(self) -> tuple[Origin, ...]:
        """What it comes from in the end: items of sources, and what was put in by hand."""
        return tuple(origin for origin in self.walk() if origin.how in ("item", "by hand"))

    @property
    def text(self) -> str:
        """It alone, in one line."""
        if self.how == "set by hand":
            return f"set by hand at {self.task}"
        if self.how in ("forgotten", "left out"):
            return f"{self.id}: {self.how}"
        shown = f"{preview(self.value)} [key {preview(self.key)}]" if self.keyed else preview(self.value)
        said = {
            "item": f"an item of {self.task}",
            "by hand": f"put into {self.task} by hand",
            "retried": f"put into {self.task} by hand again",
        }
        notes = [said.get(self.how, f"made by {self.task}")]
        if self.version > 1:
            notes.append(f"version {self.version}")
        if self.how == "made" and not self.parents:
            notes.append("of no packet")
        if self.before:
            notes.append(f"of these and {self.before:,} before them")
        if self.edited:
            notes.append(f"edited by hand to {preview(self.edited[0])}")
        return f"{shown}: {', '.join(notes)}"

    def __repr__(self) -> str:
        lines: list[str] = []
        seen: set[int] = set()
        ahead = [(self, "", "")]
        while ahead and len(lines) < _MOST_LINES:
            origin, first, rest = ahead.pop()
            again = bool(origin.parents) and id(origin) in seen
            lines.append(f"{first}{origin.text}{' (as above)' if again else ''}")
            if again:
                continue
            seen.add(id(origin))
            last = len(origin.parents) - 1
            for number in range(last, -1, -1):
                ends = number == last
                branch, below = ("└─ ", "   ") if ends else ("├─ ", "│  ")
                ahead.append((origin.parents[number], rest + branch, rest + below))
        return "\n".join([*lines, *(["…"] if ahead else [])])


class Search:
    """Looks for where packets of one run come from."""

    def __init__(self, ask: Ask, tasks: Collection[str], sources: Collection[str]) -> None:
        self._ask, self._tasks, self._sources = ask, tasks, sources
        self._found: dict[str, Entry | None] = {}
        self._made: dict[str, Origin] = {}

    def origin(self, named: Named, at: str) -> Origin:
        """Where a packet comes from, that has come to the task `at`."""
        if (id_ := _id_of(named)) is not None:
            self._look_for(id_)
            self._make(id_)
        return self._as_taken(named, at)

    def arrived(self, task: str, number: int) -> Named:
        """Which packet was the one of this number that came to a task at the end. None: forgotten."""
        (entry,) = self._ask(task, [(False, number)])
        return None if entry is None else entry.of[0][0]

    def _look_for(self, first: str) -> None:
        ahead = [first]
        while ahead and len(self._found) < MOST_PACKETS:
            wanted: dict[str, list[tuple[str, tuple[bool, int]]]] = {}
            for id_ in ahead:
                task, of_hand, number = self._address(id_)
                wanted.setdefault(task, []).append((id_, (of_hand, number)))
            found: dict[str, Entry | None] = {}
            for task, ids in wanted.items():
                entries = self._ask(task, [number for _, number in ids])
                found.update(zip([id_ for id_, _ in ids], entries, strict=True))
            self._found.update(found)
            parents = [_id_of(named) for entry in found.values() if entry is not None for named in entry.of[0]]
            ahead = [id_ for id_ in dict.fromkeys(parents) if id_ is not None and id_ not in self._found]

    def _address(self, id_: str) -> tuple[str, bool, int]:
        """Who remembers a packet: a task; whether it is one of the hand's; its number."""
        producer, _, number = id_.rpartition(":")
        of_hand = producer not in self._tasks
        return producer.removeprefix(_OF_HAND) if of_hand else producer, of_hand, int(number)

    def _make(self, first: str) -> None:
        """Parents before those that were made of them."""
        ahead = [first]
        while ahead:
            id_ = ahead[-1]
            missing = [] if id_ in self._made else [each for each in self._parents(id_) if each not in self._made]
            if missing:
                ahead += missing
            else:
                ahead.pop()
                self._made.setdefault(id_, self._origin(id_))

    def _parents(self, id_: str) -> Iterable[str]:
        entry = self._found.get(id_)
        return () if entry is None else [each for named in entry.of[0] if (each := _id_of(named)) is not None]

    def _origin(self, id_: str) -> Origin:
        task, of_hand, _ = self._address(id_)
        if (entry := self._found.get(id_)) is None:
            return Origin("forgotten" if id_ in self._found else "left out", task, id_)
        named, before = entry.of
        how: How = "made"
        if of_hand:
            how = "retried" if named else "by hand"
        elif task in self._sources:
            how = "item"
        key = entry.key[0] if entry.key else None
        parents = tuple(self._as_taken(each, task) for each in named)
        return Origin(how, task, id_, entry.value, key, bool(entry.key), entry.version, parents, before)

    def _as_taken(self, named: Named, at: str) -> Origin:
        """A packet as it came to a task, maybe edited."""
        if named is None:
            return Origin("set by hand", at)
        if isinstance(named, Edited):
            return replace(self._made[named.id], edited=(as_it_was(named.value),))
        return self._made[named]


def _id_of(named: Named) -> str | None:
    return named.id if isinstance(named, Edited) else named
