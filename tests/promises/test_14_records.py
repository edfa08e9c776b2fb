"""Promise 14: what a person does to a run by hand stands in one list, in order, and `undo` goes by that list."""

from __future__ import annotations

import pytest

import runtime
from runtime.control.records import MAX_RECORDS, Record
from tests.platforms import MakeSession
from tests.promises.test_14_edit import finish, queued, with_packets


def records(session: runtime.Session) -> list[Record]:
    return session._runs.started().records.in_order()


@pytest.mark.also_remote
def test_all_that_changes_a_run_by_hand_stands_in_one_list_in_order(make_session: MakeSession) -> None:
    session = make_session()
    session.input("in").reduce(max, name="work").collect(name="result")
    session.start(paused=True)
    for value in (1, 2, 3):
        session.inject("work", value)
    waiting = session.peek("work")
    session.edit(waiting[0], 10)
    session.drop(waiting[1])
    session.step("in")  # nothing is there: nothing has changed
    session.move(waiting[2], 0)
    session.step("work")
    session.set_state("work", None, 7)
    session.step()
    done = [(record.name, record.where, record.text, record.given, record.result) for record in records(session)]
    assert done == [
        ("inject", "work", "inject: 1", ("'work'", "1", "None"), "done"),
        ("inject", "work", "inject: 2", ("'work'", "2", "None"), "done"),
        ("inject", "work", "inject: 3", ("'work'", "3", "None"), "done"),
        ("edit", "work", "edit: 1 becomes 10", ("10",), "done"),
        ("drop", "work", "drop: 2", (), "done"),
        ("move", "work", "move: 3 to 0", ("0",), "done"),
        ("step", "work", "work: 3 -> 3 to result", ("'work'",), "done"),
        ("set_state", "work", "state of None becomes 7", ("None", "7"), "done"),
        ("step", "result", "result: 3", ("None",), "done"),
    ]
    session.cancel()


def test_what_is_taken_back_or_never_can_be_leaves_the_list(make_session: MakeSession) -> None:
    session = make_session()
    with_packets(session, [1, 2])
    first, second = session.peek("work")
    session.edit(first, 10)
    session.edit(second, 20)
    session.undo()
    assert [record.text for record in records(session) if record.name == "edit"] == ["edit: 1 becomes 10"]
    assert queued(session) == [10, 2]
    session.cancel()


def test_steps_however_many_push_out_no_change() -> None:
    with runtime.Session() as session:
        session.source(range(MAX_RECORDS + 10), name="numbers").sink(abs, name="end")
        session.input("in").collect(name="kept")
        session.start(paused=True)
        session.inject("kept", 1)
        session.edit(session.peek("kept")[0], 2)
        assert len(session.step("numbers", MAX_RECORDS + 5)) == MAX_RECORDS + 5
        assert [record.name for record in records(session)] == ["inject", "edit", *["step"] * MAX_RECORDS]
        session.undo()
        assert [packet.payload for packet in session.peek("kept")] == [1]
        session.undo()
        assert not session.peek("kept")
        session.cancel()


def test_each_record_of_a_seeded_run_has_the_turn_that_it_was_done_after() -> None:
    found = []
    for _ in range(2):
        with runtime.Session(seed=5) as session:
            session.source([3, 4, 5], name="numbers").map(abs, name="work").collect(name="result")
            session.start(paused=True)
            session.step(None, 3)
            session.inject("result", 1)
            session.step_through(lambda _: False)
            found.append([(record.name, record.where, record.turn) for record in records(session)])
            finish(session)
    assert found[0] == found[1]
    turns = [turn for _, _, turn in found[0] if turn is not None]
    assert len(turns) == len(found[0])
    assert turns == sorted(turns)
    assert turns[0] > 0


def test_what_is_put_in_while_others_step_has_its_place_among_the_steps() -> None:
    with runtime.Session() as session:
        session.source(range(100), name="numbers").sink(abs, name="end")
        session.input("in").collect(name="kept")
        session.start(paused=True)
        for number in range(100):
            session.step("numbers")
            session.inject("kept", number)
        assert [record.name for record in records(session)] == ["step", "inject"] * 100
        session.cancel()
