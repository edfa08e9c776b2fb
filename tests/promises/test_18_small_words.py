"""Promise 18, small words: count, scan, one() and input_ended, each on every platform, under policies, by hand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import runtime
from runtime.testing import PATIENCE_S, Moment, explore
from tests.pairs import every_pair_of
from tests.platforms import MakeSession, Platform

WORDS = ["to", "be", "or", "not", "to", "be", "that", "is", "the", "question", "to", "be"]


def gap(last: int, now: int) -> tuple[int, int]:
    return now, now - last


def numbered(count: int, word: str) -> tuple[int, str]:
    return count + 1, f"{word}{count}"


def of(platform: Platform, chaining: bool) -> dict[str, Any]:
    """Settings of a session there, where tasks may be chained."""
    return {} if platform.name == "remote" else {"chaining": chaining}


# ── count ──


@every_pair_of(
    emit=("each", "end"),
    parallelism=(1, 2),
    capacity=(1, 1024),
    chaining=(False, True),
    remote={"emit": "end", "parallelism": 2, "capacity": 1024, "chaining": False},
)
def test_a_keyed_count_is_how_many_there_are_of_each(
    make_session: MakeSession, platform: Platform, emit: Any, parallelism: int, capacity: int, chaining: bool
) -> None:
    session = make_session(capacity=capacity, **of(platform, chaining))
    result = session.source(WORDS).key_by(str).count(emit=emit, parallelism=parallelism).collect()
    session.run(PATIENCE_S)
    found = Counter(WORDS)
    if emit == "end":
        assert sorted(result) == sorted(found.items())
    else:
        assert sorted(result) == sorted((word, n) for word, many in found.items() for n in range(1, many + 1))
        assert all([n for word, n in result if word == each] == list(range(1, found[each] + 1)) for each in found)


@pytest.mark.also_remote
def test_a_count_of_all_is_one_number(make_session: MakeSession) -> None:
    session = make_session()
    result = session.source(WORDS).count(emit="end").collect()
    each = session.source("abc").count().collect()
    none = session.source([]).count(emit="end").collect()
    session.run(PATIENCE_S)
    assert (result.one(), none.one(), list(each)) == (12, 0, [1, 2, 3])


def test_a_count_can_be_looked_at_and_changed(make_session: MakeSession) -> None:
    session = make_session()
    result = session.source("abab", name="letters").key_by(str).count(name="counts").collect()
    session.start(paused=True)
    session.step("letters", 4)
    session.step("counts", 3)
    assert session.state("counts") == {"a": 2, "b": 1}
    session.set_state("counts", "b", 40)
    session.resume()
    session.wait(PATIENCE_S)
    assert list(result) == [("a", 1), ("b", 1), ("a", 2), ("b", 41)]


@settings(deadline=None, max_examples=40)
@given(words=st.lists(st.sampled_from("abcd"), max_size=30), seed=st.integers(0, 99), parallelism=st.integers(1, 3))
def test_any_count_is_the_fold_that_counts(words: list[str], seed: int, parallelism: int) -> None:
    with runtime.Session(seed=seed) as session:
        keyed = session.source(words).key_by(str)
        counts = keyed.count(parallelism=parallelism).collect()
        folds = keyed.reduce(lambda n, _: n + 1, initial=0, parallelism=parallelism).collect()
        session.run(PATIENCE_S)
    assert sorted(counts) == sorted(folds)


# ── scan ──


@every_pair_of(
    parallelism=(1, 2),
    capacity=(1, 1024),
    policy={"fail": "fail", "skip": "skip", "retry": runtime.Retry(1)},
    chaining=(False, True),
    remote={"parallelism": 2, "capacity": 1024, "policy": "fail", "chaining": False},
)
def test_a_scan_sends_for_each_packet_what_the_function_makes_of_it_and_of_what_it_remembers(
    make_session: MakeSession, platform: Platform, parallelism: int, capacity: int, policy: Any, chaining: bool
) -> None:
    session = make_session(capacity=capacity, **of(platform, chaining))
    words = session.source(WORDS).key_by(str)
    result = words.scan(numbered, initial=0, parallelism=parallelism, on_error=policy).collect()
    session.run(PATIENCE_S)
    seen: Counter[str] = Counter()
    wanted = []
    for word in WORDS:
        wanted.append((word, f"{word}{seen[word]}"))
        seen[word] += 1
    assert sorted(result) == sorted(wanted)
    for each in seen:
        assert [made for word, made in result if word == each] == [made for word, made in wanted if word == each]


@pytest.mark.parametrize("chaining", [False, True], ids=["apart", "chained"])
def test_a_scan_without_keys_remembers_one_state(chaining: bool) -> None:
    with runtime.Session(chaining=chaining) as session:
        result = session.source([3, 5, 10]).scan(gap, initial=0).map(abs).collect()
        session.run(PATIENCE_S)
    assert list(result) == [3, 2, 5]


def test_a_scan_is_the_reduce_of_which_state_and_result_are_one() -> None:
    def build(session: runtime.Session) -> Any:
        keyed = session.source(range(20)).key_by(lambda n: n % 3)
        one = keyed.scan(lambda s, v: (s + v, s + v), initial=0, parallelism=2).collect()
        return one, keyed.reduce(lambda s, v: s + v, initial=0, parallelism=2).collect()

    def check(session: runtime.Session, built: Any) -> None:
        one, other = built
        assert sorted(one) == sorted(other)

    assert explore(build, check, 40) is None


def test_each_key_has_a_copy_of_the_initial_state(make_session: MakeSession) -> None:
    def grown(seen: list[int], value: int) -> tuple[list[int], list[int]]:
        return [*seen, value], sorted([*seen, value])

    initial: list[int] = []
    session = make_session()
    result = session.source([3, 1, 2]).key_by(lambda n: n % 2).scan(grown, initial=initial).collect()
    session.run(PATIENCE_S)
    assert (list(result), initial) == ([(1, [3]), (1, [1, 3]), (0, [2])], [])


@pytest.mark.parametrize("chaining", [False, True], ids=["apart", "chained"])
def test_a_packet_that_a_scan_has_raised_for_leaves_its_state_as_it_was(chaining: bool) -> None:
    def sums(total: int, value: int) -> tuple[int, int]:
        return total + value, 10 // (value - 2)

    with runtime.Session(chaining=chaining, on_error="skip") as session:
        stream = session.source([1, 2, 3]).scan(sums, initial=0, name="it")
        stream.collect()
        session.start(paused=True)
        session.step("source", 3)
        session.step("it", 3)
        assert session.state("it") == 4
        assert len(session.dead_letters) == 1
        session.resume()
        session.wait(PATIENCE_S)


@pytest.mark.parametrize("made", [5, (1, 2, 3), None], ids=["number", "three", "nothing"])
def test_what_is_no_pair_is_told(make_session: MakeSession, made: Any) -> None:
    session = make_session()
    session.source([1]).scan(lambda state, value: made, initial=0, name="it").collect()
    with pytest.raises(runtime.TaskFailed, match=r"it has to return \(state, result\)"):
        session.run(PATIENCE_S)
    assert any("it has to return (state, result)" in event.text for event in session.events if event.kind == "warning")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda s: s.count(emit="never"), "emit of count is 'never'"),
        (lambda s: s.key_by(abs).count(emit=None), "emit of count is None"),
        (lambda s: s.scan(gap, initial=Moment()), "initial of scan cannot be copied"),
        (lambda s: s.key_by(abs).map(abs, name="m").count(), "count would count all packets of 'm' together"),
        (
            lambda s: s.key_by(abs).map(abs, name="m").scan(gap, initial=0),
            "scan would scan all packets of 'm' together",
        ),
        (lambda s: s.scan(5, initial=0), "scan needs a function, not 5"),
    ],
    ids=["emit", "keyed emit", "initial", "count after keys", "scan after keys", "function"],
)
def test_what_cannot_be_is_refused_by_name(make: Callable[[Any], object], message: str) -> None:
    with runtime.Session() as session, pytest.raises(runtime.GraphInvalid, match=message):
        make(session.source([1]))


# ── one() ──


def test_one_is_the_only_result(make_session: MakeSession) -> None:
    session = make_session()
    result = session.source([1, 2, 3]).reduce(lambda a, b: a + b, emit="end").collect()
    session.run(PATIENCE_S)
    assert result.one() == 6


@pytest.mark.parametrize(
    ("items", "limit", "there"), [([], None, "none"), ([1, 2], None, "2"), ([1], 0, "1, of which 0")]
)
def test_none_and_several_are_refused(
    make_session: MakeSession, items: list[int], limit: int | None, there: str
) -> None:
    session = make_session()
    result = session.source(items).collect(limit=limit)
    session.run(PATIENCE_S)
    with pytest.raises(runtime.NotOne, match=f"for exactly one result, and there are {there}"):
        result.one()


def test_while_more_may_come_one_is_refused(make_session: MakeSession) -> None:
    session = make_session()
    result = session.input("in").collect()
    with pytest.raises(runtime.NotStarted):
        result.one()
    session.start()
    for number in range(2):
        with pytest.raises(runtime.CommandRefused, match="the job still runs"):
            result.one()
        session.send("in", number)
        session.settle(PATIENCE_S)
    with pytest.raises(runtime.NotOne):
        result.one()
    session.end("in")


def test_one_of_a_failed_job_raises_as_wait_does(make_session: MakeSession) -> None:
    session = make_session()
    result = session.source([1, 0]).map(lambda n: 1 // n).collect()
    with pytest.raises(runtime.TaskFailed):
        session.run(PATIENCE_S)
    with pytest.raises(runtime.TaskFailed):
        result.one()
