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


class Worker(threading.Thread):
    """A daemon thread that serves one thing to its end, in `context`, or with the context variables of who makes it."""

    def __init__(self, name: str, served: Served, parker: Parker, context: Context | None = None) -> None:
        work = inherited(self._serve) if context is None else context.run(inherited, self._serve)
        super().__init__(target=work, name=name, daemon=True)
        self._served, self._parker = served, parker
        self._was_started = self._is_over = False

    def expect(self) -> None:
        """It is about to be started: from now on it is not gone, until it has served."""
        self._was_started = True

    def start(self) -> None:
        """Start the thread. Raises RuntimeError if there can be no more of them."""
        self._was_started = True
        try:
            super().start()
        except RuntimeError:
            self._was_started = False
            raise

    def _serve(self) -> None:
        try:
            self._served.live(self._parker)
        finally:
            self._is_over = True
            self._parker.tell()

    def serves(self, served: Served) -> bool:
        """Whether that is what it is for."""
        return self._served is served

    def turn_to(self, served: Served, name: str) -> None:
        """Whoever gives it something else to serve: from now on."""
        self._served = served
        self.name = name

    def is_current(self) -> bool:
        """Whether the caller runs on this thread."""
        return threading.current_thread() is self

    def is_gone(self) -> bool:
        """Whether nothing of it runs any more, or yet."""
        return self._is_over or not self._was_started

    def let_end(self) -> None:
        """Let the thread end as well, of one that is gone: that takes no time."""
        if self.ident is not None:
            self.join()
