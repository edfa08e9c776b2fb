"""LocalServiceTask: a service with a worker for each of its loops, threads of this process."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from runtime.context import ServiceContext
from runtime.scheduling.parker import Parker
from runtime.scheduling.worker import Worker
from runtime.service.base_service_task import BaseServiceTask, ServiceReporter
from runtime.service.invocation import Interceptor


def thread_names(ctx: ServiceContext) -> list[str]:
    """A name for each of a service's loops: its own, numbered if there are several."""
    several = ctx.wiring.concurrency > 1
    return [f"{ctx.name}@{number}" if several else ctx.name for number in range(ctx.wiring.concurrency)]


class LocalServiceTask(BaseServiceTask):
    """A BaseServiceTask with a thread for each of its loops."""

    def __init__(
        self, ctx: ServiceContext, make: Callable[[], Any], reporter: ServiceReporter, parkers: Sequence[Parker]
    ) -> None:
        super().__init__(ctx, make, reporter, parkers)
        self._workers = [
            Worker(f"{ctx.job}/{name}", self, parker) for name, parker in zip(thread_names(ctx), parkers, strict=True)
        ]

    def start(self) -> None:
        """Start the threads."""
        for worker in self._workers:
            worker.start()

    def intercept(self, interceptors: tuple[Interceptor, ...]) -> None:
        """From the next request on, go through these."""
        self.interceptors = interceptors

    def is_current(self) -> bool:
        """Whether the caller runs on one of this service's threads."""
        return any(worker.is_current() for worker in self._workers)

    def is_gone(self) -> bool:
        """Whether nothing of it runs any more."""
        return all(worker.is_gone() for worker in self._workers)

    def join(self) -> None:
        """Let the threads end as well, of one that is gone: that takes no time."""
        for worker in self._workers:
            worker.join()
