"""Promise 18, `first_free()`: each packet goes to the first instance that is free, and waits while none is."""

from __future__ import annotations

import heapq
import random
import sys
import threading
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import runtime
from runtime.errors import GraphInvalid, JobHeld
from runtime.task.base_task import BaseTask
from runtime.testing import PATIENCE_S, Hold, Moment, check_bounded, explore, leak_guard
from tests.pairs import every_pair_of
from tests.platforms import MakeSession
from tests.test_state import store_of

PACKETS = 40


class Busy(Exception):
    """Raised for the first attempt of a packet, which then takes so many virtual seconds."""

    def __init__(self, retry_after: float) -> None:
        super().__init__(retry_after)
        self.retry_after = retry_after


class Lasting(runtime.Function[tuple[int, float], int]):
    """Takes as long as its packet says, in virtual time: the wait for a second attempt."""

    def __init__(self) -> None:
        self.tried: int | None = None

    def process(self, value: tuple[int, float]) -> int:
        number, seconds = value
        if self.tried != number:
            self.tried = number
            raise Busy(seconds)
        return number


LASTING = runtime.Retry(1, backoff=0, most=1e9)


class WithInstance(runtime.Function[int, tuple[int, int]]):
    """Which instance has worked which packet."""

    def process(self, value: int) -> tuple[int, int]:
        return self.ctx.index, value


def shortest(durations: Sequence[float], instances: int) -> float:
    """When the last packet is done if each goes to the instance that is free first."""
    free_at = [0.0] * instances
    for seconds in durations:
        heapq.heappush(free_at, heapq.heappop(free_at) + seconds)
    return max(free_at)


def until(ready: Callable[[], Any]) -> None:
    """Wait for what a job does not tell anybody by itself."""
    watch = threading.Event()
    for _ in range(int(PATIENCE_S * 1000)):
        if ready():
            return
        watch.wait(0.001)
    raise AssertionError("it has not come")


# ── it is the first that is free ──


@given(
    durations=st.lists(st.integers(1, 50).map(float), min_size=1, max_size=15),
    instances=st.integers(2, 5),
    producers=st.integers(1, 2),
    capacity=st.sampled_from((1, 4, 1024)),
    seed=st.integers(0, 10_000),
)
@settings(max_examples=60, deadline=None)
def test_no_packet_waits_while_an_instance_is_free(
    durations: list[float], instances: int, producers: int, capacity: int, seed: int
) -> None:
    with runtime.Session(seed=seed, capacity=capacity) as session:
        items = session.source(list(enumerate(durations)))
        if producers > 1:
            items = items.map(lambda value: value, parallelism=producers)
        result = items.first_free().map(Lasting(), parallelism=instances, on_error=LASTING).collect()
        session.run(PATIENCE_S)
        took_s = session.snapshot().at_s
    assert sorted(result) == list(range(len(durations)))
    if producers == 1 or len(set(durations)) == 1:  # else the order in which packets come is not that of the list
        assert took_s == shortest(durations, instances)
    else:
        assert took_s <= sum(durations) / instances + max(durations), "nobody idles while something waits"


def test_one_slow_packet_in_four_costs_what_it_takes_and_not_its_neighbours() -> None:
    durations = [30.0 if number % 4 == 0 else 1.0 for number in range(PACKETS)]
    took_s = {}
    for divided in ("first_free", "round_robin"):
        with runtime.Session(seed=1) as session:
            stream = getattr(session.source(list(enumerate(durations))), divided)()
            stream.map(Lasting(), parallelism=4, on_error=LASTING).collect()
            session.run(PATIENCE_S)
            took_s[divided] = session.snapshot().at_s
    assert took_s == {"first_free": shortest(durations, 4), "round_robin": sum(durations[::4])}


def test_an_instance_that_is_still_opening_is_not_free() -> None:
    opened = Moment("its opening")

    class Slow(WithInstance):
        def open(self, ctx: Any) -> None:
            if ctx.index == 0:
                opened.wait()

    with runtime.Session() as session:
        result = session.source(range(PACKETS)).first_free().map(Slow(), parallelism=2, name="work").collect()
        session.start()
        until(lambda: len(result) == PACKETS)
        opened.set()
        session.wait(PATIENCE_S)
    assert {instance for instance, _ in result} == {1}


# ── nothing else changes ──


@every_pair_of(
    producers=(1, 3),
    consumers=(1, 2, 4),
    capacity=(1, 3, 1024),
    policy={"fail": "fail", "skip": "skip", "retry": runtime.Retry(1), "hold": "hold"},
    rate={"": None, "rate": runtime.Rate(1000, per=0.001)},
    before={"source": False, "chained": True},
)
def test_every_packet_is_worked_once_and_in_order_per_producer_and_instance(
    make_session: MakeSession, producers: int, consumers: int, capacity: int, policy: Any, rate: Any, before: bool
) -> None:
    session = make_session(capacity=capacity)
    stream = session.source(range(PACKETS), parallelism=producers)
    if before:
        stream = stream.map(abs, parallelism=producers).flat_map(lambda value: [value, -value], parallelism=producers)
    given = {"parallelism": consumers, "on_error": policy, "rate": rate, "name": "work"}
    result = stream.first_free().map(WithInstance(), **given).collect()
    outcome = session.run(PATIENCE_S)
    numbers = [value for _, value in result]
    assert outcome.state == "completed"
    assert sorted(map(abs, numbers)) == sorted([*range(PACKETS)] * (1 + before))
    for instance in range(consumers):
        mine = [abs(value) for at, value in result if at == instance]
        for producer in range(1 if before else producers):
            of_one = mine if before else [value for value in mine if value % producers == producer]
            assert of_one == sorted(of_one) or (before and producers > 1)
    check_bounded(session.snapshot())
    depths = [session.snapshot()[task].depth for task in session.graph.tasks("work")]
    assert depths == [0] * consumers


# ── by hand ──


def stood(session: runtime.Session, *, instances: int = 2, **given: Any) -> runtime.Collected[int]:
    """`numbers → work → out`, paused before its first packet, with each instance free."""
    stream = session.source(range(6), name="numbers").first_free()
    result = stream.map(lambda value: value, parallelism=instances, name="work", **given).collect(name="out")
    session.start(paused=True)
    session.settle(PATIENCE_S)
    return result


def depths(session: runtime.Session) -> list[int]:
    """Of the instances of `work`."""
    return [session.snapshot()[task].depth for task in session.graph.tasks("work")]


def test_stepped_each_instance_gets_one_packet_and_the_next_waits_for_the_first_that_is_free(
    make_session: MakeSession,
) -> None:
    session = make_session()
    result = stood(session)
    first, second = session.step("numbers"), session.step("numbers")
    assert {first.sent[0][0], second.sent[0][0]} == {"work#0", "work#1"}
    third = session.step("numbers")
    assert (third.result, str(third)) == ("held_back", "numbers: held back: all busy")
    assert session.snapshot()["numbers"].state == "held back: all busy"
    assert depths(session) == [1, 1]
    session.settle(PATIENCE_S)
    freed = second.sent[0][0]
    session.step(freed)
    until(lambda: depths(session) == [1, 1])
    assert [packet.payload for packet in session.peek(freed)] == [2]
    session.resume()
    assert session.wait(PATIENCE_S).state == "completed"
    assert sorted(result) == [0, 1, 2, 3, 4, 5]


def test_of_many_results_a_step_says_which_have_gone_and_that_no_instance_is_free_for_the_next() -> None:
    with runtime.Session(seed=1) as session:
        stream = session.source([5], name="numbers").flat_map(range, name="many").first_free()
        stream.map(abs, parallelism=2, name="work").collect()
        session.start(paused=True)
        session.step("numbers")
        step = session.step("many")
        assert str(step) == "many: 5 -> 0 to work#1, 1 to work#0; held back: all busy", "by this seed #1 is open first"
        session.resume()


@pytest.mark.parametrize("is_put_back", [False, True])
def test_a_packet_that_is_dropped_by_hand_frees_its_instance_and_one_that_is_put_back_is_worked(
    make_session: MakeSession, is_put_back: bool
) -> None:
    session = make_session()
    result = stood(session)
    target = session.step("numbers").sent[0][0]
    session.step("numbers")
    session.drop(session.peek(target)[0])
    session.step("numbers")
    session.settle(PATIENCE_S)
    assert depths(session).count(0) == 1, "its instance stands at its gate, and has not said that it is free"
    if is_put_back:
        session.undo()
    session.resume()
    outcome = session.wait(PATIENCE_S)
    assert outcome.dropped == (not is_put_back)
    assert sorted(result) == [0, 1, 2, 3, 4, 5][not is_put_back :]


def test_an_instance_is_free_again_after_a_packet_was_dropped_that_it_was_just_woken_for() -> None:
    """The hand drops what has come to a paused instance that waits, and has not come to its gate."""
    with runtime.Session() as session:
        result = session.input("numbers").first_free().map(abs, parallelism=2, name="work").collect()
        session.start()
        session.settle(PATIENCE_S)
        task = session._runs.run.dispatcher.tasks["work#0"]  # type: ignore[union-attr]
        assert isinstance(task, BaseTask)
        instances, lane = task.ctx.wiring.free, task.inbox.lanes[1]
        assert instances is not None
        assert instances.withdraw(0), "as a producer does"
        lane.items.append(1)
        task.inbox.hand.remove(lane, 0)
        task.inbox.wake_if_asleep()
        until(lambda: instances.withdraw(0))
        instances.give(0)
        session.send("numbers", 2)
        session.end("numbers")
        session.wait(PATIENCE_S)
    assert list(result) == [2]


def test_an_instance_with_a_packet_of_the_hand_in_work_is_not_free() -> None:
    work = Hold[int](lambda value: value == 100)
    with runtime.Session() as session:
        source = session.input("numbers")
        result = source.first_free().map(work, parallelism=2, name="work").collect()
        session.start()
        session.settle(PATIENCE_S)
        session.inject("work#0", 100)
        work.reached.wait()
        for value in range(PACKETS):
            session.send("numbers", value)
        until(lambda: len(result) == PACKETS)
        assert list(result) == list(range(PACKETS)), "all by the other, in order"
        assert session.snapshot()["work#0"].depth == 0
        work.release()
        session.end("numbers")
        session.wait(PATIENCE_S)
        assert list(result) == [*range(PACKETS), 100]


def test_what_a_producer_remembers_is_restored_without_asking_who_is_free() -> None:
    with runtime.Session() as session:
        stood(session)
        store = store_of(session, "numbers")
        session.step("numbers")
        copied = store.copy()
        session.step("numbers")
        store.restore(copied)
        session.step("numbers")
        assert depths(session) == [1, 1]
        session.resume()


def test_each_instance_works_on_a_thread_of_its_own_and_in_no_chain() -> None:
    threads: set[str] = set()

    def note(value: int) -> int:
        threads.add(threading.current_thread().name)
        return value

    with runtime.Session("one") as session:
        before = session.source(range(PACKETS)).map(abs, name="before")
        before.first_free().map(note, parallelism=2, name="work").collect()
        session.run(PATIENCE_S)
    assert threads <= {"one/work#0", "one/work#1"}


# ── errors and ends ──


def test_an_instance_that_holds_a_packet_is_not_free_and_the_others_go_on_until_the_job_is_held() -> None:
    def refuse(value: int) -> int:
        if value == 3:
            raise ValueError("no 3")
        return value

    with runtime.Session() as session:
        stream = session.source(range(PACKETS)).first_free()
        result = stream.map(refuse, parallelism=3, name="work", on_error="hold").collect()
        session.start()
        with pytest.raises(JobHeld):
            session.wait(PATIENCE_S)
        assert [held.packet for held in session.held] == [3]
        session.held[0].skip()
        session.resume()
        session.wait(PATIENCE_S)
    assert sorted(result) == [value for value in range(PACKETS) if value != 3]


@pytest.mark.parametrize("policy", ["skip", runtime.Retry(1)])
def test_of_a_packet_that_makes_many_results_all_are_sent_or_none_under_a_policy(policy: Any) -> None:
    def many(value: int) -> list[int]:
        if value % 3 == 0 and policy == "skip":
            raise ValueError
        return [value] * 5

    with runtime.Session() as session:
        stream = session.source(range(12)).flat_map(many, on_error=policy).first_free()
        result = stream.map(abs, parallelism=3).collect()
        session.run(PATIENCE_S)
    assert sorted(result) == [value for value in range(12) if value % 3 or policy != "skip" for _ in range(5)]


def endless() -> Any:
    """Numbers for ever."""
    number = 0
    while True:
        yield number
        number += 1


@every_pair_of(way=("stop", "cancel", "take", "failure"), producers=(1, 2), skips=(False, True), chaining=(False, True))
def test_however_it_ends_a_producer_that_waits_for_a_free_instance_is_woken_and_all_that_it_sent_is_counted(
    way: str, producers: int, skips: bool, chaining: bool
) -> None:
    reached, released = Moment("the packet to hold"), Moment("the release")

    def work(value: int) -> int:
        if value >= 20:  # both instances
            reached.set()
            released.wait()
        if way == "failure" and value >= 20:
            raise ValueError("too many")
        return value

    with leak_guard(), runtime.Session(chaining=chaining) as session:
        items = session.source(endless, name="numbers")
        items = items.map(abs, name="before", parallelism=producers, on_error="skip" if skips else "fail")
        worked = items.first_free().map(work, parallelism=2, name="work")
        result = (worked.take(10) if way == "take" else worked).collect()
        session.start()
        if way != "take":
            reached.wait()
            before = session.graph.tasks("before")
            until(lambda: {session.snapshot()[task].state for task in before} == {"held back: all busy"})
        if way in ("stop", "cancel"):
            getattr(session, way)()
        released.set()
        if way == "failure":
            with pytest.raises(runtime.TaskFailed):
                session.wait(PATIENCE_S)
        else:
            session.wait(PATIENCE_S)
        facts = session.snapshot()
        assert session.outcome is not None
    sent = sum(facts[task].emitted for task in session.graph.tasks("before"))
    assert sent == sum(facts[task].processed + facts[task].depth for task in session.graph.tasks("work"))
    assert len(set(result)) == len(result)
    if way == "stop":
        assert (sorted(result), session.outcome.dropped) == (list(range(facts["numbers"].emitted)), 0)


def test_a_producer_that_nobody_needs_any_more_ends_though_all_instances_are_busy() -> None:
    work = Hold[int]()
    with runtime.Session() as session:
        other = session.input("other")
        worked = session.source(endless, name="numbers").first_free().map(lambda _: work.released.wait(), parallelism=2)
        result = worked.union(other).take(1).collect()
        session.start()
        until(lambda: session.snapshot()["numbers"].state == "held back: all busy")
        session.send("other", 7)
        until(lambda: session.snapshot()["numbers"].state in ("ended", "completed"))
        work.release()
        session.end("other")
        session.wait(PATIENCE_S)
    assert list(result) == [7]


# ── refused ──


@pytest.mark.parametrize(
    ("write", "why"),
    [
        (lambda stream: stream.first_free().map(waits, parallelism=2), "waits for many calls at once"),
        (lambda stream: stream.first_free().map_batches(list, parallelism=2), "takes many packets at once"),
        (
            lambda stream: stream.first_free().connect(stream.first_free()).map(abs, abs, parallelism=2),
            "has two inputs",
        ),
        (
            lambda stream: stream.first_free().union(stream.map(abs, name="other")).map(abs, parallelism=2),
            "fed by 'other' as well",
        ),
    ],
    ids=["async", "batches", "two inputs", "another way"],
)
def test_it_is_refused_by_name_where_an_instance_is_not_busy_with_one_packet_or_is_sent_others(
    write: Callable[[runtime.Stream[int]], runtime.Stream[Any]], why: str
) -> None:
    with runtime.Session() as session:
        write(session.source(range(3))).collect()
        with pytest.raises(GraphInvalid, match=rf"first free instance of '\w+', which .*{why}"):
            session.start()


async def waits(value: int) -> int:
    return value


@pytest.mark.on_ray
def test_on_ray_it_is_refused_by_name() -> None:
    with runtime.Session(platform="remote") as session:
        session.source(range(3)).first_free().map(abs, parallelism=2, name="work").collect()
        with pytest.raises(GraphInvalid, match="first free instance of 'work', and its instances are processes"):
            session.start()


# ── schedules ──


def test_every_schedule_is_exact() -> None:
    def build(session: runtime.Session) -> Any:
        left = session.source(range(6), name="left").map(abs, parallelism=2)
        united = left.union(session.source(range(6, 10), name="right")).first_free()
        made = united.flat_map(lambda value: [value] * (value % 3), parallelism=3, on_error="skip").first_free()
        return made.map(abs, parallelism=2, capacity=1).collect()

    def check(session: runtime.Session, result: Any) -> None:
        assert sorted(result) == [value for value in range(10) for _ in range(value % 3)]
        check_bounded(session.snapshot())

    assert explore(build, check, seeds=150) is None


@pytest.mark.parametrize("cut", [False, True], ids=["to its end", "cancelled"])
def test_with_threads_that_are_changed_all_the_time_no_token_is_lost_or_given_twice(cut: bool) -> None:
    rng = random.Random(18)
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for _ in range(10):
            packets, producers, consumers = rng.randint(50, 300), rng.randint(1, 3), rng.randint(2, 4)
            with runtime.Session(capacity=rng.choice((1, 2, 1024))) as session:
                stream = session.source(range(packets), parallelism=producers, name="numbers").first_free()
                result = stream.map(abs, parallelism=consumers, name="work").collect(name="out")
                session.start()
                if cut:
                    until(lambda: len(result) > 15)  # noqa: B023  it is over before the next one
                    session.cancel()
                outcome = session.wait(PATIENCE_S)
                facts = session.snapshot()
            sent = sum(facts[task].emitted for task in session.graph.tasks("numbers"))
            taken = [facts[task] for task in session.graph.tasks("work")]
            assert sent == sum(task.processed + task.depth for task in taken)
            assert len(set(result)) == len(result)
            if not cut:
                assert (sorted(result), outcome.dropped) == (list(range(packets)), 0)
    finally:
        sys.setswitchinterval(before)
