"""DriverTask: a task of a remote job that stays in the driver, on a thread of it: input, collect, bare iterator."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, cast

from runtime.context import TaskContext
from runtime.driver.poller import INTERRUPTIBLE_S
from runtime.errors import QueueFull
from runtime.facts import Ending
from runtime.operators import Operator
from runtime.remote.remote_lane import Arrivals
from runtime.scheduling.parker import Parker
from runtime.scheduling.worker_state import WorkerState
from runtime.task.base_task import TaskReporter
from runtime.task.control import TaskControl
from runtime.task.local_task import LocalTask


class Surroundings(Protocol):
    """What such a task has to know of the job around it."""

    def is_quiet(self) -> bool:
        """Whether all that was sent from the driver has been received."""

    def pack_all(self) -> None:
        """Pack what tasks of the driver have sent."""

    def puts(self, task: str) -> Sequence[int]:
        """How many packets were put into each lane of a task's queue."""

    def find_place(self, task: str, wanted: int) -> int | None:
        """For what is put back into lane `wanted` of a task's queue: whose writer has a place for it; None: nobody."""

    def wait_until(self, ready: Callable[[], bool], timeout_s: float | None) -> bool:
        """Wait until `ready`."""


class DriverTask(LocalTask):
    """A task on a thread of the driver, on far lanes."""

    def __init__(
        self, ctx: TaskContext, operator: Operator, reporter: TaskReporter, parker: Parker, around: Surroundings
    ):
        super().__init__(ctx, operator, reporter, parker)
        self._around = around
        self.unsent: BaseException | None = None  # why something that it made cannot be sent

    @property
    def queue(self) -> Arrivals | None:
        """Its input queue; None for a source."""
        assert self._inbox is None or isinstance(self._inbox, Arrivals)
        return self._inbox

    def fail(self, error: BaseException) -> None:
        """Something that it has made cannot be sent."""
        self.unsent = error
        if (queue := self.queue) is not None:
            queue.fail(error)

    def _finish(self) -> Ending:
        ending = super()._finish()
        self._around.pack_all()  # what cannot be packed fails the task that made it: it must be known before the end
        if self.unsent is not None:
            raise self.unsent
        return ending

    @property
    def control(self) -> TaskControl:
        """The hand's grip on it: at rest only when all that was sent from here has arrived."""
        if self._control is None:
            self._control = _DriverControl(self, self._around)
        return self._control

    def left_over(self) -> int:
        """After the end of all tasks: packets that were meant for this one, or made by it, and never worked."""
        on_the_way = 0
        if self._inbox is not None:
            arrived = (lane.taken + len(lane.items) for lane in self._inbox.lanes[1:])
            puts = self._around.puts(self.name)
            on_the_way = sum(put - there for put, there in zip(puts, arrived, strict=True))
        return super().left_over() + on_the_way


class _DriverControl(TaskControl):
    def __init__(self, task: DriverTask, around: Surroundings) -> None:
        super().__init__(task)
        self._around = around

    def now(self) -> WorkerState:
        """Where it stands at this moment; quiet, once all that was sent has arrived."""
        return super().now()._replace(is_quiet=self._around.is_quiet())

    def undo(self, change: int) -> None:
        """Take back a change. If that needs a place in a lane, its writer is asked for it."""
        try:
            super().undo(change)
        except QueueFull:
            hand = cast(Arrivals, self._task.inbox).hand
            self._around.wait_until(self._around.is_quiet, INTERRUPTIBLE_S)  # what was said before of that lane
            number = None if hand.wanted is None else self._around.find_place(self._task.name, hand.wanted)
            if number is None:
                raise
            with hand.place_from(number):
                super().undo(change)
