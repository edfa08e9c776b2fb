"""The errors travel: from the process where they were raised to the one that has to hear of them."""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Iterable
from typing import Final

import pytest

import runtime
from runtime import errors
from runtime.facts import Outcome


def every_error() -> Iterable[runtime.DataflowError]:
    """One of each class, with what its class is made from."""
    made: dict[type[runtime.DataflowError], runtime.DataflowError] = {
        errors.UnknownName: errors.UnknownName("task", "cuont", ["count", "words"]),
        errors.TaskFailed: errors.TaskFailed("count", (1, 2), ValueError("no"), Outcome("failed", 3, 1)),
    }
    classes = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    for kind in classes:
        if issubclass(kind, runtime.DataflowError):
            yield made.get(kind) or kind(f"a {kind.__name__}")


@pytest.mark.parametrize("error", list(every_error()), ids=lambda error: type(error).__name__)
def test_an_error_is_the_same_in_another_process(error: runtime.DataflowError) -> None:
    error.__cause__ = ValueError("the original")
    error.add_note("where")
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error)
    assert str(copy) == str(error)
    assert vars(copy) == vars(error)
    assert repr(copy.__cause__) == repr(error.__cause__)


IN_IPYTHON: Final = """
from IPython.core.interactiveshell import InteractiveShell
import runtime
shell = InteractiveShell.instance()
shell.run_line_magic("colors", "nocolor")
shell.run_cell('''
import runtime
def broken(value):
    return 1 / value
session = runtime.Session("t")
session.source([0], name="n").map(broken, name="broken").collect()
''')
shell.run_cell("session.run()")
try:
    shell.user_ns["session"].wait()
except runtime.TaskFailed as error:
    import traceback
    print("WHOLE", "/runtime/" in "".join(traceback.format_exception(error)))
"""


def test_ipython_shows_the_frames_of_the_person_and_none_of_the_runtime() -> None:
    run = subprocess.run([sys.executable, "-c", IN_IPYTHON], capture_output=True, text=True, check=True, timeout=100)
    shown, _, whole = run.stdout.partition("WHOLE")
    assert "return 1 / value" in shown, run.stdout + run.stderr
    assert "session.run()" in shown
    assert "TaskFailed: task 'broken' failed on packet 0: ZeroDivisionError: division by zero" in shown
    assert "/runtime/" not in shown
    assert whole.strip() == "True", "they are still there for who asks"
