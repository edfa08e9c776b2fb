"""Weights: parts are divided and added, whatever overtakes whatever, and the whole is back when no packet is left."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from examples.pickle_codec import CODEC
from runtime.remote.weights import FINER, NOTHING, WHOLE, Parts, Share, SharedWeights, Weight, WholeWeights
from tests.effort import some


class Asked:
    """A question as the driver has it."""

    callers: tuple[str, ...] = ()

    def __init__(self, number: int) -> None:
        self.number, self.marks, self.errors = number, 1, list[str]()

    def bear(self) -> None:
        self.marks += 1

    def leave(self) -> None:
        assert self.marks > 0, "it was over before"
        self.marks -= 1

    def blame(self, error: BaseException) -> None:
        assert self.marks > 0, "it was over before"
        self.errors.append(str(error))


class Parcel:
    """Some packets on their way to a process; with `DRIVER` as its number, to the driver."""

    def __init__(self, to: int, items: Sequence[Any], parts: Parts) -> None:
        self.to, self.items, self.parts = to, items, parts


DRIVER = 0


class World:
    """A driver, some processes, and what is on its way, which arrives in any order."""

    def __init__(self, processes: int, fate: Random) -> None:
        self.driver, self.fate = WholeWeights(), fate
        self.mail: list[tuple[Any, ...]] = []
        self.processes = [SharedWeights(self.mail.append, CODEC) for _ in range(processes)]
        self.lying: list[tuple[int, Any]] = []  # where, and of which question
        self.parcels: list[Parcel] = []

    def ask(self, question: Asked) -> None:
        """Its packet lies in the driver; it is counted already."""
        self.lying.append((DRIVER, question))

    def send(self, place: int, packets: list[Any]) -> None:
        """Pack these, which lie in one place, for some process."""
        weights = self.processes[place - 1] if place else self.driver
        items = [(borne, "payload") for borne in packets]
        travelling = weights.numbered(items)
        parts = weights.leave(items)
        self.parcels.append(Parcel(self.fate.randint(DRIVER, len(self.processes)), travelling, parts))

    def arrive(self, parcel: Parcel) -> None:
        """A parcel is taken in."""
        weights = self.processes[parcel.to - 1] if parcel.to else self.driver
        self.lying += [(parcel.to, borne) for borne, _ in weights.arrive(parcel.items, parcel.parts)]

    def work(self, place: int, borne: Any, results: int) -> None:
        """A packet is worked, and so many are made of it; of one without results, that may be because it is skipped."""
        for _ in range(results):
            borne.bear()
            self.lying.append((place, borne))
        if results == 0 and self.fate.random() < 0.5:
            borne.blame(ValueError("skipped"))
            self.skipped[borne.number] = self.skipped.get(borne.number, 0) + 1
        borne.leave()

    def run(self, questions: int) -> list[Asked]:
        """Let anything happen until nothing is left."""
        fate, all_ = self.fate, [Asked(number) for number in range(1, questions + 1)]
        self.skipped: dict[int, int] = {}
        for question in all_:
            self.ask(question)
        left = 60  # results that may yet be made
        while self.lying or self.parcels or self.mail:
            what = fate.choice(
                [*["work"] * bool(self.lying), *["arrive"] * bool(self.parcels), *["mail"] * bool(self.mail)]
            )
            if what == "mail":
                _, number, part, errors = self.mail.pop(fate.randrange(len(self.mail)))
                self.driver.come_back(number, part, errors)
            elif what == "arrive":
                self.arrive(self.parcels.pop(fate.randrange(len(self.parcels))))
            else:
                place, borne = self.lying.pop(fate.randrange(len(self.lying)))
                if fate.random() < 0.5:
                    also = [each for each in self.lying if each[0] == place][: fate.randrange(4)]
                    for each in also:
                        self.lying.remove(each)
                    self.send(place, [borne, *(each for _, each in also)])
                else:
                    results = min(left, fate.choice((0, 0, 1, 3)))
                    left -= results
                    self.work(place, borne, results)
            for question in all_:
                packets = self.where(question)
                assert question.marks or not packets, f"question {question.number} is over, and has {packets} packets"
        return all_

    def where(self, question: Asked) -> int:
        """How many packets of it there are."""
        numbers = [borne.number for _, borne in self.lying]
        numbers += [number for each in self.parcels for number, _ in each.items]
        return numbers.count(question.number)


def test_a_question_is_over_exactly_when_no_packet_of_it_is_left() -> None:
    for seed in range(some(200, of=5_000)):
        fate = Random(seed)
        world = World(fate.randint(1, 4), fate)
        for question in world.run(fate.randint(1, 5)):
            assert question.marks == 0, "it is over"
            assert len(question.errors) == world.skipped.get(question.number, 0), "each error was told once"
        assert not world.driver._away
        assert not world.driver._here
        assert not any(each._shares for each in world.processes)


@given(st.lists(st.integers(0, 200), min_size=1))
def test_parts_add_up_to_what_was_divided_in_any_order(turns: list[int]) -> None:
    parts = [WHOLE]
    for turn in turns:
        at = turn % len(parts)
        part, parts[at] = parts[at].split()
        parts.insert(turn % (len(parts) + 1), part)
        assert all(each.units > 0 for each in parts), "no part is ever nothing"
    total = NOTHING
    for each in parts:
        assert not total.is_whole
        total = total.plus(each)
    assert total.is_whole


def test_many_parcels_make_no_long_numbers() -> None:
    rest, places = WHOLE, 0
    for _ in range(200_000):
        part, rest = rest.split()
        places = max(places, part.places)
    assert places == 4 * FINER
    assert rest.units < 1 << FINER


def test_what_was_over_when_it_came_back_is_late_and_never_nobodys() -> None:
    sent: list[Any] = []
    driver, process, question = WholeWeights(), SharedWeights(sent.append, CODEC), Asked(1)
    items: list[tuple[Any, str]] = [(question, "payload")]
    (item,) = process.arrive(driver.numbered(items), driver.leave(items))
    share = item[0]
    assert isinstance(share, Share)
    share.leave()  # it is dropped by hand
    (_, number, part, errors), *_ = sent
    driver.come_back(number, part, errors)
    assert question.marks == 0
    share.bear()  # and put back
    late = driver.arrive(process.numbered([item]), process.leave([item]))
    assert late == [(question, "payload")]
    assert part != Weight(0)


def test_what_arrives_while_the_last_packet_leaves_keeps_its_weight() -> None:
    sent: list[Any] = []
    driver, process, question = WholeWeights(), SharedWeights(sent.append, CODEC), Asked(1)
    question.bear()
    first: list[tuple[Any, str]] = [(question, "payload")]
    second: list[tuple[Any, str]] = [(question, "payload")]
    ((share, _),) = process.arrive(driver.numbered(first), driver.leave(first))
    share.marks.pop()  # as `leave` does, and before it looks:
    process.arrive(driver.numbered(second), driver.leave(second))
    process.give_back(share)
    assert (sent, question.marks) == ([], 1)
    share.leave()
    ((_, number, part, errors),) = sent
    driver.come_back(number, part, errors)
    assert question.marks == 0
