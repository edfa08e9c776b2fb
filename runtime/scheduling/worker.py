"""A worker: a thread of a job, and what it serves. Knows no task, no service and no operator."""

from __future__ import annotations

import threading
from contextvars import Context
from typing import Protocol

from runtime.python.inherited import inherited
from runtime.scheduling.parker import Parker


class Served(Protocol):
    """What a worker is for."""

    def live(self, parker: Parker) -> None:
        """On the worker's thread: from the beginning to the end, waiting by `parker`. Raises nothing."""


class Worker:
    """A daemon thread that serves one thing to its end, with the context variables of who makes it."""

    __slots__ = ("_is_expected", "_is_gone", "_parker", "_served", "_thread")

    def __init__(self, name: str, served: Served, parker: Parker, context: Context | None = None) -> None:
        self._served, self._parker = served, parker
        self._is_gone, self._is_expected = False, False
        work = inherited(self._run) if context is None else context.run(inherited, self._run)
        self._thread = threading.Thread(target=work, name=name, daemon=True)

    def expect(self) -> None:
        """It is about to be started, and not gone from now on."""
        self._is_expected = True

    def start(self) -> None:
        """Start the thread."""
        self._is_expected = True
        try:
            self._thread.start()
        except RuntimeError:  # no more threads
            self._is_expected = False
            raise

    def _run(self) -> None:
        try:
            self._served.live(self._parker)
        finally:
            self._is_gone = True
            self._parker.tell()

    def serves(self, served: Served) -> bool:
        """Whether that is what it is for."""
        return self._served is served

    def turn_to(self, served: Served, name: str) -> None:
        """On its thread: serve something else from now on."""
        self._served = served
        self._thread.name = name

    def is_current(self) -> bool:
        """Whether the caller runs on this thread."""
        return threading.current_thread() is self._thread

    def is_gone(self) -> bool:
        """Whether nothing of it runs any more, or yet."""
        return self._is_gone or not self._is_expected

    def join(self) -> None:
        """Let the thread end as well, of one that is gone: that takes no time."""
        if self._thread.ident is not None:
            self._thread.join()
