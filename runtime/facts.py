"""Frozen facts about a job: what was counted, where things stand, what happened. Pure records, no behaviour.

They cross every border (thread, process, notebook) by value. Numbers of a running job are each true at the moment they
were read, but not all at the same moment; once the job stands still, they fit together exactly.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple

Ending = Literal["completed", "stopped", "failed", "cancelled"]
"""How a producer, a task or a job ended: by itself, by `stop()`, by an error, by `cancel()`."""

TaskState = Literal[
    "new",
    "idle",
    "running",
    "paused",
    "held back",
    "waiting",
    "backing off",
    "held back: rate",
    "held back: all busy",
    "ended",
]
"""What a task is doing: not started, waiting for packets, working, held by its closed gate, waiting for room
downstream, for a service's reply, for its next attempt, until its rate lets the next packet begin, until
some instance downstream is free, gone."""

EventKind = Literal[
    "start", "stop signal", "end", "error", "skip", "warning", "command", "turn", "late reply", "abandoned"
]

JobState = Literal["new", "running", "draining", "completed", "stopped", "failed", "cancelled"]


class LaneFacts(NamedTuple):
    """The part of a queue that one producer fills. `producer` is a task's name, or `hand`."""

    producer: str
    depth: int
    ended: Ending | None


@dataclass(frozen=True, slots=True)
class SignalFacts:
    """A signal that waits in a queue: `index` packets wait before it, lane by lane; `text` says what it is.

    Of a stop signal, the text is how its producer has ended.
    """

    index: int
    producer: str
    text: str


class TaskFacts(NamedTuple):
    """One task at one moment.

    `depth` counts the packets that wait, at full speed possibly with the batch just being worked; `capacity` is their
    limit. `processed` counts packets taken from the queue (of a source: made), `emitted` those put on outgoing edges
    (one that is broadcast to three tasks counts three times). `lane_depths` is in the order of `producers`,
    `ended_producers` in that of their stop signals. `errors` counts what user code raised and no retry has mended,
    `skipped` the packets among them that were skipped (they are in `processed`, too), `retries` the repeated attempts.
    `open` counts the calls of a function that waits which have begun and of which the results have not been accepted;
    they are in `processed`, too.
    `held` is whether its gate is closed by hand, also while it still works, or waits, in mid-packet.
    `node` is the machine that it runs on, where there may be several. `signals` wait between the packets of its queue.
    `waits_for` names whom it waits for when this is asked: of one that is held back, the tasks whose queues are full,
    or of whom none is free; of one that is waiting, or has calls open, the services that have a call of it; of one that
    is idle, the producers that have not ended. Empty if it goes on already, or waits for time, a person, or user code.
    """

    name: str
    operator: str
    kind: str
    state: TaskState
    depth: int
    capacity: int
    processed: int
    emitted: int
    errors: int
    producers: tuple[str, ...]
    lane_depths: tuple[int, ...]
    ended_producers: tuple[tuple[str, Ending], ...]
    ending: Ending | None
    skipped: int = 0
    retries: int = 0
    held: bool = False
    node: str | None = None
    signals: tuple[SignalFacts, ...] = ()
    open: int = 0
    waits_for: tuple[str, ...] = ()

    @property
    def lanes(self) -> tuple[LaneFacts, ...]:
        """The queue by producer; the hand's lane first."""
        ended = dict(self.ended_producers)
        pairs = zip(self.producers, self.lane_depths, strict=True)
        return tuple(LaneFacts(producer, depth, ended.get(producer)) for producer, depth in pairs)

    @property
    def missing(self) -> tuple[str, ...]:
        """The producers whose stop signal has not arrived, without the hand."""
        ended = {producer for producer, _ in self.ended_producers}
        return tuple(producer for producer in self.producers[1:] if producer not in ended)

    def __repr__(self) -> str:
        parts = [self.ending or _with_whom(self.state, self.waits_for)]
        parts += [f"queue {self.depth:,} of {self.capacity:,}"] if self.producers else []
        parts += [f"{self.processed:,} in", f"{self.emitted:,} out"]
        parts += [f"{self.open:,} open"] if self.open else []
        parts += [f"{self.errors:,} error{'s' if self.errors > 1 else ''}"] if self.errors else []
        parts += [f"{self.skipped:,} skipped"] if self.skipped else []
        parts += [f"{self.retries:,} {'retries' if self.retries > 1 else 'retry'}"] if self.retries else []
        if self.ended_producers and self.ending is None:
            parts.append(f"{len(self.ended_producers)} of {len(self.producers) - 1} producers ended")
        return f"{self.name}: {', '.join(parts)}"


class ServiceFacts(NamedTuple):
    """One service at one moment.

    `depth` counts the requests that wait, `working` those being executed, `concurrency` at most. Each
    of the `received` calls ends as one of `results`, `errors`, `timeouts` or `stopped` (with the job, or given up by
    its caller), or is still `open`. `late` replies came after the end of their call, `lost` ones vanished in an
    interceptor. `callers` says how many of them each task or service has made (`hand`: who is no part of the job),
    in the order of their first calls; while calls come it may be ahead of `received` by what has come meanwhile.
    `waits_for` names the services that have a call of it open, while it waits for them.
    """

    name: str
    state: TaskState
    depth: int
    capacity: int
    concurrency: int
    working: int
    received: int
    results: int
    errors: int
    timeouts: int
    stopped: int
    late: int
    lost: int
    ending: Ending | None
    callers: tuple[tuple[str, int], ...] = ()
    waits_for: tuple[str, ...] = ()

    @property
    def open(self) -> int:
        """How many calls have not ended."""
        return self.received - self.results - self.errors - self.timeouts - self.stopped

    def __repr__(self) -> str:
        parts = [
            self.ending or _with_whom(self.state, self.waits_for),
            f"queue {self.depth:,} of {self.capacity:,}",
            f"{self.received:,} calls",
        ]
        for what in ("errors", "timeouts", "stopped", "late", "lost"):
            number = getattr(self, what)
            parts += [f"{number:,} {what}"] if number else []
        return f"{self.name}: {', '.join(parts)}"


def _with_whom(state: TaskState, whom: Sequence[str]) -> str:
    """A state, and whom it waits for, unless it is idle, which is said of nobody's fault."""
    words = {"held back": " by", "held back: all busy": ":", "waiting": " for"}
    if not whom or state not in words:
        return state
    return f"{state}{words[state]} {few(whom)}"


def few(names: Sequence[str]) -> str:
    """At most two of these names, and how many more there are."""
    return ", ".join(names) if len(names) <= 2 else f"{names[0]}, {names[1]} and {len(names) - 2:,} more"


class QuestionFacts(NamedTuple):
    """What was asked of a graph so far, from outside and by its own functions and services.

    Each of the `asked` questions ends as one of `answered`, `unanswered` (no packet of it was left, and none had come
    to a reply) and `failed` (an error: its time was over, the job has ended, a gate was closed), or is still `open`.
    `late` replies came after the end of their question, or after its first reply. `unasked` packets came to a reply
    and belonged to no question. `per_s` is how many have ended in the last second. The oldest of those that are open
    has been under way for `slowest_s` seconds; `slowest` says what it is.
    """

    asked: int
    open: int
    answered: int
    unanswered: int
    failed: int
    late: int
    unasked: int
    per_s: float
    slowest_s: float
    slowest: str

    def __repr__(self) -> str:
        parts = [f"{self.asked:,} asked"]
        for what in ("open", "answered", "unanswered", "failed", "late", "unasked"):
            number = getattr(self, what)
            parts += [f"{number:,} {what}"] if number else []
        return f"questions: {', '.join(parts)}"


class ChainFacts(NamedTuple):
    """Consecutive tasks that one thread works, packet by packet, as long as `opened_by` is empty.

    Else it says why each of them has a thread of its own at the moment: "'double' is paused". Nothing waits between
    tasks that one thread works.
    """

    tasks: tuple[str, ...]
    opened_by: str = ""


class Times(NamedTuple):
    """Where the time of a task, or of all threads of a service, has gone: seconds, which add up to `lasted_s`.

    Real ones, also under a seed. `busy_s` is all that is no wait: user code, that of the engine, and waits that this
    does not see (for the GIL, in another library, for a disk). `on_processor_s` is how much of it the thread was on a
    processor; None where the platform has no clock that tells. The others are waits: `idle_s` for packets,
    `held_back_s` for room downstream or a free instance, `rate_s` until its rate lets the next packet begin,
    `waiting_s` for a service's reply or for its own open calls, `backing_off_s` for its next attempt, `paused_s` at its
    closed gate (one that has nothing to take is idle, whatever its gate), `turn_s` until it may run, under a seed or in
    a job of many threads. `packets` are those that were worked in this time, of a service its results and errors;
    counted per batch.

    Tasks of a chain (`together` are the others) share one thread. Its work is theirs by where its loop stands whenever
    it is looked at; while it works for others, a task is idle.
    """

    busy_s: float = 0.0
    idle_s: float = 0.0
    held_back_s: float = 0.0
    rate_s: float = 0.0
    waiting_s: float = 0.0
    backing_off_s: float = 0.0
    paused_s: float = 0.0
    turn_s: float = 0.0
    on_processor_s: float | None = None
    packets: int = 0
    together: tuple[str, ...] = ()
    threads: int = 1

    @classmethod
    def of(cls, seconds: Iterable[float], on_processor_s: float | None, packets: int, threads: int = 1) -> Times:
        """These seconds, in the order of `SHARES`."""
        return cls(*seconds, on_processor_s=on_processor_s, packets=packets, threads=threads)  # type: ignore[misc, arg-type]

    @property
    def seconds(self) -> tuple[float, ...]:
        """What they are divided into, in the order of `SHARES`."""
        return self[:8]

    @property
    def lasted_s(self) -> float:
        """How long it all was, of a service the sum over its `threads`."""
        return sum(self[:8])

    @property
    def per_s(self) -> float:
        """Packets for each second; 0 of no time."""
        return self.packets * self.threads / lasted_s if (lasted_s := self.lasted_s) > 0 else 0.0

    @property
    def shares(self) -> dict[str, float]:
        """Which part of it was what: "busy", "idle", "held back" and so on add up to 1. Empty of no time."""
        lasted_s = self.lasted_s
        return {name: part / lasted_s for name, part in zip(SHARES, self.seconds, strict=True)} if lasted_s > 0 else {}

    def __repr__(self) -> str:
        shares = {name: f"{name} {share:.0%}" for name, share in self.shares.items() if share >= 0.005}
        if self.on_processor_s is not None and "busy" in shares:
            shares["busy"] += f" ({self.on_processor_s / self.busy_s:.0%} on the processor)"
        parts = shares.values()
        return f"Times({self.lasted_s:.3f} s: {', '.join([*parts, f'{self.per_s:,.0f} packets/s'])})"


class Spent(NamedTuple):
    """Where time has gone: from the beginning until now, and in the last second."""

    whole: Times = Times()
    lately: Times = Times()


class Stretch(NamedTuple):
    """Where the time of a task or service went from one moment to the next, in seconds since the start of the run."""

    from_s: float
    until_s: float
    times: Times


Past = tuple[tuple[float, Times], ...]
"""How it stood with somebody's times: so many seconds ago, from its beginning until then; the oldest comes first."""

NO_TIME: Final = Spent()
"""Of what has not begun."""

SHARES: Final = ("busy", "idle", "held back", "held back: rate", "waiting", "backing off", "paused", "turn")
"""What a task's time is divided into, as in `Times.shares`; but for the first, what it waits for, as in its state."""


class Columns(NamedTuple):
    """Single facts of all tasks, each as a list in graph order: how a task ended or what it is doing, and numbers.

    `ended_producers` are those whose stop signal has arrived, in that order, and how they have ended; `held` says
    whether the gate is closed by hand.
    """

    states: list[TaskState | Ending]
    depths: list[int]
    processed: list[int]
    emitted: list[int]
    errors: list[int]
    skipped: list[int]
    ended_producers: list[tuple[tuple[str, Ending], ...]]
    held: list[bool]


class TaskTable(Mapping[str, TaskFacts]):
    """The facts of some tasks by name, in graph order, and single columns of them, which may be cheaper to read.

    Of no task, as before a start, unless a subclass says which.
    """

    def __getitem__(self, name: str) -> TaskFacts:
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0

    def depths(self) -> dict[str, int]:
        """How many packets wait for each task."""
        return {name: facts.depth for name, facts in self.items()}

    def states(self) -> dict[str, TaskState]:
        """What each task is doing."""
        return {name: facts.state for name, facts in self.items()}

    def columns(self) -> Columns:
        """What a picture of all tasks wants to know of them, many times a second."""
        facts = list(self.values())
        return Columns(
            [each.ending or each.state for each in facts],
            [each.depth for each in facts],
            [each.processed for each in facts],
            [each.emitted for each in facts],
            [each.errors for each in facts],
            [each.skipped for each in facts],
            [each.ended_producers for each in facts],
            [each.held for each in facts],
        )

    def waits_for(self, name: str) -> tuple[str, ...]:
        """Whom a task waits for."""
        return self[name].waits_for

    def lane_depths(self, name: str) -> tuple[int, ...]:
        """How many packets wait in each lane of a task's queue, the hand's first."""
        return self[name].lane_depths

    def chains(self) -> tuple[ChainFacts, ...]:
        """Which of them are worked together, or would be; those that have ended are left out."""
        return ()

    def spent(self) -> dict[str, Spent]:
        """Where the time of each has gone until now, when this is asked; it is the same whenever it is asked again."""
        return {}

    def signals(self, name: str) -> tuple[SignalFacts, ...]:
        """The signals that wait in a task's queue, lane by lane."""
        return self[name].signals


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Every task of a job at one moment, in graph order: `snapshot["count#2"].depth`; `services["clock"].depth`.

    `order` names the tasks and services that have ended, in the order in which they did. `at_s` is seconds since the
    start, by the backend's clock. `questions` is None of a graph without a `reply()`.
    """

    state: JobState
    tasks: TaskTable
    order: tuple[str, ...] = ()
    services: Mapping[str, ServiceFacts] = field(default_factory=dict)
    at_s: float = field(default=0.0, compare=False)
    spent_by_services: Mapping[str, Spent] = field(default_factory=dict, compare=False, repr=False)
    questions: QuestionFacts | None = field(default=None, compare=False)

    def __getitem__(self, task: str) -> TaskFacts:
        return self.tasks[task]

    def __iter__(self) -> Iterator[TaskFacts]:
        return iter(self.tasks.values())

    def __len__(self) -> int:
        return len(self.tasks)

    @property
    def depths(self) -> dict[str, int]:
        """How many packets wait for each task: cheap enough for a sampler."""
        return self.tasks.depths()

    @property
    def states(self) -> dict[str, TaskState]:
        """What each task is doing: cheap enough for a sampler."""
        return self.tasks.states()

    @property
    def chains(self) -> tuple[ChainFacts, ...]:
        """Which tasks one thread works together, or would, and why it does not: see `Session(chaining=…)`."""
        return self.tasks.chains()

    @property
    def times(self) -> dict[str, Times]:
        """Where the time of each task and service has gone since its beginning, by name.

        `snapshot.times["count"].shares` adds up to 1: "busy", "idle", "held back" and so on. Measured by the engine,
        whether somebody looks or not. Of tasks it is read when it is asked for the first time, not with the counts.
        """
        return {name: spent.whole for name, spent in (*self.tasks.spent().items(), *self.spent_by_services.items())}

    @property
    def lately(self) -> dict[str, Times]:
        """The same of the last second: `snapshot.lately["count"].per_s`. What has ended before has spent no time."""
        return {name: spent.lately for name, spent in (*self.tasks.spent().items(), *self.spent_by_services.items())}

    @property
    def queued(self) -> int:
        """How many packets wait in all queues."""
        return sum(self.tasks.depths().values())

    def __repr__(self) -> str:
        ended = sum(task.ending is not None for task in self.tasks.values())
        return f"Snapshot({self.state}: {len(self.tasks)} tasks, {ended} ended, {self.queued:,} packets queued)"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a job ended.

    `packets_in` counts what the sources made and the hand put in, `packets_out` what the sinks processed, `dropped`
    what `cancel()` or a failure left unprocessed, `errors` what user code raised and no retry has mended, `skipped` the
    packets that were skipped, wherever that was. `order` names tasks and services as they ended, `abandoned` those that
    were stuck in user code when the session was closed; what they do from then on counts nowhere. `lost` names those
    whose process has died, and with it what it had counted since it was seen last: the other counts may be too small.
    """

    state: Ending
    packets_in: int
    packets_out: int
    dropped: int = 0
    errors: int = 0
    order: tuple[str, ...] = ()
    abandoned: tuple[str, ...] = ()
    skipped: int = 0
    lost: tuple[str, ...] = ()

    def __repr__(self) -> str:
        parts = [f"{self.packets_in:,} in", f"{self.packets_out:,} out"]
        parts += [f"{self.skipped:,} skipped"] if self.skipped else []
        parts += [f"{self.dropped:,} dropped"] if self.dropped else []
        parts += [f"{self.errors:,} error{'s' if self.errors > 1 else ''}"] if self.errors else []
        parts += [f"abandoned {', '.join(self.abandoned)}"] if self.abandoned else []
        parts += [f"counts lost with the process of {', '.join(self.lost)}"] if self.lost else []
        return f"Outcome({self.state}: {', '.join(parts)})"


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened once: a start, a command, a turn by hand, a stop signal, an end, an error.

    `task` is the name of a task or service, None for the job. An error of a service's method is an event, too, though
    its caller may have caught it; a late reply is one that came after the end of its call. `at_s` is seconds since the
    job was started, by the backend's clock; it is left out of the text, which is stable. `number` counts the events of
    a run from 0; where one is missing, so many of its kind have come since that it is not kept any more. Of an inject,
    `arrived` is its arrival number in the hand's lane, from 0, in the queue of each task that it went to.
    """

    kind: EventKind
    task: str | None
    text: str
    at_s: float = field(default=0.0, compare=False)
    number: int = field(default=0, compare=False)
    arrived: Sequence[int] = field(default=(), compare=False)

    def __repr__(self) -> str:
        return f"{self.task or 'job'}: {self.text}"
