"""The platform `redis`: tasks on threads, and between them lists in a Redis server, registered from outside.

    from examples import redis_queue

    redis_queue.register()  # and set REDIS_URL, if the server is not at redis://127.0.0.1:6379
    session = runtime.Session(platform="redis")

A `RedisQueue` is picklable, and another process may fill lanes of it, or read it. Its two ends are the `Outbox` and the
`Arrivals` of `runtime.remote`. Each lane is two lists: packets and signals for the reader, acknowledgements for the
writer. One thread in each process, its carrier, waits for all lists that concern it. Packets are pickled: nobody may
write to the server who may not run code here. A seed is refused: no turn can be given to a server.

The hand can borrow no room from writers who do not see it, so one place of each queue is kept for it.
"""

from __future__ import annotations

import os
import pickle
import threading
import uuid
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, NoReturn, cast

from redis import Redis, RedisError
from redis.backoff import NoBackoff
from redis.retry import Retry

from examples.pickle_codec import CODEC
from runtime.communication.inbox import Inbox, shares
from runtime.communication.lane import Lane, LaneSpec
from runtime.errors import GraphInvalid, QueueUnreachable
from runtime.factory import register_backend
from runtime.factory.local_backend import LocalBackend
from runtime.remote.arrivals import Arrivals
from runtime.remote.endpoint_lanes import SLOW_S
from runtime.remote.remote_lane import Address, Mark, Outbox
from runtime.scheduling.parker import Parker, Waiter
from runtime.scheduling.quiescence import QuiescenceMonitor

URL_VARIABLE: Final = "REDIS_URL"
DEFAULT_URL: Final = "redis://127.0.0.1:6379"
ANSWER_S: Final = 5.0
"""How long a command may take before the server counts as lost."""


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

    @property
    def of_writers(self) -> int:
        """What all writers' lanes may hold together."""
        return max(len(self.lanes), self.capacity - 1)


class Carrier:
    """What one process has of one job: the ends of lanes that are here, and the thread that fills them from Redis.

    Raises `QueueUnreachable` where the server does not answer; whoever reads here then hears it, too.
    """

    def __init__(self, url: str, job: str, monitor: QuiescenceMonitor) -> None:
        self._url, self._job = url, job
        # No command is sent again: one whose answer was lost may have been obeyed.
        once = Retry(NoBackoff(), 0)
        self._out = Redis.from_url(url, retry=once, socket_timeout=ANSWER_S)
        self._in = Redis.from_url(url, retry=once, socket_timeout=None)  # waits for as long as nothing comes
        self._bell = f"sage:{job}:bell:{uuid.uuid4().hex}"
        self._closing = False
        self.parker = _Transit(monitor)
        # Guards what follows: whoever makes tasks adds, and the carrier reads.
        self._lock = threading.Lock()
        self._handlers: dict[str, Callable[[bytes], None]] = {}
        self._arrivals: dict[str, _CountedArrivals] = {}
        self._outboxes: dict[Address, Outbox] = {}
        self._has_full_lane = False  # read here: its writer is to hear soon what has left
        self._call(self._out.ping)
        self._thread = threading.Thread(target=self._carry, name=f"redis carrier {job}", daemon=True)
        self._thread.start()

    def arrivals(self, queue: RedisQueue) -> Arrivals:
        """The reader's end of a queue, the same at every call."""
        with self._lock:
            inbox = self._arrivals.get(queue.task)
            if inbox is not None:
                return inbox
            inbox = self._arrivals[queue.task] = _CountedArrivals(queue, self, self._outboxes)
        self._listen({self._packets((queue.task, number)): inbox.receiver for number in range(len(queue.lanes))})
        return inbox

    def outbox(self, queue: RedisQueue, number: int, writer: Waiter) -> Outbox:
        """The writer's end of lane `number`."""
        address = queue.task, number
        share, _ = shares(queue.of_writers, len(queue.lanes))
        outbox = self._outboxes[address] = Outbox(address, queue.lanes[number], share, writer, CODEC)
        outbox.carry_by(_Shipping(self, outbox))
        self._listen({self._acknowledgements(address): lambda payload: outbox.acknowledge(int(payload))})
        return outbox

    def push(self, lane: Address, parcel: Any) -> None:
        """Send what an outbox has packed. Raises `QueueUnreachable`."""
        self._push(self._packets(lane), pickle.dumps(parcel))

    def acknowledge_to(self, producer: str, lane: Address, taken: int, much: bool) -> None:
        """Let whoever fills a lane know how many packets of it have left in all."""
        self._push(self._acknowledgements(lane), b"%d" % taken)

    def give_back_to(self, producer: str, lane: Address) -> None:
        """Nothing: no writer lends anything."""

    def note_full(self) -> None:
        """On the carrier's thread: a lane is full."""
        self._has_full_lane = True

    def _packets(self, lane: Address) -> str:
        """The name of the list in which packets and signals go to the reader."""
        return f"sage:{self._job}:{lane[0]}:{lane[1]}"

    def _acknowledgements(self, lane: Address) -> str:
        """The name of the list in which the reader says how many packets have left."""
        return f"{self._packets(lane)}:worked"

    def close(self) -> None:
        """End the thread, and delete the lists."""
        self._closing = True
        with suppress(QueueUnreachable):
            self._call(self._out.rpush, self._bell, b"")
        self._thread.join(ANSWER_S)
        with suppress(QueueUnreachable):
            self._call(self._out.delete, self._bell, *self._handlers)
        self._out.close()
        self._in.close()

    def _listen(self, handlers: dict[str, Callable[[bytes], None]]) -> None:
        """Call a list's handler for whatever comes in it, from now on."""
        with self._lock:
            self._handlers |= handlers
        self._call(self._out.rpush, self._bell, b"")  # the carrier waits for the lists that it knew

    def _push(self, key: str, payload: bytes) -> None:
        self.parker.leaves()
        self._call(self._out.rpush, key, payload)

    def _call(self, command: Callable[..., Any], *arguments: Any) -> None:
        try:
            command(*arguments)
        except RedisError as error:
            raise self._unreachable(error) from error

    def _unreachable(self, error: RedisError) -> QueueUnreachable:
        return QueueUnreachable(f"the Redis server at {self._url} does not answer ({error}); is redis-server running?")

    # ── the carrier's thread ──

    def _carry(self) -> None:
        order: list[str] = []
        try:
            while not self._closing:
                with self._lock:
                    order += [key for key in self._handlers if key not in order]
                patience_s = SLOW_S if self._has_full_lane else 0
                found = cast(tuple[bytes, bytes] | None, self._in.blpop([self._bell, *order], timeout=patience_s))
                if found is None:
                    self._look_up()
                    continue
                key, payload = found[0].decode(), found[1]
                if key != self._bell:
                    order.remove(key)
                    order.append(key)  # the others come first now: Redis looks at lists in this order
                    self._handlers[key](payload)
                    self.parker.arrives()
        except RedisError as error:
            if not self._closing:
                self._fail_all(error)

    def _look_up(self) -> None:
        self._has_full_lane = False
        with self._lock:
            inboxes = list(self._arrivals.values())
        for inbox in inboxes:
            inbox.look_up()

    def _fail_all(self, error: RedisError) -> None:
        with self._lock:
            inboxes = list(self._arrivals.values())
        for inbox in inboxes:
            inbox.fail(self._unreachable(error))


class _Shipping:
    """Ships what is put into an outbox, at once, on its writer's thread: so what cannot be packed fails its writer."""

    def __init__(self, carrier: Carrier, outbox: Outbox) -> None:
        self._carrier, self._outbox = carrier, outbox

    def ship(self) -> None:
        """Something was put in."""
        self._outbox.sleep()  # nobody will come for the next one either
        error = self._outbox.pack()
        for parcel in self._outbox.take(may_end=True):
            is_last = isinstance(parcel, Mark) and parcel.signal.is_last
            with suppress(*[QueueUnreachable] if is_last else ()):
                self._carrier.push(parcel.lane, parcel)
        if error is not None:
            raise error


class _CountedArrivals(Arrivals):
    """Knows how much was sent by the writers in this process."""

    __slots__ = ("_outboxes",)

    def __init__(self, queue: RedisQueue, carrier: Carrier, outboxes: dict[Address, Outbox]) -> None:
        super().__init__(queue.task, queue.of_writers, queue.lanes, carrier)
        share, _ = shares(queue.of_writers, len(queue.lanes))
        self.hand.give_room(max(1, queue.capacity - share * len(queue.lanes)))
        self._outboxes = outboxes

    def receiver(self, payload: bytes) -> None:
        """Something has come."""
        self.take_in(pickle.loads(payload), CODEC)

    def unworked(self) -> int:
        """What was sent and not worked, wherever it is by now."""
        left = len(self.hand.lane.items)
        for number, lane in enumerate(self.lanes[1:]):
            outbox = self._outboxes.get((self._task, number))
            left += len(lane.items) if outbox is None else outbox.lane.taken + len(outbox.lane.items) - lane.taken
        return left


class _Transit(Parker):
    """Stands still while nothing is on its way between ends of lanes in this process: so it can be waited for."""

    __slots__ = ("_counting", "_under_way")

    def __init__(self, monitor: QuiescenceMonitor) -> None:
        super().__init__(monitor)
        self._counting = threading.Lock()  # guards _under_way and passes, which tells two stillnesses apart
        self._under_way = 0

    def leaves(self) -> None:
        """Something is about to be sent."""
        with self._counting:
            self._under_way += 1
            self.passes += 1

    def arrives(self) -> None:
        """It has arrived, and had its effect."""
        with self._counting:
            self._under_way -= 1
            self.passes += 1
        self.say("idle")

    def stands_still(self) -> bool:
        """Whether all has arrived that was sent."""
        return self._under_way == 0


_carriers: dict[str, Carrier] = {}  # by job
_carriers_lock = threading.Lock()  # guards _carriers, and that a process has one for each job


def _carrier_of(queue: RedisQueue) -> Carrier:
    with _carriers_lock:
        carrier = _carriers.get(queue.job)
        if carrier is None:
            if queue.process == os.getpid():
                raise QueueUnreachable(f"the job of {queue.task!r} is over, and its queues are released")
            carrier = _carriers[queue.job] = Carrier(queue.url, queue.job, QuiescenceMonitor())
    return carrier


class RedisBackend(LocalBackend):
    """One job on threads, with its queues in the server that `REDIS_URL` names."""

    def __init__(self) -> None:
        super().__init__()
        self._url = os.environ.get(URL_VARIABLE, DEFAULT_URL)
        self._job = uuid.uuid4().hex
        self._carrier = Carrier(self._url, self._job, self._scheduler.monitor)
        with _carriers_lock:
            _carriers[self._job] = self._carrier

    def queue(self, task: str, capacity: int, lanes: tuple[LaneSpec, ...]) -> RedisQueue:
        """Describe a queue in Redis."""
        return RedisQueue(task, capacity, lanes, self._url, self._job, os.getpid())

    def use_seed(self, seed: int) -> NoReturn:
        """Refuse: raises `GraphInvalid`."""
        raise GraphInvalid(f"seed {seed!r} cannot decide when a server answers; use platform='local' for seeded runs")

    def is_still(self, handles: Iterable[Any]) -> bool:
        """Whether all threads wait and nothing is on its way, at one moment."""
        still: list[Any] = [*handles, self._carrier]  # which has a parker, too
        return super().is_still(still)

    def close(self) -> None:
        """Release the queues, here and in the server."""
        with _carriers_lock:
            carrier = _carriers.pop(self._job, None)
        if carrier is not None:
            carrier.close()
        super().close()
