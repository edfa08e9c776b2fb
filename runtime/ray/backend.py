"""The platform `remote`: every task and every service in a Ray actor, on a cluster of one machine or many."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from runtime.driver.backend import RemoteBackend
from runtime.ray.actors import ActorProcess, make_process
from runtime.ray.cluster import cannot_be_made, lack, refuse_excess, require_cluster, spread
from runtime.ray.codec import CODEC
from runtime.remote.codec import Codec
from runtime.remote.host import Host


class RayBackend(RemoteBackend):
    """One job on Ray."""

    codec: ClassVar[Codec] = CODEC

    def __init__(self) -> None:
        super().__init__()
        self._address: str | None = None
        self._resources: Mapping[str, Mapping[str, float]] = {}
        self._options: dict[str, dict[str, Any]] = {}  # Ray's, by task and service

    def use_cluster(self, address: str | None, resources: Mapping[str, Mapping[str, float]]) -> None:
        """Run on the cluster at `address`, with these resources for the tasks of operators, and services."""
        self._address, self._resources = address, resources

    def _prepare(self, operators: Mapping[str, str], say: Callable[[str], None]) -> None:
        require_cluster(self._address, say)
        self._options = {name: dict(self._resources.get(operator, {})) for name, operator in operators.items()}
        refuse_excess(self._options)
        spread(self._options)

    def _launch(self, kind: type[Host], name: str, callers: int) -> ActorProcess:
        return make_process(kind, self._job.name, name, callers, self._options[name])

    _cannot_be_made = staticmethod(cannot_be_made)

    def _lack(self, names: Sequence[str]) -> str:
        return lack({name: self._options[name] for name in names})
