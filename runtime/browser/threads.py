"""Threads: what `_thread` starts, on stacks of their own.

*A start does not wait.* `Thread.start` waits until its thread has begun. Here that begins through the event loop, so
that the starter would have to be put away first, which a message's handler cannot be. So whoever starts a thread gives
it its number and says for it that it has started; it begins as soon as the starter waits, or is over.
"""

from __future__ import annotations

import _threading_local
import threading
from collections.abc import Callable, Mapping
from itertools import count
from typing import Any, Final

from runtime.browser.locks import Lock
from runtime.browser.loops import forget
from runtime.browser.stacks import RUNNING, start

_idents: Final = count(1_000_000)


class Locals:
    """What one thread has of all `threading.local`s, in the place of the thread itself: it goes when the thread ends.

    Those written in Python go with the `Thread` object, which what they hold may hold in turn, so for ever.
    """


_locals: Final[dict[int, Locals]] = {}  # by thread


OF_DUMMIES: Final = _threading_local.local()
"""In which `threading` has what takes away again the object that it makes for a thread which it has not started."""


def locals_here() -> Locals:
    """Those of the thread that runs."""
    if (found := _locals.get(RUNNING.ident)) is None:
        found = _locals[RUNNING.ident] = Locals()
    return found


def get_ident() -> int:
    """The number of the thread that runs."""
    return RUNNING.ident


def _end_locals(ident: int) -> None:
    """That thread ends. A local keeps what it was last asked for, so its dict is emptied, too."""
    if (found := _locals.pop(ident, None)) is not None:
        for its in list(vars(found).values()):
            if (local := its()) is not None:
                local.dicts[id(found)][1].clear()


class Handle:
    """As `_thread._ThreadHandle`: whether a thread is over, and how others wait for that."""

    def __init__(self) -> None:
        self.ident = 0
        self._is_over = Lock()  # held until it is
        self._is_over.acquire()
        self._is_done = False

    def begin_as(self, ident: int) -> None:
        """It begins, with this number."""
        self.ident = ident

    def is_done(self) -> bool:
        """Whether it is over."""
        return self._is_done

    def _set_done(self) -> None:
        if not self._is_done:
            self._is_done = True
            self._is_over.release()

    def join(self, timeout: float | None = None) -> None:
        """Wait until it is over, for `timeout` seconds at most."""
        if self._is_done:
            return
        if self.ident == get_ident():
            raise RuntimeError("Cannot join current thread")
        if self._is_over.acquire(True, -1 if timeout is None or timeout < 0 else timeout):
            self._is_over.release()

    def end(self) -> None:
        """It is over."""
        self._set_done()


def start_joinable_thread(function: Callable[[], object], handle: Handle | None = None, daemon: bool = True) -> Handle:
    """Call `function` on a stack of its own, soon."""
    thread = getattr(function, "__self__", None)
    handle = Handle() if handle is None else handle
    ident = next(_idents)
    handle.begin_as(ident)
    if isinstance(thread, threading.Thread):
        setattr(thread, "_ident", ident)  # noqa: B010  Python's own, which it sets itself a moment later
        thread._started.set()  # type: ignore[attr-defined]
    works = [function]  # of which the stack lets go: the page keeps what it has called for a moment longer
    del function, thread

    def run() -> None:
        work = works.pop()
        RUNNING.begin(ident)
        try:
            work()
        except SystemExit:
            pass
        finally:
            del work
            forget(ident)
            _end_locals(ident)
            handle.end()
            RUNNING.end()

    start(run)
    return handle


def start_new_thread(
    function: Callable[..., object], args: tuple[Any, ...], kwargs: Mapping[str, Any] | None = None
) -> int:
    """The same by its older name. What it raises is shown, and ends that thread alone."""

    def call() -> None:
        try:
            function(*args, **kwargs or {})
        except SystemExit:
            pass
        except BaseException as error:  # noqa: BLE001  the border to user code
            threading.excepthook(threading.ExceptHookArgs((type(error), error, error.__traceback__, None)))

    return start_joinable_thread(call).ident
