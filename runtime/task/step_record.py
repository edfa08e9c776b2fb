"""One turn of a task, seen: the packet, the batch or the signal that was taken, what was sent where, what was raised.

Made only while somebody looks: a step, a tap. Used by the task's thread until it is over, and never changed afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from runtime.communication.lane import Lane
from runtime.communication.packet import Packet, Place
from runtime.communication.send_plan import SendPlan
from runtime.facts import Ending
from runtime.task.alignment import Arrival


class TurnMemory(Protocol):
    """What is remembered of one turn, so that it can be taken back. Used as a `StepRecord` is."""

    def take(self, packets: Sequence[Packet]) -> None:
        """These are about to be worked."""

    def arrive(self, arrival: Arrival) -> None:
        """The operator is about to hear this signal."""

    def close(self, record: StepRecord) -> None:
        """The turn is over."""


class StepRecord:
    """What happened in one turn: what was taken, and what came of it. `sent` is `(target task, packet)` in order."""

    def __init__(self, memory: TurnMemory | None = None) -> None:
        self.memory = memory
        self.packets: Sequence[Packet] = ()
        self.arrival: Arrival | None = None
        self.ending: Ending | None = None  # of the task, if this was its last turn
        self.sent: list[tuple[str, Packet]] = []
        self.error: BaseException | None = None
        self.is_held = False

    def take(self, packets: Sequence[Packet]) -> None:
        """These were taken: one, or a batch."""
        self.packets = packets
        if self.memory is not None:
            self.memory.take(packets)

    def arrive(self, arrival: Arrival) -> None:
        """This signal was taken."""
        self.arrival = arrival
        if self.memory is not None:
            self.memory.arrive(arrival)

    def fail(self, error: BaseException) -> None:
        """User code raised this."""
        self.error = error

    def hold(self, error: BaseException) -> None:
        """User code raised this, and the packet stays where it is."""
        self.error, self.is_held = error, True

    def end(self, ending: Ending, error: BaseException | None) -> None:
        """It was the last turn of the task, which has ended so."""
        self.ending, self.error = ending, error or self.error

    def watch(self, plan: SendPlan) -> None:
        """See all that is sent by `plan` from now on, until somebody else does."""
        sent, targets = self.sent, plan.targets

        def see(lane: Lane, item: Any) -> None:
            format, task, number = targets[id(lane)]
            sent.append((task, format.packet(item, task, lane, Place(number, lane.arrived()))))

        plan.watch(see)

    def has_something(self) -> bool:
        """Whether anything was taken, made or raised; the packet that let the task in may have been dropped by hand."""
        taken = bool(self.packets) or self.arrival is not None
        return taken or bool(self.sent) or self.ending is not None or self.error is not None


Tap = Callable[[StepRecord], None]
