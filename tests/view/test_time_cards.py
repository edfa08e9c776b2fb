"""Where time went, on its way to a page."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

import runtime
from runtime.testing import PATIENCE_S
from sage_nb.time_cards import TimeCards, percents


@given(st.lists(st.floats(0, 1_000), min_size=1, max_size=8).filter(lambda seconds: sum(seconds) > 1e-3))
def test_per_cents_are_whole_and_add_up(seconds: list[float]) -> None:
    whole_s = sum(seconds)
    found = percents(seconds, whole_s)
    assert sum(found) == 100
    assert all(abs(each - 100 * exact / whole_s) <= 1 + 1e-6 for each, exact in zip(found, seconds, strict=True))


def test_a_text_has_an_entry_for_each_row_and_stays_for_a_while() -> None:
    with runtime.Session("timed") as session:
        session.source(range(100), name="numbers").map(abs, name="m", parallelism=2).sink(abs, name="end")
        session.run(PATIENCE_S)
        cards = TimeCards(["numbers", "m#0", "m#1", "end"], [(0, 1), (1, 3), (3, 4)])
        text = cards.text(session.snapshot())
        rows = text.split(";")
        assert len(rows) == 3
        for row in rows:
            _, on, *shares = row.split(",")
            assert sum(map(int, shares)) == 100
            assert on == "" or 0 <= int(on) <= 100
        assert cards.text(session.snapshot()) is text


def test_before_the_start_there_is_nothing() -> None:
    with runtime.Session("timed") as session:
        session.source(range(100), name="numbers").sink(abs, name="end")
        assert TimeCards(["numbers", "end"], [(0, 1), (1, 2)]).text(session.snapshot()) == ";"
