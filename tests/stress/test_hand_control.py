"""The hand's control under stress: gates, turns, edits, breakpoints and taps against a graph that runs.

Whatever falls between which two instructions: what the sources make comes out once and in order, or was dropped by
hand and is counted.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, suppress
from functools import partial
from random import Random
from typing import Any

from runtime import CommandRefused, Function, JobPaused, NotPaused, PacketGone, QueueFull, Session, Step
from runtime.testing import check_bounded
from tests.stress.rounds import PATIENCE_S, Helper, Packet, give_way, in_order, numbers, one_round, repeat, spin

LOOKS = 6
"""How often a helper gives its commands in a round."""


def line(session: Session, rng: Random, got: list[Packet], producers: int = 1) -> int:
    """`source → work → end`; returns how many packets each producer makes."""
    count = rng.randint(1, 40)
    first, *others = [session.source(partial(numbers, i, count, rng.choice((0, 1, 4)))) for i in range(producers)]
    first.union(*others).map(lambda packet: packet, name="work").sink(got.append, name="end")
    return count


def commands(rng: Random, *each: Callable[[], object]) -> Callable[[], None]:
    """Gives these commands in turn, now and again."""
    dice = Random(rng.random())

    def give() -> None:
        for _ in range(LOOKS):
            for command in each:
                spin(dice)
                command()

    return give


def assert_all_came(got: list[Packet], count: int, producers: int = 1) -> None:
    for producer in range(producers):
        assert in_order(got, producer) == list(range(count)), "lost, doubled or out of order"


def step(session: Session, name: str | None, steps: list[Step]) -> None:
    """One step, if it is paused; user code takes no time, so one that is still waited for was forgotten."""
    with suppress(NotPaused):
        made = session.step(name, timeout=PATIENCE_S / 2)
        assert made.result != "running", f"hung: {made!r}"
        steps.append(made)


def pause_against_resume(rng: Random) -> None:
    got: list[Packet] = []
    session = Session(capacity=rng.randint(1, 8), seed=rng.choice((None, None, 7)))
    count = line(session, rng, got, producers=rng.randint(1, 2))
    producers = len(session.graph.inputs("work"))

    def pause() -> None:
        left = session.pause(*rng.choice(((), ("work",), ("work", "end"))), timeout=PATIENCE_S / 2)
        assert not left, f"hung: {left} in user code"

    with one_round(session), ExitStack() as helpers:
        session.start(paused=rng.random() < 0.3)
        for _ in range(2):
            helpers.enter_context(Helper(commands(rng, pause, session.resume)))
        helpers.close()
        session.resume()
        session.wait(PATIENCE_S)
        assert_all_came(got, count, producers)


def test_pause_and_resume_from_two_threads_lose_double_and_reorder_nothing() -> None:
    repeat(pause_against_resume)


def test_a_pause_cuts_the_batch_behind_the_packet_in_work() -> None:
    with Session() as session:

        def pause_at_the_900th(number: int) -> int:
            if number == 900:  # by now a batch is many packets long
                session.pause(timeout=0)
            return number

        got: list[int] = []
        session.source(range(2_000)).map(pause_at_the_900th, name="work").sink(got.append)
        session.start()
        with suppress(JobPaused):
            session.wait(PATIENCE_S)
        assert session.snapshot()["work"].processed == 901
        session.resume()
        session.wait(PATIENCE_S)
        assert got == list(range(2_000))


def a_pause_is_a_pause(rng: Random) -> None:
    """Between a pause that has returned and the resume nothing moves, whoever else pauses as well."""
    got: list[Packet] = []
    session = Session(capacity=rng.randint(1, 8))
    count = line(session, rng, got)

    def pause() -> None:
        session.pause(timeout=PATIENCE_S)

    with one_round(session):
        session.start()
        for _ in range(LOOKS):
            spin(rng)
            with Helper(pause):
                assert not session.pause(timeout=PATIENCE_S)
            before = list(session.snapshot()), len(got)
            give_way()
            assert (list(session.snapshot()), len(got)) == before, "something moved behind a closed gate"
            assert len(session.peek("end")) == session.snapshot()["end"].depth
            if rng.random() < 0.5:  # a turn that nobody waits for is used, or gone, when the next pause returns
                session.step("work", timeout=0)
            session.resume()
        session.wait(PATIENCE_S)
        assert_all_came(got, count)


def test_nothing_moves_behind_a_pause_that_has_returned() -> None:
    repeat(a_pause_is_a_pause)


def step_from_two_threads(rng: Random) -> None:
    got: list[Packet] = []
    session = Session(capacity=rng.randint(1, 4), seed=rng.choice((None, None, 7)))
    count = line(session, rng, got)
    names = rng.choice(((None, None), ("work", "work"), ("work", None)))
    steps: list[list[Step]] = [[], []]
    with one_round(session), ExitStack() as helpers:
        session.start(paused=True)
        for name, mine in zip(names, steps, strict=True):
            helpers.enter_context(Helper(commands(rng, partial(step, session, name, mine))))
        helpers.close()
        taken = [s.packet.payload for mine in steps for s in mine if s.task == "end" and s.packet is not None]
        assert len(taken) == len(set(taken)), "one packet was shown by two steps"
        told = [s for mine in steps for s in mine if s.task == "work" and s.packet is not None]
        begun = {s.packet.payload for s in told if s.packet is not None}
        done = [s for s in told if s.result == "done"]
        processed = session.snapshot()["work"].processed
        # One that was held back may have come to its end behind the last step, or not yet.
        assert processed <= len(begun) <= processed + 1, "a turn was lost, or used twice"
        assert processed - 1 <= len(done) <= processed, "a turn was told twice, or never"
        session.resume()
        session.wait(PATIENCE_S)
        assert_all_came(got, count)


def test_steps_from_two_threads_are_one_packet_each() -> None:
    repeat(step_from_two_threads)


def step_against_resume(rng: Random) -> None:
    """No step waits with a limit: one that nobody carries out would wait for ever."""
    got: list[Packet] = []
    session = Session(capacity=rng.randint(1, 4))
    count = line(session, rng, got)
    name = rng.choice(("work", "end", None))

    def step() -> None:
        with suppress(NotPaused):
            session.step(name, timeout=None)

    def let_go() -> None:
        session.resume(*rng.choice(((), ("work",), ("end",))))
        session.pause(*rng.choice(((), ("work",), ("end",))), timeout=None)

    with one_round(session), ExitStack() as helpers:
        session.start(paused=True)
        for command in (step, let_go):
            helpers.enter_context(Helper(commands(rng, command)))
        helpers.close()
        session.resume()
        session.wait(PATIENCE_S)
        assert_all_came(got, count)


def test_steps_against_resume_and_pause_come_back_at_once() -> None:
    repeat(step_against_resume)


def edit_at_a_full_lane(rng: Random) -> None:
    """`work` stands still while its producers run against its full lanes, and two threads change what waits there."""
    got: list[Packet] = []
    session = Session(capacity=rng.randint(1, 6))
    count = line(session, rng, got, producers=2)
    dropped: list[Packet] = []
    errors = (PacketGone, QueueFull, CommandRefused)

    def look() -> None:
        assert all(packet.task == "work" for packet in session.peek("work"))

    def drop() -> None:
        waiting = session.peek("work")
        if len(waiting):
            packet = waiting[rng.randrange(len(waiting))]
            with suppress(PacketGone):
                session.drop(packet)
                dropped.append(packet.payload)

    def drop_and_undo() -> None:
        if len(session.peek("work")):
            with suppress(*errors):
                session.drop(session.peek("work")[0])
                dropped.append((-1, 0))
                session.undo()
                dropped.remove((-1, 0))
        check_bounded(session.snapshot())

    with one_round(session), ExitStack() as helpers:
        session.start(paused=True)
        session.pause("work")
        session.resume(*{edge.source for edge in session.graph.inputs("work")})
        both = (drop, drop) if rng.random() < 0.5 else (drop_and_undo, look)
        for command in both:
            helpers.enter_context(Helper(partial(suppressed, commands(rng, command), PacketGone)))
        helpers.close()
        session.settle(PATIENCE_S)
        facts = session.snapshot()
        check_bounded(facts)
        share = max(1, session.graph.by_name["work"].capacity // 2)
        for name, depth, _ in facts["work"].lanes[1:]:
            assert depth == share or facts[name].ending is not None, "a producer has not heard of its room"
        session.resume()
        outcome = session.wait(PATIENCE_S)
        assert outcome.dropped == len(dropped) == 2 * count - len(got)
        if (-1, 0) not in dropped:
            for producer in range(2):
                kept = [number for number in range(count) if (producer, number) not in dropped]
                assert sorted(in_order(got, producer)) == kept, "lost or doubled"
                assert in_order(got, producer) == kept or both[0] is drop_and_undo, "out of order"


def suppressed(command: Callable[[], None], *errors: type[BaseException]) -> None:
    with suppress(*errors):
        command()


def test_edits_against_running_producers_lose_nothing_and_overfill_nothing() -> None:
    repeat(edit_at_a_full_lane)


def breakpoint_against_resume(rng: Random) -> None:
    got: list[Packet] = []
    session = Session(capacity=rng.randint(1, 8))
    count = line(session, rng, got, producers=2)
    wanted = {(producer, number) for producer in range(2) for number in range(count) if number % 7 == 3}
    with one_round(session), ExitStack() as helpers:
        session.start(paused=True)
        point = session.breakpoint("work", lambda packet: packet in wanted)
        helpers.enter_context(Helper(commands(rng, session.resume)))
        session.resume()
        while point.hits < len(wanted):
            assert point.wait(PATIENCE_S).payload in wanted
            session.resume()
        helpers.close()
        session.resume()
        session.wait(PATIENCE_S)
        assert point.hits == len(wanted)
        assert_all_came(got, count, producers=2)


def test_a_breakpoint_against_resume_is_hit_once_by_each_packet_it_is_for() -> None:
    repeat(breakpoint_against_resume)


def cancel_against_steps(rng: Random) -> None:
    got: list[Packet] = []
    session = Session(capacity=rng.randint(1, 4), seed=rng.choice((None, None, 7)))
    line(session, rng, got, producers=rng.randint(1, 2))

    def step_for_ever() -> None:
        step = session.step(rng.choice((None, "work", "end")), timeout=None)  # whatever ends it, it is not the clock
        assert step.result in ("done", "idle", "stop", "held_back")

    with one_round(session), ExitStack() as helpers:
        session.start(paused=True)
        helpers.enter_context(Helper(partial(suppressed, commands(rng, step_for_ever), NotPaused)))
        helpers.enter_context(Helper(commands(rng, session.pause)))
        spin(rng, 3_000)
        session.cancel()
        outcome = session.wait(PATIENCE_S)
        helpers.close()
        assert outcome.packets_in == outcome.packets_out + outcome.dropped
        assert in_order(got, 0) == list(range(len(in_order(got, 0))))
        with suppress(NotPaused):
            assert session.step("work").result == "idle"


def test_cancel_against_step_and_pause_leaves_nobody_waiting() -> None:
    repeat(cancel_against_steps)


def tap_at_full_speed(rng: Random) -> None:
    got: list[Packet] = []
    session = Session(capacity=rng.choice((1, 4, 64)))
    count = line(session, rng, got)
    seen: list[list[Any]] = []

    def tap() -> None:
        with session.tap("work") as passing:
            give_way()
        seen.append(passing.packets)

    with one_round(session), ExitStack() as helpers:
        session.start(paused=True)
        with session.tap("work") as all_of_it:  # another one beside it is not disturbed
            helpers.enter_context(Helper(commands(rng, tap)))
            session.resume()
            session.wait(PATIENCE_S)
            helpers.close()
        assert_all_came(got, count)
        assert all_of_it.packets == got
        for packets in seen:
            begin = got.index(packets[0]) if packets else 0
            assert packets == got[begin : begin + len(packets)], "a tap has missed, doubled or reordered"


def test_taps_on_and_off_at_full_speed_show_all_between() -> None:
    repeat(tap_at_full_speed)


class Echo:
    """Answers with what it is asked."""

    def process(self, value: int) -> int:
        return value


class Asking(Function[int, int]):
    """Asks for each packet."""

    def open(self, ctx: Any) -> None:
        self.ctx = ctx

    def process(self, value: int, /) -> int:
        answer: int = self.ctx.call_service("echo", value, timeout=60)
        return answer


def serve_against_steps(rng: Random) -> None:
    """A paused service is stepped from two threads while tasks call it."""
    got: list[Any] = []
    session = Session(capacity=rng.randint(1, 4))
    session.service("echo", Echo, concurrency=rng.randint(1, 2))
    steps: list[list[Step]] = [[], []]
    count = rng.randint(4, 12)
    calling = session.source(range(count)).map(Asking(), parallelism=2, name="work")
    calling.sink(got.append, name="end")
    with one_round(session), ExitStack() as helpers:
        session.start(paused=True)
        session.resume("work", "end", session.graph.inputs("work")[0].source)
        for mine in steps:
            helpers.enter_context(Helper(commands(rng, partial(step, session, "echo", mine))))
        helpers.close()
        done = [each for mine in steps for each in mine if each.result == "done"]
        assert len(done) == session.snapshot().services["echo"].results, "a request began without a turn"
        session.resume()
        session.wait(PATIENCE_S)
        assert sorted(got) == list(range(count))


def test_a_paused_service_serves_one_request_for_each_step() -> None:
    repeat(serve_against_steps)
