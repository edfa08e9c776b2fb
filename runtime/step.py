"""What stepping and looking show: one step, a queue, the way of a packet. Frozen records with texts that stay the same.

Their texts are one line each (a path: one line per hop), bounded, without times or ids, so that a notebook can keep
them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final, Literal, get_args, overload

from runtime.communication.packet import Asked, Packet
from runtime.errors import error_text
from runtime.facts import Ending, SignalFacts, TaskState

Result = Literal["done", "held", "stop", "held_back", "waiting", "running", "idle"]
"""What became of a turn: a packet was worked, or a signal taken; user code raised, and the packet stays first in its
lane; the stop signal was taken, or a source ended; the task waits in mid-packet for room, or for a service, its next
attempt, or an older call, which is sent first; user code is still at it; there was nothing to do.
"""

_SHOWN = 6  # outputs, packets


@dataclass(frozen=True, slots=True)
class Step:
    """One turn of one task or service, and what it did. As text, what was taken, an arrow, and what was sent where.

    `packet` is what was taken (None of a source, of a signal, and where nothing was), of a batch the first; `packets`
    are all of it. `sent` is what was sent, as `(target task, packet)` in order; the last of them waits for room while
    the step is held back. `error` is what user code raised. `signal` is the stop signal that was taken, as
    `(producer, ending)`, or another one, as `(producer, text)`, and `heard` how many of how many have arrived with it.
    `ending` is how the task ended if this was its last turn, `doing` what it waits for if the turn is not over. A task
    that is an end of the graph never `sends`; one with several inputs says on which a packet came.
    """

    result: Result
    task: str | None = None
    packet: Packet | None = None
    sent: tuple[tuple[str, Packet], ...] = ()
    error: BaseException | None = None
    signal: tuple[str, str] | None = None
    ending: Ending | None = None
    several_inputs: bool = False
    sends: bool = True
    heard: tuple[int, int] | None = None
    doing: TaskState | None = None
    more: tuple[Packet, ...] = ()
    """What was taken after `packet`, where a task works many at once."""

    @property
    def packets(self) -> tuple[Packet, ...]:
        """All that was taken, in order: one packet, none, or a batch."""
        return () if self.packet is None else (self.packet, *self.more)

    def __str__(self) -> str:
        if self.task is None:
            return "idle: nobody can take a turn"
        if self.result == "idle":
            return f"{self.task}: idle, nothing to take"
        taken, sent, then = self._taken(), self._sent(), self._then()
        if self.signal is not None:
            taken = ", ".join([taken, *([] if sent else then)])
        elif not sent and then:
            taken = " ".join([taken, *then]).lstrip()
        if sent:
            taken = "; ".join([f"{taken} -> {sent}".lstrip(), *then])
        return f"{self.task}: {taken}"

    def __repr__(self) -> str:
        return f"Step({self})"

    def _taken(self) -> str:
        if packets := self.packets:
            shown = [_shown(packet, self.several_inputs) for packet in packets[:_SHOWN]]
            return ", ".join([*shown, *([f"… {more:,} more"] if (more := len(packets) - _SHOWN) > 0 else [])])
        if self.signal is None:
            return ""
        producer, how = self.signal
        of_how_many = f", {self.heard[0]} of {self.heard[1]}" if self.heard is not None and self.heard[1] > 1 else ""
        taken = f"stop from {producer} ({how})" if how in _ENDINGS else f"{how} from {producer}"
        return f"{taken}{of_how_many}"

    def _sent(self) -> str:
        """What has gone, target by target; `nothing` of a packet that is over and of which something might have."""
        gone = self.sent[:-1] if self.result == "held_back" and self.doing not in _SAY_WHY else self.sent
        shown = []
        for target, group in groupby(gone[:_SHOWN], key=lambda each: each[0]):
            shown.append(f"{', '.join(packet.text for _, packet in group)} to {target}")
        if (more := len(gone) - _SHOWN) > 0:
            shown.append(f"… {more:,} more")
        if not shown and self.result == "done" and self.sends and self.error is None and self.signal is None:
            return "nothing"
        return ", ".join(shown)

    def _then(self) -> list[str]:
        """What there is to say behind what was sent: what went wrong, what is waited for, that it was the end."""
        if self.result == "held_back":
            if self.doing in _SAY_WHY:
                return [self.doing]
            return [f"held back: {packet.text} to {target}" for target, packet in self.sent[-1:]] or ["held back"]
        if self.result in ("waiting", "running"):
            if self.result == "waiting" and self.doing == "running":
                return ["waiting for an older call"]
            return [_WAITS_FOR.get(self.doing, "still in user code")]
        then = [] if self.error is None else [f"{self._went_wrong()}: {error_text(self.error)}"]
        if self.ending is not None and self.ending != "failed":
            then.append(f"ended ({self.ending})")
        return then

    def _went_wrong(self) -> str:
        if self.packet is not None and type(self.packet.payload) is Asked:
            return "raised"
        if self.result == "held":
            return "held"
        return "failed" if self.ending == "failed" else "skipped"


_ENDINGS: Final = get_args(Ending)
_SAY_WHY: Final[tuple[str, ...]] = ("held back: rate", "held back: all busy")  # with nothing under way
_WAITS_FOR: dict[TaskState | None, str] = {
    "held back": "waiting for room",
    "waiting": "waiting for a reply",
    "backing off": "waiting for its next attempt",
}


def _shown(packet: Packet, several_inputs: bool) -> str:
    return f"{packet.text} on input {packet.input}" if several_inputs else packet.text


class QueueView(Sequence[Packet]):
    """Packets that wait for a task, as they would be taken of each lane; looking has not changed anything.

    `depth` is how many wait in all; those that were not asked for have their place before the one of index `left_out`.
    `signals` are what stands between packets: the stop signal behind the last of a lane (its text is the ending).
    `open` are the packets of calls that have begun and whose results have not been accepted, the oldest first: they
    wait no more, so they are not in `depth`.
    """

    def __init__(
        self,
        task: str,
        packets: Sequence[Packet],
        depth: int,
        capacity: int,
        *,
        signals: Sequence[SignalFacts] = (),
        left_out: int | None = None,
        several_inputs: bool = False,
        open: Sequence[Packet] = (),
    ) -> None:
        self.open = tuple(open)
        self.task, self.depth, self.capacity, self.several_inputs = task, depth, capacity, several_inputs
        self.left_out = len(packets) if left_out is None else left_out
        self.signals = tuple(signals)
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
        last = self._packets[self.left_out :][-_SHOWN // 2 :]
        first = self._packets[: self.left_out][: _SHOWN - len(last)]
        shown = [_shown(packet, self.several_inputs) for packet in first]
        if (more := self.depth - len(first) - len(last)) > 0:
            shown.append(f"… {more:,} more")
        shown += [_shown(packet, self.several_inputs) for packet in last]
        open_ = f"; {len(self.open):,} open" if self.open else ""
        return f"QueueView({self.task}, {self.depth:,} of {self.capacity:,}: {', '.join(shown) or 'empty'}{open_})"


@dataclass(frozen=True, slots=True)
class Path:
    """The way of one packet and of all that was made of it: its step, and a path for each packet that was sent."""

    step: Step
    then: tuple[Path, ...] = ()

    @property
    def packets(self) -> tuple[Packet, ...]:
        """Every packet on the way, in the order of the lines."""
        return self.step.packets + tuple(packet for path in self.then for packet in path.packets)

    def __repr__(self) -> str:
        return "\n".join(self._lines("", ""))

    def _lines(self, first: str, rest: str) -> list[str]:
        lines = [f"{first}{self.step}"]
        for number, path in enumerate(self.then, 1):
            last = number == len(self.then)
            lines += path._lines(f"{rest}{'└─ ' if last else '├─ '}", f"{rest}{'   ' if last else '│  '}")
        return lines
