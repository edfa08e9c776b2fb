"""Where time went while nobody looked, on its way to a page."""

from __future__ import annotations

import pytest

import runtime
from runtime.testing import PATIENCE_S
from sage_nb.past_cards import past_of
from tests.view.conftest import ShowPage

NAMES = ["numbers", "m#0", "m#1", "end"]


def graph(session: runtime.Session) -> runtime.Session:
    session.source(range(2_000), name="numbers").map(abs, name="m", parallelism=2).sink(abs, name="end")
    return session


def shares_of(row: str) -> list[list[int]]:
    """Of each stretch, its shares in per cent."""
    return [[int(each) for each in stretch.split(",")[2:]] for stretch in row.split("|")[1:]]


def test_each_row_has_stretches_from_its_beginning_to_its_end_whose_shares_add_up() -> None:
    with graph(runtime.Session("timed")) as session:
        session.run(PATIENCE_S)
        found = session.stretches()
        alone = past_of(session, NAMES, [(place, place + 1) for place in range(4)])
        assert (alone["note"], len(alone["rows"])) == ("", 4)
        for name, row in zip(NAMES, alone["rows"], strict=True):
            begin, *stretches = row.split("|")
            assert float(begin) == pytest.approx(found[name][0].from_s, abs=0.02)
            assert len(stretches) == len(found[name])
            assert float(stretches[-1].split(",")[0]) <= alone["until_s"]
            assert all(sum(shares) in (0, 100) for shares in shares_of(row))


def test_several_tasks_of_one_row_are_one_past_in_equal_steps() -> None:
    with graph(runtime.Session("timed")) as session:
        session.run(PATIENCE_S)
        row = past_of(session, NAMES, [(0, 1), (1, 3), (3, 4)])["rows"][1]
        assert len(row.split("|")) == 65
        assert all(sum(shares) in (0, 100) for shares in shares_of(row))
        assert any(map(sum, shares_of(row)))


def test_under_a_seed_a_page_is_told_why_there_is_nothing() -> None:
    with graph(runtime.Session("timed", seed=1)) as session:
        session.run(PATIENCE_S)
        past = past_of(session, NAMES, [(0, 4)])
        assert past["rows"] == [""]
        assert "virtual time" in past["note"]


def test_a_page_that_comes_late_knows_since_when_somebody_looked_and_is_told_of_the_rest(show: ShowPage) -> None:
    with graph(runtime.Session("timed")) as session:
        session.run(PATIENCE_S)
        page = show(session)
        first = page.wait_for_frame(lambda frame: frame["since_s"] == frame["at_s"] > 0)
        assert all(page.order("past")["result"]["rows"])
        page.unmount()
        page.mount()
        page.wait_for_frame(lambda frame: frame["since_s"] > first["at_s"])
    assert all(page.order("past")["result"]["rows"]), "after the close"


def test_a_page_that_was_there_before_the_start_has_missed_nothing(show: ShowPage) -> None:
    with graph(runtime.Session("timed")) as session:
        page = show(session)
        page.order("run")
        last = page.wait_for_frame(lambda frame: frame["state"] == "completed")
        assert last["since_s"] == 0
