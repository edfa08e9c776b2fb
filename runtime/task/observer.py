"""Looking at all tasks of a job at once, so cheaply that it can be done many times a second.

A sample is a few columns of numbers, read by C-level `map`s over all tasks or lanes into one list. They are of one
moment: the GIL changes hands between two bytecodes, and where the garbage collector calls somebody, and there is
neither in between. A packet that leaves a lane meanwhile would else be seen both in it and behind it. `TaskFacts` are
made of them only for the tasks that somebody asks for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate, chain, pairwise
from operator import add, attrgetter, itemgetter
from typing import TYPE_CHECKING, Any, Final

from runtime.facts import Columns, TaskFacts, TaskState, TaskTable

if TYPE_CHECKING:
    from runtime.task.base_task import BaseTask

_OF_TASKS: Final = tuple(
    map(
        attrgetter,
        ("gate.doing", "gate.closed", "processed", "errors", "ending", "ended_producers", "skipped", "retries"),
    )
)
_TAKEN: Final = attrgetter("taken")


class Observer:
    """Knows where the numbers of these tasks are."""

    def __init__(self, tasks: Sequence[BaseTask]) -> None:
        self.tasks = tasks
        self.place = {task.name: place for place, task in enumerate(tasks)}
        incoming = [task.lanes_in for task in tasks]
        self.queues = list(pairwise(accumulate(map(len, incoming), initial=0)))
        # The lanes that a task fills are others' incoming ones; of a single task, they come behind its own.
        self._lanes = [lane for lanes in incoming for lane in lanes]
        known = set(map(id, self._lanes))
        self._lanes += [lane for task in tasks for lane in task.lanes_out if id(lane) not in known]
        self._items = [lane.items for lane in self._lanes]
        place_of = {id(lane): place for place, lane in enumerate(self._lanes)}
        self.filled = [[place_of[id(lane)] for lane in task.lanes_out] for task in tasks]
        # Two places behind the last lane besides: so each of these gets a tuple, however few lanes there are.
        behind = len(self._lanes)
        self.get_filled = [itemgetter(*lanes, behind, behind) for lanes in self.filled]
        self.producers = [tuple(lane.producer for lane in lanes) for lanes in incoming]

    def observe(self) -> Sample:
        """Read everything now, while no other thread runs. Tasks do not notice."""
        columns = [map(column, self.tasks) for column in _OF_TASKS]
        values = list(chain(*columns, map(len, self._items), map(_TAKEN, self._lanes)))
        tasks, lanes = len(self.tasks), len(self._lanes)
        doing, held, *rest = [values[tasks * column : tasks * (column + 1)] for column in range(len(_OF_TASKS))]
        first = len(_OF_TASKS) * tasks
        if any(held):  # one that sleeps at an empty queue is paused from the moment that its gate is closed
            both = zip(doing, held, strict=True)
            doing = ["paused" if shut and each == "idle" else each for each, shut in both]
        return Sample(self, doing, held, rest, values[first : first + lanes], values[first + lanes :])


class Sample(TaskTable):
    """What an observer read: the facts of each task by name, in graph order."""

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
        self._waiting, self._taken = waiting, taken

    def __getitem__(self, name: str) -> TaskFacts:
        place = self._observer.place[name]
        node = self._observer.tasks[place].ctx.wiring.node
        processed, errors, ending, ended_producers, skipped, retries = (column[place] for column in self._rest)
        first, behind = self._observer.queues[place]
        depths = tuple(self._waiting[first:behind])
        emitted = sum([self._taken[lane] + self._waiting[lane] for lane in self._observer.filled[place]])
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
            self._observer.producers[place],
            depths,
            ended_producers,
            ending,
            skipped,
            retries,
            self._held[place],
        )

    def depths(self) -> dict[str, int]:
        """How many packets wait for each task."""
        waiting = self._waiting
        queues = self._observer.queues
        return dict(zip(self._observer.place, [sum(waiting[first:behind]) for first, behind in queues], strict=True))

    def states(self) -> dict[str, TaskState]:
        """What each task is doing."""
        return dict(zip(self._observer.place, self._doing, strict=True))

    def columns(self) -> Columns:
        """What a picture of all tasks wants to know of them, many times a second."""
        processed, errors, endings, ended_producers, skipped, _ = self._rest
        waiting = self._waiting
        passed = [*map(add, self._taken, waiting), 0]
        return Columns(
            [ending or doing for ending, doing in zip(endings, self._doing, strict=True)],
            [sum(waiting[first:behind]) for first, behind in self._observer.queues],
            processed,
            [sum(get(passed)) for get in self._observer.get_filled],
            errors,
            skipped,
            list(map(len, ended_producers)),
            self._held,
        )

    def lane_depths(self, name: str) -> tuple[int, ...]:
        """How many packets wait in each lane of a task's queue, the hand's first."""
        first, behind = self._observer.queues[self._observer.place[name]]
        return tuple(self._waiting[first:behind])

    def __iter__(self) -> Iterator[str]:
        return iter(self._observer.place)

    def __len__(self) -> int:
        return len(self._doing)
