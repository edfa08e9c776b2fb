"""Dispatcher: makes the tasks of one run, starts and ends them, hears what they report. Knows handles, no threads."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, TypeVar

from runtime.communication.signals import StopSignal
from runtime.completion import Completion, Tally
from runtime.context.report import TaskReport
from runtime.errors import (
    CommandRefused,
    DataflowError,
    JobHeld,
    JobPaused,
    TaskEnded,
    TaskFailed,
    error_text,
    failure_text,
)
from runtime.factory import Backend, Handle, ServiceHandle, TaskFactory, TaskHandle, create_service_task
from runtime.facts import Event, Outcome, QuestionFacts, Snapshot, Stretch, TaskTable
from runtime.graph import ExecutionGraph
from runtime.history.dead_letters import DeadLetter, DeadLetters, Outlets
from runtime.history.event_log import EventLog
from runtime.questions.gates import Gates
from runtime.questions.question import Question, Questions
from runtime.scheduling.commands import Commands
from runtime.scheduling.past import stretches
from runtime.scheduling.waiting import NEVER, Until, Waiting, deadline_of
from runtime.service.invocation import Interceptor
from runtime.texts.preview import Told, number_of, preview, printable

if TYPE_CHECKING:
    from runtime.job_manager import JobManager

_numbers = itertools.count(1)
T = TypeVar("T")

MAX_TOLD: Final = 1_000
"""Of how many values that were left in queues there are previews after a close."""


class Dispatcher:
    """One run of one graph, with a `number` that no other run has.

    `tasks` and `services` are the handles by name, in graph order; `tally` is what their reports add up to, and
    `completion` is to be waited for. The manager hears the outcome, on the thread of the last task or of who closed
    the session. `outlets` are given the dead letters of all runs of a session.
    """

    def __init__(
        self, graph: ExecutionGraph, backend: Backend, manager: JobManager, outlets: Outlets | None = None
    ) -> None:
        self.number = next(_numbers)
        self.graph, self.backend = graph, backend
        self.tasks: dict[str, TaskHandle] = {}
        self.services: dict[str, ServiceHandle] = {}
        self.handles: dict[str, Handle] = {}  # of tasks, then services
        self.events = EventLog()
        self.dead_letters = DeadLetters(outlets)
        self.tally = Tally((node.name for node in graph.nodes), (node.name for node in graph.service_nodes))
        self.completion = Completion(backend, self.handles)
        self.questions = Questions(Gates(graph, backend, self.tasks))
        self._manager = manager
        self._operator_of = {node.name: graph.by_name[node.operator] for node in graph.nodes}
        self._began_s = backend.clock()  # until `start`: gates may be closed before it
        self._hears_hold: Callable[[str], object] = self._hold_is_the_end
        self._why_held: Callable[[], JobHeld | None] = _nothing_held

    # ── life ──

    def submit(self, told: Callable[[], object] = bool) -> None:
        """Make every service and task. Raises `GraphInvalid`; then nothing has been taken.

        Where that takes long, events say what is being done, and `told` is called after each.
        """
        self._began_s = self.backend.clock()
        for service in self.graph.service_nodes:
            self.services[service.name] = create_service_task(service, self.graph, self.backend, self)
        factory = TaskFactory(self.graph, self.backend, self)
        for node in self.graph.nodes:
            self.tasks[node.name] = factory.create_task(node)
        self.handles |= {**self.tasks, **self.services}
        factory.functions.use()

        def say(text: str) -> None:
            self._note("start", None, text)
            told()

        self.backend.ready(say)

    def start(self) -> None:
        """Start services, then tasks, consumers before their producers. If that raises, `cleanup` has to follow."""
        self._began_s = self.backend.clock()
        served = f", {number_of(len(self.services), 'service')}" if self.services else ""
        self._note("start", None, f"started, {number_of(len(self.tasks), 'task')}{served}")
        layers = self.graph.layers
        for service in self.services.values():
            service.start()
        for handle in sorted(self.tasks.values(), key=lambda handle: -layers[self._operator_of[handle.name].name]):
            handle.start()
        self.backend.begin()
        if not self.graph.nodes and not self.graph.service_nodes:  # nobody will report the last end
            self._complete(())

    def stop(self) -> None:
        """Stop with drain: sources and inputs end, what is under way is still processed. Returns at once."""
        if self.tally.ask("stop"):
            self._note("command", None, "stop: sources end, what is under way is processed")
        for name, handle in self.tasks.items():
            if self._operator_of[name].traits.is_start:
                handle.end_input("stopped")
        if not self.tally.has_tasks:
            self._end_services()

    def cancel(self, why: str = "cancel: what is queued is dropped") -> None:
        """Wake and end every task after the packet in work. Returns at once."""
        if self.outcome is None:
            self._note("command", None, why)
        self.tally.ask("cancel")
        for handle in self.tasks.values():
            handle.cancel()
        self.questions.fail_all(self._why_unanswered)  # none is accepted any more
        if self.services or self.graph.asked:
            self.backend.refuse_calls()
        if not self.tally.has_tasks:
            self._end_services()

    def wait(self, timeout_s: float | None = None) -> Outcome:
        """Wait for the end of the run, in a program without a session. Raises as `until_ended`."""
        return self._drive(lambda: self.until_ended(timeout_s))

    def until_ended(self, timeout_s: float | None) -> Waiting[Outcome]:
        """Wait for the end of the run. Raises `TimeoutError`, `JobPaused` if it cannot end, `TaskFailed` if one did."""
        try:
            yield from self.completion.wait(deadline_of(timeout_s))
        except JobPaused:
            if (held := self.why_held()) is None:
                raise
            try:
                raise held from held.__cause__
            finally:
                del held  # else its traceback would hold the frame that holds it
        outcome = self.outcome
        if outcome is None:
            running = ", ".join(sorted(self.tally.running))
            raise TimeoutError(f"the job still runs after {timeout_s} s ({running}); it goes on")
        yield from self.backend.wait(self._not_abandoned(outcome), NEVER)
        failed = self.failure()
        self.completion.was_told(failure=failed is not None)
        if failed is not None:
            try:
                raise failed
            finally:
                del failed  # else its traceback would hold the frame that holds it
        return outcome

    def _not_abandoned(self, outcome: Outcome) -> list[Handle]:
        return [handle for handle in self.handles.values() if handle.name not in outcome.abandoned]

    def failure(self) -> TaskFailed | None:
        """What `wait` raises after the end, if a task or service has failed the run."""
        failure = self.tally.failure
        if failure is None or failure.error is None or self.outcome is None:
            return None
        kind = "task" if failure.task in self.tasks else "service"
        failed = TaskFailed(failure.task, failure.packet, failure.error, self.outcome, kind)
        failed.__cause__ = failure.error
        return failed

    def refuse_own_tasks(
        self, command: str, instead: str = "call it outside, or ask for the end with ctx.request_stop()"
    ) -> None:
        """Raise `CommandRefused` on a thread of the job, which would wait for itself."""
        if not self.backend.is_own_thread():
            return
        kinds = dict.fromkeys(self.tasks, "task") | dict.fromkeys(self.services, "service")
        own = next((handle.name for handle in self.handles.values() if handle.is_current()), None)
        by = "a callback" if own is None else f"{kinds[own]} {own!r}"
        raise CommandRefused(f"{command} was called by {by} of this job, which would wait for itself; {instead}")

    def gates_changed(self, text: str) -> None:
        """Gates were closed or opened by hand: those who wait for the end have to look at them."""
        self._note("command", None, text)
        self.look_at_gates()

    def look_at_gates(self) -> None:
        """Gates were closed or opened: see who waits because of that."""
        self.completion.look_at_gates()
        if self.graph.asked:
            self.questions.look_at_gates(self.why_held())

    def why_held(self) -> JobHeld | None:
        """What to raise where the job stands still because packets are held; None: none is."""
        return self._why_held()

    def on_hold(self, hears: Callable[[str], object], why: Callable[[], JobHeld | None]) -> None:
        """Let `hears` be told of each task that holds a packet, on its own thread or one that delivers its reports.

        `why` says what to raise where the job stands still because of that; None: it does because of something else.
        """
        self._hears_hold, self._why_held = hears, why

    def _hold_is_the_end(self, task: str) -> None:
        self.cancel(f"{task} holds a packet, and nobody is there to mend that: the job is cancelled")

    def closes_gates(self, by_person: bool) -> None:
        """Gates are about to be closed by hand: in a view, by a person who can open them there, or by code."""
        self._touched()
        self.completion.hold(by_person)

    def log_step(self, task: str, text: str) -> None:
        """Somebody has given a task a turn by hand."""
        self._note("turn", task, text.removeprefix(f"{task}: "))

    def edited(self, task: str, text: str) -> None:
        """Something was changed by hand in a task's queue, or in what it remembers."""
        self._touched()
        self._note("command", task, text)

    def taken_back(self, task: str, *, had_ended: bool, skipped: int) -> None:
        """A turn of a task, with which it had ended, or had skipped so many packets, was taken back."""
        self.tally.taken_back(task, had_ended=had_ended, skipped=skipped)
        self.dead_letters.take_back(skipped)

    def injecting(self, where: str, text: str, numbers: Sequence[int]) -> Callable[[], None]:
        """What tells, as a part of the step in which it happens, that a packet has come in by hand.

        `numbers` are its arrival numbers by then.
        """
        self._touched()
        return self.events.adding(Event("command", where, printable(text), self._now_s(), arrived=numbers))

    def cleanup(self, timeout_s: float) -> tuple[str, ...]:
        """Cancel what still runs, wait, release all, in a program without a session. The tasks that were abandoned."""
        return self._drive(lambda: self.until_clean(timeout_s))

    def _drive(self, work: Callable[[], Waiting[T]]) -> T:
        self.refuse_own_tasks("wait() or cleanup()")
        commands = Commands(self.graph.name)
        commands.serve(self.backend.changes, bool, None)
        self.completion.tell(commands.tell)
        return commands.do(work)

    def until_clean(self, timeout_s: float) -> Waiting[tuple[str, ...]]:
        """Cancel what still runs, wait, release all. Comes to the tasks that were abandoned, stuck in user code."""
        if self.outcome is None:
            self.cancel("close: what is queued is dropped")
            deadline = deadline_of(timeout_s)
            stuck = yield from self.backend.wait(self.tasks.values(), deadline)
            for service in self.services.values():  # they are let go without the tasks that are stuck
                service.cancel()
            stuck += yield from self.backend.wait(self.services.values(), deadline)
            running = self.tally.running
            self._complete(tuple(name for name in stuck if name in running))
        outcome = self.outcome
        assert outcome is not None
        yield from self.backend.wait(self._not_abandoned(outcome), deadline_of(timeout_s))
        self.backend.close()
        self.completion.was_told()
        return outcome.abandoned

    def release(self) -> None:
        """After the clean-up: let go of payloads and functions, but for dead letters and the failure.

        What was left in queues is there to be seen as previews, a thousand of them. Tasks that were abandoned keep all.
        """
        assert self.outcome is not None, "released before its end"
        self.on_hold(bool, _nothing_held)  # else what mends a hold, and this, would keep each other
        left = iter(range(MAX_TOLD))
        gone = Told("…")

        def tell(value: Any) -> Told:
            return gone if next(left, None) is None else Told(preview(value))

        for name, handle in self.tasks.items():
            if name not in self.outcome.abandoned:
                handle.release(tell)

    def intercept(self, interceptors: tuple[Interceptor, ...]) -> None:
        """From now on, every request goes through these, the first one outermost."""
        for service in self.services.values():
            service.intercept(interceptors)

    # ── facts ──

    @property
    def outcome(self) -> Outcome | None:
        """How it has ended; None as long as it has not."""
        return self.tally.outcome

    def snapshot(self) -> Snapshot:
        """Every task as it stands now."""
        tasks = self.backend.observe(tuple(self.tasks.values()))
        return Snapshot(
            self.tally.state,
            tasks,
            self.tally.order,
            {name: service.facts() for name, service in self.services.items()},
            self.backend.clock() - self._began_s,
            {name: service.times() for name, service in self.services.items()},
            self._asked(tasks) if self.graph.asked else None,
        )

    def stretches(self) -> dict[str, tuple[Stretch, ...]]:
        """Where the time of each task and service has gone, from its beginning. Raises `CommandRefused`."""
        if self.backend.changes.seeded is not None:
            raise CommandRefused(
                "stretches() would lay real seconds on virtual time, which stands still under a seed while somebody "
                "works; run it without one, or look at session.snapshot().times"
            )
        return {
            name: stretches(handle.past(), self.backend.clock() - self._began_s)
            for name, handle in self.handles.items()
        }

    def _asked(self, tasks: TaskTable) -> QuestionFacts:
        replies = [name for name in tasks if self._operator_of[name].traits.answers]
        return self.questions.facts(sum(tasks[name].processed for name in replies))

    def until_settled(self, timeout_s: float | None) -> Waiting[bool]:
        """Wait until every task stands still. False: not within `timeout_s`."""
        # After the end, those that are about to stand still; others may be stuck, or never have begun.
        names = tuple(self.handles) if self.outcome is None else self.tally.order
        handles = [self.handles[name] for name in names]
        settled = yield Until(lambda: self.backend.is_still(handles), deadline_of(timeout_s), at_rest=True)
        if settled and self.outcome is not None:
            self.completion.was_told()
        return settled

    # ── what tasks report ──

    def request_stop(self, task: str) -> None:
        """A task asks for a stop with drain."""
        self._note("command", task, "asked the job to stop")
        self.stop()

    def enough(self, task: str) -> None:
        """A task needs nothing more: what only such tasks consume, however far away, comes to its end."""
        with_enough = self.tally.enough(task)
        satisfied = {name for name in self.graph.by_name if with_enough.issuperset(self.graph.tasks(name))}
        needed = self.graph.needed_without(satisfied)
        for name, handle in self.tasks.items():
            operator = self._operator_of[name]
            if operator.name in needed:
                continue
            if operator.traits.is_start:
                handle.end_input("completed")
            if operator.name not in satisfied:  # which may have more to send
                handle.stop_sending()

    def warned(self, task: str | None, message: str) -> None:
        """A task has logged a warning, or something went wrong that nobody waits for."""
        self._note("warning", task, message)

    def call_failed(self, service: str, text: str) -> None:
        """A service's method has raised; its caller hears the error itself."""
        self._note("error", service, text)

    def late_reply(self, service: str, text: str) -> None:
        """A service's reply came after its call had ended, and was dropped."""
        self._note("late reply", service, text)

    def skipped(self, letter: DeadLetter) -> None:
        """A task has skipped something."""
        if not self.tally.skipped():
            return
        letter = replace(letter, at_s=self.backend.clock() - self._began_s)
        self.dead_letters.add(letter)
        self._note("skip", letter.task, f"{failure_text(letter.packet, letter.error)}: skipped")
        for error in self.dead_letters.give(letter):
            self.warned(letter.task, f"what dead_letters.to() gives letters to raised {error_text(error)}")

    def held(self, task: str, text: str) -> None:
        """A task holds a packet."""
        self._note("error", task, f"{text}: held")
        self._hears_hold(task)

    def signal_arrived(self, task: str, count: str, signal: StopSignal) -> None:
        """A task has received a producer's stop signal."""
        self._note("stop signal", task, f"received {signal.how} from {signal.producer}: {count}")

    def task_ended(self, report: TaskReport) -> None:
        """A task or service has ended; the last one completes the run, the first that failed cancels it."""
        kind = self.tally.ended(report)
        if kind == "too late":
            return
        if report.error is None:
            self._note("end", report.task, report.ending)
        else:
            self._note("error", report.task, failure_text(report.packet, report.error))
        if kind == "the last":
            self._complete(())
        elif kind == "a first failure":
            self.cancel(f"{report.task} failed: the job is cancelled")
        elif kind == "the last task":
            self._end_services()

    # ── inside ──

    def _end_services(self) -> None:
        """No task is left: let services end after their last request, or, of a job that is cancelled, at once."""
        if (how := self.tally.how_services_end()) != "cancelled":
            self.backend.drain_services(how)
            return
        for service in self.services.values():
            service.cancel()

    def _complete(self, abandoned: tuple[str, ...]) -> None:
        """Give the run its outcome, once, and wake everybody who waits for it."""
        outcome = self._outcome(abandoned)
        if not self.tally.complete(outcome):
            return
        for name in abandoned:
            self._note("abandoned", name, "was stuck in user code at the close; what it still makes is discarded")
        self._note("end", None, outcome.state)
        self.questions.fail_all(self._why_unanswered)
        self._manager.job_ended(outcome)
        self.completion.come()

    def _outcome(self, abandoned: tuple[str, ...]) -> Outcome:
        packets_in = packets_out = dropped = all_skipped = 0
        for name, handle in self.tasks.items():
            (worked, skipped, broken_off), traits = handle.worked(), self._operator_of[name].traits
            packets_in += handle.injected if traits.has_queue else worked
            packets_out += worked - skipped - broken_off if traits.is_end else 0
            all_skipped += skipped
            dropped += handle.left_over()
        return self.tally.sum_up(packets_in, packets_out, dropped, all_skipped, abandoned)

    def _why_unanswered(self, question: Question) -> DataflowError:
        """What a question comes to that is open when the job is cancelled, fails or ends."""
        if (failure := self.tally.failure) is None or failure.error is None:
            return TaskEnded(f"{question.text}: the job was cancelled, or has ended, before the answer came")
        kind = "task" if failure.task in self.tasks else "service"
        failed = TaskFailed(failure.task, failure.packet, failure.error, self.outcome, kind)
        failed.__cause__ = failure.error
        return failed

    def _touched(self) -> None:
        """Under a seed: from here on the run is not that of every run with it."""
        if (seeded := self.backend.changes.seeded) is not None:
            seeded.touched()

    def _note(self, kind: Any, task: str | None, text: str) -> None:
        self.events.add(Event(kind, task, printable(text), self._now_s()))

    def _now_s(self) -> float:
        return self.backend.clock() - self._began_s


def _nothing_held() -> JobHeld | None:
    return None
