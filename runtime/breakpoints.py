"""Breakpoint and Tap: what a person holds while a job stops at, or shows, the packets of a task. Know no task."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

from runtime.communication.packet import Packet
from runtime.errors import CommandRefused, error_text
from runtime.step import Step
from runtime.waiting import Until, Waiting, deadline_of


class Breakpoint:
    """A place where the job is to stop: before the next packet of a task for which `when(payload)` is true.

    `when` is asked by the task. `hits` counts; `packet` is what it stopped before last, `error` what `when` raised
    there, if it did.
    """

    def __init__(
        self,
        task: str,
        when: Callable[[Any], object] | None,
        remove: Callable[[], None],
        do: Callable[[Callable[[], Any]], Any],
        has_ended: Callable[[], bool],
    ) -> None:
        self.task = task
        self.hits = 0
        self.packet: Packet | None = None
        self.error: BaseException | None = None
        self.when = when
        self.is_of_person = False  # it was set in a view, by a person who can let the job go on there
        self._removes, self._has_ended = remove, has_ended
        self._do = do  # has something done by the thread of commands, which alone changes what follows
        self._is_removed = False
        self._seen = 0  # how many hits have been waited for

    def wait(self, timeout: float | None = None) -> Packet:
        """Wait for a hit that no `wait` has returned yet, and return its packet.

        Raises `TimeoutError`, and `CommandRefused` if none will come: it was removed, or the job has ended.
        """
        packet: Packet = self._do(lambda: self._wait(timeout))
        return packet

    def _wait(self, timeout: float | None) -> Waiting[Packet]:
        if not (yield Until(lambda: self.hits > self._seen or bool(self._over()), deadline_of(timeout), watched=False)):
            raise TimeoutError(f"no packet of {self.task!r} has met the breakpoint within {timeout} s")
        if self.hits == self._seen:
            raise CommandRefused(f"no further packet of {self.task!r} will meet this breakpoint: {self._over()}")
        self._seen = self.hits
        assert self.packet is not None
        return self.packet

    def _over(self) -> str:
        """Why there will be no further hit."""
        return "it was removed" if self._is_removed else "the job has ended" if self._has_ended() else ""

    def remove(self) -> None:
        """Stop nothing any more. What is paused stays so. Idempotent."""
        self._do(self._remove)

    def _remove(self) -> None:
        self._removes()
        self._is_removed = True

    def hit(self, packet: Packet, error: BaseException | None) -> None:
        """The thread of commands: the job stops here."""
        self.hits += 1
        self.packet, self.error = packet, error

    def __repr__(self) -> str:
        last = f", the last before {self.packet.text}" if self.packet is not None else ""
        why = f": the condition raised {error_text(self.error)}" if self.error is not None else ""
        return f"Breakpoint({self.task}: {self.hits} hit{'' if self.hits == 1 else 's'}{last}{why})"


class Tap:
    """What passes a task, collected while the `with` block runs: in `steps`, one for each packet and stop signal.

    With a function `see` nothing is collected: it is called with each, on the task's thread.
    """

    def __init__(
        self,
        task: str,
        show: Callable[[Callable[[Step], None], bool], None],
        see: Callable[[Step], None] | None = None,
    ) -> None:
        self.task = task
        self.steps: list[Step] = []
        self._show, self._see = show, self.steps.append if see is None else see

    @property
    def packets(self) -> list[Any]:
        """The payloads that have passed."""
        return [step.packet.payload for step in self.steps if step.packet is not None]

    def __enter__(self) -> Self:
        self._show(self._see, True)
        return self

    def __exit__(self, *_: object) -> None:
        self._show(self._see, False)

    def __repr__(self) -> str:
        number = len(self.packets)
        return f"Tap({self.task}: {number:,} packet{'' if number == 1 else 's'})"
