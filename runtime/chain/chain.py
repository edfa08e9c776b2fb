"""Chain: consecutive tasks that one thread works, packet by packet, in a loop made for them, until it is opened.

While it is closed, nothing lies in the lanes between its tasks, and they have no threads. It is opened by whoever wants
something of one of them (`Parker.interrupt`), by what the hand puts into one, by a signal, by user code that waits, and
by the watch, if one packet takes long. From then on each has a thread of its own.

*To open* is one step for whoever asks: the functions in the loop are exchanged for *diversions*. The packet in work
goes on to the end of the function that has it; what that makes is given to a diversion, which sends it on as its task
would, into the very lane where it would have been, and leaves the loop. So no flag is read for each function.

A head that keeps its thread (a generator, say) has the chain's thread for good: it is opened first, and closed once it
has been seen to be quick, because a function that holds up that thread holds up its source, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from time import perf_counter
from typing import NamedTuple

from runtime.chain.gathering import Gathering
from runtime.chain.line import Line, VersionedLock
from runtime.chain.loop_time import LoopTime
from runtime.chain.pace import Pace
from runtime.chain.watch import Watch
from runtime.communication.calls import here
from runtime.communication.lane import Lane
from runtime.errors import Cancelled
from runtime.facts import ChainFacts, Spent, TaskState
from runtime.scheduling.parker import MID_PACKET, Ask, Parker, Permit, Ready, Waiter, new_permit, unpark
from runtime.scheduling.stopwatch import Stopwatch
from runtime.scheduling.worker import Worker
from runtime.task.local_task import LocalTask, follow


class Parted(NamedTuple):
    """What the thread of a chain that was opened goes on with: a task, and what its function has raised."""

    task: LocalTask
    failure: BaseException | None = None


class Chain:
    """Tasks in a line. `tasks[0]` is the head: what comes to the chain comes to it."""

    def __init__(self, tasks: Sequence[LocalTask], watch: Watch) -> None:
        self.tasks = tuple(tasks)
        self._watch = watch
        watch.add(self)
        self._head_keeps_thread = tasks[0].keeps_thread
        self._pace = Pace(starts_open=self._head_keeps_thread)
        self._to_start = len(tasks)
        # Guards whose thread is whose, whose packet in work is, and all counts. Flags are set without it.
        self.lock = VersionedLock()
        self.is_to_open = True  # somebody wants it opened; or it is open
        self._is_fit = True  # else it stays open
        self._closed: tuple[LocalTask, ...] = ()  # those whose thread the chain's is
        self._line: Line | None = None  # these, once they were opened, in their loop
        self._gathering: Gathering | None = None
        self._permit: Permit = new_permit()
        self._holder = tasks[0].parker
        self._current: LocalTask | None = None  # whose code its thread runs while it is not in the loop
        self._seen: object = None  # by the watch, at its last look
        self._time = LoopTime()

    # ── any thread ──

    def start(self, task: LocalTask) -> None:
        """One of them is to run: with the last of them, all do."""
        if self._head_keeps_thread:
            task.go_alone()
            return
        self._to_start -= 1
        if self._to_start:
            return
        head = self.tasks[0]
        worker = Worker(head.thread_name, self, head.parker)
        self.is_to_open = False
        for each in self.tasks:
            each.parker.join(self, self._permit)
            if each is not head:
                each.parker.let_go()
        self._close(worker)
        worker.start()

    @property
    def permit(self) -> Permit:
        """By which its thread is woken."""
        return self._permit

    @property
    def holder(self) -> Parker:
        """The one that has its thread's place to run."""
        return self._holder

    @property
    def version(self) -> int:
        """Of all counts: an odd number while they are changed."""
        return self.lock.version

    def open(self) -> None:
        """Let each task work by itself again. Returns at once."""
        self.is_to_open = True
        if (line := self._line) is not None:
            line.halt()
        unpark(self._permit)

    def give_up(self) -> None:
        """Open it, for good."""
        self._is_fit = False
        self.open()

    def give_away(self) -> None:
        """Give all others their threads, though a function is at work: it takes long, or waits."""
        self.open()
        with self.lock:
            line = self._line
            if line is None or not line.is_at_work() or (owner := line.take_over()) is None:
                return
            self._time.close(owner.parker.stopwatch)
            self._hold(owner)
            owner.parker.part(self._permit)  # this thread may wait in its name
            self._hand_out(but=owner)
            keeper = self._keeper()
            if keeper is None or keeper is owner:
                owner.take_worker(owner)

    def current(self) -> LocalTask | None:
        """Whose code is at work, of those whose thread this is."""
        line = self._line
        task = None if line is None else line.current()
        return self._current if task is None else task

    def times(self) -> dict[str, Spent]:
        """Where the time of its tasks has gone, by name; of those that share its thread now, as it was divided."""
        watches = {task.name: task.parker.stopwatch for task in self.tasks}
        with self.lock:  # so that none begins to share it in between, and is taken to have worked all of its time
            spent = self._time.spent(self._stopwatch_at_work())
            alone = {name: watch.spent() for name, watch in watches.items() if watch not in spent}
        found = {name: spent[watch] for name, watch in watches.items() if watch in spent}
        for name, (whole, lately) in found.items():
            others = tuple(other for other in found if other != name)
            found[name] = Spent(whole._replace(together=others), lately._replace(together=others))
        return alone | found

    def divide_time(self) -> None:
        """Give what its thread has worked since the last look to whoever it was."""
        with self.lock:
            self._time.settle(self._stopwatch_at_work())

    def _stopwatch_at_work(self) -> Stopwatch | None:
        task = self.current()
        return None if task is None else task.parker.stopwatch

    def beyond(self) -> list[tuple[LocalTask, int, Lane | None]]:
        """As `Line.beyond`."""
        line = self._line
        return [] if line is None else line.beyond()

    def hear_end(self) -> None:
        """A task has ended on a thread of its own, as the last one of a chain always does."""
        if self.is_over():
            self._watch.wake()

    def is_over(self) -> bool:
        """Whether all of them have ended."""
        return all(task.has_ended() for task in self.tasks)

    def facts(self) -> ChainFacts:
        """Which tasks are worked together, or would be, and why they are not."""
        if (closed := self._closed) and not self.is_to_open:
            return ChainFacts(tuple(task.name for task in closed))
        wanted = next(filter(None, (task.apart_for() for task in self.tasks)), "")
        waiting = (f"{task.name!r} is {task.parker.doing}" for task in self.tasks if task.parker.doing in MID_PACKET)
        why = wanted or self._pace.opened_by or next(waiting, "") or "something waits in a queue"
        return ChainFacts(tuple(task.name for task in self.tasks), why)

    def look(self) -> bool:
        """The watch: if the same packet is at the same place as it was at the last look, it takes too long."""
        line = self._line
        if line is None or not line.is_at_work():
            self._seen = None
            return False
        if self._time.is_due():
            self.divide_time()
        seen = line.look()
        if seen == self._seen:
            task = line.current()
            self._pace.find_slow("a packet takes long" if task is None else f"{task.name!r} takes long for a packet")
            self.give_away()
        self._seen = seen
        return True

    # ── its thread ──

    def live(self, parker: Parker) -> None:
        """The worker: from the start on."""
        parker.begin()
        if (parted := self.work()) is not None:
            task, failure = parted
            del parted
            follow(task, failure)

    def work_on(self, task: LocalTask) -> Parted | None:
        """The thread of `task`, which the chain has taken: it is over, or it is the chain's."""
        return self.work() if task is self.tasks[0] else None

    def work(self) -> Parted | None:
        """Work, until it is opened. What this thread goes on with, if anything."""
        here.begin(_Waiter(self), self.tasks[0].parker.monitor)
        self._time.begin()
        for task in reversed(self._closed):
            self._current = task
            with self.lock:
                self._time.add(task.parker.stopwatch)
            try:
                task.begin()
                self.divide_time()
                task.work_here(self.give_away)
            except BaseException as error:  # noqa: BLE001  the border to user code
                return self._part(task, error)
            if self.is_to_open:
                break
        if not all(task.is_free() for task in self._closed):
            self.open()
        try:
            return self._work_closed()
        except BaseException as error:  # noqa: BLE001  what the head takes, or what an operator makes of a signal
            return self._part(self._closed[0], error)

    def _work_closed(self) -> Parted | None:
        while not self.is_to_open and len(self._closed) > 1:
            self._current = head = self._closed[0]
            if head.has_input_ended:
                if head.has_last_words:
                    break
                self._end(head)
            elif self._has_visitors():
                self.open()
            elif not head.is_ready():
                self._wait(head)
            elif not head.take_event() and (parted := self._work_slice(head)) is not None:
                return parted
        return self._part(self._closed[0])

    def _wait(self, head: LocalTask) -> None:
        members = self._closed[1:]
        self._time.stop()
        for task in members:
            task.rest()
        try:
            head.wait(self._has_news)
        except Cancelled:  # it was opened for that
            self.open()
        if not self.is_to_open:  # else they are seen as waiting until they have threads
            for task in members:
                task.rise()
            self._time.start()

    def _has_news(self) -> bool:
        return self.is_to_open or self._has_visitors()

    def _has_visitors(self) -> bool:
        """Whether something was put into a member from outside, other than the end of what was the head."""
        return any(task.is_ready() and not task.is_about_to_end for task in self._closed[1:])

    def _work_slice(self, head: LocalTask) -> Parted | None:
        line = self._line
        if line is None:
            with self.lock:
                self._line = line = Line(self._closed, self.lock)
        line.use()
        if self.is_to_open:  # said before the loop was halted, if that was just undone
            line.halt()
        self._holder.make_room()
        began_s = perf_counter()
        with self.lock:
            items = head.take(self._pace.size)
        if items is None:
            return None
        error: BaseException | None = None
        left: int | None = None
        line.enter()
        self._watch.wake()  # after that: it looks once more after it has said that it sleeps
        try:
            left = line.run(items)  # also if it is to be opened: a single packet has left its lane
        except BaseException as raised:  # noqa: BLE001  the border to user code
            error = raised
        try:
            with self.lock:
                if line.is_left or error is not None or self.is_to_open:
                    return self._leave(line, error, -1 if left is None else left)
                packets = line.close_slice()
        finally:
            del error, items
        if not self._pace.took(perf_counter() - began_s, packets):
            self.open()
        return None

    def _end(self, head: LocalTask) -> None:
        """The head's input has ended: it ends, and the others follow, each as the head of what is left."""
        members = self._closed[1:]
        with self.lock:
            self._time.serve([head.parker.stopwatch])
        for task in members:
            task.rest()
        self._hold(members[0])
        head.end(None)
        with self.lock:
            self._time.serve([task.parker.stopwatch for task in members])
            if self._line is not None:
                self._line.forget()
            self._closed, self._line = members, None
            head.parker.part()
            head.parker.tell()
        if not self.is_to_open:
            for task in members:
                task.rise()

    # ── opening, on its thread, under the lock ──

    def _leave(self, line: Line, error: BaseException | None, left: int) -> Parted:
        """The loop was left before its time; by the site `left`, which may have results still. What is to go on."""
        self._time.close()
        is_taken = line.is_taken
        task, failure = line.leave(error, left)
        if not is_taken:
            self._hold(task)
            self._hand_out(but=task)
        return self._go_on(task, failure)

    def _part(self, task: LocalTask, failure: BaseException | None = None) -> Parted:
        """Not in the loop: go on with `task`, which has failed, if that is given."""
        with self.lock:
            self._time.close()
            self._hold(task)
            self._hand_out(but=task)
            return self._go_on(task, failure)

    def _hold(self, task: LocalTask) -> None:
        """Its place to run is that of `task` from now on."""
        before, self._holder = self._holder, task.parker
        task.parker.hold(before)

    def _hand_out(self, but: LocalTask) -> None:
        """Give each a thread of its own, but for that one, and the one whose thread this is for good."""
        keeper, line = self._keeper(), self._line
        for task in self._closed:
            if task is not but and task is not keeper:
                task.parker.part()
                task.go_alone(None if line is None else line.rest_of(task))

    def _go_on(self, task: LocalTask, failure: BaseException | None) -> Parted:
        keeper, line = self._keeper(), self._line
        rest = None if line is None or failure is not None else line.rest_of(task)
        if keeper is not None and task is not keeper:
            self._hold(keeper)
            task.parker.part()
            task.go_alone(rest, failure)
            task, rest, failure = keeper, None if line is None else line.rest_of(keeper), None
        task.parker.part(self._permit)
        task.take_worker(task)
        task.go_on(rest)
        if line is not None:
            line.forget()
        self._closed, self._line, self._current = (), None, None
        self.is_to_open = True
        self._pace.open()
        return Parted(task, failure)

    def _keeper(self) -> LocalTask | None:
        """Whose thread this is for good."""
        head = self.tasks[0]
        return head if self._head_keeps_thread and head in self._closed else None

    # ── closing ──

    def takes(self, task: LocalTask) -> bool:
        """Between two batches of `task`, on its own thread: whether that is not its own any more."""
        if task is self.tasks[0]:
            return self._pace.is_due(task.began_s) and self._close_again(task)
        gathering = self._gathering
        return gathering is not None and task.is_called_away() and gathering.take_in(task)

    def _close_again(self, head: LocalTask) -> bool:
        """The head: let the others come in, and wait for that."""
        if not self._is_fit or self._closed or any(each.has_input_ended for each in self.tasks):
            self._pace.rule_out()
            return False
        fits = False
        with self.lock:
            self.is_to_open = False
            gathering = self._gathering = Gathering(self)
            self._permit, self._holder = head.parker.permit, head.parker
            head.parker.join(self, self._permit)
        try:
            fits = all(task.is_free() for task in self.tasks) and gathering.wait()
        finally:
            with self.lock:
                fits = fits and not self.is_to_open
                self._gathering = None
                if not fits:
                    self.is_to_open = True
                    gathering.send_back()
                    head.parker.part(self._permit)
                    self._pace.fail_to_close()
            gathering.let_threads_end()
        if fits:
            self._close(head.take_worker(self))
            for task in self.tasks[1:]:
                task.rise()
        return fits

    def _close(self, worker: Worker) -> None:
        self._closed = self.tasks
        for task in self.tasks:
            task.work_with(worker)
        self._pace.close()


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
