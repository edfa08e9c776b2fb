"""Hits: how the tasks of one run are told what breakpoints to ask, and what is done when one is met."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from runtime.communication.packet import Packet
from runtime.context.worker_control import Met
from runtime.control.breakpoints import Breakpoint
from runtime.control.workers import Workers
from runtime.dispatcher import Dispatcher
from runtime.errors import TaskEnded, error_text


class Hits:
    """Stops one run where a packet meets a breakpoint."""

    def __init__(self, dispatcher: Dispatcher, workers: Workers) -> None:
        self._dispatcher, self._workers = dispatcher, workers

    def condition_of(self, found: Breakpoint) -> Any:
        """What the tasks of a breakpoint are to be given as its condition: the part of whoever sets it, with user code.

        Raises `NotSendable`.
        """
        return self._workers.backend.sendable(self._workers.find(found.task), found.when, stays=True)

    def set_breaks(self, task: str, breakpoints: Mapping[Breakpoint, Any]) -> None:
        """Let a task ask these, and no others, before each packet: on its own thread, one packet at a time.

        Each with what `condition_of` has made. Raises `CommandRefused` for sources and services. Of one that has ended
        nothing will ask.
        """
        found = tuple(breakpoints)

        def broke(packet: Packet, met: Met) -> None:
            """The task, which has closed its own gate: close the others, and only then count the hit."""
            self._workers.post(lambda: stop(packet, met))

        def stop(packet: Packet, met: Met) -> None:
            self._dispatcher.closes_gates(all(found[index].is_of_person for index, _ in met))
            self._workers.backend.pause(self._workers.handles.values())
            errors = [error_text(error) for _, error in met if error is not None]
            why = f": the condition raised {errors[0]}" if errors else ""
            self._dispatcher.gates_changed(f"breakpoint at {task} before {packet.text}{why}")
            for index, error in met:
                found[index].hit(packet, error)

        with suppress(TaskEnded):  # its process is gone
            self._workers.handles[task].control.set_breaks(tuple(breakpoints.values()), broke)
