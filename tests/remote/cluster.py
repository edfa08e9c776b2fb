"""The Ray cluster of a test run: three nodes on this machine, with logical CPUs enough for every test."""

from __future__ import annotations

import logging
import os
import threading
from pathlib import Path
from typing import Any, Final

CPUS: Final = 4
"""Of each node. Logical ones: nobody needs that many cores."""

NODES: Final = 3
ROOT: Final = Path(__file__).parents[2]
SETTINGS: Final[dict[str, Any]] = {"num_cpus": CPUS, "object_store_memory": 300_000_000}

_cluster: list[Any] = []


def start_cluster() -> None:
    """Start it, if it is not there."""
    if _cluster:
        return
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    # Beside other work it needs more than its own 30 seconds.
    os.environ["RAY_raylet_start_wait_time_s"] = "100"  # noqa: SIM112  Ray's own spelling
    # So that workers find the functions of these tests, and start in half the time.
    os.environ["PYTHONPATH"] = os.pathsep.join((str(ROOT / "runtime" / "ray" / "workers_path"), str(ROOT)))
    import ray
    from ray.cluster_utils import Cluster

    logging.getLogger("ray").setLevel(logging.ERROR)
    head = {**SETTINGS, "include_dashboard": False, "_system_config": {"worker_niceness": 0}}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    for _ in range(NODES - 1):
        cluster.add_node(**SETTINGS)
    ray.init(address=cluster.address, log_to_driver=False, logging_level=logging.ERROR)
    called = threading.Event()  # from here on Ray's own thread is known to Python, and no leak of the first test
    ray.put(0).future().add_done_callback(lambda _: called.set())
    called.wait()
    _cluster.append(cluster)


def the_cluster() -> Any:
    """The cluster, to add and remove nodes."""
    return _cluster[0]


def end_cluster() -> None:
    """End it."""
    import ray

    if _cluster:
        ray.shutdown()
        _cluster.pop().shutdown()
