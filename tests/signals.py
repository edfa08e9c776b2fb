"""Signals of the tests' own, one of each way to count, and sources that send them between their items.

They stand in no file of the runtime: another kind of signal is one class.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Literal

import runtime
from runtime.communication.signals import Signal
from runtime.step import QueueView

Item = tuple[str, int]
"""Which source has sent it, and its number there."""

MARKED: Final = (0, 3, 4, 9)
"""The items in front of which a source sends a signal of that number; another one comes at its end."""


@dataclass(frozen=True)
class Each(Signal):
    """Counts by itself."""

    number: int
    source: str


@dataclass(frozen=True, order=True)
class Least(Signal):
    """Counts by the least: no item with a smaller number follows."""

    counts: ClassVar[Literal["least"]] = "least"

    number: int


@dataclass(frozen=True)
class Aligned(Signal):
    """Counts once all have brought it: a cut through the graph."""

    counts: ClassVar[Literal["aligned"]] = "aligned"

    number: int


Kind = Literal["each", "least", "aligned"]
KINDS: Final[tuple[Kind, ...]] = ("each", "least", "aligned")


def made(kind: Kind, number: int, source: str) -> Signal:
    return Each(number, source) if kind == "each" else Least(number) if kind == "least" else Aligned(number)


def number_of(signal: Signal) -> int:
    assert isinstance(signal, Each | Least | Aligned)
    return signal.number


class Marked(runtime.SourceFunction[Item]):
    """`count` items with signals between them: in front of the `marked` ones, and at the end."""

    def __init__(self, name: str, kind: Kind, count: int = 12, marked: Sequence[int] = MARKED) -> None:
        self.name, self.kind, self.count, self.stamped = name, kind, count, marked

    def run(self) -> Iterator[Item]:
        ctx: Any = self.ctx
        for number in range(self.count + 1):
            if number in self.stamped or number == self.count:
                ctx._send_signal(made(self.kind, number, self.name))
            if number < self.count:
                yield self.name, number


def parsed(text: str) -> Signal | None:
    """The signal that shows itself as `text`; None for a stop signal."""
    return eval(text) if text.endswith(")") else None


def lanes(view: QueueView) -> dict[str, list[Any]]:
    """What waits in each lane, by producer, signals where they stand: the text of a stop signal."""
    found: dict[str, list[tuple[int, Any]]] = defaultdict(list)
    for each in view.signals:
        found[each.producer].append((each.index, parsed(each.text) or each.text))
    for index, packet in enumerate(view):
        found[packet.producer].append((index, packet.payload))
    # Of what has the same index the signals come first, in their order: the sort is stable.
    return {
        producer: [each for _, each in sorted(entries, key=lambda at: at[0])] for producer, entries in found.items()
    }


def check(
    kind: Kind, sources: Sequence[str], lane: list[Any], *, marked: Sequence[int] = (*MARKED, 12), paired: bool = False
) -> None:
    """What came down one lane of what `sources` sent: every signal once, in its place among the items.

    `paired`: each item needs one of each source to be made.
    """
    numbers = list(marked)
    signals = [each for each in lane if isinstance(each, Signal)]
    if kind == "each":
        for source in sources:
            of_source = [each for each in signals if isinstance(each, Each) and each.source == source]
            assert of_source == [Each(number, source) for number in numbers]
    else:
        assert signals == [made(kind, number, "") for number in numbers]
    for place, signal in enumerate(lane):
        if not isinstance(signal, Signal):
            continue
        of = signal.source if isinstance(signal, Each) and not paired else None  # whose items it says something about
        before, behind = (
            [each for each in part if isinstance(each, tuple) and of in (None, each[0])]
            for part in (lane[:place], lane[place:])
        )
        number = number_of(signal)
        if kind != "least" or len(sources) == 1:
            assert all(each[1] < number for each in before), f"in front of {signal}: {before}"
        if kind != "each" or not paired:
            assert all(each[1] >= number for each in behind), f"behind {signal}: {behind}"
    assert lane[-1] == "completed"
