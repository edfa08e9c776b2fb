"""CallControl: how a person controls a task whose function waits: its queue as any other's, and calls that are open.

A step begins one call, beside those that are under way, and waits for its end: they go on, and may send meanwhile.

A call that is held has left its lane. It is found by the place where it lay, and is changed, skipped and dropped as a
packet that waits there would be; `move` is refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from runtime.communication.lane import Lane
from runtime.communication.packet import Place
from runtime.errors import CommandRefused
from runtime.scheduling.gate import Turn
from runtime.scheduling.parker import MID_PACKET
from runtime.scheduling.worker_state import WorkerState
from runtime.step import Step
from runtime.task.awaiting.call import Call
from runtime.task.control import TaskControl, not_held
from runtime.task.hold_guard import Fault

if TYPE_CHECKING:
    from runtime.task.awaiting.feed import CallFeed
    from runtime.task.base_task import BaseTask


class CallControl(TaskControl):
    """Controls one task of which many calls are open."""

    def __init__(self, task: BaseTask, feed: CallFeed) -> None:
        super().__init__(task)
        self._feed, self._calls = feed, feed.calls

    def number_of(self, place: Place) -> int:
        """Which packet of its lane it is, or was. Raises `PacketGone` if it neither waits any more nor is held."""
        return super().number_of(place) if self._held_at(place) is None else place.number

    def edit(self, place: Place, item: Any) -> int:
        """Put another item in the place of a packet; the number of the change. Raises `NotPaused`, `PacketGone`."""
        if self._held_at(place) is None:
            return super().edit(place, item)
        with self._grip_of_call(place) as call:
            before = self._exchange(call, self._task.ctx.wiring.format.exchanged(call.item, item))
            return self._changed(lambda: self._exchange_back(place, before))

    def drop(self, place: Place) -> int:
        """Take a packet out; it counts as dropped. Raises `NotPaused`, `PacketGone`."""
        if self._held_at(place) is None:
            return super().drop(place)
        with self._grip_of_call(place) as call:
            before = self._calls.remove(call)
            self._task.counts.break_off(1)
            self._dropped.add(place)
            self._has_left(call.item, self._lane_of(place))
            return self._changed(lambda: self._put_call_back(call, before))

    def move(self, place: Place, to: int) -> int:
        """Move a packet within its lane. Raises `CommandRefused` if it has left its lane, as a call that is held."""
        if self._held_at(place) is None:
            return super().move(place, to)
        raise CommandRefused("the packet is no longer in its queue: it is held as a call, and is the first to be tried")

    def skip(self, place: Place) -> None:
        """Count the packet of a call that is held as skipped. Raises `NotPaused`, `PacketGone`."""
        with self._grip_of_call(place) as call:
            if (failure := call.fault()) is None:
                raise not_held()
            self._calls.remove(call)
            self._has_left(call.item, self._lane_of(place), failure.error)
            self._task.counts.fail(skipped=1)

    def _faults(self) -> list[Fault]:
        if self._task.ending is not None:
            return []
        held = [(call, failure) for call in self._calls.all_held() if (failure := call.fault()) is not None]
        return [(self._feed.packet_of(call), failure.error, failure.version) for call, failure in held]

    # ── a step beside calls that are under way ──

    def now(self) -> WorkerState:
        """Where it stands at this moment."""
        state = super().now()
        if not self._lets_go_on():
            return state
        return state._replace(takes_turns=state.takes_turns and self._feed.may_begin(), rests=True)

    def rests(self) -> bool:
        """What `WorkerState.rests` says, by itself."""
        return super().rests() or self._lets_go_on()

    def _lets_go_on(self) -> bool:
        """Whether all that it does is to wait, while calls go on."""
        parker = self._task.parker
        return self._calls.under_way > 0 and parker.doing in ("running", *MID_PACKET) and parker.is_waiting()

    def _is_at_gate(self) -> bool:
        return super()._is_at_gate() or self._lets_go_on()

    def _is_in_place(self) -> bool:
        return super()._is_in_place() or self._lets_go_on()

    def _waits_on(self, turn: Turn) -> bool:
        parker = self._task.parker
        if (call := self._call_of(turn)) is not None:
            return (call.is_over or call.room is not None) and parker.is_waiting()  # for an older one to be sent
        return turn.taker is not None and parker.doing in MID_PACKET and parker.is_waiting()

    def _so_far(self, turn: Turn) -> Step:
        parker = self._task.parker
        doing = parker.doing
        if (call := self._call_of(turn)) is None:  # it has not begun, or is being sent
            return self._as_step(self._task.gate.record if parker.turn is turn else None, doing)
        step = self._as_step(call.record, "running")
        return replace(step, result="waiting", doing=doing) if call.is_over or call.room is not None else step

    def _call_of(self, turn: Turn) -> Call | None:
        if self._task.parker.turn is turn:  # it is being sent
            return None
        return next((call for call in self._calls.all() if call.turn is turn), None)

    def is_at_rest(self) -> bool:
        """Whether no packet is in work. Raises as everywhere, and `CommandRefused` if a call stays at a result."""
        at_rest = super().is_at_rest()
        if at_rest and self._calls.streaming:
            raise CommandRefused(
                f"a call of {self._task.name!r} stays at a result, and its generator is of the function that there is; "
                "resume(), and replace it when that call is over, or before it begins"
            )
        return at_rest

    # ── a call that is held ──

    def _held_at(self, place: Place) -> Call | None:
        return next((call for call in self._calls.all_held() if call.place == place), None)

    @contextmanager
    def _grip_of_call(self, place: Place) -> Iterator[Call]:
        """A call that is held, of the paused task, which stays so meanwhile."""
        self._refuse_ended()
        with self._task.gate.at_rest(self._task.name):
            self._refuse_ended()
            if (call := self._held_at(place)) is None:
                raise not_held()
            yield call

    def _lane_of(self, place: Place) -> Lane:
        return self._task.inbox.lanes[place.lane]

    def _exchange(self, call: Call, item: Any) -> Any:
        return call.exchange(item, *self._feed.parts(item))

    def _exchange_back(self, place: Place, item: Any) -> None:
        with self._grip_of_call(place) as call:
            self._exchange(call, item)

    def _put_call_back(self, call: Call, before: tuple[Call, ...]) -> None:
        assert call.place is not None, "it was held"
        self._refuse_ended()
        with self._task.gate.at_rest(self._task.name):
            self._refuse_ended()
            self._calls.put_back(call, before)
            self._is_back(call.item, self._lane_of(call.place))
            self._task.counts.break_off(-1)
            self._dropped.discard(call.place)
