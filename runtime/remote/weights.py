"""Weights: how it is known between processes that no packet of a question is left. Knows no question, and no mail.

Counts could not travel: a packet less, heard of from one process, would overtake a packet more from another. So a
question has the weight 1, of which each process with packets of it, and each parcel with some on its way, has a part.
What leaves for another process takes a part along: all that there is, if no packet of the question stays behind. Where
none is left, the rest goes back to the driver. Parts are only ever divided and added, so the driver has all of them
again if, and only if, no packet is left anywhere else, whatever overtakes whatever. This is credit distribution and
recovery (F. Mattern, "Global quiescence detection based on credit distribution and recovery", 1989; by weights: S.-T.
Huang, "Detecting termination of distributed computations by external agents", 1989).

A part is a whole number of units of 1/2**places. It gives away one unit at a time; when it has but one, that is first
divided into 2**16 smaller ones. Whole numbers have no end, so no part is ever too small to be divided, and nobody has
to ask for more, which would be to wait for an answer before a packet may leave. Nor do they become long: a place of
each number is used up by 4,096 parcels. Halves would use up one by each, so a million results of one packet would end
in numbers of a million places.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, NamedTuple

from runtime.communication.packet import Borne
from runtime.remote.by_value import Encoded, decode, encode
from runtime.remote.channel import Message
from runtime.remote.codec import Codec

FINER: Final = 16
"""By so many places a last unit is divided."""


class Weight(NamedTuple):
    """So many units of 1/2**places."""

    units: int
    places: int = 0

    def split(self) -> tuple[Weight, Weight]:
        """One unit of it, and the rest, which is never nothing; of nothing, nothing."""
        units, places = self
        if units == 1:
            units, places = 1 << FINER, places + FINER
        return (Weight(1, places), Weight(units - 1, places)) if units else (self, self)

    def plus(self, other: Weight) -> Weight:
        """Both together."""
        places = max(self.places, other.places)
        return Weight((self.units << places - self.places) + (other.units << places - other.places), places)

    @property
    def is_whole(self) -> bool:
        """Whether it is 1."""
        return self.units == 1 << self.places


NOTHING: Final = Weight(0)
WHOLE: Final = Weight(1)

Parts = tuple[tuple[int, Weight], ...]
"""What a parcel takes along: of each question that it has packets of, by its number, a part of the weight."""


class Weights(ABC):
    """What one process has of the questions whose packets are here. Any thread.

    Items of lanes travel as pairs of the question's number, or None, and what else lies there. The lock guards which
    questions are known here, and their parts; whether packets are left, and what follows from it, is one step under it.
    It is held for a moment: nothing is packed, sent or woken under it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def numbered(self, items: Sequence[Any]) -> list[tuple[int | None, Any]]:
        """The items as they travel: to be packed."""
        return [(None if borne is None else borne.number, inner) for borne, inner in items]

    @abstractmethod
    def leave(self, items: Sequence[Any]) -> Parts:
        """They have been packed, and count here no more: what goes along."""

    @abstractmethod
    def arrive(self, items: Sequence[tuple[int | None, Any]], parts: Parts) -> list[Any]:
        """The items of a parcel as they are to lie in a lane: they count here from now on."""


class Share:
    """A question in a process that it does not come from: its packets here, and the part of the weight that is here.

    Each packet has a mark, as in `Question`. Once none is left, no packet of it can come but by mail.
    """

    __slots__ = ("_errors", "_weight", "_weights", "callers", "marks", "number")

    def __init__(self, number: int, weights: SharedWeights) -> None:
        self.number, self._weights = number, weights
        self.callers: tuple[str, ...] = ()
        self.marks: list[None] = []
        self._weight = NOTHING
        self._errors: list[BaseException] = []  # of what was skipped here, and the driver has not heard of

    def bear(self) -> None:
        """One more packet carries it."""
        self.marks.append(None)

    def leave(self) -> None:
        """One packet less does."""
        marks = self.marks
        marks.pop()
        if not marks:
            self._weights.give_back(self)

    def blame(self, error: BaseException) -> None:
        """A packet of it was skipped, because of this."""
        self._errors.append(error)

    # ── under the lock of the weights ──

    def take(self, part: Weight, packets: int) -> None:
        """So many of its packets have come, and brought this part."""
        self._weight = self._weight.plus(part)
        self.marks += [None] * packets

    def part(self, packets: int) -> Weight:
        """So many of its packets leave: the part that goes along."""
        del self.marks[-packets:]
        if self.marks or self._errors:
            part, self._weight = self._weight.split()
        else:
            part, self._weight = self._weight, NOTHING
        return part

    def rest(self) -> tuple[Weight, tuple[BaseException, ...]]:
        """None of its packets is left: what is to be given back, and the errors."""
        weight, self._weight = self._weight, NOTHING
        errors, self._errors = tuple(self._errors), []
        return weight, errors


class SharedWeights(Weights):
    """That of a process which no question comes from: what is left of a part there goes back to the driver."""

    def __init__(self, post: Callable[[Message], None], codec: Codec) -> None:
        super().__init__()
        self._post, self._codec = post, codec
        self._shares: dict[int, Share] = {}

    def leave(self, items: Sequence[tuple[Share | None, Any]]) -> Parts:
        """They have been packed, and count here no more: what goes along."""
        counted = _counted(items)
        with self._lock:
            parts = tuple([(share.number, share.part(count)) for share, count in counted.items()])
        for share in counted:
            if not share.marks:
                self.give_back(share)
        return parts

    def arrive(self, items: Sequence[tuple[int | None, Any]], parts: Parts) -> list[Any]:
        """The items of a parcel as they are to lie in a lane: they count here from now on."""
        shares, counted = self._shares, _counted(items)
        with self._lock:
            for number, part in parts:
                (shares.get(number) or shares.setdefault(number, Share(number, self))).take(part, counted[number])
            return [(None if number is None else shares[number], inner) for number, inner in items]

    def give_back(self, share: Share) -> None:
        """No packet of it was left here a moment ago: the driver is given what is here of it."""
        with self._lock:
            if share.marks:  # some have arrived meanwhile
                return
            weight, errors = share.rest()
            if self._shares.get(share.number) is share:
                del self._shares[share.number]
        if weight.units:
            self._post(("weight", share.number, weight, encode(errors, self._codec) if errors else None))


class WholeWeights(Weights):
    """That of the driver, which all questions come from. What is elsewhere of one has one mark of it here."""

    def __init__(self) -> None:
        super().__init__()
        self._away: dict[int, Borne] = {}  # of which something is elsewhere, by number
        self._here: dict[int, Weight] = {}  # the part of the weight that is here
        self._over: Borne | None = None  # the last one that came back; all that are over are the same

    def leave(self, items: Sequence[tuple[Borne | None, Any]]) -> Parts:
        """They have been packed, and count here no more: what goes along."""
        counted = _counted(items)
        with self._lock:
            parts = tuple([(question.number, self._part(question)) for question in counted])
        for question in counted.elements():
            question.leave()
        return parts

    def _part(self, question: Borne) -> Weight:
        number = question.number
        if number not in self._away:
            question.bear()
            self._away[number], self._here[number] = question, WHOLE
        part, self._here[number] = self._here[number].split()
        return part

    def arrive(self, items: Sequence[tuple[int | None, Any]], parts: Parts) -> list[Any]:
        """The items of a parcel as they are to lie in a lane: they count here from now on."""
        with self._lock:
            # One that is not away is over: its packet was taken out by hand, and put back when it had come to an end.
            arrived = [
                (None if number is None else self._away.get(number, self._over), inner) for number, inner in items
            ]
            for question in _counted(arrived).elements():
                question.bear()
            back = [question for number, part in parts if (question := self._add(number, part)) is not None]
        for question in back:
            question.leave()
        return arrived

    def come_back(self, number: int, part: Weight, errors: Encoded | None) -> None:
        """No packet of a question is left in some process, which had this part; and what was skipped of it there."""
        with self._lock:
            question = self._away.get(number)
        if question is None:
            return
        for error in () if errors is None else decode(errors):
            question.blame(error)
        with self._lock:
            is_back = self._add(number, part) is not None
        if is_back:
            question.leave()

    def _add(self, number: int, part: Weight) -> Borne | None:
        """A part is here again; the question, if that is all of it."""
        if number not in self._away:
            return None
        here = self._here[number] = self._here[number].plus(part)
        if not here.is_whole:
            return None
        del self._here[number]
        question = self._over = self._away.pop(number)
        return question


def _counted(items: Iterable[tuple[Any, Any]]) -> Counter[Any]:
    """How many of the items belong to each question, or number of one."""
    return Counter([question for question, _ in items if question is not None])
