"""TaskTurn: what one turn of one task has changed, remembered by that alone, and put back. Knows no other task.

What a turn changes is its own: the fronts of its lanes, which it takes, the ends of the lanes that it fills, what it
remembers for the keys of what it takes, and what is in the packets themselves. So a turn can be taken back once all
that came after it has been, whoever has been at it meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from runtime.back.image import BeforeImage, TooLarge
from runtime.back.kinds import Kinds
from runtime.back.traffic import Lanes, Traffic
from runtime.communication.packet import Packet
from runtime.errors import error_text
from runtime.facts import Ending
from runtime.operators import Collect, Function, Operator, Sink, Source, SourceFunction, Take
from runtime.operators.items import Share
from runtime.operators.memory import ALL
from runtime.python.size import estimated_size
from runtime.task.alignment import Arrival
from runtime.task.step_record import StepRecord

if TYPE_CHECKING:
    from runtime.control.records import Record
    from runtime.task.base_task import BaseTask

MOST_BYTES_OF_FUNCTION: Final = 64 * 2**10
"""How much is kept of the attributes of a user's function."""


_SKIPPED: Final = 3  # of what `TaskCounts.copy` returns


class OfTask:
    """What is the same in all turns of one task."""

    def __init__(self, task: BaseTask, numbers: Iterator[int], known: dict[type, Kinds]) -> None:
        self.task, self.numbers, self.known = task, numbers, known
        self.lanes = Lanes(task, list(task.lanes_in), list(task.lanes_out))
        self.is_keyed, self.is_asked = task.ctx.wiring.format.keyed, task.ctx.wiring.format.asked
        self.shows = isinstance(task.inner, Sink) and not isinstance(task.inner, Collect)
        self.goes_back = task.goes_back and task.ctx.wiring.free is None


class TaskTurn:
    """One turn. Made and closed by the task's thread, taken back while the task stands at its gate.

    `lost` says what stays as it is, should the turn be taken back all the same; `barred` why it cannot be at all.
    """

    def __init__(self, of: OfTask) -> None:
        self._of, self.task = of, (task := of.task)
        self.number = next(of.numbers)
        self.ended: int | None = None  # a number as well: all that has a smaller one came before its end
        self.size = self.skipped = 0
        self.lost: list[str] = []
        self.barred: list[str] = []
        self.steps: list[Record] = []  # by which it was told
        self.ending: Ending | None = None
        self._counts = task.counts.copy()
        self._calls = task.ctx.calls
        self._newest = 0 if task.made is None else task.made.newest()
        self._image = BeforeImage(of.known)
        self._keeps_end = task.keep(self._image)
        self.traffic = Traffic(of.lanes, may_end=self._keeps_end)
        if not of.lanes.ins:
            self._keep((ALL,))

    # ── while it lasts ──

    def take(self, packets: Sequence[Packet]) -> None:
        """These are about to be worked."""
        of = self._of
        if not of.lanes.ins:
            return
        self.traffic.take(packets)
        keys = [packet.key for packet in packets] if of.is_keyed else (None,)
        self._keep(keys, [packet.payload for packet in packets])
        if of.is_asked and self.traffic.has_question():
            self.barred.append("it was asked for, and whoever waits for the answer cannot be told that it has not come")

    def arrive(self, arrival: Arrival) -> None:
        """The operator is about to hear this signal."""
        self._keep((ALL,))

    def _keep(self, keys: Iterable[Any], payloads: Sequence[Any] = ()) -> None:
        image, task = self._image, self.task
        try:
            image.values(payloads)
            for key in keys:
                task.store.keep(image, key)
        except TooLarge:
            self.barred.append("what it has taken, or remembers, is larger than 64 MB")
        except Exception as error:  # noqa: BLE001  the border to user code: classes of payloads may say anything
            self.barred.append(f"what it has taken, or remembers, could not be kept: {error_text(error)}")
        try:
            image.values(_with_attributes(task.inner), MOST_BYTES_OF_FUNCTION)
        except TooLarge:
            self.lost.append("the attributes of its function are larger than 64 kB")

    def close(self, record: StepRecord) -> None:
        """It is over."""
        self.ended = next(self._of.numbers)
        self.ending, self.skipped = record.ending, self.task.counts.skipped - self._counts[_SKIPPED]
        self.size = self._image.close()
        self.lost += self._image.lost
        for _, items in self.traffic.raw:
            self.size += sum(map(estimated_size, items))
        if not self.traffic.close():
            self.barred.append("a part of its batch was held")
        if not self._keeps_end and (self.ending is not None or record.arrival is not None):
            self.barred.append("an end came in the very moment of the step")
        self._name_what_stays()

    def _name_what_stays(self) -> None:
        of, task = self._of, self.task
        if not of.goes_back:
            self.barred.append("of an operator with async, rate= or first_free() no step can be")
        if isinstance(task.inner, Take) and not task.inner.missing and self.traffic.raw:
            self.barred.append("take() has had all that it needs, and what is in front of it comes to its end")
        if task.ctx.calls != self._calls:
            self.lost.append("it has called a service")
        if of.shows and self.traffic.raw:
            self.lost.append("its function has had the packet, and what that did outside stays")
        if self.ending is None:
            return
        if isinstance(task.inner, Source) and isinstance(task.inner.function, Share):
            self.barred.append("it was the end of one of several instances that share an iterator")
        if any(map(_has_an_end, _with_attributes(task.inner))):
            self.lost.append("it was the end of the task, and finish() or close() of its function was called")

    # ── taken back ──

    def told(self, record: Record) -> None:
        """A step says how far it is: with that, it is over at the earliest."""
        self.steps.append(record)
        if self.ended is not None:
            self.ended = next(self._of.numbers)

    def take_back(self) -> None:
        """At its closed gate, as are all who take what it has sent, where there is room for what it has taken."""
        self.traffic.put_back()
        self._image.put_back()
        self.task.counts.restore(self._counts)
        if self.task.made is not None:
            self.task.made.forget_after(self._newest)
        if self.ending is not None:
            self.task.revive()

    @property
    def touched(self) -> set[str]:
        """The task, and those into whose queues it may have put something."""
        outputs = self.task.ctx.wiring.outputs
        return {self.task.name, *(each.queue.task for output in outputs for each in output.connections)}


def _with_attributes(operator: Operator) -> list[Any]:
    """The user's functions that can have attributes of their own."""
    return [function for function in operator.functions if isinstance(function, Function | SourceFunction)]


def _has_an_end(function: Function[Any, Any] | SourceFunction[Any]) -> bool:
    kind = type(function)
    if kind.close not in (Function.close, SourceFunction.close):
        return True
    return isinstance(function, Function) and type(function).finish is not Function.finish
