"""One packet as a person sees it. Edges carry bare payloads at full speed; a Packet is made when somebody looks.

In a traced job it is what lies in lanes. What travels with it then is known here alone: `Packet` has it, and `Tracer`
fills it in. In a graph that can be asked, whose question it is travels beside it (`Bearer`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Final, NamedTuple, Protocol

from runtime.errors import Unneeded
from runtime.origins.kept import kept
from runtime.origins.made import Edited, Made, Named
from runtime.texts.preview import preview

if TYPE_CHECKING:
    from runtime.communication.lane import Lane

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
    epoch, under a seed virtual ones since the start. All three stay the same when it is edited or moved; `edited` says
    that it was.
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
    edited: bool = field(default=False, compare=False)

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


class Again(NamedTuple):
    """What the hand puts in for a packet that was skipped, in place of its element."""

    element: Any
    packet: Named


def _named(packet: Packet) -> Named:
    return Edited(packet.id, kept(packet.payload)[0]) if packet.edited and packet.id is not None else packet.id


class Tracer:
    """Fills in what travels with the packets of one producer. Used by one thread at a time.

    Of the packet in work, which whoever draws it tells, it keeps what goes over to the packets made of that. What it
    has made is noted in `made`.
    """

    turn_changes: ClassVar[tuple[str, ...]] = ("_count",)

    def __init__(self, ids: str, now: Callable[[], float], made: Made) -> None:
        self._ids, self._now, self._count = ids, now, 0
        self.made = made
        self._parents: tuple[str, ...] = ()

    def draw(self, packet: Packet | None) -> None:
        """This packet is in work from now on; None: no packet is."""
        if packet is None or (id_ := packet.id) is None:
            self._parents = ()
            self.made.draw(None)
        else:
            self._parents = (id_,)
            self.made.draw(_named(packet) if packet.edited else id_)

    def draw_all(self, packets: Sequence[Packet]) -> None:
        """All these are in work at once."""
        self._parents = tuple([packet.id for packet in packets if packet.id is not None])
        self.made.draw_all([_named(packet) for packet in packets])

    def packet(self, payload: Any, key: Any, number: int, keyed: bool, task: str, producer: str) -> Packet:
        """The packet of `producer` that goes to an input of `task`."""
        self._count += 1
        self.made.add(self._count, payload, (key,) if keyed else ())
        id_ = f"{self._ids}:{self._count}"
        return Packet(payload, key, number, keyed, task, producer, None, id_, self._parents, self._now())

    def leave(self) -> None:
        """The packet in work has been worked."""

    def stay(self) -> None:
        """The packet in work is to be worked again: it has not left."""

    def break_off(self) -> None:
        """The packet in work has failed its task, or a cancel has ended that: neither it nor any other leaves now."""

    def blame(self, error: BaseException) -> None:
        """The packet in work is skipped, because of this."""

    def take_back(self, item: Any) -> None:
        """What was made for a lane was not accepted there, as nobody needs it."""


class Borne(Protocol):
    """What packets carry: it wants to know how many there are that do, wherever they are."""

    number: int
    """Its own among all of the run."""
    callers: tuple[str, ...]
    """For whom it was asked, the outermost first, if by a function or service of the job; and at which input."""

    def bear(self) -> None:
        """One more packet carries it. Any thread that works one that does."""

    def leave(self) -> None:
        """One packet less does. Any thread, once for each `bear`."""

    def blame(self, error: BaseException) -> None:
        """A packet that carries it has come to this."""


class Bearer(Tracer):
    """Gives the packets of one producer what the packet in work carries, and counts them. Used by one thread at a time.

    An item of a lane is then a pair: what it carries, or None, and what would lie there without it. A packet has
    counted from before it lies in a lane until those made of it do, or it was worked and none was.
    """

    def __init__(self, ids: str, now: Callable[[], float], made: Made, *, traced: bool) -> None:
        super().__init__(ids, now, made)
        self.is_traced = traced
        self.borne: Borne | None = None  # by the packet in work
        self._counted: Borne | None = None  # the same, if that packet leaves when the next one is drawn
        self._has_broken_off = False

    @property
    def callers(self) -> tuple[str, ...]:
        """For whom the packet in work was put in."""
        return () if self.borne is None else self.borne.callers

    def draw(self, item: Any) -> None:
        """This item is in work from now on; None: none is."""
        self.leave()
        inner = None
        if item is not None:
            self.borne, inner = item
            self._counted = self.borne
        if self.is_traced:
            super().draw(inner)

    def drawn(self, items: Iterator[Any]) -> Iterator[Any]:
        """What the items hold, each in work until the next one is drawn."""
        for item in items:
            if self.is_traced or self._counted is not None:
                self.draw(item)
            else:
                self.borne = self._counted = item[0]
            yield item[1]
        self.leave()

    def draw_all(self, items: Sequence[Any]) -> None:
        """All these are in work at once, and leave by `left`: what is made of several is nobody's."""
        self.leave()
        self.borne = items[0][0] if len(items) == 1 else None
        if self.is_traced:
            super().draw_all([inner for _, inner in items])

    def leave(self) -> None:
        """The packet in work has been worked."""
        counted, self.borne, self._counted = self._counted, None, None
        if counted is not None and not self._has_broken_off:
            counted.leave()

    def left(self, items: Sequence[Any]) -> None:
        """All these have been worked, or dropped."""
        for borne, _ in () if self._has_broken_off else items:
            if borne is not None:
                borne.leave()

    def leaving(self, items: Iterator[Any]) -> Iterator[Any]:
        """The same items, of which nothing is made: each has left when the next one is drawn."""
        for item in items:
            self.left((item,))
            yield item

    def stay(self) -> None:
        """The packet in work is to be worked again: it has not left."""
        self._counted = None

    def break_off(self) -> None:
        """The packet in work has failed its task, or a cancel has ended that: neither it nor any other leaves now."""
        self._has_broken_off = True

    def blame(self, error: BaseException) -> None:
        """The packet in work is skipped, because of this."""
        if self.borne is not None:
            self.borne.blame(error)

    def item(self, inner: Any) -> Any:
        """What lies in a lane for `inner`, which counts from now on."""
        if (borne := self.borne) is not None:
            borne.bear()
        return borne, inner

    def take_back(self, item: Any) -> None:
        """What was made for a lane was not accepted there, as nobody needs it."""
        self.left((item,))

    def sender(self, lane: Lane) -> Callable[[Any], object]:
        """Puts results where a packet makes one at most: as soon as that lies in its lane, it counts in its place."""
        items, inbox = lane.items, lane.inbox

        def send(value: Any) -> None:
            if len(items) >= lane.capacity:
                lane.wait_room()
            items.append((self.borne, value))
            self._counted = None
            if inbox.asleep:
                inbox.wake()

        return send

    def sender_to_all(self, lanes: Sequence[Lane]) -> Callable[[Any], object]:
        """Puts results into all these lanes."""

        def send(value: Any) -> None:
            for lane in lanes:
                item = self.item(value)
                try:
                    lane.put(item)
                except Unneeded:
                    self.take_back(item)
                    raise

        return send
