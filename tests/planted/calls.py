"""Bugs of who calls a service, and how often."""

from __future__ import annotations

from typing import Final

from tests.planted.records import SWITCH, Mutant, of, one

QUEUE, SERVICE = "communication/request_queue.py", "service/base_service_task.py"
WHO = "12_who_calls"

OF_CALLS: Final[tuple[Mutant, ...]] = (
    one(
        "callers: a call is counted for the outermost of its callers",
        QUEUE,
        "caller = call.request.callers[-1]",
        "caller = call.request.callers[0]",
        of(WHO, "test_a_service_says_how_often_each_task_and_each_service_has_called_it"),
    ),
    one(
        "callers: each is counted once",
        QUEUE,
        "self.callers[caller] += 1",
        "self.callers[caller] = 1",
        of(WHO, "test_callers_are_counted_the_same_under_every_seed"),
    ),
    one(
        "callers: read while new ones come",
        SERVICE,
        "tuple(queue.callers.copy().items())",
        f"tuple((caller, ({SWITCH}, calls)[1]) for caller, calls in queue.callers.items())",
        of(WHO, "test_callers_can_be_read_while_new_ones_come"),
    ),
)
