"""Figures of a person at a running job: how soon what is sent has arrived, how soon a command is answered."""

from __future__ import annotations

import itertools
import queue
import statistics
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from time import perf_counter
from typing import Final

import runtime
from benchmarks.flow import CAPACITY
from benchmarks.harness import Case, Figure, Row, Sample, Samples, Scale, Target, check
from benchmarks.steps import Count, add_one, double, is_even

US: Final = "µs"
P50, P95 = "p50", "p95"
REST_S: Final = 0.002  # after which all tasks sleep
BURST, PUT = "send, one after the other", "queue.Queue.put, one after the other"
ALONE, PUT_ALONE = "send into a job that sleeps", "queue.Queue.put for a thread that sleeps"
LINE: Final = 5


def percentiles(what: str, took_s: list[float]) -> dict[str, float]:
    """Two of them, in microseconds."""
    ordered = sorted(took_s)
    late_s = ordered[len(ordered) * 95 // 100]
    return {f"{what}, {P50}": 1e6 * statistics.median(ordered), f"{what}, {P95}": 1e6 * late_s}


# ── sending ──


def sends(number: int) -> Sample:
    """What is sent from outside, one by one, as quickly as it goes."""
    count = Count()
    with runtime.Session(capacity=CAPACITY) as session:
        session.input("in").sink(count.count)
        session.start()
        began_s = perf_counter()
        for value in range(number):
            session.send("in", value)
        took_s = perf_counter() - began_s
        session.end("in")
        session.wait()
    check("packets", count.value, number)
    return {US: 1e6 * took_s / number}


def puts(number: int) -> Sample:
    """The same into a queue that a thread reads."""
    count, packets = Count(), queue.Queue[int | None](CAPACITY)

    def read() -> None:
        while (value := packets.get()) is not None:
            count.count(value)

    thread = threading.Thread(target=read)
    thread.start()
    began_s = perf_counter()
    for value in range(number):
        packets.put(value)
    took_s = perf_counter() - began_s
    packets.put(None)
    thread.join()
    check("packets", count.value, number)
    return {US: 1e6 * took_s / number}


class Arrival:
    """The sink at the end of a line: when something came, and that it did."""

    def __init__(self) -> None:
        self.at_s = 0.0
        self.came = threading.Event()

    def come(self, _value: object) -> None:
        """Look at the clock."""
        self.at_s = perf_counter()
        self.came.set()


def one_by_one(send: Callable[[int], object], arrival: Arrival, times: int) -> Sample:
    """Send a packet when all tasks sleep, again and again: how long that took, and until the sink had it."""
    sent_s, arrived_s = [], []
    for value in range(times):
        time.sleep(REST_S)
        arrival.came.clear()
        began_s = perf_counter()
        send(2 * value + 1)
        sent_s.append(perf_counter() - began_s)
        arrival.came.wait()
        arrived_s.append(arrival.at_s - began_s)
    return percentiles("sent", sent_s) | percentiles("arrived", arrived_s)


def through_session(times: int) -> Sample:
    """A line of five that is idle."""
    arrival = Arrival()
    with runtime.Session(capacity=CAPACITY) as session:
        session.input("in").map(add_one).filter(is_even).map(double).sink(arrival.come)
        session.start()
        sample = one_by_one(partial(session.send, "in"), arrival, times)
        session.end("in")
        session.wait()
    return sample


def through_threads(times: int) -> Sample:
    """Five threads that wait for each other's queues."""
    arrival = Arrival()
    queues = [queue.Queue[int | None](CAPACITY) for _ in range(LINE)]

    def work(step: Callable[[int], object], source: queue.Queue[int | None], target: queue.Queue[int | None]) -> None:
        while (value := source.get()) is not None:
            step(value)
            target.put(value)
        target.put(None)

    def end(source: queue.Queue[int | None]) -> None:
        while (value := source.get()) is not None:
            arrival.come(value)

    pairs = zip((add_one, add_one, is_even, double), itertools.pairwise(queues), strict=True)
    threads = [threading.Thread(target=work, args=(step, *ends)) for step, ends in pairs]
    threads.append(threading.Thread(target=end, args=(queues[-1],)))
    for thread in threads:
        thread.start()
    sample = one_by_one(queues[0].put, arrival, times)
    queues[0].put(None)
    for thread in threads:
        thread.join()
    return sample


def send(scale: Scale) -> Figure:
    """What comes from outside costs about what a queue does, and is through before a person could see it."""
    ours, theirs = f"runtime, a line of {LINE} that sleeps", f"queue.Queue, {LINE} threads that sleep"

    def conclude(samples: Samples) -> list[Row]:
        def of(name: str, what: str) -> list[float]:
            return samples.of(name, f"{what}, {P50}")

        return [
            Row(BURST, US, samples.of(BURST, US), Target("at most", 10)),
            Row(PUT, US, samples.of(PUT, US)),
            Row(f"{ALONE}: p50", US, of(ours, "sent"), Target("at most", 10)),
            Row(f"{PUT_ALONE}: p50", US, of(theirs, "sent")),
            Row(f"{ours}: until its sink has it, p50", US, of(ours, "arrived"), Target("at most", 75)),
            Row(f"{theirs}: until the last one has it, p50", US, of(theirs, "arrived")),
        ]

    return Figure(
        "send",
        "session.send from the main thread, beside put into a queue",
        (
            Case(BURST, partial(sends, scale.calls)),
            Case(PUT, partial(puts, scale.calls)),
            Case(ours, partial(through_session, scale.sends)),
            Case(theirs, partial(through_threads, scale.sends)),
        ),
        conclude,
    )


# ── commands, while all is at full speed ──


def paused_and_stepped(session: runtime.Session) -> None:
    """Hold everything, give one task a turn, let go: what a person waits for who steps through a busy job."""
    session.pause()
    session.step("map")
    session.resume()


COMMANDS: Final[dict[str, Callable[[runtime.Session], object]]] = {
    "snapshot": runtime.Session.snapshot,
    "peek": lambda session: session.peek("map"),
    "inject": lambda session: session.inject("map", 1, timeout=5),
    "pause, step, resume": paused_and_stepped,
}


def commands(times: int) -> Sample:
    """Give each command again and again to a line at full speed."""
    count = Count()
    took_s: dict[str, list[float]] = {name: [] for name in COMMANDS}
    with runtime.Session(capacity=CAPACITY) as session:
        session.source(itertools.count).map(add_one, name="map").filter(is_even).map(double).sink(count.count)
        session.start()
        for _ in range(times):
            for name, command in COMMANDS.items():
                time.sleep(REST_S)
                began_s = perf_counter()
                command(session)
                took_s[name].append(perf_counter() - began_s)
        session.cancel()
        with suppress(runtime.TaskFailed):
            session.wait()
    check("packets came", count.value > 0, True)
    found: dict[str, float] = {}
    for name, each in took_s.items():
        found |= percentiles(name, each)
    return found


def answer(scale: Scale) -> Figure:
    """A person is answered by a job at full speed: after a change of threads or two, each of 5 ms at the most."""
    name = "a line of five at full speed"

    def conclude(samples: Samples) -> list[Row]:
        return [
            Row(f"{command}: {which}", US, samples.of(name, f"{command}, {which}"), _limit(command, which))
            for command in COMMANDS
            for which in (P50, P95)
        ]

    return Figure(
        "answer",
        "commands from the main thread, which waits for the GIL as all others do",
        (Case(name, partial(commands, scale.commands)),),
        conclude,
    )


def _limit(command: str, which: str) -> Target | None:
    """What a person takes for at once. The others are there to be compared with another tree's."""
    return Target("at most", 100_000) if which == P95 and command == "pause, step, resume" else None
