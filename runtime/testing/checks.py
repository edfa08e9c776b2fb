"""What tests of dataflows need: a guard against leaks, waits that cannot hang, a watch over queues, faults on purpose,
and a search through the orders in which a graph may run.

It uses sessions as anybody does, and looks at threads, descriptors and the registry of queues. Nothing imports it but
tests, so it costs a running job nothing.
"""

from __future__ import annotations

import gc
import os
import random
import sys
import threading
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep
from types import TracebackType
from typing import Any, Final, Generic, Self, TypeVar

from runtime.communication import queue_descriptor
from runtime.communication.hand import HAND
from runtime.communication.inbox import Inbox
from runtime.communication.request_queue import RequestQueue
from runtime.errors import GraphInvalid, LostReply, error_text
from runtime.facts import TaskFacts
from runtime.scheduling.seeded import OUTSIDE
from runtime.service.invocation import Invocation
from runtime.session import Session
from runtime.texts.preview import preview

T = TypeVar("T")
Built = TypeVar("Built")

PATIENCE_S: Final = 20.0
"""How long a test waits for something that happens at once unless it is broken."""

GRACE_S: Final = 2.0
"""How long `leak_guard` gives threads that are about to end."""

_SAMPLE_S: Final = 0.000_2
_DESCRIPTORS: Final = Path("/proc/self/fd")


class LeakFound(AssertionError):
    """Something was left behind: a thread, a file descriptor or a queue. The message names it."""


@contextmanager
def leak_guard(grace_s: float = GRACE_S) -> Generator[None]:
    """Let the block leave nothing behind: no thread, no file descriptor (where /proc is), no queue of a job, no actor.

    Threads and actors that are just ending are waited for, `grace_s` seconds in all. While Ray is in use, its sockets
    are not looked at: it keeps some for a while. An exception of the block passes unchanged, and what it left is then
    not looked at. Raises `LeakFound`.
    """
    before = _Holdings.now()
    yield
    deadline = monotonic() + grace_s
    sleep(0)  # where nobody is preempted, a thread that was started just now has not begun
    # Among them one that is only just starting, and ends when it finds nothing to do.
    while (strays := _threads() - before.threads) and monotonic() < deadline:
        for thread in strays:
            if thread.is_alive():  # else it has just ended, or cannot be joined yet
                thread.join(max(0.0, deadline - monotonic()))
        sleep(_SAMPLE_S)
    # Neither Ray nor Python says of an actor, or of such a thread, when it has ended.
    while (_actors() - before.actors or _raw_threads() > before.raw_threads) and monotonic() < deadline:
        sleep(_SAMPLE_S)
    left = before.missing_in(_Holdings.now())
    if left:
        gc.collect()  # what only a cycle of garbage holds is not a leak
        left = before.missing_in(_Holdings.now())
    if left:
        raise LeakFound("left behind: " + "; ".join(left))


@dataclass(frozen=True)
class _Holdings:
    """What the process holds at one moment."""

    threads: frozenset[threading.Thread]
    raw_threads: int  # those that were not started by `threading`
    descriptors: Mapping[str, str]
    queues: Mapping[int, str]
    actors: frozenset[str]

    @classmethod
    def now(cls) -> _Holdings:
        queues = {
            number: f"queue {number} ({_described(queue)})" for number, queue in list(queue_descriptor._queues.items())
        }
        return cls(
            frozenset(threading.enumerate()),
            _raw_threads(),
            _open_descriptors(),
            queues,
            _actors(),
        )

    def missing_in(self, later: _Holdings) -> list[str]:
        """What `later` has beyond these, in words."""
        left = [f"thread {thread.name!r}" for thread in later.threads - self.threads]
        if later.raw_threads > self.raw_threads:
            left.append(f"{later.raw_threads - self.raw_threads} raw threads")
        for number, target in later.descriptors.items():
            if self.descriptors.get(number) != target:
                left.append(f"descriptor {number} ({target})")
        left += [text for number, text in later.queues.items() if number not in self.queues]
        left += [f"actor {actor}" for actor in later.actors - self.actors]
        return left


def _threads() -> set[threading.Thread]:
    """The threads that can be joined; a dummy stands for one that `threading` has not started, and is only counted."""
    return {thread for thread in threading.enumerate() if not isinstance(thread, threading._DummyThread)}


def _raw_threads() -> int:
    """How many threads there are that were not started by `threading`."""
    known = {thread.ident for thread in threading.enumerate()}
    # An older CPython may collect garbage in that call, and then wait for ever for a lock that the call itself holds.
    collects = gc.isenabled()
    gc.disable()
    try:
        running = list(sys._current_frames())
    finally:
        if collects:
            gc.enable()
    return sum(ident not in known for ident in running)


def _described(queue: Inbox | RequestQueue) -> str:
    if isinstance(queue, RequestQueue):
        return f"requests to {queue.service}"
    return f"fed by {', '.join(lane.producer for lane in queue.lanes)}"


def _open_descriptors() -> dict[str, str]:
    if not _DESCRIPTORS.is_dir():
        return {}
    found = {}
    for number in os.listdir(_DESCRIPTORS):
        try:
            target = os.readlink(_DESCRIPTORS / number)
        except OSError:  # the one that the listing itself had open
            continue
        if _ray() is None or not target.startswith("socket:"):
            found[number] = target
    return found


def _ray() -> Any:
    """Ray, if it is in use."""
    ray = sys.modules.get("ray")
    return ray if ray is not None and ray.is_initialized() else None


def _actors() -> frozenset[str]:
    """The actors that live, by Ray's own table of them. (Its state API asks a dashboard, which is not there.)"""
    ray = _ray()
    table = ray._private.state.actors() if ray is not None else {}
    return frozenset(f"{each['ActorClassName']} {actor}" for actor, each in table.items() if each["State"] != "DEAD")


class Moment:
    """An event that a test waits for, bounded: `wait` raises `AssertionError` instead of hanging the test.

    Raised in user code, the error fails the job, and with it the test.
    """

    def __init__(self, name: str = "the moment") -> None:
        self.name = name
        self._event = threading.Event()

    def set(self) -> None:
        """Let it come. Any thread, any number of times."""
        self._event.set()

    @property
    def has_come(self) -> bool:
        """Whether it was set."""
        return self._event.is_set()

    def wait(self, timeout_s: float = PATIENCE_S) -> None:
        """Wait until it is set. Raises `AssertionError` after `timeout_s`."""
        if not self._event.wait(timeout_s):
            raise AssertionError(f"{self.name} has not come within {timeout_s} s")


class Hold(Generic[T]):
    """A function for `map` that returns what it gets; at the first for which `when` is true it waits for `release`.

    `reached` comes when it has begun to hold. To be shared by parallel instances: the others pass meanwhile.
    """

    def __init__(self, when: Callable[[T], object] = lambda _: True) -> None:
        self.reached = Moment("the packet to hold")
        self.released = Moment("the release")
        self._when = when

    def __call__(self, value: T) -> T:
        if not self.reached.has_come and self._when(value):
            self.reached.set()
            self.released.wait()
        return value

    def release(self) -> None:
        """Let the held packet, and every other, pass."""
        self.released.set()


def check_bounded(tasks: Iterable[TaskFacts]) -> None:
    """Raise `AssertionError` if a queue holds more packets than its capacity, or than one per lane if that is more.

    `tasks` is a snapshot, or some of its tasks. The lane of the hand counts as a lane only while something is in it.
    """
    for task in tasks:
        lanes = sum(lane.producer != HAND or lane.depth > 0 for lane in task.lanes)
        limit = max(task.capacity, lanes)
        if task.depth > limit:
            raise AssertionError(f"{task.name} holds {task.depth} packets, and {limit} is the limit: {task.lanes}")


class QueueWatch:
    """Looks at all queues of a session from a thread of its own, again and again, while the `with` block runs.

    `deepest` is the greatest depth seen per task, `samples` how often it looked. Raises at the end of the block what
    `check_bounded` found.
    """

    def __init__(self, session: Session) -> None:
        self.deepest: dict[str, int] = {}
        self.samples = 0
        self._session = session
        self._failure: AssertionError | None = None
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, name="queue-watch", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()
        if kind is None and self._failure is not None:
            raise self._failure

    def _look(self) -> None:
        while not self._over.wait(_SAMPLE_S):
            snapshot = self._session.snapshot()
            self.samples += 1
            for task in snapshot:
                self.deepest[task.name] = max(task.depth, self.deepest.get(task.name, 0))
            try:
                check_bounded(snapshot)
            except AssertionError as failure:
                self._failure = failure
                return


@dataclass(frozen=True)
class Finding:
    """A seed under which something went wrong, what it was, and the line that shows it again."""

    seed: int
    error: BaseException
    replay: str
    turns: tuple[str, ...]

    def __repr__(self) -> str:
        text = error_text(self.error).partition("\n")[0]
        return f"Finding(seed {self.seed}: {text}; replay: {self.replay})"


def _run(session: Session) -> object:
    return session.run(PATIENCE_S)


def explore(
    build: Callable[[Session], Built],
    check: Callable[[Session, Built], object],
    seeds: int | Iterable[int] = 1000,
    *,
    run: Callable[[Session], object] = _run,
    **settings: Any,
) -> Finding | None:
    """Run a graph under many seeds; return the first under which `run` or `check` raises, or None.

    `build(session)` writes the graph into a new session and returns what `check(session, built)` needs: mostly what
    `collect()` has returned. `seeds` is how many, from 0 on, or which. `run` is what is done with the session; a job
    that fails is a finding unless `run` takes its error. `settings` are the session's. What `build` itself raises
    passes: it would do so under every seed. Functions must not wait for each other but through services. A check that
    returns False has failed, too. Raises `GraphInvalid` where nothing could be found: no seeds, no graph, no check.

    >>> def build(session):
    ...     return session.source(range(4)).map(abs, parallelism=2).collect()
    >>> def check(session, numbers):
    ...     assert numbers == sorted(numbers), "two tasks keep no common order"
    >>> finding = explore(build, check, seeds=100)
    >>> finding.error
    AssertionError('two tasks keep no common order')
    >>> print(finding.replay)  # doctest: +ELLIPSIS
    explore(build, check, seeds=[...])
    """
    if not all(map(callable, (build, check, run))):
        raise GraphInvalid("explore() needs two functions, build(session) and check(session, built)")
    if type(seeds) is int:
        seeds = range(seeds)
    elif not isinstance(seeds, Iterable):
        raise GraphInvalid(f"seeds is {preview(seeds)}; it is a whole number, how many, or the seeds themselves")
    seeds = list(seeds)
    if not seeds:
        raise GraphInvalid("explore() was given no seeds, so nothing was run")
    for seed in seeds:
        with Session(seed=seed, **settings) as session:
            built = build(session)
            if not session.graph.operators:
                raise GraphInvalid(f"{_name(build)} has written no graph into its session, so there is nothing to run")
            try:
                run(session)
                if check(session, built) is False:
                    raise AssertionError(f"{_name(check)} has returned False")
            except Exception as error:  # noqa: BLE001  whatever it is, it is what was looked for
                _refuse_outside(session.turns)
                turns = tuple(session.turns)
                session.close()  # before the end of the block, which would wait for what still runs
                given = [f"seeds=[{seed}]", *([] if run is _run else [f"run={_name(run)}"])]
                given += [f"{name}={value!r}" for name, value in settings.items()]
                replay = f"explore({_name(build)}, {_name(check)}, {', '.join(given)})"
                return Finding(seed, error, replay, turns)
            _refuse_outside(session.turns)
    return None


def _refuse_outside(turns: Iterable[str]) -> None:
    """Raise `GraphInvalid` if a run has waited for what no seed decides: another one would not be the same."""
    for line in turns:
        if line.endswith(OUTSIDE):
            task = line.partition(":")[0]
            raise GraphInvalid(
                f"a call of {task!r} waits for {OUTSIDE} (a descriptor, or a job of an executor), so a seed does not "
                "repeat its run; let it wait for asyncio.sleep, or for a service of the session, in its place"
            )


def _name(function: Callable[..., object]) -> str:
    return getattr(function, "__qualname__", type(function).__name__)


class InjectedFault(Exception):
    """The error that a `FaultInjector` raises in place of a service."""


class FaultInjector:
    """An interceptor that makes some calls slow, some fail, and lets some replies vanish: `session.intercept(faults)`.

    `delays`, `errors` and `lost` are probabilities, each of its own. A delay, up to `delay_s` seconds of the job's
    time, comes before the method; an error comes in its place; a lost reply after it. What happens to a call follows
    from the seed, its caller and how many calls that caller had made, not from the order in which calls come: with the
    same seed, the same calls meet the same fate on every run and platform. `counts` says how many did. Raises
    `GraphInvalid` for what is no probability.
    """

    def __init__(
        self, seed: int = 0, *, delays: float = 0.0, delay_s: float = 0.01, errors: float = 0.0, lost: float = 0.0
    ) -> None:
        for what, probability in (("delays", delays), ("errors", errors), ("lost", lost)):
            if type(probability) not in (int, float) or not 0 <= probability <= 1:
                raise GraphInvalid(f"{what} is {probability!r}; it is a probability, from 0 to 1")
        if type(seed) is not int:
            raise GraphInvalid(f"seed is {preview(seed)}; it must be a whole number")
        self.counts = {"delays": 0, "errors": 0, "lost": 0}
        self._counting = threading.Lock()  # guards counts
        self._seed, self._delay_s = seed, delay_s
        self._delays, self._errors, self._lost = delays, errors, lost

    def __getstate__(self) -> dict[str, Any]:
        """By value, for services in other processes; each counts for itself there."""
        return {name: value for name, value in self.__dict__.items() if name != "_counting"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._counting = threading.Lock()

    def __call__(self, invocation: Invocation) -> Any:
        fate = random.Random(f"{self._seed}/{invocation.service}/{invocation.callers}/{invocation.number}")
        delay_s = fate.random() * self._delay_s if fate.random() < self._delays else 0.0
        fails, loses = fate.random() < self._errors, fate.random() < self._lost
        if delay_s:
            self._count("delays")
            invocation.sleep(delay_s)
        if fails:
            self._count("errors")
            raise InjectedFault(f"call {invocation.number} of {invocation.callers[-1]!r} to {invocation.service!r}")
        reply = invocation.proceed()
        if loses:
            self._count("lost")
            raise LostReply
        return reply

    def _count(self, what: str) -> None:
        with self._counting:
            self.counts[what] += 1
