"""No remote call while a lock is held: who waits for another process must hold up nobody in this one."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from types import TracebackType
from typing import Any

import pytest
import ray
from ray.actor import ActorMethod

import runtime
from runtime.testing import PATIENCE_S
from tests.remote import functions as far
from tests.remote.shared import SharedMoment

pytestmark = pytest.mark.on_ray

_held = threading.local()
_real_lock, _real_rlock = threading.Lock, threading.RLock


class WatchedLock:
    """A lock that knows where it was made, and which thread holds it."""

    real: Callable[[], Any] = staticmethod(_real_lock)

    def __init__(self) -> None:
        self._lock = self.real()
        code = sys._getframe(1).f_code
        self.where = f"{Path(code.co_filename).name}:{code.co_qualname}"
        self.is_ours = f"{Path(runtime.__file__).parent}" in code.co_filename

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        taken: bool = self._lock.acquire(blocking, timeout)
        if taken and self.is_ours:
            _held.locks = [*getattr(_held, "locks", ()), self.where]
        return taken

    def release(self) -> None:
        if self.is_ours:
            held = list(getattr(_held, "locks", ()))
            held.remove(self.where)
            _held.locks = held
        self._lock.release()

    def locked(self) -> bool:
        locked: bool = self._lock.locked()
        return locked

    def __getattr__(self, name: str) -> Any:
        return getattr(self._lock, name)  # what a condition asks of one that may be taken again

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.release()


class WatchedRLock(WatchedLock):
    """Likewise, of a lock that its holder may take again."""

    real = staticmethod(_real_rlock)


@pytest.fixture
def violations(monkeypatch: pytest.MonkeyPatch) -> set[tuple[str, str]]:
    """Which lock was held at which remote call, from here on, in this process."""
    found: set[tuple[str, str]] = set()

    def watched(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def checked(*arguments: Any, **named: Any) -> Any:
            found.update((where, name) for where in getattr(_held, "locks", ()))
            return call(*arguments, **named)

        return checked

    def waiting(name: str, ask: Callable[..., Any]) -> Callable[..., Any]:
        def checked(future: Future[Any], *arguments: Any) -> Any:
            return (ask if future.done() else watched(name, ask))(future, *arguments)

        return checked

    monkeypatch.setattr(threading, "Lock", WatchedLock)
    monkeypatch.setattr(threading, "RLock", WatchedRLock)
    for name in ("get", "put", "wait", "kill"):
        monkeypatch.setattr(ray, name, watched(name, getattr(ray, name)))
    for name in ("result", "exception"):
        monkeypatch.setattr(Future, name, waiting(name, getattr(Future, name)))
    monkeypatch.setattr(ActorMethod, "remote", watched("remote", ActorMethod.remote))
    return found


def test_no_lock_is_held_at_a_remote_call(violations: set[tuple[str, str]]) -> None:
    under_way = SharedMoment()
    with runtime.Session(platform="remote", capacity=8, on_error="skip") as session:
        session.service("doubles", far.Doubles)
        asked = session.input("in").map(far.Ask("doubles"), name="ask")
        asked.sink(far.same, name="end")
        session.source(far.Endless(3, under_way), name="numbers").map(far.same, name="work").collect(
            limit=5, name="few"
        )
        session.start()
        under_way.wait()
        session.pause(timeout=PATIENCE_S)
        for value in range(3):
            session.send("in", value, timeout=PATIENCE_S)
        for _ in range(2):
            session.step("in", timeout=PATIENCE_S)
        session.settle(PATIENCE_S)
        session.snapshot()
        session.peek("work")
        with session.tap("work"):
            session.breakpoint("work").remove()
        session.drop(session.peek("ask")[0])
        session.undo()
        session.resume()
        assert session.call("doubles", 4, timeout=PATIENCE_S) == 8
        session.stop()
        session.wait(PATIENCE_S)
    assert not violations
