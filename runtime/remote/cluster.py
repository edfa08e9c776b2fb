"""The Ray cluster that jobs run on: the user's, or a local one that is started at first use and ends with the process.

Never joins a cluster by accident: another one than a local one needs an address, or a `ray.init` of the user's own.
"""

from __future__ import annotations

import atexit
import logging
import os
import threading
from collections.abc import Mapping
from typing import Any, Final

import ray

from runtime.errors import GraphInvalid

_START_S: Final = 30.0  # how long an address is tried


class _Cluster:
    """What this process has started of Ray, and what it is joined to."""

    def __init__(self) -> None:
        self.lock = threading.Lock()  # guards that Ray is started and ended once
        self.started = False  # by us; then it is ours to shut down
        self.address: str | None = None  # that we have joined


_cluster: Final = _Cluster()


def require_cluster(address: str | None) -> None:
    """Be joined to a cluster: to that of the user's own `ray.init`, to that at `address`, or to a local one.

    Raises `GraphInvalid` if the address cannot be reached, or Ray is joined to another one already.
    """
    with _cluster.lock:
        if ray.is_initialized():
            if address is not None and address not in (_cluster.address, ray.get_runtime_context().gcs_address):
                raise GraphInvalid(
                    f"ray_address is {address!r}, and Ray is joined to {ray.get_runtime_context().gcs_address!r} "
                    "already; leave ray_address out, or call ray.shutdown() first"
                )
            return
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR, "configure_logging": False}
        if address is None:
            # "local": without it, a RAY_ADDRESS in the environment would join somebody's cluster.
            ray.init(address="local", include_dashboard=False, _node_ip_address="127.0.0.1", **quiet)
        else:
            try:
                ray.init(address=address, **quiet)
            except Exception as error:  # Ray raises whatever its connection does
                raise GraphInvalid(
                    f"no Ray cluster could be joined at ray_address={address!r}: {error}; start one there, or leave "
                    "ray_address out for a local one"
                ) from error
        _cluster.address, _cluster.started = address, True
        atexit.register(shut_down)


def shut_down() -> None:
    """End what `require_cluster` has started; what the user has started stays. Idempotent."""
    with _cluster.lock:
        if _cluster.started:
            _cluster.started, _cluster.address = False, None
            ray.shutdown()


def resources_there_and_free() -> tuple[dict[str, float], dict[str, float]]:
    """What the cluster has, and what of it nobody holds."""
    untyped: Any = ray
    return untyped.cluster_resources(), untyped.available_resources()


def require_resources(wanted: Mapping[str, Mapping[str, float]]) -> None:
    """Raise `GraphInvalid`, with what is needed and what is there, if the cluster cannot have all these at once."""
    needed: dict[str, float] = {}
    for resources in wanted.values():
        for name, amount in resources.items():
            needed[name] = needed.get(name, 0.0) + amount
    there, free = resources_there_and_free()
    for name, amount in needed.items():
        if amount > free.get(name, 0.0) + 1e-9:
            who = ", ".join(f"{task} {wants[name]:g}" for task, wants in wanted.items() if wants.get(name))
            raise GraphInvalid(
                f"the job needs {amount:g} {name} ({who}), and of the {there.get(name, 0.0):g} {name} of the Ray "
                f"cluster {free.get(name, 0.0):g} are free; lower resources=, or close what holds them"
            )
