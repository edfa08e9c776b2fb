"""ProxyManager: calls services by name for one caller, keeps the queues it has found, has the one default timeout."""

from __future__ import annotations

import math
from collections.abc import Mapping
from concurrent.futures import Future
from typing import Any, Final

from runtime.communication.calls import AnswerFuture, Ask, Call
from runtime.communication.request_queue import RequestQueue, RequestQueueDescriptor
from runtime.errors import GraphInvalid, UnknownName
from runtime.scheduling.command import Answer
from runtime.service.service_caller import ServiceManager
from runtime.texts.preview import preview

DEFAULT_TIMEOUT_S: Final = 10.0
"""How long a call may take, if it does not say."""


class ProxyManager:
    """Calls services in the name of `caller`. Any thread may use it. Travels by value."""

    def __init__(self, caller: str, services: Mapping[str, RequestQueueDescriptor]) -> None:
        self._caller, self._services = caller, services
        self._manager = ServiceManager(caller)
        self.calls = 0  # that were begun
        self._queues: dict[str, RequestQueue] = {}

    def __reduce__(self) -> tuple[type[ProxyManager], tuple[str, Mapping[str, RequestQueueDescriptor]]]:
        return ProxyManager, (self._caller, self._services)

    def call_sync(self, service: str, ask: Ask, timeout_s: float | None = None) -> Any:
        """Call and wait. Raises what the service raises, `ServiceTimeout`, `ServiceStopped`, and as `call_async`."""
        return self._manager.call(self._find(service), ask, _limit(timeout_s))

    def prepare_by_hand(self, service: str, ask: Ask, timeout_s: float | None) -> tuple[Call, Answer]:
        """The caller's part of a call by hand: a call to be entered, and its answer. Raises `UnknownName`."""
        return self._manager.prepare_by_hand(self._find(service), ask, _limit(timeout_s))

    def find_all(self) -> None:
        """Find all queues now, so that no call has to."""
        for service in self._services:
            self._find(service)

    def call_async(self, service: str, ask: Ask, timeout_s: float | None = None) -> Future[Any]:
        """Call, and return the future of the answer. Raises `UnknownName`, `ServiceLoop`, `ServiceStopped`."""
        return self._manager.call_async(self._find(service), ask, _limit(timeout_s))

    def begin(self, service: str, ask: Ask, timeout_s: float | None = None) -> AnswerFuture:
        """The same without waiting, though the request queue be full: for who must not hold up his thread."""
        return self._manager.begin(self._find(service), ask, _limit(timeout_s))

    def awaited(self) -> tuple[str, ...]:
        """The services that have a call of the caller open. Any thread."""
        for queue in list(self._queues.values()):
            return queue.ledger.awaited_by(self._caller)
        return ()

    def _find(self, service: str) -> RequestQueue:
        self.calls += 1
        queue = self._queues.get(service)
        if queue is None:
            descriptor = self._services.get(service)
            if descriptor is None:
                raise UnknownName("service", service, self._services)
            queue = self._queues[service] = descriptor.get_queue()
        return queue


def _limit(timeout_s: float | None) -> float:
    if timeout_s is None:
        return DEFAULT_TIMEOUT_S
    if type(timeout_s) not in (int, float) or math.isnan(timeout_s) or timeout_s < 0:
        raise GraphInvalid(f"timeout of a call is {preview(timeout_s)}; it must be a number of seconds, at least 0")
    return timeout_s
