"""Journal: the turns of one run that were made by hand since the last resume, in order. Knows no commands.

All of them were made while every task was paused, so nothing has happened in between but what is in the list. Turns
and changes by hand draw their numbers from one counter, so their order is known.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Final

from runtime.back.kinds import Kinds
from runtime.back.turn import TaskTurn

if TYPE_CHECKING:
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
        return lambda: self._begin(task)

    def _begin(self, task: BaseTask) -> TaskTurn | None:
        if not self._is_on:
            return None
        turn = TaskTurn(task, self._numbers, self._known)
        self._turns.append(turn)
        return turn

    def told(self, task: str, record: object) -> None:
        """A step of a task is over, or says how far its turn is."""
        turn = next((turn for turn in reversed(self._turns) if turn.task.name == task), None)
        if turn is None:
            return
        turn.steps.append(record)
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

    def take_back(self, turn: TaskTurn) -> None:
        """Let this one, the newest, never have been. Raises `NotPaused`, `QueueFull` before anything has changed."""
        with ExitStack() as gates:
            for task in [self._tasks[name] for name in sorted(turn.touched)]:
                gates.enter_context(task.gate.at_rest(task.name))
            turn.take_back()
        turn.task.control.forget_turn()
        self._turns.remove(turn)
        self._bytes -= turn.size
