"""Processes of a job as Ray has them: one actor for each."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any, Final

import ray
from ray.actor import ActorHandle
from ray.exceptions import RayError, RayTaskError

from runtime.ray.codec import CODEC
from runtime.remote.host import GROUP_OF, THREADS, Host

_ACTOR: Final = {"num_cpus": 0, "max_restarts": 0, "enable_task_events": False}
"""What actors of a job have in common. Ray keeps no record of their calls: it takes time, and says nothing of a job."""


class ActorProcess:
    """A process of a job, by the handle of its actor, which may travel. Its futures are done on Ray's own thread."""

    def __init__(self, handle: ActorHandle[Any]) -> None:
        self._handle = handle

    def call(self, method: str, *arguments: Any) -> Future[Any]:
        """Call a method of the host there."""
        answer: Future[Any] = getattr(self._handle, method).remote(*arguments).future()
        return answer

    def is_gone(self, error: BaseException) -> bool:
        """Whether Ray says by it that the process is gone, or does not answer: nothing was raised there."""
        return isinstance(error, RayError) and not isinstance(error, RayTaskError)

    def kill(self) -> None:
        """End it at once."""
        ray.kill(self._handle)


def make_process(kind: type[Host], job: str, name: str, callers: int, options: dict[str, Any]) -> ActorProcess:
    """Ask Ray for an actor that is such a host, which so many may ask at once. Returns at once."""
    for method, group in GROUP_OF.items():
        ray.method(concurrency_group=group)(getattr(kind, method))
    remote: Any = ray.remote  # typed without concurrency groups
    actor = remote(**_ACTOR, concurrency_groups={**THREADS, "ask": max(1, callers)})(kind)
    return ActorProcess(actor.options(**options).remote(job, name, CODEC))
