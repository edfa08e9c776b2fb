"""LocalTask: a task with a worker of its own, a thread of this process."""

from __future__ import annotations

from runtime.context import TaskContext
from runtime.operators import Operator
from runtime.scheduling.parker import Parker
from runtime.scheduling.worker import Worker
from runtime.task.base_task import BaseTask, TaskReporter


class LocalTask(BaseTask):
    """A BaseTask whose loop runs on a thread of its own."""

    def __init__(self, ctx: TaskContext, operator: Operator, reporter: TaskReporter, parker: Parker) -> None:
        super().__init__(ctx, operator, reporter, parker)
        self._worker = Worker(f"{ctx.job}/{ctx.name}", self, parker)

    def start(self) -> None:
        """Start the thread."""
        self._worker.start()

    def is_current(self) -> bool:
        """Whether the caller runs on this task's thread."""
        return self._worker.is_current()

    def is_gone(self) -> bool:
        """Whether nothing of it runs any more."""
        return self._worker.is_gone()

    def join(self) -> None:
        """Let the thread end as well, of one that is gone: that takes no time."""
        self._worker.join()
