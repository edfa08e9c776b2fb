"""Editing: what waits, and what is remembered, changed by hand; and changes taken back, the newest first."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from sys import maxsize
from typing import Any

from runtime.back.image import BeforeImage
from runtime.back.journal import Journal
from runtime.communication.element import numbered_by_hand, rekeyed
from runtime.communication.note import Note
from runtime.communication.packet import HAND_LANE, Packet, Place
from runtime.communication.partition import Partition
from runtime.context.worker_control import TaskCommand
from runtime.control.injector import Given
from runtime.control.records import Record, Records
from runtime.control.workers import Workers
from runtime.dispatcher import Dispatcher
from runtime.errors import CommandRefused, GraphInvalid, NotPaused
from runtime.scheduling.waiting import Until, Waiting
from runtime.texts.literal import literals_of
from runtime.texts.preview import preview


class Editing:
    """Changes one run by hand. Only the thread of commands does, but for what says that it is the caller's part."""

    def __init__(self, dispatcher: Dispatcher, workers: Workers, records: Records, journal: Journal) -> None:
        self._dispatcher, self._workers, self._records = dispatcher, workers, records
        self._journal = journal
        self._is_undoing = False  # changes are taken back one by one

    def noting(self, target: str, value: Any, number: int | None, given: Given) -> Callable[[], Note]:
        """What makes the note of `value`, which comes in by hand: an event, and a record with the way back.

        That holds its arrival number in each queue, from the moment that it is in. The caller's part, with user code.
        """
        where = target if len(given.tasks) > 1 else given.tasks[0]
        text, as_given = f"inject: {given.text}", literals_of(target, value, number)

        def noted() -> Note:
            numbers: list[int] = []
            back = partial(self._retract, given.tasks, numbers)
            record = Record("inject", where, text, as_given, self._workers.turns(), back)
            event = self._dispatcher.injecting(where, record.text, numbers)
            return Note(numbers, (event, *self._records.adding(record)))

        return noted

    def _retract(self, names: Iterable[str], numbers: Sequence[int]) -> Waiting[None]:
        tasks = [self._dispatcher.tasks[name] for name in names]
        controls = [task.control for task in tasks]
        return self._workers.at_its_gate(controls, lambda: self._workers.backend.retract(tasks, numbers))

    def edit(self, packet: Packet, done: Record, item: Any, *, by_person: bool = False) -> Waiting[None]:
        """Let a waiting packet be another; `new_item` has made both."""
        yield from self._change(packet, done, by_person, "edit", item)

    def drop(self, packet: Packet, *, by_person: bool = False) -> Waiting[None]:
        """Take a waiting packet out of its queue; it counts as dropped."""
        yield from self._change(packet, Record("drop", packet.task, f"drop: {packet.text}"), by_person, "drop")

    def move(self, packet: Packet, to: int, *, by_person: bool = False) -> Waiting[None]:
        """Move a waiting packet within its lane, to index `to`."""
        done = Record("move", packet.task, f"move: {packet.text} to {to}", literals_of(to))
        yield from self._change(packet, done, by_person, "move", to)

    def _change(
        self, packet: Packet, done: Record, by_person: bool, what: TaskCommand, *arguments: Any
    ) -> Waiting[None]:
        """Have a packet changed, and put down `done`. A person in a view names the packet by its index in the queue."""
        control, place = self._workers.find_packet(packet)

        def find_and_act() -> tuple[int | None, int]:
            waiting = control.peek(maxsize, 0) if by_person else ()
            found = [index for index, each in enumerate(waiting) if each.place == place]
            return next(iter(found), None), control.ask(what, place, *arguments)

        index, change = yield from self._workers.at_its_gate([control], find_and_act)

        def back() -> Waiting[None]:
            return self._workers.at_its_gate([control], lambda: control.ask("undo", change))

        self._put_down(replace(done, back=back, turn=self._workers.turns(), place=place, index=index))

    def _put_down(self, record: Record) -> None:
        self._records.add(record)
        self._dispatcher.edited(record.where, record.text)

    def undo(self) -> Waiting[None]:
        """Take back the last change, of the last 1,000.

        Raises `CommandRefused` if there is none, or its task has been stepped since.

        Raises `PacketGone` if it is too late.
        """
        yield Until(lambda: not self._is_undoing, watched=False)
        change = self._records.last_change()  # this one, whatever comes after it meanwhile
        if change is None or change.back is None:
            raise CommandRefused("nothing was changed by hand that could be undone")
        for handle in self._workers.find(change.where) if self._dispatcher.outcome is None else ():
            if self._journal.has_stepped(handle.name, change.number[0]):
                raise CommandRefused(
                    f"{handle.name!r} has been stepped since {change.text!r}, so undo() could not put it back alone; "
                    "back() takes back the steps as well"
                )
        self._is_undoing = True
        try:
            yield from change.back()
        except NotPaused:
            raise
        except CommandRefused:  # it never can be undone any more; the one before may be
            self._records.forget(change)
            raise
        finally:
            self._is_undoing = False
        self._records.forget(change)
        self._dispatcher.edited(change.where, f"undo of {change.text}")

    def new_item(self, packet: Packet, value: Any) -> tuple[Record, Any]:
        """The caller's part of an edit, with user code: its record, and what lies in the lane for `value`.

        Raises `PacketGone`, `CommandRefused` if by its key it would belong elsewhere, what the key function raises, and
        `NotSendable`.
        """
        _, place = self._workers.find_packet(packet)
        item = self._workers.backend.sendable([self._workers.handles[packet.task]], self._item(packet, place, value))
        return Record("edit", packet.task, f"edit: {packet.text} becomes {preview(value)}", literals_of(value)), item

    def _item(self, packet: Packet, place: Place, value: Any) -> Any:
        """What lies in the lane for `value` in place of the packet."""
        operator = self._workers.operator_of.get(packet.task)
        if operator is None:
            return value
        element = rekeyed(self._workers.graph, packet.task, packet.input, packet.producer, value)
        return (
            element
            if place.lane != HAND_LANE
            else numbered_by_hand(self._workers.graph, operator, packet.input, element)
        )

    def new_state(self, name: str, key: Any, value: Any) -> tuple[Record, tuple[Any, ...]]:
        """The caller's part of `set_state`, with user code: its record, and what the task is given.

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
        sent = tuple(self._workers.backend.sendable(to, each, stays=True) for each in (key, value))
        text = f"state of {preview(key)} becomes {preview(value)}"
        return Record("set_state", owner, text, literals_of(key, value)), sent

    def set_state(self, done: Record, given: tuple[Any, ...]) -> Waiting[None]:
        """Let a paused task remember something else; `new_state` has made both."""
        control = self._workers.handles[done.where].control

        def keep_and_set() -> BeforeImage | None:
            before = self._journal.before(done.where, given[0])
            control.ask("set_state", *given)
            return before

        before = yield from self._workers.at_its_gate([control], keep_and_set)

        def back() -> Waiting[None]:
            assert before is not None, "else there is no way back"
            return self._workers.at_its_gate([control], lambda: self._journal.put_back(done.where, before))

        self._put_down(replace(done, turn=self._workers.turns(), back=None if before is None else back))
