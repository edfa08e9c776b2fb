"""Random graphs, drawn whole by Hypothesis, on threads: exact, in order and bounded, whatever shape and trouble.

600 graphs in the normal run, 2,000 in a long one, always the same ones. `SAGE_NB_EXAMPLES=50000` draws as many
new ones, from a seed that a failure prints and that `SAGE_NB_SEED=` brings back. A failure also prints the line that
replays its one graph.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from tests.drawn_plans import draw_plan
from tests.effort import some
from tests.graph_plans import Plan
from tests.random_graphs import run

EXAMPLES: Final = int(os.environ.get("SAGE_NB_EXAMPLES") or some(600, of=2_000))
SEED: Final = int(
    os.environ.get("SAGE_NB_SEED") or (random.randrange(2**32) if "SAGE_NB_EXAMPLES" in os.environ else 1)
)


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
    """See `draw_plan`."""
    return draw_plan(lambda low, high: draw(st.integers(low, high)), *troubles)


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
