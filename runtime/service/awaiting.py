"""ServiceLoop: awaits the `async def` methods of a service, one request at a time. Knows no requests.

Its loop is that of a task whose function waits (`runtime/task/awaiting/`), run by the service's one thread wherever it
waits: for a method to come to its end, and for the next request. So what a method has left running goes on meanwhile.
"""

from __future__ import annotations

from collections.abc import Awaitable
from contextlib import suppress
from inspect import isawaitable
from typing import TYPE_CHECKING, Any

from runtime.communication.calls import DEFAULT_METHOD
from runtime.context import ServiceContext
from runtime.errors import AsyncRefused, Cancelled
from runtime.scheduling.parker import Parker
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
        if self._loop.is_running():
            return self._loop.answer_of(self._proxies.begin(service, (method, args, kwargs), timeout))
        return super().call_service_async(service, *args, method=method, timeout=timeout, **kwargs)


class ServiceLoop:
    """The loop of one service, from before its object is set up until that is closed. By the service's thread."""

    def __init__(self, ctx: ServiceContext, parker: Parker) -> None:
        self._parker, self._host = parker, LoopHost(parker)
        self.ctx = AwaitedServiceContext(ctx, self._host.open(self))
        self._has_told = False  # of something outside that a method waits for
        self.serve()

    def serve(self) -> None:
        """From now on the service's thread waits by this loop."""
        self._host.serve(int)

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
        return _result(came)

    def close(self, made: Any) -> None:
        """Await this last one, whatever is wanted; then end what methods have left running."""
        try:
            came: list[tuple[Any, BaseException | None]] = [(made, None)]
            if isawaitable(made):
                task = self._begin(made, came := [])
                with suppress(Cancelled):
                    self._parker.park(task.done, "running")
                self._host.loop.run_until(task.done)
            _result(came)
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
        """A method has kept the loop from going on: it is the only one that is asked for."""


async def _come(made: Awaitable[Any], came: list[tuple[Any, BaseException | None]]) -> None:
    try:
        came.append((await made, None))
    except BaseException as error:  # noqa: BLE001  the border to user code: SystemExit too must be heard
        came.append((None, error))


def _result(came: list[tuple[Any, BaseException | None]]) -> Any:
    ((value, error),) = came
    came.clear()
    if error is None:
        return value
    try:
        raise error
    finally:
        del error  # else its traceback would hold the frame that holds it
