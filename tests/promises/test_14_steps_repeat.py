"""What applies of promise 14 to a notebook: the same steps of the same run, told in the same order."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import runtime
from runtime.testing import PATIENCE_S
from tests.error_texts import DIVIDED_BY_ZERO
from tests.pairs import of_every_seed
from tests.platforms import MakeSession


class Tens:
    """A service that asks nobody."""

    def process(self, value: int) -> int:
        return value * 10


class OneMore(runtime.Function[int, int]):
    """A service that asks another one."""

    def process(self, value: int) -> int:
        tens: int = self.ctx.call_service("tens", value)
        return tens + 1


class Ask(runtime.Function[int, int]):
    """A step that asks a service."""

    def process(self, value: int) -> int:
        answer: int = self.ctx.call_service("more", value)
        return answer


def nested(session: runtime.Session) -> None:
    """A task that asks a service that asks a service, beside a flat map that is held back and a keyed reduce."""
    session.service("tens", Tens)
    session.service("more", OneMore)
    numbers = session.input("numbers")
    numbers.flat_map(range, name="many").map(Ask(), name="ask").sink(lambda value: None, name="show")
    sums = numbers.key_by(lambda value: value % 3).reduce(int.__add__, initial=0, name="sum", parallelism=2)
    sums.collect(name="result")


NESTED = """\
numbers: 3 -> 3 to many, 3 [key 0] to sum#1
many: 3 -> 0 to ask; held back: 1 to ask
ask: 0 waiting for a reply
more: waiting for a reply
tens: process(0) -> 0 to more
more: process(0) -> 1 to ask
ask: 0 -> 1 to show
show: 1"""


def test_steps_are_the_same_in_every_run_and_told_in_the_order_of_causes(make_session: MakeSession) -> None:
    texts = NESTED.splitlines()
    for _ in range(5):
        session = make_session(capacity=1)
        nested(session)
        session.start(paused=True)
        session.send("numbers", 3)
        steps = session.step_through(lambda step: step.task == "show", timeout=PATIENCE_S)
        told = [str(step) for step in steps]
        assert told[1:] == texts[1:]
        assert told[0] in (texts[0], "numbers: 3 -> 3 [key 0] to sum#1, 3 to many")
        session.cancel()


def test_a_turn_that_was_under_way_is_told_before_anybody_has_another(make_session: MakeSession) -> None:
    session = make_session(capacity=1)
    numbers = session.input("numbers")
    numbers.flat_map(range, name="many").map(abs, name="one").sink(lambda value: None, name="show")
    session.start(paused=True)
    session.send("numbers", 2)
    assert [str(session.step()) for _ in range(4)] == [
        "numbers: 2 -> 2 to many",
        "many: 2 -> 0 to one; held back: 1 to one",
        "one: 0 -> 0 to show",
        "many: 2 -> 0, 1 to one",
    ]
    session.cancel()


@of_every_seed(5)
def test_the_time_of_a_call_stands_still_while_what_it_waits_for_is_stepped_by_hand(
    make_session: MakeSession, seed: int
) -> None:
    """Under a seed time is virtual: if a deadline could come while all is paused, it would come at once."""
    session = make_session(seed=seed)
    nested(session)
    session.start(paused=True)
    for number in range(3):
        session.inject("ask", number)
    told = [str(step) for step in session.step_through(lambda step: False)]
    for number in range(3):
        assert f"ask: {number} -> {number * 10 + 1} to show" in told
    assert session.snapshot().services["more"].timeouts == 0
    session.cancel()


def test_settle_sees_that_a_call_stands_still_whose_service_waits_for_a_paused_one(make_session: MakeSession) -> None:
    session = make_session()
    nested(session)
    session.start()
    session.pause("tens")
    session.inject("ask", 4)
    session.settle(PATIENCE_S)
    assert session.snapshot()["ask"].state == "waiting"
    session.resume()
    session.stop()
    session.wait(PATIENCE_S)


def broken() -> Iterator[int]:
    """Makes one number, then fails."""
    yield 1
    raise OSError("disk")


@pytest.mark.parametrize(("policy", "word"), [("fail", "failed"), ("skip", "skipped")])
def test_a_step_says_what_became_of_a_packet_that_failed(make_session: MakeSession, policy: str, word: str) -> None:
    session = make_session(on_error=policy)
    session.input("in").map(lambda value: 1 // value, name="invert").sink(lambda value: None)
    session.start(paused=True)
    session.inject("invert", 0)
    text = f"invert: 0 {word}: {DIVIDED_BY_ZERO}"
    assert str(session.step("invert")) == text
    session.cancel()


@pytest.mark.parametrize(("policy", "word"), [("fail", "failed"), ("skip", "skipped")])
def test_a_step_says_that_a_source_failed(make_session: MakeSession, policy: str, word: str) -> None:
    session = make_session(on_error=policy)
    session.source(broken, name="broken").sink(lambda value: None, name="show")
    session.start(paused=True)
    assert [str(session.step("broken")) for _ in range(2)] == ["broken: -> 1 to show", f"broken: {word}: OSError: disk"]
    session.cancel()


def test_a_step_counts_the_stop_signals_of_several_producers(make_session: MakeSession) -> None:
    session = make_session()
    session.input("a").union(session.input("b")).sink(lambda value: None, name="show")
    session.start(paused=True)
    session.end("a")
    session.end("b")
    assert [str(session.step(name)) for name in ("a", "b", "show", "show")] == [
        "a: ended (completed)",
        "b: ended (completed)",
        "show: stop from a (completed), 1 of 2",
        "show: stop from b (completed), 2 of 2, ended (completed)",
    ]
    assert session.wait(PATIENCE_S).state == "completed"


def test_a_queue_shows_what_was_asked_for_from_both_ends(make_session: MakeSession) -> None:
    session = make_session()
    session.input("in").sink(lambda value: None, name="show")
    session.start(paused=True)
    assert repr(session.peek("show")) == "QueueView(show, 0 of 1,024: empty)"
    for number in range(10):
        session.inject("show", number)
    assert repr(session.peek("show")) == "QueueView(show, 10 of 1,024: 0, 1, 2, 3, 4, 5, … 4 more)"
    assert repr(session.peek("show", 2, 2)) == "QueueView(show, 10 of 1,024: 0, 1, … 6 more, 8, 9)"
    assert repr(session.peek("show", 0, 1)) == "QueueView(show, 10 of 1,024: … 9 more, 9)"
    session.cancel()


@pytest.mark.parametrize(
    ("first", "last", "shown"),
    [
        (100, 0, "0, 3, 6, 1, 4, 7, 2, 5"),
        (1, 1, "0, … 6 more, 5"),
        (4, 0, "0, 3, 6, 1, … 4 more"),
        (0, 3, "… 5 more, 7, 2, 5"),
        (2, 3, "0, 3, … 3 more, 7, 2, 5"),
        (5, 3, "0, 3, 6, 1, 4, 7, 2, 5"),
        (0, 0, "… 8 more"),
    ],
)
def test_of_an_operator_the_queues_of_its_tasks_are_shown_as_one(
    make_session: MakeSession, first: int, last: int, shown: str
) -> None:
    session = make_session()
    session.input("in").sink(lambda value: None, name="show", parallelism=3)
    session.start(paused=True)
    for number in range(8):
        session.inject("show", number)
    view = session.peek("show", first, last)
    assert ", ".join(str(packet.payload) for packet in view) == ", ".join(
        each for each in shown.split(", ") if not each.endswith("more")
    )
    assert (view.depth, view.capacity, view.left_out) == (8, 3_072, 8 if len(view) == 8 else first)
    session.cancel()


@pytest.mark.parametrize("number", [-1, 1.5, "2", True])
def test_a_number_of_packets_that_is_none_is_refused(make_session: MakeSession, number: Any) -> None:
    session = make_session()
    session.input("in").collect(name="out")
    with pytest.raises(runtime.GraphInvalid, match="a whole number from 0 on"):
        session.peek("out", number)
    with pytest.raises(runtime.GraphInvalid, match="a whole number from 0 on"):
        session.peek("out", 1, number)


def test_an_operator_of_several_tasks_gives_the_turn_to_one_that_can_use_it(make_session: MakeSession) -> None:
    session = make_session(capacity=8)
    numbers = session.input("numbers").map(abs, name="work", parallelism=2)
    numbers.map(abs, name="narrow", capacity=1).sink(lambda value: None)
    session.start()
    session.pause()
    for task, number in (("work#0", 1), ("work#0", 2), ("work#1", 3)):
        session.inject(task, number)
    assert [str(session.step("work")) for _ in range(4)] == [
        "work#0: 1 -> 1 to narrow",
        "work#0: 2 held back: 2 to narrow",
        "work#1: 3 -> 3 to narrow",
        "work#0: 2 held back: 2 to narrow",
    ]
    session.step("narrow")
    session.step("narrow")
    assert str(session.step("work")) == "work#0: 2 -> 2 to narrow"
    assert str(session.step("work")) == "work: idle, nothing to take"
    session.resume("work#1")
    with pytest.raises(runtime.NotPaused):
        session.step("work")
    session.cancel()


def test_a_job_that_was_started_paused_stands_at_its_gates_when_start_returns(
    make_session: MakeSession,
) -> None:
    for _ in range(10):
        session = make_session()
        session.service("tens", Tens)
        session.source(range(3), name="numbers").map(abs, parallelism=8).collect()
        session.start(paused=True)
        assert set(session.snapshot().states.values()) == {"paused"}
        assert session.snapshot().services["tens"].state == "paused"
        session.cancel()
