"""Who calls which service, as a page shows it: how often in all, and how often in the last second."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Mapping
from typing import Final

from runtime import ServiceFacts
from sage_nb.wire import CallCard

WINDOW_S: Final = 1.0
"""Of how long a rate is the mean, if somebody has looked for so long."""

STALE_S: Final = 2.0
"""A look that is older says nothing of now."""

_Pair = tuple[int, int]


class CallCards:
    """Keeps the looks of the last second. A rate is zero until there are two, and once nothing runs any more."""

    def __init__(self, row: Callable[[str], int]) -> None:
        self._row = row
        self._looks: deque[tuple[float, Mapping[_Pair, int]]] = deque()

    def cards(self, services: Mapping[str, ServiceFacts], at_s: float, *, runs: bool) -> list[CallCard]:
        """A card for each service and each row that has called it, in the order of their rows; -1: no row, the hand."""
        now = self._counted(services)
        looks = self._looks
        while looks and not 0 <= at_s - looks[0][0] < STALE_S:
            looks.popleft()
        while len(looks) > 1 and at_s - looks[1][0] >= WINDOW_S:
            looks.popleft()
        then_s, then = looks[0] if looks else (at_s, now)
        looks.append((at_s, now))
        passed_s = at_s - then_s
        return [
            CallCard(
                service=service,
                caller=caller,
                calls=calls,
                per_s=_rate(calls - then.get((service, caller), 0), passed_s) if runs else 0.0,
            )
            for (service, caller), calls in sorted(now.items())
        ]

    def _counted(self, services: Mapping[str, ServiceFacts]) -> Mapping[_Pair, int]:
        found: Counter[_Pair] = Counter()
        for name, facts in services.items():
            service = self._row(name)
            for caller, calls in facts.callers:
                found[service, self._row(caller)] += calls
        return found


def _rate(calls: int, passed_s: float) -> float:
    if passed_s <= 0:
        return 0.0
    per_s = calls / passed_s
    return round(per_s, 1) if per_s < 10 else float(round(per_s))
