"""Promise 5, of all that travels in band: a signal keeps its exact place, and counts as its class says.

The signals are the tests' own (tests/signals.py): one that counts by itself, one by the least, one that is aligned.
"""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

import runtime
from runtime.builder.stream import OutputRef, Stream
from runtime.communication.inbox import Inbox
from runtime.communication.lane import LaneSpec
from runtime.communication.signals import Signal
from runtime.operators import Map, register_operator
from runtime.testing import PATIENCE_S
from tests.pairs import every_pair_of
from tests.platforms import MakeSession
from tests.signals import KINDS, MARKED, Aligned, Each, Kind, Marked, check, lanes, parsed

MANY = 100_000  # the end holds all that came

every_kind = every_pair_of(kind=KINDS)


def one(session: runtime.Session, kind: Kind) -> Any:
    return session.source(Marked("a", kind), name="a")


def two(session: runtime.Session, kind: Kind) -> tuple[Any, Any]:
    return one(session, kind), session.source(Marked("b", kind), name="b")


def same(item: Any) -> Any:
    return item


def number(item: Any) -> int:
    return int(item[1])


def fails_at_first(item: Any) -> Any:
    return item if item[1] != 5 else 1 / 0


EDGES: dict[str, Any] = {
    "single": lambda a: a.map(same),
    "none between": lambda a: a,
    "round robin": lambda a: a.map(same, parallelism=2),
    "hash": lambda a: a.key_by(number).map(same, parallelism=2),
    "hash to one": lambda a: a.key_by(number).map(same),
    "broadcast": lambda a: a.broadcast().map(same, parallelism=2),
    "flat_map": lambda a: a.flat_map(lambda item: [item] * 3),
    "filter": lambda a: a.filter(lambda item: item[1] % 2),
    "reduce": lambda a: a.reduce(lambda _, item: item),
    "skip": lambda a: a.map(fails_at_first, on_error="skip"),
    "skip, several results": lambda a: a.flat_map(lambda item: [fails_at_first(item)] * 3, on_error="skip"),
    "retry": lambda a: a.map(fails_at_first, on_error=runtime.Retry(1, 0, then="skip")),
    "union": lambda a, b: a.union(b).map(same),
    "union, parallel": lambda a, b: a.union(b).map(same, parallelism=2),
    "union of ways of different length": lambda a, b: a.map(same, parallelism=3).union(b).map(same),
    "connect": lambda a, b: a.connect(b).map(same, same),
    "join": lambda a, b: a.key_by(number).join(b.key_by(number), lambda x, y: ("ab", x[1])),
    "union before take": lambda a, b: a.union(b).take(1_000),
}


def run_to_the_end(session: runtime.Session, made: Any) -> dict[str, list[Any]]:
    """Run at full speed into an end that is paused; what came down each of its lanes."""
    made.sink(same, name="end", capacity=MANY)
    session.start(paused=True)
    session.resume(*[name for name in session.snapshot().tasks if name != "end"])
    session.settle(PATIENCE_S)
    found = lanes(session.peek("end", MANY))
    session.resume("end")
    assert session.wait(PATIENCE_S).state == "completed"
    return found


@every_pair_of(
    kind=KINDS, edge=list(EDGES), capacity=(1, 4, 1024), remote={"kind": "aligned", "edge": "union", "capacity": 4}
)
def test_a_signal_keeps_its_place_through_every_kind_of_edge(
    make_session: MakeSession, kind: Kind, edge: str, capacity: int
) -> None:
    session = make_session(capacity=capacity)
    build = EDGES[edge]
    sources = ("a", "b") if build.__code__.co_argcount == 2 else ("a",)
    ends = two(session, kind) if len(sources) == 2 else (one(session, kind),)
    for lane in run_to_the_end(session, build(*ends)).values():
        if edge.startswith("union of ways") and kind == "each":
            continue  # three tasks hand on what counts by itself, each when it comes to it
        check(kind, sources, lane, paired=edge == "join")


@every_kind
@pytest.mark.parametrize("edge", ["single", "hash to one", "flat_map", "filter", "reduce", "skip", "none between"])
def test_a_signal_keeps_its_place_while_tasks_before_an_end_apart_are_worked_as_a_chain(
    make_session: MakeSession, kind: Kind, edge: str
) -> None:
    marked = range(0, 600, 7)
    session = make_session(capacity=4)
    source = session.source(Marked("a", kind, 600, marked), name="a")
    EDGES[edge](source).sink(same, name="end", capacity=MANY, chain=False)
    session.start(paused=True)
    session.resume(*[name for name in session.snapshot().tasks if name != "end"])
    session.settle(PATIENCE_S)
    (lane,) = lanes(session.peek("end", MANY)).values()
    check(kind, ("a",), lane, marked=(*marked, 600))


@every_kind
def test_a_traced_job_signals_in_the_same_places(make_session: MakeSession, kind: Kind) -> None:
    session = make_session(capacity=4, trace=True)
    a, b = two(session, kind)
    for lane in run_to_the_end(session, a.union(b).map(same, parallelism=2)).values():
        check(kind, ("a", "b"), lane)


# ── counting ──


def paused(session: runtime.Session, kind: Kind, **settings: Any) -> None:
    """Two sources, a task that they share, and an end; all paused, and everything sent to the task."""
    a, b = two(session, kind)
    a.union(b).map(same, name="work", capacity=MANY, **settings).sink(same, name="end", capacity=MANY)
    session.start(paused=True)


def told(step: runtime.Step) -> Any:
    """The signal that was taken."""
    assert step.signal is not None
    return parsed(step.signal[1]) or step.signal[1]


def texts(steps: Any) -> list[str]:
    return [str(each) for each in steps]


def test_a_signal_that_counts_by_itself_is_handed_on_by_a_step_of_its_own(make_session: MakeSession) -> None:
    session = make_session()
    paused(session, "each")
    session.step("a", 2)
    assert texts(session.step("work", 3)) == [
        "work: Each(number=0, source='a') from a",
        "work: ('a', 0) -> ('a', 0) to end",
        "work: ('a', 1) -> ('a', 1) to end",
    ]
    assert [(each.index, each.producer, each.text) for each in session.peek("end").signals] == [
        (0, "work", "Each(number=0, source='a')")
    ]
    assert str(session.step("end")) == "end: Each(number=0, source='a') from work"
    assert [each.payload for each in session.peek("end")] == [("a", 0), ("a", 1)]


def test_the_least_counts_once_every_lane_has_brought_one_and_rises(make_session: MakeSession) -> None:
    session = make_session()
    paused(session, "least")
    session.step("a", 5)
    session.step("work", 7)
    assert [each.text for each in session.peek("end").signals] == []  # nothing is known of b
    session.step("b", 4)
    session.step("work", 100)
    assert [each.text for each in session.peek("end").signals] == ["Least(number=0)", "Least(number=3)"]
    session.step("b", 100)  # to its end, which holds up nobody
    session.step("work", 100)
    assert [each.text for each in session.peek("end").signals][2:] == ["Least(number=4)"]


@pytest.mark.also_remote
def test_nothing_behind_an_aligned_signal_is_taken_before_all_lanes_have_brought_it(make_session: MakeSession) -> None:
    session = make_session()
    paused(session, "aligned")
    session.step("a", 100)
    assert texts(session.step("work", 2)) == [
        "work: Aligned(number=0) from a, 1 of 2",
        "work: idle, nothing to take",
    ]
    view = session.peek("work")
    assert len(view) == 12  # all of a waits
    assert [(each.index, each.text) for each in view.signals] == [  # in their places between its packets
        (3, "Aligned(number=3)"),
        (4, "Aligned(number=4)"),
        (9, "Aligned(number=9)"),
        (12, "Aligned(number=12)"),
        (12, "completed"),
    ]
    assert session.snapshot()["work"].signals == session.snapshot().tasks.signals("work") == view.signals
    session.inject("work", ("by hand", 0))  # the hand's lane is not held
    assert str(session.step("work")) == "work: ('by hand', 0) -> ('by hand', 0) to end"
    session.step("b")
    assert texts(session.step("work", 5)) == [
        "work: Aligned(number=0) from b, 2 of 2",
        "work: ('a', 0) -> ('a', 0) to end",
        "work: ('b', 0) -> ('b', 0) to end",
        "work: ('a', 1) -> ('a', 1) to end",
        "work: ('a', 2) -> ('a', 2) to end",
    ]
    assert [each.text for each in session.peek("end").signals] == ["Aligned(number=0)"]


def test_a_lane_that_has_ended_counts_as_having_brought_what_is_aligned(make_session: MakeSession) -> None:
    session = make_session()
    a, b = one(session, "aligned"), session.source([("b", 0)], name="b")
    for lane in run_to_the_end(session, a.union(b).map(same)).values():
        signals = [each for each in lane if isinstance(each, Aligned)]
        assert signals == [Aligned(number) for number in (*MARKED, 12)]
        assert lane[0] == ("b", 0) or lane[1] == ("b", 0)


def test_a_writer_that_is_held_back_at_a_held_lane_goes_on_when_the_others_have_come(make_session: MakeSession) -> None:
    session = make_session(capacity=2)
    a, b = two(session, "aligned")
    a.union(b).map(same, name="work").sink(same, name="end", capacity=MANY)
    session.start(paused=True)
    session.resume("a", "work")
    session.settle(PATIENCE_S)
    assert session.snapshot()["a"].state == "held back"
    session.resume("b")
    session.settle(PATIENCE_S)
    check("aligned", ("a", "b"), lanes(session.peek("end", MANY))["work"])
    session.resume()
    session.wait(PATIENCE_S)


def test_a_writer_is_let_into_what_is_free_of_a_held_lane(make_session: MakeSession) -> None:
    session = make_session(capacity=16)
    a, b = session.source(Marked("a", "aligned", 12, (4,)), name="a"), session.source(Marked("b", "aligned"), name="b")
    a.union(b).map(same, name="work").sink(same, name="end", capacity=MANY)
    session.start(paused=True)
    session.resume("a")
    session.settle(PATIENCE_S)
    assert session.snapshot()["a"].state == "held back"
    session.resume("work")  # takes four of the eight, and then nothing before b has come
    session.settle(PATIENCE_S)
    assert (session.snapshot()["a"].state, session.snapshot()["work"].depth) == ("ended", 8)
    session.cancel()


# ── the hand ──


@every_kind
def test_a_task_that_is_stepped_hands_on_what_one_at_full_speed_does(make_session: MakeSession, kind: Kind) -> None:
    session = make_session(capacity=4)
    a, b = two(session, kind)
    a.union(b).flat_map(lambda item: [item, item], name="work").sink(same, name="end", capacity=MANY)
    session.start(paused=True)
    for _ in range(200):
        for name in ("work", "a", "b"):
            session.step(name)
    found = lanes(session.peek("end", MANY))["work"]
    items = [each for each in found if isinstance(each, tuple)]
    assert all(items.count((source, number)) == 2 for source in "ab" for number in range(12))
    check(kind, ("a", "b"), found)
    session.resume()
    session.wait(PATIENCE_S)


class Model:
    """What a lane has to hold: its packets and signals, in order; and how each change by hand is taken back."""

    def __init__(self, lane: list[Any]) -> None:
        self.lane = lane
        self.undo: list[list[Any]] = []

    def packets(self) -> list[int]:
        return [place for place, each in enumerate(self.lane) if isinstance(each, tuple)]

    def side(self, place: int) -> int:
        return sum(not isinstance(each, tuple) for each in self.lane[:place])


@every_pair_of(seed=range(12), remote={"seed": 3})
def test_any_edits_leave_each_signal_in_its_place_and_undo_is_their_reverse(
    make_session: MakeSession, seed: int
) -> None:
    rng = Random(seed)
    session = make_session()
    one(session, "each").map(same, name="work", capacity=MANY).sink(same, name="end", capacity=MANY)
    session.start(paused=True)
    session.step("a", 5)
    model = Model(lanes(session.peek("work"))["a"])
    before: list[list[Any]] = []  # what the lane held before each change that can be taken back
    drawn = 5
    for round_ in range(60):
        places = model.packets()
        what = rng.choice(["drop", "move", "edit", "undo", "undo", "take", "draw"])
        if what == "undo" and before:
            session.undo()
            model.lane = before.pop()
        elif what == "draw" and drawn < 12:
            session.step("a")
            arrived = lanes(session.peek("work"))["a"][len(model.lane) :]
            drawn += 1
            assert [each for each in arrived if isinstance(each, tuple)] == [("a", drawn - 1)]
            model.lane = model.lane + arrived
            before = [lane + arrived for lane in before]
        elif what == "take" and model.lane and not before:
            step = session.step("work")
            taken = model.lane.pop(0)
            assert (step.packet.payload == taken) if step.packet is not None else str(taken) in str(step)
        elif places and what in ("drop", "move", "edit"):
            index = rng.randrange(len(places))
            packet = session.peek("work")[index]
            place, lane = places[index], list(model.lane)
            if what == "drop":
                session.drop(packet)
                del lane[place]
            elif what == "edit":
                lane[place] = ("a", 100 + round_)
                session.edit(packet, lane[place])
            else:
                to = rng.randrange(len(places))
                if model.side(place) != model.side(places[to]):
                    with pytest.raises(runtime.CommandRefused, match="a signal stands between"):
                        session.move(packet, to)
                    continue
                session.move(packet, to)
                lane.insert(places[to], lane.pop(place))
            before.append(model.lane)
            model.lane = lane
        assert lanes(session.peek("work")).get("a", []) == model.lane, (what, round_)
        assert len(session.peek("work")) == session.snapshot()["work"].depth
    session.resume()
    session.wait(PATIENCE_S)


@pytest.mark.also_remote
@pytest.mark.long_on_ray
def test_what_was_dropped_before_a_signal_is_put_back_in_front_of_it_and_what_was_behind_it_behind(
    make_session: MakeSession,
) -> None:
    session = make_session()
    one(session, "each").map(same, name="work").sink(same, name="end")
    session.start(paused=True)
    session.step("a", 4)
    whole = lanes(session.peek("work"))["a"]
    assert whole == [Each(0, "a"), ("a", 0), ("a", 1), ("a", 2), Each(3, "a"), ("a", 3)]
    for index in (2, 3):
        packet = session.peek("work")[index]
        session.drop(packet)
        assert lanes(session.peek("work"))["a"] == [each for each in whole if each != packet.payload]
        session.undo()
        assert lanes(session.peek("work"))["a"] == whole
    session.step("work", 4)
    session.drop(session.peek("work")[0])
    assert str(session.step("work")) == "work: Each(number=3, source='a') from a"
    with pytest.raises(runtime.CommandRefused, match="'work' has been stepped since"):
        session.undo()


@every_kind
def test_a_cancel_counts_packets_and_no_signals(make_session: MakeSession, kind: Kind) -> None:
    session = make_session()
    paused(session, kind)
    session.step("a", 5)
    session.step("b", 5)
    session.step("work", 3)
    waiting = sum(facts.depth for facts in session.snapshot())
    session.cancel()
    assert session.wait(PATIENCE_S).dropped == waiting


@every_kind
def test_what_only_a_take_needs_ends_with_it_and_its_signals_hold_up_nobody(
    make_session: MakeSession, kind: Kind
) -> None:
    session = make_session(capacity=2)
    a, b = two(session, kind)
    first = a.map(same, name="first").take(3, name="few")
    got = first.union(b).map(same).collect()
    assert session.run(PATIENCE_S).state == "completed"
    assert sorted(got) == [*[("a", number) for number in range(3)], *[("b", number) for number in range(12)]]


def test_a_tap_sees_signals_between_the_packets(make_session: MakeSession) -> None:
    session = make_session()
    one(session, "each").map(same, name="work").sink(same, name="end")
    session.start(paused=True)
    with session.tap("work") as seen:
        session.resume()
        session.wait(PATIENCE_S)
    taken = [
        step.packet.payload if step.signal is None and step.packet is not None else told(step) for step in seen.steps
    ]
    check("each", ("a",), taken)


def test_what_stands_behind_a_signal_is_neither_looked_at_nor_taken() -> None:
    inbox = Inbox(8, (LaneSpec("a"),))
    lane = inbox.lanes[1]
    lane.put_signal(Each(0, "a"))
    lane.put("behind it")
    assert (inbox.front(), inbox.gather(8)) == (None, ([], []))
    assert inbox.signalled_lane() is lane
    lane.take_signal()
    assert (inbox.front(), inbox.gather(8)[0]) == ((1, "behind it"), ["behind it"])


# ── the operator ──


class Hears(Map):
    """Sends what it has heard behind each packet."""

    def open(self, ctx: Any) -> None:
        self.heard: list[Signal] = []
        super().open(ctx)

    def signalled(self, signal: Signal, number: int | None) -> None:
        self.heard.append(signal)

    def receive_packets(self, values: Any, emit: Any, attention: Any) -> None:
        for value in values:
            emit((*value, tuple(self.heard)))
            if attention.yield_requested:
                return


register_operator("hears", Hears)


@pytest.mark.parametrize("policy", ["fail", "skip"])
def test_an_operator_hears_a_signal_that_counts_between_the_packets_where_it_stands(
    make_session: MakeSession, policy: str
) -> None:
    session = make_session(capacity=4)
    a, b = two(session, "aligned")
    node = a.union(b)._add("hears", same, name="hears", parallelism=1, capacity=4, on_error=policy)
    made: Stream[Any] = Stream(a._environment, (OutputRef(node.name),))
    got = made.collect()
    session.run(PATIENCE_S)
    numbers = (*MARKED, 12)
    for _, number, heard in got:
        assert heard == tuple(Aligned(each) for each in numbers if each <= number)


class Answers(Map):
    """Sends packets on, and an answer for each signal that counts."""

    def signalled(self, signal: Signal, number: int | None) -> Any:
        yield "answer", signal


register_operator("answers", Answers)


def answering(session: runtime.Session, kind: Kind, policy: str) -> Stream[Any]:
    a, b = two(session, kind)
    node = a.union(b)._add("answers", same, name="answers", parallelism=1, capacity=4, on_error=policy)
    return Stream(a._environment, (OutputRef(node.name),))


@pytest.mark.parametrize("policy", ["fail", "skip"])
@pytest.mark.parametrize("kind", KINDS)
def test_what_an_operator_makes_of_a_signal_is_sent_in_front_of_it(
    make_session: MakeSession, kind: Kind, policy: str
) -> None:
    session = make_session(capacity=4)
    made: Any = answering(session, kind, policy)
    hears = made._add("hears", same, name="hears", parallelism=1, capacity=4)
    got = Stream[Any](made._environment, (OutputRef(hears.name),)).collect()
    session.run(PATIENCE_S)
    answers = [(signal, heard) for what, signal, heard in got if what == "answer"]
    assert len(answers) == (2 if kind == "each" else 1) * (len(MARKED) + 1)
    for place, (signal, heard) in enumerate(answers):
        assert signal not in heard, "the signal was sent in front of what was made of it"
        assert heard == tuple(before for before, _ in answers[:place]), "it stands behind those before it"


def test_a_step_shows_what_was_made_of_a_signal(make_session: MakeSession) -> None:
    session = make_session()
    a = session.source(Marked("a", "each", 1, (0,)), name="a")
    node = a._add("answers", same, name="answers", parallelism=1, capacity=4)
    Stream(a._environment, (OutputRef(node.name),)).sink(same, name="end")
    session.start(paused=True)
    session.step("a")
    step = session.step("answers")
    assert [packet.payload for _, packet in step.sent] == [("answer", Each(0, "a"))]
    assert step.signal == ("a", "Each(number=0, source='a')")
    session.cancel()


def test_a_breakpoint_behind_a_signal_is_hit_when_the_signal_has_been_taken(make_session: MakeSession) -> None:
    session = make_session()
    a = session.source(Marked("a", "each", 2, (1,)), name="a")
    a.union(session.input("b")).map(same, name="work").sink(same, name="end")
    session.start(paused=True)
    session.step("a", 2)
    breakpoint = session.breakpoint("work", when=lambda item: item == ("a", 1))
    session.resume("work")
    assert breakpoint.wait(PATIENCE_S).payload == ("a", 1)
    assert [each.text for each in session.peek("end").signals] == ["Each(number=1, source='a')"]
    session.cancel()


def test_lanes_that_wait_for_different_signals_fail_their_task_by_name(make_session: MakeSession) -> None:
    session = make_session()
    a, b = (session.source(Marked(name, "aligned", 3, (first,)), name=name) for name, first in (("a", 0), ("b", 1)))
    a.union(b).map(same, name="work").sink(same)
    with pytest.raises(runtime.TaskFailed, match="work") as failed:
        session.run(PATIENCE_S)
    assert "different signals" in str(failed.value.__cause__)


class Last(runtime.Function[Any, Any]):
    """Sends two results at the end, for which its reader has one place."""

    def process(self, value: Any, /) -> Any:
        return value

    def finish(self) -> Any:
        return ["one", "two"]


def test_a_stop_signal_is_told_as_one_while_its_turn_is_not_over(make_session: MakeSession) -> None:
    session = make_session()
    session.source([], name="a").map(Last(), name="work").sink(same, name="end", capacity=1)
    session.start(paused=True)
    session.step("a")
    step = session.step("work")
    if step.result == "stop":  # the hand's lane closes by a turn of its own
        step = session.step("work")
    assert step.result == "held_back"
    assert str(step) == "work: stop from a (completed) -> 'one' to end; held back: 'two' to end"
    session.cancel()
