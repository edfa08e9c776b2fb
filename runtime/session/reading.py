"""Reading: results of a run as they come, by `async for`. Waits in the reader's event loop, and blocks none.

A reader says that it waits where whoever gathers results looks after each batch (`Collected.arrived`), and then looks
again itself: so it misses none, and a packet costs nothing, whether somebody reads or not.
"""

from __future__ import annotations

import weakref
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any, Final, TypeVar

from runtime.builder.collected import Collected
from runtime.errors import CommandRefused
from runtime.python.interactive import listening
from runtime.scheduling.command import Command
from runtime.session.run import Run

T = TypeVar("T")

_PATIENCE_S: Final = 0.05  # how long a reader waits before it asks whether the job stands still for ever
_MANY: Final = 256  # so many results in a row, and then somebody else of the event loop has a turn


class Reading:
    """How the results of one run are read, which it does not keep."""

    def __init__(self, run: Run) -> None:
        self._run = weakref.ref(run)

    def tell(self, collected: Collected[Any]) -> None:
        """Before the start: let who reads `collected` hear of the end."""
        if (run := self._run()) is not None:
            run.dispatcher.completion.on_end(collected.arrived)

    def read(self, collected: Collected[T]) -> AsyncIterator[T]:
        """All results from the first on. Raises `CommandRefused` on a thread of the job."""
        if (run := self._run()) is not None:
            run.dispatcher.refuse_own_tasks("async for over its results", "let a sink have them")
        return Reader(collected, self)

    def has_come(self) -> bool:
        """Whether the job has ended."""
        return (run := self._run()) is None or run.dispatcher.completion.has_come

    def end(self) -> None:
        """Of a job that has ended: raise `TaskFailed` if it has failed."""
        if (run := self._run()) is None:
            return
        failed = run.dispatcher.failure()
        run.dispatcher.completion.was_told(failure=failed is not None)
        if failed is None:
            return
        try:
            raise failed
        finally:
            del failed  # else its traceback would hold the frame that holds it

    def ask(self, wake: Callable[[], object]) -> Command | None:
        """Ask whether the job ends, or cannot; `wake` is called when that is known."""
        if (run := self._run()) is None:
            return None
        command = Command(partial(run.dispatcher.until_ended, None), lambda _: wake())
        run.commands.give(command)
        return command

    def withdraw(self, command: Command) -> None:
        """Nobody waits for the answer any more."""
        if (run := self._run()) is not None:
            run.commands.withdraw(command)


class Reader(AsyncIterator[T]):
    """One reader's way through the results of a run. Used in one event loop at a time."""

    def __init__(self, collected: Collected[T], reading: Reading) -> None:
        self._collected, self._reading = collected, reading
        self._round = collected.round
        self._next = 0

    async def __anext__(self) -> T:
        """The next result, as soon as it is there. Raises `TaskFailed`, `JobPaused`, after all that are."""
        import asyncio  # noqa: PLC0415  for those who read so

        while (found := self._collected.part(self._next, self._round)) is not None:
            if found:
                self._next += 1
                if not self._next % _MANY:
                    await asyncio.sleep(0)
                return found[0]
            if not await self._is_more():
                raise StopAsyncIteration
        raise CommandRefused(
            f"the session runs again, and {self._next:,} results of the run before had been read; the others are gone: "
            "read them, or copy the list, before the next start"
        )

    async def _is_more(self) -> bool:
        """Wait until there may be another one. False: the job has ended, and there is none."""
        import asyncio  # noqa: PLC0415

        reading, collected = self._reading, self._collected
        loop, news, asked = asyncio.get_running_loop(), asyncio.Event(), list[Command | None]()
        wake = partial(loop.call_soon_threadsafe, news.set)
        asking = loop.call_later(_PATIENCE_S, lambda: asked.append(reading.ask(wake)))
        collected.wake_by(wake)
        try:
            has_come = reading.has_come()  # before the last look: what there is, is there then
            if collected.part(self._next, self._round) == ():
                if has_come:
                    reading.end()
                    return False
                with listening():
                    await news.wait()
        finally:
            asking.cancel()
            collected.forget(wake)
            for command in filter(None, asked):
                reading.withdraw(command)
        if collected.part(self._next, self._round) == () and not reading.has_come():
            for command in filter(None, asked):
                command.result()  # it stands still
        return True
