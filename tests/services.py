"""Services and their callers, as several tests want them. Real ones: nothing of the runtime is replaced."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import runtime
from runtime.scheduling.scheduler import Scheduler


class Echo:
    """Answers with what it was asked."""

    def process(self, value: Any = None, /, *more: Any, **named: Any) -> Any:
        return (value, *more, named) if more or named else value

    def double(self, value: int) -> int:
        return 2 * value

    def fail(self, error: BaseException) -> None:
        raise error


class HeldClock(Scheduler):
    """One whose time stands where a test has put it."""

    now_s = 0.0

    def clock(self) -> float:
        return self.now_s


class Calling(runtime.Function[Any, Any]):
    """Calls a service for every packet, and returns the reply."""

    def __init__(self, service: str, **ask: Any) -> None:
        self.service, self.ask = service, ask

    def process(self, value: Any) -> Any:
        return self.ctx.call_service(self.service, value, **self.ask)


class InTask(runtime.Function[Any, Any]):
    """Does `work(ctx, packet)`: a test's own code where a context is."""

    def __init__(self, work: Callable[[Any, Any], Any]) -> None:
        self.work = work

    def process(self, value: Any) -> Any:
        return self.work(self.ctx, value)


def in_task(session: runtime.Session, work: Callable[[Any, Any], Any], packets: Any = (1,)) -> list[Any]:
    """Run `work(ctx, packet)` as the function of a task named `caller`; what it returned for each packet."""
    result = session.source(packets, name="packets").map(InTask(work), name="caller").collect(name="result")
    session.run(20.0)
    return list(result)


def relay(service: str, method: str = "process", timeout: float | None = None) -> Callable[[], Any]:
    """What makes a service that passes everything on to another one."""

    class Relay:
        ctx: Any = None

        def process(self, *args: Any) -> Any:
            return self.ctx.call_service(service, *args, method=method, timeout=timeout)

    return Relay
