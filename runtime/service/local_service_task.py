"""LocalServiceTask: a service with a worker for each of its loops, threads of this process."""

from __future__ import annotations

from collections.abc import Sequence

from runtime.context import ServiceContext
from runtime.graph import ServiceNode
from runtime.scheduling.parker import Parker
from runtime.scheduling.worker import Worker
from runtime.service.base_service_task import BaseServiceTask, ServiceReporter
from runtime.service.invocation import has_async_methods


def thread_names(node: ServiceNode) -> list[str]:
    """A name for each of a service's loops: its own, numbered if there are several.

    A class with `async def` methods needs one, however many requests are answered at once; what a function will make,
    nobody knows yet.
    """
    if node.concurrency == 1 or (isinstance(node.make, type) and has_async_methods(node.make)):
        return [node.name]
    return [f"{node.name}@{number}" for number in range(node.concurrency)]


class LocalServiceTask(BaseServiceTask):
    """A BaseServiceTask with a thread for each of its loops."""

    def __init__(
        self, ctx: ServiceContext, node: ServiceNode, reporter: ServiceReporter, parkers: Sequence[Parker]
    ) -> None:
        super().__init__(ctx, node, reporter, parkers)
        self._workers = [
            Worker(f"{ctx.job}/{name}", self, parker) for name, parker in zip(thread_names(node), parkers, strict=True)
        ]

    def start(self) -> None:
        """Start the threads."""
        for worker in self._workers:
            worker.start()

    def is_current(self) -> bool:
        """Whether the caller runs on one of this service's threads."""
        return any(worker.is_current() for worker in self._workers)

    def is_gone(self) -> bool:
        """Whether nothing of it runs any more."""
        return all(worker.is_gone() for worker in self._workers)

    def join(self) -> None:
        """Let the threads end as well, of one that is gone: that takes no time."""
        for worker in self._workers:
            worker.let_end()
