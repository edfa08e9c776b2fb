"""What applies of promise 14: the hand puts packets in, and none is lost, doubled or reordered by that."""

from __future__ import annotations

import contextlib
import threading
from collections import Counter, defaultdict
from itertools import count
from typing import Any

import pytest

import runtime
from runtime.testing import PATIENCE_S, Hold, QueueWatch
from tests.platforms import MakeSession, Platform
from tests.promises.test_01_exact import every_capacity
from tests.promises.test_02_order_and_keys import WithInstance, rising

HANDS, EACH = 3, 60


def hands_at_work(session: runtime.Session, target: str, accepted: list[tuple[int, int]]) -> list[threading.Thread]:
    """Several threads that inject `(hand, number)`; what was accepted is in `accepted`, in order per hand."""

    def work(hand: int) -> None:
        for number in range(EACH):
            try:
                session.inject(target, (hand, number), timeout=None if number % 2 else PATIENCE_S)
            except runtime.TaskEnded:
                return
            accepted.append((hand, number))

    return [threading.Thread(target=work, args=(hand,)) for hand in range(HANDS)]


def fill(session: runtime.Session, target: str) -> list[int]:
    """Inject numbers until there is no room; those that were accepted."""
    accepted: list[int] = []
    with contextlib.suppress(runtime.QueueFull):
        for number in count():
            session.inject(target, number)
            accepted.append(number)
    return accepted


def start_all(threads: list[threading.Thread]) -> None:
    for thread in threads:
        thread.start()


def join_all(threads: list[threading.Thread]) -> None:
    for thread in threads:
        thread.join(PATIENCE_S)
        assert not thread.is_alive()


@every_capacity
@pytest.mark.parametrize("consumers", [1, 3])
def test_many_hands_beside_a_running_source_lose_double_and_reorder_nothing(
    make_session: MakeSession, platform: Platform, capacity: int, consumers: int
) -> None:
    session = make_session(capacity=capacity)
    source = session.source((-1, number) for number in range(300))
    worked = source.union(session.input("open")).map(WithInstance(), name="work", parallelism=consumers)
    result = worked.collect()
    session.start()
    accepted = platform.log()
    threads = hands_at_work(session, "work", accepted)
    start_all(threads)
    with QueueWatch(session):
        join_all(threads)
    session.end("open")
    outcome = session.wait(PATIENCE_S)
    assert len(accepted) == HANDS * EACH
    assert Counter(packet for _, packet in result) == Counter([*accepted, *((-1, number) for number in range(300))])
    assert (outcome.packets_in, outcome.packets_out) == (300 + HANDS * EACH,) * 2
    seen: dict[tuple[int, int], list[int]] = defaultdict(list)
    for consumer, (hand, number) in result:
        seen[consumer, hand].append(number)
    assert all(rising(numbers) for numbers in seen.values())


@every_capacity
def test_what_was_accepted_before_the_end_is_worked_and_the_rest_is_refused(
    make_session: MakeSession, platform: Platform, capacity: int
) -> None:
    """The hands race with the end of the job, over and over: accepted and then worked, or refused."""
    for _ in range(15):
        session = make_session(capacity=capacity)
        result = session.source((-1, number) for number in range(20)).map(lambda value: value, name="work").collect()
        accepted = platform.log()
        threads = hands_at_work(session, "work", accepted)
        session.start()
        start_all(threads)
        outcome = session.wait(PATIENCE_S)
        join_all(threads)
        assert Counter(packet for packet in result if packet[0] >= 0) == Counter(accepted)
        assert outcome.packets_in == outcome.packets_out == 20 + len(accepted)
        session.close()


@every_capacity
def test_what_was_accepted_before_a_cancel_is_worked_or_counted_as_dropped(
    make_session: MakeSession, platform: Platform, capacity: int
) -> None:
    for _ in range(15):
        session = make_session(capacity=capacity)
        session.source((-1, number) for number in count()).map(lambda value: value, name="work").sink(lambda _: None)
        accepted = platform.log()
        threads = hands_at_work(session, "work", accepted)
        session.start()
        start_all(threads)
        session.cancel()
        outcome = session.wait(PATIENCE_S)
        join_all(threads)
        made = session.snapshot()["source"].processed
        assert outcome.packets_in == made + len(accepted) == outcome.packets_out + outcome.dropped
        session.close()


def test_a_cancelled_task_refuses_the_hand_while_its_function_is_at_work_though_there_is_room(
    make_session: MakeSession,
) -> None:
    hold: Hold[int] = Hold()
    session = make_session(capacity=5)  # two producers have two places each, and the hand has the last one
    session.source([1]).union(session.input("in")).sink(hold, name="sink")
    session.start()
    hold.reached.wait()
    session.cancel()
    with pytest.raises(runtime.TaskEnded, match="'sink'"):
        session.inject("sink", 2)
    hold.release()
    assert session.wait(PATIENCE_S).packets_in == 1


def test_the_hand_goes_round_the_instances_as_a_producer_does(make_session: MakeSession) -> None:
    session = make_session()
    result = session.input("in").map(WithInstance(), name="work", parallelism=3).collect()
    session.start()
    for number in range(9):
        session.inject("work", number)
    session.stop()
    session.wait(PATIENCE_S)
    assert Counter(instance for instance, _ in result) == {0: 3, 1: 3, 2: 3}


def test_the_hand_reaches_the_one_task_that_it_names(make_session: MakeSession) -> None:
    session = make_session()
    result = session.input("in").map(WithInstance(), name="work", parallelism=3).collect()
    session.start()
    for number in range(6):
        session.inject("work#1", number)
    session.stop()
    session.wait(PATIENCE_S)
    assert list(result) == [(1, number) for number in range(6)]


def test_the_hand_applies_the_key_function_of_the_edge(make_session: MakeSession) -> None:
    session = make_session()
    keyed = session.input("in").key_by(lambda value: value % 7)
    result = keyed.map(WithInstance(), name="work", parallelism=3).collect()
    counts = keyed.reduce(lambda number, _: number + 1, initial=0, emit="end", name="count", parallelism=2).collect()
    session.start()
    for number in range(70):
        session.send("in", number)
        session.inject("work", number)
        session.inject("count", number)
    session.stop()
    session.wait(PATIENCE_S)
    assert sorted(counts) == [(key, 20) for key in range(7)]
    assert Counter(value for _, value in result) == dict.fromkeys(range(70), 2)
    instances = {value % 7: {instance for instance, other in result if other % 7 == value % 7} for value in range(70)}
    assert all(len(each) == 1 for each in instances.values())


def test_an_error_of_a_key_function_is_the_hands_own(make_session: MakeSession) -> None:
    session = make_session()
    result = session.input("in").key_by(lambda value: 1 // value).map(abs, name="work").collect()
    session.start()
    with pytest.raises(ZeroDivisionError):
        session.inject("work", 0)
    session.inject("work", 1)
    session.stop()
    assert session.wait(PATIENCE_S).errors == 0
    assert list(result) == [1]


@pytest.mark.concurrent
@pytest.mark.parametrize("capacity", [1, 2, 3, 8])
def test_a_full_queue_refuses_the_hand_at_once_and_takes_nothing(make_session: MakeSession, capacity: int) -> None:
    session = make_session(capacity=capacity)
    hold = Hold[int]()
    result = session.input("in").map(hold, name="work").collect()
    session.start()
    session.inject("work", -1)
    hold.reached.wait()
    accepted = fill(session, "work")
    assert max(1, capacity - 1) <= len(accepted) <= capacity  # one place may be promised to a producer
    with pytest.raises(runtime.QueueFull, match=r"places are taken.*timeout=, or raise the capacity"):
        session.inject("work", 99)
    with pytest.raises(runtime.QueueFull):
        session.inject("work", 100, timeout=0.01)
    hold.release()
    session.inject("work", 101, timeout=PATIENCE_S)
    session.stop()
    session.wait(PATIENCE_S)
    assert list(result) == [-1, *accepted, 101]


@pytest.mark.concurrent
def test_a_broadcast_by_hand_reaches_every_instance_or_none(make_session: MakeSession) -> None:
    session = make_session(capacity=2)
    hold = Hold[tuple[int, int]](lambda packet: packet[0] == 1)

    class Work(WithInstance):
        def process(self, value: Any, /) -> tuple[int, Any]:
            return hold((self.ctx.index, value))

        def __deepcopy__(self, memo: object) -> Work:
            return Work()

    result = session.input("in").broadcast().map(Work(), name="work", parallelism=2).collect()
    session.start()
    session.inject("work", "all")
    hold.reached.wait()
    fill(session, "work#1")
    refused = 0
    for number in range(5):  # instance 0 has room, instance 1 has none
        try:
            session.inject("work", f"late {number}")
        except runtime.QueueFull:
            refused += 1
    assert refused == 5
    hold.release()
    session.stop()
    session.wait(PATIENCE_S)
    late = Counter(value for _, value in result if str(value).startswith("late"))
    assert late == {}


def test_the_hand_may_feed_each_input_of_a_union(make_session: MakeSession) -> None:
    session = make_session()
    left, right = session.input("left"), session.input("right")
    result = left.union(right).map(lambda value: value, name="work").collect()
    session.start()
    for number, target in enumerate(["left", "right", "work", "collect"] * 5):
        session.inject(target, number)
    session.stop()
    outcome = session.wait(PATIENCE_S)
    assert sorted(result) == list(range(20))
    assert (outcome.packets_in, outcome.packets_out) == (20, 20)


@pytest.mark.parametrize("value", [None, 0, "", False, ()], ids=repr)
def test_the_hand_puts_in_any_value(make_session: MakeSession, value: Any) -> None:
    session = make_session()
    result = session.input("in").key_by(lambda each: each).map(lambda each: each, parallelism=2).collect()
    session.start()
    session.send("in", value)
    session.end("in")
    session.wait(PATIENCE_S)
    assert list(result) == [value]
