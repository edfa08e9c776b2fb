"""SimpleQueue: as `queue.SimpleQueue` in C, into which whoever is amid anything puts something.

That in C waits where no stack can be put away. The one that the standard library has in Python is not reentrant: its
`put` takes a lock, in a `with` that gives way. A finalizer, which may come amid another `put` or `get` of its thread,
would wait for that lock for ever; and to put something would let others go on, who see what the caller has half done.
"""

from __future__ import annotations

import types
from collections import deque
from queue import Empty
from time import monotonic
from typing import Any

from runtime.browser.stacks import RUNNING, new_wait, park, ring


class SimpleQueue:
    """What was put first is got first. `put` never waits, nor gives way."""

    def __init__(self) -> None:
        self._items: deque[Any] = deque()
        self._waiting: deque[int] = deque()  # who was here first is first

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:
        """Put it there, and wake who has waited longest. Any thread, a finalizer too; the options change nothing."""
        self._items.append(item)
        while self._waiting:
            if ring(self._waiting.popleft()):
                return

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        """Take the first one; wait for it, for `timeout` seconds at most, unless `block` is False. Raises Empty."""
        if block and timeout is not None and timeout < 0:
            raise ValueError("'timeout' must be a non-negative number")
        if not self._items:
            RUNNING.give_way()
        until_s = None if timeout is None or not block else monotonic() + timeout
        while not self._items:
            me = new_wait()
            left_s = -1 if until_s is None else until_s - monotonic()
            if self._items:  # from whoever ran by `new_wait`
                break
            if not block or (until_s is not None and left_s <= 0):
                raise Empty
            self._waiting.append(me)
            if not park(me, left_s) and me in self._waiting:
                self._waiting.remove(me)
        return self._items.popleft()

    def put_nowait(self, item: Any) -> None:
        """The same as `put`."""
        self.put(item)

    def get_nowait(self) -> Any:
        """Take the first one, if it is there. Raises Empty."""
        return self.get(False)

    def empty(self) -> bool:
        """Whether there is nothing now."""
        return not self._items

    def qsize(self) -> int:
        """How many there are now."""
        return len(self._items)

    def __class_getitem__(cls, kind: Any) -> types.GenericAlias:
        return types.GenericAlias(cls, kind)
