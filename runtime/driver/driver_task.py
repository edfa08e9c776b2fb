"""DriverTask: a task of a remote job that stays in the driver, on a thread of it: input, collect, bare iterator."""

from __future__ import annotations

from typing import cast

from runtime.context import TaskContext
from runtime.driver.job import Job
from runtime.driver.poller import INTERRUPTIBLE_S
from runtime.errors import QueueFull
from runtime.operators import Operator
from runtime.remote.arrivals import Arrivals
from runtime.scheduling.parker import Parker
from runtime.scheduling.worker_state import WorkerState
from runtime.task.base_task import TaskReporter
from runtime.task.control import TaskControl
from runtime.task.ray_task import RemoteTask


class DriverTask(RemoteTask):
    """A task on a thread of the driver, on remote lanes."""

    def __init__(self, ctx: TaskContext, operator: Operator, reporter: TaskReporter, job: Job) -> None:
        super().__init__(ctx, operator, reporter, Parker(job.poller), job.endpoint)
        self._job = job

    @property
    def control(self) -> TaskControl:
        """What controls it: at rest only when all that was sent from here has arrived."""
        if self._control is None:
            self._control = _DriverControl(self, self._job)
        return self._control

    def left_over(self) -> int:
        """After the end of all tasks: packets that were meant for this one, or made by it, and never worked."""
        on_the_way = 0
        if self._inbox is not None:
            arrived = (lane.taken + len(lane.items) for lane in self._inbox.lanes[1:])
            puts = self._job.puts(self.name)
            on_the_way = sum(put - there for put, there in zip(puts, arrived, strict=True))
        return super().left_over() + on_the_way


class _DriverControl(TaskControl):
    def __init__(self, task: DriverTask, job: Job) -> None:
        super().__init__(task)
        self._job = job

    def now(self) -> WorkerState:
        """Where it stands at this moment."""
        return super().now().when_sent(self._job.is_quiet())

    def rests(self) -> bool:
        """Whether, besides, all that was sent has arrived."""
        return super().rests() and (self._job.is_quiet() or not self._task.gate.closed)

    def undo(self, change: int) -> None:
        """Take back a change. If that needs a place in a lane, its writer is asked for it."""
        try:
            super().undo(change)
        except QueueFull:
            hand = cast(Arrivals, self._task.inbox).hand
            self._job.poller.wait(self._job.is_quiet, INTERRUPTIBLE_S)  # what was said before of that lane
            number = None if hand.wanted is None else self._job.find_place(self._task.name, hand.wanted)
            if number is None:
                raise
            with hand.place_from(number):
                super().undo(change)
