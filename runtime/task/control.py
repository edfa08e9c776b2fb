"""How a person controls one task: pause, step, look, edit. Every call goes by value, so it may come from anywhere.

What is edited lies in the queue of a task that stands at its closed gate; the gate's lock keeps it there meanwhile.
Writers may still append: an edit never makes a lane longer, and each is one step under the GIL.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from typing import TYPE_CHECKING, Any, Final

from runtime.communication.lane import Lane
from runtime.communication.order import has_left, index_of, number_at, waiting
from runtime.communication.packet import HAND_LANE, Packet, Place
from runtime.communication.signals import Signal
from runtime.context.worker_control import Broke, Condition, Errand, Met, TaskCommand, WorkerControl
from runtime.errors import CommandRefused, NotPaused, PacketGone, TaskEnded
from runtime.facts import SignalFacts, TaskState
from runtime.operators import Operator, Source
from runtime.origins.made import Entry
from runtime.python.asynchronous import refuse_coroutine
from runtime.python.stacks import Stack
from runtime.scheduling.command import Answer
from runtime.scheduling.gate import Turn
from runtime.scheduling.parker import MID_PACKET
from runtime.scheduling.stopwatch import RATED_REPEAT
from runtime.scheduling.waiting import Until, Waiting
from runtime.scheduling.worker_state import WorkerState
from runtime.step import QueueView, Result, Step
from runtime.task.hold_guard import Fault, HoldGuard
from runtime.task.mending import Mending
from runtime.task.policy_operator import PolicyOperator
from runtime.task.step_record import StepRecord, TurnMemory

if TYPE_CHECKING:
    from runtime.task.base_task import BaseTask

_MAX_BACKS: Final = 1_000  # of one queue; no list of changes keeps more


class TaskControl(WorkerControl):
    """Controls one task. One thread changes things by it; the gate's lock keeps the task away meanwhile."""

    def __init__(self, task: BaseTask) -> None:
        self._task = task
        self.helper = task.parker
        self._backs: dict[int, Callable[[], None]] = {}  # what takes a change back, by its number
        self._numbers = count()
        self._dropped: set[Place] = set()  # by hand, and not put back
        self._turn: Turn | None = None  # the one that was given last, until it has been told what it came to
        self._told_running = False  # of that one: that user code is still at it
        self._mending = Mending(task)
        self._let_pass: set[Place | None] = set()  # of what comes, where a breakpoint has stopped at already

    # ── pause and step ──

    def pause(self) -> None:
        """Close the gate, behind the packet in work. Returns at once; `now` says when it is reached."""
        self._task.gate.close()

    def resume(self) -> None:
        """Open the gate."""
        self._task.gate.open()
        self._turn = None  # what a turn under way comes to, nobody asks any more

    def remember_by(self, memory_of: Callable[[Any], Callable[[], TurnMemory | None]]) -> bool:
        """Let what `memory_of` makes of its task remember each turn of the hand from now on."""
        self._task.gate.remember_by(memory_of(self._task))
        return True

    def forget_turn(self) -> None:
        """What its last turn came to, nobody asks any more: it was taken back."""
        self._turn = None

    def release(self) -> None:
        """After the close of the session: forget what could be undone, and the last step."""
        self._backs.clear()
        self._turn = None

    def now(self) -> WorkerState:
        """Where it stands at this moment."""
        task, turn = self._task, self._turn
        gate, doing = task.gate, task.parker.doing
        in_place = gate.at_its_place()
        return WorkerState(  # in order: names take longer, and this is asked again and again while somebody steps
            gate.closed,
            in_place or gate.reached(),
            in_place,
            self._has_work(),
            doing == "paused" and gate.turn is None,
            doing not in MID_PACKET,
            "none" if turn is None else "over" if turn.over else "given",
            in_place or self._is_let_be(),
        )

    def rests(self) -> bool:
        """What `WorkerState.rests` says, by itself: it is asked of all at each step."""
        return self._task.gate.at_its_place() or self._is_let_be()

    @property
    def _several_inputs(self) -> bool:
        return _bare(self._task.operator).wants_input

    def _is_let_be(self) -> bool:
        """Whether nobody waits for it, though it moves."""
        turn = self._turn
        return not self._task.gate.closed or (self._told_running and turn is not None and not turn.over)

    def _has_work(self) -> bool:
        """Whether there is something that a turn could be used for; a source always has."""
        return self._task.has_work()

    def number_of(self, place: Place) -> int:
        """Which packet of its lane it is. Raises `PacketGone` if it does not wait any more."""
        if index_of(self._task.inbox.lanes[place.lane], place.number) is None:
            raise self._gone(place)
        return place.number

    def step(self, deadline: float) -> Waiting[Step]:
        """One turn, waited for. Raises `NotPaused`.

        A packet that is held back or waits in mid-packet keeps its turn: further steps say so until it is done.
        """
        gate, parker, name = self._task.gate, self._task.parker, self._task.name
        if self._task.ending is not None and self._turn is None:
            return Step("idle", name)
        if not gate.closed:
            raise NotPaused(f"{name!r} is not paused, so it takes its turns itself; pause({name!r}) first")
        turn = self._turn
        if turn is None:
            if not self._is_at_gate() and not (yield Until(self._is_at_gate, deadline, by_tasks=True)):
                return Step("running", name, doing=parker.doing)
            if (doing := parker.doing) in MID_PACKET:
                return self._as_step(None, doing)
            turn = self._turn = gate.grant(self._has_work)
            if turn is None:
                return Step("idle", name)
        given = turn
        # Once the turn is over, until the task is at its gate again: a look less.
        yield Until(
            lambda: (self._is_in_place() or not gate.closed) if given.over else self._waits_on(given),
            deadline,
            by_tasks=True,
        )
        if turn.over:
            self._turn = None
            return self._as_step(turn.record)
        step = self._so_far(turn)
        self._told_running = step.result == "running" or turn.taker is None  # it waits until its packet may begin
        return step

    def _is_at_gate(self) -> bool:
        """Whether a turn that is given now is all that it waits for, or it waits in mid-packet."""
        return self._task.gate.reached()

    def _is_in_place(self) -> bool:
        """Whether, besides, it is not on its way there."""
        return self._task.gate.at_its_place()

    def _waits_on(self, turn: Turn) -> bool:
        """Whether what has begun by this turn waits for others."""
        taker = turn.taker
        return taker is not None and taker.doing in MID_PACKET and not taker.has_come()

    def _so_far(self, turn: Turn) -> Step:
        """What a turn has come to that is not over."""
        return self._as_step(self._task.gate.record, self._task.parker.doing)

    def _as_step(self, record: StepRecord | None, doing: TaskState | None = None) -> Step:
        """What a turn came to; while it is not over, `doing` is what the task does now."""
        task = self._task
        result: Result
        if doing is not None:
            result = _WAITS.get(doing, "running")
            doing = "held back: rate" if doing == RATED_REPEAT else doing
        if record is None:
            return Step("idle" if doing is None else result, task.name, doing=doing)
        if doing is None:
            stopped = record.arrival is not None and record.arrival.signal.is_last
            over = stopped or (record.ending is not None and not record.packets)
            result = "stop" if over else "held" if record.is_held else "done"
            if not over and not record.has_something():
                result = "idle"  # what it was given for was taken away meanwhile; or a source has nothing yet
        arrival = record.arrival
        return Step(
            result,
            task.name,
            next(iter(record.packets), None),
            tuple(record.sent),
            record.error,
            None if arrival is None else (arrival.producer, arrival.signal.text),
            record.ending,
            several_inputs=self._several_inputs,
            sends=bool(task.lanes_out),
            heard=None if arrival is None else arrival.heard,
            doing=doing,
            more=tuple(record.packets[1:]),
        )

    # ── look ──

    def set_tap(self, tap: Callable[[Step], None] | None) -> None:
        """Show every step from the next packet on; None: no more."""
        self._task.gate.set_taps(() if tap is None else (lambda record: tap(self._as_step(record)),))

    def set_breaks(self, conditions: Sequence[Condition], broke: Broke) -> None:
        """Before each packet, close the gate if one of `conditions` is met, or raises, and tell `broke` which."""
        if isinstance(_bare(self._task.operator), Source):
            raise CommandRefused(
                f"{self._task.name!r} is a source and has no packets to stop before; stop its consumer"
            )
        self._task.gate.set_breaks((lambda: self._is_hit(conditions, broke)) if conditions else None)

    def _is_hit(self, conditions: Sequence[Condition], broke: Broke) -> bool:
        coming = self._task.coming()
        for packet in coming:
            if packet.place not in self._let_pass and (met := _met(conditions, packet)):
                self._let_pass = {each.place for each in coming if each.place in self._let_pass} | {packet.place}
                self._task.gate.close()
                broke(packet, met)
                return True
        return False

    def peek(self, first: int, last: int) -> QueueView:
        """The first and the last packets of each lane, lane by lane; of a paused task exact."""
        task = self._task
        queue = task.gate.look(lambda: [_seen(lane) for lane in task.lanes_in])
        packets: list[Packet] = []
        signals: list[SignalFacts] = []
        for at, (lane, (waiting_items, between)) in enumerate(zip(task.lanes_in, queue, strict=True)):
            signals += [SignalFacts(len(packets) + index, lane.producer, signal.text) for index, signal in between]
            packets += [task.packet(lane, item, Place(at, number)) for item, number in waiting_items]
        depth, left_out = len(packets), None
        if depth > first + last:
            packets, left_out = packets[:first] + packets[depth - last :], first
        capacity, several = task.ctx.wiring.node.capacity, self._several_inputs
        return QueueView(
            task.name,
            packets,
            depth,
            capacity,
            signals=signals,
            left_out=left_out,
            several_inputs=several,
            open=task.open_packets(),
        )

    def stacks(self) -> list[Stack | None]:
        """Where its thread is at work now."""
        return self._task.stacks()

    def ask(self, what: TaskCommand, *arguments: Any) -> Any:
        """One of the methods below."""
        return getattr(self, what)(*arguments)

    # ── edit ──

    def edit(self, place: Place, item: Any) -> int:
        """Put another item in the place of a packet; the number of the change. Raises `NotPaused`, `PacketGone`."""
        with self._grip(place) as (lane, index):
            before = lane.exchange(index, self._task.format(lane).exchanged(lane.items[index], item))
            return self._changed(lambda: self._edit_back(place, before))

    def drop(self, place: Place) -> int:
        """Take a packet out; it counts as dropped. Raises `NotPaused`, `PacketGone`."""
        with self._grip(place) as (lane, index):
            ahead, signals = set(waiting(lane)[:index]), lane.signals_before(index)
            item = self._task.inbox.hand.remove(lane, index)
            self._dropped.add(place)
            self._has_left(item, lane)
            return self._changed(lambda: self._put_back(place, item, ahead, signals))

    def move(self, place: Place, to: int) -> int:
        """Move a packet within its lane, to `to` counted from the front. Raises `NotPaused`, `PacketGone`.

        Raises `CommandRefused` if there is no such place, or a signal between.
        """
        with self._grip(place) as (lane, index):
            if not 0 <= to < len(lane.items):
                raise CommandRefused(f"index {to} is outside of the lane, which holds {len(lane.items)} packets")
            if lane.signals_before(index) != lane.signals_before(to):
                raise CommandRefused(
                    "a signal stands between the packet and that place, and what is in front of a signal stays there; "
                    f"move it among those on its side of the signal, or drop() it and inject({self._task.name!r}, …)"
                )
            ahead = set(waiting(lane)[:index])
            lane.move(index, to)
            return self._changed(lambda: self._move_back(place, ahead))

    def _changed(self, back: Callable[[], None]) -> int:
        number = next(self._numbers)
        self._backs[number] = back
        if len(self._backs) > _MAX_BACKS:
            del self._backs[next(iter(self._backs))]
        return number

    def undo(self, change: int) -> None:
        """Take back the change of this number. Raises `NotPaused`, `PacketGone`, `QueueFull`."""
        if (back := self._backs.get(change)) is None:
            raise CommandRefused(f"the change in the queue of {self._task.name!r} cannot be taken back any more")
        try:
            back()
        except (PacketGone, TaskEnded):  # nor ever can be
            del self._backs[change]
            raise
        del self._backs[change]

    def retract(self, number: int) -> None:
        """Take back the packet that the hand put in as this one. Raises `NotPaused`, `PacketGone`, `TaskEnded`."""
        with self.retracting(number) as retract:
            retract()

    @contextmanager
    def retracting(self, number: int) -> Iterator[Callable[[], None]]:
        """What takes back the packet that the hand put in as this one, and that waits meanwhile. Raises as `retract`.

        Behind the block, whoever waited for the room has to be nudged.
        """
        place = Place(HAND_LANE, number)
        if has_left(self._task.inbox.lanes[HAND_LANE], number):  # also of a task that runs, or has ended
            raise self._taken(place)
        self._refuse_ended()
        with self._task.gate.at_rest(self._task.name):
            self._refuse_ended()
            inbox = self._task.inbox
            if (index := index_of(inbox.hand.lane, number)) is None:
                raise self._taken(place)
            yield lambda: inbox.hand.retract(index)

    def _taken(self, place: Place) -> PacketGone:
        if place in self._dropped:
            return PacketGone("the injected packet was dropped by hand; nothing is left to be taken back")
        return PacketGone(
            f"the injected packet can be taken back no more: it has been taken by {self._task.name!r} already"
        )

    def _edit_back(self, place: Place, item: Any) -> None:
        with self._grip(place) as (lane, index):
            lane.exchange(index, item)

    def _put_back(self, place: Place, item: Any, ahead: set[int], signals: int) -> None:
        with self._task.gate.at_rest(self._task.name):
            self._refuse_ended()
            inbox, lane = self._task.inbox, self._task.inbox.lanes[place.lane]
            inbox.hand.put_back(lane, _behind(ahead, waiting(lane)), place.number, item, signals)
            self._is_back(item, lane)
            self._dropped.discard(place)

    def _has_left(self, item: Any, lane: Lane, error: BaseException | None = None) -> None:
        """Where packets say to which question they belong: one was taken out by hand, skipped because of `error`."""
        if (question := self._task.format(lane).question_of(item)) is not None:
            if error is not None:
                question.blame(error)
            question.leave()

    def _is_back(self, item: Any, lane: Lane) -> None:
        """It has been put back."""
        if (question := self._task.format(lane).question_of(item)) is not None:
            question.bear()

    def _move_back(self, place: Place, ahead: set[int]) -> None:
        with self._grip(place) as (lane, index):
            others = waiting(lane)
            del others[index]
            lane.move(index, _behind(ahead, others))

    @contextmanager
    def _grip(self, place: Place) -> Iterator[tuple[Lane, int]]:
        """The lane and the index of a packet of the paused task, which stays there meanwhile."""
        self._refuse_ended()
        with self._task.gate.at_rest(self._task.name):
            self._refuse_ended()
            lane = self._task.inbox.lanes[place.lane]
            if (index := index_of(lane, place.number)) is None:
                raise self._gone(place)
            yield lane, index

    def _gone(self, place: Place) -> PacketGone:
        if place in self._dropped:
            return PacketGone("the packet was dropped by hand; undo() puts the last one back")
        return PacketGone("the packet has been worked already; nothing about it can be changed any more")

    def _refuse_ended(self) -> None:
        if self._task.ending is not None:
            raise TaskEnded(f"{self._task.name!r} has ended; nothing of it can be changed any more")

    def is_at_rest(self) -> bool:
        """Whether it has nothing in work; False: it waits in mid-packet. Raises `NotPaused`, `TaskEnded`."""
        self._refuse_ended()
        try:
            with self._task.gate.at_rest(self._task.name):
                self._refuse_ended()
                return True
        except NotPaused as refusal:
            if self._task.gate.closed and not refusal.on_its_way:
                return False
            raise

    def end(self) -> None:
        """Its own thread: the task ends."""
        self._mending.end()

    def replace_later(self, functions: tuple[Any, ...]) -> None:
        """Let the task replace its functions when its packet is done. They are such that this cannot fail."""
        self._task.gate.send_on(lambda: self._mending.replace(functions))

    def have_done(self, what: Errand, *arguments: Any) -> Waiting[Any]:
        """Send the task on an errand, and wait until it is back. Raises what that raises, and `TaskEnded`."""
        task, inbox, answer = self._task, self._task.inbox, Answer()
        over: list[bool] = []

        def errand() -> None:
            inbox.call(False)
            try:
                answer.close(getattr(self._mending, what)(*arguments), None)
            except BaseException as error:  # noqa: BLE001  the border to user code; it is raised where it was asked for
                answer.close(None, error)
            over.append(True)
            task.parker.tell()

        task.gate.send_on(errand)
        inbox.call(True)
        yield Until(lambda: bool(over) or task.ending is not None)
        if not over:
            self._refuse_ended()
        return answer.result()

    # ── what is held ──

    def faults(self) -> list[Fault]:
        """What it holds under its policy, and why."""
        return self._task.gate.look(self._faults)

    def _faults(self) -> list[Fault]:
        guard = self._task.operator
        fault = guard.fault() if isinstance(guard, HoldGuard) and self._task.ending is None else None
        return [] if fault is None else [fault]

    def skip(self, place: Place) -> None:
        """Count the packet that is held as worked, and skipped. Raises `NotPaused`, `PacketGone`."""
        with self._grip(place) as (lane, index):
            fault = next((each for each in self._faults() if each[0].place == place), None)
            if fault is None:
                raise not_held()
            lane.move(index, 0)
            self._has_left(lane.items[0], lane, fault[1])
            self._task.inbox.drop(lane, 1)
            self._task.counts.work(1)
            self._task.counts.fail(skipped=1)

    # ── where packets come from ──

    def origins(self, numbers: Sequence[tuple[bool, int]]) -> list[Entry | None]:
        """In a traced job: its packets of these numbers, or those of the hand; None: forgotten. At any time."""
        made = self._task.made
        return [None] * len(numbers) if made is None else made.find(numbers)

    # ── state ──

    def state(self) -> Any:
        """What the operator remembers: per key on a keyed input, else of the instance."""
        return self._task.store.get()

    def set_state(self, key: Any, value: Any) -> None:
        """Let it remember something else. Raises `NotPaused`, `TaskEnded`, `CommandRefused`."""
        self._refuse_ended()
        with self._task.gate.at_rest(self._task.name):
            self._refuse_ended()
            self._task.store.set(key, value)


def not_held() -> PacketGone:
    """What to raise for a packet that is not held any more."""
    return PacketGone("the packet is not held any more; drop() takes any other out of its queue")


def _met(conditions: Sequence[Condition], packet: Packet) -> Met:
    """Ask all of them: once the task has stopped for one, no other is asked for this packet."""
    met: list[tuple[int, BaseException | None]] = []
    for index, condition in enumerate(conditions):
        try:
            if condition is None or refuse_coroutine(condition(packet.payload), "when of breakpoint"):
                met.append((index, None))
        except BaseException as error:  # noqa: BLE001  the border to user code
            met.append((index, error))
    return met


def _behind(ahead: set[int], numbers: list[int]) -> int:
    """The index right behind the last of those that were ahead of a packet; the front, if they are all gone."""
    return 1 + max((index for index, number in enumerate(numbers) if number in ahead), default=-1)


def _seen(lane: Lane) -> tuple[list[tuple[Any, int]], list[tuple[int, Signal]]]:
    """What waits in a lane, each with its number, and each signal with how many of them stand in front of it."""
    taken, items, signals = lane.look()
    packets = [(item, number_at(lane, position)) for position, item in enumerate(items, taken)]
    return packets, [(min(max(number - taken, 0), len(items)), signal) for number, signal in signals]


def _bare(operator: Operator) -> Operator:
    return operator.inner if isinstance(operator, PolicyOperator) else operator


_WAITS: dict[TaskState, Result] = {
    "held back": "held_back",
    "waiting": "waiting",
    "backing off": "waiting",
    "held back: rate": "held_back",
    RATED_REPEAT: "held_back",
    "held back: all busy": "held_back",
}
