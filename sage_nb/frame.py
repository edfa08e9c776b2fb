"""How a session stands, as a record for a view's page: columns over the rows of a plan. Reads snapshots, keeps nothing.

It is made many times a second while somebody looks, so it works on columns, never task by task.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from operator import itemgetter
from typing import Any, Final, Literal

from runtime import Event, Session, Snapshot, TaskTable
from runtime.facts import Columns, Ending, few
from runtime.graph import ExecutionGraph, OperatorNode
from sage_nb.call_cards import CallCards
from sage_nb.chain_cards import ChainCards
from sage_nb.past_cards import past_of
from sage_nb.plan import task_spans
from sage_nb.serializers import ask_card, signal_cards
from sage_nb.texts import shown
from sage_nb.time_cards import TimeCards
from sage_nb.wire import STATES, Counts, EventCard, Frame, Past, Plan, Row, SignalCard

MAX_EVENTS: Final = 500
"""In one frame, of each kind: the last ones; a page asks for the others if it wants them."""

_MAX_LANES: Final = 200  # in all, for every frame to tell all of them
_WORST: Final = (
    *(
        "failed",
        "abandoned",
        "held back",
        "waiting",
        "backing off",
        "held back: rate",
        "held back: all busy",
        "running",
        "paused",
        "idle",
        "new",
    ),
)
_BY_OTHERS: Final = ("held back", "held back: all busy", "waiting")
_NUMBERS: Final = ("depths", "processed", "emitted", "errors", "skipped")
_ENDINGS: Final = ("cancelled", "stopped", "completed")


class Framer:
    """Makes the frames of one plan of one session's graph, and keeps nothing of either: functions hold sessions."""

    def __init__(self, session: Session, plan: Plan) -> None:
        graph = session.graph
        self._plan = plan
        self._grouped = plan["grouped"]
        self._spans = task_spans(graph)
        self._parallelism = {operator.name: operator.parallelism for operator in graph.operators}
        self._tasks = [task for operator in graph.operators for task in graph.tasks(operator.name)]
        self._services = [service.name for service in graph.service_nodes]
        names = [operator.name for operator in graph.operators] if self._grouped else self._tasks
        self._row = {name: row for row, name in enumerate([*names, *self._services])}
        if self._grouped:
            owners = (operator.name for operator in graph.operators for _ in range(operator.parallelism))
            self._row |= {task: self._row[owner] for task, owner in zip(self._tasks, owners, strict=True)}
        self._made = _places(graph, self._spans, lambda operator: operator.traits.is_start)
        self._done = _places(graph, self._spans, lambda operator: operator.traits.is_end)
        # The rows of which every frame tells the lanes, and the signals: others are told of while they are watched.
        self._lane_rows = self._if_few(2)
        self._signal_rows = self._if_few(1)
        self._chains, self._calls = ChainCards(self.row), CallCards(self.row)
        spans = self._spans if self._grouped else [(place, place + 1) for place in range(len(self._tasks))]
        after = [(len(self._tasks) + place, len(self._tasks) + place + 1) for place in range(len(self._services))]
        self._spent_by = [*self._tasks, *self._services], [*spans, *after]  # of which of these names each row is
        self._times = TimeCards(*self._spent_by)
        waits = {operator.name for operator in graph.operators if operator.traits.is_awaited}
        self._waiting = [(self._row[task], task) for name in waits for task in graph.tasks(name)]

    @property
    def revision(self) -> int:
        """Of its plan."""
        return self._plan["revision"]

    def row(self, name: str | None) -> int:
        """The row of a task, operator or service; -1 of the job, and of what has none."""
        return -1 if name is None else self._row.get(name, -1)

    def frame(
        self, snapshot: Snapshot, session: Session, watched: Iterable[int], events: Sequence[Event]
    ) -> Frame | None:
        """How everything stands in `snapshot`, and the new events. None if the snapshot is of another graph."""
        columns = snapshot.tasks.columns() if len(snapshot.tasks) else self._new()
        if len(columns.states) != len(self._tasks):
            return None
        counts = _counts(columns, self._made, self._done)
        if (outcome := session.outcome) is not None and outcome.abandoned:
            gone = set(outcome.abandoned)
            pairs = zip(self._tasks, columns.states, strict=True)
            states: list[Any] = ["abandoned" if task in gone else state for task, state in pairs]
            columns = columns._replace(states=states)
        if self._grouped:
            columns = self._by_operator(columns)
        services = snapshot.services
        asked = [services[name] for name in self._services] if services else []
        blank = [] if asked else [0] * len(self._services)
        letters = [STATES[state] for state in columns.states]
        letters += [STATES[each.ending or each.state] for each in asked] if asked else ["n"] * len(blank)
        held = columns.held + ([each.state == "paused" for each in asked] or [False] * len(blank))
        return Frame(
            revision=self._plan["revision"],
            number=0,
            at_s=round(snapshot.at_s, 3),
            since_s=round(snapshot.at_s, 3),
            state=snapshot.state,
            holding=_holding(letters, held),
            waited=session.is_waited_for,
            counts=counts,
            states="".join(letters),
            depths=columns.depths + ([each.depth for each in asked] or blank),
            processed=columns.processed + ([each.received for each in asked] or blank),
            emitted=columns.emitted + ([each.results for each in asked] or blank),
            errors=columns.errors + ([each.errors for each in asked] or blank),
            ended=self._ended(columns.ended_producers) + [0] * len(self._services),
            heard={} if self._grouped else _heard(self._plan["rows"], columns.ended_producers),
            held=[row for row, closed in enumerate(held) if closed],
            order=self._order(snapshot.order),
            lanes=self._lanes(snapshot.tasks, watched),
            signals=self._signals(snapshot.tasks, watched),
            chains=self._chains.cards(snapshot.chains, snapshot.at_s),
            calls=self._calls.cards(services, snapshot.at_s, runs=snapshot.state in ("running", "draining")),
            open=self._open(snapshot.tasks),
            times=self._times.text(snapshot),
            waits=self._waits(snapshot, columns.states),
            asks=ask_card(snapshot.questions),
            turn=-1 if session.turn is None else session.turn,
            letters=len(session.dead_letters),
            letters_total=session.dead_letters.total,
            breakpoints=[],
            hits=0,
            printed=0,
            events=self.event_cards(events),
            closed=False,
        )

    def past(self, session: Session) -> Past:
        """Where the time of each row went before somebody looked."""
        return past_of(session, *self._spent_by)

    def event_cards(self, events: Sequence[Event], limit: int = MAX_EVENTS) -> list[EventCard]:
        """Events as a page wants them, the last ones of each kind if there are very many."""
        return [
            EventCard(
                number=event.number,
                kind=event.kind,
                row=self.row(event.task),
                text=shown(event.text),
                at_s=round(event.at_s, 4),
            )
            for event in _last_of_each_kind(events, limit)
        ]

    def _new(self) -> Columns:
        """The columns of a job that has not begun."""
        zeros = [0] * len(self._tasks)
        states: list[Any] = ["new"] * len(zeros)
        return Columns(states, zeros, zeros, zeros, zeros, zeros, [()] * len(zeros), [False] * len(zeros))

    def _ended(self, producers: Sequence[Sequence[object]]) -> list[int]:
        """How many producers of each row have ended; of an operator, those that all of its tasks have heard."""
        numbers = list(map(len, producers))
        return [min(numbers[first:end]) for first, end in self._spans] if self._grouped else numbers

    def _order(self, ended: Sequence[str]) -> list[int]:
        if not self._grouped:
            return [self._row[name] for name in ended if name in self._row]
        left = dict(self._parallelism)
        rows: list[int] = []
        for name in ended:  # an operator has ended with the last of its tasks
            owner = self._plan["rows"][self._row[name]]["name"]
            left[owner] = left.get(owner, 1) - 1
            if not left[owner]:
                rows.append(self._row[name])
        return rows

    def _if_few(self, producers: int) -> list[int]:
        """The tasks with at least so many producers, if their lanes are few enough to tell of all in each frame."""
        found = [
            (row, len(self._plan["rows"][row]["producers"])) for row in range(len(self._tasks)) if not self._grouped
        ]
        found = [(row, number) for row, number in found if number >= producers]
        return [row for row, _ in found] if sum(number for _, number in found) <= _MAX_LANES else []

    def _shown(self, rows: list[int], tasks: TaskTable, watched: Iterable[int]) -> list[int]:
        """These rows and the watched ones, of a graph that is not drawn by operator and has been started."""
        if self._grouped or not tasks:
            return []
        return sorted({*rows, *(row for row in watched if 0 <= row < len(self._tasks))})

    def _lanes(self, tasks: TaskTable, watched: Iterable[int]) -> dict[str, list[int]]:
        rows = self._shown(self._lane_rows, tasks, watched)
        return {str(row): list(tasks.lane_depths(self._tasks[row])) for row in rows}

    def _signals(self, tasks: TaskTable, watched: Iterable[int]) -> dict[str, list[SignalCard]]:
        rows = self._shown(self._signal_rows, tasks, watched)
        return {str(row): signal_cards(found) for row in rows if (found := tasks.signals(self._tasks[row]))}

    def _open(self, tasks: TaskTable) -> dict[str, int]:
        """How many calls are open, of the tasks whose functions wait."""
        found: Counter[str] = Counter()
        for row, task in self._waiting if tasks else ():
            found[str(row)] += tasks[task].open
        return dict(+found)

    def _waits(self, snapshot: Snapshot, states: Sequence[str]) -> dict[str, str]:
        """Whom the rows wait for that are held back or wait for a reply; not of a graph that is drawn by operator."""
        if self._grouped or not snapshot.tasks:
            return {}
        tasks = [(row, self._tasks[row]) for row, state in enumerate(states) if state in _BY_OTHERS]
        found = {row: snapshot.tasks.waits_for(task) for row, task in tasks}
        found |= {self._row[name]: facts.waits_for for name, facts in snapshot.services.items()}
        return {str(row): shown(few(whom)) for row, whom in found.items() if whom}

    def _by_operator(self, columns: Columns) -> Columns:
        states, *numbers, _, held = columns
        sums: list[Any] = [[sum(column[first:end]) for first, end in self._spans] for column in numbers]
        worst = [_worst(states[first:end]) for first, end in self._spans]
        closed = [all(held[first:end]) for first, end in self._spans]
        return columns._replace(**dict(zip(_NUMBERS, sums, strict=True)), states=worst, held=closed)


def _last_of_each_kind(events: Sequence[Event], limit: int) -> Sequence[Event]:
    if len(events) <= limit:
        return events
    left = Counter({event.kind: limit for event in events})
    kept = []
    for event in reversed(events):
        if left[event.kind]:
            left[event.kind] -= 1
            kept.append(event)
    return kept[::-1]


def _places(graph: ExecutionGraph, spans: list[tuple[int, int]], wanted: Callable[[OperatorNode], bool]) -> list[int]:
    """Where the tasks of the wanted operators are among all tasks."""
    pairs = zip(graph.operators, spans, strict=True)
    return [place for operator, span in pairs if wanted(operator) for place in range(*span)]


def _counts(columns: Columns, made: list[int], done: list[int]) -> Counts:
    return Counts(
        made=sum(_at(columns.processed, made)),
        done=sum(_at(columns.processed, done)) - sum(_at(columns.skipped, done)),
        errors=sum(columns.errors),
        skipped=sum(columns.skipped),
    )


def _at(column: list[int], places: list[int]) -> Sequence[int]:
    if len(places) == 1:
        return (column[places[0]],)
    found: Any = itemgetter(*places)(column) if places else ()
    return tuple(found)


def _holding(states: list[str], held: list[bool]) -> Literal["none", "some", "all"]:
    if not any(held):
        return "none"
    living = [closed for letter, closed in zip(states, held, strict=True) if letter not in "csfxa"]
    return ("all" if all(living) else "some") if living else "none"


def _heard(rows: Sequence[Row], ended_producers: Sequence[Sequence[tuple[str, Ending]]]) -> dict[str, list[int]]:
    """Of the tasks that have heard of some of their producers' ends, and not of all: which these are."""
    found = {}
    for index, signals in enumerate(ended_producers):
        if signals and len(signals) < len(producers := rows[index]["producers"]):
            places: dict[str, list[int]] = {}
            for place in range(len(producers) - 1, -1, -1):
                places.setdefault(producers[place], []).append(place)
            # One that fills several lanes is named for each.
            found[str(index)] = [places[producer].pop() for producer, _ in signals]
    return found


def _worst(states: list[Any]) -> Any:
    """The state shown for an operator whose tasks are in different ones."""
    found = set(states)
    return next(state for state in (*_WORST, *_ENDINGS) if state in found)
