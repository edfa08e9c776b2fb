"""What tests/test_hand_machine.py commands: a small graph, what was done to its packets by hand, what must come out.

Every packet is an `Item`: who made it, its number there, which of a flat map's two it is, how often it was edited. So
whatever comes out can be told apart, counted and put in order. What changes a packet also changes the books, and
`Rig.check` compares.
"""

from __future__ import annotations

import itertools
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, Literal, NamedTuple

import runtime
from runtime import Packet, Session
from runtime.texts.preview import Told

Kind = Literal["line", "flat_map", "filter", "reduce", "join", "service"]
KINDS: Final[tuple[Kind, ...]] = ("line", "flat_map", "filter", "reduce", "join", "service")
KEYS: Final = 3
MOMENT_S: Final = 0.02
"""How long a command waits for what may well not come."""


class Item(NamedTuple):
    """One packet."""

    producer: str
    number: int
    part: int = -1
    edits: int = 0


Id = tuple[str, int, int]


def item_of(payload: Any) -> Item:
    """The item that a payload is, or carries: behind a reduce with its key, behind a join with its partner.

    Of a closed session there is only a preview left, which is none of the items.
    """
    if isinstance(payload, Told):
        return Item("closed", -1)
    if isinstance(payload, Item):
        return payload
    return item_of(payload[1]) if isinstance(payload[1], tuple) else item_of(payload[0])


def id_of(item: Item) -> Id:
    return item.producer, item.number, item.part


def with_edits(payload: Any, edits: int) -> Any:
    """The payload with its item edited."""
    if isinstance(payload, Told):
        return payload
    if isinstance(payload, Item):
        return payload._replace(edits=edits)
    if payload[1] is None:
        return with_edits(payload[0], edits), None
    return payload[0], with_edits(payload[1], edits)


class Echo:
    """A service that answers with what it is asked."""

    def process(self, item: Item) -> Item:
        return item


class Asking(runtime.Function[Item, Item]):
    """A map that asks the service for each packet."""

    def open(self, ctx: Any) -> None:
        self.ctx = ctx

    def process(self, value: Item, /) -> Item:
        answer: Item = self.ctx.call_service("echo", value, timeout=60)
        return answer


@dataclass(frozen=True)
class Shape:
    """A graph, drawn up front."""

    kind: Kind
    capacity: int
    parallelism: int
    items: int
    seed: int | None
    traced: bool


@dataclass
class Books:
    """What one run was given, and what was done to it. Changed and checked under the rig's `editing`."""

    sent: list[Item] = field(default_factory=list)
    dropped: set[Id] = field(default_factory=set)
    moved: set[Id] = field(default_factory=set)
    edits: dict[Id, int] = field(default_factory=dict)
    undo: list[Callable[[], None]] = field(default_factory=list)
    removed: int = 0

    def is_dropped(self, item: Item) -> bool:
        """Whether it, or what it was made of, was dropped by hand."""
        return id_of(item) in self.dropped or (item.producer, item.number, -1) in self.dropped

    def edits_of(self, item: Item) -> int:
        """How often it, or what it was made of, was edited."""
        return max(self.edits.get(id_of(item), 0), self.edits.get((item.producer, item.number, -1), 0))

    def is_moved(self, item: Item) -> bool:
        """Whether it, or what it was made of, was moved."""
        return id_of(item) in self.moved or (item.producer, item.number, -1) in self.moved


class Rig:
    """One session, its commands, its books."""

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        self.session = Session(capacity=shape.capacity, seed=shape.seed, trace=shape.traced)
        self.editing = threading.RLock()  # guards the books, and that edits and undos come one by one
        self.books = Books()
        self.breakpoints: list[runtime.Breakpoint] = []
        self.taps: list[runtime.Tap] = []
        self.callers: list[threading.Thread] = []
        self.failures: list[BaseException] = []
        self.seen: Packet | None = None  # the last that was found waiting, in this run
        self._numbers = itertools.count()
        self.result: Any = self._build().collect(name="end")
        works = [f"work#{index}" for index in range(shape.parallelism)] if shape.parallelism > 1 else ["work"]
        self.tasks = ["source", "in", *works, "end"]
        self.names = [*self.tasks, "work", *(["echo"] if shape.kind == "service" else [])]

    def _build(self) -> Any:
        shape, session = self.shape, self.session
        p: dict[str, Any] = {"parallelism": shape.parallelism, "name": "work"}
        source = session.source(lambda: (Item("source", n) for n in range(shape.items)), name="source")
        by_hand = session.input("in")
        if shape.kind == "join":
            return source.key_by(_key).join(by_hand.key_by(_key), _pair, how="outer", **p)
        both = source.union(by_hand)
        if shape.kind == "flat_map":
            return both.flat_map(lambda item: [item._replace(part=part) for part in (0, 1)], **p)
        if shape.kind == "filter":
            return both.filter(lambda item: item.number % 2 == 0, **p)
        if shape.kind == "reduce":
            return both.key_by(_key).reduce(lambda _, item: item, initial=Item("", 0), **p)
        if shape.kind == "service":
            session.service("echo", Echo, capacity=shape.capacity)
            return both.map(Asking(), **p)
        return both.map(lambda item: item, **p)

    # ── what has come out ──

    def check(self) -> None:
        """So far: nothing doubled, nothing reordered, nothing that was dropped."""
        with self.editing:
            out = [payload for payload in list(self.result) if self.shape.kind != "join" or None not in payload]
            if self.shape.kind == "join":  # each row meets all of its key: pairs are told apart by both
                assert max(Counter(out).values(), default=1) == 1, f"doubled: {out}"
                return
            last: dict[str, tuple[int, int]] = {}
            items = [item_of(payload) for payload in out]
            seen = Counter(map(id_of, items))
            assert not seen or max(seen.values()) == 1, f"doubled: {seen.most_common(3)}"
            for item in items:
                assert not self.books.is_dropped(item), f"{item} was dropped, and has come out"
                assert item.edits == self.books.edits_of(item), f"{item} was edited {self.books.edits_of(item)} times"
                place = (item.number, item.part)
                if self._is_in_order() and not self.books.is_moved(item):
                    assert last.get(item.producer, (-1, -1)) < place, f"{item} came behind {last[item.producer]}"
                    last[item.producer] = place
            self._check_conserved()

    def _is_in_order(self) -> bool:
        return self.shape.parallelism == 1

    def _check_conserved(self) -> None:
        """When nothing moves and nothing is in work: what was sent is worked, waits or was dropped by hand."""
        first, then = self.session.snapshot(), self.session.snapshot()
        if not all(facts.state in ("idle", "paused", "ended") for facts in first) or list(first) != list(then):
            return
        if not len(then) or then.state not in ("running", "draining"):
            return
        sent = sum(facts.emitted for facts in then) + len(self.books.sent)
        there = sum(facts.processed + facts.depth for facts in then if facts.kind != "source") + self.books.removed
        if list(self.session.snapshot()) == list(then):
            assert sent == there, f"sent {sent}, worked, waiting or removed {there}: {list(then)}"

    def check_end(self, outcome: runtime.Outcome) -> None:
        """Behind a good end: all has come out but what was dropped."""
        self.check()
        books = self.books
        assert outcome.dropped >= books.removed
        if outcome.state not in ("completed", "stopped"):
            return
        assert outcome.dropped == books.removed, f"{outcome} but {books.removed} removed by hand"
        if self.shape.kind == "join":
            return
        made = self.session.snapshot()["source"].processed
        came_in = [Item("source", number) for number in range(made)] + books.sent
        parts = (0, 1) if self.shape.kind == "flat_map" else (-1,)
        wanted = {id_of(item._replace(part=part)) for item in came_in for part in parts if self._is_kept(item)}
        wanted -= {each for each in wanted if self.books.is_dropped(Item(*each))}
        got = {id_of(item_of(payload)) for payload in self.result}
        assert got == wanted, f"lost {sorted(wanted - got)}, made up {sorted(got - wanted)}"

    def _is_kept(self, item: Item) -> bool:
        return self.shape.kind != "filter" or item.number % 2 == 0

    # ── by hand ──

    def name(self, a: int) -> str:
        return self.names[a % len(self.names)]

    def packet(self, a: int, b: int) -> Packet | None:
        """Some packet that waits for some task; if none does, one that did, most likely."""
        first = a % len(self.tasks)
        for task in (*self.tasks[first:], *self.tasks[:first]):
            view = self.session.peek(task)
            if len(view):
                self.seen = view[b % len(view)]
                break
        return self.seen

    def start(self, paused: bool) -> None:
        fresh = self.session.status not in ("running", "draining")
        if fresh:
            with self.editing:
                self.books = Books()
                self.leave_taps()
                self.seen = None
        self.session.start(paused=paused)

    def leave_taps(self) -> None:
        while self.taps:
            self.leave_tap()

    def leave_tap(self) -> None:
        if self.taps:
            self.taps.pop().__exit__()

    def send(self, a: int) -> None:
        """Send one more packet, and book it if it was accepted. (Under the lock: it may come out at once.)"""
        with self.editing:
            item = Item("sent", next(self._numbers))
            self.session.send("in", item, timeout=a % 2 * MOMENT_S)
            self.books.sent.append(item)

    def inject(self, a: int) -> None:
        """Inject one more packet, likewise; it takes another way than what is sent, and so has an order of its own."""
        with self.editing:
            item = Item("injected", next(self._numbers))
            number = a % 2 if self.shape.kind == "join" else None
            self.session.inject("work", item, input=number, timeout=0)
            sent = self.books.sent
            sent.append(item)
            self.books.undo.append(lambda: sent.remove(item))

    def edit(self, a: int, b: int) -> None:
        with self.editing:
            packet = self.packet(a, b)
            if packet is None or isinstance(packet.payload, Told):  # a preview of what was left, after a close
                return
            books, item = self.books, item_of(packet.payload)
            self.session.edit(packet, with_edits(packet.payload, item.edits + 1))
            before = books.edits.get(id_of(item), 0)
            books.edits[id_of(item)] = item.edits + 1
            books.undo.append(lambda: books.edits.__setitem__(id_of(item), before))

    def drop(self, a: int, b: int) -> None:
        with self.editing:
            packet = self.packet(a, b)
            if packet is None:
                return
            books, item = self.books, item_of(packet.payload)
            self.session.drop(packet)
            books.dropped.add(id_of(item))
            books.removed += 1

            def back() -> None:
                books.dropped.discard(id_of(item))  # of a join, several pairs have the same
                books.removed -= 1
                books.moved.add(id_of(item))  # its neighbours may have been worked meanwhile

            books.undo.append(back)

    def move(self, a: int, b: int) -> None:
        with self.editing:
            packet = self.packet(a, b)
            if packet is None:
                return
            depth = len([each for each in self.session.peek(packet.task) if each.producer == packet.producer])
            self.session.move(packet, (b // 5) % max(1, depth))
            self.books.moved.add(id_of(item_of(packet.payload)))
            self.books.undo.append(lambda: None)  # where it had been passed over, it stays out of the order

    def undo(self) -> None:
        with self.editing:
            try:
                self.session.undo()
            except (runtime.PacketGone, runtime.TaskEnded):  # it can never be undone any more
                self.books.undo.pop()
                raise
            self.books.undo.pop()()

    def call(self) -> None:
        """Call the service, from a thread of its own: if it is paused meanwhile, the call waits until it is not."""

        def call() -> None:
            try:
                assert self.session.call("echo", 7, timeout=60) == 7
            except (runtime.CommandRefused, runtime.UnknownName):
                pass
            except BaseException as error:  # noqa: BLE001  told by the machine
                self.failures.append(error)

        self.callers.append(threading.Thread(target=call, name="caller", daemon=True))
        self.callers[-1].start()

    def break_at(self, a: int, b: int) -> None:
        def when(payload: Any) -> bool:
            if b % 7 == 6:
                raise ValueError("a condition that cannot tell")
            return item_of(payload).number % (1 + b % 4) == 0

        self.breakpoints.append(self.session.breakpoint(self.name(a), when))

    def remove_breakpoint(self) -> None:
        if self.breakpoints:
            self.breakpoints.pop().remove()

    def tap(self, a: int) -> None:
        tap = self.session.tap(self.name(a))
        tap.__enter__()
        self.taps.append(tap)

    def follow(self, a: int, b: int) -> None:
        packet = self.packet(a, b)
        if packet is not None:
            path = self.session.follow(packet, timeout=MOMENT_S)
            assert path.step.packet is not None
            assert str(path)


def _key(item: Item) -> int:
    return item.number % KEYS


def _pair(left: Item | None, right: Item | None) -> tuple[Item | None, Item | None]:
    return left, right
