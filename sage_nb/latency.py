"""How long packets take in a task's user code, while somebody wants to know. Costs nothing before and behind."""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from time import perf_counter
from typing import Any, Final

from runtime import Session, Step
from sage_nb.wire import Latency

BOUNDS_MS: Final = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1_000.0, 3_000.0, 10_000.0)
KEPT: Final = 10_000


class Measure:
    """Looks at each packet of one task as it begins and when it is over, on the task's own thread."""

    def __init__(self, session: Session, task: str) -> None:
        """Begin. Raises `CommandRefused` for sources and services, `NotStarted`, `UnknownName`."""
        self._times_ms: deque[float] = deque(maxlen=KEPT)
        self._buckets = [0] * (len(BOUNDS_MS) + 1)
        self._count = 0
        self._began_s: float | None = None
        self._beginning = session.breakpoint(task, self._begins)
        self._end = session.tap(task, self._ends)
        self._end.__enter__()

    def stop(self) -> None:
        """Look no more."""
        self._beginning.remove()
        self._end.__exit__()

    def latency(self) -> Latency | None:
        """What was measured so far; None if nothing was."""
        times = sorted(self._times_ms.copy())
        if not times:
            return None
        return Latency(
            count=self._count,
            p50_ms=times[len(times) // 2],
            p95_ms=times[min(len(times) * 95 // 100, len(times) - 1)],
            buckets=list(self._buckets),
        )

    def _begins(self, _payload: Any) -> bool:
        self._began_s = perf_counter()
        return False

    def _ends(self, step: Step) -> None:
        began_s, self._began_s = self._began_s, None
        if step.packet is None or began_s is None:  # a stop signal, or it began before the measuring did
            return
        took_ms = (perf_counter() - began_s) * 1_000
        self._times_ms.append(took_ms)
        self._buckets[bisect_left(BOUNDS_MS, took_ms)] += 1
        self._count += 1
