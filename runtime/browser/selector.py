"""What an event loop of `asyncio` sleeps by in a tab: a lock, as there are no descriptors to wait for.

`asyncio.SelectorEventLoop()` makes a pair of sockets, to be woken by other threads through it, which a tab has not
(OSError 28). `asyncio.new_event_loop()` is the page's own there, which no task can run in pieces. So the loop of
selectors gets a selector that waits by a lock, and is woken by its release.

*A promise of JavaScript is settled by the page*, in no loop of ours, by a plain `call_soon`. So that wakes it, too.
"""

from __future__ import annotations

import asyncio
import selectors
from asyncio.selector_events import BaseSelectorEventLoop
from collections.abc import Callable, Mapping
from typing import Any

from runtime.browser.locks import Lock


class ParkedSelector(selectors.BaseSelector):
    """Waits until somebody wakes it."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._lock.acquire()

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        """Raises NotInBrowser."""
        from runtime.errors import NotInBrowser  # noqa: PLC0415

        raise NotInBrowser("a tab has no sockets that an event loop could wait for; await `pyodide.http.pyfetch(url)`")

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        """There is none. Raises KeyError."""
        raise KeyError(fileobj)

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        """Nothing is registered."""
        return {}

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Wait until `wake`, for `timeout` seconds at most; None: without end. Nothing is ever selected."""
        if timeout is None:
            self._lock.acquire()
        elif timeout > 0:
            self._lock.acquire(True, timeout)
        else:
            self._lock.acquire(False)
        return []

    def wake(self) -> None:
        """End a wait, or the next one. Any thread."""
        if self._lock.locked():
            self._lock.release()


def _make_self_pipe(loop: Any) -> None:
    """In place of a pair of sockets: nothing, as the selector itself is woken."""


def _wake(loop: Any) -> None:
    if loop._selector is not None:
        loop._selector.wake()


def _call_soon(loop: Any, callback: Callable[..., object], *args: Any, context: Any = None) -> asyncio.Handle:
    """As `call_soon` does, and wake the loop if it sleeps: nobody is preempted, so any thread may call this."""
    handle: asyncio.Handle = asyncio.BaseEventLoop.call_soon(loop, callback, *args, context=context)
    if asyncio._get_running_loop() is not loop:
        _wake(loop)
    return handle


LOOP: dict[str, Any] = {
    "_make_self_pipe": _make_self_pipe,
    "_close_self_pipe": _make_self_pipe,
    "_write_to_self": _wake,
    "call_soon": _call_soon,
}
"""What `BaseSelectorEventLoop` has of it."""

__all__ = ["LOOP", "BaseSelectorEventLoop", "ParkedSelector"]
