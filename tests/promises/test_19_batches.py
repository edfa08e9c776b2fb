"""Promise 19: what map_batches makes is what map would have made of each packet, and when a batch goes.

Where the hand acts while a batch is gathered, time has to be real: under a seed, what only time would bring has come
already. Sizes of batches are told by functions that return, for each packet, what was in its batch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from time import monotonic
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import runtime
from runtime.communication.signals import Signal
from runtime.testing import PATIENCE_S, Hold, explore
from tests.pairs import every_pair_of
from tests.platforms import MakeSession
from tests.signals import Kind, Marked, lanes, made

LATE_S = 3600.0
"""A time that nobody lives to see, where it is real."""


def doubled(batch: list[int]) -> list[int]:
    return [number * 2 for number in batch]


def same(batch: list[Any]) -> list[list[Any]]:
    """For each packet, its batch."""
    return [list(batch)] * len(batch)


def batches_of(results: Sequence[list[Any]]) -> list[list[Any]]:
    """The batches, once each."""
    found: list[list[Any]] = []
    while sum(map(len, found)) < len(results):
        found.append(list(results[sum(map(len, found))]))
    return found


# ── one result for each packet ──


@every_pair_of(
    size=(1, 3, 64),
    capacity=(1, 2, 1024),
    policy={"fail": "fail", "skip": "skip", "retry": runtime.Retry(1)},
    parallelism=(1, 3),
    remote={"size": 3, "capacity": 2, "policy": "skip", "parallelism": 1},
)
def test_it_makes_what_map_makes_of_each_packet_in_order(
    make_session: MakeSession, size: int, capacity: int, policy: Any, parallelism: int
) -> None:
    session = make_session(capacity=capacity, on_error=policy)
    stream = session.source(range(200)).map_batches(doubled, size=size, parallelism=parallelism)
    result = stream.collect()
    outcome = session.run()
    assert (outcome.packets_in, outcome.packets_out, outcome.dropped) == (200, 200, 0)
    assert sorted(result) == [number * 2 for number in range(200)]
    if parallelism == 1:
        assert list(result) == sorted(result)


@pytest.mark.also_remote
@pytest.mark.long_on_ray
def test_no_batch_is_longer_than_its_size_or_than_its_queue(make_session: MakeSession) -> None:
    for size, capacity in ((7, 1024), (1024, 7)):
        session = make_session(capacity=capacity)
        result = session.source(range(100)).map_batches(same, size=size, within=LATE_S).collect()
        session.run()
        batches = batches_of(result)
        assert [number for batch in batches for number in batch] == list(range(100))
        assert max(map(len, batches)) <= 7


def test_whatever_holds_the_results_will_do(make_session: MakeSession) -> None:
    numpy = pytest.importorskip("numpy")
    session = make_session()
    numbers = session.source(range(100))
    arrays = numbers.map_batches(numpy.asarray, size=16, name="arrays").map(int).collect()
    ranges = numbers.map_batches(lambda batch: range(batch[0], batch[-1] + 1), size=16, name="ranges").collect()
    tuples = numbers.map_batches(tuple, size=16, name="tuples").collect()
    session.run()
    assert list(arrays) == list(ranges) == list(tuples) == list(range(100))


WRONG: dict[str, tuple[Callable[[list[Any]], Any], str]] = {
    "short": (lambda batch: batch[1:], "returned 3 results for a batch of 4 packets"),
    "long": (lambda batch: [*batch, 1], "returned 5 results for a batch of 4 packets"),
    "none": (lambda batch: None, "returned None; it has to return a list"),
    "text": (lambda batch: "abcd", "returned 'abcd'; it has to return a list"),
    "mapping": (lambda batch: dict.fromkeys(batch, 1), "it has to return a list"),
    "generator": (lambda batch: (number for number in batch), "it has to return a list"),
    "number": (lambda batch: 4, "returned 4; it has to return a list"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_another_number_of_results_is_an_error_by_name(make_session: MakeSession, wrong: str) -> None:
    function, text = WRONG[wrong]
    session = make_session()
    functions: Any = function
    session.source("abcd").map_batches(functions, size=4, name="work").collect()
    with pytest.raises(runtime.TaskFailed, match=text) as failed:
        session.run()
    assert isinstance(failed.value.__cause__, runtime.WrongBatch)
    assert (failed.value.task, failed.value.packet) == ("work", [*"abcd"])


def test_what_does_not_describe_a_batch_is_refused(session: runtime.Session) -> None:
    numbers = session.source([1])
    for size in (0, -1, 1.5, True, "8"):
        with pytest.raises(runtime.GraphInvalid, match="size of map_batches"):
            numbers.map_batches(doubled, size=size)  # type: ignore[arg-type]
    for within in (-0.1, float("inf"), float("nan"), None, "soon"):
        with pytest.raises(runtime.GraphInvalid, match="within of map_batches"):
            numbers.map_batches(doubled, within=within)  # type: ignore[arg-type]


# ── when a batch goes ──


@pytest.mark.also_remote
@pytest.mark.concurrent
@pytest.mark.long_on_ray
def test_a_batch_that_is_full_goes_at_once(make_session: MakeSession) -> None:
    session = make_session()
    result = session.input("in").map_batches(same, size=3, within=LATE_S, name="work").collect()
    session.start()
    for number in range(3):
        session.send("in", number)
    until(lambda: len(result) == 3)
    assert list(result) == [[0, 1, 2]] * 3
    session.cancel()


@pytest.mark.also_remote
@pytest.mark.long_on_ray
def test_the_end_of_the_input_lets_the_last_batch_go(make_session: MakeSession) -> None:
    session = make_session()
    result = session.source(range(10)).map_batches(same, size=4, within=LATE_S).collect()
    session.run()
    assert batches_of(result) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]


@pytest.mark.concurrent
@pytest.mark.parametrize("to_both", [False, True])
def test_the_end_of_one_of_two_producers_lets_go_what_waits_in_any_lane(
    make_session: MakeSession, to_both: bool
) -> None:
    session = make_session()
    both = session.input("a").union(session.input("b"))
    result = both.map_batches(same, size=100, within=LATE_S, name="work").collect()
    session.start()
    sent = ["a", "b"] if to_both else ["a"]
    for name in sent:
        session.send(name, name)
    until(lambda: session.snapshot()["work"].depth == len(sent))
    session.end("b")
    until(lambda: len(result) == len(sent))
    assert sorted(result[0]) == sent
    session.cancel()


def test_what_was_there_goes_within_the_time(make_session: MakeSession) -> None:
    session = make_session()
    result = session.input("in").map_batches(same, size=100, within=0.01).collect()
    session.start()
    session.send("in", 1)
    session.settle(PATIENCE_S)
    assert list(result) == [[1]]
    session.cancel()


def test_under_a_seed_a_batch_goes_when_its_virtual_time_has_come(make_session: MakeSession) -> None:
    session = make_session(seed=5)
    result = session.input("in").map_batches(same, size=100, within=LATE_S, name="work").collect()
    session.start()
    began_s = monotonic()
    for number in range(3):
        session.send("in", number)
        session.settle(PATIENCE_S)
    assert list(result) == [[0], [1], [2]]
    assert monotonic() - began_s < LATE_S
    assert [turn for turn in session.turns if turn.startswith("time")] == [
        "time: 3600 s",
        "time: 7200 s",
        "time: 10800 s",
    ]
    session.cancel()


@pytest.mark.concurrent
def test_a_full_lane_lets_a_batch_go_however_little_is_in_the_others(make_session: MakeSession) -> None:
    session = make_session()
    both = session.input("a").union(session.input("b"))
    result = both.map_batches(same, size=100, within=LATE_S, capacity=4, name="work").collect()
    session.start()
    session.send("a", 0)
    until(lambda: session.snapshot()["work"].depth == 1)
    session.send("b", 1)
    session.send("b", 2)
    until(lambda: len(result) == 3)
    assert sorted(result[0]) == [0, 1, 2]
    session.cancel()


@pytest.mark.concurrent
def test_what_the_hand_puts_in_is_gathered_as_any_other(make_session: MakeSession) -> None:
    session = make_session()
    result = session.input("in").map_batches(same, size=3, within=LATE_S, capacity=8, name="work").collect()
    session.start()
    session.inject("work", "a")
    session.send("in", "b")
    until(lambda: session.snapshot()["work"].depth == 2)
    session.inject("work", "c")
    until(lambda: len(result) == 3)
    assert sorted(result[0]) == ["a", "b", "c"]
    session.cancel()


@pytest.mark.concurrent
def test_a_hand_that_waits_for_room_lets_a_batch_go(make_session: MakeSession) -> None:
    session = make_session()
    session.input("in").map_batches(same, size=3, within=LATE_S, capacity=2, name="work").collect()
    session.start()
    session.send("in", 1)
    until(lambda: session.snapshot()["work"].depth == 1)
    with pytest.raises(runtime.QueueFull):
        session.inject("work", 2)
    session.inject("work", 2, timeout=PATIENCE_S)
    session.cancel()


def until(ready: Callable[[], bool]) -> None:
    """Wait until `ready`, which comes by what other threads do."""
    began_s = monotonic()
    while not ready():
        assert monotonic() - began_s < PATIENCE_S


@pytest.mark.parametrize("kind", ["each", "least", "aligned"])
@pytest.mark.parametrize("policy", ["fail", "skip"])
def test_a_signal_lets_what_came_before_it_go_and_no_batch_reaches_over_it(
    make_session: MakeSession, kind: Kind, policy: Any
) -> None:
    session = make_session(capacity=64, on_error=policy)
    source = session.source(Marked("a", kind, 12, (3, 4, 9)), name="a")
    source.map_batches(same, size=5, within=LATE_S, name="work").sink(list, name="end")
    session.start(paused=True)
    session.resume("a", "work")
    session.settle(PATIENCE_S)
    (lane,) = lanes(session.peek("end")).values()
    found = [each if isinstance(each, Signal | str) else [number for _, number in each] for each in lane]
    expected: list[Any] = []
    for first, after in ((0, 3), (3, 4), (4, 9), (9, 12)):
        expected += [[*range(first, after)]] * (after - first)
        expected += [made(kind, after, "a")]
    assert found == [*expected, "completed"]
    session.resume()
    assert session.wait(PATIENCE_S).state == "completed"


# ── control ──


@pytest.mark.also_remote
def test_what_is_gathered_waits_in_its_queue_and_is_peeked_at_edited_and_dropped(make_session: MakeSession) -> None:
    session = make_session()
    result = session.input("in").map_batches(same, size=100, within=LATE_S, name="work").collect(name="out")
    session.start(paused=True)
    for number in range(5):
        session.send("in", number)
    session.step("in", 5)
    waiting = session.peek("work")
    assert [packet.payload for packet in waiting] == [0, 1, 2, 3, 4]
    session.edit(waiting[0], 10)
    session.drop(waiting[1])
    session.move(waiting[4], 0)
    session.undo()
    step = session.step("work")
    assert [packet.payload for packet in step.packets] == [10, 2, 3, 4]
    assert str(step).startswith("work: 10, 2, 3, 4 -> [10, 2, 3, 4], ")
    assert session.peek("work").depth == 0
    session.resume()
    session.end("in")
    session.wait(PATIENCE_S)
    assert list(result) == [[10, 2, 3, 4]] * 4


def test_a_step_is_one_batch_of_what_waits_and_a_signal_a_step_of_its_own(make_session: MakeSession) -> None:
    session = make_session()
    session.source(range(5), name="numbers").map_batches(doubled, size=3, within=LATE_S, name="work").collect()
    session.start(paused=True)
    while session.step("numbers").result == "done":
        pass
    told = [str(session.step("work")) for _ in range(4)]
    assert told == [
        "work: 0, 1, 2 -> 0, 2, 4 to collect",
        "work: 3, 4 -> 6, 8 to collect",
        "work: stop from numbers (completed), ended (completed)",
        "work: idle, nothing to take",
    ]
    session.resume()
    session.wait(PATIENCE_S)


class FailsOnce(runtime.Function[int, int]):
    """Raises for its first attempt, so that its back-off lets time pass."""

    failed = False

    def process(self, value: int) -> int:
        if not self.failed:
            self.failed = True
            raise ValueError(value)
        return value


def test_the_time_of_a_batch_stands_still_while_its_task_is_paused() -> None:
    with runtime.Session(seed=1) as session:
        result = session.input("in").map_batches(same, size=100, within=10, name="work").collect(name="out")
        soon = session.input("soon").map(FailsOnce(), on_error=runtime.Retry(1, backoff=4))
        soon.sink(lambda _: session.pause("work"))  # with 6 s left
        session.input("late").map(FailsOnce(), on_error=runtime.Retry(1, backoff=50)).sink(abs)
        session.start(paused=True)
        for name in ("in", "soon", "late"):
            session.send(name, 1)
        session.resume()
        session.settle(PATIENCE_S)
        assert (list(result), session.peek("work").depth) == ([], 1)
        session.resume()
        session.settle(PATIENCE_S)
        assert list(result) == [[1]]
        times = [turn for turn in session.turns if turn.startswith("time")]
        assert times == ["time: 4 s", "time: 50 s", "time: 56 s"]
        session.cancel()


@pytest.mark.concurrent
def test_a_pause_while_it_gathers_comes_at_once_and_lets_it_gather_on(make_session: MakeSession) -> None:
    session = make_session()
    result = session.input("in").map_batches(same, size=4, within=LATE_S, name="work").collect(name="out")
    session.start()
    for number in range(3):
        session.send("in", number)
    until(lambda: session.snapshot()["work"].depth == 3)
    assert session.pause(timeout=PATIENCE_S) == ()
    assert len(session.peek("work")) == 3
    session.settle(PATIENCE_S)
    session.resume()
    with pytest.raises(TimeoutError):
        session.settle(0.05)
    session.send("in", 3)
    until(lambda: len(result) == 4)
    assert list(result) == [[0, 1, 2, 3]] * 4
    session.cancel()


@pytest.mark.concurrent
def test_a_batch_in_user_code_has_left_its_queue_and_a_pause_comes_after_it(make_session: MakeSession) -> None:
    session = make_session()
    hold = Hold[list[int]](lambda batch: 0 in batch)
    result = session.input("in").map_batches(hold, size=2, within=LATE_S, name="work").collect()
    session.start()
    for number in range(3):
        session.send("in", number)
    hold.reached.wait()
    until(lambda: [packet.payload for packet in session.peek("work")] == [2])
    assert session.pause("work", timeout=0) == ("work",)
    hold.release()
    assert session.pause("work") == ()
    assert session.snapshot()["work"].processed == 2
    session.end("in")
    session.resume()
    session.wait(PATIENCE_S)
    assert list(result) == [0, 1, 2]


@pytest.mark.also_remote
@pytest.mark.concurrent
@pytest.mark.long_on_ray
def test_a_cancel_while_it_gathers_ends_at_once_and_counts_what_is_dropped(make_session: MakeSession) -> None:
    session = make_session()
    session.input("in").map_batches(same, size=100, within=LATE_S, name="work").collect()
    session.start()
    for number in range(5):
        session.send("in", number)
    until(lambda: session.snapshot()["work"].depth == 5)
    session.cancel()
    outcome = session.wait(PATIENCE_S)
    assert (outcome.state, outcome.packets_in, outcome.dropped) == ("cancelled", 5, 5)


@pytest.mark.concurrent
def test_a_cancel_while_results_wait_for_room_counts_all_that_nobody_took(make_session: MakeSession) -> None:
    session = make_session()
    hold = Hold[int]()
    stream = session.source(range(10)).map_batches(doubled, size=10, within=LATE_S, name="work")
    stream.map(hold, capacity=2, name="slow").collect()
    session.start()
    hold.reached.wait()
    until(lambda: session.snapshot()["work"].state == "held back")
    session.cancel()
    hold.release()
    outcome = session.wait(PATIENCE_S)
    assert (outcome.packets_in, outcome.packets_out + outcome.dropped) == (10, 10)


def test_a_breakpoint_stops_before_the_batch_that_has_its_packet_once(make_session: MakeSession) -> None:
    session = make_session()
    result = session.source(range(10)).map_batches(same, size=4, within=LATE_S, name="work").collect()
    stops = session.breakpoint("work", lambda number: number in (5, 6))
    session.start()
    assert stops.wait(PATIENCE_S).payload == 5
    assert [packet.payload for packet in session.peek("work")][:2] == [4, 5]
    session.resume()
    assert stops.wait(PATIENCE_S).payload == 6
    session.resume()
    session.wait(PATIENCE_S)
    assert (stops.hits, batches_of(result)) == (2, [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]])


def test_a_packet_that_comes_while_a_breakpoint_is_asked_is_asked_for_as_well(make_session: MakeSession) -> None:
    session = make_session()
    result = session.source(range(4)).map_batches(same, size=8, within=LATE_S, name="work").collect()

    def is_late(number: int) -> bool:
        if number == 0:
            session.inject("work", 99)
        return number == 99

    stop = session.breakpoint("work", is_late)
    session.start()
    assert stop.wait(PATIENCE_S).payload == 99
    assert all(99 not in batch for batch in result)
    session.resume()
    session.wait(PATIENCE_S)
    assert [99] in [batch[-1:] for batch in batches_of(result)]


def test_a_tap_sees_each_batch_and_all_its_packets(make_session: MakeSession) -> None:
    session = make_session()
    session.source(range(5)).map_batches(doubled, size=2, within=LATE_S, name="work").collect()
    session.start(paused=True)
    with session.tap("work") as tap:
        session.resume()
        session.wait(PATIENCE_S)
    assert tap.packets == [0, 1, 2, 3, 4]
    taken = [[packet.payload for packet in step.packets] for step in tap.steps if step.packets]
    assert taken == [[0, 1], [2, 3], [4]]


def test_enough_of_its_results_ends_it(make_session: MakeSession) -> None:
    def forever() -> Iterator[int]:
        while True:
            yield 1

    session = make_session(capacity=8)
    result = session.source(forever).map_batches(doubled, size=5).take(12).collect()
    outcome = session.run()
    assert (outcome.state, list(result)) == ("completed", [2] * 12)


# ── traces and keys ──


def test_in_a_trace_each_result_belongs_to_its_packet(make_session: MakeSession) -> None:
    session = make_session(trace=True)
    session.source(range(6)).map_batches(doubled, size=4, within=LATE_S, name="work").collect(name="out")
    session.start(paused=True)
    with session.tap("work") as tap:
        session.resume()
        session.wait(PATIENCE_S)
    pairs = [
        (taken.payload, taken.id, sent.payload, sent.parents)
        for step in tap.steps
        for taken, (_, sent) in zip(step.packets, step.sent, strict=True)
    ]
    assert [(taken, sent) for taken, _, sent, _ in pairs] == [(number, number * 2) for number in range(6)]
    assert all(parents == (id_,) for _, id_, _, parents in pairs)


class CountsKeys(runtime.Function[list[str], list[Any]]):
    """How often each key has come, as `(key, count)`."""

    def process(self, batch: list[str]) -> list[Any]:
        counted = []
        for key in self.ctx.keys:
            state = self.ctx.states[key]
            state["count"] = state.get("count", 0) + 1
            counted.append((key, state["count"]))
        return counted


@every_pair_of(
    size=(1, 3, 64),
    parallelism=(1, 3),
    policy={"fail": "fail", "skip": "skip"},
    trace={"plain": False, "traced": True},
    remote={"size": 3, "parallelism": 1, "policy": "fail", "trace": "plain"},
)
@pytest.mark.long_on_ray
def test_a_batch_may_hold_several_keys_each_with_its_own_state(
    make_session: MakeSession, size: int, parallelism: int, policy: Any, trace: bool
) -> None:
    session = make_session(on_error=policy, trace=trace)
    words = session.source([*"abracadabra" * 5]).key_by(str)
    result = words.map_batches(CountsKeys(), size=size, parallelism=parallelism, name="count").collect()
    session.run()
    for key in "abrcd":
        counts = [count for found, count in result if found == key]
        assert counts == list(range(1, "abracadabra".count(key) * 5 + 1))


class AsksFor(runtime.Function[list[str], list[Any]]):
    """Asks its context for something of a single packet."""

    def __init__(self, what: str) -> None:
        self._what = what

    def process(self, batch: list[str]) -> list[Any]:
        return [getattr(self.ctx, self._what)] * len(batch)


@pytest.mark.parametrize("what", ["key", "state"])
def test_a_batch_has_no_key_of_its_own(make_session: MakeSession, what: str) -> None:
    session = make_session()
    session.source([*"abc"]).key_by(str).map_batches(AsksFor(what), name="work").collect()
    with pytest.raises(runtime.TaskFailed, match=rf"ctx\.{what} of 'work', which works batches"):
        session.run()


def test_without_keys_a_batch_has_the_state_of_its_task(make_session: MakeSession) -> None:
    session = make_session()
    letters = session.source([*"abc"])
    states = letters.map_batches(AsksFor("state"), name="state").collect()
    keys = letters.map_batches(AsksFor("keys"), name="keys").collect()
    session.run()
    assert (list(states), list(keys)) == ([{}] * 3, [(None, None, None)] * 3)


def test_a_function_that_takes_the_place_of_another_sees_the_keys_of_its_batch(make_session: MakeSession) -> None:
    session = make_session()
    words = session.input("in").key_by(str)
    result = words.map_batches(AsksFor("key"), size=2, within=LATE_S, name="work").collect(name="out")
    session.start(paused=True)
    session.replace("work", AsksFor("keys"))
    for word in "ab":
        session.send("in", word)
    session.end("in")
    session.resume()
    session.wait(PATIENCE_S)
    assert list(result) == [("a", "b")] * 2


# ── policies ──


def inverse(batch: list[int]) -> list[float]:
    """Fails for a zero, wherever it is in the batch."""
    return [12 / number for number in batch]


NUMBERS = (1, 2, 0, 3, 4, 0, 6)
POLICIES = {"skip": "skip", "retry": runtime.Retry(2, then="skip")}


@every_pair_of(
    size=(1, 3, 64),
    policy=POLICIES,
    keyed={"plain": False, "by key": True},
    remote={"size": 3, "policy": "skip", "keyed": "plain"},
)
def test_of_a_batch_that_fails_the_good_packets_come_through_and_the_bad_ones_are_kept(
    make_session: MakeSession, size: int, policy: Any, keyed: bool
) -> None:
    session = make_session()
    numbers: Any = session.source(NUMBERS, name="numbers")
    stream = (numbers.key_by(abs) if keyed else numbers).map_batches(inverse, size=size, on_error=policy, name="work")
    result = stream.collect()
    outcome = session.run()
    assert list(result) == [12 / number for number in NUMBERS if number]
    assert (outcome.skipped, outcome.packets_out) == (2, 5)
    assert [(letter.packet, letter.key) for letter in session.dead_letters] == [(0, 0 if keyed else None)] * 2


def test_retry_repeats_the_batch_and_then_goes_packet_by_packet_once_each(make_session: MakeSession) -> None:
    given: list[list[int]] = []

    def fails(batch: list[int]) -> list[float]:
        given.append(list(batch))
        return inverse(batch)

    session = make_session()
    policy = runtime.Retry(2, then="skip")
    result = session.source((1, 0, 2)).map_batches(fails, size=3, within=LATE_S, on_error=policy).collect()
    session.run()
    assert given == [[1, 0, 2]] * 3 + [[1], [0], [2]]
    assert list(result) == [12.0, 6.0]


def test_retry_that_fails_names_the_one_packet(make_session: MakeSession) -> None:
    session = make_session()
    stream = session.source(NUMBERS).map_batches(
        inverse, size=64, within=LATE_S, on_error=runtime.Retry(1), name="work"
    )
    result = stream.collect()
    with pytest.raises(runtime.TaskFailed, match="'work' failed on packet 0: ZeroDivisionError") as failed:
        session.run()
    assert failed.value.packet == 0
    outcome = failed.value.outcome
    assert outcome is not None
    assert outcome.packets_in == outcome.packets_out + outcome.dropped + 1
    assert len(result) <= 2


def test_a_key_function_that_fails_is_judged_for_its_packet_alone(make_session: MakeSession) -> None:
    given: list[list[int]] = []

    def notes(batch: list[int]) -> list[int]:
        given.append(list(batch))
        return batch

    session = make_session()
    stream = session.source(NUMBERS).map_batches(notes, size=64, within=LATE_S, on_error="skip", name="work")
    result = stream.key_by(lambda number: 12 / number).map(abs).collect()
    outcome = session.run()
    assert (given, list(result)) == ([list(NUMBERS)], [number for number in NUMBERS if number])
    assert (outcome.skipped, [letter.packet for letter in session.dead_letters]) == (2, [0, 0])


def test_under_fail_a_key_function_is_blamed_for_the_packet_of_its_result(make_session: MakeSession) -> None:
    session = make_session()
    stream = session.source(NUMBERS).map_batches(doubled, size=64, within=LATE_S, name="work")
    stream.key_by(lambda number: 12 / (number - 6)).map(abs).collect()
    with pytest.raises(runtime.TaskFailed) as failed:
        session.run()
    assert failed.value.packet == 3


# ── held ──

HOLDS: dict[str, Any] = {"hold": "hold", "retry": runtime.Retry(1, then="hold")}


@pytest.mark.also_remote
@pytest.mark.parametrize("policy", HOLDS)
@pytest.mark.long_on_ray
def test_of_a_batch_that_is_held_the_good_packets_are_worked_and_the_first_bad_one_is_first_in_its_lane(
    make_session: MakeSession, policy: str
) -> None:
    session = make_session()
    stream = session.source(NUMBERS).map_batches(inverse, size=64, within=LATE_S, on_error=HOLDS[policy], name="work")
    result = stream.collect()
    session.start()
    with pytest.raises(runtime.JobHeld, match="'work'"):
        session.wait(PATIENCE_S)
    (held,) = session.held
    assert (held.task, held.packet, type(held.error)) == ("work", 0, ZeroDivisionError)
    session.resume("collect")
    until(lambda: len(result) == 5)
    assert list(result) == [12 / number for number in NUMBERS if number]
    assert [packet.payload for packet in session.peek("work")] == [0, 0]
    assert session.snapshot()["work"].processed == 5
    held.edit(8)
    session.resume()
    with pytest.raises(runtime.JobHeld):
        session.wait(PATIENCE_S)
    (other,) = session.held
    other.skip()
    session.resume()
    outcome = session.wait(PATIENCE_S)
    assert list(result)[5:] == [12 / 8]
    assert (outcome.packets_in, outcome.packets_out, outcome.skipped, outcome.dropped) == (7, 6, 1, 0)


@pytest.mark.parametrize("keyed", [False, True])
@pytest.mark.parametrize("policy", HOLDS)
def test_fail_replace_resume_gives_what_the_good_function_would_have_given(policy: str, keyed: bool) -> None:
    def mended(batch: list[int]) -> list[float]:
        return [12 / number if number else 0.0 for number in batch]

    def build(session: runtime.Session) -> Any:
        both: Any = session.source(NUMBERS, name="a").union(session.source((0, 7, 0), name="b"))
        stream = both.key_by(abs) if keyed else both
        work = stream.map_batches(inverse, size=4, capacity=4, on_error=HOLDS[policy], parallelism=2, name="work")
        return work.collect()

    def run(session: runtime.Session) -> None:
        session.start()
        for _ in range(20):
            try:
                session.wait(PATIENCE_S)
            except runtime.JobHeld:
                session.replace("work", mended)
                session.resume()
            else:
                return
        raise AssertionError("held again and again")

    def check(session: runtime.Session, result: Any) -> None:
        assert sorted(result) == sorted(mended([*NUMBERS, 0, 7, 0]))
        assert session.outcome is not None
        assert session.outcome.dropped == session.outcome.skipped == 0

    assert explore(build, check, seeds=30, run=run) is None


def test_a_packet_whose_key_cannot_be_told_is_held_with_what_was_made_of_it(make_session: MakeSession) -> None:
    given: list[list[int]] = []

    def notes(batch: list[int]) -> list[int]:
        given.append(list(batch))
        return batch

    broken = [True]

    def key_of(number: int) -> float:
        return 12 / number if broken else 1.0

    session = make_session()
    stream = session.source((1, 0, 2)).map_batches(notes, size=64, within=LATE_S, on_error="hold", name="work")
    result = stream.key_by(key_of).map(abs, name="after").collect(name="out")
    session.start()
    with pytest.raises(runtime.JobHeld):
        session.wait(PATIENCE_S)
    broken.clear()
    session.resume()
    session.wait(PATIENCE_S)
    assert (given, list(result)) == ([[1, 0, 2]], [1, 2, 0])


@pytest.mark.parametrize("how", ["cancel", "close"])
def test_a_held_batch_that_is_cancelled_counts_what_stays_as_dropped(make_session: MakeSession, how: str) -> None:
    session = make_session()
    session.source(NUMBERS).map_batches(inverse, size=64, within=LATE_S, on_error="hold", name="work").sink(float)
    session.start()
    with pytest.raises(runtime.JobHeld):
        session.wait(PATIENCE_S)
    session.resume("sink")
    session.settle(PATIENCE_S)
    getattr(session, how)()
    outcome = session.outcome if how == "close" else session.wait(PATIENCE_S)
    assert outcome is not None
    assert (outcome.packets_in, outcome.packets_out, outcome.dropped) == (7, 5, 2)


def test_a_step_by_hand_that_holds_says_so(make_session: MakeSession) -> None:
    session = make_session()
    session.source(NUMBERS).map_batches(inverse, size=64, within=LATE_S, on_error="hold", name="work").collect()
    session.start(paused=True)
    while session.step("source").result == "done":
        pass
    step = session.step("work")
    assert step.result == "held"
    assert [packet.payload for packet in step.packets] == list(NUMBERS)
    assert [packet.payload for packet in session.peek("work")] == [0, 0]
    session.cancel()


# ── any order ──


@pytest.mark.parametrize("keyed", [False, True])
@pytest.mark.parametrize("policy", ["fail", "skip"])
def test_under_every_seed_it_equals_map(keyed: bool, policy: Any) -> None:
    def build(session: runtime.Session) -> Any:
        first = session.source(range(12), name="a").union(session.source(range(12, 20), name="b"))
        stream: Any = first.key_by(lambda number: number % 3) if keyed else first
        one = stream.map_batches(doubled, size=4, parallelism=2, capacity=3, on_error=policy, name="many").collect()
        other = stream.map(lambda number: number * 2, on_error=policy, name="single").collect()
        return one, other

    def check(session: runtime.Session, built: Any) -> None:
        assert sorted(built[0]) == sorted(built[1]) == [number * 2 for number in range(20)]
        assert session.outcome is not None
        assert session.outcome.dropped == 0

    assert explore(build, check, seeds=60) is None


@settings(max_examples=60)
@given(
    numbers=st.lists(st.integers(-3, 3), max_size=12),
    size=st.integers(1, 6),
    capacity=st.integers(1, 6),
    within=st.sampled_from([0.0, 1.0]),
    policy=st.sampled_from(["skip", runtime.Retry(1, then="skip"), runtime.Retry(2, backoff=0.5, then="skip")]),
    keyed=st.booleans(),
    key_fails=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_with_any_failures_it_leaves_what_map_leaves(
    numbers: list[int],
    size: int,
    capacity: int,
    within: float,
    policy: Any,
    keyed: bool,
    key_fails: bool,
    seed: int,
) -> None:
    def key_of(number: float) -> int:
        return round(6 / (number - 6)) if key_fails else 1  # which the inverse of 2 has none of

    found = []
    for many in (True, False):
        with runtime.Session(seed=seed, on_error=policy) as session:
            source: Any = session.source(numbers)
            stream = source.key_by(abs) if keyed else source
            if many:
                made = stream.map_batches(inverse, size=size, within=within, capacity=capacity, name="work")
            else:
                made = stream.map(lambda number: 12 / number, capacity=capacity, name="work")
            result = (made.key_by(key_of).map(abs) if key_fails else made).collect()
            outcome = session.run()
            letters = [(letter.packet, type(letter.error), letter.key) for letter in session.dead_letters]
            counts = (outcome.packets_in, outcome.packets_out, outcome.skipped, outcome.dropped)
            found.append((list(result), letters, counts))
    assert found[0] == found[1]
