"""Another policy, made from outside: instead of what could not be made it sends a value, after so many repeats."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

import runtime
from runtime.graph.policy import Chance, Policy, Verdict
from runtime.testing import PATIENCE_S
from tests.pairs import every_pair_of
from tests.platforms import MakeSession


@dataclass(frozen=True, slots=True)
class Fallback(Policy):
    """Send `values` in place of what a packet should have made; of a KeyError, fail."""

    values: tuple[Any, ...]
    repeats: int = 0

    def repeat_after_s(self, repeat: int, error: Exception, chance: Chance) -> float | None:
        """At once, so many times."""
        return 0.0 if repeat < self.repeats else None

    def given_up(self, error: Exception) -> Verdict:
        """The values."""
        return "fail" if isinstance(error, KeyError) else self.values


def fallback(*values: Any, repeats: int = 0) -> Any:
    """As `on_error=`, which is typed by the policies that there are."""
    return Fallback(values, repeats)


def odd_only(number: int) -> int:
    if number % 2 == 0:
        raise ValueError(number)
    return number


def two_of_odd(number: int) -> Any:
    yield number
    yield odd_only(number)


def parity(number: int) -> int:
    return number % 2


@every_pair_of(
    values=((), (-1,), (-1, -2)),
    kind=("map", "flat_map"),
    repeats=(0, 2),
    capacity=(1, 1024),
    remote={"values": (-1,), "kind": "map", "repeats": 0, "capacity": 1024},
)
def test_what_could_not_be_made_is_replaced_in_its_place(
    make_session: MakeSession, values: tuple[int, ...], kind: str, repeats: int, capacity: int
) -> None:
    session = make_session(capacity=capacity)
    function = odd_only if kind == "map" else two_of_odd
    stream: Any = getattr(session.source(range(6)), kind)(
        function, name="odd", on_error=fallback(*values, repeats=repeats)
    )
    result = stream.collect()
    outcome = session.run()
    made = 1 if kind == "map" else 2
    assert list(result) == [each for n in range(6) for each in (values if n % 2 == 0 else (n,) * made)]
    facts = session.snapshot()["odd"]
    assert (facts.errors, facts.skipped, facts.retries) == (3, 0, 3 * repeats)
    assert (outcome.state, outcome.skipped, outcome.dropped) == ("completed", 0, 0)


def test_what_is_sent_instead_goes_by_its_own_key(make_session: MakeSession) -> None:
    session = make_session()
    numbers = session.source(range(6)).map(odd_only, on_error=fallback(2))
    result = numbers.key_by(parity).reduce(lambda a, b: a + b, initial=0, emit="end", parallelism=2).collect()
    session.run()
    assert sorted(result) == [(0, 6), (1, 9)]


@pytest.mark.also_remote
@pytest.mark.long_on_ray
def test_a_step_tells_the_error_and_what_was_sent_instead(make_session: MakeSession) -> None:
    session = make_session()
    session.source([2], name="numbers").map(odd_only, name="odd", on_error=fallback(-1)).collect(name="result")
    session.start(paused=True)
    session.step("numbers")
    step = session.step("odd")
    assert isinstance(step.error, ValueError)
    assert [packet.payload for _, packet in step.sent] == [-1]
    session.resume()
    assert session.wait(PATIENCE_S).state == "completed"


def test_it_may_let_the_job_fail(make_session: MakeSession) -> None:
    session = make_session()
    session.source([1, 2]).map({1: "one"}.__getitem__, name="names", on_error=fallback(-1)).collect()
    with pytest.raises(runtime.TaskFailed) as failed:
        session.run()
    assert isinstance(failed.value.__cause__, KeyError)


def test_a_source_that_raises_goes_on_with_what_is_sent_instead(make_session: MakeSession) -> None:
    class Numbers:
        """Raises for the second item, and goes on."""

        def __init__(self) -> None:
            self.number = 0

        def __iter__(self) -> Numbers:
            return self

        def __next__(self) -> int:
            self.number += 1
            if self.number == 2:
                raise ValueError(self.number)
            if self.number > 3:
                raise StopIteration
            return self.number

    session = make_session()
    result = session.source(Numbers, on_error=fallback(-1)).collect()
    session.run()
    assert list(result) == [1, -1, 3]
