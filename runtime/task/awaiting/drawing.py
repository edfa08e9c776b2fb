"""AwaitedDrawing: draws from an asynchronous generator, item by item, for a source that waits. Knows no packet.

The generator lives in one task of the loop, from its first item to its end: what it enters (a timeout, a group of
tasks) it leaves in the same task. It goes on when the next item is asked for, and only then. A stop that comes while it
awaits ends it there, as a cancel does: `CancelledError` is raised at its `await`, and its `finally` is awaited.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from contextlib import suppress
from inspect import isawaitable
from typing import TYPE_CHECKING, Any

from runtime.context import TaskContext
from runtime.errors import AsyncRefused, Cancelled
from runtime.operators.source import no_items
from runtime.scheduling.parker import Parker
from runtime.task.awaiting.call import Call
from runtime.task.awaiting.context import CallContext
from runtime.task.awaiting.host import LoopHost

if TYPE_CHECKING:
    from asyncio import Future, Task


class SourceContext(CallContext):
    """What an asynchronous source sees as `self.ctx`."""

    def send_packet(self, value: Any) -> None:
        """Outside of the loop, as everywhere. In an `async def` it could not wait for room: raises `AsyncRefused`."""
        if self._loop.is_running():
            raise AsyncRefused(
                f"send_packet(…) in an `async def` of source {self.name!r} cannot wait; yield the packet"
            )
        self._of.send_packet(value)


class AwaitedDrawing:
    """Draws what a source sends. By the task's thread; the generator runs on it, too, while that waits."""

    def __init__(self, ctx: TaskContext, parker: Parker) -> None:
        self._ctx, self._parker, self._host = ctx, parker, LoopHost(parker)
        self._made: Any = None  # what is drawn from; None once it has begun
        self._task: Task[None] | None = None  # in which that runs
        self._asked: Future[None] | None = None  # where it waits to be asked for the next item
        self._come: list[Any] = []  # an item that has come, and was not taken
        self._error: BaseException | None = None  # with which it has ended
        self._has_told = False  # of something outside that it waits for
        self._host.serve(self._how_many_go_on)

    def _how_many_go_on(self) -> int:
        task = self._task
        return int(task is not None and not task.done() and self._asked is None)

    def open(self, ctx: Any) -> Any:
        """Be ready to await. Returns the context that the user's code is to see."""
        return SourceContext(self._ctx, self._host.open(self))

    def begin(self, made: Any) -> None:
        """From now on draw from that."""
        self._made = made

    def draw(self) -> Any:
        """The next item. Raises StopIteration if there is none, or the source is to end; Cancelled."""
        loop, task = self._host.loop, self._task
        if task is None:
            made, self._made = self._made, None
            task = self._task = loop.create_task(self._run(made))
            task.add_done_callback(loop.tell)
        elif task.done():
            raise StopIteration
        elif self._asked is not None:
            asked, self._asked = self._asked, None
            asked.set_result(None)
        self._parker.park(self._has_come, "running")
        if not self._come and not task.done():  # it is to end
            self._host.cancel([task])
        if self._come:
            return self._come.pop()
        self._raise_error()
        raise StopIteration

    def _has_come(self) -> bool:
        task = self._task
        return bool(self._come) or task is None or task.done() or self._ctx.stopping.is_set()

    async def _run(self, made: Any) -> None:
        try:
            await self._hand_over_all(await made if isawaitable(made) else made)
        except BaseException as error:  # noqa: BLE001  the border to user code: SystemExit too must be heard
            self._error = error

    async def _hand_over_all(self, items: AsyncIterator[Any] | Iterable[Any] | None) -> None:
        if items is None:
            raise no_items("the function")
        if not hasattr(type(items), "__aiter__"):
            assert isinstance(items, Iterable), "else the line below raises"
            for item in items:
                await self._hand_over(item)
            return
        drawn = aiter(items)  # type: ignore[arg-type]
        try:
            async for item in drawn:
                await self._hand_over(item)
        finally:
            if isinstance(drawn, AsyncGenerator):
                await drawn.aclose()

    async def _hand_over(self, item: Any) -> None:
        loop = self._host.loop
        self._come.append(item)
        asked = self._asked = loop.create_future()
        loop.tell()
        await asked

    def _raise_error(self) -> None:
        from asyncio import CancelledError  # noqa: PLC0415  there is a loop by now

        error, self._error = self._error, None
        if error is not None and not (isinstance(error, CancelledError) and self._ctx.stopping.is_set()):
            raise error

    def come_to(self, made: Any) -> Any:
        """What a method has returned, once that has come. Raises Cancelled."""
        if (task := self._host.begin(made)) is None:
            return made
        self._parker.park(task.done, "running")
        return task.result()

    def end(self) -> None:
        """End what is drawn from; whatever it does at its end is awaited. Raises what that raises."""
        made, self._made = self._made, None
        if hasattr(made, "close"):  # a coroutine that has not begun
            made.close()
        if self._task is not None and not self._task.done():
            self._ctx.stopping.set()
            self._host.cancel([self._task])
        self._raise_error()

    def close(self, made: Any) -> None:
        """Await this last one, and end the loop."""
        try:
            if (task := self._host.begin(made)) is not None:
                with suppress(Cancelled):  # what has begun comes to its end whatever is wanted
                    self._parker.park(task.done, "running")
                self._host.loop.run_until(task.done)
                task.result()
        finally:
            self._host.close()

    # ── what its loop tells ──

    def tell_of_outside(self) -> None:
        """Under a seed: it waits for something outside of the session."""
        if self._has_told:
            return
        self._has_told = True
        self._parker.tell_of_outside()
        self._ctx.warn(
            "the source waits for something outside of the session; virtual time stands still meanwhile, and this run "
            "will not repeat from its seed"
        )

    def tell_of_rest(self) -> None:
        """It may stand still now."""
        self._parker.tell()

    def tell_of_block(self, seconds: float, call: Call | None) -> None:
        """It has kept the loop from going on, where nothing else goes on."""
