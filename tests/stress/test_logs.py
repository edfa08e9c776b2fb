"""What happened and what was skipped, read while it is written: by other threads, signal handlers and `__del__`."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest

import runtime
from runtime.facts import Event
from runtime.history.dead_letters import MAX_LETTERS
from runtime.history.event_log import EventLog
from runtime.testing import PATIENCE_S
from tests.letters import Taker
from tests.promises.test_14_hand import join_all, start_all

WRITERS, EACH = 4, 1_500


def write_from_many(write: Callable[[int, int], None], read: Callable[[], bool]) -> None:
    """Call `write` from several threads, and `read` until all have written and all that was written has been read."""

    def write_all(writer: int) -> None:
        for number in range(EACH):
            write(writer, number)

    threads = [threading.Thread(target=write_all, args=(writer,)) for writer in range(WRITERS)]
    start_all(threads)
    over = False
    while not (read() and over):
        over = not any(thread.is_alive() for thread in threads)
    join_all(threads)


def test_a_reader_of_events_hears_each_of_them_once_and_in_order() -> None:
    log = EventLog()
    heard: list[Event] = []
    asked_from = 0

    def write(writer: int, number: int) -> None:
        log.add(Event("warning" if writer % 2 else "skip", str(writer), str(number)))

    def read() -> bool:
        nonlocal asked_from
        asked_from, events = log.since(asked_from)
        heard.extend(events)
        return not events

    write_from_many(write, read)
    assert [event.number for event in heard] == list(range(WRITERS * EACH))
    for writer in range(WRITERS):
        assert [int(event.text) for event in heard if event.task == str(writer)] == list(range(EACH))


def test_letters_are_numbered_bounded_and_retried_once_while_they_come_and_go() -> None:
    retried: list[int] = []
    letters, run = runtime.DeadLetters(), Taker(retried.append)
    letters._belong_to(run)

    def write(writer: int, number: int) -> None:
        letters.add(runtime.DeadLetter("it", writer * EACH + number, ValueError("no good")))
        if number % 3 == 0:
            letters.retry_all()

    def read() -> bool:
        seen = [letter.number for letter in letters]
        assert seen == sorted(set(seen))
        assert len(seen) <= MAX_LETTERS
        return True

    write_from_many(write, read)
    letters.retry_all()
    assert (letters.total, len(letters)) == (WRITERS * EACH, 0)
    assert sorted(retried) == list(range(WRITERS * EACH)), "each once, whoever asked"


class Noisy:
    """A payload that looks at the session's letters when it is let go of."""

    def __init__(self, look: Callable[[], object]) -> None:
        self.look = look

    def __del__(self) -> None:
        self.look()


def test_a_packet_that_is_pushed_out_may_look_at_the_letters() -> None:
    looks: list[int] = []
    with runtime.Session(on_error="skip") as session:

        def look() -> None:
            looks.append(len(list(session.dead_letters)) + len(session.events) + session.dead_letters.total)

        def refuse(_: Noisy) -> None:
            raise ValueError

        session.source(lambda: (Noisy(look) for _ in range(MAX_LETTERS + 50))).map(refuse).collect()
        session.run(PATIENCE_S)
    assert len(looks) >= 50


@pytest.mark.skipif(sys.platform == "win32", reason="no such timer")
def test_a_signal_handler_may_look_at_what_the_main_thread_looks_at() -> None:
    looks: list[Any] = []
    with runtime.Session(on_error="skip") as session:
        session.source(range(100)).map(lambda n: n // 0).collect()
        session.run(PATIENCE_S)

        def look(*_: object) -> None:
            looks.append((session.events, list(session.dead_letters), session.event_counts, repr(session.dead_letters)))

        before = signal.signal(signal.SIGALRM, look)
        try:
            for microseconds in range(0, 3_000, 10):
                signal.setitimer(signal.ITIMER_REAL, 1e-5 + microseconds / 1e6)
                assert len(session.events) == len(session.events_since(0)[1])
                assert len(list(session.dead_letters)) == session.dead_letters.total == 100
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
    assert looks, "no signal has met it"
