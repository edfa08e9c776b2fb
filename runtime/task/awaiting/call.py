"""Call: one packet for which the function has been called, and what that comes to. Knows no loop, no lane, no task.

A call judges nothing: what its attempts have raised, and whether that is to be tried again, it asks its policy, and
keeps what is left for when it is sent.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final, Protocol

from runtime.communication.send_plan import Puts
from runtime.scheduling.gate import Turn
from runtime.task.step_record import StepRecord

if TYPE_CHECKING:
    from asyncio import Task

Attempt = Callable[[Any], Awaitable[Sequence[Any]]]
"""Calls the function once: what is to be sent of the packet."""


class Tries(Protocol):
    """Under which policy attempts are made, for which results are sent all or none."""

    def puts(self, results: Sequence[Any]) -> Puts:
        """Where results go. Raises what a key function raises."""

    async def wait_for_repeat(self, error: Exception, attempt: int) -> bool:
        """Wait until it is to be tried again. False: it is not."""


class Call:
    """From the moment when its packet has left its lane until its results have been accepted. By the task's thread."""

    # What most calls never have stands on the class.
    puts: Puts | None = None  # where its results go, if that was decided with them
    error: BaseException | None = None
    is_over = False
    task: Task[None] | None = None  # while it is under way
    record: StepRecord | None = None  # what is to be seen of it
    turn: Turn | None = None  # by which it was let in

    def __init__(self, item: Any, key: Any, payload: Any) -> None:
        self.item, self.key, self.payload = item, key, payload  # as it lay in its lane, and what that is
        self.results: list[Any] = []

    def be_seen(self, record: StepRecord | None, turn: Turn | None) -> None:
        """What it comes to is to be seen there, and is the end of this turn."""
        self.record, self.turn = record, turn

    def is_run_by(self, task: Task[None]) -> None:
        """It goes on as this task."""
        self.task = task

    def end(self) -> None:
        """It is over."""
        self.is_over, self.task = True, None

    def fail(self, error: BaseException) -> None:
        """That is what it has come to."""
        self.error = error

    async def make(self, attempt: Attempt, tries: Tries) -> None:
        """Attempt it until that succeeds. Raises what the last attempt has raised."""
        number, is_made = 0, False
        while True:
            try:
                if not is_made:
                    self.results += await attempt(self.payload)
                    is_made = True
                self.puts = tries.puts(self.results)
                return
            except Exception as error:
                if isinstance(error, MemoryError) or not await tries.wait_for_repeat(error, number):
                    raise
            if not is_made:
                self.results.clear()
            number += 1


CURRENT: Final[ContextVar[Call | None]] = ContextVar("runtime.call", default=None)
"""The call whose code runs; None outside of calls."""
