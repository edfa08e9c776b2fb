"""Promise 7, the end that comes from behind: what nobody needs any more ends, wherever it is in its work."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import pytest

import runtime
from runtime.communication.inbox import Inbox
from runtime.communication.lane import LaneSpec
from runtime.errors import Unneeded
from runtime.scheduling.parker import Parker
from runtime.scheduling.quiescence import QuiescenceMonitor
from runtime.task.held_results import HeldResults
from runtime.testing import PATIENCE_S
from tests.endless import ENDLESS, Build, Endless
from tests.pairs import every_pair_of
from tests.platforms import MakeSession, Platform

FOR_EVER_S = 3600.0


@every_pair_of(build=ENDLESS, capacity=(1, 3, 1024), remote={"build": "flat_map", "capacity": 3})
def test_what_only_a_take_needs_ends_with_it_however_much_it_could_still_make(
    make_session: MakeSession, platform: Platform, build: Build, capacity: int
) -> None:
    session, closed = make_session(capacity=capacity), platform.log()
    result = build(session.source([1, 2], name="numbers").flat_map(Endless(closed), name="endless")).take(5).collect()
    outcome = session.run(PATIENCE_S)
    assert (outcome.state, outcome.packets_out, outcome.dropped, outcome.errors) == ("completed", 5, 0, 0)
    assert (len(result), list(closed)) == (5, [1])
    facts = session.snapshot()["endless"]
    assert (facts.ending, facts.ended_producers) == ("completed", (("numbers", "completed"),))
    assert facts.processed <= 2, "the second may not have been sent any more"
    assert outcome.order.index("numbers") < outcome.order.index("endless") < outcome.order.index("take")


@every_pair_of(
    way=[name for name in ENDLESS if name != "flat_map again"],  # held back for ever
    policy={"fail": "fail", "skip": "skip", "retry": runtime.Retry(2)},
)
def test_under_every_policy_what_nobody_needs_ends_between_or_within_packets(
    make_session: MakeSession, way: str, policy: Any
) -> None:
    def hundred(value: int) -> Iterator[int]:
        return (value * 100 + number for number in range(100))

    session = make_session(capacity=3, on_error=policy)
    result = ENDLESS[way](session.source(count).flat_map(hundred, name="endless")).take(5).collect()
    outcome = session.run(PATIENCE_S)
    assert (outcome.state, len(result), outcome.dropped, outcome.errors) == ("completed", 5, 0, 0)


def test_an_operator_that_somebody_else_needs_goes_on_and_loses_nothing(make_session: MakeSession) -> None:
    session = make_session(capacity=3)
    needed = session.source(range(500), name="both").map(abs, name="needed")
    between = needed.map(abs, name="between")
    endless = session.source([1]).flat_map(lambda _: count(), name="endless")
    taken, everything = endless.union(between).take(5).collect(), needed.collect()
    outcome = session.run(PATIENCE_S)
    assert (outcome.state, len(taken), list(everything)) == ("completed", 5, list(range(500)))
    assert session.snapshot()["between"].processed == 500, "what it does not work it takes, and drops"


def test_all_tasks_of_an_operator_have_to_have_enough(make_session: MakeSession) -> None:
    class Two(runtime.Function[int, int]):
        """Needs two packets, and one more for each of its instances' numbers."""

        def open(self, ctx: Any) -> None:
            self.missing = 2 + 50 * ctx.index

        def process(self, value: int, /) -> int:
            self.missing -= 1
            if self.missing == 0:
                self.ctx.enough()
            return value

    session = make_session(capacity=4)
    session.source(count).map(Two(), parallelism=2, name="two").sink(abs)
    assert session.run(PATIENCE_S).state == "completed"
    assert session.snapshot()["two#1"].processed >= 52


@pytest.mark.parametrize("how", ["flat_map", "send_packet", "source", "finish"])
def test_user_code_that_sends_for_ever_is_let_go_of_where_it_sends(make_session: MakeSession, how: str) -> None:
    send_for_ever(make_session, how)


@pytest.mark.concurrent  # what is held back waits for nobody, and so would keep its turn for ever
def test_user_code_whose_results_are_held_back_is_let_go_of_too(make_session: MakeSession) -> None:
    send_for_ever(make_session, "finish under skip")


def test_what_is_held_back_is_let_go_of_though_its_task_has_looked_up_since_that_was_known() -> None:
    parker = Parker(QuiescenceMonitor())
    held = HeldResults("task", parker, 1_000)
    parker.dismiss()
    parker.look_up()
    held.add(1)
    with pytest.raises(Unneeded):
        held.add(2)


def send_for_ever(make_session: MakeSession, how: str) -> None:
    ended_by: list[type[BaseException]] = []
    threads: set[str] = set()

    def for_ever(send: Callable[[int], object]) -> None:
        try:
            for number in count():
                send(number)
        except BaseException as error:
            threads.add(threading.current_thread().name)
            ended_by.append(type(error))
            raise

    class Sends(runtime.Function[int, Any]):
        def __deepcopy__(self, memo: object) -> Sends:
            return self

        def process(self, value: int, /) -> Any:
            if how == "send_packet":
                for_ever(self.ctx.send_packet)
            return [value]

        def finish(self) -> Any:
            if how.startswith("finish"):
                for_ever(self.ctx.send_packet)

    class Source(runtime.SourceFunction[int]):
        def __deepcopy__(self, memo: object) -> Source:
            return self

        def run(self) -> Iterator[int]:
            for_ever(self.ctx.send_packet)
            yield 0

    def generator(_: int) -> Iterator[int]:
        try:
            yield from count()
        except GeneratorExit:
            threads.add(threading.current_thread().name)
            ended_by.append(GeneratorExit)
            raise

    session = make_session("it", capacity=8, max_results_bytes=10**12)
    source: Any = session.source(Source() if how == "source" else range(3), name="made")
    policy = "skip" if how.endswith("skip") else "fail"
    if how != "source":
        source = source.flat_map(generator if how == "flat_map" else Sends(), name="made-2", on_error=policy)
    if how.endswith("skip"):  # nothing is sent before all is made, so enough comes from elsewhere
        source = source.union(session.source(count))
    result = source.take(3).collect()
    assert session.run(PATIENCE_S).state == "completed"
    assert len(result) == 3
    assert ended_by in ([GeneratorExit], [ended_by[0]])
    assert issubclass(ended_by[0], runtime.Cancelled | GeneratorExit)
    assert all("made" in name for name in threads), "on the task's own thread"


@pytest.mark.concurrent
def test_a_slow_writer_whose_lane_is_never_full_is_let_go_of_as_well(make_session: MakeSession) -> None:
    session = make_session(capacity=1_000)

    def slow(_: int) -> Iterator[int]:
        for number in count():
            yield number
            while session.snapshot()["between"].depth:
                time.sleep(0)  # a turn for somebody else

    result = session.source([1]).flat_map(slow).map(abs, name="between").take(3).collect()
    assert (session.run(PATIENCE_S).state, list(result)) == ("completed", [0, 1, 2])


def test_finish_and_close_are_called_of_an_operator_that_nobody_needs(make_session: MakeSession) -> None:
    called: list[str] = []

    class Tells(runtime.Function[int, int]):
        def __deepcopy__(self, memo: object) -> Tells:
            return self

        def process(self, value: int, /) -> int:
            return value

        def finish(self) -> Iterator[int]:
            called.append("finish")
            yield 1
            called.append("sent")

        def close(self) -> None:
            called.append("close")

    session = make_session()
    result = session.source(count).map(Tells()).take(3).collect()
    assert session.run(PATIENCE_S).state == "completed"
    assert (list(result), called) == ([0, 1, 2], ["finish", "close"])


@pytest.mark.concurrent  # a back-off takes no time where time is virtual
@pytest.mark.parametrize("place", ["map", "key", "source"])
def test_a_back_off_ends_when_nobody_needs_its_packet_any_more(
    make_session: MakeSession, platform: Platform, place: str
) -> None:
    failing = platform.moment()

    def fails(value: Any) -> int:
        failing.set()
        raise ValueError("no good")

    class Never:
        def __iter__(self) -> Never:
            return self

        def __next__(self) -> int:
            return fails(0)

    session = make_session()
    policy = runtime.Retry(10, FOR_EVER_S)
    numbers: Any = session.source(Never() if place == "source" else count(), name="it", on_error=policy)
    if place != "source":
        numbers = numbers.map(fails if place == "map" else abs, name="it-2", on_error=policy)
    if place == "key":
        numbers = numbers.key_by(fails).map(abs)
    result = numbers.union(session.input("in")).take(3).collect()
    session.start()
    failing.wait()
    for number in range(3):
        session.send("in", number)
    outcome = session.wait(PATIENCE_S)
    assert (outcome.state, list(result), outcome.errors) == ("completed", [0, 1, 2], 0)


def test_a_writer_that_is_held_back_by_a_paused_reader_ends_when_nobody_needs_it(
    make_session: MakeSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its reader takes nothing, so no room ever wakes it; nor may its own patience."""
    monkeypatch.setattr(Parker, "patience_s", -1.0)
    session = make_session(capacity=2)
    endless = session.source([1]).flat_map(lambda _: count(), name="endless").map(abs, name="between")
    result = endless.union(session.input("in")).take(3).collect()
    session.start(paused=True)
    session.resume(*(task.name for task in session.snapshot() if task.name != "between"))
    session.settle(PATIENCE_S)
    assert session.snapshot()["endless"].state == "held back"
    for number in range(3):
        session.send("in", number)
    session.settle(PATIENCE_S)
    facts = session.snapshot()
    assert (facts["endless"].ending, facts["between"].state) == ("completed", "paused")
    session.resume()
    assert session.wait(PATIENCE_S).state == "completed"
    assert list(result) == [0, 1, 2]


def test_a_place_that_is_lent_while_a_lane_is_shut_does_not_open_it() -> None:
    """Lending reads the capacity and writes it back; what comes in between must not be undone."""
    inbox = Inbox(4, [LaneSpec("writer")])
    lane, parker = inbox.lanes[1], Parker(QuiescenceMonitor())
    lane.writer = parker

    class Places(int):
        def __radd__(self, capacity: int) -> int:  # Python asks it between the reading and the writing
            parker.dismiss()
            lane.shut()
            return capacity + int(self)

    lane.resize(Places(-1))
    with pytest.raises(Unneeded):
        lane.put(1)
    lane.resize(1)
    assert not lane.has_room()
