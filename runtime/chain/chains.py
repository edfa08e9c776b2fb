"""Which tasks of a job may be a chain: found once, before it starts, from the lanes between them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from runtime.chain.chain import Chain
from runtime.chain.loop import Extent
from runtime.chain.tree import step_of
from runtime.chain.watch import Watch
from runtime.task.local_task import LocalTask


def chains_of(tasks: Sequence[LocalTask], watch: Watch) -> list[Chain]:
    """The largest chains there can be of these tasks, which are in the order of the graph; of single ones, none.

    A task is in that of those who feed it, if all of them are in one; else it may be the head of its own. Several tasks
    of one operator are in one together, or each by itself.
    """
    feeds = {id(lane): task for task in tasks for lanes in task.ways_in_loop for lane in lanes}
    groups: list[_Group] = []
    group_of: dict[LocalTask | None, _Group] = {}
    for _, each in groupby(tasks, lambda task: task.ctx.wiring.node.name):
        operator = list(each)
        before = [[feeds.get(id(lane)) for lane in task.lanes_in[1:]] for task in operator]
        of = {group_of.get(task) for fed_by in before for task in fed_by}
        group = of.pop() if len(of) == 1 else None
        if group is not None and group.add(operator, before):
            group_of |= dict.fromkeys(operator, group)
            continue
        alone = [_Group(task) for task in operator if task.may_be_chained]
        groups += alone
        group_of |= {group.tasks[0]: group for group in alone}
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
        self._extent.add([step_of(head, is_head=True)], ())
        self._keeps_thread = head.keeps_thread

    def add(self, operator: Sequence[LocalTask], before: Sequence[Sequence[LocalTask | None]]) -> bool:
        """Let all tasks of an operator be of them, each fed by these only, by a lane each. False: they do not fit."""
        first = before[0]
        if not all(task.may_be_chained for task in operator) or any(each != first for each in before):
            return False
        if any(task.keeps_thread for task in operator) and (self._keeps_thread or len(operator) > 1):
            return False
        steps = [step_of(task, is_head=False) for task in operator]
        if not self._extent.add(steps, [self.tasks.index(each) for each in first if each is not None]):
            return False
        self.tasks += operator
        self._keeps_thread |= operator[0].keeps_thread
        return True
