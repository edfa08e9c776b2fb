"""A worker: a thread of a job, and what it serves. Knows no task, no service and no operator."""

from __future__ import annotations

import threading
from typing import Protocol

from runtime.python.inherited import inherited
from runtime.scheduling.parker import Parker


class Served(Protocol):
    """What a worker is for."""

    def live(self, parker: Parker) -> None:
        """On the worker's thread: from the beginning to the end, waiting by `parker`. Raises nothing."""


class Worker:
    """A daemon thread that serves one thing to its end, with the context variables of who makes it."""

    __slots__ = ("_is_gone", "_parker", "_served", "_thread")

    def __init__(self, name: str, served: Served, parker: Parker) -> None:
        self._served, self._parker = served, parker
        self._is_gone = False
        self._thread = threading.Thread(target=inherited(self._run), name=name, daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def _run(self) -> None:
        try:
            self._served.live(self._parker)
        finally:
            self._is_gone = True
            self._parker.tell()

    def is_current(self) -> bool:
        """Whether the caller runs on this thread."""
        return threading.current_thread() is self._thread

    def is_gone(self) -> bool:
        """Whether nothing of it runs any more, or yet."""
        return self._is_gone or self._thread.ident is None

    def join(self) -> None:
        """Let the thread end as well, of one that is gone: that takes no time."""
        if self._thread.ident is not None:
            self._thread.join()
