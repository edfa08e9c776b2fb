"""Openings at the very moments that are hardest: a lock is about to be taken, functions are being exchanged."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator

import pytest

import runtime
from runtime import Function, Session, SourceFunction
from runtime.chain.chain import Chain
from runtime.chain.line import Line, VersionedLock
from tests.chain.forced import undisturbed

PATIENCE_S = 20.0


def chain_of(session: Session, task: str) -> Chain:
    """Of a session that runs."""
    found = session._runs.run.dispatcher.tasks[task].chain  # type: ignore[union-attr]
    assert isinstance(found, Chain)
    return found


def test_whoever_was_given_the_packet_in_work_works_it_though_its_function_had_not_begun(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The chain is opened while `a` is at work. The watch comes when the packet is about to be diverted from `b`."""
    enter, given = VersionedLock.__enter__, list[int]()

    def enters(self: VersionedLock) -> None:
        caller = sys._getframe(1)
        if caller.f_code.co_name == "divert" and not given:
            given.append(caller.f_locals["part"].step)
            chain_of(session, "b").give_away()
        enter(self)

    monkeypatch.setattr(VersionedLock, "__enter__", enters)

    def work(number: int) -> int:
        if number == 700:
            chain_of(session, "a").open()
        return number

    numbers = list(range(1_000))
    with undisturbed(), Session() as session:
        got = session.source(numbers).map(work, name="a").map(lambda number: -number, name="b").collect(name="got")
        session.run(PATIENCE_S)
        facts = session.snapshot()
    assert given == [2], "the packet was diverted from `b`"
    assert list(got) == [-number for number in numbers]
    assert [facts[task].processed for task in ("a", "b", "got")] == [1_000] * 3


def test_an_opening_is_not_undone_by_functions_that_are_put_into_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was said before they were, holds for the first packet after that."""
    use, opened = Line.use, list[int]()

    def uses(self: Line) -> None:
        if seen and not opened:
            opened.append(threading.get_ident())
            seen.clear()
            chain_of(session, "got").open()
        use(self)

    monkeypatch.setattr(Line, "use", uses)
    seen: list[int] = []
    with undisturbed(), Session() as session:
        stream = session.source(list(range(20_000))).map(lambda number: number, name="same")
        stream.sink(lambda _: seen.append(threading.get_ident()), name="got")
        session.run(PATIENCE_S)
    assert opened
    before_it_was_closed_again = seen[:100]
    assert opened[0] not in before_it_was_closed_again, "it went on as if nobody had opened it"


class Opens(Function[int, int]):
    """Has something of its thread."""

    def open(self, ctx: runtime.TaskContext) -> None:
        self.thread = threading.get_ident()
        self.moved = 0

    def process(self, value: int, /) -> int:
        self.moved += threading.get_ident() != self.thread
        return self.moved


class Rows(SourceFunction[int]):
    """Draws on one thread, unless it says that it need not."""

    def run(self) -> Iterator[int]:
        thread = threading.get_ident()
        for _ in range(20_000):
            yield threading.get_ident() != thread


@pytest.mark.parametrize(("source", "function"), [(None, None), (None, True), (True, None), (True, True)])
def test_two_that_keep_their_thread_are_in_one_chain_only_if_all_but_one_say_so(
    source: bool | None, function: bool | None
) -> None:
    names: set[str] = set()

    def name(value: int) -> int:
        names.add(threading.current_thread().name)
        return value

    with undisturbed(), Session("two") as session:
        rows = session.source(Rows(), name="rows", chain=source)
        got = rows.map(Opens(), name="opens", chain=function).map(name, name="last").collect()
        session.start()
        assert (session._runs.run.dispatcher.tasks["opens"].chain is not None) == bool(function)  # type: ignore[union-attr]
        session.wait(PATIENCE_S)
    if not function:
        assert set(got) == {0}
        assert "two/rows" not in names


def test_whoever_asks_for_a_chain_where_there_is_none_is_told_so() -> None:
    with pytest.raises(runtime.GraphInvalid, match="'map' has chain=True in a session with chaining=False"):
        Session(chaining=False).source([1]).map(abs, chain=True)
    with pytest.raises(runtime.GraphInvalid, match="'source' has chain=True in a session with a seed"):
        Session(seed=1).source([1], chain=True)
    with pytest.raises(runtime.GraphInvalid, match="chain of 'map' is 1; it must be True, False or None"):
        Session().source([1]).map(abs, chain=1)  # type: ignore[call-overload]
    with pytest.raises(runtime.GraphInvalid, match="'scan' has chain=True in a session with a seed"):
        Session(seed=1).source([1]).scan(lambda a, b: (a, b), initial=0, chain=True)
    with pytest.raises(runtime.GraphInvalid, match="'reduce' has chain=True in a session with a seed"):
        Session(seed=1).source([1]).key_by(abs).reduce(max, chain=True)
    Session(seed=1).source([1], chain=False).map(abs).sink(print)
    session = Session(platform="remote")
    session.source([1]).map(abs, name="positive", chain=True).sink(print)
    with pytest.raises(runtime.GraphInvalid, match="'positive' has chain=True on platform 'remote'"):
        session.run()
