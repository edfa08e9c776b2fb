"""Random graphs are asked random questions, many at once: each ends once, with its own answers and errors.

What is expected of a value is worked out by plain functions, stage by stage; a graph of the same stages has to agree,
however its threads run, under seeds, and between processes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from random import Random
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import runtime
from runtime.testing import PATIENCE_S

Results = tuple[list[int], int]
"""What comes of some values: results, and how many were skipped."""


class Stage(NamedTuple):
    """One operator: what it makes of a packet, and how it is written down."""

    kind: str
    number: int
    parallelism: int

    def work(self, value: int) -> list[int]:
        """What it makes of one packet. Raises `ValueError` for some."""
        if self.kind == "fails" and value % 5 == self.number:
            raise ValueError(value)
        if self.kind == "filter":
            return [value] if value % 3 != self.number else []
        if self.kind == "flat_map":
            return [value + more for more in range(self.number)]
        if self.kind == "union":
            return [value, value + 1]
        return [value + self.number]

    def one(self, value: int) -> int:
        """The only result of a packet."""
        return self.work(value)[0]

    async def later(self, value: int) -> int:
        """The same, after a while."""
        await asyncio.sleep(0.001 * (value % 2))
        return self.one(value)

    def add(self, stream: Any) -> Any:
        """The stream that comes of another one."""
        several: Any = {"parallelism": self.parallelism}
        if self.kind == "union":
            return stream.map(lambda value: value + 1, **several).union(stream)
        if self.kind in ("filter", "flat_map"):
            made = (lambda value: bool(self.work(value))) if self.kind == "filter" else self.work
            return getattr(stream, self.kind)(made, **several)
        if self.kind == "keyed":
            return stream.key_by(lambda value: value % 4).map(self.one, **several)
        if self.kind == "batches":
            return stream.map_batches(lambda batch: list(map(self.one, batch)), size=3, within=0.001, **several)
        if self.kind == "async":
            return stream.map(self.later, ordered=self.number > 1, **several)
        return stream.map(self.one, **several)


KINDS = ("map", "fails", "filter", "flat_map", "union", "keyed", "batches", "async")
stages = st.lists(
    st.builds(Stage, st.sampled_from(KINDS), st.integers(0, 3), st.integers(1, 2)), min_size=1, max_size=4
)


def expected(plan: list[Stage], value: int) -> Results:
    values, errors = [value], 0
    for stage in plan:
        made: list[int] = []
        for each in values:
            try:
                made += stage.work(each)
            except ValueError:
                errors += 1
        values = made
    return sorted(values), errors


def told(replies: runtime.Replies[int]) -> Results:
    return sorted(replies), len(replies.errors)


values_asked = st.lists(st.integers(0, 20), min_size=1, max_size=12)
policies = st.sampled_from(("skip", runtime.Retry(1, backoff=0.0001, then="skip")))


@settings(max_examples=30)
@given(
    plan=stages,
    values=values_asked,
    capacity=st.sampled_from((1, 3, 1024)),
    policy=policies,
    seed=st.one_of(st.none(), st.integers(0, 1_000)),
    trace=st.booleans(),
    by_threads=st.booleans(),
)
def test_each_question_ends_once_with_its_own_answers(
    plan: list[Stage], values: list[int], capacity: int, policy: Any, seed: int | None, trace: bool, by_threads: bool
) -> None:
    with runtime.Session(capacity=capacity, on_error=policy, seed=seed, trace=trace) as session:
        each_ends_once(session, plan, values, by_threads=by_threads)


@settings(max_examples=20)
@given(
    plan=stages,
    values=values_asked,
    capacity=st.sampled_from((1, 3, 1024)),
    policy=policies,
    trace=st.booleans(),
    by_threads=st.booleans(),
)
def test_so_it_does_where_all_that_goes_between_tasks_is_packed(
    plan: list[Stage], values: list[int], capacity: int, policy: Any, trace: bool, by_threads: bool
) -> None:
    with runtime.Session(platform="between", capacity=capacity, on_error=policy, trace=trace) as session:
        each_ends_once(session, plan, values, by_threads=by_threads)


@pytest.mark.on_ray
@pytest.mark.parametrize("seeds", [range(1), pytest.param(range(1, 12), marks=pytest.mark.long)], ids=["0", "1-11"])
def test_on_ray_each_ends_once_too(seeds: range) -> None:
    for seed in seeds:
        fate = Random(seed)
        plan = [Stage(fate.choice(KINDS), fate.randrange(4), 1) for _ in range(fate.randint(2, 3))]
        plan += [Stage("flat_map", 3, 1)] if seed == 0 else []
        values = [fate.randrange(20) for _ in range(12)]
        with runtime.Session(platform="remote", capacity=fate.choice((1, 3, 1024)), on_error="skip") as session:
            each_ends_once(session, plan, values, by_threads=fate.random() < 0.5)


def each_ends_once(session: runtime.Session, plan: list[Stage], values: list[int], *, by_threads: bool) -> None:
    """A graph of these stages is asked all these, many at once."""
    stream: Any = session.input("in")
    for stage in plan:
        stream = stage.add(stream)
    stream.reply()
    session.start()
    ask: Callable[[int], Any] = lambda value: session.ask("in", value, timeout=PATIENCE_S, many=True)  # noqa: E731
    if by_threads:
        with ThreadPoolExecutor(4) as threads:
            answers = list(threads.map(ask, values))
    else:
        answers = asyncio.run(all_of(session, values))
    assert [told(each) for each in answers] == [expected(plan, value) for value in values]
    facts = session.snapshot().questions
    assert facts is not None
    assert (facts.asked, facts.open, facts.late, facts.unasked, facts.failed) == (len(values), 0, 0, 0, 0)
    session.stop()
    session.wait(PATIENCE_S)


async def all_of(session: runtime.Session, values: list[int]) -> list[Any]:
    return await asyncio.gather(*(session.ask_async("in", each, timeout=PATIENCE_S, many=True) for each in values))


@settings(max_examples=20)
@given(
    plan=stages,
    values=values_asked,
    at=st.integers(0, 11),
    capacity=st.sampled_from((1, 1024)),
    seed=st.one_of(st.none(), st.integers(0, 1_000)),
)
def test_a_cancel_at_any_moment_leaves_no_question_open(
    plan: list[Stage], values: list[int], at: int, capacity: int, seed: int | None
) -> None:
    with runtime.Session(capacity=capacity, on_error="skip", seed=seed) as session:
        stream: Any = session.input("in")
        for stage in plan:
            stream = stage.add(stream)
        stream.reply()
        session.start()

        async def some_cancelled() -> list[Any]:
            asks = [asyncio.ensure_future(ask) for ask in map(ask_one, values)]
            await asyncio.wait(asks[at % len(asks) :][:1])
            session.cancel()
            return await asyncio.gather(*asks, return_exceptions=True)

        def ask_one(value: int) -> Any:
            return session.ask_async("in", value, timeout=None, many=True)

        for value, answer in zip(values, asyncio.run(some_cancelled()), strict=True):
            if not isinstance(answer, runtime.TaskEnded):
                assert told(answer) == expected(plan, value)
        facts = session.snapshot().questions
        assert facts is not None
        assert (facts.open, facts.answered + facts.unanswered + facts.failed) == (0, facts.asked)
