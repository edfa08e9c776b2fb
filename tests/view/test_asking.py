"""A page asks: the answer in words, a question that is watched on its way, and gates that are left as they were."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

import runtime
from runtime.testing import PATIENCE_S, Hold
from sage_nb.view_hub import hub_of
from tests.view.conftest import ShowPage
from tests.view.pages import Page

PRICES = {"pear": 3, "plum": 2}
MOST_STEPS = 50
WAY = ["order", "split", "price", "reply"]


def build(session: runtime.Session) -> None:
    """order → split → price (skips what has none) → reply; beside it a sink; and an input that leads nowhere."""
    words = session.input("order").flat_map(str.split, name="split")
    words.map(PRICES.__getitem__, name="price", on_error="skip").reply(name="reply")
    words.sink(len, name="lengths")
    session.input("other").sink(len, name="others")


class Clock:
    """A clock that goes on while `slow` is at work."""

    at_s = 1_000.0  # at 0 nothing would have begun


def slow(value: int) -> int:
    Clock.at_s += 0.25
    return value


@contextmanager
def asked(show: ShowPage, **settings: Any) -> Iterator[tuple[runtime.Session, Page]]:
    """A session that answers, running, and a page."""
    with runtime.Session("shop", **settings) as session:
        build(session)
        page = show(session)
        page.order("run")
        try:
            yield session, page
        finally:
            session.cancel()


def to_the_end(page: Page, watched: Any) -> list[Any]:
    """Step what is watched until it has an answer; the steps."""
    steps = [watched]
    while steps[-1]["answer"] is None:
        steps.append(page.order("watch_step", watch=watched["watch"])["result"])
        assert len(steps) < MOST_STEPS, [step["step"] and step["step"]["text"] for step in steps]
    return steps[1:]


def held(session: runtime.Session) -> list[str]:
    return [task.name for task in session.snapshot() if task.held]


def test_a_page_asks_and_is_shown_the_answer_and_the_line_that_does_the_same(show: ShowPage) -> None:
    with asked(show) as (session, page):
        names = {"session": session}
        ack = page.order("ask", input="order", value="'plum'")
        answer = ack["result"]
        assert (answer["outcome"], answer["text"], answer["kind"]) == ("reply", "2", "int")
        assert answer["took_ms"] > 0
        assert ack["python"] == "session.ask('order', 'plum')"
        assert eval(ack["python"], names) == 2
        line = page.order("ask", input="order", value="'plum ' * 2", as_python=True, many=True)["python"]
        assert (line, eval(line, names)) == ("session.ask('order', 'plum ' * 2, many=True)", [2, 2])


def test_with_many_all_replies_are_shown_and_the_errors_of_what_was_skipped(show: ShowPage) -> None:
    with asked(show) as (_, page):
        answer = page.order("ask", input="order", value="pear kiwi plum", many=True)["result"]
    assert (answer["outcome"], answer["text"], answer["kind"]) == ("replies", "[3, 2]", "2")
    assert answer["errors"] == ["KeyError: 'kiwi'"]


def test_that_nothing_comes_of_it_and_an_error_are_told_apart_in_words(show: ShowPage) -> None:
    with asked(show) as (_, page):
        answer = page.order("ask", input="order", value="''")["result"]
        assert answer["outcome"] == "no reply"
        assert "no packet of it is left" in answer["text"]
        refused = page.ask("ask", input="order", value="kiwi")
        assert (refused["ok"], refused["reason"]) == (False, "KeyError: 'kiwi'")
        refused = page.ask("ask", input="other", value="1")
        assert "no way leads from input 'other' to a reply()" in refused["reason"]


def test_a_plan_says_which_inputs_can_be_asked_and_why_others_cannot(show: ShowPage) -> None:
    with runtime.Session("shop") as session:
        build(session)
        rows = {row["name"]: row for row in show(session).view.plan["rows"]}
        assert rows["order"]["asks"] == ""
        assert rows["other"]["asks"] == "no way leads from 'other' to a reply(): end a stream of it with .reply()"
        assert [name for name, row in rows.items() if "asks" in row] == ["order", "other"]


def test_a_frame_tells_what_was_asked_and_how_it_has_ended(show: ShowPage) -> None:
    with asked(show) as (_, page):
        page.order("ask", input="order", value="plum")
        page.order("ask", input="order", value="''")
        frame = page.wait_for_frame(lambda frame: frame["asks"] and frame["asks"]["unanswered"])
        told = frame["asks"]
        assert (told["asked"], told["open"], told["answered"], told["unanswered"]) == (2, 0, 1, 1)
        assert told["per_s"] >= 0
    with runtime.Session("no reply") as session:
        session.source([1]).collect(name="result")
        assert show(session).frames()[0]["asks"] is None


def test_what_is_watched_goes_from_box_to_box_with_value_and_time_at_each(show: ShowPage) -> None:
    with asked(show) as (session, page):
        ack = page.order("watch_ask", input="order", value="pear plum")
        watched = ack["result"]
        assert (watched["way"], watched["at"], watched["answer"]) == (WAY, ["order"], None)
        assert sorted(held(session)) == sorted(WAY)
        steps = to_the_end(page, watched)
        assert [step["step"]["text"] for step in steps] == [
            "order: 'pear plum' -> 'pear plum' to split",
            "split: 'pear plum' -> 'pear' to price, 'pear' to lengths, 'plum' to price, 'plum' to lengths",
            "price: 'pear' -> 3 to reply",
            "price: 'plum' -> 2 to reply",
            "reply: 3",
        ]
        assert [step["at"] for step in steps] == [["split"], ["price"], ["price", "reply"], ["reply"], []]
        assert all(step["is_of_it"] for step in steps)
        assert all(step["took_ms"] > 0 for step in steps)
        assert (steps[-1]["answer"]["outcome"], steps[-1]["answer"]["text"]) == ("reply", "3")
        assert held(session) == []
        assert session.ask("order", "plum") == 2


def test_the_time_at_a_box_is_that_of_its_function_not_of_who_looks(
    show: ShowPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("stopwatch", "parker"):
        monkeypatch.setattr(f"runtime.scheduling.{module}.perf_counter", lambda: Clock.at_s)
    with runtime.Session("slow") as session:
        session.input("in").map(slow, name="slow").reply(name="reply")
        page = show(session)
        page.order("run")
        watched = page.order("watch_ask", input="in", value="1")["result"]
        Clock.at_s += 1_000
        times = {step["step"]["task"]: step["took_ms"] for step in to_the_end(page, watched)}
        assert times == {"in": 0.0, "slow": 250.0, "reply": 0.0}
        session.cancel()


def test_with_many_it_is_watched_until_no_packet_of_it_is_left_anywhere(show: ShowPage) -> None:
    with asked(show) as (session, page):
        watched = page.order("watch_ask", input="order", value="pear kiwi", many=True)["result"]
        assert sorted(watched["way"]) == sorted([*WAY, "lengths"])
        steps = to_the_end(page, watched)
        assert [step["step"]["task"] for step in steps].count("lengths") == 2
        assert (steps[-1]["answer"]["text"], steps[-1]["answer"]["errors"]) == ("[3]", ["KeyError: 'kiwi'"])
        assert held(session) == []


def test_what_lies_before_it_goes_first_and_is_said_to_be_another(show: ShowPage) -> None:
    with asked(show) as (session, page):
        session.pause("split")
        session.inject("split", "plum")
        watched = page.order("watch_ask", input="order", value="pear")["result"]
        steps = to_the_end(page, watched)
        assert [(step["step"]["task"], step["is_of_it"]) for step in steps] == [
            ("order", True),
            ("split", False),
            ("split", True),
            ("price", False),
            ("price", True),
            ("reply", False),
            ("reply", True),
        ]
        assert steps[-1]["answer"]["text"] == "3"
        assert held(session) == ["split"]  # as it was


@pytest.mark.parametrize("value", ["''", "kiwi"])
def test_of_what_is_watched_too_no_reply_and_errors_are_told_in_words(show: ShowPage, value: str) -> None:
    with asked(show) as (session, page):
        answer = to_the_end(page, page.order("watch_ask", input="order", value=value)["result"])[-1]["answer"]
        kind, text = ("no reply", "no packet of it is left") if value == "''" else ("error", "KeyError: 'kiwi'")
        assert answer["outcome"] == kind
        assert text in answer["text"]
        assert held(session) == []


@pytest.mark.parametrize("how", ["end", "unmount", "close", "cancel"])
def test_a_question_that_is_left_leaves_no_gate_closed_and_no_thread(show: ShowPage, how: str) -> None:
    with asked(show) as (session, page):
        watched = page.order("watch_ask", input="order", value="pear")["result"]
        page.order("watch_step", watch=watched["watch"])
        if how == "end":
            page.order("watch_end", watch=watched["watch"])
        elif how == "unmount":
            page.unmount()
        elif how == "cancel":
            page.order("cancel")
            answer = to_the_end(page, watched)[-1]["answer"]
            assert (answer["outcome"], answer["text"][:9]) == ("error", "TaskEnded")
        else:
            session.close()
        questions = session.snapshot().questions
        assert questions is not None
        assert (questions.open, questions.failed) == (0, 1)
        if how in ("end", "unmount"):
            assert held(session) == []
            assert session.ask("order", "plum") == 2
        if how == "end":
            refused = page.ask("watch_step", watch=watched["watch"])
            assert "watched no more" in refused["reason"]
    for thread in threading.enumerate():
        if thread.name == "sage-nb ask":
            thread.join(PATIENCE_S)
            assert not thread.is_alive()


def test_who_opens_the_gates_by_hand_lets_it_go_to_its_end(show: ShowPage) -> None:
    with asked(show) as (_, page):
        watched = page.order("watch_ask", input="order", value="pear")["result"]
        page.order("resume")
        steps = to_the_end(page, watched)
        assert [step["step"] for step in steps] == [None] * len(steps)
        assert steps[-1]["answer"]["text"] == "3"


def test_one_question_is_watched_at_a_time_and_a_next_one_after_its_end(show: ShowPage) -> None:
    with asked(show) as (_, page):
        first = page.order("watch_ask", input="order", value="pear")["result"]
        refused = page.ask("watch_ask", input="order", value="plum")
        assert "one question is watched already" in refused["reason"]
        to_the_end(page, first)
        second = page.order("watch_ask", input="order", value="plum")["result"]
        assert to_the_end(page, second)[-1]["answer"]["text"] == "2"
        refused = page.ask("watch_ask", input="other", value="plum")
        assert "no way leads" in refused["reason"]


def test_what_is_in_a_batch_a_call_or_waits_for_room_is_stepped_to_its_end(show: ShowPage) -> None:
    async def twice(value: int) -> int:
        await asyncio.sleep(0)
        return 2 * value

    def sums(values: list[int]) -> list[int]:
        return [value + 1 for value in values]

    with runtime.Session("batch", capacity=1) as session:
        tens = session.input("in").map(twice, name="twice")
        tens.map_batches(sums, size=2, within=0.01, name="sums").reply(name="reply")
        page = show(session)
        page.order("start_paused")
        session.send("in", 5)  # so there is no room
        watched = page.order("watch_ask", input="in", value="1")["result"]
        assert watched["at"] == []
        steps = to_the_end(page, watched)
        assert (steps[-1]["answer"]["outcome"], steps[-1]["answer"]["text"]) == ("reply", "3")
        assert sorted(held(session)) == ["in", "reply", "sums", "twice"]  # as it was
        session.cancel()


def test_the_lines_of_a_watched_question_do_the_same(show: ShowPage) -> None:
    with asked(show) as (session, page):
        ack = page.order("watch_ask", input="order", value="pear")
        lines = [ack["python"]]
        while ack["result"]["answer"] is None:
            ack = page.order("watch_step", watch=ack["result"]["watch"])
            lines.append(ack["python"])
        body = "\n    ".join(lines[:-1])
        last = lines[-1].rpartition("; ")
        names: dict[str, Any] = {"session": session}
        exec(f"async def again():\n    {body}\n    {last[0]}\n    return {last[2]}", names)
        assert asyncio.run(names["again"]()) == 3
        assert held(session) == []


def test_in_a_hub_whose_session_is_closed_nothing_is_asked(show: ShowPage) -> None:
    with asked(show) as (session, page):
        session.close()
        assert "the session was closed" in page.ask("ask", input="order", value="plum")["reason"]
        assert hub_of(session).commands is not None


def test_a_question_that_takes_long_holds_no_other_command_up(show: ShowPage) -> None:
    hold = Hold[int]()
    with runtime.Session("long") as session:
        session.input("in").map(hold, name="long").reply()
        page = show(session)
        page.order("run")
        number = page.tell("ask", input="in", value="1")
        hold.reached.wait()
        page.order("peek", task="long")
        assert not any(each["ack"] == number for each in page.comm.custom)
        frame = page.wait_for_frame(lambda frame: frame["asks"] and frame["asks"]["open"])
        assert frame["asks"]["slowest"] == "'in' asked 1"
        hold.release()
        session.cancel()
