"""The platform `processes`: every task and every service in a process of its own, registered from outside.

    from examples import process_backend

    process_backend.register()
    session = runtime.Session(platform="processes")

What happens between processes is `runtime.remote` and `runtime.driver`; here is what those leave to a platform: a codec
(pickle_codec.py), a channel (a pipe to each child, and through the driver to others), and how a process is launched. As
with `multiprocessing` itself, a script starts its sessions below `if __name__ == "__main__":`, and its functions are
those of a module. Needs tblib, by which tracebacks travel.
"""

from __future__ import annotations

import itertools
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from multiprocessing.connection import Connection
from typing import Any, ClassVar, Final, NoReturn

from examples.pickle_codec import CODEC
from runtime.driver.backend import RemoteBackend
from runtime.errors import GraphInvalid, error_text
from runtime.factory import register_backend
from runtime.remote.codec import Codec
from runtime.remote.host import GROUP_OF, THREADS, Host

_CONTEXT: Final = multiprocessing.get_context("spawn")  # a fork of a process with threads can hang in any lock


def register() -> None:
    """Offer the platform `processes`. May be called again."""
    register_backend("processes", ProcessBackend)


class ProcessDied(Exception):
    """Whoever was called is gone."""


Answers = Callable[..., Future[Any]]
"""Answers a call that has come: whose host is called, its method, the arguments. Returns at once."""


class Wire:
    """One end of a pipe: calls in both directions, any number at a time. Any thread may call; one thread reads."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self._writing = threading.Lock()  # guards the pipe, and all below
        self._numbers = itertools.count()
        self._open: dict[int, Future[Any]] = {}  # calls from here, until they are answered
        self._broken: ProcessDied | None = None

    def call(self, peer: str, method: str, *arguments: Any) -> Future[Any]:
        """Call a method of a host at the other end, or behind it. Returns at once."""
        answer: Future[Any] = Future()
        with self._writing:
            broken, number = self._broken, next(self._numbers)
            if broken is None:
                self._open[number] = answer
                self._send("call", number, peer, method, *arguments)
        if broken is not None:
            answer.set_exception(broken)
        return answer

    def read(self, answer: Answers) -> None:
        """Take all that comes, until the other end is gone."""
        with suppress(EOFError, OSError):  # the second if it died in the middle of a message
            while True:
                verb, number, *said = self._pipe.recv()
                if verb == "call":
                    answer(*said).add_done_callback(partial(self._reply, number))
                else:
                    with self._writing:
                        called = self._open.pop(number)
                    called.set_exception(said[0]) if verb == "error" else called.set_result(said[0])

    def end(self, broken: ProcessDied) -> None:
        """The other end is gone: so it is with all that was called there, and will be."""
        with self._writing:
            self._broken, called = broken, list(self._open.values())
            self._open.clear()
            self._pipe.close()
        for each in called:
            each.set_exception(broken)

    def _reply(self, number: int, answer: Future[Any]) -> None:
        error = answer.exception()
        if error is not None and not isinstance(error, ProcessDied):
            error = RuntimeError(error_text(error))  # by value: whoever has raised it says how it is pickled
        with self._writing:
            self._send("result", number, answer.result()) if error is None else self._send("error", number, error)

    def _send(self, *message: Any) -> None:
        with suppress(OSError):  # it is gone: whoever reads finds out
            self._pipe.send(message)


class ChildProcess:
    """A child, from the driver. As an argument of a call of another child it leads there by way of the driver."""

    def __init__(self, kind: type[Host], job: str, name: str, callers: int, children: Mapping[str, ChildProcess]):
        self.name = name
        self._children = children
        here, there = _CONTEXT.Pipe()
        self._wire = Wire(here)
        self._process = _CONTEXT.Process(target=_live, args=(there, kind, job, name, callers), name=name, daemon=True)
        self._process.start()
        there.close()  # so that the child's death ends the pipe
        self._reader = threading.Thread(target=self._read, name=f"{job} reader of {name}", daemon=True)
        self._reader.start()

    def call(self, method: str, *arguments: Any) -> Future[Any]:
        """Call a method of the host there."""
        return self._wire.call(self.name, method, *arguments)

    def is_gone(self, error: BaseException) -> bool:
        """Whether nobody was there to be called."""
        return isinstance(error, ProcessDied)

    def kill(self) -> None:
        """End it at once."""
        with suppress(ValueError):  # it was closed already
            self._process.kill()

    def close(self) -> None:
        """End it, and release what it took. Once."""
        self.kill()
        self._reader.join()
        self._process.close()

    def _read(self) -> None:
        self._wire.read(lambda peer, method, *arguments: self._children[peer].call(method, *arguments))
        self._process.join()
        self._wire.end(ProcessDied(f"the process of {self.name!r} died with exit code {self._process.exitcode}"))

    def __reduce__(self) -> tuple[Any, ...]:
        return _Sibling, (self.name,)


# ── in a child ──


class _Sibling:
    """Another child of the driver, from a child."""

    wire: ClassVar[Wire]
    """To the driver."""

    def __init__(self, name: str) -> None:
        self._name = name

    def call(self, method: str, *arguments: Any) -> Future[Any]:
        return self.wire.call(self._name, method, *arguments)

    def is_gone(self, error: BaseException) -> bool:
        return isinstance(error, ProcessDied)


def _live(pipe: Connection, kind: type[Host], job: str, name: str, callers: int) -> None:
    """The whole life of a child: answer calls, each on a thread of its group, until the driver is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # an interrupt in the terminal is for the driver to hear
    _Sibling.wire = wire = Wire(pipe)
    host = kind(job, name, CODEC)
    sizes = {**THREADS, "ask": max(1, callers), "": 1}
    groups = {group: ThreadPoolExecutor(size, group) for group, size in sizes.items()}

    def answer(_: str, method: str, *arguments: Any) -> Future[Any]:
        return groups[GROUP_OF.get(method, "")].submit(getattr(host, method), *arguments)

    wire.read(answer)
    os._exit(1)  # nobody can be told anything any more


# ── in the driver ──


class ProcessBackend(RemoteBackend):
    """One job on processes; what has to live in the driver runs on threads of it."""

    codec: ClassVar[Codec] = CODEC

    def __init__(self) -> None:
        super().__init__()
        self._children: dict[str, ChildProcess] = {}
        self._closing = threading.Lock()  # guards that each child is closed once

    def use_cluster(self, address: str | None, resources: Mapping[str, Mapping[str, float]]) -> NoReturn:
        """Refuse a cluster: raises `GraphInvalid`."""
        raise GraphInvalid("ray_address= and resources= are for platform='remote'; processes are all on this machine")

    def _prepare(self, operators: Mapping[str, str], say: Callable[[str], None]) -> None:
        """There is always room."""

    def _launch(self, kind: type[Host], name: str, callers: int) -> ChildProcess:
        child = self._children[name] = ChildProcess(kind, self._job.name, name, callers, self._children)
        return child

    def close(self) -> None:
        """End what still runs, the hard way."""
        super().close()
        with self._closing:
            for child in self._children.values():
                child.close()
            self._children.clear()
