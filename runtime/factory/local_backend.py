"""The platform `local`: every task on a thread of this process."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterable, Sequence
from time import monotonic, perf_counter
from typing import Any, cast

from runtime.communication.inbox import LaneSpec, inject_everywhere
from runtime.communication.queue_descriptor import LocalQueueDescriptor, QueueDescriptor
from runtime.context import TaskContext
from runtime.factory.backend import TaskHandle
from runtime.facts import TaskTable
from runtime.operators import Operator
from runtime.task.base_task import TaskReporter
from runtime.task.gate import Gate, Watch
from runtime.task.local_task import LocalTask
from runtime.task.observer import Observer


class LocalBackend:
    """One job on threads."""

    def __init__(self) -> None:
        if not getattr(sys, "_is_gil_enabled", lambda: True)():
            warnings.warn(
                "this Python runs without the GIL, on which the queues of the local platform rely and where alone they "
                "have been tested; start it with PYTHON_GIL=1",
                RuntimeWarning,
                stacklevel=2,
            )
        self._queues: list[LocalQueueDescriptor] = []
        self._watch = Watch()
        self._observer: Observer | None = None

    def queue(self, task: str, capacity: int, lanes: tuple[LaneSpec, ...]) -> QueueDescriptor:
        """Make a queue in memory; another platform of threads may have others."""
        descriptor = LocalQueueDescriptor.make(task, capacity, lanes)
        self._queues.append(descriptor)
        return descriptor

    def task(self, ctx: TaskContext, operator: Operator, reporter: TaskReporter) -> TaskHandle:
        """Make a task with a thread of its own."""
        return LocalTask(ctx, operator, reporter, Gate(self._watch))

    def inject(self, handles: Sequence[TaskHandle], item: Any, timeout_s: float | None) -> None:
        """Put an item into all these queues by hand, or into none."""
        inject_everywhere([cast(LocalTask, handle).inbox for handle in handles], item, timeout_s)

    def observe(self, handles: Sequence[TaskHandle]) -> TaskTable:
        """Read the numbers where the tasks keep them."""
        if self._observer is None or len(self._observer.tasks) != len(handles):
            self._observer = Observer([cast(LocalTask, handle) for handle in handles])
        return self._observer.observe()

    def clock(self) -> float:
        """Seconds of the process's steady clock."""
        return perf_counter()

    def settle(self, handles: Iterable[TaskHandle], timeout_s: float | None) -> bool:
        """Wait until all threads wait at one moment."""
        return self._watch.wait_still([cast(LocalTask, handle).gate for handle in handles], timeout_s)

    def wait(self, handles: Iterable[TaskHandle], timeout_s: float | None) -> tuple[str, ...]:
        """Join the threads; the names of those that still run after `timeout_s` in all."""
        deadline = None if timeout_s is None else monotonic() + timeout_s
        still_running = []
        for handle in handles:
            left_s = None if deadline is None else max(0.0, deadline - monotonic())
            if not handle.join(left_s):
                still_running.append(handle.name)
        return tuple(still_running)

    def close(self) -> None:
        """Release the queues."""
        for descriptor in self._queues:
            descriptor.release()
        self._queues.clear()
