"""Control: the hand on a running job. Pauses, steps, looks and edits through the handles of tasks and services.

It knows the graph and what each handle offers, not where anything runs. Names may be those of operators (all their
tasks), tasks or services.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from itertools import accumulate
from time import monotonic
from typing import Any, Final, NamedTuple, TypeVar

from runtime.communication.element import format_of, item_by_hand, rekeyed
from runtime.communication.note import Note
from runtime.communication.packet import HAND_LANE, Packet, Place
from runtime.communication.partition import Partition
from runtime.control.breakpoints import Breakpoint, Tap
from runtime.dispatcher import Dispatcher
from runtime.errors import CommandRefused, GraphInvalid, NotPaused, PacketGone, TaskEnded, UnknownName, error_text
from runtime.factory import Grip, Handle
from runtime.scheduling.commands import Commands
from runtime.scheduling.waiting import NEVER, Until, Waiting, deadline_of
from runtime.scheduling.worker_state import WorkerState
from runtime.step import Path, QueueView, Step
from runtime.task.control import MAX_UNDO, Met
from runtime.texts.preview import preview

REACH_S: Final = 5.0
"""How long `pause` waits for user code to come to its end."""

_ON_ITS_WAY_S: Final = 5.0  # how long a task that is to be edited is waited for, should it be in user code
T = TypeVar("T")


class Control:
    """The hand on one run. What changes the run is done by the session's thread of commands alone; any thread may look.

    What has to wait is a generator, see `waiting.py`.
    """

    def __init__(self, dispatcher: Dispatcher, commands: Commands) -> None:
        self._dispatcher, self._graph, self._commands = dispatcher, dispatcher.graph, commands
        self._backend = dispatcher.backend
        self._handles: dict[str, Handle] = {**dispatcher.tasks, **dispatcher.services}
        self._operator_of = {node.name: node.operator for node in self._graph.nodes}
        self._is_undoing = False  # changes are taken back one by one
        # Each change that can be undone. Only commands take some out; an inject is put in by whichever thread gives it,
        # in the step in which its packet comes in.
        self._edited: deque[_Change] = deque(maxlen=MAX_UNDO)
        self._taps: dict[str, list[Callable[[Step], None]]] = {}
        # Services first, since somebody waits for them; then the deepest, graph order, index; sources last.
        layers, by_name = self._graph.layers, self._graph.by_name
        by_depth = [node.name for node in sorted(self._graph.nodes, key=lambda node: -layers[node.operator])]
        sources = {node.name for node in self._graph.nodes if not by_name[node.operator].traits.has_queue}
        self._order = [node.name for node in self._graph.service_nodes]
        self._order += [name for name in by_depth if name not in sources]
        self._sources = [node.name for node in self._graph.nodes if node.name in sources]

    # ── pause ──

    def pause(
        self, names: Iterable[str], timeout_s: float | None = REACH_S, *, by_person: bool = False
    ) -> Waiting[tuple[str, ...]]:
        """Close gates, all if none is named; wait until they are reached. Who is still in user code after that."""
        handles = self._find_all(names)
        if self._dispatcher.outcome is not None:
            return ()
        self.close_gates(names, by_person=by_person)
        return (yield from self._reach(handles, deadline_of(timeout_s)))

    def close_gates(self, names: Iterable[str] = (), *, by_person: bool = False) -> None:
        """Close gates, without waiting until they are reached."""
        self._dispatcher.closes_gates(by_person)
        self._backend.pause(self._find_all(names))
        self._dispatcher.gates_changed(f"pause: {', '.join(names) or 'all'}")

    def pause_here(self, names: Iterable[str]) -> tuple[str, ...]:
        """On a thread of the job, which must not wait: close gates at once. Who is in user code now."""
        handles = self._find_all(names)
        if self._dispatcher.outcome is not None:
            return ()
        self._dispatcher.closes_gates(by_person=False)
        self._backend.pause(handles)
        self.post(lambda: self._dispatcher.gates_changed(f"pause: {', '.join(names) or 'all'}"))
        return self._unreached(handles)

    def wait_for_gates(self) -> Waiting[tuple[str, ...]]:
        """Wait until every closed gate is reached, for a while."""
        return self._reach(list(self._handles.values()), deadline_of(REACH_S))

    def _reach(self, handles: list[Handle], deadline: float) -> Waiting[tuple[str, ...]]:
        """Wait until their gates are reached, or opened again by somebody else. Who is still in user code."""
        if (yield self._until(lambda: all(each.is_settled for each in self._backend.workers(handles)), deadline)):
            return ()
        return self._unreached(handles)

    def _unreached(self, handles: list[Handle]) -> tuple[str, ...]:
        workers = zip(handles, self._backend.workers(handles), strict=True)
        return tuple(handle.name for handle, worker in workers if worker.is_paused and not worker.reached)

    def resume(self, names: Iterable[str]) -> None:
        """Open gates, all if none is named."""
        handles = self._find_all(names)
        if self._dispatcher.outcome is not None:
            return
        self._backend.resume(handles)
        self._dispatcher.gates_changed(f"resume: {', '.join(names) or 'all'}")

    # ── step ──

    def step(self, name: str | None, deadline: float) -> Waiting[Step]:
        """One turn of one task: the one named, or the one whose turn it is. Raises `NotPaused`, `UnknownName`.

        It is over when all who are paused have come to rest again: with room or a reply, others may have gone on.
        """
        grip = (yield from self._whose_turn(deadline)) if name is None else self._next_of(self._find(name))
        if grip is None:
            return Step("idle", name)
        step = yield from grip.step(deadline)
        yield from self._come_to_rest(deadline)
        self._dispatcher.log_step(step)
        return step

    def _next_of(self, handles: list[Handle]) -> Grip | None:
        """Of the tasks of an operator, the one that can be stepped; else one that is at it. None: none of several."""
        if len(handles) == 1:
            return handles[0].control
        seen = self._seen(handles)
        busy = [grip for grip, worker in seen if worker.is_under_way]
        busy += [grip for grip, worker in seen if not worker.is_paused]
        return _next((grip, worker) for grip, worker in seen if worker.is_paused) or next(iter(busy), None)

    def _seen(self, handles: Sequence[Handle]) -> list[tuple[Grip, WorkerState]]:
        """How all of them stand, looked at together."""
        workers = self._backend.workers(handles)
        return [(handle.control, worker) for handle, worker in zip(handles, workers, strict=True)]

    def _whose_turn(self, deadline: float) -> Waiting[Grip | None]:
        """Who is to be stepped if nobody is named; waits while all that could be told is under way."""
        handles = [self._handles[name] for name in (*self._order, *self._sources)]
        if self._dispatcher.outcome is not None:  # but something may not have been told yet
            return next((grip for grip, worker in self._seen(handles) if worker.has_news), None)
        paused = [handle for handle, (_, worker) in zip(handles, self._seen(handles), strict=True) if worker.is_paused]
        if not paused:
            raise NotPaused("nothing is paused, so everybody takes their turns themselves; pause() first")
        yield from self._come_to_rest(deadline)
        found: Grip | None = None
        under_way: list[Grip] = []

        def is_told() -> bool:
            nonlocal found
            seen = [(grip, worker) for grip, worker in self._seen(paused) if worker.is_paused]
            under_way[:] = [grip for grip, worker in seen if worker.is_under_way]
            found = _next(seen)
            return found is not None or not under_way

        yield self._until(is_told, deadline, by_tasks=True)
        return found or next(iter(under_way), None)

    def _come_to_rest(self, deadline: float) -> Waiting[bool]:
        """Wait until nothing moves of those who are paused."""
        handles = list(self._handles.values())

        def is_at_rest() -> bool:
            return all(worker.is_at_rest or not worker.is_paused for worker in self._backend.workers(handles))

        return (yield self._until(is_at_rest, deadline, by_tasks=True))

    def follow(self, packet: Packet, deadline: float) -> Waiting[Path]:
        """Step one packet, and all that is made of it, to the end.

        Raises `NotPaused`, `PacketGone`, `TimeoutError`.
        """
        path = yield from self._follow(packet, deadline, {})
        if path is None:
            raise PacketGone(f"{packet!r} was dropped with its job")
        return path

    def _follow(self, packet: Packet, deadline: float, done: dict[_Spot, Step]) -> Waiting[Path | None]:
        """The way of one packet; None if it is not worked, since the job has failed.

        Whoever has to go on first has his turn in between; what that did to packets of the way is found in `done`.
        """
        grip, place = self._grip(packet)
        spot = (packet.task, place.lane, place.number)
        if spot not in done:
            if not grip.now().is_paused and self._dispatcher.outcome is None:
                raise NotPaused(f"{packet.task!r} is not paused; pause({packet.task!r}) to follow a packet through it")
            spot = (packet.task, place.lane, grip.number_of(place))
        while spot not in done:
            if monotonic() >= deadline:
                raise TimeoutError(f"{packet!r} has not come through {packet.task!r} in time")
            worker = grip.now()
            name = packet.task if worker.can_step or worker.has_news else None
            step = yield from self.step(name, deadline)
            if step.result == "idle":
                if self._dispatcher.outcome is not None:
                    return None
                raise PacketGone(f"{packet!r} is not in the queue of {packet.task!r} any more")
            if step.result == "done" and step.packet is not None and (taken := step.packet.place) is not None:
                done[step.packet.task, taken.lane, taken.number] = step
        step = done[spot]
        paths = []
        for _, sent in step.sent:
            if sent.place is not None and (path := (yield from self._follow(sent, deadline, done))) is not None:
                paths.append(path)
        return Path(step, tuple(paths))

    # ── look ──

    def peek(self, name: str, first: int, last: int) -> QueueView:
        """The packets that wait for a task, or for all tasks of an operator, one after the other."""
        views = [handle.control.peek(first, last) for handle in self._find(name)]
        if len(views) == 1:
            return views[0]
        depth, capacity = sum(view.depth for view in views), sum(view.capacity for view in views)
        # Of a queue that was not shown in full, its own first ones fill up the first here, and its last ones the last.
        heads = [packet for view in views for packet in view[: view.left_out]]
        tails = [packet for view in views for packet in (view[view.left_out :] or view)]
        packets, left_out = heads, None
        starts = accumulate((view.depth for view in views), initial=0)
        signals = [
            replace(each, index=start + each.index)
            for start, view in zip(starts, views, strict=False)
            for each in view.signals
        ]
        if depth > first + last:
            packets, left_out = heads[:first] + tails[max(len(tails) - last, 0) :], first
        several = views[0].several_inputs
        return QueueView(name, packets, depth, capacity, signals=signals, left_out=left_out, several_inputs=several)

    def tap(self, name: str, see: Callable[[Step], None] | None) -> Tap:
        """What collects the packets that pass, or has `see` called with each."""
        tasks = [handle.name for handle in self._find(name)]
        see = None if see is None else self._guarded(name, see)

        def show(see: Callable[[Step], None], wanted: bool) -> None:
            for task in tasks:
                others = [each for each in self._taps.get(task, ()) if each is not see]
                taps = self._taps[task] = [*others, see] if wanted else others
                self._handles[task].control.set_tap(_to_all(taps) if taps else None)

        return Tap(name, lambda see, wanted: self._do(lambda: show(see, wanted)), see)

    def _guarded(self, name: str, see: Callable[[Step], None]) -> Callable[[Step], None]:
        """`see` behind the border to user code: once it has raised, that is told, and it is called no more."""
        broken = False

        def tell(step: Step) -> None:
            nonlocal broken
            if broken:
                return
            try:
                see(step)
            except BaseException as error:  # noqa: BLE001  the border to user code, on the task's own thread
                broken = True
                self._dispatcher.warned(name, f"a tap raised {error_text(error)}, and sees nothing any more")

        return tell

    def condition_of(self, found: Breakpoint) -> Any:
        """What the tasks of a breakpoint are to be given as its condition: the part of whoever sets it, with user code.

        Raises `NotSendable`.
        """
        return self._sendable(self._find(found.task), found.when, stays=True)

    def set_breaks(self, task: str, breakpoints: Mapping[Breakpoint, Any]) -> None:
        """Let a task ask these, and no others, before each packet: on its own thread, one packet at a time.

        Each with what `condition_of` has made. Raises `CommandRefused` for sources and services. Of one that has ended
        nothing will ask.
        """
        found = tuple(breakpoints)

        def broke(packet: Packet, met: Met) -> None:
            """The task, which has closed its own gate: close the others, and only then count the hit."""
            self.post(lambda: stop(packet, met))

        def stop(packet: Packet, met: Met) -> None:
            self._dispatcher.closes_gates(all(found[index].is_of_person for index, _ in met))
            self._backend.pause(self._handles.values())
            errors = [error_text(error) for _, error in met if error is not None]
            why = f": the condition raised {errors[0]}" if errors else ""
            self._dispatcher.gates_changed(f"breakpoint at {task} before {packet.text}{why}")
            for index, error in met:
                found[index].hit(packet, error)

        with suppress(TaskEnded):  # its process is gone
            self._handles[task].control.set_breaks(tuple(breakpoints.values()), broke)

    # ── inject ──

    def noting(self, target: str, tasks: tuple[str, ...], text: str) -> Callable[[], Note]:
        """What makes the note of a packet that comes into the queues of `tasks` by hand: an event, and a way back."""
        where = target if len(tasks) > 1 else tasks[0]

        def noted() -> Note:
            numbers: list[int] = []
            event = self._dispatcher.injecting(where, text, numbers)
            return Note(numbers, (event, partial(self._edited.append, _Change(where, text, tasks, numbers))))

        return noted

    # ── edit ──

    def edit(self, packet: Packet, item: Any, value: Any) -> Waiting[None]:
        """Let a waiting packet be another `item`, which `item_of` has made of `value`."""
        grip, place = self._grip(packet)
        yield from self._at_its_gate([grip], lambda: grip.edit(place, item))
        self._remember(packet.task, f"edit: {packet.text} becomes {preview(value)}")

    def drop(self, packet: Packet) -> Waiting[None]:
        """Take a waiting packet out of its queue; it counts as dropped."""
        grip, place = self._grip(packet)
        yield from self._at_its_gate([grip], lambda: grip.drop(place))
        self._remember(packet.task, f"drop: {packet.text}")

    def move(self, packet: Packet, to: int) -> Waiting[None]:
        """Move a waiting packet within its lane, to index `to`."""
        grip, place = self._grip(packet)
        yield from self._at_its_gate([grip], lambda: grip.move(place, to))
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
            yield from self._at_its_gate(grips, grips[0].undo)
        else:
            numbers = change.numbers
            yield from self._at_its_gate(grips, lambda: self._backend.retract(tasks, numbers))

    def _forget(self, change: _Change) -> None:
        with suppress(ValueError):  # so many have come since that it was pushed out
            self._edited.remove(change)

    def _at_its_gate(self, grips: Sequence[Grip], act: Callable[[], T]) -> Waiting[T]:
        """Do what only tasks at their closed gates can bear. Who is on its way there is waited for, for a while."""
        deadline = monotonic() + _ON_ITS_WAY_S
        while True:
            try:
                return act()
            except NotPaused as refusal:
                if not refusal.on_its_way or monotonic() >= deadline:
                    raise
            yield self._until(lambda: all(map(_is_there, grips)), deadline)

    def _remember(self, task: str, text: str) -> None:
        self._edited.append(_Change(task, text, (task,)))
        self._dispatcher.edited(task, text)

    def item_of(self, packet: Packet, value: Any) -> Any:
        """What lies in the lane for `value` in place of the packet: the caller's part of an edit, with user code.

        Raises `PacketGone`, `CommandRefused` if by its key it would belong elsewhere, what the key function raises, and
        `NotSendable`.
        """
        _, place = self._grip(packet)
        return self._sendable([self._handles[packet.task]], self._item(packet, place, value))

    def _item(self, packet: Packet, place: Place, value: Any) -> Any:
        """What lies in the lane for `value` in place of the packet."""
        operator = self._operator_of.get(packet.task)
        if operator is None:
            return value
        element = rekeyed(self._graph, packet.task, packet.input, packet.producer, value)
        return element if place.lane != HAND_LANE else item_by_hand(self._graph, operator, packet.input, element)

    # ── state ──

    def state(self, name: str) -> Any:
        """What a task remembers; of an operator with several, by key where it is keyed, else by task."""
        states = {handle.name: handle.control.state() for handle in self._find(name)}
        if len(states) == 1:
            return next(iter(states.values()))
        if self._is_keyed(name):
            return {key: value for state in states.values() for key, value in state.items()}
        return states

    def new_state(self, name: str, key: Any, value: Any) -> NewState:
        """The caller's part of `set_state`, with user code: which task is to remember what.

        Of a keyed operator it is the task that the key belongs to. Raises `UnknownName`, `GraphInvalid`, `UnstableKey`,
        `CommandRefused` if the key belongs to another task than the one named, and `NotSendable`.
        """
        handles = self._find(name)
        if len(handles) > 1 and not self._is_keyed(name):
            raise GraphInvalid(f"{name!r} has {len(handles)} tasks, each with a state of its own; name one of them")
        owner = handles[0].name
        operator = self._operator_of.get(owner)
        if self._is_keyed(name) and operator is not None:
            owner = Partition(self._graph.tasks(operator)).find(key)
        if all(handle.name != owner for handle in handles):
            raise CommandRefused(f"key {preview(key)} belongs to {owner!r}, not to {name!r}, which would never use it")
        to = [self._handles[owner]]
        given = (self._sendable(to, each, stays=True) for each in (key, value))
        return NewState(owner, f"state of {preview(key)} becomes {preview(value)}", *given)

    def set_state(self, new: NewState) -> Waiting[None]:
        """Let a paused task remember something else."""
        grip = self._handles[new.task].control
        yield from self._at_its_gate([grip], lambda: grip.set_state(new.key, new.value))
        self._dispatcher.edited(new.task, new.text)

    # ── inside ──

    def post(self, work: Callable[[], object]) -> None:
        """Thread of the job: have something done. What it raises becomes a warning of the job."""
        self._commands.post(work, lambda error: self._dispatcher.warned(None, error_text(error)))

    def _do(self, work: Callable[[], Any]) -> Any:
        """Whoever holds a tap or breakpoint: have something done; wait for it, if this is no thread of the job."""
        if self._backend.is_own_thread():
            self.post(work)
            return None
        return self._commands.do(work)

    def _sendable(self, handles: Sequence[Handle], value: Any, *, stays: bool = False) -> Any:
        """What these are to be given for a value of the user's. Raises `NotSendable`."""
        return self._backend.sendable(handles, value, stays=stays)

    def _until(self, ready: Callable[[], bool], deadline: float = NEVER, *, by_tasks: bool = False) -> Until:
        """A wait for what handles and grips say."""
        return Until(lambda: self._backend.holds(ready), deadline, by_tasks=by_tasks)

    def _find_all(self, names: Iterable[str]) -> list[Handle]:
        found = [handle for name in names for handle in self._find(name)]
        return found or list(self._handles.values())

    def _find(self, name: str) -> list[Handle]:
        if name in self._handles:
            return [self._handles[name]]
        if name in self._graph.by_name:
            return [self._handles[task] for task in self._graph.tasks(name)]
        raise UnknownName("task, operator or service", name, {**self._graph.by_name, **self._handles})

    def _grip(self, packet: Packet) -> tuple[Grip, Place]:
        """Raises `PacketGone` if it was not looked at in a queue of this run."""
        handle = self._handles.get(packet.task)
        if handle is None or packet.place is None:
            raise PacketGone(f"{packet!r} is in no queue of this run; take one from peek()")
        return handle.control, packet.place

    def _is_keyed(self, name: str) -> bool:
        return format_of(self._graph, self._operator_of.get(name, name)).keyed


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


_Spot = tuple[str, int, int]
"""Task, lane and number of a packet that was worked."""


def _next(seen: Iterable[tuple[Grip, WorkerState]]) -> Grip | None:
    """Whose turn it is: first of all, whoever can tell how a turn has ended."""
    seen = list(seen)
    told = next((grip for grip, worker in seen if worker.has_news), None)
    return told or next((grip for grip, worker in seen if worker.can_step), None)


def _is_there(grip: Grip) -> bool:
    worker = grip.now()
    return worker.is_in_place or not worker.is_paused


def _to_all(taps: list[Callable[[Step], None]]) -> Callable[[Step], None]:
    def tell(step: Step) -> None:
        for tap in taps:
            tap(step)

    return tell
