"""The end of a run: what it comes to (`Tally`), and how it is waited for (`Completion`). Neither ends anything."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Literal

from runtime.context.report import TaskReport
from runtime.errors import JobPaused, TaskLost
from runtime.factory import Backend, Handle
from runtime.facts import Ending, JobState, Outcome
from runtime.scheduling.waiting import Until, Waiting

EndKind = Literal["too late", "the last", "a first failure", "the last task", "one of many"]
"""What the end of a task or service means for its run."""


class Tally:
    """What the reports of a run's tasks and services add up to, and its outcome once there is one.

    One lock guards it all, and decides who is the one to complete the run. Properties take none: who reads them may be
    cut by an interrupt whose handler waits for a command.
    """

    def __init__(self, tasks: Iterable[str], services: Iterable[str]) -> None:
        self.outcome: Outcome | None = None
        self.failure: TaskReport | None = None  # the first
        self._lock = threading.Lock()
        self._tasks, self._services = set(tasks), set(services)  # that have not ended
        # Of the others, in the order in which they have ended: how, and if because their process has died.
        self._ends: dict[str, tuple[Ending, bool]] = {}
        self._errors = 0
        self._asked: set[Literal["stop", "cancel"]] = set()  # of the run, by hand or because of a failure
        self._with_enough: set[str] = set()

    def ended(self, report: TaskReport) -> EndKind:
        """A task or service has ended. Nothing is counted of one that was abandoned, and ends long after its run."""
        name, error = report.task, report.error
        with self._lock:
            if self.outcome is not None:
                return "too late"
            was_task = name in self._tasks
            self._tasks.discard(name)
            self._services.discard(name)
            self._ends[name] = report.ending, isinstance(error, TaskLost)
            self._errors += error is not None
            first_failure = error is not None and self.failure is None
            if first_failure:
                self.failure = report
            if not self._tasks and not self._services:
                return "the last"
            if first_failure:
                return "a first failure"
            return "the last task" if was_task and not self._tasks else "one of many"

    def taken_back(self, name: str, *, had_ended: bool, skipped: int) -> None:
        """A turn of a task, with which it had ended, or had skipped so many packets, never was."""
        with self._lock:
            self._errors -= skipped
            if had_ended:
                del self._ends[name]
                self._tasks.add(name)

    def skipped(self) -> bool:
        """A task has skipped a packet. False: the run is over, and the task was abandoned."""
        with self._lock:
            if self.outcome is not None:
                return False
            self._errors += 1
            return True

    def enough(self, task: str) -> frozenset[str]:
        """A task needs nothing more; all tasks of which that is so."""
        with self._lock:
            self._with_enough.add(task)
            return frozenset(self._with_enough)

    def ask(self, what: Literal["stop", "cancel"]) -> bool:
        """The run is to be stopped with drain, or cancelled. False: that was asked for before, or it is over."""
        with self._lock:
            first = what not in self._asked and self.outcome is None
            self._asked.add(what)
            return first

    def complete(self, outcome: Outcome) -> bool:
        """Give the run its outcome. False: it has one."""
        with self._lock:
            if self.outcome is not None:
                return False
            self.outcome = outcome
            return True

    def sum_up(
        self, packets_in: int, packets_out: int, dropped: int, skipped: int, abandoned: tuple[str, ...]
    ) -> Outcome:
        """The outcome that it would have now, with what its tasks have counted."""
        with self._lock:
            ways = self._ways() | ({"cancelled"} if self._tasks or self._services else set())
            how: Ending = next((each for each in _WORST_FIRST if each in ways), "completed")
            order, lost = self.order, tuple(name for name, (_, is_lost) in self._ends.items() if is_lost)
            return Outcome(how, packets_in, packets_out, dropped, self._errors, order, abandoned, skipped, lost)

    def how_services_end(self) -> Ending:
        """As what services end after the last task: cancelled with the job, else drained."""
        with self._lock:
            if "cancel" in self._asked or not self._ways() <= {"completed", "stopped"}:
                return "cancelled"
            return "stopped" if "stop" in self._asked else "completed"

    def _ways(self) -> set[Ending]:
        """Under the lock: how those have ended that have."""
        return {how for how, _ in self._ends.values()}

    @property
    def state(self) -> JobState:
        """What the run as a whole is doing."""
        if (outcome := self.outcome) is not None:
            return outcome.state
        return "draining" if "stop" in self._asked else "running"

    @property
    def is_cancelled(self) -> bool:
        """Whether it was cancelled, by hand or by a failure: nothing waits for input any more."""
        return "cancel" in self._asked

    @property
    def has_tasks(self) -> bool:
        """Whether a task has not ended."""
        return bool(self._tasks)

    @property
    def running(self) -> set[str]:
        """Who has not ended."""
        return self._tasks | self._services

    @property
    def order(self) -> tuple[str, ...]:
        """Who has ended, in the order in which they did."""
        return tuple(self._ends)


_WORST_FIRST: tuple[Ending, ...] = ("failed", "cancelled", "stopped")


class Completion:
    """The end of a run of these tasks and services, which may still have to be made, as it is waited for."""

    def __init__(self, backend: Backend, handles: Mapping[str, Handle]) -> None:
        self._backend, self._handles = backend, handles
        self._come: list[bool] = []
        self._is_something_paused = False  # some gate is closed by hand: the job may stand still because of it
        self._is_held_by_person = False  # who closed gates last did so in a view, and can open them there
        self.waiters = 0  # how many wait for it
        self._news: Callable[[], object] = bool
        self._listeners: deque[Callable[[], object]] = deque()
        self._told: Literal["nothing", "the end", "the failure"] = "nothing"

    def tell(self, news: Callable[[], object]) -> None:
        """Call `news` when the end has come, which those who wait for it do not see by watching tasks."""
        self._news = news

    def on_end(self, callback: Callable[[], object]) -> None:
        """Call `callback` when it has come, on whichever thread brings it; at once if it has."""
        self._listeners.append(callback)
        if self._come:
            self._tell_listeners()

    def _tell_listeners(self) -> None:
        """Each of them once, whoever takes it out first."""
        while self._listeners:
            try:
                listener = self._listeners.popleft()
            except IndexError:
                return
            listener()

    def was_told(self, *, failure: bool = False) -> None:
        """Somebody has waited for the end, and heard of it; of a run that has failed, of the failure as well."""
        if failure or self._told == "nothing":
            self._told = "the failure" if failure else "the end"

    @property
    def is_told(self) -> bool:
        """Whether somebody has waited for it, and heard that it has come."""
        return self._told != "nothing"

    @property
    def is_failure_told(self) -> bool:
        """Whether somebody has waited for it, and heard that the run has failed."""
        return self._told == "the failure"

    def hold(self, by_person: bool) -> None:
        """Gates are about to be closed by hand: in a view, by a person who can open them there, or by code."""
        self._is_held_by_person = by_person

    @property
    def is_something_paused(self) -> bool:
        """Whether some gate is closed by hand."""
        return self._is_something_paused

    def wait(self, deadline: float) -> Waiting[bool]:
        """Wait for it. False: not in time. Raises `JobPaused` if a pause prevents it, but by a person in a view."""
        self.waiters += 1
        try:
            while not self._come:
                if self._is_something_paused:
                    # While something is paused, watch everybody: the pause may be all that keeps the job from its end.
                    in_time = yield Until(self._is_come_or_stuck, deadline, at_rest=True)
                    if held := self._held_by_pause():
                        names = f"{', '.join(map(repr, held))} {'is' if len(held) == 1 else 'are'}"
                        raise JobPaused(f"the job stands still, since {names} paused; resume() or step(), then wait")
                else:
                    in_time = yield Until(
                        lambda: bool(self._come) or self._is_something_paused, deadline, watched=False
                    )
                if not in_time:
                    break
        finally:
            self.waiters -= 1
        return bool(self._come)

    @property
    def has_come(self) -> bool:
        """Whether it is there."""
        return bool(self._come)

    def come(self) -> None:
        """It is there. Any thread."""
        self._come.append(True)
        self._news()
        self._tell_listeners()

    def look_at_gates(self) -> None:
        """Gates were closed or opened by hand."""
        self._is_something_paused = any(worker.is_paused for worker in self._backend.workers(self._handles.values()))

    def _is_come_or_stuck(self) -> bool:
        return self.has_come or not self._is_something_paused or bool(self._held_by_pause())

    def _held_by_pause(self) -> list[str]:
        """Those that are paused and have something to do, if nothing else moves."""
        handles = list(self._handles.values())
        held: list[str] = []
        if self.has_come or self._is_held_by_person:
            return held

        def look() -> bool:
            workers = self._backend.workers(handles)
            held[:] = [handle.name for handle, worker in zip(handles, workers, strict=True) if worker.is_held]
            return bool(held)

        return held if self._backend.at_one_moment(look)() and self._backend.is_still(handles) else []
