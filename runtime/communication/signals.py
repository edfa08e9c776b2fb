"""What travels between packets: the stop signal, and whatever else has its place in the order of a lane. Knows no lane.

A signal stands behind all that was put into its lane before it, and in front of all that is put after it. It needs no
room and counts as no packet. Another kind of signal is one more class: `counts` says all that the runtime has to know.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from runtime.facts import Ending
from runtime.texts.preview import preview


class Signal:
    """What travels between packets. By value: it is pickled where a lane leads to another process.

    A task with several lanes takes each of them when all before it has been worked; what the signals of its lanes come
    to together, its operator hears (`Operator.signalled`), and the task hands on to all its consumers.
    """

    __slots__ = ()

    counts: ClassVar[Literal["each", "least", "aligned"]] = "each"
    """When it counts for a task with several lanes. A lane that has ended, and the hand's, hold up nobody.

    * `each`: by itself, whichever lane has brought it.
    * `least`: once every lane has brought one of its class, the least of the last ones (by `<`), when it rises.
    * `aligned`: once every lane has brought it. What is behind it in a lane is not taken before that.
    """
    is_last: ClassVar[bool] = False
    """Whether nothing follows in its lane."""

    @property
    def text(self) -> str:
        """What is shown of it where it waits."""
        return preview(self)


@dataclass(frozen=True, slots=True)
class StopSignal(Signal):
    """What a producer says once, after its last packet: that it has ended, and how."""

    is_last: ClassVar[bool] = True

    producer: str
    how: Ending

    @property
    def text(self) -> str:
        """How its producer has ended."""
        return self.how
