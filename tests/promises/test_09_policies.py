"""Promise 9, `skip` and `Retry` in operators: which packet, which attempt, which place, and all of it or nothing."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

import runtime
from runtime.testing import PATIENCE_S
from tests.pairs import every_pair_of
from tests.platforms import MakeSession, Platform

PACKETS = 12
POSITIONS = {"first": 0, "middle": 5, "last": PACKETS - 1}
ERRORS = {"ValueError": ValueError("no good"), "StopIteration": StopIteration("from user code")}
NO_GOOD = ERRORS["ValueError"]
REPEATS = 3
ALWAYS = 10**9


class Trouble:
    """Raises for one value, so many times; then no more. `calls` counts how often it was asked for that value."""

    def __init__(self, bad: int, error: BaseException, times: int = ALWAYS) -> None:
        self.bad, self.error, self.times, self.calls = bad, error, times, 0

    def __call__(self, value: int) -> int:
        if value == self.bad:
            self.calls += 1
            if self.calls <= self.times:
                raise self.error
        return value


def same(found: BaseException | None, error: BaseException) -> bool:
    """Whether it is this error; a generator has made a StopIteration into another."""
    return found is error or (found is not None and found.__cause__ is error)


@dataclass(frozen=True)
class Policy:
    """A policy, how often the user code raises under it, and what is to come of that."""

    on_error: Any
    times: int = ALWAYS
    attempts: int = 1
    ending: str = "skipped"


POLICIES = {
    "fail": Policy("fail", ending="failed"),
    "skip": Policy("skip"),
    "retry then fail": Policy(runtime.Retry(REPEATS), attempts=REPEATS + 1, ending="failed"),
    "retry then skip": Policy(runtime.Retry(REPEATS, then="skip"), attempts=REPEATS + 1),
    "retry that succeeds": Policy(runtime.Retry(REPEATS), REPEATS, REPEATS + 1, "mended"),
}
every_policy = pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES)

Numbers = runtime.Stream[int]
Log = list[Any]


class Sends(runtime.Function[int, int]):
    """Sends by itself what it gets, then may raise, then returns something else."""

    def __init__(self, trouble: Trouble) -> None:
        self.trouble = trouble

    def __deepcopy__(self, memo: object) -> Sends:
        return self

    def process(self, value: int, /) -> int:
        self.ctx.send_packet(value)
        return self.trouble(value) + 100


def twice(trouble: Trouble) -> Callable[[int], Iterator[int]]:
    def function(value: int) -> Iterator[int]:
        yield value
        yield trouble(value) + 100

    return function


def doubled(value: int) -> list[int]:
    return [value, value + 100]


def late_key(trouble: Trouble) -> Callable[[int], int]:
    """Raises for the second result of a packet only."""
    return lambda result: result if result < 100 else trouble(result - 100)


def parity(value: int) -> int:
    return value % 2


Build = Callable[[runtime.Session, Trouble, Log, Any], object]


@dataclass(frozen=True)
class Place:
    """Where user code raises: how to build the graph, with the operator `it`; what a packet that gets through makes."""

    build: Build
    makes: Callable[[int], list[Any]] = lambda value: [value]


def numbers(session: runtime.Session) -> Numbers:
    return session.source(range(PACKETS))


def passing(
    method: str, function: Callable[[Trouble], Any], makes: Callable[[int], list[Any]], **options: Any
) -> Place:
    """An operator whose own function raises."""

    def build(session: runtime.Session, trouble: Trouble, log: Log, on_error: Any) -> None:
        getattr(numbers(session), method)(function(trouble), name="it", on_error=on_error, **options).sink(log.append)

    return Place(build, makes)


def keyed(
    make: Callable[[runtime.Session, Any], runtime.Stream[Any]], key: Callable[[Trouble], Any], makes: Any
) -> Place:
    """An operator behind which a key function raises."""

    def build(session: runtime.Session, trouble: Trouble, log: Log, on_error: Any) -> None:
        make(session, on_error).key_by(key(trouble)).sink(log.append)

    return Place(build, makes)


def sunk(session: runtime.Session, trouble: Trouble, log: Log, on_error: Any) -> None:
    def function(value: int) -> None:
        log.append(trouble(value))

    numbers(session).sink(function, name="it", on_error=on_error)


def reduced_by_key(session: runtime.Session, trouble: Trouble, log: Log, on_error: Any) -> None:
    pairs = (
        numbers(session).key_by(parity).reduce(lambda _, value: trouble(value), initial=0, name="it", on_error=on_error)
    )
    pairs.sink(log.append)


def mapped_by_key(session: runtime.Session, trouble: Trouble, log: Log, on_error: Any) -> None:
    numbers(session).key_by(parity).map(Sends(trouble), name="it", on_error=on_error).sink(log.append)


PLACES = {
    "map": passing("map", lambda trouble: trouble, lambda value: [value]),
    "filter": passing("filter", lambda trouble: lambda value: [trouble(value)], lambda value: [value]),
    "flat_map": passing("flat_map", twice, doubled),
    "reduce": passing("reduce", lambda trouble: lambda _, value: trouble(value), lambda value: [value], initial=0),
    "keyed reduce": Place(reduced_by_key, lambda value: [(parity(value), value)]),
    "function": passing("map", Sends, doubled),
    "keyed function": Place(mapped_by_key, doubled),
    "sink": Place(sunk),
    "key behind map": keyed(
        lambda session, policy: numbers(session).map(abs, name="it", on_error=policy),
        lambda trouble: trouble,
        lambda value: [value],
    ),
    "key behind filter": keyed(
        lambda session, policy: numbers(session).filter(lambda _: True, name="it", on_error=policy),
        lambda trouble: trouble,
        lambda value: [value],
    ),
    "key behind flat_map": keyed(
        lambda session, policy: numbers(session).flat_map(doubled, name="it", on_error=policy), late_key, doubled
    ),
    "key behind reduce": keyed(
        lambda session, policy: numbers(session).reduce(lambda _, v: v, initial=0, name="it", on_error=policy),
        lambda trouble: trouble,
        lambda value: [value],
    ),
    "key behind keyed reduce": keyed(
        lambda session, policy: (
            numbers(session).key_by(parity).reduce(lambda _, v: v, initial=0, name="it", on_error=policy)
        ),
        lambda trouble: lambda pair: trouble(pair[1]),
        lambda value: [(parity(value), value)],
    ),
    "key behind source": keyed(
        lambda session, policy: session.source(range(PACKETS), name="it", on_error=policy),
        lambda trouble: trouble,
        lambda value: [value],
    ),
    "key behind generator": keyed(
        lambda session, policy: session.source(iter(range(PACKETS)), name="it", on_error=policy),
        lambda trouble: trouble,
        lambda value: [value],
    ),
}


@every_pair_of(place=PLACES, policy=POLICIES, bad=POSITIONS, error=ERRORS, capacity=(1, 1024))
def test_an_error_is_followed_by_what_the_policy_says_at_every_place_and_position(
    make_session: MakeSession,
    platform: Platform,
    place: Place,
    policy: Policy,
    bad: int,
    error: BaseException,
    capacity: int,
) -> None:
    session, log = make_session(capacity=capacity), platform.log()
    trouble = Trouble(bad, error, policy.times)
    place.build(session, trouble, log, policy.on_error)
    if policy.ending == "failed":
        with pytest.raises(runtime.TaskFailed, match=f"^task 'it' failed on packet {bad}: ") as caught:
            session.run(PATIENCE_S)
        assert same(caught.value.__cause__, error)
    else:
        session.run(PATIENCE_S)
    facts, outcome = session.snapshot()["it"], session.outcome
    assert outcome is not None
    assert trouble.calls == policy.attempts
    assert (facts.retries, facts.skipped) == (policy.attempts - 1, policy.ending == "skipped")
    assert facts.errors == outcome.errors == (policy.ending != "mended")
    letters = session.dead_letters
    assert len(letters) == letters.total == outcome.skipped == (policy.ending == "skipped")
    if policy.ending == "failed":
        return
    assert log == [made for value in range(PACKETS) if value != bad or not letters for made in place.makes(value)]
    assert facts.processed == PACKETS
    for letter in letters:
        assert (letter.task, letter.packet) == ("it", bad)
        assert same(letter.error, error)
        assert letter.keyed is ("keyed" in next(name for name in PLACES if PLACES[name] is place))
        assert letter.key == (parity(bad) if letter.keyed else None)
        skips = [event.text for event in session.events if event.kind == "skip"]
        assert len(skips) == 1
        assert skips[0].startswith(f"failed on packet {bad}: {type(letter.error).__name__}: ")
        assert skips[0].endswith(": skipped")


NO_POLICY: dict[str, BaseException] = {
    "SystemExit": SystemExit(3),
    "KeyboardInterrupt": KeyboardInterrupt("user"),
    "GeneratorExit": GeneratorExit("user"),
    "MemoryError": MemoryError(),
    "Cancelled": runtime.Cancelled("user"),
}
"""What is no `Exception` is not meant for a packet, and of what a lack of memory has hit, nothing is certain."""


@every_pair_of(place=PLACES, policy={"skip": "skip", "retry": runtime.Retry(REPEATS, then="skip")}, error=NO_POLICY)
def test_what_is_no_matter_of_policies_fails_the_job_under_all_of_them(
    make_session: MakeSession, platform: Platform, place: Place, policy: Any, error: BaseException
) -> None:
    session, log = make_session(), platform.log()
    trouble = Trouble(5, error)
    place.build(session, trouble, log, policy)
    with pytest.raises(runtime.TaskFailed, match=r"^task 'it' failed on packet 5: ") as caught:
        session.run(PATIENCE_S)
    assert caught.value.__cause__ is error
    assert (trouble.calls, session.snapshot()["it"].retries, len(session.dead_letters)) == (1, 0, 0)


@every_policy
@pytest.mark.parametrize("place", ["flat_map", "function"])
def test_results_of_one_packet_are_held_back_until_it_is_done_but_under_fail_they_stream(
    make_session: MakeSession, policy: Policy, place: str
) -> None:
    session = make_session()
    emitted: list[int] = []

    class Looks(Trouble):
        def __call__(self, value: int) -> int:
            emitted.append(session.snapshot()["it"].emitted)
            return value

    PLACES[place].build(session, Looks(0, NO_GOOD), [], policy.on_error)
    session.run(PATIENCE_S)
    streamed = policy.on_error == "fail"
    assert emitted == [2 * packet + streamed for packet in range(PACKETS)]


def test_a_failing_key_behind_one_edge_leaves_nothing_on_any_other(make_session: MakeSession) -> None:
    session = make_session(on_error="skip")
    stream = session.source(range(6)).flat_map(doubled, name="it", on_error="skip")
    plain = stream.collect(name="plain")
    in_turn = stream.map(abs, parallelism=3, name="turns").collect()
    to_all = stream.broadcast().map(abs, parallelism=2, name="all").collect()
    stream.key_by(late_key(Trouble(3, NO_GOOD))).map(abs, parallelism=2, name="by key").collect()
    session.run(PATIENCE_S)
    through = [made for value in (0, 1, 2, 4, 5) for made in doubled(value)]
    assert list(plain) == through
    assert sorted(in_turn) == sorted(through)
    assert sorted(to_all) == sorted(through * 2)
    assert [session.snapshot()[f"turns#{index}"].processed for index in range(3)] == [4, 3, 3]


def test_a_key_without_a_digest_is_an_error_of_its_producer(make_session: MakeSession) -> None:
    session = make_session()
    result = session.source([1.0, math.nan, 2.0], name="it", on_error="skip").key_by(lambda value: value).collect()
    session.run(PATIENCE_S)
    assert list(result) == [1.0, 2.0]
    assert isinstance(session.dead_letters[0].error, runtime.UnstableKey)


@pytest.mark.parametrize("times", [1, REPEATS])
def test_a_key_that_is_tried_again_does_not_show_its_packet_to_the_operator_twice(
    make_session: MakeSession, times: int
) -> None:
    """What the operator remembers has moved on with the packet: a `take` would count it twice, a `reduce` add it."""
    session = make_session(on_error=runtime.Retry(REPEATS))
    taken = session.source(range(9)).take(3).key_by(Trouble(1, NO_GOOD, times)).collect()
    added = session.source(range(4)).reduce(lambda total, value: total + value).key_by(Trouble(3, NO_GOOD, times))
    sums = added.collect()
    session.run(PATIENCE_S)
    assert (list(taken), list(sums)) == ([0, 1, 2], [0, 1, 3, 6])


def test_what_an_attempt_has_changed_is_not_taken_back(make_session: MakeSession) -> None:
    class Counts(runtime.Function[int, int]):
        def process(self, value: int, /) -> int:
            calls: int = self.ctx.state.get("calls", 0) + 1
            self.ctx.state["calls"] = calls
            if calls % 2:
                raise ValueError("every other time")
            return calls

    session = make_session()
    result = session.source(range(3)).map(Counts(), on_error=runtime.Retry(1)).collect()
    session.run(PATIENCE_S)
    assert list(result) == [2, 4, 6]


def test_a_session_has_one_policy_for_all_and_an_operator_may_have_its_own(make_session: MakeSession) -> None:
    session = make_session(on_error="skip")
    first = session.source(range(4)).map(Trouble(1, NO_GOOD), name="skips")
    first.map(Trouble(2, NO_GOOD), name="fails", on_error="fail").collect()
    with pytest.raises(runtime.TaskFailed, match="'fails' failed on packet 2"):
        session.run(PATIENCE_S)
    assert [letter.packet for letter in session.dead_letters] == [1]


@pytest.mark.parametrize("capacity", [1, 3, 1024])
def test_every_packet_is_counted_once_whatever_becomes_of_it(make_session: MakeSession, capacity: int) -> None:
    def third(value: int) -> int:
        if value % 3 == 0:
            raise ValueError("no good")
        return value

    seen: set[int] = set()

    def second_time(value: int) -> int:
        if value not in seen:
            seen.add(value)
            raise ValueError("not yet")
        return value

    session = make_session(capacity=capacity)
    stream = session.source(range(300)).map(third, name="third", on_error="skip", parallelism=2)
    stream.map(second_time, name="again", on_error=runtime.Retry(1)).sink(third, name="end", on_error="skip")
    outcome = session.run(PATIENCE_S)
    assert repr(outcome) == "Outcome(completed: 300 in, 200 out, 100 skipped, 100 errors)"
    again = session.snapshot()["again"]
    assert repr(again) == f"again: completed, queue 0 of {capacity:,}, 200 in, 200 out, 200 retries"
    assert sum(session.snapshot()[f"third#{index}"].skipped for index in (0, 1)) == 100


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: runtime.Retry(0), "n of Retry is 0; it must be a whole number of at least 1"),
        (lambda: runtime.Retry(True), "n of Retry is True"),
        (lambda: runtime.Retry(1, -1), "backoff of Retry is -1; it must be a number of seconds, 0 or more"),
        (lambda: runtime.Retry(1, math.nan), "backoff of Retry is nan"),
        (lambda: runtime.Retry(1, then="retry"), "then of Retry is 'retry'; it can be 'fail', 'skip' or 'hold'"),  # type: ignore[arg-type]
    ],
)
def test_a_retry_that_cannot_be_is_refused(make: Callable[[], object], message: str) -> None:
    with pytest.raises(runtime.GraphInvalid, match=message):
        make()


def test_the_back_off_doubles_and_stays_a_time_that_can_be_waited_for() -> None:
    retry = runtime.Retry(5, 0.5)
    assert [retry.wait_s(repeat) for repeat in range(4)] == [0.5, 1.0, 2.0, 4.0]
    assert retry.wait_s(10**9) < math.inf
    assert runtime.Retry(1).wait_s(10**9) == 0


@pytest.mark.parametrize("how", ["left", "outer"])
def test_each_row_without_a_partner_fails_by_itself(make_session: MakeSession, how: Any) -> None:
    def merge(left: int, right: int | None) -> int:
        return left if left != 3 else 1 // 0

    session = make_session(on_error="skip")
    nobody: Any = session.source([]).key_by(abs)
    rows: Any = session.source(range(5)).key_by(abs)
    result = rows.join(nobody, merge, how=how, name="join").collect()
    outcome = session.run(PATIENCE_S)
    assert (sorted(result), outcome.skipped) == ([0, 1, 2, 4], 1)
    (letter,) = session.dead_letters
    assert (letter.packet, letter.key, letter.input) == (3, 3, 0)


def test_a_row_without_a_partner_that_fails_the_job_is_named(make_session: MakeSession) -> None:
    session = make_session()
    nobody: Any = session.source([]).key_by(abs)
    rows: Any = session.source([7]).key_by(abs)
    rows.join(nobody, lambda left, right: right[0], how="left", name="join").collect()
    with pytest.raises(runtime.TaskFailed, match="task 'join' failed on packet 7: TypeError"):
        session.run(PATIENCE_S)
