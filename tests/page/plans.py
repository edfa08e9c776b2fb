"""Plans and frames as a kernel would send them, made from a few words: of 5, of 50 and of 200 tasks, in every state."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, cast

from sage_nb.plan import FOLDED_PX, FOOT_PX, HEAD_PX, ROW_PX, height_of, width_of
from sage_nb.wire import STATES, Box, Counts, EventCard, Frame, Plan, PlanEdge, Point, Row

SINGLE_PX: Final = 80.0
GAP_PX: Final = 26.0
SERVICE_GAP_PX: Final = 46.0
COLUMN_PX: Final = 104.0  # between two columns, label included

Strategy = Literal["round_robin", "hash", "broadcast"]
_LABELS: Final[dict[Strategy, str]] = {"round_robin": "round robin", "hash": "by key", "broadcast": "broadcast"}


@dataclass
class Op:
    """An operator, its column, and who feeds it by which strategy."""

    name: str
    kind: str
    column: int
    feeds: Sequence[tuple[str, Strategy]] = ()
    parallelism: int = 1
    capacity: int = 4
    calls: int = 0
    number: int = field(default=1, repr=False)


def plan_of(ops: Sequence[Op], services: Sequence[str] = (), *, name: str = "words", **more: Any) -> Plan:
    """A plan in which each column is centred, as the kernel's layout would have it."""
    by_name = {op.name: op for op in ops}
    rows: list[Row] = []
    boxes: list[Box] = []
    for op in ops:
        producers = [task for source, _ in op.feeds for task in _tasks(by_name[source])]
        places = list(range(len(rows), len(rows) + op.parallelism))
        for task in _tasks(op):
            capacity = 0 if op.kind == "source" else op.capacity
            inputs = max(len(op.feeds), 1) if op.kind in ("join", "co_map") else 1
            rows.append(
                Row(
                    name=task,
                    operator=op.name,
                    kind=op.kind,
                    capacity=capacity,
                    producers=producers,
                    inputs=inputs,
                    box=len(boxes),
                    tasks=1,
                )
            )
            if op.calls:
                rows[-1]["calls"] = op.calls
        alone = op.parallelism == 1
        height = height_of(op.parallelism, op.calls)
        detail = op.kind if alone else f"{op.kind} × {op.parallelism}"
        width = width_of([rows[place] for place in places], sum(each.parallelism for each in ops))
        boxes.append(_box(op.name, op.kind, detail, op.parallelism, width, height, places))
    columns = [
        [at for at, op in enumerate(ops) if op.column == column] for column in range(1 + max(o.column for o in ops))
    ]
    _place(boxes, columns)
    bottom = max(box["y"] + box["height"] for box in boxes)
    left = 0.0
    service_px = 210.0
    for service in services:
        places = [len(rows)]
        rows.append(
            Row(
                name=service,
                operator=service,
                kind="service",
                capacity=64,
                producers=[],
                inputs=1,
                box=len(boxes),
                tasks=1,
            )
        )
        box = _box(service, "service", "service", 1, service_px, SINGLE_PX, places, service=True)
        box["x"], box["y"] = left, bottom + SERVICE_GAP_PX
        left += service_px + GAP_PX
        boxes.append(box)
    plan = Plan(
        revision=1,
        name=name,
        alt=f"Dataflow graph {name}",
        grouped=False,
        note="",
        runnable="",
        width=max(box["x"] + box["width"] for box in boxes),
        height=max(box["y"] + box["height"] for box in boxes),
        head_px=HEAD_PX,
        row_px=ROW_PX,
        foot_px=FOOT_PX,
        folded_px=FOLDED_PX,
        rows=rows,
        boxes=boxes,
        edges=list(_edges(ops, boxes)),
    )
    plan.update(cast(Plan, more))
    return plan


def frame_of(plan: Plan, number: int = 0, **more: Any) -> Frame:
    """A frame of a job that has not been started; `more` replaces any of its entries."""
    zeros = [0] * len(plan["rows"])
    frame = Frame(
        revision=plan["revision"],
        number=number,
        at_s=number / 10,
        since_s=0.0,
        state="new",
        holding="none",
        waited=False,
        counts=Counts(made=0, done=0, errors=0, skipped=0),
        states="n" * len(zeros),
        depths=[*zeros],
        processed=[*zeros],
        emitted=[*zeros],
        errors=[*zeros],
        ended=[*zeros],
        heard={},
        held=[],
        order=[],
        lanes={},
        signals={},
        chains=[],
        calls=[],
        open={},
        times="",
        waits={},
        asks=None,
        turn=-1,
        letters=0,
        letters_total=0,
        breakpoints=[],
        hits=0,
        printed=0,
        events=[],
        closed=False,
    )
    frame.update(cast(Frame, more))
    return frame


def running(plan: Plan, number: int = 1, seed: int = 0, **more: Any) -> Frame:
    """Some moment of a busy run: every column is different from one number to the next."""
    chance = random.Random(seed * 1_000_003 + number)
    rows = plan["rows"]
    depths = [chance.randint(0, row["capacity"]) for row in rows]
    processed = [number * 37 + chance.randint(0, 30) for _ in rows]
    states = [
        "h" if 0 < row["capacity"] == depth else chance.choice("rrriw") for row, depth in zip(rows, depths, strict=True)
    ]
    counts = Counts(made=number * 874, done=number * 36, errors=number // 5, skipped=0)
    whole = {
        "state": "running",
        "states": "".join(states),
        "depths": depths,
        "processed": processed,
        "emitted": [each * 2 for each in processed],
        "errors": [chance.choice((0, 0, 0, 0, 1)) for _ in rows],
        "counts": counts,
        "times": ";".join(times_of(letter, number + place) for place, letter in enumerate(states)),
        "events": [event(number, "turn", number % len(rows), f"turn {number}", number / 10)],
    }
    return frame_of(plan, number, **(whole | more))


def times_of(letter: str, number: int) -> str:
    """Where the last second of a row went that is in this state now."""
    busy = 20 + number * 7 % 60
    waits = ["0"] * 7
    waits[{"i": 0, "h": 1, "w": 3}.get(letter, 0)] = str(100 - busy)
    return ",".join([str(number * 131 % 5_000), str(busy * (number % 3 + 1) // 3), str(busy), *waits])


def paused(plan: Plan, number: int = 1, **more: Any) -> Frame:
    """The same, held by hand."""
    frame = running(plan, number, holding="all")
    frame["states"] = "".join("h" if letter == "h" else "p" for letter in frame["states"])
    frame["held"] = list(range(len(plan["rows"])))
    frame.update(cast(Frame, more))
    return frame


def ended(plan: Plan, number: int = 9, how: str = "completed", **more: Any) -> Frame:
    """The job is over, in graph order; in a failed one, the middle row has failed and the rest was cancelled."""
    rows = plan["rows"]
    letter = STATES.get(how, "c")
    states = [letter] * len(rows)
    if how == "failed":
        states = ["x"] * len(rows)
        states[len(rows) // 2] = "f"
    whole = {
        "state": how,
        "states": "".join(states),
        "depths": [0] * len(rows),
        "ended": [len(row["producers"]) for row in rows],
        "order": list(range(len(rows))),
    }
    return running(plan, number, **(whole | more))


def event(number: int, kind: str, row: int, text: str, at_s: float) -> EventCard:
    return EventCard(number=number, kind=kind, row=row, text=text, at_s=at_s)


def small(**more: Any) -> Plan:
    """Five tasks and a service: what a lesson begins with."""
    return plan_of(
        [
            Op("lines", "source", 0),
            Op("split", "flat_map", 1, [("lines", "round_robin")], capacity=4),
            Op("count", "reduce", 2, [("split", "hash")], parallelism=2, capacity=12),
            Op("result", "collect", 3, [("count", "round_robin")], capacity=1024),
        ],
        ["clock"],
        **more,
    )


def middle() -> Plan:
    """Fifty tasks, with twins, a long edge and two inputs."""
    return plan_of(
        [
            Op("orders", "source", 0, parallelism=3),
            Op("rates", "source", 0),
            Op("corrections by hand", "input", 0),
            Op("parse", "map", 1, [("orders", "round_robin")], parallelism=12, capacity=1024),
            Op("spread", "map", 1, [("rates", "broadcast")], parallelism=4, capacity=8),
            Op("merge", "co_map", 2, [("parse", "hash"), ("spread", "broadcast")], parallelism=16, capacity=256),
            Op("check", "filter", 2, [("corrections by hand", "round_robin")], capacity=64),
            Op("total", "reduce", 3, [("merge", "hash"), ("check", "hash"), ("rates", "broadcast")], parallelism=8),
            Op("to the ledger", "sink", 4, [("total", "round_robin")], parallelism=3, capacity=1024),
            Op("result", "collect", 4, [("total", "round_robin")]),
        ],
        ["clock", "exchange rates"],
        name="ledger",
    )


def large() -> Plan:
    """Two hundred tasks in ten operators."""
    ops = [Op("source", "source", 0, parallelism=20, capacity=0)]
    for column in range(1, 9):
        capacity = (4, 8, 256, 1024)[column % 4]
        strategy: Strategy = ("hash", "round_robin", "broadcast")[column % 3]
        ops.append(Op(f"stage {column}", "map", column, [(ops[-1].name, strategy)], parallelism=20, capacity=capacity))
    ops.append(Op("sink", "sink", 9, [(ops[-1].name, "round_robin")], parallelism=20, capacity=1024))
    return plan_of(ops, name="two hundred")


def _tasks(op: Op) -> list[str]:
    return [op.name] if op.parallelism == 1 else [f"{op.name}#{number + 1}" for number in range(op.parallelism)]


def _box(
    name: str,
    kind: str,
    detail: str,
    number: int,
    width: float,
    height: float,
    rows: list[int],
    *,
    service: bool = False,
) -> Box:
    return Box(
        name=name,
        kind=kind,
        detail=detail,
        number=number,
        x=0.0,
        y=0.0,
        width=width,
        height=height,
        rows=rows,
        service=service,
    )


def _place(boxes: list[Box], columns: Sequence[Sequence[int]]) -> None:
    heights = [sum(boxes[at]["height"] for at in column) + GAP_PX * (len(column) - 1) for column in columns]
    left = 0.0
    for column, height in zip(columns, heights, strict=True):
        top = (max(heights) - height) / 2
        wide = max(boxes[at]["width"] for at in column)
        for at in column:
            boxes[at]["x"], boxes[at]["y"], boxes[at]["width"] = left, top, wide
            top += boxes[at]["height"] + GAP_PX
        left += wide + COLUMN_PX


def _edges(ops: Sequence[Op], boxes: Sequence[Box]) -> list[PlanEdge]:
    at = {op.name: place for place, op in enumerate(ops)}
    by_column: dict[int, list[Box]] = {}
    for op, box in zip(ops, boxes, strict=False):
        by_column.setdefault(op.column, []).append(box)
    edges: list[PlanEdge] = []
    for op in ops:
        for number, (source, strategy) in enumerate(op.feeds):
            start, end = boxes[at[source]], boxes[at[op.name]]
            points: list[Point] = [(start["x"] + start["width"], start["y"] + start["height"] / 2)]
            for column in range(ops[at[source]].column + 1, op.column):
                top = min(box["y"] for box in by_column[column]) - GAP_PX / 2
                points += [
                    (by_column[column][0]["x"], top),
                    (by_column[column][0]["x"] + by_column[column][0]["width"], top),
                ]
            points.append((end["x"], end["y"] + end["height"] / 2 + (number - (len(op.feeds) - 1) / 2) * 16))
            (x0, y0), (x1, y1) = points[0], points[1]
            label = _LABELS[strategy]
            edges.append(
                PlanEdge(
                    source=at[source],
                    target=at[op.name],
                    strategy=strategy,
                    label=label,
                    label_at=((x0 + x1) / 2, (y0 + y1) / 2),
                    label_width=len(label) * 6.5,
                    points=points,
                    input=number if op.kind in ("join", "co_map") else 0,
                )
            )
    return edges
