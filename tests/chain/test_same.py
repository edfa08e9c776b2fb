"""What a made loop works is what `process` works: the same plans with chains, opened at random points, and without."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random
from typing import Any, NamedTuple

import pytest

import runtime
from runtime import Session
from tests.chain.forced import forced
from tests.effort import seeds

PATIENCE_S = 20.0
NUMBERS = 400

KINDS = ("map", "filter", "flat_map", "keyed map", "fold", "keyed fold", "skipping map", "skipping filter")

Plan = list[tuple[str, int]]
"""Kinds of operators, each with the number of the packet, of those that come to it, on which it fails; -1: none."""


def plan_of(rng: Random) -> Plan:
    kinds = rng.choices(KINDS, k=rng.randint(1, 6))
    failing = rng.randrange(-1, len(kinds)) if rng.random() < 0.6 else -1
    return [(kind, rng.randrange(NUMBERS) if at == failing else -1) for at, kind in enumerate(kinds)]


def function_of(kind: str, fails_on: int, errors: Random) -> Callable[..., Any]:
    come = 0
    error = errors.choice((ValueError, StopIteration, KeyError, TypeError))

    def look(number: int) -> None:
        nonlocal come
        come += 1
        if come - 1 == fails_on:
            raise error("planned")

    def mapped(number: int) -> int:
        look(number)
        return number + 1

    def passes(number: int) -> bool:
        look(number)
        return number % 3 != 0

    def several(number: int) -> Iterator[int]:
        look(number)
        for each in range(number % 3):
            yield number + each

    def folded(total: int, number: int) -> int:
        look(number)
        return (total + number) % 1_000

    made: dict[str, Callable[..., Any]] = {"map": mapped, "filter": passes, "flat_map": several, "fold": folded}
    return made[kind]


class Seen(runtime.Function[int, int]):
    """Adds how many of its key have come, by its state."""

    def __init__(self, function: Callable[[int], int]) -> None:
        self.function = function

    def process(self, value: int, /) -> int:
        state = self.ctx.state
        state[0] = state.get(0, 0) + 1
        return self.function(value) + int(state[0]) + int(self.ctx.key)


def add(stream: Any, kind: str, function: Callable[..., Any], name: str) -> Any:
    """What `kind` makes of a stream, with numbers again."""
    keyed = stream.key_by(lambda number: number % 3) if "keyed" in kind else stream
    shared = stream.key_by(lambda number: number % 10)
    match kind:
        case "shared map":
            return shared.map(Seen(function), name=name, parallelism=3)
        case "shared fold":
            return shared.reduce(function, initial=0, name=name, parallelism=4).map(sum, name=f"{name}-sum")
        case "keyed map":
            return keyed.map(Seen(function), name=name)
        case "fold":
            return keyed.round_robin().reduce(function, name=name)
        case "keyed fold":
            return keyed.reduce(function, initial=0, name=name).map(sum, name=f"{name}-sum")
    return getattr(keyed, kind.rpartition(" ")[2])(function, name=name, on_error="skip" if "skipping" in kind else None)


def outcome_of(plan: Plan, seed: int, *, chaining: bool) -> tuple[Any, ...]:
    errors = Random(seed)
    kept = errors.random() < 0.3  # a generator, which keeps its thread
    with Session(capacity=errors.choice((1, 4, 64)), chaining=chaining) as session:
        numbers: Any = (lambda: (each for each in range(NUMBERS))) if kept else range(NUMBERS)
        stream = session.source(numbers, name="numbers")
        for at, (kind, fails_on) in enumerate(plan):
            stream = add(
                stream, kind, function_of(kind.rpartition(" ")[2], fails_on, errors), f"{kind.replace(' ', '-')}-{at}"
            )
        got = stream.collect(name="got")
        try:
            session.run(PATIENCE_S)
        except runtime.TaskFailed as failed:
            cause = failed.__cause__
            worked = session.snapshot()[failed.task].processed
            return failed.task, failed.packet, type(cause).__name__, str(cause), worked
        facts = session.snapshot()
        letters = [(letter.task, letter.packet, letter.key, repr(letter.error)) for letter in session.dead_letters]
        return list(got), [(task.name, task.processed, task.emitted, task.skipped) for task in facts], letters


@pytest.mark.parametrize("seed", seeds(20, of=60))
def test_a_chain_does_what_its_tasks_do_by_themselves(seed: int) -> None:
    plan = plan_of(Random(seed))
    alone = outcome_of(plan, seed, chaining=False)
    assert outcome_of(plan, seed, chaining=True) == alone
    with forced(seed):
        assert outcome_of(plan, seed, chaining=True) == alone


TREES = ("map", "filter", "flat_map", "keyed map", "fold", "keyed fold", "skipping map", "skipping filter", "union")
BY_KEY = ("shared map", "shared fold")  # by several instances, to each of which some keys belong
ANY_ORDER = ("map", "filter", "flat_map", "union")  # which make the same of packets in whatever order they come


class Node(NamedTuple):
    """One operator of a tree: of which streams it takes packets, and what it is."""

    of: tuple[int, ...]
    kind: str
    fails_on: int


def tree_of(rng: Random) -> list[Node]:
    """Stream 0 is the source's; each node adds one. Below a union packets come in any order."""
    nodes: list[Node] = []
    mixed = [False]
    for _ in range(rng.randint(2, 9)):
        of: tuple[int, ...] = (rng.randrange(max(0, len(mixed) - 4), len(mixed)),)
        kind = rng.choice(ANY_ORDER if mixed[of[0]] else TREES + BY_KEY)
        if kind == "union":
            of = tuple(rng.sample(range(len(mixed)), rng.randint(1, min(3, len(mixed)))))
        nodes.append(Node(of, kind, -1))
        mixed.append(kind in ("union", *BY_KEY) or mixed[of[0]])
    pure = [
        at
        for at, node in enumerate(nodes)
        if node.kind not in ("union", *BY_KEY) and not any(mixed[each] for each in node.of)
    ]
    if pure and rng.random() < 0.5:
        at = rng.choice(pure)
        nodes[at] = nodes[at]._replace(fails_on=rng.randrange(NUMBERS))
    return nodes


def outcome_of_tree(nodes: list[Node], seed: int, *, chaining: bool) -> tuple[Any, ...]:
    errors = Random(seed)
    kept = errors.random() < 0.3
    with Session(capacity=errors.choice((1, 4, 64)), chaining=chaining) as session:
        numbers: Any = (lambda: (each for each in range(NUMBERS))) if kept else range(NUMBERS)
        streams: list[Any] = [session.source(numbers, name="numbers")]
        used: set[int] = set()
        for at, (of, kind, fails_on) in enumerate(nodes):
            used |= set(of)
            first, *others = (streams[each] for each in of)
            if kind == "union":
                streams.append(first.union(*others).map(lambda number: number, name=f"union-{at}"))
            else:
                function = function_of(kind.rpartition(" ")[2], fails_on, errors)
                streams.append(add(first, kind, function, f"{kind.replace(' ', '-')}-{at}"))
        got = [
            stream.collect(name=f"got-{at}")
            for at, stream in enumerate(streams)
            if at not in used or errors.random() < 0.3
        ]
        try:
            session.run(PATIENCE_S)
        except runtime.TaskFailed as failed:
            cause = failed.__cause__
            worked = session.snapshot()[failed.task].processed
            return failed.task, failed.packet, type(cause).__name__, str(cause), worked
        facts = session.snapshot()
        letters = [(letter.task, letter.packet, letter.key, repr(letter.error)) for letter in session.dead_letters]
        counts = [(task.name, task.processed, task.emitted, task.skipped) for task in facts]
        return [sorted(each) for each in got], counts, sorted(letters)


@pytest.mark.parametrize("seed", seeds(20, of=60))
def test_a_tree_in_a_chain_does_what_its_tasks_do_by_themselves(seed: int) -> None:
    nodes = tree_of(Random(seed))
    alone = outcome_of_tree(nodes, seed, chaining=False)
    assert outcome_of_tree(nodes, seed, chaining=True) == alone
    with forced(seed):
        assert outcome_of_tree(nodes, seed, chaining=True) == alone
