"""Editing: what waits, and what is remembered, changed by hand; and changes taken back, the newest first."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

from runtime.communication.element import item_by_hand, rekeyed
from runtime.communication.note import Note
from runtime.communication.packet import HAND_LANE, Packet, Place
from runtime.communication.partition import Partition
from runtime.control.workers import Workers
from runtime.dispatcher import Dispatcher
from runtime.errors import CommandRefused, GraphInvalid, NotPaused
from runtime.scheduling.waiting import Until, Waiting
from runtime.task.control import MAX_UNDO
from runtime.texts.preview import preview


class Editing:
    """Changes one run by hand. Only the thread of commands does, but for what says that it is the caller's part."""

    def __init__(self, dispatcher: Dispatcher, workers: Workers) -> None:
        self._dispatcher, self._workers = dispatcher, workers
        self._is_undoing = False  # changes are taken back one by one
        # Each change that can be undone. Only commands take some out; an inject is put in by whichever thread gives it,
        # in the step in which its packet comes in.
        self._edited: deque[_Change] = deque(maxlen=MAX_UNDO)

    def noting(self, target: str, tasks: tuple[str, ...], text: str) -> Callable[[], Note]:
        """What makes the note of a packet that comes into the queues of `tasks` by hand: an event, and a way back."""
        where = target if len(tasks) > 1 else tasks[0]

        def noted() -> Note:
            numbers: list[int] = []
            event = self._dispatcher.injecting(where, text, numbers)
            return Note(numbers, (event, partial(self._edited.append, _Change(where, text, tasks, numbers))))

        return noted

    def edit(self, packet: Packet, item: Any, value: Any) -> Waiting[None]:
        """Let a waiting packet be another `item`, which `item_of` has made of `value`."""
        grip, place = self._workers.find_packet(packet)
        yield from self._workers.at_its_gate([grip], lambda: grip.edit(place, item))
        self._remember(packet.task, f"edit: {packet.text} becomes {preview(value)}")

    def drop(self, packet: Packet) -> Waiting[None]:
        """Take a waiting packet out of its queue; it counts as dropped."""
        grip, place = self._workers.find_packet(packet)
        yield from self._workers.at_its_gate([grip], lambda: grip.drop(place))
        self._remember(packet.task, f"drop: {packet.text}")

    def move(self, packet: Packet, to: int) -> Waiting[None]:
        """Move a waiting packet within its lane, to index `to`."""
        grip, place = self._workers.find_packet(packet)
        yield from self._workers.at_its_gate([grip], lambda: grip.move(place, to))
        self._remember(packet.task, f"move: {packet.text} to {to}")

    def undo(self) -> Waiting[None]:
        """Take back the last change, of the last 1,000. Raises `CommandRefused` if there is none.

        Raises `PacketGone` if it is too late.
        """
        yield Until(lambda: not self._is_undoing, watched=False)
        if not self._edited:
            raise CommandRefused("nothing was changed by hand that could be undone")
        change = self._edited[-1]  # this one, whatever comes behind it meanwhile
        self._is_undoing = True
        try:
            yield from self._take_back(change)
        except NotPaused:
            raise
        except CommandRefused:  # it never can be undone any more; the one before may be
            self._forget(change)
            raise
        finally:
            self._is_undoing = False
        self._forget(change)
        self._dispatcher.edited(change.where, f"undo of {change.text}")

    def _take_back(self, change: _Change) -> Waiting[None]:
        tasks = [self._dispatcher.tasks[name] for name in change.tasks]
        grips = [task.control for task in tasks]
        if change.numbers is None:
            yield from self._workers.at_its_gate(grips, grips[0].undo)
        else:
            numbers = change.numbers
            yield from self._workers.at_its_gate(grips, lambda: self._workers.backend.retract(tasks, numbers))

    def _forget(self, change: _Change) -> None:
        with suppress(ValueError):  # so many have come since that it was pushed out
            self._edited.remove(change)

    def _remember(self, task: str, text: str) -> None:
        self._edited.append(_Change(task, text, (task,)))
        self._dispatcher.edited(task, text)

    def item_of(self, packet: Packet, value: Any) -> Any:
        """What lies in the lane for `value` in place of the packet: the caller's part of an edit, with user code.

        Raises `PacketGone`, `CommandRefused` if by its key it would belong elsewhere, what the key function raises, and
        `NotSendable`.
        """
        _, place = self._workers.find_packet(packet)
        return self._workers.sendable([self._workers.handles[packet.task]], self._item(packet, place, value))

    def _item(self, packet: Packet, place: Place, value: Any) -> Any:
        """What lies in the lane for `value` in place of the packet."""
        operator = self._workers.operator_of.get(packet.task)
        if operator is None:
            return value
        element = rekeyed(self._workers.graph, packet.task, packet.input, packet.producer, value)
        return (
            element if place.lane != HAND_LANE else item_by_hand(self._workers.graph, operator, packet.input, element)
        )

    def new_state(self, name: str, key: Any, value: Any) -> NewState:
        """The caller's part of `set_state`, with user code: which task is to remember what.

        Of a keyed operator it is the task that the key belongs to. Raises `UnknownName`, `GraphInvalid`, `UnstableKey`,
        `CommandRefused` if the key belongs to another task than the one named, and `NotSendable`.
        """
        handles = self._workers.find(name)
        if len(handles) > 1 and not self._workers.is_keyed(name):
            raise GraphInvalid(f"{name!r} has {len(handles)} tasks, each with a state of its own; name one of them")
        owner = handles[0].name
        operator = self._workers.operator_of.get(owner)
        if self._workers.is_keyed(name) and operator is not None:
            owner = Partition(self._workers.graph.tasks(operator)).find(key)
        if all(handle.name != owner for handle in handles):
            raise CommandRefused(f"key {preview(key)} belongs to {owner!r}, not to {name!r}, which would never use it")
        to = [self._workers.handles[owner]]
        given = (self._workers.sendable(to, each, stays=True) for each in (key, value))
        return NewState(owner, f"state of {preview(key)} becomes {preview(value)}", *given)

    def set_state(self, new: NewState) -> Waiting[None]:
        """Let a paused task remember something else."""
        grip = self._workers.handles[new.task].control
        yield from self._workers.at_its_gate([grip], lambda: grip.set_state(new.key, new.value))
        self._dispatcher.edited(new.task, new.text)


@dataclass(frozen=True, slots=True, eq=False)
class _Change:
    """A change by hand that can be taken back: at which task or operator, what it was, in whose queues.

    An inject has its packet's arrival number in each of them, from the moment that it is in.
    """

    where: str
    text: str
    tasks: tuple[str, ...]
    numbers: list[int] | None = None


class NewState(NamedTuple):
    """What a task is to remember, and how that is told."""

    task: str
    text: str
    key: Any
    value: Any
