"""How a random plan is drawn: one number after the other, from whoever has them (Hypothesis, or a seed). No threads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from tests.graph_plans import Kind, Plan, Slow, Source, Stage, Trouble

MOST: Final = 150  # packets on one stream; broadcasts and flat maps multiply

KINDS: tuple[Kind, ...] = (
    *("map", "filter", "flat_map", "reduce", "fold", "take", "map", "flat_map", "filter"),
    *("co_map", "join", "join"),
)
SLOW: tuple[Slow, ...] = ("", "", "", "", "busy", "yield", "sleep")


def draw_plan(number: Callable[[int, int], int], *troubles: str, most: int = MOST) -> Plan:
    """A graph of one to three sources and one to six stages, with one of `troubles` in it, or none.

    `number(low, high)` draws, both ends included.
    """

    def one_of(*values: Any) -> Any:
        return values[number(0, len(values) - 1)]

    sources = [
        Source(one_of(0, 1, 5, 12, 20), number(1, 3), one_of(False, True), one_of(*SLOW)) for _ in range(number(1, 3))
    ]
    sizes = [source.items * (source.parallelism if source.generator else 1) for source in sources]
    open_nodes = list(range(len(sources)))  # which may be consumed; a take only ever feeds its collect
    stages: list[Stage] = []
    for _ in range(number(1, 6)):
        inputs = tuple(dict.fromkeys(one_of(*open_nodes[-4:]) for _ in range(one_of(1, 1, 2, 3))))
        size = sum(sizes[node] for node in inputs)
        kind = one_of(*KINDS)
        size += sizes[inputs[0]] if kind in ("co_map", "join") and len(inputs) == 1 else 0  # it feeds both inputs
        if kind == "join" and size * size > 16 * most:
            kind = "co_map"
        parallelism = 1 if kind in ("fold", "take") else number(1, 3)
        keyed = kind in ("reduce", "join") or (kind != "fold" and one_of(False, False, False, True))
        ways = ("round_robin", "broadcast") if size * parallelism <= most else ("round_robin",)
        strategies = tuple("hash" if keyed else one_of(*ways) for _ in inputs)
        size = size * parallelism if "broadcast" in strategies else size
        if kind == "flat_map" and 2 * size > most:
            kind = "map"
        stages.append(
            Stage(
                kind,
                inputs,
                strategies,
                number(0, 5),
                parallelism,
                number(1, 4),
                at_end=kind in ("reduce", "fold") and one_of(False, True),
                as_function=kind != "take" and one_of(False, True),
                slow=one_of(*SLOW),
            )
        )
        sizes.append({"flat_map": 2 * size, "join": size + size * size // 4}.get(kind, size))
        if kind != "take":
            open_nodes.append(len(sizes) - 1)
    collected = tuple(node for node in range(len(sizes)) if one_of(False, False, True))
    trouble = None
    if troubles:
        # What a function of two inputs has skipped cannot be told from its letters alone: which pairs, of which input.
        single = [node for node in range(len(sizes)) if node < len(sources) or stages[node - len(sources)].one_input]
        node = one_of(*(single if {"skip", "retry"} & set(troubles) else range(len(sizes))))
        trouble = Trouble(one_of(*troubles), node, one_of(0, 1, 3, 10, 30), one_of(False, True))
    return Plan(tuple(sources), tuple(stages), trouble, collected)
