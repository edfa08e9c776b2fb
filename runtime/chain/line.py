"""Line: tasks that one thread works in one loop, how far what has come, and whose the packet in work is.

One is made each time a chain is closed, and when its head has ended. The chain's lock (`VersionedLock`) guards all that
is written here; `current`, `beyond` and `look` read without it.

*Whose packet in work is* is decided once. Either the thread leaves the loop: then no packet is in work (`NOBODY`). Or
somebody gives the other tasks their threads while a function is at work: then the thread goes on as that task's. A
diversion asks who it was; where the function had not begun yet, which nobody can see from outside, it begins then. So
no lane ever has two writers.

A packet is at one site of the loop at a time. What those before it have made and not given to all their ways yet is
theirs: each sends it on by its own thread, first of all (`Rest`).
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator, Sequence
from operator import is_not
from types import SimpleNamespace
from typing import Any, Final, NamedTuple

from runtime.chain.loop import OUT, At, Loop, Numbers, Part
from runtime.chain.tree import Tree
from runtime.communication.lane import Lane
from runtime.errors import NO_PACKET, Unneeded
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
    """A packet was diverted in front of a function: what was made of it at a site was given to so many of its ways."""

    def __init__(self, made: At, failure: BaseException | None) -> None:
        self.made, self.failure = made, failure  # what has come of sending it on


class Beginning(NamedTuple):
    """Of a slice of work: what had come how far, and how many packets to the head."""

    numbers: Numbers
    packets: int


class Line:
    """Tasks in a made loop: the first of the given ones, and those to which its packets come."""

    def __init__(self, tasks: Sequence[LocalTask], lock: VersionedLock) -> None:
        self._tree = Tree(tasks)
        self._lock = lock
        self._owner: int | None = None  # the site whose packet in work is for good; None while the loop goes on
        self._is_in_loop = False  # in the loop
        self._loop = Loop(self._tree.shape, self)
        self._calls: list[Any] = []
        self._began = Beginning(self._loop.numbers(), 0)
        self._through = [0] * len(self._tree.sites)  # to each site, that its task knows of
        self._rests: dict[LocalTask, Rest] = {}  # what they go on with once it was left, or taken over
        self._tree.head.begin_to_count()

    # ── its ways out, for the loop ──

    def part(self, part: Part) -> Any:
        """As `Exits` says."""
        task = self._tree.tasks[part.step]
        match part.what:
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
                return task.key_of(part.way)
            case "check":
                return task.key_check
            case "known":
                return task.partition(part.way).known
            case "find":
                return task.partition(part.way).find
        return task.send if len(self._tree.shape.steps[part.step].ways) == 1 else task.send_by(part.way)

    def diversion(self, part: Part) -> Any:
        """What takes the place of a `part` once the loop is halted: it has the packet sent on, and leaves the loop."""
        if part.what == "ctx":
            return SimpleNamespace(key=None)  # that of the step is its own thread's, or set by its diversion
        is_own = part.what in ("call", "start")
        if is_own and not part.step:
            return self.part(part)

        def divert(*given: Any) -> Any:
            at = self._loop.at()
            assert at is not None, "it is called there"
            site = self._tree.sites[at.site]
            made = At(site.parent, site.way) if is_own else at
            key = self._loop.values()[site.key] if is_own and site.key else NO_PACKET
            with self._lock:
                if self._owner is None:
                    self._owner = NOBODY
                    self._count(self._loop.numbers(), self._tree.missing(made, at.site if is_own else OUT))
                    self._rests = self._rests_of(made, key)
            if is_own and self._owner == at.site:
                task = self._tree.tasks[part.step]
                if task.sets_key:
                    task.ctx.set_key(key)
                return self.part(part)(*given)
            is_mine = self._owner == made.site  # this thread is its task's
            raise LeftLoop(made, self._send_on(made, given[-1], key) if is_mine else None)

        return divert

    def _send_on(self, made: At, result: Any, key: Any) -> BaseException | None:
        """Let a result go the ways that it has not gone yet. What that raises, as its task would raise it."""
        site = self._tree.sites[made.site]
        task = self._tree.tasks[site.step]
        try:
            task.send_on(result, made.given, key)
        except Unneeded:  # the packet in work has ended
            return None
        except BaseException as error:  # noqa: BLE001  the border to user code: a key function
            return task.blame(error, None, self._loop.values()[site.value])
        return None

    # ── any thread, without the lock ──

    def halt(self) -> None:
        """Let the loop be left: after the function at work, its packet is diverted."""
        self._loop.halt()

    def is_at_work(self) -> bool:
        """Whether the loop runs, and nobody has been given the packet in work."""
        return self._is_in_loop and self._owner is None

    def current(self) -> LocalTask | None:
        """Whose function is at work; None: nobody's, or nobody knows in this moment."""
        site = self._owner
        if site is None or site == NOBODY:
            at = self._loop.at()
            site = None if at is None else at.site
        return self._tree.task(site) if self._is_in_loop and site is not None else None

    def look(self) -> object:
        """Equal to what it was before, if the same packet is at the same place."""
        return self._began.packets, self._loop.mark(), self._tree.head.begun()

    def beyond(self) -> list[tuple[LocalTask, int, Lane | None]]:
        """How many packets have come to each that are not in its counts yet, and past which lane.

        True if the lock's version is even, and the same before and after.
        """
        if self._owner is not None:
            return []
        numbers, at = self._where()
        totals = self._totals(numbers, self._tree.missing(at))
        return [
            (self._tree.task(site), now - then, self._tree.lane(site))
            for site, (now, then) in enumerate(zip(totals, self._through, strict=True))
        ]

    # ── its thread ──

    def use(self) -> None:
        """Put the tasks' functions into the loop, unless they are there: a person may have changed one."""
        calls = [task.call for task in self._tree.tasks]
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

    @property
    def is_left(self) -> bool:
        """Whether its loop was halted in front of a function, or the packet in work was given to somebody."""
        return self._owner is not None

    @property
    def is_taken(self) -> bool:
        """Whether somebody has been given the packet in work, and the others their threads."""
        return self._owner is not None and self._owner != NOBODY

    def close_slice(self) -> int:
        """The slice is over, and no packet in work. Returns how many it had."""
        self._is_in_loop = False
        before = self._began.packets
        numbers = self._loop.numbers()
        self._count(numbers)
        self._close_batch(numbers, is_whole=True)
        return self._began.packets - before

    def take_over(self) -> LocalTask | None:
        """While it is at work: its thread goes on as that of the task at work, which is returned.

        None if it is about to leave by itself.
        """
        numbers, at = self._where()
        if at is None:
            return None
        self._owner = at.site
        self._count(numbers, self._tree.missing(at))
        self._rests = self._rests_of(self._tree.before(at.site))
        if at.site:
            self._close_batch(numbers)
        return self._tree.task(at.site)

    def leave(self, error: BaseException | None, left: int) -> tuple[LocalTask, BaseException | None]:
        """The loop was left: by an error, or by site `left`, of which results may be left. Whose thread this is now.

        And what its function has raised, if it has. From now on nobody's packet is in work.
        """
        self._is_in_loop = False
        numbers, failure, raised = self._loop.numbers(), None, None
        made = None if left == OUT else self._tree.given(left)
        missing = self._tree.missing(made)
        if isinstance(error, LeftLoop):
            failure, made = error.failure, self._tree.given(error.made.site)
        elif error is not None:
            at, value = self._loop.raised(error)
            raised, missing, made = at.site, self._tree.missing(at), self._tree.before(at.site)
            if not isinstance(error, Unneeded):
                failure = self._tree.task(raised).blame(error, self._loop.rest(raised), value)
        if made is not None and not (isinstance(error, LeftLoop) and self._owner == NOBODY):
            self._rests = self._rests_of(made) | self._rests
        if self._owner is None:
            self._owner = NOBODY
            self._count(numbers, missing)
        if self._owner == NOBODY:
            self._close_batch(numbers)
        elif self._owner == 0:  # what its thread has drawn since somebody took over
            self._tree.head.come_through(self._totals(numbers)[0] - self._through[0])
            self._close_batch(numbers)
        self._loop.let_go()
        return self._tree.task((raised or 0) if self._owner == NOBODY else self._owner), failure

    def rest_of(self, task: LocalTask) -> Rest | None:
        """What a task has not finished of its packet, once the loop was left or taken over."""
        return self._rests.get(task)

    def forget(self) -> None:
        """Its loop was left for the last time."""
        self._rests = {}
        self._loop.forget()

    # ── what is left ──

    def _rests_of(self, made: At, key: Any = NO_PACKET) -> dict[LocalTask, Rest]:
        """What sites on the way there, and that itself, have made and not given to all their ways, or not made yet.

        Its result has been given to so many ways, and has a `key` for the next one, if that was asked for. Where none
        has anything left the loop may be over by now, and have no values.
        """
        rests: dict[LocalTask, Rest] = {}
        number, given = made
        while number != OUT:
            site, results = self._tree.sites[number], self._loop.rest(number)
            is_given = given == len(self._tree.step(number).ways)
            if not is_given or results is not None:
                values = self._loop.values()
                result = NO_PACKET if is_given else values[site.made]
                rests[self._tree.tasks[site.step]] = Rest(values[site.value], result, given, key, results or iter(()))
            number, given, key = site.parent, site.way + 1, NO_PACKET
        return rests

    # ── counting ──

    def _where(self) -> tuple[Numbers, At | None]:
        """What has come how far, and where the packet in work is, at one moment."""
        loop = self._loop
        while True:
            numbers, at = loop.numbers(), loop.at()
            if numbers == loop.numbers():
                return numbers, at

    def _totals(self, numbers: Numbers, missing: Collection[int] = ()) -> list[int]:
        """How many packets have come to each site since the loop was made."""
        head, (before, packets) = self._tree.head, self._began
        total = packets + head.begun(numbers.drawn - before.drawn) - (numbers.idled - before.idled)
        totals = [total]
        for number, site in enumerate(self._tree.sites[1:], 1):
            made = numbers.passed.get(site.parent, totals[site.parent])
            totals.append(numbers.came.get(number, made) - (number in missing))
        return totals

    def _count(self, numbers: Numbers, missing: Collection[int] = ()) -> None:
        """Let each know of what has come to it."""
        totals = self._totals(numbers, missing)
        for number, (now, then) in enumerate(zip(totals, self._through, strict=True)):
            self._tree.task(number).come_through(now - then)
            if (lane := self._tree.lane(number)) is not None:
                lane.pass_by(now - then)
        self._through = totals

    def _close_batch(self, numbers: Numbers, *, is_whole: bool = False) -> None:
        """After it was counted: the head's batch is over."""
        before, self._began = self._began.numbers, Beginning(numbers, self._through[0])
        self._tree.head.close_batch(numbers.drawn - before.drawn, numbers.idled - before.idled, is_whole=is_whole)
