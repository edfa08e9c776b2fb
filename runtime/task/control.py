"""The hand's grip on one task: pause, step, look, edit. Every call goes by value, so it may come from anywhere.

What is edited lies in the queue of a task that stands at its closed gate; the gate's lock keeps it there meanwhile.
Writers may still append: an edit never makes a lane longer, and each is one step under the GIL.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from runtime.communication.inbox import Inbox
from runtime.communication.lane import Lane
from runtime.communication.packet import Packet, Place
from runtime.errors import CommandRefused, NotPaused, PacketGone, TaskEnded
from runtime.facts import TaskState
from runtime.operators import Operator, Source
from runtime.step import QueueView, Result, Step
from runtime.task.guard import Guard
from runtime.task.passing import MID_PACKET, Passing, Turn

if TYPE_CHECKING:
    from runtime.task.base_task import BaseTask

Breaks = Callable[[Packet], object]
Broke = Callable[[Packet], None]


class _Change(NamedTuple):
    """What was done to a lane: by it, older places are found again.

    `removed`, `moved` to the number `to`, or `inserted` again. `undoes` is which change of the lane it takes back.
    """

    what: str
    number: int
    to: int = 0
    undoes: int = -1


class TaskControl:
    """The hand's grip on one task. Any thread may use it; the gate's lock guards what is changed here."""

    def __init__(self, task: BaseTask) -> None:
        self._task = task
        self._undo: list[Callable[[], None]] = []
        self._stepping = threading.Lock()  # guards that steps come one by one, each with a turn of its own
        self._turn: Turn | None = None  # the one that was given last, until it has been told what it came to
        self._told_running = False  # of that one: that user code is still at it
        self._let_pass: Place | None = None  # of the packet that a breakpoint has stopped at already

    # ── pause and step ──

    def pause(self) -> None:
        """Close the gate, behind the packet in work. Returns at once; `reached` says when."""
        self._task.gate.close()

    def resume(self) -> None:
        """Open the gate."""
        self._turn = None  # what a turn under way comes to, nobody asks any more
        self._task.gate.open()

    def reached(self) -> bool:
        """Whether no user code is at work."""
        return self._task.gate.reached()

    def is_paused(self) -> bool:
        """Whether its gate is closed."""
        return self._task.gate.closed

    def is_held(self) -> bool:
        """Whether it has something to do, and its closed gate is all that it waits for."""
        gate = self._task.gate
        return gate.closed and gate.doing == "paused" and gate.turn is None and self.has_work()

    def has_work(self) -> bool:
        """Whether there is something that a turn could be used for; a source always has."""
        task = self._task
        return task.ending is None and (isinstance(_bare(task.operator), Source) or task.inbox.ready())

    def can_step(self) -> bool:
        """Whether a turn would do something; one that is under way needs no other."""
        return self._turn is None and self.has_work() and self._task.gate.doing not in MID_PACKET

    def is_under_way(self) -> bool:
        """Whether a turn was given of which nobody has been told yet how it ended."""
        return self._turn is not None

    def has_news(self) -> bool:
        """Whether such a turn is over by now."""
        return (turn := self._turn) is not None and turn.over

    def is_at_rest(self) -> bool:
        """Whether nothing of it moves, or it was told already that its user code goes on."""
        turn = self._turn
        return self._task.gate.at_its_place() or (turn is not None and self._told_running and not turn.over)

    def number_of(self, place: Place) -> int:
        """Which packet of its lane the packet of this place is now. Raises `PacketGone` if it is not there any more."""
        number = self._find(place)
        if number < self._task.inbox.lanes[place.lane].taken:
            raise PacketGone("the packet has been worked already; nothing about it can be changed any more")
        return number

    def step(self, timeout_s: float | None) -> Step:
        """One turn, waited for. Raises `NotPaused`.

        A packet that is held back or waits in mid-packet keeps its turn: further steps say so until it is done.
        """
        with self._stepping:
            return self._step(timeout_s)

    def _step(self, timeout_s: float | None) -> Step:
        gate, name = self._task.gate, self._task.name
        if self._task.ending is not None and self._turn is None:
            return Step("idle", name)
        if not gate.closed:
            raise NotPaused(f"{name!r} is not paused, so it takes its turns itself; pause({name!r}) first")
        turn = self._turn
        if turn is None:
            if not gate.wait_for(gate.reached, timeout_s):
                return Step("running", name, doing=gate.doing)
            if (doing := gate.doing) in MID_PACKET:
                return Step(_WAITS[doing], name, doing=doing)
            if not self.has_work():
                return Step("idle", name)
            turn = self._turn = gate.grant()
        gate.wait_for(lambda: turn.over or (turn.began and self._waits_on()), timeout_s)
        if turn.over:
            self._turn = None
            return self._as_step(turn.passing)
        step = self._as_step(gate.passing, gate.doing)
        self._told_running = step.result == "running"
        return step

    def _waits_on(self) -> bool:
        gate = self._task.gate
        return gate.doing in MID_PACKET and not gate.has_come()

    def _as_step(self, passing: Passing | None, doing: TaskState | None = None) -> Step:
        """What a turn came to; while it is not over, `doing` is what the task does now."""
        task = self._task
        result: Result
        if doing is not None:
            result = _WAITS.get(doing, "running")
        if passing is None:
            return Step("idle" if doing is None else result, task.name, doing=doing)
        if doing is None:
            over = passing.signal is not None or (passing.ending is not None and passing.packet is None)
            result = "stop" if over else "done"
            if not over and passing.packet is None and not isinstance(_bare(task.operator), Source):
                result = "idle"  # what it was given for was taken away meanwhile
        signal = (passing.signal.producer, passing.signal.how) if passing.signal is not None else None
        return Step(
            result,
            task.name,
            passing.packet,
            tuple(passing.sent),
            passing.error,
            signal,
            passing.ending,
            several_inputs=_bare(task.operator).wants_input,
            sends=bool(task.lanes_out),
            heard=passing.heard,
            doing=doing,
        )

    # ── look ──

    def set_tap(self, tap: Callable[[Step], None] | None) -> None:
        """Show every step from the next packet on; None: no more."""
        self._task.gate.set_taps(() if tap is None else (lambda passing: tap(self._as_step(passing)),))

    def set_breaks(self, breaks: Breaks | None, broke: Broke) -> None:
        """Before each packet, ask `breaks`, which raises nothing; if it says yes, close the gate and tell `broke`."""
        if isinstance(_bare(self._task.operator), Source):
            raise CommandRefused(
                f"{self._task.name!r} is a source and has no packets to stop before; stop its consumer"
            )
        self._task.gate.set_breaks(None if breaks is None else lambda: self._is_hit(breaks, broke))

    def _is_hit(self, breaks: Breaks, broke: Broke) -> bool:
        packet = self._task.front()
        if packet is None or packet.place is None or self._has_stopped_before(packet.place) or not breaks(packet):
            return False
        self._let_pass = packet.place
        self._task.gate.close()
        broke(packet)
        return True

    def _has_stopped_before(self, place: Place) -> bool:
        """Whether a breakpoint has stopped at the packet of this place, which may have been moved since."""
        if (before := self._let_pass) is None or before.lane != place.lane:
            return False
        try:
            return self._find(before) == place.number
        except PacketGone:
            return False

    def peek(self, first: int, last: int) -> QueueView:
        """The first and the last packets of each lane, lane by lane; of a paused task exact."""
        task = self._task
        packets: list[Packet] = []
        depth = 0
        for number, lane in enumerate(task.lanes_in):
            items, taken = list(lane.items), lane.taken
            depth += len(items)
            version = len(lane.changes)
            for index, item in enumerate(items):
                packets.append(task.packet(lane, item, Place(number, taken + index, version)))
        several = _bare(task.operator).wants_input
        left_out = None
        if len(packets) > first + last:
            packets, left_out = packets[:first] + packets[len(packets) - last :], first
        capacity = task.ctx.wiring.node.capacity
        return QueueView(task.name, packets, depth, capacity, left_out=left_out, several_inputs=several)

    # ── edit ──

    def edit(self, place: Place, item: Any) -> None:
        """Put another item in the place of a packet. Raises `NotPaused`, `PacketGone`."""
        with self._grip(place) as (inbox, lane, number):
            before = inbox.exchange(lane, number - lane.taken, item)
            again = self._now(place)
            self._undo.append(lambda: self._edit_back(again, before))

    def drop(self, place: Place) -> None:
        """Take a packet out; it counts as dropped. Raises `NotPaused`, `PacketGone`."""
        with self._grip(place) as (inbox, lane, number):
            item = inbox.remove(lane, number - lane.taken)
            lane.changes.append(_Change("removed", number))
            again = Place(place.lane, number, len(lane.changes))
            self._undo.append(lambda: self._put_back(again, item))
        self._task.gate.nudge()  # there is room now, for a producer that may be held back

    def move(self, place: Place, to: int) -> None:
        """Move a packet within its lane, to `to` counted from the front. Raises `NotPaused`, `PacketGone`."""
        with self._grip(place) as (inbox, lane, number):
            index = number - lane.taken
            if not 0 <= to < len(lane.items):
                raise CommandRefused(f"index {to} is outside of the lane, which holds {len(lane.items)} packets")
            inbox.shift(lane, index, to)
            target = lane.taken + to
            lane.changes.append(_Change("moved", number, target))
            again = Place(place.lane, target, len(lane.changes))
            self._undo.append(lambda: self._move_back(again, number))

    def undo(self) -> None:
        """Take back the last change that has not been taken back. Raises `NotPaused`, `PacketGone`, `QueueFull`."""
        if not self._undo:
            raise CommandRefused(f"nothing was changed in the queue of {self._task.name!r} that could be undone")
        back = self._undo[-1]
        try:
            back()
        except (PacketGone, TaskEnded):  # it never can be undone any more; the one before may be
            self._undo.remove(back)
            raise
        self._undo.remove(back)

    def _edit_back(self, place: Place, item: Any) -> None:
        with self._grip(place) as (inbox, lane, number):
            inbox.exchange(lane, number - lane.taken, item)

    def _put_back(self, place: Place, item: Any) -> None:
        with self._task.gate.at_rest(self._task.name):
            inbox, lane = self._task.inbox, self._task.inbox.lanes[place.lane]
            number = max(self._slot(place, place.number), lane.taken - 1)  # to the front, if its neighbours are gone
            inbox.put_back(lane, number - lane.taken + 1, item)
            lane.changes.append(_Change("inserted", number, undoes=place.version - 1))

    def _move_back(self, place: Place, number: int) -> None:
        with self._grip(place) as (inbox, lane, now):
            to = self._slot(place, number)
            if to < lane.taken:
                raise PacketGone("the place that the packet was moved from has been worked; it cannot go back")
            inbox.shift(lane, now - lane.taken, to - lane.taken)
            lane.changes.append(_Change("moved", now, to, place.version - 1))

    def _grip(self, place: Place) -> _Grip:
        return _Grip(self, self._task, place)

    def _changes(self, place: Place) -> list[_Change]:
        return self._task.inbox.lanes[place.lane].changes

    def _now(self, place: Place) -> Place:
        return Place(place.lane, self._find(place), len(self._changes(place)))

    def _find(self, place: Place) -> int:
        """The number that the packet has now. Raises `PacketGone`."""
        number, dropped = place.number, -1
        for version, change in enumerate(self._changes(place)[place.version :], place.version):
            if dropped >= 0:
                if change.undoes == dropped:  # the drop was undone
                    number, dropped = change.number, -1
            elif change.what == "removed" and change.number == number:
                dropped = version
            else:
                number = _moved(number, change)
        if dropped >= 0:
            raise PacketGone("the packet was dropped by hand")
        return number

    def _slot(self, place: Place, number: int) -> int:
        """Where by now that place of the lane is that was `number` at `place.version`.

        What has been taken back counts for nothing: a place, unlike a packet, would not come back from there.
        """
        changes = self._changes(place)
        undone = {change.undoes for change in changes}
        for version, change in enumerate(changes[place.version :], place.version):
            if version not in undone and change.undoes < 0:
                number = _moved(number, change)
        return number

    # ── state ──

    def state(self) -> Any:
        """What the operator remembers: per key on a keyed input, else of the instance."""
        operator, ctx = _bare(self._task.operator), self._task.ctx
        if operator.remembers:
            return operator.remembered()
        states = list(ctx.states.items())  # in one step: the task may be at work
        return {key: dict(state) for key, state in states} if ctx.wiring.keyed else dict(ctx.states[None])

    def set_state(self, key: Any, value: Any) -> None:
        """Let it remember something else. Raises `NotPaused`, `CommandRefused`."""
        operator, ctx = _bare(self._task.operator), self._task.ctx
        with self._task.gate.at_rest(self._task.name):
            if operator.remembers:
                operator.remember(key, value)
            elif not ctx.wiring.keyed:
                ctx.states[None][key] = value
            elif not isinstance(value, dict):
                raise CommandRefused(f"the state of a key is a mapping; give a dict for key {key!r} of {ctx.name!r}")
            else:
                ctx.states[key] = dict(value)


class _Grip:
    """A packet of a paused task, held while it is changed: its queue, its lane, and the number that it has there."""

    def __init__(self, control: TaskControl, task: BaseTask, place: Place) -> None:
        self._control, self._place, self._task = control, place, task
        self._rest = task.gate.at_rest(task.name)

    def __enter__(self) -> tuple[Inbox, Lane, int]:
        if self._task.ending is not None:
            raise TaskEnded(f"{self._task.name!r} has ended; its queue cannot be changed any more")
        self._rest.__enter__()
        try:
            inbox = self._task.inbox
            lane = inbox.lanes[self._place.lane]
            number = self._control._find(self._place)
            if number < lane.taken:
                raise PacketGone("the packet has been worked already; nothing about it can be changed any more")
        except BaseException:
            self._rest.__exit__(None, None, None)
            raise
        return inbox, lane, number

    def __exit__(self, *_: object) -> None:
        self._rest.__exit__(None, None, None)


def _moved(number: int, change: _Change) -> int:
    """What a packet's number is behind a change of another packet of its lane.

    A packet that is removed counts as taken, so those before it move up by one; one that is put back, the other way.
    """
    if change.what == "removed":
        return number + 1 if number < change.number else number
    if change.what == "inserted":
        return number - 1 if number <= change.number else number
    if number == change.number:
        return change.to
    if change.number < number <= change.to:
        return number - 1
    return number + 1 if change.to <= number < change.number else number


def _bare(operator: Operator) -> Operator:
    return operator.inner if isinstance(operator, Guard) else operator


_WAITS: dict[TaskState, Result] = {"held back": "held_back", "waiting": "waiting", "backing off": "waiting"}
