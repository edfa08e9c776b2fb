"""What carries out one call, in the loop: the function, under its timeout and its policy. Knows no lane and no task.

Of a plain `async def` under the policy `fail` and without a timeout that is one coroutine around the function's own:
each one more would cost as much as all the rest.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from inspect import isawaitable
from typing import TYPE_CHECKING, Any

from runtime.operators import Function
from runtime.operators.awaited import Awaited
from runtime.python.asynchronous import is_async
from runtime.task.awaiting.call import CURRENT, Call, Tries
from runtime.task.awaiting.host import all_of

if TYPE_CHECKING:
    from runtime.task.awaiting.calls import Calls
    from runtime.task.awaiting.loop import TaskLoop

Work = Callable[[Call], Coroutine[Any, Any, None]]
"""Carries out one call, which is over then, whatever comes of it."""


def work_of(operator: Awaited, calls: Calls, loop: TaskLoop, tries: Tries | None) -> Work:
    """What carries out calls of `operator`. `tries` is under which policy, if that is not to fail."""
    call_function, results_of, timeout_s = operator.call, operator.results, operator.timeout

    async def attempt(payload: Any) -> Sequence[Any]:
        made = call_function(payload)
        if isinstance(made, AsyncGenerator):
            made = all_of(made)
        if isawaitable(made):
            made = await (made if timeout_s is None else loop.within(made, timeout_s))
        return results_of(payload, made)

    async def work(call: Call) -> None:
        CURRENT.set(call)
        try:
            if tries is None:
                call.results.extend(await attempt(call.payload))
            else:
                await call.make(attempt, tries)
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


async def not_open(call: Call) -> None:
    """What carries out calls of a task that is not open."""
    raise AssertionError("called before it was open")
