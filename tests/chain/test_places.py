"""Chains in a job of many tasks, whose threads need a place to run: a chain needs one, whoever of it has that."""

from __future__ import annotations

import itertools
import threading
from time import monotonic

import pytest

from runtime import Function, Session
from runtime.factory import local_backend
from runtime.scheduling.admission import FEW, Admission, Limit
from runtime.testing import PATIENCE_S
from tests.chain.forced import undisturbed
from tests.stress.rounds import give_way

MANY = local_backend.MANY


def test_a_line_of_many_tasks_needs_one_thread_to_its_end() -> None:
    started: set[str] = set()
    begin = threading.Thread.start

    def start(thread: threading.Thread) -> None:
        started.add(thread.name)
        begin(thread)

    with undisturbed(), Session("many") as session:
        stream = session.source(range(100), name="source")
        for _ in range(2 * MANY):
            stream = stream.map(lambda number: number + 1)
        got = stream.collect()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(threading.Thread, "start", start)
            session.run(PATIENCE_S)
    assert got == [number + 2 * MANY for number in range(100)]
    names = {name for name in started if name.startswith("many/")}
    assert names == {"many/source", "many/watch", "many/admission"}


def test_more_chains_than_may_run_at_once_all_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Limit, "look", lambda *_, **__: None)  # there never are more places than a few
    came = [0] * (2 * FEW)

    with undisturbed(), Session() as session:
        for number in range(len(came)):

            def count(_: int, number: int = number) -> None:
                came[number] += 1

            session.source(itertools.count()).map(lambda value: value).sink(count)
        session.start()
        deadline_s = monotonic() + PATIENCE_S
        while min(came) < 100:
            assert monotonic() < deadline_s, f"some never had a place: {came}"
            give_way()
        session.cancel()
        session.wait(PATIENCE_S)


class Naps:
    """A service that takes its time."""

    def process(self, number: int) -> int:
        threading.Event().wait(0.005)
        return number


class CallNowAndThen(Function[int, int]):
    """Waits for a reply; the others of its chain are given their threads meanwhile."""

    def process(self, number: int) -> int:
        return number if number % 5_000 else self.ctx.call_service("naps", number)


@pytest.mark.parametrize("ends", ["stop", "cancel"])
def test_all_places_are_given_back_however_often_chains_were_opened(monkeypatch: pytest.MonkeyPatch, ends: str) -> None:
    made: list[Admission] = []

    class Kept(Admission):
        def __init__(self, *given: object) -> None:
            super().__init__(*given)  # type: ignore[arg-type]
            made.append(self)

    monkeypatch.setattr(local_backend, "Admission", Kept)
    with Session() as session:
        session.service("naps", Naps)
        stream = session.source(itertools.count(), name="source")
        for number in range(MANY):
            stream = stream.map(lambda value: value, name=f"map{number}")
        stream = stream.map(CallNowAndThen())
        got: list[int] = []
        stream.sink(got.append)
        session.start()
        for number in range(MANY):
            session.pause(f"map{number}")
            session.step(f"map{number}")
            session.resume(f"map{number}")
            seen = len(got)
            while len(got) < seen + 1_000:
                give_way()
        getattr(session, ends)()
        session.wait(PATIENCE_S)
        assert ends == "cancel" or got == list(range(len(got)))
        (places,) = made
        assert (places._running, places._left, list(places._queue)) == (0, 0, [])
