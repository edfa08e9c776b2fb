"""The live view of a job on Ray: the same frames and the same commands, by mouse and keyboard."""

from __future__ import annotations

import pytest

import runtime
from runtime.testing import PATIENCE_S
from runtime.testing.checks import _actors
from sage_nb.view_hub import hub_of
from tests.remote import functions as far
from tests.view.pages import Page, close_kept, open_widgets, record_comms

pytestmark = pytest.mark.on_ray


def test_a_job_on_ray_is_seen_and_steered_from_a_page(monkeypatch: pytest.MonkeyPatch) -> None:
    record_comms(monkeypatch)
    before = open_widgets()
    with runtime.Session("far", platform="remote", capacity=4) as session:
        session.service("doubles", far.Doubles)
        asked = session.source(range(6), name="numbers").map(far.Ask("doubles"), name="ask")
        result = asked.collect(name="result")
        page = Page(hub_of(session).view(("graph",))).mount()
        page.order("start_paused")
        page.wait_for_frame(lambda frame: frame["holding"] == "all")
        assert page.order("step", name="numbers")["text"] == "numbers: -> 0 to ask"
        page.order("step", name="numbers")
        frame = page.wait_for_frame(lambda frame: frame["depths"] == [0, 2, 0, 0])
        assert (frame["states"], frame["processed"], frame["emitted"]) == ("pppp", [2, 0, 0, 0], [2, 0, 0, 0])
        queue = page.order("peek", task="ask")["result"]
        assert [card["literal"] for card in queue["packets"]] == ["0", "1"]
        edited = page.order("edit", token=queue["packets"][1]["token"], value="50")
        assert edited["python"] == "session.edit(session.peek('ask')[1], 50)"
        page.order("inject", task="ask", value="7")
        page.wait_for_frame(lambda frame: frame["depths"][1] == 3)
        page.order("resume")
        frame = page.wait_for_frame(lambda frame: frame["state"] == "completed" and len(frame["order"]) == 4)
        assert frame["processed"] == [6, 7, 7, 7]
        assert sorted(result) == [0, 4, 6, 8, 10, 14, 100]
        # The last events come a moment after the outcome.
        page.wait_for_frame(lambda frame: [each for each in frame["events"] if each["text"] == "completed"][-1:])
        # What a start does is shown before there is a run; of the run the page is told all, from its beginning.
        of_the_run = [each for each in page.frames() if each["revision"] == frame["revision"]]
        told = [each["text"] for frame in of_the_run for each in frame["events"]]
        assert told == [event.text for event in session.events]
        page.unmount()
    close_kept()
    assert open_widgets() <= before


def test_a_cell_that_is_run_again_leaves_no_actor_of_the_run_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime.session.session, "in_kernel", lambda: True)
    before = _actors()
    sessions = []
    for number in range(3):  # the cell
        session = runtime.Session("again", platform="remote")
        session.input("numbers").map(far.double, name="double").collect(name="result")
        session.start()
        session.send("numbers", number)
        sessions.append(session)
        assert len(_actors() - before) == 1  # of this run: the input and what is collected are in this process
    assert [each.outcome is not None and each.outcome.state for each in sessions] == ["cancelled", "cancelled", False]
    sessions[-1].end("numbers")
    assert sessions[-1].wait(PATIENCE_S).packets_out == 1
    sessions[-1].close()
    assert _actors() == before
