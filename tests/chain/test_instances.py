"""Chains that work all instances of an operator, among which keys are divided: each packet goes to that of its key."""

from __future__ import annotations

import sys
import threading
from collections import Counter
from collections.abc import Iterator
from random import Random

import pytest

import runtime
from runtime import Session
from runtime.chain.loop import Extent, Step
from runtime.communication.partition import Partition
from runtime.testing import Hold
from tests.chain.forced import forced, undisturbed
from tests.chain.test_chains import HANDS
from tests.effort import seeds

PATIENCE_S = 60.0
NUMBERS, KEYS, INSTANCES = 3_000, 13, 4
SEEDS = 5


@pytest.fixture
def eager() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


class Ages(runtime.Function[int, tuple[int, int]]):
    """How many of the same key have come, by the state and by the key that it sees. Fails for one number."""

    def __init__(self, bad: int = -1) -> None:
        self.bad = bad

    def process(self, value: int, /) -> tuple[int, int]:
        state = self.ctx.state
        state["seen"] = state.get("seen", 0) + 1
        assert self.ctx.key == value % KEYS
        if value % NUMBERS == self.bad:
            raise ValueError(value)
        return value, state["seen"]


def ages(numbers: int, bad: int = -1) -> list[tuple[int, int]]:
    seen = Counter[int]()
    made = []
    for number in range(numbers):
        seen[number % KEYS] += 1
        if number != bad:
            made.append((number, seen[number % KEYS]))
    return made


@pytest.mark.parametrize("kept", [False, True], ids=["range", "generator"])
@pytest.mark.parametrize("seed", range(SEEDS))  # of ten, three see what is counted for the wrong instance
def test_keys_under_all_hands_are_worked_by_their_instance_once_and_in_order(
    eager: None, seed: int, kept: bool
) -> None:
    rng, asked = Random(seed), Counter[int]()

    def key(number: int) -> int:
        asked[number] += 1
        return number % KEYS

    with forced(seed) as counts, Session(capacity=rng.choice((1, 4, 64))) as session:
        numbers = session.source((lambda: iter(range(NUMBERS))) if kept else range(NUMBERS), name="numbers")
        many = numbers.flat_map(lambda number: [number] * (number % 2 + 1), name="many")
        one = many.filter(lambda number: True, name="one").flat_map(lambda number: [number])
        first = numbers.map(lambda number: number, name="first").key_by(key)
        got = first.map(Ages(), name="ages", parallelism=INSTANCES).collect(name="got")
        rest = one.collect(name="rest")
        instances = [f"ages#{number}" for number in range(INSTANCES)]
        session.start()
        while session.status == "running":
            rng.choice(HANDS)(session, rng, rng.choice(["numbers", "many", "first", "got", *instances]))
        outcome = session.wait(PATIENCE_S)
        facts = session.snapshot()
        assert facts["first"].emitted == sum(facts[each].processed for each in instances) == NUMBERS
        assert facts["got"].processed == sum(facts[each].emitted for each in instances)
        assert outcome.dropped == 0
        per_instance = [facts[each].processed for each in instances]
    assert sorted(got) == ages(NUMBERS)
    for wanted in range(KEYS):
        assert [each for each in got if each[0] % KEYS == wanted] == [
            each for each in ages(NUMBERS) if each[0] % KEYS == wanted
        ]
    assert list(rest) == [number for number in range(NUMBERS) for _ in range(number % 2 + 1)]
    assert asked == Counter(range(NUMBERS))
    assert sorted(per_instance) == sorted(alone_per_instance())
    assert counts["left"]


def alone_per_instance() -> list[int]:
    """How many packets each instance works without chains."""
    with Session(chaining=False) as session:
        session.source(range(NUMBERS)).key_by(lambda number: number % KEYS).sink(
            lambda _: None, name="at", parallelism=INSTANCES
        )
        session.run(PATIENCE_S)
        return [session.snapshot()[f"at#{number}"].processed for number in range(INSTANCES)]


@pytest.mark.parametrize("seed", seeds(2, of=SEEDS))
def test_an_error_is_that_of_the_instance_of_its_key(eager: None, seed: int) -> None:
    rng, bad = Random(seed), Random(seed).randrange(NUMBERS)
    named = []
    for chaining in (False, True):
        with forced(seed), Session(capacity=rng.choice((1, 4, 64)), chaining=chaining) as session:
            keyed = session.source(range(NUMBERS)).map(lambda number: number).key_by(lambda number: number % KEYS)
            keyed.map(Ages(bad), name="ages", parallelism=INSTANCES).collect()
            with pytest.raises(runtime.TaskFailed) as failed:
                session.run(PATIENCE_S)
            named.append((failed.value.task, failed.value.packet, session.snapshot()[failed.value.task].processed))
    assert named[0] == named[1]
    assert named[0][1] == bad


@pytest.mark.parametrize("seed", seeds(2, of=SEEDS))
def test_what_an_instance_skips_has_its_key(eager: None, seed: int) -> None:
    def read(number: int) -> int:
        if number % 100 == 57:
            raise ValueError(number)
        return number

    with forced(seed) as counts, Session(capacity=Random(seed).choice((1, 4, 64))) as session:
        keyed = session.source(range(NUMBERS)).map(lambda number: number).key_by(lambda number: number % KEYS)
        got = keyed.map(read, name="read", parallelism=INSTANCES, on_error="skip").collect()
        session.run(PATIENCE_S)
        letters = Counter((letter.packet, letter.key) for letter in session.dead_letters)
    assert sorted(got) == [number for number in range(NUMBERS) if number % 100 != 57]
    assert letters == {(number, number % KEYS): 1 for number in range(57, NUMBERS, 100)}
    assert counts["left"]


def test_an_instance_that_is_stuck_holds_up_no_other() -> None:
    hold, got, others = Hold[int](), list[int](), threading.Event()
    numbers = [0, *(number for number in range(100) if number % 10)]
    places = Partition(range(INSTANCES))
    stuck = sum(places.find(number % 10) == places.find(0) for number in numbers)

    def work(number: int) -> int:
        return hold(number) if number == 0 else number

    def see(number: int) -> None:
        got.append(number)
        if len(got) == len(numbers) - stuck:
            others.set()

    with Session(capacity=4_000) as session:
        keyed = session.source(numbers, name="numbers").key_by(lambda number: number % 10)
        keyed.map(work, name="at", parallelism=INSTANCES).sink(see)
        session.start()
        hold.reached.wait()
        assert others.wait(PATIENCE_S)
        hold.release()
        session.wait(PATIENCE_S)
    assert sorted(got) == numbers


def test_instances_are_worked_by_one_thread_to_the_end() -> None:
    started: set[str] = set()
    begin = threading.Thread.start

    def start(thread: threading.Thread) -> None:
        started.add(thread.name)
        begin(thread)

    with undisturbed(), Session("one") as session:
        keyed = session.source(list(range(100)), name="source").key_by(lambda number: number % 7)
        got = keyed.map(lambda number: number, parallelism=INSTANCES).collect()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(threading.Thread, "start", start)
            session.run(PATIENCE_S)
    assert sorted(got) == list(range(100))
    assert {name for name in started if name.startswith("one/")} == {"one/source", "one/watch"}


def test_more_instances_than_a_loop_is_written_for_work_by_themselves() -> None:
    extent, call = Extent(), Step(("{made} = {call}({value})",), is_keyed=True)
    assert extent.add([call], ())
    assert not extent.add([call] * 10, (0,))
    assert extent.add([call] * 9, (0,))
    assert not extent.add([call] * 2, range(1, 10))
