"""Random graphs with services, joins, policies and faults, each under several seeds: exact, in order, bounded, ended.

900 schedules in the normal run, 3,000 in a long one, always the same ones. `SAGE_NB_SCHEDULES=100000` runs
as many new ones, from a number that the head of the run prints and that `SAGE_NB_SEED=` brings back. A failure prints
the line that replays it.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest

import runtime
from runtime.testing import PATIENCE_S
from tests.effort import some
from tests.schedules import FIRST, SCHEDULES, replay_line, run, turns_text

SEEDS: Final = 3  # under how many each graph is run
CHUNK: Final = 100  # graphs in one test
FREE: Final = some(90, of=300)  # how many run on free threads
AGAIN: Final = some(20, of=60)  # how many run three times, to see that turns repeat
TREE: Final = Path(__file__).resolve().parent.parent

GRAPHS: Final = range(FIRST, FIRST + max(1, SCHEDULES // SEEDS))
NORMAL: Final = 3 if "SAGE_NB_SCHEDULES" not in os.environ else len(GRAPHS)  # of how many chunks, from the first
CHUNKS: Final = [
    pytest.param(GRAPHS[begin : begin + CHUNK], marks=[pytest.mark.long] if place >= NORMAL else [])
    for place, begin in enumerate(range(0, len(GRAPHS), CHUNK))
]


@pytest.mark.parametrize("graphs", CHUNKS, ids=lambda graphs: f"from-{graphs.start}")
def test_every_schedule_of_every_graph_is_exact_in_order_and_bounded_and_ends_once(graphs: range) -> None:
    for graph in graphs:
        for seed in range(SEEDS):
            run(graph, seed)


def test_the_same_seed_gives_the_same_turns_and_another_one_gives_others() -> None:
    for graph in range(AGAIN):
        first, again, other = run(graph, 7), run(graph, 7), run(graph, 8)
        assert first == again, f"{replay_line(graph, 7)} has taken other turns"
        assert first != other, f"graph {graph} has taken the same turns under two seeds"


@pytest.mark.timeout(120)
def test_every_graph_is_as_exact_on_free_threads() -> None:
    for graph in range(FREE):
        run(graph)


def test_a_replay_replays_the_same_turns() -> None:
    """In a process of its own, as the line that a failure prints."""
    line = replay_line(11, 5)
    done = subprocess.run(line.split(), cwd=TREE, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == turns_text(run(11, 5))


def test_turns_end_with_the_job_whenever_it_is_closed() -> None:
    with runtime.Session(seed=3) as session:
        session.service("echo", Echo)
        session.source([1]).sink(Asking())
        session.run(PATIENCE_S)
        turns = session.turns
    assert session.turns == turns
    assert turns[-1] == "echo: work"


class Echo:
    def process(self, value: int) -> int:
        return value


class Asking(runtime.Function[int, Any]):
    def process(self, value: int) -> Any:
        return self.ctx.call_service("echo", value, timeout=0.5)
