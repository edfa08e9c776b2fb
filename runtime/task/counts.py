"""How many packets a task has worked, and what became of those that failed."""

from __future__ import annotations


class TaskCounts:
    """Counted by the task's thread; any may read."""

    __slots__ = ("broken_off", "errors", "open", "processed", "retries", "skipped")

    def __init__(self) -> None:
        self.processed = 0  # added per batch
        self.open = 0  # of these, calls that have begun and of which the results have not been accepted
        self.errors = self.skipped = self.retries = 0
        self.broken_off = 0  # packets that a cancel found between two attempts

    def copy(self) -> tuple[int, ...]:
        """All of them."""
        return self.processed, self.open, self.errors, self.skipped, self.retries, self.broken_off

    def restore(self, copied: tuple[int, ...]) -> None:
        """Let them be what they were when this was copied."""
        self.processed, self.open, self.errors, self.skipped, self.retries, self.broken_off = copied

    def work(self, packets: int) -> None:
        """So many more have been worked."""
        self.processed += packets

    def have_open(self, calls: int) -> None:
        """So many calls are open."""
        self.open = calls

    def fail(self, skipped: int = 0) -> None:
        """User code has raised, and is not asked again; of a packet that is skipped by that."""
        self.errors += 1
        self.skipped += skipped

    def retry(self) -> None:
        """It is asked once more."""
        self.retries += 1

    def break_off(self, packets: int) -> None:
        """A cancel has found one between two attempts, or none."""
        self.broken_off += packets
