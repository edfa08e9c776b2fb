"""Which event loop of `asyncio` a thread has in a tab: its own, as everywhere; the main thread has that of the page.

Pyodide makes all loops of one kind, which the page drives and no thread can run, and knows one of them for all threads.
So `asyncio.run` on a thread would be refused, and a loop that a thread has set be the page's. It lets each that is made
be the running one, and the page's own no more.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from pyodide.webloop import WebLoop, WebLoopPolicy

from runtime.browser.stacks import MAIN, RUNNING

_set: Final[dict[int, asyncio.AbstractEventLoop]] = {}  # by thread, until it ends
_get_of_page, _set_of_page = WebLoopPolicy.get_event_loop, WebLoopPolicy.set_event_loop


def _get_event_loop(policy: Any) -> asyncio.AbstractEventLoop:
    """Of a thread that has none that of the page: to it belongs a promise of JavaScript that the thread waits for."""
    loop = _set.get(RUNNING.ident)
    return _get_of_page(policy) if loop is None else loop


def _new_event_loop(policy: Any) -> asyncio.AbstractEventLoop:
    if RUNNING.ident != MAIN:
        return asyncio.SelectorEventLoop()
    runs = asyncio._get_running_loop()
    loop: asyncio.AbstractEventLoop = WebLoop()
    asyncio._set_running_loop(runs)
    return loop


def _set_event_loop(policy: Any, loop: asyncio.AbstractEventLoop | None) -> None:
    if RUNNING.ident == MAIN:
        _set_of_page(policy, loop)
    elif loop is None:
        forget(RUNNING.ident)
    else:
        _set[RUNNING.ident] = loop


def forget(ident: int) -> None:
    """That thread has none any more."""
    _set.pop(ident, None)


POLICY: Final[dict[str, Any]] = {
    "get_event_loop": _get_event_loop,
    "new_event_loop": _new_event_loop,
    "set_event_loop": _set_event_loop,
}
"""What `WebLoopPolicy` has of it."""

__all__ = ["POLICY", "WebLoopPolicy", "forget"]
