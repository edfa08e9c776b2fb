"""Promise 7: stop and cancel return at once, from any thread, any number of times; what cancel drops is counted."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import pytest

import runtime
from runtime.communication.packet import Packet, Place
from runtime.testing import PATIENCE_S, Hold
from tests.pairs import every_pair_of
from tests.platforms import MakeSession, Platform
from tests.promises.test_01_exact import CAPACITIES, every_capacity

Command = Callable[[runtime.Session], None]
COMMANDS: dict[str, Command] = {
    "stop": runtime.Session.stop,
    "cancel": runtime.Session.cancel,
    "close": runtime.Session.close,
}
every_command = pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)


class Endless(runtime.SourceFunction[int]):
    """Counts for ever; says when it has been going for a while, and on which thread its generator was closed."""

    def __init__(self, going: Callable[[], None] | None = None, log: list[Any] | None = None) -> None:
        self.going, self.log = going, [] if log is None else log

    def __deepcopy__(self, memo: object) -> Endless:
        return Endless(self.going, self.log)

    def run(self) -> Iterator[int]:
        thread = threading.get_ident()
        try:
            for number in count():
                if number == 20 and self.going is not None:
                    self.going()
                yield number
        finally:
            self.log.append((self.ctx.name, threading.get_ident() == thread))


def conserved(outcome: runtime.Outcome) -> bool:
    """In a graph where each packet makes one: what was made is what was worked and what was dropped."""
    return outcome.packets_in == outcome.packets_out + outcome.dropped


@every_pair_of(producers=(1, 3), capacity=CAPACITIES, remote={"producers": 1, "capacity": 1})
def test_stop_ends_the_sources_and_drains_all_that_is_under_way(
    make_session: MakeSession, platform: Platform, capacity: int, producers: int
) -> None:
    session = make_session(capacity=capacity)
    going = platform.moment()
    source = session.source(Endless(going.set), name="numbers", parallelism=producers)
    result = source.map(lambda value: value, name="work", parallelism=2).collect()
    session.start()
    going.wait()
    session.stop()
    outcome = session.wait(PATIENCE_S)
    snapshot = session.snapshot()
    assert (outcome.state, outcome.dropped) == ("stopped", 0)
    assert outcome.packets_in == outcome.packets_out == len(result) > 0
    assert {task.ending for task in snapshot} == {"stopped"}
    made = {task.name: task.processed for task in snapshot if task.kind == "source"}
    assert sorted(result) == sorted(number for total in made.values() for number in range(total))


@every_pair_of(producers=(1, 3), capacity=CAPACITIES, remote={"producers": 1, "capacity": 1})
def test_cancel_counts_every_packet_that_it_drops(
    make_session: MakeSession, platform: Platform, capacity: int, producers: int
) -> None:
    session = make_session(capacity=capacity)
    going = platform.moment()
    source = session.source(Endless(going.set), parallelism=producers)
    first = source.map(lambda value: value, parallelism=2)
    first.key_by(lambda value: value).map(lambda value: value, parallelism=3).sink(lambda _: None)
    session.start()
    going.wait()
    session.cancel()
    outcome = session.wait(PATIENCE_S)
    assert outcome.state == "cancelled"
    assert conserved(outcome)


@every_capacity
@pytest.mark.concurrent
def test_cancel_wakes_a_put_that_is_held_back_and_counts_the_packet_in_its_hand(
    make_session: MakeSession, platform: Platform, capacity: int
) -> None:
    session = make_session(capacity=capacity)
    hold, full = Hold[int](), platform.moment()

    def numbers() -> Iterator[int]:
        for number in count():
            if number == 1:
                hold.reached.wait()
            if number == capacity + 1:  # one is in work, `capacity` wait, and this one will not find room
                full.set()
            yield number

    session.source(numbers).sink(hold)
    session.start()
    full.wait()
    session.cancel()
    hold.release()
    outcome = session.wait(PATIENCE_S)
    assert (outcome.state, outcome.packets_in, outcome.packets_out) == ("cancelled", capacity + 2, 1)
    assert outcome.dropped == capacity + 1


@pytest.mark.concurrent
def test_cancel_ends_a_whole_graph_that_is_held_back(make_session: MakeSession, platform: Platform) -> None:
    session = make_session(capacity=1)
    hold = Hold[int]()
    stream = session.source(count()).map(lambda value: value)
    for _ in range(4):
        stream = stream.map(lambda value: value, parallelism=2)
    stream.sink(hold)
    session.start()
    hold.reached.wait()
    session.cancel()
    hold.release()
    outcome = session.wait(PATIENCE_S)
    assert outcome.packets_out == 1
    assert conserved(outcome)


@every_command
def test_every_command_wakes_a_job_that_waits_for_packets(make_session: MakeSession, command: Command) -> None:
    session = make_session()
    session.input("in").map(lambda value: value, parallelism=3).key_by(lambda value: value).map(str).collect()
    session.start()
    session.settle(PATIENCE_S)
    command(session)
    assert session.wait(PATIENCE_S).packets_out == 0


@every_command
@pytest.mark.concurrent
def test_every_command_is_idempotent_and_may_come_from_many_threads_at_once(
    make_session: MakeSession, platform: Platform, command: Command
) -> None:
    session = make_session(capacity=2)
    going = platform.moment()
    session.source(Endless(going.set)).map(lambda value: value, parallelism=2).sink(lambda _: None)
    session.start()
    going.wait()
    threads = [threading.Thread(target=command, args=(session,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    command(session)
    outcome = session.wait(PATIENCE_S)
    for thread in threads:
        thread.join()
    command(session)
    assert session.outcome is session.wait() is outcome
    assert conserved(outcome)
    assert sorted(outcome.order) == sorted(session.snapshot().tasks)


@pytest.mark.parametrize("first", ["stop", "cancel"])
@pytest.mark.parametrize("second", ["stop", "cancel", "close"])
def test_commands_that_overtake_each_other_never_hang(
    make_session: MakeSession, platform: Platform, first: str, second: str
) -> None:
    session = make_session(capacity=1)
    going = platform.moment()
    session.source(Endless(going.set)).map(lambda value: value).sink(lambda _: None)
    session.start()
    going.wait()
    COMMANDS[first](session)
    COMMANDS[second](session)
    outcome = session.wait(PATIENCE_S)
    assert outcome.state in ("stopped", "cancelled")
    assert outcome.state == "cancelled" or first == "stop"  # a stop may have been done before what followed it
    assert conserved(outcome)


@pytest.mark.parametrize("name", ["stop", "cancel"])
@pytest.mark.parametrize("place", ["source", "map", "sink"])
def test_a_command_may_come_from_user_code(
    make_session: MakeSession, platform: Platform, name: str, place: str
) -> None:
    session = make_session(capacity=2)

    def at(where: str) -> Callable[[int], int]:
        def pass_on(value: int) -> int:
            if where == place and value == 30:
                COMMANDS[name](session)
            return value

        return pass_on

    numbers = (at("source")(number) for number in count())
    session.source(numbers).map(at("map")).sink(at("sink"))
    outcome = session.run(PATIENCE_S)
    assert outcome.state == {"stop": "stopped", "cancel": "cancelled"}[name]
    assert conserved(outcome)


@pytest.mark.parametrize("place", ["source", "map", "sink"])
def test_a_function_may_ask_the_job_to_stop(make_session: MakeSession, place: str) -> None:
    class Asks(runtime.Function[int, int]):
        def process(self, value: int, /) -> int:
            if value == 30:
                self.ctx.request_stop()
            return value

    class AskingSource(runtime.SourceFunction[int]):
        def run(self) -> Iterator[int]:
            for number in count():
                if place == "source" and number == 30:
                    self.ctx.request_stop()
                yield number

    def plain(value: int) -> int:
        return value

    session = make_session(capacity=2)
    stream = session.source(AskingSource()).map(Asks() if place == "map" else plain)
    stream.sink(Asks() if place == "sink" else plain)
    outcome = session.run(PATIENCE_S)
    assert (outcome.state, outcome.dropped) == ("stopped", 0)
    assert outcome.packets_in == outcome.packets_out >= 30
    assert any(event.text == "asked the job to stop" for event in session.events)


@every_pair_of(producers=(1, 3), end=("stop", "cancel", "close", "take", "failure", "by itself"))
def test_a_generator_is_closed_once_on_its_own_thread(
    make_session: MakeSession, platform: Platform, end: str, producers: int
) -> None:
    session = make_session(capacity=2)
    going, log = platform.moment(), platform.log()
    source: runtime.Stream[int] = session.source(Endless(going.set, log), parallelism=producers)
    if end == "take":
        source.take(30).collect()
    elif end == "by itself":  # the generator is closed in the middle of what it has
        source.take(0).collect()
    else:
        source.sink(lambda value: 1 // (50 - value) if end == "failure" else 0)
    session.start()
    if end in COMMANDS:
        going.wait()
        COMMANDS[end](session)
    if end == "failure":
        with pytest.raises(runtime.TaskFailed):
            session.wait(PATIENCE_S)
    else:
        session.wait(PATIENCE_S)
    started = [task.name for task in session.snapshot() if task.kind == "source" and task.processed]
    assert sorted(log) == sorted((name, True) for name in started)


@pytest.mark.also_remote
@pytest.mark.long_on_ray
def test_take_ends_an_infinite_source_that_nobody_else_needs(make_session: MakeSession) -> None:
    session = make_session(capacity=2)
    result = session.source(count()).map(lambda value: value).filter(lambda value: value % 2).take(10).collect()
    outcome = session.run(PATIENCE_S)
    assert list(result) == list(range(1, 20, 2))
    assert outcome.state == "completed"


def test_take_leaves_a_source_alone_that_somebody_else_needs(make_session: MakeSession) -> None:
    session = make_session(capacity=2)
    source = session.source(range(500))
    first, all_of_them = source.take(3).collect(), source.collect()
    session.run(PATIENCE_S)
    assert list(first) == [0, 1, 2]
    assert list(all_of_them) == list(range(500))


def test_several_takes_end_a_source_once_the_last_has_enough(make_session: MakeSession) -> None:
    session = make_session(capacity=2)
    source = session.source(count())
    results = [source.take(number).collect() for number in (0, 3, 50)]
    session.run(PATIENCE_S)
    assert [list(result) for result in results] == [[], [0, 1, 2], list(range(50))]


@pytest.mark.parametrize("end", ["stop", "cancel", "close", "take"])
@pytest.mark.concurrent
def test_a_source_that_waits_by_itself_is_told_to_end(make_session: MakeSession, platform: Platform, end: str) -> None:
    waiting = platform.moment()

    class Waits(runtime.SourceFunction[int]):
        def run(self) -> Iterator[int]:
            yield 1
            waiting.set()
            assert self.ctx.stopping.wait(PATIENCE_S)

    session = make_session()
    stream: runtime.Stream[int] = session.source(Waits())
    (stream.take(1) if end == "take" else stream).collect()
    session.start()
    waiting.wait()
    if end in COMMANDS:
        COMMANDS[end](session)
    assert session.wait(PATIENCE_S).packets_out <= 1


@pytest.mark.parametrize("end", ["cancel", "close"])
def test_the_end_wakes_a_hand_that_waits_for_room(make_session: MakeSession, end: str) -> None:
    session = make_session(capacity=1)
    hold = Hold[int]()
    session.input("in", capacity=1).sink(hold)
    session.start()
    refused: list[BaseException] = []

    def send_on() -> None:
        try:
            for number in range(10):
                session.send("in", number, timeout=PATIENCE_S if number % 2 else None)
        except runtime.TaskEnded as error:
            refused.append(error)

    hand = threading.Thread(target=send_on)
    hand.start()
    hold.reached.wait()
    closing = threading.Thread(target=COMMANDS[end], args=(session,))
    closing.start()
    hand.join(PATIENCE_S)
    hold.release()
    closing.join(PATIENCE_S)
    outcome = session.wait(PATIENCE_S)
    assert len(refused) == 1
    assert conserved(outcome)


def test_the_hand_that_waits_for_room_without_a_cancel_gets_it(make_session: MakeSession) -> None:
    session = make_session(capacity=1)
    result = session.input("in").map(lambda value: value).collect()
    session.start()
    for number in range(300):
        session.send("in", number, timeout=None)
    session.end("in")
    session.wait(PATIENCE_S)
    assert list(result) == list(range(300))


def test_a_stop_before_the_start_ends_the_session_empty(make_session: MakeSession) -> None:
    session = make_session()
    result = session.source([1, 2]).collect()
    session.stop()
    assert repr(session.wait()) == "Outcome(stopped: 0 in, 0 out)"
    assert list(result) == []
    session.start()
    assert session.wait(PATIENCE_S).packets_out == 2


@pytest.mark.parametrize("command", ["wait", "settle", "close"])
def test_a_task_that_would_wait_for_itself_is_refused_by_name(
    make_session: MakeSession, platform: Platform, command: str
) -> None:
    session = make_session()
    refused = platform.log()
    told: list[str] = []
    session.on_change(told.append)

    def ask(value: int) -> int:
        with pytest.raises(runtime.CommandRefused, match=rf"{command}\(\) was called by task 'it' of this job"):
            getattr(session, command)()
        refused.append(value)
        return value

    session.source([1, 2]).map(ask, name="it").collect()
    assert session.run(PATIENCE_S).packets_out == 2
    assert refused == [1, 2]
    assert told[:3] == ["built", "built", "built"]
    assert sorted(told[3:]) == ["ended", "started"]  # in whichever order, and nothing of a close


WAITING: dict[str, Callable[[runtime.Session], object]] = {
    "pause(timeout=None)": lambda session: session.pause(timeout=None),
    "step()": lambda session: session.step("it", timeout=0),
    "step_through()": lambda session: session.step_through(bool, timeout=1),
    "follow()": lambda session: session.follow(Packet(1, task="it", place=Place(0, 1)), timeout=0),
    "undo()": lambda session: session.undo(),
    "reset()": lambda session: session.reset(),
}


@pytest.mark.parametrize("command", WAITING)
def test_a_task_steers_its_own_job_without_waiting(make_session: MakeSession, platform: Platform, command: str) -> None:
    session = make_session()
    refused = platform.log()

    def ask(value: int) -> int:
        with pytest.raises(runtime.CommandRefused, match=rf"^{re.escape(command)} was called by task 'it' of this job"):
            WAITING[command](session)
        assert session.pause("it", timeout=0) == ("it",)  # it is in user code: this
        session.resume("it")
        refused.append(value)
        return value

    session.source([1, 2]).map(ask, name="it").collect()
    assert session.run(PATIENCE_S).packets_out == 2
    assert refused == [1, 2]


def test_what_an_input_holds_is_still_worked_after_its_end(make_session: MakeSession) -> None:
    session = make_session()
    hold = Hold[int]()
    result = session.input("in").map(hold).collect()
    session.start()
    for number in range(100):
        session.send("in", number)
    session.end("in")
    with pytest.raises(runtime.TaskEnded, match="'in'"):
        session.send("in", 100)
    hold.release()
    session.wait(PATIENCE_S)
    assert list(result) == list(range(100))
