"""Command: one record of what is to be done by the thread of commands, and of what came of it. Knows no thread."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from runtime.errors import DataflowError
from runtime.scheduling.parker import new_permit, unpark
from runtime.scheduling.waiting import Until, Waiting


class Answer:
    """What something comes to that a command begins, and somebody else ends: a call of a service by hand.

    Its bell is rung when that is there. Nothing that the one who waits touches has a lock.
    """

    __slots__ = ("bell", "error", "value")
    has_callbacks = False

    def __init__(self) -> None:
        self.bell = new_permit()
        self.value: Any = None
        self.error: BaseException | None = None

    def begin(self) -> None:
        """It is under way: that makes no difference."""

    def close(self, value: Any, error: BaseException | None) -> None:
        """It is there. Called once."""
        self.value, self.error = value, error

    def tell(self) -> None:
        """After `close`: wake who waits for it."""
        unpark(self.bell)


class Command:
    """One record: what is to be done, and what came of it. `lasting`: once begun it is carried out to its end."""

    __slots__ = ("bell", "error", "lasting", "steps", "tell", "until", "value", "withdrawn", "work")

    def __init__(
        self,
        work: Callable[[], Any],
        tell: Callable[[], object] | None = None,
        *,
        lasting: bool = False,
    ) -> None:
        self.work: Callable[[], Any] | None = work
        self.bell = new_permit()
        self.tell: Callable[[], object] = self.bell.release if tell is None else tell
        self.lasting = lasting
        self.withdrawn = False  # by whoever has given it, and waits no more
        self.steps: Waiting[Any] | None = None
        self.until: Until | None = None  # what it waits for, put aside
        self.value: Any = None
        self.error: BaseException | None = None

    def forget(self) -> None:
        """It is over: hold nothing of what was to be done, which may hold a payload, and refer back to this."""
        self.work = self.steps = self.until = None
        self.tell = bool

    def answer(self) -> Any:
        """What has come of it. Raises what it has raised."""
        if self.error is not None:
            error, self.error = self.error, None
            if isinstance(error, DataflowError):  # a refusal, which is the caller's: how it came about here is noise
                error.__traceback__ = None
            try:
                raise error
            finally:
                del error  # else its traceback would hold the frame that holds it
        return self.value
