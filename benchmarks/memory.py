"""The figure of a slow sink: memory and depth stay bounded. Measured in a process of its own, this module.

A process that has run other figures has free memory left over, in which a growing queue would not be seen. In a fresh
one, a warm-up run of a few packets brings everything there that a job needs, and what the long run takes beyond that is
its growth. It is looked at in two ways, since neither is the whole truth:

* *resident*: the pages of the process, sampled while it runs. Sees everything, also what is not Python's; but not what
  fits into pages that are there already, and to a granularity of about 0.3 MB.
* *traced*: the peak of what Python has allocated since the warm-up (tracemalloc). Exact, but sees Python's memory only.

A third run with room for all packets shows what both would see of a queue that grows.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import resource
import statistics
import subprocess
import sys
import time
import tracemalloc
from functools import partial
from pathlib import Path
from typing import Final

import runtime
from benchmarks.flow import CAPACITY
from benchmarks.harness import Case, Figure, Row, Sample, Scale, Target, check

MB: Final = "MB"
DEPTH: Final = "packets, deepest queue"
LOOKS: Final = "samples"
WARM_UP: Final = 20_000
EVERY: Final = 200  # packets between two sleeps
PAUSE_S: Final = 0.001
LOOK_EVERY_S: Final = 0.005
_STATM: Final = Path("/proc/self/statm")


class SlowSink:
    """Sleeps 1 ms for every 200 packets: far slower than the source, and 1M packets take about six seconds."""

    def __init__(self) -> None:
        self.value = 0

    def take(self, _value: int) -> None:
        """A sink."""
        self.value += 1
        if self.value % EVERY == 0:
            time.sleep(PAUSE_S)


def resident_mb() -> float:
    """Memory of this process: what is resident now, or where that cannot be asked, the most that ever was."""
    if _STATM.exists():
        return int(_STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6  # bytes on macOS


def watch(packets: int, capacity: int, *, drain: bool = True) -> Sample:
    """Run and look all the time; without `drain` only until the source has ended, when the queue is longest."""
    sink = SlowSink()
    most_mb = before_mb = resident_mb()
    depths = []
    with runtime.Session(capacity=capacity) as session:
        session.source(range(packets), name="source").sink(sink.take, name="sink")
        session.start()
        while session.outcome is None:
            facts = session.snapshot()
            most_mb = max(most_mb, resident_mb())
            depths.append(max(max(each.depth, *each.lane_depths) for each in facts if each.lane_depths))
            if facts["source"].ending is not None and not drain:
                session.cancel()
                break
            time.sleep(LOOK_EVERY_S)
        session.wait()
    if drain:
        check("packets", sink.value, packets)
    return {
        f"{MB}, resident": most_mb - before_mb,
        DEPTH: max(depths),
        "packets, queue in the middle": statistics.median(depths),
        LOOKS: len(depths),
    }


def main() -> None:
    """Warm up, measure as told, print the sample as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("packets", type=int)
    parser.add_argument("--capacity", type=int, default=CAPACITY)
    parser.add_argument("--traced", action="store_true")
    chosen = parser.parse_args()
    watch(WARM_UP, CAPACITY)
    gc.collect()
    drain = chosen.capacity == CAPACITY
    if chosen.traced:
        tracemalloc.start()
        sample = watch(chosen.packets, chosen.capacity, drain=drain)
        found = {f"{MB}, traced": tracemalloc.get_traced_memory()[1] / 1e6, DEPTH: sample[DEPTH], LOOKS: sample[LOOKS]}
    else:
        found = dict(watch(chosen.packets, chosen.capacity, drain=drain))
    print(json.dumps(found))


def in_own_process(*arguments: object) -> Sample:
    """Run `main` in a fresh interpreter and return its sample."""
    command = [sys.executable, "-m", "benchmarks.memory", *map(str, arguments)]
    root = Path(__file__).parents[1]
    ran = subprocess.run(command, cwd=root, stdout=subprocess.PIPE, text=True, check=True, timeout=100)
    found: dict[str, float] = json.loads(ran.stdout)
    return found


RESIDENT: Final = f"runtime, capacity {CAPACITY}, resident"
TRACED: Final = f"runtime, capacity {CAPACITY}, traced"
UNBOUNDED_RESIDENT: Final = "runtime, room for all packets, resident"
UNBOUNDED_TRACED: Final = "runtime, room for all packets, traced"


def memory(scale: Scale) -> Figure:
    """A slow consumer holds its producer back, whatever comes."""
    packets = scale.slow_packets
    return Figure(
        "memory",
        f"source → slow sink, {packets:,} packets, in a process of its own: growth beyond a warm-up run of {WARM_UP:,}",
        (
            Case(RESIDENT, partial(in_own_process, packets), rounds=3),
            Case(TRACED, partial(in_own_process, packets, "--traced"), rounds=1),
            Case(UNBOUNDED_RESIDENT, partial(in_own_process, packets, "--capacity", packets), rounds=1),
            Case(UNBOUNDED_TRACED, partial(in_own_process, packets, "--capacity", packets, "--traced"), rounds=1),
        ),
        lambda samples: [
            Row(f"{RESIDENT}: growth", MB, samples.of(RESIDENT, f"{MB}, resident"), Target("below", 2)),
            Row(f"{TRACED}: growth", MB, samples.of(TRACED, f"{MB}, traced"), Target("below", 2)),
            Row(
                f"{RESIDENT}: deepest queue",
                "packets",
                _worst(samples.of(RESIDENT, DEPTH)),
                Target("at most", CAPACITY),
            ),
            Row(f"{UNBOUNDED_RESIDENT}: growth", MB, samples.of(UNBOUNDED_RESIDENT, f"{MB}, resident")),
            Row(f"{UNBOUNDED_TRACED}: growth", MB, samples.of(UNBOUNDED_TRACED, f"{MB}, traced")),
        ],
    )


def _worst(values: list[float]) -> list[float]:
    """A bound holds at every sample or not at all: the median would be too kind."""
    return [max(values)]


if __name__ == "__main__":
    main()
