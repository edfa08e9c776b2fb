"""How many packets an operator may begin in a time: what is given as `rate=`, and what its tasks ask. Knows no tasks.

What makes a task wait is `task/rated_feed.py`.
"""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from runtime.errors import GraphInvalid
from runtime.texts.preview import preview


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `packets` packets of an operator begin in any `per` seconds, of all its tasks together.

    *Any* `per` seconds: the next packet begins `per` seconds after the one that came so many before it, at the
    earliest, so never twice as many within that time. What begins is a call of the operator's function with a packet;
    of a source, the drawing of an item, `IDLE` as well. Each repeat by `Retry` counts as one more. In a batch of
    `map_batches` each packet counts, so a batch has no more than may begin at once. Packets that wait
    for the rate are in their queue, in their order; the task is `held back: rate` meanwhile, and can be paused,
    stepped and cancelled. Under a seed that time is virtual.

    Where tasks run in other processes (on Ray) each has its share from the start, which another one cannot use.

    Raises `GraphInvalid`.

    >>> import runtime
    >>> with runtime.Session(seed=1) as session:
    ...     numbers = session.source(range(5)).map(abs, rate=runtime.Rate(2, per=60)).collect()
    ...     outcome = session.run()
    ...     session.snapshot().at_s
    120.0
    """

    packets: int
    per: float = 1.0

    def __post_init__(self) -> None:
        if type(self.packets) is not int or self.packets < 1:
            raise GraphInvalid(f"packets of Rate is {preview(self.packets)}; it must be a whole number of at least 1")
        if type(self.per) not in (int, float) or not 0 < self.per < math.inf:
            raise GraphInvalid(f"per of Rate is {preview(self.per)}; it must be a number of seconds above 0")

    def share(self, index: int, parallelism: int) -> Rate:
        """What task `index` of so many may begin by itself. Raises `GraphInvalid` if that is nothing."""
        packets = self.packets // parallelism + (index < self.packets % parallelism)
        if not packets:
            raise GraphInvalid(
                f"{self} is divided among {parallelism} tasks, each in a process of its own, and leaves none for task "
                f"{index}; use parallelism={self.packets}, or Rate({parallelism}, per={self.per * parallelism:g})"
            )
        return Rate(packets, self.per)


class Allowance:
    """When the next packet may begin, of all tasks that have this. Any of their threads may ask."""

    def __init__(self, rate: Rate) -> None:
        self._rate = rate
        self._lock = threading.Lock()  # guards the times
        self._begun: deque[float] = deque()  # when the last ones began, as many as may in the time at most

    def __reduce__(self) -> tuple[Any, ...]:
        """By value: what may begin, not what has begun."""
        return Allowance, (self._rate,)

    def begin(self, clock: Callable[[], float]) -> float | None:
        """Count a packet that begins now, and say when that is; None: it may not yet."""
        began_s, count = self.begin_some(clock, 1)
        return began_s if count else None

    def begin_some(self, clock: Callable[[], float], most: int, least: int = 1) -> tuple[float, int]:
        """Count packets that begin now, as many as may, and say when that is and how many: 0 if not even `least`."""
        with self._lock:
            now_s, begun = clock(), self._begun  # under the lock: so they are in order
            over = sum(1 for _ in takewhile(lambda began_s: began_s + self._rate.per <= now_s, begun))
            count = min(most, self._rate.packets - len(begun) + over)
            if count < least:
                return now_s, 0
            for _ in range(len(begun) + count - self._rate.packets):
                begun.popleft()
            begun.extend([now_s] * count)
            return now_s, count

    def take_back(self, began_s: float, count: int = 1) -> None:
        """The packets that were to begin then, so many, have not."""
        with self._lock:
            for _ in range(count):
                self._begun.remove(began_s)

    def at_once(self, count: int) -> int:
        """How many of so many packets may ever begin together."""
        return min(count, self._rate.packets)

    def due_s(self, count: int = 1) -> float:
        """From when on the next packets, so many, may begin, if no others do before."""
        with self._lock:
            missing = len(self._begun) + count - self._rate.packets
            return self._begun[missing - 1] + self._rate.per if missing > 0 else -math.inf
