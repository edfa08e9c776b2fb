"""Tasks on several machines: three of Ray's nodes, of which one goes."""

from __future__ import annotations

from typing import Any

import pytest
import ray

import runtime
from runtime.testing import PATIENCE_S
from tests.remote import functions as far
from tests.remote.cluster import SETTINGS, the_cluster
from tests.remote.shared import SharedMoment

pytestmark = pytest.mark.on_ray


def test_tasks_are_spread_and_a_node_that_goes_ends_the_job_by_name() -> None:
    cluster = the_cluster()
    under_way = SharedMoment()
    with runtime.Session(platform="remote", capacity=16) as session:
        numbers = session.source(far.Endless(50, under_way), name="numbers")
        numbers.map(far.same, name="work", parallelism=2).sink(far.same, name="end")
        session.start()
        under_way.wait()
        nodes = {task.name: task.node for task in session.snapshot()}
        assert len(set(nodes.values())) == 3
        going = next(node for node in cluster.worker_nodes if node.node_id in nodes.values())
        lost = [task for task, node in nodes.items() if node == going.node_id]
        cluster.remove_node(going, allow_graceful=False)
        cluster.add_node(**SETTINGS)
        with pytest.raises(runtime.TaskFailed, match=f"'({'|'.join(lost)})' failed: TaskLost.*{going.node_id}"):
            session.wait(PATIENCE_S)
        assert session.outcome is not None
        assert session.outcome.state == "failed"
    untyped: Any = ray
    while any(node["Alive"] and node["NodeID"] == going.node_id for node in untyped.nodes()):
        pass  # until Ray knows it as well: what follows is to run on nodes that are there


def test_resources_are_given_per_operator() -> None:
    with runtime.Session(platform="remote", resources={"work": {"num_cpus": 0.5}}) as session:
        session.input("in").map(far.same, name="work", parallelism=2).collect()
        session.start()
        held = ray.cluster_resources()["CPU"] - ray.available_resources()["CPU"]  # type: ignore[no-untyped-call]
        assert held == pytest.approx(1.0)
        session.cancel()
