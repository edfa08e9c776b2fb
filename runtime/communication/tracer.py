"""Who gives traced packets their ids, parents and timestamps. Exists only where a job is traced; knows no task.

In a traced job edges carry a `Packet` where they else carry a bare payload or `(key, payload)`. What lies in the hand's
lane of a task with several inputs is `(number of the input, packet)`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from runtime.communication.packet import Packet


class Tracer:
    """Makes the packets of one producer. Used by one thread at a time.

    `parents` are the ids of the packet in work: whoever draws it sets them.
    """

    def __init__(self, ids: str, now: Callable[[], float]) -> None:
        self.parents: tuple[str, ...] = ()
        self._ids, self._now = ids, now
        self._made = 0

    def packet(self, item: Any, keyed: bool, task: str, number: int, producer: str) -> Packet:
        """The packet for `item`, which would else go bare to an input of `task`."""
        self._made += 1
        key, payload = item if keyed else (None, item)
        return Packet(
            payload,
            key,
            number,
            keyed,
            task,
            producer,
            id=f"{self._ids}:{self._made}",
            parents=self.parents,
            timestamp=self._now(),
        )


def bare(packet: Packet) -> Any:
    """What would lie in the lane if the job were not traced."""
    return (packet.key, packet.payload) if packet.keyed else packet.payload


def changed(packet: Packet, item: Any) -> Packet:
    """The same packet with another item in it."""
    key, payload = item if packet.keyed else (None, item)
    return replace(packet, key=key, payload=payload)
