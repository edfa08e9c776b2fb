"""What a view has to draw, as a record for its page: boxes with rows, and edges. Knows nothing of how it is drawn."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import Final

from runtime import DataflowError, ExecutionGraph, Session
from runtime.graph import Edge, OperatorNode, ServiceNode
from runtime.operators.awaited import CONCURRENCY
from sage_nb.layout import ROW_GAP, Layout, arrange
from sage_nb.picture import DETAIL_PX, edges_by_key, layers_of, printable, text_width
from sage_nb.ways import why_not
from sage_nb.wire import Box, Plan, PlanEdge, Row

MAX_TASKS: Final = 200
"""With more tasks than this, a row is an operator with all its tasks."""

COLLAPSE_BEYOND: Final = 8
"""With more tasks than this, an operator is laid out with one row for all of them, unless a page opens it."""

HEAD_PX: Final = 27.0
ROW_PX: Final = 24.0
FOOT_PX: Final = 4.0
FOLDED_PX: Final = 84.0  # the head, and three lines: states, queues, counters
_FOLDED_WIDTH_PX: Final = 256.0  # `17 waiting · 12 running · 3 held back`
_COLUMN_GAP_PX: Final = 40.0
_HEAD_ROOM_PX: Final = 8.0  # of an edge, for the arrow head and the barrier of an edge that is blocked
_WIDTH_PX: Final = 172.0
_WIDE_PX: Final = 208.0  # of a box with several lines that say `1,006/1,024`
_FIGURE_PX: Final = 7.0
_HEIGHT_PX: Final = 80.0  # of a box that shows one row
_LINE_PX: Final = 17.0
_SERVICE_WIDTH_PX: Final = 210.0
_SERVICE_GAP_PX: Final = 46.0  # between the graph and the services below it: room for who calls them
_NAME: Final = 60  # characters: what the page cuts further, and shows whole when it is pointed at


def plan_of(session: Session, revision: int) -> Plan:
    """The plan of a session's graph as it is now."""
    graph = session.graph
    tasks = sum(operator.parallelism for operator in graph.operators)
    grouped = tasks > MAX_TASKS
    rows, boxes = _rows_and_boxes(graph, grouped)
    layout = _layout(graph, boxes)
    below = layout.height + _SERVICE_GAP_PX if layout.height else 0.0
    for box in boxes:
        if not box["service"]:
            place = layout.boxes[box["name"]]
            box["x"], box["y"] = place.x - place.width / 2, place.y - place.height / 2
            box["width"] = place.width
    services = [box for box in boxes if box["service"]]
    for number, box in enumerate(services):  # in a row below the graph: any task may call them
        box["x"], box["y"] = number * (_SERVICE_WIDTH_PX + ROW_GAP), below
    return Plan(
        revision=revision,
        name=graph.name,
        alt=_alt(graph, tasks),
        grouped=grouped,
        note=f"{tasks:,} tasks, shown by operator: a row stands for all tasks of one" if grouped else "",
        runnable=_why_not(session, graph),
        width=max(layout.width, len(services) * (_SERVICE_WIDTH_PX + ROW_GAP) - ROW_GAP),
        height=below + _HEIGHT_PX if services else layout.height,
        head_px=HEAD_PX,
        row_px=ROW_PX,
        foot_px=FOOT_PX,
        folded_px=FOLDED_PX,
        rows=rows,
        boxes=boxes,
        edges=_edges(graph, layout),
    )


def _rows_and_boxes(graph: ExecutionGraph, grouped: bool) -> tuple[list[Row], list[Box]]:
    rows: list[Row] = []
    boxes: list[Box] = []
    tasks = sum(operator.parallelism for operator in graph.operators)
    for node in graph.operators:
        first = len(rows)
        rows += _rows_of(graph, node, grouped, len(boxes))
        boxes.append(_box(node.name, node.kind, node.parallelism, list(range(first, len(rows)))))
        boxes[-1]["width"] = width_of(rows[first:], tasks)
        boxes[-1]["height"] = height_of(len(rows) - first, calls_of(node))
    for service in graph.service_nodes:
        boxes.append(_service_box(service, len(rows)))
        rows.append(_row(service.name, service.name, "service", service.capacity, [], 1, len(boxes) - 1))
    return rows, boxes


def _rows_of(graph: ExecutionGraph, node: OperatorNode, grouped: bool, box: int) -> list[Row]:
    producers = [task for edge in graph.inputs(node.name) for task in graph.tasks(edge.source)]
    inputs = len(graph.input_numbers(node.name))
    # A queue holds one packet per lane at least; the hand's lane borrows its room from the others.
    capacity = 0 if node.kind == "source" else max(node.capacity, len(producers))
    calls = calls_of(node)
    if grouped:
        row = _row(node.name, node.name, node.kind, capacity * node.parallelism, producers, inputs, box)
        row["tasks"] = node.parallelism
        rows = [row | {"calls": calls * node.parallelism} if calls else row]
        return [_with_asks(graph, node, row) for row in rows]
    rows = [_row(task, node.name, node.kind, capacity, producers, inputs, box) for task in graph.tasks(node.name)]
    rows = [row | {"calls": calls} for row in rows] if calls else rows
    return [_with_asks(graph, node, row) for row in rows]


def _with_asks(graph: ExecutionGraph, node: OperatorNode, row: Row) -> Row:
    return row | {"asks": why_not(graph, node.name)} if node.traits.is_input else row


def calls_of(node: OperatorNode) -> int:
    """How many calls of one task may be open at once; 0 where the function does not wait."""
    if not node.traits.is_awaited:
        return 0
    concurrency: int = node.options.get("concurrency", CONCURRENCY)
    return concurrency


def _row(name: str, operator: str, kind: str, capacity: int, producers: list[str], inputs: int, box: int) -> Row:
    return Row(
        name=name,
        operator=operator,
        kind=kind,
        capacity=capacity,
        producers=producers,
        inputs=inputs,
        box=box,
        tasks=1,
    )


def _box(name: str, kind: str, number: int, rows: list[int]) -> Box:
    return Box(
        name=name,
        kind=kind,
        detail=f"{kind} × {number}" if number > 1 else kind,
        number=number,
        x=0.0,
        y=0.0,
        width=_WIDTH_PX,
        height=height_of(len(rows)),
        rows=rows,
        service=False,
    )


def height_of(rows: int, calls: int = 0) -> float:
    """How high a box with so many rows is laid out, of which one by itself has a line more if it tells of calls."""
    if rows == 1:
        return _HEIGHT_PX + (_LINE_PX if calls else 0)
    return FOLDED_PX if rows > COLLAPSE_BEYOND else HEAD_PX + ROW_PX * rows + FOOT_PX


def width_of(rows: Sequence[Row], tasks: int) -> float:
    """How wide a box with these rows of a graph of `tasks` should be: wider where its lines tell of a long queue.

    Beside the queue stand the row's number, its place in the order of ends, and how many producers have ended: `#12`,
    48, `0/16`.
    """
    least = _FOLDED_WIDTH_PX if len(rows) > COLLAPSE_BEYOND else _WIDTH_PX
    calls = rows[0].get("calls", 0) if len(rows) > 1 else 0
    for_calls = _FIGURE_PX * (2 * len(str(calls)) + 11) if calls else 0
    if len(rows) == 1 or rows[0]["capacity"] < 1_000:
        return least + for_calls
    more = [len(rows), tasks, *[len(rows[0]["producers"])] * 2]
    return max(least, _WIDE_PX + _FIGURE_PX * sum(len(str(number)) - 1 for number in more)) + for_calls


def _service_box(service: ServiceNode, row: int) -> Box:
    box = _box(service.name, "service", service.concurrency, [row])
    box["width"], box["service"] = _SERVICE_WIDTH_PX, True
    return box


def _layout(graph: ExecutionGraph, boxes: list[Box]) -> Layout:
    operators = [box for box in boxes if not box["service"]]
    return arrange(
        layers_of(graph),
        widths={box["name"]: box["width"] for box in operators},
        heights={box["name"]: box["height"] for box in operators},
        label_widths={key: _label_width(graph, edge) for key, edge in edges_by_key(graph)},
        column_gap=_COLUMN_GAP_PX,
        head_room=_HEAD_ROOM_PX,
    )


def _edges(graph: ExecutionGraph, layout: Layout) -> list[PlanEdge]:
    place = {operator.name: number for number, operator in enumerate(graph.operators)}
    return [
        PlanEdge(
            source=place[edge.source],
            target=place[edge.target],
            strategy=edge.strategy,
            label=_label(graph, edge),
            label_at=layout.labels[key],
            label_width=_label_width(graph, edge),
            points=list(layout.paths[key]),
            input=edge.input,
        )
        for key, edge in edges_by_key(graph)
    ]


def _label(graph: ExecutionGraph, edge: Edge) -> str:
    """What divides packets, where there is something to divide."""
    label = graph.label(edge)
    return "" if label == "round robin" and graph.by_name[edge.target].parallelism == 1 else label


def _label_width(graph: ExecutionGraph, edge: Edge) -> float:
    return text_width(_label(graph, edge), DETAIL_PX)


def _why_not(session: Session, graph: ExecutionGraph) -> str:
    if not graph.operators and not graph.service_nodes:
        return "nothing to run yet: the graph is empty"
    try:
        session.validate()
    except DataflowError as error:
        return str(error)
    return ""


def _alt(graph: ExecutionGraph, tasks: int) -> str:
    parts = [f"{len(graph.operators)} operators", f"{tasks} tasks"]
    parts += [f"{len(graph.service_nodes)} services"] if graph.service_nodes else []
    return f"Dataflow graph {printable(graph.name, _NAME)}: {', '.join(parts)}"


def task_spans(graph: ExecutionGraph) -> list[tuple[int, int]]:
    """Where the tasks of each operator are among all tasks, in graph order: the first, and the end."""
    return list(pairwise(accumulate((operator.parallelism for operator in graph.operators), initial=0)))
