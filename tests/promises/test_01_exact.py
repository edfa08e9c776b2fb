"""Promise 1: every packet is processed once, at every parallelism and capacity."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest

import runtime
from runtime.testing import PATIENCE_S
from tests.pairs import every_pair_of
from tests.platforms import MakeSession

CAPACITIES = (1, 2, 3, 1024)
SIZES: dict[str, Any] = {"producers": range(1, 6), "consumers": range(1, 4), "capacity": CAPACITIES}
TWO_BY_TWO = {"producers": 2, "consumers": 2, "capacity": 1}
PACKETS = 120

every_capacity = pytest.mark.parametrize("capacity", CAPACITIES)


def double(value: int) -> int:
    return value * 2


class WithInstance(runtime.Function[int, tuple[int, int]]):
    """Says which instance has worked a packet."""

    def process(self, value: int, /) -> tuple[int, int]:
        return self.ctx.index, value


@every_pair_of(**SIZES, remote=TWO_BY_TWO)
def test_no_packet_is_lost_or_doubled_round_robin(
    make_session: MakeSession, producers: int, consumers: int, capacity: int
) -> None:
    session = make_session(capacity=capacity)
    source = session.source(range(PACKETS), parallelism=producers)
    worked = source.map(WithInstance(), name="work", parallelism=consumers)
    result = worked.collect()
    outcome = session.run(PATIENCE_S)
    assert sorted(value for _, value in result) == list(range(PACKETS))
    assert (outcome.packets_in, outcome.packets_out, outcome.dropped) == (PACKETS, PACKETS, 0)
    share = PACKETS / producers / consumers  # every producer goes round all consumers
    per_instance = Counter(index for index, _ in result)
    assert all(abs(per_instance[index] - producers * share) <= producers for index in range(consumers))


@every_pair_of(**SIZES, remote={**TWO_BY_TWO, "capacity": 1024})
@pytest.mark.long_on_ray
def test_no_packet_is_lost_or_doubled_keyed(
    make_session: MakeSession, producers: int, consumers: int, capacity: int
) -> None:
    session = make_session(capacity=capacity)
    source = session.source(range(PACKETS), parallelism=producers)
    counts = source.key_by(lambda value: value % 7).reduce(
        lambda count, _: count + 1, initial=0, emit="end", parallelism=consumers
    )
    result = counts.collect()
    session.run(PATIENCE_S)
    assert sorted(result) == sorted(Counter(value % 7 for value in range(PACKETS)).items())


@every_pair_of(**SIZES, remote=TWO_BY_TWO)
def test_no_packet_is_lost_or_doubled_broadcast(
    make_session: MakeSession, producers: int, consumers: int, capacity: int
) -> None:
    session = make_session(capacity=capacity)
    source = session.source(range(PACKETS), parallelism=producers)
    result = source.broadcast().map(WithInstance(), parallelism=consumers).collect()
    session.run(PATIENCE_S)
    assert sorted(result) == sorted(product(range(consumers), range(PACKETS)))


@every_pair_of(**SIZES)
def test_no_packet_is_lost_or_doubled_in_a_union_of_three(
    make_session: MakeSession, producers: int, consumers: int, capacity: int
) -> None:
    session = make_session(capacity=capacity)
    streams = [session.source(range(start, PACKETS, 3), parallelism=producers) for start in range(3)]
    result = streams[0].union(*streams[1:]).map(double, parallelism=consumers).collect()
    session.run(PATIENCE_S)
    assert sorted(result) == [value * 2 for value in range(PACKETS)]


@every_pair_of(first=(1, 2, 3, 5), second=(1, 3), capacity=CAPACITIES)
def test_no_packet_is_lost_or_doubled_through_a_chain_of_every_kind(
    make_session: MakeSession, first: int, second: int, capacity: int
) -> None:
    session = make_session(capacity=capacity)
    source = session.source(range(PACKETS), parallelism=first)
    even = source.map(double, parallelism=second).filter(lambda value: value % 4 == 0, parallelism=first)
    many = even.flat_map(lambda value: [value, value + 1], parallelism=second)
    result = many.key_by(lambda value: value).reduce(lambda count, _: count + 1, initial=0, parallelism=first).collect()
    session.run(PATIENCE_S)
    expected = [value * 2 + more for value in range(0, PACKETS, 2) for more in (0, 1)]
    assert sorted(result) == [(value, 1) for value in expected]


@every_capacity
def test_each_of_several_consumers_gets_every_packet(make_session: MakeSession, capacity: int) -> None:
    session = make_session(capacity=capacity)
    source = session.source(range(PACKETS), parallelism=2)
    results = [source.map(double, parallelism=number).collect() for number in (1, 2, 3)]
    session.run(PATIENCE_S)
    for result in results:
        assert sorted(result) == [value * 2 for value in range(PACKETS)]


@every_capacity
def test_a_diamond_brings_every_packet_over_both_ways(make_session: MakeSession, capacity: int) -> None:
    session = make_session(capacity=capacity)
    source = session.source(range(PACKETS))
    left, right = source.map(double, parallelism=2), source.map(lambda value: -value, parallelism=3)
    result = left.union(right).filter(lambda _: True, parallelism=2).collect()
    session.run(PATIENCE_S)
    assert sorted(result) == sorted([value * 2 for value in range(PACKETS)] + [-value for value in range(PACKETS)])


@every_capacity
def test_a_stream_united_with_itself_arrives_twice(make_session: MakeSession, capacity: int) -> None:
    session = make_session(capacity=capacity)
    source = session.source(range(PACKETS), parallelism=2)
    result = source.union(source).map(double, parallelism=2).collect()
    session.run(PATIENCE_S)
    assert sorted(result) == sorted([value * 2 for value in range(PACKETS)] * 2)


@pytest.mark.parametrize("payload", [None, 0, "", False, (), [], {}, StopIteration(), StopIteration, ...])
def test_every_value_is_a_packet_like_any_other(make_session: MakeSession, payload: Any) -> None:
    session = make_session(capacity=2)
    source = session.source([payload] * 5)
    mapped = source.map(lambda value: value, parallelism=2).flat_map(lambda value: [value])
    result = mapped.reduce(lambda _, value: value).collect()
    bare = source.filter(lambda _: True).collect()
    outcome = session.run(PATIENCE_S)
    assert list(bare) == [payload] * 5
    assert list(result) == [payload] * 5
    assert outcome.packets_out == 10


def test_an_empty_source_makes_an_empty_result(make_session: MakeSession) -> None:
    session = make_session()
    nothing: list[int] = []
    result = session.source(nothing, parallelism=3).map(double, parallelism=2).union(session.source(nothing)).collect()
    total = session.source(nothing).reduce(lambda total, value: total + value, initial=0, emit="end").collect()
    outcome = session.run(PATIENCE_S)
    assert (list(result), list(total)) == ([], [])
    assert repr(outcome) == "Outcome(completed: 0 in, 0 out)"


@every_capacity
def test_what_a_function_sends_by_itself_arrives_once_and_before_what_it_returns(
    make_session: MakeSession, capacity: int
) -> None:
    class Echo(runtime.Function[int, int]):
        def process(self, value: int, /) -> int:
            for step in range(3):
                self.ctx.send_packet(value * 10 + step)
            return value * 10 + 3

    session = make_session(capacity=capacity)
    result = session.source(range(PACKETS)).map(Echo()).map(lambda value: value).collect()
    session.run(PATIENCE_S)
    assert list(result) == [value * 10 + step for value in range(PACKETS) for step in range(4)]


@every_capacity
def test_a_million_small_steps_do_not_matter_a_long_chain_loses_nothing(
    make_session: MakeSession, capacity: int
) -> None:
    session = make_session(capacity=capacity)
    stream = session.source(range(PACKETS))
    for _ in range(20):
        stream = stream.map(lambda value: value + 1)
    result = stream.collect()
    session.run(PATIENCE_S)
    assert list(result) == [value + 20 for value in range(PACKETS)]


def test_a_callable_source_is_called_once_for_each_instance(make_session: MakeSession) -> None:
    session = make_session()
    result = session.source(lambda: range(10), parallelism=3).collect()
    session.run(PATIENCE_S)
    assert Counter(result) == dict.fromkeys(range(10), 3)


def test_a_generator_runs_once_by_its_only_instance(make_session: MakeSession) -> None:
    def numbers() -> Iterator[int]:
        yield from range(10)

    session = make_session()
    result = session.source(numbers()).map(double, parallelism=2).collect()
    session.run(PATIENCE_S)
    assert sorted(result) == [value * 2 for value in range(10)]


def test_a_source_function_is_copied_for_each_instance(make_session: MakeSession) -> None:
    class Mine(runtime.SourceFunction[tuple[int, int]]):
        def __init__(self) -> None:
            self.made = 0

        def run(self) -> Iterator[tuple[int, int]]:
            while self.made < 4:
                self.made += 1
                yield self.ctx.index, self.made

    session = make_session()
    result = session.source(Mine(), parallelism=3).collect()
    session.run(PATIENCE_S)
    assert sorted(result) == list(product(range(3), range(1, 5)))
