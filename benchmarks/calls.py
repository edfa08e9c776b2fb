"""Figures of calls to services, each made by a task of a running session, beside a hand-written service."""

from __future__ import annotations

import statistics
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial
from threading import Event
from time import perf_counter
from typing import Any, Final

import runtime
from benchmarks import peers
from benchmarks.harness import Case, Figure, Row, Sample, Samples, Scale, Target, WrongResult, by_round, check, ratio
from benchmarks.steps import Adder

SERVICE: Final = "add"
BLOCK: Final = 250  # calls of one kind before it is the other's turn: what disturbs the machine disturbs both
WINDOW: Final = 64
TIMEOUT_S: Final = 10.0  # of the peer's wait; the runtime's is the same by default

OURS, PEER = "runtime", "queue.Queue + Future"
US: Final = "µs per call"
CALLS_PER_S: Final = "calls/s"

Call = Callable[[int], Any]
Submit = Callable[[int], "Future[int]"]


class Work(runtime.Function[int, Sample]):
    """Does its work once, for its only packet, with the context of a running task."""

    def __init__(self, work: Callable[[runtime.TaskContext], Sample]) -> None:
        self.work = work

    def process(self, value: int, /) -> Sample:
        """What the work has found."""
        return self.work(self.ctx)


def in_task(work: Callable[[runtime.TaskContext], Sample], touch: Callable[[runtime.Session], object]) -> Sample:
    """Run `work` in a task of a session that has a service, after `touch` has done something to the session."""
    with runtime.Session() as session:
        session.service(SERVICE, Adder)
        found = session.source([0]).map(Work(work)).collect()
        touch(session)
        session.run()
    (sample,) = found
    return sample


def untouched(_session: runtime.Session) -> None:
    """A session as it is."""


def times_s(call: Call, calls: int) -> list[float]:
    """How long each of `calls` calls took, one after the other, every answer checked."""
    took_s = []
    for number in range(calls):
        began_s = perf_counter()
        answer = call(number)
        took_s.append(perf_counter() - began_s)
        if answer != number + 1:
            raise WrongResult(f"call {number} was answered {answer!r}")
    return took_s


def percentile_us(took_s: Sequence[float], percent: int) -> float:
    """The time that `percent` of all calls kept."""
    return 1e6 * statistics.quantiles(took_s, n=100)[percent - 1]


# ── one call after the other ──

IDLE: Final = "caller and services idle"
BUSY: Final = "beside one thread of Python that computes"


def side_by_side(calls: int, ctx: runtime.TaskContext) -> Sample:
    """The same task calls the runtime's service and a hand-written one: a block each, the one first, then the other."""
    took_s: dict[str, list[float]] = {OURS: [], PEER: []}
    block = min(BLOCK, calls)
    with peers.Served(Adder()) as served:
        ways = [(OURS, partial(ctx.call_service, SERVICE)), (PEER, partial(served.call, "process", TIMEOUT_S))]
        for _ in range(calls // block):
            for who, way in ways:
                took_s[who] += times_s(way, block)
            ways.reverse()
    return {f"{US}, {who}, p{percent}": percentile_us(took_s[who], percent) for who in took_s for percent in (50, 99)}


def beside_computing(calls: int) -> Sample:
    """The same while another thread holds the GIL whenever it gets it."""
    over = Event()

    def compute() -> None:
        value = 0
        while not over.is_set():
            for _ in range(1000):
                value += 1

    computing = peers.step(compute)
    computing.start()
    try:
        return in_task(partial(side_by_side, calls), untouched)
    finally:
        over.set()
        computing.join()


def call(scale: Scale) -> Figure:
    """What a caller waits for an answer when nobody else calls; the method does next to nothing."""

    def row(samples: Samples, name: str, who: str, percent: int) -> Row:
        return Row(f"{name}: {who}, p{percent}", US, samples.of(name, f"{US}, {who}, p{percent}"))

    def times(samples: Samples, name: str, percent: int, target: Target | None) -> Row:
        ours = samples.of(name, f"{US}, {OURS}, p{percent}")
        theirs = samples.of(name, f"{US}, {PEER}, p{percent}")
        return Row(f"{name}: {OURS}, times the p{percent} of {PEER}", "×", ratio(ours, theirs), target)

    return Figure(
        "call",
        "ctx.call_service in a task, one call after the other, beside a thread that serves Futures from a queue.Queue",
        (
            Case(IDLE, partial(in_task, partial(side_by_side, scale.calls), untouched)),
            Case(BUSY, partial(beside_computing, scale.calls_beside_computing)),
        ),
        lambda samples: [
            times(samples, IDLE, 50, Target("at most", 1)),
            times(samples, IDLE, 99, None),
            *(row(samples, BUSY, who, percent) for percent in (50, 99) for who in (OURS, PEER)),
        ],
    )


# ── many calls in flight ──

ONE_BY_ONE: Final = "one by one"
SLIDING: Final = f"{WINDOW} in flight, the next as soon as the oldest is answered"
BATCHES: Final = f"{WINDOW} in flight, then all answers, then {WINDOW} more"


def sliding(submit: Submit, calls: int) -> int:
    """A window that slides: take the oldest answer, make the next call."""
    total = 0
    pending: deque[Future[int]] = deque()
    for number in range(calls):
        if len(pending) == WINDOW:
            total += pending.popleft().result(TIMEOUT_S)
        pending.append(submit(number))
    return total + sum(future.result(TIMEOUT_S) for future in pending)


def batches(submit: Submit, calls: int) -> int:
    """Make as many calls as a window holds, then take all answers."""
    total = 0
    for first in range(0, calls, WINDOW):
        futures = [submit(number) for number in range(first, min(first + WINDOW, calls))]
        total += sum(future.result(TIMEOUT_S) for future in futures)
    return total


def one_by_one(call: Callable[[int], int], calls: int) -> int:
    """Take each answer before the next call."""
    return sum(call(number) for number in range(calls))


def rates(calls: int, ctx: runtime.TaskContext) -> Sample:
    """Calls per second, of the runtime's service and of a hand-written one, in each shape."""
    found = {}
    with peers.Served(Adder()) as served:
        submit = partial(ctx.call_service_async, SERVICE)
        submit_peer = partial(served.submit, "process")
        shapes: dict[str, Callable[[int], int]] = {
            f"{PEER}, {ONE_BY_ONE}": partial(one_by_one, partial(served.call, "process", TIMEOUT_S)),
            f"{OURS}, {ONE_BY_ONE}": partial(one_by_one, partial(ctx.call_service, SERVICE)),
            f"{OURS}, {SLIDING}": partial(sliding, submit),
            f"{PEER}, {SLIDING}": partial(sliding, submit_peer),
            f"{OURS}, {BATCHES}": partial(batches, submit),
            f"{PEER}, {BATCHES}": partial(batches, submit_peer),
        }
        for name, shape in shapes.items():
            began_s = perf_counter()
            total = shape(calls)
            took_s = perf_counter() - began_s
            check(name, total, calls * (calls + 1) // 2)
            found[f"{CALLS_PER_S}, {name}"] = calls / took_s
    return found


def flight(scale: Scale) -> Figure:
    """Calls that do not wait for each other, against a peer that waits for each, and against one that does not."""

    def times(samples: Samples, ours: str, theirs: str, target: Target | None = None) -> Row:
        found = ratio(
            samples.of("calls/s", f"{CALLS_PER_S}, {OURS}, {ours}"),
            samples.of("calls/s", f"{CALLS_PER_S}, {PEER}, {theirs}"),
        )
        than = ONE_BY_ONE if theirs == ONE_BY_ONE else "in the same way"
        return Row(f"{OURS}, {ours}: × {PEER}, {than}", "×", found, target)

    return Figure(
        "flight",
        "ctx.call_service_async in a task, whole windows timed",
        (Case("calls/s", partial(in_task, partial(rates, scale.calls), untouched)),),
        lambda samples: [
            times(samples, BATCHES, ONE_BY_ONE, Target("at least", 4)),
            times(samples, SLIDING, ONE_BY_ONE, Target("at least", 4)),
            times(samples, BATCHES, BATCHES),
            times(samples, SLIDING, SLIDING),
        ],
    )


# ── interceptors ──

NEVER: Final = "never intercepted"
REMOVED: Final = "intercepted, and the interceptor removed"
INSTALLED: Final = "an interceptor that does nothing"
KINDS: Final = (NEVER, REMOVED, INSTALLED)


def proceed(invocation: runtime.Invocation) -> Any:
    """The interceptor that does nothing."""
    return invocation.proceed()


def remove_again(session: runtime.Session) -> None:
    """Intercept, and stop doing so."""
    session.intercept(proceed)()


def install(session: runtime.Session) -> None:
    """Intercept every request."""
    session.intercept(proceed)


TOUCH: Final[dict[str, Callable[[runtime.Session], object]]] = {
    NEVER: untouched,
    REMOVED: remove_again,
    INSTALLED: install,
}


def p50_us(calls: int, ctx: runtime.TaskContext) -> Sample:
    """The median call of one session."""
    return {US: percentile_us(times_s(partial(ctx.call_service, SERVICE), calls), 50)}


def in_turn(calls: int) -> Sample:
    """The kinds there and back, twice, so that what drifts, drifts for all; the middle of each kind's medians."""
    found: dict[str, list[float]] = {kind: [] for kind in KINDS}
    in_task(partial(p50_us, calls), untouched)  # the first one is slower, whatever it is; it would be the first kind's
    for kind in (*KINDS, *reversed(KINDS)) * 2:
        found[kind].append(in_task(partial(p50_us, calls), TOUCH[kind])[US])
    return {f"{US}, p50, {kind}": statistics.median(p50s) for kind, p50s in found.items()}


def intercept(scale: Scale) -> Figure:
    """What interceptors cost a call.

    Of n independent rounds, the median of the difference lies between the least and the most with a probability of
    1 - 2 ** (1 - n) (98 % of seven), whatever is the distribution. So a cost is measurable if the least is above zero.
    """

    def cost(samples: Samples, kind: str) -> list[float]:
        columns = [samples.of("p50", f"{US}, p50, {each}") for each in (kind, NEVER)]
        return by_round(lambda this, never: 1e3 * (this - never), *columns)

    return Figure(
        "intercept",
        "median call in sessions that differ in their interceptors, taken in turn; least – most is the interval",
        (Case("p50", partial(in_turn, scale.calls_per_session)),),
        lambda samples: [
            Row(f"{REMOVED}: more than {NEVER}", "ns per call", cost(samples, REMOVED)),
            Row(
                f"{REMOVED}: least more than {NEVER}",
                "ns per call",
                [min(cost(samples, REMOVED))],
                Target("at most", 0),
            ),
            Row(f"{INSTALLED}: more than {NEVER}", "ns per call", cost(samples, INSTALLED)),
        ],
    )
