"""Gathering: one try to close a chain again. The threads of all tasks but its head are called to leave them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from runtime.scheduling.parker import unpark
from runtime.scheduling.worker import Worker
from runtime.task.local_task import LocalTask

if TYPE_CHECKING:
    from runtime.chain.chain import Chain

GATHER_S: Final = 0.02  # how long the head waits until the others have worked what they have


class Gathering:
    """Calls one after the other, in the order of the line: a task has nothing to take once the one before it rests.

    The chain's lock guards who is still to come and who has left.
    """

    def __init__(self, chain: Chain) -> None:
        self._chain = chain
        self._coming = list(chain.tasks[1:])
        self._left: list[Worker] = []

    def wait(self) -> bool:
        """The head's thread: until all have left, or somebody wants the chain open. True: all have."""
        self._call_next()
        self._chain.tasks[0].parker.park(self._is_over, "running", GATHER_S)
        return not self._coming

    def take_in(self, task: LocalTask) -> bool:
        """The thread of a task that was called: whether it is to leave. It has nothing to do, and nobody wants it."""
        chain = self._chain
        if task.is_ready() or not task.is_free():
            return False
        own = task.parker.permit
        task.rest()
        task.parker.join(
            chain, chain.permit
        )  # then the flags are read again: whoever sets one sees the chain, or is seen
        with chain.lock:
            fits = self._coming[:1] == [task] and task.is_free() and not task.is_ready() and not chain.is_to_open
            task.call_away(False)
            if fits:
                assert task.worker is not None, "it is the one that asks"
                self._left.append(task.worker)
                task.parker.let_go()
                del self._coming[0]
                self._call_next()
                if not self._coming:
                    unpark(chain.permit)
                return True
            chain.open()
            task.parker.part(own)
            task.rise()
        return False

    def send_back(self) -> None:
        """Under the lock: it has failed; those that have left get threads again."""
        waiting, self._coming = self._coming, []
        for task in waiting:
            task.call_away(False)
        for task in self._chain.tasks[1:]:
            if task not in waiting:
                task.parker.part()
                task.go_alone()

    def let_threads_end(self) -> None:
        """Those that have left have nothing to do any more: that takes no time."""
        for worker in self._left:
            worker.join()

    def _is_over(self) -> bool:
        return self._chain.is_to_open or not self._coming

    def _call_next(self) -> None:
        if self._coming:
            self._coming[0].call_away(True)
