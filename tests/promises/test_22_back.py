"""Promise 22: steps and changes made by hand are taken back, the newest first, and going on gives the same again."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import pytest

import runtime
from runtime import CommandRefused, GraphInvalid, NotPaused, NotStarted, Session, TaskEnded
from runtime.testing import PATIENCE_S
from tests.pairs import of_every_seed

Results = Sequence[Any]
Build = Callable[[Session], Results]


class Counting(runtime.Function[int, Any]):
    """Counts in an attribute, in a list of its own and in its state."""

    def __init__(self) -> None:
        self.count = 0
        self.seen: list[int] = []

    def process(self, value: int) -> Any:
        self.count += 1
        self.seen.append(value)
        self.ctx.state["sum"] = self.ctx.state.get("sum", 0) + value
        return value, self.count, list(self.seen), self.ctx.state["sum"]


def appended(items: list[int]) -> list[int]:
    """Changes its packet in place."""
    items.append(len(items))
    return items


def not_two(value: int) -> int:
    if value == 2:
        raise ValueError("two")
    return value * 10


def lists(count: int) -> Callable[[], Iterator[list[int]]]:
    """What a source draws that gives each item once."""
    return lambda: ([number] for number in range(count))


def numbers(session: Session, count: int = 4, name: str = "numbers") -> Any:
    return session.source(range(count), name=name)


def a_map(session: Session) -> Results:
    return [numbers(session).map(lambda value: value + 1, name="more").collect(name="result", limit=2)]


def changed_in_place(session: Session) -> Results:
    items = session.source(lists(3), name="numbers")
    return [
        items.map(appended, name="one").collect(name="first"),
        items.map(appended, name="other").collect(name="second"),
    ]


def many_and_some(session: Session) -> Results:
    many = numbers(session).flat_map(range, name="many")
    return [many.filter(lambda value: value % 2 == 0, name="some").collect(name="result")]


def keyed_and_parallel(session: Session) -> Results:
    by_key = numbers(session, 6).key_by(lambda value: value % 3)
    return [by_key.map(Counting(), name="count", parallelism=2).collect(name="result")]


def folded_in_place(session: Session) -> Results:
    by_key = numbers(session, 6).key_by(lambda value: value % 2)
    return [by_key.reduce(lambda items, value: items.append(value) or items, initial=[], name="fold").collect()]


def folded_at_the_end(session: Session) -> Results:
    return [numbers(session).key_by(lambda value: value % 2).reduce(int.__add__, emit="end", name="fold").collect()]


def joined(session: Session) -> Results:
    left = numbers(session, 4, "left").key_by(lambda value: value % 2)
    right = session.source(lists(3), name="right").key_by(lambda value: value[0] % 3)
    return [left.join(right, lambda *rows: rows, how="outer", name="join").collect(name="result")]


def united(session: Session) -> Results:
    both = numbers(session, 3, "one").union(session.source(lists(2), name="other"))
    return [both.map(str, name="text", parallelism=2).collect(name="result")]


def skipped(session: Session) -> Results:
    return [numbers(session).map(not_two, name="work", on_error="skip").collect(name="result")]


def in_batches(session: Session) -> Results:
    doubled = numbers(session, 5).map_batches(lambda values: [2 * value for value in values], size=2, within=9)
    return [doubled.collect(name="result")]


def scanned(session: Session) -> Results:
    return [numbers(session).scan(lambda sum_, value: (sum_ + value, value), initial=0, name="scan").count().collect()]


GRAPHS: Final[tuple[Build, ...]] = (
    *(a_map, changed_in_place, many_and_some, keyed_and_parallel, folded_in_place, folded_at_the_end),
    *(joined, united, skipped, in_batches, scanned),
)
SETTINGS: Final[tuple[dict[str, Any], ...]] = ({}, {"seed": 3}, {"trace": True, "chaining": False}, {"capacity": 1})


def look(session: Session, results: Results) -> list[Any]:
    """All that can be seen of it, but for times."""
    snapshot = session.snapshot()
    tasks = [snapshot[name] for name in snapshot.tasks]
    seen = [
        (each.processed, each.emitted, each.errors, each.skipped, each.depth, each.lane_depths, each.state)
        for each in tasks
    ]
    ends = [(each.ended_producers, each.ending, each.signals) for each in tasks]
    queues = [repr(session.peek(each.name)) for each in tasks]
    states = [repr(session.state(each.name)) for each in tasks]
    kept = [(repr(list(result)), result.total) for result in results]
    return [snapshot.state, snapshot.order, seen, ends, queues, states, kept, list(map(str, session.dead_letters))]


def stepped(session: Session, results: Results, most: int = 1_000) -> tuple[list[str], list[Any]]:
    """Step to the end, or so often: what the steps said, and what was to be seen before and after each."""
    texts, seen = list[str](), [look(session, results)]
    while len(texts) < most and (step := session.step(timeout=PATIENCE_S)).result != "idle":
        texts.append(str(step))
        seen.append(look(session, results))
    return texts, seen


@pytest.mark.parametrize("build", GRAPHS, ids=lambda build: build.__name__)
@pytest.mark.parametrize("number", range(len(SETTINGS)))
def test_after_back_all_is_as_it_was_before_each_step_and_going_on_gives_the_same(build: Build, number: int) -> None:
    settings = SETTINGS[number]
    with Session(**settings) as session:
        results = build(session)
        session.start(paused=True)
        steps = len(stepped(session, results)[0]) - 1  # the last one ends the job
    with Session(**settings) as session:
        results = build(session)
        session.start(paused=True)
        texts, seen = stepped(session, results, steps)
        at = steps
        while at:
            taken = session.back()
            assert list(taken) == list(reversed(texts[at - len(taken) : at]))
            at -= len(taken)
            assert look(session, results) == seen[at]
        assert stepped(session, results, steps) == (texts, seen)
        session.resume()
        session.wait(PATIENCE_S)
        finished = [list(map(repr, result)) for result in results]
    with Session(**settings) as session:
        results = build(session)
        session.run()
        assert [sorted(map(repr, result)) for result in results] == list(map(sorted, finished))


@pytest.fixture
def paused() -> Iterator[tuple[Session, Any]]:
    with Session() as session:
        result = numbers(session, 6).map(lambda value: value + 1, name="more").collect(name="result")
        session.start(paused=True)
        yield session, result
        session.cancel()


def test_several_are_taken_back_at_once_and_named_newest_first(paused: tuple[Session, Any]) -> None:
    session, result = paused
    texts = [str(step) for step in session.step(None, 6)]
    assert session.back(4) == tuple(reversed(texts[2:]))
    assert list(result) == []
    assert session.events[-4].text == f"back: {texts[5].removeprefix('result: ')}"


def test_edits_and_steps_stand_in_one_list(paused: tuple[Session, Any]) -> None:
    session, result = paused
    session.step("numbers", 3)
    seen = [look(session, [result])]
    session.edit(session.peek("more")[0], 10)
    seen.append(look(session, [result]))
    session.step("more")
    seen.append(look(session, [result]))
    session.drop(session.peek("more")[0])
    seen.append(look(session, [result]))
    session.inject("more", 20)
    seen.append(look(session, [result]))
    session.move(session.peek("result")[0], 0)
    session.step("more")
    for expected, number in zip(reversed(seen), (2, 1, 1, 1, 1), strict=True):
        assert len(session.back(number)) == number
        assert look(session, [result]) == expected


def test_a_state_set_by_hand_is_taken_back() -> None:
    with Session() as session:
        total = numbers(session).key_by(lambda value: value % 2).reduce(int.__add__, name="sum").collect()
        session.start(paused=True)
        session.step("numbers", 2)
        session.step("sum", 2)
        session.set_state("sum", 0, 50)
        session.set_state("sum", 7, 7)
        session.back()
        assert session.state("sum") == {0: 50, 1: 1}  # and 7 is none of its keys
        session.back()
        assert session.state("sum") == {0: 0, 1: 1}
        session.set_state("sum", 1, 50)
        session.undo()
        assert session.state("sum") == {0: 0, 1: 1}
        session.resume()
        session.wait(PATIENCE_S)
        assert total == [(0, 0), (1, 1), (0, 2), (1, 4)]


def test_undo_refuses_what_was_stepped_over_and_names_back(paused: tuple[Session, Any]) -> None:
    session, _ = paused
    session.step("numbers")
    session.edit(session.peek("more")[0], 10)
    session.step("numbers")  # of another task
    session.undo()
    assert session.peek("more")[0].payload == 0
    session.edit(session.peek("more")[1], 10)
    session.step("more")
    with pytest.raises(CommandRefused, match=r"back\(\) takes back the steps as well"):
        session.undo()
    assert session.back() == ("more: 0 -> 1 to result",)
    session.undo()
    assert session.back() == ("numbers: -> 1 to more",)


def test_only_what_came_since_the_last_resume_can_be_taken_back(paused: tuple[Session, Any]) -> None:
    session, _ = paused
    with pytest.raises(CommandRefused, match="nothing was stepped or changed by hand since the start"):
        session.back()
    session.step()
    session.resume("result")
    session.pause()
    with pytest.raises(CommandRefused, match=r"since the last resume\(\)"):
        session.back()


def test_every_task_has_to_be_paused(paused: tuple[Session, Any]) -> None:
    session, _ = paused
    session.resume("result")
    session.step("numbers")
    with pytest.raises(NotPaused, match="'result' is not paused"):
        session.back()
    session.pause()
    with pytest.raises(CommandRefused, match="while other tasks ran"):
        session.back()


def test_a_packet_that_is_half_sent_is_not_gone_back_over() -> None:
    with Session(capacity=1) as session:
        many = session.input("numbers").flat_map(range, name="many")
        result = many.map(abs, name="one").collect(name="result")
        session.start(paused=True)
        session.send("numbers", 3)
        before = look(session, [result])
        assert session.step("numbers").result == "done"
        assert session.step("many").result == "held_back"
        with pytest.raises(CommandRefused, match="'many' has a packet half sent"):
            session.back()
        assert str(session.step("one")) == "one: 0 -> 0 to result"
        session.step_through(lambda step: step.task == "many" and step.result == "done")
        taken = session.back()  # all that began before its end
        assert taken[-1] == "many: 3 -> 0 to one; held back: 1 to one"
        assert session.back() == ("numbers: 3 -> 3 to many",)
        assert look(session, [result]) == before
        session.cancel()


def test_a_sink_that_ran_is_named_and_force_goes_past_it() -> None:
    printed: list[int] = []
    with Session() as session:
        numbers(session).sink(printed.append, name="print")
        session.start(paused=True)
        session.step(None, 2)
        with pytest.raises(CommandRefused, match=r"a step of 'print' .* its function has had the packet"):
            session.back()
        assert session.back(2, force=True) == ("print: 0", "numbers: -> 0 to print")
        session.step(None, 2)
        assert printed == [0, 0]
        session.cancel()


def test_a_service_that_was_asked_is_named() -> None:
    class Tens:
        def process(self, value: int) -> int:
            return value * 10

    class Ask(runtime.Function[int, int]):
        def process(self, value: int) -> int:
            answer: int = self.ctx.call_service("tens", value)
            return answer

    with Session() as session:
        session.service("tens", Tens)
        result = numbers(session).map(Ask(), name="ask").collect(name="result")
        session.start(paused=True)
        before = look(session, [result])
        told = [str(step) for step in session.step(None, 5)]
        assert told[1:4] == ["ask: 0 waiting for a reply", "tens: process(0) -> 0 to ask", "ask: 0 -> 0 to result"]
        session.back()  # of the result
        with pytest.raises(CommandRefused, match="it has called a service"):
            session.back()
        assert session.back(force=True) == (told[3], told[1])
        assert session.back() == (told[0],)
        assert look(session, [result]) == before
        session.cancel()


class Large(runtime.Function[int, int]):
    """Has more than is kept."""

    def __init__(self) -> None:
        self.table = {number: [number] for number in range(2_000)}

    def process(self, value: int) -> int:
        return value


class Closing(Counting):
    """Has an end of its own."""

    def close(self) -> None:
        self.seen.clear()


def test_attributes_that_are_too_large_and_an_end_of_its_own_are_named() -> None:
    with Session() as session:
        numbers(session, 1).map(Large(), name="large").map(Closing(), name="closing").collect()
        session.start(paused=True)
        session.step_through(lambda step: step.task == "large")
        with pytest.raises(CommandRefused, match="the attributes of its function are larger than 64 kB"):
            session.back()
        session.back(force=True)
        session.step_through(lambda step: step.task == "closing" and step.result == "stop")
        with pytest.raises(CommandRefused, match=r"finish\(\) or close\(\) of its function was called"):
            session.back()
        session.cancel()


def test_what_has_no_way_back_is_refused_by_name() -> None:
    async def double(value: int) -> int:
        return 2 * value

    async def all_doubled(batch: list[int]) -> list[int]:
        return [2 * value for value in batch]

    def single(stream: runtime.Stream[int]) -> runtime.Stream[int]:
        return stream.map(double, name="double")

    def in_batches(stream: runtime.Stream[int]) -> runtime.Stream[int]:
        return stream.map_batches(all_doubled, name="double")

    for build in (single, in_batches):
        with Session() as session:
            build(numbers(session)).collect()
            session.start(paused=True)
            session.step("numbers")
            session.step("double")
            says = r"a step of 'double' cannot be taken back: of an operator with async"
            with pytest.raises(CommandRefused, match=says):
                session.back(force=True)
            session.cancel()


def test_back_is_refused_before_the_start_after_the_end_and_for_a_number_that_is_none() -> None:
    with Session() as session:
        a_map(session)
        with pytest.raises(NotStarted):
            session.back()
        session.start(paused=True)
        for number in (0, -1, True, 1.0):
            with pytest.raises(GraphInvalid, match="n of back is"):
                session.back(number)  # type: ignore[arg-type]
        session.resume()
        session.wait(PATIENCE_S)
        with pytest.raises(TaskEnded, match="the job has ended"):
            session.back()


@of_every_seed(3)
def test_under_a_seed_any_turn_is_reached_by_running_again(seed: int) -> None:
    with Session(seed=seed, capacity=2) as session:
        results = keyed_and_parallel(session)
        session.run()
        turns, result = session.turns, [list(map(repr, each)) for each in results]
        for turn in (len(turns) // 2, 3, 0, len(turns) - 6):
            session.goto(turn)
            assert (session.turn, session.turns[:turn]) == (turn, turns[:turn])
            snapshot = session.snapshot()
            assert snapshot.state == "running"
            assert turn > 3 or not any(snapshot[name].processed for name in snapshot.tasks)  # these turns are starts
            assert {snapshot[name].state for name in snapshot.tasks} <= {"paused", "held back", "ended"}
            assert any(event.text == f"goto: run again from the start, to turn {turn:,}" for event in session.events)
        session.step()
        session.resume()
        session.wait(PATIENCE_S)
        assert session.turn == turn  # what was done by hand since then, no other run finds again
        assert [sorted(map(repr, each)) for each in results] == list(map(sorted, result))


def test_goto_is_refused_by_name_where_there_are_no_turns_to_go_to() -> None:
    with Session() as session:
        a_map(session)
        with pytest.raises(CommandRefused, match="handed out under a seed alone"):
            session.goto(3)
    with Session(seed=1) as session:
        session.input("words").collect()
        for turn in (-1, True, "3"):
            with pytest.raises(GraphInvalid, match="turn of goto is"):
                session.goto(turn)  # type: ignore[arg-type]
        with pytest.raises(CommandRefused, match="what was sent into 'words' is not sent again"):
            session.goto(3)
    with Session(seed=1) as session:
        a_map(session)
        with pytest.raises(CommandRefused, match=r"does not come to turn 1,000: it has ended after turn \d+"):
            session.goto(1_000)
        stop = session.breakpoint("more")
        with pytest.raises(CommandRefused, match="it stands at a breakpoint"):
            session.goto(1_000)
        stop.remove()
        session.cancel()


class Payload:
    """A value of which can be told whether anybody holds it."""


def test_after_a_close_nothing_is_kept_of_what_could_be_taken_back() -> None:
    session = Session()
    session.source(lambda: iter([Payload()]), name="numbers").map(lambda value: [value], name="list").sink(
        id, name="end"
    )
    session.start(paused=True)
    session.step(None, 3)
    session.close()
    gc.collect()  # a closed session may be held for long
    assert not [each for each in gc.get_objects() if type(each) is Payload]
