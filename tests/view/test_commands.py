"""What a page can do by hand, and that the line of Python it shows does the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

import runtime
from runtime.testing import PATIENCE_S, Hold
from sage_nb import commands
from sage_nb.view_hub import hub_of
from tests.error_texts import DIVIDED_BY_ZERO
from tests.signals import Marked
from tests.view.conftest import ShowPage
from tests.view.pages import Page


class Prices:
    """A service."""

    def __init__(self) -> None:
        self.cents = {"tea": 300}

    def process(self, item: str) -> int:
        """The price of an item."""
        return self.cents[item]

    def change(self, item: str, cents: int, loud: bool = False) -> str:
        self.cents[item] = cents
        return f"{item} {cents}{'!' if loud else ''}"


def build(session: runtime.Session) -> runtime.Collected[Any]:
    """numbers → tenfold (fails at 5) → sum (keyed, remembers) → result; an input, and a service."""
    session.service("prices", Prices)
    numbers = session.source([1, 2, 5, 4], name="numbers")

    def tenfold(n: int) -> int:
        return 10 * n if n != 5 else n // 0

    tens = numbers.union(session.input("more")).map(tenfold, name="tenfold", on_error="skip")
    sums = tens.key_by(lambda n: n % 20).reduce(lambda total, n: total + n, initial=0, name="sum")
    return sums.collect(name="result")


@contextmanager
def paused(show: ShowPage, steps: int = 0) -> Iterator[tuple[runtime.Session, Page]]:
    """A session that is held, with a page, so many steps of the source further."""
    with runtime.Session("shop") as session:
        build(session)
        page = show(session)
        page.order("start_paused")
        for _ in range(steps):
            page.order("step", name="numbers")
        try:
            yield session, page
        finally:
            session.cancel()


def look(session: runtime.Session) -> Any:
    """Everything that can be seen of a held job."""
    tasks = {task.name: (task.depth, task.processed, task.held, task.errors) for task in session.snapshot()}
    queues = {name: [packet.text for packet in session.peek(name)] for name in ("tenfold", "sum", "result")}
    return tasks, queues, session.state("sum"), [letter.text for letter in session.dead_letters]


def token(page: Page, task: str, index: int) -> str:
    found: str = page.order("peek", task=task)["result"]["packets"][index]["token"]
    return found


Order = Callable[[Page], Any]
ORDERS: dict[str, Order] = {
    "pause one": lambda page: page.order("pause", name="sum"),
    "resume one": lambda page: page.order("resume", name="result"),
    "step": lambda page: page.order("step"),
    "step one": lambda page: page.order("step", name="numbers"),
    "back": lambda page: page.order("back"),
    "edit": lambda page: page.order("edit", token=token(page, "tenfold", 1), value="7"),
    "edit to text": lambda page: page.order("edit", token=token(page, "tenfold", 1), value="it's"),
    "drop": lambda page: page.order("drop", token=token(page, "tenfold", 0)),
    "move": lambda page: page.order("move", token=token(page, "tenfold", 2), to=0),
    "inject": lambda page: page.order("inject", task="sum", value="60"),
    "inject into an input": lambda page: page.order("inject", task="more", value="3"),
}


@pytest.mark.parametrize("order", ORDERS.values(), ids=list(ORDERS))
def test_the_line_of_python_does_what_the_click_has_done(show: ShowPage, order: Order) -> None:
    with paused(show, 3) as (session, page):
        before = look(session)
        line = order(page)["python"]
        after = look(session)
    assert (before == after) == line.startswith("session.pause")
    with paused(show, 3) as (session, page):
        assert line.startswith("session.")
        eval(line, {"session": session})
        assert look(session) == after


def test_the_whole_job_is_steered_and_each_line_says_how(show: ShowPage) -> None:
    with runtime.Session("shop") as session:
        session.source(iter(int, 1), name="zeros").sink(abs)
        page = show(session)
        lines = [page.order(cmd)["python"] for cmd in ("run", "pause", "resume", "stop")]
        session.wait()
        lines += [ack["python"] for ack in [page.order("cancel")]]
    assert lines == [
        *("session.start()", "session.pause()", "session.resume()", "session.stop()", "session.cancel()"),
    ]


def test_what_is_refused_says_why_and_changes_nothing(show: ShowPage) -> None:
    with paused(show, 1) as (session, page):
        refused: list[tuple[str, dict[str, Any], str]] = [
            ("run", {}, "AlreadyStarted: session 'shop' is running; stop(), cancel() or wait() first"),
            ("pause", {"name": "sun"}, "UnknownName: no task, operator or service 'sun'"),
            ("edit", {"token": "nowhere", "value": "1"}, "PacketGone: this packet was shown too long ago"),
            ("breakpoint", {"task": "sum", "when": "value >"}, "CommandRefused: 'value >' is no expression of Python"),
            ("breakpoint", {"task": "numbers", "when": ""}, "CommandRefused"),
            ("undo", {}, "CommandRefused: nothing was changed by hand"),
            ("inject", {"task": "numbers", "value": "1"}, "GraphInvalid: 'numbers' is a source"),
            ("call", {"service": "prizes", "method": "process", "values": {}}, "UnknownName: no service 'prizes'"),
            ("retry", {"number": 3}, "CommandRefused: this letter is not here any more"),
            ("fly", {}, "CommandRefused: there is no command 'fly'"),
        ]
        for cmd, args, reason in refused:
            ack = page.ask(cmd, **args)
            assert not ack["ok"]
            assert ack["reason"].startswith(reason), ack["reason"]
        assert session.snapshot()["tenfold"].depth == 1


def test_a_queue_shows_its_packets_and_each_can_be_named(show: ShowPage) -> None:
    with paused(show, 4) as (session, page):
        page.order("inject", task="tenfold", value="'ten'")
        queue = page.order("peek", task="tenfold", first=3)["result"]
        assert (queue["depth"], queue["left_out"], len(queue["packets"])) == (5, 3, 3)
        card = page.order("peek", task="tenfold")["result"]["packets"][0]
        assert {name: card[name] for name in ("text", "literal", "kind", "size", "key", "producer", "index")} == {
            **{"text": "'ten'", "literal": "'ten'", "kind": "str", "size": "3 characters", "key": None},
            **{"producer": "hand", "index": 0},
        }
        indexes = [each["index"] for each in page.order("peek", task="tenfold")["result"]["packets"]]
        assert indexes == [0, 0, 1, 2, 3], "each counts in its own lane"
        session.step("tenfold", 2)
        keyed = page.order("peek", task="sum")["result"]["packets"][0]
        assert (keyed["text"], keyed["key"]) == ("10 [key 10]", "10")


def test_an_edit_is_undone_until_the_packet_is_consumed(show: ShowPage) -> None:
    with paused(show, 3) as (session, page):
        page.order("edit", token=token(page, "tenfold", 0), value="[1, 2]")
        assert [packet.payload for packet in session.peek("tenfold")] == [[1, 2], 2, 5]
        assert page.order("undo")["python"] == "session.undo()"
        assert [packet.payload for packet in session.peek("tenfold")] == [1, 2, 5]
        page.order("edit", token=token(page, "tenfold", 0), value="3")
        page.order("step", name="tenfold")
        assert "back() takes back the steps as well" in page.ask("undo")["reason"]
        assert page.order("back")["text"] == "taken back: tenfold: 3 -> 30 [key 10] to sum"
        assert page.order("back")["python"] == "session.back()"
        assert [packet.payload for packet in session.peek("tenfold")] == [1, 2, 5]


def test_under_a_seed_a_page_goes_to_any_turn_and_frames_tell_which_it_is(show: ShowPage) -> None:
    with runtime.Session(seed=7) as session:
        result = session.source([1, 2, 3]).map(lambda value: value * 10).collect()
        assert session.turn == 0
        page = show(session)
        session.run()
        last = session.turn
        assert last == len(session.turns)
        middle = last // 2
        ack = page.order("goto", turn=middle)
        assert ack["python"] == f"session.goto({middle})"
        assert ack["text"] == f"functions have run again, from the start to turn {middle:,}"
        assert (session.turn, session.snapshot().state) == (middle, "running")
        page.wait_for_frame(lambda frame: frame["turn"] == middle and frame["holding"] == "all")
        assert f"after turn {last:,}" in page.ask("goto", turn=last + 1)["reason"]
        assert "must be a whole number" in page.ask("goto", turn=-1)["reason"]
        page.order("goto", turn=last)
        session.resume()
        session.wait()
        assert result == [10, 20, 30]


def test_without_a_seed_there_is_no_turn_to_go_to(show: ShowPage) -> None:
    with paused(show, 1) as (session, page):
        assert session.turn is None
        assert "handed out under a seed alone" in page.ask("goto", turn=1)["reason"]


def test_what_was_injected_by_click_is_told_and_undone_until_it_is_consumed(show: ShowPage) -> None:
    with paused(show, 1) as (session, page):
        page.order("inject", task="tenfold", value="7")
        assert page.order("inject", task="more", value="8")["python"] == "session.inject('more', 8)"
        for _ in range(2):
            assert page.order("undo")["python"] == "session.undo()"
        assert [session.peek(task).depth for task in ("more", "tenfold")] == [0, 1]
        told = [(each["row"], each["text"]) for each in page.order("events", first=0)["result"]["events"]]
        rows = [row for row, text in told if "inject" in text]
        assert [text for _, text in told if "inject" in text] == [
            *("inject: 7", "inject: 8"),
            *("undo of inject: 8", "undo of inject: 7"),
        ]
        assert rows == [rows[0], rows[1], rows[1], rows[0]]
        assert -1 not in rows
        page.order("inject", task="tenfold", value="9")
        page.order("step", name="tenfold")
        page.order("step", name="tenfold")
        assert "'tenfold' has been stepped since 'inject: 9'" in page.ask("undo")["reason"]


def test_a_step_says_what_it_did_and_its_packet_can_be_looked_at(show: ShowPage) -> None:
    with paused(show, 1) as (_, page):
        ack = page.order("step")
        assert (ack["text"], ack["result"]["task"]) == ("tenfold: 1 -> 10 [key 10] to sum", "tenfold")
        card = ack["result"]["packet"]
        assert (card["text"], card["task"]) == ("1", "tenfold")
        assert page.order("full", token=card["token"])["result"]["text"] == "1"


def test_a_breakpoint_holds_before_the_packet_counts_and_goes(show: ShowPage) -> None:
    with paused(show) as (session, page):
        cards = page.order("breakpoint", task="sum", when="value == 40")["result"]
        assert [(card["task"], card["when"], card["hits"]) for card in cards] == [("sum", "value == 40", 0)]
        page.wait_for_frame(lambda frame: frame["breakpoints"] == [3])
        page.order("resume")
        page.wait_for_frame(lambda frame: frame["holding"] == "all" and frame["hits"] == 1)
        session.settle(PATIENCE_S)
        (card,) = page.order("breakpoints")["result"]
        assert (card["hits"], session.peek("sum")[0].payload) == (1, 40)
        removed = page.order("remove_breakpoint", id=card["id"])
        assert removed["result"] == []
        page.wait_for_frame(lambda frame: frame["breakpoints"] == [] and frame["processed"][3] == 2)


def test_a_task_card_has_its_numbers_its_producers_and_where_its_time_went(show: ShowPage) -> None:
    with paused(show, 4) as (session, page):
        page.order("resume")
        session.settle(PATIENCE_S)
        page.wait_for_frame(lambda frame: frame["processed"][2] == 4)
        card = page.order("task", task="tenfold")["result"]
        facts = dict(card["facts"])
        assert (facts["processed"], facts["emitted"], facts["errors"], facts["skipped"]) == ("4", "3", "1", "1")
        assert card["producers"] == [("hand", None, 0), ("numbers", "completed", 0), ("more", None, 0)]
        assert card["last_error"] == f"failed on packet 5: {DIVIDED_BY_ZERO}: skipped"
        assert facts["on error"] == "skip"
        assert sum(share for _, share in card["split"]) == pytest.approx(1)
        assert page.order("state", task="sum")["result"] == {"rows": [("10", "10"), ("0", "60")], "total": 2}


def test_a_task_is_looked_into_beside_other_commands(show: ShowPage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "PROFILE_S", 0.02)
    with paused(show, 4) as (_, page):
        ack = page.order("profile", task="tenfold")
        assert ack["python"] == "print(session.profile('tenfold', seconds=0.02))"
        assert ack["result"]["idle"] == 1
        assert ack["result"]["lines"] == []


def test_a_task_is_measured_only_while_somebody_wants_to_know(show: ShowPage) -> None:
    with paused(show, 4) as (session, page):
        page.order("step", name="tenfold")
        page.order("measure", task="tenfold", on=True)
        page.order("resume")
        session.settle(PATIENCE_S)
        card = page.order("task", task="tenfold")["result"]
        assert (card["measuring"], card["latency"]["count"], sum(card["latency"]["buckets"])) == (True, 3, 3)
        assert 0 < card["latency"]["p50_ms"] <= card["latency"]["p95_ms"]
        page.order("measure", task="tenfold", on=False)
        assert page.order("task", task="tenfold")["result"]["latency"] is None
        page.order("measure", task="tenfold", on=True)
        page.unmount()
        assert not session._runs.stops._set, "with the last page the measuring ends"
        assert not session._runs.started().inspection._taps["tenfold"]


def test_a_measure_is_of_one_run_and_sets_nothing_for_the_next(session: runtime.Session, show: ShowPage) -> None:
    session.source(range(3), name="numbers").map(abs, name="work").collect(name="out")
    page = show(session)
    page.order("start_paused")
    page.order("measure", task="work", on=True)
    page.order("resume")
    session.wait(PATIENCE_S)
    page.order("start_paused")
    assert page.order("task", task="work")["result"]["measuring"] is False
    assert not session._runs.stops._set
    session.cancel()


def test_a_breakpoint_that_a_page_sets_before_the_start_is_shown_and_hit_in_every_run_until_it_is_removed(
    session: runtime.Session, show: ShowPage
) -> None:
    session.source(range(3), name="numbers").map(abs, name="work").collect(name="out")
    page = show(session)
    told = page.order("breakpoint", task="work", when="value == 1")
    assert told["ok"], told
    for run in (1, 2):
        page.order("run")
        hits = run
        page.wait_for_frame(lambda frame: (frame["breakpoints"], frame["hits"]) == ([1], hits))  # noqa: B023
        assert [(card["when"], card["hits"]) for card in page.order("breakpoints")["result"]] == [("value == 1", run)]
        page.order("resume")
        session.wait(PATIENCE_S)
    (card,) = page.order("breakpoints")["result"]
    assert page.order("remove_breakpoint", id=card["id"])["result"] == []
    page.order("run")
    assert session.wait(PATIENCE_S).state == "completed"
    page.wait_for_frame(lambda frame: (frame["state"], frame["breakpoints"]) == ("completed", []))


def test_of_an_operator_each_task_is_measured_by_itself(session: runtime.Session, show: ShowPage) -> None:
    hold = Hold[int](lambda value: value == 0)
    session.input("in").map(hold, name="work", parallelism=2).collect(name="out")
    page = show(session)
    page.order("start_paused")
    page.order("measure", task="work", on=True)
    session.inject("work#0", 0)
    page.order("resume")
    hold.reached.wait()
    session.inject("work#1", 1)
    page.wait_for_frame(lambda frame: frame["processed"][2] == 1)
    hold.release()
    session.settle(PATIENCE_S)
    assert page.order("task", task="work")["result"]["latency"]["count"] == 2


def test_a_service_is_called_from_its_form(show: ShowPage) -> None:
    with paused(show) as (_, page):
        form = page.order("form", service="prices")["result"]
        assert [method["name"] for method in form["methods"]] == ["process", "change"]
        assert [(f["name"], f["kind"], f["required"]) for f in form["methods"][1]["fields"]] == [
            ("item", "text", True),
            ("cents", "number", True),
            ("loud", "checkbox", False),
        ]
        page.order("resume", name="prices")
        ack = page.order(
            "call", service="prices", method="change", values={"item": "tea", "cents": "310", "loud": True}
        )
        assert (ack["text"], ack["result"]["kind"]) == ("'tea 310!'", "str")
        assert ack["python"] == "session.call('prices', 'tea', 310, True, method='change')"
        assert page.order("call", service="prices", method="process", values={"item": "tea"})["text"] == "310"
        failed = page.ask("call", service="prices", method="process", values={"item": "milk"})
        assert (failed["ok"], failed["reason"]) == (False, "KeyError: 'milk'")
        held = page.order("pause", name="prices")
        assert held["python"] == "session.pause('prices')"
        refused = page.ask("call", service="prices", method="process", values={"item": "tea"})
        assert refused["reason"].startswith("ServicePaused")


def test_dead_letters_are_retried_edited_and_discarded(show: ShowPage) -> None:
    with paused(show, 4) as (session, page):
        page.order("resume")
        session.settle(PATIENCE_S)
        page.wait_for_frame(lambda frame: frame["letters"] == 1)
        (card,) = page.order("letters")["result"]["letters"]
        assert (card["task"], card["packet"], card["literal"]) == ("tenfold", "5", "5")
        assert card["error"] == DIVIDED_BY_ZERO
        assert "n // 0" in card["traceback"]
        again = page.order("retry", number=card["number"])
        assert again["python"] == "session.dead_letters.retry(0)"
        session.settle(PATIENCE_S)
        (card,) = page.order("letters")["result"]["letters"]
        assert card["number"] == 2
        edited = page.order("edit_retry", number=2, value="6")
        assert (edited["python"], edited["result"]["kept"]) == ("session.dead_letters.retry(0, value=6)", 0)
        session.settle(PATIENCE_S)
        assert session.state("sum") == {10: 10, 0: 120}
        page.order("inject", task="tenfold", value="5")
        session.settle(PATIENCE_S)
        assert page.order("discard", number=3)["result"]["total"] == 3
        assert page.order("discard_all")["text"] == "0 forgotten"
        assert page.order("retry_all")["text"] == "0 back in their queues"


def test_a_failure_is_told_with_its_traceback(show: ShowPage) -> None:
    with runtime.Session("broken") as session:
        session.source([3], name="numbers").map(lambda n: n // 0, name="divide").collect()
        page = show(session)
        page.order("run")
        with pytest.raises(runtime.TaskFailed):
            session.wait()
        page.wait_for_frame(lambda frame: frame["state"] == "failed")
        letters = page.order("letters")["result"]
        assert letters["failure"] == f"divide failed on packet 3: {DIVIDED_BY_ZERO}"
        assert "n // 0" in letters["traceback"]
        own = letters["folded"].splitlines()
        assert own[1].startswith("  … ")
        assert own[1].endswith("of the runtime")
        assert f'File "{runtime.__file__.removesuffix("__init__.py")}' in letters["traceback"]
        assert f'File "{runtime.__file__.removesuffix("__init__.py")}' not in letters["folded"]
        assert "n // 0" in letters["folded"]


def test_a_failure_that_a_page_has_shown_is_still_raised_at_the_end_of_the_block(show: ShowPage) -> None:
    def look(session: runtime.Session) -> None:
        session.source([3], name="numbers").map(lambda n: n // 0, name="divide").collect()
        page = show(session)
        page.order("run")
        page.wait_for_frame(lambda frame: frame["state"] == "failed")
        assert page.order("letters")["result"]["failure"]

    with pytest.raises(runtime.TaskFailed), runtime.Session("broken") as session:
        look(session)


def test_a_page_that_comes_late_can_ask_for_all_that_has_happened(show: ShowPage) -> None:
    with paused(show, 2) as (session, page):
        events = page.order("events", first=0)["result"]
        assert events["first"] == 0
        assert [each["text"] for each in events["events"]] == [event.text for event in session.events]
        turns = [each for each in events["events"] if each["kind"] == "turn"]
        assert [each["row"] for each in turns] == [0, 0]
        later = page.order("events", first=len(session.events) - 1)["result"]["events"]
        assert len(later) == 1


def test_signals_that_wait_are_told_of_in_frames_and_with_the_queue(session: runtime.Session, show: ShowPage) -> None:
    session.source(Marked("a", "each", count=3, marked=[1]), name="a").sink(lambda _: None, name="end", capacity=8)
    page = show(session)
    page.order("start_paused")
    for _ in range(10):
        page.order("step", name="a")
    expected = [
        {"index": 1, "producer": "a", "text": "Each(number=1, source='a')"},
        {"index": 3, "producer": "a", "text": "Each(number=3, source='a')"},
        {"index": 3, "producer": "a", "text": "completed"},
    ]
    frame = page.wait_for_frame(lambda frame: frame["depths"] == [0, 3] and len(frame["signals"].get("1", ())) == 3)
    assert frame["signals"] == {"1": expected}
    assert page.order("peek", task="end")["result"]["signals"] == expected
    for _ in range(2):  # a packet, and the signal behind it
        page.order("step", name="end")
    page.wait_for_frame(lambda frame: frame["signals"].get("1") == [{**each, "index": 2} for each in expected[1:]])
    session.cancel()


def test_of_a_flood_of_events_the_last_are_sent(show: ShowPage) -> None:
    with runtime.Session("flood", on_error="skip") as session:
        session.source(range(2_000), name="numbers").map(lambda n: n // 0, name="divide").collect()
        page = show(session)
        page.unmount()
        session.run()
        frame = hub_of(session).current(session)[1].event_cards(session.events)
        assert [each["kind"] for each in frame].count("skip") == 500
        assert frame[0]["kind"] == "start"
        assert frame[-1]["number"] == len(session.events) - 1


def test_where_a_packet_comes_from_and_what_was_done_as_a_test(show: ShowPage) -> None:
    with runtime.Session("traced", trace=True) as session:
        lines = session.source(["to be", "or not"], name="lines").flat_map(str.split, name="split")
        lines.filter(bool, name="real").collect(name="words")
        page = show(session)
        page.order("start_paused")
        for name in ("lines", "split", "real"):
            page.order("step", name=name)
        (card,) = page.order("peek", task="words")["result"]["packets"]
        why = page.order("why", token=card["token"])["result"]
        assert why["text"] == "'to': made by real\n└─ 'to': made by split\n   └─ 'to be': an item of lines"
        assert why["places"] == [
            {"task": "real", "text": "'to'", "more": 0},
            {"task": "split", "text": "'to'", "more": 0},
            {"task": "lines", "text": "'to be'", "more": 0},
        ]
        text = page.order("as_test")["result"]["text"]
        assert "assert str(session.step('split')) == \"split: 'to be' -> 'to', 'be' to real\"" in text
        session.cancel()


def test_where_letters_results_and_a_failure_come_from(show: ShowPage) -> None:
    def divide(number: int) -> float:
        if number < 0:
            raise ValueError(number)
        return 1 / number

    with runtime.Session("traced", trace=True) as session:
        numbers = session.source([2, -1, 0], name="numbers").map(float, name="kept")
        divided = session.source([2, -1, 0], name="others").map(divide, name="divide", on_error="skip")
        divided.union(numbers).collect(name="found")
        page = show(session)
        session.run()
        (first, second) = page.order("letters")["result"]["letters"]
        assert page.order("why", number=second["number"])["result"]["text"] == "-1: an item of others"
        assert page.order("why", number=first["number"])["result"]["places"][0]["task"] == "others"
        lit = page.order("light", result="found", index=0)["result"]
        assert {"lit": lit} in page.comm.custom
        page.order("light")
        assert {"lit": None} in page.comm.custom
    assert page.order("why", number=second["number"])["ok"], "closed, it is still known"

    failing = runtime.Session("failing", trace=True)
    failing.source([0], name="numbers").map(divide, name="divide").collect()
    page = show(failing)
    with pytest.raises(runtime.TaskFailed):
        failing.run()
    assert page.order("why", failure=True)["result"]["text"] == "0: an item of numbers"
    failing.close()


def test_where_what_is_held_comes_from(show: ShowPage) -> None:
    with runtime.Session("held", trace=True) as session:
        session.source([0], name="numbers").map(lambda n: 1 / n, name="divide", on_error="hold").collect()
        page = show(session)
        with pytest.raises(runtime.JobHeld):
            session.run()
        (held,) = page.order("letters")["result"]["held"]
        found = page.order("why", task=held["task"], place=held["place"])["result"]
        assert found["text"] == "0: an item of numbers"
        session.cancel()


def test_without_traces_it_is_said_why(show: ShowPage) -> None:
    with runtime.Session("plain") as session:
        session.source([1]).collect()
        assert "trace=True" in show(session).order("letters")["result"]["untraced"]
