"""Promise 18, `rate=`: in any `per` seconds at most so many packets begin; what a task can be told while it waits."""

from __future__ import annotations

import math
import sys
import threading
from collections.abc import Callable, Iterable
from itertools import count
from time import monotonic, sleep
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import runtime
from runtime.builder.stream import OutputRef, Stream
from runtime.graph.rate import Allowance
from runtime.scheduling.parker import Parker
from runtime.scheduling.quiescence import QuiescenceMonitor
from runtime.task.base_task import BaseTask
from runtime.task.rated_feed import RatedLaneFeed
from runtime.testing import PATIENCE_S, explore
from tests.pairs import every_pair_of
from tests.platforms import MakeSession
from tests.promises.test_04_wake_sources import SOON_S, Ticks
from tests.promises.test_19_batches import batches_of, same

PACKETS = 11
SLOW = runtime.Rate(1, per=3600)


class Clocked:
    """A function that notes when it is called. One for all its copies, so for all tasks."""

    def __init__(self, session: runtime.Session, make: Callable[[Any], Any] = lambda value: value) -> None:
        self.session, self.make = session, make
        self.times: list[float] = []

    def __deepcopy__(self, memo: object) -> Clocked:
        return self

    def __call__(self, value: Any, *_: Any) -> Any:
        self.times.append(self.session.snapshot().at_s)
        return self.make(value)


def most_in(times: list[float], per: float) -> int:
    """How many of them lie in the fullest window of that length."""
    return max(sum(begin <= each < begin + per for each in times) for begin in times)


def until(ready: Callable[[], Any]) -> None:
    """Wait for what a job does not tell anybody by itself."""
    deadline_s = monotonic() + PATIENCE_S
    while not ready():
        assert monotonic() < deadline_s, "it has not come"
        sleep(0.001)


def each(timed: Clocked) -> Callable[[list[Any]], list[Any]]:
    """Of a batch, called with each packet by itself."""
    return lambda batch: [timed(value) for value in batch]


def each_later(timed: Clocked) -> Callable[[list[Any]], Any]:
    """The same of a batch that waits for nothing, as an `async def`."""

    async def later(batch: list[Any]) -> list[Any]:
        return each(timed)(batch)

    return later


KINDS: dict[str, Callable[[runtime.Stream[int], Clocked, dict[str, Any]], runtime.Stream[Any]]] = {
    "map": lambda stream, timed, given: stream.map(timed, **given),
    "filter": lambda stream, timed, given: stream.filter(timed, **given),
    "flat_map": lambda stream, timed, given: stream.flat_map(timed, **given),
    "keyed": lambda stream, timed, given: stream.key_by(abs).filter(timed, **given),
    "batches": lambda stream, timed, given: stream.map_batches(each(timed), size=4, within=0, **given),
    "batches that wait": lambda stream, timed, given: stream.map_batches(each_later(timed), size=4, within=0, **given),
    "fold": lambda stream, timed, given: stream.key_by(abs).reduce(timed, initial=0, **given),
    "join": lambda stream, timed, given: stream.key_by(abs).join(stream.key_by(abs), timed, **given),
    "connected": lambda stream, timed, given: stream.connect(stream).map(timed, timed, **given),
}


@every_pair_of(
    kind=KINDS,
    parallelism=(1, 3),
    capacity=(1, 1024),
    policy={"fail": "fail", "skip": "skip", "retry": runtime.Retry(1)},
    rate=(runtime.Rate(1, per=10), runtime.Rate(3, per=10), runtime.Rate(40, per=0.5)),
    seed=(1, 2, 3),
)
def test_in_any_window_at_most_so_many_packets_begin_of_all_tasks_together(
    kind: Any, parallelism: int, capacity: int, policy: Any, rate: runtime.Rate, seed: int
) -> None:
    with runtime.Session(seed=seed, capacity=capacity) as session:
        timed = Clocked(session, (lambda value: [value]) if kind is KINDS["flat_map"] else lambda value: 1)
        given = {"rate": rate, "parallelism": parallelism, "on_error": policy, "name": "it"}
        kind(session.source(range(PACKETS)), timed, given).collect()
        outcome = session.run(PATIENCE_S)
        took_s = session.snapshot().at_s
    begun = 2 * PACKETS if kind in (KINDS["join"], KINDS["connected"]) else PACKETS
    assert outcome.state == "completed"
    assert most_in(timed.times, rate.per) <= rate.packets
    assert math.isclose(took_s, (begun - 1) // rate.packets * rate.per), "and it waits for nothing else"


def test_packets_that_come_now_and_then_do_not_begin_more_often_either() -> None:
    with runtime.Session(seed=1) as session:
        timed = Clocked(session)
        first = session.source(range(40)).map(abs, rate=runtime.Rate(1, per=1))  # then in bursts of five, and a pause
        first.filter(lambda n: n % 8 < 5).sink(timed, rate=runtime.Rate(3, per=10))
        session.run(PATIENCE_S)
    came = [float(n) for n in range(40) if n % 8 < 5]
    wanted: list[float] = []
    for at, now in enumerate(came):
        wanted.append(max(now, *wanted[-1:], wanted[at - 3] + 10 if at > 2 else 0))
    assert timed.times == pytest.approx(wanted)


@pytest.mark.parametrize("end", ["sink", "collect", "take"])
def test_an_end_has_a_rate_as_well(end: str) -> None:
    with runtime.Session(seed=1) as session:
        stream = session.source(range(PACKETS))
        if end == "sink":
            stream.sink(abs, rate=runtime.Rate(2, per=10))
        elif end == "collect":
            stream.collect(rate=runtime.Rate(2, per=10))
        else:
            stream.take(PACKETS, rate=runtime.Rate(2, per=10)).collect()
        session.run()
        assert session.snapshot().at_s == 50


@pytest.mark.parametrize("policy", ["fail", "skip"])
@pytest.mark.parametrize("form", [range(PACKETS), lambda: iter(range(PACKETS))], ids=["range", "generator"])
def test_of_a_source_items_are_drawn_by_its_rate(form: Any, policy: Any) -> None:
    with runtime.Session(seed=1) as session:
        timed = Clocked(session)
        session.source(form, rate=runtime.Rate(2, per=10), on_error=policy).sink(timed)
        session.run()
        assert most_in(timed.times, 10) == 2
        assert session.snapshot().at_s == 50


def test_what_is_sent_into_an_input_comes_on_by_its_rate() -> None:
    with runtime.Session(seed=1) as session:
        result = session.input("in", rate=runtime.Rate(2, per=10)).collect()
        session.start(paused=True)
        for number in range(5):
            session.send("in", number)
        session.end("in")
        session.resume()
        session.wait(PATIENCE_S)
        assert list(result) == [0, 1, 2, 3, 4]
        assert session.snapshot().at_s == 20


def test_each_repeat_counts_as_one_more() -> None:
    calls = count()

    def every_third(value: int) -> int:
        if next(calls) % 3:
            raise ValueError(value)
        return value

    with runtime.Session(seed=1) as session:
        timed = Clocked(session, every_third)
        next(calls)
        policy = runtime.Retry(2, 0.5)
        result = session.source(range(4)).map(timed, name="it", rate=runtime.Rate(2, per=10), on_error=policy).collect()
        session.run()
        assert list(result) == [0, 1, 2, 3]
        assert session.snapshot()["it"].retries == 8
        assert (len(timed.times), most_in(timed.times, 10)) == (12, 2)
    wanted: list[float] = []
    for attempt in range(12):
        now = wanted[-1] + (0, 0.5, 1)[attempt % 3] if wanted else 0
        wanted.append(max(now, wanted[-2] + 10 if attempt > 1 else 0))
    assert timed.times == pytest.approx(wanted)


def test_every_schedule_sends_the_same_with_a_rate_and_without() -> None:
    def build(session: runtime.Session) -> tuple[Any, Clocked]:
        timed = Clocked(session)
        numbers = session.source(range(12)).map(timed, rate=runtime.Rate(3, per=7), parallelism=3, capacity=2)
        return numbers.key_by(lambda n: n % 2).reduce(lambda a, b: a + b, initial=0, emit="end").collect(), timed

    def check(session: runtime.Session, built: tuple[Any, Clocked]) -> None:
        result, timed = built
        assert sorted(result) == [(0, 30), (1, 36)]
        assert most_in(timed.times, 7) <= 3
        assert session.snapshot().at_s == 21

    assert explore(build, check, 60) is None


async def same_later(batch: list[Any]) -> list[list[Any]]:
    return same(batch)


def sizes_of_batches(size: int, within: float, rate: runtime.Rate, begun: Iterable[float] = ()) -> list[int]:
    """Those of eight packets, where others have begun at these times; the same whether their function waits or not."""
    plain, awaited = (_sizes_of_batches(each, size, within, rate, begun) for each in (same, same_later))
    assert plain == awaited
    return plain


def _sizes_of_batches(
    function: Callable[[list[Any]], Any], size: int, within: float, rate: runtime.Rate, begun: Iterable[float]
) -> list[int]:
    with runtime.Session(seed=1) as session:
        stream = session.source(range(8)).map_batches(function, size=size, within=within, rate=rate, name="it")
        result = stream.collect()
        session.start(paused=True)
        task = session._runs.run.dispatcher.tasks["it"]  # type: ignore[union-attr]
        assert isinstance(task, BaseTask)
        assert task.ctx.wiring.allowance is not None
        for at_s in begun:
            task.ctx.wiring.allowance.begin(iter([at_s]).__next__)
        session.resume()
        session.wait(PATIENCE_S)
    return [len(batch) for batch in batches_of(result)]


def test_a_batch_has_no_more_packets_than_may_begin() -> None:
    assert sizes_of_batches(3, 5, runtime.Rate(4, per=10)) == [3, 1, 3, 1]


def test_a_batch_waits_for_the_leave_of_its_packets_as_it_has_waited_for_them_to_come() -> None:
    rate, begun = runtime.Rate(4, per=10), (0, 1, 2, 3)
    assert sizes_of_batches(4, 5, rate, begun) == [4, 4]
    assert sizes_of_batches(4, 1, rate, begun) == [2, 2, 2, 2]
    assert sizes_of_batches(4, 0, rate, begun) == [1] * 8


@given(st.lists(st.tuples(st.sampled_from((0.0, 0.5, 1.0)), st.integers(1, 6), st.integers(1, 3)), max_size=30))
def test_an_allowance_lets_several_begin_together_as_many_as_may_and_takes_some_back(
    steps: list[tuple[float, int, int]],
) -> None:
    """An allowance beside a list of all beginnings, from which some are taken back."""
    allowance, now_s = Allowance(runtime.Rate(4, per=1)), 0.0
    begun: list[float] = []

    def free() -> int:
        return 4 - sum(at_s + 1 > now_s for at_s in begun)

    for after_s, most, left in steps:
        now_s += after_s
        assert (allowance.due_s(allowance.at_once(most)) <= now_s) == (free() >= min(most, 4))
        began_s, count = allowance.begin_some(iter([now_s]).__next__, most)
        assert (began_s, count) == (now_s, min(most, free()))
        over = min(left, count)
        allowance.take_back(began_s, over)
        begun += [now_s] * (count - over)


@pytest.mark.parametrize("of", [each, each_later])
def test_after_a_batch_that_has_failed_each_packet_counts_once_more(of: Callable[[Clocked], Any]) -> None:
    with runtime.Session(seed=1) as session:
        timed = Clocked(session, lambda value: value if value != 2 else value // 0)
        policy, rate = runtime.Retry(1, 0, "skip"), runtime.Rate(4, per=10)
        stream = session.source(range(4)).map_batches(of(timed), size=4, on_error=policy, rate=rate)
        result = stream.collect()
        session.run(PATIENCE_S)
    assert list(result) == [0, 1, 3]
    assert timed.times == [0, 0, 0, 10, 10, 10, 20, 20, 20, 20], "as a batch twice, up to the bad one; then alone"


def test_what_stands_behind_a_signal_that_has_just_come_is_not_taken_without_leave(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with runtime.Session() as session:
        session.input("in").map(abs, name="it", rate=SLOW).collect()
        session.start(paused=True)
        session.send("in", 1)
        session.step("in")
        session.settle(PATIENCE_S)
        task = session._runs.run.dispatcher.tasks["it"]  # type: ignore[union-attr]
        assert isinstance(task, BaseTask)
        monkeypatch.setattr(RatedLaneFeed, "_has_packet", lambda _: False)
        assert task._feed.take(5) is None
        monkeypatch.undo()
        assert session.snapshot()["it"].depth == 1
        session.cancel()


# ── on threads ──


@pytest.mark.concurrent  # where time is virtual, it is exact: see above
@pytest.mark.parametrize("parallelism", [1, 4])
def test_real_time_is_waited_for(make_session: MakeSession, parallelism: int) -> None:
    session = make_session()
    result = session.source(range(31)).map(abs, rate=runtime.Rate(10, per=0.05), parallelism=parallelism).collect()
    began_s = monotonic()
    session.run(PATIENCE_S)
    assert monotonic() - began_s >= 0.15  # the 31st begins 0.15 s after the first, or later
    assert sorted(result) == list(range(31))


@pytest.mark.concurrent  # there, time does not stand
def test_what_waits_for_its_rate_is_in_its_queue(make_session: MakeSession) -> None:
    session = make_session()
    result = session.source(range(6)).map(abs, name="it", rate=runtime.Rate(2, per=3600), parallelism=1).collect()
    session.start()
    until(lambda: session.snapshot()["it"].state == "held back: rate" and len(result) == 2)
    until(lambda: session.snapshot()["it"].depth == 4)
    assert [packet.payload for packet in session.peek("it")] == [2, 3, 4, 5]
    assert repr(session.snapshot()["it"]) == "it: held back: rate, queue 4 of 1,024, 2 in, 2 out"
    assert list(result) == [0, 1]
    assert session.pause() == ()  # returns at once: nobody is in user code
    session.edit(session.peek("it")[0], 20)
    session.drop(session.peek("it")[1])
    assert [packet.payload for packet in session.peek("it")] == [20, 4, 5]
    session.resume()
    session.cancel()
    outcome = session.wait(PATIENCE_S)
    assert (outcome.packets_out, outcome.dropped) == (2, 4)


def test_a_step_takes_the_packet_when_it_may_begin(make_session: MakeSession, platform: Any) -> None:
    session = make_session()
    session.source(range(4)).map(abs, name="it", rate=runtime.Rate(1, per=0.05)).collect(name="result")
    session.start(paused=True)
    session.step("source", 4)
    assert [str(session.step("it")) for _ in range(4)] == [f"it: {n} -> {n} to result" for n in range(4)]
    session.resume()
    session.wait(PATIENCE_S)


def test_a_turn_that_was_given_is_for_the_packet_though_another_task_has_begun_before(
    make_session: MakeSession,
) -> None:
    session = make_session()
    numbers = session.input("in").map(abs, name="it", parallelism=2, rate=runtime.Rate(1, per=0.2))
    result = numbers.collect(name="result")
    session.start()
    session.pause("it")
    for number in range(4):
        session.send("in", number)
    until(lambda: session.snapshot().depths["it#0"] == session.snapshot().depths["it#1"] == 2)
    assert [session.step(name).result for name in ("it#0", "it#1", "it#1", "it#0")] == ["done"] * 4
    session.settle(PATIENCE_S)
    assert sorted(result) == [0, 1, 2, 3]
    session.end("in")
    session.resume()
    session.wait(PATIENCE_S)


@pytest.mark.concurrent  # there, time does not stand
def test_a_step_that_ends_before_says_so_and_the_task_keeps_its_turn(make_session: MakeSession) -> None:
    session = make_session()
    session.source(range(4)).map(abs, name="it", rate=runtime.Rate(1, per=0.3)).collect()
    session.start(paused=True)
    session.step("source", 4)
    assert session.step("it").result == "done"
    step = session.step("it", timeout=0.01)
    assert (step.result, str(step)) == ("held_back", "it: held back: rate")
    step = session.step("it")
    assert (step.result, step.packet and step.packet.payload) == ("done", 1)
    assert session.step("it", timeout=0.01).result == "held_back"
    session.resume()
    assert session.wait(PATIENCE_S).packets_out == 4


@pytest.mark.concurrent  # there, time does not stand
@pytest.mark.parametrize("what", ["source", "input"])
@pytest.mark.parametrize("policy", ["fail", "skip"])
def test_a_stop_ends_what_waits_to_draw_and_the_rest_is_worked(
    make_session: MakeSession, what: str, policy: Any
) -> None:
    session = make_session()
    if what == "source":
        result = session.source(count, name="it", rate=SLOW, on_error=policy).collect()
    else:
        result = session.input("it").collect(name="result", rate=runtime.Rate(2, per=0.05))
    session.start()
    if what == "source":
        until(lambda: session.snapshot()["it"].state == "held back: rate")
    else:
        for number in range(5):
            session.send("it", number)
    session.stop()
    outcome = session.wait(PATIENCE_S)
    assert (outcome.state, list(result)) == ("stopped", [0] if what == "source" else [0, 1, 2, 3, 4])


@pytest.mark.concurrent  # there, time does not stand
@pytest.mark.parametrize("policy", ["fail", "skip", runtime.Retry(5)], ids=["fail", "skip", "retry"])
def test_a_cancel_ends_every_wait(make_session: MakeSession, policy: Any) -> None:
    session = make_session()
    stream = session.source(count, name="source", rate=runtime.Rate(3, per=3600), on_error=policy)
    stream.map(abs, name="it", rate=SLOW, on_error=policy).sink(abs, name="end")
    session.start()
    until(lambda: session.snapshot()["end"].processed)
    until(lambda: session.snapshot().states["it"] == session.snapshot().states["source"] == "held back: rate")
    session.cancel()
    outcome = session.wait(PATIENCE_S)
    assert (outcome.state, outcome.packets_in, outcome.packets_out, outcome.dropped) == ("cancelled", 3, 1, 2)


@pytest.mark.concurrent  # there, time does not stand
def test_a_repeat_that_waits_for_its_rate_says_so_has_its_packet_in_work_and_is_ended_by_a_cancel(
    make_session: MakeSession,
) -> None:
    session = make_session()
    session.source([1, 2]).map(lambda n: n // 0, name="it", rate=SLOW, on_error=runtime.Retry(5)).collect()
    session.start()
    until(lambda: session.snapshot()["it"].state == "held back: rate")
    assert session.snapshot()["it"].depth == 1, "the other is in work"
    session.pause("it")
    with pytest.raises(runtime.NotPaused, match="at work on a packet"):
        session.drop(session.peek("it")[0])
    step = session.step("it")
    assert (step.result, str(step), step.doing) == ("held_back", "it: held back: rate", "held back: rate")
    session.cancel()
    outcome = session.wait(PATIENCE_S)
    assert (outcome.state, outcome.dropped) == ("cancelled", 2)


def test_the_end_does_not_wait_for_the_rate(make_session: MakeSession) -> None:
    session = make_session()
    session.source([7]).map(abs, rate=SLOW).sink(abs, rate=SLOW)
    session.source([7, 8]).take(1).collect(rate=SLOW)
    assert session.run(PATIENCE_S).packets_out == 2
    assert session.snapshot().at_s < 3600


@pytest.mark.parametrize("policy", ["fail", "skip"])
def test_what_nobody_needs_does_not_wait_for_its_rate(make_session: MakeSession, policy: Any) -> None:
    session = make_session()
    numbers = session.source(count, name="source").map(abs, name="it", rate=runtime.Rate(2, per=3600), on_error=policy)
    result = numbers.take(2).collect()
    session.run(PATIENCE_S)
    assert list(result) == [0, 1]
    assert session.snapshot().at_s < 3600


def test_a_timer_is_heard_while_a_packet_waits() -> None:
    with runtime.Session(seed=1) as session:
        environment = session._environment
        source = session.source([1, 2], name="numbers")
        node = environment.add("ticks", lambda n: n, source._ends, name="it", rate=runtime.Rate(1, per=SOON_S * 4.5))
        timed = Clocked(session)
        result = Stream[Any](environment, (OutputRef(node.name),)).map(timed).collect()
        session.run(PATIENCE_S)
    assert list(result) == [1, *["tick"] * Ticks.times, 2]
    assert timed.times == pytest.approx([0, 0.01, 0.02, 0.03, 0.045])


def test_settled_is_only_who_time_does_not_move(make_session: MakeSession) -> None:
    session = make_session()
    result = session.input("in").map(abs, name="it", rate=runtime.Rate(1, per=0.05)).collect()
    session.start()
    for number in range(3):
        session.send("in", number)
    session.settle(PATIENCE_S)
    assert list(result) == [0, 1, 2]
    session.end("in")
    session.wait(PATIENCE_S)


def test_a_breakpoint_stops_before_a_packet_that_has_waited(make_session: MakeSession) -> None:
    session = make_session()
    result = session.source(range(4)).map(abs, name="it", rate=runtime.Rate(1, per=0.02)).collect()
    stop = session.breakpoint("it", when=lambda number: number == 2)
    session.start()
    packet = stop.wait(PATIENCE_S)
    assert packet is not None
    assert session.peek("it")[0].payload == 2
    session.resume()
    session.wait(PATIENCE_S)
    assert list(result) == [0, 1, 2, 3]


def test_a_job_with_a_rate_runs_again(make_session: MakeSession) -> None:
    session = make_session()
    result = session.source([1, 2]).map(abs, rate=runtime.Rate(2, per=3600)).collect()
    for _ in range(2):
        session.run(PATIENCE_S)
        assert list(result) == [1, 2]


def test_nothing_with_a_rate_is_chained() -> None:
    with runtime.Session(chaining=True) as session:
        result = session.source(range(5)).map(abs, rate=runtime.Rate(2, per=0.02)).map(abs).collect()
        began_s = monotonic()
        session.run(PATIENCE_S)
        assert monotonic() - began_s >= 0.04
        assert list(result) == [0, 1, 2, 3, 4]


# ── the allowance of several threads ──


@given(
    packets=st.integers(1, 5),
    moves=st.lists(st.tuples(st.integers(0, 4), st.booleans()), max_size=60),
)
def test_an_allowance_lets_begin_as_many_as_it_may_and_never_more(packets: int, moves: list[tuple[int, bool]]) -> None:
    allowance, now, begun = Allowance(runtime.Rate(packets, per=7)), 0.0, list[float]()
    for passes, takes_back in moves:
        now += passes
        may = sum(each > now - 7 for each in begun) < packets
        assert (allowance.due_s() <= now) is may
        found = allowance.begin(lambda at=now: at)  # type: ignore[misc]
        assert found == (now if may else None)
        if may and takes_back:
            allowance.take_back(now)
        elif may:
            begun.append(now)


def test_threads_that_ask_at_once_are_never_let_begin_too_often() -> None:
    allowance, times, interval_s = Allowance(runtime.Rate(3, per=0.002)), list[float](), sys.getswitchinterval()
    over_s = monotonic() + 1

    def ask() -> None:
        while monotonic() < over_s:
            if (began_s := allowance.begin(monotonic)) is not None:
                times.append(began_s)

    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval_s)
    times.sort()
    assert len(times) > 30
    assert all(later >= begun + 0.002 for begun, later in zip(times, times[3:], strict=False))


class Nothing(RatedLaneFeed):
    """One whose packet is gone when it is to be taken, as if a hand had been quicker."""

    def __init__(self, allowance: Allowance) -> None:
        self.by(allowance, Parker(QuiescenceMonitor()))
        self._batch = SimpleNamespace(take=lambda _: False)  # type: ignore[assignment]

    def _has_packet(self) -> bool:
        return True


def test_an_allowance_that_was_not_used_is_given_back() -> None:
    allowance = Allowance(SLOW)
    assert Nothing(allowance).take(1) is None
    assert allowance.begin(monotonic) is not None
    assert Nothing(allowance).take(1) is None
    assert allowance.begin(monotonic) is None


# ── in other processes ──


@pytest.mark.parametrize(
    ("rate", "parallelism", "shares"), [((7, 60), 3, (3, 2, 2)), ((3, 1), 3, (1, 1, 1)), ((5, 1), 1, (5,))]
)
def test_shares_are_all_of_it(rate: tuple[int, float], parallelism: int, shares: tuple[int, ...]) -> None:
    found = [runtime.Rate(*rate).share(index, parallelism) for index in range(parallelism)]
    assert tuple(share.packets for share in found) == shares
    assert {share.per for share in found} == {rate[1]}


@pytest.mark.also_remote
def test_a_rate_is_kept_wherever_its_tasks_run(make_session: MakeSession) -> None:
    session = make_session()
    result = session.source(range(8)).map(abs, name="it", parallelism=2, rate=runtime.Rate(4, per=0.5)).collect()
    session.run(PATIENCE_S)
    assert sorted(result) == list(range(8))
    assert session.snapshot().at_s >= 0.5  # in other processes each has begun two, and two more


# ── refused ──


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda s: runtime.Rate(0), "packets of Rate is 0; it must be a whole number of at least 1"),
        (lambda s: runtime.Rate(1.5), "packets of Rate is 1.5"),  # type: ignore[arg-type]
        (lambda s: runtime.Rate(1, per=0), "per of Rate is 0; it must be a number of seconds above 0"),
        (lambda s: runtime.Rate(1, per=math.inf), "per of Rate is inf"),
        (lambda s: runtime.Rate(1, per="60"), "per of Rate is '60'"),  # type: ignore[arg-type]
        (lambda s: s.source([1], name="n", rate=60), "rate of 'n' is 60; it can be a Rate, as Rate"),
        (lambda s: s.source([1]).map(abs, name="m", rate=(60, 60)), "rate of 'm' is"),
    ],
    ids=["none", "part", "no time", "for ever", "text", "number", "tuple"],
)
def test_a_rate_that_cannot_be_is_refused_by_name(make: Callable[[Any], object], message: str) -> None:
    with runtime.Session() as session, pytest.raises(runtime.GraphInvalid, match=message):
        make(session)
