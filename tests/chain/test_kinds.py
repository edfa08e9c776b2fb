"""Chains of tasks with keys, state and policies: what comes out, is skipped and fails is what would without."""

from __future__ import annotations

import gc
import sys
import weakref
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import pairwise
from random import Random
from typing import Any

import pytest

import runtime
from runtime import Session
from runtime.chain.loop import Extent, Step
from runtime.testing import Hold
from tests.chain.forced import forced
from tests.chain.test_chains import HANDS
from tests.effort import in_turn, seeds

PATIENCE_S = 60.0
LINES = 1_500
SEEDS = 3


@pytest.fixture
def eager() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


def line_of(number: int) -> str:
    return f"a{number % 7} b{number % 3} {'' if number % 5 else 'x'} c"


def lines() -> Iterator[str]:
    for number in range(LINES):
        yield line_of(number)


def is_long(word: str) -> bool:
    return len(word) > 1


class Ages(runtime.Function[str, tuple[str, int]]):
    """How many of the same key have come, by the state and by the key that it sees."""

    def process(self, value: str, /) -> tuple[str, int]:
        state = self.ctx.state
        state["seen"] = state.get("seen", 0) + 1
        assert self.ctx.key == value[0]
        return value, state["seen"]


def words_of_all() -> list[str]:
    return [word for line in lines() for word in line.upper().split() if is_long(word)]


def with_hands(session: Session, rng: Random, tasks: tuple[str, ...]) -> runtime.Outcome:
    session.start()
    while session.status == "running":
        rng.choice(HANDS)(session, rng, rng.choice(tasks))
    return session.wait(PATIENCE_S)


def assert_counts_agree(session: Session, tasks: tuple[str, ...]) -> None:
    facts = session.snapshot()
    for before, after in pairwise(tasks):
        assert facts[before].emitted == facts[after].processed, (before, after)


@pytest.mark.parametrize("emit", ["each", "end"])
@pytest.mark.parametrize("start", [{}, {"initial": ""}])
@pytest.mark.parametrize("seed", seeds(1, of=SEEDS))
def test_a_keyed_fold_in_a_chain_folds_each_packet_once(
    eager: None, emit: Any, start: dict[str, str], seed: int
) -> None:
    rng, asked = Random(seed), Counter[str]()

    def first(word: str) -> str:
        asked[word] += 1
        return word[0]

    with forced(seed) as counts, Session(capacity=rng.choice((1, 4, 64))) as session:
        upper = (
            session.source(list(lines()), name="numbers").flat_map(str.split, name="split").map(str.upper, name="upper")
        )
        folded: Any = upper.filter(is_long, name="long").key_by(first)
        got = folded.reduce(lambda have, word: have + word[1], name="fold", emit=emit, **start).collect(name="got")
        tasks = ("numbers", "split", "upper", "long", "fold", "got")
        with_hands(session, rng, tasks)
        assert_counts_agree(session, tasks)
    expected: dict[str, str] = {}
    each = []
    for word in words_of_all():
        key = word[0]
        expected[key] = (expected[key] + word[1]) if key in expected else (word[1] if start else word)
        each.append((key, expected[key]))
    assert list(got) == (each if emit == "each" else list(expected.items()))
    assert asked == Counter(words_of_all())
    assert counts["left"]


@pytest.mark.parametrize("seed", seeds(1, of=SEEDS))
def test_a_function_in_a_chain_sees_the_state_of_its_key(eager: None, seed: int) -> None:
    rng = Random(seed)
    with forced(seed) as counts, Session(capacity=rng.choice((1, 4, 64))) as session:
        words = session.source(words_of_all(), name="numbers").map(str.lower, name="lower").map(str.upper, name="upper")
        got = (
            words.key_by(lambda word: word[0]).map(Ages(), name="age").map(lambda it: it, name="on").collect(name="got")
        )
        tasks = ("numbers", "lower", "upper", "age", "on", "got")
        with_hands(session, rng, tasks)
        assert_counts_agree(session, tasks)
    seen = Counter[str]()
    expected = []
    for word in words_of_all():
        seen[word[0]] += 1
        expected.append((word, seen[word[0]]))
    assert list(got) == expected
    assert counts["left"]


class ReadsTwice(runtime.Function[str, tuple[str, str, str]]):
    """Reads the key of a packet before and after it is held."""

    def __init__(self, hold: Hold[str]) -> None:
        self.hold = hold

    def __deepcopy__(self, _: object) -> ReadsTwice:
        return self

    def process(self, value: str, /) -> tuple[str, str, str]:
        before = self.ctx.key
        return self.hold(value), before, self.ctx.key


def test_a_key_is_that_of_the_packet_in_work_though_a_chain_is_left_meanwhile() -> None:
    """The chain is left in front of the second map, which is at work already for what the hand has put in."""
    first, second = Hold[str](lambda value: value == "b1"), Hold[str](lambda value: value == "c1")
    with Session() as session:
        held = session.source(["a1", "b1", "a2"]).map(first, name="first")
        got = held.key_by(lambda word: word[0]).map(ReadsTwice(second), name="second").collect()
        session.start()
        first.reached.wait()
        session.inject("second", "c1")
        second.reached.wait()
        first.release()
        while not session.snapshot()["second"].depth:
            pass
        second.release()
        session.wait(PATIENCE_S)
    assert sorted(got) == [(word, word[0], word[0]) for word in ("a1", "a2", "b1", "c1")]


@pytest.mark.parametrize("seed", seeds(1, of=SEEDS))
def test_a_fold_without_keys_in_a_chain(eager: None, seed: int) -> None:
    with forced(seed) as counts, Session() as session:
        numbers = session.source(range(3_000)).map(lambda number: number + 1)
        got = numbers.reduce(lambda total, number: total + number, initial=0).map(lambda it: it).collect()
        session.run(PATIENCE_S)
    assert list(got) == [number * (number + 1) // 2 for number in range(1, 3_001)]
    assert counts["left"]


@pytest.mark.parametrize("seed", seeds(1, of=SEEDS))
def test_scans_and_counts_in_a_chain(eager: None, seed: int) -> None:
    rng = Random(seed)
    with forced(seed) as counts, Session(capacity=rng.choice((1, 4, 64))) as session:
        numbers = session.source(range(3_000), name="numbers").map(lambda number: number + 1, name="more")
        sums = numbers.key_by(lambda number: number % 7).scan(lambda s, n: (s + n, (s, n)), initial=0, name="sums")
        got = sums.key_by(lambda pair: pair[0] % 2).count(name="count").collect(name="got")
        tasks = ("numbers", "more", "sums", "count", "got")
        with_hands(session, rng, tasks)
        assert_counts_agree(session, tasks)
        kept = session.state("sums"), session.state("count")
    each = [number % 7 % 2 for number in range(1, 3_001)]
    assert list(got) == [(parity, each[: at + 1].count(parity)) for at, parity in enumerate(each)]
    assert kept == (
        {k: sum(range(k or 7, 3_001, 7)) for k in (1, 2, 3, 4, 5, 6, 0)},
        {1: each.count(1), 0: each.count(0)},
    )
    assert counts["left"]


def read(line: int) -> int:
    if line % 100 == 57:
        raise ValueError(line)
    return line * 2


@pytest.mark.parametrize(("at", "seed"), in_turn(["map", "filter", "sink"], range(SEEDS)))
def test_what_is_skipped_in_a_chain_is_a_dead_letter_and_nothing_else_is_lost(eager: None, at: str, seed: int) -> None:
    rng, numbers = Random(seed), 3_000
    got: list[int] = []
    with forced(seed) as counts, Session(capacity=rng.choice((1, 4, 64))) as session:
        many = session.source(range(numbers), name="numbers").flat_map(lambda number: [number] * 2, name="twice")
        kept: Any = {
            "map": lambda: many.map(read, name="at", on_error="skip").map(lambda it: it // 2, name="half"),
            "filter": lambda: many.filter(lambda it: read(it) >= 0, name="at", on_error="skip"),
            "sink": lambda: many,
        }[at]()
        if at == "sink":
            many.sink(lambda it: got.append(read(it) // 2), name="at", on_error="skip")
            tasks: tuple[str, ...] = ("numbers", "twice", "at")
        else:
            kept.sink(got.append, name="got")
            tasks = ("numbers", "twice", "at", "half", "got") if at == "map" else ("numbers", "twice", "at", "got")
        outcome = with_hands(session, rng, tasks)
        assert_counts_agree(session, tasks)
        bad = [number for number in range(numbers) if number % 100 == 57 for _ in range(2)]
        facts = session.snapshot()["at"]
        letters = list(session.dead_letters)
        assert [letter.packet for letter in letters] == bad
        assert [str(letter.error) for letter in letters] == [str(number) for number in bad]
        assert {letter.task for letter in letters} == {"at"}
        assert (facts.processed, facts.skipped, facts.errors) == (2 * numbers, len(bad), len(bad))
        assert outcome.dropped == 0
    assert got == [number for number in range(numbers) if number % 100 != 57 for _ in range(2)]
    assert counts["left"]


@pytest.mark.parametrize("seed", seeds(1, of=SEEDS))
def test_a_letter_of_a_keyed_packet_in_a_chain_has_its_key(eager: None, seed: int) -> None:
    with forced(seed), Session() as session:
        numbers = session.source(range(1_000)).map(lambda number: number)
        numbers.key_by(lambda number: number % 10).map(read, on_error="skip").collect()
        more = session.source(range(1_000)).map(lambda number: number).key_by(lambda number: number % 10)
        more.reduce(lambda _, number: read(number), initial=0, on_error="skip").collect()
        session.run(PATIENCE_S)
        found = Counter((letter.packet, letter.key) for letter in session.dead_letters)
    assert found == {(number, 7): 2 for number in range(1_000) if number % 100 == 57}


def at_once(function: Callable[[int], Any], bad: int) -> Callable[[int], Any]:
    def tried(number: int) -> Any:
        if number == bad:
            raise ValueError(number)
        return function(number)

    return tried


@pytest.mark.parametrize(
    ("step", "seed"), in_turn(["numbers", "map", "filter", "several", "fold", "age"], range(SEEDS))
)
def test_an_error_of_a_key_function_is_that_of_who_sends(eager: None, step: str, seed: int) -> None:
    bad = Random(seed).randrange(900)
    with forced(seed), Session() as session:
        numbers = session.source(range(1_000), name="numbers")
        key = at_once(lambda number: number % 3, bad)
        same: Any = {
            "numbers": lambda: numbers,
            "map": lambda: numbers.map(lambda number: number, name="map"),
            "filter": lambda: numbers.filter(lambda number: True, name="filter"),
            "several": lambda: numbers.flat_map(lambda number: [number], name="several"),
            "fold": lambda: numbers.map(lambda number: number),
            "age": lambda: numbers.map(lambda number: number),
        }[step]()
        if step == "fold":
            keyed = same.key_by(lambda number: number % 3)
            keyed.reduce(lambda _, number: at_once(int, bad)(number), initial=0, name="fold").collect()
        elif step == "age":
            same.key_by(lambda number: number % 3).map(at_once(int, bad), name="age").collect()
        else:
            same.key_by(key).reduce(lambda have, _: have, initial=0, name="after").collect()
        with pytest.raises(runtime.TaskFailed) as failed:
            session.run(PATIENCE_S)
        assert (failed.value.task, failed.value.packet) == (step, bad)
        facts = session.snapshot()
        assert facts[step].processed == bad + 1
        if "after" in facts.tasks:
            assert facts["after"].processed <= bad


def test_a_key_that_has_no_stable_digest_is_refused_in_a_chain_as_without() -> None:
    messages = []
    for chaining in (True, False):
        with Session(chaining=chaining) as session:
            same = session.source(range(10), name="numbers").map(lambda number: number, name="same")
            same.key_by(lambda number: object()).reduce(lambda have, _: have, initial=0).collect()
            with pytest.raises(runtime.TaskFailed) as failed:
                session.run(PATIENCE_S)
            messages.append((failed.value.task, failed.value.packet, type(failed.value.__cause__)))
    assert messages[0] == messages[1]


def test_letters_of_a_chain_hold_no_packets_but_their_own() -> None:
    class Row:
        def __init__(self, number: int) -> None:
            self.number = number

    made: list[weakref.ref[Row]] = []

    def row(number: int) -> Row:
        new = Row(number)
        made.append(weakref.ref(new))
        return new

    def fail(row: Row) -> Row:
        if row.number % 10 == 3:
            raise ValueError(row.number)
        return row

    with forced(1), Session() as session:
        session.source(range(2_000)).map(row).map(fail, on_error="skip").map(lambda it: it).sink(lambda _: None)
        session.run(PATIENCE_S)
        gc.collect()
        alive = [found.number for each in made if (found := each()) is not None]
        assert alive == [letter.packet.number for letter in session.dead_letters] == list(range(3, 2_000, 10))


def fits(step: Step, times: int) -> bool:
    extent = Extent()
    return all(extent.add([step], (at - 1,) if at else ()) for at in range(times))


def test_a_loop_is_no_longer_than_it_may_be() -> None:
    call = Step(("{made} = {call}({value})",))
    assert fits(call, 200)
    assert not fits(call, 201)
    assert fits(Step(("for {made} in {call}({value}):",)), 15)
    assert not fits(Step(("for {made} in {call}({value}):",)), 16)


def test_a_row_of_diamonds_is_not_written_out_as_often_as_there_are_ways_through_it() -> None:
    extent, call = Extent(), Step(("{made} = {call}({value})",))
    assert extent.add([call], ())
    assert all(extent.add([call], (0,)) for _ in range(3))
    assert extent.add([call], (1, 2, 3))
    assert all(extent.add([call], (4,)) for _ in range(3))
    assert extent.add([call], (5, 6, 7))
    assert not extent.add([call], (8, 8))
