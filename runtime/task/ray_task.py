"""RayTask: a task in a process of its own. It is a LocalTask there, on remote lanes, with a reporter that sends mail.

Named for the first platform of processes that there was; it knows none.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Final

from runtime.communication.packet import Packet
from runtime.communication.signals import StopSignal
from runtime.context import TaskContext
from runtime.context.report import TaskReport
from runtime.context.worker_control import Condition, Met
from runtime.facts import Ending, Past
from runtime.operators import Operator
from runtime.remote.arrivals import Arrivals
from runtime.remote.by_value import encode, encode_report
from runtime.remote.endpoint import Endpoint
from runtime.remote.host import Host, HostState
from runtime.scheduling.parker import Parker
from runtime.task.base_task import TaskReporter
from runtime.task.local_task import LocalTask

_SOON_S: Final = 5.0  # mail arrives at once, unless its receiver has died


class RemoteTask(LocalTask):
    """A task on lanes that lead to other processes, wherever it runs itself."""

    def __init__(
        self, ctx: TaskContext, operator: Operator, reporter: TaskReporter, parker: Parker, endpoint: Endpoint
    ) -> None:
        if ctx.wiring.format.asked:
            endpoint.weigh()
        super().__init__(ctx, operator, reporter, parker)
        self._endpoint = endpoint
        self._unsent: BaseException | None = None  # why something that it made cannot be sent

    @property
    def queue(self) -> Arrivals | None:
        """Its input queue; None for a source."""
        assert self._inbox is None or isinstance(self._inbox, Arrivals)
        return self._inbox

    def fail(self, error: BaseException) -> None:
        """Something that it has made cannot be sent."""
        self._unsent = error
        if (queue := self.queue) is not None:
            queue.fail(error)

    def _finish(self) -> Ending:
        ending = super()._finish()
        self._endpoint.pack_all()  # what cannot be packed fails the task that made it: known before the end
        if self._unsent is not None:
            raise self._unsent
        return ending


class _HostedTask(RemoteTask):
    """The task of a process of its own."""

    def __init__(self, ctx: TaskContext, operator: Operator, host: RayTask) -> None:
        super().__init__(ctx, operator, host, Parker(host.monitor), host.endpoint)
        self._host = host

    def live(self, parker: Parker) -> None:
        """As everywhere; then its host is told that nothing of it runs any more."""
        with self._host.faults_told():
            super().live(parker)
        self._host.post("gone")


class RayTask(Host):
    """The process of one task; also the task's reporter."""

    task: _HostedTask

    def _make(self, made: tuple[TaskContext, Operator]) -> None:
        self.task = _HostedTask(*made, self)

    def heard(self, verb: str, *said: Any) -> None:
        """The driver wants the task to start, or to end."""
        _MAIL[verb](self.task, *said)

    def failed(self, task: str, error: BaseException) -> None:
        """Something that it made cannot be sent."""
        self.task.fail(error)

    def _control(self) -> Any:
        return self.task.control

    def look(self) -> HostState:
        """Where the task stands now."""
        task, control, endpoint = self.task, self.task.control, self.endpoint
        queue = task.queue
        moved = (task.parker.passes, endpoint.sent)
        quiet = endpoint.is_quiet()
        return HostState(
            facts=task.facts(),
            worker=control.now().when_sent(quiet),
            still=quiet and task.parker.stands_still() and endpoint.is_quiet(),
            moved=moved,
            injected=task.injected,
            hand_closed=task.hand_closed,
            broken_off=task.counts.broken_off,
            refused=sum(lane.refused for lane in task.lanes_out),
            removed=0 if queue is None else queue.hand.removed,
            puts=endpoint.lanes.put_counts(),
            taken=() if queue is None else tuple(lane.taken for lane in queue.lanes),
            spent=task.times(),
        )

    def hand_past(self) -> Past:
        """How it stood with the times of the task when."""
        past: Past = self.task.past()
        return past

    # ── the hand ──

    def hand_reserve(self, item: Any) -> None:
        """Keep a place of the hand's own free for `item`. Raises `QueueFull`, `TaskEnded`."""
        self._queue().hand.reserve(item)

    def hand_release(self) -> None:
        """The place that was kept free is not needed."""
        self._queue().hand.release()

    def hand_put_into(self, place: int, item: Any) -> int:
        """Put an item into a place that was kept free, or that a lane's writer lends. Raises `TaskEnded`.

        Returns its arrival number in the hand's lane.
        """
        return self._queue().hand.put_into(place, item)

    def _queue(self) -> Arrivals:
        """The task's queue. Raises `TaskEnded` for a source, which has none."""
        queue = self.task.inbox
        assert isinstance(queue, Arrivals)
        return queue

    def hand_wanted(self) -> int | None:
        """In which lane an `undo` wants a place; all that was said of it before has arrived at its writer."""
        queue = self.task.queue
        self.monitor.wait_for(self.endpoint.is_quiet, _SOON_S)
        return None if queue is None else queue.hand.wanted

    def hand_undo_into(self, change: int, number: int) -> None:
        """Take back a change; the writer of lane `number` has a place for it."""
        queue = self.task.queue
        assert queue is not None, "nothing was changed in the queue of a source"
        with queue.hand.place_from(number):
            self.task.control.undo(change)

    def hand_tap(self, wanted: bool) -> None:
        """Show every packet to the driver, or no more."""
        self.task.control.set_tap(self._show if wanted else None)

    def hand_breaks(self, conditions: Sequence[Condition]) -> None:
        """Before each packet, close the gate if one of `conditions` is met, and tell the driver."""
        self.task.control.set_breaks(conditions, self._broke)

    def _broke(self, packet: Packet, met: Met) -> None:
        self.post("broke", encode((packet, met), self.codec))

    # ── what the task reports ──

    def signal_arrived(self, task: str, count: str, signal: StopSignal) -> None:
        """The task has received a stop signal."""
        self.post("report", "signal_arrived", task, count, signal)

    def task_ended(self, report: TaskReport) -> None:
        """The task has ended. Its own stop signals leave when the driver has heard so."""
        last = replace(self.look(), past=self.task.past())
        self.mailbox.post_awaited(("ended", encode_report(self.codec, report, last)), self.endpoint.end_lanes)


_MAIL: Final[dict[str, Callable[..., None]]] = {
    "start": RemoteTask.start,
    "cancel": RemoteTask.cancel,
    "end input": RemoteTask.end_input,
    "unneeded": RemoteTask.stop_sending,
}
