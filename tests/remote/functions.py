"""User code for tests on Ray: of a module, or of none, where a test says so."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from itertools import count
from typing import Any, NoReturn

import ray
from ray.exceptions import ActorUnavailableError

import runtime
from runtime.remote.channel import Channel
from runtime.remote.endpoint import ENDPOINTS
from tests.remote.shared import SharedLog, SharedMoment


class DiesWhenMade(runtime.Function[int, int]):
    """Ends its process a while after it was made there, if that is another one than it comes from."""

    def __init__(self, delay_s: float) -> None:
        self.delay_s, self.home = delay_s, os.getpid()

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        if self.home == os.getpid():  # a copy
            return
        if self.delay_s:
            threading.Timer(self.delay_s, die).start()
        else:
            die()

    def process(self, value: int, /) -> int:
        time.sleep(0.01)
        return value


class TooBig(Exception):
    """An error with arguments of its own."""

    def __init__(self, value: int, limit: int) -> None:
        super().__init__(value, limit)
        self.value, self.limit = value, limit


class LocalOnly(Exception):
    """An error that cannot be pickled."""

    def __init__(self, text: str) -> None:
        super().__init__(text, threading.Lock())


class NeedsTwo(Exception):
    """An error that can be pickled, and not unpickled: it is made from two arguments, and says one."""

    def __init__(self, what: str, number: int) -> None:
        super().__init__(f"{what} {number}")
        self.number = number


class ExitsWhenPickled(Exception):
    """An error, or a value, that raises something which is no `Exception` when it is pickled."""

    def __reduce__(self) -> NoReturn:
        raise SystemExit(3)


class ArrivesBroken:
    """A packet that can be pickled, and not unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _refuse, ()


class AsksRay:
    """What cannot be pickled, or unpickled, before Ray has answered."""

    def __init__(self, when: str) -> None:
        self.when = when

    def __reduce__(self) -> tuple[Any, ...]:
        if self.when == "pickled":
            _ask_ray()
            return str, ("answered",)
        return _ask_ray, ()


def _ask_ray() -> str:
    remote: Any = ray.remote(num_cpus=0)(_answer)
    text: str = ray.get(remote.remote())
    return text


def _answer() -> str:
    time.sleep(0.02)  # so that other mail comes meanwhile
    return "answered"


class AsksRayIn(runtime.Function[Any, Any]):
    """Such packets."""

    def __init__(self, when: str) -> None:
        self.when = when

    def process(self, value: Any, /) -> Any:
        return AsksRay(self.when)


def _refuse() -> NoReturn:
    raise LookupError("not in this process")


class Endless(runtime.SourceFunction[int]):
    """0, 1, 2 … without end; `reached` comes when it is asked for `at`."""

    def __init__(self, at: int = 0, reached: SharedMoment | None = None) -> None:
        self.at, self.reached = at, reached

    def run(self) -> Iterator[int]:
        for number in count():
            if number == self.at and self.reached is not None:
                self.reached.set()
            yield number


class ToldWhen(runtime.SourceFunction[float]):
    """One packet each time it is told to: the time."""

    def __init__(self, moments: list[SharedMoment]) -> None:
        self.moments = moments

    def run(self) -> Iterator[float]:
        for moment in self.moments:
            moment.wait()
            yield time.monotonic()


class Note(runtime.Function[Any, Any]):
    """Writes down what it gets, with the time."""

    def __init__(self, log: SharedLog) -> None:
        self.log = log

    def process(self, value: Any, /) -> Any:
        self.log.append((value, time.monotonic()))
        return value


class Slow(runtime.Function[int, int]):
    """A packet a while."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def process(self, value: int, /) -> int:
        time.sleep(self.seconds)
        return value


class WaitForCancel(runtime.Function[int, int]):
    """Stays in its packet until the task is to end."""

    def process(self, value: int, /) -> int:
        self.ctx.stopping.wait()
        return value


class SendNonsense(runtime.Function[Any, Any]):
    """Passes what it gets, and sends once, to the process of `peer`, what nobody there understands."""

    def __init__(self, peer: str) -> None:
        self.peer = peer

    def process(self, value: Any, /) -> Any:
        if value == 0:
            (endpoint,) = ENDPOINTS.values()
            endpoint.post(self.peer, ("no such verb",))
        return value


class CutOff(runtime.Function[Any, Any]):
    """Passes what it gets; at `at`, whatever is sent from its process to that of `peer` is lost from then on.

    If Ray `notices`, it says that the other one does not answer, for now.
    """

    def __init__(self, peer: str, at: int, *, asks: bool = False, notices: bool = False) -> None:
        self.peer, self.at, self.asks, self.notices = peer, at, asks, notices

    def process(self, value: Any, /) -> Any:
        if value == self.at:
            (endpoint,) = ENDPOINTS.values()
            link: Any = endpoint._links[self.peer]
            link.channel = _Lossy(link.channel, notices=self.notices)
        return self.ctx.call_service(self.peer, value, timeout=60) if self.asks else value


class _Lossy:
    """A channel on which nothing arrives any more."""

    def __init__(self, before: Channel, *, notices: bool) -> None:
        self.is_gone, self._notices = before.is_gone, notices

    def call(self, method: str, *arguments: Any) -> Future[Any]:
        """Lose it."""
        lost: Future[Any] = Future()
        if self._notices:
            lost.set_exception(ActorUnavailableError("it does not answer", None))
        return lost


class SlowToUnpickle:
    """A packet that takes its time at its receiver."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def __reduce__(self) -> tuple[Any, ...]:
        return _unpickled_after, (self.seconds,)


def _unpickled_after(seconds: float) -> str:
    time.sleep(seconds)
    return "there"


class Ask(runtime.Function[Any, Any]):
    """What a service answers."""

    def __init__(self, service: str, method: str = "process", timeout: float | None = None) -> None:
        self.service, self.method, self.timeout = service, method, timeout

    def process(self, value: Any, /) -> Any:
        return self.ctx.call_service(self.service, value, method=self.method, timeout=self.timeout)


class AskMany(runtime.Function[int, list[Any]]):
    """What a service answers to many requests at once."""

    def process(self, value: int, /) -> list[Any]:
        futures = [self.ctx.call_service_async("doubles", number) for number in range(value)]
        return [future.result() for future in futures]


class KnowsWhoPickles:
    """A value, and a condition that is never met: `by` are the threads of this process that have pickled it."""

    def __init__(self) -> None:
        self.by: set[str] = set()

    def __reduce__(self) -> tuple[Any, ...]:
        self.by.add(threading.current_thread().name)
        return KnowsWhoPickles, ()

    def __call__(self, _: object) -> bool:
        return False


class Doubles:
    """A service that doubles, counts, fails and dies."""

    def __init__(self) -> None:
        self.calls = 0

    def process(self, value: int) -> int:
        self.calls += 1
        return 2 * value

    def count(self, value: Any = None) -> int:
        return self.calls

    def fail(self, value: int) -> NoReturn:
        raise TooBig(value, 10)

    def die(self, value: Any = None) -> None:
        die()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    def process_id(self, value: Any = None) -> int:
        return os.getpid()


class SetUpWith:
    """A service that asks another one before it serves, if it is to; and then asks it, or yet another one."""

    ctx: Any = None

    def __init__(self, other: str = "", serves_by: str = "") -> None:
        self.other, self.serves_by = other, serves_by

    def setup(self) -> None:
        if self.other:
            self.ctx.call_service(self.other)

    def process(self) -> str:
        return self.ctx.call_service(self.serves_by) if self.serves_by else "served"


class AsksDoubles:
    """A service that asks another one."""

    ctx: Any = None

    def process(self, value: int) -> int:
        answer: int = self.ctx.call_service("doubles", value) + 1
        return answer


class NeverAnswered(runtime.Function[int, int]):
    """Calls that wait for ever; `open` comes when there are so many."""

    def __init__(self, open: SharedMoment, calls: int) -> None:
        self.open_calls, self.calls = open, calls

    async def process(self, value: int) -> int:  # type: ignore[override]
        if value == self.calls - 1:
            self.open_calls.set()
        await asyncio.Event().wait()
        return value


def die() -> None:
    """End this process, as a fault would."""
    os.kill(os.getpid(), signal.SIGKILL)


def die_at_5(value: int) -> int:
    if value == 5:
        die()
    return value


def at_most_10(value: int) -> int:
    if value > 10:
        raise TooBig(value, 10)
    return value


def raise_from(value: int) -> None:
    try:
        at_most_10(value + 11)
    except TooBig as error:
        raise LookupError(f"no {value}") from error


def fail_here_only(value: int) -> NoReturn:
    raise LocalOnly(f"at {value}")


def leave(value: int) -> NoReturn:
    raise SystemExit(3)


def make_lock(value: int) -> Any:
    return threading.Lock() if value == 3 else value


def make_broken(value: int) -> Any:
    return ArrivesBroken() if value == 3 else value


def same(value: Any) -> Any:
    return value


def double(value: int) -> int:
    return 2 * value


def with_process(value: int) -> tuple[int, int]:
    return value, os.getpid()
