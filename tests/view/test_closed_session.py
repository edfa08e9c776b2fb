"""What a closed session still shows: its last state, to be looked into, and no object of it."""

from __future__ import annotations

import gc
import sys
import threading
import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import runtime
import sage_nb
from runtime.testing import PATIENCE_S
from sage_nb.view_hub import KEPT, hub_of
from tests.view.conftest import ShowPage
from tests.view.pages import Page, open_widgets


class Payload:
    """One that can be watched going."""


def fail(payload: Payload) -> Payload:
    raise ValueError(payload)


def stopped_halfway(session: runtime.Session) -> None:
    """A run in which one packet was skipped and one still waited when it was cancelled."""
    numbers = session.source([0, 1, 2, 3], name="numbers")
    numbers.map(lambda n: 6 // n, name="divide", on_error="skip").collect(name="result")
    session.start(paused=True)
    for task in ("numbers", "divide", "numbers", "divide", "result", "numbers"):
        session.step(task)
    session.cancel()
    session.wait()


def of(page: Page, command: str, **args: Any) -> Any:
    return page.order(command, **args)["result"]


def test_after_the_close_the_last_state_stays_and_nothing_can_be_changed(
    session: runtime.Session, show: ShowPage
) -> None:
    page = show(session)
    stopped_halfway(session)
    page.wait_for_frame(lambda frame: frame["state"] == "cancelled" and len(frame["order"]) == 3)
    looked = [frame for frame in page.frames() if frame["revision"] == page.view.plan["revision"]]
    session.close()
    frame = page.wait_for_frame(lambda frame: frame["closed"])
    assert (frame["state"], frame["states"]) == ("cancelled", "xxx")
    assert (frame["processed"], frame["depths"], frame["letters"]) == ([3, 2, 1], [0, 1, 0], 1)
    assert sorted(frame["order"]) == [0, 1, 2]
    assert not page.comm.closed
    texts = [each["text"] for each in of(page, "events", first=0)["events"]]
    assert texts == [event.text for event in session.events]
    (letter,) = of(page, "letters")["letters"]
    assert (letter["task"], letter["packet"]) == ("divide", "0")
    assert "ZeroDivisionError" in letter["traceback"]
    left = of(page, "peek", task="divide", first=100, last=0)
    assert [packet["text"] for packet in left["packets"]] == ["2"]
    card = of(page, "task", task="divide")
    assert dict(card["facts"])["errors"] == "1"
    assert "ZeroDivisionError" in card["last_error"]
    frames = of(page, "frames")["frames"]
    assert [each["at_s"] for each in frames] == [each["at_s"] for each in looked if each["number"]]
    for command in ("run", "resume", "drop", "retry_all", "call", "full"):
        ack = page.ask(command, token="divide:1:2", service="none")
        assert (ack["ok"], ack["reason"]) == (False, "CommandRefused: the session was closed: this is how it was left")


def test_a_closed_session_shows_the_same_again(session: runtime.Session, show: ShowPage) -> None:
    page = show(session)
    stopped_halfway(session)
    session.close()
    assert sage_nb.graph(session) is page.view
    letters = of(page, "letters")
    hub_of(session).close_views()
    again = show(session, name="again")
    assert again.view.frame == page.view.frame
    assert again.view.plan == page.view.plan
    assert of(again, "letters") == letters


def test_a_session_that_is_shown_first_when_it_is_closed_shows_its_last_state(
    session: runtime.Session, show: ShowPage
) -> None:
    stopped_halfway(session)
    session.close()
    page = show(session)
    (frame,) = page.frames()
    assert (frame["closed"], frame["state"], frame["depths"]) == (True, "cancelled", [0, 1, 0])
    assert of(page, "letters")["total"] == 1


def test_a_failure_can_be_read_after_the_close(session: runtime.Session, show: ShowPage) -> None:
    session.source([1, 0], name="numbers").map(lambda n: 6 // n, name="divide").collect(name="result")
    page = show(session)
    with pytest.raises(runtime.TaskFailed), session:
        session.run()
    letters = of(page, "letters")
    assert "ZeroDivisionError" in letters["failure"]
    assert "6 // n" in letters["traceback"]


def test_what_stays_holds_no_payload_and_no_session(show: ShowPage) -> None:
    payload = Payload()
    session = runtime.Session()
    session.source([payload], name="one").map(fail, name="fail", on_error="skip").collect()
    page = show(session)
    session.run()
    assert len(session.dead_letters) == 1
    of(page, "peek", task="fail", first=100, last=0)
    session.close()
    gone = weakref.ref(payload), weakref.ref(session)
    del payload, session
    gc.collect()
    assert [each() for each in gone] == [None, None]
    assert not page.comm.closed
    assert of(page, "letters")["letters"][0]["packet"].startswith("<Payload")


def test_a_form_of_a_closed_session_refuses_and_goes_with_it() -> None:
    before = open_widgets()
    session = runtime.Session()
    session.source([1], name="one").collect(name="result")
    session.close()
    form = sage_nb.stepper(session)
    opened = form.comm
    form.children[0].children[0].click()
    hub_of(session).command_queue.wait()
    assert form.children[-1].said == "refused: CommandRefused: the session was closed: this is how it was left"
    del session, form
    gc.collect()
    with opened.news:
        assert opened.news.wait_for(lambda: opened.closed, PATIENCE_S)
    join_closers()
    assert open_widgets() == before


def join_closers() -> None:
    for thread in threading.enumerate():
        if thread.name == "sage-nb close":
            thread.join(PATIENCE_S)


def test_only_so_many_closed_sessions_keep_their_views(show: ShowPage) -> None:
    before = open_widgets()
    sessions = [runtime.Session() for _ in range(KEPT + 3)]
    pages = []
    for session in sessions:
        session.source([1], name="one").collect(name="result")
        pages.append(show(session))
        session.run()
        session.close()
    assert [page.view.comm is None for page in pages] == [True] * 3 + [False] * KEPT
    assert len(open_widgets() - before) == 2 * KEPT + 1, "each with its layout, and what all share"
    assert show(sessions[0]).frames()[-1]["counts"]["done"] == 1, "it is shown again"
    assert pages[3].view.comm is None, "in the place of the oldest"


def test_when_a_cell_is_run_again_the_view_of_its_last_session_goes(show: ShowPage) -> None:
    before, opened, shared = open_widgets(), [], []
    for _ in range(3):
        with runtime.Session("again") as session:
            session.source([1], name="one").collect(name="result")
            page = show(session)
            session.run()
        opened.append(page.comm)
        shared.append(page.view.assets)
    assert [comm.closed for comm in opened] == [True, True, False]
    assert len(open_widgets() - before) == 3, "the view, its layout, and what views share"
    with runtime.Session("again") as session:
        view = sage_nb.graph(session)
        assert all(each is view.assets for each in shared), "script and style have stayed open"
    assert opened[-1].closed


def test_a_closed_session_that_is_started_again_comes_alive_in_its_view(
    session: runtime.Session, show: ShowPage
) -> None:
    session.source([1, 2], name="numbers").collect(name="result")
    page = show(session)
    session.run()
    session.close()
    closed = page.wait_for_frame(lambda frame: frame["closed"])
    session.start(paused=True)
    alive = page.wait_for_frame(lambda frame: frame["revision"] > closed["revision"] and frame["holding"] == "all")
    assert not alive["closed"]
    page.order("resume")
    page.wait_for_frame(lambda frame: frame["revision"] > closed["revision"] and frame["state"] == "completed")


@pytest.fixture
def switching() -> Iterator[None]:
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


def test_a_view_that_is_made_while_the_session_is_closed_is_closed_too(switching: None, show: ShowPage) -> None:
    for _ in range(30):
        session = runtime.Session()
        session.source([1], name="one").collect(name="result")
        session.run()
        together = threading.Barrier(2)

        def make(session: runtime.Session = session, together: threading.Barrier = together) -> Page:
            together.wait()
            return show(session)

        with ThreadPoolExecutor(1) as hands:
            made = hands.submit(make)
            together.wait()
            session.close()
            page = made.result()
        page.wait_for_frame(lambda frame: frame["closed"])
        assert not [each for each in threading.enumerate() if each.name == "sage-nb sampler"]
