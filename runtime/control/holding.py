"""Holding: what tasks hold under `on_error="hold"`, and how a person mends it. Knows no thread.

A task that holds a packet has closed its own gate, and says so; all that it holds is asked of the tasks themselves,
which know whether it is still as it was. On threads the other gates are closed by that task itself, so that under a
seed nobody has a turn in between; everywhere the thread of commands does it (again), unless somebody who has resumed
just then was quicker, and the packet is worked by now.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from runtime.communication.packet import Packet
from runtime.control.editing import Editing
from runtime.control.workers import Workers
from runtime.dispatcher import Dispatcher
from runtime.errors import JobHeld, TaskEnded, failure_text
from runtime.graph.policy import policy_of
from runtime.history.dead_letters import DeadLetter
from runtime.python.interactive import is_by_person
from runtime.scheduling.waiting import Waiting
from runtime.texts.error_traceback import traceback_text


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    """A packet that user code raised for, and that waits until somebody resumes: first in its lane, or as a call.

    `task` is whose queue it is in, `packet` its payload, `error` the original with its traceback, `version` which of
    the operator's functions has raised: 1 is the first, and each `replace` makes the next one.
    """

    task: str
    packet: Any
    error: BaseException
    version: int
    waiting: Packet
    _home: Holding

    @property
    def traceback(self) -> str:
        """Where the error was raised and what it came from, as Python prints it, with notes and members; bounded."""
        return traceback_text(self.error)

    def skip(self) -> None:
        """Let its task go on with the next packet, once it is resumed: this one is a dead letter.

        Raises `PacketGone` if it is not held any more, and `NotPaused`.
        """
        self._home.skip(self)

    def edit(self, value: Any) -> None:
        """Let it have another payload, with which it is tried once its task is resumed. `undo` takes that back.

        Raises as `Session.edit`.
        """
        self._home.edit(self, value)

    def __repr__(self) -> str:
        return " ".join(f"Held({self.task} {failure_text(self.packet, self.error)})".splitlines())


class Holding:
    """What is held in one run."""

    def __init__(self, dispatcher: Dispatcher, workers: Workers, editing: Editing) -> None:
        self._dispatcher, self._workers, self._editing = dispatcher, workers, editing
        may_hold = {each.name for each in workers.graph.operators if policy_of(each.on_error).may_hold}
        self._tasks = [node.name for node in workers.graph.nodes if node.operator in may_hold]
        dispatcher.on_hold(self._hears, self.as_error)

    def held(self) -> tuple[Held, ...]:
        """All that is held now, in graph order. Any thread."""
        return tuple(self._each(self._tasks))

    def as_error(self) -> JobHeld | None:
        """What `wait` raises while something is held."""
        if not (all_held := self.held()):
            return None
        first, more = all_held[0], len(all_held) - 1
        text = (
            f"task {first.task!r} {failure_text(first.packet, first.error)}; it holds the packet"
            f"{f', and {more:,} more hold one' if more else ''}: replace() its function, or edit or skip what "
            "session.held shows, then resume()"
        )
        error = JobHeld(text, task=first.task, packet=first.packet)
        error.__cause__ = first.error
        return error

    def _each(self, tasks: list[str]) -> Iterator[Held]:
        for task in tasks:
            try:
                faults = self._workers.handles[task].control.ask("faults")
            except TaskEnded:  # its process is gone
                continue
            for packet, error, version in faults:
                yield Held(task, packet.payload, error, version, packet, self)

    # ── a task has stopped ──

    def _hears(self, task: str) -> None:
        """On its thread, or one that delivers what it says: it holds a packet."""
        if not self._workers.backend.travels:
            self._close_gates()
        self._workers.post(lambda: self._stop(task))

    def _stop(self, task: str) -> None:
        if any(self._each([task])):
            self._close_gates()
        self._dispatcher.look_at_gates()

    def _close_gates(self) -> None:
        self._dispatcher.closes_gates(by_person=False)
        self._workers.backend.pause(self._workers.handles.values())

    # ── mending ──

    def edit(self, held: Held, value: Any) -> None:
        """Let the packet have another payload."""
        packet, by_person = held.waiting, is_by_person()
        done, item = self._editing.new_item(packet, value)
        self._workers.do(partial(self._editing.edit, packet, done, item, by_person=by_person))

    def skip(self, held: Held) -> None:
        """Take it out of its queue, as a dead letter."""
        self._workers.do(lambda: self._skip(held))

    def _skip(self, held: Held) -> Waiting[None]:
        control, place = self._workers.find_packet(held.waiting)
        yield from self._workers.at_its_gate([control], lambda: control.ask("skip", place))
        packet = held.waiting
        self._dispatcher.skipped(
            DeadLetter(held.task, packet.payload, held.error, packet.key, keyed=packet.keyed, input=packet.input)
        )
