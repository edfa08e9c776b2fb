"""Which tests may run beside which, and how a run in several processes keeps to that: `pytest --numprocesses 3`.

A part of the tests is begun when the one before it is over, so that stress tests, browsers and Ray do not meet. In one
of the parts, groups of tests share something dear, such as a cluster: a process takes such a group whole. What a test
is of is read from its name: the process that hands tests out has nothing else of them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import Any, Final, NamedTuple

import pytest
from xdist.scheduler.worksteal import WorkStealingScheduling

PARTS: Final = {"threads": 3, "pages": 2, "groups": 2, "alone": 1}
"""In the order in which they run, and in how many processes at most: tests of `threads` wait half of their time."""

AHEAD: Final = 3  # tests that a process has: one that runs, one that follows, one while it tells of the first


class Place(NamedTuple):
    """The part of a test, and the number of its group, if that part has any."""

    part: str
    group: int | None = None


def _named(*names: str) -> Callable[[str], object]:
    return re.compile(rf"tests/test_({'|'.join(names)})\.py").match


# They want both cores, or measure.
_ALONE: Final = _named("benchmarks_calls", "many_tasks", "step_way")
# In the order in which they are begun: the long ones first, so that the short ones fill what is left at the end.
_GROUPS: Final[tuple[Callable[[str], object], ...]] = (
    re.compile(r".*(::test_on_ray_|\[remote[-\]]|\[ray-)|tests/remote/").match,  # one cluster
    re.compile(r"tests/jupyter/").match,  # one server, one browser
    _named("benchmarks", "docs", "process_backend", "remote_ownership"),  # processes of their own
    re.compile(r"notebooks/").match,  # their kernels
)
_FOLDERS: Final = {
    "threads": ("tests/chain/", "tests/promises/", "tests/stress/", "tests/touch/", "tests/view/", "tests/test_"),
    "pages": ("tests/page/",),
}


@cache
def place_of(test: str) -> Place:
    """Where a test belongs, by its node id; what is named nowhere runs alone."""
    if _ALONE(test):
        return Place("alone")
    for number, knows in enumerate(_GROUPS):
        if knows(test):
            return Place("groups", number)
    for part, folders in _FOLDERS.items():
        if test.startswith(folders):
            return Place(part)
    return Place("alone")


def wants_ray(item: pytest.Item) -> bool:
    """Whether this test needs the one cluster of the run."""
    callspec = getattr(item, "callspec", None)
    platform = None if callspec is None else callspec.params.get("platform")
    return item.get_closest_marker("on_ray") is not None or getattr(platform, "name", "") == "remote"


class InParts(WorkStealingScheduling):  # type: ignore[misc]  # it has no types
    """Hands out one part after the other, a test here and a test there; nothing has to be stolen back."""

    def __init__(self, config: pytest.Config, log: Any = None) -> None:
        super().__init__(config, log)
        self._places: dict[Any, Place] = {}  # of the last test that each process was given

    def check_schedule(self) -> None:
        """Give those that have too little to do something, if the part allows it, and send home who is not needed."""
        up = [node for node in self.nodes if not node.shutting_down]
        if not self.pending:
            for node in up:
                if len(self.node2pending[node]) < 2:
                    node.shutdown()
            return
        self.pending.sort()  # what a process that died had not begun comes back at the end
        part = self._place(self.pending[0]).part
        members = up[: PARTS[part]]
        for node in up[len(members) :]:
            node.shutdown()
        for node, given in self.node2pending.items():
            earlier = [index for index in given if self._place(index).part != part]
            # The last one that a process has been given it begins when it knows what follows.
            if len(earlier) > (1 if node in members else 0):
                return
        for node in members * AHEAD:
            if len(self.node2pending[node]) < AHEAD:
                self._give_next(node, part)

    def _place(self, index: int) -> Place:
        assert self.collection is not None
        return place_of(self.collection[index])

    def _give_next(self, node: Any, part: str) -> None:
        """Give `node` a test of its group, else the first of a group that nobody has; send it home if there is none."""
        if node.shutting_down:
            return
        others = {self._places.get(other) for other in self.nodes if other is not node and not other.shutting_down}
        left = {index: place for index in self.pending if (place := self._place(index)).part == part}
        mine = (index for index, place in left.items() if place.group is None or place == self._places.get(node))
        free = (index for index, place in left.items() if place not in others)
        index = next(mine, next(free, None))
        if index is not None:
            self._places[node] = left[index]
            self.pending.remove(index)
            self.node2pending[node].append(index)
            node.send_runtest_some([index])
        elif left:
            node.shutdown()  # others have every group that is left, and one of them will go on


def in_order(items: list[pytest.Item]) -> list[pytest.Item]:
    """Part after part, group after group; those that need the cluster follow each other."""
    for item in items:
        if wants_ray(item) and place_of(item.nodeid) != Place("groups", 0):
            raise pytest.UsageError(f"{item.nodeid} runs on Ray, and its name does not say so: call it test_on_ray_…")
    parts = list(PARTS)

    def rank(item: pytest.Item) -> tuple[int, int, bool]:
        place = place_of(item.nodeid)
        return parts.index(place.part), place.group or 0, wants_ray(item)

    return sorted(items, key=rank)
