"""What a page does with what is held: shows it, and mends it by the notebook's own function."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import pytest

import runtime
from runtime.testing import PATIENCE_S
from tests.view.conftest import ShowPage

MAIN = sys.modules["__main__"]


def parse(text: str) -> float:
    return float(text)


def better(text: str) -> float:
    return float(text.replace(",", "."))


@pytest.fixture
def cell(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Sets a name of the notebook."""
    return lambda name, value: monkeypatch.setattr(MAIN, name, value, raising=False)


def held_session() -> runtime.Session:
    session = runtime.Session("prices")
    session.source(["3", "4,50", "7"], name="texts").map(parse, name="numbers", on_error="hold").collect(name="out")
    session.start()
    with pytest.raises(runtime.JobHeld):
        session.wait(PATIENCE_S)
    return session


def test_a_card_has_packet_error_traceback_and_source(show: ShowPage) -> None:
    with held_session() as session:
        page = show(session)
        (card,) = page.order("letters")["result"]["held"]
        assert (card["task"], card["operator"], card["packet"]) == ("numbers", "numbers", "'4,50'")
        assert card["literal"] == "'4,50'"
        assert card["error"].startswith("ValueError: could not convert")
        assert "return float(text)" in card["traceback"]
        assert card["source"] == "def parse(text: str) -> float:\n    return float(text)\n"
        assert (card["version"], card["function"]) == (1, "parse")
        session.cancel()


def test_the_function_of_that_name_takes_its_place_and_the_line_says_so(show: ShowPage, cell: Any) -> None:
    with held_session() as session:
        page = show(session)
        cell("parse", parse)
        refused = page.ask("replace", operator="numbers")
        assert not refused["ok"]
        assert "still the function that has raised" in refused["reason"]
        cell("parse", better)
        done = page.order("replace", operator="numbers")
        assert (done["ok"], done["python"]) == (True, "session.replace('numbers', parse)")
        assert [each["version"] for each in done["result"]["held"]] == [1]
        assert page.order("resume")["ok"]
        assert session.wait(PATIENCE_S).state == "completed"
        assert not page.order("letters")["result"]["held"]


def test_where_no_cell_has_made_one_it_says_which_names_it_looks_for(show: ShowPage) -> None:
    with held_session() as session:
        page = show(session)
        refused = page.ask("replace", operator="numbers")
        assert refused["reason"] == "CommandRefused: " + (
            "no cell has made a function called 'parse' or 'numbers'; write one, and run its cell"
        )
        session.cancel()


def test_a_held_packet_is_edited_and_skipped_by_a_page_and_the_lines_do_the_same(show: ShowPage) -> None:
    with held_session() as session:
        page = show(session)
        (card,) = page.order("letters")["result"]["held"]
        place = card["place"]
        done = page.order("edit_held", task="numbers", place=place, value="'x'")
        assert (done["ok"], done["python"]) == (True, "session.held[0].edit('x')")
        assert not done["result"]["held"]
        assert not page.ask("skip_held", task="numbers", place=place)["ok"]
        assert page.order("undo")["ok"]
        done = page.order("skip_held", task="numbers", place=place)
        assert (done["ok"], done["python"]) == (True, "session.held[0].skip()")
        assert [letter["packet"] for letter in done["result"]["letters"]] == ["'4,50'"]
        page.order("resume")
        assert session.wait(PATIENCE_S).skipped == 1


def test_of_several_calls_that_a_task_holds_the_one_that_was_meant_is_skipped(show: ShowPage) -> None:
    began: list[int] = []

    async def checked(value: int) -> int:
        began.append(value)
        while len(began) < 5:
            await asyncio.sleep(0.001)
        if value % 2:
            raise ValueError(value)
        return value

    with runtime.Session("prices") as session:
        result = session.source(range(5)).map(checked, name="work", on_error="hold").collect()
        session.start()
        with pytest.raises(runtime.JobHeld):
            session.wait(PATIENCE_S)
        page = show(session)
        first, second = page.order("letters")["result"]["held"]
        done = page.order("skip_held", task="work", place=second["place"])
        assert (done["ok"], done["python"]) == (True, "session.held[1].skip()")
        assert page.order("edit_held", task="work", place=first["place"], value="10")["ok"]
        page.order("resume")
        assert session.wait(PATIENCE_S).skipped == 1
        assert list(result) == [0, 10, 2, 4]
