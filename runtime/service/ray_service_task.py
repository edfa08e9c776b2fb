"""RayServiceTask: a service in an actor of its own. It is a LocalServiceTask there, and its callers send mail."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from runtime.communication.signals import StopSignal
from runtime.context import ServiceContext
from runtime.context.report import TaskReport
from runtime.graph import ServiceNode
from runtime.ray.codec import CODEC
from runtime.ray.host import Host, make_actor
from runtime.remote.by_value import encode_report
from runtime.remote.look import Look
from runtime.scheduling.parker import Parker
from runtime.service.base_service_task import ServiceReporter
from runtime.service.deadlines import DeadlineWatch
from runtime.service.invocation import Interceptor
from runtime.service.local_service_task import LocalServiceTask, thread_names
from runtime.task.control import Condition


class _RemoteService(LocalServiceTask):
    """The service itself, in the actor's process."""

    def __init__(
        self,
        ctx: ServiceContext,
        node: ServiceNode,
        reporter: ServiceReporter,
        parkers: list[Parker],
        host: RayServiceTask,
    ):
        super().__init__(ctx, node, reporter, parkers)
        self._host = host
        self._left = 0  # loops that are over; each one adds itself under the lock of the calls

    def live(self, parker: Parker) -> None:
        """As everywhere; with the last loop the host is told that nothing of it runs any more."""
        with self._host.faults_told():
            super().live(parker)
        with self.queue.ledger.lock:
            self._left += 1
            last = self._left == len(self.parkers)
        if last:
            self._host.post("gone")


class RayServiceTask(Host):
    """The actor of one service; also the service's reporter."""

    service: _RemoteService

    def __init__(self, job: str, name: str) -> None:
        super().__init__(job, name)
        self.endpoint.may_end = True
        self.endpoint.other_mail |= {
            "start": self._start,
            "cancel": self._cancel,
            "end service": self._end_service,
        }

    def _make(self, made: tuple[ServiceContext, ServiceNode]) -> None:
        ctx, node = made
        self._deadlines = DeadlineWatch(
            self.endpoint.ledger, Parker(self.monitor), f"{ctx.job}/deadlines of {ctx.name}"
        )
        parkers = [Parker(self.monitor) for _ in thread_names(node)]
        self.service = _RemoteService(ctx, node, self, parkers, self)

    def _start(self) -> None:
        self._deadlines.start()
        self.service.start()

    def _cancel(self) -> None:
        ledger = self.endpoint.ledger
        ledger.refuse(ledger.queues)
        self.service.cancel()

    def _end_service(self, signal: StopSignal) -> None:
        with self.endpoint.ledger.lock:
            self.service.queue.end(signal)

    def failed(self, task: str, error: BaseException) -> None:
        """Something that is said of it cannot be sent."""
        self._post_fault(error)

    def _control(self) -> Any:
        return self.service.control

    def look(self) -> Look:
        """Where the service stands now."""
        service, control, endpoint = self.service, self.service.control, self.endpoint
        moved = (*(parker.passes for parker in service.parkers), endpoint.sent)
        quiet = endpoint.is_quiet()
        return Look(
            facts=service.facts(),
            worker=control.now()._replace(is_quiet=quiet),
            still=quiet and all(parker.stands_still() for parker in service.parkers) and endpoint.is_quiet(),
            moved=moved,
            busy=service.ending is None and (service.queue.busy or not quiet),
        )

    def hand_intercept(self, interceptors: tuple[Interceptor, ...]) -> None:
        """From the next request on, go through these."""
        self.service.intercept(interceptors)

    def hand_tap(self, wanted: bool) -> None:
        """Show every request to the driver, or no more."""
        self.service.control.set_tap(self._show if wanted else None)

    def hand_breaks(self, conditions: Sequence[Condition]) -> None:
        """Refused: a service has no packets to stop before."""
        self.service.control.set_breaks(conditions, None)

    # ── what the service reports ──

    def call_failed(self, service: str, text: str) -> None:
        """A call has ended with an error."""
        self.post("report", "call_failed", service, text)

    def late_reply(self, service: str, text: str) -> None:
        """A reply was dropped."""
        self.post("report", "late_reply", service, text)

    def task_ended(self, report: TaskReport) -> None:
        """The service has ended."""
        self.post("ended", encode_report(CODEC, report, self.look()))


def make_service_actor(options: dict[str, Any], job: str, name: str, callers: int) -> Any:
    """Ask Ray for an actor that can host a service, with so many who may call it. Returns its handle at once."""
    return make_actor(RayServiceTask, options, job, name, callers)
