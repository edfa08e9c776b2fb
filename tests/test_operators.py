"""The operators by themselves: no queue, no thread, one packet after the other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import runtime
from runtime.operators import Filter, FlatMap, Input, Map, Operator, Reduce, Sink, Source, Take


class Context:
    """What an operator asks of its task."""

    name, index, parallelism = "it", 0, 1
    key: Any = None

    def __init__(self) -> None:
        self.sent: list[Any] = []
        self.had_enough = 0
        self.warnings: list[str] = []

    def set_key(self, key: Any) -> None:
        self.key = key

    def send_packet(self, value: Any) -> None:
        self.sent.append(value)

    def enough(self) -> None:
        self.had_enough += 1

    def warn(self, message: str) -> None:
        self.warnings.append(message)


class LookUpBehind:
    """Wants the operator's attention behind the first packet."""

    yield_requested = True


def work(operator: Operator, values: list[Any]) -> list[Any]:
    sent: list[Any] = []
    operator.open(Context())
    for value in values:
        operator.receive_packet(value, sent.append)
    for part in operator.parts_of_finish():
        part.send(sent.append)
    operator.close()
    return sent


@pytest.mark.parametrize(
    ("operator", "values", "sent"),
    [
        (Map(lambda value: None), [1, 2], [None, None]),
        (Map(str), [], []),
        (Filter(lambda value: value), [0, 1, "", "a", None, [0]], [1, "a", [0]]),
        (FlatMap(range), [0, 1, 3], [0, 0, 1, 2]),
        (FlatMap(str.split), ["to be", "", " or "], ["to", "be", "or"]),
        (Sink(lambda value: value), [1, 2], []),
        (Input(), [1, None], [1, None]),
        (Reduce(max), [3, 1, 5], [3, 3, 5]),
        (Reduce(max, emit="end"), [3, 1, 5], [5]),
        (Reduce(max, emit="end"), [], []),
        (Reduce(lambda total, value: total + value, initial=10), [1, 2], [11, 13]),
        (Reduce(lambda total, value: total + value, initial=10, emit="end"), [1, 2], [13]),
        (Reduce(lambda _, value: value, initial=None), [None, 1], [None, 1]),
        (Reduce(lambda n, _: n + 1, initial=0, keyed=True), [("a", 1), (0, 1), ("a", 1)], [("a", 1), (0, 1), ("a", 2)]),
        (Reduce(max, keyed=True, emit="end"), [(1, 5), (1.0, 7), (True, 6), ("", 1)], [(1, 7), ("", 1)]),
        (
            Reduce(lambda all_, v: [*all_, v], initial=[], keyed=True, emit="end"),
            [(1, 5), (2, 6)],
            [(1, [5]), (2, [6])],
        ),
        (Take(count=2), [1, 2, 3], [1, 2]),
        (Take(count=0), [1], []),
    ],
)
def test_an_operator_does_its_one_thing(operator: Operator, values: list[Any], sent: list[Any]) -> None:
    assert work(operator, values) == sent


def test_an_initial_that_is_changed_in_place_is_a_copy_for_each_key() -> None:
    def append(all_: list[Any], value: Any) -> list[Any]:
        all_.append(value)
        return all_

    initial: list[Any] = []
    operator = Reduce(append, initial=initial, keyed=True, emit="end")
    assert work(operator, [(1, "a"), (2, "b"), (1, "c")]) == [(1, ["a", "c"]), (2, ["b"])]
    assert initial == []


@pytest.mark.parametrize(
    "operator",
    [Map(abs), Filter(abs), FlatMap(lambda v: [v, v]), Sink(abs), Input(), Reduce(max), Take(count=9)],
    ids=lambda operator: type(operator).__name__,
)
def test_an_operator_looks_up_behind_a_whole_packet_and_goes_on_where_it_was(operator: Operator) -> None:
    sent: list[Any] = []
    values = iter([1, 2, 3])
    operator.open(Context())
    for left in (2, 1, 0):
        operator.receive_packets(values, sent.append, LookUpBehind())
        assert values.__length_hint__() == left  # type: ignore[attr-defined]
    assert len(sent) in (0, 3, 6)


def test_take_says_enough_once_and_take_of_nothing_at_once() -> None:
    ctx = Context()
    take = Take(count=2)
    take.open(ctx)
    for said in (0, 1, 1, 1):
        take.receive_packet(said, [].append)
        assert ctx.had_enough == said
    none, ctx = Take(count=0), Context()
    none.open(ctx)
    assert ctx.had_enough == 1


def test_a_source_draws_one_item_at_a_time_and_counts_them() -> None:
    drawn: list[int] = []

    def numbers() -> Iterator[int]:
        for number in range(5):
            drawn.append(number)
            yield number

    source, sent = Source(numbers), list[int]()
    source.open(Context())
    assert (drawn, source.drawn) == ([], 0)
    source.receive_packets(source.iterator, sent.append, LookUpBehind())
    assert (drawn, sent, source.drawn) == ([0], [0], 1)

    def refuse(value: int) -> None:
        raise runtime.Cancelled

    with pytest.raises(runtime.Cancelled):
        source.receive_packets(source.iterator, refuse, LookUpBehind())
    assert source.drawn == 2  # it was made, and is not lost to the count


@pytest.mark.parametrize("parallelism", [1, 2, 3, 7])
def test_the_instances_of_a_source_share_an_iterable_without_overlap(parallelism: int) -> None:
    shares = []
    for index in range(parallelism):
        source = Source(range(20), index=index, parallelism=parallelism)
        source.open(Context())
        shares.append(list(source.iterator))
    assert sorted(value for share in shares for value in share) == list(range(20))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_a_source_closes_its_generator_and_then_its_function() -> None:
    log: list[str] = []

    class Mine(runtime.SourceFunction[int]):
        def open(self, ctx: Any) -> None:
            log.append("open")

        def run(self) -> Iterator[int]:
            try:
                yield 1
            finally:
                log.append("generator closed")

        def close(self) -> None:
            log.append("close")

    source = Source(Mine())
    source.open(Context())
    assert next(source.iterator) == 1
    source.close()
    assert log == ["open", "generator closed", "close"]


def test_a_function_is_told_its_task_before_it_opens() -> None:
    class Mine(runtime.Function[int, str]):
        def open(self, ctx: Any) -> None:
            assert self.ctx is ctx

        def process(self, value: int, /) -> str:
            return f"{self.ctx.name} {value}"

        def finish(self) -> None:
            return None

    assert work(Map(Mine()), [1, 2]) == ["it 1", "it 2"]
