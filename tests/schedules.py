"""Schedules run under a seed, or on free threads, and compared with what is expected.

`python -m tests.schedules 17 3` replays schedule 17 under seed 3, and says by which turns; without a seed, on free
threads, which do it differently each time.
"""

from __future__ import annotations

import itertools
import os
import random
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any, Final, NamedTuple
from zlib import crc32

import runtime
from runtime.testing import FaultInjector, InjectedFault, leak_guard
from tests.graph_plans import Changes, Item, Planned, Slow, Stage, Stream, fully_needed, opened
from tests.random_graphs import AsFunction, Run, Worker
from tests.schedule_plans import (
    Call,
    Fates,
    Schedule,
    Service,
    answer_of,
    both_answers,
    draw,
    in_one_thread,
    own_answer,
)

__all__ = ["FIRST", "SCHEDULES", "replay_line", "run", "turns_text"]

SCHEDULES: Final = int(os.environ.get("SAGE_NB_SCHEDULES", "3000"))
"""How many schedules are to be run."""

FIRST: Final = int(
    os.environ.get("SAGE_NB_SEED") or (random.randrange(2**32) if "SAGE_NB_SCHEDULES" in os.environ else 0)
)
"""The number of the first."""

THREADED_RUNS: Final = 100  # how often a replay without a seed runs its schedule

Ident = tuple[int | str, int]
"""Who asked (a node, or the name of a service), and the how many-th question it was."""


class Asked(NamedTuple):
    """A call that has come back: who asked, about what, what became of it, and the answer."""

    service: int
    ident: Ident
    value: int
    fates: Fates
    answer: int


class Calls:
    """All calls of a run: who asked what, what came back, and what the services have begun to execute."""

    def __init__(self, services: tuple[Service, ...], *, one_thread: bool) -> None:
        self.services, self.one_thread = services, one_thread
        self.asked: list[Asked] = []
        self.begun: list[Ident] = []
        self.over: set[Ident] = set()  # questions that have timed out
        self._numbers = itertools.count()

    def ask(self, who: int | str, ctx: Any, call: Call | Service, service: int, value: int) -> Asked:
        """Ask; a fault has an answer, too."""
        ident = (who, next(self._numbers))
        fates: Fates
        try:
            if isinstance(call, Call) and call.asynchronous:
                future = ctx.call_service_async(f"s{service}", value, ident, timeout=call.timeout_s)
                answer, inner = future.result()
            else:
                answer, inner = ctx.call_service(f"s{service}", value, ident, timeout=call.timeout_s)
        except InjectedFault:
            fates = ("fault",)
            answer = answer_of(self.services, service, value, fates)
        except runtime.ServiceTimeout:
            self.over.add(ident)
            fates = ("timeout",)
            answer = answer_of(self.services, service, value, fates)
        else:
            fates = ("reply", *inner)
        asked = Asked(service, ident, value, fates, answer)
        self.asked.append(asked)
        return asked

    def note(self, invocation: runtime.Invocation) -> Any:
        """The outermost interceptor: what is begun."""
        ident = invocation.args[1]
        # On free threads it may have been begun in time, and its caller have been quicker to come here.
        assert ident not in self.over or not self.one_thread, f"{ident} was begun after it had timed out"
        self.begun.append(ident)
        return invocation.proceed()

    def check(self, facts: dict[str, runtime.ServiceFacts], *, well: bool) -> None:
        """Raise `AssertionError` where calls do not add up, or an answer is not the one to its question."""
        begun, of = Counter(self.begun), Counter((asked.service, asked.fates[0]) for asked in self.asked)
        assert all(times == 1 for times in begun.values()), "a request was executed twice"
        for asked in self.asked:
            assert asked.answer == answer_of(self.services, asked.service, asked.value, asked.fates), asked
            assert asked.ident in begun or asked.fates[0] == "timeout", f"{asked} was answered and not begun"
        for place, one in enumerate(facts.values()):
            assert one.open == 0, f"{one} has calls that did not end"
            assert (one.depth, one.working) == (0, 0), f"{one} has ended with requests"
            assert one.ending is not None
            if well:
                assert one.stopped == 0, one
                ended = [of[place, fate] for fate in ("reply", "fault", "timeout")]
                assert ended == [one.results, one.errors, one.timeouts], f"{one}; its callers heard {ended}"
        if well:
            executed = sum(one.results + one.errors + one.late + one.lost for one in facts.values())
            assert executed == len(self.begun), f"{executed} of {len(self.begun)} executed requests were counted"


class ScheduleRun(Run):
    """One run of a schedule in a session of its own, under a seed or, if that is None, on free threads."""

    def __init__(self, schedule: Schedule, seed: int | None) -> None:
        self.schedule = schedule
        self.calls = Calls(schedule.services, one_thread=seed is not None)
        plan = schedule.plan
        if seed is not None:
            plan = replace(plan, trouble=in_one_thread(plan.trouble))
        super().__init__(plan, seed=seed)
        for place, service in enumerate(schedule.services):
            self.session.service(
                f"s{place}",
                partial(Answering, self, place),
                concurrency=service.concurrency,
                capacity=service.capacity,
            )
        if schedule.services:
            self.session.intercept(self.calls.note)
        self.faults = FaultInjector(**vars(schedule.faults)) if schedule.faults is not None else None
        if self.faults is not None:
            self.session.intercept(self.faults)

    def worker(self, node: int, slow: Slow, in_order: dict[int, bool]) -> ScheduleWorker:
        # A function that takes its time lets other threads go first; under a seed none can.
        return ScheduleWorker(self, node, "" if self.calls.one_thread else slow, in_order)

    def worker_of(self, node: int) -> ScheduleWorker:
        worker = self.workers[node]
        assert isinstance(worker, ScheduleWorker)
        return worker

    def settings(self, node: int) -> dict[str, Any]:
        policy = self.schedule.policy_of(node)
        return {} if policy is None else {"on_error": policy.on_error}

    def changes(self, skipped: dict[int, Stream], *, well: bool) -> Changes:
        services = dict(self.session.snapshot().services)
        self.calls.check(services, well=well)
        if self.faults is not None and well:
            assert self.faults.counts["lost"] == sum(facts.lost for facts in services.values())
        self._changes = ScheduleChanges(self, skipped, well=well)
        return self._changes

    def check(self) -> None:
        super().check()
        self._changes.check()


class ScheduleChanges(Changes):
    """What services and policies have changed in a run; checks that it fits what was planned."""

    def __init__(self, run: ScheduleRun, skipped: dict[int, Stream], *, well: bool) -> None:
        super().__init__(skipped)
        self.run, self.well = run, well
        self.exact = self._nodes_that_work_all() if well else set()
        self.retries: Counter[int] = Counter()  # expected of fragile nodes
        self.given_up: dict[int, Stream] = {}  # as well

    def _nodes_that_work_all(self) -> set[int]:
        """All, but those that only a take needs, if one is full: they end then, wherever they are in their work."""
        plan, snapshot = self.run.plan, self.run.session.snapshot()
        takes = [node for node, own in enumerate(plan.nodes) if isinstance(own, Stage) and own.kind == "take"]
        full = any(snapshot[f"n{node}"].emitted == plan.stages[node - len(plan.sources)].number for node in takes)
        return {node for node, needed in enumerate(fully_needed(plan)) if needed or not full}

    def worked(self, node: int, into: Stream) -> Stream:
        fragile = self.run.schedule.fragile.get(node)
        if fragile is None:
            return super().worked(node, into)
        for value, times in into.items():
            self.retries[node] += times * min(fragile.errors(value), fragile.policy.repeats)
        given_up = Counter({value: times for value, times in into.items() if fragile.gives_up(value)})
        self.given_up[node] = self.given_up.get(node, Counter()) + given_up
        return into - given_up

    def answered(self, node: int, made: Stream) -> Stream:
        if node not in self.run.schedule.calls:
            return made
        answers = self.run.worker_of(node).answers
        about = Counter(asked.value for asked in answers)
        if node in self.exact:
            assert about == made, f"node {node} has asked about {about}, and made {made}"
        else:
            assert about <= made, f"node {node} has asked about {about - made} too many"
        return Counter(asked.answer for asked in answers)

    def check(self) -> None:
        """Behind the oracle: raise `AssertionError` if there were other skips or retries than the planned ones."""
        retries: Counter[int] = Counter()
        for facts in self.run.session.snapshot():
            if facts.retries:
                retries[_node(facts.operator)] += facts.retries
        for node in {*self.skipped, *retries, *self.given_up}:
            skipped = self.skipped.get(node, Counter())
            given_up, expected_retries = self.given_up.get(node, Counter()), self.retries[node]
            if node in self.run.schedule.calls:  # each failed attempt was tried again or skipped
                given_up = skipped
                expected_retries = self.run.worker_of(node).failures - skipped.total()
            if node in self.exact:
                assert (skipped, retries[node]) == (given_up, expected_retries), f"policy of node {node}"
            else:
                assert skipped <= given_up, f"node {node} has skipped what does not fail"
                assert retries[node] <= expected_retries, f"node {node} has tried again what does not fail"


def _node(name: str) -> int:
    """The node of a task or an operator."""
    return int(name.removeprefix("n").partition("#")[0])


class ScheduleWorker(Worker):
    """Functions that ask services, and that fail as planned."""

    def __init__(self, run: ScheduleRun, node: int, slow: Slow, in_order: dict[int, bool]) -> None:
        super().__init__(run, node, slow, in_order)
        self.calls = run.calls
        self.call, self.fragile = run.schedule.calls.get(node), run.schedule.fragile.get(node)
        self.answers: list[Asked] = []  # those that were sent
        self._failed: list[Asked] = []
        own = run.plan.nodes[node]
        self._yields = isinstance(own, Stage) and own.kind == "flat_map"

    @property
    def failures(self) -> int:
        """How many attempts have failed for what became of a call."""
        return len(self._failed)

    def as_function(self, function: Callable[..., Any]) -> AsFunction:
        return WithContext(function, self._memory)

    def function(self, stage: Stage) -> Callable[..., Any]:
        function = super().function(stage)
        if self.fragile is None or stage.kind != "flat_map":
            return function

        def fails_at_the_end(payload: Any) -> Iterator[Any]:
            yield from function(payload)
            self._fail_as_planned(opened(payload).value)

        return fails_at_the_end

    def look(self, payload: Any) -> int:
        memory = self._memory
        if payload is getattr(memory, "payload", None):  # again
            value = opened(payload).value
        else:
            value = super().look(payload)
            memory.payload = payload
        if not self._yields:
            self._fail_as_planned(value)
        return value

    def signed(self, value: int) -> Item:
        if self.call is None:
            return super().signed(value)
        asked = self.calls.ask(self.node, self._memory.ctx, self.call, self.call.service, value)
        if self.call.policy is not None and asked.fates[0] != "reply":
            self._failed.append(asked)
            raise Planned(f"{asked}")
        self.answers.append(asked)
        return super().signed(asked.answer)

    def _fail_as_planned(self, value: int) -> None:
        if (fragile := self.fragile) is None:
            return
        attempt = getattr(self._memory, "attempt", 0)
        fails = attempt < fragile.errors(value)
        self._memory.attempt = attempt + 1 if fails and attempt < fragile.policy.repeats else 0
        if fails:
            raise Planned(f"attempt {attempt} at {value}")


class WithContext(AsFunction):
    """A function as an object that lets its worker know the context of its task, on the task's thread."""

    def __init__(self, function: Callable[..., Any], memory: threading.local) -> None:
        super().__init__(function)
        self.memory = memory

    def __deepcopy__(self, memo: object) -> WithContext:
        return WithContext(self.function, self.memory)

    def open(self, ctx: Any) -> None:
        self.memory.ctx = ctx


class Answering:
    """The object of a service."""

    ctx: Any = None

    def __init__(self, run: ScheduleRun, place: int) -> None:
        self.run, self.place = run, place
        self.service = run.schedule.services[place]

    def process(self, value: int, ident: Ident) -> tuple[int, Fates]:
        """The answer, and what became of the call that was made for it."""
        facts = self.run.session.snapshot().services[f"s{self.place}"]
        assert facts.depth <= facts.capacity, f"{facts} holds too many requests"
        assert facts.working <= facts.concurrency, f"{facts} works too many requests"
        own = own_answer(self.place, value)
        if self.service.asks is None:
            return own, ()
        inner = self.run.calls.ask(f"s{self.place}", self.ctx, self.service, self.service.asks, own)
        return both_answers(own, inner.answer), inner.fates


def turns_text(turns: list[str]) -> str:
    """How many turns there were, and which, in few letters."""
    return f"{len(turns):,} turns, {crc32(chr(10).join(turns).encode()):08x}"


def replay_line(number: int, seed: int | None) -> str:
    """What shows one run again, in the folder of the project."""
    return f"{sys.executable} -m tests.schedules {number} {'' if seed is None else seed}".rstrip()


def run(number: int, seed: int | None = None) -> list[str]:
    """Run a schedule once, and compare; returns its turns. What is wrong carries the line that replays it."""
    one = ScheduleRun(draw(number), seed)
    try:
        with leak_guard():
            one.run()
    except BaseException as error:
        error.add_note(f"replay: {replay_line(number, seed)}")
        error.add_note(f"{turns_text(one.session.turns)}: {one.schedule}")
        raise
    return one.session.turns


if __name__ == "__main__":
    one_number, *one_seed = map(int, sys.argv[1:])
    if one_seed:
        sys.stdout.write(f"{turns_text(run(one_number, *one_seed))}\n")
    else:
        for _ in range(THREADED_RUNS):
            run(one_number)
