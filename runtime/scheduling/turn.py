"""A turn: one way through a closed gate. Knows nothing of who takes it, nor of what it is taken for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from runtime.scheduling.parker import Parker


class Turn:
    """Given by hand, for one packet, one stop signal or one request. `record` is what came of it."""

    __slots__ = ("over", "record", "taker")

    def __init__(self) -> None:
        self.taker: Parker | None = None  # who has passed the gate by it
        self.over = False
        self.record: Any = None

    def end(self, record: Any = None) -> None:
        """It has come to this; None: to nothing."""
        self.record, self.over = record, True
