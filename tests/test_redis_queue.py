"""A queue that was written outside keeps the promises: packets travel through lists in a real Redis server."""

from __future__ import annotations

import multiprocessing
import pickle
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from multiprocessing import resource_tracker
from pathlib import Path
from typing import Any, Final

import pytest
from redis import Redis

import runtime
from examples import redis_queue
from runtime.communication.lane import LaneSpec
from runtime.communication.signals import StopSignal
from runtime.scheduling.parker import Parker
from runtime.scheduling.quiescence import QuiescenceMonitor
from runtime.testing import PATIENCE_S, Hold, Moment, check_bounded
from tests import remote_functions as far
from tests.test_process_backend import come_to_rest

GUARDED: Final = '"$@" & read -r _; kill -9 $!; wait'
"""Runs a command until its standard input ends: with the tests, even where those are killed."""
PARALLELISMS: Final = [(1, 1), (3, 2)]


@dataclass(frozen=True)
class Server:
    """A Redis server of the tests' own, at a socket in a folder of theirs."""

    url: str
    process: subprocess.Popen[str]

    def ask(self) -> Redis:
        return Redis.from_url(self.url)

    def kill(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()


@contextmanager
def redis_server(folder: Path) -> Iterator[Server]:
    program = shutil.which("redis-server")
    if program is None:
        pytest.fail("there is no redis-server; install it: apt-get install redis-server (make test does it for root)")
    socket = folder / "redis.sock"
    options = ["--port", "0", "--unixsocket", str(socket), "--dir", str(folder), "--save", "", "--appendonly", "no"]
    command = ["sh", "-c", GUARDED, "sh", program, *options]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        server = Server(f"unix://{socket}", process)
        try:
            written = []
            for line in process.stdout:
                written.append(line)
                if "ready to accept connections" in line.lower():
                    break
            else:
                pytest.fail(f"redis-server has not started:\n{''.join(written)}")
            yield server
        finally:
            server.kill()  # it has nothing to save


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    redis_queue.register()
    resource_tracker.ensure_running()  # one for each Python that starts others, and it stays
    with redis_server(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def session(server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[runtime.Session]:
    monkeypatch.setenv(redis_queue.URL_VARIABLE, server.url)
    session = runtime.Session("redis", platform="redis", capacity=16)
    yield session
    session.close()
    with server.ask() as client:
        assert client.dbsize() == 0


@pytest.mark.parametrize(("producers", "consumers"), PARALLELISMS)
def test_every_packet_is_processed_once_and_travels_through_the_server(
    session: runtime.Session, server: Server, producers: int, consumers: int
) -> None:
    with server.ask() as client:
        client.config_resetstat()
    numbers = session.source(range(300), parallelism=producers)
    result = numbers.map(lambda value: 2 * value, parallelism=consumers).collect()
    outcome = session.run(PATIENCE_S)
    assert (outcome.state, outcome.packets_in, outcome.packets_out, outcome.dropped) == ("completed", 300, 300, 0)
    assert Counter(result) == Counter(range(0, 600, 2))
    with server.ask() as client:
        statistics: Any = client.info("commandstats")
    assert statistics["cmdstat_rpush"]["calls"] >= 600


@pytest.mark.parametrize(("producers", "consumers"), PARALLELISMS)
def test_order_holds_per_producer_and_consumer_and_equal_keys_meet(
    session: runtime.Session, producers: int, consumers: int
) -> None:
    numbers = session.source(far.NumberedSource(100), parallelism=producers)
    keyed = numbers.key_by(far.instance)
    counts = keyed.reduce(lambda number, _: number + 1, initial=0, emit="end", parallelism=consumers).collect()
    result = keyed.map(far.same, parallelism=consumers).collect()
    session.run(PATIENCE_S)
    assert sorted(counts) == [(producer, 100) for producer in range(producers)]
    for producer in range(producers):
        assert [number for index, number in result if index == producer] == list(range(100))


@pytest.mark.parametrize("capacity", [1, 2, 5])
def test_a_queue_holds_its_capacity_and_not_one_more(session: runtime.Session, server: Server, capacity: int) -> None:
    waiting = max(1, capacity - 1)  # one place is kept for the hand; and there is the packet in work
    one_too_many = Moment()

    def numbers() -> Iterator[int]:
        for number in count():
            if number == waiting + 1:
                one_too_many.set()
            yield number

    hold = Hold[int]()
    result = session.source(numbers, name="numbers").map(hold, name="hold", capacity=capacity).take(50).collect()
    session.start()
    hold.reached.wait()
    one_too_many.wait()
    come_to_rest(session, "numbers")
    snapshot = session.snapshot()
    assert (snapshot["numbers"].state, snapshot["numbers"].emitted) == ("held back", waiting + 1)
    assert snapshot["hold"].depth == waiting
    session.inject("hold", -1)
    with pytest.raises(runtime.QueueFull):
        session.inject("hold", -2)
    check_bounded(session.snapshot())
    hold.release()
    session.wait(PATIENCE_S)
    assert len(result) == 50
    assert [number for number in result if number >= 0] == list(range(49))


def test_the_hand_never_takes_room_that_a_writer_elsewhere_may_use(session: runtime.Session) -> None:
    result = session.source(range(200)).map(lambda value: value, name="same", capacity=4).collect()
    session.start()
    put_in = 0
    for number in range(100):
        try:
            session.inject("same", -number - 1, timeout=PATIENCE_S)
            put_in += 1
        except runtime.TaskEnded:
            break
        check_bounded(session.snapshot())
    outcome = session.wait(PATIENCE_S)
    assert outcome.packets_in == outcome.packets_out == len(result) == 200 + put_in
    assert [number for number in result if number >= 0] == list(range(200))


def test_the_stop_signal_comes_behind_the_last_packet_and_finish_may_still_send(session: runtime.Session) -> None:
    sums = session.source(range(100), name="numbers", parallelism=2).flat_map(far.SumAtEnd(), name="sum")
    result = sums.collect(name="result")
    outcome = session.run(PATIENCE_S)
    assert list(result) == [sum(range(100))]
    assert outcome.order[2:] == ("sum", "result")


def test_settled_means_that_nothing_is_on_its_way(session: runtime.Session) -> None:
    result = session.input("numbers").map(lambda value: 2 * value).map(far.same, parallelism=2).collect()
    session.start()
    for number in range(100):
        session.send("numbers", number)
        session.settle(PATIENCE_S)
        assert result[-1] == 2 * number
    session.end("numbers")
    session.wait(PATIENCE_S)


def test_cancel_wakes_whoever_waits_for_a_packet_or_for_room(session: runtime.Session) -> None:
    hold = Hold[int]()
    session.source(count(), name="numbers").map(hold, name="hold", capacity=3).sink(far.same, name="empty")
    session.start()
    hold.reached.wait()
    come_to_rest(session, "numbers", "empty")
    assert session.snapshot().states == {"numbers": "held back", "hold": "running", "empty": "idle"}
    session.cancel()
    hold.release()
    outcome = session.wait(PATIENCE_S)
    assert outcome.state == "cancelled"
    assert outcome.packets_in == outcome.packets_out + outcome.dropped


arriving = Moment("the packet")


class Slow:
    """A packet that takes its time to arrive."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _arrive, ()


def _arrive() -> None:
    arriving.wait()


def test_what_is_on_its_way_when_the_job_is_cancelled_counts_as_dropped(session: runtime.Session) -> None:
    one_too_many = Moment()

    def packets() -> Iterator[object]:
        yield Slow()
        yield from range(2)
        one_too_many.set()
        yield 2

    session.source(packets, name="packets").sink(far.same, name="idle", capacity=4)
    session.start()
    one_too_many.wait()
    session.cancel()
    outcome = session.wait(PATIENCE_S)
    arriving.set()
    assert (outcome.packets_in, outcome.packets_out, outcome.dropped) == (4, 0, 4)


def test_a_packet_that_cannot_be_pickled_fails_its_task_by_name(session: runtime.Session) -> None:
    session.source(range(10)).map(far.make_lock, name="culprit").sink(far.same)
    with pytest.raises(runtime.TaskFailed, match="'culprit' failed on packet 3: NotSendable: <lock> cannot travel"):
        session.run(PATIENCE_S)


def test_a_packet_that_cannot_be_unpickled_fails_the_task_that_gets_it(session: runtime.Session) -> None:
    session.source(range(10)).map(far.make_broken).sink(far.same, name="reader")
    with pytest.raises(runtime.TaskFailed, match="'reader' failed: LookupError: not in this process"):
        session.run(PATIENCE_S)


def test_the_death_of_the_server_fails_the_job_and_hangs_nobody(
    tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    with redis_server(tmp_path) as mortal:
        monkeypatch.setenv(redis_queue.URL_VARIABLE, mortal.url)
        session = runtime.Session("mortal", platform="redis")
        session.input("numbers").map(far.same).sink(far.same)
        session.start()
        session.send("numbers", 1)
        session.settle(PATIENCE_S)
        mortal.kill()
        with pytest.raises(
            runtime.TaskFailed, match=r"QueueUnreachable: the Redis server at unix://.* does not answer"
        ):
            session.wait(PATIENCE_S)
        session.close()


def test_without_a_server_nothing_is_started(tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(redis_queue.URL_VARIABLE, f"unix://{tmp_path}/nobody.sock")
    session = runtime.Session(platform="redis")
    session.source(range(3)).sink(far.same)
    with pytest.raises(runtime.QueueUnreachable, match=r"nobody\.sock does not answer.*is redis-server running"):
        session.start()
    assert session.status == "new"


def test_a_queue_can_be_filled_from_another_process(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(redis_queue.URL_VARIABLE, server.url)
    backend = redis_queue.RedisBackend()
    queue = backend.queue("reader", 5, (LaneSpec("elsewhere"),))
    inbox = pickle.loads(pickle.dumps(queue)).get_queue()
    assert inbox is queue.get_queue()
    inbox.read_by(Parker(QuiescenceMonitor()))
    process = multiprocessing.get_context("spawn").Process(target=far.fill, args=(queue, 100))
    process.start()
    got = []
    while (ended := inbox.signalled_lane()) is None:
        inbox.wait()
        assert len(inbox) <= 5
        batch, parts = inbox.gather(2)
        got += batch
        for lane, length in parts:
            inbox.drop(lane, length)
    assert got == list(range(100))
    assert ended.take_signal() == StopSignal("elsewhere", "completed")
    process.join()
    process.close()
    backend.close()
    with pytest.raises(runtime.QueueUnreachable, match="'reader' is over"):
        queue.get_queue()
