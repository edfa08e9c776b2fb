"""What stepping and looking show: one step, a queue, the way of a packet. Frozen records with texts that stay the same.

Their texts are one line each (a path: one line per hop), bounded, without times or ids, so that a notebook can keep
them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal, overload

from runtime.communication.packet import Asked, Packet
from runtime.errors import NO_PACKET, error_text, failure_text
from runtime.facts import Ending

Result = Literal["done", "stop", "held_back", "waiting", "running", "idle"]
"""What became of a turn: a packet was worked; a stop signal was taken, or a source ended; the task waits in mid-packet
for room, or for a service or its next attempt; user code is still at it; there was nothing to do.
"""

_SHOWN = 6  # outputs, packets


@dataclass(frozen=True, slots=True)
class Step:
    """One turn of one task or service, and what it did.

    `packet` is what was taken (None of a source, of a stop signal, and where nothing was), `sent` what was sent, as
    `(target task, packet)` in order, `error` what user code raised, `signal` the stop signal that was taken, as
    `(producer, ending)`, `ending` how the task ended if this was its last turn.
    """

    result: Result
    task: str | None = None
    packet: Packet | None = None
    sent: tuple[tuple[str, Packet], ...] = ()
    error: BaseException | None = None
    signal: tuple[str, Ending] | None = None
    ending: Ending | None = None
    several_inputs: bool = False

    def __str__(self) -> str:
        if self.task is None:
            return "idle: nobody can take a turn"
        return f"{self.task}: {self._what()}"

    def __repr__(self) -> str:
        return f"Step({self})"

    def _what(self) -> str:
        taken = self._taken()
        if self.error is not None and self.packet is not None:
            what = "request" if type(self.packet.payload) is Asked else "packet"
            return f"failed on {what} {self.packet.text}: {error_text(self.error)}"
        if self.error is not None:
            return failure_text(NO_PACKET, self.error)
        if self.result == "idle":
            return "idle, nothing to take"
        if self.result in ("held_back", "waiting", "running"):
            so_far = f", so far {self._sent()}" if self.sent else ""
            return f"{taken}{' ' if taken else ''}{_STILL[self.result]}{so_far}"
        if self.result == "stop":
            heard = [f"stop from {self.signal[0]} ({self.signal[1]})"] if self.signal is not None else []
            heard += [f"-> {self._sent()}"] if self.sent else []
            return ", ".join([*heard, *([f"ended {self.ending}"] if self.ending is not None else [])])
        if self.ending == "cancelled":
            return f"{taken} broken off, {f'so far {self._sent()}, ' if self.sent else ''}ended cancelled"
        return f"{taken}{' ' if taken else ''}-> {self._sent() or 'nothing'}"

    def _taken(self) -> str:
        if self.packet is None:
            return ""
        return f"{self.packet.text} on input {self.packet.input}" if self.several_inputs else self.packet.text

    def _sent(self) -> str:
        shown = []
        for target, group in groupby(self.sent[:_SHOWN], key=lambda each: each[0]):
            shown.append(f"{', '.join(packet.text for _, packet in group)} to {target}")
        more = len(self.sent) - _SHOWN
        return ", ".join(shown) + (f", … {more} more" if more > 0 else "")


_STILL = {"held_back": "held back", "waiting": "waiting", "running": "still in user code"}


class QueueView(Sequence[Packet]):
    """Packets that wait for a task, as they would be taken of each lane; looking has not changed anything."""

    def __init__(self, task: str, packets: Sequence[Packet], depth: int, capacity: int) -> None:
        self.task, self.depth, self.capacity = task, depth, capacity
        self._packets = tuple(packets)

    @overload
    def __getitem__(self, index: int) -> Packet: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[Packet, ...]: ...

    def __getitem__(self, index: int | slice) -> Packet | tuple[Packet, ...]:
        return self._packets[index]

    def __len__(self) -> int:
        return len(self._packets)

    def __repr__(self) -> str:
        shown = ", ".join(packet.text for packet in self._packets[:_SHOWN])
        more = self.depth - min(len(self._packets), _SHOWN)
        parts = [shown] if shown else []
        parts += [f"… {more:,} more"] if more > 0 else []
        return f"QueueView({self.task}, {self.depth:,} of {self.capacity:,}: {', '.join(parts) or 'empty'})"


@dataclass(frozen=True, slots=True)
class Path:
    """The way of one packet and of all that was made of it: its step, and a path for each packet that was sent."""

    step: Step
    then: tuple[Path, ...] = ()

    @property
    def packets(self) -> tuple[Packet, ...]:
        """Every packet on the way, in the order of the lines."""
        own = () if self.step.packet is None else (self.step.packet,)
        return own + tuple(packet for path in self.then for packet in path.packets)

    def __repr__(self) -> str:
        return "\n".join(self._lines("", ""))

    def _lines(self, first: str, rest: str) -> list[str]:
        lines = [f"{first}{self.step}"]
        for number, path in enumerate(self.then, 1):
            last = number == len(self.then)
            lines += path._lines(f"{rest}{'└─ ' if last else '├─ '}", f"{rest}{'   ' if last else '│  '}")
        return lines
