"""What a run remembers stays in that run and in its operator: each instance of each run has functions of its own."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from typing import Any

import pytest

import runtime
from runtime.testing import PATIENCE_S
from tests.platforms import MakeSession, Platform


class First(runtime.Function[int, bool]):
    """Whether it sees a value for the first time."""

    def __init__(self) -> None:
        self.seen: set[int] = set()

    def process(self, value: int, /) -> bool:
        new = value not in self.seen
        self.seen.add(value)
        return new


class FirstUpTo(First):
    """Raises at `last`."""

    def process(self, value: int, /) -> bool:
        if value == 3:
            raise ValueError("enough")
        return super().process(value)


class Numbers(runtime.SourceFunction[int]):
    def __init__(self) -> None:
        self.next = 0

    def run(self) -> Iterator[int]:
        for _ in range(3):
            self.next += 1
            yield self.next


@pytest.mark.parametrize("parallelism", [1, 2])
def test_every_run_begins_with_the_function_as_it_was_given(make_session: MakeSession, parallelism: int) -> None:
    first = First()
    session = make_session()
    keyed = session.source([1, 2, 1]).key_by(lambda value: value)
    result = keyed.filter(first, parallelism=parallelism).collect()
    for _ in range(2):
        session.run(PATIENCE_S)
        assert sorted(result) == [1, 2]
    assert first.seen == set()
    assert not hasattr(first, "ctx")


def test_every_run_begins_with_the_source_function_as_it_was_given(make_session: MakeSession) -> None:
    session = make_session()
    result = session.source(Numbers()).collect()
    for _ in range(2):
        session.run(PATIENCE_S)
        assert list(result) == [1, 2, 3]


def test_a_run_that_failed_half_way_leaves_nothing_to_the_next(make_session: MakeSession) -> None:
    values = [1, 2, 3]
    session = make_session()
    result = session.source(lambda: list(values)).filter(FirstUpTo()).collect()
    with pytest.raises(runtime.TaskFailed):
        session.run(PATIENCE_S)
    values.remove(3)
    session.run(PATIENCE_S)
    assert list(result) == [1, 2]


def test_two_operators_that_were_given_one_function_share_nothing(make_session: MakeSession) -> None:
    first = First()
    session = make_session()
    one, other = (session.source([1, 2, 1]).filter(first).collect() for _ in range(2))
    session.run(PATIENCE_S)
    assert (list(one), list(other)) == ([1, 2], [1, 2])


def test_two_sessions_that_were_given_one_function_share_nothing(make_session: MakeSession) -> None:
    first = First()
    for _ in range(2):
        session = make_session()
        result = session.source([1, 2, 1]).filter(first).collect()
        session.run(PATIENCE_S)
        assert list(result) == [1, 2]


def test_both_inputs_of_one_operator_may_have_one_function_and_share_it(make_session: MakeSession) -> None:
    first = First()
    session = make_session(seed=5)
    left, right = session.source([1, 2]), session.source([1, 2])
    result = left.connect(right).map(first, first).collect()
    for _ in range(2):
        session.run(PATIENCE_S)
        assert sorted(result) == [False, False, True, True]


class Locked(First):
    """Cannot be copied."""

    def __init__(self) -> None:
        super().__init__()
        self.lock = threading.Lock()


class LockedNumbers(Numbers):
    def __init__(self) -> None:
        super().__init__()
        self.lock = threading.Lock()


GIVEN: dict[str, Any] = {
    "Function": lambda s, it: s.source([1, 2, 1]).filter(it, name="it").collect(),
    "SourceFunction": lambda s, it: s.source(it, name="it").collect(),
    "one of two": lambda s, it: s.source([1]).connect(s.source([1])).map(it, abs, name="it").collect(),
}
MAKE = {"Function": Locked, "SourceFunction": LockedNumbers, "one of two": Locked}
every_way = pytest.mark.parametrize("way", GIVEN)


@every_way
def test_what_cannot_be_copied_is_used_itself_once(make_session: MakeSession, way: str) -> None:
    session = make_session()
    result = GIVEN[way](session, MAKE[way]())
    session.run(PATIENCE_S)
    assert len(result) >= 2
    with pytest.raises(runtime.NotCopyable, match=r"'it' cannot be copied .*in a run before; open .* in open\(\)"):
        session.start()
    assert session.outcome is not None


@every_way
def test_what_cannot_be_copied_is_refused_in_another_session(make_session: MakeSession, way: str) -> None:
    it = MAKE[way]()
    session = make_session()
    GIVEN[way](session, it)
    session.run(PATIENCE_S)
    other = make_session()
    GIVEN[way](other, it)
    with pytest.raises(runtime.NotCopyable, match="in a run before"):
        other.start()
    assert other.status == "new"


def test_what_cannot_be_copied_is_refused_for_a_second_operator_and_can_then_be_mended(
    make_session: MakeSession,
) -> None:
    it = Locked()
    session = make_session()
    for name in ("one", "other"):
        session.source([1]).map(it, name=name).sink(abs)
    with pytest.raises(runtime.NotCopyable, match=r"the Locked of 'other' cannot be copied .* it is by 'one'"):
        session.start()
    good = make_session()  # what was refused has not been used
    good.source([1]).map(it).sink(abs)
    good.run(PATIENCE_S)


def test_a_new_object_in_the_place_of_one_that_is_gone_is_not_taken_for_it(platform: Platform) -> None:
    def run(function: Locked) -> int:
        with runtime.Session(**platform.options) as session:  # held by nobody else, so that it goes with its functions
            session.source([1]).map(function).sink(abs)
            session.run(PATIENCE_S)
        return id(function)

    in_its_place: list[Locked] = []
    for _ in range(50):
        place = run(Locked())
        gc.collect()
        others = [Locked() for _ in range(2000)]  # all at once, so that they fill every place there is
        if in_its_place := [each for each in others if id(each) == place]:
            break
    run(in_its_place[0])


@pytest.mark.on_ray
def test_on_ray_each_run_pickles_the_function_as_it_was_given() -> None:
    first = First()
    with runtime.Session(platform="remote") as session:
        result = session.source([1, 2, 1]).filter(first).collect()
        for _ in range(2):
            session.run(60)
            assert list(result) == [1, 2]
    assert first.seen == set()


@pytest.mark.on_ray
def test_on_ray_what_cannot_be_pickled_is_refused_and_what_can_needs_no_copy() -> None:
    with runtime.Session(platform="remote") as session:
        session.source([1]).filter(Locked(), name="it").collect()
        with pytest.raises(runtime.NotCopyable, match=r"'it' runs in a process of its own.* in open\(\)"):
            session.start()
    with runtime.Session(platform="remote") as session:
        result = session.source([-1]).map(HasModule()).collect()
        session.run(60)
        assert list(result) == [1]


class HasModule(runtime.Function[int, int]):
    """Goes to another process, where `copy` would have refused it."""

    def __init__(self) -> None:
        self.module = runtime

    def process(self, value: int, /) -> int:
        assert self.module.__name__ == "runtime"
        return -value
