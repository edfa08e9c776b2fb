"""Channels: what carries calls from one process of a job to another one. Knows no lanes, no mail, no services."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any, Protocol

from runtime.remote.codec import Serialized

Message = tuple[Any, ...]
"""A verb, and what it says: text, numbers, and packed values."""

Question = tuple[int, Serialized, float, bool]
"""A request on its way: its number, what is asked, in how many seconds, and whether for a set-up."""


class Channel(Protocol):
    """Calls to one process. Both calls return at once; a callback of their futures must not wait for another one."""

    def deliver(self, number: int, messages: list[Message]) -> Future[Any]:
        """Carry parcel number n. Done when it has been received, or cannot be: with what is acknowledged at once."""

    def ask(self, question: Question) -> Future[Any]:
        """Ask the service there. Done with the reply."""

    def opened(self, answer: Any) -> Any:
        """What such a future was done with, as it was said there."""
