"""Promise 3: a queue never holds more than its capacity, or one packet per lane; a full one holds its producer back."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import count
from operator import eq

import pytest

import runtime
from runtime.testing import PATIENCE_S, Hold, QueueWatch, check_bounded
from tests.pairs import every_pair_of
from tests.platforms import MakeSession, Platform
from tests.promises.test_01_exact import CAPACITIES, every_capacity

pytestmark = pytest.mark.concurrent


@every_pair_of(producers=(1, 2, 5), consumers=(1, 3), capacity=CAPACITIES, keyed={"round_robin": False, "keyed": True})
def test_no_observation_finds_more_than_the_capacity(
    make_session: MakeSession, producers: int, consumers: int, capacity: int, keyed: bool
) -> None:
    session = make_session(capacity=capacity)

    def look(value: int) -> int:
        check_bounded(session.snapshot())
        return value

    source = session.source(range(300), parallelism=producers)
    many = source.flat_map(lambda value: [value] * 3, parallelism=consumers)
    divided = many.key_by(lambda value: value % 4) if keyed else many
    divided.map(look, parallelism=producers).sink(look, parallelism=consumers)
    session.start()
    with QueueWatch(session):
        outcome = session.wait(PATIENCE_S)
    assert outcome.packets_out == 900


@every_capacity
def test_no_observation_finds_more_than_the_capacity_while_the_hand_puts_in(
    make_session: MakeSession, capacity: int
) -> None:
    session = make_session(capacity=capacity)
    session.source(range(2000)).map(lambda value: value, name="work").sink(lambda _: None)
    session.start()
    accepted = 0
    with QueueWatch(session):
        try:
            while True:
                try:
                    session.inject("work", -1)
                    accepted += 1
                except runtime.QueueFull:
                    session.inject("work", -1, timeout=PATIENCE_S)
                    accepted += 1
        except runtime.TaskEnded:
            pass
        outcome = session.wait(PATIENCE_S)
    assert outcome.packets_out == 2000 + accepted


@every_pair_of(producers=(1, 2, 4), capacity=CAPACITIES[:3])
def test_a_full_lane_holds_its_producer_back(
    make_session: MakeSession, platform: Platform, capacity: int, producers: int
) -> None:
    session = make_session(capacity=capacity)
    hold = Hold[int]()
    made = platform.log()

    def numbers() -> Iterator[int]:
        for number in count():
            made.append(number)
            yield number

    session.source(numbers, parallelism=producers).map(hold, name="held").take(50).collect()
    session.start()
    hold.reached.wait()
    with QueueWatch(session) as watch:
        limit = max(capacity, producers)
        for _ in range(100):  # the watch's thread and the producers have every chance to go too far
            check_bounded(session.snapshot())
            assert len(made) <= limit + 1 + producers  # what waits, what is in work, what each has in hand
        hold.release()
        session.wait(PATIENCE_S)
    assert watch.deepest.get("held", 0) <= limit


@every_capacity
def test_a_packet_that_makes_many_is_held_back_in_the_middle_and_loses_nothing(
    make_session: MakeSession, platform: Platform, capacity: int
) -> None:
    session = make_session(capacity=capacity)
    made, got = platform.log(), platform.log()

    def explode(size: int) -> Iterator[int]:
        for number in range(size):
            made.append(number)
            yield number

    def check(number: int) -> None:
        got.append(number)
        ahead = len(made) - len(got)
        assert ahead <= capacity + 1, f"{ahead} packets ahead of a queue of {capacity}"

    session.source([5 * capacity + 10]).flat_map(explode).sink(check)
    session.run(PATIENCE_S)
    assert got == list(range(5 * capacity + 10))


def test_what_a_function_sends_by_itself_is_held_back_too(make_session: MakeSession, platform: Platform) -> None:
    session = make_session(capacity=2)
    made, got = platform.log(), platform.log()

    class Explode(runtime.Function[int, int]):
        def process(self, value: int, /) -> int:
            for number in range(value):
                made.append(number)
                self.ctx.send_packet(number)
            return value

        def finish(self) -> Iterator[int]:
            for number in range(20):
                made.append(number)
                yield number

    def check(number: int) -> None:
        got.append(number)
        assert len(made) - len(got) <= 2 + 1

    session.source([20]).map(Explode()).sink(check)
    session.run(PATIENCE_S)
    assert got == [*range(20), 20, *range(20)]


def test_one_stuck_consumer_holds_its_producer_back_but_no_other(make_session: MakeSession, platform: Platform) -> None:
    session = make_session(capacity=2)
    hold, other_done = Hold[int](), platform.moment()
    session.source(range(100), name="held").map(hold).sink(lambda _: None)

    def note(value: int) -> None:
        if value == 99:
            other_done.set()

    session.source(range(100), name="free").map(lambda value: value).sink(note)
    session.start()
    hold.reached.wait()
    other_done.wait()
    hold.release()
    assert session.wait(PATIENCE_S).packets_out == 200


def test_one_stuck_producer_holds_no_other_up(make_session: MakeSession, platform: Platform) -> None:
    session = make_session(capacity=2)
    release, all_others = platform.moment(), platform.moment()
    got = platform.log()

    def stuck() -> Iterator[int]:
        yield -1
        release.wait()
        yield -2

    def note(value: int) -> None:
        got.append(value)
        if value == 499:
            all_others.set()

    session.source(stuck).union(session.source(range(500))).sink(note)
    session.start()
    all_others.wait()
    assert -2 not in got
    release.set()
    session.wait(PATIENCE_S)
    assert sorted(got) == [-2, -1, *range(500)]
    assert got.index(-1) < got.index(-2) == 501


def test_depth_never_counts_the_packet_in_work_once_the_job_stands_still(make_session: MakeSession) -> None:
    session = make_session(capacity=3)
    session.input("in").map(lambda value: value, name="work").collect()
    session.start()
    for number in range(10):
        session.send("in", number)
    session.settle(PATIENCE_S)
    snapshot = session.snapshot()
    assert [task.depth for task in snapshot] == [0, 0, 0]
    assert snapshot["work"].processed == snapshot["work"].emitted == 10
    session.end("in")
    session.wait(PATIENCE_S)


def test_a_queue_shorter_than_its_producers_are_many_holds_one_packet_of_each(
    make_session: MakeSession, platform: Platform
) -> None:
    session = make_session(capacity=1)
    hold, everybody_waits = Hold[int](), platform.moment()
    made = platform.log()

    def two() -> Iterator[int]:
        for number in range(2):
            made.append(number)
            if len(made) >= 8:
                everybody_waits.set()
            yield number

    session.source(two, parallelism=4).sink(hold, name="held")
    session.start()
    hold.reached.wait()
    everybody_waits.wait()
    check_bounded(session.snapshot())
    hold.release()
    assert session.wait(PATIENCE_S).packets_out == 8


@pytest.mark.concurrent
@pytest.mark.parametrize("capacity", [2, 4, 7, 100])
def test_beside_a_reader_at_a_slow_packet_its_queue_fills_to_the_brim(make_session: MakeSession, capacity: int) -> None:
    """Wherever in a batch that packet lies: who is held back at a free place would be taken for one in user code."""
    for slow in range(capacity, 3 * capacity + 1, max(1, capacity // 4)):
        session = make_session(capacity=capacity)
        hold = Hold[int](partial(eq, slow))
        result = session.source(range(1000), name="numbers").map(abs, name="before").map(hold, name="work").collect()
        session.start()
        hold.reached.wait()
        assert session.pause("numbers", "before", timeout=PATIENCE_S) == ()
        session.resume()
        hold.release()
        session.wait(PATIENCE_S)
        assert list(result) == list(range(1000))
        session.close()
