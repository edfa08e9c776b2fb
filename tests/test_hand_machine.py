"""Every command of a session, in any order and from several threads at once, on small graphs: a Hypothesis machine.

After each step nothing is lost, doubled or reordered, each command has done what the design's table allows in the
session's state, and has come back. 100 runs of 30 steps, 300 in a long run, always the same ones;
`SAGE_NB_EXAMPLES=5000` draws as many new ones, from a seed that a failure prints and that `SAGE_NB_SEED=` brings back.
What threads do differs between two runs of the same seed, so nothing is shrunk; a failure tells all that was done.
"""

from __future__ import annotations

import faulthandler
import os
import queue
import random
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from runtime import (
    AlreadyStarted,
    CommandRefused,
    GraphInvalid,
    NotPaused,
    NotStarted,
    Outcome,
    PacketGone,
    QueueFull,
    TaskEnded,
    UnknownName,
)
from runtime.errors import JobPaused
from tests.effort import some
from tests.hand_rig import KINDS, MOMENT_S, Rig, Shape

RUNS: Final = int(os.environ.get("SAGE_NB_EXAMPLES") or some(100, of=300))
STEPS: Final = 30
SEED: Final = int(
    os.environ.get("SAGE_NB_SEED") or (random.randrange(2**32) if "SAGE_NB_EXAMPLES" in os.environ else 14)
)
BOUND_S: Final = float(os.environ.get("STRESS_PATIENCE_S", "20"))
"""After how long a command counts as hung."""
STEP_S: Final = BOUND_S / 2
"""How long a step waits for user code, which here takes no time: longer than that is a hang."""

Errors = tuple[type[BaseException], ...]


class Command(NamedTuple):
    """What is done, with two numbers as dice, and how it may be refused: before a start, in a run, after the end."""

    do: Callable[[Rig, int, int], object]
    new: Errors = (NotStarted,)
    live: Errors = ()
    ended: Errors = ()


def _stepped(made: Any) -> None:
    """User code takes no time, so a step that is still waited for has been forgotten."""
    for step in made if isinstance(made, list) else [made]:
        assert step.result != "running", f"nobody worked: {step!r}"
        assert str(step)


def _waited(rig: Rig) -> None:
    outcome = rig.session.wait(MOMENT_S)
    assert outcome == rig.session.outcome


LOOSE = (TimeoutError,)
WRONG_KIND = (CommandRefused,)  # sources and services have no breakpoints, services no state
HIT = (*LOOSE, *WRONG_KIND)  # none came; or none will, of a breakpoint that was removed, or while no job runs
COMMANDS: Final[dict[str, Command]] = {
    "start": Command(lambda r, a, b: r.start(False), (), (AlreadyStarted,)),
    "start paused": Command(lambda r, a, b: r.start(True), (), (AlreadyStarted,)),
    "reset": Command(lambda r, a, b: r.session.reset(), (), (AlreadyStarted,)),
    "pause": Command(lambda r, a, b: r.session.pause(timeout=STEP_S)),
    "pause some": Command(lambda r, a, b: r.session.pause(r.name(a), r.name(b), timeout=STEP_S)),
    "resume": Command(lambda r, a, b: r.session.resume()),
    "resume some": Command(lambda r, a, b: r.session.resume(r.name(a))),
    "step": Command(lambda r, a, b: _stepped(r.session.step(timeout=STEP_S)), live=(NotPaused,), ended=(NotPaused,)),
    "step one": Command(
        lambda r, a, b: _stepped(r.session.step(r.name(a), timeout=STEP_S)), live=(NotPaused,), ended=(NotPaused,)
    ),
    "step n": Command(
        lambda r, a, b: _stepped(r.session.step(r.name(a), 2 + b % 3, timeout=STEP_S)),
        live=(NotPaused,),
        ended=(NotPaused,),
    ),
    "step at once": Command(
        lambda r, a, b: r.session.step(r.name(a), timeout=0), live=(NotPaused,), ended=(NotPaused,)
    ),
    "step through": Command(
        lambda r, a, b: _stepped(r.session.step_through(lambda step: a % 5 == 0, timeout=MOMENT_S * 5)[:-1]),
        live=(NotPaused,),
        ended=(NotPaused,),
    ),
    "follow": Command(
        lambda r, a, b: r.follow(a, b),
        (),
        (NotPaused, PacketGone, TimeoutError, CommandRefused),
        (CommandRefused, TimeoutError),
    ),
    "peek": Command(lambda r, a, b: str(r.session.peek(r.name(a), b % 3, a % 3)), ()),
    "send": Command(lambda r, a, b: r.send(a), live=(QueueFull, TaskEnded), ended=(TaskEnded,)),
    "inject": Command(lambda r, a, b: r.inject(a), live=(QueueFull, TaskEnded), ended=(TaskEnded,)),
    "end": Command(lambda r, a, b: r.session.end("in")),
    "edit": Command(lambda r, a, b: r.edit(a, b), (), (NotPaused, PacketGone, TaskEnded), (CommandRefused,)),
    "drop": Command(lambda r, a, b: r.drop(a, b), (), (NotPaused, PacketGone, TaskEnded), (CommandRefused,)),
    "move": Command(
        lambda r, a, b: r.move(a, b), (), (NotPaused, PacketGone, TaskEnded, CommandRefused), (CommandRefused,)
    ),
    "undo": Command(lambda r, a, b: r.undo(), live=(CommandRefused, QueueFull), ended=(CommandRefused, QueueFull)),
    "break": Command(lambda r, a, b: r.break_at(a, b), WRONG_KIND, WRONG_KIND, WRONG_KIND),
    "unbreak": Command(lambda r, a, b: r.remove_breakpoint(), ()),
    "hit": Command(lambda r, a, b: r.breakpoints and r.breakpoints[0].wait(MOMENT_S), HIT, HIT, HIT),
    "tap": Command(lambda r, a, b: r.tap(a)),
    "untap": Command(lambda r, a, b: r.leave_tap(), ()),
    "call": Command(lambda r, a, b: r.call(), ()),
    "state": Command(lambda r, a, b: r.session.state(r.name(a)), live=WRONG_KIND, ended=WRONG_KIND),
    "set state": Command(
        lambda r, a, b: r.session.set_state("work", b % 3, {"of": a}),
        live=(NotPaused, TaskEnded, CommandRefused, GraphInvalid),
        ended=(TaskEnded, CommandRefused, GraphInvalid),
    ),
    "snapshot": Command(lambda r, a, b: (str(list(r.session.snapshot())), r.session.metrics(), r.session.events), ()),
    "settle": Command(lambda r, a, b: r.session.settle(MOMENT_S), (NotStarted,), LOOSE, LOOSE),
    "wait": Command(lambda r, a, b: _waited(r), (NotStarted,), (*LOOSE, JobPaused)),
    "stop": Command(lambda r, a, b: r.session.stop(), ()),
    "cancel": Command(lambda r, a, b: r.session.cancel(), ()),
    "close": Command(lambda r, a, b: r.session.close(BOUND_S), ()),
}
RARE = ("start", "start paused", "reset", "stop", "cancel", "close", "end", "step through", "wait", "settle", "hit")
ALONE = ("start", "start paused", "reset")  # the books are those of one run
OFTEN = ("pause", "resume", "step", "step one", "send", "inject", "edit", "drop", "move", "undo")
DICE = st.integers(0, 59)
MOSTLY = [name for name in COMMANDS if name not in RARE]
ONE_ALONE = st.sampled_from([*COMMANDS, *MOSTLY, *OFTEN, *OFTEN])
SOME_AT_ONCE = st.lists(
    st.tuples(
        st.sampled_from([name for name in [*COMMANDS, *MOSTLY, *OFTEN, *OFTEN] if name not in ALONE]), DICE, DICE
    ),
    min_size=2,
    max_size=3,
)


class Hands:
    """Threads that carry out commands; the machine waits for them so long, and no longer."""

    def __init__(self, count: int) -> None:
        self._asked: list[queue.SimpleQueue[Callable[[], None] | None]] = [queue.SimpleQueue() for _ in range(count)]
        self._threads = [threading.Thread(target=self._work, args=(asked,), daemon=True) for asked in self._asked]
        for thread in self._threads:
            thread.start()

    def _work(self, asked: queue.SimpleQueue[Callable[[], None] | None]) -> None:
        while (work := asked.get()) is not None:
            work()

    def do(self, works: list[Callable[[], None]]) -> None:
        """Do all at once, each on a thread of its own. One that does not come back is a failure."""
        done = threading.Semaphore(0)

        def worker(work: Callable[[], None]) -> Callable[[], None]:
            def worked() -> None:
                try:
                    work()
                finally:
                    done.release()

            return worked

        for asked, work in zip(self._asked, works, strict=False):
            asked.put(worker(work))
        until = time.monotonic() + BOUND_S
        for _ in works:
            if not done.acquire(timeout=max(0.0, until - time.monotonic())):
                faulthandler.dump_traceback(sys.__stderr__ or sys.stderr)
                raise AssertionError("hung: a command does not come back; all stacks are on stderr")

    def close(self) -> None:
        for asked in self._asked:
            asked.put(None)
        for thread in self._threads:
            thread.join(0.1)


class HandMachine(RuleBasedStateMachine):
    """A session under any commands."""

    hands: Hands

    def __init__(self) -> None:
        super().__init__()
        self.journal: list[str] = []
        self.rig: Rig | None = None

    @initialize(
        kind=st.sampled_from(KINDS),
        capacity=st.integers(1, 4),
        parallelism=st.integers(1, 3),
        items=st.integers(0, 40),
        turns=st.none() | st.integers(0, 99),
        traced=st.booleans(),
        paused=st.booleans(),
    )
    def build(
        self, kind: Any, capacity: int, parallelism: int, items: int, turns: int | None, traced: bool, paused: bool
    ) -> None:
        shape = Shape(kind, capacity, parallelism, items, turns, traced)
        self.journal.append(repr(shape))
        self.rig = Rig(shape)
        if paused:
            self.commands(("start paused", 0, 0))
            self.commands(("step n", 0, 2), ("send", 1, 0), ("inject", 0, 0))

    @rule(name=ONE_ALONE, a=DICE, b=DICE, again=st.integers(0, 5))
    def alone(self, name: str, a: int, b: int, again: int) -> None:
        self.start_again(again)
        self.commands((name, a, b))

    @rule(commands=SOME_AT_ONCE, again=st.integers(0, 5))
    def at_once(self, commands: list[tuple[str, int, int]], again: int) -> None:
        self.start_again(again)
        self.commands(*commands)

    def start_again(self, again: int) -> None:
        """An ended job is of little interest, so mostly it is started again, and paused."""
        if again and self.state() == "ended":
            self.commands(("start" if again == 1 else "start paused", 0, 0))

    def commands(self, *commands: tuple[str, int, int]) -> None:
        """Give these commands at once, then look at everything."""
        rig = self.rig
        assert rig is not None
        before = self.state()
        answers: list[BaseException | str | None] = ["…"] * len(commands)

        def command(number: int, name: str, a: int, b: int) -> Callable[[], None]:
            def give() -> None:
                try:
                    COMMANDS[name].do(rig, a, b)
                    answers[number] = None
                except BaseException as error:  # noqa: BLE001  judged below
                    answers[number] = error

            return give

        try:
            self.hands.do([command(number, *each) for number, each in enumerate(commands)])
            allowed = {before, self.state()}
            for (name, _, _), answer in zip(commands, answers, strict=True):
                self.judge(name, answer, allowed)
            rig.check()
            if rig.failures:
                raise rig.failures[0]
        except BaseException as error:
            self.journal.append(f"{before}: {list(zip(commands, answers, strict=True))!r}")
            self.tell(error)
            raise
        self.journal.append(f"{before}: {list(zip(commands, answers, strict=True))!r}")

    def state(self) -> str:
        assert self.rig is not None
        status = self.rig.session.status
        return {"new": "new", "running": "live", "draining": "live"}.get(status, "ended")

    def judge(self, name: str, answer: object, states: set[str]) -> None:
        """Whether the table allows it."""
        if not isinstance(answer, BaseException):
            return
        never_ran = self.rig is not None and len(self.rig.session.snapshot()) == 0
        errors = [error for state in states for error in getattr(COMMANDS[name], state)]
        errors += [NotStarted] if never_ran else []
        if not isinstance(answer, tuple(errors)) or (isinstance(answer, UnknownName)):
            raise AssertionError(f"{name} in {states} raised {answer!r}") from answer

    def tell(self, error: BaseException) -> None:
        """Add all that is known, and let go of what hangs."""
        rig = self.rig
        assert rig is not None
        error.add_note(f"SAGE_NB_EXAMPLES={RUNS} SAGE_NB_SEED={SEED}")
        error.add_note("\n".join(self.journal))
        error.add_note(f"{list(rig.session.snapshot())}\n{rig.session.events[-12:]}\n{rig.books}\n{list(rig.result)}")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            rig.session.close(0.2)
        self.rig = None

    def teardown(self) -> None:
        """Let go; all that is left comes out."""
        rig = self.rig
        if rig is None:
            return
        try:
            self.hands.do([lambda: self.let_go(rig)])
            if rig.failures:
                raise rig.failures[0]
        except BaseException as error:
            self.tell(error)
            raise

    @staticmethod
    def let_go(rig: Rig) -> None:
        session = rig.session
        try:
            if session.status in ("running", "draining"):
                rig.leave_taps()
                for each in rig.breakpoints:
                    each.remove()
                session.stop()
                session.resume()
                outcome: Outcome = session.wait(STEP_S)
                rig.check_end(outcome)
            session.close(STEP_S)
            for caller in rig.callers:
                caller.join(STEP_S)
                assert not caller.is_alive(), "hung: a call does not come back"
        except BaseException as error:  # noqa: BLE001  told by the machine
            rig.failures.append(error)


@pytest.fixture
def hands() -> Iterator[Hands]:
    made = Hands(3)
    yield made
    made.close()


@pytest.mark.timeout(120 + RUNS)
def test_every_command_in_any_order_from_several_threads_loses_doubles_and_reorders_nothing(hands: Hands) -> None:
    HandMachine.hands = hands
    run_state_machine_as_test(
        seed(SEED)(HandMachine),
        settings=settings(
            max_examples=RUNS,
            stateful_step_count=STEPS,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )
