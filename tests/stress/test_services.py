"""Calls against everything that can end them, many at once: each has exactly one ending, and all are counted."""

from __future__ import annotations

import itertools
import random
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from random import Random
from typing import Any

import runtime
from runtime import Session
from runtime.testing import FaultInjector, InjectedFault
from tests.effort import some
from tests.pairs import every_pair_of
from tests.stress.rounds import PATIENCE_S, Helper, Moment, give_way, one_round, repeat, spin

CALLERS = 64
EACH = some(110, of=313)
CALLS = CALLERS * EACH
LONG_S = 10 * PATIENCE_S
"""After how long so many calls count as hung."""

ROUNDS = 120
COUNTED = {"result": "results", "error": "errors", "timeout": "timeouts", "stopped": "stopped"}


class Refused(Exception):
    """What the service raises for some requests."""


class Serves:
    """Answers each request with itself, or refuses it; notes how often each was executed."""

    def __init__(self) -> None:
        self.executed: list[int] = []

    def process(self, number: int, refuses: bool) -> int:
        self.executed.append(number)
        if refuses:
            raise Refused(number)
        return number


def ending_of(call: Callable[[], int], number: int) -> str:
    """Make a call and say how it has ended. What is no ending of this very call is a failure."""
    how = "result"
    try:
        answered = call()
    except Refused as error:
        how, answered = "error", error.args[0]
    except InjectedFault:
        return "error"
    except runtime.ServiceTimeout as error:
        return "not begun" if "it had not begun" in str(error) else "timeout"
    except runtime.ServiceStopped:
        return "stopped"
    assert answered == number, f"the {how} of another request"
    return how


def check_counts(session: Session, endings: dict[int, str], serves: Serves, faults: FaultInjector) -> None:
    """Every call has had one ending, and the service has counted it as what it was, but for those refused at once."""
    facts = session.snapshot().services["serves"]
    counted = Counter("timeout" if how == "not begun" else how for how in endings.values())
    refused = len(endings) - facts.received  # behind a cancel
    assert 0 <= refused <= counted["stopped"], "calls got lost"
    assert facts.open == facts.depth == facts.working == 0, "something is pending"
    counted["stopped"] -= refused
    assert {how: getattr(facts, fact) for how, fact in COUNTED.items()} == {how: counted[how] for how in COUNTED}
    begun = Counter(serves.executed)
    assert begun.total() == len(begun), "a request was executed twice"
    assert not [number for number in begun if endings[number] == "not begun"], "executed, though timed out before"
    assert not [number for number, how in endings.items() if how == "result" and number not in begun]
    executions = facts.results + facts.errors + facts.late + facts.lost
    woken = executions - len(begun) - faults.counts["errors"]  # by a cancel, out of a delay
    assert 0 <= woken <= (facts.concurrency if facts.ending == "cancelled" else 0), "executions were not counted"


@every_pair_of(concurrency=(1, 4), capacity=(1, 1024), cancelled={"to the end": False, "cancelled in the middle": True})
def test_of_many_calls_at_once_each_has_one_ending_and_gets_what_is_its_own(
    concurrency: int, capacity: int, cancelled: bool
) -> None:
    made = threading.Event()
    session = Session("calls")
    serves = Serves()
    faults = FaultInjector(5, delays=0.01, delay_s=0.002, errors=0.02, lost=0.002)
    session.service("serves", lambda: serves, concurrency=concurrency, capacity=capacity)
    session.intercept(faults)
    endings: dict[int, str] = {}
    halfway = Moment(CALLS // 2, session.cancel) if cancelled else None
    numbers = itertools.count()

    def call_them_all(caller: int) -> None:
        rng = random.Random(caller)
        for _ in range(EACH):
            number, refuses, lost_s = next(numbers), rng.random() < 0.1, 0.005 if rng.random() < 0.05 else 0.5
            how = ending_of(lambda: session.call("serves", number, refuses, timeout=lost_s), number)  # noqa: B023
            assert number not in endings
            endings[number] = how
            if halfway is not None:
                halfway.pass_by()
        if len(endings) == CALLS:
            made.set()

    with one_round(session), ExitStack() as helpers:
        session.start()
        for caller in range(CALLERS):
            helpers.enter_context(Helper(partial(call_them_all, caller)))
        made.wait(LONG_S)
        helpers.close()
        session.stop()
        session.wait(PATIENCE_S)
        assert len(endings) == CALLS
        check_counts(session, endings, serves, faults)
        assert cancelled == ("stopped" in endings.values())
        assert {"result", "error"} <= set(endings.values())


def timeouts_against_replies(rng: Random) -> None:
    """Delays of the same size as the timeout: reply, timeout and a request that has not begun meet in every order."""
    session = Session("ties", capacity=rng.randint(1, 4))
    serves = Serves()
    faults = FaultInjector(rng.randrange(10**6), delays=0.8, delay_s=0.002)
    concurrency = rng.randint(1, 3)
    session.service("serves", lambda: serves, concurrency=concurrency, capacity=rng.choice((1, 2, 1024)))
    session.intercept(faults)
    endings: dict[int, str] = {}
    numbers = itertools.count()
    timeout_s = rng.choice((0, 0.001, 0.002))

    class Asks(runtime.Function[int, None]):
        def process(self, _: int, /) -> None:
            asked = [next(numbers) for _ in range(3)]
            ask = self.ctx.call_service_async
            futures = [ask("serves", number, False, timeout=timeout_s) for number in asked]
            for number, future in zip(asked, futures, strict=True):
                endings[number] = ending_of(future.result, number)

    session.source(range(12)).sink(Asks(), name="asks", parallelism=rng.randint(1, 4))
    with one_round(session):
        session.start()
        assert session.wait(PATIENCE_S).state == "completed"
        assert len(endings) == 36
        check_counts(session, endings, serves, faults)


def test_timeouts_against_replies_end_each_call_once() -> None:
    repeat(timeouts_against_replies, ROUNDS)


def cancelled_futures(rng: Random) -> None:
    """Who takes a request back wins against the service or loses, and nothing in between."""
    session = Session("futures")
    serves = Serves()
    session.service("serves", lambda: serves, concurrency=rng.randint(1, 2), capacity=rng.choice((1, 3)))
    endings: dict[int, str] = {}
    told: list[int] = []
    faults = FaultInjector(1)

    class Asks(runtime.Function[int, None]):
        def process(self, first: int, /) -> None:
            futures = {}
            for number in range(10 * first, 10 * first + 10):
                future = futures[number] = self.ctx.call_service_async("serves", number, False)
                future.add_done_callback(lambda _, number=number: told.append(number))
                if rng.random() < 0.5:
                    give_way()
                if rng.random() < 0.5:
                    taken_back = future.cancel()
                    assert future.cancelled() == taken_back
            for number, future in futures.items():
                endings[number] = "stopped" if future.cancelled() else ending_of(future.result, number)

    session.source(range(8)).sink(Asks(), name="asks", parallelism=2)
    with one_round(session):
        session.start()
        session.wait(PATIENCE_S)
        assert sorted(told) == list(range(80)), "a callback was not called, or twice"
        check_counts(session, endings, serves, faults)
        assert not [number for number in serves.executed if endings[number] == "stopped"]


def test_a_request_that_is_taken_back_is_executed_or_not_and_its_future_says_so() -> None:
    repeat(cancelled_futures, ROUNDS)


def cancel_against_calls(rng: Random) -> None:
    """A cancel at any moment is no failure of those who call, or are being set up."""
    session = Session("cancel", capacity=rng.randint(1, 4))

    class Relay:
        ctx: Any = None

        def setup(self) -> None:
            self.ctx.call_service("serves", -1, False)

        def process(self, number: int, refuses: bool) -> Any:
            return self.ctx.call_service("serves", number, refuses)

        def close(self) -> None:
            if rng.random() < 0.5:
                spin(rng)

    class Asks(runtime.Function[int, int]):
        def process(self, number: int, /) -> int:
            future = self.ctx.call_service_async("serves", number, False)
            answer = self.ctx.call_service("relay", number, False)
            moment.pass_by()
            return int(future.result() + answer)

        def close(self) -> None:
            self.ctx.call_service("relay", 0, False)

    def cancel() -> None:
        if rng.random() < 0.9:
            moment.wait()
        spin(rng, 20_000)
        session.cancel()

    session.service("relay", Relay, concurrency=rng.randint(1, 3), capacity=rng.choice((1, 8)))
    session.service("serves", Serves, concurrency=rng.randint(1, 3), capacity=rng.choice((1, 8)))
    moment = Moment(rng.randint(1, 20))
    session.source(itertools.count).map(Asks(), name="asks", parallelism=3).sink(lambda _: None, name="end")
    with one_round(session), ExitStack() as helpers:
        session.start()
        helpers.enter_context(Helper(cancel))
        outcome = session.wait(PATIENCE_S)
        assert outcome.state == "cancelled"
        assert outcome.errors == 0
        for facts in session.snapshot().services.values():
            assert facts.open == facts.depth == facts.working == 0, "something is pending"


def test_cancel_against_calls_ends_everybody_as_cancelled() -> None:
    repeat(cancel_against_calls, ROUNDS)


def drain_against_calls(rng: Random) -> None:
    """The end comes behind the last request, whoever still makes one: tasks, services, set-ups, nobody in the end."""
    session = Session("drain")
    executed: list[int] = []

    class Counts:
        def process(self, number: int) -> None:
            executed.append(number)

    class Passes:
        ctx: Any = None

        def setup(self) -> None:
            spin(rng, 5_000)
            self.ctx.call_service("counts", -1)

        def process(self, number: int) -> None:
            self.ctx.call_service_async("counts", number)

    class Asks(runtime.Function[int, None]):
        def process(self, number: int, /) -> None:
            self.ctx.call_service_async("passes", number)

    session.service("passes", Passes, concurrency=rng.randint(1, 3), capacity=rng.choice((1, 8)))
    session.service("counts", Counts, concurrency=rng.randint(1, 2), capacity=rng.choice((1, 8)))
    count = rng.randrange(12)
    session.source(range(count)).sink(Asks(), name="asks", parallelism=2)
    with one_round(session):
        session.start()
        assert session.wait(PATIENCE_S).state == "completed"
        assert sorted(executed) == list(range(-1, count)), "lost or doubled on the way to the end"


def test_the_end_comes_behind_the_last_request() -> None:
    repeat(drain_against_calls, 2 * ROUNDS)
