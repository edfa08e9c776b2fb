"""Lanes under stress: whatever the capacity, the number of producers and the order in which threads start.

Every packet arrives once, in its producer's order, and no queue ever holds more than it may.
"""

from __future__ import annotations

from collections import Counter
from functools import partial
from random import Random
from typing import Any

from runtime import Dispatcher, Environment, Function, JobManager, Session
from tests.stress.rounds import PATIENCE_S, Packet, give_way, in_order, numbers, one_round, repeat, told

KEYS = (0, "", None, (), "key", 1)


def short_run(rng: Random) -> None:
    counts = [rng.randrange(45) for _ in range(rng.randint(1, 4))]
    capacity = rng.randint(1, 8)
    share, bound = max(1, capacity // len(counts)), max(capacity, len(counts))
    longest, most = [0], [0]
    got: list[Packet] = []

    def look(packet: Packet) -> Packet:
        # On the reader's own thread: lanes only grow while it looks, so the sum is not more than there was at its end.
        facts = dispatcher.tasks["middle"].facts()
        longest[0] = max(longest[0], *facts.lane_depths)
        most[0] = max(most[0], facts.depth)
        return packet

    environment = Environment("stress", capacity=capacity)
    manager = JobManager(environment)
    streams = [environment.source(partial(numbers, i, n, rng.choice((0, 2, 7)))) for i, n in enumerate(counts)]
    streams[0].union(*streams[1:]).map(look, name="middle").sink(got.append)
    graph, backend = manager.submit()
    dispatcher = Dispatcher(graph, backend, manager)
    dispatcher.submit()
    with told(dispatcher.snapshot().tasks.values):
        handles = list(dispatcher.tasks.values())
        for handle in rng.sample(handles, len(handles)):  # session.start() knows one order only
            handle.start()
        try:
            outcome = dispatcher.wait(PATIENCE_S)
        finally:
            dispatcher.cleanup(0.2)
        for producer, count in enumerate(counts):
            assert in_order(got, producer) == list(range(count)), "lost, doubled or out of order"
        assert (outcome.packets_in, outcome.packets_out) == (sum(counts), sum(counts))
        assert longest[0] <= share, f"{longest[0]} in a lane of {share}"
        assert most[0] <= bound, f"{most[0]} in a queue of {bound}"


def test_short_runs_lose_double_reorder_and_overfill_nothing() -> None:
    repeat(short_run)


class Tag(Function[Packet, tuple[str, Packet]]):
    """Says which instance has worked a packet; now and then another thread may run."""

    def __init__(self, pause: int) -> None:
        self.pause = pause

    def process(self, value: Packet, /) -> tuple[str, Packet]:
        if value[1] % self.pause == 0:
            give_way()
        return self.ctx.name, value


def parallel_run(rng: Random) -> None:
    counts = [rng.randrange(40) for _ in range(rng.randint(1, 3))]
    instances, strategy = rng.randint(1, 3), rng.choice(("round_robin", "hash", "broadcast"))
    got: list[tuple[str, Packet]] = []
    pause = rng.choice((1, 5, 9))
    session = Session(capacity=rng.randint(1, 8))
    streams = [session.source(partial(numbers, i, n)) for i, n in enumerate(counts)]
    united: Any = streams[0].union(*streams[1:])
    if strategy == "hash":
        united = united.key_by(lambda packet: KEYS[packet[1] % len(KEYS)])
    elif strategy == "broadcast":
        united = united.broadcast()
    united.map(Tag(pause), name="tag", parallelism=instances).sink(got.append)
    with one_round(session):
        session.run(PATIENCE_S)
        copies = instances if strategy == "broadcast" else 1
        seen = Counter(packet for _, packet in got)
        made = {(producer, number) for producer, count in enumerate(counts) for number in range(count)}
        assert seen == dict.fromkeys(made, copies), "lost or doubled"
        for instance in {instance for instance, _ in got}:
            mine = [packet for each, packet in got if each == instance]
            assert all(in_order(mine, i) == sorted(in_order(mine, i)) for i in range(len(counts))), "out of order"
        if strategy == "hash":
            owners = {(KEYS[number % len(KEYS)], instance) for instance, (_, number) in got}
            assert len(owners) == len({key for key, _ in owners}), f"a key that is at home twice: {owners}"


def test_every_strategy_is_exact_and_ordered_between_parallel_instances() -> None:
    repeat(parallel_run)
