"""Where operators and edges go: layers from left to right, few crossings, long edges around boxes. Pure geometry.

Knows neither what a box says nor how it is painted. The same graph always gets the same places: nothing is random, and
ties keep the order in which the graph was written. y grows downwards, as on a page.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Final

ROW_GAP: Final = 26.0
COLUMN_GAP: Final = 56.0  # beside the widest label that stands in it
_BEND_HEIGHT: Final = 12.0  # of a long edge on its way past a column
_TWIN_GAP: Final = 16.0  # between edges that join the same two operators
_SWEEPS: Final = 8
_LABEL_HEIGHT: Final = 16.0
_LABEL_AT: Final = (0.5, 0.4, 0.6, 0.3, 0.7, 0.2, 0.8)  # how far along the first swing: the first that is free

Point = tuple[float, float]
EdgeKey = tuple[str, str, int]
"""Source, target, and a number that tells edges between the same two apart."""
_Slot = str | tuple[str, str, int, int]
"""A place in a column: an operator, or where an edge passes that layer."""


@dataclass(frozen=True, slots=True)
class Box:
    """An operator's place: its centre and its size."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Layout:
    """A picture's size and what is where in it.

    A path is a list of points: from the source's box to the next column, straight past it, on to the next, and so to
    the target. From a column to the next it swings like an S (`swing`). `labels` are the middles of the edges' labels.
    """

    width: float
    height: float
    boxes: Mapping[str, Box]
    paths: Mapping[EdgeKey, tuple[Point, ...]]
    labels: Mapping[EdgeKey, Point]


def arrange(
    layers: Mapping[str, int],
    *,
    widths: Mapping[str, float],
    heights: Mapping[str, float],
    label_widths: Mapping[EdgeKey, float],
    column_gap: float = COLUMN_GAP,
    head_room: float = 0.0,
) -> Layout:
    """Place operators by their layers; boxes are as high as `heights` says and as wide as their column.

    Labels leave `head_room` free in front of the target for what else is drawn there. The edges are those that have a
    `label_widths`. What comes out is in the order of `layers`, edges by their source.
    """
    edges = _by_source(layers, label_widths)
    columns, links = _columns(layers, edges)
    _untangle(columns, links)
    high = {slot: heights[slot] if isinstance(slot, str) else _BEND_HEIGHT for column in columns for slot in column}
    ys = _rows(columns, links, high)
    top = min((ys[slot] - high[slot] / 2 for slot in ys), default=0.0)
    bottom = max((ys[slot] + high[slot] / 2 for slot in ys), default=0.0)
    column_widths = [max((widths[slot] for slot in column if isinstance(slot, str)), default=0.0) for column in columns]
    gaps = [column_gap + _widest_label(column, label_widths) for column in columns[:-1]]
    lefts = list(accumulate((w + gap for w, gap in zip(column_widths, gaps, strict=False)), initial=0.0))
    boxes = {
        slot: Box(left + width / 2, ys[slot] - top, width, high[slot])
        for column, left, width in zip(columns, lefts, column_widths, strict=False)
        for slot in column
        if isinstance(slot, str)
    }
    sides = [(left, left + width) for left, width in zip(lefts, column_widths, strict=False)]
    paths = {edge: _path(layers, edges, edge, boxes, sides, lambda bend: ys[bend] - top) for edge in edges}
    right = sides[-1][1] if sides else 0.0
    spots = _label_spots(paths, label_widths, head_room)
    return Layout(right, bottom - top, {name: boxes[name] for name in layers}, paths, spots)


def swing(start: Point, end: Point) -> tuple[Point, Point]:
    """The two control points of the Bézier curve that leaves `start` and reaches `end` horizontally."""
    middle = (start[0] + end[0]) / 2
    return (middle, start[1]), (middle, end[1])


def _by_source(names: Iterable[str], edges: Iterable[EdgeKey]) -> list[EdgeKey]:
    targets: dict[str, dict[str, list[EdgeKey]]] = {name: {} for name in names}
    for edge in edges:
        targets[edge[0]].setdefault(edge[1], []).append(edge)
    return [edge for of_source in targets.values() for twins in of_source.values() for edge in twins]


def _columns(
    layer: Mapping[str, int], edges: Iterable[EdgeKey]
) -> tuple[list[list[_Slot]], list[list[tuple[_Slot, _Slot]]]]:
    """The slots of each layer, as the graph was written, and for each gap the pairs of slots that it joins."""
    count = max(layer.values(), default=-1) + 1
    columns: list[list[_Slot]] = [[] for _ in range(count)]
    links: list[list[tuple[_Slot, _Slot]]] = [[] for _ in range(max(count - 1, 0))]
    for name in layer:
        columns[layer[name]].append(name)
    for source, target, key in edges:
        bends: list[_Slot] = [(source, target, key, between) for between in range(layer[source] + 1, layer[target])]
        for bend, at in zip(bends, range(layer[source] + 1, layer[target]), strict=True):
            columns[at].append(bend)
        for at, pair in enumerate(pairwise([source, *bends, target]), layer[source]):
            links[at].append(pair)
    return columns, links


def _untangle(columns: list[list[_Slot]], links: list[list[tuple[_Slot, _Slot]]]) -> None:
    """Sort each column by where its neighbours are, to and fro, and keep the order with the fewest crossings."""
    best, fewest = [list(column) for column in columns], _crossings(columns, links)
    for sweep in range(_SWEEPS):
        if not fewest:
            break
        forward = sweep % 2 == 0
        for at in range(1, len(columns)) if forward else range(len(columns) - 2, -1, -1):
            beside = columns[at - 1] if forward else columns[at + 1]
            pairs = [(b, a) for a, b in links[at - 1]] if forward else links[at]
            place = {slot: index for index, slot in enumerate(beside)}
            columns[at] = _by_neighbours(columns[at], pairs, place)
        if (crossings := _crossings(columns, links)) < fewest:
            best, fewest = [list(column) for column in columns], crossings
    columns[:] = best


def _by_neighbours(column: list[_Slot], pairs: list[tuple[_Slot, _Slot]], place: Mapping[_Slot, int]) -> list[_Slot]:
    neighbours: dict[_Slot, list[int]] = {}
    for slot, other in pairs:
        neighbours.setdefault(slot, []).append(place[other])
    means = {slot: sum(places) / len(places) for slot, places in neighbours.items()}
    # A slot without a neighbour on this side keeps its place among those that move.
    movable = iter(sorted((slot for slot in column if slot in means), key=means.__getitem__))
    return [next(movable) if slot in means else slot for slot in column]


def _crossings(columns: list[list[_Slot]], links: list[list[tuple[_Slot, _Slot]]]) -> int:
    place = {slot: index for column in columns for index, slot in enumerate(column)}
    crossings = 0
    for gap in links:
        passed: list[int] = []
        for _, target in sorted((place[source], place[target]) for source, target in gap):
            crossings += len(passed) - bisect_left(passed, target + 1)
            insort(passed, target)
    return crossings


def _rows(
    columns: list[list[_Slot]], links: list[list[tuple[_Slot, _Slot]]], heights: Mapping[_Slot, float]
) -> dict[_Slot, float]:
    """The y of each slot: as near to the middle of its neighbours as the column's order and the gaps allow."""
    ys: dict[_Slot, float] = {}
    for column in columns:
        ys |= _spread(column, dict.fromkeys(column, 0.0), heights)
    before: dict[_Slot, list[_Slot]] = {}
    after: dict[_Slot, list[_Slot]] = {}
    for source, target in (pair for gap in links for pair in gap):
        before.setdefault(target, []).append(source)
        after.setdefault(source, []).append(target)
    # To and fro; to the right last, so that a chain is one straight line.
    for neighbours, ordered in [(before, columns), (after, columns[::-1])] * _SWEEPS + [(before, columns)]:
        for column in ordered:
            wanted = {}
            for slot in column:
                near = [ys[other] for other in neighbours.get(slot, ())]
                wanted[slot] = sum(near) / len(near) if near else ys[slot]
            ys |= _spread(column, wanted, heights)
    return {slot: round(y, 1) for slot, y in ys.items()}


def _spread(
    column: Sequence[_Slot], wanted: Mapping[_Slot, float], heights: Mapping[_Slot, float]
) -> dict[_Slot, float]:
    """The places nearest to the wanted ones in which neighbours keep their distance and order (isotonic regression)."""
    steps = (heights[a] / 2 + ROW_GAP + heights[b] / 2 for a, b in pairwise(column))
    offsets = list(accumulate(steps, initial=0.0))
    blocks: list[tuple[float, int]] = []  # sum and count of what has been pushed together
    for slot, offset in zip(column, offsets, strict=False):
        total, count = wanted[slot] - offset, 1
        while blocks and blocks[-1][0] / blocks[-1][1] > total / count:
            pushed = blocks.pop()
            total, count = total + pushed[0], count + pushed[1]
        blocks.append((total, count))
    means = (total / count for total, count in blocks for _ in range(count))
    return {slot: mean + offset for slot, mean, offset in zip(column, means, offsets, strict=False)}


def _widest_label(column: Sequence[_Slot], label_widths: Mapping[EdgeKey, float]) -> float:
    return max((width for edge, width in label_widths.items() if edge[0] in column), default=0.0)


def _path(
    layers: Mapping[str, int],
    edges: Iterable[EdgeKey],
    edge: EdgeKey,
    boxes: Mapping[str, Box],
    sides: Sequence[tuple[float, float]],
    y_of: Callable[[_Slot], float],
) -> tuple[Point, ...]:
    source, target, key = edge
    first, last = layers[source], layers[target]
    twins = [edge for edge in edges if edge[:2] == (source, target)]
    apart = (twins.index(edge) - (len(twins) - 1) / 2) * _TWIN_GAP
    points = [(sides[first][1], boxes[source].y + apart)]
    for at in range(first + 1, last):
        points += [(x, y_of((source, target, key, at))) for x in sides[at]]
    points.append((sides[last][0], boxes[target].y + apart))
    return tuple(points)


def _label_spots(
    paths: Mapping[EdgeKey, tuple[Point, ...]], widths: Mapping[EdgeKey, float], head_room: float
) -> dict[EdgeKey, Point]:
    """On each path the first spot beside all boxes that no other label has taken, else the one least taken."""
    spots: dict[EdgeKey, Point] = {}
    for edge, (*points, (x_end, y_end)) in paths.items():
        half = widths[edge] / 2
        points.append((x_end - head_room, y_end))
        choices = [
            (x, y)
            for start, end in zip(points[::2], points[1::2], strict=True)
            for x, y in (_on_swing(start, end, t) for t in _LABEL_AT)
            if start[0] <= x - half and x + half <= end[0]
        ]
        taken = [sum(_overlap(spot, widths[edge], spots[other], widths[other]) for other in spots) for spot in choices]
        spots[edge] = choices[taken.index(min(taken))]
    return spots


def _on_swing(start: Point, end: Point, t: float) -> Point:
    (x0, y0), (x1, y1) = start, end
    rest = 1 - t
    x = rest**3 * x0 + 3 * rest * t * (x0 + x1) / 2 + t**3 * x1
    return round(x, 1), round(y0 + (y1 - y0) * t * t * (3 - 2 * t), 1)


def _overlap(a: Point, a_width: float, b: Point, b_width: float) -> bool:
    return abs(a[0] - b[0]) < (a_width + b_width) / 2 and abs(a[1] - b[1]) < _LABEL_HEIGHT
