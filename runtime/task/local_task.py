"""LocalTask: a task on a thread of this process."""

from __future__ import annotations

import threading

from runtime.context import TaskContext
from runtime.operators import Operator
from runtime.python.inherited import inherited
from runtime.scheduling.gate import Gate
from runtime.task.base_task import BaseTask, TaskReporter


class LocalTask(BaseTask):
    """A BaseTask whose loop runs on a daemon thread of its own, with the context variables of who makes it."""

    __slots__ = ("_is_gone", "_thread")

    def __init__(self, ctx: TaskContext, operator: Operator, reporter: TaskReporter, gate: Gate) -> None:
        super().__init__(ctx, operator, reporter, gate)
        self._is_gone = False
        work = inherited(self._live)
        self._thread = threading.Thread(target=work, name=f"{ctx.job}/{ctx.name}", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def _live(self) -> None:
        try:
            self._worker_loop()
        finally:
            self._is_gone = True
            self.gate.tell()

    def is_current(self) -> bool:
        """Whether the caller runs on this task's thread."""
        return threading.current_thread() is self._thread

    def is_gone(self) -> bool:
        """Whether nothing of it runs any more."""
        return self._is_gone or self._thread.ident is None

    def join(self) -> None:
        """Let the thread end as well, of one that is gone: that takes no time."""
        if self._thread.ident is not None:
            self._thread.join()
