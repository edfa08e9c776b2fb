"""Which instances of an operator are free, where each packet goes to the first that is. Knows lanes and waiters only.

An instance is free from the moment when nothing waits in its queue and nothing is in work, to that when a producer
takes it. It says so itself; each producer asks just before it puts. So there is one *token* for each instance: whoever
has it may put one packet into its queue, and the instance gives it back when that packet is done.

`popleft`, `append` and `remove` of a deque of numbers are each one step under the GIL, so no token is given to two. A
producer that finds none says that it waits, looks again and sleeps; an instance gives its token back, then looks who
waits. Whichever is second in the one order of writes sees the other: no wake-up is lost. One token wakes all that wait,
and those that come too late wait again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence

from runtime.communication.lane import Lane
from runtime.errors import Cancelled
from runtime.scheduling.parker import Waiter


class FreeInstances:
    """The tokens of one operator's instances, the one that has been free for the longest first."""

    def __init__(self) -> None:
        self._free: deque[int] = deque()
        self._waiting: dict[Waiter, None] = {}  # producers; each change is one step

    def lanes(self, lanes: Sequence[Lane], writer: Waiter) -> Iterator[Lane]:
        """Where each packet of `writer` is to go, of its lanes to all instances: asked for when it is about to be put.

        Waits while none is free. A writer that is cancelled, or not needed any more, is given any of them: what it puts
        there counts as dropped, or is refused by the lane.
        """
        while True:
            yield lanes[self._take(writer)]

    def _take(self, writer: Waiter) -> int:
        while True:
            try:
                return self._free.popleft()
            except IndexError:
                if not self._wait(writer):
                    return 0

    def _wait(self, writer: Waiter) -> bool:
        """Wait until one is free. False: nobody needs what is to be put there."""

        def ask() -> None:
            self._waiting[writer] = None

        def may_go_on() -> bool:
            return bool(self._free) or writer.unneeded

        try:
            writer.park(may_go_on, "held back: all busy", ask=ask)
        except Cancelled:
            return False
        finally:
            self._waiting.pop(writer, None)
        return not writer.unneeded

    def keeps(self, writer: Waiter) -> bool:
        """Any thread: whether that one waits until an instance is free."""
        return writer in self._waiting

    def give(self, instance: int) -> None:
        """Instance: it is free."""
        self._free.append(instance)
        while self._waiting:
            try:
                writer, _ = self._waiting.popitem()
            except KeyError:  # it waits no more
                return
            writer.unpark()

    def withdraw(self, instance: int) -> bool:
        """Instance: it is not free, though no producer has sent it anything. False: one is about to."""
        try:
            self._free.remove(instance)
        except ValueError:
            return False
        return True
