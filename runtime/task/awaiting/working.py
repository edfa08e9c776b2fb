"""What carries out one call, in the loop: the function, under its timeout and its policy. Knows no lane and no task.

Of a plain `async def` under the policy `fail` and without a timeout that is one coroutine around the function's own:
each one more would cost as much as all the rest.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable, Sequence
from inspect import isawaitable
from typing import TYPE_CHECKING, Any, NamedTuple

from runtime.errors import ResultsTooLarge
from runtime.operators import Function
from runtime.operators.awaited import Awaited
from runtime.python.asynchronous import is_async
from runtime.python.size import estimated_size
from runtime.task.awaiting.call import CURRENT, Call, Tries

if TYPE_CHECKING:
    from runtime.task.awaiting.calls import Calls
    from runtime.task.awaiting.loop import TaskLoop


class Bound(NamedTuple):
    """How many bytes of results a task may hold of one packet."""

    task: str
    most_bytes: int

    def held(self, before: int, result: Any) -> int:
        """How many there are with `result`. Raises `ResultsTooLarge`."""
        now = before + estimated_size(result)
        if now > self.most_bytes:
            raise ResultsTooLarge(
                f"a call of {self.task!r} has made results of more than {self.most_bytes:,} bytes, and they are held "
                "in memory until it is over and its turn has come: let it make fewer, or raise max_results_bytes"
            )
        return now


Work = Callable[[Call], Coroutine[Any, Any, None]]
"""Carries out one call, which is over then, whatever comes of it."""


def work_of(
    operator: Awaited, calls: Calls, loop: TaskLoop, tries: Tries | None, bound: Bound, stands: Callable[[], bool]
) -> Work:
    """What carries out calls of `operator`. `tries` is under which policy, if that is not to fail.

    `bound` is how much of one packet's results is held until its turn has come, where there may be many. What a
    generator makes is held only under a policy, which sends all of it or nothing; else it streams, unless the task
    `stands`.
    """
    call_function, results_of, timeout_s = operator.call, operator.results, operator.timeout
    stream = None
    if operator.streams and tries is None:
        from runtime.task.awaiting.streaming import stream_by  # noqa: PLC0415  there is a loop by now

        stream = stream_by(calls, loop, timeout_s, stands)

    async def attempt(payload: Any) -> Sequence[Any]:
        return await results_when(payload, call_function(payload))

    async def results_when(payload: Any, made: Any) -> Sequence[Any]:
        if isinstance(made, AsyncGenerator):
            made = _all_of(made, bound)
        if isawaitable(made):
            made = await (made if timeout_s is None else loop.within(made, timeout_s))
        return results_of(payload, made) if not operator.streams or made is None else _all_in(made, bound)

    async def work(call: Call) -> None:
        CURRENT.set(call)
        try:
            if tries is not None:
                await call.make(attempt, tries)
            elif isinstance(made := call_function(call.payload), AsyncGenerator) and stream is not None:
                await stream(call, made)
            else:
                call.results.extend(await results_when(call.payload, made))
        except BaseException as error:  # noqa: BLE001  the border to user code: SystemExit too must be heard
            call.fail(error)
        calls.end(call)
        loop.tell()

    async def work_simply(call: Call) -> None:
        CURRENT.set(call)
        try:
            payload = call.payload
            call.results.extend(results_of(payload, await call_function(payload)))
        except BaseException as error:  # noqa: BLE001  as above
            call.fail(error)
        calls.end(call)
        loop.tell()

    return work_simply if tries is None and timeout_s is None and _is_plain(operator) else work


def _is_plain(operator: Awaited) -> bool:
    """Whether its function can be seen to return what is awaited, and to be no generator."""
    function = operator.function
    called = function.process if isinstance(function, Function) else function
    return is_async(called) and not operator.streams


async def _all_of(made: AsyncGenerator[Any, None], bound: Bound) -> list[Any]:
    results: list[Any] = []
    held = 0
    async for each in made:
        results.append(each)
        held = bound.held(held, each)
    return results


def _all_in(made: Iterable[Any], bound: Bound) -> list[Any]:
    if type(made) is list:  # it is held already
        return made
    results: list[Any] = []
    held = 0
    for each in made:
        results.append(each)
        held = bound.held(held, each)
    return results


async def not_open(call: Call) -> None:
    """What carries out calls of a task that is not open."""
    raise AssertionError("called before it was open")
