"""Promise 18, small words: count, scan, one() and input_ended, each on every platform, under policies, by hand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import runtime
from runtime.communication.signals import StopSignal
from runtime.operators.joined import CoMap
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
@pytest.mark.long_on_ray
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
@pytest.mark.long_on_ray
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


# ── input_ended ──


class Prices(runtime.Function[Any, Any]):
    """Keeps orders until all prices are there. One object for both inputs."""

    def __init__(self, *, fails: bool = False) -> None:
        self.prices: dict[str, int] = {}
        self.orders: list[str] = []
        self.heard: list[int] = []
        self.fails = fails

    def process(self, value: Any, /) -> Any:
        if isinstance(value, tuple):
            self.prices[value[0]] = value[1]
            return []
        if 1 not in self.heard:
            self.orders.append(value)
            return []
        return [(value, self.prices.get(value))]

    def input_ended(self, number: int) -> Any:
        self.heard.append(number)
        if self.fails:
            raise ValueError(number)
        if number == 1:
            yield from ((order, self.prices.get(order)) for order in self.orders)

    def finish(self) -> Any:
        yield self.heard


ORDERS, PRICES = ["tea", "milk", "tea", "juice"], [("tea", 310), ("milk", 120)]
BILLS = [("juice", None), ("milk", 120), ("tea", 310), ("tea", 310)]


@pytest.mark.also_remote
@pytest.mark.long_on_ray
def test_a_function_of_connected_streams_hears_that_an_input_has_ended(make_session: MakeSession) -> None:
    session = make_session(capacity=1)
    function = Prices()
    prices = session.source(PRICES)
    result = session.source(ORDERS).connect(prices).flat_map(function, function, name="it").collect()
    session.run(PATIENCE_S)
    *bills, heard = result
    assert sorted(bills, key=str) == sorted(BILLS, key=str)
    assert sorted(heard) == [0, 1]


def test_each_schedule_brings_each_end_once_after_the_last_packet_from_there() -> None:
    class Notes(runtime.Function[int, str]):
        def __init__(self, number: int) -> None:
            self.number, self.seen = number, list[str]()

        def process(self, value: int, /) -> str:
            return f"{self.number}: {value}"

        def input_ended(self, number: int) -> list[str]:
            assert self.ctx.key is None, "that of no packet"
            return [f"{self.number} hears {number}"]

    def build(session: runtime.Session) -> Any:
        first = session.source(range(4), parallelism=2).union(session.source(range(3)))
        second = session.source(range(5))
        one, other = first.key_by(abs), second.key_by(abs)
        return one.connect(other).map(Notes(0), Notes(1), name="it", capacity=1).collect()

    def check(session: runtime.Session, result: Any) -> None:
        found = list(result)
        for number in (0, 1):
            last = max(at for at, text in enumerate(found) if text.startswith(f"{number}: "))
            heard = found.index(f"0 hears {number}")
            assert last < heard
            assert found[heard + 1] == f"1 hears {number}"
        assert len(found) == 12 + 4

    assert explore(build, check, 60) is None


def test_what_is_put_in_by_hand_comes_before_its_inputs_end(make_session: MakeSession) -> None:
    session = make_session()
    function = Prices()
    prices = session.input("prices")
    stream = session.input("orders").connect(prices).flat_map(function, function, name="it")
    result = stream.collect(name="result")
    session.start()
    session.send("orders", "tea")
    session.settle(PATIENCE_S)
    session.pause("it")
    session.inject("it", ("tea", 5), input=1)
    session.end("prices")
    session.resume()
    session.settle(PATIENCE_S)
    assert list(result) == [("tea", 5)]
    session.end("orders")
    session.wait(PATIENCE_S)


@pytest.mark.parametrize("policy", ["fail", "skip", runtime.Retry(2)], ids=["fail", "skip", "retry"])
def test_what_input_ended_raises_fails_the_job_under_every_policy(make_session: MakeSession, policy: Any) -> None:
    session = make_session()
    function = Prices(fails=True)
    prices = session.source(PRICES)
    session.source(ORDERS).connect(prices).flat_map(function, function, on_error=policy).collect()
    with pytest.raises(runtime.TaskFailed) as failed:
        session.run(PATIENCE_S)
    assert isinstance(failed.value.__cause__, ValueError)


@pytest.mark.parametrize("how", ["failed", "cancelled"])
def test_the_end_of_a_producer_that_has_not_ended_well_is_no_end_of_an_input(how: Any) -> None:
    operator = CoMap(Prices(), abs)
    assert operator.signalled(StopSignal("numbers", how), 0) is None


def test_of_a_job_that_is_cancelled_no_function_hears_of_an_end(make_session: MakeSession) -> None:
    heard: list[int] = []

    class Hears(runtime.Function[int, int]):
        def process(self, value: int, /) -> int:
            return value

        def input_ended(self, number: int) -> None:
            heard.append(number)

    session = make_session()
    session.input("a").connect(session.input("b")).map(Hears(), abs).collect()
    session.start()
    session.send("a", 1)
    session.settle(PATIENCE_S)
    session.cancel()
    session.wait(PATIENCE_S)
    assert heard == []
