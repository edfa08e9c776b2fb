"""Looking at all tasks of a job at once, so cheaply that it can be done many times a second.

A sample is a few columns of numbers, read by C-level `map`s over all tasks or lanes into one list. They are of one
moment: the GIL changes hands between two bytecodes, and where the garbage collector calls somebody, and there is
neither in between. A packet that leaves a lane meanwhile would otherwise be counted twice. `TaskFacts` are
made of them only for the tasks that somebody asks for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate, chain
from operator import add, attrgetter, itemgetter, sub
from typing import TYPE_CHECKING, Any, Final, Protocol, Self

from runtime.facts import ChainFacts, Columns, SignalFacts, Spent, TaskFacts, TaskState, TaskTable
from runtime.scheduling.stopwatch import RATED_REPEAT

if TYPE_CHECKING:
    from runtime.communication.lane import Lane
    from runtime.task.base_task import BaseTask

_COLUMNS: Final = (
    "parker.doing gate.closed counts.processed counts.errors ending ended_producers "
    "counts.skipped counts.retries counts.open"
)
_OF_TASKS: Final = tuple(column.rpartition(".") for column in _COLUMNS.split())
_TAKEN: Final = attrgetter("taken")


class Shares(Protocol):
    """What works several tasks by one thread."""

    def times(self) -> dict[str, Spent]:
        """Where their time has gone, by name."""


class Observer:
    """Knows where the numbers of these tasks are."""

    def __init__(self, tasks: Sequence[BaseTask]) -> None:
        self.tasks = tasks
        # A path of two names takes twice as long to read as one: so whose attribute it is, is found once.
        owners = [map(attrgetter(part), tasks) if part else tasks for part, _, _ in _OF_TASKS]
        self._columns = [(attrgetter(name), list(each)) for (_, _, name), each in zip(_OF_TASKS, owners, strict=True)]
        self.place = {task.name: place for place, task in enumerate(tasks)}
        incoming = [task.lanes_in for task in tasks]
        self.ends_in = [0, *accumulate(map(len, incoming))]
        # The lanes that a task fills are others' incoming ones; of a single task, they come after its own.
        lanes = [lane for lanes_in in incoming for lane in lanes_in]
        known = set(map(id, lanes))
        lanes += [lane for task in tasks for lane in task.lanes_out if id(lane) not in known]
        self._items = [lane.items for lane in lanes]
        self.signals = [lane.signals for lane in lanes]
        place_of = {id(lane): place for place, lane in enumerate(lanes)}
        # All that is known of what tasks have sent is kept by writer, so that it is summed up in one go.
        self.filled = [lane for task in tasks for lane in task.lanes_out]
        self.places_filled = [place_of[id(lane)] for lane in self.filled]
        self.ends_out = [0, *accumulate(len(task.lanes_out) for task in tasks)]
        self.at_filled, self.at_ends_out, self.at_ends_in = map(
            _picker, (self.places_filled, self.ends_out, self.ends_in)
        )

    def observe(self) -> Sample:
        """Read everything now, while no other thread runs. Tasks do not notice."""
        columns = [map(column, owners) for column, owners in self._columns]
        values = list(chain(*columns, map(len, self._items), map(_TAKEN, self.filled)))
        tasks, lanes = len(self.tasks), len(self._items)
        doing, held, *rest = [values[tasks * column : tasks * (column + 1)] for column in range(len(_OF_TASKS))]
        first = len(_OF_TASKS) * tasks
        if any(held):  # one that sleeps at an empty queue is paused from the moment that its gate is closed
            both = zip(doing, held, strict=True)
            doing = ["paused" if shut and each == "idle" else each for each, shut in both]
        if RATED_REPEAT in doing:
            doing = ["held back: rate" if each == RATED_REPEAT else each for each in doing]
        return Sample(self, doing, held, rest, values[first : first + lanes], values[first + lanes :])


def _picker(places: Sequence[int]) -> Callable[[Sequence[int]], Sequence[int]]:
    """What finds what is at these places of a column, in one step."""
    return itemgetter(*places) if len(places) > 1 else lambda column: [column[place] for place in places]


def _differences(sums: Sequence[int]) -> list[int]:
    """Each less the one before it."""
    return list(map(sub, sums[1:], sums))


class Sample(TaskTable):
    """What an observer read: the facts of each task by name, in graph order."""

    # What is there only where somebody asks for it, or where there are chains.
    _chains: tuple[ChainFacts, ...] = ()
    _sharing: Sequence[Shares] = ()
    _spent: dict[str, Spent] | None = None

    def __init__(
        self,
        observer: Observer,
        doing: list[TaskState],
        held: list[bool],
        rest: list[list[Any]],
        waiting: list[int],
        taken: list[int],
    ) -> None:
        self._observer, self._doing, self._held, self._rest = observer, doing, held, rest
        self._waiting = waiting  # in each lane, by reader
        self._taken = taken  # from each lane, by writer

    def __getitem__(self, name: str) -> TaskFacts:
        place = self._observer.place[name]
        node = self._observer.tasks[place].ctx.wiring.node
        processed, errors, ending, ended_producers, skipped, retries, open_ = (column[place] for column in self._rest)
        depths = self._lanes(place)
        first, after = self._observer.ends_out[place : place + 2]
        waiting = sum([self._waiting[lane] for lane in self._observer.places_filled[first:after]])
        emitted = sum(self._taken[first:after]) + waiting
        return TaskFacts(
            name,
            node.name,
            node.kind,
            "ended" if ending is not None else self._doing[place],
            sum(depths),
            node.capacity,
            processed,
            emitted,
            errors,
            tuple([lane.producer for lane in self._observer.tasks[place].lanes_in]),
            depths,
            ended_producers,
            ending,
            skipped,
            retries,
            self._held[place],
            signals=self.signals(name),
            open=open_,
            waits_for=self.waits_for(name),
        )

    def counting(
        self,
        beyond: Sequence[tuple[BaseTask, int, Lane | None]],
        chains: Sequence[ChainFacts],
        sharing: Sequence[Shares],
    ) -> Self:
        """The same, with `chains`, which share threads, and packets that have come uncounted, past a lane or none."""
        self._chains, self._sharing = tuple(chains), sharing
        processed, observer = self._rest[0], self._observer
        place_of_lane = {id(lane): at for at, lane in enumerate(observer.filled)} if beyond else {}
        for task, count, lane in beyond:
            processed[observer.place[task.name]] += count
            if lane is not None:
                self._taken[place_of_lane[id(lane)]] += count
        return self

    def depths(self) -> dict[str, int]:
        """How many packets wait for each task."""
        return dict(zip(self._observer.place, self._depths(), strict=True))

    def states(self) -> dict[str, TaskState]:
        """What each task is doing."""
        return dict(zip(self._observer.place, self._doing, strict=True))

    def columns(self) -> Columns:
        """What a picture of all tasks wants to know of them, many times a second."""
        processed, errors, endings, ended_producers, skipped, _, _ = self._rest
        observer = self._observer
        sent = list(accumulate(map(add, self._taken, observer.at_filled(self._waiting)), initial=0))
        return Columns(
            [ending or doing for ending, doing in zip(endings, self._doing, strict=True)],
            self._depths(),
            processed,
            _differences(observer.at_ends_out(sent)),
            errors,
            skipped,
            ended_producers,
            self._held,
        )

    def waits_for(self, name: str) -> tuple[str, ...]:
        """Whom a task waits for, as it is now, if it still does what it did then."""
        place = self._observer.place[name]
        task, state = self._observer.tasks[place], self._doing[place]
        ended_producers, ending = self._rest[3][place], self._rest[2][place]
        if ending is not None:
            return ()
        if state == "idle":
            ended = {producer for producer, _ in ended_producers}
            producers = [lane.producer for lane in task.lanes_in]
            return tuple(dict.fromkeys(each for each in producers[1:] or producers if each not in ended))
        return task.waits_for("waiting" if self._rest[-1][place] else state)  # with open calls, it waits for these

    def lane_depths(self, name: str) -> tuple[int, ...]:
        """How many packets wait in each lane of a task's queue, the hand's first."""
        return self._lanes(self._observer.place[name])

    def chains(self) -> tuple[ChainFacts, ...]:
        """Which of them are worked together, or would be."""
        return self._chains

    def spent(self) -> dict[str, Spent]:
        """Where the time of each has gone until now, when this is asked for the first time."""
        if self._spent is None:
            shared: dict[str, Spent] = {}
            for each in self._sharing:
                shared |= each.times()
            self._spent = {task.name: shared.get(task.name) or task.times() for task in self._observer.tasks}
        return self._spent

    def signals(self, name: str) -> tuple[SignalFacts, ...]:
        """The signals that wait in a task's queue now, each in its place among the packets that waited then."""
        place = self._observer.place[name]
        first, behind = self._observer.ends_in[place : place + 2]
        if not any(self._observer.signals[first:behind]):
            return ()
        found, before = [], 0
        for lane, waiting in zip(self._observer.tasks[place].lanes_in, self._waiting[first:behind], strict=True):
            taken, signals = lane.taken, list(lane.signals)  # copied by one call: its writer may add others
            found += [
                SignalFacts(before + min(max(number - taken, 0), waiting), lane.producer, signal.text)
                for number, signal in signals
            ]
            before += waiting
        return tuple(found)

    def _lanes(self, place: int) -> tuple[int, ...]:
        first, after = self._observer.ends_in[place : place + 2]
        return tuple(self._waiting[first:after])

    def _depths(self) -> list[int]:
        return _differences(self._observer.at_ends_in(list(accumulate(self._waiting, initial=0))))

    def __iter__(self) -> Iterator[str]:
        return iter(self._observer.place)

    def __len__(self) -> int:
        return len(self._doing)
