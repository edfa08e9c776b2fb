"""Whether a change costs speed: this tree beside another one, run by run. `python -m benchmarks.paired ../other`.

A run is a fresh process that measures all workloads of one tree; the two trees take turns, and who begins changes each
time. Printed is by how much this tree takes longer than the other, run by run: the median, and between which two of the
sorted ratios it lies with 95 % (the interval that the binomial distribution gives; nothing is assumed of the noise).
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Final

import runtime
from benchmarks import flow
from benchmarks.harness import FULL
from benchmarks.steps import words

CONFIDENCE: Final = 0.95
_CODE: Final = """
import json, sys
tree, here, only = sys.argv[1:]
sys.path.insert(0, tree)
import runtime
assert runtime.__file__.startswith(tree), runtime.__file__
sys.path[0] = here
from benchmarks.paired import measure
print(json.dumps(measure(only)))
"""


def _best(work: Callable[[], object], times: int = 3) -> float:
    took = []
    for _ in range(times):
        began = perf_counter()
        work()
        took.append(perf_counter() - began)
    return min(took)


class _Echo:
    def process(self, value: int) -> int:
        return value


class _Asks(runtime.Function[int, int]):
    def process(self, value: int, /) -> int:
        answer: int = self.ctx.call_service("echo", value)
        return answer


def calls(number: int) -> None:
    """A task that calls a service for each packet."""
    with runtime.Session() as session:
        session.service("echo", _Echo)
        session.source(range(number)).map(_Asks()).sink(lambda _: None)
        session.run()


def sends(number: int) -> None:
    """What is sent from outside into an input, one by one."""
    with runtime.Session() as session:
        session.input("in").sink(lambda _: None)
        session.start()
        for value in range(number):
            session.send("in", value)
        session.end("in")
        session.wait()


def measure(only: str) -> dict[str, float]:
    """Seconds of each workload with `only` in its name, with the runtime that is imported: the best of three."""
    packets = FULL.packets
    each = packets // 2 // flow.WORDS
    text = words(each * flow.WORDS, flow.WORDS)
    workloads: dict[str, Callable[[], object]] = {
        "line, capacity 1,024": partial(flow.line, flow.CAPACITY, packets),
        "line, capacity 4,096": partial(flow.line, flow.LARGER, packets),
        "keyed to 4": partial(flow.keyed_session, text, each),
        "broadcast to 4": partial(flow.to_instances, packets // 4),
        "calls, one by one": partial(calls, 4 * FULL.calls),
        "send, one by one": partial(sends, packets // 8),
    }
    return {name: _best(work) for name, work in workloads.items() if only in name}


def interval(ratios: list[float]) -> tuple[float, float]:
    """Between which two of the sorted ratios the true median lies with 95 %."""
    ordered, number = sorted(ratios), len(ratios)
    outside, rank = 0.0, 0
    while rank < number // 2 and outside + math.comb(number, rank) / 2**number <= (1 - CONFIDENCE) / 2:
        outside += math.comb(number, rank) / 2**number
        rank += 1
    return ordered[max(0, rank - 1)], ordered[number - max(1, rank)]


def run(tree: Path, only: str) -> dict[str, float]:
    """One run of `tree`, by the workloads of this one."""
    here = Path(__file__).resolve().parents[1]
    command = [sys.executable, "-P", "-c", _CODE, str(tree.resolve()), str(here), only]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    made: dict[str, float] = json.loads(done.stdout)
    return made


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.paired", description=__doc__)
    parser.add_argument("other", type=Path, help="a working tree to compare with")
    parser.add_argument("--runs", type=int, default=30)
    parser.add_argument("--only", default="", help="part of the name of a workload")
    options = parser.parse_args()
    trees = (Path(__file__).resolve().parents[1], options.other)
    ratios: dict[str, list[float]] = {}
    for number in range(options.runs):
        order = trees if number % 2 else trees[::-1]
        made = {tree: run(tree, options.only) for tree in order}
        for name, took_s in made[trees[0]].items():
            ratios.setdefault(name, []).append(took_s / made[trees[1]][name])
    for name, values in ratios.items():
        low, high = interval(values)
        print(f"{name:24} {statistics.median(values):.3f} × ({low:.3f}–{high:.3f}), {len(values)} pairs")


if __name__ == "__main__":
    main()
