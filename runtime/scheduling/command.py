"""Command: a record of what is to be done by whoever carries commands out, and of what came of it. Knows no thread."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from types import GeneratorType
from typing import Any

from runtime.errors import DataflowError
from runtime.scheduling.parker import new_permit, unpark
from runtime.scheduling.waiting import Until, Waiting

Look = Callable[[Until], bool | None]
"""Says what a wait has come to; None: nothing yet."""


class Answer:
    """What something comes to that one thread waits for and another one ends. Its bell rings when that is there."""

    __slots__ = ("bell", "error", "value")
    has_callbacks = False

    def __init__(self) -> None:
        self.bell = new_permit()  # nothing that the caller touches has a lock that another one needs
        self.value: Any = None
        self.error: BaseException | None = None

    def begin(self) -> None:
        """It makes no difference."""

    def close(self, value: Any, error: BaseException | None) -> None:
        """It has come to this."""
        self.value, self.error = value, error

    def tell(self) -> None:
        """After `close`: wake who waits."""
        unpark(self.bell)

    def result(self) -> Any:
        """What it has come to. Raises that, if it is an error."""
        if self.error is None:
            return self.value
        error, self.error = self.error, None
        if isinstance(error, DataflowError):  # a refusal, which is the caller's: how it came about here is noise
            error.__traceback__ = None
        try:
            raise error
        finally:
            del error  # else its traceback would hold the frame that holds it


class Command(Answer):
    """One record: what is to be done, and what came of it. `lasting`: once begun it is carried out to its end.

    `told` hears of the end in place of whoever waits.
    """

    __slots__ = ("_steps", "_told", "_work", "is_withdrawn", "lasting", "until")

    def __init__(
        self, work: Callable[[], Any], told: Callable[[Command], object] | None = None, *, lasting: bool = False
    ) -> None:
        super().__init__()
        self._work: Callable[[], Any] | None = work
        self._told = told
        self.lasting = lasting
        self.is_withdrawn = False  # by whoever has given it, and waits no more
        self._steps: Waiting[Any] | None = None
        self.until: Until | None = None  # what it waits for, put aside

    def withdraw(self) -> None:
        """Whoever gave it: it need not begin, nor be waited for."""
        self.is_withdrawn = True

    def carry_out(self, look: Look) -> bool:
        """Begin. True: it is over; else it waits `until` something."""
        if self.is_withdrawn:
            return True
        assert self._work is not None, "it is carried out once"
        try:
            made = self._work()
        except BaseException as error:  # noqa: BLE001  it is raised where the command was given
            self.error = error
            return True
        if type(made) is GeneratorType:
            self._steps = made
            return self.go_on(None, look)
        self.value = made
        return True

    def go_on(self, ready: bool | BaseException | None, look: Look) -> bool:
        """Go on, by what its wait has come to, or raised, until it has to wait again. True: it is over."""
        steps = self._steps
        assert steps is not None, "it has waited before"
        try:
            if ready is None:
                until = next(steps)
            else:
                until = steps.throw(ready) if isinstance(ready, BaseException) else steps.send(ready)
            while (ready := look(until)) is not None:
                until = steps.send(ready)
        except StopIteration as end:
            self.value = end.value
        except BaseException as error:  # noqa: BLE001  it is raised where the command was given
            self.error = error
        else:
            self.until = until
            return False
        return True

    def give_up(self) -> None:
        """Nobody is there to hear what it comes to."""
        assert self._steps is not None, "it has begun to wait"
        with suppress(BaseException):
            self._steps.close()

    def end(self) -> None:
        """It is over: wake who waits, and hold nothing of what was to be done, which may hold a payload, and this."""
        told, self._told = self._told, None
        self._work = self._steps = self.until = None
        if told is None:
            self.bell.release()
            return
        try:  # noqa: SIM105  suppress() takes as long as ten of these
            told(self)
        except RuntimeError:  # the event loop of whoever waited is closed
            pass
