"""The end of a run, as it is waited for: it comes, or it cannot come, since something is paused."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Sequence
from time import monotonic
from typing import Final

from runtime.errors import JobPaused
from runtime.factory import Backend, Handle

_INTERRUPTIBLE_S: Final = 0.5  # Windows delivers Ctrl-C only between two waits; elsewhere a wait ends at once


class End:
    """What those wait on who wait for the end of a run. Any thread may use it."""

    def __init__(self, backend: Backend, handles: Callable[[], Sequence[Handle]]) -> None:
        self._backend, self._handles = backend, handles
        self._done = threading.Event()
        self._paused = threading.Event()  # some gate is closed by hand
        self._looking = (
            threading.Lock()
        )  # guards the two below: what is said of the gates is what was seen of them last
        self._looks = self._newest = 0
        self._news = threading.Condition()  # wakes those who wait: the end has come, or something was paused
        self._watchers: list[Callable[[], None]] = []  # guarded by _news

    def wait(self, timeout_s: float | None) -> bool:
        """Wait for it; an interrupt ends the wait. False: it has not come yet. Raises `JobPaused` if it cannot."""
        deadline = math.inf if timeout_s is None else monotonic() + timeout_s
        while not self._done.is_set():
            left_s = max(0.0, min(_INTERRUPTIBLE_S, deadline - monotonic()))
            if self._paused.is_set():
                # While something is paused, watch what everybody does: it may be all that keeps the job from its end.
                self._backend.wait_until(self._is_done_or_stuck, left_s)
                if not self._done.is_set() and (held := self._held_by_pause()):
                    names = f"{', '.join(map(repr, held))} {'is' if len(held) == 1 else 'are'}"
                    raise JobPaused(f"the job stands still, since {names} paused; resume() or step(), then wait")
            else:
                with self._news:
                    self._news.wait_for(lambda: self._done.is_set() or self._paused.is_set(), left_s)
            if monotonic() >= deadline:
                return self._done.is_set()
        return True

    def come(self) -> None:
        """It is there."""
        self._done.set()
        self._tell()

    def look_at_gates(self) -> None:
        """Gates were closed or opened by hand."""
        with self._looking:
            self._looks += 1
            look = self._looks
        closed = any(handle.control.is_paused() for handle in self._handles())
        with self._looking:
            if look > self._newest:  # else somebody has looked later, and been quicker
                self._newest = look
                if closed:
                    self._paused.set()
                else:
                    self._paused.clear()
        self._tell()

    @property
    def is_something_paused(self) -> bool:
        """Whether some gate is closed by hand: the job may stand still because of it."""
        return self._paused.is_set()

    def on_news(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call `callback` when it has come and when gates are closed or opened, on whichever thread does it.

        Returns what ends that.
        """
        with self._news:
            self._watchers.append(callback)

        def remove() -> None:
            with self._news:
                self._watchers.remove(callback)

        return remove

    def _tell(self) -> None:
        with self._news:
            self._news.notify_all()
            watchers = list(self._watchers)
        for watcher in watchers:
            watcher()
        self._backend.tell()

    def _is_done_or_stuck(self) -> bool:
        return self._done.is_set() or not self._paused.is_set() or bool(self._held_by_pause())

    def _held_by_pause(self) -> list[str]:
        """Who has something to do and is paused, if that is why nothing moves."""
        handles = self._handles()
        held = [handle.name for handle in handles if handle.control.is_held()]
        return held if held and self._backend.is_still(handles) else []
