"""The operators with two inputs by themselves: no queue, no thread, one packet after the other."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

import runtime
from runtime.communication.signals import StopSignal
from runtime.operators import CoFlatMap, CoMap, Join, Operator
from runtime.operators.joined import How
from runtime.texts.preview import preview
from tests.test_operators import Context, LookUpBehind, work

STOP = StopSignal("it", "completed")
Row = tuple[Literal[0, 1], tuple[Any, Any]]  # which side, key and row


class Logged(runtime.Function[Any, Any]):
    """Writes down its life."""

    def __init__(self, log: list[str], name: str, fails: str = "") -> None:
        self.log, self.name, self.fails = log, name, fails

    def _write(self, what: str) -> None:
        self.log.append(f"{what} {self.name}")
        if what == self.fails:
            raise RuntimeError(f"{what} {self.name}")

    def open(self, ctx: Any) -> None:
        assert self.ctx is ctx
        self._write("open")

    def process(self, value: Any, /) -> Any:
        return f"{self.name} {value}"

    def finish(self) -> Iterator[str]:
        self._write("finish")
        yield f"rest of {self.name}"

    def close(self) -> None:
        self._write("close")


def rest_of(operator: Operator) -> list[Any]:
    """What it sends at the end of the input."""
    sent: list[Any] = []
    for part in operator.parts_of_finish():
        part.send(sent.append)
    return sent


def pair(left: Any, right: Any) -> tuple[Any, Any]:
    return left, right


def join_of(how: How, rows: list[Row]) -> list[tuple[Any, Any]]:
    return work(Join(pair, how=how), rows)


def side_by_side(how: How, rows: list[Row]) -> list[tuple[Any, Any]]:
    """What a join is to send, in which order: the oracle."""
    sent: list[tuple[Any, Any]] = []
    for at, (side, (key, row)) in enumerate(rows):
        partners = [other for other_side, (other_key, other) in rows[:at] if other_side != side and other_key == key]
        sent += [(other, row) if side else (row, other) for other in partners]
    for own, wanted in ((0, how != "inner"), (1, how == "outer")):
        others = {key for side, (key, _) in rows if side != own}
        for key in dict.fromkeys(key for side, (key, _) in rows if side == own and wanted and key not in others):
            lonely = [row for side, (other, row) in rows if side == own and other == key]
            sent += [(None, row) if own else (row, None) for row in lonely]
    return sent


def test_each_input_has_its_function() -> None:
    assert work(CoMap(str, abs), [(0, 1), (1, -2), (0, None), (1, False)]) == ["1", 2, "None", 0]
    assert work(CoFlatMap(str.split, range), [(0, "to be"), (1, 2), (0, ""), (1, 0)]) == ["to", "be", 0, 1]


def test_each_function_is_opened_finished_and_closed_once() -> None:
    log: list[str] = []
    sent = work(CoMap(Logged(log, "a"), Logged(log, "b")), [(1, 1), (0, 2)])
    assert sent == ["b 1", "a 2", "rest of a", "rest of b"]
    assert log == ["open a", "open b", "finish a", "finish b", "close b", "close a"]


def test_a_function_given_for_both_inputs_lives_once() -> None:
    log: list[str] = []
    function = Logged(log, "it")
    assert work(CoMap(function, function), [(1, 1), (0, 2)]) == ["it 1", "it 2", "rest of it"]
    assert log == ["open it", "finish it", "close it"]


def test_a_close_that_raises_does_not_keep_the_other_open() -> None:
    log: list[str] = []
    operator = CoMap(Logged(log, "a"), Logged(log, "b", fails="close"))
    operator.open(Context())
    with pytest.raises(RuntimeError, match="close b"):
        operator.close()
    assert log == ["open a", "open b", "close b", "close a"]


def test_what_was_never_opened_is_not_closed() -> None:
    log: list[str] = []
    operator = CoMap(Logged(log, "a", fails="open"), Logged(log, "b"))
    with pytest.raises(RuntimeError, match="open a"):
        operator.open(Context())
    operator.close()
    assert log == ["open a", "close a"]


@pytest.mark.parametrize("operator", [CoMap(abs, abs), CoFlatMap(lambda v: [v], lambda v: [v, v])], ids=preview)
def test_an_operator_looks_up_behind_a_whole_packet_of_either_input(operator: Operator) -> None:
    sent: list[Any] = []
    packets = [(0, 1), (1, 2), (0, 3)]
    values = iter(packets)
    for left in (2, 1, 0):
        operator.receive_packets(values, sent.append, LookUpBehind())
        assert values.__length_hint__() == left  # type: ignore[attr-defined]


def test_a_join_looks_up_behind_all_pairs_of_a_row_whichever_input_has_ended() -> None:
    for ended in (None, 0):
        join, sent = Join(pair), list[Any]()
        work_on = iter([(0, (1, "a")), (0, (1, "b"))])
        for _ in range(2):
            join.receive_packets(work_on, sent.append, LookUpBehind())
        if ended is not None:
            join.signalled(STOP, ended)
        rights = iter([(1, (1, "c")), (1, (1, "d"))])
        join.receive_packets(rights, sent.append, LookUpBehind())
        assert sent == [("a", "c"), ("b", "c")]
        join.receive_packets(rights, sent.append, LookUpBehind())
        assert sent == [("a", "c"), ("b", "c"), ("a", "d"), ("b", "d")]


rows_of_both_sides = st.lists(
    st.tuples(st.sampled_from((0, 1)), st.tuples(st.sampled_from((0, 0, 0, 1, 2, "", None)), st.integers(0, 9))),
    max_size=30,
)
every_how = pytest.mark.parametrize("how", ["inner", "left", "outer"])


@every_how
@given(rows_of_both_sides)
def test_a_join_sends_what_comparing_every_row_with_every_other_finds(how: How, rows: list[Row]) -> None:
    assert join_of(how, rows) == side_by_side(how, rows)


@every_how
@pytest.mark.parametrize("ended", [0, 1])
@given(rows_of_both_sides, rows_of_both_sides)
def test_a_join_sends_the_same_once_one_input_has_ended(how: How, ended: int, both: list[Row], rest: list[Row]) -> None:
    rest = [row for row in rest if row[0] != ended]
    join, sent = Join(pair, how=how), list[Any]()
    join.open(Context())
    join.receive_packets(iter(both), sent.append, _Calm)
    join.signalled(STOP, ended)
    join.receive_packets(iter(rest), sent.append, _Calm)
    join.signalled(STOP, 1 - ended)
    sent += rest_of(join)
    assert sorted(sent, key=repr) == sorted(side_by_side(how, both + rest), key=repr)
    assert [each for each in sent if None not in each] == [
        each for each in side_by_side(how, both + rest) if None not in each
    ]


class _Calm:
    yield_requested = False


@pytest.mark.parametrize("ended", [0, 1])
def test_rows_are_not_kept_for_partners_that_cannot_come(ended: int) -> None:
    """A small side that has ended, a large one that streams past it: only the small one is in memory."""
    kept = {}
    for how in ("inner", "left", "outer"):
        join = Join(pair, how=how)
        for key in range(10):
            join.receive_packet((ended, (key, "small")), lambda _: None)
            join.receive_packet((1 - ended, (key, "early")), lambda _: None)
        join.signalled(STOP, ended)
        for number in range(1000):
            join.receive_packet((1 - ended, (number % 20, "large")), lambda _: None)
        kept[how] = join.kept
    lonely = 500  # rows of the large side whose keys the small one does not have
    assert kept["inner"] == 10
    assert kept["left"] == (10 if ended == 0 else 10 + lonely)
    assert kept["outer"] == 10 + lonely


@pytest.mark.parametrize("later", [0, 1])
def test_a_row_that_failed_can_come_again_and_is_there_once(later: Literal[0, 1]) -> None:
    fails = [True]

    def merge(left: Any, right: Any) -> Any:
        if fails.pop():
            raise ValueError("not yet")
        return left, right

    join, sent = Join(merge, how="outer"), list[Any]()
    join.receive_packet((1 - later, ("k", "row")), sent.append)
    with pytest.raises(ValueError, match="not yet"):
        join.receive_packet((later, ("k", "row")), sent.append)
    assert join.kept == 1
    fails.append(False)
    join.receive_packet((later, ("k", "row")), sent.append)
    assert [*sent, *rest_of(join)] == [("row", "row")]


def test_a_merge_that_is_a_function_finds_its_key_also_for_lonely_rows() -> None:
    class Merge(runtime.Function[Any, Any]):
        def process(self, left: Any, right: Any = None, /) -> Any:
            return self.ctx.key, left, right

    join = Join(Merge(), how="outer")
    join.open(Context())
    assert list(work(join, [(0, ("a", 1)), (1, ("b", 2))])) == [("a", 1, None), ("b", None, 2)]


def test_operators_with_two_inputs_travel_with_what_they_keep() -> None:
    join = Join(pair, how="left")
    join.receive_packet((0, ("k", 1)), [].append)
    assert rest_of(pickle.loads(pickle.dumps(join))) == [(1, None)]
    assert work(pickle.loads(pickle.dumps(CoMap(abs, str))), [(0, -1), (1, -1)]) == [1, "-1"]
