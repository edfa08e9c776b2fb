"""Promise 20, mended: another function takes the place of an operator's, in a job that is held or paused."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from typing import Any

import pytest

import runtime
from runtime import CommandRefused, GraphInvalid, JobHeld, NotPaused, NotSendable, TaskEnded, TaskFailed
from runtime.testing import PATIENCE_S, Moment, explore
from tests.chain.forced import forced
from tests.holds import EIGHT, finish, hold, raises_at_three, work
from tests.platforms import MakeSession


def good(value: int) -> int:
    return value


def negated(value: int) -> int:
    return -value


@pytest.mark.also_remote
def test_a_replaced_function_works_the_held_packet_and_all_that_follow(session: runtime.Session) -> None:
    result = work(session, raises_at_three)
    hold(session)
    session.replace("work", good)
    assert [(each.packet, each.version) for each in session.held] == [(3, 1)]
    assert repr(session.events[-1]) == "work: replace: good is version 2 of its function"
    outcome = finish(session)
    assert (outcome.state, outcome.packets_in, outcome.packets_out, outcome.errors) == ("completed", 8, 8, 0)
    assert list(result) == EIGHT


def test_a_replacement_that_raises_as_well_is_held_with_its_version(session: runtime.Session) -> None:
    def worse(value: int) -> int:
        raise KeyError(value)

    result = work(session, raises_at_three)
    hold(session)
    session.replace("work", worse)
    session.resume()
    (held,) = hold(session)
    assert (held.packet, held.version, type(held.error)) == (3, 2, KeyError)
    session.replace("work", good)
    finish(session)
    assert list(result) == EIGHT


@pytest.mark.also_remote
@pytest.mark.long_on_ray
def test_a_paused_operator_of_any_policy_can_be_replaced_in_all_its_tasks(session: runtime.Session) -> None:
    numbers = session.input("numbers")
    result = numbers.map(good, name="work", parallelism=2).collect(name="out")
    session.start(paused=True)
    for value in (1, 2, 3, 4):
        session.send("numbers", value)
    session.replace("work", negated)
    session.end("numbers")
    finish(session)
    assert sorted(result) == [-4, -3, -2, -1]


def test_a_task_that_has_waited_since_before_the_pause_is_replaced_too(session: runtime.Session) -> None:
    result = session.input("numbers").map(good, name="work").collect(name="out")
    session.start()
    session.send("numbers", 1)
    session.settle(PATIENCE_S)
    session.pause("work")
    session.replace("work", negated)
    session.settle(PATIENCE_S)
    assert session.snapshot()["work"].state in ("paused", "idle")
    session.send("numbers", 2)
    session.resume()
    session.end("numbers")
    session.wait(PATIENCE_S)
    assert list(result) == [1, -2]


def test_between_two_steps_the_next_one_is_by_the_new_function(session: runtime.Session) -> None:
    work(session, good, on_error="fail")
    session.start(paused=True)
    session.step("numbers", 3)
    assert str(session.step("work")) == "work: 0 -> 0 to out"
    session.replace("work", negated)
    assert str(session.step("work")) == "work: 1 -> -1 to out"
    found = session.breakpoint("work", lambda value: value == 2)
    with session.tap("work") as tap:
        session.replace("work#0" if "work#0" in session.snapshot().tasks else "work", good)
        assert str(session.step("work")) == "work: 2 -> 2 to out"
    assert tap.packets == [2]
    found.remove()
    session.cancel()


def test_state_accumulators_and_rows_stay(session: runtime.Session) -> None:
    bad = [6]

    class Counts(runtime.Function[int, tuple[int, int]]):
        def process(self, value: int, /) -> tuple[int, int]:
            if value in bad:
                raise ValueError("no good")
            self.ctx.state["seen"] = self.ctx.state.get("seen", 0) + 1
            return value, self.ctx.state["seen"]

    def add(total: int, value: int) -> int:
        if value in bad:
            raise ValueError("no good")
        return total + value

    def pair(left: int, right: int) -> tuple[int, int]:
        if right in bad:
            raise ValueError("no good")
        return left, right

    keyed = session.source(EIGHT, name="numbers").key_by(lambda value: value % 2)
    counts = keyed.map(Counts(), name="counts", on_error="hold").collect()
    sums = keyed.reduce(add, initial=0, emit="end", name="sums", on_error="hold").collect()
    others = session.source(EIGHT, name="others").key_by(lambda value: value % 2)
    pairs = keyed.join(others, pair, name="pairs", on_error="hold").collect()
    hold(session)
    while len(session.held) < 3:
        session.resume()
        hold(session)
    before = {name: session.state(name) for name in ("counts", "sums", "pairs")}

    class Better(Counts):
        def process(self, value: int, /) -> tuple[int, int]:
            self.ctx.state["seen"] = self.ctx.state.get("seen", 0) + 1
            return value, self.ctx.state["seen"]

    session.replace("counts", Better())
    session.replace("sums", lambda total, value: total + value)
    session.replace("pairs", lambda left, right: (left, right))
    assert {name: session.state(name) for name in before} == before
    finish(session)
    assert list(counts) == [(value, value // 2 + 1) for value in EIGHT]
    assert list(sums) == [(0, 12), (1, 16)]
    assert sorted(pairs) == sorted((left, right) for left in EIGHT for right in EIGHT if left % 2 == right % 2)


Log = list[tuple[str, str, str]]


class Lives(runtime.Function[int, int]):
    """Writes down what is called of it, and on which thread."""

    def __init__(self, name: str, log: Log, fails: str = "") -> None:
        self.name, self.log, self.fails, self.seen = name, log, fails, 0

    def __deepcopy__(self, memo: object) -> Lives:
        return type(self)(self.name, self.log, self.fails)

    def _note(self, what: str) -> None:
        self.log.append((self.name, what, threading.current_thread().name))
        if self.fails == f"{what} {self.ctx.index}":
            raise ValueError(self.fails)

    def open(self, ctx: Any) -> None:
        self._note("open")

    def process(self, value: int, /) -> int:
        self.seen += 1
        return self.seen

    def finish(self) -> list[int]:
        self._note("finish")
        return []

    def close(self) -> None:
        self._note("close")


def told(log: Log) -> list[tuple[str, str]]:
    return [(name, what) for name, what, _ in log]


def test_the_new_function_is_opened_before_the_old_one_is_closed_on_the_thread_of_the_task(
    session: runtime.Session,
) -> None:
    log: Log = []
    result = work(session, Lives("old", log))
    session.start(paused=True)
    session.step("numbers", 2)
    session.step("work")
    session.replace("work", Lives("new", log))
    assert told(log) == [("old", "open"), ("new", "open"), ("old", "close")]
    warning = "attributes of the old function are gone (name, log, fails, seen): take_over(self, old) can keep them"
    assert [event.text for event in session.events if event.kind == "warning"] == [warning]
    finish(session)
    assert told(log)[3:] == [("new", "finish"), ("new", "close")]
    assert {thread for _, _, thread in log} == {"test/work"}
    assert list(result) == [1, 1, 2, 3, 4, 5, 6, 7]


def test_a_function_may_take_over_what_the_old_one_has_kept(session: runtime.Session) -> None:
    class Goes(Lives):
        def take_over(self, old: Lives) -> None:
            self.seen = old.seen

    log: Log = []
    result = work(session, Lives("old", log))
    session.start(paused=True)
    session.step("numbers", 2)
    session.step("work")
    session.replace("work", Goes("new", log))
    assert not [event for event in session.events if event.kind == "warning"]
    finish(session)
    assert list(result) == [1, 2, 3, 4, 5, 6, 7, 8]


@pytest.mark.parametrize("fails", ["open 1", "open 2"])
def test_if_one_cannot_be_opened_the_old_ones_stay_everywhere(session: runtime.Session, fails: str) -> None:
    log: Log = []
    result = work(session, Lives("old", log), parallelism=3)
    session.start(paused=True)
    with pytest.raises(ValueError, match=fails):
        session.replace("work", Lives("new", log, fails))
    number = int(fails[-1]) + 1
    assert [each for each in told(log) if each == ("new", "open")] == [("new", "open")] * number
    assert [each for each in told(log) if each == ("new", "close")] == [("new", "close")] * number
    assert ("old", "close") not in told(log)
    assert not any("version" in event.text for event in session.events)
    assert finish(session).state == "completed"
    assert told(log).count(("old", "close")) == 3
    assert len(result) == 8


def test_what_the_close_of_the_old_one_raises_is_a_warning(session: runtime.Session) -> None:
    log: Log = []
    work(session, Lives("old", log, "close 0"))
    session.start(paused=True)
    session.replace("work", Lives("new", log))
    assert "close() of the function that was replaced raised ValueError: close 0" in [
        event.text for event in session.events
    ]
    assert finish(session).state == "completed"


async def waits(value: int) -> int:
    return value


REFUSED: dict[str, tuple[str, tuple[Any, ...], str]] = {
    "of a source": ("numbers", (good,), "source 'numbers' has no function that is called for each packet"),
    "of an end that collects": ("out", (good,), "collect 'out' has no function"),
    "of nobody": ("wrok", (good,), r"no operator 'wrok'.*did you mean 'work'"),
    "an async def": ("work", (waits,), "is an `async def`, and the function of 'work' is a plain function"),
    "nothing that can be called": ("work", (3,), "3 cannot take the place of the function of 'work'"),
    "none": ("work", (), "map 'work' has one function, and 0 were given"),
    "two": ("work", (good, good), "map 'work' has one function, and 2 were given"),
    "too many arguments": ("work", (lambda left, right: left,), "it has to be called with 1 argument"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_take_its_place_is_refused_before_anything_changes(session: runtime.Session, name: str) -> None:
    operator, functions, text = REFUSED[name]
    result = work(session, raises_at_three)
    hold(session)
    before = session.events
    with pytest.raises((GraphInvalid, CommandRefused), match=text):
        session.replace(operator, *functions)
    assert session.events == before
    session.held[0].skip()
    finish(session)
    assert list(result) == [value for value in EIGHT if value != 3]


def test_a_running_operator_is_not_replaced(make_session: MakeSession) -> None:
    session = make_session()
    session.input("numbers").map(good, name="work").collect()
    with pytest.raises(runtime.NotStarted):
        session.replace("work", negated)
    session.start()
    session.settle(PATIENCE_S)
    with pytest.raises(NotPaused, match="'work' is not paused"):
        session.replace("work", negated)
    session.stop()
    session.wait(PATIENCE_S)
    with pytest.raises(TaskEnded):
        session.replace("work", negated)


def test_a_task_in_the_middle_of_a_packet_ends_it_by_the_old_function(session: runtime.Session) -> None:
    session.source(EIGHT, name="numbers").map(good, name="work").map(good, name="next", capacity=1).collect()
    session.start(paused=True)
    session.step("numbers", 3)
    session.step("work", 2)
    assert session.snapshot()["work"].state == "held back"
    session.replace("work", negated)
    session.step("next")
    assert str(session.step("work")) == "work: 1 -> 1 to next"
    session.step("next")
    assert str(session.step("work")) == "work: 2 -> -2 to next"
    session.cancel()


def test_a_function_that_is_to_be_opened_is_refused_in_the_middle_of_a_packet(session: runtime.Session) -> None:
    log: Log = []
    numbers = session.source(EIGHT, name="numbers").map(Lives("old", log), name="work")
    numbers.map(good, name="next", capacity=1).collect()
    session.start(paused=True)
    session.step("numbers", 3)
    session.step("work", 2)
    with pytest.raises(NotPaused, match="in the middle of a packet"):
        session.replace("work", Lives("new", log))
    session.step("next")
    session.step("work")
    session.replace("work", Lives("new", log))
    assert ("new", "open") in told(log)
    session.cancel()


def test_two_connected_streams_have_two_functions(session: runtime.Session) -> None:
    left, right = session.source(EIGHT, name="left"), session.source(EIGHT, name="right")
    result = left.connect(right).map(raises_at_three, good, name="both", on_error="hold").collect()
    hold(session)
    session.replace("both", negated, lambda value: value + 100)
    finish(session)
    assert set(result) >= {-3, -4, -5, -6, -7}
    assert len(result) == 16
    session.start(paused=True)
    session.replace("both", negated, lambda value: value + 100)
    finish(session)
    assert sorted(result) == sorted([*[-value for value in EIGHT], *[value + 100 for value in EIGHT]])


def test_the_next_run_begins_with_the_functions_of_the_graph(session: runtime.Session) -> None:
    result = work(session, good)
    session.start(paused=True)
    session.replace("work", negated)
    finish(session)
    assert list(result) == [-value for value in EIGHT]
    session.run(PATIENCE_S)
    assert list(result) == EIGHT


def test_a_function_that_is_replaced_may_be_replaced_again_and_each_is_copied_for_its_task(
    session: runtime.Session,
) -> None:
    log: Log = []
    work(session, Lives("old", log), parallelism=2)
    session.start(paused=True)
    new = Lives("new", log)
    session.replace("work", new)
    session.replace("work", new)
    assert told(log).count(("new", "open")) == 4
    assert told(log).count(("new", "close")) == 2
    assert new.seen == 0
    assert "version 3" in session.events[-2].text
    session.cancel()


@pytest.mark.also_remote
@pytest.mark.long_on_ray
def test_tasks_of_the_operator_that_have_ended_are_left_alone(session: runtime.Session) -> None:
    numbers = session.source(lambda: iter(EIGHT), name="numbers")
    result = numbers.map(raises_at_three, name="work", on_error="hold", parallelism=2).collect(name="out")
    session.start(paused=True)
    session.step("numbers", 9)
    while session.snapshot()["work#0"].ending is None:
        session.step("work#0")
    while not session.held:
        session.step("work#1")
    session.replace("work", good)
    finish(session)
    assert sorted(result) == EIGHT


@pytest.mark.concurrent
def test_a_cancel_closes_what_was_prepared_as_well(make_session: MakeSession) -> None:
    session = make_session()
    entered, release = Moment(), Moment()
    log: Log = []

    class Waits(Lives):
        def open(self, ctx: Any) -> None:
            super().open(ctx)
            if ctx.index == 1:
                entered.set()
                release.wait()

    work(session, Lives("old", log), parallelism=2)
    session.start(paused=True)
    thread = threading.Thread(target=lambda: suppressing(lambda: session.replace("work", Waits("new", log))))
    thread.start()
    entered.wait()
    session.cancel()
    release.set()
    thread.join(PATIENCE_S)
    assert session.wait(PATIENCE_S).state == "cancelled"
    assert sorted(told(log)) == sorted((name, what) for name in ("old", "new") for what in ("open", "close") * 2)


def suppressing(work: Callable[[], None]) -> None:
    """Do it; it may be too late."""
    with suppress(CommandRefused):
        work()


@pytest.mark.concurrent
def test_a_cancel_ends_a_replacement_whose_open_waits(make_session: MakeSession) -> None:
    session = make_session()
    entered, release = Moment(), Moment()

    class Stuck(runtime.Function[int, int]):
        def open(self, ctx: Any) -> None:
            entered.set()
            release.wait()

        def process(self, value: int, /) -> int:
            return value

    log: Log = []
    work(session, Lives("old", log))
    session.start(paused=True)
    raised: list[BaseException] = []

    def replace() -> None:
        try:
            session.replace("work", Stuck())
        except BaseException as error:  # noqa: BLE001  to be looked at
            raised.append(error)

    thread = threading.Thread(target=replace)
    thread.start()
    entered.wait()
    session.cancel()
    assert session.snapshot()["work"].ending is None
    release.set()
    thread.join(PATIENCE_S)
    assert session.wait(PATIENCE_S).state == "cancelled"
    assert [type(error) for error in raised] in ([], [TaskEnded])
    assert ("old", "close") in told(log)


def test_in_a_chain_a_member_is_replaced_and_works_by_that_in_the_chain_again() -> None:
    with runtime.Session("chained", chaining=True) as session:
        numbers = session.input("numbers").map(good, name="first").map(good, name="second")
        result = numbers.collect(name="out")
        session.start()
        for value in range(3):
            session.send("numbers", value)
        session.settle(PATIENCE_S)
        session.pause("second")
        session.replace("second", negated)
        session.resume()
        for value in range(3, 6):
            session.send("numbers", value)
        session.end("numbers")
        session.wait(PATIENCE_S)
    assert list(result) == [0, 1, 2, -3, -4, -5]


def test_in_a_chain_a_function_that_wants_its_own_thread_is_refused() -> None:
    class Plain(runtime.Function[int, int]):
        def process(self, value: int, /) -> int:
            return value

    with runtime.Session("chained", chaining=True) as session:
        session.input("numbers").map(Plain(), name="first").map(good, name="second").collect(name="out")
        session.start(paused=True)
        with pytest.raises(CommandRefused, match="chain=False"):
            session.replace("first", Lives("new", []))
        session.replace("first", Plain())
        session.cancel()


def test_a_function_of_the_job_cannot_replace_one(session: runtime.Session) -> None:
    def replaces(value: int) -> int:
        session.replace("work", good)
        return value

    work(session, replaces, on_error="fail")
    with pytest.raises(TaskFailed, match="would wait for itself"):
        session.run(PATIENCE_S)


def test_under_every_seed_fail_replace_resume_gives_what_the_good_function_would_have_given() -> None:
    """Three operators, two of them parallel, one keyed, one that fails at its third result; several may be held."""

    def fails(value: int, what: str) -> None:
        if value % 7 in (3, 4):
            raise ValueError(what)

    def first(value: int) -> int:
        fails(value, "first")
        return value

    def good_first(value: int) -> int:
        return value

    def thrice(value: int) -> Iterator[int]:
        yield value
        yield value
        fails(value, "thrice")
        yield value

    def good_thrice(value: int) -> Iterator[int]:
        yield from (value, value, value)

    class Adds(runtime.Function[Any, int]):
        def process(self, value: int, /) -> int:
            fails(value, "adds")
            total: int = self.ctx.state.get("total", 0) + value
            self.ctx.state["total"] = total
            return total

    class GoodAdds(Adds):
        def process(self, value: int, /) -> int:
            total: int = self.ctx.state.get("total", 0) + value
            self.ctx.state["total"] = total
            return total

    def build(session: runtime.Session) -> Any:
        numbers = session.source(range(20), name="numbers")
        copies = numbers.map(first, parallelism=2, name="first", on_error="hold", capacity=2)
        copies = copies.flat_map(thrice, parallelism=2, name="thrice", on_error="hold", capacity=3)
        sums = copies.key_by(lambda value: value % 3).map(Adds(), name="adds", on_error="hold", parallelism=2)
        return sums.collect(name="out")

    better: dict[str, Any] = {"first": good_first, "thrice": good_thrice, "adds": GoodAdds()}
    most = [0]

    def run(session: runtime.Session) -> None:
        session.start()
        while session.outcome is None:
            try:
                session.wait(PATIENCE_S)
            except JobHeld:
                for task in ("numbers", "first#1", "first#0", "thrice#0", "adds#1"):
                    session.step(task)
                held = session.held
                if not held:  # it was mended before, and stepped now
                    session.resume()
                    continue
                most[0] = max(most[0], len(held))
                session.replace(held[0].task.partition("#")[0], better[held[0].task.partition("#")[0]])
                session.resume()

    def check(session: runtime.Session, result: Any) -> None:
        totals = {key: 3 * sum(range(key, 20, 3)) for key in range(3)}
        assert len(result) == 60
        assert set(totals.values()) <= set(result)
        assert max(result) == max(totals.values())
        assert session.outcome is not None
        assert (session.outcome.state, session.outcome.errors) == ("completed", 0)

    assert explore(build, check, 80, run=run) is None
    assert most[0] > 1


@pytest.mark.concurrent
def test_replacements_at_any_moment_lose_and_double_nothing_and_each_packet_is_worked_by_one(
    make_session: MakeSession,
) -> None:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        _replace_all_the_time(make_session())
    finally:
        sys.setswitchinterval(before)


def _replace_all_the_time(session: runtime.Session) -> None:
    packets, replacements = 20_000, 40
    is_enough = threading.Event()

    def numbers() -> Iterator[int]:
        yield from range(packets)
        assert is_enough.wait(PATIENCE_S)

    def version(number: int) -> Callable[[int], tuple[int, int]]:
        return lambda value: (value, number)

    source = session.source(numbers, name="numbers")
    result = source.map(version(1), name="work", capacity=16).map(lambda pair: pair, capacity=4).collect()
    session.start()
    for number in range(2, replacements + 2):
        session.pause("work")
        session.replace("work", version(number))
        session.resume("work")
    is_enough.set()
    session.wait(PATIENCE_S)
    assert [value for value, _ in result] == list(range(packets))
    versions = [number for _, number in result]
    assert versions == sorted(versions)


@pytest.mark.on_ray
def test_on_ray_what_cannot_be_pickled_is_refused_and_nothing_has_changed() -> None:
    lock = threading.Lock()

    def locked(value: int) -> int:
        with lock:
            return value

    with runtime.Session("ray", platform="remote") as session:
        result = work(session, raises_at_three)
        hold(session)
        with pytest.raises(NotSendable):
            session.replace("work", locked)
        assert [each.packet for each in session.held] == [3]
        session.replace("work", good)
        finish(session)
        assert list(result) == EIGHT


@pytest.mark.on_ray
def test_on_ray_a_new_function_is_opened_in_the_process_of_its_task_or_the_old_one_stays() -> None:
    class Refuses(runtime.Function[int, int]):
        def open(self, ctx: Any) -> None:
            raise ValueError("not here")

        def process(self, value: int, /) -> int:
            return value

    class Old(runtime.Function[int, int]):
        def __init__(self) -> None:
            self.seen = 0

        def process(self, value: int, /) -> int:
            self.seen += 1
            if value == 3:
                raise ValueError("no 3")
            return self.seen

    class TakesOver(Old):
        def take_over(self, old: Old) -> None:
            self.seen = old.seen

        def process(self, value: int, /) -> int:
            self.seen += 1
            return self.seen

    with runtime.Session("ray", platform="remote") as session:
        result = work(session, Old())
        hold(session)
        with pytest.raises(ValueError, match="not here"):
            session.replace("work", Refuses())
        assert [(each.packet, each.version) for each in session.held] == [(3, 1)]
        session.replace("work", TakesOver())
        finish(session)
        assert list(result) == [1, 2, 3, 5, 6, 7, 8, 9]


# ── an object in place of a plain function, and the other way ──


def apart(function: Callable[..., Any]) -> runtime.Function[Any, Any]:
    """What makes the same of a packet, and uses what only an object can: context, state, and an end."""

    class Object(runtime.Function[Any, Any]):
        def process(self, *values: Any) -> Any:
            self.ctx.send_packet(1000 + (self.ctx.key or 0))
            self.ctx.state["seen"] = self.ctx.state.get("seen", 0) + 1
            return function(*values)

        def finish(self) -> list[Any]:
            return [2000]

    return Object()


def even(value: int) -> bool:
    return value % 2 == 0


def twice(value: int) -> list[int]:
    return [value, value]


def add(total: int, value: int) -> int:
    return total + value


def add_and_tell(total: int, value: int) -> tuple[int, int]:
    return total + value, -value


async def late(value: int) -> int:
    return -value


KINDS: dict[str, tuple[Callable[[Any, Any], Any], Callable[..., Any]]] = {
    "map": (lambda stream, function: stream.map(function, name="work"), negated),
    "filter": (lambda stream, function: stream.filter(function, name="work"), even),
    "flat_map": (lambda stream, function: stream.flat_map(function, name="work"), twice),
    "reduce": (lambda stream, function: stream.reduce(function, name="work"), add),
    "reduce at the end": (lambda stream, function: stream.reduce(function, name="work", emit="end"), add),
    "scan": (lambda stream, function: stream.scan(function, initial=0, name="work"), add_and_tell),
    "async map": (lambda stream, function: stream.map(function, name="work"), late),
}


def half_and_half(session: runtime.Session, kind: str, first: Any, then: Any, *, keyed: bool) -> tuple[list[Any], int]:
    """What comes of eight packets, after four of which `then` takes the place of `first`; and how many had come."""
    build, _ = KINDS[kind]
    numbers = session.input("numbers")
    stream = numbers.key_by(lambda value: value % 3) if keyed else numbers
    result = build(stream, first).map(good, name="next").collect(name="out")
    session.start()
    for value in (0, 1, 2, 3):
        session.send("numbers", value)
    session.settle(PATIENCE_S)
    before = len(result)
    if then is not first:
        session.pause("work")
        session.replace("work", then)
        session.resume()
    for value in (4, 5, 6, 7):
        session.send("numbers", value)
    session.end("numbers")
    session.wait(PATIENCE_S)
    return list(result), before


@pytest.mark.parametrize("kind", KINDS)
def test_an_object_takes_the_place_of_a_plain_function_and_the_other_way(make_session: MakeSession, kind: str) -> None:
    for settings in ({}, {"chaining": False}, {"on_error": "skip"}, {"on_error": "hold"}):
        for keyed in (True, False):
            _exchange(partial(make_session, **settings), kind, keyed=keyed)


@pytest.mark.on_ray
def test_on_ray_an_object_takes_the_place_of_a_plain_function() -> None:
    _exchange(partial(runtime.Session, platform="remote"), "reduce", keyed=True)


def _exchange(make_session: Callable[[], runtime.Session], kind: str, *, keyed: bool) -> None:
    plain = KINDS[kind][1]
    an_object = Late() if plain is late else apart(plain)

    def run(first: Any, then: Any) -> tuple[list[Any], int]:
        with make_session() as session:
            return half_and_half(session, kind, first, then, keyed=keyed)

    by_plain, after_plain = run(plain, plain)
    by_object, after_object = run(an_object, an_object)
    by_both, _ = run(plain, an_object)
    assert by_both == by_plain[:after_plain] + by_object[after_object:]
    by_both, _ = run(an_object, plain)
    assert by_both == by_object[:after_object] + by_plain[after_plain:]


def test_two_connected_streams_and_a_join_may_have_objects_in_place_of_functions(make_session: MakeSession) -> None:
    def run(first: Any, then: Any) -> tuple[list[Any], list[Any], int, int]:
        with make_session() as session:
            left, right, before = session.input("left"), session.input("right"), (0, 0)
            both = left.connect(right).map(first[0], first[1], name="both").collect()
            pairs = left.key_by(even).join(right.key_by(even), first[2], name="pairs").collect()
            session.start()
            for value in EIGHT:
                if value == 4:
                    before = len(both), len(pairs)
                    session.pause("both", "pairs")
                    if then is not first:
                        session.replace("both", *then[:2])
                        session.replace("pairs", then[2])
                    session.resume()
                session.send("left" if value % 4 < 2 else "right", value)
                session.settle(PATIENCE_S)
            session.end("left")
            session.end("right")
            session.wait(PATIENCE_S)
            return list(both), list(pairs), *before

    plain = (negated, good, add)
    objects = (apart(negated), good, apart(add))
    by_plain, by_objects, by_both = run(plain, plain), run(objects, objects), run(plain, objects)
    assert by_both[0] == by_plain[0][: by_plain[2]] + by_objects[0][by_objects[2] :]
    assert by_both[1] == by_plain[1][: by_plain[3]] + by_objects[1][by_objects[3] :]


def test_of_a_packet_that_an_object_sends_for_before_it_raises_nothing_is_sent() -> None:
    class Sends(runtime.Function[int, int]):
        def process(self, value: int) -> int:
            self.ctx.send_packet(-value)
            return raises_at_three(value % 5)

    packets = range(1, 2000)
    kept = [value for value in packets if value % 5 != 3]
    for chaining in (True, False):
        with forced(chaining) as counts, runtime.Session("test", chaining=chaining) as session:
            numbers = session.source(packets, name="numbers")
            result = numbers.map(good, name="work", on_error="skip").map(good, name="next").collect()
            session.start(paused=True)
            session.replace("work", Sends())
            session.resume()
            session.wait(PATIENCE_S)
            assert list(result) == [each for value in kept for each in (-value, value % 5)]
            assert not counts["closed again"]


def test_what_an_object_sends_keeps_to_the_capacity_of_its_consumer(make_session: MakeSession) -> None:
    class Sends(runtime.Function[int, int]):
        def process(self, value: int) -> int:
            self.ctx.send_packet(-value)
            return value

    with make_session() as session:
        numbers = session.input("numbers")
        result = numbers.map(good, name="work").map(good, name="next", capacity=3).collect(name="out")
        session.start(paused=True)
        session.replace("work", Sends())
        session.resume("numbers", "out")
        for value in range(1, 9):
            session.send("numbers", value)
        session.settle(PATIENCE_S)
        session.resume("work")
        session.settle(PATIENCE_S)
        assert session.snapshot()["next"].depth == 3
        session.resume()
        session.end("numbers")
        session.wait(PATIENCE_S)
        assert list(result) == [each for value in range(1, 9) for each in (-value, value)]


def test_what_an_object_sends_belongs_to_the_question_of_its_packet(make_session: MakeSession) -> None:
    class Sends(runtime.Function[int, int]):
        def process(self, value: int) -> int:
            self.ctx.send_packet(-value)
            return value

    with make_session() as session:
        session.input("numbers").map(good, name="work").map(good, name="next").reply()
        session.start()
        session.pause("work")
        session.replace("work", Sends())
        session.resume()
        assert [session.ask("numbers", value, many=True) for value in (1, 2)] == [[-1, 1], [-2, 2]]
        assert session.ask("numbers", 3) == -3
        session.end("numbers")
        session.wait(PATIENCE_S)


class Late(runtime.Function[int, Any]):
    async def process(self, value: int) -> int:
        self.ctx.send_packet(1000 + (self.ctx.key or 0))
        return -value

    async def finish(self) -> list[Any]:
        return [2000]
