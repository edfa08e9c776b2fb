"""LocalServiceTask: a service on threads of this process."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from runtime.context import ServiceContext
from runtime.python.inherited import inherited
from runtime.scheduling.gate import Gate
from runtime.service.base_service_task import BaseServiceTask, ServiceReporter
from runtime.service.invocation import Interceptor


def thread_names(ctx: ServiceContext) -> list[str]:
    """A name for each of a service's loops: its own, numbered if there are several."""
    several = ctx.wiring.concurrency > 1
    return [f"{ctx.name}@{number}" if several else ctx.name for number in range(ctx.wiring.concurrency)]


class LocalServiceTask(BaseServiceTask):
    """A BaseServiceTask with a daemon thread for each of its loops, with the context variables of who makes it."""

    def __init__(self, ctx: ServiceContext, make: Callable[[], Any], reporter: ServiceReporter, gates: Sequence[Gate]):
        super().__init__(ctx, make, reporter, gates)
        self._gone: list[int] = []  # the loops that are over
        self._threads = [
            threading.Thread(target=inherited(partial(self._live, number)), name=f"{ctx.job}/{name}", daemon=True)
            for number, name in enumerate(thread_names(ctx))
        ]

    def start(self) -> None:
        """Start the threads."""
        for thread in self._threads:
            thread.start()

    def _live(self, number: int) -> None:
        try:
            self._serve(number)
        finally:
            self._gone.append(number)
            self.gates[number].tell()

    def intercept(self, interceptors: tuple[Interceptor, ...]) -> None:
        """From the next request on, go through these."""
        self.interceptors = interceptors

    def is_current(self) -> bool:
        """Whether the caller runs on one of this service's threads."""
        return threading.current_thread() in self._threads

    def is_gone(self) -> bool:
        """Whether nothing of it runs any more."""
        return len(self._gone) == sum(thread.ident is not None for thread in self._threads)

    def join(self) -> None:
        """Let the threads end as well, of one that is gone: that takes no time."""
        for thread in self._threads:
            if thread.ident is not None:
                thread.join()
