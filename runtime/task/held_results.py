"""What one packet has made under `skip` or `Retry`, held back until all of it may be sent. Knows no policy.

It is held in memory, so it is bounded, in bytes. Each result is a moment to hear a cancel: there may be very many.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from runtime.errors import Cancelled, ResultsTooLarge, Unneeded
from runtime.origins.made import Made, Of
from runtime.python.size import estimated_size
from runtime.scheduling.parker import Waiter


class HeldResults:
    """The results of the attempt under way; none between two packets. Used by the task's thread alone."""

    __slots__ = ("_held_bytes", "_is_too_large", "_most_bytes", "_results", "_task", "_waiter", "made_of")

    def __init__(self, task: str, waiter: Waiter, most_bytes: int) -> None:
        self._task, self._waiter, self._most_bytes = task, waiter, most_bytes
        self._results: list[Any] = []
        self.made_of: list[Of] = []  # in a traced job, of which packets each result was made
        self._held_bytes = 0  # of all but the first, which is there in any case
        self._is_too_large = False

    def add(self, result: Any) -> None:
        """Hold one more. Raises `ResultsTooLarge` if that is too much; Cancelled, Unneeded."""
        if self._results:
            self._held_bytes += estimated_size(result)
            if self._held_bytes > self._most_bytes:
                self._is_too_large = True
                self._results.clear()
                raise self._too_large()
            waiter = self._waiter
            if waiter.cancelled or waiter.unneeded:  # not only once asked to look up, which it may have been before
                raise Cancelled if waiter.cancelled else Unneeded
        self._results.append(result)

    def adding(self, made: Made | None) -> Callable[[Any], None]:
        """What holds one more; with `made`, of a traced job, also of which packets that was made."""
        if made is None:
            return self.add

        def add(result: Any) -> None:
            self.add(result)
            self.made_of.append(made.of)

        return add

    def add_again(self, results: Sequence[Any], made_of: Sequence[Of]) -> None:
        """Hold what was held before. Raises as `add`."""
        for result in results:
            self.add(result)
        self.made_of[:] = made_of

    def all(self) -> list[Any]:
        """All that is held. Raises `ResultsTooLarge` if it was too much, whoever has swallowed that."""
        if self._is_too_large:
            raise self._too_large()
        return self._results

    def clear(self) -> None:
        """Begin anew. What `all` has returned stays as it is."""
        self._results, self._held_bytes, self._is_too_large = [], 0, False
        self.made_of = []

    def _too_large(self) -> ResultsTooLarge:
        return ResultsTooLarge(
            f"{self._task!r} has made results of more than {self._most_bytes:,} bytes of one packet; under 'skip' and "
            "Retry they are held in memory until all are made: let it make fewer, raise max_results_bytes, or choose "
            "on_error='fail', under which each is sent at once"
        )
