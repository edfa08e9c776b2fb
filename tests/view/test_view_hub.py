"""Promises 15 and 16 of the view: who looks costs the job nothing, and what showed a session goes with it."""

from __future__ import annotations

import base64
import gc
import gzip
import json
import sys
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import count
from typing import Any

import pytest

import runtime
import sage_nb
from runtime.factory import register_backend
from runtime.factory.local_backend import LocalBackend
from runtime.testing import PATIENCE_S, Hold, Moment
from sage_nb.module import css, digest, esm, packed
from sage_nb.view_hub import hub_of
from sage_nb.wire import Frame
from tests.view.conftest import ShowPage
from tests.view.pages import Page, RecordingComm, open_widgets, record_comms


def threads() -> set[str]:
    return {thread.name for thread in threading.enumerate() if thread.name.startswith("sage-nb")}


def join_sampler(page: Page) -> None:
    thread = next((each for each in threading.enumerate() if each.name == "sage-nb sampler"), None)
    if thread is not None:
        thread.join(PATIENCE_S)
    assert threads() == set()


def wait_for_close(opened: RecordingComm) -> None:
    with opened.news:
        assert opened.news.wait_for(lambda: opened.closed, PATIENCE_S)
    for thread in threading.enumerate():
        if thread.name == "sage-nb close":
            thread.join(PATIENCE_S)


def line(session: runtime.Session, items: Any = (1, 2, 3)) -> runtime.Collected[int]:
    return session.source(items, name="numbers").map(lambda n: n + n, name="double").collect(name="result")


def test_a_page_sees_the_job_start_run_and_end(session: runtime.Session, show: ShowPage) -> None:
    line(session)
    page = show(session)
    assert page.frames()[0]["state"] == "new"
    page.order("run")
    frame = page.wait_for_frame(lambda frame: frame["state"] == "completed" and len(frame["order"]) == 3)
    assert (frame["states"], frame["processed"], frame["emitted"]) == ("ccc", [3, 3, 3], [3, 3, 0])
    assert (frame["order"], frame["ended"], frame["counts"]["done"]) == ([0, 1, 2], [0, 1, 1], 3)
    # A frame's events were read before its states: those of the end may come with the next one.
    last = len(session.events) - 1
    page.wait_for_frame(lambda frame: any(each["number"] == last for each in frame["events"]))
    told = [each for frame in page.frames() for each in frame["events"]]
    assert [each["number"] for each in told] == list(range(len(session.events)))
    assert [each["text"] for each in told] == [event.text for event in session.events]


class SlowToStart(LocalBackend):
    """Threads that are not there before a moment has come."""

    moment = Moment("that they are there")

    def ready(self, say: Callable[[str], None]) -> None:
        say("threads are being made")
        self.moment.wait()
        super().ready(say)


def test_a_page_sees_what_a_start_is_doing_while_it_does(show: ShowPage) -> None:
    register_backend("slow to start", SlowToStart)
    with runtime.Session("slow", platform="slow to start") as session, ThreadPoolExecutor(1) as hands:
        line(session)
        page = show(session)
        page.wait_for_frame(lambda frame: frame["state"] == "new")  # and the sampler waits for news from here on
        started = hands.submit(session.start)
        try:
            page.wait_for_frame(lambda frame: [each["text"] for each in frame["events"]] == ["threads are being made"])
        finally:
            SlowToStart.moment.set()
        started.result(PATIENCE_S)
        session.wait(PATIENCE_S)


def test_no_page_hears_an_event_twice_though_it_looks_while_the_job_starts(
    session: runtime.Session, show: ShowPage
) -> None:
    line(session)

    seen = 0  # the revision of the run before

    def is_of_this_run(frame: Frame) -> bool:
        return frame["revision"] > seen and len(frame["events"]) > 0

    def look_first(change: str) -> None:  # before the hub hears of it
        if change == "started":
            hub_of(session)._sampler.look()
            page.wait_for_frame(is_of_this_run)

    session.on_change(look_first)
    page = show(session)
    for _ in range(2):
        session.run()
        ended = page.wait_for_frame(lambda f: f["revision"] > seen and f["state"] == "completed")  # noqa: B023
        seen = ended["revision"]
    told = [(frame["revision"], each["number"]) for frame in page.frames() for each in frame["events"]]
    starts = [revision for revision, number in told if number == 0]
    assert len(starts) == 2, "one for each run"


def test_without_a_page_nothing_looks_and_with_the_last_one_the_looking_ends(
    session: runtime.Session, show: ShowPage
) -> None:
    line(session)
    sage_nb.graph(session)
    assert threads() == set()
    first, second = show(session), show(session, name="other")
    assert threads() == {"sage-nb sampler"}
    first.unmount()
    second.order("start_paused")
    second.wait_for_frame(lambda frame: frame["state"] == "running")
    second.unmount()
    join_sampler(second)
    second.mount().order("resume")
    second.wait_for_frame(lambda frame: frame["state"] == "completed")


def is_at_rest(row: str) -> bool:
    """Whether a row has done one thing for the last second, and worked nothing."""
    if not row:  # it has not begun
        return False
    per_s, on, *shares = row.split(",")
    return float(per_s) == 0 and on in ("", "0") and "100" in shares


def test_a_job_that_stands_still_sends_nothing(session: runtime.Session, show: ShowPage) -> None:
    line(session)
    page = show(session)
    page.order("start_paused")
    page.order("step")
    # The last thing that a step does is its event: a frame that has it is of the job at rest.
    told = page.wait_for_frame(lambda frame: any(each["kind"] == "turn" for each in frame["events"]))
    assert told["depths"] == [0, 1, 0]
    # A second later the last one has passed as it is.
    page.wait_for_frame(lambda frame: all(is_at_rest(row) for row in frame["times"].split(";")))
    number = len(page.frames())
    looked = count()
    looks = Moment("five looks")
    hub = hub_of(session)
    complete = hub.complete

    def counting(frame: Any) -> None:
        complete(frame)
        if next(looked) == 5:
            looks.set()

    hub.complete = counting  # type: ignore[method-assign]
    looks.wait()
    assert len(page.frames()) == number


def test_closing_the_session_ends_its_threads_and_closes_its_forms(session: runtime.Session, show: ShowPage) -> None:
    before = open_widgets()
    line(session)
    page, other = show(session), show(session, "depths")
    views = open_widgets()
    forms = [sage_nb.injector(session), sage_nb.stepper(session)]
    page.order("start_paused")
    assert len(open_widgets() - views) > 5
    session.close()
    assert open_widgets() == views > before
    assert not any(each.comm.closed for each in (page, other))
    assert threads() == set()
    assert all(form.comm is None for form in forms)


def test_a_session_that_nobody_holds_takes_its_widgets_along(show: ShowPage) -> None:
    before = open_widgets()
    session = runtime.Session()
    line(session)
    page, gone = show(session), weakref.ref(session)
    page.unmount()
    join_sampler(page)
    opened = page.comm
    del session, page
    gc.collect()
    assert gone() is None
    wait_for_close(opened)
    assert open_widgets() == before


def test_cells_that_show_the_same_session_share_a_widget(session: runtime.Session) -> None:
    line(session)
    assert sage_nb.graph(session) is sage_nb.graph(session)
    assert session.dashboard() is session.dashboard("graph")
    assert session.dashboard() is not session.dashboard("table")
    with pytest.raises(ValueError, match="it must be 'graph' or 'table'"):
        session.dashboard("tree")  # type: ignore[arg-type]


def test_a_graph_that_is_written_further_is_drawn_anew(session: runtime.Session, show: ShowPage) -> None:
    numbers = session.source([1], name="numbers")
    page = show(session)
    numbers.map(abs, name="absolute").collect(name="result")
    page.wait_for_frame(lambda frame: len(frame["states"]) == 3)
    plans = [state["plan"] for state in page.comm.states if "plan" in state]
    assert [row["name"] for row in plans[-1]["rows"]] == ["numbers", "absolute", "result"]
    assert plans[-1]["revision"] > plans[0]["revision"]


def test_what_happens_during_a_look_is_looked_at_next(session: runtime.Session) -> None:
    line(session)
    page, hub = Page(sage_nb.graph(session)), hub_of(session)
    complete, looks = hub.complete, count()

    def build_meanwhile(frame: Any) -> None:
        complete(frame)
        if next(looks) == 0:  # behind the snapshot of a job that has not begun, after which nobody looks by himself
            session.input("more").collect(name="other")

    hub.complete = build_meanwhile  # type: ignore[method-assign]
    page.mount()
    page.wait_for_frame(lambda frame: len(frame["states"]) == 5)


def test_a_run_is_told_from_the_one_before_it(session: runtime.Session, show: ShowPage) -> None:
    line(session, [1, 2])
    page = show(session)
    page.order("run")
    first = page.wait_for_frame(lambda frame: frame["state"] == "completed")
    session.wait()
    page.order("run")
    second = page.wait_for_frame(lambda f: f["state"] == "completed" and f["revision"] > first["revision"])
    session.wait()
    assert second["counts"] == first["counts"]
    numbers = [each["number"] for f in page.frames() if f["revision"] == second["revision"] for each in f["events"]]
    assert numbers[0] == 0


def test_a_command_waits_for_no_slow_call_and_cancel_comes_through(session: runtime.Session, show: ShowPage) -> None:
    hold = Hold[int]()

    class Slow:
        def process(self, value: int) -> int:
            return hold(value)

    session.service("slow", Slow)
    line(session, iter(int, 1))  # endless
    page = show(session)
    page.order("run")
    call = page.tell("call", service="slow", method="process", values={"value": "1"})
    hold.reached.wait()
    page.order("cancel")
    with page.comm.news:
        answered = page.comm.news.wait_for(lambda: any(a["ack"] == call for a in page.comm.custom), PATIENCE_S)
    assert answered
    ack = next(each for each in page.comm.custom if each["ack"] == call)
    assert (ack["ok"], ack["reason"].split(":")[0]) == (False, "ServiceStopped")
    hold.release()
    session.wait()


def test_user_code_at_work_keeps_a_step_no_longer_than_half_a_second(session: runtime.Session, show: ShowPage) -> None:
    hold = Hold[int]()
    session.source([1], name="numbers").map(hold, name="stuck").collect()
    page = show(session)
    page.order("start_paused")
    page.order("step")
    assert page.order("step")["text"] == "stuck: 1 still in user code"
    hold.release()
    session.settle(PATIENCE_S)
    assert page.order("step")["text"] == "stuck: 1 -> 1 to collect"


def test_of_a_task_that_has_heard_some_of_its_producers_it_is_told_which(
    session: runtime.Session, show: ShowPage
) -> None:
    first, second, third = (session.input(name) for name in ("first", "second", "third"))
    first.union(second, third).map(abs, name="all").collect(name="result")
    twice = session.input("twice")
    twice.union(third, twice).collect(name="both")  # two lanes from one producer
    page = show(session)
    page.order("run")
    session.end("third")
    frame = page.wait_for_frame(lambda frame: len(frame["heard"]) == 2)
    names = [row["name"] for row in page.view.plan["rows"]]
    producers = {row["name"]: row["producers"] for row in page.view.plan["rows"]}

    def heard(frame: Frame) -> dict[str, list[str]]:
        told = {names[int(row)]: places for row, places in frame["heard"].items()}
        return {name: [producers[name][place] for place in places] for name, places in told.items()}

    assert heard(frame) == {"all": ["third"], "both": ["third"]}
    session.end("first")
    frame = page.wait_for_frame(lambda frame: sum(map(len, frame["heard"].values())) == 3)
    assert heard(frame) == {"all": ["third", "first"], "both": ["third"]}
    assert [frame["ended"][names.index(name)] for name in ("all", "both")] == [2, 1]
    session.end("twice")
    session.end("second")
    frame = page.wait_for_frame(lambda frame: frame["state"] == "completed")
    assert frame["heard"] == {}


def test_lanes_are_told_of_small_graphs_and_of_the_row_that_is_watched(show: ShowPage) -> None:
    with runtime.Session("lanes") as session:
        numbers = session.source(lambda: range(3), name="numbers", parallelism=2)
        numbers.map(abs, name="absolute").collect(name="result")
        page = show(session)
        page.order("start_paused")
        page.order("step", name="numbers#0")
        page.order("step", name="numbers#1")
        page.wait_for_frame(lambda frame: frame["lanes"] == {"2": [0, 1, 1]})
        page.tell("watch", view="page", row=3)
        page.order("resume")
        session.wait()
        page.wait_for_frame(lambda frame: frame["lanes"] == {"2": [0, 0, 0], "3": [0, 0]})


def test_above_200_tasks_a_row_is_an_operator_and_it_says_so(show: ShowPage) -> None:
    with runtime.Session("many") as session:
        numbers = session.source(range(1_000), name="numbers").map(abs, name="absolute", parallelism=150)
        numbers.map(abs, name="again", parallelism=50).collect(name="result")
        page = show(session)
        plan = page.view.plan
        assert plan["grouped"]
        assert plan["note"] == "202 tasks, shown by operator: a row stands for all tasks of one"
        assert [(row["name"], row["tasks"]) for row in plan["rows"]][1] == ("absolute", 150)
        page.order("run")
        session.wait()
        frame = page.wait_for_frame(lambda frame: frame["state"] == "completed" and len(frame["order"]) == 4)
        assert (frame["states"], frame["processed"]) == ("cccc", [1_000] * 4)
        assert frame["ended"] == [0, 1, 150, 50], "so many producers have ended for all of its tasks"


def test_a_page_that_shows_a_session_does_not_keep_it(show: ShowPage) -> None:
    gone = Moment("the session is gone")
    session = runtime.Session()
    line(session)
    page, watch = show(session), weakref.ref(session, lambda _: gone.set())
    opened = page.comm
    page.wait_for_frame(lambda frame: frame["number"] == 1)
    del session
    gone.wait()
    assert watch() is None
    wait_for_close(opened)
    join_sampler(page)


def test_neither_its_functions_nor_a_stream_of_it_keep_the_widgets_of_a_session(show: ShowPage) -> None:
    before = open_widgets()
    for kept in (False, True):
        session = runtime.Session()
        calls = session.source([1]).map(partial(runtime.Session.call, session))
        calls.collect()
        if kept:
            session = runtime.Session()
            calls = session.source([1])
            calls.collect()
        page, gone = show(session), weakref.ref(session)
        page.unmount()
        join_sampler(page)
        opened = page.comm
        del session, page
        if not kept:
            del calls
        gc.collect()
        assert gone() is None
        wait_for_close(opened)
    assert open_widgets() == before


def test_a_session_that_goes_while_a_page_comes_blocks_nobody(monkeypatch: pytest.MonkeyPatch, show: ShowPage) -> None:
    session = runtime.Session()
    line(session)
    page = Page(sage_nb.graph(session))
    opened, gone, make = page.comm, weakref.ref(session), threading.Thread.__init__
    cycle: list[Any] = [session]
    cycle.append(cycle)
    del session, cycle

    def make_and_collect(thread: threading.Thread, *args: Any, **named: Any) -> None:
        monkeypatch.undo()
        gc.collect()  # as it may come at any moment; at this one, the sampler's lock is held
        make(thread, *args, **named)

    monkeypatch.setattr(threading.Thread, "__init__", make_and_collect)
    page.mount()
    assert gone() is None
    wait_for_close(opened)


def test_threads_that_show_the_same_part_at_once_share_a_widget(session: runtime.Session) -> None:
    line(session)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for _ in range(20):
            with ThreadPoolExecutor(4) as hands:
                views = list(hands.map(lambda _: sage_nb.graph(session), range(4)))
            assert len(set(views)) == 1
            hub_of(session).close_views()
            assert all(view.comm is None for view in views)
    finally:
        sys.setswitchinterval(interval)


def test_a_session_that_is_being_started_keeps_nobody_from_showing_others(session: runtime.Session) -> None:
    hold = Hold[int]()

    class Slow(runtime.Function[Any, Any]):
        def __deepcopy__(self, memo: object) -> Slow:
            hold(0)
            return Slow()

        def process(self, value: Any) -> Any:
            return value

    session.source([1]).map(Slow(), parallelism=2).collect()
    with ThreadPoolExecutor(2) as hands, runtime.Session("other") as other:
        line(other)
        started = hands.submit(session.start)
        hold.reached.wait()
        shown = hands.submit(sage_nb.graph, session)
        try:
            assert shown.result(PATIENCE_S) is sage_nb.graph(session)
            sage_nb.graph(other)
        finally:
            hold.release()
        started.result(PATIENCE_S)


def test_a_breakpoint_that_a_page_sets_right_behind_the_start_is_kept(session: runtime.Session, show: ShowPage) -> None:
    line(session)
    page = show(session)
    page.tell("start_paused")
    page.order("breakpoint", task="double", when="value == 3")
    page.wait_for_frame(lambda frame: frame["breakpoints"] == [1])
    page.order("step")  # a command and a look later it is still known
    page.wait_for_frame(lambda frame: frame["processed"] == [1, 0, 0])
    assert [card["when"] for card in page.order("breakpoints")["result"]] == ["value == 3"]


def test_a_view_that_was_being_made_when_the_job_ended_shows_the_end(
    monkeypatch: pytest.MonkeyPatch, session: runtime.Session, show: ShowPage
) -> None:
    line(session)
    page = show(session)
    page.wait_for_frame(lambda frame: frame["states"] == "nnn")

    class Late(RecordingComm):
        def publish_msg(self, msg_type: str, *args: Any, **named: Any) -> None:
            super().publish_msg(msg_type, *args, **named)
            if session.status == "new":  # the widget has its first frame, and the hub does not know it yet
                page.order("run")
                page.wait_for_frame(lambda frame: frame["state"] == "completed" and len(frame["order"]) == 3)

    record_comms(monkeypatch, Late)
    late = show(session, "depths", name="late")
    assert session.wait().state == "completed"
    last = late.wait_for_frame(lambda frame: frame["state"] == "completed" and len(frame["order"]) == 3)
    assert last["revision"] == late.view.plan["revision"]


def test_an_answer_that_cannot_be_sent_keeps_nobody_from_theirs(
    monkeypatch: pytest.MonkeyPatch, session: runtime.Session
) -> None:
    line(session)
    command_queue, told, answers = hub_of(session).command_queue, list[Any](), list[Any]()
    answered, begun, let_go = Moment(), Moment(), Moment()
    monkeypatch.setattr(threading, "excepthook", told.append)

    def refuse(_: Any) -> None:
        begun.set()
        let_go.wait()
        raise OSError("the page has gone")

    def take(ack: Any) -> None:
        answers.append(ack["ack"])
        answered.set()

    command_queue.put({"cmd": "breakpoints", "id": "1"}, refuse)
    begun.wait()
    command_queue.put({"cmd": "breakpoints", "id": "2"}, take)
    let_go.set()
    answered.wait()
    command_queue.close()
    assert answers == ["2"]
    assert [str(each.exc_value) for each in told] == ["the page has gone"]


def test_a_page_that_has_gone_and_says_what_it_watches_keeps_nobody_looking(
    session: runtime.Session, show: ShowPage
) -> None:
    line(session)
    page = show(session)
    page.unmount()
    page.tell("watch", view=page.name, row=1)
    show(session, name="other").unmount()
    join_sampler(page)


def test_what_a_page_has_been_shown_of_a_run_is_not_forgotten_when_the_sampler_comes_late(
    session: runtime.Session, show: ShowPage
) -> None:
    line(session)
    page = show(session)
    page.unmount()
    join_sampler(page)  # so nobody asks for the new plan but this test
    page.order("start_paused")
    page.order("step")
    (card,) = page.order("peek", task="double")["result"]["packets"]
    hub_of(session).current(session)
    page.order("edit", token=card["token"], value="5")
    assert session.peek("double")[0].payload == 5
    session.close()


def test_an_edit_that_waits_for_user_code_keeps_no_cancel_waiting(session: runtime.Session, show: ShowPage) -> None:
    hold = Hold[int]()
    session.source([1, 2], name="numbers").map(hold, name="stuck").collect()
    page = show(session)
    page.order("start_paused")
    page.order("step", name="numbers")
    page.order("step", name="numbers")
    token = page.order("peek", task="stuck")["result"]["packets"][1]["token"]
    page.order("step", name="stuck")  # its user code is at work now
    edit = page.tell("edit", token=token, value="5")
    page.order("cancel")
    with page.comm.news:
        assert not any(each["ack"] == edit for each in page.comm.custom), "the edit still waits"
    hold.release()
    session.wait()


def test_a_page_hears_that_the_kernel_is_there_though_nothing_happens(session: runtime.Session, show: ShowPage) -> None:
    line(session)
    page = show(session)
    with page.comm.news:
        assert page.comm.news.wait_for(lambda: len(page.comm.beats) == 3, PATIENCE_S)
    assert page.comm.beats[0] == {"beat": 1, "busy": False}
    page.unmount()
    join_sampler(page)
    session.close()


# ── what a view weighs ──


def test_views_share_one_copy_of_script_and_style_which_goes_with_the_last() -> None:
    before = open_widgets()
    sessions = [runtime.Session(name) for name in ("one", "two")]
    views = [sage_nb.graph(session) for session in sessions] + [sage_nb.errors(sessions[0])]
    assets = views[0].assets
    assert all(view.assets is assets for view in views)
    for view in views:
        assert len(json.dumps(view.get_state())) < 10_000
    for view in views[1:]:
        view.close()
        view.close()  # the second time changes nothing
        assert assets.model_id in open_widgets()
    views[0].close()
    assert open_widgets() == before


def test_a_page_that_finds_no_copy_gets_one_from_the_kernel(session: runtime.Session, show: ShowPage) -> None:
    line(session)
    page = show(session)
    page.tell("page")
    assert page.comm.custom == [{"page": digest(), "packed": packed()}]


def test_what_is_sent_unpacks_to_the_script_and_the_style() -> None:
    assert json.loads(gzip.decompress(base64.b64decode(packed()))) == {"esm": esm(), "css": css()}
