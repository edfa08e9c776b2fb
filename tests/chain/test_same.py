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
    match kind:
        case "keyed map":
            return keyed.map(Seen(function), name=name)
        case "fold":
            return keyed.round_robin().reduce(function, name=name)
        case "keyed fold":
            return keyed.reduce(function, initial=0, name=name).map(sum)
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


@pytest.mark.parametrize("seed", range(60))
def test_a_chain_does_what_its_tasks_do_by_themselves(seed: int) -> None:
    plan = plan_of(Random(seed))
    alone = outcome_of(plan, seed, chaining=False)
    assert outcome_of(plan, seed, chaining=True) == alone
    with forced(seed):
        assert outcome_of(plan, seed, chaining=True) == alone
