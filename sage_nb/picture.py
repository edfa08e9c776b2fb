"""What a picture of a graph says: boxes with text, labelled edges, a headline. Plain records; knows no drawing library.

Of a run, only final facts are shown: how it ended, in which order, and what was counted, once all of it has ended. No
times, no rates, no ids, nothing that could differ from one look to the next.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from runtime import ExecutionGraph, Outcome, Session, Snapshot, TaskFacts
from runtime.graph import Edge, OperatorNode, ServiceNode
from runtime.texts.preview import is_printable
from sage_nb.end_order import Place, end_places
from sage_nb.layout import ROW_GAP, Box, EdgeKey, Point, arrange
from sage_nb.picture_calls import CALLS_GAP, Calls, PictureCall, counted_calls, lines_of, room_below

MAX_NAME: Final = 24  # columns of text; a longer name is cut
NAME_PX: Final = 13.0
DETAIL_PX: Final = 11.0
LINE_PX: Final = 17.0
_PADDING_PX: Final = 14.0
_MAX_ALT: Final = 1200  # characters


@dataclass(frozen=True, slots=True)
class Status:
    """How something ended: colour, glyph and word, always together, so that none of them is needed alone."""

    word: str
    glyph: str
    colour: str
    broken: bool = False

    @property
    def text(self) -> str:
        """Glyph and word."""
        return f"{self.glyph} {self.word}"


STATUS: Final = {
    status.word: status
    for status in (
        # The worst first: it speaks for an operator whose tasks ended in different ways.
        Status("failed", "✕", "#D55E00", broken=True),
        Status("abandoned", "▲", "#D55E00", broken=True),
        Status("cancelled", "⊘", "#999999"),
        Status("stopped", "✓", "#009E73"),
        Status("completed", "✓", "#009E73"),
    )
}


@dataclass(frozen=True, slots=True)
class Operator:
    """A box and what it says."""

    name: str
    kind: str
    parallelism: int
    box: Box
    status: Status | None
    counts: str
    is_round: bool = False  # where packets come from, or where they end
    ended: str = ""  # its place in the order of ends

    @property
    def detail(self) -> str:
        """The line under the name."""
        return f"{self.kind} × {self.parallelism}" if self.parallelism > 1 else self.kind

    @property
    def lines(self) -> tuple[str, ...]:
        """All the text in the box, from top to bottom."""
        if self.status is None:
            return self.name, self.detail
        return self.name, self.detail, f"{self.status.text} · {self.ended}".removesuffix(" · "), self.counts


@dataclass(frozen=True, slots=True)
class PictureEdge:
    """An edge and the strategy that divides its packets."""

    points: tuple[Point, ...]
    label: str
    label_at: Point
    label_width: float


@dataclass(frozen=True, slots=True)
class Picture:
    """Everything that is to be painted, in px, and `alt`, the same in words."""

    name: str
    headline: str
    status: Status | None
    width: float
    height: float
    operators: tuple[Operator, ...]
    edges: tuple[PictureEdge, ...]
    calls: tuple[PictureCall, ...]  # who has called which service
    alt: str

    @property
    def title(self) -> str:
        """What the picture is of."""
        return f"Dataflow graph {self.name}"

    @property
    def subtitle(self) -> str:
        """How the run ended, if it did, and how large it is or what it counted."""
        return f"{self.status.text} · {self.headline}" if self.status is not None else self.headline


def picture_of(what: Session | ExecutionGraph, outcome: Outcome | None = None) -> Picture:
    """The picture of a session's graph, with its facts if it has run and ended, or of a graph alone.

    Of a session, `outcome` is how it has ended, if the reader has seen that; otherwise the session is asked.
    """
    if isinstance(what, ExecutionGraph):
        return _picture(what, None, None, {})
    if not isinstance(what, Session):
        raise TypeError(f"a Session or an ExecutionGraph can be drawn, not {type(what).__name__}")
    outcome = outcome or what.told_outcome
    return _picture(what.graph, outcome, what.snapshot() if outcome is not None else None, end_places(what, outcome))


def text_width(text: str, size_px: float) -> float:
    """How wide `text` may become in any common sans-serif: the reader's font is not known here."""
    return round(size_px * sum(map(_ems, text)), 1)


def printable(text: str, limit: int = MAX_NAME) -> str:
    """`text` on one line, without characters that are not shown or turn the line around, cut to `limit` columns."""
    shown = text
    if not is_printable(text):
        shown = "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)
    columns, end = 0, 0
    for end, character in enumerate(shown, 1):
        columns += 2 if unicodedata.east_asian_width(character) in "WF" else 1
        if columns > limit:
            return shown[: end - 1] + "…"
    return shown[:end]


def layers_of(graph: ExecutionGraph) -> dict[str, int]:
    """The layer of each operator, in graph order; 0 of those on a circle."""
    return {operator.name: graph.layers.get(operator.name, 0) for operator in graph.operators}


def edges_by_key(graph: ExecutionGraph) -> Iterator[tuple[EdgeKey, Edge]]:
    """Each edge by a key of its own."""
    numbers: Counter[tuple[str, str]] = Counter()
    for edge in graph.edges:
        ends = edge.source, edge.target
        yield (*ends, numbers[ends]), edge
        numbers[ends] += 1


def _picture(
    graph: ExecutionGraph, outcome: Outcome | None, snapshot: Snapshot | None, ends: Mapping[str, Place]
) -> Picture:
    labels = {key: graph.label(edge) for key, edge in edges_by_key(graph)}
    label_widths = {edge: text_width(label, DETAIL_PX) for edge, label in labels.items()}
    boxless = {node.name: _operator(graph, node, outcome, snapshot) for node in graph.operators}
    boxless = {name: replace(each, ended=str(ends.get(name, ""))) for name, each in boxless.items()}
    height = max((len(operator.lines) for operator in boxless.values()), default=0) * LINE_PX + _PADDING_PX
    layout = arrange(
        layers_of(graph),
        widths={name: _width(operator) for name, operator in boxless.items()},
        heights=dict.fromkeys(boxless, height),
        label_widths=label_widths,
    )
    services = [_service(node, outcome, snapshot) for node in graph.service_nodes]
    calls = counted_calls(graph, snapshot.services if snapshot is not None else {})
    gap = CALLS_GAP if calls else ROW_GAP
    placed, width, height = _below(services, layout.width, layout.height, gap)
    called = [node.name for node in graph.service_nodes]
    boxes = {**layout.boxes, **{name: each.box for name, each in zip(called, placed, strict=True)}}
    tasks = sum(node.parallelism for node in graph.operators)
    size = f"{_number(len(boxless), 'operator')}, {_number(tasks, 'task')}"
    size += f", {_number(len(services), 'service')}" if services else ""
    picture = Picture(
        name=printable(graph.name, 2 * MAX_NAME),
        headline=size if outcome is None else _counted(outcome),
        status=None if outcome is None else STATUS[outcome.state],
        width=width,
        height=height + room_below(calls, called),
        operators=(*(replace(operator, box=layout.boxes[name]) for name, operator in boxless.items()), *placed),
        edges=tuple(
            PictureEdge(points, labels[e], layout.labels[e], label_widths[e]) for e, points in layout.paths.items()
        ),
        calls=lines_of(calls, boxes, called),
        alt="",
    )
    head = max(text_width(picture.name, NAME_PX), text_width(picture.subtitle, DETAIL_PX))
    alt = f"{picture.title}: {picture.subtitle}. {' '.join(_sentences(graph, picture, calls))}"
    alt = alt if len(alt) <= _MAX_ALT else f"{alt[:_MAX_ALT]}…"
    return replace(picture, width=max(picture.width, head), alt=alt)


def _below(services: list[Operator], width: float, height: float, gap: float) -> tuple[list[Operator], float, float]:
    """Services in a row below the graph, since any task may call them. And the picture's new size."""
    placed: list[Operator] = []
    left, top = 0.0, height + gap if height else 0.0
    for service in services:
        wide, high = _width(service), len(service.lines) * LINE_PX + _PADDING_PX
        placed.append(replace(service, box=Box(left + wide / 2, top + high / 2, wide, high)))
        left += wide + ROW_GAP
        height, width = max(height, top + high), max(width, left - ROW_GAP)
    return placed, width, height


def _service(node: ServiceNode, outcome: Outcome | None, snapshot: Snapshot | None) -> Operator:
    """What a service's box says: of a run, how it ended and what became of its calls. Not yet placed."""
    status, counts = None, ""
    facts = snapshot.services.get(node.name) if snapshot is not None else None
    if outcome is not None and facts is not None:
        status = STATUS["abandoned" if node.name in outcome.abandoned else facts.ending or "cancelled"]
        parts = [_number(facts.received, "call")]
        parts += [_number(facts.errors, "error")] if facts.errors else []
        parts += [_number(facts.timeouts, "timeout")] if facts.timeouts else []
        counts = " · ".join(parts)
    return Operator(printable(node.name), "service", node.concurrency, Box(0, 0, 0, 0), status, counts)


def _width(operator: Operator) -> float:
    name, *details = operator.lines
    widest = max([text_width(name, NAME_PX), *(text_width(detail, DETAIL_PX) for detail in details)])
    return widest + 2 * _PADDING_PX


def _sentences(graph: ExecutionGraph, picture: Picture, calls: Calls) -> Iterable[str]:
    names = [*graph.by_name, *(service.name for service in graph.service_nodes)]
    for name, operator in zip(names, picture.operators, strict=True):
        status = f", {operator.status.word} {operator.ended}".rstrip() if operator.status else ""
        counts = f", {operator.counts}" if operator.counts else ""
        targets = [f"{printable(edge.target)} by {graph.label(edge)}" for edge in graph.outputs(name)]
        sends = f", to {' and '.join(targets)}" if targets else ""
        called = [f"{printable(to)} {_number(each, 'time')}" for (caller, to), each in calls.items() if caller == name]
        asks = f", calls {' and '.join(called)}" if called else ""
        yield f"{operator.name} ({operator.detail}{status}{counts}){sends}{asks}."


def _operator(
    graph: ExecutionGraph, node: OperatorNode, outcome: Outcome | None, snapshot: Snapshot | None
) -> Operator:
    """What the operator's box says: of a run, how its tasks ended and what they counted together. Not yet placed."""
    status, counts = None, ""
    if outcome is not None and snapshot is not None and snapshot.tasks:
        tasks = [snapshot.tasks[task] for task in graph.tasks(node.name)]
        words = {"abandoned" if task.name in outcome.abandoned else task.ending for task in tasks}
        status = next(status for word, status in STATUS.items() if word in words)
        counts = _counts_of(node, tasks)
    is_round = node.traits.is_start or node.traits.is_end
    return Operator(printable(node.name), node.kind, node.parallelism, Box(0, 0, 0, 0), status, counts, is_round)


def _counts_of(node: OperatorNode, tasks: list[TaskFacts]) -> str:
    processed, emitted = sum(task.processed for task in tasks), sum(task.emitted for task in tasks)
    errors = sum(task.errors for task in tasks)
    traits = node.traits
    made = processed if traits.is_start else emitted  # once, to however many it was sent
    parts = [f"{processed:,} in"] if traits.has_queue else []
    parts += [f"{made:,} out"] if not traits.is_end else []
    parts += [_number(errors, "error")] if errors else []
    return " · ".join(parts)


def _counted(outcome: Outcome) -> str:
    parts = [f"{outcome.packets_in:,} in", f"{outcome.packets_out:,} out"]
    parts += [f"{outcome.dropped:,} dropped"] if outcome.dropped else []
    parts += [_number(outcome.errors, "error")] if outcome.errors else []
    parts += ["some counts lost"] if outcome.lost else []
    return " · ".join(parts)


def _number(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _ems(character: str) -> float:
    if character in "iljtf.,:;|!'()[] ":
        return 0.4
    if character in "mwMW@%":
        return 1.15 if character.isupper() else 1.0
    if ord(character) > 0x2E7F:
        return 1.1
    return 0.75 if character.isupper() or ord(character) > 0x24F else 0.64
