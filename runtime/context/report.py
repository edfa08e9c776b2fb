"""What a task or a service says once, at its end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from runtime.errors import NO_PACKET
from runtime.facts import Ending
from runtime.origins.made import Named


@dataclass(frozen=True, slots=True)
class TaskReport:
    """What a task or a service says once, as the last thing it does. `packet` is what it failed on.

    `of`: in a traced job, which packet that is.
    """

    task: str
    ending: Ending
    error: BaseException | None = None
    packet: Any = NO_PACKET
    of: Named = None
