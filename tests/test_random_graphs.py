"""Random graphs, drawn whole by Hypothesis, on threads: exact, in order and bounded, whatever shape and trouble.

2,000 graphs in the normal run, always the same ones. `SAGE_NB_EXAMPLES=50000` draws as many new ones, from a seed
that a failure prints and that `SAGE_NB_SEED=` brings back. A failure also prints the line that replays its one graph.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from tests.graph_plans import Kind, Plan, Slow, Source, Stage, Trouble
from tests.random_graphs import run

EXAMPLES: Final = int(os.environ.get("SAGE_NB_EXAMPLES", "2000"))
SEED: Final = int(
    os.environ.get("SAGE_NB_SEED") or (random.randrange(2**32) if "SAGE_NB_EXAMPLES" in os.environ else 1)
)
MOST: Final = 150  # packets on one stream; broadcasts and flat maps multiply

KINDS: tuple[Kind, ...] = (
    *("map", "filter", "flat_map", "reduce", "fold", "take", "map", "flat_map", "filter"),
    *("co_map", "join", "join"),
)
SLOW: tuple[Slow, ...] = ("", "", "", "", "busy", "yield", "sleep")


def explore(share: float) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """The share of all examples that one test draws. No shrinking: a graph is small, and runs differ anyway."""

    def decorate(test: Callable[..., None]) -> Callable[..., None]:
        examples = max(1, round(EXAMPLES * share))
        drawn = settings(
            max_examples=examples,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )(test)
        limited: Callable[..., None] = pytest.mark.timeout(120 + examples)(seed(SEED)(drawn))
        return limited

    return decorate


@st.composite
def plans(draw: Callable[[Any], Any], *troubles: str) -> Plan:
    """A graph of one to three sources and one to six stages, with one of `troubles` in it, or none."""

    def number(low: int, high: int) -> int:
        drawn: int = draw(st.integers(low, high))
        return drawn

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
        if kind == "join" and size * size > 16 * MOST:
            kind = "co_map"
        parallelism = 1 if kind in ("fold", "take") else number(1, 3)
        keyed = kind in ("reduce", "join") or (kind != "fold" and one_of(False, False, False, True))
        ways = ("round_robin", "broadcast") if size * parallelism <= MOST else ("round_robin",)
        strategies = tuple("hash" if keyed else one_of(*ways) for _ in inputs)
        size = size * parallelism if "broadcast" in strategies else size
        if kind == "flat_map" and 2 * size > MOST:
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


@explore(0.3)
@given(plans())
def test_every_graph_is_exact_in_order_and_bounded(plan: Plan) -> None:
    run(plan)


@explore(0.2)
@given(plans("raise"))
def test_every_graph_fails_with_the_error_that_is_raised_in_it_and_doubles_nothing(plan: Plan) -> None:
    run(plan)


@explore(0.2)
@given(plans("stop"))
def test_every_graph_drains_all_that_its_sources_made_before_the_stop(plan: Plan) -> None:
    run(plan)


@explore(0.2)
@given(plans("cancel"))
def test_every_graph_ends_at_a_cancel_and_doubles_nothing(plan: Plan) -> None:
    run(plan)


@explore(0.1)
@given(plans("skip", "retry"))
def test_every_graph_skips_or_mends_the_one_packet_that_fails_and_no_other(plan: Plan) -> None:
    run(plan)
