"""In a real kernel: a cell run twice replaces its session, and an interrupt of a command leaves the job as it was."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager

from runtime.testing import PATIENCE_S

START_S = 60


@dataclass(frozen=True)
class Reply:
    """What a cell printed, the text of its value, and the name of the error that ended it."""

    printed: str
    value: str | None
    error: str | None


class Kernel:
    """One IPython kernel on the loopback interface, used as a notebook uses it."""

    def __init__(self) -> None:
        self._manager = KernelManager(kernel_name="python3", ip="127.0.0.1")
        self._manager.start_kernel(extra_arguments=["--HistoryManager.enabled=False"])  # no file that comes and goes
        self._pid = int(getattr(self._manager.provisioner, "pid"))  # noqa: B009  a local kernel's provisioner has one
        self._client: BlockingKernelClient = self._manager.client()
        # Without the heart beat, which opens new sockets whenever the kernel has not answered it for a second.
        self._client.start_channels(hb=False)
        self._client.wait_for_ready(timeout=START_S)

    def run(self, cell: str, *, interrupt_at: str | None = None) -> Reply:
        """Run a cell to its end; send the kernel an interrupt once the cell has printed `interrupt_at`.

        The cell must not flush what it prints (the kernel sends it by itself, soon): an interrupt that comes while it
        waits for that can leave a lock of the kernel's output held (the one of a `threading.Event`), and it is mute.
        Nor may it fall on a finalizer, where Python ignores it: what there is to be collected is before.
        """
        if interrupt_at is not None:
            self.run("__import__('gc').collect()")
        printed: list[str] = []
        value: list[str] = []

        def hear(message: dict[str, Any]) -> None:
            content = message["content"]
            if message["msg_type"] == "stream":
                printed.append(content["text"])
                if interrupt_at is not None and interrupt_at in content["text"]:
                    os.kill(self._pid, signal.SIGINT)  # what the interrupt button does, without a thread to do it
            elif message["msg_type"] == "execute_result":
                value.append(content["data"]["text/plain"])

        reply = self._client.execute_interactive(cell, timeout=PATIENCE_S, output_hook=hear, allow_stdin=False)
        error = reply["content"].get("ename")
        return Reply("".join(printed), value[0] if value else None, error)

    def value(self, expression: str) -> str | None:
        """The repr of an expression's value."""
        reply = self.run(expression)
        assert reply.error is None, reply
        return reply.value

    def close(self) -> None:
        self._client.stop_channels()
        self._manager.shutdown_kernel(now=True)
        self._manager.cleanup_resources()
        self._client.context.term()


@pytest.fixture(scope="module")
def kernel() -> Iterator[Kernel]:
    kernel = Kernel()
    try:
        yield kernel
    finally:
        kernel.close()


@pytest.fixture(autouse=True)
def clean(kernel: Kernel) -> Iterator[None]:
    yield
    kernel.run("for each in list(globals().values()):\n    if type(each).__name__ == 'Session':\n        each.close()")


CELL = """
import itertools, threading, runtime
session = runtime.Session("words", capacity=4)
numbers = session.source(itertools.count, name="numbers").map(lambda value: value, parallelism=3)
numbers.sink(lambda value: None)
session.start()
sessions = globals().setdefault("sessions", []) + [session]
print(session.status)
"""
THREADS = "[thread.name for thread in threading.enumerate() if thread.name.startswith('words/')]"


def test_a_cell_that_is_run_again_replaces_its_session_and_no_thread_stays(kernel: Kernel) -> None:
    kernel.run("import os, threading\ndef held(): return len(os.listdir('/proc/self/fd')), threading.active_count()")
    assert kernel.run(CELL) == Reply("running\n", None, None)
    kernel.run("before = held()")
    for again in range(3):
        assert kernel.run(CELL) == Reply("running\n", None, None)
        assert kernel.value("[each.status for each in sessions]") == repr(["cancelled"] * (again + 1) + ["running"])
        assert kernel.value(f"len({THREADS})") == "5"
        assert kernel.value("[more <= less for more, less in zip(held(), before)]") == "[True, True]"
    kernel.run("session.close()")
    assert kernel.value(THREADS) == "[]"


AGAIN = """
import itertools, runtime
class Doubles:
    def process(self, value): return value * 2
class Ask(runtime.Function):
    def process(self, value): return self.ctx.call_service("doubles", value)
session = runtime.Session("again", capacity=4)
session.service("doubles", Doubles, concurrency=2)
numbers = session.source(itertools.count, name="numbers").map(Ask(), name="ask", parallelism=3)
numbers.sink(lambda value: None, name="show")
"""
STATES = {
    "new": ("", "cancelled"),
    "started paused": ("session.start(paused=True)", "cancelled"),
    "running": ("session.start()", "cancelled"),
    "paused": ("session.start(); session.pause()", "cancelled"),
    "paused in part": ("session.start(); session.pause('show')", "cancelled"),
    "in a step": ("session.start(paused=True); print(session.step(), session.step())", "cancelled"),
    "at a breakpoint": ("session.start(); session.breakpoint('show').wait(20)", "cancelled"),
    "draining": (
        "session.start(); session.pause('show'); session.stop(); session.settle(20)",
        "cancelled",
    ),
    "ended": ("session.start(); session.stop(); session.wait(20)", "stopped"),
    "closed": ("session.start(); session.close()", "cancelled"),
    "failed": ("session.start(paused=True); session.inject('ask', {}); session.resume(); session.settle(20)", "failed"),
}
OWN_THREADS = "[thread for thread in threading.enumerate() if thread.name.startswith('again/')]"


@pytest.mark.parametrize("state", STATES)
def test_a_cell_that_is_run_again_in_any_state_replaces_its_session_and_no_thread_stays(
    kernel: Kernel, state: str
) -> None:
    command, ending = STATES[state]
    cell = f"{AGAIN}{command}\nsessions = globals().setdefault('sessions', []) + [session]"
    kernel.run("import threading\nsessions = []")
    assert kernel.run(cell).error is None
    for again in range(1, 3):
        kernel.run(f"older = {OWN_THREADS}")
        assert kernel.run(cell).error is None
        assert kernel.value("[each.status for each in sessions[:-1]]") == repr([ending] * again)
        assert kernel.value("[thread.name for thread in older if thread.is_alive()]") == "[]"
    assert kernel.run("session.close()").error is None
    assert kernel.value(OWN_THREADS) == "[]"


def test_sessions_of_other_names_and_without_names_are_left_alone(kernel: Kernel) -> None:
    cell = """
import runtime
made = []
for name in ("a", "b", None, None):
    made.append(runtime.Session(name))
    made[-1].input("in").collect()
    made[-1].start()
"""
    kernel.run(cell)
    assert kernel.value("[each.status for each in made]") == repr(["running"] * 4)
    kernel.run("new = runtime.Session('b')")
    assert kernel.value("[each.status for each in made]") == repr(["running", "cancelled", "running", "running"])
    kernel.run("for each in made: each.close()")


@pytest.mark.parametrize("wait", ["session.wait()", "session.wait(60)", "session.settle()", "session.run()"])
def test_an_interrupt_during_wait_leaves_the_session_running_and_usable(kernel: Kernel, wait: str) -> None:
    kernel.run(
        "import runtime\n"
        "session = runtime.Session('waited')\n"
        "busy = __import__('threading').Event()\n"
        "result = session.input('in').map(lambda value: busy.wait(60) and value).collect()"
    )
    if "run" not in wait:
        kernel.run("session.start(); session.send('in', 1)")
    reply = kernel.run(f"print('waiting')\n{wait}", interrupt_at="waiting")
    assert reply.error == "KeyboardInterrupt"
    if "run" in wait:
        if kernel.value("session.status") != "'running'":  # it came before `run()` had started everything
            assert kernel.value("session.status") in ("'new'", "'cancelled'")
            kernel.run("session.start()")
        kernel.run("session.send('in', 1)")
    assert kernel.value("session.status") == "'running'"
    kernel.run("busy.set(); session.send('in', 2)")
    assert kernel.run("session.settle(20)").error is None
    assert kernel.value("list(result)") == "[1, 2]"
    assert kernel.run("session.stop()").error is None
    assert kernel.value("session.wait(20)") == "Outcome(stopped: 2 in, 2 out)"


HELD = """
import runtime, signal, threading
go = threading.Event()
def interrupt_and_wait(value):  # what the interrupt button does, at a moment when the cell surely waits
    if not go.is_set():
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
        go.wait(60)
    return value * 2
class Doubles:
    process = staticmethod(interrupt_and_wait)
session = runtime.Session("held")
session.service("doubles", Doubles)
result = session.input("in").map(interrupt_and_wait, name="work").collect(name="result")
"""
STEPS = [
    "session.step('work', timeout=60)",
    "session.step(timeout=60)",
    "session.step('work', 3, timeout=60)",
    "session.step_through(lambda step: False, timeout=60)",
    "session.follow(session.peek('work')[0], timeout=60)",
]


@pytest.mark.parametrize("command", STEPS)
def test_an_interrupt_during_step_leaves_the_packet_where_it_is_and_the_session_usable(
    kernel: Kernel, command: str
) -> None:
    kernel.run(f"{HELD}session.start(paused=True)\nfor value in (1, 2): session.inject('work', value)")
    assert kernel.run(command).error == "KeyboardInterrupt"
    assert kernel.value("session.status") == "'running'"
    assert kernel.value("session.peek('work')") == "QueueView(work, 1 of 1,024: 2)"
    assert kernel.value("session.step('work', timeout=0)") == "Step(work: 1 still in user code)"
    kernel.run("go.set()")
    assert kernel.value("session.step('work')") == "Step(work: 1 -> 2 to result)"  # the turn that was interrupted
    assert kernel.value("session.step()") == "Step(result: 2)"
    assert kernel.value("session.follow(session.peek('work')[0])") == "work: 2 -> 4 to result\n└─ result: 4"
    assert kernel.run("session.resume(); session.end('in')").error is None
    assert kernel.value("session.wait(20), list(result)") == "(Outcome(completed: 2 in, 2 out), [2, 4])"


@pytest.mark.parametrize(
    "command", ["session.call('doubles', 1, timeout=60)", "session.services['doubles'].process(1)"]
)
def test_an_interrupt_during_call_gives_up_the_call_and_nothing_else(kernel: Kernel, command: str) -> None:
    kernel.run(f"{HELD}session.start()")
    assert kernel.run(command).error == "KeyboardInterrupt"
    assert kernel.value("session.status") == "'running'"
    kernel.run("go.set()")
    assert kernel.value("session.call('doubles', 2, timeout=20)") == "4"
    kernel.run("session.send('in', 3); session.end('in')")
    assert kernel.value("session.wait(20), list(result)") == "(Outcome(completed: 1 in, 1 out), [6])"


def test_a_cell_may_await_the_end_while_the_kernel_stays_free(kernel: Kernel) -> None:
    kernel.run("import asyncio, runtime\nsession = runtime.Session('awaited')\nresult = session.input('in').collect()")
    cell = """
session.start()
waiting = asyncio.ensure_future(session.wait_async(20))
await asyncio.sleep(0)
session.send("in", 1)
session.end("in")
await waiting
"""
    assert kernel.value(cell) == "Outcome(completed: 1 in, 1 out)"


NO_FACE = """
import importlib.metadata, runtime.reporting.face
offered, importlib.metadata.entry_points = importlib.metadata.entry_points, lambda **group: ()
runtime.reporting.face._face.cache_clear()
"""
FACE = "importlib.metadata.entry_points = offered; runtime.reporting.face._face.cache_clear()"


def test_a_session_is_text_where_nobody_offers_a_picture(kernel: Kernel) -> None:
    kernel.run("import runtime\nsession = runtime.Session('shown')\nsession.source([1]).collect()")
    assert kernel.run(NO_FACE).error is None
    try:
        assert kernel.value("session") == "Session('shown': 2 operators, 2 tasks)"
    finally:
        kernel.run(FACE)
