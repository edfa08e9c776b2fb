"""Call: one packet for which the function has been called, and what that comes to. Knows no loop, no lane, no task.

A call judges nothing: what its attempts have raised, and whether that is to be tried again, it asks its policy, and
keeps what is left for when it is sent.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from runtime.communication.packet import Place
from runtime.communication.send_plan import Puts
from runtime.graph.policy import Verdict
from runtime.scheduling.gate import Turn
from runtime.task.step_record import StepRecord

if TYPE_CHECKING:
    from asyncio import Future, Task

Attempt = Callable[[Any], Awaitable[Sequence[Any]]]
"""Calls the function once: what is to be sent of the packet."""


class Tries(Protocol):
    """Under which policy attempts are made, for which results are sent all or none."""

    def puts(self, results: Sequence[Any]) -> Puts:
        """Where results go. Raises what a key function raises."""

    async def wait_for_repeat(self, error: Exception, attempt: int) -> bool:
        """Wait until it is to be tried again. False: it is not."""


class Failure(NamedTuple):
    """Why a call is held: what it was called for, what that raised, and in which version of the function."""

    item: Any
    error: Exception
    version: int


class Call:
    """From the moment when its packet has left its lane until its results have been accepted. By the task's thread."""

    # What most calls never have stands on the class.
    puts: Puts | None = None  # where its results go, if that was decided with them
    error: BaseException | None = None
    is_over = False
    is_made = False  # the function has made all its results
    streams = False  # its results go on before it is over
    room: Future[None] | None = None  # for which its generator waits, at its `yield`
    is_listed = False  # among those that have something to send, where order does not say which
    verdict: Verdict | None = None  # of its policy, once that was asked
    held: Failure | None = None  # why it is held
    task: Task[None] | None = None  # while it is under way
    record: StepRecord | None = None  # what is to be seen of it
    turn: Turn | None = None  # by which it was let in
    keys: Sequence[Any] = ()  # where it has not one, but several
    size = 1  # how many packets it is for
    of: Call | None = None  # of which it was a part, that was for several packets

    def __init__(self, item: Any, key: Any, payload: Any, place: Place | None = None) -> None:
        self.item, self.key, self.payload = item, key, payload  # as it lay in its lane, and what that is
        self.place = place  # where that was, if it may be held
        self.results: list[Any] = []

    def be_seen(self, record: StepRecord | None, turn: Turn | None) -> None:
        """What it comes to is to be seen there, and is the end of this turn."""
        self.record, self.turn = record, turn

    def is_run_by(self, task: Task[None]) -> None:
        """It goes on as this task."""
        self.task = task

    def has_begun(self) -> bool:
        """Whether it is under way, or over."""
        return self.is_over or self.task is not None

    def end(self) -> None:
        """It is over."""
        self.is_over, self.task = True, None

    def forget_error(self) -> None:
        """What became of it is decided. Its traceback has a frame that holds the call, which so would keep itself."""
        self.error = None

    def come_to_nothing(self) -> None:
        """It was cancelled, since nobody needs what it makes: that is no failure. What it has raised else is one."""
        from asyncio import CancelledError  # noqa: PLC0415  imported where something waits

        if isinstance(self.error, CancelledError):
            self.error = None

    def has_failed(self) -> bool:
        """Whether an error of it is still to be judged."""
        return self.error is not None

    def has_some(self) -> bool:
        """Whether there is something to send: what it has made so far, if it streams, or all that it comes to."""
        return self.is_over or (self.streams and bool(self.results))

    def stream(self) -> None:
        """Its results go on before it is over."""
        self.streams = True

    def be_listed(self, is_listed: bool) -> None:
        """Whether it is among those that have something to send."""
        self.is_listed = is_listed

    def wait_for_room(self, room: Future[None]) -> None:
        """Its generator goes on when that is there."""
        self.room = room

    def go_on(self) -> None:
        """Its generator waits no more."""
        room, self.room = self.room, None
        if room is not None and not room.done():
            room.set_result(None)

    def fail(self, error: BaseException) -> None:
        """That is what it has come to."""
        self.error = error

    def get(self, results: Sequence[Any]) -> None:
        """These, too, have been made of it, and nothing more will be."""
        self.results += results
        self.is_made = True

    def be_part_of(self, call: Call) -> None:
        """It is for one packet of several."""
        self.of = call

    def judge(self, verdict: Verdict) -> None:
        """That is what its policy says."""
        self.verdict = verdict

    def be_held(self, failure: Failure) -> None:
        """It stays open, neither under way nor over."""
        self.held, self.is_over = failure, False

    def exchange(self, item: Any, key: Any, payload: Any) -> Any:
        """While it is held: let it be called for another item. Returns the one before."""
        before = self.item
        self.item, self.key, self.payload = item, key, payload
        return before

    def fault(self) -> Failure | None:
        """Why it is held; None if it is not, or was changed since."""
        return self.held if self.held is not None and self.held.item is self.item else None

    def begin_again(self, version: int) -> bool:
        """It was held. What all was made of the same item, by the same function, stays. Whether it is the same item."""
        failure = self.fault()
        if failure is None or not self.is_made or failure.version != version:
            self.is_made = False
            self.results = []
        self.held = self.verdict = self.error = None
        return failure is not None

    async def make_once(self, attempt: Attempt, tries: Tries) -> None:
        """Attempt it. Raises what that raises."""
        self.get(await attempt(self.payload))
        self.puts = tries.puts(self.results)

    async def make(self, attempt: Attempt, tries: Tries) -> None:
        """Attempt it until that succeeds. Raises what the last attempt has raised."""
        number = 0
        while True:
            try:
                if not self.is_made:
                    self.results += await attempt(self.payload)
                    self.is_made = True
                self.puts = tries.puts(self.results)
                return
            except Exception as error:
                if isinstance(error, MemoryError) or not await tries.wait_for_repeat(error, number):
                    raise
            if not self.is_made:
                self.results.clear()
            number += 1


CURRENT: Final[ContextVar[Call | None]] = ContextVar("runtime.call", default=None)
"""The call whose code runs; None outside of calls."""
