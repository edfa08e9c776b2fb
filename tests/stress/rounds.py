"""What the stress tests share: how long a round may take, how a hang is told, packets that can be told apart.

Knows sessions and nothing of a single race. Nothing here sleeps in order to wait: `give_way` offers the processor to
another thread and returns.
"""

from __future__ import annotations

import itertools
import os
import random
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import pytest

from runtime import Session
from runtime.factory import local_backend
from tests.effort import some

ROUNDS: Final = 500
SHARE: Final = 0.3  # of the rounds that a normal run plays
PATIENCE_S: Final = float(os.environ.get("STRESS_PATIENCE_S", "20"))
"""After how long a round counts as hung. tests/mutants.py, where hangs are the rule, makes it shorter."""

Packet = tuple[int, int]
"""Who made it, and its number there."""


def repeat(play: Callable[[random.Random], None], rounds: int = ROUNDS, share: float = SHARE) -> None:
    """Play rounds, each with dice of its own; a failure names the seed. `STRESS_SEED` plays that one only.

    So many in a long run (tests/effort.py), and a share of them in a normal one.

    In every other round nothing is chained: chains keep packets out of lanes, and those are what is under stress.
    """
    only = os.environ.get("STRESS_SEED")
    rounds = some(max(1, round(rounds * share)), of=rounds)
    for seed in range(rounds) if only is None else itertools.repeat(int(only), rounds):
        try:
            with pytest.MonkeyPatch.context() as patch:
                if seed % 2:
                    patch.setattr(local_backend, "chains_of", lambda tasks, watch: [])
                play(random.Random(seed))
        except BaseException as error:
            error.add_note(f"seed {seed}")
            raise


@contextmanager
def told(standing: Callable[[], object]) -> Iterator[None]:
    """Say with a failure where everything stood."""
    try:
        yield
    except BaseException as error:
        error.add_note(str(standing()))
        raise


@contextmanager
def one_round(session: Session) -> Iterator[None]:
    """A round of `session`: closed behind it, with no thread left; or told with all that is known."""
    with told(lambda: (list(session.snapshot()), session.events[-5:])):
        try:
            yield
        except BaseException:
            with warnings.catch_warnings():  # that something is stuck is known already
                warnings.simplefilter("ignore")
                session.close(0.2)
            raise
        session.close(PATIENCE_S)
        assert not (left := threads_of(session)), f"threads left behind: {left}"


def threads_of(session: Session) -> list[str]:
    """The names of the session's threads that are still alive."""
    return [thread.name for thread in threading.enumerate() if thread.name.startswith(f"{session.name}/")]


def give_way() -> None:
    """Let another thread run, here, between two packets. Waits for nothing."""
    time.sleep(0)


def spin(rng: random.Random, longest: int = 400) -> None:
    """Pass a random bit of time, so that what follows falls on another instruction of the other threads each time."""
    for _ in range(rng.randrange(longest)):
        pass


def numbers(producer: int, count: int | None = None, pause_every: int = 0) -> Iterator[Packet]:
    """`count` packets of one producer, without one as many as are wanted; at every so many another thread may run."""
    for number in range(count) if count is not None else itertools.count():
        if pause_every and number % pause_every == 0:
            give_way()
        yield producer, number


class Moment:
    """Comes once, when `pass_by` is called for the `number`-th time, by whichever thread."""

    def __init__(self, number: int, then: Callable[[], None] | None = None) -> None:
        self._number, self._then = number, then
        self._count = itertools.count(1).__next__
        self._reached = threading.Event()

    def pass_by(self) -> None:
        """One more packet, or whatever is counted."""
        if self._count() == self._number:
            self._reached.set()
            if self._then is not None:
                self._then()

    def wait(self) -> None:
        """Wait for it; that it does not come is a failure."""
        assert self._reached.wait(PATIENCE_S), "hung: the moment has not come"


class Helper:
    """A thread of the test's own. Its failure is the test's, and so is that it does not end."""

    def __init__(self, work: Callable[[], None]) -> None:
        self._work = work
        self._thread = threading.Thread(target=self._run, name="helper", daemon=True)
        self._error: BaseException | None = None

    def _run(self) -> None:
        try:
            self._work()
        except BaseException as error:  # noqa: BLE001  # told by join()
            self._error = error

    def __enter__(self) -> Helper:
        self._thread.start()
        return self

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if error is None:
            self.join()

    def join(self) -> None:
        """Wait for its end."""
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive(), "hung: a thread that gave commands does not come back"
        if self._error is not None:
            raise self._error


def in_order(packets: list[Packet], producer: int) -> list[int]:
    """The numbers of one producer's packets, as they came."""
    return [number for each, number in packets if each == producer]
