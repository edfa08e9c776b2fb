"""Promise 18 against a server on loopback that stalls, hangs up and refuses: nothing is lost, and it is not overrun."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

import pytest

import runtime
from runtime.testing import PATIENCE_S, Moment, leak_guard
from tests.pairs import every_pair_of

QUESTIONS: Final = 40
HANGS_UP, REFUSES, STALLS = 2, 3, 4  # the first time that it is asked for such a number, modulo 5


class Server:
    """Answers a number by its double, one for each connection, in a thread of its own."""

    def __init__(self) -> None:
        self.port = 0
        self.open = self.most = 0  # connections
        self.unanswered = 0
        self.asked: Counter[int] = Counter()
        self.stalled = Moment("32 questions that are not answered")
        self.left = Moment("the end of all connections")
        self.answers_nothing = False
        self._ready = Moment("the server")
        self._end: Any = None
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="server", daemon=True)

    def __enter__(self) -> Server:
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self._end()
        self._thread.join()

    async def _serve(self) -> None:
        over, loop = asyncio.Event(), asyncio.get_running_loop()
        self._end = lambda: loop.call_soon_threadsafe(over.set)
        async with await asyncio.start_server(self._answer, "127.0.0.1", 0) as server:
            self.port = server.sockets[0].getsockname()[1]
            self._ready.set()
            await over.wait()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open += 1
        self.most = max(self.most, self.open)
        try:
            number = int(await reader.readline())
            self.asked[number] += 1
            way = number % 5 if self.asked[number] == 1 else 0
            if way == STALLS or self.answers_nothing:
                self.unanswered += 1
                if self.unanswered == 32:
                    self.stalled.set()
                await reader.read()  # until the other end has enough of it
            elif way != HANGS_UP:
                await asyncio.sleep(number % 3 * 0.001)
                writer.write(b"429 0.01\n" if way == REFUSES else f"200 {2 * number}\n".encode())
        except (ConnectionError, ValueError):  # it has gone before it asked
            pass
        finally:
            self.open -= 1
            writer.close()
            if not self.open:
                self.left.set()


class Refused(Exception):
    def __init__(self, retry_after: float) -> None:
        super().__init__("too many questions")
        self.retry_after = retry_after


class Ask(runtime.Function[int, int]):
    """Asks it, by a connection for each call."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.ended: list[int] = []  # by a `finally`

    def __deepcopy__(self, memo: object) -> Ask:
        return self

    async def process(self, number: int) -> int:  # type: ignore[override]
        reader, writer = await asyncio.open_connection("127.0.0.1", self.server.port)
        try:
            writer.write(f"{number}\n".encode())
            status, _, rest = (await reader.readline()).decode().partition(" ")
            if not status:
                raise ConnectionResetError("it has hung up")
            if status == "429":
                raise Refused(float(rest))
            return int(rest)
        finally:
            self.ended.append(number)
            writer.close()


AGAIN: Final = runtime.Retry(1000, backoff=0, on=(Refused, TimeoutError, ConnectionError))


@pytest.fixture
def server() -> Iterator[Server]:
    with leak_guard(), Server() as server:
        yield server


@every_pair_of(ordered=(True, False), concurrency=(1, 8, 32), chaining=(True, False))
def test_a_server_that_stalls_hangs_up_and_refuses_is_asked_until_it_has_answered_everything(
    server: Server, ordered: bool, concurrency: int, chaining: bool
) -> None:
    ask = Ask(server)
    settings: Any = {"concurrency": concurrency, "ordered": ordered, "timeout": 0.05, "on_error": AGAIN}
    with runtime.Session(chaining=chaining) as session:
        result = session.source(range(QUESTIONS)).map(ask, name="ask", **settings).collect()
        outcome = session.run(PATIENCE_S)
        retries = session.snapshot()["ask"].retries
    answers = list(result) if ordered else sorted(result)
    assert answers == [2 * number for number in range(QUESTIONS)]
    assert (outcome.state, outcome.dropped) == ("completed", 0)
    bad = [number for number in range(QUESTIONS) if number % 5 in (HANGS_UP, REFUSES, STALLS)]
    assert all(server.asked[number] > 1 for number in bad)
    assert retries >= len(bad), "each of these once at least, and whatever was late"
    assert len(ask.ended) <= QUESTIONS + retries
    assert set(ask.ended) == set(range(QUESTIONS))


@pytest.mark.parametrize("end", ["cancel", "close"])
def test_calls_that_a_server_never_answers_are_ended_with_the_job_each_by_its_finally(server: Server, end: str) -> None:
    server.answers_nothing = True
    ask = Ask(server)
    with runtime.Session() as session:
        session.source(range(100)).map(ask, name="ask", concurrency=32).collect()
        session.start()
        server.stalled.wait()
        assert session.snapshot()["ask"].open == 32
        server.left = Moment("the end of all connections")
        getattr(session, end)()
        if end == "cancel":
            assert session.wait(PATIENCE_S).state == "cancelled"
    assert sorted(ask.ended) == list(range(32))
    server.left.wait()
    assert (server.open, server.most) == (0, 32)
