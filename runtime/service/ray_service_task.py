"""RayServiceTask: a service in a process of its own. It is a LocalServiceTask there, and its callers send mail.

Named for the first platform of processes that there was; it knows none.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from runtime.communication.signals import StopSignal
from runtime.context import ServiceContext
from runtime.context.report import TaskReport
from runtime.facts import Past
from runtime.graph import ServiceNode
from runtime.remote.by_value import encode_report
from runtime.remote.host import Host, HostState
from runtime.scheduling.parker import Parker
from runtime.service.deadlines import DeadlineWatch
from runtime.service.invocation import Interceptor
from runtime.service.local_service_task import LocalServiceTask, thread_names


class _HostedService(LocalServiceTask):
    """The service of a process of its own."""

    def __init__(self, ctx: ServiceContext, node: ServiceNode, host: RayServiceTask):
        super().__init__(ctx, node, host, [Parker(host.monitor) for _ in thread_names(node)])
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
    """The process of one service; also the service's reporter."""

    service: _HostedService

    def _make(self, made: tuple[ServiceContext, ServiceNode]) -> None:
        ctx, node = made
        self.endpoint.end_lanes()  # a service has none whose end its report must come before
        self._deadlines = DeadlineWatch(
            self.endpoint.calls.ledger, Parker(self.monitor), f"{ctx.job}/deadlines of {ctx.name}"
        )
        self.service = _HostedService(ctx, node, self)

    def heard(self, verb: str, *said: Any) -> None:
        """The driver wants the service to start, or to end."""
        _MAIL[verb](self, *said)

    def start(self) -> None:
        """Let it run."""
        self._deadlines.start()
        self.service.start()

    def cancel(self) -> None:
        """End it after the requests in work; those that wait are refused."""
        ledger = self.endpoint.calls.ledger
        ledger.refuse(ledger.queues)
        self.service.cancel()

    def end_service(self, signal: StopSignal) -> None:
        """End it after the last request."""
        with self.endpoint.calls.ledger.lock:
            self.service.queue.end(signal)

    def failed(self, task: str, error: BaseException) -> None:
        """Something that is said of it cannot be sent."""
        self._post_fault(error)

    def _control(self) -> Any:
        return self.service.control

    def look(self) -> HostState:
        """Where the service stands now."""
        service, control, endpoint = self.service, self.service.control, self.endpoint
        moved = (*(parker.passes for parker in service.parkers), endpoint.sent)
        waits = endpoint.calls.served.are_still()
        quiet = endpoint.is_quiet()
        still = waits and quiet and all(parker.stands_still() for parker in service.parkers)
        return HostState(
            facts=service.facts(),
            worker=control.now().when_sent(quiet),
            still=still and endpoint.is_quiet(),
            moved=moved,
            busy=service.ending is None and (service.queue.busy or not quiet),
            spent=service.times(),
        )

    def hand_intercept(self, interceptors: tuple[Interceptor, ...]) -> None:
        """From the next request on, go through these."""
        self.service.intercept(interceptors)

    def hand_past(self) -> Past:
        """How it stood with the times of the service's threads when."""
        return self.service.past()

    def hand_tap(self, wanted: bool) -> None:
        """Show every request to the driver, or no more."""
        self.service.control.set_tap(self._show if wanted else None)

    # ── what the service reports ──

    def call_failed(self, service: str, text: str) -> None:
        """A call has ended with an error."""
        self.post("report", "call_failed", service, text)

    def late_reply(self, service: str, text: str) -> None:
        """A reply was dropped."""
        self.post("report", "late_reply", service, text)

    def task_ended(self, report: TaskReport) -> None:
        """The service has ended."""
        self.post("ended", encode_report(self.codec, report, replace(self.look(), past=self.service.past())))


_MAIL: Final[dict[str, Callable[..., None]]] = {
    "start": RayServiceTask.start,
    "cancel": RayServiceTask.cancel,
    "end service": RayServiceTask.end_service,
}
