"""Random walks over random graphs: steps, changes by hand, undo, and back again. All is as it was, each time.

A walk keeps what was to be seen before each step and change. After `back` it has to be that again; steps that were
taken back are taken again, and have to do and to say the same.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from runtime import CommandRefused, NotPaused, PacketGone, QueueFull, Session
from runtime.testing import PATIENCE_S
from tests.effort import some
from tests.promises.test_22_back import Counting, appended, lists, look, not_two

Results = list[Any]


def first(value: Any) -> int:
    """A number that any payload has."""
    while isinstance(value, list | tuple):
        value = value[0] if value else 0
    return int(value or 0)


def build(session: Session, draw: random.Random) -> Results:
    """Some sources, some operators on them in any order, some of them joined, united or sent to several."""
    streams: list[Any] = [
        session.source(range(draw.randint(1, 5)), name="one"),
        session.source(lists(draw.randint(1, 4)), name="other"),
        session.input("more"),
    ]
    for number in range(draw.randint(1, 4)):
        name, stream = f"work{number}", draw.choice(streams)
        keyed = stream.key_by(lambda value: first(value) % 2)
        kinds: dict[str, Any] = {
            "map": lambda stream=stream, name=name: stream.map(lambda value: (first(value), 1), name=name),
            "changed": lambda stream=stream, name=name: stream.map(lambda value: appended([first(value)]), name=name),
            "many": lambda stream=stream, name=name: stream.flat_map(lambda value: range(first(value) % 4), name=name),
            "some": lambda stream=stream, name=name: stream.filter(lambda value: first(value) % 2 == 0, name=name),
            "skip": lambda stream=stream, name=name: stream.map(
                lambda value: not_two(first(value)), name=name, on_error="skip"
            ),
            "count": lambda keyed=keyed, name=name: (
                keyed.map(first, name=name, parallelism=2)
                .key_by(lambda value: value % 2)
                .map(Counting(), name=f"{name}s")
            ),
            "fold": lambda keyed=keyed, name=name: keyed.reduce(
                lambda items, value: items.append(value) or items, initial=[], name=name
            ),
            "end": lambda stream=stream, name=name: stream.round_robin().reduce(
                lambda sum_, value: sum_ + first(value), initial=0, emit="end", name=name
            ),
            "batch": lambda stream=stream, name=name: stream.map_batches(
                lambda values: [first(value) for value in values], size=2, within=9, name=name
            ),
            "join": lambda keyed=keyed, name=name: keyed.join(
                draw.choice(streams).key_by(lambda value: first(value) % 3), lambda *rows: rows, how="outer", name=name
            ),
            "union": lambda stream=stream, name=name: stream.union(
                next(each for each in draw.sample(streams, 2) if each is not stream)
            ).map(first, name=name, parallelism=2),
        }
        streams.append(kinds[draw.choice(list(kinds))]())
    return [stream.collect(name=f"result{number}") for number, stream in enumerate(streams)]


@dataclass
class Walk:
    """One session on its way. `before` is what was to be seen before each entry of its list; None: nobody can say."""

    session: Session
    results: Results
    draw: random.Random
    before: list[list[Any] | None] = field(default_factory=list)
    is_tight: bool = False  # packets are held back
    has_sent: bool = False
    entries: list[tuple[str, str, str]] = field(default_factory=list)  # what, of which task, and its text

    def go(self, length: int) -> None:
        """So many commands, any of them."""
        for _ in range(length):
            command = self.draw.choice([self.step] * 6 + [self.back] * 2 + [self.change] * 3 + [self.undo])
            command()

    def step(self, task: str | None = None) -> str | None:
        seen = look(self.session, self.results)
        step = self.session.step(task, timeout=PATIENCE_S)
        if step.result == "idle":
            return None
        assert step.task is not None
        self.entries.append(("step", step.task, str(step)))
        self.before.append(seen)
        return str(step)

    def change(self) -> None:
        """Something by hand, in a queue that has something, or in a state."""
        session, seen = self.session, look(self.session, self.results)
        queues = {
            name: session.peek(name) for name in session.snapshot().tasks if not name.startswith(("one", "other"))
        }
        name = self.draw.choice(list(queues))
        try:
            match self.draw.choice(["inject", "edit", "drop", "move", "send"] if queues[name] else ["inject", "send"]):
                case "send":
                    session.send("more", self.draw.randint(0, 5), timeout=0)
                    self.before, self.has_sent = [None] * len(self.before), True  # it is no change, and stays
                    return
                case "inject":
                    number = self.draw.randint(0, len(session.graph.input_numbers(name.partition("#")[0])) - 1)
                    session.inject(name, self.draw.randint(0, 5), input=number)
                    what = "inject"
                case "edit":
                    session.edit(self.draw.choice(queues[name]), self.draw.randint(0, 5))
                    what = "edit"
                case "drop":
                    session.drop(self.draw.choice(queues[name]))
                    what = "drop"
                case _:
                    session.move(self.draw.choice(queues[name]), 0)
                    what = "move"
        except (
            CommandRefused,
            NotPaused,
            QueueFull,
        ):  # by its key, a signal, an end
            assert look(session, self.results) == seen
            return
        self.entries.append((what, name, ""))
        self.before.append(seen)

    def undo(self) -> None:
        """The newest change; what was to be seen between it and now, nobody knows any more."""
        places = [place for place, (what, _, _) in enumerate(self.entries) if what != "step"]
        if not places:
            return
        place = places[-1]
        try:
            self.session.undo()
        except (CommandRefused, NotPaused, PacketGone, QueueFull):
            assert look(self.session, self.results)
            return
        del self.entries[place], self.before[place + 1 :]
        seen = self.before.pop(place) if place < len(self.before) else None
        missing = len(self.entries) - len(self.before)
        self.before += [seen if number == 0 and missing else None for number in range(missing)]

    def back(self, most: int = 4) -> bool:
        """Some of them, or one where some are held back; sometimes the same steps once more. False: it was refused."""
        number = 1 if self.is_tight else self.draw.randint(1, most)
        if number > len(self.entries):
            return True
        now = look(self.session, self.results)
        try:
            number = len(self.session.back(number))
        except (CommandRefused, NotPaused, QueueFull):  # a packet is half sent, or something was changed while it was
            if not self.is_tight:
                raise
            assert look(self.session, self.results) == now
            return False
        before, kept, steps = self.before[-number], self.before[-number:], self.entries[-number:]
        assert before is None or look(self.session, self.results) == before
        del self.entries[-number:], self.before[-number:]
        if most > 1 and all(what == "step" for what, _, _ in steps) and self.draw.random() < 0.5:
            assert [self.step(task) for _, task, _ in steps] == [text for _, _, text in steps]
            assert look(self.session, self.results) == now
            self.before[-number:] = kept
        return True


@settings(max_examples=some(20, of=300), deadline=None, derandomize=True)
@given(
    st.integers(0, 2**32),
    st.sampled_from([{}, {"seed": 5}, {"trace": True}, {"capacity": 1}, {"capacity": 2, "seed": 1}]),
)
def test_after_any_walk_back_all_is_as_it_was_and_going_on_gives_the_same(number: int, options: dict[str, Any]) -> None:
    draw = random.Random(number)
    with Session(**options) as session:
        walk = Walk(session, build(session, draw), draw, is_tight="capacity" in options)
        session.start(paused=True)
        start = look(session, walk.results)
        walk.go(draw.randint(5, 40))
        while walk.entries and walk.back(1):
            pass
        if not walk.has_sent and not walk.entries:
            assert look(session, walk.results) == start
        session.cancel()
