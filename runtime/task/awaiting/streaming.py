"""Streams the results of a call whose function is an asynchronous generator. Knows calls and their loop, no lane.

Imported when there is a loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from runtime.task.awaiting.call import Call
from runtime.task.awaiting.calls import BUFFERED, Calls

if TYPE_CHECKING:
    from runtime.task.awaiting.loop import TaskLoop

Stream = Callable[[Call, AsyncGenerator[Any, None]], Coroutine[Any, Any, None]]
"""Draws all from the generator of a call, and closes that, whatever comes of it."""


def stream_by(calls: Calls, loop: TaskLoop, timeout_s: float | None, stands: Callable[[], bool]) -> Stream:
    """What draws from generators, each for so long at most; what it waits at its `yield` does not count.

    It waits there while as many of its results as may be are not sent, and while the task `stands`.
    """

    async def wait_for_room(call: Call, limit: asyncio.Timeout) -> None:
        left_s = None if (until_s := limit.when()) is None else until_s - loop.time()
        limit.reschedule(None)
        call.wait_for_room(room := loop.create_future())
        try:
            await room
        finally:
            call.go_on()
        if left_s is not None:
            limit.reschedule(loop.time() + left_s)

    async def stream(call: Call, made: AsyncGenerator[Any, None]) -> None:
        calls.stream(call)
        async with asyncio.timeout(timeout_s) as limit, aclosing(made):
            async for each in made:
                call.results.append(each)
                if calls.have_made(call):
                    loop.tell()
                if len(call.results) >= BUFFERED or stands():
                    await wait_for_room(call, limit)

    return stream
