"""What operators print is seen in the cell that has started the job, or in the view if a page has: never nowhere."""

from __future__ import annotations

from typing import Final

from tests.jupyter.kernel import Kernel

SESSION: Final = """
import runtime, sys
def tell(n):
    print("seen", n)
    print("warned of", n, file=sys.stderr)
    return n
session = runtime.Session("prints")
result = session.input("numbers").map(tell, name="tell").collect(name="result")
view = session.dashboard()
view
"""


def comm_of(notebook: Kernel) -> str:
    comm: str = notebook.ask("view.comm.comm_id")
    return comm


def test_operators_print_into_the_cell_that_has_started_the_job_though_pages_come_and_go(notebook: Kernel) -> None:
    notebook.run(SESSION)
    comm = comm_of(notebook)
    notebook.order(comm, "events")
    notebook.tell(comm, "mount", view="page")
    start = notebook.run("session.start()")
    notebook.tell(comm, "unmount", view="page")
    notebook.tell(comm, "mount", view="page")
    notebook.order(comm, "inject", task="tell", value="1")
    notebook.sees(start, "seen 1\n")
    other = notebook.run("session.send('numbers', 2)")
    notebook.sees(start, "seen 2\n")
    notebook.sees(start, "warned of 2\n")
    assert "seen" not in notebook.printed(other)
    notebook.order(comm, "cancel")


def test_what_a_job_prints_that_a_page_has_started_is_in_the_view(notebook: Kernel) -> None:
    cell = notebook.run(SESSION)
    comm = comm_of(notebook)
    notebook.tell(comm, "mount", view="page")
    notebook.order(comm, "run")
    notebook.order(comm, "inject", task="tell", value="1")
    notebook.wait_for(lambda each: '"printed":2' in str(each["content"].get("data", {}).get("state", {}).get("frame")))
    printed = notebook.order(comm, "printed", first=0)["result"]
    assert sorted(printed["lines"]) == ["seen 1", "warned of 1"]
    assert "seen" not in notebook.printed(cell)
    notebook.order(comm, "cancel")
    after = notebook.run("session.wait(); print('hello')")
    assert notebook.printed(after) == "hello\n", "nothing is left that takes it away"


def test_what_other_threads_print_is_in_the_cell_that_was_run_last(notebook: Kernel) -> None:
    notebook.run(SESSION)
    comm = comm_of(notebook)
    cell = notebook.run(
        "import threading\ngo = threading.Event()\nremove = session.on_change(lambda _: go.set())\n"
        "threading.Thread(target=lambda: go.wait() and print('late')).start()"
    )
    notebook.order(comm, "run")
    notebook.sees(cell, "late\n")
    notebook.order(comm, "cancel")
