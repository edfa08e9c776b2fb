"""Under a seed the same run comes again, in virtual time, and what is done from outside still works."""

from __future__ import annotations

import difflib
import math
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from queue import SimpleQueue
from typing import Any

import pytest

import runtime
from runtime.scheduling.helm import Helm
from runtime.scheduling.seeded import SeededScheduler
from runtime.testing import PATIENCE_S, FaultInjector, Finding, Hold, InjectedFault, explore
from tests.services import Calling, Echo, InTask, in_task, relay

SEEDS = range(6)
HOUR_S = 3600.0


def several(session: runtime.Session) -> list[Any]:
    """A graph with something of everything, faults included; what arrived where and in which order."""
    arrived: list[Any] = []

    class Ends(runtime.Function[int, int]):
        def process(self, value: int, /) -> int:
            self.ctx.state["sum"] = self.ctx.state.get("sum", 0) + value
            return value

        def finish(self) -> list[int]:
            return [self.ctx.state.get("sum", 0)]

    def ask(ctx: Any, value: int) -> Any:
        try:
            return ctx.call_service("relay", value, timeout=0.02)
        except (InjectedFault, runtime.ServiceTimeout):
            return -value

    session.service("relay", relay("echo"), capacity=1)
    session.service("echo", Echo, concurrency=2)
    session.intercept(FaultInjector(1, delays=0.3, delay_s=0.05, errors=0.1, lost=0.1))
    first = session.source(range(40), name="first", parallelism=2)
    second = session.source(range(40, 60), name="second")
    asked = first.union(second).map(InTask(ask), name="ask", parallelism=2)
    asked.key_by(lambda value: value % 3).map(Ends(), name="ends", parallelism=3).sink(arrived.append, name="end")
    return arrived


def everything(seed: int | None) -> tuple[Any, ...]:
    with runtime.Session("several", capacity=2, seed=seed) as session:
        arrived = several(session)
        outcome = session.run(PATIENCE_S)
        times = [event.at_s for event in session.events]
        metrics = {name: each for name, each in session.metrics().items() if not name.endswith("_seconds")}
        return session.turns, arrived, outcome, session.events, times, session.snapshot().services, metrics


@pytest.mark.parametrize("seed", SEEDS)
def test_the_same_seed_is_the_same_run(seed: int) -> None:
    first, again = everything(seed), everything(seed)
    diff = list(difflib.unified_diff(first[0], again[0], lineterm="", n=2))
    assert diff == []
    assert first == again
    assert all(isinstance(turn, str) and "\n" not in turn for turn in first[0])


def test_other_seeds_are_other_runs_of_the_same_calls() -> None:
    runs = [everything(seed) for seed in SEEDS]
    for what in (0, 1):  # turns, and the order in which things arrived
        assert len({str(run[what]) for run in runs}) == len(runs)
    for run in runs:
        outcome, services = run[2], run[5]
        assert outcome.packets_in == 60
        for facts in services.values():
            assert facts.open == 0


def test_a_trace_says_who_had_the_turn_and_what_for() -> None:
    with runtime.Session("trace", seed=3) as session:
        session.service("echo", Echo)
        session.intercept(lambda it: (it.sleep(1.5), it.proceed())[1])
        in_task(session, lambda ctx, value: ctx.call_service("echo", value))
        turns = [turn for turn in session.turns if turn.startswith(("time", "caller: reply", "echo: next"))]
        assert turns[:3] == [
            "time: 1.5 s",
            "echo: next attempt",
            "caller: reply",
        ]
        starts = [turn for turn in session.turns if turn.endswith(": start")]
        assert sorted(starts) == [f"{name}: start" for name in ("caller", "deadlines", "echo", "packets", "result")]


def test_without_a_seed_there_are_no_turns() -> None:
    with runtime.Session() as session:
        session.source([1]).collect()
        session.run(PATIENCE_S)
        assert session.turns == []


@pytest.mark.parametrize("seed", [1.5, "7", True])
def test_a_seed_that_is_no_number_is_refused(seed: Any) -> None:
    with pytest.raises(runtime.GraphInvalid, match=r"seed is .*; it must be a whole number"):
        runtime.Session(seed=seed)


# ── time ──


def test_an_hour_takes_no_time() -> None:
    """A test that took one would be ended long before."""
    with runtime.Session(seed=1) as session:
        session.service("echo", Echo)
        session.intercept(lambda it: (it.sleep(HOUR_S), it.proceed())[1])
        assert in_task(session, lambda ctx, value: ctx.call_service("echo", value, timeout=2 * HOUR_S), range(10)) == [
            *range(10)
        ]
        assert session.events[-1].at_s == 10 * HOUR_S


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("timeout", [0.1, 1.0, 1 / 3, HOUR_S])
def test_a_timeout_comes_exactly_when_its_time_is_over(seed: int, timeout: float) -> None:
    with runtime.Session(seed=seed) as session:
        session.service("echo", Echo)
        asleep_s = 0.0

        def sleep(it: runtime.Invocation) -> Any:
            it.sleep(asleep_s)
            return it.proceed()

        def work(ctx: Any, _: int) -> Any:
            nonlocal asleep_s
            endings = []
            for factor in (0.999, 1.001):
                asleep_s = timeout * factor
                try:
                    endings.append(ctx.call_service("echo", "in time", timeout=timeout))
                except runtime.ServiceTimeout:
                    endings.append("timeout")
            return endings

        session.intercept(sleep)
        assert in_task(session, work) == [["in time", "timeout"]]
        ended_s = next(event.at_s for event in session.events if event.task == "caller" and event.kind == "end")
        assert ended_s == pytest.approx(timeout * 1.999, rel=1e-12)


def test_timeouts_come_in_the_order_of_their_times() -> None:
    with runtime.Session(seed=2) as session:
        session.service("echo", Echo, concurrency=9)
        session.intercept(lambda it: it.sleep(HOUR_S))
        order: list[float] = []

        def work(ctx: Any, _: int) -> None:
            times = (0.7, 0.1, 0.9, 0.3, 0.5)
            futures = [ctx.call_service_async("echo", timeout=time_s) for time_s in times]
            for future, time_s in zip(futures, times, strict=True):
                future.add_done_callback(lambda _, time_s=time_s: order.append(time_s))
            for future in futures:
                future.exception()

        in_task(session, work)
        assert order == [0.1, 0.3, 0.5, 0.7, 0.9]


# ── from outside ──


def test_commands_reach_a_session_that_nobody_moves() -> None:
    with runtime.Session(seed=4) as session:
        session.service("echo", Echo)
        asked = session.input("in").map(Calling("echo"), name="ask")
        result = asked.collect(name="result")
        session.start()
        for number in range(3):
            session.settle(PATIENCE_S)
            session.send("in", number)
            session.settle(PATIENCE_S)
            session.inject("ask", -number)
            session.settle(PATIENCE_S)
            assert session.call("echo", number) == number
        session.settle(PATIENCE_S)
        assert list(result) == [0, 0, 1, -1, 2, -2]
        with pytest.raises(TimeoutError):
            session.wait(0.01)
        session.stop()
        assert session.wait(PATIENCE_S).state == "stopped"


@pytest.mark.parametrize("command", ["cancel", "close", "end", "stop"])
def test_a_session_that_nobody_moves_can_be_ended(command: str) -> None:
    with runtime.Session(seed=4) as session:
        session.service("echo", Echo)
        session.input("in").map(Calling("echo")).collect()
        session.start()
        session.settle(PATIENCE_S)
        session.end("in") if command == "end" else getattr(session, command)()
        assert session.wait(PATIENCE_S).state == {"end": "completed", "stop": "stopped"}.get(command, "cancelled")


def test_a_call_by_hand_times_out_in_virtual_time() -> None:
    with runtime.Session(seed=4) as session:
        session.service("echo", Echo)
        session.intercept(lambda it: it.sleep(2 * HOUR_S))
        session.start()
        session.settle(PATIENCE_S)
        with pytest.raises(runtime.ServiceTimeout, match="within 3600 s"):
            session.call("echo", timeout=HOUR_S)


OTHERS_END_S = 0.5
"""How long those that are not stuck have, on a busy machine, to end with the job."""


@pytest.mark.parametrize("where", ["task", "service", "source", "set-up", "callback"])
def test_close_around_user_code_that_keeps_the_turn_abandons_that_alone(where: str) -> None:
    hold: Hold[Any] = Hold()
    holder = {"task": "work", "service": "it", "source": "numbers", "set-up": "it", "callback": "echo"}[where]

    class It(Echo):
        def setup(self) -> None:
            if where == "set-up":
                hold(0)

        def process(self, value: Any = None, /, *more: Any, **named: Any) -> Any:
            return hold(value) if where == "service" else value

    def numbers() -> Any:
        for number in range(100):
            yield hold(number) if where == "source" else number

    def work(ctx: Any, value: int) -> int:
        if where == "task":
            hold(value)
        future = ctx.call_service_async("echo", value)
        if where == "callback":
            future.add_done_callback(hold)
        return int(ctx.call_service("it", value))

    session = runtime.Session("stuck", seed=5, capacity=2)
    session.service("it", It)
    session.service("echo", Echo, concurrency=2)
    session.source(numbers, name="numbers").map(InTask(work), name="work").collect(name="result")
    session.start()
    hold.reached.wait()
    with pytest.warns(RuntimeWarning, match=f"while '{holder}' was still in user code"):
        session.close(OTHERS_END_S)  # not later: the hold lasts until the end of the test
    assert session.outcome is not None
    assert session.outcome.abandoned == (holder,)
    names = {thread.name for thread in threading.enumerate() if thread.name.startswith("stuck/")}
    assert {name.partition("@")[0] for name in names} == {f"stuck/{holder}"}
    hold.release()


# ── the search ──


class LastWriter:
    """A bug that only some orders show: the sum is read, and written back a call later."""

    def __init__(self) -> None:
        self.total = 0

    def read(self) -> int:
        return self.total

    def write(self, total: int) -> None:
        self.total = total


def lost_update(session: runtime.Session) -> list[Any]:
    session.service("sum", LastWriter)

    def add(ctx: Any, value: int) -> Any:
        total = ctx.call_service("sum", method="read") + value
        ctx.call_service("sum", total, method="write")
        return total

    added = session.source([1] * 4, name="ones").map(InTask(add), name="add", parallelism=2)
    result: list[Any] = []
    added.sink(result.append)
    return result


def adds_up(session: runtime.Session, result: list[Any]) -> None:
    assert max(result) == 4


def never(session: runtime.Session, result: Any) -> None:
    """Whatever comes is right."""


def test_a_search_finds_an_order_that_shows_the_bug_and_its_replay_shows_it_again() -> None:
    finding = explore(lost_update, adds_up, 200, capacity=1)
    assert finding is not None
    assert isinstance(finding.error, AssertionError)
    assert finding.replay == f"explore(lost_update, adds_up, seeds=[{finding.seed}], capacity=1)"
    again = eval(finding.replay)
    assert isinstance(again, Finding)
    assert (again.seed, again.turns) == (finding.seed, finding.turns)
    assert "add#0: reply" in finding.turns
    assert explore(lost_update, never, 10) is None


def test_a_search_reports_a_job_that_fails_and_one_that_does_not_end() -> None:
    def fails(session: runtime.Session) -> Any:
        return session.source([1]).map(lambda value: value // 0).collect()

    finding = explore(fails, never)
    assert finding is not None
    assert isinstance(finding.error, runtime.TaskFailed)

    def too_short(session: runtime.Session) -> object:
        return session.run(0.01)

    finding = explore(lambda session: session.input("in").collect(), never, [3], run=too_short)
    assert finding is not None
    assert isinstance(finding.error, TimeoutError)
    assert "seeds=[3], run=" in finding.replay


def test_what_build_raises_is_no_finding() -> None:
    def wrong(session: runtime.Session) -> None:
        raise KeyError("of the test itself")

    with pytest.raises(KeyError):
        explore(wrong, never)


# ── counters ──


def test_metrics_are_what_the_facts_say() -> None:
    with runtime.Session("it", seed=1) as session:
        several(session)
        session.run(PATIENCE_S)
        metrics = session.metrics()
        assert metrics["task_processed"]["end"] == session.snapshot()["end"].processed
        services = session.snapshot().services
        for metric, fact in (
            ("calls", "received"),
            ("results", "results"),
            ("errors", "errors"),
            ("stopped", "stopped"),
        ):
            assert metrics[f"service_{metric}"] == {name: getattr(of, fact) for name, of in services.items()}
        endings = [metrics[f"service_{how}"]["echo"] for how in ("results", "errors", "timeouts", "stopped")]
        assert sum(endings) == metrics["service_calls"]["echo"] > 0
        assert set(metrics["task_queue_depth"].values()) == {0}


def test_prometheus_shows_counters_and_depths_of_several_sessions() -> None:
    client = pytest.importorskip("prometheus_client")
    with runtime.Session("one", seed=1) as one, runtime.Session("two", capacity=5) as two:
        for session in (one, two):
            session.service("echo", Echo)
            in_task(session, lambda ctx, value: ctx.call_service("echo", value), range(3))
        registry = runtime.prometheus(one, two)

        def value(name: str, **labels: str) -> float:
            found: float = registry.get_sample_value(name, labels)  # type: ignore[assignment]
            return found

        assert value("sage_task_processed_total", session="one", task="caller") == 3
        assert value("sage_service_results_total", session="two", service="echo") == 3
        assert value("sage_task_queue_capacity", session="two", task="caller") == 5
        text = client.generate_latest(registry).decode()
        assert "# TYPE sage_service_queue_depth gauge" in text
        assert "# HELP sage_task_processed_total Packets taken from the queue" in text
        two.run(PATIENCE_S)
        assert value("sage_task_processed_total", session="two", task="caller") == 3  # of the last run


def test_prometheus_says_of_whom_others_wait_as_a_scraper_reads_it() -> None:
    client = pytest.importorskip("prometheus_client")
    parser = pytest.importorskip("prometheus_client.parser")
    with runtime.Session("it", capacity=2) as session:
        session.source(range(100), name="numbers").map(str, name="m").sink(str, name="end")
        session.start(paused=True)
        session.resume("numbers")
        session.resume("m")
        session.settle(PATIENCE_S)
        text = client.generate_latest(runtime.prometheus(session)).decode()
        families = {family.name: family for family in parser.text_string_to_metric_families(text)}
        waited_for = families["sage_task_waited_for"]
        assert (waited_for.type, families["sage_service_waited_for"].type) == ("gauge", "gauge")
        values = {sample.labels["task"]: sample.value for sample in waited_for.samples}
        assert values == {"numbers": 0, "m": 1, "end": 1}
        session.cancel()


@pytest.fixture
def tiny_switch_interval() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("tiny_switch_interval")
@pytest.mark.parametrize("seed", range(10))
def test_many_threads_from_outside_may_call_at_once(seed: int) -> None:
    with runtime.Session(seed=seed) as seeded:
        seeded.service("echo", Echo, concurrency=2, capacity=1)
        seeded.start()
        failures: list[BaseException] = []

        def call(number: int) -> None:
            try:
                for _ in range(50):
                    assert seeded.call("echo", number) == number
            except BaseException as error:  # noqa: BLE001  told below
                failures.append(error)

        threads = [threading.Thread(target=call, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE_S)
        assert failures == []
        assert seeded.snapshot().services["echo"].results == 400
        assert not any(line.startswith("time:") for line in seeded.turns), "time has passed for nobody"


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ((lost_update, adds_up, 0), "no seeds"),
        ((lost_update, adds_up, []), "no seeds"),
        ((lost_update, adds_up, 1.5), "seeds is 1.5"),
        ((lambda session: 3, adds_up, 1), "no graph"),
        ((lost_update, None, 1), "two functions"),
    ],
)
def test_a_search_that_could_find_nothing_is_refused(arguments: Any, text: str) -> None:
    with pytest.raises(runtime.GraphInvalid, match=text):
        explore(*arguments)


def test_a_check_that_returns_false_has_failed() -> None:
    finding = explore(lost_update, lambda session, built: False, 1)
    assert finding is not None
    assert "has returned False" in repr(finding)


def test_an_edit_waits_for_nobody_who_can_do_nothing_without_a_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """User code has the turn, for long: whoever was told to stand still is at its gate already."""
    monkeypatch.setattr("runtime.control.workers._ON_ITS_WAY_S", math.inf)
    with runtime.Session(seed=1) as session:
        hold = Hold[int]()
        session.source([1], name="numbers").map(hold, name="work").collect(name="out")
        session.start()
        hold.reached.wait()
        session.pause("out", timeout=0)
        session.inject("out", 7)
        session.edit(session.peek("out")[0], 8)
        assert [packet.payload for packet in session.peek("out")] == [8]
        hold.release()
        session.resume()
        assert session.wait(PATIENCE_S).packets_out == 2


def test_what_one_command_changes_is_changed_at_once_for_all_who_want_a_turn() -> None:
    """Both have a packet when they are let go: either may be the first."""

    def first_of(seed: int) -> str:
        with runtime.Session(seed=seed) as session:
            for name in ("one", "two"):
                session.input(f"{name}s").sink(abs, name=name)
            session.start()
            session.settle(PATIENCE_S)
            session.pause("one", "two")
            for name in ("one", "two"):
                session.send(f"{name}s", 1)
            session.settle(PATIENCE_S)
            before = len(session.turns)
            session.resume()
            session.settle(PATIENCE_S)
            first = session.turns[before]
            session.cancel()
            return first.partition(":")[0]

    assert {first_of(seed) for seed in range(10)} == {"one", "two"}


class Twice:
    def process(self, value: int) -> int:
        return 2 * value


def what_the_hand_does() -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Calls, pauses, steps and what is resumed, each where all has settled: the turns and the events of that."""
    with runtime.Session(seed=3) as session:
        session.service("twice", Twice, concurrency=2)
        session.input("numbers").map(abs, parallelism=2).sink(abs)
        session.start(paused=True)
        session.settle(PATIENCE_S)

        commands: list[Callable[[], object]] = [
            *(partial(session.send, "numbers", value) for value in range(3)),
            session.resume,
            *(partial(session.call, "twice", value) for value in range(2)),
            session.pause,
            partial(session.send, "numbers", 7),
            partial(session.step, None, 2),
            partial(session.resume, "numbers"),
            session.resume,
        ]
        for command in commands:
            command()
            session.settle(PATIENCE_S)
        session.end("numbers")
        session.wait(PATIENCE_S)
        return tuple(session.turns), tuple(map(repr, session.events))


def test_a_turn_that_ends_while_commands_are_looked_at_is_followed_by_a_look_and_then_by_the_next() -> None:
    scheduler, bell = SeededScheduler(0), SimpleQueue[Any]()
    scheduler.monitor.tell_to(Helm(bell))
    parker = scheduler.parker("task")
    scheduler.begin()
    first = scheduler.attend()
    assert not scheduler.pass_on(parker)
    assert bell.qsize() == 1
    scheduler.seen(first, looks=False)
    assert scheduler.is_between_turns(), "it has not been seen what that turn has brought"
    scheduler.seen(scheduler.attend(), looks=False)
    assert not scheduler.is_between_turns()


@pytest.mark.parametrize("interval_s", [0.005, 0.00001])
def test_what_the_hand_does_where_all_has_settled_repeats_with_turns_and_events(interval_s: float) -> None:
    before = sys.getswitchinterval()
    sys.setswitchinterval(interval_s)
    try:
        assert len({what_the_hand_does() for _ in range(60)}) == 1
    finally:
        sys.setswitchinterval(before)
