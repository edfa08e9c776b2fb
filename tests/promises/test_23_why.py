"""Promise 23: in a traced session a result, a packet or a letter says where it comes from, down to items of sources."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterable
from copy import deepcopy
from typing import Any, cast

import pytest

import runtime
from runtime import CommandRefused, GraphInvalid, Origin
from runtime.communication import element
from runtime.testing import PATIENCE_S
from tests.platforms import MakeSession

Shape = tuple[Any, ...] | str


def shape(origin: Origin) -> Any:
    """Tasks and values alone: `(task, value, *parents)`."""
    return (origin.task, origin.value, *map(shape, origin.parents))


def fail_on(bad: Iterable[int]) -> Callable[[int], int]:
    """A function that raises for these."""

    def work(value: int) -> int:
        if value in bad:
            raise ValueError(value)
        return value * 10

    return work


@pytest.mark.also_remote
def test_a_result_comes_from_an_item_and_each_operator_says_what_it_made_of_it(make_session: MakeSession) -> None:
    session = make_session(trace=True)
    rows = session.source(["3", "4", "5"], name="texts").map(int, name="parsed").filter(bool, name="real").collect()
    session.run(PATIENCE_S)
    for index, text in enumerate(["3", "4", "5"]):
        why = session.why(rows, index)
        assert shape(why) == ("real", int(text), ("parsed", int(text), ("texts", text)))
        assert [origin.how for origin in why.walk()] == ["made", "made", "item"]
        assert [item.value for item in why.items] == [text]
    assert repr(session.why(rows, -1)) == ("5: made by real\n└─ 5: made by parsed\n   └─ '5': an item of texts")


@pytest.mark.also_remote
def test_a_pair_of_a_join_comes_from_both_rows(make_session: MakeSession) -> None:
    session = make_session(trace=True)
    left = session.source([(1, "a"), (2, "b"), (1, "c")], name="left").key_by(first)
    right = session.source([(1, 10), (1, 20), (3, 30)], name="right").key_by(first)
    pairs = left.join(right, pair, how="outer", name="pair").collect()
    session.run(PATIENCE_S)
    assert len(pairs) == 6
    for index, (a, b) in enumerate(pairs):
        rows = [("left", a)] * (a is not None) + [("right", b)] * (b is not None)
        assert shape(session.why(pairs, index)) == ("pair", (a, b), *rows)


def first(row: tuple[int, Any]) -> int:
    return row[0]


def pair(left: Any, right: Any) -> tuple[Any, Any]:
    return left, right


@pytest.mark.parametrize("policy", ["fail", "skip", "hold", runtime.Retry(1, backoff=0)])
def test_a_join_knows_its_rows_under_every_policy_and_what_its_function_sends_itself(
    make_session: MakeSession, policy: Any
) -> None:
    class Merge(runtime.Function[Any, Any]):
        def process(self, left: int, right: int) -> Any:  # type: ignore[override]
            self.ctx.send_packet(("sent", left, right))
            return ("made", left, right)

    session = make_session(trace=True, on_error=policy)
    left = session.source([0, 2, 4], name="left").key_by(lambda _: 1)
    right = session.source([1, 3, 5], name="right").key_by(lambda _: 1)
    pairs: Any = (
        left.join(right, cast("Any", Merge()), name="pair").key_by(str).map(lambda each: each, name="on").collect()
    )
    session.run(PATIENCE_S)
    assert len(pairs) == 18
    for index, (_, a, b) in enumerate(pairs):
        assert shape(session.why(pairs, index).parents[0])[2:] == (("left", a), ("right", b))


@pytest.mark.also_remote
def test_a_folded_value_names_its_last_ten_packets_and_how_many_were_before(make_session: MakeSession) -> None:
    session = make_session(trace=True)
    sums = session.source(range(30), name="numbers").key_by(parity).reduce(add, emit="end", name="sum").collect()
    session.run(PATIENCE_S)
    for index, (key, total) in enumerate(sums):
        why = session.why(sums, index)
        assert (why.task, why.value, why.before) == ("sum", (key, total), 5)
        assert [parent.value for parent in why.parents] == list(range(10 + key, 30, 2))
    assert "of these and 5 before them" in repr(session.why(sums, 0))


def parity(number: int) -> int:
    return number % 2


def add(total: int, number: int) -> int:
    return total + number


@pytest.mark.parametrize("policy", ["fail", "skip", runtime.Retry(1, backoff=0)])
@pytest.mark.parametrize("kind", ["reduce", "scan", "count"])
def test_a_value_that_is_folded_so_far_comes_from_the_packets_so_far(
    make_session: MakeSession, policy: Any, kind: str
) -> None:
    session = make_session(trace=True, on_error=policy)
    numbers = session.source(range(8), name="numbers").key_by(parity)
    folded: Any = {
        "reduce": lambda: numbers.reduce(add, name="fold"),
        "scan": lambda: numbers.scan(lambda state, number: (state + number, state), initial=0, name="fold"),
        "count": lambda: numbers.count(emit="each", name="fold"),
    }[kind]()
    rows = folded.collect()
    session.run(PATIENCE_S)
    seen = {0: 0, 1: 0}
    for index, (key, _) in enumerate(rows):
        seen[key] += 1
        assert [parent.value for parent in session.why(rows, index).parents] == [key, key + 2, key + 4, key + 6][
            : seen[key]
        ]


def test_a_packet_that_is_skipped_is_folded_nowhere(make_session: MakeSession) -> None:
    def fold(total: int, number: int) -> int:
        if number == 2:
            raise ValueError(number)
        return total + number

    session = make_session(trace=True, on_error="skip")
    rows = session.source(range(5), name="numbers").reduce(fold, initial=0, name="sum", emit="end").collect()
    session.run(PATIENCE_S)
    assert [parent.value for parent in session.why(rows, 0).parents] == [0, 1, 3, 4]
    assert shape(session.why(session.dead_letters[0])) == ("numbers", 2)


def test_results_of_batches_flat_maps_unions_and_calls_come_from_their_own_packets(make_session: MakeSession) -> None:
    async def later(value: int) -> int:
        await asyncio.sleep(0.001 * (value % 3))
        return -value

    session = make_session(trace=True)
    one, other = session.source(range(7), name="one"), session.source(range(100, 107), name="other")
    united = one.union(other)
    batched = united.map_batches(lambda batch: [value * 2 for value in batch], size=3, name="batched")
    many = batched.flat_map(lambda value: [value, value + 1], name="many", parallelism=2)
    rows = many.key_by(parity).map(later, ordered=False, name="later", parallelism=2).collect()
    session.run(PATIENCE_S)
    assert len(rows) == 28
    for index, value in enumerate(rows):
        made = -value
        doubled = made - made % 2
        chain = [(origin.task.partition("#")[0], origin.value) for origin in session.why(rows, index).walk()]
        source = "one" if doubled < 100 else "other"
        assert chain == [("later", value), ("many", made), ("batched", doubled), (source, doubled // 2)]


@pytest.mark.also_remote
def test_a_dead_letter_and_a_failure_say_where_their_packet_comes_from(make_session: MakeSession) -> None:
    session = make_session(trace=True)
    numbers = session.source(range(4), name="numbers").map(double, name="double")
    numbers.map(no_four, name="skips", on_error="skip").map(no_six, name="fails").sink(str)
    with pytest.raises(runtime.TaskFailed) as failed:
        session.run(PATIENCE_S)
    assert shape(session.why(failed.value)) == ("skips", 6, ("double", 6, ("numbers", 3)))
    assert shape(session.why(session.dead_letters[0])) == ("double", 4, ("numbers", 2))


def double(number: int) -> int:
    return number * 2


def no_four(number: int) -> int:
    if number == 4:
        raise ValueError(number)
    return number


def no_six(number: int) -> int:
    if number == 6:
        raise ValueError(number)
    return number


def test_a_letter_of_a_batch_and_of_a_call_is_of_its_packet(make_session: MakeSession) -> None:
    async def later(value: int) -> int:
        return fail_on({1})(value)

    async def all_later(batch: list[int]) -> list[int]:
        return list(map(fail_on({3}), batch))

    session = make_session(trace=True, on_error="skip")
    numbers = session.source(range(5), name="numbers")
    numbers.map_batches(lambda batch: list(map(fail_on({2}), batch)), size=5, name="batches").sink(str)
    numbers.map_batches(all_later, size=5, name="calls of batches").sink(str)
    numbers.map(later, name="calls").sink(str)
    session.run(PATIENCE_S)
    assert {letter.task: shape(session.why(letter)) for letter in session.dead_letters} == {
        "batches": ("numbers", 2),
        "calls of batches": ("numbers", 3),
        "calls": ("numbers", 1),
    }


@pytest.mark.also_remote
def test_what_was_put_in_edited_and_retried_by_hand_is_said_to_be(make_session: MakeSession) -> None:
    session = make_session(trace=True, on_error="skip")
    rows = session.input("in").map(no_four, name="work").collect()
    session.start(paused=True)
    for value in (1, 4):
        session.send("in", value)
        session.step("in")
    session.edit(session.peek("work")[0], 7)
    edited = session.why(session.peek("work")[0])
    assert (shape(edited), edited.edited) == (("in", 1, ("in", 1)), (7,))
    session.step("work")
    assert session.step("work").error is not None
    session.dead_letters.retry(0, value=5)
    session.step("work")
    session.inject("work", 9)
    session.step("work")
    session.resume()
    session.end("in")
    session.wait(PATIENCE_S)
    assert list(rows) == [7, 5, 9]
    assert repr(session.why(rows, 0)) == (
        "7: made by work\n└─ 1: made by in, edited by hand to 7\n   └─ 1: put into in by hand"
    )
    assert repr(session.why(rows, 1)) == (
        "5: made by work\n└─ 5: put into work by hand again\n   └─ 4: made by in\n      └─ 4: put into in by hand"
    )
    assert repr(session.why(rows, 2)) == "9: made by work\n└─ 9: put into work by hand"


def test_an_edit_that_was_undone_has_not_happened(make_session: MakeSession) -> None:
    session = make_session(trace=True)
    rows = session.input("in").map(double, name="work").collect()
    session.start(paused=True)
    session.send("in", 1)
    session.step("in")
    session.edit(session.peek("work")[0], 7)
    session.undo()
    session.resume()
    session.end("in")
    session.wait(PATIENCE_S)
    assert all(origin.edited == () for origin in session.why(rows, 0).walk())


def test_what_was_set_by_hand_is_said_to_be(make_session: MakeSession) -> None:
    session = make_session(trace=True)
    sums = session.input("in").key_by(parity).reduce(add, name="sum").collect()
    session.start(paused=True)
    for value in (1, 3):
        session.send("in", value)
        session.step("in")
        session.step("sum")
        session.set_state("sum", 1, 100)
    session.resume()
    session.send("in", 5)
    session.end("in")
    session.wait(PATIENCE_S)
    assert [[parent.how for parent in session.why(sums, index).parents] for index in range(3)] == [
        ["made"],
        ["set by hand", "made"],
        ["set by hand", "made"],
    ]
    assert "set by hand at sum" in repr(session.why(sums, 2))


def test_the_version_of_a_replaced_function_is_said(make_session: MakeSession) -> None:
    session = make_session(trace=True, on_error="hold")
    rows = session.source(range(3), name="numbers").map(fail_on({1}), name="work").collect()
    session.start()
    with pytest.raises(runtime.JobHeld):
        session.wait(PATIENCE_S)
    assert shape(session.why(session.held[0])) == ("numbers", 1)
    session.replace("work", lambda value: value * 100)
    session.resume()
    session.wait(PATIENCE_S)
    assert [(session.why(rows, index).version, value) for index, value in enumerate(rows)] == [
        (1, 0),
        (2, 100),
        (2, 200),
    ]
    assert repr(session.why(rows, 2)).startswith("200: made by work, version 2\n")


def test_values_are_told_as_they_were_when_they_were_made(make_session: MakeSession) -> None:
    def grow(values: list[int]) -> list[int]:
        values.append(0)
        return values

    session = make_session(trace=True)
    rows = session.source([[1]], name="lists").map(grow, name="one").map(grow, name="two").collect()
    session.run(PATIENCE_S)
    assert [origin.value for origin in session.why(rows, 0).walk()] == [[1, 0, 0], [1, 0], [1]]


def test_rows_are_told_as_they_were_whatever_becomes_of_them(make_session: MakeSession) -> None:
    def spoil(row: Any) -> Any:
        if type(row) is dict:
            row["cents"] = "gone"
            row["more"] = [1]
        elif type(row) is list and row:
            row[0] = {}
        return row

    given: list[Any] = [
        {"item": "tea", "cents": 300},
        ["tea", 300],
        ("tea", 300),
        {"deep": ["tea"]},
        {1: "tea"},
        {"tea"},
        [],
        (),
    ]
    before = [deepcopy(row) for row in given]
    session = make_session(trace=True)
    rows = session.source(given, name="rows").map(spoil, name="spoil").collect()
    session.run(PATIENCE_S)
    for index, row in enumerate(before):
        (item,) = session.why(rows, index).items
        assert item.value == row
        assert type(item.value) is type(row)
        if isinstance(row, dict | list):
            item.value.clear()
            assert session.why(rows, index).items[0].value == row, "who asks cannot change what is remembered"


def test_large_and_strange_values_are_previews(make_session: MakeSession) -> None:
    class Strange:
        def __repr__(self) -> str:
            raise AssertionError("no code of it is run")

    given: list[Any] = ["a" * 5_000, list(range(5_000)), Strange(), {"deep": [Strange()]}, 10**20_000]
    session = make_session(trace=True)
    rows = session.source(given, name="given").collect()
    session.run(PATIENCE_S)
    for index in range(len(given)):
        value = session.why(rows, index).value
        assert type(value) is not type(given[index])
        assert len(repr(value)) < 200


@pytest.mark.parametrize("index", [0, 300])
def test_what_is_forgotten_is_said_to_be(
    make_session: MakeSession, monkeypatch: pytest.MonkeyPatch, index: int
) -> None:
    monkeypatch.setattr(element, "KEPT_BYTES", 3 * 320 * 100)
    session = make_session(trace=True)
    source = session.source(range(1_000), name="numbers")
    rows = source.map(double, name="work").collect(name="rows")
    sums = source.reduce(add, emit="end", name="sum").collect()
    session.run(PATIENCE_S)
    with pytest.raises(CommandRefused, match="forgotten"):
        session.why(rows, index)
    assert session.why(rows, 999).items[0].value == 999
    assert session.why(sums, 0).before == 990


def test_of_a_packet_whose_parents_are_forgotten_that_is_said(
    make_session: MakeSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(element, "KEPT_BYTES", 4 * 400 * 10)
    session = make_session(trace=True)
    source = session.source(range(100), name="numbers")
    held = source.filter(lambda number: number == 3, name="three")
    rows = held.collect()
    session.run(PATIENCE_S)
    why = session.why(rows, 0)
    assert (why.value, [parent.how for parent in why.parents]) == (3, ["forgotten"])
    assert repr(why) == "3: made by three\n└─ numbers:4: forgotten"


def test_it_can_be_asked_while_the_job_runs_and_after_it_is_closed(make_session: MakeSession) -> None:
    session = make_session(trace=True)
    rows = session.input("in").map(double, name="work").collect()
    session.start()
    session.send("in", 4)
    session.settle(PATIENCE_S)
    during = repr(session.why(rows, 0))
    session.end("in")
    session.wait(PATIENCE_S)
    session.close()
    assert repr(session.why(rows, 0)) == during


def test_packets_that_are_shared_by_many_ways_are_told_once(make_session: MakeSession) -> None:
    session = make_session(trace=True)
    stream: Any = session.source([1], name="one")
    for level in range(12):
        stream = stream.map(abs, name=f"left{level}").union(stream.map(abs, name=f"right{level}"))
        stream = stream.reduce(max, emit="end", name=f"both{level}")
    rows = stream.collect()
    session.run(PATIENCE_S)
    why = session.why(rows, 0)
    assert len(list(why.walk())) == 12 * 4 + 1
    assert repr(why).count("(as above)") == 11 * 2


@pytest.mark.parametrize("what", [3, None, "work:1"])
def test_what_is_no_packet_is_refused(make_session: MakeSession, what: Any) -> None:
    session = make_session(trace=True)
    rows = session.source([1], name="one").collect(name="rows")
    session.run(PATIENCE_S)
    with pytest.raises(GraphInvalid, match="why was given"):
        session.why(what)
    with pytest.raises(GraphInvalid, match="which is for a result"):
        session.why(runtime.Packet(1), 0)
    with pytest.raises(GraphInvalid, match="say which value of 'rows'"):
        session.why(rows)
    with pytest.raises(IndexError, match="no value 1 of 'rows'"):
        session.why(rows, 1)
    with pytest.raises(CommandRefused, match="no packet that was traced"):
        session.why(runtime.Packet(1))


def test_a_result_of_another_session_is_refused(make_session: MakeSession) -> None:
    session, other = make_session(trace=True), make_session(trace=True)
    session.source([1]).sink(str)
    rows = other.source([1]).collect()
    session.run(PATIENCE_S)
    with pytest.raises(CommandRefused, match="no result of this session"):
        session.why(rows, 0)
    with pytest.raises(runtime.NotStarted):
        other.why(rows, 0)


def test_an_untraced_job_of_free_threads_says_what_to_do() -> None:
    with runtime.Session() as session:
        rows = session.source([1]).collect()
        session.run(PATIENCE_S)
    with pytest.raises(CommandRefused, match="trace=True"):
        session.why(rows, 0)


def test_an_untraced_run_with_a_seed_is_run_again_traced() -> None:
    calls: list[int] = []

    def work(number: int) -> int:
        calls.append(number)
        if number == 3:
            raise ValueError(number)
        return number * 2

    with runtime.Session(seed=7, on_error="skip") as session:
        numbers = session.source(range(6), name="numbers")
        rows = numbers.map(work, name="work", parallelism=2).key_by(parity).reduce(add, name="sum").collect()
        session.run(PATIENCE_S)
    before, letters = list(rows), session.dead_letters
    assert len(calls) == 6
    for index, (_, total) in enumerate(rows):
        assert sum(parent.value for parent in session.why(rows, index).parents) == total
    assert shape(session.why(letters[0])) == ("numbers", 3)
    assert len(calls) == 12, "once more, and not for each question"
    assert list(rows) == before
    with pytest.raises(IndexError):
        session.why(rows, 9)
    with pytest.raises(GraphInvalid, match="was not traced"):
        session.why(runtime.Packet(1))


def test_a_failure_of_an_untraced_run_with_a_seed_says_where_its_packet_comes_from() -> None:
    with runtime.Session(seed=7) as session:
        session.source(range(4), name="numbers").map(double, name="double").map(no_four, name="work").sink(str)
        with pytest.raises(runtime.TaskFailed) as failed:
            session.run(PATIENCE_S)
    assert shape(session.why(failed.value)) == ("double", 4, ("numbers", 2))


def test_a_run_that_does_not_repeat_is_not_explained() -> None:
    count = itertools.count()
    with runtime.Session(seed=7) as session:
        rows = session.source(range(3)).map(lambda number: number + next(count)).collect()
        session.run(PATIENCE_S)
    with pytest.raises(CommandRefused, match="came to 5 where it had come to 2"):
        session.why(rows, 1)

    def many(number: int) -> list[int]:
        return [number] * (next(count) % 7)

    with runtime.Session(seed=7) as session:
        rows = session.source(range(3)).flat_map(many).collect()
        session.run(PATIENCE_S)
    with pytest.raises(CommandRefused, match="did not repeat"):
        session.why(rows, 0)


def test_what_a_seed_does_not_repeat_is_refused() -> None:
    with runtime.Session(seed=7) as session:
        rows = session.input("in").collect()
        session.start()
        session.send("in", 1)
        with pytest.raises(CommandRefused, match="once it has ended"):
            session.why(rows, 0)
        session.end("in")
        session.wait(PATIENCE_S)
    with pytest.raises(CommandRefused, match="by hand is not repeated"):
        session.why(rows, 0)
    with runtime.Session(seed=7) as session:
        rows = session.source(range(3), name="numbers").map(abs, name="work").collect()
        session.start(paused=True)
        session.step("numbers")
        session.edit(session.peek("work")[0], 5)
        session.resume()
        session.wait(PATIENCE_S)
    with pytest.raises(CommandRefused, match="by hand is not repeated"):
        session.why(rows, 0)
    with runtime.Session(seed=7) as session:
        rows = session.source(iter(range(3))).collect()
        session.run(PATIENCE_S)
    with pytest.raises(runtime.SourceSpent):
        session.why(rows, 0)


def test_after_steps_were_taken_back_what_is_made_again_is_what_counts(make_session: MakeSession) -> None:
    session = make_session(trace=True)
    left, right = session.input("left"), session.input("right")
    pairs = left.key_by(parity).join(right.key_by(parity), pair, name="pair").round_robin()
    rows = pairs.reduce(lambda _, each: each, initial=None, name="last").collect(name="rows")
    session.start(paused=True)
    for name, value in (("left", 1), ("right", 3), ("right", 5)):
        session.send(name, value)
        session.step(name)
    while session.step().result != "idle":
        pass
    assert list(rows) == [(1, 3), (1, 5)]
    before = [repr(session.why(rows, index)) for index in range(2)]
    session.back(5)
    while session.step().result != "idle":
        pass
    assert [repr(session.why(rows, index)) for index in range(2)] == before
    assert [len(session.why(rows, index).parents) for index in range(2)] == [1, 2]
    session.cancel()
