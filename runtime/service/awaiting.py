"""ServiceLoop: awaits the `async def` methods of a service. Knows no queue, and of requests only who asks for them.

Its loop is that of a task whose function waits (`runtime/task/awaiting/`), run by the service's one thread wherever it
waits: for methods to come to their ends, and for the next request. So what a method has left running goes on meanwhile.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from contextvars import ContextVar, copy_context
from functools import partial
from inspect import isawaitable
from typing import TYPE_CHECKING, Any, Final

from runtime.communication.calls import DEFAULT_METHOD, AnswerFuture, here
from runtime.communication.calls import Call as ServiceCall
from runtime.context import ServiceContext
from runtime.errors import AsyncRefused, Cancelled
from runtime.scheduling.gate import Turn
from runtime.scheduling.parker import Parker, Waiter
from runtime.task.awaiting.host import LoopHost

if TYPE_CHECKING:
    from asyncio import Task

    from runtime.task.awaiting.call import Call
    from runtime.task.awaiting.loop import TaskLoop


class AwaitedServiceContext(ServiceContext):
    """What the object of a service with `async def` methods sees as `self.ctx`."""

    def __init__(self, of: ServiceContext, loop: TaskLoop) -> None:
        super().__init__(of.name, of.job, of._proxies)
        self._loop = loop
        self._warned = of._warned

    def call_service(
        self, service: str, /, *args: Any, method: str = DEFAULT_METHOD, timeout: float | None = None, **kwargs: Any
    ) -> Any:
        """In a plain method, as everywhere. In an `async def` it would hold up its loop: raises `AsyncRefused`."""
        if self._loop.is_running():
            raise AsyncRefused(
                f"call_service({service!r}, …) in an `async def` of service {self.name!r} would hold up its loop; use "
                f"`await ctx.call_service_async({service!r}, …)`"
            )
        return super().call_service(service, *args, method=method, timeout=timeout, **kwargs)

    def call_service_async(
        self, service: str, /, *args: Any, method: str = DEFAULT_METHOD, timeout: float | None = None, **kwargs: Any
    ) -> Any:
        """In an `async def`, what can be awaited; elsewhere, the answer's future. A cancel takes the request back."""
        if not self._loop.is_running():
            return super().call_service_async(service, *args, method=method, timeout=timeout, **kwargs)
        begin = partial(self._proxies.begin, service, (method, args, kwargs), timeout)
        request = REQUEST.get()
        return self._loop.answer_of(begin() if request is None else request.ask(begin), request)


class OpenRequest(Waiter):
    """One request whose method goes on beside others: to the calls that it makes, who makes them."""

    __slots__ = ("_callers", "_loop", "_parker", "call", "came", "task", "turn")

    def __init__(self, call: ServiceCall, service: str, turn: Turn | None, parker: Parker, loop: ServiceLoop) -> None:
        super().__init__()
        self.call, self.turn = call, turn
        self.came: list[tuple[Any, BaseException | None]] = []  # what it has come to
        self.task: Task[None] | None = None
        self._callers = (*call.request.callers, service)
        self._parker, self._loop = parker, loop

    def is_run_by(self, task: Task[None]) -> None:
        """It goes on as this task."""
        self.task = task

    def ask(self, begin: Callable[[], AnswerFuture]) -> AnswerFuture:
        """In its name, `begin` a call."""
        callers, waiter = here.callers, here.waiter
        here.work_for(*self._callers)
        here.wait_by(self)
        try:
            return begin()
        finally:
            here.work_for(*callers)
            here.wait_by(waiter)

    def unpark(self) -> None:
        """Any thread: what it has asked for has an ending, of which its future tells as well."""
        self._parker.unpark()

    def stands_still(self) -> bool:
        """Whether it waits for something that time alone will not bring."""
        return self._loop.waits_for_held(self)


REQUEST: Final[ContextVar[OpenRequest | None]] = ContextVar("runtime.request", default=None)
"""The request whose code runs; None outside of those that go on beside others."""


class ServiceLoop:
    """The loop of one service, from before its object is set up until that is closed. By the service's thread."""

    def __init__(self, ctx: ServiceContext, parker: Parker, concurrency: int = 1) -> None:
        self._parker, self._host, self._is_shared = parker, LoopHost(parker), concurrency > 1
        self._under_way = 0  # requests, each by itself
        self.ctx = AwaitedServiceContext(ctx, self._host.open(self))
        self._has_told = False  # of something outside that a method waits for
        self.serve()

    def serve(self) -> None:
        """From now on the service's thread waits by this loop."""
        self._host.serve(lambda: self._under_way)

    def come_to(self, made: Any) -> Any:
        """What a method has returned, once that has come. Raises what it raises; after its `finally`, Cancelled."""
        if not isawaitable(made):
            return made
        came: list[tuple[Any, BaseException | None]] = []
        task = self._begin(made, came)
        try:
            self._parker.park(task.done, "running")
        finally:
            if not task.done():
                self._host.cancel([task])
        return result_of(came)

    def begin(self, made: Awaitable[Any], request: OpenRequest, is_over: Callable[[OpenRequest], None]) -> None:
        """Let what a method has returned go on beside others; `is_over` hears, in the loop, that it has come."""
        context = copy_context()
        context.run(REQUEST.set, request)
        self._under_way += 1
        task = self._host.loop.create_task(_come(made, request.came), context=context)
        request.is_run_by(task)

        def end(_: object) -> None:
            self._under_way -= 1
            if not request.came:  # it was cancelled before its first step
                request.came.append((None, Cancelled()))
            is_over(request)
            self._host.loop.tell()

        task.add_done_callback(end)

    def look_in(self) -> None:
        """Between two requests: a stream of them must not keep others from going on."""
        self._host.look_in()

    def cancel(self, tasks: list[Task[None]]) -> None:
        """Cancel these, and wait for their ends: whatever they do at their end is awaited."""
        self._host.cancel(tasks)
        self._host.loop.run_until(lambda: not self._under_way)

    def waits_for_held(self, request: OpenRequest) -> bool:
        """Whether what a request waits for stands still. Any thread."""
        return self._host.loop.waits_for_held(request)

    def close(self, made: Any) -> None:
        """Await this last one, whatever is wanted; then end what methods have left running."""
        try:
            came: list[tuple[Any, BaseException | None]] = [(made, None)]
            if isawaitable(made):
                task = self._begin(made, came := [])
                with suppress(Cancelled):
                    self._parker.park(task.done, "running")
                self._host.loop.run_until(task.done)
            result_of(came)
        finally:
            self._host.close()

    def _begin(self, made: Awaitable[Any], came: list[tuple[Any, BaseException | None]]) -> Task[None]:
        loop = self._host.loop
        task = loop.create_task(_come(made, came))
        task.add_done_callback(loop.tell)
        return task

    # ── what its loop tells ──

    def tell_of_outside(self) -> None:
        """Under a seed: a method waits for something outside of the session."""
        if not self._has_told:
            self._has_told = True
            self._parker.tell_of_outside()
            self.ctx.warn(
                "a method waits for something outside of the session; virtual time stands still meanwhile, and this "
                "run will not repeat from its seed"
            )

    def tell_of_rest(self) -> None:
        """It may stand still now."""
        self._parker.tell()

    def tell_of_block(self, seconds: float, call: Call | None) -> None:
        """A method has kept the loop from going on: where it is not the only one, that is to be told."""
        if self._is_shared:
            self.ctx.warn(
                f"a method has held up all others for {seconds:.2g} s: what computes or waits without `await` keeps "
                "the thread; `await asyncio.to_thread(…)` gives it to another one"
            )


async def _come(made: Awaitable[Any], came: list[tuple[Any, BaseException | None]]) -> None:
    try:
        came.append((await made, None))
    except BaseException as error:  # noqa: BLE001  the border to user code: SystemExit too must be heard
        came.append((None, error))


def result_of(came: list[tuple[Any, BaseException | None]]) -> Any:
    """What has come, which is let go of. Raises it, if that is an error."""
    ((value, error),) = came
    came.clear()
    if error is None:
        return value
    try:
        raise error
    finally:
        del error  # else its traceback would hold the frame that holds it
