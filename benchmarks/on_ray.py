"""The figures of the platform `remote`, beside bare Ray: `python -m benchmarks.on_ray`, one cluster, one run.

Everything goes through `Session`. The peers are what one writes first: an actor call per packet, an actor that calls
another, a copy in memory.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import ray

import runtime
from benchmarks.harness import Case, Figure, Row, Sample, Samples, Target, check, measure, ratio
from benchmarks.machine import Neighbours
from benchmarks.report import as_json, rows_of, table, write_json
from runtime.ray.cluster import require_cluster, shut_down

PATIENCE_S: Final = 100.0
JSON_PATH: Final = Path("build/benchmarks-ray.json")  # git-ignored
MEGABYTES: Final = 10


class _Sizes:
    """How much is measured."""

    def __init__(self, quick: bool) -> None:
        self.packets = 20_000 if quick else 300_000
        self.naive_packets = 100 if quick else 500
        self.arrays = 10 if quick else 60
        self.calls = 100 if quick else 1_000


class InOrder(runtime.Function[int, int]):
    """A sink that checks that every packet comes once and in order."""

    def open(self, ctx: Any) -> None:
        self.next = 2

    def process(self, value: int, /) -> int:
        if value != self.next:
            raise AssertionError(f"{value} came where {self.next} was due")
        self.next += 2
        return value


class OneByOne(runtime.SourceFunction[int]):
    """0, 1, 2 …, each offered by itself."""

    def __init__(self, packets: int) -> None:
        self.packets = packets

    def run(self) -> Iterator[int]:
        yield from range(self.packets)


class Arrays(runtime.SourceFunction[Any]):
    """Arrays of 10 MB."""

    def __init__(self, count: int) -> None:
        self.count = count

    def run(self) -> Iterator[Any]:
        array = np.ones(MEGABYTES * 1_000_000, dtype=np.uint8)
        for number in range(self.count):
            array[0] = number % 256
            yield array


class Asking(runtime.Function[int, tuple[list[float], float]]):
    """Calls a service so many times one after the other, and then 64 at a time; seconds of each, and calls/s."""

    def process(self, calls: int, /) -> tuple[list[float], float]:
        took = []
        for number in range(calls):
            began = time.perf_counter()
            self.ctx.call_service("echo", number)
            took.append(time.perf_counter() - began)
        began = time.perf_counter()
        rounds = calls * 4 // 64
        flight: list[Any] = []
        for number in range(rounds * 64):
            if len(flight) == 64:
                flight.pop(0).result()
            flight.append(self.ctx.call_service_async("echo", number))
        for future in flight:
            future.result()
        return took, rounds * 64 / (time.perf_counter() - began)


class Echo:
    """A service that returns what it gets."""

    def process(self, value: Any) -> Any:
        return value


class Stamping(runtime.Function[int, float]):
    """When each packet was worked."""

    def process(self, value: int, /) -> float:
        return time.monotonic()


def add_one(value: int) -> int:
    """The first stage."""
    return value + 1


def double(value: int) -> int:
    """The second."""
    return value * 2


def same(value: Any) -> Any:
    """Nothing."""
    return value


class Naive:
    """A stage of bare Ray: one actor call per packet, nothing held back."""

    def __init__(self, function: Any, target: Any = None) -> None:
        self.function, self.target, self.count = function, target, 0

    def receive(self, value: int) -> None:
        result = self.function(value)
        self.count += 1
        if self.target:
            self.target.receive.remote(result)

    def processed(self) -> int:
        return self.count


class Caller:
    """An actor of bare Ray that calls another one."""

    def __init__(self, echo: Any) -> None:
        self.echo = echo

    def call(self, calls: int) -> list[float]:
        took = []
        for number in range(calls):
            began = time.perf_counter()
            ray.get(self.echo.process.remote(number))
            took.append(time.perf_counter() - began)
        return took


_actor: Any = ray.remote(num_cpus=0)


class Peers:
    """The actors of bare Ray, made once."""

    def __init__(self) -> None:
        self.last = _actor(Naive).remote(same)
        self.first = _actor(Naive).remote(add_one, _actor(Naive).remote(double, self.last))
        self.caller = _actor(Caller).remote(_actor(Echo).remote())
        self.naive_rate(20)
        ray.get(self.caller.call.remote(20))

    def naive_rate(self, packets: int) -> float:
        goal = ray.get(self.last.processed.remote()) + packets
        began = time.perf_counter()
        for value in range(packets):
            self.first.receive.remote(value)
        while ray.get(self.last.processed.remote()) < goal:
            pass
        return packets / (time.perf_counter() - began)


def line_rate(source: Any, packets: int, capacity: int) -> float:
    """Packets per second of three stages behind a source, from the opening of the gates to the end of the job."""
    with runtime.Session(platform="remote", capacity=capacity) as session:
        made = session.source(source, name="source")
        made.map(add_one, name="add").map(double, name="double").sink(InOrder(), name="sink")
        session.start(paused=True)
        began = time.perf_counter()
        session.resume()
        outcome = session.wait(PATIENCE_S)
        took_s = time.perf_counter() - began
        check("packets", (outcome.packets_in, outcome.packets_out), (packets, packets))
        return packets / took_s


def throughput(sizes: _Sizes, peers: Peers) -> Figure:
    """Small packets."""

    def conclude(found: Samples) -> list[Row]:
        def rate(case: str) -> list[float]:
            return ratio(found.of(case, "packets/s"), found.of("bare", "packets/s"))

        return [
            Row("a stream, capacity 4,096", "× bare", rate("stream, 4,096"), Target("at least", 200)),
            Row("a stream, capacity 1,024", "× bare", rate("stream, 1,024"), Target("at least", 200)),
            Row(
                "offered one at a time, capacity 4,096", "× bare", rate("one at a time, 4,096"), Target("at least", 100)
            ),
            Row(
                "offered one at a time, capacity 1,024", "× bare", rate("one at a time, 1,024"), Target("at least", 100)
            ),
        ]

    packets = sizes.packets
    return Figure(
        "throughput",
        "three stages of small packets, beside one actor call per packet and stage",
        (
            Case("bare", lambda: {"packets/s": peers.naive_rate(sizes.naive_packets)}),
            Case("stream, 4,096", lambda: {"packets/s": line_rate(range(packets), packets, 4_096)}),
            Case("stream, 1,024", lambda: {"packets/s": line_rate(range(packets), packets, 1_024)}),
            Case("one at a time, 4,096", lambda: {"packets/s": line_rate(OneByOne(packets), packets, 4_096)}),
            Case("one at a time, 1,024", lambda: {"packets/s": line_rate(OneByOne(packets), packets, 1_024)}),
        ),
        conclude,
    )


def arrays(sizes: _Sizes) -> Figure:
    """Large arrays."""

    def copy() -> Sample:
        source = np.ones(MEGABYTES * 1_000_000, dtype=np.uint8)
        kept: deque[Any] = deque(maxlen=8)  # as many as wait in a queue: each copy is into memory of its own
        began = time.perf_counter()
        for _ in range(sizes.arrays):
            kept.append(source.copy())
        return {"MB/s": sizes.arrays * MEGABYTES / (time.perf_counter() - began)}

    def through_two_stages() -> Sample:
        with runtime.Session(platform="remote", capacity=8) as session:
            made = session.source(Arrays(sizes.arrays), name="source")
            made.map(same, name="first").sink(len, name="second")
            session.start(paused=True)
            began = time.perf_counter()
            session.resume()
            outcome = session.wait(PATIENCE_S)
            took_s = time.perf_counter() - began
            check("arrays", outcome.packets_out, sizes.arrays)
            return {"MB/s": sizes.arrays * MEGABYTES / took_s}

    def conclude(found: Samples) -> list[Row]:
        through = ratio(found.of("two stages", "MB/s"), found.of("copy", "MB/s"))
        return [Row("10 MB arrays through two stages", "× a copy", through, Target("at least", 0.5))]

    cases = (Case("copy", copy), Case("two stages", through_two_stages))
    return Figure("arrays", "arrays of 10 MB, beside a copy of them in memory", cases, conclude)


def calls(sizes: _Sizes, peers: Peers) -> Figure:
    """Calls of a service."""

    def bare() -> Sample:
        return {"ms p50": 1e3 * _median(ray.get(peers.caller.call.remote(sizes.calls)))}

    def service() -> Sample:
        with runtime.Session(platform="remote") as session:
            session.service("echo", Echo)
            result = session.source(iter([sizes.calls])).map(Asking(), name="ask").collect()
            session.run(PATIENCE_S)
            took, rate = result[0]
        p50 = _median(took)
        return {"ms p50": 1e3 * p50, "calls/s": len(took) / sum(took), "calls/s, 64 in flight": rate}

    def conclude(found: Samples) -> list[Row]:
        p50 = ratio(found.of("service", "ms p50"), found.of("bare", "ms p50"))
        flight = ratio(found.of("service", "calls/s, 64 in flight"), found.of("service", "calls/s"))
        return [
            Row("a call from a task, p50", "× bare", p50, Target("at most", 1.3)),
            Row("64 in flight", "× one by one", flight, Target("at least", 10)),
        ]

    cases = (Case("bare", bare), Case("service", service))
    return Figure("calls", "a service, beside an actor that calls another", cases, conclude)


def life(sizes: _Sizes) -> Figure:
    """How long it takes to begin and to end."""

    def five() -> Sample:
        began = time.perf_counter()
        with runtime.Session(platform="remote") as session:
            stream = session.source(range(1), name="source")
            for number in range(4):
                stream = stream.map(same, name=f"map{number}")
            result = stream.collect()
            session.run(PATIENCE_S)
            check("packets", list(result), [0])
            return {"s": time.perf_counter() - began}

    def end() -> Sample:
        with runtime.Session(platform="remote") as session:
            stream = session.source(range(20_000), name="source").map(same).map(same).map(Stamping(), name="stamp")
            result = stream.collect()
            session.run(PATIENCE_S)
            ended = time.monotonic()
            check("packets", len(result), 20_000)
            return {"s": ended - result[-1]}

    def conclude(found: Samples) -> list[Row]:
        return [
            Row("start, one packet through 5 tasks, end", "s", found.of("five tasks", "s"), Target("at most", 3.0)),
            Row("last packet to wait() returning", "s", found.of("end", "s"), Target("at most", 0.3)),
        ]

    return Figure("life", "beginning and end, Ray being up", (Case("five tasks", five), Case("end", end)), conclude)


def _median(values: Sequence[float]) -> float:
    return sorted(values)[len(values) // 2]


def main(given: Sequence[str] | None = None) -> int:
    """Measure, write the JSON, print the table. 1 only with `--strict`, if a target is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.on_ray", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", nargs="+", choices=["throughput", "arrays", "calls", "life"])
    parser.add_argument("--quick", action="store_true", help="see that everything runs; the figures mean nothing")
    parser.add_argument("--strict", action="store_true", help="exit with 1 if a figure is below its target")
    chosen = parser.parse_args(given)
    sizes = _Sizes(chosen.quick)
    require_cluster(None, print)
    try:
        peers = Peers()
        figures = [throughput(sizes, peers), arrays(sizes), calls(sizes, peers), life(sizes)]
        figures = [figure for figure in figures if chosen.only is None or figure.name in chosen.only]
        neighbours = Neighbours()
        rounds = 1 if chosen.quick else chosen.rounds
        found = measure(figures, rounds)
        result = as_json(figures, found, quick=chosen.quick, rounds=rounds, machine=neighbours.facts())
    finally:
        shut_down()
    write_json(JSON_PATH, result)
    print(table(result))
    return 1 if chosen.strict and any(row["met"] is False for _, row in rows_of(result)) else 0


if __name__ == "__main__":
    from benchmarks import on_ray  # noqa: PLW0406  by its name: workers import it, and so are its classes the same

    sys.exit(on_ray.main())
