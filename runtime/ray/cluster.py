"""The Ray cluster that jobs run on: the user's, or a local one that is started at first use and ends with the process.

Never joins a cluster by accident: another one than a local one needs an address, or a `ray.init` of the user's own.
"""

from __future__ import annotations

import atexit
import itertools
import logging
import os
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

import ray
from ray.exceptions import ActorUnschedulableError, RayActorError, RayTaskError, RuntimeEnvSetupError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from runtime.errors import GraphInvalid
from runtime.python.interactive import tell_who_waits

_ANSWER_S: Final = 10  # how long an address has to answer

WORKERS_PATH: Final = Path(__file__).parent / "workers_path"
"""What lets the workers of a local cluster start in half the time."""


class _Cluster:
    """What this process has started of Ray, and what it is joined to."""

    def __init__(self) -> None:
        self.lock = threading.Lock()  # guards that Ray is started and ended once
        self._started = False  # by us; then it is ours to shut down
        self._address: str | None = None  # that we have joined

    def require(self, address: str | None, say: Callable[[str], None]) -> None:
        """Be joined to a cluster: to that of the user's own `ray.init`, to that at `address`, or to a local one.

        What takes long of it is told by `say`, and to whoever waits.
        Raises `GraphInvalid` if the address cannot be reached, or Ray is joined to another one already.
        """
        with self.lock:
            if ray.is_initialized():
                there = ray.get_runtime_context().gcs_address
                if address is not None and address not in (self._address, there):
                    raise GraphInvalid(
                        f"ray_address is {address!r}, and Ray is joined to {there!r} already; leave ray_address out, "
                        "or call ray.shutdown() first"
                    )
                return
            where = "started on this machine" if address is None else f"joined at {address}"
            text = f"Ray is being {where}: that takes some seconds, at most half a minute"
            say(text)
            tell_who_waits(text)
            _begin(address)
            say("Ray is there")
            _keep_quiet()
            self._address, self._started = address, True
            atexit.register(self.shut_down)

    def shut_down(self) -> None:
        """End what `require` has started; what the user has started stays. Idempotent."""
        with self.lock:
            if self._started:
                self._started, self._address = False, None
                ray.shutdown()


_cluster: Final = _Cluster()
require_cluster: Final = _cluster.require
shut_down: Final = _cluster.shut_down


def _begin(address: str | None) -> None:
    """Join the cluster there, or start a local one. Raises `GraphInvalid`."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    logging.getLogger("ray").setLevel(logging.ERROR)  # what it would say of itself in every notebook
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    if address is None:
        # "local": without it, a RAY_ADDRESS in the environment would join somebody's cluster.
        # Workers as nice as we are: by themselves they would give way to everything else on the machine.
        local: dict[str, Any] = {"include_dashboard": False, "_node_ip_address": "127.0.0.1"}
        settings = {"worker_niceness": 0}
        with _first_on_path(WORKERS_PATH):
            _on_a_thread_that_stays(partial(ray.init, address="local", _system_config=settings, **local, **quiet))
        return
    try:
        _require_answer(address)
        ray.init(address=address, **quiet)
    except Exception as error:  # Ray raises whatever its connection does
        raise GraphInvalid(
            f"no Ray cluster could be joined at ray_address={address!r}: {error}; start one there, or leave "
            "ray_address out for a local one"
        ) from error


def _on_a_thread_that_stays(begin: Callable[[], object]) -> None:
    """Call `begin`, which starts Ray's processes, where it is no matter that the calling thread may end.

    They ask Linux to be ended with their parent, and for that the parent is the thread that has started them: a cluster
    that was started by a click in a view would end with the thread that has carried out the click.
    """
    if threading.current_thread() is threading.main_thread():
        begin()
        return
    begun = threading.Event()
    errors: list[BaseException] = []

    def stay() -> None:
        try:
            begin()
        except BaseException as error:  # noqa: BLE001  it is raised by whoever waits for it
            errors.append(error)
        begun.set()
        if not errors:
            threading.Event().wait()

    threading.Thread(target=stay, name="sage-nb keeps Ray", daemon=True).start()
    begun.wait()
    if errors:
        raise errors[0]


@contextmanager
def _first_on_path(folder: Path) -> Iterator[None]:
    """Let Pythons that are started within the block look for modules in `folder` first."""
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(folder), before)))
    try:
        yield
    finally:
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before


def _keep_quiet() -> None:
    """Let Ray not print into cells what its daemons report of processes that died: we tell that ourselves.

    It does so whatever it is told about logs, and has no setting for it.
    """
    worker: Any = ray._private.worker
    tell = worker.print_to_stdstream

    def tell_others(report: Mapping[str, Any], ignore_prefix: bool) -> None:
        if report.get("pid") != "raylet":
            tell(report, ignore_prefix)

    worker.print_to_stdstream = tell_others


def _require_answer(address: str) -> None:
    """Raise `OSError` at once if nobody listens there: Ray itself would try for minutes."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if colon and port.isdecimal():
        socket.create_connection((host, int(port)), _ANSWER_S).close()


def refuse_excess(wanted: Mapping[str, Mapping[str, Any]]) -> None:
    """Raise `GraphInvalid` if the cluster can never have all these at once. `wanted` are Ray's options, by name."""
    there: dict[str, float] = _untyped.cluster_resources()
    needed: dict[str, dict[str, float]] = {}
    for name, options in wanted.items():
        for resource, amount in _resources(options).items():
            needed.setdefault(resource, {})[name] = amount
    for resource, amounts in needed.items():
        if sum(amounts.values()) > there.get(resource, 0.0) + _ROUNDING:
            each = ", ".join(f"{name} {amount:g}" for name, amount in amounts.items())
            raise GraphInvalid(
                f"the job needs {sum(amounts.values()):g} {resource} ({each}), and the Ray cluster has "
                f"{there.get(resource, 0.0):g}; lower resources=, or run it on a larger cluster"
            )


def spread(wanted: Mapping[str, dict[str, Any]]) -> None:
    """Say in Ray's options, by name, where each actor should run: those that ask for nothing, on each node in turn."""
    nodes = itertools.cycle(sorted(node["NodeID"] for node in _untyped.nodes() if node["Alive"]))
    for options in wanted.values():
        idle = not _resources(options)
        where = NodeAffinitySchedulingStrategy(next(nodes), soft=False) if idle else "SPREAD"
        options.setdefault("scheduling_strategy", where)


def lack(wanted: Mapping[str, Mapping[str, Any]]) -> str:
    """What keeps Ray from starting one of these, as a sentence; empty if all that they ask for is free.

    `wanted` are Ray's options, by name.
    """
    there, free = (
        {name: amount for name, amount in resources.items() if ":" not in name}
        for resources in (_untyped.cluster_resources(), _untyped.available_resources())
    )
    kept = [
        name
        for name, options in wanted.items()
        if any(amount > free.get(resource, 0.0) + _ROUNDING for resource, amount in _resources(options).items())
    ]
    if not kept:
        return ""
    return (
        f"Ray does not start {', '.join(map(repr, kept))}: of {there} in the cluster, {free} is free; lower "
        "resources=, or end what holds them"
    )


def _resources(options: Mapping[str, Any]) -> dict[str, float]:
    """What options of Ray's ask for, by the names that the cluster has for it."""
    wanted = {_NAMES[name]: float(amount) for name, amount in options.items() if name in _NAMES and amount}
    return wanted | {name: float(amount) for name, amount in (options.get("resources") or {}).items()}


_untyped: Final[Any] = ray
_NAMES: Final = {"num_cpus": "CPU", "num_gpus": "GPU", "memory": "memory"}
_ROUNDING: Final = 1e-9


def cannot_be_made(error: BaseException) -> bool:
    """Whether Ray says by it that it will never make this actor, however often one tries."""
    failed = isinstance(error, RayActorError) and error.actor_init_failed
    return failed or isinstance(error, (RayTaskError, RuntimeEnvSetupError, ActorUnschedulableError))
