"""An interrupt of any command, at any bytecode, any number of times: the session stays usable, or closes.

What was interrupted was carried out or was not; nothing of it is left half done, no lock is held, nobody waits for
ever. The first tests interrupt each command once at each of its bytecodes; the last one bombards a process of its own.
"""

from __future__ import annotations

import gc
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from math import inf
from typing import Any, Final
from weakref import WeakSet

import pytest

from runtime import AlreadyStarted, Collected, CommandRefused, JobPaused, Session, TaskEnded
from tests.effort import in_turn, some
from tests.interrupts import Interrupt, interrupts, places
from tests.services import Echo
from tests.stress.rounds import PATIENCE_S, told

Command = Callable[["Job"], object]
OPTIONS: Final = {"threads": {}, "seed": {"seed": 5}}


@dataclass
class Job:
    """`numbers → work → out`, and a service. `sent` counts what `send` has returned for."""

    options: dict[str, Any]
    session: Session = field(init=False)
    result: Collected[int] = field(init=False)
    sent: int = 0

    def __post_init__(self) -> None:
        self.session = Session("job", **self.options)
        self.session.service("echo", Echo)
        self.result = self.session.input("numbers").map(abs, name="work").collect(name="out")

    def start(self) -> None:
        self.session.start()
        self.session.settle(PATIENCE_S)

    def check(self) -> None:
        """Everything can still be asked for, and is done."""
        session = self.session
        session.resume()
        self.send()
        session.settle(PATIENCE_S)
        assert len(self.result) == self.sent
        assert session.call("echo", 7, timeout=PATIENCE_S) == 7
        assert session.pause(timeout=PATIENCE_S) == ()
        self.send()
        assert session.step("numbers", timeout=PATIENCE_S).result == "done"
        assert session.peek("work").depth == 1
        session.resume()
        session.settle(PATIENCE_S)
        assert len(self.result) == self.sent
        facts = session.snapshot()
        assert facts["out"].processed == self.sent
        service = facts.services["echo"]
        assert service.received == service.results + service.stopped

    def send(self) -> None:
        self.session.send("numbers", 1, timeout=PATIENCE_S)
        self.sent += 1

    def recount(self) -> None:
        """After an interrupt: at most one packet more than was known has been put in, and none is half in."""
        self.session.resume()
        self.session.settle(PATIENCE_S)
        injected = self.session.snapshot()["numbers"].processed
        assert injected in (self.sent, self.sent + 1)
        self.sent = injected

    def end(self) -> None:
        session = self.session
        session.end("numbers")
        assert session.wait(PATIENCE_S).state == "completed"
        assert len(self.result) == self.sent
        session.close(PATIENCE_S)
        assert not (left := self.threads()), f"threads left behind: {left}"

    def threads(self) -> list[str]:
        return [thread.name for thread in threading.enumerate() if thread.name.startswith("job/")]


def paused(job: Job) -> None:
    """Two packets wait for `work`, and all is paused."""
    job.session.pause(timeout=PATIENCE_S)
    job.send()
    job.send()
    job.session.step("numbers", 2, timeout=PATIENCE_S)


def set_tap(job: Job) -> None:
    with job.session.tap("work"):
        pass


def set_breakpoint(job: Job) -> None:
    job.session.breakpoint("work", lambda value: value == 12).remove()


def first(job: Job) -> Any:
    return job.session.peek("work")[0]


def edit_and_undo(job: Job) -> None:
    packet = first(job)
    job.session.edit(packet, 1)
    job.session.undo()


def wait_paused(job: Job) -> None:
    with pytest.raises(JobPaused):
        job.session.wait(PATIENCE_S)


def wait_a_moment(job: Job) -> None:
    with pytest.raises(TimeoutError):
        job.session.wait(0)


def send(job: Job) -> None:
    job.session.send("numbers", 1)
    job.sent += 1


def nothing(_: Job) -> None:
    """The job runs, and everything in it has settled."""


# How it stands before, and the command. Whatever becomes of it, the job runs on.
COMMANDS: dict[str, tuple[Command, Command]] = {
    "pause": (nothing, lambda job: job.session.pause()),
    "pause one": (nothing, lambda job: job.session.pause("work")),
    "resume": (paused, lambda job: job.session.resume()),
    "step": (paused, lambda job: job.session.step()),
    "step one": (paused, lambda job: job.session.step("work")),
    "step twice": (paused, lambda job: job.session.step(None, 2)),
    "step through": (paused, lambda job: job.session.step_through(lambda step: step.task == "out")),
    "follow": (paused, lambda job: job.session.follow(first(job))),
    "peek": (paused, lambda job: job.session.peek("work")),
    "edit and undo": (paused, edit_and_undo),
    "move": (paused, lambda job: job.session.move(first(job), 1)),
    "breakpoint": (nothing, set_breakpoint),
    "tap": (nothing, set_tap),
    "state": (nothing, lambda job: job.session.state("work")),
    "set_state": (paused, lambda job: job.session.set_state("work", "seen", 1)),
    "send": (nothing, send),
    "inject": (nothing, lambda job: job.session.inject("numbers", 1)),
    "call": (nothing, lambda job: job.session.call("echo", 5)),
    "service": (nothing, lambda job: job.session.services["echo"](5)),
    "wait": (nothing, wait_a_moment),
    "wait for what is paused": (paused, wait_paused),
    "settle": (nothing, lambda job: job.session.settle(PATIENCE_S)),
    "snapshot": (nothing, lambda job: job.session.snapshot().services),
    "events": (nothing, lambda job: job.session.events),
    "intercept": (nothing, lambda job: job.session.intercept(lambda invocation: invocation.proceed())()),
    "dead letters": (nothing, lambda job: list(job.session.dead_letters)),
}

# These end it, or begin it.
LIVES: dict[str, Command] = {
    "start": lambda job: job.session.start(),
    "start paused": lambda job: job.session.start(paused=True),
    "stop": lambda job: job.session.stop(),
    "end": lambda job: job.session.end("numbers"),
    "cancel": lambda job: job.session.cancel(),
    "close": lambda job: job.session.close(PATIENCE_S),
}


class Garbage:
    """Has a finalizer, and is found by a collector alone."""

    def __init__(self) -> None:
        self.itself = self

    def __del__(self) -> None:
        self.itself = self


class Plain:
    """Has no finalizer."""


def test_what_a_collector_runs_is_no_part_of_what_is_interrupted() -> None:
    counts = set()
    for number in range(4):
        before = gc.get_threshold()
        with Interrupt(inf) as all_of_it:
            gc.set_threshold(5 * (number % 2))
            kept = [[Garbage()] for _ in range(20)]
        gc.set_threshold(*before)
        del kept
        counts.add(all_of_it.count)
    assert len(counts) == 1, counts


def test_no_interrupt_falls_where_python_is_called_back_for_what_is_let_go_of() -> None:
    """It could be raised nowhere there, and would be told of as an error of the test."""
    met = WeakSet[Plain]()
    for number in range(60):
        kept = Plain()
        met.add(kept)
        with Interrupt(number) as interrupt:
            del kept
            list(map(abs, range(3)))
        assert not met
        assert not interrupt.has_come


def test_each_bytecode_is_interrupted_once_and_the_frame_of_the_block_never() -> None:
    done: list[int] = []

    def command() -> None:
        for number in range(3):
            done.append(number)

    with Interrupt(inf) as all_of_it:
        command()
    assert all_of_it.count > 3 * 4
    before = 0
    for number in range(all_of_it.count):
        done.clear()
        with pytest.raises(KeyboardInterrupt), Interrupt(number):
            command()
        assert len(done) in (before, before + 1), "no bytecode is passed over"
        before = len(done)
    with Interrupt(all_of_it.count) as too_late:
        command()
    assert not too_late.has_come


def test_interrupts_that_do_not_come_are_no_success() -> None:
    def try_all() -> None:
        for interrupt in interrupts(range(10)):
            with suppress(KeyboardInterrupt), interrupt:
                if interrupt.number == 0:
                    nothing(Job({}))

    with pytest.raises(AssertionError, match="1 of 10 interrupts have come"):
        try_all()


@pytest.mark.parametrize(("name", "options"), in_turn(COMMANDS, OPTIONS))
def test_a_command_that_is_interrupted_at_any_bytecode_leaves_a_session_that_works(
    name: str, options: dict[str, Any]
) -> None:
    prepare, command = COMMANDS[name]
    job = Job(options)
    job.start()
    all_of_it = Interrupt(inf)
    for all_of_it in (Interrupt(inf), Interrupt(inf)):  # the first time, much is looked up or made that is kept
        prepare(job)
        with all_of_it:
            command(job)
        job.recount()
        job.check()
    for interrupt in interrupts(places(all_of_it.count)):
        with told(partial("interrupted before bytecode {} of {}".format, interrupt.number, all_of_it.count)):
            prepare(job)
            with suppress(KeyboardInterrupt), interrupt:
                command(job)
            job.recount()
            job.check()
    job.end()


@pytest.mark.parametrize("target", ["numbers", "work", "copied"])
@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_an_inject_that_is_interrupted_at_any_bytecode_is_in_with_its_event_and_its_undo_or_not_at_all(
    options: dict[str, Any], target: str
) -> None:
    """An input has places of its own for the hand, an operator only what it borrows, and a broadcast has several."""
    with Session("job", **options) as session:
        numbers = session.input("numbers")
        numbers.map(abs, name="work").collect()
        numbers.broadcast().map(abs, name="copied", parallelism=2).collect(name="copies")
        session.start(paused=True)
        with Interrupt(inf) as all_of_it:
            session.inject(target, -1)
        for interrupt in interrupts(range(all_of_it.count)):  # each: there are few where it could be half in
            with suppress(KeyboardInterrupt), interrupt:
                session.inject(target, interrupt.number)
        session.pause(timeout=PATIENCE_S)  # behind all that has begun
        there = [packet.payload for packet in session.peek("copied#0" if target == "copied" else target, 2_000)]
        noted = [event.text.removeprefix("inject: ") for event in session.events if event.text.startswith("inject: ")]
        assert noted == [str(number) for number in there]
        for count in range(len(there), 0, -1):
            assert session.peek(target).depth == count * (1 + (target == "copied"))
            session.undo()
        assert session.peek(target).depth == 0
        with pytest.raises(CommandRefused, match="nothing was changed by hand"):
            session.undo()
        session.cancel()


@pytest.mark.parametrize(("name", "options"), in_turn(LIVES, OPTIONS))
def test_a_life_that_is_interrupted_at_any_bytecode_begins_or_ends_and_leaves_no_thread(
    name: str, options: dict[str, Any]
) -> None:
    command, starts = LIVES[name], name.startswith("start")

    def live(interrupt: Interrupt) -> None:
        job = Job(options)
        if not starts:
            job.start()
            job.send()
        with told(partial("interrupted before bytecode {}".format, interrupt.number)):
            with suppress(KeyboardInterrupt), interrupt:
                command(job)
            session = job.session
            if starts and session.status == "new":
                with suppress(AlreadyStarted):  # what was interrupted had begun, and has been carried out meanwhile
                    session.start()
            if session.status in ("running", "draining"):
                session.resume()
                try:
                    job.check()
                    session.end("numbers")
                except TaskEnded:
                    assert not starts
                assert session.wait(PATIENCE_S).state in ("completed", "stopped", "cancelled")
            session.close(PATIENCE_S)
            assert not (left := job.threads()), f"threads left behind: {left}"

    live(all_of_it := Interrupt(inf))
    for interrupt in interrupts(places(all_of_it.count)):
        live(interrupt)


_RETURNS: Final = 12  # bytecodes, at most, between the answer and the name that it is given


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("begun", [False, True], ids=["before the start", "running"])
def test_a_breakpoint_is_not_left_set_if_an_interrupt_keeps_it_from_whoever_sets_it(
    options: dict[str, Any], begun: bool
) -> None:
    job = Job(options)
    if begun:
        job.start()
    with Interrupt(inf) as all_of_it:
        point = job.session.breakpoint("work")
    point.remove()
    left = []
    for interrupt in interrupts(places(all_of_it.count)):
        try:
            with interrupt:
                job.session.breakpoint("work").remove()
        except KeyboardInterrupt:
            job.session.breakpoint("out").remove()  # in order of commands: what was interrupted is over
            if job.session._runs.stops._set:
                left.append(interrupt.number)
                job.session._runs.stops.close()
    assert all(number >= all_of_it.count - _RETURNS for number in left), (left, all_of_it.count)
    if not begun:
        job.start()
    job.session.cancel()
    job.session.close(PATIENCE_S)


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_a_retry_that_is_interrupted_at_any_bytecode_puts_the_packet_in_or_leaves_the_letter(
    options: dict[str, Any],
) -> None:
    session = Session("job", on_error="skip", **options)
    result = session.input("numbers").map(lambda value: 1 // value, name="work").collect(name="out")
    session.start()

    def retry(interrupt: Interrupt) -> None:
        session.send("numbers", 0, timeout=PATIENCE_S)
        session.settle(PATIENCE_S)
        (letter,) = session.dead_letters
        result.clear()
        try:
            with interrupt:
                session.dead_letters.retry(letter, value=1)
        except KeyboardInterrupt:
            session.resume()  # in order of commands: what was interrupted is over by now, or never will be
        session.settle(PATIENCE_S)
        assert (list(result), list(session.dead_letters)) in (([1], []), ([], [letter]))
        if session.dead_letters:
            session.dead_letters.retry(letter, value=1)  # nobody else is at it any more
            session.settle(PATIENCE_S)

    retry(all_of_it := Interrupt(inf))
    for interrupt in interrupts(places(all_of_it.count)):
        with told(partial("interrupted before bytecode {} of {}".format, interrupt.number, all_of_it.count)):
            retry(interrupt)
    session.cancel()
    session.close(PATIENCE_S)


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_a_discard_that_is_interrupted_at_any_bytecode_keeps_nobody_from_the_letter(options: dict[str, Any]) -> None:
    session = Session("job", on_error="skip", **options)
    session.input("numbers").map(lambda value: 1 // value, name="work").collect(name="out")
    session.start()

    def discard(interrupt: Interrupt) -> None:
        session.send("numbers", 0, timeout=PATIENCE_S)
        session.settle(PATIENCE_S)
        try:
            with interrupt:
                session.dead_letters.discard(0)
        except KeyboardInterrupt:
            session.dead_letters.discard_all()
        assert not session.dead_letters

    discard(all_of_it := Interrupt(inf))
    for interrupt in interrupts(places(all_of_it.count)):
        with told(partial("interrupted before bytecode {} of {}".format, interrupt.number, all_of_it.count)):
            discard(interrupt)
    session.cancel()
    session.close(PATIENCE_S)


BOMBARDED = """
    import os, signal, subprocess, sys, threading
    import runtime
    from runtime import JobPaused
    from runtime.testing import PATIENCE_S

    wanted, what = int(sys.argv[1]), sys.argv[2]
    killer = "import os, random, sys, time\\nwhile True:\\n time.sleep(random.random() * 0.002)\\n "
    killer += "os.kill(int(sys.argv[1]), 2)"

    class Echo:
        def process(self, value):
            return value

    def paused_and_resumed():
        session.pause()
        session.resume()

    def stepped():
        session.pause()
        session.step(None, 3)
        session.resume()

    def sent():
        session.send("numbers", 1, timeout=PATIENCE_S)

    def waited():
        try:
            session.wait(0.01)
        except (TimeoutError, JobPaused):
            pass

    def lived():
        other = runtime.Session("other")
        try:
            other.source(range(3)).map(abs).collect()
            other.run(timeout=PATIENCE_S)
        finally:
            while True:
                try:
                    other.close(5)
                    break
                except KeyboardInterrupt:
                    pass

    def called():
        session.call("echo", 1)

    def settled():
        session.settle(timeout=PATIENCE_S)

    commands = dict(settled=settled, paused=paused_and_resumed, stepped=stepped, sent=sent, waited=waited, lived=lived,
                    called=called)
    session = runtime.Session("bombarded")
    session.service("echo", Echo)
    result = session.input("numbers").map(abs, name="work").collect()
    session.start()
    command = commands[what]
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    bomber = subprocess.Popen([sys.executable, "-c", killer, str(os.getpid())])
    armed, heard, done = False, 0, 0

    def interrupt(*_):
        global armed
        if armed:
            armed = False
            raise KeyboardInterrupt

    signal.signal(signal.SIGINT, interrupt)
    while heard < wanted or not done:
        try:
            armed = True
            command()
            armed = False
            done += 1
        except KeyboardInterrupt:
            heard += 1
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    bomber.kill()
    bomber.wait()
    session.resume()
    session.settle(timeout=PATIENCE_S)
    before = session.snapshot()["numbers"].processed
    session.send("numbers", 1)
    assert session.call("echo", 5, timeout=PATIENCE_S) == 5
    session.settle(timeout=PATIENCE_S)
    session.pause(timeout=PATIENCE_S)
    session.resume()
    session.end("numbers")
    outcome = session.wait(60)
    assert len(result) == before + 1 == session.snapshot()["work"].processed, (len(result), before)
    try:
        session.services["echo"](1)
        raise AssertionError("a service that has stopped answers")
    except runtime.ServiceStopped:
        pass
    session.close(5)
    left = [thread.name for thread in threading.enumerate() if thread is not threading.main_thread()]
    assert not left, left
    print(heard, "interrupts,", done, "done,", outcome)
"""

HEARD: Final = some(60, of=600)
"""How many interrupts have to be heard."""


@pytest.mark.parametrize("what", ["settled", "paused", "stepped", "sent", "waited", "lived", "called"])
def test_a_session_that_is_bombarded_with_interrupts_stays_usable(what: str) -> None:
    run = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(BOMBARDED), str(HEARD), what],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-4000:]
    # (Python itself tells of an interrupt that falls into a finalizer of its own, on the main thread.)
    assert "Exception in thread" not in run.stderr, run.stderr[-4000:]
