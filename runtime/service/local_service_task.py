"""LocalServiceTask: a service on threads of this process."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from time import monotonic
from typing import Any

from runtime.context import ServiceContext
from runtime.service.base_service_task import BaseServiceTask, ServiceReporter
from runtime.service.invocation import Interceptor
from runtime.task.gate import Gate


def thread_names(ctx: ServiceContext) -> list[str]:
    """A name for each of a service's loops: its own, numbered if there are several."""
    several = ctx.wiring.concurrency > 1
    return [f"{ctx.name}@{number}" if several else ctx.name for number in range(ctx.wiring.concurrency)]


class LocalServiceTask(BaseServiceTask):
    """A BaseServiceTask with a daemon thread for each of its loops."""

    def __init__(self, ctx: ServiceContext, make: Callable[[], Any], reporter: ServiceReporter, gates: Sequence[Gate]):
        super().__init__(ctx, make, reporter, gates)
        self._threads = [
            threading.Thread(target=self._serve, args=(number,), name=f"{ctx.job}/{name}", daemon=True)
            for number, name in enumerate(thread_names(ctx))
        ]

    def start(self) -> None:
        """Start the threads."""
        for thread in self._threads:
            thread.start()

    def intercept(self, interceptors: tuple[Interceptor, ...]) -> None:
        """From the next request on, go through these."""
        self.interceptors = interceptors

    def is_current(self) -> bool:
        """Whether the caller runs on one of this service's threads."""
        return threading.current_thread() in self._threads

    def join(self, timeout_s: float | None = None) -> bool:
        """Wait for the end of the threads. False: one still runs."""
        deadline = None if timeout_s is None else monotonic() + timeout_s
        for thread in self._threads:
            if thread.ident is not None and thread is not threading.current_thread():
                thread.join(None if deadline is None else max(0.0, deadline - monotonic()))
        return not any(thread.is_alive() for thread in self._threads)
