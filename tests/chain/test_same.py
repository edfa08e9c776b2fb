"""What a made loop works is what `process` works: the same plans with chains, opened at random points, and without."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import pytest

import runtime
from runtime import Session
from tests.chain.forced import forced

PATIENCE_S = 20.0
NUMBERS = 400

Plan = list[tuple[str, int]]
"""Kinds of operators, each with the number of the packet, of those that come to it, on which it fails; -1: none."""


def plan_of(rng: Random) -> Plan:
    kinds = rng.choices(("map", "filter", "flat_map"), k=rng.randint(1, 6))
    failing = rng.randrange(-1, len(kinds)) if rng.random() < 0.6 else -1
    return [(kind, rng.randrange(NUMBERS) if at == failing else -1) for at, kind in enumerate(kinds)]


def function_of(kind: str, fails_on: int, errors: Random) -> Callable[[int], Any]:
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

    return {"map": mapped, "filter": passes, "flat_map": several}[kind]


def outcome_of(plan: Plan, seed: int, *, chaining: bool) -> tuple[Any, ...]:
    errors = Random(seed)
    kept = errors.random() < 0.3  # a generator, which keeps its thread
    with Session(capacity=errors.choice((1, 4, 64)), chaining=chaining) as session:
        numbers: Any = (lambda: (each for each in range(NUMBERS))) if kept else range(NUMBERS)
        stream = session.source(numbers, name="numbers")
        for at, (kind, fails_on) in enumerate(plan):
            stream = getattr(stream, kind)(function_of(kind, fails_on, errors), name=f"{kind}-{at}")
        got = stream.collect(name="got")
        try:
            session.run(PATIENCE_S)
        except runtime.TaskFailed as failed:
            cause = failed.__cause__
            worked = session.snapshot()[failed.task].processed
            return failed.task, failed.packet, type(cause).__name__, str(cause), worked
        facts = session.snapshot()
        return list(got), [(task.name, task.processed, task.emitted) for task in facts]


@pytest.mark.parametrize("seed", range(60))
def test_a_chain_does_what_its_tasks_do_by_themselves(seed: int) -> None:
    plan = plan_of(Random(seed))
    alone = outcome_of(plan, seed, chaining=False)
    assert outcome_of(plan, seed, chaining=True) == alone
    with forced(seed):
        assert outcome_of(plan, seed, chaining=True) == alone
