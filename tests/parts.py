"""Which tests may run beside which, and how a run in several processes keeps to that: `pytest --numprocesses 3`.

A part of the tests is begun when the one before it is over, so that stress tests, browsers and Ray do not meet. What a
test is of is read from its name: the process that hands tests out has nothing else of them.
"""

from __future__ import annotations

import re
from typing import Any, Final

import pytest
from xdist.scheduler.worksteal import WorkStealingScheduling

PARTS: Final = {"threads": 3, "pages": 2, "alone": 1}
"""In the order in which they run, and in how many processes at most: tests of `threads` wait half of their time."""

_FOLDERS: Final = {
    "threads": ("tests/promises/", "tests/stress/", "tests/view/", "tests/test_"),
    "pages": ("tests/page/",),
}
# They want both cores, or measure, or have a server, kernels or processes of their own.
_ALONE: Final = tuple(
    f"tests/test_{name}.py"
    for name in (
        "benchmarks",
        "benchmarks_calls",
        "docs",
        "many_tasks",
        "process_backend",
        "remote_ownership",
        "step_way",
    )
)
_ON_RAY: Final = re.compile(r"::test_on_ray_|\[remote[-\]]")
AHEAD: Final = 3  # tests that a process has: one that runs, one that follows, one while it tells of the first


def part_of(test: str) -> str:
    """The part of a test by its node id; `alone` is what is named in no other."""
    if not test.startswith(_ALONE) and not _ON_RAY.search(test):
        for part, folders in _FOLDERS.items():
            if test.startswith(folders):
                return part
    return "alone"


def wants_ray(item: pytest.Item) -> bool:
    """Whether this test needs the one cluster of the run."""
    callspec = getattr(item, "callspec", None)
    platform = None if callspec is None else callspec.params.get("platform")
    return item.get_closest_marker("on_ray") is not None or getattr(platform, "name", "") == "remote"


class InParts(WorkStealingScheduling):  # type: ignore[misc]  # it has no types
    """Hands out one part after the other, a test here and a test there; nothing has to be stolen back."""

    def check_schedule(self) -> None:
        """Give those that have too little to do something, if the part allows it, and send home who is not needed."""
        up = [node for node in self.nodes if not node.shutting_down]
        if not self.pending:
            for node in up:
                if len(self.node2pending[node]) < 2:
                    node.shutdown()
            return
        assert self.collection is not None
        self.pending.sort()  # what a process that died had not begun comes back at the end
        part = part_of(self.collection[self.pending[0]])
        members = up[: PARTS[part]]
        for node in up[len(members) :]:
            node.shutdown()
        for node, given in self.node2pending.items():
            earlier = [index for index in given if part_of(self.collection[index]) != part]
            # The last one that a process has been given it begins when it knows what follows.
            if len(earlier) > (1 if node in members else 0):
                return
        for node in members * AHEAD:
            has_little = len(self.node2pending[node]) < AHEAD
            if has_little and self.pending and part_of(self.collection[self.pending[0]]) == part:
                self._send_tests(node, 1)


def in_order(items: list[pytest.Item]) -> list[pytest.Item]:
    """Part after part; in the last one Ray, whose one cluster is gone before the notebooks."""
    for item in items:
        if wants_ray(item) and part_of(item.nodeid) != "alone":
            raise pytest.UsageError(f"{item.nodeid} runs on Ray, and its name does not say so: call it test_on_ray_…")
    parts = list(PARTS)

    def place(item: pytest.Item) -> tuple[int, Any]:
        return parts.index(part_of(item.nodeid)), (not isinstance(item, pytest.Function), wants_ray(item))

    return sorted(items, key=place)
