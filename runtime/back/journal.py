"""Journal: the turns of one run that were made by hand since the last resume, in order. Knows no commands.

All of them were made while every task was paused, so nothing has happened in between but what is in the list. Turns
and changes by hand draw their numbers from one counter, so their order is known.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Any, Final

from runtime.back.image import BeforeImage, TooLarge
from runtime.back.kinds import Kinds
from runtime.back.turn import OfTask, TaskTurn
from runtime.communication.hand import Hand
from runtime.communication.lane import Lane
from runtime.communication.packet import HAND_LANE
from runtime.errors import QueueFull

if TYPE_CHECKING:
    from runtime.control.records import Record
    from runtime.task.base_task import BaseTask

MAX_TURNS: Final = 1_000
MAX_BYTES: Final = 64 * 2**20


class Journal:
    """What can be taken back of the turns of one run. Tasks add, one at a time; the thread of commands takes out."""

    def __init__(self, numbers: Iterator[int]) -> None:
        self._numbers = numbers
        self._tasks: dict[str, BaseTask] = {}
        self._turns: deque[TaskTurn] = deque()
        self._known: dict[type, Kinds] = {}
        self._bytes = 0
        self._is_on = False  # every task is paused
        self.since = -1  # nothing with a number up to this one can be taken back
        self.why = "nothing was stepped or changed by hand since the start"

    def is_on(self, are_all_paused: Callable[[], bool]) -> None:
        """Before a turn by hand: it is remembered if every task is paused, as they stay until `forget`."""
        if not self._is_on:
            self._is_on = are_all_paused()
            if not self._is_on:
                self.forget("the last step was made while other tasks ran; pause() all of them first")

    def forget(self, why: str) -> None:
        """From now on nothing of what was done can be taken back."""
        self._is_on = False
        self.since, self.why = next(self._numbers), why
        self._turns.clear()
        self._bytes = 0

    def memory_of(self, task: BaseTask) -> Callable[[], TaskTurn | None]:
        """What remembers each turn of a task."""
        self._tasks[task.name] = task
        of = OfTask(task, self._numbers, self._known)
        return lambda: self._begin(of)

    def _begin(self, of: OfTask) -> TaskTurn | None:
        if not self._is_on:
            return None
        turn = TaskTurn(of)
        self._turns.append(turn)
        return turn

    def told(self, task: str, record: Record) -> None:
        """A step of a task is over, or says how far its turn is."""
        turn = next((turn for turn in reversed(self._turns) if turn.task.name == task), None)
        if turn is None:
            return
        turn.told(record)
        self._bytes += turn.size
        while len(self._turns) > MAX_TURNS or (self._bytes > MAX_BYTES and len(self._turns) > 1):
            gone = self._turns.popleft()
            self._bytes -= gone.size
            self.since, self.why = gone.number, "what was done before is forgotten: 1,000 steps and 64 MB are kept"

    @property
    def newest(self) -> int:
        """The number of the newest turn; -1: there is none."""
        return self._turns[-1].number if self._turns else -1

    def first_of(self, number: int) -> int:
        """From which number on all has to be taken back, so that what has this number is: turns may overlap."""
        for turn in reversed(self._turns):
            if turn.number < number and (turn.ended is None or turn.ended > number):
                number = turn.number
        return number

    def since_number(self, number: int) -> list[TaskTurn]:
        """The turns from this number on, the newest first."""
        return [turn for turn in reversed(self._turns) if turn.number >= number]

    def has_stepped(self, task: str, number: int) -> bool:
        """Whether a task has had a turn after this number."""
        return any(turn.number > number and turn.task.name == task for turn in self._turns)

    def before(self, name: str, key: Any) -> BeforeImage | None:
        """What a task remembers for a key, before that is changed by hand; None: it is in another process."""
        if (task := self._tasks.get(name)) is None:
            return None
        image = BeforeImage(self._known)
        with suppress(TooLarge):
            task.store.keep(image, key)
        return image

    def put_back(self, name: str, before: BeforeImage) -> None:
        """Let a task remember that again. Raises `NotPaused`."""
        with self._tasks[name].gate.at_rest(name):
            before.put_back()

    def take_back(self, turns: Sequence[TaskTurn]) -> None:
        """Let these, the newest first, never have been. Raises `NotPaused`, `QueueFull` before anything has changed."""
        touched = sorted({name for turn in turns for name in turn.touched})
        with ExitStack() as gates:
            for task in [self._tasks[name] for name in touched]:
                gates.enter_context(task.gate.at_rest(task.name))
            _require_room(turns)
            for turn in turns:
                turn.take_back()
        for turn in turns:
            turn.task.control.forget_turn()
            self._turns.remove(turn)
            self._bytes -= turn.size


def _require_room(turns: Iterable[TaskTurn]) -> None:
    """Raise `QueueFull` if a queue would hold too much: the hand has been given places since."""
    longer: dict[Lane, int] = defaultdict(int)
    hands: dict[Hand, int] = defaultdict(int)
    for turn in turns:
        for lane, change in turn.traffic.lengths():
            if turn.task.lanes_in and lane is turn.task.lanes_in[HAND_LANE]:
                hands[turn.task.inbox.hand] += change
            else:
                longer[lane] += change
    for lane, change in longer.items():
        if change > 0 and len(lane.items) + change > lane.capacity:
            raise QueueFull("the place of a packet that was taken has been given to the hand since")
    for hand, places in hands.items():
        hand.reserve(places)
