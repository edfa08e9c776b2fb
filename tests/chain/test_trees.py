"""Chains of streams with several consumers and of unions: what comes out is what would without chains."""

from __future__ import annotations

import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import pytest

import runtime
from runtime import Session
from runtime.testing import Hold
from tests.chain.forced import forced, undisturbed
from tests.chain.test_chains import HANDS
from tests.effort import in_turn, seeds

PATIENCE_S = 60.0
SEEDS = 5
NUMBERS = 3_000


@pytest.fixture
def eager() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


EDGES = {
    "numbers": ("more", "several", "apart", "odd"),
    "more": ("joined", "last"),
    "several": ("joined",),
    "odd": ("joined",),
    "joined": ("got", "twice"),
    "twice": ("all",),
}
"""Who feeds whom. One consumer in the middle has two instances, and so a queue."""

FED = {"more": 1, "several": 1, "odd": 1, "joined": 3, "got": 1, "twice": 1, "last": 1, "all": 1}


class Ends(dict[str, list[int]]):
    """What has come to each sink."""

    def sink(self, name: str) -> Callable[[int], None]:
        return self.setdefault(name, []).append


def tree(session: Session, numbers: Any, at: Callable[[str], Callable[[int], None]]) -> Ends:
    """A tree; each function calls `at(name)` with its packet first."""
    ends = Ends()

    def then(name: str, function: Callable[[int], Any]) -> Callable[[int], Any]:
        look = at(name)

        def called(number: int) -> Any:
            look(number)
            return function(number)

        return called

    source = session.source(numbers, name="numbers")
    more = source.map(then("more", lambda number: number + 1), name="more")
    several = source.flat_map(then("several", lambda number: [number] * (number % 3)), name="several")
    source.map(then("apart", lambda number: number), name="apart", parallelism=2).sink(ends.sink("apart"), name="end")
    odd = source.filter(then("odd", lambda number: number % 2 == 1), name="odd")
    joined = more.union(several, odd).map(then("joined", lambda number: number), name="joined")
    joined.sink(then("got", ends.sink("got")), name="got")
    joined.map(then("twice", lambda number: number * 2), name="twice").sink(then("all", ends.sink("all")), name="all")
    more.sink(then("last", ends.sink("last")), name="last")
    return ends


def expected(numbers: int) -> dict[str, Counter[int]]:
    joined = Counter(
        made for each in range(numbers) for made in [each + 1, *[each] * (each % 3), *[each] * (each % 2 == 1)]
    )
    return {
        "apart": Counter(range(numbers)),
        "got": joined,
        "all": Counter({2 * number: times for number, times in joined.items()}),
        "last": Counter(range(1, numbers + 1)),
    }


def untouched(name: str) -> Callable[[int], None]:
    return lambda number: None


@pytest.mark.parametrize(("kept", "seed"), in_turn([False, True], range(SEEDS), 2))
def test_a_tree_under_all_hands_loses_and_doubles_nothing(eager: None, seed: int, kept: bool) -> None:
    rng = Random(seed)
    with forced(seed) as counts, Session(capacity=rng.choice((1, 4, 64))) as session:
        ends = tree(session, (lambda: iter(range(NUMBERS))) if kept else range(NUMBERS), untouched)
        session.start()
        while session.status == "running":
            rng.choice(HANDS)(session, rng, rng.choice(["numbers", *FED]))
        outcome = session.wait(PATIENCE_S)
        assert {name: Counter(got) for name, got in ends.items()} == expected(NUMBERS)
        assert ends["last"] == list(range(1, NUMBERS + 1))
        facts = session.snapshot()
        for name, consumers in EDGES.items():
            fed = sum(facts[each].processed for each in consumers if each != "apart" and FED[each] == 1)
            fed += NUMBERS * (name == "numbers")  # apart
            fed += {"more": NUMBERS, "several": NUMBERS, "odd": NUMBERS // 2}.get(name, 0)  # joined
            assert facts[name].emitted == fed, name
        assert facts["joined"].processed == sum(expected(NUMBERS)["got"].values())
        assert outcome.dropped == 0
    assert counts["left"]


@pytest.mark.parametrize(("step", "seed"), in_turn(FED, range(SEEDS)))
def test_an_error_in_a_tree_names_its_task_and_its_packet(eager: None, step: str, seed: int) -> None:
    rng, bad = Random(seed), NUMBERS // 2 + 2 * Random(seed).randrange(300) + 1
    worked = Counter[str]()

    def at(name: str) -> Callable[[int], None]:
        def look(number: int) -> None:
            worked[name] += 1
            if name == step and number >= bad:
                raise ValueError(number)

        return look

    with forced(seed), Session(capacity=rng.choice((1, 4, 64))) as session:
        tree(session, range(NUMBERS), at)
        with pytest.raises(runtime.TaskFailed) as failed:
            session.run(PATIENCE_S)
        assert (failed.value.task, str(failed.value.packet)) == (step, str(failed.value.__cause__))
        facts = session.snapshot()
        assert {name: facts[name].processed for name in FED} == {name: worked[name] for name in FED}


@pytest.mark.parametrize(("kept", "seed"), in_turn([False, True], range(SEEDS)))
def test_an_error_of_the_second_key_function_is_that_of_who_sends(eager: None, seed: int, kept: bool) -> None:
    rng, bad = Random(seed), Random(seed).randrange(900)
    asked = Counter[int]()

    def key(number: int) -> int:
        asked[number] += 1
        if number == bad:
            raise ValueError(number)
        return number % 3

    with forced(seed), Session(capacity=rng.choice((4, 64))) as session:
        numbers = session.source((lambda: iter(range(1_000))) if kept else range(1_000), name="numbers")
        same = numbers.map(lambda number: number, name="same")
        same.sink(lambda number: None, name="first")
        same.key_by(key).reduce(lambda have, _: have, initial=0, name="after").collect()
        with pytest.raises(runtime.TaskFailed) as failed:
            session.run(PATIENCE_S)
        assert (failed.value.task, failed.value.packet) == ("same", bad)
        facts = session.snapshot()
        assert facts["same"].processed == bad + 1
        assert facts["after"].processed <= bad
    assert asked == Counter(range(bad + 1))


@pytest.mark.parametrize("seed", seeds(2, of=SEEDS))
def test_each_key_function_of_a_tree_is_asked_once_a_packet(eager: None, seed: int) -> None:
    rng, asked = Random(seed), Counter[tuple[str, int]]()

    def key(name: str) -> Callable[[int], int]:
        def of(number: int) -> int:
            asked[name, number] += 1
            return number % 3

        return of

    with forced(seed) as counts, Session(capacity=rng.choice((1, 4, 64))) as session:
        numbers = session.source(range(NUMBERS), name="numbers")
        sums = [
            numbers.key_by(key(name)).reduce(lambda total, it: total + it, initial=0, name=name).collect()
            for name in ("first", "second", "third")
        ]
        session.start()
        while session.status == "running":
            rng.choice(HANDS)(session, rng, rng.choice(["numbers", "first", "second", "third"]))
        session.wait(PATIENCE_S)
        assert sums[0] == sums[1] == sums[2]
    assert asked == {(name, number): 1 for name in ("first", "second", "third") for number in range(NUMBERS)}
    assert counts["left"]


@pytest.mark.parametrize("seed", seeds(2, of=SEEDS))
def test_what_is_skipped_in_a_branch_is_kept_from_no_other(eager: None, seed: int) -> None:
    rng = Random(seed)

    def fail(number: int) -> int:
        if number % 100 == 57:
            raise ValueError(number)
        return number

    with forced(seed) as counts, Session(capacity=rng.choice((1, 4, 64))) as session:
        numbers = session.source(range(NUMBERS), name="numbers").flat_map(lambda number: [number] * 2)
        good = numbers.map(fail, name="fails", on_error="skip").collect()
        numbers.sink(fail, name="ends", on_error="skip")
        rest = numbers.filter(fail, name="asks", on_error="skip").collect()
        whole = numbers.collect()
        session.run(PATIENCE_S)
        letters = Counter((letter.task, letter.packet) for letter in session.dead_letters)
        skipped = {name: session.snapshot()[name].skipped for name in ("fails", "ends", "asks")}
    kept = [number for number in range(NUMBERS) if number % 100 != 57 for _ in range(2)]
    assert list(whole) == [number for number in range(NUMBERS) for _ in range(2)]
    assert list(good) == kept
    assert list(rest) == [number for number in kept if number]
    assert skipped == {"fails": 60, "ends": 60, "asks": 60}
    bad = range(57, NUMBERS, 100)
    assert letters == {(name, number): 2 for name in ("fails", "ends", "asks") for number in bad}
    assert counts["left"]


@pytest.mark.parametrize("is_keyed", [False, True], ids=["plain", "keyed"])
@pytest.mark.parametrize("held", ["map", "filter", "sink"])
def test_a_function_that_is_stuck_keeps_nothing_from_the_other_consumers(held: str, is_keyed: bool) -> None:
    """And when it goes on they get nothing again, and no key function is asked again."""
    hold, asked, got, all_there = Hold[int](), list[int](), list[int](), threading.Event()

    def key(number: int) -> int:
        asked.append(number)
        return number

    def see(number: int) -> None:
        got.append(number)
        if number == 3:
            all_there.set()

    with Session(capacity=4) as session:
        numbers = session.source(range(4), name="numbers")
        if held == "sink":
            numbers.sink(hold, name="held")
        else:
            getattr(numbers, held)(hold, name="held").sink(lambda _: None)
        other: Any = numbers.key_by(key) if is_keyed else numbers
        other.sink(see, name="other")
        session.start()
        hold.reached.wait()
        assert all_there.wait(PATIENCE_S)
        hold.release()
        session.wait(PATIENCE_S)
        assert got == [0, 1, 2, 3]
        assert asked == ([0, 1, 2, 3] if is_keyed else [])
        facts = session.snapshot()
        assert (facts["numbers"].emitted, facts["held"].processed, facts["other"].processed) == (8, 4, 4)


def test_a_tree_needs_one_thread_to_its_end() -> None:
    names: set[str] = set()
    with undisturbed(), Session("one") as session:
        source = session.source(range(100), name="source")
        first, second = source.map(lambda number: number), source.filter(lambda number: number % 2)
        for stream in (first, second, first.union(second)):
            stream.sink(lambda _: names.add(threading.current_thread().name))
        started: set[str] = set()
        begin = threading.Thread.start

        def start(thread: threading.Thread) -> None:
            started.add(thread.name)
            begin(thread)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(threading.Thread, "start", start)
            session.run(PATIENCE_S)
    assert names == {"one/source"}
    assert {name for name in started if name.startswith("one/")} == {"one/source", "one/watch"}
