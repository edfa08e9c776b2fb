"""How long packets take in a task's user code, while somebody wants to know. Costs nothing before and after."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import deque
from time import perf_counter
from typing import Any, Final

from runtime import Session, Step
from sage_nb.wire import Latency

BOUNDS_MS: Final = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1_000.0, 3_000.0, 10_000.0)
KEPT: Final = 10_000


class Measure:
    """Looks at each packet of a task, or of each of an operator, as it begins and when it is over, on its thread."""

    def __init__(self, session: Session, task: str) -> None:
        """Begin. Raises `CommandRefused` for sources and services, `NotStarted`, `UnknownName`."""
        self._times_ms: deque[float] = deque(maxlen=KEPT)
        self._buckets = [0] * (len(BOUNDS_MS) + 1)
        self._count = 0
        self._counting = threading.Lock()  # guards the three above
        self._began = threading.local()  # `at_s`: when the packet in work on this thread began
        self._beginning = session.breakpoint(task, self._begins)
        self._end = session.tap(task, self._ends)
        self._end.__enter__()

    def stop(self) -> None:
        """Look no more."""
        self._beginning.remove()
        self._end.__exit__()

    def latency(self) -> Latency | None:
        """What was measured so far; None if nothing was."""
        with self._counting:
            times, count, buckets = sorted(self._times_ms), self._count, list(self._buckets)
        if not times:
            return None
        return Latency(
            count=count,
            p50_ms=times[len(times) // 2],
            p95_ms=times[min(len(times) * 95 // 100, len(times) - 1)],
            buckets=buckets,
        )

    def _begins(self, _payload: Any) -> bool:
        self._began.at_s = perf_counter()
        return False

    def _ends(self, step: Step) -> None:
        began_s = self._began.__dict__.pop("at_s", None)
        if step.packet is None or began_s is None:  # a stop signal, or it began before the measuring did
            return
        took_ms = (perf_counter() - began_s) * 1_000
        with self._counting:
            self._times_ms.append(took_ms)
            self._buckets[bisect_left(BOUNDS_MS, took_ms)] += 1
            self._count += 1


class Measures:
    """The tasks that are measured now. Any thread may call."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # guards what is below
        self._running: dict[str, Measure] = {}

    def begin(self, session: Session, task: str) -> None:
        """Measure a task from now on, anew if it was measured already. Raises what `Measure` raises."""
        self.stop(task)
        measure = Measure(session, task)
        with self._lock:
            self._running[task] = measure

    def stop(self, task: str) -> None:
        """Measure a task no more."""
        with self._lock:
            measure = self._running.pop(task, None)
        if measure is not None:
            measure.stop()

    def stop_all(self) -> None:
        """Measure nothing any more."""
        with self._lock:
            measures, self._running = list(self._running.values()), {}
        for measure in measures:
            measure.stop()

    def of(self, task: str) -> Measure | None:
        """The measure of a task, if it is measured."""
        with self._lock:
            return self._running.get(task)
