"""Which tasks of a job may be a chain: found once, before it starts, from the lanes between them."""

from __future__ import annotations

from collections.abc import Sequence

from runtime.chain.chain import Chain
from runtime.chain.line import steps_of
from runtime.chain.loop import fits
from runtime.chain.watch import Watch
from runtime.task.local_task import LocalTask


def chains_of(tasks: Sequence[LocalTask], watch: Watch) -> list[Chain]:
    """The longest chains there can be of these tasks; of those that are in none, none."""
    reader = {id(task.inbox): task for task in tasks if not task.is_source}
    following = {task: after for task in tasks if (after := _after(task, reader)) is not None}
    chains = []
    for task in sorted(set(following) - set(following.values()), key=tasks.index):
        line = [task]
        while line[-1] in following:
            after = following[line[-1]]
            if (after.keeps_thread and any(each.keeps_thread for each in line)) or not fits(steps_of([*line, after])):
                chains += _chain(line, watch)
                line = [after]
            else:
                line.append(after)
        chains += _chain(line, watch)
    return chains


def _chain(line: Sequence[LocalTask], watch: Watch) -> list[Chain]:
    if len(line) < 2:
        return []
    chain = Chain(line, watch)
    for task in line:
        task.be_in(chain)
    return [chain]


def _after(task: LocalTask, reader: dict[int, LocalTask]) -> LocalTask | None:
    """The one that takes all that `task` makes, and nothing else, if both may be worked in one loop."""
    if not task.may_be_chained or len(task.lanes_out) != 1 or task.is_end:
        return None
    inbox = task.lanes_out[0].inbox
    after = reader.get(id(inbox))
    if after is None or not after.may_be_chained or len(after.inbox.lanes) != 2 or after.is_source:
        return None
    return after
