"""Acknowledgements: how acknowledgements get back to writers. Knows neither lanes nor what carries mail.

A parcel that fills a lane is not answered at once: the answer waits a moment for what is worked of it, and is the
acknowledgement then. So a stream costs one call for each parcel, not two, and its writer hears in half the time. What
is acknowledged while no answer is open, goes by mail.
"""

from __future__ import annotations

import threading
from _thread import LockType
from typing import Final

from runtime.remote.channel import Peers
from runtime.remote.remote_lane import Address
from runtime.scheduling.parker import new_permit, unpark

MOST_OPEN: Final = 3
"""How many answers may wait in one process: each keeps a thread of those that take in parcels."""

Acknowledgement = tuple[Address, int]
"""A lane, and how many packets of it have left in all."""


class Acknowledgements:
    """What one process acknowledges, by the process that hears it. Any thread may acknowledge."""

    def __init__(self, peers: Peers) -> None:
        self.sent = 0  # in answers, to see whether anything was sent
        self._peers = peers
        self._lock = threading.Lock()  # guards both below: while something is due, an answer is open that takes it
        self._open: dict[str, list[LockType]] = {}
        self._due: dict[str, list[Acknowledgement]] = {}

    def acknowledge(self, writer: str, acknowledgement: Acknowledgement, much: bool) -> None:
        """Let a writer's process know: by an answer that is open, and which need not wait any longer if it is much."""
        with self._lock:
            if permits := self._open.get(writer):
                self._due.setdefault(writer, []).append(acknowledgement)
                self.sent += 1
                if much:
                    unpark(permits[0])
                return
        self._peers.post(writer, ("ack", *acknowledgement))

    def wait(self, writer: str, timeout_s: float) -> list[Acknowledgement]:
        """The answer to a parcel of `writer`: what is acknowledged within `timeout_s`, or nothing."""
        permit = new_permit()
        with self._lock:
            if sum(map(len, self._open.values())) >= MOST_OPEN:
                return []
            self._open.setdefault(writer, []).append(permit)
        permit.acquire(True, timeout_s)
        with self._lock:
            self._open[writer].remove(permit)
            return self._due.pop(writer, [])
