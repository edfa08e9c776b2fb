"""`wait(progress=True)`: bars that count what sources make and ends get, and that change nothing of `wait`."""

from __future__ import annotations

import threading
from typing import Any, NoReturn

import pytest

import runtime
from runtime.reporting.progress import wait_with_progress
from runtime.testing import PATIENCE_S, Hold
from tests.platforms import MakeSession


def bars(text: str) -> dict[str, str]:
    """What each bar said last, by its name."""
    lines = [line for line in text.replace("\r", "\n").split("\n") if ":" in line]
    return {line.partition(":")[0].strip(): line for line in lines}


def test_each_end_has_a_count_and_a_source_of_known_length_a_total(
    make_session: MakeSession, capsys: pytest.CaptureFixture[str]
) -> None:
    session = make_session()
    numbers = session.source(range(100), name="numbers")
    numbers.union(session.source(lambda: iter(range(20)), name="more")).filter(lambda n: n % 2, name="odd").collect(
        name="result"
    )
    session.start()
    outcome = session.wait(PATIENCE_S, progress=True)
    assert outcome == session.outcome
    shown = bars(capsys.readouterr().err)
    assert "100/100" in shown["numbers"]
    assert "20 packets" in shown["more"]
    assert "60 packets" in shown["result"]
    assert "odd" not in shown


def test_waiting_with_progress_raises_what_waiting_raises(
    make_session: MakeSession, capsys: pytest.CaptureFixture[str]
) -> None:
    session = make_session()
    with pytest.raises(runtime.NotStarted):
        session.wait(progress=True)
    session.source([1, 0], name="numbers").map(lambda n: 1 // n, name="divide").collect(name="result")
    session.start(paused=True)
    with pytest.raises(runtime.JobPaused):
        session.wait(progress=True)
    session.resume()
    with pytest.raises(runtime.TaskFailed):
        session.wait(progress=True)
    capsys.readouterr()


@pytest.mark.concurrent
def test_after_its_timeout_the_job_goes_on(make_session: MakeSession, capsys: pytest.CaptureFixture[str]) -> None:
    session = make_session()
    hold = Hold[int]()
    session.source([1], name="numbers").map(hold, name="stuck").collect(name="result")
    session.start()
    hold.reached.wait()
    with pytest.raises(TimeoutError):
        session.wait(0.15, progress=True)
    hold.release()
    assert session.wait(PATIENCE_S, progress=True).state == "completed"
    capsys.readouterr()


def test_no_thread_of_a_bar_stays(make_session: MakeSession, capsys: pytest.CaptureFixture[str]) -> None:
    session = make_session()
    session.source([1]).collect()
    session.start()
    before = threading.active_count()
    wait_with_progress(session, None)
    assert threading.active_count() <= before
    capsys.readouterr()


class _NoLength:
    def __iter__(self) -> Any:
        return iter([1, 2])

    def __len__(self) -> NoReturn:
        raise SystemExit(3)


def test_a_length_that_raises_is_no_total(make_session: MakeSession, capsys: pytest.CaptureFixture[str]) -> None:
    session = make_session()
    session.source(_NoLength(), name="numbers").collect(name="result")
    session.start()
    assert session.wait(PATIENCE_S, progress=True).packets_out == 2
    assert "2 packets" in bars(capsys.readouterr().err)["numbers"]
