"""Pace: how many packets a slice of a chain's work has, and when a chain that was opened is to be closed again."""

from __future__ import annotations

from time import perf_counter
from typing import Final

STARTS_OPEN: Final = "the source keeps its thread, and all others have to be seen to be quick first"
FIRST: Final = 16  # packets in a slice
ENOUGH: Final = 16  # packets, to say how long one takes
SLOW_PACKET_S: Final = 0.0001  # what takes longer gains nothing by one thread, and may use two cores
LARGEST: Final = 16_384
QUICK_S: Final = 0.002  # a slice that took less lets the next one grow
SLOW_S: Final = 0.008  # one that took more makes it shrink
STARTS_OPEN_S: Final = 0.01  # after how long one is closed that has to be seen to be quick first
SOON_S: Final = 0.01  # after how long a chain that was opened is closed again
SLOW_PAUSE_S: Final = 0.05  # after how long one that a slow function has opened
LATEST_S: Final = 2.0
LASTING_S: Final = 0.1  # one that was closed for so long was worth it


class Pace:
    """Written by the chain's thread, but for `find_slow`, which the watch calls."""

    def __init__(self, *, starts_open: bool) -> None:
        self.size = FIRST
        self._due_s = perf_counter() + STARTS_OPEN_S if starts_open else 0.0
        self._pause_s, self._closed_s = SOON_S, 0.0
        self._slow = ""  # who was found slow since it was opened last
        self.opened_by = STARTS_OPEN if starts_open else ""  # if it was for its pace: what was found then
        self._packets, self._seconds = 0, 0.0  # that are still to be judged

    def took(self, seconds: float, packets: int) -> bool:
        """A slice took so long: choose the size of the next one. False: each of its packets takes too long."""
        if seconds < QUICK_S:
            self.size = min(LARGEST, self.size * 2)
        elif seconds > SLOW_S:
            self.size = max(1, self.size // 2)
        self._packets += packets
        self._seconds += seconds
        if self._packets < ENOUGH:
            return True
        is_quick = self._seconds < SLOW_PACKET_S * self._packets
        self._packets, self._seconds = 0, 0.0
        if not is_quick:
            self.find_slow(f"packets take more than {SLOW_PACKET_S * 1000:.1f} ms each")
        return is_quick

    def find_slow(self, found: str) -> None:
        """Packets, or one of them, take so long that the chain is opened for it."""
        self._slow = self.opened_by = found

    def close(self) -> None:
        """It was closed."""
        self.opened_by = ""
        self.size, self._closed_s = FIRST, perf_counter()

    def open(self) -> None:
        """It was opened: the more often slow functions have done that soon, the later it is closed again."""
        now_s = perf_counter()
        if not self._slow:
            self._pause_s = SOON_S
        elif now_s - self._closed_s > LASTING_S:
            self._pause_s = SLOW_PAUSE_S
        else:
            self._pause_s = min(LATEST_S, max(SLOW_PAUSE_S, self._pause_s * 2))
        self._slow = ""
        self._due_s = now_s + self._pause_s

    def fail_to_close(self) -> None:
        """Somebody had something to do, or was wanted: try again after twice as long."""
        self._pause_s = min(LATEST_S, self._pause_s * 2)
        self._due_s = perf_counter() + self._pause_s

    def rule_out(self) -> None:
        """It cannot be closed as things are: ask again late."""
        self._due_s = perf_counter() + LATEST_S

    def is_due(self, now_s: float) -> bool:
        """Whether it is to be closed again."""
        return now_s >= self._due_s
