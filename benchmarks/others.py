"""The line of `throughput` in other libraries, beside ours: `python -m benchmarks.others`.

They are not among what the tests install (`pip install bytewax streamz ray`), so what is missing is left out. A packet
is a number; each library is used as its own documentation begins, within one process, Ray with an actor for each step
and a call for each packet, none of which is waited for before the last.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Callable
from functools import partial
from importlib import import_module, metadata
from importlib.util import find_spec
from typing import Any, Final

from benchmarks import peers
from benchmarks.flow import BOUNDED, CAPACITY, LARGER, NS, PLAIN, RUNTIME, RUNTIME_LARGER, bounded, case, line
from benchmarks.harness import Case, Figure, measure
from benchmarks.steps import Count, add_one, double, is_even

PACKETS: Final = 200_000
FEWER: Final = 50_000  # for what takes ten times as long
FEW: Final = 2_000  # for what takes a thousand times as long
BATCH: Final = 256
ROUNDS: Final = 7


def bytewax_line(batch: int, packets: int) -> int:
    """The line in bytewax, on one worker."""
    dataflow, operators = import_module("bytewax.dataflow"), import_module("bytewax.operators")
    testing = import_module("bytewax.testing")
    found: list[int] = []
    flow = dataflow.Dataflow("line")
    numbers = operators.input("numbers", flow, testing.TestingSource(range(packets), batch))
    even = operators.filter("even", operators.map("add", numbers, add_one), is_even)
    operators.output("count", operators.map("double", even, double), testing.TestingSink(found))
    testing.run_main(flow)
    return len(found)


def streamz_line(packets: int) -> int:
    """The line in streamz, called synchronously."""
    count = Count()
    source = import_module("streamz").Stream()
    source.map(add_one).filter(is_even).map(double).sink(count.count)
    for number in range(packets):
        source.emit(number)
    return count.value


def ray_line(packets: int) -> int:
    """The line as four Ray actors, which call each other for each packet. Ray runs already."""
    ray: Any = import_module("ray")

    class Step:
        def __init__(self, function: Callable[[int], int], keeps: Callable[[int], bool], following: Any) -> None:
            self.function, self.keeps, self.following, self.count = function, keeps, following, 0

        def process(self, value: int) -> None:
            self.count += 1
            if self.following is not None and self.keeps(value):
                self.following.process.remote(self.function(value))

        def end(self) -> int:
            """What the last one has counted: calls between two actors keep their order, so this one comes last."""
            return self.count if self.following is None else ray.get(self.following.end.remote())

    actor = ray.remote(Step)
    following = None
    for function, keeps in ((abs, _always), (double, _always), (abs, is_even), (add_one, _always)):
        following = actor.options(num_cpus=0).remote(function, keeps, following)
    assert following is not None
    for number in range(packets):
        following.process.remote(number)
    return int(ray.get(following.end.remote()))


def _always(_: int) -> bool:
    return True


def cases() -> list[Case]:
    """What can be measured here, ours and a plain loop among them."""
    found = [
        case(PLAIN, PACKETS, partial(peers.line_loop, PACKETS), PACKETS // 2),
        case(RUNTIME, PACKETS, partial(line, CAPACITY, PACKETS), PACKETS // 2),
        case(RUNTIME_LARGER, PACKETS, partial(line, LARGER, PACKETS), PACKETS // 2),
        case(BOUNDED, FEWER, partial(peers.line_threads, bounded, FEWER), FEWER // 2),
    ]
    if has("bytewax"):
        for batch, packets in ((BATCH, PACKETS), (1, FEWER)):
            name = f"bytewax {metadata.version('bytewax')}, batches of {batch}"
            found.append(case(name, packets, partial(bytewax_line, batch, packets), packets // 2))
    if has("streamz"):
        name = f"streamz {metadata.version('streamz')}, emit"
        found.append(case(name, FEWER, partial(streamz_line, FEWER), FEWER // 2))
    if has("ray"):
        import_module("ray").init("local", num_cpus=2, include_dashboard=False, logging_level="ERROR")
        found.append(case(f"ray {metadata.version('ray')}, a call per packet", FEW, partial(ray_line, FEW), FEW // 2))
    return found


def has(package: str) -> bool:
    """Whether it is installed; else say how it would be."""
    if find_spec(package) is None:
        print(f"without {package}, which is not installed: pip install {package}", file=sys.stderr)
        return False
    return True


def main() -> None:
    """Measure in turn, and print medians with their range."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.others", description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"default {ROUNDS}")
    rounds: int = parser.parse_args().rounds
    figure = Figure("others", "source → +1 → keep even → ×2 → count", tuple(cases()), lambda _: [])
    samples = measure([figure], rounds)["others"]
    for each in figure.cases:
        values = samples.of(each.name, NS)
        print(f"{statistics.median(values):12,.0f} {NS}  ({min(values):,.0f} to {max(values):,.0f})  {each.name}")


if __name__ == "__main__":
    main()
