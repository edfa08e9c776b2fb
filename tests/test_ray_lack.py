"""What Ray is said to lack for actors that it does not start. No cluster is needed: it is asked for its resources."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

pytest.importorskip("ray")

from runtime.ray import cluster


class Ray:
    """What Ray says of its resources."""

    def __init__(self, there: Mapping[str, float], free: Mapping[str, float]) -> None:
        self._there, self._free = there, free

    def cluster_resources(self) -> Mapping[str, float]:
        return self._there

    def available_resources(self) -> Mapping[str, float]:
        return self._free


@pytest.mark.parametrize(
    ("wanted", "named"),
    [
        ({"idle": {}}, None),
        ({"idle": {}, "quick": {"num_cpus": 1}}, None),
        ({"idle": {}, "large": {"num_cpus": 2}}, "'large'"),
        ({"one": {"resources": {"disk": 1}}, "other": {"num_gpus": 1}}, "'one', 'other'"),
    ],
)
def test_only_what_is_not_free_keeps_an_actor_from_starting(
    wanted: Mapping[str, Mapping[str, Any]], named: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "_untyped", Ray({"CPU": 2.0, "node:1.2.3.4": 1.0}, {"CPU": 1.0}))
    said = cluster.lack(wanted)
    if named is None:
        assert said == ""
    else:
        assert said.startswith(f"Ray does not start {named}: of {{'CPU': 2.0}} in the cluster, {{'CPU': 1.0}} is free")
