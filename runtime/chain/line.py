"""Line: tasks that one thread works in one loop, how far what has come, and whose the packet in work is.

One is made each time a chain is closed, and when its head has ended. The chain's lock (`VersionedLock`) guards all that
is written here; `current`, `beyond` and `look` read without it.

*Whose packet in work is* is decided once. Either the thread leaves the loop: then no packet is in work (`NOBODY`). Or
somebody gives the other tasks their threads while a function is at work: then the thread goes on as that task's. A
diversion asks who it was; where the function had not begun yet, which nobody can see from outside, it begins then. So
no lane ever has two writers.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from operator import is_not
from types import SimpleNamespace
from typing import Any, Final

from runtime.chain.loop import Loop, Numbers, Shape, Step
from runtime.task.local_task import LocalTask, Rest

NOBODY: Final = -1
"""Has the packet in work: the thread has left the loop."""


class VersionedLock:
    """A lock that also tells who does not take it whether somebody has it (`version` is odd), or had it meanwhile."""

    __slots__ = ("_lock", "version")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.version = 0

    def __enter__(self) -> None:
        self._lock.acquire()
        self.version += 1

    def __exit__(self, *_: object) -> None:
        self.version += 1
        self._lock.release()


class LeftLoop(BaseException):
    """A packet was diverted in front of the function of this step."""

    def __init__(self, step: int) -> None:
        self.step = step


class Line:
    """Tasks in a made loop. `tasks[0]` is the head: what comes to the line comes to it."""

    def __init__(self, tasks: Sequence[LocalTask], lock: VersionedLock) -> None:
        head, tail = tasks[0], tasks[-1]
        self.tasks, self._lock = tuple(tasks), lock
        self.owner: int | None = None  # the step whose packet in work is for good; None while the loop goes on
        self._is_in_loop = False  # in the loop
        shape = Shape(steps_of(tasks), head.loop_counts, head.idles, not tail.is_end)
        self._loop = Loop(shape, self)
        self._calls: list[Any] = []
        self._slice_began = self._loop.numbers()
        self._slices_begun = 0  # packets that came to the head before this slice
        self._through = [0] * len(tasks)  # to each, that it knows of
        head.begin_to_count()

    # ── its ways out, for the loop ──

    @property
    def send(self) -> Callable[[Any], object]:
        """Where the results of the last step go."""
        return self.tasks[-1].send

    def part(self, what: str, step: int) -> Any:
        """As `Exits` says."""
        task = self.tasks[step]
        match what:
            case "call":
                return task.call
            case "start":
                return task.start_fold
            case "ctx":
                return task.ctx
            case "folds":
                return task.folds
            case "skip":
                return task.skip
            case "keyof":
                return self.tasks[step - 1].key_of
        return self.tasks[step - 1].key_check

    def diversion(self, what: str, step: int) -> Any:
        """What takes the place of a `part` once the loop is halted: it sends the packet to its step, and leaves."""
        task = self.tasks[step]
        if what == "ctx":
            return SimpleNamespace(key=None)  # that of the step is its own thread's, or set by its diversion
        if not step:
            return self.part(what, step)
        before, is_keyed = self.tasks[step - 1], task.is_keyed

        def divert(*given: Any) -> Any:
            with self._lock:
                if self.owner is None:
                    self.owner = NOBODY
                    self._count(self._loop.numbers(), diverted=step)
            if self.owner == step:
                if task.sets_key:
                    task.ctx.set_key(self._loop.key(step))
                return self.part(what, step)(*given)
            if is_keyed:
                before.put_with_key(self._loop.key(step), given[-1])
            else:
                before.send(given[-1])
            raise LeftLoop(step)

        return divert

    # ── any thread, without the lock ──

    def halt(self) -> None:
        """Let the loop be left: after the function at work, its packet is diverted."""
        self._loop.halt()

    def is_at_work(self) -> bool:
        """Whether the loop runs, and nobody has been given the packet in work."""
        return self._is_in_loop and self.owner is None

    def current(self) -> LocalTask | None:
        """Whose function is at work; None: nobody's, or nobody knows in this moment."""
        owner = self.owner
        step = self._loop.step() if owner is None or owner == NOBODY else owner
        return self.tasks[step] if self._is_in_loop and step is not None else None

    def look(self) -> object:
        """Equal to what it was before, if the same packet is at the same place."""
        return self._slices_begun, self._loop.numbers(), self._loop.step(), self.tasks[0].begun()

    def beyond(self) -> list[tuple[LocalTask, int, bool]]:
        """How many packets have come to each that are not in its counts yet, and whether past its lane.

        True if the lock's version is even, and the same before and after.
        """
        if self.owner is not None:
            return []
        numbers, at = self._where()
        totals = zip(self.tasks, self._totals(numbers, at), self._through, strict=True)
        return [(task, now - then, task is not self.tasks[0]) for task, now, then in totals]

    # ── its thread ──

    def use(self) -> None:
        """Put the tasks' functions into the loop, unless they are there: a person may have changed one."""
        calls = [task.call for task in self.tasks]
        if len(self._calls) != len(calls) or any(map(is_not, self._calls, calls)):
            self._calls = calls
            self._loop.use(self)

    def enter(self) -> None:
        """From now on it is at work."""
        self._is_in_loop = True

    def run(self, items: Iterator[Any]) -> int | None:
        """After `enter`: as `Loop.run`. Then comes `close_slice` or `leave`, under the lock."""
        return self._loop.run(items)

    # ── under the lock ──

    def close_slice(self) -> int:
        """The slice is over, and no packet in work. Returns how many it had."""
        self._is_in_loop = False
        before = self._slices_begun
        numbers = self._loop.numbers()
        self._count(numbers)
        self._close_batch(numbers, is_whole=True)
        return self._slices_begun - before

    def take_over(self) -> tuple[int, dict[int, Rest]] | None:
        """While it is at work: its thread has the packet of the step at work, which is returned with what others have.

        None if it is about to leave by itself.
        """
        numbers, at = self._where()
        if at is None:
            return None
        self.owner = at
        self._count(numbers, at)
        if at:
            self._close_batch(numbers)
        return at, self.rests(at)

    def leave(self, at: int | None) -> None:
        """The loop was left; `at` is the step that has raised. From now on nobody's packet is in work."""
        self._is_in_loop = False
        numbers = self._loop.numbers()
        if self.owner is None:
            self.owner = NOBODY
            self._count(numbers, at)
        if self.owner == NOBODY:
            self._close_batch(numbers)
        elif self.owner == 0:  # what its thread has drawn since somebody took over
            self.tasks[0].come_through(self._totals(numbers, 0)[0] - self._through[0])
            self._close_batch(numbers)

    def forget(self) -> None:
        """Its loop was left for the last time."""
        self._loop.forget()

    def raised(self, error: BaseException) -> tuple[int, Any]:
        """Whose function has raised `error`, and what it was given."""
        step, value = self._loop.raised(error)
        return step or 0, value

    def made(self, step: int) -> Any:
        """What the function of a step that is a loop itself has returned last."""
        return self._loop.rest(step)

    def rests(self, before: int) -> dict[int, Rest]:
        """What steps before that one have not finished of their packets."""
        rests = ((step, self._loop.rest(step)) for step in range(before))
        return {step: Rest(None, rest) for step, rest in rests if rest is not None}

    # ── counting ──

    def _where(self) -> tuple[Numbers, int | None]:
        """What has come how far, and which step is at work, at one moment."""
        loop = self._loop
        while True:
            numbers, at = loop.numbers(), loop.step()
            if numbers == loop.numbers():
                return numbers, at

    def _totals(self, numbers: Numbers, at: int | None, diverted: int | None = None) -> list[int]:
        """How many packets have come to each since the loop was made. `at` is the step that has a packet in work.

        One that was `diverted` in front of a step has not come to it.
        """
        head, before = self.tasks[0], self._slice_began
        total = self._slices_begun + head.begun(numbers.drawn - before.drawn) - (numbers.idled - before.idled)
        totals = [total]
        flow = numbers.passed.get(0, total - (at == 0 and not head.is_source))
        for step in range(1, len(self.tasks)):
            total = flow - (diverted == step)
            totals.append(total)
            flow = numbers.passed.get(step, total - (at == step))
        return totals

    def _count(self, numbers: Numbers, at: int | None = None, diverted: int | None = None) -> None:
        """Let each know of what has come to it."""
        totals = self._totals(numbers, at, diverted)
        for task, now, then in zip(self.tasks, totals, self._through, strict=True):
            task.come_through(now - then)
            if task is not self.tasks[0]:
                task.pass_by(now - then)
        self._through = totals

    def _close_batch(self, numbers: Numbers, *, is_whole: bool = False) -> None:
        """After it was counted: the head's batch is over."""
        before, self._slice_began = self._slice_began, numbers
        self._slices_begun = self._through[0]
        self.tasks[0].close_batch(numbers.drawn - before.drawn, numbers.idled - before.idled, is_whole=is_whole)


def steps_of(tasks: Sequence[LocalTask]) -> tuple[Step, ...]:
    """What a loop has to know of them."""
    head = tasks[0]
    return tuple(
        Step(task.inline, task.is_keyed if task is not head else task.takes_pairs, task.sets_key, task.skips)
        for task in tasks
    )
