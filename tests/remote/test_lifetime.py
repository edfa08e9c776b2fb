"""Nothing stays: neither after a close, an interrupt or the end of a kernel, nor when a cell is run again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from textwrap import dedent
from time import monotonic

import pytest
import ray

import runtime
from runtime.testing import PATIENCE_S
from runtime.testing.checks import _actors
from tests.remote import functions as far
from tests.remote.shared import SharedMoment

pytestmark = pytest.mark.on_ray

ROOT = Path(__file__).parents[2]


def test_an_interrupt_leaves_the_session_running_and_usable() -> None:
    with runtime.Session(platform="remote") as session:
        result = session.input("numbers").map(far.double, name="double").collect()
        session.start()
        main = threading.main_thread().ident
        assert main is not None
        threading.Timer(0.3, signal.pthread_kill, (main, signal.SIGINT)).start()
        with pytest.raises(KeyboardInterrupt):
            session.wait(PATIENCE_S)
        session.send("numbers", 4)
        session.end("numbers")
        assert session.wait(PATIENCE_S).state == "completed"
        assert list(result) == [8]


def test_a_close_in_the_middle_of_everything_ends_every_actor() -> None:
    under_way = SharedMoment()
    session = runtime.Session(platform="remote", capacity=4)
    session.service("doubles", far.Doubles)
    numbers = session.source(far.Endless(3, under_way), name="numbers")
    numbers.map(far.Ask("doubles"), name="ask").sink(far.WaitForCancel(), name="end")
    session.start()
    under_way.wait()
    assert len(_actors()) == 4
    session.close()
    assert session.outcome is not None
    assert session.outcome.state == "cancelled"


def test_a_task_that_is_stuck_is_killed_and_named() -> None:
    reached = SharedMoment()

    def stick(value: int) -> int:
        reached.set()
        threading.Event().wait()
        return value

    session = runtime.Session(platform="remote")
    session.source(range(3)).map(stick, name="stuck").collect()
    session.start()
    reached.wait()
    with pytest.warns(RuntimeWarning, match="'stuck'"):
        session.close(timeout=1)  # in which the others end
    assert session.outcome is not None
    assert session.outcome.abandoned == ("stuck",)


def test_a_run_can_be_repeated_and_what_it_was_can_be_seen_until_it_is_closed() -> None:
    with runtime.Session(platform="remote") as session:
        result = session.source(["a", "b", "A"]).key_by(str.lower).reduce(_count, initial=0, name="count").collect()
        for _ in range(2):
            session.run(PATIENCE_S)
            assert list(result) == [("a", 1), ("b", 1), ("a", 2)]
            assert session.state("count") == {"a": 2, "b": 1}
            assert session.snapshot()["count"].ending == "completed"


def test_actors_end_with_the_kernel_even_if_that_is_killed() -> None:
    program = """
        import os, runtime
        from tests.remote import functions as far
        session = runtime.Session(platform="remote", ray_address=os.environ["ADDRESS"])
        session.source(far.Endless(), name="numbers").map(far.same).sink(far.same)
        session.start()
        print("started", flush=True)
        session.wait()
    """
    address = ray.get_runtime_context().gcs_address
    kernel = subprocess.Popen(
        [sys.executable, "-c", dedent(program)],
        cwd=ROOT,
        env={**os.environ, "ADDRESS": address},
        stdout=subprocess.PIPE,
        text=True,
    )
    with kernel:
        assert kernel.stdout is not None
        assert kernel.stdout.readline() == "started\n"
        assert len(_actors()) == 3
        kernel.kill()
    deadline = monotonic() + PATIENCE_S
    while _actors() and monotonic() < deadline:
        pass
    assert not _actors()


def _count(number: int, _: str) -> int:
    return number + 1
