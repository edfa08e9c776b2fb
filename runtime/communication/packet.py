"""One packet as a person sees it. Edges carry bare payloads at full speed; a Packet is made when somebody looks.

In a traced job it is what lies in lanes. What travels with it then is known here alone: `Packet` has it, and `Tracer`
fills it in.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from runtime.texts.preview import preview

HAND_LANE: Final = 0
"""The number of the hand's lane in a task's queue."""


class Place(NamedTuple):
    """Where a packet lies: the lane of the task's queue (0 is the hand's), and its arrival number there.

    That stays the same, whatever the hand does with it and with others.
    """

    lane: int
    number: int


class Asked(NamedTuple):
    """What a service is asked: the payload of a request, as a person sees it."""

    method: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]

    @property
    def text(self) -> str:
        """As a call, bounded."""
        named = [f"{name}={preview(value)}" for name, value in self.kwargs.items()]
        return f"{self.method}({', '.join([*map(preview, self.args), *named])})"


@dataclass(frozen=True, slots=True)
class Packet:
    """A payload on its way: its key on a keyed edge (`keyed`), and which input of the operator it goes to.

    `task` is in whose queue it lies or lay, `producer` who put it there. `place` finds it again, to be edited.

    In a job with `trace=True` it also has an `id`, its own among all packets of the run ("split#2:17" is the 17th that
    split#2 has sent), the ids of its `parents` (of the packet in work when it was made; none of what sources and the
    hand make, and of what is left at the end of the input), and a `timestamp` of when it was made: seconds since the
    epoch, under a seed virtual ones since the start. All three stay the same when it is edited or moved.
    """

    payload: Any
    key: Any = None
    input: int = 0
    keyed: bool = False
    task: str = ""
    producer: str = ""
    place: Place | None = field(default=None, compare=False)
    id: str | None = field(default=None, compare=False)
    parents: tuple[str, ...] = field(default=(), compare=False)
    timestamp: float | None = field(default=None, compare=False)

    @property
    def text(self) -> str:
        """Its payload, and its key if it has one, as bounded text."""
        if type(self.payload) is Asked:
            return self.payload.text
        return f"{preview(self.payload)} [key {preview(self.key)}]" if self.keyed else preview(self.payload)

    def __repr__(self) -> str:
        if self.id is None:
            return f"Packet({self.text})"
        return f"Packet({self.text}, {self.id}{' of ' if self.parents else ''}{', '.join(self.parents)})"


class Tracer:
    """Fills in what travels with the packets of one producer. Used by one thread at a time.

    Of the packet in work, which whoever draws it tells, it keeps what goes over to the packets made of that.
    """

    def __init__(self, ids: str, now: Callable[[], float]) -> None:
        self._ids, self._now, self._made = ids, now, 0
        self._taken_over: dict[str, Any] = {}

    def draw(self, packet: Packet | None) -> None:
        """This packet is in work from now on; None: no packet is."""
        self._taken_over = {}
        if packet is not None and packet.id is not None:
            self._taken_over = {"parents": (packet.id,)}

    def draw_all(self, packets: Sequence[Packet]) -> None:
        """All these are in work at once."""
        self._taken_over = {"parents": tuple([packet.id for packet in packets if packet.id is not None])}

    def packet(self, payload: Any, key: Any, number: int, keyed: bool, task: str, producer: str) -> Packet:
        """The packet of `producer` that goes to an input of `task`."""
        self._made += 1
        id_, now = f"{self._ids}:{self._made}", self._now()
        return Packet(payload, key, number, keyed, task, producer, id=id_, timestamp=now, **self._taken_over)
