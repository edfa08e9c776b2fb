"""CallContext: the context of a task as each of its calls sees it, with a key, a state and results of its own."""

from __future__ import annotations

import threading
from collections.abc import MutableMapping
from typing import TYPE_CHECKING, Any, NoReturn

from runtime.communication.calls import DEFAULT_METHOD
from runtime.context import TaskContext
from runtime.errors import AsyncRefused
from runtime.task.awaiting.call import CURRENT

if TYPE_CHECKING:
    from runtime.task.awaiting.loop import TaskLoop


class CallContext(TaskContext):
    """What a function that waits sees as `self.ctx`: `key`, `state` and `send_packet` are those of the call."""

    def __init__(self, of: TaskContext, loop: TaskLoop) -> None:
        super().__init__(of.name, of.job, of.wiring, of._proxies)
        self._of, self._loop = of, loop
        self.states = of.states
        self._warned = of._warned

    @property
    def key(self) -> Any:
        """Of the packet whose call runs this code, on a keyed input, else None."""
        call = CURRENT.get()
        return None if call is None or not self.wiring.format.keyed else call.key

    @key.setter
    def key(self, key: Any) -> None:
        """It belongs to the call."""

    @property
    def stopping(self) -> threading.Event:
        """Set when the job is to end."""
        return self._of.stopping

    @property
    def state(self) -> MutableMapping[Any, Any]:
        """A mapping to remember things in: one per key on a keyed input, else one per task."""
        return self.states[self.key]

    def call_service(
        self, service: str, /, *args: Any, method: str = DEFAULT_METHOD, timeout: float | None = None, **kwargs: Any
    ) -> Any:
        """Outside of the loop, as everywhere. In an `async def` it would hold up all calls: raises `AsyncRefused`."""
        if self._loop.is_running():
            self._refuse(service)
        return self._of.call_service(service, *args, method=method, timeout=timeout, **kwargs)

    def call_service_async(
        self, service: str, /, *args: Any, method: str = DEFAULT_METHOD, timeout: float | None = None, **kwargs: Any
    ) -> Any:
        """In a call, what can be awaited: the answer; elsewhere, its future. A cancel takes the request back."""
        ask = (method, args, kwargs)
        if self._loop.is_running():
            return self._loop.answer_of(self._proxies.begin(service, ask, timeout), CURRENT.get())
        return self._proxies.call_async(service, ask, timeout)

    def _refuse(self, service: str) -> NoReturn:
        raise AsyncRefused(
            f"call_service({service!r}, …) in an `async def` of {self.name!r} would hold up all its calls; "
            f"use `await ctx.call_service_async({service!r}, …)`"
        )

    def send_packet(self, value: Any) -> None:
        """Send `value` before what the call will return, when its turn has come; outside of calls, at once."""
        call = CURRENT.get()
        if call is None:
            self._of.send_packet(value)
        else:
            call.results.append(value)

    def request_stop(self) -> None:
        """Ask the job to stop with drain."""
        self._of.request_stop()

    def enough(self) -> None:
        """Say that this task needs no more packets."""
        self._of.enough()
