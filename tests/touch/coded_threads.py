"""The platform `coded`: each task and service on threads of this process, with an endpoint of its own, and all that
goes between two of them packed by a codec. Made from outside: of `runtime` it needs `remote` and `driver` as they are.

So all that lies between processes can be tried without one.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Final, NoReturn

from examples.pickle_codec import PickleCodec
from runtime.communication.inbox import Inbox
from runtime.communication.lane import Lane, LaneSpec
from runtime.communication.request_queue import RequestQueue
from runtime.driver.backend import RemoteBackend
from runtime.errors import GraphInvalid, QueueUnreachable
from runtime.factory import register_backend
from runtime.remote.codec import Codec, Serialized
from runtime.remote.endpoint import Endpoint
from runtime.remote.host import GROUP_OF, THREADS, Host
from runtime.scheduling.parker import Waiter
from runtime.service.ray_service_task import RayServiceTask

SOON_S: Final = 5.0
"""How long a thread that runs no user code may take to end."""

_arriving: ContextVar[Endpoint | None] = ContextVar("the endpoint into which descriptors are unpacked", default=None)


def register() -> None:
    """Offer the platform `coded`, and `between`, which packs functions of tests as well. May be called again."""
    register_backend("coded", CodedBackend)
    register_backend("between", _ByValueBackend)


class BytesCodec(PickleCodec):
    """All that goes between two endpoints is bytes, messages as well."""

    def pack(self, message: Any) -> bytes:
        """A message as bytes."""
        return pickle.dumps(message, protocol=5)

    def unpack(self, packed: Any) -> Any:
        """The message."""
        return pickle.loads(packed)


CODEC: Final = BytesCodec()


class _ByValueCodec(BytesCodec):
    """The same, and functions that are no names of a module go by value."""

    @cached_property
    def pickler(self) -> Any:
        """That of cloudpickle, which comes with Ray."""
        from ray import cloudpickle

        return cloudpickle.Pickler

    def encode(self, value: Any) -> Serialized:
        """The value as bytes. Raises what pickling raises."""
        with io.BytesIO() as file:
            self.pickler(file, protocol=5).dump(value)
            return Serialized(file.getvalue())


@dataclass(frozen=True)
class _Descriptor:
    """What refers to a queue, bound to the endpoint that it is used in: where it was made, or unpacked."""

    owner: str
    capacity: int
    lanes: tuple[LaneSpec, ...]
    endpoint: Endpoint | None

    @property
    def task(self) -> str:
        """The task whose queue it is."""
        return self.owner

    def __reduce__(self) -> tuple[Any, ...]:
        return _arrived, (type(self), self.owner, self.capacity, self.lanes)

    def _here(self) -> Endpoint:
        if self.endpoint is None:
            raise QueueUnreachable(f"the queue of {self.owner!r} was looked for where nothing of its job runs")
        return self.endpoint


class _TaskQueue(_Descriptor):
    def get_queue(self) -> Inbox:
        return self._here().lanes.inbox(self.owner, self.capacity, self.lanes)

    def open_lane(self, number: int, writer: Waiter) -> Lane:
        lanes = self._here().lanes
        return lanes.open_lane((self.owner, number), self.lanes[number], self.capacity, len(self.lanes), writer)


class _ServiceQueue(_Descriptor):
    @property
    def service(self) -> str:
        """The service whose queue it is."""
        return self.owner

    def get_queue(self) -> RequestQueue:
        return self._here().calls.queue(self.owner, self.capacity)


class _InputQueue(_ServiceQueue):
    def get_queue(self) -> RequestQueue:
        return self._here().calls.input(self.owner, self.capacity)


def _arrived(kind: Callable[..., _Descriptor], *what: Any) -> _Descriptor:
    return kind(*what, _arriving.get())


class Gone(Exception):
    """The threads that were called have been let go of."""


class Threads:
    """What stands for a process: threads that answer the calls of one host, each in the group of its method."""

    def __init__(self, host: Host, callers: int) -> None:
        self._host = host
        sizes = {**THREADS, "ask": max(1, callers), "": 1}
        self._groups = {group: ThreadPoolExecutor(size, f"{host.name} {group}") for group, size in sizes.items()}
        self._is_gone = False

    def call(self, method: str, *arguments: Any) -> Future[Any]:
        """Call a method of the host."""
        answer: Future[Any] = Future()
        if self._is_gone:
            answer.set_exception(Gone(self._host.name))
            return answer
        return self._groups[GROUP_OF.get(method, "")].submit(self._answer, method, arguments)

    def _answer(self, method: str, arguments: tuple[Any, ...]) -> Any:
        _arriving.set(self._host.endpoint)
        found = getattr(self._host, method)(*arguments)
        if self._is_gone:
            raise Gone(self._host.name)
        return found

    def is_gone(self, error: BaseException) -> bool:
        """Whether nobody was there to be called."""
        return isinstance(error, Gone)

    def kill(self) -> None:
        """Let go of the threads; what they host has to end by itself."""
        self._is_gone = True
        if isinstance(self._host, RayServiceTask):
            self._host._deadlines.close(SOON_S)  # the end of a process takes it along
        self._host.mailbox.close()
        self._host.endpoint.close()
        for group in self._groups.values():
            group.shutdown(wait=False)


class CodedBackend(RemoteBackend):
    """One job on threads that share nothing but bytes."""

    codec: ClassVar[Codec] = CODEC

    def use_cluster(self, address: str | None, resources: Mapping[str, Mapping[str, float]]) -> NoReturn:
        """Refuse a cluster."""
        raise GraphInvalid("this platform has no cluster")

    def queue(self, task: str, capacity: int, lanes: tuple[LaneSpec, ...]) -> Any:
        """Describe a queue; it is made where its task is."""
        self._job.lanes[task] = lanes
        return _TaskQueue(task, capacity, lanes, self._job.endpoint)

    def request_queue(self, service: str, capacity: int, kind: Any = None) -> Any:
        """Describe a request queue; it is made where its service is."""
        kind = _ServiceQueue if kind in (None, RequestQueue) else _InputQueue
        return kind(service, capacity, (), self._job.endpoint)

    def _prepare(self, operators: Mapping[str, str], say: Callable[[str], None]) -> None:
        """There is always room."""

    def _launch(self, kind: type[Host], name: str, callers: int) -> Threads:
        return Threads(kind(self._job.name, name, self.codec), callers)


class _ByValueBackend(CodedBackend):
    codec: ClassVar[Codec] = _ByValueCodec()
