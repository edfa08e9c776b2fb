"""Functions for tasks in other processes: of a module, so that they can be pickled, and one that imports little."""

from __future__ import annotations

import os
import select
import signal
import threading
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any, NoReturn

import runtime
from runtime.communication.queue_descriptor import QueueDescriptor
from runtime.communication.signals import StopSignal
from runtime.scheduling.parker import Parker
from runtime.scheduling.quiescence import QuiescenceMonitor

PATIENCE_S = 20.0


class RemoteMoment:
    """An event that processes share: a pipe with a name. `wait` raises `AssertionError` instead of hanging a test.

    The first to use it should be the test, until `close`: a byte in a pipe that nobody has open is lost.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        os.mkfifo(path)
        self._opened: int | None = None
        self._pipe()

    def __getstate__(self) -> dict[str, Any]:
        return {"_path": self._path, "_opened": None}

    def _pipe(self) -> int:
        if self._opened is None:
            self._opened = os.open(self._path, os.O_RDWR)  # for both, so that opening does not wait for another
        return self._opened

    def set(self) -> None:
        """Let it come."""
        os.write(self._pipe(), b".")

    def wait(self) -> None:
        """Wait until it is set."""
        if not select.select([self._pipe()], [], [], PATIENCE_S)[0]:
            raise AssertionError(f"{self._path.name} has not come within {PATIENCE_S} s")

    def close(self) -> None:
        """Forget it."""
        os.close(self._pipe())


class RemoteHold(runtime.Function[int, int]):
    """Returns what it gets; at the packet `at` it waits for `release`."""

    def __init__(self, at: int, release: RemoteMoment) -> None:
        self.at, self.release = at, release

    def process(self, value: int, /) -> int:
        if value == self.at:
            self.release.wait()
        return value


class WaitForCancel(runtime.Function[int, int]):
    """Stays in its packet until the task is to end."""

    def process(self, value: int, /) -> int:
        assert self.ctx.stopping.wait(PATIENCE_S)
        return value


class Stuck(runtime.Function[int, int]):
    """Never comes back; `reached` comes when it has begun not to."""

    def __init__(self, reached: RemoteMoment) -> None:
        self.reached = reached

    def process(self, value: int, /) -> int:
        self.reached.set()
        threading.Event().wait()
        return value


class SumAtEnd(runtime.Function[int, list[int]]):
    """Sends nothing but the sum, at the end of the input."""

    def open(self, ctx: Any) -> None:
        self.sum = 0

    def process(self, value: int, /) -> list[int]:
        self.sum += value
        return []

    def finish(self) -> Iterator[int]:
        yield self.sum


class NumberedSource(runtime.SourceFunction[tuple[int, int]]):
    """(index of the instance, 0), (index, 1) … `length` in all, or without end."""

    def __init__(self, length: int | None = None) -> None:
        self.length = length

    def run(self) -> Iterator[tuple[int, int]]:
        for number in count() if self.length is None else range(self.length):
            yield self.ctx.index, number


class TellingSource(runtime.SourceFunction[int]):
    """0, 1, 2 … without end; `reached` comes when it is asked for `at`."""

    def __init__(self, at: int, reached: RemoteMoment) -> None:
        self.at, self.reached = at, reached

    def run(self) -> Iterator[int]:
        for number in count():
            if number == self.at:
                self.reached.set()
            yield number


class TooBig(Exception):
    """An error with arguments of its own, that pickles all the same."""

    def __init__(self, value: int, limit: int) -> None:
        super().__init__(value, limit)
        self.value, self.limit = value, limit


class LocalOnly(Exception):
    """An error that cannot be pickled."""

    def __init__(self, text: str) -> None:
        super().__init__(text, threading.Lock())


class ArrivesBroken:
    """A packet that can be pickled, and not unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _refuse, ()


def _refuse() -> NoReturn:
    raise LookupError("not in this process")


def same(value: Any) -> Any:
    return value


def double(value: int) -> int:
    return 2 * value


def add(total: int, value: int) -> int:
    return total + value


def instance(value: tuple[int, int]) -> int:
    return value[0]


def instance_number(value: tuple[int, int]) -> int:
    return value[1]


def mod_7(value: int) -> int:
    return value % 7


def with_process(value: int) -> tuple[int, int]:
    return value, os.getpid()


def key_and_process(seen: frozenset[int], _: int) -> frozenset[int]:
    return seen | {os.getpid()}


def at_most_10(value: int) -> int:
    if value > 10:
        raise TooBig(value, 10)
    return value


def fail_here_only(value: int) -> int:
    raise LocalOnly(f"at {value}")


def leave(value: int) -> NoReturn:
    raise SystemExit(3)


def make_lock(value: int) -> Any:
    return threading.Lock() if value == 3 else value


def make_broken(value: int) -> Any:
    return ArrivesBroken() if value == 3 else value


def die(value: int) -> int:
    if value == 5:
        os.kill(os.getpid(), signal.SIGKILL)
    return value


def fill(queue: QueueDescriptor, count: int) -> None:
    """Fill the first lane of a queue from here, and end it."""
    lane = queue.open_lane(0, Parker(QuiescenceMonitor()))
    for number in range(count):
        lane.put(number)
    lane.put_signal(StopSignal("elsewhere", "completed"))


class Where:
    """A service that says in which process it is."""

    def process(self) -> int:
        return os.getpid()


class AsksWhere(runtime.Function[int, tuple[int, int, int]]):
    """What it gets, its own process, and that of the service."""

    def process(self, value: int, /) -> tuple[int, int, int]:
        return value, os.getpid(), self.ctx.call_service("where")
