"""LoopHost: the event loop of a task, from its opening to its end, and what its parker waits with. Knows no calls."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from inspect import isawaitable
from typing import TYPE_CHECKING, Any

from runtime.scheduling.parker import Parker, new_permit
from runtime.task.awaiting.permit import LoopPermit

if TYPE_CHECKING:
    from asyncio import Task

    from runtime.task.awaiting.blocking import Listener
    from runtime.task.awaiting.loop import TaskLoop


class LoopHost:
    """What the task's thread runs its loop by. Before `open` and after `close` there is none."""

    def __init__(self, parker: Parker) -> None:
        self._parker, self._permit = parker, LoopPermit()
        self._loop: TaskLoop | None = None
        self._running: list[Task[Any]] = []  # methods of the function's that are not calls
        self.under_way: Callable[[], int] = int  # how many calls are

    def serve(self, under_way: Callable[[], int]) -> None:
        """From now on the task sleeps by the loop, with so many calls under way."""
        self.under_way = under_way
        self._permit.time_by(self._parker.stopwatch, self.is_open)
        self._parker.go_on_with(self, self._permit)

    @property
    def loop(self) -> TaskLoop:
        """The loop, which is there."""
        assert self._loop is not None, "it is open"
        return self._loop

    def open(self, listener: Listener) -> TaskLoop:
        """Make the loop."""
        # asyncio is imported where something waits
        from runtime.task.awaiting.loop import TaskLoop  # noqa: PLC0415
        from runtime.task.awaiting.virtual import VirtualLoop  # noqa: PLC0415

        self._loop = VirtualLoop(self._parker, listener) if self._parker.takes_turns else TaskLoop(listener)
        self._permit.run_by(self._loop)
        return self._loop

    def begin(self, made: Any) -> Task[Any] | None:
        """Let what a method has returned go on, if that has to be waited for."""
        if isinstance(made, AsyncGenerator):
            task = self.loop.create_task(all_of(made))
        elif isawaitable(made):
            task = self.loop.create_task(_made_by(made))
        else:
            return None
        task.add_done_callback(self.loop.tell)
        self._running.append(task)
        return task

    def cancel(self, tasks: list[Task[None]]) -> None:
        """Cancel these, and methods under way, and wait for their ends: whatever they do at their end is awaited."""
        self._cancel([*tasks, *self._running])

    def _cancel(self, tasks: list[Task[Any]]) -> None:
        waiting = [task for task in tasks if not task.done()]
        for task in waiting:
            task.add_done_callback(self.loop.tell)
            task.cancel()
        self.loop.run_until(lambda: all(task.done() for task in waiting))

    def close(self) -> None:
        """Let nothing of the loop be left."""
        self._parker.go_on_with(None, new_permit())
        if (loop := self._loop) is not None:
            self._cancel(loop.tasks())
            loop.end()
            self._permit.run_by(None)
            self._loop = None

    # ── while the thread waits ──

    def is_open(self) -> bool:
        """Whether a call is under way. Any thread."""
        return self.under_way() > 0

    def stands_still(self) -> bool:
        """Whether all that is under way waits for services that stand still. Any thread."""
        return self._loop is not None and self._loop.stands_still(self.under_way())

    def can_go_on(self) -> bool:
        """Whether something can go on now. Any thread."""
        return self._loop is not None and self._loop.can_go_on()

    def due_s(self) -> float | None:
        """When time brings something."""
        return None if self._loop is None else self._loop.due_s()

    def go_on(self) -> None:
        """Let something go on."""
        if self._loop is not None:
            self._loop.go_on()

    def look_in(self) -> None:
        """Between two packets: a stream of them must not keep calls from going on. Where turns are, chance decides."""
        if not self._parker.takes_turns:
            if self.is_open() or self.can_go_on():
                self.go_on()
        elif self.can_go_on() and self._parker.chance() < 0.5:
            self.go_on()

    def wake(self) -> None:
        """Any thread: let the loop look up, if it waits for what is outside."""
        self._permit.release()


async def all_of(made: AsyncGenerator[Any, None]) -> list[Any]:
    """All that it yields."""
    return [each async for each in made]


async def _made_by(made: Awaitable[Any]) -> Any:
    return await made
