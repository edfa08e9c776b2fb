"""Promise 15: in a traced job every packet tells who it is, what it was made of and when; else nothing is kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

import runtime
from runtime import GraphInvalid, Packet
from runtime.graph.policy import OnError
from runtime.testing import PATIENCE_S
from tests.platforms import MakeSession
from tests.promises.test_14_edit import finish, queued, with_packets


def seen_by(session: runtime.Session, *tasks: str) -> dict[str, list[runtime.Step]]:
    """Run to the end; what passed each task."""
    session.start(paused=True)
    taps = {task: session.tap(task) for task in tasks}
    for tap in taps.values():
        tap.__enter__()
    session.resume()
    session.wait(PATIENCE_S)
    for tap in taps.values():
        tap.__exit__(None, None, None)
    return {task: [step for step in tap.steps if step.packet is not None or step.sent] for task, tap in taps.items()}


def packets(steps: dict[str, list[runtime.Step]]) -> Iterator[tuple[runtime.Step, Packet]]:
    """Every packet that was sent, and the step in which it was."""
    for each in steps.values():
        for step in each:
            for _, packet in step.sent:
                yield step, packet


ALL = ("lines", "split", "keep", "both", "count", "result")


@pytest.mark.parametrize("policy", ["fail", "skip", runtime.Retry(1, backoff=0)], ids=["fail", "skip", "retry"])
def test_every_packet_has_an_id_of_its_own_and_the_packet_in_work_as_its_parent(
    make_session: MakeSession, policy: OnError
) -> None:
    session = make_session(trace=True, capacity=3, on_error=policy)
    lines = session.source([f"a{n} b{n % 3} c" for n in range(40)], name="lines")
    words = lines.flat_map(str.split, name="split")
    kept = words.filter(lambda word: word != "c", name="keep", parallelism=2)
    both = kept.connect(words.broadcast()).map(str.upper, str.lower, name="both")
    counts = both.key_by(str.upper).reduce(lambda n, _: n + 1, initial=0, name="count", parallelism=3)
    result = counts.collect(name="result")
    steps = seen_by(session, *ALL)

    ids = Counter(packet.id for _, packet in packets(steps))
    assert len(result) == 2 * 40 + 3 * 40
    assert max(ids.values()) == 1
    assert None not in ids
    for step, packet in packets(steps):
        assert packet.parents == ((step.packet.id,) if step.packet is not None else ())
        assert packet.id is not None
        assert packet.id.startswith(f"{step.task}:")
    taken = Counter(step.packet.id for each in steps.values() for step in each if step.packet is not None)
    assert taken == ids, "what was sent was taken, by the same id"


def test_a_packet_is_not_older_than_its_parents(make_session: MakeSession) -> None:
    session = make_session(trace=True)
    session.source(range(20), name="lines").map(abs, name="split").collect(name="result")
    steps = seen_by(session, "lines", "split", "result")
    made_at = {packet.id: packet.timestamp for _, packet in packets(steps)}
    assert len(made_at) == 40
    for _, packet in packets(steps):
        assert packet.timestamp is not None
        assert all(made_at[parent] <= packet.timestamp for parent in packet.parents)  # type: ignore[operator]


def test_under_a_seed_timestamps_are_virtual_and_a_run_has_the_same_traces_again() -> None:
    def run() -> list[tuple[Any, ...]]:
        with runtime.Session(seed=3, trace=True) as session:
            session.source(range(5), name="lines").map(abs, name="split", parallelism=2).collect(name="result")
            steps = seen_by(session, "lines", "split")
            return [(packet.payload, packet.id, packet.parents, packet.timestamp) for _, packet in packets(steps)]

    first = run()
    assert first == run()
    assert all(timestamp < 1e6 for *_, timestamp in first), "seconds since the start, not since the epoch"


def test_each_copy_of_a_broadcast_packet_has_an_id_of_its_own(make_session: MakeSession) -> None:
    session = make_session(trace=True)
    source = session.source([1], name="lines")
    source.broadcast().map(abs, name="split", parallelism=2).collect(name="result")
    session.start(paused=True)
    step = session.step("lines")
    assert [packet.id for _, packet in step.sent] == ["lines:1", "lines:2"]
    session.resume()


@pytest.mark.also_remote
def test_what_is_left_at_the_end_of_the_input_has_no_parents(make_session: MakeSession) -> None:
    session = make_session(trace=True)
    counts = (
        session.source("aab", name="lines").key_by(str).reduce(lambda n, _: n + 1, initial=0, emit="end", name="count")
    )
    counts.collect(name="result")
    steps = seen_by(session, "result")["result"]
    assert [(step.packet.payload, step.packet.id, step.packet.parents) for step in steps if step.packet] == [
        (("a", 2), "count:1", ()),
        (("b", 1), "count:2", ()),
    ]


def test_a_pair_of_a_join_is_a_child_of_its_later_row(make_session: MakeSession) -> None:
    session = make_session(trace=True)
    left, right = session.input("left"), session.input("right")
    left.key_by(abs).join(right.key_by(abs), lambda a, b: (a, b), name="pair").collect(name="result")
    session.start(paused=True)
    for side in ("left", "right"):
        session.send(side, 1)
        session.step(side)
    session.step("pair")
    step = session.step("pair")
    assert [packet.parents for _, packet in step.sent] == [("right:1",)]
    session.cancel()


def test_what_the_hand_puts_in_is_traced_too_at_every_kind_of_input(make_session: MakeSession) -> None:
    session = make_session(trace=True)
    left, right = session.input("left"), session.input("right")
    joined = left.key_by(abs).join(right.key_by(abs), lambda a, b: (a, b), name="pair")
    joined.map(str, name="work").collect(name="result")
    session.start(paused=True)
    session.send("left", 7)
    session.inject("pair", 5, input=1)
    session.inject("pair", 6, input=0)
    session.inject("work", 8)
    assert session.peek("left")[0].id == "hand/left:1"
    packets = list(session.peek("pair"))
    assert [(each.id, each.payload, each.key, each.input) for each in packets] == [
        ("hand/pair:1", 5, 5, 1),
        ("hand/pair:2", 6, 6, 0),
    ]
    assert all(each.parents == () and each.timestamp is not None for each in packets)
    session.edit(packets[0], -5)
    edited = session.peek("pair")[0]
    assert (edited.payload, edited.key, edited.input, edited.id) == (-5, 5, 1, "hand/pair:1")
    session.undo()
    assert session.peek("pair")[0].payload == 5
    step = session.step("work")
    assert [(packet.payload, packet.parents) for _, packet in step.sent] == [("8", ("hand/work:1",))]
    session.cancel()


def test_a_packet_keeps_its_id_whatever_the_hand_does_with_it(make_session: MakeSession) -> None:
    session = make_session(trace=True)
    result = with_packets(session, [1, 2, 3])
    before = [packet.id for packet in session.peek("work")]
    assert before == ["in:1", "in:2", "in:3"]
    session.edit(session.peek("work")[0], 10)
    session.move(session.peek("work")[0], 2)
    session.drop(session.peek("work")[0])
    session.undo()
    assert queued(session) == [2, 3, 10]
    assert [packet.id for packet in session.peek("work")] == ["in:2", "in:3", "in:1"]
    assert session.step("work").sent[0][1].parents == ("in:2",)
    finish(session)
    assert list(result) == [2, 3, 10]


def test_a_packet_that_is_retried_by_hand_comes_in_anew(make_session: MakeSession) -> None:
    session = make_session(trace=True, on_error="skip")
    tries: list[int] = []

    def fail_once(value: int) -> int:
        tries.append(value)
        return value // (len(tries) - 1)

    result = session.input("in").map(fail_once, name="work").collect(name="out")
    session.start(paused=True)
    session.send("in", 4)
    session.step("in")
    assert session.step("work").error is not None
    assert session.dead_letters[0].packet == 4
    session.dead_letters.retry(0)
    step = session.step("work")
    assert step.packet is not None
    assert (step.packet.id, step.packet.payload) == ("hand/work:1", 4)
    assert step.sent[0][1].parents == ("hand/work:1",)
    finish(session)
    assert list(result) == [4]


def test_the_path_of_a_packet_names_parents_and_children(make_session: MakeSession) -> None:
    session = make_session(trace=True)
    session.source(["to be"], name="lines").flat_map(str.split, name="split").collect(name="result")
    session.start(paused=True)
    session.step("lines")
    path = session.follow(session.peek("split")[0])
    assert [(packet.id, packet.parents) for packet in path.packets] == [
        ("lines:1", ()),
        ("split:1", ("lines:1",)),
        ("split:2", ("lines:1",)),
    ]
    assert list(map(repr, path.packets)) == [
        "Packet('to be', lines:1)",
        "Packet('to', split:1 of lines:1)",
        "Packet('be', split:2 of lines:1)",
    ]
    session.resume()


def test_what_is_not_traced_has_no_id_no_parents_and_no_timestamp(session: runtime.Session) -> None:
    with_packets(session, [1])
    packet = session.peek("work")[0]
    step = session.step("work")
    for each in (packet, step.packet, step.sent[0][1]):
        assert each is not None
        assert (each.id, each.parents, each.timestamp) == (None, (), None)
    finish(session)


def test_user_code_sees_no_difference(make_session: MakeSession) -> None:
    """A payload that is a Packet itself is a payload like any other."""
    for trace in (False, True):
        session = make_session(trace=trace)
        payload = Packet(1, key=2, keyed=True)
        result = session.source([payload], name="lines").key_by(lambda each: each.key).map(lambda each: each).collect()
        session.run(PATIENCE_S)
        assert result[0] is payload


@pytest.mark.parametrize("trace", [1, None, "yes"])
def test_a_trace_that_is_no_bool_is_refused(trace: Any) -> None:
    with pytest.raises(GraphInvalid, match="trace"):
        runtime.Session(trace=trace)
