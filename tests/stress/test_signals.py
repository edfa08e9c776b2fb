"""Signals under stress: whatever the capacity and the kind of edge, each keeps its place among the packets."""

from __future__ import annotations

from random import Random

from runtime import Session
from tests.promises.test_05_signals import EDGES, MANY, one, same, two
from tests.signals import KINDS, Marked, check, lanes
from tests.stress.rounds import PATIENCE_S, one_round, repeat

SETTLED = [edge for edge in EDGES if not edge.startswith("union of ways")]


def signals_of_a_run(rng: Random) -> None:
    kind, edge = rng.choice(KINDS), rng.choice(SETTLED)
    seed = rng.choice((None, rng.randrange(10**6)))  # of half of the runs
    session = Session("stress", capacity=rng.choice((1, 2, 3, 8, 1024)), seed=seed)
    with one_round(session):
        build = EDGES[edge]
        sources = ("a", "b") if build.__code__.co_argcount == 2 else ("a",)
        made = build(*two(session, kind)) if len(sources) == 2 else build(one(session, kind))
        made.sink(same, name="end", capacity=MANY)
        session.start(paused=True)
        session.resume(*[name for name in session.snapshot().tasks if name != "end"])
        session.settle(PATIENCE_S)
        for lane in lanes(session.peek("end", MANY)).values():
            check(kind, sources, lane, paired=edge == "join")
        session.resume()
        session.wait(PATIENCE_S)


def test_signals_keep_their_places_at_full_speed() -> None:
    repeat(signals_of_a_run, 400)


def chain_of_a_run(rng: Random) -> None:
    """Long enough for batches to grow, in lanes that fill and run empty all the time."""
    kind = rng.choice(KINDS)
    session = Session("stress", capacity=rng.choice((2, 5, 40)))
    with one_round(session):
        marked = range(0, 300, rng.choice((1, 2, 7, 50)))
        source = session.source(Marked("a", kind, 300, marked), name="a")
        source.map(same).map(same).map(same).sink(same, name="end", capacity=MANY)
        session.start(paused=True)
        session.resume(*[name for name in session.snapshot().tasks if name != "end"])
        session.settle(PATIENCE_S)
        for lane in lanes(session.peek("end", MANY)).values():
            check(kind, ("a",), lane, marked=(*marked, 300))
        session.resume()
        session.wait(PATIENCE_S)


def test_signals_keep_their_places_in_long_runs() -> None:
    repeat(chain_of_a_run, 60)
