"""Where a worker stands at one moment, seen from outside: what pause, step and the end of a run decide by."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple


class WorkerState(NamedTuple):
    """A task or service at one moment. What is asked of several belongs to one moment only if they stand still.

    * `is_paused`: its gate is closed by hand.
    * `reached`: no user code is at work, nor will be while the gate is closed.
    * `is_in_place`: besides, it waits for what has not come yet: it is not on its way to its gate.
    * `has_work`: there is something that a turn could be used for.
    * `waits_at_gate`: its closed gate is what it waits at.
    * `takes_turns`: somebody would take a turn that is given now.
    * `turn`: the last turn that was given is `given` still, or `over`; `none`, once it has been told what it came to.
    * `rests`: nothing of it moves, and all that it has sent has arrived; or it was told already that its user code goes
      on; or it is not paused.
    """

    is_paused: bool
    reached: bool
    is_in_place: bool
    has_work: bool
    waits_at_gate: bool
    takes_turns: bool
    turn: Literal["none", "given", "over"]
    rests: bool

    @property
    def is_held(self) -> bool:
        """Whether it has something to do, and its closed gate is all that it waits for."""
        return self.is_paused and self.waits_at_gate and self.has_work

    @property
    def can_step(self) -> bool:
        """Whether a turn would do something; one that is under way needs no other."""
        return self.turn == "none" and self.has_work and self.takes_turns

    @property
    def is_under_way(self) -> bool:
        """Whether a turn was given of which nobody has been told yet how it ended."""
        return self.turn != "none"

    @property
    def has_news(self) -> bool:
        """Whether such a turn is over by now, so that a step tells of it at once."""
        return self.turn == "over"

    def when_sent(self, arrived: bool) -> WorkerState:
        """The same, of one of which not all that it has sent may have `arrived`."""
        return self if arrived or not self.is_paused else self._replace(rests=False)

    @property
    def is_settled(self) -> bool:
        """Whether a pause has come to it, or it is not paused any more."""
        return not self.is_paused or (self.reached and self.rests)


GONE: Final = WorkerState(
    is_paused=False,
    reached=True,
    is_in_place=True,
    has_work=False,
    waits_at_gate=False,
    takes_turns=False,
    turn="none",
    rests=True,
)
"""Of one that nothing moves any more."""
