"""Promise 18, `Retry`: how long it waits, for which errors, and by which chance."""

from __future__ import annotations

import math
import random
import threading
from collections.abc import Callable
from time import monotonic
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import runtime
from runtime.testing import PATIENCE_S
from tests.platforms import MakeSession

LONG_S = 1000.0


class Busy(Exception):
    """A server's answer that says when to come again."""

    def __init__(self, retry_after: Any) -> None:
        super().__init__(f"busy for {retry_after!r}")
        self.retry_after = retry_after


class Fails:
    """Raises what it was given, one error after the other, then returns what it gets. One for all its copies."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)

    def __deepcopy__(self, memo: object) -> Fails:
        return self

    def __call__(self, value: int) -> int:
        if self.errors:
            raise self.errors.pop(0)
        return value


def never() -> float:
    """For waits that are no matter of chance."""
    raise AssertionError("nobody asked for chance")


def worked(make_session: MakeSession, function: Any, policy: runtime.Retry) -> tuple[runtime.TaskFacts, float]:
    """One packet by `function`; what its task came to, and how long that took by the clock of the session."""
    session = make_session()
    result = session.source([7]).map(function, name="it", on_error=policy).collect()
    outcome = session.run(PATIENCE_S)
    facts = session.snapshot()["it"]
    assert list(result) == [7] * (not outcome.skipped)
    return facts, session.snapshot().at_s


def took(found_s: float, wanted_s: float, platform: Any) -> bool:
    """Whether it is that, where time is virtual; else, whether it is that at least."""
    return math.isclose(found_s, wanted_s) if platform.name == "seeded" else found_s >= wanted_s


# ── how long ──


def test_a_repeat_waits_for_the_larger_of_its_back_off_and_what_the_exception_asks_for(
    make_session: MakeSession, platform: Any
) -> None:
    function = Fails(Busy(0.03), Busy(0.001), ValueError("no hint"))
    facts, took_s = worked(make_session, function, runtime.Retry(3, 0.01))
    assert facts.retries == 3
    assert took(took_s, 0.03 + 0.02 + 0.04, platform)


def test_what_a_member_of_a_group_asks_for_is_waited_for(make_session: MakeSession, platform: Any) -> None:
    group = ExceptionGroup("two", [ValueError("no hint"), ExceptionGroup("inner", [Busy(0.02), Busy(0.05)])])
    facts, took_s = worked(make_session, Fails(group), runtime.Retry(1))
    assert facts.retries == 1
    assert took(took_s, 0.05, platform)


def test_no_wait_is_longer_than_most(make_session: MakeSession, platform: Any) -> None:
    function = Fails(Busy(LONG_S), ValueError("no hint"), Busy(math.inf))
    facts, took_s = worked(make_session, function, runtime.Retry(3, LONG_S, most=0.02))
    assert facts.retries == 3
    assert took(took_s, 0.06, platform)
    assert took_s < LONG_S


@pytest.mark.parametrize(
    "asked", [None, "30", -5, math.nan, [60], len], ids=["nothing", "text", "below zero", "nan", "list", "function"]
)
def test_what_is_no_number_of_seconds_is_not_waited_for(asked: Any) -> None:
    assert runtime.Retry(1, 0.5).repeat_after_s(0, Busy(asked), never) == 0.5


def test_an_exception_that_cannot_be_asked_is_repeated_all_the_same() -> None:
    class Hostile(Exception):
        @property
        def retry_after(self) -> float:
            raise RuntimeError("not now")

    assert runtime.Retry(1, 0.5).repeat_after_s(0, Hostile(), never) == 0.5


@pytest.mark.concurrent  # a back-off takes no time where time is virtual
def test_a_cancel_ends_a_wait_that_the_exception_asked_for(make_session: MakeSession) -> None:
    session = make_session()
    session.source([7]).map(Fails(Busy(LONG_S)), name="it", on_error=runtime.Retry(1, most=LONG_S)).collect()
    session.start()
    began_s = monotonic()
    while session.snapshot()["it"].state != "backing off":
        assert monotonic() < began_s + PATIENCE_S
    session.cancel()
    outcome = session.wait(PATIENCE_S)
    assert (outcome.state, outcome.dropped) == ("cancelled", 1)


@given(
    n=st.integers(1, 20),
    backoff=st.floats(0, 1e300),
    most=st.floats(0, math.inf),
    asked=st.lists(st.floats() | st.none(), max_size=3),
    jitter=st.booleans(),
    seed=st.integers(),
)
def test_every_wait_is_what_the_rule_says(
    n: int, backoff: float, most: float, asked: list[Any], jitter: bool, seed: int
) -> None:
    retry = runtime.Retry(n, backoff, most=most, jitter=jitter)
    error: Exception = ExceptionGroup("all", [Busy(each) for each in asked]) if asked else ValueError()
    wanted = max([0.0, *(each for each in asked if each is not None and each >= 0)])
    mine, its = random.Random(seed), random.Random(seed)
    for repeat in range(n):
        found = retry.repeat_after_s(repeat, error, its.random if jitter else never)
        own = min(math.ldexp(backoff, repeat) if backoff * 2.0**repeat < math.inf else math.inf, most)
        own = min(own, threading.TIMEOUT_MAX) * (mine.random() if jitter else 1)
        assert found == min(max(own, wanted), most, threading.TIMEOUT_MAX)
    assert retry.repeat_after_s(n, error, never) is None


# ── by chance ──


def waits_by(seed: int) -> tuple[float, ...]:
    """How long four tasks waited in all, each of them for two repeats, by the seed."""
    with runtime.Session(seed=seed) as session:
        stream = session.source(range(4))
        for _ in range(4):
            function = Fails(ValueError("one"), ValueError("two"))
            stream.map(function, on_error=runtime.Retry(2, 1.0, jitter=True)).sink(lambda _: None)
        session.run()
        return tuple(event.at_s for event in session.events if event.kind == "end")


def test_jitter_repeats_under_a_seed_and_differs_between_seeds() -> None:
    first = waits_by(7)
    assert first == waits_by(7)
    assert len({waits_by(seed) for seed in range(5)}) == 5


def test_jitter_waits_for_a_part_of_the_back_off_and_for_all_that_the_exception_asks_for() -> None:
    retry = runtime.Retry(3, 2.0, jitter=True)
    waits = [retry.repeat_after_s(1, ValueError(), random.random) for _ in range(200)]
    assert all(wait is not None and 0 <= wait < 4 for wait in waits)
    assert len(set(waits)) > 100
    assert retry.repeat_after_s(1, Busy(3.0), lambda: 0.5) == 3.0


# ── for which errors ──


@pytest.mark.parametrize(
    ("error", "repeats"),
    [
        (TimeoutError("late"), 1),
        (ConnectionResetError("a kind of OSError"), 1),
        (KeyError("another"), 0),
        (ExceptionGroup("all of them", [TimeoutError(), ExceptionGroup("inner", [OSError()])]), 1),
        (ExceptionGroup("one is another", [TimeoutError(), KeyError()]), 0),
    ],
    ids=["itself", "subclass", "another", "group", "mixed group"],
)
def test_only_errors_of_these_types_are_repeated_and_then_applies_to_all_others(
    make_session: MakeSession, error: Exception, repeats: int
) -> None:
    policy = runtime.Retry(1, then="skip", on=(TimeoutError, OSError))
    facts, _ = worked(make_session, Fails(error), policy)
    assert (facts.retries, facts.skipped, facts.errors) == (repeats, 1 - repeats, 1 - repeats)


def test_a_group_is_repeated_where_its_own_type_is_among_them(make_session: MakeSession) -> None:
    policy = runtime.Retry(1, on=ExceptionGroup)
    assert worked(make_session, Fails(ExceptionGroup("any", [KeyError()])), policy)[0].retries == 1


def test_an_error_that_is_not_worth_a_repeat_fails_the_job_at_once(make_session: MakeSession) -> None:
    session = make_session()
    policy = runtime.Retry(5, LONG_S, on=TimeoutError, most=LONG_S)
    session.source([7]).map(Fails(KeyError("other")), on_error=policy).collect()
    with pytest.raises(runtime.TaskFailed) as failed:
        session.run(PATIENCE_S)
    assert isinstance(failed.value.__cause__, KeyError)


def test_an_error_after_others_that_were_repeated_is_asked_about_as_well(make_session: MakeSession) -> None:
    policy = runtime.Retry(9, then="skip", on=TimeoutError)
    facts, _ = worked(make_session, Fails(TimeoutError(), TimeoutError(), KeyError()), policy)
    assert (facts.retries, facts.skipped) == (2, 1)


class Source:
    """An iterator that raises before its items, and goes on."""

    def __init__(self, errors: list[Exception]) -> None:
        self.errors, self.items = errors, iter([1, 2])

    def __iter__(self) -> Source:
        return self

    def __next__(self) -> int:
        if self.errors:
            raise self.errors.pop(0)
        return next(self.items)


def test_of_a_source_too_only_errors_of_these_types_are_repeated(make_session: MakeSession) -> None:
    session = make_session()
    policy = runtime.Retry(9, then="skip", on=TimeoutError)
    result = session.source(lambda: Source([TimeoutError(), KeyError()]), name="it", on_error=policy).collect()
    session.run(PATIENCE_S)
    facts = session.snapshot()["it"]
    assert (list(result), facts.retries, facts.errors) == ([1, 2], 1, 1)


@pytest.mark.also_remote
def test_errors_of_a_class_of_the_notebook_are_known_and_asked_wherever_the_task_runs(
    make_session: MakeSession, platform: Any
) -> None:
    class Mine(Exception):
        retry_after = 0.03

    class Asks(runtime.Function[int, int]):
        was_busy = False

        def process(self, value: int, /) -> int:
            if not value:
                raise KeyError(value)
            if not self.was_busy:
                self.was_busy = True
                raise Mine
            return value

    session = make_session()
    policy = runtime.Retry(1, then="skip", on=(Mine,))
    result = session.source([5, 0, 6]).map(Asks(), name="it", on_error=policy).collect()
    session.run(PATIENCE_S)
    facts = session.snapshot()["it"]
    assert (list(result), facts.retries, facts.skipped) == ([5, 6], 1, 1)
    assert took(session.snapshot().at_s, 0.03, platform)


# ── refused ──


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: runtime.Retry(1, most=-1), "most of Retry is -1; it must be a number of seconds, 0 or more"),
        (lambda: runtime.Retry(1, most=math.nan), "most of Retry is nan"),
        (lambda: runtime.Retry(1, most=None), "most of Retry is None"),  # type: ignore[arg-type]
        (lambda: runtime.Retry(1, jitter=1), "jitter of Retry is 1; it must be True or False"),  # type: ignore[arg-type]
        (lambda: runtime.Retry(1, on=()), r"on of Retry is \(\); it must be a subclass of Exception, or a tuple"),
        (lambda: runtime.Retry(1, on=[OSError]), "on of Retry is .<type>"),  # type: ignore[arg-type]
        (lambda: runtime.Retry(1, on=(OSError, "no")), "on of Retry is .*no"),  # type: ignore[arg-type]
        (lambda: runtime.Retry(1, on=SystemExit), "fails the job under every policy"),  # type: ignore[arg-type]
        (lambda: runtime.Retry(1, on=OSError()), "on of Retry is"),  # type: ignore[arg-type]
    ],
)
def test_a_retry_that_cannot_be_is_refused_by_name(make: Callable[[], object], message: str) -> None:
    with pytest.raises(runtime.GraphInvalid, match=message):
        make()


def test_a_retry_shows_itself_without_what_is_as_by_default() -> None:
    assert repr(runtime.Retry(3, 0.1)) == "Retry(n=3, backoff=0.1, then='fail')"
    shown = repr(runtime.Retry(3, then="skip", on=KeyError, jitter=True))
    assert shown == "Retry(n=3, backoff=0.0, then='skip', on=<class 'KeyError'>, jitter=True)"
