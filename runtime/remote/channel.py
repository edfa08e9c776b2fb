"""Channels: what carries calls from one process of a job to another one. Knows no lanes, no mail, no services."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import Future
from typing import Any, Protocol

from runtime.remote.codec import Codec, Serialized

Message = tuple[Any, ...]
"""A verb, and what it says: text, numbers, and packed values."""

Question = tuple[int, Serialized, float, bool]
"""A request as it travels: its number, the request itself, its time-out in seconds, and whether it is for a set-up."""


class Channel(Protocol):
    """Calls of the `Host` in one process. As an argument of such a call it travels, and leads there from elsewhere."""

    def call(self, method: str, *arguments: Any) -> Future[Any]:
        """Call a method there. Returns at once; a callback of the future must not wait for another one."""

    def is_gone(self, error: BaseException) -> bool:
        """Whether a call that failed so has found nobody: its process is gone, or does not answer."""


class Peers(Protocol):
    """The other processes of a job. Any thread may use it; all return at once."""

    def post(self, peer: str, message: Message) -> None:
        """Send a message."""

    @property
    def name(self) -> str:
        """The process that calls them."""

    @property
    def codec(self) -> Codec:
        """How arguments and replies travel."""

    def channel_to(self, peer: str) -> Channel:
        """What asks a service by a call of its own."""

    def note_undelivered(self, peer: str, error: BaseException) -> None:
        """Something did not get there. Any thread, also the channel's own; returns at once."""

    def names(self) -> Iterable[str]:
        """All of them."""
