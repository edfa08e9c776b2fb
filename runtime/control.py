"""Control: the hand on a running job. Pauses, steps, looks and edits through the handles of tasks and services.

It knows the graph and what each handle offers, not where anything runs. Names may be those of operators (all their
tasks), tasks or services.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterable
from time import monotonic
from typing import Any, Final

from runtime.breakpoints import Breakpoint, Tap
from runtime.communication.packet import Packet, Place
from runtime.communication.partition import Partition
from runtime.dispatcher import Dispatcher
from runtime.errors import CommandRefused, GraphInvalid, NotPaused, PacketGone, TaskEnded, UnknownName, failure_text
from runtime.factory import Grip, Handle
from runtime.preview import preview
from runtime.step import Path, QueueView, Step

REACH_S: Final = 5.0
"""How long `pause` waits for user code to come to its end."""


class Control:
    """The hand on one run. Any thread may use it."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._dispatcher, self._graph = dispatcher, dispatcher.graph
        self._handles: dict[str, Handle] = {**dispatcher.tasks, **dispatcher.services}
        self._operator_of = {node.name: node.operator for node in self._graph.nodes}
        self._edited: list[str] = []  # tasks, a name for each change that can be undone
        self._breakpoints: dict[str, list[Breakpoint]] = {}
        self._taps: dict[str, list[Callable[[Step], None]]] = {}
        self._changing = threading.Lock()  # guards the three above
        # Services first, since somebody waits for them; then the deepest, graph order, index; sources last.
        layers, kinds = self._graph.layers, {operator.name: operator.kind for operator in self._graph.operators}
        by_depth = [node.name for node in sorted(self._graph.nodes, key=lambda node: -layers[node.operator])]
        sources = {node.name for node in self._graph.nodes if kinds[node.operator] == "source"}
        self._order = [node.name for node in self._graph.service_nodes]
        self._order += [name for name in by_depth if name not in sources]
        self._sources = [node.name for node in self._graph.nodes if node.name in sources]

    # ── pause ──

    def pause(self, names: Iterable[str] = (), timeout_s: float | None = REACH_S) -> tuple[str, ...]:
        """Close gates, all if none is named; wait until they are reached. Who is still in user code after that."""
        handles = self._find_all(names)
        for handle in handles:
            handle.control.pause()
        self._dispatcher.gates_changed(f"pause: {', '.join(names) or 'all'}")
        return self._reach(handles, timeout_s)

    def wait_for_gates(self, timeout_s: float | None = REACH_S) -> None:
        """Wait until every closed gate is reached."""
        self._reach(list(self._handles.values()), timeout_s)

    def _reach(self, handles: list[Handle], timeout_s: float | None) -> tuple[str, ...]:
        """Wait until their gates are reached, or opened again by somebody else. Who is still in user code."""

        def late() -> list[str]:
            grips = [(handle.name, handle.control) for handle in handles]
            return [name for name, grip in grips if grip.is_paused() and not grip.reached()]

        return () if self._dispatcher.backend.wait_until(lambda: not late(), timeout_s) else tuple(late())

    def resume(self, names: Iterable[str] = ()) -> None:
        """Open gates, all if none is named."""
        for handle in self._find_all(names):
            handle.control.resume()
        self._dispatcher.gates_changed(f"resume: {', '.join(names) or 'all'}")

    # ── step ──

    def step(self, name: str | None, timeout_s: float | None) -> Step:
        """One turn of one task: the one named, or the one whose turn it is. Raises `NotPaused`, `UnknownName`."""
        if name is not None:
            grips = [handle.control for handle in self._find(name)]
            return next((grip for grip in grips if grip.is_paused() and grip.has_work()), grips[0]).step(timeout_s)
        grip = self._whose_turn(timeout_s)
        return Step("idle") if grip is None else grip.step(timeout_s)

    def _whose_turn(self, timeout_s: float | None) -> Grip | None:
        paused = [handle.control for handle in self._handles.values() if handle.control.is_paused()]
        if not paused:
            raise NotPaused("nothing is paused, so everybody takes their turns themselves; pause() first")
        # The step before may have given somebody room, or a reply: what he makes of it is to be seen.
        self._dispatcher.backend.wait_until(
            lambda: all(grip.reached() for grip in paused),
            _AT_REST_S if timeout_s is None else min(timeout_s, _AT_REST_S),
        )
        for name in (*self._order, *self._sources):
            grip = self._handles[name].control
            if grip.is_paused() and grip.can_step():
                return grip
        return None

    def step_through(self, until: Callable[[Step], object], timeout_s: float | None) -> list[Step]:
        """Step, whoever's turn it is, until `until(step)` or nobody can. The steps. Raises `NotPaused`."""
        deadline = math.inf if timeout_s is None else monotonic() + timeout_s
        steps: list[Step] = []
        while (left_s := deadline - monotonic()) > 0:
            step = self.step(None, None if left_s == math.inf else left_s)
            if step.result == "idle":
                break
            steps.append(step)
            if until(step):
                break
        return steps

    def follow(self, packet: Packet, timeout_s: float | None) -> Path:
        """Step one packet, and all that is made of it, to the end.

        Raises `NotPaused`, `PacketGone`, `TimeoutError`.
        """
        return self._follow(packet, math.inf if timeout_s is None else monotonic() + timeout_s)

    def _follow(self, packet: Packet, deadline: float) -> Path:
        grip, place = self._grip(packet)
        number = grip.number_of(place)
        while (left_s := deadline - monotonic()) > 0:
            step = self._finish(grip.step(None if left_s == math.inf else left_s), grip, deadline)
            taken = step.packet.place if step.packet is not None else None
            if taken is not None and (taken.lane, taken.number) == (place.lane, number):
                return Path(
                    step, tuple(self._follow(sent, deadline) for _, sent in step.sent if sent.place is not None)
                )
            if step.result == "idle":
                raise PacketGone(f"{packet!r} is not in the queue of {packet.task!r} any more")
        raise TimeoutError(f"{packet!r} has not come through {packet.task!r} in time")

    def _finish(self, step: Step, grip: Grip, deadline: float) -> Step:
        """Where a packet is held back or waits, let others have their turns until it is done."""
        while step.result in ("held_back", "waiting", "running") and monotonic() < deadline:
            left_s = max(0.0, deadline - monotonic()) if deadline < math.inf else None
            other = self._whose_turn(left_s)
            if other is not None:
                other.step(left_s)
            step = grip.step(_LOOK_S)
        return step

    # ── look ──

    def peek(self, name: str, first: int, last: int) -> QueueView:
        """The packets that wait for a task, or for all tasks of an operator, one after the other."""
        views = [handle.control.peek(first, last) for handle in self._find(name)]
        if len(views) == 1:
            return views[0]
        packets = [packet for view in views for packet in view]
        return QueueView(name, packets, sum(view.depth for view in views), sum(view.capacity for view in views))

    def tap(self, name: str) -> Tap:
        """What collects the packets that pass."""
        handles = self._find(name)
        mine: list[Callable[[Step], None]] = []

        def show(tap: Callable[[Step], None] | None) -> None:
            with self._changing:
                added, removed = ([tap], []) if tap is not None else ([], mine)
                for handle in handles:
                    taps = self._taps.get(handle.name, [])
                    self._taps[handle.name] = [each for each in taps if each not in removed] + added
                    handle.control.set_tap(_to_all(self._taps[handle.name]))
                mine[:] = added

        return Tap(name, show)

    def breakpoint(self, name: str, when: Callable[[Any], object] | None) -> Breakpoint:
        """Stop the job before packets of a task. Raises `UnknownName`, `CommandRefused` for sources and services."""
        tasks = [handle.name for handle in self._find(name)]
        found = Breakpoint(name, when, lambda: self._remove_breakpoint(found, tasks))
        with self._changing:
            for task in tasks:
                breakpoints = [*self._breakpoints.get(task, ()), found]
                self._set_breaks(task, breakpoints)
                self._breakpoints[task] = breakpoints
        return found

    def _remove_breakpoint(self, found: Breakpoint, tasks: list[str]) -> None:
        with self._changing:
            for task in tasks:
                self._breakpoints[task] = [each for each in self._breakpoints[task] if each is not found]
                self._set_breaks(task, self._breakpoints[task])

    def _set_breaks(self, task: str, breakpoints: list[Breakpoint]) -> None:
        """Let the task ask `breakpoints` before each packet; on its own thread, one packet at a time."""
        matching: list[Breakpoint] = []

        def breaks(packet: Packet) -> bool:
            matching.clear()
            for each in breakpoints:
                matching[:] = [each]
                if each.matches(packet):
                    return True
            return False

        def broke(packet: Packet, error: BaseException | None) -> None:
            for handle in self._handles.values():
                handle.control.pause()
            why = "" if error is None else f"; its condition {failure_text(packet.payload, error)}"
            self._dispatcher.gates_changed(f"breakpoint at {task} before {packet.text}{why}")
            matching[0].hit(packet, error)

        self._handles[task].control.set_breaks(breaks if breakpoints else None, broke)

    # ── edit ──

    def edit(self, packet: Packet, value: Any) -> None:
        """Let a waiting packet have another payload, and key. Raises `CommandRefused` if it then belongs elsewhere."""
        grip, place = self._grip(packet)
        grip.edit(place, self._item(packet, place, value))
        self._remember(packet.task)

    def drop(self, packet: Packet) -> None:
        """Take a waiting packet out of its queue; it counts as dropped."""
        grip, place = self._grip(packet)
        grip.drop(place)
        self._remember(packet.task)

    def move(self, packet: Packet, to: int) -> None:
        """Move a waiting packet within its lane, to index `to`."""
        grip, place = self._grip(packet)
        grip.move(place, to)
        self._remember(packet.task)

    def undo(self) -> None:
        """Take back the last change. Raises `CommandRefused` if there is none, `PacketGone` if it is too late."""
        with self._changing:
            if not self._edited:
                raise CommandRefused("nothing was changed by hand that could be undone")
            try:
                self._handles[self._edited[-1]].control.undo()
            except (PacketGone, TaskEnded):  # it can never be taken back any more; the one before it perhaps can
                self._edited.pop()
                raise
            self._edited.pop()

    def _remember(self, task: str) -> None:
        with self._changing:
            self._edited.append(task)

    def _item(self, packet: Packet, place: Place, value: Any) -> Any:
        """What lies in the lane for `value` in place of the packet."""
        operator = self._operator_of.get(packet.task)
        if operator is None:
            return value
        edge = next((edge for edge in self._graph.inputs(operator) if edge.input == packet.input), None)
        if packet.keyed and edge is not None and edge.key is not None:
            key = edge.key(value)
            owner = Partition(self._graph.tasks(operator)).find(key)
            if owner != packet.task:
                raise CommandRefused(
                    f"with key {preview(key)} the packet would belong to {owner!r}, not to {packet.task!r}; drop it "
                    f"and inject({operator!r}, …)"
                )
            value = (key, value)
        several = len(self._graph.input_numbers(operator)) > 1
        return (packet.input, value) if several and place.lane == 0 else value

    # ── state ──

    def state(self, name: str) -> Any:
        """What a task remembers; of an operator with several, by key where it is keyed, else by task."""
        states = {handle.name: handle.control.state() for handle in self._find(name)}
        if len(states) == 1:
            return next(iter(states.values()))
        if self._is_keyed(name):
            return {key: value for state in states.values() for key, value in state.items()}
        return states

    def set_state(self, name: str, key: Any, value: Any) -> None:
        """Let a paused task remember `value` for `key`; of a keyed operator, the task that the key belongs to."""
        handles = self._find(name)
        if len(handles) > 1 and not self._is_keyed(name):
            raise GraphInvalid(f"{name!r} has {len(handles)} tasks, each with a state of its own; name one of them")
        owner = Partition(handles).find(key) if len(handles) > 1 else handles[0]
        owner.control.set_state(key, value)

    # ── inside ──

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
        """Raises `PacketGone` if it was not seen in a queue that stood still."""
        handle = self._handles.get(packet.task)
        if handle is None or packet.place is None:
            raise PacketGone(
                f"{packet!r} is in no queue, or was seen while its task ran; pause, then take it from peek()"
            )
        return handle.control, packet.place

    def _is_keyed(self, name: str) -> bool:
        return any(edge.strategy == "hash" for edge in self._graph.inputs(self._operator_of.get(name, name)))


def _to_all(taps: list[Callable[[Step], None]]) -> Callable[[Step], None] | None:
    """One tap for several; None for none."""

    def show(step: Step) -> None:
        for tap in taps:
            tap(step)

    return show if taps else None


_AT_REST_S: Final = 1.0  # how long whoever is at work is waited for before it is said whose turn it is
_LOOK_S: Final = 0.05  # how long a packet under way is waited for before others get their turns again
