"""Promise 9, what was skipped: the last 1,000 are kept, each can be retried at the tail, once, or discarded."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest

import runtime
from runtime.communication.partition import Partition
from runtime.testing import PATIENCE_S, Hold
from tests.error_texts import DIVIDED_BY_ZERO
from tests.letters import Taker
from tests.platforms import MakeSession, Platform
from tests.promises.test_14_hand import fill, join_all, start_all


class Fragile:
    """Raises for every number in `bad`, until it is mended."""

    def __init__(self, *bad: int) -> None:
        self.bad = set(bad)
        self.seen: list[int] = []

    def __call__(self, value: int) -> int:
        self.seen.append(value)
        if value in self.bad:
            raise ValueError(f"no {value}")
        return value


def running(session: runtime.Session, function: Any, packets: int, **options: Any) -> Any:
    """A started session with `it` behind an open input, all packets of which have been worked."""
    result = session.input("in").map(function, name="it", on_error="skip", **options).collect()
    session.start()
    for number in range(packets):
        session.send("in", number)
    session.settle(PATIENCE_S)
    return result


def finish(session: runtime.Session) -> runtime.Outcome:
    session.end("in")
    return session.wait(PATIENCE_S)


def packets(session: runtime.Session) -> list[Any]:
    return [letter.packet for letter in session.dead_letters]


def test_a_letter_carries_packet_and_error_and_says_so_in_one_line(session: runtime.Session) -> None:
    def function(value: int) -> int:
        raise ValueError(f"no good:\n{value}")

    session.source([7]).map(function, name="it", on_error="skip").collect()
    session.run(PATIENCE_S)
    (letter,) = session.dead_letters
    assert (letter.task, letter.packet, letter.key, letter.input, letter.number) == ("it", 7, None, 0, 1)
    assert letter.at_s >= 0  # virtual time may not have passed
    assert repr(letter) == "DeadLetter(it failed on packet 7: ValueError: no good: 7)"
    assert repr(session.dead_letters) == "DeadLetters(1 of 1; the last: it failed on packet 7: ValueError: no good: 7)"
    assert letter.traceback.startswith("Traceback (most recent call last):\n")
    assert 'raise ValueError(f"no good:\\n{value}")' in letter.traceback
    assert letter.traceback.endswith("ValueError: no good:\n7\n")
    with pytest.raises(ValueError, match="no good"):
        raise letter.error


class Hostile(Exception):
    def __str__(self) -> str:
        raise SystemExit("str")

    __repr__ = __str__


def test_a_letter_is_shown_whatever_packet_and_error_do_when_they_are(session: runtime.Session) -> None:
    class Packet:
        def __repr__(self) -> str:
            raise SystemExit("repr")

        def __eq__(self, other: object) -> bool:
            raise SystemExit("eq")

        __hash__ = None  # type: ignore[assignment]

    def function(value: Packet) -> Packet:
        raise Hostile(value)

    session.source([Packet(), Packet()]).map(function, name="it", on_error="skip").collect()
    session.run(PATIENCE_S)
    letter = session.dead_letters[0]
    assert repr(letter) == "DeadLetter(it failed on packet <Packet>: Hostile: <Packet>)"
    assert "Hostile: <Packet>" in letter.traceback
    assert session.dead_letters.index(letter) == 0
    session.dead_letters.discard(letter)
    assert len(session.dead_letters) == 1


def test_the_text_of_a_traceback_is_bounded(session: runtime.Session) -> None:
    def deep(value: int) -> int:
        return deep(value - 1) if value else 1 // 0

    session.source([200]).map(deep, name="it", on_error="skip").collect()
    session.run(PATIENCE_S)
    text = session.dead_letters[0].traceback
    assert len(text.splitlines()) < 100
    assert text.endswith(f"{DIVIDED_BY_ZERO}\n")


def test_the_last_thousand_are_kept_and_all_are_counted(make_session: MakeSession) -> None:
    session = make_session()

    def function(value: int) -> int:
        raise ValueError("no good")

    session.source(range(1_234)).map(function, name="it", on_error="skip").collect()
    outcome = session.run(PATIENCE_S)
    letters = session.dead_letters
    assert (len(letters), letters.total, outcome.skipped) == (1_000, 1_234, 1_234)
    assert packets(session) == list(range(234, 1_234))
    assert [letter.number for letter in letters[:2]] == [235, 236]
    assert repr(letters).startswith("DeadLetters(1,000 of 1,234; the last: it failed on packet 1233: ")


def test_before_a_start_there_are_none_and_a_run_begins_with_none(session: runtime.Session) -> None:
    assert (list(session.dead_letters), session.dead_letters.total) == ([], 0)
    assert repr(session.dead_letters) == "DeadLetters(0 of 0)"
    fragile = Fragile(1)
    session.source(range(3)).map(fragile, name="it", on_error="skip").collect()
    session.run(PATIENCE_S)
    first = session.dead_letters
    assert packets(session) == [1]
    fragile.bad = {2}
    session.run(PATIENCE_S)
    assert packets(session) == [2]
    with pytest.raises(runtime.CommandRefused, match="it was retried or discarded already, or is of another run"):
        session.dead_letters.retry(first[0])
    session.reset()
    assert len(session.dead_letters) == 0


@pytest.mark.concurrent
@pytest.mark.parametrize("capacity", [3, 1024])
def test_a_retried_packet_comes_in_at_the_tail_of_its_queue(make_session: MakeSession, capacity: int) -> None:
    session = make_session(capacity=capacity)
    fragile = Fragile(1)
    hold = Hold[int](lambda value: value == 2)

    def function(value: int) -> int:
        return fragile(hold(value))

    result = session.input("in").map(function, name="it", on_error="skip").collect()
    session.start()
    for number in range(4):
        session.send("in", number)
    hold.reached.wait()
    fragile.bad.clear()
    session.dead_letters.retry(0)
    assert (packets(session), session.dead_letters.total) == ([], 1)
    hold.release()
    outcome = finish(session)
    assert sorted(result) == [0, 1, 2, 3]
    assert list(result).index(1) > list(result).index(2)
    assert repr(outcome) == "Outcome(completed: 5 in, 4 out, 1 skipped, 1 error)"


def test_a_retried_packet_that_fails_again_is_another_letter(make_session: MakeSession) -> None:
    session = make_session()
    running(session, Fragile(1), 3)
    (first,) = session.dead_letters
    session.dead_letters.retry(first)
    session.settle(PATIENCE_S)
    (second,) = session.dead_letters
    assert (second.packet, second.number, session.dead_letters.total) == (1, 2, 2)
    with pytest.raises(runtime.CommandRefused, match=r"DeadLetter.* is not here"):
        session.dead_letters.retry(first)
    finish(session)


@pytest.mark.parametrize("as_function", [False, True])
@pytest.mark.parametrize("parallelism", [1, 3])
def test_a_retried_packet_keeps_its_key_and_its_task(
    make_session: MakeSession, parallelism: int, as_function: bool
) -> None:
    fragile = Fragile(1, 4)
    keys: list[Any] = []

    class Keyed(runtime.Function[int, tuple[Any, int]]):
        def __deepcopy__(self, memo: object) -> Keyed:
            return Keyed()

        def process(self, value: int, /) -> tuple[Any, int]:
            return self.ctx.key, fragile(value)

    def key(value: int) -> int:
        keys.append(value)
        return value % 3

    session = make_session()
    keyed = session.input("in").key_by(key)
    settings: dict[str, Any] = {"name": "it", "parallelism": parallelism, "on_error": "skip"}
    stream = (
        keyed.map(Keyed(), **settings)
        if as_function
        else keyed.reduce(lambda _, value: fragile(value), initial=0, **settings)
    )
    result: Any = stream.collect()
    session.start()
    for number in range(6):
        session.send("in", number)
    session.settle(PATIENCE_S)
    letters = sorted(session.dead_letters, key=lambda letter: letter.packet)
    assert [(letter.packet, letter.key) for letter in letters] == [(1, 1), (4, 1)]
    worked = session.snapshot()[letters[0].task].processed
    fragile.bad.clear()
    assert session.dead_letters.retry_all() == 2
    session.settle(PATIENCE_S)
    assert session.snapshot()[letters[0].task].processed == worked + 2
    finish(session)
    assert sorted(result) == [(number % 3, number) for number in sorted(range(6), key=lambda n: (n % 3, n))]
    assert len(keys) == 6, "the key is kept, not asked for again"


def retry_from_many_threads(session: runtime.Session, letter: runtime.DeadLetter) -> list[str]:
    """Retry one letter from three threads at once; why it was refused, for each that was."""
    refused: list[str] = []
    barrier = threading.Barrier(3)

    def retry() -> None:
        barrier.wait(PATIENCE_S)
        try:
            session.dead_letters.retry(letter)
        except runtime.CommandRefused as error:
            refused.append(str(error))

    threads = [threading.Thread(target=retry) for _ in range(3)]
    start_all(threads)
    join_all(threads)
    return refused


def test_of_many_who_retry_a_letter_at_once_one_is_heard(make_session: MakeSession) -> None:
    for _ in range(30):
        session = make_session()
        fragile = Fragile(1)
        result = running(session, fragile, 3)
        fragile.bad.clear()
        assert len(retry_from_many_threads(session, session.dead_letters[0])) == 2
        finish(session)
        assert (sorted(result), packets(session)) == ([0, 1, 2], [])
        session.close()


def test_while_a_letter_is_being_retried_nobody_else_gets_it() -> None:
    hold = Hold[int]()
    letters, run = runtime.DeadLetters(), Taker(hold)
    letters._belong_to(run)
    letters.add(runtime.DeadLetter("it", 1, ValueError("no good")))
    thread = threading.Thread(target=letters.retry, args=(0,))
    thread.start()
    hold.reached.wait()
    for command in (letters.retry, letters.discard):
        with pytest.raises(runtime.CommandRefused, match="is just being retried"):
            command(0)
    assert (letters.retry_all(), letters.discard_all(), len(letters)) == (0, 0, 1)
    hold.release()
    join_all([thread])
    assert (len(letters), letters.total) == (0, 1)


@pytest.mark.concurrent
def test_a_letter_stays_if_there_is_no_room_for_its_packet(make_session: MakeSession, platform: Platform) -> None:
    session = make_session(capacity=1)
    fragile = Fragile(0)
    hold = Hold[int](lambda value: value == 1)
    result = session.input("in").map(lambda value: fragile(hold(value)), name="it", on_error="skip").collect()
    session.start()
    for number in range(4):  # one fails, one is held, one waits, one is held back
        session.send("in", number)
        if number == 1:
            hold.reached.wait()
    fill(session, "it")
    with pytest.raises(runtime.QueueFull):
        session.dead_letters.retry(0)
    with pytest.raises(runtime.QueueFull):
        session.dead_letters.retry_all()
    assert packets(session) == [0]
    fragile.bad.clear()
    hold.release()
    session.dead_letters.retry(0, timeout=PATIENCE_S)
    finish(session)
    assert {0, 1, 2, 3} <= set(result)


def test_after_the_end_letters_can_be_read_and_discarded_but_not_retried(make_session: MakeSession) -> None:
    session = make_session()
    running(session, Fragile(0, 1, 2), 3)
    finish(session)
    session.close()
    with pytest.raises(runtime.TaskEnded, match="'it': the task has ended or is ending"):
        session.dead_letters.retry(0)
    with pytest.raises(runtime.TaskEnded):
        session.dead_letters.retry_all()
    assert packets(session) == [0, 1, 2]
    session.dead_letters.discard(-1)
    assert packets(session) == [0, 1]
    assert (session.dead_letters.discard_all(), packets(session), session.dead_letters.total) == (2, [], 3)
    with pytest.raises(IndexError):
        session.dead_letters.discard(0)


def test_what_never_lay_in_a_queue_cannot_be_retried_and_the_rest_still_can(make_session: MakeSession) -> None:
    class Once:
        failed = False

        def __iter__(self) -> Once:
            return self

        def __next__(self) -> int:
            if self.failed:
                raise StopIteration
            self.failed = True
            raise LookupError("not today")

    session = make_session()
    session.source(Once(), name="made", on_error="skip").collect()
    fragile = Fragile(1)
    result = running(session, fragile, 2)
    letter = next(letter for letter in session.dead_letters if letter.task == "made")
    with pytest.raises(
        runtime.CommandRefused, match=r"DeadLetter\(made failed: LookupError: not today\) has no packet"
    ):
        session.dead_letters.retry(letter)
    fragile.bad.clear()
    assert session.dead_letters.retry_all() == 1
    session.settle(PATIENCE_S)
    assert (list(result), packets(session)) == ([0, 1], [runtime.NO_PACKET])
    finish(session)


def test_an_item_of_a_source_cannot_be_retried(make_session: MakeSession) -> None:
    session = make_session()
    session.source([5], name="it", on_error="skip").key_by(lambda value: {}).union(
        session.input("in").key_by(abs)
    ).collect()
    session.start()
    session.settle(PATIENCE_S)
    with pytest.raises(runtime.CommandRefused, match="is of a source, which has no queue; inject its packet"):
        session.dead_letters.retry(0)
    assert session.dead_letters.retry_all() == 0
    assert packets(session) == [5]
    finish(session)


def test_a_packet_of_an_input_can_be_retried_until_it_is_ended(make_session: MakeSession) -> None:
    session = make_session(on_error="skip")
    fragile = Fragile(1)
    result = session.input("in").key_by(fragile).collect()
    session.start()
    for number in range(3):
        session.send("in", number)
    session.settle(PATIENCE_S)
    fragile.bad.clear()
    assert session.dead_letters.retry_all() == 1
    finish(session)
    assert list(result) == [0, 2, 1]


def test_a_letter_is_retried_with_another_value_and_the_key_of_that(make_session: MakeSession) -> None:
    session = make_session(on_error="skip")
    source = session.input("numbers")
    counted = source.key_by(lambda n: n % 2).reduce(lambda total, n: total + 10 // n, initial=0, emit="end", name="sum")
    result = counted.collect()
    session.start()
    for number in (0, 5):
        session.send("numbers", number)
    session.settle()
    (letter,) = session.dead_letters
    session.dead_letters.retry(letter, value=2)
    assert len(session.dead_letters) == 0
    with pytest.raises(runtime.CommandRefused, match="not here"):
        session.dead_letters.retry(letter, value=1)
    session.end("numbers")
    session.wait()
    assert sorted(result) == [(0, 5), (1, 2)]


def test_a_value_whose_key_belongs_to_another_task_is_refused_and_the_letter_stays(make_session: MakeSession) -> None:
    session = make_session(on_error="skip")
    keyed = session.input("numbers").key_by(lambda n: n)
    keyed.map(lambda n: 10 // (n - n), name="work", parallelism=2).collect()
    session.start()
    session.send("numbers", 1)
    session.settle()
    (letter,) = session.dead_letters
    elsewhere = next(n for n in range(2, 100) if Partition(session.graph.tasks("work")).find(n) != letter.task)
    with pytest.raises(runtime.CommandRefused, match="belong to 'work#"):
        session.dead_letters.retry(letter, value=elsewhere)
    assert list(session.dead_letters) == [letter]
    session.stop()


# ── all of them, elsewhere ──


def always(value: Any) -> Any:
    raise ValueError(f"no {value}")


def test_every_letter_goes_to_a_function_in_order_also_those_that_are_not_kept(make_session: MakeSession) -> None:
    session = make_session(on_error="skip")
    given: list[runtime.DeadLetter] = []
    session.dead_letters.to(given.append)  # before there is a run
    session.source(range(1_234)).map(always, name="it").collect()
    session.run(PATIENCE_S)
    assert [letter.packet for letter in given] == list(range(1_234))
    assert [letter.number for letter in given] == list(range(1, 1_235))
    assert given[-1_000:] == list(session.dead_letters)
    session.run(PATIENCE_S)
    assert len(given) == 2 * 1_234, "of the next run as well"


def test_every_letter_is_a_line_of_a_file(make_session: MakeSession, tmp_path: Path) -> None:
    session = make_session(on_error="skip")
    path = tmp_path / "letters.jsonl"
    end = session.dead_letters.to(path)
    values = [{"a": [1, None]}, "\udc80", object(), ("b", 2)]
    session.source(values).map(always, name="it", parallelism=2).collect()
    session.run(PATIENCE_S)
    end()
    session.run(PATIENCE_S)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert sorted(line["number"] for line in lines) == [1, 2, 3, 4]
    written = [line["packet"] for line in lines]
    assert len(written) == len(values)
    assert all(packet in written for packet in (None, "\udc80", ["b", 2], {"a": [1, None]}))
    assert all(line["traceback"].startswith("Traceback") and "failed on packet" in line["text"] for line in lines)


def test_what_letters_are_given_to_may_raise_and_that_is_told(make_session: MakeSession, tmp_path: Path) -> None:
    session = make_session(on_error="skip")
    session.dead_letters.to(lambda letter: 1 // 0)
    given: list[Any] = []
    session.dead_letters.to(given.append)
    result = session.source(range(3)).map(Fragile(1), name="it").collect()
    session.run(PATIENCE_S)
    assert (list(result), packets(session), len(given)) == ([0, 2], [1], 1)
    assert [event.text for event in session.events if event.kind == "warning"] == [
        f"what dead_letters.to() gives letters to raised {DIVIDED_BY_ZERO}"
    ]
    for wrong in (5, None):
        with pytest.raises(runtime.GraphInvalid, match="letters go to a function or to the path of a file"):
            session.dead_letters.to(wrong)  # type: ignore[arg-type]
    with pytest.raises(OSError, match="letters"):
        session.dead_letters.to(tmp_path / "no such folder" / "letters")

    async def later(letter: runtime.DeadLetter) -> None: ...

    with pytest.raises(runtime.GraphInvalid, match="async def"):
        session.dead_letters.to(later)
