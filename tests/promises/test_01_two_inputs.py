"""Promises 1, 2 and 5 where two streams meet in one operator; a lonely row comes only after a good end."""

from __future__ import annotations

import gc
import weakref
from collections import Counter, defaultdict
from typing import Any, Final, assert_type

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import runtime
from runtime.operators.joined import How
from runtime.testing import PATIENCE_S
from sage_nb.picture import picture_of
from tests.pairs import every_pair_of
from tests.platforms import MakeSession, Platform
from tests.promises.test_01_exact import CAPACITIES
from tests.promises.test_02_order_and_keys import FALSY, Numbered, WithInstance, rising

Row = tuple[Any, int]  # key and number

every_how = pytest.mark.parametrize("how", ["inner", "left", "outer"])
with_fixtures = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])

# Half of the rows of a side have one key, so that there are many of it on both; some keys are on one side only.
KEYS: Final = (7, 7, 7, 7, 0, "", None, ("a", 1))
sides = st.lists(st.sampled_from(KEYS), max_size=12)
one_to_three = st.integers(1, 3)


def key_of(row: Row) -> Any:
    return row[0]


def pair(left: Row | None, right: Row | None) -> tuple[Row | None, Row | None]:
    return left, right


def joined(how: str, lefts: list[Row], rights: list[Row]) -> Counter[Any]:
    """What a join is to send, by comparing every row with every other."""
    pairs: list[Any] = [(left, right) for left in lefts for right in rights if left[0] == right[0]]
    if how != "inner":
        pairs += [(left, None) for left in lefts if left[0] not in map(key_of, rights)]
    if how == "outer":
        pairs += [(None, right) for right in rights if right[0] not in map(key_of, lefts)]
    return Counter(pairs)


@every_how
@with_fixtures
@given(sides, sides, one_to_three, one_to_three, one_to_three, st.sampled_from((1, 3, 1024)))
def test_a_join_finds_every_pair_once_and_every_lonely_row(
    make_session: MakeSession,
    how: How,
    left_keys: list[Any],
    right_keys: list[Any],
    left_producers: int,
    right_producers: int,
    parallelism: int,
    capacity: int,
) -> None:
    lefts = [(key, number) for number, key in enumerate(left_keys)]
    rights = [(key, number) for number, key in enumerate(right_keys)]
    session = make_session(capacity=capacity)
    left = session.source(lefts, parallelism=left_producers).key_by(key_of)
    right = session.source(rights, parallelism=right_producers).key_by(key_of)
    result = left.join(right, pair, how, name="join", parallelism=parallelism).collect()
    outcome = session.run(PATIENCE_S)
    assert Counter(result) == joined(how, lefts, rights)
    worked = sum(task.processed for task in session.snapshot() if task.operator == "join")
    assert (worked, outcome.packets_in, outcome.packets_out) == (len(lefts + rights), len(lefts + rights), len(result))
    session.close()


@every_how
def test_each_side_of_a_join_may_be_a_union(make_session: MakeSession, how: How) -> None:
    session = make_session(capacity=2)
    rows = [[(number % 7, part * 100 + number) for number in range(20)] for part in range(3)]
    a, b, c = (session.source(part).key_by(key_of) for part in rows)
    result = a.union(b).join(c, pair, how, parallelism=2).collect()
    session.run(PATIENCE_S)
    assert Counter(result) == joined(how, rows[0] + rows[1], rows[2])


def test_a_stream_may_be_joined_and_connected_with_itself(make_session: MakeSession) -> None:
    session = make_session(capacity=1)
    rows = [(number % 3, number) for number in range(12)]
    stream = session.source(rows, parallelism=2)
    keyed = stream.key_by(key_of)
    pairs = keyed.join(keyed, pair, parallelism=2).collect()
    twice = stream.connect(stream).map(lambda row: ("first", row), lambda row: ("second", row), parallelism=2).collect()
    session.run(PATIENCE_S)
    assert Counter(pairs) == joined("inner", rows, rows)
    assert Counter(twice) == Counter((side, row) for side in ("first", "second") for row in rows)


@every_pair_of(producers=(1, 3), consumers=(1, 3), capacity=CAPACITIES)
def test_connected_streams_are_worked_each_by_its_function_in_order_per_producer(
    make_session: MakeSession, producers: int, consumers: int, capacity: int
) -> None:
    session = make_session(capacity=capacity)
    first = session.source(Numbered(), parallelism=producers).map(lambda packet: ("first", packet))
    second = session.source(Numbered(), parallelism=producers).map(lambda packet: ("second", packet))
    result = first.connect(second).flat_map(WithSide("first"), WithSide("second"), parallelism=consumers).collect()
    outcome = session.run(PATIENCE_S)
    assert outcome.packets_in == outcome.packets_out == len(result)
    assert all(side == function for function, _, (side, _) in result)
    seen: dict[Any, list[int]] = defaultdict(list)
    for _, consumer, (side, (producer, number)) in result:
        seen[side, producer, consumer].append(number)
    if producers == 1:  # the maps between are one task each: with several sources they mix, in order per source
        assert all(map(rising, seen.values()))
    assert Counter(packet for _, _, packet in result) == Counter(
        (side, (producer, number))
        for side in ("first", "second")
        for producer in range(producers)
        for number in range(60)
    )


class WithSide(WithInstance):
    """Says which function it is, and which instance."""

    def __init__(self, side: str) -> None:
        self.side = side

    def process(self, value: Any, /) -> Any:
        return [(self.side, self.ctx.index, value)]


@pytest.mark.parametrize("parallelism", [1, 3])
def test_the_pairs_of_a_row_come_in_the_order_of_its_partners_producer(
    make_session: MakeSession, parallelism: int
) -> None:
    session = make_session(capacity=2)
    left, right = (session.source(Numbered(), parallelism=2).key_by(lambda packet: packet[1] % 4) for _ in range(2))
    result = left.join(right, lambda left, right: (left, right), parallelism=parallelism).collect()
    session.run(PATIENCE_S)
    assert len(result) == 2 * 2 * 60 * 15
    of_left, of_right = defaultdict[Any, list[int]](list), defaultdict[Any, list[int]](list)
    for one, other in result:
        of_left[one, other[0]].append(other[1])
        of_right[other, one[0]].append(one[1])
    assert all(map(rising, of_left.values()))
    assert all(map(rising, of_right.values()))


def test_a_pair_is_sent_as_soon_as_its_later_row_is_there(make_session: MakeSession) -> None:
    session = make_session()
    left, right = session.input("left"), session.input("right")
    result = left.key_by(key_of).join(right.key_by(key_of), pair, "outer").collect()
    session.start()
    sent = [("left", ("a", 1)), ("right", ("a", 2)), ("right", ("b", 3)), ("left", ("b", 4)), ("left", ("a", 5))]
    seen = []
    for side, row in sent:
        session.send(side, row)
        session.settle(PATIENCE_S)
        seen.append(len(result))
    assert seen == [0, 1, 1, 2, 3]
    assert list(result) == [(("a", 1), ("a", 2)), (("b", 4), ("b", 3)), (("a", 5), ("a", 2))]
    session.cancel()


@pytest.mark.parametrize("key", FALSY, ids=repr)
def test_a_falsy_key_is_joined_and_a_falsy_row_is_a_row(make_session: MakeSession, key: Any) -> None:
    session = make_session()
    rows: list[Any] = [None, 0, ""]
    left, right = (session.source(rows).key_by(lambda _: key) for _ in range(2))
    result = left.join(right, lambda left, right: (left, right), "outer", parallelism=2).collect()
    session.run(PATIENCE_S)
    assert Counter(map(repr, result)) == Counter(repr((left, right)) for left in rows for right in rows)


def lonely_rows(session: runtime.Session, how: How, merged: list[Any]) -> runtime.Collected[Any]:
    """A join of two inputs, with one row waiting for a partner on each side; what is merged is also in `merged`."""

    def merge(left: Row | None, right: Row | None) -> Any:
        merged.append(pair(left, right))
        return merged[-1]

    left, right = (session.input(side).map(checked, name=f"check {side}").key_by(key_of) for side in ("left", "right"))
    result: runtime.Collected[Any] = left.join(right, merge, how, name="join").collect()
    session.start()
    for side, row in (("left", ("a", 1)), ("right", ("b", 2))):
        session.send(side, row)
        session.settle(PATIENCE_S)
    assert list(result) == merged == []
    return result


def checked(row: Row) -> Row:
    if row[1] < 0:
        raise ValueError(row)
    return row


LONELY: Final[dict[str, list[Any]]] = {
    "inner": [],
    "left": [(("a", 1), None)],
    "outer": [(("a", 1), None), (None, ("b", 2))],
}


@every_how
def test_lonely_rows_come_at_the_end_of_both_inputs_and_after_a_stop(
    make_session: MakeSession, platform: Platform, how: How
) -> None:
    ended, stopped = make_session(), make_session()
    results = [lonely_rows(session, how, platform.log()) for session in (ended, stopped)]
    ended.end("left")
    ended.settle(PATIENCE_S)
    assert list(results[0]) == []
    ended.end("right")
    stopped.stop()
    assert (ended.wait(PATIENCE_S).state, stopped.wait(PATIENCE_S).state) == ("completed", "stopped")
    assert list(map(list, results)) == [LONELY[how]] * 2


@every_how
@pytest.mark.parametrize("command", ["cancel", "close"])
def test_a_lonely_row_does_not_come_after_a_cancel(
    make_session: MakeSession, platform: Platform, how: How, command: str
) -> None:
    session, merged = make_session(), platform.log()
    result = lonely_rows(session, how, merged)
    session.end("left")
    session.settle(PATIENCE_S)
    getattr(session, command)()
    assert session.wait(PATIENCE_S).state == "cancelled"
    assert list(result) == merged == []


@every_how
@pytest.mark.parametrize("failing", ["left", "right"])
def test_a_lonely_row_does_not_come_after_a_producer_has_failed(
    make_session: MakeSession, platform: Platform, how: How, failing: str
) -> None:
    """It failed in what may have been the missing partner."""
    session, merged = make_session(), platform.log()
    result = lonely_rows(session, how, merged)
    session.end("right" if failing == "left" else "left")
    session.settle(PATIENCE_S)
    session.send(failing, ("c", -1))
    with pytest.raises(runtime.TaskFailed, match=f"check {failing}"):
        session.wait(PATIENCE_S)
    assert list(result) == merged == []


@pytest.mark.parametrize("parallelism", [1, 2])
def test_keyed_functions_share_the_state_of_their_key(make_session: MakeSession, parallelism: int) -> None:
    class Remember(runtime.Function[Row, Any]):
        def process(self, row: Row, /) -> Any:
            assert self.ctx.key == row[0]
            self.ctx.state["price"] = row[1]
            return ()

    class Recall(runtime.Function[Row, Any]):
        def process(self, row: Row, /) -> Any:
            return [(self.ctx.key, self.ctx.state.get("price"), row[1])]

    session = make_session()
    prices, orders = session.input("prices"), session.input("orders")
    priced = (
        prices.key_by(key_of)
        .connect(orders.key_by(key_of))
        .flat_map(Remember(), Recall(), name="price", parallelism=parallelism)
    )
    result = priced.collect()
    session.start()
    for name, row in [
        ("orders", ("a", 0)),
        ("prices", ("a", 5)),
        ("prices", ("b", 7)),
        ("orders", ("a", 1)),
        ("orders", ("b", 2)),
    ]:
        session.send(name, row)
        session.settle(PATIENCE_S)
    session.stop()
    session.wait(PATIENCE_S)
    assert list(result) == [("a", None, 0), ("a", 5, 1), ("b", 7, 2)]


def test_two_functions_are_copied_together_so_that_each_instance_shares_what_is_theirs(
    make_session: MakeSession,
) -> None:
    class Count(runtime.Function[int, Any]):
        def __init__(self, seen: list[int]) -> None:
            self.seen = seen

        def process(self, value: int, /) -> Any:
            self.seen.append(value)
            return self.ctx.index, len(self.seen)

    session = make_session()
    seen: list[int] = []
    stream = session.source(range(40))
    result = stream.connect(stream).map(Count(seen), Count(seen), parallelism=2).collect()
    session.run(PATIENCE_S)
    assert seen == []
    assert sorted(result) == [(index, count) for index in range(2) for count in range(1, 41)]


class Weighty:
    """A row that can be watched."""


@every_how
@pytest.mark.parametrize("ends", ["left", "right"])
def test_rows_that_have_met_all_their_partners_are_let_go(make_session: MakeSession, how: How, ends: str) -> None:
    session = make_session()
    left, right = (session.input(name).key_by(lambda _: "k") for name in ("left", "right"))
    left.join(right, lambda left, right: None, how).sink(lambda _: None)
    session.start()
    session.send(ends, "the small side")
    rows = weakref.WeakSet[Weighty]()

    def send_large() -> None:
        for row in [Weighty() for _ in range(50)]:
            rows.add(row)
            session.send("right" if ends == "left" else "left", row)
        session.settle(PATIENCE_S)

    send_large()
    gc.collect()
    assert len(rows) == 50  # each may yet meet another row of the small side
    session.end(ends)
    session.settle(PATIENCE_S)
    send_large()
    gc.collect()
    assert len(rows) <= 1  # one may stay, to say that the small side's rows have had a partner
    session.stop()
    session.wait(PATIENCE_S)


@pytest.mark.parametrize("keyed", [False, True])
@pytest.mark.parametrize("side", [0, 1])
def test_a_failure_names_the_bare_packet_whoever_put_it_in(make_session: MakeSession, keyed: bool, side: int) -> None:
    def fail(value: int) -> None:
        raise ValueError(value)

    for by_hand in (False, True):
        session = make_session()
        first, second = session.input("first"), session.input("second")
        connected = first.key_by(abs).connect(second.key_by(abs)) if keyed else first.connect(second)
        connected.map(*((fail, abs) if side == 0 else (abs, fail)), name="work").sink(lambda _: None)
        session.start()
        session.send("second" if side == 0 else "first", -1)
        session.settle(PATIENCE_S)
        if by_hand:
            session.inject("work", 7, input=side)
        else:
            session.send("first" if side == 0 else "second", 7)
        with pytest.raises(runtime.TaskFailed) as caught:
            session.wait(PATIENCE_S)
        assert (caught.value.task, caught.value.packet) == ("work", 7)


def test_types_pass_through_and_pictures_say_on_which_input_an_edge_arrives(session: runtime.Session) -> None:
    words, numbers = session.source(["a", "be"], name="words"), session.source([1, 2], name="numbers")
    both = words.connect(numbers).map(str.encode, float, name="both")
    assert_type(both, runtime.Stream[bytes | float])
    assert_type(words.connect(numbers).flat_map(str.split, range), runtime.Stream[str | int]).collect()
    rows = words.key_by(len).join(numbers.key_by(abs), lambda word, number: (word, number), "left", name="rows")
    both.collect()
    rows.collect()
    graph = session.graph
    assert [graph.label(edge) for edge in graph.inputs("both")] == ["round robin, input 0", "round robin, input 1"]
    assert "rows (hash, input 1)" in str(session)
    labels = [edge.label for edge in picture_of(session).edges]
    assert labels.count("hash, input 0") == labels.count("hash, input 1") == 1
    session.run(PATIENCE_S)
