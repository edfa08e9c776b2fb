"""Promise 9, `skip` and `Retry` outside of packets: sources, `open`, `finish`, `close`; and waits that cancel ends."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from itertools import count
from typing import Any

import pytest

import runtime
from runtime.testing import PATIENCE_S, Moment
from tests.pairs import every_pair_of
from tests.platforms import MakeSession, Platform

FOR_EVER_S = 3600.0
ERRORS = {"ValueError": ValueError("no good"), "OSError": OSError(2, "no such thing")}
NO_GOOD = ERRORS["ValueError"]
every_error = pytest.mark.parametrize("error", ERRORS.values(), ids=ERRORS)


class Stumbles:
    """Counts to `end`; before each of the numbers in `bad` it raises `times` times."""

    def __init__(self, end: int, error: BaseException, *bad: int, times: int = 1) -> None:
        self.end, self.error, self.left = end, error, dict.fromkeys(bad, times)
        self.number = 0

    def __iter__(self) -> Stumbles:
        return self

    def __next__(self) -> int:
        if self.left.get(self.number, 0):
            self.left[self.number] -= 1
            raise self.error
        if self.number == self.end:
            raise StopIteration
        self.number += 1
        return self.number - 1


def until(end: int, error: BaseException) -> Iterator[int]:
    yield from range(end)
    raise error


class AsFunction(runtime.SourceFunction[int]):
    def __init__(self, iterator: Iterator[int]) -> None:
        self.iterator: Callable[[], Iterator[int]] = lambda: iterator  # the very one, whatever is copied

    def run(self) -> Iterator[int]:
        return self.iterator()


FORMS: dict[str, Callable[[Iterator[int]], Any]] = {
    "iterator": lambda iterator: iterator,
    "callable": lambda iterator: lambda: iterator,
    "function": AsFunction,
}
BAD = {"the first": (0,), "in the middle": (3,), "several": (0, 3, 9)}


def letters(session: runtime.Session) -> list[tuple[str, Any, BaseException]]:
    return [(letter.task, letter.packet, letter.error) for letter in session.dead_letters]


# ── sources ──


@every_pair_of(form=FORMS, error=ERRORS, bad=BAD, capacity=(1, 1024))
def test_a_source_goes_on_behind_an_error_that_is_skipped(
    make_session: MakeSession, form: Callable[..., Any], error: BaseException, bad: tuple[int, ...], capacity: int
) -> None:
    session = make_session(capacity=capacity)
    source = form(Stumbles(10, error, *bad, times=2))
    result = session.source(source, name="it", on_error="skip").collect()
    outcome = session.run(PATIENCE_S)
    assert list(result) == list(range(10))
    assert letters(session) == [("it", runtime.NO_PACKET, error)] * (2 * len(bad))
    assert (outcome.packets_in, outcome.packets_out, outcome.errors, outcome.skipped) == (10, 10, 2 * len(bad), 0)
    assert {event.text.rpartition(": ")[2] for event in session.events if event.kind == "skip"} == {"skipped"}


@every_pair_of(
    form=FORMS,
    error=ERRORS,
    policy={"then fail": runtime.Retry(2), "then skip": runtime.Retry(2, then="skip")},
    bad=BAD,
)
def test_a_source_is_asked_again_after_an_error_and_its_attempts_are_counted(
    make_session: MakeSession,
    form: Callable[..., Any],
    error: BaseException,
    policy: runtime.Retry,
    bad: tuple[int, ...],
) -> None:
    session = make_session()
    result = session.source(form(Stumbles(10, error, *bad, times=2)), name="it", on_error=policy).collect()
    outcome = session.run(PATIENCE_S)
    assert list(result) == list(range(10))
    assert (outcome.errors, session.snapshot()["it"].retries, letters(session)) == (0, 2 * len(bad), [])


@every_error
def test_what_no_attempt_of_a_source_has_mended_fails_the_job_or_is_skipped(
    make_session: MakeSession, error: BaseException
) -> None:
    session = make_session()
    failing = Stumbles(10, error, 4, times=3)
    result = session.source(failing, name="it", on_error=runtime.Retry(2)).collect()
    with pytest.raises(runtime.TaskFailed, match=r"^task 'it' failed: ") as caught:
        session.run(PATIENCE_S)
    assert (caught.value.__cause__, caught.value.packet) == (error, runtime.NO_PACKET)
    assert list(result) == list(range(4))[: len(result)]
    session = make_session()
    failing = Stumbles(10, error, 4, times=3)
    result = session.source(failing, name="it", on_error=runtime.Retry(2, then="skip")).collect()
    session.run(PATIENCE_S)
    assert (list(result), letters(session)) == (list(range(10)), [("it", runtime.NO_PACKET, error)])
    assert session.snapshot()["it"].retries == 2


ENDED_BY_ERROR: dict[str, Callable[[Iterator[int]], Iterable[int]]] = {
    "generator": lambda generator: generator,
    "wrapped generator": lambda generator: map(abs, generator),
}


def test_an_iterator_that_went_on_behind_its_error_is_told_of(make_session: MakeSession) -> None:
    """It may have moved on before it raised, as `map` does: then the item is lost, and not silently."""
    session = make_session(on_error=runtime.Retry(2))
    result = session.source(map(int, ["1", "no", "3"]), name="it").collect()
    session.run(PATIENCE_S)
    assert (list(result), session.snapshot()["it"].retries) == ([1, 3], 1)
    (warning,) = [event for event in session.events if event.kind == "warning"]
    assert repr(warning).startswith("it: ValueError: invalid literal for int() with base 10: 'no'; asked again")


@every_error
@pytest.mark.parametrize("wrap", ENDED_BY_ERROR.values(), ids=ENDED_BY_ERROR)
def test_a_generator_is_finished_by_its_error_and_what_it_would_have_made_is_not_lost_silently(
    make_session: MakeSession, error: BaseException, wrap: Callable[..., Any]
) -> None:
    for policy in ("skip", runtime.Retry(3, then="skip")):
        session = make_session()
        result = session.source(wrap(until(5, error)), name="it", on_error=policy).collect()
        assert session.run(PATIENCE_S).state == "completed"
        assert (list(result), letters(session)) == (list(range(5)), [("it", runtime.NO_PACKET, error)])
    session = make_session()
    session.source(wrap(until(5, error)), name="it", on_error=runtime.Retry(3)).collect()
    with pytest.raises(runtime.TaskFailed, match=r"^task 'it' failed: ") as caught:
        session.run(PATIENCE_S)
    assert caught.value.__cause__ is error


def test_a_generator_is_not_waited_for(make_session: MakeSession) -> None:
    session = make_session()
    source = session.source(until(5, NO_GOOD), name="it", on_error=runtime.Retry(3, FOR_EVER_S, then="skip"))
    result = source.collect()
    session.run(PATIENCE_S)
    assert (list(result), session.snapshot()["it"].retries) == (list(range(5)), 0)


def test_what_a_source_sends_by_itself_belongs_to_its_next_item(make_session: MakeSession) -> None:
    class Sends(runtime.SourceFunction[int]):
        def run(self) -> Iterator[int]:
            self.ctx.send_packet(-1)
            yield 1
            self.ctx.send_packet(-2)
            self.ctx.send_packet(-3)
            yield 2
            self.ctx.send_packet(-4)

    class SendsAndRaises(Sends):
        def run(self) -> Iterator[int]:
            yield from super().run()
            raise ValueError("no good")

    session = make_session(on_error="skip")
    well, not_well = session.source(Sends()).collect(), session.source(SendsAndRaises()).collect()
    session.run(PATIENCE_S)
    assert list(well) == [-1, 1, -2, -3, 2, -4]
    assert list(not_well) == [-1, 1, -2, -3, 2]


@pytest.mark.concurrent  # a back-off takes no time where time is virtual
@pytest.mark.parametrize("policy", ["skip", runtime.Retry(10**9), runtime.Retry(1, FOR_EVER_S)], ids=repr)
@pytest.mark.parametrize("command", ["stop", "cancel"])
def test_a_source_that_always_raises_can_be_stopped_and_cancelled(
    make_session: MakeSession, platform: Platform, policy: Any, command: str
) -> None:
    going = platform.moment()

    class Never:
        def __iter__(self) -> Never:
            return self

        def __next__(self) -> int:
            going.set()
            raise ValueError("never")

    session = make_session()
    session.source(Never(), name="it", on_error=policy).collect()
    session.start()
    going.wait()
    if isinstance(policy, runtime.Retry) and policy.backoff:
        backing_off(session)
    getattr(session, command)()
    assert session.wait(PATIENCE_S).state == {"stop": "stopped", "cancel": "cancelled"}[command]


# ── open, finish, close ──


class FailsAt(runtime.Function[int, int]):
    """Raises in one of its life's places, after it has sent something there."""

    def __init__(self, place: str, error: BaseException) -> None:
        self.place = place
        self.error: Callable[[], BaseException] = lambda: error  # the very one, whatever is copied

    def at(self, place: str) -> None:
        if place == self.place:
            self.ctx.send_packet(-1)
            raise self.error()

    def open(self, ctx: Any) -> None:
        self.at("open")

    def process(self, value: int, /) -> int:
        return value

    def finish(self) -> Iterator[int]:
        yield 100
        self.at("finish")
        yield 101

    def close(self) -> None:
        self.at("close")


@every_pair_of(
    place=("open", "finish", "close"),
    policy={
        "skip": "skip",
        "retry": runtime.Retry(5, FOR_EVER_S),
        "retry then skip": runtime.Retry(5, FOR_EVER_S, then="skip"),
    },
    error=ERRORS,
    capacity=(1, 1024),
)
def test_an_error_outside_of_packets_fails_the_job_under_every_policy(
    make_session: MakeSession, error: BaseException, policy: Any, place: str, capacity: int
) -> None:
    """Policies are for packets: what could not be opened can work none, and what could not finish is not complete."""
    session = make_session(capacity=capacity)
    result = session.source(range(5)).map(FailsAt(place, error), name="it", on_error=policy).collect()
    with pytest.raises(runtime.TaskFailed, match=r"^task 'it' failed: ") as caught:
        session.run(PATIENCE_S)
    assert (caught.value.__cause__, caught.value.packet) == (error, runtime.NO_PACKET)
    worked = [] if place == "open" else [*range(5), *((100, 101) if place == "close" else ())]
    assert list(result) == worked[: len(result)]
    facts = session.snapshot()["it"]
    assert (facts.processed, facts.retries, facts.skipped) == (0 if place == "open" else 5, 0, 0)
    assert letters(session) == []


def test_what_was_never_opened_works_no_packet(make_session: MakeSession) -> None:
    worked: list[int] = []

    class Broken(runtime.Function[int, int]):
        def __deepcopy__(self, memo: object) -> Broken:
            return self

        def open(self, ctx: Any) -> None:
            raise ConnectionError("no database")

        def process(self, value: int, /) -> int:
            worked.append(value)
            return value

    session = make_session(on_error=runtime.Retry(3, then="skip"))
    session.source(count()).map(Broken(), name="it", parallelism=2).sink(abs)
    with pytest.raises(runtime.TaskFailed, match=r"^task 'it#\d' failed: ConnectionError: no database$"):
        session.run(PATIENCE_S)
    assert worked == []


def test_a_source_that_could_not_be_opened_fails_the_job(make_session: MakeSession) -> None:
    def refuses() -> list[int]:
        raise LookupError("no such place")

    session = make_session()
    result = session.source(refuses, name="it", on_error="skip").collect()
    with pytest.raises(runtime.TaskFailed, match=r"^task 'it' failed: LookupError: no such place$"):
        session.run(PATIENCE_S)
    assert (list(result), len(session.dead_letters)) == ([], 0)


def test_a_failing_key_behind_finish_leaves_nothing_of_what_finish_made(make_session: MakeSession) -> None:
    def key(value: int) -> int:
        if value == 101:
            raise ValueError("no key")
        return value

    session = make_session()
    function = FailsAt("", NO_GOOD)
    result = session.source(range(5)).map(function, name="it", on_error="skip").key_by(key).collect()
    with pytest.raises(runtime.TaskFailed, match="no key"):
        session.run(PATIENCE_S)
    assert list(result) == list(range(5))[: len(result)]


# ── what is held back ──


@pytest.mark.parametrize("policy", ["skip", runtime.Retry(10**9, then="skip")], ids=["skip", "retry"])
@pytest.mark.parametrize("how", ["flat_map", "send_packet", "swallowed"])
def test_the_results_of_one_packet_are_bounded_in_bytes_and_the_error_names_operator_and_packet(
    make_session: MakeSession, policy: Any, how: str
) -> None:
    class Sends(runtime.Function[int, Iterable[bytes]]):
        def process(self, value: int, /) -> Iterable[bytes]:
            for _ in range(100 if value == 7 else 3):
                try:
                    self.ctx.send_packet(bytes(1_000))
                except runtime.ResultsTooLarge:
                    if how != "swallowed":
                        raise
            return ()

    def many(value: int) -> Iterator[bytes]:
        return (bytes(1_000) for _ in range(100 if value == 7 else 3))

    session = make_session(max_results_bytes=50_000)
    function: Any = many if how == "flat_map" else Sends()
    result = session.source(range(9)).flat_map(function, name="it", on_error=policy).collect()
    session.run(PATIENCE_S)
    (letter,) = session.dead_letters
    assert (letter.packet, len(result), type(letter.error)) == (7, 8 * 3, runtime.ResultsTooLarge)
    assert letter.text.startswith(
        "it failed on packet 7: ResultsTooLarge: 'it' has made results of more than 50,000 bytes"
    )


def test_a_single_result_is_not_refused_for_its_size(make_session: MakeSession) -> None:
    session = make_session(max_results_bytes=10, on_error="skip")
    result = session.source(range(5)).flat_map(lambda value: [bytes(10_000)]).collect()
    assert (session.run(PATIENCE_S).skipped, len(result)) == (0, 5)
    with pytest.raises(runtime.GraphInvalid, match="max_results_bytes of 'every operator' is 0"):
        runtime.Session(max_results_bytes=0)


@pytest.mark.concurrent
@pytest.mark.parametrize("place", ["flat_map", "send_packet", "key"])
def test_cancel_is_heard_while_results_are_held_back(make_session: MakeSession, platform: Platform, place: str) -> None:
    going = platform.moment()

    def endless() -> Iterator[None]:
        going.set()
        while True:
            yield None

    class Sends(runtime.Function[int, None]):
        def process(self, value: int, /) -> None:
            for each in endless():
                self.ctx.send_packet(each)

    def key(value: int) -> int:
        going.set()
        return value

    session = make_session(on_error=runtime.Retry(3), max_results_bytes=10**12)
    stream: Any = session.source([1])
    if place == "key":
        stream = stream.flat_map(lambda _: range(2_000_000), name="it").key_by(key)
    else:
        stream = stream.map(Sends(), name="it") if place == "send_packet" else stream.flat_map(lambda _: endless())
    stream.sink(abs)
    session.start()
    going.wait()
    session.cancel()
    outcome = session.wait(PATIENCE_S)
    assert (outcome.state, outcome.packets_in, outcome.packets_out, outcome.dropped) == ("cancelled", 1, 0, 1)


# ── back-off ──


def look_until(condition: Callable[[], object]) -> None:
    """Look again and again, while others have their turns: for what a job does not tell anybody by itself."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "it has not come"
        time.sleep(0)  # a turn for somebody else


def backing_off(session: runtime.Session) -> None:
    """Return when `it` is waiting for its next attempt."""
    look_until(lambda: session.snapshot()["it"].state == "backing off")


def raises_until(mended: Moment) -> Callable[[int], int]:
    def function(value: int) -> int:
        if value == 3 and not mended.has_come:
            raise ValueError("not yet")
        return value

    return function


@pytest.mark.concurrent  # a back-off takes no time where time is virtual
@every_pair_of(place=("map", "sink", "key"), command=("cancel", "close"), capacity=(1, 4))
def test_cancel_ends_a_back_off_at_once_and_counts_its_packet_as_dropped(
    make_session: MakeSession, place: str, command: str, capacity: int
) -> None:
    session = make_session(capacity=capacity)
    policy, function = runtime.Retry(1, FOR_EVER_S), raises_until(Moment())
    numbers = session.source(count())
    if place == "map":
        numbers.map(function, name="it", on_error=policy).sink(abs)
    elif place == "key":
        numbers.map(abs, name="it", on_error=policy).key_by(function).sink(abs)
    else:
        numbers.sink(function, name="it", on_error=policy)
    session.start()
    backing_off(session)
    getattr(session, command)()
    outcome = session.wait(PATIENCE_S)
    assert outcome.state == "cancelled"
    assert outcome.abandoned == ()
    assert outcome.packets_out <= 3
    assert outcome.packets_in == outcome.packets_out + outcome.dropped


def test_cancel_counts_all_that_one_packet_made_and_nobody_took(make_session: MakeSession, platform: Platform) -> None:
    session = make_session(capacity=1)
    stuck, going = platform.moment(), platform.moment()

    def wait(value: int) -> None:
        going.set()
        stuck.wait()

    session.source([0]).flat_map(lambda _: range(10), name="it", on_error="skip").sink(wait)
    session.start()
    going.wait()
    session.cancel()
    stuck.set()
    outcome = session.wait(PATIENCE_S)
    assert (outcome.packets_out, outcome.dropped) == (1, 9)


@pytest.mark.concurrent  # a back-off takes no time where time is virtual
def test_nothing_overtakes_a_packet_that_is_waiting_and_depths_are_exact_meanwhile(
    make_session: MakeSession, platform: Platform
) -> None:
    session = make_session(capacity=4)
    function = raises_until(Moment())
    policy = runtime.Retry(1, FOR_EVER_S)
    result = session.input("in").map(function, name="it", on_error=policy).collect()
    session.start()
    for number in range(6):
        session.send("in", number)
    backing_off(session)
    look_until(lambda: len(result) == 3 and session.snapshot()["in"].processed == 6)
    assert list(result) == [0, 1, 2]
    facts = session.snapshot()["it"]
    assert (facts.depth, facts.state) == (2, "backing off")
    session.cancel()
    outcome = session.wait(PATIENCE_S)
    assert (outcome.packets_in, outcome.packets_out, outcome.dropped) == (6, 3, 3)


@pytest.mark.concurrent  # a back-off takes no time where time is virtual
@pytest.mark.parametrize("capacity", [1, 1024])
def test_a_stop_during_a_back_off_still_drains_everything_in_order(
    make_session: MakeSession, platform: Platform, capacity: int
) -> None:
    mended = platform.moment()
    session = make_session(capacity=capacity)
    result = session.source(count()).map(raises_until(mended), name="it", on_error=runtime.Retry(10**9)).collect()
    session.start()
    look_until(lambda: session.snapshot()["it"].retries)
    session.stop()
    mended.set()
    outcome = session.wait(PATIENCE_S)
    assert (outcome.state, outcome.dropped, outcome.errors) == ("stopped", 0, 0)
    assert list(result) == list(range(outcome.packets_in))
    assert outcome.packets_in > 3
