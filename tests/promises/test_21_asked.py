"""Promise 21: a graph answers. Whose a reply is, when a question is over, and what else it may come to."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest

import runtime
from runtime.testing import PATIENCE_S, Hold
from tests.pairs import every_pair_of
from tests.platforms import BETWEEN, MakeSession, Platform

Stream = runtime.Stream[Any]
Session = runtime.Session


def plus(value: int) -> int:
    return value + 1


def odd(value: int) -> bool:
    return value % 2 == 1


def up_to(value: int) -> Iterable[int]:
    return range(value)


def tens(value: int) -> int:
    return value // 10


def picky(value: int) -> int:
    if value % 10 == 3:
        raise ValueError(value)
    return value


async def awaited(value: int) -> int:
    await asyncio.sleep(0.001 * (value % 3))
    return value + 1


async def picky_async(value: int) -> int:
    return picky(value)


def all_plus(batch: list[int]) -> list[int]:
    return [value + 1 for value in batch]


async def all_awaited(batch: list[int]) -> list[int]:
    await asyncio.sleep(0.001 * (batch[0] % 3))
    return all_plus(batch)


class Sends(runtime.Function[int, int]):
    """Sends by itself, too."""

    def process(self, value: int) -> int:
        self.ctx.send_packet(-value)
        return value


class Once(runtime.Function[int, int]):
    """Fails at the first attempt of each packet."""

    def open(self, ctx: Any) -> None:
        self.seen: set[int] = set()

    def process(self, value: int) -> int:
        if value not in self.seen:
            self.seen.add(value)
            raise ValueError(value)
        return value


def started(session: Session, build: Callable[[Stream], Stream]) -> Session:
    """A job with one input, `in`, and one reply."""
    build(session.input("in")).reply("out")
    session.start()
    return session


def asked(session: Session, value: Any, **settings: Any) -> Any:
    return session.ask("in", value, timeout=PATIENCE_S, **settings)


def everything(session: Session, value: Any) -> runtime.Replies[Any]:
    replies: runtime.Replies[Any] = asked(session, value, many=True)
    return replies


def questions(session: Session) -> runtime.QuestionFacts:
    facts = session.snapshot().questions
    assert facts is not None
    return facts


# ── whose a reply is, and when a question is over ──


@pytest.mark.also_between
def test_the_first_that_comes_to_a_reply_is_the_answer(make_session: MakeSession) -> None:
    session = started(make_session(), lambda stream: stream.map(plus).map(plus))
    assert [asked(session, value) for value in range(20)] == [value + 2 for value in range(20)]
    assert questions(session)[:6] == (20, 0, 20, 0, 0, 0)


@pytest.mark.also_between
def test_with_many_all_that_comes_to_any_reply_is(make_session: MakeSession) -> None:
    session = make_session()
    stream = session.input("in")
    stream.flat_map(up_to).map(plus).reply()
    stream.map(lambda value: -value).reply("other")
    session.start()
    replies = everything(session, 3)
    assert (type(replies), sorted(replies), replies.errors) == (runtime.Replies, [-3, 1, 2, 3], ())


@pytest.mark.also_between
def test_who_asks_where_nothing_comes_of_it_hears_so_at_once(make_session: MakeSession) -> None:
    session = started(make_session(), lambda stream: stream.filter(odd).map(plus))
    with pytest.raises(runtime.NoReply, match="'in' asked 4: no packet of it is left"):
        session.ask("in", 4, timeout=None)  # so no time can end it
    assert session.ask("in", 4, timeout=None, many=True) == []
    assert asked(session, 5) == 6
    assert questions(session)[:5] == (3, 0, 1, 2, 0)


SHAPES: dict[str, tuple[Callable[[Stream], Stream], int, list[int]]] = {
    "nothing": (lambda stream: stream, 7, [7]),
    "flat_map": (lambda stream: stream.flat_map(up_to).map(plus), 3, [1, 2, 3]),
    "of nothing": (lambda stream: stream.flat_map(up_to).map(plus), 0, []),
    "parallel": (
        lambda stream: stream.flat_map(up_to).map(plus, parallelism=3).map(plus, parallelism=2),
        9,
        [*range(2, 11)],
    ),
    "first free": (lambda stream: stream.flat_map(up_to).first_free().map(plus, parallelism=2), 9, [*range(1, 10)]),
    "keys": (lambda stream: stream.flat_map(up_to).key_by(tens).map(plus, parallelism=3), 40, [*range(1, 41)]),
    "keys kept": (lambda stream: stream.flat_map(up_to).key_by(tens).filter(odd).map(plus), 6, [2, 4, 6]),
    "broadcast": (lambda stream: stream.broadcast().map(plus, parallelism=3), 1, [2, 2, 2]),
    "two ways": (lambda stream: stream.map(plus).union(stream.filter(odd), stream), 5, [5, 5, 6]),
    "two inputs": (lambda stream: stream.connect(stream.map(plus)).map(plus, plus), 5, [6, 7]),
    "batches": (lambda stream: stream.flat_map(up_to).map_batches(all_plus, size=4, within=0.01), 10, [*range(1, 11)]),
    "batches that wait": (
        lambda stream: stream.flat_map(up_to).map_batches(all_awaited, size=4, within=0.01),
        10,
        [*range(1, 11)],
    ),
    "async": (lambda stream: stream.flat_map(up_to).map(awaited), 9, [*range(1, 10)]),
    "async, out of order": (lambda stream: stream.flat_map(up_to).map(awaited, ordered=False), 9, [*range(1, 10)]),
    "async, keyed": (lambda stream: stream.flat_map(up_to).key_by(odd).map(awaited), 5, [1, 2, 3, 4, 5]),
    "sends": (lambda stream: stream.map(Sends()), 4, [-4, 4]),
    "retry": (lambda stream: stream.flat_map(up_to).map(Once(), on_error=runtime.Retry(1)), 3, [0, 1, 2]),
    "scan": (lambda stream: stream.flat_map(up_to).scan(lambda n, _: (n + 1, n), initial=0), 3, [0, 1, 2]),
    "rate": (lambda stream: stream.map(plus, rate=runtime.Rate(50, per=0.1)), 1, [2]),
}


@pytest.mark.also_between
@every_pair_of(shape=list(SHAPES), trace=(False, True), capacity=(2, 1024), policy={"fail": "fail", "skip": "skip"})
def test_what_is_made_of_a_packet_belongs_to_its_question(
    make_session: MakeSession, platform: Platform, shape: str, trace: bool, capacity: int, policy: Any
) -> None:
    if shape == "first free" and platform is BETWEEN:
        return  # it is refused there
    build, value, expected = SHAPES[shape]
    session = started(make_session(trace=trace, capacity=capacity, on_error=policy), build)
    assert sorted(everything(session, value)) == expected
    assert questions(session)[:7] == (1, 0, int(bool(expected)), int(not expected), 0, 0, 0)


@pytest.mark.also_between
@every_pair_of(shape=list(SHAPES), many_at_once=("threads", "coroutines"))
def test_of_questions_that_are_under_way_together_each_gets_its_own(
    make_session: MakeSession, platform: Platform, shape: str, many_at_once: str
) -> None:
    if shape in ("retry", "scan"):
        return  # what they make depends on who came first
    if shape == "first free" and platform is BETWEEN:
        return  # it is refused there
    build, value, expected = SHAPES[shape]
    session = started(make_session(capacity=4), build)
    alone = {each: sorted(everything(session, each)) for each in range(value, value + 5)}
    values = [each for each in alone for _ in range(4)]
    if many_at_once == "threads":
        with ThreadPoolExecutor(8) as threads:
            together = list(threads.map(lambda each: everything(session, each), values))
    else:
        together = asyncio.run(all_of(session, values))
    assert [sorted(replies) for replies in together] == [alone[each] for each in values]
    assert alone[value] == expected


async def all_of(session: Session, values: Iterable[Any]) -> list[Any]:
    return await asyncio.gather(*(session.ask_async("in", each, timeout=PATIENCE_S, many=True) for each in values))


@pytest.mark.concurrent  # under a seed no real time passes in which a batch could be gathered
def test_a_result_of_a_batch_belongs_to_its_packet_though_several_were_asked(make_session: MakeSession) -> None:
    sizes: list[int] = []

    def sized(batch: list[int]) -> list[int]:
        sizes.append(len(batch))
        return all_plus(batch)

    session = started(make_session(), lambda stream: stream.map_batches(sized, size=4, within=PATIENCE_S))
    replies = asyncio.run(all_of(session, range(8)))
    assert [list(each) for each in replies] == [[value + 1] for value in range(8)]
    assert sizes == [4, 4]


@pytest.mark.also_between
def test_a_result_of_a_join_belongs_to_the_row_that_came_last(make_session: MakeSession) -> None:
    session = make_session()
    lefts, rights = session.input("left"), session.input("right")
    joined = lefts.key_by(tens).join(rights.key_by(tens), lambda left, right: (left, right))
    joined.reply("out")
    session.start()

    def ask(name: str, value: int) -> list[Any]:
        return list(session.ask(name, value, timeout=PATIENCE_S, many=True))

    assert ask("left", 11) == []  # it is kept, and keeps no question open
    assert ask("left", 12) == []
    assert ask("right", 15) == [(11, 15), (12, 15)]
    assert ask("left", 13) == [(13, 15)]
    assert ask("right", 25) == []


@pytest.mark.also_between
def test_what_is_folded_belongs_to_the_packet_in_work_and_what_comes_at_the_end_to_nobody(
    make_session: MakeSession,
) -> None:
    session = make_session()
    stream = session.input("in")
    stream.reduce(lambda all_, value: all_ + value, initial=0).reply("each")
    stream.count(emit="end").reply("end")
    session.start()
    assert [list(everything(session, value)) for value in (3, 4, 5)] == [[3], [7], [12]]
    session.stop()
    session.wait(PATIENCE_S)
    assert questions(session)[:7] == (3, 0, 3, 0, 0, 0, 1)


@pytest.mark.also_between
def test_a_packet_without_a_question_is_dropped_at_a_reply_and_counted(make_session: MakeSession) -> None:
    session = make_session()
    session.source(range(5)).union(session.input("in")).reply()
    session.start()
    assert asked(session, 7) == 7
    session.send("in", 8)
    session.settle()
    assert questions(session).unasked == 6
    session.stop()
    outcome = session.wait(PATIENCE_S)
    assert (outcome.packets_in, outcome.packets_out, outcome.dropped) == (7, 7, 0)


@pytest.mark.also_between
def test_replies_after_the_first_are_late_and_counted(make_session: MakeSession) -> None:
    session = started(make_session(), lambda stream: stream.flat_map(up_to))
    assert asked(session, 5) == 0
    session.settle()
    assert questions(session)[:6] == (1, 0, 1, 0, 0, 4)


# ── what is skipped, held, tried again ──


@pytest.mark.also_between
@every_pair_of(
    how=("map", "batches", "async", "keyed"), policy={"skip": "skip", "retry": runtime.Retry(1, then="skip")}
)
def test_a_dead_letter_closes_its_packet_and_its_error_is_the_answer(
    make_session: MakeSession, how: str, policy: Any
) -> None:
    def build(values: Stream) -> Stream:
        if how == "batches":
            return values.map_batches(lambda batch: [picky(value) for value in batch], within=0.0, on_error=policy)
        if how == "async":
            return values.map(picky_async, on_error=policy)
        return (values.key_by(tens) if how == "keyed" else values).map(picky, on_error=policy)

    session = started(make_session(), lambda stream: build(stream.flat_map(lambda value: range(value, value + 2))))
    some = everything(session, 12)
    assert (list(some), [str(error) for error in some.errors]) == ([12], ["13"])
    assert asked(session, 12) == 12
    session.settle()
    assert len(session.dead_letters) == 2
    single = started(make_session(), build)
    with pytest.raises(ValueError, match="13"):
        single.ask("in", 13, timeout=PATIENCE_S)
    assert everything(single, 14) == [14]


@pytest.mark.also_between
def test_a_letter_that_is_retried_by_hand_belongs_to_nobody(make_session: MakeSession) -> None:
    session = started(make_session(), lambda stream: stream.map(picky, on_error="skip"))
    with pytest.raises(ValueError, match="13"):
        asked(session, 13)
    session.dead_letters.retry(0, value=14)
    session.settle()
    assert questions(session).unasked == 1


@pytest.mark.also_between
@every_pair_of(how=("map", "batches", "async"), many=(False, True))
def test_who_asks_for_a_packet_that_is_held_hears_so_and_the_others_wait(
    make_session: MakeSession, how: str, many: bool
) -> None:
    def build(stream: Stream) -> Stream:
        if how != "batches":
            return stream.map(picky_async if how == "async" else picky, name="picky", on_error="hold")
        return stream.map_batches(
            lambda batch: [picky(value) for value in batch], within=0.0, on_error="hold", name="picky"
        )

    session = started(make_session(), build)
    assert asked(session, 1) == 1
    with pytest.raises(runtime.JobHeld, match="'picky' failed on packet 3: ValueError: 3") as refused:
        session.ask("in", 3, timeout=None, many=many)
    assert isinstance(refused.value.__cause__, ValueError)
    with pytest.raises(runtime.JobPaused):
        session.ask("in", 5, timeout=None)

    async def mended() -> Any:
        waiting = asyncio.ensure_future(session.ask_async("in", 23, timeout=PATIENCE_S))
        await asyncio.sleep(0)
        session.held[0].edit(4)
        session.resume()
        session.settle()
        session.held[0].skip()
        session.resume()
        return await waiting

    with pytest.raises(ValueError, match="23"):
        asyncio.run(mended())
    assert asked(session, 6) == 6
    assert questions(session).late == 1  # of 3, which is 4 by then


@pytest.mark.also_between
def test_a_packet_that_is_dropped_by_hand_closes_and_one_that_is_edited_stays(make_session: MakeSession) -> None:
    session = started(make_session(), lambda stream: stream.map(plus, name="plus"))
    session.pause("plus")

    async def by_hand() -> list[Any]:
        waiting = [asyncio.ensure_future(session.ask_async("in", value, timeout=PATIENCE_S)) for value in (1, 2, 3)]
        await asyncio.sleep(0)
        session.settle()
        first, second, third = session.peek("plus")
        session.drop(first)
        session.edit(second, 20)
        session.drop(third)
        session.undo()
        session.resume()
        return await asyncio.gather(*waiting, return_exceptions=True)

    lost, edited, back = asyncio.run(by_hand())
    assert isinstance(lost, runtime.NoReply)
    assert edited == 21
    assert isinstance(back, runtime.NoReply)  # it was over when it came back
    session.settle()
    assert questions(session).late == 1


# ── gates ──


@pytest.mark.also_between
def test_with_a_gate_closed_on_the_way_ask_is_refused_at_once(make_session: MakeSession) -> None:
    session = make_session()
    stream = session.input("in")
    stream.map(plus, name="plus").reply()
    stream.sink(abs, name="aside")
    session.start()
    session.pause("plus")
    with pytest.raises(runtime.JobPaused, match="'in' asked 1, and 'plus' is paused on the way; resume"):
        session.ask("in", 1, timeout=None)
    session.resume()
    session.pause("aside")  # from where no reply comes
    assert asked(session, 1) == 2
    with pytest.raises(runtime.JobPaused, match="'aside' is paused"):
        session.ask("in", 1, timeout=None, many=True)
    session.resume()
    assert everything(session, 1) == [2]


@pytest.mark.concurrent
def test_a_gate_that_is_closed_while_somebody_waits_is_heard_of(make_session: MakeSession) -> None:
    hold: Hold[int] = Hold()
    session = started(make_session(), lambda stream: stream.map(hold, name="hold").map(plus, name="plus"))
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(session.ask, "in", 1, timeout=None)
        hold.reached.wait()
        session.pause("plus")
        with pytest.raises(runtime.JobPaused, match="'plus' is paused"):
            waiting.result(PATIENCE_S)
        hold.release()


@pytest.mark.also_between
def test_a_coroutine_waits_at_closed_gates_and_its_time_stands_still(
    make_session: MakeSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = started(make_session(), lambda stream: stream.map(plus, name="plus"))
    session.pause("plus")
    passed_s = [0.0]
    monkeypatch.setattr("runtime.questions.question.monotonic", lambda: passed_s[0])

    async def stepped() -> Any:
        waiting = asyncio.ensure_future(session.ask_async("in", 1, timeout=PATIENCE_S))
        await asyncio.sleep(0)
        passed_s[0] += 100 * PATIENCE_S
        assert not waiting.done()
        session.resume()
        return await waiting

    assert asyncio.run(stepped()) == 2


@pytest.mark.concurrent
def test_a_coroutine_that_is_not_answered_in_time_hears_so(make_session: MakeSession) -> None:
    hold: Hold[int] = Hold()
    session = started(make_session(), lambda stream: stream.map(hold))
    with pytest.raises(TimeoutError, match=r"'in' asked 1: no answer within 0\.01 s"):
        asyncio.run(session.ask_async("in", 1, timeout=0.01))
    hold.release()
    session.settle()
    assert questions(session)[:6] == (1, 0, 0, 0, 1, 1)


@pytest.mark.concurrent
def test_each_coroutine_has_a_time_of_its_own(make_session: MakeSession) -> None:
    hold: Hold[int] = Hold()
    session = started(make_session(), lambda stream: stream.map(hold))

    async def of_three_the_short_ones_end() -> Any:
        long = asyncio.ensure_future(session.ask_async("in", 1, timeout=PATIENCE_S))
        await asyncio.sleep(0)
        short = [session.ask_async("in", value, timeout=0.01 * value) for value in (3, 2)]
        errors = await asyncio.gather(*short, return_exceptions=True)
        assert all(isinstance(error, TimeoutError) for error in errors), errors
        assert not long.done()
        hold.release()
        return await long

    assert asyncio.run(of_three_the_short_ones_end()) == 1
    session.settle()
    assert questions(session)[:6] == (3, 0, 1, 0, 2, 2)


@pytest.mark.also_between
def test_what_is_asked_can_be_stepped_from_box_to_box(make_session: MakeSession) -> None:
    session = started(make_session(), lambda stream: stream.map(plus, name="plus"))
    session.pause()

    async def stepped() -> tuple[list[str], Any]:
        waiting = asyncio.ensure_future(session.ask_async("in", 1, timeout=PATIENCE_S))
        while not session.peek("in").depth:
            await asyncio.sleep(0)
        steps = [str(session.step(name)) for name in ("in", "plus", "out")]
        return steps, await waiting

    assert asyncio.run(stepped()) == (["in: 1 -> 1 to plus", "plus: 1 -> 2 to out", "out: 2"], 2)


# ── full, enough, over ──


@pytest.mark.concurrent
def test_a_full_input_is_waited_for_within_the_timeout(make_session: MakeSession) -> None:
    hold: Hold[int] = Hold()
    session = started(make_session(capacity=1), lambda stream: stream.map(hold, name="hold"))
    with ThreadPoolExecutor(8) as threads:
        waiting = [threads.submit(session.ask, "in", value, timeout=PATIENCE_S) for value in range(8)]
        hold.reached.wait()
        with pytest.raises(TimeoutError, match=r"'in' asked 9: no answer within 0\.05 s"):
            session.ask("in", 9, timeout=0.05)
        hold.release()
        assert sorted(each.result(PATIENCE_S) for each in waiting) == list(range(8))
    assert questions(session)[:5] == (9, 0, 8, 0, 1)


def test_ten_thousand_questions_at_once_are_bounded_by_capacity(make_session: MakeSession) -> None:
    deepest: list[int] = []
    session = make_session(capacity=16)

    def look(value: int) -> int:
        deepest.append(session.snapshot()["in"].depth if not value % 100 else 0)
        return value

    session.input("in").map(look).reply()
    session.start()

    async def all_at_once() -> list[Any]:
        return await asyncio.gather(*(session.ask_async("in", value, timeout=None) for value in range(3_000)))

    assert asyncio.run(all_at_once()) == list(range(3_000))
    assert max(deepest) <= 16


@pytest.mark.also_between
def test_after_enough_nothing_comes_while_something_else_needs_the_input_else_it_has_ended(
    make_session: MakeSession,
) -> None:
    session = make_session()
    stream = session.input("in")
    stream.map(plus).take(1).reply()
    stream.sink(abs)
    alone = session.input("alone")
    alone.map(plus).take(1).reply("other")
    session.start()
    assert asked(session, 1) == 2
    session.settle()
    for value in range(5):
        with pytest.raises(runtime.NoReply):
            session.ask("in", value, timeout=None)
    assert session.ask("alone", 1, timeout=PATIENCE_S) == 2
    session.settle()
    with pytest.raises(runtime.TaskEnded):
        session.ask("alone", 1, timeout=None)


@pytest.mark.also_between
def test_what_is_not_accepted_any_more_as_nobody_needs_it_keeps_no_question_open(make_session: MakeSession) -> None:
    session = make_session(capacity=1)
    stream = session.input("in")
    stream.flat_map(up_to).take(1).reply()
    stream.sink(abs)
    session.start()
    assert everything(session, 100) == [0]
    assert everything(session, 100) == []


class Blocks:
    """Functions that are at work until the job is cancelled."""

    def __init__(self) -> None:
        self.there = threading.Barrier(2)

    def __call__(self, value: int) -> int:
        self.there.wait(PATIENCE_S)
        self.there.wait(PATIENCE_S)
        return value


@pytest.mark.concurrent
@pytest.mark.parametrize("how", ["cancel", "close"])
def test_a_cancel_ends_every_question(make_session: MakeSession, how: str) -> None:
    blocks = Blocks()
    session = started(make_session(capacity=2), lambda stream: stream.map(blocks))
    with ThreadPoolExecutor(9) as threads:
        waiting = [threads.submit(session.ask, "in", value, timeout=None) for value in range(8)]
        blocks.there.wait(PATIENCE_S)
        ended = threads.submit(getattr(session, how))
        for each in waiting:
            with pytest.raises(runtime.TaskEnded):
                each.result(PATIENCE_S)
        blocks.there.wait(PATIENCE_S)
        ended.result(PATIENCE_S)
    with pytest.raises(runtime.TaskEnded):
        session.ask("in", 1)


@pytest.mark.also_between
def test_a_failure_is_heard_by_every_asker(make_session: MakeSession) -> None:
    session = started(make_session(), lambda stream: stream.map(picky, name="picky"))

    async def both() -> list[Any]:
        asks = [session.ask_async("in", value, timeout=PATIENCE_S) for value in (3, 13)]
        return await asyncio.gather(*asks, return_exceptions=True)

    for error in asyncio.run(both()):
        assert isinstance(error, runtime.TaskFailed | runtime.TaskEnded)
        if isinstance(error, runtime.TaskFailed):
            assert (error.task, error.packet, str(error.__cause__)) == ("picky", 3, "3")
    with pytest.raises(runtime.TaskFailed):
        session.wait(PATIENCE_S)
    with pytest.raises(runtime.TaskEnded):
        session.ask("in", 1)


@pytest.mark.also_between
def test_a_drain_answers_what_was_asked_before(make_session: MakeSession) -> None:
    session = started(make_session(), lambda stream: stream.flat_map(up_to).map(awaited))

    async def asked_and_stopped() -> Any:
        waiting = asyncio.ensure_future(session.ask_async("in", 5, timeout=PATIENCE_S, many=True))
        await asyncio.sleep(0)
        session.stop()
        return await waiting

    assert asyncio.run(asked_and_stopped()) == [1, 2, 3, 4, 5]
    session.wait(PATIENCE_S)


@pytest.mark.concurrent
def test_a_question_that_nobody_waits_for_any_more_is_late(make_session: MakeSession) -> None:
    hold: Hold[int] = Hold()
    session = started(make_session(), lambda stream: stream.map(hold))

    async def given_up() -> None:
        waiting = asyncio.ensure_future(session.ask_async("in", 1, timeout=None))
        await asyncio.to_thread(hold.reached.wait)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    asyncio.run(given_up())
    hold.release()
    session.settle()
    assert questions(session)[:6] == (1, 0, 0, 0, 1, 1)


# ── what is refused ──


@pytest.mark.also_between
def test_what_cannot_be_asked_is_refused_by_name(make_session: MakeSession) -> None:
    session = make_session()
    session.input("in").reply("out")
    session.input("deaf").sink(abs)
    with pytest.raises(runtime.NotStarted):
        session.ask("in", 1)
    session.start()
    with pytest.raises(runtime.UnknownName, match="no input 'im'; there is"):
        session.ask("im", 1)
    with pytest.raises(runtime.GraphInvalid, match=r"no way leads from input 'deaf' to a reply\(\)"):
        session.ask("deaf", 1)
    with pytest.raises(runtime.GraphInvalid, match="timeout of ask is 'soon'"):
        session.ask("in", 1, timeout="soon")  # type: ignore[arg-type]
    assert questions(session).asked == 0


def test_functions_of_the_job_may_not_wait_for_it(make_session: MakeSession) -> None:
    refused: list[str] = []
    session = make_session()

    def asks(value: int) -> int:
        with pytest.raises(runtime.CommandRefused, match=r"ask\(\) was called by task 'asks'") as error:
            session.ask("in", value)
        refused.append(str(error.value))
        return value

    session.input("in").map(asks, name="asks").reply()
    session.start()
    assert asked(session, 1) == 1
    assert len(refused) == 1


@pytest.mark.also_between
def test_between_processes_functions_and_services_cannot_ask(make_session: MakeSession, platform: Platform) -> None:
    session = make_session()
    session.input("in").map(plus).reply("out")
    asked_by = session.input("asking").map(Asks("in"), name="asks", on_error="skip").collect()
    session.start()
    session.send("asking", 1)
    session.settle()
    if platform is BETWEEN:
        (letter,) = session.dead_letters
        assert isinstance(letter.error, runtime.CommandRefused)
        assert "'in' is an input, and functions and services cannot ask one" in str(letter.error)
        with pytest.raises(runtime.CommandRefused, match="ask from outside"):
            session.call("in", 1)
    else:
        assert (list(asked_by), session.call("in", 1)) == ([2], 2)
    assert asked(session, 1) == 2


@pytest.mark.also_between
def test_a_graph_without_a_reply_is_as_it_was(make_session: MakeSession) -> None:
    session = make_session()
    session.input("in").map(plus, name="plus").sink(abs)
    session.start(paused=True)
    session.send("in", 1)
    assert session.snapshot().questions is None
    session.step("in")
    assert session.peek("plus")[0].payload == 1
    session.close()


@pytest.mark.also_between
def test_snapshot_and_metrics_say_how_questions_have_ended_and_which_is_the_slowest(make_session: MakeSession) -> None:
    client = pytest.importorskip("prometheus_client")
    session = started(make_session("asked"), lambda stream: stream.filter(odd).map(plus, name="plus"))
    assert asked(session, 1) == 2
    with pytest.raises(runtime.NoReply):
        asked(session, 2)
    session.pause("plus")

    async def looked() -> Any:
        waiting = asyncio.ensure_future(session.ask_async("in", 3, timeout=None))
        await asyncio.sleep(0)
        found = questions(session), session.metrics(), client.generate_latest(runtime.prometheus(session)).decode()
        session.resume()
        await waiting
        return found

    facts, metrics, text = asyncio.run(looked())
    assert (facts[:5], facts.slowest, facts.slowest_s > 0) == ((3, 1, 1, 1, 0), "'in' asked 3", True)
    assert str(facts) == "questions: 3 asked, 1 open, 1 answered, 1 unanswered"
    assert metrics["questions"] == {"answered": 1, "unanswered": 1, "failed": 0, "late": 0, "unasked": 0}
    assert metrics["questions_open"] == {"open": 1}
    assert 'sage_questions_total{session="asked",state="unanswered"} 1.0' in text
    assert questions(session).slowest == ""


# ── from functions and services ──


class Asks(runtime.Function[Any, Any]):
    """Asks at an input for each packet."""

    def __init__(self, input_: str, timeout: float | None = None) -> None:
        self.input, self.timeout = input_, timeout

    def process(self, value: Any) -> Any:
        return self.ctx.call_service(self.input, value, timeout=self.timeout)


@contextmanager
def switching_at_once() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


class Service:
    """A service that asks."""

    ctx: Any

    def process(self, value: int) -> Any:
        return self.ctx.call_service("in", value)


def test_functions_and_services_ask_as_they_call_a_service(make_session: MakeSession) -> None:
    session = make_session(capacity=2)
    session.input("in").map(plus, name="plus").reply("out")
    session.service("service", Service)
    direct = session.source(range(50)).map(Asks("in"), parallelism=2).collect()
    through = session.source(range(20)).map(Asks("service")).collect()
    session.start()
    assert asked(session, 100) == 101
    assert session.call("in", 7) == 8
    assert session.call("service", 7) == 8
    session.settle()
    assert (sorted(direct), list(through)) == (list(range(1, 51)), list(range(1, 21)))
    assert questions(session)[:5] == (73, 0, 73, 0, 0)
    session.stop()
    session.wait(PATIENCE_S)


@pytest.mark.parametrize("seed", [None, 0, 1])
def test_what_functions_ask_at_a_full_input_repeats_and_time_stands_still_until_it_is_in(seed: int | None) -> None:
    def run() -> tuple[list[int], list[str], float]:
        with runtime.Session("asked", capacity=1, seed=seed) as session:
            session.input("in").map(plus, name="plus").reply("out")
            answers = session.source(range(30)).map(Asks("in"), parallelism=4).collect()
            session.start()
            session.settle()
            found = sorted(answers), list(session.turns) if seed is not None else [], session.snapshot().at_s
            session.cancel()
        return found

    with switching_at_once():
        first, *others = [run() for _ in range(12)]
    assert first[0] == list(range(1, 31)), "who settles sees what has room go in"
    if seed is not None:
        assert others == [first] * 11
        assert first[2] == 0


def test_under_a_seed_nobody_sees_in_his_turn_that_a_question_comes_in() -> None:
    depths = []
    with ThreadPoolExecutor(1) as pool, runtime.Session("asked", capacity=1, seed=0) as session:

        def key_of(value: int) -> int:
            pool.submit(session._runs.commands.do, bool).result(PATIENCE_S)  # who puts in has been looked at
            depths.append(session.snapshot()["in"].depth)
            return value

        session.input("in").key_by(key_of).map(plus).reply("out")
        session.source(range(6)).map(Asks("in"), parallelism=3).collect()
        session.start()
        session.settle()
        session.cancel()
    assert depths == [0] * 6


def test_what_a_function_asks_ends_as_it_would_for_who_asks_from_outside(make_session: MakeSession) -> None:
    session = make_session()
    session.input("in").filter(odd).map(picky, name="picky", on_error="skip").reply("out")
    session.source([2, 3, 5]).map(Asks("in"), name="asks", on_error="skip").collect()
    session.source([1]).map(Asks("out"), name="lost", on_error="skip").collect()
    session.start()
    session.settle()
    errors = {(letter.task, type(letter.error)) for letter in session.dead_letters}
    assert errors == {
        ("asks", runtime.NoReply),
        ("asks", ValueError),
        ("picky", ValueError),
        ("lost", runtime.UnknownName),
    }
    session.cancel()


class ToldOfTime(runtime.Function[Any, bool]):
    """Asks, and tells when it was not answered in time."""

    def __init__(self, tell: Callable[[], None]) -> None:
        self.tell = tell

    def process(self, value: Any) -> bool:
        try:
            self.ctx.call_service("in", value, timeout=0.01)
        except runtime.ServiceTimeout:
            self.tell()
        return True


@pytest.mark.concurrent
def test_a_function_that_is_not_answered_in_time_hears_so_and_the_reply_is_late(make_session: MakeSession) -> None:
    hold: Hold[int] = Hold()
    told = threading.Event()

    def tell() -> None:  # which is not copied, as the event's method would be
        told.set()

    session = make_session()
    session.input("in").map(hold).reply("out")
    session.source([1]).map(ToldOfTime(tell)).collect()
    session.start()
    assert told.wait(PATIENCE_S)
    hold.release()
    session.settle()
    assert questions(session)[:6] == (1, 0, 0, 0, 1, 1)
    session.stop()


class AsksTwo(runtime.Function[Any, Any]):
    """Asks at another input for what was asked at its own."""

    def __init__(self, input_: str) -> None:
        self.input = input_

    def process(self, value: int) -> Any:
        return self.ctx.call_service(self.input, value - 1) if value else 0


def test_a_circle_is_named(make_session: MakeSession) -> None:
    session = make_session()
    session.input("self").map(AsksTwo("self"), name="own", on_error="skip").reply("r1")
    session.input("a").map(AsksTwo("b"), name="to-b", on_error="skip").reply("r2")
    session.input("b").map(AsksTwo("a"), name="to-a", on_error="skip").reply("r3")
    session.start()
    with pytest.raises(runtime.ServiceLoop, match=r"own → self: packets of input 'self' come to 'own'"):
        session.ask("self", 1, timeout=PATIENCE_S)
    with pytest.raises(runtime.ServiceLoop, match=r"to-b → b → to-a → a: packets of input 'a' come to 'to-b'"):
        session.ask("a", 2, timeout=PATIENCE_S)
    assert session.ask("a", 1, timeout=PATIENCE_S) == 0
    assert session.ask("b", 1, timeout=PATIENCE_S) == 0


def test_a_question_of_a_function_is_asked_with_one_value(make_session: MakeSession) -> None:
    class Wrong(runtime.Function[int, Any]):
        def process(self, value: int) -> Any:
            return self.ctx.call_service("in", value, 2)

    session = make_session()
    session.input("in").reply("out")
    session.source([1]).map(Wrong(), on_error="skip").collect()
    session.start()
    session.settle()
    (letter,) = session.dead_letters
    assert isinstance(letter.error, runtime.WrongArguments)
    session.cancel()


@pytest.mark.concurrent
def test_a_function_that_asks_waits_at_closed_gates_and_hears_a_cancel(make_session: MakeSession) -> None:
    session = make_session()
    session.input("in").map(plus, name="plus").reply("out")
    asking = session.input("asking").map(Asks("in", timeout=PATIENCE_S)).collect()
    session.start()
    session.pause("plus")
    session.send("asking", 1)
    session.settle()
    session.end("asking")
    session.end("in")
    with pytest.raises(runtime.JobPaused):
        session.wait(PATIENCE_S)
    assert asking == []
    session.resume()
    session.wait(PATIENCE_S)
    assert asking == [2]
    session.start()
    session.pause("plus")
    session.send("asking", 1)
    session.settle()
    session.cancel()
    assert session.wait(PATIENCE_S).state == "cancelled"
