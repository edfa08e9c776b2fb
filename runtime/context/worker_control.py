"""WorkerControl: what a person can do to one task or service, wherever it runs. Everything goes by value."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, Literal

from runtime.communication.packet import Packet
from runtime.python.stacks import Stack
from runtime.scheduling.parker import Parker
from runtime.scheduling.waiting import Waiting
from runtime.scheduling.worker_state import WorkerState
from runtime.step import QueueView, Step

Condition = Callable[[Any], object] | None
"""Of a breakpoint: whether to stop before a payload; None: before each."""

Met = Sequence[tuple[int, BaseException | None]]
"""Which conditions a packet has met, by their index, and what those raised that raised."""

Broke = Callable[[Packet, Met], None]

TaskCommand = Literal[
    "number_of",
    "edit",
    "drop",
    "move",
    "undo",
    "state",
    "set_state",
    "faults",
    "skip",
    "is_at_rest",
    "replace_later",
    "origins",
]
"""What can be asked of a task, most at its closed gate: methods of `TaskControl`. Services refuse it."""

Errand = Literal["prepare", "exchange", "give_back", "renew"]
"""What a task does itself, methods of `Mending`; the last one a service: `Renewal`."""


class WorkerControl(ABC):
    """Controls one task or service. All but `step` return at once. Its gate, the backend closes and opens.

    Only the thread of commands changes something by it; any may look.
    """

    helper: Parker | None = None
    """By which the thread waits that may carry out its steps while it stands at its gate; None: none may."""

    def remember_by(self, memory_of: Callable[[Any], Callable[[], Any]]) -> bool:
        """Let what `memory_of` makes of a task of this process remember each of its turns. False: it cannot be."""
        return False

    @abstractmethod
    def now(self) -> WorkerState:
        """Where it stands at this moment."""

    def rests(self) -> bool:
        """What `now().rests` says; it is asked of all after each step, so that some know it sooner."""
        return self.now().rests

    @abstractmethod
    def step(self, deadline: float) -> Waiting[Step]:
        """One turn, waited for. Raises `NotPaused`.

        What is held back or waits in the middle keeps its turn: further steps say so until it is done.
        """

    @abstractmethod
    def peek(self, first: int, last: int) -> QueueView:
        """The first and the last of what waits."""

    @abstractmethod
    def stacks(self) -> list[Stack | None]:
        """Where each of its threads is at work now; None: nowhere, it waits. Any thread may ask, at any time."""

    @abstractmethod
    def set_tap(self, tap: Callable[[Step], None] | None) -> None:
        """Show every step from the next on; None: no more."""

    @abstractmethod
    def set_breaks(self, conditions: Sequence[Condition], broke: Broke) -> None:
        """Before each packet, close the gate if one of `conditions` is met, or raises, and tell `broke` which."""

    @abstractmethod
    def have_done(self, what: Errand, *arguments: Any) -> Waiting[Any]:
        """Have it, between two packets, do `what` itself, on the thread that works it, and wait for that.

        Raises what it raises, and `TaskEnded` if it ends instead.
        """

    @abstractmethod
    def ask(self, what: TaskCommand, *arguments: Any) -> Any:
        """Have a task do `what` with its queue, or with what it remembers. Raises `NotPaused`, and what that raises."""
