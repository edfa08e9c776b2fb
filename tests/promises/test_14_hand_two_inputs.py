"""What applies of promise 14 where two streams meet: the hand says on which input, and is one more producer there."""

from __future__ import annotations

import threading
from collections import Counter
from typing import Any

import pytest

import runtime
from runtime.testing import PATIENCE_S
from tests.platforms import MakeSession, Platform
from tests.promises.test_01_exact import every_capacity
from tests.promises.test_02_order_and_keys import WithInstance
from tests.promises.test_14_hand import join_all, start_all

HANDS, EACH = 3, 40


def both(left: Any, right: Any) -> tuple[Any, Any]:
    return left, right


def two_inputs(session: runtime.Session, **settings: Any) -> runtime.Collected[Any]:
    """A join of words by their length with numbers by themselves."""
    words, numbers = session.input("words"), session.input("numbers")
    result: runtime.Collected[Any] = (
        words.key_by(len).join(numbers.key_by(abs), both, "outer", name="join", **settings).collect()
    )
    session.start()
    return result


@pytest.mark.parametrize("parallelism", [1, 3])
def test_the_hand_puts_in_on_the_input_it_names_with_the_key_function_of_that_input(
    make_session: MakeSession, parallelism: int
) -> None:
    session = make_session()
    result = two_inputs(session, parallelism=parallelism)
    for word in ("a", "be", "sea"):
        session.inject("join", word, input=0)
    for number in (-1, 2, 4):
        session.inject("join", number, input=1)
    session.send("words", "to")
    session.stop()
    outcome = session.wait(PATIENCE_S)
    assert Counter(result) == Counter([("a", -1), ("be", 2), ("to", 2), ("sea", None), (None, 4)])
    assert (outcome.packets_in, outcome.packets_out) == (7, 5)


def test_the_hand_goes_round_the_instances_on_each_input(make_session: MakeSession) -> None:
    session = make_session()
    first, second = session.input("first"), session.input("second")
    result = first.connect(second.broadcast()).map(WithInstance(), WithInstance(), name="work", parallelism=2).collect()
    session.start()
    for number in range(4):
        session.inject("work", ("first", number), input=0)
        session.inject("work", ("second", number), input=1)
    session.stop()
    session.wait(PATIENCE_S)
    assert Counter((instance, side) for instance, (side, _) in result) == {
        (0, "first"): 2,
        (1, "first"): 2,
        (0, "second"): 4,
        (1, "second"): 4,
    }


@pytest.mark.parametrize("named", [None, 2, -1, True, "words"], ids=repr)
def test_an_input_that_is_not_there_is_refused_with_the_choices(make_session: MakeSession, named: Any) -> None:
    session = make_session()
    two_inputs(session)
    with pytest.raises(runtime.GraphInvalid, match=r"'join' has input=0 \(from 'words'\), input=1 \(from 'numbers'\)"):
        session.inject("join", "a", input=named)
    assert session.snapshot()["join"].depth == 0
    session.cancel()


def test_a_single_input_may_be_named_and_no_other(make_session: MakeSession) -> None:
    session = make_session()
    result = session.input("in").map(abs, name="work").collect()
    session.start()
    session.inject("work", -1, input=0)
    session.inject("in", -2, input=0)
    for target in ("in", "work"):
        with pytest.raises(runtime.GraphInvalid, match=f"'{target}' has input=0 .* input=1 is none of them"):
            session.inject(target, -3, input=1)
    session.stop()
    session.wait(PATIENCE_S)
    assert sorted(result) == [1, 2]


def test_the_hand_is_refused_where_all_producers_have_ended_and_taken_where_they_have_not(
    make_session: MakeSession,
) -> None:
    session = make_session()
    result = two_inputs(session)
    session.inject("join", 1, input=1)
    session.end("numbers")
    session.settle(PATIENCE_S)
    with pytest.raises(runtime.TaskEnded, match="'join': all producers of input 1 have ended"):
        session.inject("join", 2, input=1)
    session.inject("join", "a", input=0)
    session.end("words")
    session.wait(PATIENCE_S)
    assert list(result) == [("a", 1)]


@every_capacity
@pytest.mark.parametrize("ending", [0, 1])
def test_what_was_accepted_before_an_input_ended_meets_its_partners_and_the_rest_is_refused(
    make_session: MakeSession, platform: Platform, capacity: int, ending: int
) -> None:
    """The hands race with the end of one input, over and over, while the other goes on."""
    for _ in range(15):
        session = make_session(capacity=capacity)
        brief, lasting = session.source(range(-10, 0), name="brief"), session.input("lasting")
        sides = (brief, lasting) if ending == 0 else (lasting, brief)
        left, right = (side.key_by(lambda _: "all") for side in sides)
        result = left.join(right, both, "outer", name="join").collect()
        accepted = platform.log()

        def put_in(hand: int, session: runtime.Session = session, accepted: list[int] = accepted) -> None:
            for number in range(hand, HANDS * EACH, HANDS):
                try:
                    session.inject("join", number, input=ending, timeout=None)
                except runtime.TaskEnded:
                    return
                accepted.append(number)

        threads = [threading.Thread(target=put_in, args=(hand,)) for hand in range(HANDS)]
        session.start()
        start_all(threads)
        for partner in ("x", "y"):
            session.send("lasting", partner)
        join_all(threads)
        session.send("lasting", "z")
        session.end("lasting")
        session.wait(PATIENCE_S)
        rows = [*range(-10, 0), *accepted]
        assert Counter(result) == Counter(
            (row, partner) if ending == 0 else (partner, row) for row in rows for partner in "xyz"
        )
        session.close()
