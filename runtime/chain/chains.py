"""Which tasks of a job may be a chain: found once, before it starts, from the lanes between them."""

from __future__ import annotations

from collections.abc import Sequence

from runtime.chain.chain import Chain
from runtime.chain.loop import Extent
from runtime.chain.tree import step_of
from runtime.chain.watch import Watch
from runtime.communication.lane import Lane
from runtime.task.local_task import LocalTask


def chains_of(tasks: Sequence[LocalTask], watch: Watch) -> list[Chain]:
    """The largest chains there can be of these tasks, which are in the order of the graph; of single ones, none.

    A task is in that of those who feed it, if all of them are in one; else it may be the head of its own.
    """
    feeds = {id(lane): task for task in tasks for lanes in _ways(task) if len(lanes) == 1 for lane in lanes}
    groups: list[_Group] = []
    group_of: dict[LocalTask, _Group] = {}
    for task in tasks:
        if not task.may_be_chained:
            continue
        before = [feeds.get(id(lane)) for lane in task.lanes_in[1:]]
        of = {None if each is None else group_of.get(each) for each in before}
        group = of.pop() if len(of) == 1 else None
        if group is None or not group.add(task, [each for each in before if each is not None]):
            group = _Group(task)
            groups.append(group)
        group_of[task] = group
    chains = [Chain(group.tasks, watch) for group in groups if len(group.tasks) > 1]
    for chain in chains:
        for task in chain.tasks:
            task.be_in(chain)
    return chains


class _Group:
    """Tasks that may be a chain, if they are more than one: the first feeds the others, directly or not."""

    def __init__(self, head: LocalTask) -> None:
        self.tasks = [head]
        self._extent = Extent()
        self._extent.add(step_of(head, is_head=True), ())
        self._keeps_thread = head.keeps_thread

    def add(self, task: LocalTask, before: Sequence[LocalTask]) -> bool:
        """Let it be one of them, fed by these only, by a lane each. False: it does not fit."""
        if task.keeps_thread and self._keeps_thread:
            return False
        if not self._extent.add(step_of(task, is_head=False), [self.tasks.index(each) for each in before]):
            return False
        self.tasks.append(task)
        self._keeps_thread |= task.keeps_thread
        return True


def _ways(task: LocalTask) -> list[list[Lane]]:
    """Where its results go while its input lasts."""
    return [] if task.is_end else task.ways
