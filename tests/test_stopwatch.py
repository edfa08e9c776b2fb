"""Stopwatches by themselves, on a clock that stands where a test puts it, beside a model that keeps all it is told."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.chain import loop_time
from runtime.chain.loop_time import LoopTime
from runtime.facts import SHARES, Spent, Times
from runtime.scheduling import parker
from runtime.scheduling import stopwatch as module
from runtime.scheduling.parker import Parker
from runtime.scheduling.past import stretches as cut
from runtime.scheduling.past import together
from runtime.scheduling.quiescence import QuiescenceMonitor
from runtime.scheduling.stopwatch import MOST_PAST, Stopwatch, ThreadClock, total
from runtime.task.counts import TaskCounts


class Clock:
    """Says what it was told."""

    def __init__(self) -> None:
        self.now_s = 1_000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture(scope="module")
def clock() -> Iterator[Clock]:
    made = Clock()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "perf_counter", made)
        patch.setattr(loop_time, "perf_counter", made)
        patch.setattr(parker, "perf_counter", made)
        yield made


def as_dict(times: Times) -> dict[str, float]:
    return {name: seconds for name, seconds in zip(SHARES, times.seconds, strict=True) if seconds > 1e-9}


# A stretch: what it is, how long in steps of the marks, and how many packets were worked.
stretches = st.lists(
    st.tuples(st.sampled_from(SHARES), st.integers(1, 30), st.integers(0, 50)), min_size=1, max_size=30
)


@settings(max_examples=150, deadline=None)
@given(stretches)
def test_totals_and_the_last_second_are_those_of_a_model_that_keeps_everything(
    clock: Clock, given: list[tuple[Any, int, int]]
) -> None:
    watch, counts = Stopwatch(), TaskCounts()
    watch.begin(counts)
    steps: list[tuple[str, float]] = []  # what each tenth of a second was, and how many packets it had
    for kind, long, packets in given:
        if kind == "busy":
            for number in range(long):
                clock.now_s += 0.1
                worked = packets // long + (number < packets % long)
                counts.work(worked)
                watch.mark(clock.now_s)
                steps.append((kind, worked))
        else:
            watch.wait(kind)
            clock.now_s += 0.1 * long
            steps += [(kind, 0)] * long
            now = watch.spent()  # while it lasts
            assert as_dict(now.whole) == pytest.approx(model(steps)[0])
            watch.go_on(kind)
        now = watch.spent()
        assert as_dict(now.whole) == pytest.approx(model(steps)[0])
        assert now.whole.packets == model(steps)[1]
        assert as_dict(now.lately) == pytest.approx(model(steps[-10:])[0], abs=1e-6)
        assert now.lately.packets == pytest.approx(model(steps[-10:])[1], abs=1)
    watch.end()
    ended = watch.spent().whole
    clock.now_s += 5
    assert watch.spent().whole == ended
    assert watch.spent().lately.lasted_s == 0


@settings(max_examples=150, deadline=None)
@given(stretches, st.booleans())
def test_what_is_remembered_of_the_past_is_what_was_then_and_bounded(
    clock: Clock, given: list[tuple[Any, int, int]], ends: bool
) -> None:
    watch, counts = Stopwatch(), TaskCounts()
    watch.begin(counts)
    began_s = clock.now_s
    steps: list[tuple[str, float]] = []
    for place, (kind, long, packets) in enumerate(given, 1):
        for number in range(long):
            if kind == "busy":
                clock.now_s += 0.1
                counts.work(packets)
                watch.mark(clock.now_s)
            else:
                if not number:
                    watch.wait(kind)
                clock.now_s += 0.1
            steps.append((kind, packets if kind == "busy" else 0))
        if kind != "busy" and (ends or place < len(given)):
            watch.go_on(kind)
    if ends:
        watch.end()
        clock.now_s += 7
    past = watch.past()
    assert len(past) <= MOST_PAST + 2
    assert past[0][0] == pytest.approx(clock.now_s - began_s)
    assert past[-1][0] == pytest.approx(7 if ends else 0)
    assert [ago_s for ago_s, _ in past] == sorted({ago_s for ago_s, _ in past}, reverse=True)
    for ago_s, times in past:
        at = round(10 * (clock.now_s - ago_s - began_s))
        assert as_dict(times) == pytest.approx(model(steps[:at])[0])
        assert times.packets == model(steps[:at])[1]
    parts = cut(past, clock.now_s)
    assert [sum(part.times.seconds) for part in parts] == pytest.approx([each.until_s - each.from_s for each in parts])
    assert sum(part.times.packets for part in parts) == model(steps)[1]


def test_of_a_long_run_the_past_is_coarse_and_reaches_from_its_beginning_to_now(clock: Clock) -> None:
    watch = Stopwatch()
    watch.begin()
    for _ in range(100_000):  # some three hours
        clock.now_s += 0.1
        watch.mark(clock.now_s)
    past = watch.past()
    gaps = [before - after for (before, _), (after, _) in pairwise(past)]
    assert MOST_PAST / 2 <= len(past) <= MOST_PAST + 2
    assert max(gaps) <= 2 * 10_000 / (MOST_PAST / 2)
    assert sum(gaps) == pytest.approx(10_000)


def test_the_past_of_several_threads_is_their_sum_at_moments_of_them_all(clock: Clock) -> None:
    one, other = Stopwatch(), Stopwatch()
    one.begin()
    clock.now_s += 10
    other.begin()  # later
    one.wait("idle")
    clock.now_s += 10
    one.go_on("idle")
    one.end()
    clock.now_s += 10
    parts = cut(together([one.past(), other.past()]), 30)
    assert [(each.from_s, each.until_s) for each in parts] == [(0, 10), (10, 20), (20, 30)]
    wanted = [{"busy": 10.0}, {"busy": 10.0, "idle": 10.0}, {"busy": 10.0}]
    assert [as_dict(each.times) for each in parts] == wanted
    assert together([]) == together([(), ()]) == ()


def model(steps: list[tuple[str, float]]) -> tuple[dict[str, float], float]:
    seconds: dict[str, float] = {}
    for kind, _ in steps:
        seconds[kind] = seconds.get(kind, 0.0) + 0.1
    return seconds, sum(packets for _, packets in steps)


def test_a_wait_within_a_wait_is_its_own_and_the_outer_one_goes_on_after_it(clock: Clock) -> None:
    waiter = Parker(QuiescenceMonitor())
    waiter.stopwatch.begin()

    def comes() -> bool:
        clock.now_s += 2
        return True

    waiter.rest(lambda: False)
    clock.now_s += 1
    waiter.park(comes, "held back")
    clock.now_s += 4
    waiter.go_on()
    clock.now_s += 8
    assert as_dict(waiter.stopwatch.spent().whole) == pytest.approx({"busy": 8, "idle": 5, "held back": 2})


@pytest.mark.parametrize("in_chain", [False, True], ids=["by itself", "in a chain"])
def test_who_waits_while_it_is_read_is_read_again_and_loses_nothing(
    clock: Clock, monkeypatch: pytest.MonkeyPatch, in_chain: bool
) -> None:
    """Its reader was kept from the processor between the clock and the sums."""
    watch, loop = Stopwatch(), LoopTime()
    watch.begin()
    if in_chain:
        loop.serve([watch])  # and does what is its own
    clock.now_s += 10
    read = Stopwatch.read

    def late(self: Stopwatch, now_s: float) -> Times:
        monkeypatch.undo()
        watch.wait("held back")
        clock.now_s += 7
        watch.go_on("held back")
        return read(self, now_s)

    monkeypatch.setattr(Stopwatch, "read", late)
    spent = loop.spent(watch)[watch] if in_chain else watch.spent()
    assert as_dict(spent.whole) == pytest.approx({"busy": 10, "held back": 7})


def test_what_has_no_name_as_a_wait_is_work(clock: Clock) -> None:
    watch = Stopwatch()
    watch.begin()
    watch.wait("running")
    clock.now_s += 3
    assert watch.work() is None
    watch.go_on("running")
    assert as_dict(watch.spent().whole) == pytest.approx({"busy": 3})


def test_every_wait_of_a_state_of_its_own_counts_as_the_one_that_it_is_a_kind_of(clock: Clock) -> None:
    watch = Stopwatch()
    watch.begin()
    for why in ("held back: all busy", module.RATED_REPEAT):
        watch.wait(why)
        clock.now_s += 3
        watch.go_on(why)
    assert as_dict(watch.spent().whole) == pytest.approx({"held back": 3, "held back: rate": 3})


def test_work_in_the_middle_of_a_wait_is_work(clock: Clock) -> None:
    watch = Stopwatch()
    watch.begin()
    watch.wait("waiting")
    clock.now_s += 1
    assert watch.work() == "waiting"
    clock.now_s += 2
    watch.wait("waiting")
    clock.now_s += 4
    watch.go_on("waiting")
    assert as_dict(watch.spent().whole) == pytest.approx({"busy": 2, "waiting": 5})


def test_a_rate_of_the_last_second_forgets_a_burst_before_a_long_wait(clock: Clock) -> None:
    watch, counts = Stopwatch(), TaskCounts()
    watch.begin(counts)
    counts.work(1_000)
    clock.now_s += 0.05  # no mark is due
    watch.wait("idle")
    clock.now_s += 5
    watch.go_on("idle")
    clock.now_s += 0.01
    assert watch.spent().lately.packets == 0


def test_several_threads_are_summed_up() -> None:
    first = Times(busy_s=1.0, idle_s=3.0, on_processor_s=0.5, packets=8)
    second = Times(busy_s=2.0, idle_s=2.0, on_processor_s=1.0)
    both = total([Spent(first, first), Spent(second, second)]).whole
    assert as_dict(both) == {"busy": 3.0, "idle": 5.0}
    assert (both.on_processor_s, both.packets, both.threads, both.per_s) == (1.5, 8, 2, 2.0)


# ── a thread that works for several ──


def test_the_time_of_a_loop_is_that_of_whoever_was_at_work_when_it_was_seen(clock: Clock) -> None:
    one, other, third = watches = [Stopwatch() for _ in range(3)]
    loop = LoopTime()
    loop.begin()
    for each in watches:
        each.begin()
        loop.add(each)
    clock.now_s += 1
    loop.settle(one)
    clock.now_s += 2
    loop.settle(other)
    clock.now_s += 3
    loop.settle(None)  # nobody's: everybody's
    loop.stop()
    for each in watches:
        each.wait("idle")
    clock.now_s += 10
    loop.settle(one)  # which gets nothing of that
    assert [each.spent().whole.busy_s for each in watches] == pytest.approx([2, 3, 1])
    assert [each.spent().whole.lasted_s for each in watches] == pytest.approx([16, 16, 16])
    loop.start()
    for each in watches:
        each.go_on("idle")
    clock.now_s += 4
    loop.close(third)
    clock.now_s += 8  # by themselves again
    assert [each.spent().whole.busy_s for each in watches] == pytest.approx([10, 11, 13])


def test_time_on_a_processor_goes_to_whoever_is_seen_and_to_whoever_the_thread_is_left(clock: Clock) -> None:
    class Told(ThreadClock):
        on_s = 0.0

        def read_s(self, otherwise_s: float = 0.0) -> float:
            return self.on_s

    one, other = watches = [Stopwatch() for _ in range(2)]
    loop, told = LoopTime(), Told()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop_time, "ThreadClock", lambda: told)
        loop.begin()
    for each in watches:
        each.begin()
        loop.add(each)
    for each in (one, other):
        clock.now_s += 4
        told.on_s += 1
        loop.settle(each)
    clock.now_s += 4
    told.on_s += 2
    loop.close(one)
    clock.now_s += 4
    told.on_s += 3
    found = [each.spent().whole.on_processor_s for each in watches]
    assert found == ([6, 1] if module.HAS_CLOCK else [None, None])
