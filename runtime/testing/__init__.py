"""What tests of dataflows want: a guard against what stays behind, waits that cannot hang, a watch over queues, faults
on purpose, a search through the orders in which a graph may run, and whether functions change packets in place.
"""

from runtime.testing.changes import ChangedInPlace, check_unchanged
from runtime.testing.checks import (
    PATIENCE_S,
    FaultInjector,
    Finding,
    Hold,
    InjectedFault,
    LeakFound,
    Moment,
    QueueWatch,
    check_bounded,
    explore,
    leak_guard,
)

__all__ = [
    "PATIENCE_S",
    "ChangedInPlace",
    "FaultInjector",
    "Finding",
    "Hold",
    "InjectedFault",
    "LeakFound",
    "Moment",
    "QueueWatch",
    "check_bounded",
    "check_unchanged",
    "explore",
    "leak_guard",
]
