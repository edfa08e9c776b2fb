"""The command queue by itself: each command is carried out once, in order; a close waits for it, forgets others."""

from __future__ import annotations

import sys
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from runtime.testing import PATIENCE_S, Moment
from sage_nb.command_queue import CommandQueue, Done


def echo(command: str, _: Mapping[str, Any]) -> Done:
    return Done(text=command)


def test_every_message_is_answered_whoever_puts_it_and_however_the_thread_comes_and_goes() -> None:
    looks: list[int] = []
    command_queue = CommandQueue(echo, lambda: looks.append(1))
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)

    def put(hand: int) -> list[str]:
        answers: list[str] = []
        for number in range(200):
            answered = Moment(f"answer {number}")

            def take(ack: Any, answered: Moment = answered) -> None:
                answers.append(ack["text"])
                answered.set()

            command_queue.put({"cmd": f"{hand}-{number}", "id": "1"}, take)
            answered.wait(5)  # so that each message finds the thread just ending
        return answers

    try:
        with ThreadPoolExecutor(3) as hands:
            told = list(hands.map(put, range(3)))
    finally:
        sys.setswitchinterval(interval)
    command_queue.close()
    assert told == [[f"{hand}-{number}" for number in range(200)] for hand in range(3)]
    assert len(looks) == 600


def test_a_close_waits_for_what_has_begun_forgets_what_has_not_and_may_come_from_a_command() -> None:
    begun, let_go, refused = Moment(), Moment(), list[BaseException]()
    answers: list[str] = []
    command_queue = CommandQueue(echo, lambda: None)

    def close_and_wait(ack: Any) -> None:
        begun.set()
        let_go.wait()
        try:
            command_queue.close()
        except BaseException as error:  # noqa: BLE001  asserted below
            refused.append(error)
        answers.append(ack["text"])

    command_queue.put({"cmd": "first", "id": "1"}, close_and_wait)
    begun.wait()
    command_queue.put({"cmd": "second", "id": "2"}, lambda ack: answers.append(ack["text"]))
    closing = threading.Thread(target=command_queue.close)
    closing.start()
    let_go.set()
    closing.join(PATIENCE_S)
    assert (answers, refused) == (["first"], [])
