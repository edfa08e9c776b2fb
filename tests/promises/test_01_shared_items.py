"""Promise 1 for sources: each item of what several instances share is sent once, whatever kind of iterable it is."""

from __future__ import annotations

import gc
import random
import sys
import threading
import time
import weakref
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import chain, count, islice
from typing import Any

import pytest

import runtime
from runtime.testing import PATIENCE_S, Moment
from tests.pairs import every_pair_of
from tests.platforms import MakeSession

ITEMS = 300


class Once:
    """Can be iterated over, and is spent by that: as cursors and progress bars are."""

    def __init__(self, items: Iterable[int]) -> None:
        self.items = iter(items)

    def __iter__(self) -> Iterator[int]:
        yield from self.items


class Shuffled:
    """Yields the same items in another order each time."""

    def __iter__(self) -> Iterator[int]:
        items = list(range(ITEMS))
        random.Random(time.perf_counter_ns()).shuffle(items)
        return iter(items)


class ByIndex:
    """A data set: has a length, and items by index, and nothing else."""

    def __len__(self) -> int:
        return ITEMS

    def __getitem__(self, index: int) -> int:
        return index  # of any index: it does not say where it ends


class Fragile:
    """An iterator that breaks if two threads ask it at once."""

    def __init__(self) -> None:
        self.number, self.inside = 0, False

    def __iter__(self) -> Fragile:
        return self

    def __next__(self) -> int:
        assert not self.inside, "asked by two at once"
        self.inside = True
        time.sleep(0)
        self.number += 1
        self.inside = False
        if self.number > ITEMS:
            raise StopIteration
        return self.number - 1


class GivesFragile:
    def __iter__(self) -> Iterator[int]:
        return Fragile()


SHARED: dict[str, Callable[[], Any]] = {
    "spent by iterating": lambda: Once(range(ITEMS)),
    "in another order each time": Shuffled,
    "a set": lambda: set(range(ITEMS)),
    "a deque": lambda: deque(range(ITEMS)),
    "dict values": lambda: dict.fromkeys(range(ITEMS)).keys(),
    "by index": ByIndex,
    "an iterator that is no generator": GivesFragile,
    "a list": lambda: list(range(ITEMS)),
    "a range": lambda: range(ITEMS),
    "a dict": lambda: dict.fromkeys(range(ITEMS)),
}


@every_pair_of(items=SHARED, instances=(1, 2, 5), on_error=("fail", "skip"))
def test_each_item_of_a_shared_iterable_is_sent_once(
    make_session: MakeSession, items: Callable[[], Any], instances: int, on_error: runtime.OnError
) -> None:
    session = make_session(capacity=8)
    result = session.source(items(), parallelism=instances, on_error=on_error).map(abs, parallelism=2).collect()
    interval_s = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        outcome = session.run(PATIENCE_S)
    finally:
        sys.setswitchinterval(interval_s)
    assert Counter(result) == Counter(range(ITEMS))
    assert (outcome.state, outcome.packets_in, outcome.errors) == ("completed", ITEMS, 0)


class HoldsAt:
    """Yields 0 to 9; before `at` it waits for `release`."""

    def __init__(self, at: int) -> None:
        self.at, self.reached, self.release = at, Moment("the item"), Moment("the release")

    def __iter__(self) -> Iterator[int]:
        for number in range(10):
            if number == self.at:
                self.reached.set()
                self.release.wait()
            yield number


def waiting(session: runtime.Session) -> list[str]:
    return [task.name for task in session.snapshot() if task.state == "waiting"]


def wait_until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


@pytest.mark.concurrent
@pytest.mark.parametrize("end", ["stop", "cancel", "close"])
@pytest.mark.parametrize("on_error", ["fail", "skip"])
def test_who_waits_for_another_to_draw_hears_stop_and_cancel(
    make_session: MakeSession, end: str, on_error: runtime.OnError
) -> None:
    items = HoldsAt(4)
    session = make_session(on_error=on_error)
    result = session.source(items, name="items", parallelism=3).collect(name="result")
    session.start()
    items.reached.wait()
    wait_until(lambda: len(waiting(session)) == 2)
    others = waiting(session)
    ending = threading.Thread(target=getattr(session, end))
    ending.start()
    wait_until(lambda: all(session.snapshot()[name].ending for name in others))
    items.release.set()
    ending.join(PATIENCE_S)
    outcome = session.wait(PATIENCE_S)
    assert outcome.state == ("stopped" if end == "stop" else "cancelled")
    assert {session.snapshot()[name].ending for name in others} == {outcome.state}
    if end == "stop":
        assert sorted(result) == list(range(5))


@pytest.mark.concurrent
def test_a_pause_names_who_draws_and_not_who_waits_to(make_session: MakeSession) -> None:
    items = HoldsAt(0)
    session = make_session()
    result = session.source(items, name="items", parallelism=2).collect()
    session.start()
    items.reached.wait()
    wait_until(lambda: waiting(session))
    drawing = next(task.name for task in session.snapshot() if task.state == "running")
    assert session.pause(timeout=0.05) == (drawing,)
    session.resume()
    items.release.set()
    session.wait(PATIENCE_S)
    assert sorted(result) == list(range(10))


def test_an_error_of_shared_items_fails_the_job(make_session: MakeSession) -> None:
    def fails() -> Iterator[int]:
        yield 1
        raise ValueError("no more")

    class Items:
        def __iter__(self) -> Iterator[int]:
            return fails()

    session = make_session()
    session.source(Items(), name="items", parallelism=3).collect()
    with pytest.raises(runtime.TaskFailed, match=r"'items#\d' failed: ValueError: no more"):
        session.run(PATIENCE_S)


def test_shared_items_that_cannot_be_iterated_over_fail_the_job_as_any_source_that_cannot_be_opened(
    make_session: MakeSession,
) -> None:
    class Items:
        def __iter__(self) -> Iterator[int]:
            raise OSError("no such place")

    session = make_session(on_error="skip")
    session.source(Items(), name="items", parallelism=2).collect()
    with pytest.raises(runtime.TaskFailed, match=r"'items#\d' failed: OSError: no such place"):
        session.run(PATIENCE_S)


def test_an_error_of_shared_items_that_is_skipped_loses_no_other_item(make_session: MakeSession) -> None:
    class Items:
        def __init__(self) -> None:
            self.numbers = count()

        def __iter__(self) -> Items:
            return self

        def __next__(self) -> int:
            number = next(self.numbers)
            if number == 50:
                raise StopIteration
            if number % 10 == 3:
                raise ValueError(number)
            return number

    class Shared:
        def __iter__(self) -> Iterator[int]:
            return Items()

    session = make_session(on_error="skip")
    result = session.source(Shared(), parallelism=3).collect()
    outcome = session.run(PATIENCE_S)
    assert sorted(result) == [number for number in range(50) if number % 10 != 3]
    assert outcome.errors == 5


def test_a_shared_generator_is_closed_once_by_the_last_who_drew_from_it(make_session: MakeSession) -> None:
    closed: list[str] = []

    def numbers() -> Iterator[int]:
        try:
            yield from count()
        finally:
            closed.append(threading.current_thread().name)

    class Items:
        def __iter__(self) -> Iterator[int]:
            return numbers()

    session = make_session("test")
    session.source(Items(), name="items", parallelism=3).take(10).collect()
    session.run(PATIENCE_S)
    assert [name.rpartition("#")[0] for name in closed] == ["test/items"]


def test_steps_of_instances_that_share_items_take_one_each(make_session: MakeSession) -> None:
    session = make_session()
    result = session.source({1, 2, 3}, name="items", parallelism=2).collect(name="result")
    session.start(paused=True)
    steps = [session.step("items#1"), session.step("items#0"), session.step("items#1")]
    assert [len(step.sent) for step in steps] == [1, 1, 1]
    session.resume()
    session.wait(PATIENCE_S)
    assert sorted(result) == [1, 2, 3]


@pytest.mark.on_ray
def test_on_ray_each_item_of_a_shared_iterable_is_sent_once() -> None:
    words = {f"word {number}" for number in range(100)}  # a set is in another order in every process
    with runtime.Session(platform="remote") as session:
        result = session.source(words, parallelism=2).collect()
        spent = session.source(Once(range(ITEMS)), parallelism=2).collect()
        indexed = session.source(ByIndex(), parallelism=2).collect()
        session.run(60)
    assert Counter(result) == Counter(words)
    assert sorted(spent) == sorted(indexed) == list(range(ITEMS))


# ── one iterator, several sources ──


@pytest.mark.parametrize(
    "iterator", [Fragile(), iter([1]), map(abs, [1]), (n for n in [1])], ids=["own", "list", "map", "generator"]
)
def test_one_iterator_in_two_sources_is_refused_by_name(session: runtime.Session, iterator: Iterator[int]) -> None:
    session.source(iterator, name="one")
    with pytest.raises(runtime.GraphInvalid, match=r"source 'one' draws from .* already.* have two consumers"):
        session.source(iterator, name="other")
    with pytest.raises(runtime.UnconsumedStream):
        session.start()  # and "other" is not there


@pytest.mark.parametrize("instances", [1, 2])
def test_sources_whose_callables_return_one_iterator_are_refused(make_session: MakeSession, instances: int) -> None:
    iterator = Fragile()
    session = make_session()
    for number in range(3 - instances):
        session.source(lambda: iterator, name=f"source {number}", parallelism=instances).collect()
    with pytest.raises(runtime.TaskFailed, match="another source draws from this iterator"):
        session.run(PATIENCE_S)


@pytest.mark.concurrent
def test_two_sessions_cannot_draw_from_one_iterator_at_once_but_one_after_the_other(
    make_session: MakeSession,
) -> None:
    def numbers() -> Iterator[int]:
        drawing.set()
        release.wait()
        yield from range(10)

    drawing, release = Moment("the first draw"), Moment("the release")
    iterator = chain(numbers())
    one, other, later = make_session(), make_session(), make_session()
    first = one.source(iterator).take(3).collect()
    other.source(iterator, name="late").collect()
    one.start()
    drawing.wait()
    with pytest.raises(
        runtime.TaskFailed, match="'late' failed: GraphInvalid: another source draws from this iterator"
    ):
        other.run(PATIENCE_S)
    release.set()
    one.wait(PATIENCE_S)
    rest = later.source(iterator).collect()
    later.run(PATIENCE_S)
    assert list(first) == [0, 1, 2]
    assert list(rest) == sorted(rest)


# ── what is let go of ──


class Traced:
    """A generator inside of other iterators, and whether it has been finished."""

    def __init__(self) -> None:
        self.finished = False

    def numbers(self) -> Iterator[int]:
        try:
            yield from count()
        finally:
            self.finished = True


def fails_at_5(number: int) -> int:
    if number == 5:
        raise ValueError(number)
    return number


INSIDE: dict[str, Callable[[Iterator[int]], Iterator[int]]] = {
    "map": lambda inner: map(abs, inner),
    "chain": lambda inner: chain([-1], inner),
    "islice": lambda inner: islice(inner, 1000),
    "map that fails": lambda inner: map(fails_at_5, inner),
}


@every_pair_of(inside=INSIDE, form=("iterator", "callable", "shared", "never begun"), on_error=("fail", "skip"))
def test_a_generator_inside_another_iterator_is_finished_by_the_end(
    make_session: MakeSession, inside: Callable[[Iterator[int]], Iterator[int]], form: str, on_error: runtime.OnError
) -> None:
    traced = Traced()

    class Items:
        def __iter__(self) -> Iterator[int]:
            return inside(traced.numbers())

    session = make_session(on_error=on_error)
    inner = traced.numbers()
    if form == "never begun":
        next(inner)
    source: Any = {"callable": lambda: inside(traced.numbers()), "shared": Items()}.get(form) or inside(inner)
    del inner
    session.source(source, parallelism=2 if form == "shared" else 1).take(20).collect()
    del source
    session.start(paused=form == "never begun")
    if form == "never begun":
        session.cancel()
    with suppress(runtime.TaskFailed):  # of one of the functions
        session.wait(PATIENCE_S)
    session.close()
    assert traced.finished


def test_a_closed_session_does_not_refer_to_the_iterator_it_was_given(make_session: MakeSession) -> None:
    iterator = Fragile()
    gone = weakref.ref(iterator)
    session = make_session()
    session.source(iterator).collect()
    session.run(PATIENCE_S)
    session.close()
    del iterator
    gc.collect()
    assert gone() is None


# ── nothing yet ──


class Polls(runtime.SourceFunction[int]):
    """Has an item every third time that it looks."""

    def run(self) -> Iterator[Any]:
        for number in count():
            yield number // 3 if number % 3 == 2 else runtime.IDLE


def idles() -> Iterator[Any]:
    while True:
        yield runtime.IDLE


class Idles:
    def __iter__(self) -> Iterator[Any]:
        return idles()


FORMS: dict[str, tuple[Callable[[], Any], int]] = {
    "generator": (idles, 1),
    "chain": (lambda: chain(idles()), 1),
    "shared": (Idles, 2),
}


@every_pair_of(form=FORMS, end=("stop", "cancel"), on_error={"fail": "fail", "skip": "skip", "retry": runtime.Retry(2)})
def test_a_source_that_has_nothing_yet_can_be_stopped_and_cancelled(
    make_session: MakeSession, form: tuple[Callable[[], Any], int], end: str, on_error: runtime.OnError
) -> None:
    make, instances = form
    session = make_session()
    result = session.source(make(), name="idles", parallelism=instances, on_error=on_error).collect()
    session.start()
    session.pause(timeout=PATIENCE_S)
    session.resume()
    getattr(session, end)()
    outcome = session.wait(PATIENCE_S)
    assert (outcome.state, outcome.packets_in) == ("stopped" if end == "stop" else "cancelled", 0)
    assert list(result) == []


@pytest.mark.parametrize("on_error", ["fail", "skip"])
def test_idle_is_no_packet(make_session: MakeSession, on_error: runtime.OnError) -> None:
    session = make_session()
    stream = session.source(lambda: islice(Polls().run(), 900), name="polls", on_error=on_error)
    result = stream.key_by(abs).map(lambda value: value, parallelism=2).collect()
    outcome = session.run(PATIENCE_S)
    assert sorted(result) == list(range(300))
    assert outcome.packets_in == session.snapshot()["polls"].emitted == 300


@pytest.mark.parametrize("on_error", ["fail", "skip"])
def test_a_step_of_a_source_that_has_nothing_yet_is_idle(make_session: MakeSession, on_error: runtime.OnError) -> None:
    session = make_session()
    session.source(Polls(), name="polls", on_error=on_error).collect(name="result")
    session.start(paused=True)
    assert [session.step("polls").result for _ in range(6)] == ["idle", "idle", "done"] * 2
    assert session.snapshot()["polls"].processed == 2
    session.cancel()


def test_idle_elsewhere_is_a_packet_like_any_other(make_session: MakeSession) -> None:
    session = make_session()
    result = session.source([1, 2]).map(lambda _: runtime.IDLE).collect()
    session.run(PATIENCE_S)
    assert list(result) == [runtime.IDLE] * 2


@pytest.mark.on_ray
def test_on_ray_idle_is_no_packet_either() -> None:
    with runtime.Session(platform="remote") as session:
        result = session.source(Polls()).take(5).collect()
        session.run(60)
        assert list(result) == list(range(5))
