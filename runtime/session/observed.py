"""The facts of a session: how its run stands, what has happened in it, how it ended. Reads; changes nothing."""

from __future__ import annotations

from collections.abc import Mapping

from runtime.control.holding import Held
from runtime.errors import TaskFailed
from runtime.facts import Event, EventKind, JobState, Outcome, Snapshot, Stretch, TaskTable
from runtime.graph import ExecutionGraph
from runtime.history.dead_letters import DeadLetters
from runtime.history.event_log import EventLog
from runtime.reporting.metrics import Metrics, metrics_of
from runtime.session.runs import Runs


class Observed:
    """The part of a session that says how its run stands, of the runs that it is given."""

    def __init__(self, runs: Runs) -> None:
        self._runs = runs

    @property
    def name(self) -> str:
        """What the session was called, or calls itself."""
        return self._runs.name

    @property
    def graph(self) -> ExecutionGraph:
        """The graph as it is written so far; of a run, the one that runs."""
        return self._runs.graph

    @property
    def status(self) -> JobState:
        """`new`, `running`, `draining` after `stop()`, then how it ended."""
        if (run := self._runs.run) is not None:
            return run.dispatcher.tally.state
        return "new" if self._runs.ended_new is None else self._runs.ended_new.state

    @property
    def outcome(self) -> Outcome | None:
        """How the last run ended; None while there is none."""
        run = self._runs.run
        return self._runs.ended_new if run is None else run.dispatcher.outcome

    @property
    def run_number(self) -> int:
        """Which run of this process it is that the facts are of: another one after each start, 0 before the first."""
        return 0 if (run := self._runs.run) is None else run.dispatcher.number

    @property
    def is_waited_for(self) -> bool:
        """Whether somebody waits for the end of the run: a cell, say, or a coroutine."""
        run = self._runs.run
        return run is not None and run.dispatcher.completion.waiters > 0

    @property
    def failure(self) -> TaskFailed | None:
        """What `wait()` raises after the last run, if it has failed. Reading it does not count as being told of it."""
        return None if (run := self._runs.run) is None else run.dispatcher.failure()

    @property
    def told_outcome(self) -> Outcome | None:
        """The outcome, once somebody has waited for it or closed the session: what a picture may show.

        `outcome` itself may be there from one moment to the next, and a notebook's output would depend on that.
        """
        run = self._runs.run
        told = run is None or run.dispatcher.completion.is_told
        return self.outcome if told else None

    @property
    def events(self) -> tuple[Event, ...]:
        """What happened in this run: starts, commands, stop signals, ends, errors, skips, warnings.

        While `start()` takes long, as on Ray, those of the run that is being made: what the start is doing.
        The last 10,000 of each kind, so that a flood of skips does not push out the start; `event_counts` counts all.
        """
        return self.events_since(0)[1]

    @property
    def event_counts(self) -> Mapping[EventKind, int]:
        """How many events of each kind this run has had, with those that are not kept any more."""
        log = self._log
        return {} if log is None else log.counts

    def events_since(self, number: int) -> tuple[int, tuple[Event, ...]]:
        """The number to ask from next time; and the events of this run from the one of this `number` on, from 0.

        Only those that are kept. Whoever asks from that number on gets each of them once. Each has its `number`.
        """
        log = self._log
        return (number, ()) if log is None else log.since(number)

    @property
    def _log(self) -> EventLog | None:
        starting, run = self._runs.starting, self._runs.run  # read once: another thread starts
        return starting if starting is not None or run is None else run.dispatcher.events

    @property
    def turns(self) -> list[str]:
        """With a seed: who had which turn and what for, in order, a line each; else empty. The last million.

        `count#0: work` took a packet, `count#0: reply` had its answer, `time: 0.5 s` is a step of the virtual time.
        """
        return [] if (run := self._runs.run) is None else run.dispatcher.backend.turns

    @property
    def turn(self) -> int | None:
        """With a seed: how many turns the run has had of those that `goto` finds again; None without one.

        That is all turns until something is done by hand, a pause too. After `goto` it is the turn that was gone to.
        """
        if self._runs.environment.settings.seed is None:
            return None
        seeded = None if (run := self._runs.run) is None else run.dispatcher.backend.changes.seeded
        return 0 if seeded is None else seeded.untouched

    @property
    def dead_letters(self) -> DeadLetters:
        """What this run has skipped, to be retried or discarded: the last 1,000, all counted. Empty before a start."""
        run = self._runs.run
        return DeadLetters(self._runs.outlets) if run is None else run.dispatcher.dead_letters

    @property
    def held(self) -> tuple[Held, ...]:
        """What tasks hold under `on_error="hold"`, in graph order: each is tried again by `resume()`. Else empty."""
        run = self._runs.run
        return () if run is None or not run.is_live else run.holding.held()

    def snapshot(self) -> Snapshot:
        """Every task and service as it stands now: depth, state, counts, stop progress. Costs them nothing."""
        run = self._runs.run
        return Snapshot(self.status, TaskTable()) if run is None else run.dispatcher.snapshot()

    def stretches(self) -> dict[str, tuple[Stretch, ...]]:
        """Where the time of each task and service has gone, stretch by stretch from its beginning until now, by name.

        `session.stretches()["count"][0].times.shares`. Measured by the engine, whether somebody looks or not: at most
        66 of each, the shortest a tenth of a second long, and longer the longer the run. What happened within one is
        known as shares. Empty before a start, and of what has not begun; of one whose process has died, too. Raises
        `CommandRefused` under a seed, where time is virtual.
        """
        run = self._runs.run
        return {} if run is None else run.dispatcher.stretches()

    def metrics(self) -> Metrics:
        """All counters and depths now, as plain dicts: `session.metrics()["task_processed"]["count#2"]`.

        Of each task `task_` `processed`, `emitted`, `errors`, `skipped`, `retries`, `queue_depth`, `queue_capacity`; of
        each service `service_` `calls`, `results`, `errors`, `timeouts`, `stopped`, `late_replies`, `lost_replies`,
        `queue_depth`, `queue_capacity`. What they count is said in `TaskFacts` and `ServiceFacts`. Of both the seconds
        that they have spent, as in `Times`: `busy_seconds`, `idle_seconds`, `held_back_seconds` and so on; and how many
        are held back by its full queue, or wait for its replies: `waited_for`.
        """
        return metrics_of(self.snapshot())

    def settle(self, timeout: float | None = None) -> None:
        """Wait until nothing will change until something from outside does: all are idle, held back, paused or ended.

        Services are waited for as well. Raises `TimeoutError`, `NotStarted`.
        """
        if self._runs.ended_new is not None:
            return
        dispatcher = self._runs.started().dispatcher
        if not self._runs.do("settle", lambda: dispatcher.until_settled(timeout)):
            raise TimeoutError(f"the job has not settled within {timeout} s")
