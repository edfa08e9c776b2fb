"""A cell that waits keeps nobody from the mouse: clicks are heard, and a pause by mouse does not end the wait."""

from __future__ import annotations

import sys
from time import monotonic
from typing import Final

import pytest

from tests.jupyter.kernel import Kernel

SESSION: Final = """
import runtime, time
session = runtime.Session("waits")
result = session.input("numbers").map(abs, name="absolute").collect(name="result")
view = session.dashboard()
session.start()
"""
WAITS: Final = {
    "wait": "session.wait()",
    "wait with progress": "session.wait(progress=True)",
    "leaving a block": "with session:\n    session.wait(60)",
    "wait_async": "await session.wait_async()",
}
HEARD_S: Final = 0.2


def begin(notebook: Kernel, code: str) -> str:
    """A cell that has begun."""
    cell = notebook.begin(code)
    notebook.wait_for(lambda each: each["msg_type"] == "execute_input" and each["parent_header"]["msg_id"] == cell)
    return cell


def waiting(notebook: Kernel, code: str) -> tuple[str, str]:
    """A cell that waits; and the widget of the view."""
    notebook.run(SESSION)
    comm = notebook.ask("view.comm.comm_id")
    return begin(notebook, code), comm


@pytest.mark.parametrize("wait", WAITS)
def test_clicks_are_heard_while_a_cell_waits(notebook: Kernel, wait: str) -> None:
    cell, comm = waiting(notebook, WAITS[wait])
    times = []
    for _ in range(5):
        began_s = monotonic()
        notebook.order(comm, "breakpoints")
        times.append(monotonic() - began_s)
    sys.stdout.write(f"heard within {min(times) * 1_000:.0f} to {max(times) * 1_000:.0f} ms\n")
    assert min(times) < HEARD_S
    notebook.order(comm, "inject", task="absolute", value="-3")
    notebook.order(comm, "stop")
    notebook.end(cell)
    assert notebook.ask("list(result)") == [3]


@pytest.mark.parametrize("wait", WAITS)
def test_while_a_person_holds_the_job_waiting_goes_on_and_the_view_says_so(notebook: Kernel, wait: str) -> None:
    cell, comm = waiting(notebook, WAITS[wait])
    notebook.tell(comm, "mount", view="page")
    notebook.order(comm, "pause")
    notebook.order(comm, "inject", task="absolute", value="-3")
    notebook.wait_for(lambda each: '"holding":"all","waited":true' in str(each["content"]))
    notebook.order(comm, "step")
    notebook.order(comm, "resume")
    notebook.order(comm, "stop")
    notebook.end(cell)
    assert notebook.ask("list(result)") == [3]


def test_what_others_say_meanwhile_is_heard_behind_the_cell_in_order(notebook: Kernel) -> None:
    notebook.run("said = []")
    cell, comm = waiting(notebook, "session.wait()\nsaid.append('waited')")
    others = [notebook.begin(f"said.append({number})") for number in range(3)]
    notebook.order(comm, "stop")
    for each in (cell, *others):
        notebook.end(each)
    assert notebook.ask("said") == ["waited", 0, 1, 2]


def test_an_interrupt_ends_the_wait_and_the_kernel_hears_all_again(notebook: Kernel) -> None:
    wait = "try:\n    session.wait()\nexcept KeyboardInterrupt:\n    print('interrupted')"
    cell, comm = waiting(notebook, wait)
    for _ in range(3):
        notebook.order(comm, "breakpoints")
        notebook.interrupt()
        notebook.sees(cell, "interrupted")
        notebook.end(cell)
        assert notebook.ask("session.status") == "running"
        cell = begin(notebook, wait)
    notebook.order(comm, "stop")
    notebook.end(cell)
    assert notebook.ask("session.status") == "stopped"
