"""Makes threads change all the time while a stress test runs. Knows no test."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import runtime
from runtime.scheduling.parker import Parker

EAGER_S = 1e-5


@pytest.fixture(autouse=True)
def _threads_change_all_the_time() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(EAGER_S)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


@pytest.fixture(scope="session", autouse=True)
def _the_copy_is_what_runs() -> None:
    """Under tests/mutants.py: the runtime under test is the one with the bug in it, not the working tree's."""
    if (tree := os.environ.get("STRESS_TREE")) is not None:
        assert Path(runtime.__file__).is_relative_to(tree), f"{runtime.__file__} is not in {tree}"


@pytest.fixture(autouse=True)
def no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A writer that is held back looks again after a while, by itself: that would hide a wake-up that was lost."""
    monkeypatch.setattr(Parker, "patience_s", -1.0)


def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool:
    """Run a test in a generator, which has a place of its own for the error that is being handled.

    An interrupt that comes where an `except` block is left keeps its error there, and it would be shown as the context
    of every later one. Ctrl-C is heard nowhere in such a place.
    """

    def test() -> Iterator[None]:
        arguments = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}
        yield pyfuncitem.obj(**arguments)

    next(test())
    return True
