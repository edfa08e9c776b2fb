"""Measure the figures of the runtime and print them: `python -m benchmarks --only hop throughput --rounds 5`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from benchmarks.asking import asks
from benchmarks.asynchronous import at_once, awaits, served
from benchmarks.batches import batches
from benchmarks.calls import call, flight, intercept
from benchmarks.flow import broadcast, hop, keyed, throughput
from benchmarks.frames import frame, sender
from benchmarks.going_back import going_back
from benchmarks.hand import hand
from benchmarks.harness import FULL, QUICK, FigureOf, measure
from benchmarks.joins import join
from benchmarks.machine import Neighbours
from benchmarks.memory import memory
from benchmarks.mending import mending
from benchmarks.notebook import click, display
from benchmarks.origins import origins
from benchmarks.paint import paint
from benchmarks.pipelines import pipelines
from benchmarks.report import as_json, rows_of, table, write_json
from benchmarks.sending import answer, send
from benchmarks.size import many, sampler, snapshot
from benchmarks.starting import start
from benchmarks.turns import turns
from benchmarks.waiting import end, prompt, sleep

FIGURES: Final[dict[str, FigureOf]] = {
    "throughput": throughput,
    "keyed": keyed,
    "broadcast": broadcast,
    "hop": hop,
    "pipelines": pipelines,
    "prompt": prompt,
    "sleep": sleep,
    "memory": memory,
    "end": end,
    "start": start,
    "many": many,
    "snapshot": snapshot,
    "sampler": sampler,
    "call": call,
    "flight": flight,
    "intercept": intercept,
    "send": send,
    "answer": answer,
    "hand": hand,
    "back": going_back,
    "origins": origins,
    "turns": turns,
    "join": join,
    "batches": batches,
    "awaits": awaits,
    "at once": at_once,
    "served": served,
    "asks": asks,
    "mending": mending,
    "frame": frame,
    "sender": sender,
    "paint": paint,
    "click": click,
    "display": display,
}
GROUPS: Final[dict[str, tuple[str, ...]]] = {"view": ("frame", "sender", "paint", "click", "display")}
ROUNDS: Final = 7
JSON_PATH: Final = Path("build/benchmarks.json")  # git-ignored


def arguments(given: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    names = [*FIGURES, *GROUPS]
    parser.add_argument("--only", nargs="+", choices=names, metavar="FIGURE", help=f"of {', '.join(names)}")
    parser.add_argument("--rounds", type=int, help=f"how often each case is measured (default {ROUNDS})")
    parser.add_argument("--json", type=Path, default=JSON_PATH, metavar="PATH", help=f"default {JSON_PATH}")
    parser.add_argument("--quick", action="store_true", help="see that everything runs; the figures mean nothing")
    parser.add_argument("--strict", action="store_true", help="exit with 1 if a figure is below its target")
    chosen = parser.parse_args(given)
    if chosen.only is not None:
        chosen.only = {name for each in chosen.only for name in GROUPS.get(each, (each,))}
    if chosen.rounds is None:
        chosen.rounds = 1 if chosen.quick else ROUNDS
    if chosen.rounds < 1:
        parser.error(f"--rounds must be at least 1, not {chosen.rounds}")
    return chosen


def main(given: Sequence[str] | None = None) -> int:
    """Measure, write the JSON, print the table. 1 only with `--strict`, if a target is missed."""
    chosen = arguments(given)
    scale = QUICK if chosen.quick else FULL
    figures = [figure_of(scale) for name, figure_of in FIGURES.items() if chosen.only is None or name in chosen.only]
    neighbours = Neighbours()
    found = measure(figures, chosen.rounds)
    result = as_json(figures, found, quick=chosen.quick, rounds=chosen.rounds, machine=neighbours.facts())
    write_json(chosen.json, result)
    print(table(result))
    print(f"every value: {chosen.json}")
    return 1 if chosen.strict and any(row["met"] is False for _, row in rows_of(result)) else 0


if __name__ == "__main__":
    sys.exit(main())
