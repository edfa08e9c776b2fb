"""Breakpoint and Tap: what a person holds while a job stops at, or shows, the packets of a task. Know no task."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, Self

from runtime.communication.calls import Ask
from runtime.communication.packet import Packet
from runtime.errors import CommandRefused, error_text
from runtime.scheduling.waiting import Until, Waiting, deadline_of
from runtime.step import Step


class Home(Protocol):
    """The session of a breakpoint, or of what calls its services, as these see it."""

    def do(self, command: str, work: Callable[[], Any]) -> Any:
        """Have something done that has a result. Raises `CommandRefused` on a thread of the job."""

    def change(self, work: Callable[[], Waiting[None] | None]) -> None:
        """Have something done that has none."""

    def call(self, service: str, ask: Ask, timeout_s: float | None = None) -> Any:
        """Call a service by hand, and wait for the answer."""

    def remove_breakpoint(self, found: Breakpoint) -> Waiting[None]:
        """Let no task ask it any more."""

    def why_no_packets(self) -> str:
        """Why no packet can come at present, and what to do; empty while a run is there, or begins."""


class Breakpoint:
    """A place where the job is to stop: before the next packet of a task for which `when(payload)` is true.

    It is its session's, through all runs, until it is removed or the session closed. `when` is asked by the task.
    `hits` counts, in all runs; `packet` is what it stopped before last, `error` what `when` raised there, if it did.
    """

    def __init__(
        self, task: str, when: Callable[[Any], object] | None, home: Home, *, is_of_person: bool = False
    ) -> None:
        self.task = task
        self.hits = 0
        self.packet: Packet | None = None
        self.error: BaseException | None = None
        self.when = when
        self.is_of_person = is_of_person  # it was set in a view, by a person who can let the job go on there
        self._home = home  # whose thread of commands alone changes what follows
        self._why_removed = ""
        self._seen = 0  # how many hits have been waited for

    @property
    def is_removed(self) -> bool:
        """Whether it stops nothing any more, in this run or another one."""
        return bool(self._why_removed)

    def wait(self, timeout: float | None = None) -> Packet:
        """Wait for a hit that no `wait` has returned yet, and return its packet.

        Raises `TimeoutError`, and `CommandRefused` if none can come: it was removed, the session closed, or there is no
        run at present (in a new one it can be waited for again); and in a function of the job, which it would hold up.
        """
        packet: Packet = self._home.do("wait", lambda: self._wait(timeout))
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
        """Why there will be no further hit, as things are."""
        return self._why_removed or self._home.why_no_packets()

    def remove(self) -> None:
        """Stop nothing any more. What is paused stays so. Idempotent."""
        self._home.change(lambda: self._home.remove_breakpoint(self))

    def removed(self, why: str) -> None:
        """No task asks it any more, nor will."""
        self._why_removed = self._why_removed or why

    def hit(self, packet: Packet, error: BaseException | None) -> None:
        """The thread of commands: the job stops here."""
        self.hits += 1
        self.packet, self.error = packet, error

    def __repr__(self) -> str:
        last = f", the last before {self.packet.text}" if self.packet is not None else ""
        why = f": the condition raised {error_text(self.error)}" if self.error is not None else ""
        return f"Breakpoint({self.task}: {self.hits} hit{'' if self.hits == 1 else 's'}{last}{why})"


class Tap:
    """What passes a task, collected while the `with` block runs: in `steps`, one for each packet, batch and signal.

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
        return [packet.payload for step in self.steps for packet in step.packets]

    def __enter__(self) -> Self:
        self._show(self._see, True)
        return self

    def __exit__(self, *_: object) -> None:
        self._show(self._see, False)

    def __repr__(self) -> str:
        number = len(self.packets)
        return f"Tap({self.task}: {number:,} packet{'' if number == 1 else 's'})"
