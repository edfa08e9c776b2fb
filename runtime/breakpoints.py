"""Breakpoint and Tap: what a person holds while a job stops at, or shows, the packets of a task. Know no task."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Self

from runtime.communication.packet import Packet
from runtime.errors import CommandRefused, error_text
from runtime.step import Step


class Breakpoint:
    """A place where the job is to stop: before the next packet of a task for which `when(payload)` is true.

    `when` is asked by the task. `hits` counts; `packet` is what it stopped before last, `error` what `when` raised
    there, if it did.
    """

    def __init__(self, task: str, when: Callable[[Any], object] | None, remove: Callable[[], None]) -> None:
        self.task = task
        self.hits = 0
        self.packet: Packet | None = None
        self.error: BaseException | None = None
        self.when, self._remove = when, remove
        self._over = ""  # why there will be no further hit
        self._news = threading.Condition()  # guards the hits, packet, error and _over, and wakes who waits for one
        self._seen = 0  # how many hits have been waited for

    def wait(self, timeout: float | None = None) -> Packet:
        """Wait for a hit that no `wait` has returned yet, and return its packet.

        Raises `TimeoutError`, and `CommandRefused` if none will come: it was removed, or the job has ended.
        """
        with self._news:
            if not self._news.wait_for(lambda: self.hits > self._seen or self._over, timeout):
                raise TimeoutError(f"no packet of {self.task!r} has met the breakpoint within {timeout} s")
            if self.hits == self._seen:
                raise CommandRefused(f"no further packet of {self.task!r} will meet this breakpoint: {self._over}")
            self._seen = self.hits
            assert self.packet is not None
            return self.packet

    def remove(self) -> None:
        """Stop nothing any more. What is paused stays so. Idempotent."""
        self._remove()
        self.end("it was removed")

    def end(self, why: str) -> None:
        """Let nobody wait for a further hit."""
        with self._news:
            self._over = self._over or why
            self._news.notify_all()

    def hit(self, packet: Packet, error: BaseException | None) -> None:
        """The task: the job stops here."""
        with self._news:
            self.hits += 1
            self.packet, self.error = packet, error
            self._news.notify_all()

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
