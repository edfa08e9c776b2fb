"""Inquiries: asks, through the driver, after mail between two actors that has not arrived. Knows wrappers, no tasks.

Two actors may lose each other though both are alive, and Ray says nothing then. Who waits too long for an
acknowledgement lets the driver ask at the other end; the driver hears from both, and so it is known that their way is
all that is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from functools import partial
from typing import Any

from runtime.driver.actor_wrapper import ActorWrapper
from runtime.errors import TaskLost
from runtime.remote.link import Where


class Inquiries:
    """Those of one job. Nothing waits here; answers come on Ray's own thread.

    `tell(sender, peer, number, where)` lets a sender know what was answered; `cut(sender, why)` hears of one that does
    not reach somebody who is there. Both are called on Ray's own thread, and must return at once: whatever waits there
    for something of Ray's, waits for ever.
    """

    def __init__(
        self,
        wrappers: Mapping[str, ActorWrapper],
        tell: Callable[[str, str, int, Where], None],
        cut: Callable[[str, TaskLost], None],
    ) -> None:
        self._wrappers, self._tell, self._cut = wrappers, tell, cut

    def overdue(self, sender: str, peer: str, number: int) -> None:
        """Parcel `number` from `sender` to `peer` is under way for too long."""
        self._ask(peer, sender, number, partial(self._tell, sender, peer, number))

    def not_reached(self, sender: str, peer: str, why: str) -> None:
        """Ray has told `sender` that `peer` does not answer: it has died, or only their way is gone."""

        def is_alive(_: Where) -> None:
            self._cut(sender, TaskLost(f"{sender!r} does not reach {peer!r}, and the driver reaches both: {why}"))

        self._ask(peer, sender, 0, is_alive)

    def _ask(self, peer: str, sender: str, number: int, hear: Callable[[Where], None]) -> None:
        def answered(future: Future[Any]) -> None:
            if future.exception() is None:  # else it has died, and its listener says so
                hear(future.result())

        self._wrappers[peer].actor.where_is.remote(sender, number).future().add_done_callback(answered)
