"""Signals between processes: in their places on every kind of edge, at full speed; a parcel never reaches over one."""

from __future__ import annotations

import pytest

from runtime import Session
from tests.promises.test_05_signals import EDGES, one, run_to_the_end, two
from tests.signals import Kind, check

pytestmark = pytest.mark.on_ray


@pytest.mark.parametrize(
    ("kind", "edge", "capacity"),
    [
        ("each", "hash", 4),
        pytest.param("each", "join", 1024, marks=pytest.mark.long),
        ("least", "broadcast", 1024),
        pytest.param("least", "union", 1, marks=pytest.mark.long),
        pytest.param("aligned", "round robin", 4, marks=pytest.mark.long),
        pytest.param("aligned", "connect", 4, marks=pytest.mark.long),
        ("aligned", "skip, several results", 4),
    ],
)
def test_signals_keep_their_places_between_processes(kind: Kind, edge: str, capacity: int) -> None:
    build = EDGES[edge]
    with Session(platform="remote", capacity=capacity) as session:
        sources = ("a", "b") if build.__code__.co_argcount == 2 else ("a",)
        made = build(*two(session, kind)) if len(sources) == 2 else build(one(session, kind))
        for lane in run_to_the_end(session, made).values():
            check(kind, sources, lane, paired=edge == "join")
