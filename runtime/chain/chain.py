"""Chain: consecutive tasks that one thread works, packet by packet, in a loop made for them, until it is opened.

While it is closed, nothing lies in the lanes between its members, and they have no threads. It is opened by whoever
wants something of one of them (`Parker.interrupt`), by what the hand puts into one, by user code that waits, and by the
watch, if one packet takes long. From then on each has a thread of its own.

*To open* is one step for whoever asks: the functions in the loop are exchanged for *diversions*. The packet in work
goes on to the end of the function that has it; what that makes is given to a diversion, which sends it on as its task
would, into the very lane where it would have been, and leaves the loop. So no flag is read for each function.

*Whose packet in work is* is decided once, under `_lock`. Either the thread leaves the loop: then no packet is in work,
and it goes on as the head's. Or somebody gives the others their threads while a function is at work (`give_away`): then
the thread goes on as that task's. A diversion asks who it was; where the function had not begun yet, which nobody can
see from outside, it begins then. So no lane ever has two writers.
"""

from __future__ import annotations

import threading
from _thread import LockType
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Any, Final, NamedTuple

from runtime.chain.loop import Loop, Numbers, Shape
from runtime.chain.watch import Watch
from runtime.communication.calls import here
from runtime.errors import NO_PACKET, Cancelled, Unneeded
from runtime.facts import TaskState
from runtime.scheduling.parker import Ask, Parker, Ready, Waiter, new_permit, unpark
from runtime.scheduling.worker import Worker
from runtime.task.member import Member, Rest, follow

FIRST: Final = 256  # packets in a slice
LARGEST: Final = 16_384
QUICK_S: Final = 0.001  # a slice that took less lets the next one grow
SLOW_S: Final = 0.004  # one that took more makes it shrink
FORM_S: Final = 0.02  # how long the head waits until the others have worked what they have
SOON_S: Final = 0.01  # after how long a chain that was opened is closed again
SLOW_PAUSE_S: Final = 0.05  # after how long one that a slow function has opened
LATEST_S: Final = 2.0
LASTING_S: Final = 0.1  # one that was closed for so long was worth it

_NOBODY: Final = -1  # has the packet in work: the thread has left the loop


class Parted(NamedTuple):
    """What the thread of a chain that was opened goes on with: a task, and what its function has raised."""

    task: Member
    failure: BaseException | None = None


class _VersionedLock:
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


class _LeftLoop(BaseException):
    """A packet was diverted in front of the function of this step."""

    def __init__(self, step: int) -> None:
        self.step = step


class Chain:
    """Tasks in a line. `tasks[0]` is the head: what comes to the chain comes to it."""

    def __init__(self, tasks: Sequence[Member], watch: Watch) -> None:
        self.tasks = tuple(tasks)
        self._watch = watch
        watch.add(self)
        keepers = [step for step, task in enumerate(tasks) if task.keeps_thread]
        self._keeper = keepers[0] if keepers else None
        # Guards whose packet in work is, all counts, and who has come in.
        self._lock = _VersionedLock()
        self._closed: tuple[Member, ...] = ()  # those whose thread this is
        self._coming: list[Member] = []  # have been called, and are not in
        self._stop = True  # somebody wants it opened; or it is open
        self._owner: int | None = None
        self._is_at_work = False  # in the loop
        self._loop: Loop | None = None
        self._calls: list[Any] = []
        self._slice_began = Numbers(0, 0, {})
        self._slices_begun = 0  # packets that came to the head before this slice
        self._through: list[int] = []  # to each, that it knows of
        self._permit = new_permit()
        self._waiter = _Waiter(self)
        self._worker: Worker | None = None
        self._gone: list[Worker] = []
        self._size = FIRST
        self._slices = 0
        self._seen: object = None
        self._current: Member | None = None  # while it is not in the loop
        self._was_slow = False  # one packet took so long that it was opened
        self._left = len(tasks)  # to be started
        self._is_fit = True  # else it stays open
        self._due_s = 0.0 if self._keeper is None else perf_counter() + SOON_S
        self._pause_s, self._closed_s = SOON_S, 0.0

    # ── any thread ──

    def start(self, task: Member) -> None:
        """One of them is to run: with the last of them, all do."""
        if self._keeper is not None:  # whose thread the others may not hold up before they have been seen to be quick
            task.go_alone()
            return
        self._left -= 1
        if self._left:
            return
        head = self.tasks[0]
        worker = Worker(f"{head.ctx.job}/{head.name}", self, head.parker)
        self._close(worker)
        worker.start()

    @property
    def permit(self) -> LockType:
        """By which its thread is woken."""
        return self._permit

    def open(self) -> None:
        """Let each task work by itself again."""
        self._stop = True
        if (loop := self._loop) is not None:
            loop.halt()
        unpark(self._permit)

    def current(self) -> Member | None:
        """Who is at work, of those whose thread this is."""
        closed, loop, owner = self._closed, self._loop, self._owner
        if self._is_at_work and loop is not None:
            step = loop.step() if owner is None or owner == _NOBODY else owner
            return None if step is None else closed[step]
        return self._current

    def give_up(self) -> None:
        """Open it, for good."""
        self._is_fit = False
        self.open()

    def give_away(self) -> None:
        """Give all others their threads, though a function is at work: it takes long, or waits."""
        self.open()
        with self._lock:
            loop = self._loop
            if not self._is_at_work or self._owner is not None or loop is None:
                return
            numbers, at = self._where(loop)
            if at is None:  # it is about to leave by itself
                return
            self._owner = at
            closed = self._closed
            self._count(numbers, at)
            if at:
                self._close_batch(numbers)
            keeps = at if self._keeper is None else self._keeper_in(closed)
            rests = self._rests(loop, at)
            for step, task in enumerate(closed):
                if step == at:
                    task.parker.part(self._permit)  # this thread may wait in its name
                elif step != keeps:
                    task.parker.part()
                    task.go_alone(rests.get(step))
            if keeps == at:
                self._worker_of(closed[at])

    def look(self) -> bool:
        """The watch: if the same packet is at the same place as it was at the last look, it takes too long."""
        loop = self._loop
        if not self._is_at_work or loop is None or self._owner is not None:
            self._seen = None
            return False
        seen = (self._slices, loop.numbers(), loop.step(), self._closed[0].begun() if self._closed else 0)
        if seen == self._seen:
            self._was_slow = True
            self.give_away()
        self._seen = seen
        return True

    # ── its thread ──

    def live(self, parker: Parker) -> None:
        """The worker: from the start on."""
        if (parted := self.work()) is not None:
            task, failure = parted
            del parted
            follow(task, failure)

    def work_on(self, task: Member) -> Parted | None:
        """The thread of `task`, which the chain has taken: it is over, or it is the chain's."""
        return self.work() if task is self.tasks[0] else None

    def work(self) -> Parted | None:
        """Work, until it is opened. What this thread goes on with, if anything."""
        self._adopt()
        for task in reversed(self._closed):
            self._current = task
            try:
                task.begin()
                task.work_here(self.give_away)
            except BaseException as error:  # noqa: BLE001  the border to user code
                return self._part(task, error)
            if self._stop:
                break
        with self._lock:
            self._make_loop()
        self._use()
        if not all(task.is_free() for task in self._closed):
            self.open()
        try:
            parted = self._work_closed()
        except BaseException as error:  # noqa: BLE001  what the head takes, or what an operator makes of a signal
            return self._part(self._closed[0], error)
        return parted

    def _work_closed(self) -> Parted | None:
        while not self._stop:
            self._current = head = self._closed[0]
            if len(self._closed) == 1:
                return self._part(head)
            if head.has_input_ended:
                if head.has_last_words:
                    break
                self._end(head)
            elif any(task.is_ready() for task in self._closed[1:]):
                self.open()
            elif not head.is_ready():
                self._wait(head)
            elif not head.take_event() and (parted := self._work_slice(head)) is not None:
                return parted
        return self._part(self._closed[self._keeper_in(self._closed) or 0])

    def _adopt(self) -> None:
        here.begin(self._waiter, self.tasks[0].parker.monitor)

    def _wait(self, head: Member) -> None:
        members = self._closed[1:]
        for task in members:
            task.rest()
        try:
            head.wait(self._has_news)
        except Cancelled:  # it was opened for that
            self.open()
        if not self._stop:  # else they are seen as waiting until they have threads
            for task in members:
                task.rise()
            self._watch.wake()

    def _has_news(self) -> bool:
        return self._stop or any(task.is_ready() for task in self._closed[1:])

    def _work_slice(self, head: Member) -> Parted | None:
        loop = self._loop
        assert loop is not None, "made when it was closed"
        if self._calls != [task.call for task in self._closed]:
            self._use()
        began_s = perf_counter()
        with self._lock:
            items = head.take(self._size)
        if items is None:
            return None
        error: BaseException | None = None
        left: int | None = None
        self._is_at_work = True
        try:
            left = loop.run(items)  # also if it is to be opened: a single packet has left its lane
        except BaseException as raised:  # noqa: BLE001  the border to user code
            error = raised
        try:
            with self._lock:
                self._is_at_work = False
                self._slices += 1
                if self._owner is None and error is None and not self._stop:
                    numbers = loop.numbers()
                    self._count(numbers)
                    self._close_batch(numbers, is_whole=True)
                else:
                    return self._leave(loop, error, -1 if left is None else left)
        finally:
            del error, items
        took_s = perf_counter() - began_s
        if took_s < QUICK_S:
            self._size = min(LARGEST, self._size * 2)
        elif took_s > SLOW_S:
            self._size = max(1, self._size // 2)
        return None

    def _leave(self, loop: Loop, error: BaseException | None, left: int) -> Parted:
        """Under the lock: the loop was left before its time. What this thread goes on with."""
        closed, owner = self._closed, self._owner
        keeper = self._keeper_in(closed)
        at, value, diverted = None, None, None
        if isinstance(error, _LeftLoop):
            diverted = error.step
        elif error is not None:
            at, value = loop.raised(error)
            at = at or 0
            if not at and closed[0].is_source:
                value = NO_PACKET
        failure = None
        if error is not None and diverted is None and not isinstance(error, Unneeded):
            failure = closed[at or 0].blame(error, loop.rest(at or 0), value)
        if owner is None or owner == _NOBODY:
            if owner is None:
                self._owner = _NOBODY
                self._count(loop.numbers(), at)
            self._close_batch(loop.numbers())
            mine = at if at is not None else keeper or 0
            rests = self._rests(loop, left + 1 if error is None else at if diverted is None else diverted)
            if keeper is not None and mine != keeper:
                self._hand_out(rests, but=(keeper, mine))
                closed[mine].parker.part()
                closed[mine].go_alone(None, failure)
                return self._go_on(closed[keeper], rests.get(keeper))
            self._hand_out(rests, but=(mine,))
            return self._go_on(closed[mine], rests.get(mine), failure)
        if owner == 0:
            closed[0].come_through(self._totals(closed, loop.numbers(), 0)[0] - self._through[0])
            self._close_batch(loop.numbers())
        rest = self._rests(loop, left + 1 if diverted is None else diverted).get(owner)
        if keeper is not None and owner != keeper:
            closed[owner].parker.part()
            closed[owner].go_alone(rest, failure)
            return self._go_on(closed[keeper], None)
        return self._go_on(closed[owner], rest, failure)

    # ── counting ──

    @property
    def version(self) -> int:
        """Of all counts: an odd number while they are changed."""
        return self._lock.version

    def beyond(self) -> list[tuple[Member, int, bool]]:
        """How many packets have come to each that are not in its counts yet, and whether past its lane. Any thread.

        It is true if `version` is even, and the same before and after.
        """
        loop, closed, through = self._loop, self._closed, self._through
        if loop is None or self._owner is not None or len(through) != len(closed):
            return []
        numbers, at = self._where(loop)
        totals = zip(closed, self._totals(closed, numbers, at), through, strict=False)
        return [(task, now - then, task is not closed[0]) for task, now, then in totals]

    @staticmethod
    def _where(loop: Loop) -> tuple[Numbers, int | None]:
        """What has come how far, and which step is at work, at one moment."""
        while True:
            numbers, at = loop.numbers(), loop.step()
            if numbers == loop.numbers():
                return numbers, at

    def _totals(
        self, closed: Sequence[Member], numbers: Numbers, at: int | None, diverted: int | None = None
    ) -> list[int]:
        """How many packets have come to each since the loop was made. `at` is the step that has a packet in work.

        One that was `diverted` in front of a step has not come to it.
        """
        head, before = closed[0], self._slice_began
        total = self._slices_begun + head.begun(numbers.drawn - before.drawn) - (numbers.idled - before.idled)
        totals = [total]
        flow = numbers.passed.get(0, total - (at == 0 and not head.is_source))
        for step in range(1, len(closed)):
            total = flow - (diverted == step)
            totals.append(total)
            flow = numbers.passed.get(step, total - (at == step))
        return totals

    def _count(self, numbers: Numbers, at: int | None = None, diverted: int | None = None) -> None:
        """Under the lock: let each know of what has come to it."""
        totals = self._totals(self._closed, numbers, at, diverted)
        for task, now, then in zip(self._closed, totals, self._through, strict=True):
            task.come_through(now - then)
            if task is not self._closed[0]:
                task.pass_by(now - then)
        self._through = totals

    def _close_batch(self, numbers: Numbers, *, is_whole: bool = False) -> None:
        """Under the lock, after it was counted: the head's batch is over."""
        before, self._slice_began = self._slice_began, numbers
        self._slices_begun = self._through[0]
        self._closed[0].close_batch(numbers.drawn - before.drawn, numbers.idled - before.idled, is_whole=is_whole)

    def _rests(self, loop: Loop, before: int | None) -> dict[int, Rest]:
        """What steps before that one had not finished."""
        rests: dict[int, Rest] = {}
        for step in range(0 if before is None else before):
            if (rest := loop.rest(step)) is not None:
                rests[step] = Rest(None, rest)
        return rests

    # ── opening, under the lock ──

    def _part(self, kept: Member, failure: BaseException | None = None) -> Parted:
        with self._lock:
            self._owner = _NOBODY
            keeper = self._keeper_in(self._closed)
            if keeper is not None and (thread := self._closed[keeper]) is not kept:
                self._hand_out({}, but=(keeper, self._closed.index(kept)))
                kept.parker.part()
                kept.go_alone(None, failure)
                return self._go_on(thread, None)
            self._hand_out({}, but=(self._closed.index(kept),))
            return self._go_on(kept, None, failure)

    def _hand_out(self, rests: dict[int, Rest], but: Sequence[int]) -> None:
        """Give each a thread of its own, but for those steps."""
        for step, task in enumerate(self._closed):
            if step not in but:
                task.parker.part()
                task.go_alone(rests.get(step))

    def _go_on(self, task: Member, rest: Rest | None, failure: BaseException | None = None) -> Parted:
        task.parker.part(self._permit)
        self._worker_of(task)
        task.go_on(rest)
        self._closed, self._current = (), None
        self._stop = True
        self._loop = None
        now_s = perf_counter()
        if not self._was_slow:
            self._pause_s = SOON_S
        elif now_s - self._closed_s > LASTING_S:
            self._pause_s = SLOW_PAUSE_S
        else:
            self._pause_s = min(LATEST_S, max(SLOW_PAUSE_S, self._pause_s * 2))
        self._was_slow = False
        self._due_s = now_s + self._pause_s
        return Parted(task, failure)

    def _worker_of(self, task: Member) -> None:
        assert self._worker is not None, "it has a thread"
        self._worker.turn_to(task, f"{task.ctx.job}/{task.name}")
        task.work_with(self._worker)

    def _keeper_in(self, closed: Sequence[Member]) -> int | None:
        keeper = None if self._keeper is None else self.tasks[self._keeper]
        return closed.index(keeper) if keeper in closed else None

    # ── closing ──

    def _close(self, worker: Worker) -> None:
        self._worker = worker
        self._stop, self._owner = False, None
        self._closed = self.tasks
        for task in self.tasks:
            task.work_with(worker)
            task.parker.join(self, self._permit)
        self._closed_s = perf_counter()
        self._watch.wake()

    def _make_loop(self) -> None:
        closed = self._closed
        tail = closed[-1]
        head = closed[0]
        shape = Shape(tuple(task.inline for task in closed), head.loop_counts, head.idles, not tail.is_end)
        diversions = [head.call if not step else self._diversion(step, closed) for step in range(len(closed))]
        self._loop = loop = Loop(shape, tail.send, diversions)
        self._slice_began = loop.numbers()
        self._slices_begun, self._through = 0, [0] * len(closed)
        head.begin_to_count()
        self._calls = []
        self._size = FIRST

    def _use(self) -> None:
        """Put the functions into the loop."""
        loop = self._loop
        assert loop is not None, "made before it is used"
        self._calls = [task.call for task in self._closed]
        loop.use(*self._calls)
        if self._stop:  # said before the loop was halted, if that was just undone
            loop.halt()

    def _diversion(self, step: int, closed: Sequence[Member]) -> Callable[[Any], Any]:
        send, task = closed[step - 1].send, closed[step]

        def divert(value: Any) -> Any:
            with self._lock:
                if self._owner is None and self._loop is not None:
                    self._owner = _NOBODY
                    self._count(self._loop.numbers(), diverted=step)
            if self._owner == step:
                return task.call(value)
            send(value)
            raise _LeftLoop(step)

        return divert

    def _end(self, head: Member) -> None:
        """The head's input has ended: it ends, and the others are a chain of their own."""
        members = self._closed[1:]
        for task in members:
            task.rest()
        head.end(None)
        with self._lock:
            self._closed = members
            head.parker.part()
            head.parker.tell()
            if len(members) > 1:
                self._make_loop()
        if not self._stop:
            for task in members:
                task.rise()
            if len(members) > 1:
                self._use()

    # ── closing it again ──

    def takes(self, task: Member) -> bool:
        """Whether the thread of `task` is not its own any more: it is over, unless `is_host`."""
        if task is self.tasks[0]:
            return task.began_s >= self._due_s and self._form(task)
        return task.is_called_away and self._take_in(task)

    def _form(self, head: Member) -> bool:
        """The head: let the others come in, and wait for that."""
        if not self._is_fit or self._keeper or self._closed or any(each.has_input_ended for each in self.tasks):
            self._due_s = perf_counter() + LATEST_S
            return False
        with self._lock:
            self._stop, self._owner = False, None
            self._coming = list(self.tasks[1:])
            self._permit = head.parker.permit
            head.parker.join(self, self._permit)
        is_in = False
        try:
            if all(task.is_free() for task in self.tasks):
                self._call_next()
                head.parker.park(lambda: self._stop or not self._coming, "running", FORM_S)
                is_in = True
        finally:
            with self._lock:
                fits = is_in and not self._coming and not self._stop and head.worker is not None
                if not fits:
                    self._stop = True
                waiting, self._coming = self._coming, []
                for task in waiting:
                    task.call_away(False)
                if not fits:
                    for task in self.tasks[1:]:
                        if task not in waiting:
                            task.parker.part()
                            task.go_alone()
                    head.parker.part(self._permit)
                    self._pause_s = min(LATEST_S, self._pause_s * 2)
                    self._due_s = perf_counter() + self._pause_s
        if fits:
            assert head.worker is not None
            for worker in self._gone:
                worker.join()
            self._gone.clear()
            head.worker.turn_to(self, f"{head.ctx.job}/{head.name}")
            self._close_in(head.worker)
        return fits

    def _close_in(self, worker: Worker) -> None:
        self._worker = worker
        self._closed = self.tasks
        for task in self.tasks:
            task.work_with(worker)
        for task in self.tasks[1:]:
            task.rise()
        self._closed_s = perf_counter()
        self._watch.wake()

    def _call_next(self) -> None:
        if self._coming:
            self._coming[0].call_away(True)

    def _take_in(self, task: Member) -> bool:
        """A member that was called, on its own thread: it goes if it has nothing to do, and is wanted for nothing."""
        if task.is_ready() or not task.is_free():
            return False
        own = task.parker.permit
        task.rest()
        task.parker.join(self, self._permit)
        with self._lock:
            fits = not (task.is_ready() or not task.is_free() or self._stop) and self._coming[:1] == [task]
            task.call_away(False)
            if fits:
                assert task.worker is not None
                self._gone.append(task.worker)
                del self._coming[0]
                self._call_next()
                if not self._coming:
                    unpark(self._permit)
            else:
                self._stop = True
                task.parker.part(own)
                task.rise()
                unpark(self._permit)
        return fits


class _Waiter(Waiter):
    """How the thread of a chain waits in user code: as the task whose code it is, with the others let go."""

    __slots__ = ("_chain",)

    def __init__(self, chain: Chain) -> None:
        super().__init__()
        self._chain = chain

    @property
    def _parker(self) -> Parker:
        task = self._chain.current()
        return (self._chain.tasks[0] if task is None else task).parker

    @property
    def cancelled(self) -> bool:  # type: ignore[override]
        """Whether that task is."""
        return self._parker.cancelled

    def park(
        self, ready: Ready, why: TaskState, timeout_s: float = -1, held: Ready | None = None, ask: Ask | None = None
    ) -> None:
        """Wait as that task."""
        self._chain.give_away()
        self._parker.park(ready, why, timeout_s, held, ask)

    def unpark(self) -> None:
        """Let it look whether it is ready."""
        unpark(self._chain.permit)
