"""Who calls which service, as a still picture shows it: where its lines go, and how many calls each says.

Any task may call any service, so there is a line only where there has been a call. Knows boxes, and nothing of drawing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from runtime import ExecutionGraph, ServiceFacts
from sage_nb.layout import Box, Point

CALLS_GAP: Final = 46.0
"""How much room there is between the graph and services that were called."""

MOST_LABELS: Final = 4  # callers of one service; of more, numbers would lie on each other
HEAD_PX: Final = 5.0
_LABEL_ABOVE: Final = 17.0  # so far above its service a number stands
_ARC: Final = 16.0  # how far a line from one service to another goes down
_BEND: Final = 0.6

Calls = Mapping[tuple[str, str], int]


@dataclass(frozen=True, slots=True)
class PictureCall:
    """A line from a caller to a service: a curve by its four points, a straight part to `tip`, and an arrow to `end`.

    `label` is empty where the service's own box says as much.
    """

    curve: tuple[Point, Point, Point, Point]
    tip: Point
    end: Point
    label: str
    label_at: Point

    @property
    def head(self) -> tuple[Point, Point, Point]:
        """The corners of its arrow."""
        (x, y), half = self.tip, HEAD_PX / 2 + 1
        return self.end, (x + half, y), (x - half, y)


def counted_calls(graph: ExecutionGraph, services: Mapping[str, ServiceFacts]) -> Calls:
    """How often each operator and service has called each service; what the hand has called has no box to begin at."""
    names = {task: each.name for each in graph.operators for task in graph.tasks(each.name)}
    names |= {name: name for name in services}
    found: Counter[tuple[str, str]] = Counter()
    for name, facts in services.items():
        for caller, calls in facts.callers:
            if caller in names:
                found[names[caller], name] += calls
    return found


def room_below(calls: Calls, services: Iterable[str]) -> float:
    """How much room lines from one service to another take below all of them."""
    names = set(services)
    return _ARC if any(caller in names for caller, _ in calls) else 0.0


def lines_of(calls: Calls, boxes: Mapping[str, Box], services: Sequence[str]) -> tuple[PictureCall, ...]:
    """A line for each pair, from left to right for each service."""
    places = {name: number for number, name in enumerate(boxes)}
    found: list[PictureCall] = []
    for service in services:
        callers = [caller for caller, called in calls if called == service]
        callers.sort(key=lambda caller: (boxes[caller].x, places[caller]))
        for number, caller in enumerate(callers, 1):
            to = boxes[service]
            x = to.x - to.width / 2 + to.width * number / (len(callers) + 1)
            label = f"{calls[caller, service]:,}" if 1 < len(callers) <= MOST_LABELS else ""
            found.append(_line(boxes[caller], to, x, label, caller in services))
    return tuple(found)


def _line(caller: Box, service: Box, to_x: float, label: str, beside: bool) -> PictureCall:
    """From the graph down to a service, or below both, from one service to another."""
    start = (caller.x, caller.y + caller.height / 2)
    top, bottom = service.y - service.height / 2, service.y + service.height / 2
    if beside:
        tip = (to_x, bottom + HEAD_PX)
        curve = (start, (start[0], start[1] + _ARC), (to_x, bottom + _ARC), tip)
        return PictureCall(curve, tip, (to_x, bottom), "", tip)
    above = (to_x, top - _LABEL_ABOVE)
    half = start[1] + (above[1] - start[1]) * _BEND
    curve = (start, (start[0], half), (to_x, top - 2 * _LABEL_ABOVE), above)
    return PictureCall(curve, (to_x, top - HEAD_PX), (to_x, top), label, above)
