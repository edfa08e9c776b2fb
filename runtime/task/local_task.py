"""LocalTask: a task on a thread of this process."""

from __future__ import annotations

import threading

from runtime.context import TaskContext
from runtime.operators import Operator
from runtime.task.base_task import BaseTask, TaskReporter
from runtime.task.gate import Gate


class LocalTask(BaseTask):
    """A BaseTask whose loop runs on a daemon thread of its own."""

    __slots__ = ("_thread",)

    def __init__(self, ctx: TaskContext, operator: Operator, reporter: TaskReporter, gate: Gate) -> None:
        super().__init__(ctx, operator, reporter, gate)
        self._thread = threading.Thread(target=self._worker_loop, name=f"{ctx.job}/{ctx.name}", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def is_current(self) -> bool:
        """Whether the caller runs on this task's thread."""
        return threading.current_thread() is self._thread

    def join(self, timeout_s: float | None = None) -> bool:
        """Wait for the end of the thread. False: it still runs."""
        if self._thread.ident is not None and not self.is_current():
            self._thread.join(timeout_s)
        return not self._thread.is_alive()
