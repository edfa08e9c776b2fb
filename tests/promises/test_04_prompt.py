"""Promise 4: a result can be taken downstream as soon as it is made, also while the next packet is at work.

No clock: the sink sets the moment for which the next packet waits in user code. A runtime that delivers late, in
batches or by a timer that runs behind a packet, makes these tests fail after `PATIENCE_S`.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import runtime
from runtime.scheduling.parker import Parker
from runtime.testing import PATIENCE_S, Moment
from tests.pairs import every_pair_of
from tests.platforms import MakeSession, Platform
from tests.promises.test_01_exact import CAPACITIES, every_capacity
from tests.stress.rounds import give_way

pytestmark = pytest.mark.concurrent

PACKETS = 40
Wait = Callable[[int], None]


class Relay:
    """Packet n waits in user code until the sink has seen packet n - 1."""

    def __init__(self, platform: Platform, packets: int = PACKETS) -> None:
        self._seen: list[Moment] = [platform.moment() for _ in range(packets)]

    def wait_for_the_one_before(self, number: int) -> int:
        if number:
            self._seen[number - 1].wait()
        return number

    def see(self, number: int) -> None:
        self._seen[number].set()


@every_capacity
def test_a_result_of_map_does_not_wait_for_the_next_packet(
    make_session: MakeSession, platform: Platform, capacity: int
) -> None:
    relay, session = Relay(platform), make_session(capacity=capacity)
    session.source(range(PACKETS)).map(relay.wait_for_the_one_before).sink(relay.see)
    assert session.run(PATIENCE_S).packets_out == PACKETS


@every_capacity
def test_an_item_of_a_source_does_not_wait_for_the_next_item(
    make_session: MakeSession, platform: Platform, capacity: int
) -> None:
    relay, session = Relay(platform), make_session(capacity=capacity)

    def numbers() -> Iterator[int]:
        for number in range(PACKETS):
            yield relay.wait_for_the_one_before(number)

    session.source(numbers).sink(relay.see)
    assert session.run(PATIENCE_S).packets_out == PACKETS


@every_capacity
def test_a_result_passes_many_hops_while_the_next_packet_is_at_work(
    make_session: MakeSession, platform: Platform, capacity: int
) -> None:
    relay, session = Relay(platform), make_session(capacity=capacity)
    stream = session.source(range(PACKETS)).map(relay.wait_for_the_one_before)
    for _ in range(5):
        stream = stream.map(lambda value: value, parallelism=2).filter(lambda _: True)
    stream.sink(relay.see)
    assert session.run(PATIENCE_S).packets_out == PACKETS


@every_capacity
def test_what_a_filter_lets_pass_does_not_wait_behind_what_it_drops(
    make_session: MakeSession, platform: Platform, capacity: int
) -> None:
    """The sink has gone to sleep, packets are dropped, one passes, and the one behind it blocks."""
    relay, session = Relay(platform), make_session(capacity=capacity)
    gap = 25

    def every_so_often(number: int) -> bool:
        step, dropped = divmod(number, gap)
        if dropped:
            if dropped == 1:
                relay.wait_for_the_one_before(step + 1)
            return False
        return True

    passed = session.source(range(PACKETS * gap - gap + 1)).filter(every_so_often)
    passed.sink(lambda number: relay.see(number // gap))
    assert session.run(PATIENCE_S).packets_out == PACKETS


def test_what_a_filter_lets_pass_wakes_a_consumer_that_sleeps_in_the_middle_of_a_batch(
    make_session: MakeSession, platform: Platform
) -> None:
    """The filter has its whole batch in front of it, and its consumer is known to wait for packets."""
    session = make_session(capacity=1024)
    all_queued, seen = platform.moment(), platform.moment()

    def numbers() -> Iterator[int]:
        yield from range(600)
        all_queued.set()

    def last_but_one(number: int) -> bool:
        if number == 0:
            all_queued.wait()
        if number == 599:
            seen.wait()
        return number == 598

    session.source(numbers).filter(last_but_one).sink(lambda _: seen.set())
    assert session.run(PATIENCE_S).packets_out == 1


@pytest.mark.parametrize("kind", ["map", "filter", "flat_map", "reduce", "keyed reduce", "function"])
def test_a_result_in_the_middle_of_a_long_batch_does_not_wait_for_the_rest(
    make_session: MakeSession, platform: Platform, kind: str
) -> None:
    packets = 400
    relay, session = Relay(platform, packets), make_session(capacity=1024)
    all_queued = platform.moment()

    def numbers() -> Iterator[int]:
        yield from range(packets)
        all_queued.set()

    def work(number: int) -> int:
        all_queued.wait()
        return relay.wait_for_the_one_before(number)

    class Work(runtime.Function[int, int]):
        def process(self, value: int, /) -> int:
            return work(value)

    source = session.source(numbers)
    streams: dict[str, Callable[[], runtime.Stream[Any]]] = {
        "map": lambda: source.map(work),
        "filter": lambda: source.filter(lambda number: work(number) >= 0),
        "flat_map": lambda: source.flat_map(lambda number: [work(number)]),
        "reduce": lambda: source.reduce(lambda _, number: work(number), initial=0),
        "keyed reduce": lambda: source.key_by(lambda _: 0).reduce(lambda _, number: work(number), initial=0),
        "function": lambda: source.map(Work()),
    }
    streams[kind]().sink(lambda value: relay.see(value[1] if isinstance(value, tuple) else value))
    assert session.run(PATIENCE_S).packets_out == packets


@every_capacity
def test_a_result_in_the_middle_of_a_flat_map_does_not_wait_for_the_next(
    make_session: MakeSession, platform: Platform, capacity: int
) -> None:
    relay, session = Relay(platform), make_session(capacity=capacity)

    def explode(size: int) -> Iterator[int]:
        for number in range(size):
            yield relay.wait_for_the_one_before(number)

    session.source([PACKETS]).flat_map(explode).sink(relay.see)
    assert session.run(PATIENCE_S).packets_out == PACKETS


@every_capacity
def test_what_a_function_sends_by_itself_does_not_wait_for_its_return(
    make_session: MakeSession, platform: Platform, capacity: int
) -> None:
    relay, session = Relay(platform), make_session(capacity=capacity)

    class Explode(runtime.Function[int, int]):
        def process(self, value: int, /) -> int:
            for number in range(value):
                relay.wait_for_the_one_before(number)
                self.ctx.send_packet(number)
            return relay.wait_for_the_one_before(value)

    session.source([PACKETS - 1]).map(Explode()).sink(relay.see)
    assert session.run(PATIENCE_S).packets_out == PACKETS


@every_capacity
def test_what_finish_sends_does_not_wait_for_its_end(
    make_session: MakeSession, platform: Platform, capacity: int
) -> None:
    relay, session = Relay(platform), make_session(capacity=capacity)

    class Last(runtime.Function[int, int]):
        def process(self, value: int, /) -> int:
            return value

        def finish(self) -> Iterator[int]:
            for number in range(1, PACKETS):
                yield relay.wait_for_the_one_before(number)

    session.source([0]).map(Last()).sink(relay.see)
    assert session.run(PATIENCE_S).packets_out == PACKETS


@every_pair_of(strategy=("round_robin", "keyed", "broadcast"), consumers=(2, 3), capacity=CAPACITIES)
def test_a_result_reaches_each_of_many_instances_at_once(
    make_session: MakeSession, platform: Platform, capacity: int, consumers: int, strategy: str
) -> None:
    relay, session = Relay(platform), make_session(capacity=capacity)
    worked = session.source(range(PACKETS)).map(relay.wait_for_the_one_before)
    ways: dict[str, Callable[[], runtime.Stream[int]]] = {
        "round_robin": worked.round_robin,
        "keyed": lambda: worked.key_by(lambda number: number % 5),
        "broadcast": worked.broadcast,
    }
    ways[strategy]().sink(relay.see, parallelism=consumers)
    assert session.run(PATIENCE_S).packets_out == PACKETS * (consumers if strategy == "broadcast" else 1)


@every_capacity
def test_a_result_reaches_every_consumer_of_a_stream_at_once(
    make_session: MakeSession, platform: Platform, capacity: int
) -> None:
    first, second, session = Relay(platform), Relay(platform), make_session(capacity=capacity)

    def wait_for_both(number: int) -> int:
        return second.wait_for_the_one_before(first.wait_for_the_one_before(number))

    worked = session.source(range(PACKETS)).map(wait_for_both)
    worked.sink(first.see)
    worked.map(lambda number: number).sink(second.see)
    assert session.run(PATIENCE_S).packets_out == 2 * PACKETS


@every_capacity
def test_a_packet_does_not_wait_for_a_producer_that_is_stuck(
    make_session: MakeSession, platform: Platform, capacity: int
) -> None:
    relay, session = Relay(platform), make_session(capacity=capacity)

    def stuck() -> Iterator[int]:
        relay.wait_for_the_one_before(PACKETS)
        yield from ()

    session.source(stuck).union(session.source(range(PACKETS)).map(relay.wait_for_the_one_before)).sink(relay.see)
    assert session.run(PATIENCE_S).packets_out == PACKETS


def test_a_packet_of_the_hand_is_there_at_once(make_session: MakeSession, platform: Platform) -> None:
    relay, session = Relay(platform), make_session()
    session.input("in").map(lambda number: number, name="work").sink(relay.see)
    session.start()
    for number in range(PACKETS):
        session.inject("work", relay.wait_for_the_one_before(number))
    session.stop()
    assert session.wait(PATIENCE_S).packets_out == PACKETS


def test_the_end_of_a_producer_wakes_its_consumer(make_session: MakeSession, platform: Platform) -> None:
    session = make_session()
    last = platform.moment()

    class Note(runtime.Function[int, None]):
        def process(self, value: int, /) -> None: ...

        def close(self) -> None:
            last.set()

    session.input("in").sink(Note())
    session.start()
    session.settle(PATIENCE_S)
    session.end("in")
    last.wait()
    assert session.wait(PATIENCE_S).state == "completed"


def test_a_producer_is_let_in_at_the_end_of_a_batch_though_others_keep_the_consumer_at_work(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The consumer has looked up for it when there was no room yet, and does not wait for long."""
    monkeypatch.setattr(Parker, "patience_s", 0.0)  # the producer asks twice at once, and then no more
    made, worked, may_go_on = threading.Semaphore(0), list[object](), threading.Semaphore(0)
    begun = threading.Semaphore(0)

    def numbers() -> Iterator[int]:
        for number in itertools.count():
            yield number
            made.release()  # it has been accepted

    def work(value: object) -> None:
        worked.append(value)
        begun.release()
        assert may_go_on.acquire(timeout=PATIENCE_S)

    with runtime.Session(capacity=8) as session:
        many = session.source(numbers(), name="numbers")
        session.input("few").union(many).sink(work, name="work")
        session.start(paused=True)
        session.resume("few", "numbers")
        for value in ("first", "second"):
            session.send("few", value)
        while session.snapshot()["numbers"].state != "held back" or session.snapshot()["few"].processed < 2:
            give_way()
        for _ in range(session.peek("work").depth - 2):
            assert made.acquire(timeout=PATIENCE_S)
        session.resume("work")
        for _ in range(2):
            assert begun.acquire(timeout=PATIENCE_S)
            may_go_on.release()
        assert begun.acquire(timeout=PATIENCE_S)
        assert worked[:2] == ["first", 0]
        let_in = made.acquire(timeout=PATIENCE_S)
        for _ in range(1_000):
            may_go_on.release()
        session.cancel()
    assert let_in, "the producer still waits, though there is room"
