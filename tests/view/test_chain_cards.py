"""Chains as a page is told of them: what one thread works together, why it does not, and without flicker."""

from __future__ import annotations

from itertools import pairwise

import runtime
from runtime.facts import ChainFacts
from runtime.testing import PATIENCE_S
from sage_nb.chain_cards import STEADY_S, ChainCards
from sage_nb.serializers import chain_of
from tests.chain.forced import undisturbed

ROWS = {"numbers": 0, "more": 1, "end": 2}
CLOSED = ChainFacts(("numbers", "more", "end"))
PAUSED = ChainFacts(("numbers", "more", "end"), "'more' is paused")


def test_a_card_changes_at_most_once_a_second_however_often_its_chain_is_opened() -> None:
    cards = ChainCards(ROWS.__getitem__)
    shown = [cards.cards([CLOSED if number // 3 % 2 else PAUSED], number / 10)[0]["opened_by"] for number in range(100)]
    changes = [number / 10 for number in range(1, 100) if shown[number] != shown[number - 1]]
    assert 2 < len(changes) <= 10 / STEADY_S
    assert all(later - before >= STEADY_S for before, later in pairwise(changes))


def test_a_card_that_has_stood_for_long_changes_with_the_second_look() -> None:
    cards = ChainCards(ROWS.__getitem__)
    assert [cards.cards([CLOSED], at_s)[0]["opened_by"] for at_s in (0, 5)] == ["", ""]
    assert [cards.cards([PAUSED], at_s)[0]["opened_by"] for at_s in (5.1, 5.2)] == ["", PAUSED.opened_by]
    assert cards.cards([CLOSED], 5.3) == [{"rows": [0, 1, 2], "opened_by": PAUSED.opened_by}]


def test_what_is_one_row_or_has_ended_has_no_card() -> None:
    cards = ChainCards({"a#1": 0, "a#2": 0}.__getitem__)
    assert cards.cards([ChainFacts(("a#1", "a#2"))], 0) == []
    cards = ChainCards(ROWS.__getitem__)
    assert cards.cards([CLOSED], 0) != []
    assert cards.cards([], 0.1) == []


def test_a_snapshot_says_what_is_worked_together_and_why_it_is_not() -> None:
    with undisturbed(), runtime.Session() as session:
        stream = session.source(range(10**9), name="numbers").map(lambda number: number, name="more")
        stream.sink(lambda _: None, name="end")
        assert session.snapshot().chains == ()
        session.start()
        assert session.snapshot().chains == (CLOSED,)
        assert chain_of("more", session.snapshot().chains) == "shared with 'numbers', 'end'"
        session.pause("more")
        assert session.snapshot().chains == (PAUSED,)
        assert chain_of("end", session.snapshot().chains) == "has its own now, as 'more' is paused"
        assert chain_of("elsewhere", session.snapshot().chains) == ""
        session.cancel()
        session.wait(PATIENCE_S)
        assert session.snapshot().chains == ()


def test_a_snapshot_names_who_takes_long() -> None:
    hold = runtime.testing.Hold[int](lambda value: value == 40)
    with runtime.Session() as session:
        session.input("in").map(hold, name="held").sink(lambda _: None, name="end")
        session.start()
        for number in range(41):
            session.send("in", number)
        hold.reached.wait()
        while (facts := session.snapshot().chains)[0].opened_by != "'held' takes long for a packet":
            assert facts[0].tasks == ("in", "held", "end")
        hold.release()
        session.stop()


def test_under_a_seed_and_without_chaining_there_are_no_chains() -> None:
    for session in (runtime.Session(seed=1), runtime.Session(chaining=False)):
        with session:
            session.input("in").map(lambda number: number).sink(lambda _: None)
            session.start()
            assert session.snapshot().chains == ()
            session.stop()
            session.wait(PATIENCE_S)
