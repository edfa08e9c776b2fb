"""ParcelOrder: has the parcels of each sender taken in one by one, in the order of their numbers."""

from __future__ import annotations

import threading
from collections.abc import Callable

from runtime.remote.acknowledgements import MOST_OPEN
from runtime.remote.channel import Message
from runtime.remote.link import Where


class ParcelOrder:
    """The parcels that come to one process. Any thread may bring one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # guards the three below; nothing is taken in under it
        self._taking: set[str] = set()  # senders of whom a thread takes in parcels
        self._numbers: dict[str, int] = {}  # of the last parcel from each sender that was begun to be taken in
        self._early: dict[str, dict[int, list[Message]]] = {}  # parcels that have overtaken another one, by sender

    def receive(
        self, sender: str, number: int, messages: list[Message], take_in: Callable[[str, list[Message]], None]
    ) -> None:
        """Have a parcel taken in, after all with a smaller number.

        One that comes too early, or while another one of its sender is being taken in, is left to the thread that
        does, or will: it does not return before that.
        """
        with self._lock:
            self._early.setdefault(sender, {})[number] = messages
            if sender in self._taking:
                return
            self._taking.add(sender)
        while (due := self._next_parcel(sender)) is not None:
            try:
                take_in(sender, due)
            except BaseException:
                with self._lock:
                    self._taking.discard(sender)
                raise

    def _next_parcel(self, sender: str) -> list[Message] | None:
        """The next parcel to be taken in, by the one thread that takes in those of its sender; None: it is free."""
        with self._lock:
            number = self._numbers.get(sender, 0) + 1
            due = self._early[sender].pop(number, None)
            if due is None:
                self._taking.discard(sender)
            else:
                self._numbers[sender] = number
            return due

    def where_is(self, sender: str, number: int) -> Where:
        """What is known here of a parcel. While all threads take in parcels, one more may be there and not be known."""
        with self._lock:
            if sender in self._taking or len(self._taking) > MOST_OPEN:
                return "at work"
            return "taken in" if number <= self._numbers.get(sender, 0) else "missing"
