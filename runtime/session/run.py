"""Run: one run of a session, from its start until the next one or a reset. What works on a run works on this."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any

from runtime.back.journal import Journal
from runtime.communication.calls import HAND_CALLER, here
from runtime.communication.element import format_of, item_by_hand, rekeyed
from runtime.communication.hand import HAND
from runtime.communication.note import Note
from runtime.communication.packet import Again
from runtime.control.editing import Editing
from runtime.control.explaining import Explaining
from runtime.control.going_back import GoingBack
from runtime.control.hits import Hits
from runtime.control.holding import Holding
from runtime.control.injector import Given, Injector
from runtime.control.inspection import Inspection
from runtime.control.pausing import Pausing
from runtime.control.records import Records
from runtime.control.replacing import Replacing
from runtime.control.stepping import Stepping
from runtime.control.workers import Workers
from runtime.dispatcher import Dispatcher
from runtime.errors import Cancelled, CommandRefused, QueueFull, TaskEnded
from runtime.factory import service_queues
from runtime.graph import ExecutionGraph
from runtime.history.dead_letters import SAME, Accepting, DeadLetter
from runtime.proxy import ProxyManager
from runtime.questions.asking import Asking
from runtime.questions.calling import QuestionQueue
from runtime.scheduling.commands import Commands
from runtime.scheduling.waiting import drive

Put = Callable[[float | None], Generator[Any, Any, None]]
"""Puts something in, waiting at most so many seconds for room."""


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Run:
    """What runs (`dispatcher`), what a person does to it, and the ways in for packets (`injector`) and calls."""

    dispatcher: Dispatcher
    workers: Workers
    pausing: Pausing
    stepping: Stepping
    going_back: GoingBack
    inspection: Inspection
    editing: Editing
    hits: Hits
    holding: Holding
    replacing: Replacing
    records: Records
    injector: Injector
    proxies: ProxyManager
    commands: Commands
    asking: Asking
    explaining: Explaining

    @classmethod
    def of(cls, dispatcher: Dispatcher, commands: Commands) -> Run:
        """The run whose tasks and services a dispatcher has made."""
        graph, workers, records = dispatcher.graph, Workers(dispatcher, commands), Records()
        journal = Journal(records.numbers)
        editing = Editing(dispatcher, workers, records, journal)
        injector = Injector(graph, dispatcher.backend, dispatcher.tasks)
        asking = Asking(dispatcher, injector, commands)
        for queue in (descriptor.get_queue() for descriptor in graph.question_queues.values()):
            if isinstance(queue, QuestionQueue):
                queue.answer_by(asking)
        return cls(
            dispatcher,
            workers,
            Pausing(dispatcher, workers, journal),
            Stepping(dispatcher, workers, records, journal),
            GoingBack(dispatcher, workers, records, journal),
            Inspection(dispatcher, workers),
            editing,
            Hits(dispatcher, workers),
            Holding(dispatcher, workers, editing),
            Replacing(dispatcher, workers, records),
            records,
            injector,
            ProxyManager(HAND_CALLER, service_queues(graph)),
            commands,
            asking,
            Explaining(dispatcher, workers),
        )

    @property
    def is_live(self) -> bool:
        """Whether it has not ended."""
        return self.dispatcher.outcome is None

    def release(self) -> None:
        """After its end and clean-up: let go of all that is the user's."""
        self.going_back.release()
        self.dispatcher.release()

    def send(self, name: str, value: Any, timeout_s: float | None) -> None:
        """Put `value` into an input, from any thread. Raises `UnknownName`, and as `_put_by_hand`."""
        given = self.injector.address_input(name, value)
        self._put_by_hand(given, timeout_s, self.records.sending(name, value))

    def end(self, name: str) -> None:
        """End an input, where no interrupt comes. Raises `UnknownName`."""
        is_open = name in self.injector.open_inputs()
        self.injector.end(name)
        if is_open:
            self.records.ended(name)

    def inject(self, target: str, value: Any, number: int | None, timeout_s: float | None) -> None:
        """Put `value` into any queue, from any thread, by hand. Raises as `Injector.address`, `_put_by_hand`."""
        given = self.injector.address(target, value, number)
        self._put_by_hand(given, timeout_s, self.editing.noting(target, value, number, given))

    def _put_by_hand(self, given: Given, timeout_s: float | None, noted: Callable[[], Note] | None = None) -> None:
        """Put something in, and in the same step what `noted` makes. Raises as `_put_in`, and `NotSendable`."""
        if not self.injector.offer(given, noted):
            sent = self.injector.sendable(given)
            self._put_in(given.tasks, lambda timeout_s: self.injector.put(sent, timeout_s, noted), timeout_s)

    def _put_in(self, tasks: Sequence[str], put: Put, timeout_s: float | None) -> None:
        """Have something `put` into the queues of `tasks` on a thread that no interrupt reaches. Raises what it raises.

        A thread of the job does it itself: no interrupt comes there. It may wait for a while, though it may be what
        would make room; without a limit that is refused: raises `CommandRefused`. One that is cancelled hears
        `Cancelled`.
        """
        if not self._may_do_itself():
            self.commands.do(lambda: put(timeout_s))
            return
        try:
            try:
                drive(put(0), lambda ready, _: ready())
            except QueueFull:
                if timeout_s is None:
                    names = ", ".join(map(repr, tasks))
                    raise CommandRefused(
                        f"{names} has no room, and a function of this job would wait for it without limit, perhaps for "
                        "itself; give it a timeout, or raise the capacity"
                    ) from None
                if timeout_s <= 0:
                    raise
                self.commands.do(lambda: put(timeout_s))
        except TaskEnded:
            if here.waiter is not None and here.waiter.cancelled:
                raise Cancelled from None
            raise

    def _may_do_itself(self) -> bool:
        """Whether the caller may change the run itself, since no interrupt comes on its thread."""
        return self.dispatcher.backend.is_own_thread() or self.commands.is_here()

    # ── dead letters: their `Home` ──

    def retry(self, letter: DeadLetter, value: Any, timeout_s: float | None, accepting: Accepting) -> None:
        """Put a letter's packet, or `value` in its place, into its task's queue by hand, as a part of `accepting`."""
        item = _item_of(letter, value, self.dispatcher.graph)
        sent = self.injector.sendable(Given(item, (letter.task,)))
        self._put_in(sent.tasks, lambda timeout_s: accepting(self.injector.put(sent, timeout_s)), timeout_s)

    def act(self, work: Callable[[], None]) -> None:
        """Have something done that never waits and may raise, by this thread if no interrupt comes here."""
        if self._may_do_itself():
            work()
        else:
            self.commands.do(work)


def _item_of(letter: DeadLetter, value: Any, graph: ExecutionGraph) -> Any:
    """What lies in the queue for a letter's packet, or for `value` in its place. Raises `CommandRefused`."""
    operator = next(graph.by_name[node.operator] for node in graph.nodes if node.name == letter.task)
    if not operator.traits.has_queue:
        raise CommandRefused(
            f"{letter!r} is of a source, which has no queue; inject its packet into a consumer, and discard it"
        )
    if value is SAME:
        element = format_of(graph, operator.name).element(letter.key, letter.packet)
    else:
        element = rekeyed(graph, letter.task, letter.input, HAND, value)
    if graph.traced:
        element = Again(element, letter._of)
    return item_by_hand(graph, operator.name, letter.input, element)
