"""LocalTask: a task that threads of this process work: one of its own, or that of a chain it is in."""

from __future__ import annotations

from runtime.task.member import Member


class LocalTask(Member):
    """A Member of a job on threads."""
