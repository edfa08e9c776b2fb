"""The platform `redis`: tasks on threads, and between them lists in a Redis server, registered from outside.

    from examples import redis_queue

    redis_queue.register()  # and set REDIS_URL, if the server is not at redis://127.0.0.1:6379
    session = runtime.Session(platform="redis")

A `RedisQueue` is picklable, and another process may fill lanes of it, or read it. Each lane is two lists: packets and the
stop signal on the way to the reader, acknowledgements on the way back (far_queue.py says what they do). One thread in each
process, its carrier, waits for all lists that concern this process. Packets are pickled, which nobody but the owners of
the server may write.
"""

from __future__ import annotations

import os
import pickle
import threading
import uuid
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic
from typing import Any, Final, cast

from redis import Redis, RedisError
from redis.backoff import NoBackoff
from redis.retry import Retry

from examples.far_queue import Arrivals, Outbox, Verb, places
from runtime.communication.inbox import Inbox, LaneSpec
from runtime.communication.lane import Lane, Waiter
from runtime.communication.queue_descriptor import QueueDescriptor
from runtime.errors import QueueUnreachable
from runtime.factory import TaskHandle, register_backend
from runtime.factory.local_backend import LocalBackend
from runtime.task.gate import Gate, Watch
from runtime.task.local_task import LocalTask

URL_VARIABLE: Final = "REDIS_URL"
DEFAULT_URL: Final = "redis://127.0.0.1:6379"


def register() -> None:
    """Offer the platform `redis`. May be called again."""
    register_backend("redis", RedisBackend)


@dataclass(frozen=True, slots=True)
class RedisQueue:
    """The input queue of a task of `job`, in lists of the server at `url`."""

    task: str
    capacity: int
    lanes: tuple[LaneSpec, ...]
    url: str
    job: str
    process: int

    def get_queue(self) -> Inbox:
        """Reader: the queue itself, the same one at every call in a process. Raises `QueueUnreachable`."""
        return _carrier_of(self).arrivals(self)

    def open_lane(self, number: int, writer: Waiter) -> Lane:
        """Writer: a lane here, whose packets get to lane `number` there. Raises `QueueUnreachable`."""
        return _carrier_of(self).outbox(self, number, writer).lane

    def key(self, number: int) -> str:
        """The name of the list in which packets go to lane `number`."""
        return f"sage:{self.job}:{self.task}:{number}"


class Carrier:
    """What one process has of one job: the ends of lanes that are here, and the thread that fills them from Redis."""

    def __init__(self, url: str, job: str) -> None:
        # Never sent twice: a command whose answer was lost may have been obeyed.
        self._redis = Redis.from_url(url, retry=Retry(NoBackoff(), 0), socket_timeout=None)
        self._bell = f"sage:{job}:bell:{uuid.uuid4().hex}"
        self._lock = threading.Lock()  # guards what follows, but the order of the keys
        self._handlers: dict[str, Callable[[Any], None]] = {self._bell: lambda _: None}
        self._arrivals: dict[str, Arrivals] = {}
        self._broken: QueueUnreachable | None = None
        self.posted = self.carried = 0
        self.told: Callable[[], None] = lambda: None
        self._call(self._redis.ping)
        self._thread = threading.Thread(target=self._carry, name=f"redis carrier {job}", daemon=True)
        self._thread.start()
