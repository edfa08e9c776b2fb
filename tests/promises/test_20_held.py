"""Promise 20, held: a packet that user code raises for stays first in its lane, and is tried again when mended."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import runtime
from runtime import CommandRefused, JobHeld, JobPaused, NotPaused, PacketGone, Retry, TaskFailed
from runtime.testing import PATIENCE_S, explore
from tests.holds import EIGHT, finish, hold, raises_at_three, work
from tests.platforms import MakeSession
from tests.services import Calling, Echo


class Faulty:
    """Raises for what is in `bad`, as long as it is there."""

    def __init__(self, *bad: Any, made: Callable[[Any], Any] = lambda value: value) -> None:
        self.bad, self.made = set(bad), made
        self.calls: list[Any] = []

    def __call__(self, value: Any) -> Any:
        self.calls.append(value)
        if value in self.bad:
            raise ValueError(f"no {value}")
        return self.made(value)


@pytest.mark.also_remote
def test_the_packet_at_fault_stays_first_in_its_lane_and_the_job_pauses(session: runtime.Session) -> None:
    result = work(session, raises_at_three)
    with pytest.raises(JobHeld, match="'work' failed on packet 3: ValueError: no 3; it holds the packet") as caught:
        session.run(PATIENCE_S)
    assert isinstance(caught.value, JobPaused)
    assert isinstance(caught.value.__cause__, ValueError)
    assert (caught.value.task, caught.value.packet) == ("work", 3)
    (held,) = session.held
    assert (held.task, held.packet, str(held.error), held.version) == ("work", 3, "no 3", 1)
    assert "raise ValueError" in held.traceback
    assert repr(held) == "Held(work failed on packet 3: ValueError: no 3)"
    assert [packet.payload for packet in session.peek("work")][:1] == [3]
    facts = session.snapshot()
    assert (facts["work"].processed, facts["work"].emitted, facts["work"].errors) == (3, 3, 0)
    assert {task.state for task in facts} <= {"paused", "held back", "ended"}
    assert "work: failed on packet 3: ValueError: no 3: held" in map(repr, session.events)
    held.edit(30)
    assert not session.held
    assert finish(session).state == "completed"
    assert list(result) == [0, 1, 2, 30, 4, 5, 6, 7]
    assert not session.held


def test_resume_tries_a_held_packet_again_and_loses_and_doubles_nothing(session: runtime.Session) -> None:
    faulty = Faulty(3, 5)
    result = work(session, faulty)
    hold(session)
    assert hold_again(session) == 3
    faulty.bad.remove(3)
    assert hold_again(session) == 5
    faulty.bad.clear()
    assert finish(session) == runtime.Outcome("completed", 8, 8, order=("numbers", "work", "out"))
    assert list(result) == EIGHT
    assert faulty.calls == [0, 1, 2, 3, 3, 3, 4, 5, 5, 6, 7]
    assert session.snapshot()["work"].retries == 3


def hold_again(session: runtime.Session) -> Any:
    """Resume, until the next packet is held, and which one that is."""
    session.resume()
    return hold(session)[0].packet


@pytest.mark.also_remote
@pytest.mark.long_on_ray
def test_a_held_packet_can_be_skipped_and_is_a_dead_letter(session: runtime.Session) -> None:
    result = work(session, raises_at_three)
    (held,) = hold(session)
    held.skip()
    assert not session.held
    with pytest.raises(PacketGone):
        held.skip()
    (letter,) = session.dead_letters
    assert (letter.task, letter.packet, str(letter.error)) == ("work", 3, "no 3")
    assert session.peek("work", 1)[0].payload == 4
    outcome = finish(session)
    assert (outcome.state, outcome.packets_out, outcome.skipped, outcome.errors) == ("completed", 7, 1, 1)
    assert list(result) == [0, 1, 2, 4, 5, 6, 7]


def test_an_edit_of_a_held_packet_can_be_undone_and_then_it_is_held_again(session: runtime.Session) -> None:
    result = work(session, Faulty(3))
    (held,) = hold(session)
    held.edit(30)
    assert not session.held
    session.undo()
    assert [each.packet for each in session.held] == [3]
    session.drop(held.waiting)
    assert not session.held
    with pytest.raises(PacketGone):
        held.edit(31)
    session.undo()
    session.move(session.held[0].waiting, 2)
    assert [each.packet for each in session.held] == [3]
    session.held[0].skip()
    assert finish(session).dropped == 0
    assert list(result) == [0, 1, 2, 4, 5, 6, 7]


def test_a_dropped_packet_counts_as_dropped_and_as_no_error(session: runtime.Session) -> None:
    result = work(session, Faulty(3))
    (held,) = hold(session)
    session.drop(held.waiting)
    outcome = finish(session)
    assert (outcome.state, outcome.dropped, outcome.skipped, outcome.errors) == ("completed", 1, 0, 0)
    assert list(result) == [0, 1, 2, 4, 5, 6, 7]


def test_several_packets_may_be_held_at_once_and_each_is_tried_again(session: runtime.Session) -> None:
    faulty = Faulty(*EIGHT)
    result = work(session, faulty, parallelism=3)
    session.start(paused=True)
    while not all(session.peek(f"work#{index}") for index in range(3)):
        session.step("numbers")
    for index in range(3):
        assert session.step(f"work#{index}").result == "held"
    assert [(each.task, each.packet) for each in session.held] == [("work#0", 0), ("work#1", 1), ("work#2", 2)]
    with pytest.raises(JobHeld, match="and 2 more hold one"):
        session.wait(PATIENCE_S)
    session.held[1].skip()
    session.held[0].edit(100)
    assert [each.packet for each in session.held] == [2]
    faulty.bad.clear()
    assert finish(session).state == "completed"
    assert sorted(result) == [2, 3, 4, 5, 6, 7, 100]


def test_what_a_packet_makes_before_its_function_raises_is_not_sent(session: runtime.Session) -> None:
    bad = [3]

    def thrice(value: int) -> Iterator[int]:
        yield value
        yield value
        if value in bad:
            raise ValueError("at the third")
        yield value

    result = session.source(EIGHT).flat_map(thrice, name="thrice", on_error="hold").collect(name="out")
    hold(session)
    assert session.snapshot()["thrice"].emitted == 9
    hold_again(session)
    assert session.snapshot()["thrice"].emitted == 9
    bad.clear()
    assert finish(session).state == "completed"
    assert list(result) == [value for value in EIGHT for _ in range(3)]


def test_what_a_function_sends_by_itself_before_it_raises_is_not_sent(session: runtime.Session) -> None:
    bad = [3]

    class Sends(runtime.Function[int, int]):
        def process(self, value: int, /) -> int:
            self.ctx.send_packet(-value)
            if value in bad:
                raise ValueError("no good")
            return value

    result = work(session, Sends())
    hold(session)
    bad.clear()
    finish(session)
    assert list(result) == [each for value in EIGHT for each in (-value, value)]


def test_retry_holds_when_all_its_attempts_have_failed(session: runtime.Session) -> None:
    faulty = Faulty(3)
    result = work(session, faulty, on_error=Retry(2, then="hold"))
    hold(session)
    assert faulty.calls == [0, 1, 2, 3, 3, 3]
    hold_again(session)
    assert faulty.calls == [0, 1, 2, *[3] * 6]
    faulty.bad.clear()
    assert finish(session).state == "completed"
    assert list(result) == EIGHT


def test_a_step_tries_a_held_packet_once(session: runtime.Session) -> None:
    faulty = Faulty(3)
    result = work(session, faulty)
    hold(session)
    step = session.step("work")
    assert (step.result, step.sent, str(step)) == ("held", (), "work: 3 held: ValueError: no 3")
    assert step.packet == session.peek("work", 1)[0] == session.held[0].waiting
    assert step.packet is not None
    assert step.packet.place == session.held[0].waiting.place
    assert str(session.follow(session.held[0].waiting)) == "work: 3 held: ValueError: no 3"
    faulty.bad.clear()
    assert str(session.step("work")) == "work: 3 -> 3 to out"
    assert not session.held
    finish(session)
    assert list(result) == EIGHT


def test_a_breakpoint_and_a_tap_see_a_held_packet_as_any_other(session: runtime.Session) -> None:
    faulty = Faulty(3)
    result = work(session, faulty)
    session.start(paused=True)
    found = session.breakpoint("work", lambda value: value == 3)
    with session.tap("work") as tap:
        session.resume()
        assert found.wait(PATIENCE_S).payload == 3
        assert not session.held
        hold_again(session)
        faulty.bad.clear()
        finish(session)
    assert found.hits == 1
    assert [(step.result, step.packet.payload) for step in tap.steps if step.packet is not None] == [
        *[("done", value) for value in (0, 1, 2)],
        ("held", 3),
        *[("done", value) for value in EIGHT[3:]],
    ]
    assert list(result) == EIGHT


def test_a_held_packet_is_the_first_to_be_tried_whichever_lane_it_came_by(session: runtime.Session) -> None:
    faulty = Faulty(("right", 0))
    left = session.source([("left", value) for value in EIGHT], name="left")
    right = session.source([("right", value) for value in EIGHT], name="right")
    result = left.union(right).map(faulty, name="work", on_error="hold").collect(name="out")
    hold(session)
    before = len(faulty.calls)
    hold_again(session)
    hold_again(session)
    assert faulty.calls[before:] == [("right", 0)] * 2
    faulty.bad.clear()
    finish(session)
    assert sorted(result) == sorted([(side, value) for side in ("left", "right") for value in EIGHT])


def test_open_finish_and_sources_cannot_be_held_they_fail(make_session: MakeSession) -> None:
    class BadOpen(runtime.Function[int, int]):
        def open(self, ctx: Any) -> None:
            raise ValueError("open")

        def process(self, value: int, /) -> int:
            return value

    class BadFinish(runtime.Function[int, int]):
        def process(self, value: int, /) -> int:
            return value

        def finish(self) -> list[int]:
            raise ValueError("finish")

    def ends_badly() -> Iterator[int]:
        yield 1
        raise ValueError("source")

    functions: list[Any] = [BadOpen(), BadFinish()]
    for function in functions:
        session = make_session()
        work(session, function)
        with pytest.raises(TaskFailed):
            session.run(PATIENCE_S)
    session = make_session(on_error="hold")
    session.source(ends_badly).collect()
    with pytest.raises(TaskFailed, match="source"):
        session.run(PATIENCE_S)


def test_what_is_no_error_of_the_packet_fails_the_job(session: runtime.Session) -> None:
    def leave(value: int) -> int:
        raise SystemExit

    work(session, leave)
    with pytest.raises(TaskFailed):
        session.run(PATIENCE_S)


def test_keys_and_accumulators_are_as_they_were_before_the_packet_at_fault(session: runtime.Session) -> None:
    bad = [5]

    def add(total: int, value: int) -> int:
        if value in bad:
            raise ValueError("no good")
        return total + value

    keyed = session.source(EIGHT).key_by(lambda value: value % 2)
    result = keyed.reduce(add, initial=0, on_error="hold", name="add", emit="end").collect()
    (held,) = hold(session)
    assert (held.packet, held.waiting.key) == (5, 1)
    assert session.state("add") == {0: 0 + 2 + 4, 1: 1 + 3}
    bad.clear()
    finish(session)
    assert list(result) == [(0, 12), (1, 16)]


def test_if_a_key_function_raises_only_that_is_tried_again(session: runtime.Session) -> None:
    bad = [3]

    def key_of(value: int) -> int:
        if value in bad:
            raise ValueError("no key")
        return value

    sums = session.source([1, 2, 3]).reduce(lambda total, value: total + value, name="sums", on_error="hold")
    result = sums.key_by(key_of).map(lambda value: value).collect()
    (held,) = hold(session)
    assert held.packet == 2
    assert session.state("sums") == 3
    hold_again(session)
    assert session.state("sums") == 3
    bad.clear()
    finish(session)
    assert list(result) == [1, 3, 6]


@pytest.mark.parametrize("kind", ["map", "join"])
def test_two_inputs_hold_as_one_does(session: runtime.Session, kind: str) -> None:
    bad = [3]

    def pair(left: Any, right: Any) -> Any:
        if right in bad:
            raise ValueError("no good")
        return left, right

    def checked(value: Any) -> Any:
        if value in bad:
            raise ValueError("no good")
        return value

    left, right = session.source(EIGHT, name="left"), session.source(EIGHT, name="right")
    result: runtime.Collected[Any]
    expected: list[Any]
    if kind == "map":
        result = left.connect(right).map(checked, lambda value: -value, name="both", on_error="hold").collect()
        expected = sorted([*EIGHT, *[-value for value in EIGHT]])
    else:
        joined = left.key_by(lambda value: value).join(
            right.key_by(lambda value: value), pair, name="both", on_error="hold"
        )
        result, expected = joined.collect(), [(value, value) for value in EIGHT]
    (held,) = hold(session)
    assert held.packet == 3
    hold_again(session)
    bad.clear()
    finish(session)
    assert sorted(result) == expected


def test_a_packet_from_the_hand_can_be_held(session: runtime.Session) -> None:
    faulty = Faulty(3)
    result = session.input("in").map(faulty, name="work", on_error="hold").collect()
    session.start()
    for value in (1, 2):
        session.send("in", value)
    session.inject("work", 3)
    (held,) = hold(session)
    assert (held.packet, held.waiting.producer) == (3, "hand")
    session.end("in")
    faulty.bad.clear()
    finish(session)
    assert sorted(result) == [1, 2, 3]


def test_a_lane_of_one_place_stays_bounded_while_its_packet_is_held(session: runtime.Session) -> None:
    faulty = Faulty(3)
    result = work(session, faulty, capacity=1)
    hold(session)
    assert session.snapshot()["work"].depth == 1
    assert session.snapshot()["numbers"].state == "held back"
    faulty.bad.clear()
    finish(session)
    assert list(result) == EIGHT


def test_leaving_the_block_cancels_what_is_held(make_session: MakeSession) -> None:
    session = make_session()
    work(session, Faulty(3))
    with pytest.raises(JobHeld), session:
        session.start()
    assert session.outcome is not None
    assert session.outcome.state == "cancelled"
    assert session.outcome.packets_in == session.outcome.packets_out + session.outcome.dropped
    assert not session.held


@pytest.mark.parametrize("end", ["cancel", "close"])
def test_a_held_job_can_be_ended_and_its_packet_counts_as_dropped(session: runtime.Session, end: str) -> None:
    work(session, Faulty(3), capacity=2)
    hold(session)
    getattr(session, end)()
    outcome = session.wait(PATIENCE_S)
    assert outcome.state == "cancelled"
    assert outcome.packets_in == outcome.packets_out + outcome.dropped
    assert not session.held


def test_a_stop_of_a_held_job_takes_effect_when_it_is_mended(session: runtime.Session) -> None:
    faulty = Faulty(3)
    work(session, faulty, capacity=1)
    hold(session)
    session.stop()
    with pytest.raises(JobHeld):
        session.wait(PATIENCE_S)
    faulty.bad.clear()
    outcome = finish(session)
    assert outcome.state == "stopped"
    assert outcome.packets_in == outcome.packets_out >= 5


def test_calls_of_a_held_packet_are_made_again_and_its_results_sent_once(session: runtime.Session) -> None:
    bad = [3]
    session.service("echo", Echo)

    class Asks(runtime.Function[int, int]):
        def process(self, value: int, /) -> int:
            answer: int = self.ctx.call_service("echo", value)
            if value in bad:
                raise ValueError("no good")
            return answer

    result = work(session, Asks())
    hold(session)
    assert session.snapshot().services["echo"].received == 4
    bad.clear()
    finish(session)
    assert list(result) == EIGHT
    assert session.snapshot().services["echo"].received == 9


def test_a_packet_that_has_succeeded_has_left_while_its_results_wait_for_room(session: runtime.Session) -> None:
    numbers = session.source(EIGHT, name="numbers").map(Faulty(), name="work", on_error="hold")
    result = numbers.map(Faulty(), name="slow", capacity=1).collect()
    session.start(paused=True)
    session.step("numbers", 4)
    assert str(session.step("work")) == "work: 0 -> 0 to slow"
    assert session.step("work").result == "held_back"
    assert [packet.payload for packet in session.peek("work")] == [2, 3]
    finish(session)
    assert list(result) == EIGHT


def test_a_packet_in_user_code_that_waits_has_not_left(session: runtime.Session) -> None:
    session.service("echo", Echo)
    result = session.source(EIGHT, name="numbers").map(Calling("echo"), name="work", on_error="hold").collect()
    session.start(paused=True)
    session.step("numbers", 3)
    assert session.step("work").result == "waiting"
    assert [packet.payload for packet in session.peek("work")] == [0, 1, 2]
    with pytest.raises(NotPaused):
        session.drop(session.peek("work")[0])
    finish(session)
    assert list(result) == EIGHT


def test_only_what_is_paused_can_be_mended_by_hand(session: runtime.Session) -> None:
    faulty = Faulty(3)
    work(session, faulty)
    (held,) = hold(session)
    faulty.bad.clear()
    finish(session)
    with pytest.raises(CommandRefused):
        held.skip()
    with pytest.raises(CommandRefused):
        held.edit(1)


@pytest.mark.concurrent
def test_a_resume_at_the_moment_of_a_hold_leaves_nothing_skipped(make_session: MakeSession) -> None:
    """Somebody resumes all the time: each packet that is held is tried until it succeeds, once."""
    session = make_session()
    seen: dict[int, int] = {}

    def at_the_third(value: int) -> int:
        seen[value] = seen.get(value, 0) + 1
        if value % 5 == 0 and seen[value] < 3:
            raise ValueError("not yet")
        return value

    result = session.source(range(200)).map(at_the_third, on_error="hold", name="work").collect()
    session.start()
    is_over = threading.Event()

    def resume() -> None:
        while not is_over.is_set():
            session.resume()

    thread = threading.Thread(target=resume)
    thread.start()
    try:
        while session.outcome is None:
            try:
                session.wait(PATIENCE_S)
            except JobPaused:
                continue
    finally:
        is_over.set()
        thread.join()
    assert list(result) == list(range(200))
    assert all(seen[value] == (3 if value % 5 == 0 else 1) for value in range(200))


def test_under_every_seed_what_is_held_and_resumed_is_what_a_good_function_would_have_given() -> None:
    def build(session: runtime.Session) -> Any:
        failing = {(task, value): 2 for task in "abc" for value in range(0, 30, 7)}

        def fails(task: str, value: int) -> None:
            if failing.get((task, value), 0):
                failing[task, value] -= 1
                raise ValueError("not yet")

        def first(value: int) -> int:
            fails("a", value)
            return value

        def thrice(value: int) -> Iterator[int]:
            yield value
            yield value
            fails("b", value)
            yield value

        def add(total: int, value: int) -> int:
            fails("c", value)
            return total + value

        numbers = session.source(range(30), name="numbers")
        copies = numbers.map(first, parallelism=2, name="first", on_error="hold", capacity=2)
        copies = copies.flat_map(thrice, parallelism=2, name="thrice", on_error="hold", capacity=3)
        folded = copies.key_by(lambda value: value % 3).reduce(
            add, initial=0, emit="end", name="add", on_error="hold", parallelism=2
        )
        return folded.collect()

    def run(session: runtime.Session) -> None:
        session.start()
        while session.outcome is None:
            try:
                session.wait(PATIENCE_S)
            except JobHeld:
                session.resume()

    def check(session: runtime.Session, result: Any) -> None:
        assert dict(result) == {key: 3 * sum(range(key, 30, 3)) for key in range(3)}
        assert session.outcome is not None
        assert session.outcome.state == "completed"

    assert explore(build, check, 60, run=run) is None
