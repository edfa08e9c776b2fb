"""Promise 14: a paused queue can be edited, exactly: changed, dropped, moved and put back as it was."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from random import Random
from typing import Any

import pytest

import runtime
from runtime import CommandRefused, NotPaused, PacketGone, QueueFull, TaskEnded
from runtime.testing import PATIENCE_S, Hold
from runtime.texts.preview import preview
from tests.platforms import MakeSession, Platform
from tests.promises.test_14_hand import fill
from tests.services import Calling, Echo


def queued(session: runtime.Session, task: str = "work") -> list[Any]:
    return [packet.payload for packet in session.peek(task, 10_000)]


def with_packets(session: runtime.Session, values: Sequence[Any]) -> runtime.Collected[Any]:
    """`in → work → out`, paused, with these in front of `work`, in the lane of `in`."""
    result = session.input("in").map(lambda value: value, name="work").collect(name="out")
    session.start(paused=True)
    for value in values:
        session.send("in", value)
        session.step("in")
    return result


def go_on(session: runtime.Session, idle: str = "in") -> None:
    """Let a task run that has nothing to do. What was stepped before cannot be taken back then, and undo is free."""
    session.resume(idle)
    session.pause(idle)


def finish(session: runtime.Session) -> runtime.Outcome:
    session.stop()
    session.resume()
    return session.wait(PATIENCE_S)


def test_an_edited_packet_is_worked_in_its_place_with_its_new_value(session: runtime.Session) -> None:
    result = with_packets(session, [1, 2, 3])
    session.edit(session.peek("work")[1], "two")
    assert repr(session.peek("work")) == "QueueView(work, 3 of 1,024: 1, 'two', 3)"
    finish(session)
    assert list(result) == [1, "two", 3]


def test_a_dropped_packet_is_not_worked_and_counts_as_dropped(session: runtime.Session) -> None:
    result = with_packets(session, [1, 2, 3])
    session.drop(session.peek("work")[1])
    session.inject("work", 4)
    session.drop(session.peek("work")[0])
    assert queued(session) == [1, 3]
    outcome = finish(session)
    assert list(result) == [1, 3]
    assert (outcome.packets_in, outcome.packets_out, outcome.dropped) == (4, 2, 2)


def test_a_drop_that_is_undone_does_not_count(session: runtime.Session) -> None:
    result = with_packets(session, [1, 2, 3])
    session.drop(session.peek("work")[1])
    session.undo()
    outcome = finish(session)
    assert (list(result), outcome.dropped) == ([1, 2, 3], 0)


@pytest.mark.parametrize(("index", "to"), [(0, 3), (3, 0), (1, 2), (2, 2)])
def test_a_packet_moves_within_its_lane_and_back(session: runtime.Session, index: int, to: int) -> None:
    result = with_packets(session, range(4))
    expected = list(range(4))
    expected.insert(to, expected.pop(index))
    session.move(session.peek("work")[index], to)
    assert queued(session) == expected
    session.undo()
    assert queued(session) == [0, 1, 2, 3]
    session.move(session.peek("work")[index], to)
    finish(session)
    assert list(result) == expected


@pytest.mark.parametrize("to", [-1, 3])
def test_a_move_out_of_the_lane_is_refused(session: runtime.Session, to: int) -> None:
    with_packets(session, [1, 2, 3])
    session.inject("work", 4)  # in another lane, behind which there is nothing
    with pytest.raises(CommandRefused, match=f"index {to} is outside of the lane, which holds 3 packets"):
        session.move(session.peek("work")[-1], to)
    session.cancel()


@pytest.mark.also_remote
@pytest.mark.long_on_ray
def test_undo_takes_back_the_last_change_first_whatever_it_was_and_where(session: runtime.Session) -> None:
    with_packets(session, [1, 2, 3])
    session.inject("out", 10)
    session.edit(session.peek("work")[0], "one")
    session.drop(session.peek("out")[0])
    session.move(session.peek("work")[0], 2)
    session.drop(session.peek("work")[0])
    seen = [(queued(session), queued(session, "out"))]
    for _ in range(5):
        session.undo()
        seen.append((queued(session), queued(session, "out")))
    assert seen == [
        ([3, "one"], []),
        ([2, 3, "one"], []),
        (["one", 2, 3], []),
        (["one", 2, 3], [10]),
        ([1, 2, 3], [10]),
        ([1, 2, 3], []),
    ]
    with pytest.raises(CommandRefused, match="nothing was changed by hand that could be undone"):
        session.undo()
    session.cancel()


def test_what_has_been_worked_cannot_be_undone_and_what_was_changed_before_can(session: runtime.Session) -> None:
    with_packets(session, [1, 2])
    session.inject("out", 10)
    session.edit(session.peek("out")[0], "ten")
    session.edit(session.peek("work")[1], "two")
    session.edit(session.peek("work")[0], "one")
    session.step("work")
    with pytest.raises(CommandRefused, match=r"stepped since .*; back\(\) takes back the steps as well"):
        session.undo()
    go_on(session)
    with pytest.raises(PacketGone, match="has been worked already"):
        session.undo()
    session.undo()
    assert queued(session) == [2]
    session.undo()
    assert queued(session, "out") == [10, "one"]
    session.cancel()


def test_a_handle_finds_its_packet_behind_any_other_change(session: runtime.Session) -> None:
    with_packets(session, range(6))
    packets = list(session.peek("work"))
    session.drop(packets[0])
    session.move(packets[5], 0)
    session.edit(packets[3], "three")
    session.drop(packets[2])
    session.edit(packets[5], "five")
    session.edit(packets[4], "four")
    assert queued(session) == ["five", 1, "three", "four"]
    with pytest.raises(PacketGone, match="was dropped by hand"):
        session.edit(packets[2], "gone")
    session.undo()
    session.undo()
    session.undo()  # of the drop
    session.edit(packets[2], "two")
    assert queued(session) == [5, 1, "two", "three", 4]
    session.step("work")
    with pytest.raises(PacketGone, match="has been worked already"):
        session.drop(packets[5])
    session.drop(packets[1])
    assert queued(session) == ["two", "three", 4]
    session.cancel()


@pytest.mark.also_remote
def test_any_edits_do_what_a_list_does_and_undo_is_their_reverse(make_session: MakeSession, platform: Platform) -> None:
    for seed in (3,) if platform.name == "remote" else range(30):
        edited_as_a_list(make_session(), seed)


def edited_as_a_list(session: runtime.Session, seed: int) -> None:
    """The model is a list of unequal values; handles are as old as the packets they stand for."""
    rng = Random(seed)
    result = with_packets(session, range(8))
    model: list[Any] = list(range(8))
    handles = {packet.payload: packet for packet in session.peek("work")}
    value_of = {name: name for name in handles}
    history: list[tuple[list[Any], dict[Any, Any]]] = []
    worked: list[Any] = []
    for number in range(40):
        alive = [name for name in handles if value_of[name] in model]
        if not alive:
            break
        name = rng.choice(alive)
        before = (list(model), dict(value_of))
        match rng.randrange(5):
            case 0:
                value_of[name], index = f"edit {number}", model.index(value_of[name])
                session.edit(handles[name], value_of[name])
                model[index] = value_of[name]
            case 1:
                session.drop(handles[name])
                model.remove(value_of[name])
            case 2:
                to = rng.randrange(len(model))
                session.move(handles[name], to)
                model.remove(value_of[name])
                model.insert(to, value_of[name])
            case 3 if history:
                session.undo()
                (model, value_of) = history.pop()
                before = None  # type: ignore[assignment]
            case 4 if rng.random() < 0.3:
                session.step("work")
                worked.append(model.pop(0))
                while history:  # what has been worked since can no longer be taken back in the model
                    history.pop()
                break
            case _:
                continue
        if before is not None:
            history.append(before)
        assert queued(session) == model, f"with {seed=}"
    finish(session)
    assert list(result) == worked + model, f"with {seed=}"


def test_a_running_task_cannot_be_edited(session: runtime.Session) -> None:
    with_packets(session, [1, 2])
    packet = session.peek("work")[0]
    session.edit(packet, 5)
    session.pause("out")
    session.resume("in", "work")
    with pytest.raises(NotPaused, match=r"'work' is not paused; pause\('work'\) first"):
        session.edit(packet, 6)
    with pytest.raises(NotPaused):
        session.drop(packet)
    with pytest.raises(NotPaused):
        session.move(packet, 0)
    with pytest.raises(NotPaused):
        session.undo()
    session.cancel()


def test_a_packet_that_lies_in_no_queue_cannot_be_edited(session: runtime.Session) -> None:
    with_packets(session, [1])
    with pytest.raises(PacketGone, match=r"Packet\(1\) is in no queue of this run; take one from peek\(\)"):
        session.edit(runtime.Packet(1), 2)
    session.cancel()


def test_an_edit_right_behind_start_and_step_meets_the_task_at_its_gate(make_session: MakeSession) -> None:
    for _ in range(50):
        session = make_session()
        result = session.input("in").map(abs, name="work").collect(name="out")
        session.start(paused=True)
        session.inject("work", 1)
        session.edit(session.peek("work")[0], 2)
        session.inject("work", 3)
        session.step("work")
        session.edit(session.peek("work")[0], 4)
        session.edit(session.peek("out")[0], 5)
        finish(session)
        assert list(result) == [5, 4]
        session.close()


# ── keys and inputs ──


def owner(session: runtime.Session, operator: str, parallelism: int) -> dict[str, Any]:
    """A packet at each task of a keyed operator."""
    return {f"{operator}#{index}": list(session.peek(f"{operator}#{index}")) for index in range(parallelism)}


def test_an_edited_keyed_packet_is_keyed_anew_and_refused_if_it_belongs_to_another_task(
    session: runtime.Session,
) -> None:
    result = (
        session.input("in")
        .key_by(lambda value: value % 8)
        .reduce(lambda total, value: total + value, initial=0, name="sum", parallelism=2)
        .collect(name="out")
    )
    session.start(paused=True)
    for number in range(8):
        session.inject("sum", number)
    (first, second), others = owner(session, "sum", 2)["sum#0"][:2], owner(session, "sum", 2)["sum#1"]
    assert first.key != second.key
    session.edit(first, second.payload + 8)
    edited = session.peek("sum#0")[0]
    assert (edited.payload, edited.key, edited.keyed) == (second.payload + 8, second.key, True)
    with pytest.raises(CommandRefused, match=r"the packet would belong to 'sum#1', not to 'sum#0'; drop it and inject"):
        session.edit(second, others[0].payload)
    with pytest.raises(TypeError):
        session.edit(second, "no number: the key function raises")
    assert session.peek("sum#0")[1] == second
    session.stop()
    session.resume()
    session.wait(PATIENCE_S)
    assert dict(result)[second.key] == 2 * second.payload + 8


def test_a_packet_of_united_keyed_streams_is_keyed_by_the_function_of_its_own_stream(session: runtime.Session) -> None:
    words, numbers = session.input("words"), session.input("numbers")
    both = words.key_by(len).union(numbers.key_by(abs))
    both.reduce(lambda total, _: total + 1, initial=0, name="count").collect()
    session.start(paused=True)
    session.send("words", "to")
    session.send("numbers", -3)
    session.step("words")
    session.step("numbers")
    word, number = session.peek("count")
    session.edit(word, "be-")
    session.edit(number, -4)
    assert [(packet.payload, packet.key) for packet in session.peek("count")] == [("be-", 3), (-4, 4)]
    session.cancel()


def test_what_the_hand_has_put_into_a_join_is_edited_on_its_input(session: runtime.Session) -> None:
    left, right = session.input("left"), session.input("right")
    result = left.key_by(len).join(right.key_by(abs), lambda a, b: (a, b), name="join").collect()
    session.start(paused=True)
    session.inject("join", "a", input=0)
    session.inject("join", -1, input=1)
    word, number = session.peek("join")
    session.edit(word, "to")
    session.edit(number, -2)
    assert [(packet.payload, packet.key, packet.input) for packet in session.peek("join")] == [
        ("to", 2, 0),
        (-2, 2, 1),
    ]
    finish(session)
    assert list(result) == [("to", -2)]


def test_requests_are_not_edited(session: runtime.Session) -> None:
    session.service("echo", Echo)
    session.input("in").map(Calling("echo"), name="ask").collect()
    session.start(paused=True)
    session.inject("ask", 1)
    session.step("ask")
    request = session.peek("echo")[0]
    for change in (session.edit, session.move):
        with pytest.raises(CommandRefused):
            change(request, 0)
    with pytest.raises(CommandRefused):
        session.drop(request)
    session.cancel()


# ── room ──


def test_a_drop_lets_in_the_producer_that_is_held_back(make_session: MakeSession) -> None:
    session = make_session(capacity=1)
    result = session.input("in").flat_map(range, name="many").collect(name="out")
    session.start(paused=True)
    session.inject("many", 9)
    assert session.step("many").result == "held_back"
    before = queued(session, "out")
    session.drop(session.peek("out")[0])
    session.settle(PATIENCE_S)
    assert queued(session, "out") == [before[-1] + 1]
    outcome = finish(session)
    assert (list(result), outcome.dropped) == ([number for number in range(9) if number != before[0]], 1)


def test_a_drop_whose_place_was_taken_cannot_be_undone_until_there_is_room(make_session: MakeSession) -> None:
    session = make_session(capacity=1)
    result = session.input("in").flat_map(range, name="many").collect(name="out")
    session.start(paused=True)
    session.inject("many", 9)
    assert session.step("many").result == "held_back"
    dropped = queued(session, "out")[0]
    session.drop(session.peek("out")[0])
    session.settle(PATIENCE_S)
    with pytest.raises(QueueFull, match="the place of the dropped packet has been taken"):
        session.undo()
    outcome = finish(session)
    assert list(result) == [number for number in range(9) if number != dropped]
    assert outcome.dropped == 1


def test_a_full_lane_of_the_hand_has_room_again_behind_a_drop(make_session: MakeSession) -> None:
    session = make_session(capacity=4)
    with_packets(session, [])
    accepted = len(fill(session, "work"))
    with pytest.raises(QueueFull):
        session.inject("work", "too many")
    session.drop(session.peek("work")[0])
    session.inject("work", "new")
    assert queued(session) == [*range(1, accepted), "new"]
    session.cancel()


def test_edits_beside_other_hands_that_put_in_lose_and_double_nothing(make_session: MakeSession) -> None:
    """They send: what they injected would be changes as well, and an undo might take back one of theirs."""
    session = make_session(capacity=64)
    result = with_packets(session, [])
    session.resume("in")

    def put_in() -> None:
        for number in range(300):
            session.send("in", number, timeout=PATIENCE_S)

    helper = threading.Thread(target=put_in)
    helper.start()
    dropped = 0
    while helper.is_alive() or session.peek("in").depth or session.peek("work").depth > 3:
        for packet in session.peek("work", 3):
            session.edit(packet, packet.payload)
            session.move(packet, 0)
            session.undo()
        for packet in session.peek("work", 1):
            session.drop(packet)
            dropped += 1
    helper.join()
    outcome = finish(session)
    assert (outcome.packets_in, outcome.dropped, len(result)) == (300, dropped, 300 - dropped)
    assert list(result) == sorted(result)


# ── what tasks remember ──


def test_the_values_of_a_reduce_are_seen_and_set_by_key(session: runtime.Session) -> None:
    result = (
        session.input("in")
        .key_by(abs)
        .reduce(lambda total, value: total + value, initial=0, name="sum", parallelism=2)
        .collect(name="out")
    )
    session.start(paused=True)
    for number in (1, 2, 3, 1):
        session.inject("sum", number)
    while session.step("sum").result != "idle":
        pass
    assert session.state("sum") == {1: 2, 2: 2, 3: 3}
    session.set_state("sum", 1, 100)
    by_task = {task: session.state(task) for task in ("sum#0", "sum#1")}
    assert sum(1 in state for state in by_task.values()) == 1
    stranger = next(task for task, state in by_task.items() if 1 not in state)
    with pytest.raises(CommandRefused, match=rf"key 1 belongs to 'sum#\d', not to '{stranger}'"):
        session.set_state(stranger, 1, 0)
    session.inject("sum", 1)
    session.stop()
    session.resume()
    session.wait(PATIENCE_S)
    assert (1, 101) in list(result)


def test_an_unkeyed_reduce_remembers_one_value(session: runtime.Session) -> None:
    result = session.input("in").reduce(max, name="most").collect()
    session.start(paused=True)
    assert session.state("most") is None
    session.inject("most", 3)
    session.step()
    assert session.state("most") == 3
    session.set_state("most", None, 10)
    session.inject("most", 4)
    finish(session)
    assert list(result) == [3, 10]


class Counting(runtime.Function[Any, Any]):
    """How many packets it has had, by key where there is one."""

    def process(self, value: Any, /) -> Any:
        self.ctx.state["n"] = self.ctx.state.get("n", 0) + 1
        return value, self.ctx.state["n"]


def test_the_state_of_a_function_is_that_of_the_task_and_with_keys_that_of_the_key(session: runtime.Session) -> None:
    numbers = session.input("in")
    plain = numbers.map(Counting(), name="plain").collect(name="plain_out")
    keyed = numbers.key_by(abs).map(Counting(), name="keyed").collect(name="keyed_out")
    session.start(paused=True)
    session.send("in", 7)
    session.step_through(lambda _: False)
    assert session.state("plain") == {"n": 1}
    assert session.state("keyed") == {7: {"n": 1}}
    session.set_state("plain", "n", 10)
    session.set_state("keyed", 7, {"n": 20})
    with pytest.raises(CommandRefused, match="the state of a key is a mapping; give a dict for key 7 of 'keyed'"):
        session.set_state("keyed", 7, 20)
    session.send("in", 7)
    finish(session)
    assert list(plain) == [(7, 1), (7, 11)]
    assert list(keyed) == [(7, 1), (7, 21)]


def test_the_rows_that_a_join_keeps_are_seen_and_set(session: runtime.Session) -> None:
    left, right = session.input("left"), session.input("right")
    result = left.key_by(len).join(right.key_by(abs), lambda a, b: (a, b), name="join").collect()
    session.start(paused=True)
    session.inject("join", "a", input=0)
    session.step()
    assert session.state("join") == {1: (["a"], [])}
    session.set_state("join", 1, (["x", "y"], []))
    with pytest.raises(CommandRefused, match="give a pair of lists, not 5"):
        session.set_state("join", 1, 5)
    session.inject("join", -1, input=1)
    finish(session)
    assert list(result) == [("x", -1), ("y", -1)]


def test_state_is_set_only_while_paused_and_seen_at_any_time(session: runtime.Session) -> None:
    session.input("in").key_by(abs).reduce(max, name="most").collect()
    session.start()
    assert session.state("most") == {}
    with pytest.raises(NotPaused):
        session.set_state("most", 1, 1)
    session.cancel()


@pytest.mark.parametrize("paused", [False, True])
def test_the_state_of_a_task_that_has_ended_is_set_no_more(make_session: MakeSession, paused: bool) -> None:
    session = make_session()
    session.source([1]).map(lambda value: value, name="work").collect()
    session.start(paused=paused)
    if paused:
        session.step_through(lambda step: False)
    session.wait(PATIENCE_S)
    with pytest.raises(TaskEnded, match="'work' has ended"):
        session.set_state("work", "seen", 1)
    assert session.state("work") == {}


@pytest.mark.concurrent
def test_an_undo_that_waits_for_a_task_keeps_no_other_command_waiting(make_session: MakeSession) -> None:
    session, hold = make_session(), Hold[int](lambda value: value == 0)
    session.input("in").map(hold, name="work").collect(name="out")
    session.start(paused=True)
    for value in (0, 1):
        session.inject("work", value)
    session.drop(session.peek("work")[1])
    session.resume("work")
    hold.reached.wait()
    session.pause("work", timeout=0)
    with ThreadPoolExecutor(1) as other:
        undone = other.submit(session.undo)
        for _ in range(100):
            session.breakpoint("out").remove()
        hold.release()
        undone.result(PATIENCE_S)
    assert queued(session) == [1]
    session.cancel()


def test_every_change_by_hand_is_an_event_of_one_line(session: runtime.Session) -> None:
    with_packets(session, range(3))
    first, second, third = session.peek("work")
    session.edit(first, "x" * 500)
    session.drop(second)
    session.undo()
    session.move(third, 0)
    session.set_state("work", "seen", 3)
    assert [repr(event) for event in session.events if event.task == "work"] == [
        f"work: edit: 0 becomes {preview('x' * 500)}",
        "work: drop: 1",
        "work: undo of drop: 1",
        "work: move: 2 to 0",
        "work: state of 'seen' becomes 3",
    ]


def test_a_drop_cannot_be_undone_once_the_end_of_its_producer_has_been_taken(session: runtime.Session) -> None:
    ending, open_ = session.source([1], name="ending"), session.input("open")
    ending.union(open_).map(lambda value: value, name="work").collect()
    session.start(paused=True)
    assert [str(step) for step in session.step("ending", 2)] == ["ending: -> 1 to work", "ending: ended (completed)"]
    session.drop(session.peek("work")[0])
    assert str(session.step("work")) == "work: stop from ending (completed), 1 of 2"
    go_on(session, "open")
    with pytest.raises(PacketGone, match="the packet's producer has ended"):
        session.undo()
    session.resume()
    session.end("open")
    assert session.wait(PATIENCE_S).dropped == 1
