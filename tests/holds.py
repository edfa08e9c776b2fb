"""What tests of held packets share: a job of three operators, and how it is brought to a hold and on from there."""

from __future__ import annotations

from typing import Any, Final

import pytest

import runtime
from runtime import JobHeld
from runtime.testing import PATIENCE_S

EIGHT: Final = list(range(8))


def work(session: runtime.Session, function: Any, **settings: Any) -> runtime.Collected[Any]:
    """`numbers → work → out`, eight of them."""
    settings = {"on_error": "hold", "name": "work", **settings}
    return session.source(lambda: iter(EIGHT), name="numbers").map(function, **settings).collect(name="out")


def hold(session: runtime.Session) -> tuple[runtime.Held, ...]:
    """Run until something is held."""
    if session.run_number == 0:
        session.start()
    with pytest.raises(JobHeld):
        session.wait(PATIENCE_S)
    return session.held


def finish(session: runtime.Session) -> runtime.Outcome:
    """Resume to the end."""
    session.resume()
    return session.wait(PATIENCE_S)


def raises_at_three(value: int) -> int:
    """For another process."""
    if value == 3:
        raise ValueError("no 3")
    return value
