"""Chains that all hands open at once: each at another task, with a tiny switch interval.

Nothing is lost, doubled or reordered, what is peeked at is what comes next, all counts fit together at the end, an
error names its task and its packet. `OPENINGS=100000` for a long run; else it is so many rounds, however often a slow
machine comes to open anything in one.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from itertools import count, pairwise
from random import Random
from typing import Any, Final

import pytest

import runtime
from runtime import Session
from runtime.chain import pace
from runtime.factory import local_backend
from tests.effort import some
from tests.stress.rounds import PATIENCE_S, Helper, give_way, one_round

OPENINGS: Final = int(os.environ.get("OPENINGS", "0"))
ROUNDS: Final = some(8, of=25)
NUMBERS: Final = 4_000
TASKS: Final = ("numbers", "more", "several", "some", "double", "got")


@contextmanager
def often() -> Iterator[list[int]]:
    """While this lasts, chains are closed again at once. A list that is as long as they were opened often."""
    openings: list[int] = []
    opens = pace.Pace.open

    def opened(self: pace.Pace) -> None:
        openings.append(1)
        opens(self)

    with pytest.MonkeyPatch.context() as patch:
        for name in ("SOON_S", "STARTS_OPEN_S", "SLOW_PAUSE_S"):
            patch.setattr(pace, name, 0.0)
        patch.setattr(pace, "LATEST_S", 0.0002)
        patch.setattr(pace.Pace, "open", opened)
        yield openings


def expected(numbers: int) -> list[int]:
    return [each * 2 for n in range(1, numbers + 1) for each in [n] * (n % 3) if each % 2 == 0 or each % 5]


class Round:
    """One job, and the hands that open it. `bad` is the number at which `double` fails, if it does."""

    def __init__(self, rng: Random) -> None:
        self.rng, self.bad = rng, rng.choice((None, None, rng.randrange(NUMBERS)))
        self.naps = rng.choice((0, 400))  # how many packets come between two that wait
        self.session = Session(capacity=rng.choice((1, 4, 64, 1024)))
        self.got: list[Any] = []
        source = range(NUMBERS) if rng.random() < 0.5 else self.generate
        (
            self.session.source(source, name="numbers")
            .map(lambda number: number + 1, name="more")
            .flat_map(lambda number: [number] * (number % 3), name="several")
            .filter(lambda number: number % 2 == 0 or number % 5, name="some")
            .map(self.double, name="double")
            .sink(self.got.append, name="got")
        )

    def generate(self) -> Iterator[int]:
        thread = threading.get_ident()
        for number in range(NUMBERS):
            assert threading.get_ident() == thread, "it was moved"
            yield number

    def double(self, number: int) -> int:
        if number == self.bad:
            raise ValueError(number)
        if self.naps and number % self.naps == 0:
            threading.Event().wait(0.003)
        return number * 2

    def goes_on(self) -> bool:
        return self.session.outcome is None

    # ── the hands, each on a thread of its own ──

    def pause(self, task: str, _: Random) -> None:
        self.session.pause(task, timeout=0.01)
        self.session.resume(task)

    def step(self, task: str, rng: Random) -> None:
        self.session.pause(task, timeout=0.01)
        for _ in range(rng.randint(1, 3)):
            self.session.step(task, timeout=0.01)
        self.session.resume(task)

    def tap(self, task: str, _: Random) -> None:
        with self.session.tap(task):
            give_way()

    def stop_before(self, task: str, rng: Random) -> None:
        if task != "numbers":
            found = self.session.breakpoint(task, lambda _: rng.random() < 0.001)
            give_way()
            found.remove()
            self.session.resume()

    def look(self, task: str, _: Random) -> None:
        facts = self.session.snapshot()
        for before, after in pairwise(TASKS):
            assert facts[before].emitted >= facts[after].processed
        if task != "numbers":
            self.session.peek(task)

    def edit(self, task: str, _: Random) -> None:
        """What is at the front is exchanged by what it is: `peek` has shown what comes next."""
        if task == "numbers":
            return
        self.session.pause(task, timeout=0.01)
        with suppress(runtime.PacketGone, runtime.NotPaused):
            for packet in self.session.peek(task, 1):
                self.session.edit(packet, packet.payload)
        self.session.resume(task)

    def hand(self, act: Callable[[str, Random], None], seed: int) -> Callable[[], None]:
        def work() -> None:
            rng = Random(seed)
            while self.goes_on():
                with suppress(runtime.CommandRefused, runtime.NotPaused, runtime.TaskEnded, TimeoutError):
                    act(rng.choice(TASKS), rng)

        return work

    def play(self) -> None:
        hands = [self.pause, self.step, self.tap, self.stop_before, self.look, self.edit]
        cancels_at = self.rng.choice((None, None, self.rng.randrange(1, 2_000)))
        with one_round(self.session), ExitStack() as helpers:
            self.session.start()
            for act in hands:
                helpers.enter_context(Helper(self.hand(act, self.rng.randrange(10**6))))
            if cancels_at is not None:
                while len(self.got) < cancels_at and self.goes_on():
                    give_way()
                self.session.cancel()
            self.end(cancels_at is not None)
            helpers.close()

    def end(self, is_cancelled: bool) -> None:
        outcome, failed = None, None
        while outcome is None and failed is None:
            try:
                outcome = self.session.wait(PATIENCE_S)
            except runtime.JobPaused:  # by a breakpoint that somebody will remove
                give_way()
            except runtime.TaskFailed as error:
                failed = error
        facts, wanted = self.session.snapshot(), expected(NUMBERS)
        assert self.got == wanted[: len(self.got)], "lost, doubled or reordered"
        for before, after in pairwise(TASKS):
            assert facts[before].emitted == facts[after].processed + facts[after].depth
        if failed is not None:
            assert (failed.task, failed.packet) == ("double", self.bad)
        elif not is_cancelled:
            assert self.bad is None or 2 * self.bad not in wanted
            assert self.got == wanted


def test_chains_that_all_hands_open_at_once_lose_double_and_reorder_nothing() -> None:
    with often() as openings:
        for seed in count():
            try:
                with pytest.MonkeyPatch.context() as patch:
                    if seed % 2:
                        patch.setattr(local_backend, "MANY", -1)  # each thread needs a place to run
                    Round(Random(seed)).play()
            except BaseException as error:
                error.add_note(f"seed {seed}, after {len(openings):,} openings")
                raise
            if seed + 1 >= ROUNDS and len(openings) >= OPENINGS:
                break
        assert openings, "no hand has opened a chain"


def test_a_connection_of_the_head_of_a_chain_survives_every_opening() -> None:
    """SQLite refuses every thread but the one that has made the connection."""
    with often() as openings, Session(capacity=64) as session:

        def rows() -> Iterator[int]:
            with closing(sqlite3.connect(":memory:")) as connection:
                for number in count():
                    yield from (found for (found,) in connection.execute("select ?", (number,)))

        got: list[int] = []
        session.source(rows, name="rows").map(lambda number: number + 1, name="more").sink(got.append)
        session.start()
        while len(openings) < max(OPENINGS, 300):
            session.pause("more")
            session.resume("more")
            done = len(got)
            while len(got) < done + 50:
                give_way()
        session.stop()
        session.wait(PATIENCE_S)
        assert got == list(range(1, len(got) + 1))
