"""Helm: carries commands out, one thread at a time, and keeps those that have to wait. Knows no session and no caller.

The thread of commands has the helm, and lets go of it only while it sleeps. Then a task that stands at its closed gate
takes it for a moment: a step by hand is put down for its task, which carries it out, works its packet, comes back to
its gate, ends the step there and wakes whoever has given it. No interrupt reaches a task's thread, so that it may have
a lock. Where turns are handed out, or processes are looked at, tasks do not help (`QuiescenceMonitor.lets_help`).
"""

from __future__ import annotations

import _thread
from collections import deque
from collections.abc import Callable
from functools import partial
from queue import SimpleQueue
from time import monotonic
from typing import Any

from runtime.scheduling.command import Command
from runtime.scheduling.quiescence import QuiescenceMonitor
from runtime.scheduling.waiting import NEVER, Until


class Helm:
    """What carries out the commands of one session. `posted` and `tell` are for any thread."""

    def __init__(self, bell: SimpleQueue[Any]) -> None:
        self._bell = bell  # wakes the thread of commands
        self.posted: deque[Command] = deque()  # by threads of the job, or for one at its closed gate
        # Guards all below. Whoever an interrupt may reach never takes it.
        self._taken = _thread.allocate_lock()
        self._ident = 0  # of the thread that has it
        self._aside: list[Command] = []
        self._moved = False  # one that was put aside has gone on
        self._wakes_s = NEVER  # when the thread of commands does, if nobody tells it anything
        self._is_watching = False
        self._changes: QuiescenceMonitor | None = None  # in the run there is

    # ── any thread ──

    def tell(self) -> None:
        """Something has changed: let those who wait be looked at again."""
        self._bell.put(None)

    def is_here(self) -> bool:
        """Whether the caller has the helm: a finalizer may run there."""
        return _thread.get_ident() == self._ident

    def help(self) -> bool:
        """Thread of a task at its closed gate: carry out what was put down, or go on with the one command aside.

        So a step by hand goes from its caller to its task, and straight back. False: the thread of commands has to
        look, since it is awake, or there is more to be looked at, or something is due before it wakes.
        """
        if not self._taken.acquire(False):
            return False
        self._ident = _thread.get_ident()
        try:
            aside = self._aside
            if self.posted:
                was_alone = not aside
                self.carry_out_posted()
                if not was_alone:
                    return False
            elif len(aside) != 1 or (until := aside[0].until) is None or not until.by_tasks:
                return False
            elif self._is_over(aside[0]):
                del aside[0]
            if aside:
                return self._due_s() >= self._wakes_s
            self._watch_no_more()
            return True
        finally:
            self.let_go()

    # ── who has the helm ──

    def take(self) -> None:
        """The thread of commands: wait for it, which takes no time."""
        self._taken.acquire()
        self._ident = _thread.get_ident()

    def let_go(self) -> None:
        """Let somebody else have it."""
        self._ident = 0
        self._taken.release()

    @property
    def is_idle(self) -> bool:
        """Whether nothing is put aside."""
        return not self._aside

    def serve(self, changes: QuiescenceMonitor) -> None:
        """There is a run: hear its changes."""
        self._watch_no_more()
        changes.tell_to(self)
        self._changes = changes

    def sleep_s(self, longest_s: float) -> float | None:
        """How long nothing is due, so that the thread of commands may sleep; None: for ever."""
        self._wakes_s = self._due_s()
        return None if self._wakes_s == NEVER else min(max(0.0, self._wakes_s - monotonic()), longest_s)

    def look(self, given: Command | None = None) -> None:
        """Look at all that has changed, once `given` has begun, which needs no other look."""
        changes = self._changes
        seeded = None if changes is None else changes.seeded
        if changes is not None:  # before any of it is looked at
            changes.heard()
        handed_back = 0 if seeded is None else seeded.attend()
        self.carry_out_posted()
        if given is not None:
            self.begin(given)
        if given is None or self._aside != [given] or _is_last(given):
            self._look(partial(self._seen, handed_back))
        self._seen(handed_back)

    def _seen(self, handed_back: int) -> None:
        """What turns have brought has been looked at, up to the one that was `handed_back` before."""
        if self._changes is not None and (seeded := self._changes.seeded) is not None:
            seeded.seen(handed_back, looks=any(_needs_turns(command) for command in self._aside))

    def carry_out_posted(self) -> None:
        """Begin what was posted."""
        while self.posted:
            self.begin(self.posted.popleft())

    def _due_s(self) -> float:
        """When the first wait of those that are put aside is over."""
        return min([command.until.deadline for command in self._aside if command.until is not None], default=NEVER)

    def begin(self, command: Command) -> None:
        """Carry a command out until it has to wait, or to its end."""
        if not self._go_on(command, None):
            self._aside.append(command)

    def _go_on(self, command: Command, ready: bool | BaseException | None) -> bool:
        """Let a command begin, or run on by what its wait has come to, or raised, until it waits. True: it is over."""
        self._moved = True
        seeded = None if self._changes is None else self._changes.seeded
        if seeded is not None:  # no turn is handed out while something is changed
            seeded.hold()
        try:
            is_over = command.carry_out(self._first_look) if ready is None else command.go_on(ready, self._first_look)
        finally:
            if seeded is not None:
                seeded.release()
        if is_over:
            command.end()
        return is_over

    def _first_look(self, until: Until) -> bool | None:
        """The same, when it begins to wait: who asks whether nothing moves waits until all others have gone on."""
        return None if until.at_rest else self._is_ready(until)

    def _is_ready(self, until: Until) -> bool | None:
        """What a wait has come to; None: nothing yet. What it waits for is watched from now on."""
        while True:
            if until.ready():
                if not self.posted:
                    return True
                self.carry_out_posted()  # it was there before what `ready` has seen
                if until.at_rest:
                    return None
                continue
            if not until.watched or self._is_watching or self._changes is None:
                return False if until.deadline <= monotonic() else None
            self._is_watching = True
            self._changes.begin()

    def _look(self, seen: Callable[[], None]) -> None:
        """Go on with those that are put aside and need to wait no longer; what one does may be what another awaits.

        Those that ask whether nothing moves come last, once turns are handed out again by `seen`.
        """
        self._moved = True
        while self._moved and self._aside:
            self._moved = False
            self._look_at([command for command in self._aside if not _is_last(command)])
            if not self._moved and (last := [command for command in self._aside if _is_last(command)]):
                seen()
                self._look_at(last)
        if not any(command.until and command.until.watched for command in self._aside):
            self._watch_no_more()

    def _look_at(self, commands: list[Command]) -> None:
        for command in commands:
            if self._is_over(command):
                self._aside.remove(command)

    def _watch_no_more(self) -> None:
        if self._is_watching:
            self._is_watching = False
            assert self._changes is not None, "something was watched"
            self._changes.end()

    def _is_over(self, command: Command) -> bool:
        """Whether a command that was put aside is over by now."""
        until = command.until
        assert until is not None, "it was put aside"
        if command.is_withdrawn and not command.lasting:
            command.give_up()
            command.end()
            return True
        try:
            ready = self._is_ready(until)
        except BaseException as error:  # noqa: BLE001  it is raised where the command was given
            return self._go_on(command, error)
        return ready is not None and self._go_on(command, ready)


def _is_last(command: Command) -> bool:
    """Whether it asks if nothing moves."""
    return command.until is not None and command.until.at_rest


def _needs_turns(command: Command) -> bool:
    """Whether it may be able to go on after any turn."""
    return command.until is not None and command.until.watched and not command.until.at_rest
