"""BatchTime: until when a batch is gathered. Knows a clock and who waits by it; no lanes and no packets."""

from __future__ import annotations

from math import inf

from runtime.scheduling.parker import Parker


class BatchTime:
    """The time of the batch that is being gathered, which stands still while its task is at a closed gate.

    Used by the task's thread; any thread may ask whether it `is_over`.
    """

    __slots__ = ("_began_s", "_due_s", "_parker", "_waited", "_within_s")

    def __init__(self, parker: Parker, within_s: float) -> None:
        self._parker, self._within_s = parker, within_s
        self._began_s: float | None = None  # when the first packet came, at the latest
        self._due_s = inf
        self._waited: tuple[float, int] | None = None  # when the last wait was over, and how many were by then

    def is_over(self) -> bool:
        """Whether the batch has to go."""
        return self._parker.clock() >= self._due_s

    def forget(self) -> None:
        """Nothing is there: the time begins with what comes next."""
        self._began_s, self._due_s = None, inf

    def begin(self) -> None:
        """What comes from now on belongs to the next batch."""
        self._began_s = self._parker.clock()

    def left_s(self) -> float:
        """How long to wait, from now on, for more than what there is."""
        now_s = self._parker.clock()
        if self._began_s is None:
            self._began_s = now_s
        left_s = max(0.0, self._began_s + self._within_s - now_s)
        self._due_s = now_s + left_s  # to the last bit what a virtual clock says then
        return left_s

    def stop(self) -> None:
        """The wait is over; there may be one at a closed gate now, which does not count."""
        self._waited = (self._parker.clock(), self._parker.passes)

    def go_on(self) -> None:
        """The task is past its gate: if it stood there, let the time be what it was before."""
        if self._waited is None:
            return
        (was_s, passes), self._waited = self._waited, None
        if passes != self._parker.passes and self._began_s is not None:
            stood_s = self._parker.clock() - was_s
            self._began_s += stood_s
            self._due_s += stood_s
