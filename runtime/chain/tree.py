"""Tree: which task is worked at which site of a loop, and to which sites a packet has come that is at one of them."""

from __future__ import annotations

from collections.abc import Sequence

from runtime.chain.loop import OUT, At, Code, Shape, Site, Step, code_of
from runtime.communication.lane import Lane
from runtime.task.local_task import LocalTask


class Tree:
    """Tasks in the order of the graph: the first of the given ones, the head, and those to which its packets come."""

    def __init__(self, tasks: Sequence[LocalTask]) -> None:
        head = tasks[0]
        self.tasks, steps = _steps_of(tasks)
        self.shape = Shape(steps, head.loop_counts, head.idles)
        self._code: Code = code_of(self.shape)

    @property
    def head(self) -> LocalTask:
        """To whom packets come first."""
        return self.tasks[0]

    @property
    def sites(self) -> tuple[Site, ...]:
        """All places where a task is worked, each after the one that gives it packets."""
        return self._code.sites

    def task(self, site: int) -> LocalTask:
        """Which is worked there."""
        return self.tasks[self.sites[site].step]

    def step(self, site: int) -> Step:
        """What a loop has to know of that."""
        return self.shape.steps[self.sites[site].step]

    def lane(self, site: int) -> Lane | None:
        """Past which packets come to a site; None: they come to the head."""
        _, parent, way, lane, *_ = self.sites[site]
        return None if parent == OUT else self.task(parent).ways[way][lane]

    def given(self, site: int) -> At:
        """Where a packet has come whose result was given to all ways of that site."""
        return At(site, len(self.step(site).ways))

    def before(self, site: int) -> At:
        """Where the packet has come of which that site has got something."""
        _, parent, way, *_ = self.sites[site]
        return At(parent, way + 1)

    def missing(self, at: At | None, diverted: int = OUT) -> set[int]:
        """The sites to which a packet that is `at` has not come yet, though it is counted as made for them.

        Or, if its result was `diverted` in front of a site, as having come there.
        """
        if at is None:
            return set()
        number, given = at
        is_drawn = not number and self.head.is_source
        is_counted = given > 0 or diverted != OUT or not (number in self._code.passing or is_drawn)
        missing = set(self._next(number, given)) if is_counted else set[int]()
        if diverted in self._code.coming:
            missing.add(diverted)
        while (site := self.sites[number]).parent != OUT:
            number = site.parent
            missing |= set(self._next(number, site.way + 1))
        return missing

    def _next(self, number: int, given: int) -> list[int]:
        """The sites to which the ways of one lead, without the first so many ways, and without those that count."""
        sites = enumerate(self.sites)
        after = [child for child, site in sites if site.parent == number and site.way >= given]
        return [child for child in after if child not in self._code.coming]


def _steps_of(tasks: Sequence[LocalTask]) -> tuple[tuple[LocalTask, ...], tuple[Step, ...]]:
    """Those to which packets of the first one come, and what a loop has to know of them."""
    head = tasks[0]
    fed: set[int] = set()  # inboxes
    reached = [head]
    fed = _fed_by(head)
    for task in tasks[1:]:
        if id(task.inbox) in fed:
            reached.append(task)
            fed |= _fed_by(task)
    number = {id(task.inbox): at for at, task in enumerate(reached) if at}
    return tuple(reached), tuple(
        step_of(task, is_head=task is head)._replace(ways=_ways(task, number)) for task in reached
    )


def step_of(task: LocalTask, *, is_head: bool) -> Step:
    """What a loop has to know of one task, but for where its results go."""
    return Step(task.inline, task.takes_pairs if is_head else task.is_keyed, task.sets_key, task.skips)


def _fed_by(task: LocalTask) -> set[int]:
    return {id(lane.inbox) for lanes in task.ways_in_loop for lane in lanes}


def _ways(task: LocalTask, number: dict[int, int]) -> tuple[tuple[int, ...], ...]:
    ways = [tuple(number.get(id(lane.inbox), OUT) for lane in lanes) for lanes in task.ways_in_loop]
    ways = [() if OUT in way else way for way in ways]
    return tuple(ways if any(ways) else ways[:1])
