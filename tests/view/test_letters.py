"""The letter of an error's mark: each skip that is kept is found by its event, while it runs and when it is closed."""

from __future__ import annotations

from typing import Any

import pytest

import runtime
from tests.view.conftest import ShowPage
from tests.view.pages import Page

SKIPS = 1_200


def build(session: runtime.Session) -> None:
    numbers = session.source(range(SKIPS), name="numbers")
    numbers.map(lambda n: n // 0, name="divide", on_error="skip", parallelism=2).collect(name="result")


def skips(page: Page) -> list[dict[str, Any]]:
    """What a page says of the skips that it has been told of."""
    rows = page.view.plan["rows"]
    events = page.order("events", first=0)["result"]["events"]
    return [
        {"task": rows[each["row"]]["name"], "at_s": each["at_s"], "text": each["text"]}
        for each in events
        if each["kind"] == "skip"
    ]


def test_each_skip_whose_letter_is_kept_leads_to_its_packet_and_the_others_to_none(show: ShowPage) -> None:
    with runtime.Session("skips") as session:
        build(session)
        page = show(session)
        session.run()
        page.wait_for_frame(lambda frame: frame["letters_total"] == SKIPS)
        kept = {letter.packet: letter.number for letter in session.dead_letters}
        about = skips(page)
        assert len(about) == 500, "the last ones of a kind are told"
        for each in (*about[::50], about[-1]):
            answer = page.order("letters", about=each)["result"]
            packet = int(each["text"].split()[3].rstrip(":"))
            assert answer["found"] == kept[packet]
            (card,) = [card for card in answer["letters"] if card["number"] == answer["found"]]
            assert card["packet"] == str(packet)
            assert "n // 0" in card["traceback"]
            assert len(answer["letters"]) == 100
        unknown = {**about[0], "at_s": about[0]["at_s"] - 100}
        assert page.order("letters", about=unknown)["result"]["found"] == 0
        session.dead_letters.discard_all()
        assert page.order("letters", about=about[0])["result"]["found"] == 0


@pytest.mark.parametrize("place", [0, -1])
def test_of_a_closed_session_the_newest_are_found(show: ShowPage, place: int) -> None:
    with runtime.Session("closed") as session:
        build(session)
        page = show(session)
        session.run()
    cards = page.order("letters")["result"]["letters"]
    numbers = {card["packet"]: card["number"] for card in cards}
    about = [each for each in skips(page) if each["text"].split()[3].rstrip(":") in numbers][place]
    answer = page.order("letters", about=about)["result"]
    assert answer["found"] == numbers[about["text"].split()[3].rstrip(":")]
