"""Which guard an operator gets whose policy is another than `fail`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runtime.communication.router import Router
from runtime.graph.policy import policy_of
from runtime.operators import Operator
from runtime.task.feed import Feed, LaneFeed, SourceFeed
from runtime.task.hold_guard import HoldGuard
from runtime.task.policy_operator import LaneGuard, PolicyOperator, SourceGuard

if TYPE_CHECKING:
    from runtime.task.base_task import BaseTask


def guarded(operator: Operator, feed: Feed, task: BaseTask, router: Router) -> Operator:
    """A guard for `operator`. What the function sends by itself goes to the guard."""
    guard: PolicyOperator
    if isinstance(feed, SourceFeed):
        guard = SourceGuard(operator, feed, task, router)
    else:
        assert isinstance(feed, LaneFeed), "all but sources are fed from lanes"
        may_hold = policy_of(task.ctx.wiring.node.on_error).may_hold
        guards = operator.guarded_by or (LaneGuard, HoldGuard)
        guard = guards[may_hold](operator, feed, task, router)
    task.ctx.bind(guard.hold_back, router.send_signal, task.reporter)
    return guard
