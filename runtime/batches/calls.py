"""BatchCall: one call for many packets, and what carries it out. Knows no lane and no loop's inside.

Under a policy other than `fail`, a call that fails for the whole batch goes on with one packet after the other. What
that comes to are its parts, each a call for one packet: so one bad packet costs no other its result, and is the one
that is skipped, or held, as the call of any single packet is.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from inspect import isawaitable
from itertools import count
from typing import TYPE_CHECKING, Any, NamedTuple

from runtime.batches.gathered import Gathered
from runtime.batches.results import one_for_each
from runtime.communication.packet import Place
from runtime.errors import NO_PACKET
from runtime.graph.policy import Policy
from runtime.operators.awaited import Awaited
from runtime.task.awaiting.call import CURRENT, Call
from runtime.task.awaiting.calls import Calls
from runtime.task.awaiting.sending import Repeats

if TYPE_CHECKING:
    from runtime.task.awaiting.loop import TaskLoop


Attempt = Callable[[Sequence[Any]], Awaitable[list[Any]]]
"""Calls the function once for so many packets: one result for each."""


class Guarded(NamedTuple):
    """What a policy other than `fail` wants to know of calls."""

    tries: Repeats
    policy: Policy
    can_send_fail: bool
    """Whether where a result goes is asked of user code, or of what carries it."""
    leave_s: Callable[[], float]
    """How long the call in work has to wait until it may begin by its rate; 0: not at all, and that is counted."""


class BatchCall(Call):
    """The call for a batch of several packets. What its function has sent by itself are its `results`."""

    def __init__(self, gathered: Gathered, keys: Sequence[Any], places: Sequence[Place]) -> None:
        """`keys`: of each packet, or none. `places`: where each lay, if they may be held."""
        super().__init__(gathered, NO_PACKET, gathered.values)
        self.gathered, self.places = gathered, places
        self.keys = keys
        self.size = len(gathered)
        self.made: list[Any] | None = None  # what the function has returned, one result for each
        self.parts: Sequence[Call] = ()  # into which it was taken apart; each is over when it is

    def singles(self) -> list[Call]:
        """Its packets, each as a call that has not begun. Any thread."""
        singles = []
        for index, (item, payload) in enumerate(zip(self.gathered.items, self.payload, strict=True)):
            key = self.keys[index] if self.keys else NO_PACKET
            singles.append(Call(item, key, payload, self.places[index] if self.places else None))
        return singles

    def _take_apart(self) -> Sequence[Call]:
        self.parts = parts = self.singles()
        for part in parts:
            part.be_part_of(self)
        return parts

    def end(self) -> None:
        """It is over, and so is each part."""
        for part in self.parts:
            part.end()
        super().end()

    def come_to_nothing(self) -> None:
        """It was cancelled, and so was the part that was under way."""
        super().come_to_nothing()
        for part in self.parts:
            part.come_to_nothing()

    def has_failed(self) -> bool:
        """Whether an error of it, or of a part, is still to be judged."""
        return self.error is not None or any(part.error is not None for part in self.parts)

    async def make_all(self, attempt: Attempt, guarded: Guarded | None) -> None:
        """Attempt it, under a policy until it has succeeded, or was taken apart. Raises what is for no policy."""
        if guarded is None:
            self.made = await attempt(self.payload)
        elif (made := await self._repeated(attempt, guarded)) is None:
            await self._make_one_by_one(attempt, guarded)
        elif guarded.can_send_fail:
            await self._find_places(made, guarded)
        else:
            self.made = made

    async def _repeated(self, attempt: Attempt, guarded: Guarded) -> list[Any] | None:
        """What the function makes of all. None: it has raised as often as the policy lets it."""
        for number in count():
            try:
                made = await attempt(self.payload)
                self.puts = guarded.tries.puts(self.results)
            except MemoryError:
                raise
            except Exception as error:  # noqa: BLE001  the border to user code
                self.results.clear()
                if not await guarded.tries.wait_for_repeat(error, number):
                    return None
            else:
                return made
        return None

    async def _make_one_by_one(self, attempt: Attempt, guarded: Guarded) -> None:
        """Ask the function for each packet alone, once, until the job is to fail by one."""
        for part in self._take_apart():
            CURRENT.set(part)
            await _leave(guarded)
            try:
                await part.make_once(_one_of(attempt), guarded.tries)
            except BaseException as error:  # noqa: BLE001  the border to user code
                part.fail(error)
                if not isinstance(error, Exception) or guarded.policy.given_up(error) == "fail":
                    break
        CURRENT.set(self)

    async def _find_places(self, made: list[Any], guarded: Guarded) -> None:
        """Ask for each result alone where it goes: if that raises, it is the error of its packet."""
        sent, self.results = self.results, []  # by the function itself: before all that it has returned
        for part, result in zip(self._take_apart(), made, strict=True):
            CURRENT.set(part)
            part.get([*sent, result])
            sent = []
            try:
                await part.make(_nothing_more, guarded.tries)
            except BaseException as error:  # noqa: BLE001  the border to user code
                part.fail(error)
                if not isinstance(error, Exception):
                    break
        CURRENT.set(self)


class BatchWork:
    """Carries out calls of one operator, each in a task of the loop."""

    def __init__(self, operator: Awaited, calls: Calls, loop: TaskLoop, guarded: Guarded | None) -> None:
        self._call, self._timeout_s = operator.call, operator.timeout
        self._calls, self._loop, self._guarded = calls, loop, guarded

    async def __call__(self, call: Call) -> None:
        """Carry out one call, which is over then, whatever comes of it."""
        CURRENT.set(call)
        try:
            if isinstance(call, BatchCall):
                await call.make_all(self._attempt, self._guarded)
            elif self._guarded is None:
                call.get(await self._attempt((call.payload,)))
            else:
                await call.make(_one_of(self._attempt), self._guarded.tries)
        except BaseException as error:  # noqa: BLE001  the border to user code: SystemExit too must be heard
            call.fail(error)
        self._calls.end(call)
        self._loop.tell()

    async def _attempt(self, values: Sequence[Any]) -> list[Any]:
        """What the function makes of so many packets. Raises what it raises, `WrongBatch`, and `TimeoutError`."""
        made = self._call(list(values))  # which it may change: an error names what it was given
        if isawaitable(made):
            made = await (made if self._timeout_s is None else self._loop.within(made, self._timeout_s))
        return one_for_each(made, len(values))


def _one_of(attempt: Attempt) -> Callable[[Any], Awaitable[list[Any]]]:
    """The same for one packet alone."""
    return lambda value: attempt((value,))


async def _nothing_more(_: Any) -> Sequence[Any]:
    raise AssertionError("all is made")


async def _leave(guarded: Guarded) -> None:
    """Wait until the call in work may begin by its rate."""
    from runtime.task.awaiting.loop import pause  # noqa: PLC0415  there is a loop by now

    while (wait_s := guarded.leave_s()) > 0:
        await pause(wait_s)
